"""Engines: whether rollouts can run on somebody's engine, or on an executor of his."""

import pickle
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cfgraph.errors import NotFoundError
from cfgraph.growing.engines.engine import Engine, Handle, Submits
from cfgraph.growing.engines.find import find_engine
from cfgraph.growing.engines.fleet import fetch
from cfgraph.growing.engines.job import Job
from cfgraph.growing.rollout import rollout
from cfgraph.learning.train import train
from cfgraph.sources.ifs import ifs
from cfgraph.testing.expected import expect, expecting

if TYPE_CHECKING:
    from cfgraph.store import Store

ENGINE_SECONDS = 120.0  # within which an engine runs a first function
SLEEP_SECONDS = 3.0  # how long a function sleeps that is not to be waited for
DEPTH = 7  # of the rollouts: 21,840 cells below level 2, in several blocks


def check_engine(
    executor: str | Submits | Engine,
    store: "Store",
    *,
    workers: int = 2,
    depth: int = DEPTH,
    patience_seconds: float = ENGINE_SECONDS,
) -> None:
    """Whether rollouts can run on an engine; some seconds, and a small hierarchy in a store of one's own.

    What is asked: ``submit`` comes back before the function has ended; ``done()`` becomes true; ``result()`` gives what the
    function gave, a job as it went, and raises what it raised, after which the engine still works; the same function with the
    same arguments runs each time (an engine that remembers results would grow nothing). Then one worker in this process and
    ``workers`` on the engine grow the same copy: the same digest, a clean graph, no lease left.

    Args:
        executor: an engine by its name (``"mine:PLACE"``), an ``Engine``, or what has ``submit(function, *arguments)``.
        store: opened by its URL, so that workers can open it too; what is written there is removed again.
        workers: shifts at once.
        depth: to which the two are grown from level 2; at 7 there are several blocks for the workers to share.
        patience_seconds: how long a function may take to come to its turn.

    Raises:
        AssertionError: for the first thing that does not hold.
    """
    engine = find_engine(executor, workers=workers)
    try:
        _check_functions(engine, patience_seconds)
        _check_growth(engine, store, workers=workers, depth=depth)
    finally:
        if engine is not executor:
            engine.close()


def _check_functions(engine: Engine, patience: float) -> None:
    sleeping = _submit(engine, time.sleep, SLEEP_SECONDS)
    expect(not sleeping.done(), "expected submit to come back, and done() to be False, while the function runs; it was over")
    job = Job("bolt://nowhere", None, "it", {"stop": {"depth": 5}}, device="cpu", lease_seconds=1.0, outage_seconds=1.0)
    with expecting("result() to give what the function gave"):
        came = _result(engine, patience, _give, job)
    expect(came == job, f"expected a value to come home as it went, {job!r}, got {came!r}")
    expect(pickle.loads(pickle.dumps(came)) == job, f"expected a value that can be pickled again, got {came!r}")
    with expecting("result() to give what the function gave"):
        first, second = (_result(engine, patience, _draw) for _ in range(2))
    expect(first != second, "expected a function to run each time that it is submitted, got the first result again")
    try:
        came = _result(engine, patience, _fail, "on purpose")
    except AssertionError:
        raise
    except Exception as error:
        expect("on purpose" in str(error), f"expected result() to raise what the function raised, got {error!r}")
    else:
        raise AssertionError(f"expected result() to raise what the function raised, it gave {came!r}")
    with expecting("functions to run after one that failed"):
        expect(_result(engine, patience, _give, 1) == 1, "expected functions to run after one that failed, got another value")
    _await(sleeping, patience)


def _give(value: Any) -> Any:
    return value


def _draw() -> str:
    return secrets.token_hex(8)


def _fail(message: str) -> None:
    raise ValueError(message)


def _submit(engine: Engine, function: Callable[..., Any], *arguments: Any) -> Handle:
    with expecting("submit to give a handle with done() and result()"):
        return engine.submit(function, *arguments)


def _await(handle: Handle, patience: float) -> None:
    end = time.monotonic() + patience
    while not handle.done():
        expect(time.monotonic() < end, f"expected done() to be True within {patience:g} s, it was not")
        time.sleep(0.02)


def _result(engine: Engine, patience: float, function: Callable[..., Any], *arguments: Any) -> Any:
    handle = _submit(engine, function, *arguments)
    _await(handle, patience)
    return fetch(handle)


def _check_growth(engine: Engine, store: "Store", *, workers: int, depth: int) -> None:
    from cfgraph.comparing.verifying import verify

    mark = secrets.token_hex(4)
    truth, rule, alone, there = (f"testing-{mark}-{name}" for name in ("truth", "rule", "alone", "there"))
    try:
        koch = ifs("koch", depth=3, id=truth)
        store.write(koch, progress=False)
        store.write_predictor(train(koch, id=rule, depth=3, family="recurrence"))
        how: dict[str, Any] = {"predictor": rule, "from_depth": 2, "to_depth": depth, "progress": False}
        rollout(store, truth, copy_as=alone, **how)
        with expecting("a rollout on the engine to reach its stop"):
            report = rollout(store, truth, copy_as=there, executor=engine, workers=workers, **how)
        expect(report.finished, f"expected the rollout to reach its stop, got {report}")
        digests = store.digest(alone), store.digest(there)
        expect(digests[0] == digests[1], f"expected the digest of one worker's cells, {digests[0]}, got {digests[1]}")
        expect(verify(store, there, progress=False).clean, "expected a clean graph, and verify found something")
        left = store.read_workers(there)
        expect(left == [], f"expected no lease to be left, got {left}")
    finally:
        for id in (there, alone, rule, truth):
            with suppress(NotFoundError):
                store.remove(id)
