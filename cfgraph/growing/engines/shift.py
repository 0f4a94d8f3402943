"""Shift: what an engine runs, anywhere and as often as it likes: some seconds of a worker, between two blocks and two others.

Whatever an engine does with a shift does no harm, since the graph keeps the book: run again, it finds what is left; run twice
at once, the two share the blocks out; killed, its leases end by themselves.
"""

import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cfgraph.errors import CfgraphError, few_handles
from cfgraph.growing.engines.job import Checked, Job, open_store, own_versions
from cfgraph.growing.events import Event
from cfgraph.growing.lease_owner import machine, own_name

EVENTS_MAX = 2_000  # that a shift brings home: blocks beyond are told as one event, so that what engines carry stays small


class _Here:
    """What this process was told by the engine that it belongs to."""

    halted: Callable[[], bool] = staticmethod(lambda: False)  # whether shifts are to end


def halt_when(halted: Callable[[], bool]) -> None:
    """Have shifts of this process end between two blocks once that is so."""
    _Here.halted = staticmethod(halted)


@dataclass(frozen=True)
class Around:
    """Where a shift would run: the machine, its versions, and why it could not open the store there; None where it can."""

    machine: str
    host: str
    python: str
    cfgraph: str
    obstacle: tuple[str, str] | None  # an error's class and its message


def look_around(job: Job) -> Around:
    """Where this runs, and whether it opens the store: asked once, before anything is grown.

    The store of another machine is not looked for: whoever asks sees by the machine that it is another.
    """
    return Around(machine=machine(), host=socket.gethostname(), **own_versions(), obstacle=_obstacle(job))


def _obstacle(job: Job) -> tuple[str, str] | None:
    try:
        open_store(job).close()
    except Exception as error:
        return _in_words(error)
    return None


def _in_words(error: Exception) -> tuple[str, str]:
    """An error's class and its message as it is written: who asked words it for a shell or for Python."""
    told = few_handles(error) or error
    return type(told).__name__, BaseException.__str__(told)


def work_shift(job: Job) -> tuple[str, ...]:
    """Grow until the stop or until the shift's time is over, and give what happened: events as lines of JSON.

    An error comes home as an event too (``fail``): classes of errors are not everywhere the same. The last event of a shift
    that met none is ``end``, whose ``finished`` tells whether the stop was reached.
    """
    events, owner = list[Event](), f"{own_name()}+{secrets.token_hex(3)}"  # one process may run several shifts at once
    until = time.monotonic() + job.shift_seconds
    try:
        _work(job, owner=owner, observe=events.append, halted=lambda: _Here.halted() or time.monotonic() >= until)
    except Exception as error:
        name, message = _in_words(error)
        events.append(Event("fail", owner, {"error": name, "message": message}))
    return tuple(event.to_line() for event in summed(events))


def _work(job: Job, *, owner: str, observe: Callable[[Event], None], halted: Callable[[], bool]) -> None:
    from cfgraph.growing.crew import read_task
    from cfgraph.growing.outage import Retrier
    from cfgraph.growing.worker import Worker
    from cfgraph.model.parts import Parts
    from cfgraph.store.growth import GrownBy

    begin, growth = time.monotonic(), GrownBy.of_values(job.growth)
    if (found := own_versions()) != {"python": job.python, "cfgraph": job.cfgraph}:
        raise CfgraphError(other_versions(job, **found, host=socket.gethostname()))

    def tell(action: str, **facts: object) -> None:
        observe(Event(action, owner, facts))

    retrier = Retrier(job.outage_seconds, halted=halted, tell=tell)
    with retrier.retry(partial(open_store, job)) as store:
        hierarchy, trained = retrier.retry(lambda: read_task(store, job.id, growth))
        rule = trained.load(device=job.device).predict
        tell("ready", seconds=round(time.monotonic() - begin, 3))
        Worker(
            store,
            hierarchy,
            rule,
            growth,
            parts=None if job.below is None else Parts.of_texts(job.below),
            lease_seconds=job.lease_seconds,
            outage_seconds=job.outage_seconds,
            sessions=job.sessions,
            observe=observe,
            halted=halted,
            owner=owner,
        ).run()


def other_versions(job: Checked, *, python: str, cfgraph: str, host: str) -> str:
    """What is told where an engine's workers have other versions than whoever asks."""
    return (
        f"expected Python {job.python} and cfgraph {job.cfgraph} on the engine's workers, as here, got Python {python} and "
        f"cfgraph {cfgraph} on {host}: blocks must be grown by one version; install the same there"
    )


def summed(events: list[Event]) -> list[Event]:
    """Events, of very many the last ones and their cells in one: what counts of the others is what they made."""
    if len(events) <= EVENTS_MAX:
        return events
    early, late = events[:-EVENTS_MAX], events[-EVENTS_MAX:]
    blocks = [event.facts for event in early if event.action == "write_block"]
    others = [event for event in early if event.action not in ("write_block", "await_block")]
    facts = {
        "block": "",
        "cells": sum(facts["cells"] for facts in blocks),
        "frontier": sum(facts["frontier"] for facts in blocks if facts["new"]),
        "seconds": sum(facts["seconds"] for facts in blocks),
        "new": True,
        "blocks": len(blocks),
    }
    return [*others[:EVENTS_MAX], Event("write_block", events[0].worker, facts), *late]
