"""Scenes: what colors cells, what lies beside them, what is taken away; two hierarchies cell by cell."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from cfgraph import sources, train
from cfgraph.errors import InputError
from cfgraph.exploring.beside import Side
from cfgraph.exploring.codec import MISSING, Cut
from cfgraph.exploring.scene import Scene
from cfgraph.exploring.scenes import GoneError
from cfgraph.exploring.svg import CELLS_MAX
from cfgraph.formats.newick import parse_newick
from cfgraph.model.reader import CellsReader
from cfgraph.sources.any_depth import field
from cfgraph.sources.imported import imported
from tests.unit.test_exploring_cut import at_home, seen_from

GROUP = "{http://www.w3.org/2000/svg}g"
CIRCLE = "{http://www.w3.org/2000/svg}circle"
NEWICK = "((a:1,b:2)x:1,c:3,(d:1,e:1,'<script>':2)y:2)r;"


@pytest.fixture(scope="module")
def koch():
    return sources.ifs(id="koch", maps="koch", depth=5)


def colored(tree, **columns):
    """A hierarchy with properties of its cells' own."""
    kinds = {"number": "INTEGER", "weight": "FLOAT", "label": "STRING"}
    cells = tree.cells.with_columns(own={**tree.cells.own, **columns})
    own = tuple(dict.fromkeys([*tree.own, *columns]))
    known = {**tree.own_kinds, **{name: kinds[name] for name in columns}}
    return tree.replace(cells=cells, own=own, own_kinds=known)


def test_cells_are_colored_by_what_they_have(koch):
    rows = np.arange(len(koch.cells))
    label = np.array([f"kind {row % 100}" if row % 7 else None for row in rows], dtype=object)
    weight = np.where(rows % 5 == 0, np.nan, rows / 3.0)
    tree = colored(koch, number=np.where(rows % 3 == 0, -1, rows), weight=weight, label=label)
    scene = Scene.of(tree)
    assert {"name": "label", "kind": "category"} in scene.describe()["properties"]
    assert {"label", "property:number", "property:weight", "property:label"} <= set(scene.colors)
    view = at_home(scene)
    cut = scene.cut(view, color="property:weight", px=2.0)
    row_of = {address: row for row, address in enumerate(tree.cells.addresses)}
    held = np.array([row_of.get(address, -1) for address in cut.addresses()])
    assert (held >= 0).any()
    known = (held >= 0) & ~np.isnan(weight[np.maximum(held, 0)])
    assert ((cut.value == MISSING) == ~known).all()
    meaning = cut.header["color"]
    told = meaning["low"] + (meaning["high"] - meaning["low"]) * cut.value[known] / (MISSING - 1)
    assert np.allclose(told, weight[held[known]], rtol=1e-3)
    numbers = scene.cut(view, color="property:number", px=2.0)
    assert ((numbers.value == MISSING) == ((held < 0) | (held % 3 == 0))).all()
    labels = scene.cut(view, color="label", px=2.0)
    assert len(labels.header["color"]["labels"]) == 65
    assert any("most common" in note for note in labels.header["notes"])
    for row, value in zip(held.tolist(), labels.value.tolist(), strict=True):
        text = label[row] if row >= 0 else None
        assert (value == MISSING) == (text is None)
        assert text is None or labels.header["color"]["labels"][value] in (text, "(others)")
    with pytest.raises(InputError, match="expected a color"):
        scene.cut(view, color="property:height")


def test_how_far_the_rule_is_off_what_is_stored_is_told(koch):
    rule = train(koch, depth=2, family="mean").load()
    scene = Scene.of(field(koch, predictor=rule))
    for px in (30.0, 10.0, 4.0):
        cut = scene.cut(at_home(scene), color="error", px=px)
        (level,) = set(cut.level.tolist())
        low, high = (np.log10(cut.header["color"][name]) for name in ("low", "high"))
        known = cut.value != MISSING
        told = 10 ** (low + (high - low) * cut.value / (MISSING - 1))
        above = field(koch.with_cells(koch.cells.prefix(level - 1)), predictor=rule)
        stored = field(koch).cells(cut.addresses()).residual
        off = np.linalg.norm(above.cells(cut.addresses()).residual - stored, axis=1)
        assert (known == (off > 0)).all()
        assert np.allclose(told[known], off[known], rtol=1e-2)
        assert known.any() == (level > 1)  # the first tuple is what it begins with
    below = scene.cut(seen_from(None, "/0/1/2/1" * 3), color="error", cap=200)
    assert (below.value == MISSING).all()  # what the rule answers is not off
    assert "error" not in Scene.of("koch").colors


def test_cells_weigh_as_many_points_as_they_hold(koch):
    points = np.random.default_rng(0).normal(size=(300, 2))
    for tree in (sources.points(points, id="tree", arity=3, depth=4), _placed(koch, 300)):
        scene = Scene.of(tree)
        cut = scene.cut(at_home(scene), px=30.0, weight="points")
        assert cut.weight.sum() == 300
        assert (Cut.from_bytes(cut.to_bytes()).weight == cut.weight).all()
        inside = np.array(tree.cells.addresses)[tree.cell_of_point] if tree.cell_of_point is not None else []
        for address, weight in zip(cut.addresses(), cut.weight.tolist(), strict=True):
            row = tree.cells.row(address)
            held = sum(one == address or one.startswith(address + "/") for one in inside)
            assert weight == (held if len(inside) else tree.cells.size[row])
        assert sum(scene.table(at_home(scene), weight="points")["points"].to_pylist()) == 300
    assert Scene.of(koch).describe()["weights"] == []
    with pytest.raises(InputError, match="no data points are known"):
        Scene.of(koch).cut(at_home(scene), weight="points")


def _placed(koch, count):
    """A hierarchy in whose leaves, and in some cells above them, data points lie."""
    rows = np.random.default_rng(1).integers(koch.cells.level_rows(4).start, len(koch.cells), count)
    return koch.with_cells(koch.cells, cell_of_point=rows).replace(points=count)


def test_what_is_predicted_is_told_from_what_is_stored(koch):
    rule = train(koch, depth=3, family="mean")
    scene = Scene.of(field(koch, predictor=rule.load()))
    cut = scene.cut(at_home(scene, z=2.0), color="stored", px=1.0)
    assert set(np.unique(cut.value).tolist()) == {1}
    shallow = scene.cut(at_home(scene, z=0.2), color="stored")
    assert set(np.unique(shallow.value).tolist()) == {0}
    assert shallow.header["stored"] == len(shallow)


def test_two_fields_are_compared_cell_by_cell(koch):
    rule = train(koch, depth=3, family="mean")
    moved = Scene.of(field(koch.with_cells(koch.cells.prefix(2)), predictor=rule.load()))
    scene = Scene.of(koch, beside=moved)
    assert {"displacement", "residual"} <= set(scene.colors)
    view = at_home(scene)
    cut = scene.cut(view, color="residual", px=20.0)
    assert cut.header["color"]["log"]
    addresses = cut.addresses()
    mine, theirs = scene.field.cells(addresses), moved.field.cells(addresses)
    error = np.linalg.norm(mine.residual - theirs.residual, axis=1)
    low, high = np.log10(cut.header["color"]["low"]), np.log10(cut.header["color"]["high"])
    known = cut.value != MISSING
    assert known.any()
    told = 10 ** (low + (high - low) * cut.value[known] / (MISSING - 1))
    assert np.allclose(told, error[known], rtol=1e-2)
    away = scene.cut(view, color="displacement", px=20.0)
    assert (away.value != MISSING).any()
    deep = scene.cut(seen_from(None, "/0/1/2/1" * 12), color="displacement", cap=200)
    assert (deep.value == MISSING).all()
    assert (scene.cut(seen_from(None, "/0/1/2/1" * 12), color="residual", cap=200).value != MISSING).any()
    worst = scene.worst(5)
    all_errors = np.linalg.norm(koch.cells.residual - moved.field.cells(koch.cells.addresses).residual, axis=1)
    assert np.allclose([one["residual_error"] for one in worst], np.sort(all_errors)[::-1][:5])
    with pytest.raises(InputError, match="beside"):
        moved.worst(3)
    assert replace(moved, beside=scene).worst(3) == []  # its stored cells are where they were


@pytest.mark.parametrize(
    "axes", [{"kind": "columns", "columns": [2, 0]}, {"kind": "directions", "directions": [[1, 1, 0], [0, 1, 5]]}, None]
)
def test_home_shows_all_in_the_middle_in_any_plane(axes):
    """Not only along the main axes; the figure of the whole, too."""
    scene = Scene.of(sources.cfg(id="space", arity=3, dimension=3, depth=5))
    home = scene.home_in(axes)
    cut = scene.cut(replace(home, z=home.z * 400, width=400.0, height=400.0), axes=axes, margin=1.0, px=2.0)
    low, high = np.array([cut.x.min(), cut.y.min()]), np.array([cut.x.max(), cut.y.max()])
    assert np.abs(low + high).max() < 12
    assert 0.85 * 400 < (high - low).max() < 400
    assert scene.describe(axes)["home"]["p"] == list(home.p)
    view = replace(home, z=home.z * 4e6, width=400.0, height=400.0)
    circles = [
        (float(one.get("cx")), float(one.get("cy")))
        for one in ET.fromstring(scene.svg(view, whole=True, axes=axes)).iter(CIRCLE)
    ]
    assert np.allclose(np.ptp(circles, axis=0).max(), (high - low).max(), rtol=0.05)
    assert np.abs(np.min(circles, axis=0) + np.max(circles, axis=0)).max() < 12


def test_two_in_space_are_seen_from_one_side():
    """The main axes of the first are told, for the one beside it to be looked at along these."""
    one, other = (Scene.of(sources.cfg(id="space", arity=3, dimension=3, depth=3, seed=seed)) for seed in (1, 2))
    told = replace(one, beside=other).describe()
    directions = np.array(told["main_axes"])
    assert np.allclose(directions @ directions.T, np.eye(2))
    assert told["beside_dimension"] == told["dimension"] == 3
    mine, shared = one.plane(None), other.plane({"kind": "directions", "directions": directions.tolist()})
    assert np.allclose(mine.basis, shared.basis)
    assert not np.allclose(mine.basis, other.plane(None).basis)
    assert one.describe()["main_axes"] is None


class Counted:
    """A reader that counts what it is asked."""

    def __init__(self, cells):
        self._reader, self.depth, self.asked = CellsReader(cells), cells.depth, 0

    def count(self):
        return self._reader.count()

    def read(self, *, top, depth):
        return self._reader.read(top=top, depth=depth)

    def cells(self, addresses):
        self.asked += 1
        return self._reader.cells(addresses)

    def children(self, addresses):
        self.asked += 1
        return self._reader.children(addresses)


def test_cells_that_the_other_lacks_are_not_looked_for_one_by_one():
    """A truth that ends above what is looked at, and of which no rule is known, is asked some dozen times, not twice a cell."""
    dag = imported(parse_newick("((a,b)x,(c,d)y,(e,f)z);"), id="tree", origin="tree")
    there = field(dag)
    reader = Counted(dag.cells)
    side = Side(replace(there, reader=reader), imported=False)
    addresses = [*dag.cells.addresses, *(f"/0/1/{slot}" for slot in range(600))]
    _, scale, _ = side.look_up(addresses)
    assert np.isnan(scale[len(dag.cells) :]).all()
    assert scale[: len(dag.cells)].tolist() == dag.cells.scale.tolist()
    assert reader.asked < 20


def test_imported_hierarchies_are_linked_by_name():
    embeddings = np.random.default_rng(0).normal(size=(6, 2))
    names = ["a", "b", "c", "d", "e", "<script>"]

    def tree(newick, moved):
        dag = parse_newick(newick)
        given = {name: row + moved for name, row in zip(names, embeddings, strict=True)}
        found = imported(dag, id="tree", origin="tree")
        center = np.array([given.get(name, np.zeros(2)) for name in found.cells.names])
        residual = np.zeros((len(center), 2))
        residual[1:] = center[1:] - center[found.cells.parent[1:]]
        cells = found.cells.with_columns(center=center, residual=residual, scale=np.ones(len(center)))
        return found.replace(cells=cells, dimension=2)

    one, other = tree(NEWICK, 0.0), tree("(c:3,(d:1,e:1,'<script>':2)y:2,(a:1,b:2)x:1)r;", 0.5)
    scene = Scene.open(one, beside=other)
    apart = scene.pair.apart(one.cells.addresses)
    by_name = dict(zip(one.cells.names, apart.in_scale.tolist(), strict=True))
    assert all(abs(by_name[name] - np.sqrt(0.5)) < 1e-12 for name in names)
    assert by_name["r"] == 0
    assert {one_["address"] for one_ in scene.worst(20)} <= set(one.cells.addresses)
    assert scene.describe()["linked_by"] == "name"
    partners = dict(zip(one.cells.names, scene.partners(one.cells.addresses), strict=True))
    assert partners == dict(zip(other.cells.names, other.cells.addresses, strict=True))
    assert partners["a"] != one.cells.addresses[one.cells.names.index("a")]
    assert scene.partners(["/9"]) == [None]
    there = scene.view_beside(
        replace(at_home(scene, z=4.0), anchor=one.cells.addresses[one.cells.names.index("a")], p=(0.1, 0.0))
    )
    assert there.anchor == partners["a"]
    assert np.allclose(there.p, (0.1, 0.0))
    with pytest.raises(InputError, match="beside"):
        Scene.of(one).partners(["/"])


def test_a_view_is_taken_away(koch):
    tree = imported(parse_newick(NEWICK), id="a<b>&", origin="tree")
    scene = Scene.of(tree)
    view = at_home(scene)
    picture = ET.fromstring(scene.svg(view, color="property:name"))
    assert picture[0].text == "a<b>&"
    assert len(picture.findall(f"{GROUP}/{CIRCLE}[@r]")) == 6 + 2  # and those around them
    names = [text.text for text in picture.iter() if text.tag.endswith("text")]
    assert sorted(names) == ["<script>", "a", "b", "c", "d", "e", "x", "y"]
    table = scene.table(view, color="property:name")
    drawn = ["x_pixels", "y_pixels", "r_pixels"]
    assert table.column_names == ["address", "level", "name", "scale", "stored", "property:name", *drawn]  # it has no centers
    assert set(table["property:name"].to_pylist()) == set(table["name"].to_pylist()) == {"a", "b", "c", "d", "e", "<script>"}
    assert table["scale"].to_pylist() == tree.cells.scale[tree.cells.rows(table["address"].to_pylist())].tolist()
    deep = Scene.of(koch)
    close = seen_from(None, "/1/2/3/1/1", z=400.0)
    few, whole = deep.svg(close), deep.svg(close, whole=True)
    assert min(whole.count("<circle"), few.count("<circle")) > 50
    assert "<path" not in scene.svg(view)  # lengths mean nothing where there are no centers
    for at in (close, seen_from(None, "/1/2/3/0" * 30, z=400.0), at_home(deep)):
        drawn = deep.svg(at)
        pixels = float(re.search(r'<path d="M\S+ \S+v5h([\d.]+)v-5"', drawn)[1])
        told = re.search(r">([^<]+)</text>", drawn)[1].translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
        length = float(re.sub(r" × 10", "e", told))
        assert 40 < pixels <= 160
        assert pixels / length == pytest.approx(at.z / deep.field.cells([at.anchor]).scale[0], rel=1e-3)
    numbers = deep.table(close, color="stored")
    assert numbers["level"].to_pylist() == [address.count("/") for address in numbers["address"].to_pylist()]
    assert set(numbers["stored"].to_pylist()) == {"by the rule"}
    crowded = Scene.of("fern").svg(at_home(Scene.of("fern")), px=1.0, cap=10**6)
    assert crowded.count("<circle") <= CELLS_MAX
    assert "not split further" in crowded
    assert ">not all cells are drawn</text>" in crowded
    assert "not all cells" not in few


def test_numbers_are_those_of_the_hierarchy(koch):
    """Centers and scales as they are stored, or as the rule has them; properties whole, where colors tell them to two bytes."""
    rows = np.arange(len(koch.cells))
    label = np.array([f"kind {row}" if row % 7 else None for row in rows], dtype=object)
    number = np.where(rows % 3 == 0, -1, rows * 1_000_003 + 2**53)
    weight = np.where(rows % 5 == 0, np.nan, 1 / (1 + rows))
    tree = colored(koch, number=number, weight=weight, label=label)
    scene = Scene.of(tree)
    for view in (at_home(scene), seen_from(None, "/1/2/3/0/1/2/2/2/1/1", z=400.0)):
        for mode in ("property:number", "property:weight", "label", "level"):
            table = scene.table(view, color=mode, px=6.0)
            addresses = table["address"].to_pylist()
            found = field(koch).cells(addresses)
            assert np.array(table["center"].to_pylist()).tolist() == found.center.tolist()
            assert table["scale"].to_pylist() == found.scale.tolist()
            assert table["level"].to_pylist() == found.level.tolist()
            held = [tree.cells.row(one) if stored else -1 for one, stored in zip(addresses, found.stored, strict=True)]
            assert [kind == "stored" for kind in table["stored"].to_pylist()] == found.stored.tolist()
            told = {
                "property:number": [int(number[row]) if row >= 0 and number[row] != -1 else None for row in held],
                "property:weight": [float(weight[row]) if row >= 0 and row % 5 else None for row in held],
                "label": [label[row] if row >= 0 else None for row in held],
                "level": found.level.tolist(),
            }
            assert table[mode].to_pylist() == told[mode]
    assert len(set(scene.table(at_home(scene), color="label", px=6.0)["label"].to_pylist())) > 65


def test_numbers_are_asked_for_no_longer_than_anybody_waits(koch):
    scene = Scene.of(koch)
    view = seen_from(None, "/1/2/3/0/1/2/2/2/1/1", z=400.0)
    levels = iter([False] * 100)
    whole = scene.table(view, gone=lambda: next(levels))
    asked = 100 - len(list(levels))
    assert len(whole) > 10
    with pytest.raises(GoneError):
        scene.table(view, gone=iter([False] * (asked - 1) + [True]).__next__)


def test_what_answers_below_the_stored_cells_is_told_in_words(koch):
    rule = train(koch, depth=3, family="mean")
    assert Scene.of("koch").describe()["rule"] == "affine maps"
    assert Scene.of(field(koch, predictor=rule.load())).describe()["rule"] == "the rule that it was made by"
    assert Scene.of(imported(parse_newick(NEWICK), id="tree", origin="tree")).describe()["rule"] is None
