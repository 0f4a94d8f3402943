"""Agreement: how alike two hierarchies over the same data points are, without common addresses.

Point i is the same point in both trees. Every measure takes ``weight``, how often each point counts, as those of
:mod:`cfgraph.judging` do; points of weight 0 are left out of both trees, so that :func:`cfgraph.judging.bootstrap` works here
too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt64

from cfgraph.errors import InputError, MissingExtraError
from cfgraph.judging.against_data import check_similarity
from cfgraph.judging.dendrogram import Dendrogram
from cfgraph.judging.flat import cut_clusters, cut_level
from cfgraph.judging.pairs import CHUNK_NUMBERS, Choice, PairCorrelation, check_weight, correlate, draw_points

if TYPE_CHECKING:
    from scipy.sparse import csr_array, csr_matrix

    from cfgraph.judging.against_data import Sparse

TRIPLET_POINTS = 2_000  # up to so many points every triplet is looked at: O(n^2 log n) time, n^2 numbers
SAMPLED_TRIPLETS = 1_000_000
HALVES = ("high", "low")  # of the 128-bit number of a clade


@dataclass(frozen=True)
class CladeDistance:
    """How many clades two trees share. A *clade* is the set of points below a cell, if it has two or more and not all."""

    first: int  # clades of the first tree
    second: int
    shared: int

    @property
    def distance(self) -> int:
        """The Robinson-Foulds distance: clades of one tree that the other lacks."""
        return self.first + self.second - 2 * self.shared

    @property
    def normalised(self) -> float:
        """The distance over the clades of both trees, in [0, 1]; 0 where neither tree has any."""
        clades = self.first + self.second
        return self.distance / clades if clades else 0.0


def robinson_foulds(
    first: Dendrogram, second: Dendrogram, *, weight: Shaped[np.ndarray, " weights"] | None = None, seed: int = 0
) -> CladeDistance:
    """The Robinson-Foulds distance of two rooted trees: ``|C1 - C2| + |C2 - C1|`` with C the clades of a tree.

    Any number of children; cells over the same points count once. Linear: a clade is known by the sum of random 128-bit
    numbers of its points, so two of m clades are mistaken for one with probability below m^2 / 2^127. Robinson and Foulds
    (1981), Day (1985).

    Raises:
        InputError: for trees with different numbers of points, and weights of the wrong length.
    """
    check_same_points(first, second)
    drawn = check_weight(weight, points=first.points) > 0
    number = np.random.default_rng(seed).integers(2**64, size=(2, first.points), dtype=np.uint64) * drawn
    one, other = (_clades(tree, drawn=drawn, number=number) for tree in (first, second))
    both = len(np.unique(np.concatenate([one, other])))
    return CladeDistance(len(one), len(other), shared=len(one) + len(other) - both)


def _clades(tree: Dendrogram, *, drawn: np.ndarray, number: UInt64[np.ndarray, "2 points"]) -> np.ndarray:
    """The different clades of a tree, each as a pair of sums (which may overflow: they are sums modulo 2^64)."""
    size = tree.weigh(drawn.astype(np.int64))
    cells = np.flatnonzero((size > 1) & (size < size[0]))
    sums = np.empty(len(cells), dtype=[(half, np.uint64) for half in HALVES])
    for name, column in zip(HALVES, number, strict=True):
        total = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(column[tree.order], dtype=np.uint64)])
        sums[name] = total[tree.last[cells]] - total[tree.first[cells]]
    return np.unique(sums)


@dataclass(frozen=True)
class TripletDistance:
    """The share of triplets of points whose shape differs; ``exact`` where every one was looked at, else a sample."""

    distance: float  # NaN for fewer than three points
    triplets: float
    exact: bool
    seed: int | None = None  # of the sample; None where exact
    standard_error: float = 0.0  # of the sample


def triplet_distance(
    first: Dendrogram,
    second: Dendrogram,
    *,
    weight: Shaped[np.ndarray, " weights"] | None = None,
    exact_points: int = TRIPLET_POINTS,
    sampled_triplets: int = SAMPLED_TRIPLETS,
    seed: int = 0,
) -> TripletDistance:
    """The triplet distance: the share of triplets {i, j, k} that have another shape in one tree than in the other.

    The shape of a triplet is the pair that meets below the third, or that all three pairs meet in one cell. Exact up to
    ``exact_points`` points in O(n^2 log n); ``sampled_triplets`` (with replacement) above, with a standard error. Dobson
    (1975).

    Exact counts come from two sums over pairs: of the points outside both cells where a pair meets, and of the pairs that a
    point meets in one cell of either tree (derived, docs/mathematics.md).

    Raises:
        InputError: for trees with different numbers of points, weights of the wrong length, no triplet to sample.
    """
    check_same_points(first, second)
    weight = check_weight(weight, points=first.points)
    if sampled_triplets < 1:
        raise InputError(f"expected at least one triplet to sample, got {sampled_triplets}")
    if np.count_nonzero(weight) < 3:
        return TripletDistance(math.nan, triplets=0.0, exact=True)
    if first.points <= exact_points:
        return _every_triplet(first, second, weight=weight.astype(np.float64))
    return _some_triplets(first, second, weight=weight, count=sampled_triplets, seed=seed)


def _every_triplet(first: Dendrogram, second: Dendrogram, *, weight: Float[np.ndarray, " points"]) -> TripletDistance:
    common, sizes = _Common.of(first, second, weight=weight), [tree.weigh(weight) for tree in (first, second)]
    alike = together = 0.0
    paired, total = np.zeros(2), weight.sum()
    for point in np.flatnonzero(weight).tolist():
        meeting = [tree.meet_row(point) for tree in (first, second)]
        others = weight.copy()
        others[point] = 0.0
        outside = [total - size[cells] for size, cells in zip(sizes, meeting, strict=True)]
        paired += [weight[point] * (others @ beyond) / 2 for beyond in outside]
        alike += weight[point] * (others @ (outside[0] + outside[1] - total + common.weight_of(*meeting))) / 2
        together += weight[point] * _pairs_in_groups(meeting[0] * second.cells + meeting[1], weight=others)
    triplets = _count_triplets(weight)
    unlike = together - 3 * triplets + 2 * paired.sum() - 2 * alike
    same = alike + (triplets - paired.sum() + alike + unlike)
    return TripletDistance(max(0.0, float(1 - same / triplets)), triplets=triplets, exact=True)


@dataclass(frozen=True, eq=False)
class _Common:
    """The weight of the points that lie below a cell of one tree and below a cell of another.

    ``total[i, j]`` is the weight of those that are before place i in the order of the first and before j in the second's.
    """

    trees: tuple[Dendrogram, Dendrogram]
    total: Float[np.ndarray, "points_and_one points_and_one"]

    @classmethod
    def of(cls, first: Dendrogram, second: Dendrogram, *, weight: np.ndarray) -> "_Common":
        total = np.zeros((first.points + 1, first.points + 1))
        total[first.rank + 1, second.rank + 1] = weight
        np.cumsum(total, axis=0, out=total)
        np.cumsum(total, axis=1, out=total)
        return cls((first, second), total)

    def weight_of(self, one: Int[np.ndarray, " pairs"], other: Int[np.ndarray, " pairs"]) -> Float[np.ndarray, " pairs"]:
        low, high = self.trees[0].first[one], self.trees[0].last[one]
        left, right = self.trees[1].first[other], self.trees[1].last[other]
        return self.total[high, right] - self.total[low, right] - self.total[high, left] + self.total[low, left]


def _pairs_in_groups(group: Int[np.ndarray, " points"], *, weight: Float[np.ndarray, " points"]) -> float:
    """The weight of the pairs of different points of one group."""
    member = np.unique(group, return_inverse=True)[1]
    return float((np.bincount(member, weights=weight) ** 2).sum() - (weight**2).sum()) / 2


def _count_triplets(weight: Float[np.ndarray, " points"]) -> float:
    """The third elementary symmetric polynomial, from power sums."""
    one, two, three = (float((weight**power).sum()) for power in (1, 2, 3))
    return (one**3 - 3 * one * two + 2 * three) / 6


def _some_triplets(first: Dendrogram, second: Dendrogram, *, weight: np.ndarray, count: int, seed: int) -> TripletDistance:
    random, seen, differ = np.random.default_rng(seed), 0, 0
    while seen < count:
        triplets = draw_points(random, weight, size=(3, min(count - seen, CHUNK_NUMBERS // 8)))
        i, j, k = triplets[:, (triplets[0] != triplets[1]) & (triplets[1] != triplets[2]) & (triplets[0] != triplets[2])]
        differ += int((_shapes(first, i, j, k) != _shapes(second, i, j, k)).sum())
        seen += len(i)
    share = differ / seen
    error = math.sqrt(share * (1 - share) / seen)
    return TripletDistance(share, triplets=float(seen), exact=False, seed=seed, standard_error=error)


def _shapes(tree: Dendrogram, i: np.ndarray, j: np.ndarray, k: np.ndarray) -> Int[np.ndarray, " triplets"]:
    """Which pair of each triplet meets below the third: 0 for jk, 1 for ik, 2 for ij; 3 where all meet in one cell."""
    meeting = np.stack([tree.position[tree.meet(*pair)] for pair in ((j, k), (i, k), (i, j))])
    return np.where((meeting == meeting[0]).all(axis=0), 3, meeting.argmax(axis=0))


def fowlkes_mallows_by_level(
    first: Dendrogram,
    second: Dendrogram,
    *,
    levels: Sequence[int] | None = None,
    weight: Shaped[np.ndarray, " weights"] | None = None,
) -> dict[int, float]:
    """The Fowlkes-Mallows index of both trees cut at a level, by level.

    Unless given, the levels are 1, 2, ... to the deepest of the shallower tree. Fowlkes and Mallows (1983).

    Raises:
        InputError: for trees with different numbers of points, a level below 0, and weights of the wrong length.
    """
    check_same_points(first, second)
    deepest = min(int(first.level.max()), int(second.level.max()))
    levels = range(1, deepest + 1) if levels is None else levels
    return {level: _fowlkes_mallows(cut_level(first, level), cut_level(second, level), weight=weight) for level in levels}


def fowlkes_mallows_by_clusters(
    first: Dendrogram,
    second: Dendrogram,
    *,
    clusters: Sequence[int],
    weight: Shaped[np.ndarray, " weights"] | None = None,
) -> dict[int, float]:
    """B_k of Fowlkes and Mallows (1983): the index of both trees cut into k clusters (``flat.cut_clusters``).

    Raises:
        InputError: for trees with different numbers of points, a k that is not from 1 to that number, and weights of the
            wrong length.
    """
    check_same_points(first, second)
    return {k: _fowlkes_mallows(cut_clusters(first, k), cut_clusters(second, k), weight=weight) for k in clusters}


def _fowlkes_mallows(one: np.ndarray, other: np.ndarray, *, weight: np.ndarray | None) -> float:
    from sklearn.metrics import fowlkes_mallows_score

    times = check_weight(weight, points=len(one))
    return float(fowlkes_mallows_score(np.repeat(one, times), np.repeat(other, times)))


def cophenetic_agreement(
    first: Dendrogram,
    second: Dendrogram,
    *,
    weight: Shaped[np.ndarray, " weights"] | None = None,
    exact_points: int | None = None,
    sampled_pairs: int | None = None,
    seed: int = 0,
) -> PairCorrelation:
    """Pearson's correlation, over pairs of points, of their distances in two trees (heights, else lengths of the way).

    Over every pair up to ``exact_points`` (5,000), over ``sampled_pairs`` (1,000,000) of them above; the result says which. NaN
    where the distance is the same for all pairs in either tree.

    Raises:
        InputError: for trees with different numbers of points, and weights of the wrong length.
    """
    check_same_points(first, second)
    weight = check_weight(weight, points=first.points)
    choice = Choice.of(first.points, exact_points=exact_points, sampled=sampled_pairs, seed=seed)
    trees = first, second

    def columns():
        for some in choice.walk(*trees, weight=weight):
            met = zip(trees, some.meeting, strict=True)
            yield *(tree.distances(some.first, some.second, meeting=meeting) for tree, meeting in met), some.weight

    return correlate(choice, columns())


def tree_sampling_divergence(tree: Dendrogram, similarity: "Sparse") -> float:
    """Tree sampling divergence of a tree for a graph of similarities between its points, over its maximum: in [0, 1].

    ``sum over cells v of p(v) log(p(v) / q(v))``, p(v) the chance that the ends of an edge meet in v, q(v) that two points
    drawn by degree do (a point with itself where it first meets another); over the mutual information of the ends of an
    edge, its maximum. The chances are scikit-network's, which merges two at a time; those of one cell are added up here.
    Charpentier and Bonald (2019). To compare two trees, judge both on one graph, such as :func:`neighbour_graph`. NaN where
    the ends of an edge tell nothing of each other.

    Raises:
        MissingExtraError: where scikit-network is not installed.
        InputError: for a matrix of another shape, one that is not symmetric, has something negative or no edge, and for a
            tree of one point.
    """
    try:
        from sknetwork.hierarchy.metrics import get_sampling_distributions
    except ImportError:
        raise MissingExtraError.of("scikit-network", extra="judge", purpose="tree sampling divergence") from None
    if tree.points < 2:
        raise InputError("expected at least two points for a tree sampling divergence, got one")
    graph = _symmetric_graph(similarity, points=tree.points)
    merges, cell = _merges(tree)
    edges, nodes, _ = get_sampling_distributions(graph, merges, "degree")
    # A cell of many children is a chain of merges to the library; what meets in any of them meets in the cell.
    p, q = (np.bincount(cell, weights=chance) for chance in (edges, nodes))
    met = np.flatnonzero(p)
    information = _mutual_information(graph)
    return float(p[met] @ np.log(p[met] / q[met])) / information if information > 0 else math.nan


def _symmetric_graph(similarity: "Sparse", *, points: int) -> "csr_matrix":
    """The similarities without the diagonal as chances that sum to 1, in the form that scikit-network takes."""
    from scipy.sparse import csr_matrix

    first, second, value = check_similarity(similarity, points=points)
    if (value < 0).any():
        raise InputError(f"expected similarities of at least 0 as the edges of a graph, got {value.min()}")
    first, second, value = (column[value > 0] for column in (first, second, value))
    if not len(value):
        raise InputError("expected a similarity with at least one edge between two points, got none")
    value = value / (2 * value.sum())
    ends = np.concatenate([first, second]), np.concatenate([second, first])
    return csr_matrix((np.concatenate([value, value]), ends), shape=(points, points))


def _merges(tree: Dendrogram) -> tuple[Float[np.ndarray, "merges 4"], Int[np.ndarray, " merges"]]:
    """The tree as merges of two, in scikit-network's form, and the cell that each of them is part of."""
    waiting: list[list[int]] = [[] for _ in range(tree.cells)]  # what is still to be merged in each cell
    for point, cell in enumerate(tree.cell_of_point.tolist()):
        waiting[cell].append(point)
    merges: list[tuple[int, int, int, int]] = []
    cells: list[int] = []
    for cell in reversed(range(tree.cells)):
        if not waiting[cell]:
            continue
        node, *others = waiting[cell]
        for other in others:
            merges.append((node, other, len(merges) + 1, 0))  # heights rise; sizes are not looked at
            cells.append(cell)
            node = tree.points + len(merges) - 1
        if cell:
            waiting[int(tree.parent[cell])].append(node)
    return np.array(merges, dtype=np.float64), np.array(cells)


def _mutual_information(graph: "csr_matrix") -> float:
    """Of the two ends of an edge: ``sum p_ij log(p_ij / (p_i p_j))``, the divergence of the best tree."""
    edges, degree = graph.tocoo(), np.asarray(graph.sum(axis=1)).ravel()
    return float(edges.data @ np.log(edges.data / (degree[edges.row] * degree[edges.col])))


def neighbour_graph(embedding: Float[np.ndarray, "points dim"], *, neighbours: int = 10) -> "csr_array":
    """The graph of nearest neighbours: an edge of weight 1 where either of two points is among the nearest of the other.

    Raises:
        InputError: for fewer than two points or one neighbour.
    """
    from scipy.sparse import csr_array
    from sklearn.neighbors import kneighbors_graph

    if len(embedding) < 2 or neighbours < 1:
        raise InputError(f"expected at least two points and one neighbour, got {len(embedding)} and {neighbours}")
    near = csr_array(kneighbors_graph(embedding, min(neighbours, len(embedding) - 1)))
    return near.maximum(near.T)


def check_same_points(first: Dendrogram, second: Dendrogram) -> None:
    """Refuse two trees that cannot be over the same points."""
    if first.points != second.points:
        found = f"{first.points} in the first and {second.points} in the second"
        raise InputError(f"expected two trees over the same points, got {found}; give both the points that they share")
