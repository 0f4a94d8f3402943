"""Cuts and scores of flat clusterings against SciPy, scikit-learn and cells split one by one."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.metrics import adjusted_rand_score

from cfgraph.errors import InputError
from cfgraph.judging.dendrogram import Dendrogram
from cfgraph.judging.flat import cut_clusters, cut_height, cut_level, score_clusters
from tests.dendrograms import below, binary_tree, dendrograms, of_linkage, way_up

METHODS = st.sampled_from(["single", "average", "complete", "centroid", "median"])  # the last two have inversions


def linkages():
    return st.builds(
        lambda points, method, seed: linkage(np.random.default_rng(seed).normal(size=(points, 2)), method),
        st.integers(2, 30),
        METHODS,
        st.integers(0, 99),
    )


def same_partition(one, other):
    return adjusted_rand_score(one, other) == 1.0


@given(linkages(), st.integers(1, 30))
def test_cut_clusters_is_scipys_maxclust(merges, clusters):
    clusters = min(clusters, len(merges) + 1)
    found = cut_clusters(of_linkage(merges), clusters)
    expected = fcluster(merges, clusters, "maxclust")
    if len(np.unique(expected)) == clusters:  # SciPy undoes all merges of one height at once, and inversions make such
        assert same_partition(found, expected)
    assert len(np.unique(found)) == clusters


@given(linkages(), st.floats(0, 4))
def test_cut_height_is_scipys_distance(merges, height):
    assert same_partition(cut_height(of_linkage(merges), height), fcluster(merges, height, "distance"))


@given(dendrograms(), st.integers(0, 6))
def test_cut_level_gives_ancestors(tree, level):
    ways = [way_up(tree, cell)[::-1] for cell in tree.cell_of_point]
    assert cut_level(tree, level).tolist() == [way[min(level, len(way) - 1)] for way in ways]


def clusters_of(tree, split):
    """The partition that is left when some cells are split, cell by cell."""
    found = {}
    for cell in range(tree.cells):
        whole = cell not in split
        for point in below(tree, cell):
            own = tree.cell_of_point[point] == cell
            if (cell == 0 or tree.parent[cell] in split) and (whole or own):
                found[point] = cell
    return [found[point] for point in range(tree.points)]


@given(dendrograms(heights=True), st.integers(0, 4).map(float))
def test_cut_height_splits_what_has_higher_merges_below(tree, height):
    high = [max(tree.height[c] for c in range(tree.cells) if cell in way_up(tree, c)) > height for cell in range(tree.cells)]
    split = {cell for cell in range(tree.cells) if high[cell]}
    assert same_partition(cut_height(tree, height), clusters_of(tree, split))


@given(dendrograms(heights=True), st.booleans(), st.integers(1, 12))
def test_cut_clusters_makes_as_many_as_fit(tree, with_heights, clusters):
    tree = tree if with_heights else Dendrogram(tree.parent, tree.cell_of_point)
    clusters = min(clusters, tree.points)
    found, count = cut_clusters(tree, clusters), lambda cut: len(np.unique(cut))
    assert count(found) <= clusters
    for row, cell in enumerate(found):  # each point's cluster is its cell or above it
        assert cell in way_up(tree, tree.cell_of_point[row])
    assert len(np.unique(cut_clusters(tree, tree.points))) == len(np.unique(tree.cell_of_point))
    finer = cut_clusters(tree, min(clusters + 1, tree.points))
    assert all(len(np.unique(found[finer == cluster])) == 1 for cluster in np.unique(finer))  # cuts are nested


def test_cells_are_split_in_order():
    parent, cell = np.array([-1, 0, 0, 1, 1, 2, 2, 2]), np.array([3, 4, 5, 6, 7])
    low_right = Dendrogram(parent, cell, height=np.array([3.0, 2, 1, 0, 0, 0, 0, 0]))
    low_left = Dendrogram(parent, cell, height=np.array([3.0, 1, 2, 0, 0, 0, 0, 0]))
    bare = Dendrogram(parent, cell)
    assert cut_clusters(low_right, 3).tolist() == [3, 4, 2, 2, 2]
    assert cut_clusters(low_left, 3).tolist() == [1, 1, 2, 2, 2]  # three children more would be four clusters
    assert cut_clusters(low_left, 4).tolist() == [1, 1, 5, 6, 7]
    assert cut_clusters(bare, 4).tolist() == [1, 1, 5, 6, 7]  # without heights the larger cell of a level comes first
    assert cut_clusters(bare, 1).tolist() == [0] * 5


def test_a_cut_of_a_deep_chain():
    tree = binary_tree(20_000, deep=True)
    assert len(np.unique(cut_clusters(tree, 10_000))) == 10_000
    assert len(np.unique(cut_height(tree, 15_000.0))) == 5_000
    assert len(np.unique(cut_level(tree, 3))) == 4


def test_cuts_that_cannot_be_are_refused():
    tree = binary_tree(3)
    for clusters in (0, 4):
        with pytest.raises(InputError, match=f"1 to 3 clusters, as many as there are points at most, got {clusters}"):
            cut_clusters(tree, clusters)
    with pytest.raises(InputError, match="a tree with heights to cut at one, got one without"):
        cut_height(Dendrogram(tree.parent, tree.cell_of_point), 1.0)
    with pytest.raises(InputError, match="got NaN"):
        cut_height(tree, math.nan)
    with pytest.raises(InputError, match="a level of at least 0, the root's, got -1"):
        cut_level(tree, -1)


LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=15)


@given(LABELS)
def test_accuracy_is_that_of_the_best_assignment(rows):
    cluster, label, weight = np.array(rows).T
    if not weight.any():
        return
    best = max(int(weight[np.array(naming)[cluster] == label].sum()) for naming in permutations(range(4)))
    found = score_clusters(cluster, label, weight=weight)
    assert found.accuracy == pytest.approx(best / weight.sum())
    repeated = score_clusters(np.repeat(cluster, weight), np.repeat(label, weight))
    assert found == repeated


def test_scores_of_the_plain_cases():
    label = np.array(["a", "a", "b", "b"])
    perfect = score_clusters(np.array([5, 5, 9, 9]), label)
    assert (perfect.clusters, perfect.nmi, perfect.ari, perfect.accuracy, perfect.fowlkes_mallows) == (2, 1, 1, 1, 1)
    lumped = score_clusters(np.zeros(4), label)
    assert (lumped.nmi, lumped.ari, lumped.accuracy) == (0, 0, 0.5)
    assert score_clusters(np.array([3]), np.array([1])).accuracy == 1.0
    single = score_clusters(np.arange(30_000), np.zeros(30_000))  # as many clusters as points: no table of all pairs
    assert single.accuracy == pytest.approx(1 / 30_000)


def test_labels_of_the_wrong_length_are_told_with_both_lengths():
    with pytest.raises(InputError, match="a label for each of the 3 points, got 2 labels"):
        score_clusters(np.zeros(3), np.zeros(2))
    with pytest.raises(InputError, match="at least one point to score, got none"):
        score_clusters(np.zeros(0), np.zeros(0))
