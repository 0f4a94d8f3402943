"""Row stream: the rows of a .parquet file, or of a folder of such files, read piece by piece, as often as asked for.

The files are read in the order of their names, those of folders inside too, and their rows come in batches of one length: how
the data are divided into files and row groups makes no difference to whoever reads them. Each file's columns are found by their
names. What was read is held against what the files were at first: one that changed between two passes is an error.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.files.columns import (
    BATCH_NUMBERS,
    arrow_values,
    is_list,
    other_columns,
    parquet_columns,
    whole_columns,
)
from cfgraph.files.index import listed
from cfgraph.files.kinds import OF_SUFFIX, table_kind
from cfgraph.files.opened import OpenedFile, changed, moment_of, opened
from cfgraph.files.row_groups import check_rows

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet

PAGE_BYTES = 1 << 21  # of a column that is being read: a page of it as it is written, and uncompressed
TOO_LARGE = 1e100  # as files/arrays.py has it
_BUFFER_BYTES = 1 << 16  # of a column that are read at a time
_EXPECTED = "rows of numbers in a file that ends in .parquet, or a folder of such files"
_GROWN = {"plan.json", "manifest.json"}  # of a folder that a field of cfgraph's was grown into


@dataclass(frozen=True, eq=False)
class RowStream:
    """Rows of finite floats that are not held in memory.

    ``names`` are what their columns are called, None where these are the values of lists; ``notes`` what a reader should know.
    """

    path: Path
    files: tuple[Path, ...]
    columns: tuple[str, ...]
    names: tuple[str, ...] | None
    dimension: int
    count: int
    batch: int
    notes: tuple[str, ...]
    moments: tuple[tuple[int, ...] | None, ...]

    @classmethod
    def of(cls, path: Path | str, *, columns: Sequence[str] | None, batch: int, what: str = "points") -> "RowStream":
        """The rows of a file or a folder, in batches of so many; every file is opened, and no row read but the first.

        Raises:
            InputError: for a folder without .parquet files, files that are missing, empty or damaged, columns that are not
                there or hold no numbers, and a file with other columns than the first.
        """
        path = Path(path)
        files, notes = _files_of(path)
        chosen, count, width, moments = list[str](), 0, 0, list[tuple[int, ...] | None]()
        in_lists = False
        for number, file in enumerate(files):
            moments.append(moment_of(file))
            with _parquet(file) as (source, table):
                found, told = parquet_columns(table.schema_arrow, columns=columns, path=file, what=what)
                if number == 0:
                    chosen, notes = found, (*notes, *told)
                    in_lists = any(is_list(table.schema_arrow.field(name).type) for name in chosen)
                elif set(found) != set(chosen):
                    raise InputError(
                        f"expected the columns of {files[0]} in {file} too, {listed(chosen)}, got {listed(found)}; "
                        f"{other_columns(what)}, or move the file elsewhere"
                    )
                check_rows(table, chosen, file=source)
                count += table.metadata.num_rows
                if width == 0 and table.metadata.num_rows:
                    width = next(_parts(table, chosen, rows=1, file=file)).shape[1]
        if count == 0:
            raise InputError(f"expected at least one point in {path}, got {len(files)} files without a row")
        names = None if in_lists else tuple(chosen)
        return cls(path, files, tuple(chosen), names, width, count, batch, notes, tuple(moments))

    @property
    def bytes(self) -> int:
        """How much memory reading takes at most, where pages are of the usual size: batches kept, made and read ahead."""
        return 8 * 4 * self.batch * self.dimension + PAGE_BYTES * len(self.columns)

    def first_pass(self) -> "FirstPass":
        """The batches, each value checked, and what is known when the last has been read."""
        return FirstPass(self)

    def batches(self) -> Iterator[Float[np.ndarray, "rows dim"]]:
        """The rows from the first to the last, in batches of one length, the last one's apart; the next is read meanwhile.

        Raises:
            InputError: for values that are missing, lists of another length, and files that are not what they were.
        """
        batches = self._rebatched()
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(next, batches, None)
            while (batch := coming.result()) is not None:
                coming = ahead.submit(next, batches, None)
                yield batch
        if _files_of(self.path)[0] != self.files:
            raise changed(self.path)

    def place_of(self, row: int) -> tuple[Path, int]:
        """The file that a row stands in, and its number there, both counted from 0."""
        for file in self.files:
            with _parquet(file) as (_, table):
                count = table.metadata.num_rows
            if row < count:
                return file, row
            row -= count
        raise changed(self.path)

    def _rebatched(self) -> Iterator[Float[np.ndarray, "rows dim"]]:
        batch, filled, total = self._empty(), 0, 0
        for part in self._parts():
            total += len(part)
            while len(part):
                taken = part[: self.batch - filled]
                batch[filled : filled + len(taken)] = taken
                filled, part = filled + len(taken), part[len(taken) :]
                if filled == self.batch:
                    yield batch
                    batch, filled = self._empty(), 0
        if total != self.count:
            raise changed(self.path)
        if filled:
            yield batch[:filled]

    def _empty(self) -> Float[np.ndarray, "rows dim"]:
        return np.empty((min(self.batch, self.count), self.dimension))

    def _parts(self) -> Iterator[Float[np.ndarray, "rows dim"]]:
        rows = max(1, min(self.batch, BATCH_NUMBERS // self.dimension))
        for file, moment in zip(self.files, self.moments, strict=True):
            with _parquet(file) as (_, table):
                for part in _parts(table, self.columns, rows=rows, file=file):
                    if part.shape[1] != self.dimension:
                        raise InputError(
                            f"expected {self.dimension} values in each row of {file}, as in {self.files[0]}, got "
                            f"{part.shape[1]}"
                        )
                    yield part
            if moment_of(file) != moment:
                raise changed(file)


class FirstPass:
    """The first of several passes over rows: each value is looked at, and what columns may be besides values."""

    def __init__(self, stream: RowStream) -> None:
        self._stream = stream
        self._whole, self._counts = list[str](), False

    def __iter__(self) -> Iterator[Float[np.ndarray, "rows dim"]]:
        """The batches.

        Raises:
            InputError: as :meth:`RowStream.batches`, and for NaN and infinities, with the file, the row in it and the column.
        """
        names = self._stream.names or ()
        start = 0
        for batch in self._stream.batches():
            self._check_finite(batch, start)
            if start == 0:
                self._whole = whole_columns(batch, names)
                self._counts = batch.shape[1] > 1 and len(batch) > 3  # fewer may count by chance
            self._look(batch, start, names)
            yield batch
            start += len(batch)

    def notes(self, *, asked: bool, what: str = "points") -> tuple[str, ...]:
        """What is said of a column that may be none of values: a count of the rows, whole numbers beside fractions."""
        names = self._stream.names
        if asked or names is None:
            return ()
        if self._counts:
            return (f"column {names[0]!r} counts the rows and was read as values; if it is an index, {other_columns(what)}",)
        if not self._whole:
            return ()
        shown = listed(self._whole)
        return (f"whole numbers beside fractions, read as values: {shown}; if they are labels or ids, {other_columns(what)}",)

    def _look(self, batch: Float[np.ndarray, "rows dim"], start: int, names: Sequence[str]) -> None:
        self._whole = [name for name in self._whole if _is_whole(batch[:, names.index(name)])]
        if self._counts:
            count = np.arange(start, start + len(batch))
            self._counts = any(np.array_equal(batch[:, 0], count + first) for first in (0, 1))

    def _check_finite(self, batch: Float[np.ndarray, "rows dim"], start: int) -> None:
        step = max(1, BATCH_NUMBERS // 8 // batch.shape[1])
        for low in range(0, len(batch), step):
            fine = np.abs(batch[low : low + step]) <= TOO_LARGE  # False for NaN
            if not fine.all():
                row, column = np.argwhere(~fine)[0].tolist()
                value, stream = batch[low + row, column], self._stream
                file, line = stream.place_of(start + low + row)
                called = f"column {stream.names[column]!r}" if stream.names else f"value {column} of the lists"
                raise InputError(
                    f"expected finite numbers of at most {TOO_LARGE:g} in {file}, got {value} in row {line}, {called} (counted "
                    "from 0); leave such rows out"
                )


def _is_whole(values: Float[np.ndarray, " rows"]) -> bool:
    return bool((values == np.floor(values)).all())


def _files_of(path: Path) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The .parquet files of a folder in the order of their names, or the one that is named; and what was left out."""
    if not path.is_dir():
        return (path,), ()
    if all((path / name).is_file() for name in _GROWN):
        raise InputError(f"{path} holds a field that cfgraph grew, not points; `cfgraph ingest folder` reads it")
    try:
        visible = [file for file in path.rglob("*") if not any(part[0] in "._" for part in file.relative_to(path).parts)]
        found = sorted((file for file in visible if file.is_file()), key=lambda file: file.relative_to(path).parts)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}; expected {_EXPECTED}") from None
    files = tuple(file for file in found if OF_SUFFIX.get(file.suffix.lower()) == "parquet")
    if not files:
        inside = f"it holds {listed([file.name for file in found])}" if found else "it holds no file"
        raise InputError(f"expected .parquet files in the folder {path}: {inside}; save the points as such")
    others = [str(file.relative_to(path)) for file in found if file not in set(files)]
    told = {part for file in files for part in file.relative_to(path).parts[:-1] if "=" in part}
    notes = (f"files that are not .parquet were left out: {listed(others)}",) if others else ()
    return files, (*notes, *("what the names of folders tell was left out: " + listed(sorted(told)) for _ in range(bool(told))))


@contextmanager
def _parquet(path: Path) -> "Iterator[tuple[OpenedFile, parquet.ParquetFile]]":
    """A .parquet file, open; errors of pyarrow's while it is, as those of people's input."""
    import pyarrow as pa
    from pyarrow import parquet

    with opened(path, expected=_EXPECTED) as file:
        if table_kind(file, what="points")[0] != "parquet":
            raise InputError(
                f"expected a .parquet file to be read in pieces, got {path}; save it as one, or leave --memory out"
            )
        try:
            with parquet.ParquetFile(file.rewound(), pre_buffer=False, buffer_size=_BUFFER_BYTES) as table:
                yield file, table
        except MemoryError:  # which pyarrow's is too
            raise
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read as .parquet: {' '.join(str(error).split())[:200]}") from None


def _parts(
    table: "parquet.ParquetFile", columns: Sequence[str], *, rows: int, file: Path
) -> Iterator[Float[np.ndarray, "rows dim"]]:
    """The rows of a file, some at a time, their columns in the order in which they are named."""
    first = 0
    for batch in table.iter_batches(batch_size=rows, columns=list(columns)):
        yield _floats(batch, columns, first=first, file=file)
        first += len(batch)


def _floats(batch: "pa.RecordBatch", columns: Sequence[str], *, first: int, file: Path) -> Float[np.ndarray, "rows dim"]:
    named = ((batch.column(name), f"column {name!r} of {file}") for name in columns)
    parts = [arrow_values(column, where=where, first=first) for column, where in named]
    if len(parts) == 1:
        return parts[0]
    values = np.empty((len(batch), sum(part.shape[1] for part in parts)))
    place = 0
    for part in parts:
        values[:, place : place + part.shape[1]] = part
        place += part.shape[1]
    return values
