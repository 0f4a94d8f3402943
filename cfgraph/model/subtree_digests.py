"""Digests of subtrees: sums of the hashes of all cells at and below some cells, found in one pass in the order of addresses.

The tree is cut at the levels 0, c, 2c, ...: c is the least step with ``arity^c >= 64``, and 1 where cells have any number of
children. The digest of a cell on such a level covers its subtree, and, apart from that, its *part*: its subtree down to the
next cut. So what a part holds has the same digest in every hierarchy that has these cells, however deep it goes below them.

Not every digest is kept: small ones would be as many as the cells. Kept is that of the root, and each under which at least
``KEPT`` things lie: cells that are in no subtree below of which one is kept, and such subtrees. So there is at most one to
every 63 cells. Memory holds the line of cells that leads to the last one, and a page.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int, UInt64

from cfgraph.model.address import level_of
from cfgraph.model.hashes import LANES

KEPT = 64
Sums = UInt64[np.ndarray, " sums"]  # of the hashes of contents, in two lanes, then of states


@dataclass(frozen=True)
class SubtreeDigest:
    """What the cells at and below one of them hold, in some bits."""

    address: str
    cells: tuple[int, ...]  # how many there are, by level from its own on
    frontier: tuple[int, ...]  # of these the frontier ones
    content: bytes  # what the cells hold, and where they are
    state: bytes  # whether they are expanded, frontier or leaf, and predicted
    part_content: bytes  # the same of those above the next cut alone
    part_state: bytes

    @property
    def level(self) -> int:
        """The level of the cell."""
        return level_of(self.address)

    @property
    def size(self) -> int:
        """How many cells the subtree has."""
        return sum(self.cells)

    @property
    def same(self) -> tuple[bytes, bytes]:
        """What is the same in equal subtrees, and in no others."""
        return self.content, self.state


def cut_step(arity: int | None) -> int:
    """How many levels lie between two cuts, for cells of so many children; None where they have any number."""
    if arity is None:
        return 1
    return KEPT if arity < 2 else next(step for step in range(1, KEPT) if arity**step >= KEPT)


def bytes_of(sums: Sums) -> bytes:
    """Sums as bytes, the same on every machine."""
    return sums.astype("<u8").tobytes()


Counts = Int[np.ndarray, " _"]  # of cells, by level


def _no_counts() -> np.ndarray:
    return np.zeros(0, dtype=np.int64)


@dataclass(eq=False)
class _Frame:
    """A cell on a level of the cut whose subtree has not ended, with what all that came before it held."""

    address: str
    level: int
    start: int
    sums: Sums
    layer: Sums  # of the cells between its cut and the next alone
    cells: Counts  # from its level on
    frontier: Counts
    spared: int = 0  # cells in kept subtrees below it, less one for each of these


class Digester:
    """Takes cells in the order of their addresses, a page at a time, and tells of digests, each behind those below it."""

    def __init__(self, *, step: int, tell: Callable[[SubtreeDigest], None]):
        self._step, self._tell = step, tell
        self._frames: list[_Frame] = []
        self._before = _Running(0, np.zeros(2 * LANES, dtype=np.uint64), {}, _no_counts(), _no_counts())

    def add(
        self,
        addresses: Sequence[str],
        *,
        level: Int[np.ndarray, " cells"],
        hashes: UInt64[np.ndarray, "cells sums"],
        frontier: Bool[np.ndarray, " cells"],
    ) -> None:
        """Take the next cells: their levels, the hashes of what they hold beside those of their states, which are frontier."""
        page = _Page(self._before, level, level // self._step, hashes, frontier)
        ends = page.ends([frame.level for frame in self._frames])
        for start, end in page.candidates(self._step):
            self._close(ends, page, before=start)
            self._frames.append(page.frame(start, addresses[start]))
            ends.append(end)
        self._close(ends, page, before=len(addresses) - 1)
        self._before = page.after()

    def skip(self, known: SubtreeDigest) -> None:
        """Take a whole subtree of which a digest is kept that is known to be true; nothing is told of it."""
        self._end(level=known.level)
        above = np.zeros(known.level, dtype=np.int64)
        cells, frontier = (np.concatenate([above, np.array(one, dtype=np.int64)]) for one in (known.cells, known.frontier))
        sums = np.frombuffer(known.content + known.state, dtype="<u8").astype(np.uint64)
        before = self._before
        self._before = replace(
            before,
            count=before.count + known.size,
            sums=before.sums + sums,
            cells=_added(before.cells, cells),
            frontier=_added(before.frontier, frontier),
        )
        if self._frames:
            self._frames[-1].spared += known.size - 1

    def end(self) -> None:
        """No cell follows."""
        self._end(level=0)

    def _end(self, *, level: int) -> None:
        nothing, hashes = np.zeros(0, dtype=np.int64), np.zeros((0, 2 * LANES), dtype=np.uint64)
        page = _Page(self._before, nothing, nothing, hashes, np.zeros(0, dtype=bool))
        while self._frames and self._frames[-1].level >= level:
            self._tell_of(self._frames.pop(), page, 0)

    def _close(self, ends: list[int], page: "_Page", *, before: int) -> None:
        """End the subtrees that end at a row or above it."""
        while ends and ends[-1] <= before:
            self._tell_of(self._frames.pop(), page, ends.pop())

    def _tell_of(self, frame: _Frame, page: "_Page", row: int) -> None:
        """End a subtree: its digest is told if it is kept; the one around it learns what lies in kept ones."""
        size = page.before.count + row - frame.start
        kept = frame.level == 0 or size - frame.spared >= KEPT
        if kept:
            sums = page.sums_before(row) - frame.sums
            layer = page.layer_before(frame.level // self._step, row) - frame.layer
            self._tell(
                SubtreeDigest(
                    frame.address,
                    cells=_trimmed(_taken(page.cells_before(row)[frame.level :], frame.cells)),
                    frontier=_trimmed(_taken(page.frontier_before(row)[frame.level :], frame.frontier)),
                    content=bytes_of(sums[:LANES]),
                    state=bytes_of(sums[LANES:]),
                    part_content=bytes_of(layer[:LANES]),
                    part_state=bytes_of(layer[LANES:]),
                )
            )
        if self._frames:
            self._frames[-1].spared += size - 1 if kept else frame.spared


@dataclass(frozen=True, eq=False)
class _Running:
    """What all cells so far hold together."""

    count: int
    sums: Sums
    layers: dict[int, np.ndarray]  # the sums of the cells between one cut and the next, by its number
    cells: Counts
    frontier: Counts


@dataclass(frozen=True, eq=False)
class _Page:
    """Some cells, and what those before any of them hold."""

    before: _Running
    level: Int[np.ndarray, " cells"]
    layer: Int[np.ndarray, " cells"]
    hashes: UInt64[np.ndarray, "cells sums"]
    frontier: Bool[np.ndarray, " cells"]

    def ends(self, levels: list[int]) -> list[int]:
        """For open subtrees, by the levels of their cells: the row where each ends; the number of rows where it goes on."""
        lowest = np.minimum.accumulate(self.level)
        found: list[int] = np.searchsorted(-lowest, -np.array(levels, dtype=np.int64)).tolist()
        return found

    def candidates(self, step: int) -> list[tuple[int, int]]:
        """The rows where subtrees on levels of the cut begin, and end, that may be kept: large ones, and those that go on."""
        count, found = len(self.level), list[tuple[int, int]]()
        for level in np.unique(self.level[self.level % step == 0]).tolist():
            bounds = np.flatnonzero(self.level <= level)
            ends = np.append(bounds[1:], count)
            chosen = (self.level[bounds] == level) & ((ends - bounds >= KEPT) | (ends == count) | (level == 0))
            found += zip(bounds[chosen].tolist(), ends[chosen].tolist(), strict=True)
        return sorted(found)

    def frame(self, row: int, address: str) -> _Frame:
        """A subtree that begins in a row."""
        level = int(self.level[row])
        counts = (self.cells_before(row)[level:], self.frontier_before(row)[level:])
        return _Frame(address, level, self.before.count + row, self.sums_before(row), self._layer_at(row), *counts)

    def _layer_at(self, row: int) -> Sums:
        return self.layer_before(int(self.layer[row]), row)

    def sums_before(self, row: int) -> Sums:
        """The sums of all cells before a row."""
        found: np.ndarray = self._sums[row]
        return found

    @cached_property
    def _sums(self) -> UInt64[np.ndarray, "rows sums"]:
        return _cumulated(self.before.sums, self.hashes)

    def layer_before(self, layer: int, row: int) -> Sums:
        """The sums of the cells of a layer before a row."""
        rows, sums = self._layers(layer)
        found: np.ndarray = sums[np.searchsorted(rows, row)]
        return found

    def _layers(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        if layer not in self._kept_layers:
            rows = np.flatnonzero(self.layer == layer)
            before = self.before.layers.get(layer)
            start = np.zeros(self.hashes.shape[1], dtype=np.uint64) if before is None else before
            self._kept_layers[layer] = rows, _cumulated(start, self.hashes[rows])
        return self._kept_layers[layer]

    @cached_property
    def _kept_layers(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        return {}

    def cells_before(self, row: int) -> Counts:
        """The number of cells before a row, by level."""
        return _added(self.before.cells, np.bincount(self.level[:row]))

    def frontier_before(self, row: int) -> Counts:
        """The number of frontier cells before a row, by level."""
        return _added(self.before.frontier, np.bincount(self.level[:row][self.frontier[:row]]))

    def after(self) -> _Running:
        """What the cells so far hold together, these among them."""
        count = len(self.level)
        layers = {layer: self._layers(layer)[1][-1] for layer in np.unique(self.layer).tolist()}
        return _Running(
            self.before.count + count,
            self._sums[-1],
            {**self.before.layers, **layers},
            self.cells_before(count),
            self.frontier_before(count),
        )


def _cumulated(start: Sums, hashes: UInt64[np.ndarray, "cells sums"]) -> UInt64[np.ndarray, "rows sums"]:
    """The sums before each row, and behind the last one."""
    found: np.ndarray = np.cumsum(np.concatenate([start[None], hashes]), axis=0, dtype=np.uint64)
    return found


def _added(one: Counts, other: Counts) -> Counts:
    """Counts by level, added; either may end before the other."""
    found = np.zeros(max(len(one), len(other)), dtype=np.int64)
    found[: len(one)] += one
    found[: len(other)] += other
    return found


def _taken(whole: Counts, part: Counts) -> Counts:
    """Counts by level less others that they contain."""
    return _added(whole, -part)


def _trimmed(counts: Counts) -> tuple[int, ...]:
    """Counts without zeros behind the last one that is none."""
    some = np.flatnonzero(counts)
    return tuple(counts[: some[-1] + 1].tolist()) if len(some) else ()
