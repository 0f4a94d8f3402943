"""Workers told to end, and workers whose command is gone."""

import signal
import time

import psutil
import pytest

from tests.faults.gang import Gang
from tests.faults.ground import MANY_BLOCKS
from tests.processes import await_ended

pytestmark = pytest.mark.slow("the faults in their short form")

WORKERS = 4
ORPHAN_SECONDS = 60  # some seconds are usual: a worker ends when what it has in flight is written


def test_workers_terminated(ground_of, chance, finding, tmp_path):
    """SIGTERM of 4 workers: leases given back, exit code 143."""
    ground, moments = ground_of(MANY_BLOCKS), chance()
    with Gang(ground, ground.new_id(), folder=tmp_path, count=WORKERS) as gang:
        gang.muster()
        for member in moments.sample(gang.members, WORKERS):
            time.sleep(moments.uniform(0, 0.1))
            member.kill(signal.SIGTERM)
        assert [member.wait() for member in gang.members] == [143] * WORKERS, gang.story()
        assert ground.leases(gang.copy) == []
        finding.faults += WORKERS
        gang.finish(codes=(143,))
        finding.restarts += gang.restarts
        finding.add(ground.check(gang.copy))


def test_crew_orphaned(ground_of, finding, tmp_path):
    """SIGKILL of a command with 4 worker processes: these end by themselves, and give their leases back."""
    ground = ground_of(MANY_BLOCKS)
    with Gang(ground, ground.new_id(), folder=tmp_path, count=1, options=["--workers", str(WORKERS)]) as gang:
        command = gang.members[0]
        gang.await_that(lambda: len(command.told("begin")) == WORKERS)
        gang.await_that(lambda: len(psutil.Process(command.process.pid).children()) == WORKERS)  # a list may miss one
        crew = psutil.Process(command.process.pid).children()
        command.kill()
        assert command.wait() == -signal.SIGKILL
        assert await_ended(crew, seconds=ORPHAN_SECONDS) == []
        assert ground.leases(gang.copy) == []
        finding.faults += 1
        gang.finish(codes=(-signal.SIGKILL,))
        finding.restarts += gang.restarts
        finding.add(ground.check(gang.copy))
