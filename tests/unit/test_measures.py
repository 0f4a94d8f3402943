"""Measures against loops over parents, slots, permutations and points."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import directed_hausdorff

from cfgraph.comparing import measures
from cfgraph.comparing.measures import (
    PointSet,
    Sample,
    TupleSums,
    chain_distances,
    hash_address,
    hash_addresses,
    hausdorff_distance,
    lowest_rows,
    path_distortion,
    squared_distances,
)
from tests.tuples import measure_tuples

GRID = st.integers(-3, 3).map(lambda step: step / 2)  # coarse, so that ties and duplicates are common


@st.composite
def tuple_pairs(draw, *, arity_max: int = 4):
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, arity_max), st.integers(1, 3)))
    return draw(hnp.arrays(np.float64, shape, elements=GRID)), draw(hnp.arrays(np.float64, shape, elements=GRID))


def slow_measures(predicted, true):
    """One parent, slot and permutation at a time."""
    arity = true.shape[1]
    squared, norms, chamfer, assigned, fewest, most = [], [], [], [], 0, 0
    tolerance = 1e-12 * np.mean([float(r @ r) for parent in true for r in parent])
    for guess, truth in zip(predicted, true, strict=True):
        cost = [[float((a - b) @ (a - b)) for b in truth] for a in guess]
        costs = {perm: sum(cost[k][perm[k]] for k in range(arity)) / arity for perm in itertools.permutations(range(arity))}
        best = min(costs, key=costs.get)
        identity = tuple(range(arity))
        squared += [cost[k][k] for k in range(arity)]
        norms += [float(r @ r) for r in truth]
        chamfer.append(sum(map(min, cost)) / arity + sum(map(min, zip(*cost, strict=True))) / arity)
        assigned.append(costs[best])
        optimal = [perm for perm in costs if costs[perm] <= costs[best] + 1e-9]
        kept = [arity] if costs[identity] <= costs[best] + tolerance else [_fixed(perm) for perm in optimal]
        fewest, most = fewest + min(kept), most + max(kept)
    return np.mean(squared), np.mean(norms), np.mean(chamfer), np.mean(assigned), (fewest, most)


def _fixed(permutation):
    return sum(place == slot for place, slot in enumerate(permutation))


@given(tuple_pairs())
def test_measures_of_tuples(pair):
    predicted, true = pair
    found = measure_tuples(predicted, true)
    mse, norm, chamfer, assigned, (fewest, most) = slow_measures(predicted, true)
    assert found.mse == pytest.approx(mse)
    assert found.nmse == (pytest.approx(mse / norm) if norm else None)
    assert found.pi_cd == pytest.approx(chamfer)
    assert found.pi_mse == pytest.approx(assigned, abs=1e-12)
    assert fewest - 1e-9 <= found.slot_accuracy * true[..., 0].size <= most + 1e-9  # of equally good assignments, any


@given(tuple_pairs(arity_max=7), st.randoms(use_true_random=False))
def test_the_best_assignment_costs_the_least(pair, random):
    predicted, true = pair
    cost = squared_distances(predicted, true)
    least = [min(sum(c[k, p] for k, p in enumerate(perm)) for perm in _permutations(len(c), random)) for c in cost]
    assert measure_tuples(predicted, true).pi_mse <= np.mean(least) / cost.shape[1] + 1e-9


def _permutations(arity, random):
    """All of them, or some hundred where they are many."""
    if arity <= 5:
        return list(itertools.permutations(range(arity)))
    return [random.sample(range(arity), arity) for _ in range(300)]


@pytest.mark.parametrize("arity", [2, 5, 6, 7, 9])
def test_both_solvers_find_the_optimum(arity):
    from scipy.optimize import linear_sum_assignment

    random = np.random.default_rng(arity)
    cost = squared_distances(*random.normal(size=(2, 60, arity, 2)))
    expected = [matrix[linear_sum_assignment(matrix)].sum() for matrix in cost]
    for solve in (measures._assign_by_subsets, measures._assign_one_by_one):
        found = np.take_along_axis(cost, solve(cost)[..., None], axis=2).sum(axis=(1, 2))
        np.testing.assert_allclose(found, expected)


def test_slot_accuracy_counts_slots_that_keep_their_place():
    true = np.array([[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]])
    swapped = true[:, [1, 0, 2, 3]]
    assert measure_tuples(true, true).slot_accuracy == 1
    found = measure_tuples(swapped, true)
    assert (found.slot_accuracy, found.pi_mse, found.pi_cd, found.mse) == (0.5, 0, 0, 1.0)
    both = measure_tuples(np.concatenate([swapped, true]), np.concatenate([true, true]))
    assert both.slot_accuracy == 0.75


@pytest.mark.parametrize(("excess", "accuracy"), [(1e-15, 1.0), (1e-13, 1.0), (1e-11, 0.0), (1e-9, 0.0)])
def test_identity_counts_as_right_within_a_tolerance(excess, accuracy):
    """Two true residuals 2e apart across the line on which both predictions lie: swapping gains about 2 e * offset."""
    true = np.array([[[1.0, excess], [1.0, -excess]]])
    predicted = np.array([[[1.0, -0.5], [1.0, 0.5]]])
    assert measure_tuples(predicted, true).slot_accuracy == accuracy


def test_identical_residuals_are_no_mistake():
    true = np.full((3, 6, 2), 0.1) + np.array([0.0, 1e-17])
    random = np.random.default_rng(0).normal(size=true.shape)
    assert measure_tuples(random, true).slot_accuracy == 1


@pytest.mark.parametrize("arity", [1, 3, 7])
def test_what_cannot_be_measured_is_none(arity):
    nothing = measure_tuples(np.zeros((0, arity, 2)), np.zeros((0, arity, 2)))
    assert vars(nothing) == dict.fromkeys(("mse", "nmse", "pi_cd", "pi_mse", "slot_accuracy"))
    zero = measure_tuples(np.zeros((2, arity, 2)), np.zeros((2, arity, 2)))
    assert (zero.mse, zero.nmse, zero.slot_accuracy) == (0, None, 1)


@given(tuple_pairs(), st.integers(0, 5))
def test_sums_add_up(pair, cut):
    predicted, true = pair
    parts = TupleSums.of(predicted[:cut], true[:cut]) + TupleSums.of(predicted[cut:], true[cut:])
    whole = TupleSums.of(predicted, true)
    for name, value in vars(whole.measures()).items():
        assert getattr(parts.measures(), name) == (None if value is None else pytest.approx(value, abs=1e-12))


def test_chunks_do_not_change_the_sums(monkeypatch):
    predicted, true = np.random.default_rng(1).normal(size=(2, 50, 4, 3))
    whole = TupleSums.of(predicted, true).measures()
    monkeypatch.setattr(measures, "CHUNK_FLOATS", 40)
    assert vars(TupleSums.of(predicted, true).measures()) == pytest.approx(vars(whole))


@given(hnp.arrays(np.float64, st.tuples(st.just(2), st.integers(0, 8)), elements=st.integers(0, 4).map(float)))
def test_path_distortion(distances):
    predicted, true = distances
    found = path_distortion(predicted, true)
    pairs = [(p, t) for p, t in zip(predicted, true, strict=True) if t > 0]
    assert (found.pairs, found.left_out) == (len(pairs), len(true) - len(pairs))
    if not pairs:
        assert found.mean_relative is found.multiplicative is found.max_additive is None
        return
    assert found.mean_relative == pytest.approx(np.mean([abs(p / t - 1) for p, t in pairs]))
    assert found.max_relative == pytest.approx(max(abs(p / t - 1) for p, t in pairs))
    assert found.max_additive == max(abs(p - t) for p, t in pairs)
    collapsed = any(p == 0 for p, _ in pairs)
    expected = math.inf if collapsed else max(p / t for p, t in pairs) * max(t / p for p, t in pairs)
    assert found.multiplicative == pytest.approx(expected)


def test_chain_distances_sum_what_lies_below_the_meeting_level():
    lengths = np.array([[4.0, 2.0, 1.0], [4.0, 3.0, 0.5]])
    first, second = np.array([0, 0, 1]), np.array([1, 0, 1])
    found = chain_distances(lengths, first=first, second=second, meeting=np.array([1, 3, 0]))
    np.testing.assert_array_equal(found, [2 + 1 + 3 + 0.5, 0.0, 15.0])


POINTS = st.integers(1, 30).flatmap(lambda n: hnp.arrays(np.float64, (n, 2), elements=GRID))


@given(POINTS, POINTS, st.data())
@settings(max_examples=200)
def test_hausdorff_distance_whatever_the_partners(first, second, data):
    partner = data.draw(hnp.arrays(np.int64, len(first), elements=st.integers(-1, len(second) - 1)))
    expected = max(directed_hausdorff(first, second)[0], directed_hausdorff(second, first)[0])
    for partners in (None, partner):
        found = hausdorff_distance(PointSet(first), PointSet(second), partner=partners)
        assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("dimension", [1, 3, 40])
@pytest.mark.parametrize("noise", [0.0, 1e-6, 0.5])
def test_hausdorff_distance_of_many_points(dimension, noise):
    random = np.random.default_rng(dimension)
    first = random.normal(size=(1200, dimension))
    second = first + noise * random.normal(size=first.shape)
    expected = max(directed_hausdorff(first, second)[0], directed_hausdorff(second, first)[0])
    found = hausdorff_distance(PointSet(first), PointSet(second), partner=np.arange(len(first)))
    assert found == pytest.approx(expected, abs=1e-12)


def test_hausdorff_distance_of_nothing():
    assert math.isnan(hausdorff_distance(PointSet(np.zeros((0, 2))), PointSet(np.ones((1, 2)))))


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**64 - 1))
def test_hash_of_an_address_is_the_same_wherever_it_is_made(arity, depth, seed):
    addresses = [slots for level in range(depth + 1) for slots in itertools.product(range(arity), repeat=level)]
    row = {slots: place for place, slots in enumerate(addresses)}
    parent = np.array([row[slots[:-1]] if slots else -1 for slots in addresses])
    slot = np.array([slots[-1] if slots else -1 for slots in addresses])
    starts = np.cumsum([0] + [arity**level for level in range(depth + 1)])
    found = hash_addresses(parent, slot, starts=starts, top=hash_address((), seed=seed))
    assert found.tolist() == [hash_address(slots, seed=seed) for slots in addresses]
    assert len(set(found.tolist())) == len(addresses)


@given(st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=20), st.integers(1, 8), st.integers(0, 20))
def test_samples_keep_the_lowest_whatever_the_parts(priorities, size, cut):
    def sample(part):
        values = np.array(part, dtype=np.uint64)
        return Sample(values, {"half": values // np.uint64(2)}, seen=len(part)).lowest(size)

    merged = sample(priorities[:cut]).merge(sample(priorities[cut:]), size=size)
    assert sorted(merged.priority.tolist()) == sorted(priorities)[:size]
    assert merged.seen == len(priorities)
    np.testing.assert_array_equal(merged.columns["half"], merged.priority // np.uint64(2))
    assert merged.priority[merged.by_priority].tolist() == sorted(merged.priority.tolist())
    wanted = np.array([*priorities, 7], dtype=np.uint64)
    kept = {priority: row for row, priority in enumerate(merged.priority.tolist())}
    assert merged.rows_of(wanted).tolist() == [kept.get(priority, -1) for priority in wanted.tolist()]


def test_lowest_rows_of_few():
    assert lowest_rows(np.array([5, 3], dtype=np.uint64), size=9).tolist() == [0, 1]
