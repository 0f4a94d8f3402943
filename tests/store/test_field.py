"""Fields of hierarchies in the graph: what is stored answers as it is, the rule below it, and of one incarnation alone."""

import numpy as np
import pytest

from cfgraph import Stop, rollout, sources, train
from cfgraph.errors import AddressError, InputError, NotFoundError, VanishedError
from cfgraph.sources.any_depth import field


def test_stored_cells_and_the_rule_below_them(store, new_id):
    id = new_id()
    koch = sources.ifs(id=id, maps="koch", depth=4)
    store.write(koch)
    answering = field(store, id)
    deep = sources.ifs(id="deep", maps="koch", depth=7)
    found = answering.cells(deep.cells.addresses)
    assert np.array_equal(found.center, deep.cells.center)
    assert np.array_equal(found.stored, found.level <= 4)
    assert answering.children(["/1/2", "/0/0/0/0"]).addresses == [
        *(f"/1/2/{slot}" for slot in range(4)),
        *(f"/0/0/0/0/{slot}" for slot in range(4)),
    ]
    with pytest.raises(InputError, match="expected the id"):
        field(store)
    with pytest.raises(NotFoundError):
        field(store, f"{id}-none")


def test_what_a_predictor_grew_goes_on_by_it(store, new_id):
    id = new_id()
    truth = sources.ifs(id=id, maps="koch", depth=3)
    store.write(truth)
    rule = store.write_predictor(train(truth, id=new_id("rule"), depth=3, family="recurrence"))
    grown = new_id("grown")
    rollout(store, id, predictor=rule.id, from_depth=2, copy_as=grown, stop=Stop(depth=5))
    answering = field(store, grown)
    named = field(store, id, predictor=rule.id)
    asked = ["/0/1/2/3/0", "/3/2/1/0/3/2/1/0", "/", "/2"]
    found = answering.cells(asked)
    assert found.stored.tolist() == [True, False, True, True]
    exact = field("koch").cells(asked)
    assert np.abs(found.center - exact.center).max() < 1e-12
    assert np.abs(named.cells(asked).center - exact.center).max() < 1e-12
    assert (answering.reach(["/0/1", "/0/1/2/3/0/1"]) < np.inf).all()


def test_another_of_the_same_id_is_not_the_one_that_was_meant(store, new_id):
    id = new_id()
    store.write(sources.cfg(id=id, depth=3, arity=3))
    answering = field(store, id)
    assert answering.cells(["/0/1"]).stored.tolist() == [True]
    store.remove(id)
    with pytest.raises(VanishedError):
        answering.cells(["/0/1"])
    store.write(sources.cfg(id=id, depth=3, arity=3, seed=5))
    with pytest.raises(VanishedError):
        answering.cells(["/0/2"])


def test_a_hierarchy_of_data_ends_where_it_is_stored(store, new_id):
    id = new_id()
    tree = sources.points(id=id, data=np.random.default_rng(0).normal(size=(100, 2)), arity=2, depth=3)
    store.write(tree)
    answering = field(store, id)
    addresses = tree.cells.addresses[:]
    assert np.array_equal(answering.radius(addresses), tree.cells.radius, equal_nan=True)
    with pytest.raises(AddressError):
        answering.cells(["/0/0/0/0/0/0/0"])


def test_what_another_predictor_grew_bounds_the_radius_too(store, new_id):
    id, rule = new_id(), new_id("rule")
    store.write(sources.cfg(id=id, depth=2, arity=3, seed=1))
    wide = sources.cfg(id=new_id("wide"), depth=3, arity=3, seed=2, separation=4.0)
    store.write(wide)
    store.write_predictor(train(wide, id=rule, depth=3, family="mean"))
    alone = float(field(store, id).radius(["/"])[0])
    rollout(store, id, predictor=rule, stop=Stop(depth=4))
    stored = store.read(id)
    lengths = np.linalg.norm(stored.residual[1:], axis=1)
    answering = field(store, id)
    assert lengths.max() > store.hierarchy(id).residual_bound
    assert answering.radius(["/"])[0] > alone
    assert np.linalg.norm(stored.center - stored.center[0], axis=1).max() <= answering.reach(["/"])[0]
