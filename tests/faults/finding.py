"""Finding: what a fault, or many of one kind, left of the cells."""

from dataclasses import dataclass, field
from typing import ClassVar

from tests.faults.ground import Checked


@dataclass
class Finding:
    """One line of docs/reliability.md; filled while a test runs."""

    COLUMNS: ClassVar = ("fault", "faults", "copies", "cells", "lost", "doubled", "restarts", "taken over", "seconds", "told")

    fault: str
    faults: int = 0
    copies: int = 0
    cells: int = 0
    lost: int = 0
    doubled: int = 0
    restarts: int = 0
    taken_over: int = 0
    seconds: float = 0.0
    remarks: list[str] = field(default_factory=list)

    def add(self, checked: Checked) -> None:
        """Count a copy that was held against the undisturbed one."""
        self.copies += 1
        for name in ("cells", "lost", "doubled", "taken_over"):
            setattr(self, name, getattr(self, name) + getattr(checked, name))

    def row(self) -> tuple[str, ...]:
        """The line, as texts."""
        numbers = (self.faults, self.copies, self.cells, self.lost, self.doubled, self.restarts, self.taken_over)
        return (self.fault, *(f"{number:,}" for number in numbers), f"{self.seconds:.0f}", "; ".join(self.remarks))
