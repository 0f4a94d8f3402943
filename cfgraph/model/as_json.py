"""JSON: what the library found, as text for programs; not-a-number and infinities, which JSON lacks, are null."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from cfgraph.errors import Note


def to_json(found: Any, *, indent: int | None = 1) -> str:
    """A report, a path, a description or plain values as JSON text.

    What has a ``to_json`` of its own, as the report of ``compare``, says how; of others it is ``to_dict()``, or the fields.
    """
    if hasattr(found, "to_json"):
        text: str = found.to_json()
        return text
    return json.dumps(json_value(fields_of(found)), indent=indent, default=str)


def fields_of(found: Any) -> Any:
    """What is to be told of a value: ``to_dict()`` where it has one, else its fields; plain values as they are."""
    if hasattr(found, "to_dict"):
        return found.to_dict()
    return asdict(found) if is_dataclass(found) and not isinstance(found, type) else found


def json_value(value: Any) -> Any:
    """A value as JSON holds it: not-a-number and infinities are null, notes in the words of whom they are told."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Note):
        return str(value)
    if isinstance(value, list | tuple):
        return [json_value(inner) for inner in value]
    return {name: json_value(inner) for name, inner in value.items()} if isinstance(value, Mapping) else value
