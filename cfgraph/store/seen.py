"""Seen: what a page shows of one cell, and of what lies below it; known without the driver."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Moment:
    """What a hierarchy is just now: its ``state``, when it was ``made``, and a ``digest`` of its record and of its growths.

    Another digest tells that cells were grown since, or that a property of theirs was written or removed.
    """

    state: str
    made: str
    digest: str


@dataclass(frozen=True)
class Seen:
    """A cell as the graph has it: its ``properties`` (None where it is not stored), its state, and what is around it.

    ``parents`` are maps with ``address``, ``name``, ``slot``, ``length`` and ``primary``; ``children``, the first of
    ``child_count``, have ``address``, ``name``, ``slot`` and ``state``. ``names`` are those of the cells above, by address.
    """

    properties: dict[str, Any] | None
    state: int
    parents: list[dict[str, Any]]
    children: list[dict[str, Any]]
    child_count: int
    names: dict[str, Any]


@dataclass(frozen=True)
class Below:
    """What lies at and below a cell: ``cells`` of them were looked at, ``more`` are there; ``farthest`` is from the root."""

    cells: int
    depth: int | None
    frontier: int
    leaves: int
    predicted: int
    farthest: float | None
    more: bool
