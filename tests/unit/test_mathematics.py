"""The statements of docs/mathematics.md that no single function computes, checked with numbers, section by section."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cfgraph.formats.maps import AffineMaps
from cfgraph.metric.locate import locate, nearest
from cfgraph.model.cells import LEAF
from cfgraph.model.growth import clip_residuals, observe
from cfgraph.predictors import fit_predictor
from cfgraph.sources import ifs
from tests.trees import build_cells, smooth_cells

SEEDS = st.integers(0, 2**32 - 1)


def random_maps(rng, *, arity: int, dimension: int) -> AffineMaps:
    """Maps whose matrices have norms between 0.2 and 0.6, with offsets of size 1."""
    matrix = rng.normal(size=(arity, dimension, dimension))
    matrix *= (rng.uniform(0.2, 0.6, arity) / np.linalg.norm(matrix, ord=2, axis=(1, 2)))[:, None, None]
    return AffineMaps(name="random", matrix=matrix, offset=rng.normal(size=(arity, dimension)))


def tuples_by_address(system: AffineMaps, center, *, scale_factor: float, depth: int) -> dict[tuple[int, ...], np.ndarray]:
    """``U A_w^t / s^|w|`` for every w, each composed on its own."""
    displacement = np.einsum("kij,j->ki", system.matrix, center) + system.offset - center
    found, level = {}, [((), np.eye(len(center)))]
    for length in range(depth):
        for way, composed in level:
            found[way] = displacement @ composed.T / scale_factor**length
        level = [((*way, k), composed @ matrix) for way, composed in level for k, matrix in enumerate(system.matrix)]
    return found


# ---------------------------------------------------------------- an iterated function system as a hierarchy


@given(SEEDS, st.integers(1, 4), st.integers(1, 3))
def test_centers_are_images_of_the_root_center(seed, arity, dimension):
    system = random_maps(np.random.default_rng(seed), arity=arity, dimension=dimension)
    cells = ifs(id="random", maps=system, depth=4).cells
    for address, center in zip(cells.addresses, cells.center, strict=True):
        image = cells.center[0]
        for slot in reversed([int(slot) for slot in address.split("/")[1:] if slot]):  # the new map is applied first
            image = system.matrix[slot] @ image + system.offset[slot]
        np.testing.assert_allclose(center, image, rtol=0, atol=1e-12)


@given(SEEDS, st.integers(1, 4), st.integers(1, 3))
def test_tuples_are_compositions_and_bounded(seed, arity, dimension):
    system = random_maps(np.random.default_rng(seed), arity=arity, dimension=dimension)
    hierarchy = ifs(id="random", maps=system, depth=4)
    rows, tuples = hierarchy.cells.expansions(arity)
    expected = tuples_by_address(system, hierarchy.cells.center[0], scale_factor=hierarchy.scale_factor, depth=4)
    for row, found in zip(rows, tuples, strict=True):
        way = tuple(int(slot) for slot in hierarchy.cells.addresses[row].split("/")[1:] if slot)
        np.testing.assert_allclose(found, expected[way], rtol=0, atol=1e-11)
    longest = np.linalg.norm(tuples[0], axis=1).max()
    assert np.linalg.norm(tuples, axis=2).max() <= longest * (1 + 1e-9)


@given(SEEDS, st.integers(1, 3))
def test_the_mean_of_the_images_of_two_maps_never_spans_a_plane(seed, dimension):
    """Where x0 is the mean of its own images the displacements sum to zero: K of them span at most K - 1 dimensions."""
    system = random_maps(np.random.default_rng(seed), arity=2, dimension=dimension + 1)
    center = np.linalg.solve(np.eye(dimension + 1) - system.matrix.mean(axis=0), system.offset.mean(axis=0))
    displacement = np.einsum("kij,j->ki", system.matrix, center) + system.offset - center
    np.testing.assert_allclose(displacement.sum(axis=0), 0, atol=1e-12)
    assert np.linalg.matrix_rank(displacement, tol=1e-9) <= 1


def test_separation_without_similarities():
    """Similarities are enough for a positive separation, and not needed: here the first axis keeps the children apart."""
    system = AffineMaps(name="flat", matrix=np.array([np.diag([0.4, 0.2])] * 2), offset=np.array([[0.0, 0.0], [1.0, 1.0]]))
    apart = ifs(id="flat", maps=system, depth=8).separation_by_level
    assert min(apart) >= 0.999 * abs(system.offset[1, 0] - system.offset[0, 0])


def test_the_greedy_descent_is_not_the_nearest_cell_even_where_centers_are_apart():
    """delta = 0.5, R = 1 and s = 0.19 < delta / (delta + 2 R) = 0.2; and yet the nearest deep cell is not where x belongs."""
    rows = [(-1, -1), (0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    residual = [[0.0], [0.5], [1.0], [-1.0], [-0.5], [-1.0], [-0.5]]
    cells = build_cells(rows, residual=residual, ends=[LEAF] * len(rows), scale_factor=0.19)
    x = np.array([[0.749]])
    assert [cells.addresses[row] for row in locate(cells, cells.center[3:])] == cells.addresses[3:]
    assert cells.addresses[locate(cells, x)[0]] == "/0/1"
    assert cells.addresses[nearest(cells, x)[0]] == "/1/0"
    assert abs(0.749 - cells.center[cells.row("/1/0")][0]) < 0.2 < abs(0.749 - cells.center[cells.row("/0/1")][0])


# ---------------------------------------------------------------- the recurrence


@given(SEEDS, st.integers(1, 4), st.integers(1, 3), st.integers(0, 3))
def test_a_recurrence_exists_where_the_span_of_the_displacements_is_invariant(seed, arity, dimension, extra):
    """With ``alpha_j = U A_j^t U^+ / s``: exact at every cell if A_j V lies in V, and at no choice of alpha_j otherwise."""
    rng = np.random.default_rng(seed)
    system = random_maps(rng, arity=arity, dimension=dimension)
    if extra and dimension > 1:  # make V = the first axes invariant, or not, by blocks of zeros
        system.matrix[:, 1:, :1] *= extra - 1
        system.offset[:, 1:] = 0.0
    center = np.zeros(dimension)
    scale_factor = system.norms.max()
    tuples = tuples_by_address(system, center, scale_factor=scale_factor, depth=3)
    root = tuples[()]
    values = np.linalg.svd(root, compute_uv=False)
    assume(values[0] > 1e-3 and all(value > 1e-3 * values[0] or value < 1e-12 * values[0] for value in values))
    inverse = np.linalg.pinv(root, rcond=1e-10)
    projector = inverse @ root  # on V, the span of the displacements
    invariant = all(np.abs((np.eye(dimension) - projector) @ matrix @ projector).max() < 1e-10 for matrix in system.matrix)
    alpha = [tuples[(j,)] @ inverse for j in range(arity)]
    misses = [np.abs(alpha[way[-1]] @ tuples[way[:-1]] - tuples[way]).max() for way in tuples if way]
    if invariant:
        assert max(misses) < 1e-9
        for j, matrix in enumerate(system.matrix):
            np.testing.assert_allclose(scale_factor * (inverse @ alpha[j] @ root).T, matrix @ projector, atol=1e-9)
    else:  # alpha_j above is the best one for the first step, and even there it misses
        assert max(np.abs(alpha[j] @ root - tuples[(j,)]).max() for j in range(arity)) > 1e-10


def test_the_case_where_it_is_not_invariant_is_met():
    """One map of a plane turns the only displacement out of its line: no recurrence of tuples, as the theorem says."""
    turn = 0.5 * np.array([[0.0, -1.0], [1.0, 0.0]])
    system = AffineMaps(name="turn", matrix=turn[None], offset=np.array([[1.0, 0.0]]))
    tuples = tuples_by_address(system, np.zeros(2), scale_factor=0.5, depth=2)
    best = tuples[(0,)] @ np.linalg.pinv(tuples[()])
    assert np.abs(best @ tuples[()] - tuples[(0,)]).max() == pytest.approx(1.0)


@given(SEEDS, st.integers(2, 4), st.integers(1, 3))
def test_the_recovered_maps_are_the_maps_on_the_span(seed, arity, dimension):
    assume(arity > dimension)
    system = random_maps(np.random.default_rng(seed), arity=arity, dimension=dimension)
    hierarchy = ifs(id="random", maps=system, depth=2)
    frontier, tuples = observe(hierarchy.cells, arity=arity)
    values = np.linalg.svd(tuples[0], compute_uv=False)
    assume(values[-1] > 1e-2 * values[0])
    field = {"scale_factor": hierarchy.scale_factor, "residual_bound": hierarchy.residual_bound}
    matrix, offset = fit_predictor("recurrence", observed=frontier, tuples=tuples, **field, seed=0).maps()
    np.testing.assert_allclose(matrix, system.matrix, rtol=0, atol=1e-9)
    np.testing.assert_allclose(offset, system.offset, rtol=0, atol=1e-8)


@given(SEEDS, st.integers(2, 5), st.integers(1, 3))
def test_two_levels_pass_the_span_test_where_an_affine_system_has_them(seed, arity, dimension):
    """``(I - U U^+) T_j = 0`` says that ``T_j = U M_j``: the tuples of the affine system with the matrices ``s M_j^t``."""
    rng = np.random.default_rng(seed)
    root, matrix = rng.normal(size=(arity, dimension)), rng.normal(size=(arity, dimension, dimension))
    inverse = np.linalg.pinv(root)
    outside = np.eye(arity) - root @ inverse
    affine = root @ matrix.transpose(0, 2, 1)
    assert np.abs(outside @ affine).max() < 1e-9 * (1 + np.abs(affine).max()) * np.linalg.cond(root)
    any_tuples = rng.normal(size=(arity, arity, dimension))
    if arity > dimension:
        assert np.abs(outside @ any_tuples).max() > 1e-6
    else:  # no slots to spare: everything passes, and the test says nothing
        assert np.abs(outside @ any_tuples).max() < 1e-9 * np.linalg.cond(root) * 10


@given(SEEDS, st.integers(2, 4))
def test_on_two_levels_a_recurrence_fits_anything(seed, arity):
    """With rank U = d every tuple is some ``alpha_j U``: an error in the sample of zero says nothing."""
    rng = np.random.default_rng(seed)
    root, child = rng.normal(size=(arity, 2)), rng.normal(size=(arity, 2))
    alpha = child @ np.linalg.pinv(root)
    np.testing.assert_allclose(alpha @ root, child, atol=1e-9 * np.linalg.cond(root))


@pytest.mark.parametrize(("name", "largest", "cost"), [("koch", 3.05, 0.03), ("dragon", 4.24, 0.15)])
def test_the_norm_of_alpha_is_no_growth(name, largest, cost):
    """An exact curve has growth 1 and ``norm2(alpha_j)`` far above; clipping that norm spoils what was exact."""
    cells = ifs(id=name, maps=name, depth=6).cells
    arity, scale_factor = int(cells.child_count[0]), float(cells.scale[1])
    rows, tuples = cells.expansions(arity)
    root, inverse = tuples[0], np.linalg.pinv(tuples[0])
    alpha = tuples[1 : 1 + arity] @ inverse
    assert np.linalg.norm(inverse @ alpha @ root, ord=2, axis=(1, 2)).max() == pytest.approx(1.0, abs=1e-12)
    norms = np.linalg.norm(alpha, ord=2, axis=(1, 2))
    assert norms.max() == pytest.approx(largest, abs=0.01)
    center, predicted = cells.center.copy(), tuples.copy()
    clipped = alpha / np.maximum(norms, 1.0)[:, None, None]
    for index, row in enumerate(rows):
        if cells.level[row] >= 2:
            predicted[index] = clipped[cells.slot[row]] @ predicted[np.searchsorted(rows, cells.parent[row])]
        first = cells.first_child[row]
        center[first : first + arity] = center[row] + scale_factor ** cells.level[row] * predicted[index]
    apart = np.linalg.norm(center - cells.center, axis=1).max() / np.linalg.norm(np.ptp(cells.center, axis=0))
    assert apart > cost


# ---------------------------------------------------------------- rules of the center alone


def test_no_continuous_rule_of_the_center_alone_turns():
    """The centers of /1, /1/1, ... of a Koch curve converge to a fixed point, and their tuples turn by 60 degrees for ever."""
    cells = ifs(id="koch", maps="koch", depth=9).cells
    ways = cells.rows(["/" + "/".join("1" * length) for length in range(1, 9)])
    rows, tuples = cells.expansions(4)
    found = tuples[np.searchsorted(rows, ways)]
    steps = np.linalg.norm(np.diff(cells.center[ways], axis=0), axis=1)
    turns = np.linalg.norm(np.diff(found, axis=0), axis=(1, 2)) / np.linalg.norm(found[0])
    np.testing.assert_allclose(steps[1:], steps[:-1] / 3)
    np.testing.assert_allclose(turns, 1.0, atol=1e-9)  # a chord of 60 degrees


def test_a_relu_network_with_a_unit_a_parent_goes_through_a_finite_window():
    """Along a line on which all N centers differ: N - 1 units, one a kink, and the tuples are met exactly."""
    frontier, tuples = observe(smooth_cells(4), arity=4)
    along = frontier.center @ np.random.default_rng(0).normal(size=2)
    order = np.argsort(along)
    knots, values = along[order], tuples[order].reshape(len(tuples), -1)
    slopes = np.diff(values, axis=0) / np.diff(knots)[:, None]
    weight = np.diff(slopes, axis=0, prepend=np.zeros((1, values.shape[1])))  # of N - 1 units
    hidden = np.maximum(along[:, None] - knots[None, :-1], 0.0)
    assert hidden.shape[1] == len(tuples) - 1
    np.testing.assert_allclose(values[0] + hidden @ weight, tuples.reshape(len(tuples), -1), rtol=0, atol=1e-6)


@given(SEEDS, st.floats(0.1, 3))
def test_clipping_to_the_bound_never_adds_to_the_error(seed, bound):
    """It is the projection on a ball that holds the true residual, and projections on convex sets do not spread."""
    rng = np.random.default_rng(seed)
    true = clip_residuals(rng.normal(size=(20, 3, 2)), residual_bound=bound)
    guess = rng.normal(size=(20, 3, 2)) * 3
    before = np.linalg.norm(guess - true, axis=2)
    after = np.linalg.norm(clip_residuals(guess, residual_bound=bound) - true, axis=2)
    assert (after <= before + 1e-8 * bound).all()
