"""Recurrence: the tuple of a child is a fixed linear map, one a slot, of its parent's: ``T_wj = alpha_j T_w``.

Exact for an affine iterated function system whose displacements span a space that every map keeps: with U the root's
tuple, ``T_w = U A_w^t / s^|w|``, so that ``alpha_j U = U A_j^t / s`` (derived, docs/mathematics.md). It is fitted by least
squares over observed parents, ``alpha_j = (sum T_wj T_w^t) (sum T_w T_w^t)^+``.

Two things keep it precise where U is ill-conditioned. The squared sums are never formed: alpha comes from an orthogonal
triangularisation of the stacked tuples. And alpha_j is kept as ``step_j basis^t``, basis the singular directions of the
stacked tuples: rounding then hits each direction relative to its own size, and the error of a rollout grows with the
condition number of U, where with the product alpha_j, K x K, it grows with its square.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.model.growth import Frontier
from cfgraph.predictors.predictor import Learning, Predictor

RIDGE_PARTS = (0.0, 1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
SPAN_TOLERANCE = 1e-9  # of the span test, relative to the tuple
GROWTH_TOLERANCE = 1e-9
_ROUNDING = 1e-13  # singular values below this share of the largest are rounding: a few hundred units in the last place
_DENSE_SIZE = 32  # arity * dimension up to which one dense product over whole families is fastest
_CHUNK = 8192  # families triangularised at once


@dataclass(frozen=True, eq=False, kw_only=True)
class Recurrence(Predictor):
    """``T_wj = alpha_j T_w`` with ``alpha_j = step_j basis^t``; zeros for a root."""

    family: ClassVar[str] = "recurrence"

    basis: Float[np.ndarray, "arity rank"]
    step: Float[np.ndarray, "arity arity rank"]  # slot of the cell, slot of its child, direction
    root_tuple: Float[np.ndarray, "arity dim"]
    root_center: Float[np.ndarray, " dim"]
    root_scale: float
    growth: float  # max_j norm2(U^+ alpha_j U), as fitted
    rescaled: Sequence[int]  # the slots whose alpha was divided by its growth, because that exceeded 1
    fit: float  # the relative error over the observed pairs: sqrt(sum |alpha_j T_w - T_wj|^2 / sum |T_wj|^2)
    ridge: float  # lambda as a part of tr/K
    span_residual: float | None  # how far the tuples of the root's children leave the span of the root's: see below

    @property
    def alpha(self) -> Float[np.ndarray, "arity arity arity"]:
        """The matrices alpha_j, slot by slot."""
        alpha: np.ndarray = self.step @ self.basis.T
        return alpha

    @property
    def rank(self) -> int:
        """The dimension of the span of the root's residuals: how much of the maps can be told."""
        return int(np.linalg.matrix_rank(self.root_tuple, rtol=_ROUNDING)) if self.root_tuple.any() else 0

    def maps(self) -> tuple[Float[np.ndarray, "arity dim dim"], Float[np.ndarray, "arity dim"]]:
        """The affine maps ``f_j(x) = A_j x + t_j`` that the recurrence stands for, on the span of the root's residuals.

        ``A_j = s (U^+ alpha_j U)^t`` and ``t_j = c_j - A_j x0``, c_j the centers of the root's children, x0 the root's
        (derived, docs/mathematics.md).
        """
        turned = _conjugate(self.step, basis=self.basis, root_tuple=self.root_tuple)
        matrix = self.scale_factor * turned.transpose(0, 2, 1)
        children = self.root_center + self.root_scale * self.root_tuple
        return matrix, children - matrix @ self.root_center

    def describe(self) -> dict[str, Any]:
        """The recovered maps, growth and fit."""
        matrix, offset = self.maps()
        maps = [{"matrix": a, "offset": t} for a, t in zip(matrix.tolist(), offset.tolist(), strict=True)]
        names = ("growth", "rescaled", "fit", "ridge", "span_residual")
        shown = {name: value for name, value in self.config().items() if name in names}
        return {**super().describe(), **shown, "rank": self.rank, "maps": maps}

    def config(self) -> dict[str, Any]:
        """The fields that are not arrays, ready for JSON."""
        return {**super().config(), "rescaled": list(self.rescaled)}

    def _tuples(self, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
        if frontier.family is None:
            return self._families(frontier.tuples).reshape(-1, self.arity, self.dimension)
        families, family = np.unique(frontier.family, return_inverse=True)
        tuples: np.ndarray = self._families(frontier.tuples[families])[family, frontier.slot]
        tuples[frontier.slot < 0] = 0.0
        return tuples

    def _families(self, tuples: Float[np.ndarray, "families arity dim"]) -> Float[np.ndarray, "families arity arity dim"]:
        """The tuples of all members of whole families."""
        shape = (len(tuples), self.arity, self.arity, self.dimension)
        if self._dense is not None:
            project, advance = self._dense
            members: np.ndarray = tuples.reshape(len(tuples), -1) @ project @ advance
        else:
            members = self.step.reshape(self.arity**2, -1) @ (np.ascontiguousarray(self.basis.T) @ tuples)
        return members.reshape(shape)

    @cached_property
    def _dense(self) -> tuple[np.ndarray, np.ndarray] | None:
        """``basis`` and ``step`` as matrices that act on whole families laid out flat; None where they would be large."""
        if self.arity * self.dimension > _DENSE_SIZE:
            return None
        axes = np.eye(self.dimension)
        steps = self.step.reshape(self.arity**2, -1)
        return np.kron(self.basis, axes), np.ascontiguousarray(np.kron(steps, axes).T)

    @classmethod
    def learn(cls, observed: Frontier, tuples: np.ndarray, *, how: Learning) -> dict[str, Any]:
        """Least squares over observed pairs of a cell and its parent; the ridge by validation on the deepest level.

        Raises:
            InputError: where no cell and its parent were both observed, or the root was not.
        """
        pairs = _Pairs.of(observed, tuples)
        root = _root_row(observed)
        if len(pairs) == 0:
            raise InputError(
                "the recurrence learns from cells whose own and whose parent's children are observed, and there are none; "
                "train on a prefix of depth 2 or more"
            )
        ridge = _choose_ridge(pairs)
        basis, step = _solve(pairs, ridge=ridge)
        growths = _growths(step, basis=basis, root_tuple=tuples[root])
        rescaled = np.flatnonzero(growths > 1 + GROWTH_TOLERANCE)
        step[rescaled] /= growths[rescaled, None, None]
        return {
            "basis": basis,
            "step": step,
            "root_tuple": tuples[root],
            "root_center": observed.center[root],
            "root_scale": float(observed.scale[root]),
            "growth": float(growths.max()),
            "rescaled": tuple(rescaled.tolist()),
            "fit": _relative_error(pairs, basis=basis, step=step),
            "ridge": ridge,
            "span_residual": span_residual(observed, tuples),
        }


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Observed pairs of a cell and its parent: the cell's slot and level, its parent's tuple T_w and its own T_wj."""

    slot: Int[np.ndarray, " pairs"]
    level: Int[np.ndarray, " pairs"]
    above: Float[np.ndarray, "pairs arity dim"]
    own: Float[np.ndarray, "pairs arity dim"]

    def __len__(self) -> int:
        return len(self.slot)

    @classmethod
    def of(cls, observed: Frontier, tuples: np.ndarray) -> "_Pairs":
        rows = np.flatnonzero(observed.slot >= 0)
        above = observed.tuples[observed.family_rows[rows]]
        return cls(slot=observed.slot[rows], level=observed.level[rows], above=above, own=tuples[rows])

    def take(self, rows: np.ndarray | slice) -> "_Pairs":
        return _Pairs(slot=self.slot[rows], level=self.level[rows], above=self.above[rows], own=self.own[rows])

    def of_slot(self, slot: int) -> "_Pairs":
        """The pairs of one slot; all pairs where that slot has none (a ragged tree whose slot is never expanded)."""
        rows = self.slot == slot
        return self.take(rows) if rows.any() else self


def span_residual(observed: Frontier, tuples: Float[np.ndarray, "parents arity dim"]) -> float | None:
    """``max_j norm((I - U U^+) T_j) / norm(T_j)`` over the root's observed children: how far they leave the span of U.

    Zero but for rounding where a recurrence can be exact. With more slots than dimensions it tests one that has no unseen
    pair left to be tested on. None where none of the root's children was observed.
    """
    pairs = _Pairs.of(observed, tuples)
    first = pairs.own[pairs.level == observed.level.min() + 1]
    if len(first) == 0:
        return None
    left, values, _ = np.linalg.svd(tuples[_root_row(observed)], full_matrices=False)
    left = left[:, values > _ROUNDING * values[0]]
    outside = np.linalg.norm(first - left @ (left.T @ first), axis=(1, 2))
    size = np.linalg.norm(first, axis=(1, 2))
    return float(np.divide(outside, size, out=np.zeros_like(outside), where=size > 0).max())


def _root_row(observed: Frontier) -> int:
    roots = np.flatnonzero(observed.slot < 0)
    if len(roots) != 1:
        raise InputError("the recurrence needs the root with all its children among the observed cells, and it is not there")
    return int(roots[0])


def _choose_ridge(pairs: _Pairs) -> float:
    """The part of tr/K that predicts the deepest observed level best from those above it; 0 where there is but one."""
    deepest = pairs.level == pairs.level.max()
    if deepest.all():
        return 0.0
    shallow, held_out = pairs.take(~deepest), pairs.take(deepest)
    errors = {}
    for part in RIDGE_PARTS:
        basis, step = _solve(shallow, ridge=part)
        errors[part] = _relative_error(held_out, basis=basis, step=step)
    return min(errors, key=errors.__getitem__)


def _solve(pairs: _Pairs, *, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """The basis of the span of all parents' tuples, and each slot's steps along it."""
    arity = pairs.own.shape[1]
    values, right = np.linalg.svd(_triangularise(_rows(pairs.above, step=_CHUNK)), full_matrices=False)[1:]
    basis = right[values > _ROUNDING * values[0]].T.copy()
    step = np.zeros((arity, arity, basis.shape[1]))
    if basis.shape[1]:
        for slot in range(arity):
            step[slot] = _solve_slot(pairs.of_slot(slot), basis=basis, ridge=ridge)
    return basis, step


def _solve_slot(pairs: _Pairs, *, basis: Float[np.ndarray, "arity rank"], ridge: float) -> Float[np.ndarray, "arity rank"]:
    """``min sum |step basis^t T_w - T_wj|^2 + lambda |step|^2`` with lambda a part of ``tr(sum T_w T_w^t) / K``."""
    arity, rank = basis.shape
    both = zip(_rows(pairs.above, step=_CHUNK), _rows(pairs.own, step=_CHUNK), strict=True)
    triangle = _triangularise(np.hstack([above @ basis, own]) for above, own in both)[:rank]
    left, values, right = np.linalg.svd(triangle[:, :rank], full_matrices=False)
    kept = values > _ROUNDING * values[0]
    left, values, right = left[:, kept], values[kept], right[kept]
    shrink = values / (values**2 + ridge * float(values @ values) / arity)
    step: np.ndarray = (left.T @ triangle[:, rank:]).T * shrink @ right
    return step


def _rows(tuples: Float[np.ndarray, "families arity dim"], *, step: int) -> Iterable[Float[np.ndarray, "rows arity"]]:
    """The tuples' columns as rows, a row an axis of a family, some families at a time."""
    arity = tuples.shape[1]
    for low in range(0, len(tuples), step):
        yield tuples[low : low + step].transpose(0, 2, 1).reshape(-1, arity)


def _triangularise(parts: Iterable[Float[np.ndarray, "rows columns"]]) -> Float[np.ndarray, "fewer columns"]:
    """The triangle R of ``Q R``, the parts on top of each other: their least squares without their squares or their bulk."""
    triangle = np.zeros((0, 0))
    for part in parts:
        stacked = np.vstack([triangle, part]) if len(triangle) else part
        triangle = np.asarray(np.linalg.qr(stacked, mode="r"))  # an array already, though numpy's types say a pair
    return triangle


def _growths(step: np.ndarray, *, basis: np.ndarray, root_tuple: np.ndarray) -> Float[np.ndarray, " arity"]:
    growths: Float[np.ndarray, " arity"] = np.linalg.norm(
        _conjugate(step, basis=basis, root_tuple=root_tuple), ord=2, axis=(1, 2)
    )
    return growths


def _conjugate(step: np.ndarray, *, basis: np.ndarray, root_tuple: np.ndarray) -> Float[np.ndarray, "arity dim dim"]:
    """``U^+ alpha_j U`` for every slot."""
    left, values, right = np.linalg.svd(root_tuple, full_matrices=False)
    kept = values > _ROUNDING * values[0]
    inverse = (right[kept].T / values[kept]) @ left[:, kept].T
    turned: np.ndarray = inverse @ (step @ (basis.T @ root_tuple))
    return turned


def _relative_error(pairs: _Pairs, *, basis: np.ndarray, step: np.ndarray) -> float:
    error = size = 0.0
    for low in range(0, len(pairs), _CHUNK):
        part = pairs.take(slice(low, low + _CHUNK))
        residual = step[part.slot] @ (basis.T @ part.above) - part.own
        error, size = error + float(np.vdot(residual, residual)), size + float(np.vdot(part.own, part.own))
    return float(np.sqrt(error / size)) if size > 0 else 0.0
