"""Data as a hierarchy: recursive k-means, every split into the same number of children.

A cell's center is the mean of its points. Slots are canonical: each tuple is matched to its parent's tuple by the
Hungarian method, and the root's children stand in the order of their first principal coordinate. Trees are ragged: a cell
with too few points, or too few different ones, is a leaf.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph import defaults
from cfgraph.checks import check_integer
from cfgraph.errors import InputError
from cfgraph.files.arrays import check_points, read_points
from cfgraph.metric.distances import subtree_radii
from cfgraph.model.address import check_id, format_address, key_of
from cfgraph.model.cells import EXPANDED, FRONTIER, LEAF, Cells
from cfgraph.model.growth import Frontier, count_cells, expand
from cfgraph.model.hierarchy import FieldWithCells
from cfgraph.sources.tuples import axis_order, largest_norm, match_slots, smallest_distance

SCALE_FACTOR_RANGE = (0.05, 0.95)  # what an estimated scale factor is kept within, so that 1 / s and 1 / (1 - s) stay sane
SCALE_FACTOR_UNKNOWN = 0.5  # where the data has a single level of children, and so no ratio of two
_STARTS = ((2_000, 10), (20_000, 4), (200_000, 2))  # up to so many points, so many starts of k-means; above, one


@dataclass(frozen=True, eq=False)
class _Level:
    """The cells of one level of the tree, in breadth-first order."""

    center: Float[np.ndarray, "cells dim"]
    size: Int[np.ndarray, " cells"]
    divisible: Bool[np.ndarray, " cells"]  # enough points, and enough different ones, for a split
    longest: str  # the address of the level's cells that has most characters


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

    Raises:
        InputError: for data that cannot be read, holds too few points or duplicates, and arguments out of their range.
    """
    check_id(id)
    numbers = _check_numbers(depth=depth, arity=arity, pca=pca, minimum_size=minimum_size, scale_depth=scale_depth, seed=seed)
    if isinstance(data, Path | str):
        table = read_points(data, key=key, columns=columns, header=header)
    else:
        table = check_points(data, where="the array")
    values, kept, remarks = _settle_duplicates(table.values, rule=duplicates)
    _check_enough(values, depth=depth, arity=arity, minimum_size=minimum_size)
    values, explained = (values, ()) if pca is None else _reduce(values, components=pca, seed=seed)
    _check_different(values, arity=arity)
    levels, cell = _build_tree(values, arity=arity, depth=depth, minimum_size=minimum_size, seed=seed)
    key_of(id, levels[-1].longest)
    factor, used, scale_notes = _estimate_scale(levels, scale_depth=scale_depth, arity=arity)
    cells = _place_cells(levels, arity=arity, scale_factor=factor)
    return FieldWithCells(
        id=id,
        origin="points",
        dimension=cells.dimension,
        arity=arity,
        scale_factor=factor,
        residual_bound=largest_norm(cells.residual),
        separation=smallest_distance(cells.expansions(arity)[1]),
        data_built=True,
        scale_depth=used,
        notes=(*table.notes, *remarks, *explained, *scale_notes),
        points=len(kept),
        point_nodes=point_nodes,
        recipe={"source": "points", "data_sha256": table.digest, "duplicates": duplicates, **numbers}
        | ({"points": True} if point_nodes else {}),
        cells=cells,
        cell_of_point=cell[kept],
    )


def _check_numbers(*, depth, arity, pca, minimum_size, scale_depth, seed) -> dict[str, int | None]:
    """The arguments that are whole numbers, checked, as the recipe has them."""
    return {
        "depth": check_integer(depth, name="depth", low=0),
        "arity": check_integer(arity, name="arity", low=2),
        "pca": None if pca is None else check_integer(pca, name="number of principal components", low=1),
        "minimum_size": check_integer(minimum_size, name="minimum size", low=1),
        "scale_depth": check_integer(scale_depth, name="scale depth", low=2),  # a ratio needs two levels
        "seed": check_integer(seed, name="seed", low=0),
    }


def _settle_duplicates(
    values: Float[np.ndarray, "points dim"], *, rule: str
) -> tuple[Float[np.ndarray, "rows dim"], Int[np.ndarray, " points"], tuple[str, ...]]:
    """The points after the rule for equal ones, the row that each became, and a remark where there were any."""
    if rule not in defaults.DUPLICATES:
        raise InputError(f"expected a rule for duplicates out of {', '.join(defaults.DUPLICATES)}, got {rule!r}")
    first, group = _group_rows(values)
    repeated = len(values) - len(first)
    if repeated == 0:
        return values, np.arange(len(values)), ()
    if rule == "refuse":
        later = int(np.flatnonzero(first[group] != np.arange(len(values)))[0])
        raise InputError(
            f"expected different points, got {repeated} of {len(values)} rows that repeat an earlier one, first row {later}, "
            f"which equals row {first[group[later]]} (counted from 0); say --duplicates keep or --duplicates drop"
        )
    if rule == "keep":
        return values, np.arange(len(values)), (f"{repeated} of {len(values)} points repeat an earlier one",)
    rows = np.sort(first)
    dropped = f"{repeated} of {len(values)} points that repeat an earlier one were dropped"
    return values[rows], np.searchsorted(rows, first[group]), (dropped,)


def _group_rows(values: Float[np.ndarray, "points dim"]) -> tuple[Int[np.ndarray, " groups"], Int[np.ndarray, " points"]]:
    """The first row of each group of equal rows, and each row's group."""
    rows = np.ascontiguousarray(values + 0.0)  # + 0.0 makes -0.0 and 0.0 one
    whole = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))[:, 0]
    _, first, group = np.unique(whole, return_index=True, return_inverse=True)
    return first, group


def _check_different(values: Float[np.ndarray, "points dim"], *, arity: int) -> None:
    different = len(_group_rows(values)[0])
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


def _reduce(
    values: Float[np.ndarray, "points dim"], *, components: int, seed: int
) -> tuple[Float[np.ndarray, "points components"], tuple[str, ...]]:
    """The points' first principal coordinates. Equal points stay equal to the last bit, which a product may not grant."""
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits

    most = min(values.shape)
    if components > most:
        raise InputError(
            f"expected at most {most} principal components of {values.shape[0]} x {values.shape[1]} values, got {components}"
        )
    with threadpool_limits(limits=1):  # sums in one order, so that every run gives the same bits
        model = PCA(n_components=components, random_state=seed)
        reduced = model.fit_transform(values)
    first, group = _group_rows(values)
    share = float(model.explained_variance_ratio_.sum())
    return reduced[first[group]], (f"the first {components} of {most} principal components hold {share:.1%} of the variance",)


def _build_tree(
    values: Float[np.ndarray, "points dim"], *, arity: int, depth: int, minimum_size: int, seed: int
) -> tuple[list[_Level], Int[np.ndarray, " points"]]:
    """The tree, level by level, down to ``depth`` or until nothing can be split; and the deepest cell of each point."""
    from threadpoolctl import threadpool_limits

    group = _group_rows(values)[1]
    clusters = [_Cluster((), np.arange(len(values)), values.mean(axis=0), None)]
    levels: list[_Level] = []
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


def _level_of(clusters: list[_Cluster], divisible: list[bool]) -> _Level:
    return _Level(
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
    label = _k_means(inside, arity=arity, seed=_seed_of(cluster.slots, seed=seed))
    size = np.bincount(label, minlength=arity)
    center = np.stack([inside[label == index].mean(axis=0) for index in range(arity)])
    family = center - cluster.center
    order = axis_order(family, weight=size) if cluster.family is None else match_slots(family, cluster.family)
    for slot, index in enumerate(order.tolist()):
        yield _Cluster((*cluster.slots, slot), cluster.members[label == index], center[index], family[order])


def _seed_of(slots: tuple[int, ...], *, seed: int) -> int:
    """A seed of the cell's own, from its address alone: no cell's split depends on when it is made."""
    return int(np.random.SeedSequence(seed, spawn_key=slots).generate_state(1)[0])


def _k_means(inside: Float[np.ndarray, "points dim"], *, arity: int, seed: int) -> Int[np.ndarray, " points"]:
    """The cluster of each point, every cluster with at least one."""
    import warnings

    from sklearn.cluster import KMeans

    starts = next((count for most, count in _STARTS if len(inside) <= most), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer clusters than asked for: that case is taken care of below
        label = KMeans(n_clusters=arity, n_init=starts, random_state=seed).fit(inside - inside.mean(axis=0)).labels_
    if len(np.unique(label)) < arity:
        return _split_by_distance(inside, arity=arity)
    return label


def _split_by_distance(inside: Float[np.ndarray, "points dim"], *, arity: int) -> Int[np.ndarray, " points"]:
    """Points so close that k-means cannot tell them apart, each with the nearest of ``arity`` that lie farthest apart."""
    distance = np.abs(inside - inside[0]).max(axis=1)
    label = np.zeros(len(inside), dtype=np.int64)
    for index in range(1, arity):
        new = np.abs(inside - inside[distance.argmax()]).max(axis=1)
        label[new < distance] = index
        distance = np.minimum(distance, new)
    return label


def _estimate_scale(levels: list[_Level], *, scale_depth: int, arity: int) -> tuple[float, int, tuple[str, ...]]:
    """``s = (m_L / m_1)^(1 / (L - 1))`` with m_l the mean displacement of level l's cells; L; and a remark if need be."""
    used = min(scale_depth, len(levels) - 1)
    first, last = (_mean_displacement(levels, level, arity=arity) for level in (1, used))
    if used < 2 or not (first > 0 and last > 0):
        return SCALE_FACTOR_UNKNOWN, used, (f"a scale factor needs two levels of children; {SCALE_FACTOR_UNKNOWN} was taken",)
    ratio = (last / first) ** (1 / (used - 1))
    factor = float(np.clip(ratio, *SCALE_FACTOR_RANGE))
    notes = () if factor == ratio else (f"the scale factor was estimated as {ratio:.3g} and set to {factor}",)
    return factor, used, notes


def _mean_displacement(levels: list[_Level], level: int, *, arity: int) -> float:
    """How far the cells of a level lie from their parents, on average; 0 where there is no such level."""
    if not 1 <= level < len(levels):
        return 0.0
    above = levels[level - 1]
    parent = np.repeat(above.center[above.divisible], arity, axis=0)
    return float(np.linalg.norm(levels[level].center - parent, axis=1).mean())


def _place_cells(levels: list[_Level], *, arity: int, scale_factor: float) -> Cells:
    """The tree as cells: each residual is what leads from the parent's center, as it was placed, to the child's mean."""
    root = Cells.from_root(levels[0].center[0])
    frontier = _root_frontier(root, arity=arity)
    placed, parents = [frontier], [np.array([-1])]
    start = 0
    for above, below in pairwise(levels):
        rows = np.flatnonzero(above.divisible)
        split = frontier.take(rows)
        offset = below.center.reshape(len(rows), arity, -1) - split.center[:, None]
        frontier = expand(split, tuples=offset / split.scale[:, None, None], scale_factor=scale_factor)
        placed.append(frontier)
        parents.append(np.repeat(start + rows, arity))
        start += len(above.size)
    return _cells_of(placed, parents=parents, levels=levels)


def _root_frontier(root: Cells, *, arity: int) -> Frontier:
    columns = {name: getattr(root, name) for name in ("center", "scale", "root_distance", "length", "level", "slot")}
    return Frontier(**columns, tuples=np.zeros((1, arity, root.dimension)), family=np.zeros(1, dtype=np.int64))


def _cells_of(placed: list[Frontier], *, parents: list[Int[np.ndarray, " cells"]], levels: list[_Level]) -> Cells:
    parent = np.concatenate(parents)
    state = np.concatenate([np.where(level.divisible, FRONTIER, LEAF) for level in levels]).astype(np.uint8)
    state[parent[1:]] = EXPANDED
    cells = Cells(
        parent=parent,
        slot=np.concatenate([part.slot for part in placed]),
        level=np.concatenate([part.level for part in placed]),
        center=np.concatenate([part.center for part in placed]),
        scale=np.concatenate([part.scale for part in placed]),
        residual=np.concatenate([part.residual for part in placed]),
        length=np.concatenate([part.length for part in placed]),
        root_distance=np.concatenate([part.root_distance for part in placed]),
        state=state,
        predicted=np.zeros(len(parent), dtype=bool),
        size=np.concatenate([level.size for level in levels]),
    )
    return cells.with_columns(radius=subtree_radii(cells))
