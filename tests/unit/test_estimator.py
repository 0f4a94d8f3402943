"""The estimator: what scikit-learn demands of one, and that it is the hierarchy that its points are."""

import copy
import pickle
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import cfgraph
from cfgraph.errors import EstimatorError, InputError
from cfgraph.estimator import ClassificationField
from cfgraph.files.embeddings import Embeddings
from cfgraph.metric.locate import locate
from cfgraph.model.cells import LEAF, Cells
from cfgraph.model.hierarchy import recipe_digest
from cfgraph.sources import ifs, linkage, points

X, BLOB = make_blobs(200, centers=9, n_features=3, random_state=3)

FIELDS = [
    ClassificationField(),
    ClassificationField(3, 1),
    ClassificationField(2, 5, level=2),
    ClassificationField(4, 2, minimum_size=8),
]


@parametrize_with_checks(FIELDS)
def test_scikit_learn_takes_it_for_one_of_its_own(estimator, check):
    check(estimator)


def test_it_is_the_hierarchy_that_its_points_are():
    field = ClassificationField(arity=3, depth=3, random_state=5).fit(X)
    same = points(id="blobs", data=X, arity=3, depth=3, seed=5).cells
    assert field.hierarchy_.cells.addresses == same.addresses
    np.testing.assert_array_equal(field.hierarchy_.cells.center, same.center)
    assert field.apply(X).tolist() == [same.addresses[row] for row in locate(same, X)]


def test_predict_is_a_greedy_descent():
    field = ClassificationField(3, 4, random_state=0).fit(X)
    cells = field.hierarchy_.cells
    for x, found in zip(X[::9] + 0.1, field.apply(X[::9] + 0.1), strict=True):
        row = 0
        while cells.child_count[row]:
            children = np.flatnonzero(cells.parent == row)
            row = children[np.linalg.norm(cells.center[children] - x, axis=1).argmin()]
        assert found == cells.addresses[row]
    assert isinstance(found, str)


@pytest.mark.parametrize("level", [1, 2, None])
def test_predict_gives_the_labels_of_the_cut(level):
    field = ClassificationField(3, 4, level=level, minimum_size=9, random_state=0)
    labels = field.fit_predict(X)
    assert np.issubdtype(labels.dtype, np.integer)
    np.testing.assert_array_equal(field.predict(X), labels)
    np.testing.assert_array_equal(field.labels_, labels)
    cut = field.get_feature_names_out()
    for label, address in zip(field.predict(X + 0.3), field.apply(X + 0.3), strict=True):
        assert f"{address}/".startswith(f"{cut[label]}/")
    field.set_params(level=1)
    np.testing.assert_array_equal(field.predict(X), [int(address.split("/")[1]) for address in field.addresses_])


def test_addresses_as_in_the_first_version():
    field = ClassificationField(3, 3, random_state=0, predict="address").fit(X)
    with pytest.warns(FutureWarning, match=r"apply\(X\) gives addresses"):
        found = field.predict(X)
    np.testing.assert_array_equal(found, field.addresses_)
    assert field.get_params()["predict"] == clone(field).get_params()["predict"] == "address"
    assert "predict='address'" in repr(field)
    again = pickle.loads(pickle.dumps(field))
    assert again.get_params() == field.get_params()
    np.testing.assert_array_equal(field.set_params(predict="labels").predict(X), field.labels_)
    del vars(again)["predict"]  # as the first version pickled it
    np.testing.assert_array_equal(again.predict(X), field.labels_)
    assert ClassificationField.predict.__doc__ == field.predict.__doc__
    with pytest.raises(EstimatorError, match="expected 'labels' or 'address' as predict, got 'magic'"):
        field.set_params(predict="magic").predict(X)


def test_level_1_is_k_means():
    field = ClassificationField(9, 2, random_state=0).fit(X)
    assert adjusted_rand_score(field.labels_, KMeans(9, n_init=10, random_state=0).fit_predict(X)) > 0.9
    np.testing.assert_array_equal(field.labels_, [int(address.split("/")[1]) for address in field.addresses_])


@pytest.mark.parametrize("level", [1, 2, 3, 9, None])
def test_a_cut_holds_every_point_once(level):
    """Its cells are no ancestors of each other, and the way down to each point's deepest cell goes through its own."""
    depth = 9 if level == 9 else 4
    field = ClassificationField(3, depth, level=level, minimum_size=12, random_state=0).fit(X)
    cut = field.get_feature_names_out().tolist()
    for label, address in zip(field.labels_, field.apply(X), strict=True):
        assert f"{address}/".startswith(f"{cut[label]}/")
        assert sum(f"{address}/".startswith(f"{other}/") for other in cut) == 1
    np.testing.assert_array_equal(field.fit_predict(X), field.labels_)


def test_transform_is_the_distance_to_the_cells_of_a_level():
    field = ClassificationField(3, 3, random_state=0).fit(X)
    for level in (1, 2, 3):
        cells, found = field.hierarchy_.cells, field.set_params(level=level).transform(X)
        centers = cells.center[cells.rows(field.get_feature_names_out().tolist())]
        assert found.shape == (200, 3**level)
        np.testing.assert_allclose(found, np.linalg.norm(X[:, None] - centers, axis=2), rtol=1e-12)
    np.testing.assert_array_equal(field.set_params(level=1).transform(X).argmin(axis=1), field.labels_)


def test_equal_points_are_kept():
    field = ClassificationField(2, 3, random_state=0).fit(np.repeat(np.eye(4), 5, axis=0))
    assert len(set(field.addresses_)) == 4
    assert field.hierarchy_.cells.size[0] == 20


def test_few_points_make_a_shallow_tree():
    field = ClassificationField(3, 30, random_state=0).fit(X[:7])
    assert 1 <= field.hierarchy_.cells.depth <= 3
    assert set(field.apply(X[:7])) == set(np.array(field.hierarchy_.cells.addresses)[field.hierarchy_.cells.state == LEAF])


def test_one_feature_and_float32():
    field = ClassificationField(2, 3, random_state=0).fit(X[:, :1].astype(np.float32))
    assert field.n_features_in_ == 1
    np.testing.assert_array_equal(field.apply(X[:, :1].astype(np.float32)), field.addresses_)


def test_random_states():
    data = np.random.default_rng(0).normal(size=(400, 8))  # no clusters: the starts decide
    whole = ClassificationField(5, 2, random_state=1).fit(data).hierarchy_
    assert ClassificationField(5, 2, random_state=np.int64(1)).fit(data).hierarchy_.recipe == whole.recipe
    drawn = [ClassificationField(5, 2, random_state=np.random.RandomState(1)).fit(data).hierarchy_.recipe for _ in "ab"]
    assert drawn[0] == drawn[1] != whole.recipe
    seeds = {ClassificationField(5, 2).fit(data).hierarchy_.recipe["seed"] for _ in range(4)}
    assert len(seeds) > 1


def test_pipelines_and_searches():
    pipeline = make_pipeline(StandardScaler(), ClassificationField(3, 1, random_state=0))
    np.testing.assert_array_equal(pipeline.fit(X).predict(X), pipeline[-1].labels_)
    search = GridSearchCV(
        pipeline,
        {"classificationfield__arity": [2, 9]},
        cv=3,
        scoring=lambda fitted, x, y: adjusted_rand_score(y, fitted.predict(x)),
    )
    assert search.fit(X, BLOB).best_params_ == {"classificationfield__arity": 9}


def test_data_frames_in_and_out():
    frame = pd.DataFrame(X, columns=["a", "b", "c"], index=[f"row{number}" for number in range(len(X))])
    field = ClassificationField(3, 2, level=2, random_state=0).set_output(transform="pandas")
    out = field.fit_transform(frame)
    assert out.index.tolist() == frame.index.tolist()
    assert out.columns.tolist() == [f"/{i}/{j}" for i in range(3) for j in range(3)]
    assert field.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names should match"):
        field.predict(frame[["c", "b", "a"]])


def test_copies_predict_the_same():
    field = ClassificationField(3, 3, random_state=0).fit(X)
    for other in (pickle.loads(pickle.dumps(field)), copy.deepcopy(field)):
        np.testing.assert_array_equal(other.predict(X), field.predict(X))
        np.testing.assert_array_equal(other.apply(X), field.apply(X))
    assert not hasattr(clone(field), "hierarchy_")
    assert clone(field).get_params() == field.get_params()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"arity": 1}, "at least 2 as arity, got 1"),
        ({"arity": 2.5}, "whole number as arity, got 2.5"),
        ({"depth": 0}, "at least 1 as depth, got 0"),
        ({"level": 0}, "at least 1 as level, got 0"),
        ({"level": 4}, "level of at most the depth, 3, got 4"),
        ({"minimum_size": 0}, "as minimum size, got 0"),
        ({"minimum_size": 999}, "at least 999 points"),
        ({"arity": 201}, "at least arity = 201 points, got n_samples = 200; ask for a smaller arity"),
        ({"predict": "magic"}, "'labels' or 'address' as predict, got 'magic'"),
        ({"random_state": "x"}, "'x' cannot be used to seed"),
    ],
)
def test_parameters_out_of_range_are_told_at_fit(asked, told):
    field = ClassificationField(**asked)
    with pytest.raises(ValueError, match=told):
        field.fit(X)
    assert not hasattr(field, "hierarchy_")


def test_its_errors_are_value_errors_and_input_errors():
    with pytest.raises(EstimatorError, match="n_samples = 2") as caught:
        ClassificationField(3).fit(X[:2])
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, InputError)
    with pytest.raises(EstimatorError, match="at least 3 different points"):
        ClassificationField(3).fit(np.ones((10, 2)))
    field = ClassificationField(3).fit(X)
    with pytest.raises(EstimatorError, match="at least 1 as level"):
        field.set_params(level=0).transform(X)


@pytest.mark.parametrize(
    ("data", "error", "told"),
    [
        (sparse.csr_matrix(X), TypeError, "dense data is required"),
        (X[0], ValueError, "Expected 2D array, got 1D"),
        (np.vstack([X, [np.nan, 0, 0]]), ValueError, "contains NaN"),
        (np.full((5, 2), np.inf), ValueError, "contains infinity"),
        (np.full((9, 2), 1e200) * np.arange(9)[:, None], ValueError, "at most 1e"),
        (np.empty((0, 3)), ValueError, "0 sample"),
        (np.empty((4, 0)), ValueError, "0 feature"),
        (np.array([["a"], ["b"], ["c"]]), ValueError, "convert string"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(data, error, told):
    with pytest.raises(error, match=told):
        ClassificationField(3).fit(data)


def test_what_is_not_fitted_or_of_another_width_is_refused():
    field = ClassificationField(3)
    for act in (field.predict, field.apply, field.transform, field.get_feature_names_out):
        with pytest.raises(NotFittedError):
            act(X)
    with pytest.raises(NotFittedError):
        field.to_hierarchy("it")
    field.fit(X)
    with pytest.raises(ValueError, match="X has 2 features, but ClassificationField is expecting 3"):
        field.predict(X[:, :2])


def test_to_a_hierarchy_and_back():
    field = ClassificationField(3, 3, minimum_size=5, random_state=4).fit(X)
    hierarchy = field.to_hierarchy("blobs")
    back = ClassificationField.from_hierarchy(hierarchy)
    assert hierarchy.id == "blobs"
    assert back.get_params() == {**field.get_params(), "random_state": 4}
    np.testing.assert_array_equal(back.apply(X), field.apply(X))
    np.testing.assert_array_equal(back.transform(X), field.transform(X))
    np.testing.assert_array_equal(clone(back).fit(X).addresses_, field.addresses_)


def test_any_hierarchy_with_centers_predicts():
    koch = ifs(id="koch", maps="koch", depth=5)
    field = ClassificationField.from_hierarchy(koch)
    cells = koch.cells
    np.testing.assert_array_equal(
        field.apply(cells.center[-200:]), np.array(cells.addresses)[locate(cells, cells.center[-200:])]
    )
    assert field.transform(cells.center).shape == (len(cells), 4)
    root = ClassificationField.from_hierarchy(koch.with_cells(cells.prefix(0)))
    assert set(root.apply(cells.center)) == {"/"}
    assert root.transform(cells.center).shape == (len(cells), 1)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (None, r"holds no cells; read them from the store first: store.read_whole\('koch'\)"),
        (replace(Cells.from_root(np.zeros(2)), top="/2"), "got the subtree of 'koch' at /2"),
    ],
)
def test_hierarchies_that_cannot_predict_are_refused(cells, told):
    koch = ifs(id="koch", maps="koch", depth=1).without_cells()
    with pytest.raises(InputError, match=told):
        ClassificationField.from_hierarchy(koch if cells is None else koch.with_cells(cells))


def test_a_hierarchy_without_centers_is_refused():
    koch = ifs(id="koch", maps="koch", depth=1)
    flat = koch.replace(dimension=0, cells=Cells.from_root(np.zeros(0)))
    with pytest.raises(InputError, match="no centers"):
        ClassificationField.from_hierarchy(flat)


def test_an_imported_hierarchy_is_refused():
    merges = np.array([[0, 1, 1.0, 2], [2, 3, 2.0, 3]])
    tree = linkage(id="tree", data=merges, embeddings=Embeddings.of(X[:3]))
    with pytest.raises(InputError, match="the estimator needs a field"):
        ClassificationField.from_hierarchy(tree)


@pytest.mark.parametrize("id", ["", "a/b", " a"])
def test_bad_ids_are_refused(id):
    with pytest.raises(InputError):
        ClassificationField(3, 1).fit(X).to_hierarchy(id)


def test_grow_extends_below_what_was_seen():
    truth = ifs(id="koch", maps="koch", depth=5)
    seen = ClassificationField.from_hierarchy(truth.with_cells(truth.cells.prefix(3)))
    grown = seen.grow(5, family="recurrence")
    assert (seen.hierarchy_.cells.depth, grown.hierarchy_.cells.depth, grown.depth) == (3, 5, 5)
    np.testing.assert_allclose(grown.hierarchy_.cells.center, truth.cells.center, atol=1e-12)
    deepest = truth.cells.level_rows(5)
    same = grown.apply(truth.cells.center) == ClassificationField.from_hierarchy(truth).apply(truth.cells.center)
    assert same.mean() > 0.95  # not all: Koch's cells touch, and there the last bit decides
    assert grown.hierarchy_.cells.predicted[deepest].all()
    assert grown.predictor_.family == "recurrence"
    assert grown.hierarchy_.recipe["predictor_recipe"] == recipe_digest(grown.predictor_.recipe)  # as a rollout writes it


def test_grow_of_data_keeps_what_was_observed():
    field = ClassificationField(3, 2, random_state=0).fit(pd.DataFrame(X, columns=["a", "b", "c"]))
    grown = field.grow(4, family="scaled-parent")
    assert grown.hierarchy_.cells.depth == 4
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    for before, after in zip(field.apply(frame), grown.apply(frame), strict=True):
        assert after.startswith(f"{before}/")
    assert not hasattr(grown, "labels_")
    assert not hasattr(grown.fit(frame), "predictor_")
    with pytest.raises(InputError, match="at least 3 as depth to grow to, got 2"):
        field.grow(2)


def test_nothing_is_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ClassificationField(3, 3, random_state=0).fit(X).transform(X)
    assert len(found) == len(X)


def test_it_is_loaded_when_it_is_first_used():
    assert cfgraph.ClassificationField is ClassificationField
    program = (
        "import sys, cfgraph; assert 'sklearn' not in sys.modules; cfgraph.ClassificationField; assert 'sklearn' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
