"""By level: how well a tree agrees with a hierarchy of labels, one label of each point a level: hierarchical F.

A point's true labels are a set, one of each level, and so are those that the tree gives it: its cluster at each level, called
by the class that the best one-to-one assignment of clusters to classes of that level finds; no class where it finds none.
Kiritchenko, Matwin and Famili (2005) count over all points

    P = sum |given and true| / sum |given|,    R = sum |given and true| / sum |true|,    F = 2 P R / (P + R)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Shaped

from cfgraph.errors import InputError
from cfgraph.judging.dendrogram import Dendrogram
from cfgraph.judging.flat import cut_clusters, cut_level


@dataclass(frozen=True)
class LevelScores:
    """Precision, recall and F over all levels, and the share of points that each level has right."""

    precision: float
    recall: float
    f: float
    accuracy: tuple[float, ...]


def hierarchical_f(tree: Dendrogram, labels: Sequence[Shaped[np.ndarray, " points"]]) -> LevelScores:
    """Hierarchical F of a tree against labels of several levels, the coarsest first.

    The clusters of a level are the cells of that level below the root; where the tree has heights, whose levels mean nothing,
    as many clusters as the level has classes.

    Raises:
        InputError: for no level at all, or labels of the wrong length.
    """
    if not len(labels):
        raise InputError("expected labels of one level at least, got none")
    for number, column in enumerate(labels, start=1):
        if len(column) != tree.points:
            raise InputError(f"expected a label for each of the {tree.points} points at level {number}, got {len(column)}")
    pairs = [_level_of(tree, np.asarray(column), level=number) for number, column in enumerate(labels, start=1)]
    right, given = (np.array(column) for column in zip(*pairs, strict=True))
    precision, recall = float(right.sum() / max(int(given.sum()), 1)), float(right.sum() / right.size)
    both = precision + recall
    return LevelScores(precision, recall, 2 * precision * recall / both if both else 0.0, tuple(right.mean(axis=1).tolist()))


def _level_of(tree: Dendrogram, label: np.ndarray, *, level: int) -> tuple[Bool[np.ndarray, " p"], Bool[np.ndarray, " p"]]:
    """Of each point whether its class is right, and whether it is given one."""
    code = np.unique(label, return_inverse=True)[1]
    classes = int(code.max()) + 1
    found = cut_level(tree, level) if tree.height is None else cut_clusters(tree, min(classes, tree.points))
    called = _called(np.unique(found, return_inverse=True)[1], code)
    return called == code, called >= 0


def _called(cluster: Int[np.ndarray, " points"], code: Int[np.ndarray, " points"]) -> Int[np.ndarray, " points"]:
    """The class that each point's cluster is called by; -1 for none."""
    from scipy.optimize import linear_sum_assignment

    table = np.zeros((int(cluster.max()) + 1, int(code.max()) + 1), dtype=np.int64)
    np.add.at(table, (cluster, code), 1)
    rows, columns = linear_sum_assignment(table, maximize=True)
    name = np.full(len(table), -1)
    name[rows] = np.where(table[rows, columns] > 0, columns, -1)
    return name[cluster]
