"""Clusters of Dask's and Ray's as people start them: a process for each part, to be killed."""

import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from cfgraph.server.home import find_free_port
from tests.faults.gang import HANGING_SECONDS

HERE = "127.0.0.1"
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "RAY_raylet_start_wait_time_s": "120"}


class Cluster:
    """Commands that belong together; use it in a ``with``, at the end of which nothing of them is left."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        self._folder, self._environment = folder, {**environment, **QUIET}
        self._running, self._count = list[subprocess.Popen](), 0

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        for process in list(self._running):
            self.kill(process)

    def start(self, words: Sequence[object]) -> subprocess.Popen:
        """Start a command of Python's, whose log is kept."""
        with (self._folder / f"cluster-{self._count}.log").open("wb") as log:
            command = [sys.executable, "-m", *map(str, words)]
            process = subprocess.Popen(command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._running.append(process)
        self._count += 1
        return process

    def kill(self, process: subprocess.Popen) -> None:
        """Kill a command and all that it started."""
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.kill()
        process.kill()
        process.wait()
        self._running.remove(process)

    def await_port(self, port: int) -> None:
        """Wait until somebody listens."""
        end = time.monotonic() + HANGING_SECONDS
        while not is_listened_to(port):
            assert time.monotonic() < end, self.story()
            assert all(process.poll() is None for process in self._running), self.story()
            time.sleep(0.1)

    def story(self) -> str:
        """The ends of the logs."""
        logs = sorted(self._folder.glob("cluster-*.log"))
        return "\n".join(f"{log.name}:\n{log.read_text(errors='replace')[-2000:]}" for log in logs)


class DaskCluster(Cluster):
    """A scheduler, and a nanny for each worker."""

    def __init__(self, folder: Path, environment: dict[str, str], *, workers: int):
        super().__init__(folder, environment)
        self._port, self._workers = find_free_port(None), workers
        self.engine = f"dask:tcp://{HERE}:{self._port}"

    def __enter__(self) -> "DaskCluster":
        self.start_scheduler()
        self.nannies = [self.start_nanny() for _ in range(self._workers)]
        return self

    def start_scheduler(self) -> None:
        """Start the scheduler, always at the same address."""
        words = ["--host", HERE, "--port", self._port, "--no-dashboard", "--dashboard-address", f"{HERE}:0"]
        self.scheduler = self.start(["dask", "scheduler", *words])
        self.await_port(self._port)

    def start_nanny(self) -> subprocess.Popen:
        """Start a worker below its nanny."""
        place = ["--host", HERE, "--local-directory", self._folder, "--no-dashboard"]
        return self.start(["dask", "worker", f"tcp://{HERE}:{self._port}", "--nthreads", 1, *place])


class RayCluster(Cluster):
    """A head with one processor, and a second node with two."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        super().__init__(folder, environment)
        self.environment = QUIET
        self._port, self._client_port = find_free_port(None), find_free_port(None)
        self.engine = f"ray://{HERE}:{self._client_port}"

    def __enter__(self) -> "RayCluster":
        words = ["ray.scripts.scripts", "start", "--block", "--node-ip-address", HERE]
        head = ["--head", "--port", self._port, "--ray-client-server-port", self._client_port, "--num-cpus", 1]
        self.head = self.start([*words, *head, "--include-dashboard", "false"])
        self.await_port(self._port)
        self.await_port(self._client_port)
        self.node = self.start([*words, "--address", f"{HERE}:{self._port}", "--num-cpus", 2])
        return self


def named(part: str, *, below: int) -> list[psutil.Process]:
    """The processes below one whose program is called so."""
    found = []
    for process in psutil.Process(below).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.name() == part:
                found.append(process)
    return found


def is_listened_to(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    try:
        socket.create_connection((HERE, port), timeout=1.0).close()
    except OSError:
        return False
    return True
