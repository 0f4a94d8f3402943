"""The synthetic generators: what they promise (R, delta, Lambda) against what their cells show."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cfgraph.sources
from cfgraph.errors import InputError
from cfgraph.model.cells import EXPANDED, FRONTIER
from cfgraph.sources.cfg import cfg, rule_of

FIELDS = st.fixed_dictionaries(
    {
        "arity": st.integers(1, 7),
        "dimension": st.integers(1, 6),
        "scale_factor": st.floats(0.05, 0.95),
        "rule": st.sampled_from(["smooth", "constant"]),
        "separation": st.floats(0.01, 100),
        "seed": st.integers(0, 2**40),
    }
)


def pairwise_distances(residuals):
    return [np.linalg.norm(a - b) for i, a in enumerate(residuals) for b in residuals[i + 1 :]]


@settings(max_examples=60, deadline=None)
@given(FIELDS)
def test_bound_and_separation_hold_in_every_tuple(field):
    hierarchy = cfg(id="it", depth=2, **field)
    tuples = hierarchy.cells.expansions(hierarchy.arity)[1]
    assert len(tuples) == 1 + hierarchy.arity
    assert max(np.linalg.norm(residual) for family in tuples for residual in family) <= hierarchy.residual_bound
    distances = [distance for family in tuples for distance in pairwise_distances(family)]
    if field["arity"] == 1:
        assert hierarchy.separation is None
    else:
        assert min(distances) >= hierarchy.separation * (1 - 1e-12) > 0


@settings(max_examples=60, deadline=None)
@given(FIELDS, st.integers(0, 1000))
def test_lipschitz_constant_bounds_the_rule_slot_by_slot(field, seed):
    rule = rule_of(cfg(id="it", depth=0, **field).recipe)
    random = np.random.default_rng(seed)
    reach = rule.residual_bound / (1 - field["scale_factor"])
    first = random.normal(size=(200, field["dimension"])) * reach
    second = first + random.normal(size=first.shape) * reach * 10.0 ** random.uniform(-6, 0, size=(200, 1))
    change = np.linalg.norm(rule.tuples_at(first) - rule.tuples_at(second), axis=2).max(axis=1)
    distance = np.linalg.norm(first - second, axis=1)
    assert (change <= rule.lipschitz * distance + 1e-12 * rule.residual_bound).all()


def test_lipschitz_constant_is_reached_and_not_merely_a_bound():
    rule = rule_of(cfg(id="it", depth=0, dimension=1).recipe)
    x = np.linspace(-5, 5, 20001)[:, None]
    slope = np.abs(np.diff(rule.tuples_at(x)[:, 0, 0]) / np.diff(x[:, 0]))
    assert slope.max() == pytest.approx(rule.lipschitz, rel=1e-3)


@settings(max_examples=30, deadline=None)
@given(FIELDS)
def test_cells_are_complete_and_follow_the_rule(field):
    hierarchy = cfg(id="it", depth=3, **field)
    cells, arity = hierarchy.cells, field["arity"]
    assert len(cells) == sum(arity**level for level in range(4))
    assert (cells.state == np.where(cells.level == 3, FRONTIER, EXPANDED)).all()
    assert not cells.predicted.any()
    assert cells.scale == pytest.approx(field["scale_factor"] ** cells.level.astype(float))
    parents, tuples = cells.expansions(arity)
    again = rule_of(json.loads(json.dumps(hierarchy.recipe)))
    assert again.tuples_at(cells.center[parents]).tobytes() == tuples.tobytes()
    placed = cells.center[parents][:, None] + cells.scale[parents][:, None, None] * tuples
    assert placed.reshape(-1, cells.dimension) == pytest.approx(cells.center[1:], rel=1e-12, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(FIELDS, st.integers(1, 40), st.integers(0, 1000))
def test_a_row_has_the_same_bits_in_every_batch(field, size, seed):
    rule = rule_of(cfg(id="it", depth=0, **field).recipe)
    centers = np.random.default_rng(seed).normal(size=(97, field["dimension"]))
    whole = rule.tuples_at(centers)
    parts = [rule.tuples_at(centers[low : low + size]) for low in range(0, 97, size)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_constant_rule_has_base_tuples_of_the_separation_asked_for():
    hierarchy = cfg(id="it", depth=4, rule="constant", arity=5, dimension=3, separation=0.7, seed=3)
    tuples = hierarchy.cells.expansions(5)[1]
    assert (tuples == tuples[0]).all()
    assert min(pairwise_distances(tuples[0])) == pytest.approx(0.7)
    assert hierarchy.separation == 0.7
    assert hierarchy.lipschitz == 0


def test_amplitude_and_frequency_set_delta_and_lambda():
    hierarchy = cfg(id="it", depth=1, amplitude=0.3, frequency=2.0, scale_factor=0.25, dimension=4)
    assert hierarchy.separation == pytest.approx(1 - 2 * 0.3)
    assert hierarchy.lipschitz == pytest.approx(0.3 * 2.0 * 0.75 / hierarchy.residual_bound / np.sqrt(4))


def test_seed_decides_and_nothing_else():
    first, again, other = (cfg(id="it", depth=3, seed=seed) for seed in (1, 1, 2))
    assert first.cells.center.tobytes() == again.cells.center.tobytes()
    assert first.recipe_digest == again.recipe_digest != other.recipe_digest
    assert not np.allclose(first.cells.center, other.cells.center)


def test_many_children_fit_on_a_line():
    hierarchy = cfg(id="it", depth=1, arity=50, dimension=1, rule="constant")
    children = np.sort(hierarchy.cells.center[1:, 0])
    assert np.diff(children).min() == pytest.approx(1.0)


def test_source_module_is_callable():
    assert cfgraph.sources.cfg(id="it", depth=1).recipe == cfg(id="it", depth=1).recipe


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"depth": -1}, "at least 0 as depth, got -1"),
        ({"depth": 40}, "about 10\\^24 cells"),
        ({"depth": 10**9, "arity": 1}, "1,000,000,000 cells"),
        ({"depth": 4500, "arity": 1}, "index holds 8000"),
        ({"arity": 0}, "arity, got 0"),
        ({"arity": 5000}, "between 1 and 4096 as arity"),
        ({"dimension": 0}, "dimension, got 0"),
        ({"scale_factor": 1.0}, "below 1, got 1.0"),
        ({"scale_factor": 0.0}, "above 0 and below 1"),
        ({"scale_factor": float("nan")}, "finite number as scale factor"),
        ({"separation": 0.0}, "separation above 0"),
        ({"separation": float("inf")}, "finite number as separation"),
        ({"amplitude": 0.5}, "below half the separation 1.0"),
        ({"amplitude": -0.1}, "at least 0 and below half"),
        ({"amplitude": float("nan")}, "finite number as amplitude"),
        ({"rule": "constant", "amplitude": 0.1}, "constant rule has no amplitude"),
        ({"rule": "rough"}, "smooth, constant, got 'rough'"),
        ({"frequency": float("nan")}, "finite number as frequency"),
        ({"seed": -1}, "seed, got -1"),
        ({"id": "a/b"}, "no '/'"),
        ({"id": ""}, "empty"),
    ],
)
def test_bad_arguments_are_refused_with_the_reason(arguments, told):
    with pytest.raises(InputError, match=told):
        cfg(**{"id": "it", "depth": 2, **arguments})


def test_rule_of_another_source_is_refused():
    with pytest.raises(InputError, match="source 'ifs'"):
        rule_of({"source": "ifs"})
