"""Placing: trees of data of which all inner cells have the same number of children, as the cells of a field.

Each residual is what leads from the parent's center, as it was placed, to the child's, so centers are where the data has them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.metric.distances import subtree_radii
from cfgraph.model.cells import EXPANDED, FRONTIER, LEAF, Cells
from cfgraph.model.growth import Frontier, expand
from cfgraph.model.hierarchy import FieldWithCells
from cfgraph.sources.tuples import largest_norm, smallest_distance

SCALE_FACTOR_RANGE = (0.05, 0.95)  # what an estimated scale factor is kept within, so that 1 / s and 1 / (1 - s) stay sane
SCALE_FACTOR_UNKNOWN = 0.5  # where the data has a single level of children, and so no ratio of two


@dataclass(frozen=True, eq=False)
class Level:
    """The cells of one level of the tree, in breadth-first order."""

    center: Float[np.ndarray, "cells dim"]
    size: Int[np.ndarray, " cells"]
    divisible: Bool[np.ndarray, " cells"]  # enough points, and enough different ones, for a split
    longest: str  # the address of the level's cells that has most characters


def place_field(
    levels: list[Level],
    *,
    arity: int,
    scale_depth: int,
    notes: tuple[str, ...],
    radius: Callable[[Cells], tuple[float, ...] | None] = lambda cells: None,
    **known: Any,
) -> FieldWithCells:
    """A tree of data as a field, with its scale factor and what bounds its residuals.

    ``radius`` gives by level how far data points lie from the cells as they are placed; ``known`` is what else is known.
    """
    factor, used, scale_notes = estimate_scale(levels, scale_depth=scale_depth, arity=arity)
    cells = place_levels(levels, arity=arity, scale_factor=factor)
    return FieldWithCells(
        dimension=cells.dimension,
        arity=arity,
        scale_factor=factor,
        residual_bound=largest_norm(cells.residual),
        separation=smallest_distance(cells.expansions(arity)[1]),
        data_built=True,
        scale_depth=used,
        point_radius=radius(cells),
        notes=(*notes, *scale_notes),
        cells=cells,
        **known,
    )


def estimate_scale(levels: list[Level], *, scale_depth: int, arity: int) -> tuple[float, int, tuple[str, ...]]:
    """``s = (m_L / m_1)^(1 / (L - 1))`` with m_l the mean displacement of level l's cells; L; and a remark if need be."""
    used = min(scale_depth, len(levels) - 1)
    first, last = (_mean_displacement(levels, level, arity=arity) for level in (1, used))
    if used < 2 or not (first > 0 and last > 0):
        return SCALE_FACTOR_UNKNOWN, used, (f"a scale factor needs two levels of children; {SCALE_FACTOR_UNKNOWN} was taken",)
    ratio = (last / first) ** (1 / (used - 1))
    factor = float(np.clip(ratio, *SCALE_FACTOR_RANGE))
    notes = () if factor == ratio else (f"the scale factor was estimated as {ratio:.3g} and set to {factor}",)
    return factor, used, notes


def _mean_displacement(levels: list[Level], level: int, *, arity: int) -> float:
    """How far the cells of a level lie from their parents, on average; 0 where there is no such level."""
    if not 1 <= level < len(levels):
        return 0.0
    above = levels[level - 1]
    parent = np.repeat(above.center[above.divisible], arity, axis=0)
    return float(np.linalg.norm(levels[level].center - parent, axis=1).mean())


def place_levels(levels: list[Level], *, arity: int, scale_factor: float) -> Cells:
    """The tree as cells: each residual is what leads from the parent's center, as it was placed, to the child's mean."""
    root = Cells.from_root(levels[0].center[0])
    frontier = _root_frontier(root, arity=arity)
    placed, parents = [frontier], [np.array([-1])]
    start = 0
    for above, below in pairwise(levels):
        rows = np.flatnonzero(above.divisible)
        split = frontier.take(rows)
        offset = below.center.reshape(len(rows), arity, -1) - split.center[:, None]
        frontier = expand(split, tuples=offset / split.scale[:, None, None], scale_factor=scale_factor)
        placed.append(frontier)
        parents.append(np.repeat(start + rows, arity))
        start += len(above.size)
    return _cells_of(placed, parents=parents, levels=levels)


def _root_frontier(root: Cells, *, arity: int) -> Frontier:
    columns = {name: getattr(root, name) for name in ("center", "scale", "root_distance", "length", "level", "slot")}
    return Frontier(**columns, tuples=np.zeros((1, arity, root.dimension)), family=np.zeros(1, dtype=np.int64))


def _cells_of(placed: list[Frontier], *, parents: list[Int[np.ndarray, " cells"]], levels: list[Level]) -> Cells:
    parent = np.concatenate(parents)
    state = np.concatenate([np.where(level.divisible, FRONTIER, LEAF) for level in levels]).astype(np.uint8)
    state[parent[1:]] = EXPANDED
    cells = Cells(
        parent=parent,
        slot=np.concatenate([part.slot for part in placed]),
        level=np.concatenate([part.level for part in placed]),
        center=np.concatenate([part.center for part in placed]),
        scale=np.concatenate([part.scale for part in placed]),
        residual=np.concatenate([part.residual for part in placed]),
        length=np.concatenate([part.length for part in placed]),
        root_distance=np.concatenate([part.root_distance for part in placed]),
        state=state,
        predicted=np.zeros(len(parent), dtype=bool),
        size=np.concatenate([level.size for level in levels]),
    )
    return cells.with_columns(radius=subtree_radii(cells))


def point_radius(cells: Cells, values: Float[np.ndarray, "points dim"], cell: Int[np.ndarray, " points"]) -> tuple[float, ...]:
    """By level: how far the farthest point lies from the center of the cell of that level that it is in.

    ``cell`` is the row of the deepest cell that each point is in.
    """
    found, at = np.zeros(cells.depth + 1), cell.copy()
    for level in range(cells.depth, -1, -1):
        here = cells.level[at] == level  # a point of a higher leaf joins in further up
        if here.any():
            found[level] = np.linalg.norm(values[here] - cells.center[at[here]], axis=1).max()
            at[here] = cells.parent[at[here]]
    return tuple(found.tolist())
