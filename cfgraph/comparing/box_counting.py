"""Box counting: how the number of boxes that a set of points needs grows as the boxes shrink: a dimension that is *measured*.

    N(b) ~ b^-D        D = the slope of log N against log 1/b, by least squares over a stated range of sizes

The slope comes out low where a set's outline shows at the sizes that are fitted, and its standard error, that of the fit, does
not tell by how much: docs/mathematics.md has what was found of sets whose dimension is known.

Points come in pages, in any order, and are forgotten: what is kept of each grid is which boxes hold a point, as numbers, and a
grid that needs more than ``BOXES`` is given up. So the memory does not depend on how many points there are.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt64
from pydantic import BaseModel, ConfigDict

BOXES = 131_072  # occupied boxes of one grid that are told apart at most: a megabyte
SIZES = 16  # sizes of boxes at most
SHIFTS = 3  # grids of each size, moved against each other by seeded parts of a box: no count hangs on where one begins
BOXES_MIN = 16  # a grid of fewer says more of the set's outline than of its dimension
POINTS_PER_BOX = 4  # below it, boxes count points
FITTED_MIN = 3  # sizes, or there is no spread of a slope
RANGE_MIN = 1.5  # the largest size over the smallest
STEP_MIN = 0.5  # between two sizes; where levels lie further apart, sizes stand between them
_ROWS = 4096  # points put into boxes at once
_ROUNDING = 64 * np.finfo(np.float64).eps


class BoxSize(BaseModel):
    """One size of boxes: how many hold a point, on average over the grids; None where that was more than are told apart."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: float
    boxes: float | None
    fitted: bool


class BoxCounting(BaseModel):
    """What box counting found of ``points`` points.

    ``dimension`` is the fitted slope, ``standard_error`` that of the fit, ``lowest`` and ``highest`` are the slopes between two
    neighbouring fitted sizes, which run from ``largest_size`` to ``smallest_size``. All are None where there is a ``reason``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    points: int
    dimension: float | None = None
    standard_error: float | None = None
    lowest: float | None = None
    highest: float | None = None
    largest_size: float | None = None
    smallest_size: float | None = None
    sizes: tuple[BoxSize, ...] = ()
    reason: str | None = None


def ladder(first: float, *, ratio: float, levels: int, reach: float) -> list[float]:
    """Sizes of boxes from those of levels: ``first ratio^l`` for l = 0 .. levels, with steps between where ``ratio`` is small.

    At most ``SIZES`` of them, evenly chosen. What is so small that the rounding of coordinates as large as ``reach`` would tell
    on it is left out.
    """
    between = math.ceil(math.log(ratio) / math.log(STEP_MIN) - 1e-9)
    step, count = ratio ** (1 / max(1, between)), levels * max(1, between) + 1
    stride = math.ceil(count / SIZES)
    sizes = [first * step**index for index in range(0, count, stride)]
    return [size for size in sizes if size > _ROUNDING * reach]


class Boxes:
    """The boxes that hold a point, grid by grid; points are added page by page.

    A box is known by 64 bits, an odd random number times its place along each axis, added up: along a line none is taken for
    another, and in more dimensions two of a grid's 131,072 are with a chance of 1e-9.
    """

    def __init__(self, sizes: Sequence[float], *, origin: Float[np.ndarray, " dim"], seed: int = 0):
        random = np.random.default_rng(seed)
        self._sizes, self._origin, self._points = tuple(sizes), origin, 0
        self._factor = random.integers(2**63, size=len(origin), dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        self._shifts = np.concatenate([np.zeros((1, len(origin))), random.random((SHIFTS - 1, len(origin)))])
        self._grids = [[_Grid() for _ in self._shifts] for _ in sizes]

    def add(self, centers: Float[np.ndarray, "points dim"]) -> None:
        """Count some points more."""
        self._points += len(centers)
        for low in range(0, len(centers), _ROWS):
            offsets = centers[low : low + _ROWS] - self._origin
            for size, grids in zip(self._sizes, self._grids, strict=True):
                for grid, shift in zip(grids, self._shifts, strict=True):
                    if not grid.full:
                        place = np.floor(offsets / size + shift).astype(np.int64).view(np.uint64)
                        grid.add((place * self._factor).sum(axis=1, dtype=np.uint64))

    def result(self) -> BoxCounting:
        """The slope over the sizes that tell something of it."""
        counts = [self._count(grids) for grids in self._grids]
        fitted = [found is not None and BOXES_MIN <= found <= self._points / POINTS_PER_BOX for found in counts]
        sizes = tuple(
            BoxSize(size=size, boxes=found, fitted=fits) for size, found, fits in zip(self._sizes, counts, fitted, strict=True)
        )
        used = [(one.size, one.boxes) for one in sizes if one.fitted and one.boxes is not None]
        if len(used) < FITTED_MIN or used[0][0] < RANGE_MIN * used[-1][0]:
            reason = (
                f"of {len(sizes)} sizes of boxes {len(used)} hold at least {BOXES_MIN} boxes, and {POINTS_PER_BOX} of the "
                f"{self._points:,} points a box; a slope needs {FITTED_MIN}, over a factor of {RANGE_MIN:g}: grow it deeper"
            )
            return BoxCounting(points=self._points, sizes=sizes, reason=reason)
        return _fit(np.array(used), BoxCounting(points=self._points, sizes=sizes))

    def _count(self, grids: "list[_Grid]") -> float | None:
        """The geometric mean over the grids of a size, so that its logarithm is the mean of theirs."""
        counts = [grid.count() for grid in grids]
        if not self._points or any(grid.full for grid in grids):
            return None
        return math.exp(sum(map(math.log, counts)) / len(counts))


def _fit(used: Float[np.ndarray, "sizes two"], found: BoxCounting) -> BoxCounting:
    """What was found with the slope over these sizes and numbers of boxes."""
    finer, more = -np.log(used[:, 0]), np.log(used[:, 1])
    x, y = finer - finer.mean(), more - more.mean()
    slope = float(x @ y / (x @ x))
    between = np.diff(more) / np.diff(finer)
    numbers = {
        "dimension": slope,
        "standard_error": math.sqrt(float(((y - slope * x) ** 2).sum()) / (len(x) - 2) / float(x @ x)),
        "lowest": float(between.min()),
        "highest": float(between.max()),
        "largest_size": float(used[0, 0]),
        "smallest_size": float(used[-1, 0]),
    }
    return found.model_copy(update=numbers)


class _Grid:
    """The occupied boxes of one grid, sorted, and those that came since they were last put together."""

    def __init__(self) -> None:
        self._known: UInt64[np.ndarray, " boxes"] = np.empty(0, dtype=np.uint64)
        self._new: list[np.ndarray] = []
        self._waiting, self.full = 0, False

    def add(self, boxes: UInt64[np.ndarray, " points"]) -> None:
        self._new.append(np.unique(boxes))
        self._waiting += len(self._new[-1])
        if self._waiting > max(len(self._known), BOXES // 4):
            self._settle()

    def count(self) -> int:
        """How many there are; 0 where they were too many."""
        self._settle()
        return len(self._known)

    def _settle(self) -> None:
        if self._new:
            self._known = np.unique(np.concatenate([self._known, *self._new]))
            self._new, self._waiting = [], 0
        if len(self._known) > BOXES:
            self._known, self.full = np.empty(0, dtype=np.uint64), True
