"""Graph: writing, growing and reading in a real Neo4j, against a plain loop, against writing, against the driver alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import neo4j
import numpy as np

from benchmarks import plain
from benchmarks.finding import Finding, Wanted, rate
from benchmarks.rounds import Rival, Say, ratios, take_turns
from benchmarks.subject import PREFIX_DEPTH, forget_views, forgetting, learn_rule, make_subject, make_wide_subject
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.model.cells import Cells
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.predictors.trained import TrainedPredictor
from cfgraph.server.local import LocalServer
from cfgraph.settings import Settings
from cfgraph.store import Store

OURS, COPY, THEIRS, PREFIX, RULE = "bench", "bench-grown", "bench-plain", "bench-prefix", "bench-rule"


@dataclass(frozen=True)
class Bench:
    """A store on a private server, and a driver of one's own for the same server."""

    store: Store
    driver: neo4j.Driver
    url: str

    @property
    def server_version(self) -> str:
        """The version of Neo4j."""
        return self.store._graph.read("read_server_version")[0]["version"]


@contextmanager
def open_bench(*, say: Say) -> Iterator[Bench]:
    """A private server in a temporary folder; it is stopped, and the folder removed, in the end."""
    settings = Settings(_env_file=None)
    with TemporaryDirectory(prefix="cfgraph-bench-") as folder:
        server = LocalServer(Path(folder) / "store", settings=settings, say=say)
        try:
            found, url = server.ensure(), f"local:{folder}/store"
            own = (found.username, found.password.get_secret_value())
            with (
                Store.open(url, settings=settings, say=say) as store,
                neo4j.GraphDatabase.driver(found.uri, auth=own, notifications_min_severity="OFF") as driver,
            ):
                yield Bench(store, driver, url)
        finally:
            server.stop()


def measure_writing(bench: Bench, *, depth: int, rounds: int, say: Say, names: set[str]) -> list[Finding]:
    """``write`` and ``rollout``: the plain loop, Store.write and a rollout take turns at the same cells."""
    subject = make_subject(OURS, depth=depth)
    rivals, tuned = [store_write(bench, subject)], None
    if "write" in names:
        tuned = _tune(bench, subject.cells, say=say)
        rivals.insert(0, _plain_loop(bench, subject, loop=tuned[0]))
    if "rollout" in names:
        rivals.append(_rollout(bench, depth=depth))
    say(f"writing {len(subject.cells):,} cells: {', '.join(rival.name for rival in rivals)}")
    seconds = take_turns(rivals, rounds=rounds, say=say)
    found = []
    if tuned is not None:
        found.append(_found_writing(seconds, count=len(subject.cells), tuned=tuned))
    if "rollout" in names:
        found.append(_found_rollout(seconds, count=len(subject.cells), depth=depth))
    return found


def measure_wide(bench: Bench, *, depth: int, rounds: int, say: Say) -> list[Finding]:
    """``wide``: the plain loop and Store.write take turns at cells of 64 dimensions."""
    subject = make_wide_subject(OURS, depth=depth)
    tuned = _tune(bench, subject.cells, say=say)
    rivals = [_plain_loop(bench, subject, loop=tuned[0]), store_write(bench, subject)]
    say(f"writing {len(subject.cells):,} cells of {subject.dimension} dimensions: plain loop, Store.write")
    seconds = take_turns(rivals, rounds=rounds, say=say)
    found = _found_writing(seconds, count=len(subject.cells), tuned=tuned, dimension=subject.dimension)
    return [
        replace(found, name="wide", title=f"{found.title}, at {subject.dimension} dimensions", wanted=Wanted("at least", 1.25))
    ]


def store_write(bench: Bench, subject: Hierarchy) -> Rival:
    """``Store.write`` of a hierarchy that is there in memory."""

    def finish(_: object) -> None:
        check_count(bench.store.counts(OURS).cells, subject)
        bench.store.remove(OURS)

    return Rival("Store.write", bench.store.write, prepare=forgetting(subject), finish=finish)


def _plain_loop(bench: Bench, subject: Hierarchy, *, loop: plain.Loop) -> Rival:
    def work(given: Hierarchy) -> None:
        plain.write_cells(bench.driver, given.cells, hierarchy=THEIRS, loop=loop)

    def finish(_: object) -> None:
        check_count(plain.count_cells(bench.driver, THEIRS), subject)
        plain.remove_cells(bench.driver, THEIRS)

    return Rival("plain loop", work, prepare=forgetting(subject), finish=finish)


def _rollout(bench: Bench, *, depth: int) -> Rival:
    write_prefix(bench)
    whole = make_subject(OURS, depth=depth)

    def work(_: object) -> None:
        rollout(bench.store, PREFIX, predictor=RULE, stop=Stop(depth=depth), from_depth=PREFIX_DEPTH, copy_as=COPY)

    def finish(_: object) -> None:
        check_count(bench.store.counts(COPY).cells, whole)
        bench.store.remove(COPY)

    return Rival("rollout", work, finish=finish)


def write_prefix(bench: Bench) -> tuple[TrainedPredictor, Hierarchy]:
    """A predictor and the prefix that it learned from, both in the store; done already where they are there."""
    prefix = make_subject(PREFIX, depth=PREFIX_DEPTH)
    trained = learn_rule(RULE, prefix, depth=PREFIX_DEPTH)
    written = bench.store.write(prefix)
    bench.store.write_predictor(trained)
    return trained, written


def check_count(found: int, wanted: Hierarchy) -> None:
    """Raise an ``AssertionError`` unless all cells are in the graph."""
    if found != len(wanted.cells):
        raise AssertionError(f"expected {len(wanted.cells)} cells in the graph, found {found}: the numbers would be of no use")


def _tune(bench: Bench, cells: Cells, *, say: Say) -> tuple[plain.Loop, dict[plain.Loop, float]]:
    say("tuning the plain loop: batch size and shape of the rows")
    plain.create_schema(bench.driver)
    best, rates = plain.tune_loop(bench.driver, cells, hierarchy=THEIRS)
    plain.remove_cells(bench.driver, THEIRS)
    for loop, cells_per_second in rates.items():
        say(f"  {loop}: {cells_per_second:,.0f} cells/s{'  <- taken' if loop == best else ''}")
    return best, rates


def _found_writing(
    seconds: dict[str, list[float]], *, count: int, tuned: tuple[plain.Loop, dict[plain.Loop, float]], dimension: int = 2
) -> Finding:
    ours, theirs = seconds["Store.write"], seconds["plain loop"]
    best, rates = tuned
    tried = "; ".join(f"{loop}: {value:,.0f}" for loop, value in rates.items())
    return Finding(
        name="write",
        title="Store.write against a plain loop of UNWIND ... CREATE",
        values=ratios(theirs, ours),
        wanted=Wanted("at least", 1.4),
        ours=f"`Store.write` of {count:,} cells in memory (arity 4, dimension {dimension}), three sessions side by side, from "
        f"cells that have not worked out their addresses yet to state `complete`: {rate(count, ours)} cells/s",
        theirs="one session, level by level, `UNWIND $rows ... MATCH parent ... CREATE` in managed transactions, unique key, "
        f"indexed `state` property, the same other properties, {best}, from the same columns: {rate(count, theirs)} cells/s",
        remarks=(f"Tuning of the plain loop, in the same run, cells/s by turns at the deepest level: {tried}.",),
    )


def _found_rollout(seconds: dict[str, list[float]], *, count: int, depth: int) -> Finding:
    ours, theirs = seconds["rollout"], seconds["Store.write"]
    return Finding(
        name="rollout",
        title="a rollout end to end against Store.write of the same cells",
        values=ratios(theirs, ours),
        wanted=Wanted("at least", 0.8),
        ours=f"`rollout` with `recurrence` from depth {PREFIX_DEPTH} to {depth} as a copy: reading the prefix and the "
        "predictor, writing the copy, leasing, predicting and writing every block, ending the growth: "
        f"{rate(count, ours)} cells/s",
        theirs=f"`Store.write` of a hierarchy of the same {count:,} cells: {rate(count, theirs)} cells/s",
    )


def measure_reading(bench: Bench, *, depth: int, rounds: int, say: Say) -> list[Finding]:
    """``read``: Store.read against the driver alone, of the same cells."""
    subject = make_subject(OURS, depth=depth)
    bench.store.write(forget_views(subject))
    rivals = [
        Rival("Store.read", lambda _: bench.store.read(OURS)),
        Rival("driver alone", lambda _: plain.read_columns(bench.driver, OURS)),
    ]
    say(f"reading {len(subject.cells):,} cells: {', '.join(rival.name for rival in rivals)}")
    check_columns(bench.store.read(OURS), plain.read_columns(bench.driver, OURS), id=OURS)
    seconds = take_turns(rivals, rounds=rounds, say=say)
    bench.store.remove(OURS)
    return [_found_reading(seconds, count=len(subject.cells))]


def check_columns(cells: Cells, columns: dict[str, np.ndarray], *, id: str) -> None:
    """Raise an ``AssertionError`` unless both ways read the same."""
    order = np.argsort(columns["key"], kind="stable")
    own = np.array([id + address for address in cells.addresses], dtype=object)
    own_order = np.argsort(own, kind="stable")
    for name in columns.keys() - {"key"}:
        if not np.array_equal(columns[name][order], getattr(cells, name)[own_order]):
            raise AssertionError(f"the column {name!r} was read differently: the numbers would be of no use")


def _found_reading(seconds: dict[str, list[float]], *, count: int) -> Finding:
    ours, theirs = seconds["Store.read"], seconds["driver alone"]
    return Finding(
        name="read",
        title="Store.read against the driver fetching the same columns",
        values=ratios(theirs, ours),
        wanted=Wanted("at least", 0.9),
        ours=f"`Store.read` of {count:,} cells into `Cells`: columns by pages, breadth-first order, row of each parent, "
        f"addresses: {rate(count, ours)} cells/s",
        theirs="one `session.run` for key, level, center, scale, root_distance, state, predicted and the incoming edge's slot, "
        f"residual and length, fetch size {plain.FETCH_SIZE:,}, records turned into numpy columns, in no order and without "
        f"rows of parents: {rate(count, theirs)} cells/s",
    )
