"""Parts: those of a comparison of two folders, made by several processes of this machine.

A process is told what the two are called, opens them itself, and tells what it found in some windows. It fits the baselines
anew, on the same prefix; what is trained again with other seeds is trained once, and sent.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cfgraph.comparing.held import Named
from cfgraph.comparing.measures import Sample
from cfgraph.comparing.tallies import Part, Sums, Tour
from cfgraph.errors import InputError

if TYPE_CHECKING:
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
    repeats: tuple["TrainedPredictor", ...]
    height: int = 0  # of the cut into windows
    name: str = field(default_factory=lambda: secrets.token_hex(8))  # of this comparison alone
    python: str = ""  # the versions of whoever asks
    cfgraph: str = ""

    def tour(self) -> Tour:
        """The way through both, cut as whoever asks has cut it."""
        tour = self.begin(self.true, self.predicted, self.asked, self.repeats)
        return replace(tour, cut=replace(tour.cut, height=self.height))


_tours: dict[str, Tour] = {}  # of a worker process: one, kept from task to task


@dataclass(frozen=True, eq=False)
class Group:
    """Parts that follow one another, without their samples of centers, and these of all of them."""

    parts: list[Part]
    centers: list[Sample | None]


def make_group(task: ComparisonTask, windows: Sequence[range], priority_max: int) -> Group:
    """What is found in some parts. What an engine runs: once, again, twice at once, all the same."""
    if (tour := _tours.get(task.name)) is None:
        tour = task.tour()
        _tours.clear()
        _tours[task.name] = tour
    sums, parts = Sums(tour.plan, candidates=len(tour.candidates)), []
    for one in windows:
        part = tour.part(one, priority_max=min(priority_max, sums.priority_max))
        sums.add_centers(part.centers)
        parts.append(part.without_centers())
    return Group(parts, sums.centers)


def groups_of(parts: int, *, workers: int) -> list[range]:
    """Parts that one process makes, one after another: many at first, so that few sheets are read twice, few at the end."""
    found, low = list[range](), 0
    while low < parts:
        size = max(1, (parts - low) // (GROUPS_AHEAD * workers))
        found.append(range(low, low + size))
        low += size
    return found


class _Tasks(Mapping[range, tuple[list[range], int]]):
    """Groups of parts; each is told, when it is handed out, which centers can still count."""

    def __init__(self, parts: Sequence[range], sums: Sums, *, workers: int):
        self._parts, self._sums, self._groups = parts, sums, groups_of(len(parts), workers=workers)

    def __getitem__(self, group: range) -> tuple[list[range], int]:
        return [self._parts[number] for number in group], self._sums.priority_max

    def __iter__(self) -> Iterator[range]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)


def share_parts(
    tour: Tour,
    parts: Sequence[range],
    sums: Sums,
    note: Callable[[int, Part], None],
    *,
    task: ComparisonTask,
    workers: int,
) -> None:
    """Have all parts made by ``workers``, of which this process is one.

    Raises:
        WorkersLostError: where workers are lost again and again.
    """
    from cfgraph.growing.engines.fleet import closing  # here: a store is compared by this process alone
    from cfgraph.growing.engines.job import own_versions
    from cfgraph.growing.engines.processes import ProcessesBeside
    from cfgraph.growing.sheet_fleet import SheetFleet

    if not parts:
        return

    def note_group(numbers: range, group: Group) -> None:
        sums.add_centers(group.centers)
        for number, part in zip(numbers, group.parts, strict=True):
            note(1 + number, part)

    task = replace(task, height=tour.cut.height, **own_versions())
    _tours[task.name] = tour
    try:
        with closing(ProcessesBeside(workers=workers), ours=None) as engine:
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
