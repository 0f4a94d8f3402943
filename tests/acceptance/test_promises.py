"""The promises of the README, on systems, seeds and data of several kinds. Numbers here are bounds, not timings."""

import json

import numpy as np
import pytest

from cfgraph.comparing.compare import compare_cells
from cfgraph.formats.maps import AffineMaps, read_maps
from cfgraph.learning.train import train
from cfgraph.model.growth import grow
from cfgraph.predictors import BASELINES
from cfgraph.sources.cfg import cfg
from cfgraph.sources.ifs import ifs
from cfgraph.sources.points import points
from tests.trained import train_once


def learn_and_compare(truth, *, depth, family="auto", seed=0):
    """Train on a prefix, roll out in memory to the truth's depth, compare."""
    prefix = truth.with_cells(truth.cells.prefix(depth))
    trained = train_once(truth, depth=depth, family=family, seed=seed)
    options = {"arity": truth.arity, "scale_factor": truth.scale_factor, "depth": truth.cells.depth}
    grown = grow(prefix.cells, rule=trained.load().predict, **options)
    return trained, compare_cells(truth, grown, trained=trained)


@pytest.mark.slow("up to eight levels of five systems, through real commands")
@pytest.mark.parametrize(("name", "depth"), [("koch", 7), ("levy", 8), ("dragon", 8), ("fern", 6), ("sierpinski", 6)])
def test_an_affine_system_comes_back_from_two_levels_through_the_graph(run, store, new_id, tmp_path, name, depth):
    truth, rule, grown = new_id(name), new_id("rule"), new_id("grown")
    run("ingest", "ifs", "--map", name, "--depth", depth, "--as", truth)
    run("train", truth, "--depth", 2, "--family", "recurrence", "--as", rule)
    run("rollout", truth, "--predictor", rule, "--from-depth", 2, "--to-depth", depth, "--as", grown)
    report = json.loads(run("compare", truth, grown, "--format", "json").stdout)
    assert [level["level"] for level in report["levels"]] == list(range(3, depth + 1))
    for level in report["levels"]:
        assert level["rolled_out"]["max_center_error"] <= 1e-9 * report["diameter"]
        assert level["rolled_out"]["slot_accuracy"] == level["teacher_forced"]["slot_accuracy"] == 1
        assert (level["only_true"], level["only_predicted"]) == (0, 0)
        assert level["rolled_out"]["max_center_error"] <= level["certificate"]
    assert set(report["baselines"]) == set(BASELINES)
    run("export", rule, "-o", tmp_path / "maps.json")
    found, wanted = read_maps(tmp_path / "maps.json"), read_maps(name)
    np.testing.assert_allclose(found.matrix, wanted.matrix, atol=1e-9)
    np.testing.assert_allclose(found.offset, wanted.offset, atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_a_random_affine_system_comes_back_from_two_levels(seed):
    rng = np.random.default_rng(seed)
    dimension, arity = [(1, 2), (2, 3), (3, 4), (2, 6), (3, 5), (4, 6)][seed]
    matrices = rng.normal(size=(arity, dimension, dimension))
    matrices *= (rng.uniform(0.2, 0.8, arity) / np.linalg.norm(matrices, 2, axis=(1, 2)))[:, None, None]
    maps = AffineMaps(name="random", matrix=matrices, offset=rng.normal(size=(arity, dimension)))
    truth = ifs(id="random", maps=maps, depth=6)
    trained, report = learn_and_compare(truth, depth=2, family="recurrence")
    for level in report.levels:
        assert level.rolled_out.max_center_error <= 1e-9 * report.diameter
        assert level.rolled_out.slot_accuracy == 1
    found = trained.describe()["learned"]["maps"]
    np.testing.assert_allclose([one["matrix"] for one in found], matrices, atol=1e-9)


@pytest.mark.slow("trains full-size networks")
@pytest.mark.parametrize(("name", "depth"), [("koch", 2), ("fern", 2), ("levy", 3), ("dragon", 3)])
def test_auto_takes_the_recurrence_where_it_can_know(name, depth):
    truth = ifs(id=name, maps=name, depth=depth)
    assert train(truth, id="rule", depth=depth).family == "recurrence"


@pytest.mark.parametrize("name", ["dragon"])
def test_auto_says_that_it_cannot_know(name):
    trained = train(ifs(id=name, maps=name, depth=2), id="rule", depth=2)
    assert trained.family != "recurrence"
    assert any("--family recurrence" in warning for warning in trained.warnings)


@pytest.mark.slow("trains full-size networks")
@pytest.mark.parametrize(("depth", "seed"), [(2, 0), (3, 1), (4, 1)])
def test_auto_never_takes_the_recurrence_for_a_smooth_generator(seed, depth):
    truth = cfg(id="smooth", arity=[4, 3, 6][seed], dimension=2, scale_factor=0.5, depth=depth, seed=seed)
    assert train(truth, id="rule", depth=depth).family != "recurrence"


@pytest.mark.slow("trains full-size networks")
def test_koch_from_five_levels_wants_context():
    truth = ifs(id="koch", maps="koch", depth=8)
    blind, _ = learn_and_compare(truth, depth=5, family="mlp")
    assert blind.flagged
    assert any("mlp" in warning for warning in blind.warnings)
    seeing, report = learn_and_compare(truth, depth=5, family="mlp-context")
    assert not seeing.flagged
    for level in report.levels:
        assert level.rolled_out.slot_accuracy >= 0.99
        assert level.teacher_forced.slot_accuracy >= 0.99


@pytest.mark.slow("trains full-size networks")
@pytest.mark.parametrize("seed", [5])
def test_the_network_beats_nearest_on_a_smooth_generator_and_keeps_below_its_certificate(seed):
    truth = cfg(id="smooth", arity=4, dimension=2, scale_factor=0.5, depth=9, seed=seed)
    trained, report = learn_and_compare(truth, depth=5, family="mlp")
    assert not trained.flagged
    for level, nearest in zip(report.levels, report.baselines["nearest"].levels, strict=True):
        assert level.teacher_forced.nmse < nearest.teacher_forced.nmse
        assert level.rolled_out.max_center_error <= level.certificate


@pytest.mark.slow("trains full-size networks")
@pytest.mark.parametrize("seed", [1])
def test_auto_is_near_the_best_baseline_on_digits(seed):
    from sklearn.datasets import load_digits

    truth = points(id="digits", data=load_digits().data, arity=3, depth=5, pca=8, seed=seed)
    _, report = learn_and_compare(truth, depth=3)
    assert any("canonicalised" in remark for remark in report.remarks)
    for rank, level in enumerate(report.levels):
        best = min(baseline.levels[rank].teacher_forced.nmse for baseline in report.baselines.values())
        assert level.teacher_forced.nmse <= best + 0.02
