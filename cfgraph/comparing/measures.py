"""Measures of a rollout: how far predicted residual tuples, paths and sets of centers are from the true ones.

Arrays in, numbers out; nothing here knows of cells, stores or predictors. What is measured over more parents than fit
into memory is summed up in :class:`TupleSums`, which add; samples are kept by :class:`Sample`, which merge.
Definitions: docs/mathematics.md, the table of measures.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, UInt64

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

SLOT_TOLERANCE = 1e-12  # times mean |r|^2: by how much the identity may cost more than the best assignment
PRIORITY_MAX = 2**64 - 1  # of a row of a sample: any
CHUNK_FLOATS = 1 << 20  # numbers in one intermediate array: what bounds the memory of the permutation-invariant measures
RESERVOIR_SHARE = 1.5  # of the rows of a sample that are kept until it is cut down
SUBSET_ARITY_MAX = 6  # up to here the assignment is solved for all parents at once, over the subsets of slots
_EXPONENT_MIN, _EXPONENT_COUNT = -1080, 2110  # binary exponents of all positive floats lie in this range


def squared_distances(
    predicted: Float[np.ndarray, "parents arity dim"], true: Float[np.ndarray, "parents arity dim"]
) -> Float[np.ndarray, "parents arity arity"]:
    """``|r^_k - r_j|^2`` for the predicted slot k and the true slot j of each parent, by differences (no cancellation)."""
    cost = np.empty((*true.shape[:2], true.shape[1]))
    for slot in range(true.shape[1]):
        difference = predicted[:, slot, None] - true
        cost[:, slot] = np.einsum("pkd,pkd->pk", difference, difference)
    return cost


def _assignments(cost, *, nearest):
    """The assignments, given the least cost in every column and in every row."""
    parents, arity = cost.shape[:2]
    assignment = np.tile(np.arange(arity), (parents, 1))
    own = np.einsum("pkk->pk", cost)
    settled = np.logical_or(*((own <= least).all(axis=1) for least in nearest))
    open_rows = np.flatnonzero(~settled)
    solve = _assign_by_subsets if arity <= SUBSET_ARITY_MAX else _assign_one_by_one
    if len(open_rows):
        assignment[open_rows] = solve(cost[open_rows])
    return assignment


def _least(cost, *, axis):
    """The minimum over a short axis: slice by slice, several times as fast as ``cost.min(axis=axis)``."""
    return reduce(np.minimum, np.moveaxis(cost, axis, 0))


def _assign_one_by_one(cost):
    from scipy.optimize import linear_sum_assignment

    return np.stack([linear_sum_assignment(matrix)[1] for matrix in cost])


def _assign_by_subsets(cost):
    """Dynamic programming: the best way to give the first n rows a set of n columns, for every set; all parents at once."""
    parents, arity = cost.shape[:2]
    entries = np.ascontiguousarray(cost.transpose(1, 2, 0))
    best = np.full((1 << arity, parents), np.inf)
    best[0] = 0.0
    last = np.zeros((1 << arity, parents), dtype=np.int8)
    for subset in range(1, 1 << arity):
        row = subset.bit_count() - 1
        for column in _members(subset):
            total = best[subset ^ (1 << column)] + entries[row, column]
            better = total < best[subset]
            np.copyto(best[subset], total, where=better)
            last[subset, better] = column
    return _retrace(last, arity=arity)


def _members(subset: int) -> list[int]:
    return [column for column in range(subset.bit_length()) if subset >> column & 1]


def _retrace(last, *, arity):
    parents = last.shape[1]
    assignment = np.empty((parents, arity), dtype=np.int64)
    subset = np.full(parents, (1 << arity) - 1)
    for row in reversed(range(arity)):
        assignment[:, row] = last[subset, np.arange(parents)]
        subset ^= 1 << assignment[:, row]
    return assignment


@dataclass(frozen=True)
class TupleMeasures:
    """The measures of one level; None where there is nothing to measure (no parent, or a mean of zero to divide by).

    With r^, r of shape (parents, K, d): ``MSE = mean |r^_k - r_k|^2``, ``nMSE = MSE / mean |r_k|^2``, ``PI-CD = mean over
    parents of (1/K) sum_k min_j |r^_k - r_j|^2 + (1/K) sum_j min_k |r^_k - r_j|^2``, PI-MSE the mean squared distance of the
    best assignment, slot accuracy the share of slots that it gives to themselves; the identity counts as right where it costs
    at most 1e-12 mean |r|^2 more than the best.
    """

    mse: float | None = None
    nmse: float | None = None
    pi_cd: float | None = None
    pi_mse: float | None = None
    slot_accuracy: float | None = None


@dataclass(frozen=True, eq=False)
class TupleSums:
    """Sums over parents from which :class:`TupleMeasures` follow; two of them add up to the sums over both.

    Whether a slot counts as right depends on the mean of ``|r|^2`` over *all* parents, which is known at the end only. So
    the slots that a parent loses where the identity is *not* taken for right are counted by the binary exponent of what the
    identity costs too much, and the tolerance is applied to whole powers of two.
    """

    parents: int = 0
    slots: int = 0
    squared_error: float = 0.0  # over parents and slots
    squared_norm: float = 0.0  # of the true residuals, over parents and slots
    chamfer: float = 0.0  # over parents
    assigned: float = 0.0  # over parents: mean squared distance of the best assignment
    lost: Int[np.ndarray, " exponents"] = field(default_factory=lambda: np.zeros(_EXPONENT_COUNT, dtype=np.int64))

    @classmethod
    def of(cls, predicted: Float[np.ndarray, "parents arity dim"], true: Float[np.ndarray, "parents arity dim"]) -> "TupleSums":
        """The sums over these parents, in chunks whose memory is bounded."""
        parents, arity, dimension = true.shape
        chunk = max(1, CHUNK_FLOATS // (arity * max(arity, dimension)))
        parts = (slice(low, low + chunk) for low in range(0, parents, chunk))
        return sum((cls._of_chunk(predicted[part], true[part]) for part in parts), start=cls())

    @classmethod
    def _of_chunk(cls, predicted, true) -> "TupleSums":
        parents, arity = true.shape[:2]
        cost = squared_distances(predicted, true)
        nearest = _least(cost, axis=1), _least(cost, axis=2)
        assignment = _assignments(cost, nearest=nearest)
        best = np.take_along_axis(cost, assignment[..., None], axis=2)[..., 0].mean(axis=1)
        own = np.einsum("pkk->pk", cost)
        return cls(
            parents=parents,
            slots=parents * arity,
            squared_error=float(own.sum()),
            squared_norm=float(np.einsum("pkd,pkd->", true, true)),
            chamfer=sum(float(least.sum()) for least in nearest) / arity,
            assigned=float(best.sum()),
            lost=_lost_slots(own.mean(axis=1) - best, wrong=(assignment != np.arange(arity)).sum(axis=1)),
        )

    def __add__(self, other: "TupleSums") -> "TupleSums":
        names = ("parents", "slots", "squared_error", "squared_norm", "chamfer", "assigned", "lost")
        return type(self)(**{name: getattr(self, name) + getattr(other, name) for name in names})

    def measures(self) -> TupleMeasures:
        """MSE, nMSE, PI-CD, PI-MSE and slot accuracy over all parents summed up so far."""
        if self.parents == 0:
            return TupleMeasures()
        return TupleMeasures(
            mse=self.squared_error / self.slots,
            nmse=self.squared_error / self.squared_norm if self.squared_norm > 0 else None,
            pi_cd=self.chamfer / self.parents,
            pi_mse=self.assigned / self.parents,
            slot_accuracy=1 - self._lost_beyond_tolerance() / self.slots,
        )

    def _lost_beyond_tolerance(self) -> int:
        tolerated = math.frexp(SLOT_TOLERANCE * self.squared_norm / self.slots)[1] - _EXPONENT_MIN
        return int(self.lost[tolerated + 1 :].sum()) if self.squared_norm > 0 else int(self.lost.sum())


def _lost_slots(excess: Float[np.ndarray, " parents"], *, wrong: Int[np.ndarray, " parents"]) -> np.ndarray:
    """Slots not assigned to themselves, counted by the exponent of what the identity costs more than the best assignment."""
    open_rows = np.flatnonzero((wrong > 0) & (excess > 0))
    exponents = np.frexp(excess[open_rows])[1] - _EXPONENT_MIN
    return np.bincount(exponents, weights=wrong[open_rows], minlength=_EXPONENT_COUNT).astype(np.int64)


@dataclass(frozen=True)
class PathDistortion:
    """How a path metric is distorted over pairs of cells; ``left_out`` pairs have true distance 0 and are not in ``pairs``."""

    pairs: int
    left_out: int
    mean_relative: float | None = None  # mean |d^/d - 1|
    max_relative: float | None = None  # max |d^/d - 1|
    multiplicative: float | None = None  # max (d^/d) * max (d/d^); infinite where a pair collapses
    max_additive: float | None = None  # max |d^ - d|


def path_distortion(predicted: Float[np.ndarray, " pairs"], true: Float[np.ndarray, " pairs"]) -> PathDistortion:
    """The distortion of predicted path distances against the true ones, pair by pair."""
    apart = true > 0
    predicted, true = predicted[apart], true[apart]
    left_out = int(len(apart) - apart.sum())
    if len(true) == 0:
        return PathDistortion(pairs=0, left_out=left_out)
    ratio = predicted / true
    return PathDistortion(
        pairs=len(true),
        left_out=left_out,
        mean_relative=float(np.abs(ratio - 1).mean()),
        max_relative=float(np.abs(ratio - 1).max()),
        multiplicative=float(ratio.max() / ratio.min()) if ratio.min() > 0 else math.inf,
        max_additive=float(np.abs(predicted - true).max()),
    )


def chain_distances(
    lengths: Float[np.ndarray, "cells levels"],
    *,
    first: Int[np.ndarray, " pairs"],
    second: Int[np.ndarray, " pairs"],
    meeting: Int[np.ndarray, " pairs"],
) -> Float[np.ndarray, " pairs"]:
    """Path distances from the lengths along each cell's own chain of ancestors: what lies below level ``meeting``, summed.

    ``lengths[i, l]`` is the length of the edge into cell i's ancestor of level l + 1 (0 below the cell itself); ``meeting``
    is the level of the lowest common ancestor of each pair.
    """
    below = np.arange(lengths.shape[1]) >= meeting[:, None]
    return np.where(below, lengths[first] + lengths[second], 0.0).sum(axis=1)


@dataclass(frozen=True, eq=False)
class PointSet:
    """Points that distances to the nearest of are asked for, by one thread or several; what that needs is made once."""

    points: Float[np.ndarray, "points dim"]
    _making: Lock = field(default_factory=Lock, repr=False)

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def _tree(self) -> "cKDTree":
        from scipy.spatial import cKDTree

        return cKDTree(self.points, balanced_tree=False, compact_nodes=False)

    def distances(self, points: Float[np.ndarray, "others dim"]) -> Float[np.ndarray, " others"]:
        """How far other points are from the nearest of these."""
        with self._making:
            tree = self._tree
        return np.asarray(tree.query(points)[0])


def hausdorff_distance(first: PointSet, second: PointSet, *, partner: Int[np.ndarray, " first"] | None = None) -> float:
    """The Hausdorff distance of two sets of points: the farthest that a point of one is from the nearest of the other.

    ``partner[i]`` is the row in ``second`` of a point that is probably near ``first.points[i]``, -1 where none is known. It
    only saves time: points are visited by falling distance to their partner, and the visit ends where no point that is
    left can be farther from the other set than what was found. The result is exact whatever the partners are.
    """
    if len(first) == 0 or len(second) == 0:
        return math.nan
    partner = np.full(len(first), -1) if partner is None else partner
    known = np.flatnonzero(partner >= 0)
    apart = _norms(first.points[known] - second.points[partner[known]])
    forward, backward = np.full(len(first), np.inf), np.full(len(second), np.inf)
    forward[known], backward[partner[known]] = apart, apart
    there = _farthest(first, second, bound=forward, at_least=0.0)
    return _farthest(second, first, bound=backward, at_least=there)


def _farthest(origins: PointSet, targets: PointSet, *, bound: np.ndarray, at_least: float) -> float:
    """The larger of ``at_least`` and the farthest that an origin is from the nearest target, which is within its bound."""
    left, farthest, chunk = np.flatnonzero(bound > at_least), at_least, 256
    while len(left):
        order = np.arange(len(left)) if chunk >= len(left) else np.argpartition(-bound[left], chunk)
        farthest = max(farthest, float(targets.distances(origins.points[left[order[:chunk]]]).max()))
        left = left[order[chunk:]]
        left, chunk = left[bound[left] > farthest], 2 * chunk
    return farthest


def _norms(vectors):
    return np.sqrt(np.einsum("nd,nd->n", vectors, vectors))


@dataclass(frozen=True, eq=False)
class Sample:
    """The rows of lowest priority among all rows seen, as columns; two samples merge into the sample of both.

    The priorities are hashes of addresses (:func:`hash_addresses`), so what is sampled depends on the seed and on the
    hierarchy alone, never on how it was read. ``seen`` counts the rows that were offered.
    """

    priority: UInt64[np.ndarray, " rows"]
    columns: dict[str, np.ndarray]
    seen: int

    def __len__(self) -> int:
        return len(self.priority)

    def merge(self, other: "Sample", *, size: int) -> "Sample":
        """The ``size`` rows of lowest priority of both."""
        return self.joined([self, other]).lowest(size)

    @classmethod
    def joined(cls, samples: "Sequence[Sample]") -> "Sample":
        """All rows of several samples."""
        columns = {name: np.concatenate([one.columns[name] for one in samples]) for name in samples[0].columns}
        return cls(np.concatenate([one.priority for one in samples]), columns, sum(one.seen for one in samples))

    def lowest(self, size: int) -> "Sample":
        """The ``size`` rows of lowest priority, in any order."""
        if len(self) <= size:
            return self
        rows = lowest_rows(self.priority, size=size)
        return type(self)(self.priority[rows], {name: column[rows] for name, column in self.columns.items()}, self.seen)

    @cached_property
    def by_priority(self) -> Int[np.ndarray, " rows"]:
        """The rows in order of priority: the same order however the sample came together."""
        return np.argsort(self.priority, kind="stable")

    def rows_of(self, priority: UInt64[np.ndarray, " wanted"]) -> Int[np.ndarray, " wanted"]:
        """The row that has each of these priorities, -1 where none has."""
        if np.array_equal(self.priority, priority):
            return np.arange(len(self))
        if len(self) == 0:
            return np.full(len(priority), -1)
        ordered = self.priority[self.by_priority]
        place = np.minimum(np.searchsorted(ordered, priority), len(self) - 1)
        return np.where(ordered[place] == priority, self.by_priority[place], -1)


def likely_max(size: int, *, of: int) -> int:
    """Below which the ``size`` lowest of so many priorities lie, but for one case in 10^9: they are even hashes."""
    if of <= size:
        return PRIORITY_MAX
    return min(PRIORITY_MAX, int((size + 6 * math.sqrt(size)) / of * 2**64))


class Reservoir:
    """The ``size`` rows of lowest priority among those of samples that come one after another, in any order.

    Some more rows than these are kept, so that few of the samples cost a pass over all that is kept. ``priority_max`` is what
    no row can have that still counts: whoever makes the next sample may leave those above it out.
    """

    def __init__(self, size: int):
        self._size, self._kept, self._rows, self.priority_max = size, list[Sample](), 0, PRIORITY_MAX

    def add(self, sample: Sample | None) -> None:
        """Add a sample; None is an empty one."""
        if sample is None:
            return
        self._kept.append(sample)
        self._rows += len(sample)
        if self._rows > RESERVOIR_SHARE * self._size:
            self.sample()

    def sample(self) -> Sample | None:
        """The rows of lowest priority; None where nothing was added."""
        if not self._kept:
            return None
        found = Sample.joined(self._kept).lowest(self._size)
        self._kept, self._rows = [found], len(found)
        if len(found) == self._size:
            self.priority_max = int(found.priority.max())
        return found


def lowest_rows(priority: UInt64[np.ndarray, " rows"], *, size: int) -> Int[np.ndarray, " kept"]:
    """The rows of the ``size`` lowest priorities, in any order."""
    if size >= len(priority):
        return np.arange(len(priority))
    return np.argpartition(priority, size)[:size]


def hash_addresses(
    parent: Int[np.ndarray, " cells"], slot: Int[np.ndarray, " cells"], *, starts: Int[np.ndarray, " levels"], top: int
) -> UInt64[np.ndarray, " cells"]:
    """A hash of 64 bits for the address of every cell: ``h(child) = mix(h(parent) + (slot + 1) * odd)``.

    ``parent`` and ``slot`` are the columns of cells in breadth-first order, ``starts`` the row where each level begins (and
    the number of rows at the end), ``top`` the hash of row 0.
    """
    hashes = np.empty(len(parent), dtype=np.uint64)
    hashes[0] = top
    for low, high in zip(starts[1:-1].tolist(), starts[2:].tolist(), strict=True):
        hashes[low:high] = _mix(hashes[parent[low:high]] + (slot[low:high].astype(np.uint64) + np.uint64(1)) * _ODD)
    return hashes


def hash_address(slots: tuple[int, ...], *, seed: int) -> int:
    """The hash of one address, as :func:`hash_addresses` makes it; ``seed`` is where the root's comes from."""
    value = _mix(np.array([seed % 2**64], dtype=np.uint64))
    for slot in slots:
        value = _mix(value + np.array([slot + 1], dtype=np.uint64) * _ODD)
    return int(value[0])


_ODD = np.uint64(0x9E3779B97F4A7C15)


def _mix(value: UInt64[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64 bits that leaves no visible pattern."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
