"""Engines: a rollout on each of them against worker processes of the command's own, and what a cell costs the clients."""

import json
import math
import os
import resource
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import click
import psutil

from benchmarks.finding import Finding, Wanted
from benchmarks.graph import COPY, OURS, Bench, check_count, open_bench
from benchmarks.kept import finding_of
from benchmarks.rounds import Say
from benchmarks.subject import PREFIX_DEPTH, make_subject
from benchmarks.workers import begin_copy
from cfgraph.growing.crew import Crew
from cfgraph.growing.engines.engine import Engine
from cfgraph.growing.engines.find import find_engine
from cfgraph.growing.engines.fleet import Fleet
from cfgraph.growing.engines.job import Job
from cfgraph.growing.events import Event
from cfgraph.growing.worker import LEASE_SECONDS, OUTAGE_SECONDS
from cfgraph.store.writing import SESSIONS

WORKERS = 2
WARM_DEPTH = 6  # of a first growth on an engine that has just started: 5,461 cells
LIBRARIES = {"processes": "concurrent", "dask": "distributed", "ray": "ray"}
SPEED_MIN = {"processes": 0.6, "dask": 0.85, "ray": 0.85}
CPU_MAX = {"processes": None, "dask": 1.2, "ray": 1.5}
SERVER = "java"
OPTIONS = {"lease_seconds": LEASE_SECONDS, "outage_seconds": OUTAGE_SECONDS, "device": "cpu"}


@dataclass
class Taken:
    """What one growth took: cells a second, and the clients' seconds of CPU a cell."""

    speed: float
    cpu: float


@dataclass
class Ready:
    """When the workers of a crew were ready, and what they, and this process, had spent by then."""

    moments: list[float] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)
    own: float = 0.0
    blocks: list[tuple[float, int]] = field(default_factory=list)

    def note(self, event: Event) -> None:
        """Take in an event."""
        if event.action == "ready":
            self.moments.append(time.perf_counter())
            self.spent.append(_spent(psutil.Process(int(event.worker.rsplit(":", 2)[1]))))
            self.own = _own()
        elif event.action == "write_block":
            self.blocks.append((time.perf_counter(), event.facts["cells"]))


def measure_engine(bench: Bench, *, name: str, depth: int, rounds: int, say: Say) -> list[Finding]:
    """``processes``, ``dask``: a growth on a warm engine of two workers and one by a crew of two take turns.

    So is ``ray``, in a network of its own (:func:`measure_ray`).
    """
    if find_spec(LIBRARIES[name]) is None:
        say(f"{name}: left out, since {LIBRARIES[name]} is not installed")
        return []
    crew, there = list[Taken](), list[Taken]()
    for number in range(rounds + 1):
        ways = [lambda: crew.append(_by_crew(bench, depth=depth)), lambda: there.append(_on(name, bench, depth=depth))]
        for way in ways if number % 2 == 0 else ways[::-1]:
            way()
        turn = f"round {number} of {rounds}" if number else "warm-up"
        told = [f"{which} {_in_words(one[-1])}" for which, one in (("crew", crew), (name, there))]
        say(f"  {turn}: {'; '.join(told)}")
    return _found(name, crew[1:], there[1:], depth=depth)


def measure_ray(*, depth: int, rounds: int, say: Say) -> list[Finding]:
    """``ray``: the same in a network of its own, with a server in there: Ray listens on every address of its machine."""
    from tests.network import way_in

    if find_spec(LIBRARIES["ray"]) is None:
        say("ray: left out, since ray is not installed")
        return []
    way = way_in()
    if way is None:
        say("ray: left out, since no network namespace can be made here (unshare --net, also with --map-root-user)")
        return []
    with TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as short:  # Ray's sockets want a short path
        file = Path(short) / "findings.json"
        command = [*way, sys.executable, "-m", "benchmarks.engines", "ray", str(depth), str(rounds), str(file)]
        subprocess.run(command, env={**os.environ, "RAY_TMPDIR": short}, check=True)
        return [finding_of(found) for found in json.loads(file.read_text(encoding="utf-8"))]


def _in_words(taken: Taken) -> str:
    return f"{taken.speed:,.0f} cells/s, {taken.cpu * 1e6:.0f} us a cell"


def _found(name: str, crew: list[Taken], there: list[Taken], *, depth: int) -> list[Finding]:
    ours = f"a rollout to depth {depth} on `{name}` with {WORKERS} workers, the engine started and warmed by a small one before"
    theirs = f"`--workers {WORKERS}`, from the moment when all are ready"
    speeds = [f"{mean(one.speed for one in many):,.0f} cells/s" for many in (there, crew)]
    costs = [f"{mean(one.cpu for one in many) * 1e6:.0f} us" for many in (there, crew)]
    most = CPU_MAX[name]
    return [
        Finding(
            name=name,
            title=f"cells/s on the engine `{name}` against `--workers {WORKERS}`",
            values=tuple(one.speed / other.speed for one, other in zip(there, crew, strict=True)),
            wanted=Wanted("at least", SPEED_MIN[name]),
            ours=f"{ours}: {speeds[0]}",
            theirs=f"{theirs}: {speeds[1]}",
        ),
        Finding(
            name=name,
            title=f"the clients' CPU a cell on the engine `{name}` over that of `--workers {WORKERS}`",
            values=tuple(one.cpu / other.cpu for one, other in zip(there, crew, strict=True)),
            wanted=None if most is None else Wanted("at most", most),
            ours=f"{ours}: {costs[0]} a cell, of all processes but the server's, the engine's own among them",
            theirs=f"{theirs}: {costs[1]} a cell",
        ),
    ]


def _by_crew(bench: Bench, *, depth: int) -> Taken:
    growth, ready = begin_copy(bench, depth=depth), Ready()
    children = _children()
    with Crew(bench.store, COPY, growth, workers=WORKERS, observe=ready.note, **OPTIONS) as crew:
        outcome = crew.work(interrupted=lambda: False)
    if outcome.failures:
        raise outcome.failures[0]
    since, end = max(ready.moments), max(moment for moment, _ in ready.blocks)
    cells = sum(cells for moment, cells in ready.blocks if moment > since)
    _finish(bench, depth=depth)
    return Taken(cells / (end - since), (_children() - children - sum(ready.spent) + _own() - ready.own) / cells)


def _on(name: str, bench: Bench, *, depth: int) -> Taken:
    engine = find_engine(name, workers=WORKERS)
    try:
        _grow_on(engine, bench, depth=WARM_DEPTH)
        return _grow_on(engine, bench, depth=depth)
    finally:
        engine.close()


def _grow_on(engine: Engine, bench: Bench, *, depth: int) -> Taken:
    growth = begin_copy(bench, depth=depth)
    job = Job(
        "",
        None,
        COPY,
        asdict(growth),
        shift_seconds=engine.shift_seconds,
        sessions=math.ceil(SESSIONS / WORKERS),
        **OPTIONS,
    ).at(bench.store)
    before, own, begin = _spent_below(), _own(), time.perf_counter()
    with Fleet(engine, job, workers=WORKERS, store=bench.store, observe=lambda event: None) as fleet:
        outcome = fleet.work(interrupted=lambda: False)
    seconds = time.perf_counter() - begin
    spent = sum(cpu - before.get(process, 0.0) for process, cpu in _spent_below().items()) + _own() - own
    if outcome.failures or not outcome.finished:
        raise AssertionError(f"{engine.name} did not reach the stop: {outcome}")
    cells = _finish(bench, depth=depth)
    return Taken(cells / seconds, spent / cells)


def _finish(bench: Bench, *, depth: int) -> int:
    """Hold what was grown against what there should be, and remove it; how many cells were grown."""
    whole, prefix = make_subject(OURS, depth=depth), make_subject(OURS, depth=PREFIX_DEPTH)
    check_count(bench.store.counts(COPY).cells, whole)
    bench.store.remove(COPY)
    return len(whole.cells) - len(prefix.cells)


def _spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _own() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _children() -> float:
    """What children that have ended had spent."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _spent_below() -> dict[int, float]:
    """What each process below this one has spent, the server left out."""
    spent = {}
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.name() != SERVER:
                spent[process.pid] = _spent(process)
    return spent


def _measure_here(name: str, *, depth: int, rounds: int, file: Path) -> None:
    """Measure an engine beside a server of its own, and write what was found into a file."""

    def say(line: str) -> None:
        click.echo(line, err=True)

    with open_bench(say=say) as bench:
        found = measure_engine(bench, name=name, depth=depth, rounds=rounds, say=say)
    file.write_text(json.dumps([asdict(one) for one in found]), encoding="utf-8")


if __name__ == "__main__":
    _measure_here(sys.argv[1], depth=int(sys.argv[2]), rounds=int(sys.argv[3]), file=Path(sys.argv[4]))
