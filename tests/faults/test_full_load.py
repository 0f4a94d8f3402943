"""Machines that have no moment left: a growth beside processes that take every core, many readers at once."""

import multiprocessing
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.gang import HANGING_SECONDS, Gang
from tests.grown import grown_hierarchy

pytestmark = pytest.mark.slow("the faults in their short form")


@contextmanager
def every_core_taken() -> Iterator[None]:
    """A process for each core that computes all the while."""
    context = multiprocessing.get_context("spawn")
    busy = [context.Process(target=_compute, daemon=True) for _ in range(os.cpu_count() or 1)]
    for process in busy:
        process.start()
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.join()


def _compute() -> None:
    while os.getppid() != 1:  # its test run was killed
        sum(range(1_000_000))


def test_growth_on_a_machine_without_a_moment(ground_of, finding, counts, tmp_path):
    """4 workers on a machine whose cores are all taken by others."""
    ground = ground_of(counts.loaded)
    with every_core_taken(), Gang(ground, ground.new_id(), folder=tmp_path, count=4) as gang:
        gang.finish()
        finding.faults = len(gang.members)
        finding.remarks.append(f"{len(gang.told('lose_lease'))} leases lost")
        finding.add(ground.check(gang.copy))


READERS = {
    "ls": ["ls"],
    "show": ["show", "it", "--digest"],
    "verify": ["verify", "it"],
    "compare": ["compare", "it", "it", "--format", "json"],
    "path": ["path", "it", "/0/1/2", "/3/3"],
    "query": ["query", "MATCH (c:Cell) RETURN c.level AS level, count(*) AS cells ORDER BY level"],
    "plot": ["plot", "it", "-o", "it.png"],
    **{f"export {suffix}": ["export", "it", "-o", f"it.{suffix}"] for suffix in ("graphml", "json", "parquet")},
}


def test_many_readers_at_once(own_store, run_alone, finding, counts, tmp_path):
    """Reading commands all at once on one server, each beside what it tells and writes alone."""
    own_store.write(grown_hierarchy("it", arity=4, dimension=2, depth=6))
    access = own_store.access.reveal()
    signed = {"NEO4J_USERNAME": access["username"], "NEO4J_PASSWORD": access["password"]}
    environment = {**run_alone.environment, "CFGRAPH_STORE": access["uri"], **signed}

    def begin(name: str, number: int) -> tuple[str, Path, subprocess.Popen]:
        place = tmp_path / f"{name} {number}"
        place.mkdir()
        return name, place, run_alone.start(*READERS[name], env=environment, cwd=place)

    def end(name: str, place: Path, process: subprocess.Popen) -> tuple[str, dict[str, bytes]]:
        out, err = process.communicate(timeout=HANGING_SECONDS)
        assert process.returncode == 0, f"{name}: {err}"
        return out, {path.name: path.read_bytes() for path in place.iterdir()}

    alone = {name: end(*begin(name, 0)) for name in READERS}
    times = counts.readers // len(READERS)
    assert times * len(READERS) == counts.readers
    all_at_once = [begin(name, number) for number in range(1, times + 1) for name in READERS]
    for name, place, process in all_at_once:
        assert end(name, place, process) == alone[name], name
        finding.faults += 1
    own_store.remove("it")
