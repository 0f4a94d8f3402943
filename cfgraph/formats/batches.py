"""Batches in a Parquet file: new data that was placed, beside the cells, in the file's metadata.

The entry of a batch in the JSON under ``cfgraph`` has its record (``name, rows, digest, names_sha256, beam, cells, created,
version``), the number of its ``parts``, and ``sha256``, that of these parts, one after the other. A part of batch i, in base64
under ``cfgraph.batch.i.0``, ``.1``, ..., is a stream of Arrow's with a row a point: ``row, address`` (as a dictionary),
``name, distance, margin, outside``. It is not compressed, so that the file's size says what reading it takes.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from cfgraph.errors import InputError
from cfgraph.model.batch import Batch

BATCH = "cfgraph.batch"
PARTS_MAX = 1_000_000
RECORD = ("name", "rows", "digest", "names_sha256", "beam", "cells", "created", "version")
SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("address", pa.dictionary(pa.int32(), pa.string())),
        ("name", pa.string()),
        ("distance", pa.float64()),
        ("margin", pa.float64()),
        ("outside", pa.bool_()),
    ]
)
Pages = Iterable[
    Mapping[str, Sequence[Any]]
]  # of points: columns called as above, a name empty and a margin NaN where there is none


class BatchEntry(BaseModel):
    """The metadata's entry of a batch."""

    model_config = ConfigDict(extra="forbid")

    name: str
    rows: Annotated[int, Field(strict=True, ge=1)]
    digest: str
    names_sha256: str | None = None
    beam: Annotated[int, Field(strict=True, ge=1)]
    cells: Annotated[int, Field(strict=True, ge=1)] | None = None
    created: datetime
    version: str
    parts: Annotated[int, Field(strict=True, ge=1, le=PARTS_MAX)]
    sha256: str


@dataclass(frozen=True, eq=False)
class PlacedPoints:
    """A batch as a file has it: its record, and its points in the order of their rows."""

    batch: Batch
    points: pa.Table


def entry_of(batch: Batch, pages: Pages, *, number: int) -> Iterator[tuple[str, str] | dict[str, Any]]:
    """The keys and values of a batch's parts, one after the other, and then its entry."""
    whole, parts = hashlib.sha256(), 0
    for page in pages:
        part = _encoded(page)
        whole.update(part)
        yield f"{BATCH}.{number}.{parts}", base64.b64encode(part).decode()
        parts += 1
    record = batch.model_dump(mode="json", include=set(RECORD))
    yield {**record, "parts": parts, "sha256": whole.hexdigest()}


def _encoded(page: Mapping[str, Sequence[Any]]) -> bytes:
    columns = {
        "row": pa.array(page["row"], pa.int64()),
        "address": pa.array(page["address"], pa.string()).dictionary_encode(),
        "name": pa.array([name or None for name in page["name"]], pa.string()),
        "distance": pa.array(page["distance"], pa.float64()),
        "margin": pa.array([None if margin != margin else margin for margin in page["margin"]], pa.float64()),
        "outside": pa.array(page["outside"], pa.bool_()),
    }
    table = pa.table(columns, schema=SCHEMA)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def read_batch(
    entry: BatchEntry, known: Mapping[bytes, bytes], *, number: int, id: str, addresses: Iterable[str]
) -> PlacedPoints:
    """A batch out of a file's metadata, checked; ``addresses`` are those of the cells.

    Raises:
        InputError: for parts that are missing or another batch's, and points that are none of it.
    """
    parts = [_part(known, f"{BATCH}.{number}.{part}", name=entry.name) for part in range(entry.parts)]
    if hashlib.sha256(b"".join(parts)).hexdigest() != entry.sha256:
        raise InputError(f"batch {entry.name!r} is another one than was exported")
    try:
        table = pa.concat_tables([_decoded(part, name=entry.name) for part in parts]).unify_dictionaries()
        table = table.combine_chunks().sort_by("row")
    except pa.ArrowException as error:
        raise InputError(f"a part of batch {entry.name!r} is no stream of points: {str(error)[:100]}") from error
    batch = Batch(
        hierarchy=id,
        name=entry.name,
        rows=entry.rows,
        done=entry.rows,
        digest=entry.digest,
        names_sha256=entry.names_sha256,
        beam=entry.beam,
        cells=entry.cells,
        state="placed",
        created=entry.created,
        version=entry.version,
        token="",
    )
    _check(table, batch, addresses=addresses)
    return PlacedPoints(batch, table)


def _part(known: Mapping[bytes, bytes], key: str, *, name: str) -> bytes:
    text = known.get(key.encode())
    if text is None:
        raise InputError(f"parts of batch {name!r} are missing")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise InputError(f"a part of batch {name!r} is no base64") from None


def _decoded(part: bytes, *, name: str) -> pa.Table:
    with pa.ipc.open_stream(part) as stream:
        if not stream.schema.equals(SCHEMA):
            raise InputError(f"a part of batch {name!r} has other columns than {', '.join(SCHEMA.names)}")
        table = stream.read_all()
    table.validate(full=True)
    return table


def _check(table: pa.Table, batch: Batch, *, addresses: Iterable[str]) -> None:
    """Refuse what a batch never is."""
    rows = table.column("row")
    if len(table) != batch.rows or rows.null_count or not np.array_equal(rows.to_numpy(), np.arange(batch.rows)):
        raise InputError(f"the points of batch {batch.name!r} are not the rows 0 to {batch.rows - 1}, each once")
    lacking = [name for name in ("address", "distance", "outside") if table.column(name).null_count]
    if lacking:
        raise InputError(f"some points of batch {batch.name!r} have no {lacking[0]}")
    used = set(pc.unique(table.column("address").cast(pa.string())).to_pylist())
    if unknown := used - set(addresses):
        raise InputError(f"a point of batch {batch.name!r} lies in {min(map(str, unknown))!r}, which is no cell")
    distance, margin = table.column("distance").to_numpy(), table.column("margin").drop_null().to_numpy()
    if not (np.isfinite(distance).all() and (distance >= 0).all() and np.isfinite(margin).all()):
        raise InputError(f"a distance or a margin of batch {batch.name!r} is no finite number")
    names = table.column("name")
    found = (
        None if names.null_count == len(names) else hashlib.sha256("\n".join(map(str, names.to_pylist())).encode()).hexdigest()
    )
    if found != batch.names_sha256 or (found is not None and names.null_count):
        raise InputError(f"the points of batch {batch.name!r} have other names than they were placed with")
