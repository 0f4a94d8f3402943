"""Retrying: what is done with the store is done again while the store does not answer, for as long as an outage may last."""

import math
import time
from collections.abc import Callable
from typing import TypeVar

from cfgraph.errors import StoreUnavailableError

POLL_SECONDS = 0.25  # how often one whose store is away looks again
DRIVER_SECONDS = 2.0  # how long the driver tries by itself, with longer and longer pauses; then the retrier does
Outcome = TypeVar("Outcome")


class Retrier:
    """One worker's; its threads share it, so that the store's answer to one begins the outage of another anew.

    Args:
        outage_seconds: how long to wait for a store that does not answer.
        halted: whether to give up, since the worker is to end.
        tell: takes an action and its facts.
    """

    def __init__(self, outage_seconds: float, *, halted: Callable[[], bool], tell: Callable[..., None]):
        self._outage_seconds, self._halted, self._tell = outage_seconds, halted, tell
        self._answered = -math.inf  # when the store did last

    def retry(self, work: Callable[[], Outcome]) -> Outcome:
        """Do something with the store; a ``StoreUnavailableError`` where it did not answer for too long."""
        since = None
        while True:
            try:
                outcome = work()
                self._answered = time.monotonic()
                return outcome
            except StoreUnavailableError as error:
                if since is None:
                    since = time.monotonic()
                    self._tell("await_store", reason=str(error), outage_seconds=self._outage_seconds)
                # In between it may have answered another thread: then this is another outage.
                if time.monotonic() - max(since, self._answered) >= self._outage_seconds or self._halted():
                    raise
                time.sleep(POLL_SECONDS)
