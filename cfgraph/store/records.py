"""Hierarchies and predictors as the properties of their nodes, and back."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from cfgraph.errors import DETAIL_MAX, CfgraphError, DamagedError
from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy, ImportedHierarchy
from cfgraph.predictors.trained import TrainedPredictor

# Left out where they say this.
IMPORTED_FIELDS = {
    "lengths": "metric",
    "virtual_root": False,
    "links": 0,
    "own_kinds": "{}",
    "point_nodes": False,
    "point_kinds": "null",
    "cuts": "null",
}
STATED = {"state": None, "created": None}  # what a new hierarchy has by itself, and a node has to say
FIELD_NUMBERS = {"arity", "scale_factor"}
JSON_FIELDS = (
    "recipe",
    "config",
    "validation",
    "folds",
    "own_kinds",
    "point_kinds",
    "cuts",
)  # Neo4j has no nested properties: these are JSON text
KINDS: dict[type[BaseModel], str] = {TrainedPredictor: "Predictor"}

Record = TypeVar("Record", bound=BaseModel)


def properties_of(model: Hierarchy | TrainedPredictor) -> dict[str, Any]:
    """The node's properties: plain fields as they are, nested ones as JSON, absent and empty ones left out."""
    fields = model.model_dump()
    for name in JSON_FIELDS & fields.keys():
        fields[name] = json.dumps(fields[name], sort_keys=True)
    lists = {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    present = {name: value for name, value in lists.items() if value is not None and value != []}
    return {name: value for name, value in present.items() if name not in IMPORTED_FIELDS or value != IMPORTED_FIELDS[name]}


@dataclass(frozen=True)
class DamagedNode:
    """A node of ours whose properties are not what they should be: its ``id`` as it stands there, and what is wrong."""

    kind: str  # Hierarchy or Predictor
    id: Any
    reason: str


Sound = TypeVar("Sound", Hierarchy, TrainedPredictor)


def sound_ones(
    found: Iterable[dict[str, Any]], make: Callable[[dict[str, Any]], Sound]
) -> tuple[list[Sound], list[DamagedNode]]:
    """What the properties of some nodes describe, and the nodes of which that cannot be said."""
    sound, damaged = list[Sound](), list[DamagedNode]()
    for properties in found:
        try:
            sound.append(make(properties))
        except DamagedError as error:
            kind = "Predictor" if make is predictor_of else "Hierarchy"
            damaged.append(DamagedNode(kind, properties.get("id"), str(error)))
    return sound, damaged


def hierarchy_of(properties: dict[str, Any]) -> Hierarchy:
    """The hierarchy that a node's properties describe; properties that others added are passed over."""
    kind: type[Hierarchy] = FieldHierarchy if FIELD_NUMBERS & properties.keys() else ImportedHierarchy
    fields = _fields(properties, kind)
    if isinstance(cuts := fields.get("cuts"), dict):  # one that is unfinished is no property of the cells (store/cuts.py)
        fields["cuts"] = {name: about for name, about in cuts.items() if name in fields.get("own", ())} or None
    return _made(kind, {**STATED, **fields})


def predictor_of(properties: dict[str, Any]) -> TrainedPredictor:
    """The predictor that a node's properties describe; listed ones come without their weights."""
    return _made(TrainedPredictor, _fields({**properties, "weights": properties.get("weights") or b""}, TrainedPredictor))


def _made(model: type[Record], fields: dict[str, Any]) -> Record:
    try:
        return model(**fields)
    except (ValidationError, CfgraphError) as error:
        faults: list[dict[str, Any]] = getattr(error, "errors", list)()
        detail = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in faults) or str(error)
        kind, name = KINDS.get(model, "Hierarchy"), fields.get("id")
        help = f"`cfgraph verify {name}` names what is wrong, and" if kind == "Hierarchy" else "train it again;"
        detail = " ".join(detail.split())[:DETAIL_MAX]
        message = f"the {kind} node {name!r} is damaged ({detail}); {help} `cfgraph rm {name}` removes it"
        raise DamagedError(message, id=str(name)) from error


def _fields(properties: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    known = {name: value for name, value in properties.items() if name in model.model_fields and value is not None}
    if hasattr(known.get("created"), "to_native"):
        known["created"] = known["created"].to_native()
    return {name: _parsed(value) if name in JSON_FIELDS else value for name, value in known.items()}


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return None  # no JSON: the model's own check names the field
