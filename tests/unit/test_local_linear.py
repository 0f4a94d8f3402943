"""`local-linear`: a plane through the nearest observed parents, against a slow obvious version of it."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cfgraph.errors import InputError
from cfgraph.model.growth import Frontier, observe
from cfgraph.predictors import fit_predictor
from cfgraph.predictors import local_linear as module
from cfgraph.predictors.local_linear import RIDGE_PARTS, LocalLinear
from tests.trees import smooth_cells

SEEDS = st.integers(0, 10**6)


def cells_at(center, *, arity=2):
    """Cells somewhere, of no family."""
    count, dimension = center.shape
    nothing = np.zeros(count)
    return Frontier(
        center=center,
        scale=np.ones(count),
        root_distance=nothing,
        length=nothing,
        level=np.ones(count, dtype=np.int32),
        slot=np.full(count, -1, dtype=np.int32),
        tuples=np.zeros((1, arity, dimension)),
        family=np.zeros(count, dtype=np.int64),
    )


def made(centers, tuples, *, ridge):
    """A predictor of chosen parents and ridge."""
    arity, dimension = tuples.shape[1:]
    numbers = {"arity": arity, "dimension": dimension, "scale_factor": 0.5, "residual_bound": 1e9}
    return LocalLinear(**numbers, centers=centers, tuples=tuples, ridge=ridge)


def learned(centers, tuples):
    frontier = cells_at(centers, arity=tuples.shape[1])
    return fit_predictor("local-linear", observed=frontier, tuples=tuples, scale_factor=0.5, residual_bound=1e9)


def slow_answer(centers, tuples, asked, *, ridge):
    """Weighted least squares with a column of ones, B alone penalised: what the definition says, cell by cell."""
    count, dimension = min(len(centers), 2 * (centers.shape[1] + 1)), centers.shape[1]
    answers = []
    for center in asked:
        distance = np.linalg.norm(centers - center, axis=1)
        order = np.argsort(distance, kind="stable")
        near, reach = order[:count], distance[order[count]] if count < len(centers) else np.inf
        weights = (1 / distance[near] - 1 / reach) ** 2
        weights /= weights.sum()
        offset = centers[near] - center
        spread = offset - weights @ offset
        penalty = ridge * np.trace(spread.T @ (weights[:, None] * spread)) / dimension
        columns = np.column_stack([np.ones(count), offset])
        normal = columns.T @ (weights[:, None] * columns) + penalty * np.diag([0.0, *[1.0] * dimension])
        wanted = columns.T @ (weights[:, None] * tuples[near].reshape(count, -1))
        answers.append(np.linalg.solve(normal, wanted)[0].reshape(tuples.shape[1:]))
    return np.array(answers)


@given(SEEDS, st.integers(1, 4), st.sampled_from([3, 9, 40, 100]), st.sampled_from([1e-6, 1e-2, 1.0]))
@settings(max_examples=30, deadline=None)
def test_it_is_the_weighted_least_squares_of_its_definition(seed, dimension, parents, ridge):
    rng = np.random.default_rng(seed)
    centers, asked = rng.normal(size=(parents, dimension)), rng.normal(size=(12, dimension))
    tuples = rng.normal(size=(parents, 2, dimension))
    answer = made(centers, tuples, ridge=ridge).predict(cells_at(asked))
    np.testing.assert_allclose(answer, slow_answer(centers, tuples, asked, ridge=ridge), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("parents", "dimension"), [(40, 1), (40, 3), (300, 2), (300, 6), (200, 24)])
def test_bits_do_not_depend_on_the_batch(parents, dimension, monkeypatch):
    """One cell alone, a few, and the same among thousands, cut into parts of other sizes: for few parents and with a tree."""
    rng = np.random.default_rng(parents + dimension)
    predictor = made(rng.normal(size=(parents, dimension)), rng.normal(size=(parents, 2, dimension)), ridge=1e-3)
    asked = rng.normal(size=(4_000, dimension))
    together = predictor.predict(cells_at(asked))
    for row in (0, 1, 17, 1_999, 3_999):
        np.testing.assert_array_equal(predictor.predict(cells_at(asked[row : row + 1]))[0], together[row])
    np.testing.assert_array_equal(predictor.predict(cells_at(asked[5:12])), together[5:12])
    monkeypatch.setattr(module, "_FLOATS", 30_000)
    np.testing.assert_array_equal(predictor.predict(cells_at(asked[::-1]))[::-1], together)


@given(SEEDS, st.integers(1, 3), st.sampled_from([20, 90]), st.sampled_from([1e-9, 1e-3, 1.0]))
@settings(max_examples=40, deadline=None)
def test_answers_do_not_jump_where_a_neighbour_gives_way_to_another(seed, dimension, parents, ridge):
    """On both sides of such a place, as near as floats allow; with weights of 1 / d^2 alone they are far apart."""
    rng = np.random.default_rng(seed)
    centers, tuples = rng.normal(size=(parents, dimension)), rng.normal(size=(parents, 1, dimension))
    count = 2 * (dimension + 1)

    def near(center):
        return set(np.argsort(np.linalg.norm(centers - center, axis=1))[:count].tolist())

    here, there = rng.normal(size=(2, dimension))
    assume(near(here) != near(there))
    while np.linalg.norm(there - here) > 1e-13:
        middle = (here + there) / 2
        here, there = (here, middle) if near(middle) != near(here) else (middle, there)
    first, second = made(centers, tuples, ridge=ridge).predict(cells_at(np.array([here, there]), arity=1))
    np.testing.assert_allclose(first, second, atol=1e-7 * np.abs(tuples).max())


def test_at_a_parent_it_is_the_parents_tuple_and_equal_tuples_are_exactly_themselves():
    observed, tuples = observe(smooth_cells(4), arity=4)
    predictor = fit_predictor("local-linear", observed=observed, tuples=tuples, scale_factor=0.5, residual_bound=9.0)
    np.testing.assert_array_equal(predictor.predict(observed), tuples)
    rng = np.random.default_rng(0)
    same = np.repeat(rng.normal(size=(1, 2, 3)), 30, axis=0)
    answer = learned(rng.normal(size=(30, 3)), same).predict(cells_at(rng.normal(size=(50, 3))))
    np.testing.assert_array_equal(answer, np.repeat(same[:1], 50, axis=0))


@given(SEEDS, st.integers(1, 4), st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_an_affine_rule_is_found(seed, dimension, arity):
    rng = np.random.default_rng(seed)
    centers, asked = rng.normal(size=(40, dimension)), rng.normal(size=(20, dimension))
    matrix, offset = rng.normal(size=(arity, dimension, dimension)), rng.normal(size=(arity, dimension))

    def rule(center):
        return offset + np.einsum("kde,ce->ckd", matrix, center)

    predictor = learned(centers, rule(centers))
    assert predictor.ridge == RIDGE_PARTS[0]
    np.testing.assert_allclose(predictor.predict(cells_at(asked, arity=arity)), rule(asked), atol=1e-4)


def test_noise_has_a_large_ridge():
    rng = np.random.default_rng(0)
    assert learned(rng.normal(size=(300, 2)), rng.normal(size=(300, 2, 2))).ridge >= 0.1


def test_directions_without_neighbours_have_no_slope():
    """Parents on a line in space: off it the answer is that at the foot, however far."""
    rng = np.random.default_rng(1)
    axis = np.array([2.0, 1.0, -1.0]) / np.sqrt(6)
    across = np.array([0.0, 1.0, 1.0]) / np.sqrt(2)
    along = np.linspace(-1, 1, 8)  # as many as are looked at: far off, too, all weigh something
    centers, tuples = along[:, None] * axis, rng.normal(size=(8, 1, 1)) + np.zeros((8, 2, 3))
    predictor = made(centers, tuples, ridge=1e-9)
    answer = predictor.predict(cells_at(0.3 * axis + np.array([[1e3], [2e3]]) * across))
    assert np.abs(answer).max() <= 10 * np.abs(tuples).max()
    np.testing.assert_allclose(answer[0], answer[1], rtol=1e-2)


def test_one_parent_answers_with_its_tuple_and_two_with_a_line():
    tuples = np.array([[[1.0, 2.0]], [[3.0, 4.0]]])
    one = learned(np.zeros((1, 2)), tuples[:1])
    np.testing.assert_array_equal(one.predict(cells_at(np.array([[5.0, -3.0]]), arity=1)), tuples[:1])
    two = learned(np.array([[0.0, 0.0], [1.0, 0.0]]), tuples)
    np.testing.assert_allclose(two.predict(cells_at(np.array([[0.5, 0.0]]), arity=1)), tuples.mean(axis=0)[None], atol=1e-6)
    assert two.describe() == {"lipschitz": None, "neighbours": 2, "ridge": two.ridge}


@pytest.mark.parametrize("parents", [7, 90])
def test_where_all_are_equally_near_the_lowest_rows_count_alike(parents):
    """On a circle around the asked cell no neighbour is nearer than the next: six of them, the first, weigh the same."""
    rng = np.random.default_rng(parents)
    centers = np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [0.6, 0.8], [-0.6, 0.8], [0.6, -0.8], [-0.6, -0.8]])
    far = rng.normal(size=(parents, 2)) + 10.0
    tuples = rng.normal(size=(8 + parents, 1, 2))
    predictor = made(np.concatenate([centers, far]), tuples, ridge=1e3)
    answer = predictor.predict(cells_at(np.zeros((1, 2)), arity=1))
    np.testing.assert_allclose(answer[0], tuples[:6].mean(axis=0), atol=1e-3)


def test_duplicates_are_kept_once_and_far_ones_refused():
    rng = np.random.default_rng(0)
    centers, tuples = rng.normal(size=(10, 2)), rng.normal(size=(10, 2, 2))
    twice = learned(np.concatenate([centers, centers]), np.concatenate([tuples, -tuples]))
    np.testing.assert_array_equal(twice.centers, centers)
    np.testing.assert_array_equal(twice.tuples, tuples)
    for far in (1e200, np.inf, np.nan):
        with pytest.raises(InputError, match="not finite for 1 of 2 cells"):
            twice.predict(cells_at(np.array([[0.0, 0.0], [far, 0.0]])))
