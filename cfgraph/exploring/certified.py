"""Certified: how far cells of a copy can be from the truth, by proof and level by level, beside what is measured at one.

A comparison proves it, and reads all cells of both: so it is made in the background, once for each pair, and not of very
many cells.
"""

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from cfgraph.errors import CfgraphError

if TYPE_CHECKING:
    from cfgraph.store import Store

CELLS_MAX = 300_000  # of both hierarchies
Pair = tuple[str, str]  # a truth, and the copy of its first levels that was grown


class Certified:
    """What is proven of pairs of hierarchies of a store."""

    def __init__(self, store: "Store | None"):
        self._store, self._lock = store, threading.Lock()
        self._found: dict[Pair, dict[int, float]] = {}

    def of(self, id: str, beside: str, level: int) -> float | None:
        """The certificate of a level, in the hierarchy's units; None where nothing is proven, or not yet."""
        store = self._store
        if store is None:
            return None
        with self._lock:
            for pair in ((id, beside), (beside, id)):
                if pair in self._found:
                    return self._found[pair].get(level)
            truths = store.truths()
            pair = (id, beside) if truths.get(beside) == id else (beside, id)
            if truths.get(pair[1]) != pair[0]:
                return None
            self._found[pair] = {}
        threading.Thread(target=self._compare, args=[store, pair], name="cfgraph-explore-certify", daemon=True).start()
        return None

    def _compare(self, store: "Store", pair: Pair) -> None:
        from cfgraph.comparing.compare import compare

        with suppress(CfgraphError):  # what cannot be compared has no certificate; `cfgraph compare` says why
            sizes = store.sizes([store.hierarchy(one) for one in pair])
            if sum(size.cells for size in sizes) > CELLS_MAX:
                return
            report = compare(store, *pair)
            found = {one.level: one.certificate for one in report.levels if one.certificate is not None}
            with self._lock:
                self._found[pair] = found

    def forget(self, id: str) -> None:
        """Have what is proven of a hierarchy proven anew: it was removed, or grown."""
        with self._lock:
            for pair in [pair for pair in self._found if id in pair]:
                del self._found[pair]
