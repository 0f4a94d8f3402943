"""What a machine may refuse the local server and commands: file handles, memory, rights; one line each, exit code 3."""

import hashlib
import os
import resource
import shutil
import signal
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cfgraph.errors import FewHandlesError, InputError, LocalServerError, few_handles
from cfgraph.server.jars import Jar, JarList, provide_jars, read_jar_list
from cfgraph.server.launcher import doubt_heap, last_words
from cfgraph.server.local import LocalServer, check_handles
from cfgraph.server.lock import hold_lock
from tests.store.test_local_server import SETTINGS, folder, processes_of, server_in, wait_for  # noqa: F401 - a fixture

NOBODY = 65534


def limiting(handles: int) -> dict:
    """Options of a process that may have so many files open."""
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (handles, handles))}


def said_by(run_alone, *words, store: Path, code: int = 3, variables: dict | None = None, **options) -> str:
    """The one line that a command for a local store says."""
    environment = {**run_alone.environment, "CFGRAPH_STORE": f"local:{store}", **(variables or {})}
    done = run_alone(*words, code=code, env=environment, **options)
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""
    return done.stderr


# -- file handles


@pytest.mark.parametrize("handles", [8, 20, 300, 511])
def test_server_without_file_handles_is_not_begun(run_alone, folder, handles):  # noqa: F811
    told = said_by(run_alone, "up", store=folder, **limiting(handles))
    assert f"the local server has some 512 files open at once, and may have {handles} here" in told
    assert "raise the limit with `ulimit -n 4096` in the shell that runs cfgraph" in told
    assert f"(the hard limit is {handles}: an administrator raises it" in told
    assert not processes_of(folder)


@contextmanager
def no_handle_left():
    """This process without a file handle left; as it was afterwards."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (len([*Path("/proc/self/fd").iterdir()]) + 20, limits[1]))
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for handle in taken:
            os.close(handle)


def test_any_error_that_lacks_a_file_handle_is_known(tmp_path):
    from cfgraph.files.texts import read_text

    (tmp_path / "h.nwk").write_text("(a,b);")
    with no_handle_left(), pytest.raises(InputError) as caught:
        read_text(tmp_path / "h.nwk", expected="a tree")
    assert "this process has as many files open as it may" in str(few_handles(caught.value))
    assert few_handles(ImportError("libx.so: cannot open shared object file: Too many open files")) is not None
    assert "end other programs" in str(few_handles(OSError(23, "Too many open files in system")))
    assert few_handles(InputError("a name 'Too many open files'")) is None
    assert few_handles(OSError(2, "No such file or directory")) is None


def test_limits_that_are_high_enough_say_nothing(monkeypatch):
    check_handles(1, purpose="nothing")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (20, resource.RLIM_INFINITY))
    check_handles(10**9, purpose="a process that raises its own limit")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (20, 30))
    with pytest.raises(FewHandlesError, match=r"it has some 31 files open at once, and may have 30 here"):
        check_handles(31, purpose="it")


def test_commands_without_file_handles_say_what_to_raise(run, new_id, tmp_path):
    id = new_id()
    run("ingest", "ifs", "koch", "--depth", 3, "--as", id)
    run("train", id, "--depth", 2, "--as", f"{id}-rule")
    try:
        assert run("verify", id, **limiting(20)).stdout.endswith("every invariant holds\n")
        drawing = ("plot", id, "-o", tmp_path / "h.svg")
        growing = ("rollout", id, "--predictor", f"{id}-rule", "--to-depth", 4, "--anyway", "--workers", 16)
        for words, handles in ((drawing, 6), (growing, 20)):
            done = run(*words, code=3, **limiting(handles))
            assert done.stderr.count("\n") == 1, done.stderr
            assert "raise the limit with `ulimit -n 4096`" in done.stderr
    finally:
        run("rm", f"{id}-rule")


# -- processes that are killed


class Killer(threading.Thread):
    """Kills so many of a folder's starting servers as soon as each says that it starts."""

    def __init__(self, server: LocalServer, *, most: int):
        super().__init__(daemon=True)
        self.server, self.most, self.killed = server, most, set[int]()

    def run(self) -> None:
        wait_for(self._kill_next, seconds=300)

    def _kill_next(self) -> bool:
        console, pid = self.server.home.console_log, self.server.home.read_pid()
        begun = self.server.status().running and console.exists() and "Starting" in console.read_text()
        if begun and pid is not None and pid not in self.killed:
            self.killed.add(pid)
            os.kill(pid, signal.SIGKILL)
        return len(self.killed) == self.most


@pytest.mark.slow("servers of their own, killed while they start")
def test_server_that_is_killed_while_it_starts_is_started_once_more(folder):  # noqa: F811
    said: list[str] = []
    server = server_in(folder, said=said)
    twice = Killer(server, most=2)
    twice.start()
    with pytest.raises(LocalServerError) as caught:
        server.ensure()
    told = str(caught.value)
    assert "was killed (SIGKILL) each of 2 times that it was started, as a system does that runs out of memory" in told
    assert f"CFGRAPH_HEAP is {SETTINGS.heap}, then run the same command again" in told
    assert caught.value.exit_code == 3
    assert len(twice.killed) == 2
    assert not processes_of(folder)

    said.clear()
    once = Killer(server, most=1)
    once.start()
    server.ensure()
    assert len(once.killed) == 1
    assert server.status().pid not in once.killed
    assert said[0] == "the server was killed while it started; starting it again"


@pytest.fixture
def java(tmp_path):
    """Makes a Java that is killed so many times before it says which it is."""

    def make(times: int) -> LocalServer:
        path = tmp_path / "java"
        count = f'echo >>"$0.count"; test $(wc -l <"$0.count") -gt {times} || kill -9 $$'
        path.write_text(f"#!/bin/sh\n{count}\necho 'openjdk version \"11.0.9\"' >&2\n")
        path.chmod(0o755)
        return LocalServer(tmp_path / "store", settings=SETTINGS.model_copy(update={"java": path}))

    return make


@pytest.mark.parametrize(
    ("times", "told"),
    [(1, r"is Java 11\.0\.9, and the local server needs"), (2, r"java was killed \(SIGKILL\) each of 2 times")],
)
def test_java_that_is_killed_is_asked_once_more(java, times, told):
    with pytest.raises(LocalServerError, match=told):
        java(times).ensure()


# -- memory


HEAPS = {
    "Terminating due to java.lang.OutOfMemoryError: Java heap space": "OutOfMemoryError: Java heap space",
    "Error occurred during initialization of VM\nToo small maximum heap": "Too small maximum heap",
    "Invalid initial heap size: -Xms99999999g\nError: Could not create the Java Virtual Machine.\nError: A fatal exception has "
    "occurred. Program will exit.": "Invalid initial heap size",
    "Error occurred during initialization of VM\nCould not reserve enough space for 9 KB object heap": "Could not reserve",
    "# There is insufficient memory for the Java Runtime Environment to continue.\n# /x/hs_err_pid1.log": "insufficient memory",
}


@pytest.mark.parametrize("console", HEAPS)
def test_heap_that_java_cannot_have_is_named(console):
    assert HEAPS[console] in last_words(console)
    told = "; CFGRAPH_HEAP is 9g: set it to at least 128m, and to less than what this machine has free"
    assert doubt_heap(console, heap="9g") == told
    assert doubt_heap("Caused by: a store that is locked", heap="9g") == ""


@pytest.mark.slow("servers of their own")
def test_heaps_of_every_size_work_or_say_why(run_alone, folder):  # noqa: F811
    for heap in ("1k", "16m", "99999g"):
        told = said_by(run_alone, "up", store=folder, variables={"CFGRAPH_HEAP": heap})
        assert f"CFGRAPH_HEAP is {heap}: set it to at least 128m" in told
    for heap in ("0", "-1", "2 g", "1t", "half", "１g", "1g\n"):
        told = said_by(run_alone, "up", store=folder, code=2, variables={"CFGRAPH_HEAP": heap})
        assert "expected a size as Java writes it: 1g, 768m" in told
    assert not processes_of(folder)
    variables = {**run_alone.environment, "CFGRAPH_STORE": f"local:{folder}", "CFGRAPH_HEAP": "128m"}
    assert "running: true" in run_alone("up", env=variables).stdout
    assert "85 cells" in run_alone("ingest", "ifs", "koch", "--depth", 3, "--as", "it", env=variables).stdout


def test_server_that_ran_out_of_memory_is_told_of(folder):  # noqa: F811
    server = server_in(folder)
    server.home.make()
    assert server.find_end() is None
    server.home.console_log.write_text("Started.\nTerminating due to java.lang.OutOfMemoryError: Java heap space\n")
    assert server.find_end() == f"the local server ran out of memory; CFGRAPH_HEAP is {SETTINGS.heap}: set it to at least " + (
        "128m, and to less than what this machine has free"
    )
    with hold_lock(server.home.server_lock):  # as one does that runs
        assert server.find_end() is None


# -- rights


@pytest.fixture
def somebody():
    """An open folder, and a way to be another user than root there, whom no rights hold."""
    place = Path(tempfile.mkdtemp(prefix="cfgraph-rights-"))
    place.chmod(0o777)
    before = os.geteuid()
    first = server_in(place / "first")  # loads what the other user might not be allowed to
    first.home.make()
    first.stop()

    @contextmanager
    def become():
        if before == 0:
            os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(before)

    yield place, become
    for path in [place, *place.rglob("*")]:
        if path.is_dir():
            path.chmod(0o700)
    shutil.rmtree(place)


TAKE = r"no permission; take the right to read and write there: chmod -R u\+rwX /"
RIGHTS = {
    "unreadable": ("", 0o000, TAKE),
    "readable": ("", 0o400, TAKE),
    "lock": ("command.lock", 0o000, TAKE + r".*/command\.lock"),
}


@pytest.mark.parametrize("name", RIGHTS)
def test_folder_of_wrong_rights_says_how_to_mend_them(somebody, name):
    (place, become), (part, mode, told) = somebody, RIGHTS[name]
    with become():
        server = server_in(place / "store")
        server.home.make()
        (place / "store" / part).chmod(mode)
        for ask in (server.ensure, server.stop):
            with pytest.raises(LocalServerError, match=told) as caught:
                ask()
            assert "\n" not in str(caught.value)
        (place / "store" / part).chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
@pytest.mark.parametrize("mode", [0o700, 0o755, 0o777])
def test_folder_of_another_user_says_whose_it_is(somebody, mode):
    place, become = somebody
    server = server_in(place / "store")
    server.home.make()
    (place / "store").chmod(mode)
    with become(), pytest.raises(LocalServerError, match=r"no permission: /.* belongs to user 0, and this is user 65534; run"):
        server.ensure()


def test_cache_that_cannot_be_written_is_named(somebody):
    place, become = somebody
    pinned = read_jar_list(SETTINGS.neo4j_version)
    with become():
        (place / "mine").mkdir(mode=0o500)
        with pytest.raises(LocalServerError, match=r"/mine.*no permission; .*set XDG_CACHE_HOME to a folder with 200 MB"):
            provide_jars(pinned, cache=place / "mine", maven_url="http://127.0.0.1:9/")


def test_cache_that_holds_everything_need_not_be_writable(somebody):
    place, become = somebody
    jar = Jar("org.example:it:1", sha256=hashlib.sha256(b"jar").hexdigest(), size=3)
    pinned = JarList("1", main_class="it", java_major=21, settings=(), jars=(jar,))
    kept = place / "cache" / "neo4j-1"
    kept.mkdir(parents=True)
    (kept / jar.name).write_bytes(b"jar")
    kept.chmod(0o555)
    with become():
        assert provide_jars(pinned, cache=place / "cache", maven_url="http://127.0.0.1:9/") == (kept / jar.name,)
