"""Parquet: all of a hierarchy in one file, a row a cell, without loss: for backup, and for moving between servers.

The columns are those of :mod:`cfgraph.formats.tables`, the rows in the order of their keys (any order is read). The file's
metadata has under ``cfgraph`` a JSON object:

    version      1
    cells        how many rows there are
    hierarchy    every field of the Hierarchy node
    own          [property, column, kind] of each property of the source's own
    growers      the predictors that grew it, with their weights in base64, and the properties of each GROWN_BY
    predicts     the id of the hierarchy that this one predicts, or null
    digest       the ContentDigest of the cells and of all of the above; earlier files have none

Each page has a checksum, so a damaged file is found out; by the digest, so is an edited one.
"""

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cfgraph.errors import InputError
from cfgraph.files.whole import whole_file
from cfgraph.formats.tables import Layout, cell_table, kinds_in

if TYPE_CHECKING:
    from cfgraph.learning.train import TrainedPredictor
    from cfgraph.model.hierarchy import Hierarchy

METADATA = "cfgraph"
DIGEST = "digest"
VERSION = 1
GROUP_BYTES = 1 << 26  # of a row group, in memory
GROUP_ROWS = 1 << 20
FRONT_CODED = ("address", "parent")  # in the order of the keys, neighbours begin alike


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

    def of(self, told: Mapping[str, Any]) -> str:
        """The digest of the cells that were added, and of this metadata."""
        cells = [[*stream, sha.hexdigest()] for stream, sha in sorted(self._streams.items())]
        return hashlib.sha256(json.dumps([cells, told], sort_keys=True).encode()).hexdigest()


Stream = tuple[tuple[str, ...], np.ndarray | pa.Buffer]


def _streams(values: pa.Array, path: tuple[str, ...]) -> Iterator[Stream]:
    """What an array holds, without what its memory happens to hold where values are null."""
    yield (*path, "there"), _plain(values.is_valid())
    if pa.types.is_list(values.type) or pa.types.is_fixed_size_list(values.type):
        yield (*path, "length"), _plain(pc.list_value_length(values))
        yield from _streams(values.flatten(), (*path, "item"))
    elif pa.types.is_struct(values.type):
        for place in range(values.type.num_fields):
            yield from _streams(pc.struct_field(values, [place]), (*path, values.type.field(place).name))
    elif pa.types.is_string(values.type):
        yield (*path, "length"), _plain(pc.binary_length(values))
        yield (*path, "text"), _joined(values.drop_null())
    elif not pa.types.is_null(values.type):
        yield (*path, "value"), _plain(values)


def _plain(values: pa.Array) -> np.ndarray:
    numbers = values.cast(pa.uint8()) if pa.types.is_boolean(values.type) else values
    return np.ascontiguousarray(pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False))


def _joined(texts: pa.Array) -> pa.Buffer:
    return pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts), "")[0].as_buffer()


class ParquetFile:
    """Writes tables of cells to an open file, in row groups of bounded size; use it in a ``with``, then :meth:`finish`."""

    def __init__(self, file: BinaryIO, layout: Layout):
        self._layout, self._waiting, self.cells = layout, list[pa.Table](), 0
        self._digest = ContentDigest()
        texts = [column for _, column, kind in layout.own if layout.schema.field(column).type == pa.string()]
        self._writer = pq.ParquetWriter(
            file,
            layout.schema,
            compression="zstd",
            use_dictionary=["state", *texts],
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
        hierarchy: "Hierarchy",
        *,
        growers: Sequence[tuple["TrainedPredictor", list[Mapping[str, Any]]]] = (),
        predicts: str | None = None,
    ) -> None:
        """Write what is left, and the hierarchy's own data."""
        self._write()
        told = {
            "version": VERSION,
            "cells": self.cells,
            "hierarchy": hierarchy.model_dump(mode="json"),
            "own": self._layout.own,
            "growers": [
                {"predictor": _predictor_record(trained), "growths": [dict(growth) for growth in growths]}
                for trained, growths in growers
            ],
            "predicts": predicts,
        }
        self._writer.add_key_value_metadata({METADATA: json.dumps({**told, DIGEST: self._digest.of(told)})})

    def _write(self) -> None:
        if self._waiting:
            table = pa.concat_tables(self._waiting).combine_chunks()
            for name in table.column_names:
                self._digest.add(name, table.column(name))
            self._writer.write_table(table, row_group_size=max(1, len(table)))
            self._waiting = []


def _predictor_record(trained: "TrainedPredictor") -> dict[str, Any]:
    record = trained.model_dump(mode="json", exclude={"weights"})
    return {**record, "weights": base64.b64encode(trained.weights).decode()}


def write_parquet(hierarchy: "Hierarchy", path: str | Path) -> None:
    """Write a hierarchy that holds its cells; ``sources.parquet`` reads the same hierarchy.

    Raises:
        InputError: for cells that a predictor grew: their predictor is in the store, so only
            :func:`cfgraph.transfer.backup.export_parquet` can write them.
    """
    if hierarchy.cells.predicted.any() and not hierarchy.former_predictors:
        raise InputError(
            f"{hierarchy.id!r} has predicted cells, and what grew them is in the store alone; write it with `cfgraph export`, "
            "or with cfgraph.transfer.backup.export_parquet"
        )
    layout = Layout.of(hierarchy, kinds=kinds_in(hierarchy))
    with whole_file(path) as file, ParquetFile(file, layout) as parquet:
        parquet.add(cell_table(hierarchy, layout=layout).sort_by("address"))
        parquet.finish(hierarchy)
