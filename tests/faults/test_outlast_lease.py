"""A lease shorter than a block takes."""

from tests.faults.gang import Gang
from tests.faults.ground import LARGE_BLOCKS

LEASE_SECONDS = 0.3


def test_lease_outlasted(ground_of, finding, tmp_path):
    """Lease of 0.3 s on blocks that take longer, 2 workers."""
    ground = ground_of(LARGE_BLOCKS)
    options = ["--lease-seconds", str(LEASE_SECONDS)]
    with Gang(ground, ground.new_id(), folder=tmp_path, count=2, options=options) as gang:
        gang.finish()
        warned = [event["level"] for event in gang.told("outlast_lease")]
        assert warned
        assert set(warned) == {"warning"}
        finding.faults = len(gang.told("write_block"))
        finding.remarks.append(f"warned and renewed; {len(gang.told('lose_lease'))} leases lost all the same")
        finding.add(ground.check(gang.copy))
