"""Condensed trees: what HDBSCAN makes of a tree with heights, how stable its clusters are, and which of them are taken.

Going down from the root of a tree, a cluster loses points as the *density* lambda = 1 / height rises, until it splits into two
or more of at least a minimum size, or falls apart. Its **stability** is its excess of mass: the sum over its points of how far
lambda rises from the cluster's birth until the point leaves it, ``sum(lambda_of_point - birth)`` (Campello, Moulavi and Sander
2013, "Density-based clustering based on hierarchical density estimates"). The clusters of most stability of which none contains
another are the flat clustering.

All sums are taken in the order of the libraries ``hdbscan`` and scikit-learn, so that ties fall as they do there.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.checks import check_integer
from cfgraph.errors import InputError

MINIMUM = 5  # points of a cluster, HDBSCAN's own default


@dataclass(frozen=True)
class Selection:
    """How clusters are taken from a condensed tree.

    ``eom`` takes those of most stability, ``leaf`` those that do not split. ``allow_single`` lets the root be one.
    ``epsilon``: clusters that were born at a distance below it are merged upwards. ``size_max`` and ``epsilon_max``: a
    cluster of more points, or born at a larger distance, is none. ``single_precision``: the sums that clusters are compared by
    are of 32 bits, as in the library hdbscan. ``reference``: points that leave a cluster as it is born are noise, as in the
    reference implementation in Java.
    """

    method: str = "eom"  # eom or leaf
    allow_single: bool = False
    epsilon: float = 0.0
    size_max: int | None = None
    epsilon_max: float | None = None
    single_precision: bool = False
    reference: bool = False

    def __post_init__(self) -> None:
        if self.method not in ("eom", "leaf"):
            raise InputError(f"expected the method eom or leaf, got {self.method!r}")
        if not self.epsilon >= 0:
            raise InputError(f"expected an epsilon of at least 0, got {self.epsilon}")

    @property
    def record(self) -> dict[str, Any]:
        """What differs from the defaults, as a recipe keeps it."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}


@dataclass(frozen=True, eq=False)
class Taken:
    """A flat clustering: the clusters that were taken in rising order, and what becomes of each point.

    ``label`` is the place of the point's cluster among these, -1 for noise; ``probability`` how long it stays in the cluster,
    as a share of how long the cluster itself does; ``persistence`` of a cluster is its stability as a share of the largest that
    as many points could have.
    """

    clusters: Int[np.ndarray, " taken"]
    label: Int[np.ndarray, " points"]
    probability: Float[np.ndarray, " points"] | None
    persistence: Float[np.ndarray, " taken"] | None


@dataclass(frozen=True, eq=False)
class CondensedTree:
    """Clusters 0..n-1, parents before their children, 0 the root; and the cluster that each point leaves last, and when.

    ``birth`` is the lambda at which a cluster splits from its parent, ``death`` the largest at which anything leaves it.
    ``start`` is the number, in the tree that was condensed, of the node in which a cluster begins.
    """

    parent: Int[np.ndarray, " clusters"]
    birth: Float[np.ndarray, " clusters"]
    stability: Float[np.ndarray, " clusters"]
    size: Int[np.ndarray, " clusters"]
    death: Float[np.ndarray, " clusters"]
    cluster_of_point: Int[np.ndarray, " points"]  # -1: in none
    lambda_of_point: Float[np.ndarray, " points"] | None  # NaN: in none; None where it is not known
    start: Int[np.ndarray, " clusters"]

    def __len__(self) -> int:
        return len(self.parent)

    def select(self, selection: Selection) -> Bool[np.ndarray, " clusters"]:
        """Which clusters are taken."""
        leaf = np.bincount(self.parent[1:], minlength=len(self)) == 0
        chosen = leaf & (self.parent >= 0) if selection.method == "leaf" else self._excess(selection)[0]
        if selection.epsilon > 0 and len(self) > 1 and not (chosen[0] and chosen.sum() == 1):
            chosen = self._merge_upwards(chosen, selection)
        return chosen

    def take(self, selection: Selection, chosen: Bool[np.ndarray, " clusters"] | None = None) -> Taken:
        """The flat clustering of the clusters that are taken, or of some that were ``chosen`` before."""
        chosen = self.select(selection) if chosen is None else chosen
        clusters = np.flatnonzero(chosen)
        label = self.labels(chosen)
        if chosen[0]:
            label = self._label_root(label, alone=len(clusters) == 1 and selection.allow_single, epsilon=selection.epsilon)
        if selection.reference and self.lambda_of_point is not None:
            label = np.where(self.lambda_of_point > self.birth[clusters][label], label, -1) if len(clusters) else label
        if self.lambda_of_point is None:
            return Taken(clusters, label, None, None)
        stability = self.stability if selection.method == "leaf" else self._excess(selection)[1]
        most, points = self.lambda_max, np.bincount(label[label >= 0], minlength=len(clusters))
        persistence = np.ones(len(clusters))
        if np.isfinite(most) and most > 0:
            np.divide(stability[clusters], points * most, out=persistence, where=points > 0)
        return Taken(clusters, label, self.probabilities(clusters, label), persistence)

    @property
    def lambda_max(self) -> float:
        """The largest lambda at which anything leaves a cluster."""
        return float(self.death.max(initial=0.0))

    def labels(self, chosen: Bool[np.ndarray, " clusters"]) -> Int[np.ndarray, " points"]:
        """For each point the place, among the chosen clusters, of the lowest one that it lies in; -1 for none."""
        number = np.cumsum(chosen) - 1
        above, own = self.parent.tolist(), np.where(chosen, number, -1).tolist()
        for cluster in range(1, len(own)):
            if own[cluster] < 0:
                own[cluster] = own[above[cluster]]
        found: Int[np.ndarray, " points"] = np.append(np.array(own, dtype=np.int64), -1)[self.cluster_of_point]
        return found

    def _label_root(self, label: Int[np.ndarray, " points"], *, alone: bool, epsilon: float) -> Int[np.ndarray, " points"]:
        """Of the root's points those are its cluster's that stay to the end, where it is the only one; the others are noise."""
        if not alone:
            return np.where(label == 0, -1, label)  # the root is the first of the clusters
        if self.lambda_of_point is None:
            return label
        least = 1.0 / epsilon if epsilon > 0 else self.death[0]
        return np.where((label == 0) & (self.lambda_of_point >= least), 0, -1)

    def probabilities(
        self, clusters: Int[np.ndarray, " taken"], label: Int[np.ndarray, " points"]
    ) -> Float[np.ndarray, " points"]:
        """``min(lambda, death) / death`` of each point's cluster; 0 for noise, 1 for what never leaves."""
        assert self.lambda_of_point is not None
        found = np.zeros(len(label))
        rows = np.flatnonzero(label >= 0)
        own, death = self.lambda_of_point[rows], self.death[clusters[label[rows]]]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.minimum(own, death) / death
        found[rows] = np.where((death == 0) | ~np.isfinite(own), 1.0, share)
        return found

    def condensed_further(self, minimum: int) -> "CondensedTree":
        """The clusters of at least ``minimum`` points of a tree that was condensed by fewer; ``start`` counts these clusters.

        A cluster ends where fewer than so many points are left in it; what stayed longer leaves it then.
        """
        assert self.lambda_of_point is not None
        inside = np.flatnonzero(self.cluster_of_point >= 0)
        cluster = np.concatenate([self.cluster_of_point[inside], self.parent[1:]])
        leaving = np.concatenate([self.lambda_of_point[inside], self.birth[1:]])
        points = np.concatenate([np.ones(len(inside), dtype=np.int64), self.size[1:]])
        order = np.lexsort((-leaving, cluster))  # of each cluster what leaves it last comes first
        cluster, leaving, points = cluster[order], leaving[order], points[order]
        first = np.searchsorted(cluster, np.arange(len(self)))
        total = np.concatenate([[0], np.cumsum(points)])
        left = total[1:] - total[first[cluster]]
        end = np.full(len(self), np.inf)
        np.minimum.at(end, cluster, leaving)  # of one of too few points: as it begins to fall apart
        np.maximum.at(end, cluster[left >= minimum], leaving[left >= minimum])
        return condense_tree(
            self.parent,
            end,
            self.cluster_of_point,
            minimum=minimum,
            lambda_of_point=np.minimum(self.lambda_of_point, np.append(end, np.nan)[self.cluster_of_point]),
        )

    def _excess(self, selection: Selection) -> tuple[Bool[np.ndarray, " clusters"], Float[np.ndarray, " clusters"]]:
        """Which clusters hold more mass than what is taken below them; and the most that each can give, itself or below it."""
        excess, size, distance = self.stability.tolist(), self.size.tolist(), self._distances().tolist()
        children = self._children()
        size[0] = sum(size[child] for child in children[0])  # of the root the libraries count the points of its children
        most = float("inf") if selection.size_max is None else selection.size_max
        far = float("inf") if selection.epsilon_max is None else selection.epsilon_max
        own = np.zeros(len(self), dtype=bool)
        for cluster in range(len(self) - 1, -1 if selection.allow_single else 0, -1):
            below = 0.0
            for child in children[cluster]:
                below += excess[child]
                below = float(np.float32(below)) if selection.single_precision else below
            own[cluster] = not (below > excess[cluster] or size[cluster] > most or distance[cluster] > far)
            excess[cluster] = excess[cluster] if own[cluster] else below
        above, covered = self.parent.tolist(), np.zeros(len(self), dtype=bool)
        for cluster in range(1, len(self)):
            covered[cluster] = covered[above[cluster]] or own[above[cluster]]
        return own & ~covered, np.array(excess)

    def _merge_upwards(self, chosen: Bool[np.ndarray, " clusters"], selection: Selection) -> Bool[np.ndarray, " clusters"]:
        """In place of clusters born at a distance below epsilon the lowest one above that was born above it."""
        distance, above = self._distances().tolist(), self.parent.tolist()
        merged = np.zeros(len(self), dtype=bool)
        for cluster in np.flatnonzero(chosen).tolist():
            if distance[cluster] < selection.epsilon:
                while above[cluster] > 0:
                    cluster = above[cluster]
                    if distance[cluster] > selection.epsilon:
                        break
                else:  # nothing lies between it and the root
                    cluster = 0 if selection.allow_single else cluster
            merged[cluster] = True
        return merged

    def _distances(self) -> Float[np.ndarray, " clusters"]:
        """The distance at which each cluster is born; the root's is the largest at which anything leaves a cluster."""
        least = self.birth[1:].min(initial=np.inf)
        if self.lambda_of_point is not None and not np.isnan(self.lambda_of_point).all():
            least = min(least, float(np.nanmin(self.lambda_of_point)))
        with np.errstate(divide="ignore"):
            return 1.0 / np.concatenate([[least], self.birth[1:]])

    def _children(self) -> list[list[int]]:
        children: list[list[int]] = [[] for _ in range(len(self))]
        for child, parent in enumerate(self.parent[1:].tolist(), start=1):
            children[parent].append(child)
        return children


def tree_of_rows(
    cluster: Int[np.ndarray, " rows"],
    child: Int[np.ndarray, " rows"],
    density: Float[np.ndarray, " rows"],
    size: Int[np.ndarray, " rows"],
    *,
    points: int,
    start: Int[np.ndarray, " clusters"] | None = None,
) -> CondensedTree:
    """The condensed tree of rows: at this density something leaves a cluster, a child of so many points or one point.

    Children below ``points`` are points, the others clusters, of which ``points`` itself is the root. The order of the rows is
    that in which stabilities are summed.
    """
    is_point = child < points
    count = int(max(cluster.max(initial=points), child.max(initial=0))) - points + 1
    own, below = cluster - points, child[~is_point] - points
    parent = np.full(count, -1, dtype=np.int64)
    parent[below] = own[~is_point]
    birth, sizes = np.zeros(count), np.zeros(count, dtype=np.int64)
    birth[below], sizes[below] = density[~is_point], size[~is_point]
    sizes[0] = size[own == 0].sum()
    placed, leaves = np.full(points, -1, dtype=np.int64), np.full(points, np.nan)
    placed[child[is_point]], leaves[child[is_point]] = own[is_point], density[is_point]
    stability, death = np.zeros(count), np.zeros(count)
    with np.errstate(invalid="ignore"):  # of clusters that are born where nothing is denser any more
        np.add.at(stability, own, (density - birth[own]) * size)
    np.maximum.at(death, own, density)
    start = np.arange(count) if start is None else start
    return CondensedTree(parent, birth, stability, sizes, death, placed, leaves, start)


def condense_tree(
    parent: Int[np.ndarray, " nodes"],
    density: Float[np.ndarray, " nodes"],
    node_of_point: Int[np.ndarray, " points"],
    *,
    minimum: int = MINIMUM,
    lambda_of_point: Float[np.ndarray, " points"] | None = None,
) -> CondensedTree:
    """The clusters of at least ``minimum`` points of a tree whose nodes are in breadth-first order.

    ``density`` of a node is that at which it splits or falls apart: what is too small for a cluster leaves the one above it
    then, and so do points that lie in the node itself, unless ``lambda_of_point`` says when each does.

    Raises:
        InputError: for a minimum below 2, and a node that is less dense than the one above it.
    """
    minimum = check_integer(minimum, name="minimum size", low=2)
    above = np.maximum(parent, 0)
    size = _points_below(parent, node_of_point)
    inner = size >= minimum
    inner[0] = True
    upset = np.flatnonzero(inner & (density < density[above]))
    if len(upset):
        raise InputError(
            f"expected a tree whose nodes lie no higher than those above them, got {len(upset):,} that do (inversions, as "
            "centroid and median linkage make them); cut it by clusters or at a height"
        )
    heirs = np.flatnonzero(inner[1:]) + 1
    rivals = np.bincount(parent[heirs], minlength=len(parent))
    begins = inner & (rivals[above] > 1)
    begins[0] = True
    number = np.cumsum(begins) - 1
    start = np.flatnonzero(begins)
    owner = number[follow(np.where(begins, np.arange(len(parent)), above))]  # of nodes that are large enough
    rows = node_of_point[node_of_point >= 0]
    left = follow(np.where(inner, np.arange(len(parent)), above))[rows]  # the node that each point leaves
    leaving = density[left]
    if lambda_of_point is not None:
        leaving = np.where(left == rows, lambda_of_point[node_of_point >= 0], leaving)
    points = len(node_of_point)
    split = parent[start[1:]]
    order = np.argsort(np.concatenate([split, left]), kind="stable")  # clusters before points, at each node
    return tree_of_rows(
        np.concatenate([owner[split], owner[left]])[order] + points,
        np.concatenate([np.arange(1, len(start)) + points, np.flatnonzero(node_of_point >= 0)])[order],
        np.concatenate([density[split], leaving])[order],
        np.concatenate([size[start[1:]], np.ones(len(rows), dtype=np.int64)])[order],
        points=points,
        start=start,
    )


def densities(height: Float[np.ndarray, " nodes"]) -> Float[np.ndarray, " nodes"]:
    """lambda = 1 / height; infinite at height 0."""
    with np.errstate(divide="ignore"):
        return np.where(height > 0, 1.0 / height, np.inf)


def _points_below(parent: Int[np.ndarray, " nodes"], node_of_point: Int[np.ndarray, " points"]) -> Int[np.ndarray, " nodes"]:
    size, above = np.bincount(node_of_point[node_of_point >= 0], minlength=len(parent)).tolist(), parent.tolist()
    for node in range(len(size) - 1, 0, -1):
        size[above[node]] += size[node]
    return np.array(size, dtype=np.int64)


def follow(pointer: Int[np.ndarray, " nodes"]) -> Int[np.ndarray, " nodes"]:
    """Where each node ends up that follows pointers until one points at itself; twice as far in each pass."""
    while True:
        further = pointer[pointer]
        if np.array_equal(further, pointer):
            return pointer
        pointer = further
