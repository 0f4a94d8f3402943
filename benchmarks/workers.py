"""Workers: several processes at one rollout, what leasing costs, how cost grows, how soon a stalled block is taken over."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

from benchmarks.finding import Finding, Wanted, rate
from benchmarks.graph import COPY, OURS, Bench, check_count, store_write, write_prefix
from benchmarks.rounds import Rival, Say, take_turns
from benchmarks.subject import PREFIX_DEPTH, make_subject
from cfgraph.growing.crew import Crew
from cfgraph.growing.events import Event
from cfgraph.growing.rollout import Stop, copy_prefix, plan_growth, rollout
from cfgraph.growing.worker import LEASE_SECONDS, OUTAGE_SECONDS, Worker
from cfgraph.store import graph, writing
from cfgraph.store.growth import GrownBy, Pending

WORKERS = 3
LEASING = ("claim_frontier", "fence_block", "renew_leases", "release_leases")
STALLED_SECONDS = 2.0  # the lease of the worker that stalls
STALLS = 7


@dataclass
class Seen:
    """What a crew's events tell: when each worker was ready, and the cells of each block with their time."""

    ready: list[float] = field(default_factory=list)
    started: list[float] = field(default_factory=list)
    blocks: list[tuple[float, int]] = field(default_factory=list)

    def note(self, event: Event) -> None:
        """Take in an event."""
        if event.action == "ready":
            self.ready.append(time.perf_counter())
            self.started.append(event.facts["seconds"])
        elif event.action == "write_block":
            self.blocks.append((time.perf_counter(), event.facts["cells"]))


def measure_workers(bench: Bench, *, depth: int, rounds: int, say: Say) -> list[Finding]:
    """``workers``: three worker processes against Store.write of the same cells; and how soon a worker is ready."""
    whole, seen = make_subject(OURS, depth=depth), []

    def work(growth: GrownBy) -> Seen:
        seen.append(Seen())
        options = {"lease_seconds": LEASE_SECONDS, "outage_seconds": OUTAGE_SECONDS, "device": "cpu"}
        with Crew(bench.store, COPY, growth, workers=WORKERS, observe=seen[-1].note, **options) as crew:
            outcome = crew.work(interrupted=lambda: False)
        if outcome.failures:
            raise outcome.failures[0]
        return seen[-1]

    def finish(_: object) -> None:
        check_count(bench.store.counts(COPY).cells, whole)
        bench.store.remove(COPY)

    rivals = [
        store_write(bench, whole),
        Rival("three workers", work, prepare=lambda: begin_copy(bench, depth=depth), finish=finish),
    ]
    say(f"writing {len(whole.cells):,} cells: {', '.join(rival.name for rival in rivals)}")
    seconds = take_turns(rivals, rounds=rounds, say=say)
    return _found_workers(seconds["Store.write"], seen[1:], count=len(whole.cells))


def begin_copy(bench: Bench, *, depth: int) -> GrownBy:
    """A copy of the prefix, ready for workers."""
    trained, prefix = write_prefix(bench)
    stop = Stop(depth=depth)
    copy = copy_prefix(bench.store, prefix, trained, stop=stop, from_depth=PREFIX_DEPTH, copy_as=COPY)
    frontier = bench.store.count_frontier(COPY)
    plan = plan_growth(copy, trained, stop=stop, frontier=frontier, cells=0, root_scale=1.0)
    pinned = bench.store.begin_growth(COPY, plan, state=copy.state)
    assert pinned is not None  # nobody else grows it
    return pinned


def _found_workers(written: list[float], seen: list[Seen], *, count: int) -> list[Finding]:
    speeds, shares = [], []
    for one in seen:
        all_ready, end = max(one.ready), max(moment for moment, _ in one.blocks)
        after = sum(cells for moment, cells in one.blocks if moment > all_ready)
        speeds.append(after / (end - all_ready))
        shares.append(after / sum(cells for _, cells in one.blocks))
    return [
        Finding(
            name="workers",
            title="a rollout with 3 worker processes against Store.write of the same cells",
            values=tuple(speed * seconds / count for speed, seconds in zip(speeds, written, strict=True)),
            wanted=Wanted("at least", 0.9),
            ours=f"cells a second from the moment when all {WORKERS} are ready ({min(shares):.1%} or more of the cells come "
            f"after it): {mean(speeds):,.0f} cells/s",
            theirs=f"`Store.write` of {count:,} cells, three sessions: {rate(count, written)} cells/s",
        ),
        Finding(
            name="ready",
            title="a worker is ready",
            values=tuple(seconds for one in seen for seconds in one.started),
            wanted=Wanted("at most", 2.0),
            unit=" s",
            ours="from the start of its process until its command hears that it has the graph and the predictor; three start "
            "at the same moment",
            theirs="nothing: a time",
        ),
    ]


@contextmanager
def timed_operations() -> Iterator[dict[str, list[tuple[float, float]]]]:
    """When each operation of the graph began and how long it took, as long as this lasts."""
    taken: dict[str, list[tuple[float, float]]] = defaultdict(list)
    original = graph.run_operation

    def timed(transaction: Any, operation: str, **parameters: Any) -> list[dict[str, Any]]:
        start = time.perf_counter()
        try:
            return original(transaction, operation, **parameters)
        finally:
            taken[operation].append((start, time.perf_counter() - start))

    graph.run_operation = writing.run_operation = timed
    try:
        yield taken
    finally:
        graph.run_operation = writing.run_operation = original


def measure_leasing(bench: Bench, *, depth: int, rounds: int, say: Say) -> list[Finding]:
    """``leasing``: the share of leases and fences in all that a rollout asks the server for."""
    shares, spent = [], dict.fromkeys(LEASING, 0.0)
    for number in range(rounds + 1):
        with timed_operations() as taken:
            _grow(bench, depth=depth)
        bench.store.remove(COPY)
        totals = {operation: sum(seconds for _, seconds in times) for operation, times in taken.items()}
        share = sum(totals.get(operation, 0.0) for operation in LEASING) / sum(totals.values())
        spent |= {operation: totals.get(operation, 0.0) / sum(totals.values()) for operation in LEASING}
        say(f"  {f'round {number} of {rounds}' if number else 'warm-up'}: leasing {share:.1%}")
        shares += [share] * bool(number)
    return [
        Finding(
            name="leasing",
            title="leasing and fencing, part of a rollout's time with the server",
            values=tuple(shares),
            wanted=Wanted("at most", 0.1),
            ours=f"the time in {', '.join(f'`{operation}`' for operation in LEASING)} over the time in all operations, one "
            f"worker, three sessions, depth {PREFIX_DEPTH} to {depth}",
            theirs="nothing: a share",
            remarks=(f"In the last round: {', '.join(f'`{name}` {part:.1%}' for name, part in spent.items())}.",),
        )
    ]


def _grow(bench: Bench, *, depth: int, interrupted: Callable[[], bool] = lambda: False) -> None:
    trained, prefix = write_prefix(bench)
    rollout(
        bench.store,
        prefix.id,
        predictor=trained.id,
        stop=Stop(depth=depth),
        from_depth=PREFIX_DEPTH,
        copy_as=COPY,
        interrupted=interrupted,
    )


def measure_cost(bench: Bench, *, cells: tuple[int, int], depth: int, say: Say) -> list[Finding]:
    """``cost``: how fast a rollout grows, and how long a claim takes, with few and with many cells in the graph."""
    few, many = cells
    say(f"growing to {many:,} cells")
    with timed_operations() as taken:
        _grow(bench, depth=depth, interrupted=lambda: _created(taken) * BLOCK > 1.1 * many)
    moments = _moments(taken)
    windows = [(int(0.7 * size), int(1.1 * size)) for size in (few, many)]
    speeds = [_speed(moments, window) for window in windows]
    claims = [_claim_seconds(taken, moments, window) for window in windows]
    return [
        Finding(
            name="cost",
            title=f"cells/s at {many:,} cells in the graph against {few:,}",
            values=(speeds[1] / speeds[0],),
            wanted=Wanted("at least", 0.8),
            ours=f"one rollout: {speeds[1]:,.0f} cells/s between {windows[1][0]:,} and {windows[1][1]:,} cells",
            theirs=f"{speeds[0]:,.0f} cells/s between {windows[0][0]:,} and {windows[0][1]:,} cells",
            remarks=(f"A claim took {claims[0] * 1e3:.1f} ms at {few:,} cells, and {claims[1] * 1e3:.1f} ms at {many:,}.",),
        )
    ]


BLOCK = 5460  # cells of a full block at arity 4 and dimension 2
LEVELS = 6  # and the statements that create them


def _created(taken: dict[str, list[tuple[float, float]]]) -> float:
    return len(taken["create_children"]) / LEVELS


def _moments(taken: dict[str, list[tuple[float, float]]]) -> list[float]:
    """When each full block was written: every sixth statement that creates children."""
    return sorted(start + seconds for start, seconds in taken["create_children"])[::LEVELS]


def _speed(moments: list[float], window: tuple[int, int]) -> float:
    low, high = (min(size // BLOCK, len(moments) - 1) for size in window)
    return (high - low) * BLOCK / (moments[high] - moments[low])


def _claim_seconds(taken: dict[str, list[tuple[float, float]]], moments: list[float], window: tuple[int, int]) -> float:
    low, high = (moments[min(size // BLOCK, len(moments) - 1)] for size in window)
    return mean(seconds for start, seconds in taken["claim_frontier"] if low <= start <= high)


def measure_takeover(bench: Bench, *, say: Say) -> list[Finding]:
    """``takeover``: how long after its lease's end a stalled worker's block is taken over by one that waits for it."""
    found = []
    for number in range(STALLS):
        growth = begin_copy(bench, depth=PREFIX_DEPTH + 3)  # one block
        trained, _ = write_prefix(bench)
        end = time.perf_counter() + STALLED_SECONDS  # or a little later, by what the claim takes
        claimed = bench.store.claim_frontier(
            COPY, [Pending("/", "/0/0/0")], owner="stalled", token="stalled", lease_seconds=STALLED_SECONDS
        )
        assert claimed.leases
        moments: list[float] = []

        def note(event: Event, moments: list[float] = moments) -> None:
            moments += [time.perf_counter()] * (event.action == "take_over")

        Worker(bench.store, bench.store.hierarchy(COPY), trained.load().predict, growth, observe=note).run()
        found.append(moments[0] - end)
        say(f"  stall {number + 1} of {STALLS}: taken over {found[-1]:.2f} s after the lease's end")
        bench.store.remove(COPY)
    return [
        Finding(
            name="takeover",
            title="a stalled worker's block is taken over, after its lease's end",
            values=tuple(found),
            wanted=Wanted("at most", 2.0),
            unit=" s",
            ours=f"a block leased for {STALLED_SECONDS:g} s by an owner that does nothing; a worker waits for it",
            theirs="nothing: a time",
        )
    ]
