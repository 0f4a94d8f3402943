"""Fields: growing into a folder of Parquet files against the same rollout into the graph; two processes against one; bytes."""

import json
import subprocess
import sys
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

from benchmarks.finding import Finding, Wanted, rate
from benchmarks.graph import Bench
from benchmarks.rounds import Rival, Say, ratios, take_turns
from cfgraph import sources, train
from cfgraph.formats.folders.reader import open_folder
from cfgraph.growing.rollout import rollout
from cfgraph.model.growth import count_cells

TRUTH, RULE, COPY = "fields-truth", "fields-rule", "fields-copy"
PREFIX = 3
PARTS = ("start", "grow", "digest")  # what `write_field` takes, in seconds
DEEPER = 3  # levels more where one process and two are compared
# A process of its own, so that its memory is its own.
PROGRAM = """
import json, resource, sys
from cfgraph.sources.cfg import field
from cfgraph.transfer.fields import write_field

if __name__ == "__main__":
    report = write_field(field(id="bench", depth=int(sys.argv[2])), sys.argv[1], workers=int(sys.argv[3]))
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({**report.seconds, "peak": max(peaks) / 1e3}))
"""


def measure_fields(bench: Bench, *, depth: int, rounds: int, say: Say) -> list[Finding]:
    """``fields``: the same rollout of koch into the graph and into a folder; a smooth field by one process and by two."""
    store, cells = bench.store, count_cells(4**PREFIX, arity=4, levels=depth - PREFIX)
    truth = sources.ifs("koch", id=TRUTH, depth=PREFIX)
    store.write(truth)
    store.write_predictor(train(truth, id=RULE, family="recurrence"))
    say(f"fields: {cells:,} cells grown into the graph and into a folder, and as many levels as {depth + DEEPER} alone")
    with TemporaryDirectory(prefix="cfgraph-bench-") as name:
        place = Path(name)
        seconds = take_turns(_rivals(bench, place / "copy", depth=depth), rounds=rounds, say=say)
        runs: dict[int, list[dict[str, float]]] = {1: [], 2: []}
        for _ in range(rounds):
            for workers, found in runs.items():
                found.append(_grow(place / "smooth", depth + DEEPER, workers))
                size = _bytes_a_cell(place / "smooth")
                rmtree(place / "smooth")
                say(f"  {workers} processes: {json.dumps(found[-1])}, {size:.1f} bytes a cell")
    for id in (TRUTH, RULE):
        store.remove(id)
    return _found(seconds, runs, size=size, cells=cells)


def _rivals(bench: Bench, place: Path, *, depth: int) -> list[Rival]:
    def grow(output: Path | None) -> None:
        asked = {"predictor": RULE, "from_depth": PREFIX, "copy_as": COPY, "to_depth": depth}
        rollout(bench.store, TRUTH, output=output, **asked)

    return [
        Rival("folder", lambda _: grow(place), finish=lambda _: rmtree(place)),
        Rival("graph", lambda _: grow(None), finish=lambda _: bench.store.remove(COPY)),
    ]


def _grow(place: Path, depth: int, workers: int) -> dict[str, float]:
    words = [sys.executable, "-c", PROGRAM, str(place), str(depth), str(workers)]
    done: dict[str, float] = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    return done


def _bytes_a_cell(place: Path) -> float:
    manifest = open_folder(f"{place}/").manifest
    return sum(sheet.bytes for sheet in manifest.sheets) / manifest.cells


def _found(
    seconds: dict[str, list[float]], runs: dict[int, list[dict[str, float]]], *, size: float, cells: int
) -> list[Finding]:
    alone, several = ([sum(run[part] for part in PARTS) for run in runs[workers]] for workers in (1, 2))
    return [
        Finding(
            name="fields",
            title="rollout into a folder over rollout into the graph, cells a second, one process each",
            values=ratios(seconds["graph"], seconds["folder"]),
            wanted=Wanted("at least", 10),
            ours=f"`rollout(..., output=FOLDER)` of {cells:,} cells of koch, digest and manifest with it: "
            f"{rate(cells, seconds['folder'])} cells/s",
            theirs=f"the same `rollout` into the graph, its server beside it: {rate(cells, seconds['graph'])} cells/s",
        ),
        Finding(
            name="fields",
            title="a field into a folder by two processes over one, with the start of theirs and with the digest",
            values=ratios(alone, several),
            wanted=Wanted("at least", 1.7),
            ours="`write_field(..., workers=2)`",
            theirs="`write_field(..., workers=1)`",
        ),
        Finding(
            name="fields",
            title="bytes of a cell of a smooth field of two dimensions in a folder",
            values=(size,),
            wanted=Wanted("at most", 60),
            ours="all files of `write_field`, zstd",
            theirs="-",
        ),
        Finding(
            name="fields",
            title="peak memory of a process that grows a folder",
            values=tuple(run["peak"] for found in runs.values() for run in found),
            wanted=Wanted("at most", 1000),
            unit=" MB",
            ours="resident memory of the largest process, whatever the depth: a sheet, its files, what is imported",
            theirs="-",
        ),
    ]
