"""Held cells: what is stored of a hierarchy as columns, the children of each cell side by side; how far each reaches.

A cell is known by its row. ``reach`` bounds the distance of any descendant's center, stored or the rule's, in the hierarchy's
units: of stored ones by the lengths of their edges, summed from the leaves up, below these by what the ground knows.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from cfgraph.model.cells import LEAF, Cells
from cfgraph.model.descent import Descent, MapsDescent, Places, SpannedDescent
from cfgraph.model.ground import Ground

_ROUNDING = 1 + 1e-12  # of sums along ways


@dataclass(eq=False)
class HeldCells:
    """Cells of which all children are held, or none; row 0 is the root."""

    parent: Int[np.ndarray, " cells"]
    slot: Int[np.ndarray, " cells"]
    center: Float[np.ndarray, "cells dim"]
    scale: Float[np.ndarray, " cells"]
    residual: Float[np.ndarray, "cells dim"]
    length: Float[np.ndarray, " cells"]
    root_distance: Float[np.ndarray, " cells"]
    state: UInt8[np.ndarray, " cells"]
    predicted: Bool[np.ndarray, " cells"]
    reach: Float[np.ndarray, " cells"]
    first: Int[np.ndarray, " cells"]
    count: Int[np.ndarray, " cells"]
    memory: np.ndarray | None = None  # of maps: the matrix that each cell's way composes to
    size: Float[np.ndarray, " cells"] | None = None  # how many data points lie at and below each, where that is known

    def __len__(self) -> int:
        return len(self.parent)

    def below(self, rows: Int[np.ndarray, " rows"]) -> tuple[Int[np.ndarray, " rows"], Int[np.ndarray, " rows"]]:
        """The row of each cell's first child, and how many it has that are stored."""
        return self.first[rows], self.count[rows]

    def places(self, rows: Int[np.ndarray, " rows"], *, level: int, descent: Descent) -> Places:
        """Cells without stored children, as a rule goes on from them."""
        names = ("slot", "center", "scale", "root_distance", "length", "residual")
        columns = {name: getattr(self, name)[rows] for name in names}
        memory = self.memory[rows] if self.memory is not None else self._tuples(rows, descent)
        return Places(level=level, stored=np.ones(len(rows), dtype=np.bool_), memory=memory, **columns)

    def ruled_reach(self, rows: Int[np.ndarray, " rows"], *, level: int, ground: Ground) -> Float[np.ndarray, " rows"]:
        """How far what the rule puts below cells without stored children reaches; infinite where nothing bounds it."""
        assert ground.descent is not None
        assert ground.residual_bound is not None
        assert ground.scale_factor is not None
        if not isinstance(ground.descent, MapsDescent | SpannedDescent):
            return ground.residual_bound * self.scale[rows] / (1 - ground.scale_factor)
        places = self.places(rows, level=level, descent=ground.descent)
        return ground.bounds_of(replace(places, stored=np.zeros(len(rows), dtype=np.bool_)))[0]

    def bound(self, rows: Int[np.ndarray, " rows"], *, level: int, ground: Ground) -> Float[np.ndarray, " rows"]:
        """How far all below cells of one level reaches, stored or not, by what is known of the rule."""
        assert ground.residual_bound is not None
        assert ground.scale_factor is not None
        bound = ground.residual_bound * self.scale[rows] / (1 - ground.scale_factor)
        ruled = np.full(len(rows), level >= ground.rule_from) | (self.count[rows] == 0)
        if isinstance(ground.descent, MapsDescent | SpannedDescent) and ruled.any():
            bound[ruled] = np.fmin(bound[ruled], self.ruled_reach(rows[ruled], level=level, ground=ground))
        return bound

    def _tuples(self, rows: Int[np.ndarray, " rows"], descent: Descent) -> Float[np.ndarray, "rows arity dim"]:
        """The tuple that each cell is a member of; zeros for a root."""
        above = self.parent[rows]
        found = np.zeros((len(rows), descent.arity, self.residual.shape[1]))
        below = np.flatnonzero(above >= 0)
        found[below] = self.residual[self.first[above[below]][:, None] + np.arange(descent.arity)]
        return found


def hold(cells: Cells, ground: Ground, points: Int[np.ndarray, " points"] | None = None) -> HeldCells:
    """Cells in memory; ``points`` are the rows of the cells that data points lie in, -1 for none."""
    first = np.where(cells.child_count > 0, cells.first_child, 0)
    names = ("parent", "slot", "center", "scale", "residual", "length", "root_distance", "state", "predicted")
    held = HeldCells(
        **{name: getattr(cells, name) for name in names},
        reach=np.zeros(len(cells)),
        first=first,
        count=cells.child_count,
        memory=_memory(cells, ground.descent) if isinstance(ground.descent, MapsDescent) else None,
        size=points_below(cells, points),
    )
    held.reach[:] = _reach(cells, held, ground)
    return held


def points_below(cells: Cells, points: Int[np.ndarray, " points"] | None) -> Float[np.ndarray, " cells"] | None:
    """How many data points lie at and below each cell; None where nothing tells."""
    if points is not None and (points >= 0).any():
        found = np.bincount(points[points >= 0], minlength=len(cells)).astype(np.float64)
        for level in range(cells.depth, 0, -1):
            rows = cells.level_rows(level)
            np.add.at(found, cells.parent[rows], found[rows])
        return found
    return None if cells.size is None else np.maximum(cells.size, 0).astype(np.float64)


def _memory(cells: Cells, descent: MapsDescent) -> np.ndarray:
    """``B_w`` of each cell."""
    found = np.empty((len(cells), *descent.start().shape[1:]))
    found[0] = descent.start()[0]
    for level in range(1, cells.depth + 1):
        rows = cells.level_rows(level)
        found[rows] = descent.turned(found[cells.parent[rows]], cells.slot[rows])
    return found


def _reach(cells: Cells, held: HeldCells, ground: Ground) -> Float[np.ndarray, " cells"]:
    """From the deepest level up: ``max over children of |scale residual| + reach``."""
    found = np.zeros(len(cells))
    for level in range(cells.depth, -1, -1):
        rows = cells.level_rows(level)
        ends = rows.start + np.flatnonzero((cells.state[rows] != LEAF) & (cells.child_count[rows] == 0))
        if ground.descent is not None and len(ends):
            found[ends] = held.ruled_reach(ends, level=level, ground=ground)
        if level == 0:
            return found
        parent, size = cells.parent[rows], np.sqrt(np.einsum("cd,cd->c", cells.residual[rows], cells.residual[rows]))
        lies = (cells.scale[parent] * size + found[rows]) * _ROUNDING
        starts = np.flatnonzero(np.r_[True, parent[1:] != parent[:-1]])
        found[parent[starts]] = np.maximum.reduceat(lies, starts)
    return found
