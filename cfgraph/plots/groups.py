"""Groups: what colors the cells of a picture, where it is not their branches: a cut, labels, a property."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Int

from cfgraph.errors import InputError
from cfgraph.model.cells import Cells
from cfgraph.model.columns import known_values

CLASSES = 24  # values of a property at most that have a color each; of more numbers stretches have one
STRETCHES = 8


@dataclass(frozen=True, eq=False)
class Groups:
    """What colors cells in place of their branches: the number of each one's group, -1 for none, and what they are called.

    ``what`` says it in a caption: ``the cut``, ``the property family``. ``ordered`` ones have colors from dark to bright.
    """

    number: Int[np.ndarray, " cells"]
    names: tuple[str, ...]
    what: str
    ordered: bool = False

    @property
    def short(self) -> str:
        """What they are, as a legend has it."""
        return self.what.removeprefix("the ").partition(",")[0]

    def prefix(self, count: int) -> "Groups":
        """Those of the first cells."""
        return replace(self, number=self.number[:count])


def groups_of_values(column: np.ndarray, *, what: str) -> Groups:
    """A group for each value of a property; of many different numbers a group for each of eight stretches of as many cells.

    Raises:
        InputError: for a property that no cell has, vectors, and too many different texts.
    """
    if column.ndim > 1:
        raise InputError(f"expected a property with one value a cell to color by, {what} holds vectors")
    values = known_values(column)
    known = [value for value in values if value is not None]
    if not known:
        raise InputError(f"no cell has a value of {what} to color by")
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
    different = sorted(set(known), key=None if numbers else str) if all(_is_plain(value) for value in known) else []
    if not different:
        raise InputError(f"expected numbers, text or truth values to color by, {what} holds others")
    if len(different) <= CLASSES:
        place = {value: number for number, value in enumerate(different)}
        number = np.array([-1 if value is None else place[value] for value in values], dtype=np.int64)
        names = tuple(f"{value:g}" if isinstance(value, float) else str(value) for value in different)
        return Groups(number, names, what, ordered=numbers and any(isinstance(value, float) for value in different))
    if not numbers:
        raise InputError(f"{what} has {len(different):,} different values, and there are colors for {CLASSES}")
    return _stretches(np.array([np.nan if value is None else value for value in values], dtype=np.float64), what=what)


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | float | str | bool)


def _stretches(values: np.ndarray, *, what: str) -> Groups:
    finite = values[np.isfinite(values)]
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, STRETCHES + 1))) if len(finite) else np.zeros(2)
    number = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, max(len(edges) - 2, 0))
    names = tuple(f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges.tolist()))
    return Groups(np.where(np.isnan(values), -1, number), names, what, ordered=True)


def groups_of_leaves(cells: Cells, classes: Sequence[str | None], *, what: str) -> Groups:
    """The class of each leaf, and of each cell below which all leaves are of one."""
    names = sorted({name for name in classes if name is not None})
    place = {name: number for number, name in enumerate(names)}
    of_leaf = np.array([-1 if name is None else place[name] for name in classes], dtype=np.int64)
    low = np.where(cells.child_count == 0, of_leaf, len(names))
    high = np.where(cells.child_count == 0, of_leaf, -2)
    starts = cells.level_starts.tolist()
    for first, last in reversed(list(pairwise(starts))[1:]):
        above = cells.parent[first:last]
        np.minimum.at(low, above, low[first:last])
        np.maximum.at(high, above, high[first:last])
    return Groups(np.where(low == high, low, -1), tuple(names), what)
