"""TrainedPredictor: a predictor as the graph keeps it: its weights, what it was learned from, and how well it was judged."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from cfgraph.errors import InputError, Note
from cfgraph.model.as_html import facts_html
from cfgraph.model.cells import Cells
from cfgraph.model.encoder import Encoder
from cfgraph.model.hierarchy import FieldHierarchy, FieldWithCells, Id, Identity, recipe_digest
from cfgraph.predictors import DEVICE
from cfgraph.predictors.predictor import Predictor
from cfgraph.predictors.recurrence import SPAN_TOLERANCE, Recurrence
from cfgraph.predictors.registry import load_predictor

Validation = dict[str, float | None]


class TrainedPredictor(BaseModel):
    """A predictor as the graph keeps it: what it learned (``weights`` and ``config``), from what, and how well.

    ``folds`` and ``validation`` hold the nMSE of each judged family on held-out parents, None where it could not be judged:
    on three folds of the deepest observed level, which decide, and on that level held out as a whole. Those in
    ``not_trained`` were left out, because a closed form is exact already; those ``outrun`` lost the first of the folds to the
    best baseline, and were tried on no other. ``flagged`` says that the predictor's own is not
    below the best baseline's, or, of a baseline, above that of ``zero``: do not believe it. ``recipe`` trains it again. A
    listed predictor has no weights. Those of 0.1 have no ``folds``: the whole level decided.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Id
    family: str
    hierarchy: Id
    depth: int = Field(ge=1)
    seed: int
    arity: int = Field(ge=1)
    dimension: int = Field(ge=1)
    scale_factor: float = Field(gt=0, lt=1)
    residual_bound: float = Field(ge=0)
    config: dict[str, Any]
    weights: bytes = Field(repr=False)
    validation: Validation
    folds: Validation = {}
    not_trained: tuple[str, ...] = ()
    outrun: tuple[str, ...] = ()
    flagged: bool = False
    warnings: tuple[Annotated[str, AfterValidator(Note)], ...] = ()
    recipe: dict[str, Any]
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    incarnation: str | None = Field(default=None, exclude=True, repr=False)  # of one that a store holds

    @property
    def identity(self) -> Identity:
        """Which one it is of those that had its id one after the other."""
        return Identity(self.incarnation, self.created)

    def _repr_html_(self) -> str:
        known = {"family": self.family, "depth": self.depth, "flagged": self.flagged, "warnings": "; ".join(self.warnings)}
        return facts_html(self.id, known)

    @property
    def judged_by(self) -> str:
        """What the family was judged by, in a phrase."""
        error, residual = (self.folds or self.validation).get(self.family), self.config.get("span_residual")
        if error is not None and self.folds:
            whole = self.validation.get(self.family)
            beside = "" if whole is None else f"; {whole:.3g} with the whole level held out"
            return f"its nMSE of {error:.3g} on held-out parents, by three folds of the deepest level{beside}"
        if error is not None:
            return f"its nMSE of {error:.3g} on held-out parents"
        if residual is not None and self.arity > self.dimension:
            verdict = "passed" if residual <= SPAN_TOLERANCE else "failed"
            return f"the span test, which it {verdict} with {residual:.1e} (at most {SPAN_TOLERANCE:g} passes)"
        return "nothing: no parents were left to hold out"

    @property
    def beats_zero(self) -> bool | None:
        """Whether its nMSE on held-out parents is below that of ``zero`` on the same ones; None where that was not judged.

        The folds tell, as they decide between families; else the level that was held out as a whole. Equal is not below:
        ``zero`` itself beats nothing. Unknown are those that kept no such table, and a recurrence with no pair to test it on.
        """
        for judged in (self.folds, self.validation):
            own, zero = judged.get(self.family), judged.get("zero")
            if own is not None and zero is not None:
                return own < zero
            if zero is not None and self.family in judged and self.family != Recurrence.family:
                return False  # it was tried, and its errors were no finite numbers
        return None

    @property
    def no_better(self) -> str | None:
        """That it is no better than nothing, with the numbers, in a phrase; None where it is better, or nobody knows."""
        if self.beats_zero is not False:
            return None
        judged = self.folds if self.folds.get("zero") is not None else self.validation
        own, zero = judged[self.family], judged["zero"]
        error = "errors are no finite numbers" if own is None else f"nMSE of {own:.3g} is not below that of zero ({zero:.3g})"
        return f"no better than nothing: on held-out parents its {error}, which puts every child at its parent"

    def load(self, device: str = DEVICE) -> Predictor:
        """The predictor itself, on a device.

        Raises:
            InputError: for a device that is not there, a listed predictor, which has no weights, and weights of another one.
        """
        if not self.weights:
            raise InputError(f"predictor {self.id!r} was listed without its weights; read it with Store.predictor")
        predictor = load_predictor(self.weights, self.config, device=device)
        found = (predictor.family, predictor.arity, predictor.dimension)
        if found != (wanted := (self.family, self.arity, self.dimension)):
            raise InputError(f"expected a predictor of family, arity and dimension {wanted}, got {found}; train it again")
        return predictor

    def describe(self) -> dict[str, Any]:
        """All there is to show, ready for JSON; ``learned`` is what the family says of itself, where the weights are there."""
        record = self.model_dump(mode="json", exclude={"weights", "config"})
        told = {"judged_by": self.judged_by, "beats_zero": self.beats_zero}
        return {**record, **told, "learned": self.load().describe() if self.weights else {}}


class Grower(NamedTuple):
    """What grew a hierarchy: a predictor, with its weights, and the properties of each GROWN_BY that leads to it."""

    trained: TrainedPredictor
    growths: Sequence[Mapping[str, Any]]


JUDGED_BY = ("nMSE, three folds", "nMSE, level held out")  # what the two numbers of a judgement are


def judgements(
    folds: Validation, validation: Validation, *, not_trained: Sequence[str], outrun: Sequence[str]
) -> list[tuple[str, float | str | None, float | str | None]]:
    """Each family with its nMSE on held-out parents, or with why it has none: the rows of a validation table."""
    reasons = dict.fromkeys(not_trained, "not trained: exact already")
    lost = {**dict.fromkeys(outrun, "lost the first fold"), **reasons}
    return [(family, lost.get(family, folds.get(family)), reasons.get(family, error)) for family, error in validation.items()]


def grown_field(
    trained: TrainedPredictor,
    truth: FieldHierarchy,
    *,
    id: str,
    cells: Cells,
    from_depth: int,
    stop: Mapping[str, Any],
    encoder: Encoder | None = None,
) -> FieldWithCells:
    """A copy of a field that a predictor grows, or grew, from a prefix: the one place where its recipe is written.

    Args:
        trained: the predictor.
        truth: whose prefix it is.
        id: of the copy.
        cells: those that the copy begins with.
        from_depth: the depth of the prefix.
        stop: what was asked for, ``{"depth": 8}`` for example.
        encoder: what was done to the data of the truth.
    """
    return FieldWithCells(
        id=id,
        origin="rollout",
        dimension=truth.dimension,
        arity=truth.arity,
        scale_factor=truth.scale_factor,
        residual_bound=max(truth.residual_bound, trained.residual_bound),
        data_built=truth.data_built,
        scale_depth=truth.scale_depth,
        point_radius=truth.point_radius,
        recipe={
            "source": "rollout",
            "of": truth.id,
            "of_recipe": truth.recipe_digest,
            "from_depth": from_depth,
            "predictor": trained.id,
            "predictor_recipe": recipe_digest(trained.recipe),
            "stop": dict(stop),
            **({"columns": truth.recipe["columns"]} if "columns" in truth.recipe else {}),  # new data are as those of the truth
        },
        cells=cells,
        encoder=encoder,
    )
