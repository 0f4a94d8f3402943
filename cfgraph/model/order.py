"""Order: cells known by their addresses, in any order, put into breadth-first order."""

from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import numpy as np
from jaxtyping import Int

from cfgraph.model.address import ROOT, stem_of


def place_addresses(
    addresses: Sequence[str], *, top: str = ROOT
) -> tuple[Int[np.ndarray, " cells"], Int[np.ndarray, " cells"], Int[np.ndarray, " cells"]]:
    """Each address's parent (its place among them, -1 for the ``top``), slot (-1 for a root) and level.

    A ``KeyError`` holds the address of a parent that is not among them; a ``ValueError`` says that one is none, or comes twice.
    """
    row_of = {address: row for row, address in enumerate(addresses)}
    if len(row_of) < len(addresses):
        raise ValueError("an address comes twice")
    row_of[""] = row_of.get(ROOT, -1)  # the stem of the root's children
    cuts = [address.rindex("/") for address in addresses]
    texts = [address[cut + 1 :] for address, cut in zip(addresses, cuts, strict=True)]
    parent = [
        row_of[address[:cut]] if len(address) > 1 else -1
        for address, cut in zip(addresses, cuts, strict=True)
        if address != top
    ]
    parent.insert(row_of[top], -1)
    slots = [int(text) if text else -1 for text in texts]
    if list(map(str, slots)) != [text or "-1" for text in texts]:  # 01, +1, 1_0 and the like
        raise ValueError("a slot is not written as numbers are")
    slot = np.array(slots, dtype=np.int32)
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


def in_cycle(links: Iterable[tuple[str, str]]) -> str | None:
    """The address of a cell that is its own ancestor, where cells have second parents besides: ``(parent, child)``; or None.

    Of the tree only the ends of links count: a way down from one to the other passes no others.
    """
    ways, line = TopologicalSorter[str](), list[str]()
    pairs = set(links)
    for parent, child in pairs:
        ways.add(child, parent)
    for end in sorted({end for pair in pairs for end in pair}):  # in this order a subtree comes in one piece
        while line and not end.startswith(stem_of(line[-1]) + "/"):
            line.pop()
        if line:
            ways.add(end, line[-1])
        line.append(end)
    try:
        ways.prepare()
    except CycleError as error:
        return str(error.args[1][0])
    return None
