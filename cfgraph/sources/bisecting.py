"""Bisecting 2-means: clusters are split in two, all clusters of a level in one pass, down to single rows or small clusters.

The poles of a split are the row farthest from one that is drawn and the row farthest from that; Lloyd's steps follow. Rows
stand in one order in which each cluster is a piece, so a level costs O(n d) a step however many clusters it has.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.model.dag import ranges

STEPS = 8  # Lloyd's, at most
ROWS = 1 << 15  # worked on at once


class Bisected(NamedTuple):
    """A binary tree of clusters: leaves are numbered by their smallest row, merges above them, children first."""

    children: Int[np.ndarray, "merges 2"]
    leaf_of: Int[np.ndarray, " rows"]


def bisect(rows: Float[np.ndarray, "rows columns"], *, largest: int = 1, random: np.random.Generator) -> Bisected:
    """Split rows in two, again and again, until no cluster has more than ``largest``.

    What Lloyd's steps cannot split (equal rows) is halved in the rows' order.
    """
    order = np.arange(len(rows))
    first, size, node = np.array([0]), np.array([len(rows)]), np.array([0])
    leaf, splits, count = np.zeros(len(rows), dtype=np.int64), list[tuple[np.ndarray, np.ndarray]](), 1
    while len(first):
        large = size > largest
        leaf[order[ranges(first[~large], (first + size)[~large])]] = np.repeat(node[~large], size[~large])
        first, size, node = first[large], size[large], node[large]
        if len(first) == 0:
            break
        pieces = _Pieces(rows, order[ranges(first, first + size)], size)
        right = _split(pieces, random)
        order[ranges(first, first + size)] = pieces.order[np.argsort(2 * pieces.piece + right, kind="stable")]
        taken = pieces.counts(right)
        below = count + np.arange(2 * len(node)).reshape(-1, 2)
        splits.append((node, below))
        count += below.size
        node, size = below.reshape(-1), np.stack([size - taken, taken], axis=1).reshape(-1)
        first = np.stack([first, first + size[0::2]], axis=1).reshape(-1)
    return _numbered(leaf, splits, count)


def _numbered(leaf: Int[np.ndarray, " rows"], splits: list[tuple[np.ndarray, np.ndarray]], count: int) -> Bisected:
    """Leaves numbered by their smallest row, merges from the deepest level up."""
    found, smallest, leaf_of = np.unique(leaf, return_index=True, return_inverse=True)
    rank = np.empty(len(found), dtype=np.int64)
    rank[np.argsort(smallest)] = np.arange(len(found))
    number, children = np.full(count, -1, dtype=np.int64), [np.zeros((0, 2), dtype=np.int64)]
    number[found] = rank
    following = len(found)
    for node, below in reversed(splits):
        children.append(number[below])
        number[node] = following + np.arange(len(node))
        following += len(node)
    return Bisected(np.concatenate(children), rank[leaf_of])


class _Pieces:
    """Rows in an order in which each cluster is one piece."""

    def __init__(self, rows: np.ndarray, order: Int[np.ndarray, " some"], size: Int[np.ndarray, " pieces"]):
        self.rows, self.order, self.size = rows, order, size
        self.piece = np.repeat(np.arange(len(size)), size)
        self.first = np.cumsum(size) - size

    def parts(self) -> Iterator[tuple[slice, Float[np.ndarray, "part columns"], Int[np.ndarray, " part"]]]:
        """Some places of the order after the other: where they are, their rows, their pieces."""
        for start in range(0, len(self.order), ROWS):
            part = slice(start, start + ROWS)
            yield part, self.rows[self.order[part]], self.piece[part]

    def counts(self, chosen: Bool[np.ndarray, " some"]) -> Int[np.ndarray, " pieces"]:
        """How many of each piece are chosen."""
        return np.add.reduceat(chosen.astype(np.int64), self.first)

    def farthest(self, points: Float[np.ndarray, "pieces columns"]) -> Float[np.ndarray, "pieces columns"]:
        """Of each piece the row that is farthest from a point of its own."""
        distance = np.empty(len(self.order))
        for part, rows, piece in self.parts():
            away = rows - points[piece]
            distance[part] = np.einsum("rc,rc->r", away, away)
        hits = np.flatnonzero(distance == np.maximum.reduceat(distance, self.first)[self.piece])[::-1]
        place = np.empty(len(self.size), dtype=np.int64)
        place[self.piece[hits]] = hits
        return self.rows[self.order[place]]


def _split(pieces: _Pieces, random: np.random.Generator) -> Bool[np.ndarray, " some"]:
    """Which rows go to the right of their piece's two halves; never none and never all."""
    drawn = pieces.first + (random.random(len(pieces.size)) * pieces.size).astype(np.int64)
    left = pieces.farthest(pieces.rows[pieces.order[drawn]])
    right = pieces.farthest(left)
    before = None
    for _ in range(STEPS):
        chosen, sums = _assigned(pieces, left, right)
        taken = pieces.counts(chosen)
        if before is not None and np.array_equal(chosen, before):
            break
        before = chosen
        whole = ((taken > 0) & (taken < pieces.size))[:, None]
        left = np.where(whole, sums[0] / np.maximum(pieces.size - taken, 1)[:, None], left)
        right = np.where(whole, sums[1] / np.maximum(taken, 1)[:, None], right)
    equal = ((taken == 0) | (taken == pieces.size))[pieces.piece]
    place = np.arange(len(pieces.order)) - pieces.first[pieces.piece]
    return np.where(equal, 2 * place >= pieces.size[pieces.piece], chosen)


def _assigned(
    pieces: _Pieces, left: Float[np.ndarray, "pieces columns"], right: Float[np.ndarray, "pieces columns"]
) -> tuple[Bool[np.ndarray, " some"], Float[np.ndarray, "2 pieces columns"]]:
    """Which rows are nearer to the right one of two centers, and the sums of both sides."""
    across = right - left
    middle = np.einsum("pc,pc->p", across, left + right) / 2
    chosen, sums = np.empty(len(pieces.order), dtype=bool), np.zeros((2, *left.shape))
    for part, rows, piece in pieces.parts():
        chosen[part] = np.einsum("rc,rc->r", rows, across[piece]) > middle[piece]
        starts = np.flatnonzero(np.concatenate([[True], piece[1:] != piece[:-1]]))
        taken = np.add.reduceat(np.where(chosen[part, None], rows, 0.0), starts, axis=0)
        sums[1, piece[starts]] += taken
        sums[0, piece[starts]] += np.add.reduceat(rows, starts, axis=0) - taken
    return chosen, sums
