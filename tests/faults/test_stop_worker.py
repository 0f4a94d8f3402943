"""A worker that stalls, past the end of its leases: others take its blocks over, and its late writes are refused."""

import signal
from dataclasses import dataclass
from datetime import datetime

import pytest

from tests.faults.gang import Gang
from tests.faults.ground import LARGE_BLOCKS

pytestmark = pytest.mark.slow("the faults in their short form")

LEASE_SECONDS = 2.0
LATE_LOOKS = 1  # at most: one that the server answered before a lease's end may be told of after it


def test_worker_stopped(ground_of, counts, finding, tmp_path):
    """SIGSTOP of a worker past its leases' end; SIGCONT while another that took a block over holds it, and is stopped too."""
    ground = ground_of(LARGE_BLOCKS)
    delays, late_looks, refused = [], [], 0
    options = ["--lease-seconds", str(LEASE_SECONDS)]
    while finding.faults < counts.stops or not refused:
        with Gang(ground, ground.new_id(), folder=tmp_path, count=2, options=options) as gang:
            gang.await_that(lambda: leases_of(gang))
            owner = next(iter(leases_of(gang).values())).owner
            stalled, other = sorted(gang.members, key=lambda member: not is_owner(member, owner))
            stalled.kill(signal.SIGSTOP)
            taken = watch_taking_over(gang, stalled)
            other.kill(signal.SIGSTOP)
            stalled.kill(signal.SIGCONT)
            assert stalled.wait() == 0, gang.story()  # it has grown what the other holds, too
            other.kill(signal.SIGCONT)
            gang.finish()
            finding.faults += 2
            refused += len(gang.told("lose_lease"))
            delays += [over.delay for over in taken]
            late_looks += [over.count_looks(other) for over in taken]
            finding.add(ground.check(gang.copy))
    finding.remarks += [f"taken over at most {max(delays):.2f} s after a lease's end", f"{refused} late writes refused"]
    assert max(late_looks) <= LATE_LOOKS  # not seconds: a slow machine may be at a block of its own for long


@dataclass(frozen=True)
class Held:
    """A lease in the graph."""

    owner: str
    token: str
    until: int
    now: int


@dataclass(frozen=True)
class TakenOver:
    """A lease that somebody took over; milliseconds by the server's clock, which is this machine's."""

    key: str
    ended: int
    claimed: float

    @property
    def delay(self) -> float:
        """Seconds from the lease's end to the claim."""
        return (self.claimed - self.ended) / 1000

    def count_looks(self, member) -> int:
        """How often a worker with nothing else to do found the lease held though it had ended, before it took it over."""
        return sum(self.ended < moment_of(event) < self.claimed for event in member.told("await_block"))


def moment_of(event):
    """When an event was told, in milliseconds."""
    return datetime.fromisoformat(event["time"]).timestamp() * 1000


def leases_of(gang):
    """The leases on the gang's copy, by key."""
    return {key: Held(*rest) for key, *rest in gang.ground.leases(gang.copy)}


def is_owner(member, owner):
    """Whether an owner's name is that of a member's process."""
    return f":{member.process.pid}:" in owner


def watch_taking_over(gang, stalled):
    """Wait until blocks of the one that stalls were taken over: those that were, when first seen."""
    before, taken = {}, []

    def is_over():
        found = leases_of(gang)
        before.update({key: lease for key, lease in found.items() if is_owner(stalled, lease.owner)})
        for key in before.keys() & found.keys():
            if found[key].token != before[key].token:
                taken.append(TakenOver(key, before[key].until, claimed=found[key].until - LEASE_SECONDS * 1000))
        return taken or not before.keys() & found.keys()  # what it held was in the server's hands, and was written

    gang.await_that(is_over)
    return taken
