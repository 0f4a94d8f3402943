"""A cell's columns: the table of them against what follows from it, and the edges of cells in one value."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given

from cfgraph.formats.tables import to_arrow
from cfgraph.model.cells import NO_COLUMNS, Cells, Links
from cfgraph.model.columns import CARRIED, CELL_COLUMNS, EDGE, OF_EDGE, OPTIONAL, RESERVED
from cfgraph.store.digest import digest_hierarchy
from tests.grown import grown_hierarchy
from tests.trees import ragged_cells


def slow_edges(cells: Cells) -> list[tuple]:
    """Every edge, one at a time."""
    rows = [(int(cells.parent[i]), i, int(cells.slot[i]), cells.length[i], True) for i in range(1, len(cells))]
    if cells.links is None:
        return rows
    links = cells.links
    return rows + [
        (int(links.parent[i]), int(links.child[i]), int(links.slot[i]), links.length[i], False) for i in range(len(links))
    ]


def listed(cells: Cells) -> list[tuple]:
    edges = cells.edges()
    return list(zip(*(getattr(edges, n).tolist() for n in ("parent", "child", "slot", "length", "primary")), strict=True))


@given(ragged_cells())
def test_edges_of_a_tree(cells):
    assert listed(cells) == slow_edges(cells)
    assert np.array_equal(cells.edges().residual, cells.residual[1:])


@given(ragged_cells())
def test_edges_with_links(cells):
    last = np.array([len(cells) - 1])
    links = Links(last * 0, last, np.array([99]), cells.residual[last] + 1, cells.length[last] + 0.5)
    linked = cells.with_columns(links=links)
    assert listed(linked) == slow_edges(linked)
    assert np.array_equal(linked.edges().residual, np.vstack([cells.residual[1:], links.residual]))
    chosen = linked.edges().take(~linked.edges().primary)
    assert chosen.parent.tolist() == [0]
    assert chosen.child.tolist() == last.tolist()


def test_cells_have_the_columns_of_the_table():
    assert {f.name for f in fields(Cells)} - set(NO_COLUMNS) == {column.name for column in CELL_COLUMNS}


def test_a_table_has_the_columns_of_the_table_in_their_order():
    names = to_arrow(grown_hierarchy("it", depth=2))[0].column_names
    assert names == ["address", *(column.name for column in CELL_COLUMNS)]


@pytest.mark.parametrize("column", [c for c in CELL_COLUMNS if c.held != "place" and not c.optional], ids=lambda c: c.name)
def test_the_digest_hears_of_a_column_or_does_not(column):
    hierarchy = grown_hierarchy("it", depth=2)
    values = getattr(hierarchy.cells, column.name).copy()
    values[-1] = ~values[-1] if values.dtype == bool else values[-1] + 1
    other = hierarchy.with_cells(hierarchy.cells.with_columns(**{column.name: values}))
    assert (digest_hierarchy(other) != digest_hierarchy(hierarchy)) == (column.digest is not None)


def test_reserved_names():
    assert set(RESERVED) == {
        *("key", "hierarchy", "address", "level", "center", "scale", "root_distance", "predicted", "radius", "size")
    }


def test_what_follows_from_the_table():
    assert (EDGE, OF_EDGE) == (("residual", "length"), ("parent", "slot", "residual", "length"))
    assert set(CARRIED) == {column.name for column in CELL_COLUMNS} - {"parent", "slot", "level"}
    assert OPTIONAL == ("radius", "size")
