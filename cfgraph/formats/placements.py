"""Placements: the cell of each row that a hierarchy was made of, as a Parquet file: ``row`` and ``address``, a row each."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Int
from pyarrow import parquet

from cfgraph.files.whole import whole_file

GROUP_ROWS = 1 << 20
_FIELDS: dict[str, pa.DataType] = {"row": pa.int64(), "address": pa.string()}
SCHEMA = pa.schema(_FIELDS)


def write_placements(path: Path | str, cells: Iterable[Int[np.ndarray, " rows"]], *, addresses: Sequence[str]) -> None:
    """Write the addresses of the cells of all rows, which come some at a time; the file is there whole or not at all.

    Args:
        path: the file.
        cells: of the next rows the numbers of the cells that they lie in.
        addresses: of all cells.

    Raises:
        InputError: for a place that cannot be written.
    """
    names = pa.array(addresses, pa.string())
    start = 0
    with whole_file(path) as file, parquet.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        for some in cells:
            rows = pa.array(np.arange(start, start + len(some)))
            table = pa.table([rows, names.take(pa.array(some))], schema=SCHEMA)
            writer.write_table(table, row_group_size=GROUP_ROWS)
            start += len(some)
