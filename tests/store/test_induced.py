"""Fields induced by data through the graph: their rule comes back with them, and certifies what was grown."""

import numpy as np

from cfgraph import compare
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.sources import induced
from cfgraph.sources.induced import rule_of
from cfgraph.store.verify import verify

DATA = np.random.default_rng(0).normal(size=(80, 3)) * [1, 2, 3] + 5


def test_the_rule_comes_back_and_certifies_what_was_grown(store, new_id):
    truth = induced(id=new_id(), data=DATA, depth=4, arity=3, pca=2)
    store.write(truth)
    assert verify(store, truth.id).clean
    parents, tuples = truth.cells.expansions(3)
    again = rule_of(store.hierarchy(truth.id), encoder=store.encoder(truth.id))
    assert again.tuples_at(truth.cells.center[parents]).tobytes() == tuples.tobytes()
    rule = train(truth, id=new_id("rule"), depth=3, family="affine")
    store.write_predictor(rule)
    grown = new_id("grown")
    rollout(store, truth.id, predictor=rule.id, from_depth=3, copy_as=grown, stop=Stop(depth=4))
    report = compare(store, truth.id, grown)
    measured = report.certificates.measured
    assert report.levels[-1].rolled_out.max_center_error <= measured.by_level[-1]
    assert measured.lipschitz <= truth.lipschitz
