"""Measures of two hierarchies over the same points against clades, triplets and pairs one by one."""

import math
import sys
from itertools import combinations, repeat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import fowlkes_mallows_score

from cfgraph.errors import InputError, MissingExtraError
from cfgraph.judging.against_data import bootstrap
from cfgraph.judging.dendrogram import Dendrogram
from cfgraph.judging.flat import cut_clusters
from cfgraph.judging.of_two_trees import (
    cophenetic_agreement,
    fowlkes_mallows_by_clusters,
    fowlkes_mallows_by_level,
    neighbour_graph,
    robinson_foulds,
    tree_sampling_divergence,
    triplet_distance,
)
from tests.dendrograms import below, binary_tree, dendrograms, meet, of_linkage, pairs, random_linkage, weights_of


@st.composite
def two_trees(draw, *, points_max: int = 8, heights: bool = False):
    """Two trees over the same points, and a weight for each point."""
    points = st.just(draw(st.integers(1, points_max)))
    first, second = (draw(dendrograms(points=points, heights=heights)) for _ in range(2))
    return first, second, draw(weights_of(first.points))


def clades(tree, weight):
    """The sets of points below cells that have two or more points and not all."""
    drawn = {point for point in range(tree.points) if weight[point]}
    found = {frozenset(below(tree, cell)) & drawn for cell in range(tree.cells)}
    return {clade for clade in found if 1 < len(clade) < len(drawn)}


@given(two_trees())
def test_robinson_foulds(case):
    first, second, weight = case
    one, other = clades(first, weight), clades(second, weight)
    found = robinson_foulds(first, second, weight=weight)
    assert found.distance == len(one ^ other)
    assert (found.first, found.second, found.shared) == (len(one), len(other), len(one & other))
    assert found.normalised == (len(one ^ other) / (len(one) + len(other)) if one or other else 0.0)
    assert robinson_foulds(first, first).distance == 0


def test_robinson_foulds_of_large_and_deep_trees():
    deep, wide = binary_tree(20_000, deep=True), binary_tree(20_000, seed=1)
    assert robinson_foulds(deep, deep).normalised == 0.0
    assert robinson_foulds(deep, wide).normalised > 0.9
    assert robinson_foulds(deep, wide).first == 20_000 - 2


def shape(tree, *triplet):
    """The pair that meets below the third, or None."""
    met = {pair: meet(tree, *pair) for pair in combinations(sorted(triplet), 2)}
    deepest = max(met, key=lambda pair: tree.level[met[pair]])
    return deepest if len(set(met.values())) > 1 else None


def slow_triplets(first, second, weight):
    differ = total = 0
    for triplet in combinations(range(first.points), 3):
        times = int(np.prod(weight[list(triplet)]))
        total += times
        differ += times * (shape(first, *triplet) != shape(second, *triplet))
    return differ / total if total else math.nan


@given(two_trees())
def test_triplet_distance(case):
    first, second, weight = case
    found = triplet_distance(first, second, weight=weight)
    assert found.distance == pytest.approx(slow_triplets(first, second, weight), abs=1e-12, nan_ok=True)
    assert found.exact


def test_sampled_triplets_are_near_the_exact_distance_and_say_so():
    first, second = binary_tree(60, seed=1), binary_tree(60, seed=2)
    weight = np.random.default_rng(0).integers(0, 4, size=60)
    exact = triplet_distance(first, second, weight=weight)
    sampled = triplet_distance(first, second, weight=weight, exact_points=10, sampled_triplets=50_000, seed=4)
    assert sampled.distance == pytest.approx(exact.distance, abs=5 * sampled.standard_error)
    assert (sampled.exact, sampled.triplets, sampled.seed) == (False, 50_000, 4)
    assert 0 < sampled.standard_error < 0.01
    assert exact.standard_error == 0.0


def test_fowlkes_mallows_by_clusters():
    first, second = binary_tree(40, seed=1), binary_tree(40, seed=2)
    found = fowlkes_mallows_by_clusters(first, second, clusters=[1, 2, 5, 40])
    expected = {k: fowlkes_mallows_score(cut_clusters(first, k), cut_clusters(second, k)) for k in (1, 2, 5, 40)}
    assert found == expected
    assert found[1] == 1.0


def test_fowlkes_mallows_by_level():
    first = Dendrogram(np.array([-1, 0, 0, 1, 1]), np.array([3, 4, 2, 2]))
    second = Dendrogram(np.array([-1, 0, 0, 1, 1, 3]), np.array([3, 4, 2, 5]))
    found = fowlkes_mallows_by_level(first, second)
    assert found == {1: fowlkes_mallows_score([0, 0, 1, 1], [0, 0, 1, 0]), 2: 0.0}
    assert list(fowlkes_mallows_by_level(first, second, levels=[0, 3])) == [0, 3]
    assert fowlkes_mallows_by_level(first, first, weight=np.array([2, 0, 1, 3])) == {1: 1.0, 2: 1.0}


@given(two_trees(heights=True))
def test_cophenetic_agreement(case):
    first, second, weight = case
    rows = [
        [tree.height[meet(tree, x, y)] for tree in (first, second)]
        for x, y in pairs(first.points)
        for _ in repeat(None, weight[x] * weight[y])
    ]
    table = np.array(rows, dtype=float).reshape(-1, 2)
    varied = len(rows) > 1 and (np.ptp(table, axis=0) > 0).all()
    expected = np.corrcoef(table.T)[0, 1] if varied else math.nan
    found = cophenetic_agreement(first, second, weight=weight)
    assert found.correlation == pytest.approx(expected, nan_ok=True)


def test_cophenetic_agreement_of_many_points_is_sampled():
    tree = binary_tree(3_000)
    found = cophenetic_agreement(tree, tree, exact_points=2_000, sampled_pairs=10_000, seed=2)
    assert found.correlation == pytest.approx(1.0)
    assert (found.exact, found.pairs, found.seed) == (False, 10_000, 2)


def slow_divergence(tree, table):
    """Over every ordered pair of points, a point with itself where it first meets another one."""
    table = table / table.sum()
    degree, p, q = table.sum(axis=1), np.zeros(tree.cells), np.zeros(tree.cells)
    for x in range(tree.points):
        met = [meet(tree, x, y) for y in range(tree.points) if y != x]
        for y in range(tree.points):
            cell = max(met, key=lambda cell: tree.level[cell]) if x == y else meet(tree, x, y)
            p[cell], q[cell] = p[cell] + table[x, y], q[cell] + degree[x] * degree[y]
    known, edges = p > 0, table > 0
    information = (table[edges] * np.log((table / np.outer(degree, degree).clip(1e-300))[edges])).sum()
    return (p[known] * np.log(p[known] / q[known])).sum() / information if information > 1e-12 else None


@given(dendrograms(points=st.integers(2, 8)), st.integers(0, 99))
def test_tree_sampling_divergence(tree, seed):
    pytest.importorskip("sknetwork")
    random = np.random.default_rng(seed)
    table = np.triu(random.integers(0, 3, size=(tree.points, tree.points)), k=1)
    table[0, 1] = 1
    table = (table + table.T).astype(float)
    expected = slow_divergence(tree, table)
    if expected is not None:
        assert tree_sampling_divergence(tree, sparse.csr_array(table)) == pytest.approx(expected)


def test_tree_sampling_divergence_is_the_librarys_on_merges_of_two():
    hierarchy = pytest.importorskip("sknetwork.hierarchy")
    merges, random = random_linkage(30), np.random.default_rng(0)
    graph = neighbour_graph(random.normal(size=(30, 2)), neighbours=4)
    theirs = hierarchy.tree_sampling_divergence(sparse.csr_matrix(graph), merges)
    assert tree_sampling_divergence(of_linkage(merges), graph) == pytest.approx(theirs)


def test_tree_sampling_divergence_needs_a_library_and_says_which(monkeypatch):
    monkeypatch.setitem(sys.modules, "sknetwork.hierarchy.metrics", None)
    with pytest.raises(MissingExtraError, match=r"needs scikit-network, .* pip install 'scikit-network>=0\.33'"):
        tree_sampling_divergence(binary_tree(3), sparse.csr_array(np.ones((3, 3))))


def test_graphs_that_are_none_are_refused():
    pytest.importorskip("sknetwork")
    tree, alone = binary_tree(3), Dendrogram(np.array([-1]), np.array([0]))
    with pytest.raises(InputError, match="at least two points for a tree sampling divergence, got one"):
        tree_sampling_divergence(alone, sparse.csr_array((1, 1)))
    with pytest.raises(InputError, match="at least one edge between two points, got none"):
        tree_sampling_divergence(tree, sparse.csr_array(np.eye(3)))
    with pytest.raises(InputError, match=r"at least 0 as the edges of a graph, got -1\.0"):
        tree_sampling_divergence(tree, sparse.csr_array(-np.ones((3, 3))))
    with pytest.raises(InputError, match="for 3 x 3 points, got 2 x 2"):
        tree_sampling_divergence(tree, sparse.csr_array(np.ones((2, 2))))
    with pytest.raises(InputError, match="at least two points and one neighbour, got 3 and 0"):
        neighbour_graph(np.zeros((3, 1)), neighbours=0)


def test_the_graph_of_neighbours_is_symmetric():
    line = np.array([[0.0], [1.0], [3.0], [7.0]])
    assert neighbour_graph(line, neighbours=1).toarray().tolist() == [[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]]
    assert neighbour_graph(line, neighbours=50).nnz == 12


MEASURES = [
    robinson_foulds,
    triplet_distance,
    fowlkes_mallows_by_level,
    cophenetic_agreement,
    lambda *trees, **how: fowlkes_mallows_by_clusters(*trees, clusters=[2], **how),
]


@pytest.mark.parametrize("measure", MEASURES)
def test_trees_over_other_points_and_weights_of_the_wrong_length_are_refused(measure):
    with pytest.raises(InputError, match="the same points, got 4 in the first and 5 in the second; give both the points"):
        measure(binary_tree(4), binary_tree(5))
    with pytest.raises(InputError, match="a weight for each of the 4 points, got 3"):
        measure(binary_tree(4), binary_tree(4), weight=np.ones(3, dtype=int))


def test_bootstrap_of_an_agreement():
    first, second = binary_tree(50, seed=1), binary_tree(50, seed=2)
    draws = {
        "clades": lambda weight: robinson_foulds(first, second, weight=weight).normalised,
        "triplets": lambda weight: triplet_distance(first, second, weight=weight).distance,
        "distances": lambda weight: cophenetic_agreement(first, second, weight=weight).correlation,
    }
    for measure in draws.values():
        found = bootstrap(measure, points=50, samples=20)
        assert found.low <= found.high
        assert found.undefined == 0


def test_the_plainest_trees_agree():
    alone = Dendrogram(np.array([-1]), np.array([0]))
    heap = Dendrogram(np.array([-1]), np.zeros(5, dtype=int))
    assert robinson_foulds(alone, alone).normalised == 0.0
    assert math.isnan(triplet_distance(alone, alone).distance)
    assert triplet_distance(heap, heap).distance == 0.0
    assert math.isnan(cophenetic_agreement(heap, heap).correlation)
    assert fowlkes_mallows_by_level(heap, heap) == {}
