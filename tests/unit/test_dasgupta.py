"""Dasgupta trees as hierarchies: what their cells hold, and what bad input gets."""

from importlib.util import find_spec

import numpy as np
import pytest
from scipy.cluster.hierarchy import is_monotonic, is_valid_linkage, linkage
from sklearn.datasets import load_iris

from cfgraph.errors import InputError
from cfgraph.formats.linkage import to_linkage
from cfgraph.sources import dasgupta
from cfgraph.sources.circle import decode
from cfgraph.sources.regrafting import FeatureSimilarities, tree_cost
from cfgraph.sources.similarity import feature_rows, standardise, to_unit_rows
from tests.unit.test_regrafting import clusters, slow_cost

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="the relaxed fit needs torch")
RANDOM = np.random.default_rng(0)
DATA = RANDOM.normal(size=(40, 3)) + 4 * RANDOM.integers(3, size=(40, 1))


def unit_rows(data):
    return to_unit_rows(standardise(data).values)[0]


def similarity_of(data):
    rows = feature_rows(unit_rows(data))
    return rows @ rows.T


def leaves_of(hierarchy):
    """The rows of points below each cell."""
    cells, below = hierarchy.cells, [set() for _ in range(len(hierarchy.cells))]
    for point, cell in enumerate(hierarchy.cell_of_point.tolist()):
        below[cell].add(point)
    for row in range(len(cells) - 1, 0, -1):
        below[cells.parent[row]] |= below[row]
    return below


def test_cells_say_what_they_cost_and_where_they_lie():
    hierarchy = dasgupta(id="it", data=DATA, names=[f"point {number}" for number in range(40)])
    cells, own, similarity = hierarchy.cells, hierarchy.cells.own, similarity_of(DATA)
    below = leaves_of(hierarchy)
    inner = np.flatnonzero(cells.child_count)
    assert set(own) == {"height", "merge", "dasgupta", "hyp_angle", "hyp_depth", "hyp_xy", "name", "row"}
    assert len(cells) == 79
    assert (cells.child_count[inner] == 2).all()
    raw = {}
    for row in inner.tolist():
        one, other = (below[child] for child in range(cells.first_child[row], cells.first_child[row] + 2))
        across = similarity[np.ix_(sorted(one), sorted(other))]
        assert own["dasgupta"][row] == pytest.approx(len(below[row]) * across.sum())
        assert (len(one), -min(one)) >= (len(other), -min(other))  # larger first; of equals the one with the smallest row
        raw[row] = 1 - across.mean()
    for row in inner.tolist():
        assert own["height"][row] == pytest.approx(max(raw[other] for other in inner.tolist() if below[other] <= below[row]))
    assert np.isnan(own["dasgupta"][cells.child_count == 0]).all()
    values, _ = to_unit_rows(standardise(DATA).values)
    means = np.stack([values[sorted(one)].mean(axis=0) for one in below])
    np.testing.assert_allclose(cells.center, means, atol=1e-12)
    assert (cells.size == [len(one) for one in below]).all()
    whole = sum(own["dasgupta"][inner])
    assert hierarchy.notes[0].startswith(
        f"Dasgupta's cost is {whole:.6g}, {whole / 40 / np.triu(similarity, 1).sum():.5f} of n"
    )


def test_the_linkage_is_one_of_scipys_and_the_layout_gives_the_tree_back():
    hierarchy = dasgupta(id="it", data=DATA)
    Z = to_linkage(hierarchy)
    assert is_valid_linkage(Z)
    assert is_monotonic(Z)
    tree = clusters(Z[:, :2].astype(int), 40)
    cost = tree_cost(Z[:, :2].astype(int), FeatureSimilarities(feature_rows(unit_rows(DATA)))).sum()
    assert cost == pytest.approx(slow_cost(Z[:, :2].astype(int), similarity_of(DATA)))
    own = hierarchy.cells.own
    angle = np.empty(40)
    leaf = hierarchy.cells.child_count == 0
    angle[own["merge"][leaf]] = own["hyp_angle"][leaf]
    assert set(clusters(decode(angle), 40)) == set(tree)
    polar = np.tanh(own["hyp_depth"] / 2)[:, None] * np.column_stack([np.cos(own["hyp_angle"]), np.sin(own["hyp_angle"])])
    np.testing.assert_allclose(own["hyp_xy"], polar, atol=1e-12)


def test_the_figures_of_iris():
    """As HypHC prints them, twice the cost: its own code reaches 7.880e5, average linkage 7.911e5 (docs/learning.md)."""
    data = load_iris().data
    Z = linkage(1 - similarity_of(data)[np.triu_indices(150, 1)], "average")
    average = 2 * tree_cost(Z[:, :2].astype(int), FeatureSimilarities(feature_rows(unit_rows(data)))).sum()
    assert average == pytest.approx(7.911e5, rel=1e-3)
    assert 2 * np.nansum(dasgupta(id="it", data=data).cells.own["dasgupta"]) <= 7.866e5


@needs_torch
def test_the_relaxed_fit_alone_and_refined():
    data = load_iris().data
    alone = dasgupta(id="it", data=data, fit="relaxed", refine=False, starts=1)
    assert 2 * np.nansum(alone.cells.own["dasgupta"]) <= 7.90e5
    assert 0.01 <= alone.recipe["radius"] <= 0.999
    refined = dasgupta(id="it", data=data, fit="relaxed", starts=1)
    assert 2 * np.nansum(refined.cells.own["dasgupta"]) <= 7.866e5


@needs_torch
@pytest.mark.parametrize("points", [2, 3, 4])
def test_the_relaxed_fit_of_few_points(points):
    assert len(dasgupta(id="it", data=DATA[:points], fit="relaxed", starts=1).cells) == 2 * points - 1


def test_a_matrix_is_as_good_as_the_features_that_it_is_of():
    of_matrix, of_features = dasgupta(id="it", similarity=similarity_of(DATA)), dasgupta(id="it", data=DATA)
    assert of_matrix.dimension == 0
    assert np.nansum(of_matrix.cells.own["dasgupta"]) == pytest.approx(np.nansum(of_features.cells.own["dasgupta"]), rel=1e-4)


def test_sharpness_is_a_power():
    sharp = dasgupta(id="it", data=DATA, sharpness=3)
    Z = to_linkage(sharp)[:, :2].astype(int)
    assert np.nansum(sharp.cells.own["dasgupta"]) == pytest.approx(slow_cost(Z, similarity_of(DATA) ** 3))


def test_leaves_of_several_points_count_them():
    hierarchy = dasgupta(id="it", data=DATA, leaf_size=4)
    cells, similarity = hierarchy.cells, similarity_of(DATA)
    leaves = np.flatnonzero(cells.child_count == 0)
    assert cells.size[leaves].max() in (2, 3, 4)
    assert np.bincount(hierarchy.cell_of_point, minlength=len(cells))[leaves].sum() == 40
    for row in leaves.tolist():
        points = np.flatnonzero(hierarchy.cell_of_point == row)
        within = np.triu(similarity[np.ix_(points, points)], 1).sum()
        share = cells.own["dasgupta"][row]
        assert np.isnan(share) if len(points) == 1 else share == pytest.approx(len(points) * within)


def test_the_same_seed_makes_the_same_tree_and_another_may_not():
    one, again = dasgupta(id="it", data=DATA, seed=3), dasgupta(id="it", data=DATA, seed=3)
    assert one.recipe == again.recipe
    assert all(np.array_equal(one.cells.own[name], again.cells.own[name], equal_nan=name != "name") for name in one.cells.own)
    assert dasgupta(id="it", data=DATA, seed=4).recipe != one.recipe


@pytest.mark.parametrize("order", [np.arange(40)[::-1], RANDOM.permutation(40)])
def test_the_order_of_rows_changes_the_cost_no_more_than_a_seed_does(order):
    costs = [np.nansum(dasgupta(id="it", data=rows).cells.own["dasgupta"]) for rows in (DATA, DATA[order])]
    assert costs[0] == pytest.approx(costs[1], rel=1e-3)


@pytest.mark.parametrize(
    "data",
    [
        np.zeros((5, 2)),
        np.ones((4, 1)),
        np.array([[1.0], [2.0]]),
        np.repeat(DATA[:3], 5, axis=0),
        np.array([[0.0, 0], [0, 0], [1, 1]]),
        DATA * 1e-160,
        DATA * 1e90,
        DATA[:, :1],
    ],
)
def test_data_that_says_little_has_a_tree(data):
    hierarchy = dasgupta(id="it", data=data)
    assert len(hierarchy.cells) == 2 * len(data) - 1
    assert np.isfinite(hierarchy.cells.own["height"]).all()
    assert (np.linalg.norm(hierarchy.cells.own["hyp_xy"], axis=1) < 1).all()


def asymmetric(matrix):
    changed = matrix.copy()
    changed[2, 1] += 0.1
    return changed


S = similarity_of(DATA)[:6, :6]
REFUSED = {
    "both": ({"data": DATA, "similarity": S}, "give one of data and similarity"),
    "neither": ({}, "give one of data and similarity"),
    "one point": ({"data": DATA[:1]}, "at least two points"),
    "not finite": ({"data": np.array([[1.0, 2], [np.nan, 3], [4, 5]])}, "row 1, column 0"),
    "not square": ({"similarity": S[:, :4]}, "square matrix.*6 x 4"),
    "not symmetric": ({"similarity": asymmetric(S)}, "from j to i.*row 1, column 2"),
    "negative": ({"similarity": np.where(np.eye(6, k=2) + np.eye(6, k=-2), -1.0, S)}, "at least 0.*row 0, column 2"),
    "nothing alike": ({"similarity": np.eye(6)}, "zeros only"),
    "too many pairs": ({"data": np.zeros((20_001, 1)), "sharpness": 2}, "at most 20,000 points.*--sharpness 1"),
    "names": ({"data": DATA, "names": ["a"]}, "40 names"),
    "names of clusters": ({"data": DATA, "names": [str(n) for n in range(40)], "leaf_size": 2}, "a leaf of several"),
    "clusters of a matrix": ({"similarity": S, "leaf_size": 2}, "come from features"),
    "clusters relaxed": ({"data": DATA, "fit": "relaxed", "leaf_size": 2}, "moves single points"),
    "sharpness": ({"data": DATA, "sharpness": 0.5}, "sharpness of at least 1"),
    "sharpness that is none": ({"data": DATA, "sharpness": float("nan")}, "finite number as sharpness"),
    "starts": ({"data": DATA, "starts": 0}, "at least 1 as number of starts"),
    "passes": ({"data": DATA, "passes": -1}, "at least 0 as number of passes"),
    "fit": ({"data": DATA, "fit": "magic"}, "out of search, relaxed"),
    "embeddings": ({"data": DATA, "embeddings": DATA}, "leave --embeddings out"),
}


@pytest.mark.parametrize(("arguments", "told"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_told(arguments, told):
    with pytest.raises(InputError, match=told):
        dasgupta(id="it", **arguments)
