"""A folder that `neo4j-admin database import full` takes: a hierarchy as CSV or Parquet, with the command that reads it.

    hierarchy.csv  root.csv                     the Hierarchy node and its ROOT
    cells-header.csv  cells.csv  frontier.csv  leaves.csv        Cell nodes, a file for each combination of labels
    edges-header.csv  edges.csv                 CHILD relationships
    points-header.csv  points.csv  in-header.csv  in.csv         Point nodes, and the IN to their cells, where there are any
    predictor-1.csv  grown-1-1.csv  trained-1.csv  ...           what grew it

Floats are written in their shortest form that reads back as the same number. Nodes are told apart by their keys, or by
whole numbers that are not kept: smaller, and faster to import.

In Parquet, which versions from 2025.04 on read without a file of headers, columns are called what the headers say, and have
types. Times and bytes are text in both: bytes of Parquet's own are refused. A boolean must be one, or it stays a text.
"""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from cfgraph.errors import InputError
from cfgraph.model.cells import STATE_NAMES
from cfgraph.model.columns import BOOLEAN, FLOAT, INTEGER, STRING, known_values, width_of
from cfgraph.model.pieces import Piece

DATABASE = "neo4j"
FILES = ("cells", "frontier", "leaves")  # by the cells' state
Form = Literal["csv", "parquet"]
PARQUET_FROM = (2025, 4)  # the version of Neo4j
REPEATED = ("hierarchy", "level:long", "scale:double", "slot:long")  # columns of few values
# Between the values of a list; the first that no text in a list holds is taken.
DELIMITERS = (";", "|", "~", "^", *map(chr, range(0xE000, 0xE100)))
FIELD_BYTES = 4 << 20  # the longest value that neo4j-admin reads without being told
HIERARCHY_NODE = 0  # where nodes are numbered: cells follow
Types = {bool: "boolean", int: "long", float: "double", str: "string", datetime: "datetime"}


OWN_TYPES = {INTEGER: "long", FLOAT: "double", STRING: "string", BOOLEAN: "boolean"}  # of properties of a source's own
OWN_VECTORS = "double[]"
ARROW_TYPES = {"long": pa.int64(), "double": pa.float64(), "string": pa.string(), "boolean": pa.bool_()}
POINT_ROWS = 1 << 20  # written at a time
READ_ROWS = 1 << 15  # a row group: neo4j-admin holds some of them for each of its threads


def cell_header(ids: Literal["key", "actual"]) -> list[str]:
    """The header of the cells' files, without their source's own properties."""
    first = ["key:ID"] if ids == "key" else [":ID", "key"]
    numbers = ["level:long", "center:double[]", "scale:double", "root_distance:double"]
    return [*first, "hierarchy", "address", *numbers, "predicted:boolean", "radius:double", "size:long"]


def point_header(ids: Literal["key", "actual"]) -> list[str]:
    """The header of the data points' file; their keys look like those of cells."""
    return [*(["key:ID(Point)"] if ids == "key" else [":ID", "key"]), "hierarchy", "row:long"]


def in_header(ids: Literal["key", "actual"]) -> list[str]:
    """The header of what leads from the data points to their cells."""
    return [":START_ID(Point)" if ids == "key" else ":START_ID", ":END_ID"]


def own_header(own: Mapping[str, str | None]) -> list[str]:
    """The header of the properties of a source's own."""
    return [f"{name}:{kind}" for name, kind in own.items() if kind is not None]


EDGE_HEADER = [":START_ID", ":END_ID", "slot:long", "residual:double[]", "length:double", "primary:boolean"]


def takes_parquet(version: str) -> bool:
    """Whether a version of neo4j-admin imports Parquet as it is written here: ``2026.09.0``."""
    return tuple(map(int, version.split(".")[:2])) >= PARQUET_FROM


def vectors_of(values: np.ndarray, *, delimiter: str | None) -> pa.Array:
    """Rows of floats: as text, or, without a delimiter, as lists."""
    if delimiter is not None:
        return join_numbers(values, delimiter=delimiter)
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).reshape(-1)), values.shape[1])


def join_numbers(values: np.ndarray, *, delimiter: str) -> pa.Array:
    """Rows of floats as text, a row each."""
    columns = [pc.cast(pa.array(column), pa.string()) for column in np.ascontiguousarray(values.T)]
    return pc.binary_join_element_wise(*columns, delimiter)


def as_text(values: np.ndarray) -> pa.Array:
    """Numbers as text. Where all are the same, as scales in a level of a field are, one is made into text for all."""
    if (values == values[0]).all():
        return pa.repeat(pc.cast(pa.array(values[:1]), pa.string())[0], len(values))
    return pc.cast(pa.array(values), pa.string())


def _behind(prefix: str, texts: pa.Array) -> pa.Array:
    """Each text behind a prefix."""
    return pc.binary_join_element_wise(prefix, texts, "")  # type: ignore[call-overload]  # the stubs mix no text with arrays


def cell_table(piece: Piece, *, id: str, delimiter: str | None, own: Mapping[str, str | None] | None = None) -> pa.Table:
    """A piece's cells as the columns of ``cell_header("actual")`` and ``own_header``; lists as text where that is asked for."""
    own = own or {}
    count = len(piece)
    plain = as_text if delimiter is not None else pa.array
    columns = [
        pa.array(piece.node),
        _behind(id, piece.address),
        pa.repeat(id, count),
        piece.address,
        plain(piece.level.astype(np.int64)),
        vectors_of(piece.center, delimiter=delimiter),
        plain(piece.scale),
        pa.array(piece.root_distance),
        pc.if_else(pa.array(piece.predicted), True, None),
        pa.nulls(count, pa.float64()) if piece.radius is None else pa.array(piece.radius, mask=np.isnan(piece.radius)),
        pa.nulls(count, pa.int64()) if piece.size is None else pa.array(piece.size),
        *_own_columns(
            [known_values(piece.own[name]) if name in piece.own else [None] * count for name in own], own, delimiter=delimiter
        ),
    ]
    return pa.table(columns, names=[*cell_header("actual"), *own_header(own)])


def edge_table(piece: Piece, *, delimiter: str | None) -> pa.Table:
    """The edges that lead to a piece's cells as the columns of ``EDGE_HEADER``; none leads to a root."""
    below = slice(int(np.count_nonzero(piece.parent < 0)), None)  # a root stands first
    columns = [
        pa.array(piece.parent[below]),
        pa.array(piece.node[below]),
        pa.array(piece.slot[below].astype(np.int64)),
        vectors_of(piece.residual[below], delimiter=delimiter),
        pa.array(piece.length[below]),
        pa.nulls(len(piece) - below.start, pa.bool_()),
    ]
    return pa.table(columns, names=EDGE_HEADER)


def page_tables(
    page: Mapping[str, list], *, id: str, delimiter: str, own: Mapping[str, str | None]
) -> tuple[pa.Table, np.ndarray, pa.Table]:
    """A page of the store, cells by their keys, as a table of cells, their states, and a table of edges."""
    radius, size = np.array(page["radius"], dtype=np.float64), np.array(page["size"], dtype=np.int64)
    cells: list[pa.Array] = [
        pa.array(page["key"], pa.string()),
        pa.repeat(id, len(page["key"])),
        pa.array(page["address"], pa.string()),
        pa.array(page["level"], pa.int64()),
        _join_lists(page["center"], delimiter=delimiter),
        pa.array(page["scale"], pa.float64()),
        pa.array(page["root_distance"], pa.float64()),
        pc.if_else(pa.array(page["predicted"], pa.bool_()), True, None),
        pa.array(radius, mask=np.isnan(radius)),
        pa.array(size, mask=size < 0),
        *_own_columns(zip(*page["own"], strict=True) if own else (), own, delimiter=delimiter),
    ]
    edges = [[parent, key, *edge] for key, found in zip(page["key"], page["edges"], strict=True) for parent, *edge in found]
    start, end, slot, residual, length, primary = zip(*edges, strict=True) if edges else [()] * 6
    columns: list[pa.Array] = [
        pa.array(start, pa.string()),
        pa.array(end, pa.string()),
        pa.array(slot, pa.int64()),
        _join_lists(residual, delimiter=delimiter),
        pa.array(length, pa.float64()),
        pa.array(primary, pa.bool_()),
    ]
    state = np.array(page["state"], dtype=np.uint8)
    names = [*cell_header("key"), *own_header(own)]
    return pa.table(cells, names=names), state, pa.table(columns, names=EDGE_HEADER)


def own_type(kind: str | None) -> str | None:
    """What neo4j-admin calls the type of a property of a kind; None where no cell has it."""
    return None if kind is None else OWN_VECTORS if width_of(kind) else OWN_TYPES[kind]


def _own_column(column: Sequence[Any], kind: str, *, delimiter: str | None) -> pa.Array:
    if kind == OWN_VECTORS:
        return pa.array(column, pa.list_(pa.float64())) if delimiter is None else _join_lists(column, delimiter=delimiter)
    return pa.array(column, ARROW_TYPES[kind])


def _own_columns(found: Iterable[Sequence[Any]], own: Mapping[str, str | None], *, delimiter: str | None) -> list[pa.Array]:
    """The properties of a source's own, each of its type; in text Java writes infinities out."""
    values = zip(own.values(), found, strict=True)
    columns = [_own_column(column, kind, delimiter=delimiter) for kind, column in values if kind is not None]
    texts = delimiter is not None
    return [_with_infinities(column) if texts and column.type == pa.float64() else column for column in columns]


def _with_infinities(column: pa.Array) -> pa.Array:
    """Numbers as text, on every page of a file alike."""
    return pc.replace_substring(pc.cast(column, pa.string()), "inf", "Infinity")


def point_tables(
    page: Mapping[str, list], *, id: str, names: Sequence[str] | None = None, columns: Mapping[str, np.ndarray] | None = None
) -> tuple[pa.Table, pa.Table]:
    """The data points in a page's cells, and the relationships that lead to the cells."""
    placed = [(row, key) for key, rows in zip(page["key"], page["points"], strict=True) for row in rows]
    rows = np.array([row for row, _ in placed], dtype=np.int64)
    key = _behind(f"{id}/", pc.cast(pa.array(rows), pa.string()))
    points = pa.table({"key": key, **_point_columns(rows, id=id, names=names, columns=columns or {})})
    return points, pa.table([key, pa.array([key for _, key in placed], pa.string())], names=in_header("key"))


def _point_columns(
    rows: np.ndarray, *, id: str, names: Sequence[str] | None, columns: Mapping[str, np.ndarray]
) -> dict[str, pa.Array]:
    """What some data points have besides their keys."""
    found: dict[str, pa.Array] = {"hierarchy": pa.repeat(id, len(rows)), "row": pa.array(rows)}
    if names is not None:
        found["name"] = pa.array([names[row] for row in rows.tolist()], pa.string())
    for name, column in columns.items():
        floats = column.dtype.kind == "f"
        values = pa.array(known_values(column[rows]), pa.float64() if floats else pa.int64())
        found[name] = _with_infinities(values) if floats else values
    return found


def _join_lists(values: Sequence[Sequence[float]], *, delimiter: str) -> pa.Array:
    """Lists as text; null for an empty one, which CSV for neo4j-admin cannot hold."""
    lists = pa.array(values, pa.list_(pa.float64()))
    joined = pc.binary_join(pc.cast(lists, pa.list_(pa.string())), delimiter)
    return pc.if_else(pc.equal(joined, pa.scalar("")), pa.scalar(None, pa.string()), joined)


@dataclass(frozen=True)
class GrowerRows:
    """A predictor that grew the hierarchy, as properties: its own, of each GROWN_BY, and of TRAINED_ON if it was on this."""

    properties: Mapping[str, Any]
    growths: tuple[Mapping[str, Any], ...]
    trained_on: Mapping[str, Any] | None


@dataclass(frozen=True)
class EncoderRows:
    """What was done to a hierarchy's data first: the properties of its node, and the parts of its weights."""

    properties: Mapping[str, Any]
    parts: Sequence[bytes]


@dataclass
class ImportFolder:
    """Writes the files of one hierarchy into a folder that is there; use it in a ``with``, then ask for the command.

    Args:
        folder: where the files go.
        id: the hierarchy's id.
        ids: whether nodes are told apart by their keys or by whole numbers.
        form: of the files; Parquet where cells come as pieces alone.
        texts: all texts that stand in lists, so that no delimiter is one of their characters.
        own: the properties of the source's own in the order of the pages, and the types of their columns; None for no column.
        point_names: what the data points are called, by their rows; None where they have no names.
        point_columns: what is known of them besides, by their rows.
        cell_of_point: the row of the cell that each lies in, -1 for none, where all cells come as pieces; pages have their own.
    """

    folder: Path
    id: str
    ids: Literal["key", "actual"]
    form: Form = "csv"
    texts: Iterable[str] = ()
    own: Mapping[str, str | None] = field(default_factory=dict)
    point_names: Sequence[str] | None = None
    point_columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    cell_of_point: np.ndarray | None = None
    cells: int = 0
    _arguments: list[str] = field(default_factory=list)
    _options: dict[str, str] = field(default_factory=dict)
    _writers: dict[str, "arrow_csv.CSVWriter | parquet.ParquetWriter"] = field(default_factory=dict)
    _pending: list[Future] = field(default_factory=list)
    _open: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        inside = set().union(*self.texts)
        self.delimiter = next(sign for sign in DELIMITERS if sign not in inside)
        # Without any quotes where none is needed, which is faster to write and to read.
        quoted = set(self.id) & set(',"') or "string" in self.own.values() or self.point_names is not None
        style: Literal["needed", "none"] = "needed" if quoted else "none"
        self._style = arrow_csv.WriteOptions(include_header=False, quoting_style=style)

    def __enter__(self) -> Self:
        self._pool = self._open.enter_context(ThreadPoolExecutor(2, thread_name_prefix="cfgraph-csv"))
        return self

    def __exit__(self, *_: object) -> None:
        wait(self._pending)  # what is being written ends, whatever becomes of it, before its file is closed
        self._open.close()

    def add_piece(self, piece: Piece) -> None:
        """Write a piece, while the caller makes the next one."""
        self._wait()
        self._pending = [
            self._pool.submit(self._write_cells_of, piece),
            self._pool.submit(lambda: self._write("edges", edge_table(piece, delimiter=self._between))),
        ]
        self.cells += len(piece)

    def add_page(self, page: Mapping[str, list]) -> None:
        """Write a page of the store."""
        cells, state, edges = page_tables(page, id=self.id, delimiter=self.delimiter, own=self.own)
        self._write_cells(cells, state=state)
        self._write("edges", edges)
        if page["points"]:
            tables = point_tables(page, id=self.id, names=self.point_names, columns=self.point_columns)
            for name, table in zip(("points", "in"), tables, strict=True):
                self._write(name, table)
        self.cells += len(cells)

    @property
    def _between(self) -> str | None:
        """What stands between the values of a list; None where lists are columns."""
        return None if self.form == "parquet" else self.delimiter

    def _write_cells_of(self, piece: Piece) -> None:
        self._write_cells(cell_table(piece, id=self.id, delimiter=self._between, own=self.own), state=piece.state)

    def _write_cells(self, table: pa.Table, *, state: np.ndarray) -> None:
        for kind in np.unique(state).tolist():
            rows = state == kind
            self._write(FILES[kind], table if rows.all() else table.filter(pa.array(rows)))

    def _write(self, name: str, table: pa.Table) -> None:
        if len(table) == 0:
            return
        if name not in self._writers:
            file: BinaryIO = self._open.enter_context((self.folder / f"{name}.{self.form}").open("wb"))
            self._writers[name] = self._writer(file, table.schema)
            self._open.enter_context(closing(self._writers[name]))
        self._writers[name].write_table(table, READ_ROWS)

    def _writer(self, file: BinaryIO, schema: pa.Schema) -> "arrow_csv.CSVWriter | parquet.ParquetWriter":
        if self.form == "csv":
            return arrow_csv.CSVWriter(file, schema, write_options=self._style)
        repeated = [name for name in REPEATED if name in schema.names]
        return parquet.ParquetWriter(file, schema, compression="zstd", use_dictionary=repeated)  # type: ignore[arg-type]  # the stubs know no names of columns here

    def _wait(self) -> None:
        for future in self._pending:
            future.result()
        self._pending = []

    def finish(
        self,
        hierarchy: Mapping[str, Any],
        *,
        growers: Iterable[GrowerRows] = (),
        encoder: EncoderRows | None = None,
    ) -> list[str]:
        """Write what is left, the hierarchy's own node last; the arguments of neo4j-admin, to be run in the folder."""
        self._wait()
        if self.cell_of_point is not None:
            self._write_points(
                self.cell_of_point, first=HIERARCHY_NODE + 1 + self.cells + (1 + len(encoder.parts) if encoder else 0)
            )
        self._open.close()
        own, root = (self.id, self.id + "/") if self.ids == "key" else (HIERARCHY_NODE, HIERARCHY_NODE + 1)
        self._add_node("Hierarchy", "hierarchy", hierarchy, node=own)
        self._add_edge("ROOT", "root", own, root, {})
        behind = HIERARCHY_NODE + 1 + self.cells + (0 if encoder is None else 1 + len(encoder.parts))
        for number, grower in enumerate(growers, start=1):
            name = grower.properties["id"] if self.ids == "key" else behind + number - 1
            self._add_node("Predictor", f"predictor-{number}", grower.properties, node=name)
            for turn, growth in enumerate(grower.growths, start=1):
                self._add_edge("GROWN_BY", f"grown-{number}-{turn}", own, name, growth)
            if grower.trained_on is not None:
                self._add_edge("TRAINED_ON", f"trained-{number}", name, own, grower.trained_on)
        if encoder is not None:
            self._add_encoder(encoder, hierarchy=own)
        self._add_cells()
        return self.command()

    def _write_points(self, cell_of_point: np.ndarray, *, first: int) -> None:
        """Write the data points as nodes numbered from ``first`` on, and what leads to their cells."""
        for low in range(0, len(cell_of_point), POINT_ROWS):
            cells = cell_of_point[low : low + POINT_ROWS]
            rows = low + np.flatnonzero(cells >= 0)
            nodes = pa.array(first + rows)
            keys = _behind(f"{self.id}/", pc.cast(pa.array(rows), pa.string()))
            table = pa.table([nodes, keys], names=[":ID", "key"])
            for name, column in _point_columns(rows, id=self.id, names=self.point_names, columns=self.point_columns).items():
                table = table.append_column(name, column)
            self._write("points", table)
            ends = [nodes, pa.array(HIERARCHY_NODE + 1 + cell_of_point[rows])]
            self._write("in", pa.table(ends, names=in_header(self.ids)))

    def _add_encoder(self, encoder: EncoderRows, *, hierarchy: str | int) -> None:
        """What was done to the data first: a node, and one for each part of its weights."""
        nodes: list[str | int] = [f"{self.id}//encoder", *(f"{self.id}//encoder/{n}" for n in range(len(encoder.parts)))]
        if self.ids == "actual":  # behind the cells
            nodes = [HIERARCHY_NODE + 1 + self.cells + place for place in range(len(nodes))]
        self._add_node("Encoder", "encoder", encoder.properties, node=nodes[0])
        self._add_edge("ENCODED_BY", "encoded", hierarchy, nodes[0], {})
        for number, (node, weights) in enumerate(zip(nodes[1:], encoder.parts, strict=True)):
            self._add_node("EncoderPart", f"encoder-{number}", {"weights": weights}, node=node)
            self._add_edge("PART", f"part-{number}", nodes[0], node, {"number": number})

    def _add_cells(self) -> None:
        if self.form == "csv" and ("string" in self.own.values() or self.point_names is not None):
            self._options["--multiline-fields"] = "true"
        files = self._headed("cells", [*cell_header(self.ids), *own_header(self.own)])
        for name, state in zip(FILES, STATE_NAMES, strict=True):
            if name in self._writers:
                labels = "Cell" if name == FILES[0] else f"Cell:{state}"
                self._arguments.append(f"--nodes={labels}={files}./{name}.{self.form}")
        if "edges" in self._writers:
            files = self._headed("edges", EDGE_HEADER)
            self._arguments.append(f"--relationships=CHILD={files}./edges.{self.form}")
        if "points" in self._writers:
            named = [] if self.point_names is None else ["name"]
            typed = [f"{name}:{'double' if one.dtype.kind == 'f' else 'long'}" for name, one in self.point_columns.items()]
            files = self._headed("points", [*point_header(self.ids), *named, *typed])
            ends = self._headed("in", in_header(self.ids))
            self._arguments += [f"--nodes=Point={files}./points.{self.form}", f"--relationships=IN={ends}./in.{self.form}"]

    def _headed(self, name: str, columns: Sequence[str]) -> str:
        """A file of headers, as it stands before the files that it is of; nothing for Parquet, whose columns have names."""
        if self.form == "parquet":
            return ""
        with (self.folder / f"{name}-header.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_MINIMAL, lineterminator="\n").writerow(columns)
        return f"./{name}-header.csv,"

    def _add_node(self, label: str, name: str, properties: Mapping[str, Any], *, node: str | int) -> None:
        self._write_record(name, {":ID": node}, properties)
        self._arguments.append(f"--nodes={label}=./{name}.{self.form}")

    def _add_edge(self, kind: str, name: str, start: str | int, end: str | int, properties: Mapping[str, Any]) -> None:
        self._write_record(name, {":START_ID": start, ":END_ID": end}, properties)
        self._arguments.append(f"--relationships={kind}=./{name}.{self.form}")

    def _write_record(self, name: str, ids: Mapping[str, str | int], properties: Mapping[str, Any]) -> None:
        """A file of one row."""
        kept = {key: value for key, value in properties.items() if value is not None and value not in ([], ())}
        header = [*ids, *(f"{key}:{type_of(value)}" for key, value in kept.items())]
        values = [*map(str, ids.values()), *(text_of(value, delimiter=self.delimiter) for value in kept.values())]
        if self.form == "parquet":
            columns: list[pa.Array] = [pa.array([value], type_of_id(value)) for value in ids.values()]
            texts = zip(kept.values(), values[len(ids) :], strict=True)
            columns += [pa.array([text if is_text(value) else value]) for value, text in texts]
            parquet.write_table(pa.table(columns, names=header), self.folder / f"{name}.parquet", compression="zstd")
            return
        if any("\n" in value or "\r" in value for value in values):
            self._options["--multiline-fields"] = "true"
        longest = max(len(value.encode()) for value in values)
        if longest * 2 > FIELD_BYTES:
            self._options["--read-buffer-size"] = str(longest * 4)
        with (self.folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_MINIMAL, lineterminator="\n").writerow(header)
            csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(values)

    def command(self) -> list[str]:
        """The arguments of neo4j-admin; of CSV only such as every version from 5.26 on knows."""
        sign = self.delimiter if self.delimiter.isascii() else f"U+{ord(self.delimiter):04X}"
        ids = "string" if self.ids == "key" else "actual"
        options = {"--id-type": ids, "--array-delimiter": sign, "--bad-tolerance": "0", **self._options}
        if self.form == "parquet":
            options = {"--input-type": "parquet", **options}
        flags = [f"{name}={value}" for name, value in options.items()]
        return ["database", "import", "full", DATABASE, "--overwrite-destination", *flags, *self._arguments]


def type_of_id(value: str | int) -> pa.DataType:
    """The type of a column of ids."""
    return pa.string() if isinstance(value, str) else pa.int64()


def is_text(value: Any) -> bool:
    """Whether a property stands in Parquet as it does in CSV: times, and bytes, which Parquet's own are no values of."""
    return isinstance(value, bytes | bytearray | datetime)


def type_of(value: Any) -> str:
    """The type of a property's column."""
    if isinstance(value, list | tuple):
        return type_of(value[0]) + "[]"
    return "byte[]" if isinstance(value, bytes | bytearray) else Types[str if isinstance(value, str) else type(value)]


def text_of(value: Any, *, delimiter: str) -> str:
    """A property as text."""
    if isinstance(value, list | tuple):
        return delimiter.join(text_of(inner, delimiter=delimiter) for inner in value)
    if isinstance(value, bytes | bytearray):
        return delimiter.join(map(str, np.frombuffer(value, dtype=np.int8).tolist()))  # Java's bytes have a sign
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"expected finite numbers as properties, got {value}; `cfgraph verify` names what is wrong")
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)
