"""Boxes: which ways of affine maps may end in one, followed in memory: what is stored is not looked at.

Ways go down level by level as those of :mod:`~cfgraph.model.reach` do, and what cannot reach the box is left out. So whoever
reads stored cells asks for those in the box and few others, however deep they lie and however much lies beside them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from cfgraph.model.address import format_address, parse_address
from cfgraph.model.descent import MapsDescent, Places
from cfgraph.model.field import Field
from cfgraph.model.frames import ruled_places

WAYS_MAX = 20_000  # that are followed at once
_VALUES_MAX = 1 << 20  # coordinates of their children
SLACK = 1e-6  # of what maps prove: some are told from the first levels, to the digits that these have


@dataclass(frozen=True)
class Box:
    """All points with ``low[i] <= x[axes[i]] <= high[i]``."""

    axes: Sequence[int]
    low: Sequence[float]
    high: Sequence[float]

    def meets(
        self, center: Float[np.ndarray, "slots dim places"], margin: Float[np.ndarray, "slots places"]
    ) -> Bool[np.ndarray, "slots places"]:
        """Which points have a point of the box within ``margin`` of them along every axis."""
        met = np.ones(margin.shape, dtype=np.bool_)
        for axis, low, high in zip(self.axes, self.low, self.high, strict=True):
            met &= (center[:, axis] >= low - margin) & (center[:, axis] <= high + margin)
        return met


def ways_into(box: Box, field: Field, *, top: str, level: int) -> list[str]:
    """The ways below ``top`` that may lead to a cell of ``level`` in a box: the addresses of cells of one level above that.

    Each cell of ``level`` below ``top`` whose center, as the maps have it, lies in the box is below one of these. They are its
    parents, unless there are more than ``WAYS_MAX`` of these, or cells become as small as what rounding leaves of places:
    then they end higher up, at ``top`` itself where it has no such cells.

    Args:
        box: in the hierarchy's units.
        field: one whose :attr:`~cfgraph.model.field.Field.way_reach` is known.
    """
    descent, scale_factor = field.descent, field.scale_factor
    assert isinstance(descent, MapsDescent)
    assert scale_factor is not None
    way = parse_address(top)
    if max(way, default=0) >= descent.arity:
        return [top]
    start = _followed(field.ground.top, way, descent=descent, scale_factor=scale_factor)
    places = ruled_places(start, descent=descent, scale_factor=scale_factor, residual_bound=field.residual_bound)
    center, scale = start.center.T, float(start.scale[0])
    slack = SLACK * float(field.ground.top.scale[0]) * max(1.0, descent.root_spread)
    steps: list[tuple[np.ndarray, np.ndarray]] = []
    for below in range(len(way) + 1, level + 1):
        if center.size * descent.arity > _VALUES_MAX or scale * descent.root_spread < slack:
            break
        children = center[None] + scale * places.tuples()
        scale *= scale_factor
        reach = np.zeros(children.shape[::2]) if below == level else scale * places.spread()
        parent, slot = np.nonzero(box.meets(children, reach + slack).T)
        if below == level:
            return _addresses(way, steps, np.unique(parent))
        if len(parent) > WAYS_MAX:
            break
        steps.append((parent, slot))
        center, places = children[slot, :, parent].T, places.below(parent, slot)
    return _addresses(way, steps, np.arange(center.shape[1]))


def _followed(places: Places, way: Sequence[int], *, descent: MapsDescent, scale_factor: float) -> Places:
    """The place that a way leads to, by the maps alone."""
    for slot in way:
        one, first = np.array([slot]), np.zeros(1, dtype=np.int64)
        residual, memory = descent.step(places, parent=first, slot=one)
        places = places.children(first, one, residual=residual, memory=memory, scale_factor=scale_factor)
    return places


def _addresses(way: Sequence[int], steps: list[tuple[np.ndarray, np.ndarray]], rows: np.ndarray) -> list[str]:
    """The addresses of some places of the last level; ``steps`` have the row above and the slot of each, level by level."""
    slots = np.empty((len(rows), len(steps)), dtype=np.int64)
    for level in range(len(steps) - 1, -1, -1):
        parent, slot = steps[level]
        slots[:, level] = slot[rows]
        rows = parent[rows]
    return [format_address((*way, *one)) for one in slots.tolist()]
