"""Digesting: digests of the subtrees of either side of a diff: made while pages go by, and kept where the side is in a store.

What is digested of a cell is what a diff looks at: its address, center, scale, edge (residual and length), name, other
properties, second parents and data points are its content, the rest (expanded, frontier or leaf; predicted) its state.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt64

from cfgraph.comparing.merging import levels_of
from cfgraph.comparing.sides import PREDICTED, CellsSide, Rows, Side, StoreSide, all_names, number_of
from cfgraph.errors import StoreRefusedError
from cfgraph.model.address import ROOT, level_of, stem_of
from cfgraph.model.cells import FRONTIER
from cfgraph.model.hashes import hash_of_texts, hashes_of, words_of_numbers
from cfgraph.model.subtree_digests import Digester, SubtreeDigest, cut_step
from cfgraph.store.subtree_digests import WHOLE, DigestMark, DigestState, Stretch

if TYPE_CHECKING:
    from cfgraph.store import Store

WRITTEN = 1_000  # digests a transaction
FEW = 0.2  # of the cells whose digests are known: so many others are read beforehand, more while all go by
STRETCHES = 5_000  # that are read at once
TEN = 10  # children at most have slots of one digit
Fetch = Callable[[str], Sequence[SubtreeDigest]]  # some digests in order, from an address on


# -- hashes of cells


def hashes_of_rows(rows: Rows, properties: Sequence[str]) -> UInt64[np.ndarray, "cells sums"]:
    """The hashes of what cells hold, beside those of their states."""
    contents, address = rows.contents, hash_of_texts(rows.address)
    columns = {name: words_of_numbers(getattr(contents, name)) for name in ("center", "residual")}
    columns |= {name: words_of_numbers(getattr(contents, name))[:, None] for name in ("scale", "length")}
    columns |= {f"own {name}": contents.own[:, [place]] for place, name in enumerate(properties)}
    columns["name"] = _column([number_of(name) for name in contents.name])
    columns["above"] = _column([number_of(above) if above else 0 for above in rows.above])
    columns["points"] = contents.points[:, None]
    state = contents.condition.astype(np.uint64)[:, None] + np.uint64(1)
    return np.concatenate([hashes_of({"address": address, **columns}), hashes_of({"address": address, "state": state})], axis=1)


def _column(numbers: list[int]) -> UInt64[np.ndarray, "cells 1"]:
    return np.array(numbers, dtype=np.uint64)[:, None]


def step_of(side: Side) -> int:
    """How many levels lie between the cuts of a side."""
    return cut_step(getattr(side.hierarchy, "arity", None))


@dataclass(eq=False)
class Making:
    """Makes digests of pages of a side, with leaps over what is known."""

    side: Side
    properties: Sequence[str]
    tell: Callable[[SubtreeDigest], None]
    _digester: Digester = field(init=False)

    def __post_init__(self) -> None:
        self._digester = Digester(step=step_of(self.side), tell=self.tell)

    def add(self, rows: Rows) -> None:
        """Take the next cells."""
        frontier = rows.contents.condition % PREDICTED == FRONTIER
        hashes = hashes_of_rows(rows, self.properties)
        self._digester.add(rows.address, level=levels_of(rows.address), hashes=hashes, frontier=frontier)

    def skip(self, known: SubtreeDigest) -> None:
        """Take a subtree that is known."""
        self._digester.skip(known)

    def end(self) -> None:
        """No cell follows."""
        self._digester.end()

    def watching(self, pages: Iterator[Rows]) -> Iterator[Rows]:
        """The same pages; digests are made of them on the way."""
        for rows in pages:
            self.add(rows)
            yield rows
        self.end()


# -- what is left when subtrees are left out


def end_of(address: str) -> str:
    """What is behind the last address at and below one."""
    return stem_of(address) + "0"


@dataclass(frozen=True)
class Portion:
    """Some stretches of addresses, and the subtrees between them, which are left out."""

    stretches: list[Stretch]
    left_out: list[SubtreeDigest]


def portions(left_out: Iterator[SubtreeDigest]) -> Iterator[Portion]:
    """What remains of all addresses without some subtrees, which come in order, none inside of another."""
    portion, low = Portion([], []), ROOT
    for one in left_out:
        if low < one.address:
            portion.stretches.append((low, one.address))
        portion.left_out.append(one)
        low = end_of(one.address)
        if len(portion.left_out) >= STRETCHES:
            yield portion
            portion = Portion([], [])
    if low < WHOLE[1]:
        portion.stretches.append((low, WHOLE[1]))
    yield portion


class Leaping:
    """Digests in the order of their addresses, one after the other, with leaps."""

    def __init__(self, fetch: Fetch):
        self._fetch = fetch
        self._page: Sequence[SubtreeDigest] = ()
        self._row = 0
        self._next: str | None = ROOT  # where what is not fetched yet begins
        self.leap(ROOT)

    @property
    def here(self) -> SubtreeDigest | None:
        """The next digest; None behind the last."""
        return self._page[self._row] if self._row < len(self._page) else None

    def leap(self, address: str) -> None:
        """Go on to the first one from an address on."""
        while True:
            while self._row < len(self._page) and self._page[self._row].address < address:
                self._row += 1
            if self._row < len(self._page) or self._next is None:
                return
            self._page, self._row = self._fetch(max(address, self._next)), 0
            self._next = self._page[-1].address + " " if self._page else None

    def skip(self) -> None:
        """Go on to the first one outside of the subtree of this one."""
        if self.here is not None:
            self.leap(end_of(self.here.address))

    def step(self) -> None:
        """Go on to the next one."""
        if self.here is not None:
            self.leap(self.here.address + " ")


def equal_subtrees(first: Fetch, second: Fetch) -> Iterator[SubtreeDigest]:
    """The largest subtrees whose digests are the same on both sides, in order."""
    one, other = Leaping(first), Leaping(second)
    while one.here is not None and other.here is not None:
        if one.here.address < other.here.address:
            one.leap(other.here.address)
        elif other.here.address < one.here.address:
            other.leap(one.here.address)
        elif one.here.same == other.here.same:
            yield one.here
            one.skip()
            other.skip()
        else:
            one.step()
            other.step()


# -- the digests of a side


class SideDigests:
    """Digests of a side, all of which are true."""

    def __init__(self, *, fetch: Fetch, size: int, made: datetime | None):
        self.fetch, self.size, self.made = fetch, size, made


def digests_in_memory(side: CellsSide) -> SideDigests:
    """The digests of a hierarchy in memory, made now."""
    found = list[SubtreeDigest]()
    for _ in Making(side, all_names(side), found.append).watching(side.pages(all_names(side))):
        pass
    found.sort(key=lambda one: one.address)
    return SideDigests(fetch=lambda start: [one for one in found if one.address >= start], size=found[0].size, made=None)


class StoreDigests:
    """The digests that a store keeps of a hierarchy, which are looked after here."""

    def __init__(self, side: StoreSide):
        self.side, self._store = side, side.store
        self.state: DigestState = side.store.digest_state(side.id)

    def ready(self) -> SideDigests | None:
        """The digests, where all are true: the root's is written last."""
        root = self._store.kept_digests_at(self.state, [ROOT]).get(ROOT)
        if root is None or not root.current:
            return None
        return SideDigests(fetch=self._fetch, size=root.digest.size, made=root.made)

    def _fetch(self, start: str) -> list[SubtreeDigest]:
        return self._store.current_digests(self.state, start=start)

    def begin(self) -> None:
        """Find out what digests are made of from here on, and which of those that are there are true of it."""
        self.state = self._store.begin_digests(self.state)
        arity = getattr(self.side.hierarchy, "arity", None)
        confirm_true(self._store, self.state, step=step_of(self.side), digits=arity is not None and arity <= TEN)

    def known(self) -> Iterator[SubtreeDigest]:
        """The largest subtrees whose digests are true, in order."""
        rows = Leaping(self._fetch)
        while (here := rows.here) is not None:
            yield here
            rows.skip()

    def nearly_known(self) -> bool:
        """Whether few cells lie in no subtree whose digest is known."""
        known, rest = 0, 0
        for portion in portions(self.known()):
            known += sum(one.size for one in portion.left_out)
            rest += self._store.count_stretches(self.side.id, portion.stretches)
        return rest <= FEW * known

    def writing(self) -> "Writing":
        """What takes digests and keeps them."""
        return Writing(self._store, self.state)

    def remake(self, properties: Sequence[str], *, tell: Callable[[int], None]) -> None:
        """Make the digests that are missing or void, reading the cells that lie in no others."""
        writing = self.writing()
        making = Making(self.side, properties, writing.add)
        for portion in portions(self.known()):
            waiting, row = portion.left_out, 0
            for rows in self.side.pages(properties, portion.stretches) if portion.stretches else ():
                tell(len(rows))
                low = 0
                while low < len(rows):
                    while row < len(waiting) and waiting[row].address < rows.address[low]:
                        making.skip(waiting[row])
                        row += 1
                    bound = waiting[row].address if row < len(waiting) else WHOLE[1]
                    high = next((place for place in range(low, len(rows)) if rows.address[place] >= bound), len(rows))
                    making.add(rows.cut(low, high))
                    low = high
            for one in waiting[row:]:
                making.skip(one)
        making.end()
        writing.end()


class Prepared:
    """Both sides' digests, where they are ready; else what makes them while all cells go by."""

    def __init__(self, ready: "tuple[SideDigests, SideDigests] | None", writing: "dict[Side, Writing]", refused: list[str]):
        self.ready, self._writing, self._refused = ready, writing, refused

    def watching(
        self, first: Iterator[Rows], second: Iterator[Rows], sides: tuple[Side, Side], properties: Sequence[str]
    ) -> tuple[Iterator[Rows], Iterator[Rows]]:
        """The same pages; digests are made of them on the way."""
        one, other = (
            Making(side, properties, self._writing[side].add).watching(pages) if side in self._writing else pages
            for side, pages in zip(sides, (first, second), strict=True)
        )
        return one, other

    def end(self) -> list[str]:
        """All cells have gone by; why no digests are kept, if that is so."""
        for side, writing in self._writing.items():
            writing.end()
            if writing.refused is not None:
                self._refused.append(_refusal(side, writing.refused))
        return self._refused


def prepare(sides: tuple[Side, Side], properties: Sequence[str], *, tell: Callable[[int], None]) -> Prepared:
    """Bring the digests of both sides up to date, where few cells have to be read for that."""
    kept = {side: StoreDigests(side) for side in sides if isinstance(side, StoreSide)}
    ready: dict[Side, SideDigests] = {side: found for side, one in kept.items() if (found := one.ready()) is not None}
    due, refused = {side: one for side, one in kept.items() if side not in ready}, list[str]()
    for side, one in list(due.items()):
        try:
            one.begin()
        except StoreRefusedError as error:
            refused.append(_refusal(side, error))
            del due[side]
    if not refused and all(one.nearly_known() for one in due.values()):
        for side, one in due.items():
            one.remake(properties, tell=tell)
            if (found := one.ready()) is not None:
                ready[side] = found
    if len(ready) < len(kept):
        return Prepared(None, {side: one.writing() for side, one in due.items() if side not in ready}, refused)
    ready |= {side: digests_in_memory(side) for side in sides if isinstance(side, CellsSide)}
    return Prepared((ready[sides[0]], ready[sides[1]]), {}, [])


def _refusal(side: Side, error: StoreRefusedError) -> str:
    return f"no digests of {side.id!r} are kept, so that all cells were read: {error}"


class Writing:
    """Keeps digests in a store, the root's last; what was void is removed before that.

    Where the store does not allow that, nothing is kept; ``refused`` says why.
    """

    def __init__(self, store: "Store", state: DigestState):
        self._store, self._state = store, state
        self._waiting, self._root = list[SubtreeDigest](), list[SubtreeDigest]()
        self.refused: StoreRefusedError | None = None

    def add(self, digest: SubtreeDigest) -> None:
        """Take a digest."""
        (self._root if digest.address == ROOT else self._waiting).append(digest)
        if len(self._waiting) >= WRITTEN:
            self._write(self._waiting)
            self._waiting = []

    def end(self, *, made: datetime | None = None) -> None:
        """No digest follows; with ``made`` those that were made at another time go."""
        self._write(self._waiting)
        if self.refused is None:
            self._store.remove_void_digests(self._state, made=made)
            self._write(self._root)

    def _write(self, digests: Sequence[SubtreeDigest]) -> None:
        if digests and self.refused is None:
            try:
                self._store.write_digests(self._state, digests)
            except StoreRefusedError as error:
                self.refused = error


def confirm_true(store: "Store", state: DigestState, *, step: int, digits: bool) -> None:
    """Confirm the digests of a hierarchy that are not current, and below which nothing has grown since they were made.

    What grows takes cells from the frontier, first of all on the highest level on which it does, and puts none there. So
    nothing has grown where the frontier has as many cells on each level as it had. It is counted from cut to cut, going on
    below those digests alone that do not hold, and with the root last: where another one does not hold, nor does it.
    ``digits`` says whether all slots are below ten.
    """
    deepest, rest, holds = store.deepest_digest(state), [WHOLE], True
    for level in range(step, deepest + 1, step):
        settled = list[str]()
        for page in store.marks(state, level=level, stretches=rest):
            true = _true_of(store, state, page, digits=digits)
            store.confirm_digests(state, true)
            here = [mark.address for mark in page if mark.grown == state.grown or mark in true]
            settled += here
            holds &= len(here) == len(page)
        rest = list(_without(rest, settled))
    if holds and deepest >= 0:
        for page in store.marks(state, level=0, stretches=[WHOLE]):
            store.confirm_digests(state, _true_of(store, state, page, digits=digits))


def _true_of(store: "Store", state: DigestState, marks: list[DigestMark], *, digits: bool) -> list[DigestMark]:
    """Those of some digests that are not current and still true."""
    asked = [mark for mark in marks if mark.grown != state.grown]
    counted = store.count_frontiers(state.id, [(mark.address, end_of(mark.address)) for mark in asked], digits=digits)
    return [
        mark
        for mark, found in zip(asked, counted, strict=True)
        if found == {level: cells for level, cells in enumerate(mark.frontier, start=level_of(mark.address)) if cells}
    ]


def _without(stretches: Iterable[Stretch], settled: Sequence[str]) -> Iterator[Stretch]:
    """What remains of stretches of addresses without some subtrees; both are in order."""
    rows = iter(settled)
    row = next(rows, None)
    for low, high in stretches:
        while row is not None and row < high:
            if low < row:
                yield low, row
            low, row = end_of(row), next(rows, None)
        if low < high:
            yield low, high
