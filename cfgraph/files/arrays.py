"""Points from files and from memory: whatever holds a table of numbers becomes one table of finite floats, a row a point.

:func:`read_array` gives what a file holds as it is, for sources whose rows are no points: in its own type, without copies of
the whole.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from cfgraph import defaults
from cfgraph.errors import InputError
from cfgraph.files.columns import BATCH_NUMBERS, RawArray, columns_option, of_table, read_feather, read_parquet
from cfgraph.files.dialect import Dialect, option
from cfgraph.files.header import check_header_asked, check_header_rule
from cfgraph.files.in_memory import as_raw, as_table
from cfgraph.files.kinds import SUFFIXES, expected_rows, table_kind
from cfgraph.files.npy import opened_archive, read_npy
from cfgraph.files.opened import OpenedFile, opened
from cfgraph.files.sparse import check_sparse, dense_rows, holds_sparse, is_sparse, sparse_rows
from cfgraph.files.text_numbers import read_numbers

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_TOO_LARGE = 1e100  # the square of a larger coordinate, summed, may not be a float


@dataclass(frozen=True, eq=False)
class PointTable:
    """Points as rows of finite floats, and what a reader should know of how they were read.

    ``raw_digest`` is that of the data which the rows were made of, where these are others; ``columns`` are what the columns of
    a table are called.
    """

    values: Float[np.ndarray, "points dim"]
    notes: tuple[str, ...] = ()
    raw_digest: str | None = None
    columns: tuple[str, ...] | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the shape and the numbers, whatever file they came from."""
        if self.raw_digest is not None:
            return self.raw_digest
        found = hashlib.sha256(repr(tuple(int(size) for size in self.values.shape)).encode())
        step = max(1, BATCH_NUMBERS // max(1, math.prod(self.values.shape[1:])))
        for start in range(0, len(self.values), step):  # a piece at a time: copies of all would be twice the table again
            piece = self.values[start : start + step] + 0.0  # + 0.0 makes -0.0 and 0.0 one
            found.update(np.ascontiguousarray(piece, dtype="<f8").tobytes())
        return found.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a table is read: which of its arrays (``key``) or columns, and what its text is like; None and ``auto`` find out."""

    key: str | None = None
    columns: Sequence[str] | None = None
    header: str = defaults.HEADER_RULE
    separator: str | None = None
    decimal: str | None = None

    def check(self, kind: str, *, path: Path, what: str) -> Dialect:
        """An ``InputError`` for an option that is about files of another kind; what is told of the text, if it is one."""
        check_header_rule(self.header)
        if self.key is not None and kind != "npz":
            raise InputError(f"a key picks an array of an .npz file, and {path} is none; leave --key out")
        if self.columns is not None and kind in ("npy", "npz"):
            raise InputError(f"columns are picked of tables, and {path} holds arrays; leave {columns_option(what)} out")
        if kind != "text":
            check_header_asked(self.header, path=path, what=what)
            for name, value in (("separator", self.separator), ("decimal", self.decimal)):
                if value is not None:
                    raise InputError(f"a {name} is of tables of text, and {path} is none; leave {option(name, what=what)} out")
        return Dialect.asked(self.separator, self.decimal)


def read_array(
    path: Path | str,
    *,
    what: str,
    key: str | None = None,
    columns: Sequence[str] | None = None,
    header: str = defaults.HEADER_RULE,
    separator: str | None = None,
    decimal: str | None = None,
    large: bool = False,
    copied: bool = False,
) -> RawArray:
    """The array or the table in a file, unchecked, of the type it was saved in (columns and text: as floats).

    Which kind of file it is its suffix says, else how it begins. Sparse rows that SciPy saved come with their zeros written
    out, where these fit. ``what`` is what the rows are, in the plural, for errors. ``large`` lifts the limits of
    :mod:`cfgraph.files.opened`; ``copied`` where the array becomes floats of 8 bytes then.

    Raises:
        InputError: for a file that is missing, empty, damaged, too large or of another form, and for gaps in columns.
    """
    reading = Reading(key=key, columns=columns, header=header, separator=separator, decimal=decimal)
    check_header_rule(header)
    path = Path(path)
    with opened(path, expected=expected_rows(what, SUFFIXES), large=large) as file:
        kind, notes = table_kind(file, what=what)
        dialect = reading.check(kind, path=path, what=what)
        if kind == "text":
            raw = read_numbers(file, what=what, columns=columns, header=header, dialect=dialect)
        elif kind in ("parquet", "feather"):
            raw = (read_parquet if kind == "parquet" else read_feather)(file, what=what, columns=columns)
        elif kind == "npz":
            raw = _raw_npz(file, what=what, key=key, copied=copied)
        else:
            raw = RawArray(read_npy(file, copied=copied), where=str(path))
    return replace(raw, notes=(*notes, *raw.notes))


def read_arrays(path: Path | str, *, what: str, large: bool = False) -> dict[str, np.ndarray]:
    """All arrays of an .npz file by their names, as they are.

    Raises:
        InputError: for a file that is missing, empty, damaged, too large or no archive.
    """
    with opened(path, expected=expected_rows(what, ".npz"), large=large) as file, opened_archive(file) as archive:
        return archive.read_all()


def read_points(path: Path | str, *, what: str = "points", **reading: Any) -> PointTable:
    """The points in a file, every one finite; ``reading`` is that of :func:`read_array`.

    ``key`` picks an array of an .npz, ``columns`` those of a table; ``header`` says whether the first line of a table of text
    is one (``yes``, ``no``, or ``auto`` where that is to be found out), ``separator`` and ``decimal`` what stands between its
    cells and in its numbers. The index of a data frame is left out unless ``columns`` name it.

    Raises:
        InputError: for a file that is missing, empty, damaged, too large or of another form; cells that are no finite numbers.
    """
    raw = read_array(path, what=what, copied=True, **reading)
    table = check_points(raw.values, where=raw.where)
    return PointTable(table.values, (*raw.notes, *table.notes), columns=raw.names)


def points_of(data: Any, *, where: str = "the array", what: str = "points", **reading: Any) -> PointTable:
    """The points in a file, or in memory, where ``columns`` pick those of a frame; ``reading`` is that of :func:`read_array`.

    Raises:
        InputError: as :func:`read_points` and :func:`check_points`, and for what is told of a file where there is none.
    """
    if isinstance(data, Path | str):
        return read_points(data, what=what, **reading)
    columns = reading.pop("columns", None)
    for name, value in reading.items():
        if value not in (None, False, defaults.HEADER_RULE):
            raise InputError(f"{name} is about a file, and {where} is in memory; leave it out")
    if columns is None:
        return check_points(data, where=where, what=what)
    table = as_table(data, where=where)
    if table is None:
        raise InputError(f"columns are picked of tables, and {where} is none; leave {columns_option(what)} out")
    raw = of_table(table, where=where, what=what, columns=columns)
    return PointTable(check_points(raw.values, where=where).values, raw.notes, columns=raw.names)


def check_points(array: Any, *, where: str, what: str = "points", remedy: str = "leave such rows out") -> PointTable:
    """Data in memory as a table of points: rows x columns, images flattened, sparse rows written out, every value finite.

    Arrays, lists, tensors, matrices of SciPy's, and data frames of pandas, polars and Arrow, whose columns of numbers are read
    as those of a .parquet file are.

    Raises:
        InputError: for data of another shape or type, empty ones, NaN and infinities (with the first one's place).
    """
    if is_sparse(array):
        return PointTable(*_written_out(check_sparse(array, where=where), where=where))
    raw = as_raw(array, where=where, what=what)
    array = raw.values
    if array.dtype.kind not in "fiub":
        raise InputError(f"expected numbers in {where}, got an array of type {array.dtype}")
    if array.ndim < 2:
        raise InputError(f"expected rows x columns in {where}, a row a point, got an array of shape {array.shape}; reshape it")
    if array.size == 0:
        raise InputError(f"expected at least one point in {where}, got an empty array of shape {array.shape}")
    notes = raw.notes
    if array.ndim > 2:
        flat = f"each point is {' x '.join(map(str, array.shape[1:]))} values, flattened to {math.prod(array.shape[1:])}"
        notes = (*notes, flat)
    with np.errstate(over="ignore"):  # of longer floats: told as infinite below
        values = np.ascontiguousarray(array.reshape(len(array), -1), dtype=np.float64)
    _check_finite(values, where=where, remedy=remedy)
    return PointTable(values, notes, columns=raw.names)


def _written_out(rows: "csr_array", *, where: str, large: bool = False) -> tuple[np.ndarray, tuple[str, ...]]:
    values, note = dense_rows(rows, where=where, large=large)
    return values, (note,)


def _check_finite(values: Float[np.ndarray, "points dim"], *, where: str, remedy: str) -> None:
    step = max(1, BATCH_NUMBERS // max(1, values.shape[1]))
    others, first = 0, None
    for start in range(0, len(values), step):  # a piece at a time: of all at once there would be a second table
        fine = np.abs(values[start : start + step]) <= _TOO_LARGE  # False for NaN
        if not fine.all():
            row, column = np.argwhere(~fine)[0].tolist()
            first = first or (start + row, column)
            others += int(np.count_nonzero(~fine))
    if first is not None:
        raise InputError(
            f"expected finite numbers of at most {_TOO_LARGE:g} in {where}, got {others} others, the first "
            f"{values[first]} in row {first[0]}, column {first[1]} (counted from 0); {remedy}"
        )


def _raw_npz(file: OpenedFile, *, what: str, key: str | None, copied: bool) -> RawArray:
    with opened_archive(file) as archive:
        if key is None and holds_sparse(archive.names):
            where = f"the sparse rows of {file.path}"
            values, notes = _written_out(sparse_rows(archive), where=where, large=file.large)
            return RawArray(values, where=where, notes=notes)
        chosen = _choose_key(archive.names, key=key, path=file.path, what=what)
        return RawArray(archive.read(chosen, copied=copied), where=f"array {chosen!r} of {file.path}")


def _choose_key(names: Sequence[str], *, key: str | None, path: Path, what: str) -> str:
    if not names:
        raise InputError(f"{path} holds no array; expected one of {what}")
    if key is None and len(names) > 1:
        raise InputError(f"{path} holds {len(names)} arrays; say which with --key: {', '.join(names)}")
    if key is not None and key not in names:
        raise InputError(f"{path} holds no array {key!r}; it holds {', '.join(names)}")
    return names[0] if key is None else key
