"""Data as a hierarchy: recursive k-means, every split into the same number of children.

A cell's center is the mean of its points. Slots are canonical: each tuple is matched to its parent's tuple by the
Hungarian method, and the root's children stand in the order of their first principal coordinate. Trees are ragged: a cell
with too few points, or too few different ones, is a leaf.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from cfgraph import defaults
from cfgraph.checks import check_bytes, check_integer
from cfgraph.errors import InputError
from cfgraph.files.arrays import PointTable, Reading, points_of
from cfgraph.files.row_stream import RowStream
from cfgraph.files.whole import check_place
from cfgraph.learning.encoders import Step
from cfgraph.model.address import check_id, format_address
from cfgraph.model.hierarchy import FieldWithCells
from cfgraph.model.progress import Asked
from cfgraph.moved import renamed
from cfgraph.sources.duplicates import group_rows
from cfgraph.sources.k_means import k_means
from cfgraph.sources.placing import Level, point_radius
from cfgraph.sources.principal import project
from cfgraph.sources.splitting import (
    PointsBelow,
    Splitting,
    check_count,
    check_different,
    field_of_levels,
    seed_of,
)
from cfgraph.sources.tuples import axis_order, match_slots


@dataclass(frozen=True, eq=False)
class _Cluster:
    """A cell while the tree is built: its points, and the tuple it is a row of (displacements, not scaled)."""

    slots: tuple[int, ...]
    members: Int[np.ndarray, " points"]
    center: Float[np.ndarray, " dim"]
    family: Float[np.ndarray, "arity dim"] | None  # None for the root


@renamed(point_nodes="points")
def points(
    data: Path | str | Float[np.ndarray, "points dim"],
    *,
    id: str = "points",
    depth: int | None = None,
    arity: int = defaults.POINTS_ARITY,
    key: str | None = None,
    columns: Sequence[str] | None = None,
    header: str = defaults.HEADER_RULE,
    separator: str | None = None,
    decimal: str | None = None,
    pca: int | None = None,
    minimum_size: int = defaults.MINIMUM_SIZE,
    scale_depth: int = defaults.SCALE_DEPTH,
    duplicates: str = defaults.DUPLICATE_RULE,
    seed: int = defaults.SEED,
    points: bool = False,
    memory: str | int | None = None,
    batch: int = defaults.POINT_BATCH,
    placements: Path | str | None = None,
    large: bool = False,
    progress: Asked = None,
) -> FieldWithCells:
    """The hierarchy that recursive k-means makes of points, with ``size`` and ``radius`` columns.

    The scale factor is the ratio at which the mean displacement of children shrinks from level to level, estimated from
    the levels up to ``scale_depth`` and kept between 0.05 and 0.95. At the depth limit, cells that could be split are
    frontier; cells that could not are leaves.

    Args:
        id: the hierarchy's id.
        data: a file, an array, a tensor or a data frame, a row a point (images are flattened).
        depth: the deepest level.
        arity: K, the number of children of every cell that is split.
        key: the array of an .npz file; not needed where it holds one.
        columns: those of a table; all (of numbers, but for the index of a data frame) unless given.
        header: whether the first line of a table of text is one: ``yes``, ``no``, or ``auto`` where that is to be found out.
        separator: what stands between the cells of a table of text, a character or ``comma``, ``semicolon``, ``tab``, ``bar``,
            ``blanks``; found unless given.
        decimal: the sign before the decimals of numbers in a table of text, ``.`` or ``,``; found unless given.
        pca: how many principal components to keep; all coordinates as they are unless given.
        minimum_size: the fewest points of a cell that is split.
        scale_depth: the deepest level that the scale factor is estimated from.
        duplicates: what equal points get: ``refuse``, ``keep`` or ``drop`` (all but the first).
        seed: of k-means; each cell's own follows from it and from its address.
        points: whether the points are to be nodes of the graph too, each IN the deepest cell that it is of.
        memory: bytes, or a size such as ``512MB``: a .parquet file is read in pieces, several times, and so much held at most
            beside Python itself. A folder of such files always is (512MB unless given), in the order of their names.
        batch: rows of each batch of the k-means of such data.
        placements: a .parquet file for the cell of each row, with columns ``row`` and ``address``.
        large: whether the file may be larger than :mod:`cfgraph.files.opened` allows.
        progress: of data that is read in pieces: how many rows were read, of how many in all passes.

    Raises:
        InputError: for data that cannot be read, holds too few points or duplicates, and arguments out of their range; of data
            that is read in pieces also for files that are of different columns or change meanwhile, and for too little memory.
    """
    check_id(id)
    if placements is not None:
        check_place(placements)
    numbers = {"depth": depth, "arity": arity, "pca": pca, "minimum_size": minimum_size, "scale_depth": scale_depth}
    splitting = Splitting.checked(**numbers, duplicates=duplicates, seed=seed)
    reading: dict[str, Any] = {
        "key": key,
        "columns": columns,
        "header": header,
        "separator": separator,
        "decimal": decimal,
        "large": large,
    }
    if memory is not None or (isinstance(data, Path | str) and Path(data).is_dir()):
        from cfgraph.sources.streamed import stream_points

        stream = _stream_of(data, splitting, batch=batch, **reading)
        held = check_bytes(defaults.MEMORY if memory is None else memory, name="memory")
        told: dict[str, Any] = {"asked": columns is not None, "placements": placements, "progress": progress}
        return stream_points(stream, splitting, id=id, memory=held, point_nodes=points, **told)
    table = points_of(data, **reading)
    made = split_points(table, splitting, id=id, recipe={"source": "points"}, point_nodes=points)
    if placements is not None:
        from cfgraph.formats.placements import write_placements

        assert made.cell_of_point is not None
        write_placements(placements, [made.cell_of_point], addresses=made.cells.addresses)
    return made


def _stream_of(data: Any, splitting: Splitting, *, batch: int, columns: Sequence[str] | None, **reading: Any) -> RowStream:
    """Data to be read in pieces; an ``InputError`` for what is not."""
    from cfgraph.sources.streamed import check_streamed

    if not isinstance(data, Path | str):
        raise InputError("memory bounds what is read of files, and the array is in memory already; leave --memory out")
    large = reading.pop("large")
    if large:
        raise InputError("--large is about files that are read whole, and this is read in pieces; leave it out, or --memory")
    Reading(columns=columns, **reading).check("parquet", path=Path(data), what="points")
    check_streamed(splitting)
    return RowStream.of(data, columns=columns, batch=check_integer(batch, name="batch", low=1))


def split_points(
    table: PointTable,
    splitting: Splitting,
    *,
    id: str,
    recipe: dict[str, Any],
    point_nodes: bool,
    before: tuple[Step, ...] = (),
    names: Sequence[str] | None = None,
) -> FieldWithCells:
    """The same of points that were read. ``before`` is what was done to them until then, ``names`` are theirs."""
    depth, arity, seed, minimum_size = splitting.depth, splitting.arity, splitting.seed, splitting.minimum_size
    values, kept, remarks = _settle_duplicates(table.values, rule=splitting.duplicates, names=names)
    _check_enough(values, depth=depth, arity=arity, minimum_size=minimum_size)
    steps, explained = before, tuple[str, ...]()
    if splitting.pca is not None:
        values, projection, remark = project(values, components=splitting.pca, seed=seed)
        steps, explained = (*before, projection), (remark,)
    check_different(len(group_rows(values)[0]), arity=arity)
    levels, cell = _build_tree(values, arity=arity, depth=depth, minimum_size=minimum_size, seed=seed)
    return field_of_levels(
        levels,
        splitting,
        id=id,
        recipe={**recipe, "data_sha256": table.digest},
        names=table.columns,
        notes=(*table.notes, *remarks, *explained),
        radius=lambda cells: point_radius(cells, values, cell),
        points=PointsBelow(len(kept), point_nodes, cell[kept], names),
        steps=steps,
    )


def _settle_duplicates(
    values: Float[np.ndarray, "points dim"], *, rule: str, names: Sequence[str] | None
) -> tuple[Float[np.ndarray, "rows dim"], Int[np.ndarray, " points"], tuple[str, ...]]:
    """The points after the rule for equal ones, the row that each became, and a remark where there were any."""
    first, group = group_rows(values)
    repeated = len(values) - len(first)
    if repeated == 0:
        return values, np.arange(len(values)), ()
    if rule == "refuse":
        later = int(np.flatnonzero(first[group] != np.arange(len(values)))[0])
        if names is not None:
            one, other = names[later], names[first[group[later]]]
            raise InputError(
                f"expected different images, got {repeated} of {len(values)} that repeat an earlier one, the first {one!r}, "
                f"which is to the encoder as {other!r}; say --duplicates keep or --duplicates drop"
            )
        raise InputError(
            f"expected different points, got {repeated} of {len(values)} rows that repeat an earlier one, first row {later}, "
            f"which equals row {first[group[later]]} (counted from 0); say --duplicates keep or --duplicates drop"
        )
    if rule == "keep":
        return values, np.arange(len(values)), (f"{repeated} of {len(values)} points repeat an earlier one",)
    rows = np.sort(first)
    dropped = f"{repeated} of {len(values)} points that repeat an earlier one were dropped"
    return values[rows], np.searchsorted(rows, first[group]), (dropped,)


def _check_enough(values: Float[np.ndarray, "points dim"], *, depth: int, arity: int, minimum_size: int) -> None:
    check_different(len(group_rows(values)[0]), arity=arity)
    check_count(len(values), depth=depth, arity=arity, minimum_size=minimum_size)


def _build_tree(
    values: Float[np.ndarray, "points dim"], *, arity: int, depth: int, minimum_size: int, seed: int
) -> tuple[list[Level], Int[np.ndarray, " points"]]:
    """The tree, level by level, down to ``depth`` or until nothing can be split; and the deepest cell of each point."""
    from threadpoolctl import threadpool_limits

    group = group_rows(values)[1]
    clusters = [_Cluster((), np.arange(len(values)), values.mean(axis=0), None)]
    levels: list[Level] = []
    cell, rows = np.zeros(len(values), dtype=np.int64), 0
    with threadpool_limits(limits=1):  # k-means sums over threads in the order they finish
        while True:
            divisible = [_is_divisible(cluster, group=group, arity=arity, minimum_size=minimum_size) for cluster in clusters]
            levels.append(_level_of(clusters, divisible))
            for row, cluster in enumerate(clusters, start=rows):
                cell[cluster.members] = row
            rows += len(clusters)
            if len(levels) > depth or not any(divisible):
                return levels, cell
            split = (cluster for cluster, fit in zip(clusters, divisible, strict=True) if fit)
            clusters = [child for cluster in split for child in _split(cluster, values, arity=arity, seed=seed)]


def _level_of(clusters: list[_Cluster], divisible: list[bool]) -> Level:
    return Level(
        center=np.stack([cluster.center for cluster in clusters]),
        size=np.array([len(cluster.members) for cluster in clusters]),
        divisible=np.array(divisible),
        longest=max((format_address(cluster.slots) for cluster in clusters), key=len),
    )


def _is_divisible(cluster: _Cluster, *, group: Int[np.ndarray, " points"], arity: int, minimum_size: int) -> bool:
    enough = len(cluster.members) >= max(arity, minimum_size)
    return enough and len(np.unique(group[cluster.members])) >= arity


def _split(cluster: _Cluster, values: Float[np.ndarray, "points dim"], *, arity: int, seed: int) -> Iterator[_Cluster]:
    """A cell's children in canonical slot order."""
    inside = values[cluster.members]
    label = k_means(inside, arity=arity, seed=seed_of(cluster.slots, seed=seed))
    size = np.bincount(label, minlength=arity)
    center = np.stack([inside[label == index].mean(axis=0) for index in range(arity)])
    family = center - cluster.center
    order = axis_order(family, weight=size) if cluster.family is None else match_slots(family, cluster.family)
    for slot, index in enumerate(order.tolist()):
        yield _Cluster((*cluster.slots, slot), cluster.members[label == index], center[index], family[order])
