"""Evaluate: how well a hierarchy agrees with labels and embeddings of its points, by the field's measures.

Dendrogram and leaf purity, Dasgupta's cost and Moseley and Wang's revenue, cophenetic correlation, and for a flat cut NMI,
ARI, accuracy and Fowlkes-Mallows; hierarchical F where labels have several levels, a linear probe of the embeddings, and the
negative log-likelihood of held-out data where the source has a density. against_data.py, flat.py, by_level.py and probe.py say
what each is, and whence.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from jaxtyping import Float, Int, Shaped

from cfgraph.defaults import HEADER_RULE
from cfgraph.errors import InputError
from cfgraph.files.arrays import read_points
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
from cfgraph.judging.given import embeddings_of, labels_of
from cfgraph.judging.leaves import Leaves
from cfgraph.judging.probe import linear_probe
from cfgraph.learning.nested.learned import LearnedTree
from cfgraph.model.as_html import Shown
from cfgraph.model.hierarchy import Hierarchy, HierarchyWithCells
from cfgraph.moved import renamed

if TYPE_CHECKING:
    from cfgraph.store import Store

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
class Evaluation(Shown):
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


@renamed(samples="bootstrap")
def evaluate(
    hierarchy: "Hierarchy | Store",
    id: str | None = None,
    *,
    labels: Any,
    key: str | Sequence[str] | None = None,
    embeddings: Any = None,
    embeddings_header: str = HEADER_RULE,
    embeddings_key: str | None = None,
    embeddings_columns: Sequence[str] | None = None,
    embeddings_separator: str | None = None,
    embeddings_decimal: str | None = None,
    labels_header: str = HEADER_RULE,
    labels_separator: str | None = None,
    large: bool = False,
    clusters: int | None = None,
    height: float | None = None,
    level: int | None = None,
    cut: Cut | None = None,
    probe: bool = False,
    held_out: Any = None,
    bootstrap: int = 0,
    seed: int = 0,
) -> Evaluation:
    """Judge a hierarchy by labels, and where they are given by embeddings, of its points: ``evaluate(tree, labels=y)``.

    Args:
        hierarchy: with its cells, or a store.
        id: of a store, the hierarchy's id.
        labels: an array, a list or a series, a label a data point (or a leaf, where no data points are known); a mapping from
            names of leaves; or a file. Leaves of other names are left out and counted. Of labels of several levels, a list of
            such with the coarsest first, hierarchical F takes all of them, every other measure the last.
        key: the array or column of a file of labels; several of one file are several levels.
        embeddings: an array, a row a point, or a file; they give the similarities of Dasgupta's cost and the distances of the
            cophenetic correlation.
        embeddings_header: whether the first line of a table of text of embeddings is one: ``yes``, ``no`` or ``auto``.
        embeddings_key: the array of an .npz file of them.
        embeddings_columns: the columns of a table of them.
        embeddings_separator: what stands between the cells of a table of text of them; found unless given.
        embeddings_decimal: the sign before the decimals in it, ``.`` or ``,``; found unless given.
        labels_header: whether the first line of a table of text of labels is one.
        labels_separator: what stands between its cells; found unless given.
        large: whether files may be larger than :mod:`cfgraph.files.opened` allows.
        clusters: also judge the cut into so many clusters.
        height: also judge the cut at this height.
        level: also judge the cells of this level as clusters.
        cut: one of these three as a value.
        probe: whether a linear probe of the embeddings is asked for, which takes a while.
        held_out: data that the hierarchy was not made of, as raw as those, an array or a file; where its source has a density
            (``sources.hcrl``).
        bootstrap: draws of the bootstrap over the points; 0: no intervals.
        seed: of everything that is drawn.

    Raises:
        InputError: for several parents, labels or embeddings of the wrong length or of unknown leaves, a cut that is not there,
            a probe without embeddings, held-out data for a hierarchy whose source has no density.
    """
    judged = [Cut.of(clusters=clusters, height=height, level=level), cut]
    if len(cuts := [one for one in judged if one is not None]) > 1:
        raise InputError(f"expected one cut, got {', '.join(cuts[0].asked)} and cut")
    cut = cuts[0] if cuts else None
    by_file = labels_of(labels, key=key, header=labels_header, separator=labels_separator, large=large)
    given = embeddings_of(
        embeddings,
        embeddings_key=embeddings_key,
        embeddings_columns=embeddings_columns,
        embeddings_header=embeddings_header,
        embeddings_separator=embeddings_separator,
        embeddings_decimal=embeddings_decimal,
        large=large,
    )
    new = read_points(held_out, large=large).values if isinstance(held_out, str | Path) else held_out
    whole = _whole(hierarchy, id)
    return _evaluate(whole, by_file, given, cut=cut, probe=probe, held_out=new, samples=bootstrap, seed=seed)


def _whole(hierarchy: "Hierarchy | Store", id: str | None) -> HierarchyWithCells:
    """The hierarchy with its cells, read from the store where it is one."""
    if isinstance(hierarchy, Hierarchy):
        if id is not None:
            raise InputError(f"an id is of a hierarchy in a store, and {hierarchy.id!r} is one in memory; leave {id!r} out")
        return hierarchy.require_cells()
    if id is None:
        raise InputError('expected the id of a hierarchy in the store: evaluate(store, "digits", labels=y)')
    return hierarchy.read_whole(id)


def _evaluate(
    hierarchy: HierarchyWithCells,
    labels: list[Labels],
    embeddings: Embeddings | None,
    *,
    cut: Cut | None,
    probe: bool,
    held_out: Float[np.ndarray, "rows columns"] | None,
    samples: int,
    seed: int,
) -> Evaluation:
    """What was found, of all that was read."""
    if probe and embeddings is None:
        raise InputError("a linear probe is of embeddings; give --embeddings, such as the latents of `ingest infohier`")
    explained = None if held_out is None else _explained(hierarchy, held_out)
    leaves = Leaves.of(hierarchy)
    points, by_level = _labelled_at_all(leaves, labels)
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
