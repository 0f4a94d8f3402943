"""Colors: what the cells of a cut are colored by, as numbers of two bytes: categories, or numbers between two bounds."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt16

from cfgraph.exploring.codec import MISSING, Leaves

_STEPS = 65_534  # that a number between the bounds is told to
CATEGORIES_MAX, LABEL_MAX = 64, 80  # that are told apart; characters of a label
OTHERS = "(others)"
STORED_LABELS = ("stored", "by the rule", "predicted")


@dataclass(frozen=True, eq=False)
class Colors:
    """A value a cell, and what values mean; ``exact`` are the values themselves, where two bytes do not tell them whole."""

    value: UInt16[np.ndarray, " dots"]
    meaning: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    exact: np.ndarray | None = None  # NaN or None for none

    @property
    def values(self) -> np.ndarray:
        """What each cell has, whole: numbers, NaN for none, or objects, None for none."""
        if self.exact is not None:
            return self.exact
        labels = np.array([*self.meaning["labels"], None], dtype=object)
        found: np.ndarray = labels[np.where(self.value == MISSING, -1, self.value.astype(np.int64))]
        return found


def of_categories(mode: str, value: Int[np.ndarray, " dots"], labels: list[str]) -> Colors:
    """Categories by number; -1 is none."""
    found = np.where(value < 0, MISSING, value).astype(np.uint16)
    return Colors(found, {"mode": mode, "kind": "category", "labels": labels, "missing": MISSING})


def of_numbers(mode: str, value: Float[np.ndarray, " dots"], *, log: bool = False) -> Colors:
    """Numbers between the lowest and the highest that are finite, or their logarithms; NaN is none.

    Zeros have no logarithm, and the color of the lowest.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        told = np.log10(value) if log else value.astype(np.float64)
    finite = np.isfinite(told)
    known = finite | (value == 0)
    low, high = (float(told[finite].min()), float(told[finite].max())) if finite.any() else (0.0, 0.0)
    part = (np.where(finite, told, low) - low) / (high - low) if high > low else np.zeros(len(told))
    found = np.where(known, np.rint(part * _STEPS), MISSING).astype(np.uint16)
    bounds = {"low": 10**low, "high": 10**high} if log and finite.any() else {"low": low, "high": high}
    meaning = {"mode": mode, "kind": "number", **bounds, "log": log, "missing": MISSING}
    return Colors(found, meaning, exact=value.astype(np.float64))


def of_values(mode: str, column: np.ndarray, rows: Int[np.ndarray, " dots"]) -> Colors:
    """A property of held cells, by their rows, -1 for none: numbers as they are, other values as categories.

    The categories that the most cells of the whole hierarchy are of have colors of their own; the rest are one.
    """
    held = np.maximum(rows, 0)
    if column.dtype.kind in "if":
        value = column[held].astype(np.float64)
        none = (rows < 0) | ((column.dtype.kind == "i") & (column[held] == -1))
        value[none] = np.nan
        return replace(of_numbers(mode, value), exact=or_none(column, np.where(none, -1, rows)))  # a whole number is one
    known = np.array([value is not None for value in column.tolist()])
    texts = np.array([str(value)[:LABEL_MAX] for value in column.tolist()], dtype=object)
    names, code, count = np.unique(texts[known].astype(str), return_inverse=True, return_counts=True)
    rank = np.argsort(-count, kind="stable")
    place = np.empty(len(names), dtype=np.int64)
    place[rank] = np.arange(len(names))
    of_cell = np.full(len(column), -1)
    of_cell[known] = np.minimum(place[code], CATEGORIES_MAX)
    labels = [str(name) for name in names[rank[:CATEGORIES_MAX]]]
    notes = list[str]()
    if len(names) > CATEGORIES_MAX:
        labels.append(OTHERS)
        rest = int(count[rank[CATEGORIES_MAX:]].sum())
        notes.append(
            f"{len(names):,} values: the {CATEGORIES_MAX} most common have colors of their own, {rest:,} cells have others"
        )
    found = of_categories(mode, np.where(rows >= 0, of_cell[held], -1), labels)
    return Colors(found.value, found.meaning, notes, or_none(column, rows))


def or_none(column: np.ndarray, rows: Int[np.ndarray, " rows"]) -> np.ndarray:
    """Values by rows as objects, None where a row is -1."""
    found, there = np.full(len(rows), None, dtype=object), rows >= 0
    found[there] = column[rows[there]]
    return found


def of_seen_values(mode: str, values: np.ndarray, rows: Int[np.ndarray, " dots"], *, seen: dict[str, int]) -> Colors:
    """As :func:`of_values`, of values as objects that were read for what is looked at: nobody knows those of all cells.

    Categories keep the number that they were ``seen`` with first, the most common ones of a view before the others.
    """
    known = np.array([value is not None for value in values.tolist()], dtype=np.bool_)
    texts = np.array([str(value)[:LABEL_MAX] for value in values[known].tolist()], dtype=str)
    names, code, count = np.unique(texts, return_inverse=True, return_counts=True)
    for place in np.argsort(-count, kind="stable").tolist():
        if len(seen) <= CATEGORIES_MAX:
            seen.setdefault(str(names[place]), len(seen))
    number = np.array([min(seen.get(str(name), CATEGORIES_MAX), CATEGORIES_MAX) for name in names], dtype=np.int64)
    of_cell = np.full(len(values) + 1, -1)  # the last is that of no cell
    of_cell[np.flatnonzero(known)] = number[code]
    labels, notes = list(seen)[:CATEGORIES_MAX], list[str]()
    if len(seen) > CATEGORIES_MAX:
        labels.append(OTHERS)
        notes.append(f"more than {CATEGORIES_MAX} values were seen: the first {CATEGORIES_MAX} have colors of their own")
    found = of_categories(mode, of_cell[rows], labels)
    return Colors(found.value, found.meaning, notes, or_none(values, rows))


def by_branch(leaves: Leaves) -> Colors:
    """The slot at the first level below what all cells have in common."""
    slots, value = np.unique(leaves.branch, return_inverse=True)
    if len(slots) >= MISSING:
        slots, value = np.arange(MISSING), leaves.branch % MISSING
    return of_categories("branch", value, [str(slot) for slot in slots.tolist()])


def by_level(leaves: Leaves) -> Colors:
    """The level."""
    return of_numbers("level", leaves.level.astype(np.float64))
