"""Codec: a cut as columns in the order of addresses, and as bytes: a small header and raw little-endian arrays behind it.

Addresses are kept as what each cell's has not in common with that of the cell before it, so that a cell takes some 17 bytes,
and a subtree is a range of rows.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from jaxtyping import Bool, Float, Int, UInt16

from cfgraph.errors import InputError
from cfgraph.exploring.cut import Level
from cfgraph.model.address import ROOT, format_address, level_of, stem_of

MISSING = 65_535  # of a value
_TYPES: dict[str, np.dtype[Any]] = {"f4": np.dtype("<f4"), "u2": np.dtype("<u2"), "u1": np.dtype("u1")}
_COLUMNS = ("x", "y", "r", "value", "level", "common", "slots", "weight")


@dataclass(frozen=True, eq=False)
class Leaves:
    """The drawn cells of a cut, in the order of their addresses, and how these follow from each other.

    ``common`` counts the slots below ``top`` that a cell has in common with the one before it; ``slots`` are the others, of all
    cells one behind the other.
    """

    top: tuple[int, ...]
    x: Float[np.ndarray, " dots"]
    y: Float[np.ndarray, " dots"]
    unit: Float[np.ndarray, " dots"]
    reach: Float[np.ndarray, " dots"]
    row: Int[np.ndarray, " dots"]
    level: Int[np.ndarray, " dots"]
    branch: Int[np.ndarray, " dots"]  # the slot at the first level below the top
    common: Int[np.ndarray, " dots"]
    slots: Int[np.ndarray, " slots"]

    def __len__(self) -> int:
        return len(self.x)

    def addresses(self) -> list[str]:
        """The addresses of all cells."""
        return _addresses(format_address(self.top), self.level - len(self.top) - self.common, self.common, self.slots)


def leaves_of(levels: list[Level], drawn: list[Bool[np.ndarray, " cells"]], *, start: tuple[int, ...]) -> Leaves:
    """Drawn cells of levels, of which the first has the cell at ``start`` alone, by their addresses."""
    counts = [mask.astype(np.int64) for mask in drawn]
    for place in range(len(levels) - 1, 0, -1):
        above = np.bincount(levels[place].parent, weights=counts[place], minlength=len(levels[place - 1]))
        counts[place - 1] += above.astype(np.int64)
    total = int(counts[0].sum()) if counts else 0
    if total == 0:
        nothing = np.zeros(0, dtype=np.int64)
        return Leaves(start, *(np.zeros(0),) * 4, *(nothing,) * 5)
    firsts = [np.zeros(1, dtype=np.int64)]
    for place in range(1, len(levels)):
        firsts.append(_starts(levels[place].parent, counts[place], firsts[-1]))
    top_place, top = _top(levels, counts, total, start)
    columns: dict[str, np.ndarray] = {name: np.empty(total) for name in ("x", "y", "unit", "reach")}
    names = ("row", "level", "branch", "common")
    numbers: dict[str, np.ndarray] = {name: np.zeros(total, dtype=np.int64) for name in names}
    for place in range(len(levels) - 1, -1, -1):
        level, rows = levels[place], np.flatnonzero(drawn[place])
        there = firsts[place][rows]
        columns["x"][there], columns["y"][there] = level.at.x[rows], level.at.y[rows]
        columns["unit"][there], columns["reach"][there] = level.at.unit[rows], level.reach[rows]
        numbers["row"][there], numbers["level"][there] = level.row[rows], len(start) + place
        if place > top_place:
            numbers["common"][firsts[place][counts[place] > 0]] = place - 1 - top_place
    if top_place + 1 < len(levels):
        below = levels[top_place + 1]
        numbers["branch"] = np.repeat(below.slot, counts[top_place + 1])
    return Leaves(top, **columns, **numbers, slots=_slots(levels, counts, firsts, numbers, top_place, len(top)))


def _starts(parent: Int[np.ndarray, " cells"], count: Int[np.ndarray, " cells"], above: Int[np.ndarray, " parents"]):
    """Which drawn cell is the first at or below each cell."""
    before = np.cumsum(count) - count
    new = np.empty(len(parent), dtype=np.bool_)
    new[:1] = True
    np.not_equal(parent[1:], parent[:-1], out=new[1:])
    family = np.cumsum(new) - 1
    heads = np.flatnonzero(new)
    return before + (above[parent[heads]] - before[heads])[family]


def _top(levels: list[Level], counts: list[np.ndarray], total: int, start: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """The deepest cell that all drawn ones are at or below: its place among the levels, and its slots."""
    slots, place = list(start), 0
    while place + 1 < len(levels):
        row = np.flatnonzero(counts[place + 1])
        if len(row) != 1 or counts[place + 1][row[0]] != total:
            break
        slots.append(int(levels[place + 1].slot[row[0]]))
        place += 1
    return place, tuple(slots)


def _slots(levels, counts, firsts, numbers, top_place: int, top_level: int) -> Int[np.ndarray, " slots"]:
    new = numbers["level"] - top_level - numbers["common"]
    start = np.cumsum(new) - new - numbers["common"]
    found = np.zeros(int(new.sum()), dtype=np.int64)
    for place in range(top_place + 1, len(levels)):
        rows = np.flatnonzero(counts[place])
        found[start[firsts[place][rows]] + (place - 1 - top_place)] = levels[place].slot[rows]
    return found


@dataclass(frozen=True, eq=False)
class Cut:
    """What a view shows, ready to be sent; columns as the page has them, x and y in pixels from the middle, y downwards."""

    header: dict[str, Any]
    x: Float[np.ndarray, " dots"]
    y: Float[np.ndarray, " dots"]
    r: Float[np.ndarray, " dots"]
    value: UInt16[np.ndarray, " dots"]
    level: UInt16[np.ndarray, " dots"]
    common: np.ndarray  # u1, or u2 where addresses have more than 255 slots in common
    slots: np.ndarray  # the same, for families of more than 256
    weight: Float[np.ndarray, " dots"] | None = None  # how many data points lie at and below each, where that was asked for

    def __len__(self) -> int:
        return len(self.x)

    def to_bytes(self) -> bytes:
        """The length of the header, the header, the columns; offsets of columns count from where the first one begins."""
        columns, parts, offset = [], [], 0
        for name in _COLUMNS:
            array = getattr(self, name)
            if array is None:
                continue
            kind = next(kind for kind, dtype in _TYPES.items() if dtype == array.dtype)
            raw = array.tobytes()
            raw += b"\0" * (-len(raw) % 4)
            columns.append({"name": name, "type": kind, "length": len(array), "offset": offset})
            parts.append(raw)
            offset += len(raw)
        header = json.dumps({**self.header, "columns": columns}, allow_nan=False).encode()
        header += b" " * (-(4 + len(header)) % 8)
        return b"".join([len(header).to_bytes(4, "little"), header, *parts])

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """A cut as it was sent."""
        size = int.from_bytes(raw[:4], "little")
        try:
            header: dict[str, Any] = json.loads(raw[4 : 4 + size])
            found = {
                one["name"]: np.frombuffer(raw, dtype=_TYPES[one["type"]], count=one["length"], offset=4 + size + one["offset"])
                for one in header.pop("columns")
            }
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"expected the bytes of a cut: {error}") from error
        return cls(header, **found)

    def addresses(self, rows: Int[np.ndarray, " rows"] | None = None) -> list[str]:
        """The addresses of all cells, or of some."""
        new = self.level.astype(np.int64) - level_of(self.header["top"]) - self.common
        found = _addresses(self.header["top"], new, self.common, self.slots)
        return found if rows is None else [found[row] for row in rows.tolist()]

    @property
    def labels(self) -> Mapping[str, Any]:
        """What the colors mean."""
        return self.header["color"]


def _addresses(top: str, new: np.ndarray, common: np.ndarray, slots: np.ndarray) -> list[str]:
    """Addresses from how many slots each has in common with the one before it, and how many new ones."""
    head, way, found = stem_of(top), list[str](), []
    texts, start = [f"/{slot}" for slot in slots.tolist()], (np.cumsum(new) - new).tolist()
    for shared, many, first in zip(common.tolist(), new.tolist(), start, strict=True):
        way[shared:] = texts[first : first + many]
        found.append(head + "".join(way) or ROOT)
    return found


def narrow(values: Int[np.ndarray, " values"]) -> np.ndarray:
    """Whole numbers in one byte each, or in two where they are larger."""
    return values.astype(np.uint16 if len(values) and int(values.max()) > 255 else np.uint8)
