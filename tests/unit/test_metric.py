"""The metric against networkx, exact fractions and sums one cell at a time; the guarantees against what they bound."""

import math
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfgraph.errors import InputError
from cfgraph.formats import to_networkx
from cfgraph.metric.distances import (
    Certificate,
    center_differences,
    common_ancestors,
    depth_for_precision,
    field_radius,
    path_distances,
    recurrence_bound,
    subtree_radii,
    truncation_bound,
)
from cfgraph.model.address import lowest_common_ancestor
from cfgraph.model.cells import FRONTIER, LEAF, Cells
from cfgraph.model.growth import clip_residuals, grow
from tests.trees import build_cells, ragged_cells, smooth_cells, smooth_rule

FACTORS = st.floats(0.05, 0.95)
SIZES = st.floats(1e-6, 1e6)


def all_pairs(cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.meshgrid(np.arange(len(cells)), np.arange(len(cells)))
    return first.ravel(), second.ravel()


@given(ragged_cells())
def test_common_ancestors_are_those_of_the_addresses(cells):
    first, second = all_pairs(cells)
    expected = [lowest_common_ancestor(cells.addresses[a], cells.addresses[b]) for a, b in zip(first, second, strict=True)]
    assert [cells.addresses[row] for row in common_ancestors(cells, first, second)] == expected


@given(ragged_cells())
def test_path_distances_against_dijkstra(cells):
    first, second = all_pairs(cells)
    lengths = dict(nx.all_pairs_dijkstra_path_length(to_networkx(cells).to_undirected(), weight="weight"))
    expected = [lengths[cells.addresses[a]][cells.addresses[b]] for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(path_distances(cells, first, second), expected, rtol=1e-12, atol=1e-14)


@given(ragged_cells())
def test_path_distances_and_root_distances(cells):
    first, second = all_pairs(cells)
    far = cells.root_distance
    expected = far[first] + far[second] - 2 * far[common_ancestors(cells, first, second)]
    np.testing.assert_allclose(path_distances(cells, first, second), expected, rtol=0, atol=1e-13)


@given(ragged_cells())
def test_center_differences(cells):
    first, second = all_pairs(cells)
    expected = cells.center[first] - cells.center[second]
    np.testing.assert_allclose(center_differences(cells, first, second), expected, rtol=0, atol=1e-13)


def test_pairs_in_several_batches():
    cells, rng = smooth_cells(6), np.random.default_rng(0)
    first, second = rng.integers(0, len(cells), (2, 150_000))
    far = cells.root_distance
    expected = far[first] + far[second] - 2 * far[common_ancestors(cells, first, second)]
    np.testing.assert_allclose(path_distances(cells, first, second), expected, rtol=0, atol=1e-13)
    differences = cells.center[first] - cells.center[second]
    np.testing.assert_allclose(center_differences(cells, first, second), differences, rtol=0, atol=1e-13)


def forked_chain(*, stem: int, tines: int) -> Cells:
    """One long way down that forks at level ``stem`` into two ways of ``tines`` cells: two deep cells, one deep ancestor."""
    rows = [(-1, -1)] + [(row, 0) for row in range(stem)] + [(stem, 0), (stem, 1)]
    while len(rows) < 1 + stem + 2 * tines:
        rows.append((len(rows) - 2, 0))
    residual = np.random.default_rng(7).normal(size=(len(rows), 2))
    return build_cells(rows, residual=residual.tolist(), ends=[FRONTIER] * len(rows), scale_factor=0.7)


def exact_sum(cells: Cells, row: int, *, above: int, column: np.ndarray) -> Fraction:
    total = Fraction(0)
    while row != above:
        total += Fraction(float(column[row]))
        row = int(cells.parent[row])
    return total


@pytest.mark.parametrize("stem", [20, 60, 120])
def test_deep_cells_keep_their_precision(stem):
    """Against exact fractions; the subtraction of root distances has lost everything at the last of these depths."""
    cells = forked_chain(stem=stem, tines=5)
    first, second, meeting = np.array([len(cells) - 1]), np.array([len(cells) - 2]), stem
    up, down = (exact_sum(cells, row, above=meeting, column=cells.length) for row in (len(cells) - 1, len(cells) - 2))
    found = Fraction(float(path_distances(cells, first, second)[0]))
    assert abs(found / (up + down) - 1) < 8 * np.finfo(float).eps
    steps = cells.scale[cells.parent, None] * cells.residual
    for axis in range(2):
        sides = [exact_sum(cells, r, above=meeting, column=steps[:, axis]) for r in (len(cells) - 1, len(cells) - 2)]
        difference = Fraction(float(center_differences(cells, first, second)[0, axis]))
        assert abs(difference - (sides[0] - sides[1])) < 1e-14 * (abs(sides[0]) + abs(sides[1]))
    far = cells.root_distance
    subtracted = far[first[0]] + far[second[0]] - 2 * far[meeting]
    assert (abs(subtracted / float(up + down) - 1) > 0.01) == (stem == 120)


def slow_radius(cells: Cells, row: int) -> float:
    if cells.state[row] == FRONTIER:
        return math.nan
    children = [child for child in range(1, len(cells)) if cells.parent[child] == row]
    bounds = [cells.length[child] + slow_radius(cells, child) for child in children]
    return math.nan if any(map(math.isnan, bounds)) else max(bounds, default=0.0)


@given(ragged_cells())
def test_subtree_radii(cells):
    np.testing.assert_allclose(subtree_radii(cells), [slow_radius(cells, row) for row in range(len(cells))], rtol=1e-12)


@given(ragged_cells())
def test_every_descendant_lies_within_the_radius(cells):
    cells = cells.with_columns(state=np.where(cells.state == FRONTIER, LEAF, cells.state).astype(np.uint8))
    radius = subtree_radii(cells)
    for row in range(1, len(cells)):
        above = int(cells.parent[row])
        while above >= 0:
            assert np.linalg.norm(cells.center[row] - cells.center[above]) <= radius[above] + 1e-12
            assert path_distances(cells, np.array([row]), np.array([above]))[0] <= radius[above] + 1e-12
            above = int(cells.parent[above])


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.3, 0.5, 0.8]), st.floats(0.1, 3))
def test_every_descendant_lies_within_the_field_radius(seed, scale_factor, bound):
    rng = np.random.default_rng(seed)

    def rule(frontier):
        return clip_residuals(rng.normal(size=(len(frontier), 2, 2)), residual_bound=bound)

    cells = grow(Cells.from_root(np.zeros(2), scale=2.0), rule=rule, arity=2, scale_factor=scale_factor, depth=6)
    radius = field_radius(cells.scale, residual_bound=bound, scale_factor=scale_factor)
    first, second = all_pairs(cells)
    meeting = common_ancestors(cells, first, second)
    below = meeting == first
    distance = path_distances(cells, first[below], second[below])
    assert (distance <= radius[first[below]] * (1 + 1e-12)).all()
    apart = np.linalg.norm(cells.center[first[below]] - cells.center[second[below]], axis=1)
    assert (apart <= distance * (1 + 1e-9) + 1e-12).all()


@given(FACTORS, SIZES, st.integers(0, 40), SIZES)
def test_truncation_bound_is_the_sum_of_all_lengths_below(scale_factor, bound, depth, root_scale):
    deep = depth + math.ceil(40 / -math.log(scale_factor))
    expected = sum(root_scale * bound * scale_factor**level for level in range(depth, deep))
    found = truncation_bound(depth, residual_bound=bound, scale_factor=scale_factor, root_scale=root_scale)
    assert found == pytest.approx(expected, rel=1e-9)


@given(FACTORS, st.floats(0, 1e6), st.floats(1e-12, 1e6), SIZES)
def test_depth_for_precision_is_the_smallest_that_does(scale_factor, bound, precision, root_scale):
    field = {"residual_bound": bound, "scale_factor": scale_factor, "root_scale": root_scale}
    depth = depth_for_precision(precision, **field)
    slow = 0
    while truncation_bound(slow, **field) > precision:
        slow += 1
    assert depth == slow


@pytest.mark.parametrize("precision", [0.0, -1.0, math.nan, math.inf])
def test_depth_for_precision_refuses(precision):
    with pytest.raises(InputError, match="precision"):
        depth_for_precision(precision, residual_bound=1.0, scale_factor=0.5)


@pytest.mark.parametrize("scale_factor", [0.0, 1.0, -0.5, 2.0, math.nan])
def test_guarantees_refuse_what_is_no_scale_factor(scale_factor):
    with pytest.raises(InputError, match="scale factor"):
        truncation_bound(3, residual_bound=1.0, scale_factor=scale_factor)
    with pytest.raises(InputError, match="scale factor"):
        recurrence_bound(1e-3, scale_factor=scale_factor)
    with pytest.raises(InputError, match="scale factor"):
        Certificate(eta=0.1, lipschitz=1.0, scale_factor=scale_factor)


def test_truncation_is_a_hausdorff_distance():
    """Every cell of a deep hierarchy lies within the bound of some cell of its prefix, and the prefix lies in it."""
    cells = smooth_cells(7)
    bound = np.linalg.norm(cells.residual, axis=1).max()
    first, second = np.arange(len(cells)), np.arange(len(cells))
    for depth in range(7):
        while (cells.level[second] > depth).any():
            second = np.where(cells.level[second] > depth, cells.parent[second], second)
        allowed = truncation_bound(depth, residual_bound=bound, scale_factor=0.5)
        assert path_distances(cells, first, second).max() <= allowed
        second = first.copy()


LIPSCHITZ = 0.1 * 2 * np.linalg.norm(np.array([[2.0, 1.0], [-1.0, 3.0]]), 2)  # of smooth_rule, generously


def crooked_rule(frontier, *, size):
    """``smooth_rule`` with an error of at most ``size``, that depends on the center: Lipschitz with twice the size more."""
    wave = np.stack([np.cos(frontier.center.sum(axis=1)), np.sin(frontier.center[:, 0] - frontier.center[:, 1])], axis=1)
    return smooth_rule(frontier) + size / np.sqrt(2) * wave[:, None, :]


@pytest.mark.parametrize("from_depth", [0, 1, 3])
@pytest.mark.parametrize("size", [1e-3, 0.05])
@pytest.mark.parametrize("side", ["generator", "predictor"])
def test_certificate_bounds_a_rollout(from_depth, size, side):
    true, depth = smooth_cells(7), 7
    predicted = grow(true.prefix(from_depth), rule=lambda f: crooked_rule(f, size=size), arity=4, scale_factor=0.5, depth=depth)
    errors = np.linalg.norm(predicted.center - true.center, axis=1)
    lipschitz = LIPSCHITZ if side == "generator" else LIPSCHITZ + 2 * size
    bound = Certificate(eta=size, lipschitz=lipschitz, scale_factor=0.5, from_depth=from_depth)
    by_level = bound.by_level(depth)
    measured = np.array([errors[true.level_rows(level)].max() for level in range(depth + 1)])
    assert (measured <= by_level + 1e-15).all()
    assert by_level[-1] <= bound.from_prefix <= bound.from_root
    assert measured[-1] > 0.01 * size
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, len(true), (2, 20_000))
    distortion = np.abs(path_distances(predicted, first, second) - path_distances(true, first, second))
    assert distortion.max() <= bound.path_distance


@given(st.floats(0, 10), st.floats(0, 20), FACTORS, st.integers(0, 6), SIZES)
def test_certificate_formulas(eta, lipschitz, scale_factor, from_depth, root_scale):
    """The closed forms bound the recursion at every depth, and the recursion is what it says."""
    bound = Certificate(eta=eta, lipschitz=lipschitz, scale_factor=scale_factor, from_depth=from_depth, root_scale=root_scale)
    error = 0.0
    by_level = bound.by_level(from_depth + 30)
    for level in range(from_depth + 30):
        assert by_level[level] == pytest.approx(error, rel=1e-9)
        if level >= from_depth:
            step = root_scale * scale_factor**level
            error = (1 + step * lipschitz) * error + step * eta
    least = np.finfo(float).tiny  # numbers below it have fewer digits
    assert by_level.max() <= bound.from_prefix * (1 + 1e-9) + least
    assert bound.from_prefix <= bound.from_root * (1 + 1e-9) + least


@given(st.floats(1e-9, 1e3), st.floats(0, 20), st.floats(0.1, 10), FACTORS, st.integers(0, 5))
def test_root_scale_multiplies_eta_and_lipschitz(eta, lipschitz, root_scale, scale_factor, from_depth):
    scaled = Certificate(eta=eta, lipschitz=lipschitz, scale_factor=scale_factor, from_depth=from_depth, root_scale=root_scale)
    plain = Certificate(
        eta=eta * root_scale, lipschitz=lipschitz * root_scale, scale_factor=scale_factor, from_depth=from_depth
    )
    assert scaled.from_root == pytest.approx(plain.from_root)
    assert scaled.from_prefix == pytest.approx(plain.from_prefix)
    assert scaled.path_distance == pytest.approx(plain.path_distance)
    np.testing.assert_allclose(scaled.by_level(12), plain.by_level(12), rtol=1e-9)


def test_a_perfect_rule_has_no_error_whatever_its_constant():
    bound = Certificate(eta=0.0, lipschitz=1e300, scale_factor=0.9)
    assert (bound.from_root, bound.from_prefix, bound.path_distance, bound.by_level(5).tolist()) == (0, 0, 0, [0.0] * 6)


def test_a_bound_beyond_all_numbers_is_infinite():
    assert Certificate(eta=1e-3, lipschitz=1e6, scale_factor=0.5).from_root == math.inf


@pytest.mark.parametrize("wrong", [{"eta": -1.0}, {"eta": math.nan}, {"lipschitz": -1.0}, {"from_depth": -1}])
def test_certificate_refuses(wrong):
    with pytest.raises(InputError, match="not negative"):
        Certificate(**{"eta": 0.1, "lipschitz": 1.0, "scale_factor": 0.5, **wrong})


@pytest.mark.parametrize("scale_factor", [0.3, 0.6, 0.8])
def test_recurrence_bound(scale_factor):
    """Rotations are a stable recurrence; each step errs by e, in the direction that hurts most of many tried."""
    rng, error = np.random.default_rng(3), 1e-3
    turns = np.array([[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in (0.4, -1.1, 2.5)])
    start = rng.normal(size=(3, 2))

    def rule(frontier, *, kick):
        parents = frontier.parent_tuple
        exact = np.where(frontier.level[:, None, None] > 0, np.einsum("cij,ckj->cki", turns[frontier.slot], parents), start)
        return exact + kick * (frontier.level[:, None, None] > 0)

    def grown(kick):
        root = Cells.from_root(np.zeros(2))
        return grow(root, rule=lambda f: rule(f, kick=kick), arity=3, scale_factor=scale_factor, depth=8)

    true = grown(np.zeros(2))
    for angle in np.linspace(0, 2 * np.pi, 8):
        bent = grown(error * np.array([np.cos(angle), np.sin(angle)]))
        apart = np.linalg.norm(bent.center - true.center, axis=1).max()
        assert 0.1 * error < apart <= recurrence_bound(error, scale_factor=scale_factor)
