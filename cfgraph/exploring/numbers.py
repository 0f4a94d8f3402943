"""Numbers: the cells of a view as a table: what they are in the hierarchy's own coordinates, and where they are drawn."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from cfgraph.exploring.codec import Cut
from cfgraph.exploring.scenes import GoneError

if TYPE_CHECKING:
    import pyarrow as pa

    from cfgraph.model.field import Field, FieldCells

ASKED_AT_ONCE = 1 << 14  # cells that a rule is asked for, whose ways take an array of their depth
ABOUT = b"cfgraph.view"  # the key under which a Parquet file says of what view it is


@dataclass(frozen=True, eq=False)
class Numbers:
    """What cells of a cut are, in its order: ``center`` and ``scale`` as the hierarchy has them, ``stored`` or by what else.

    ``colored`` is what colors them, whole; ``name`` what they are called, None where no cell has a name.
    """

    center: Float[np.ndarray, "cells dim"]
    scale: Float[np.ndarray, " cells"]
    stored: list[str]
    colored: np.ndarray
    name: np.ndarray | None = None


def by_rule(field: "Field", addresses: list[str], *, gone: Callable[[], bool]) -> "Iterator[tuple[slice, FieldCells]]":
    """What a field answers for cells that are not stored, some thousands at a time; a ``GoneError`` where nobody waits."""
    for low in range(0, len(addresses), ASKED_AT_ONCE):
        if gone():
            raise GoneError
        part = slice(low, low + ASKED_AT_ONCE)
        yield part, field.cells(addresses[part])


def as_table(cut: Cut, numbers: Numbers, *, about: dict[str, Any]) -> "pa.Table":
    """The cells of a cut, a row a cell.

    ``address``, ``level``, ``name`` (where cells have names), ``center`` (where they have one), ``scale``; ``stored``, or by
    what they are there; the property, or what else colors them; ``points`` at and below (where the tree's widths are these);
    and where they are drawn: ``x_pixels``, ``y_pixels`` from the view's middle, y downwards, ``r_pixels`` their size.

    ``about`` is what the view is, and is kept as metadata.
    """
    import pyarrow as pa

    columns: dict[str, Any] = {
        "address": pa.array(cut.addresses(), pa.string()),
        "level": pa.array(cut.level.astype(np.int32)),
    }
    if numbers.name is not None:
        columns["name"] = _column(numbers.name)
    if dimension := numbers.center.shape[1]:
        columns["center"] = pa.FixedSizeListArray.from_arrays(pa.array(numbers.center.reshape(-1)), dimension)
    columns["scale"] = pa.array(numbers.scale)
    columns["stored"] = pa.array(numbers.stored, pa.string())
    mode = cut.header["color"]["mode"]
    if mode not in columns:
        columns[mode] = _column(numbers.colored)
    if cut.weight is not None:
        columns["points"] = pa.array(cut.weight.astype(np.int64))
    columns |= {f"{name}_pixels": pa.array(getattr(cut, name)) for name in ("x", "y", "r")}
    return pa.table(columns).replace_schema_metadata({ABOUT: json.dumps(about)})


def _column(values: np.ndarray) -> "pa.Array":
    """Values of one kind as that, those of several kinds as text; NaN and None are none."""
    import pyarrow as pa

    if values.dtype != object:
        return pa.array(values, mask=np.isnan(values))
    found = values.tolist()
    kinds = {type(value) for value in found if value is not None}
    if kinds <= {int, float} or kinds == {bool}:
        return pa.array(found, None if kinds else pa.string(), from_pandas=True)
    texts = [value if value is None or isinstance(value, str) else json.dumps(value, default=str) for value in found]
    return pa.array(texts, pa.string())
