"""Growing a field into a folder of Parquet files, without a database: by one process, by many, by the same command elsewhere.

The book is the folder: a sheet that is there is done. Its cells follow from the plan alone, down to the last bit, so processes
need not speak: each takes sheets that are not there yet, in an order of its own, and who grows one that another has grown
meanwhile puts the same file in its place. What is killed leaves no part of a file under a name that counts; the same command
goes on. The manifest comes last, when all sheets are there and their digest is known.
"""

import random
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cfgraph.errors import InputError
from cfgraph.formats.folders.blocks import Ground, PlainRule
from cfgraph.formats.folders.keyed import digest_columns, shares_of
from cfgraph.formats.folders.place import Place
from cfgraph.formats.folders.plan import (
    MANIFEST,
    Manifest,
    Plan,
    SheetRecord,
    find_plan,
    pin_plan,
    read_manifest,
    read_plan,
    write_encoder,
)
from cfgraph.formats.folders.reader import FolderReader
from cfgraph.formats.folders.sheets import LevelColumns, Places, file_of, pieces_of_prefix
from cfgraph.growing.engines.engine import Engine, Submits
from cfgraph.growing.engines.find import find_engine
from cfgraph.growing.engines.fleet import check_engine, closing
from cfgraph.growing.engines.job import own_versions, refuse_unpicklable
from cfgraph.growing.engines.processes import Processes, ProcessesBeside
from cfgraph.growing.engines.shift import Around
from cfgraph.growing.events import log_event
from cfgraph.growing.lease_owner import machine
from cfgraph.growing.sheet_fleet import SheetFleet, work_task
from cfgraph.model.as_html import Shown
from cfgraph.model.cells import Cells
from cfgraph.model.encoder import Encoder
from cfgraph.model.hierarchy import FieldHierarchy
from cfgraph.model.pieces import FollowedRule
from cfgraph.model.sheets import PREFIX, Sheet
from cfgraph.predictors import DEVICE
from cfgraph.predictors.trained import TrainedPredictor
from cfgraph.store.digest import COLUMNS as DIGEST_COLUMNS
from cfgraph.store.digest import join_digests

WORKERS_MAX = 256
FOLDER_CELLS_MAX = 10**13  # above this a depth is taken for a slip of the keyboard
SHEET_SECONDS = 2.0  # that a sheet takes about
Measure = Callable[[np.ndarray], tuple[float, float | None]]  # of the tuples of a level: the largest norm, the separation


@dataclass(frozen=True, eq=False)
class FolderTask:
    """All that whoever grows sheets has to know; it holds no secret."""

    url: str
    plan: Plan
    prefix: Cells
    rule: FollowedRule | None = None  # of a source; else the predictor's
    trained: TrainedPredictor | None = None
    device: str = DEVICE
    measure: Measure | None = None
    python: str = ""  # the versions of whoever asks
    cfgraph: str = ""

    @property
    def store(self) -> str:
        """The folder."""
        return self.url

    @property
    def is_local(self) -> bool:
        """Never: whether other machines see a folder of a disk is found out there."""
        return False

    def ground(self) -> Ground:
        """What sheets are grown from."""
        if self.rule is not None:
            rule = self.rule
        else:
            assert self.trained is not None, "a field has a rule, or a predictor"
            rule = PlainRule(self.trained.load(device=self.device).predict)
        hierarchy = self.plan.description()
        return Ground(self.plan.cut.cut(), self.prefix, rule=rule, scale_factor=hierarchy.scale_factor)


@dataclass(frozen=True)
class FolderReport(Shown):
    """What was grown into a folder: ``grown`` of its ``cells`` by this call; its digest, where it is whole by now."""

    id: str
    place: str
    cells: int
    depth: int
    grown: int
    finished: bool
    digest: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)


class SheetGrower:
    """Grows sheets of one folder, one after another, in this process."""

    def __init__(self, task: FolderTask):
        self._task, self._place, self._key = task, Place(task.url), task.plan.key
        self._ground, self._places = task.ground(), Places(task.plan.cut.cut(), task.prefix)

    def grow(self, sheet: Sheet) -> int:
        """Grow a sheet and write its file, unless it is there; how many cells that were."""
        if self._place.has(sheet.name):
            return 0
        levels = self._ground.grow(sheet)
        cells = sum(map(len, levels.values()))
        facts = {"plan": self._key, "name": sheet.name, "cells": cells, "spread": self._spread(levels)}
        pieces = self._places.pieces(sheet, levels, predicted=self._task.trained is not None)
        self._place.put(sheet.name, file_of(pieces, dimension=self._task.prefix.dimension, facts=facts))
        return cells

    def _spread(self, levels: dict[int, LevelColumns]) -> dict[str, tuple[float, float | None]]:
        """What is measured of each level's tuples."""
        measure, arity = self._task.measure, self._task.plan.cut.arity
        if measure is None:
            return {}
        return {str(level): measure(held.residual.reshape(-1, arity, held.residual.shape[1])) for level, held in levels.items()}


_growers: dict[str, SheetGrower] = {}  # of a worker process: one, kept from task to task


def grow_sheets(task: FolderTask, numbers: Sequence[int]) -> int:
    """Grow some sheets; how many cells that were. What an engine runs: once, again, twice at once, all the same."""
    key = f"{task.plan.key} {task.url}"
    if (grower := _growers.get(key)) is None:
        grower = SheetGrower(task)
        _growers.clear()
        _growers[key] = grower
    cut = task.plan.cut.cut()
    return sum(grower.grow(cut.sheet_at(number)) for number in numbers)


def digest_task(task: FolderTask, names: Sequence[str]) -> dict[str, str]:
    """The digests of some columns of all cells, which are there."""
    return digest_columns(FolderReader(Place(task.url), unfinished(task.plan)), names)


def look_at_folder(task: FolderTask) -> Around:
    """Where this runs, and whether it sees the folder: asked once, before anything is grown."""
    told = work_task(replace(task, **own_versions()), _see, ())
    return Around(machine=machine(), host=socket.gethostname(), **own_versions(), obstacle=told.error)


def _see(task: FolderTask) -> None:
    found = read_plan(Place(task.url))
    if found is None or found.key != task.plan.key:
        raise InputError(
            f"the folder {Place(task.url)} is not the same there; name one on a file system that all machines share, by its "
            "whole path, or a bucket: s3://BUCKET/NAME"
        )


def grow_folder(
    task: FolderTask,
    *,
    encoder: Encoder | None = None,
    workers: int = 1,
    executor: str | Submits | Engine | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> FolderReport:
    """Grow a field into a folder, or go on where that was interrupted, or join in; a finished one is found done.

    One worker grows in this process; of several this process is one, and the others are processes of their own. An ``executor``
    (an engine by its name, or whatever has ``submit``, see :func:`cfgraph.rollout`) runs tasks wherever it does, ``workers`` at
    a time. The digest is made by all of them, each of some columns. ``interrupted`` is asked between sheets.

    Raises:
        InputError: for a folder that holds another field or files of others, one that cannot be written, or that the engine's
            workers do not see, for workers of other versions, and for a rule that cannot be handed to them.
        WorkersLostError: where workers are lost again and again.
        EngineError: where an engine is not reachable, or does nothing.
    """
    if not 1 <= workers <= WORKERS_MAX:
        raise InputError(f"expected 1 to {WORKERS_MAX} workers (--workers), got {workers}")
    prefix = task.prefix
    if prefix.dimension == 0:
        raise InputError(f"a folder holds centers, and those of {task.plan.hierarchy['id']!r} have no coordinates")
    place, begin = Place(task.url), time.monotonic()
    if (plan := find_plan(place, task.plan)) is not None and place.has(MANIFEST):
        found, depth = read_manifest(place), _depth_of(plan, prefix)
        return FolderReport(plan.hierarchy["id"], str(place), found.cells, depth, 0, True, found.digest)
    with _engine_of(executor, workers=workers) as engine:  # before anything is written: it may not be there
        if isinstance(engine, Processes):
            refuse_unpicklable(task)  # of these some work without: a thread of this process
        plan = pin_plan(place, task.plan)
        if not place.has(PREFIX):
            facts = {"plan": plan.key, "name": PREFIX, "cells": len(prefix)}
            place.put(PREFIX, file_of(pieces_of_prefix(prefix), dimension=prefix.dimension, facts=facts))
        write_encoder(place, encoder)
        task = replace(task, url=place.everywhere, plan=plan, **own_versions())
        if executor is not None and engine is not None:
            check_engine(engine, task, look=look_at_folder, observe=log_event, interrupted=interrupted)
        grower = _Grower(task, place, workers=workers, engine=engine, progress=progress, interrupted=interrupted)
        seconds = {"start": time.monotonic() - begin}
        told = {"id": plan.hierarchy["id"], "place": str(place), "cells": plan.cut.cut().cells}
        told |= {"depth": _depth_of(plan, prefix), "grown": grower.grow()}
        seconds["grow"] = time.monotonic() - begin - seconds["start"]
        if interrupted():
            return FolderReport(**told, finished=False, seconds=seconds)
        digest = None if place.has(MANIFEST) else grower.digest()  # another may have been first
        if not place.has(MANIFEST) and digest is None:
            return FolderReport(**told, finished=False, seconds=seconds)
        manifest = _finish(place, plan, digest) if digest is not None else read_manifest(place)
        seconds["digest"] = time.monotonic() - begin - sum(seconds.values())
    return FolderReport(**told, finished=True, digest=manifest.digest, seconds=seconds)


def _depth_of(plan: Plan, prefix: Cells) -> int:
    """How deep a folder is when it is grown."""
    cut = plan.cut.cut()
    return cut.depth if cut.frontier else prefix.depth


@contextmanager
def _engine_of(executor: str | Submits | Engine | None, *, workers: int) -> Iterator[Engine | None]:
    """What runs tasks; None where they are done here."""
    if executor is None and workers == 1:
        yield None
        return
    found = ProcessesBeside(workers=workers) if executor is None else find_engine(executor, workers=workers)
    try:
        with closing(found, ours=executor) as engine:
            yield engine
    finally:
        _growers.clear()  # what was grown in threads of this process


def unfinished(plan: Plan) -> Manifest:
    """What is known of a folder all of whose sheets are there, before the manifest is."""
    return Manifest(plan=plan, hierarchy=plan.hierarchy, cells=plan.cut.cut().cells, cells_by_level=[], digest="", sheets=[])


def _finish(place: Place, plan: Plan, digest: str) -> Manifest:
    """The manifest of a folder all of whose sheets are there, with what was measured of them."""
    pin_plan(place, plan)  # it is this field's still, also where two began at once
    cut, sizes, hierarchy = plan.cut.cut(), place.sizes(), plan.description()
    records = [SheetRecord(name=PREFIX, cells=cut.prefix_cells, bytes=sizes[PREFIX])]
    records += [SheetRecord(name=one.name, cells=one.cells(arity=cut.arity), bytes=sizes[one.name]) for one in cut.sheets()]
    reader = FolderReader(place, unfinished(plan))
    by_level = [
        len(range(*reader.prefix.level_rows(level).indices(cut.prefix_cells))) for level in range(reader.prefix.depth + 1)
    ]
    by_level += [cut.width(level) for level in range(cut.from_depth + 1, reader.depth + 1)]
    hierarchy = _measured(hierarchy, [reader.sheets.file(sheet).facts.get("spread", {}) for sheet in cut.sheets()])
    known = {"hierarchy": hierarchy.model_dump(mode="json"), "cells_by_level": by_level, "digest": digest, "sheets": records}
    manifest = reader.manifest.model_copy(update=known)
    place.put(MANIFEST, manifest.model_dump_json(indent=1).encode())
    if place.local:
        place.remove_parts()
    return manifest


def _measured(hierarchy: FieldHierarchy, spreads: Iterable[dict[str, Any]]) -> FieldHierarchy:
    """The hierarchy with what was measured of all cells, where anything was."""
    largest, smallest = hierarchy.residual_bound, dict[int, float]()
    for spread in spreads:
        for level, (norm, distance) in spread.items():
            largest = max(largest, norm)
            if distance is not None:
                smallest[int(level)] = min(distance, smallest.get(int(level), distance))
    if hierarchy.separation is not None or not smallest:
        return hierarchy.replace(residual_bound=largest)
    return hierarchy.replace(residual_bound=largest, separation_by_level=tuple(smallest[level] for level in sorted(smallest)))


class _Grower:
    """Grows the sheets that are not there yet, until all are; then tells the digest of all."""

    def __init__(
        self,
        task: FolderTask,
        place: Place,
        *,
        workers: int,
        engine: Engine | None,
        progress: Callable[[int, int], None],
        interrupted: Callable[[], bool],
    ):
        self._task, self._place, self._workers, self._cut = task, place, workers, task.plan.cut.cut()
        self._engine = engine
        self._progress, self._interrupted, self._grown, self._done = progress, interrupted, 0, 0
        here = engine is None or isinstance(engine, Processes)  # who is told of each sheet at once
        self._sheets_a_task = 1 if engine is None or here else int(engine.shift_seconds // SHEET_SECONDS)
        self._fleet = None if engine is None else SheetFleet(engine, task, workers=workers, interrupted=interrupted)

    def grow(self) -> int:
        """Grow until nothing is left or it is interrupted; how many cells were grown."""
        while (left := self._left()) and not self._interrupted():
            if self._fleet is not None:
                self._share_out(left)
                continue
            grower = SheetGrower(self._task)
            for number in left:
                if self._interrupted():
                    break
                self._note((number,), grower.grow(self._cut.sheet_at(number)))
        return self._grown

    def _share_out(self, left: list[int]) -> None:
        """Have the fleet grow some sheets, as many a task as take some seconds."""
        assert self._fleet is not None, "one process alone grows them itself"
        ahead = 1 if self._engine is None else self._engine.ahead
        size = max(1, min(self._sheets_a_task, -(-len(left) // (ahead * self._workers))))
        tasks = {tuple(left[low : low + size]): (left[low : low + size],) for low in range(0, len(left), size)}

        def look() -> tuple[set[Any], int]:
            there = self._found()
            return {numbers for numbers in tasks if there.issuperset(numbers)}, len(there)

        self._fleet.finish(grow_sheets, tasks, note=self._note, look=look)

    def digest(self) -> str | None:
        """The digest of all cells, its columns shared out; None where that was interrupted."""
        if self._fleet is None:
            return join_digests(digest_task(self._task, DIGEST_COLUMNS))
        found: dict[str, str] = {}
        shares = shares_of(self._workers, dimension=self._task.prefix.dimension, depth=self._cut.depth)
        tasks = {number: (share,) for number, share in enumerate(shares)}
        self._fleet.finish(digest_task, tasks, note=lambda _, digests: found.update(digests))
        return join_digests(found) if len(found) == len(DIGEST_COLUMNS) else None

    def _found(self) -> set[int]:
        """The numbers of the sheets that are there."""
        sizes = self._place.sizes()
        return {number for number, sheet in enumerate(self._cut.sheets()) if sheet.name in sizes}

    def _left(self) -> list[int]:
        """The sheets that are not there, in an order of this process's own: others may be at the same folder."""
        there = self._found()
        left = [number for number in range(self._cut.sheet_count) if number not in there]
        self._done = self._cut.prefix_cells + sum(self._cells(number) for number in there)
        self._progress(self._done, self._cut.cells)
        return random.sample(left, len(left))

    def _cells(self, number: int) -> int:
        return self._cut.sheet_at(number).cells(arity=self._cut.arity)

    def _note(self, numbers: Sequence[int], cells: int | None) -> None:
        self._grown += cells or 0
        self._done += sum(map(self._cells, numbers))
        self._progress(self._done, self._cut.cells)
