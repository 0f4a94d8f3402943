"""Changes: how a cell of one hierarchy differs from the cell of another that it is matched with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from cfgraph.comparing.sides import PREDICTED, Contents
from cfgraph.model.cells import STATE_NAMES

# In the order in which they are told. What only one side has comes first, what says nothing of what a cell holds last.
ONLY_FIRST, ONLY_SECOND, MOVED, SCALED, EDGE = "only first", "only second", "moved", "scaled", "edge"
RENAMED, PARENT, ADDED, REMOVED = "renamed", "parent", "edge added", "edge removed"
PROPERTIES, POINTS, STATE = "properties", "points", "state"
KINDS = (ONLY_FIRST, ONLY_SECOND, MOVED, SCALED, EDGE, RENAMED, PARENT, ADDED, REMOVED, PROPERTIES, POINTS, STATE)


@dataclass(frozen=True, eq=False)
class Change:
    """Which of some pairs of cells differ in one way, and by how much where that is a number."""

    differs: Bool[np.ndarray, " pairs"]
    amount: Float[np.ndarray, " pairs"] | None = None


@dataclass(frozen=True)
class Terms:
    """What counts as a change."""

    tolerance: float
    same_space: bool  # whether centers have the same dimension on both sides: else they are not compared
    properties: tuple[str, ...]
    points: bool  # whether the data points that lie in cells are known on both sides


def changes(first: Contents, second: Contents, terms: Terms) -> dict[str, Change]:
    """How cells differ from those they are matched with, row by row.

    With the cell of the first side as the measure, T the tolerance: *moved* where ``|center' - center| > T scale``, by
    ``|center' - center| / scale``; *scaled* where ``|scale' - scale| > T scale``; *edge* where the residual of the edge that
    leads to it differs by more than T (it is in units of the parent's scale), or the edge's length by more than T of the
    longer one. Names, properties, points and states differ or do not.
    """
    with np.errstate(all="ignore"):  # of numbers as large as floats can be: infinite is more than any tolerance
        found = {SCALED: _relative(second.scale - first.scale, first.scale, tolerance=terms.tolerance)}
        if terms.same_space:
            found[MOVED] = _relative(norms(second.center - first.center), first.scale, tolerance=terms.tolerance)
        found[EDGE] = _edges(first, second, terms)
    found[RENAMED] = Change(_unlike(first.name, second.name))
    found[PROPERTIES] = Change((first.own != second.own).any(axis=1))
    if terms.points:
        found[POINTS] = Change(first.points != second.points)
    found[STATE] = Change(first.condition != second.condition)
    return found


def _relative(gap: Float[np.ndarray, " pairs"], unit: Float[np.ndarray, " pairs"], *, tolerance: float) -> Change:
    gap = np.abs(gap)
    return Change(gap > tolerance * unit, gap / unit)


def _edges(first: Contents, second: Contents, terms: Terms) -> Change:
    longer = np.maximum(np.abs(first.length), np.abs(second.length))
    gap = np.abs(second.length - first.length)
    amount = np.where(gap > 0, gap / longer, 0.0)
    if terms.same_space:
        amount = np.maximum(amount, norms(second.residual - first.residual))
    return Change(amount > terms.tolerance, amount)


def norms(vectors: Float[np.ndarray, "pairs dim"]) -> Float[np.ndarray, " pairs"]:
    """The norm of each row, without overflow on the way to it."""
    largest = np.abs(vectors).max(axis=1, initial=0.0)
    unit = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    found: np.ndarray = unit * np.linalg.norm(vectors / unit[:, None], axis=1)
    return found


def _unlike(first: np.ndarray, second: np.ndarray) -> Bool[np.ndarray, " pairs"]:
    return np.array([one != other for one, other in zip(first, second, strict=True)], dtype=bool)


def change_in_words(kind: str, first: Contents, second: Contents, row: int, *, properties: Sequence[str]) -> str | None:
    """What a change is, where the amount does not say it."""
    if kind == RENAMED:
        return f"{_said(first.name[row])} -> {_said(second.name[row])}"
    if kind == PROPERTIES:
        return ", ".join(np.array(properties)[first.own[row] != second.own[row]].tolist())
    if kind == STATE:
        return f"{state_in_words(int(first.condition[row]))} -> {state_in_words(int(second.condition[row]))}"
    return None


def _said(name: str | None) -> str:
    return "no name" if name is None else repr(name)


def state_in_words(condition: int) -> str:
    """The label of a cell, and whether a predictor put it."""
    name = STATE_NAMES[condition % PREDICTED]
    return f"{name} (predicted)" if condition >= PREDICTED else name
