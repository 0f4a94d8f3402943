"""Fields induced by data: the rule against plain loops and its own derivative, its bounds, and the way back from its record."""

import json
import math
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cfgraph.sources
from cfgraph.comparing.compare import compare_cells
from cfgraph.errors import InputError
from cfgraph.files.arrays import check_points
from cfgraph.learning.encoders import InducedRule, Pipeline, Projection, dump_encoder, load_encoder
from cfgraph.learning.encoders import induced as rules
from cfgraph.learning.train import train
from cfgraph.model.encoder import Encoder
from cfgraph.model.growth import grow
from cfgraph.sources import induced as source_function
from cfgraph.sources.induced import induced, rule_from_data, rule_of
from cfgraph.sources.rules import Beside, find_rule

SOURCE = import_module("cfgraph.sources.induced")  # the name in the package is the function


def blobs(seed=0, *, points=200, dimension=3, shift=0.0):
    random = np.random.default_rng(seed)
    middle = random.normal(size=(5, dimension)) * 3
    return middle[random.integers(5, size=points)] + random.normal(size=(points, dimension)) + shift


def rule_from(data, **options):
    return rule_of(field := induced(id="it", data=data, depth=0, **options), encoder=field.encoder)


def plainly(rule, center):
    """The formula, as it is written."""
    x, h, tau, anchors = rule.data, rule.bandwidth, rule.temperature, rule.anchors
    w = np.array([math.exp(-sum((p - c) ** 2 for p, c in zip(point, center, strict=True)) / (2 * h * h)) for point in x])
    w /= w.sum()
    m = sum(weight * point for weight, point in zip(w, x, strict=True))
    tuples = []
    shares = [[math.exp((point - m) @ anchor / tau) for anchor in anchors] for point in x]
    shares = [[share / sum(row) for share in row] for row in shares]
    for slot in range(len(anchors)):
        joint = [weight * row[slot] for weight, row in zip(w, shares, strict=True)]
        tuples.append(sum(part * point for part, point in zip(joint, x, strict=True)) / sum(joint) - center)
    return np.array(tuples)


@pytest.mark.parametrize("shift", [0.0, 1e4])
def test_the_rule_is_the_formula(shift):
    rule = rule_from(blobs(shift=shift), arity=4, bandwidth=0.4)
    centers = rule.mean + np.random.default_rng(1).normal(size=(20, 3)) * 2
    expected = np.array([plainly(rule, center) for center in centers])
    np.testing.assert_allclose(rule.tuples_at(centers), expected, rtol=1e-9, atol=1e-9 + 1e-12 * shift)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 6), st.integers(2, 5), st.integers(0, 100))
def test_a_row_has_the_same_bits_in_every_batch(size, dimension, arity, seed):
    arity = 2 if dimension == 1 else arity
    rule = rule_from(blobs(seed, dimension=dimension, points=331), arity=arity, seed=seed)
    centers = np.random.default_rng(seed).normal(size=(97, dimension)) * 4
    whole = rule.tuples_at(centers)
    parts = [rule.tuples_at(centers[low : low + size]) for low in range(0, 97, size)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert rule.tuples_at(centers[:0]).shape == (0, arity, dimension)


def test_blocks_change_no_bit(monkeypatch):
    rule = rule_from(blobs())
    centers = np.random.default_rng(3).normal(size=(50, 3))
    whole = rule.tuples_at(centers)
    for floats in (1, 3_000):
        monkeypatch.setattr(rules, "BLOCK_FLOATS", floats)
        assert rule.tuples_at(centers).tobytes() == whole.tobytes()


@pytest.mark.parametrize("far", [1e2, 1e5, 1e12, 1e200, 1e300, 1.7e308])
@pytest.mark.parametrize(("bandwidth", "temperature"), [(0.3, 0.2), (1e-4, 1e-4), (100.0, 10.0)])
def test_far_from_all_data_there_are_numbers_still(far, bandwidth, temperature):
    rule = rule_from(blobs(), bandwidth=bandwidth, temperature=temperature)
    directions = np.vstack([np.eye(3), -np.eye(3), np.random.default_rng(0).normal(size=(20, 3)).clip(-1, 1)])
    prototypes = rule.tuples_at(directions * far) + (directions * far - rule.mean)[:, None] + rule.mean
    assert np.isfinite(prototypes).all()
    if far <= 1e5:  # further out, the prototype is lost in the center's own rounding
        assert (prototypes >= rule.data.min(axis=0) - 1e-6).all()
        assert (prototypes <= rule.data.max(axis=0) + 1e-6).all()


def test_beyond_the_ball_the_weights_are_those_on_it():
    rule = rule_from(blobs())
    direction = np.array([0.6, 0.0, 0.8])
    near, far = (rule.mean + direction * rule.reach * rules.FAR * factor for factor in (1.0, 1e3))
    prototypes = [rule.tuples_at(center[None])[0] + center for center in (near, far)]
    np.testing.assert_allclose(*prototypes, atol=1e-7)


def jacobian(rule, center):
    """``Cov_k(x) / h^2 + Cov_k(x, sum_l a_l u_l) Cov_w(x) / (tau h^2) - 1``, slot by slot: docs/mathematics.md."""
    x, h, tau = rule.data, rule.bandwidth, rule.temperature
    w = np.exp(-((x - center) ** 2).sum(axis=1) / (2 * h * h))
    w /= w.sum()
    a = np.exp((x - w @ x) @ rule.anchors.T / tau)
    a /= a.sum(axis=1, keepdims=True)

    def covariance(weight, y):
        return ((x - weight @ x) * weight[:, None]).T @ (y - weight @ y)

    slots = []
    for slot in range(len(rule.anchors)):
        joint = w * a[:, slot] / (w @ a[:, slot])
        turned = covariance(joint, a @ rule.anchors) @ covariance(w, x) / tau
        slots.append((covariance(joint, x) + turned) / h**2 - np.eye(x.shape[1]))
    return np.array(slots)


def test_the_derivative_is_that_of_the_proof():
    rule = rule_from(blobs(), bandwidth=0.5)
    for center in rule.mean + np.random.default_rng(4).normal(size=(10, 3)):
        steps = 1e-5 * np.eye(3)
        found = (rule.tuples_at(center + steps) - rule.tuples_at(center - steps)) / 2e-5
        np.testing.assert_allclose(found.transpose(1, 2, 0), jacobian(rule, center), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 4), st.floats(0.05, 2.0), st.floats(0.02, 2.0), st.floats(0.1, 0.9))
def test_bound_and_constant_hold(seed, arity, bandwidth, temperature, scale_factor):
    options = {"arity": arity, "bandwidth": bandwidth, "temperature": temperature, "scale_factor": scale_factor}
    field = induced(id="it", data=blobs(seed, dimension=2), depth=4, **options)
    rule, cells = rule_of(field, encoder=field.encoder), field.cells
    assert np.linalg.norm(cells.residual, axis=1).max() <= field.residual_bound
    assert (cells.center >= rule.data.min(axis=0) - 1e-9).all()
    assert (cells.center <= rule.data.max(axis=0) + 1e-9).all()
    random = np.random.default_rng(seed)
    first = rule.mean + random.normal(size=(100, 2)) * rule.reach
    second = first + random.normal(size=first.shape) * rule.reach * 10.0 ** random.uniform(-6, 1, size=(100, 1))
    change = np.linalg.norm(rule.tuples_at(first) - rule.tuples_at(second), axis=2).max(axis=1)
    assert (change <= field.lipschitz * np.linalg.norm(first - second, axis=1) + 1e-9 * rule.reach).all()


def test_the_field_follows_its_rule_from_the_mean():
    data = blobs()
    field = induced(id="it", data=data, depth=4)
    assert (field.arity, field.scale_factor, field.dimension, field.origin) == (4, 0.5, 3, "induced")
    rule, cells = rule_of(field, encoder=field.encoder), field.cells
    assert (cells.center[0] == data.mean(axis=0)).all()
    assert cells.scale[0] == 1.0
    assert len(cells) == sum(4**level for level in range(5))
    parents, tuples = cells.expansions(4)
    assert rule.tuples_at(cells.center[parents]).tobytes() == tuples.tobytes()
    assert len(field.separation_by_level) == 4
    assert min(field.separation_by_level) > 0
    assert rule.bandwidth == pytest.approx(0.3 * data.std(axis=0).mean() * np.sqrt(3))
    assert rule.temperature == pytest.approx(0.2 * rule.bandwidth)


def test_anchors_are_unit_vectors_in_canonical_order():
    data = blobs(dimension=2)
    anchors = rule_from(data).anchors
    np.testing.assert_allclose(np.linalg.norm(anchors, axis=1), 1.0)
    order = np.random.default_rng(0).permutation(len(data))
    np.testing.assert_allclose(rule_from(data[order]).anchors, anchors, atol=1e-9)
    line = np.concatenate([np.linspace(-2, -1, 30), np.linspace(1, 2, 30)])[:, None]
    assert rule_from(line, arity=2).anchors.tolist() == [[-1.0], [1.0]]


def test_apart_and_together_again_gives_the_same_bits():
    data = blobs(dimension=6)
    field = induced(id="it", data=data, depth=2, pca=3, sample=150)
    record = Encoder(**field.encoder.model_dump())
    assert [step["kind"] for step in json.loads(json.dumps(record.steps))] == ["projection", "induced-rule"]
    again = rule_of(field, encoder=record)
    parents, tuples = field.cells.expansions(4)
    assert again.tuples_at(field.cells.center[parents]).tobytes() == tuples.tobytes()
    assert load_encoder(record).encode(data).shape == (200, 3)
    from_data = rule_from_data(field.recipe, check_points(data, where="the array"))
    assert from_data.tuples_at(field.cells.center[parents]).tobytes() == tuples.tobytes()
    assert dump_encoder(*load_encoder(record).steps).digest == field.encoder_sha256
    same = Pipeline((again,)).encode(again.data)
    assert (same == again.data).all()


def test_the_same_arguments_give_the_same_field():
    data = blobs()
    first, again, other = (induced(id="it", data=data, depth=3, sample=100, seed=seed) for seed in (1, 1, 2))
    assert first.cells.center.tobytes() == again.cells.center.tobytes()
    assert first.recipe_digest == again.recipe_digest != other.recipe_digest
    assert first.cells.center.tobytes() != other.cells.center.tobytes()
    assert "100 of 200 points were drawn" in first.notes
    assert cfgraph.sources.induced is source_function is induced


def test_many_points_are_told(monkeypatch):
    monkeypatch.setattr(SOURCE, "MANY_POINTS", 150)
    assert any("--sample" in note for note in induced(id="it", data=blobs(), depth=0).notes)
    assert not any("--sample" in note for note in induced(id="it", data=blobs(), depth=0, sample=150).notes)


def test_data_that_are_too_many_are_known_by_their_digest(monkeypatch):
    data = blobs()
    monkeypatch.setattr(SOURCE, "WEIGHTS_BYTES_MAX", 100_000)
    field = induced(id="it", data=data, depth=3)
    assert field.encoder is None
    assert any("digest" in note for note in field.notes)
    with pytest.raises(InputError, match="not kept beside it"):
        rule_of(field, encoder=field.encoder)
    trained = train(field, id="p", depth=2, family="parent")
    report = compare_cells(field, grown(field, trained.load(), from_depth=2), trained=trained, from_depth=2)
    assert report.baselines["nearest"].certificates.reason.startswith("the data of 'it' are not kept beside it")
    assert rule_from_data(field.recipe, check_points(data, where="it")).tuples_at(field.cells.center[:1]).shape == (1, 4, 3)
    with pytest.raises(InputError, match="SHA-256"):
        rule_from_data(field.recipe, check_points(data + 1, where="it"))
    kept = induced(id="it", data=data, depth=0, pca=2).encoder
    assert [type(step) for step in load_encoder(kept).steps] == [Projection]


def grown(truth, predictor, *, from_depth):
    field = {"arity": truth.arity, "scale_factor": truth.scale_factor, "depth": truth.cells.depth}
    return grow(truth.cells.prefix(from_depth), rule=predictor.predict, **field)


@pytest.mark.parametrize("family", ["affine", "nearest", "parent"])
def test_certificates_hold_whatever_grew(family):
    truth = induced(id="it", data=blobs(dimension=2), depth=6, arity=3)
    trained = train(truth, id="p", depth=4, family=family)
    report = compare_cells(truth, grown(truth, trained.load(), from_depth=4), trained=trained, window_cells=300)
    for found in (report, *report.baselines.values()):
        assert found.certificates.side is not None
        measured = found.certificates.measured
        assert 0 < measured.lipschitz <= truth.lipschitz
        bounds = zip(found.levels, found.certificates.by_level, measured.by_level, strict=True)
        for level, proven, bound in bounds:
            assert level.rolled_out.max_center_error <= bound * (1 + 1e-12)
            assert level.rolled_out.max_center_error <= proven * (1 + 1e-12)
    last = report.levels[-1].rolled_out.max_center_error
    assert report.certificates.measured.by_level[-1] <= 100 * last


def test_a_network_learns_it_below_every_baseline():
    pytest.importorskip("torch")
    truth = induced(id="it", data=blobs(dimension=2), depth=6)
    trained = train(truth, id="p", depth=4, family="mlp")
    report = compare_cells(truth, grown(truth, trained.load(), from_depth=4), trained=trained)
    own = [level.rolled_out.nmse for level in report.levels]
    for name, found in report.baselines.items():
        assert all(mine < level.rolled_out.nmse for mine, level in zip(own, found.levels, strict=True)), name
    assert all(level.rolled_out.slot_accuracy == 1 for level in report.levels)


def test_a_rule_is_asked_for_by_what_made_the_hierarchy():
    field = induced(id="it", data=blobs(), depth=1)
    beside = Beside(encoder=lambda: field.encoder, prefix=lambda depth: field.cells.prefix(depth))
    assert isinstance(find_rule(field, beside=beside), InducedRule)
    smooth = cfgraph.sources.cfg(id="it", depth=1)
    assert find_rule(smooth, beside=beside).lipschitz == smooth.lipschitz
    assert find_rule(field.replace(origin="points"), beside=beside) is None
    koch = cfgraph.sources.ifs(id="it", maps="koch", depth=3)
    of_koch = Beside(encoder=lambda: None, prefix=lambda depth: koch.cells.prefix(depth))
    assert find_rule(koch, beside=of_koch).step.shape[:2] == (4, 4)
    shallow = Beside(encoder=lambda: None, prefix=lambda depth: koch.cells.prefix(1))
    assert find_rule(koch, beside=shallow) is None
    with pytest.raises(InputError, match="expected an induced hierarchy"):
        rule_of(smooth, encoder=None)
    with pytest.raises(InputError, match="recipe of an induced hierarchy"):
        rule_from_data(smooth.recipe, check_points(blobs(), where="it"))


RING = np.array([[np.cos(a), np.sin(a)] for a in np.linspace(0, 2 * np.pi, 60, endpoint=False)])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"arity": 1}, "at least 2|between 2 and"),
        ({"arity": 5, "data": np.arange(8.0).reshape(4, 2)}, "at least 5 different points"),
        ({"data": np.ones((10, 2))}, "at least 4 different points"),
        ({"data": np.arange(40.0)[:, None]}, "one dimension has no more than two directions"),
        ({"data": np.repeat(np.arange(3.0)[:, None], 5, axis=0), "arity": 3}, "lies at their mean"),
        ({"data": np.concatenate([RING, RING * 100]), "arity": 64}, "lie in one direction"),
        ({"data": np.arange(40.0).reshape(20, 2) * 1e-300}, "deviation is 0"),
        ({"bandwidth": 0.0}, "bandwidth"),
        ({"bandwidth": float("nan")}, "bandwidth"),
        ({"temperature": -1.0}, "temperature"),
        ({"scale_factor": 1.0}, "scale factor"),
        ({"pca": 0}, "principal components"),
        ({"pca": 7}, "at most 3 principal components"),
        ({"sample": 1}, "size of the sample"),
        ({"sample": 201}, "at most 200 points"),
        ({"depth": -1}, "depth"),
        ({"depth": 40}, "cells"),
        ({"seed": -1}, "seed"),
        ({"id": "a/b"}, "no '/'"),
        ({"data": np.array([[1.0, np.nan]] * 5)}, "finite|nan"),
        ({"data": "nothing.npy"}, "nothing.npy"),
    ],
)
def test_bad_arguments_are_refused_with_the_reason(arguments, told):
    with pytest.raises(InputError, match=told) as refused:
        induced(**{"id": "it", "depth": 1, "data": blobs(), **arguments})
    assert "\n" not in str(refused.value)


GOOD = {"data": np.eye(3), "mean": np.zeros(3), "anchors": np.eye(3)[:2]}


@pytest.mark.parametrize(
    ("arrays", "settings"),
    [
        ({"data": np.eye(3)}, {}),
        ({**GOOD, "more": np.eye(2)}, {}),
        ({**GOOD, "mean": np.zeros(2)}, {}),
        ({**GOOD, "anchors": np.eye(2)}, {}),
        ({**GOOD, "data": np.zeros((0, 3))}, {}),
        ({**GOOD, "data": np.full((2, 3), np.nan)}, {}),
        ({**GOOD, "data": np.eye(3, dtype=np.float32)}, {}),
        (GOOD, {"bandwidth": 0.0}),
        (GOOD, {"temperature": float("inf")}),
        (GOOD, {"temperature": "warm"}),
        (GOOD, {"color": 1}),
    ],
)
def test_what_is_no_rule_is_refused(arrays, settings):
    from safetensors.numpy import save

    steps = ({"kind": "induced-rule", "bandwidth": 1.0, "temperature": 0.2, **settings},)
    weights = save({f"0.{name}": np.ascontiguousarray(array) for name, array in arrays.items()})
    with pytest.raises(InputError, match="the saved encoder cannot be read: "):
        load_encoder(Encoder(steps=steps, weights=weights))
    good = save({f"0.{name}": np.ascontiguousarray(array) for name, array in GOOD.items()})
    whole = {"kind": "induced-rule", "bandwidth": 1.0, "temperature": 0.2}
    assert load_encoder(Encoder(steps=(whole,), weights=good)).steps[0].columns == 3
