"""Plan and manifest: what a folder is to hold, written first, and what it holds, written last.

    plan.json        what is grown, from what, and how it is cut into sheets: the recipe by which whoever joins in is told from
                     who would grow something else
    prefix.parquet   the cells down to the level that growing starts from
    levels-*.parquet sheets (cfgraph/model/sheets.py), each there whole or not at all
    encoder.bin      what was done to the data first, where that is kept
    manifest.json    the hierarchy, with its numbers of cells, the digest and the names and sizes of all files of the field

A folder without a manifest holds half a field. Files that the manifest does not name are no part of the field.
"""

import base64
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cfgraph.errors import DETAIL_MAX, InputError
from cfgraph.formats.folders.place import Place
from cfgraph.learning.encoders import load_encoder
from cfgraph.model.cells import FRONTIER, Cells
from cfgraph.model.encoder import Encoder
from cfgraph.model.hierarchy import FieldHierarchy, description_type, recipe_digest
from cfgraph.model.sheets import SheetCut, sheet_cells
from cfgraph.predictors.trained import Grower, TrainedPredictor

VERSION = 1
BITS, LEVELS_MAX = 62, 1_000_000  # of the number of cells; of a field of arity 1
PLAN, MANIFEST, ENCODER = "plan.json", "manifest.json", "encoder.bin"


class GrowerRecord(BaseModel):
    """A predictor that grew the field, with its weights in base64, and the properties of its GROWN_BY."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    predictor: dict[str, Any]
    growths: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, grower: Grower) -> Self:
        """The record of one."""
        record = grower.trained.model_dump(mode="json", exclude={"weights"})
        weights = base64.b64encode(grower.trained.weights).decode()
        return cls(predictor={**record, "weights": weights}, growths=tuple(dict(growth) for growth in grower.growths))

    def grower(self) -> Grower:
        """The predictor, and how it grew."""
        fields = {**self.predictor, "weights": base64.b64decode(self.predictor["weights"], validate=True)}
        return Grower(TrainedPredictor(**fields), self.growths)


class CutRecord(BaseModel):
    """The numbers of a :class:`~cfgraph.model.sheets.SheetCut`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    arity: int = Field(ge=1)
    depth: int = Field(ge=0)
    height: int = Field(ge=1)
    from_depth: int = Field(ge=0)
    prefix_cells: int = Field(ge=1)
    frontier: int = Field(ge=0)
    groups: list[int] = []
    sheet_cells: int = Field(ge=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        """What no field has would be counted for hours, or for ever."""
        if (self.depth - self.from_depth) * math.log2(self.arity) > BITS or self.depth > LEVELS_MAX:
            raise ValueError(f"{self.depth:,} levels of arity {self.arity} hold more cells than can be counted")
        if self.groups and (self.groups != sorted({0, *self.groups}) or self.groups[-1] >= self.frontier):
            raise ValueError("its groups do not begin at rising places of the frontier")
        return self

    def cut(self) -> SheetCut:
        """The cut."""
        return SheetCut(**{**self.model_dump(), "groups": tuple(self.groups)})


class EncoderRecord(BaseModel):
    """What was done to the data first; its weights are a file of their own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: list[dict[str, Any]]
    sha256: str


class Plan(BaseModel):
    """What a folder is to hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = VERSION
    hierarchy: dict[str, Any]
    prefix_sha256: str  # of the cells that growing starts from
    growers: tuple[GrowerRecord, ...] = ()
    predicts: str | None = None  # the id of the hierarchy whose prefix it is
    encoder: EncoderRecord | None = None
    cut: CutRecord

    @property
    def key(self) -> str:
        """What the same plan has in any folder, whenever it was made: of what goes into the cells."""
        known = self.hierarchy
        recipes = [grower.predictor["recipe"] for grower in self.growers]
        weights = [hashlib.sha256(grower.predictor["weights"].encode()).hexdigest() for grower in self.growers]
        said = [VERSION, known["id"], known["recipe"], recipes, weights, self.prefix_sha256, self.cut.model_dump()]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def description(self) -> FieldHierarchy:
        """The hierarchy, without cells."""
        return _description(self.hierarchy)


class SheetRecord(BaseModel):
    """A file of the field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    cells: int
    bytes: int


class Manifest(BaseModel):
    """What a folder holds: the plan, and what is known at the end. ``hierarchy`` has what was measured of all cells."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = VERSION
    plan: Plan
    hierarchy: dict[str, Any]
    cells: int
    cells_by_level: list[int]
    digest: str
    sheets: list[SheetRecord]

    def description(self) -> FieldHierarchy:
        """The hierarchy, without cells."""
        return _description(self.hierarchy)

    def growers(self) -> tuple[Grower, ...]:
        """What grew it."""
        return tuple(record.grower() for record in self.plan.growers)


def _description(record: Mapping[str, Any]) -> FieldHierarchy:
    return description_type(record)(**record).require_field("a folder")


def plan_of(
    hierarchy: FieldHierarchy,
    prefix: Cells,
    *,
    depth: int,
    height: int,
    growers: tuple[Grower, ...] = (),
    predicts: str | None = None,
    encoder: Encoder | None = None,
) -> Plan:
    """The plan of a field below a prefix.

    Raises:
        InputError: for a prefix that has cells to be grown above its last level.
    """
    from cfgraph.store.digest import digest_hierarchy

    last, arity = prefix.level_rows(prefix.depth), hierarchy.arity
    grows = prefix.state == FRONTIER
    if grows[: last.start].any():
        raise InputError(
            f"the prefix of depth {prefix.depth} has cells to be grown above its last level, and a folder grows one level; "
            "grow the hierarchy in the store to one depth first, or take a shorter prefix"
        )
    cut = CutRecord(
        arity=arity,
        depth=depth,
        height=height,
        from_depth=prefix.depth,
        prefix_cells=len(prefix),
        frontier=int(grows.sum()),
        sheet_cells=sheet_cells(hierarchy.dimension),
    )
    groups = _groups(prefix, root_level=cut.cut().top_root)
    return Plan(
        hierarchy=hierarchy.model_dump(mode="json"),
        prefix_sha256=digest_hierarchy(hierarchy.with_cells(prefix)),
        growers=tuple(GrowerRecord.of(grower) for grower in growers),
        predicts=predicts,
        encoder=None if encoder is None else EncoderRecord(steps=list(encoder.steps), sha256=encoder.digest),
        cut=cut.model_copy(update={"groups": groups}),
    )


def _groups(prefix: Cells, *, root_level: int) -> list[int]:
    """At which places among the frontier cells of a prefix those under each cell of a level begin; none at their own level."""
    if root_level >= prefix.depth:
        return []
    rows = np.flatnonzero(prefix.state == FRONTIER)
    above = rows
    for _ in range(prefix.depth - root_level):
        above = prefix.parent[above]
    found: list[int] = np.unique(above, return_index=True)[1].tolist()
    return found


def write_encoder(place: Place, encoder: Encoder | None) -> None:
    """Write what was done to the data first, where anything was."""
    if encoder is not None and not place.has(ENCODER):
        place.put(ENCODER, encoder.weights)


def read_encoder(place: Place, record: EncoderRecord | None) -> Encoder | None:
    """What was done to the data first; None where nothing was.

    Raises:
        InputError: where its file is gone, or another one.
    """
    if record is None:
        return None
    with place.input_file(ENCODER) as file:
        encoder = Encoder(steps=tuple(record.steps), weights=file.read())
    if encoder.digest != record.sha256:
        raise InputError(f"{place}/{ENCODER} is damaged: it is another encoder than the field was made with")
    load_encoder(encoder)
    return encoder


def read_plan(place: Place) -> Plan | None:
    """The plan of a folder; None where there is none."""
    text = place.text(PLAN)
    return None if text is None else _parsed(Plan, text, place=place, name=PLAN)


def find_plan(place: Place, plan: Plan) -> Plan | None:
    """The plan of a folder in which this one may be pinned; None where there is none yet. Nothing is written.

    Raises:
        InputError: for a folder that holds another field, or files that are none of a field's.
    """
    found = read_plan(place)
    if found is None:
        strange = [name for name in place.sizes() if not name.startswith(".")]
        found = read_plan(place) if strange else None  # another may have begun in this moment
        if strange and found is None:
            raise InputError(
                f"the folder {place} holds files and no field ({', '.join(sorted(strange)[:3])}); nothing in it is replaced: "
                "choose another name"
            )
    if found is not None and found.key != plan.key:
        raise InputError(_another(place, found, plan))
    return found


def pin_plan(place: Place, plan: Plan) -> Plan:
    """Write a plan into a folder, or join the one that is there.

    Raises:
        InputError: for a folder that holds another field, or files that are none of a field's.
    """
    if (found := find_plan(place, plan)) is not None:
        return found
    place.make()
    place.put(PLAN, plan.model_dump_json(indent=1).encode(), first=True)
    found = find_plan(place, plan)
    assert found is not None
    return found


def _another(place: Place, found: Plan, asked: Plan) -> str:
    mine, its = asked.hierarchy, found.hierarchy
    if mine["id"] != its["id"]:
        what = f"{its['id']!r}, and {mine['id']!r} was asked for"
    elif recipe_digest(mine["recipe"]) != recipe_digest(its["recipe"]):
        differ = [name for name in {**mine["recipe"], **its["recipe"]} if mine["recipe"].get(name) != its["recipe"].get(name)]
        told = ", ".join(f"{name} {its['recipe'].get(name)} and not {mine['recipe'].get(name)}" for name in differ[:3])
        what = f"a field {its['id']!r} of another recipe ({told})"
    else:
        what = f"{its['id']!r} grown from another prefix, by other weights, or cut otherwise"
    return f"the folder {place} holds another field: {what}; nothing in it is replaced: choose another folder"


def read_manifest(place: Place) -> Manifest:
    """The manifest of a folder.

    Raises:
        InputError: for a folder that holds no field, or half of one.
    """
    text = place.text(MANIFEST)
    if text is not None:
        manifest = _parsed(Manifest, text, place=place, name=MANIFEST)
        if (arity := manifest.description().arity) != manifest.plan.cut.arity:
            told = f"its field has the arity {arity}, and is cut as one of {manifest.plan.cut.arity}"
            raise InputError(f"{place}/{MANIFEST} is damaged, or was changed: {told}; grow the field again elsewhere")
        return manifest
    plan = read_plan(place)
    if plan is None:
        raise InputError(f"{place} is no folder of a field: it has no {MANIFEST}; `-o FOLDER/` of ingest and rollout makes one")
    sizes, cut = place.sizes(), plan.cut.cut()
    done = sum(sheet.name in sizes for sheet in cut.sheets())
    raise InputError(
        f"the folder {place} holds half a field: {done:,} of {cut.sheet_count:,} sheets of {plan.hierarchy['id']!r} and no "
        f"{MANIFEST}; it is being grown, or was interrupted: the same command again goes on"
    )


def _parsed(kind: Any, text: str, *, place: Place, name: str) -> Any:
    try:
        version = json.loads(text).get("version")
        if type(version) is int and version > VERSION:
            raise InputError(f"{place}/{name} has the form {version}, and this cfgraph knows {VERSION}; upgrade cfgraph")
        return kind.model_validate_json(text)
    except (ValidationError, ValueError, AttributeError) as error:
        detail = " ".join(str(error).split())[:DETAIL_MAX]
        raise InputError(f"{place}/{name} is damaged, or was changed: {detail}; grow the field again elsewhere") from error
