"""Secrets stay where they are kept: searched for in logs, errors, process lists, the folder's files and the graph.

A real server is started, filled, asked wrongly and stopped, by real commands, while a thread looks at every process of the
machine as often as it can. Each command has a password in its environment that is not the local server's.
"""

import secrets
import subprocess
import threading
from pathlib import Path

import psutil
import pytest

from cfgraph.server.local import LocalServer
from cfgraph.settings import Settings
from cfgraph.store import Store

pytestmark = pytest.mark.slow("a server of its own, and every command that starts, uses and stops it")


class ProcessWatch:
    """Notes the command lines and environments of all processes; use it in a ``with``."""

    def __init__(self):
        self.seen: dict[tuple[int, str], str] = {}  # process and command line -> environment
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "ProcessWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(0.02):
            for process in psutil.process_iter(["cmdline", "environ"]):
                line = " ".join(process.info["cmdline"] or [])
                self.seen[process.pid, line] = repr(process.info["environ"])

    def lines_with(self, secret: str) -> list[str]:
        """Command lines that hold a secret."""
        return [line for _, line in self.seen if secret in line]

    def lines_of_environments_with(self, secret: str) -> list[str]:
        """Command lines of the processes whose environment holds a secret."""
        return [line for (_, line), environment in self.seen.items() if secret in environment]


@pytest.fixture(scope="module")
def story(tmp_path_factory, run_alone):
    """A whole run: what was said, which processes there were, the folder, the graph, and the secrets."""
    folder = tmp_path_factory.mktemp("secrets") / "store"
    local, other, wrong = f"local:{folder}", secrets.token_hex(16), secrets.token_hex(16)
    server = LocalServer(folder, settings=Settings(_env_file=None))
    said: list[subprocess.CompletedProcess] = []

    def say(*words, code=0, password=other):
        environment = {**run_alone.environment, "NEO4J_PASSWORD": password}
        said.append(run_alone("-v", *words, code=code, env=environment))

    try:
        with ProcessWatch() as watch:
            say("--store", local, "up")
            password = server.home.read_password().get_secret_value()
            say("--store", local, "ingest", "ifs", "koch", "--depth", 4, "--as", "koch")
            say("--store", local, "train", "koch", "--depth", 2, "--as", "rule")
            grown = ["--predictor", "rule", "--from-depth", 2, "--to-depth", 5, "--as", "grown"]
            say("--store", local, "rollout", "koch", *grown, "--workers", 2)
            say("--store", local, "show", "grown", "--format", "json")
            say("--store", local, "status", "--format", "json")
            say("--store", local, "query", "MATCH (n", code=2)
            say("--store", server.status().uri, "ls", code=3)
            say("--store", server.status().uri, "ls", code=3, password=wrong)
            say("--store", f"bolt://neo4j:{other}@127.0.0.1:1", "ls", code=2)
            say("--store", f"nonsense://neo4j:{other}@127.0.0.1:1", "up", code=2)
            say("--store", "bolt://127.0.0.1:1", "ls", code=3)
            with Store.open(local, settings=Settings(_env_file=None)) as store:
                graph = repr(store.query("MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN labels(n), properties(n), properties(r)"))
                shown = repr((store, store._graph, store.access, server.connection(), server.status()))
            say("--store", local, "down")
    finally:
        server.stop()
    return {"said": said, "watch": watch, "folder": folder, "graph": graph + shown, "own": password, "others": [other, wrong]}


def test_nothing_that_is_said_holds_a_password(story):
    said = "".join(done.stdout + done.stderr for done in story["said"])
    assert "started Neo4j" in said
    assert "refuses the user name or password" in said
    assert not [secret for secret in [story["own"], *story["others"]] if secret in said]


def test_no_process_has_a_password_in_its_arguments(story):
    lines = [line for _, line in story["watch"].seen]
    for sign in ("AdminTool @/dev/stdin", "--console-mode", "cfgraph.growing.crew", "ingest ifs koch"):
        assert any(sign in line for line in lines), f"the watch was too slow to see {sign}"
    own, (other, wrong) = story["own"], story["others"]
    assert not story["watch"].lines_with(own)
    assert not story["watch"].lines_with(wrong)
    assert all(f"neo4j:{other}@" in line for line in story["watch"].lines_with(other))  # as the test itself gave it


def test_environments_hold_only_what_the_user_put_there(story):
    watch = story["watch"]
    assert not watch.lines_of_environments_with(story["own"])
    told = [line for secret in story["others"] for line in watch.lines_of_environments_with(secret)]
    assert told  # the commands themselves: their user set it
    assert not [line for line in told if "java" in line or "neo4j.server" in line or "/bin/sh" in line]


def test_no_file_but_one_holds_a_password(story):
    files = [path for path in Path(story["folder"]).rglob("*") if path.is_file()]
    assert [path for path in files if path.suffix == ".log"]
    for secret in [story["own"], *story["others"]]:
        holders = [path.name for path in files if secret.encode() in path.read_bytes()]
        assert holders == (["password"] if secret == story["own"] else [])


def test_graph_and_objects_hold_no_password(story):
    assert "'koch'" in story["graph"]
    assert not [secret for secret in [story["own"], *story["others"]] if secret in story["graph"]]
