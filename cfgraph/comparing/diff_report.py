"""The report of a diff, and how it is put together while cells go by: counts, levels, the largest of each kind."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int

from cfgraph.comparing.changes import KINDS, STATE, Change
from cfgraph.comparing.differences import Difference, Make, Tell
from cfgraph.comparing.subtrees import Subtree
from cfgraph.model.as_html import Shown


@dataclass(frozen=True)
class KindReport:
    """How many differences of one kind there are, and how large where that is a number."""

    count: int
    mean: float | None
    largest: float | None
    examples: tuple[Difference, ...]  # the largest; where there is no amount, the first


@dataclass(frozen=True)
class DiffLevel:
    """What one level holds; of cells that both have the first side's levels are meant."""

    level: int
    both: int
    kinds: dict[str, int]


@dataclass(frozen=True)
class Digests:
    """When the digests of either side were made, in ISO format: None of one in memory, whose digests were made now."""

    first: str | None
    second: str | None


@dataclass(frozen=True)
class Diff(Shown):
    """What two hierarchies differ in. ``described`` has what they say of themselves, by name: of the first, of the second."""

    first: str
    second: str
    by: str
    tolerance: float
    both: int  # cells that were matched
    kinds: dict[str, KindReport]  # those that there are
    levels: tuple[DiffLevel, ...]
    first_level: int | None  # the first level where they part: where what cells hold differs, their states apart
    subtrees: tuple[Subtree, ...]
    described: dict[str, tuple[Any, Any]]
    remarks: tuple[str, ...]
    cells_read: int  # of both sides, again where they were read again
    digests: Digests | None = None  # where subtrees of the same digests were not read

    @property
    def equal(self) -> bool:
        """Whether no difference was found."""
        return not self.kinds and not self.described

    def count(self, kind: str) -> int:
        """How many differences of a kind there are."""
        return self.kinds[kind].count if kind in self.kinds else 0

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {"equal": self.equal, **asdict(self)}


@dataclass
class _Kind:
    count: int = 0
    total: float = 0.0
    largest: float = 0.0
    measured: bool = False
    examples: list[Difference] = field(default_factory=list)

    def report(self) -> KindReport:
        mean = self.total / self.count if self.measured else None
        return KindReport(self.count, mean, self.largest if self.measured else None, tuple(self.examples))


class DiffTally:
    """Counts differences; every one of them is made and told only where somebody listens."""

    def __init__(self, *, examples: int, tell: Tell | None):
        self._examples, self._tell = examples, tell
        self._kinds: dict[str, _Kind] = {}
        self._levels: dict[str, Counter[int]] = {}
        self.both: Counter[int] = Counter()

    def match(self, levels: Int[np.ndarray, " pairs"]) -> None:
        """Count cells that both sides have."""
        self.both.update(_counted(levels))

    def match_counted(self, cells: dict[int, int]) -> None:
        """Count cells that both sides have, of so many on each level."""
        self.both.update(cells)

    def add(self, kind: str, change: Change, *, levels: Int[np.ndarray, " pairs"], make: Make) -> None:
        """Take the pairs of cells that differ in one way; ``make`` tells of the difference of one pair."""
        rows = np.flatnonzero(change.differs)
        if not len(rows):
            return
        found = self._kinds.setdefault(kind, _Kind())
        found.count += len(rows)
        self._levels.setdefault(kind, Counter()).update(_counted(levels[rows]))
        if change.amount is not None:
            with np.errstate(over="ignore"):
                found.total += float(change.amount[rows].sum())
            found.largest = max(found.largest, float(change.amount[rows].max()))
            found.measured = True
        self._keep(found, rows, change, make)

    def _keep(self, found: _Kind, rows: Int[np.ndarray, " differing"], change: Change, make: Make) -> None:
        if self._tell is not None:
            for row in rows.tolist():
                self._tell(make(row))
        if change.amount is None:
            rows = rows[: self._examples - len(found.examples)]
        elif len(rows) > self._examples:
            rows = rows[np.argsort(-change.amount[rows], kind="stable")[: self._examples]]
        found.examples += [make(row) for row in rows.tolist()]
        if change.amount is not None:
            found.examples.sort(key=lambda one: -(one.amount or 0.0))
            del found.examples[self._examples :]

    def kinds(self) -> dict[str, KindReport]:
        """What there is of each kind."""
        return {kind: self._kinds[kind].report() for kind in KINDS if kind in self._kinds}

    def levels(self) -> tuple[DiffLevel, ...]:
        """What there is on each level."""
        all_levels = sorted(set(self.both).union(*self._levels.values()))
        return tuple(
            DiffLevel(level, self.both[level], {kind: self._levels[kind][level] for kind in self._kinds_on(level)})
            for level in all_levels
        )

    def _kinds_on(self, level: int) -> Iterable[str]:
        return [kind for kind in KINDS if self._levels.get(kind, Counter())[level]]

    @property
    def first_level(self) -> int | None:
        """The first level where what cells hold differs."""
        return min((min(levels) for kind, levels in self._levels.items() if kind != STATE), default=None)


def _counted(levels: Int[np.ndarray, " cells"]) -> dict[int, int]:
    found, counts = np.unique(levels, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))
