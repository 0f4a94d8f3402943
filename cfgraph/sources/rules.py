"""Rules: what is known of the rule by which a source made a field, whatever source that was; certificates stand on it.

A source whose hierarchies follow a known rule has one line in ``_RULES``. What a rule is a function of decides what it
proves: of centers, with a constant (``cfg``, ``induced``), or of the parent's tuple (``ifs``: ``T_wj = alpha_j T_w``).
"""

from collections.abc import Callable
from dataclasses import dataclass

from cfgraph.model.cells import Cells
from cfgraph.model.encoder import Encoder
from cfgraph.model.growth import observe
from cfgraph.model.hierarchy import FieldHierarchy
from cfgraph.model.rules import CenterRule, TupleRule

RECURRENT_DEPTH = 2  # of the prefix that tells an affine system's recurrence (docs/mathematics.md)


@dataclass(frozen=True, eq=False)
class Beside:
    """What lies beside a hierarchy's description, asked for where a rule needs it."""

    encoder: Callable[[], Encoder | None]
    prefix: Callable[[int], Cells]  # its cells down to a level


def find_rule(hierarchy: FieldHierarchy, *, beside: Beside) -> CenterRule | TupleRule | None:
    """The rule of a hierarchy as its source made it, made again; None where its source follows none that is known.

    Raises:
        InputError: where the source follows one, and what it needs is not at hand.
    """
    make = _RULES.get(hierarchy.origin)
    return None if make is None else make(hierarchy, beside)


def _cfg(hierarchy: FieldHierarchy, beside: Beside) -> CenterRule:
    from cfgraph.sources.cfg import rule_of

    return rule_of(hierarchy.recipe)


def _induced(hierarchy: FieldHierarchy, beside: Beside) -> CenterRule:
    from cfgraph.sources.induced import rule_of

    return rule_of(hierarchy, encoder=beside.encoder())


def _ifs(hierarchy: FieldHierarchy, beside: Beside) -> TupleRule | None:
    """The recurrence of an affine system, from its first levels; None where they are not there.

    Where no recurrence is exact, this one is off, and a certificate that stands on it measures by how much.
    """
    from cfgraph.predictors.recurrence import Recurrence
    from cfgraph.predictors.registry import fit_predictor

    observed, tuples = observe(beside.prefix(RECURRENT_DEPTH), arity=hierarchy.arity)
    if len(tuples) <= hierarchy.arity:
        return None
    found = fit_predictor(
        Recurrence.family,
        observed=observed,
        tuples=tuples,
        scale_factor=hierarchy.scale_factor,
        residual_bound=hierarchy.residual_bound,
    )
    assert isinstance(found, Recurrence)
    return TupleRule(found.step, found.basis)


_RULES: dict[str, Callable[[FieldHierarchy, Beside], CenterRule | TupleRule | None]] = {
    "cfg": _cfg,
    "ifs": _ifs,
    "induced": _induced,
}
