"""Workers whose clocks are wrong: leases end by the server's clock alone."""

from datetime import datetime

import pytest

from tests.faults.clocks import shifted
from tests.faults.gang import Gang
from tests.faults.ground import MANY_BLOCKS

pytestmark = pytest.mark.slow("the faults in their short form")

HOURS = (-7, 0, 5, 30)


def test_clocks_shifted(ground_of, chance, finding, tmp_path):
    """4 workers whose clocks are 7 h late, right, 5 h and 30 h early; one of them killed now and then."""
    changes = [shifted(hours) for hours in HOURS]
    if None in changes:
        pytest.skip("libfaketime, which makes clocks wrong, does not work on this machine")
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
