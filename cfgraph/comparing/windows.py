"""Windows: two hierarchies side by side, subtree by subtree, so that a comparison never needs a whole one in memory.

The first window is the top part of both, levels 0 to r; under each cell of level r hangs one more. In a window the true
cells say which places there are, and a :class:`View` puts one side's values into those places: what another hierarchy
holds at the same addresses, or what a predictor grows there from the true prefix.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, UInt64

from cfgraph.comparing.measures import hash_address, hash_addresses
from cfgraph.model.address import parse_address
from cfgraph.model.cells import Cells
from cfgraph.model.growth import Frontier, Rule, count_cells, expand, frontier_of
from cfgraph.model.reader import Reader

WINDOW_CELLS = 200_000  # cells of one window of one side ...
WINDOW_FLOATS = 4_000_000  # ... and fewer where their centers are long
PREDICT_CELLS = 16_384  # cells predicted at once
VALUES = ("center", "residual", "length", "root_distance")  # the columns in which two sides differ


def match_rows(true: Cells, other: Cells) -> Int[np.ndarray, " cells"]:
    """The row in ``other`` of the cell with the same address, for every true cell; -1 where there is none.

    Both have the same top. Level by level: a cell is looked up by its parent's match and its slot.
    """
    match = np.full(len(true), -1, dtype=np.int64)
    match[0] = 0
    width = 1 + max(int(true.slot.max()), int(other.slot.max()), 0)
    for level in range(int(true.level[0]) + 1, min(true.depth, other.depth) + 1):
        rows, others = true.level_rows(level), other.level_rows(level)
        above = match[true.parent[rows]]
        wanted = np.where(above >= 0, above * width + true.slot[rows], -1)
        keys = other.parent[others] * width + other.slot[others]  # rising, in breadth-first order
        if len(keys) == 0:
            break
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        match[rows] = np.where(keys[place] == wanted, others.start + place, -1)
    return match


@dataclass(frozen=True, eq=False)
class Above:
    """What one side knows of a window's top from the window above it."""

    tuples: Float[np.ndarray, "arity dim"]  # the tuple of the top's parent; zeros for a root
    lengths: Float[np.ndarray, " levels"]  # of the edges into its ancestors of level 1, 2, ... and into itself
    present: bool = True
    values: Mapping[str, np.ndarray] = field(default_factory=dict)  # the top's own center, residual, ...; none for a root
    last_observed: Frontier | None = None  # the one true cell of the deepest observed level above the top, where it is above


@dataclass(frozen=True, eq=False)
class View:
    """One side's values in the places of the true cells of a window; NaN, and not ``present``, where it has no cell."""

    cells: Cells
    present: Bool[np.ndarray, " cells"]
    above: Above

    def frontier(self, rows: Int[np.ndarray, " rows"], *, arity: int) -> Frontier:
        """Some cells as a predictor sees them, with this side's values."""
        return frontier_of(self.cells, rows, arity=arity, top_tuple=self.above.tuples)

    def chains(self, rows: Int[np.ndarray, " rows"]) -> Float[np.ndarray, "rows levels"]:
        """The lengths of the edges into each cell's ancestors of level 1, 2, ... and into itself, for cells of one level."""
        return climb(self.cells, rows, column=self.cells.length, above=self.above.lengths)

    def aboves(self, rows: Int[np.ndarray, " rows"], *, arity: int) -> list[Above]:
        """What the windows below these cells need of this side, for cells of one level."""
        if len(rows) == 0:
            return []
        tuples, chains = self.frontier(rows, arity=arity).parent_tuple, self.chains(rows)
        values = {name: getattr(self.cells, name)[rows] for name in VALUES}
        return [
            Above(tuples[i], chains[i], bool(self.present[row]), {name: column[i] for name, column in values.items()})
            for i, row in enumerate(rows.tolist())
        ]


def climb(cells: Cells, rows: np.ndarray, *, column: np.ndarray, above: np.ndarray) -> np.ndarray:
    """A column's values along the ancestors of cells of one level, the cells last; ``above`` those down to the top."""
    chain = np.empty((len(rows), int(cells.level[rows[0]]) if len(rows) else 0), dtype=column.dtype)
    chain[:, : len(above)] = above[: chain.shape[1]]
    for level in reversed(range(len(above), chain.shape[1])):
        chain[:, level] = column[rows]
        rows = cells.parent[rows]
    return chain


@dataclass(frozen=True, eq=False)
class Window:
    """The true cells under one top, the other hierarchy's, and how they match.

    ``cut`` is the level whose cells are the tops of windows of their own; None where what is below them is here.
    """

    true: View
    other: Cells | None
    arity: int
    from_depth: int
    seed: int
    cut: int | None

    @property
    def top(self) -> str:
        """The address of the cell that all others lie below."""
        return self.true.cells.top

    @cached_property
    def match(self) -> Int[np.ndarray, " cells"]:
        """The row in ``other`` of every true cell, -1 where there is none."""
        if self.other is None:
            return np.full(len(self.true.cells), -1)
        return match_rows(self.true.cells, self.other)

    @cached_property
    def parents(self) -> Int[np.ndarray, " parents"]:
        """The true cells of unseen levels' parents that have all their children, in row order."""
        cells = self.true.cells
        return np.flatnonzero((cells.child_count == self.arity) & (cells.level >= self.from_depth))

    @cached_property
    def incomplete(self) -> int:
        """How many unseen parents have some children and not all."""
        cells = self.true.cells
        some = (cells.child_count > 0) & (cells.child_count != self.arity) & (cells.level >= self.from_depth)
        return int(some.sum())

    @cached_property
    def children(self) -> Int[np.ndarray, "parents arity"]:
        """The rows of the children of :attr:`parents`."""
        return self.true.cells.first_child[self.parents][:, None] + np.arange(self.arity)

    @cached_property
    def frontier(self) -> Frontier:
        """The unseen parents as a predictor sees them when it is teacher-forced: everything about them is true."""
        return self.true.frontier(self.parents, arity=self.arity)

    @cached_property
    def last_observed(self) -> Frontier:
        """The true cells of the deepest observed level: those of this window, or else the one above its top."""
        if self.true.above.last_observed is not None:
            return self.true.above.last_observed
        rows = self.true.cells.level_rows(self.from_depth)
        return self.true.frontier(np.arange(rows.start, rows.stop), arity=self.arity)

    @cached_property
    def observed_places(self) -> Int[np.ndarray, " cells"]:
        """Which of :attr:`last_observed` each cell is or lies below; -1 for cells above that level."""
        cells = self.true.cells
        if self.true.above.last_observed is not None:
            return np.zeros(len(cells), dtype=np.int64)
        rows, places = cells.level_rows(self.from_depth), np.full(len(cells), -1, dtype=np.int64)
        places[rows] = np.arange(rows.stop - rows.start)
        for level in range(self.from_depth + 1, cells.depth + 1):
            below = cells.level_rows(level)
            places[below] = places[cells.parent[below]]
        return places

    def aboves(self, rows: Int[np.ndarray, " rows"]) -> list[Above]:
        """What the windows below these cells of one level need of the truth."""
        aboves = self.true.aboves(rows, arity=self.arity)
        if len(rows) == 0 or self.true.cells.level[rows[0]] <= self.from_depth:
            return aboves
        places = self.observed_places[rows]
        return [
            replace(above, last_observed=self.last_observed.take(places[index : index + 1]))
            for index, above in enumerate(aboves)
        ]

    @cached_property
    def hashes(self) -> UInt64[np.ndarray, " cells"]:
        """A hash of every true cell's address."""
        return hash_cells(self.true.cells, seed=self.seed)

    @cached_property
    def other_hashes(self) -> UInt64[np.ndarray, " others"]:
        """A hash of every other cell's address, the same hash for the same address."""
        return np.zeros(0, dtype=np.uint64) if self.other is None else hash_cells(self.other, seed=self.seed)

    def placed(self, above: Above) -> View:
        """The other hierarchy's values in the places of the true cells."""
        present = self.match >= 0
        if self.other is None:
            return View(self.true.cells.with_columns(**self._blank()), present, above)
        columns = {name: getattr(self.other, name)[self.match] for name in VALUES}
        for column in columns.values():
            column[~present] = np.nan
        return View(self.true.cells.with_columns(**columns), present, above)

    def grown(self, rule: Rule, *, above: Above, scale_factor: float) -> View:
        """What a rule grows from the true prefix in the places of the true cells: wherever a true cell has all its children."""
        true = self.true.cells
        columns = self._blank()
        seen = slice(0, int(np.searchsorted(true.level, self.from_depth, side="right")))
        present = np.zeros(len(true), dtype=bool)
        for name, column in columns.items():
            column[seen] = getattr(true, name)[seen]
            column[0] = column[0] if seen.stop else above.values[name]
        present[seen], present[0] = True, bool(seen.stop) or above.present
        view = View(true.with_columns(**columns), present, above)
        for level in range(max(self.from_depth, int(true.level[0])), true.depth):
            self._grow_level(view, level=level, rule=rule, scale_factor=scale_factor)
        return view

    def _blank(self) -> dict[str, np.ndarray]:
        return {name: np.full_like(getattr(self.true.cells, name), np.nan) for name in VALUES}

    def _grow_level(self, view: View, *, level: int, rule: Rule, scale_factor: float) -> None:
        part = self.level_part(level)
        rows, children = self.parents[part], self.children[part]
        grows = view.present[rows]
        rows, children = rows[grows], children[grows].reshape(-1)
        if len(rows) == 0:
            return
        frontier = view.frontier(rows, arity=self.arity)
        made = expand(frontier, tuples=predict(rule, frontier), scale_factor=scale_factor)
        for name in VALUES:
            getattr(view.cells, name)[children] = getattr(made, name)
        view.present[children] = True

    def level_part(self, level: int) -> slice:
        """The part of :attr:`parents` that lies on one level."""
        levels = self.true.cells.level[self.parents]
        return slice(*np.searchsorted(levels, [level, level + 1]).tolist())


def hash_cells(cells: Cells, *, seed: int) -> UInt64[np.ndarray, " cells"]:
    """A hash of every cell's address."""
    top = hash_address(parse_address(cells.top), seed=seed)
    return hash_addresses(cells.parent, cells.slot, starts=cells.level_starts, top=top)


def predict(rule: Rule, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
    """A rule's tuples for a frontier, in batches."""
    parts = [slice(low, min(low + PREDICT_CELLS, len(frontier))) for low in range(0, len(frontier), PREDICT_CELLS)]
    tuples = [np.asarray(rule(frontier.take(part)), dtype=np.float64) for part in parts]
    return np.concatenate(tuples) if tuples else np.zeros((0, frontier.arity, frontier.dimension))


@dataclass(frozen=True, eq=False)
class Cut:
    """How two hierarchies are cut into windows: at level ``height``, from the arity, the dimension and the depth."""

    true: Reader
    other: Reader
    arity: int
    from_depth: int
    height: int
    seed: int = 0

    @classmethod
    def of(
        cls,
        true: Reader,
        other: Reader,
        *,
        arity: int,
        dimension: int,
        from_depth: int,
        seed: int,
        cells_max: int | None = None,
    ) -> "Cut":
        """The highest cut whose windows hold at most ``cells_max`` cells a side."""
        cells_max = cells_max or max(1_000, min(WINDOW_CELLS, WINDOW_FLOATS // max(1, dimension)))
        depth = max(true.depth, other.depth)
        height = next(top for top in range(depth + 1) if count_cells(1, arity=arity, levels=depth - top) < cells_max)
        return cls(true, other, arity, from_depth, height, seed)

    def first(self) -> Window:
        """The window of the levels down to the cut."""
        true, other = (reader.read(top="/", depth=self.height) for reader in (self.true, self.other))
        above = Above(np.zeros((self.arity, true.dimension)), np.zeros(0))
        return self._window(true, other, above=above, cut=self.height)

    def below(self, top: str, *, above: Above, matched: bool) -> Window:
        """The window under one cell of the cut's level; ``matched`` says whether the other hierarchy has that cell."""
        true = self.true.read(top=top, depth=self.true.depth)
        return self._window(true, self.read_other(top) if matched else None, above=above, cut=None)

    def read_other(self, top: str) -> Cells:
        """The other hierarchy's cells under one cell."""
        return self.other.read(top=top, depth=self.other.depth)

    def _window(self, true: Cells, other: Cells | None, *, above: Above, cut: int | None) -> Window:
        view = View(true, np.ones(len(true), dtype=bool), above)
        return Window(view, other, arity=self.arity, from_depth=self.from_depth, seed=self.seed, cut=cut)

    def tops(self, first: Window) -> Int[np.ndarray, " tops"]:
        """The rows of the first window that have a window of their own."""
        rows = first.true.cells.level_rows(self.height)
        return np.arange(rows.start, rows.stop)

    def tops_of_other(self, first: Window) -> Iterator[str]:
        """The cells of the cut's level that only the other hierarchy has."""
        if first.other is None:
            return
        rows = first.other.level_rows(self.height)
        alone = np.setdiff1d(np.arange(rows.start, rows.stop), first.match)
        yield from (first.other.addresses[row] for row in alone.tolist())
