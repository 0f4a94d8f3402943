"""Watching a growth: how much is left, how fast it goes, who is at work; from the graph, and from a rollout's own events."""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cfgraph.errors import StoreError
from cfgraph.growing.events import Event, log_event
from cfgraph.growing.extent import Extent, extent_left
from cfgraph.store.growth import GrownBy

if TYPE_CHECKING:
    from cfgraph.model.hierarchy import FieldHierarchy
    from cfgraph.store import Store

SHOW_SECONDS = 0.5  # how often the live line changes
ASK_SECONDS = 2.0  # how often the graph is asked who is at work
COUNT_SECONDS = 20.0  # how often the frontier is counted anew, where others grow it too
COUNT_LATE_SECONDS = 5.0  # and where events come so late that they tell nothing of now


@dataclass(frozen=True)
class Status:
    """A growth just now: ``left`` cells of ``total`` are to grow, at ``rate`` cells a second of all ``workers`` together.

    ``total`` is what was left when the watching began. Where parts of a hierarchy are grown, cells and ``frontier`` are those
    of these parts and of the blocks that their lines run through. ``seconds_left`` is None where the rate is not known.
    """

    total: int
    left: int
    frontier: int
    rate: float
    workers: int
    taken_over: int

    @property
    def grown(self) -> int:
        """How many cells were grown while it was watched."""
        return self.total - self.left

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at this rate."""
        return self.left / self.rate if self.rate > 0 else None


def growth_status(store: "Store", hierarchy: "FieldHierarchy", growth: GrownBy, *, extent: Extent | None = None) -> Status:
    """The status of a growth from the graph alone: of all that is asked of it, or of an extent."""
    found = (extent or extent_left(store, hierarchy.id, growth, arity=hierarchy.arity)).measure()
    at_work = store.read_workers(hierarchy.id)
    return Status(
        total=found.cells,
        left=found.cells,
        frontier=found.frontier,
        rate=sum(worker.rate for worker in at_work),
        workers=len(at_work),
        taken_over=growth.taken_over,
    )


class Watch:
    """Follows the growth that a command takes part in: events are logged, and ``show`` gets its status now and then.

    Where events come ``late``, all at the end of what they tell of, what is left is counted in the graph alone.
    """

    def __init__(
        self,
        store: "Store",
        hierarchy: "FieldHierarchy",
        growth: GrownBy,
        *,
        extent: Extent | None = None,
        show: Callable[[Status], None] | None = None,
        late: bool = False,
    ):
        self._store, self._hierarchy, self._growth, self._show = store, hierarchy, growth, show
        self._extent, self._late = extent, late
        self.grown = 0
        self.taken_over = 0
        self._total = self._left = self._frontier = 0
        self._rate, self._workers = 0.0, 0
        self._shown = self._asked = -math.inf
        self._counted = -math.inf if late else time.monotonic()

    def note(self, event: Event) -> None:
        """Take in an event, log it, and show where things stand if that is due."""
        log_event(event)
        facts = event.facts
        if event.action == "begin" and not self._total and not self._late:
            self._total = self._left = facts["total"]
            self._frontier = facts["frontier"]
        elif event.action == "write_block" and facts["new"]:
            self.grown += facts["cells"]
            if not self._late:
                self._left = max(0, self._left - facts["cells"])
                self._frontier += facts["frontier"]
        elif event.action == "take_over":
            self.taken_over += 1
        self.look()

    def look(self) -> None:
        """Show where things stand, if that is due."""
        if self._show is not None and time.monotonic() - self._shown >= SHOW_SECONDS:
            self._shown = time.monotonic()
            self._show(self.status())

    def status(self) -> Status:
        """Where things stand; the graph is asked for what others do, but not every time."""
        with suppress(StoreError):  # the store is away: the last numbers stay
            self._ask(time.monotonic())
        return Status(
            total=self._total,
            left=self._left,
            frontier=self._frontier,
            rate=self._rate,
            workers=self._workers,
            taken_over=self._growth.taken_over + self.taken_over,
        )

    def _ask(self, now: float) -> None:
        if now - self._asked >= ASK_SECONDS:
            self._asked = now
            at_work = self._store.read_workers(self._hierarchy.id)
            self._rate, self._workers = sum(worker.rate for worker in at_work), len(at_work)
        if now - self._counted >= (COUNT_LATE_SECONDS if self._late else COUNT_SECONDS):
            self._counted = now
            found = growth_status(self._store, self._hierarchy, self._growth, extent=self._extent)
            self._left, self._frontier = found.left, found.frontier
            self._total = self._total or found.left
