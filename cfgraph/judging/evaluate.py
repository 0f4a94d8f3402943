"""Evaluate: how well a hierarchy agrees with labels and embeddings of its points, by the field's measures.

Dendrogram and leaf purity, Dasgupta's cost and Moseley and Wang's revenue, cophenetic correlation, and for a flat cut NMI,
ARI, accuracy and Fowlkes-Mallows. cfgraph/judging/against_data.py and cfgraph/judging/flat.py say what each is, and whence.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from jaxtyping import Int, Shaped

from cfgraph.errors import InputError
from cfgraph.files.embeddings import Embeddings
from cfgraph.files.labels import Labels
from cfgraph.judging.against_data import (
    Interval,
    PurityPlan,
    SimilarityCost,
    bootstrap,
    cophenetic_correlation,
    dendrogram_purity,
    leaf_purity,
    similarity_cost,
)
from cfgraph.judging.dendrogram import Dendrogram
from cfgraph.judging.flat import ClusterScores, cut_clusters, cut_height, cut_level, score_clusters
from cfgraph.judging.leaves import Leaves
from cfgraph.model.hierarchy import HierarchyWithCells

SHARES = ("nmi", "ari", "accuracy", "fowlkes_mallows")


@dataclass(frozen=True)
class Cut:
    """A flat clustering that is asked for: exactly one of a number of clusters, a height and a level."""

    clusters: int | None = None
    height: float | None = None
    level: int | None = None

    def __post_init__(self) -> None:
        if len(self.asked) != 1:
            given = ", ".join(self.asked) or "none"
            raise InputError(f"expected one of --clusters, --height and --level for a cut, got {given}")

    @property
    def asked(self) -> dict[str, int | float]:
        """The one that was given, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}

    @classmethod
    def of(cls, *, clusters: int | None, height: float | None, level: int | None) -> Self | None:
        """The cut that was asked for, if any was."""
        given = clusters, height, level
        return None if all(value is None for value in given) else cls(*given)

    def clusters_of(self, leaves: Leaves, points: Int[np.ndarray, " chosen"]) -> Int[np.ndarray, " chosen"]:
        """The cluster of each of some points."""
        if self.clusters is not None:
            return cut_clusters(leaves.dendrogram(points, by_merge=True), self.clusters)
        tree = leaves.dendrogram(points)
        if self.height is not None:
            return cut_height(tree, self.height)
        assert self.level is not None  # exactly one of the three is given
        return cut_level(tree, self.level)


@dataclass(frozen=True)
class Evaluation:
    """What was found. What was not asked for, or cannot be measured, is None (``null`` in JSON)."""

    id: str
    points: int
    points_left_out: int  # without a label, or in no cell
    classes: int
    dendrogram_purity: float
    leaf_purity: float
    similarity: SimilarityCost | None
    cophenetic_correlation: float | None
    cut: dict[str, int | float] | None
    scores: ClusterScores | None
    intervals: dict[str, Interval]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, with what follows from the similarity's sums."""
        found = asdict(self)
        if self.similarity is not None:
            found["similarity"] |= {name: getattr(self.similarity, name) for name in ("bound", "least", "relative", "revenue")}
        return found


def evaluate(
    hierarchy: HierarchyWithCells,
    *,
    labels: Labels,
    embeddings: Embeddings | None = None,
    cut: Cut | None = None,
    samples: int = 0,
    seed: int = 0,
) -> Evaluation:
    """Judge a hierarchy that holds its cells by labels, and where they are given by embeddings, of its points.

    Args:
        hierarchy: with its cells (``Store.read_whole``).
        labels: by data point or by leaf name; leaves of other names are left out and counted.
        embeddings: the same; they give the similarities of Dasgupta's cost and the distances of the cophenetic correlation.
        cut: a flat clustering to be judged as well.
        samples: of the bootstrap over the points; 0: no intervals.
        seed: of everything that is drawn.

    Raises:
        InputError: for several parents, labels or embeddings of the wrong length or of unknown leaves, a cut that is not there.
    """
    leaves = Leaves.of(hierarchy)
    points, label = _labelled(leaves, labels)
    tree, vectors = leaves.dendrogram(points), None if embeddings is None else leaves.vectors(embeddings, points)
    cluster = None if cut is None else cut.clusters_of(leaves, points)
    correlated = None if vectors is None else cophenetic_correlation(tree, vectors, seed=seed).correlation
    return Evaluation(
        id=hierarchy.id,
        points=len(points),
        points_left_out=len(leaves.cell) - len(points),
        classes=len(np.unique(label)),
        dendrogram_purity=dendrogram_purity(tree, label),
        leaf_purity=leaf_purity(tree, label),
        similarity=None if vectors is None else similarity_cost(tree, vectors, seed=seed),
        cophenetic_correlation=correlated,
        cut=None if cut is None else cut.asked,
        scores=None if cluster is None else score_clusters(cluster, label),
        intervals=_intervals(tree, label, cluster, samples=samples, seed=seed) if samples else {},
    )


def _labelled(leaves: Leaves, labels: Labels) -> tuple[Int[np.ndarray, " chosen"], Shaped[np.ndarray, " chosen"]]:
    """The points that have a label and lie in a cell, and the labels."""
    if labels.names is not None:
        points, values = leaves.named(list(labels.names)), labels.values
    else:
        if len(labels.values) != len(leaves.cell):
            kind = "data points" if leaves.by_row else "leaves"
            raise InputError(
                f"expected a label for each of the {len(leaves.cell)} {kind} of {leaves.hierarchy.id!r}, got "
                f"{len(labels.values)}{labels.hint}; labels of some leaves alone need their names beside them"
            )
        points, values = np.arange(len(leaves.cell)), labels.values
    inside = leaves.cell[points] >= 0
    if not inside.any():
        raise InputError(f"expected at least one point with a label in a cell of {leaves.hierarchy.id!r}, got none")
    return points[inside], values[inside]


def _intervals(
    tree: Dendrogram, label: np.ndarray, cluster: np.ndarray | None, *, samples: int, seed: int
) -> dict[str, Interval]:
    """Percentile intervals, over the points, of all that can be measured of a draw without building the tree anew."""
    measures: dict[str, Callable[[np.ndarray], float]] = {
        "dendrogram_purity": PurityPlan.of(tree, label).purity,
        "leaf_purity": lambda weight: leaf_purity(tree, label, weight=weight),
    }
    if cluster is not None:
        scored = {name: _score(cluster, label, name) for name in SHARES}
        measures |= scored
    return {name: bootstrap(measure, points=len(label), samples=samples, seed=seed) for name, measure in measures.items()}


def _score(cluster: np.ndarray, label: np.ndarray, name: str) -> Callable[[np.ndarray], float]:
    return lambda weight: getattr(score_clusters(cluster, label, weight=weight), name)
