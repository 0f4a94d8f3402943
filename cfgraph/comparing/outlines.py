"""Outlines: what a join of two hierarchies needs of every cell, and no more: for the diff by name and by points.

Cells that are matched by something else than their addresses come in no common order, so something of all of them is held: of
both sides the outline (the address, the parent's row, the level and a key of 17 bytes a cell, some 60 bytes, and 16 a link),
and of the first side what its cells hold (some 60 bytes, and 16 for each number of a center). The second side's contents go
by in pages.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int, Shaped, UInt64

from cfgraph.comparing.sides import Rows, Side
from cfgraph.errors import DamagedError
from cfgraph.model.address import level_of

# Keys are 128 bits, so that two of m different cells are mistaken for one with probability below m^2 / 2^127, and a dot,
# because numpy takes zeros at the end away.
KEY = "S17"
SEED = 0  # of the numbers of the data points


@dataclass(frozen=True, eq=False)
class Outline:
    """Of each cell its address, its parent's row (-1 for the root), its level; second parents; and what it is matched by."""

    address: pa.ChunkedArray
    parent: Int[np.ndarray, " cells"]
    level: Int[np.ndarray, " cells"]
    links: Int[np.ndarray, "links 2"]  # rows of parent and child
    known: Bool[np.ndarray, " cells"]  # whether there is something that it can be matched by
    key: Shaped[np.ndarray, " cells"]

    def __len__(self) -> int:
        return len(self.parent)

    def at(self, row: int) -> str:
        """The address of the cell in a row."""
        return str(self.address[row].as_py())

    def lookup(self, rows: Int[np.ndarray, " chosen"]) -> Callable[[int], str]:
        """What gives the address of one of some cells."""
        return lambda place: self.at(int(rows[place]))

    def edges(self) -> Int[np.ndarray, "edges 2"]:
        """All edges, as rows of parent and child."""
        below = np.flatnonzero(self.parent >= 0)
        return np.concatenate([np.stack([self.parent[below], below], axis=1), self.links])


class Drawing:
    """Takes pages of a side and makes the outline of them."""

    def __init__(self, side: Side):
        self._side = side
        self._addresses: list[pa.Array] = []
        self._parents: list[np.ndarray] = []
        self._levels: list[np.ndarray] = []
        self._keys: list[np.ndarray] = []
        self._line: list[int] = []  # the rows of the cells that lead to the last one
        self._links: list[tuple[str, int]] = []
        self._count = 0

    def add(self, rows: Rows, keys: Shaped[np.ndarray, " cells"]) -> None:
        """Take a page, with the key of each cell: empty where it has none."""
        levels = [level_of(address) for address in rows.address]
        self._parents.append(np.array([self._place(*cell) for cell in enumerate(levels, start=self._count)], dtype=np.int64))
        self._links += [(parent, row) for row, above in enumerate(rows.above, start=self._count) if above for parent in above]
        self._addresses.append(pa.array(rows.address, pa.large_string()))
        self._levels.append(np.array(levels, dtype=np.int32))
        self._keys.append(keys)
        self._count += len(rows)

    def _place(self, row: int, level: int) -> int:
        if level > len(self._line):
            raise DamagedError.of(self._side.id, "some cells lack a parent")
        del self._line[level:]
        self._line.append(row)
        return self._line[-2] if level else -1

    def outline(self, keys: Shaped[np.ndarray, " cells"] | None = None) -> Outline:
        """What came of it; ``keys`` in place of those of the pages."""
        address = pa.chunked_array(self._addresses, pa.large_string())
        key = np.concatenate(self._keys) if keys is None else keys
        parent, level = np.concatenate(self._parents), np.concatenate(self._levels)
        return Outline(address, parent, level, self._rows_of_links(address), key != b"", key)

    def _rows_of_links(self, address: pa.ChunkedArray) -> Int[np.ndarray, "links 2"]:
        names = sorted({parent for parent, _ in self._links})
        where = pc.index_in(pa.array(names, pa.large_string()), value_set=address.combine_chunks())
        row_of = dict(zip(names, where.to_pylist(), strict=True))
        if None in row_of.values():
            raise DamagedError.of(self._side.id, "an edge comes from a cell that is not there")
        found = np.array([(row_of[parent], child) for parent, child in self._links], dtype=np.int64)
        return found.reshape(len(self._links), 2)


def keys_of_names(names: Iterable[str | None]) -> Shaped[np.ndarray, " cells"]:
    """A key for each name; empty where there is none."""
    return np.array([b"" if name is None else _key(name) for name in names], dtype=KEY)


def _key(name: str) -> bytes:
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest() + b"."


def outline_by_name(pages: Iterator[Rows], side: Side) -> Outline:
    """The outline of a side whose cells are matched by name."""
    drawing = Drawing(side)
    for rows in pages:
        drawing.add(rows, keys_of_names(rows.contents.name))
    return drawing.outline()


@dataclass(frozen=True, eq=False)
class Placed:
    """An outline with the row of the cell that each data point lies in; -1 for none."""

    outline: Outline
    cell: Int[np.ndarray, " points"]
    size: Int[np.ndarray, " cells"]  # how many data points lie in each cell and below it


def outline_by_points(pages: Iterator[Rows], side: Side) -> Placed:
    """The outline of a side whose cells are matched by the set of data points in them and below them."""
    drawing, points, cells, before = Drawing(side), list[np.ndarray](), list[np.ndarray](), 0
    for rows in pages:
        drawing.add(rows, np.zeros(len(rows), dtype=KEY))
        counts = [len(inside) for inside in rows.points or ()]
        points.append(np.array([point for inside in rows.points or () for point in inside], dtype=np.int64))
        cells.append(np.repeat(np.arange(before, before + len(counts)), counts))
        before += len(rows)
    plain = drawing.outline()
    point, cell = np.concatenate(points), np.concatenate(cells)
    placed = np.full(int(point.max(initial=-1)) + 1, -1, dtype=np.int64)
    placed[point] = cell
    sums = summed(plain, cell, random_numbers(point))
    size = sums[:, 2].astype(np.int64)
    key = np.array(list(_keys_of(sums[:, :2])), dtype=KEY)
    key[size == 0] = b""
    return Placed(drawing.outline(key), placed, size)


def _keys_of(sums: UInt64[np.ndarray, "cells 2"]) -> Iterator[bytes]:
    packed = np.ascontiguousarray(sums).tobytes()
    for low in range(0, len(packed), 16):
        yield packed[low : low + 16] + b"."


def random_numbers(points: Int[np.ndarray, " points"]) -> UInt64[np.ndarray, "points 3"]:
    """Two random 64-bit numbers for each data point, the same on both sides, and a 1 to count it by."""
    drawn = np.random.default_rng(SEED).integers(2**64, size=(int(points.max(initial=-1)) + 1, 2), dtype=np.uint64)
    return np.concatenate([drawn[points], np.ones((len(points), 1), dtype=np.uint64)], axis=1)


def summed(
    outline: Outline, cell: Int[np.ndarray, " points"], numbers: UInt64[np.ndarray, "points 3"]
) -> UInt64[np.ndarray, "cells 3"]:
    """The sums (modulo 2^64) of the numbers of the points in each cell and below it."""
    sums = np.zeros((len(outline), 3), dtype=np.uint64)
    np.add.at(sums, cell, numbers)
    order = np.argsort(outline.level, kind="stable")
    starts = np.searchsorted(outline.level[order], np.arange(1, outline.level.max() + 2))
    for low, high in reversed(list(pairwise(starts.tolist()))):
        rows = order[low:high]
        np.add.at(sums, outline.parent[rows], sums[rows])
    return sums


@dataclass(frozen=True, eq=False)
class Matching:
    """The partner of each cell on the other side: its row, -1 where it has none."""

    of_first: Int[np.ndarray, " firsts"]
    of_second: Int[np.ndarray, " seconds"]

    def with_pairs(self, first: Int[np.ndarray, " pairs"], second: Int[np.ndarray, " pairs"]) -> "Matching":
        """The same with more pairs."""
        of_first, of_second = self.of_first.copy(), self.of_second.copy()
        of_first[first], of_second[second] = second, first
        return Matching(of_first, of_second)


def match_keys(first: Outline, second: Outline) -> Matching:
    """Cells of equal keys; of those that come several times on a side the i-th of one with the i-th of the other."""
    rows = [np.flatnonzero(outline.known) for outline in (first, second)]
    keys = np.concatenate([outline.key[chosen] for outline, chosen in zip((first, second), rows, strict=True)])
    number = np.unique(keys, return_inverse=True)[1].astype(np.int64)
    one, other = (codes * len(keys) + _places(codes) for codes in (number[: len(rows[0])], number[len(rows[0]) :]))
    _, here, there = np.intersect1d(one, other, assume_unique=True, return_indices=True)
    nobody = Matching(*(np.full(len(outline), -1, dtype=np.int64) for outline in (first, second)))
    return nobody.with_pairs(rows[0][here], rows[1][there])


def _places(codes: Int[np.ndarray, " cells"]) -> Int[np.ndarray, " cells"]:
    """How many of the same code stand before each."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    places = np.empty(len(codes), dtype=np.int64)
    places[order] = np.arange(len(codes)) - np.searchsorted(ordered, ordered, side="left")
    return places


def repeated(outline: Outline) -> int:
    """How many cells have a key that another one has already."""
    known = outline.key[outline.known]
    return len(known) - len(np.unique(known))
