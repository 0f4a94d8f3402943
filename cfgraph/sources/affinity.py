"""Trees of classes from their affinities: how often the same points are thought to be of both.

``w_ck = sum over x of p_c(x) p_k(x) / sqrt(m_c m_k)``, with ``m_c = sum over x of p_c(x)``: between 0 and 1, whatever the sizes
of the classes. Two rules make a binary tree of them, both *ours*, beside the paper's own in :mod:`cfgraph.sources.logits`:

* ``spectral``: the normalised cut (Shi and Malik 2000), again and again: classes stand in the order of the second eigenvector
  of the normalised Laplacian, and are cut where ``cut / volume(A) + cut / volume(B)`` is least. O(C^3) a cut.
* ``average``: average linkage of ``1 - w``. O(C^2).

A merge is as high as 1 less the mean affinity across it, and never lower than a merge below it.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.errors import InputError
from cfgraph.sources.softmax import Predictions, sum_products

FAINT = 1e-9  # an affinity below this is none where classes are cut: sums of all of them would not see it
CLASSES_MAX = 5_000  # of which a matrix of all pairs is made, and cut again and again

Affinities = Float[np.ndarray, "classes classes"]
Tree = tuple[Int[np.ndarray, "merges 2"], Float[np.ndarray, " merges"], Float[np.ndarray, " merges"]]


def class_affinities(logits: Float[np.ndarray, "points classes"], found: Predictions) -> Affinities:
    """``w`` of all pairs, 0 of a class with itself, and of one that is never thought of."""
    classes = logits.shape[1]
    if classes > CLASSES_MAX:
        raise InputError(
            f"expected at most {CLASSES_MAX:,} classes for affinities of all pairs, got {classes:,}; leave --linkage out"
        )
    products = sum_products(logits, found, groups=[np.array([number]) for number in range(classes)])
    mass = products.sum(axis=1)
    mass = np.where(mass > 0, mass, 1.0)
    affinities: np.ndarray = (products + products.T) / 2 / np.sqrt(np.outer(mass, mass))
    np.fill_diagonal(affinities, 0.0)
    return affinities


def spectral_tree(affinities: Affinities) -> Tree:
    """The tree of normalised cuts: children (numbers as SciPy's), heights, and the mean affinity across each merge."""
    known = np.where(affinities >= FAINT, affinities, 0.0)
    splits, waiting = list[tuple[np.ndarray, np.ndarray]](), [np.arange(len(affinities))]
    while waiting:
        members = waiting.pop()
        if len(members) > 1:
            side = _cut(known[np.ix_(members, members)])
            splits.append((members[side], members[~side]))
            waiting += splits[-1]
    return _numbered(affinities, splits[::-1])  # from below: a part is cut after the whole


def _cut(affinities: Affinities) -> Bool[np.ndarray, " classes"]:
    """Which of some classes stand on one side of the least normalised cut that the second eigenvector tells of."""
    from scipy.linalg import eigh
    from scipy.sparse.csgraph import connected_components

    count, part = connected_components(affinities > 0, directed=False)
    if count > 1:  # any union of parts is a cut of 0: the smallest part goes first
        return part == np.bincount(part).argmin()
    degree = affinities.sum(axis=1)
    root = np.sqrt(degree)
    laplacian = np.eye(len(affinities)) - affinities / root[:, None] / root
    _, vectors = eigh(laplacian, subset_by_index=[1, 1])
    order = np.argsort(vectors[:, 0] / root, kind="stable")
    sorted_ = affinities[np.ix_(order, order)]
    before, behind = np.cumsum(degree[order])[:-1], np.cumsum(degree[order][::-1])[-2::-1]  # the volumes of both sides
    cut = np.maximum(before - sorted_.cumsum(axis=0).cumsum(axis=1).diagonal()[:-1], 0.0)
    first = 1 + int(np.argmin(cut / before + cut / behind))
    side = np.zeros(len(affinities), dtype=bool)
    side[order[:first]] = True
    return side


def _numbered(affinities: Affinities, splits: list[tuple[np.ndarray, np.ndarray]]) -> Tree:
    """Splits, those of parts before those of wholes, as merges in the order of their heights."""
    classes = len(affinities)
    mean = np.array([affinities[np.ix_(one, other)].mean() for one, other in splits])
    height = 1 - mean
    children = np.empty((len(splits), 2), dtype=np.int64)
    top = np.arange(classes)  # by class: the node that holds it by now
    for row, (one, other) in enumerate(splits):
        children[row] = top[one[0]], top[other[0]]
        below = [node - classes for node in children[row].tolist() if node >= classes]
        height[row] = max([height[row], *height[below].tolist()])
        top[one], top[other] = classes + row, classes + row
    order = np.lexsort((np.arange(len(splits)), height))
    number = np.arange(classes + len(splits))
    number[classes + order] = np.arange(classes, classes + len(splits))
    return np.sort(number[children[order]], axis=1), height[order], mean[order]


def average_tree(affinities: Affinities) -> Tree:
    """The average linkage of ``1 - w``: children, heights, and the mean affinity across each merge."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    distance = 1.0 - affinities
    np.fill_diagonal(distance, 0.0)
    merges = linkage(squareform(distance, checks=False), "average")
    height = np.maximum.accumulate(merges[:, 2])  # which falls by rounding alone
    return merges[:, :2].astype(np.int64), height, 1.0 - merges[:, 2]


TREES: dict[str, Callable[[Affinities], Tree]] = {"spectral": spectral_tree, "average": average_tree}
