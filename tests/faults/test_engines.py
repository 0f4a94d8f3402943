"""What engines do to workers: those that hold leases are killed or stand still, run twice, and what they grow is removed."""

import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec

import psutil
import pytest

from cfgraph.growing.engines.engine import Engine, Handle
from cfgraph.growing.engines.find import find_engine
from cfgraph.growing.engines.fleet import fetch
from cfgraph.growing.engines.job import Job
from cfgraph.growing.engines.shift import look_around, work_shift
from cfgraph.growing.events import Event
from cfgraph.growing.lease_owner import is_dead
from cfgraph.growing.rollout import rollout
from tests.faults.gang import HANGING_SECONDS, TICK_SECONDS, Gang
from tests.faults.ground import CELLS, LASTING
from tests.network import in_a_network_of_its_own

pytestmark = pytest.mark.slow("the faults in their short form")

WORKERS = 3
STOP_SECONDS, LEASE_SECONDS, STOPS = 4.0, 1.0, 3
COPIES_MAX = 6  # of a growth in which two runs of one shift are to meet
DASK, RAY = (pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed") for name in ("distributed", "ray"))
HERE = ["processes", pytest.param("dask", marks=DASK)]  # engines that listen on loopback alone


def holders(gang):
    """The processes that hold leases for a command's engine, wherever they run on this machine."""
    found = []
    for owner in sorted({owner for _, owner, *_ in gang.ground.leases(gang.copy)}):
        if "+" in owner and not is_dead(owner):
            with suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(int(owner.partition("+")[0].rsplit(":", 2)[1])))
    return found


def on(engine, *more):
    """The words that have a command grow on an engine."""
    return ["--engine", engine, "--workers", str(WORKERS), *more]


def kill_holders(ground, counts, chance, finding, folder, *, engine):
    """Kill workers that hold leases, one after the other, until there were enough."""
    moments = chance()
    finding.fault = f"SIGKILL of a worker that holds leases, on {engine}"
    while finding.faults < counts.engine_kills:
        with Gang(ground, ground.new_id(), folder=folder, count=1, options=on(engine)) as gang:
            due, before = None, finding.faults
            for now in gang.ticks():
                gang.tend(codes=())
                if finding.faults == counts.engine_kills or not (found := holders(gang)):
                    continue
                if due is None:  # at any moment of its work, not as soon as it has some
                    due = now + moments.uniform(0, 2)
                elif now >= due:
                    moments.choice(found).kill()
                    finding.faults, due = finding.faults + 1, None
            assert finding.faults == before or ground.store.grown_by(gang.copy).taken_over
            finding.restarts += gang.restarts
            finding.add(ground.check(gang.copy))


@pytest.mark.parametrize("engine", HERE)
def test_lease_holders_on_engines_killed(ground_of, counts, chance, finding, tmp_path, engine):
    """SIGKILL of a worker that holds leases, on an engine."""
    kill_holders(ground_of(LASTING), counts, chance, finding, tmp_path, engine=engine)


@RAY
@in_a_network_of_its_own
def test_lease_holders_on_ray_killed(ground_of, counts, chance, finding, tmp_path):
    """SIGKILL of a worker that holds leases, on Ray."""
    kill_holders(ground_of(LASTING), counts, chance, finding, tmp_path, engine="ray")


def outlast_leases(ground, finding, folder, *, engine):
    """Have workers that hold leases stand still for longer than these, until one was taken over or found its lease lost."""
    finding.fault = f"A worker that stands still for longer than its lease, on {engine}"
    options = on(engine, "--lease-seconds", f"{LEASE_SECONDS:g}")
    with Gang(ground, ground.new_id(), folder=folder, count=1, options=options) as gang:
        still, until = None, 0.0
        for now in gang.ticks():
            gang.tend(codes=())
            if still is not None and now >= until:
                with suppress(psutil.NoSuchProcess):  # the engine took it for dead, and ended it
                    still.send_signal(signal.SIGCONT)
                still, until = None, now + LEASE_SECONDS
            elif still is None and now >= until and finding.faults < STOPS and (found := holders(gang)):
                still, until = found[0], now + STOP_SECONDS
                still.send_signal(signal.SIGSTOP)
                finding.faults += 1
        taken, lost = ground.store.grown_by(gang.copy).taken_over, len(gang.told("lose_lease"))
        assert taken or lost, gang.story()
        finding.remarks.append(f"{lost} leases lost")
        finding.add(ground.check(gang.copy))


@pytest.mark.parametrize("engine", HERE)
def test_a_shift_outlasts_its_lease(ground_of, finding, tmp_path, engine):
    """A worker that stands still for longer than its lease, on an engine."""
    outlast_leases(ground_of(LASTING), finding, tmp_path, engine=engine)


@RAY
@in_a_network_of_its_own
def test_a_shift_on_ray_outlasts_its_lease(ground_of, finding, tmp_path):
    """A worker that stands still for longer than its lease, on Ray."""
    outlast_leases(ground_of(LASTING), finding, tmp_path, engine="ray")


def remove_under(ground, finding, folder, *, engine):
    """Remove what workers on an engine grow, while they hold leases on it."""
    finding.fault = f"A hierarchy removed under the workers of {engine}"
    with Gang(ground, ground.new_id(), folder=folder, count=1, options=on(engine)) as gang:
        gang.await_that(lambda: holders(gang))
        ground.store.remove(gang.copy)
        assert gang.members[0].wait() == 4, gang.story()
        assert f"{gang.copy}' was removed meanwhile" in gang.members[0].said
        assert ground.rows(CELLS, gang.copy) == [[0, 0]]
        assert ground.leases(gang.copy) == []
        finding.faults += 1
        finding.remarks.append("nothing left, exit code 4")


@pytest.mark.parametrize("engine", HERE)
def test_hierarchy_removed_under_an_engine(ground_of, finding, tmp_path, engine):
    """A hierarchy removed under the workers of an engine."""
    remove_under(ground_of(LASTING), finding, tmp_path, engine=engine)


@RAY
@in_a_network_of_its_own
def test_hierarchy_removed_under_ray(ground_of, finding, tmp_path):
    """A hierarchy removed under the workers of Ray."""
    remove_under(ground_of(LASTING), finding, tmp_path, engine="ray")


@dataclass(frozen=True)
class Both:
    """A shift that was handed over twice: ended when both are, it tells what both tell."""

    handles: tuple[Handle, Handle]
    grown: list[list[int]]

    def done(self):
        """Whether both have ended."""
        return all(handle.done() for handle in self.handles)

    def result(self):
        """The events of both."""
        told = [handle.result() for handle in self.handles]
        self.grown.append([sum(is_new(line) for line in lines) for lines in told])
        return (*told[0], *told[1])


def is_new(line):
    """Whether an event is of a block that this worker was the one to write."""
    event = Event.of_line(line)
    return event.action == "write_block" and event.facts["new"]


class Twice(Engine):
    """An engine that takes each worker for lost and runs its shift a second time, while the first one is at it."""

    def __init__(self, engine):
        super().__init__(engine, name=f"{engine.name}, twice")
        self._engine, self.grown = engine, []
        self.shift_seconds, self.patience_seconds = engine.shift_seconds, engine.patience_seconds

    def submit(self, function, *arguments):
        """Hand a function over, a shift twice."""
        handles = [super(Twice, self).submit(function, *arguments) for _ in range(1 + (function is work_shift))]
        return Both(tuple(handles), self.grown) if function is work_shift else handles[0]

    def tend(self):
        """Tend the engine itself."""
        self._engine.tend()

    def halt(self):
        """Halt the engine itself."""
        self._engine.halt()


def run_shifts_twice(ground, finding, *, engine):
    """Have every shift run twice at once on an engine that has room for all, until one wrote blocks both times."""
    finding.fault = f"Each shift run twice at once, on {engine}"
    real, both, most = find_engine(engine, workers=2 * WORKERS), 0, 0
    try:
        begin_all(real, ground.store)
        while not both or most <= WORKERS:
            assert finding.copies < COPIES_MAX, finding
            copy, twice, held = ground.new_id(), Twice(real), []

            def look(status, copy=copy, held=held):
                held.append(len(ground.store.read_workers(copy)))

            how = {"predictor": ground.rule, "from_depth": ground.shape.from_depth, "to_depth": ground.shape.depth}
            assert rollout(ground.store, ground.truth, copy_as=copy, executor=twice, workers=WORKERS, show=look, **how).finished
            finding.faults += len(twice.grown)
            both, most = both + sum(min(pair) > 0 for pair in twice.grown), max([most, *held])
            finding.add(ground.check(copy))
    finally:
        real.close()
    finding.remarks.append(
        f"{both} wrote blocks both times; {most} workers held leases at once, where {WORKERS} were asked for"
    )


def begin_all(engine, store):
    """Have all workers of an engine load what they need, so that none is late for what is over in seconds."""
    job = Job("", None, "it", {}, device="cpu", lease_seconds=1, outage_seconds=1).at(store)
    handles = [engine.submit(look_around, job) for _ in range(2 * WORKERS)]
    end = time.monotonic() + HANGING_SECONDS
    while not all(handle.done() for handle in handles):
        assert time.monotonic() < end
        time.sleep(TICK_SECONDS)
    assert {fetch(handle).obstacle for handle in handles} == {None}


@pytest.mark.parametrize("engine", HERE)
def test_shifts_run_twice_at_once(ground_of, finding, engine):
    """Each shift run twice at once, on an engine."""
    run_shifts_twice(ground_of(LASTING), finding, engine=engine)


@RAY
@in_a_network_of_its_own
def test_shifts_run_twice_at_once_on_ray(ground_of, finding):
    """Each shift run twice at once, on Ray."""
    run_shifts_twice(ground_of(LASTING), finding, engine="ray")
