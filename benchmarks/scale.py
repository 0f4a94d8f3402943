"""Scale: docs/scale.md, from one measuring run and the arithmetic that is stated there: ``python -m benchmarks.scale``.

What was measured is kept in the page itself, so that a test makes the same page of it again.
"""

import gc
import json
import math
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import click

from benchmarks.fields import PROGRAM
from benchmarks.graph import Bench, open_bench
from benchmarks.machine import describe_machine, load_now
from benchmarks.rounds import Say
from benchmarks.subject import PREFIX_DEPTH, learn_rule, make_subject
from cfgraph.comparing.compare import compare as compare_stored
from cfgraph.formats.folders.reader import open_folder
from cfgraph.growing.folder import FOLDER_CELLS_MAX
from cfgraph.growing.rollout import rollout
from cfgraph.model.growth import CELLS_MAX, count_cells
from cfgraph.server.local import LocalServer
from cfgraph.settings import Settings
from cfgraph.sources.cfg import field
from cfgraph.transfer.bulk import ingest_bulk

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
MARK, END = "<!-- measured: ", " -->"
TRUTH, RULE, COPY = "scale-truth", "scale-rule", "scale-copy"
CORES = 16  # of the machines that are reckoned with
DAY, HOUR = 86_400, 3_600
SIZES = tuple(10**power for power in range(6, 13))


@dataclass(frozen=True)
class Depths:
    """How large what is measured is: levels of arity 4."""

    memory: int = 10
    graph: int = 9
    folder: int = 11
    bulk: int = 10


QUICK = Depths(memory=7, graph=6, folder=7, bulk=6)


@dataclass(frozen=True)
class Measured:
    """What one run measured: cells a second, microseconds of a processor a cell, bytes a cell."""

    date: str
    machine: str
    load: str  # at its begin and at its end: 1-minute averages
    cores: int
    memory_cells: int
    memory_rate: float
    memory_bytes: float
    graph_cells: int
    graph_rate: float  # by one worker
    graph_rate_two: float
    server_us: float  # by one worker
    worker_us: float
    bulk_cells: int
    bulk_rate: float  # files, import and indexes
    bulk_bytes: float  # of the database, without its log
    folder_cells: int
    folder_rate: float  # by one process, without the digest
    folder_rate_two: float
    digest_rate: float
    folder_bytes: float
    folder_peak: float  # bytes, of the largest process
    compare_rate: float  # cells of each of two folders a second

    @classmethod
    def of_page(cls, text: str) -> Self:
        """What a page was made of."""
        return cls(**json.loads(text[text.index(MARK) + len(MARK) : text.index(END)]))

    @property
    def share(self) -> float:
        """What a second process adds, as a share of the first: what any more are reckoned to do."""
        return min(1.0, self.folder_rate_two / self.folder_rate / 2)


def measure(depths: Depths, *, say: Say) -> Measured:
    """Measure everything, one thing after the other."""
    load = load_now()
    memory = _measure_memory(depths.memory, say=say)
    with open_bench(say=say) as bench:
        version, graph = bench.server_version, _measure_graph(bench, depth=depths.graph, say=say)
    bulk = _measure_bulk(depths.bulk, say=say)
    folder = _measure_folder(depths.folder, say=say)
    machine = describe_machine(server=version)
    return Measured(
        date=datetime.now(UTC).date().isoformat(),
        machine=", ".join(f"{name}: {told}" for name, told in machine.items()),
        load=f"{load} and {load_now()}",
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        **memory,
        **graph,
        **bulk,
        **folder,
    )


def _measure_memory(depth: int, *, say: Say) -> dict[str, float]:
    gc.collect()
    begin = time.perf_counter()
    cells = field(id="scale", depth=depth).grow().cells
    seconds, size = time.perf_counter() - begin, sum(column.nbytes for column in cells.take(slice(None)).values())
    say(f"scale: {len(cells):,} cells in memory in {seconds:.3g} s")
    return {"memory_cells": len(cells), "memory_rate": len(cells) / seconds, "memory_bytes": size / len(cells)}


def _measure_graph(bench: Bench, *, depth: int, say: Say) -> dict[str, float]:
    import psutil

    store, cells = bench.store, count_cells(4**PREFIX_DEPTH, arity=4, levels=depth - PREFIX_DEPTH)
    truth = make_subject(TRUTH, depth=PREFIX_DEPTH)
    store.write(truth)
    store.write_predictor(learn_rule(RULE, truth, depth=PREFIX_DEPTH))
    pid = LocalServer.of_url(bench.url, settings=Settings(_env_file=None)).status().pid
    server, own = psutil.Process(pid), psutil.Process()
    how = {"predictor": RULE, "from_depth": PREFIX_DEPTH, "progress": False}
    rollout(store, TRUTH, to_depth=depth - 1, copy_as=COPY, **how)  # warm
    store.remove(COPY)
    rates, spent = [], []
    for workers in (1, 2):
        gc.collect()
        before, begin = [sum(process.cpu_times()[:2]) for process in (server, own)], time.perf_counter()
        rollout(store, TRUTH, to_depth=depth, copy_as=COPY, workers=workers, **how)
        rates.append(cells / (time.perf_counter() - begin))
        after = [sum(process.cpu_times()[:2]) for process in (server, own)]
        spent.append([(then - now) / cells * 1e6 for now, then in zip(before, after, strict=True)])
        say(f"scale: {cells:,} cells into the graph, {workers} workers: {rates[-1]:,.0f} cells/s")
        store.remove(COPY)
    (server_us, worker_us), _ = spent
    return {
        "graph_cells": cells,
        "graph_rate": rates[0],
        "graph_rate_two": rates[1],
        "server_us": server_us,
        "worker_us": worker_us,
    }


def _measure_bulk(depth: int, *, say: Say) -> dict[str, float]:
    source, settings = field(id="scale", depth=depth), Settings(_env_file=None)
    with TemporaryDirectory(prefix="cfgraph-bench-") as name:
        url = f"local:{name}/store"
        server = LocalServer.of_url(url, settings=settings)
        try:
            report = ingest_bulk(url, source, settings=settings)
            files = [path for path in (Path(name) / "store" / "data" / "databases" / "neo4j").rglob("*") if path.is_file()]
            size = sum(path.stat().st_size for path in files)
        finally:
            server.stop()
    seconds = sum(taken for stage, taken in report.seconds.items() if stage not in ("stop", "start"))
    say(f"scale: {report.cells:,} cells by neo4j-admin in {seconds:.3g} s, {size / report.cells:.0f} bytes each")
    return {"bulk_cells": report.cells, "bulk_rate": report.cells / seconds, "bulk_bytes": size / report.cells}


def _measure_folder(depth: int, *, say: Say) -> dict[str, float]:
    found = []
    with TemporaryDirectory(prefix="cfgraph-bench-") as name:
        for workers in (1, 2):
            place = Path(name) / f"by-{workers}"
            words = [sys.executable, "-c", PROGRAM, str(place), str(depth), str(workers)]
            found.append(json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout))
            say(f"scale: a folder by {workers}: {json.dumps(found[-1])}")
        manifest = open_folder(f"{name}/by-1/").manifest
        size = sum(sheet.bytes for sheet in manifest.sheets)
        begin = time.perf_counter()
        compare_stored(None, f"{name}/by-1/", f"{name}/by-2/")
        compared = manifest.cells / (time.perf_counter() - begin)
        say(f"scale: {compared:,.0f} cells/s of two folders compared")
    return {
        "folder_cells": manifest.cells,
        "folder_rate": manifest.cells / found[0]["grow"],
        "folder_rate_two": manifest.cells / found[1]["grow"],
        "digest_rate": manifest.cells / found[0]["digest"],
        "folder_bytes": size / manifest.cells,
        "folder_peak": max(run["peak"] for run in found) * 1e6,
        "compare_rate": compared,
    }


# -- the arithmetic


def folder_seconds(found: Measured, cells: float, *, cores: int) -> float:
    """How long a folder takes on so many cores, digest and manifest included, which one process makes at the end."""
    rate = found.folder_rate * (1 if cores == 1 else cores * found.share)
    return cells / rate + cells / found.digest_rate


def graph_rate(found: Measured, *, cores: int) -> float:
    """The most cells a second that a server of so many cores can take, if nothing but its processors limits it."""
    return cores / found.server_us * 1e6


def machines_for(found: Measured, cells: float, *, seconds: float) -> int:
    """How many machines of ``CORES`` cores grow a folder within so many seconds, without the digest."""
    return max(1, math.ceil(cells / (found.folder_rate * CORES * found.share * seconds)))


# -- the page

TEMPLATE = Path(__file__).with_suffix(".md")


def page(found: Measured) -> str:
    """docs/scale.md as it follows from what was measured."""
    return TEMPLATE.read_text(encoding="utf-8").format(
        cores=CORES,
        choices="\n".join(_choice(found, cells) for cells in SIZES),
        graph="\n".join(_graph_row(found, cells) for cells in SIZES if cells <= 10**10),
        folder="\n".join(_folder_row(found, cells) for cells in SIZES),
        measured="\n".join(_measured_rows(found)),
        graph_max=f"{CELLS_MAX:,}",
        folder_max=f"{FOLDER_CELLS_MAX:,}",
        graph_rate=f"{found.graph_rate:,.0f}",
        server_us=f"{found.server_us:.1f}",
        server_rate=f"{graph_rate(found, cores=CORES):,.0f}",
        workers=CORES // 2,
        worker_us=f"{found.worker_us:.1f}",
        bulk_rate=f"{found.bulk_rate:,.0f}",
        bulk_bytes=f"{found.bulk_bytes:.0f}",
        folder_rate=f"{found.folder_rate:,.0f}",
        digest_rate=f"{found.digest_rate:,.0f}",
        share=f"{found.share:.2f}",
        folder_bytes=f"{found.folder_bytes:.1f}",
        compare_rate=f"{found.compare_rate:,.0f}",
        date=found.date,
        machine=found.machine,
        load=found.load,
        mark=f"{MARK}{json.dumps(asdict(found))}{END}",
    )


def _choice(found: Measured, cells: int) -> str:
    """What to do at a size, with what it takes."""
    disk = cells * found.folder_bytes
    if cells <= 10**6:
        return _row(cells, "`rollout` into the graph, one worker", cells / found.graph_rate, cells * found.bulk_bytes, "1, any")
    if cells <= 10**7:
        rate = max(found.graph_rate, found.graph_rate_two)
        told = f"`rollout --workers 2` into the graph, or `ingest --bulk` ({_hours(cells / found.bulk_rate)})"
        return _row(cells, told, cells / rate, cells * found.bulk_bytes, "1, any")
    if cells <= 10**9:
        told = "`-o FOLDER/ --workers 16`; `ingest folder FOLDER/ --bulk` if Cypher has to ask them"
        seconds = folder_seconds(found, cells, cores=CORES)
        imported = f"{_bytes(disk)}, and {_bytes(cells * found.bulk_bytes)} in the graph"
        hours = f"{_hours(seconds)}, and {_hours(cells / found.bulk_rate)} of import"
        return f"| {_power(cells)} | {told} | {hours} | {imported} | 1 |"
    count = machines_for(found, cells, seconds=DAY)
    place = "s3://BUCKET/FOLDER" if cells > 10**10 else "FOLDER/"
    many = " on each machine, which joins in" if count > 1 else ""
    told = f"`-o {place} --workers 16`{many}; no graph"
    grown = cells / (found.folder_rate * CORES * found.share * count)
    hours = f"{_hours(grown)}, and {_hours(cells / found.digest_rate)} of digest"
    return f"| {_power(cells)} | {told} | {hours} | {_bytes(disk)} | {count} |"


def _row(cells: int, told: str, seconds: float, size: float, machines: str) -> str:
    return f"| {_power(cells)} | {told} | {_hours(seconds)} | {_bytes(size)} | {machines} |"


def _graph_row(found: Measured, cells: int) -> str:
    seconds = (cells / found.graph_rate, cells / graph_rate(found, cores=CORES), cells / found.bulk_rate)
    return f"| {_power(cells)} | {' | '.join(map(_hours, seconds))} | {_bytes(cells * found.bulk_bytes)} |"


def _folder_row(found: Measured, cells: int) -> str:
    seconds = [folder_seconds(found, cells, cores=cores) for cores in (1, CORES)] + [cells / found.digest_rate]
    written = CORES * found.share * found.folder_rate * found.folder_bytes
    machines = machines_for(found, cells, seconds=DAY)
    return (
        f"| {_power(cells)} | {' | '.join(map(_hours, seconds))} | {machines} | {_bytes(cells * found.folder_bytes)} | "
        f"{_bytes(written)} |"
    )


def _measured_rows(found: Measured) -> list[str]:
    graph, smooth = f"{found.graph_cells:,} cells of koch, `recurrence`", "cells of a smooth field"
    folder = f"{found.folder_cells:,} {smooth}"
    rows = [
        (
            "grown in memory, one process",
            f"{found.memory_cells:,} {smooth}",
            f"{found.memory_rate:,.0f} cells/s",
        ),
        ("columns in memory", "the same", f"{found.memory_bytes:.0f} bytes a cell"),
        ("rollout into the graph, one worker", graph, f"{found.graph_rate:,.0f} cells/s"),
        ("its server, and its worker", "the same", f"{found.server_us:.1f} us, {found.worker_us:.1f} us of a processor a cell"),
        (f"rollout, two workers and the server on {found.cores} cores", "the same", f"{found.graph_rate_two:,.0f} cells/s"),
        ("`ingest --bulk`, without stopping and starting", f"{found.bulk_cells:,} cells", f"{found.bulk_rate:,.0f} cells/s"),
        ("the database on disk, without its log", "the same", f"{found.bulk_bytes:.0f} bytes a cell"),
        ("into a folder, one process, without the digest", folder, f"{found.folder_rate:,.0f} cells/s"),
        ("the same by two processes, with their start", folder, f"{found.folder_rate_two:,.0f} cells/s"),
        ("digest and manifest", folder, f"{found.digest_rate:,.0f} cells/s"),
        ("the folder on disk", folder, f"{found.folder_bytes:.1f} bytes a cell"),
        ("peak memory of the largest of these processes", folder, _bytes(found.folder_peak)),
        ("`compare` of the two folders", folder, f"{found.compare_rate:,.0f} cells/s of each"),
    ]
    return [f"| {' | '.join(row)} |" for row in rows]


def _power(cells: int) -> str:
    return f"10^{round(math.log10(cells))}"


def _hours(seconds: float) -> str:
    """A time to two digits, in what people say it in."""
    for unit, size in (("days", DAY), ("h", HOUR), ("min", 60)):
        if seconds >= (2 * size if unit == "days" else size):
            return f"{_two(seconds / size)} {unit}"
    return f"{_two(seconds)} s"


def _bytes(size: float) -> str:
    for unit, power in (("PB", 15), ("TB", 12), ("GB", 9), ("MB", 6)):
        if size >= 10**power:
            return f"{_two(size / 10**power)} {unit}"
    return f"{_two(size / 1e3)} kB"


def _two(number: float) -> str:
    """Two digits that count."""
    if number >= 100:
        return f"{round(number, 1 - math.floor(math.log10(number))):,.0f}"
    return f"{number:.2g}"


@click.command("scale", epilog="Example: python -m benchmarks.scale")
@click.option("--quick", is_flag=True, help="Small sizes, to see that it works; prints the page and writes nothing.")
def main(quick: bool) -> None:
    """Measure, and write docs/scale.md: some minutes on two cores."""
    os.environ["CFGRAPH_ENV_FILE"] = ""  # a developer's .env is none of the benchmarks' business
    text = page(measure(QUICK if quick else Depths(), say=lambda line: click.echo(line, err=True)))
    if quick:
        click.echo(text)
    else:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
