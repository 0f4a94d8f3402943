"""A lease shorter than a block takes."""

import pytest

from tests.faults.gang import Gang
from tests.faults.ground import LARGE_BLOCKS

pytestmark = pytest.mark.slow("the faults in their short form")

LEASE_SECONDS = 0.3


def test_lease_outlasted(ground_of, finding, tmp_path):
    """Lease of 0.3 s on blocks that take longer, 2 workers."""
    ground = ground_of(LARGE_BLOCKS)
    options = ["--lease-seconds", str(LEASE_SECONDS)]
    with Gang(ground, ground.new_id(), folder=tmp_path, count=2, options=options) as gang:
        gang.finish()
        # Where the machine is too busy to renew it in time, the first is lost, and the next ones last longer.
        outlasted, lost = gang.told("outlast_lease"), gang.told("lose_lease")
        written = gang.told("write_block")
        quick = max(event["seconds"] for event in written) < 2 * LEASE_SECONDS  # a machine too fast for this test
        assert outlasted or lost or quick
        assert {event["level"] for event in outlasted} <= {"warning"}
        loud = [event["worker"] for event in lost if event["level"] == "warning"]
        assert sorted(loud) == sorted({event["worker"] for event in lost})  # once a worker, with what to do
        assert all(("reason" in event) == (event["lost"] == 1) for event in lost)
        finding.faults = len(written)
        finding.remarks.append(f"{len(outlasted)} workers warned, leases renewed; {len(lost)} leases lost all the same")
        finding.add(ground.check(gang.copy))
