"""The store against a real server: what is written is read back, bit for bit, and interruptions do no harm."""

import numpy as np
import pytest

from cfgraph.errors import AddressError, InputError, NotFoundError
from cfgraph.model.cells import EXPANDED, FRONTIER
from cfgraph.store import ingest, reading, removal, writing
from tests.grown import assert_same_cells, grown_hierarchy, ragged_hierarchy


@pytest.mark.parametrize(("arity", "dimension", "depth"), [(1, 1, 6), (2, 3, 0), (3, 2, 5), (12, 1, 3), (2, 2, 13)])
def test_write_read_round_trip(store, new_id, arity, dimension, depth):
    hierarchy = grown_hierarchy(new_id(), arity=arity, dimension=dimension, depth=depth)
    written = store.write(hierarchy)
    assert written.state == "complete"
    assert_same_cells(store.read(hierarchy.id), hierarchy.cells)
    found = store.hierarchy(hierarchy.id)
    assert found.model_dump(exclude={"created"}) == hierarchy.model_dump(exclude={"created"})
    assert store.counts(hierarchy.id).cells == len(hierarchy.cells)


def test_write_read_ragged_tree_with_radius_and_size(store, new_id):
    hierarchy = ragged_hierarchy(new_id())
    store.write(hierarchy)
    assert_same_cells(store.read(hierarchy.id), hierarchy.cells)


def test_read_prefix_level_and_subtree(store, new_id):
    hierarchy = grown_hierarchy(new_id(), arity=3, depth=5)
    store.write(hierarchy)
    assert_same_cells(store.read(hierarchy.id, depth=2), hierarchy.cells.prefix(2))
    assert store.read(hierarchy.id, depth=9).depth == 5
    below = store.read(hierarchy.id, top="/1/2")
    assert below.top == "/1/2"
    assert below.addresses == [a for a in hierarchy.cells.addresses if a == "/1/2" or a.startswith("/1/2/")]
    rows = hierarchy.cells.rows(below.addresses)
    np.testing.assert_array_equal(below.center, hierarchy.cells.center[rows])
    np.testing.assert_array_equal(below.residual, hierarchy.cells.residual[rows])
    piece = store.read(hierarchy.id, top="/1/2", depth=3)
    assert piece.depth == 3
    assert (piece.state == [EXPANDED, FRONTIER, FRONTIER, FRONTIER]).all()
    level = store.read_level(hierarchy.id, 3)
    np.testing.assert_array_equal(level["center"], hierarchy.cells.center[hierarchy.cells.level_rows(3)])
    tuple_ = store.parent_tuple(hierarchy.id, "/1/2")
    np.testing.assert_array_equal(tuple_, hierarchy.cells.residual[hierarchy.cells.rows(["/1/0", "/1/1", "/1/2"])])


def test_read_pages_are_one_hierarchy(store, new_id, monkeypatch):
    monkeypatch.setattr(reading, "PAGE_CELLS", 17)
    monkeypatch.setattr(reading, "PAGE_PARENTS", 5)
    hierarchy, other = grown_hierarchy(new_id("a"), arity=12, depth=2), grown_hierarchy(new_id("a") + "0", arity=2, depth=3)
    store.write(hierarchy)
    assert_same_cells(store.read(hierarchy.id), hierarchy.cells)
    assert_same_cells(store.read(hierarchy.id, depth=2), hierarchy.cells)
    digest = store.digest(hierarchy.id)
    monkeypatch.setattr(reading, "PAGE_CELLS", 1000)
    assert store.digest(hierarchy.id) == digest
    with pytest.raises(NotFoundError):
        store.read(other.id)


def test_read_columns_gives_what_was_chosen(store, new_id):
    hierarchy = grown_hierarchy(new_id(), depth=3)
    store.write(hierarchy)
    pages = list(store.read_columns(hierarchy.id, ("center", "length")))
    assert {name for page in pages for name in page} == {"address", "center", "length"}
    rows = hierarchy.cells.rows([address for page in pages for address in page["address"].tolist()])
    assert sorted(rows.tolist()) == list(range(len(hierarchy.cells)))
    np.testing.assert_array_equal(np.concatenate([page["length"] for page in pages]), hierarchy.cells.length[rows])
    with pytest.raises(InputError, match="nonsense"):
        list(store.read_columns(hierarchy.id, ("nonsense",)))


def test_digest_sees_every_bit_but_not_the_name(store, new_id):
    first, second = grown_hierarchy(new_id("a"), depth=3), grown_hierarchy(new_id("b"), depth=3)
    store.write(first)
    store.write(second)
    before = store.digest(first.id)
    assert before == store.digest(second.id)
    store.query("MATCH (c:Cell {key: $key}) SET c.scale = c.scale * (1 + 2e-16)", {"key": f"{first.id}/0/1"}, write=True)
    assert store.digest(first.id) != before


class StopError(Exception):
    """Ends a write from outside."""


@pytest.mark.parametrize("blocks", [0, 1, 20])
def test_write_goes_on_where_it_stopped(store, new_id, blocks, monkeypatch):
    monkeypatch.setattr(ingest, "block_height", lambda **_: 3)  # 1 + 8 + 64 small blocks
    hierarchy = grown_hierarchy(new_id(), arity=2, depth=9)
    seen = []

    def stop(done, total):
        seen.append(done)
        if len(seen) > blocks:
            raise StopError

    with pytest.raises(StopError):
        store.write(hierarchy, progress=stop)
    assert store.hierarchy(hierarchy.id).state == "writing"
    half = store.read(hierarchy.id, live=True)
    assert len(half) < len(hierarchy.cells)
    assert (half.child_count[half.state == EXPANDED] == 2).all()
    assert store.write(hierarchy).state == "complete"
    assert_same_cells(store.read(hierarchy.id), hierarchy.cells)


def test_write_block_again_changes_nothing(store, new_id):
    from cfgraph.model.blocks import block_of_cells

    hierarchy = grown_hierarchy(new_id(), depth=2)
    written = store.write(hierarchy)
    cells = hierarchy.cells
    block = block_of_cells(cells, 0, last_level=2, last_state=cells.state)
    with store._graph.session() as session:
        assert writing.write_block(store._graph, session, block, id=hierarchy.id, incarnation=written.incarnation) is False
    assert_same_cells(store.read(hierarchy.id), cells)


def test_same_recipe_is_done_another_is_refused(store, new_id):
    hierarchy = grown_hierarchy(new_id(), depth=2)
    store.write(hierarchy)
    assert store.write(hierarchy).state == "complete"
    with pytest.raises(InputError, match="they differ in seed"):
        store.write(grown_hierarchy(hierarchy.id, depth=2, seed=1))
    assert_same_cells(store.read(hierarchy.id), hierarchy.cells)


def test_write_refuses_what_is_no_whole_hierarchy(store, new_id):
    hierarchy = grown_hierarchy(new_id(), depth=2)
    with pytest.raises(InputError, match="no cells"):
        store.write(hierarchy.without_cells())
    spoiled = hierarchy.cells.center.copy()
    spoiled[3] = np.nan
    with pytest.raises(InputError, match="finite"):
        store.write(hierarchy.with_cells(hierarchy.cells.with_columns(center=spoiled)))
    with pytest.raises(NotFoundError):
        store.hierarchy(hierarchy.id)


def test_remove_finishes_what_was_interrupted(store, new_id, monkeypatch):
    monkeypatch.setattr(removal, "REMOVE_BATCH", 50)
    hierarchy, neighbour = grown_hierarchy(new_id("x"), depth=5), grown_hierarchy(new_id("y"), depth=2)
    store.write(hierarchy)
    store.write(neighbour)

    def stop(removed):
        raise StopError

    with pytest.raises(StopError):
        store.remove(hierarchy.id, progress=stop)
    with pytest.raises(InputError, match="half removed"):
        store.read(hierarchy.id)
    with pytest.raises(InputError, match="half removed"):
        store.write(hierarchy)
    assert store.remove(hierarchy.id) == len(hierarchy.cells) - 50
    with pytest.raises(NotFoundError):
        store.hierarchy(hierarchy.id)
    assert_same_cells(store.read(neighbour.id), neighbour.cells)


def test_unknown_names_are_told(store, new_id):
    hierarchy = grown_hierarchy(new_id(), depth=1)
    store.write(hierarchy)
    with pytest.raises(AddressError, match="no cell /7"):
        store.read(hierarchy.id, top="/7")
    with pytest.raises(AddressError, match="expected an address"):
        store.read(hierarchy.id, top="7")
    with pytest.raises(NotFoundError, match="cfgraph ls"):
        store.remove("nothing-of-the-kind")
    with pytest.raises(InputError, match="holds no '/'"):
        store.hierarchy("a/b")


def test_query_gives_times_as_text(store):
    values = store.query("RETURN duration('P1DT2H'), date('2026-01-02'), [duration('PT3S')]")[1]
    assert values == [["P1DT2H", "2026-01-02", ["PT3S"]]]


def test_query_reads_only_unless_told(store, new_id):
    hierarchy = grown_hierarchy(new_id(), depth=1)
    store.write(hierarchy)
    columns, rows = store.query("MATCH (c:Cell) WHERE c.hierarchy = $id RETURN count(c) AS n", {"id": hierarchy.id})
    assert (columns, rows) == (["n"], [[4]])
    for attack in (
        "MATCH (c:Cell) WHERE c.hierarchy = $id SET c.spoiled = true",
        "CREATE INDEX spoiled FOR (c:Cell) ON (c.spoiled)",
        "MATCH (c:Cell) WHERE c.hierarchy = $id CALL (c) { SET c.spoiled = true } IN TRANSACTIONS",
    ):
        with pytest.raises(InputError):
            store.query(attack, {"id": hierarchy.id})
    assert store.query("MATCH (c:Cell) WHERE c.hierarchy = $id RETURN count(c.spoiled)", {"id": hierarchy.id})[1] == [[0]]
    with pytest.raises(InputError, match="line 1"):
        store.query("MATCH (c:Cell RETURN c")


@pytest.mark.parametrize("ending", ["-b", ".b", " b", "!", "0", "~", "é"])
def test_ids_that_begin_alike_do_not_meet(store, new_id, ending):
    from cfgraph.store.verify import verify

    first = grown_hierarchy(new_id("a"), depth=2)
    second = grown_hierarchy(new_id("a")[:-3] + "x", depth=2).replace(id=first.id + ending)
    store.write(second)
    store.write(first)
    try:
        for hierarchy in (first, second):
            assert_same_cells(store.read(hierarchy.id), hierarchy.cells)
            report = verify(store, hierarchy.id)
            assert (report.clean, report.cells) == (True, 13)
            page = store.read_frontier(hierarchy.id, start=hierarchy.id + "/", depth=3, page=100)
            assert page == [(address, 2) for address in sorted(hierarchy.cells.addresses[4:])]
        store.remove(first.id)
        assert_same_cells(store.read(second.id), second.cells)
    finally:
        store.remove(second.id)
