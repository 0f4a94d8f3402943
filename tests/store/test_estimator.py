"""The estimator to the graph and back, on a real server."""

import numpy as np
from sklearn.datasets import load_digits

from cfgraph import Stop, rollout, train, verify
from cfgraph.estimator import ClassificationField

DIGITS = load_digits().data[::4] / 16


def test_what_comes_back_predicts_the_same(store, new_id):
    field = ClassificationField(4, 4, level=2, minimum_size=6, random_state=0).fit(DIGITS)
    digits = new_id("digits")
    store.write(field.to_hierarchy(digits))
    back = ClassificationField.from_hierarchy(store.hierarchy(digits).with_cells(store.read(digits)))
    new = DIGITS + np.random.default_rng(0).normal(scale=0.1, size=DIGITS.shape)
    np.testing.assert_array_equal(back.apply(new), field.apply(new))
    np.testing.assert_array_equal(back.set_params(level=2).transform(new), field.transform(new))
    assert back.get_params() == field.get_params()
    assert verify(store, digits).clean


def test_cells_that_a_rollout_added_predict_too(store, new_id):
    field = ClassificationField(3, 2, random_state=0).fit(DIGITS[:, 20:24])
    digits, rule, grown = new_id("digits"), new_id("rule"), new_id("grown")
    hierarchy = store.write(field.to_hierarchy(digits))
    store.write_predictor(train(hierarchy.with_cells(store.read(digits)), id=rule, depth=2, family="mean"))
    rollout(store, digits, predictor=rule, from_depth=2, copy_as=grown, stop=Stop(depth=4))
    deeper = ClassificationField.from_hierarchy(store.hierarchy(grown).with_cells(store.read(grown)))
    found = deeper.apply(DIGITS[:, 20:24])
    assert {address.count("/") for address in found} == {4}
    assert all(after.startswith(f"{before}/") for before, after in zip(field.addresses_, found, strict=True))


def test_what_grew_in_memory_goes_to_the_graph_and_is_whole(store, new_id):
    field = ClassificationField(3, 2, random_state=0).fit(DIGITS[:, 20:24]).grow(4, family="parent")
    id = new_id("grown")
    store.write(field.to_hierarchy(id))
    assert verify(store, id).clean
    back = ClassificationField.from_hierarchy(store.hierarchy(id).with_cells(store.read(id)))
    np.testing.assert_array_equal(back.apply(DIGITS[:, 20:24]), field.apply(DIGITS[:, 20:24]))
