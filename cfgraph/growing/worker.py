"""A worker: leases blocks of the frontier, grows them with a predictor, writes them under the fence, until none is left.

Any number of workers grow one hierarchy, on any machines, without knowing of each other: the graph holds what is grown,
how far, and who works on which block. All cut the hierarchy into the same blocks and evaluate each in the same batches,
so that who grew what, and how often it was interrupted, leaves no trace in the graph.
"""

import math
import random
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from cfgraph.growing.events import Event, Observer
from cfgraph.growing.extent import Below, extent_of
from cfgraph.growing.lease_owner import is_dead, own_name
from cfgraph.growing.leases import LeaseKeeper
from cfgraph.growing.outage import Retrier
from cfgraph.model.blocks import Block, BlockLevel, block_boundaries, level_of_growth
from cfgraph.model.cells import EXPANDED, FRONTIER
from cfgraph.model.growth import Rule, expand_levels
from cfgraph.model.hierarchy import FieldHierarchy
from cfgraph.model.parts import Parts
from cfgraph.store.growth import Claim, GrownBy, Pending, Seeds
from cfgraph.store.writing import SESSIONS, BlockWriter, Lease, Written

if TYPE_CHECKING:
    from cfgraph.store import Store

LEASE_SECONDS = 20.0
OUTAGE_SECONDS = 120.0  # how long a worker waits for a store that does not answer
LEASE_SECONDS_MAX = 60.0  # up to which a lease grows that turned out too short to be renewed in time
TRANSACTION_SECONDS_MIN = 10.0  # the server ends no transaction before, however short a lease is
POLL_SECONDS = 0.25  # how often a worker that ran dry looks again
LOOK_BLOCKS = 4  # blocks that a claim asks about at once
CLAIM_BLOCKS = 2  # and leases at once, where there are more of them: half as many claims
LOOK_AGAIN_BLOCKS = 512  # that a worker looks at anew where it meets another: one read, in place of a claim for every four
SLOW_PART = 0.9  # of a lease without a renewal: from then on it was slowness; some time goes by before it is noted as held
RATE_BLOCKS = 20  # the last blocks tell the cells a second


@dataclass
class Worker:
    """One process that grows one hierarchy by a pinned plan: all of it, or some ``parts``."""

    store: "Store"
    hierarchy: FieldHierarchy
    rule: Rule
    growth: GrownBy
    parts: Parts | None = None
    lease_seconds: float = LEASE_SECONDS
    outage_seconds: float = OUTAGE_SECONDS
    sessions: int = SESSIONS
    observe: Observer = lambda event: None
    halted: Callable[[], bool] = lambda: False
    owner: str = field(default_factory=own_name)
    grown: int = 0

    def __post_init__(self) -> None:
        self._recent: deque[tuple[float, int]] = deque([(time.monotonic(), 0)], maxlen=RATE_BLOCKS)
        self._left: dict[str, Pending] = {}  # blocks of this layer that others held, or that were lost
        self._dead: set[str] = set()  # owners known to run no more
        self._retry = Retrier(self.outage_seconds, halted=self.halted, tell=self._tell).retry
        self._deadline = time.monotonic() + self._seconds_left()
        self._extent = extent_of(
            self.store,
            self.hierarchy.id,
            self.growth,
            parts=self.parts,
            arity=self.hierarchy.arity,
            retry=self._retry,
        )
        self._lost = 0  # leases
        self._over = False  # another worker has recorded that the stop is reached

    def run(self) -> bool:
        """Grow until the stop, which is recorded, or until halted; whether the stop was reached."""
        measure = self._extent.measure()
        self._tell("begin", total=measure.cells, frontier=measure.frontier)
        keeper = LeaseKeeper(
            self.store,
            self.hierarchy.id,
            lease_seconds=lambda: self.lease_seconds,
            rate=lambda: self.rate,
            outlasted=self._tell_outlasted,
        )
        with keeper:
            whole = all(self._grow_layer(first, last, keeper=keeper) for first, last in self._layers())
        finished = self._over or whole or (time.monotonic() >= self._deadline and not self.halted())
        if finished and not self._over:
            self._retry(lambda: self.store.finish_growth(self.hierarchy.id, self.growth, parts=self.parts))
        self._tell("end", grown=self.grown, finished=finished)
        return finished

    def _seconds_left(self) -> float:
        """How long until a stop by time, which counts from when the growth was pinned, by the server's clock."""
        seconds, since = self.growth.stop.get("seconds", math.inf), self.growth.since
        if math.isinf(seconds) or since is None:
            return seconds
        return seconds - (self._retry(self.store.read_time) - since / 1000)

    @property
    def rate(self) -> float:
        """Cells a second, over the last blocks."""
        seconds = time.monotonic() - self._recent[0][0]
        return sum(cells for _, cells in list(self._recent)[1:]) / seconds if seconds > 0 else 0.0

    def _tell(self, action: str, **facts: object) -> None:
        self.observe(Event(action, self.owner, facts))

    def _tell_outlasted(self, lease: Lease) -> None:
        if not self._lost:  # which says the same, and more
            self._tell("outlast_lease", block=lease.root, lease_seconds=self.lease_seconds)

    def _tell_lost(self, block: str, *, late: float, lasted: float) -> None:
        """Tell that a lease was lost: the first time with why and what to do, as a machine that is slow loses many."""
        self._lost += 1
        facts = {"block": block, "lease_seconds": self.lease_seconds, "lost": self._lost}
        if self._lost == 1:
            facts["reason"] = lost_in_words(block, late=late, lasted=lasted, next_seconds=self.lease_seconds)
        self._tell("lose_lease", **facts)

    def _is_to_stop(self) -> bool:
        return self._over or self.halted() or time.monotonic() >= self._deadline

    # -- which blocks there are

    def _layers(self) -> Iterator[tuple[int, int]]:
        height, depth = self.growth.block_height, self.growth.whole_depth
        yield from block_boundaries(from_level=self.growth.from_depth, depth=depth, height=height)
        if depth < self.growth.to_depth:
            self._pin_last_block(depth + 1)
            yield from block_boundaries(from_level=depth, depth=depth + 1, height=height)

    def _pin_last_block(self, depth: int) -> None:
        """Find the last block, in address order, that still fits into the number of cells, and pin it once."""
        if self.growth.last_block is not None:
            return
        id, arity = self.hierarchy.id, self.hierarchy.arity
        room = int(self.growth.stop["cells"]) - self._retry(lambda: self.store.counts(id).cells)
        (first, last) = block_boundaries(from_level=depth - 1, depth=depth, height=self.growth.block_height)[-1]
        chosen = ""
        for block in (block for page in self._pages(first, last) for block in page):
            seeds = self._retry(partial(self.store.read_block, id, block.root, depth=last, arity=arity))
            room -= sum(len(part.addresses) for part in seeds) * arity
            if room < 0:
                break
            chosen = block.root
        self.growth = self._retry(lambda: self.store.pin_growth_end(id, self.growth, last_block=chosen))

    def _pages(self, first: int, last: int) -> Iterator[list[Pending]]:
        """The blocks of a layer that hold frontier cells, in address order, some at a time."""
        if isinstance(self._extent, Below):
            return self._extent.pages(first, last)
        return self._extent.pages(first, last, bound=self.growth.last_block if last == self.growth.to_depth else None)

    def _read_seeds(self, root: str, last: int) -> list[Seeds]:
        read = self.store.read_block
        return self._retry(lambda: read(self.hierarchy.id, root, depth=last, arity=self.hierarchy.arity))

    def _rounds(self, first: int, last: int, *, writer: BlockWriter) -> Iterator[list[Pending]]:
        """The blocks of a layer, page by page; then, again and again, those that others held or that were lost."""
        yield from self._pages(first, last)
        writer.drain()
        while self._left:
            before, grown = list(self._left.values()), self.grown
            self._left = {}
            yield before
            writer.drain()
            if self._left and self.grown == grown:
                self._tell("await_block", blocks=len(self._left))
                time.sleep(POLL_SECONDS)

    # -- what becomes of them

    def _grow_layer(self, first: int, last: int, *, keeper: LeaseKeeper) -> bool:
        """Grow every block of a layer, waiting for those that others hold; False where stopped before the end."""

        def note(written: Written) -> None:
            self._note(written, keeper=keeper)

        with self.store.block_writer(
            self.hierarchy,
            sessions=self.sessions,
            done=note,
            retry=self._retry,
            transaction_seconds=max(self.lease_seconds, TRANSACTION_SECONDS_MIN),
        ) as writer:
            return all(
                self._work_through(blocks, last, writer=writer, keeper=keeper)
                for blocks in self._rounds(first, last, writer=writer)
            )

    def _work_through(self, blocks: list[Pending], last: int, *, writer: BlockWriter, keeper: LeaseKeeper) -> bool:
        """Claim and grow what is free of some blocks, from one of this worker's own choice on; False where it is to stop.

        Others are at the same blocks, and each begins elsewhere and wraps round. Where this one meets what another has grown
        or holds, it looks at what lies ahead in one read, and goes on at a free block of its choice.
        """
        pending = _from_own_choice(blocks)
        while pending:
            if self._is_to_stop():
                return False
            most = CLAIM_BLOCKS if len(pending) > LOOK_BLOCKS else 1  # the last ones are shared out singly
            claim = self._claim(list(pending.values())[:LOOK_BLOCKS], most=most)
            self._over = claim.over
            for root in claim.done:
                del pending[root]
            for root, owner in claim.held.items():
                if not self._knows_dead(owner):
                    self._left[root] = pending.pop(root)
            for lease in claim.leases:
                del pending[lease.root]
                keeper.hold(lease)
            for lease in claim.leases:
                if grown := self._grow_block(lease.root, last, lease=lease, keeper=keeper):
                    writer.submit(grown, lease=lease)
            if pending and (claim.done or claim.held):
                pending = self._look_again(list(pending.values()))
        return not self._over

    def _look_again(self, pending: list[Pending]) -> dict[str, Pending]:
        """What is left of some blocks: of the next ones those that are still to grow, and those that others hold for later."""
        ahead, behind = pending[:LOOK_AGAIN_BLOCKS], pending[LOOK_AGAIN_BLOCKS:]
        holders = self._retry(lambda: self.store.read_open_blocks(self.hierarchy.id, ahead))
        left = [block for block in ahead if block.root in holders]
        held = [block for block in left if (owner := holders[block.root]) is not None and not self._knows_dead(owner)]
        self._left |= {block.root: block for block in held}
        return _from_own_choice([block for block in left if block.root not in self._left]) | {b.root: b for b in behind}

    def _claim(self, blocks: list[Pending], *, most: int) -> Claim:
        token = secrets.token_hex(16)
        claim = self._retry(
            lambda: self.store.claim_frontier(
                self.hierarchy.id,
                blocks,
                owner=self.owner,
                token=token,
                lease_seconds=self.lease_seconds,
                most=most,
                rate=self.rate,
                dead_owners=self._dead,
                growth=self.growth,
            )
        )
        for root, owner in claim.taken_from.items():
            self._tell("take_over", block=root, owner=owner)
        return claim

    def _knows_dead(self, owner: str) -> bool:
        """Whether an owner runs no more: its leases are free from the next claim on."""
        if owner != self.owner and owner not in self._dead and is_dead(owner):
            self._dead.add(owner)
        return owner in self._dead

    def _grow_block(self, root: str, last: int, *, lease: Lease, keeper: LeaseKeeper) -> Block | None:
        """The block's new levels, predicted; None (and the lease given back) where somebody grew it meanwhile."""
        parts = self._read_seeds(root, last)
        if not parts:
            self._retry(lambda: keeper.give_back(lease))
            return None
        levels = [level for part in parts for level in self._grow_seeds(part, last)]
        return Block(root=root, seeds=[seed for part in parts for seed in part.addresses], levels=levels)

    def _grow_seeds(self, seeds: Seeds, last: int) -> Iterator[BlockLevel]:
        levels = last - int(seeds.frontier.level[0])
        grown = expand_levels(seeds.frontier, rule=self.rule, scale_factor=self.hierarchy.scale_factor, levels=levels)
        for generation, children in enumerate(grown, start=1):
            state = FRONTIER if generation == levels else EXPANDED
            yield level_of_growth(children, ancestors=seeds.addresses, generation=generation, state=state)

    def _note(self, written: Written, *, keeper: LeaseKeeper) -> None:
        """Take note of what became of a block."""
        block = written.block
        late, lasted = (0.0, self.lease_seconds) if written.lease is None else keeper.overdue(written.lease)
        if written.lease is not None:
            keeper.let_go(written.lease)
        if written.lost:
            self._left[block.root] = Pending(block.root, seed=block.seeds[0])
            # Lost by being stopped, or because it was too short to be renewed in time: then the next ones last longer.
            self.lease_seconds = max(self.lease_seconds, min(2 * self.lease_seconds, LEASE_SECONDS_MAX))
            return self._tell_lost(block.root, late=late, lasted=lasted)
        cells = block.cells if written.new else 0
        self.grown += cells
        self._recent.append((time.monotonic(), cells))
        frontier = self._extent.count_new_frontier(block)
        self._tell(
            "write_block", block=block.root, cells=cells, frontier=frontier, seconds=round(written.seconds, 4), new=written.new
        )


def _from_own_choice(blocks: list[Pending]) -> dict[str, Pending]:
    """Blocks by root, from one that is drawn on to the last, then from the first on."""
    begin = random.randrange(len(blocks)) if blocks else 0
    return {block.root: block for block in (*blocks[begin:], *blocks[:begin])}


def lost_in_words(block: str, *, late: float, lasted: float, next_seconds: float) -> str:
    """Why a lease was lost, and what to do: it was not renewed in time, or was taken though it was.

    ``late`` is for how long it was not renewed, ``lasted`` how long it lasts without, ``next_seconds`` what the next ones last.
    """
    if late >= SLOW_PART * lasted:
        why = (
            f"it lasts {lasted:g} s and was not renewed for {late:.1f} s: this machine or the store was too slow for that, or "
            f"this worker was stopped. Leases last {next_seconds:g} s from now on; ask for longer ones from the start "
            f"(--lease-seconds {max(next_seconds, math.ceil(2 * late)):g}), or for fewer workers (--workers)"
        )
    else:
        why = "though it was renewed in time: another worker took this one for dead, or the server's clock was set"
    return f"the lease of block {block} was lost, {why}. Nothing is wrong with the graph: the block is grown again"
