"""Named rows: files of embeddings or labels whose rows may have names: an array ``names`` of an .npz, a column ``name``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cfgraph.errors import InputError
from cfgraph.files.arrays import check_file, csv_header, read_arrays

if TYPE_CHECKING:
    import pyarrow as pa

NAMES = "names"  # the array of an .npz file that holds names
NAME = "name"  # the column of a table
TABLES = (".csv", ".tsv", ".parquet")


def read_named_array(path: Path, *, what: str, key: str | None = None) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """The array ``key`` of an .npz file (not needed where there is one beside ``names``), and the names if it has some.

    Raises:
        InputError: for a file that is missing or damaged, and for none or several arrays beside ``names`` without a key.
    """
    arrays = read_arrays(path, what=what)
    names = arrays.pop(NAMES, None) if key != NAMES else None
    if key is None and len(arrays) != 1:
        told = f"{', '.join(arrays)}; keep one of them" if arrays else f"none; save the {what} in it"
        raise InputError(f"expected one array beside {NAMES!r} in {path}, got {told}")
    if key is not None and key not in arrays:
        raise InputError(f"{path} holds no array {key!r}; it holds {', '.join(arrays) or 'none'}")
    return arrays[key or next(iter(arrays))], None if names is None else tuple(map(str, names.ravel().tolist()))


def read_named_table(path: Path, *, what: str, columns: list[str] | None = None) -> "pa.Table":
    """The columns of a .csv, .tsv or .parquet file (all unless given), names as text.

    Raises:
        InputError: for a file that is missing, empty or damaged, columns of one name, and names that are missing.
    """
    check_file(path, what=what, suffixes=", ".join(TABLES))
    with _explaining(path, what=what):
        table = _read_parquet(path, columns) if path.suffix.lower() == ".parquet" else _read_text(path, columns)
    doubled = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if doubled:
        raise InputError(f"expected columns of different names in {path}, got several called {', '.join(doubled)}")
    if NAME in table.column_names and (lacking := table.column(NAME).null_count):
        raise InputError(f"expected a name in every row of {path}, got {lacking} without one; leave those rows out")
    return table


def table_header(path: Path, *, what: str) -> list[str] | None:
    """The names of the columns of a .csv or .parquet file; None where a .csv has no header."""
    check_file(path, what=what, suffixes=", ".join(TABLES))
    if path.suffix.lower() != ".parquet":
        return csv_header(path)[0]
    from pyarrow import parquet

    with _explaining(path, what=what):
        return parquet.read_schema(path).names


@contextmanager
def _explaining(path: Path, *, what: str) -> Iterator[None]:
    """What pyarrow says of a damaged file, in a line of plain characters."""
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        told = " ".join(str(error).encode("ascii", "replace").decode().split())[:200]
        raise InputError(f"{path} is no table of {what}: {told}") from None


def _read_parquet(path: Path, columns: list[str] | None) -> "pa.Table":
    from pyarrow import parquet

    return parquet.read_table(path, columns=columns)


def _read_text(path: Path, columns: list[str] | None) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import csv

    parse = csv.ParseOptions(delimiter="\t" if path.suffix.lower() == ".tsv" else ",", newlines_in_values=True)
    return csv.read_csv(
        path, parse_options=parse, convert_options=csv.ConvertOptions(include_columns=columns, column_types={NAME: pa.string()})
    )


def names_in(table: "pa.Table") -> tuple[str, ...] | None:
    """The names in a table, where it has some."""
    return tuple(map(str, table.column(NAME).to_pylist())) if NAME in table.column_names else None
