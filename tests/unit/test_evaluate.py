"""What `evaluate` tells beside purity: labels of several levels, a linear probe, and how likely held-out data are."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.datasets import load_iris

from cfgraph import evaluate
from cfgraph.errors import InputError
from cfgraph.files.embeddings import Embeddings
from cfgraph.files.labels import Labels
from cfgraph.judging.by_level import hierarchical_f
from cfgraph.judging.leaves import Leaves
from cfgraph.judging.probe import linear_probe
from cfgraph.learning.nested.learned import LearnedTree
from cfgraph.sources import dasgupta, hcrl
from tests.unit.test_nested import made

DATA, LEAF = made(0, 0.2, points=400, dimension=12)
LEVELS = [Labels(LEAF // 4), Labels(LEAF // 2), Labels(LEAF)]
IRIS = load_iris()


def test_labels_of_several_levels_are_judged_together_and_the_last_alone():
    tree = hcrl(id="it", data=DATA, branching=2)
    found = evaluate(tree, labels=LEVELS)
    assert found.hierarchical == hierarchical_f(Leaves.of(tree).dendrogram(), [one.values for one in LEVELS])
    assert found.hierarchical.f >= 0.99
    alone = evaluate(tree, labels=LEVELS[-1])
    assert alone.hierarchical is None
    assert found.dendrogram_purity == alone.dendrogram_purity
    assert found.to_dict()["hierarchical"]["accuracy"] == pytest.approx((1, 1, 1), abs=0.02)


def test_levels_of_names_count_where_every_level_has_one():
    names = tuple(f"iris {row}" for row in range(150))
    tree = dasgupta(id="it", data=IRIS.data, names=names, starts=1, passes=0)
    kinds = Labels(IRIS.target, names)
    known = np.random.default_rng(0).permutation(150)[:100]
    coarse = Labels(IRIS.target[known] == 0, tuple(names[row] for row in known))
    found = evaluate(tree, labels=[coarse, kinds])
    assert (found.points, found.points_left_out) == (100, 50)
    assert 0.9 < found.hierarchical.f <= 1
    with pytest.raises(InputError, match="a label of each level"):
        evaluate(tree, labels=[Labels(IRIS.target[:50], names[:50]), Labels(IRIS.target[50:], names[50:])])
    with pytest.raises(InputError, match="expected a label for each of the 150"):
        evaluate(tree, labels=[])


def test_a_linear_probe_asks_for_each_point_once():
    rows = np.eye(3)[IRIS.target] + 1e-3 * IRIS.data[:, :3]
    assert linear_probe(rows, IRIS.target) == 1
    assert 0.9 < linear_probe(IRIS.data, IRIS.target_names[IRIS.target]) < 1
    noise = np.random.default_rng(0).normal(size=(150, 3))
    assert linear_probe(noise, IRIS.target) < 0.5
    once = np.r_[np.zeros(9, dtype=int), 1]  # in the fold that holds the only point of its class, there is one class to know
    assert linear_probe(noise[:10], once) == 0.9
    tree = dasgupta(id="it", data=IRIS.data, starts=1, passes=0, points=True)
    vectors = Embeddings(IRIS.data, names=None, digest=None)
    found = evaluate(tree, labels=Labels(IRIS.target), embeddings=vectors, probe=True)
    assert found.linear_probe == linear_probe(IRIS.data, IRIS.target)
    assert evaluate(tree, labels=Labels(IRIS.target), embeddings=vectors).linear_probe is None


@pytest.mark.parametrize(
    ("rows", "label", "told"),
    [(DATA[:4], LEAF[:4], "at least 5"), (DATA[:9], np.zeros(9), "two classes"), (DATA[:9], LEAF[:8], "for each of 8")],
)
def test_what_a_probe_cannot_be_made_of_is_told(rows, label, told):
    with pytest.raises(InputError, match=told):
        linear_probe(rows, label)


@pytest.mark.parametrize("levels", ["fixed", "free"])
def test_held_out_data_are_explained_by_the_mixture_that_the_tree_is(levels):
    tree = hcrl(id="it", data=DATA[:300], branching=2, depth=2, standardise=True, levels=levels)
    found = evaluate(tree, labels=Labels(LEAF[:300]), held_out=DATA[300:])
    learned = LearnedTree.of(tree.encoder)
    rows, nested = learned.steps.encode(DATA[300:]), learned.nested.tree
    masses = nested.emission_masses(np.full(3, 1 / 3))
    assert masses.sum() == pytest.approx(1)
    spread = np.broadcast_to(nested.variance, nested.mean.shape)
    density = sum(
        mass * multivariate_normal(mean, np.diag(variance)).pdf(rows)
        for mass, mean, variance in zip(masses, nested.mean, spread, strict=True)
    )
    assert found.held_out.points == 100
    assert found.held_out.negative_log_likelihood == pytest.approx(-np.log(density).mean(), rel=1e-9)
    noise = evaluate(tree, labels=Labels(LEAF[:300]), held_out=DATA[300:] + 3)
    assert noise.held_out.negative_log_likelihood > found.held_out.negative_log_likelihood + 10


def test_what_cannot_be_judged_is_told():
    tree = dasgupta(id="it", data=IRIS.data, starts=1, passes=0, points=True)
    with pytest.raises(InputError, match="no density"):
        evaluate(tree, labels=Labels(IRIS.target), held_out=IRIS.data)
    with pytest.raises(InputError, match="give --embeddings"):
        evaluate(tree, labels=Labels(IRIS.target), probe=True)
    nested = hcrl(id="it", data=DATA, depth=1, branching=2)
    with pytest.raises(InputError, match="rows of 12 columns"):
        evaluate(nested, labels=Labels(LEAF), held_out=DATA[:, :3])
    with pytest.raises(InputError, match="at least one row"):
        evaluate(nested, labels=Labels(LEAF), held_out=DATA[:0])
