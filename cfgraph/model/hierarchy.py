"""Hierarchy: what is known of one hierarchy: a field or an imported one, each a description alone or with its cells.

    Hierarchy                  what every hierarchy says of itself
    ├── FieldHierarchy         all cells have the same number of children and one scale factor
    ├── ImportedHierarchy      ragged, with scales and perhaps several parents of its own
    └── HierarchyWithCells     the same with its cells in memory
        ├── FieldWithCells
        └── ImportedWithCells

``Hierarchy(...)`` gives the one whose fields it was given. All are frozen and always valid: what changes one makes another
(:meth:`Hierarchy.replace`, :meth:`Hierarchy.with_cells`), which is checked like the first.
"""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from cfgraph.errors import InputError, Note
from cfgraph.model.address import check_id
from cfgraph.model.cells import Cells
from cfgraph.model.columns import check_kind, width_of
from cfgraph.model.dag import Lengths
from cfgraph.model.encoder import Encoder
from cfgraph.model.methods import Methods

COUNT_MAX = 2**31 - 1  # coordinates and children: what columns of lists, and slots, can hold

State = Literal["writing", "growing", "complete", "removing"]
Id = Annotated[str, AfterValidator(check_id)]
Kind = Annotated[str, AfterValidator(check_kind)]
Told = Annotated[str, AfterValidator(Note)]


class Identity(NamedTuple):
    """Which one it is of those that had an id one after the other: what is removed and made again is another.

    ``incarnation`` is a random token that it got when it was made; None where an earlier version made it and nobody has
    written to it since: then ``created`` tells it.
    """

    incarnation: str | None
    created: datetime

    def is_that_of(self, found: "Identity") -> bool:
        """Whether what is found now is what this was: a token that was not there before is no change."""
        if self.incarnation is None:
            return found.created == self.created
        return found.incarnation == self.incarnation


class Known(NamedTuple):
    """A hierarchy or a predictor that was read from a store before: its id, and which one of those that had it."""

    id: str
    identity: Identity


def recipe_digest(recipe: Mapping[str, Any]) -> str:
    """A short name for a recipe: SHA-256 of its canonical JSON, so that equal recipes are found equal."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def same_recipe(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two recipes make the same hierarchy.

    The first version's estimator wrote the recipe of a predictor out where a rollout wrote its digest. What the columns of
    data are called changes no cell, and earlier versions did not keep it.
    """
    recipes = [_with_digest(recipe) for recipe in (one, other)]
    if not all("columns" in recipe for recipe in recipes):
        recipes = [{name: value for name, value in recipe.items() if name != "columns"} for recipe in recipes]
    return recipe_digest(recipes[0]) == recipe_digest(recipes[1])


def _with_digest(recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    of_predictor = recipe.get("predictor_recipe")
    if not isinstance(of_predictor, Mapping):
        return recipe
    return {**recipe, "predictor_recipe": recipe_digest(of_predictor)}


class Hierarchy(Methods, BaseModel):
    """What is known of one hierarchy: where it comes from and what bounds it; a field or an imported one.

    ``recipe`` makes the same hierarchy again: source, parameters, seed, digest of the input. ``residual_bound`` is R,
    the bound of the residuals' norms.

    Raises:
        InputError: for a field's numbers of which one is missing, and cells that do not fit.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True, extra="forbid")

    id: Id
    state: State = "complete"
    origin: str  # the source: cfg, ifs, points, ...; rollout for a copy that a predictor grew
    dimension: int = Field(ge=0, le=COUNT_MAX)
    residual_bound: float = Field(ge=0)
    data_built: bool = False  # centers come from data: radii are stored, and nothing bounds the unseen residuals
    former_predictors: tuple[str, ...] | None = None  # those that grew it and were removed since
    lengths: Lengths = "metric"  # what an edge's length is; but for imported hierarchies scale * norm(residual)
    virtual_root: bool = False  # the root holds several roots together: its edges have no length, and no path uses them
    links: int = Field(default=0, ge=0)  # edges from second parents
    own: tuple[str, ...] = ()  # the properties that the source gave cells besides: name, height, ...
    own_kinds: dict[str, Kind] = {}  # the kinds of those (model/columns.py); nothing in what 0.1 wrote
    cuts: dict[str, dict[str, Any]] | None = None  # which of those are flat clusters that were kept, and how each was made
    points: int | None = Field(default=None, ge=0)  # how many data points are known to lie in cells
    point_nodes: bool = False  # whether they are nodes of the graph
    point_kinds: dict[str, Kind] | None = None  # of what these nodes have besides (cfgraph/sources/stability.py)
    encoder_sha256: str | None = None  # of what was done to its data first, which the graph keeps beside it
    notes: tuple[Told, ...] = ()  # what a reader should know: how x0 was chosen, what was left out
    recipe: dict[str, Any]
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    # Of one that a store holds. It says nothing of the cells, and goes into no file and no other store.
    incarnation: str | None = Field(default=None, exclude=True, repr=False)

    def __new__(cls, *_: Any, **fields: Any) -> Any:
        """An instance of the class that the fields are of, where the class itself does not say."""
        if cls in (Hierarchy, HierarchyWithCells):
            cls = description_type(fields) if fields.get("cells") is None else with_cells_type(fields)
        return super().__new__(cls)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_none(cls, fields: Any) -> Any:
        """Another class's fields may be given as None: records of earlier versions have them so."""
        if not isinstance(fields, dict):
            return fields
        return {name: value for name, value in fields.items() if name in cls.model_fields or value is not None}

    @model_validator(mode="after")
    def _kinds_fit(self) -> Self:
        if unknown := self.own_kinds.keys() - set(self.own):
            raise InputError(
                f"hierarchy {self.id!r} has kinds of properties that its cells have not: {', '.join(sorted(unknown))}"
            )
        if unknown := (self.cuts or {}).keys() - set(self.own):
            raise InputError(f"hierarchy {self.id!r} has cuts that its cells have not: {', '.join(sorted(unknown))}")
        return self

    @property
    def recipe_digest(self) -> str:
        """The recipe's digest: two hierarchies of equal digests hold the same cells."""
        return recipe_digest(self.recipe)

    @property
    def identity(self) -> Identity:
        """Which one it is of those that had its id one after the other."""
        return Identity(self.incarnation, self.created)

    @property
    def imported(self) -> bool:
        """Whether it is no field: ragged, with scales and perhaps parents of its own."""
        return isinstance(self, ImportedHierarchy)

    def require_field(self, verb: str) -> "FieldHierarchy":
        """Itself as a field; an ``InputError`` that names the verb, where it has no rule to learn or to grow by."""
        if isinstance(self, FieldHierarchy):
            return self
        raise InputError(
            f"{verb} needs a field, whose cells all have the same number of children and one scale factor; {self.id!r} was "
            f"imported ({self.origin}); `cfgraph ingest points` makes one of embeddings"
        )

    def require_cells(self) -> "HierarchyWithCells":
        """Itself with its cells; an ``InputError`` where it holds none."""
        raise InputError(f"hierarchy {self.id!r} holds no cells; read them from the store first: store.read_whole({self.id!r})")

    def replace(self, **changes: Any) -> Self:
        """The same with some fields changed, checked like any other."""
        return type(self)(**{**_fields_of(self, type(self)), **changes})

    @abstractmethod
    def with_cells(
        self, cells: Cells, *, cell_of_point: np.ndarray | None = None, encoder: Encoder | None = None
    ) -> "HierarchyWithCells":
        """The same holding these cells, the row of the cell that each data point lies in, and its encoder."""

    @abstractmethod
    def without_cells(self) -> "Hierarchy":
        """The description alone."""


class FieldHierarchy(Hierarchy):
    """A field: ``arity`` children under every expanded cell, and one scale factor: ``scale(child) = scale_factor * scale``.

    ``separation`` is delta, the smallest distance of two residuals of one tuple; ``lipschitz`` is Lambda of the true rule;
    both are None where the source does not know them.
    """

    arity: int = Field(ge=1, le=COUNT_MAX)
    scale_factor: float = Field(gt=0, lt=1)
    separation: float | None = None
    separation_by_level: tuple[float, ...] | None = None  # where the separation is not the same at every level (ifs)
    lipschitz: float | None = None
    scale_depth: int | None = None  # data-built: the deepest level that the scale factor was estimated from
    point_radius: tuple[float, ...] | None = None  # data-built, by level: the farthest data point from its cell's center

    def with_cells(
        self, cells: Cells, *, cell_of_point: np.ndarray | None = None, encoder: Encoder | None = None
    ) -> "FieldWithCells":
        """The same holding these cells, the row of the cell that each data point lies in, and its encoder."""
        known = _fields_of(self, FieldHierarchy)
        return FieldWithCells(**known, cells=cells, cell_of_point=cell_of_point, encoder=encoder)

    def without_cells(self) -> "FieldHierarchy":
        """The description alone."""
        return FieldHierarchy(**_fields_of(self, FieldHierarchy))


class ImportedHierarchy(Hierarchy):
    """A linkage, an ontology, ...: cells with any number of children, scales and properties of their own, several parents."""

    def with_cells(
        self, cells: Cells, *, cell_of_point: np.ndarray | None = None, encoder: Encoder | None = None
    ) -> "ImportedWithCells":
        """The same holding these cells, the row of the cell that each data point lies in, and its encoder."""
        known = _fields_of(self, ImportedHierarchy)
        return ImportedWithCells(**known, cells=cells, cell_of_point=cell_of_point, encoder=encoder)

    def without_cells(self) -> "ImportedHierarchy":
        """The description alone."""
        return ImportedHierarchy(**_fields_of(self, ImportedHierarchy))


class HierarchyWithCells(Hierarchy):
    """A hierarchy with its cells in memory: all of them, a prefix, or a subtree.

    ``cell_of_point`` is the row of the cell that each data point lies in, -1 for none; None where no data is known.
    ``point_names`` are what the data points are called, None where they have no names. ``point_columns`` is what a source
    knows of each besides (:mod:`cfgraph.sources.stability`), NaN and -1 for nothing.
    ``encoder`` is what was done to its data first; None where nothing was, or where it was not read from the store.
    """

    cells: Cells = Field(exclude=True, repr=False)
    cell_of_point: np.ndarray | None = Field(default=None, exclude=True, repr=False)
    point_names: tuple[str, ...] | None = Field(default=None, exclude=True, repr=False)
    point_columns: dict[str, np.ndarray] = Field(default={}, exclude=True, repr=False)
    encoder: Encoder | None = Field(default=None, exclude=True, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _name_encoder(cls, fields: Any) -> Any:
        """A new hierarchy's encoder gives its own digest."""
        encoder = fields.get("encoder") if isinstance(fields, dict) else None
        if encoder is None or fields.get("encoder_sha256") is not None:
            return fields
        return {**fields, "encoder_sha256": encoder.digest}

    @model_validator(mode="after")
    def _cells_fit(self) -> Self:
        if self.cells.dimension != self.dimension:
            raise InputError(f"hierarchy {self.id!r} has dimension {self.dimension}, its cells have {self.cells.dimension}")
        if self.cell_of_point is not None and (self.cell_of_point >= len(self.cells)).any():
            raise InputError(f"hierarchy {self.id!r} has data points in cells behind its last one, row {len(self.cells) - 1}")
        if self.point_names is not None and len(self.point_names) != (self.points or 0):
            raise InputError(
                f"hierarchy {self.id!r} has {self.points or 0} data points and {len(self.point_names)} names of them"
            )
        for name, column in self.point_columns.items():
            if len(column) != (self.points or 0):
                raise InputError(
                    f"hierarchy {self.id!r} has {self.points or 0} data points and {len(column)} values of {name!r}"
                )
        if self.encoder is not None and self.encoder.digest != self.encoder_sha256:
            raise InputError(f"hierarchy {self.id!r} has another encoder than it says: expected {self.encoder_sha256}")
        if unnamed := self.cells.own.keys() - set(self.own):
            raise InputError(f"hierarchy {self.id!r} does not name the properties {', '.join(sorted(unnamed))} of its cells")
        for name, column in self.cells.own.items():
            width, found = width_of(self.own_kinds.get(name)), column.shape[1] if column.ndim > 1 else None
            if width != found:
                raise InputError(f"hierarchy {self.id!r} has vectors of {width} numbers as {name!r}, its cells have {found}")
        return self

    def require_cells(self) -> Self:
        """Itself."""
        return self

    def require_encoder(self) -> Encoder | None:
        """What was done to its data, None where nothing was; an ``InputError`` where a store alone has it."""
        if self.encoder is None and self.encoder_sha256 is not None:
            raise InputError(
                f"{self.id!r} has an encoder, and was read without it; read the whole first: store.read_whole({self.id!r})"
            )
        return self.encoder

    def require_field(self, verb: str) -> "FieldWithCells":
        """Itself as a field; an ``InputError`` that names the verb, where it has no rule to learn or to grow by."""
        field = super().require_field(verb)
        assert isinstance(field, FieldWithCells)
        return field


class FieldWithCells(HierarchyWithCells, FieldHierarchy):
    """A field with its cells in memory."""


class ImportedWithCells(HierarchyWithCells, ImportedHierarchy):
    """An imported hierarchy with its cells in memory."""


def description_type(fields: Mapping[str, Any]) -> type[FieldHierarchy] | type[ImportedHierarchy]:
    """Which description some fields are of; an ``InputError`` where one of a field's two numbers is missing."""
    arity, scale_factor = fields.get("arity"), fields.get("scale_factor")
    if (arity is None) != (scale_factor is None):
        raise InputError(
            f"hierarchy {fields.get('id')!r} has arity {arity} and scale factor {scale_factor}; a field has both, an "
            "imported hierarchy has neither"
        )
    return ImportedHierarchy if arity is None else FieldHierarchy


def with_cells_type(fields: Mapping[str, Any]) -> type[FieldWithCells] | type[ImportedWithCells]:
    """The same, of fields with cells."""
    return FieldWithCells if description_type(fields) is FieldHierarchy else ImportedWithCells


def _fields_of(hierarchy: Hierarchy, kind: type[Hierarchy]) -> dict[str, Any]:
    return {name: getattr(hierarchy, name) for name in kind.model_fields}
