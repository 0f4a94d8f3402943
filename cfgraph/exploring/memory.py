"""Memory: how many bytes of stored cells scenes may keep together."""

from collections.abc import Callable
from threading import RLock
from typing import Protocol

from cfgraph.checks import check_integer

BYTES = 512 * 2**20


class Kept(Protocol):
    """Whatever holds cells that can be read again."""

    @property
    def bytes(self) -> int:
        """How much it holds."""

    def shrink(self, to: int) -> None:
        """Hold no more than so many bytes, what was looked at last."""


class Memory:
    """A bound that scenes share, and the lock under which they are asked; what was looked at longest ago goes first.

    What one view needs counts, too: where it has no room its smallest cells are not split.

    Raises:
        InputError: for less than a megabyte.
    """

    def __init__(self, limit: int = BYTES) -> None:
        self.limit = check_integer(limit, name="memory in bytes", low=2**20)
        self.lock = RLock()
        self._kept: dict[int, tuple[Kept, Callable[[], None]]] = {}  # what was used last stands last

    @property
    def bytes(self) -> int:
        """How much is held."""
        return sum(kept.bytes for kept, _ in self._kept.values())

    def use(self, kept: Kept, *, forget: Callable[[], None]) -> None:
        """Say that something is about to be looked at; ``forget`` is called where it had to shrink, then or later."""
        self._kept.pop(id(kept), None)
        self._kept[id(kept)] = (kept, forget)
        self.shrink(self.limit)

    def shrink(self, to: int) -> None:
        """Hold no more than so many bytes together: what was looked at longest ago goes first."""
        for other, forgotten in list(self._kept.values()):
            total = self.bytes
            if total <= to:
                return
            before = other.bytes
            other.shrink(max(0, before - (total - to) - self.limit // 4))
            if other.bytes < before:
                forgotten()

    def leave(self, kept: Kept) -> None:
        """It is not looked at any more."""
        self._kept.pop(id(kept), None)
