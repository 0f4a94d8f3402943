"""Subtrees: in which parts of a hierarchy most of the cells lie that differ, found in one pass in the order of addresses.

A subtree is *heavy* if a tenth of all cells that differ lie in it. From the root down, a heavy subtree in which at least half
of the cells differ is told whole; of another its heavy children are looked at instead, and it is told for the rest, where
the rest is heavy. So at most ten are told, no cell counts twice, and what is left out lies in subtrees that are light.

Memory holds the cells that lead to the last one, and those subtrees that were heavy when they ended (measured by the cells
that differed by then, which can only grow): at most ten a level.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cfgraph.model.address import ROOT, level_of, parent_address

HEAVY, WHOLE = 0.1, 0.5
KEPT = 1_000  # so many ended subtrees before those that have become light are let go


@dataclass(frozen=True)
class Subtree:
    """A part of a hierarchy: how many of its cells differ, of how many, and which share that is of all that differ.

    Of one that is told for the rest, ``differ`` counts what does not lie in the others that are told.
    """

    side: str  # both, first or second: whose addresses these are
    address: str
    differ: int
    cells: int
    share: float


class Subtrees:
    """Takes cells in the order of their addresses, each with whether it differs."""

    def __init__(self, side: str):
        self._side = side
        self._line: list[list[int]] = []  # cells and differing cells of each cell that leads to the last one
        self._names: list[str] = []
        self._ended: dict[str, tuple[int, int]] = {}
        self.differing = 0

    def add(self, cells: Iterable[tuple[str, bool]]) -> None:
        """Take the next cells."""
        for address, differs in cells:
            self._begin(address, cells=1, differing=int(differs))

    def add_same(self, address: str, *, cells: int) -> None:
        """Take a whole subtree of so many cells, none of which differs."""
        self._begin(address, cells=cells, differing=0)

    def _begin(self, address: str, *, cells: int, differing: int) -> None:
        level = level_of(address)
        while len(self._line) > level:
            self._end()
        self._line.append([cells, differing])
        self._names.append(address)
        self.differing += differing

    def _end(self) -> None:
        cells, differing = self._line.pop()
        name = self._names.pop()
        if self._line:
            self._line[-1][0] += cells
            self._line[-1][1] += differing
        if differing and differing >= HEAVY * self.differing:
            self._ended[name] = cells, differing
            if len(self._ended) > KEPT:
                self._ended = {name: found for name, found in self._ended.items() if found[1] >= HEAVY * self.differing}

    def heaviest(self, *, total: int) -> list[Subtree]:
        """The parts in which most of the ``total`` cells that differ lie, the heaviest first. It ends the pass."""
        while self._line:
            self._end()
        found, below = list[Subtree](), self._heavy_children(total=total)
        waiting = [ROOT] if ROOT in self._ended else []
        while waiting:
            address = waiting.pop()
            cells, differing = self._ended[address]
            whole = differing >= WHOLE * cells
            heavy = [] if whole else below.get(address, [])
            rest = differing - sum(self._ended[child][1] for child in heavy)
            if rest >= HEAVY * total:
                found.append(Subtree(self._side, address, rest, cells, rest / total))
            waiting += heavy
        return sorted(found, key=lambda one: (-one.differ, one.address))

    def _heavy_children(self, *, total: int) -> dict[str, list[str]]:
        below: dict[str, list[str]] = {}
        for address, (_, differing) in self._ended.items():
            if address != ROOT and differing >= HEAVY * total:
                below.setdefault(parent_address(address), []).append(address)
        return below
