"""Cut: flat clusters from a hierarchy, the verb. The mathematics lies in ``flat.py`` and in :mod:`cfgraph.model.condensed`.

The points are those that the hierarchy knows (``cfgraph.judging.leaves``), else its leaves.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from cfgraph.checks import check_integer
from cfgraph.errors import InputError
from cfgraph.files.whole import check_place, whole_file
from cfgraph.judging.dendrogram import Dendrogram
from cfgraph.judging.flat import cut_height, cut_largest, cut_level, cut_sizes, cut_threshold
from cfgraph.judging.leaves import HEIGHT, Leaves, heights_of
from cfgraph.model.condensed import MINIMUM, CondensedTree, Selection, condense_tree, densities
from cfgraph.model.hierarchy import HierarchyWithCells
from cfgraph.sources.stability import OF_CLUSTERS, SELECTION

if TYPE_CHECKING:
    from cfgraph.store import Store

SEPARATORS = {".csv": ",", ".tsv": "\t"}
WAYS = ("clusters", "height", "level", "persistence", "sizes")


@dataclass(frozen=True, eq=False)
class FlatClusters:
    """A flat clustering of a hierarchy's points, which numpy takes for the array of its ``labels``.

    ``labels[i]`` is the number of the cluster of point i, -1 for noise; ``rows`` of each cluster's cell, by number.
    ``probabilities``, of each point, and ``persistence``, of each cluster, are those of HDBSCAN; None where a cut has none.
    """

    labels: Int[np.ndarray, " points"]
    rows: Int[np.ndarray, " clusters"]
    probabilities: Float[np.ndarray, " points"] | None
    persistence: Float[np.ndarray, " clusters"] | None
    leaves: Leaves
    notes: tuple[str, ...] = ()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.labels, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[int]:
        return iter(self.labels.tolist())

    def __repr__(self) -> str:
        noise = int((self.labels < 0).sum())
        return f"<{len(self.rows):,} flat clusters of {len(self):,} points of {self.leaves.hierarchy.id!r}, {noise:,} noise>"

    @cached_property
    def cells(self) -> list[str]:
        """The address of each cluster's cell: all points of a cluster lie at and below it."""
        addresses = self.leaves.hierarchy.cells.addresses
        return [addresses[row] for row in self.rows.tolist()]

    @cached_property
    def names(self) -> list[str | None]:
        """What each cluster's cell is called."""
        names = self.leaves.hierarchy.cells.names
        return [None if names is None else names[row] for row in self.rows.tolist()]

    @property
    def sizes(self) -> Int[np.ndarray, " clusters"]:
        """How many points each cluster has."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self.rows))

    @property
    def of_cells(self) -> Int[np.ndarray, " cells"]:
        """The label of each cell: of a cluster's own and of all below it, but for other clusters' there; -1 elsewhere."""
        cells = self.leaves.hierarchy.cells
        label = np.full(len(cells), -1, dtype=np.int64)
        label[self.rows] = np.arange(len(self.rows))
        for level in range(int(cells.level[0]) + 1, cells.depth + 1):
            rows = cells.level_rows(level)
            label[rows] = np.where(label[rows] < 0, label[cells.parent[rows]], label[rows])
        return label

    @property
    def what(self) -> str:
        """What the points are: data points, or leaves where no data is known."""
        return "points" if self.leaves.by_row else "leaves"

    def save(self, path: Path | str) -> None:
        """Write :meth:`point_table` as .csv, .tsv or .parquet, or the labels alone as .npy."""
        suffix = check_labels_file(path)
        with whole_file(path) as file:
            if suffix == ".npy":
                buffer = BytesIO()  # a pipe cannot be asked for its position, which numpy does
                np.save(buffer, self.labels, allow_pickle=False)
                file.write(buffer.getbuffer())
            elif suffix == ".parquet":
                import pyarrow as pa
                from pyarrow import parquet

                parquet.write_table(pa.table(self.point_table()), file)
            else:
                table = self.point_table()
                text = TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
                writer = csv.writer(text, delimiter=SEPARATORS[suffix], lineterminator="\n")
                writer.writerow(table)
                writer.writerows(zip(*table.values(), strict=True))
                text.detach()

    def point_table(self) -> dict[str, list[Any]]:
        """A row a point: its number ``row``, the ``cell`` that it lies in, its ``name``, ``label``, and ``probability``."""
        addresses, names = self.leaves.hierarchy.cells.addresses, self.leaves.hierarchy.point_names or self.leaves.names
        table: dict[str, list[Any]] = {
            "row": list(range(len(self))),
            "cell": [None if cell < 0 else addresses[cell] for cell in self.leaves.cell.tolist()],
            "name": list(names),
            "label": self.labels.tolist(),
        }
        return table if self.probabilities is None else {**table, "probability": self.probabilities.tolist()}

    def cluster_table(self) -> dict[str, list[Any]]:
        """A row a cluster: its ``label``, ``cell``, ``name``, ``points``; ``stability`` and ``persistence`` if known."""
        table: dict[str, list[Any]] = {
            "label": list(range(len(self.rows))),
            "cell": self.cells,
            "name": self.names,
            "points": self.sizes.tolist(),
        }
        own = self.leaves.hierarchy.cells.own
        if set(OF_CLUSTERS) <= own.keys():
            table["stability"] = np.asarray(own["stability"], dtype=np.float64)[self.rows].tolist()
        return table if self.persistence is None else {**table, "persistence": self.persistence.tolist()}


def check_labels_file(path: Path | str) -> str:
    """The suffix of a file that labels can be written to; an ``InputError`` for another one, and a place that is none."""
    suffix = check_place(path).suffix.lower()
    if suffix not in (*SEPARATORS, ".parquet", ".npy"):
        raise InputError(f"expected a file .csv, .tsv, .parquet or .npy for the labels, got {str(path)!r}; rename it")
    return suffix


def cut(
    hierarchy: "HierarchyWithCells | Store",
    id: str | None = None,
    *,
    clusters: int | None = None,
    height: float | int | None = None,
    level: int | None = None,
    persistence: bool = False,
    sizes: tuple[int, int] | str | None = None,
    minimum_size: int | None = None,
    method: str | None = None,
    allow_single: bool | None = None,
    epsilon: float | int | None = None,
    as_property: str | None = None,
) -> FlatClusters:
    """Flat clusters of a hierarchy, one of five ways.

    Args:
        hierarchy: a hierarchy with its cells; or a store, and the ``id`` of one.
        id: of the hierarchy in the store.
        clusters: at most so many. Where cells have heights the lowest height at which there are no more, exactly as SciPy's
            ``fcluster(Z, clusters, "maxclust")``; else the cluster of most points is split, again and again
            (:func:`cfgraph.judging.flat.cut_largest`).
        height: every merge above it is undone, as ``fcluster(Z, height, "distance")`` does. Without heights that of a cell is
            its radius, the longest way down.
        level: the ancestors of the points at that level are the clusters.
        persistence: the clusters of most stability, as HDBSCAN takes them (excess of mass).
        sizes: ``(MIN, MAX)`` or ``"MIN..MAX"``: the highest cells of so many points.
        minimum_size: of clusters by ``persistence``, HDBSCAN's ``min_cluster_size``; 5 unless given, and that of the tree where
            it is a condensed one.
        method: ``eom`` or ``leaf``, HDBSCAN's ``cluster_selection_method``. It and the two below are, unless given, as in the
            HDBSCAN that made the hierarchy.
        allow_single: whether all points may be one cluster.
        epsilon: HDBSCAN's ``cluster_selection_epsilon``.
        as_property: keep the labels in the store: a property of this name of each cluster's cell and of all cells below.

    Raises:
        InputError: for none of the five ways or several, options of another way, a tree that lacks what the way needs (heights,
            one parent a cell), and numbers out of range.
        NotFoundError: for an id that the store does not hold.
        VanishedError: where the hierarchy is removed while labels are kept.
    """
    way = _way(clusters=clusters, height=height, level=level, persistence=persistence or None, sizes=sizes)
    asked = {"minimum_size": minimum_size, "method": method, "allow_single": allow_single, "epsilon": epsilon}
    given = [name for name, value in asked.items() if value is not None]
    if given and way != "persistence":
        raise InputError(f"{given[0]} is about cuts by persistence, and does not go with {way}")
    store, whole = _whole(hierarchy, id)
    if as_property is not None and store is None:
        raise InputError("as_property keeps labels in a store; cut a hierarchy there: cut(store, id, ...)")
    if way == "persistence":
        selection = _selection(whole, method=method, allow_single=allow_single, epsilon=epsilon)
        found = _cut_persistence(whole, selection, minimum=minimum_size)
    else:
        found = _cut_tree(whole, clusters=clusters, height=height, level=level, sizes=sizes)
    if as_property is not None:
        assert store is not None
        found_by = next((value for value in (clusters, height, level, sizes) if value is not None), True)
        store.keep_cut(whole, as_property, found.of_cells, about=_told({way: found_by, **asked}))
    return found


def count_points(hierarchy: HierarchyWithCells) -> int:
    """How many points a cut of a hierarchy is of."""
    return int((Leaves.of(hierarchy).cell >= 0).sum())


def _way(**ways: Any) -> str:
    given = [name for name, value in ways.items() if value is not None]
    if len(given) != 1:
        detail = " and ".join(given) or "none"
        raise InputError(f"expected one way to cut, out of {', '.join(WAYS)}, got {detail}")
    return given[0]


def _told(asked: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, as JSON has it."""
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in asked.items()}
    return {name: [int(one) for one in value] if isinstance(value, tuple) else value for name, value in plain.items()}


def _whole(hierarchy: "HierarchyWithCells | Store", id: str | None) -> "tuple[Store | None, HierarchyWithCells]":
    if hasattr(hierarchy, "require_cells"):
        if id is not None:
            raise InputError(f"expected a store before the id {id!r}, got a hierarchy; leave the id out")
        return None, hierarchy.require_cells()
    if not hasattr(hierarchy, "read_whole"):
        raise InputError(f"expected a hierarchy with its cells, or a store and an id, got a {type(hierarchy).__name__}")
    if id is None:
        raise InputError("expected the id of a hierarchy behind the store, got none")
    return hierarchy, hierarchy.read_whole(id)


# ---------------------------------------------------------------- cuts of a tree


def _cut_tree(
    hierarchy: HierarchyWithCells,
    *,
    clusters: int | None,
    height: float | int | None,
    level: int | None,
    sizes: tuple[int, int] | str | None,
) -> FlatClusters:
    leaves = Leaves.of(hierarchy)
    known = np.flatnonzero(leaves.cell >= 0)
    tree = leaves.dendrogram(known)
    notes: tuple[str, ...] = ()
    taken = np.ones(len(known), dtype=bool)
    fading = (
        set(OF_CLUSTERS) <= hierarchy.cells.own.keys()
    )  # clusters lose points as they go down: what a split leaves is noise
    if sizes is not None:
        low, high = _bounds(sizes)
        top, taken = cut_sizes(tree, low, high)
        lost = int((~taken & (tree.size[top] > high)).sum())
        notes = (f"{lost:,} points lie in cells of more than {high:,} that nothing splits: they are noise",) if lost else ()
    elif level is not None:
        top = cut_level(tree, check_integer(level, name="level", low=0))
    elif clusters is not None:
        clusters = check_integer(clusters, name="number of clusters", low=1)
        tree = _with_heights(tree, hierarchy, radii=hierarchy.lengths == "branch")
        if tree.height is not None and clusters == tree.points == len(leaves.cell) == len(np.unique(leaves.cell)):
            return FlatClusters(np.arange(clusters), leaves.cell, None, None, leaves)  # of ties too, as SciPy has it
        top = cut_largest(tree, clusters) if tree.height is None else cut_threshold(tree, clusters, rest=not fading)
        notes = () if fading else _fewer(clusters, found=len(np.unique(top)), ties=tree.height is not None)
    else:
        assert height is not None
        height = _number(height, name="height")
        tree = _with_heights(tree, hierarchy, radii=True)
        if tree.height is None:
            raise InputError(
                f"expected cells with heights, or with a radius each, to cut {hierarchy.id!r} at a height, got some without; "
                "cut it by clusters, level or sizes"
            )
        top = cut_height(tree, height)
        leaving = hierarchy.point_columns.get("lambda")
        if fading and leaving is not None and height > 0:
            taken = leaving[known] >= 1.0 / height
    if fading:
        taken = taken & (np.bincount(top, minlength=tree.cells) == tree.size)[top]
    return _numbered(leaves, tree, known, top, taken, notes)


def _with_heights(tree: Dendrogram, hierarchy: HierarchyWithCells, *, radii: bool) -> Dendrogram:
    """The tree with the heights of its cells: those of its source, else, where asked for, their radii if all have one."""
    cells = hierarchy.cells
    radius = cells.radius
    if tree.height is None and radii and radius is not None:
        radius = np.where((cells.child_count == 0) & np.isnan(radius), 0.0, radius)
        tree = tree if np.isnan(radius).any() else replace(tree, height=radius)
    if tree.height is not None and hierarchy.virtual_root:
        height = tree.height.copy()
        height[0] = np.finfo(np.float64).max  # several roots were never merged
        tree = replace(tree, height=height)
    return tree


def _fewer(clusters: int, *, found: int, ties: bool) -> tuple[str, ...]:
    why = "several merges are of one height" if ties else "cells have several children each"
    return (f"{found:,} clusters, the most of at most {clusters:,}: {why}",) if found < clusters else ()


def _numbered(
    leaves: Leaves, tree: Dendrogram, known: np.ndarray, top: np.ndarray, taken: np.ndarray, notes: tuple[str, ...]
) -> FlatClusters:
    """Clusters numbered as SciPy numbers them: depth-first, of the children of a cell those with children first."""
    rows, which = np.unique(top[taken], return_inverse=True)
    rank = np.empty(len(rows), dtype=np.int64)
    order = np.argsort(_place_of(leaves.hierarchy, tree)[rows], kind="stable")
    rank[order] = np.arange(len(rows))
    labels = np.full(len(leaves.cell), -1, dtype=np.int64)
    labels[known[taken]] = rank[which]
    return FlatClusters(labels, rows[order], None, None, leaves, notes)


def _place_of(hierarchy: HierarchyWithCells, tree: Dendrogram) -> Int[np.ndarray, " cells"]:
    """The place of each cell: depth-first, of siblings those with children before the leaves."""
    cells = hierarchy.cells
    leaf = cells.child_count == 0
    order = np.lexsort((np.arange(len(cells)), leaf, cells.parent))  # siblings, inner ones first
    weight = tree.sum_below(np.ones(len(cells)))[order]
    before = np.cumsum(weight) - weight
    parents = cells.parent[order]
    eldest = np.maximum.accumulate(np.where(np.diff(parents, prepend=-2) != 0, np.arange(len(cells)), 0))
    step = np.empty(len(cells))
    step[order] = 1 + before - before[eldest]
    step[0] = 0
    return tree.sum_to_root(step).astype(np.int64)


def _bounds(sizes: tuple[int, int] | str) -> tuple[int, int]:
    try:
        low, high = sizes.split("..") if isinstance(sizes, str) else sizes
        return int(low), int(high)
    except (TypeError, ValueError):
        raise InputError(f"expected sizes as MIN..MAX, such as 5..50, got {sizes!r}") from None


def _number(value: Any, *, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"expected a number as {name}, got {value!r}") from None


# ---------------------------------------------------------------- cuts by persistence


def _selection(hierarchy: HierarchyWithCells, **asked: Any) -> Selection:
    """What was asked for; what was not as in the model that made the hierarchy."""
    known = hierarchy.recipe.get(SELECTION, {})
    return Selection(**{**known, **{name: value for name, value in asked.items() if value is not None}})


def _cut_persistence(hierarchy: HierarchyWithCells, selection: Selection, *, minimum: int | None) -> FlatClusters:
    leaves = Leaves.of(hierarchy)
    if hierarchy.cells.links is not None:
        leaves.dendrogram()  # which refuses it
    if set(OF_CLUSTERS) <= hierarchy.cells.own.keys():
        tree, rows = _kept_tree(leaves)
        if minimum is not None:
            tree, rows = _condensed_again(leaves, tree, rows, minimum=minimum)
    else:
        tree = _condensed(leaves, minimum=MINIMUM if minimum is None else minimum)
        rows = tree.start
    taken = tree.take(selection)
    return FlatClusters(taken.label, rows[taken.clusters], taken.probability, taken.persistence, leaves)


def _kept_tree(leaves: Leaves) -> tuple[CondensedTree, Int[np.ndarray, " clusters"]]:
    """The condensed tree that a hierarchy is, and the row of each cluster's cell."""
    cells, own = leaves.hierarchy.cells, leaves.hierarchy.cells.own
    number = np.asarray(own["cluster"])
    rows = np.argsort(number, kind="stable")
    if number.dtype.kind not in "iu" or not np.array_equal(number[rows], np.arange(len(cells))):
        raise InputError(
            f"expected in the property cluster each number from 0 to {len(cells) - 1:,} once, as HDBSCAN numbers its clusters; "
            f"the cells of {leaves.hierarchy.id!r} have others: cut it by clusters, at a height or by sizes"
        )
    parent = np.where(cells.parent < 0, -1, number[np.maximum(cells.parent, 0)])[rows]
    birth, stability = (np.asarray(own[name], dtype=np.float64)[rows] for name in ("lambda_birth", "stability"))
    of_point = np.append(number, -1)[leaves.cell]
    leaving = leaves.hierarchy.point_columns.get("lambda")
    death = np.zeros(len(rows))
    np.maximum.at(death, parent[1:], birth[1:])
    if leaving is not None:
        np.maximum.at(death, of_point[of_point >= 0], leaving[of_point >= 0])
    size = np.zeros(len(rows), dtype=np.int64) if cells.size is None else np.asarray(cells.size)[rows]
    return CondensedTree(parent, birth, stability, size, death, of_point, leaving, rows), rows


def _condensed_again(
    leaves: Leaves, tree: CondensedTree, rows: np.ndarray, *, minimum: int
) -> tuple[CondensedTree, Int[np.ndarray, " clusters"]]:
    if tree.lambda_of_point is None:
        raise InputError(
            f"minimum_size condenses {leaves.hierarchy.id!r} further, and it does not say when its points leave their "
            "clusters; ingest it with its points (--points), or leave minimum_size out"
        )
    again = tree.condensed_further(minimum)
    return again, rows[again.start]


def _condensed(leaves: Leaves, *, minimum: int) -> CondensedTree:
    hierarchy = leaves.hierarchy
    height = heights_of(hierarchy.cells, HEIGHT)
    if height is None:
        raise InputError(
            f"a cut by persistence needs the height of every merge, and cells of {hierarchy.id!r} have none; cut it by "
            "clusters, level or sizes"
        )
    if hierarchy.virtual_root:
        height[0] = np.inf  # several roots were never merged
    return condense_tree(hierarchy.cells.parent, densities(height), leaves.cell, minimum=minimum)
