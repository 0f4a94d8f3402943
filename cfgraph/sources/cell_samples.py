"""Cell samples: some different rows of each of many cells, kept while all rows go by once.

Each row has a hash of 64 bits of its numbers; a cell keeps those of the smallest hashes, equal rows once. So its sample depends
on which rows it has, not on their order, and a cell with fewer different rows than its sample may hold has all of them in it.
"""

import numpy as np
from jaxtyping import Float, Int, UInt64

from cfgraph.model.hashes import STEP, mixed, words_of_numbers

_WORDS = 1 << 15  # that are hashed at once
_OPEN = np.uint64(2**64 - 1)  # the limit of a cell whose sample is not full
ROW_BYTES = 24  # of a row besides its numbers: its cell, its hash, its place in an order


def row_hashes(values: Float[np.ndarray, "rows dim"], *, seed: int) -> UInt64[np.ndarray, " rows"]:
    """``m(sum over j of m(w_j + t_j)) mod 2^64`` of each row's bits w, with m and t as in :mod:`cfgraph.model.hashes`."""
    found = np.empty(len(values), dtype=np.uint64)
    constants = mixed(np.uint64(seed % 2**64) + STEP * np.arange(1, values.shape[1] + 1, dtype=np.uint64))
    step = max(1, _WORDS // values.shape[1])
    for low in range(0, len(values), step):
        words = words_of_numbers(values[low : low + step])
        found[low : low + step] = mixed(mixed(words + constants).sum(axis=1, dtype=np.uint64))
    return found


class CellSamples:
    """Up to ``most`` different rows of each of ``cells`` cells, in the order of their hashes."""

    def __init__(self, cells: int, *, most: int, dimension: int) -> None:
        self._cells, self._most = cells, most
        self._limit = np.full(cells, _OPEN)  # hashes from here on are not taken any more
        self._cell, self._hash = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint64)
        self._rows = np.empty((0, dimension))
        self._waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._count = 0  # of rows that wait

    def add(
        self,
        cell: Int[np.ndarray, " rows"],
        rows: Float[np.ndarray, "rows dim"],
        hashes: UInt64[np.ndarray, " rows"],
    ) -> None:
        """The next rows, with the cell that each lies in."""
        taken = np.flatnonzero(hashes < self._limit[cell])
        if not len(taken):
            return
        self._waiting.append((cell[taken], hashes[taken], rows[taken]))
        self._count += len(taken)
        if self._count >= max(len(rows), len(self._rows) // 2):
            self._merge()

    def settle(self) -> tuple[Int[np.ndarray, " sample"], Float[np.ndarray, "sample dim"]]:
        """The samples of all cells, one after the other: of each row its cell, and the rows."""
        self._merge()
        return self._cell, self._rows

    def _merge(self) -> None:
        if not self._waiting:
            return
        cell, hashes, rows = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting, self._count = [], 0
        cell, hashes = np.concatenate([self._cell, cell]), np.concatenate([self._hash, hashes])
        order = np.lexsort((hashes, cell))
        cell, hashes = cell[order], hashes[order]
        new = np.ones(len(order), dtype=bool)
        new[1:] = (cell[1:] != cell[:-1]) | (hashes[1:] != hashes[:-1])
        order, cell, hashes = order[new], cell[new], hashes[new]
        first = np.searchsorted(cell, np.arange(self._cells))
        kept = np.arange(len(cell)) - first[cell] < self._most
        order, self._cell, self._hash = order[kept], cell[kept], hashes[kept]
        held = len(self._rows)
        both = np.empty((len(order), rows.shape[1]))
        old = order < held
        both[old], both[~old] = self._rows[order[old]], rows[order[~old] - held]
        self._rows = both
        size = np.bincount(self._cell, minlength=self._cells)
        full = np.flatnonzero(size >= self._most)
        last = np.searchsorted(self._cell, full, side="right") - 1
        self._limit[full] = self._hash[last]
