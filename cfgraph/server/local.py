"""The local server: a private Neo4j for one folder, started when it is needed and found again while it runs.

Whether it runs is answered by a lock that the server's own process holds: it inherits the open, locked file when it is
started, and the kernel lets go of the lock when the process ends, however it ends. So there is no stale process id
that by now may be another's, and a start that is cut short (Ctrl-C, SIGTERM, SIGKILL) loses nothing: the server goes
on, the next command joins it, and ``cfgraph down`` stops it.
"""

import contextlib
import os
import shlex
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from cfgraph.errors import (
    CfgraphError,
    FewHandlesError,
    InputError,
    LocalServerError,
    few_handles,
    file_limits,
    how_to_raise_files,
    one_line,
)
from cfgraph.server.disk import FULL, explaining_disk_errors
from cfgraph.server.home import ADDRESS, Home, Start, find_free_port, is_listening
from cfgraph.server.lock import hold_lock, is_locked
from cfgraph.settings import Settings

if TYPE_CHECKING:
    from cfgraph.server.launcher import Launcher

USER, DATABASE = "neo4j", "neo4j"
START_SECONDS = 180  # 5 s are usual; the rest is for a slow disk and for the recovery of a killed server
STOP_SECONDS = 30  # 0.5 s are usual; the rest is for writing back what is in memory
KILL_SECONDS = 10
PORT_TRIES = 5
POLL_SECONDS = 0.05
NEEDED_HANDLES = 512  # jars take 239, the files of the two databases the most of another 130, each connection one
NEEDED_BYTES = 64 * 2**20  # below this a server starts badly or hangs, and there is no room for a graph anyway


@dataclass(frozen=True)
class Connection:
    """What a driver needs to reach a server."""

    uri: str
    username: str
    password: SecretStr
    database: str


@dataclass(frozen=True)
class ServerStatus:
    """What is known of a folder's server. ``version``, ``java`` and ``started`` are those of the last start."""

    running: bool
    directory: Path
    uri: str | None = None
    pid: int | None = None
    version: str | None = None
    java: str | None = None
    started: str | None = None
    ready: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return asdict(self) | {"directory": str(self.directory)}


class EndedError(LocalServerError):
    """The server ended before it answered."""


class KilledError(EndedError):
    """The server was killed before it answered."""


class PortTakenError(EndedError):
    """Another program took the port before the server did."""


class LocalServer:
    """A private Neo4j for one folder.

    Args:
        directory: where its data, configuration and password live; made when it is first started.
        settings: the Java, the version, the heap and the Maven repository to use.
        say: takes one line of talk at a time.
        cache: where the server's jars are kept; the user's cache folder by default.
    """

    def __init__(
        self,
        directory: Path = Path(".cfgraph"),
        *,
        settings: Settings,
        say: Callable[[str], None] = lambda line: None,
        cache: Path | None = None,
    ):
        if os.name != "posix":
            raise LocalServerError("the local server needs Linux or macOS; use WSL, or name a server with --store")
        with explaining_disk_errors(directory, otherwise="change to a folder that exists"):
            self.home = Home(_expand_user(directory).absolute())
        self.settings = settings
        self.say = say
        self.cache = cache

    @classmethod
    def of_url(cls, url: str, *, settings: Settings, say: Callable[[str], None] = lambda line: None) -> "LocalServer":
        """The server that a store's URL means: ``local`` or ``local:DIR``."""
        kind, _, directory = url.partition(":")
        if kind != "local":
            raise InputError(
                f"this is for the local store, and the store is {kind}:...; name it with: --store local, or --store local:DIR"
            )
        return cls(Path(directory or ".cfgraph"), settings=settings, say=say)

    def ensure(self) -> Connection:
        """A server that answers: the running one, one that is being started, or a new one."""
        with self._explaining():
            connection = self.connection()
            if connection is not None and is_listening(self._known_start().port):
                return connection
            self.home.make()
            with self._commanding():
                if not (self._is_alive() and self._join()):
                    self._start()
                return self._connection(self._known_start())

    def await_end(self, *, seconds: float = KILL_SECONDS) -> bool:
        """Wait for a server that ends; whether it did. One that was killed looks alive until its memory is given back."""
        deadline = time.monotonic() + seconds
        while self._is_alive() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return not self._is_alive()

    @contextlib.contextmanager
    def offline(self, *, check: Callable[[Connection], None]) -> Iterator["Launcher"]:
        """The server stopped, and started by nobody else, while the caller works on its files; then it is started again.

        Where there is a database, ``check`` is asked first, while nobody new finds the server; if it raises, or the caller
        does, that is all that happens.
        """
        from cfgraph.server.importing import has_database, settle_import

        with self._explaining():
            self.home.make()
            with self._commanding():
                if has_database(self.home) or self._is_alive():
                    self._check_and_end(check)
                settle_import(self.home)
                try:
                    yield self.find_launcher()
                except BaseException:
                    settle_import(self.home)
                    raise
                self._start()

    def _check_and_end(self, check: Callable[[Connection], None]) -> None:
        if not (self._is_alive() and self._join()):
            self._start()
        start = self._known_start()
        self.home.write_start(start.model_copy(update={"ready": False}))
        try:
            check(self._connection(start))
        except BaseException:
            self.home.write_start(start)
            raise
        self._end()

    def find_end(self) -> str | None:
        """Why a server ended that ran, where its heap is the reason; None while it runs, and for any other."""
        from cfgraph.server.launcher import doubt_heap

        if not self.await_end(seconds=1.0):
            return None
        hint = doubt_heap(self._console(), heap=self.settings.heap).removeprefix("; ")
        return f"the local server ran out of memory; {hint}" if hint else None

    def connection(self) -> Connection | None:
        """How to reach the server, if it runs and was seen to answer; nothing is started."""
        with self._explaining():
            start = self.home.read_start() if self._is_alive() else None
            return self._connection(start) if start and start.ready else None

    def status(self) -> ServerStatus:
        """What is known of the server; nothing is started, nothing is written."""
        with self._explaining():
            running, start = self._is_alive(), self.home.read_start()
            if start is None:
                return ServerStatus(running, self.home.directory, pid=self.home.read_pid() if running else None)
            return ServerStatus(
                running,
                self.home.directory,
                uri=uri_of(start) if running else None,
                pid=self.home.read_pid() if running else None,
                version=start.neo4j,
                java=start.java,
                started=start.started,
                ready=running and start.ready,
            )

    def stop(self) -> bool:
        """Stop the server cleanly, and kill it only where it does not end; whether there was one to stop."""
        with self._explaining():
            if not self.home.command_lock.exists():
                return self._end_orphans()
            with self._commanding():
                if not self._is_alive():
                    return self._end_orphans()
                self._end()
                return True

    def _explaining(self) -> contextlib.AbstractContextManager[None]:
        return explaining_disk_errors(self.home.directory, otherwise="use another folder: --store local:DIR")

    def _commanding(self) -> contextlib.AbstractContextManager[int]:
        line = f"waiting for another command that starts or stops the server of {self.home.directory}"
        return hold_lock(self.home.command_lock, waiting=lambda: self.say(line))

    def _is_alive(self) -> bool:
        return is_locked(self.home.server_lock)

    def _known_start(self) -> Start:
        start = self.home.read_start()
        if start is None:
            raise LocalServerError(
                f"a server runs for {self.home.directory}, and server.json there, which names its port, is missing or "
                f"damaged; stop it with: {self._down_command()}"
            )
        return start

    def _connection(self, start: Start) -> Connection:
        return Connection(uri_of(start), USER, self.home.read_password(), DATABASE)

    def _down_command(self) -> str:
        if self.home.directory == Path(".cfgraph").absolute():
            return "cfgraph down"
        return f"cfgraph --store {shlex.quote(f'local:{self.home.directory}')} down"

    def _join(self) -> bool:
        """Wait for a server that another command started; whether it answers, rather than ends."""
        try:
            self._await_ready(self._known_start())
        except EndedError:
            return False
        return True

    def _start(self) -> None:
        """Start a server, on another port where the first was taken between our look and the server's."""
        from cfgraph.server.importing import settle_import
        from cfgraph.server.java import STARTS

        check_space(self.home.directory)
        check_handles(NEEDED_HANDLES, purpose="the local server")
        self._end_orphans()
        settle_import(self.home)
        launcher = self._prepare()
        earlier = self.home.read_start()
        port, killed = find_free_port(earlier.port if earlier else None), 0
        for _ in range(PORT_TRIES):
            try:
                start = self._launch(launcher, port=port, data_of=earlier.data_of if earlier else None)
            except PortTakenError:
                port = find_free_port(None)
                continue
            except KilledError:
                killed += 1
                if killed == STARTS:
                    raise
                self.say("the server was killed while it started; starting it again")
                continue
            except (CfgraphError, OSError):
                self._end()  # what did not become a server is not left behind
                raise
            except BaseException:  # Ctrl-C, SIGTERM
                self.say(f"the server goes on starting, for the next command; stop it with: {self._down_command()}")
                raise
            name = f"Neo4j {start.neo4j} for {self.home.directory}"
            return self.say(f"started {name} at {uri_of(start)}; stop it with: {self._down_command()}")
        raise LocalServerError(f"each of {PORT_TRIES} free ports on {ADDRESS} was taken before the server had it")

    def _prepare(self) -> "Launcher":
        """Have jars, Java and a password that the data knows."""
        launcher = self.find_launcher()
        password = self.home.provide_password()
        if not self.home.has_data:
            launcher.set_initial_password(password)
        return launcher

    def find_launcher(self) -> "Launcher":
        """What starts the server, and neo4j-admin: Java, and the jars, fetched where they are missing."""
        from cfgraph.server.jars import find_cache_folder, provide_jars, read_jar_list
        from cfgraph.server.java import doubt_java, find_java
        from cfgraph.server.launcher import Launcher

        pinned = read_jar_list(self.settings.neo4j_version)
        java = find_java(self.settings.java, major=pinned.java_major)
        if doubt := doubt_java(java.version, major_max=pinned.java_max):
            self.say(f"Neo4j {pinned.version} may not start or run well: {doubt}")
        cache = self.cache or find_cache_folder()
        jars = provide_jars(pinned, cache=cache, maven_url=self.settings.maven_url, say=self.say)
        return Launcher(
            self.home, java=java, pinned=pinned, jars=jars, heap=self.settings.heap, java_options=self.settings.java_options
        )

    def _launch(self, launcher: "Launcher", *, port: int, data_of: str | None) -> Start:
        """Start a server's process and wait until it answers."""
        from cfgraph.server.java import tell_killed

        now = datetime.now(UTC).isoformat(timespec="seconds")
        version, java = launcher.pinned.version, launcher.java.version
        start = Start(port=port, neo4j=version, java=java, started=now, data_of=data_of)
        self.home.write_start(start)
        process = launcher.launch(port=port)
        try:
            self._await_ready(start)
        except EndedError as error:
            if process.wait(KILL_SECONDS) == -signal.SIGKILL:
                what = f"Neo4j {version}, while it started in {self.home.directory},"
                raise KilledError(tell_killed(what, heap=launcher.heap)) from error
            raise
        return start

    def _await_ready(self, start: Start) -> None:
        """Wait until the server takes the password and answers a query."""
        deadline = time.monotonic() + START_SECONDS
        problem: str | None = "it does not listen"
        while time.monotonic() < deadline:
            if not self._is_alive():
                raise self._death(start)
            if "No space left on device" in self._console():
                raise LocalServerError(FULL.format(self.home.directory))  # it would try again for ever
            # Not before the server says so: until then the port, and the password sent there, may be another's.
            if start.ready or "Bolt enabled" in self._console():
                problem = ask(uri_of(start), password=self.home.read_password())
                if problem is None:
                    update = {"ready": True, "data_of": start.neo4j}
                    return self.home.write_start(start.model_copy(update=update))
            time.sleep(POLL_SECONDS)
        raise LocalServerError(
            f"Neo4j {start.neo4j} does not answer within {START_SECONDS} s in {self.home.directory}: {problem}; "
            f"the whole story is in {self.home.console_log.parent}"
        )

    def _console(self) -> str:
        try:
            return self.home.console_log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def _death(self, start: Start) -> EndedError:
        from cfgraph.server.jars import read_jar_list
        from cfgraph.server.java import doubt_java
        from cfgraph.server.launcher import doubt_heap, last_words

        console = self._console()
        if "PortBindException" in console or "Address already in use" in console:
            return PortTakenError(f"port {start.port} was taken by another program; run the same command again")
        hint = doubt_heap(console, heap=self.settings.heap)
        if start.data_of and is_older(start.neo4j, than=start.data_of):
            hint = f"; the data is that of Neo4j {start.data_of}, which an older one cannot read: set CFGRAPH_NEO4J_VERSION"
        elif doubt := doubt_java(start.java, major_max=read_jar_list(start.neo4j).java_max):
            hint = f"; {doubt}"
        return EndedError(
            f"Neo4j {start.neo4j} did not start in {self.home.directory}: {last_words(console)}{hint}; "
            f"the whole story is in {self.home.console_log}"
        )

    def _end(self) -> None:
        """Ask the server to end; kill it where it does not."""
        start = self.home.read_start()
        if start is not None and start.ready:
            # From here on nobody is to take it for a server that answers. A full disk must not keep it alive.
            with contextlib.suppress(OSError):
                self.home.write_start(start.model_copy(update={"ready": False}))
        if self._signal(signal.SIGTERM, wait_seconds=STOP_SECONDS):
            return
        self.say(f"the server of {self.home.directory} does not end within {STOP_SECONDS} s: killing it")
        if not self._signal(signal.SIGKILL, wait_seconds=KILL_SECONDS):
            raise LocalServerError(
                f"process {self.home.read_pid()}, the server of {self.home.directory}, cannot be killed; "
                f"what it waits for may be in {self.home.console_log.parent}"
            )

    def _end_orphans(self) -> bool:
        """Kill servers whose data is gone: they have nothing left to write."""
        from cfgraph.server.orphans import find_orphans

        orphans = find_orphans(self.home.directory)
        for pid in orphans:
            self.say(f"process {pid} is a server whose folder {self.home.directory} was removed: killing it")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(orphans)

    def _signal(self, number: signal.Signals, *, wait_seconds: float) -> bool:
        """Send a signal to the server; whether it ended."""
        pid = self.home.read_pid()
        # Looked at right before: as long as the lock is held, the process of that id is the server.
        if pid is not None and self._is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return self.await_end(seconds=wait_seconds)


def _expand_user(directory: Path) -> Path:
    """The folder with ``~`` spelled out; an ``InputError`` where there is no such user."""
    try:
        return directory.expanduser()
    except RuntimeError as error:
        raise InputError(f"expected a folder as local:DIR, got {str(directory)!r}: there is no such user") from error


def check_space(directory: Path) -> None:
    """Refuse a disk on which the server would not get far."""
    if shutil.disk_usage(directory).free < NEEDED_BYTES:
        raise LocalServerError(FULL.format(directory))


def check_handles(needed: int, *, purpose: str) -> None:
    """Refuse a limit under which something would fail in the middle, for reasons that do not show.

    The hard limit counts: up to that, a Java process raises its own.
    """
    hard = file_limits()[1]
    if hard < needed:
        raise FewHandlesError(
            f"{purpose} has some {needed} files open at once, and may have {hard} here; {how_to_raise_files()}"
        )


def uri_of(start: Start) -> str:
    """The address of a started server."""
    return f"bolt://{ADDRESS}:{start.port}"


def is_older(version: str, *, than: str) -> bool:
    """Whether a version of Neo4j is of an older release: 5.26 is, than 2026.09; patches of one release are equals."""
    release, other = ([int(part) for part in v.split(".")[:2]] for v in (version, than))
    return release < other


def ask(uri: str, *, password: SecretStr) -> str | None:
    """Ask the server a first question; None where it answers, else what it says. A wrong password is an error."""
    import neo4j
    from neo4j.exceptions import AuthError, DriverError, Neo4jError

    try:
        with neo4j.GraphDatabase.driver(uri, auth=(USER, password.get_secret_value()), user_agent="cfgraph") as driver:
            with driver.session(database=DATABASE) as session:
                session.run("RETURN 1").consume()
            return None
    except AuthError as error:
        raise LocalServerError(
            f"the server at {uri} refuses the password in its own folder: {error.message}; if the password was changed "
            "in Neo4j, write the new one into the file 'password' there"
        ) from error
    except (DriverError, Neo4jError) as error:
        if few := few_handles(error):
            raise few from error
        return one_line(error)
