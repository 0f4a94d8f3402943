"""What earlier versions wrote: files of version 0.1 keep their digests, and a growth that an earlier commit began goes on."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cfgraph.server.local import LocalServer
from cfgraph.settings import load_settings
from cfgraph.sources.parquet import parquet
from cfgraph.store import Store
from cfgraph.store.digest import digest_hierarchy
from cfgraph.transfer.backup import ingest_parquet

FILES = Path(__file__).parent.parent / "data" / "v0.1"
REPOSITORY = Path(__file__).parent.parent.parent
FLAT = "a2b20fb"  # the last commit before the package was cut into rooms
CELLS = (4**9 - 1) // 3  # of the curve, four maps, at depth 8; its levels 3 to 8 are 16 blocks
DIGESTS = dict(line.split() for line in (FILES / "digests.txt").read_text().splitlines())


def test_every_file_has_a_digest():
    assert sorted(DIGESTS) == sorted(path.stem for path in FILES.glob("*.parquet"))


@pytest.mark.parametrize("name", DIGESTS)
def test_a_file_of_version_0_1_keeps_its_digest(store, new_id, name):
    backup = parquet(FILES / f"{name}.parquet", id=new_id(name))
    written = ingest_parquet(store, backup)
    assert digest_hierarchy(backup.hierarchy) == DIGESTS[name]
    assert store.digest(written.id) == DIGESTS[name]


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """The code of an earlier commit, in a folder that can be imported from."""
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed, and the earlier code comes from it")
    words = [git, "-C", REPOSITORY, "archive", FLAT, "cfgraph", "cli", "cypher"]
    packed = subprocess.run(words, capture_output=True, check=False)
    if packed.returncode:
        pytest.skip(f"the commit {FLAT} is not here, as in a shallow clone: {packed.stderr.decode().strip()}")
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as files:
        files.extractall(folder, filter="data")
    for name in ("cli", "cypher"):
        (folder / name).rename(folder / "cfgraph" / name)
    return folder


class Earlier:
    """`cfgraph` of an earlier commit as a process group of its own, on a store of its own."""

    def __init__(self, code, url, environment):
        self._environment = {**environment, "CFGRAPH_STORE": url, "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"}
        self._code = code

    def start(self, *arguments, program="from cfgraph.cli import main; main()"):
        """Start a command and go on."""
        return subprocess.Popen(
            [sys.executable, "-P", "-c", program, *map(str, arguments)],
            env=self._environment,
            cwd=self._code,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self, *arguments, **options):
        """Run a command to its end: what it printed."""
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, f"{arguments}: exit {process.returncode}\n{out}\n{err}"
        return out


def kill_half_way(process, store, id):
    """SIGKILL a growth and all its processes when some of its blocks are written, and not all."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if any(id == hierarchy.id for hierarchy in store.hierarchies()) and store.counts(id).cells > CELLS // 4:
            os.killpg(process.pid, signal.SIGKILL)
            break
        time.sleep(0.02)
    _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, err


@pytest.mark.slow("a server of its own, started by the code of an earlier commit, and two growths of 87,381 cells")
def test_a_growth_that_an_earlier_commit_began_goes_on(tmp_path, earlier, run_alone):
    """Its store, half a rollout in it: shown, verified, grown on; equal digest, same predictor."""
    url, place = f"local:{tmp_path}/store", tmp_path / "store"
    before, run = Earlier(earlier, url, run_alone.environment), type(run_alone)(url)
    ingest = ("ingest", "ifs", "koch", "--depth", 4, "--as", "koch")
    growth = ("rollout", "koch", "--from-depth", 2, "--to-depth", 8, "--lease-seconds", 2)
    try:
        found = before(program="import cfgraph, cfgraph.called; print(cfgraph.__file__)")
        assert Path(found.strip()) == earlier / "cfgraph" / "__init__.py"
        before(*ingest)
        before("train", "koch", "--depth", 2, "--family", "recurrence", "--as", "rule")
        process = before.start(*growth, "--predictor", "rule", "--as", "grown")
        # Opened as it is: raising its schema would turn the earlier commit away, which is what that is for.
        with Store.of_server(LocalServer(place, settings=load_settings()).ensure()) as store:
            kill_half_way(process, store, "grown")
        LocalServer(place, settings=load_settings()).stop()  # the new code starts the earlier one's server, too

        shown = json.loads(run("show", "grown", "--format", "json").stdout)
        assert (shown["state"], shown["grown_by"][0]["predictor"]) == ("growing", "rule"), shown
        with Store.open(url) as store:
            half, pinned, rule = store.counts("grown").cells, store.grown_by("grown"), store.predictor("rule")
            assert CELLS // 4 < half < CELLS
            assert not pinned.done
        run("verify", "grown")
        told = run(*growth, "--predictor", "rule", "--as", "grown").stdout
        assert told.startswith(f"grown: {CELLS - half:,} cells grown by rule"), told
        run("verify", "grown")

        run(*ingest)  # the same again is recognised
        run("train", "koch", "--depth", 2, "--family", "recurrence", "--as", "again")
        run(*growth, "--predictor", "again", "--as", "whole")
        with Store.open(url) as store:
            assert store.counts("grown").cells == CELLS
            assert store.digest("grown") == store.digest("whole")
            grown, kept = store.grown_by("grown"), store.predictor("rule")
            assert None not in (grown.incarnation, grown.predictor_incarnation)  # given when it was grown on
            tokens = {"incarnation": grown.incarnation, "predictor_incarnation": kept.incarnation}
            assert grown == replace(pinned, done=True, taken_over=grown.taken_over, **tokens)
            assert kept == rule.model_copy(update={"incarnation": kept.incarnation})
            again = store.predictor("again")
            assert (again.weights, again.config) == (rule.weights, rule.config)
            assert again.validation.items() >= rule.validation.items()  # beside families that came since
    finally:
        LocalServer(place, settings=load_settings()).stop()
