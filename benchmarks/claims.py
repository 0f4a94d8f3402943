"""Claims: how many claims a block costs with more and more claimers, and what they get of leases a second."""

import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier

from benchmarks.finding import Finding, Wanted
from benchmarks.graph import COPY, Bench, write_prefix
from benchmarks.rounds import Say
from benchmarks.subject import PREFIX_DEPTH
from benchmarks.workers import timed_operations
from cfgraph.growing.crew import read_task
from cfgraph.growing.lease_owner import own_name
from cfgraph.growing.rollout import Stop, copy_prefix, plan_growth
from cfgraph.growing.worker import Worker
from cfgraph.settings import Settings
from cfgraph.store import Store
from cfgraph.store.growth import GrownBy

CLAIMERS = (1, 4, 16, 64)
PROCESSES = 16  # at most, the same for 16 and for 64 claimers: so that what is compared are claimers, not a process's threads
READY_SECONDS = 120.0  # within which all processes have the graph and the predictor
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
            ours=f"`claim_frontier` calls over the {blocks:,} blocks of 4 cells of one rollout, workers in {PROCESSES} "
            f"processes at most; beside them {max(looks[claimers]):.3f} reads of `read_open_blocks` a block at most",
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


@dataclass
class Shared:
    """What the processes of the claimers share: where the store is, and the line from which all begin at once."""

    url: str
    line: Barrier


def _grow(bench: Bench, *, claimers: int, depth: int) -> tuple[int, int, float]:
    """Claims, looks and seconds of a rollout in blocks of one level, from the moment when all claimers are ready."""
    growth = _begin(bench, depth=depth)
    context, processes = get_context("spawn"), min(claimers, PROCESSES)
    line = context.Barrier(processes + 1)
    try:
        with ProcessPoolExecutor(processes, context, initializer=_remember, initargs=(Shared(bench.url, line),)) as pool:
            counts = [pool.submit(_work, growth, claimers // processes) for _ in range(processes)]
            line.wait(READY_SECONDS)
            start = time.perf_counter()
            asked, looked = (sum(column) for column in zip(*(count.result() for count in counts), strict=True))
            seconds = time.perf_counter() - start
        cells = bench.store.counts(COPY).cells
        if cells != (4 ** (depth + 1) - 1) // 3:
            raise AssertionError(f"{cells} cells: the numbers would be of no use")
    finally:
        bench.store.remove(COPY)
    return asked, looked, seconds


def _begin(bench: Bench, *, depth: int) -> GrownBy:
    trained, prefix = write_prefix(bench)
    stop = Stop(depth=depth)
    copy = copy_prefix(bench.store, prefix, trained, stop=stop, from_depth=PREFIX_DEPTH, copy_as=COPY)
    plan = plan_growth(copy, trained, stop=stop, frontier=bench.store.count_frontier(COPY), cells=0, root_scale=1.0)
    pinned = bench.store.begin_growth(COPY, replace(plan, block_height=1), state=copy.state)
    assert pinned is not None  # nobody else grows it
    return pinned


class _Here:
    """What this process was told as it was started: only then a barrier reaches it."""

    shared: Shared


def _remember(shared: Shared) -> None:
    _Here.shared = shared


def _work(growth: GrownBy, threads: int) -> tuple[int, int]:
    """The claims and looks of some workers, each in a thread of its own, from the line on."""
    shared, failures = _Here.shared, list[BaseException]()
    with Store.open(shared.url, settings=Settings(_env_file=None)) as store:
        hierarchy, trained = read_task(store, COPY, growth)
        rule = trained.load().predict

        def work(number: int) -> None:
            try:
                Worker(store, hierarchy, rule, growth, sessions=1, owner=f"{own_name()}+{number}").run()
            except BaseException as error:  # told by the thread that waits
                failures.append(error)

        crew = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        shared.line.wait(READY_SECONDS)
        with timed_operations() as taken:
            for thread in crew:
                thread.start()
            for thread in crew:
                thread.join()
    if failures:
        raise failures[0]
    return len(taken["claim_frontier"]), len(taken["read_open_blocks"])
