"""One damaged node is one damaged node: the rest is listed, it is marked, and it can be removed."""

import json

import pytest

from cfgraph.errors import DamagedError, NotFoundError
from cfgraph.learning.train import train
from tests.grown import grown_hierarchy

DAMAGES = [
    "SET n.recipe = '{broken'",
    "SET n.recipe = 7",
    "REMOVE n.recipe",
    "SET n.arity = 'three'",
    "SET n.state = 'nonsense'",
    "SET n.created = 'yesterday'",
    "REMOVE n.state",
    "REMOVE n.created",
    "REMOVE n.origin, n.family",
    "SET n.dimension = -1, n.depth = 'deep'",
]


def listed(run):
    done = run("ls", "--format", "json")
    return {row["id"]: row for row in json.loads(done.stdout)}, done.stderr


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_hierarchy(store, run, new_id, damage):
    sound, hierarchy = grown_hierarchy(new_id("sound"), depth=2), grown_hierarchy(new_id("damaged"), depth=2)
    store.write(sound)
    store.write(hierarchy)
    store.query(f"MATCH (n:Hierarchy {{id: $id}}) {damage}", {"id": hierarchy.id}, write=True)
    rows, talk = listed(run)
    assert rows[sound.id]["state"] == "complete"
    assert (rows[hierarchy.id]["kind"], rows[hierarchy.id]["state"]) == ("hierarchy", "damaged")
    assert f"the Hierarchy node {hierarchy.id!r} is damaged (" in talk
    with pytest.raises(DamagedError, match="is damaged"):
        store.hierarchy(hierarchy.id)
    assert hierarchy.id in {node.id for node in store.damaged()}
    run("rm", hierarchy.id)
    assert hierarchy.id not in listed(run)[0]
    assert store.counts(hierarchy.id).cells == 0
    assert store.digest(sound.id)


@pytest.mark.parametrize(
    "damage",
    ["REMOVE n.recipe", "SET n.config = '{broken'", "SET n.depth = 'deep'", "REMOVE n.family", "SET n.flagged = 'no!'"],
)
def test_a_damaged_predictor(store, run, new_id, damage):
    truth, rule = grown_hierarchy(new_id("truth"), depth=2), new_id("rule")
    store.write(truth)
    store.write_predictor(train(truth, id=rule, depth=2, family="mean"))
    store.query(f"MATCH (n:Predictor {{id: $id}}) {damage}", {"id": rule}, write=True)
    rows, talk = listed(run)
    assert (rows[rule]["kind"], rows[rule]["state"]) == ("predictor", "damaged")
    assert rows[truth.id]["state"] == "complete"
    assert f"the Predictor node {rule!r} is damaged (" in talk
    run("show", rule, code=1)
    run("rm", rule)
    assert rule not in listed(run)[0]
    with pytest.raises(NotFoundError):
        store.predictor(rule)


def test_weights_that_are_damaged_are_damage(store, run, new_id):
    truth, rule = grown_hierarchy(new_id("truth"), depth=2), new_id("rule")
    store.write(truth)
    store.write_predictor(train(truth, id=rule, depth=2, family="mean"))
    store.query("MATCH (n:Predictor {id: $id}) SET n.weights = n.config", {"id": rule}, write=True)
    assert f"predictor '{rule}' is damaged in the graph" in run("show", rule, code=1).stderr
