"""A cell's columns: the edges of cells, all of them in one value."""

import numpy as np
from hypothesis import given

from cfgraph.model.cells import Cells, Links
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
    assert chosen.parent.tolist() == [0] and chosen.child.tolist() == last.tolist()
