"""Data as a hierarchy: recursive k-means, every split into the same number of children.

A cell's center is the mean of its points. Slots are canonical: each tuple is matched to its parent's tuple by the
Hungarian method, and the root's children stand in the order of their first principal coordinate. Trees are ragged: a cell
with too few points, or too few different ones, is a leaf.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from cfgraph import defaults
from cfgraph.checks import check_integer
from cfgraph.errors import InputError
from cfgraph.files.arrays import PointTable, check_points, read_points
from cfgraph.learning.encoders import Step, dump_encoder
from cfgraph.model.address import check_id, format_address, key_of
from cfgraph.model.growth import count_cells
from cfgraph.model.hierarchy import FieldWithCells
from cfgraph.sources.duplicates import group_rows
from cfgraph.sources.k_means import k_means
from cfgraph.sources.placing import Level, estimate_scale, place_levels, point_radius
from cfgraph.sources.principal import project
from cfgraph.sources.tuples import axis_order, largest_norm, match_slots, smallest_distance


@dataclass(frozen=True, eq=False)
class _Cluster:
    """A cell while the tree is built: its points, and the tuple it is a row of (displacements, not scaled)."""

    slots: tuple[int, ...]
    members: Int[np.ndarray, " points"]
    center: Float[np.ndarray, " dim"]
    family: Float[np.ndarray, "arity dim"] | None  # None for the root


def points(
    *,
    id: str,
    data: Path | str | Float[np.ndarray, "points dim"],
    depth: int,
    arity: int = defaults.POINTS_ARITY,
    key: str | None = None,
    columns: Sequence[str] | None = None,
    header: str = defaults.HEADER_RULE,
    pca: int | None = None,
    minimum_size: int = defaults.MINIMUM_SIZE,
    scale_depth: int = defaults.SCALE_DEPTH,
    duplicates: str = defaults.DUPLICATE_RULE,
    seed: int = defaults.SEED,
    point_nodes: bool = False,
    large: bool = False,
) -> FieldWithCells:
    """The hierarchy that recursive k-means makes of points, with ``size`` and ``radius`` columns.

    The scale factor is the ratio at which the mean displacement of children shrinks from level to level, estimated from
    the levels up to ``scale_depth`` and kept between 0.05 and 0.95. At the depth limit, cells that could be split are
    frontier; cells that could not are leaves.

    Args:
        id: the hierarchy's id.
        data: a .npy, .npz, .csv or .parquet file, or an array, a row a point (images are flattened).
        depth: the deepest level.
        arity: K, the number of children of every cell that is split.
        key: the array of an .npz file; not needed where it holds one.
        columns: those of a .csv or .parquet file; all (of numbers, but for the index of a data frame) unless given.
        header: whether the first line of a .csv is one: ``yes``, ``no``, or ``auto`` where that is to be found out.
        pca: how many principal components to keep; all coordinates as they are unless given.
        minimum_size: the fewest points of a cell that is split.
        scale_depth: the deepest level that the scale factor is estimated from.
        duplicates: what equal points get: ``refuse``, ``keep`` or ``drop`` (all but the first).
        seed: of k-means; each cell's own follows from it and from its address.
        point_nodes: whether the points are to be nodes of the graph too, each IN the deepest cell that it is of.
        large: whether the file may be larger than :mod:`cfgraph.files.opened` allows.

    Raises:
        InputError: for data that cannot be read, holds too few points or duplicates, and arguments out of their range.
    """
    check_id(id)
    numbers = {"depth": depth, "arity": arity, "pca": pca, "minimum_size": minimum_size, "scale_depth": scale_depth}
    splitting = Splitting.checked(**numbers, duplicates=duplicates, seed=seed)
    if isinstance(data, Path | str):
        table = read_points(data, key=key, columns=columns, header=header, large=large)
    else:
        table = check_points(data, where="the array")
    return split_points(table, splitting, id=id, recipe={"source": "points"}, point_nodes=point_nodes)


@dataclass(frozen=True, kw_only=True)
class Splitting:
    """How points are split; :func:`points` says of each what it is."""

    depth: int
    arity: int
    pca: int | None
    minimum_size: int
    scale_depth: int
    duplicates: str
    seed: int

    @classmethod
    def checked(cls, *, depth, arity, pca, minimum_size, scale_depth, duplicates, seed) -> "Splitting":
        """The arguments, or an InputError for one that is out of its range."""
        if duplicates not in defaults.DUPLICATES:
            raise InputError(f"expected a rule for duplicates out of {', '.join(defaults.DUPLICATES)}, got {duplicates!r}")
        return cls(
            depth=check_integer(depth, name="depth", low=0),
            arity=check_integer(arity, name="arity", low=2),
            pca=None if pca is None else check_integer(pca, name="number of principal components", low=1),
            minimum_size=check_integer(minimum_size, name="minimum size", low=1),
            scale_depth=check_integer(scale_depth, name="scale depth", low=2),  # a ratio needs two levels
            seed=check_integer(seed, name="seed", low=0),
            duplicates=duplicates,
        )

    @property
    def numbers(self) -> dict[str, int | None]:
        """Those that are whole numbers, as recipes have them."""
        return {name: value for name, value in asdict(self).items() if name != "duplicates"}


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
    _check_different(values, arity=arity)
    levels, cell = _build_tree(values, arity=arity, depth=depth, minimum_size=minimum_size, seed=seed)
    key_of(id, levels[-1].longest)
    factor, used, scale_notes = estimate_scale(levels, scale_depth=splitting.scale_depth, arity=arity)
    cells = place_levels(levels, arity=arity, scale_factor=factor)
    return FieldWithCells(
        id=id,
        origin=recipe["source"],
        dimension=cells.dimension,
        arity=arity,
        scale_factor=factor,
        residual_bound=largest_norm(cells.residual),
        separation=smallest_distance(cells.expansions(arity)[1]),
        data_built=True,
        scale_depth=used,
        point_radius=point_radius(cells, values, cell),
        notes=(*table.notes, *remarks, *explained, *scale_notes),
        points=len(kept),
        point_nodes=point_nodes,
        recipe={**recipe, "data_sha256": table.digest, "duplicates": splitting.duplicates, **splitting.numbers}
        | ({"points": True} if point_nodes else {}),
        cells=cells,
        cell_of_point=cell[kept],
        point_names=None if names is None else tuple(names),
        encoder=dump_encoder(*steps) if steps else None,
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


def _check_different(values: Float[np.ndarray, "points dim"], *, arity: int) -> None:
    different = len(group_rows(values)[0])
    if different < arity:
        raise InputError(f"expected at least {arity} different points, one for each child of the root, got {different}")


def _check_enough(values: Float[np.ndarray, "points dim"], *, depth: int, arity: int, minimum_size: int) -> None:
    _check_different(values, arity=arity)
    if len(values) < minimum_size:
        raise InputError(
            f"expected at least {minimum_size} points, the minimum size of a cell that is split, got {len(values)}"
        )
    reachable = (len(values) - 1) // (arity - 1)
    if depth > reachable:
        digits = depth * math.log10(arity)
        total = f"{count_cells(1, arity=arity, levels=depth):,}" if digits < 15 else f"about 10^{digits:.0f}"
        raise InputError(
            f"a full tree of depth {depth} and arity {arity} would be {total} cells, and no tree of {len(values)} points is "
            f"deeper than {reachable}; ask for a smaller depth"
        )


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
    label = k_means(inside, arity=arity, seed=_seed_of(cluster.slots, seed=seed))
    size = np.bincount(label, minlength=arity)
    center = np.stack([inside[label == index].mean(axis=0) for index in range(arity)])
    family = center - cluster.center
    order = axis_order(family, weight=size) if cluster.family is None else match_slots(family, cluster.family)
    for slot, index in enumerate(order.tolist()):
        yield _Cluster((*cluster.slots, slot), cluster.members[label == index], center[index], family[order])


def _seed_of(slots: tuple[int, ...], *, seed: int) -> int:
    """A seed of the cell's own, from its address alone: no cell's split depends on when it is made."""
    return int(np.random.SeedSequence(seed, spawn_key=slots).generate_state(1)[0])
