"""Hierarchy: what is known of one hierarchy, with its cells where they are in memory."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from cfgraph.address import check_id
from cfgraph.cells import Cells
from cfgraph.errors import InputError

State = Literal["writing", "growing", "complete", "removing"]
Identifier = Annotated[str, AfterValidator(check_id)]


def recipe_digest(recipe: dict[str, Any]) -> str:
    """A short name for a recipe: SHA-256 of its canonical JSON, so that equal recipes are found equal."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Hierarchy(BaseModel):
    """One hierarchy: its field's numbers, where it comes from, and its cells if they are in memory.

    ``recipe`` makes the same hierarchy again: source, parameters, seed, digest of the input. ``residual_bound`` is R,
    the bound of the residuals' norms; ``separation`` is delta, the smallest distance of two residuals of one tuple;
    ``lipschitz`` is Lambda of the true rule. The last two are None where the source does not know them.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True, extra="forbid")

    id: Identifier
    state: State = "complete"
    origin: str  # the source: cfg, ifs, points, ...; rollout for a copy that a predictor grew
    dimension: int = Field(ge=0)
    arity: int = Field(ge=1)
    scale_factor: float = Field(gt=0, lt=1)
    residual_bound: float = Field(ge=0)
    separation: float | None = None
    separation_by_level: tuple[float, ...] | None = None  # where the separation is not the same at every level (ifs)
    lipschitz: float | None = None
    data_built: bool = False  # centers come from data: radii are stored, and nothing bounds the unseen residuals
    scale_depth: int | None = None  # data-built: the deepest level that the scale factor was estimated from
    former_predictors: tuple[str, ...] | None = None  # those that grew it and were removed since
    notes: tuple[str, ...] = ()  # what a reader should know: how x0 was chosen, what was left out
    recipe: dict[str, Any]
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    cells: Cells | None = Field(default=None, exclude=True, repr=False)

    @model_validator(mode="after")
    def _cells_fit(self) -> Self:
        if self.cells is not None and self.cells.dimension != self.dimension:
            raise InputError(f"hierarchy {self.id!r} has dimension {self.dimension}, its cells have {self.cells.dimension}")
        return self

    @property
    def recipe_digest(self) -> str:
        """The recipe's digest: two hierarchies of equal digests hold the same cells."""
        return recipe_digest(self.recipe)

    def with_cells(self, cells: Cells | None) -> Self:
        """The same hierarchy holding these cells."""
        return self.model_copy(update={"cells": cells})
