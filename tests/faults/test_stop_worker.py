"""A worker that stalls, past the end of its leases: others take its blocks over, and its late writes are refused."""

import signal
from dataclasses import dataclass

import pytest

from tests.faults.gang import Gang
from tests.faults.ground import LARGE_BLOCKS

pytestmark = pytest.mark.slow("the faults in their short form")

LEASE_SECONDS = 2.0
TAKEN_OVER_SECONDS = 2.0  # after a lease's end, at most


def test_worker_stopped(ground_of, counts, finding, tmp_path):
    """SIGSTOP of a worker past its leases' end; SIGCONT while another that took a block over holds it, and is stopped too."""
    ground = ground_of(LARGE_BLOCKS)
    delays, refused = [], 0
    options = ["--lease-seconds", str(LEASE_SECONDS)]
    while finding.faults < counts.stops or not refused:
        with Gang(ground, ground.new_id(), folder=tmp_path, count=2, options=options) as gang:
            gang.await_that(lambda: leases_of(gang))
            owner = next(iter(leases_of(gang).values())).owner
            stalled, other = sorted(gang.members, key=lambda member: not is_owner(member, owner))
            stalled.kill(signal.SIGSTOP)
            delays += watch_taking_over(gang, stalled)
            other.kill(signal.SIGSTOP)
            stalled.kill(signal.SIGCONT)
            assert stalled.wait() == 0, gang.story()  # it has grown what the other holds, too
            other.kill(signal.SIGCONT)
            gang.finish()
            finding.faults += 2
            refused += len(gang.told("lose_lease"))
            finding.add(ground.check(gang.copy))
    finding.remarks += [f"taken over at most {max(delays):.2f} s after a lease's end", f"{refused} late writes refused"]
    assert max(delays) <= TAKEN_OVER_SECONDS


@dataclass(frozen=True)
class Held:
    """A lease in the graph."""

    owner: str
    token: str
    until: int
    now: int


def leases_of(gang):
    """The leases on the gang's copy, by key."""
    return {key: Held(*rest) for key, *rest in gang.ground.leases(gang.copy)}


def is_owner(member, owner):
    """Whether an owner's name is that of a member's process."""
    return f":{member.process.pid}:" in owner


def watch_taking_over(gang, stalled):
    """Wait until a block of the one that stalls was taken over; by the server's clock, how long after its lease's end."""
    before, delays = {}, []

    def is_over():
        found = leases_of(gang)
        before.update({key: lease for key, lease in found.items() if is_owner(stalled, lease.owner)})
        for key in before.keys() & found.keys():
            if found[key].token != before[key].token:
                claimed = found[key].until - LEASE_SECONDS * 1000
                delays.append((claimed - before[key].until) / 1000)
        return delays or not before.keys() & found.keys()  # what it held was in the server's hands, and was written

    gang.await_that(is_over)
    return delays
