"""The baselines: what a predictor has to beat before anybody should believe it."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.model.growth import Frontier
from cfgraph.predictors.predictor import Learning, Predictor

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

NUMBERS_MAX = (
    4_000_000  # floats that `nearest` and `local-linear` keep at most, 32 MB: it is a property of one node of the graph
)
RIDGE_PARTS = (0.0, *(10.0**power for power in range(-8, 4)))
_ROUNDING = 1e-12  # singular values below this share of the largest are rounding
_PLAIN_NUMBERS, _PLAIN_DIMENSIONS = 1_000_000, 3  # what `nearest` compares one with one, without a tree
_TIES = 8  # neighbours asked for at once to find the lowest row among equally near ones


class Zero(Predictor):
    """No residual at all: every child on its parent."""

    family: ClassVar[str] = "zero"

    def _tuples(self, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
        return np.zeros((len(frontier), self.arity, self.dimension))

    def lipschitz(self) -> float:
        """0: a constant rule."""
        return 0.0

    @classmethod
    def learn(cls, observed: Frontier, tuples: np.ndarray, *, how: Learning) -> dict[str, Any]:
        """Nothing to learn."""
        return {}


@dataclass(frozen=True, eq=False, kw_only=True)
class Mean(Predictor):
    """The mean of the observed tuples, for every cell."""

    family: ClassVar[str] = "mean"

    mean: Float[np.ndarray, "arity dim"]

    def _tuples(self, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
        return np.repeat(self.mean[None], len(frontier), axis=0)

    def lipschitz(self) -> float:
        """0: a constant rule."""
        return 0.0

    @classmethod
    def learn(cls, observed: Frontier, tuples: np.ndarray, *, how: Learning) -> dict[str, Any]:
        """The mean tuple; summed from its first tuple on, so that equal tuples give exactly themselves."""
        return {"mean": tuples[0] + (tuples - tuples[0]).mean(axis=0)}


@dataclass(frozen=True, eq=False, kw_only=True)
class Nearest(Predictor):
    """The tuple of the observed parent whose center is nearest; of equally near ones, the first observed.

    Where more than ``NUMBERS_MAX`` numbers would have to be kept, evenly spaced parents are.
    """

    family: ClassVar[str] = "nearest"

    centers: Float[np.ndarray, "parents dim"]
    tuples: Float[np.ndarray, "parents arity dim"]

    @cached_property
    def _tree(self) -> "cKDTree":
        from scipy.spatial import cKDTree

        return cKDTree(self.centers)

    def _tuples(self, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
        return self.tuples.take(self._rows(frontier.center), axis=0)

    def _rows(self, center: Float[np.ndarray, "cells dim"]) -> Int[np.ndarray, " cells"]:
        """The lowest row among the observed centers that are equally near."""
        if center.shape[1] <= _PLAIN_DIMENSIONS and center.size * len(self.centers) <= _PLAIN_NUMBERS:
            return _nearest_rows(self.centers, center)  # spares the import of SciPy, which takes longer than a small training
        return self._rows_by_tree(center)

    def _rows_by_tree(self, center: Float[np.ndarray, "cells dim"]) -> Int[np.ndarray, " cells"]:
        count = min(_TIES, len(self.centers))
        distance, rows = map(np.asarray, self._tree.query(center, k=np.arange(1, count + 1)))
        tied = distance == distance[:, :1]
        lowest: np.ndarray = np.where(tied, rows, len(self.centers)).min(axis=1)
        if count < len(self.centers):
            for cell in np.flatnonzero(tied[:, -1]):  # so many are equally near that more may be
                lowest[cell] = np.linalg.norm(self.centers - center[cell], axis=1).argmin()
        return lowest

    @classmethod
    def learn(cls, observed: Frontier, tuples: np.ndarray, *, how: Learning) -> dict[str, Any]:
        """The observed centers, each once, and their tuples."""
        return keep_parents(observed, tuples)


def keep_parents(observed: Frontier, tuples: Float[np.ndarray, "parents arity dim"]) -> dict[str, np.ndarray]:
    """``centers`` and ``tuples`` of the observed parents, each center once; evenly spaced ones above ``NUMBERS_MAX``."""
    rows = np.sort(np.unique(observed.center, axis=0, return_index=True)[1])
    rows = rows[:: 1 + len(rows) * (1 + tuples.shape[1]) * tuples.shape[2] // NUMBERS_MAX]
    return {"centers": observed.center[rows], "tuples": tuples[rows]}


def _nearest_rows(
    centers: Float[np.ndarray, "parents dim"], asked: Float[np.ndarray, "cells dim"]
) -> Int[np.ndarray, " cells"]:
    """The first of the nearest centers, by distances added up axis by axis, as SciPy's tree adds them up to three axes."""
    squares = np.zeros((len(asked), len(centers)))
    for axis in range(centers.shape[1]):
        squares += (asked[:, None, axis] - centers[None, :, axis]) ** 2
    rows: np.ndarray = np.sqrt(squares).argmin(axis=1)
    return rows


@dataclass(frozen=True, eq=False, kw_only=True)
class Affine(Predictor):
    """``T(c) = offset + (c - origin) matrix``: ridge regression on the center."""

    family: ClassVar[str] = "affine"

    origin: Float[np.ndarray, " dim"]
    matrix: Float[np.ndarray, "dim arity dim"]
    offset: Float[np.ndarray, "arity dim"]
    ridge: float  # lambda as a part of tr/d

    def _tuples(self, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
        tuples: np.ndarray = self.offset + np.einsum("ce,ekd->ckd", frontier.center - self.origin, self.matrix)
        return tuples

    def lipschitz(self) -> float:
        """The largest operator norm of a slot's matrix."""
        return float(np.linalg.norm(self.matrix, ord=2, axis=(0, 2)).max())

    def describe(self) -> dict[str, Any]:
        """The Lipschitz constant and the ridge."""
        return {**super().describe(), "ridge": self.ridge}

    @classmethod
    def learn(cls, observed: Frontier, tuples: np.ndarray, *, how: Learning) -> dict[str, Any]:
        """Ridge regression whose lambda, a part of tr/d, has the least leave-one-out error."""
        origin, offset = observed.center.mean(axis=0), tuples.mean(axis=0)
        target = (tuples - offset).reshape(len(tuples), -1)
        left, values, right = np.linalg.svd(observed.center - origin, full_matrices=False)
        kept = values > _ROUNDING * max(values.max(initial=0.0), np.abs(origin).max(initial=0.0))
        left, values, right = left[:, kept], values[kept], right[kept]
        penalties = {part: part * float(values @ values) / len(origin) for part in RIDGE_PARTS}
        errors = {part: _leave_one_out(left, values, target, penalty=penalties[part]) for part in RIDGE_PARTS}
        ridge = min(errors, key=errors.__getitem__)
        matrix = (right.T * (values / (values**2 + penalties[ridge]))) @ (left.T @ target)
        return {"origin": origin, "matrix": matrix.reshape(-1, *offset.shape), "offset": offset, "ridge": ridge}


def _leave_one_out(left: np.ndarray, values: np.ndarray, target: np.ndarray, *, penalty: float) -> float:
    """The summed squared error of predicting each row from all the others: ``residual / (1 - leverage)``, in closed form."""
    shrink = values**2 / (values**2 + penalty)
    residual = target - (left * shrink) @ (left.T @ target)
    freedom = 1 - 1 / len(target) - (left**2) @ shrink  # 1 / n: the offset is learned too
    if not (freedom > _ROUNDING).all():
        return np.inf
    return float(((residual / freedom[:, None]) ** 2).sum())


class Parent(Predictor):
    """The tuple of a cell's parent again, slot by slot; zeros for a root."""

    family: ClassVar[str] = "parent"

    def _tuples(self, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
        return inherited(frontier)

    @classmethod
    def learn(cls, observed: Frontier, tuples: np.ndarray, *, how: Learning) -> dict[str, Any]:
        """Nothing to learn."""
        return {}


@dataclass(frozen=True, eq=False, kw_only=True)
class ScaledParent(Predictor):
    """``c T`` with T the tuple of a cell's parent and one number c; zeros for a root."""

    family: ClassVar[str] = "scaled-parent"

    factor: float

    def _tuples(self, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
        return self.factor * inherited(frontier)

    def describe(self) -> dict[str, Any]:
        """The factor c."""
        return {**super().describe(), "factor": self.factor}

    @classmethod
    def learn(cls, observed: Frontier, tuples: np.ndarray, *, how: Learning) -> dict[str, Any]:
        """``c = sum <T_parent, T> / sum <T_parent, T_parent>``; 1 where no parent's parent was observed."""
        above = inherited(observed)
        size = float(np.vdot(above, above))
        return {"factor": float(np.vdot(above, tuples)) / size if size > 0 else 1.0}


def inherited(frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
    """The tuple of each cell's parent, zeros for roots, in an array of its own."""
    tuples = frontier.parent_tuple
    roots: Bool[np.ndarray, " cells"] = frontier.slot < 0
    if roots.any():
        tuples[roots] = 0.0
    return tuples
