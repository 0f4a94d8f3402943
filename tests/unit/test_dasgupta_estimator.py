"""DasguptaClustering: what scikit-learn demands of a clusterer, and that it is the tree that the source makes."""

import pickle

import numpy as np
import pytest
from scipy.cluster.hierarchy import cut_tree
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import cfgraph
from cfgraph.errors import EstimatorError, InputError
from cfgraph.estimator import DasguptaClustering
from cfgraph.formats.linkage import to_linkage
from cfgraph.model.trees import cut_merges
from cfgraph.sources import dasgupta

X, BLOB = make_blobs(200, centers=6, n_features=8, random_state=3)


@parametrize_with_checks([DasguptaClustering(random_state=0), DasguptaClustering(3, leaf_size=4, starts=1, random_state=1)])
def test_scikit_learn_takes_it_for_one_of_its_own(estimator, check):
    check(estimator)


def test_it_is_the_tree_that_the_source_makes():
    found = DasguptaClustering(6, random_state=5).fit(X)
    same = dasgupta(id="blobs", data=X, seed=5)
    assert found.hierarchy_.cells.addresses == same.cells.addresses
    np.testing.assert_array_equal(found.children_, to_linkage(same)[:, :2])
    assert found.cost_ == pytest.approx(np.nansum(same.cells.own["dasgupta"]))
    assert adjusted_rand_score(found.labels_, BLOB) > 0.9
    assert found.labels_[0] == 0
    assert adjusted_rand_score(found.predict(X), found.labels_) > 0.95
    assert found.apply(X).tolist() == cfgraph.apply(same, data=X)
    new = make_blobs(100, centers=6, n_features=8, random_state=3)[0]
    assert set(found.predict(new)) <= set(range(6))


def test_a_cut_is_scipys():
    found = DasguptaClustering(random_state=0).fit(X)
    Z = to_linkage(found.hierarchy_)
    for clusters in (1, 2, 5, 50, 200):
        mine = cut_merges(found.children_, clusters=clusters)
        assert adjusted_rand_score(mine, cut_tree(Z, n_clusters=clusters)[:, 0]) == 1
        assert len(set(mine.tolist())) == clusters


def test_leaves_of_several_points():
    found = DasguptaClustering(6, leaf_size=10, starts=1, random_state=0).fit(X)
    assert len(found.children_) < 100
    assert found.labels_.shape == (200,)
    assert adjusted_rand_score(found.labels_, BLOB) > 0.9
    with pytest.raises(EstimatorError, match="number of clusters"):
        DasguptaClustering(190, leaf_size=10, random_state=0).fit(X)


def test_transform_is_of_length_1_and_has_names():
    found = make_pipeline(MinMaxScaler(), DasguptaClustering(4, starts=1, random_state=0)).fit(X)
    latents = found.transform(X)
    np.testing.assert_allclose(np.linalg.norm(latents, axis=1), 1)
    assert found[-1].get_feature_names_out().tolist() == [f"dasguptaclustering{number}" for number in range(8)]
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.predict(X), found.predict(X))


@pytest.mark.parametrize(
    "wrong", [{"n_clusters": 0}, {"n_clusters": 201}, {"beam": 0}, {"sharpness": 0.5}, {"fit_by": "magic"}, {"starts": 0}]
)
def test_parameters_out_of_their_range(wrong):
    with pytest.raises(EstimatorError):
        DasguptaClustering(**wrong).fit(X)


def test_to_hierarchy():
    found = cfgraph.DasguptaClustering(3, starts=1, random_state=0).fit(X)
    made = found.to_hierarchy("blobs")
    assert (made.id, made.encoder) == ("blobs", found.hierarchy_.encoder)
    assert cfgraph.apply(made, data=X)[0] in made.cells.addresses
    with pytest.raises(InputError):
        found.to_hierarchy("no/id")
