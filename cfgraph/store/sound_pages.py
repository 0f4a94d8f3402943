"""Sound pages: whether all cells of a field keep every invariant, asked of columns, a page of cells at once.

It takes about as long as reading the cells. What is not sound, or cannot be looked at so, is looked at cell by cell
(:mod:`cfgraph.store.verify`), which says what is broken. Why this is enough: the cells come in key order, each has one edge
that leads to it, from the cell that its key says, in the slot that its key says, and as many edges to children as its label
wants, none or K. If there are as many of these edges altogether as cells below the root, they lead to just these cells,
and those below one cell, of different keys, have the slots 0 .. K - 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from jaxtyping import Bool, Int

from cfgraph.model.address import ROOT
from cfgraph.model.cells import EXPANDED, LEAF
from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy
from cfgraph.model.invariants import EdgeColumns, Ends, check_edges
from cfgraph.store.reading import number_column, vector_column

if TYPE_CHECKING:
    from cfgraph.store import Store

VECTORS, FLOATS, WHOLE = ("center", "residual"), ("scale", "root_distance", "length"), ("level", "slot", "state", "children")
CARRIED = ("center", "scale", "root_distance", "predicted")  # what a cell is compared with of its parent


@dataclass(frozen=True, eq=False)
class Rows:
    """Cells that follow one another in key order: the columns of ``CARRIED``, and their levels."""

    level: Int[np.ndarray, " cells"]
    columns: dict[str, np.ndarray]

    @classmethod
    def none(cls, dimension: int) -> Self:
        """No cells."""
        columns = {name: np.empty(0) for name in CARRIED} | {"center": np.empty((0, dimension))}
        return cls(np.empty(0, dtype=np.int64), columns | {"predicted": np.empty(0, dtype=bool)})

    def take(self, rows: Int[np.ndarray, " rows"]) -> Self:
        """Some of them."""
        return type(self)(self.level[rows], {name: column[rows] for name, column in self.columns.items()})

    def before(self, other: Self) -> Self:
        """These, and others behind them."""
        columns = {name: np.concatenate([self.columns[name], other.columns[name]]) for name in CARRIED}
        return type(self)(np.concatenate([self.level, other.level]), columns)

    def ends(self) -> Ends:
        """The columns that an edge ties."""
        return Ends(*(self.columns[name] for name in CARRIED[:3]))

    def last(self) -> Self:
        """The last cell of each level, from the root on: whatever follows hangs below some of these."""
        _, behind = np.unique(self.level[::-1], return_index=True)
        return self.take(len(self.level) - 1 - behind)

    @property
    def parents(self) -> Int[np.ndarray, " cells"]:
        """The row of each one's parent, the last cell before it one level up; -1 where there is none."""
        found = np.full(len(self.level), -1, dtype=np.int64)
        rows = {level: np.flatnonzero(self.level == level) for level in np.unique(self.level).tolist()}
        for level, below in rows.items():
            if (above := rows.get(level - 1)) is not None:
                place = np.searchsorted(above, below) - 1
                found[below] = np.where(place < 0, -1, above[np.maximum(place, 0)])
        return found


@dataclass(frozen=True, eq=False)
class SoundPage:
    """A page of cells in key order, whose values are of their types and finite. ``above`` has the cells above the first one."""

    page: dict[str, np.ndarray]
    rows: Rows
    above: Rows

    @classmethod
    def of(cls, page: dict[str, Any], before: Rows) -> Self:
        """A page as it is read, behind others; a ``ValueError`` where a cell lacks something, or has it of another type."""
        addresses, count = page["addresses"], len(page["level"])
        if page["named"] != count or page["others"] or len(set(addresses)) < count:
            raise ValueError("some cells, or edges that lead to them, are not what a field has")
        if addresses[0] == ROOT:
            page["residual"][0], page["length"][0] = [0.0] * len(page["center"][0]), 0.0
        columns = {name: vector_column(page[name]) for name in VECTORS}
        columns |= {name: number_column(page[name], name) for name in FLOATS}
        columns |= {name: number_column(page[name], "slot") for name in WHOLE}
        columns["predicted"] = number_column(page["predicted"], "predicted")
        level = np.fromiter((address.count("/") for address in addresses), dtype=np.int64, count=len(addresses))
        level[0] -= addresses[0] == ROOT
        if {len(column) for column in columns.values()} != {count} or (columns["level"] != level).any():
            raise ValueError("some cells lack something, or tell another level than their address")
        rows = Rows(level, {name: columns[name] for name in CARRIED})
        return cls(columns, rows, before.take(np.flatnonzero(before.level < level[0])))

    @property
    def children(self) -> int:
        """How many edges lead to children of its cells."""
        return int(self.page["children"].sum())

    def is_sound(self, hierarchy: FieldHierarchy, *, grown: bool) -> bool:
        """Whether every invariant holds, but for how many edges to children there are altogether."""
        page, first = self.page, int(self.rows.level[0] == 0)  # to a root leads no edge
        if {page[name].shape[1] for name in VECTORS} != {hierarchy.dimension} or (page["state"] > LEAF).any():
            return False
        wanted, slot = np.where(page["state"] == EXPANDED, hierarchy.arity, 0), page["slot"][first:]
        if (page["children"] != wanted).any() or (slot < 0).any() or (slot >= hierarchy.arity).any():
            return False
        if first and not (page["scale"][0] > 0 and page["root_distance"][0] == 0 and not page["predicted"][0]):
            return False
        all_rows = self.above.before(self.rows)
        parents = all_rows.parents[len(self.above.level) + first :]
        if (parents < 0).any():
            return False
        above, below = all_rows.take(parents), self.rows.take(np.arange(first, len(self.rows.level)))
        return self._are_predicted_soundly(above, below, grown=grown) and self._are_edges_sound(hierarchy, above, below)

    def _are_predicted_soundly(self, above: Rows, below: Rows, *, grown: bool) -> bool:
        """Whether all below a predicted cell is predicted, and nothing where no predictor was."""
        predicted: Bool[np.ndarray, " cells"] = below.columns["predicted"]
        return not (above.columns["predicted"] & ~predicted).any() and (grown or not predicted.any())

    def _are_edges_sound(self, hierarchy: FieldHierarchy, above: Rows, below: Rows) -> bool:
        """Whether the numbers of each cell follow from its parent and its edge."""
        count, first = len(below.level), len(self.rows.level) - len(below.level)
        edges = EdgeColumns(
            below=below.ends(),
            above=above.ends(),
            residual=self.page["residual"][first:],
            length=self.page["length"][first:],
            primary=np.ones(count, dtype=bool),
            virtual=np.zeros(count, dtype=bool),
        )
        return not any(check.broken.any() for check in check_edges(hierarchy, edges))

    def behind(self) -> Rows:
        """What cells of the next page hang below."""
        return self.above.before(self.rows).last()


def count_sound(
    store: "Store", hierarchy: Hierarchy, *, grown: bool, progress: Callable[[int], None] = lambda done: None
) -> int | None:
    """How many cells a complete field without data has, if all of them are sound; None where one is not, and for any other.

    Args:
        store: where it is.
        hierarchy: it.
        grown: whether a predictor is known that put cells.
        progress: is told how many were looked at.
    """
    if not isinstance(hierarchy, FieldHierarchy) or hierarchy.state != "complete":
        return None
    if hierarchy.data_built or hierarchy.points is not None or hierarchy.own or hierarchy.imported:
        return None
    cells, edges, before = 0, 0, Rows.none(hierarchy.dimension)
    for read in store.sound_pages(hierarchy):
        try:
            page = SoundPage.of(read, before)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        if not page.is_sound(hierarchy, grown=grown):
            return None
        cells, edges, before = cells + len(page.rows.level), edges + page.children, page.behind()
        progress(cells)
    return cells if cells and edges == cells - 1 else None
