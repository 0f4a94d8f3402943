"""Dendrograms against ways up the tree, a cell at a time."""

import numpy as np
import pytest
from hypothesis import given

from cfgraph.errors import InputError
from cfgraph.judging.dendrogram import Dendrogram
from tests.dendrograms import below, binary_tree, dendrograms, meet, pairs, way_up


@given(dendrograms())
def test_subtrees_are_stretches_of_the_depth_first_order(tree):
    assert sorted(tree.position.tolist()) == list(range(tree.cells))
    assert (tree.position[1:] > tree.position[tree.parent[1:]]).all()
    assert tree.level.tolist() == [len(way_up(tree, cell)) - 1 for cell in range(tree.cells)]
    for cell in range(tree.cells):
        assert sorted(tree.order[tree.first[cell] : tree.last[cell]].tolist()) == below(tree, cell)


@given(dendrograms())
def test_points_meet_in_their_lowest_common_ancestor(tree):
    both = np.array(list(pairs(tree.points)), dtype=np.int64).reshape(-1, 2)
    expected = [meet(tree, *pair) for pair in both.tolist()]
    assert tree.meet(both[:, 0], both[:, 1]).tolist() == expected
    assert tree.meet(both[:, 1], both[:, 0]).tolist() == expected
    for point in range(tree.points):
        assert tree.meet_row(point).tolist() == [meet(tree, point, other) for other in range(tree.points)]


@given(dendrograms(heights=True))
def test_sums_along_ways_and_over_subtrees(tree):
    value = tree.height
    ways = [way_up(tree, cell) for cell in range(tree.cells)]
    assert tree.sum_to_root(value).tolist() == [value[way].sum() for way in ways]
    inside = [[other for other in range(tree.cells) if cell in ways[other]] for cell in range(tree.cells)]
    assert tree.sum_below(value).tolist() == [value[cells].sum() for cells in inside]
    assert tree.largest_below(value).tolist() == [value[cells].max() for cells in inside]
    assert tree.weigh(np.arange(tree.points)).tolist() == [sum(below(tree, cell)) for cell in range(tree.cells)]


def test_a_chain_of_many_levels():
    tree = binary_tree(20_001, deep=True)
    assert tree.level.max() == 20_000
    assert tree.size[0] == 20_001
    assert tree.size[tree.parent == 0].tolist() == [20_000, 1] or tree.size[tree.parent == 0].tolist() == [1, 20_000]


ROOT, NO_POINTS = np.array([-1]), np.array([], dtype=np.int64)
CASES = [
    ({"parent": np.array([0, 0]), "cell_of_point": np.array([0])}, r"the root in row 0, its parent -1, got \[0\]"),
    ({"parent": np.array([-1, 2, 0]), "cell_of_point": np.array([0])}, "row 1 has the parent 2"),
    ({"parent": np.array([-1, -1]), "cell_of_point": np.array([0])}, "row 1 has the parent -1"),
    ({"parent": ROOT, "cell_of_point": NO_POINTS}, "at least one data point in the tree, got none"),
    ({"parent": ROOT, "cell_of_point": np.array([0, -1, 1])}, "2 of 3 lie in none, the first is point 1"),
    ({"parent": ROOT, "cell_of_point": np.array([0]), "height": np.zeros(2)}, "a height for each of the 1 cells, got 2"),
    (
        {"parent": ROOT, "cell_of_point": np.array([0]), "root_distance": np.array([np.nan])},
        "as root_distance, got nan in row 0",
    ),
]


@pytest.mark.parametrize(("columns", "told"), CASES)
def test_what_is_no_tree_is_refused(columns, told):
    with pytest.raises(InputError, match=told):
        Dendrogram(**columns)
