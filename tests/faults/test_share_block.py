"""Two workers given the same block by force."""

import pytest

from cfgraph.growing.worker import Worker
from cfgraph.store.writing import Lease
from tests.faults.gang import Gang
from tests.faults.ground import LARGE_BLOCKS, MANY_BLOCKS

pytestmark = pytest.mark.slow("the faults in their short form")

STEAL = """MATCH (l:Lease) WHERE l.key >= $low AND l.key < $high
WITH l, rand() AS chance ORDER BY chance LIMIT 1
SET l.token = $token, l.owner = 'a thief elsewhere', l.until = timestamp() + 300 RETURN l.key"""
STEAL_SECONDS = 0.4


def test_lease_stolen(ground_of, counts, finding, tmp_path):
    """Lease of one of 2 workers given to another owner by force while its block is being written."""
    ground = ground_of(MANY_BLOCKS)
    lost = 0
    while finding.faults < counts.thefts or not lost:
        with Gang(ground, ground.new_id(), folder=tmp_path, count=2) as gang:
            due = 0.0
            for now in gang.ticks():
                gang.tend(codes=())
                if now >= due:
                    query = {"low": f"{gang.copy}/", "high": f"{gang.copy}0", "token": f"stolen {finding.faults}"}
                    stolen = ground.store.query(STEAL, query, write=True)[1]
                    finding.faults += len(stolen)
                    due = now + STEAL_SECONDS * bool(stolen)
            lost += len(gang.told("lose_lease"))
            finding.add(ground.check(gang.copy))
    finding.remarks.append(f"{lost} writes refused")


@pytest.mark.parametrize("leased", [False, True])
def test_block_written_twice(ground_of, finding, leased):
    """The same block in the hands of two writers at once, without a lease and with one that was granted to both."""
    ground = ground_of(LARGE_BLOCKS)
    store, copy = ground.store, ground.new_id()
    worker = started_worker(ground, copy)
    for root in [f"/{slot}" for slot in range(ground.shape.arity)]:
        lease = claimed(store, copy, root) if leased else None
        block = worker._grow_block(root, ground.shape.depth, lease=lease, keeper=None)
        seen = written_at_once(store, copy, block, lease)
        assert sorted(written.new for written in seen) == [False, True]
        assert not any(written.lost for written in seen)
        finding.faults += 1
    assert worker.run()
    finding.add(ground.check(copy))


def started_worker(ground, copy):
    """A worker at a copy whose growth is pinned and of which nothing is grown."""
    from cfgraph.growing.rollout import Stop, rollout

    shape = ground.shape
    options = {"stop": Stop(depth=shape.depth), "from_depth": shape.from_depth, "copy_as": copy, "predictor": ground.rule}
    rollout(ground.store, ground.truth, interrupted=lambda: True, **options)
    rule = ground.trained.load().predict
    return Worker(ground.store, ground.store.hierarchy(copy), rule, ground.store.grown_by(copy))


def claimed(store, copy, root):
    """A lease on a block."""
    from cfgraph.store.growth import Pending

    claim = store.claim_frontier(copy, [Pending(root, seed=root)], owner="both", token=f"of {root}", lease_seconds=60)
    assert isinstance(claim.leases[0], Lease)
    return claim.leases[0]


def written_at_once(store, copy, block, lease):
    """What became of a block that two writers wrote at the same time."""
    seen = []
    writers = [store.block_writer(store.hierarchy(copy), done=seen.append) for _ in range(2)]
    with writers[0], writers[1]:
        for writer in writers:
            writer.submit(block, lease=lease)
    return seen
