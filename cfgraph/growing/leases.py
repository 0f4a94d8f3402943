"""Leases that a worker holds: renewed while it works, given back when it ends."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from cfgraph.errors import CfgraphError
from cfgraph.store.growth import Growth
from cfgraph.store.writing import Lease

RENEWALS = 3  # of a lease, while it lasts: one or two may be late or lost


class LeaseKeeper:
    """Keeps leases for as long as they are held; use it in a ``with``, which gives back what is left.

    A thread of its own moves their ends, three times in a lease, but of those that were taken just before. A lease that ended
    (the process was stopped, the store was away) is never revived: its block's write will be refused, and somebody claims
    the block anew.

    Args:
        store: what keeps the leases.
        id: the hierarchy.
        lease_seconds: how long a lease lasts from each renewal on, just now.
        rate: the worker's cells a second just now; kept with its leases, for those who watch.
        outlasted: told once, of the first block that takes longer than a lease.
    """

    def __init__(
        self,
        store: Growth,
        id: str,
        *,
        lease_seconds: Callable[[], float],
        rate: Callable[[], float],
        outlasted: Callable[[Lease], None],
    ):
        self._store, self._id, self._seconds = store, id, lease_seconds
        self._rate, self._outlasted = rate, outlasted
        self._held: dict[Lease, float] = {}  # and since when
        self._ends: dict[Lease, tuple[float, float]] = {}  # when each was renewed last, and for how many seconds
        self._lock, self._end = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._keep, name="cfgraph-leases", daemon=True)
        self._reported = False

    def __enter__(self) -> "LeaseKeeper":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        with suppress(CfgraphError):  # the store is away: they end by themselves
            self._store.release_leases(self._id, list(self._held))

    def hold(self, lease: Lease) -> None:
        """Keep a lease from now on."""
        with self._lock:
            self._held[lease] = time.monotonic()
            self._ends[lease] = (self._held[lease], self._seconds())

    def let_go(self, lease: Lease) -> None:
        """Keep a lease no more: its block is written, or it was lost."""
        with self._lock:
            self._held.pop(lease, None)
            self._ends.pop(lease, None)

    def overdue(self, lease: Lease) -> tuple[float, float]:
        """For how long a lease that is held was not renewed by now, and how long it lasted from its last renewal on; in s."""
        with self._lock:
            since, seconds = self._ends.get(lease, (time.monotonic(), self._seconds()))
        return time.monotonic() - since, seconds

    def give_back(self, lease: Lease) -> None:
        """End a lease whose block is not written."""
        self.let_go(lease)
        self._store.release_leases(self._id, [lease])

    def _keep(self) -> None:
        while not self._end.wait(self._seconds() / RENEWALS):
            # A younger lease lasts until the next turn at least, and most are given back before.
            before = time.monotonic() - self._seconds() / (2 * RENEWALS)
            with self._lock:
                held = {lease: since for lease, since in self._held.items() if since <= before}
            if held:
                with suppress(CfgraphError):  # tried again soon; where it stays away, the fence will tell
                    now, seconds = time.monotonic(), self._seconds()
                    renewed = self._store.renew_leases(self._id, list(held), lease_seconds=seconds, rate=self._rate())
                    with self._lock:
                        self._ends |= {lease: (now, seconds) for lease in renewed if lease in self._ends}
                    self._tell_of_the_longest(held)

    def _tell_of_the_longest(self, held: dict[Lease, float]) -> None:
        lease, since = min(held.items(), key=lambda item: item[1])
        if not self._reported and time.monotonic() - since > self._seconds():
            self._reported = True
            self._outlasted(lease)
