"""InfoHier and HCRL: what scikit-learn demands of clusterers, and that they are the trees that the sources make."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import cfgraph
from cfgraph.errors import EstimatorError, InputError
from cfgraph.estimator import HCRL, InfoHier
from cfgraph.learning.nested.learned import LearnedTree
from cfgraph.sources import hcrl, infohier

X, BLOB = make_blobs(200, centers=6, n_features=8, random_state=3)
SMALL = {"epochs": 2, "starts": 1, "random_state": 0}


@parametrize_with_checks(
    [InfoHier(**SMALL), HCRL(random_state=0), HCRL(level=2, depth=2, branching=2, levels="free", random_state=0)]
)
def test_scikit_learn_takes_them_for_its_own(estimator, check):
    check(estimator)


def test_infohier_is_the_tree_that_the_source_makes():
    found = InfoHier(6, **SMALL).fit(X)
    same = infohier(id="tree", data=X, epochs=2, starts=1, seed=0)
    assert found.hierarchy_.encoder == same.encoder
    assert found.hierarchy_.cells.addresses == same.cells.addresses
    assert found.transform(X).shape == (200, 64)
    np.testing.assert_allclose(np.linalg.norm(found.transform(X), axis=1), 1)
    assert adjusted_rand_score(found.labels_, BLOB) > 0.8
    assert adjusted_rand_score(found.predict(X), found.labels_) > 0.9
    assert found.apply(X).tolist() == cfgraph.apply(found.hierarchy_, data=X)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.predict(X), found.predict(X))
    made = found.to_hierarchy("blobs")
    assert (made.id, made.encoder) == ("blobs", same.encoder)


def test_hcrl_is_the_tree_that_the_source_makes():
    found = HCRL(branching=6, depth=1, standardised=True, random_state=5).fit(X)
    same = hcrl(id="tree", data=X, branching=6, depth=1, standardise=True, seed=5)
    assert found.hierarchy_.cells.addresses == same.cells.addresses
    assert found.clusters_[found.labels_[0]] == same.cells.addresses[same.cell_of_point[0]]
    assert adjusted_rand_score(found.labels_, BLOB) > 0.9
    np.testing.assert_array_equal(found.predict(X), found.labels_)
    np.testing.assert_array_equal(found.score_samples(X), -LearnedTree.of(same.encoder).negative_log_likelihood(X))
    assert found.score(X) == found.score_samples(X).mean()
    assert found.score(X) > found.score(X + 20)
    assert found.get_feature_names_out().tolist() == [f"hcrl{number}" for number in range(8)]
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.predict(X), found.predict(X))
    assert cfgraph.apply(found.to_hierarchy("blobs"), data=X[:3]) == found.apply(X[:3]).tolist()
    assert found.apply(X[:3]).tolist() == [found.clusters_[label] for label in found.labels_[:3]]


def test_levels_of_a_nested_tree_are_clusterings_one_in_the_other():
    trees = [HCRL(level=level, depth=2, branching=3, random_state=0).fit(X) for level in (0, 1, 2, 7)]
    assert [len(tree.clusters_) for tree in trees] == [1, 3, 9, 9]
    assert len(np.unique(trees[1].labels_ + 100 * trees[2].labels_)) == 9
    free = HCRL(levels="free", branching=3, depth=2, random_state=0).fit(X)
    assert free.transform(X, levels=True).shape == (200, 8 + 3)
    with pytest.raises(EstimatorError, match="free"):
        trees[0].transform(X, levels=True)


def test_fitted_again_they_forget_what_was():
    found = make_pipeline(StandardScaler(), HCRL(depth=1, branching=2, random_state=0)).fit(X)
    first = found.score_samples(X)
    found.fit(X[:, :4])
    assert found.score_samples(X[:, :4]).shape == (200,)
    np.testing.assert_array_equal(clone(found).fit(X).score_samples(X), first)


@pytest.mark.parametrize(
    "wrong", [{"level": -1}, {"depth": 0}, {"branching": 0}, {"gamma": 0}, {"encoder": "magic"}, {"pca": 9}]
)
def test_parameters_of_hcrl_out_of_their_range(wrong):
    with pytest.raises(EstimatorError):
        HCRL(**wrong, random_state=0).fit(X)


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"rate": 0}, {"batch": 1}, {"n_clusters": 0}, {"beam": 0}, {"device": "magic"}]
)
def test_parameters_of_infohier_out_of_their_range(wrong):
    with pytest.raises(EstimatorError):
        InfoHier(**{**SMALL, **wrong}).fit(X)


def test_the_example_of_the_document_runs(capsys):
    document = (Path(__file__).parents[2] / "docs" / "learning.md").read_text()
    (example,) = [block for block in re.findall(r"```python\n(.*?)```", document, re.DOTALL) if "cfgraph.HCRL" in block]
    exec(compile(example, "learning.md", "exec"), {})
    assert capsys.readouterr().out.endswith("\n")


def test_ids_that_are_none():
    with pytest.raises(InputError):
        HCRL(depth=1, branching=2, random_state=0).fit(X).to_hierarchy("no/id")
