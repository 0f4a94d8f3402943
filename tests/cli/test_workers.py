"""Several worker processes at one rollout, watched: the same graph as one worker makes, with the numbers to follow it."""

import json
import signal
import time

import psutil
import pytest

from cfgraph.learning.train import train
from cfgraph.store.growth import Pending
from tests.grown import grown_hierarchy
from tests.processes import is_at_work


@pytest.fixture(scope="module")
def story(store, request):
    """A small true hierarchy and a predictor of it, for the tests of this file."""
    truth = grown_hierarchy("workers-truth", arity=4, dimension=32, depth=3)  # 32 dimensions: blocks of four levels
    store.write(truth)
    trained = train(truth, id="workers-rule", depth=3, family="mean")
    store.write_predictor(trained)
    yield truth.id, trained.id
    for name in (trained.id, truth.id):
        store.remove(name)


def words(story, copy, *, to_depth=7):
    """A command line that grows a copy."""
    truth, rule = story
    return ["rollout", truth, "--predictor", rule, "--from-depth", 2, "--to-depth", to_depth, "--as", copy]


def test_rollout_by_a_crew_is_that_of_one_worker(store, run, new_id, story):
    alone, together = new_id("alone"), new_id("together")
    run(*words(story, alone))
    done = run("-v", "--log-format", "json", *words(story, together), "--workers", 3)
    assert store.digest(together) == store.digest(alone)
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    events = [line for line in lines if "action" in line]  # beside them the warning that the mean is worse than zero here
    assert sum(event["action"] == "ready" for event in events) == 3
    blocks = [event for event in events if event["action"] == "write_block"]
    assert len({event["block"] for event in blocks}) == len(blocks)
    assert sum(event["cells"] for event in blocks) == (4**8 - 4**3) // 3
    assert {"time", "level", "logger", "worker", "block", "cells", "frontier", "seconds", "new"} <= set(blocks[0])
    assert "21,824 cells grown" in done.stdout
    run("verify", together)


def test_the_log_is_a_line_a_block(run, new_id, story):
    done = run("--verbose", *words(story, new_id("copy"), to_depth=5))
    lines = [line for line in done.stderr.splitlines() if "write_block" in line]
    assert lines
    assert all("block=/" in line and "cells=" in line and "worker=" in line for line in lines)


@pytest.mark.slow("a growth long enough to look at")
def test_show_tells_who_works_and_how_fast(store, run, new_id, story):
    copy = new_id("copy")
    process = run.start(*words(story, copy, to_depth=9), "--workers", 2)
    numbers = {}
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not numbers.get("workers"):
        shown = run.start("show", copy, "--format", "json")
        out, _ = shown.communicate()
        numbers = json.loads(out).get("growing", {}) if shown.returncode == 0 else {}
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert set(numbers) == {"left", "frontier", "rate", "seconds_left", "workers", "taken_over"}
    assert 1 <= numbers["workers"] <= 2
    assert 0 < numbers["left"] <= (4**10 - 4**3) // 3
    assert numbers["taken_over"] == 0
    stopped = json.loads(run("show", copy, "--format", "json").stdout)["growing"]
    assert (stopped["workers"], stopped["rate"], stopped["seconds_left"]) == (0, 0, None)
    assert stopped["left"] < numbers["left"] or stopped["frontier"] >= numbers["frontier"]
    run("verify", copy)


@pytest.mark.slow("two growths of 87,381 cells")
def test_a_worker_killed_in_a_crew_is_told_and_its_block_taken_over(store, run, new_id, story):
    alone, copy = new_id("alone"), new_id("copy")
    run(*words(story, alone, to_depth=8))
    process = run.start("-v", "--log-format", "json", *words(story, copy, to_depth=8), "--workers", 2)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not store.query("MATCH (l:Lease {hierarchy: $id}) RETURN l LIMIT 1", {"id": copy})[1]:
        time.sleep(0.05)
    psutil.Process(process.pid).children()[0].kill()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    lost = [json.loads(line) for line in err.splitlines() if '"lose_worker"' in line]
    assert ["SIGKILL" in event["reason"] for event in lost] == [True], lost
    assert store.digest(copy) == store.digest(alone)


def start_crew(store, run, story, copy):
    """A rollout by two worker processes, both at work: the command, and the two."""
    process = run.start("-v", "--log-format", "json", *words(story, copy, to_depth=9), "--workers", 2)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len({lease.owner for lease in store.read_workers(copy)}) < 2:
        time.sleep(0.05)
    return process, psutil.Process(process.pid).children()


@pytest.mark.slow("waits until a stopped worker is given up")
def test_a_worker_that_is_stopped_does_not_keep_its_command_from_ending(store, run, new_id, story):
    copy = new_id("copy")
    process, workers = start_crew(store, run, story, copy)
    workers[0].suspend()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert not any(is_at_work(worker) for worker in workers)
    run("verify", copy)


def test_all_workers_killed(store, run, new_id, story):
    copy = new_id("copy")
    process, workers = start_crew(store, run, story, copy)
    for worker in workers:
        worker.kill()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 137, err
    assert "Every worker process was lost" in err.splitlines()[-1]
    run("verify", copy)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--workers", 0], "expected 1 to 256 workers"),
        (["--workers", 1000], "expected 1 to 256 workers"),
        (["--lease-seconds", 0], "expected a lease of 0.1 to 86,400 seconds"),
        (["--lease-seconds", "nan"], "expected a lease of 0.1 to 86,400 seconds"),
        (["--outage-seconds", -1], "to wait for the store"),
    ],
)
def test_absurd_numbers_are_refused(store, run, new_id, story, options, told):
    copy = new_id("copy")
    done = run(*words(story, copy), *options, code=2)
    assert told in done.stderr
    assert copy not in {hierarchy.id for hierarchy in store.hierarchies()}


def await_lease(store, copy):
    """Wait until a worker is at a block of a hierarchy."""
    deadline = time.monotonic() + 120
    while not store.query("MATCH (l:Lease {hierarchy: $id}) RETURN l LIMIT 1", {"id": copy})[1]:
        assert time.monotonic() < deadline, "nobody came to work"
        time.sleep(0.05)


@pytest.mark.slow("a growth long enough for another to come")
def test_a_worker_with_another_target_is_refused(store, run, new_id, story):
    copy = new_id("copy")
    process = run.start(*words(story, copy, to_depth=9))
    await_lease(store, copy)
    other = run.start("rollout", copy, "--predictor", story[1], "--to-depth", 6, "--anyway")
    _, err = other.communicate(timeout=60)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert other.returncode == 2
    assert "is being grown by" in err


@pytest.mark.slow("a growth long enough to lose its predictor")
def test_a_predictor_removed_under_a_rollout_ends_it(store, run, new_id, story):
    truth, _ = story
    copy, rule = new_id("copy"), new_id("rule")
    store.write_predictor(train(store.hierarchy(truth).with_cells(store.read(truth)), id=rule, depth=3, family="mean"))
    process = run.start(*words((truth, rule), copy, to_depth=9), "--workers", 2)
    await_lease(store, copy)
    store.remove(rule)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 4, err
    assert "the predictor that grows" in err.splitlines()[-1]
    run("verify", copy)
    assert store.hierarchy(copy).former_predictors == (rule,)
    claim = store.count_frontier(copy)
    assert min(claim) < 9
    run("rollout", copy, "--predictor", story[1], "--to-depth", max(claim), "--anyway")  # another goes on
    run("verify", copy)


@pytest.mark.slow("two growths of 21,840 cells")
def test_a_lease_shorter_than_a_block_is_renewed(store, run, new_id, story):
    alone, copy = new_id("alone"), new_id("copy")
    run(*words(story, alone))
    run(*words(story, copy), "--lease-seconds", 0.1)
    assert store.digest(copy) == store.digest(alone)


def test_a_block_that_another_holds_is_waited_for_without_spinning(store, run, new_id, story):
    copy = new_id("copy")
    run(*words(story, copy, to_depth=2))
    store.query("MATCH (h:Hierarchy {id: $id}) SET h.state = 'complete'", {"id": copy}, write=True)
    process = run.start("-v", "--log-format", "json", "rollout", copy, "--predictor", story[1], "--to-depth", 4, "--anyway")
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert store.claim_frontier(copy, [Pending("/", "/0/0")], owner="x", token="x", lease_seconds=1).over
