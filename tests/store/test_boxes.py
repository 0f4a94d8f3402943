"""Cells by where they lie: the same as are found one by one in memory."""

import numpy as np
import pytest

from cfgraph import Stop, field, rollout, sources, train
from cfgraph.errors import AddressError, InputError, NotFoundError, VanishedError
from cfgraph.model import boxes as in_memory
from cfgraph.model.address import level_of, parent_address
from cfgraph.store import boxes
from cfgraph.store.graph import Graph
from cfgraph.store.witness import Proof

MADE = {
    "maps": lambda id: sources.ifs(id=id, maps="koch", depth=4),
    "data": lambda id: sources.points(id=id, data=np.random.default_rng(0).normal(size=(200, 3)), arity=3, depth=4),
}


def lies_in(tree, level, low, high, *, axes=None, top=""):
    """The addresses of the cells of a level in a box, and their rows."""
    columns = list(range(len(low))) if axes is None else axes
    center = tree.cells.center[:, columns]
    inside = (tree.cells.level == level) & (center >= low).all(axis=1) & (center <= high).all(axis=1)
    addresses = tree.cells.addresses
    return {addresses[row]: row for row in np.flatnonzero(inside).tolist() if addresses[row].startswith(f"{top}/")}


@pytest.mark.parametrize("name", MADE)
def test_cells_of_a_level_in_a_box(store, new_id, name):
    tree = MADE[name](new_id())
    store.write(tree)
    random, found_any, left_any = np.random.default_rng(1), 0, 0
    for level, axes, top in ((1, None, ""), (3, None, ""), (4, [1], ""), (4, [1, 0], "/1"), (4, None, "")):
        columns = list(range(tree.dimension)) if axes is None else axes
        ends = tree.cells.center[random.integers(0, len(tree.cells), 2)][:, columns]
        low, high = ends.min(axis=0), ends.max(axis=0)
        wanted = lies_in(tree, level, low, high, axes=axes, top=top)
        found = store.read_box(tree.id, level, low.tolist(), high.tolist(), axes=axes, top=top or "/")
        assert sorted(found["address"].tolist()) == sorted(wanted)
        rows = [wanted[address] for address in found["address"].tolist()]
        for column in ("center", "scale", "root_distance", "residual", "length", "state") if rows else ():
            np.testing.assert_array_equal(found[column], getattr(tree.cells, column)[rows], err_msg=column)
        found_any, left_any = found_any + len(rows), left_any + int((tree.cells.level == level).sum()) - len(rows)
    assert found_any
    assert left_any
    assert len(store.read_box(tree.id, 4, [99.0], [100.0])["address"]) == 0


def test_what_was_grown_lies_in_boxes_too(store, new_id):
    """Cells that a predictor grew may lie farther off than the bound of their hierarchy's own residuals."""
    truth = sources.ifs(id=new_id("truth"), maps="koch", depth=3)
    store.write(truth)
    rule = store.write_predictor(train(truth, id=new_id("rule"), depth=3, family="mean"))
    grown = new_id("grown")
    rollout(store, truth.id, predictor=rule.id, from_depth=2, copy_as=grown, stop=Stop(depth=4))
    whole = store.read_whole(grown)
    low, high = [-0.2, 0.0], [0.3, 0.4]
    wanted = lies_in(whole, 4, low, high)
    assert 0 < len(wanted) < 256
    assert sorted(store.read_box(whole, 4, low, high)["address"].tolist()) == sorted(wanted)
    assert all(level_of(address) == 4 for address in wanted)


def noting(read, asked):
    """What reads, and notes what is asked for."""
    return lambda reader, *words, **told: asked.append(told) or read(reader, *words, **told)


@pytest.mark.parametrize("maps", ["koch", "fern"])
def test_what_maps_prove_leaves_out_more_and_finds_the_same(store, new_id, maps, monkeypatch):
    tree = sources.ifs(id=new_id(), maps=maps, depth=6)
    store.write(tree)
    known = field(store, tree.id)
    leaves, random, asked = tree.cells.center[tree.cells.level_rows(6)], np.random.default_rng(3), []
    for kind in (Graph, Proof):
        monkeypatch.setattr(kind, "read", noting(kind.read, asked))
    for middle in leaves[random.integers(0, len(leaves), 4)]:
        half = np.sort(np.abs(leaves - middle).max(axis=1))[60]
        low, high = middle - half, middle + half
        wanted = sorted(lies_in(tree, 6, low, high))
        for given in (None, known):
            found = store.read_box(tree.id, 6, low.tolist(), high.tolist(), field=given)
            assert sorted(found["address"].tolist()) == wanted
        by_residuals, by_maps = (one for one in asked if "sides" in one)
        assert by_residuals["keys"] == [f"{tree.id}/"]
        assert {level_of(key.removeprefix(tree.id)) for key in by_maps["keys"]} == {5}
        assert by_maps["keys"] == sorted({f"{tree.id}{parent_address(address)}" for address in wanted})
        if maps == "fern":
            assert tree.arity * len(by_maps["keys"]) < len(tree.cells) / 8 < _looked_at(tree, **by_residuals)
        asked.clear()


@pytest.mark.parametrize("maps", ["koch", "fern"])
@pytest.mark.parametrize("top", ["/", "/1"])
def test_ways_that_end_higher_up_are_followed_in_the_graph_from_there(store, new_id, maps, top, monkeypatch):
    tree = sources.ifs(id=new_id(), maps=maps, depth=6)
    store.write(tree)
    known, addresses = field(store, tree.id), tree.cells.addresses
    leaves = [tree.cells.center[row] for row in range(len(addresses)) if addresses[row].startswith(f"{top.rstrip('/')}/")]
    monkeypatch.setattr(in_memory, "WAYS_MAX", 8)
    monkeypatch.setattr(boxes, "TOPS", 3)
    found_any, random = 0, np.random.default_rng(4)
    for row in random.integers(0, len(leaves), 3).tolist():
        low, high = leaves[row] - 0.2, leaves[row] + 0.2
        wanted = sorted(lies_in(tree, 6, low, high, top=top.rstrip("/")))
        found = store.read_box(tree.id, 6, low.tolist(), high.tolist(), top=top, field=known)
        assert sorted(found["address"].tolist()) == wanted
        found_any += len(wanted)
    assert found_any
    assert len(store.read_box(tree.id, 6, [9.0], [9.5], field=known)["address"]) == 0
    assert len(store.read_box(tree.id, 40, low.tolist(), high.tolist(), field=known)["address"]) == 0  # below what is stored


def _looked_at(tree, *, sides, spread, **_):
    """How many cells the bounds of a question let it look at: those of which all above are within the bounds, too."""
    cells = tree.cells
    reach, kept = spread * cells.scale, np.ones(len(cells), dtype=bool)
    for axis, low, high in sides:
        kept &= (cells.center[:, axis] >= low - reach) & (cells.center[:, axis] <= high + reach)
    kept[0] = True
    for level in range(1, cells.depth + 1):
        rows = cells.level_rows(level)
        kept[rows] &= kept[cells.parent[rows]]
    return int(kept.sum())


def test_a_field_of_another_hierarchy_is_refused_and_one_that_was_grown_since_is_not_believed(store, new_id):
    truth, other = (sources.ifs(id=new_id(name), maps="fern", depth=3) for name in ("truth", "other"))
    for tree in (truth, other):
        store.write(tree)
    before = field(store, truth.id)
    for wrong in (field(store, other.id), field("fern")):
        with pytest.raises(InputError, match="a field of"):
            store.read_box(truth.id, 2, [0.0], [1.0], field=wrong)
    rule = store.write_predictor(train(truth, id=new_id("rule"), depth=3, family="mean"))
    rollout(store, truth.id, predictor=rule.id, stop=Stop(depth=4), anyway=True)
    whole = store.read_whole(truth.id)
    low, high = whole.cells.center[-20:].min(axis=0), whole.cells.center[-20:].max(axis=0)
    wanted = lies_in(whole, 4, low, high)
    assert len(wanted) >= 20
    for known in (before, field(store, truth.id), None):
        found = store.read_box(truth.id, 4, low.tolist(), high.tolist(), field=known)
        assert sorted(found["address"].tolist()) == sorted(wanted)
    made = field(store, other.id)
    assert len(store.read_box(other.id, 2, [-99.0], [99.0], field=made)["address"]) == 16
    store.remove(other.id)
    store.write(other)
    with pytest.raises(InputError, match="as it is now"):
        store.read_box(other.id, 2, [0.0], [1.0], field=made)


def test_what_is_no_box_is_refused(store, new_id):
    tree = MADE["maps"](new_id())
    store.write(tree)
    for low, high, options, told in (
        ([0.0], [1.0, 2.0], {}, "corners of one number an axis"),
        ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0], {}, "axes from 0 to 1"),
        ([0.0], [1.0], {"axes": [2]}, "axes from 0 to 1"),
        ([], [], {}, "axes from 0 to 1"),
        ([0.0], [float("nan")], {}, "finite number as a corner"),
        ([0.0], [1.0], {"axes": [-1]}, "an axis"),
        ([0.0], [1.0], {"top": "/0/1"}, "level"),
    ):
        with pytest.raises(InputError, match=told):
            store.read_box(tree.id, 2, low, high, **options)
    with pytest.raises(AddressError):
        store.read_box(tree.id, 2, [0.0], [1.0], top="0")
    with pytest.raises(NotFoundError):
        store.read_box("no-such", 2, [0.0], [1.0])
    known = store.hierarchy(tree.id)
    store.remove(tree.id)
    store.write(tree)
    with pytest.raises(VanishedError):
        store.read_box(known, 2, [0.0], [1.0])
