"""Parquet: all of a hierarchy in one file, a row a cell, without loss: for backup, and for moving between servers.

The columns are those of :mod:`cfgraph.formats.tables`, the rows in the order of their keys (any order is read). The file's
metadata has under ``cfgraph`` a JSON object:

    version      1; 2 where there are batches, which earlier versions of cfgraph would leave out without a word
    cells        how many rows there are
    hierarchy    every field of the Hierarchy node
    own          [property, column, kind] of each property of the source's own
    cuts         which of these are flat clusters that were kept, and how each was made; where there are any
    growers      the predictors that grew it, with their weights in base64, and the properties of each GROWN_BY
    predicts     the id of the hierarchy that this one predicts, or null
    point_names  what its data points are called; where they have names
    batches      the entries of new data that was placed (cfgraph/formats/batches.py); if any
    encoder      what was done to its data first: the steps, their SHA-256, and in how many parts their arrays are; if any
    digest       the ContentDigest of the cells and of all of the above; earlier files have none

The arrays of an encoder (safetensors) stand in base64 under ``cfgraph.encoder.0``, ``.1``, ..., a part each.

Each page has a checksum, so a damaged file is found out; by the digest, so is an edited one. On the way back nothing in the
file is believed: its form, its columns, every address and every number are checked before anything is written, and then
that the digest of it all is the one that it was exported with. A file that tells no digest, an earlier one or one that was
edited on purpose, is read by its invariants alone. A field comes back as a field, and can be trained on and grown further.
"""

import base64
import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Int
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from cfgraph.errors import DETAIL_MAX, AddressError, InputError
from cfgraph.files.opened import OpenedFile, opened
from cfgraph.files.row_groups import read_columns
from cfgraph.files.whole import whole_file
from cfgraph.formats.batches import BatchEntry, Pages, PlacedPoints, entry_of, read_batch
from cfgraph.formats.tables import Layout, cell_table, kinds_in
from cfgraph.learning.encoders import load_encoder
from cfgraph.model.address import parse_address
from cfgraph.model.batch import Batch
from cfgraph.model.cells import STATE_NAMES, Cells, Links
from cfgraph.model.columns import FLOAT, FLOATS, INTEGER_MAX, JSON, known_values, own_column, width_of
from cfgraph.model.encoder import PART_BYTES, WEIGHTS_BYTES_MAX, Encoder
from cfgraph.model.hierarchy import Hierarchy, HierarchyWithCells, description_type
from cfgraph.model.invariants import check_sound
from cfgraph.model.order import breadth_first, place_addresses
from cfgraph.predictors.trained import Grower, TrainedPredictor

METADATA = "cfgraph"
ENCODER = "cfgraph.encoder"
DIGEST = "digest"
VERSION, VERSION_WITH_BATCHES = 1, 2
GROUP_BYTES = 1 << 26  # of a row group, in memory
GROUP_ROWS = 1 << 20
ENCODER_PARTS_MAX = 1 + WEIGHTS_BYTES_MAX // PART_BYTES
METADATA_BYTES_MAX = 1 << 30  # of all metadata: pyarrow's own limit is less than the largest encoder takes
_TIMES = 3  # the table, the columns, and the cells made of them
FRONT_CODED = ("address", "parent")  # in the order of the keys, neighbours begin alike
PLAIN = ("predicted", *(name for name in FLOATS if name != "length"))  # a root has no length
JSON_TEXTS = ("recipe", "config", "validation", "folds")  # fields that the graph holds as text
LATER_FIELDS = ("encoder_sha256", "point_radius", "point_kinds")  # that the first version did not know
NEEDED = ("address", "level", "state", *PLAIN)


class ContentDigest:
    """SHA-256 over all that a file says: every column of its cells, in the order of their addresses, and its metadata.

    Each column comes apart into streams (which values there are, their lengths, their bytes) with a SHA-256 each, so that
    pages and row groups may be of any size, and rows and columns may be stored in any order.
    """

    def __init__(self) -> None:
        self._streams = defaultdict[tuple[str, ...], Any](hashlib.sha256)

    def add(self, name: str, column: pa.ChunkedArray) -> None:
        """Go on with the values that the next cells have in this column."""
        for chunk in column.chunks:
            for stream, values in _streams(chunk, (name,)):
                self._streams[stream].update(values)

    def of(self, metadata: Mapping[str, Any]) -> str:
        """The digest of the cells that were added, and of this metadata."""
        cells = [[*stream, sha.hexdigest()] for stream, sha in sorted(self._streams.items())]
        return hashlib.sha256(json.dumps([cells, metadata], sort_keys=True).encode()).hexdigest()


Stream = tuple[tuple[str, ...], np.ndarray | pa.Buffer]


def _streams(values: pa.Array, path: tuple[str, ...]) -> Iterator[Stream]:
    """What an array holds, without what its memory happens to hold where values are null."""
    yield (*path, "there"), _plain(values.is_valid())
    if isinstance(values, pa.ListArray | pa.FixedSizeListArray):
        yield (*path, "length"), _plain(pc.list_value_length(values))
        yield from _streams(values.flatten(), (*path, "item"))
    elif pa.types.is_struct(values.type):
        for place in range(values.type.num_fields):
            yield from _streams(pc.struct_field(values, [place]), (*path, values.type.field(place).name))
    elif isinstance(values, pa.StringArray):
        yield (*path, "length"), _plain(pc.binary_length(values))
        yield (*path, "text"), _joined(values.drop_null())
    elif not pa.types.is_null(values.type):
        yield (*path, "value"), _plain(values)


def _plain(values: pa.Array) -> np.ndarray:
    numbers = values.cast(pa.uint8()) if pa.types.is_boolean(values.type) else values
    return np.ascontiguousarray(numbers.fill_null(0).to_numpy(zero_copy_only=False))


def _joined(texts: pa.StringArray) -> pa.Buffer:
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts), "")
    return joined[0].as_buffer()  # type: ignore[index, union-attr]  # an array of one text: the stubs say, perhaps no array


class ParquetFile:
    """Writes tables of cells to an open file, in row groups of bounded size; use it in a ``with``, then :meth:`finish`."""

    def __init__(self, file: BinaryIO, layout: Layout):
        self._layout, self._waiting, self.cells = layout, list[pa.Table](), 0
        self._digest, self._batch_bytes = ContentDigest(), 0
        texts = [column for _, column, kind in layout.own if layout.schema.field(column).type == pa.string()]
        self._writer = pq.ParquetWriter(
            file,
            layout.schema,
            compression="zstd",
            use_dictionary=["state", *texts],  # type: ignore[arg-type]  # the stubs know no names of columns here
            column_encoding=dict.fromkeys(FRONT_CODED, "DELTA_BYTE_ARRAY"),
            write_page_checksum=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def add(self, table: pa.Table) -> None:
        """Write the next cells in the order of their keys, once there are enough for a row group."""
        self._waiting.append(table)
        self.cells += len(table)
        size = sum(waiting.nbytes for waiting in self._waiting)
        if size >= GROUP_BYTES or sum(map(len, self._waiting)) >= GROUP_ROWS:
            self._write()

    def finish(
        self,
        hierarchy: Hierarchy,
        *,
        growers: Sequence[Grower] = (),
        predicts: str | None = None,
        encoder: Encoder | None = None,
        point_names: Sequence[str] | None = None,
        point_columns: Mapping[str, np.ndarray] | None = None,
        batches: Iterable[tuple[Batch, Pages]] = (),
    ) -> None:
        """Write what is left, and the hierarchy's own data; of each of the ``batches`` its points, in pages."""
        self._write()
        metadata = {
            "version": VERSION,
            "cells": self.cells,
            "hierarchy": _hierarchy_record(hierarchy),
            "own": self._layout.own,
            "growers": [
                {"predictor": _predictor_record(trained), "growths": [dict(growth) for growth in growths]}
                for trained, growths in growers
            ],
            "predicts": predicts,
        }
        if hierarchy.cuts:
            metadata["cuts"] = hierarchy.cuts
        if point_names is not None:
            metadata["point_names"] = list(point_names)
        if point_columns:
            metadata["point_columns"] = {name: known_values(column) for name, column in point_columns.items()}
        if entries := [self._write_batch(batch, pages, number=number) for number, (batch, pages) in enumerate(batches)]:
            metadata |= {"batches": entries, "version": VERSION_WITH_BATCHES}
        if encoder is not None:
            metadata["encoder"] = {"steps": encoder.steps, "sha256": encoder.digest, "parts": len(encoder.parts)}
            for number, part in enumerate(encoder.parts):
                self._writer.add_key_value_metadata({f"{ENCODER}.{number}": base64.b64encode(part).decode()})
        self._writer.add_key_value_metadata({METADATA: json.dumps({**metadata, DIGEST: self._digest.of(metadata)})})

    def _write_batch(self, batch: Batch, pages: Pages, *, number: int) -> dict[str, Any]:
        """Write a batch's parts; its entry."""
        entry: dict[str, Any] = {}
        for found in entry_of(batch, pages, number=number):
            if isinstance(found, dict):
                entry = found
                continue
            self._batch_bytes += len(found[1])
            if self._batch_bytes > METADATA_BYTES_MAX // 2:
                raise InputError(
                    f"the batches of {batch.hierarchy!r} take more than the {METADATA_BYTES_MAX // 2:,} bytes that a file "
                    f"has for them beside its cells; take some back first: `cfgraph place {batch.hierarchy} --remove NAME`"
                )
            self._writer.add_key_value_metadata(dict([found]))
        return entry

    def _write(self) -> None:
        if self._waiting:
            table = pa.concat_tables(self._waiting).combine_chunks()
            for name in table.column_names:
                self._digest.add(name, table.column(name))
            self._writer.write_table(table, row_group_size=max(1, len(table)))
            self._waiting = []


def _hierarchy_record(hierarchy: Hierarchy) -> dict[str, Any]:
    """Every field; without later ones that have no value, so that earlier versions read what they could always read.

    Cuts stand beside it: to earlier versions they are properties of cells, without anything more.
    """
    record = hierarchy.model_dump(mode="json", exclude={"cuts"})
    return {name: value for name, value in record.items() if name not in LATER_FIELDS or value is not None}


def _predictor_record(trained: TrainedPredictor) -> dict[str, Any]:
    record = trained.model_dump(mode="json", exclude={"weights"})
    return {**record, "weights": base64.b64encode(trained.weights).decode()}


def write_parquet(hierarchy: HierarchyWithCells, path: str | Path) -> None:
    """Write a hierarchy that holds its cells; ``sources.parquet`` reads the same hierarchy.

    Raises:
        InputError: for cells that break an invariant, so that the file could not be read; and for cells that a predictor
            grew: their predictor is in the store, so only :func:`cfgraph.transfer.backup.export_parquet` can write them.
    """
    if hierarchy.cells.predicted.any() and not hierarchy.former_predictors:
        raise InputError(
            f"{hierarchy.id!r} has predicted cells, and what grew them is in the store alone; write it with `cfgraph export`, "
            "or with cfgraph.transfer.backup.export_parquet"
        )
    check_sound(hierarchy, grown=False)
    encoder = hierarchy.require_encoder()
    layout = Layout.of(hierarchy, kinds=kinds_in(hierarchy))
    with whole_file(path) as file, ParquetFile(file, layout) as parquet:
        parquet.add(cell_table(hierarchy, layout=layout).sort_by("address"))
        besides = {name: hierarchy.point_columns[name] for name in hierarchy.point_kinds or ()}
        parquet.finish(hierarchy, encoder=encoder, point_names=hierarchy.point_names, point_columns=besides)


# -- the way back


@dataclass(frozen=True, eq=False)
class Backup:
    """What a Parquet file holds: the hierarchy with its cells, what grew it, the id of the hierarchy that it predicts, batches.

    ``digest`` is None where the file tells none, so nothing says whether it is as it was exported.
    """

    path: Path
    hierarchy: HierarchyWithCells
    growers: tuple[Grower, ...] = ()
    predicts: str | None = None
    digest: str | None = None
    batches: tuple[PlacedPoints, ...] = ()


Level = Annotated[int, Field(strict=True, ge=0, le=INTEGER_MAX)]
Limits = TypeAdapter(dict[str, Annotated[int, Field(strict=True)] | Annotated[float, Field(strict=True)]])


class GrowthEntry(BaseModel):
    """The properties of a GROWN_BY; others that people gave it are values of the graph too."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str | bool | int | float | list[str] | list[int] | list[float]]

    stop: str
    from_depth: Level
    to_depth: Level
    block_height: Level
    done: bool = Field(strict=True)
    since: Level | None = None
    taken_over: Level | None = None
    last_block: str | None = None

    @field_validator("stop")
    @classmethod
    def _is_stop(cls, stop: str) -> str:
        Limits.validate_json(stop)
        return stop


class GrowerEntry(BaseModel):
    """The metadata's entry of a predictor that grew the hierarchy."""

    predictor: dict[str, Any]
    growths: list[GrowthEntry]


class EncoderEntry(BaseModel):
    """The metadata's entry of an encoder."""

    model_config = ConfigDict(extra="forbid")

    steps: list[dict[str, Any]]
    sha256: str
    parts: int = Field(strict=True, ge=1, le=ENCODER_PARTS_MAX)


class Metadata(BaseModel):
    """The form of the metadata's JSON object."""

    cells: int
    hierarchy: dict[str, Any]
    own: list[tuple[str, str, str]]
    growers: list[GrowerEntry]
    predicts: str | None = None
    point_names: tuple[str, ...] | None = None
    point_columns: dict[str, list[int | float | None]] = {}
    encoder: EncoderEntry | None = None
    batches: tuple[BatchEntry, ...] = ()
    cuts: dict[str, dict[str, Any]] | None = None


def read_parquet(path: str | Path, *, id: str | None = None, large: bool = False) -> Backup:
    """The hierarchy in a file that ``cfgraph export`` wrote, under another ``id`` where one is given.

    Memory holds the whole file, uncompressed, and the cells that it makes of it: some two times over. ``large`` lifts the
    limits of :mod:`cfgraph.files.opened`.

    Raises:
        InputError: for a file that is missing, damaged, of another form, or was changed since it was exported, and for
            cells that break an invariant.
    """
    with opened(path, expected="a Parquet file that `cfgraph export` wrote", large=large) as source:
        return _read_backup(source, id=id)


def _read_backup(source: OpenedFile, *, id: str | None) -> Backup:
    path = source.path
    file = _open(source)
    record = _metadata(file, path=path)
    with _explained(path):
        metadata = Metadata.model_validate(record)
        _check_integers(record)
        fields = metadata.hierarchy | {"cuts": metadata.cuts} | ({} if id is None else {"id": id})
        hierarchy = description_type(fields)(**fields)
        predictors = [_predictor_fields(grower.predictor) for grower in metadata.growers]
        encoder = None if metadata.encoder is None else _encoder(file, metadata.encoder)
        _check_encoder(hierarchy, encoder)
        layout = Layout(hierarchy.dimension, tuple(metadata.own), links=hierarchy.links > 0, points=hierarchy.point_nodes)
        schema = layout.schema
    _check_columns(file.schema_arrow, schema, path=path)
    table = _read(source, schema.names)
    if len(table) != metadata.cells or len(table) == 0:
        raise _damaged(path, f"it should have {metadata.cells} rows, and has {len(table)}")
    with _explained(path):
        found = _digest(table.select(schema.names), record)
        pa.default_memory_pool().release_unused()  # it keeps what it sorted by
        besides = _point_columns(hierarchy, metadata)
        whole = _assemble(hierarchy, table, layout, path=path)
        whole = whole.replace(encoder=encoder, point_names=metadata.point_names, point_columns=besides)
        del table  # a third of what is held by now: the checks need the room
        pa.default_memory_pool().release_unused()
        check_sound(whole, grown=bool(predictors))
    _check_unchanged(found, record, whole, path=path)
    trained = [_predictor(fields, path=path) for fields in predictors]
    growths = [[growth.model_dump(exclude_unset=True) for growth in entry.growths] for entry in metadata.growers]
    growers = tuple(Grower(by, entry) for by, entry in zip(trained, growths, strict=True))
    with _explained(path):
        batches = _batches(file, metadata.batches, whole)
    return Backup(path, whole, growers, metadata.predicts, record.get(DIGEST), batches)


# -- the file


def _open(source: OpenedFile) -> pq.ParquetFile:
    path = source.path
    try:
        return pq.ParquetFile(source.rewound(), page_checksum_verification=True, thrift_string_size_limit=METADATA_BYTES_MAX)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{str(path)!r} is no whole Parquet file: {_first_line(error)}; export it again") from error


def _metadata(file: pq.ParquetFile, *, path: Path) -> dict[str, Any]:
    found = (file.metadata.metadata or {}).get(METADATA.encode())
    if found is None:
        raise InputError(
            f"{str(path)!r} is a Parquet file, but none that `cfgraph export` wrote; `cfgraph ingest points` takes points"
        )
    try:
        record = json.loads(found)
        version = record["version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(path, "its metadata is no JSON object with a version") from error
    if version not in (VERSION, VERSION_WITH_BATCHES) or type(version) is not int:
        raise InputError(
            f"{str(path)!r} has the form {str(version)[:40]}, and this cfgraph knows {VERSION} and {VERSION_WITH_BATCHES}; "
            "upgrade cfgraph"
        )
    return record


def _encoder(file: pq.ParquetFile, entry: EncoderEntry) -> Encoder:
    """The encoder that an entry tells of, of the parts beside it."""
    known = file.metadata.metadata or {}
    parts = [known.get(f"{ENCODER}.{number}".encode()) for number in range(entry.parts)]
    if None in parts:
        raise InputError("parts of its encoder are missing")
    try:
        weights = b"".join(base64.b64decode(part, validate=True) for part in parts if part is not None)
    except ValueError:
        raise InputError("a part of its encoder is no base64") from None
    encoder = Encoder(steps=tuple(entry.steps), weights=weights)
    if encoder.digest != entry.sha256:
        raise InputError("its encoder is another one than it was exported with")
    load_encoder(encoder)
    return encoder


def _batches(file: pq.ParquetFile, entries: Sequence[BatchEntry], whole: HierarchyWithCells) -> tuple[PlacedPoints, ...]:
    """The batches that entries tell of, each called otherwise."""
    known = file.metadata.metadata or {}
    if len({entry.name for entry in entries}) < len(entries):
        raise InputError("two of its batches have one name")
    there = set(whole.cells.addresses) if entries else set()
    return tuple(read_batch(entry, known, number=number, id=whole.id, addresses=there) for number, entry in enumerate(entries))


def _check_encoder(hierarchy: Hierarchy, encoder: Encoder | None) -> None:
    if hierarchy.encoder_sha256 != (encoder and encoder.digest):
        raise InputError("its encoder is not the one that its hierarchy was made with")


def _point_columns(hierarchy: Hierarchy, metadata: Metadata) -> dict[str, np.ndarray]:
    """What points have besides, as the hierarchy says that they have it."""
    kinds = hierarchy.point_kinds or {}
    if set(kinds) != metadata.point_columns.keys():
        raise InputError(f"its points should have {', '.join(kinds) or 'nothing'} besides, and have others")
    nothing = {name: math.nan if kind == FLOAT else -1 for name, kind in kinds.items()}
    return {
        name: np.array(
            [nothing[name] if value is None else value for value in metadata.point_columns[name]],
            dtype=np.float64 if kind == FLOAT else np.int64,
        )
        for name, kind in kinds.items()
    }


def _check_integers(value: Any, name: str = "") -> None:
    """An ``InputError`` for whole numbers beyond those of the graph, but in what stands there as text."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in JSON_TEXTS:
                _check_integers(inner, key)
    elif isinstance(value, list):
        for inner in value:
            _check_integers(inner, name)
    elif isinstance(value, int) and abs(value) > INTEGER_MAX:
        raise InputError(f"the number {name} is beyond what the graph can hold")


def _predictor_fields(record: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {**record, "weights": base64.b64decode(record["weights"], validate=True)}
    except (ValueError, TypeError):
        raise InputError("the weights of a predictor are no text in base64") from None


def _predictor(fields: dict[str, Any], *, path: Path) -> TrainedPredictor:
    try:
        trained = TrainedPredictor(**fields)
        trained.load()
        return trained
    except (ValidationError, InputError) as error:
        detail = (_faults_in(error) if isinstance(error, ValidationError) else str(error))[:DETAIL_MAX]
        raise InputError(f"{str(path)!r} is damaged, or was changed: a predictor in it is none: {detail}") from error


def _check_columns(found: pa.Schema, wanted: pa.Schema, *, path: Path) -> None:
    for field in wanted:
        if found.get_field_index(field.name) < 0:
            raise _damaged(path, f"it has no column {field.name!r}, or several")
        kind = found.field(field.name).type
        if not kind.equals(field.type) and not _same_lists(kind, field.type):
            raise _damaged(path, f"its column {field.name!r} should be of type {field.type}, and is {kind}")
    if unknown := set(found.names) - set(wanted.names):
        raise _damaged(path, f"it has columns that nothing tells of: {', '.join(sorted(unknown))}")


def _same_lists(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether two list types differ in the name of their items alone, which other writers change."""
    return str(found).replace("element:", "item:") == str(wanted).replace("element:", "item:")


def _read(source: OpenedFile, names: Sequence[str]) -> pa.Table:
    try:
        return read_columns(source, names, times=_TIMES)
    except MemoryError:  # which pyarrow's is too
        raise
    except (pa.ArrowException, OSError) as error:
        raise _damaged(source.path, _first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


def _damaged(path: Path, detail: str) -> InputError:
    return InputError(f"{str(path)!r} is damaged, or was changed: {detail[:DETAIL_MAX]}; export it again")


def _faults_in(error: ValidationError) -> str:
    """What is wrong with the first few fields, in one line."""
    return "; ".join(map(_fault, error.errors()[:3]))


def _fault(found: Mapping[str, Any]) -> str:
    place = ".".join(map(str, found["loc"]))
    return f"it lacks {place!r}" if found["type"] == "missing" else f"{place}: {found['msg']}"


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Whatever is wrong with the values of a file is told as its damage."""
    try:
        yield
    except ValidationError as error:
        raise _damaged(path, _faults_in(error)) from error
    except (OverflowError, MemoryError) as error:
        raise _damaged(path, "a number in its metadata is too large") from error
    except KeyError as error:
        raise _damaged(path, f"it lacks {error.args[0]!r}") from error
    except (InputError, ValueError, TypeError, AttributeError, pa.ArrowException) as error:
        raise _damaged(path, _first_line(error)) from error


# -- as it was exported


def _check_unchanged(found: str, metadata: Mapping[str, Any], hierarchy: HierarchyWithCells, *, path: Path) -> None:
    """Refuse a file whose content has another digest than it says; one without a digest has to say what grew its cells."""
    wanted = metadata.get(DIGEST)
    if wanted == found:
        return
    if hierarchy.cells.predicted.any() and not metadata["growers"] and not hierarchy.former_predictors:
        raise _damaged(path, "it has predicted cells, and neither growers nor former_predictors tells what grew them")
    if wanted is not None:
        raise InputError(
            f"{str(path)!r} was changed since it was exported: expected a content with the SHA-256 "
            f"{str(wanted)[:12]}..., got {found[:12]}...; export it again (or, to have the change read by its "
            f"invariants alone, take {DIGEST!r} out of the JSON under {METADATA!r} in its metadata)"
        )


def _digest(table: pa.Table, metadata: Mapping[str, Any]) -> str:
    order, digest = pc.sort_indices(table.column("address")), ContentDigest()
    for name in table.column_names:  # one after another: memory holds one of them twice
        digest.add(name, table.column(name).take(order))
    return digest.of({name: value for name, value in metadata.items() if name != DIGEST})


# -- the cells


def _assemble(hierarchy: Hierarchy, table: pa.Table, layout: Layout, *, path: Path) -> HierarchyWithCells:
    lacking = [name for name in NEEDED if name in table.column_names and table.column(name).null_count]
    if lacking:
        raise InputError(f"some rows have no {' and no '.join(lacking)}")
    addresses = _addresses(table)
    try:
        parent, slot, level = place_addresses(addresses)
    except KeyError as missing:
        raise InputError(f"the cell {missing.args[0] or '/'} is missing, and has children") from None
    _check_edges(table, parent, slot, level)
    order, parent = breadth_first(parent, slot, level)
    rows = _Ordered(table, pa.array(order))
    addresses = [addresses[row] for row in order.tolist()]
    plain: dict[str, Any] = {name: _values(rows, name, layout.dimension) for name in PLAIN}
    cells = Cells(
        parent=parent,
        slot=slot[order],
        level=level[order],
        length=_numbers(rows, "length", otherwise=0.0),
        state=_states(rows),
        radius=_optional(rows, "radius", otherwise=np.nan),
        size=_optional(rows, "size", otherwise=-1),
        **plain,
        links=_links(rows, addresses, layout, links=hierarchy.links),
        own={name: _own(rows, column, kind) for name, column, kind in layout.own},
    )
    cells.__dict__["addresses"] = addresses  # known already: spare making them again
    placed = _cell_of_point(hierarchy, rows) if layout.points else None
    return hierarchy.with_cells(cells, cell_of_point=placed)


@dataclass(frozen=True, eq=False)
class _Ordered:
    """A table with its rows in another order; each column is put into it when it is asked for, so that few are held twice."""

    table: pa.Table
    order: pa.Array

    def __len__(self) -> int:
        return len(self.order)

    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
        return self.table.column_names

    def column(self, name: str) -> pa.ChunkedArray:
        """A column's values in the new order."""
        return self.table.column(name).take(self.order)


def _addresses(table: pa.Table) -> list[str]:
    column = table.column("address")
    in_order = column.take(pc.sort_indices(column))  # a set of a million texts would be three times as large
    if pc.any(pc.equal(in_order[1:], in_order[:-1])).as_py():
        raise InputError("an address comes twice")
    del in_order
    wrong = pc.invert(pc.match_substring_regex(column, r"^(/|(/(0|[1-9][0-9]{0,8}))+)$"))
    if pc.any(wrong).as_py():
        try:
            parse_address(column.filter(wrong)[0].as_py())
        except AddressError as error:
            raise InputError(str(error)) from None
    if not pc.any(pc.equal(column, pa.scalar("/"))).as_py():
        raise InputError("the root, the cell /, is missing")
    addresses: list[str] = column.to_numpy().tolist()
    return addresses


def _check_edges(table: pa.Table, parent: np.ndarray, slot: np.ndarray, level: np.ndarray) -> None:
    """The columns that repeat what the address says: they are there for readers, and should agree."""
    root = parent < 0
    names = table.column("address").take(pa.array(np.maximum(parent, 0), mask=root))
    wanted: dict[str, pa.ChunkedArray] = {
        "parent": names,
        "slot": pa.chunked_array([pa.array(slot, pa.int32(), mask=root)]),
        "level": pa.chunked_array([pa.array(level, pa.int32())]),
    }
    for name, values in wanted.items():
        if not table.column(name).equals(values):
            raise InputError(f"the column {name} says other than the addresses")


def _values(table: _Ordered, name: str, dimension: int) -> np.ndarray:
    if name not in table.column_names:  # vectors without a dimension
        return np.zeros((len(table), dimension))
    column = table.column(name).combine_chunks()
    if pa.types.is_fixed_size_list(column.type):
        return _flat(column, len(table), dimension)
    return np.array(column.to_numpy(zero_copy_only=False))


def _flat(column: pa.Array, count: int, dimension: int) -> np.ndarray:
    flat = pc.list_flatten(column)
    if flat.null_count:
        raise InputError("a vector lacks a number")
    return np.array(flat.to_numpy(zero_copy_only=False)).reshape(count, dimension)


def _numbers(table: _Ordered, name: str, *, otherwise: float) -> np.ndarray:
    filled = table.column(name).fill_null(otherwise)  # type: ignore[arg-type]  # the stubs want a scalar of no type
    return np.array(filled.to_numpy())


def _optional(table: _Ordered, name: str, *, otherwise: float) -> np.ndarray | None:
    return None if table.column(name).null_count == len(table) else _numbers(table, name, otherwise=otherwise)


def _states(table: _Ordered) -> np.ndarray:
    found = pc.index_in(table.column("state"), pa.array(STATE_NAMES))
    if found.null_count:
        raise InputError(f"a state is none of {', '.join(STATE_NAMES)}")
    return np.array(found.to_numpy()).astype(np.uint8)


def _own(table: _Ordered, column: str, kind: str) -> np.ndarray:
    values = table.column(column).to_pylist()
    if width_of(kind):
        return own_column(values, kind=kind)
    return own_column([None if value is None else json.loads(value) for value in values] if kind == JSON else values)


def _links(table: _Ordered, addresses: list[str], layout: Layout, *, links: int) -> Links | None:
    """The links, sorted by child, then by parent."""
    if not layout.links:
        return None
    column = table.column("links").combine_chunks()
    rows = pc.list_flatten(column)
    names = pc.struct_field(rows, "parent")
    parent = pc.index_in(names, pa.array(addresses))
    if parent.null_count:
        raise InputError("an edge from a second parent comes from a cell that is missing")
    child = np.array(pc.list_parent_indices(column).to_numpy())
    residual = pc.struct_field(rows, "residual")
    if (np.array(pc.list_value_length(residual).to_numpy(zero_copy_only=False)) != layout.dimension).any():
        raise InputError(f"the residual of an edge from a second parent has not {layout.dimension} numbers")
    numbers = [pc.struct_field(rows, name) for name in ("slot", "length")]
    if any(column.null_count for column in numbers):
        raise InputError("an edge from a second parent lacks its slot or its length")
    slot, length = (np.array(column.to_numpy()) for column in numbers)
    parent = np.array(parent.to_numpy()).astype(np.int64)
    if len(parent) != links:
        raise InputError(f"it has {len(parent)} edges from second parents, and should have {links}")
    order = np.lexsort((parent, child))
    columns = (parent, child, slot, _flat(residual, len(child), layout.dimension), length)
    return Links(*(column[order] for column in columns))


def _cell_of_point(hierarchy: Hierarchy, table: _Ordered) -> Int[np.ndarray, " points"]:
    column = table.column("points").combine_chunks()
    row = np.array(pc.list_flatten(column).to_numpy(zero_copy_only=False))
    cell = np.array(pc.list_parent_indices(column).to_numpy())
    count = hierarchy.points or 0
    if len(row) and (row.dtype.kind != "i" or row.min() < 0 or row.max() >= count or len(np.unique(row)) < len(row)):
        raise InputError(f"the data points are not numbers from 0 to {count - 1}, each in one cell")
    placed = np.full(count, -1, dtype=np.int64)
    placed[row.astype(np.int64)] = cell
    return placed
