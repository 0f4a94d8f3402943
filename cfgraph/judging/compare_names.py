"""Compare by name: two hierarchies over the same leaves, or of the same nodes, that have no addresses in common.

Trees: Robinson-Foulds, triplet distance, Fowlkes-Mallows by level, cophenetic correlation, over the leaves that both have.
Any hierarchies, with several parents too: which names and which edges between names they share, and how the path metrics
differ over pairs of names. cfgraph/judging/of_two_trees.py says what each measure is.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from cfgraph.checks import check_integer
from cfgraph.comparing.measures import PathDistortion, path_distortion
from cfgraph.errors import InputError, notes_of
from cfgraph.files.embeddings import Embeddings
from cfgraph.judging.against_data import Interval, bootstrap
from cfgraph.judging.dendrogram import Dendrogram
from cfgraph.judging.leaves import Leaves
from cfgraph.judging.of_two_trees import (
    CladeDistance,
    TripletDistance,
    cophenetic_agreement,
    fowlkes_mallows_by_level,
    neighbour_graph,
    robinson_foulds,
    tree_sampling_divergence,
    triplet_distance,
)
from cfgraph.metric.path import hierarchy_distances
from cfgraph.model.as_html import Shown
from cfgraph.model.cells import Cells
from cfgraph.model.hierarchy import HierarchyWithCells

LEVELS_MAX = 64  # so many levels of deep trees are cut


@dataclass(frozen=True)
class Shared:
    """How much of two sets is in both."""

    both: int
    only_first: int
    only_second: int


@dataclass(frozen=True)
class TreeAgreement:
    """How alike two trees over the same leaves are."""

    leaves: int
    left_out: tuple[int, int]  # leaves that the other hierarchy does not have
    robinson_foulds: CladeDistance
    triplet: TripletDistance
    fowlkes_mallows: dict[int, float]  # by level
    cophenetic_correlation: float
    tree_sampling_divergence: tuple[float, float] | None  # of either tree, on one graph of nearest neighbours
    intervals: dict[str, Interval]


@dataclass(frozen=True)
class NameComparison(Shown):
    """What was found; None is what the hierarchies are not fit for."""

    first: str
    second: str
    names: Shared | None
    edges: Shared | None
    path_distortion: PathDistortion | None
    trees: TreeAgreement | None
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        found = asdict(self)
        if self.trees is not None:
            clades = self.trees.robinson_foulds
            found["trees"]["robinson_foulds"] |= {"distance": clades.distance, "normalised": clades.normalised}
        return found


def compare_names(
    first: HierarchyWithCells,
    second: HierarchyWithCells,
    *,
    embeddings: Embeddings | None = None,
    pairs: int = 10_000,
    samples: int = 0,
    seed: int = 0,
) -> NameComparison:
    """Compare two hierarchies that hold their cells, by the names of cells, or by the rows of data points.

    Args:
        first: with its cells (``Store.read_whole``).
        second: the same.
        embeddings: of the leaves, for the tree sampling divergence of both on one graph of nearest neighbours; it needs the
            extra ``judge``.
        pairs: of names, over which the path metrics are compared.
        samples: of the bootstrap over the leaves; 0: no intervals.
        seed: of everything that is drawn.

    Raises:
        InputError: where they share fewer than two names and data points, and for numbers that make no sense.
    """
    check_integer(pairs, name="number of pairs", low=1)
    check_integer(seed, name="seed", low=0)
    remarks, both = [], (first.require_cells(), second.require_cells())
    named = all(hierarchy.cells.names is not None for hierarchy in both)
    coded = _Coded.of(*(_names_by_row(hierarchy.cells) for hierarchy in both)) if named else None
    rows = None if coded is None else _common_rows(first, second, coded)
    trees = None
    if any(hierarchy.cells.links is not None for hierarchy in both):
        remarks.append("measures of trees are left out: a hierarchy has cells with several parents")
    else:
        both_leaves = (Leaves.of(first), Leaves.of(second))
        trees = _compare_trees(*both_leaves, embeddings=embeddings, samples=samples, seed=seed)
        if trees is None:
            remarks.append("measures of trees are left out: fewer than two leaves or data points are in both")
    if rows is None and trees is None:
        raise InputError(
            f"{first.id!r} and {second.id!r} have no names to compare them by, and do not both know their "
            "data points; ingest them with --points, or with names"
        )
    return NameComparison(
        first=first.id,
        second=second.id,
        names=None if coded is None else _shared(coded.first[coded.first >= 0], coded.second[coded.second >= 0]),
        edges=None
        if coded is None
        else _shared(_named_edges(first.cells, coded.first), _named_edges(second.cells, coded.second)),
        path_distortion=None if rows is None else _distortion(both, rows, pairs=pairs, seed=seed),
        trees=trees,
        remarks=notes_of(remarks),
    )


@dataclass(frozen=True, eq=False)
class _Coded:
    """Names as numbers, the same for the same name in either hierarchy; -1 where there is none."""

    first: Int[np.ndarray, " firsts"]
    second: Int[np.ndarray, " seconds"]

    @classmethod
    def of(cls, first: Sequence[str | None], second: Sequence[str | None]) -> "_Coded":
        """Number the names in the order in which they come up."""
        codes: dict[str | None, int] = {None: -1}
        numbered = ([codes.setdefault(name, len(codes) - 1) for name in names] for names in (first, second))
        return cls(*(np.array(numbers, dtype=np.int64) for numbers in numbered))

    def common(self) -> tuple[Int[np.ndarray, " common"], Int[np.ndarray, " common"]]:
        """The places, in either, of the names that both have; of a name that comes again in the second its last place."""
        place = np.full(1 + max(self.first.max(initial=-1), self.second.max(initial=-1)), -1, dtype=np.int64)
        named = np.flatnonzero(self.second >= 0)
        place[self.second[named]] = named
        chosen = np.flatnonzero(self.first >= 0)
        chosen = chosen[place[self.first[chosen]] >= 0]
        return chosen, place[self.first[chosen]]


def _names_by_row(cells: Cells) -> Sequence[str | None]:
    return [None] * len(cells) if cells.names is None else cells.names


def _shared(first: Int[np.ndarray, " firsts"], second: Int[np.ndarray, " seconds"]) -> Shared:
    """How many different numbers are in both, and in one alone."""
    first, second = np.unique(first), np.unique(second)
    both = len(np.intersect1d(first, second, assume_unique=True))
    return Shared(both, len(first) - both, len(second) - both)


def _named_edges(cells: Cells, code: Int[np.ndarray, " cells"]) -> Int[np.ndarray, " edges"]:
    """Every edge between two cells with names, as one number of both."""
    links = cells.links
    parent, child = cells.parent[1:], np.arange(1, len(cells))
    if links is not None:
        parent, child = np.concatenate([parent, links.parent]), np.concatenate([child, links.child])
    above, below = code[parent], code[child]
    named = (above >= 0) & (below >= 0)
    return (above[named].astype(np.int64) << 32) | below[named]


def _common_rows(first: HierarchyWithCells, second: HierarchyWithCells, coded: _Coded) -> tuple[np.ndarray, np.ndarray]:
    """The rows, in either, of the names that both have."""
    rows = coded.common()
    if len(rows[0]) < 2:
        raise InputError(
            f"expected at least two names that both hierarchies have, got {len(rows[0])}: {first.id!r} has "
            f"{_first_names(_names_by_row(first.cells))}, {second.id!r} has {_first_names(_names_by_row(second.cells))}"
        )
    return rows


def _first_names(names: Sequence[str | None]) -> str:
    known = [name for name in names if name is not None][:3]
    return ", ".join(map(repr, known)) + ", ..." if known else "none"


def _distortion(
    both: tuple[HierarchyWithCells, HierarchyWithCells], rows: tuple[np.ndarray, np.ndarray], *, pairs: int, seed: int
) -> PathDistortion:
    """Path metric against path metric over pairs of common names; pairs without a way in either are left out."""
    random = np.random.default_rng(seed)
    one, other = random.integers(len(rows[0]), size=(2, pairs))
    one, other = (column[one != other] for column in (one, other))
    true, found = (hierarchy_distances(hierarchy, row[one], row[other]) for hierarchy, row in zip(both, rows, strict=True))
    known = ~(np.isnan(true) | np.isnan(found))
    return path_distortion(found[known], true[known])


def _compare_trees(
    first: Leaves, second: Leaves, *, embeddings: Embeddings | None, samples: int, seed: int
) -> TreeAgreement | None:
    points = _common_points(first, second)
    if points is None or len(points[0]) < 2:
        return None
    one, other = (leaves.dendrogram(chosen) for leaves, chosen in zip((first, second), points, strict=True))
    divergence = None
    if embeddings is not None:
        graph = neighbour_graph(first.vectors(embeddings, points[0]))
        divergence = tree_sampling_divergence(one, graph), tree_sampling_divergence(other, graph)
    deepest = min(int(one.level.max()), int(other.level.max()), LEVELS_MAX)
    return TreeAgreement(
        leaves=len(points[0]),
        left_out=(len(first.cell) - len(points[0]), len(second.cell) - len(points[1])),
        robinson_foulds=robinson_foulds(one, other, seed=seed),
        triplet=triplet_distance(one, other, seed=seed),
        fowlkes_mallows=fowlkes_mallows_by_level(one, other, levels=range(1, deepest + 1)),
        cophenetic_correlation=cophenetic_agreement(one, other, seed=seed).correlation,
        tree_sampling_divergence=divergence,
        intervals=_intervals(one, other, samples=samples, seed=seed) if samples else {},
    )


def _common_points(first: Leaves, second: Leaves) -> tuple[Int[np.ndarray, " common"], Int[np.ndarray, " common"]] | None:
    """The points that both have: by data point where both know theirs, and as many; else by name, where it is of one alone."""
    if first.by_row and second.by_row and len(first.cell) == len(second.cell):
        both = np.flatnonzero((first.cell >= 0) & (second.cell >= 0))
        return both, both
    found = _Coded.of(_of_one(first.names), _of_one(second.names)).common()
    return found if len(found[0]) else None


def _of_one(names: Sequence[str | None]) -> list[str | None]:
    """The names without those that several have."""
    times = Counter(names)
    return [None if times[name] > 1 else name for name in names]


def _intervals(one: Dendrogram, other: Dendrogram, *, samples: int, seed: int) -> dict[str, Interval]:
    """Percentile intervals over the leaves."""
    measures = {
        "robinson_foulds": lambda weight: robinson_foulds(one, other, weight=weight, seed=seed).normalised,
        "triplet": lambda weight: triplet_distance(one, other, weight=weight, seed=seed).distance,
        "cophenetic_correlation": lambda weight: cophenetic_agreement(one, other, weight=weight, seed=seed).correlation,
    }
    found = {name: bootstrap(measure, points=one.points, samples=samples, seed=seed) for name, measure in measures.items()}
    return {name: interval for name, interval in found.items() if not math.isnan(interval.value)}
