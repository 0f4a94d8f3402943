"""What surrounds a process changes no digest: the seed of Python's hashes, the locale, the time zone."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from pathlib import Path
from cfgraph import sources
from cfgraph.model.hierarchy import recipe_digest
from cfgraph.store.digest import digest_hierarchy
folder = Path(sys.argv[1])
made = [
    sources.ifs(id="koch", maps="koch", depth=4),
    sources.cfg(id="smooth", depth=3, seed=5),
    sources.points(id="points", data=folder / "points.csv", arity=3, depth=3, minimum_size=4, points=True),
    sources.edges(id="edges", data=folder / "edges.tsv"),
    sources.tree(id="tree", data=folder / "tree.nwk"),
    sources.linkage(id="linkage", data=folder / "linkage.csv", names=folder / "names.txt", points=True),
]
for hierarchy in made:
    print(hierarchy.id, recipe_digest(hierarchy.recipe), digest_hierarchy(hierarchy))
"""
NAMES = ["Istanbul", "ılgaz", "İzmir", "izmir", "zürich", "漢字"]  # that sort, and become small letters, otherwise elsewhere
SURROUNDINGS = [  # a locale that a machine lacks counts as C there
    {"PYTHONHASHSEED": "1"},
    {"PYTHONHASHSEED": "4294967295", "LC_ALL": "C", "TZ": "Pacific/Kiritimati"},
    {"LC_ALL": "tr_TR.UTF-8", "TZ": "America/St_Johns"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Files in which names and numbers would show a locale."""
    folder = tmp_path_factory.mktemp("inputs")
    points = [f"{0.37 * (n * n % 17) + 0.01 * n},{0.11 * (n * 5 % 13)}" for n in range(40)]
    below = [f"{name}\t{above}\t{0.5 + n}" for n, (name, above) in enumerate(zip(NAMES[1:], NAMES, strict=False))]
    texts = {
        "points.csv": "\n".join(["x,y", *points]),
        "edges.tsv": "\n".join(["CHILD\tPARENT\tLENGTH", *below, f"{NAMES[-1]}\t{NAMES[0]}\t2.25"]),
        "tree.nwk": f"(({NAMES[0]}:0.5,{NAMES[2]}:1e-3)'I i':2,{NAMES[1]});",
        "linkage.csv": "\n".join(["left,right,height,size", "0,1,0.5,2", "2,3,1.5,2", "4,5,2.25,2", "6,7,3,4", "8,9,4.125,6"]),
        "names.txt": "\n".join(NAMES),
    }
    for name, text in texts.items():
        (folder / name).write_text(text + "\n", encoding="utf-8")
    return folder


def digests(folder, **surroundings):
    """What a process in these surroundings says of each hierarchy."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "TZ", "PYTHON"))}
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(folder)], env={**kept, **surroundings}, capture_output=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.decode().splitlines()


@pytest.fixture(scope="module")
def wanted(inputs):
    return digests(inputs, PYTHONHASHSEED="0", LC_ALL="C.UTF-8", TZ="UTC")


@pytest.mark.parametrize("surroundings", SURROUNDINGS, ids=lambda found: "-".join(f"{k}={v}" for k, v in found.items()))
def test_surroundings_change_no_digest(surroundings, inputs, wanted):
    assert len(wanted) == 6
    assert digests(inputs, **surroundings) == wanted
