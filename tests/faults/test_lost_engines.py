"""Parts of engines that are lost: Dask's nannies and its scheduler, Ray's nodes and its head."""

import time
from importlib.util import find_spec

import psutil
import pytest

from tests.faults.clusters import QUIET, DaskCluster, RayCluster, named
from tests.faults.gang import Gang
from tests.faults.ground import LASTING
from tests.faults.test_engines import DASK, RAY, holders, on
from tests.network import in_a_network_of_its_own

pytestmark = pytest.mark.slow("the faults in their short form")

# After which Ray takes its head for lost: else a minute, and half a one for its client.
HEAD_SECONDS = {"RAY_gcs_rpc_server_reconnect_timeout_s": "5", "RAY_CLIENT_RECONNECT_GRACE_PERIOD": "5"}


def joined(ground, copy, folder):
    """The same command, without an engine, goes on to the end."""
    (after := folder / "after").mkdir()
    with Gang(ground, copy, folder=after, count=1) as gang:
        gang.finish()
    return ground.check(copy)


@DASK
def test_nannies_of_dask_killed(ground_of, finding, tmp_path):
    """SIGKILL of two of Dask's three nannies, whose workers hold leases; these end with them."""
    ground = ground_of(LASTING)
    with (
        DaskCluster(tmp_path, ground.environment, workers=3) as cluster,
        Gang(ground, ground.new_id(), folder=tmp_path, count=1, options=on(cluster.engine)) as gang,
    ):
        for _ in range(2):
            gang.await_that(lambda: holders(gang))
            holder = holders(gang)[0]
            nanny = holder.parent()
            assert nanny.pid in [process.pid for process in cluster.nannies], cluster.story()
            nanny.kill()
            assert not psutil.wait_procs([holder], timeout=30)[1]
            finding.faults += 1
        gang.finish()
        assert gang.told("lose_worker") or ground.store.grown_by(gang.copy).taken_over
        finding.add(ground.check(gang.copy))


@DASK
def test_scheduler_of_dask_comes_back(ground_of, finding, tmp_path):
    """SIGKILL of Dask's scheduler, which is started again at its address, as its workers are."""
    ground = ground_of(LASTING)
    with (
        DaskCluster(tmp_path, ground.environment, workers=2) as cluster,
        Gang(ground, ground.new_id(), folder=tmp_path, count=1, options=on(cluster.engine)) as gang,
    ):
        gang.await_that(lambda: holders(gang))
        cluster.kill(cluster.scheduler)
        cluster.start_scheduler()
        cluster.nannies.append(cluster.start_nanny())
        finding.faults += 1
        gang.finish()
        assert gang.told("lose_worker")
        finding.add(ground.check(gang.copy))


@DASK
def test_scheduler_of_dask_lost(ground_of, finding, tmp_path):
    """SIGKILL of Dask's scheduler and all workers: one error, exit code 3; the same command goes on without them."""
    ground = ground_of(LASTING)
    with DaskCluster(tmp_path, ground.environment, workers=2) as cluster:
        with Gang(ground, ground.new_id(), folder=tmp_path, count=1, options=on(cluster.engine)) as gang:
            gang.await_that(lambda: holders(gang))
            for process in (cluster.scheduler, *cluster.nannies):  # shifts that run do so without a scheduler, too
                cluster.kill(process)
            finding.faults += 1
            assert gang.members[0].wait() == 3, gang.story()
            assert "no Dask scheduler answers at tcp://" in gang.members[0].said
            finding.remarks.append("exit code 3")
        finding.add(joined(ground, gang.copy, tmp_path))


@RAY
@in_a_network_of_its_own
def test_raylet_and_head_of_an_own_ray_lost(ground_of, finding, tmp_path):
    """SIGKILL of the raylet, and of the head, of a Ray that a command started; it starts another."""
    ground = ground_of(LASTING)
    for part in ("raylet", "gcs_server"):
        changes = {**QUIET, **HEAD_SECONDS}
        with Gang(
            ground, ground.new_id(), folder=tmp_path, count=1, options=on("ray"), changes=lambda _, changes=changes: changes
        ) as gang:
            gang.await_that(lambda gang=gang: holders(gang))
            lost = named(part, below=gang.members[0].process.pid)
            assert len(lost) == 1, gang.story()
            lost[0].kill()
            finding.faults += 1
            gang.finish()
            finding.remarks.append(f"{part}: {len(gang.told('lose_worker'))} shifts lost")
            finding.add(ground.check(gang.copy))


@RAY
@pytest.mark.skipif(find_spec("grpc") is None, reason="grpcio is not installed, which Ray's client needs")
@in_a_network_of_its_own
def test_node_and_head_of_a_ray_cluster_lost(ground_of, finding, tmp_path):
    """SIGKILL of a node of a Ray cluster, then of its head: one error, exit code 3; the same command goes on without it."""
    ground = ground_of(LASTING)
    with RayCluster(tmp_path, ground.environment) as cluster:
        options = {"count": 1, "options": on(cluster.engine), "changes": lambda _: {**QUIET, **HEAD_SECONDS}}
        with Gang(ground, ground.new_id(), folder=tmp_path, **options) as gang:
            gang.await_that(lambda: holders(gang))
            cluster.kill(cluster.node)
            finding.faults += 1
            gang.finish()
            finding.add(ground.check(gang.copy))
        with Gang(ground, ground.new_id(), folder=tmp_path, **options) as gang:
            gang.await_that(lambda: holders(gang))
            begin = time.monotonic()
            cluster.kill(cluster.head)
            finding.faults += 1
            assert gang.members[0].wait() == 3, gang.story()
            assert "no Ray on ray://" in gang.members[0].said
            finding.remarks.append(f"exit code 3, {time.monotonic() - begin:.0f} s after the head was lost")
        finding.add(joined(ground, gang.copy, tmp_path))
