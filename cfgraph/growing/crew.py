"""A crew: worker processes of one command on one machine.

The command starts them, hands each its job through a pipe (a password is in no process list and no environment), hears
from them through another, and passes signals on. They share nothing but the graph; a crew elsewhere at the same
hierarchy is no different from one's own. A worker whose command is gone ends between two blocks.
"""

import errno
import json
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import IO, TYPE_CHECKING, Any

from cfgraph import errors
from cfgraph.errors import CfgraphError, InputError, NotFoundError, VanishedError, WorkersLostError, few_handles
from cfgraph.growing.events import Event, Observer
from cfgraph.growing.outage import DRIVER_SECONDS, Retrier
from cfgraph.loading import leave_frames_out
from cfgraph.visible import show_controls

# The driver is imported where it is used: a worker process has something to say before it is loaded.
if TYPE_CHECKING:
    from cfgraph.model.hierarchy import FieldHierarchy
    from cfgraph.model.parts import Parts
    from cfgraph.predictors.trained import TrainedPredictor
    from cfgraph.store import Store
    from cfgraph.store.growth import GrownBy

WORKERS_MAX = 256
TICK_SECONDS = 0.2  # how soon a crew hears that it is to stop
END_SECONDS = 20.0  # how long a worker may take to end once it was asked to; what it leaves behind, a lease, ends by itself


@dataclass(frozen=True)
class Job:
    """What a worker process is told: where the graph is, what to grow, how."""

    access: dict[str, Any]
    id: str
    growth: dict[str, Any]
    device: str
    lease_seconds: float
    outage_seconds: float
    sessions: int
    below: tuple[str, ...] | None = None  # the parts that it grows; None for all


@dataclass
class Outcome:
    """What became of a crew: whether the stop was reached, and the errors of workers that met one."""

    finished: bool = False
    failures: list[CfgraphError] = field(default_factory=list)


class Crew:
    """Worker processes at one hierarchy; use it in a ``with``, at the end of which none is left.

    Args:
        store: the graph, opened by its URL.
        id: the hierarchy, whose growth is pinned.
        growth: how it is grown.
        workers: how many processes, from 1 to 256.
        parts: what of it they grow; None for all.
    """

    def __init__(
        self,
        store: "Store",
        id: str,
        growth: "GrownBy",
        *,
        workers: int,
        device: str,
        lease_seconds: float,
        outage_seconds: float,
        observe: Observer,
        parts: "Parts | None" = None,
    ):
        from cfgraph.store.writing import SESSIONS

        access = store.access
        if access is None:
            raise InputError("worker processes need a store that was opened by its URL; grow with one worker in this process")
        self._job = Job(
            access=access.reveal(),
            id=id,
            growth=asdict(growth),
            device=device,
            lease_seconds=lease_seconds,
            outage_seconds=outage_seconds,
            sessions=max(1, math.ceil(SESSIONS / workers)),
            below=None if parts is None else parts.texts,
        )
        self._observe, self._heard = observe, queue.SimpleQueue[tuple[int, Event | None]]()
        self._parted: set[int] = set()  # those that said that they end
        self._begin = time.monotonic()
        self._processes = _start_all(id, workers=workers)
        self._readers = [threading.Thread(target=self._listen, args=(number,), daemon=True) for number in range(workers)]

    def __enter__(self) -> "Crew":
        for process, reader in zip(self._processes, self._readers, strict=True):
            _write_line(process, json.dumps(asdict(self._job)))
            reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            with suppress(BrokenPipeError):
                _pipes(process)[0].close()  # which tells a worker that its command has gone: it ends between two blocks
        deadline = time.monotonic() + END_SECONDS
        for process, reader in zip(self._processes, self._readers, strict=True):
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            reader.join()
            _pipes(process)[1].close()

    def work(self, *, interrupted: Callable[[], bool]) -> Outcome:
        """Wait until every worker has ended; where interrupted, ask them to end between two blocks, and kill who does not."""
        outcome, at_work, asked = Outcome(), set(range(len(self._processes))), math.inf
        while at_work:
            if interrupted() and asked == math.inf:
                asked = time.monotonic()
                self._signal(signal.SIGTERM)
            if time.monotonic() - asked > END_SECONDS:
                self._signal(signal.SIGKILL)  # stopped, or stuck: it cannot hear
            try:
                number, event = self._heard.get(timeout=TICK_SECONDS)
            except queue.Empty:
                continue
            if event is None:
                at_work.discard(number)
                self._note_end(number)
            else:
                self._note(number, event, outcome)
        if not (outcome.finished or outcome.failures) and asked == math.inf:
            raise WorkersLostError
        return outcome

    def _note(self, number: int, event: Event, outcome: Outcome) -> None:
        if event.action in ("end", "fail"):
            self._parted.add(number)
        if event.action == "end":
            outcome.finished |= event.facts["finished"]
        elif event.action == "fail":
            outcome.failures.append(getattr(errors, event.facts["error"], CfgraphError)(event.facts["message"]))
        if event.action == "ready":
            event = replace(event, facts={"seconds": round(time.monotonic() - self._begin, 3)})
        self._observe(event)

    def _note_end(self, number: int) -> None:
        process = self._processes[number]
        code = process.wait()
        if number not in self._parted:
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            self._observe(Event("lose_worker", str(process.pid), {"reason": f"process {process.pid} {how}"}))

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(number)

    def _listen(self, number: int) -> None:
        for line in _pipes(self._processes[number])[1]:
            self._heard.put((number, Event.of_line(line)))
        self._heard.put((number, None))


def _start_all(id: str, *, workers: int) -> list[subprocess.Popen[str]]:
    """So many worker processes, or none."""
    processes: list[subprocess.Popen[str]] = []
    try:
        for _ in range(workers):
            processes.append(_start(id))
    except OSError as error:
        for process in processes:
            process.kill()
            with process:  # which closes its pipes and waits for it
                pass
        if few_handles(error) is None and error.errno in (errno.EAGAIN, errno.ENOMEM):
            raise InputError(
                f"the system does not start {workers} worker processes: {error.strerror}; grow with fewer"
            ) from error
        raise
    return processes


def _start(id: str) -> subprocess.Popen[str]:
    # The id is only there for those who read a process list.
    command = [sys.executable, "-m", "cfgraph.growing.crew", id]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    """What the process is told through, and what it says; :func:`_start` gave it both."""
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def _write_line(process: subprocess.Popen[str], line: str) -> None:
    with suppress(BrokenPipeError):  # it died at birth: the end of its output will tell
        pipe, _ = _pipes(process)
        pipe.write(line + "\n")
        pipe.flush()


# -- the worker process


def main() -> int:
    """What a worker process does: reads its job, grows, tells; the exit code is that of the command line."""
    leave_frames_out()
    show_controls("stderr")
    with errors.words_of_the_shell(), _stop_signals() as halted:  # as they are written: who started the workers words them
        asked = sys.stdin.readline()
        if not asked:
            return 0  # the command could not start all of its workers
        job = Job(**json.loads(asked))
        threading.Thread(target=_await_end_of_input, args=(halted,), daemon=True).start()
        try:
            return 0 if _work(job, halted=halted) else 128 + signal.SIGTERM
        except Exception as error:
            told = few_handles(error) or error
            if not isinstance(told, CfgraphError):
                raise
            _tell_action("fail", error=type(told).__name__, message=str(told))
            return told.exit_code


def _work(job: Job, *, halted: threading.Event) -> bool:
    from cfgraph.growing.worker import Worker
    from cfgraph.model.parts import Parts
    from cfgraph.store import Store
    from cfgraph.store.growth import GrownBy

    growth = GrownBy.of_values(job.growth)
    retrier = Retrier(job.outage_seconds, halted=halted.is_set, tell=_tell_action)
    with retrier.retry(lambda: Store.connect(**job.access, retry_seconds=DRIVER_SECONDS)) as store:
        hierarchy, trained = retrier.retry(lambda: read_task(store, job.id, growth))
        worker = Worker(
            store,
            hierarchy,
            trained.load(device=job.device).predict,
            growth,
            parts=None if job.below is None else Parts.of_texts(job.below),
            lease_seconds=job.lease_seconds,
            outage_seconds=job.outage_seconds,
            sessions=job.sessions,
            observe=_tell,
            halted=halted.is_set,
        )
        _tell(Event("ready", worker.owner))
        return worker.run()


def read_task(store: "Store", id: str, growth: "GrownBy") -> "tuple[FieldHierarchy, TrainedPredictor]":
    """The hierarchy and the predictor of a growth, if they are those that it was pinned for; else a ``VanishedError``."""
    try:
        hierarchy, trained = store.hierarchy(id).require_field("rollout"), store.predictor(growth.predictor)
    except NotFoundError as error:  # it was there when the command began
        message = f"the predictor that grows {id!r}, or the hierarchy itself, was removed meanwhile: {error}"
        raise VanishedError(message) from error
    if (hierarchy.incarnation, trained.incarnation) != (growth.incarnation, growth.predictor_incarnation):
        raise VanishedError(f"hierarchy {id!r} or predictor {trained.id!r} was removed meanwhile, and made again")
    return hierarchy, trained


def _tell(event: Event) -> None:
    with suppress(BrokenPipeError):  # nobody listens any more; the end of input will tell to end
        sys.stdout.write(event.to_line())
        sys.stdout.flush()


def _tell_action(action: str, **facts: Any) -> None:
    _tell(Event(action, str(os.getpid()), facts))


def _await_end_of_input(halted: threading.Event) -> None:
    sys.stdin.read()
    halted.set()


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGINT (from a terminal it comes to all) and SIGTERM set."""
    halted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: halted.set())
    yield halted


if __name__ == "__main__":
    sys.exit(main())
