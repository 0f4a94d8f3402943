"""Hashes: 128 bits for each of many cells, made of columns, and sums of them for sets of cells.

A cell is a row of 64-bit words: the text of its address, the bits of its numbers, numbers that stand for its texts. With
``m`` the finaliser of splitmix64 (a bijection of 64 bits in which every bit depends on every other), ``t_j`` a constant of
word ``j`` and ``t`` one of the lane, its hash in a lane is

    H = m(t + sum over words w_j that are not 0 of m(w_j + t_j))    mod 2^64

and a set of cells has the sum of their hashes, mod 2^64, in each of two lanes. So the hash of a set is that of its parts,
added, in whatever order they come; sets that differ have the same sums with a probability of some 2^-128. It finds changes;
it is no signature, since whoever wants to can find two sets of one sum.

Source of the finaliser: S. Vigna, splitmix64 (after G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number
generators", 2014).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, UInt64

LANES = 2
STEP, FIRST, SECOND = (np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
WORD_BYTES = 8
SUM_BYTES = LANES * WORD_BYTES
CHUNK_BYTES = 1 << 22  # of texts that are looked at at once


def mixed(words: UInt64[np.ndarray, "*shape"]) -> UInt64[np.ndarray, "*shape"]:
    """The finaliser of splitmix64, word by word."""
    words = words ^ (words >> np.uint64(30))
    words = words * FIRST
    words = words ^ (words >> np.uint64(27))
    words = words * SECOND
    found: np.ndarray = words ^ (words >> np.uint64(31))
    return found


def words_of_texts(texts: Sequence[str]) -> UInt64[np.ndarray, "texts words"]:
    """The bytes of ASCII texts without zeros, eight a word; behind the end of each are zeros."""
    column = np.array([text.encode("ascii") for text in texts], dtype=np.bytes_)
    width = -(-column.dtype.itemsize // WORD_BYTES) * WORD_BYTES
    return column.astype(f"S{width}").view("<u8").reshape(len(texts), width // WORD_BYTES).astype(np.uint64)


def words_of_numbers(numbers: Float[np.ndarray, "*shape"]) -> UInt64[np.ndarray, "*shape"]:
    """The bits of floats; those of 0 and -0, which are equal, are the same."""
    found: np.ndarray = (np.asarray(numbers, dtype=np.float64) + 0.0).view(np.uint64)
    return found


def hashes_of(columns: Mapping[str, UInt64[np.ndarray, "cells _"]]) -> UInt64[np.ndarray, "cells lanes"]:
    """The hash of each cell, of columns by name: the name and the place in a row say which word is which.

    Words that are 0 count for nothing, so rows may be of any length.
    """
    count = len(next(iter(columns.values())))
    found = np.empty((count, LANES), dtype=np.uint64)
    for lane in range(LANES):
        total = np.zeros(count, dtype=np.uint64)
        for name, words in columns.items():
            constants = _constants(f"{name} {lane}", words.shape[1])
            total += np.where(words == 0, np.uint64(0), mixed(words + constants)).sum(axis=1, dtype=np.uint64)
        found[:, lane] = mixed(total + _constants(f"lane {lane}", 1))
    return found


def hash_of_texts(texts: Sequence[str]) -> UInt64[np.ndarray, "texts lanes"]:
    """The hash of each of some ASCII texts, some at once, since the longest says how wide all of them are."""
    if not texts:
        return np.empty((0, LANES), dtype=np.uint64)
    many = max(CHUNK_BYTES // max(map(len, texts), default=1), 1)
    parts = [hashes_of({"text": words_of_texts(texts[low : low + many])}) for low in range(0, len(texts), many)]
    return np.concatenate(parts)


def _constants(name: str, count: int) -> UInt64[np.ndarray, " count"]:
    """Constants that belong to a name."""
    letters = np.frombuffer(name.encode("utf-8", "surrogatepass"), dtype=np.uint8).astype(np.uint64)
    start = mixed(letters + STEP * np.arange(1, len(letters) + 1, dtype=np.uint64)).sum(dtype=np.uint64)
    return mixed(start + STEP * np.arange(1, count + 1, dtype=np.uint64))
