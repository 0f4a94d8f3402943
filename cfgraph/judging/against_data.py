"""Judging: how well one hierarchy agrees with labels or with embeddings of its points.

Arrays in, numbers out. Every measure takes ``weight``, how often each point counts: with the counts of a draw with
replacement it is the measure of that draw, and no tree is built anew (:func:`bootstrap`). Copies of one point that a draw
holds make no pair with each other. Flat cuts are judged in :mod:`cfgraph.judging.flat`, two hierarchies in
:mod:`cfgraph.judging.of_two_trees`.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Int, Integer, Shaped

from cfgraph.errors import InputError
from cfgraph.judging.dendrogram import Dendrogram
from cfgraph.judging.pairs import (
    CHUNK_NUMBERS,
    Choice,
    PairCorrelation,
    Pairs,
    check_weight,
    correlate,
    count_pairs,
    draw_points,
)

if TYPE_CHECKING:
    from scipy.sparse._base import _spbase

    Sparse: TypeAlias = _spbase  # every sparse array and matrix: the public bases have no members

Kernel = Literal["cosine", "dot", "gaussian"]
BANDWIDTH_PAIRS = 10_000  # of which the median distance is the bandwidth of a Gaussian kernel


def dendrogram_purity(
    tree: Dendrogram, label: Shaped[np.ndarray, " labels"], *, weight: Shaped[np.ndarray, " weights"] | None = None
) -> float:
    """Dendrogram purity: the mean, over all pairs of points of one class, of the purity of the cell where they meet.

    ``sum over classes c and pairs {x, y} of c of |c and L(lca(x, y))| / |L(lca(x, y))|``, over the number of those pairs, with
    L(v) the points in v and below it; so pairs that share a cell count with that cell's purity. NaN where no class has two
    points. Exact, O((points + cells) log points) whatever the depth, the number of classes and of children: for each
    class only the cells where two neighbours of it meet are visited, and the pairs that meet in each follow from how many
    points of the class lie below it and below the next such cells. Heller and Ghahramani (2005).

    Raises:
        InputError: for labels or weights of the wrong length.
    """
    return PurityPlan.of(tree, label).purity(weight)


@dataclass(frozen=True, eq=False)
class PurityPlan:
    """What dendrogram purity needs and weights do not change: made once, asked for each draw of a bootstrap.

    A *node* is a class and a cell where two of its points meet. The points of a node stand side by side where points are
    sorted by class, then in depth-first order.
    """

    tree: Dendrogram
    by_class: Int[np.ndarray, " points"]  # the points sorted by class, in each in depth-first order
    start: Int[np.ndarray, " nodes"]
    stop: Int[np.ndarray, " nodes"]
    cell: Int[np.ndarray, " nodes"]
    above: Int[np.ndarray, " nodes"]  # the next node of the same class upwards; -1 for none

    @classmethod
    def of(cls, tree: Dendrogram, label: Shaped[np.ndarray, " labels"]) -> "PurityPlan":
        """The nodes of all classes."""
        kind = _codes(label, points=tree.points)[tree.order]
        rank = np.argsort(kind, kind="stable")
        kind = kind[rank].astype(np.int64)
        gap = np.flatnonzero(kind[1:] == kind[:-1])
        meeting = np.full(len(kind) + 1, -1)  # of the points before and at each place, one class; -1 at a class's ends
        meeting[gap + 1] = tree.meet_ranks(rank[gap], rank[gap + 1])
        node = np.unique(kind[gap] * tree.cells + meeting[gap + 1])
        of_class, position = np.divmod(node, tree.cells)
        cell, place = tree.cell_at[position], kind * tree.points + rank
        start = np.searchsorted(place, of_class * tree.points + tree.first[cell])
        stop = np.searchsorted(place, of_class * tree.points + tree.last[cell])
        upper = np.maximum(meeting[start], meeting[stop])  # both lie above the node, so the later one is the nearer one
        above = np.where(upper < 0, -1, np.searchsorted(node, of_class * tree.cells + upper))
        return cls(tree, by_class=tree.order[rank], start=start, stop=stop, cell=cell, above=above)

    def purity(self, weight: Shaped[np.ndarray, " weights"] | None = None) -> float:
        """Dendrogram purity where each point counts as often as its weight says."""
        weight = check_weight(weight, points=self.tree.points).astype(np.float64)
        own, squares = self._sums(weight), self._sums(weight**2)
        size = self.tree.weigh(weight)[self.cell]
        purity = np.divide(own, size, out=np.zeros_like(own), where=size > 0)
        pairs = (own**2 - squares) / 2
        top = self.above < 0
        total = pairs[top].sum()
        # A pair that meets in a node is below all nodes above it too: count each at its lowest by differences.
        gain = purity - np.where(top, 0.0, purity[self.above])
        return float((pairs * gain).sum() / total) if total > 0 else math.nan

    def _sums(self, values: Float[np.ndarray, " points"]) -> Float[np.ndarray, " nodes"]:
        total = np.concatenate([[0.0], np.cumsum(values[self.by_class])])
        return total[self.stop] - total[self.start]


def leaf_purity(
    tree: Dendrogram, label: Shaped[np.ndarray, " labels"], *, weight: Shaped[np.ndarray, " weights"] | None = None
) -> float:
    """Leaf purity: the share of points whose class is the commonest among the points that lie in the same cell.

    ``(1/n) sum over cells v of max_c |c and v|``, points counted in the cell that they lie in, leaf or not. It is 1 where
    every point has a cell of its own. NaN where all weights are 0.

    Raises:
        InputError: for labels or weights of the wrong length.
    """
    code, weight = _codes(label, points=tree.points).astype(np.int64), check_weight(weight, points=tree.points)
    group, member = np.unique(tree.cell_of_point * (int(code.max()) + 1) + code, return_inverse=True)
    count = np.bincount(member, weights=weight)
    cell = group // (int(code.max()) + 1)
    largest = np.maximum.reduceat(count, np.flatnonzero(np.diff(cell, prepend=-1)))
    return float(largest.sum() / weight.sum()) if weight.any() else math.nan


def _codes(label: np.ndarray, *, points: int) -> Integer[np.ndarray, " labels"]:
    """Labels as small numbers from 0 on."""
    if len(label) != points:
        raise InputError(f"expected a label for each of the {points} points, got {len(label)} labels")
    if label.dtype.kind in "iu" and label.min() >= 0 and label.max() < 1 << 16:
        return label.astype(np.uint16)  # which NumPy sorts several times as fast
    return np.unique(label, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True)
class SimilarityCost:
    """Dasgupta's cost of a tree, with what it is measured by: with s(x, y) the similarity of two points, sums over pairs.

    Cost is ``sum s(x, y) |L(lca(x, y))|``, L(v) the points below v: low where the similar meet low. The ``bound`` is what the
    tree without any inner cell costs, ``n sum s(x, y)``; where no similarity is negative, no tree costs more, nor less than
    ``2 sum s(x, y)``. Moseley and Wang's revenue is ``bound - cost``. ``pairs`` says how many pairs were looked at; where
    not ``exact``, they were sampled, and the sums are scaled to all pairs.
    """

    cost: float
    similarity: float  # sum of s over all pairs
    points: float  # n
    pairs: float
    exact: bool
    seed: int | None = None  # of the sample; None where exact

    @property
    def bound(self) -> float:
        """What the flattest tree costs: ``n sum s``."""
        return self.points * self.similarity

    @property
    def least(self) -> float:
        """What no tree can cost less than, where no similarity is negative: ``2 sum s``."""
        return 2 * self.similarity

    @property
    def relative(self) -> float:
        """Cost over bound: in (0, 1] where no similarity is negative; NaN where all are 0."""
        return self.cost / self.bound if self.bound else math.nan

    @property
    def revenue(self) -> float:
        """Moseley and Wang's revenue, ``sum s(x, y) (n - |L(lca(x, y))|)``."""
        return self.bound - self.cost


def similarity_cost(
    tree: Dendrogram,
    embedding: Float[np.ndarray, "rows dim"],
    *,
    kernel: Kernel = "cosine",
    bandwidth: float | None = None,
    weight: Shaped[np.ndarray, " weights"] | None = None,
    exact_points: int | None = None,
    sampled_pairs: int | None = None,
    seed: int = 0,
) -> SimilarityCost:
    """Dasgupta's cost and Moseley and Wang's revenue for the similarity of embeddings.

    ``cosine``: s = (1 + cos(x, y)) / 2, in [0, 1]; a row of zeros has cosine 0. ``dot``: s = <x, y>, which may be negative.
    Both are exact for any number of points: the pairs below a cell sum to ``(|sum x|^2 - sum |x|^2) / 2``, O(cells dim).
    ``gaussian``: s = exp(-|x - y|^2 / (2 b^2)), b the median distance of a seeded sample of pairs unless ``bandwidth`` is
    given; over every pair up to ``exact_points`` (5,000), over ``sampled_pairs`` (1,000,000) of them above.
    Dasgupta (2016), Moseley and Wang (2017).

    Raises:
        InputError: for embeddings or weights of the wrong length, numbers that are not finite, a bandwidth of 0 or less.
    """
    embedding, weight = _check_embedding(embedding, points=tree.points), check_weight(weight, points=tree.points)
    if kernel == "gaussian":
        choice = Choice.of(tree.points, exact_points=exact_points, sampled=sampled_pairs, seed=seed)
        return _gaussian_cost(tree, embedding, weight=weight, choice=choice, bandwidth=bandwidth)
    if kernel == "dot":
        return _closed_cost(tree, weight, pair_sums=_dot_sums(tree, embedding, weight=weight))
    if kernel == "cosine":
        dots = _dot_sums(tree, _unit_rows(embedding), weight=weight)
        return _closed_cost(tree, weight, pair_sums=(_pair_counts(tree, weight) + dots) / 2)
    raise InputError(f"expected the kernel 'cosine', 'dot' or 'gaussian', got {kernel!r}")


def similarity_cost_of_pairs(
    tree: Dendrogram, similarity: "Sparse", *, weight: Shaped[np.ndarray, " weights"] | None = None
) -> SimilarityCost:
    """Dasgupta's cost and Moseley and Wang's revenue for similarities in a symmetric sparse matrix, points x points.

    What is not in the matrix is 0, and the diagonal does not count. O(entries + (points + cells) log points).

    Raises:
        InputError: for a matrix of another shape, one that is not symmetric, numbers that are not finite, weights of the
            wrong length.
    """
    first, second, value = check_similarity(similarity, points=tree.points)
    weight = check_weight(weight, points=tree.points).astype(np.float64)
    value = value * weight[first] * weight[second]
    size, cost = tree.weigh(weight), 0.0
    for part in _slices(len(value)):
        cost += float(value[part] @ size[tree.meet(first[part], second[part])])
    return SimilarityCost(cost, float(value.sum()), float(weight.sum()), pairs=count_pairs(weight), exact=True)


def check_similarity(similarity: "Sparse", *, points: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pairs of a symmetric sparse matrix that are in it, each once, and their similarities."""
    from scipy.sparse import coo_array, csr_array, triu

    if similarity.shape != (points, points):
        shape = " x ".join(map(str, similarity.shape))
        raise InputError(f"expected a similarity for {points} x {points} points, got {shape}")
    matrix = csr_array(similarity).astype(np.float64, copy=False)
    if not np.isfinite(matrix.data).all():
        raise InputError("expected finite similarities, got NaN or infinity among them")
    if abs(matrix - matrix.T).max() > 1e-9 * (abs(matrix).max() or 1.0):
        raise InputError("expected a symmetric similarity, got s(x, y) other than s(y, x); give (S + S.T) / 2")
    upper = coo_array(triu(matrix, k=1))
    return upper.row.astype(np.int64), upper.col.astype(np.int64), upper.data


def _closed_cost(tree: Dendrogram, weight: np.ndarray, *, pair_sums: Float[np.ndarray, " cells"]) -> SimilarityCost:
    """The cost from the sums of similarities over the pairs below each cell; those that meet in it are what is left."""
    size = tree.weigh(weight).astype(np.float64)
    grown = size - np.concatenate([[0.0], size[tree.parent[1:]]])  # a cell's pairs count for it and no more for its parent
    cost, pairs = float(pair_sums @ grown), count_pairs(weight)
    return SimilarityCost(cost, float(pair_sums[0]), float(size[0]), pairs=pairs, exact=True)


def _pair_counts(tree: Dendrogram, weight: np.ndarray) -> Float[np.ndarray, " cells"]:
    """How many pairs of different points lie below each cell."""
    weight = weight.astype(np.float64)
    return (tree.weigh(weight) ** 2 - tree.weigh(weight**2)) / 2


def _dot_sums(tree: Dendrogram, embedding: np.ndarray, *, weight: np.ndarray) -> Float[np.ndarray, " cells"]:
    """``(|sum w x|^2 - sum w^2 |x|^2) / 2`` over the points below each cell, some dimensions at a time."""
    total, step = np.zeros(tree.cells), max(1, CHUNK_NUMBERS // max(tree.cells, tree.points))
    for low in range(0, embedding.shape[1], step):
        columns = embedding[tree.order, low : low + step] * weight[tree.order, None]
        sums = np.zeros((tree.points + 1, columns.shape[1]))
        np.cumsum(columns, axis=0, out=sums[1:])
        below = sums[tree.last] - sums[tree.first]
        total += np.einsum("cd,cd->c", below, below)
    return (total - tree.weigh(weight**2 * np.einsum("nd,nd->n", embedding, embedding))) / 2


def _unit_rows(embedding: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(embedding, axis=1, keepdims=True)
    return embedding / np.where(norm > 0, norm, 1.0)


def _gaussian_cost(
    tree: Dendrogram, embedding: np.ndarray, *, weight: np.ndarray, choice: Choice, bandwidth: float | None
) -> SimilarityCost:
    bandwidth = _median_distance(embedding, weight=weight, seed=choice.seed) if bandwidth is None else bandwidth
    if not (math.isfinite(bandwidth) and bandwidth > 0):
        raise InputError(f"expected a bandwidth above 0, got {bandwidth}; give the distance at which points are still alike")
    size, seen, cost, similarity, pairs = tree.weigh(weight), 0.0, 0.0, 0.0, 0
    for some in choice.walk(tree, weight=weight):
        alike = some.weight * np.exp(-(_pair_distances(embedding, some) ** 2) / (2 * bandwidth**2))
        cost, similarity = cost + float(alike @ size[some.meeting[0]]), similarity + float(alike.sum())
        seen, pairs = seen + float(some.weight.sum()), pairs + len(alike)
    scale = count_pairs(weight) / seen if seen else 0.0
    return SimilarityCost(
        cost * scale,
        similarity * scale,
        points=float(weight.sum()),
        pairs=float(pairs),
        exact=choice.exact,
        seed=None if choice.exact else choice.seed,
    )


def _median_distance(embedding: np.ndarray, *, weight: np.ndarray, seed: int) -> float:
    """The median distance of some pairs of different points; 1 where that is 0 or there is no pair."""
    if np.count_nonzero(weight) < 2:
        return 1.0
    first, second = draw_points(np.random.default_rng(seed), weight, size=(2, BANDWIDTH_PAIRS))
    apart = np.flatnonzero(first != second)
    if not len(apart):
        return 1.0
    return float(np.median(np.linalg.norm(embedding[first[apart]] - embedding[second[apart]], axis=1))) or 1.0


def _pair_distances(embedding: np.ndarray, pairs: Pairs) -> Float[np.ndarray, " pairs"]:
    """The Euclidean distances of pairs of points, by differences, some pairs at a time."""
    found = np.empty(len(pairs.first))
    for part in _slices(len(found), step=max(1, CHUNK_NUMBERS // max(1, embedding.shape[1]))):
        difference = embedding[pairs.first[part]] - embedding[pairs.second[part]]
        found[part] = np.sqrt(np.einsum("pd,pd->p", difference, difference))
    return found


def _slices(count: int, *, step: int = CHUNK_NUMBERS) -> Iterator[slice]:
    return (slice(low, low + step) for low in range(0, count, step))


def cophenetic_correlation(
    tree: Dendrogram,
    embedding: Float[np.ndarray, "rows dim"],
    *,
    weight: Shaped[np.ndarray, " weights"] | None = None,
    exact_points: int | None = None,
    sampled_pairs: int | None = None,
    seed: int = 0,
) -> PairCorrelation:
    """Cophenetic correlation: Pearson's, over pairs of points, of their distance in the tree and that of their embeddings.

    The distance in the tree is the height where two points meet, where the tree has heights, as SciPy's ``cophenet`` has it;
    else the length of the way between them. Embeddings: Euclidean. Over every pair up to ``exact_points`` (5,000), over
    ``sampled_pairs`` (1,000,000) of them above; the result says which. NaN where either distance is the same for all pairs.
    Sokal and Rohlf (1962).

    Raises:
        InputError: for embeddings or weights of the wrong length, and numbers that are not finite.
    """
    embedding, weight = _check_embedding(embedding, points=tree.points), check_weight(weight, points=tree.points)
    choice = Choice.of(tree.points, exact_points=exact_points, sampled=sampled_pairs, seed=seed)
    walk = choice.walk(tree, weight=weight)
    return correlate(choice, ((_tree_distances(tree, some), _pair_distances(embedding, some), some.weight) for some in walk))


def _tree_distances(tree: Dendrogram, pairs: Pairs) -> Float[np.ndarray, " pairs"]:
    return tree.distances(pairs.first, pairs.second, meeting=pairs.meeting[0])


def _check_embedding(embedding: np.ndarray, *, points: int) -> Float[np.ndarray, "points dim"]:
    if len(embedding) != points:
        raise InputError(f"expected an embedding for each of the {points} points, got {len(embedding)} rows")
    wrong = np.flatnonzero(~np.isfinite(embedding).all(axis=1))
    if len(wrong):
        raise InputError(f"expected finite embeddings, got NaN or infinity in {len(wrong)} rows, the first is row {wrong[0]}")
    return embedding.astype(np.float64, copy=False)


@dataclass(frozen=True)
class Interval:
    """A measure with a percentile interval of its bootstrap; ``undefined`` draws gave NaN and are left out."""

    value: float
    low: float
    high: float
    confidence: float
    samples: int
    undefined: int


def bootstrap(
    measure: Callable[[Int[np.ndarray, " points"]], float],
    *,
    points: int,
    samples: int = 200,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """The percentile interval of a measure over draws of the points, as many as there are, with replacement.

    ``measure`` is given how often each point was drawn, as every measure here takes for ``weight``; its value where each
    counts once is ``value``. Low and high are NaN where no draw has one. Copies of a point make small cells a little purer, so
    an interval of purity may lie above its value where classes are rare. Efron (1979).

    Raises:
        InputError: for fewer than one sample or point, or a confidence outside (0, 1).
    """
    if samples < 1 or points < 1:
        raise InputError(f"expected at least one sample and one point, got {samples} and {points}")
    if not 0 < confidence < 1:
        raise InputError(f"expected a confidence between 0 and 1, got {confidence}")
    random = np.random.default_rng(seed)
    draws = (np.bincount(random.integers(points, size=points), minlength=points) for _ in range(samples))
    values = np.array([measure(draw) for draw in draws], dtype=np.float64)
    known = values[~np.isnan(values)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail]).tolist() if len(known) else (math.nan, math.nan)
    value = float(measure(np.ones(points, dtype=np.int64)))
    return Interval(value, low, high, confidence, samples, undefined=samples - len(known))
