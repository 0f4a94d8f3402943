"""Retrieval: the data points nearest to a query, out of those that lie below the cells that a descent with a beam reaches.

The hierarchy is the index. A beam keeps so many cells a level, those with the nearest centers out of the children of those kept
before; a cell with few points is followed no further, because a look at its points costs no more than one at the cells below
it. The points below the cells that are kept at the end are looked at one by one. What is found is nearest among these; with a
beam as wide as the hierarchy it is nearest of all. Best-bin-first search in trees of k-means is the model (Muja and Lowe,
"Scalable nearest neighbor algorithms for high dimensional data", 2014); this is its level-by-level form, in columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.checks import check_integer
from cfgraph.defaults import NEIGHBOURS, SEARCH_BEAM
from cfgraph.errors import InputError
from cfgraph.files.arrays import check_points
from cfgraph.model.cells import Cells

FEW = 32  # points: a cell of no more is followed no further (docs/learning.md has what was measured)
_BATCH_VALUES = 1 << 20  # floats of differences at once
_BATCH_PAIRS = 1 << 18  # pairs of a query and a cell, or a point, at once
_QUERIES = 256  # of a scan at once
ANSWERS_MAX = 50_000_000  # a query and a neighbour each: 800 MB


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest points of each query, the nearest first, ties to the lowest row; and what it cost to find them."""

    row: Int[np.ndarray, "queries k"]  # among the data; -1 where there are fewer points than were asked for
    distance: Float[np.ndarray, "queries k"]  # NaN there
    looked_at: Int[np.ndarray, " queries"]  # points whose distance was computed
    compared: Int[np.ndarray, " queries"]  # centers whose distance was computed, on the way to these

    def recall(self, truth: "Neighbours") -> float:
        """The share of the nearest points that were found, those of ``truth``; NaN where there is nothing to find.

        A point as near as the farthest of them counts: of equal distances any may stand for the others.
        """
        there = (truth.row >= 0).sum(axis=1)
        if there.sum() == 0:
            return float("nan")
        reach = np.max(truth.distance, axis=1, initial=-np.inf, where=truth.row >= 0)
        hits = np.minimum(((self.row >= 0) & (self.distance <= reach[:, None])).sum(axis=1), there)
        return float(hits.sum() / there.sum())


class _Pairs(NamedTuple):
    """Pairs of a query and a cell, sorted by query, those of a query by distance and row."""

    query: Int[np.ndarray, " pairs"]
    cell: Int[np.ndarray, " pairs"]
    distance: Float[np.ndarray, " pairs"]


class _Spans(NamedTuple):
    """Points to look at: those from ``low`` up to ``high`` in the order of cells, for a query."""

    query: Int[np.ndarray, " spans"]
    low: Int[np.ndarray, " spans"]
    high: Int[np.ndarray, " spans"]


@dataclass(frozen=True, eq=False)
class PointIndex:
    """Points in cells, laid out so that the points below a cell follow one another."""

    cells: Cells
    values: Float[np.ndarray, "points dim"]
    cell_of_point: Int[np.ndarray, " points"]

    @classmethod
    def of(
        cls, cells: Cells, *, values: Float[np.ndarray, "points dim"], cell_of_point: Int[np.ndarray, " known"]
    ) -> "PointIndex":
        """An index of points by the row of the cell that each lies in, -1 for none: such are not found.

        Raises:
            InputError: for points that are not finite, have another dimension than the cells, or are not as many as the cells'.
        """
        values = check_points(values, where="the data").values
        if values.shape[1] != cells.dimension:
            raise InputError(f"expected points of {cells.dimension} coordinates, as the cells have, got {values.shape[1]}")
        if len(values) != len(cell_of_point):
            raise InputError(f"expected {len(cell_of_point):,} points, one for each that lies in a cell, got {len(values):,}")
        return cls(cells, values, np.asarray(cell_of_point, dtype=np.int64))

    @property
    def points(self) -> int:
        """How many points can be found."""
        return int(self._below[0])

    def search(self, x: Float[np.ndarray, "queries dim"], *, k: int = NEIGHBOURS, beam: int = SEARCH_BEAM) -> Neighbours:
        """The k nearest points below the cells that a beam reaches: cells nearest by their centers, ties to the lowest row.

        A beam that holds fewer than k points is widened until it holds k, so that there are k answers where there are k points.

        Raises:
            InputError: for queries of another dimension, or that are not finite, none at all, and numbers out of their range.
        """
        x, beam = self._check_queries(x), check_integer(beam, name="beam", low=1)
        k = _check_answers(len(x), k)
        found, compared = _Nearest.of(len(x), k), np.zeros(len(x), dtype=np.int64)
        # A beam may hold more cells than it is wide, as many as k points ask for, each with all its children.
        width = int(min(len(self.cells), max(beam, k) * max(1, self._kid_count.max())))
        step = max(1, _BATCH_PAIRS // width)
        for low in range(0, len(x), step):
            spans, compared[low : low + step] = self._descend(x[low : low + step], k=k, beam=beam)
            for query, place in _in_batches(spans):
                found.take(query + low, _squared(self._laid, place, x, query + low), self._order[place])
        return found.answers(compared)

    def scan(self, x: Float[np.ndarray, "queries dim"], *, k: int = NEIGHBOURS) -> Neighbours:
        """The k nearest of all points: what :meth:`search` finds with a beam of all cells. In bounded memory.

        A matrix product says which points may be among them, within its rounding; the distances of these are computed as in a
        search, so that the answers are equal bit for bit. Raises as :meth:`search`.
        """
        x = self._check_queries(x)
        k = _check_answers(len(x), k)
        found = _Nearest.of(len(x), k)
        middle = self._laid.mean(axis=0) if self.points else np.zeros(x.shape[1])
        height = max(1, _BATCH_PAIRS // _QUERIES)
        for low in range(0, len(x), _QUERIES):
            for start in range(0, self.points, height):
                stop = min(self.points, start + height)
                query, place = self._may_be_nearest(
                    x[low : low + _QUERIES], start, stop, reached=found.reached(low), k=k, middle=middle
                )
                found.take(query + low, _squared(self._laid, place, x, query + low), self._order[place])
        found.looked_at[:] = self.points
        return found.answers(np.zeros(len(x), dtype=np.int64))

    def _may_be_nearest(
        self,
        x: Float[np.ndarray, "queries dim"],
        start: int,
        stop: int,
        *,
        reached: Float[np.ndarray, " queries"],
        k: int,
        middle: Float[np.ndarray, " dim"],
    ) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
        """Pairs of a query and a place from ``start`` up to ``stop`` that may be among its k nearest, ``reached`` so far."""
        away, part = x - middle, self._laid[start:stop] - middle
        norm, norms = np.einsum("qd,qd->q", away, away), np.einsum("pd,pd->p", part, part)
        about = norm[:, None] + norms - 2 * (away @ part.T)
        # What rounding may take from a product and a sum of differences, by their error bounds, generously.
        slack = 16 * (x.shape[1] + 8) * np.finfo(np.float64).eps * (norm + norms.max())
        bound = np.partition(about, k - 1, axis=1)[:, k - 1] if k <= len(part) else np.full(len(x), np.inf)
        query, place = np.nonzero(about <= (np.minimum(bound, reached) + 2 * slack)[:, None])
        return query, place + start

    def _check_queries(self, x: Float[np.ndarray, "queries dim"]) -> Float[np.ndarray, "queries dim"]:
        x = check_points(x, where="the queries").values
        if x.shape[1] != self.values.shape[1]:
            raise InputError(f"expected queries of {self.values.shape[1]} coordinates, as the points have, got {x.shape[1]}")
        return x

    @cached_property
    def _own(self) -> Int[np.ndarray, " cells"]:
        """How many points lie in each cell itself."""
        placed = self.cell_of_point[self.cell_of_point >= 0]
        return np.bincount(placed, minlength=len(self.cells))

    @cached_property
    def _below(self) -> Int[np.ndarray, " cells"]:
        """How many points lie in each cell and below it."""
        below = self._own.copy()
        for start, stop in reversed(list(self._levels)):
            np.add.at(below, self.cells.parent[start:stop], below[start:stop])
        return below

    @property
    def _levels(self) -> Iterator[tuple[int, int]]:
        """Where the rows of each level but the top's begin and end."""
        starts = self.cells.level_starts.tolist()
        return pairwise(starts[1:])

    @cached_property
    def _kids(self) -> Int[np.ndarray, " kids"]:
        """The rows of the cells but the top that have points below them; siblings follow one another."""
        return 1 + np.flatnonzero(self._below[1:])

    @cached_property
    def _kid_count(self) -> Int[np.ndarray, " cells"]:
        return np.bincount(self.cells.parent[self._kids], minlength=len(self.cells))

    @cached_property
    def _first_kid(self) -> Int[np.ndarray, " cells"]:
        first: Int[np.ndarray, " cells"] = np.cumsum(self._kid_count) - self._kid_count
        return first

    @cached_property
    def _is_end(self) -> Bool[np.ndarray, " cells"]:
        """Whether a cell is followed no further: all of its points are its own, or they are few."""
        is_end: Bool[np.ndarray, " cells"] = (self._kid_count == 0) | (self._below <= FEW)
        return is_end

    @cached_property
    def _start(self) -> Int[np.ndarray, " cells"]:
        """Where the points below a cell begin in the order of cells: depth first, a cell's own points before its children's."""
        start = np.zeros(len(self.cells), dtype=np.int64)
        for first, stop in self._levels:
            above = self.cells.parent[first:stop]
            before = np.cumsum(self._below[first:stop]) - self._below[first:stop]
            eldest = np.r_[True, above[1:] != above[:-1]]
            of_family = before[np.maximum.accumulate(np.where(eldest, np.arange(len(above)), 0))]
            start[first:stop] = start[above] + self._own[above] + before - of_family
        return start

    @cached_property
    def _order(self) -> Int[np.ndarray, " placed"]:
        """The rows of the points that lie in cells, in the order of cells."""
        placed = np.flatnonzero(self.cell_of_point >= 0)
        order: Int[np.ndarray, " placed"] = placed[np.argsort(self._start[self.cell_of_point[placed]], kind="stable")]
        return order

    @cached_property
    def _laid(self) -> Float[np.ndarray, "placed dim"]:
        laid: Float[np.ndarray, "placed dim"] = self.values[self._order]
        return laid

    def _descend(self, x: Float[np.ndarray, "queries dim"], *, k: int, beam: int) -> tuple[_Spans, Int[np.ndarray, " queries"]]:
        """The points that each query is to be compared with, and the number of centers that it was compared with."""
        everyone = np.arange(len(x) if self.points else 0)
        kept = _Pairs(everyone, np.zeros(len(everyone), dtype=np.int64), np.zeros(len(everyone)))
        compared = np.zeros(len(x), dtype=np.int64)
        spans = []
        while not (ended := self._is_end[kept.cell]).all():
            query, cell = kept.query[~ended], kept.cell[~ended]
            own = self._own[cell] > 0
            spans.append(_Spans(query[own], self._start[cell[own]], self._start[cell[own]] + self._own[cell[own]]))
            count = self._kid_count[cell]
            query, kids = np.repeat(query, count), self._kids[_ranges(self._first_kid[cell], count)]
            compared += np.bincount(query, minlength=len(x))
            distance = _squared(self.cells.center, kids, x, query)
            below = zip(kept, (query, kids, distance), strict=True)
            kept = self._nearest(_Pairs(*(np.concatenate((column[ended], new)) for column, new in below)), k=k, beam=beam)
        spans.append(_Spans(kept.query, self._start[kept.cell], self._start[kept.cell] + self._below[kept.cell]))
        return _Spans(*map(np.concatenate, zip(*spans, strict=True))), compared

    def _nearest(self, pairs: _Pairs, *, k: int, beam: int) -> _Pairs:
        """Of each query the nearest cells, so many as a beam is wide, and more where they hold fewer than k points."""
        order = np.lexsort((pairs.cell, pairs.distance, pairs.query))
        query, cell, distance = (column[order] for column in pairs)
        first = np.searchsorted(query, query)
        points = np.cumsum(self._below[cell]) - self._below[cell]  # that the nearer cells hold
        kept = (np.arange(len(query)) - first < beam) | (points - points[first] < k)
        return _Pairs(query[kept], cell[kept], distance[kept])


class _Nearest:
    """The nearest points of each query so far, by squared distance and row."""

    def __init__(self, row: Int[np.ndarray, "queries k"], squared: Float[np.ndarray, "queries k"]) -> None:
        self.row, self.squared = row, squared
        self.looked_at = np.zeros(len(row), dtype=np.int64)

    @classmethod
    def of(cls, queries: int, k: int) -> "_Nearest":
        """None yet."""
        return cls(np.full((queries, k), -1, dtype=np.int64), np.full((queries, k), np.inf))

    def reached(self, low: int) -> Float[np.ndarray, " queries"]:
        """The squared distance of the k-th of some queries, infinite where there are fewer."""
        return self.squared[low : low + _QUERIES, -1]

    def take(
        self, query: Int[np.ndarray, " pairs"], squared: Float[np.ndarray, " pairs"], row: Int[np.ndarray, " pairs"]
    ) -> None:
        """Look at more points, pairs in the order of queries."""
        if len(query) == 0:
            return
        low, high, k = int(query[0]), int(query[-1]) + 1, self.row.shape[1]
        self.looked_at[low:high] += np.bincount(query - low, minlength=high - low)
        known = self.row[low:high] >= 0
        query = np.r_[low + np.nonzero(known)[0], query]
        squared, row = np.r_[self.squared[low:high][known], squared], np.r_[self.row[low:high][known], row]
        order = np.lexsort((row, squared, query))
        query, squared, row = query[order], squared[order], row[order]
        rank = np.arange(len(query)) - np.searchsorted(query, query)
        near = rank < k
        self.squared[query[near], rank[near]], self.row[query[near], rank[near]] = squared[near], row[near]

    def answers(self, compared: Int[np.ndarray, " queries"]) -> Neighbours:
        """What was found."""
        distance = np.where(self.row < 0, np.nan, np.sqrt(self.squared))
        return Neighbours(self.row, distance, self.looked_at, compared)


def check_k(k: int) -> int:
    """A number of neighbours: at least 1."""
    return check_integer(k, name="k, the number of neighbours", low=1)


def _check_answers(queries: int, k: int) -> int:
    """A number of neighbours that the answers to so many queries can have."""
    if queries * check_k(k) > ANSWERS_MAX:
        raise InputError(
            f"expected at most {ANSWERS_MAX:,} answers in one go, got {queries:,} queries for {k:,} neighbours each; ask for "
            "fewer"
        )
    return k


def _squared(
    table: Float[np.ndarray, "rows dim"],
    row: Int[np.ndarray, " pairs"],
    x: Float[np.ndarray, "queries dim"],
    query: Int[np.ndarray, " pairs"],
) -> Float[np.ndarray, " pairs"]:
    """The squared distance of each pair of a row and a query. Element by element: its bits do not depend on the batch."""
    squared = np.empty(len(row))
    step = max(1, _BATCH_VALUES // max(1, table.shape[1]))
    for low in range(0, len(row), step):
        difference = x[query[low : low + step]] - table[row[low : low + step]]
        squared[low : low + step] = np.einsum("pd,pd->p", difference, difference)
    return squared


def _ranges(first: Int[np.ndarray, " ranges"], count: Int[np.ndarray, " ranges"]) -> Int[np.ndarray, " all"]:
    """The numbers from each ``first`` on, ``count`` of them, one range behind the other."""
    numbers: Int[np.ndarray, " all"] = np.arange(count.sum()) + np.repeat(first - (np.cumsum(count) - count), count)
    return numbers


def _in_batches(spans: _Spans) -> Iterator[tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]]:
    """Pairs of a query and a place, sorted by query, some at a time; a long span in parts."""
    order = np.argsort(spans.query, kind="stable")
    query, low, count = spans.query[order], spans.low[order], (spans.high - spans.low)[order]
    end = np.cumsum(count)
    for start in range(0, int(end[-1]) if len(end) else 0, _BATCH_PAIRS):
        pair = np.arange(start, min(int(end[-1]), start + _BATCH_PAIRS))
        span = np.searchsorted(end, pair, side="right")
        yield query[span], low[span] + pair - (end - count)[span]
