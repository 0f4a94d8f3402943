"""The reader of a hierarchy in the graph answers as that of the same cells in memory."""

import numpy as np
import pytest

from cfgraph.errors import DamagedError
from cfgraph.metric.locate import locate_addresses
from cfgraph.model.reader import CellsReader, Reader
from cfgraph.sources import points
from cfgraph.store import hierarchies


@pytest.fixture
def written(store, new_id):
    hierarchy = points(id=new_id(), data=np.random.default_rng(5).normal(size=(70, 2)), arity=3, depth=4)
    store.write(hierarchy)
    return hierarchy


@pytest.mark.parametrize("keys", [1, 2, 10_000])
def test_a_stores_reader_is_that_of_the_cells(store, written, keys, monkeypatch):
    monkeypatch.setattr(hierarchies, "KEYS", keys)
    monkeypatch.setattr(hierarchies, "CHILDREN", 3 * keys)
    here, there = CellsReader(written.cells), store.reader(written.id)
    assert isinstance(there, Reader)
    assert (there.count(), there.depth) == (here.count(), here.depth)
    addresses = [*written.cells.addresses[3:9], "/7/7", "/"]
    for ask in ("cells", "children"):
        mine, theirs = getattr(here, ask)(addresses), getattr(there, ask)(addresses)
        for name in ("address", "center", "scale", "root_distance", "residual", "length", "state", "radius", "size"):
            np.testing.assert_array_equal(theirs[name], mine[name], err_msg=f"{ask}, {name}")
        assert len(getattr(there, ask)(["/7/7"])["address"]) == 0
    whole = there.read(top="/1", depth=9)
    np.testing.assert_array_equal(whole.center, here.read(top="/1", depth=9).center)


def test_few_levels_are_read_without_counting_all_cells(store, written, monkeypatch):
    def count(*_):
        raise AssertionError("counted")

    monkeypatch.setattr(type(store), "counts", count)
    here, there = CellsReader(written.cells), store.reader(written.id)
    for top, depth in (("/", 2), ("/1", 4)):
        found, wanted = there.read(top=top, depth=depth), here.read(top=top, depth=depth)
        assert found.addresses == wanted.addresses
        np.testing.assert_array_equal(found.center, wanted.center)
        np.testing.assert_array_equal(found.state, wanted.state)
    with pytest.raises(AssertionError, match="counted"):
        there.read(top="/", depth=9)


@pytest.mark.parametrize(
    "damage",
    [
        "cell.key = $id + '/1/x'",
        "cell.key = $id + '/1/01'",
        "cell.key = $id + '/1/99999999999'",
        "cell.key = $id + '/2/77'",
    ],
)
def test_a_child_that_is_none_by_its_address_is_damage(store, written, damage):
    query = f"MATCH (cell:Cell {{key: $id + '/1/0'}}) SET {damage}"
    store.query(query, {"id": written.id}, write=True)
    with pytest.raises(DamagedError, match="no child by its address"):
        store.reader(written.id).children(["/0", "/1"])


def test_points_are_located_in_the_graph(store, written):
    x = np.random.default_rng(0).normal(size=(30, 2))
    for beam in (1, 3):
        expected = locate_addresses(CellsReader(written.cells), x, beam=beam)
        assert locate_addresses(store.reader(written.id), x, beam=beam) == expected
