"""Rollouts on engines: whatever an engine does with shifts, the graph is that of one worker, and no secret goes there."""

import json
import os
import pickle
import signal
import socket
import sys
import threading
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from importlib.util import find_spec

import psutil
import pytest

from cfgraph.errors import EngineError, InputError, MissingExtraError, StoreRefusedError, VanishedError
from cfgraph.growing import rollout as rollout_module
from cfgraph.growing.engines.dask import address_of
from cfgraph.growing.engines.engine import Engine
from cfgraph.growing.engines.find import find_engine
from cfgraph.growing.engines.job import Job
from cfgraph.growing.engines.shift import Around, look_around, work_shift
from cfgraph.growing.engines.slurm import Slurm
from cfgraph.growing.lease_owner import is_dead, own_name
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.settings import Settings
from cfgraph.store import Store
from cfgraph.store.verify import verify
from tests import packages
from tests.grown import grown_hierarchy
from tests.network import in_a_network_of_its_own
from tests.store.slurm_here import environments, install

TRUTH, RULE, ALONE = (f"engines-{uuid.uuid4().hex[:8]}-{name}" for name in ("truth", "rule", "alone"))
DASK, RAY = (find_spec(name) is not None for name in ("distributed", "ray"))
CELLS = 3**3 + 3**4 + 3**5 + 3**6  # that a copy of two levels grows to level 6


@pytest.fixture(scope="module")
def ground(store):
    """A truth with a rule that learned it, and the digests of what one worker makes of it: in small blocks, and in one."""
    truth = grown_hierarchy(TRUTH, arity=3, dimension=2, depth=3)
    store.write(truth)
    store.write_predictor(train(truth, id=RULE, depth=3, family="recurrence"))
    digests = []
    for height in (2, 8):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rollout_module, "block_height", lambda height=height, **_: height)
            rollout(store, truth.id, predictor=RULE, to_depth=6, from_depth=2, copy_as=ALONE)
        digests.append(store.digest(ALONE))
        store.remove(ALONE)
    yield digests
    for id in (RULE, TRUTH):
        store.remove(id)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of two levels, so that a small hierarchy has many."""
    monkeypatch.setattr(rollout_module, "block_height", lambda **_: 2)


def grow(store, copy, executor, **options):
    """Roll out a copy on an engine."""
    options = {"stop": Stop(depth=6), "workers": 2, **options}
    return rollout(store, TRUTH, predictor=RULE, from_depth=2, copy_as=copy, executor=executor, **options)


def check(store, copy, digest):
    """The graph is as one worker makes it."""
    assert store.digest(copy) == digest
    assert verify(store, copy).clean
    assert store.hierarchy(copy).state == "complete"
    assert store.read_workers(copy) == []


class Strange:
    """An executor that runs functions in threads, not as one would like: ``treat`` gets number, function and arguments."""

    def __init__(self, treat):
        self._treat, self._lock, self.handed = treat, threading.Lock(), []

    def submit(self, function, *arguments):
        """A handle of a thread."""
        with self._lock:
            number = len(self.handed)
            self.handed.append(function)
        handle = Future()

        def run():
            try:
                handle.set_result(self._treat(number, function, arguments))
            except BaseException as error:
                handle.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return handle


def in_a_hurry(executor, seconds):
    """An engine of an executor that is waited for no longer than some seconds, with short shifts."""
    engine = Engine(executor, name="strange")
    engine.patience_seconds, engine.shift_seconds = seconds, 20.0
    return engine


def test_a_pool_of_processes_grows_what_one_worker_does(store, run, new_id, ground):
    copy = new_id("copy")
    words = ["rollout", TRUTH, "--predictor", RULE, "--from-depth", 2, "--to-depth", 6, "--as", copy]
    done = run("-v", "--log-format", "json", *words, "--engine", "processes", "--workers", 2)
    events = [json.loads(line) for line in done.stderr.splitlines() if '"action"' in line]
    assert {"ready", "begin", "write_block", "end"} <= {event["action"] for event in events}
    assert sum(event.get("cells", 0) for event in events if event["action"] == "write_block") == CELLS
    assert f"{CELLS:,} cells grown" in done.stdout
    check(store, copy, ground[1])  # a command knows nothing of the small blocks


def test_threads_of_one_process_are_owners_of_their_own(store, new_id, ground):
    seen, copy = [], new_id("copy")
    with ThreadPoolExecutor(3) as threads:
        report = grow(store, copy, threads, workers=3, show=lambda status: seen.append(status))
    assert (report.finished, report.grown) == (True, CELLS)
    assert seen
    assert all(0 <= status.left <= status.total for status in seen)
    check(store, copy, ground[0])


def test_a_shift_run_twice_at_once_and_one_that_is_lost_do_no_harm(store, new_id, ground):
    def treat(number, function, arguments):
        if function is work_shift and number in (1, 2):
            raise OSError("the machine is gone")
        if function is not work_shift:
            return function(*arguments)
        with ThreadPoolExecutor(2) as twice:
            first, second = (twice.submit(function, *arguments) for _ in range(2))
            return max(first.result(), second.result(), key=len)

    copy = new_id("copy")
    assert grow(store, copy, in_a_hurry(Strange(treat), 60)).finished
    check(store, copy, ground[0])


def test_shifts_that_never_come_back_are_submitted_again(store, new_id, ground, caplog):
    def treat(number, function, arguments):
        if number in (1, 2):
            threading.Event().wait()
        return function(*arguments)

    copy, strange = new_id("copy"), Strange(treat)
    with caplog.at_level("WARNING", logger="cfgraph.rollout"):
        assert grow(store, copy, in_a_hurry(strange, 2.0)).finished
    assert strange.handed[1:5] == [work_shift] * 4
    assert any("submitted again" in record.getMessage() for record in caplog.records)
    check(store, copy, ground[0])


def test_a_shift_that_is_done_and_gives_nothing_is_lost(store, new_id, ground, monkeypatch, caplog):
    """As Dask's futures do whose worker is killed when it has the result."""
    monkeypatch.setattr("cfgraph.growing.engines.fleet.RESULT_SECONDS", 5.0)

    class Done(Future):
        def result(self, timeout=None):
            threading.Event().wait()

    class Withholding(Strange):
        def submit(self, function, *arguments):
            handle = super().submit(function, *arguments)
            if len(self.handed) != 2:
                return handle
            withheld = Done()
            withheld.set_result(None)
            return withheld

    copy = new_id("copy")
    with caplog.at_level("WARNING", logger="cfgraph.rollout"):
        assert grow(store, copy, Withholding(lambda number, function, arguments: function(*arguments))).finished
    assert any("it was done, and gave no result for 5 s" in record.getMessage() for record in caplog.records)
    check(store, copy, ground[0])


def test_a_shift_that_could_not_be_submitted_is_submitted_again(store, new_id, ground, caplog):
    """As with a Ray whose head was lost: what goes to it meets a broken pipe."""

    class Broken(Strange):
        def submit(self, function, *arguments):
            handle = super().submit(function, *arguments)
            if len(self.handed) in (2, 3):
                raise BrokenPipeError("no pipe")
            return handle

    copy, broken = new_id("copy"), Broken(lambda number, function, arguments: 0 if number in (1, 2) else function(*arguments))
    with caplog.at_level("WARNING", logger="cfgraph.rollout"):
        assert grow(store, copy, broken).finished
    assert sum("BrokenPipeError" in record.getMessage() for record in caplog.records) == 2
    check(store, copy, ground[0])


def test_an_engine_that_does_nothing_is_one_clear_error(store, new_id, ground):
    def treat(number, function, arguments):
        if function is work_shift:
            threading.Event().wait()
        return function(*arguments)

    copy, strange = new_id("copy"), Strange(treat)
    with pytest.raises(EngineError, match=r"strange does nothing: 2 shifts were submitted 3 times.*the same command goes on"):
        grow(store, copy, in_a_hurry(strange, 0.5))
    assert strange.handed.count(work_shift) == 6
    assert grow(store, copy, None, workers=1).finished
    check(store, copy, ground[0])


def test_an_engine_that_loses_every_shift_is_one_clear_error(store, new_id, ground, monkeypatch):
    monkeypatch.setattr("cfgraph.growing.engines.fleet.PAUSE_SECONDS", 0.0)

    def treat(number, function, arguments):
        if function is work_shift:
            raise ConnectionError("no such node")
        return function(*arguments)

    with pytest.raises(EngineError, match=r"lost 17 shifts one after the other.*ConnectionError: no such node"):
        grow(store, new_id("copy"), in_a_hurry(Strange(treat), 60))


def test_a_growth_removed_under_a_fleet_ends_it(store, new_id, ground):
    copy = new_id("copy")

    def treat(number, function, arguments):
        if number == 2:
            store.remove(copy)
        return function(*arguments)

    with pytest.raises(VanishedError):
        grow(store, copy, in_a_hurry(Strange(treat), 60))
    assert copy not in [hierarchy.id for hierarchy in store.hierarchies()]


def test_an_interrupted_fleet_ends_and_the_same_goes_on(store, new_id, ground):
    copy = new_id("copy")
    with ThreadPoolExecutor(2) as threads:
        report = grow(store, copy, threads, interrupted=lambda: True)
        assert (report.finished, report.grown) == (False, 0)
        assert grow(store, copy, threads).finished
    check(store, copy, ground[0])


# -- secrets


@pytest.fixture
def by_url(store, monkeypatch):
    """The tests' store, opened as a server of one's own: its password is in the environment."""
    access = store.access.reveal()
    monkeypatch.setenv("NEO4J_USERNAME", access["username"])
    monkeypatch.setenv("NEO4J_PASSWORD", access["password"])
    monkeypatch.delenv("NEO4J_PASSWORD_FILE", raising=False)
    settings = Settings(_env_file=None, database=access["database"])
    with Store.open(access["uri"], settings=settings) as found:
        yield found, access["password"]


def job_of(store):
    """A job as a look around gets it."""
    return Job("", None, "it", {}, device="cpu", lease_seconds=1, outage_seconds=1).at(store)


def test_no_job_and_nothing_that_comes_back_holds_the_password(by_url, new_id, ground, caplog):
    store, password = by_url
    seen = []

    def treat(number, function, arguments):
        handed = pickle.dumps((function, arguments))
        function, arguments = pickle.loads(handed)
        back = pickle.dumps(function(*arguments))
        seen.extend([handed, back, repr(arguments).encode()])
        return pickle.loads(back)

    copy = new_id("copy")
    with caplog.at_level("DEBUG"):
        assert grow(store, copy, Strange(treat)).finished
    assert len(seen) >= 6
    assert all(store.access.uri.encode() in text for text in seen[2::3])
    assert not [text for text in [*seen, caplog.text.encode()] if password.encode() in text]
    check(store, copy, ground[0])


def test_a_password_lies_in_a_mounted_file(by_url, monkeypatch, tmp_path):
    store, password = by_url
    job = job_of(store)
    monkeypatch.delenv("NEO4J_PASSWORD")
    name, message = look_around(job).obstacle
    assert name == "StoreRefusedError"
    assert "NEO4J_PASSWORD_FILE" in message
    (tmp_path / "secret").write_text(password + "\n")
    monkeypatch.setenv("NEO4J_PASSWORD_FILE", str(tmp_path / "secret"))
    assert look_around(job).obstacle is None
    with Store.open(store.access.uri) as again:
        assert again.count_nodes() >= 0
    for text, told in (("", "is empty"), (None, "cannot be read")):
        path = tmp_path / f"other-{told}"
        if text is not None:
            path.write_text(text)
        monkeypatch.setenv("NEO4J_PASSWORD_FILE", str(path))
        name, message = look_around(job).obstacle
        assert name == "InputError"
        assert told in message


def test_workers_without_a_password_are_told_before_anything_is_written(by_url, new_id, ground, monkeypatch):
    store, _ = by_url
    monkeypatch.delenv("NEO4J_PASSWORD")
    copy = new_id("copy")
    with ThreadPoolExecutor(1) as threads, pytest.raises(StoreRefusedError, match="a job holds no secret"):
        grow(store, copy, threads)
    assert copy not in [hierarchy.id for hierarchy in store.hierarchies()]


# -- what is refused before anything runs


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"python": "3.9"}, InputError, "expected Python 3.* got Python 3.9"),
        ({"cfgraph": "0.0.1"}, InputError, "cfgraph 0.0.1 on .*install the same there"),
        ({"machine": "elsewhere:0", "host": "elsewhere"}, InputError, "is a local store.*ingest parquet"),
        (None, EngineError, "gave a str for a first small task"),
    ],
)
def test_another_version_or_machine_is_told_before_anything_is_written(store, new_id, ground, change, error, told):
    if change and "machine" in change and store.folder is None:
        pytest.skip("the tests' server is nobody's local store")

    def treat(number, function, arguments):
        found = function(*arguments)
        return "what?" if change is None else replace(found, **change) if isinstance(found, Around) else found

    copy = new_id("copy")
    with pytest.raises(error, match=told):
        grow(store, copy, Strange(treat))
    assert copy not in [hierarchy.id for hierarchy in store.hierarchies()]


def test_workers_that_lack_cfgraph_are_told_as_that(store, new_id, ground):
    def treat(number, function, arguments):
        raise ModuleNotFoundError("No module named 'cfgraph'")

    with pytest.raises(
        EngineError, match=r"did not run a first small task: ModuleNotFoundError.*expected Python 3.* and cfgraph"
    ):
        grow(store, new_id("copy"), Strange(treat))


@pytest.mark.parametrize(
    ("executor", "told"),
    [
        ("spark", "expected an engine such as processes"),
        ("processes:3", "expected nothing behind"),
        (42, r"has submit\(function"),
    ],
)
def test_what_is_no_engine_is_refused(store, new_id, ground, executor, told):
    with pytest.raises(InputError, match=told):
        grow(store, new_id("copy"), executor)


THEIRS = """
from concurrent.futures import ThreadPoolExecutor
from cfgraph.growing.engines.engine import Engine
made = []
def make(place, *, workers):
    made.append((place, workers))
    return Engine(ThreadPoolExecutor(workers), name="theirs")
"""


SLOW = """
import time
from concurrent.futures import ThreadPoolExecutor
from cfgraph.growing.engines.engine import Engine
def make(place, *, workers):
    time.sleep(0.5)
    return Engine(ThreadPoolExecutor(workers), name="slow")
"""


def test_an_engine_of_another_package_is_found_by_its_entry_point(store, new_id, ground, monkeypatch, tmp_path):
    entries = {"cfgraph.engines": {"theirs": "their_engine:make"}}
    packages.install(tmp_path, "their-engine", entries, their_engine=THEIRS)
    packages.appear(monkeypatch, tmp_path, "their_engine")
    copy = new_id("copy")
    assert grow(store, copy, "theirs://there:1").finished
    assert sys.modules["their_engine"].made == [("//there:1", 2)]
    check(store, copy, ground[0])
    with pytest.raises(InputError, match=r"such as processes, .*theirs"):
        grow(store, new_id("other"), "ours")


def test_a_word_is_said_while_an_engine_starts(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr("cfgraph.growing.events.WORD_SECONDS", 0.05)
    packages.install(tmp_path, "slow-engine", {"cfgraph.engines": {"slow": "slow_engine:make"}}, slow_engine=SLOW)
    packages.appear(monkeypatch, tmp_path, "slow_engine")
    with caplog.at_level("WARNING", logger="cfgraph.rollout"):
        find_engine("slow", workers=1)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) >= 2
    assert all("await_engine reason=it has not started, or has not been reached, yet" in line for line in said)
    time.sleep(0.2)
    assert len(caplog.records) == len(said)  # and none once it is there


def test_owners_of_one_process_are_told_apart():
    assert not is_dead(f"{own_name()}+ab12cd")
    host, process, started = own_name().rsplit(":", 2)
    assert is_dead(f"{host}:{process}:{int(started or 0) + 1}+ab12cd")


# -- engines of others


@pytest.mark.slow("a cluster of processes")
@pytest.mark.skipif(not DASK, reason="distributed is not installed")
def test_dask_here_grows_what_one_worker_does_though_a_worker_is_killed(store, new_id, ground):
    killed, copy = [], new_id("copy")

    def look(status):
        if not killed and (owners := [one.owner for one in store.read_workers(copy)]):
            killed.append(int(owners[0].partition("+")[0].rsplit(":", 2)[1]))
            os.kill(killed[0], signal.SIGKILL)

    before = {process.pid for process in psutil.Process().children(recursive=True)}
    report = grow(store, copy, "dask", lease_seconds=3.0, show=look)
    assert report.finished
    check(store, copy, ground[0])
    left = [process for process in psutil.Process().children(recursive=True) if process.pid not in before]
    assert not [
        process for process in psutil.wait_procs(left, timeout=20)[1] if "resource_tracker" not in str(process.cmdline())
    ]


@pytest.mark.slow("a cluster of processes")
@pytest.mark.skipif(not DASK, reason="distributed is not installed")
def test_workers_that_dask_gave_up_on_are_replaced():
    """Dask ends a worker's nanny for good where one that was killed is not back within 15 s, as on a busy machine."""
    import dask

    with ExitStack() as stack:
        with suppress(OSError):  # Dask's own port is another cluster's, now at the latest: no warning of it
            stack.enter_context(socket.create_server(("127.0.0.1", 8787)))
        stack.enter_context(dask.config.set({"distributed.deploy.lost-worker-timeout": "1ms"}))
        engine = find_engine("dask", workers=2)
        try:
            for _ in range(2):
                known, gone = set(engine._client.nthreads()), set(engine._client.run(os.getpid).values())
                for process in gone:
                    os.kill(process, signal.SIGKILL)
                while known & set(engine._client.nthreads()):
                    time.sleep(0.05)
                end = time.monotonic() + 120
                while len(engine._client.nthreads()) < 2:
                    assert time.monotonic() < end
                    engine.tend()
                    time.sleep(0.2)
                assert engine.submit(os.getpid).result(timeout=120) not in gone
        finally:
            engine.close()


@pytest.mark.skipif(not DASK, reason="distributed is not installed")
def test_a_scheduler_that_does_not_answer_is_told_before_anything_is_written(store, new_id, ground, monkeypatch):
    monkeypatch.setattr("cfgraph.growing.engines.dask.CONNECT_SECONDS", 1.0)
    copy = new_id("copy")
    with pytest.raises(EngineError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1: .*`dask scheduler`"):
        grow(store, copy, "dask:tcp://127.0.0.1:1")
    assert copy not in [hierarchy.id for hierarchy in store.hierarchies()]


@pytest.mark.parametrize("place", ["here", "tcp://", "http://there:1", ":8786"])
def test_an_address_that_is_none_is_refused(place):
    with pytest.raises(InputError, match="expected a scheduler's address such as dask:tcp://HOST:8786"):
        address_of(place)


def test_an_address_may_be_written_as_a_url():
    assert address_of("//there:8786") == "tcp://there:8786"
    assert address_of("tls://there:8786") == "tls://there:8786"


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Slurm's place, taken by others; the folder in which they keep what they got."""
    pytest.importorskip("submitit", reason="submitit is not installed")
    for name, value in install(tmp_path / "slurm").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Slurm, "shift_seconds", 20.0)
    return tmp_path


def test_slurm_grows_what_one_worker_does_and_keeps_no_password(by_url, new_id, ground, slurm, monkeypatch):
    store, password = by_url
    (slurm / "secret").write_text(password)
    monkeypatch.setenv("NEO4J_PASSWORD_FILE", str(slurm / "secret"))
    copy = new_id("copy")
    assert grow(store, copy, f"slurm:{slurm}/jobs").finished
    check(store, copy, ground[0])
    assert os.environ["NEO4J_PASSWORD"] == password
    kept = [path for path in (slurm / "jobs").rglob("*") if path.is_file()]
    assert len(kept) >= 6
    assert not [path for path in kept if password.encode() in path.read_bytes()]
    assert not [text for text in environments(slurm / "slurm") if password in text]
    assert len(environments(slurm / "slurm")) >= 3


def test_slurm_without_a_password_file_is_told_before_anything_is_written(by_url, new_id, ground, slurm):
    store, _ = by_url
    copy = new_id("copy")
    with pytest.raises(StoreRefusedError, match="NEO4J_PASSWORD_FILE to a file that holds it"):
        grow(store, copy, f"slurm:{slurm}/jobs")
    assert copy not in [hierarchy.id for hierarchy in store.hierarchies()]


def test_a_local_store_is_refused_by_engines_on_other_machines(store, new_id, ground, slurm):
    if store.folder is None:
        pytest.skip("the tests' server is nobody's local store")
    with pytest.raises(
        InputError, match="is a local store, which only this machine can reach, and slurm grows on other machines"
    ):
        grow(store, new_id("copy"), f"slurm:{slurm}/jobs")


def test_where_there_is_no_slurm_it_is_said(store, ground, slurm, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EngineError, match="expected the program 'sbatch' in the PATH"):
        grow(store, "no-copy", f"slurm:{slurm}/jobs")
    with pytest.raises(InputError, match="expected a folder that all nodes share"):
        grow(store, "no-copy", "slurm:")


@pytest.mark.parametrize(
    ("executor", "module", "extra"), [("dask", "distributed", "dask"), ("ray", "ray", "ray"), ("slurm:x", "submitit", "slurm")]
)
def test_an_engine_that_is_not_installed_names_its_packages(store, new_id, ground, monkeypatch, executor, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"needs {module}, which is not installed; .*pip install .*'{module}"):
        grow(store, new_id("copy"), executor)


@pytest.mark.slow("a server and a Ray of their own, in a network of their own")
@pytest.mark.skipif(not RAY, reason="ray is not installed: its 79 MB are not among what the tests need")
@in_a_network_of_its_own
def test_ray_here_grows_what_one_worker_does(store, new_id, ground):
    """Ray listens on every address: it runs in a network namespace that has loopback alone, and Neo4j inside with it."""
    copy = new_id("copy")
    assert grow(store, copy, "ray").finished
    check(store, copy, ground[0])


@pytest.mark.skipif(not RAY, reason="ray is not installed: its 79 MB are not among what the tests need")
def test_a_cluster_of_rays_wants_its_client(store, new_id, ground, monkeypatch):
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(MissingExtraError, match=r"needs grpcio, which is not installed; .*pip install .*ray"):
        grow(store, new_id("copy"), "ray://127.0.0.1:1")
