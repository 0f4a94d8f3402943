"""Dendrogram: a rooted tree and the data points in its cells, with what every measure of one asks again and again.

Any number of children, unary cells, points in inner cells and many points in one cell are all fine. Nothing here walks the
tree level by level, so a chain of 20,000 levels costs what a balanced tree of as many cells does: sums along paths and over
subtrees double their reach in each round (O(n log depth)), and common ancestors are minima over the depth-first order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError


@dataclass(frozen=True, eq=False)
class Dendrogram:
    """A tree as a column of parents, and the cell that each data point lies in.

    ``height`` is the height of each cell's merge, 0 at the leaves; ``root_distance`` the length of the way from the root.
    Measures that need distances of points take the heights where they are known (the distance of two points is the height
    of their lowest common ancestor), else the root distances (the length of the way between them), else levels.

    Raises:
        InputError: where parents do not come before their children, points lie in no cell, or columns have other lengths.
    """

    parent: Int[np.ndarray, " cells"]  # row of the parent; -1 for row 0, the root; parents come before their children
    cell_of_point: Int[np.ndarray, " points"]
    height: Float[np.ndarray, " heights"] | None = None
    root_distance: Float[np.ndarray, " distances"] | None = None

    def __post_init__(self) -> None:
        cells = len(self.parent)
        if cells == 0 or self.parent[0] != -1:
            raise InputError(f"expected the root in row 0, its parent -1, got {self.parent[:1].tolist()}")
        wrong = np.flatnonzero((self.parent[1:] < 0) | (self.parent[1:] >= np.arange(1, cells))) + 1
        if len(wrong):
            detail = f"row {wrong[0]} has the parent {self.parent[wrong[0]]}"
            raise InputError(f"expected a parent that comes before its child in every row but the first; {detail}")
        self._check_points()
        for name in ("height", "root_distance"):
            _check_column(getattr(self, name), name=name, cells=cells)

    def _check_points(self) -> None:
        if len(self.cell_of_point) == 0:
            raise InputError("expected at least one data point in the tree, got none")
        lost = np.flatnonzero((self.cell_of_point < 0) | (self.cell_of_point >= len(self.parent)))
        if len(lost):
            detail = f"{len(lost)} of {len(self.cell_of_point)} lie in none, the first is point {lost[0]}"
            raise InputError(f"expected every point in a cell of 0..{len(self.parent) - 1}; {detail}; leave those points out")

    @property
    def points(self) -> int:
        """How many data points there are."""
        return len(self.cell_of_point)

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return len(self.parent)

    @cached_property
    def level(self) -> Int[np.ndarray, " cells"]:
        """How many edges each cell is below the root."""
        return self.sum_to_root(np.concatenate([[0.0], np.ones(self.cells - 1)])).astype(np.int64)

    @cached_property
    def position(self) -> Int[np.ndarray, " cells"]:
        """The place of each cell in depth-first order: a subtree is one stretch of it."""
        by_parent = np.argsort(self.parent, kind="stable")  # siblings side by side, as they already are breadth-first
        weight = self._subtree_cells[by_parent]
        before = np.cumsum(weight) - weight
        parents = self.parent[by_parent]
        eldest = np.maximum.accumulate(np.where(np.diff(parents, prepend=-2) != 0, np.arange(self.cells), 0))
        step = np.empty(self.cells)
        step[by_parent] = 1 + before - before[eldest]
        step[0] = 0
        return self.sum_to_root(step).astype(np.int64)

    @cached_property
    def _subtree_cells(self) -> Float[np.ndarray, " cells"]:
        return self.sum_below(np.ones(self.cells))

    @cached_property
    def cell_at(self) -> Int[np.ndarray, " cells"]:
        """The cell at each place of the depth-first order."""
        return _inverse(self.position)

    @cached_property
    def order(self) -> Int[np.ndarray, " points"]:
        """The points in depth-first order of their cells; those below any one cell stand side by side."""
        return np.argsort(self.position[self.cell_of_point], kind="stable")

    @cached_property
    def rank(self) -> Int[np.ndarray, " points"]:
        """The place of each point in ``order``."""
        return _inverse(self.order)

    @cached_property
    def _place(self) -> Int[np.ndarray, " points"]:
        """The positions of the cells of the points in ``order``: rising."""
        return self.position[self.cell_of_point[self.order]]

    @cached_property
    def first(self) -> Int[np.ndarray, " cells"]:
        """Where the points below each cell begin in ``order``."""
        return np.searchsorted(self._place, self.position)

    @cached_property
    def last(self) -> Int[np.ndarray, " cells"]:
        """Where the points below each cell end in ``order``: they are ``order[first:last]``."""
        return np.searchsorted(self._place, self.position + self._subtree_cells.astype(np.int64))

    @property
    def size(self) -> Int[np.ndarray, " cells"]:
        """How many points lie in each cell and below it."""
        return self.last - self.first

    def weigh(self, weight: np.ndarray) -> np.ndarray:
        """The sum of a weight over the points in each cell and below it."""
        total = np.concatenate([[0], np.cumsum(weight[self.order])])
        return total[self.last] - total[self.first]

    @cached_property
    def meeting(self) -> Int[np.ndarray, " gaps"]:
        """The position of the lowest common ancestor of each two points that are neighbours in ``order``.

        That of any two points is the minimum over the gaps between them.
        """
        above = self.position[self.parent[self.cell_at]]  # of the parent of the cell at each position; the root's is no one's
        above[0] = 0
        low, high = self._place[:-1], self._place[1:]
        apart = np.flatnonzero(high > low)
        found = low.copy()  # two points of one cell meet in it
        if len(apart):
            # The child that leads from the ancestor down to the later cell lies in between, and no other parent is higher.
            bounds = np.column_stack([low[apart] + 1, high[apart] + 1]).ravel()
            found[apart] = np.minimum.reduceat(np.append(above, 0), bounds)[::2]
        return found

    @cached_property
    def _minima(self) -> list[Int[np.ndarray, " gaps"]]:
        """``_minima[k][i]``: the minimum of 2**k gaps from i on."""
        rows, reach = [self.meeting.astype(np.int32 if self.cells < 2**31 else np.int64)], 1
        while 2 * reach <= len(self.meeting):
            rows.append(np.minimum(rows[-1][:-reach], rows[-1][reach:]))
            reach *= 2
        return rows

    def meet_ranks(self, first: Int[np.ndarray, " pairs"], second: Int[np.ndarray, " pairs"]) -> Int[np.ndarray, " pairs"]:
        """The position of the lowest common ancestor of points given by rank, the first below the second of each pair."""
        power = np.frexp(second - first)[1] - 1
        found = np.empty(len(first), dtype=np.int64)
        for exponent in np.unique(power).tolist():
            here, row = power == exponent, self._minima[exponent]
            found[here] = np.minimum(row[first[here]], row[second[here] - 2**exponent])
        return found

    def meet(self, first: Int[np.ndarray, " pairs"], second: Int[np.ndarray, " pairs"]) -> Int[np.ndarray, " pairs"]:
        """The lowest common ancestor of each pair of different points: the cell's row."""
        one, other = self.rank[first], self.rank[second]
        return self.cell_at[self.meet_ranks(np.minimum(one, other), np.maximum(one, other))]

    def meet_row(self, point: int) -> Int[np.ndarray, " points"]:
        """The lowest common ancestor of one point with each: the row of a cell (of the point with itself: its own cell)."""
        rank = int(self.rank[point])
        found = np.empty(self.points, dtype=np.int64)
        found[rank] = self._place[rank]
        found[rank + 1 :] = np.minimum.accumulate(self.meeting[rank:])
        found[:rank] = np.minimum.accumulate(self.meeting[:rank][::-1])[::-1]
        return self.cell_at[found[self.rank]]

    def distances(
        self, first: Int[np.ndarray, " pairs"], second: Int[np.ndarray, " pairs"], *, meeting: Int[np.ndarray, " pairs"]
    ) -> Float[np.ndarray, " pairs"]:
        """The cophenetic distance of each pair of points that meet in these cells."""
        if self.height is not None:
            return self.height[meeting]
        far = self.level.astype(np.float64) if self.root_distance is None else self.root_distance
        cells = self.cell_of_point
        return far[cells[first]] + far[cells[second]] - 2 * far[meeting]

    def sum_to_root(self, values: Float[np.ndarray, " cells"]) -> Float[np.ndarray, " cells"]:
        """The sum of a value over each cell and all its ancestors."""
        total = values.copy()
        for rows, above in self._doublings():
            total[rows] += total[above]
        return total

    def sum_below(self, values: Float[np.ndarray, " cells"]) -> Float[np.ndarray, " cells"]:
        """The sum of a value over each cell and all its descendants."""
        total = values.copy()
        for rows, above in self._doublings():
            total += np.bincount(above, weights=total[rows], minlength=self.cells)
        return total

    def largest_below(self, values: Float[np.ndarray, " cells"]) -> Float[np.ndarray, " cells"]:
        """The largest value in each cell and all its descendants."""
        largest = values.copy()
        for rows, above in self._doublings():
            np.maximum.at(largest, above, largest[rows])
        return largest

    def _doublings(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The cells that have an ancestor 1, 2, 4, ... edges above them, and that ancestor."""
        jump = self.parent.copy()
        rows = np.flatnonzero(jump >= 0)
        while len(rows):
            above = jump[rows]
            yield rows, above
            jump[rows] = jump[above]
            rows = rows[jump[rows] >= 0]


def _inverse(permutation: Int[np.ndarray, " rows"]) -> Int[np.ndarray, " rows"]:
    found = np.empty(len(permutation), dtype=np.int64)
    found[permutation] = np.arange(len(permutation))
    return found


def _check_column(values: np.ndarray | None, *, name: str, cells: int) -> None:
    if values is None:
        return
    if len(values) != cells:
        raise InputError(f"expected a {name} for each of the {cells} cells, got {len(values)}")
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise InputError(f"expected finite numbers as {name}, got {values[wrong[0]]} in row {wrong[0]}; leave the column out")
