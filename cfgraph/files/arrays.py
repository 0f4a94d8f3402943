"""Points from files: .npy, .npz, .csv and .parquet become one table of finite floats, a row a point.

:func:`read_array` gives what such a file holds as it is, for sources whose rows are no points: in its own type, without
copies of the whole.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from jaxtyping import Float

from cfgraph import defaults
from cfgraph.errors import InputError
from cfgraph.files.header import Header, check_header_asked, csv_rows, is_number, read_header
from cfgraph.files.index import index_note, schema_index
from cfgraph.files.npy import opened_archive, read_npy
from cfgraph.files.opened import OpenedFile, opened, suffix_of
from cfgraph.files.row_groups import check_groups
from cfgraph.files.sparse import check_sparse, dense_rows, holds_sparse, is_sparse, sparse_rows
from cfgraph.files.texts import check_cells

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet
    from scipy.sparse import csr_array

_TOO_LARGE = 1e100  # the square of a larger coordinate, summed, may not be a float
_BATCH_NUMBERS = 1 << 21  # of a .parquet that are decoded, or of a table that are hashed, at a time: 16 MB
_BUFFER_BYTES = 1 << 16  # of a .parquet that are read at a time
_CELL_BYTES = 40  # of a .csv while it is read, measured: a float in a column, in the rows, and while they are checked
_COUNTED_ROWS = 4  # fewer may count by chance


@dataclass(frozen=True, eq=False)
class PointTable:
    """Points as rows of finite floats, and what a reader should know of how they were read.

    ``raw_digest`` is that of the data which the rows were made of, where these are others.
    """

    values: Float[np.ndarray, "points dim"]
    notes: tuple[str, ...] = ()
    raw_digest: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the shape and the numbers, whatever file they came from."""
        if self.raw_digest is not None:
            return self.raw_digest
        found = hashlib.sha256(repr(tuple(int(size) for size in self.values.shape)).encode())
        step = max(1, _BATCH_NUMBERS // max(1, math.prod(self.values.shape[1:])))
        for start in range(0, len(self.values), step):  # a piece at a time: copies of all would be twice the table again
            piece = self.values[start : start + step] + 0.0  # + 0.0 makes -0.0 and 0.0 one
            found.update(np.ascontiguousarray(piece, dtype="<f8").tobytes())
        return found.hexdigest()


@dataclass(frozen=True, eq=False)
class RawArray:
    """An array as a file holds it; ``where`` is what errors call it, ``names`` are those of a .parquet's columns of numbers."""

    values: np.ndarray
    where: str
    names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def read_array(
    path: Path | str, *, what: str, key: str | None = None, columns: Sequence[str] | None = None, large: bool = False
) -> RawArray:
    """The array in a .npy, .npz or .parquet file, unchecked, of the type it was saved in (a .parquet: of floats).

    Sparse rows that SciPy saved come with their zeros written out, where these fit.
    ``what`` is what the rows are, in the plural, for errors. ``large`` lifts the limits of :mod:`cfgraph.files.opened`.

    Raises:
        InputError: for a file that is missing, empty, damaged, too large or of another form, and for gaps in a .parquet.
    """
    path = Path(path)
    suffix = suffix_of(path)
    suffixes = ", ".join(_RAW_READERS)
    if suffix not in _RAW_READERS:
        raise InputError(f"expected {what} in a file that ends in {suffixes}, got {path}")
    if key is not None and suffix != ".npz":
        raise InputError(f"a key picks an array of an .npz file, and {path} is none; leave --key out")
    if columns is not None and suffix != ".parquet":
        raise InputError(f"columns are picked of .parquet files, and {path} is none; leave --columns out")
    with opened(path, expected=expected_rows(what, suffixes), large=large) as file:
        return _RAW_READERS[suffix](file, what=what, key=key, columns=columns)


def read_arrays(path: Path | str, *, what: str, large: bool = False) -> dict[str, np.ndarray]:
    """All arrays of an .npz file by their names, as they are.

    Raises:
        InputError: for a file that is missing, empty, damaged, too large or no archive.
    """
    with opened(path, expected=expected_rows(what, ".npz"), large=large) as file, opened_archive(file) as archive:
        return archive.read_all()


def expected_rows(what: str, suffixes: str) -> str:
    """What errors say that a file should hold."""
    return f"{what}, a row each, in a file that ends in {suffixes}"


def read_points(
    path: Path | str,
    *,
    key: str | None = None,
    columns: Sequence[str] | None = None,
    header: str = defaults.HEADER_RULE,
    what: str = "points",
    large: bool = False,
) -> PointTable:
    """The points in a file, by its suffix; ``key`` picks an array of an .npz, ``columns`` those of a .csv or .parquet.

    ``header`` says whether the first line of a .csv is one: ``yes``, ``no``, or ``auto`` where that is to be found out. The
    index of a data frame is left out unless ``columns`` name it. ``what`` is what the rows are, in the plural, for errors.
    ``large`` lifts the limits of :mod:`cfgraph.files.opened`.

    Raises:
        InputError: for a file that is missing, empty, damaged, too large or of another form; cells that are no finite numbers.
    """
    path = Path(path)
    suffix = suffix_of(path)
    reader = _READERS.get(suffix)
    if reader is None:
        raise InputError(f"expected {what} in a file that ends in {', '.join(_READERS)}, got {path}")
    if key is not None and suffix != ".npz":
        raise InputError(f"a key picks an array of an .npz file, and {path} is none; leave --key out")
    if columns is not None and suffix not in (".csv", ".parquet"):
        raise InputError(f"columns are picked of .csv and .parquet files, and {path} is neither; leave --columns out")
    check_header_asked(header, path=path, what=what)
    with opened(path, expected=expected_rows(what, ", ".join(_READERS)), large=large) as file:
        return reader(file, what=what, key=key, columns=columns, header=header)


def check_points(array: Any, *, where: str) -> PointTable:
    """An array as a table of points: rows x columns, images flattened, sparse rows written out, every value finite.

    Raises:
        InputError: for an array of another shape or type, an empty one, NaN and infinities (with the first one's place).
    """
    if is_sparse(array):
        return PointTable(*_written_out(check_sparse(array, where=where), where=where))
    array = np.asarray(array)
    if array.dtype.kind not in "fiub":
        raise InputError(f"expected numbers in {where}, got an array of type {array.dtype}")
    if array.ndim < 2:
        raise InputError(f"expected rows x columns in {where}, a row a point, got an array of shape {array.shape}; reshape it")
    if array.size == 0:
        raise InputError(f"expected at least one point in {where}, got an empty array of shape {array.shape}")
    notes: tuple[str, ...] = ()
    if array.ndim > 2:
        notes = (f"each point is {' x '.join(map(str, array.shape[1:]))} values, flattened to {math.prod(array.shape[1:])}",)
    values = np.ascontiguousarray(array.reshape(len(array), -1), dtype=np.float64)
    _check_finite(values, where=where)
    return PointTable(values, notes)


def _written_out(rows: "csr_array", *, where: str, large: bool = False) -> tuple[np.ndarray, tuple[str, ...]]:
    values, note = dense_rows(rows, where=where, large=large)
    return values, (note,)


def _check_finite(values: Float[np.ndarray, "points dim"], *, where: str) -> None:
    fine = np.abs(values) <= _TOO_LARGE  # False for NaN
    if not fine.all():
        row, column = np.argwhere(~fine)[0].tolist()
        raise InputError(
            f"expected finite numbers of at most {_TOO_LARGE:g} in {where}, got {np.count_nonzero(~fine)} others, the first "
            f"{values[row, column]} in row {row}, column {column} (counted from 0); leave such rows out"
        )


def _raw_npy(file: OpenedFile, *, copied: bool = False, **_: Any) -> RawArray:
    return RawArray(read_npy(file, copied=copied), where=str(file.path))


def _raw_npz(file: OpenedFile, *, what: str, key: str | None, copied: bool = False, **_: Any) -> RawArray:
    with opened_archive(file) as archive:
        if key is None and holds_sparse(archive.names):
            where = f"the sparse rows of {file.path}"
            values, notes = _written_out(sparse_rows(archive), where=where, large=file.large)
            return RawArray(values, where=where, notes=notes)
        chosen = _choose_key(archive.names, key=key, path=file.path, what=what)
        return RawArray(archive.read(chosen, copied=copied), where=f"array {chosen!r} of {file.path}")


def _read_numpy(file: OpenedFile, *, what: str, key: str | None, **_: Any) -> PointTable:
    raw = _RAW_READERS[file.suffix](file, what=what, key=key, copied=True)
    table = check_points(raw.values, where=raw.where)
    return PointTable(table.values, (*raw.notes, *table.notes))


def _choose_key(names: Sequence[str], *, key: str | None, path: Path, what: str) -> str:
    if not names:
        raise InputError(f"{path} holds no array; expected one of {what}")
    if key is None and len(names) > 1:
        raise InputError(f"{path} holds {len(names)} arrays; say which with --key: {', '.join(names)}")
    if key is not None and key not in names:
        raise InputError(f"{path} holds no array {key!r}; it holds {', '.join(names)}")
    return names[0] if key is None else key


def _read_csv(file: OpenedFile, *, what: str, columns: Sequence[str] | None, header: str, **_: Any) -> PointTable:
    """Numbers between commas, below a header or without one."""
    check_cells(file, separator=",", cell_bytes=_CELL_BYTES)
    first, path = read_header(file, rule=header, what=what), file.path
    kept = [place for place in range(first.width) if place not in first.index]
    chosen = kept if columns is None else _positions(columns, names=first.calls, path=path)
    values = _parse_csv(file, first, chosen=chosen, what=what)
    if len(values) == 0:
        raise InputError(f"{path} holds a header and no {what}; expected a row of numbers for each")
    table = check_points(values, where=str(path))
    names = [first.calls[place] for place in chosen]
    left = index_note([first.calls[place] for place in first.index]) if columns is None else ()
    return PointTable(table.values, (*first.notes, *left, *_count_note(values, names, asked=columns is not None, what=what)))


def _count_note(values: np.ndarray, names: Sequence[str], *, asked: bool, what: str) -> tuple[str, ...]:
    """What is said where the first of several columns only counts the rows, and nobody asked for it."""
    rows = len(values)
    if asked or what == "merges" or rows < _COUNTED_ROWS or values.shape[1] < 2 or values.shape[1] != len(names):
        return ()
    if not any(np.array_equal(values[:, 0], np.arange(start, start + rows)) for start in (0, 1)):
        return ()
    return (f"column {names[0]!r} counts the rows and was read as values; if it is an index, {_other_columns(what)}",)


def _parse_csv(file: OpenedFile, header: Header, *, chosen: Sequence[int], what: str) -> Float[np.ndarray, "points columns"]:
    """The chosen columns as floats, by pyarrow; where it stumbles, or a value is not finite, the place is looked up."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [str(index) for index in range(header.width)]
    wanted = [names[index] for index in chosen]
    read = arrow_csv.ReadOptions(column_names=names, skip_rows=header.line)
    convert = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(wanted, pa.float64()), include_columns=wanted, null_values=[], strings_can_be_null=False
    )
    try:
        table = arrow_csv.read_csv(file.rewound(), read_options=read, convert_options=convert)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        if "Empty CSV" in str(error):
            return np.empty((0, len(chosen)))
        raise _csv_fault(file, header, chosen=chosen, otherwise=str(error), what=what) from None
    values = np.column_stack([column.to_numpy() for column in table.columns])
    if not np.isfinite(values).all():
        raise _csv_fault(file, header, chosen=chosen, otherwise="a value is not finite", what=what)
    return values


def _csv_fault(file: OpenedFile, header: Header, *, chosen: Sequence[int], otherwise: str, what: str) -> InputError:
    """The first row of another width, or the first chosen cell that is no finite number, as an error that says where."""
    rows, width, path = csv_rows(file), header.width, file.path
    if header.names is not None:
        next(rows)
    for line, row in rows:
        if len(row) != width:
            return InputError(f"expected {width} cells in every row of {path}, as in its first, got {len(row)} in line {line}")
        for column in chosen:
            if not is_number(row[column]) or not math.isfinite(float(row[column])):
                cell = row[column].strip()[:40]
                return InputError(
                    f"expected a finite number in {path}, got {cell!r} in line {line}, column {column + 1} (counted from 1); "
                    f"correct it, or {_other_columns(what)} (a header is a first line without any number)"
                )
    return InputError(f"{path} is not a table of numbers between commas: {' '.join(otherwise.split())[:200]}")


def _other_columns(what: str) -> str:
    """What helps against a column without numbers."""
    if what == "points":
        return "pick other columns with --columns"
    return "leave other columns out" + (", or call that of the names 'name'" if what == "embeddings" else "")


def _positions(columns: Sequence[str], *, names: Sequence[str], path: Path) -> list[int]:
    """Where the columns of some names stand; an InputError for a name that is not there, or is there twice."""
    for name in columns:
        if list(names).count(name) != 1:
            raise InputError(f"expected columns of {path} out of {', '.join(names)}, each once, got {name!r}")
    if len(set(columns)) != len(columns) or not columns:
        raise InputError(f"expected different columns of {path}, at least one, got {', '.join(columns) or 'none'}")
    return [list(names).index(name) for name in columns]


def _read_parquet(file: OpenedFile, *, what: str, columns: Sequence[str] | None, **_: Any) -> PointTable:
    raw = _raw_parquet(file, what=what, columns=columns)
    return PointTable(check_points(raw.values, where=raw.where).values, raw.notes)


def _raw_parquet(file: OpenedFile, *, what: str, columns: Sequence[str] | None, **_: Any) -> RawArray:
    """Columns of numbers, or a single column of lists of equal length; piece by piece into one array."""
    import pyarrow as pa
    from pyarrow import parquet

    path = file.path
    try:  # without a buffer of its own, which would be a second copy of it all
        with parquet.ParquetFile(file.rewound(), pre_buffer=False, buffer_size=_BUFFER_BYTES) as table:
            schema = table.schema_arrow
            names, notes = _parquet_columns(schema, columns=columns, path=path, what=what)
            check_groups(table, names, file=file)
            kinds = [schema.field(name).type for name in names]
            listed = any(map(_is_list, kinds))
            fill = _fill_by_rows if listed else _fill_by_columns
            values = fill(table, names=names, kind=_float_type(kinds), path=path)
    except MemoryError:  # which pyarrow's is too
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as .parquet: {' '.join(str(error).split())[:200]}") from None
    notes = (*notes, *_count_note(values, names, asked=columns is not None, what=what))
    return RawArray(values, where=str(path), names=None if listed else tuple(names), notes=notes)


def _fill_by_columns(file: "parquet.ParquetFile", *, names: list[str], kind: np.dtype, path: Path) -> np.ndarray:
    """Some columns of numbers as rows of floats; never holds more than the result and some columns."""
    values = np.empty((file.metadata.num_rows, len(names)), dtype=kind)
    step = max(1, _BATCH_NUMBERS // max(1, len(values)))
    for start in range(0, len(names), step):
        table = file.read(columns=names[start : start + step])
        for number, name in enumerate(table.column_names, start=start):
            column = table.column(name).combine_chunks()
            values[:, number] = _arrow_values(column, where=f"column {name!r} of {path}", first=0)[:, 0]
    return values


def _fill_by_rows(file: "parquet.ParquetFile", *, names: list[str], kind: np.dtype, path: Path) -> np.ndarray:
    """Some columns, of lists among them, as rows of floats; never holds more than the result and some rows."""
    values, filled = np.empty((file.metadata.num_rows, 0), dtype=kind), 0
    for batch in file.iter_batches(batch_size=_batch_rows(file), columns=names):
        columns = [(batch.column(name), f"column {name!r} of {path}") for name in names]
        block = np.column_stack([_arrow_values(column, where=where, first=filled) for column, where in columns])
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
    return max(1, _BATCH_NUMBERS * file.metadata.num_rows // max(1, numbers))


def _float_type(kinds: Sequence["pa.DataType"]) -> np.dtype:
    """The shortest float, but for half ones, that holds columns of these types exactly; long whole numbers are rounded."""
    from pyarrow import types

    single = [kind.value_type if _is_list(kind) else kind for kind in kinds]
    short = all(types.is_float16(kind) or types.is_float32(kind) for kind in single)
    return np.dtype(np.float32 if short else np.float64)


def _parquet_columns(
    schema: "pa.Schema", *, columns: Sequence[str] | None, path: Path, what: str
) -> tuple[list[str], tuple[str, ...]]:
    """The columns to read, and, where none were asked for, notes of an index and of those that hold no numbers."""
    numeric = [field.name for field in schema if _is_numeric(field.type)]
    lists = [field.name for field in schema if _is_list(field.type)]
    chosen, notes = (list(columns), ()) if columns is not None else _unasked(schema, numeric, lists, path=path, what=what)
    _positions(chosen, names=schema.names, path=path)
    for name in chosen:
        if name not in numeric and name not in lists:
            raise InputError(
                f"expected numbers in column {name!r} of {path}, got {schema.field(name).type}; {_other_columns(what)}"
            )
    return chosen, notes


def _unasked(
    schema: "pa.Schema", numeric: Sequence[str], lists: Sequence[str], *, path: Path, what: str
) -> tuple[list[str], tuple[str, ...]]:
    """All columns of numbers, or the one of lists, but for those of an index."""
    index = [schema.names[place] for place in schema_index(schema)]
    numeric, lists = ([name for name in names if name not in index] for names in (numeric, lists))
    if bool(numeric) == bool(lists) or len(lists) > 1:
        of_index = f", of which {', '.join(index)} are the index of a data frame" if index else ""
        raise InputError(
            f"expected columns of numbers, or a single one of lists of numbers, in {path}, got {_described(schema)}{of_index}; "
            f"{_other_columns(what)}"
        )
    chosen = numeric or lists
    left = [name for name in schema.names if name not in chosen and name not in index]
    others = (f"columns without numbers were left out: {', '.join(left)}",) if left else ()
    return chosen, (*index_note(index), *others)


def _described(schema: "pa.Schema") -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in schema) or "none"


def _is_numeric(kind: "pa.DataType") -> bool:
    from pyarrow import types

    return types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_boolean(kind)


def _is_list(kind: "pa.DataType") -> TypeGuard["pa.ListType | pa.LargeListType | pa.FixedSizeListType"]:
    from pyarrow import types

    return (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)) and _is_numeric(kind.value_type)


def _arrow_values(column: "pa.Array", *, where: str, first: int) -> Float[np.ndarray, "points values"]:
    """A column as floats, a row a point: one value each, or the values of its lists. ``first`` is the first row's number."""
    from pyarrow import compute

    _check_nulls(column, where=f"row {{}} (counted from 0) of {where}", first=first)
    if not _is_list(column.type):
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


_READERS: dict[str, Callable[..., PointTable]] = {
    ".npy": _read_numpy,
    ".npz": _read_numpy,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
_RAW_READERS: dict[str, Callable[..., RawArray]] = {".npy": _raw_npy, ".npz": _raw_npz, ".parquet": _raw_parquet}
