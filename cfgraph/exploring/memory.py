"""Memory: how many bytes of stored cells scenes may keep together."""

import time
from collections.abc import Callable
from threading import Lock, RLock
from types import TracebackType
from typing import Protocol

from cfgraph.checks import check_integer

BYTES = 512 * 2**20
_WAIT_SECONDS = 60.0  # for what others look at to be free to be shrunk


class Kept(Protocol):
    """Whatever holds cells that can be read again."""

    @property
    def bytes(self) -> int:
        """How much it holds."""

    def shrink(self, to: int) -> None:
        """Hold no more than so many bytes, what was looked at last."""


class Turn:
    """A ``with`` around whatever looks at the cells of one scene: one thread at a time, which may begin it again within."""

    def __init__(self) -> None:
        self._lock = RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.release()

    def take(self, seconds: float = 0.0) -> bool:
        """Take it where nobody else has it, or gives it back within so many seconds; whether that was so."""
        return self._lock.acquire(timeout=seconds) if seconds > 0 else self._lock.acquire(blocking=False)

    def give_back(self) -> None:
        """The end of what :meth:`take` began."""
        self._lock.release()


class Memory:
    """A bound that scenes share; what was looked at longest ago goes first.

    What one view needs counts, too: where it has no room its smallest cells are not split. Scenes are asked side by side: what
    another thread looks at just now stays, and who has no room because of that waits (:meth:`wait_for_others`).

    Raises:
        InputError: for less than a megabyte.
    """

    def __init__(self, limit: int = BYTES) -> None:
        self.limit = check_integer(limit, name="memory in bytes", low=2**20)
        self._lock = Lock()  # of the table alone
        self._kept: dict[int, tuple[Kept, Turn, Callable[[], None]]] = {}  # what was used last stands last

    @property
    def bytes(self) -> int:
        """How much is held."""
        return sum(kept.bytes for kept, *_ in self._table())

    def use(self, kept: Kept, *, turn: Turn, forget: Callable[[], None]) -> None:
        """Say that something is about to be looked at, in its turn; ``forget`` is called whenever it had to shrink."""
        with self._lock:
            self._kept.pop(id(kept), None)
            self._kept[id(kept)] = (kept, turn, forget)
        self.shrink(self.limit)

    def shrink(self, to: int) -> None:
        """Hold no more than so many bytes together, but for what others look at: what was looked at longest ago goes first."""
        for other, turn, forgotten in self._table():
            total = self.bytes
            if total <= to:
                return
            if not turn.take():
                continue
            try:
                before = other.bytes
                other.shrink(max(0, before - (total - to) - self.limit // 4))
                if other.bytes < before:
                    forgotten()
            finally:
                turn.give_back()

    def leave(self, kept: Kept) -> None:
        """It is not looked at any more."""
        with self._lock:
            self._kept.pop(id(kept), None)

    def others_look(self, turn: Turn) -> bool:
        """Whether somebody looks just now at what is held in other turns than this one."""
        for other in self._turns(besides=turn):
            if not other.take():
                return True
            other.give_back()
        return False

    def wait_for_others(self, turn: Turn) -> None:
        """Wait until those who look in other turns have ended, or a minute; outside of one's own, or they might wait, too."""
        until = time.monotonic() + _WAIT_SECONDS
        for other in self._turns(besides=turn):
            if other.take(max(0.0, until - time.monotonic())):
                other.give_back()

    def _table(self) -> list[tuple[Kept, Turn, Callable[[], None]]]:
        with self._lock:
            return list(self._kept.values())

    def _turns(self, *, besides: Turn) -> list[Turn]:
        return [other for _, other, _ in self._table() if other is not besides]
