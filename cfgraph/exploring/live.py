"""Live: a growth as a page follows it: who holds which blocks, what was written since, how fast it goes, and what is left.

The leases alone are asked for every time: that takes milliseconds, where counting the frontier takes a third of a second. So
what is left is counted now and then, in between it falls by what the workers tell of their speed. A block is done that was
leased, is not leased any more, and whose seeds are no frontier. One that was leased and written between two looks is not
seen: when the count fell since, cells anywhere may have changed, and the page is told so.
"""

import time
from typing import TYPE_CHECKING, Any

from cfgraph.errors import NotFoundError, StoreUnavailableError, VanishedError
from cfgraph.growing.status import growth_status
from cfgraph.model.address import ROOT
from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy

if TYPE_CHECKING:
    from cfgraph.store import Store
    from cfgraph.store.growth import GrownBy

LOOK_SECONDS = 1.0  # how often a page is told
COUNT_SECONDS = 5.0  # how often the frontier is counted, where that is quick; else so many times what it took
COUNT_TIMES = 20
ENDS = ("complete", "removed")


class LiveGrowth:
    """Looks at the growth of one hierarchy in a store, again and again; nothing is written."""

    def __init__(self, store: "Store", id: str):
        self._store, self._id = store, id
        self._hierarchy: Hierarchy | None = None
        self._leased: set[str] = set()
        self._done = 0
        self._blocks: list[dict[str, Any]] = []
        self._left: float | None = None
        self._last_count: int | None = None
        self._first_left: int | None = None
        self._counted = self._looked = time.monotonic()
        self._pause = 0.0  # until the next count; the first is at once

    def look(self) -> dict[str, Any]:
        """Where things stand; ``state`` is also ``removed``, and ``away`` where the store does not answer."""
        try:
            return self._look()
        except (NotFoundError, VanishedError) as error:
            return {"state": "removed", "error": str(error)}
        except StoreUnavailableError as error:
            return {"state": "away", "error": str(error)}

    def _look(self) -> dict[str, Any]:
        hierarchy = self._store.hierarchy(self._id)
        if self._hierarchy is None:
            self._hierarchy = hierarchy
        elif not self._hierarchy.identity.is_that_of(hierarchy.identity):
            raise VanishedError(f"hierarchy {self._id!r} was removed meanwhile, and another made under its id")
        growth = self._store.grown_by(self._id)
        changed = self._changes()
        if hierarchy.state != "growing" or growth is None or not isinstance(hierarchy, FieldHierarchy):
            state = "removed" if hierarchy.state == "removing" else hierarchy.state
            return {"state": state, "changed": [ROOT] if self._first_left is not None else []}
        workers = self._store.read_workers(self._id)
        rate = sum(worker.rate for worker in workers)
        if self._count(hierarchy, growth, rate):
            changed = [ROOT]
        return {
            "state": hierarchy.state,
            "workers": len(workers),
            "blocks_in_work": self._blocks,
            "done": self._done,
            "taken_over": growth.taken_over,
            "cells_per_second": round(rate, 1),
            "cells": None if self._first_left is None or self._left is None else max(0, self._first_left - round(self._left)),
            "left": None if self._left is None else max(0, round(self._left)),
            "seconds_left": None if self._left is None or rate <= 0 else round(max(0.0, self._left) / rate, 1),
            "changed": changed,
        }

    def _changes(self) -> list[str]:
        """The roots of blocks that were written since the last look, as far as leases tell it."""
        leases = self._store.leases(self._id)
        self._blocks = [{"address": one.root, "owner": one.owner, "until": round(one.seconds, 1)} for one in leases]
        held = {lease.root for lease in leases}
        ended = sorted(self._leased - held)
        # The root of a block is one of its seeds, or lies above them: where it is frontier still, it was given back.
        given_back = self._store.read_frontier_keys(self._id, ended) if ended else set()
        done = [root for root in ended if root not in given_back]
        self._leased, self._done = held, self._done + len(done)
        return done

    def _count(self, hierarchy: FieldHierarchy, growth: "GrownBy", rate: float) -> bool:
        """Count what is left where that is due, else let it fall; whether it fell since the last count."""
        now = time.monotonic()
        passed, self._looked = now - self._looked, now
        if self._left is not None and now - self._counted < self._pause:
            self._left -= rate * passed
            return False
        found = growth_status(self._store, hierarchy, growth).left
        took = time.monotonic() - now
        self._counted, self._pause = time.monotonic(), max(COUNT_SECONDS, COUNT_TIMES * took)
        before, self._last_count = self._last_count, found
        self._left = float(found)
        if self._first_left is None or found > self._first_left:
            self._first_left = found
        return before is not None and found < before
