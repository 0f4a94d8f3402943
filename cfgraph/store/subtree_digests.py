"""Subtree digests: kept in the graph beside the cells, each with what it is true of.

They are made by passes of their own, never in a block's transaction, and nothing that writes cells looks after them. Instead
a digest remembers what the hierarchy was: which incarnation, and what had grown it (``GROWN_BY``, and the names of predictors
that grew it and were removed since). While that is so it is *current*. Where the growths are others by now, it may still be
true: of what lies below it nothing has grown where the frontier is the same (:meth:`SubtreeDigests.count_frontiers`). All
others are void, as all are once a cut was kept as a property of the cells (``Hierarchy.marked``). Batches of points change no
cell, so that digests know nothing of them.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import blake2b
from typing import Any

import neo4j

from cfgraph.errors import ChangedError, NotFoundError, VanishedError
from cfgraph.model.address import ROOT, key_of, subtree_range
from cfgraph.model.hashes import SUM_BYTES
from cfgraph.model.hierarchy import Identity
from cfgraph.model.subtree_digests import SubtreeDigest
from cfgraph.store.graph import run_operation
from cfgraph.store.incarnation import another, hold_hierarchy, identity_in
from cfgraph.store.part import Part
from cfgraph.store.writing import key_pages

VERSION = 2  # of what is hashed, and how
PAGE_DIGESTS = 1_000
SUMS = ("content", "state", "part_content", "part_state")
REMOVE_BATCH = 10_000
Stretch = tuple[str, str]  # addresses: the first, and what is behind the last one
WHOLE: Stretch = (ROOT, "0")


@dataclass(frozen=True)
class DigestState:
    """What a hierarchy is at one moment, as far as digests depend on it."""

    id: str
    identity: Identity
    state: str
    grown: str  # a name for its growths, and for the predictors that grew it and were removed
    marked: str  # a name for the cuts that its cells have as properties
    now: datetime  # by the server's clock

    @property
    def lasting(self) -> tuple[str, str, str]:
        """What has to be the same where digests are written that were made before."""
        return self.state, self.grown, self.marked


@dataclass(frozen=True)
class KeptDigest:
    """A digest, when it was made, and whether it is true of the hierarchy as it is."""

    digest: SubtreeDigest
    made: datetime
    current: bool
    void: bool  # neither current, nor to be confirmed by the frontier


@dataclass(frozen=True)
class DigestMark:
    """What tells whether a digest is still true."""

    address: str
    grown: str  # a name for the growths that it was last true of
    frontier: tuple[int, ...]  # how many frontier cells its subtree had then, by level


class SubtreeDigests(Part):
    """Keeping digests of subtrees."""

    def digest_state(self, id: str) -> DigestState:
        """What the digests of a hierarchy are to be true of just now."""
        rows = self._graph.read("read_digest_state", id=id)
        if not rows:
            raise NotFoundError(f"there is no hierarchy {id!r} in this store; `cfgraph ls` lists what it holds")
        return _state_of(id, rows[0])

    def begin_digests(self, state: DigestState) -> DigestState:
        """What a hierarchy is when digests of it are about to be made; a ``ChangedError`` where it is not complete."""

        def work(tx: neo4j.ManagedTransaction) -> DigestState:
            hold_hierarchy(tx, state.id, state.identity)  # from now on it has a token
            return _state_of(state.id, run_operation(tx, "read_digest_state", id=state.id)[0])

        self.ensure_schema()
        begun = self._graph.transact(work)
        if begun.state != "complete":
            raise ChangedError(f"{state.id!r} is {begun.state}; digests are made of what is complete: finish that first")
        return begun

    def current_digests(self, state: DigestState, *, start: str = ROOT) -> list[SubtreeDigest]:
        """Some digests of a hierarchy that are current, in the order of their addresses, from one on; none where no more are.

        They have the sums of their whole subtrees alone.
        """
        low, high = state.id + start, subtree_range(state.id)[1]
        made_of = {"incarnation": state.identity.incarnation, "grown": state.grown, "marked": state.marked, "version": VERSION}
        while True:
            found = self._graph.read("read_current_digests", start=low, high=high, page=PAGE_DIGESTS, **made_of)[0]
            rows = zip(*(found[name] for name in ("key", "cells", "frontier", "sums")), strict=True)
            sound = [_whole_of(key[len(state.id) :], *rest) for key, *rest in rows if len(rest[-1]) == 4 * SUM_BYTES]
            if sound or not found["key"]:
                return sound
            low = found["key"][-1] + " "

    def kept_digests_at(self, state: DigestState, addresses: Sequence[str]) -> dict[str, KeptDigest]:
        """The digests of some subtrees, of those that are kept."""
        rows = self._graph.read("read_digests_at", keys=[key_of(state.id, address) for address in addresses])
        return {one.digest.address: one for one in (_kept(row["digest"], state) for row in rows)}

    def write_digests(self, state: DigestState, digests: Sequence[SubtreeDigest]) -> None:
        """Keep digests that were made of what a hierarchy is in this state; an error where it is another by now.

        Raises a ``ChangedError`` where it was grown meanwhile, a ``VanishedError`` where it is gone.
        """
        rows = [_row(one, state) for one in digests]

        def work(tx: neo4j.ManagedTransaction) -> None:
            _prove_state(tx, state)
            run_operation(tx, "write_digests", rows=rows)

        self._graph.transact(work)

    def deepest_digest(self, state: DigestState) -> int:
        """The deepest level on which cells have digests; -1 where there are none."""
        low, high = subtree_range(state.id)
        return int(self._graph.read("read_deepest_digest", low=low, high=high)[0]["level"])

    def marks(self, state: DigestState, *, level: int, stretches: Sequence[Stretch]) -> Iterator[list[DigestMark]]:
        """What tells whether digests of cells on a level are still true, in order, a page at a time; void ones left out."""
        known = {"incarnation": state.identity.incarnation, "marked": state.marked, "version": VERSION}
        for page in key_pages([[state.id + low, state.id + high] for low, high in stretches], size=PAGE_DIGESTS):
            low, more = page[0][0], True
            while more:
                rest = [[max(low, one), other] for one, other in page if other > low]
                rows = self._graph.read("read_digest_marks", stretches=rest, level=level, page=PAGE_DIGESTS, **known)[0]
                columns = zip(rows["key"], rows["grown"], rows["frontier"], strict=True)
                yield [DigestMark(key[len(state.id) :], grown, tuple(frontier)) for key, grown, frontier in columns]
                more = len(rows["key"]) == PAGE_DIGESTS
                low = rows["key"][-1] + " " if more else low

    def confirm_digests(self, state: DigestState, marks: Sequence[DigestMark]) -> None:
        """Record that digests, and those below them that were true when these were, are true of a hierarchy in this state."""
        ends = [(key_of(state.id, one.address), subtree_range(state.id, one.address)[1]) for one in marks]
        stretches = [[*end, one.grown] for end, one in zip(ends, marks, strict=True)]
        known = {"incarnation": state.identity.incarnation, "marked": state.marked, "version": VERSION}
        known |= {"grown": state.grown, "batch": REMOVE_BATCH}

        def work(tx: neo4j.ManagedTransaction, *, rest: list[list[str]]) -> dict[str, Any]:
            _prove_state(tx, state)
            return run_operation(tx, "confirm_digests", stretches=rest, **known)[0]

        confirmed, rest = REMOVE_BATCH, stretches
        while rest and confirmed == REMOVE_BATCH:
            found = self._graph.transact(partial(work, rest=rest))
            confirmed, last = found["confirmed"], found["last"]
            # The next batch begins behind this one, so that no digest is looked at twice.
            rest = [[max(last, first), end, grown] for first, end, grown in rest if last is not None and end > last]

    def remove_void_digests(self, state: DigestState, *, made: datetime | None = None) -> None:
        """Remove digests that are void; of those that are not, too, where they were ``made`` at another time."""
        low, high = subtree_range(state.id)
        parts: list[dict[str, Any]] = [{"grown": state.grown, "made": None}] + [{"grown": None, "made": made}] * bool(made)

        def work(tx: neo4j.ManagedTransaction) -> int:
            _prove_state(tx, state)
            removed = [
                run_operation(tx, "remove_digests", low=low, high=high, batch=REMOVE_BATCH, **part)[0]["removed"]
                for part in parts
            ]
            return sum(removed)

        while self._graph.transact(work):
            pass

    def count_stretches(self, id: str, stretches: Sequence[Stretch]) -> int:
        """How many cells there are in stretches of addresses, by the index alone."""
        pages = key_pages([[id + low, id + high] for low, high in stretches], size=PAGE_DIGESTS)
        return sum(int(self._graph.read("count_stretches", stretches=page)[0]["cells"]) for page in pages)

    def count_frontiers(self, id: str, stretches: Sequence[Stretch], *, digits: bool) -> list[dict[int, int]]:
        """How many frontier cells there are in stretches of addresses, by level.

        Where slots have one digit each (``digits``), keys tell levels, and the index has these: no cell is looked at.
        """
        how = {"id_size": len(id) if digits else None}
        found: list[dict[int, int]] = [{} for _ in stretches]
        numbered = [[number, id + low, id + high] for number, (low, high) in enumerate(stretches)]
        for page in key_pages(numbered, size=PAGE_DIGESTS):
            for row in self._graph.read("count_frontiers", stretches=page, **how):
                found[row["number"]][row["level"]] = row["cells"]
        return found


def _state_of(id: str, row: dict[str, Any]) -> DigestState:
    grown = _name_of([row["growths"], row["former"]])
    marked = row["marked"] or ""
    return DigestState(id, identity_in(row), str(row["state"]), grown, marked, row["now"].to_native())


def _whole_of(address: str, cells: list[int], frontier: list[int], sums: str) -> SubtreeDigest:
    both = bytes.fromhex(sums)
    return SubtreeDigest(address, tuple(cells), tuple(frontier), both[:SUM_BYTES], both[SUM_BYTES:], b"", b"")


def _name_of(what: Any) -> str:
    return blake2b(json.dumps(what, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()


def _prove_state(tx: neo4j.ManagedTransaction, state: DigestState) -> None:
    """Lock the hierarchy, and prove that it is what it was."""
    _, now = hold_hierarchy(tx, state.id, state.identity)
    if now == "removing":
        raise VanishedError(f"hierarchy {state.id!r} was removed meanwhile")
    found = _state_of(state.id, run_operation(tx, "read_digest_state", id=state.id)[0])
    if not state.identity.is_that_of(found.identity):
        raise another(f"hierarchy {state.id!r}")
    if found.lasting != state.lasting:
        raise ChangedError(f"{state.id!r} changed while digests of it were made; run this again")


def _row(one: SubtreeDigest, state: DigestState) -> dict[str, Any]:
    return {
        "key": key_of(state.id, one.address),
        "hierarchy": state.id,
        "address": one.address,
        "level": one.level,
        "cells": list(one.cells),
        "frontier": list(one.frontier),
        **{name: getattr(one, name).hex() for name in SUMS},
        "incarnation": state.identity.incarnation,
        "grown": state.grown,
        "marked": state.marked,
        "made": state.now,
        "version": VERSION,
    }


def _kept(row: dict[str, Any], state: DigestState) -> KeptDigest:
    """A digest as the graph has it; one that somebody else has written to is void."""
    try:
        sums = {name: bytes.fromhex(row[name]) for name in SUMS}
        if any(len(one) != SUM_BYTES for one in sums.values()):
            raise ValueError("expected sums of another length")
        digest = SubtreeDigest(row["address"], tuple(row["cells"]), tuple(row["frontier"]), **sums)
        made = row["made"].to_native()
        known = row["version"], row["incarnation"], row["marked"], row["key"]
        void = known != (VERSION, state.identity.incarnation, state.marked, state.id + row["address"])
    except (KeyError, TypeError, ValueError, AttributeError):
        address = str(row.get("key", ""))[len(state.id) :] or ROOT
        return KeptDigest(SubtreeDigest(address, (), (), b"", b"", b"", b""), state.now, current=False, void=True)
    return KeptDigest(digest, made, current=not void and row.get("grown") == state.grown, void=void)
