"""Forking: real commands in processes of their own, without the second that it takes to import what they need.

A process that has imported everything waits for words, forks, and runs the command line in the child.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

ENDED = ".code"  # behind the name of a command's log: the file that holds its exit code
LOADED = (
    "cfgraph.cli",
    "cfgraph.store",
    "cfgraph.store.verify",
    "cfgraph.growing.rollout",
    "cfgraph.growing.describe",
    "cfgraph.learning.train",
    "cfgraph.comparing.compare",
    "cfgraph.sources.cfg",
    "cfgraph.sources.graph",
    "cfgraph.sources.parquet",
    "cfgraph.transfer.export",
    "cfgraph.transfer.backup",
    "cfgraph.predictors.recurrence",
    "cfgraph.plots",
    "matplotlib.figure",
    "scipy.spatial",
    "networkx",
    "pyarrow.parquet",
    "rich.table",
)


class Command:
    """One command: its process, and what it said."""

    def __init__(self, process_id: int, log: Path):
        self.process_id, self.log = process_id, log

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        ended = self.log.with_name(self.log.name + ENDED)
        if ended.exists():
            return int(ended.read_text())
        if not Path(f"/proc/{self.process_id}").exists():
            return int(ended.read_text()) if ended.exists() else -signal.SIGKILL
        return None

    def wait(self, seconds: float = 120.0) -> int:
        """The exit code, when it has ended."""
        end = time.monotonic() + seconds
        while (code := self.code) is None:
            assert time.monotonic() < end, f"it hangs: {self.said}"
            time.sleep(0.005)
        return code

    @property
    def ended(self) -> float:
        """When it ended, by the clock of files."""
        return self.log.with_name(self.log.name + ENDED).stat().st_mtime_ns

    def kill(self) -> None:
        """End it as a machine that fails does."""
        os.kill(self.process_id, signal.SIGKILL)
        self.wait()

    @property
    def said(self) -> str:
        """What it wrote."""
        return self.log.read_text(errors="replace")


class Forker:
    """Starts commands; use it in a ``with``. ``preset`` are values of modules that a command's process begins with."""

    def __init__(self, folder: Path, *, preset: dict[str, int] | None = None):
        self._folder, self._count = folder, 0
        quiet = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "CFGRAPH_ENV_FILE": ""}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CFGRAPH_", "NEO4J_"))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forking", json.dumps(preset or {})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=kept | quiet,
            cwd=Path(__file__).parents[2],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def start(self, words: Sequence[object], *, environment: dict[str, str]) -> Command:
        """Begin a command."""
        self._count += 1
        log = self._folder / f"{self._count}.log"
        log.touch()
        asked = {"words": [str(word) for word in words], "environment": environment, "log": str(log)}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return Command(int(self._process.stdout.readline()), log)


def main() -> None:
    """Import, then fork for each line of words."""
    import importlib

    for name in LOADED:
        importlib.import_module(name)
    for name, value in json.loads(sys.argv[1]).items():
        module, _, attribute = name.rpartition(".")
        setattr(importlib.import_module(module), attribute, value)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever has ended is gone
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(asked)
        print(child, flush=True)


def _run(asked: dict) -> None:
    """Run one command in this process, which is a child's, and end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(asked["log"], os.O_WRONLY | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    os.environ.update(asked["environment"])
    code = 1
    try:
        from cfgraph.cli import run

        code = run(asked["words"])
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    part = Path(asked["log"] + ".part")
    part.write_text(str(code))
    part.rename(asked["log"] + ENDED)
    os._exit(code)


if __name__ == "__main__":
    main()
