"""Names: the cells that a slow search finds, in the same order."""

import numpy as np
import pytest

from cfgraph import sources
from cfgraph.exploring.library import CellsLibrary
from cfgraph.exploring.names import Names
from cfgraph.exploring.scene import Scene
from cfgraph.exploring.searching import search_cells

NAMES = [
    "Deep",
    None,
    "deeper",
    "knee-deep",
    "DEE",
    "",
    "d",
    "a\nb",
    "ab",
    "b",
    3.5,
    "Größe",
    "GRÖSSE",
    "größer",
    "İx",
    "日本語",
    "本",
    "\ud800z",
]


def slowly(names, text, *, most):
    """Each name looked at, one after the other."""
    wanted = text.lower()
    small = [(name.lower(), row) for row, name in enumerate(names) if isinstance(name, str)]
    found = [(name != wanted, not name.startswith(wanted), len(name), row) for name, row in small if wanted in name]
    return [row for *_, row in sorted(found)[:most]]


@pytest.mark.parametrize("text", ["dee", "DEEPER", "e", "b", "a\nb", "\n", "größ", "本", "语", "i̇", "ss", "z", "zz", "x" * 99])
def test_names_that_hold_a_text(text):
    assert Names.of(NAMES).find(text, most=9) == slowly(NAMES, text, most=9)


def test_many_random_names():
    random = np.random.default_rng(2)
    names = ["".join(letters) for letters in random.choice(list("abcAB \n"), (3_000, 5)).tolist()]
    known, found_any = Names.of(names), 0
    for text in {name[low:high] for name in names[:60] for low, high in ((0, 1), (1, 3), (0, 3), (0, 5), (4, 5))}:
        found = known.find(text, most=50)
        assert found == slowly(names, text, most=50)
        found_any += len(found)
    assert found_any > 1_000


def test_nothing_is_found_among_no_names():
    assert Names.of([]).find("a", most=3) == []
    assert Names.of([None, 2]).find("a", most=3) == []
    assert Names.of(["a"]).find("", most=3) == []


def test_a_scene_in_memory_is_searched_there(tmp_path):
    trees = {}
    for name, text in {"opened": "((Deep,deeper)Inner,knee-deep);", "elsewhere": "((Deep,b)c,d);"}.items():
        (tmp_path / f"{name}.nwk").write_text(text)
        trees[name] = sources.tree(tmp_path / f"{name}.nwk", id="named")
    scene, cells = Scene.open(trees["opened"]), trees["opened"].cells
    found = scene.search_names("deep", most=9)
    assert [hit["name"] for hit in found] == ["Deep", "deeper", "knee-deep"]
    assert [cells.names[cells.row(hit["address"])] for hit in found] == ["Deep", "deeper", "knee-deep"]
    assert Scene.of("koch").search_names("deep", most=9) is None
    library = CellsLibrary({"named": trees["elsewhere"]})
    asked = {"by": "name", "property": None, "field": library.field}
    opened = search_cells(library, "named", " deep ", limit=2, opened={"named": scene}.get, **asked)
    assert opened == {"hits": found[:2], "more": True}
    assert search_cells(library, "named", "deep", limit=2, **asked) == {"hits": found[:1], "more": False}
