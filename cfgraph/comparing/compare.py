"""Compare: a predicted hierarchy against the true one, by address, level by level, with baselines and certificates beside it.

Everything is measured over *unseen* levels, below the prefix that the prediction started from: teacher-forced (the true
parent goes in, one step comes out) and rolled out (what the predicted hierarchy holds). Both sides are read window by
window (:mod:`cfgraph.comparing.windows`), and what is found in one window adds up with what is found in the next, so that no
hierarchy is ever in memory as a whole. The baselines are fitted on the true prefix and rolled out in the places of the
same true cells.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from jaxtyping import Float

from cfgraph.comparing.certificates import Certifier, longest
from cfgraph.comparing.held import Held, Named
from cfgraph.comparing.measures import PathDistortion, PointSet, Sample, chain_distances, hausdorff_distance, path_distortion
from cfgraph.comparing.parts import ComparisonTask, check_workers, share_parts, started
from cfgraph.comparing.report import (
    DISTORTION_REMARK,
    SLOTS_REMARK,
    CenterCount,
    Certificates,
    Comparison,
    DistortionReport,
    LevelReport,
    Report,
    RolledOut,
    SeedsReport,
)
from cfgraph.comparing.tallies import Candidate, LevelTally, Plan, Progress, Share, Tally, Tour, TruthTally, deepest_rows
from cfgraph.comparing.windows import Cut
from cfgraph.errors import InputError
from cfgraph.model.address import ROOT, common_levels
from cfgraph.model.cells import Cells
from cfgraph.model.encoder import Encoder
from cfgraph.model.growth import Frontier, Rule, frontier_of
from cfgraph.model.hierarchy import FieldHierarchy, HierarchyWithCells
from cfgraph.model.reader import CellsReader, Reader
from cfgraph.model.rules import CenterRule, TupleRule
from cfgraph.predictors import BASELINES, BESIDE

if TYPE_CHECKING:
    from cfgraph.predictors import Predictor
    from cfgraph.predictors.trained import TrainedPredictor
    from cfgraph.sources.snapshots import WithGrowers
    from cfgraph.store import Store, Stores

PAIRS = 10_000  # pairs of cells whose path distance is compared
CENTER_FLOATS = 4_000_000  # numbers kept of one side's deepest centers; above that the Hausdorff distance is on a sample ...
CENTER_FLOATS_ALL = 8_000_000  # the same of all sides: the truth, the prediction, and what stands beside it
CENTER_WORK = 4e9  # ... and above so many operations where the dimension makes every center be compared with every other
TREE_DIMENSION = 4  # up to here a tree of centers finds the nearest one without that
ROOT_TOLERANCE = 1e-9


def compare(
    store: "Store | Stores | None",
    true: str,
    predicted: str,
    *,
    pairs: int = PAIRS,
    seed: int = 0,
    seeds: int = 0,
    device: str = "cpu",
    workers: int = 1,
    progress: Progress = lambda done, total: None,
) -> Report:
    """Compare two hierarchies by their ids in a store; the prefix and the predictor are those that the graph records.

    Of several stores (:class:`cfgraph.store.Stores`) either may lie on another one. A field's folder (``"grown/"``,
    ``"s3://bucket/grown"``) may stand for either, and is read sheet by sheet as a store is page by page; of two folders the
    store may be None. A snapshot (``"koch@before"``) may stand for either; then both are read whole.

    ``seeds`` above 0 trains the predictor's family again with seeds 0 to ``seeds - 1`` and adds mean and spread. Two folders
    are compared by ``workers``: this process, and others of this machine; the report is the same, bit for bit.

    Raises ``NotFoundError`` for an unknown id, ``InputError`` where the two are not comparable, for a folder that holds no
    whole field, and for an id without a store; ``ChangedError`` where one of them is written or grown meanwhile.
    """
    both = Named.of(true, store), Named.of(predicted, store)
    check_workers(workers, both=both)
    if any(named.snapshot is not None for named in both):
        whole = both[0].read(), both[1].read()
        return _compare_kept(*whole, predicted_id=both[1].title, pairs=pairs, seed=seed, seeds=seeds, device=device)
    with ExitStack() as stack:
        truth, copy = (named.held(stack) for named in both)
        asked: dict[str, Any] = {"pairs": pairs, "seed": seed, "seeds": seeds, "device": device}
        task = ComparisonTask(_open_tour, both[0].title, both[1].title, asked)
        engine = stack.enter_context(started(task, workers=workers)) if workers > 1 else None
        question = question_of(truth, copy, workers=workers, **asked)
        trained, warnings = question.trained, []
        if trained is not None and not question.grown_by_one:
            warnings.append(
                f"{copy.hierarchy.id!r} was grown by several predictors; teacher forcing is of the last one, {trained.id!r}"
            )

        def share(repeats: "Sequence[TrainedPredictor]") -> Share | None:
            if engine is None:
                return None
            known = replace(task, repeats=tuple(repeats), name=f"{task.name} again") if repeats else task
            return partial(share_parts, task=known, workers=workers, engine=engine)

        return question.answer(warnings=warnings, share=share, progress=progress)


def _open_tour(true: str, predicted: str, asked: dict[str, Any], repeats: Sequence["TrainedPredictor"]) -> Tour:
    """The way through two folders, as another process goes it: with the same baselines, fitted anew."""
    with ExitStack() as stack:
        truth, copy = (Named(title).held(stack) for title in (true, predicted))
        question = question_of(truth, copy, **asked)
        prefix = question.true_cells.read(top=ROOT, depth=question.from_depth)
        return question.tour(question.candidates(question.beside(prefix)[0], repeats, prefix=prefix))


def _compare_kept(
    true: "WithGrowers", predicted: "WithGrowers", *, predicted_id: str, pairs: int, seed: int, seeds: int, device: str
) -> Report:
    """Compare two of which one is a snapshot: both in memory."""
    (truth, _), (copy, growers) = true, predicted
    check_comparable(truth.require_field("compare by address"), copy.require_field("compare by address"))
    return compare_cells(
        truth,
        copy.cells,
        trained=growers[0].trained if growers else None,
        predicted_id=predicted_id,
        pairs=pairs,
        seed=seed,
        seeds=seeds,
        device=device,
    )


def question_of(truth: Held, copy: Held, *, device: str = "cpu", **asked: int) -> "Question":
    """What is asked of two hierarchies, wherever they are held; ``asked`` are numbers of a :class:`Question`.

    Raises an ``InputError`` where the two are not comparable.
    """
    check_comparable(truth.hierarchy, copy.hierarchy)
    trained = copy.latest()
    return Question(
        true=truth.hierarchy,
        predicted=copy.hierarchy.id,
        encoder=truth.encoder,
        true_cells=truth.reader,
        predicted_cells=copy.reader,
        from_depth=copy.from_depth,
        predictor=trained.load(device=device) if trained else None,
        trained=trained,
        grown_by_one=len(copy.grown_by) <= 1,
        truth_observed=not truth.grown_by,
        device=device,
        **asked,
    )


def compare_cells(
    true: HierarchyWithCells,
    predicted: Cells,
    *,
    predictor: "Predictor | None" = None,
    trained: "TrainedPredictor | None" = None,
    from_depth: int | None = None,
    predicted_id: str = "predicted",
    pairs: int = PAIRS,
    seed: int = 0,
    seeds: int = 0,
    device: str = "cpu",
    window_cells: int | None = None,
) -> Report:
    """Compare cells in memory with a true hierarchy that holds its cells; no store is needed.

    Args:
        true: the truth, with its cells.
        predicted: what is compared with it: a whole hierarchy, grown from a prefix of the truth.
        predictor: what made it, for teacher forcing and certificates; None: unknown (``trained`` is loaded where given).
        trained: the same with its history, for warnings and for ``seeds``.
        from_depth: the depth of the prefix; by default what ``predicted.predicted`` says.
        predicted_id: its name in the report.
        pairs: how many pairs of cells the path distortion is measured on.
        seed: of the samples.
        seeds: how many times training is repeated.
        device: where a predictor runs.
        window_cells: how many cells of a side are looked at at once at most.

    Raises:
        InputError: where the two are not comparable.
    """
    truth = true.require_cells().require_field("compare by address")
    if predictor is None and trained is not None:
        predictor = trained.load(device=device)
    question = Question(
        true=truth.without_cells(),
        predicted=predicted_id,
        encoder=lambda: truth.encoder,
        true_cells=CellsReader(truth.cells),
        predicted_cells=CellsReader(predicted),
        from_depth=first_unseen(predicted) - 1 if from_depth is None else from_depth,
        predictor=predictor,
        trained=trained,
        truth_observed=not truth.cells.predicted.any(),
        pairs=pairs,
        seed=seed,
        seeds=seeds,
        device=device,
        window_cells=window_cells,
    )
    return question.answer()


def first_unseen(cells: Cells) -> int:
    """The first level with a predicted cell; 1 where there is none, so that all but the root is compared."""
    return max(1, int(cells.level[cells.predicted].min())) if cells.predicted.any() else 1


def check_comparable(true: FieldHierarchy, predicted: FieldHierarchy) -> None:
    """Raise an ``InputError`` that says both values where two hierarchies differ in what a field is."""
    for name in ("arity", "dimension", "scale_factor"):
        mine, its = getattr(true, name), getattr(predicted, name)
        if not math.isclose(mine, its, rel_tol=ROOT_TOLERANCE):
            _refuse(name.replace("_", " "), (true.id, predicted.id), (mine, its))


@dataclass(frozen=True, eq=False)
class Question:
    """Two hierarchies to compare, what is known of how the prediction was made, and how much is asked."""

    true: FieldHierarchy  # without cells
    predicted: str
    true_cells: Reader
    predicted_cells: Reader
    from_depth: int
    encoder: Callable[[], Encoder | None] = lambda: None  # what is kept beside the truth
    predictor: "Predictor | None" = None
    trained: "TrainedPredictor | None" = None
    grown_by_one: bool = True  # False where other predictors grew parts of it
    truth_observed: bool = True  # False where a predictor put cells into the truth itself
    pairs: int = PAIRS
    seed: int = 0
    seeds: int = 0
    device: str = "cpu"
    workers: int = 1  # at once, where something is done by several
    window_cells: int | None = None

    def answer(
        self,
        *,
        warnings: Sequence[str] = (),
        share: "Callable[[Sequence[TrainedPredictor]], Share | None]" = lambda repeats: None,
        progress: Progress = lambda done, total: None,
    ) -> Report:
        """Measure everything and report it; ``share``, given what was trained again, has parts made by several.

        Raises an ``InputError`` where the question makes no sense.
        """
        self.check()
        prefix = self.true_cells.read(top=ROOT, depth=self.from_depth)
        beside, remarks = self.beside(prefix)
        repeats = self.repeats()
        candidates = self.candidates(beside, repeats, prefix=prefix)
        main, *others = self.measure(candidates, prefix=prefix, progress=progress, share=share(repeats))
        shown = dict(zip(beside, others, strict=False))
        return Report(
            **dict(main),
            predictor=self.trained.id if self.trained else None,
            family=self.predictor.family if self.predictor else None,
            baselines={name: found for name, found in shown.items() if name in BASELINES},
            beside={name: found for name, found in shown.items() if name not in BASELINES},
            seeds=self.seeds_report(others[len(beside) :], repeats),
            warnings=(*self.warnings(), *warnings),
            remarks=(*self.remarks(), *remarks),
        )

    def bounds(self, *, progress: Progress = lambda done, total: None) -> Certificates:
        """What is proven of the prediction, and nothing beside it: no baselines, no distances of sets."""
        self.check()
        candidates = self.candidates({}, (), prefix=self.true_cells.read(top=ROOT, depth=self.from_depth))
        plan = replace(self.plan(), pairs=1, center_sample=1)
        (tally,), _ = Tour(self.cut(), plan, tuple(candidates)).tallies(progress=progress)
        return candidates[0].certifier.certify(tally.errors, levels=plan.levels, true_depth=self.true_cells.depth)

    def measure(
        self, candidates: list[Candidate], *, prefix: Cells, progress: Progress, share: Share | None = None
    ) -> list[Comparison]:
        """The report on every candidate."""
        tour = self.tour(candidates)
        tallies, truth = tour.tallies(progress=progress, share=share)
        summary = Summary(self.true, self.from_depth, tour.plan, truth, prefix=prefix, true_depth=self.true_cells.depth)
        if self.workers == 1:
            return [summary.comparison(candidate, tally) for candidate, tally in zip(candidates, tallies, strict=True)]
        with ThreadPoolExecutor(min(self.workers, len(candidates)), thread_name_prefix="cfgraph-compare") as threads:
            return list(threads.map(summary.comparison, candidates, tallies))

    def tour(self, candidates: list[Candidate]) -> Tour:
        """The way through both."""
        both = self.true_cells, self.predicted_cells
        known = [getattr(cells, "deepest", 0) for cells in both] if both[0].depth == both[1].depth else [0]
        return Tour(self.cut(), self.plan(sides=1 + len(candidates)), tuple(candidates), deepest=min(known))

    def candidates(
        self, beside: dict[str, "Predictor"], repeats: Sequence["TrainedPredictor"], *, prefix: Cells
    ) -> list[Candidate]:
        """The prediction itself, then what stands beside it and the repeated trainings, grown over the true cells."""
        certified = self.predictor if self.grown_by_one else None
        main = Candidate(self.predicted, self.rule(self.predictor), self.certifier(certified, prefix), grows=False)
        loaded = {f"{self.predicted} (seed {trained.seed})": trained.load(device=self.device) for trained in repeats}
        grown = [
            Candidate(name, self.rule(predictor), self.certifier(predictor, prefix), grows=True)
            for name, predictor in (*beside.items(), *loaded.items())
        ]
        return [main, *grown]

    def check(self) -> None:
        """Refuse numbers that make no sense, and hierarchies that do not belong together."""
        if self.pairs < 1:
            raise InputError(f"expected a number of pairs of at least 1, got {self.pairs}")
        if self.seeds < 0:
            raise InputError(f"expected a number of seeds of at least 0, got {self.seeds}")
        if self.from_depth < 0:
            raise InputError(f"expected a prefix of depth 0 or more, got {self.from_depth}")
        if self.seeds and self.trained is None:
            raise InputError(
                f"training can be repeated only where a predictor is known, and {self.predicted!r} was grown by none"
            )
        if self.seed < 0:
            raise InputError(f"expected a seed of at least 0, got {self.seed}")
        names, depth = (self.true.id, self.predicted), 1
        check_roots(*(cells.read(top=ROOT, depth=depth) for cells in (self.true_cells, self.predicted_cells)), names=names)

    def plan(self, *, sides: int = 2) -> Plan:
        """What will be measured, of the truth and so many others."""
        deepest = max(self.true_cells.depth, self.predicted_cells.depth)
        return Plan(
            arity=self.true.arity,
            from_depth=self.from_depth,
            levels=range(self.from_depth + 1, deepest + 1),
            shared_depth=min(self.true_cells.depth, self.predicted_cells.depth),
            pairs=self.pairs,
            center_sample=center_sample_size(self.true.dimension, sides=sides),
            seed=self.seed,
        )

    def cut(self) -> Cut:
        """How both hierarchies are cut into windows."""
        return Cut.of(
            self.true_cells,
            self.predicted_cells,
            arity=self.true.arity,
            dimension=self.true.dimension,
            from_depth=self.from_depth,
            seed=self.seed,
            cells_max=self.window_cells,
        )

    def rule(self, predictor: "Predictor | None") -> Rule | None:
        """What a predictor answers, as a rule."""
        return None if predictor is None else predictor.predict

    def certifier(self, predictor: "Predictor | None", prefix: Cells) -> Certifier:
        """What may be proven about what a predictor grew from the prefix."""
        rows, tuples = prefix.expansions(self.true.arity)
        return Certifier.of(
            self.true,
            predictor,
            from_depth=self.from_depth,
            root_scale=float(prefix.scale[0]),
            root_tuple=tuples[0] if len(rows) and rows[0] == 0 else None,
            rule=self.true_rule[0],
            doubt=self.true_rule[1],
        )

    @cached_property
    def true_rule(self) -> tuple[CenterRule | TupleRule | None, str | None]:
        """The rule of the truth, where its source follows one and no predictor put cells into it; or why it is not known."""
        if not self.truth_observed:
            return None, None
        from cfgraph.sources.rules import Beside, find_rule  # here: it brings all sources

        beside = Beside(encoder=self.encoder, prefix=lambda depth: self.true_cells.read(top=ROOT, depth=depth))
        try:
            return find_rule(self.true, beside=beside), None
        except InputError as error:
            return None, str(error)

    @property
    def rule_of_centers(self) -> bool:
        """Whether the true rule is known, as a function of centers."""
        return self.true_rule[0] is not None and not isinstance(self.true_rule[0], TupleRule)

    def beside(self, prefix: Cells) -> tuple[dict[str, "Predictor"], list[str]]:
        """Every baseline and `local-linear`, fitted on the prefix, and why one could not be."""
        from cfgraph.predictors import fit_predictor

        observed, tuples = observe_prefix(prefix, arity=self.true.arity)
        if observed is None:
            return {}, ["no baseline could be fitted: the prefix has no parent with all its children"]
        bound = (longest(tuples) or 0.0) if self.true.data_built else self.true.residual_bound
        fitted, remarks = {}, []
        for family in BESIDE:
            try:
                fitted[family] = fit_predictor(
                    family,
                    observed=observed,
                    tuples=tuples,
                    scale_factor=self.true.scale_factor,
                    residual_bound=bound,
                    seed=self.seed,
                )
            except InputError as error:
                remarks.append(f"{family!r} could not be fitted: {error}")
        return fitted, remarks

    def repeats(self) -> list["TrainedPredictor"]:
        """The predictor's family trained again on the same prefix, with seeds 0, 1, ..."""
        asked = self.trained
        if asked is None or not self.seeds:
            return []
        from cfgraph.learning.train import train
        from cfgraph.predictors import NetworkOptions

        options = NetworkOptions(**given) if (given := asked.recipe.get("options")) else None
        observed = self.true.with_cells(self.true_cells.read(top=ROOT, depth=asked.depth))
        return [
            train(observed, id=asked.id, depth=asked.depth, family=asked.family, seed=seed, device=self.device, options=options)
            for seed in range(self.seeds)
        ]

    def seeds_report(self, found: Sequence[Comparison], repeats: Sequence["TrainedPredictor"]) -> SeedsReport | None:
        """Mean and spread over the repeated trainings."""
        if not found or self.trained is None:
            return None
        flagged = [trained.seed for trained in repeats if trained.flagged]
        return SeedsReport.of(found, family=self.trained.family, flagged=flagged)

    def warnings(self) -> list[str]:
        """What must be said loudly."""
        found = (
            [] if self.truth_observed else [f"{self.true.id!r}, taken for the truth, holds cells that a predictor put there"]
        )
        if self.trained is None:
            return found
        who = f"predictor {self.trained.id!r} ({self.trained.family})"
        warnings = [f"{who}: {warning}" for warning in self.trained.warnings]
        if self.trained.flagged and not any("FLAGGED" in line for line in warnings):
            warnings.insert(0, f"{who}: FLAGGED: it is no better than the best baseline")
        return found + warnings

    def remarks(self) -> list[str]:
        """What a reader should bear in mind."""
        found = [DISTORTION_REMARK]
        if self.true.data_built:
            found.append(SLOTS_REMARK)
        if self.predictor is None:
            found.append(f"{self.predicted!r} was grown by no predictor that is known, so nothing is teacher-forced")
        if self.trained is not None and self.trained.hierarchy != self.true.id:
            found.append(f"the predictor was trained on {self.trained.hierarchy!r}, not on {self.true.id!r}")
        return found


def center_sample_size(dimension: int, *, sides: int = 2) -> int:
    """How many of one side's deepest centers the Hausdorff distance is measured on at most: bounded in memory and time."""
    fitting = min(CENTER_FLOATS, CENTER_FLOATS_ALL // sides) // max(1, dimension)
    if dimension > TREE_DIMENSION:
        fitting = min(fitting, int(math.sqrt(CENTER_WORK / dimension)))
    return max(1_000, fitting)


def observe_prefix(prefix: Cells, *, arity: int) -> tuple[Frontier | None, np.ndarray]:
    """What a predictor learns from in a prefix; None where no cell has all its children."""
    rows, tuples = prefix.expansions(arity)
    return (frontier_of(prefix, rows, arity=arity), tuples) if len(rows) else (None, tuples)


def check_roots(true: Cells, predicted: Cells, *, names: tuple[str, str]) -> None:
    """Raise an ``InputError`` that says both values where two hierarchies, given down to level 1, do not start alike."""
    if true.dimension != predicted.dimension:
        _refuse("dimension", names, (true.dimension, predicted.dimension))
    scales = float(true.scale[0]), float(predicted.scale[0])
    if not math.isclose(*scales, rel_tol=ROOT_TOLERANCE):
        _refuse("root scale", names, scales)
    if not np.allclose(true.center[0], predicted.center[0], rtol=ROOT_TOLERANCE, atol=ROOT_TOLERANCE * scales[0]):
        _refuse("root center", names, (true.center[0].tolist(), predicted.center[0].tolist()))
    if len(true) == 1 or len(predicted) == 1:
        return
    if len(true) != len(predicted):
        _refuse("arity", names, (len(true) - 1, len(predicted) - 1))
    factors = float(true.scale[1]) / scales[0], float(predicted.scale[1]) / scales[1]
    if not math.isclose(*factors, rel_tol=ROOT_TOLERANCE):
        _refuse("scale factor", names, factors)


def _refuse(what: str, names: tuple[str, str], values: tuple) -> NoReturn:
    texts = [text if len(text := str(value)) <= 80 else f"{text[:77]}..." for value in values]
    raise InputError(
        f"expected two hierarchies of one {what}, got {names[0]!r} with {texts[0]} and {names[1]!r} with {texts[1]}; compare a "
        "prediction with the hierarchy that it was copied from"
    )


@dataclass(frozen=True, eq=False)
class Summary:
    """From what was found to what is reported."""

    true: FieldHierarchy
    from_depth: int
    plan: Plan
    truth: TruthTally
    prefix: Cells
    true_depth: int

    def comparison(self, candidate: Candidate, tally: Tally) -> Comparison:
        """The report on one candidate."""
        certificates = candidate.certifier.certify(tally.errors, levels=self.plan.levels, true_depth=self.true_depth)
        found = zip(self.plan.levels, certificates.by_level, strict=True)
        return Comparison(
            true=self.true.id,
            predicted=candidate.name,
            from_depth=self.from_depth,
            levels=tuple(
                level_report(level, tally.levels.get(level, LevelTally()), None if bound is None else certificates.from_prefix)
                for level, bound in found
            ),
            path_distortion=DistortionReport.of(self.path_distortion(tally), seed=self.plan.seed),
            **self.hausdorff(tally.centers),
            certificates=certificates,
        )

    def path_distortion(self, tally: Tally) -> PathDistortion:
        """The distortion over pairs drawn on every unseen level: two of its cells, and a cell with one of its ancestors."""
        drawn = [draw_distances(sample, level=level, plan=self.plan) for level, sample in sorted(tally.paths.items())]
        both = np.concatenate(drawn)[: self.plan.pairs] if drawn else np.zeros((0, 2))
        return path_distortion(both[:, 0], both[:, 1])

    def hausdorff(self, predicted: Sample | None) -> dict[str, Any]:
        """The distance between the deepest centers, over the diameter, and against what the prefix alone would give."""
        true, diameter = self.truth.centers, self.truth.diameter
        if true is None or predicted is None or not len(true) or not len(predicted):
            return {"hausdorff_level": self.plan.shared_depth, "diameter": diameter}
        points = PointSet(predicted.columns["center"])
        distance = hausdorff_distance(self.true_points, points, partner=predicted.rows_of(true.priority))
        return {
            "hausdorff": distance,
            "hausdorff_over_diameter": distance / diameter if diameter > 0 else None,
            "skill": 1 - distance / self.prefix_distance if self.prefix_distance > 0 else None,
            "hausdorff_level": self.plan.shared_depth,
            "hausdorff_sample": center_count(true, predicted),
            "diameter": diameter,
        }

    @cached_property
    def prefix_distance(self) -> float:
        """How far the deepest centers of the prefix alone are from the true ones."""
        rows = deepest_rows(self.prefix, depth=min(self.from_depth, self.plan.shared_depth), cut=None)
        return hausdorff_distance(self.true_points, PointSet(self.prefix.center[rows]))

    @cached_property
    def true_points(self) -> PointSet:
        """The deepest true centers."""
        seen = self.truth.centers
        return PointSet(np.zeros((0, self.true.dimension)) if seen is None else seen.columns["center"])


def center_count(true: Sample, predicted: Sample) -> CenterCount | None:
    """How many centers were compared, where these are not all."""
    if true.seen == len(true) and predicted.seen == len(predicted):
        return None
    return CenterCount(true=len(true), true_of=true.seen, predicted=len(predicted), predicted_of=predicted.seen)


def level_report(level: int, tally: LevelTally, certificate: float | None) -> LevelReport:
    """What is reported of one level."""
    return LevelReport(
        level=level,
        parents=tally.parents,
        parents_rolled_out=tally.rolled.parents,
        teacher_forced=tally.teacher.measures(),
        rolled_out=RolledOut(**vars(tally.rolled.measures()), max_center_error=tally.center_error),
        certificate=certificate,
        matched=tally.matched,
        only_true=tally.only_true,
        only_predicted=tally.only_predicted,
    )


def draw_distances(sample: Sample, *, level: int, plan: Plan) -> Float[np.ndarray, "pairs 2"]:
    """Predicted and true path distances of seeded pairs on one level: same-level ones and, by turns, ancestor ones."""
    random, count = np.random.default_rng([plan.seed, level]), plan.pairs_per_level
    order = sample.by_priority
    slots, lengths = sample.columns["slots"][order], [sample.columns[side][order] for side in ("predicted", "true")]
    first, step = random.integers(len(order), size=count), random.integers(1, max(2, len(order)), size=count)
    second = (first + step) % len(order)
    meeting = common_levels(slots[first], slots[second])
    same_level = np.stack([chain_distances(side, first=first, second=second, meeting=meeting) for side in lengths], axis=1)
    lower, upper = random.integers(len(order), size=count), random.integers(level, size=count)
    below = np.arange(level) >= upper[:, None]
    ancestor = np.stack([np.where(below, side[lower], 0.0).sum(axis=1) for side in lengths], axis=1)
    if len(order) < 2:
        return ancestor
    return np.stack([same_level, ancestor], axis=1).reshape(-1, 2)
