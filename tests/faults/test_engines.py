"""What engines do to workers: those that hold leases are killed or stand still, and what they grow is removed."""

import signal
from contextlib import suppress
from importlib.util import find_spec

import psutil
import pytest

from cfgraph.growing.lease_owner import is_dead
from tests.faults.gang import Gang
from tests.faults.ground import CELLS, LASTING
from tests.network import in_a_network_of_its_own

pytestmark = pytest.mark.slow("the faults in their short form")

WORKERS = 3
STOP_SECONDS, LEASE_SECONDS = 4.0, 1.0
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
            due, before = 0.0, finding.faults
            for now in gang.ticks():
                gang.tend(codes=())
                if now >= due and finding.faults < counts.engine_kills and (found := holders(gang)):
                    moments.choice(found).kill()
                    finding.faults, due = finding.faults + 1, now + moments.uniform(0, 2)
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


def test_a_shift_outlasts_its_lease(ground_of, finding, tmp_path):
    """A worker of a pool that stands still for longer than its lease."""
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
                with suppress(psutil.NoSuchProcess):  # the engine took it for dead, and ended it
                    still.send_signal(signal.SIGCONT)
                until = 0.0
        assert finding.faults
        finding.add(ground.check(gang.copy))


def test_hierarchy_removed_under_an_engine(ground_of, finding, tmp_path):
    """A hierarchy removed under the workers of a pool."""
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
