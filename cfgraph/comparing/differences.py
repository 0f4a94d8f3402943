"""Differences: one of them as a value, and what makes it of a row; only those that somebody listens to are made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from cfgraph.comparing.changes import ONLY_FIRST, Change, Terms, change_in_words
from cfgraph.comparing.sides import Contents

Lookup = Callable[[int], str]  # the address of the cell in a row


@dataclass(frozen=True)
class Difference:
    """One difference: of what kind, where on either side (None: not there), by how much, and what in words."""

    kind: str
    first: str | None
    second: str | None
    level: int  # on the first side, where the cell is there
    amount: float | None = None
    detail: str | None = None


Tell = Callable[[Difference], None]
Make = Callable[[int], Difference]


@dataclass(frozen=True, eq=False)
class LoneMaker:
    """Makes the difference of a cell that only one side has."""

    kind: str
    at: Lookup
    levels: Int[np.ndarray, " cells"]
    name: Callable[[int], Any] = lambda row: None

    def __call__(self, row: int) -> Difference:
        """The difference of the cell in a row."""
        first, second = (self.at(row), None) if self.kind == ONLY_FIRST else (None, self.at(row))
        return Difference(self.kind, first, second, int(self.levels[row]), detail=self.name(row))


@dataclass(frozen=True, eq=False)
class PairMaker:
    """Makes the difference of two cells that are matched."""

    kind: str
    first: Lookup
    second: Lookup
    levels: Int[np.ndarray, " pairs"]
    contents: tuple[Contents, Contents]
    change: Change
    terms: Terms

    def __call__(self, row: int) -> Difference:
        """The difference of the pair in a row."""
        amount = None if self.change.amount is None else float(self.change.amount[row])
        detail = change_in_words(self.kind, *self.contents, row, properties=self.terms.properties)
        return Difference(self.kind, self.first(row), self.second(row), int(self.levels[row]), amount, detail)


@dataclass(frozen=True, eq=False)
class ParentMaker:
    """Makes the difference of two matched cells, or of an edge to them, of which a parent is what differs."""

    kind: str
    first: Lookup
    second: Lookup
    levels: Int[np.ndarray, " rows"]
    parent: Lookup  # what to say of it

    def __call__(self, row: int) -> Difference:
        """The difference of the pair, or the edge, in a row."""
        return Difference(self.kind, self.first(row), self.second(row), int(self.levels[row]), detail=self.parent(row))
