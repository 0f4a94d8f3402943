"""A server that is killed under a write: one error that says so, and the same write again finishes."""

import os
import signal

import pytest

from cfgraph.errors import StoreUnavailableError
from cfgraph.server.local import LocalServer
from cfgraph.settings import load_settings
from cfgraph.store import Store
from cfgraph.store import graph as graph_module
from cfgraph.store.verify import verify
from tests.grown import assert_same_cells, grown_hierarchy


def test_a_write_survives_the_servers_death(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(graph_module, "RETRY_SECONDS", 1.0)
    server = LocalServer(tmp_path / "store", settings=load_settings())
    hierarchy = grown_hierarchy("killed", arity=4, depth=7)
    try:
        with Store.open(f"local:{tmp_path}/store") as store:
            process = server.status().pid
            with pytest.raises(StoreUnavailableError, match="does not answer"):
                store.write(hierarchy, progress=lambda done, total: os.kill(process, signal.SIGKILL))
        with Store.open(f"local:{tmp_path}/store") as store:
            assert store.hierarchy("killed").state == "writing"
            assert verify(store, "killed").clean
            assert store.write(hierarchy).state == "complete"
            assert_same_cells(store.read("killed"), hierarchy.cells)
    finally:
        server.stop()
    told = capfd.readouterr().err.splitlines()
    assert [line for line in told if not line.startswith("cfgraph: started Neo4j")] == []  # no traceback of the driver's


@pytest.mark.slow("a server of its own, killed and started twice")
def test_a_server_that_was_killed_a_moment_ago_is_started_again(tmp_path):
    """Until the kernel has given its memory back it holds its lock and takes connections, and answers none."""
    server = LocalServer(tmp_path / "store", settings=load_settings())
    server.ensure()
    try:
        for _ in range(2):
            process = server.status().pid
            os.kill(process, signal.SIGKILL)
            with Store.open(f"local:{tmp_path}/store") as store:
                assert store.query("RETURN 1")[1] == [[1]]
            assert server.status().pid != process
    finally:
        server.stop()
