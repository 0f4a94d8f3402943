"""How the server's process, and neo4j-admin, are started: the command line, the heap, the lock."""

import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pydantic import SecretStr

from cfgraph.errors import InputError, LocalServerError
from cfgraph.server.disk import write_private_file
from cfgraph.server.home import Home
from cfgraph.server.jars import JarList
from cfgraph.server.java import Java, java_environment, run_java
from cfgraph.server.lock import hold_lock

OPENED = ("java.base/java.nio", "java.base/java.io", "java.base/sun.nio.ch", "java.base/java.util.concurrent")
JVM_OPTIONS = (
    *(f"--add-opens={package}=ALL-UNNAMED" for package in OPENED),
    "--enable-native-access=ALL-UNNAMED",
    # Writes 15 to 25 % more cells a second than the default collector does, and starts no slower.
    "-XX:+UseParallelGC",
    # Half of the heap for what is new: a transaction's state dies young, and need not be copied if it has the room to.
    # Of the server's time for a cell, the collector took 15 of 47 microseconds before, and takes 2 of 34 now.
    "-XX:NewRatio=1",
    # A server without memory is dead; better that it says so.
    "-XX:+ExitOnOutOfMemoryError",
    # Leaves no file in /tmp.
    "-XX:-UsePerfData",
    "-XX:+DisableExplicitGC",
    "-Djdk.nio.maxCachedBufferSize=1024",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Dlog4j2.disable.jmx=true",
)
# Of neo4j-admin. What it links relationships with lives long: in a small heap that has to be most of it.
ADMIN_OPTIONS = ("-Xmn40m",)
ADMIN_PAGE_CACHE = "32m"  # it writes from one end to the other; with 512 MB it is no faster, and takes them all
# What Java says of a heap that is too small, too large, or more than there is memory for.
HEAP_SIGNS = (
    *("OutOfMemoryError", "maximum heap", "initial heap", "heap size", "object heap"),
    "insufficient memory for the Java Runtime Environment",
)
HEAP_MIN = "128m"
_HEAP = re.compile(r"([1-9][0-9]*)([kKmMgG]?)")
LONGEST_REASON = 300  # some of Neo4j's are pages of its inner state
ADMIN_CLASS = "org.neo4j.cli.AdminTool"

# Processes that this one started. Kept, so that Python collects those that ended and has nothing to warn of.
_children: list["subprocess.Popen[bytes]"] = []


@dataclass(frozen=True)
class Launcher:
    """All that a server's process is made of."""

    home: Home
    java: Java
    pinned: JarList
    jars: tuple[Path, ...]
    heap: str
    java_options: str = ""

    def set_initial_password(self, password: SecretStr) -> None:
        """Have the data that a first start makes know the password. It goes through a pipe.

        neo4j-admin reads its arguments from a file there: no process list shows it, no file is left with it.
        """
        self._write_arguments()
        self.home.write_configuration(port=0, extra=self.pinned.settings)
        done = run_java(
            [*self._command(), ADMIN_CLASS, "@/dev/stdin"],
            heap=self.heap,
            input=f"dbms\nset-initial-password\n{password.get_secret_value()}\n",
            cwd=self.home.directory,
            env=java_environment() | {"NEO4J_HOME": str(self.home.directory), "NEO4J_CONF": str(self.home.conf)},
        )
        if done.returncode:
            said = last_words(done.stdout).replace(password.get_secret_value(), "***")
            hint = doubt_heap(done.stdout, heap=self.heap)
            raise LocalServerError(f"neo4j-admin cannot set the password in {self.home.directory}: {said}{hint}")

    def launch(self, *, port: int) -> "subprocess.Popen[bytes]":
        """Start the server's process: a session of its own, which outlives this one."""
        self._write_arguments()
        self.home.write_configuration(port=port, extra=self.pinned.settings)
        return self._spawn(self._server_command(), folder=self.home.directory)

    def launch_admin(self, arguments: Sequence[str], *, folder: Path) -> "subprocess.Popen[bytes]":
        """Start neo4j-admin on this home's data, working in ``folder``; it holds the lock that a server of this home would."""
        self._write_arguments(ADMIN_OPTIONS)
        self.home.write_configuration(port=0, extra=self.pinned.settings, page_cache=ADMIN_PAGE_CACHE)
        places = {"NEO4J_HOME": str(self.home.directory), "NEO4J_CONF": str(self.home.conf)}
        return self._spawn([*self._command(), ADMIN_CLASS, *arguments], folder=folder, places=places)

    def _spawn(
        self, command: Sequence[str], *, folder: Path, places: Mapping[str, str] = MappingProxyType({})
    ) -> "subprocess.Popen[bytes]":
        self.home.pid_file.unlink(missing_ok=True)
        with hold_lock(self.home.server_lock) as lock, self.home.console_log.open("wb") as console:
            process = subprocess.Popen(
                # The shell becomes the server: its process id is written before there is a server to lose.
                ["/bin/sh", "-c", 'echo $$ >"$0" && exec "$@"', str(self.home.pid_file), *command],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**java_environment(), **places},
                start_new_session=True,
                # The lock is the open file's, not the process's: the server holds it on when this process lets go.
                pass_fds=[lock],
            )
        _children[:] = [child for child in _children if child.poll() is None] + [process]
        return process

    def _command(self) -> list[str]:
        return [str(self.java.command), f"@{self.home.conf / 'java.args'}"]

    def _server_command(self) -> list[str]:
        directories = [f"--home-dir={self.home.directory}", f"--config-dir={self.home.conf}"]
        return [*self._command(), self.pinned.main_class, *directories, "--console-mode"]

    def _write_arguments(self, more: Sequence[str] = ()) -> None:
        """Write Java's options into a file of their own: 235 jars are no reading matter for a process list."""
        if _HEAP.fullmatch(self.heap) is None:
            raise InputError(f"CFGRAPH_HEAP is {self.heap!r}; expected a size as Java writes it: 1g, 768m")
        if any(os.pathsep in str(jar) for jar in self.jars):
            raise InputError(f"Java cannot read jars below a folder with {os.pathsep!r} in its name: {self.jars[0].parent}")
        classpath = os.pathsep.join(map(str, self.jars)).replace("\\", "\\\\").replace('"', '\\"')
        own = [f'"{option}"' for option in split_java_options(self.java_options)]
        lines = [f"-Xms{self.heap}", f"-Xmx{self.heap}", *JVM_OPTIONS, *more, *own, "-cp", f'"{classpath}"']
        write_private_file(self.home.conf / "java.args", "\n".join(lines) + "\n")


def smaller_heap(one: str, other: str) -> str:
    """The smaller of two sizes as Java writes them; the first where it is none, to be told where it is used."""

    def bytes_of(heap: str) -> int:
        found = _HEAP.fullmatch(heap)
        return int(found[1]) << {"k": 10, "m": 20, "g": 30}.get(found[2].lower(), 0) if found else 0

    return one if bytes_of(one) <= bytes_of(other) else other


def split_java_options(text: str) -> list[str]:
    """``CFGRAPH_JAVA_OPTIONS`` as Java's file of arguments takes them.

    Raises:
        InputError: where a word is no option: Java would take it for the class to start.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"CFGRAPH_JAVA_OPTIONS is {text!r}: {error}; expected options as a shell takes them") from None
    if stray := [word for word in words if not word.startswith("-") or "\n" in word]:
        raise InputError(
            f"CFGRAPH_JAVA_OPTIONS is {text!r}; expected options of Java that begin with a dash, "
            f"such as -XX:AOTCache=FILE, got {stray[0]!r}"
        )
    return [word.replace("\\", "\\\\").replace('"', '\\"') for word in words]


def doubt_heap(console: str, *, heap: str) -> str:
    """What to say where a heap is why a Java ended; nothing where it is not."""
    if not any(sign in console for sign in HEAP_SIGNS):
        return ""
    return f"; CFGRAPH_HEAP is {heap}: set it to at least {HEAP_MIN}, and to less than what this machine has free"


def last_words(console: str) -> str:
    """Why a server ended: the innermost cause that it printed, else its last error, else where it had come to."""
    lines = [line.strip() for line in console.splitlines() if line.strip()]
    for sign in (*HEAP_SIGNS, "Caused by:", "Exception", "ERROR", "rror:"):
        found = [line for line in lines if sign in line and not line.startswith("at ")]
        if found:
            return found[-1].removeprefix("Caused by:").strip()[:LONGEST_REASON]
    return f"something ended it without a reason given; its last line was {lines[-1]!r}" if lines else "it said nothing"
