"""Measures of one hierarchy against loops over pairs of points, SciPy and higra."""

import math
from itertools import repeat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import pdist, squareform

from cfgraph.errors import InputError
from cfgraph.judging import against_data as judging
from cfgraph.judging.against_data import (
    PurityPlan,
    bootstrap,
    cophenetic_correlation,
    dendrogram_purity,
    leaf_purity,
    similarity_cost,
    similarity_cost_of_pairs,
)
from cfgraph.judging.dendrogram import Dendrogram
from tests.dendrograms import below, binary_tree, dendrograms, meet, of_linkage, pairs, weights_of


@st.composite
def judged(draw, **how):
    """A tree with a label and a weight for each point."""
    tree = draw(dendrograms(**how))
    label = np.array(draw(st.lists(st.integers(0, 2), min_size=tree.points, max_size=tree.points)))
    return tree, label, draw(weights_of(tree.points))


def slow_purity(tree, label, weight):
    """Over every pair of one class, the purity of the cell where it meets."""
    total = count = 0.0
    for x, y in pairs(tree.points):
        if label[x] == label[y] and weight[x] * weight[y]:
            inside = below(tree, meet(tree, x, y))
            purity = sum(weight[z] for z in inside if label[z] == label[x]) / sum(weight[z] for z in inside)
            total, count = total + weight[x] * weight[y] * purity, count + weight[x] * weight[y]
    return total / count if count else math.nan


@given(judged())
def test_dendrogram_purity(case):
    tree, label, weight = case
    assert dendrogram_purity(tree, label) == pytest.approx(slow_purity(tree, label, np.ones(tree.points)), nan_ok=True)
    plan = PurityPlan.of(tree, label)
    assert plan.purity(weight) == pytest.approx(slow_purity(tree, label, weight), nan_ok=True)


def as_higra(tree):
    """Parents as higra has them: leaves first, the root last and its own parent; our rows backwards."""
    return np.append(tree.cells - 1 - tree.parent[:0:-1], tree.cells - 1)


@given(st.integers(2, 60), st.integers(1, 5), st.booleans(), st.integers(0, 99))
def test_dendrogram_purity_is_higras(points, classes, deep, seed):
    hg = pytest.importorskip("higra")
    tree = binary_tree(points, seed=seed, deep=deep)
    label = np.random.default_rng(seed).integers(classes, size=points)
    if len(np.unique(label)) < points:
        assert dendrogram_purity(tree, label) == pytest.approx(hg.dendrogram_purity(hg.Tree(as_higra(tree)), label))


def test_purity_of_the_plain_cases():
    star = Dendrogram(np.array([-1, 0, 0, 0]), np.array([1, 2, 3]))
    assert dendrogram_purity(star, np.array(["a", "a", "b"])) == pytest.approx(2 / 3)
    assert dendrogram_purity(star, np.array([7, 7, 7])) == 1.0
    assert math.isnan(dendrogram_purity(star, np.array([1, 2, 3])))
    for kind in (
        np.array([-5, -5, 70_000]),
        np.array([True, True, False]),
        np.array([2.5, 2.5, 0.1]),
        np.array([9, 9, 65_535]),
    ):
        assert dendrogram_purity(star, kind) == pytest.approx(2 / 3)
        assert leaf_purity(star, kind) == 1.0
    heap = Dendrogram(np.array([-1]), np.array([0, 0, 0, 0]))
    assert dendrogram_purity(heap, np.array([0, 0, 1, 1])) == 0.5
    assert leaf_purity(heap, np.array([0, 0, 0, 1])) == 0.75
    alone = Dendrogram(np.array([-1]), np.array([0]))
    assert math.isnan(dendrogram_purity(alone, np.array([0])))
    assert leaf_purity(alone, np.array([0])) == 1.0
    assert math.isnan(leaf_purity(alone, np.array([0]), weight=np.array([0])))


@pytest.mark.parametrize("deep", [True, False])
def test_purity_of_a_large_tree_is_1_where_classes_are_subtrees(deep):
    tree = binary_tree(20_000, deep=deep)
    half = int(np.flatnonzero(tree.parent == 0)[0])
    inside = np.zeros(tree.points, dtype=int)
    inside[tree.order[tree.first[half] : tree.last[half]]] = 1
    assert dendrogram_purity(tree, inside) == pytest.approx(1.0)


@given(judged())
def test_leaf_purity(case):
    tree, label, weight = case
    right = 0
    for cell in range(tree.cells):
        here = [point for point in range(tree.points) if tree.cell_of_point[point] == cell]
        right += max((sum(weight[p] for p in here if label[p] == kind) for kind in range(3)), default=0)
    expected = right / weight.sum() if weight.any() else math.nan
    assert leaf_purity(tree, label, weight=weight) == pytest.approx(expected, nan_ok=True)


def test_labels_and_weights_of_the_wrong_length_are_told_with_both_lengths():
    tree = binary_tree(5)
    for measure in (dendrogram_purity, leaf_purity):
        with pytest.raises(InputError, match="a label for each of the 5 points, got 4 labels"):
            measure(tree, np.zeros(4))
        with pytest.raises(InputError, match="a weight for each of the 5 points, got 6"):
            measure(tree, np.zeros(5), weight=np.ones(6))
        with pytest.raises(InputError, match="weights of at least 0, got -1 at point 2"):
            measure(tree, np.zeros(5), weight=np.array([1, 1, -1, 1, 1]))


def slow_cost(tree, similarity, weight):
    """Cost, sum of similarities, and Moseley and Wang's revenue, over every pair."""
    cost = total = revenue = 0.0
    for x, y in pairs(tree.points):
        inside = sum(weight[z] for z in below(tree, meet(tree, x, y)))
        value = similarity[x, y] * weight[x] * weight[y]
        cost, total, revenue = cost + value * inside, total + value, revenue + value * (weight.sum() - inside)
    return cost, total, revenue


def similarity_of(embedding, kernel):
    if kernel == "dot":
        return embedding @ embedding.T
    if kernel == "cosine":
        norm = np.linalg.norm(embedding, axis=1)
        unit = embedding / np.where(norm > 0, norm, 1)[:, None]
        return (1 + unit @ unit.T) / 2
    return np.exp(-(squareform(pdist(embedding)) ** 2) / (2 * 0.7**2))


@pytest.mark.parametrize("kernel", ["dot", "cosine", "gaussian"])
@given(case=judged(), seed=st.integers(0, 99))
def test_similarity_cost(kernel, case, seed):
    tree, _, weight = case
    embedding = np.random.default_rng(seed).integers(-2, 3, size=(tree.points, 3)) / 2
    similarity = similarity_of(embedding, kernel)
    how = {"kernel": kernel, "bandwidth": 0.7, "weight": weight}
    found = similarity_cost(tree, embedding, **how)
    cost, total, revenue = slow_cost(tree, similarity, weight)
    assert (found.cost, found.similarity) == (pytest.approx(cost, abs=1e-9), pytest.approx(total, abs=1e-9))
    assert found.revenue == pytest.approx(revenue, abs=1e-9)
    assert found.exact
    if kernel != "dot":
        assert found.least - 1e-9 <= found.cost <= found.bound + 1e-9
    listed = similarity_cost_of_pairs(tree, sparse.csr_array(similarity), weight=weight)
    assert (listed.cost, listed.similarity) == (pytest.approx(cost, abs=1e-9), pytest.approx(total, abs=1e-9))


def test_dimensions_in_pieces_add_up(monkeypatch):
    tree, embedding = binary_tree(50), np.random.default_rng(0).normal(size=(50, 7))
    whole = similarity_cost(tree, embedding, kernel="dot")
    monkeypatch.setattr(judging, "CHUNK_NUMBERS", 200)  # two dimensions at a time
    assert similarity_cost(tree, embedding, kernel="dot").cost == pytest.approx(whole.cost)


def test_the_flattest_tree_costs_the_bound():
    star = Dendrogram(np.concatenate([[-1], np.zeros(20, dtype=int)]), np.arange(1, 21))
    found = similarity_cost(star, np.random.default_rng(0).normal(size=(20, 3)))
    assert found.cost == pytest.approx(found.bound)
    assert (found.relative, found.revenue) == (pytest.approx(1), pytest.approx(0, abs=1e-9))
    assert math.isnan(similarity_cost_of_pairs(star, sparse.csr_array((20, 20))).relative)


def test_sampled_costs_are_near_the_exact_ones_and_say_so():
    tree, embedding = binary_tree(300), np.random.default_rng(0).normal(size=(300, 2))
    exact = similarity_cost(tree, embedding, kernel="gaussian")
    sampled = similarity_cost(tree, embedding, kernel="gaussian", exact_points=10, sampled_pairs=100_000, seed=3)
    assert (exact.exact, exact.pairs, exact.seed) == (True, 300 * 299 // 2, None)
    assert (sampled.exact, sampled.pairs, sampled.seed) == (False, 100_000, 3)
    assert sampled.cost == pytest.approx(exact.cost, rel=0.03)
    assert similarity_cost(tree, embedding, kernel="gaussian", exact_points=10, seed=3, sampled_pairs=100_000) == sampled


def test_dasgupta_cost_is_higras():
    hg = pytest.importorskip("higra")
    random, tree = np.random.default_rng(1), binary_tree(40)
    first, second = np.triu_indices(40, k=1)
    value = random.random(len(first))
    graph = hg.UndirectedGraph(40)
    graph.add_edges(first, second)
    theirs = hg.dasgupta_cost(hg.Tree(as_higra(tree)), 1 / value, leaf_graph=graph)
    upper = sparse.csr_array((value, (first, second)), shape=(40, 40))
    assert similarity_cost_of_pairs(tree, upper + upper.T).cost == pytest.approx(theirs)


def test_similarities_that_are_none_are_refused():
    tree = binary_tree(3)
    with pytest.raises(InputError, match="for 3 x 3 points, got 2 x 2"):
        similarity_cost_of_pairs(tree, sparse.csr_array(np.ones((2, 2))))
    with pytest.raises(InputError, match="a symmetric similarity"):
        similarity_cost_of_pairs(tree, sparse.csr_array(np.triu(np.ones((3, 3)))))
    with pytest.raises(InputError, match="finite similarities"):
        similarity_cost_of_pairs(tree, sparse.csr_array(np.full((3, 3), np.nan)))
    with pytest.raises(InputError, match="an embedding for each of the 3 points, got 2 rows"):
        similarity_cost(tree, np.zeros((2, 2)))
    with pytest.raises(InputError, match="in 1 rows, the first is row 2"):
        cophenetic_correlation(tree, np.array([[0.0], [1.0], [np.inf]]))
    with pytest.raises(InputError, match="a bandwidth above 0, got 0"):
        similarity_cost(tree, np.zeros((3, 2)), kernel="gaussian", bandwidth=0.0)
    with pytest.raises(InputError, match="at least one pair to sample, got 0"):
        cophenetic_correlation(tree, np.zeros((3, 1)), sampled_pairs=0)


@given(st.integers(3, 40), st.sampled_from(["single", "average", "complete", "ward"]), st.integers(0, 99))
def test_cophenetic_correlation_is_scipys(points, method, seed):
    embedding = np.random.default_rng(seed).normal(size=(points, 2))
    merges = linkage(embedding, method)
    found = cophenetic_correlation(of_linkage(merges), embedding)
    assert found.correlation == pytest.approx(cophenet(merges, pdist(embedding))[0])
    assert (found.pairs, found.exact) == (points * (points - 1) // 2, True)


@given(judged(points=st.integers(2, 12)))
def test_cophenetic_correlation_of_ways_through_the_tree(case):
    tree, _, weight = case
    embedding = np.random.default_rng(0).normal(size=(tree.points, 2))
    own = tree.level[tree.cell_of_point]
    rows = [
        (own[x] + own[y] - 2 * tree.level[meet(tree, x, y)], np.linalg.norm(embedding[x] - embedding[y]))
        for x, y in pairs(tree.points)
        for _ in repeat(None, weight[x] * weight[y])
    ]
    ways, apart = np.array(rows, dtype=float).reshape(-1, 2).T
    varied = len(rows) > 1 and np.ptp(ways) > 0 and np.ptp(apart) > 0
    expected = np.corrcoef(ways, apart)[0, 1] if varied else math.nan
    assert cophenetic_correlation(tree, embedding, weight=weight).correlation == pytest.approx(expected, nan_ok=True)


def test_sampled_cophenetic_correlation_is_near_the_exact_one():
    embedding = np.random.default_rng(0).normal(size=(400, 2))
    tree = of_linkage(linkage(embedding, "average"))
    exact = cophenetic_correlation(tree, embedding)
    sampled = cophenetic_correlation(tree, embedding, exact_points=100, sampled_pairs=50_000, seed=5)
    assert sampled.correlation == pytest.approx(exact.correlation, abs=0.03)
    assert (sampled.exact, sampled.pairs, sampled.seed) == (False, 50_000, 5)


def test_pairs_that_are_drawn_follow_the_weights():
    tree, weight = binary_tree(6), np.array([0, 5, 1, 0, 1, 1])
    embedding = np.array([[1e6], [0.0], [1.0], [1e6], [2.0], [5.0]])
    exact = cophenetic_correlation(tree, embedding, weight=weight)
    sampled = cophenetic_correlation(tree, embedding, weight=weight, exact_points=2, sampled_pairs=200_000)
    assert sampled.correlation == pytest.approx(exact.correlation, abs=0.02)


def test_bootstrap_covers_the_measure_and_repeats():
    tree = binary_tree(200)
    label = np.random.default_rng(0).integers(3, size=200)
    plan = PurityPlan.of(tree, label)
    found = bootstrap(plan.purity, points=200, samples=50, seed=1)
    assert found.low < found.value < found.high
    assert found.value == dendrogram_purity(tree, label)
    assert found == bootstrap(plan.purity, points=200, samples=50, seed=1)
    assert found != bootstrap(plan.purity, points=200, samples=50, seed=2)
    wider = bootstrap(plan.purity, points=200, samples=50, seed=1, confidence=0.99)
    assert wider.low <= found.low <= found.high <= wider.high


def test_bootstrap_draws_as_many_points_as_there_are():
    draws = []
    bootstrap(lambda weight: draws.append(weight.copy()) or 0.0, points=7, samples=20)
    assert {int(draw.sum()) for draw in draws} == {7}
    assert len({tuple(draw) for draw in draws}) > 10


def test_bootstrap_leaves_out_what_is_undefined():
    found = bootstrap(lambda weight: math.nan if weight[0] == 0 else 1.0, points=5, samples=40)
    assert (found.low, found.high) == (1.0, 1.0)
    assert 0 < found.undefined < 40
    nothing = bootstrap(lambda weight: math.nan, points=5, samples=4)
    assert math.isnan(nothing.low)
    assert nothing.undefined == 4
    for wrong, told in (({"samples": 0}, "at least one sample"), ({"confidence": 1.0}, "between 0 and 1, got 1.0")):
        with pytest.raises(InputError, match=told):
            bootstrap(lambda weight: 0.0, points=5, **wrong)
