"""Claims: how many claims a block costs with more and more claimers, and what they get of leases a second."""

import threading
import time
from dataclasses import replace

from benchmarks.finding import Finding, Wanted
from benchmarks.graph import COPY, Bench, write_prefix
from benchmarks.rounds import Say
from benchmarks.subject import PREFIX_DEPTH
from benchmarks.workers import timed_operations
from cfgraph.growing.lease_owner import own_name
from cfgraph.growing.rollout import Stop, copy_prefix, plan_growth
from cfgraph.growing.worker import Worker
from cfgraph.predictors.trained import TrainedPredictor
from cfgraph.store.growth import GrownBy

CLAIMERS = (1, 4, 16, 64)
CLAIMS_MAX = {1: 0.6, 4: 1.0, 16: 2.0}


def measure_claims(bench: Bench, *, depth: int, rounds: int, say: Say) -> list[Finding]:
    """``claims``: claims a block by 1, 4, 16 and 64 claimers, and leases a second of 64 over those of 16."""
    claims: dict[int, list[float]] = {claimers: [] for claimers in CLAIMERS}
    looks: dict[int, list[float]] = {claimers: [] for claimers in CLAIMERS}
    leases: dict[int, list[float]] = {claimers: [] for claimers in CLAIMERS}
    blocks = sum(4**level for level in range(PREFIX_DEPTH, depth))
    for number in range(rounds + 1):
        for claimers in CLAIMERS:
            asked, looked, seconds = _grow(bench, claimers=claimers, depth=depth)
            turn = f"round {number} of {rounds}" if number else "warm-up"
            told = f"{asked / blocks:.2f} claims and {looked / blocks:.3f} looks a block, {blocks / seconds:,.0f} leases/s"
            say(f"  {turn}: {claimers} claimers {told}")
            if number:
                claims[claimers].append(asked / blocks)
                looks[claimers].append(looked / blocks)
                leases[claimers].append(blocks / seconds)
    found = [
        Finding(
            name="claims",
            title=f"claims a block, {claimers} claimers at once",
            values=tuple(claims[claimers]),
            wanted=Wanted("at most", CLAIMS_MAX[claimers]) if claimers in CLAIMS_MAX else None,
            ours=f"`claim_frontier` calls over the {blocks:,} blocks of 4 cells of one rollout, workers in threads of one "
            f"process; beside them {max(looks[claimers]):.3f} reads of `read_open_blocks` a block at most",
            theirs="nothing: a count",
        )
        for claimers in CLAIMERS
    ]
    ratio = tuple(many / few for many, few in zip(leases[64], leases[16], strict=True))
    rates = ", ".join(f"{claimers}: {max(leases[claimers]):,.0f}" for claimers in CLAIMERS)
    return [
        *found,
        Finding(
            name="claims",
            title="leases a second, 64 claimers over 16",
            values=ratio,
            wanted=Wanted("at least", 0.8),
            ours=f"blocks leased, grown and written a second; the best round of each number of claimers: {rates}",
            theirs="the same with 16 claimers",
        ),
    ]


def _grow(bench: Bench, *, claimers: int, depth: int) -> tuple[int, int, float]:
    """Claims, looks and seconds of a rollout in blocks of one level."""
    trained, growth = _begin(bench, depth=depth)
    try:
        with timed_operations() as taken:
            start = time.perf_counter()
            _work(bench, trained, growth, claimers=claimers)
            seconds = time.perf_counter() - start
        cells = bench.store.counts(COPY).cells
        if cells != (4 ** (depth + 1) - 1) // 3:
            raise AssertionError(f"{cells} cells: the numbers would be of no use")
    finally:
        bench.store.remove(COPY)
    return len(taken["claim_frontier"]), len(taken["read_open_blocks"]), seconds


def _begin(bench: Bench, *, depth: int) -> tuple[TrainedPredictor, GrownBy]:
    trained, prefix = write_prefix(bench)
    stop = Stop(depth=depth)
    copy = copy_prefix(bench.store, prefix, trained, stop=stop, from_depth=PREFIX_DEPTH, copy_as=COPY)
    plan = plan_growth(copy, trained, stop=stop, frontier=bench.store.count_frontier(COPY), cells=0, root_scale=1.0)
    pinned = bench.store.begin_growth(COPY, replace(plan, block_height=1), state=copy.state)
    assert pinned is not None  # nobody else grows it
    return trained, pinned


def _work(bench: Bench, trained: TrainedPredictor, growth: GrownBy, *, claimers: int) -> None:
    hierarchy = bench.store.hierarchy(COPY).require_field("a rollout")
    rule, failures = trained.load().predict, list[BaseException]()

    def work(number: int) -> None:
        try:
            Worker(bench.store, hierarchy, rule, growth, sessions=1, owner=f"{own_name()}+{number}").run()
        except BaseException as error:  # told by the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(claimers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
