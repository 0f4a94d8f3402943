"""Evaluate: how well a hierarchy agrees with labels and embeddings of its points, by the field's measures.

Dendrogram and leaf purity, Dasgupta's cost and Moseley and Wang's revenue, cophenetic correlation, and for a flat cut NMI,
ARI, accuracy and Fowlkes-Mallows; hierarchical F where labels have several levels, a linear probe of the embeddings, and the
negative log-likelihood of held-out data where the source has a density. against_data.py, flat.py, by_level.py and probe.py say
what each is, and whence.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Int, Shaped

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
from cfgraph.judging.by_level import LevelScores, hierarchical_f
from cfgraph.judging.dendrogram import Dendrogram
from cfgraph.judging.flat import ClusterScores, cut_clusters, cut_height, cut_level, score_clusters
from cfgraph.judging.leaves import Leaves
from cfgraph.judging.probe import linear_probe
from cfgraph.learning.nested.learned import LearnedTree
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
class HeldOut:
    """How well a source's density explains data that it was not made of."""

    points: int
    negative_log_likelihood: float  # nats a point, the mean


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
    hierarchical: LevelScores | None  # where there are labels of several levels
    linear_probe: float | None
    held_out: HeldOut | None
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
    labels: Labels | Sequence[Labels],
    embeddings: Embeddings | None = None,
    cut: Cut | None = None,
    probe: bool = False,
    held_out: Float[np.ndarray, "rows columns"] | None = None,
    samples: int = 0,
    seed: int = 0,
) -> Evaluation:
    """Judge a hierarchy that holds its cells by labels, and where they are given by embeddings, of its points.

    Args:
        hierarchy: with its cells (``Store.read_whole``).
        labels: by data point or by leaf name; leaves of other names are left out and counted. Of labels of several levels, the
            coarsest first, hierarchical F takes all of them, every other measure the last.
        embeddings: the same; they give the similarities of Dasgupta's cost and the distances of the cophenetic correlation.
        cut: a flat clustering to be judged as well.
        probe: whether a linear probe of the embeddings is asked for, which takes a while.
        held_out: data that the hierarchy was not made of, as raw as those; where its source has a density (``sources.hcrl``).
        samples: of the bootstrap over the points; 0: no intervals.
        seed: of everything that is drawn.

    Raises:
        InputError: for several parents, labels or embeddings of the wrong length or of unknown leaves, a cut that is not there,
            a probe without embeddings, held-out data for a hierarchy whose source has no density.
    """
    if probe and embeddings is None:
        raise InputError("a linear probe is of embeddings; give --embeddings, such as the latents of `ingest infohier`")
    explained = None if held_out is None else _explained(hierarchy, held_out)
    leaves = Leaves.of(hierarchy)
    points, by_level = _labelled_at_all(leaves, [labels] if isinstance(labels, Labels) else list(labels))
    label = by_level[-1]
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
        hierarchical=hierarchical_f(tree, by_level) if len(by_level) > 1 else None,
        linear_probe=linear_probe(vectors, label, seed=seed) if probe and vectors is not None else None,
        held_out=explained,
        intervals=_intervals(tree, label, cluster, samples=samples, seed=seed) if samples else {},
    )


def _explained(hierarchy: HierarchyWithCells, rows: Float[np.ndarray, "rows columns"]) -> HeldOut:
    """How well a hierarchy's density explains rows."""
    encoder = hierarchy.require_encoder()
    if encoder is None or hierarchy.origin != "hcrl":
        raise InputError(
            f"{hierarchy.id!r} ({hierarchy.origin}) has no density, so no data are more or less likely; `cfgraph ingest hcrl` "
            "makes hierarchies that have one"
        )
    loss = LearnedTree.of(encoder).negative_log_likelihood(rows)
    if len(loss) == 0:
        raise InputError("expected at least one row of held-out data, got none")
    return HeldOut(len(loss), float(loss.mean()))


def _labelled_at_all(
    leaves: Leaves, labels: list[Labels]
) -> tuple[Int[np.ndarray, " chosen"], list[Shaped[np.ndarray, " chosen"]]]:
    """The points that have a label of every level and lie in a cell, and the labels level by level."""
    if not labels:
        raise InputError("expected labels of one level at least, got none")
    found = [_labelled(leaves, one) for one in labels]
    points = found[0][0]
    for others, _ in found[1:]:
        points = points[np.isin(points, others)]
    if len(points) == 0:
        raise InputError(f"expected points of {leaves.hierarchy.id!r} with a label of each level, got none")
    return points, [_at(points, known, values) for known, values in found]


def _at(points: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The values of some of the known points."""
    order = np.argsort(known, kind="stable")
    return values[order[np.searchsorted(known, points, sorter=order)]]


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
