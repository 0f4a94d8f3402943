"""Rows: a tree of many leaves with few of them, its lowest merges left out, so that a picture of it can be read."""

from dataclasses import replace
from heapq import heappop, heappush
from typing import Any

import numpy as np
from jaxtyping import Int

from cfgraph.model.cells import LEAF, Cells
from cfgraph.plots.branches import Branches, labels_of
from cfgraph.plots.groups import Groups
from cfgraph.plots.page import Panel


def fewer_rows(panel: Panel, *, most: int) -> Panel:
    """The panel with at most so many leaves: the highest merges are kept, without heights those of most leaves.

    A cell whose children are left out is called by its name, or address, and by how many leaves lie below it. Colors stay.
    """
    branches = Branches(panel.cells, panel.groups)
    if branches.leaves[0] <= most:
        return panel
    rows = _kept(branches, panel.height, most=most)
    cells = _taken(panel.cells, rows)
    ends = (cells.child_count == 0) & (panel.cells.child_count[rows] > 0)
    labels = labels_of(panel.cells, panel.names)
    addresses = panel.cells.addresses if panel.names is not None else labels
    names = [labels[row] or (addresses[row] if end else "") for row, end in zip(rows.tolist(), ends.tolist(), strict=True)]
    counts = branches.leaves[rows].tolist()
    names = [f"{name} ({count:,})" if end else name for name, count, end in zip(names, counts, ends.tolist(), strict=True)]
    groups = panel.groups or Groups(branches.number, tuple(str(top) for top in branches.tops), "the branch")
    return replace(
        panel,
        cells=cells,
        names=names if panel.names is not None else _of_ends(names, cells),
        height=None if panel.height is None else panel.height[rows],
        groups=replace(groups, number=groups.number[rows]),
        disk=None,
        classes=None,
        pictures=None,
    )


def _of_ends(names: list[str], cells: Cells) -> list[str | None]:
    return [name if end else None for name, end in zip(names, (cells.child_count == 0).tolist(), strict=True)]


def _kept(branches: Branches, height: np.ndarray | None, *, most: int) -> Int[np.ndarray, " kept"]:
    """The rows of the cells that stay, each with all its siblings."""
    cells = branches.cells
    known = height is not None and bool(np.isfinite(height).all())
    rank = -(height if known and height is not None else branches.leaves).astype(np.float64)
    kept = np.zeros(len(cells), dtype=bool)
    kept[0], found = True, 1
    waiting = [(float(rank[0]), 0)]
    while waiting:
        _, cell = heappop(waiting)
        count = int(cells.child_count[cell])
        if not count or found + count - 1 > most:
            continue
        children = int(cells.first_child[cell]) + np.arange(count)
        kept[children], found = True, found + count - 1
        for child in children.tolist():
            heappush(waiting, (float(rank[child]), child))
    return np.flatnonzero(kept)


def _taken(cells: Cells, rows: Int[np.ndarray, " kept"]) -> Cells:
    number = np.full(len(cells) + 1, -1)
    number[rows] = np.arange(len(rows))
    columns = cells.take(rows)
    columns["parent"] = number[cells.parent[rows]]
    with_children = np.zeros(len(rows), dtype=bool)
    with_children[columns["parent"][1:]] = True
    columns["state"] = np.where(with_children, columns["state"], LEAF).astype(np.uint8)
    whole: dict[str, Any] = {**columns, "own": cells.take_own(rows), "top": cells.top}
    return Cells(**whole)
