"""Bulk: `ingest --bulk` into an empty store, against neo4j-admin alone on files that are ready; and its memory."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.finding import Finding, Wanted, rate
from benchmarks.rounds import Say, ratios
from cfgraph.server.importing import off_heap_for
from cfgraph.server.local import LocalServer
from cfgraph.settings import Settings
from cfgraph.sources.cfg import field as cfg_field
from cfgraph.store import Store
from cfgraph.transfer.bulk import export_bulk, form_of, write_files

ID = "bench"
SETTINGS = Settings(_env_file=None)
OUTSIDE = ("stop", "start")  # what is told apart

# A process of its own, so that its memory is its own. VmHWM and not ru_maxrss, which a child inherits from its parent.
PROGRAM = """
import json, resource, sys
from pathlib import Path
from cfgraph.transfer.bulk import ingest_bulk
from cfgraph.settings import Settings
from cfgraph.sources.cfg import field as cfg_field
source = cfg_field(id=sys.argv[2], depth=int(sys.argv[3]))
report = ingest_bulk(sys.argv[1], source, settings=Settings(_env_file=None))
status = Path("/proc/self/status")
if status.exists():
    peak = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) * 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": report.seconds, "peak": peak}))
"""


@dataclass
class _Runs:
    """What was measured, a value a round."""

    ours: list[dict[str, float]] = field(default_factory=list)  # seconds by stage
    peaks: list[float] = field(default_factory=list)  # bytes
    alone: list[float] = field(default_factory=list)
    exported: list[float] = field(default_factory=list)

    @property
    def inside(self) -> list[float]:
        """Everything but stopping and starting the server."""
        return [sum(seconds for stage, seconds in run.items() if stage not in OUTSIDE) for run in self.ours]


def measure_bulk(*, depth: int, rounds: int, say: Say) -> list[Finding]:
    """``bulk``: in each round the whole of `--bulk`, and neo4j-admin on its files and on those of an export, ready all."""
    source, runs = cfg_field(id=ID, depth=depth), _Runs()
    say(f"bulk: {source.cells:,} cells")
    with TemporaryDirectory(prefix="cfgraph-bench-") as name:
        folder = Path(name)
        own, exported = folder / "own", folder / "exported"
        own.mkdir()
        commands = {own: write_files(own, source, form=form_of(source, version=SETTINGS.neo4j_version))[1]}
        for number in range(1, rounds + 1):
            with _store_in(folder / "store") as server:
                _ingest(server, runs, depth=depth)
                if exported not in commands:
                    commands[exported] = _export(server, exported, say=say)
            for files, seconds in ((own, runs.alone), (exported, runs.exported)):
                with _store_in(folder / "store") as server:
                    seconds.append(_import(server, commands[files], files=files, count=source.cells))
            by_stage = ", ".join(f"{stage} {seconds:.3g} s" for stage, seconds in runs.ours[-1].items())
            say(
                f"  round {number}: --bulk {by_stage}; neo4j-admin {runs.alone[-1]:.3g} s, "
                f"on an export {runs.exported[-1]:.3g} s"
            )
    return _found(runs, count=source.cells)


@contextmanager
def _store_in(directory: Path) -> Iterator[LocalServer]:
    server = LocalServer(directory, settings=SETTINGS)
    try:
        yield server
    finally:
        server.stop()
        rmtree(directory, ignore_errors=True)


def _ingest(server: LocalServer, runs: _Runs, *, depth: int) -> None:
    words = [sys.executable, "-c", PROGRAM, f"local:{server.home.directory}", ID, str(depth)]
    done = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    runs.ours.append(done["seconds"])
    runs.peaks.append(done["peak"] / 1e6)


def _export(server: LocalServer, folder: Path, *, say: Say) -> list[str]:
    start = time.perf_counter()
    with Store.open(f"local:{server.home.directory}", settings=SETTINGS) as store:
        written = export_bulk(store, ID, folder)
    say(f"  export --format neo4j-admin: {rate(written.cells, [time.perf_counter() - start])} cells/s")
    return list(written.arguments)


def _import(server: LocalServer, command: list[str], *, files: Path, count: int) -> float:
    """Run neo4j-admin by itself, with the memory that it gets from `--bulk`."""
    server.home.make()
    launcher = server.find_launcher()
    start = time.perf_counter()
    process = launcher.launch_admin([*command, f"--max-off-heap-memory={off_heap_for(count)}"], folder=files)
    if process.wait():
        raise AssertionError(f"neo4j-admin failed: {launcher.home.console_log.read_text(encoding='utf-8')[-500:]}")
    return time.perf_counter() - start


def _found(runs: _Runs, *, count: int) -> list[Finding]:
    stages = {stage: median(run[stage] for run in runs.ours) for stage in runs.ours[0]}
    by_stage = ", ".join(f"{stage} {seconds:.3g} s" for stage, seconds in stages.items())
    ours = (
        f"`ingest cfg --bulk` of {count:,} cells (arity 4, dimension 2) into an empty store, files, import and indexes, but "
        f"without stopping and starting the server: {rate(count, runs.inside)} cells/s; by stage, median: {by_stage}"
    )
    beside = {
        "neo4j-admin on the same files": (runs.alone, "the files that `--bulk` writes, there already"),
        "neo4j-admin on an export": (runs.exported, "the folder that `export --format neo4j-admin` writes, there already"),
    }
    found = [
        Finding(
            name="bulk",
            title=f"time of ingest --bulk over that of {title}",
            values=ratios(runs.inside, seconds),
            wanted=Wanted("at most", 1.4),
            ours=ours,
            theirs=f"`neo4j-admin database import full` alone, which makes no indexes, on {files}: "
            f"{rate(count, seconds)} cells/s",
        )
        for title, (seconds, files) in beside.items()
    ]
    memory = Finding(
        name="bulk",
        title="peak memory of ingest --bulk",
        values=tuple(runs.peaks),
        wanted=Wanted("at most", 500),
        unit=" MB",
        ours=f"resident memory of the one Python process, {count:,} cells",
        theirs=f"neo4j-admin has a heap of 1 GB and {off_heap_for(count)} beside it",
    )
    return [*found, memory]
