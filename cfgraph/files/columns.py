"""Columns: those of a table of Arrow's, of a .parquet or Feather file, or of a data frame, as rows of floats.

Columns of numbers, or one of lists of equal length; the index of a data frame is left out, with a note.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.files.dialect import option
from cfgraph.files.index import index_note, listed, schema_index
from cfgraph.files.opened import OpenedFile
from cfgraph.files.row_groups import check_groups

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet

BATCH_NUMBERS = 1 << 21  # of a .parquet that are decoded at a time: 16 MB
_BUFFER_BYTES = 1 << 16  # of a .parquet that are read at a time
_COUNTED_ROWS = 4  # fewer may count, or be whole, by chance
_LOOKED_AT = 1000  # rows that tell which columns may hold whole numbers alone
_SHOWN = 5
_DESCRIBED = 12
_EXPORTED = {"address", "parent", "slot", "level"}  # columns of an export of cfgraph's


@dataclass(frozen=True, eq=False)
class RawArray:
    """An array as a file holds it; ``where`` is what errors call it, ``names`` are those of a .parquet's columns of numbers."""

    values: np.ndarray
    where: str
    names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def read_parquet(file: OpenedFile, *, what: str, columns: Sequence[str] | None) -> RawArray:
    """Columns of numbers, or a single column of lists of equal length; piece by piece into one array."""
    import pyarrow as pa
    from pyarrow import parquet

    path = file.path
    try:  # without a buffer of its own, which would be a second copy of it all
        with parquet.ParquetFile(file.rewound(), pre_buffer=False, buffer_size=_BUFFER_BYTES) as table:
            schema = table.schema_arrow
            names, notes = parquet_columns(schema, columns=columns, path=path, what=what)
            check_groups(table, names, file=file)
            kinds = [schema.field(name).type for name in names]
            listed = any(map(is_list, kinds))
            fill = _fill_by_rows if listed else _fill_by_columns
            values = fill(table, names=names, kind=_float_type(kinds), path=path)
    except MemoryError:  # which pyarrow's is too
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as .parquet: {' '.join(str(error).split())[:200]}") from None
    notes = (*notes, *index_notes(values, names, asked=columns is not None, what=what))
    return RawArray(values, where=str(path), names=None if listed else tuple(names), notes=notes)


def read_feather(file: OpenedFile, *, what: str, columns: Sequence[str] | None) -> RawArray:
    """The same of a Feather file, or one of Arrow's."""
    return of_table(feather_table(file), where=str(file.path), what=what, columns=columns)


def feather_table(file: OpenedFile) -> "pa.Table":
    """The table in a Feather file, checked: what it says of its values is held against what it holds.

    Raises:
        InputError: for a damaged file, and one that does not fit.
    """
    import pyarrow as pa
    from pyarrow import feather

    file.check_fits(file.size)
    try:
        table = feather.read_table(file.rewound(), memory_map=False)
        file.check_fits(2 * table.nbytes)
        table.validate(full=True)
    except MemoryError:  # which pyarrow's is too
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError, ValueError, OverflowError) as error:
        raise InputError(f"{file.path} cannot be read as Feather: {' '.join(str(error).split())[:200]}") from None
    return table


def of_table(table: "pa.Table", *, where: str, what: str, columns: Sequence[str] | None) -> RawArray:
    """The same of a table in memory."""
    schema, path = table.schema, Path(where)
    names, notes = parquet_columns(schema, columns=columns, path=path, what=what)
    kinds = [schema.field(name).type for name in names]
    listed, kind = any(map(is_list, kinds)), _float_type(kinds)
    parts = [arrow_values(table.column(name).combine_chunks(), where=f"column {name!r} of {where}", first=0) for name in names]
    if listed:
        values = np.column_stack(parts).astype(kind, copy=False)
    else:
        values = np.empty((table.num_rows, len(names)), dtype=kind)
        for number, part in enumerate(parts):
            values[:, number] = part[:, 0]
    told = index_notes(values, names, asked=columns is not None, what=what)
    return RawArray(values, where=where, names=None if listed else tuple(names), notes=(*notes, *told))


def _fill_by_columns(file: "parquet.ParquetFile", *, names: list[str], kind: np.dtype, path: Path) -> np.ndarray:
    """Some columns of numbers as rows of floats; never holds more than the result and some columns."""
    values = np.empty((file.metadata.num_rows, len(names)), dtype=kind)
    step = max(1, BATCH_NUMBERS // max(1, len(values)))
    for start in range(0, len(names), step):
        table = file.read(columns=names[start : start + step])
        for number, name in enumerate(table.column_names, start=start):
            column = table.column(name).combine_chunks()
            values[:, number] = arrow_values(column, where=f"column {name!r} of {path}", first=0)[:, 0]
    return values


def _fill_by_rows(file: "parquet.ParquetFile", *, names: list[str], kind: np.dtype, path: Path) -> np.ndarray:
    """Some columns, of lists among them, as rows of floats; never holds more than the result and some rows."""
    values, filled = np.empty((file.metadata.num_rows, 0), dtype=kind), 0
    for batch in file.iter_batches(batch_size=_batch_rows(file), columns=names):
        columns = [(batch.column(name), f"column {name!r} of {path}") for name in names]
        block = np.column_stack([arrow_values(column, where=where, first=filled) for column, where in columns])
        if filled == 0:
            values = np.empty((len(values), block.shape[1]), dtype=kind)
        elif block.shape[1] != values.shape[1]:
            raise InputError(
                f"expected lists of equal length in {path}, got {values.shape[1]} values in row 0 and {block.shape[1]} in row "
                f"{filled}"
            )
        values[filled : filled + len(block)] = block
        filled += len(block)
    return values


def _batch_rows(file: "parquet.ParquetFile") -> int:
    """So many rows that they hold some millions of numbers, as far as the file tells how many there are."""
    groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    numbers = sum(group.column(number).num_values for group in groups for number in range(group.num_columns))
    return max(1, BATCH_NUMBERS * file.metadata.num_rows // max(1, numbers))


def _float_type(kinds: Sequence["pa.DataType"]) -> np.dtype:
    """The shortest float, but for half ones, that holds columns of these types exactly; long whole numbers are rounded."""
    from pyarrow import types

    single = [kind.value_type if is_list(kind) else kind for kind in kinds]
    short = all(types.is_float16(kind) or types.is_float32(kind) for kind in single)
    return np.dtype(np.float32 if short else np.float64)


def parquet_columns(
    schema: "pa.Schema", *, columns: Sequence[str] | None, path: Path, what: str
) -> tuple[list[str], tuple[str, ...]]:
    """The columns to read, and, where none were asked for, notes of an index and of those that hold no numbers."""
    numeric = [field.name for field in schema if _is_numeric(field.type)]
    lists = [field.name for field in schema if is_list(field.type)]
    chosen, notes = (list(columns), ()) if columns is not None else _unasked(schema, numeric, lists, path=path, what=what)
    positions_of(chosen, names=schema.names, path=path)
    for name in chosen:
        if name not in numeric and name not in lists:
            raise InputError(
                f"expected numbers in column {name!r} of {path}, got {schema.field(name).type}; {other_columns(what)}"
            )
    return chosen, notes


def _unasked(
    schema: "pa.Schema", numeric: Sequence[str], lists: Sequence[str], *, path: Path, what: str
) -> tuple[list[str], tuple[str, ...]]:
    """All columns of numbers, or the one of lists, but for those of an index."""
    index = [schema.names[place] for place in schema_index(schema)]
    numeric, lists = ([name for name in names if name not in index] for names in (numeric, lists))
    if bool(numeric) == bool(lists) or len(lists) > 1:
        if set(schema.names) >= _EXPORTED:
            raise InputError(f"expected {what}, and {path} is an export of cfgraph's; `cfgraph ingest parquet FILE` reads it")
        of_index = f", of which {listed(index)} are the index of a data frame" if index else ""
        raise InputError(
            f"expected columns of numbers, or a single one of lists of numbers, in {path}, got {_described(schema)}{of_index}; "
            f"{other_columns(what)}"
        )
    chosen = numeric or lists
    left = [name for name in schema.names if name not in chosen and name not in index]
    others = (f"columns without numbers were left out: {listed(left)}",) if left else ()
    return chosen, (*index_note(index), *others)


def _described(schema: "pa.Schema") -> str:
    return listed([f"{field.name} ({field.type})" for field in schema], most=_DESCRIBED) or "none"


def _is_numeric(kind: "pa.DataType") -> bool:
    from pyarrow import types

    return types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_boolean(kind)


def is_list(kind: "pa.DataType") -> TypeGuard["pa.ListType | pa.LargeListType | pa.FixedSizeListType"]:
    """Whether a column is of lists of numbers."""
    from pyarrow import types

    return (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)) and _is_numeric(kind.value_type)


def arrow_values(column: "pa.Array", *, where: str, first: int) -> Float[np.ndarray, "points values"]:
    """A column as floats, a row a point: one value each, or the values of its lists. ``first`` is the first row's number."""
    from pyarrow import compute

    _check_nulls(column, where=f"row {{}} (counted from 0) of {where}", first=first)
    if not is_list(column.type):
        return _as_floats(column)[:, None]
    length = compute.list_value_length(column).to_numpy()
    if len(column) and (length != length[0]).any():
        row = int(np.flatnonzero(length != length[0])[0])
        raise InputError(
            f"expected lists of equal length in {where}, got {length[0]} values in row {first} and {length[row]} in row "
            f"{first + row}"
        )
    values = compute.list_flatten(column)
    before = first * int(length[0]) if len(column) else 0
    _check_nulls(values, where=f"value {{}} (counted from 0 through the lists) of {where}", first=before)
    return _as_floats(values).reshape(len(column), int(length[0]) if len(column) else 0)


def _check_nulls(column: "pa.Array", *, where: str, first: int) -> None:
    if column.null_count:
        place = first + int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        raise InputError(
            f"expected numbers without gaps, got a missing value in {where.format(place)}; fill it or leave it out"
        )


def _as_floats(column: "pa.Array") -> Float[np.ndarray, " values"]:
    import pyarrow as pa

    return column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def index_notes(values: np.ndarray, names: Sequence[str], *, asked: bool, what: str) -> tuple[str, ...]:
    """What is said of columns that may be no values, where nobody asked for them: one that counts rows, whole numbers."""
    if asked or what == "merges" or len(values) < _COUNTED_ROWS or values.shape[1] < 2 or values.shape[1] != len(names):
        return ()
    return _count_note(values, names, what=what) or _whole_note(values, names, what=what)


def _count_note(values: np.ndarray, names: Sequence[str], *, what: str) -> tuple[str, ...]:
    """What is said where the first of several columns only counts the rows."""
    if not any(np.array_equal(values[:, 0], np.arange(start, start + len(values))) for start in (0, 1)):
        return ()
    return (f"column {names[0]!r} counts the rows and was read as values; if it is an index, {other_columns(what)}",)


def whole_columns(values: np.ndarray, names: Sequence[str]) -> list[str]:
    """The columns of whole numbers, such as labels and ids, beside others that hold fractions."""
    if len(values) < _COUNTED_ROWS or values.ndim != 2 or values.shape[1] != len(names):
        return []
    first = values[:_LOOKED_AT]
    with np.errstate(invalid="ignore"):
        likely = np.flatnonzero(np.isfinite(first).all(axis=0) & (first == np.floor(first)).all(axis=0))
        if len(likely) == len(names) or len(likely) > len(names) // 2:
            return []  # counts, or measured in whole numbers
        found = [place for place in likely.tolist() if (values[:, place] == np.floor(values[:, place])).all()]
    return [names[place] for place in found if (values[:, place] != values[0, place]).any()]  # constant ones tell nothing


def _whole_note(values: np.ndarray, names: Sequence[str], *, what: str) -> tuple[str, ...]:
    whole = whole_columns(values, names)
    if not whole or what == "logits":  # which asks
        return ()
    several = len(whole) > 1
    shown = ", ".join(map(repr, whole[:_SHOWN])) + (", ..." if len(whole) > _SHOWN else "")
    return (
        f"column{'s' if several else ''} {shown} hold{'' if several else 's'} whole numbers beside columns of fractions and "
        f"{'were' if several else 'was'} read as values; if they are labels or ids, {other_columns(what)}",
    )


def columns_option(what: str) -> str:
    """The option of the command line that picks columns."""
    return option("columns", what=what)


def other_columns(what: str) -> str:
    """What helps against a column that holds no values."""
    return f"pick other columns with {columns_option(what)}" + (
        ", or call that of the names 'name'" if what == "embeddings" else ""
    )


def positions_of(columns: Sequence[str], *, names: Sequence[str], path: Path) -> list[int]:
    """Where the columns of some names stand; an InputError for a name that is not there, or is there twice."""
    for name in columns:
        if list(names).count(name) != 1:
            raise InputError(f"expected columns of {path} out of {listed(names)}, each once, got {name!r}")
    if len(set(columns)) != len(columns) or not columns:
        raise InputError(f"expected different columns of {path}, at least one, got {listed(columns) or 'none'}")
    return [list(names).index(name) for name in columns]
