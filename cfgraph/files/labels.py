"""Labels: the class of each data point, by its number, or of each leaf, by its name."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped

from cfgraph import defaults
from cfgraph.errors import InputError
from cfgraph.files.arrays import Reading, read_array
from cfgraph.files.in_memory import as_array, as_table
from cfgraph.files.index import listed, schema_index
from cfgraph.files.kinds import kind_of
from cfgraph.files.named import NamedTable, named_columns, read_named_array, read_named_table
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
    def of(cls, values: Any, *, names: Sequence[str] | None = None) -> "Labels":
        """Labels in memory: an array, a list, a column, a tensor, or a data frame with a column ``label`` or a single one.

        Its column ``name``, or an index of texts, holds the leaves' names; ``names`` are theirs otherwise.
        """
        where = "the labels"
        frame = as_table(values, where=where)
        if frame is None:
            array = as_array(values, where=where)
            array = _plain(array.tolist()) if array.dtype == object and array.ndim == 1 else array
            return cls._checked(array, names, where=where)
        read = named_columns(frame, index=schema_index(frame.schema), key=LABEL, where=where)
        array, _ = _labels_of(read, key=None, where=where)
        return cls._checked(array, read.names if names is None else names, where=where, notes=read.notes)

    @classmethod
    def read(
        cls,
        path: Path | str,
        *,
        key: str | None = None,
        header: str = defaults.HEADER_RULE,
        separator: str | None = None,
        decimal: str | None = None,
        large: bool = False,
    ) -> "Labels":
        """The labels in a file.

        .npy holds one array; .npz the array ``key`` (not needed where it holds one beside ``names``); a table (.parquet,
        .feather, .csv, .tsv, .txt) a column ``label`` and perhaps a column ``name`` (``key`` calls the former otherwise), or a
        single column; an index of text holds names too. ``header``, ``separator`` and ``decimal`` are those of
        :func:`cfgraph.files.arrays.read_array`, ``large`` lifts the limits of :mod:`cfgraph.files.opened`. Raises an
        ``InputError`` for a file that cannot be read or holds none of these.
        """
        path, where = Path(path), str(path)
        kind = kind_of(path, what="labels", large=large)
        reading = Reading(key=key, header=header, separator=separator, decimal=decimal)
        if kind in ("npy", "npz"):
            reading.check(kind, path=path, what="labels")
            names, values = None, None
            if kind == "npz":
                values, names = read_named_array(path, what="labels", key=key, large=large)
            else:
                values = read_array(path, what="labels", large=large).values
            return cls._checked(values, names, where=where)
        read = read_named_table(path, what="labels", reading=replace(reading, key=key or LABEL), large=large)
        array, chosen = _labels_of(read, key=key, where=where)
        as_header = kind == "text" and chosen != (key or LABEL)
        hint = f" (the first line, {chosen!r}, was read as a header; --labels-header no reads it as a row)" if as_header else ""
        return cls._checked(array, read.names, where=where, hint=hint, notes=read.notes)

    @classmethod
    def _checked(
        cls,
        values: np.ndarray,
        names: Sequence[str] | None,
        *,
        where: str,
        hint: str = "",
        notes: tuple[str, ...] = (),
    ) -> "Labels":
        if values.ndim == 2 and values.shape[1] == 1:  # a column
            values = values[:, 0]
        if values.ndim != 1 or values.dtype.kind not in "iufbOUS":
            raise InputError(
                f"expected one label a row in {where}, got an array of shape {values.shape} and type {values.dtype}"
            )
        if values.dtype.kind == "f" and np.isnan(values).any():
            raise InputError(
                f"expected labels in {where}, got {int(np.isnan(values).sum())} that are not a number; leave them out"
            )
        return cls(values, None if names is None else tuple(names), hint, notes)


def _labels_of(read: NamedTable, *, key: str | None, where: str) -> tuple[np.ndarray, str]:
    """The column that holds labels, and what it is called."""
    table, others, wanted = read.columns, read.columns.column_names, key or LABEL
    chosen = wanted if wanted in others else others[0] if len(others) == 1 and key is None else None
    if chosen is None:
        raise InputError(f"expected a column {wanted!r} in {where}, got {listed(others) or 'none'}; name one with --key")
    column = table.column(chosen)
    lacking = _count_missing(column)
    if lacking:
        raise InputError(f"expected a label in every row of {where}, got {lacking} without one; leave those rows out")
    return _plain(column.to_pylist()), chosen


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
