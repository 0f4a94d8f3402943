"""Named rows: files of embeddings or labels whose rows may have names: an array ``names`` of an .npz, a column ``name``."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cfgraph.errors import InputError
from cfgraph.files.arrays import Reading, read_arrays
from cfgraph.files.columns import feather_table
from cfgraph.files.dialect import Dialect, TextTable, find_table
from cfgraph.files.header import NAME, Header, read_header
from cfgraph.files.index import index_note, listed, schema_index, unnamed_index
from cfgraph.files.kinds import SUFFIXES, expected_rows, table_kind
from cfgraph.files.opened import OpenedFile, opened
from cfgraph.files.row_groups import read_columns
from cfgraph.files.texts import check_cells

if TYPE_CHECKING:
    import pyarrow as pa

NAMES = "names"  # the array of an .npz file that holds names
_LOOKED_AT = 10_000  # rows that tell whether the first is a header
_NAMED_WIDTH = 2  # columns of a table without a header that has names
_EXACT = 2.0**53  # from here on a float may stand for several whole numbers
_OBJECT_TIMES = 2  # names and labels become Python's objects
_CELL_BYTES = 80  # of a table of text, measured: in a column, and as an object


def read_named_array(
    path: Path, *, what: str, key: str | None = None, large: bool = False
) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """The array ``key`` of an .npz file (not needed where there is one beside ``names``), and the names if it has some.

    Raises:
        InputError: for a file that is missing or damaged, and for none or several arrays beside ``names`` without a key.
    """
    arrays = read_arrays(path, what=what, large=large)
    names = arrays.pop(NAMES, None) if key != NAMES else None
    if key is None and len(arrays) != 1:
        found = f"{', '.join(arrays)}; keep one of them" if arrays else f"none; save the {what} in it"
        raise InputError(f"expected one array beside {NAMES!r} in {path}, got {found}")
    if key is not None and key not in arrays:
        raise InputError(f"{path} holds no array {key!r}; it holds {', '.join(arrays) or 'none'}")
    return arrays[key or next(iter(arrays))], None if names is None else tuple(map(str, names.ravel().tolist()))


@dataclass(frozen=True, eq=False)
class NamedTable:
    """The columns of a table that hold values, and the names of its rows where it has some."""

    columns: "pa.Table"
    names: tuple[str, ...] | None
    notes: tuple[str, ...] = ()


def read_named_table(path: Path, *, what: str, reading: Reading, large: bool = False) -> NamedTable:
    """The columns of a table, their names as text; one of text begins with a header unless ``reading`` says that it has none.

    The column ``name`` holds the rows' names, else an index of text does. Other columns of a data frame's index are left out,
    with a note, but for one that the ``key`` of ``reading`` calls. Without a header a column holds values, and of two the first
    holds names.

    Raises:
        InputError: for a file that is missing, empty or damaged, columns of one name, and names that are missing.
    """
    with opened(path, expected=expected_rows(what, SUFFIXES), large=large) as file:
        kind, notes = table_kind(file, what=what)
        dialect = replace(reading, key=None).check(kind, path=path, what=what)
        if kind == "text":
            table, told = _read_words(file, what=what, reading=reading, dialect=dialect)
            found, notes = unnamed_index(table.column_names), (*notes, *told)
        else:
            table = _read_table(file, kind=kind, what=what)
            found = schema_index(table.schema)
    return named_columns(table, index=found, key=reading.key, where=str(path), notes=notes)


def named_columns(
    table: "pa.Table", *, index: Sequence[int], key: str | None, where: str, notes: tuple[str, ...] = ()
) -> NamedTable:
    """The columns of a table that hold values, and its rows' names, as :func:`read_named_table` tells them apart."""
    left = [place for place in index if table.column_names[place] not in (NAME, key)]
    values = table.select([place for place in range(table.num_columns) if place not in left])
    doubled = sorted({name for name in values.column_names if values.column_names.count(name) > 1})
    if doubled:
        raise InputError(f"expected columns of different names in {where}, got several called {listed(doubled)}")
    names, told = _row_names(values, table.select(left), where=where)
    columns = values.drop_columns([NAME]) if NAME in values.column_names else values
    return NamedTable(columns, names, (*notes, *told))


@dataclass(frozen=True)
class RowNames:
    """The names of a table's rows, None where it has none, and the other columns that are no index."""

    names: tuple[str, ...] | None = None
    others: tuple[str, ...] | None = None  # None where there are no names, so that nothing is picked
    notes: tuple[str, ...] = ()


def read_row_names(path: Path, *, what: str, reading: Reading, large: bool = False) -> RowNames:
    """The names of a table's rows, and nothing else of it: the column ``name``, else an index of text.

    Raises:
        InputError: as :func:`read_named_table`.
    """
    with opened(path, expected=expected_rows(what, SUFFIXES), large=large) as file:
        kind, _ = table_kind(file, what=what)
        dialect = reading.check(kind, path=path, what=what)
        if kind == "text":
            text = find_table(file, what=what, asked=dialect)
            header = read_header(text, rule=reading.header, what=what)
            called, found = list(header.names or ()), list(header.index)
        else:
            text, header = None, None
            called, found = _schema_calls(file, kind=kind, what=what)
        index = [called[place] for place in found if called[place] != NAME]
        wanted = [NAME] if NAME in called else index if len(index) == 1 else []
        if not wanted:
            return RowNames()
        if text is not None and header is not None:
            with _explaining(file, what=what):
                table = _read_text(text, header, wanted)
        else:
            table = _read_table(file, wanted, kind=kind, what=what)
    if NAME not in called and not _is_text(table.column(0).type):
        return RowNames()  # row numbers: whoever reads the values tells that they are left out
    others = tuple(name for name in called if name != NAME and name not in index)
    return RowNames(_texts(table.column(0), where=str(path)), others, index_note(index) if NAME in called else ())


def _schema_calls(file: OpenedFile, *, kind: str, what: str) -> tuple[list[str], list[int]]:
    """What the columns of a table of Arrow's are called, and where those of an index stand."""
    from pyarrow import parquet

    if kind == "feather":
        schema = feather_table(file).schema
    else:
        with _explaining(file, what=what):
            schema = parquet.read_schema(file.rewound())
    return schema.names, list(schema_index(schema))


def _row_names(values: "pa.Table", index: "pa.Table", *, where: str) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """The names in the column ``name``, else in an index of one column of text; and a note of an index that is not used."""
    if NAME in values.column_names:
        return _texts(values.column(NAME), where=where), index_note(index.column_names)
    if index.num_columns == 1 and _is_text(index.column(0).type):
        return _texts(index.column(0), where=where), ()
    return None, index_note(index.column_names)


def _texts(column: "pa.ChunkedArray", *, where: str) -> tuple[str, ...]:
    if lacking := column.null_count:
        raise InputError(f"expected a name in every row of {where}, got {lacking} without one; leave those rows out")
    return tuple(map(str, column.to_pylist()))


def _is_text(kind: "pa.DataType") -> bool:
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


@contextmanager
def _explaining(file: OpenedFile, *, what: str) -> Iterator[None]:
    """What pyarrow says of a damaged file, in a line of plain characters."""
    import pyarrow as pa

    try:
        yield
    except MemoryError:  # which pyarrow's is too
        raise
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        message = " ".join(str(error).encode("ascii", "replace").decode().split())[:200]
        raise InputError(f"{file.path} is no table of {what}: {message}") from None


def _read_table(file: OpenedFile, columns: list[str] | None = None, *, kind: str, what: str) -> "pa.Table":
    if kind == "feather":
        table = feather_table(file)
        return table if columns is None else table.select(columns)
    with _explaining(file, what=what):
        return read_columns(file, columns, times=_OBJECT_TIMES)


def _read_words(file: OpenedFile, *, what: str, reading: Reading, dialect: Dialect) -> tuple["pa.Table", tuple[str, ...]]:
    """A table of text whose cells may be words, and what is said of how it was read."""
    text = find_table(file, what=what, asked=dialect, words=True)
    header, notes = _find_header(text, what=what, reading=reading)
    if reading.columns is not None:
        header = replace(header, index=())
    with _explaining(file, what=what):
        table = _read_text(text, header, None)
        if what == "labels" and (rounded := _rounded(table)):
            table = _read_text(text, header, None, as_text=rounded)
        return table, (*text.notes, *notes)


def _rounded(table: "pa.Table") -> list[str]:
    """The columns of whole numbers beyond those that floats tell apart, which were read as floats all the same."""
    from pyarrow import compute, types

    floats = [name for name, kind in zip(table.column_names, table.schema.types, strict=True) if types.is_floating(kind)]
    most = {name: compute.max(compute.abs(table.column(name))).as_py() or 0.0 for name in floats}
    return [name for name, value in most.items() if _EXACT <= value < math.inf]


def _find_header(text: TextTable, *, what: str, reading: Reading) -> tuple[Header, tuple[str, ...]]:
    """A header, unless it is told that there is none, or a single column shows it: numbers alone, or words that return."""
    rule, column = reading.header, list[str]()
    if rule == "auto":
        column = [row[0].strip() for _, row in islice(text.rows(), _LOOKED_AT) if len(row) == 1]
        again = bool(column) and (column[0] in column[1:] or all(map(text.is_number, column)))
        rule = "no" if again and column[0] not in (reading.key, NAME, what.removesuffix("s")) else "yes"
    header = read_header(text, rule=rule, what=what)
    if rule == "yes":
        return header, ()
    if header.width > _NAMED_WIDTH:
        raise InputError(
            f"expected {what}, or names and {what}, in {text.file.path} without a header, got {header.width} columns"
        )
    names = ([NAME] if header.width == _NAMED_WIDTH else []) + [reading.key or what.removesuffix("s")]
    told = (f"the first line, {column[0][:40]!r}, was read as a row, since it looks like the others",) if column else ()
    return replace(header, names=tuple(names)), told


def _read_text(text: TextTable, header: Header, columns: list[str] | None, *, as_text: Sequence[str] = ()) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import csv

    check_cells(text.file, separator=text.separator, cell_bytes=_CELL_BYTES)
    return csv.read_csv(
        text.file.rewound(),
        read_options=csv.ReadOptions(column_names=None if header.names is None else list(header.names), skip_rows=header.line),
        parse_options=csv.ParseOptions(delimiter=text.separator, newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            include_columns=columns, column_types=dict.fromkeys((NAME, *as_text), pa.string()), decimal_point=text.decimal
        ),
    )
