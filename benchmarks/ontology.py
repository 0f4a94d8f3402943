"""Ontology: child-parent pairs with several parents a node, from their file into the graph, and verified there."""

import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.dag_paths import ONTOLOGY, make_dag
from benchmarks.finding import Finding, Wanted
from benchmarks.graph import Bench
from benchmarks.rounds import Say
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.sources import edges
from cfgraph.store.verify import verify

ID = "bench-ontology"
STAGES = ("read", "write", "verify")


def measure_ontology(bench: Bench, *, nodes: int, rounds: int, say: Say) -> list[Finding]:
    """``ontology``: the Gene Ontology where its file lies beside the project, else a made one of as many nodes."""
    with TemporaryDirectory(prefix="cfgraph-bench-") as folder:
        path, ontology = (
            (ONTOLOGY, "the Gene Ontology") if ONTOLOGY.exists() else (Path(folder) / "made.tsv", "a made ontology")
        )
        if path != ONTOLOGY:
            _write_pairs(path, nodes=nodes)
        say(f"{ontology}: in, and verified")
        hierarchies, taken = zip(*(_ingest(bench, path, say=say) for _ in range(rounds)), strict=True)
    hierarchy = hierarchies[-1]
    stages = ", ".join(f"{median(some):.3g} s to {name}" for name, some in zip(STAGES, zip(*taken, strict=True), strict=True))
    return [
        Finding(
            name="ontology",
            title=f"{ontology} in and verified",
            values=tuple(map(sum, taken)),
            wanted=Wanted("at most", 15),
            unit=" s",
            ours="`sources.edges` of a .tsv file, `Store.write` and `verify`: "
            f"{len(hierarchy.cells):,} cells, {hierarchy.links:,} edges from second parents; {stages}",
            theirs="nothing",
        )
    ]


def _ingest(bench: Bench, path: Path, *, say: Say) -> tuple[Hierarchy, list[float]]:
    """What was read, and the seconds of each stage."""
    ticks = [time.perf_counter()]
    hierarchy = edges(id=ID, data=path)
    ticks.append(time.perf_counter())
    bench.store.write(hierarchy)
    ticks.append(time.perf_counter())
    report = verify(bench.store, ID)
    ticks.append(time.perf_counter())
    bench.store.remove(ID)
    if not report.clean:
        raise AssertionError(f"the ontology is not sound in the graph, first {report.violations[0]}")
    seconds = [after - before for before, after in pairwise(ticks)]
    say("  " + ", ".join(f"{name} {taken:.3g} s" for name, taken in zip(STAGES, seconds, strict=True)))
    return hierarchy, seconds


def _write_pairs(path: Path, *, nodes: int) -> None:
    made = make_dag(nodes, seed=0)
    lines = [f"n{child}\tn{parent}\n" for child, parent in zip(made.child.tolist(), made.parent.tolist(), strict=True)]
    path.write_text("child\tparent\n" + "".join(lines), encoding="utf-8")
