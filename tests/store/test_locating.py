"""Where points lie in hierarchies in the graph: read by address, the rule below; what is stored alone where none is known."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage

from cfgraph import Stop, rollout, sources, train
from cfgraph.errors import InputError, VanishedError
from cfgraph.files.embeddings import Embeddings
from cfgraph.metric.locate import locate
from cfgraph.sources.any_depth import field


def test_stored_cells_first_and_the_rule_below_them(store, new_id):
    id = new_id()
    store.write(sources.ifs(id=id, maps="koch", depth=4))
    answering, exact = field(store, id), field("koch")
    x = np.random.default_rng(0).uniform([0, 0], [1, 0.4], (500, 2))
    for depth in (3, 9, 200):
        one, other = answering.locate(x, depth=depth), exact.locate(x, depth=depth)
        both = one.sure & other.sure
        assert both.mean() > 0.9
        assert np.array_equal(one.slots[both], other.slots[both])
        assert one.stored.all() == (depth <= 4)
    assert np.allclose(answering.nearest(x, 2, depth=8).distance, exact.nearest(x, 2, depth=8).distance, atol=1e-13)
    assert np.array_equal(answering.within(x[:200], 0.05, depth=6).slots, exact.within(x[:200], 0.05, depth=6).slots)
    assert answering.locate(x[:3]).level.tolist() == [4, 4, 4]


def test_parts_that_are_grown_further_than_others(store, new_id):
    id, rule = new_id(), new_id("rule")
    truth = sources.ifs(id=id, maps="koch", depth=2)
    store.write(truth)
    store.write_predictor(train(truth, id=rule, depth=2, family="recurrence"))
    rollout(store, id, predictor=rule, stop=Stop(depth=8), below=["/1/2"])
    answering, exact = field(store, id), field("koch")
    x = np.random.default_rng(0).uniform([0, 0], [1, 0.4], (300, 2))
    for beam in (1, 4):
        one, other = answering.locate(x, depth=8, beam=beam), exact.locate(x, depth=8, beam=beam)
        both = one.sure & other.sure
        assert both.mean() > 0.8
        assert np.array_equal(one.slots[both], other.slots[both])
        assert one.stored.any()
        assert not one.stored.all()
    assert np.allclose(answering.nearest(x, 3, depth=8).distance, exact.nearest(x, 3, depth=8).distance, atol=1e-12)
    assert np.array_equal(answering.within(x[:100], 0.05, depth=8).slots, exact.within(x[:100], 0.05, depth=8).slots)


def test_imported_hierarchies_with_centers_answer_from_what_is_stored(store, new_id):
    id = new_id()
    random = np.random.default_rng(0)
    data = random.normal(size=(80, 3))
    tree = sources.linkage(id=id, data=linkage(data, "average"), embeddings=Embeddings(data, names=None, digest=None))
    store.write(tree)
    answering = field(store, id)
    x = random.normal(size=(500, 3))
    found = answering.locate(x, beam=2)
    rows = locate(tree.cells, x, beam=2)
    assert found.addresses == [tree.cells.addresses[row] for row in rows.tolist()]
    assert found.stored.all()
    childless = tree.cells.center[tree.cells.child_count == 0]
    away = np.linalg.norm(x[:, None] - childless[None], axis=2)
    assert np.allclose(answering.nearest(x, 2).distance.reshape(-1, 2), np.sort(away, axis=1)[:, :2])
    assert (found.distance[found.nearest] <= away.min(axis=1)[found.nearest] * (1 + 1e-12)).all()
    with pytest.raises(InputError, match="a precision needs a rule"):
        answering.locate(x, precision=0.1)
    bare = new_id()
    store.write(sources.linkage(id=bare, data=linkage(data, "average")))
    with pytest.raises(InputError, match="expected cells with centers"):
        field(store, bare).locate(np.zeros((1, 0)))


def test_another_of_the_same_id_is_not_the_one_that_was_meant(store, new_id):
    id = new_id()
    store.write(sources.cfg(id=id, depth=3, arity=3))
    answering = field(store, id)
    x = np.zeros((2, answering.ground.top.center.shape[1]))
    answering.locate(x, depth=5)
    store.remove(id)
    with pytest.raises(VanishedError):
        answering.locate(x, depth=5)
