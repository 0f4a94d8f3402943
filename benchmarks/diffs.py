"""Diffs: two hierarchies that differ in one cell: all cells read, with digests made on the way and without, and by digests.

Then one of them is changed through cfgraph after its digests were made, which voids some: a block of its frontier is grown.
"""

import time
from typing import TYPE_CHECKING

from benchmarks.finding import Finding, Wanted, rate
from benchmarks.rounds import Rival, Say, ratios, take_turns
from benchmarks.subject import PREFIX_DEPTH, learn_rule, make_subject
from cfgraph.comparing.changes import MOVED, ONLY_SECOND, STATE
from cfgraph.comparing.diff import diff
from cfgraph.comparing.diff_report import Diff
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.store import Store

if TYPE_CHECKING:
    from benchmarks.graph import Bench

FIRST, SECOND, RULE = "bench-first", "bench-second", "bench-diff-rule"
FORGET = "MATCH (digest:SubtreeDigest) WHERE digest.hierarchy IN $ids DELETE digest"


def measure_diff(bench: "Bench", *, depth: int, rounds: int, say: Say) -> list[Finding]:
    """``diff``: two Koch curves of which one cell in the middle of the last level but one lies elsewhere."""
    write_pair(bench.store, depth=depth)
    found = measure_pair(bench.store, rounds=rounds, say=say)
    found += measure_grown(bench.store, depth=depth, rounds=rounds, say=say)
    bench.store.remove(RULE)
    for id in (FIRST, SECOND):
        bench.store.remove(id)
    return found


def write_pair(store: Store, *, depth: int) -> None:
    """Write both of them."""
    subject = make_subject(FIRST, depth=depth)
    center = subject.cells.center.copy()
    center[subject.cells.row("/1/2" * ((depth - 1) // 2))] += 1e-6
    store.write(subject)
    store.write(subject.replace(id=SECOND).with_cells(subject.cells.with_columns(center=center)))


def measure_pair(store: Store, *, rounds: int, say: Say) -> list[Finding]:
    """What the first and the later diffs of both cost."""
    cells = store.counts(FIRST).cells
    say(f"diff of two hierarchies of {cells:,} cells, one of which differs")

    def forget() -> None:
        store.query(FORGET, parameters={"ids": [FIRST, SECOND]}, write=True)

    def ask(*, full: bool) -> Diff:
        return diff(FIRST, SECOND, store=store, full=full)

    rivals = [
        Rival("all cells", lambda _: ask(full=True), finish=check),
        Rival("first diff", lambda _: ask(full=False), prepare=forget, finish=check),
    ]
    seconds = take_turns(rivals, rounds=rounds, say=say)
    ask(full=False)  # whichever came last
    later, read = list[float](), list[float]()
    for _ in range(rounds + 1):
        start = time.perf_counter()
        report = ask(full=False)
        later.append(time.perf_counter() - start)
        read.append(report.cells_read / (2 * cells))
        check(report)
    description = f"`diff` by address of two hierarchies of {cells:,} cells that differ in one"
    ways = f"`diff --full`: {rate(2 * cells, seconds['all cells'])} cells/s"
    return [
        Finding(
            name="diff",
            title="the first diff, which makes digests, against reading both",
            values=ratios(seconds["first diff"], seconds["all cells"]),
            wanted=Wanted("at most", 1.3),
            ours=f"{description}, without digests before: {rate(2 * cells, seconds['first diff'])} cells/s",
            theirs=ways,
        ),
        Finding(
            name="diff",
            title="one changed cell, found by digests",
            values=tuple(later[1:]),
            wanted=Wanted("at most", 2),
            unit=" s",
            ours=description,
            theirs=ways,
        ),
        Finding(
            name="diff",
            title="share of the cells that were read for it",
            values=tuple(read[1:]),
            wanted=Wanted("at most", 0.05),
            ours=description,
            theirs="all of them",
        ),
    ]


def measure_grown(store: Store, *, depth: int, rounds: int, say: Say) -> list[Finding]:
    """What a diff costs after a block of one side was grown, each round another one, in another part of the hierarchy."""
    store.write_predictor(learn_rule(RULE, make_subject(FIRST, depth=PREFIX_DEPTH), depth=PREFIX_DEPTH))
    cells = 2 * store.counts(FIRST).cells
    say("diff of the same two, in one of which a block of the frontier was grown since")
    seconds, read = list[float](), list[float]()
    for number in range(rounds + 1):
        address = f"/{number % 4}/{number // 4 % 4}" + "/0" * (depth - 2)
        rollout(store, SECOND, predictor=RULE, stop=Stop(depth=depth + 1), below=[address])
        start = time.perf_counter()
        report = diff(FIRST, SECOND, store=store)
        seconds.append(time.perf_counter() - start)
        read.append(report.cells_read / cells)
        check(report, blocks=number + 1)
    description = f"`diff` by address of two hierarchies of {cells // 2:,} cells after `rollout --below` one cell"
    theirs = "a diff of all cells"
    return [
        Finding(
            name="diff",
            title="a block that was grown, found by digests",
            values=tuple(seconds[1:]),
            wanted=Wanted("at most", 2),
            unit=" s",
            ours=description,
            theirs=theirs,
        ),
        Finding(
            name="diff",
            title="share of the cells that were read for that",
            values=tuple(read[1:]),
            wanted=Wanted("at most", 0.05),
            ours=description,
            theirs="all of them",
        ),
    ]


def check(report: Diff, *, blocks: int = 0) -> None:
    """Refuse to measure what does not find the cell that moved, and those that were grown: four below each of as many."""
    found = {kind: one.count for kind, one in report.kinds.items()}
    grown = found.get(STATE, 0)
    if found != {MOVED: 1} | ({ONLY_SECOND: 4 * grown, STATE: grown} if blocks else {}) or (grown > 0) != (blocks > 0):
        raise AssertionError(f"expected one cell that moved, and {blocks} blocks that were grown, got {found}")
