"""Hierarchy: what is known of one hierarchy, with its cells where they are in memory."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from cfgraph.errors import InputError
from cfgraph.model.address import check_id
from cfgraph.model.cells import Cells
from cfgraph.model.dag import Lengths

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

    An *imported* hierarchy (a linkage, an ontology, ...) is no field: its cells have any number of children, scales and
    properties of their own, and perhaps several parents; ``arity`` and ``scale_factor`` are None.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True, extra="forbid")

    id: Identifier
    state: State = "complete"
    origin: str  # the source: cfg, ifs, points, ...; rollout for a copy that a predictor grew
    dimension: int = Field(ge=0)
    arity: int | None = Field(default=None, ge=1)
    scale_factor: float | None = Field(default=None, gt=0, lt=1)
    residual_bound: float = Field(ge=0)
    separation: float | None = None
    separation_by_level: tuple[float, ...] | None = None  # where the separation is not the same at every level (ifs)
    lipschitz: float | None = None
    data_built: bool = False  # centers come from data: radii are stored, and nothing bounds the unseen residuals
    scale_depth: int | None = None  # data-built: the deepest level that the scale factor was estimated from
    former_predictors: tuple[str, ...] | None = None  # those that grew it and were removed since
    lengths: Lengths = "metric"  # what an edge's length is; but for imported hierarchies scale * norm(residual)
    virtual_root: bool = False  # the root holds several roots together: its edges have no length, and no path uses them
    links: int = Field(default=0, ge=0)  # edges from second parents
    own: tuple[str, ...] = ()  # the properties that the source gave cells besides: name, height, ...
    points: int | None = Field(default=None, ge=0)  # how many data points are known to lie in cells
    point_nodes: bool = False  # whether they are nodes of the graph
    notes: tuple[str, ...] = ()  # what a reader should know: how x0 was chosen, what was left out
    recipe: dict[str, Any]
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    cells: Cells | None = Field(default=None, exclude=True, repr=False)
    cell_of_point: np.ndarray | None = Field(default=None, exclude=True, repr=False)  # row of the cell that each point lies in

    @model_validator(mode="after")
    def _cells_fit(self) -> Self:
        if (self.arity is None) != (self.scale_factor is None):
            raise InputError(
                f"hierarchy {self.id!r} has arity {self.arity} and scale factor {self.scale_factor}; a field has both, an "
                "imported hierarchy has neither"
            )
        if self.cells is not None and self.cells.dimension != self.dimension:
            raise InputError(f"hierarchy {self.id!r} has dimension {self.dimension}, its cells have {self.cells.dimension}")
        return self

    @property
    def recipe_digest(self) -> str:
        """The recipe's digest: two hierarchies of equal digests hold the same cells."""
        return recipe_digest(self.recipe)

    @property
    def imported(self) -> bool:
        """Whether it is no field: ragged, with scales and perhaps parents of its own."""
        return self.arity is None

    def check_field(self, verb: str) -> None:
        """An InputError that names the verb, where this is no field and so has no rule to learn or to grow by."""
        if self.imported:
            raise InputError(
                f"{verb} needs a field, whose cells all have the same number of children and one scale factor; {self.id!r} was "
                f"imported ({self.origin}); `cfgraph ingest points` makes one of embeddings"
            )

    def require_cells(self) -> Cells:
        """The cells; an ``InputError`` where the hierarchy holds none."""
        if self.cells is None:
            raise InputError(
                f"hierarchy {self.id!r} holds no cells; read them from the store first: store.read_whole({self.id!r})"
            )
        return self.cells

    def with_cells(self, cells: Cells | None) -> Self:
        """The same hierarchy holding these cells."""
        return self.model_copy(update={"cells": cells})
