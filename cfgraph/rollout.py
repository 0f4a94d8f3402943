"""Rollout: grow the frontier with a predictor, block by block, each under a lease with a fence.

A worker claims a block, reads its frontier cells with their parents' tuples once, grows all its levels in memory, and
hands it to the store, which writes it in one transaction that proves the lease and ends it. Blocks are canonical and a
predictor evaluates each level of a block as one batch, so any number of interruptions ends in the same graph.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cfgraph.address import ancestor_address, format_address, key_of, stem_of, subtree_range
from cfgraph.blocks import Block, BlockLevel, block_boundaries, block_height, level_of_growth
from cfgraph.called import make_callable
from cfgraph.cells import EXPANDED, FRONTIER, Cells
from cfgraph.errors import InputError
from cfgraph.growth import CELLS_MAX, Rule, check_growth, count_cells, expand_levels
from cfgraph.hierarchy import Hierarchy, recipe_digest
from cfgraph.metric import depth_for_precision
from cfgraph.owner import is_dead, own_name
from cfgraph.store.growing import GrownBy, Seeds
from cfgraph.store.writing import BlockWriter, Lease, Written

if TYPE_CHECKING:
    from cfgraph.store import Store
    from cfgraph.train import TrainedPredictor

LEASE_SECONDS = 60.0
POLL_SECONDS = 0.25  # how often a worker that ran dry looks whether the blocks of others came free
TIMED_LAYERS = 8  # a growth that only time stops is cut for this many layers of blocks
Progress = Callable[[int, int], None]  # cells grown, cells in all


@dataclass(frozen=True)
class Stop:
    """Where a rollout ends: exactly one of a depth, a precision, a number of cells in all, or a time."""

    depth: int | None = None
    precision: float | None = None
    cells: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        given = self.asked
        if len(given) != 1:
            raise InputError(f"expected exactly one of depth, precision, cells and seconds, got {', '.join(given) or 'none'}")
        name, value = next(iter(given.items()))
        if not math.isfinite(value) or value < 0 or (value == 0 and name != "depth"):
            wanted = "of at least 0" if name == "depth" else "above 0"
            raise InputError(f"expected {name} {wanted} as the stop, got {value}")
        if name == "cells" and value > CELLS_MAX:
            raise InputError(f"expected at most {CELLS_MAX:,} cells in one go, got {value:,}")

    @property
    def asked(self) -> dict[str, float]:
        """The one that was given, by name: what is pinned in the graph."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class RolloutReport:
    """What a rollout did: ``grown`` cells by this call, and whether it reached its stop or was interrupted."""

    id: str
    predictor: str
    from_depth: int
    to_depth: int
    grown: int
    finished: bool
    taken_over: int
    warnings: tuple[str, ...] = ()


def rollout(
    store: "Store",
    identifier: str,
    *,
    predictor: str,
    stop: Stop,
    from_depth: int | None = None,
    copy_as: str | None = None,
    device: str = "cpu",
    lease_seconds: float = LEASE_SECONDS,
    progress: Progress = lambda done, total: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> RolloutReport:
    """Grow a hierarchy with a predictor until a stop: in place, or (``from_depth``, ``copy_as``) as a copy of its prefix.

    The same call again goes on where an interrupted one stopped, and finds a finished one done. ``interrupted`` is asked
    between blocks. Raises ``InputError`` for a predictor that does not fit and an absurd depth, ``NotFoundError`` for
    unknown ids, ``VanishedError`` where the hierarchy is removed under the rollout.
    """
    trained = store.predictor(predictor)
    source = store.hierarchy(identifier)
    check_fit(trained, source)
    if (from_depth is None) != (copy_as is None):
        raise InputError(
            "a copy needs both the depth of its prefix (--from-depth) and an id (--as); growing in place needs neither"
        )
    warnings = _warnings(trained, source)
    target = (
        source if copy_as is None else copy_prefix(store, source, trained, stop=stop, from_depth=from_depth, copy_as=copy_as)
    )
    growth = _pin(store, target, trained, stop=stop, copied=copy_as is not None)
    if growth is None:
        depth = store.counts(target.id).depth
        return RolloutReport(target.id, predictor, depth, depth, grown=0, finished=True, taken_over=0, warnings=warnings)
    worker = Worker(store, target, trained.load(device=device).predict, growth, lease_seconds=lease_seconds, progress=progress)
    finished = worker.run(interrupted=interrupted)
    return RolloutReport(
        id=target.id,
        predictor=predictor,
        from_depth=growth.from_depth,
        to_depth=growth.to_depth,
        grown=worker.grown,
        finished=finished,
        taken_over=worker.taken_over,
        warnings=warnings,
    )


def check_fit(trained: "TrainedPredictor", hierarchy: Hierarchy) -> None:
    """Raise an ``InputError`` where a predictor is of another arity or dimension than a hierarchy."""
    for name in ("arity", "dimension"):
        mine, its = getattr(trained, name), getattr(hierarchy, name)
        if mine != its:
            raise InputError(
                f"predictor {trained.id!r} was trained for {name} {mine}, and hierarchy {hierarchy.id!r} has {name} {its}; "
                f"train one on {hierarchy.id!r}"
            )


def _warnings(trained: "TrainedPredictor", hierarchy: Hierarchy) -> tuple[str, ...]:
    found = []
    if trained.flagged:
        found.append(f"predictor {trained.id!r} is FLAGGED: on held-out parents it is no better than the best baseline")
    if not math.isclose(trained.scale_factor, hierarchy.scale_factor, rel_tol=1e-9):
        found.append(
            f"predictor {trained.id!r} learned at scale factor {trained.scale_factor:.6g}, {hierarchy.id!r} has "
            f"{hierarchy.scale_factor:.6g}: the residuals are carried over as they are"
        )
    return tuple(found)


def copy_prefix(
    store: "Store", truth: Hierarchy, trained: "TrainedPredictor", *, stop: Stop, from_depth: int, copy_as: str
) -> Hierarchy:
    """Write the prefix of a hierarchy under another id, ready to grow; found again where it is there already."""
    if from_depth < 0:
        raise InputError(f"a depth is not negative, got --from-depth {from_depth}")
    if stop.depth is not None and stop.depth < from_depth:
        raise InputError(f"expected a target depth of at least the prefix's {from_depth}, got {stop.depth}")
    cells = store.read(truth.id, depth=from_depth)
    if cells.depth < from_depth:
        raise InputError(f"{truth.id!r} has levels 0 to {cells.depth}, so no prefix of depth {from_depth}")
    frontier = {from_depth: int((cells.state == FRONTIER).sum())}
    copy = _copy_of(truth, trained, cells=cells, stop=stop, copy_as=copy_as)
    plan_growth(copy, trained, stop=stop, frontier=frontier, cells=len(cells), root_scale=float(cells.scale[0]))  # or refuse
    written = store.write(copy, then="growing")
    store.link_truth(copy_as, truth.id)
    return written


def _copy_of(truth: Hierarchy, trained: "TrainedPredictor", *, cells: Cells, stop: Stop, copy_as: str) -> Hierarchy:
    recipe = {
        "source": "rollout",
        "of": truth.id,
        "of_recipe": truth.recipe_digest,
        "from_depth": cells.depth,
        "predictor": trained.id,
        "predictor_recipe": recipe_digest(trained.recipe),
        "stop": stop.asked,
    }
    return Hierarchy(
        id=copy_as,
        origin="rollout",
        recipe=recipe,
        residual_bound=max(truth.residual_bound, trained.residual_bound),
        cells=cells,
        **{name: getattr(truth, name) for name in ("dimension", "arity", "scale_factor", "data_built", "scale_depth")},
    )


def count_growth(frontier: dict[int, int], *, arity: int, depth: int) -> int:
    """How many cells it takes to grow a frontier (cells by level) down to ``depth``."""
    return sum(count_cells(cells, arity=arity, levels=depth - level) for level, cells in frontier.items() if level < depth)


def plan_growth(
    hierarchy: Hierarchy,
    trained: "TrainedPredictor",
    *,
    stop: Stop,
    frontier: dict[int, int],
    cells: int,
    root_scale: float,
) -> GrownBy:
    """What a rollout will do, from the frontier (cells by level) that there is; an ``InputError`` where it is absurd."""
    first, height = min(frontier, default=0), block_height(arity=hierarchy.arity, dimension=hierarchy.dimension)
    if stop.depth is not None:
        depth = stop.depth
    elif stop.precision is not None:
        bound = max(hierarchy.residual_bound, trained.residual_bound)
        depth = depth_for_precision(
            stop.precision, residual_bound=bound, scale_factor=hierarchy.scale_factor, root_scale=root_scale
        )
    elif stop.cells is not None:
        depth = _depth_of_cells(int(stop.cells) - cells, frontier=frontier, arity=hierarchy.arity) + 1
    else:
        depth = first + TIMED_LAYERS * height
    if stop.depth is not None or stop.precision is not None:
        for level, count in frontier.items():
            check_growth(count, arity=hierarchy.arity, levels=max(0, depth - level))
        key_of(hierarchy.id, format_address([hierarchy.arity - 1] * depth))
    return GrownBy(predictor=trained.id, from_depth=first, to_depth=depth, block_height=height, stop=stop.asked)


def _depth_of_cells(room: int, *, frontier: dict[int, int], arity: int) -> int:
    """The deepest level that the whole frontier can be grown to within ``room`` more cells."""
    depth = min(frontier, default=0)
    while frontier and count_growth(frontier, arity=arity, depth=depth + 1) <= room:
        depth += 1
    return depth


def _pin(store: "Store", hierarchy: Hierarchy, trained: "TrainedPredictor", *, stop: Stop, copied: bool) -> GrownBy | None:
    """Plan the growth and pin the plan, or join the one that is pinned; None where nothing is left to grow."""
    if hierarchy.state == "complete" and copied:
        return None
    frontier = store.growing.count_frontier(hierarchy.id)
    plan = plan_growth(
        hierarchy,
        trained,
        stop=stop,
        frontier=frontier,
        cells=store.counts(hierarchy.id).cells if stop.cells is not None else 0,
        root_scale=float(store.read(hierarchy.id, depth=0).scale[0]),
    )
    if hierarchy.state == "complete" and not any(level < plan.to_depth for level in frontier):
        return None
    return store.growing.begin(hierarchy.id, plan)


@dataclass
class Worker:
    """One process that grows one hierarchy by a pinned plan."""

    store: "Store"
    hierarchy: Hierarchy
    rule: Rule
    growth: GrownBy
    lease_seconds: float
    progress: Progress
    owner: str = field(default_factory=own_name)
    grown: int = 0
    total: int = 0
    taken_over: int = 0

    def run(self, *, interrupted: Callable[[], bool]) -> bool:
        """Grow until the stop, which is recorded, or until interrupted; whether the stop was reached."""
        identifier, deadline = self.hierarchy.id, self._deadline()
        frontier = self.store.growing.count_frontier(identifier)
        self.total = count_growth(frontier, arity=self.hierarchy.arity, depth=self._whole_depth)

        def halted() -> bool:
            return interrupted() or time.monotonic() >= deadline

        for first, last in self._layers():
            if not self._grow_layer(first, last, halted=halted):
                break
        if interrupted():
            return False
        self.store.growing.finish(identifier)
        return True

    def _deadline(self) -> float:
        return time.monotonic() + self.growth.stop.get("seconds", math.inf)

    @property
    def _whole_depth(self) -> int:
        """The level down to which all blocks are grown; below it, a limited number of cells grows a part of one more."""
        return self.growth.to_depth - ("cells" in self.growth.stop)

    def _layers(self) -> Iterator[tuple[int, int]]:
        height, depth = self.growth.block_height, self._whole_depth
        yield from block_boundaries(from_level=self.growth.from_depth, depth=depth, height=height)
        if depth < self.growth.to_depth:
            self._pin_last_block(depth + 1)
            yield from block_boundaries(from_level=depth, depth=depth + 1, height=height)

    def _pin_last_block(self, depth: int) -> None:
        """Find the last block, in address order, that still fits into the number of cells, and pin it once."""
        if self.growth.last_block is not None:
            return
        room = int(self.growth.stop["cells"]) - self.store.counts(self.hierarchy.id).cells
        (first, last) = block_boundaries(from_level=depth - 1, depth=depth, height=self.growth.block_height)[-1]
        chosen = ""
        for root in self._block_roots(first, last):
            seeds = self.store.growing.read_block(self.hierarchy.id, root, depth=last, arity=self.hierarchy.arity)
            room -= sum(len(part.addresses) for part in seeds) * self.hierarchy.arity
            if room < 0:
                break
            chosen = root
        self.growth = self.store.growing.pin_end(self.hierarchy.id, self.growth, last_block=chosen)

    def _block_roots(self, first: int, last: int) -> Iterator[str]:
        """The roots of the blocks of a layer that hold frontier cells, in address order."""
        start, _ = subtree_range(self.hierarchy.id)
        while found := self.store.growing.next_frontier(self.hierarchy.id, start=start, depth=last):
            address, level = found
            root = ancestor_address(address, min(level, first))
            if self.growth.last_block is not None and last == self.growth.to_depth and root > self.growth.last_block:
                return
            yield root
            start = f"{self.hierarchy.id}{stem_of(root)}/~"  # '~' sorts behind every digit: behind the whole subtree

    def _grow_layer(self, first: int, last: int, *, halted: Callable[[], bool]) -> bool:
        """Grow every block of a layer, waiting for those that others hold; False where halted before the end."""
        with BlockWriter(self.store.graph, identifier=self.hierarchy.id, done=self._count) as writer:
            waiting = True
            while waiting:
                waiting = False
                for root in self._block_roots(first, last):
                    if halted():
                        return False
                    lease = self._claim(root)
                    if lease is None:
                        waiting = True
                    elif block := self._grow_block(root, last, lease=lease):
                        writer.submit(block, lease=lease)
                writer.drain()
                if waiting:
                    time.sleep(POLL_SECONDS)
                    if halted():
                        return False
        return True

    def _claim(self, root: str) -> Lease | None:
        claim = self.store.growing.claim_block(self.hierarchy.id, root, owner=self.owner, lease_seconds=self.lease_seconds)
        if claim.lease is None and claim.owner != self.owner and is_dead(claim.owner):
            claim = self.store.growing.claim_block(
                self.hierarchy.id, root, owner=self.owner, lease_seconds=self.lease_seconds, dead_owner=claim.owner
            )
        self.taken_over += claim.taken_over
        return claim.lease

    def _grow_block(self, root: str, last: int, *, lease: Lease) -> Block | None:
        """The block's new levels, predicted; None (and the lease given back) where somebody grew it meanwhile."""
        try:
            parts = self.store.growing.read_block(self.hierarchy.id, root, depth=last, arity=self.hierarchy.arity)
            if parts:
                levels = [level for part in parts for level in self._grow_seeds(part, last)]
                return Block(root=root, seeds=[seed for part in parts for seed in part.addresses], levels=levels)
        except BaseException:
            self.store.growing.release(self.hierarchy.id, lease)
            raise
        self.store.growing.release(self.hierarchy.id, lease)
        return None

    def _grow_seeds(self, seeds: Seeds, last: int) -> Iterator[BlockLevel]:
        levels = last - int(seeds.frontier.level[0])
        grown = expand_levels(seeds.frontier, rule=self.rule, scale_factor=self.hierarchy.scale_factor, levels=levels)
        for generation, children in enumerate(grown, start=1):
            state = FRONTIER if generation == levels else EXPANDED
            yield level_of_growth(children, ancestors=seeds.addresses, generation=generation, state=state)

    def _count(self, written: Written) -> None:
        self.grown += written.cells if written.new else 0
        self.progress(self.grown, self.total)


make_callable(__name__)
