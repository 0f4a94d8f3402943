"""Flat clusterings from a tree, and how well one agrees with labels; :mod:`cfgraph.judging.cut` is the verb.

A cut splits some cells, no cell before its parent. A cluster is a cell that is not split, under one that is, with all points
below it; the points that lie in a split cell itself are one cluster more. Each point is told its cluster as a cell's row.
"""

from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from jaxtyping import Bool, Int, Shaped

from cfgraph.errors import InputError
from cfgraph.judging.dendrogram import Dendrogram
from cfgraph.judging.pairs import check_weight


def cut_clusters(tree: Dendrogram, clusters: int) -> Int[np.ndarray, " points"]:
    """The cluster of each point where merges are undone from the top while there are at most ``clusters`` clusters.

    Cells are split in order of falling height; a merge counts as high as the highest below it (as in SciPy's ``fcluster``),
    ties are split in row order. Pass the number of the merge for the height where merges are to be undone in the order in
    which they were made. Without heights: level by level, in a level the cell with most points first. A cell with more than
    two children makes more than one cluster more, so there may be fewer clusters than asked for.

    Raises:
        InputError: for fewer than one cluster or more than there are points.
    """
    _check_clusters(tree, clusters)
    gain = _gains(tree)
    inner = np.flatnonzero(gain >= 0)
    height = tree.height  # of which the largest of a subtree counts: no merge is undone before one above it
    rank = (-tree.size[inner], tree.level[inner]) if height is None else (-tree.largest_below(height)[inner],)
    order = inner[np.lexsort((inner, *rank))]
    fits = 1 + np.cumsum(gain[order]) <= clusters
    split = np.zeros(tree.cells, dtype=bool)
    split[order[: len(order) if fits.all() else int(np.argmin(fits))]] = True
    return _clusters(tree, split=split)


def cut_height(tree: Dendrogram, height: float) -> Int[np.ndarray, " points"]:
    """The cluster of each point where every merge above ``height`` is undone, as SciPy's ``fcluster`` does by ``distance``.

    Raises:
        InputError: for a tree without heights, or a height that is not a number.
    """
    if tree.height is None:
        raise InputError("expected a tree with heights to cut at one, got one without; cut it by clusters or by level")
    if np.isnan(height):
        raise InputError("expected a number as the height to cut at, got NaN")
    return _clusters(tree, split=(tree.largest_below(tree.height) > height) & (_gains(tree) >= 0))


def cut_threshold(tree: Dendrogram, clusters: int, *, rest: bool = True) -> Int[np.ndarray, " points"]:
    """The cluster of each point at the lowest height at which there are at most so many, as SciPy's ``fcluster`` has it.

    All merges of one height are undone or none of them, so of ties there may be fewer clusters than asked for. Without ``rest``
    the points that lie in a split cell itself do not count as a cluster.

    Raises:
        InputError: for a tree without heights, and fewer than one cluster or more than there are points.
    """
    _check_clusters(tree, clusters)
    if tree.height is None:
        raise InputError("expected a tree with heights, got one without")
    gain = _gains(tree, rest=rest)
    inner = np.flatnonzero(gain >= 0)
    reach = tree.largest_below(tree.height)[inner]
    heights, which = np.unique(-reach, return_inverse=True)
    undone = np.cumsum(np.bincount(which, weights=gain[inner], minlength=len(heights))) + 1 <= clusters
    split = np.zeros(tree.cells, dtype=bool)
    split[inner[undone[which]]] = True
    return _clusters(tree, split=split)


def cut_largest(tree: Dendrogram, clusters: int) -> Int[np.ndarray, " points"]:
    """The cluster of each point where the cluster of most points is split, again and again, while there are at most so many.

    Of clusters of as many points the higher up is split first, then the one that comes first. One whose split would make too
    many stays whole, and the next is tried: so there may be fewer clusters than asked for.

    Raises:
        InputError: for fewer than one cluster or more than there are points.
    """
    _check_clusters(tree, clusters)
    gain, size, level = _gains(tree).tolist(), tree.size.tolist(), tree.level.tolist()
    by_parent = np.argsort(tree.parent[1:], kind="stable") + 1
    first = np.searchsorted(tree.parent[by_parent], np.arange(tree.cells + 1)).tolist()
    children = by_parent.tolist()
    split, found, waiting = np.zeros(tree.cells, dtype=bool), 1, [(-size[0], 0, 0)]
    while waiting and found < clusters:
        cell = heappop(waiting)[2]
        if gain[cell] >= 0 and found + gain[cell] <= clusters:
            split[cell], found = True, found + gain[cell]
            for child in children[first[cell] : first[cell + 1]]:
                if size[child]:
                    heappush(waiting, (-size[child], level[child], child))
    return _clusters(tree, split=split)


def cut_sizes(tree: Dendrogram, low: int, high: int) -> tuple[Int[np.ndarray, " points"], Bool[np.ndarray, " points"]]:
    """The highest cells of ``low`` to ``high`` points: the cell of each point, and whether it is a cluster or noise.

    A cell of more than ``high`` points is split. Points that lie in such a cell itself, and in cells of fewer than ``low``
    below one, are noise, and so are those of a cell of too many that has no children.

    Raises:
        InputError: for bounds that are not ``1 <= low <= high``.
    """
    if not 1 <= low <= high:
        raise InputError(f"expected sizes MIN..MAX with 1 <= MIN <= MAX, got {low}..{high}")
    split = (tree.size > high) & (_gains(tree) >= 0)
    top = _clusters(tree, split=split)
    return top, ~split[top] & (tree.size[top] >= low) & (tree.size[top] <= high)


def _check_clusters(tree: Dendrogram, clusters: int) -> None:
    if not 1 <= clusters <= tree.points:
        raise InputError(f"expected 1 to {tree.points} clusters, as many as there are points at most, got {clusters}")


def cut_level(tree: Dendrogram, level: int) -> Int[np.ndarray, " points"]:
    """The cluster of each point: its ancestor at ``level``, or its own cell where that is higher up.

    Raises:
        InputError: for a level below 0.
    """
    if level < 0:
        raise InputError(f"expected a level of at least 0, the root's, got {level}")
    return _clusters(tree, split=tree.level < level)


def _gains(tree: Dendrogram, *, rest: bool = True) -> Int[np.ndarray, " cells"]:
    """How many clusters more there are when each cell is split; -1 for cells without points below their own."""
    filled = np.flatnonzero(tree.size[1:] > 0) + 1
    children = np.bincount(tree.parent[filled], minlength=tree.cells)
    own = np.bincount(tree.cell_of_point, minlength=tree.cells) > 0
    return np.where(children > 0, children + (own & rest) - 1, -1)


def _clusters(tree: Dendrogram, *, split: Bool[np.ndarray, " cells"]) -> Int[np.ndarray, " points"]:
    """For each point the highest cell over it whose parent is split, given that no cell is split before its parent."""
    top = np.arange(tree.cells)
    kept = np.flatnonzero(~split[tree.parent[1:]]) + 1
    top[kept] = tree.parent[kept]
    while len(kept := kept[top[kept] != top[top[kept]]]):
        top[kept] = top[top[kept]]
    return top[tree.cell_of_point]


@dataclass(frozen=True)
class ClusterScores:
    """How well a flat clustering agrees with labels: 1 is best for each, 0 chance level for ``ari``."""

    clusters: int
    nmi: float  # normalised mutual information, over the mean of both entropies
    ari: float  # adjusted Rand index
    accuracy: float  # share of points that the best one-to-one assignment of clusters to classes gets right
    fowlkes_mallows: float  # the geometric mean of precision and recall over pairs


def score_clusters(
    cluster: Shaped[np.ndarray, " points"],
    label: Shaped[np.ndarray, " labels"],
    *,
    weight: Shaped[np.ndarray, " weights"] | None = None,
) -> ClusterScores:
    """NMI, ARI, accuracy (Hungarian method) and the Fowlkes-Mallows index of a flat clustering against labels.

    ``weight``: how often each point counts, whole numbers. The first two and the last are scikit-learn's, the assignment is
    SciPy's.

    Raises:
        InputError: for no points at all, and for labels or weights of the wrong length.
    """
    from sklearn.metrics import adjusted_rand_score, fowlkes_mallows_score, normalized_mutual_info_score

    if len(label) != len(cluster):
        raise InputError(f"expected a label for each of the {len(cluster)} points, got {len(label)} labels")
    times = check_weight(weight, points=len(cluster))
    if not times.any():
        raise InputError("expected at least one point to score, got none")
    label, cluster = (np.repeat(np.unique(column, return_inverse=True)[1], times) for column in (label, cluster))
    return ClusterScores(
        clusters=len(np.unique(cluster)),
        nmi=float(normalized_mutual_info_score(label, cluster)),
        ari=float(adjusted_rand_score(label, cluster)),
        accuracy=_accuracy(label, cluster),
        fowlkes_mallows=float(fowlkes_mallows_score(label, cluster)),
    )


def _accuracy(label: Int[np.ndarray, " points"], cluster: Int[np.ndarray, " points"]) -> float:
    """The assignment over the pairs of cluster and class that occur: thousands of clusters need no table of all pairs."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching
    from sklearn.metrics.cluster import contingency_matrix

    count = contingency_matrix(cluster, label, sparse=True).tocoo()
    clusters, classes = count.shape
    # The matching must give every cluster something: a class, or a place of its own that is worth nothing.
    place = np.arange(clusters)
    worth = np.concatenate([count.data + 1.0, np.ones(clusters)])
    row, column = np.concatenate([count.row, place]), np.concatenate([count.col, classes + place])
    table = csr_array((worth, (row, column)), shape=(clusters, classes + clusters))
    matched = table[min_weight_full_bipartite_matching(table, maximize=True)]
    return float((matched.sum() - clusters) / len(label))
