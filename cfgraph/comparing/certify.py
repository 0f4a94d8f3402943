"""Certify: what can be said of a hierarchy beyond what is stored of it, each line by proof, by measurement, or not at all.

A *proof* holds for every cell of the whole field, in exact arithmetic, and follows from what the source, or a predictor, is
known to keep (docs/mathematics.md, section 10). A *measurement* holds for the cells that are stored, all of which are read.
Where neither is to be had the line says why. The formulas are those of :mod:`cfgraph.metric.distances`, the bounds of a rollout
those of :mod:`cfgraph.comparing.certificates`; nothing is computed here a second time.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from cfgraph.checks import check_integer, check_number
from cfgraph.comparing.box_counting import BoxCounting
from cfgraph.comparing.compare import question_of
from cfgraph.comparing.held import Held
from cfgraph.comparing.report import Certificates
from cfgraph.comparing.survey import COLUMNS, TREE_DIMENSION, LevelSurvey, Page, Survey, most_cells, pages_of
from cfgraph.errors import DamagedError, InputError
from cfgraph.metric.distances import depth_for_precision, truncation_bound
from cfgraph.model.address import KEY_BYTES_MAX
from cfgraph.model.as_html import Shown
from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy, HierarchyWithCells
from cfgraph.model.invariants import TOLERANCE
from cfgraph.model.progress import Asked as Shows
from cfgraph.model.progress import shown

if TYPE_CHECKING:
    from cfgraph.store import Store
    from cfgraph.store.growth import GrownBy

Holds = Literal["proof", "measurement", "no"]
Progress = Callable[[int, int], None]

DEPTH_MAX = (KEY_BYTES_MAX - 1) // 2  # a slot takes two bytes of a key: nothing deeper could ever be stored
BOUNDED = ("cfg", "ifs", "induced")  # sources that prove the bound of their residuals
SEPARATED = ("cfg", "ifs")  # sources that prove a separation where they name one
EPS = float(np.finfo(np.float64).eps)
SMALLEST = float(np.finfo(np.float64).tiny)


class Line(BaseModel):
    """One thing that was asked: its ``value``, whether it ``holds`` by proof, by measurement or not at all, and on what ground.

    ``level`` is the level that it is of, None for what is of the whole; ``spread`` is the standard error of what was fitted.
    ``value`` is None where nothing holds, and infinite for a bound that bounds nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float | int | None
    holds: Holds
    why: str
    level: int | None = None
    spread: float | None = None


class Certification(Shown, BaseModel):
    """What can be said of a hierarchy at a ``depth``: lines, and what box counting found, size by size.

    ``depth`` is the one that was asked for, or what the ``precision`` needs, or else the deepest ``stored_depth``; None where a
    precision was asked for and nothing is known to reach it. ``truth`` and ``copy_id`` are the two that a rollout is measured
    between, where there is one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    precision: float | None
    depth: int | None
    stored_depth: int
    cells: int
    truth: str | None = None
    copy_id: str | None = None
    lines: tuple[Line, ...]
    box_counting: BoxCounting | None = None

    def line(self, name: str, *, level: int | None = None) -> Line:
        """The line of a name, of a level where several have that name; a ``KeyError`` where there is none."""
        found = [line for line in self.lines if line.name == name and level in (None, line.level)]
        if not found:
            raise KeyError(
                f"there is no line {name!r}; there are: {', '.join(dict.fromkeys(line.name for line in self.lines))}"
            )
        return found[0]

    def to_json(self, *, indent: int | None = 2) -> str:
        """The certification as one JSON object; what is not a finite number is ``null``."""
        return self.model_dump_json(indent=indent)


def certify(
    store: "Store",
    id: str,
    *,
    precision: float | None = None,
    depth: int | None = None,
    progress: Shows = None,
) -> Certification:
    """What can be certified of a hierarchy in a store, for a precision or at a depth (neither: at the deepest stored level).

    Every stored cell is read once, in pages; of a copy that a predictor grew, and of a truth that has one, both are read once
    more for the bound of the rollout.

    Args:
        store: where it is.
        id: of the hierarchy.
        precision: how far the levels down to the depth may be from the whole field at most, in the unit of the centers.
        depth: the level that is asked about; it need not be stored.
        progress: told how many cells were looked at, of how many; unless given, a live line shows it on terminals and
            in notebooks.

    Raises:
        NotFoundError: for an unknown id.
        InputError: for both a precision and a depth, and for one that is out of its range, or finer than doubles can carry.
        DamagedError: where a stored number breaks an invariant: nothing is certified then.
        ChangedError: where the hierarchy is written or grown meanwhile.
    """
    asked = Asked.checked(precision=precision, depth=depth)
    with store.witness(id) as witness, shown(progress, f"certify {id}") as show:
        hierarchy = witness.hierarchy
        reader, history = store.reader(id), store.read_growth(id)
        survey = survey_pages(
            hierarchy, store.read_columns(id, COLUMNS), depth=reader.depth, total=reader.count(), progress=show
        )
        bound = _bound_of(hierarchy, history, predicted=survey.predicted, store=store)
        known = Known(hierarchy, survey, asked, bound, observed=not survey.predicted and not history)
        rollout = _find_rollout(store, hierarchy, history)
        return known.certification(rollout.measured(store, progress=show))


def certify_cells(
    hierarchy: HierarchyWithCells, *, precision: float | None = None, depth: int | None = None, page_cells: int = 20_000
) -> Certification:
    """The same of a whole hierarchy in memory; no store is needed, and no rollout is known of it.

    ``page_cells`` is how many cells are looked at at once. Raises as :func:`certify` does; cells that break an invariant are a
    ``DamagedError`` here too.
    """
    asked, held = Asked.checked(precision=precision, depth=depth), hierarchy.require_cells()
    cells, known = held.cells, held.without_cells()
    survey = survey_pages(known, pages_of(cells, size=page_cells), depth=cells.depth, total=len(cells))
    bound = _bound_of(known, (), predicted=survey.predicted, store=None)
    reason = "cells in memory have no record of what grew them; `compare_cells` compares them with a truth"
    return Known(known, survey, asked, bound, observed=not survey.predicted).certification(_Rollout(reason=reason))


def survey_pages(
    hierarchy: Hierarchy, pages: Iterable[Page], *, depth: int, total: int, progress: Progress = lambda done, total: None
) -> Survey:
    """What all cells tell of themselves."""
    survey = Survey(hierarchy, depth=depth)
    for page in pages:
        survey.add(page)
        progress(survey.cells, total)
    return survey.finish()


@dataclass(frozen=True)
class Asked:
    """A precision or a depth, or neither."""

    precision: float | None
    depth: int | None

    @classmethod
    def checked(cls, *, precision: float | None, depth: int | None) -> "Asked":
        """The question; an ``InputError`` for both, and for numbers that are none."""
        if precision is not None and depth is not None:
            raise InputError(f"expected a precision or a depth, got both, {precision} and {depth}; leave one of them out")
        if precision is not None and not check_number(precision, name="precision") > 0:
            raise InputError(f"expected a precision above 0, got {precision}")
        if depth is not None:
            depth = check_integer(depth, name="depth", low=0)
            if depth > DEPTH_MAX:
                raise InputError(
                    f"expected a depth of at most {DEPTH_MAX}, the longest address that a key can hold, got {depth}"
                )
        return cls(None if precision is None else float(precision), depth)


@dataclass(frozen=True)
class _BoundOf:
    """R of the whole field, seen and unseen, and on what ground."""

    value: float
    holds: Holds
    why: str


def _bound_of(hierarchy: Hierarchy, history: "Sequence[GrownBy]", *, predicted: int, store: "Store | None") -> _BoundOf:
    """What bounds the residuals of cells that are not stored."""
    stored = hierarchy.residual_bound
    if not isinstance(hierarchy, FieldHierarchy):
        why = f"{hierarchy.id!r} was imported ({hierarchy.origin}): it follows no rule, and what is stored is all there is"
        return _BoundOf(stored, "no", why)
    if hierarchy.data_built:
        return _BoundOf(stored, "no", "its centers come from data: nothing bounds residuals that were not seen")
    if predicted or history or hierarchy.former_predictors or hierarchy.origin == "rollout":
        return _grown_bound(hierarchy, history, store=store)
    if hierarchy.origin in BOUNDED:
        return _BoundOf(stored, "proof", f"R = {stored:.6g} bounds every residual of the rule ({hierarchy.origin})")
    why = f"R = {stored:.6g} is the longest residual on record; source {hierarchy.origin!r} proves none of cells not stored"
    return _BoundOf(stored, "measurement", why)


def _grown_bound(hierarchy: FieldHierarchy, history: "Sequence[GrownBy]", *, store: "Store | None") -> _BoundOf:
    """The same where a predictor grew cells: it shortens each residual to its own bound, to ``TOLERANCE``."""
    if store is None or not history or hierarchy.former_predictors:
        return _BoundOf(
            hierarchy.residual_bound, "no", "a predictor that grew it is not there (any more): it has no known rule"
        )
    bounds = [store.predictor(name).residual_bound for name in {growth.predictor for growth in history}]
    longest = max(hierarchy.residual_bound, *bounds) * (1 + TOLERANCE)
    why = f"R = {longest:.6g}: predictor {history[0].predictor!r} shortens every residual to it, so this is of what it grows on"
    return _BoundOf(longest, "proof", why)


@dataclass(frozen=True, eq=False)
class _Rollout:
    """Bounds of a rollout from its truth, or the ``reason`` why there are none."""

    truth: str | None = None
    copy: str | None = None
    reason: str | None = None
    from_depth: int = 0
    certificates: Certificates | None = None
    truth_bounded: Holds = "no"  # whether something bounds the true cells that are not stored
    others: tuple[str, ...] = ()  # more copies of the same truth

    def measured(self, store: "Store", *, progress: Progress) -> "_Rollout":
        """With its bounds: every cell that both have was looked at."""
        if self.reason is not None or self.truth is None or self.copy is None:
            return self
        with store.witness(self.truth) as one, store.witness(self.copy) as other:
            truth, copy = (witness.hierarchy.require_field("a bound of a rollout") for witness in (one, other))
            question = question_of(Held.in_store(store, truth), Held.in_store(store, copy))
            if self.truth == self.copy:  # grown in place: of what it should have been, the rule alone is known
                question = replace(question, predictor=None, trained=None, truth_observed=True)
                if not question.rule_of_centers:
                    reason = (
                        f"{truth.id!r} was grown in place, so its true cells are not there, and no rule of centers is known"
                    )
                    return replace(self, reason=reason)
            found = question.bounds(progress=progress)
            bounded = _bound_of(truth, (), predicted=0, store=None).holds if question.truth_observed else "no"
        return replace(self, certificates=found, from_depth=question.from_depth, truth_bounded=bounded, reason=found.reason)


def _find_rollout(store: "Store", hierarchy: Hierarchy, history: "Sequence[GrownBy]") -> _Rollout:
    """Which two hierarchies a rollout is measured between."""
    id = hierarchy.id
    if not isinstance(hierarchy, FieldHierarchy):
        return _Rollout(reason="an imported hierarchy has no rule, and no predictor grows it")
    truth = next((growth.truth for growth in history if growth.truth), None)
    if truth is not None:
        return _settled(store, _Rollout(truth, id))
    if hierarchy.origin == "rollout":
        return _Rollout(reason="its truth, or the predictor that grew it, is not in the store any more")
    if history:
        return _Rollout(id, id)
    copies = [copy for copy, state in store.read_copies(id) if state == "complete"]
    if not copies:
        return _Rollout(reason="no predictor grew it, and the store holds no finished copy of it that one grew")
    return _settled(store, _Rollout(id, copies[0], others=tuple(copies[1:])))


def _settled(store: "Store", rollout: _Rollout) -> _Rollout:
    """The same; with a reason where the truth is not finished."""
    assert rollout.truth is not None
    state = store.hierarchy(rollout.truth).state
    return rollout if state == "complete" else replace(rollout, reason=f"its truth {rollout.truth!r} is {state}")


@dataclass(frozen=True, eq=False)
class Known:
    """A hierarchy, what its cells tell, what bounds the others, and what is asked."""

    hierarchy: Hierarchy
    survey: Survey
    asked: Asked
    bound: _BoundOf
    observed: bool  # whether all its cells are its source's own

    def certification(self, rollout: _Rollout) -> Certification:
        """All lines."""
        depth = self.depth
        lines = [
            *self.depths(),
            *self.truncations(depth),
            *self.roundings(depth),
            *self.rollouts(rollout, depth=depth),
            *self.dimensions(),
            *self.separations(),
        ]
        return Certification(
            id=self.hierarchy.id,
            precision=self.asked.precision,
            depth=depth,
            stored_depth=self.survey.depth,
            cells=self.survey.cells,
            truth=rollout.truth,
            copy_id=rollout.copy,
            lines=tuple(lines),
            box_counting=self.survey.boxes,
        )

    # -- how deep, and how far what is left out may be

    @property
    def field(self) -> FieldHierarchy | None:
        """The hierarchy, where something bounds its cells that are not stored."""
        return self.hierarchy if isinstance(self.hierarchy, FieldHierarchy) and self.bound.holds != "no" else None

    @cached_property
    def scale(self) -> float:
        """The root's scale."""
        assert self.survey.root is not None
        return self.survey.root[1]

    @cached_property
    def depth(self) -> int | None:
        """The level that is asked about; None where a precision is asked for that nothing is known to reach."""
        if self.asked.precision is None:
            return self.survey.depth if self.asked.depth is None else self.asked.depth
        if self.field is None:
            return self.stored_depth_for(self.asked.precision)
        depth = depth_for_precision(
            self.asked.precision,
            residual_bound=self.bound.value,
            scale_factor=self.field.scale_factor,
            root_scale=self.scale,
        )
        least = self.rounding(depth)
        if self.asked.precision < least or depth > DEPTH_MAX:
            raise InputError(
                f"expected a precision of at least {least:.2g}, got {self.asked.precision:g}: centers lie up to "
                f"{self.extent:.3g} from the origin, and double precision carries them no finer down to level {depth}"
            )
        return depth

    def stored_depth_for(self, precision: float) -> int | None:
        """The first level whose stored radii are all known and at most a precision."""
        for level in sorted(self.survey.levels):
            found = self.survey.levels[level]
            if not found.radius_unknown and found.radius <= precision:
                return level
        return None

    def truncation(self, depth: int) -> float:
        """How far the levels down to a depth are from the whole field at most; an ``InputError`` where no double tells."""
        assert self.field is not None
        s = self.field.scale_factor
        value = truncation_bound(depth, residual_bound=self.bound.value, scale_factor=s, root_scale=self.scale)
        if value < SMALLEST and self.bound.value > 0:
            deepest = int(math.log(SMALLEST / (self.truncation(0))) / math.log(s)) - 1
            raise InputError(
                f"expected a depth of at most {deepest}, got {depth}: below it the bound {s:.3g}^L is smaller than any double"
            )
        return value

    @cached_property
    def extent(self) -> float:
        """How far from the origin a center that keeps R may lie, as all stored ones do; of imported ones, how far they do."""
        if not isinstance(self.hierarchy, FieldHierarchy) or self.survey.root is None:
            return self.survey.extent
        s, center = self.hierarchy.scale_factor, self.survey.root[0]
        reach = truncation_bound(0, residual_bound=self.bound.value, scale_factor=s, root_scale=self.scale)
        return float(np.linalg.norm(center)) + reach

    def rounding(self, depth: int) -> float:
        """``2 eps L extent``: what adding up L displacements in double precision may be off, in a center."""
        return 2 * EPS * depth * self.extent

    def depths(self) -> Iterator[Line]:
        """How deep a precision needs it to be."""
        precision, depth = self.asked.precision, self.depth
        if precision is None:
            return
        if self.field is not None and depth is not None:
            more = depth - self.survey.depth
            beyond = f"; stored are levels 0 to {self.survey.depth}, so {more} more are to be grown" if more > 0 else ""
            yield Line(name="depth_for_precision", value=depth, holds=self.bound.holds, why=self.bound.why + beyond)
        elif depth is not None:
            why = f"all stored radii of that level are at most it; unseen data may lie farther ({self.bound.why})"
            yield Line(name="depth_for_precision", value=depth, holds="measurement", why=why)
        else:
            why = f"{self.bound.why}; and no level has stored radii that are all known and at most {precision:g}"
            yield Line(name="depth_for_precision", value=None, holds="no", why=why)

    def truncations(self, depth: int | None) -> Iterator[Line]:
        """How far the levels down to a depth are from everything below them."""
        if self.field is not None and depth is not None:
            value = self.truncation(depth)
            yield Line(
                name="truncation", level=depth, value=value, holds=self.bound.holds, why=f"R S s^L / (1 - s), {self.bound.why}"
            )
            why = "twice the truncation: two points below level L, against their ancestors at it"
            yield Line(name="path_truncation", level=depth, value=2 * value, holds=self.bound.holds, why=why)
            return
        yield Line(name="truncation", level=depth, value=None, holds="no", why=self.bound.why)
        yield Line(name="path_truncation", level=depth, value=None, holds="no", why=self.bound.why)
        yield self.radius(depth)

    def radius(self, depth: int | None) -> Line:
        """The largest stored radius of a level."""
        found = None if depth is None else self.survey.levels.get(depth)
        if found is None:
            why = f"stored are levels 0 to {self.survey.depth}, and no rule says what comes below"
            return Line(name="stored_radius", level=depth, value=None, holds="no", why=why)
        if found.radius_unknown:
            why = f"{found.radius_unknown:,} of {found.cells:,} cells have no radius: cells below them are not expanded"
            return Line(name="stored_radius", level=depth, value=None, holds="no", why=why)
        why = f"every stored cell below level {depth} is within it of its ancestor there ({found.cells:,} cells)"
        return Line(name="stored_radius", level=depth, value=found.radius, holds="measurement", why=why)

    def roundings(self, depth: int | None) -> Iterator[Line]:
        """What double precision leaves of a center."""
        if depth is None or not self.hierarchy.dimension or (self.field is None and depth > self.survey.depth):
            return
        value = self.rounding(depth)
        why = (
            f"2 eps L extent, centers being up to {self.extent:.3g} from the origin; what a rule rounds of its own is not in it"
        )
        if self.field is not None and value > self.truncation(depth):
            why += "; it exceeds the truncation: tell such cells apart by sums below their common ancestor, not by centers"
        yield Line(name="rounding", level=depth, value=value, holds="proof", why=why)

    # -- how far a rollout strays

    def rollouts(self, rollout: _Rollout, *, depth: int | None) -> Iterator[Line]:
        """How far a copy is from its truth at a level, in centers and in the path metric, and both from the whole field."""
        names, found = ("rollout", "path_rollout", "whole"), rollout.certificates
        value, why = self._rollout_at(rollout, depth=depth)
        if value is None or found is None:
            yield from (Line(name=name, level=depth, value=None, holds="no", why=why) for name in names)
            return
        yield Line(name="rollout", level=depth, value=value, holds="proof", why=why)
        path = 2 * value + self._path_rounding(depth or 0)
        told = "twice that of centers, and rounding: a way has two edges below any level, at most"
        yield Line(name="path_rollout", level=depth, value=path, holds="proof", why=told)
        if self.field is None or depth is None or rollout.truth_bounded == "no":
            yield Line(
                name="whole", level=depth, value=None, holds="no", why="nothing bounds what the truth has below that level"
            )
            return
        told = "rollout and truncation: the copy down to that level, against the whole true field (Hausdorff)"
        both: Holds = "proof" if (self.bound.holds, rollout.truth_bounded) == ("proof", "proof") else "measurement"
        yield Line(name="whole", level=depth, value=value + self.truncation(depth), holds=both, why=told)

    def _path_rounding(self, depth: int) -> float:
        """What two sums of at most 2 L lengths, each at most twice the extent, may be off (docs/mathematics.md)."""
        return 4 * EPS * (2 * depth + self.hierarchy.dimension + 3) * self.extent

    def _rollout_at(self, rollout: _Rollout, *, depth: int | None) -> tuple[float | None, str]:
        """The bound of a level and what it rests on; or None, and why there is none."""
        found = rollout.certificates
        if rollout.reason is not None or found is None or depth is None:
            return None, rollout.reason or "no depth is known to ask about"
        first, last = rollout.from_depth + 1, rollout.from_depth + len(found.by_level)
        between = (
            f"{rollout.copy!r} against {rollout.truth!r}" if rollout.copy != rollout.truth else "its cells against its rule"
        )
        others = f"; certify {', '.join(map(repr, rollout.others[:3]))} for other copies" if rollout.others else ""
        if depth < first:
            return found.rounding or 0.0, f"{between}: levels 0 to {rollout.from_depth} were observed, not grown{others}"
        if depth > last:
            reason = f"the one-step error is known down to level {last}, and nothing says that it does not grow below"
            return None, f"{between}: {reason}; grow and compare both deeper{others}"
        value = found.by_level[depth - first]
        constant = f"growth {found.growth:.6g}" if found.lipschitz is None else f"Lambda {found.lipschitz:.6g}"
        if value is None:
            return None, f"{between}: the true cells end above level {depth}, so one-step errors there are not known{others}"
        return (
            value,
            f"{between}: {found.side}, eta {found.eta:.3g}, {constant}, over all cells of levels {first} to {last}{others}",
        )

    # -- dimensions

    def dimensions(self) -> Iterator[Line]:
        """The similarity dimension, and box counting beside it."""
        yield self.similarity_dimension()
        found = self.survey.boxes
        if found is None:
            why = "it has no centers" if not self.hierarchy.dimension else "all its cells are one point"
            yield Line(name="box_counting_dimension", value=None, holds="no", why=why)
        elif found.dimension is None:
            yield Line(name="box_counting_dimension", value=None, holds="no", why=str(found.reason))
        else:
            fitted = sum(size.fitted for size in found.sizes)
            why = (
                f"measured on {found.points:,} centers without children, {fitted} sizes of boxes from {found.largest_size:.3g} "
                f"to {found.smallest_size:.3g}; slopes between neighbours {found.lowest:.4g} to {found.highest:.4g}; "
                "of known sets it is up to .1 low, of those with a rough or large outline up to .5 (docs/mathematics.md)"
            )
            value, spread = found.dimension, found.standard_error
            yield Line(name="box_counting_dimension", value=value, holds="measurement", why=why, spread=spread)

    def similarity_dimension(self) -> Line:
        """``log K / -log s``."""
        name, hierarchy = "similarity_dimension", self.hierarchy
        if not isinstance(hierarchy, FieldHierarchy):
            return Line(name=name, value=None, holds="no", why=f"no arity and no scale factor: {self.bound.why}")
        value = math.log(hierarchy.arity) / -math.log(hierarchy.scale_factor)
        if hierarchy.data_built:
            why = "log K / -log s with an s that was estimated from the first levels; not every cell is split"
            return Line(name=name, value=value, holds="measurement", why=why)
        if self.bound.holds == "proof" and self.gap is not None:
            return Line(
                name=name, value=value, holds="proof", why="log K / -log s; cells stay apart, so it is the box dimension itself"
            )
        why = "log K / -log s, which the box dimension of the limit set does not exceed"
        if value > hierarchy.dimension:
            why += f"; neither does it exceed {hierarchy.dimension}, that of the space, which here says more"
        told = why if self.bound.holds == "proof" else f"{why}; {self.bound.why}"
        return Line(name=name, value=value, holds=self.bound.holds, why=told)

    # -- separation

    @cached_property
    def separation(self) -> float | None:
        """delta, where the rule proves one and all cells are its own."""
        hierarchy = self.hierarchy
        if not isinstance(hierarchy, FieldHierarchy) or not self.observed or hierarchy.origin not in SEPARATED:
            return None
        return hierarchy.separation

    @cached_property
    def gap(self) -> float | None:
        """``delta - 2 s R / (1 - s)``: how far cells of a level are apart at least; None where that is not above 0."""
        if self.separation is None or self.field is None:
            return None
        s = self.field.scale_factor
        gap = self.separation - 2 * s * self.bound.value / (1 - s)
        return gap if gap > 0 else None

    def separations(self) -> Iterator[Line]:
        """Smallest distances over the scale of the parents: by proof for all levels, and measured level by level."""
        yield self._separation_line()
        yield self._gap_line()
        for level, found in sorted(self.survey.levels.items()):
            if level > 0:
                yield self._siblings_line(level, self.survey.levels[level - 1])
                yield self._cells_line(level, found)

    def _separation_line(self) -> Line:
        name = "separation"
        if self.separation is not None:
            why = f"delta of the rule ({self.hierarchy.origin}): siblings of any level, over their parent's scale"
            return Line(name=name, value=self.separation, holds="proof", why=why)
        if isinstance(self.hierarchy, FieldHierarchy) and self.hierarchy.arity == 1:
            return Line(name=name, value=None, holds="no", why="with one child a cell there are no siblings")
        if not self.observed:
            return Line(name=name, value=None, holds="no", why="a predictor grew cells, and none keeps children apart")
        why = f"no rule is known to keep children apart at every level ({self.hierarchy.origin}); see the levels"
        return Line(name=name, value=None, holds="no", why=why)

    def _gap_line(self) -> Line:
        name = "separation_of_cells"
        if self.gap is not None:
            why = "delta - 2 s R / (1 - s): any two cells of one level, over their parents' scale; each finds itself by locate"
            return Line(name=name, value=self.gap, holds="proof", why=why)
        why = "no separation is proven" if self.separation is None else "s >= delta / (delta + 2 R): cells of a level may touch"
        return Line(name=name, value=None, holds="no", why=why)

    def _siblings_line(self, level: int, above: LevelSurvey) -> Line:
        name, found = "siblings", above.siblings
        if found is None or above.siblings_left_out:
            why = self._no_siblings(above)
            return Line(name=name, level=level, value=None, holds="no", why=why)
        if self.separation is not None and found < self.separation * (1 - TOLERANCE):
            detail = f"siblings of level {level} are {found:.6g} apart, and its rule keeps them {self.separation:.6g} apart"
            raise DamagedError.of(self.hierarchy.id, detail)
        why = f"over the scale of the parent, all {above.families:,} families that are stored"
        return Line(name=name, level=level, value=found, holds="measurement", why=why)

    def _no_siblings(self, above: LevelSurvey) -> str:
        """Why no distance of siblings is told."""
        if not self.survey.has_tuples:
            return "it has no centers, or edges whose lengths are not distances of them"
        if above.siblings_left_out:
            most = most_cells(self.hierarchy.dimension)
            return f"{above.siblings_left_out:,} families have more than the {most:,} children that are compared"
        return "no cell of the level has a sibling"

    def _cells_line(self, level: int, found: LevelSurvey) -> Line:
        name, hierarchy = "cells", self.hierarchy
        if not isinstance(hierarchy, FieldHierarchy):
            return Line(
                name=name,
                level=level,
                value=None,
                holds="no",
                why="cells of one level have scales of their own: siblings alone",
            )
        closest = found.closest()
        if closest is None:
            most = most_cells(hierarchy.dimension)
            why = (
                "the level has one cell"
                if found.cells < 2
                else f"more than the {most:,} cells that are compared: siblings alone"
            )
            return Line(name=name, level=level, value=None, holds="no", why=why)
        scale = self.scale * hierarchy.scale_factor ** (level - 1)
        how = "by a tree of centers" if hierarchy.dimension <= TREE_DIMENSION else "each with each"
        why = f"any two of {found.cells:,} stored cells of the level, {how}, over the scale of the parents"
        if closest <= self.rounding(level):
            return Line(
                name=name, level=level, value=0.0, holds="measurement", why=f"two cells coincide, but for rounding; {why}"
            )
        return Line(name=name, level=level, value=closest / scale, holds="measurement", why=why)
