"""``cfgraph certify`` as a process, on hierarchies in a real store."""

import json

import numpy as np
import pytest

from cfgraph.comparing.certify import certify
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.sources.ifs import ifs
from cfgraph.sources.points import points


@pytest.fixture
def grown(store, new_id):
    """Koch learned from two levels and grown as a copy: the ids of both."""
    true, rule, copy = new_id("koch"), new_id("rule"), new_id("grown")
    truth = ifs(id=true, maps="koch", depth=5)
    store.write(truth)
    store.write_predictor(train(truth, id=rule, depth=2, family="recurrence"))
    rollout(store, true, predictor=rule, stop=Stop(depth=5), from_depth=2, copy_as=copy)
    return true, copy


def test_certify_prints_every_line_with_its_ground(run, grown):
    true, copy = grown
    shown = run("certify", copy, "--depth", 5).stdout
    assert f"{copy}: at level 5; stored are 1,365 cells, levels 0 to 5" in shown
    lines = {line[:24].strip(): line for line in shown.splitlines()}
    for name, value, holds in (("similarity dimension", "1.26186", "proof"), ("box counting dimension", "±", "measurement")):
        assert value in lines[name]
        assert holds in lines[name]
    assert "proof" in lines["rollout"]
    assert "recurrence, eta" in " ".join(shown.split())
    assert "no" in lines["separation of cells"]
    assert "more are to be grown" in run("certify", true, "--precision", "1e-6").stdout


def test_certify_json_is_what_the_library_says(run, store, grown):
    for id in grown:
        found = json.loads(run("certify", id, "--precision", "1e-4", "--format", "json").stdout)
        assert found == json.loads(certify(store, id, precision=1e-4).to_json())
        assert found["depth"] == 8
        assert {line["holds"] for line in found["lines"]} == {"proof", "measurement", "no"}


def test_certify_of_data(run, store, new_id):
    hierarchy = points(id=new_id("points"), data=np.random.default_rng(0).normal(size=(40, 2)), depth=12, arity=2)
    store.write(hierarchy)
    shown = run("certify", hierarchy.id, "--depth", 2).stdout
    assert "nothing bounds residuals that were not seen" in " ".join(shown.split())
    assert "stored radius" in shown


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--precision", "1e-3", "--depth", 3], "a precision or a depth"),
        (["--precision", "0"], "above 0"),
        (["--precision", "-1"], "above 0"),
        (["--precision", "inf"], "finite"),
        (["--precision", "nan"], "finite"),
        (["--precision", "1e-300"], "at least"),
        (["--precision", "little"], "not a valid float"),
        (["--depth", "-1"], "at least 0"),
        (["--depth", "1000000"], "at most"),
        (["--depth", "1e6"], "not a valid integer"),
    ],
)
def test_certify_refuses(run, grown, words, told):
    error = run("certify", grown[0], *words, code=2).stderr
    assert told in error
    assert len(error.splitlines()) == 1


def test_certify_of_what_is_not_there_or_damaged(run, store, grown):
    assert "no hierarchy 'nobody'" in run("certify", "nobody", code=2).stderr
    store.query("MATCH (c:Cell {key: $key}) SET c.scale = 7.0", {"key": f"{grown[0]}/1"}, write=True)
    shown = run("certify", grown[0], code=1)
    assert "is damaged in the graph" in shown.stderr
    assert shown.stdout == ""
