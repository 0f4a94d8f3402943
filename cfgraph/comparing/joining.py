"""Joining: the diff of two hierarchies whose cells are matched by their names, or by the data points in them.

First the outlines of both sides are drawn and matched, with what the cells of the first side hold; then the second side goes
by once more in pages, and each page is compared with the partners of its cells (:mod:`cfgraph.comparing.outlines` says what
that takes of memory).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from cfgraph.comparing.changes import (
    ADDED,
    EDGE,
    ONLY_FIRST,
    ONLY_SECOND,
    PARENT,
    POINTS,
    REMOVED,
    STATE,
    Change,
    Terms,
    changes,
)
from cfgraph.comparing.diff_report import DiffTally
from cfgraph.comparing.differences import LoneMaker, Make, PairMaker, ParentMaker
from cfgraph.comparing.outlines import Matching, Outline, match_keys, outline_by_name, outline_by_points, repeated
from cfgraph.comparing.overlaps import match_points
from cfgraph.comparing.sides import Contents, Rows, Side
from cfgraph.comparing.subtrees import Subtrees

Pages = Callable[[], Iterator[Rows]]
UNMATCHED = -2


@dataclass(frozen=True, eq=False)
class Joined:
    """Both outlines, what the cells of the first side hold, and which cells are matched."""

    first: Outline
    second: Outline
    held: Contents
    matching: Matching
    overlap: Float[np.ndarray, " firsts"] | None = None  # of the sets of points, where these are what is matched by
    remarks: tuple[str, ...] = ()


def join_by_name(sides: tuple[Side, Side], pages: tuple[Pages, Pages]) -> Joined:
    """Cells of equal names; where a name comes several times, the i-th of one side with the i-th of the other."""
    held = list[Contents]()
    first = outline_by_name(_holding(pages[0](), held, names=False), sides[0])
    second = outline_by_name(pages[1](), sides[1])
    remarks = []
    for side, outline in zip(sides, (first, second), strict=True):
        if nameless := len(outline) - int(outline.known.sum()):
            remarks.append(f"{nameless:,} cells of {side.id!r} have no name, and were left out")
        if again := repeated(outline):
            remarks.append(f"{again:,} cells of {side.id!r} have a name that one before them has; they were matched in order")
    return Joined(first, second, Contents.joined(held), match_keys(first, second), remarks=tuple(remarks))


def join_by_points(sides: tuple[Side, Side], pages: tuple[Pages, Pages]) -> Joined:
    """Cells with the same set of data points in them and below them, then those of best overlap."""
    held = list[Contents]()
    first = outline_by_points(_holding(pages[0](), held, names=sides[0].named), sides[0])
    second = outline_by_points(pages[1](), sides[1])
    found, remarks = match_points(first, second), []
    for side, placed in zip(sides, (first, second), strict=True):
        if empty := int((placed.size == 0).sum()):
            remarks.append(f"{empty:,} cells of {side.id!r} have no data points, and were left out")
    remarks += [] if found.remark is None else [found.remark]
    return Joined(first.outline, second.outline, Contents.joined(held), found.matching, found.overlap, remarks=tuple(remarks))


def _holding(pages: Iterable[Rows], held: list[Contents], *, names: bool) -> Iterator[Rows]:
    """The same pages; what their cells hold is kept, without names where nobody asks for these."""
    for rows in pages:
        nothing = np.empty(len(rows), dtype=object)
        held.append(rows.contents if names else replace(rows.contents, name=nothing))
        yield rows


def diff_joined(joined: Joined, second: Iterator[Rows], *, terms: Terms, tally: DiffTally) -> tuple[Subtrees, Subtrees]:
    """Tell a tally of all differences of two joined sides; where cells lie that differ, on the second side and the first."""
    differing = np.zeros(len(joined.second), dtype=bool)
    _tell_edges(joined, differing, tally=tally)
    low, there = 0, Subtrees("second")
    for rows in second:
        places = np.arange(low, low + len(rows))
        _tell_page(joined, rows, places, differing, terms=terms, tally=tally)
        there.add(zip(rows.address, differing[places].tolist(), strict=True))
        low += len(rows)
    return there, _tell_first(joined, tally=tally)


def _tell_page(
    joined: Joined, rows: Rows, places: Int[np.ndarray, " rows"], differing: np.ndarray, *, terms: Terms, tally: DiffTally
) -> None:
    """Tell of a page of the second side: of cells without a partner, and of what the others hold."""
    partner = joined.matching.of_second[places]
    alone = joined.second.known[places] & (partner < 0)
    levels = joined.second.level[places]
    make = LoneMaker(ONLY_SECOND, rows.address.__getitem__, levels, rows.contents.name.__getitem__)
    tally.add(ONLY_SECOND, Change(alone), levels=levels, make=make)
    differing[places[alone]] = True
    matched = np.flatnonzero(partner >= 0)
    _tell_matched(joined, rows.contents.take(matched), places[matched], differing, terms=terms, tally=tally)


def _tell_matched(
    joined: Joined, held: Contents, there: Int[np.ndarray, " pairs"], differing: np.ndarray, *, terms: Terms, tally: DiffTally
) -> None:
    here = joined.matching.of_second[there]
    levels, contents = joined.first.level[here], (joined.held.take(here), held)
    tally.match(levels)
    if joined.overlap is None:  # by name: the first side's were not kept, and both have the same
        contents = (replace(contents[0], name=held.name), held)
    found = changes(*contents, terms)
    found[PARENT] = Change(other_parents(joined, here, there))
    found[EDGE] = replace(found[EDGE], differs=found[EDGE].differs & ~found[PARENT].differs)
    if joined.overlap is not None:
        found[POINTS] = Change(joined.overlap[here] < 1, 1 - joined.overlap[here])
    for kind, change in found.items():
        make = _maker(joined, kind, (here, there), contents, change, terms)
        tally.add(kind, change, levels=levels, make=make)
        differing[there[change.differs]] |= kind != STATE


Pairs = tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]


def _maker(joined: Joined, kind: str, pairs: Pairs, contents: tuple[Contents, Contents], change: Change, terms: Terms) -> Make:
    """What makes a difference of one of some pairs."""
    here, there = pairs
    first, second = joined.first.lookup(here), joined.second.lookup(there)
    levels = joined.first.level[here]
    if kind == PARENT:
        return ParentMaker(kind, first, second, levels, lambda row: _parents_in_words(joined, int(here[row]), int(there[row])))
    return PairMaker(kind, first, second, levels, contents, change, terms)


def _parents_in_words(joined: Joined, here: int, there: int) -> str:
    above = (joined.first, joined.first.parent[here]), (joined.second, joined.second.parent[there])
    return " -> ".join("none" if row < 0 else side.at(int(row)) for side, row in above)


def other_parents(joined: Joined, here: Int[np.ndarray, " pairs"], there: Int[np.ndarray, " pairs"]) -> np.ndarray:
    """Which matched cells have primary parents that are not matched with each other; parents without a key on both sides say
    nothing."""
    above, beyond = joined.first.parent[here], joined.second.parent[there]
    expected = np.where(above >= 0, joined.matching.of_first[above], -1)
    expected[(above >= 0) & (expected < 0)] = UNMATCHED
    unknown = (above >= 0) & (beyond >= 0) & ~joined.first.known[above] & ~joined.second.known[beyond]
    found: np.ndarray = (expected != beyond) & ~unknown
    return found


def _tell_first(joined: Joined, *, tally: DiffTally) -> Subtrees:
    """Tell of the cells that only the first side has, and where they lie."""
    alone = joined.first.known & (joined.matching.of_first < 0)
    make = LoneMaker(ONLY_FIRST, joined.first.at, joined.first.level)
    tally.add(ONLY_FIRST, Change(alone), levels=joined.first.level, make=make)
    here, low = Subtrees("first"), 0
    for chunk in joined.first.address.chunks:
        here.add(zip(map(str, chunk.to_pylist()), alone[low : low + len(chunk)].tolist(), strict=True))
        low += len(chunk)
    return here


def _tell_edges(joined: Joined, differing: np.ndarray, *, tally: DiffTally) -> None:
    """Tell of edges to cells that both sides have, which only one side has."""
    removed, added = _lone_edges(joined)
    here, there = removed[:, 1], joined.matching.of_first[removed[:, 1]]
    _tell_lone_edges(joined, REMOVED, (joined.first, removed[:, 0]), (here, there), tally=tally)
    differing[there] = True
    here, there = joined.matching.of_second[added[:, 1]], added[:, 1]
    _tell_lone_edges(joined, ADDED, (joined.second, added[:, 0]), (here, there), tally=tally)
    differing[there] = True


def _tell_lone_edges(
    joined: Joined, kind: str, parents: tuple[Outline, Int[np.ndarray, " edges"]], pairs: Pairs, *, tally: DiffTally
) -> None:
    """Tell of edges that only one side has: their parents there, and the pairs of cells that they lead to."""
    (side, parent), (here, there), levels = parents, pairs, joined.first.level[pairs[0]]
    make = ParentMaker(
        kind,
        joined.first.lookup(here),
        joined.second.lookup(there),
        levels,
        lambda row: f"from {side.at(int(parent[row]))}",
    )
    tally.add(kind, Change(np.ones(len(here), dtype=bool)), levels=levels, make=make)


def _lone_edges(joined: Joined) -> tuple[Int[np.ndarray, "removed 2"], Int[np.ndarray, "added 2"]]:
    """Edges to matched cells whose partners have no such edge; of parents with a key."""
    first, second = joined.first.edges(), joined.second.edges()
    of_first, of_second = joined.matching.of_first, joined.matching.of_second
    first = first[(of_first[first[:, 1]] >= 0) & joined.first.known[first[:, 0]]]
    second = second[(of_second[second[:, 1]] >= 0) & joined.second.known[second[:, 0]]]
    count = len(joined.second)
    code = np.where(of_first[first[:, 0]] >= 0, of_first[first[:, 0]] * count + of_first[first[:, 1]], -1)
    other = second[:, 0] * count + second[:, 1]
    return first[~np.isin(code, other)], second[~np.isin(other, code)]
