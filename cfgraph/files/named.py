"""Named rows: files of embeddings or labels whose rows may have names: an array ``names`` of an .npz, a column ``name``."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cfgraph import defaults
from cfgraph.errors import InputError
from cfgraph.files.arrays import expected_rows, read_arrays
from cfgraph.files.header import NAME, read_header
from cfgraph.files.index import index_note, schema_index, unnamed_index
from cfgraph.files.opened import OpenedFile, opened
from cfgraph.files.row_groups import read_columns
from cfgraph.files.texts import check_cells

if TYPE_CHECKING:
    import pyarrow as pa

NAMES = "names"  # the array of an .npz file that holds names
TABLES = (".csv", ".tsv", ".parquet")
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


def read_named_table(path: Path, *, what: str, key: str | None = None, large: bool = False) -> NamedTable:
    """The columns of a .csv, .tsv or .parquet file, their names as text; a .csv begins with a header.

    The column ``name`` holds the rows' names, else an index of text does. Other columns of a data frame's index are left out,
    with a note, but for one that is called ``key``.

    Raises:
        InputError: for a file that is missing, empty or damaged, columns of one name, and names that are missing.
    """
    with opened(path, expected=expected_rows(what, ", ".join(TABLES)), large=large) as file:
        table = _read_table(file, what=what)
    found = schema_index(table.schema) if file.suffix == ".parquet" else unnamed_index(table.column_names)
    index = [place for place in found if table.column_names[place] not in (NAME, key)]
    values = table.select([place for place in range(table.num_columns) if place not in index])
    doubled = sorted({name for name in values.column_names if values.column_names.count(name) > 1})
    if doubled:
        raise InputError(f"expected columns of different names in {path}, got several called {', '.join(doubled)}")
    names, notes = _row_names(values, table.select(index), path=path)
    return NamedTable(values.drop_columns([NAME]) if NAME in values.column_names else values, names, notes)


@dataclass(frozen=True)
class RowNames:
    """The names of a table's rows, None where it has none, and the other columns that are no index."""

    names: tuple[str, ...] | None = None
    others: tuple[str, ...] | None = None  # None where there are no names, so that nothing is picked
    notes: tuple[str, ...] = ()


def read_row_names(path: Path, *, what: str, header: str = defaults.HEADER_RULE, large: bool = False) -> RowNames:
    """The names of a table's rows, and nothing else of it: the column ``name``, else an index of text.

    Raises:
        InputError: as :func:`read_named_table`.
    """
    with opened(path, expected=expected_rows(what, ", ".join(TABLES)), large=large) as file:
        return _row_names_of(file, what=what, header=header)


def _row_names_of(file: OpenedFile, *, what: str, header: str) -> RowNames:
    is_parquet = file.suffix == ".parquet"
    called, found = _parquet_calls(file, what=what) if is_parquet else _text_calls(file, what=what, header=header)
    index = [called[place] for place in found if called[place] != NAME]
    wanted = [NAME] if NAME in called else index if len(index) == 1 else []
    if not wanted:
        return RowNames()
    table = _read_table(file, wanted, what=what)
    if NAME not in called and not _is_text(table.column(0).type):
        return RowNames()  # row numbers: whoever reads the values tells that they are left out
    others = tuple(name for name in called if name != NAME and name not in index)
    return RowNames(_texts(table.column(0), path=file.path), others, index_note(index) if NAME in called else ())


def _parquet_calls(file: OpenedFile, *, what: str) -> tuple[Sequence[str], Sequence[int]]:
    """What the columns of a .parquet are called, and where those of an index stand."""
    from pyarrow import parquet

    with _explaining(file, what=what):
        schema = parquet.read_schema(file.rewound())
    return schema.names, schema_index(schema)


def _text_calls(file: OpenedFile, *, what: str, header: str) -> tuple[Sequence[str], Sequence[int]]:
    """The same of a .csv; nothing where it has no header."""
    first = read_header(file, rule=header, what=what)
    return first.names or (), first.index


def _row_names(values: "pa.Table", index: "pa.Table", *, path: Path) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """The names in the column ``name``, else in an index of one column of text; and a note of an index that is not used."""
    if NAME in values.column_names:
        return _texts(values.column(NAME), path=path), index_note(index.column_names)
    if index.num_columns == 1 and _is_text(index.column(0).type):
        return _texts(index.column(0), path=path), ()
    return None, index_note(index.column_names)


def _texts(column: "pa.ChunkedArray", *, path: Path) -> tuple[str, ...]:
    if lacking := column.null_count:
        raise InputError(f"expected a name in every row of {path}, got {lacking} without one; leave those rows out")
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


def _read_table(file: OpenedFile, columns: list[str] | None = None, *, what: str) -> "pa.Table":
    with _explaining(file, what=what):
        if file.suffix == ".parquet":
            return read_columns(file, columns, times=_OBJECT_TIMES)
        return _read_text(file, columns, what=what)


def _read_text(file: OpenedFile, columns: list[str] | None = None, *, what: str) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import csv

    separator = "\t" if file.suffix == ".tsv" else ","
    check_cells(file, separator=separator, cell_bytes=_CELL_BYTES)
    header = read_header(file, rule="yes", what=what, separator=separator)
    return csv.read_csv(
        file.rewound(),
        read_options=csv.ReadOptions(column_names=None if header.names is None else list(header.names), skip_rows=header.line),
        parse_options=csv.ParseOptions(delimiter=separator, newlines_in_values=True),
        convert_options=csv.ConvertOptions(include_columns=columns, column_types={NAME: pa.string()}),
    )
