"""Field plan: a root, a scale factor and a rule, down to a depth: what a source knows before anything of it is grown.

The same field can be grown in memory or piece by piece; both give the same cells, bit for bit, and the same numbers.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from jaxtyping import Float

from cfgraph.model.cells import Cells
from cfgraph.model.encoder import Encoder
from cfgraph.model.growth import CELLS_MAX, check_growth, count_cells, grow
from cfgraph.model.hierarchy import FieldHierarchy, FieldWithCells
from cfgraph.model.pieces import FollowedRule, Piece, grow_pieces
from cfgraph.sources.tuples import largest_norm, smallest_distance


@dataclass
class Spread:
    """How long residuals are, and how far apart those of one tuple: measured while a field is grown, in any pieces."""

    arity: int
    largest: float = 0.0
    smallest: dict[int, float] = field(default_factory=dict)  # by the level of the children

    def add(self, level: int, residual: Float[np.ndarray, "cells dim"]) -> None:
        """Measure whole families of one level."""
        self.largest = max(self.largest, largest_norm(residual))
        distance = smallest_distance(residual.reshape(-1, self.arity, residual.shape[1]))
        if distance is not None:
            self.smallest[level] = min(distance, self.smallest.get(level, distance))

    @property
    def by_level(self) -> tuple[float, ...] | None:
        """The smallest distance for the parents of each level; None for one child a parent, or no parents."""
        return tuple(self.smallest[level] for level in sorted(self.smallest)) or None


@dataclass(frozen=True, eq=False)
class FieldPlan:
    """A field before it is grown: the hierarchy without cells, and what makes them.

    ``measured`` says that the bound and the separation of the residuals come from the cells, level by level. ``encoder`` is
    what was done to the data that made it.
    """

    hierarchy: FieldHierarchy
    root: Cells
    make_rule: Callable[[], FollowedRule]  # a rule may remember how far it has come: each growth gets its own
    depth: int
    measured: bool = False
    bytes_beside: int = 0  # what the rule holds in memory for each cell, besides the cell's columns
    encoder: Encoder | None = None

    @property
    def cells(self) -> int:
        """How many cells it has, the root among them."""
        return 1 + count_cells(1, arity=self.hierarchy.arity, levels=self.depth)

    def grow(self) -> FieldWithCells:
        """The hierarchy with its cells in memory; an ``InputError`` where they would not fit."""
        arity, room = self.hierarchy.arity, _cells_in_memory(self.hierarchy.dimension, bytes_beside=self.bytes_beside)
        check_growth(1, arity=arity, levels=self.depth, cells_max=room)
        grown = grow(self.root, rule=self.make_rule(), depth=self.depth, predicted=False, **self._how)
        if not self.measured:
            return self.hierarchy.with_cells(grown, encoder=self.encoder)
        spread = Spread(arity)
        for level in range(1, grown.depth + 1):
            spread.add(level, grown.residual[grown.level_rows(level)])
        return self.with_spread(spread).hierarchy.with_cells(grown, encoder=self.encoder)

    def pieces(self, *, first: int, spread: Spread) -> Iterator[Piece]:
        """The same cells in pieces, their nodes numbered from ``first`` on; ``spread`` is measured meanwhile."""
        for piece in grow_pieces(self.root, rule=self.make_rule(), depth=self.depth, first=first, **self._how):
            if self.measured and piece.level[0]:
                spread.add(int(piece.level[0]), piece.residual)
            yield piece

    @property
    def _how(self) -> dict:
        return {"arity": self.hierarchy.arity, "scale_factor": self.hierarchy.scale_factor}

    def with_spread(self, spread: Spread) -> Self:
        """The field with what was measured of all its cells."""
        if not self.measured:
            return self
        known = self.hierarchy
        numbers: dict[str, Any] = {"residual_bound": max(known.residual_bound, spread.largest)}  # the same but for rounding
        if known.separation is None:
            numbers["separation_by_level"] = spread.by_level
        return replace(self, hierarchy=known.replace(**numbers))


def _cells_in_memory(dimension: int, *, bytes_beside: int) -> int:
    """How many cells of a dimension may be asked for: their columns take half of the machine's memory at most."""
    bytes_per_cell = 16 * dimension + 50 + bytes_beside  # center, residual; parent, slot, level, scale, lengths, state
    if not hasattr(os, "sysconf"):
        return CELLS_MAX  # Windows does not tell without another library
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(CELLS_MAX, memory // 2 // bytes_per_cell)
