"""cfgraph.testing against a real store: engines, the store's own reader, sources that are written; and broken ones of each."""

import os
import threading
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec

import numpy as np
import pytest

from cfgraph import sources
from cfgraph.errors import InputError
from cfgraph.growing import rollout as rollout_module
from cfgraph.growing.engines.engine import Engine
from cfgraph.growing.engines.shift import work_shift
from cfgraph.testing import check_engine, check_reader, check_source
from cfgraph.testing import engines as checks
from tests.faults.clusters import DaskCluster
from tests.faults.test_full_load import every_core_taken
from tests.network import in_a_network_of_its_own

OTHERS = range(10_000_000)  # the sum of which takes another's task some tenths of a second
DASK, RAY = (find_spec(name) is not None for name in ("distributed", "ray"))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of two levels, so that a small hierarchy has several; and no long sleep."""
    monkeypatch.setattr(rollout_module, "block_height", lambda **_: 2)
    monkeypatch.setattr(checks, "SLEEP_SECONDS", 1.0)


def left_of_testing(store):
    """What checks should have removed."""
    return [hierarchy.id for hierarchy in store.hierarchies() if hierarchy.id.startswith("testing-")]


class Threads:
    """An executor of threads, as strange as one likes: ``treat`` gets the executor, the function and its arguments."""

    def __init__(self, treat=lambda self, function, arguments: function(*arguments)):
        self.treat, self.known = treat, {}

    def submit(self, function, *arguments):
        """A handle of a thread."""
        handle = Future()

        def run():
            try:
                handle.set_result(self.treat(self, function, arguments))
            except Exception as error:
                handle.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return handle


def in_a_hurry(executor):
    """An engine that is waited for no longer than a moment."""
    engine = Engine(executor, name="strange")
    engine.patience_seconds = 0.3
    return engine


def test_threads_are_an_engine(store):
    with ThreadPoolExecutor(2) as threads:
        check_engine(threads, store, depth=4)
    assert not left_of_testing(store)


@pytest.mark.slow("a pool of processes of its own")
def test_the_pool_of_processes_is_an_engine(store):
    check_engine("processes", store)


@pytest.mark.slow("a pool of processes of its own")
def test_a_pool_of_the_standard_library_is_an_engine(store):
    import multiprocessing

    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        check_engine(pool, store)


@pytest.mark.slow("a cluster of processes, on a machine whose cores are all taken")
@pytest.mark.skipif(not DASK, reason="distributed is not installed")
@pytest.mark.parametrize("busy", [False, True])
def test_dask_is_an_engine(store, busy):
    with every_core_taken() if busy else nullcontext():
        check_engine("dask", store, depth=5)


@contextmanager
def taken_by_others(address, *, workers):
    """A Dask on all of whose workers another's tasks are at work and waiting, all the while; yields how many had ended."""
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=120)
        handed, ended, over = [], [0], threading.Event()

        def keep_busy():
            while not over.wait(0.05):
                done = [handle for handle in handed if handle.done()]
                ended[0] += len(done)
                handed[:] = [handle for handle in handed if handle not in done]
                handed.extend(client.submit(sum, OTHERS, pure=False) for _ in range(3 * workers - len(handed)))

        keeper = threading.Thread(target=keep_busy)
        keeper.start()
        try:
            while not ended[0]:
                assert keeper.is_alive()
                time.sleep(0.05)
            yield ended
        finally:
            over.set()
            keeper.join()


@pytest.mark.slow("a cluster of processes, on which others work too")
@pytest.mark.skipif(not DASK, reason="distributed is not installed")
def test_a_dask_whose_workers_are_all_taken_by_others_is_an_engine(store, tmp_path):
    with (
        DaskCluster(tmp_path, dict(os.environ), workers=2) as cluster,
        taken_by_others(cluster.engine.removeprefix("dask:"), workers=2) as ended,
    ):
        before = ended[0]
        check_engine(cluster.engine, store, depth=5)
        assert ended[0] > before  # theirs went on


@pytest.mark.slow("a server and a Ray of their own, in a network of their own")
@pytest.mark.skipif(not RAY, reason="ray is not installed: its 79 MB are not among what the tests need")
@in_a_network_of_its_own
def test_ray_is_an_engine(store):
    check_engine("ray", store, depth=5)


@pytest.mark.slow("a server and a Ray of their own, in a network of their own")
@pytest.mark.skipif(not RAY, reason="ray is not installed: its 79 MB are not among what the tests need")
@in_a_network_of_its_own
def test_a_ray_that_this_process_is_connected_to_is_an_engine(store):
    import ray

    ray.init("local", num_cpus=2, include_dashboard=False, _node_ip_address="127.0.0.1", configure_logging=False)
    try:
        check_engine("ray", store, depth=5)
        assert ray.is_initialized()
    finally:
        ray.shutdown()


def at_once(function, arguments):
    handle = Future()
    try:
        handle.set_result(function(*arguments))
    except Exception as error:
        handle.set_exception(error)
    return handle


class Waits:
    """Runs what it is handed before it comes back."""

    def submit(self, function, *arguments):
        """A handle of what is over."""
        return at_once(function, arguments)


class GivesNumbers:
    """Gives no handles."""

    def submit(self, function, *arguments):
        """A number."""
        return 7


class Full:
    """Takes nothing."""

    def submit(self, function, *arguments):
        """An error."""
        raise RuntimeError("the queue is full")


def remembers(self, function, arguments):
    return self.known.setdefault(function.__name__, function(*arguments))


def swallows(self, function, arguments):
    try:
        return function(*arguments)
    except ValueError:
        return None


def rewords(self, function, arguments):
    try:
        return function(*arguments)
    except ValueError:
        raise RuntimeError("a worker died") from None


def breaks(self, function, arguments):
    if self.known:
        raise RuntimeError("broken pool")
    try:
        return function(*arguments)
    except ValueError:
        self.known["broken"] = True
        raise


def changes(self, function, arguments):
    came = function(*arguments)
    return vars(came) if hasattr(came, "growth") else came


def hangs(self, function, arguments):
    threading.Event().wait()


def grows_nothing(self, function, arguments):
    if function is work_shift:
        threading.Event().wait()
    return function(*arguments)


@pytest.mark.parametrize(
    ("executor", "told"),
    [
        (Waits(), "expected submit to come back"),
        (GivesNumbers(), "submit to give a handle with done.. and result.., got InputError: .*got int"),
        (Full(), "submit to give a handle with done.. and result.., got RuntimeError: the queue is full"),
        (Threads(remembers), "expected a function to run each time"),
        (Threads(swallows), "expected result.. to raise what the function raised, it gave None"),
        (Threads(rewords), "expected result.. to raise what the function raised, got RuntimeError"),
        (Threads(breaks), "expected functions to run after one that failed, got RuntimeError: broken pool"),
        (Threads(changes), "expected a value to come home as it went"),
        (Threads(hangs), "expected done.. to be True within 0.5 s"),
    ],
)
def test_a_broken_engine_is_told_before_anything_is_written(store, executor, told):
    with pytest.raises(AssertionError, match=told):
        check_engine(executor, store, depth=5, patience_seconds=0.5 if "0.5" in told else 30)
    assert not left_of_testing(store)


def test_an_engine_on_which_nothing_grows_is_told(store):
    with pytest.raises(AssertionError, match="on the engine to reach its stop, got EngineError: strange does nothing"):
        check_engine(in_a_hurry(Threads(grows_nothing)), store, depth=3)
    assert not left_of_testing(store)


def test_a_graph_that_the_engine_left_is_looked_at(store, monkeypatch):
    """The checks of the graph themselves, which no engine that runs functions can break."""
    real = type(store).digest
    monkeypatch.setattr(type(store), "digest", lambda self, id: real(self, id) + ("?" if id.endswith("there") else ""))
    with pytest.raises(AssertionError, match="expected the digest of one worker's cells"):
        check_engine(Threads(), store, depth=3)
    monkeypatch.undo()
    monkeypatch.setattr(checks, "SLEEP_SECONDS", 1.0)
    monkeypatch.setattr(type(store), "read_workers", lambda self, id: ["somebody"])
    with pytest.raises(AssertionError, match=r"expected no lease to be left, got .'somebody'"):
        check_engine(Threads(), store, depth=3)
    assert not left_of_testing(store)


def test_the_stores_reader_passes(store, new_id):
    hierarchy = sources.ifs("koch", id=new_id(), depth=3)
    store.write(hierarchy)
    check_reader(store.reader(hierarchy.id), hierarchy.cells)


def test_sources_are_written_and_recognised(store):
    merges = np.array([[0, 1, 0.5, 2], [2, 3, 0.75, 2], [4, 5, 2.0, 4]], dtype=float)
    check_source(lambda id: sources.linkage(merges, id=id), store=store)
    check_source(lambda id: sources.ifs("koch", id=id, depth=2), store=store)
    assert not left_of_testing(store)


def test_a_source_that_the_store_does_not_take_is_told(store, monkeypatch):
    def make(id):
        return sources.ifs("koch", id=id, depth=1)

    monkeypatch.setattr(type(store), "digest", lambda self, id: "another")
    with pytest.raises(AssertionError, match=r"expected the digest .* when it is read back, got another"):
        check_source(make, store=store)

    def refuse(self, hierarchy, **options):
        raise InputError("not taken")

    monkeypatch.setattr(type(store), "write", refuse)
    with pytest.raises(AssertionError, match="a hierarchy that the store takes, got InputError: not taken"):
        check_source(make, store=store)
    assert not left_of_testing(store)
