"""Growing what a field answers, against a real server: a subtree down to a level, in blocks of the cut for one depth."""

import numpy as np
import pytest

from cfgraph import Stop, field, materialise, rollout, sources, train
from cfgraph.errors import AddressError, InputError, VanishedError
from cfgraph.growing import rollout as rollout_module
from cfgraph.growing.describe import describe
from cfgraph.store.verify import verify
from tests.grown import grown_hierarchy

DEPTH = 7  # in blocks of two levels: they end at levels 1, 3, 5 and 7


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """Blocks of two levels, so that a small hierarchy has many."""
    monkeypatch.setattr(rollout_module, "block_height", lambda **_: 2)


@pytest.fixture
def grown(store, new_id):
    """A true hierarchy in the store, and a predictor of it."""
    truth = grown_hierarchy(new_id("truth"), arity=3, dimension=2, depth=2)
    store.write(truth)
    return truth, store.write_predictor(train(truth, id=new_id("rule"), depth=2, family="recurrence"))


def test_a_subtree_is_there_down_to_its_level_and_the_rest_later(store, new_id, grown):
    truth, trained = grown
    whole = rollout(store, truth.id, predictor=trained.id, stop=Stop(depth=DEPTH), from_depth=2, copy_as=new_id("whole"))
    answering = field(store, truth.id, predictor=trained.id)
    before = answering.below("/0/1/2", 2)
    report = materialise(answering, "/0/1/2", 1, depth=DEPTH)
    # level 3: the block of /0 with its 3 seeds, and levels 4 and 5 below /0/1/2; level 4 was asked for, and the block ends at 5
    assert (report.grown, report.to_depth, report.finished, report.below) == (9 + 12, 5, True, ("/0/1/2:5",))
    stored = set(store.read(truth.id).addresses)
    assert set(before.addresses) <= stored
    assert not any(address.startswith("/0/1/1/") for address in stored)
    after = answering.below("/0/1/2", 2)
    assert (after.stored.all(), before.stored.any()) == (True, False)
    np.testing.assert_allclose(after.center, before.center, atol=1e-12)
    (growth,) = store.read_growth(truth.id)
    assert (growth.below, growth.pending, growth.done, growth.to_depth) == (("/0/1/2:5",), (), True, DEPTH)
    assert verify(store, truth.id).clean
    again = materialise(answering, "/0/1/2", 2, depth=DEPTH)
    assert (again.grown, again.finished, again.to_depth) == (0, True, 5)
    line = materialise(answering, "/2/1/1/0/2", 0, depth=DEPTH)  # the cell itself: levels 3, 4 and 5 on its line
    assert (line.grown, line.to_depth) == (9 + 12, 5)
    deeper = materialise(answering, "/0/1/2", 4, depth=DEPTH)
    assert (deeper.grown, deeper.below, deeper.to_depth) == (9 * 12, ("/0/1/2",), DEPTH)
    assert materialise(answering, "/", 3, depth=DEPTH).grown == 9  # the block of /1
    rest = rollout(store, truth.id, predictor=trained.id, stop=Stop(depth=DEPTH))
    assert rest.finished
    assert store.digest(truth.id) == store.digest(whole.id)
    assert verify(store, truth.id).clean


def test_interrupted_it_goes_on_and_others_say_what_is_left(store, new_id, grown):
    truth, trained = grown
    answering = field(store, truth.id, predictor=trained.id)
    halted = materialise(answering, "/0/0", 3, depth=DEPTH, interrupted=lambda: True)
    assert (halted.finished, halted.grown, store.hierarchy(truth.id).state) == (False, 0, "growing")
    shown = describe(store, truth.id)["growing"]
    assert (shown["below"], shown["left"]) == (["/0/0:5"], 9 + 3 * 12)
    deeper = {"predictor": trained.id, "stop": Stop(depth=DEPTH)}
    other = rollout(store, truth.id, below=["/0/0/1"], **deeper)  # one part in the other: what both need is grown once
    assert (other.grown, other.left) == (9 + 12 + 9 * 12, ("/0/0:5",))
    assert describe(store, truth.id)["growing"]["left"] == 2 * 12
    report = materialise(answering, "/0/0", 3, depth=DEPTH, workers=2)
    assert (report.grown, report.finished, report.left) == (2 * 12, True, ())
    (growth,) = store.read_growth(truth.id)
    assert (growth.below, growth.done) == (("/0/0:5", "/0/0/1"), True)
    assert verify(store, truth.id).clean


def test_another_depth_and_another_predictor_are_refused(store, new_id, grown):
    truth, trained = grown
    materialise(field(store, truth.id, predictor=trained.id), "/1", 2, depth=DEPTH)
    with pytest.raises(InputError, match=rf"below /1:3 alone, .* --to-depth {DEPTH}"):
        materialise(field(store, truth.id), "/1", 2, depth=DEPTH + 1)
    other = store.write_predictor(train(truth, id=new_id("other"), depth=2, family="mean"))
    with pytest.raises(InputError, match=rf"--predictor {trained.id} and --to-depth {DEPTH}".replace("|", r"\|")):
        materialise(field(store, truth.id, predictor=other), "/2", 2, depth=DEPTH, anyway=True)
    assert store.read(truth.id).depth == 3


def test_what_is_asked_for_wrongly_is_refused(store, new_id, grown):
    truth, trained = grown
    answering = field(store, truth.id, predictor=trained.id)
    for address, levels, depth, told in (
        ("/0/1", 6, DEPTH, r"a depth of at least 8 \(6 levels below /0/1, which is on level 2\), got 7"),
        ("/0/3", 1, DEPTH, "slots 0 to 2"),
        ("/0", -1, DEPTH, "number of levels"),
        ("/0", 1.0, DEPTH, "number of levels"),
        ("/0", 1, 7.0, "depth"),
        ("/0", 60, 90, r"about 10\^\d+ more cells"),
    ):
        with pytest.raises(InputError, match=told):
            materialise(answering, address, levels, depth=depth)
    with pytest.raises(AddressError):
        materialise(answering, "0/1", 1, depth=DEPTH)
    with pytest.raises(InputError, match="expected a field"):
        materialise(truth, "/0", 1, depth=DEPTH)
    with pytest.raises(InputError, match="lies in none"):
        materialise(field(truth, predictor=trained), "/0", 1, depth=DEPTH)
    with pytest.raises(InputError, match="lies in none"):
        materialise(field("koch"), "/0", 1, depth=DEPTH)
    koch = store.write(sources.ifs(id=new_id("koch"), maps="koch", depth=2))
    with pytest.raises(InputError, match=r"by the rule of a predictor .* its rule is what made it.* Train one"):
        materialise(field(store, koch.id), "/0", 1, depth=DEPTH)
    with pytest.raises(InputError, match=r"by the rule of a predictor .* Train one"):
        materialise(field(store, truth.id, predictor=trained.load()), "/0", 1, depth=DEPTH)
    assert store.read_growth(truth.id) == []


def test_it_is_of_the_hierarchy_and_the_predictor_that_the_field_was_made_of(store, new_id, grown):
    truth, trained = grown
    answering = field(store, truth.id, predictor=trained.id)
    store.remove(trained.id)
    again = store.write_predictor(train(truth, id=trained.id, depth=2, family="recurrence"))
    with pytest.raises(VanishedError, match="another made under its id"):
        materialise(answering, "/0", 2, depth=DEPTH)
    answering = field(store, truth.id, predictor=again.id)
    store.remove(truth.id)
    store.write(truth)
    with pytest.raises(VanishedError, match="another made under its id"):
        materialise(answering, "/0", 2, depth=DEPTH)
    assert store.read_growth(truth.id) == []
