"""Points from files: .npy, .npz, .csv and .parquet become one table of finite floats, a row a point."""

import csv
import hashlib
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

_TOO_LARGE = 1e100  # the square of a larger coordinate, summed, may not be a float


@dataclass(frozen=True, eq=False)
class PointTable:
    """Points as rows of finite floats, and what a reader should know of how they were read."""

    values: Float[np.ndarray, "points dim"]
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the shape and the numbers, whatever file they came from."""
        numbers = np.ascontiguousarray(self.values + 0.0, dtype="<f8")  # + 0.0 makes -0.0 and 0.0 one
        return hashlib.sha256(repr(numbers.shape).encode() + numbers.tobytes()).hexdigest()


def read_points(path: Path | str, *, key: str | None = None, columns: Sequence[str] | None = None) -> PointTable:
    """The points in a file, by its suffix; ``key`` picks an array of an .npz, ``columns`` those of a .csv or .parquet.

    Raises:
        InputError: for a file that is missing, empty, damaged or of another form; cells that are no finite numbers.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"expected points in a file that ends in {', '.join(_READERS)}, got {path}")
    if key is not None and path.suffix.lower() != ".npz":
        raise InputError(f"a key picks an array of an .npz file, and {path} is none; leave --key out")
    if columns is not None and path.suffix.lower() not in (".csv", ".parquet"):
        raise InputError(f"columns are picked of .csv and .parquet files, and {path} is neither; leave --columns out")
    _check_file(path)
    return reader(path, key=key, columns=columns)


def check_points(array: Any, *, where: str) -> PointTable:
    """An array as a table of points: rows x columns, images flattened, every value finite.

    Raises:
        InputError: for an array of another shape or type, an empty one, NaN and infinities (with the first one's place).
    """
    array = np.asarray(array)
    if array.dtype.kind not in "fiub":
        raise InputError(f"expected numbers in {where}, got an array of type {array.dtype}")
    if array.ndim < 2:
        raise InputError(f"expected rows x columns in {where}, a row a point, got an array of shape {array.shape}; reshape it")
    if array.size == 0:
        raise InputError(f"expected at least one point in {where}, got an empty array of shape {array.shape}")
    notes = ()
    if array.ndim > 2:
        notes = (f"each point is {' x '.join(map(str, array.shape[1:]))} values, flattened to {math.prod(array.shape[1:])}",)
    values = np.ascontiguousarray(array.reshape(len(array), -1), dtype=np.float64)
    _check_finite(values, where=where)
    return PointTable(values, notes)


def _check_finite(values: Float[np.ndarray, "points dim"], *, where: str) -> None:
    fine = np.abs(values) <= _TOO_LARGE  # False for NaN
    if not fine.all():
        row, column = np.argwhere(~fine)[0].tolist()
        raise InputError(
            f"expected finite numbers of at most {_TOO_LARGE:g} in {where}, got {np.count_nonzero(~fine)} others, the first "
            f"{values[row, column]} in row {row}, column {column} (counted from 0); leave such rows out"
        )


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(1)
    except FileNotFoundError:
        raise InputError(f"there is no file {path}; expected points in a file that ends in {', '.join(_READERS)}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; expected a file of points") from None
    if not start:
        raise InputError(f"{path} is empty; expected points, a row each")


def _load_numpy(path: Path) -> Any:
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> InputError:
    """What numpy says of a file, but for its advice to load it all the same: that runs whatever is in a pickle."""
    reason = " ".join(str(error).split()) or type(error).__name__
    if "pickle" in reason:
        reason = "it is of another format, or holds Python objects"
    return InputError(
        f"{path} is no {path.suffix.lower()} file of plain numbers: {reason[:200]}; save plain numbers with numpy"
    )


def _read_npy(path: Path, **_: Any) -> PointTable:
    array = _load_numpy(path)
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError(f"{path} holds an archive of arrays; rename it to end in .npz")
    return check_points(array, where=str(path))


def _read_npz(path: Path, *, key: str | None, **_: Any) -> PointTable:
    archive = _load_numpy(path)
    if isinstance(archive, np.ndarray):
        raise InputError(f"{path} holds a single array; rename it to end in .npy")
    with archive:
        chosen = _choose_key(archive.files, key=key, path=path)
        try:
            array = archive[chosen]
        except (ValueError, EOFError, OSError, zlib.error, zipfile.BadZipFile) as error:
            raise _damaged(path, error) from None
        return check_points(array, where=f"array {chosen!r} of {path}")


def _choose_key(names: Sequence[str], *, key: str | None, path: Path) -> str:
    if not names:
        raise InputError(f"{path} holds no array; expected one of points")
    if key is None and len(names) > 1:
        raise InputError(f"{path} holds {len(names)} arrays; say which with --key: {', '.join(names)}")
    if key is not None and key not in names:
        raise InputError(f"{path} holds no array {key!r}; it holds {', '.join(names)}")
    return names[0] if key is None else key


def _read_csv(path: Path, *, columns: Sequence[str] | None, **_: Any) -> PointTable:
    """Numbers between commas; a first line without any number is a header."""
    header, width = _csv_header(path)
    names = header or [str(index) for index in range(width)]
    chosen = range(width) if columns is None else _positions(columns, names=names, path=path)
    values = _parse_csv(path, has_header=header is not None, width=width, chosen=chosen)
    if len(values) == 0:
        raise InputError(f"{path} holds a header and no points; expected a row of numbers for each")
    return check_points(values, where=str(path))


def _parse_csv(path: Path, *, has_header: bool, width: int, chosen: Sequence[int]) -> Float[np.ndarray, "points columns"]:
    """The chosen columns as floats, by pyarrow; where it stumbles, or a value is not finite, the place is looked up."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [str(index) for index in range(width)]
    wanted = [names[index] for index in chosen]
    first = next(line for line, _ in _csv_rows(path))  # lines, since blank ones before the first row count too
    read = arrow_csv.ReadOptions(column_names=names, skip_rows=first if has_header else first - 1)
    convert = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(wanted, pa.float64()), include_columns=wanted, null_values=[], strings_can_be_null=False
    )
    try:
        table = arrow_csv.read_csv(path, read_options=read, convert_options=convert)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        if "Empty CSV" in str(error):
            return np.empty((0, len(chosen)))
        raise _csv_fault(path, has_header=has_header, width=width, chosen=chosen, otherwise=str(error)) from None
    values = np.column_stack([column.to_numpy() for column in table.columns])
    if not np.isfinite(values).all():
        raise _csv_fault(path, has_header=has_header, width=width, chosen=chosen, otherwise="a value is not finite")
    return values


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of its last line."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        try:
            for row in reader:
                if row:
                    yield reader.line_num, row
        except csv.Error as error:
            raise InputError(f"{path} is not a table of numbers between commas: line {reader.line_num}: {error}") from None


def _csv_header(path: Path) -> tuple[list[str] | None, int]:
    """The header's names, or None where the first row holds numbers; and the number of columns."""
    first = next(_csv_rows(path), None)
    if first is None:
        raise InputError(f"{path} holds blank lines only; expected points, a row each")
    row = [cell.strip() for cell in first[1]]
    return (None if any(_is_number(cell) for cell in row) else row), len(row)


def _csv_fault(path: Path, *, has_header: bool, width: int, chosen: Sequence[int], otherwise: str) -> InputError:
    """The first row of another width, or the first chosen cell that is no finite number, as an error that says where."""
    rows = _csv_rows(path)
    if has_header:
        next(rows)
    for line, row in rows:
        if len(row) != width:
            return InputError(f"expected {width} cells in every row of {path}, as in its first, got {len(row)} in line {line}")
        for column in chosen:
            if not _is_number(row[column]) or not math.isfinite(float(row[column])):
                cell = row[column].strip()[:40]
                return InputError(
                    f"expected a finite number in {path}, got {cell!r} in line {line}, column {column + 1} (counted from 1); "
                    "correct it, or pick other columns with --columns (a header is a first line without any number)"
                )
    return InputError(f"{path} is not a table of numbers between commas: {' '.join(otherwise.split())[:200]}")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _positions(columns: Sequence[str], *, names: Sequence[str], path: Path) -> list[int]:
    """Where the columns of some names stand; an InputError for a name that is not there, or is there twice."""
    for name in columns:
        if list(names).count(name) != 1:
            raise InputError(f"expected columns of {path} out of {', '.join(names)}, each once, got {name!r}")
    if len(set(columns)) != len(columns) or not columns:
        raise InputError(f"expected different columns of {path}, at least one, got {', '.join(columns) or 'none'}")
    return [list(names).index(name) for name in columns]


def _read_parquet(path: Path, *, columns: Sequence[str] | None, **_: Any) -> PointTable:
    """Columns of numbers, or a single column of lists of equal length."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            names, notes = _parquet_columns(file.schema_arrow, columns=columns, path=path)
            table = file.read(columns=names)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as .parquet: {' '.join(str(error).split())[:200]}") from None
    arrays = [_arrow_values(table.column(name).combine_chunks(), where=f"column {name!r} of {path}") for name in names]
    checked = check_points(np.column_stack(arrays), where=str(path))
    return PointTable(checked.values, notes)


def _parquet_columns(schema: "pa.Schema", *, columns: Sequence[str] | None, path: Path) -> tuple[list[str], tuple[str, ...]]:
    """The columns to read, and a note of those that hold no numbers where none were asked for."""
    numeric = [field.name for field in schema if _is_numeric(field.type)]
    lists = [field.name for field in schema if _is_list(field.type)]
    if columns is None and (bool(numeric) == bool(lists) or len(lists) > 1):
        raise InputError(
            f"expected columns of numbers, or a single one of lists of numbers, in {path}, got {_described(schema)}; "
            "pick some with --columns"
        )
    chosen = list(columns) if columns is not None else numeric or lists
    _positions(chosen, names=schema.names, path=path)
    left = [name for name in schema.names if name not in chosen] if columns is None else []
    return chosen, (f"columns without numbers were left out: {', '.join(left)}",) if left else ()


def _described(schema: "pa.Schema") -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in schema) or "none"


def _is_numeric(kind: "pa.DataType") -> bool:
    from pyarrow import types

    return types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_boolean(kind)


def _is_list(kind: "pa.DataType") -> bool:
    from pyarrow import types

    listed = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return listed and _is_numeric(kind.value_type)


def _arrow_values(column: "pa.Array", *, where: str) -> Float[np.ndarray, "points values"]:
    """A column as floats, a row a point: one value each, or the values of its lists."""
    from pyarrow import compute

    if not (_is_numeric(column.type) or _is_list(column.type)):
        raise InputError(f"expected numbers in {where}, got {column.type}; pick others with --columns")
    _check_nulls(column, where=f"row {{}} (counted from 0) of {where}")
    if not _is_list(column.type):
        return _as_floats(column)[:, None]
    length = compute.list_value_length(column).to_numpy()
    if len(column) and (length != length[0]).any():
        row = int(np.flatnonzero(length != length[0])[0])
        raise InputError(
            f"expected lists of equal length in {where}, got {length[0]} values in row 0 and {length[row]} in row {row}"
        )
    values = column.flatten()
    _check_nulls(values, where=f"value {{}} (counted from 0 through the lists) of {where}")
    return _as_floats(values).reshape(len(column), int(length[0]) if len(column) else 0)


def _check_nulls(column: "pa.Array", *, where: str) -> None:
    if column.null_count:
        first = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        raise InputError(
            f"expected numbers without gaps, got a missing value in {where.format(first)}; fill it or leave it out"
        )


def _as_floats(column: "pa.Array") -> Float[np.ndarray, " values"]:
    import pyarrow as pa

    return column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


_READERS: dict[str, Callable[..., PointTable]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
