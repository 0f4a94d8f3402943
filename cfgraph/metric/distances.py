"""The metric of a hierarchy: path distances, radii, and the guarantees that need no database.

Sources: arXiv 2605.07119 for the objects; the formulas are derived in docs/mathematics.md.
Norms are maxima over slots. Pairs of cells are given as two arrays of rows of one :class:`~cfgraph.model.cells.Cells`.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.model.cells import FRONTIER, Cells

PAIR_BATCH = 65_536  # pairs climbed at once: their rows stay in a processor's cache


def common_ancestors(
    cells: Cells, first: Int[np.ndarray, " pairs"], second: Int[np.ndarray, " pairs"]
) -> Int[np.ndarray, " pairs"]:
    """The row of the lowest common ancestor of each pair."""
    return _climb(cells, first, second, weight=None)[0]


def path_distances(
    cells: Cells, first: Int[np.ndarray, " pairs"], second: Int[np.ndarray, " pairs"]
) -> Float[np.ndarray, " pairs"]:
    """The path metric ``d_pt(u, v)`` of each pair: the lengths below the lowest common ancestor, summed.

    It equals ``root_distance(u) + root_distance(v) - 2 root_distance(lca)`` but keeps the precision of deep cells, which
    the subtraction loses.
    """
    return _climb(cells, first, second, weight=cells.length)[1]


def center_differences(
    cells: Cells, first: Int[np.ndarray, " pairs"], second: Int[np.ndarray, " pairs"]
) -> Float[np.ndarray, "pairs dim"]:
    """``center(u) - center(v)`` of each pair as the sum of ``scale * residual`` below the lowest common ancestor."""
    step = np.zeros_like(cells.residual)
    step[1:] = cells.scale[cells.parent[1:], None] * cells.residual[1:]
    rise, fall = np.zeros((len(first), cells.dimension)), np.zeros((len(first), cells.dimension))
    for axis in range(cells.dimension):
        signed = np.ascontiguousarray(step[:, axis])
        rise[:, axis], fall[:, axis] = _climb_sides(cells, first, second, weight=signed)
    return rise - fall


def _climb(
    cells: Cells,
    first: Int[np.ndarray, " pairs"],
    second: Int[np.ndarray, " pairs"],
    *,
    weight: Float[np.ndarray, " cells"] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the lowest common ancestors and the summed weights on both sides below them, batch by batch."""
    meeting = np.empty(len(first), dtype=np.int64)
    total = np.zeros(len(first))
    for low in range(0, len(first), PAIR_BATCH):
        part = slice(low, low + PAIR_BATCH)
        meeting[part], up, down = _climb_batch(cells, first[part], second[part], weight=weight)
        total[part] = up + down
    return meeting, total


def _climb_sides(
    cells: Cells, first: np.ndarray, second: np.ndarray, *, weight: Float[np.ndarray, " cells"]
) -> tuple[np.ndarray, np.ndarray]:
    up, down = np.zeros(len(first)), np.zeros(len(first))
    for low in range(0, len(first), PAIR_BATCH):
        part = slice(low, low + PAIR_BATCH)
        _, up[part], down[part] = _climb_batch(cells, first[part], second[part], weight=weight)
    return up, down


def _climb_batch(
    cells: Cells, first: np.ndarray, second: np.ndarray, *, weight: Float[np.ndarray, " cells"] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Climb the row that comes later in breadth-first order, of each pair, until the two rows meet.

    In that order a parent's row is below its children's, so the larger row of a pair is never the common ancestor.
    """
    u, v = np.array(first, dtype=np.int64), np.array(second, dtype=np.int64)
    up, down = np.zeros(len(u)), np.zeros(len(v))
    apart = np.flatnonzero(u != v)
    while len(apart):
        for side, other, total in ((u, v, up), (v, u, down)):
            climbers = apart[side[apart] > other[apart]]
            if weight is not None:
                total[climbers] += weight[side[climbers]]
            side[climbers] = cells.parent[side[climbers]]
        apart = apart[u[apart] != v[apart]]
    return u, up, down


def subtree_radii(cells: Cells) -> Float[np.ndarray, " cells"]:
    """A radius for every cell, bottom-up: every known descendant lies within it; NaN above a frontier.

    ``radius(w) = max over children of length(child) + radius(child)``, 0 for a leaf: a bound in the path metric, and so
    for centers too. Above a frontier cell nothing is known of what will be below, and NaN says so.
    """
    radius = np.where(cells.state == FRONTIER, np.nan, 0.0)
    for level in range(cells.depth, int(cells.level[0]), -1):
        rows = cells.level_rows(level)
        with np.errstate(invalid="ignore"):  # NaN wins in np.maximum, as it should
            np.maximum.at(radius, cells.parent[rows], cells.length[rows] + radius[rows])
    return radius


def field_radius(scale: Float[np.ndarray, " cells"], *, residual_bound: float, scale_factor: float) -> np.ndarray:
    """The radius of a field's cells: every descendant at any depth lies within ``R * scale / (1 - s)``."""
    _check_factor(scale_factor)
    return residual_bound * np.asarray(scale) / (1 - scale_factor)


def truncation_bound(depth: int, *, residual_bound: float, scale_factor: float, root_scale: float = 1.0) -> float:
    """How far the levels up to ``depth`` are from the whole field at most: ``R s^L / (1 - s)`` (Hausdorff distance)."""
    _check_factor(scale_factor)
    return root_scale * residual_bound * scale_factor**depth / (1 - scale_factor)


def depth_for_precision(precision: float, *, residual_bound: float, scale_factor: float, root_scale: float = 1.0) -> int:
    """The smallest depth whose truncation bound is at most ``precision``.

    ``L(e) = max(0, ceil(ln(R / ((1 - s) e)) / ln(1 / s)))``, then stepped until the bound holds in floating point.
    """
    _check_factor(scale_factor)
    if not (math.isfinite(precision) and precision > 0):
        raise InputError(f"expected a precision above 0, got {precision}")

    def bound(depth: int) -> float:
        return truncation_bound(depth, residual_bound=residual_bound, scale_factor=scale_factor, root_scale=root_scale)

    if bound(0) <= precision:
        return 0
    depth = max(0, math.ceil((math.log(bound(0)) - math.log(precision)) / math.log(1 / scale_factor)))  # a ratio may overflow
    while bound(depth) > precision:
        depth += 1
    while depth > 0 and bound(depth - 1) <= precision:
        depth -= 1
    return depth


@dataclass(frozen=True)
class Certificate:
    """Bounds on ``|center^(w) - center(w)|`` for a rule of the center alone whose one-step error is at most ``eta``.

    ``eta`` is the supremum of ``|G^ - G|`` over the *predicted* centers with ``lipschitz`` the constant of G, or over the
    *true* centers with that of G^, over all levels grown; both for root scale 1 (``root_scale`` multiplies them else).
    ``from_depth`` is the depth L of the observed prefix. Derived in docs/mathematics.md.
    """

    eta: float
    lipschitz: float
    scale_factor: float
    from_depth: int = 0
    root_scale: float = 1.0

    def __post_init__(self) -> None:
        _check_factor(self.scale_factor)
        if not (self.eta >= 0 and self.lipschitz >= 0 and self.from_depth >= 0):
            raise InputError(f"eta, lipschitz and from_depth are not negative: {self}")

    @property
    def from_root(self) -> float:
        """``eta * E`` with ``E = exp(Lambda s / (1 - s)) / (1 - s)``: at every depth, had the root alone been observed."""
        return self._bound(0)

    @property
    def from_prefix(self) -> float:
        """``eta * E_L`` with ``E_L = s^L exp(Lambda s^(L+1) / (1 - s)) / (1 - s)``: at every depth, from the prefix."""
        return self._bound(self.from_depth)

    def _bound(self, depth: int) -> float:
        s = self.scale_factor
        if self.eta == 0:
            return 0.0
        exponent = self.root_scale * self.lipschitz * s ** (depth + 1) / (1 - s)
        return self.root_scale * self.eta * s**depth * _exp(exponent) / (1 - s)

    def by_level(self, depth: int) -> Float[np.ndarray, " levels"]:
        """``e_0 .. e_depth`` of ``e_{l+1} = (1 + Lambda s^l) e_l + s^l eta``, zeros up to the prefix: the tightest."""
        errors = np.zeros(depth + 1)
        for level in range(self.from_depth, depth):
            step = self.root_scale * self.scale_factor**level
            growth = step * self.lipschitz * errors[level] if errors[level] else 0.0
            errors[level + 1] = errors[level] + growth + step * self.eta
        return errors

    @property
    def path_distance(self) -> float:
        """``|d_pt^ - d_pt| <= 2 eta (1 + Lambda E) / (1 - s)``."""
        if self.eta == 0:
            return 0.0
        s, step = self.scale_factor, self.root_scale
        spread = step * self.lipschitz * _exp(step * self.lipschitz * s / (1 - s)) / (1 - s) if self.lipschitz else 0.0
        return 2 * step * self.eta * (1 + spread) / (1 - s)


@dataclass(frozen=True)
class RecurrenceCertificate:
    """Bounds on ``|center^(w) - center(w)|`` where tuples follow a recurrence ``T_wj = alpha_j T_w`` up to an error.

    In a norm N of tuples that is at least the longest residual, ``growth`` bounds ``N(alpha_j T) / N(T)`` and
    ``one_step_error`` is ``sup N(T_wj - alpha_j T_w)`` over all levels grown. The tuples of the prefix of depth L are exact, so
    the tuples' error follows ``t_l <= growth t_(l-1) + e`` from ``t_(L-1) = 0`` on, and the centers'
    ``e_(l+1) <= e_l + s^l t_l``. Derived in docs/mathematics.md.
    """

    one_step_error: float
    growth: float
    scale_factor: float
    from_depth: int = 1
    root_scale: float = 1.0

    def __post_init__(self) -> None:
        _check_factor(self.scale_factor)
        if not (self.one_step_error >= 0 and self.growth >= 0):
            raise InputError(f"one_step_error and growth are not negative: {self}")
        if self.from_depth < 1:
            raise InputError(
                f"a recurrence starts from the root's tuple: expected a prefix of depth 1 or more, got {self.from_depth}"
            )

    @property
    def from_root(self) -> float:
        """``e s / ((1 - s) (1 - growth s))``: at every depth, had the root and its children alone been observed.

        With growth 1 it is :func:`recurrence_bound`; where ``growth >= 1 / s`` nothing bounds every depth: infinite.
        """
        return self._bound(1)

    @property
    def from_prefix(self) -> float:
        """``e s^L / ((1 - s) (1 - growth s))``: at every depth, from the prefix."""
        return self._bound(self.from_depth)

    def _bound(self, depth: int) -> float:
        if self.one_step_error == 0:
            return 0.0
        s = self.scale_factor
        room = 1 - self.growth * s
        return self.root_scale * self.one_step_error * s**depth / ((1 - s) * room) if room > 0 else math.inf

    def by_level(self, depth: int) -> Float[np.ndarray, " levels"]:
        """``e_0 .. e_depth`` level by level, zeros up to the prefix: the tightest, and finite for any growth."""
        errors, tuples = np.zeros(depth + 1), 0.0
        for level in range(self.from_depth, depth):
            tuples = self.growth * tuples + self.one_step_error
            errors[level + 1] = errors[level] + self.root_scale * self.scale_factor**level * tuples
        return errors


def recurrence_bound(one_step_error: float, *, scale_factor: float, root_scale: float = 1.0) -> float:
    """``e s / (1 - s)^2``: the error of every center where a stable recurrence (growth at most 1) errs by ``e`` a step."""
    _check_factor(scale_factor)
    return root_scale * one_step_error * scale_factor / (1 - scale_factor) ** 2


def _exp(exponent: float) -> float:
    return math.exp(exponent) if exponent < 700 else math.inf


def _check_factor(scale_factor: float) -> None:
    if not 0 < scale_factor < 1:
        raise InputError(f"expected a scale factor between 0 and 1, got {scale_factor}")
