"""What workers use is removed under them: a clear end, and nothing half-written."""

import subprocess

import pytest

from cfgraph.learning.train import train
from cfgraph.store.verify import verify
from tests.faults.gang import Gang
from tests.faults.ground import CELLS, LASTING, PROGRAM

pytestmark = pytest.mark.slow("the faults in their short form")

WORKERS = 4


def test_hierarchy_removed(ground_of, finding, tmp_path):
    """A hierarchy removed under 4 workers."""
    ground = ground_of(LASTING)
    with Gang(ground, ground.new_id(), folder=tmp_path, count=WORKERS) as gang:
        gang.muster()
        ground.store.remove(gang.copy)
        assert [member.wait() for member in gang.members] == [4] * WORKERS, gang.story()
        for member in gang.members:
            assert f"{gang.copy}' was removed meanwhile" in member.said
        assert ground.rows(CELLS, gang.copy) == [[0, 0]]
        assert ground.leases(gang.copy) == []
        assert gang.copy not in [hierarchy.id for hierarchy in ground.store.hierarchies()]
        finding.faults += 1
        finding.remarks.append("nothing left, exit code 4")


def test_predictor_removed(ground_of, finding, tmp_path):
    """A predictor removed while 4 workers use it; the same under another id goes on."""
    ground = ground_of(LASTING)
    rules = [ground.new_id(name) for name in ("removed", "other")]
    truth = ground.store.hierarchy(ground.truth).with_cells(ground.store.read(ground.truth))
    for rule in rules:
        ground.store.write_predictor(train(truth, id=rule, depth=ground.trained.depth, family=ground.trained.family))
    with Gang(ground, ground.new_id(), folder=tmp_path, count=WORKERS, rule=rules[0]) as gang:
        gang.muster()
        ground.store.remove(rules[0])
        assert [member.wait() for member in gang.members] == [4] * WORKERS, gang.story()
        for member in gang.members:
            assert f"the predictor that grows '{gang.copy}' was removed meanwhile" in member.said
        assert ground.leases(gang.copy) == []
        assert verify(ground.store, gang.copy).clean
        words = ["rollout", gang.copy, "--predictor", rules[1], "--to-depth", str(ground.shape.depth)]
        subprocess.run([PROGRAM, *words], env=ground.environment, check=True, capture_output=True)
        finding.faults += 1
        finding.remarks.append("exit code 4, no lease left")
        finding.add(ground.check(gang.copy))
