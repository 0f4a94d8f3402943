"""Files of a folder: a row a cell, level by level, a row group a level; within a level in breadth-first order.

The columns are those of tables of cells (:mod:`cfgraph.formats.tables`), behind ``node``, the breadth-first number of the cell,
and with ``parent`` as that of the cell's parent (-1 for the root). Each page has a checksum. The file's metadata has under
``cfgraph.sheet`` a JSON object: the key of the plan, the file's name, how many cells it has, and what was measured of them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Int, UInt8

from cfgraph.errors import DETAIL_MAX, InputError
from cfgraph.formats.folders.place import Place
from cfgraph.formats.folders.plan import MANIFEST
from cfgraph.model.cells import EXPANDED, FRONTIER, STATE_NAMES, Cells
from cfgraph.model.pieces import Piece, child_addresses, pieces_of_cells
from cfgraph.model.sheets import Sheet, SheetCut

METADATA = b"cfgraph.sheet"
NUMBERED = ("node", "parent")
TEXTS = ("level", "slot", "state")  # of few values, as the scales of a level are
VECTORS = ("center", "residual")
FLOATS = ("scale", "root_distance", "length")
NUMBERS = (*VECTORS, *FLOATS)  # what follows from no place


@dataclass(frozen=True, eq=False)
class LevelColumns:
    """Cells of one level that stand side by side, in breadth-first order: what a rule gave, and what follows from no place."""

    center: Float[np.ndarray, "cells dim"]
    scale: Float[np.ndarray, " cells"]
    root_distance: Float[np.ndarray, " cells"]
    residual: Float[np.ndarray, "cells dim"]
    length: Float[np.ndarray, " cells"]

    def __len__(self) -> int:
        return len(self.scale)

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        return sum(column.nbytes for column in vars(self).values())

    def take(self, rows: "slice | Int[np.ndarray, ' rows'] | Bool[np.ndarray, ' cells']") -> "LevelColumns":
        """Some of the cells."""
        return LevelColumns(**{name: column[rows] for name, column in vars(self).items()})

    @classmethod
    def joined(cls, parts: Sequence["LevelColumns"]) -> "LevelColumns":
        """Several parts, one behind the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def schema_of(dimension: int) -> pa.Schema:
    """The columns of every file of a folder."""
    vector = pa.list_(pa.field("element", pa.float64(), nullable=False), dimension)
    types: dict[str, pa.DataType] = {
        **{"node": pa.int64(), "parent": pa.int64(), "address": pa.string(), "level": pa.int32(), "slot": pa.int32()},
        **{"state": pa.string(), "predicted": pa.bool_(), "center": vector, "scale": pa.float64()},
        **{"root_distance": pa.float64(), "residual": vector, "length": pa.float64()},
    }
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in types.items()])


def _vector(values: Float[np.ndarray, "cells dim"]) -> pa.Array:
    kind = pa.list_(pa.field("element", pa.float64(), nullable=False), values.shape[1])
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    return pa.Array.from_buffers(kind, len(values), [None], children=[flat])


def table_of(piece: Piece) -> pa.Table:
    """A piece as rows of a file."""
    states = pa.array(STATE_NAMES)
    columns = [
        pa.array(piece.node),
        pa.array(piece.parent),
        piece.address,
        pa.array(piece.level.astype(np.int32)),
        pa.array(piece.slot.astype(np.int32)),
        states.take(pa.array(piece.state)),
        pa.array(piece.predicted),
        _vector(piece.center),
        pa.array(piece.scale),
        pa.array(piece.root_distance),
        _vector(piece.residual),
        pa.array(piece.length),
    ]
    return pa.Table.from_arrays(columns, schema=schema_of(piece.center.shape[1]))


def file_of(pieces: Iterator[Piece], *, dimension: int, facts: Mapping[str, Any]) -> pa.Buffer:
    """A file in memory: a row group a piece, with ``facts`` in its metadata. The same pieces give the same bytes."""
    schema = schema_of(dimension).with_metadata({METADATA: json.dumps(dict(facts), sort_keys=True)})
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        use_dictionary=[*TEXTS, "scale"],  # type: ignore[arg-type]  # the stubs know no names of columns here
        column_encoding={**dict.fromkeys(NUMBERED, "DELTA_BINARY_PACKED"), "address": "DELTA_BYTE_ARRAY"},
        write_page_checksum=True,
        write_statistics=list(NUMBERED),
    ) as writer:
        for piece in pieces:
            writer.write_table(table_of(piece).replace_schema_metadata(schema.metadata), row_group_size=max(1, len(piece)))
    return sink.getvalue()


class Places:
    """Which cells stand where below a prefix: addresses, numbers and parents by level and place, made by column."""

    def __init__(self, cut: SheetCut, prefix: Cells):
        self.cut, self.prefix = cut, prefix
        self.frontier: Int[np.ndarray, " frontier"] = np.flatnonzero(prefix.state == FRONTIER)  # rows of the prefix
        names = prefix.addresses
        self._names = pa.array([names[row] for row in self.frontier.tolist()], pa.string())

    def addresses(self, level: int, places: range) -> pa.StringArray:
        """The addresses of cells that stand side by side."""
        if level == self.cut.from_depth:
            return self._names.slice(places.start, len(places))
        arity = self.cut.arity
        above = range(places.start // arity, -(-places.stop // arity))
        found = self.below(self.addresses(level - 1, above))
        return found.slice(places.start - above.start * arity, len(places))

    def below(self, addresses: pa.StringArray) -> pa.StringArray:
        """The addresses of all children of some cells."""
        arity = self.cut.arity
        family = np.repeat(np.arange(len(addresses)), arity)
        return child_addresses(addresses, family=family, slot=self.slots(len(addresses)))

    def slots(self, families: int) -> Int[np.ndarray, " cells"]:
        """The slots of the children of so many cells."""
        return np.tile(np.arange(self.cut.arity, dtype=np.int32), families)

    def numbers(self, level: int, places: range) -> Int[np.ndarray, " cells"]:
        """The breadth-first numbers of cells that stand side by side."""
        if level == self.cut.from_depth:
            return self.frontier[places.start : places.stop]
        first = self.cut.first_number(level)
        return np.arange(places.start + first, places.stop + first)

    def states(self, level: int, count: int) -> UInt8[np.ndarray, " cells"]:
        """The states of so many cells of a level below the prefix."""
        return np.full(count, FRONTIER if level == self.cut.depth else EXPANDED, dtype=np.uint8)

    def pieces(self, sheet: Sheet, levels: Mapping[int, LevelColumns], *, predicted: bool) -> Iterator[Piece]:
        """The cells of a sheet, a piece a level, with their breadth-first numbers and addresses."""
        above = sheet.places(sheet.above, arity=self.cut.arity)
        address = self.addresses(sheet.above, above)
        for level in range(sheet.above + 1, sheet.last + 1):
            places = sheet.places(level, arity=self.cut.arity)
            address = self.below(address)
            yield Piece(
                node=self.numbers(level, places),
                parent=np.repeat(self.numbers(level - 1, above), self.cut.arity),
                address=address,
                slot=self.slots(len(above)),
                level=np.full(len(places), level, dtype=np.int32),
                state=self.states(level, len(places)),
                predicted=np.full(len(places), predicted),
                **vars(levels[level]),
            )
            above = places


def pieces_of_prefix(prefix: Cells) -> Iterator[Piece]:
    """The cells of a prefix, a piece a level."""
    yield from pieces_of_cells(prefix.with_columns(radius=None, size=None, own={}), first=0)


# -- the way back


class SheetFile:
    """One file of a folder, opened: what its metadata says, and the columns of its levels.

    Raises:
        InputError: for a file that is gone, damaged, or none of this field.
    """

    def __init__(self, place: Place, name: str, *, key: str, cells: int | None, first_level: int, dimension: int):
        self._where, self._first, self._dimension = f"{place}/{name}", first_level, dimension
        with self._told():
            # What is fetched ahead is kept as long as the file is open: all of a folder, by and by.
            self._file = pq.ParquetFile(place.input_file(name), page_checksum_verification=True, pre_buffer=False)
            metadata = self._file.metadata
            found = (metadata.metadata or {}).get(METADATA)
        if found is None:
            raise self._damaged("it is none of a field's files")
        try:
            self.facts: dict[str, Any] = json.loads(found)
            told = (self.facts["plan"], self.facts["name"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged("its metadata is no JSON object of a field's") from error
        if told != (key, name):
            raise self._damaged("it belongs to another field, or to another place of this one")
        if cells is not None and metadata.num_rows != cells:
            raise self._damaged(f"it should have {cells:,} rows, and has {metadata.num_rows:,}")
        if not self._file.schema_arrow.remove_metadata().equals(schema_of(dimension)):
            raise self._damaged("its columns are others than those of a field")

    @property
    def rows(self) -> int:
        """How many cells it has."""
        return int(self._file.metadata.num_rows)

    def table(self, level: int, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of one level."""
        with self._told():
            return self._file.read_row_group(level - self._first, columns=None if columns is None else list(columns))

    def columns(self, level: int) -> LevelColumns:
        """The columns of one level that follow from no place."""
        return self.columns_of(self.table(level, NUMBERS))

    def columns_of(self, table: pa.Table) -> LevelColumns:
        """The same of rows that were read."""
        return LevelColumns(**self._arrays_of(table, NUMBERS))

    def arrays(self, level: int, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Some of these columns."""
        return self._arrays_of(self.table(level, names), names)

    def _arrays_of(self, table: pa.Table, names: Sequence[str]) -> dict[str, np.ndarray]:
        with self._told():
            return {
                name: self._matrix(table.column(name))
                if name in VECTORS
                else table.column(name).combine_chunks().to_numpy(zero_copy_only=False)
                for name in names
            }

    def _matrix(self, column: pa.ChunkedArray) -> Float[np.ndarray, "cells dim"]:
        flat = pc.list_flatten(column).to_numpy(zero_copy_only=False)
        return np.asarray(flat, dtype=np.float64).reshape(-1, self._dimension)

    def _told(self) -> "_Told":
        return _Told(self)

    def _damaged(self, detail: str) -> InputError:
        return InputError(
            f"{self._where} is damaged ({' '.join(detail.split())[:DETAIL_MAX]}); remove this file and {MANIFEST}, and the "
            "command that grew the field makes it again"
        )


class _Told:
    """Errors of a file that is read, told as its damage."""

    def __init__(self, file: SheetFile):
        self._file = file

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError | ValueError | KeyError | IndexError | pa.ArrowException):
            raise self._file._damaged(str(error)) from error
