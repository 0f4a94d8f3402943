"""``cfgraph compare`` as a process, on hierarchies in a real store."""

import json

import pytest
from click.testing import CliRunner

from cfgraph.cli.compare import command, print_report
from cfgraph.comparing.compare import PAIRS, compare_cells
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.model.growth import grow
from cfgraph.sources.cfg import cfg
from cfgraph.sources.ifs import ifs


@pytest.fixture
def grown(store, new_id):
    """Koch learned from two levels and grown to the truth's depth: the ids of both, and the truth with its cells."""
    true, rule, copy = new_id("koch"), new_id("rule"), new_id("grown")
    truth = ifs(id=true, maps="koch", depth=5)
    store.write(truth)
    store.write_predictor(train(truth, id=rule, depth=2, family="recurrence"))
    rollout(store, true, predictor=rule, stop=Stop(depth=5), from_depth=2, copy_as=copy)
    return truth, rule, copy


def test_compare_json_through_the_store_equals_the_comparison_in_memory(run, store, grown):
    truth, rule, copy = grown
    found = json.loads(run("compare", truth.id, copy, "--format", "json", "--pairs", 400, "--seed", 7).stdout)
    trained = store.predictor(rule)
    expected = json.loads(
        compare_cells(truth, store.read(copy), trained=trained, predicted_id=copy, pairs=400, seed=7).to_json()
    )
    assert found.keys() == expected.keys()
    assert (found["true"], found["predicted"], found["predictor"], found["family"]) == (truth.id, copy, rule, "recurrence")
    assert [level["matched"] for level in found["levels"]] == [64, 256, 1024]
    for level, other in zip(found["levels"], expected["levels"], strict=True):
        assert level["rolled_out"]["slot_accuracy"] == 1
        assert level["rolled_out"]["max_center_error"] <= level["certificate"] < 1e-12
        assert level["teacher_forced"] == pytest.approx(other["teacher_forced"], rel=1e-9, abs=1e-25)
    for family, baseline in found["baselines"].items():
        assert baseline["levels"][-1]["rolled_out"] == pytest.approx(expected["baselines"][family]["levels"][-1]["rolled_out"])


def test_compare_prints_a_table(run, grown):
    truth, _, copy = grown
    shown = run("compare", truth.id, copy)
    assert all(len(line.rstrip()) <= 100 for line in shown.stdout.splitlines() if copy not in line)
    for told in (
        "Level by level",
        "certificate (recurrence)",
        "Beside the baselines",
        "scaled-parent",
        "d_pt is blind",
        "skill 1",
    ):
        assert told in shown.stdout
    assert "WARNING" not in shown.stderr


def test_compare_with_seeds_and_a_flagged_predictor(run, store, new_id):
    true, rule, copy = new_id("smooth"), new_id("rule"), new_id("grown")
    truth = cfg(id=true, depth=4, arity=4, dimension=2)
    store.write(truth)
    store.write_predictor(train(truth, id=rule, depth=2, family="recurrence"))
    rollout(store, true, predictor=rule, stop=Stop(depth=4), from_depth=2, copy_as=copy)
    shown = run("compare", true, copy, "--seeds", 2)
    assert "WARNING" in shown.stderr
    assert "FLAGGED" in shown.stderr
    assert "recurrence trained with 2 seeds" in shown.stdout
    assert "flagged: seeds 0, 1" in shown.stdout


def test_compare_refuses(run, store, grown, new_id):
    truth, _, copy = grown
    other = cfg(id=new_id("other"), depth=1, arity=3)
    store.write(other)
    assert "no hierarchy 'nobody'" in run("compare", "nobody", copy, code=2).stderr
    error = run("compare", other.id, copy, code=2).stderr
    assert "one arity" in error
    assert " with 3 " in error
    assert " with 4;" in error
    assert "at least 1, got 0" in run("compare", truth.id, copy, "--pairs", 0, code=2).stderr
    assert "--bootstrap is of a comparison by name" in run("compare", truth.id, copy, "--bootstrap", 3, code=2).stderr
    assert "grown by none" in run("compare", truth.id, truth.id, "--seeds", 1, code=2).stderr


def test_defaults_are_the_librarys():
    defaults = {option.name: option.default for option in command.params}
    assert (defaults["pairs"], defaults["seed"], defaults["seeds"], defaults["device"]) == (PAIRS, 0, 0, "cpu")


def test_what_cannot_be_measured_prints_as_a_dash(capsys):
    truth = ifs(id="koch", maps="koch", depth=3)
    print_report(compare_cells(truth, truth.cells))
    out = capsys.readouterr().out
    assert "no certificate: no one predictor is known" in out
    assert "Beside the baselines" not in out


def test_a_prediction_without_a_deeper_level(capsys):
    truth = ifs(id="koch", maps="koch", depth=2)
    trained = train(truth, id="p", depth=2, family="mean")
    same = grow(truth.cells, rule=trained.load().predict, arity=4, scale_factor=truth.scale_factor, depth=2)
    print_report(compare_cells(truth, same, trained=trained, from_depth=2))
    assert "no level below the prefix of depth 2" in capsys.readouterr().out


def test_help_ends_with_an_example():
    shown = CliRunner().invoke(command, ["--help"]).output
    assert shown.rstrip().endswith("Example: cfgraph compare koch koch-grown")
