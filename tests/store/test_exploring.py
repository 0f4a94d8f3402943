"""Scenes of hierarchies in the graph: the same cells as in memory, within a bound of memory, of one incarnation."""

import numpy as np
import pytest

from cfgraph import Stop, rollout, sources, train
from cfgraph.errors import NotFoundError, VanishedError
from cfgraph.exploring.memory import Memory
from cfgraph.exploring.scene import Scene
from cfgraph.exploring.view import View
from tests.unit.test_exploring_cut import at_home, seen_from


def same(one, other):
    """Whether two cuts show the same cells at the same pixels."""
    assert one.addresses() == other.addresses()
    assert np.abs(one.x - other.x).max() < 1e-3
    assert np.abs(one.y - other.y).max() < 1e-3


def test_what_is_stored_is_seen_as_in_memory_and_the_rule_below(store, new_id):
    id = new_id()
    koch = sources.ifs(id=id, maps="koch", depth=5)
    store.write(koch)
    scene = Scene.open(store, id)
    rule = Scene.of("koch")
    for view in (at_home(rule, z=0.5), at_home(rule, z=5.0), seen_from(None, "/1/2/3/0/1/2/2/2", z=400.0)):
        cut = scene.cut(view, color="stored", px=20.0)
        same(cut, rule.cut(view, px=20.0))
        assert cut.header["stored"] == sum(address.count("/") <= 5 and address != "/" for address in cut.addresses())
    assert scene.describe()["rule"] is not None


def test_data_end_where_they_are_stored(store, new_id):
    id = new_id()
    tree = sources.points(id=id, data=np.random.default_rng(0).normal(size=(300, 3)), arity=3, depth=5)
    store.write(tree)
    stored, held = Scene.open(store, id), Scene.of(tree)
    view = at_home(held)
    view = View("/", view.p, view.z, 800.0, 800.0)
    cut = stored.cut(view, px=0.5, axes={"kind": "columns", "columns": [0, 1]})
    same(cut, held.cut(view, px=0.5, axes={"kind": "columns", "columns": [0, 1]}))
    assert set(cut.addresses()) <= set(tree.cells.addresses)


def test_data_whose_last_cells_are_not_split_are_seen_at_home(store, new_id):
    """Nothing bounds data that may come; what is stored has bounds of its own, and nothing lies below its last cells."""
    id = new_id()
    tree = sources.points(id=id, data=np.random.default_rng(0).normal(size=(300, 3)), arity=3, depth=2)
    store.write(tree)
    stored, held = Scene.open(store, id), Scene.of(tree)
    assert np.allclose(stored.plane(None).basis, held.plane(None).basis)
    assert stored.home.z == pytest.approx(held.home.z, rel=0.3)
    same(stored.cut(at_home(held), px=0.5), held.cut(at_home(held), px=0.5))
    assert stored.cut(at_home(stored)).header["coarse"] == 0


def test_memory_is_bounded_while_all_is_looked_at(store, new_id):
    id = new_id()
    koch = sources.ifs(id=id, maps="koch", depth=7)
    store.write(koch)
    memory = Memory(2**20)
    scene, rule = Scene.open(store, id, memory=memory), Scene.of("koch")
    most = 0
    for first in range(4):
        for second in range(4):
            view = seen_from(None, f"/{first}/{second}", z=600.0)
            same(scene.cut(view, px=2.0), rule.cut(view, px=2.0))
            with scene.asked():
                most = max(most, memory.bytes)
    assert 2**17 < most <= 2**20
    view = at_home(rule)
    same(scene.cut(view), rule.cut(view))


def test_what_is_grown_meanwhile_is_seen_after_a_refresh(store, new_id):
    id, grown = new_id(), new_id("grown")
    truth = sources.ifs(id=id, maps="koch", depth=3)
    store.write(truth)
    rule = store.write_predictor(train(truth, id=new_id("rule"), depth=3, family="recurrence"))
    rollout(store, id, predictor=rule.id, from_depth=2, copy_as=grown, stop=Stop(depth=3))
    scene = Scene.open(store, grown)
    view = seen_from(None, "/1/2", z=500.0)
    assert set(np.unique(scene.cut(view, color="stored", px=20.0).value).tolist()) <= {0, 1, 2}
    before = scene.cut(view, color="stored", px=20.0).header["stored"]
    rollout(store, grown, predictor=rule.id, stop=Stop(depth=6))
    scene.refresh()
    assert scene.cut(view, color="stored", px=20.0).header["stored"] > before


def test_another_of_the_same_id_is_not_shown(store, new_id):
    id = new_id()
    store.write(sources.cfg(id=id, depth=3, arity=3))
    scene = Scene.open(store, id)
    store.remove(id)
    with pytest.raises(VanishedError):
        scene.cut(at_home(Scene.of("koch")))
    with pytest.raises(NotFoundError):
        Scene.open(store, id)
