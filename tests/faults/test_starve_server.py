"""A server that runs out of what it needs: memory for a transaction, room on its disk."""

import re
import resource

import pytest

from cfgraph.growing.rollout import Stop, rollout
from cfgraph.server import home
from cfgraph.store.verify import verify
from tests.faults.gang import Gang
from tests.faults.ground import LARGE_BLOCKS, Ground

pytestmark = pytest.mark.slow("the faults in their short form")

TRANSACTION_MEMORY = "4m"  # a block takes more
DISK_BYTES = 2_000_000  # how far a file of the server's may grow: not far enough for what is left


@pytest.fixture(scope="module")
def ground(own_store):
    """Copies in the store of a server of this file's own; what a single worker makes is known before anything is short."""
    with Ground(own_store, LARGE_BLOCKS) as ground:
        assert ground.undisturbed
        yield ground


@pytest.fixture
def copy(ground):
    """A copy whose growth is pinned and of which nothing is grown."""
    shape, copy = ground.shape, ground.new_id()
    options = {"stop": Stop(depth=shape.depth), "from_depth": shape.from_depth, "copy_as": copy, "predictor": ground.rule}
    rollout(ground.store, ground.truth, interrupted=lambda: True, **options)
    return copy


def test_memory_exceeded(own_server, ground, copy, finding, tmp_path, monkeypatch):
    """A transaction beyond the server's memory limit; the same command goes on without the limit."""
    with monkeypatch.context() as patch:
        patch.setattr(home, "CONFIGURATION", f"{home.CONFIGURATION}db.memory.transaction.max={TRANSACTION_MEMORY}\n")
        restart(own_server)
    with Gang(ground, copy, folder=tmp_path, count=1) as gang:
        assert gang.members[0].wait() == 3, gang.story()
        said = gang.members[0].said
        assert "raise db.memory.transaction.max" in said
        assert f"of '{copy}', down to level {ground.shape.depth}" in said
        assert ground.leases(copy) == []
        assert verify(ground.store, copy).clean
        restart(own_server)
        gang.finish(codes=(3,))
        finding.faults, finding.restarts = 1, gang.restarts
    finding.remarks.append("exit code 3, no lease left, the error names the cells")
    finding.add(ground.check(copy))


def test_disk_full(own_server, ground, copy, finding, tmp_path):
    """A full disk (a limit on the size of the server's files); the same command goes on with room again."""
    sizes = [file.stat().st_size for file in own_server.home.directory.rglob("*") if file.is_file()]
    limit = max(sizes) + DISK_BYTES
    resource.prlimit(own_server.status().pid, resource.RLIMIT_FSIZE, (limit, limit))
    with Gang(ground, copy, folder=tmp_path, count=1, options=["--outage-seconds", "5"]) as gang:
        assert gang.members[0].wait() == 3, gang.story()
        assert re.search(
            "^cfgraph: .* (cannot write its log|met an error|is busy|does not answer)",
            gang.members[0].said,
            flags=re.MULTILINE,
        )
        restart(own_server)
        assert verify(ground.store, copy).clean
        gang.finish(codes=(3,))
        finding.faults, finding.restarts = 1, gang.restarts
    finding.remarks.append("exit code 3")
    finding.add(ground.check(copy))


def restart(server):
    """Stop a local server and start it again, by the configuration that counts now."""
    server.stop()
    server.ensure()
