"""Clocks that are wrong or jump: leases end by the server's clock alone, and a lease that is lost loses nothing."""

from contextlib import suppress
from datetime import datetime
from itertools import cycle

import pytest

from cfgraph.errors import StoreUnavailableError
from tests.faults.clocks import HOUR, JumpingClock, shifted
from tests.faults.gang import Gang
from tests.faults.ground import MANY_BLOCKS, Shape

pytestmark = pytest.mark.slow("the faults in their short form")

HOURS = (-7, 0, 5, 30)
LONG = Shape(arity=4, dimension=2, from_depth=2, depth=7)  # 21,845 cells
JUMPS = (3, -20, 0.001, 8_760, 1)  # hours
JUMP_SECONDS = 0.25
NONE = "libfaketime, which makes clocks wrong, does not work on this machine"


def test_clocks_shifted(ground_of, chance, finding, tmp_path):
    """4 workers whose clocks are 7 h late, right, 5 h and 30 h early; one of them killed now and then."""
    changes = [shifted(hours) for hours in HOURS]
    if None in changes:
        pytest.skip(NONE)
    ground, moments = ground_of(MANY_BLOCKS), chance()
    options = {"options": ["--lease-seconds", "5"], "changes": changes.__getitem__}
    with Gang(ground, ground.new_id(), folder=tmp_path, count=len(HOURS), **options) as gang:
        gang.muster()
        for number in moments.sample(range(len(HOURS)), 2):
            gang.members[number].kill()
            gang.members[number].wait()
            gang.restart(number)
        gang.finish()
        times = [datetime.fromisoformat(event["time"]) for event in gang.told("begin")]
        assert (max(times) - min(times)).total_seconds() > 36 * 3600
        finding.faults, finding.restarts = len(HOURS) - 1, gang.restarts
        finding.add(ground.check(gang.copy))


def test_clocks_jump(ground_of, finding, tmp_path):
    """4 workers whose clocks jump by hours and a year, to and fro, while they grow."""
    clock = JumpingClock(tmp_path / "clock")
    if not clock.works:
        pytest.skip(NONE)
    ground = ground_of(LONG)
    with Gang(ground, ground.new_id(), folder=tmp_path, count=4, changes=lambda _: clock.changes) as gang:
        gang.muster()
        jump_while_it_grows(gang, clock, finding)
        told = [datetime.fromisoformat(event["time"]) for event in gang.members[0].events]
        assert (max(told) - min(told)).total_seconds() > 3600
        finding.add(ground.check(gang.copy))


def test_the_clock_of_the_server_jumps(ground_of, finding, tmp_path):
    """The server's clock jumps by hours, to and fro, as leases see it, while 4 workers grow; one of them is killed."""
    ground = ground_of(LONG)
    with Gang(ground, ground.new_id(), folder=tmp_path, count=4) as gang:
        gang.muster()
        jumps, latest = cycle(JUMPS), 0.0
        for now in gang.ticks():
            gang.tend(codes=())
            if now - latest > JUMP_SECONDS:
                # Nothing but the ends of leases is held against the clock: that jumps ahead where they come earlier.
                moved, latest = {"id": gang.copy, "by": int(next(jumps) * HOUR * 1000)}, now
                with suppress(StoreUnavailableError):  # it takes locks in no order: a deadlock ends this one
                    ground.store.query("MATCH (l:Lease {hierarchy: $id}) SET l.until = l.until - $by", moved, write=True)
                    finding.faults += 1
            if not gang.restarts and gang.members[0].code is None:
                gang.members[0].kill()
                gang.members[0].wait()
                gang.restart(0)
        finding.restarts = gang.restarts
        finding.remarks.append(f"{len(gang.told('lose_lease'))} leases lost")
        finding.add(ground.check(gang.copy))


def jump_while_it_grows(gang, clock, finding):
    """Jump every now and then until all have ended."""
    jumps, latest = cycle(JUMPS), 0.0
    for now in gang.ticks():
        gang.tend(codes=())
        if now - latest > JUMP_SECONDS:
            clock.jump(next(jumps))
            finding.faults, latest = finding.faults + 1, now
    assert finding.faults >= len(JUMPS)
