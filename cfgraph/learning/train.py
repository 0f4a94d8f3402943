"""Train: a predictor learned from the prefix of a hierarchy, judged on its deepest parents, with what a reader must know.

Parents of the deepest observed level are held out, in two ways, and every family that is asked about is judged by its nMSE on
them; the family that is taken then learns from all.

* *Three folds*: one parent in three of that level, by their places in the order of addresses; all others are learned from.
  They decide between families, and on flags. Of many parents ``auto`` trains a network that is no better than the best
  baseline on the first fold for no other.
* *The whole level*: closer to what a rollout asks for, but half of the parents and more are not learned from. It is
  reported beside, and it alone says whether a closed form (the baselines, `local-linear` and the recurrence) is exact to
  rounding: then networks need not be trained.

``auto`` chooses with few held-out parents in mind, as a prefix of data has, where being ahead is often luck:

* A learned family (local-linear, recurrence, networks) has to *earn its place* by an error at most so much of the best
  baseline's as ``EARNS`` says; of several the one of least error is taken. A recurrence that is exact to rounding is taken
  before anything else that is, because it alone says what it learned, as maps.
* Else a baseline is taken: of those that are within one standard error of the best (of the paired differences), the first
  of ``PREFERRED``. Rules that follow the parent's tuple come first: in a field that varies smoothly they get better level
  by level, while what was learned from the first levels stays as it is.

A prefix whose deepest parents are children of the root (depth 2) leaves no pair to test the recurrence on, and in-sample it
fits anything. There ``auto`` takes it if and only if there are more slots than dimensions and the tuples of the root's
children lie in the span of the root's (derived, docs/mathematics.md); else a baseline, by the folds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from cfgraph.errors import InputError, MissingExtraError, Note, how_to_install
from cfgraph.model.address import ROOT, check_id
from cfgraph.model.cells import Cells
from cfgraph.model.growth import Frontier, observe
from cfgraph.model.hierarchy import FieldHierarchy, FieldWithCells, HierarchyWithCells
from cfgraph.predictors import AUTO, BASELINES, BESIDE, DEVICE, FAMILIES, NETWORKS, SEED
from cfgraph.predictors.network import Anchored, Mlp, check_device, has_torch
from cfgraph.predictors.options import NetworkOptions
from cfgraph.predictors.predictor import Predictor
from cfgraph.predictors.recurrence import GROWTH_TOLERANCE, SPAN_TOLERANCE, Recurrence, span_residual
from cfgraph.predictors.registry import check_weights, dump_predictor, families_of_others, find_family, fit_predictor
from cfgraph.predictors.trained import TrainedPredictor, Validation

# A smooth generator's recurrence came no lower than 0.8 of the best baseline in 720 tries, an exact one is at 0. The others, on
# clustered digits and noise, came no lower than 1.04; and where there is a rule, they are better below than on the held-out
# parents, whose neighbours are held out or farther.
EARNS = {"recurrence": 0.5, "local-linear": 0.8, "mlp": 0.8, "mlp-context": 0.8, "anchored": 0.8}
PREFERRED = ("scaled-parent", "parent", "mean", "zero", "affine", "nearest")
SETTLED = 1e-20  # an nMSE of a closed form that no network needs to be trained beside: relative errors of 1e-10
EXACT = 1e-24  # an nMSE that is rounding: relative errors of 1e-12
NEGLIGIBLE = 1e-18  # an nMSE that no baseline needs to be beaten by: relative errors of 1e-9
RACED = 256  # observed parents above which `auto` trains a network that loses the first fold for no other: they are dear
FOLDS = 3  # of the deepest parents: each is held out once, and two thirds of them are learned from
SEED_MAX = 2**63 - 1


@dataclass(frozen=True, eq=False)
class _Examples:
    """Observed parents and their children's tuples, with the numbers of the field."""

    parents: Frontier
    tuples: Float[np.ndarray, "parents arity dim"]
    scale_factor: float
    residual_bound: float | None  # None where data gives it: then it is the longest residual learned from

    @classmethod
    def of(cls, cells: Cells, hierarchy: FieldHierarchy) -> "_Examples":
        parents, tuples = observe(cells, arity=hierarchy.arity)
        bound = None if hierarchy.data_built else hierarchy.residual_bound
        return cls(parents=parents, tuples=tuples, scale_factor=hierarchy.scale_factor, residual_bound=bound)

    @property
    def deepest(self) -> Bool[np.ndarray, " parents"]:
        """Which parents are of the deepest level: those to hold out."""
        return self.parents.level == self.parents.level.max()

    @property
    def generations(self) -> int:
        """How many levels of parents there are."""
        return int(self.parents.level.max()) + 1

    def take(self, chosen: Bool[np.ndarray, " parents"]) -> "_Examples":
        rows = np.flatnonzero(chosen)
        return _Examples(self.parents.take(rows), self.tuples[rows], self.scale_factor, self.residual_bound)

    def fit(self, family: str, *, how: "_How") -> Predictor:
        bound = self.residual_bound
        return fit_predictor(
            family,
            observed=self.parents,
            tuples=self.tuples,
            scale_factor=self.scale_factor,
            residual_bound=float(np.linalg.norm(self.tuples, axis=2).max()) if bound is None else bound,
            seed=how.seed,
            device=how.device,
            options=how.options,
        )


@dataclass(frozen=True)
class _How:
    """The arguments of a training that every fit gets."""

    seed: int
    device: str
    options: NetworkOptions | None


def train(
    hierarchy: HierarchyWithCells,
    *,
    id: str | None = None,
    depth: int | None = None,
    family: str = AUTO,
    seed: int = SEED,
    device: str = DEVICE,
    options: NetworkOptions | None = None,
) -> TrainedPredictor:
    """Learn a predictor from the cells of a hierarchy's levels up to ``depth``, and judge it.

    Args:
        hierarchy: with its cells, at least the prefix of that depth.
        id: the predictor's id; that of the hierarchy with ``-rule`` behind it unless given.
        depth: L; the parents of levels below L and their children are learned from; all levels unless given.
        family: one of ``FAMILIES``, ``auto`` (the best of these), or one of another package (entry point
            ``cfgraph.predictors``).
        seed: of the networks.
        device: where networks are trained.
        options: the networks' size and training.

    Raises:
        InputError: for a depth that the hierarchy does not have or that holds no parent with all its children, and for
            arguments out of their range.
        MissingExtraError: for a network where torch is not installed (``auto`` leaves networks out and says so).
    """
    field = hierarchy.require_field("train").require_cells()
    id = check_id(f"{field.id}-rule" if id is None else id)
    depth = field.cells.depth if depth is None else depth
    how = _check_arguments(family=family, seed=seed, device=device, options=options)
    examples = _Examples.of(_prefix(field, depth=depth), field)
    if len(examples.tuples) == 0:
        raise InputError(f"no cell of levels 0 to {depth - 1} of {field.id!r} has all its {field.arity} children")
    rivals, missing = _rivals(family)
    trials = _try_out(examples, families=rivals, how=how, spare=family == AUTO)
    chosen, remarks = _choose(examples, trials) if family == AUTO else (family, ())
    predictor = examples.fit(chosen, how=how)
    flagged, verdict = _judge(predictor, examples=examples, trial=trials.folds)
    _check_trained(predictor)
    weights, config = dump_predictor(predictor)
    trained = TrainedPredictor(
        id=id,
        family=chosen,
        hierarchy=field.id,
        depth=depth,
        seed=seed,
        arity=field.arity,
        dimension=field.dimension,
        scale_factor=field.scale_factor,
        residual_bound=predictor.residual_bound,
        config=config,
        weights=weights,
        validation=trials.whole.validation,
        folds=trials.folds.validation,
        not_trained=trials.not_trained,
        outrun=trials.outrun,
        flagged=flagged,
        warnings=(*_doubts(field, depth=depth), *missing, *remarks, *verdict),
        recipe=_recipe(field, depth=depth, family=family, how=how),
    )
    if (told := trained.no_better) is None:
        return trained
    told = f"{chosen} is {told}; copies can be grown with it, and in place only what is asked for anyway (--anyway)"
    return trained.model_copy(update={"warnings": (*trained.warnings, Note(told))})


def _check_arguments(*, family: str, seed: int, device: str, options: NetworkOptions | None) -> _How:
    if family != AUTO:
        if family not in (families := (*FAMILIES, *families_of_others())):
            raise InputError(f"expected a family out of {AUTO}, {', '.join(families)}, got {family!r}")
        find_family(family)  # whether it loads, before anything is fitted
    if family in NETWORKS and not has_torch():
        raise MissingExtraError.of("torch", extra="torch", purpose=f"training {family}")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= SEED_MAX:
        raise InputError(f"expected a whole number from 0 to {SEED_MAX} as the seed, got {seed!r}")
    check_device(device)
    return _How(seed=seed, device=device, options=options)


def _prefix(hierarchy: FieldWithCells, *, depth: int) -> Cells:
    """The observed cells; an ``InputError`` where they cannot be learned from."""
    cells = hierarchy.cells
    if cells.top != ROOT:
        raise InputError(f"expected a prefix of {hierarchy.id!r} to learn from, got its subtree at {cells.top}")
    if hierarchy.dimension == 0:
        raise InputError(f"the cells of {hierarchy.id!r} have no centers (dimension 0): there are no residuals to learn")
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
        raise InputError(f"expected a depth of at least 1, the root's children, got {depth!r}")
    if depth > cells.depth:
        raise InputError(f"{hierarchy.id!r} is {cells.depth} levels deep, got --depth {depth}; train on at most {cells.depth}")
    return cells.prefix(depth)


def _rivals(family: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The families to judge, and a warning where some cannot be."""
    if family != AUTO:
        return (*BESIDE, *(() if family in BESIDE else (family,))), ()
    if has_torch():
        return FAMILIES, ()
    reason = f"networks were left out, because torch is not installed; install it with: {how_to_install('torch')}"
    return tuple(name for name in FAMILIES if name not in NETWORKS), (reason,)


@dataclass(frozen=True, eq=False)
class _Trial:
    """How families did on the held-out parents: each one's squared error parent by parent, None where it was not judged."""

    errors: Mapping[str, Float[np.ndarray, " parents"] | None]
    size: float  # the held-out tuples' own squares, summed

    def nmse(self, family: str) -> float | None:
        """The summed error over the summed squares; None where that says nothing."""
        errors = self.errors.get(family)
        if errors is None or not (np.isfinite(errors).all() and np.isfinite(self.size) and self.size > 0):
            return None
        return float(errors.sum() / self.size)

    def is_beyond_floats(self, family: str) -> bool:
        """Whether a family was tried, and some of its errors are no finite numbers."""
        errors = self.errors.get(family)
        return errors is not None and not np.isfinite(errors).all()

    @property
    def validation(self) -> Validation:
        return {family: self.nmse(family) for family in self.errors}

    def beside(self, other: "_Trial") -> "_Trial":
        """With other families, tried on the same parents."""
        return _Trial(errors={**self.errors, **other.errors}, size=self.size)

    def ordered(self, families: Sequence[str]) -> "_Trial":
        """With these families in this order, those that were not tried among them."""
        return _Trial(errors={family: self.errors.get(family) for family in families}, size=self.size)

    @classmethod
    def joined(cls, trials: "Sequence[_Trial]") -> "_Trial":
        """The same families over the parents of several trials; one that was not judged everywhere is not judged."""
        columns = {family: [trial.errors.get(family) for trial in trials] for family in trials[0].errors}
        errors = {
            family: None
            if any(part is None for part in parts)
            else np.concatenate([part for part in parts if part is not None])
            for family, parts in columns.items()
        }
        return cls(errors=errors, size=sum(trial.size for trial in trials))

    def judged(self, families: Sequence[str]) -> dict[str, float]:
        """The nMSE of those of the families that were judged, the best first."""
        found = {family: nmse for family in families if (nmse := self.nmse(family)) is not None}
        return dict(sorted(found.items(), key=lambda item: item[1]))

    def is_near(self, family: str, best: str) -> bool:
        """Whether a family is within one standard error of the best one, by their differences parent by parent."""
        nmse = self.judged([family, best])
        if nmse[best] <= EXACT:
            return nmse[family] <= EXACT
        errors = {name: found for name, found in self.errors.items() if found is not None}
        difference = errors[family] - errors[best]
        deviation = difference.std(ddof=1) if len(difference) > 1 else 0.0
        return bool(difference.mean() <= deviation / np.sqrt(len(difference)))


@dataclass(frozen=True, eq=False)
class _Trials:
    """How families did on one parent in three of the deepest level, and on that level as a whole."""

    folds: _Trial
    whole: _Trial
    not_trained: tuple[str, ...] = ()  # networks that a closed form made needless
    outrun: tuple[str, ...] = ()  # networks that lost the first fold, and were tried on no other


def _try_out(examples: _Examples, *, families: Sequence[str], how: _How, spare: bool) -> _Trials:
    """Each family tried on the deepest parents, in both ways; and the families left out.

    To ``spare`` networks is to train none where a closed form is exact already: nothing that they learn could be taken.
    """
    if examples.generations == 1:
        unjudged = _Trial(errors=dict.fromkeys(families), size=0.0)
        return _Trials(unjudged, unjudged)
    closed = [family for family in families if family not in NETWORKS]
    networks = tuple(family for family in families if family in NETWORKS)
    whole = _try_whole(examples, families=closed, how=how)
    not_trained = networks if spare and networks and _is_settled(examples, whole) else ()
    trained = [family for family in networks if family not in not_trained]
    whole = whole.beside(_try_whole(examples, families=trained, how=how))
    folds, outrun = _try_folds(examples, families=[*closed, *trained], how=how, race=spare and len(examples.tuples) > RACED)
    return _Trials(folds.ordered(families), whole.ordered(families), not_trained, outrun)


def _try_whole(examples: _Examples, *, families: Sequence[str], how: _How) -> _Trial:
    """Each family learned from the parents above the deepest level, and tried on those."""
    return _try_on(examples, examples.deepest, families=families, how=how)


def _try_folds(examples: _Examples, *, families: Sequence[str], how: _How, race: bool) -> tuple[_Trial, tuple[str, ...]]:
    """Each family tried on every third of the deepest parents, learned from all others; and the networks that lost a race.

    Of two levels of parents no pair is left for a recurrence: the slots that are held out were never seen.
    """
    place = np.where(examples.deepest, np.cumsum(examples.deepest) - 1, -1)
    fitting = [family for family in families if family != Recurrence.family or examples.generations > 2]
    outrun: tuple[str, ...] = ()
    trials = []
    for fold in range(min(FOLDS, 1 + int(place.max()))):
        alive = [family for family in fitting if family not in outrun]
        trials.append(_try_on(examples, (place >= 0) & (place % FOLDS == fold), families=alive, how=how))
        outrun = _outrun(trials[0]) if race else ()
    return _Trial.joined(trials).ordered(families), outrun


def _outrun(first: _Trial) -> tuple[str, ...]:
    """The networks that are no better than the best baseline on the first fold."""
    best = min(first.judged(BASELINES).values(), default=np.inf)
    return tuple(family for family in NETWORKS if (error := first.nmse(family)) is not None and error >= best)


def _try_on(examples: _Examples, held: Bool[np.ndarray, " parents"], *, families: Sequence[str], how: _How) -> _Trial:
    """Each family learned from the other parents, and tried on those that are held out."""
    learned_from, held_out = examples.take(~held), examples.take(held)
    errors: dict[str, np.ndarray | None] = dict.fromkeys(families)
    for family, predictor in _fit_each(learned_from, families=families, how=how):
        errors[family] = ((predictor.predict(held_out.parents) - held_out.tuples) ** 2).sum(axis=(1, 2))
    return _Trial(errors=errors, size=float((held_out.tuples**2).sum()))


def _fit_each(learned_from: _Examples, *, families: Sequence[str], how: _How) -> Iterator[tuple[str, Predictor]]:
    """The families that can learn from some examples, fitted; ``anchored`` has the network of ``mlp`` where that is there."""
    network: Mlp | None = None
    for family in families:
        if family == Recurrence.family and learned_from.generations == 1:
            continue  # it learns from pairs of a cell and its parent, and there is none
        if family == Anchored.family and network is not None:
            yield family, Anchored.around(network)
            continue
        predictor = learned_from.fit(family, how=how)
        network = predictor if isinstance(predictor, Mlp) else network
        yield family, predictor


def _is_settled(examples: _Examples, closed: _Trial) -> bool:
    """Whether a closed form is exact to rounding: on the whole deepest level, or by the span test where it may be asked."""
    exact = any(error is not None and error <= SETTLED for error in closed.validation.values())
    return exact or (examples.generations == 2 and _test_span(examples)[0])


def _choose(examples: _Examples, trials: _Trials) -> tuple[str, tuple[str, ...]]:
    """The family that ``auto`` takes, and what to say of the choice."""
    if examples.generations == 1 or not trials.folds.judged(BASELINES):
        return "mean", ("there were no parents to hold out and compare with: auto took the mean tuple, unjudged; train deeper",)
    if examples.generations == 2:
        taken, remarks = _test_span(examples)
        return (Recurrence.family if taken else _best_baseline(trials.folds)), remarks
    if (exact := trials.whole.nmse(Recurrence.family)) is not None and exact <= EXACT:
        return Recurrence.family, ()
    return _best_learned(trials.folds) or _best_baseline(trials.folds), ()


def _best_learned(trial: _Trial) -> str | None:
    """The best of the learned families that earn their place; None where none does."""
    learned = trial.judged(list(EARNS))
    baseline = min(trial.judged(BASELINES).values())
    earned = [family for family, nmse in learned.items() if baseline > EXACT and nmse <= EARNS[family] * baseline]
    return earned[0] if earned else None


def _best_baseline(trial: _Trial) -> str:
    """The first preferred one of those that the held-out parents cannot tell from the best."""
    judged = trial.judged(BASELINES)
    best = next(iter(judged))
    return next(family for family in PREFERRED if family in judged and trial.is_near(family, best))


def _test_span(examples: _Examples) -> tuple[bool, tuple[str, ...]]:
    """Whether the recurrence may be taken with no pair to test it on, and why not."""
    arity, dimension = examples.parents.arity, examples.parents.dimension
    if arity <= dimension:
        return False, (
            f"two levels of parents cannot tell whether a recurrence fits where there are no more slots ({arity}) than "
            f"dimensions ({dimension}): auto left it out; use a depth of 3, or --family recurrence",
        )
    residual = span_residual(examples.parents, examples.tuples)
    if residual is not None and residual <= SPAN_TOLERANCE:
        return True, ()
    return False, (
        f"the recurrence was left out because it fails the span test ({residual:.1e}, at most {SPAN_TOLERANCE:g} passes), and "
        "of the others none but a baseline is taken from two levels of parents; train deeper",
    )


def _judge(predictor: Predictor, *, examples: _Examples, trial: _Trial) -> tuple[bool, tuple[str, ...]]:
    """Whether a predictor is flagged, and what to say of it."""
    if trial.is_beyond_floats(predictor.family):
        return True, (f"FLAGGED: the errors of {predictor.family} on held-out parents are no finite numbers; do not trust it",)
    own, baselines = trial.nmse(predictor.family), trial.judged(BASELINES)
    if predictor.family in BASELINES:
        return _judge_baseline(predictor.family, trial=trial)
    if own is None or not baselines:
        return _judge_unseen(predictor, examples=examples)
    baseline, best = next(iter(baselines.items()))
    if own <= NEGLIGIBLE or own < best:
        return False, ()
    return True, (
        f"FLAGGED: {predictor.family} is no better than the baseline {baseline} on held-out parents "
        f"(nMSE {own:.3g} against {best:.3g}); do not trust what it grows",
    )


def _check_trained(predictor: Predictor) -> None:
    """An ``InputError`` where a training went astray: what it learned could not be loaded again."""
    try:
        check_weights(predictor.weights())
    except InputError as error:
        raise InputError(
            f"the training of {predictor.family} went astray: {error}; try another seed or family, or data of smaller numbers"
        ) from error


def _judge_baseline(family: str, *, trial: _Trial) -> tuple[bool, tuple[str, ...]]:
    """The verdict on a baseline: flagged where it is worse than to predict that every child lies at its parent."""
    own, zero = trial.nmse(family), trial.nmse("zero")
    if own is None or zero is None or own <= zero:
        return False, ()
    return True, (
        f"FLAGGED: {family} is worse than zero, which puts every child at its parent, on held-out parents (nMSE {own:.3g} "
        f"against {zero:.3g}); do not trust what it grows",
    )


def _judge_unseen(predictor: Predictor, *, examples: _Examples) -> tuple[bool, tuple[str, ...]]:
    """The verdict on a network or a recurrence that no held-out parent could judge."""
    if not isinstance(predictor, Recurrence):
        return False, (f"{predictor.family} could not be judged: no parents were left to hold out; train deeper",)
    residual = span_residual(examples.parents, examples.tuples)
    if predictor.arity > predictor.dimension and residual is not None and residual > SPAN_TOLERANCE:
        return True, (
            f"FLAGGED: the recurrence cannot be exact here: the tuples of the root's children leave the span of the root's by "
            f"{residual:.2g} of their size; in-sample it fits anything, so do not trust what it grows",
        )
    if predictor.growth > 1 + GROWTH_TOLERANCE:
        return True, (
            f"FLAGGED: the recurrence stretches tuples by {predictor.growth:.4g}, and no contracting maps of this scale factor "
            "do; in-sample it fits anything, so do not trust what it grows",
        )
    if predictor.arity > predictor.dimension:
        return False, ()
    return False, ("the recurrence could not be tested: no pair of levels was left for that; a depth of 3 would tell",)


def _doubts(hierarchy: FieldWithCells, *, depth: int) -> tuple[str, ...]:
    """What makes the observed cells themselves doubtful as something to learn from."""
    doubts = []
    if hierarchy.scale_depth is not None and hierarchy.scale_depth > depth:
        doubts.append(
            f"the scale factor was estimated from levels that the training did not see (up to {hierarchy.scale_depth}, it "
            f"learned from levels up to {depth})"
        )
    if hierarchy.state == "writing":
        doubts.append(f"{hierarchy.id!r} is not written to its end: cells that are still missing were not learned from")
    predicted = int(hierarchy.cells.prefix(depth).predicted.sum())
    if predicted:
        doubts.append(f"{predicted:,} of the cells learned from were not observed: a predictor put them there")
    return tuple(doubts)


def _recipe(hierarchy: FieldHierarchy, *, depth: int, family: str, how: _How) -> dict[str, Any]:
    """What trains the same predictor again."""
    return {
        "source": "train",
        "hierarchy": hierarchy.id,
        "hierarchy_recipe": hierarchy.recipe_digest,
        "depth": depth,
        "family": family,
        "seed": how.seed,
        "device": how.device,
        "options": None if how.options is None else asdict(how.options),
    }
