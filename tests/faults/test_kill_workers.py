"""Workers killed at random moments."""

import signal
from contextlib import suppress

import psutil
import pytest

from tests.faults.gang import Gang
from tests.faults.ground import MANY_BLOCKS
from tests.processes import children_of

pytestmark = pytest.mark.slow("the faults in their short form")

WORKERS = 4


class Reaper:
    """Knows when each worker of a gang is to be killed: some time after its start, or after it has begun to work."""

    def __init__(self, gang, chance):
        self._gang, self._chances = gang, [chance(number) for number in range(len(gang.members))]
        self._dooms = [self._draw(number) for number in range(len(gang.members))]

    def _draw(self, number):
        chance = self._chances[number]
        return ("start", chance.uniform(0.3, 3)) if chance.random() < 0.3 else ("begin", chance.uniform(0, 1.5))

    def strike(self, now):
        """Kill those whose time has come, and start them again; how many."""
        struck = 0
        for number, member in enumerate(self._gang.members):
            since = member.started if self._dooms[number][0] == "start" else began(member, now)
            if member.code is None and since is not None and now - since >= self._dooms[number][1]:
                member.kill()
                struck += member.wait() == -signal.SIGKILL
                self._gang.restart(number)
                self._dooms[number] = self._draw(number)
        return struck


def began(member, now):
    """When a worker was first seen to have begun; None where it has not."""
    if not hasattr(member, "began") and member.told("begin"):
        member.began = now
    return getattr(member, "began", None)


def test_workers_killed(ground_of, counts, chance, finding, tmp_path):
    """SIGKILL of one of 4 workers at a random moment."""
    ground = ground_of(MANY_BLOCKS)
    while finding.faults < counts.kills:
        with Gang(ground, ground.new_id(), folder=tmp_path, count=WORKERS) as gang:
            reaper = Reaper(gang, lambda number: chance(f"{finding.copies} {number}"))
            for now in gang.ticks():
                if finding.faults < counts.kills:
                    finding.faults += reaper.strike(now)
                gang.tend(codes=())
            finding.restarts += gang.restarts
            finding.add(ground.check(gang.copy))


def test_crew_killed(ground_of, counts, chance, finding, tmp_path):
    """SIGKILL of a worker process of a crew (`--workers 4`)."""
    ground, moments = ground_of(MANY_BLOCKS), chance()
    while finding.faults < counts.crew_kills:
        with Gang(ground, ground.new_id(), folder=tmp_path, count=1, options=["--workers", str(WORKERS)]) as gang:
            due = None
            for now in gang.ticks():
                gang.tend(codes=(137,))  # all four were killed
                crew = children_of(gang.members[0].process.pid) if gang.members[0].told("begin") else []
                due = due or now + moments.uniform(0, 1)
                if crew and now >= due and finding.faults < counts.crew_kills:
                    with suppress(psutil.NoSuchProcess):  # it ended by itself meanwhile
                        moments.choice(crew).kill()
                        finding.faults, due = finding.faults + 1, None
            assert gang.told("lose_worker")
            finding.restarts += gang.restarts
            finding.add(ground.check(gang.copy))
