"""Finding: one measured number with what is wanted of it, and what exactly was measured."""

from dataclasses import dataclass
from statistics import median
from typing import Literal


@dataclass(frozen=True)
class Wanted:
    """A bound on the median."""

    sense: Literal["at least", "at most"]
    value: float

    def is_met(self, value: float) -> bool:
        """Whether a median is within the bound."""
        return value >= self.value if self.sense == "at least" else value <= self.value


@dataclass(frozen=True)
class Finding:
    """What one benchmark found: a value a round. Without ``wanted`` it is told for information."""

    name: str
    title: str
    values: tuple[float, ...]
    wanted: Wanted | None
    ours: str
    theirs: str
    unit: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def median(self) -> float:
        """The value that counts."""
        return median(self.values)

    @property
    def verdict(self) -> str:
        """Whether the median is what is wanted, in a word."""
        if self.wanted is None:
            return "-"
        return "yes" if self.wanted.is_met(self.median) else "NO"

    def row(self) -> tuple[str, ...]:
        """Title, minimum, median, maximum, wanted, met: a line of the table."""
        numbers = [self._text(value) for value in (min(self.values), self.median, max(self.values))]
        wanted = "-" if self.wanted is None else f"{self.wanted.sense} {self._text(self.wanted.value)}"
        return (self.title, *numbers, wanted, self.verdict)

    def _text(self, value: float) -> str:
        number = f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value < 10 else f"{value:.1f}"
        return number + self.unit


COLUMNS = ("measured", "minimum", "median", "maximum", "wanted", "met")


def rate(count: int, seconds: list[float]) -> str:
    """A count over the median of some seconds, as text with three figures."""
    value = count / median(seconds)
    return f"{value / 1e6:.3g} million" if value >= 1e6 else f"{float(f'{value:.3g}'):,.0f}"
