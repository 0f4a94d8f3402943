"""Points that memory does not hold: the field of the rows of a .parquet file, or of a folder of such, read piece by piece."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int

from cfgraph.errors import InputError
from cfgraph.files.opened import show_bytes
from cfgraph.files.row_stream import RowStream
from cfgraph.formats.placements import GROUP_ROWS, write_placements
from cfgraph.model.hierarchy import FieldWithCells
from cfgraph.model.progress import Asked, shown
from cfgraph.sources.mini_batch import build_tree, check_memory, memory_needed
from cfgraph.sources.row_cells import RowCells
from cfgraph.sources.splitting import PointsBelow, Splitting, check_count, field_of_levels

METHOD = "mini-batch"
_POINT_BYTES = 64  # of a point that becomes a node, while it is written


def check_streamed(splitting: Splitting) -> None:
    """An ``InputError`` for what is done to data in memory alone."""
    if splitting.duplicates != "keep":
        raise InputError(
            f"equal points are not looked for where rows are read in pieces, so nothing can {splitting.duplicates} them; "
            "say --duplicates keep"
        )
    if splitting.pca is not None:
        raise InputError("principal components are those of data in memory; leave --pca out, or project the rows before")


def stream_points(
    stream: RowStream,
    splitting: Splitting,
    *,
    id: str,
    memory: int,
    asked: bool,
    point_nodes: bool,
    placements: Path | str | None,
    progress: Asked,
) -> FieldWithCells:
    """The field of the rows of a stream, by mini-batch k-means (:mod:`cfgraph.sources.mini_batch`).

    Args:
        stream: the rows.
        splitting: how they are split.
        id: the hierarchy's id.
        memory: bytes that reading and splitting may take.
        asked: whether the columns of the rows were asked for.
        point_nodes: whether each row is to be a node of the graph.
        placements: a file for the address of each row's cell.
        progress: is told how many rows were read, of how many in all passes.
    """
    check_count(stream.count, depth=splitting.depth, arity=splitting.arity, minimum_size=splitting.minimum_size)
    check_memory(stream, splitting, memory=memory)
    left, of_points = memory - sum(memory_needed(stream, splitting).values()), _POINT_BYTES * stream.count
    if point_nodes and of_points > left:
        raise InputError(
            f"{stream.count:,} points as nodes take {show_bytes(of_points)} of memory, and --memory leaves {show_bytes(left)}; "
            "leave --points out, and say --placements FILE for the cell of each row"
        )
    with RowCells(stream.count) as held:
        with shown(progress, f"read {stream.path}") as show:
            tree = build_tree(stream, splitting, held=held, asked=asked, show=show)
        files = f"{len(stream.files):,} files" if len(stream.files) > 1 else "one file"
        how = (
            f"mini-batch k-means over batches of {stream.batch:,} rows: {tree.passes} passes over {stream.count:,} rows in "
            f"{files}, with at most {show_bytes(memory)} of memory for them"
        )
        made = field_of_levels(
            tree.levels,
            splitting,
            id=id,
            recipe={
                "source": "points",
                "k_means": METHOD,
                "batch": stream.batch,
                "passes": tree.passes,
                "data_sha256": tree.digest,
            },
            names=stream.names,
            notes=(*stream.notes, how, *tree.notes),
            radius=lambda cells: tree.radius,
            points=PointsBelow(stream.count, point_nodes, held.read(0, stream.count) if of_points <= left else None),
        )
        if placements is not None:
            write_placements(placements, _pieces(held, stream.count), addresses=made.cells.addresses)
    return made


def _pieces(held: RowCells, count: int) -> Iterator[Int[np.ndarray, " rows"]]:
    for start in range(0, count, GROUP_ROWS):
        yield held.read(start, min(GROUP_ROWS, count - start))
