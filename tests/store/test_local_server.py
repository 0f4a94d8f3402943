"""The local server's life: real servers, real processes, real SIGKILL, each in a folder of the test's own."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import neo4j
import psutil
import pytest
from click.testing import CliRunner
from neo4j.exceptions import Neo4jError

from cfgraph.cli.context import Context
from cfgraph.cli.down import command as down
from cfgraph.cli.status import command as status
from cfgraph.cli.up import command as up
from cfgraph.errors import InputError, LocalServerError
from cfgraph.server import local
from cfgraph.server.local import Connection, LocalServer
from cfgraph.settings import Settings
from tests.processes import is_at_work

SETTINGS = Settings(_env_file=None)

# What a command does: make a server available, say how long it took, and end.
ENSURE = """
import sys
from pathlib import Path
from cfgraph.settings import Settings
from cfgraph.server.local import LocalServer
server = LocalServer(Path(sys.argv[1]), settings=Settings(_env_file=None), say=lambda line: print(line, file=sys.stderr))
print(server.ensure().uri, server.status().pid)
"""


def begin(directory: Path) -> "subprocess.Popen[str]":
    """Another process that makes the folder's server available."""
    return subprocess.Popen(
        [sys.executable, "-c", ENSURE, str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"NEO4J_PASSWORD": "secret-of-another-server"},
    )


def finish(process: "subprocess.Popen[str]") -> tuple[str, str]:
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return out.strip(), err.strip()


def server_in(directory: Path, *, said: list[str] | None = None) -> LocalServer:
    return LocalServer(directory, settings=SETTINGS, say=(said if said is not None else []).append)


def wait_for(condition: Callable[[], object], *, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def run(connection: Connection, cypher: str) -> list[list[object]]:
    auth = (connection.username, connection.password.get_secret_value())
    with neo4j.GraphDatabase.driver(connection.uri, auth=auth) as driver:
        return [list(row.values()) for row in driver.execute_query(cypher, database_=connection.database).records]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server that a process started which has ended since."""
    server = server_in(tmp_path_factory.mktemp("running") / "a folder with spaces, é")
    try:
        out, err = finish(begin(server.home.directory))
        assert out == f"{server.status().uri} {server.status().pid}"
        assert "started Neo4j" in err
        yield server
    finally:
        server.stop()
        assert not processes_of(server.home.directory)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for one server; whatever runs in it ends with the test."""
    yield tmp_path / ".cfgraph"
    for directory in tmp_path.iterdir():
        if directory.is_dir():
            server_in(directory).stop()
    assert not processes_of(tmp_path)


def processes_of(directory: Path) -> list[psutil.Process]:
    """Every process that has the folder in its command line and is no zombie."""
    found = psutil.process_iter(["cmdline"])
    return [
        process
        for process in found
        if process.pid != os.getpid() and str(directory) in " ".join(process.info["cmdline"] or []) and is_at_work(process)
    ]


@pytest.mark.slow("a server of its own")
class TestRunning:
    """What holds while a server runs."""

    def test_server_outlives_its_starter_and_answers(self, running: LocalServer) -> None:
        assert run(running.ensure(), "RETURN 1") == [[1]]
        seen = running.status()
        assert (seen.running, seen.ready, seen.version) == (True, True, SETTINGS.neo4j_version)
        assert seen.java is not None
        assert seen.started is not None

    def test_running_server_costs_milliseconds(self, running: LocalServer) -> None:
        begun = time.perf_counter()
        for _ in range(20):
            running.ensure()
            running.connection()
        assert (time.perf_counter() - begun) / 20 < 0.02

    def test_running_server_is_found_by_another_process(self, running: LocalServer) -> None:
        assert finish(begin(running.home.directory)) == (f"{running.status().uri} {running.status().pid}", "")

    def test_files_are_the_owners(self, running: LocalServer) -> None:
        def mode(path: Path) -> int:
            return stat.S_IMODE(path.stat().st_mode)

        home = running.home
        assert mode(home.directory) == 0o700
        assert [mode(path) for path in (home.password_file, home.conf / "neo4j.conf", home.directory / "server.json")] == [
            0o600
        ] * 3
        assert (home.directory / ".gitignore").read_text() == "*\n"
        assert not list((home.directory / "import").iterdir())

    def test_opened_password_file_is_closed_again(self, running: LocalServer) -> None:
        running.home.password_file.chmod(0o644)
        running.ensure()
        assert stat.S_IMODE(running.home.password_file.stat().st_mode) == 0o600

    def test_server_listens_on_loopback_and_once(self, running: LocalServer) -> None:
        sockets = psutil.Process(running.status().pid).net_connections("inet")
        listening = [s.laddr for s in sockets if s.status == psutil.CONN_LISTEN or s.type == socket.SOCK_DGRAM]
        assert [address.ip.removeprefix("::ffff:") for address in listening] == ["127.0.0.1"]
        assert running.status().uri == f"bolt://127.0.0.1:{listening[0].port}"

    def test_password_is_nowhere_but_in_its_file(self, running: LocalServer) -> None:
        password = running.home.read_password().get_secret_value()
        process = psutil.Process(running.status().pid)
        assert password not in " ".join(process.cmdline()) + repr(process.environ()) + repr(running.ensure())
        assert "secret-of-another-server" not in repr(process.environ())
        holders = [p for p in running.home.directory.rglob("*") if p.is_file() and password.encode() in p.read_bytes()]
        assert holders == [running.home.password_file]

    def test_damaged_state_says_what_to_do(self, running: LocalServer) -> None:
        start = running.home.read_start()
        assert start is not None
        try:
            (running.home.directory / "server.json").write_text("{")
            with pytest.raises(LocalServerError, match=r"server\.json there, .*, is missing or damaged; stop it with: cfg"):
                running.ensure()
            assert running.status().running
        finally:
            running.home.write_start(start)

    @pytest.mark.parametrize("address", ["file:///etc/passwd", "file:///x.csv", "http://127.0.0.1:9/x.csv"])
    def test_load_csv_reads_neither_files_nor_network(self, running: LocalServer, address: str) -> None:
        with pytest.raises(Neo4jError, match=r"(?i)csv"):
            run(running.ensure(), f"LOAD CSV FROM '{address}' AS row RETURN row")

    def test_commands_print_data_on_stdout(self, running: LocalServer) -> None:
        context = Context(asked_stores=(f"local:{running.home.directory}",))
        shown = CliRunner().invoke(status, obj=context)
        assert f"uri: {running.status().uri}\n" in shown.stdout
        assert f"directory: {running.home.directory}\n" in shown.stdout
        begun = CliRunner().invoke(up, ["--format", "json"], obj=context)
        assert json.loads(begun.stdout)["pid"] == running.status().pid
        assert begun.stderr == ""


class TestWithoutServer:
    """What can be said and refused without starting one."""

    def test_status_and_stop_of_nothing_touch_nothing(self, folder: Path) -> None:
        assert not server_in(folder).status().running
        assert server_in(folder).connection() is None
        assert server_in(folder).stop() is False
        assert not folder.exists()

    def test_commands_for_nothing(self, folder: Path) -> None:
        context = Context(asked_stores=(f"local:{folder}",))
        assert json.loads(CliRunner().invoke(status, ["--format", "json"], obj=context).stdout)["running"] is False
        ended = CliRunner().invoke(down, obj=context)
        assert (ended.stdout, ended.stderr) == (
            f"stopped: false\ndirectory: {folder}\n",
            f"no server runs for {folder}\n",
        )

    @pytest.mark.parametrize("command", [up, down, status])
    def test_commands_are_for_the_local_store(self, command: object) -> None:
        outcome = CliRunner().invoke(command, obj=Context(asked_stores=("bolt://user:secret@host:1",)))
        assert isinstance(outcome.exception, InputError)
        assert "secret" not in str(outcome.exception)

    def test_folder_that_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(LocalServerError, match=r"cannot use .*/file: a file is in the way; or use another folder"):
            server_in(tmp_path / "file").ensure()
        with pytest.raises(LocalServerError, match=r"a file is in the way"):
            server_in(tmp_path / "file" / "below").ensure()

    def test_folder_of_somebody_else(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").write_text("")
        with pytest.raises(InputError, match=r"is neither empty nor a local server's folder"):
            server_in(tmp_path).ensure()
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]

    def test_folder_that_was_deleted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        with pytest.raises(LocalServerError, match=r"cannot use .cfgraph: .* change to a folder that exists"):
            server_in(Path(".cfgraph"))

    def test_read_only_and_full_disks(self, tmp_path: Path) -> None:
        disk = tmp_path / "disk"
        disk.mkdir()
        for option, reason in (("ro", "it is read-only"), ("size=16k", "the disk of .* is full; free some space")):
            if subprocess.run(["mount", "-t", "tmpfs", "-o", option, "none", disk], capture_output=True).returncode:
                pytest.skip("only root can mount a disk")
            try:
                with pytest.raises(LocalServerError, match=reason):
                    server_in(disk / ".cfgraph").ensure()
            finally:
                subprocess.run(["umount", "--lazy", disk], check=True)

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            ("""echo 'openjdk version "11.0.9"' >&2""", r"is Java 11\.0\.9, and the local server needs (17|21) or newer"),
            ("echo no; exit 3", r"does not run as a Java: 'no'"),
            (None, r"CFGRAPH_JAVA is .*java, and that is no Java"),
        ],
    )
    def test_java_that_will_not_do(self, folder: Path, script: str | None, reason: str) -> None:
        java = folder.parent / "java"
        if script:
            java.write_text(f"#!/bin/sh\n{script}\n")
            java.chmod(0o755)
        with pytest.raises(LocalServerError, match=reason):
            LocalServer(folder, settings=SETTINGS.model_copy(update={"java": java})).ensure()

    def test_java_newer_than_the_server_supports(self, folder: Path) -> None:
        java = folder.parent / "java"
        java.write_text("""#!/bin/sh\necho 'openjdk version "99.0.1"' >&2\ntest "$1" = -version\n""")
        java.chmod(0o755)
        said: list[str] = []
        server = LocalServer(folder, settings=SETTINGS.model_copy(update={"java": java}), say=said.append)
        server.home.make()
        server.home.provide_password()
        (folder / "data" / "databases" / "system").mkdir(parents=True)
        doubt = r"made for Java up to \d\d, and this is Java 99\.0\.1; set CFGRAPH_JAVA to a Java \d\d"
        with pytest.raises(LocalServerError, match=r"did not start in .*" + doubt):
            server.ensure()
        assert any(re.search(doubt, line) for line in said)
        assert not processes_of(folder)

    def test_folder_of_nobody(self) -> None:
        with pytest.raises(InputError, match=r"expected a folder as local:DIR, got '~nouser.here/x': there is no such user"):
            LocalServer.of_url("local:~nouser.here/x", settings=SETTINGS)

    def test_heap_that_is_no_size(self, folder: Path) -> None:
        with pytest.raises(InputError, match=r"CFGRAPH_HEAP is '1 gig'; expected a size"):
            LocalServer(folder, settings=SETTINGS.model_copy(update={"heap": "1 gig"})).ensure()

    @pytest.mark.parametrize(("options", "told"), [("-Xss1m fast", "got 'fast'"), ("-Dx='y", "No closing quotation")])
    def test_words_that_are_no_options_of_java(self, folder: Path, options: str, told: str) -> None:
        with pytest.raises(InputError, match=rf"CFGRAPH_JAVA_OPTIONS is .*{told}"):
            LocalServer(folder, settings=SETTINGS.model_copy(update={"java_options": options})).ensure()

    def test_version_that_is_not_pinned(self, folder: Path) -> None:
        with pytest.raises(InputError, match=r"no jars are pinned for Neo4j '3\.5'"):
            LocalServer(folder, settings=SETTINGS.model_copy(update={"neo4j_version": "3.5"})).ensure()

    def test_data_without_its_password(self, folder: Path) -> None:
        server_in(folder).home.make()
        (folder / "data" / "databases" / "system").mkdir(parents=True)
        with pytest.raises(LocalServerError, match=r"password is missing, .*; put the file back, or give the data up"):
            server_in(folder).ensure()

    def test_start_that_fails_says_why_and_leaves_nothing(self, folder: Path) -> None:
        home = server_in(folder).home
        home.make()
        home.provide_password()
        (folder / "data" / "databases" / "system").mkdir(parents=True)
        (folder / "data" / "databases" / "store_lock").mkdir()
        with pytest.raises(LocalServerError, match=r"did not start in .*store_lock.*the whole story is in .*console\.log"):
            server_in(folder).ensure()
        assert not processes_of(folder)


@pytest.mark.slow("servers of their own, killed, cut short and started again")
class TestRecovery:
    """Starts, ends and what may come between."""

    def test_killed_moved_port_taken_and_folder_removed(self, folder: Path) -> None:
        """Commands at once make one server; data survives SIGKILL and a move; a removed folder leaves no process."""
        outcomes = [finish(process) for process in [begin(folder), begin(folder), begin(folder)]]
        assert len({out for out, _ in outcomes}) == 1
        assert sum("started Neo4j" in err for _, err in outcomes) == 1

        server = server_in(folder)
        pid, uri = server.status().pid, server.status().uri
        run(server.ensure(), "CREATE (:Kept)")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not server.status().running)
        # The process id that was left behind is now another's, who must not be taken for the server.
        server.home.pid_file.write_text(str(os.getpid()))
        assert server.connection() is None
        assert server.stop() is False

        moved = server_in(folder.rename(folder.parent / "moved"))
        port = int(uri.rpartition(":")[2])
        with socket.create_server(("127.0.0.1", port)):
            assert run(moved.ensure(), "MATCH (n:Kept) RETURN count(n)") == [[1]]
        assert moved.status().uri != uri
        assert moved.status().pid != pid

        if sys.platform == "linux":
            shutil.rmtree(moved.home.directory)
            assert moved.stop() is True
            wait_for(lambda: not processes_of(moved.home.directory), seconds=10)

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
    def test_start_that_is_cut_short_is_joined(self, folder: Path, number: signal.Signals) -> None:
        home = server_in(folder).home
        # As a start leaves it that is cut short still earlier.
        home.make()
        home.provide_password()
        starter = begin(folder)
        wait_for(lambda: home.console_log.exists() and "Starting" in home.console_log.read_text())
        pid = home.read_pid()
        os.kill(pid, signal.SIGSTOP)  # on a busy machine the server may be up before the signal is there
        try:
            starter.send_signal(number)
            _, err = starter.communicate(timeout=60)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert number == signal.SIGKILL or "the server goes on starting" in err
        said: list[str] = []
        server = server_in(folder, said=said)
        assert run(server.ensure(), "RETURN 1") == [[1]]
        assert server.status().pid == pid
        assert not said
        assert server.stop() is True
        assert server.stop() is False

    def test_port_taken_in_between_and_server_that_will_not_end(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as thief:
            stolen = thief.getsockname()[1]
            ports = iter([stolen])
            find = local.find_free_port
            monkeypatch.setattr(local, "find_free_port", lambda preferred: next(ports, 0) or find(preferred))
            said: list[str] = []
            server = server_in(folder, said=said)
            assert run(server.ensure(), "RETURN 1") == [[1]]
        assert server.status().uri != f"bolt://127.0.0.1:{stolen}"

        os.kill(server.status().pid, signal.SIGSTOP)
        monkeypatch.setattr(local, "STOP_SECONDS", 0.2)
        assert server.stop() is True
        assert said[-1].endswith("does not end within 0.2 s: killing it")
        assert not processes_of(folder)

    def test_password_that_the_data_does_not_know(self, folder: Path, running: LocalServer) -> None:
        # The running server's data as it would be after a crash.
        ignored = shutil.ignore_patterns("server.*", "*.lock", "*.part", "password")
        shutil.copytree(running.home.directory, folder, ignore=ignored, copy_function=shutil.copyfile)
        server = server_in(folder)
        server.home.command_lock.touch()
        server.home.password_file.write_text("another")
        with pytest.raises(LocalServerError, match=r"refuses the password in its own folder") as caught:
            server.ensure()
        assert "another" not in str(caught.value)
        assert not processes_of(folder)
