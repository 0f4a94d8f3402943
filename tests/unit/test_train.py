"""Training: what `auto` takes, what is flagged, what is said, and what the numbers of the issue ask for."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfgraph.errors import InputError
from cfgraph.formats.maps import AffineMaps, read_maps, write_maps
from cfgraph.learning import train as train_module
from cfgraph.learning.train import train
from cfgraph.model.cells import FRONTIER
from cfgraph.model.growth import frontier_of, grow, observe
from cfgraph.predictors import BASELINES, BESIDE, FAMILIES, NETWORKS, NetworkOptions, fit_predictor, load_predictor
from cfgraph.predictors.network import Network
from cfgraph.predictors.trained import TrainedPredictor, judgements
from cfgraph.sources.cfg import cfg
from cfgraph.sources.ifs import ifs
from cfgraph.sources.points import points
from cfgraph.store.records import predictor_of, properties_of
from tests.grown import grown_hierarchy
from tests.trained import train_once
from tests.tuples import measure_tuples

QUICK = NetworkOptions(width=8, hidden=2, steps=30, polish=10)  # for what does not depend on how well networks do


def roll_out(trained, truth, *, depth=None):
    """The prefix that a predictor learned from, grown by it to the truth's depth."""
    options = {"arity": truth.arity, "scale_factor": truth.scale_factor, "depth": depth or truth.cells.depth}
    return grow(truth.cells.prefix(trained.depth), rule=trained.load().predict, **options)


def unseen(truth, *, depth):
    """The parents of the levels from ``depth`` on, level by level, with their true tuples."""
    observed, tuples = observe(truth.cells, arity=truth.arity)
    for level in range(depth, truth.cells.depth):
        rows = np.flatnonzero(observed.level == level)
        yield observed.take(rows), tuples[rows]


def teacher_forced(predictor, truth, *, depth):
    return [measure_tuples(predictor.predict(parents), tuples).nmse for parents, tuples in unseen(truth, depth=depth)]


@pytest.mark.parametrize("name", ["koch", "levy", "dragon", "fern", "sierpinski"])
def test_recurrence_from_two_levels_is_exact_six_levels_on(name, tmp_path):
    truth = ifs(id=name, maps=name, depth=8)
    trained = train(truth, id="rule", depth=2, family="recurrence")
    assert not trained.flagged
    grown = roll_out(trained, truth)
    diameter = np.linalg.norm(np.ptp(truth.cells.center, axis=0))
    assert np.abs(grown.center - truth.cells.center).max() <= 1e-9 * diameter
    for (_, tuples), (_, own) in zip(unseen(truth, depth=2), unseen(truth.with_cells(grown), depth=2), strict=True):
        assert measure_tuples(own, tuples).slot_accuracy == 1
    maps, found = read_maps(name), trained.describe()["learned"]["maps"]
    np.testing.assert_allclose([one["matrix"] for one in found], maps.matrix, atol=1e-9)
    np.testing.assert_allclose([one["offset"] for one in found], maps.offset, atol=1e-9)
    write_maps(trained, tmp_path / "maps.json")
    again = ifs(id="again", maps=tmp_path / "maps.json", depth=5)
    np.testing.assert_allclose(again.cells.center, truth.cells.prefix(5).center, atol=1e-9)


@pytest.mark.parametrize("name", ["koch", "fern"])
def test_auto_takes_the_recurrence_at_depth_2_where_the_span_tells(name):
    trained = train(ifs(id=name, maps=name, depth=3), id="rule", depth=2, options=QUICK)
    assert (trained.family, trained.flagged, trained.warnings) == ("recurrence", False, ())
    assert trained.validation["recurrence"] is None
    assert "span test, which it passed" in trained.judged_by


@pytest.mark.parametrize("name", ["levy", "dragon"])
def test_auto_takes_the_recurrence_at_depth_3_where_the_span_says_nothing(name):
    truth = ifs(id=name, maps=name, depth=4)
    shallow = train(truth, id="rule", depth=2, options=QUICK)
    assert shallow.family in BASELINES
    assert any("--family recurrence" in warning for warning in shallow.warnings)
    forced = train(truth, id="rule", depth=2, family="recurrence")
    assert not forced.flagged
    assert any("could not be tested" in warning for warning in forced.warnings)
    assert "nothing" in forced.judged_by
    deeper = train(truth, id="rule", depth=3, options=QUICK)
    assert (deeper.family, deeper.flagged, deeper.warnings) == ("recurrence", False, ())
    assert deeper.validation["recurrence"] < 1e-24


@given(
    st.integers(0, 10**6),
    st.sampled_from([(4, 2), (2, 2), (3, 1), (3, 3), (5, 3)]),
    st.sampled_from([0.3, 0.5, 0.7]),
    st.sampled_from([0.5, 3.0, 8.0]),
)
@settings(max_examples=6, deadline=None)
def test_auto_never_takes_the_recurrence_for_a_smooth_generator(seed, shape, scale_factor, frequency):
    numbers = {"arity": shape[0], "dimension": shape[1], "scale_factor": scale_factor, "frequency": frequency}
    truth = cfg(id="smooth", depth=4, seed=seed, **numbers)
    for depth in (1, 2, 3, 4):
        assert train(truth, id="rule", depth=depth, options=QUICK).family != "recurrence"
    if shape[0] > shape[1]:
        forced = train(truth, id="rule", depth=2, family="recurrence")
        assert forced.flagged
        assert "span test, which it failed" in forced.judged_by
        assert any("FLAGGED" in warning and "span" in warning for warning in forced.warnings)
    forced = train(truth, id="rule", depth=3, family="recurrence")  # which may happen to beat every baseline by the folds
    assert forced.flagged or forced.folds["recurrence"] < min(forced.folds[name] for name in BASELINES)


@given(st.integers(0, 10**6), st.sampled_from([(4, 2), (3, 2), (5, 3), (3, 3), (2, 2)]))
@settings(max_examples=15, deadline=None)
def test_auto_takes_the_recurrence_for_affine_maps(seed, shape):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(shape[0], shape[1], shape[1]))
    matrix *= (rng.uniform(0.2, 0.8, size=shape[0]) / np.linalg.norm(matrix, 2, axis=(1, 2)))[:, None, None]
    truth = ifs(id="affine", maps=AffineMaps("affine", matrix, rng.normal(size=shape)), depth=3)
    depth = 2 if shape[0] > shape[1] else 3
    trained = train(truth, id="rule", depth=depth, options=QUICK)
    assert (trained.family, trained.flagged) == ("recurrence", False)


def test_recurrence_on_noisy_maps_is_taken_and_not_flagged():
    truth = ifs(id="koch", maps="koch", depth=5)
    rng = np.random.default_rng(0)
    shaken = truth.cells.residual + 0.02 * rng.normal(size=truth.cells.residual.shape)
    trained = train(truth.with_cells(truth.cells.with_columns(residual=shaken)), id="rule", depth=4, options=QUICK)
    assert (trained.family, trained.flagged) == ("recurrence", False)
    assert 1e-6 < trained.validation["recurrence"] < 0.1


@pytest.mark.slow("trains full-size networks")
def test_koch_flags_the_network_that_sees_the_center_alone():
    pytest.importorskip("torch")
    truth = ifs(id="koch", maps="koch", depth=8)
    trained = train_once(truth, depth=5, family="mlp")
    assert trained.flagged
    assert any("FLAGGED: mlp is no better than the baseline" in warning for warning in trained.warnings)
    assert set(trained.validation) == {*BESIDE, "mlp"}


@pytest.mark.slow("trains full-size networks")
def test_koch_slots_are_right_with_context():
    pytest.importorskip("torch")
    truth = ifs(id="koch", maps="koch", depth=8)
    trained = train_once(truth, depth=5, family="mlp-context", seed=1)
    assert not trained.flagged
    predictor, grown = trained.load(), truth.with_cells(roll_out(trained, truth))
    for (parents, tuples), (_, own) in zip(unseen(truth, depth=5), unseen(grown, depth=5), strict=True):
        assert measure_tuples(predictor.predict(parents), tuples).slot_accuracy >= 0.99
        assert measure_tuples(own, tuples).slot_accuracy >= 0.99


@pytest.mark.slow("trains full-size networks")
def test_where_one_level_held_out_leaves_too_few_parents_auto_takes_no_baseline():
    """31 parents in five dimensions: 6 are left above the deepest level, by which affine is as good as any network."""
    pytest.importorskip("torch")
    truth = cfg(id="smooth", depth=5, arity=5, dimension=5, seed=1)
    trained = train(truth, id="rule", depth=3)
    assert trained.family not in BASELINES
    assert trained.validation["affine"] < 1.5 * min(trained.validation[family] for family in NETWORKS)
    affine = train(truth, id="other", depth=3, family="affine")
    pairs = zip(teacher_forced(trained.load(), truth, depth=3), teacher_forced(affine.load(), truth, depth=3), strict=True)
    for own, other in pairs:
        assert own < 0.2 * other


@pytest.mark.slow("trains full-size networks")
def test_on_a_smooth_generator_the_network_beats_nearest():
    pytest.importorskip("torch")
    truth = cfg(id="smooth", depth=8, seed=2)
    trained = train_once(truth, depth=5)
    assert (trained.family in BASELINES, trained.flagged) == (False, False)
    nearest = train(truth, id="other", depth=5, family="nearest")
    pairs = zip(teacher_forced(trained.load(), truth, depth=5), teacher_forced(nearest.load(), truth, depth=5), strict=True)
    for own, other in pairs:
        assert own < 0.2 * other


def test_digits_auto_is_as_good_as_the_best_baseline():
    from sklearn.datasets import load_digits

    truth = points(id="digits", data=load_digits().data, depth=5, arity=3, pca=8, seed=0)
    trained = train(truth, id="rule", depth=3, options=QUICK)
    observed, tuples = observe(truth.cells.prefix(3), arity=3)
    bound = float(np.linalg.norm(tuples, axis=2).max())
    assert trained.residual_bound == bound
    numbers = {"scale_factor": truth.scale_factor, "residual_bound": bound}
    errors = [
        teacher_forced(fit_predictor(family, observed=observed, tuples=tuples, **numbers), truth, depth=3)
        for family in BASELINES
    ]
    for level, own in enumerate(teacher_forced(trained.load(), truth, depth=3)):
        assert own <= min(error[level] for error in errors) + 0.02


def test_validation_is_the_error_on_the_deepest_parents():
    truth = grown_hierarchy("it", arity=3, dimension=2, depth=4)
    trained = train(truth, id="rule", depth=3, family="mean")
    tuples = {level: [] for level in range(3)}
    for row in range(len(truth.cells)):
        if truth.cells.level[row] < 3:
            first = truth.cells.first_child[row]
            tuples[truth.cells.level[row]].append(truth.cells.residual[first : first + 3])
    mean = np.mean(tuples[0] + tuples[1], axis=0)
    error = sum(float(((one - mean) ** 2).sum()) for one in tuples[2]) / sum(float((one**2).sum()) for one in tuples[2])
    assert trained.validation["mean"] == pytest.approx(error, rel=1e-12)
    assert trained.validation["zero"] == pytest.approx(1)
    folds = _folds_error(tuples)
    assert trained.folds["mean"] == pytest.approx(folds, rel=1e-12)
    assert trained.folds["zero"] == pytest.approx(1)
    assert trained.judged_by == (
        f"its nMSE of {folds:.3g} on held-out parents, by three folds of the deepest level; {error:.3g} with the whole level "
        "held out"
    )
    everything = np.mean(tuples[0] + tuples[1] + tuples[2], axis=0)
    predicted = trained.load().predict(frontier_of(truth.cells, np.array([0]), arity=3))[0]
    np.testing.assert_allclose(predicted, everything, atol=1e-12)


def _folds_error(tuples):
    """The mean of all others, for one in three of the deepest level's tuples, three times."""
    error = 0.0
    for fold in range(3):
        held = [one for place, one in enumerate(tuples[2]) if place % 3 == fold]
        others = [one for place, one in enumerate(tuples[2]) if place % 3 != fold]
        mean = np.mean(tuples[0] + tuples[1] + others, axis=0)
        error += sum(float(((one - mean) ** 2).sum()) for one in held)
    return error / sum(float((one**2).sum()) for one in tuples[2])


def test_the_folds_see_each_other_and_the_levels_above(monkeypatch):
    """Of each fit: how many parents were learned from, and that the deepest ones are dealt out by place, one in three."""
    fits, fit = [], train_module._Examples.fit
    monkeypatch.setattr(train_module._Examples, "fit", lambda self, *a, **k: fits.append(self) or fit(self, *a, **k))
    truth = grown_hierarchy("it", arity=2, dimension=2, depth=4)
    train(truth, id="rule", depth=4, family="zero")
    learned_from = fits[:: len(BESIDE)]
    deepest = [one.parents.center[one.parents.level == 3].tolist() for one in learned_from]
    rows = truth.cells.level_rows(3)
    centers = truth.cells.center[rows].tolist()
    assert deepest == [[], *([one for place, one in enumerate(centers) if place % 3 != fold] for fold in range(3)), centers]
    assert [len(one.tuples) for one in learned_from] == [7, 12, 12, 13, 15]


def test_records_of_earlier_versions_have_no_folds_and_are_read():
    trained = train(ifs(id="koch", maps="koch", depth=3), id="rule", depth=3, family="mean")
    fields = trained.model_dump(exclude={"folds", "outrun"})
    earlier = TrainedPredictor(**fields)
    assert (earlier.folds, earlier.outrun) == ({}, ())
    assert earlier.judged_by == f"its nMSE of {trained.validation['mean']:.3g} on held-out parents"
    rows = judgements(earlier.folds, earlier.validation, not_trained=(), outrun=())
    assert rows[1] == ("mean", None, trained.validation["mean"])


def test_a_record_goes_into_the_graph_and_back_with_both_numbers():
    trained = train(ifs(id="koch", maps="koch", depth=3), id="rule", depth=3, family="mean")
    properties = properties_of(trained)
    assert isinstance(properties["folds"], str)
    assert predictor_of(properties) == trained
    del properties["folds"]
    assert predictor_of(properties) == trained.model_copy(update={"folds": {}})


@pytest.mark.parametrize("race", [False, True])
def test_of_many_parents_networks_that_lose_the_first_fold_are_spared_the_others(race, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(train_module, "RACED", 10 if race else 10**6)
    trainings, learn = [], Network.learn.__func__
    monkeypatch.setattr(Network, "learn", classmethod(lambda cls, *a, **k: trainings.append(cls) or learn(cls, *a, **k)))
    noise = points(id="noise", data=np.random.default_rng(0).normal(size=(400, 6)), arity=3, depth=4)
    rule = train(noise, id="rule", depth=4, options=QUICK)
    lost = NETWORKS if race else ()
    assert (rule.family in BASELINES, rule.outrun) == (True, lost)
    assert [rule.folds[family] is None for family in NETWORKS] == [race] * 3
    assert all(rule.validation[family] is not None for family in NETWORKS)
    assert len(trainings) == (4 if race else 8)
    shown = {row[0]: row[1] for row in judgements(rule.folds, rule.validation, not_trained=(), outrun=rule.outrun)}
    assert all((shown[family] == "lost the first fold") is race for family in NETWORKS)


def test_a_trained_predictor_is_a_value_that_trains_again():
    truth = ifs(id="koch", maps="koch", depth=4)
    first, second = (train(truth, id="rule", depth=3, family="mlp-context", seed=5, options=QUICK) for _ in range(2))
    assert first.weights == second.weights
    assert first.recipe == second.recipe
    assert first.recipe != train(truth, id="rule", depth=3, family="mlp-context", seed=6, options=QUICK).recipe
    fields = json.loads(json.dumps(first.model_dump(exclude={"weights", "created"}), allow_nan=False))
    again = TrainedPredictor(**fields, weights=first.weights, created=first.created)
    assert again == first
    told = json.loads(json.dumps(first.describe(), allow_nan=False))
    assert (told["family"], told["flagged"], told["validation"]) == ("mlp-context", first.flagged, first.validation)
    listed = first.model_copy(update={"weights": b""})
    assert listed.describe()["learned"] == {}
    with pytest.raises(InputError, match="without its weights"):
        listed.load()
    assert load_predictor(first.weights, first.config).config() == first.load().config()


def test_one_level_of_parents_is_learned_from_but_not_judged():
    truth = ifs(id="koch", maps="koch", depth=2)
    trained = train(truth, id="rule", depth=1, options=QUICK)
    assert (trained.family, trained.flagged) == ("mean", False)
    assert trained.validation == trained.folds == dict.fromkeys(FAMILIES)
    assert any("unjudged" in warning for warning in trained.warnings)
    network = train(truth, id="rule", depth=1, family="mlp", options=QUICK)
    assert any("could not be judged" in warning for warning in network.warnings)
    with pytest.raises(InputError, match="depth 2 or more"):
        train(truth, id="rule", depth=1, family="recurrence")


def test_doubts_about_what_was_observed_are_said():
    data = np.random.default_rng(0).normal(size=(200, 3))
    truth = points(id="data", data=data, depth=4, arity=2, scale_depth=3)
    assert any("scale factor" in warning for warning in train(truth, id="rule", depth=2, family="mean").warnings)
    settled = train(truth, id="rule", depth=3, family="mean").warnings
    assert not any("scale factor" in warning for warning in settled)
    koch = ifs(id="koch", maps="koch", depth=3)
    grown = koch.with_cells(roll_out(train(koch, id="rule", depth=2, family="parent"), koch))
    assert any("64 of the cells" in warning for warning in train(grown, id="rule", depth=3, family="mean").warnings)
    unfinished = koch.replace(state="writing")
    assert any("not written" in warning for warning in train(unfinished, id="rule", depth=2, family="mean").warnings)


def test_what_cannot_be_trained_is_explained():
    truth = ifs(id="koch", maps="koch", depth=3)
    for arguments, reason in (
        ({"depth": 0}, "at least 1"),
        ({"depth": -2}, "at least 1"),
        ({"depth": 9}, "3 levels deep"),
        ({"depth": 2, "family": "magic"}, "expected a family out of auto, zero"),
        ({"depth": 2, "seed": -1}, "seed"),
        ({"depth": 2, "seed": 2**70}, "seed"),
        ({"depth": 2, "id": "a/b"}, "'/'"),
        ({"depth": 2, "id": ""}, "empty"),
    ):
        with pytest.raises(InputError, match=reason):
            train(truth, **{"id": "rule", **arguments})
    with pytest.raises(InputError, match="holds no cells"):
        train(truth.without_cells(), id="rule", depth=2)
    with pytest.raises(InputError, match="subtree at /1"):
        train(truth.with_cells(_as_subtree(truth.cells)), id="rule", depth=2)
    with pytest.raises(InputError, match=r"no cell of levels 0 to 1 .* has all its 5 children"):
        train(truth.replace(arity=5), id="rule", depth=2)
    with pytest.raises(InputError, match="no maps"):
        write_maps(train(truth, id="rule", depth=2, family="mean"), "/nowhere/maps.json")


def _as_subtree(cells):
    from dataclasses import replace

    return replace(cells, top="/1", level=cells.level + 1)


def test_devices_that_are_not_there_are_refused():
    pytest.importorskip("torch")
    truth = ifs(id="koch", maps="koch", depth=2)
    for device in ("nonsense", "cuda:77", "meta"):
        with pytest.raises(InputError, match=device):
            train(truth, id="rule", depth=2, device=device)


def test_a_ragged_prefix_is_learned_from_as_far_as_it_goes():
    """Depth 5 was asked for; only the root and its children have all their children."""
    truth = ifs(id="koch", maps="koch", depth=5)
    kept = truth.cells.prefix(2)
    state = kept.state.copy()
    state[kept.level == 2] = FRONTIER
    one_deep = grow(
        kept.with_columns(state=state), rule=lambda parents: parents.parent_tuple, arity=4, scale_factor=1 / 3, depth=5
    )
    rows = np.flatnonzero((one_deep.level <= 2) | (np.arange(len(one_deep)) % 4 == 1))
    ragged = _keep(one_deep, rows)
    trained = train(truth.with_cells(ragged), id="rule", depth=ragged.depth, options=QUICK)
    assert trained.family == "recurrence"
    assert trained.validation["recurrence"] is None


def _keep(cells, rows):
    """Only some cells, and of those only the ones whose parents are among them."""
    alive = np.zeros(len(cells), dtype=bool)
    wanted = np.isin(np.arange(len(cells)), rows)
    for row in range(len(cells)):
        alive[row] = wanted[row] and (cells.parent[row] < 0 or alive[cells.parent[row]])
    columns = cells.take(np.flatnonzero(alive))
    columns["parent"] = np.where(columns["parent"] < 0, -1, (np.cumsum(alive) - 1)[columns["parent"]])
    return type(cells)(**columns)


IN_A_PROCESS = """
import sys
from cfgraph import sources, train
for depth in (2, 3):
    rule = train(sources.ifs(id="fern", maps="fern", depth=depth), id="rule", depth=depth)
    print(rule.family, rule.flagged, *rule.not_trained, *(rule.validation[name] for name in rule.not_trained))
print("torch" in sys.modules, "scipy" in sys.modules)
"""


def test_auto_trains_no_network_where_a_closed_form_is_exact():
    told = subprocess.run([sys.executable, "-c", IN_A_PROCESS], capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == [*["recurrence False mlp mlp-context anchored None None None"] * 2, "False False"]


@pytest.mark.parametrize("maps", ["koch", "sierpinski", "dragon", "levy"])
@pytest.mark.parametrize("depth", [3, 4])
def test_what_is_taken_is_what_would_be_taken_beside_trained_networks(maps, depth, monkeypatch):
    """Where networks are spared the choice, the weights and all else are the same as with them."""
    whole = ifs(id=maps, maps=maps, depth=depth)
    spared = train(whole, id="rule", depth=depth, options=QUICK)
    assert spared.not_trained == NETWORKS
    monkeypatch.setattr("cfgraph.learning.train.SETTLED", -1.0)
    monkeypatch.setattr("cfgraph.learning.train._test_span", lambda examples: (False, ()))
    trained = train(whole, id="rule", depth=depth, options=QUICK)
    assert trained.not_trained == ()
    assert (trained.family, trained.weights, trained.recipe) == (spared.family, spared.weights, spared.recipe)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_networks_are_trained_where_nothing_is_exact(depth):
    smooth = cfg(id="smooth", depth=depth)
    rule = train(smooth, id="rule", depth=depth, options=QUICK)
    assert rule.not_trained == ()
    assert all(rule.validation[name] is not None for name in NETWORKS)


def test_a_network_that_is_asked_for_is_trained_though_a_closed_form_is_exact():
    rule = train(ifs(id="fern", maps="fern", depth=3), id="rule", depth=3, family="mlp", options=QUICK)
    assert (rule.family, rule.not_trained) == ("mlp", ())
    assert rule.validation["mlp"] is not None


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("family", BASELINES)
def test_a_baseline_that_is_worse_than_zero_is_flagged_and_told(family, seed):
    """Points without any order: what is learned from them is worse than nothing, or hardly better."""
    data = np.random.default_rng(seed).normal(size=(200, 6))
    rule = train(points(id="noise", data=data, arity=3, depth=4), id="rule", depth=4, family=family)
    worse = rule.folds[family] > rule.folds["zero"]
    assert rule.flagged is worse
    assert any("FLAGGED" in warning and "worse than zero" in warning for warning in rule.warnings) is worse


def test_some_rule_of_noise_is_worse_than_zero():
    data = np.random.default_rng(0).normal(size=(200, 6))
    noise = points(id="noise", data=data, arity=3, depth=4)
    assert any(train(noise, id="rule", depth=4, family=family).flagged for family in BASELINES)


@pytest.mark.parametrize("family", ["affine", "recurrence", "mlp"])
@pytest.mark.parametrize("error", [np.nan, np.inf])
def test_errors_beyond_floats_are_flagged_and_no_lack_of_parents(family, error):
    """No field of finite residuals brings a family there; a network whose training went astray would."""
    errors = {"zero": np.ones(3), family: np.array([1.0, error, 1.0])}
    trial = train_module._Trial(errors=errors, size=3.0)
    flagged, told = train_module._judge(SimpleNamespace(family=family), examples=None, trial=trial)
    assert flagged
    assert told == (f"FLAGGED: the errors of {family} on held-out parents are no finite numbers; do not trust it",)


def judged(family, *, folds=None, validation=None):
    """A predictor that was judged so; what it learned is not looked at."""
    rule = train(ifs(id="koch", maps="koch", depth=2), id="rule", depth=2, family="mean")
    return rule.model_copy(update={"family": family, "folds": folds or {}, "validation": validation or {}, "weights": b""})


@pytest.mark.parametrize(
    ("family", "folds", "validation", "beats"),
    [
        ("mean", {"zero": 1.0, "mean": 0.5}, {"zero": 1.0, "mean": 1.5}, True),  # the folds decide, as between families
        ("mean", {"zero": 1.0, "mean": 1.5}, {"zero": 1.0, "mean": 0.5}, False),
        ("zero", {"zero": 1.0}, {"zero": 1.0}, False),  # equal is not below
        ("parent", {"zero": 1.0, "parent": 1.0}, {}, False),
        ("mlp", {"zero": 1.0, "mlp": None}, {"zero": 1.0, "mlp": 0.5}, False),  # beyond floats
        ("mean", {}, {"zero": 1.0, "mean": 2.0}, False),  # of 0.1, which had no folds
        ("mean", {}, {"zero": 1.0, "mean": 0.9}, True),
        ("recurrence", {"zero": 1.0, "recurrence": None}, {"zero": 1.0, "recurrence": None}, None),  # no pair to test it on
        ("recurrence", {"zero": 1.0, "recurrence": None}, {"zero": 1.0, "recurrence": 0.1}, True),
        ("mean", {"zero": None, "mean": None}, {"zero": None, "mean": None}, None),  # no parents to hold out
        ("mean", {}, {}, None),  # no table was kept
        ("of-tomorrow", {"zero": 1.0}, {"zero": 1.0}, None),
    ],
)
def test_a_rule_is_better_than_nothing_or_not_or_nobody_knows(family, folds, validation, beats):
    rule = judged(family, folds=folds, validation=validation)
    assert rule.beats_zero is beats
    assert (rule.no_better is not None) is (beats is False)
    assert rule.describe()["beats_zero"] is beats


def test_a_rule_that_is_no_better_than_nothing_is_told_when_it_is_trained():
    koch = ifs(id="koch", maps="koch", depth=4)
    (told,) = (warning for warning in train(koch, id="rule", depth=4, family="zero").warnings if "no better" in warning)
    assert told.startswith("zero is no better than nothing: on held-out parents its nMSE of 1 is not below that of zero (1)")
    assert "--anyway" in told
    assert train(koch, id="rule", depth=4, family="recurrence").warnings == ()
