"""Predictors against slow obvious versions: what each family learns, answers, and survives being saved."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load as safetensors_load
from safetensors.numpy import save as safetensors_save

from cfgraph.errors import InputError
from cfgraph.formats.maps import AffineMaps
from cfgraph.model.cells import Cells
from cfgraph.model.growth import Frontier, clip_residuals, frontier_of, grow, observe
from cfgraph.predictors import (
    BESIDE,
    FAMILIES,
    NETWORKS,
    NetworkOptions,
    dump_predictor,
    fit_predictor,
    load_predictor,
)
from cfgraph.predictors.baselines import Nearest, _leave_one_out
from cfgraph.sources.ifs import ifs
from tests.grown import grown_hierarchy
from tests.trees import smooth_cells, smooth_rule

QUICK = NetworkOptions(width=8, hidden=2, steps=60, polish=20)
SEEDS = st.integers(0, 10**6)


def fit(family, cells, *, arity=None, bound=10.0, scale_factor=0.5, **options):
    """A predictor of a family that learned from all of some cells."""
    observed, tuples = observe(cells, arity=arity or int(cells.child_count[0]))
    return fit_predictor(family, observed=observed, tuples=tuples, scale_factor=scale_factor, residual_bound=bound, **options)


def random_observation(rng, *, parents=12, arity=3, dimension=2):
    """Cells of level 1 in random families, with random tuples of their own: nothing can fit them exactly."""
    families = rng.normal(size=(4, arity, dimension))
    family, slot = rng.integers(0, 4, size=parents), rng.integers(0, arity, size=parents).astype(np.int32)
    observed = Frontier(
        center=rng.normal(size=(parents, dimension)),
        scale=np.ones(parents),
        root_distance=np.zeros(parents),
        length=np.zeros(parents),
        level=np.ones(parents, dtype=np.int32),
        slot=slot,
        tuples=families,
        family=family,
    )
    return observed, rng.normal(size=(parents, arity, dimension))


def random_maps(rng, *, arity, dimension, low=0.1, high=0.8):
    """Maps that contract, with displacements that span the space."""
    matrix = rng.normal(size=(arity, dimension, dimension))
    norms = np.linalg.norm(matrix, ord=2, axis=(1, 2))
    matrix *= (rng.uniform(low, high, size=arity) / norms)[:, None, None]
    return AffineMaps("random", matrix, rng.normal(size=(arity, dimension)))


def unseen_frontier(cells):
    return frontier_of(cells, np.arange(len(cells)), arity=4)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_predictor_answers_the_same_bits(family):
    if family in NETWORKS:
        pytest.importorskip("torch")
    cells = smooth_cells(3)
    predictor = fit(family, cells, options=QUICK)
    weights, config = dump_predictor(predictor)
    again = load_predictor(weights, json.loads(json.dumps(config)))
    assert type(again) is type(predictor)
    frontier = unseen_frontier(smooth_cells(4))
    np.testing.assert_array_equal(again.predict(frontier), predictor.predict(frontier))
    assert again.lipschitz() == predictor.lipschitz()
    assert again.config() == predictor.config()
    json.dumps(again.describe(), allow_nan=False)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_call_gives_the_same_predictor(family):
    if family in NETWORKS:
        torch = pytest.importorskip("torch")
        torch.manual_seed(1)  # the caller's own randomness is none of ours
    first = dump_predictor(fit(family, smooth_cells(3), options=QUICK, seed=3))
    if family in NETWORKS:
        torch.manual_seed(2)
        torch.set_num_threads(2)
    assert dump_predictor(fit(family, smooth_cells(3), options=QUICK, seed=3)) == first
    if family in NETWORKS:
        assert torch.get_num_threads() == 2
        assert dump_predictor(fit(family, smooth_cells(3), options=QUICK, seed=4)) != first


@pytest.mark.parametrize("family", FAMILIES)
def test_no_residual_is_longer_than_the_bound(family):
    if family in NETWORKS:
        pytest.importorskip("torch")
    cells = smooth_cells(3)
    frontier = unseen_frontier(smooth_cells(4))
    clipped = fit(family, cells, bound=0.3, options=QUICK).predict(frontier)
    free = fit(family, cells, bound=10.0, options=QUICK).predict(frontier)
    assert np.linalg.norm(clipped, axis=2).max() <= 0.3 * (1 + 1e-9)
    np.testing.assert_array_equal(clipped, clip_residuals(free, residual_bound=0.3))


@pytest.mark.parametrize("family", FAMILIES)
def test_roots_empty_frontiers_and_other_shapes(family):
    if family in NETWORKS:
        pytest.importorskip("torch")
    predictor = fit(family, smooth_cells(3), options=QUICK)
    root = frontier_of(smooth_cells(1), np.array([0]), arity=4)
    answer = predictor.predict(root)
    assert answer.shape == (1, 4, 2)
    if family in ("zero", "parent", "scaled-parent", "recurrence"):
        assert not answer.any()
    assert predictor.predict(root.take(np.array([], dtype=int))).shape == (0, 4, 2)
    with pytest.raises(InputError, match="arity 4 and dimension 2, and got arity 3 and dimension 5"):
        predictor.predict(frontier_of(Cells.from_root(np.zeros(5)), np.array([0]), arity=3))


@given(SEEDS)
def test_zero_mean_parent(seed):
    rng = np.random.default_rng(seed)
    observed, tuples = random_observation(rng)
    made = {
        family: fit_predictor(family, observed=observed, tuples=tuples, scale_factor=0.5, residual_bound=99.0)
        for family in ("zero", "mean", "parent", "scaled-parent")
    }
    assert not made["zero"].predict(observed).any()
    np.testing.assert_allclose(made["mean"].predict(observed)[5], np.mean(list(tuples), axis=0), atol=1e-12)
    for row in range(len(observed)):
        np.testing.assert_array_equal(made["parent"].predict(observed)[row], observed.tuples[observed.family[row]])
    above = made["parent"].predict(observed).reshape(-1, 1)
    factor = np.linalg.lstsq(above, tuples.reshape(-1), rcond=None)[0][0]
    assert made["scaled-parent"].factor == pytest.approx(factor)
    np.testing.assert_allclose(made["scaled-parent"].predict(observed).reshape(-1, 1), factor * above, atol=1e-12)
    assert made["zero"].lipschitz() == made["mean"].lipschitz() == 0
    assert made["parent"].lipschitz() is None


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 2)), elements=st.integers(0, 3)),
    hnp.arrays(np.float64, st.tuples(st.integers(1, 8), st.just(2)), elements=st.sampled_from([0.0, 0.5, 1.0, 1.5, 3.0])),
)
def test_nearest_is_the_first_of_equally_near_parents(centers, asked):
    """On a grid nearly every question is a tie, of many."""
    asked = asked[:, : centers.shape[1]]
    observed, _ = random_observation(np.random.default_rng(0), parents=len(centers), dimension=centers.shape[1])
    observed = Frontier(**{**vars(observed), "center": centers})
    tuples = np.arange(len(centers) * 3 * centers.shape[1], dtype=float).reshape(len(centers), 3, -1)
    predictor = fit_predictor("nearest", observed=observed, tuples=tuples, scale_factor=0.5, residual_bound=1e9)
    frontier, _ = random_observation(np.random.default_rng(0), parents=len(asked), dimension=centers.shape[1])
    answer = predictor.predict(Frontier(**{**vars(frontier), "center": asked}))
    for row, center in enumerate(asked):
        distances = [float(((center - other) ** 2).sum()) for other in centers]
        np.testing.assert_array_equal(answer[row], tuples[distances.index(min(distances))])


@given(SEEDS, st.integers(1, 3), st.sampled_from([0.25, 1e-9]))
def test_nearest_without_a_tree_is_nearest_by_the_tree(seed, dimension, step):
    """Bit for bit, or a rollout would depend on how many cells it asks for at once; coarse steps make ties."""
    rng = np.random.default_rng(seed)
    centers, asked = (np.round(rng.normal(size=(count, dimension)) / step) * step for count in (60, 40))
    tuples = np.zeros((60, 2, dimension))
    predictor = Nearest(arity=2, dimension=dimension, residual_bound=1.0, scale_factor=0.5, centers=centers, tuples=tuples)
    assert predictor._rows(asked).tolist() == predictor._rows_by_tree(asked).tolist()


@given(SEEDS, st.integers(1, 3), st.integers(1, 3))
def test_affine_finds_an_affine_rule_and_its_lipschitz_constant(seed, arity, dimension):
    rng = np.random.default_rng(seed)
    observed, _ = random_observation(rng, parents=20, arity=arity, dimension=dimension)
    matrix, offset = rng.normal(size=(arity, dimension, dimension)), rng.normal(size=(arity, dimension))
    tuples = offset + np.einsum("kde,ce->ckd", matrix, observed.center)
    predictor = fit_predictor("affine", observed=observed, tuples=tuples, scale_factor=0.5, residual_bound=1e9)
    np.testing.assert_allclose(predictor.predict(observed), tuples, atol=1e-6)
    slopes = [np.linalg.norm(part, 2) for part in matrix]
    assert predictor.lipschitz() == pytest.approx(max(slopes), rel=1e-5)


@given(SEEDS, st.integers(2, 9), st.integers(1, 4), st.sampled_from([1e-3, 0.3, 5.0]))
def test_leave_one_out_error_is_that_of_leaving_one_out(seed, parents, dimension, penalty):
    rng = np.random.default_rng(seed)
    center, target = rng.normal(size=(parents, dimension)), rng.normal(size=(parents, 2))
    left, values, _ = np.linalg.svd(center - center.mean(axis=0), full_matrices=False)
    kept = values > 1e-12 * values[0]
    fast = _leave_one_out(left[:, kept], values[kept], target - target.mean(axis=0), penalty=penalty)
    slow = 0.0
    for row in range(parents):
        rest = np.arange(parents) != row
        # the offset is not penalised: columns for it and for the coordinates, around the mean of all rows
        columns = np.column_stack([np.ones(parents), center - center.mean(axis=0)])
        normal = columns[rest].T @ columns[rest] + penalty * np.diag([0.0, *[1.0] * dimension])
        slow += float(((columns[row] @ np.linalg.solve(normal, columns[rest].T @ target[rest]) - target[row]) ** 2).sum())
    assert fast == pytest.approx(slow, rel=1e-6)


@given(SEEDS, st.integers(1, 4), st.integers(1, 3))
def test_recurrence_is_the_least_squares_solution(seed, arity, dimension):
    """On noise: ``alpha_j = (sum T_wj T_w^t) (sum T_w T_w^t)^+``, rescaled where it would stretch the root's tuple."""
    rng = np.random.default_rng(seed)
    hierarchy = grown_hierarchy("it", arity=arity, dimension=dimension, depth=2, seed=seed)
    observed, tuples = observe(hierarchy.cells, arity=arity)
    tuples = tuples + 0.1 * rng.normal(size=tuples.shape)
    noisy = Frontier(**{**vars(observed), "tuples": np.concatenate([observed.tuples[:1], tuples[:1]])})
    predictor = fit_predictor("recurrence", observed=noisy, tuples=tuples, scale_factor=0.4, residual_bound=1e9)
    pseudo_inverse = np.linalg.pinv(tuples[0])
    for slot in range(arity):
        above, own = tuples[0], tuples[1 + slot]
        alpha = own @ above.T @ np.linalg.pinv(above @ above.T, rcond=1e-12, hermitian=True)
        growth = np.linalg.norm(pseudo_inverse @ alpha @ tuples[0], 2)
        assert (slot in predictor.rescaled) == (growth > 1 + 1e-9)
        np.testing.assert_allclose(predictor.alpha[slot], alpha / max(growth, 1), atol=1e-6 * max(1, np.abs(alpha).max()))
    turned = [np.linalg.norm(pseudo_inverse @ alpha @ tuples[0], 2) for alpha in predictor.alpha]
    assert max(turned) <= 1 + 1e-8


@given(SEEDS, st.sampled_from([(4, 2), (2, 2), (3, 3), (5, 3), (2, 1), (7, 5)]), st.integers(2, 3))
@settings(max_examples=30, deadline=None)
def test_recurrence_is_exact_for_affine_maps(seed, shape, depth):
    maps = random_maps(np.random.default_rng(seed), arity=shape[0], dimension=shape[1])
    truth = ifs(id="it", maps=maps, depth=5 if shape[0] > 4 else 7)
    predictor = fit("recurrence", truth.cells.prefix(depth), bound=truth.residual_bound, scale_factor=truth.scale_factor)
    options = {"arity": shape[0], "scale_factor": truth.scale_factor, "depth": truth.cells.depth}
    grown = grow(truth.cells.prefix(depth), rule=predictor.predict, **options)
    diameter = np.linalg.norm(np.ptp(truth.cells.center, axis=0))
    assert np.abs(grown.center - truth.cells.center).max() <= 1e-9 * diameter
    assert predictor.growth <= 1 + 1e-9
    assert predictor.rescaled == ()
    matrix, offset = predictor.maps()
    np.testing.assert_allclose(matrix, maps.matrix, atol=1e-9)
    np.testing.assert_allclose(offset, maps.offset, atol=1e-9)


@pytest.mark.parametrize("flatness", [1e-2, 1e-3, 1e-5])
def test_recurrence_stays_exact_where_the_displacements_are_nearly_flat(flatness):
    """Condition numbers up to 1e6: with alpha kept as one product the error of a rollout would be their square's."""
    rng = np.random.default_rng(7)
    for _ in range(3):
        maps = random_maps(rng, arity=4, dimension=3)
        displacement = rng.normal(size=(4, 3)) * [1, 1, flatness]
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        maps = AffineMaps("flat", turn @ maps.matrix @ turn.T, displacement @ turn.T)  # they displace the origin so
        truth = ifs(id="it", maps=maps, depth=8, root_center=[0.0, 0.0, 0.0])
        predictor = fit("recurrence", truth.cells.prefix(2), bound=truth.residual_bound, scale_factor=truth.scale_factor)
        options = {"arity": 4, "scale_factor": truth.scale_factor, "depth": 8}
        grown = grow(truth.cells.prefix(2), rule=predictor.predict, **options)
        diameter = np.linalg.norm(np.ptp(truth.cells.center, axis=0))
        assert np.abs(grown.center - truth.cells.center).max() <= 1e-9 * diameter
        np.testing.assert_allclose(predictor.maps()[0], maps.matrix, atol=1e-9)


def test_recurrence_of_maps_that_keep_a_plane():
    """Displacements of rank 2 in three dimensions: exact in the plane, and the maps come back on it."""
    rng = np.random.default_rng(3)
    plane = np.linalg.qr(rng.normal(size=(3, 2)))[0]
    inside = random_maps(rng, arity=4, dimension=2)
    lifted = AffineMaps("lifted", plane @ inside.matrix @ plane.T, inside.offset @ plane.T)
    center = plane @ inside.fixed_points.mean(axis=0)
    truth = ifs(id="it", maps=lifted, depth=7, root_center=center.tolist())
    predictor = fit("recurrence", truth.cells.prefix(2), bound=truth.residual_bound, scale_factor=truth.scale_factor)
    grown = grow(truth.cells.prefix(2), rule=predictor.predict, arity=4, scale_factor=truth.scale_factor, depth=7)
    assert np.abs(grown.center - truth.cells.center).max() <= 1e-9
    assert predictor.rank == 2
    np.testing.assert_allclose(predictor.maps()[0], lifted.matrix, atol=1e-9)


def test_an_exact_koch_curve_is_not_clipped_by_the_norm_of_alpha():
    truth = ifs(id="koch", maps="koch", depth=2)
    predictor = fit("recurrence", truth.cells, bound=truth.residual_bound, scale_factor=truth.scale_factor)
    assert max(np.linalg.norm(alpha, 2) for alpha in predictor.alpha) == pytest.approx(3.05, abs=0.01)
    assert predictor.growth == pytest.approx(1, abs=1e-9)
    assert predictor.span_residual < 1e-12


@given(SEEDS)
@settings(deadline=None)
def test_recurrence_answers_whole_families_and_single_cells_alike(seed):
    for arity, dimension in ((3, 2), (5, 9)):  # one dense product, and one product a family
        hierarchy = grown_hierarchy("it", arity=arity, dimension=dimension, depth=3, seed=seed)
        predictor = fit("recurrence", hierarchy.cells.prefix(2))
        last = hierarchy.cells.level_rows(3)
        rows = np.random.default_rng(seed).permutation(np.arange(last.start, last.stop))[:17]
        apart = frontier_of(hierarchy.cells, rows, arity=arity)
        whole = Frontier(
            **{name: getattr(hierarchy.cells, name)[last] for name in ("center", "scale", "root_distance", "length")},
            level=hierarchy.cells.level[last],
            slot=hierarchy.cells.slot[last],
            tuples=hierarchy.cells.residual[last].reshape(-1, arity, dimension),
        )
        answer = predictor.predict(whole)
        np.testing.assert_allclose(predictor.predict(apart), answer[rows - last.start], atol=1e-12)
        slow = np.array([predictor.alpha[slot] @ above for slot, above in zip(whole.slot, whole.parent_tuple, strict=True)])
        np.testing.assert_allclose(answer, slow, atol=1e-12)


def test_recurrence_on_noisy_data_takes_a_ridge():
    rng = np.random.default_rng(0)
    hierarchy = grown_hierarchy("it", arity=4, dimension=2, depth=5, seed=1)
    cells = hierarchy.cells
    exact = fit("recurrence", cells.prefix(4))
    noisy = fit(
        "recurrence", cells.with_columns(residual=cells.residual + 0.3 * rng.normal(size=cells.residual.shape)).prefix(4)
    )
    assert exact.ridge == 0
    assert exact.fit < 1e-12
    assert noisy.ridge > 0
    assert noisy.fit > 0.01


def test_recurrence_needs_pairs_and_the_root():
    with pytest.raises(InputError, match="depth 2 or more"):
        fit("recurrence", smooth_cells(1))
    observed, tuples = observe(smooth_cells(2), arity=4)
    below = observed.take(np.arange(1, len(tuples)))
    with pytest.raises(InputError, match="the root"):
        fit_predictor("recurrence", observed=below, tuples=tuples[1:], scale_factor=0.5, residual_bound=1.0)


@pytest.mark.parametrize("family", NETWORKS)
def test_networks_learn_a_smooth_rule(family):
    pytest.importorskip("torch")
    options = NetworkOptions(width=32, hidden=2, steps=300, polish=100)
    predictor, baseline = fit(family, smooth_cells(4), options=options), fit("mean", smooth_cells(4))
    frontier = unseen_frontier(smooth_cells(5))
    truth = smooth_rule(frontier)
    error, other = (float(((rule.predict(frontier) - truth) ** 2).mean()) for rule in (predictor, baseline))
    assert error < 0.05 * other


def test_networks_learn_in_batches_where_there_are_more_parents():
    pytest.importorskip("torch")
    options = NetworkOptions(width=16, hidden=2, steps=300, polish=50, batch=32)
    predictor, baseline = fit("mlp", smooth_cells(5), options=options), fit("mean", smooth_cells(5))
    frontier = unseen_frontier(smooth_cells(5))
    truth = smooth_rule(frontier)
    error, other = (float(((rule.predict(frontier) - truth) ** 2).mean()) for rule in (predictor, baseline))
    assert error < 0.05 * other


@pytest.mark.parametrize("family", NETWORKS)
def test_a_network_of_equal_tuples_is_their_mean(family):
    pytest.importorskip("torch")
    hierarchy = ifs(id="it", maps="sierpinski", depth=3)
    predictor = fit(family, hierarchy.cells, options=QUICK)
    frontier = frontier_of(hierarchy.cells, np.arange(len(hierarchy.cells)), arity=3)
    np.testing.assert_allclose(predictor.predict(frontier), np.repeat(hierarchy.cells.residual[None, 1:4], 40, 0), atol=1e-12)


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_the_lipschitz_constant_of_a_network_is_an_upper_bound(seed):
    pytest.importorskip("torch")
    predictor = _small_network()
    rng = np.random.default_rng(seed)
    observed, _ = random_observation(rng, parents=50, arity=4)
    first, second = (
        Frontier(**{**vars(observed), "center": observed.center + rng.normal(size=(50, 2)) * s}) for s in (1, 1e-3)
    )
    moved = np.linalg.norm(predictor.predict(first) - predictor.predict(second), axis=2).max(axis=1)
    steps = np.linalg.norm(first.center - second.center, axis=1)
    assert (moved <= predictor.lipschitz() * steps * (1 + 1e-9)).all()


def _small_network(made=[]):  # noqa: B006 - trained once for all examples
    if not made:
        made.append(fit("mlp", smooth_cells(4), bound=0.5, options=QUICK))
    return made[0]


def test_networks_see_flat_inputs_as_flat():
    """A coordinate that varies by rounding alone must not be blown up to the size of the others."""
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    observed, tuples = random_observation(rng, parents=30)
    center = observed.center * [1.0, 1e-15]
    flat = Frontier(**{**vars(observed), "center": center})
    predictor = fit_predictor("mlp", observed=flat, tuples=tuples, scale_factor=0.5, residual_bound=9.0, options=QUICK)
    shaken = Frontier(**{**vars(observed), "center": center + np.array([0.0, 3e-15])})
    np.testing.assert_allclose(predictor.predict(shaken), predictor.predict(flat), atol=1e-9)


def test_bad_examples_families_devices_and_options():
    observed, tuples = observe(smooth_cells(2), arity=4)
    numbers = {"scale_factor": 0.5, "residual_bound": 1.0}
    with pytest.raises(InputError, match=r"expected a family out of zero, .*'magic'"):
        fit_predictor("magic", observed=observed, tuples=tuples, **numbers)
    with pytest.raises(InputError, match="shape"):
        fit_predictor("mean", observed=observed, tuples=tuples[:2], **numbers)
    with pytest.raises(InputError, match="at least one parent"):
        fit_predictor("mean", observed=observed.take(np.array([], dtype=int)), tuples=tuples[:0], **numbers)
    with pytest.raises(InputError, match="finite"):
        fit_predictor("mean", observed=observed, tuples=tuples * np.nan, **numbers)
    for wrong in ({"width": 0}, {"steps": -1}, {"rate": 0.0}, {"decay": float("nan")}, {"batch": 0}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            NetworkOptions(**wrong)
    pytest.importorskip("torch")
    for device in ("nonsense", "cuda:99", "meta"):
        with pytest.raises(InputError, match=device):
            fit_predictor("mean", observed=observed, tuples=tuples, device=device, **numbers)
        with pytest.raises(InputError, match=device):
            load_predictor(*dump_predictor(fit("mean", smooth_cells(2))), device=device)


def test_damaged_predictors_are_refused():
    weights, config = dump_predictor(fit("mean", smooth_cells(2)))
    for damaged in (b"", b"nonsense", weights[:-3]):
        with pytest.raises(InputError, match="cannot be read"):
            load_predictor(damaged, config)
    with pytest.raises(InputError, match="cannot be read"):
        load_predictor(weights, {**config, "colour": "red"})
    with pytest.raises(InputError, match="expected a family"):
        load_predictor(weights, {})


def in_a_process(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_predictors_load_neither_torch_nor_scipy():
    code = "import sys, cfgraph.predictors; light = set(sys.modules)\nimport cfgraph.learning.train\n"
    code += "cfgraph.predictors.fit_predictor, cfgraph.predictors.NetworkOptions\n"
    code += "print([m for m in ('torch', 'scipy', 'sklearn', 'matplotlib', 'networkx') if m in sys.modules], 'numpy' in light)"
    assert in_a_process(code).stdout.strip() == "[] False"


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # what python makes of a library that is not there
from pathlib import Path
from cfgraph.errors import MissingExtraError
from cfgraph.sources.ifs import ifs
from cfgraph.learning.train import train
koch = ifs(id="koch", maps="koch", depth=4)
"""


def test_without_torch_networks_are_explained_and_left_out():
    code = (
        WITHOUT_TORCH
        + """
trained = train(koch, id="p", depth=3)
print(trained.family, sorted(trained.validation), trained.warnings)
for family, device in (("mlp", "cpu"), ("mean", "cuda")):
    try:
        train(koch, id="p", depth=3, family=family, device=device)
    except MissingExtraError as error:
        print(error)
"""
    )
    first, second, third = in_a_process(code).stdout.strip().splitlines()
    assert first.startswith(f"recurrence {sorted((*BESIDE, 'recurrence'))}")
    for line in (first, second, third):
        assert "pip install 'torch>=2.3'" in line


def test_a_network_that_was_trained_with_torch_predicts_without(tmp_path):
    pytest.importorskip("torch")
    weights, config = dump_predictor(fit("mlp-context", ifs(id="koch", maps="koch", depth=3).cells, options=QUICK))
    (tmp_path / "weights").write_bytes(weights)
    (tmp_path / "config").write_text(json.dumps(config))
    code = (
        WITHOUT_TORCH
        + f"""
import json
from cfgraph.model.growth import observe
from cfgraph.predictors import load_predictor
place = Path({str(tmp_path)!r})
predictor = load_predictor((place / "weights").read_bytes(), json.loads((place / "config").read_text()))
print(predictor.predict(observe(koch.cells, arity=4)[0]).tobytes().hex())
"""
    )
    here = load_predictor(weights, config).predict(observe(ifs(id="koch", maps="koch", depth=4).cells, arity=4)[0])
    assert in_a_process(code).stdout.strip() == here.tobytes().hex()


def dumped(family="affine"):
    observed, tuples = observe(ifs(id="koch", maps="koch", depth=3).cells, arity=4)
    return dump_predictor(fit_predictor(family, observed=observed, tuples=tuples, scale_factor=0.5, residual_bound=1e9))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in ("zero", "parent", *NETWORKS)])
def test_weights_that_are_not_finite_are_not_loaded(family, value):
    weights, config = dumped(family)
    arrays = safetensors_load(weights)
    for name in arrays:
        arrays[name].reshape(-1)[-1] = value
    if arrays:
        with pytest.raises(
            InputError, match=r"predictor cannot be read: its \w+ holds 1 numbers that are not finite; train it"
        ):
            load_predictor(safetensors_save(arrays), config)


@pytest.mark.parametrize(
    "change",
    [
        {"arity": 0},
        {"arity": {"a": 1}},
        {"dimension": [3]},
        {"scale_factor": 1.5},
        {"scale_factor": None},
        {"residual_bound": -1.0},
        {"residual_bound": float("nan")},
        {"arity": 7},
        {"dimension": 11},
        {"unknown": {"nested": []}},
    ],
)
def test_configs_that_do_not_fit_are_not_loaded(change):
    weights, config = dumped()
    with pytest.raises(InputError, match=r"the saved affine predictor cannot be read: .*; train it again"):
        load_predictor(weights, {**config, **change})


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda right: right[:, :-1], "of shape"),
        (lambda right: right.astype(np.float32), "answered with float32"),
        (lambda right: np.where(np.arange(len(right))[:, None, None] == 3, np.nan, right), "not finite for 1 of 20 cells"),
    ],
)
def test_answers_that_are_no_residuals_are_refused(monkeypatch, answer, told):
    observed, tuples = random_observation(np.random.default_rng(0), parents=20)
    predictor = fit_predictor("mean", observed=observed, tuples=tuples, scale_factor=0.5, residual_bound=1e9)
    right = predictor.predict(observed)
    monkeypatch.setattr(type(predictor), "_tuples", lambda self, frontier: answer(right))
    with pytest.raises(InputError, match=told):
        predictor.predict(observed)
