"""Rollout against a real server: any interruption ends in the same graph, and every stop stops where it says."""

import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import neo4j
import numpy as np
import pytest
from neo4j.exceptions import DriverError

from cfgraph.errors import InputError, NotFoundError, VanishedError
from cfgraph.growing import rollout as rollout_module
from cfgraph.growing.events import log_event
from cfgraph.growing.leases import LeaseKeeper
from cfgraph.growing.materialise import materialise
from cfgraph.growing.outage import DRIVER_SECONDS
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.growing.worker import Worker, lost_in_words
from cfgraph.learning.train import train
from cfgraph.metric.distances import truncation_bound
from cfgraph.model.cells import EXPANDED, FRONTIER
from cfgraph.model.growth import grow
from cfgraph.sources.any_depth import field
from cfgraph.store import writing
from cfgraph.store.growth import Pending
from cfgraph.store.verify import verify
from tests.grown import assert_same_cells, grown_hierarchy, ragged_hierarchy


@pytest.fixture
def grown(store, new_id):
    """A true hierarchy in the store, and a predictor that learned its rule."""
    truth = grown_hierarchy(new_id("truth"), arity=3, dimension=2, depth=4)
    store.write(truth)
    trained = train(truth.with_cells(truth.cells.prefix(3)), id=new_id("rule"), depth=3, family="recurrence")
    store.write_predictor(trained)
    return truth, trained


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of two levels, so that a small hierarchy has many."""
    monkeypatch.setattr(rollout_module, "block_height", lambda **_: 2)


def copy_of(store, grown, id, **options):
    """Roll out a copy of the first levels."""
    truth, trained = grown
    options = {"stop": Stop(depth=6), "from_depth": 2, **options}
    return rollout(store, truth.id, predictor=trained.id, copy_as=id, **options)


def test_rollout_of_a_copy_is_what_growth_in_memory_gives(store, new_id, grown, small_blocks):
    truth, trained = grown
    report = copy_of(store, grown, new_id("copy"))
    expected = grow(truth.cells.prefix(2), rule=trained.load().predict, arity=3, scale_factor=truth.scale_factor, depth=6)
    found = store.read(report.id)
    assert (report.finished, report.grown) == (True, len(expected) - 13)
    assert found.addresses == expected.addresses
    np.testing.assert_array_equal(found.state, expected.state)
    np.testing.assert_array_equal(found.predicted, expected.predicted)
    np.testing.assert_allclose(found.center, expected.center, atol=1e-12)
    assert verify(store, report.id).clean
    assert store.hierarchy(report.id).state == "complete"
    assert store.grown_by(report.id).truth == truth.id
    assert_same_cells(store.read(truth.id), truth.cells)


def test_rollout_in_place_grows_the_frontier(store, new_id, grown):
    truth, trained = grown
    report = rollout(store, truth.id, predictor=trained.id, stop=Stop(depth=6))
    assert report.grown == 3**5 + 3**6
    found = store.read(truth.id)
    assert (found.predicted == (found.level > 4)).all()
    assert verify(store, truth.id).clean
    again = rollout(store, truth.id, predictor=trained.id, stop=Stop(depth=6))
    assert (again.grown, again.finished) == (0, True)
    deeper = rollout(store, truth.id, predictor=trained.id, stop=Stop(depth=7))
    assert deeper.grown == 3**7
    assert verify(store, truth.id).clean


MORE = [pytest.param(blocks, marks=pytest.mark.slow("the same at other blocks")) for blocks in (0, 1, 7, 30)]


@pytest.mark.parametrize("blocks", [2, *MORE])
def test_rollout_interrupted_between_blocks_goes_on(store, new_id, grown, small_blocks, blocks):
    whole = copy_of(store, grown, new_id("whole"))
    asked = iter(range(10**6))
    part = copy_of(store, grown, new_id("part"), interrupted=lambda: next(asked) >= blocks)
    assert not part.finished
    assert verify(store, part.id).clean
    assert store.hierarchy(part.id).state == "growing"
    rest = copy_of(store, grown, part.id)
    assert rest.finished
    assert part.grown + rest.grown == whole.grown
    assert store.digest(part.id) == store.digest(whole.id)
    assert store.query("MATCH (l:Lease {hierarchy: $id}) RETURN count(l)", {"id": part.id})[1] == [[0]]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_rollout_ends_between_blocks_at_a_signal(store, new_id, run, number, code):
    truth = grown_hierarchy(new_id("truth"), arity=4, depth=3)
    store.write(truth)
    trained = train(truth, id=new_id("rule"), depth=3, family="recurrence")
    store.write_predictor(trained)
    copy = new_id("copy")
    process = run.start("rollout", truth.id, "--predictor", trained.id, "--from-depth", 2, "--to-depth", 9, "--as", copy)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not store.query("MATCH (l:Lease {hierarchy: $id}) RETURN l LIMIT 1", {"id": copy})[1]:
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "the same command goes on" in err
    assert verify(store, copy).clean
    assert store.query("MATCH (l:Lease {hierarchy: $id}) RETURN count(l)", {"id": copy})[1] == [[0]]


def claim(store, id, *, owner, lease_seconds, token=None):
    """Claim the topmost block by force."""
    token = token or f"token of {owner}"
    return store.claim_frontier(id, [TOP], owner=owner, token=token, lease_seconds=lease_seconds)


LEASE_SECONDS = 3.0  # long enough to be renewed in time on a busy machine
TOP = Pending("/", seed="/0/0")


def test_a_late_write_is_refused(store, new_id, grown):
    """A worker whose lease has ended writes nothing, whether it was taken over or not; who holds it now does."""
    report = copy_of(store, grown, new_id("copy"), interrupted=lambda: True)
    first = claim(store, report.id, owner="slow", lease_seconds=0.1)
    assert len(first.leases) == 1
    worker = Worker(store, store.hierarchy(report.id), grown[1].load().predict, store.grown_by(report.id))
    block = worker._grow_block("/", 6, lease=first.leases[0], keeper=None)
    before = store.digest(report.id, live=True)
    time.sleep(0.2)
    assert write(store, report.id, block, first.leases[0]).lost
    assert store.digest(report.id, live=True) == before
    assert store.renew_leases(report.id, [first.leases[0]], lease_seconds=60) == set()
    second = claim(store, report.id, owner="quick", lease_seconds=60)
    assert (second.taken_from, len(second.leases)) == ({"/": "slow"}, 1)
    third = claim(store, report.id, owner="third", lease_seconds=60)
    assert (third.leases, third.held) == ((), {"/": "quick"})
    assert claim(store, report.id, owner="quick", lease_seconds=60).leases == second.leases  # the same token asks again
    assert write(store, report.id, block, first.leases[0]).lost
    assert store.digest(report.id, live=True) == before
    assert store.renew_leases(report.id, [*second.leases, *first.leases], lease_seconds=60) == {*second.leases}
    assert write(store, report.id, block, second.leases[0]).new
    assert len(store.read(report.id, live=True)) == 1 + 3 + 9 + 27 + 81 + 243 + 729
    assert claim(store, report.id, owner="late", lease_seconds=60).done == {"/"}
    assert store.query("MATCH (l:Lease {hierarchy: $id}) RETURN count(l)", {"id": report.id})[1] == [[0]]


def test_a_block_that_takes_longer_than_its_lease_keeps_it_and_is_told_once(store, new_id, grown):
    report = copy_of(store, grown, new_id("copy"), interrupted=lambda: True)
    (lease,) = claim(store, report.id, owner="patient", lease_seconds=LEASE_SECONDS).leases
    told = []
    keeper = LeaseKeeper(store, report.id, lease_seconds=lambda: LEASE_SECONDS, rate=lambda: 0.0, outlasted=told.append)
    with keeper:
        keeper.hold(lease)
        time.sleep(2 * LEASE_SECONDS)
        assert store.renew_leases(report.id, [lease], lease_seconds=LEASE_SECONDS) == {lease}
        assert told == [lease]
    assert store.query("MATCH (l:Lease {hierarchy: $id}) RETURN count(l)", {"id": report.id})[1] == [[0]]  # given back


def test_a_write_that_waits_for_a_lock_past_its_time_is_tried_again(store, new_id, grown):
    report = copy_of(store, grown, new_id("copy"), interrupted=lambda: True)
    worker = Worker(store, store.hierarchy(report.id), grown[1].load().predict, store.grown_by(report.id))
    block = worker._grow_block("/", 6, lease=None, keeper=None)
    lock = "MATCH (c:Cell {key: $key}) SET c.locked = true"
    with store._graph.session() as session, session.begin_transaction() as tx, ThreadPoolExecutor(1) as pool:
        tx.run(lock, {"key": f"{report.id}/0/0"}).consume()
        options = {"id": report.id, "incarnation": worker.hierarchy.incarnation, "transaction_seconds": 0.5}
        writing_it = pool.submit(lambda: write_alone(store, block, **options))
        time.sleep(1.2)
        tx.rollback()
        assert writing_it.result() is True
    assert verify(store, report.id).clean


def write_alone(store, block, **options):
    """Write one block in a session of its own; whether it was new."""
    with store._graph.session() as session:
        return writing.write_block(store._graph, session, block, **options)


def write(store, id, block, lease):
    """Write one block; what became of it."""
    seen = []
    with store.block_writer(store.hierarchy(id), done=seen.append) as writer:
        writer.submit(block, lease=lease)
    return seen[0]


def test_rollout_waits_for_a_block_that_another_holds(store, new_id, grown):
    report = copy_of(store, grown, new_id("copy"), interrupted=lambda: True)
    claim(store, report.id, owner="elsewhere:x:1:2", lease_seconds=1.5)
    begin = time.monotonic()
    finished = copy_of(store, grown, report.id)
    assert finished.finished
    assert finished.taken_over == 1
    assert store.grown_by(report.id).taken_over == 1
    assert time.monotonic() - begin > 0.5
    assert verify(store, report.id).clean


def test_a_worker_that_meets_another_looks_at_many_blocks_at_once(store, new_id, grown, small_blocks, monkeypatch):
    """Of 81 blocks another grows 76 before the first claim: a look tells which, not a claim for every four of them."""
    report, claims = copy_of(store, grown, new_id("copy"), interrupted=lambda: True), {"late": 0, "early": 0}
    hierarchy, growth = store.hierarchy(report.id), store.grown_by(report.id)
    real, rule = store.claim_frontier, grown[1].load().predict

    def claim(id, blocks, *, owner, **options):
        deepest = blocks[0].root.count("/") == 4
        if owner == "late" and deepest and not claims["early"]:
            Worker(store, hierarchy, rule, growth, owner="early", halted=lambda: claims["early"] == 38).run()
        claims[owner] += deepest
        return real(id, blocks, owner=owner, **options)

    monkeypatch.setattr(store, "claim_frontier", claim)
    assert Worker(store, hierarchy, rule, growth, owner="late").run()
    assert claims["early"] == 38
    assert claims["late"] <= 10
    assert store.digest(report.id) == store.digest(copy_of(store, grown, new_id("whole")).id)


def test_rollout_stops_by_precision(store, new_id, grown):
    truth, _ = grown
    report = copy_of(store, grown, new_id("copy"), stop=Stop(precision=0.05))
    bounds = {"residual_bound": store.hierarchy(report.id).residual_bound, "scale_factor": truth.scale_factor}
    depth = store.counts(report.id).depth
    assert truncation_bound(depth, **bounds) <= 0.05 < truncation_bound(depth - 1, **bounds)


@pytest.mark.parametrize("cells", [13, 14, 40, 200, 365, 700])
def test_rollout_stops_by_cells(store, new_id, grown, small_blocks, cells):
    report = copy_of(store, grown, new_id("copy"), stop=Stop(cells=cells))
    found = store.read(report.id)
    assert len(found) <= cells
    whole = max(depth for depth in range(2, 9) if (3 ** (depth + 1) - 1) // 2 <= cells)
    assert (found.state[found.level < whole] == EXPANDED).all()
    grown_further = [found.addresses[row] for row in np.flatnonzero((found.level == whole) & (found.state == EXPANDED))]
    frontier = [found.addresses[row] for row in np.flatnonzero((found.level == whole) & (found.state == FRONTIER))]
    assert not grown_further or max(grown_further) < min(frontier)
    assert verify(store, report.id).clean
    asked = iter(range(10**6))
    part = copy_of(store, grown, new_id("part"), stop=Stop(cells=cells), interrupted=lambda: next(asked) >= 2)
    copy_of(store, grown, part.id, stop=Stop(cells=cells))
    assert store.digest(part.id) == store.digest(report.id)


@pytest.mark.slow("waits until its time is over")
def test_rollout_stops_by_time(store, new_id, grown, small_blocks):
    begin = time.monotonic()
    report = copy_of(store, grown, new_id("copy"), stop=Stop(seconds=5.0))
    assert report.finished
    assert report.grown > 0
    assert time.monotonic() - begin < 60
    assert verify(store, report.id).clean
    deeper = rollout(store, report.id, predictor=grown[1].id, stop=Stop(depth=store.counts(report.id).depth))
    assert deeper.finished
    assert set(store.count_frontier(report.id)) == {store.counts(report.id).depth}
    assert verify(store, report.id).clean


def test_a_stop_by_time_counts_from_the_begin_of_the_growth(store, new_id, grown, small_blocks):
    part = copy_of(store, grown, new_id("copy"), stop=Stop(seconds=0.2), interrupted=lambda: True)
    assert not part.finished
    time.sleep(0.3)
    rest = copy_of(store, grown, part.id, stop=Stop(seconds=0.2))
    assert (rest.finished, rest.grown) == (True, 0)
    assert store.hierarchy(part.id).state == "complete"


def test_rollout_of_a_ragged_tree_leaves_its_leaves(store, new_id):
    truth = ragged_hierarchy(new_id("truth"), arity=2, depth=6)
    store.write(truth)
    trained = train(truth, id=new_id("rule"), depth=4, family="mean")
    store.write_predictor(trained)
    report = rollout(store, truth.id, predictor=trained.id, stop=Stop(depth=9), from_depth=4, copy_as=new_id("copy"))
    found, prefix = store.read(report.id), truth.cells.prefix(4)
    leaves = [prefix.addresses[row] for row in np.flatnonzero(prefix.state == 2)]
    assert [found.addresses[row] for row in np.flatnonzero(found.state == 2)] == leaves
    assert verify(store, report.id).clean


def test_rollout_refuses_what_does_not_fit(store, new_id, grown):
    truth, trained = grown
    other = grown_hierarchy(new_id("other"), arity=2, depth=3)
    store.write(other)
    with pytest.raises(InputError, match=r"trained for arity 3, and hierarchy .* has arity 2"):
        rollout(store, other.id, predictor=trained.id, stop=Stop(depth=5))
    with pytest.raises(InputError, match="no prefix of depth 9"):
        copy_of(store, grown, new_id("a"), from_depth=9, stop=Stop(depth=12))
    with pytest.raises(InputError, match="would be"):
        copy_of(store, grown, new_id("b"), stop=Stop(depth=60))
    with pytest.raises(InputError, match="at least the prefix's 2"):
        copy_of(store, grown, new_id("c"), stop=Stop(depth=1))
    with pytest.raises(NotFoundError):
        rollout(store, truth.id, predictor="no-such-predictor", stop=Stop(depth=5))
    for wrong in ({}, {"depth": 3, "cells": 5}, {"depth": -1}, {"precision": 0.0}, {"seconds": float("nan")}):
        with pytest.raises(InputError):
            Stop(**wrong)
    assert not any(hierarchy.origin == "rollout" for hierarchy in store.hierarchies() if truth.id in str(hierarchy.recipe))


def test_a_second_rollout_with_another_target_is_refused(store, new_id, grown):
    part = copy_of(store, grown, new_id("copy"), interrupted=lambda: True)
    with pytest.raises(InputError, match="is being grown by"):
        rollout(store, part.id, predictor=grown[1].id, stop=Stop(depth=9))
    with pytest.raises(InputError, match="another recipe"):
        copy_of(store, grown, part.id, stop=Stop(depth=9))


def test_a_hierarchy_removed_under_a_rollout_ends_it(store, new_id, grown, small_blocks):
    copy = new_id("copy")
    asked = iter(range(10**6))

    def remove_then_go_on():
        if next(asked) == 3:
            store.remove(copy)
        return False

    with pytest.raises(VanishedError, match="removed"):
        copy_of(store, grown, copy, interrupted=remove_then_go_on)
    assert store.query("MATCH (c:Cell) WHERE c.hierarchy = $id RETURN count(c)", {"id": copy})[1] == [[0]]


def test_a_worker_whose_growth_was_removed_takes_no_part_in_the_next(store, new_id, grown):
    """A worker that slept meets a hierarchy of the same id and predictor that is grown to another depth."""
    part = copy_of(store, grown, new_id("copy"), interrupted=lambda: True)
    asleep = Worker(store, store.hierarchy(part.id), grown[1].load().predict, store.grown_by(part.id))
    store.remove(part.id)
    copy_of(store, grown, part.id, stop=Stop(depth=5), interrupted=lambda: True)
    before = store.digest(part.id, live=True)
    with pytest.raises(VanishedError, match="was removed meanwhile"):
        asleep.run()
    assert store.digest(part.id, live=True) == before
    copy_of(store, grown, part.id, stop=Stop(depth=5))
    whole = copy_of(store, grown, new_id("whole"), stop=Stop(depth=5))
    assert store.digest(part.id) == store.digest(whole.id)
    with pytest.raises(VanishedError, match="was removed meanwhile"):
        store.finish_growth(part.id, asleep.growth)


def test_a_worker_does_not_complete_what_is_being_removed(store, new_id, grown):
    """Nothing left to grow, since the cells are being removed: that is no end that was reached."""
    part = copy_of(store, grown, new_id("copy"), interrupted=lambda: True)
    worker = Worker(store, store.hierarchy(part.id), grown[1].load().predict, store.grown_by(part.id))
    store.set_state(part.id, state="removing", expected=("growing",))
    store._graph.write("remove_cells", low=f"{part.id}/", high=f"{part.id}0", batch=1000)
    with pytest.raises(VanishedError, match="was removed meanwhile"):
        worker.run()
    assert store.hierarchy(part.id).state == "removing"


def test_a_single_worker_waits_for_the_store_over_a_connection_of_its_own(store, new_id, grown, monkeypatch):
    """As those of a crew do: the driver's own waits grow to half a minute, in which leases end unrenewed."""
    opened, make = [], neo4j.GraphDatabase.driver

    def note(*uri, **options):
        opened.append((make(*uri, **options), options["max_transaction_retry_time"]))
        return opened[-1][0]

    monkeypatch.setattr(neo4j.GraphDatabase, "driver", note)
    assert copy_of(store, grown, new_id("copy")).finished
    ((driver, seconds),) = opened
    assert seconds == DRIVER_SECONDS
    with pytest.raises(DriverError, match="closed"):
        driver.verify_connectivity()


@pytest.fixture(scope="module")
def nothing(store):
    """A small hierarchy, and the rule ``zero`` for it, which is no better than itself."""
    id = f"nothing-{uuid.uuid4().hex[:8]}"
    truth = grown_hierarchy(id, arity=3, depth=3)
    store.write(truth)
    rule = store.write_predictor(train(truth, id=f"{id}-rule", depth=3, family="zero"))
    yield truth, rule
    for name in (rule.id, truth.id):
        store.remove(name)


def test_growing_in_place_by_what_is_no_better_than_nothing_has_to_be_meant(store, nothing):
    truth, rule = nothing
    answering = field(store, truth.id, predictor=rule.id)
    refused = [
        lambda: rollout(store, truth.id, predictor=rule.id, stop=Stop(depth=4)),
        lambda: rollout(store, truth.id, predictor=rule, stop=Stop(depth=4), below=["/0/1"], workers=2),
        lambda: materialise(answering, "/0/1", 1, depth=5),
    ]
    for grow_it in refused:
        with pytest.raises(InputError, match=r"in place needs .* no better than nothing: .*grow a copy .*\(--anyway\)"):
            grow_it()
    assert store.read_growth(truth.id) == []  # nothing was pinned
    assert store.hierarchy(truth.id).state == "complete"
    part = materialise(answering, "/0/1/0", 1, depth=4, anyway=True)
    assert part.grown > 0
    rest = rollout(store, truth.id, predictor=rule.id, stop=Stop(depth=4))  # whoever goes on with it need not say it again
    assert rest.finished
    assert rollout(store, truth.id, predictor=rule.id, stop=Stop(depth=4)).grown == 0  # nor who finds it done
    with pytest.raises(InputError, match="--anyway"):
        rollout(store, truth.id, predictor=rule.id, stop=Stop(depth=5))
    assert any("no better than nothing" in warning for warning in rest.warnings)


def test_a_copy_is_grown_by_what_is_no_better_than_nothing_with_a_warning(store, new_id, nothing):
    truth, rule = nothing
    copy = rollout(store, truth.id, predictor=rule.id, stop=Stop(depth=3), from_depth=2, copy_as=new_id("copy"))
    assert copy.finished
    assert any("no better than nothing" in warning for warning in copy.warnings)


def test_a_predictor_of_which_nobody_knows_grows_in_place(store, new_id, nothing):
    """Of one that was written without a table, which earlier versions may have done."""
    truth = grown_hierarchy(new_id("truth"), arity=3, depth=2)
    store.write(truth)
    untold = train(truth, id=new_id("rule"), depth=2, family="zero").model_copy(update={"folds": {}, "validation": {}})
    rule = store.write_predictor(untold.model_copy(update={"warnings": ()}))
    assert rollout(store, truth.id, predictor=rule.id, stop=Stop(depth=3)).warnings == ()


def test_leases_that_a_slow_machine_loses_are_told_once(store, new_id, small_blocks, monkeypatch, caplog):
    """No renewal comes in time, as where a machine has no time for the thread that renews: many are lost, one line says so."""
    truth = grown_hierarchy(new_id("truth"), arity=3, depth=3)
    store.write(truth)
    trained = store.write_predictor(train(truth, id=new_id("rule"), depth=3, family="recurrence"))
    part = copy_of(store, (truth, trained), new_id("copy"), interrupted=lambda: True)
    growth, rule = store.grown_by(part.id), trained.load().predict
    monkeypatch.setattr(LeaseKeeper, "_keep", lambda keeper: None)
    told, slow = [], [0.3] * 6

    def slow_rule(frontier):
        time.sleep(slow.pop() if slow else 0)
        return rule(frontier)

    def observe(event):
        told.append(event)
        log_event(event)

    with caplog.at_level("WARNING", logger="cfgraph.rollout"):
        assert Worker(store, store.hierarchy(part.id), slow_rule, growth, lease_seconds=0.1, observe=observe).run()
    lost = [event for event in told if event.action == "lose_lease"]
    assert len(lost) >= 2
    assert [event.facts["lost"] for event in lost] == list(range(1, len(lost) + 1))
    assert ["reason" in event.facts for event in lost] == [True] + [False] * (len(lost) - 1)
    (line,) = (record.getMessage() for record in caplog.records if "lose_lease" in record.getMessage())
    assert "it lasts 0.1 s and was not renewed for" in line
    assert "too slow" in line
    assert "--lease-seconds" in line
    assert verify(store, part.id).clean


def test_a_lease_that_was_taken_in_time_is_no_slowness():
    assert "renewed in time" in lost_in_words("/0", late=1.0, lasted=20.0, next_seconds=40.0)
    assert "--lease-seconds 61)" in lost_in_words("/0", late=30.2, lasted=20.0, next_seconds=40.0)
