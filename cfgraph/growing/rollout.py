"""Rollout: grow the frontier of a hierarchy with a predictor, with one worker or many, here and elsewhere.

The verb plans the growth, pins the plan in the graph, or joins the one that is pinned, and sets workers to it:
``worker.py`` says how each goes about it, ``crew.py`` how several become processes.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from cfgraph.errors import DamagedError, InputError
from cfgraph.formats.folders.plan import plan_of
from cfgraph.growing.crew import WORKERS_MAX, Crew
from cfgraph.growing.engines.engine import Engine, Submits
from cfgraph.growing.engines.find import find_engine
from cfgraph.growing.engines.fleet import Fleet, check_engine, closing
from cfgraph.growing.engines.job import Job
from cfgraph.growing.events import Observer, log_event
from cfgraph.growing.extent import CellsGround, StoreGround, check_reachable, extent_of
from cfgraph.growing.folder import FOLDER_CELLS_MAX, FolderReport, FolderTask, grow_folder
from cfgraph.growing.outage import DRIVER_SECONDS
from cfgraph.growing.status import Status, Watch
from cfgraph.growing.worker import LEASE_SECONDS, OUTAGE_SECONDS, Worker
from cfgraph.metric.distances import depth_for_precision
from cfgraph.model.address import ROOT, deepest_level, level_of
from cfgraph.model.as_html import Shown
from cfgraph.model.blocks import block_height
from cfgraph.model.cells import FRONTIER
from cfgraph.model.growth import CELLS_MAX, check_growth, count_growth
from cfgraph.model.hierarchy import FieldHierarchy, FieldWithCells
from cfgraph.model.invariants import check_sound
from cfgraph.model.parts import Parts, Portion, measure_parts
from cfgraph.model.progress import Asked, is_seen, shown
from cfgraph.predictors import BASELINES
from cfgraph.predictors.trained import Grower
from cfgraph.store.growth import GrownBy
from cfgraph.store.incarnation import another
from cfgraph.store.writing import SESSIONS

if TYPE_CHECKING:
    from cfgraph.model.hierarchy import Hierarchy, Known
    from cfgraph.predictors.trained import TrainedPredictor
    from cfgraph.store import Store

LEASE_SECONDS_RANGE = (0.1, 86_400.0)
TIMED_LAYERS = 8  # a growth that only time stops is cut for this many layers of blocks


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
        if not 0 <= value < math.inf or (value == 0 and name != "depth"):
            wanted = "of at least 0" if name == "depth" else "above 0"
            raise InputError(f"expected {name} {wanted} as the stop, got {value}")
        if name == "cells" and value > CELLS_MAX:
            raise InputError(f"expected at most {CELLS_MAX:,} cells in one go, got {value:,}")

    @property
    def asked(self) -> dict[str, float]:
        """The one that was given, by name: what is pinned in the graph."""
        return {name: value for name, value in vars(self).items() if value is not None}


def _one_stop(stop: Stop | None, **asked: Any) -> Stop:
    """The stop that was given, as a value or by what it is."""
    if stop is None:
        return Stop(**asked)
    if given := [name for name, value in asked.items() if value is not None]:
        words = ", ".join("to_depth" if name == "depth" else name for name in given)
        raise InputError(f"expected one stop, got {words} beside stop")
    return stop


class _Options(TypedDict):
    """What a worker and a crew of them are told alike."""

    lease_seconds: float
    outage_seconds: float
    observe: Observer


@dataclass(frozen=True)
class RolloutReport(Shown):
    """What a rollout did: ``grown`` cells by this call, down to level ``to_depth`` by now, and whether it reached its stop.

    ``below`` are the parts that it grew, empty for the whole. ``left`` says what else of the same growth is asked for and not
    there yet: the parts of other rollouts, or ``/`` for the whole.
    """

    id: str
    predictor: str
    from_depth: int
    to_depth: int
    grown: int
    finished: bool
    taken_over: int
    warnings: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def rollout(
    store: "Store",
    id: "str | Hierarchy",
    *,
    predictor: "str | Known | TrainedPredictor",
    stop: Stop | None = None,
    to_depth: int | None = None,
    precision: float | None = None,
    cells: int | None = None,
    seconds: float | None = None,
    from_depth: int | None = None,
    copy_as: str | None = None,
    output: str | Path | None = None,
    below: Sequence[str | Portion] | None = None,
    anyway: bool = False,
    device: str = "cpu",
    workers: int = 1,
    executor: "str | Submits | Engine | None" = None,
    lease_seconds: float = LEASE_SECONDS,
    outage_seconds: float = OUTAGE_SECONDS,
    show: Callable[[Status], None] | None = None,
    progress: Asked = None,
    interrupted: Callable[[], bool] = lambda: False,
) -> RolloutReport:
    """Grow a hierarchy with a predictor until a stop: in place, or (``from_depth``, ``copy_as``) as a copy of its prefix.

    ``rollout(store, "koch", predictor="rule", to_depth=8)``. It ends at exactly one of a depth, a precision, a number of cells
    in all and a time, or at the ``stop`` that is one of these as a value.

    The same call again goes on where an interrupted one stopped, joins one that is under way, here or on another machine,
    and finds a finished one done. One worker works in this process, several in processes of their own, and ``workers`` of them
    on an ``executor``: an engine by its name (``"processes"``), or whatever has ``submit(function, *arguments)`` as those of
    ``concurrent.futures`` have. No password goes there: it is found where a worker runs. ``show`` gets the status now and then;
    ``interrupted`` is asked between blocks. Without a ``show``, ``progress`` is told how many cells are
    grown and how many there will be; unless it is given, a live line shows that on terminals and in notebooks.

    ``below`` are addresses: then only the blocks of the cut for the depth are grown that these cells' lines run through, so
    that they exist, and those in their subtrees. The depth stays pinned: other parts, or the rest (without ``below``), are
    grown to the same one, and all together end in the digest of a whole rollout. A :class:`cfgraph.model.parts.Portion` in
    place of an address is a subtree down to a level of its own, rounded to where a block ends (:func:`cfgraph.materialise`).

    With ``output``, a path or a URL such as ``s3://bucket/koch``, the copy is grown into a folder of Parquet files instead of
    the store, which is asked for the prefix and the predictor alone (:mod:`cfgraph.growing.folder`).

    Growing in place by a predictor that is no better than nothing (``TrainedPredictor.beats_zero`` is False) has to be meant:
    ``anyway``; whoever joins it, or goes on with it, need not say so again. A copy is grown with a warning.

    A hierarchy in place of its id, and a predictor of the store in place of its, as they were read before, mean just those.

    Raises ``InputError`` for a predictor that does not fit, an absurd depth, addresses that no cell can have down to the
    depth, ``below`` with a stop that tells no depth, growing in place by what is no better than nothing, and another depth
    than the one that is pinned; ``NotFoundError`` for unknown ids, ``VanishedError`` where the hierarchy or the predictor
    is removed under the rollout, ``StoreUnavailableError`` where the store is away for longer than ``outage_seconds``,
    ``EngineError`` for an engine that is not reachable or does nothing.
    """
    stop = _one_stop(stop, depth=to_depth, precision=precision, cells=cells, seconds=seconds)
    _check_numbers(workers=workers, lease_seconds=lease_seconds, outage_seconds=outage_seconds)
    trained, known = _find(store, id, predictor)
    source = known.require_field("rollout")
    check_fit(trained, source)
    if (from_depth is None) != (copy_as is None):
        raise InputError(
            "a copy needs both the depth of its prefix (--from-depth) and an id (--as); growing in place needs neither"
        )
    parts = find_parts(below, arity=source.arity, stop=stop)
    warnings = _warnings(trained, source)
    rule = trained.load(device=device).predict  # before anything is written: the device may not be there
    if output is not None:
        if copy_as is None or from_depth is None or parts is not None:
            raise InputError("a folder (--output) takes a whole copy: it needs --from-depth and --as, and goes without --below")
        with shown(progress, f"rollout {copy_as}") as line:
            copy: dict[str, Any] = {"stop": stop, "from_depth": from_depth, "copy_as": copy_as, "output": str(output)}
            how: dict[str, Any] = {"device": device, "workers": workers, "executor": executor}
            into = rollout_into_folder(store, source, trained, **copy, **how, progress=line, interrupted=interrupted)
        return RolloutReport(
            id=copy_as,
            predictor=trained.id,
            from_depth=from_depth,
            to_depth=into.depth,
            grown=into.grown,
            finished=into.finished,
            taken_over=0,
            warnings=warnings,
        )
    job = Job("", None, source.id, {}, device=device, lease_seconds=lease_seconds, outage_seconds=outage_seconds)
    with _checked_engine(executor, store, job, workers=workers, interrupted=interrupted) as (engine, job):
        target = source
        if copy_as is not None and from_depth is not None:
            target = copy_prefix(store, source, trained, stop=stop, from_depth=from_depth, copy_as=copy_as, parts=parts)
        meant = anyway or copy_as is not None
        plan, growth = _pin(store, target, trained, stop=stop, copied=copy_as is not None, meant=meant, parts=parts)
        if parts is not None and plan is not None:
            parts = parts.in_blocks(depth=plan.to_depth, height=plan.block_height)
        told = _Told(id=target.id, predictor=trained.id, below=() if parts is None else parts.texts)
        if growth is None:
            with store.witness(target, live=True):  # nothing is left to grow of this one: is it there still?
                depth = store.counts(target.id).depth if plan is None or parts is None else parts.reached(plan.to_depth)
            return RolloutReport(
                **told, from_depth=depth, to_depth=depth, grown=0, finished=True, taken_over=0, warnings=warnings
            )
        target = target.replace(incarnation=growth.incarnation)
        extent = extent_of(store, target.id, growth, parts=parts, arity=target.arity)
        with _status_shown(show, progress, id=target.id) as seen:
            watch = Watch(store, target, growth, extent=extent, show=seen, late=engine is not None)
            options = _Options(lease_seconds=lease_seconds, outage_seconds=outage_seconds, observe=watch.note)
            if engine is not None:
                job = replace(job, id=target.id, growth=asdict(growth), below=None if parts is None else parts.texts)
                fleet = Fleet(engine, job, workers=workers, store=store, observe=watch.note, tick=watch.look)
                finished, warnings = _work(fleet, interrupted=interrupted, warnings=warnings)
            elif workers == 1:
                with _own_store(store) as own:
                    finished = Worker(own, target, rule, growth, parts=parts, halted=interrupted, **options).run()
            else:
                crew = Crew(store, target.id, growth, workers=workers, device=device, parts=parts, **options)
                finished, warnings = _work(crew, interrupted=interrupted, warnings=warnings)
        return RolloutReport(
            **told,
            from_depth=growth.from_depth if parts is None or plan is None else plan.from_depth,
            to_depth=_depth_now(store, target.id, growth, parts=parts, finished=finished),
            grown=watch.grown,
            finished=finished,
            taken_over=watch.taken_over,
            warnings=warnings,
            left=() if parts is None else _left_of(store, target.id, growth),
        )


@contextmanager
def _checked_engine(
    executor: "str | Submits | Engine | None",
    store: "Store",
    job: Job,
    *,
    workers: int,
    interrupted: Callable[[], bool],
) -> "Iterator[tuple[Engine | None, Job]]":
    """The engine, looked at before anything is written, and the job as far as it is known; no engine without an executor."""
    if executor is None:
        yield None, job
        return
    job = job.at(store)
    with closing(find_engine(executor, workers=workers), ours=executor) as engine:
        job = replace(job, shift_seconds=engine.shift_seconds, sessions=max(1, math.ceil(SESSIONS / workers)))
        check_engine(engine, job, observe=log_event, interrupted=interrupted)
        yield engine, job


@contextmanager
def _status_shown(
    show: Callable[[Status], None] | None, progress: Asked, *, id: str
) -> Iterator[Callable[[Status], None] | None]:
    """What gets the status: ``show``, else what ``progress`` asks for, else nothing, which asks the graph for no status."""
    if show is not None or not is_seen(progress):
        yield show
        return
    with shown(progress, f"rollout {id}") as line:
        yield lambda status: line(status.grown, status.total or 0)


class _Told(TypedDict):
    """What a report says however the rollout went."""

    id: str
    predictor: str
    below: tuple[str, ...]


def find_parts(below: Sequence[str | Portion] | None, *, arity: int, stop: Stop) -> Parts | None:
    """What to grow, None for all; an ``InputError`` for bad addresses, and where the stop does not fix the cut into blocks."""
    if below is None:
        return None
    parts = Parts.of(below, arity=arity)
    if stop.cells is not None or stop.seconds is not None:
        name = next(iter(stop.asked))
        raise InputError(
            f"growing below some cells (--below) needs the depth that the hierarchy is cut into blocks for: --to-depth, or "
            f"--precision; got --{name}"
        )
    if parts is not None and stop.depth is not None:
        _check_levels(parts, depth=stop.depth)
    return parts


def _check_levels(parts: Parts, *, depth: int) -> None:
    deepest = max(parts.portions, key=lambda part: part.deepest)
    if parts.depth > depth:
        raise InputError(
            f"expected cells to grow below on levels 0 to {depth}, the depth that is aimed at, got {deepest} on level "
            f"{parts.depth}; ask for a larger depth"
        )


def _find(
    store: "Store", id: "str | Hierarchy", predictor: "str | Known | TrainedPredictor"
) -> "tuple[TrainedPredictor, Hierarchy]":
    """The predictor with its weights and the hierarchy: where they were read before, just those."""
    found = store.predictor(predictor if isinstance(predictor, str) else predictor.id)
    if not isinstance(predictor, str) and not predictor.identity.is_that_of(found.identity):
        raise another(f"predictor {found.id!r}")
    hierarchy = store.hierarchy(id if isinstance(id, str) else id.id)
    if not isinstance(id, str) and not id.identity.is_that_of(hierarchy.identity):
        raise another(f"hierarchy {hierarchy.id!r}")
    return found, hierarchy


def _depth_now(store: "Store", id: str, growth: GrownBy, *, parts: Parts | None, finished: bool) -> int:
    """The deepest level that was grown, or that still can grow, of the whole hierarchy or of the parts and their lines."""
    if finished and growth.is_exact:
        return growth.to_depth if parts is None else parts.reached(growth.to_depth)
    if parts is None:
        return store.frontier_depth(id)
    ground = StoreGround(store, id)
    ends = ground.ends_of(parts)
    levels = [level_of(end) for end in ends.values()]
    levels += [level for part in parts.addresses if part not in ends for level in ground.count(part)]
    return max(levels, default=0)


def _left_of(store: "Store", id: str, growth: GrownBy) -> tuple[str, ...]:
    """What of a growth is asked for and not there yet."""
    found = next((each for each in store.read_growth(id) if each.since == growth.since), None)
    if found is None or found.done:
        return ()
    return found.pending if found.is_partial else (ROOT,)


@contextmanager
def _own_store(store: "Store") -> Iterator["Store"]:
    """The store over a connection of a worker's own, where it is the worker that waits for a server that is away."""
    from cfgraph.store import Store

    access = store.access
    if access is None:  # the caller's own driver
        yield store
        return
    with Store.connect(**access.reveal(), retry_seconds=DRIVER_SECONDS) as own:
        yield own


def _work(crew: Crew | Fleet, *, interrupted: Callable[[], bool], warnings: tuple[str, ...]) -> tuple[bool, tuple[str, ...]]:
    """Whether a crew or a fleet reached the stop, and what went wrong on the way; the first error where it did not reach it."""
    with crew:
        outcome = crew.work(interrupted=interrupted)
    if outcome.failures and not outcome.finished:
        raise outcome.failures[0]
    return outcome.finished, (*warnings, *(f"a worker gave up: {failure}" for failure in outcome.failures))


def _check_numbers(*, workers: int, lease_seconds: float, outage_seconds: float) -> None:
    if not 1 <= workers <= WORKERS_MAX:
        raise InputError(f"expected 1 to {WORKERS_MAX} workers (--workers), got {workers}")
    low, high = LEASE_SECONDS_RANGE
    if not low <= lease_seconds <= high:
        raise InputError(f"expected a lease of {low:g} to {high:,.0f} seconds (--lease-seconds), got {lease_seconds:g}")
    if not 0 <= outage_seconds < math.inf:
        raise InputError(f"expected a time of at least 0 to wait for the store (--outage-seconds), got {outage_seconds:g}")


def check_fit(trained: "TrainedPredictor", hierarchy: FieldHierarchy) -> None:
    """Raise an ``InputError`` where a predictor is of another arity or dimension than a hierarchy."""
    for name in ("arity", "dimension"):
        mine, its = getattr(trained, name), getattr(hierarchy, name)
        if mine != its:
            raise InputError(
                f"predictor {trained.id!r} was trained for {name} {mine}, and hierarchy {hierarchy.id!r} has {name} {its}; "
                f"train one on {hierarchy.id!r}"
            )


def _check_better(trained: "TrainedPredictor", hierarchy: FieldHierarchy) -> None:
    """Raise an ``InputError`` where a hierarchy would be grown in place by what is no better than nothing."""
    if trained.no_better is not None:
        raise InputError(
            f"growing {hierarchy.id!r} in place needs a predictor that is better than nothing, and {trained.id!r} "
            f"({trained.family}) is {trained.no_better}; train another, grow a copy (--from-depth and --as), or say that you "
            "mean it (--anyway)"
        )


def _warnings(trained: "TrainedPredictor", hierarchy: FieldHierarchy) -> tuple[str, ...]:
    found = []
    if trained.no_better is not None:
        found.append(f"predictor {trained.id!r} is {'FLAGGED: it is ' if trained.flagged else ''}{trained.no_better}")
    elif trained.flagged:
        worse = "worse than zero, which learns nothing" if trained.family in BASELINES else "no better than the best baseline"
        found.append(f"predictor {trained.id!r} is FLAGGED: on held-out parents it is {worse}")
    if not math.isclose(trained.scale_factor, hierarchy.scale_factor, rel_tol=1e-9):
        found.append(
            f"predictor {trained.id!r} learned at scale factor {trained.scale_factor:.6g}, {hierarchy.id!r} has "
            f"{hierarchy.scale_factor:.6g}: the residuals are carried over as they are"
        )
    return tuple(found)


def copy_prefix(
    store: "Store",
    truth: FieldHierarchy,
    trained: "TrainedPredictor",
    *,
    stop: Stop,
    from_depth: int,
    copy_as: str,
    parts: Parts | None = None,
) -> FieldHierarchy:
    """Write the prefix of a hierarchy under another id, ready to grow; found again where it is there already.

    Raises a ``DamagedError`` where the prefix breaks an invariant: what grows from it would be as wrong, under another name.
    """
    copy = read_copy(store, truth, trained, stop=stop, from_depth=from_depth, copy_as=copy_as)
    cells = copy.cells
    root_scale = float(cells.scale[0])
    if parts is None:
        frontier = {cells.depth: int((cells.state == FRONTIER).sum())}
        plan_growth(copy, trained, stop=stop, frontier=frontier, cells=len(cells), root_scale=root_scale)  # or refuse
    else:
        plan_parts(copy, trained, stop=stop, parts=parts, ground=CellsGround(cells), root_scale=root_scale)
    _check_copy(copy, truth)
    written = store.write(copy, then="growing")
    store.link_truth(written, truth)
    return written.require_field("a rollout")


def read_copy(
    store: "Store", truth: FieldHierarchy, trained: "TrainedPredictor", *, stop: Stop, from_depth: int, copy_as: str
) -> FieldWithCells:
    """The prefix of a hierarchy as another one, which a predictor is to grow; nothing is written.

    Raises an ``InputError`` for a depth that the hierarchy has not, or below that of the stop.
    """
    if from_depth < 0:
        raise InputError(f"a depth is not negative, got --from-depth {from_depth}")
    if stop.depth is not None and stop.depth < from_depth:
        raise InputError(f"expected a target depth of at least the prefix's {from_depth}, got {stop.depth}")
    # A cut that is kept of the truth says nothing of the copy, and what grows has no part in it.
    cells = store.read(truth, depth=from_depth).with_columns(own={})
    if cells.depth < from_depth:
        raise InputError(f"{truth.id!r} has levels 0 to {cells.depth}, so no prefix of depth {from_depth}")
    from cfgraph.predictors.trained import grown_field  # here: whoever grows in place needs no family's code

    return grown_field(
        trained, truth, id=copy_as, cells=cells, from_depth=cells.depth, stop=stop.asked, encoder=store.encoder(truth)
    )


def _check_copy(copy: FieldWithCells, truth: FieldHierarchy) -> None:
    try:
        check_sound(copy, grown=True)
    except InputError as error:
        raise DamagedError.of(truth.id, str(error)) from error


def rollout_into_folder(
    store: "Store",
    truth: FieldHierarchy,
    trained: "TrainedPredictor",
    *,
    stop: Stop,
    from_depth: int,
    copy_as: str,
    output: str,
    device: str,
    **how: Any,
) -> FolderReport:
    """Grow a copy of a prefix into a folder of Parquet files; ``how`` is that of :func:`~cfgraph.growing.folder.grow_folder`.

    Raises an ``InputError`` for a stop that tells no depth, and what ``grow_folder`` refuses.
    """
    if stop.depth is None and stop.precision is None:
        raise InputError(
            f"growing into a folder (--output) needs the depth that is aimed at: --to-depth, or --precision; got "
            f"--{next(iter(stop.asked))}"
        )
    copy = read_copy(store, truth, trained, stop=stop, from_depth=from_depth, copy_as=copy_as)
    cells = copy.cells.with_columns(radius=None, size=None)  # they speak of the data of the truth
    plan = plan_growth(
        copy,
        trained,
        stop=stop,
        frontier={cells.depth: int((cells.state == FRONTIER).sum())},
        cells=len(cells),
        root_scale=float(cells.scale[0]),
        cells_max=FOLDER_CELLS_MAX,
    )
    _check_copy(copy, truth)
    growth = {
        "stop": json.dumps(plan.stop),
        "from_depth": plan.from_depth,
        "to_depth": plan.to_depth,
        "block_height": plan.block_height,
        "done": True,
        "since": int(time.time() * 1000),  # which tells no recipe
    }
    asked = plan_of(
        copy.without_cells(),
        cells,
        depth=plan.to_depth,
        height=plan.block_height,
        growers=(Grower(trained, [growth]),),
        predicts=truth.id,
        encoder=copy.encoder,
    )
    task = FolderTask(output, asked, cells, trained=trained, device=device)
    return grow_folder(task, encoder=copy.encoder, **how)


def plan_growth(
    hierarchy: FieldHierarchy,
    trained: "TrainedPredictor",
    *,
    stop: Stop,
    frontier: dict[int, int],
    cells: int,
    root_scale: float,
    cells_max: int = CELLS_MAX,
) -> GrownBy:
    """What a rollout will do, from the frontier (cells by level) that there is; an ``InputError`` where it is absurd."""
    first, height = min(frontier, default=0), block_height(arity=hierarchy.arity, dimension=hierarchy.dimension)
    deepest = deepest_level(hierarchy.id, arity=hierarchy.arity)
    if (known := _depth_asked(hierarchy, trained, stop=stop, root_scale=root_scale)) is not None:
        depth = known
    elif stop.cells is not None:
        room = int(stop.cells) - cells
        depth = _depth_of_cells(room, frontier=frontier, arity=hierarchy.arity, deepest=deepest - 1) + 1
    else:
        depth = min(first + TIMED_LAYERS * height, deepest)
    if known is not None:
        for level, count in frontier.items():
            check_growth(count, arity=hierarchy.arity, levels=max(0, depth - level), cells_max=cells_max)
        _check_keys(hierarchy, depth=depth)
    return GrownBy(predictor=trained.id, from_depth=first, to_depth=depth, block_height=height, stop=stop.asked)


def plan_parts(
    hierarchy: FieldHierarchy,
    trained: "TrainedPredictor",
    *,
    stop: Stop,
    parts: Parts,
    ground: StoreGround | CellsGround,
    root_scale: float,
    height: int | None = None,
) -> tuple[GrownBy, bool]:
    """What a rollout of some parts will do, and whether anything is left to grow; an ``InputError`` where it is absurd.

    ``height`` is the block height where it is pinned already.
    """
    depth = _depth_asked(hierarchy, trained, stop=stop, root_scale=root_scale)
    assert depth is not None, "find_parts lets no other stop through"
    _check_levels(parts, depth=depth)
    _check_keys(hierarchy, depth=depth)
    check_reachable(parts, ground, id=hierarchy.id)
    height = height or block_height(arity=hierarchy.arity, dimension=hierarchy.dimension)
    parts = parts.in_blocks(depth=depth, height=height)
    found = measure_parts(parts, ground, arity=hierarchy.arity, depth=depth, height=height)
    if found.cells > CELLS_MAX:
        digits = math.log10(found.cells)
        total = f"{found.cells:,}" if digits < 15 else f"about 10^{digits:.0f}"
        raise InputError(
            f"{parts} with all that lies below down to level {depth} would be {total} more cells, and at most {CELLS_MAX:,} "
            "are made in one go; ask for cells deeper down, or for a smaller depth"
        )
    first = depth if found.from_level is None else found.from_level
    texts = parts.texts
    plan = GrownBy(
        predictor=trained.id,
        from_depth=first,
        to_depth=depth,
        block_height=height,
        stop=stop.asked,
        below=texts,
        pending=texts,
    )
    return plan, found.from_level is not None


def _depth_asked(hierarchy: FieldHierarchy, trained: "TrainedPredictor", *, stop: Stop, root_scale: float) -> int | None:
    """The depth that a stop tells; None for a number of cells and for a time."""
    if stop.precision is None:
        return stop.depth
    bound = max(hierarchy.residual_bound, trained.residual_bound)
    return depth_for_precision(stop.precision, residual_bound=bound, scale_factor=hierarchy.scale_factor, root_scale=root_scale)


def _check_keys(hierarchy: FieldHierarchy, *, depth: int) -> None:
    """Raise an ``InputError`` where the database's index cannot hold the keys of a level."""
    deepest = deepest_level(hierarchy.id, arity=hierarchy.arity)
    if depth > deepest:
        raise InputError(
            f"the key of a cell on level {depth} would be too long for the database's index, which ends at level {deepest} "
            f"for arity {hierarchy.arity} and the id {hierarchy.id!r}; ask for a smaller depth"
        )


def _depth_of_cells(room: int, *, frontier: dict[int, int], arity: int, deepest: int) -> int:
    """The deepest level that the whole frontier can be grown to within ``room`` more cells."""
    depth = min(frontier, default=0)
    while frontier and depth < deepest and count_growth(frontier, arity=arity, depth=depth + 1) <= room:
        depth += 1
    return depth


def _pin(
    store: "Store",
    hierarchy: FieldHierarchy,
    trained: "TrainedPredictor",
    *,
    stop: Stop,
    copied: bool,
    meant: bool,
    parts: Parts | None,
) -> tuple[GrownBy | None, GrownBy | None]:
    """Plan the growth and pin the plan, or join the one that is pinned: the plan, and what is pinned of it.

    A growth in place by what is no better than nothing is pinned only if that is ``meant``; who joins one finds it meant.
    Nothing is pinned (None) where nothing is left to grow; of a copy that is whole there is no plan either.
    """
    while True:
        history = store.read_growth(hierarchy.id)
        grown_in_parts = next((growth for growth in history if growth.done and growth.is_partial), None)
        if hierarchy.state == "complete" and copied and grown_in_parts is None:
            return None, None
        if parts is None:
            frontier = store.count_frontier(hierarchy.id)
            plan = plan_growth(
                hierarchy,
                trained,
                stop=stop,
                frontier=frontier,
                cells=store.counts(hierarchy.id).cells if stop.cells is not None else 0,
                root_scale=_root_scale(store, hierarchy, stop=stop),
            )
            left = any(level < plan.to_depth for level in frontier)
        else:
            pinned_height = next((growth.block_height for growth in history if not growth.done or growth.is_partial), None)
            plan, left = plan_parts(
                hierarchy,
                trained,
                stop=stop,
                parts=parts,
                ground=StoreGround(store, hierarchy.id),
                root_scale=_root_scale(store, hierarchy, stop=stop),
                height=pinned_height,
            )
        if grown_in_parts is not None and not _is_bound_by(store, hierarchy, grown_in_parts, plan, left=left):
            continue  # nothing is left of that growth: it is pinned no more
        if hierarchy.state == "complete" and not left:
            return plan, None
        if not meant and not any(one.predictor == trained.id and (one.is_partial or not one.done) for one in history):
            _check_better(trained, hierarchy)
        pinned = store.begin_growth(
            hierarchy.id,
            plan,
            growths=sum(growth.turns for growth in history),
            state=hierarchy.state,
            known=hierarchy.identity,
            predictor=trained.identity,
        )
        if pinned is not None:
            return plan, pinned
        hierarchy = store.hierarchy(hierarchy.id).require_field("rollout")  # another growth came and ended meanwhile


def _is_bound_by(store: "Store", hierarchy: FieldHierarchy, growth: GrownBy, plan: GrownBy, *, left: bool) -> bool:
    """Whether a growth of which parts are there is pinned still, as something of it is left; else that is recorded.

    It is looked at where it matters: where a whole growth finds nothing left, and where another growth is asked for.
    """
    if growth.is_of(plan) and (left or plan.is_partial):
        return True
    if any(level < growth.to_depth for level in store.count_frontier(hierarchy.id)):
        return True
    store.settle_growth(hierarchy.id, growth)
    return False


def _root_scale(store: "Store", hierarchy: FieldHierarchy, *, stop: Stop) -> float:
    """The root's scale, where the stop asks for it."""
    return float(store.read(hierarchy, depth=0).scale[0]) if stop.precision is not None else 1.0
