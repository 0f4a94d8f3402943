"""Pairs of data points: which ones are looked at, and sums over them in pieces whose memory is bounded.

Every pair up to some thousand points, a seeded sample of pairs above; whoever sums says which. A point that was drawn
several times (``weight``) makes no pair with itself; a pair counts as often as the product of its points' weights.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.judging.dendrogram import Dendrogram

EXACT_POINTS = 5_000  # up to so many points every pair is looked at: 12.5 million
SAMPLED_PAIRS = 1_000_000
CHUNK_NUMBERS = 1 << 21  # numbers in one intermediate array: what bounds the memory of sums over pairs, 16 MB each


@dataclass(frozen=True, eq=False)
class Pairs:
    """Some pairs of points, how often each counts, and where they meet in each of some trees."""

    first: Int[np.ndarray, " pairs"]
    second: Int[np.ndarray, " pairs"]
    weight: Float[np.ndarray, " pairs"]
    meeting: tuple[Int[np.ndarray, " pairs"], ...]  # for each tree the lowest common ancestors, rows of cells


@dataclass(frozen=True)
class Choice:
    """Which pairs are looked at: all, or ``sampled`` ones (with replacement) from a seed."""

    exact: bool
    sampled: int
    seed: int

    @classmethod
    def of(cls, points: int, *, exact_points: int | None, sampled: int | None, seed: int) -> "Choice":
        """All pairs of up to ``exact_points`` points (5,000 unless given), else a sample (1,000,000 unless given)."""
        limit = EXACT_POINTS if exact_points is None else exact_points
        count = SAMPLED_PAIRS if sampled is None else sampled
        if count < 1:
            raise InputError(f"expected at least one pair to sample, got {count}")
        return cls(exact=points <= limit, sampled=count, seed=seed)

    def walk(self, *trees: Dendrogram, weight: np.ndarray) -> Iterator[Pairs]:
        """The pairs in pieces, with the cells where they meet in each tree."""
        return _every_pair(trees, weight) if self.exact else _some_pairs(trees, weight, count=self.sampled, seed=self.seed)


def _every_pair(trees: tuple[Dendrogram, ...], weight: np.ndarray) -> Iterator[Pairs]:
    """Each pair once, some rows of the triangle at a time."""
    drawn = np.flatnonzero(weight)
    rows: list[tuple[np.ndarray, ...]] = []
    for number, point in enumerate(drawn.tolist()):
        partners = drawn[number + 1 :]
        rows.append((np.full(len(partners), point), partners, *(tree.meet_row(point)[partners] for tree in trees)))
        if sum(len(row[0]) for row in rows) >= CHUNK_NUMBERS // 8 or number == len(drawn) - 1:
            first, second, *meeting = (np.concatenate(column) for column in zip(*rows, strict=True))
            rows = []
            yield Pairs(first, second, weight[first] * weight[second].astype(np.float64), tuple(meeting))


def _some_pairs(trees: tuple[Dendrogram, ...], weight: np.ndarray, *, count: int, seed: int) -> Iterator[Pairs]:
    """Pairs of different points, drawn with replacement in proportion to the product of their weights."""
    if np.count_nonzero(weight) < 2:
        return
    random, left = np.random.default_rng(seed), count
    while left:
        first, second = draw_points(random, weight, size=(2, min(left, CHUNK_NUMBERS // 8)))
        apart = first != second
        first, second = first[apart], second[apart]
        left -= len(first)
        meeting = tuple(tree.meet(first, second) for tree in trees)
        yield Pairs(first, second, np.ones(len(first)), meeting)


def draw_points(random: np.random.Generator, weight: np.ndarray, *, size: tuple[int, ...]) -> Int[np.ndarray, "..."]:
    """Points drawn with replacement in proportion to their weights."""
    total = np.cumsum(weight)
    return np.searchsorted(total, random.random(size) * total[-1], side="right").clip(max=int(np.flatnonzero(weight)[-1]))


def check_weight(weight: np.ndarray | None, *, points: int) -> np.ndarray:
    """How often each point counts: once unless given."""
    if weight is None:
        return np.ones(points, dtype=np.int64)
    if len(weight) != points:
        raise InputError(f"expected a weight for each of the {points} points, got {len(weight)}")
    if (weight < 0).any():
        raise InputError(f"expected weights of at least 0, got {weight.min()} at point {int(weight.argmin())}")
    return weight


def count_pairs(weight: np.ndarray) -> float:
    """How many pairs of different points there are: ``((sum w)^2 - sum w^2) / 2``."""
    return float(weight.sum(dtype=np.float64) ** 2 - np.square(weight, dtype=np.float64).sum()) / 2


@dataclass(frozen=True)
class Moments:
    """Weighted means, variances and covariance of two quantities; two of them add up to those over both, stably."""

    weight: float = 0.0
    means: tuple[float, float] = (0.0, 0.0)
    squares: tuple[float, float, float] = (0.0, 0.0, 0.0)  # sums of dx^2, dx dy, dy^2 about the means

    @classmethod
    def of(cls, x: Float[np.ndarray, " pairs"], y: Float[np.ndarray, " pairs"], *, weight: np.ndarray) -> "Moments":
        """Those of some values."""
        total = float(weight.sum())
        if total == 0:
            return cls()
        means = float(weight @ x) / total, float(weight @ y) / total
        dx, dy = x - means[0], y - means[1]
        return cls(total, means, (float(weight @ dx**2), float(weight @ (dx * dy)), float(weight @ dy**2)))

    def __add__(self, other: "Moments") -> "Moments":
        total = self.weight + other.weight
        if total == 0:
            return self
        dx, dy = (there - here for here, there in zip(self.means, other.means, strict=True))
        share = self.weight * other.weight / total
        between = (share * dx * dx, share * dx * dy, share * dy * dy)
        means = (self.means[0] + dx * other.weight / total, self.means[1] + dy * other.weight / total)
        xx, xy, yy = (sum(parts) for parts in zip(self.squares, other.squares, between, strict=True))
        return type(self)(total, means, (xx, xy, yy))

    @property
    def correlation(self) -> float:
        """Pearson's r; NaN where one of the two does not vary."""
        xx, xy, yy = self.squares
        return xy / float(np.sqrt(xx) * np.sqrt(yy)) if xx > 0 and yy > 0 else float("nan")


@dataclass(frozen=True)
class PairCorrelation:
    """A correlation over pairs of points; ``exact`` where every pair was looked at, else ``pairs`` ones from ``seed``."""

    correlation: float  # NaN where one of the two distances is the same for all pairs
    pairs: int
    exact: bool
    seed: int | None  # None where nothing was sampled


def correlate(choice: Choice, parts: Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> PairCorrelation:
    """The correlation of two quantities that come in parts, each with weights."""
    pairs, moments = 0, []
    for x, y, weight in parts:
        pairs += len(x)
        moments.append(Moments.of(x, y, weight=weight))
    found = reduce(Moments.__add__, moments, Moments())
    return PairCorrelation(found.correlation, pairs, choice.exact, None if choice.exact else choice.seed)
