"""Merging: two streams of cells in the order of their addresses, as one: the diff by address.

Both sides come in the same order, so a page of each is all that is held: what lies before the end of both pages is settled.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from cfgraph.comparing.changes import ADDED, ONLY_FIRST, ONLY_SECOND, REMOVED, STATE, Change, Terms, changes
from cfgraph.comparing.diff_report import DiffTally
from cfgraph.comparing.differences import LoneMaker, Lookup, PairMaker, ParentMaker
from cfgraph.comparing.sides import Rows
from cfgraph.comparing.subtrees import Subtrees
from cfgraph.model.address import level_of
from cfgraph.model.subtree_digests import SubtreeDigest


@dataclass(frozen=True, eq=False)
class Settled:
    """A stretch of addresses: what either side has of it, and the rows of the cells that both have."""

    first: Rows
    second: Rows
    both: tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]

    def lone(self, place: int) -> Bool[np.ndarray, " cells"]:
        """Which cells of the first (0) or the second side (1) the other lacks."""
        alone = np.ones(len((self.first, self.second)[place]), dtype=bool)
        alone[self.both[place]] = False
        return alone


def merged(first: Iterator[Rows], second: Iterator[Rows]) -> Iterator[Settled]:
    """Two sides stretch by stretch."""
    pages = next(first, None), next(second, None)
    more = [page is not None for page in pages]
    there = next((page for page in pages if page is not None), None)
    if there is None:
        return
    one, other = (there.cut(0, 0) if page is None else page for page in pages)
    while len(one) or len(other):
        ends = [page.address[-1] for page, coming in zip((one, other), more, strict=True) if coming]
        low, high = (_settled(page, ends) for page in (one, other))
        yield _settle(one.cut(0, low), other.cut(0, high))
        one, other = one.cut(low, len(one)), other.cut(high, len(other))
        one, more[0] = _filled(one, first, more=more[0])
        other, more[1] = _filled(other, second, more=more[1])


def _settled(page: Rows, ends: list[str]) -> int:
    """How many rows of a page lie before the end of each page behind which more comes."""
    return bisect_right(page.address, min(ends)) if ends else len(page)


def _filled(page: Rows, coming: Iterator[Rows], *, more: bool) -> tuple[Rows, bool]:
    """A page that is not empty, unless its side has ended, and whether it has not."""
    if not more or len(page):
        return page, more
    found = next(coming, None)
    return (page, False) if found is None else (found, True)


def _settle(first: Rows, second: Rows) -> Settled:
    row_of = {address: row for row, address in enumerate(second.address)}
    pairs = [(row, row_of[address]) for row, address in enumerate(first.address) if address in row_of]
    rows, others = (np.array(column, dtype=np.int64) for column in (zip(*pairs, strict=True) if pairs else ((), ())))
    return Settled(first, second, (rows, others))


def diff_by_address(
    first: Iterator[Rows],
    second: Iterator[Rows],
    *,
    terms: Terms,
    tally: DiffTally,
    subtrees: Subtrees,
    same: Sequence[SubtreeDigest] = (),
) -> None:
    """Tell a tally of all differences of two sides, cells matched by address, and where cells lie that differ.

    The pages lack what lies in subtrees that are the ``same`` on both sides; these are counted.
    """
    waiting = deque(same)
    for found in merged(first, second):
        held = dict.fromkeys((found.first.address[row] for row in found.both[0].tolist()), False)
        for place, kind in enumerate((ONLY_FIRST, ONLY_SECOND)):
            held.update(_tell_lone(found, place, kind, tally=tally))
        held.update(_tell_pairs(found, terms=terms, tally=tally))
        addresses = sorted(held)
        while waiting and addresses and waiting[0].address < addresses[-1]:
            before = bisect_right(addresses, waiting[0].address)
            subtrees.add((address, held[address]) for address in addresses[:before])
            _tell_same(waiting.popleft(), tally=tally, subtrees=subtrees)
            del addresses[:before]
        subtrees.add((address, held[address]) for address in addresses)
    for one in waiting:
        _tell_same(one, tally=tally, subtrees=subtrees)


def _tell_same(one: SubtreeDigest, *, tally: DiffTally, subtrees: Subtrees) -> None:
    tally.match_counted({level: cells for level, cells in enumerate(one.cells, start=one.level) if cells})
    subtrees.add_same(one.address, cells=one.size)


def _tell_lone(found: Settled, place: int, kind: str, *, tally: DiffTally) -> dict[str, bool]:
    side, alone = (found.first, found.second)[place], found.lone(place)
    levels = levels_of(side.address)
    make = LoneMaker(kind, side.address.__getitem__, levels, side.contents.name.__getitem__)
    tally.add(kind, Change(alone), levels=levels, make=make)
    return {side.address[row]: True for row in np.flatnonzero(alone).tolist()}


def _tell_pairs(found: Settled, *, terms: Terms, tally: DiffTally) -> dict[str, bool]:
    """Tell of the cells that both have; which of them differ in what they hold."""
    rows, others = found.both
    one, other = found.first.contents.take(rows), found.second.contents.take(others)
    addresses = [found.first.address[row] for row in rows.tolist()]
    levels, at = levels_of(addresses), addresses.__getitem__
    tally.match(levels)
    differing = np.zeros(len(rows), dtype=bool)
    for kind, change in changes(one, other, terms).items():
        tally.add(kind, change, levels=levels, make=PairMaker(kind, at, at, levels, (one, other), change, terms))
        differing |= change.differs & (kind != STATE)
    differing[_tell_links(found, at, levels, tally=tally)] = True
    return {addresses[row]: True for row in np.flatnonzero(differing).tolist()}


def _tell_links(found: Settled, at: Lookup, levels: Int[np.ndarray, " pairs"], *, tally: DiffTally) -> list[int]:
    """Tell of edges from second parents that only one side has; the pairs that they lead to."""
    rows, differing = zip(*(column.tolist() for column in found.both), strict=True), set[int]()
    edges: dict[str, list[tuple[int, str]]] = {REMOVED: [], ADDED: []}
    for pair, (row, other) in enumerate(rows):
        above, beyond = found.first.above[row], found.second.above[other]
        if above != beyond:
            differing.add(pair)
            edges[REMOVED] += [(pair, parent) for parent in above if parent not in beyond]
            edges[ADDED] += [(pair, parent) for parent in beyond if parent not in above]
    for kind, told in edges.items():
        _tell_edges(kind, told, at, levels, tally=tally)
    return sorted(differing)


def _tell_edges(
    kind: str, edges: list[tuple[int, str]], at: Lookup, levels: Int[np.ndarray, " pairs"], *, tally: DiffTally
) -> None:
    """Tell of edges: the pair that each leads to, and the address of its parent."""
    ends = levels[np.array([pair for pair, _ in edges], dtype=np.int64)]
    make = ParentMaker(
        kind, lambda row: at(edges[row][0]), lambda row: at(edges[row][0]), ends, lambda row: f"from {edges[row][1]}"
    )
    tally.add(kind, Change(np.ones(len(edges), dtype=bool)), levels=ends, make=make)


def levels_of(addresses: list[str]) -> Int[np.ndarray, " cells"]:
    """The level of each address."""
    return np.array([level_of(address) for address in addresses], dtype=np.int64)
