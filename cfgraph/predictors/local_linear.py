"""Local linear: a plane through the nearest observed parents, anew at every cell (moving least squares).

Around a center c, ``T = a + B (x - c)`` is fitted to the ``m = min(n, 2 (d + 1))`` nearest of n observed parents, and a is the
answer. With the distances ``d_i = |x_i - c|`` and r that of the next nearest, the weights are Franke and Little's,

    w_i = (1 / d_i - 1 / r)^2                (1 / r = 0 where there is no next nearest)

which go to 0 where a neighbour gives way to another, so that answers have no jumps there, and to infinity at a parent, which
so answers with its own tuple. B alone has a ridge, a part of ``tr C / d``, C the weighted covariance of the neighbours'
centers: one for all cells, of least leave-one-out error. Directions that the neighbours do not span get slope 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float, Int

from cfgraph.model.growth import Frontier
from cfgraph.predictors.baselines import keep_parents
from cfgraph.predictors.predictor import Learning, Predictor

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

RIDGE_PARTS = tuple(10.0**power for power in range(-9, 4))  # none is 0, so that a plane fades where its neighbours do
JUDGED_MAX = 2048  # parents left out one by one to choose the ridge, evenly spaced where there are more
_PLAIN_PARENTS = 64  # up to so many are compared one with one, without a tree (and without the import of SciPy)
_FLOATS = 1_000_000  # numbers held at once: a few times 8 MB
_FLAT = 1e-14  # a variance below this share of all of them is rounding; between it and twice that the slope fades in


@dataclass(frozen=True, eq=False)
class _Near:
    """The nearest parents of some cells, from near to far, equally near ones by row; and what lies beyond them."""

    rows: Int[np.ndarray, "cells near"]
    offset: Float[np.ndarray, "cells near dim"]  # from the cell to the parent
    distance: Float[np.ndarray, "cells near"]
    reach: Float[np.ndarray, " cells"]  # the distance of the next nearest; infinite where there is none


@dataclass(frozen=True, eq=False)
class _Parents:
    """The observed parents, and how the nearest of them are found."""

    centers: Float[np.ndarray, "parents dim"]
    tuples: Float[np.ndarray, "parents arity dim"]

    @cached_property
    def _tree(self) -> "cKDTree":
        from scipy.spatial import cKDTree

        return cKDTree(self.centers)

    @cached_property
    def flat(self) -> Float[np.ndarray, "parents numbers"]:
        """The tuples, a row a parent."""
        return self.tuples.reshape(len(self.tuples), -1)

    def neighbours(self, *, of: int) -> int:
        """``m = min(n, 2 (d + 1))`` of n parents: twice as many as a plane has numbers."""
        dimension: int = self.centers.shape[1]
        return min(of, 2 * (dimension + 1))

    def answer(self, center: Float[np.ndarray, "cells dim"], *, ridge: float) -> Float[np.ndarray, "cells numbers"]:
        """The tuples at some centers."""
        count, answer = self.neighbours(of=len(self.centers)), np.empty((len(center), self.flat.shape[1]))
        for part in self._parts(len(center), count=count):
            near = self._near(center[part], count=count)
            answer[part] = _combine(_Planes.of(near).coefficients(ridge), self.flat[near.rows])
        return answer

    def leave_one_out(self) -> Float[np.ndarray, " ridges"]:
        """The summed squared error of answering parents from the others, for each of the ridges."""
        errors, flat = np.zeros(len(RIDGE_PARTS)), self.flat
        if len(flat) == 1:
            return errors
        count, judged = self.neighbours(of=len(flat) - 1), np.arange(len(flat))[:: -(-len(flat) // JUDGED_MAX)]
        for part in self._parts(len(judged), count=count):
            near = _without_first(self._near(self.centers[judged[part]], count=count + 1))
            planes, tuples, own = _Planes.of(near), flat[near.rows], flat[judged[part]]
            errors += [((_combine(planes.coefficients(ridge), tuples) - own) ** 2).sum() for ridge in RIDGE_PARTS]
        return errors

    def _parts(self, cells: int, *, count: int) -> Iterator[slice]:
        """So many cells at once that the numbers held are bounded."""
        dimension, compared = self.centers.shape[1], len(self.centers) if self._is_plain else 0
        width = count * (2 * self.flat.shape[1] + 4 * dimension) + dimension**2 + compared * dimension
        step = max(1, _FLOATS // width)
        return (slice(low, low + step) for low in range(0, cells, step))

    @property
    def _is_plain(self) -> bool:
        return len(self.centers) <= _PLAIN_PARENTS  # a matter of the parents alone: answers do not depend on the batch

    def _near(self, center: Float[np.ndarray, "cells dim"], *, count: int) -> _Near:
        """The nearest parents, ``count`` of them."""
        asked = min(count + 1, len(self.centers))
        rows = self._candidates(center, count=asked)
        with np.errstate(over="ignore", invalid="ignore"):  # what is beyond floats is told by who looks at the answer
            offset = self.centers[rows] - center[:, None]
            distance = _lengths(offset)
        order = np.lexsort((rows, distance))
        rows, distance = np.take_along_axis(rows, order, 1), np.take_along_axis(distance, order, 1)
        offset = np.take_along_axis(offset, order[:, :, None], 1)
        reach = distance[:, count] if asked > count else np.full(len(center), np.inf)
        return _Near(rows[:, :count], offset[:, :count], distance[:, :count], reach)

    def _candidates(self, center: Float[np.ndarray, "cells dim"], *, count: int) -> Int[np.ndarray, "cells count"]:
        """The nearest parents in any order. Which of equally far ones is last is no matter, because those weigh nothing, ...

        ... but where all are equally near: there the lowest rows come.
        """
        if self._is_plain:
            return _compare(self.centers, center, count=count)
        distance, rows = map(np.asarray, self._tree.query(np.nan_to_num(center), k=np.arange(1, count + 1)))
        for cell in np.flatnonzero(distance[:, 0] == distance[:, -1]):
            rows[cell] = _compare(self.centers, center[cell : cell + 1], count=count)[0]
        return rows


@dataclass(frozen=True, eq=False, kw_only=True)
class LocalLinear(Predictor):
    """``T = a + B (x - c)`` over the nearest observed parents, weighted; the answer is a. Each cell is solved by itself."""

    family: ClassVar[str] = "local-linear"

    centers: Float[np.ndarray, "parents dim"]
    tuples: Float[np.ndarray, "parents arity dim"]
    ridge: float  # lambda as a part of tr/d

    @cached_property
    def _parents(self) -> _Parents:
        return _Parents(self.centers, self.tuples)

    def _tuples(self, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
        return self._parents.answer(frontier.center, ridge=self.ridge).reshape(-1, self.arity, self.dimension)

    def describe(self) -> dict[str, Any]:
        """How many neighbours a cell looks at, and the ridge."""
        neighbours = self._parents.neighbours(of=len(self.centers))
        return {**super().describe(), "neighbours": neighbours, "ridge": self.ridge}

    @classmethod
    def learn(cls, observed: Frontier, tuples: np.ndarray, *, how: Learning) -> dict[str, Any]:
        """The parents as ``nearest`` keeps them, and the ridge of least leave-one-out error."""
        kept = keep_parents(observed, tuples)
        return {**kept, "ridge": RIDGE_PARTS[int(_Parents(**kept).leave_one_out().argmin())]}


def _lengths(vectors: Float[np.ndarray, "*shape dim"]) -> Float[np.ndarray, "*shape"]:
    """Norms added up axis by axis: a sum over a row would come out differently for other shapes."""
    squares = np.zeros(vectors.shape[:-1])
    for axis in range(vectors.shape[-1]):
        squares += vectors[..., axis] ** 2
    lengths: np.ndarray = np.sqrt(squares)
    return lengths


def _compare(
    centers: Float[np.ndarray, "parents dim"], asked: Float[np.ndarray, "cells dim"], *, count: int
) -> Int[np.ndarray, "cells count"]:
    """The nearest centers by comparing all of them; the lowest rows where they are equally near."""
    with np.errstate(over="ignore", invalid="ignore"):
        distance = _lengths(centers[None] - asked[:, None])
    rows: np.ndarray = np.argpartition(distance, count - 1, axis=1)[:, :count]
    found = np.take_along_axis(distance, rows, 1)
    for cell in np.flatnonzero(found.min(axis=1) == found.max(axis=1)):
        rows[cell] = np.argsort(distance[cell], kind="stable")[:count]
    return rows


def _without_first(near: _Near) -> _Near:
    """Without the nearest one, which is the asked parent itself."""
    return _Near(near.rows[:, 1:], near.offset[:, 1:], near.distance[:, 1:], near.reach)


def _weights(near: _Near) -> Float[np.ndarray, "cells near"]:
    """``(1 / d_i - 1 / r)^2``, scaled to the sum 1; equal ones where all neighbours are as far as the next nearest."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        first, reach = near.distance[:, :1], near.reach[:, None]
        inside = np.where(reach > 0, 1 - near.distance / reach, 0.0)
        closeness = np.where(first > 0, first / near.distance, near.distance == 0) * (inside / inside[:, :1])
    closeness[inside[:, 0] <= 0] = 1.0
    closeness[:, 0] = 1.0
    squares = closeness**2
    weights: np.ndarray = squares / _row_sums(squares)[:, None]
    return weights


def _row_sums(values: Float[np.ndarray, "cells near"]) -> Float[np.ndarray, " cells"]:
    """Sums added up column by column, the same bits whatever the number of rows."""
    total = np.zeros(len(values))
    for column in values.T:
        total += column
    return total


@dataclass(frozen=True, eq=False)
class _Planes:
    """The weighted neighbours of some cells, turned to the axes of their covariance: all that a plane needs but the ridge."""

    weights: Float[np.ndarray, "cells near"]
    turned: Float[np.ndarray, "cells near dim"]  # offsets from their mean, along the axes
    mean: Float[np.ndarray, "cells dim"]  # of the offsets, along the axes
    variances: Float[np.ndarray, "cells dim"]

    @classmethod
    def of(cls, near: _Near) -> "_Planes":
        """The planes through these neighbours; not-a-number throughout where numbers are beyond floats."""
        weights = _weights(near)
        mean = (weights[:, None] @ near.offset)[:, 0]
        deviation = near.offset - mean[:, None]
        covariance = deviation.transpose(0, 2, 1) @ (weights[:, :, None] * deviation)
        sound = np.isfinite(covariance).all(axis=(1, 2))
        mean[~sound] = np.nan
        variances, axes = np.linalg.eigh(np.where(sound[:, None, None], covariance, 0.0))
        return cls(weights, deviation @ axes, (mean[:, None] @ axes)[:, 0], variances)

    def coefficients(self, ridge: float) -> Float[np.ndarray, "cells near"]:
        """What multiplies the neighbours' tuples in the answer; rows sum to 1.

        With u the weighted mean of the offsets u_i and C their covariance, the answer is
        ``a = sum w_i (1 - (u_i - u)^t (C + lambda)^-1 u) T_i``.
        """
        total = _row_sums(np.maximum(self.variances, 0.0))[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            fading = np.where(total > 0, np.clip(self.variances / (_FLAT * total) - 1, 0.0, 1.0), 0.0)
            inverse = fading / (self.variances + ridge * total / self.variances.shape[1])
        slope = np.where(fading > 0, inverse, 0.0) * self.mean
        coefficients: np.ndarray = self.weights * (1 - (self.turned @ slope[:, :, None])[:, :, 0])
        return coefficients


def _combine(
    coefficients: Float[np.ndarray, "cells near"], tuples: Float[np.ndarray, "cells near numbers"]
) -> Float[np.ndarray, "cells numbers"]:
    """The weighted sum of tuples, from the first one on, so that equal tuples give exactly themselves."""
    combined: np.ndarray = tuples[:, 0] + (coefficients[:, None] @ (tuples - tuples[:, :1]))[:, 0]
    return combined
