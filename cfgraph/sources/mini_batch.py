"""Mini-batch k-means: the tree of :mod:`cfgraph.sources.points` of rows that memory does not hold, in passes over them.

The first pass checks the rows, counts them and finds their mean. Then each level takes two:

1. *Learn*. The centers of every split begin as those of k-means on a sample of its cell (:mod:`cfgraph.sources.cell_samples`).
   Each batch is divided among the cells that its rows lie in, and each row goes to the nearest of the K centers of its cell;
   with n rows of mean m there, a center c of weight w moves:  ``c <- c + n (m - c) / (w + n)``,  ``w <- w + n``  (Sculley 2010,
   "Web-scale k-means clustering", with the weight of the sample to begin with).
2. *Assign*. Each row goes to the nearest center as it is now. Counts and means of the children are of all their rows.

A last pass finds how far rows lie from the centers of the deepest level; those of others are found while the level below is
learned. All sums are made batch by batch in one order, so the same rows in the same order give the same bits.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.errors import InputError
from cfgraph.files.opened import show_bytes
from cfgraph.files.row_stream import RowStream
from cfgraph.model.address import format_address
from cfgraph.model.progress import Progress
from cfgraph.sources.cell_samples import ROW_BYTES, CellSamples, row_hashes
from cfgraph.sources.k_means import k_means
from cfgraph.sources.placing import Level
from cfgraph.sources.row_cells import RowCells
from cfgraph.sources.splitting import Splitting, check_different, seed_of
from cfgraph.sources.tuples import axis_order, match_slots

SAMPLE_MAX = 20_000  # rows of a cell's sample: more do not move the centers that k-means begins with
SAMPLE_NUMBERS = 1 << 19  # of the samples of a level together, 4 MB: k-means on them takes some seconds a level
_BLOCK = 1 << 15  # numbers that are compared at once: they stay in a processor's cache
_CELLS_MAX = 2**31 - 1  # as many as the numbers of 4 bytes are


class _Family(NamedTuple):
    """The cells of a level that are split: their rows among the level's cells, ways, and centers of their children."""

    row: Int[np.ndarray, " cells"]
    path: Int[np.ndarray, "cells level"]
    center: Float[np.ndarray, "cells arity dim"]
    weight: Float[np.ndarray, "cells arity"]


@dataclass(eq=False)
class _Now:
    """The deepest level so far: its cells in the order in which they were counted, and that which they have."""

    level: Level
    path: Int[np.ndarray, "cells level"]
    family: Float[np.ndarray, "families arity dim"] | None  # the tuples that the cells are rows of; None of the root
    first: int  # its first cell's row among all cells
    place: Int[np.ndarray, " cells"]  # of a cell as it was counted its place in the level
    sample: tuple[Int[np.ndarray, " rows"], Float[np.ndarray, "rows dim"]]  # of cells, as they were counted


@dataclass(frozen=True, eq=False)
class StreamedTree:
    """A tree of rows that were read in pieces: its levels, by level the farthest row from its cell, and how it was found."""

    levels: list[Level]
    radius: tuple[float, ...]
    digest: str
    passes: int
    notes: tuple[str, ...]


def memory_needed(stream: RowStream, splitting: Splitting) -> dict[str, int]:
    """Bytes at most, by what they are for: reading and batches, samples, and the cells that a tree of this depth may have."""
    arity, dimension = splitting.arity, stream.dimension
    widths = [min(arity**level, stream.count) for level in range(splitting.depth + 1)]
    sample = max(
        count * _sample_rows(count, arity=arity, dimension=dimension, last=level == splitting.depth)
        for level, count in enumerate(widths)
    )
    sample = min(sample, stream.count)
    batch = stream.batch * (8 * (2 * dimension + 8) + 2 * ROW_BYTES) + 8 * _BLOCK * 8
    learning = 8 * 5 * widths[-1] * (dimension + 2)
    tree = 8 * sum(widths) * (8 * dimension + 24 + 2 * splitting.depth)
    return {
        "batches": stream.bytes + batch,
        "samples": 4 * sample * (8 * dimension + ROW_BYTES),
        "cells": learning + tree,
    }


def check_memory(stream: RowStream, splitting: Splitting, *, memory: int) -> None:
    """An ``InputError`` for less memory than the rows need, which tells how much that is and for what."""
    needed = memory_needed(stream, splitting)
    if sum(needed.values()) <= memory:
        return
    parts = ", ".join(f"{show_bytes(number)} for {name}" for name, number in needed.items())
    raise InputError(
        f"expected memory of at least {show_bytes(sum(needed.values()))} for batches of {stream.batch:,} rows of "
        f"{stream.dimension} numbers and a tree of depth {splitting.depth}, got {show_bytes(memory)}; it takes {parts}; say "
        "--memory SIZE, or ask for smaller batches or a smaller depth"
    )


def build_tree(stream: RowStream, splitting: Splitting, *, held: RowCells, asked: bool, show: Progress) -> StreamedTree:
    """The tree of the rows of a stream.

    Args:
        stream: the rows.
        splitting: how they are split.
        held: zeros, one a row; at the end the row of the deepest cell of each.
        asked: whether the columns of the rows were asked for.
        show: is told how many rows were read, of how many in all passes.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):  # k-means sums over threads in the order they finish
        return _Builder(stream, splitting, held, show).build(asked=asked)


class _Builder:
    def __init__(self, stream: RowStream, splitting: Splitting, held: RowCells, show: Progress) -> None:
        self._stream, self._splitting, self._held, self._show = stream, splitting, held, show
        self._levels: list[Level] = []
        self._farthest: list[float] = []  # squared, by level
        self._passes = 0
        self._close = 0  # cells whose rows lie too close for a split

    def build(self, *, asked: bool) -> StreamedTree:
        arity = self._splitting.arity
        now, digest, notes = self._begin(asked=asked)
        self._levels.append(now.level)
        while len(self._levels) <= self._splitting.depth and now.level.divisible.any():
            families = self._learn(now)
            if not len(families.row):
                break
            now = self._assign(now, families)
            self._levels.append(now.level)
        self._end(now)
        if self._close:
            notes = (*notes, f"{self._close:,} cells were not split: their points lie too close for {arity} centers as floats")
        radius = tuple(np.sqrt(self._farthest).tolist())
        return StreamedTree(self._levels, radius, digest, self._passes, notes)

    def _read(self, batches: "Iterator[np.ndarray] | None" = None) -> Iterator[tuple[int, np.ndarray]]:
        """A pass: each batch with the number of its first row."""
        self._passes += 1
        total, before = self._stream.count * 2 * (self._splitting.depth + 1), (self._passes - 1) * self._stream.count
        start = 0
        for batch in self._stream.batches() if batches is None else batches:
            yield start, batch
            start += len(batch)
            self._show(before + start, total)

    # -- the first pass

    def _begin(self, *, asked: bool) -> tuple[_Now, str, tuple[str, ...]]:
        """The root, the digest that the same rows have in memory, and what is said of them."""
        stream, splitting = self._stream, self._splitting
        digest = hashlib.sha256(repr((stream.count, stream.dimension)).encode())
        samples = self._samples(1, last=splitting.depth == 0)
        first, total = np.zeros(stream.dimension), np.zeros(stream.dimension)
        checked = stream.first_pass()
        for start, batch in self._read(iter(checked)):
            if start == 0:
                first = batch[0].copy()
            digest.update(np.ascontiguousarray(batch + 0.0, dtype="<f8").tobytes())  # + 0.0 makes -0.0 and 0.0 one
            total += (batch - first).sum(axis=0)
            samples.add(np.zeros(len(batch), dtype=np.int64), batch, row_hashes(batch, seed=splitting.seed))
        sample = samples.settle()
        check_different(len(sample[0]), arity=splitting.arity)
        level = Level(
            center=(first + total / stream.count)[None],
            size=np.array([stream.count]),
            divisible=np.array([stream.count >= max(splitting.arity, splitting.minimum_size)]),
            longest=format_address(()),
        )
        now = _Now(level, np.zeros((1, 0), dtype=np.int32), None, 0, np.zeros(1, dtype=np.int64), sample)
        return now, digest.hexdigest(), checked.notes(asked=asked)

    # -- a level

    def _learn(self, now: _Now) -> _Family:
        """The first pass of a level: the centers of the children of each cell that is split."""
        families = self._start(now)
        center, weight = families.center.copy(), families.weight.copy()
        number, arity = self._numbers(now, families.row), self._splitting.arity
        farthest = _Farthest(now)
        for start, batch in self._read():
            cell = self._held.read(start, len(batch)) - now.first
            farthest.add(batch, cell)
            family, rows = _inside(cell, number, batch)
            if len(rows):
                child = family * arity + _nearest(rows, family, center)
                _move(center, weight, rows, child)
        self._farthest.append(farthest.found)
        return self._covered(now, families._replace(center=center), families)

    def _start(self, now: _Now) -> _Family:
        """What learning begins with: the centers of k-means on the sample of each cell."""
        row, arity = np.flatnonzero(now.level.divisible), self._splitting.arity
        of = np.empty(len(now.place), dtype=np.int64)
        of[now.place] = np.arange(len(now.place))  # of a place in the level the number in which it was counted
        cell, rows = now.sample
        first, last = np.searchsorted(cell, of[row]), np.searchsorted(cell, of[row], side="right")
        center = np.empty((len(row), arity, rows.shape[1]))
        weight = np.empty((len(row), arity))
        path = now.path[row]
        for number, (low, high) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
            inside = rows[low:high]
            label = k_means(inside, arity=arity, seed=seed_of(path[number].tolist(), seed=self._splitting.seed))
            weight[number] = np.bincount(label, minlength=arity)
            center[number] = [inside[label == index].mean(axis=0) for index in range(arity)]
        return _Family(row, path, center, weight)

    def _numbers(self, now: _Now, row: Int[np.ndarray, " cells"]) -> Int[np.ndarray, " counted"]:
        """Of a cell of the level, as it was counted, which one it is of those that are split; -1 for others."""
        number = np.full(len(now.place), -1)
        number[row] = np.arange(len(row))
        return number[now.place]

    def _covered(self, now: _Now, learned: _Family, begun: _Family) -> _Family:
        """Centers of which each is the nearest one of some row of its cell's sample, and so of some row.

        Where learning left one without, its cell's centers are those that it began with; where these do not do, it is a leaf.
        """
        number, arity = self._numbers(now, learned.row), self._splitting.arity
        family, rows = _inside(now.sample[0], number, now.sample[1])

        def covered(center: np.ndarray) -> Bool[np.ndarray, " cells"]:
            child = family * arity + _nearest(rows, family, center)
            return np.asarray((np.bincount(child, minlength=len(center) * arity).reshape(-1, arity) > 0).all(axis=1))

        center = np.where(covered(learned.center)[:, None, None], learned.center, begun.center)
        fine = covered(center)
        now.level.divisible[learned.row[~fine]] = False
        self._close += int((~fine).sum())
        return _Family(learned.row[fine], learned.path[fine], center[fine], learned.weight[fine])

    def _assign(self, now: _Now, families: _Family) -> _Now:
        """The second pass: each row into the child of the nearest center; the children, counted, with the means of all rows."""
        arity, dimension = self._splitting.arity, self._stream.dimension
        count = len(families.row) * arity
        first = now.first + len(now.level.size)
        if first + count > _CELLS_MAX:
            raise InputError(f"expected at most {_CELLS_MAX:,} cells, got {first + count:,}; ask for a smaller depth")
        number, places = self._numbers(now, families.row), now.first + now.place
        centers = families.center.reshape(count, dimension)
        size, total = np.zeros(count, dtype=np.int64), np.zeros((count, dimension))
        samples = self._samples(count, last=len(self._levels) == self._splitting.depth)
        for start, batch in self._read():
            held = self._held.read(start, len(batch))
            cell = held - now.first
            here = cell >= 0
            held[here] = places[cell[here]]
            family, rows = _inside(cell, number, batch)
            if len(rows):
                child = family * arity + _nearest(rows, family, families.center)
                held[_split_rows(cell, number)] = first + child
                size += np.bincount(child, minlength=count)
                total += _sums(rows - centers.take(child, axis=0), child, count)
                samples.add(child, rows, row_hashes(rows, seed=self._splitting.seed))
            self._held.write(start, held)
        mean = (centers + total / size[:, None]).reshape(-1, arity, dimension)
        return self._next(now, families, mean, size, samples)

    def _next(self, now: _Now, families: _Family, mean: np.ndarray, size: np.ndarray, samples: CellSamples) -> _Now:
        """The level below, its slots canonical."""
        arity, splitting = self._splitting.arity, self._splitting
        tuples = mean - now.level.center[families.row][:, None]
        order = np.empty(tuples.shape[:2], dtype=np.int64)
        for number, (family, row) in enumerate(zip(tuples, families.row.tolist(), strict=True)):
            if now.family is None:
                order[number] = axis_order(family, weight=size)
            else:
                order[number] = match_slots(family, now.family[row // arity])
        counted = (order + np.arange(len(order))[:, None] * arity).ravel()  # of a place the number in which it was counted
        place = np.empty_like(counted)
        place[counted] = np.arange(len(counted))
        sample = samples.settle()
        different = np.bincount(sample[0], minlength=len(counted))
        path = np.column_stack([np.repeat(families.path, arity, axis=0), np.tile(np.arange(arity), len(order))]).astype(
            np.int32
        )
        level = Level(
            center=mean.reshape(len(counted), -1)[counted],
            size=size[counted],
            divisible=((size >= max(arity, splitting.minimum_size)) & (different >= arity))[counted],
            longest=format_address(tuple(path[_digits(path).argmax()].tolist())),
        )
        return _Now(
            level,
            path,
            np.take_along_axis(tuples, order[:, :, None], axis=1),
            now.first + len(now.level.size),
            place,
            sample,
        )

    # -- the last pass

    def _end(self, now: _Now) -> None:
        """Radii of the deepest level, and the deepest cell of each row; where learning found no split, that was done."""
        done = len(self._farthest) == len(self._levels)
        farthest, places = _Farthest(now), now.first + now.place
        for start, batch in self._read():
            held = self._held.read(start, len(batch))
            cell = held - now.first
            if not done:
                farthest.add(batch, cell)
            here = cell >= 0
            held[here] = places[cell[here]]
            self._held.write(start, held)
        if not done:
            self._farthest.append(farthest.found)

    def _samples(self, cells: int, *, last: bool) -> CellSamples:
        arity, dimension = self._splitting.arity, self._stream.dimension
        most = _sample_rows(cells, arity=arity, dimension=dimension, last=last)
        return CellSamples(cells, most=most, dimension=dimension)


def _sample_rows(cells: int, *, arity: int, dimension: int, last: bool) -> int:
    """How many rows of each cell are kept; of cells that are not split, as many as tell whether they could be."""
    if last:
        return arity
    return int(np.clip(SAMPLE_NUMBERS // (cells * dimension), 2 * arity, max(SAMPLE_MAX, 2 * arity)))


class _Farthest:
    """How far the rows of a level lie from their cells' centers at most, squared."""

    def __init__(self, now: _Now) -> None:
        self._center = now.level.center[now.place]
        self.found = 0.0

    def add(self, batch: Float[np.ndarray, "rows dim"], cell: Int[np.ndarray, " rows"]) -> None:
        """The next rows, with the cells that they lie in as these were counted, below 0 of those of higher levels."""
        step = max(1, _BLOCK // batch.shape[1])
        for low in range(0, len(batch), step):
            here = cell[low : low + step]
            rows = batch[low : low + step]
            if (here < 0).any():
                rows, here = rows[here >= 0], here[here >= 0]
            apart = rows - self._center.take(here, axis=0)
            self.found = max(self.found, float(np.einsum("rd,rd->r", apart, apart).max(initial=0.0)))


def _split_rows(cell: Int[np.ndarray, " rows"], number: Int[np.ndarray, " cells"]) -> Int[np.ndarray, " inside"]:
    """The rows that lie in cells that are split."""
    return np.flatnonzero((cell >= 0) & (number[cell] >= 0))


def _inside(
    cell: Int[np.ndarray, " rows"], number: Int[np.ndarray, " cells"], batch: Float[np.ndarray, "rows dim"]
) -> tuple[Int[np.ndarray, " inside"], Float[np.ndarray, "inside dim"]]:
    """The rows in cells that are split, and which of these each is in."""
    found = _split_rows(cell, number)
    if len(found) == len(cell):
        return number[cell], batch
    return number[cell[found]], batch[found]


def _nearest(
    rows: Float[np.ndarray, "rows dim"], family: Int[np.ndarray, " rows"], center: Float[np.ndarray, "cells arity dim"]
) -> Int[np.ndarray, " rows"]:
    """Of each row the nearest of its cell's centers; the bits of a distance depend on the row and the center alone."""
    found = np.empty(len(rows), dtype=np.int64)
    step = max(1, _BLOCK // (center.shape[1] * center.shape[2]))
    for low in range(0, len(rows), step):
        apart = center.take(family[low : low + step], axis=0)
        apart -= rows[low : low + step, None]
        found[low : low + step] = np.einsum("rkd,rkd->rk", apart, apart).argmin(axis=1)
    return found


def _move(
    center: Float[np.ndarray, "cells arity dim"],
    weight: Float[np.ndarray, "cells arity"],
    rows: Float[np.ndarray, "rows dim"],
    child: Int[np.ndarray, " rows"],
) -> None:
    """Move the centers that rows went to towards the means of these."""
    flat, heavy = center.reshape(-1, center.shape[2]), weight.reshape(-1)
    count = np.bincount(child, minlength=len(flat))
    total = _sums(rows - flat.take(child, axis=0), child, len(flat))
    moved = np.flatnonzero(count)
    heavy[moved] += count[moved]
    flat[moved] += total[moved] / heavy[moved, None]


def _sums(rows: Float[np.ndarray, "rows dim"], child: Int[np.ndarray, " rows"], count: int) -> Float[np.ndarray, "cells dim"]:
    """The sum of the rows of each cell, one after the other."""
    from scipy.sparse import csr_array

    short = child.astype(np.uint16) if count <= 2**16 else child  # whose order is found in a tenth of the time
    order = np.argsort(short, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(child, minlength=count))])
    found: np.ndarray = csr_array((np.ones(len(rows)), order, start), shape=(count, len(rows))) @ rows
    return found


def _digits(path: Int[np.ndarray, "cells level"]) -> Int[np.ndarray, " cells"]:
    """How many characters the slots of each way take."""
    digits, bound = np.ones(path.shape, dtype=np.int64), 10
    while path.size and path.max() >= bound:
        digits += path >= bound
        bound *= 10
    return digits.sum(axis=1)
