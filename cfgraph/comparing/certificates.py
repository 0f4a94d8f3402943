"""Certificates of a comparison: from measured one-step errors to the tightest bound that is proven.

Four things can be proven about a rollout (docs/mathematics.md), and the tightest is reported:

* ``generator``: the true rule G is known, with its constant; eta is the supremum of ``|G^ - G|`` over the predicted centers.
  Where the truth is an affine system, it is the recurrence of its tuples that is known, as below;
* ``predictor``: the predictor knows its own constant; eta is that supremum over the true centers;
* ``recurrence``: the predictor maps tuples to tuples (as ``parent`` and ``scaled-parent`` do too); its one-step error over
  the true tuples, and its growth;
* ``anchored``: the steps of an ``anchored`` predictor telescope, so that below each observed parent a of level from_depth - 1
  its rule is T(a) + f(c) - f(c_a), a rule of the center with f's constant; eta is its largest error at the true centers.

Beside them stands what a known G gives with the *measured* constant, the largest ``|G(c^) - G(c)| / |c^ - c|`` over the cells
of both sides: true for these cells, level by level, and nothing is said of others. The proven constant of a rule that data
induce is too large to be of use.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from jaxtyping import Float

from cfgraph.comparing.report import Certificates, Measured
from cfgraph.comparing.windows import Window
from cfgraph.metric.distances import Certificate, RecurrenceCertificate
from cfgraph.model.growth import Frontier
from cfgraph.model.hierarchy import FieldHierarchy
from cfgraph.model.rules import CenterRule, TupleRule

if TYPE_CHECKING:
    from cfgraph.predictors import Predictor
    from cfgraph.predictors.network import Anchored

SPAN_FLOORS = (1.0, 0.1, 1e-2, 1e-3, 1e-6)  # how flat a tuple may be beside its longest axis and still shape the norm
STABLE = 1 + 1e-9
CLIPPED = 1 - 1e-9  # of the bound: a residual that reaches it may have been shortened to it
ANCHORED_ROUNDING = 64 * np.finfo(np.float64).eps  # what a step of `anchored` may be off the sum of its steps
ROUNDING = 1e-13  # singular values below this share of the largest are rounding


@dataclass(frozen=True)
class StepErrors:
    """The largest errors of one step that a comparison has met, and what a certificate stands on; two of them merge.

    None is "never measured". All but ``incomplete`` are maxima.
    """

    at_true: float | None = None  # |G^ - G| over slots, at the true parents
    at_predicted: float | None = None  # the same at the predicted centers, where the true rule is known
    slope: float | None = None  # |G(c^) - G(c)| / |c^ - c| over the cells of both sides
    of_tuples: float | None = None  # N(T_wj - alpha_j T_w) over the true tuples of a recurrence
    of_clipping: float | None = None  # the same over the predicted tuples: not zero where a residual was clipped
    of_anchored: float | None = None  # |T(a) + f(c) - f(c_a) - T| over slots, at the true parents
    of_length: float | None = None  # |r|, of the residuals that an anchored predictor grew
    in_prefix: float | None = None  # |center^ - center| over the observed levels
    extent: float | None = None  # |center|, true or predicted
    incomplete: int = 0  # unseen true parents with some children and not all

    def merge(self, other: "StepErrors") -> "StepErrors":
        """What both have met."""
        names = [item.name for item in fields(self) if item.name != "incomplete"]
        merged = {name: _larger(getattr(self, name), getattr(other, name)) for name in names}
        return StepErrors(**merged, incomplete=self.incomplete + other.incomplete)


def _larger(first: float | None, second: float | None) -> float | None:
    known = [value for value in (first, second) if value is not None]
    return max(known, default=None)


def longest(vectors: Float[np.ndarray, "*shape dim"]) -> float | None:
    """The largest norm among vectors, None where there is none."""
    return float(np.sqrt(np.einsum("...d,...d->...", vectors, vectors).max())) if vectors.size else None


@dataclass(frozen=True, eq=False)
class TupleNorm:
    """A norm of tuples in which a recurrence grows little: ``N(T) = c |P T|`` (Frobenius), at least the longest residual.

    P shrinks the axes along which the root's tuple U is long, so that for an affine system, where every tuple is ``U B`` and
    ``alpha_j U = U M_j``, the growth comes out as ``max_j norm2(U^+ alpha_j U)``, and not as the norm of alpha_j, which is
    larger than 1 on curves that are reproduced exactly. Any P gives a valid bound; the roundest stable one is taken.
    ``alpha_j = step_j basis^t``, as the recurrence keeps it, so that rounding stays small where U is ill-conditioned.
    """

    step: Float[np.ndarray, "arity arity rank"]
    basis: Float[np.ndarray, "arity rank"]
    shape: Float[np.ndarray, "arity arity"]  # c P
    growth: float

    @classmethod
    def of(
        cls,
        step: Float[np.ndarray, "arity arity rank"],
        basis: Float[np.ndarray, "arity rank"],
        *,
        root_tuple: Float[np.ndarray, "arity dim"],
    ) -> "TupleNorm":
        """The norm shaped by the root's tuple."""
        norms = [cls._shaped(step, basis, root_tuple, floor=floor) for floor in SPAN_FLOORS]
        return next((norm for norm in norms if norm.growth <= STABLE), min(norms, key=lambda norm: norm.growth))

    @classmethod
    def _shaped(cls, step, basis, root_tuple, *, floor) -> "TupleNorm":
        axes, sizes, _ = np.linalg.svd(root_tuple)
        largest = sizes[0] if len(sizes) and sizes[0] > 0 else 1.0
        stretch = np.full(len(axes), largest)
        spanned = sizes > ROUNDING * largest
        stretch[: len(sizes)][spanned] = np.maximum(sizes[spanned], floor * largest)
        unshape = axes * stretch
        shape = (axes / stretch).T
        grown = (shape @ step) @ (basis.T @ unshape)
        reach = np.sqrt((unshape**2).sum(axis=1).max())
        return cls(step, basis, reach * shape, float(np.linalg.norm(grown, ord=2, axis=(1, 2)).max()))

    def largest_defect(self, frontier: Frontier, tuples: Float[np.ndarray, "cells arity dim"]) -> float | None:
        """``max N(T_wj - alpha_j T_w)`` over cells wj with their tuples; ``frontier`` knows the parents' T_w."""
        found = [self._slot_defect(frontier, tuples, slot=slot) for slot in range(len(self.step))]
        return max((defect for defect in found if defect is not None), default=None)

    def _slot_defect(self, frontier: Frontier, tuples: np.ndarray, *, slot: int) -> float | None:
        rows = np.flatnonzero(frontier.slot == slot)
        if len(rows) == 0:
            return None
        above = frontier.tuples[frontier.family_rows[rows]]
        shaped = self.shape @ (tuples[rows] - self.step[slot] @ (self.basis.T @ above))
        return float(np.sqrt(np.einsum("cki,cki->c", shaped, shaped).max()))


def tuple_map(predictor: "Predictor | None") -> tuple[np.ndarray, np.ndarray] | None:
    """``step`` and ``basis`` of a predictor that maps a cell's parent's tuple to its own, slot by slot; None for others."""
    from cfgraph.predictors.baselines import Parent, ScaledParent
    from cfgraph.predictors.recurrence import Recurrence

    if isinstance(predictor, Recurrence):
        return predictor.step, predictor.basis
    if isinstance(predictor, Parent | ScaledParent):
        factor = getattr(predictor, "factor", 1.0)
        return np.repeat(factor * np.eye(predictor.arity)[None], predictor.arity, axis=0), np.eye(predictor.arity)
    return None


def anchored_predictor(predictor: "Predictor | None") -> "Anchored | None":
    """The predictor, where it is ``anchored``."""
    from cfgraph.predictors.network import Anchored

    return predictor if isinstance(predictor, Anchored) else None


@dataclass(frozen=True, eq=False)
class Certifier:
    """What may be proven about one prediction, known before anything is measured."""

    true: FieldHierarchy
    from_depth: int
    root_scale: float
    generator: CenterRule | None  # the true rule as a function of centers, where it is known
    predictor: "Predictor | None"
    norm: TupleNorm | None  # of a recurrence: the predictor's, or else the truth's
    anchored: "Anchored | None" = None  # the predictor, where it is one
    doubt: str | None = None  # why the true rule is not known, where it could be

    @classmethod
    def of(
        cls,
        true: FieldHierarchy,
        predictor: "Predictor | None",
        *,
        from_depth: int,
        root_scale: float,
        root_tuple: Float[np.ndarray, "arity dim"] | None,
        rule: CenterRule | TupleRule | None,
        doubt: str | None = None,
    ) -> "Certifier":
        """The certifier of a prediction by ``predictor`` (None: unknown); ``rule`` is the truth's (None: unknown)."""
        known = tuple_map(predictor) or ((rule.step, rule.basis) if isinstance(rule, TupleRule) else None)
        norm = None if from_depth < 1 or known is None or root_tuple is None else TupleNorm.of(*known, root_tuple=root_tuple)
        generator = None if isinstance(rule, TupleRule) else rule
        return cls(true, from_depth, root_scale, generator, predictor, norm, anchored_predictor(predictor), doubt)

    def generator_error(
        self, center: Float[np.ndarray, "cells dim"], tuples: Float[np.ndarray, "cells arity dim"]
    ) -> StepErrors:
        """How far predicted tuples are from the true rule at the predicted centers."""
        if self.generator is None or len(center) == 0:
            return StepErrors()
        return StepErrors(at_predicted=longest(tuples - self.generator.tuples_at(center)))

    def slope(
        self,
        center: Float[np.ndarray, "cells dim"],
        tuples: Float[np.ndarray, "cells arity dim"],
        *,
        true_center: Float[np.ndarray, "cells dim"],
        true_tuples: Float[np.ndarray, "cells arity dim"],
    ) -> StepErrors:
        """How fast the true rule changes from true cells to the predicted ones in their places; and its errors there.

        Where both centers are equal, so are the rule's tuples, bit for bit, and there is nothing to divide.
        """
        if self.generator is None or len(center) == 0:
            return StepErrors()
        found = self.generator.tuples_at(center)
        change = np.sqrt(np.einsum("ckd,ckd->ck", found - true_tuples, found - true_tuples).max(axis=1))
        distance = np.sqrt(np.einsum("cd,cd->c", center - true_center, center - true_center))
        slopes = np.divide(change, distance, out=np.zeros_like(change), where=distance > 0)
        return StepErrors(at_predicted=longest(tuples - found), slope=float(slopes.max()))

    def tuple_errors(self, window: Window, *, frontier: Frontier, tuples: Float[np.ndarray, "cells arity dim"]) -> StepErrors:
        """How far the true tuples of a window, and predicted ones, are from the predictor's recurrence."""
        if self.norm is None or len(window.parents) == 0:
            return StepErrors()
        true_tuples = window.true.cells.residual[window.children]
        return StepErrors(
            of_tuples=self.norm.largest_defect(window.frontier, true_tuples),
            of_clipping=self.norm.largest_defect(frontier, tuples),
        )

    def anchored_errors(
        self,
        window: Window,
        *,
        tuples: Float[np.ndarray, "parents arity dim"],
        grown: Float[np.ndarray, "residuals dim"],
    ) -> StepErrors:
        """How far the rule below the observed parents is from the true tuples of a window, and the longest grown residual."""
        if self.anchored is None or self.from_depth < 1 or len(window.parents) == 0:
            return StepErrors()
        offsets = self.anchored.offsets(window.last_observed)[window.observed_places[window.parents]]
        rule = offsets + self.anchored.network_tuples(window.true.cells.center[window.parents])
        return StepErrors(of_anchored=longest(rule - tuples), of_length=longest(grown))

    def certify(self, errors: StepErrors, *, levels: Sequence[int], true_depth: int) -> Certificates:
        """The tightest bounds that the errors met allow, for the report's levels."""
        reason, extent = self._obstacle(errors), errors.extent or 0.0
        if reason:
            return Certificates(reason=reason, by_level=(None,) * len(levels))
        measured = self._measured(errors, levels=levels, true_depth=true_depth)
        bounds = [bound for bound in self._bounds(errors, true_depth=true_depth) if bound.depth > self.from_depth]
        if not bounds:
            return Certificates(reason=self._no_bound(errors), by_level=(None,) * len(levels), measured=measured)
        best = min(bounds, key=lambda bound: bound.tightness)
        found = best.report(levels, extent=extent, remark=self._void_anchor(errors))
        return found.model_copy(update={"measured": measured})

    def _measured(self, errors: StepErrors, *, levels: Sequence[int], true_depth: int) -> Measured | None:
        """What the true rule's measured constant gives; None where it is not known."""
        if errors.slope is None or errors.at_predicted is None:
            return None
        known = _Known(scale_factor=self.true.scale_factor, from_depth=self.from_depth, root_scale=self.root_scale)
        certificate = Certificate(eta=errors.at_predicted, lipschitz=errors.slope, **known)
        found = Bound("generator", certificate, depth=true_depth).report(levels, extent=errors.extent or 0.0)
        return Measured(lipschitz=errors.slope, eta=errors.at_predicted, by_level=found.by_level)

    def _obstacle(self, errors: StepErrors) -> str | None:
        tolerance = 1e-12 * (errors.extent or 0.0)
        if (errors.in_prefix or 0.0) > tolerance:
            return f"the prediction's prefix is not the truth's: centers of observed levels are {errors.in_prefix:.3g} apart"
        return None

    def _void_anchor(self, errors: StepErrors) -> str | None:
        """Why the steps of an anchored predictor do not telescope; None where they do, and for other predictors."""
        if self.anchored is None:
            return None
        if self.from_depth < 1:
            return "the certificate of 'anchored' is void: it starts from observed parents, and a prefix of depth 0 has none"
        if errors.of_length is not None and errors.of_length >= CLIPPED * self.anchored.residual_bound:
            return (
                "the certificate of 'anchored' is void: a residual was clipped to the bound "
                f"{self.anchored.residual_bound:.3g}, so its steps do not add up to a rule of the center"
            )
        return None

    def _no_bound(self, errors: StepErrors) -> str:
        if self.doubt is not None:
            return self.doubt
        if self.predictor is None:
            return "no one predictor is known to have grown it, and the truth does not come from a generator of known constant"
        if errors.incomplete:
            return (
                f"{errors.incomplete} unseen true parents have some children and not all, so one-step errors are not all known"
            )
        if errors.at_true is None:
            return "no unseen level has a true parent with all its children"
        if (void := self._void_anchor(errors)) is not None:
            return void
        return (
            f"no Lipschitz constant is known: {self.predictor.family!r} uses more than the center or jumps, and the truth does "
            "not come from a generator"
        )

    def _bounds(self, errors: StepErrors, *, true_depth: int) -> list["Bound"]:
        known = _Known(scale_factor=self.true.scale_factor, from_depth=self.from_depth, root_scale=self.root_scale)
        found: list[Bound] = []
        if self.generator is not None and self.true.lipschitz is not None and errors.at_predicted is not None:
            generated = Certificate(eta=errors.at_predicted, lipschitz=self.true.lipschitz, **known)
            found.append(Bound("generator", generated, depth=10**9))
        if errors.incomplete:
            return found
        if self.norm is not None and errors.of_tuples is not None:
            error = errors.of_tuples + (errors.of_clipping or 0.0)
            recurrent = RecurrenceCertificate(one_step_error=error, growth=self.norm.growth, **known)
            side = "generator" if tuple_map(self.predictor) is None else "recurrence"
            found.append(Bound(side, recurrent, depth=true_depth))
        if errors.at_true is None or self.predictor is None:
            return found
        if (lipschitz := self.predictor.lipschitz()) is not None and math.isfinite(lipschitz):
            predicted = Certificate(eta=errors.at_true, lipschitz=lipschitz, **known)
            found.append(Bound("predictor", predicted, depth=true_depth))
        if self.anchored is not None and errors.of_anchored is not None and self._void_anchor(errors) is None:
            found.append(Bound("anchored", self._anchored_certificate(errors, known, depth=true_depth), depth=true_depth))
        return found

    def _anchored_certificate(self, errors: StepErrors, known: "_Known", *, depth: int) -> Certificate:
        assert self.anchored is not None
        assert errors.of_anchored is not None
        lipschitz = self.anchored.network_lipschitz()
        rounding = ANCHORED_ROUNDING * depth * (self.anchored.residual_bound + lipschitz * (errors.extent or 0.0))
        return Certificate(eta=errors.of_anchored + rounding, lipschitz=lipschitz, **known)


class _Known(TypedDict):
    """What all certificates of one prediction have alike."""

    scale_factor: float
    from_depth: int
    root_scale: float


@dataclass(frozen=True)
class Bound:
    """A certificate, and the deepest level whose parents it has seen."""

    side: str
    certificate: Certificate | RecurrenceCertificate
    depth: int

    @property
    def tightness(self) -> tuple[float, float]:
        """What the tightest bound has least of."""
        last = min(self.depth, self.certificate.from_depth + 64)
        return self.certificate.from_prefix, float(self.certificate.by_level(last)[-1])

    @cached_property
    def _amplification(self) -> float:
        """How much of an error made once is left at the end, at most, however deep that is."""
        certificate = self.certificate
        if isinstance(certificate, RecurrenceCertificate):
            return 1.0
        s = certificate.scale_factor
        return math.exp(
            min(700.0, certificate.root_scale * certificate.lipschitz * s ** (certificate.from_depth + 1) / (1 - s))
        )

    def _amplification_to(self, depth: int) -> float:
        """The same at a level: ``prod (1 + Lambda s^l)`` over the levels between, which is less."""
        certificate = self.certificate
        if isinstance(certificate, RecurrenceCertificate):
            return 1.0
        steps = certificate.root_scale * certificate.scale_factor ** np.arange(certificate.from_depth + 1, depth)
        return min(self._amplification, math.exp(min(700.0, float(np.log1p(certificate.lipschitz * steps).sum()))))

    @property
    def _constants(self) -> tuple[float, float | None, float | None]:
        """The one-step error, and what it grows by: a Lipschitz constant, or a recurrence's growth."""
        if isinstance(self.certificate, RecurrenceCertificate):
            return self.certificate.one_step_error, None, self.certificate.growth
        return self.certificate.eta, self.certificate.lipschitz, None

    def report(self, levels: Sequence[int], *, extent: float, remark: str | None = None) -> Certificates:
        """The bounds for the report; ``extent`` is the largest norm of a center, which rounding is relative to.

        Every step rounds a center on both sides by at most 1.5 units in the last place of the largest center.
        """
        certificate, deepest = self.certificate, max(levels, default=0)
        step = 4 * np.finfo(np.float64).eps * deepest * extent
        rounding = step * self._amplification
        by_level = certificate.by_level(max(deepest, certificate.from_depth)) + step * self._amplification_to(deepest)
        eta, lipschitz, growth = self._constants
        return Certificates(
            side=self.side,
            eta=eta,
            lipschitz=lipschitz,
            growth=growth,
            from_root=certificate.from_root + rounding,
            from_prefix=certificate.from_prefix + rounding,
            by_level=tuple(float(by_level[level]) if level <= self.depth else None for level in levels),
            rounding=rounding,
            remark=remark,
        )
