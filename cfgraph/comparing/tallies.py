"""Tallies: what a comparison finds in one window, in a form that adds up over windows.

A :class:`Candidate` is what is compared with the truth: the prediction itself, or a rule (a baseline, another seed) that is
grown from the true prefix in the places of the same true cells. A :class:`Look` takes all measures of one candidate in one
window; a :class:`Tour` goes through all windows of two hierarchies with all candidates at once, part by part: a
:class:`Part` is what was found in some windows that follow one another, and what :class:`Sums` adds up. The cut into parts
follows from the two hierarchies, and parts are added in their order, so the sums are the same bits whoever made them.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.comparing.certificates import Certifier, StepErrors, longest
from cfgraph.comparing.measures import PRIORITY_MAX, Reservoir, Sample, TupleSums, likely_max, lowest_rows
from cfgraph.comparing.windows import Above, Cut, View, Window, climb, hash_cells, predict
from cfgraph.model.address import parse_address
from cfgraph.model.cells import Cells
from cfgraph.model.growth import Rule

PART_CELLS = 250_000  # true cells that a part has about
Progress = Callable[[int, int], None]  # true cells compared, true cells in all


@dataclass(frozen=True, eq=False)
class Candidate:
    """What is compared with the truth: the prediction itself (``grows`` is False), or a rule grown over the true cells."""

    name: str
    rule: Rule | None  # what teacher forcing asks; None: unknown
    certifier: Certifier
    grows: bool

    def view(self, window: Window, *, above: Above) -> View:
        """The candidate's values in the places of the true cells."""
        if not self.grows or self.rule is None:
            return window.placed(above)
        return window.grown(self.rule, above=above, scale_factor=self.certifier.true.scale_factor)


@dataclass(frozen=True)
class Bounds:
    """Above which priorities rows are in no sample any more: of centers, and of the cells of each level that paths lead to."""

    centers: int = PRIORITY_MAX
    paths: Mapping[int, int] = field(default_factory=dict)

    def merge(self, other: "Bounds") -> "Bounds":
        """The lower ones of both."""
        levels = self.paths.keys() | other.paths.keys()
        paths = {level: min(self.of_level(level), other.of_level(level)) for level in levels}
        return Bounds(min(self.centers, other.centers), paths)

    def of_level(self, level: int) -> int:
        """That of the cells of a level."""
        return self.paths.get(level, PRIORITY_MAX)


@dataclass(frozen=True)
class Plan:
    """What is measured: the unseen levels, and the sizes of the samples."""

    arity: int
    from_depth: int
    levels: range  # the unseen levels that either side has
    shared_depth: int  # the deepest level that both have: where sets of centers are compared
    pairs: int
    center_sample: int
    seed: int
    bounds: Bounds = field(default_factory=Bounds)  # of what can still be in samples of these sizes

    @property
    def pairs_per_level(self) -> int:
        """How many pairs of one kind are drawn on a level."""
        return math.ceil(self.pairs / max(1, 2 * len(self.levels)))

    @property
    def path_sample(self) -> int:
        """How many cells of a level are kept to draw pairs from."""
        return 2 * self.pairs_per_level


@dataclass(frozen=True, eq=False)
class LevelTally:
    """What was found on one level, or of the tuples of its parents; two of them add up."""

    parents: int = 0
    teacher: TupleSums = field(default_factory=TupleSums)
    rolled: TupleSums = field(default_factory=TupleSums)
    center_error: float | None = None
    matched: int = 0
    only_true: int = 0
    only_predicted: int = 0

    def __add__(self, other: "LevelTally") -> "LevelTally":
        names = ("parents", "teacher", "rolled", "matched", "only_true", "only_predicted")
        errors = [error for error in (self.center_error, other.center_error) if error is not None]
        return type(self)(
            **{name: getattr(self, name) + getattr(other, name) for name in names}, center_error=max(errors, default=None)
        )


@dataclass(frozen=True, eq=False)
class Tally:
    """What was found of one candidate; two of them add up."""

    plan: Plan
    levels: Mapping[int, LevelTally] = field(default_factory=dict)
    errors: StepErrors = field(default_factory=StepErrors)
    centers: Sample | None = None
    paths: Mapping[int, Sample] = field(default_factory=dict)

    def __add__(self, other: "Tally") -> "Tally":
        levels = {
            level: self.levels.get(level, LevelTally()) + other.levels.get(level, LevelTally())
            for level in self.levels.keys() | other.levels.keys()
        }
        paths = {
            level: merged
            for level in self.paths.keys() | other.paths.keys()
            if (merged := merge_samples(self.paths.get(level), other.paths.get(level), size=self.plan.path_sample)) is not None
        }
        centers = merge_samples(self.centers, other.centers, size=self.plan.center_sample)
        return replace(self, levels=levels, paths=paths, centers=centers, errors=self.errors.merge(other.errors))


def merge_samples(first: Sample | None, second: Sample | None, *, size: int) -> Sample | None:
    """The sample of both; None is an empty one."""
    if first is None or second is None:
        return first or second
    return first.merge(second, size=size)


@dataclass(frozen=True, eq=False)
class TruthTally:
    """What was found of the truth alone: its deepest centers and the box around all of its centers."""

    plan: Plan
    centers: Sample | None = None
    low: Float[np.ndarray, " dim"] | None = None
    high: Float[np.ndarray, " dim"] | None = None

    def with_window(self, window: Window) -> "TruthTally":
        """With one window more."""
        cells = window.true.cells
        low, high = cells.center.min(axis=0), cells.center.max(axis=0)
        if self.low is not None and self.high is not None:
            low, high = np.minimum(low, self.low), np.maximum(high, self.high)
        rows = deepest_rows(cells, depth=self.plan.shared_depth, cut=window.cut)
        centers = center_sample(cells, window.hashes, rows, plan=self.plan)
        return replace(self, centers=merge_samples(self.centers, centers, size=self.plan.center_sample), low=low, high=high)

    def __add__(self, other: "TruthTally") -> "TruthTally":
        if self.low is None or self.high is None or other.low is None or other.high is None:
            low, high = (self.low, self.high) if other.low is None else (other.low, other.high)
        else:
            low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        centers = merge_samples(self.centers, other.centers, size=self.plan.center_sample)
        return replace(self, centers=centers, low=low, high=high)

    @property
    def diameter(self) -> float:
        """The diagonal of the box."""
        return 0.0 if self.low is None or self.high is None else float(np.linalg.norm(self.high - self.low))


def deepest_rows(cells: Cells, *, depth: int, cut: int | None) -> Int[np.ndarray, " rows"]:
    """The cells of level ``depth`` and those above it that have no children; not those of a level that other windows have."""
    deepest = (cells.level == depth) | ((cells.level < depth) & (cells.child_count == 0))
    if cut is not None:
        deepest &= cells.level < cut
    return np.flatnonzero(deepest)


def center_sample(cells: Cells, priority: np.ndarray, rows: Int[np.ndarray, " rows"], *, plan: Plan) -> Sample:
    """The centers of some cells as a sample, no larger than a sample may be, without those that can be in none."""
    kept = up_to(plan.bounds.centers, priority, rows)
    return Sample(priority[kept], {"center": cells.center[kept]}, seen=len(rows)).lowest(plan.center_sample)


def up_to(bound: int, priority: np.ndarray, rows: Int[np.ndarray, " rows"]) -> Int[np.ndarray, " kept"]:
    """The rows whose priority is at most a bound."""
    return rows if bound == PRIORITY_MAX else rows[priority[rows] <= np.uint64(bound)]


@dataclass(frozen=True, eq=False)
class Look:
    """One candidate in one window: where its measures are taken."""

    plan: Plan
    candidate: Candidate
    window: Window
    view: View

    def tally(self) -> Tally:
        """Everything that is measured here."""
        levels = {level: self.level_cells(level) for level in self.new_levels}
        errors = self.center_errors().merge(self.generator_errors())
        if len(self.window.parents):
            teacher, rolled = self.teacher_forced(), self.rolled_out()
            errors = errors.merge(self.step_errors(teacher)).merge(self.slopes(rolled))
            for level in self.parent_levels:
                levels[level + 1] += self.level_tuples(level, teacher=teacher, rolled=rolled)
        return Tally(self.plan, levels, errors, centers=self.centers(), paths=self.paths())

    @property
    def other(self) -> Cells | None:
        """The prediction's own cells here; None where there are none, and for what is grown over the true cells."""
        return None if self.candidate.grows else self.window.other

    @property
    def new_levels(self) -> range:
        """The levels that no other window has these cells of: all but the top's, which is in the window above."""
        true = self.window.true.cells
        depth = true.depth if self.other is None else max(true.depth, self.other.depth)
        return range(int(true.level[0]) + (1 if self.window.cut is None else 0), depth + 1)

    @property
    def parent_levels(self) -> range:
        """The levels of unseen parents."""
        true = self.window.true.cells
        return range(max(self.plan.from_depth, int(true.level[0])), true.depth)

    @cached_property
    def true_tuples(self) -> Float[np.ndarray, "parents arity dim"]:
        """The true tuples of the unseen parents."""
        return self.window.true.cells.residual[self.window.children]

    def teacher_forced(self) -> Float[np.ndarray, "parents arity dim"] | None:
        """One step from every true parent; None where nobody knows the rule."""
        return None if self.candidate.rule is None else predict(self.candidate.rule, self.window.frontier)

    def rolled_out(self) -> Float[np.ndarray, "parents arity dim"]:
        """The candidate's own tuples in the places of the true ones; they count where :attr:`whole`."""
        return self.view.cells.residual[self.window.children]

    @cached_property
    def whole(self) -> Bool[np.ndarray, " parents"]:
        """Which of the unseen parents have all their children in the candidate too."""
        return self.view.present[self.window.children].all(axis=1)

    def level_tuples(self, level: int, *, teacher: np.ndarray | None, rolled: np.ndarray) -> LevelTally:
        """The tuples of the parents on one level against the true ones."""
        part = self.window.level_part(level)
        true, whole = self.true_tuples[part], self.whole[part]
        return LevelTally(
            parents=len(true),
            teacher=TupleSums() if teacher is None else TupleSums.of(teacher[part], true),
            rolled=TupleSums.of(rolled[part][whole], true[whole]),
        )

    def level_cells(self, level: int) -> LevelTally:
        """The cells of one level that both sides have or one alone, and the largest distance of matched centers."""
        true = self.window.true.cells
        rows = true.level_rows(level)
        present = self.view.present[rows]
        matched = int(present.sum())
        predicted = matched if self.other is None else rows_in(self.other.level_rows(level))
        return LevelTally(
            center_error=longest((self.view.cells.center[rows] - true.center[rows])[present]),
            matched=matched,
            only_true=len(present) - matched,
            only_predicted=predicted - matched,
        )

    def step_errors(self, teacher: np.ndarray | None) -> StepErrors:
        """How far the candidate's steps are from the true ones, in the terms of its certificates."""
        certifier, whole = self.candidate.certifier, self.whole
        at_true = None if teacher is None else longest(teacher - self.true_tuples)
        errors = StepErrors(at_true=at_true, incomplete=self.window.incomplete).merge(self.anchored_errors())
        if certifier.norm is None or not whole.any():
            return errors
        frontier = self.view.frontier(self.window.parents[whole], arity=self.plan.arity)
        return errors.merge(certifier.tuple_errors(self.window, frontier=frontier, tuples=self.rolled_out()[whole]))

    def anchored_errors(self) -> StepErrors:
        """The largest error of the rule below the observed parents, and the longest residual that was grown."""
        children = self.window.children[self.view.present[self.window.children]]
        return self.candidate.certifier.anchored_errors(
            self.window, tuples=self.true_tuples, grown=self.view.cells.residual[children]
        )

    def generator_errors(self) -> StepErrors:
        """How far the prediction's tuples are from the true rule at all of its cells, those without a true one among them."""
        if self.other is not None:
            return generator_errors(self.other, plan=self.plan, certifier=self.candidate.certifier)
        return StepErrors()

    def slopes(self, rolled: Float[np.ndarray, "parents arity dim"]) -> StepErrors:
        """How fast the true rule changes from the true cells to the candidate's in their places, and its errors there."""
        rows, whole = self.window.parents[self.whole], self.whole
        return self.candidate.certifier.slope(
            self.view.cells.center[rows],
            rolled[whole],
            true_center=self.window.true.cells.center[rows],
            true_tuples=self.true_tuples[whole],
        )

    def center_errors(self) -> StepErrors:
        """How far centers are apart in the observed levels, and how far out they lie."""
        true, view = self.window.true.cells, self.view
        seen = view.present & (true.level <= self.plan.from_depth)
        extents = [longest(true.center), longest(view.cells.center[view.present])]
        return StepErrors(
            in_prefix=longest((view.cells.center - true.center)[seen]),
            extent=max(extent for extent in extents if extent is not None),
        )

    def centers(self) -> Sample | None:
        """The candidate's deepest centers."""
        window, plan = self.window, self.plan
        if not self.candidate.grows:
            return other_centers(window, plan=plan)
        rows = deepest_rows(window.true.cells, depth=plan.shared_depth, cut=window.cut)
        rows = rows[self.view.present[rows]]
        return center_sample(self.view.cells, window.hashes, rows, plan=plan)

    def paths(self) -> dict[int, Sample]:
        """For every unseen level a sample of matched cells, each with its slots and the lengths of its chain on both sides."""
        levels = (level for level in self.new_levels if level in self.plan.levels)
        samples = {level: self.level_paths(level) for level in levels}
        return {level: sample for level, sample in samples.items() if len(sample)}

    def level_paths(self, level: int) -> Sample:
        """The sample of one level's matched cells."""
        cells, hashes = self.window.true.cells, self.window.hashes
        rows = cells.level_rows(level)
        present = up_to(self.plan.bounds.of_level(level), hashes, rows.start + np.flatnonzero(self.view.present[rows]))
        chosen = present[lowest_rows(hashes[present], size=self.plan.path_sample)]
        above = np.array(parse_address(cells.top), dtype=cells.slot.dtype)
        columns = {
            "slots": climb(cells, chosen, column=cells.slot, above=above),
            "true": self.window.true.chains(chosen),
            "predicted": self.view.chains(chosen),
        }
        return Sample(hashes[chosen], columns, seen=len(present))


def rows_in(rows: slice) -> int:
    """How many rows a slice has."""
    return rows.stop - rows.start


def other_centers(window: Window, *, plan: Plan) -> Sample | None:
    """The deepest centers of the other hierarchy in a window."""
    if window.other is None:
        return None
    rows = deepest_rows(window.other, depth=plan.shared_depth, cut=window.cut)
    return center_sample(window.other, window.other_hashes, rows, plan=plan)


def generator_errors(cells: Cells, *, plan: Plan, certifier: Certifier) -> StepErrors:
    """How far the tuples of predicted cells are from the true rule at their centers."""
    if certifier.generator is None:
        return StepErrors()
    rows, tuples = cells.expansions(plan.arity)
    unseen = cells.level[rows] >= plan.from_depth
    return certifier.generator_error(cells.center[rows[unseen]], tuples[unseen])


def tally_alone(other: Cells, *, plan: Plan, certifier: Certifier) -> Tally:
    """What is found under a cell that only the prediction has: that its cells are there, and their centers."""
    top, rows = int(other.level[0]), deepest_rows(other, depth=plan.shared_depth, cut=None)
    levels = {level: LevelTally(only_predicted=rows_in(other.level_rows(level))) for level in range(top + 1, other.depth + 1)}
    centers = center_sample(other, hash_cells(other, seed=plan.seed), rows, plan=plan)
    return Tally(plan, levels, generator_errors(other, plan=plan, certifier=certifier), centers=centers)


@dataclass(frozen=True, eq=False)
class Part:
    """What was found in some windows: of each candidate, of the truth, and how many true cells they have of their own."""

    tallies: list[Tally]
    truth: TruthTally
    cells: int

    @property
    def samples(self) -> "Samples":
        """The samples of it."""
        return Samples(
            [*(tally.centers for tally in self.tallies), self.truth.centers], [tally.paths for tally in self.tallies]
        )

    def without_samples(self) -> "Part":
        """All but these."""
        tallies = [replace(tally, centers=None, paths={}) for tally in self.tallies]
        return Part(tallies, replace(self.truth, centers=None), self.cells)

    def __add__(self, other: "Part") -> "Part":
        tallies = [mine + its for mine, its in zip(self.tallies, other.tallies, strict=True)]
        return Part(tallies, self.truth + other.truth, self.cells + other.cells)


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of centers, of each candidate and of the truth; and of each candidate's paths, by level."""

    centers: Sequence[Sample | None]
    paths: Sequence[Mapping[int, Sample]]


class Sums:
    """Adds up parts that come in any order: in that of their numbers, but for samples, whose order does not matter.

    So what waits for parts of lower numbers is small.
    """

    def __init__(self, plan: Plan, *, candidates: int, priority_max: int = PRIORITY_MAX):
        self._size, self._likely = plan.center_sample, priority_max
        self._whole, self._next, self._waiting = Part([Tally(plan)] * candidates, TruthTally(plan), 0), 0, dict[int, Part]()
        self._centers = [Reservoir(plan.center_sample) for _ in range(candidates + 1)]
        self._paths = [{level: Reservoir(plan.path_sample) for level in plan.levels} for _ in range(candidates)]

    @property
    def bounds(self) -> Bounds:
        """Above which no row counts any more, of whatever candidate."""
        centers = min(self._likely, max(one.priority_max for one in self._centers))
        levels = self._paths[0]
        return Bounds(centers, {level: max(paths[level].priority_max for paths in self._paths) for level in levels})

    @property
    def short(self) -> bool:
        """Whether a sample of centers lacks rows that were left out."""
        return any(one is not None and len(one) < min(self._size, one.seen) for one in self.samples.centers)

    def add(self, number: int, part: Part) -> None:
        """Add a part."""
        self.add_samples(part.samples)
        self._waiting[number] = part.without_samples()
        while (following := self._waiting.pop(self._next, None)) is not None:
            self._whole, self._next = self._whole + following, self._next + 1

    def add_samples(self, samples: Samples) -> None:
        """Add samples alone, of all sides."""
        for centers, sample in zip(self._centers, samples.centers, strict=True):
            centers.add(sample)
        for paths, found in zip(self._paths, samples.paths, strict=True):
            for level, sample in found.items():
                paths[level].add(sample)

    @property
    def samples(self) -> Samples:
        """The samples so far."""
        found = [{level: one.sample() for level, one in paths.items()} for paths in self._paths]
        paths = [{level: sample for level, sample in one.items() if sample is not None} for one in found]
        return Samples([one.sample() for one in self._centers], paths)

    def total(self) -> tuple[list[Tally], TruthTally]:
        """What was found of each candidate, and of the truth."""
        assert not self._waiting, "all parts were added"
        samples = self.samples
        *centers, of_truth = samples.centers
        found = zip(self._whole.tallies, centers, samples.paths, strict=True)
        tallies = [replace(tally, centers=sample, paths=paths) for tally, sample, paths in found]
        return tallies, replace(self._whole.truth, centers=of_truth)


Share = Callable[["Tour", Sequence[range], Sums, Callable[[int, Part], None]], None]


@dataclass(frozen=True, eq=False)
class Tour:
    """The way through all windows of two hierarchies, with all candidates at once."""

    cut: Cut
    plan: Plan
    candidates: tuple[Candidate, ...]
    deepest: int = 0  # how many deepest cells either side has at least; 0: not known

    def tallies(
        self, *, progress: Progress, share: Share | None = None, priority_max: int | None = None
    ) -> tuple[list[Tally], TruthTally]:
        """What was found of each candidate, and of the truth; ``share`` has the parts made by several.

        Where it is known how many centers there will be, those that can hardly be in a sample are left out from the begin;
        where one lacks some at the end, all is gone through again.
        """
        if priority_max is None:
            priority_max = likely_max(self.plan.center_sample, of=self.deepest)
        sums, done, total = self._sums(priority_max), 0, self.cut.true.count()

        def note(number: int, part: Part) -> None:
            nonlocal done
            sums.add(number, part)
            done += part.cells
            progress(done, total)

        note(0, self.begin())
        (share or make_parts)(self, self.parts(), sums, note)
        alone, nothing = self.alone(), Tally(self.plan)
        others = [nothing] * (len(self.candidates) - 1)
        for number, tally in enumerate(alone, start=1 + len(self.parts())):
            sums.add(number, Part([tally, *others], TruthTally(self.plan), 0))
        if priority_max < PRIORITY_MAX and sums.short:
            return self.tallies(progress=progress, share=share, priority_max=PRIORITY_MAX)
        return sums.total()

    def _sums(self, priority_max: int) -> Sums:
        return Sums(self.plan, candidates=len(self.candidates), priority_max=priority_max)

    @cached_property
    def first(self) -> Window:
        """The first window, which all others hang on."""
        return self.cut.first()

    @cached_property
    def tops(self) -> Int[np.ndarray, " tops"]:
        """The rows of the first window that have a window of their own."""
        return self.cut.tops(self.first)

    @cached_property
    def aboves(self) -> list[Above]:
        """What the windows below need of the truth."""
        return self.first.aboves(self.tops)

    @cached_property
    def looks(self) -> list[tuple[Tally, list[Above]]]:
        """What was found of each candidate in the first window, and what the windows below need of it."""
        found = (self.look(candidate, self.first, above=self.first.true.above, plan=self.plan) for candidate in self.candidates)
        return [(tally, view.aboves(self.tops, arity=self.plan.arity)) for tally, view in found]

    def parts(self) -> list[range]:
        """The windows below the first one, some that follow one another in each."""
        count = len(self.tops)
        step = max(1, PART_CELLS * count // max(1, self.cut.true.count()))
        return [range(low, min(low + step, count)) for low in range(0, count, step)]

    def begin(self) -> Part:
        """What was found in the first window."""
        truth = TruthTally(self.plan).with_window(self.first)
        return Part([tally for tally, _ in self.looks], truth, len(self.first.true.cells))

    def part(self, numbers: range, *, bounds: Bounds) -> Part:
        """What was found in some windows; of what samples are of, those up to some priorities."""
        plan = replace(self.plan, bounds=bounds)
        tallies, truth, cells = [Tally(plan) for _ in self.candidates], TruthTally(plan), 0
        for number in numbers:
            row = int(self.tops[number])
            address, matched = self.first.true.cells.addresses[row], bool(self.first.match[row] >= 0)
            window = self.cut.below(address, above=self.aboves[number], matched=matched)
            for place, candidate in enumerate(self.candidates):
                tallies[place] += self.look(candidate, window, above=self.looks[place][1][number], plan=plan)[0]
            truth, cells = truth.with_window(window), cells + len(window.true.cells) - 1
        return Part(tallies, truth, cells)

    def look(self, candidate: Candidate, window: Window, *, above: Above, plan: Plan) -> tuple[Tally, View]:
        """What was found of a candidate in a window, and the values that it has there."""
        view = candidate.view(window, above=above)
        return Look(plan, candidate, window, view).tally(), view

    def alone(self) -> Iterator[Tally]:
        """What the prediction (the first candidate) has under cells that the truth lacks."""
        for top in self.cut.tops_of_other(self.first):
            yield tally_alone(self.cut.read_other(top), plan=self.plan, certifier=self.candidates[0].certifier)


def make_parts(tour: Tour, parts: Sequence[range], sums: Sums, note: Callable[[int, Part], None]) -> None:
    """Make all parts here, one after another."""
    for number, windows in enumerate(parts, start=1):
        note(number, tour.part(windows, bounds=sums.bounds))
