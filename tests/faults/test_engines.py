"""What engines do to workers: those that hold leases are killed or stand still, and what they grow is removed."""

import signal

import psutil
import pytest

from tests.faults.gang import Gang
from tests.faults.ground import CELLS, LASTING

pytestmark = pytest.mark.slow("the faults in their short form")

WORKERS = 3
STOP_SECONDS, LEASE_SECONDS = 4.0, 1.0


def holders(gang):
    """The processes of a command's engine that hold leases."""
    try:
        own = {process.pid: process for process in psutil.Process(gang.members[0].process.pid).children(recursive=True)}
    except psutil.NoSuchProcess:
        return []
    owners = [owner for _, owner, *_ in gang.ground.leases(gang.copy)]
    numbers = {int(owner.partition("+")[0].rsplit(":", 2)[1]) for owner in owners if "+" in owner}
    return [own[number] for number in sorted(numbers & own.keys())]


def on(engine, *more):
    """The words that have a command grow on an engine."""
    return ["--engine", engine, "--workers", str(WORKERS), *more]


@pytest.mark.parametrize("engine", ["processes"])
def test_lease_holders_on_engines_killed(ground_of, counts, chance, finding, tmp_path, engine):
    """SIGKILL of a worker that holds leases, on an engine."""
    ground, moments = ground_of(LASTING), chance()
    finding.fault = f"SIGKILL of a worker that holds leases, on {engine}"
    while finding.faults < counts.engine_kills:
        with Gang(ground, ground.new_id(), folder=tmp_path, count=1, options=on(engine)) as gang:
            due, before = 0.0, finding.faults
            for now in gang.ticks():
                gang.tend(codes=())
                if now >= due and finding.faults < counts.engine_kills and (found := holders(gang)):
                    moments.choice(found).kill()
                    finding.faults, due = finding.faults + 1, now + moments.uniform(0, 2)
            assert finding.faults == before or ground.store.grown_by(gang.copy).taken_over
            finding.restarts += gang.restarts
            finding.add(ground.check(gang.copy))


def test_a_shift_outlasts_its_lease(ground_of, finding, tmp_path):
    """A worker of a process pool that stands still for longer than its lease."""
    ground = ground_of(LASTING)
    options = on("processes", "--lease-seconds", f"{LEASE_SECONDS:g}")
    with Gang(ground, ground.new_id(), folder=tmp_path, count=1, options=options) as gang:
        still, until = None, 0.0
        for now in gang.ticks():
            gang.tend(codes=())
            if still is None and (found := holders(gang)):
                still, until = found[0], now + STOP_SECONDS
                still.send_signal(signal.SIGSTOP)
                finding.faults += 1
            if until and now >= until:
                still.send_signal(signal.SIGCONT)
                until = 0.0
        assert finding.faults
        finding.add(ground.check(gang.copy))


def test_hierarchy_removed_under_an_engine(ground_of, finding, tmp_path):
    """A hierarchy removed under a process pool."""
    ground = ground_of(LASTING)
    with Gang(ground, ground.new_id(), folder=tmp_path, count=1, options=on("processes")) as gang:
        gang.await_that(lambda: holders(gang))
        ground.store.remove(gang.copy)
        assert gang.members[0].wait() == 4, gang.story()
        assert f"{gang.copy}' was removed meanwhile" in gang.members[0].said
        assert ground.rows(CELLS, gang.copy) == [[0, 0]]
        assert ground.leases(gang.copy) == []
        finding.faults += 1
        finding.remarks.append("nothing left, exit code 4")
