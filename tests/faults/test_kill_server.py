"""The server killed under its workers, and started again."""

import os
import signal

import pytest

from tests.faults.gang import Gang
from tests.faults.ground import MANY_BLOCKS, Ground

pytestmark = pytest.mark.slow("the faults in their short form")


def test_server_killed(own_server, own_store, counts, chance, finding, tmp_path):
    """SIGKILL of the server under 4 workers, and its restart."""
    moments = chance()
    with Ground(own_store, MANY_BLOCKS) as ground:
        assert ground.undisturbed
        while finding.faults < counts.server_kills:
            with Gang(ground, ground.new_id(), folder=tmp_path, count=2, options=["--workers", "2"]) as gang:
                gang.await_that(lambda: gang.told("write_block"))
                due = None
                for now in gang.ticks():
                    due = due or now + moments.uniform(0, 1.5)
                    if now >= due and finding.faults < counts.server_kills:
                        kill_server(own_server)
                        written = len(gang.told("write_block"))
                        own_server.ensure()
                        finding.faults += 1
                        gang.await_that(lambda: len(gang.told("write_block")) > written or gang.told("end"))  # noqa: B023 - called at once
                        due = None
                    gang.tend(codes=())
                finding.restarts += gang.restarts
                finding.add(ground.check(gang.copy))


def kill_server(server):
    """Kill a local server and wait until its process is gone."""
    os.kill(server.status().pid, signal.SIGKILL)
    assert server.await_end()
