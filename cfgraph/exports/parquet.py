"""Parquet: all of a hierarchy in one file, a row a cell, without loss: for backup, and for moving between servers.

The columns are those of :mod:`cfgraph.exports.tables`, the rows in any order (from the store: by key). The file's metadata
has under ``cfgraph`` a JSON object:

    version      1
    cells        how many rows there are
    hierarchy    every field of the Hierarchy node
    own          [property, column, kind] of each property of the source's own
    growers      the predictors that grew it, with their weights in base64, and the properties of each GROWN_BY
    predicts     the id of the hierarchy that this one predicts, or null

Each page has a checksum, so a damaged file is found out.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import pyarrow as pa
import pyarrow.parquet as pq

from cfgraph.errors import InputError
from cfgraph.exports.files import whole_file
from cfgraph.exports.tables import Layout, cell_table, kinds_in

if TYPE_CHECKING:
    from cfgraph.hierarchy import Hierarchy
    from cfgraph.train import TrainedPredictor

METADATA = "cfgraph"
VERSION = 1
GROUP_BYTES = 1 << 26  # of a row group, in memory
GROUP_ROWS = 1 << 20
FRONT_CODED = ("address", "parent")  # in the order of the keys, neighbours begin alike


class ParquetFile:
    """Writes tables of cells to an open file, in row groups of bounded size; use it in a ``with``, then :meth:`finish`."""

    def __init__(self, file: BinaryIO, layout: Layout):
        self._layout, self._waiting, self.cells = layout, list[pa.Table](), 0
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
        """Write cells, once there are enough for a row group."""
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
        self._writer.add_key_value_metadata({METADATA: json.dumps(told)})

    def _write(self) -> None:
        if self._waiting:
            table = pa.concat_tables(self._waiting).combine_chunks()
            self._writer.write_table(table, row_group_size=max(1, len(table)))
            self._waiting = []


def _predictor_record(trained: "TrainedPredictor") -> dict[str, Any]:
    record = trained.model_dump(mode="json", exclude={"weights"})
    return {**record, "weights": base64.b64encode(trained.weights).decode()}


def write_parquet(hierarchy: "Hierarchy", path: str | Path) -> None:
    """Write a hierarchy that holds its cells; ``sources.parquet`` reads the same hierarchy.

    Raises:
        InputError: for cells that a predictor grew: their predictor is in the store, so only
            :func:`cfgraph.backup.export_parquet` can write them.
    """
    if hierarchy.cells.predicted.any() and not hierarchy.former_predictors:
        raise InputError(
            f"{hierarchy.id!r} has predicted cells, and what grew them is in the store alone; write it with `cfgraph export`, "
            "or with cfgraph.backup.export_parquet"
        )
    layout = Layout.of(hierarchy, kinds=kinds_in(hierarchy))
    with whole_file(path) as file, ParquetFile(file, layout) as parquet:
        parquet.add(cell_table(hierarchy, layout=layout))
        parquet.finish(hierarchy)
