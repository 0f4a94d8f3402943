"""Column order: the columns of new data in the order of those that a hierarchy was made of, by their names.

A recipe keeps the names that the columns of its data had (``columns``), so that a file with the same columns in another order,
or with more of them, is not taken column by column for what it is not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError

NAMES_MAX = 1_000  # columns whose names a recipe keeps; wider tables go by the order of their columns
_SHOWN = 5


def names_for_recipe(names: Sequence[str] | None) -> dict[str, list[str]]:
    """What a recipe says of the names of columns: nothing where there are none, where they are numbers alone or not unique."""
    if names is None or len(names) > NAMES_MAX or not _told_apart(names):
        return {}
    return {"columns": list(names)}


def names_in(recipe: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The names that a recipe keeps."""
    found = recipe.get("columns")
    return None if found is None else tuple(map(str, found))


def in_order(
    values: Float[np.ndarray, "points columns"],
    names: Sequence[str] | None,
    *,
    wanted: Sequence[str] | None,
    id: str | None,
) -> tuple[Float[np.ndarray, "points columns"], tuple[str, ...]]:
    """Columns as ``wanted`` has them, and what is to be said of that. Without names on both sides they are what they are.

    Where no name is one that is wanted the columns are called otherwise, and go by their order.

    Raises:
        InputError: where some that are wanted are there, and others are not.
    """
    if wanted is None or names is None or tuple(names) == tuple(wanted) or not _told_apart(names):
        return values, ()
    of = "the hierarchy" if id is None else repr(id)
    place = {name: number for number, name in enumerate(names)}
    missing = [name for name in wanted if name not in place]
    if len(missing) == len(wanted):
        return values, (f"the columns {_shown(names)} were taken in their order for {_shown(wanted)}, of which {of} was made",)
    if missing:
        raise InputError(
            f"expected the columns that {of} was made of, {_shown(wanted)}, and {_shown(missing)} is not among them: there are "
            f"{_shown(names)}; call them alike, or give a table without names, its columns in that order"
        )
    left = [name for name in names if name not in set(wanted)]
    told = [f"the columns were brought into the order of those that {of} was made of, {_shown(wanted)}"]
    told += [f"columns that it was not made of were left out: {_shown(left)}"] * bool(left)
    return np.ascontiguousarray(values[:, [place[name] for name in wanted]]), tuple(told)


def _told_apart(names: Sequence[str]) -> bool:
    """Whether names say which column is which: numbers are what tables write that have none."""
    return len(set(names)) == len(names) and not all(name.isdigit() for name in names)


def _shown(names: Sequence[str]) -> str:
    shown = ", ".join(" ".join(name.split())[:40] for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown}, ... ({len(names):,})"
