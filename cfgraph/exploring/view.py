"""View: what is looked at: a cell, where the middle lies from it in units of its scale, and how many pixels that unit has.

Down to child j ``p' = (p - r_j) / s`` and ``z' = z s``, up ``p' = s p + r_j`` and ``z' = z / s`` (derived,
docs/mathematics.md). Centers as such are never compared: near level 30 they have no digits left.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from cfgraph.checks import check_number
from cfgraph.errors import InputError
from cfgraph.exploring.axes import Plane
from cfgraph.exploring.terrain import Place
from cfgraph.model.address import parse_address

ERROR = 0.25  # pixels that a cell may be off for going up and down again
PIXELS_MAX = 32_768  # of a side
_EPSILON = 2.0**-52
_ROUNDINGS = 8  # of a step up and down, in units of the last place of the upper cell's frame


@dataclass(frozen=True)
class View:
    """``p`` is the middle minus the anchor's center in units of scale(anchor), y upwards; ``z`` is pixels such a unit.

    Raises:
        InputError: for numbers that are not finite, no zoom, and sides of no pixel or too many.
    """

    anchor: str
    p: tuple[float, float]
    z: float
    width: float
    height: float

    def __post_init__(self) -> None:
        parse_address(self.anchor)
        if not isinstance(self.p, Sequence | np.ndarray) or len(self.p) != 2:
            raise InputError(f"expected a view's middle as two numbers, got {self.p!r}"[:200])
        object.__setattr__(self, "p", tuple(check_number(value, name="a view's middle") for value in self.p))
        for name in ("z", "width", "height"):
            object.__setattr__(self, name, check_number(getattr(self, name), name=f"a view's {name}"))
        if not self.z > 0:
            raise InputError(f"expected a zoom above 0 pixels, got {self.z}")
        if not (0 < self.width <= PIXELS_MAX and 0 < self.height <= PIXELS_MAX):
            raise InputError(f"expected a view of at most {PIXELS_MAX:,} pixels a side, got {self.width:g} x {self.height:g}")

    @classmethod
    def of(cls, fields: Any) -> "View":
        """A view from JSON."""
        names = ("anchor", "p", "z", "width", "height")
        if not isinstance(fields, Mapping) or set(fields) != set(names):
            raise InputError(f"expected a view with {', '.join(names)}, got {fields!r}"[:300])
        if not isinstance(fields["anchor"], str):
            raise InputError(f"expected an address as a view's anchor, got {fields['anchor']!r}"[:200])
        return cls(**fields)

    @property
    def side(self) -> float:
        """The shorter of its sides."""
        return min(self.width, self.height)


@dataclass(frozen=True, eq=False)
class Line:
    """A view in the frame of its anchor and of each cell above, the root first; y points down here, as on the screen.

    ``error`` bounds how many pixels a cell may be off that parts from the way to the anchor there.
    """

    way: list[Place]
    p: Float[np.ndarray, "levels 2"]
    z: Float[np.ndarray, " levels"]
    error: Float[np.ndarray, " levels"]

    @property
    def sure(self) -> int:
        """The level from which on all is told to the fraction of a pixel; one below the anchor's where nothing is."""
        wrong = np.flatnonzero(~(self.error <= ERROR))
        return int(wrong[-1]) + 1 if len(wrong) else 0

    def middle(self, level: int) -> tuple[float, float]:
        """Where the center of the cell of a level lies, in pixels from the view's middle."""
        x, y = -self.p[level] * self.z[level]
        return float(x), float(y)


def line_of(view: View, way: list[Place], plane: Plane) -> Line:
    """Climbs from the anchor to the root. A cell without extent is no frame: the view is that of the cell above it."""
    levels, dimension = len(way), len(way[0].residual)
    step = np.stack(plane.rows(np.stack([place.residual for place in way])), axis=1)
    p, z = np.empty((levels, 2)), np.empty(levels)
    p[-1], z[-1] = (view.p[0], -view.p[1]), view.z
    with np.errstate(over="ignore", invalid="ignore"):
        for level in range(levels - 1, 0, -1):
            ratio = way[level].ratio
            p[level - 1] = ratio * p[level] + step[level]
            z[level - 1] = z[level] / ratio if ratio > 0 else z[level]
        size = np.maximum(1.0, np.abs(p).max(axis=1))
        ruled = np.array([place.row < 0 for place in way]).cumsum()
        error = _EPSILON * (_ROUNDINGS + dimension * ruled) * size * z
    return Line(way, p, z, np.where(np.isnan(error), math.inf, error))
