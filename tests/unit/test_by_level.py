"""Hierarchical F: by hand, and what it must not depend on."""

import numpy as np
import pytest

from cfgraph.errors import InputError
from cfgraph.judging.by_level import hierarchical_f
from cfgraph.judging.dendrogram import Dendrogram

TREE = np.array([-1, 0, 0, 1, 1, 2, 2])
LEAVES = np.repeat([3, 4, 5, 6], 2)


def tree(parent=TREE, cell=LEAVES, **others):
    return Dendrogram(parent=parent, cell_of_point=np.asarray(cell), **others)


def test_a_tree_that_is_the_labels_has_one():
    scores = hierarchical_f(tree(), [np.repeat(["a", "b"], 4), np.array([5, 5, 9, 9, 7, 7, 1, 1])])
    assert (scores.precision, scores.recall, scores.f, scores.accuracy) == (1, 1, 1, (1, 1))


def test_by_hand():
    """One point of eight lies in the other half, so it is wrong at both levels: 14 of 16."""
    moved = LEAVES.copy()
    moved[0] = 6
    scores = hierarchical_f(tree(cell=moved), [np.repeat([0, 1], 4), LEAVES])
    assert scores.accuracy == (7 / 8, 7 / 8)
    assert scores.precision == scores.recall == scores.f == 14 / 16


def test_clusters_that_are_no_class_cost_recall_not_precision():
    """Four leaves and two classes: two leaves of each class, of which one has its name."""
    scores = hierarchical_f(tree(parent=np.array([-1, 0, 0, 0, 0]), cell=LEAVES - 2), [np.repeat([0, 1], 4)])
    assert (scores.precision, scores.recall) == (1.0, 0.5)
    assert scores.f == pytest.approx(2 / 3)


def test_the_order_of_children_and_the_names_of_classes_say_nothing():
    random = np.random.default_rng(0)
    cell, label = random.integers(3, 7, size=100), random.integers(4, size=100)
    one = hierarchical_f(tree(cell=cell), [label // 2, label])
    turned = np.array([0, 2, 1, 5, 6, 3, 4])[cell]
    other = hierarchical_f(tree(cell=turned), [np.array(["x", "w"])[label // 2], 7 - label])
    assert one == other
    assert 0 < one.f < 1


def test_a_tree_with_heights_is_cut_into_as_many_clusters_as_classes():
    parent = np.array([-1, 0, 0, 1, 1, 3, 3])  # 0 -> (1 -> (3 -> 5, 6), 4), 2
    height = np.array([3.0, 2, 0, 1, 0, 0, 0])
    scores = hierarchical_f(
        tree(parent=parent, cell=np.array([5, 6, 4, 2]), height=height), [np.array([0, 0, 0, 1]), np.arange(4)]
    )
    assert scores.f == 1


def test_bad_input_is_told():
    with pytest.raises(InputError, match="one level at least"):
        hierarchical_f(tree(), [])
    with pytest.raises(InputError, match="8 points at level 2, got 3"):
        hierarchical_f(tree(), [LEAVES, LEAVES[:3]])
