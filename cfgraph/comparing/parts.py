"""Parts: those of a comparison of two folders, made by several processes of this machine.

A process is told what the two are called, opens them itself, and tells what it found in some windows. It fits the baselines
anew, on the same prefix; what is trained again with other seeds is trained once, and sent.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cfgraph.comparing.held import Named
from cfgraph.comparing.tallies import Bounds, Part, Samples, Sums, Tour
from cfgraph.errors import InputError

if TYPE_CHECKING:
    from cfgraph.growing.engines.engine import Engine
    from cfgraph.predictors.trained import TrainedPredictor

WORKERS_MAX = 256
GROUPS_AHEAD = 2  # a group is this share of what is left for each worker
ADVICE = "with fewer --workers the same comparison takes less memory"


@dataclass(frozen=True, eq=False)
class ComparisonTask:
    """All that whoever makes parts of a comparison has to know; ``begin``, told the next four, gives the way through both."""

    begin: Callable[..., Tour]
    true: str
    predicted: str
    asked: Mapping[str, Any]
    repeats: tuple["TrainedPredictor", ...] = ()
    height: int | None = None  # of the cut into windows, where that is known
    name: str = field(default_factory=lambda: secrets.token_hex(8))  # of this comparison alone
    python: str = ""  # the versions of whoever asks
    cfgraph: str = ""

    def tour(self) -> Tour:
        """The way through both, cut as whoever asks has cut it."""
        tour = self.begin(self.true, self.predicted, self.asked, self.repeats)
        return tour if self.height is None else replace(tour, cut=replace(tour.cut, height=self.height))


_tours: dict[str, Tour] = {}  # of a worker process: one, kept from task to task


def _tour_of(task: ComparisonTask) -> Tour:
    found = _tours.get(task.name)
    if found is None or task.height not in (None, found.cut.height):
        found = task.tour()
        _tours.clear()
        _tours[task.name] = found
    return found


def get_ready(task: ComparisonTask) -> None:
    """Open both and look at the first window, while whoever asks does so, too: what each part begins with."""
    _tour_of(task).begin()


@dataclass(frozen=True, eq=False)
class Group:
    """Parts that follow one another, without their samples, and these of all of them together."""

    parts: list[Part]
    samples: Samples


def make_group(task: ComparisonTask, windows: Sequence[range], bounds: Bounds) -> Group:
    """What is found in some parts. What an engine runs: once, again, twice at once, all the same."""
    tour = _tour_of(task)
    sums, parts = Sums(tour.plan, candidates=len(tour.candidates)), []
    for one in windows:
        part = tour.part(one, bounds=bounds.merge(sums.bounds))
        sums.add_samples(part.samples)
        parts.append(part.without_samples())
    return Group(parts, sums.samples)


def groups_of(parts: int, *, workers: int) -> list[range]:
    """Parts that one process makes, one after another: many at first, so that few sheets are read twice, few at the end."""
    found, low = list[range](), 0
    while low < parts:
        size = max(1, (parts - low) // (GROUPS_AHEAD * workers))
        found.append(range(low, low + size))
        low += size
    return found


class _Tasks(Mapping[range, tuple[list[range], Bounds]]):
    """Groups of parts; each is told, when it is handed out, what can still be in a sample."""

    def __init__(self, parts: Sequence[range], sums: Sums, *, workers: int):
        self._parts, self._sums, self._groups = parts, sums, groups_of(len(parts), workers=workers)

    def __getitem__(self, group: range) -> tuple[list[range], Bounds]:
        return [self._parts[number] for number in group], self._sums.bounds

    def __iter__(self) -> Iterator[range]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)


@contextmanager
def started(task: ComparisonTask, *, workers: int) -> "Iterator[Engine]":
    """A ``with`` around ``workers`` of which this process is one; the others begin to get ready for a comparison at once."""
    from cfgraph.growing.engines.fleet import closing  # here: a store is compared by this process alone
    from cfgraph.growing.engines.processes import ProcessesBeside

    beside = ProcessesBeside(workers=workers)
    with closing(beside, ours=None) as engine:
        beside.prepare(get_ready, task)
        yield engine


def share_parts(
    tour: Tour,
    parts: Sequence[range],
    sums: Sums,
    note: Callable[[int, Part], None],
    *,
    task: ComparisonTask,
    workers: int,
    engine: "Engine",
) -> None:
    """Have all parts made by the ``workers`` of an engine, of which this process is one.

    Raises:
        WorkersLostError: where workers are lost again and again.
    """
    from cfgraph.growing.engines.job import own_versions
    from cfgraph.growing.sheet_fleet import SheetFleet

    if not parts:
        return

    def note_group(numbers: range, group: Group) -> None:
        sums.add_samples(group.samples)
        for number, part in zip(numbers, group.parts, strict=True):
            note(1 + number, part)

    task = replace(task, height=tour.cut.height, **own_versions())
    _tours[task.name] = tour
    try:
        fleet = SheetFleet(engine, task, workers=workers, interrupted=lambda: False, advice=ADVICE)
        fleet.finish(make_group, _Tasks(parts, sums, workers=workers), note=note_group)
    finally:
        _tours.pop(task.name, None)


def check_workers(workers: int, *, both: tuple[Named, Named]) -> None:
    """An ``InputError`` for a number of workers that makes no sense, or cannot be shared out."""
    if not 1 <= workers <= WORKERS_MAX:
        raise InputError(f"expected 1 to {WORKERS_MAX} workers (--workers), got {workers}")
    held = [named.title for named in both if named.store is not None]
    if workers > 1 and held:
        raise InputError(
            f"{held[0]!r} is a hierarchy of a store, which one process reads; leave --workers out, or compare two folders"
        )
