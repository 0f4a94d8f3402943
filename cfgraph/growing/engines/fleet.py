"""Fleet: keeps so many shifts at work on an engine, and watches the graph rather than the engine.

An engine may lose a shift without a word, or hold it back for ever. So what counts as work are leases and new cells: where
there are none for a time, shifts are submitted again, and where that helps nothing, there is one clear error.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from cfgraph import errors
from cfgraph.errors import CfgraphError, EngineError, InputError, StoreUnavailableError, one_line
from cfgraph.growing.crew import END_SECONDS, TICK_SECONDS, Outcome
from cfgraph.growing.engines.engine import Engine, Handle
from cfgraph.growing.engines.job import Checked, Job, own_versions, refuse_unpicklable
from cfgraph.growing.engines.shift import Around, look_around, other_versions, work_shift
from cfgraph.growing.events import WORD_SECONDS, Event, Observer
from cfgraph.growing.lease_owner import machine
from cfgraph.growing.outage import DRIVER_SECONDS

if TYPE_CHECKING:
    from cfgraph.store import Store

LOOK_SECONDS = 2.0  # how often the graph is asked for signs of work
AGAIN_MAX = 2  # times that shifts are submitted again before the fleet gives up
LOST_MAX = 8  # shifts of each worker that may be lost one after the other while no cell is grown
RESULT_SECONDS = 20.0  # within which a shift that is done gives its result
PAUSE_SECONDS = 1.0  # before a shift that was lost is submitted again


class Fleet:
    """Shifts on an engine at one growth; use it in a ``with``, at the end of which none is waited for.

    Args:
        engine: what runs them.
        job: what they are told.
        workers: how many are at work at once.
        store: the graph, which is watched.
        observe: is told what shifts tell, and what becomes of them.
        tick: is called several times a second.
    """

    def __init__(
        self,
        engine: Engine,
        job: Job,
        *,
        workers: int,
        store: "Store",
        observe: Observer,
        tick: Callable[[], None] = lambda: None,
    ):
        self._engine, self._job, self._workers, self._store = engine, job, workers, store
        self._observe_outside, self._tick = observe, tick
        self._handles, self._given_up = list[Handle](), list[Handle]()
        self._outcome = Outcome()
        self._alive = self._heard = self._looked = time.monotonic()
        self._again = self._lost = 0
        self._due = list[float]()  # when a shift is to be submitted in place of one that was lost
        self._leases, self._mark = 0, self._count()

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        for handle in [*self._handles, *self._given_up]:
            with suppress(Exception):
                self._engine.cancel(handle)

    def work(self, *, interrupted: Callable[[], bool]) -> Outcome:
        """Keep shifts at work until the stop is reached, or until interrupted: then those that run have some seconds to end.

        Raises an ``EngineError`` where the engine does nothing, though shifts were submitted again.
        """
        self._due = [0.0] * self._workers
        asked: float | None = None
        while self._handles or (self._due and asked is None):
            now = time.monotonic()
            if asked is None and (interrupted() or self._outcome.finished):
                asked, self._due = now, []
                self._engine.halt()
            if asked is not None and now - asked > END_SECONDS:
                self._tell("leave_shifts", reason=f"{len(self._handles)} shifts on {self._engine.name} end by themselves")
                break
            if asked is None:
                self._submit_due(now)
                self._look(now)
            self._collect(resubmit=asked is None)
            self._tick()
            self._say_a_word()
            time.sleep(TICK_SECONDS)
        return self._outcome

    # -- shifts

    def _submit_due(self, now: float) -> None:
        due = [moment for moment in self._due if moment <= now]
        self._due = [moment for moment in self._due if moment > now]
        for _ in due:
            try:
                self._handles.append(self._engine.submit(work_shift, self._job))
            except CfgraphError:
                raise
            except Exception as error:
                self._due.append(now + self._note_lost(error))

    def _collect(self, *, resubmit: bool) -> None:
        ended = [handle for handle in self._handles if handle.done()]
        late = [handle for handle in self._given_up if handle.done()]
        self._handles = [handle for handle in self._handles if handle not in ended]
        self._given_up = [handle for handle in self._given_up if handle not in late]
        for handle in (*ended, *late):
            again = self._take(handle)
            if handle in ended and resubmit and again is not None:
                self._due.append(time.monotonic() + again)

    def _take(self, handle: Handle) -> float | None:
        """Take in what a shift tells; after how many seconds another takes its place, None where none does."""
        try:
            events = [Event.of_line(line) for line in fetch(handle)]
        except (Exception, asyncio.CancelledError) as error:
            return self._note_lost(error)
        grown = failed = False
        for event in events:
            self._observe(event)
            grown |= event.action == "write_block" and bool(event.facts["new"])
            if event.action == "end":
                self._outcome.finished |= event.facts["finished"]
            elif event.action == "fail":
                failed = True
                self._outcome.failures.append(getattr(errors, event.facts["error"], CfgraphError)(event.facts["message"]))
        if grown:
            self._note_alive()
        return None if failed else 0.0

    def _note_lost(self, error: BaseException) -> float:
        """Note that a shift was lost; an ``EngineError`` where many were, one after the other, and nothing was grown."""
        self._lost += 1
        what = f"{type(error).__name__}: {one_line(error)}"[: errors.DETAIL_MAX]
        self._tell("lose_worker", reason=f"a shift on {self._engine.name} was lost: {what}")
        if self._lost > LOST_MAX * self._workers and not self._has_grown():
            raise EngineError(
                f"{self._engine.name} lost {self._lost} shifts one after the other, and no cell was grown meanwhile; the last: "
                f"{what}; {self._engine.help}. The graph is valid, and the same command goes on from here"
            ) from error
        return PAUSE_SECONDS

    # -- the graph

    def _look(self, now: float) -> None:
        """Look for signs of work in the graph; where there were none for long, submit shifts again, or give up."""
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        self._engine.tend()
        with suppress(StoreUnavailableError):  # shifts wait for it, or tell that it was away for too long
            self._leases = sum(worker.leases for worker in self._store.read_workers(self._job.id))
            if self._leases:
                self._alive, self._again = now, 0
            elif self._is_over():
                self._outcome.finished = True
            elif now - self._alive >= self._engine.patience_seconds and not self._has_grown():
                self._try_again(now)

    def _is_over(self) -> bool:
        """Whether the whole growth was recorded as done: shifts that an engine lost tell nobody."""
        if self._job.below is not None:
            return False
        return any(
            growth.done and growth.since == self._job.growth["since"] for growth in self._store.read_growth(self._job.id)
        )

    def _try_again(self, now: float) -> None:
        seconds, self._alive = now - self._alive, now
        if self._again == AGAIN_MAX:
            raise EngineError(
                f"{self._engine.name} does nothing: {self._workers} shifts were submitted {AGAIN_MAX + 1} times, and for "
                f"{seconds:.0f} s after each time no block was leased and no cell grown; {self._engine.help}. The graph is "
                "valid, and the same command goes on from here"
            )
        self._again += 1
        self._tell("await_engine", reason=f"no lease and no new cell for {seconds:.0f} s: shifts are submitted again", leases=0)
        self._given_up += self._handles
        self._handles, self._due = [], [0.0] * self._workers

    def _count(self) -> dict[int, int]:
        return self._store.count_frontier(self._job.id)

    def _has_grown(self) -> bool:
        """Whether cells were grown since this was asked last."""
        with suppress(StoreUnavailableError):
            before, self._mark = self._mark, self._count()
            if self._mark == before:
                return False
        self._note_alive()
        return True

    def _note_alive(self) -> None:
        self._alive, self._again, self._lost = time.monotonic(), 0, 0

    # -- words

    def _observe(self, event: Event) -> None:
        self._heard = time.monotonic()
        self._observe_outside(event)

    def _tell(self, action: str, **facts: Any) -> None:
        self._observe(Event(action, self._engine.name, facts))

    def _say_a_word(self) -> None:
        seconds = time.monotonic() - self._heard
        if seconds < WORD_SECONDS:
            return
        known = {"shifts": len(self._handles), "leases": self._leases}
        if self._leases:
            self._tell("work_on", **known)
        else:
            reason = f"{len(self._handles)} shifts are with {self._engine.name}, and no block is leased"
            self._tell("await_engine", reason=reason, **known)


def check_engine(
    engine: Engine,
    job: Checked,
    *,
    look: Callable[[Any], Around] = look_around,
    observe: Observer,
    interrupted: Callable[[], bool] = lambda: False,
) -> Around | None:
    """Have the engine run a first small task: where its workers are, their versions, whether they open the store.

    ``look`` is the task: of a folder another one, which opens that.

    Raises an ``InputError`` for a local store and an engine on other machines, for other versions than here, and for a job that
    cannot be pickled; an ``EngineError`` where nothing comes back; and what opening the store met there. None where it was
    interrupted.
    """
    if job.is_local and engine.is_elsewhere:
        raise _local_elsewhere(job, engine, host="other machines")
    expected = f"expected Python {own_versions()['python']} and cfgraph {own_versions()['cfgraph']} on its workers"
    try:
        handle = engine.submit(look, job)
        found = _await(handle, engine=engine, observe=observe, interrupted=interrupted)
    except CfgraphError:
        raise
    except (Exception, asyncio.CancelledError) as error:
        refuse_unpicklable(job)
        what = f"{type(error).__name__}: {one_line(error)}"[: errors.DETAIL_MAX]
        raise EngineError(f"{engine.name} did not run a first small task: {what}; {expected}; {engine.help}") from error
    if found is None:
        return None
    if not isinstance(found, Around):
        raise EngineError(f"{engine.name} gave a {type(found).__name__} for a first small task; {expected}; {engine.help}")
    if (found.python, found.cfgraph) != (job.python, job.cfgraph):
        raise InputError(other_versions(job, python=found.python, cfgraph=found.cfgraph, host=found.host))
    if job.is_local and found.machine != machine():
        raise _local_elsewhere(job, engine, host=found.host)
    if found.obstacle is not None:
        name, message = found.obstacle
        raise getattr(errors, name, CfgraphError)(f"{message} (on {found.host}, where {engine.name} runs shifts)")
    return found


def _await(handle: Handle, *, engine: Engine, observe: Observer, interrupted: Callable[[], bool]) -> Any:
    begin = said = tended = time.monotonic()
    while not handle.done():
        now = time.monotonic()
        if interrupted():
            engine.cancel(handle)
            return None
        if now - begin > (AGAIN_MAX + 1) * engine.patience_seconds + DRIVER_SECONDS:
            raise EngineError(f"{engine.name} ran no first small task within {now - begin:.0f} s; {engine.help}")
        if now - said > WORD_SECONDS:
            said = now
            observe(Event("await_engine", engine.name, {"reason": "a first small task has not come back", "leases": 0}))
        if now - tended > LOOK_SECONDS:
            tended = now
            engine.tend()
        time.sleep(TICK_SECONDS)
    return fetch(handle)


def fetch(handle: Handle) -> Any:
    """What a handle that is done gives; a ``TimeoutError`` where it gives nothing for long.

    Dask's futures are done when a worker has the result, and wait for it for ever where that worker is killed just then.
    """
    outcome = Future[Any]()

    def ask() -> None:
        try:
            outcome.set_result(handle.result())
        except BaseException as error:  # told by whoever waits
            outcome.set_exception(error)

    threading.Thread(target=ask, name="cfgraph-fetch", daemon=True).start()
    try:
        return outcome.result(RESULT_SECONDS)
    except TimeoutError as error:
        if outcome.done():
            raise
        raise TimeoutError(f"it was done, and gave no result for {RESULT_SECONDS:g} s") from error


def _local_elsewhere(job: Checked, engine: Engine, *, host: str) -> InputError:
    return InputError(
        f"{job.store} is a local store, which only this machine can reach, and {engine.name} grows on {host}; use a server "
        "that both reach (--store bolt://HOST:7687, docs/servers.md), and bring what is here there with "
        "`cfgraph export ID --format parquet` and `cfgraph ingest parquet`"
    )


@contextmanager
def closing(engine: Engine, *, ours: object) -> Iterator[Engine]:
    """A ``with`` at the end of which an engine ends what it started, unless it is ``ours``: what was given stays as it is."""
    try:
        yield engine
    finally:
        if engine is not ours:
            engine.close()
