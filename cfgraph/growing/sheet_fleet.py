"""Sheet fleet: hands tasks of a folder to an engine until all are done, and watches the folder rather than the engine.

A task done twice, or lost and given out again, does no harm: a sheet that is there is done, and what a task tells is the same
every time. What counts as work are results, and sheets that appear in the folder, whoever wrote them.
"""

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cfgraph import errors
from cfgraph.errors import CfgraphError, EngineError, WorkersLostError, few_handles, one_line
from cfgraph.growing.crew import END_SECONDS
from cfgraph.growing.engines.engine import Engine, Handle
from cfgraph.growing.engines.fleet import AGAIN_MAX, LOST_MAX, fetch
from cfgraph.growing.engines.job import own_versions
from cfgraph.growing.engines.processes import Processes
from cfgraph.growing.engines.shift import other_versions
from cfgraph.growing.events import WORD_SECONDS, Event, log_event

TICK_SECONDS = 0.05
TEND_SECONDS = 2.0  # how often the engine is asked to do what it needs
LOOK_SECONDS = 10.0  # how often the folder is looked at while nothing comes back
Look = Callable[[], tuple[set[Any], int]]
Work = Callable[..., Any]  # with what is to be known first, then arguments of the task's own; no secret in any


@dataclass(frozen=True)
class Told:
    """What a task tells: what its function gave, or the class and the message of the error that it met."""

    given: Any = None
    error: tuple[str, str] | None = None


def work_task(known: Any, work: Work, arguments: tuple[Any, ...]) -> Told:
    """Do a task wherever this runs. An error comes home as a value: classes of errors are not everywhere the same."""
    try:
        if (found := own_versions()) != {"python": known.python, "cfgraph": known.cfgraph}:
            raise CfgraphError(other_versions(known, **found, host=socket.gethostname()))
        return Told(work(known, *arguments))
    except Exception as error:
        told = few_handles(error) or error
        return Told(error=(type(told).__name__, BaseException.__str__(told)))


class SheetFleet:
    """Keeps tasks at work on an engine.

    Args:
        engine: what runs them.
        known: what each task is told first; with the versions of whoever asks.
        workers: how many are at work at once.
        interrupted: is asked between tasks; then no new one is handed out.
        advice: what to do where tasks are lost again and again.
    """

    def __init__(
        self,
        engine: Engine,
        known: Any,
        *,
        workers: int,
        interrupted: Callable[[], bool],
        advice: str = "The same command goes on from here",
    ):
        self._engine, self._known, self._workers, self._interrupted = engine, known, workers, interrupted
        self._advice = advice
        self._running = dict[Hashable, Handle]()
        self._alive = self._heard = self._looked = self._tended = time.monotonic()
        self._again = self._lost = self._seen = 0

    def finish(
        self,
        work: Work,
        tasks: Mapping[Any, tuple[Any, ...]],
        *,
        note: Callable[[Any, Any], None],
        look: Look = lambda: (set(), 0),
    ) -> None:
        """Have all tasks done, or stop where that is asked for.

        Args:
            work: what does one.
            tasks: the arguments of each, by its name.
            note: is told the name of each that is done, and what it gave; None where it is found done.
            look: says which are done by now, whoever did them, and how much is done of all.

        Raises:
            EngineError: where the engine does nothing, or loses one after the other; of processes of this machine's own a
                ``WorkersLostError``.
            CfgraphError: what a task met.
        """
        waiting, left = deque[Hashable](tasks), set[Hashable](tasks)
        self._note_alive()
        asked: float | None = None
        try:
            while left and (asked is None or self._running):
                now = time.monotonic()
                if asked is None and self._interrupted():
                    asked = now
                    self._engine.halt()
                    for handle in self._running.values():
                        self._engine.cancel(handle)
                if asked is not None and now - asked > END_SECONDS:
                    return
                while asked is None and waiting and len(self._running) < self._engine.ahead * self._workers:
                    if (name := waiting.popleft()) in left and not self._submit(name, work, tasks[name]):
                        waiting.append(name)
                        break
                done, lost = self._collect(left, note, stopping=asked is not None)
                waiting.extendleft(lost)
                if asked is None:
                    self._tend()
                if not done:
                    if asked is None:
                        waiting.extend(self._look(left, note, look))
                    self._engine.wait(list(self._running.values()), TICK_SECONDS)
        finally:
            for handle in self._running.values():
                with suppress(Exception):
                    self._engine.cancel(handle)
            self._running.clear()

    def _submit(self, name: Hashable, work: Work, arguments: tuple[Any, ...]) -> bool:
        """Hand a task over; whether the engine took it."""
        try:
            self._running[name] = self._engine.submit(work_task, self._known, work, arguments)
        except CfgraphError:
            raise
        except Exception as error:
            self._note_lost(error)
            return False
        return True

    def _collect(self, left: set[Hashable], note: Callable[[Any, Any], None], *, stopping: bool) -> tuple[int, list[Hashable]]:
        """Take in what has ended; how much was done, and what was lost and is to be done again."""
        done, lost = 0, list[Hashable]()
        for name in [name for name, handle in self._running.items() if handle.done()]:
            handle = self._running.pop(name)
            try:
                told = fetch(handle)
            except (Exception, asyncio.CancelledError) as error:
                if not stopping:
                    self._note_lost(error)
                    lost.append(name)
                continue
            if told.error is not None:
                kind, message = told.error
                raise getattr(errors, kind, CfgraphError)(message)
            done += 1
            self._note_alive()
            if name in left:
                left.discard(name)
                note(name, told.given)
        return done, lost

    def _tend(self) -> None:
        """Have the engine do what it needs now and then."""
        now = time.monotonic()
        if now - self._tended >= TEND_SECONDS:
            self._tended = now
            self._engine.tend()

    def _look(self, left: set[Hashable], note: Callable[[Any, Any], None], look: Look) -> list[Hashable]:
        """Look for signs of work elsewhere; after a long time without any, what is to be handed out again."""
        now = time.monotonic()
        if now - self._alive < LOOK_SECONDS or now - self._looked < LOOK_SECONDS:
            return []
        self._looked = now
        found, seen = look()
        for name in found & left:
            left.discard(name)
            note(name, None)
        if seen != self._seen:
            self._seen = seen
            self._note_alive()
            return []
        if now - self._heard > WORD_SECONDS:
            self._tell("await_engine", reason=f"{len(self._running)} tasks are with {self._engine.name}, and none comes back")
        if now - self._alive < self._engine.patience_seconds or isinstance(self._engine, Processes):
            return []  # of processes of this machine one hears when they are lost, however slow it is
        if self._again == AGAIN_MAX:
            raise EngineError(
                f"{self._engine.name} does nothing: tasks were handed out {AGAIN_MAX + 1} times, and for "
                f"{now - self._alive:.0f} s after each time none was done; {self._engine.help}. The same command goes on from "
                "here"
            )
        self._again, self._alive = self._again + 1, now
        again = list(self._running)
        self._running.clear()
        return again

    def _note_alive(self) -> None:
        self._alive = self._heard = time.monotonic()
        self._again = self._lost = 0

    def _note_lost(self, error: BaseException) -> None:
        self._lost += 1
        what = f"{type(error).__name__}: {one_line(error)}"[: errors.DETAIL_MAX]
        self._tell("lose_worker", reason=f"a task on {self._engine.name} was lost: {what}")
        if self._lost <= LOST_MAX * self._workers:
            return
        kind = WorkersLostError if isinstance(self._engine, Processes) else EngineError
        raise kind(
            f"{self._engine.name} lost {self._lost} tasks one after the other, and none was done meanwhile; the last: {what}; "
            f"{self._engine.help}. {self._advice}"
        ) from error

    def _tell(self, action: str, **facts: Any) -> None:
        self._heard = time.monotonic()
        log_event(Event(action, self._engine.name, facts))
