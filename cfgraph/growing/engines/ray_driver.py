"""Ray driver: Ray in a process of its own, another one where that was lost.

Ray ends the process that it is used in, at once and without a word, where the head of its cluster is lost. So that is not the
process that has a growth to tell of: that one hands tasks over through a pipe, and hears what they gave through it.
"""

import itertools
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import IO, Any

from cfgraph.errors import DETAIL_MAX, EngineError, one_line
from cfgraph.growing.crew import END_SECONDS
from cfgraph.growing.events import a_word_meanwhile

START_SECONDS = 300.0  # within which Ray starts, or is reached
LOOK_SECONDS = 1.0  # how often the process asks whether there is a Ray still
# Nothing is told to its makers; and a busy machine takes longer to start a node than Ray thinks.
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "120"}
Answer = tuple[bool, bytes]  # whether the function gave something, and that, or its error, pickled


class Driver:
    """Ray in a process of its own: ``place`` is a cluster (``//HOST:10001``), or empty for a Ray that it starts.

    Raises an ``EngineError`` where there is none.
    """

    def __init__(self, place: str, *, workers: int):
        self._place, self._workers, self._lock = place, workers, threading.Lock()
        self._current = _Process(place, workers=workers)

    def submit(self, payload: bytes) -> "Future[Answer]":
        """Have Ray call what is pickled; where the process was lost, in a new one."""
        with self._lock:
            if self._current.has_ended:
                self._current.close()
                with a_word_meanwhile("ray", reason="its driver was lost, and another one is being started"):
                    self._current = _Process(self._place, workers=self._workers)
            return self._current.submit(payload)

    def close(self) -> None:
        """End the process, and the Ray that it started."""
        self._current.close()


class _Process:
    """One such process, and what it was handed."""

    def __init__(self, place: str, *, workers: int):
        self._wire, theirs = Pipe()
        self._waiting, self._numbers = dict[int, Future[Answer]](), itertools.count()
        # Ray tells of a lost node in many lines, on both streams.
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        command = [sys.executable, "-m", "cfgraph.growing.engines.ray_driver", str(theirs.fileno()), str(workers), place]
        with theirs:
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=subprocess.STDOUT,
                env={**SETTINGS, **os.environ},
                start_new_session=True,  # a terminal's SIGINT is for the command, which ends this process when it is done
            )
        self._listener = threading.Thread(target=self._listen, name="cfgraph-ray", daemon=True)
        if (failed := self._await_start()) is not None:
            self.close()
            raise EngineError(
                f"no Ray on {f'ray:{place}' if place else 'this machine'}: {failed}; start one (`ray start --head`, with this "
                "command's Python and Ray), or correct the address"
            )
        self._listener.start()

    def _await_start(self) -> str | None:
        """What failed; None where Ray is there."""
        try:
            if not self._wire.poll(START_SECONDS):
                return f"it did not start within {START_SECONDS:g} s"
            failed: str | None = self._wire.recv()
        except (EOFError, OSError):
            return self._last_words()
        return failed

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self._process.poll() is not None

    def submit(self, payload: bytes) -> "Future[Answer]":
        """Have Ray call what is pickled."""
        number, answer = next(self._numbers), Future[Answer]()
        self._waiting[number] = answer
        self._wire.send((number, payload))
        return answer

    def close(self) -> None:
        """Have it end, or end it where it does not."""
        with suppress(OSError):  # it has ended
            self._wire.send(None)
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._listener.ident is not None:
            self._listener.join()
        self._wire.close()
        self._said.close()

    def _listen(self) -> None:
        try:
            while True:
                number, answer, failed = self._wire.recv()
                if failed is None:
                    self._waiting.pop(number).set_result(answer)
                else:
                    self._waiting.pop(number).set_exception(ConnectionError(failed))
        except (EOFError, OSError):
            code = self._process.wait()
        told = f"Ray's driver ended with exit code {code}: {self._last_words()}"
        for future in list(self._waiting.values()):
            future.set_exception(ConnectionError(told))

    def _last_words(self) -> str:
        """The last that it said; read without moving the place in the file, at which Ray may be writing."""
        size = os.fstat(self._said.fileno()).st_size
        lines = os.pread(self._said.fileno(), size, 0).decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip() and "state-dump" not in line]
        return said[-1][:DETAIL_MAX] if said else "it said nothing"


# -- the process


def call_pickled(payload: bytes) -> Answer:
    """Call a pickled function with its arguments: what Ray's workers run. Itself it takes none that is written in C."""
    from ray import cloudpickle

    try:
        function, arguments = cloudpickle.loads(payload)
        return True, cloudpickle.dumps(function(*arguments))
    except Exception as error:
        try:
            return False, cloudpickle.dumps(error)
        except Exception:  # one that cannot be pickled
            return False, cloudpickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))


def as_task(ray: Any) -> Any:
    """What calls :func:`call_pickled` on Ray, again where a node was lost."""
    return ray.remote(max_retries=-1, num_cpus=1)(call_pickled)


def main(wire: Connection, *, workers: int, place: str) -> int:
    """What the process does: starts Ray, or reaches it, and passes tasks on until nobody hands any over."""
    import ray

    try:
        if place:
            ray.init(address=f"ray:{place}", log_to_driver=False)
        else:
            # Without an address it would join a cluster of this machine, and look for a way out of it.
            here: dict[str, Any] = {"address": "local", "_node_ip_address": "127.0.0.1", "include_dashboard": False}
            ray.init(num_cpus=workers, log_to_driver=False, configure_logging=False, **here)
        task = as_task(ray)
    except Exception as error:  # its own, RuntimeError of another version, ConnectionError, ...
        wire.send(one_line(error)[:DETAIL_MAX])
        return 1
    wire.send(None)
    tell = _teller(wire, lost=ray.exceptions.LocalRayletDiedError)
    while True:
        while not wire.poll(LOOK_SECONDS):
            if not ray.is_initialized():  # the client has given its cluster up, and tells nobody
                return 1
        try:
            handed = wire.recv()
        except EOFError:  # who hands tasks over was killed
            handed = None
        if handed is None:
            ray.shutdown()
            return 0
        number, payload = handed
        try:
            task.remote(payload).future().add_done_callback(partial(tell, number))
        except Exception as error:  # it is not connected any more
            wire.send((number, None, f"{type(error).__name__}: {one_line(error)}"))
            return 1


def _teller(wire: Connection, *, lost: type[Exception]) -> "Callable[[int, Future[Answer]], None]":
    """What tells how a task went, from a thread of Ray's; where Ray is of no use any more, it ends this process."""
    lock = threading.Lock()

    def tell(number: int, future: "Future[Answer]") -> None:
        error = future.exception()
        failed = None if error is None else f"{type(error).__name__}: {one_line(error)}"
        with lock:
            wire.send((number, None if failed else future.result(), failed))
        if isinstance(error, lost):
            os._exit(1)

    return tell


if __name__ == "__main__":
    with Connection(int(sys.argv[1])) as pipe:
        sys.exit(main(pipe, workers=int(sys.argv[2]), place=sys.argv[3]))
