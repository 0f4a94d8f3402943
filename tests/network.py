"""A network of a test's own: what listens on every address of its machine runs where there is loopback alone.

Ray does that, whatever it is told. A test of it runs in a network namespace, with a Neo4j inside, as a pytest of its own; what
it leaves behind ends with its namespace of processes.
"""

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

INSIDE = "CFGRAPH_TEST_NETWORK"  # the folder of a test that runs in there, in its environment
OF_THIS_RUN = ("NEO4J_", "PYTEST_XDIST_", "PYTEST_CURRENT_TEST", "CFGRAPH_STORE", "CFGRAPH_TEST_PLACE")
WAYS = (["unshare", "--net"], ["unshare", "--map-root-user", "--net"])
ENDS = ["--pid", "--fork", "--kill-child", "--mount-proc"]
# A shell between the first process and the test's: Ray takes a parent that has the number 1 for one that is gone.
BEGIN = 'ip link set lo up && sh -c "\\"\\$@\\"; exit \\$?" sh "$@"; exit $?'


@functools.cache
def way_in() -> tuple[str, ...] | None:
    """What a command stands behind to have a network of its own; None where none can be made."""
    for words in WAYS:
        command = [*words, *ENDS, "sh", "-c", BEGIN, "sh"]
        try:
            if not subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
                return tuple(command)
        except FileNotFoundError:
            return None
    return None


def in_a_network_of_its_own(test: Callable[..., None]) -> Callable[..., None]:
    """A test that is run in a namespace, by a pytest in there; where none can be made a slow one fails, a quick one skips."""
    if os.environ.get(INSIDE):
        return test

    def outside(request, tmp_path):
        way = way_in()
        if way is None:
            told = "no network namespace can be made here (unshare --net, also with --map-root-user)"
            (pytest.fail if request.node.get_closest_marker("slow") else pytest.skip)(told)
        words = ["-n0", "-q", "--show-capture=no", "--tb=short", "-p", "no:cacheprovider", request.node.nodeid]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_THIS_RUN)}
        with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as short:  # Ray's sockets want a short path
            done = subprocess.run(
                [*way, sys.executable, "-m", "pytest", *words],
                cwd=request.config.rootpath,
                env={**kept, INSIDE: str(tmp_path), "RAY_TMPDIR": short},
                capture_output=True,
                text=True,
                check=False,
            )
        assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
        assert "1 passed" in done.stdout, done.stdout[-3000:]
        keep_findings(request.config, tmp_path)

    outside.__name__, outside.__doc__, outside.__module__ = test.__name__, test.__doc__, test.__module__
    return outside


def tell_finding(found: object) -> None:
    """Keep a finding of a test that runs in there, for the one outside."""
    if folder := os.environ.get(INSIDE):
        with (Path(folder) / "findings").open("a", encoding="utf-8") as file:
            file.write(json.dumps(vars(found)) + "\n")


def keep_findings(config: pytest.Config, folder: Path) -> None:
    """Take up what was found in there, where findings are kept."""
    from tests.faults.finding import Finding

    findings, file = config.pluginmanager.get_plugin("faults-findings"), folder / "findings"
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        found = Finding(**json.loads(line))
        print(*found.row(), sep=" | ")
        if findings is not None:
            findings.add(found)
