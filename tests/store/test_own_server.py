"""With NEO4J_URI set the tests use that server, and touch only what they made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.grown import grown_hierarchy
from tests.servers import Server, serving

pytestmark = pytest.mark.slow("a whole run of tests at a server of its own")

HOUSE = Path(__file__).parents[2]


def state_of(server: Server) -> dict:
    """All that a server holds."""
    with server.open() as store:
        return {
            "digest": store.digest("somebody-elses"),
            "ids": [kept.id for kept in (*store.hierarchies(), *store.predictors())],
            "labels": store.query("MATCH (n) UNWIND labels(n) AS label RETURN label, count(*) ORDER BY label")[1],
            "types": store.query("MATCH ()-[r]->() RETURN type(r), count(*) ORDER BY type(r)")[1],
            "values": store.query("MATCH (p:Person) RETURN sum(p.i), collect(DISTINCT p.hierarchy)")[1],
            "indexes": sorted(store.query("SHOW INDEXES YIELD name")[1]),
        }


def test_a_test_run_leaves_a_server_as_it_found_it(tmp_path):
    with serving(tmp_path / "theirs") as server:
        with server.open() as store:
            store.write(grown_hierarchy("somebody-elses", depth=4))
            store.query("UNWIND range(1, 500) AS i CREATE (:Person {i: i, hierarchy: 'x'})-[:KNOWS]->(:Thing)", write=True)
            store.query("CREATE INDEX person FOR (p:Person) ON (p.i)", write=True)
        before = state_of(server)
        files = ["tests/cli/test_commands.py", "tests/store/test_path.py", "tests/store/test_verify.py"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--numprocesses=0", "-q", "-p", "no:cacheprovider", *files],
            cwd=HOUSE,
            env={**os.environ, "NEO4J_URI": server.url(), "NEO4J_USERNAME": "neo4j", "NEO4J_PASSWORD": server.password},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-3000:]
        assert state_of(server) == before
        with server.open() as store:  # it was this server that they used
            assert store.query("MATCH (s:Schema) RETURN s.claims > 5")[1] == [[True]]
