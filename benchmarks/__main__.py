"""``python -m benchmarks``: measure, print the table, write docs/benchmarks.md."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from benchmarks.document import as_markdown, as_text
from benchmarks.finding import Finding
from benchmarks.kept import Run, keep, read_kept
from benchmarks.machine import describe_machine, load_now

NAMES = (
    "write",
    "wide",
    "rollout",
    "fields",
    "workers",
    "ready",
    "processes",
    "dask",
    "ray",
    "leasing",
    "claims",
    "cost",
    "takeover",
    "read",
    "place",
    "diff",
    "ontology",
    "bulk",
    "growth",
    "field",
    "paths",
    "dag",
    "locating",
    "logits",
    "classes",
    "condense",
    "purity",
    "exports",
    "search",
    "exploring",
    "views",
    "codec",
    "tables",
    "pieces",
    "page",
    "help",
    "torch",
    "peaks",
)
IN_GRAPH = {"write", "wide", "rollout", "workers", "ready", "leasing", "claims", "cost", "takeover", "read", "place"}
IN_GRAPH |= {"processes", "dask", "ray", "diff", "ontology", "torch", "peaks", "views", "fields"}
ROUNDS, ROUNDS_QUICK = 7, 2
ROUNDS_LONG = 3  # of what takes minutes
TIMES_IN_MEMORY = 3  # as many rounds of what takes a fraction of a second, and suffers more from what else is running
# 349,525, 21,845, 1,398,101, 22 million (of which 3.3 million are grown), 1,398,101, 21,845, 5,592,405, 87,381 and, twice,
# 1,398,101 cells
DEPTHS = {"graph": 9, "wide": 7, "workers": 10, "cost": 12, "growth": 10, "paths": 7, "bulk": 11, "exports": 8, "diff": 10}
DEPTHS |= {"claims": 7, "views": 9}  # 5,440 blocks of 4 cells
DEPTHS_QUICK = {"graph": 6, "wide": 5, "workers": 8, "cost": 12, "growth": 7, "paths": 5, "bulk": 7, "exports": 5, "diff": 6}
DEPTHS_QUICK |= {"claims": 5, "views": 5}
CONDENSE_POINTS, CONDENSE_POINTS_QUICK = 20_000, 2_000
LEAVES, LEAVES_QUICK = 60_000, 6_000
LOCATED, LOCATED_QUICK = {"depth": 12, "points": 100_000}, {"depth": 7, "points": 10_000}  # among 16.8 million cells
COST_CELLS, COST_CELLS_QUICK = (300_000, 3_000_000), (30_000, 90_000)
DAG_NODES, DAG_NODES_QUICK = 42_092, 4_000  # the former as many as the Gene Ontology has
DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"


@click.command("benchmarks", epilog="Example: python -m benchmarks --only read --pairs 3")
@click.option("--only", "names", type=click.Choice(NAMES), multiple=True, help="Measure this alone; may be given again.")
@click.option("--pairs", "rounds", type=click.IntRange(min=1), help="Rounds, in each of which every way has its turn.")
@click.option("--quick", is_flag=True, help="Small sizes and two rounds, to see that it works.")
@click.option("--keep", "kept", is_flag=True, help="Put what is found into docs/benchmarks.md, as a whole run does.")
def main(names: tuple[str, ...], rounds: int | None, quick: bool, kept: bool) -> None:
    """Measure cfgraph against what one would do without it, as ratios; a whole run writes docs/benchmarks.md."""
    if kept and quick:
        raise click.UsageError("small sizes are no measurement: --keep goes without --quick")
    os.environ["CFGRAPH_ENV_FILE"] = ""  # a developer's .env is none of the benchmarks' business
    kept |= not names and not quick
    rounds, found = rounds or (ROUNDS_QUICK if quick else ROUNDS), []
    load = load_now()
    for findings, server in _measure(set(names or NAMES), depths=DEPTHS_QUICK if quick else DEPTHS, rounds=rounds):
        found += findings
        if kept:
            run = Run(datetime.now(UTC).date().isoformat(), rounds, f"{load} to {load_now()}", describe_machine(server=server))
            DOCUMENT.write_text(as_markdown(keep(findings, run, order=NAMES)), encoding="utf-8")
        load = load_now()
    click.echo(as_text(sorted(found, key=lambda finding: NAMES.index(finding.name))))
    if kept:
        missing = [name for name in NAMES if name not in {one.finding.name for one in read_kept()}]
        _say(f"written to docs/{DOCUMENT.name}" + (f"; never measured: {', '.join(missing)}" if missing else ""))


Measured = Iterator[tuple[list[Finding], str | None]]


def _measure(names: set[str], *, depths: dict[str, int], rounds: int) -> Measured:
    """The findings of one benchmark after another, each with the version of the server that was used."""
    from benchmarks.bulk import measure_bulk
    from benchmarks.classes import measure_classes
    from benchmarks.codec import measure_codec
    from benchmarks.condense import measure_condense
    from benchmarks.dag_paths import measure_dag_paths
    from benchmarks.exploring import measure_exploring
    from benchmarks.exports import measure_exports
    from benchmarks.field import CELLS, CELLS_QUICK, measure_field
    from benchmarks.locating import measure_locating
    from benchmarks.logits import SHAPE, SHAPE_QUICK, measure_logits
    from benchmarks.memory import measure_growth, measure_paths
    from benchmarks.page import DOTS, DOTS_QUICK, measure_page
    from benchmarks.pieces import ROWS as PIECES_ROWS
    from benchmarks.pieces import ROWS_QUICK as PIECES_ROWS_QUICK
    from benchmarks.pieces import WHOLE_ROWS, WHOLE_ROWS_QUICK, measure_pieces
    from benchmarks.purity import measure_purity
    from benchmarks.search import measure_search
    from benchmarks.startup import measure_help
    from benchmarks.tables import SHAPE as TABLE_SHAPE
    from benchmarks.tables import SHAPE_QUICK as TABLE_SHAPE_QUICK
    from benchmarks.tables import measure_tables

    yield from _measure_graph(names, depths=depths, rounds=rounds)
    nodes = DAG_NODES_QUICK if depths is DEPTHS_QUICK else DAG_NODES
    points = CONDENSE_POINTS_QUICK if depths is DEPTHS_QUICK else CONDENSE_POINTS
    table = TABLE_SHAPE_QUICK if depths is DEPTHS_QUICK else TABLE_SHAPE
    leaves = LEAVES_QUICK if depths is DEPTHS_QUICK else LEAVES
    located = LOCATED_QUICK if depths is DEPTHS_QUICK else LOCATED
    pieces = {"rows": PIECES_ROWS, "whole_rows": WHOLE_ROWS}
    if depths is DEPTHS_QUICK:
        pieces = {"rows": PIECES_ROWS_QUICK, "whole_rows": WHOLE_ROWS_QUICK}
    beside = {
        "bulk": lambda: measure_bulk(depth=depths["bulk"], rounds=min(rounds, ROUNDS_LONG), say=_say),
        "growth": lambda: measure_growth(depth=depths["growth"], rounds=TIMES_IN_MEMORY * rounds, say=_say),
        "field": lambda: measure_field(cells=CELLS_QUICK if depths is DEPTHS_QUICK else CELLS, rounds=rounds, say=_say),
        "paths": lambda: measure_paths(depth=depths["paths"], rounds=rounds, say=_say),
        "dag": lambda: measure_dag_paths(nodes=nodes, rounds=rounds, say=_say),
        "locating": lambda: measure_locating(**located, rounds=min(rounds, ROUNDS_LONG), say=_say),
        "condense": lambda: measure_condense(points=points, rounds=rounds, say=_say),
        "purity": lambda: measure_purity(leaves=leaves, rounds=TIMES_IN_MEMORY * rounds, say=_say),
        "exports": lambda: measure_exports(depth=depths["exports"], rounds=min(rounds, ROUNDS_LONG), say=_say),
        "search": lambda: measure_search(rounds=rounds, say=_say),
        "exploring": lambda: measure_exploring(quick=depths is DEPTHS_QUICK, rounds=rounds, say=_say),
        "codec": lambda: measure_codec(rounds=rounds, say=_say),
        "tables": lambda: measure_tables(shape=table, rounds=min(rounds, ROUNDS_LONG), say=_say),
        "pieces": lambda: measure_pieces(**pieces, rounds=min(rounds, ROUNDS_LONG), say=_say),
        "page": lambda: measure_page(dots=DOTS_QUICK if depths is DEPTHS_QUICK else DOTS, rounds=rounds, say=_say),
        "logits": lambda: measure_logits(shape=SHAPE_QUICK if depths is DEPTHS_QUICK else SHAPE, rounds=rounds, say=_say),
        "classes": lambda: measure_classes(say=_say),
        "help": lambda: measure_help(say=_say),
    }
    yield from ((measure(), None) for name, measure in beside.items() if name in names)


def _measure_graph(names: set[str], *, depths: dict[str, int], rounds: int) -> Measured:
    """What needs a server: all on one, one after the other, so that what is measured first does not have the youngest."""
    from benchmarks.claims import measure_claims
    from benchmarks.diffs import measure_diff
    from benchmarks.engines import measure_engine, measure_ray
    from benchmarks.exploring import measure_boxes, measure_stored_views
    from benchmarks.fields import measure_fields
    from benchmarks.graph import measure_reading, measure_wide, measure_writing, open_bench
    from benchmarks.ontology import measure_ontology
    from benchmarks.peaks import SIZES, SIZES_QUICK, measure_peaks
    from benchmarks.placing import ROWS, ROWS_QUICK, measure_placing
    from benchmarks.startup import measure_torch
    from benchmarks.workers import measure_cost, measure_leasing, measure_takeover, measure_workers

    if not names & IN_GRAPH:
        return
    depth, common = depths["graph"], {"rounds": rounds, "say": _say}
    cost = COST_CELLS_QUICK if depths is DEPTHS_QUICK else COST_CELLS
    nodes = DAG_NODES_QUICK if depths is DEPTHS_QUICK else DAG_NODES
    fewer = {"rounds": min(rounds, ROUNDS_LONG), "say": _say}
    with open_bench(say=_say) as bench:
        if names & {"write", "rollout"}:
            yield measure_writing(bench, depth=depth, names=names, **common), bench.server_version
        ways: dict[str, Callable[[], list[Finding]]] = {
            "wide": lambda: measure_wide(bench, depth=depths["wide"], **common),
            "read": lambda: measure_reading(bench, depth=depth, **common),
            "place": lambda: measure_placing(bench, rows=ROWS_QUICK if depths is DEPTHS_QUICK else ROWS, **fewer),
            "fields": lambda: measure_fields(bench, depth=depth, **fewer),
            "diff": lambda: measure_diff(bench, depth=depths["diff"], **fewer),
            "ontology": lambda: measure_ontology(bench, nodes=nodes, **fewer),
            "views": lambda: [
                *measure_stored_views(bench, depth=depths["views"], **fewer),
                *measure_boxes(bench, depth=depths["views"], **fewer),
            ],
            "leasing": lambda: measure_leasing(bench, depth=depth, **fewer),
            "claims": lambda: measure_claims(bench, depth=depths["claims"], **fewer),
            "takeover": lambda: measure_takeover(bench, say=_say),
            "torch": lambda: measure_torch(bench.url, say=_say),
            "workers": lambda: measure_workers(bench, depth=depths["workers"], **fewer),
            "processes": lambda: measure_engine(bench, name="processes", depth=depth, **fewer),
            "dask": lambda: measure_engine(bench, name="dask", depth=depth, **fewer),
            "ray": lambda: measure_ray(depth=depth, **fewer),
            "cost": lambda: measure_cost(bench, cells=cost, depth=depths["cost"], say=_say),
            "peaks": lambda: measure_peaks(bench.url, sizes=SIZES_QUICK if depths is DEPTHS_QUICK else SIZES, say=_say),
        }
        asked = names | ({"workers"} if "ready" in names else set())
        yield from ((measure(), bench.server_version) for name, measure in ways.items() if name in asked)


def _say(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
