"""Levels: how large hierarchies are without a count: what is told is what a count finds, and nothing else is told."""

import numpy as np
import pytest

from cfgraph import Stop, field, materialise, rollout, sources, train
from cfgraph.errors import NotFoundError, VanishedError
from cfgraph.exploring.scene import Scene
from cfgraph.growing import rollout as rollout_module
from cfgraph.store.levels import Levels

DEPTH = 7  # in blocks of two levels


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """Blocks of two levels, so that a small hierarchy has many."""
    monkeypatch.setattr(rollout_module, "block_height", lambda **_: 2)


@pytest.fixture
def grown(store, new_id):
    """A true hierarchy of level 3 in the store, and a predictor of it."""
    truth = sources.ifs(id=new_id("truth"), maps="sierpinski", depth=3)
    store.write(truth)
    return truth, store.write_predictor(train(truth, id=new_id("rule"), depth=3, family="recurrence")).id


def told(store, id):
    """The levels that are told, held against a count, and the depth that the explorer tells."""
    found, counted = store.levels(id), store.counts(id)
    assert found.depth in (None, counted.depth)
    assert found.cells in (None, counted.cells)
    assert Scene.open(store, id).describe()["stored_depth"] == found.depth
    return found


def test_of_a_source(store, new_id):
    koch = sources.ifs(id=new_id(), maps="koch", depth=4)
    store.write(koch)
    assert told(store, koch.id) == Levels(4, 341)
    root = sources.cfg(id=new_id(), depth=0)
    store.write(root)
    assert told(store, root.id) == Levels(0, 1)
    first = koch.replace(id=new_id("first"), cells=koch.cells.prefix(2))  # not what its recipe makes
    store.write(first)
    assert told(store, first.id) == Levels()
    with pytest.raises(NotFoundError):
        store.levels("no-such")


def test_of_what_was_grown_to_a_depth(store, new_id, grown):
    truth, rule = grown
    copy = new_id("copy")
    rollout(store, truth.id, predictor=rule, copy_as=copy, from_depth=2, stop=Stop(depth=5))
    assert told(store, copy) == Levels(5, 364)
    rollout(store, copy, predictor=rule, stop=Stop(depth=6))
    assert told(store, copy) == Levels(6, 1093)


def test_of_what_was_grown_to_a_number_of_cells(store, grown):
    truth, rule = grown
    rollout(store, truth.id, predictor=rule, stop=Stop(cells=200))
    assert 200 - 12 < store.counts(truth.id).cells < 364
    assert told(store, truth.id) == Levels(5, None)
    rollout(store, truth.id, predictor=rule, stop=Stop(depth=5))
    assert told(store, truth.id) == Levels(5, 364)


def test_of_what_was_grown_for_a_time(store, grown):
    truth, rule = grown
    rollout(store, truth.id, predictor=rule, stop=Stop(seconds=0.001))
    assert told(store, truth.id).cells is None
    rollout(store, truth.id, predictor=rule, stop=Stop(depth=5))
    told(store, truth.id)  # whether or not the first one went deeper


def test_of_parts(store, grown):
    truth, rule = grown
    answering = field(store, truth.id, predictor=rule)
    materialise(answering, "/1/2", 2, depth=DEPTH)
    assert store.counts(truth.id).depth == 5
    assert told(store, truth.id) == Levels()  # the depth that is aimed at is not reached
    materialise(answering, "/1/2", 5, depth=DEPTH)
    assert told(store, truth.id) == Levels(DEPTH, None)
    rollout(store, truth.id, predictor=rule, stop=Stop(depth=DEPTH))
    assert told(store, truth.id) == Levels(DEPTH, 3280)


def test_while_it_grows_and_without_what_grew_it(store, grown):
    truth, rule = grown
    assert told(store, truth.id) == Levels(3, 40)
    known = store.hierarchy(truth.id)
    materialise(field(store, truth.id, predictor=rule), "/0", 5, depth=DEPTH, interrupted=lambda: True)
    assert store.hierarchy(truth.id).state == "growing"
    assert told(store, truth.id) == Levels()
    rollout(store, truth.id, predictor=rule, stop=Stop(depth=DEPTH))
    store.remove(rule)
    assert told(store, truth.id) == Levels()
    store.remove(truth.id)
    store.write(truth)
    with pytest.raises(VanishedError):
        store.levels(known)


def test_of_data_and_of_what_people_have(store, new_id, tmp_path):
    tree = sources.points(id=new_id(), data=np.random.default_rng(0).normal(size=(60, 2)), arity=3, depth=4)
    store.write(tree)
    assert told(store, tree.id) == Levels()
    (tmp_path / "tree.nwk").write_text("((a,b)c,d);")
    imported = sources.tree(tmp_path / "tree.nwk", id=new_id())
    store.write(imported)
    assert store.levels(imported.id) == Levels()
    assert Scene.open(store, imported.id).describe()["stored_depth"] == imported.cells.depth
