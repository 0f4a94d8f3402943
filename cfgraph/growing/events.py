"""Events: what a worker tells of while it works, as values that go through a pipe and into a log."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Self

WARNINGS = (
    "lose_lease",
    "await_store",
    "outlast_lease",
    "lose_worker",
    "await_engine",
)  # what a user should hear of unasked, once a worker
WORD_SECONDS = 45.0  # without an event: then a word is said
log = logging.getLogger("cfgraph.rollout")


@dataclass(frozen=True)
class Event:
    """One thing that happened: an ``action``, the ``worker`` that it happened to, and the ``facts`` of it.

    ==================  ============================================================  =================================
    action              when                                                          facts
    ==================  ============================================================  =================================
    ready               a worker has its predictor and the graph                      seconds
    begin               a worker knows what there is to grow                          total, frontier
    write_block         a block is in the graph                                       block, cells, frontier, seconds, new
    take_over           a lease that had ended, or whose owner is dead, was taken      block, owner
    lose_lease          a block's lease had ended: it was not written                 block, lease_seconds (of the next), lost
                                                                                      (so far); reason, of a worker's first
    outlast_lease       a block takes longer than its lease, which is renewed         block, lease_seconds
    await_block         all that is left is in the hands of others                    blocks
    await_store         the store does not answer                                     reason, outage_seconds
    lose_worker         a worker's process ended without a word, a shift was lost     reason
    await_engine        an engine has shifts, and no block is leased                  reason, leases
    work_on             nothing was heard of an engine's shifts, which hold leases    shifts, leases
    leave_shifts        shifts that still run are left to end by themselves           reason
    end                 a worker has no more to do                                    grown, finished
    fail                a worker met an error that waiting does not mend              error, message
    ==================  ============================================================  =================================
    """

    action: str
    worker: str
    facts: dict[str, Any] = field(default_factory=dict)

    def to_line(self) -> str:
        """The event as a line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def of_line(cls, line: str) -> Self:
        """The event that a line of JSON holds."""
        return cls(**json.loads(line))

    def __str__(self) -> str:
        if self.action == "lose_lease" and "reason" in self.facts:  # for people: in words
            return f"{self.action} {self.facts['reason']}; worker={self.worker}"
        facts = " ".join(f"{name}={_short(value)}" for name, value in self.facts.items())
        return f"{self.action} {facts} worker={self.worker}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


Observer = Callable[[Event], None]


def log_event(event: Event) -> None:
    """Write an event to the log: a line a block, and louder what a user should hear of; of a worker's lost leases the first."""
    again = event.action == "lose_lease" and event.facts.get("lost", 1) > 1
    level = logging.WARNING if event.action in WARNINGS and not again else logging.INFO
    log.log(level, "%s", event, extra={"event": {"action": event.action, "worker": event.worker, **event.facts}})


@contextmanager
def a_word_meanwhile(name: str, *, reason: str) -> Iterator[None]:
    """Say every 45 seconds that an engine is waited for, while what is inside blocks this process."""
    over = threading.Event()

    def say() -> None:
        while not over.wait(WORD_SECONDS):
            log_event(Event("await_engine", name, {"reason": reason, "leases": 0}))

    teller = threading.Thread(target=say, name="cfgraph-word", daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
