"""Hanging: Gaussians that were found anywhere, as a tree: a minimum spanning tree of their means.

Where level weights are free the bound hardly knows who is whose child (docs/learning.md), so the nodes are hung anew: those
closer than their own deviation are made one, and the tree is rooted at the one nearest to the middle of all points.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from cfgraph.learning.nested.model import Tree
from cfgraph.model.order import breadth_first

FEWEST = 0.5  # points: nodes that emit fewer are left out


@dataclass(frozen=True, eq=False)
class Hung:
    """A tree of merged nodes, parents before their children."""

    parent: Int[np.ndarray, " hung"]
    mean: Float[np.ndarray, "hung dim"]
    variance: Float[np.ndarray, "hung variances"]
    emission: Float[np.ndarray, " hung"]
    hung_of: Int[np.ndarray, " nodes"]  # what each node became; of one that emits too little the nearest


def hang(tree: Tree, emission: Float[np.ndarray, " nodes"], *, middle: Float[np.ndarray, " dim"]) -> Hung:
    """The nodes of a tree by a minimum spanning tree of their means; siblings by falling emission below them."""
    from scipy.spatial.distance import cdist

    used = np.flatnonzero(emission >= FEWEST)
    group = _groups(tree.mean[used], np.sqrt(tree.variance[used].mean(axis=1)))
    weight = np.bincount(group, weights=emission[used])
    mean = _averages(tree.mean[used], group, emission[used])
    apart = (tree.mean[used] - mean[group]) ** 2
    apart = apart if tree.variance.shape[1] > 1 else apart.mean(axis=1, keepdims=True)
    variance = _averages(tree.variance[used] + apart, group, emission[used])
    parent, order = _rooted(mean, weight, middle=middle)
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order))
    nearest = cdist(tree.mean, mean[order]).argmin(axis=1)
    nearest[used] = number[group]
    return Hung(parent, mean[order], variance[order], weight[order], nearest)


def _groups(mean: Float[np.ndarray, "used dim"], deviation: Float[np.ndarray, " used"]) -> Int[np.ndarray, " used"]:
    """Which nodes are one: those closer than the smaller of their deviations, and what hangs together by such."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial.distance import cdist

    near = cdist(mean, mean) < np.minimum(deviation[:, None], deviation)
    group: Int[np.ndarray, " used"] = connected_components(csr_array(near), directed=False)[1].astype(np.int64)
    return group


def _averages(values: Float[np.ndarray, "used columns"], group: Int[np.ndarray, " used"], weight: np.ndarray) -> np.ndarray:
    total = np.zeros((int(group.max()) + 1, values.shape[1]))
    np.add.at(total, group, weight[:, None] * values)
    return total / np.bincount(group, weights=weight)[:, None]


def _rooted(mean: np.ndarray, weight: np.ndarray, *, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parents in breadth-first order, and the nodes in that order."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
    from scipy.spatial.distance import cdist

    root = int(((mean - middle) ** 2).sum(axis=1).argmin())
    distance = np.maximum(cdist(mean, mean), np.finfo(float).tiny)  # 0 would be no edge
    np.fill_diagonal(distance, 0.0)
    spanning = minimum_spanning_tree(csr_array(distance))
    order, above = breadth_first_order(spanning, root, directed=False)
    below = weight.copy()
    for node in order[:0:-1].tolist():
        below[above[node]] += below[node]
    level = np.zeros(len(mean), dtype=np.int64)
    for node in order[1:].tolist():
        level[node] = level[above[node]] + 1
    rank = np.empty(len(mean), dtype=np.int64)
    rank[np.lexsort((np.arange(len(mean)), -below))] = np.arange(len(mean))
    parent = np.where(above < 0, -1, above).astype(np.int64)
    rows, placed = breadth_first(parent, rank, level)
    return placed, rows
