"""Labels: the class of each data point, by its number, or of each leaf, by its name."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped

from cfgraph.errors import InputError
from cfgraph.files.arrays import read_array
from cfgraph.files.named import TABLES, read_named_array, read_named_table
from cfgraph.files.opened import suffix_of
from cfgraph.model.dag import show_names

if TYPE_CHECKING:
    import pyarrow as pa

LABEL = "label"  # the column of a table


@dataclass(frozen=True, eq=False)
class Labels:
    """A label a row: of data point ``row``, or, where there are names, of the leaf called ``names[row]``."""

    values: Shaped[np.ndarray, " rows"]
    names: tuple[str, ...] | None = None
    hint: str = ""  # of how they were read, for an error where they are not as many as points
    notes: tuple[str, ...] = ()  # what a reader should know of how they were read

    def __post_init__(self) -> None:
        if self.names is None:
            return
        if len(self.names) != len(self.values):
            raise InputError(f"expected a label for each of {len(self.names)} names, got {len(self.values)}")
        doubled = [name for name, times in Counter(self.names).items() if times > 1]
        if doubled:
            raise InputError(f"expected one label a name, got several for {show_names(doubled)}; leave all but one out")

    @classmethod
    def read(cls, path: Path | str, *, key: str | None = None, large: bool = False) -> "Labels":
        """The labels in a file.

        .npy holds one array; .npz the array ``key`` (not needed where it holds one beside ``names``); .csv, .tsv and .parquet a
        column ``label`` and perhaps a column ``name`` (``key`` calls the former otherwise), or a single column; an index of
        text holds names too. ``large`` lifts the limits of :mod:`cfgraph.files.opened`. Raises an ``InputError`` for a file
        that cannot be read or holds none of these.
        """
        path, hint = Path(path), ""
        suffix = suffix_of(path)
        notes: tuple[str, ...] = ()
        if suffix == ".npz":
            values, names = read_named_array(path, what="labels", key=key, large=large)
        elif suffix in TABLES:
            values, names, hint, notes = _read_table(path, key=key or LABEL, large=large)
        elif suffix == ".npy":
            values, names = read_array(path, what="labels", key=key, large=large).values, None
        else:
            raise InputError(f"expected labels in a .npy, .npz, .csv, .tsv or .parquet file, got {path}")
        if values.ndim != 1 or values.dtype.kind not in "iufbOUS":
            raise InputError(
                f"expected one label a row in {path}, got an array of shape {values.shape} and type {values.dtype}"
            )
        if values.dtype.kind == "f" and np.isnan(values).any():
            raise InputError(
                f"expected labels in {path}, got {int(np.isnan(values).sum())} that are not a number; leave them out"
            )
        return cls(values, names, hint, notes)


def _read_table(path: Path, *, key: str, large: bool) -> tuple[np.ndarray, tuple[str, ...] | None, str, tuple[str, ...]]:
    read = read_named_table(path, what="labels", key=key, large=large)
    table, others = read.columns, read.columns.column_names
    chosen = key if key in others else others[0] if len(others) == 1 and key == LABEL else None
    if chosen is None:
        raise InputError(f"expected a column {key!r} in {path}, got {', '.join(others) or 'none'}; name one with --key")
    column = table.column(chosen)
    lacking = _count_missing(column)
    if lacking:
        raise InputError(f"expected a label in every row of {path}, got {lacking} without one; leave those rows out")
    hint = "" if chosen == key or suffix_of(path) == ".parquet" else f" (the first line, {chosen!r}, was read as a header)"
    return _plain(column.to_pylist()), read.names, hint, read.notes


def _count_missing(column: "pa.ChunkedArray") -> int:
    """How many labels are missing, or empty text, which is what a missing one looks like in CSV."""
    import pyarrow as pa
    from pyarrow import compute, types

    is_text = types.is_string(column.type) or types.is_large_string(column.type)
    return column.null_count + (len(column.filter(compute.equal(column, pa.scalar("")))) if is_text else 0)


def _plain(values: Sequence) -> np.ndarray:
    """Labels as numbers where all are, else as text."""
    if any(isinstance(value, str) for value in values):  # before numpy gives every text the room of the longest
        return np.array(list(map(str, values)), dtype=object)
    array = np.array(values)
    return array if array.dtype.kind in "iufb" else np.array(list(map(str, values)), dtype=object)
