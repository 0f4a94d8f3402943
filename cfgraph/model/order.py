"""Order: cells known by their addresses, in any order, put into breadth-first order."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Int

from cfgraph.model.address import ROOT


def place_addresses(
    addresses: Sequence[str], *, top: str = ROOT
) -> tuple[Int[np.ndarray, " cells"], Int[np.ndarray, " cells"], Int[np.ndarray, " cells"]]:
    """Each address's parent (its place among them, -1 for the ``top``), slot (-1 for a root) and level.

    A ``KeyError`` holds the address of a parent that is not among them.
    """
    row_of = {address: row for row, address in enumerate(addresses)}
    row_of[""] = row_of.get(ROOT, -1)  # the stem of the root's children
    cuts = [address.rindex("/") for address in addresses]
    parent = [
        row_of[address[:cut]] if len(address) > 1 else -1
        for address, cut in zip(addresses, cuts, strict=True)
        if address != top
    ]
    parent.insert(row_of[top], -1)
    slot = np.array([int(address[cut + 1 :] or -1) for address, cut in zip(addresses, cuts, strict=True)], dtype=np.int32)
    level = np.array([address.count("/") for address in addresses], dtype=np.int32) - (slot < 0)
    return np.array(parent, dtype=np.int64), slot, level.astype(np.int32)


def breadth_first(
    parent: Int[np.ndarray, " cells"], slot: Int[np.ndarray, " cells"], level: Int[np.ndarray, " cells"]
) -> tuple[Int[np.ndarray, " cells"], Int[np.ndarray, " cells"]]:
    """The rows in breadth-first order, and the parents' new rows in that order."""
    rank = np.full(len(parent), -1, dtype=np.int64)
    by_level = np.argsort(level, kind="stable")
    starts = np.searchsorted(level[by_level], np.arange(level.min(), level.max() + 2))
    order = []
    for low, high in pairwise(starts):
        rows = by_level[low:high]
        rows = rows[np.lexsort((slot[rows], rank[parent[rows]]))]
        rank[rows] = np.arange(low, high)
        order.append(rows)
    rows = np.concatenate(order)
    above = np.where(parent[rows] < 0, -1, rank[parent[rows]])
    return rows, above
