"""Report: what a comparison found, as frozen values; its JSON is a stable interface (docs/architecture.md).

None is what could not be measured, and ``null`` in JSON, as is every number that is not finite.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from cfgraph.comparing.measures import PathDistortion, TupleMeasures
from cfgraph.model.as_html import Shown

SLOTS_REMARK = (
    "slots were canonicalised by matching to the parent, which biases slot accuracy to copying the parent; judge by nMSE"
)
DISTORTION_REMARK = "d_pt is blind to rotations and slots; read path distortion beside the other measures, never alone"
MEASURES = ("mse", "nmse", "pi_cd", "pi_mse", "slot_accuracy")


class Frozen(BaseModel):
    """A frozen value."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RolledOut(Frozen):
    """The measures of the predicted hierarchy's own tuples at matched parents."""

    mse: float | None = None
    nmse: float | None = None
    pi_cd: float | None = None
    pi_mse: float | None = None
    slot_accuracy: float | None = None
    max_center_error: float | None = None  # over the matched cells of the level: max |center^ - center|


class LevelReport(Frozen):
    """One unseen level: cells that were predicted, and the tuples of their parents one level up.

    ``parents`` counts the true parents that have all their children (what teacher forcing is judged on),
    ``parents_rolled_out`` those whose children are all in the prediction too.
    """

    level: int
    parents: int
    parents_rolled_out: int
    teacher_forced: TupleMeasures
    rolled_out: RolledOut
    certificate: float | None = None  # a proven bound on max_center_error from the prefix; None: see certificates.reason
    matched: int
    only_true: int
    only_predicted: int


class Measured(Frozen):
    """Bounds level by level with the *measured* constant of the true rule, in place of a proven one.

    They hold for the cells that were compared, and for no others: ``lipschitz`` is the largest ``|G(c^) - G(c)| / |c^ - c|``
    over them, ``eta`` the largest one-step error. ``by_level`` belongs to the report's levels.
    """

    lipschitz: float
    eta: float
    by_level: tuple[float | None, ...] = ()


class Certificates(Frozen):
    """Proven bounds on the error of every center, or the ``reason`` why there are none.

    ``side`` says what they rest on: ``generator`` (eta over the predicted centers, Lambda of the true rule), ``predictor``
    (eta over the true centers, Lambda of the predictor) or ``recurrence`` (eta the one-step error of the tuples, and
    ``growth`` in place of Lambda). A ``generator`` with a growth is an affine system, known by its own recurrence.
    ``by_level`` belongs to the report's levels, one by one. All three bounds include what floating-point arithmetic may add,
    which is at most ``rounding``.
    """

    side: str | None = None
    eta: float | None = None
    lipschitz: float | None = None
    growth: float | None = None
    from_root: float | None = None
    from_prefix: float | None = None
    by_level: tuple[float | None, ...] = ()
    rounding: float | None = None
    reason: str | None = None  # why there is none
    remark: str | None = None  # why there is none of the predictor's own, beside one of another side
    measured: Measured | None = None  # beside the proven ones, where the true rule is a known function of centers


class DistortionReport(Frozen):
    """Path distortion over a seeded sample of pairs; ``left_out`` pairs have true distance 0 and are not in ``pairs``."""

    pairs: int
    left_out: int
    seed: int
    mean_relative: float | None = None
    max_relative: float | None = None
    multiplicative: float | None = None
    max_additive: float | None = None

    @classmethod
    def of(cls, distortion: PathDistortion, *, seed: int) -> "DistortionReport":
        """The measures with the seed of their sample."""
        return cls(**vars(distortion), seed=seed)


class CenterCount(Frozen):
    """How many centers of each deepest set the Hausdorff distance was measured on, where it was not all of them."""

    true: int
    true_of: int
    predicted: int
    predicted_of: int


class Comparison(Frozen):
    """One prediction against the truth, level by level and as a whole.

    The Hausdorff distance is between the deepest centers of both, down to ``hausdorff_level``, the deepest level that both
    have (cells above it that have no children count among the deepest). ``skill = 1 - hausdorff / hausdorff of the prefix``.
    """

    true: str
    predicted: str
    from_depth: int
    levels: tuple[LevelReport, ...]
    path_distortion: DistortionReport
    hausdorff: float | None = None
    hausdorff_over_diameter: float | None = None
    skill: float | None = None
    hausdorff_level: int
    hausdorff_sample: CenterCount | None = None
    diameter: float | None = None
    certificates: Certificates

    def to_json(self, *, indent: int | None = 2) -> str:
        """The comparison as one JSON object; what is not a finite number is ``null``."""
        return self.model_dump_json(indent=indent)


class Spread(Frozen):
    """A measure over several seeds; ``std`` is the sample standard deviation, None for a single seed."""

    mean: float | None = None
    std: float | None = None
    min: float | None = None
    max: float | None = None

    @classmethod
    def of(cls, values: Sequence[float | None]) -> "Spread":
        """The spread of the values, empty where one of them could not be measured."""
        if not values or any(value is None or not np.isfinite(value) for value in values):
            return cls()
        array = np.array(values, dtype=np.float64)
        std = float(array.std(ddof=1)) if len(array) > 1 else None
        return cls(mean=float(array.mean()), std=std, min=float(array.min()), max=float(array.max()))


class LevelSpread(Frozen):
    """The measures of one level over several seeds."""

    level: int
    teacher_forced: dict[str, Spread]
    rolled_out: dict[str, Spread]


class SeedsReport(Frozen):
    """The same family trained again with seeds 0, 1, ..., each rolled out from the true prefix: mean and spread."""

    seeds: tuple[int, ...]
    family: str
    flagged: tuple[int, ...]  # the seeds whose predictor was not better than the baselines on held-out parents
    levels: tuple[LevelSpread, ...]
    hausdorff_over_diameter: Spread
    skill: Spread

    @classmethod
    def of(cls, runs: Sequence[Comparison], *, family: str, flagged: Sequence[int]) -> "SeedsReport":
        """The spread over several comparisons with the same truth."""
        return cls(
            seeds=tuple(range(len(runs))),
            family=family,
            flagged=tuple(flagged),
            levels=tuple(_level_spread([run.levels[i] for run in runs]) for i in range(len(runs[0].levels))),
            hausdorff_over_diameter=Spread.of([run.hausdorff_over_diameter for run in runs]),
            skill=Spread.of([run.skill for run in runs]),
        )


def _level_spread(levels: Sequence[LevelReport]) -> LevelSpread:
    def spread(side: str, names: tuple[str, ...]) -> dict[str, Spread]:
        return {name: Spread.of([getattr(getattr(level, side), name) for level in levels]) for name in names}

    rolled_out = spread("rolled_out", (*MEASURES, "max_center_error"))
    return LevelSpread(level=levels[0].level, teacher_forced=spread("teacher_forced", MEASURES), rolled_out=rolled_out)


class Report(Shown, Comparison):
    """A comparison with what stands beside it, what must be said loudly, and what a reader should bear in mind."""

    predictor: str | None = None
    family: str | None = None
    baselines: dict[str, Comparison] = {}
    beside: dict[str, Comparison] = {}  # learned families that every report shows: local-linear
    seeds: SeedsReport | None = None
    warnings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
