"""Start: where a fit begins: recursive k-means down to the last level, or the root alone."""

import warnings
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cfgraph.learning.nested.model import Points, Prior, Tree, ended_of
from cfgraph.learning.nested.shape import Shape
from cfgraph.learning.nested.sweep import Fit, expect

STARTS = 5  # of k-means
FEWEST = 8  # points of a node that is split, and twice its children


class _Cluster(NamedTuple):
    """Points of a node, and its address."""

    members: Int[np.ndarray, " some"]
    slots: tuple[int, ...]


def split(points: Points, prior: Prior, *, limits: tuple[int, ...], seed: int) -> Fit:
    """Recursive k-means, children by falling size; a node of few or of equal points has none."""
    last, parent = [_Cluster(np.arange(len(points)), ())], [np.array([-1])]
    end, count = np.zeros(len(points), dtype=np.int64), 1
    for limit in limits:
        if not last:
            break
        families = [_children(points.mean, cluster, arity=limit, seed=seed) for cluster in last]
        parent.append(np.repeat(np.arange(count - len(last), count), [len(family) for family in families]))
        last = [child for family in families for child in family]
        for node, cluster in enumerate(last, start=count):
            end[cluster.members] = node
        count += len(last)
    return expect(of_ends(Shape(np.concatenate(parent), limits), end, points, prior), points, prior)


def grow_from_root(points: Points, prior: Prior, *, limits: tuple[int, ...]) -> Fit:
    """The root alone, for surgery to go on from."""
    return expect(of_ends(Shape.root(limits), np.zeros(len(points), dtype=np.int64), points, prior), points, prior)


def of_ends(shape: Shape, end: Int[np.ndarray, " points"], points: Points, prior: Prior) -> Tree:
    """The tree whose Gaussians and sticks are those of points that lie in these nodes for certain."""
    ended = ended_of(len(shape), end)
    size = np.maximum(shape.sum_up(ended.copy()), 1.0)[:, None]
    middle, _ = points.moments(diagonal=prior.diagonal)
    mean = shape.sum_up(_sums(points.mean - middle, end, nodes=len(shape))) / size
    variance = shape.sum_up(_sums(points.squares(middle), end, nodes=len(shape))) / size - mean**2
    variance = variance if prior.diagonal else variance.mean(axis=1, keepdims=True)
    ones = np.ones(len(shape))
    tree = Tree(shape, mean + middle, np.maximum(variance, prior.floor), ones, ones)
    return tree.with_sticks(ended, gamma=prior.gamma)


def _sums(rows: Float[np.ndarray, "points dim"], end: Int[np.ndarray, " points"], *, nodes: int) -> np.ndarray:
    order = np.argsort(end, kind="stable")
    found, total = np.unique(end), np.zeros((nodes, rows.shape[1]))
    total[found] = np.add.reduceat(rows[order], np.searchsorted(end[order], found), axis=0)
    return total


def _seed_of(slots: tuple[int, ...], *, seed: int) -> int:
    """A seed of the node's own, from its address alone."""
    return int(np.random.SeedSequence(seed, spawn_key=slots).generate_state(1)[0])


def _children(mean: Float[np.ndarray, "points dim"], cluster: _Cluster, *, arity: int, seed: int) -> list[_Cluster]:
    """The children of a node, the largest first; none where there are too few points, or too few different ones."""
    from sklearn.cluster import KMeans

    members, slots = cluster
    if len(members) < max(FEWEST, 2 * arity):
        return []
    if arity == 1:
        return [_Cluster(members, (*slots, 0))]
    inside = mean[members]
    model = KMeans(n_clusters=arity, n_init=STARTS, random_state=_seed_of(slots, seed=seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer different points than clusters: what comes out has as many as there are
        label = model.fit(inside - inside.mean(axis=0)).labels_
    parts = [members[label == number] for number in np.unique(label).tolist()]
    parts.sort(key=lambda part: (-len(part), int(part[0])))
    return [_Cluster(part, (*slots, slot)) for slot, part in enumerate(parts)] if len(parts) > 1 else []
