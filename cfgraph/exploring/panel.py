"""Panel: all that is told of one cell: where it is, what it holds, what is around and below it, how to ask for it elsewhere."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from cfgraph.exploring.library import Library
from cfgraph.formats.folders.place import is_folder
from cfgraph.model.address import ancestor_address, level_of, parse_address
from cfgraph.model.cells import STATE_NAMES
from cfgraph.model.columns import CELL_COLUMNS, IDENTITY, names_of

if TYPE_CHECKING:
    from pathlib import Path

    from cfgraph.model.field import Field

CHILDREN_SHOWN = 200
CELLS_COUNTED = 100_000
POINTS_COUNTED = 1_000_000
TEXT_SHOWN, LIST_SHOWN = 2_000, 64  # letters, and values
SAFE_INTEGER = 2**53  # larger ones are no numbers of JavaScript's
OF_CELLS = {*names_of(CELL_COLUMNS), *IDENTITY}  # what is told by name, rather than among the properties
CYPHER = "MATCH (cell:Cell {key: $key})\nRETURN cell"
IMAGE_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
}


def tell_cell(
    library: Library, id: str, address: str, *, field: "Field", beside: "tuple[Field, str] | None", place: str
) -> dict[str, Any]:
    """What the panel shows of a cell; ``place`` is the store's URL.

    ``beside`` is the other field, and the address of the cell's partner in it.

    Raises:
        AddressError: for what is no address, and where no cell can be.
    """
    parse_address(address)
    hierarchy = library.hierarchy(id)
    seen = library.look_at(id, address, most=CHILDREN_SHOWN)
    found = field.cells([address])
    known = seen.properties or {}
    stored, file = seen.properties is not None, library.place_of(id)
    return {
        "id": id,
        "address": address,
        "name": known.get("name"),
        "level": level_of(address),
        "stored": stored,
        "predicted": bool(known.get("predicted", False)),
        "state": STATE_NAMES[seen.state] if stored else "by the rule",
        "center": shown(found.center[0].tolist()),
        "scale": float(found.scale[0]),
        "length": float(found.length[0]),
        "root_distance": float(found.root_distance[0]),
        "residual": shown(found.residual[0].tolist()),
        "reach": float(field.reach([address])[0]),
        "radius": float(field.radius([address])[0]),
        "properties": {name: shown(value) for name, value in sorted(known.items()) if name not in OF_CELLS and name != "name"},
        "parents": seen.parents,
        "children": [{**child, "state": STATE_NAMES[child["state"]], "stored": True} for child in seen.children],
        "child_count": seen.child_count if stored and seen.child_count else _children_by_rule(field, stored, seen.state),
        "points_below": known.get("size") if hierarchy.points is not None or "size" in known else None,
        "subtree": asdict(library.measure_below(id, address, most=CELLS_COUNTED)) if stored else None,
        "above": [{"address": one, "name": seen.names.get(one)} for one in _above(address)],
        "cypher": cypher_of(f"{id}{address}") if stored and file is None else None,
        "python": python_of(id, address, place=file or place, stored=file is None),
        "beside": None if beside is None else errors_beside(field, address, *beside),
    }


def _above(address: str) -> list[str]:
    return [ancestor_address(address, level) for level in range(level_of(address))]


def _children_by_rule(field: "Field", stored: bool, state: int) -> int:
    """How many children the rule gives a cell that has none in the graph."""
    is_leaf = stored and STATE_NAMES[state] == "Leaf"
    return 0 if field.descent is None or is_leaf else (field.arity or 0)


def errors_beside(field: "Field", address: str, beside: "Field", partner: str) -> dict[str, Any] | None:
    """How far a cell's partner in the other hierarchy lies from it; None where that has none."""
    from cfgraph.errors import AddressError

    one = field.cells([address])
    try:
        other = beside.cells([partner])
    except AddressError:
        return None
    if one.center.shape != other.center.shape or one.center.shape[1] == 0:
        return {"address": partner, "center_error": None, "in_scale": None, "residual_error": None}
    gap = float(np.linalg.norm(one.center[0] - other.center[0]))
    return {
        "address": partner,
        "center_error": gap,
        "in_scale": gap / float(one.scale[0]) if one.scale[0] > 0 else None,
        "residual_error": float(np.linalg.norm(one.residual[0] - other.residual[0])),
    }


def cypher_of(key: str) -> str:
    """Cypher that finds a cell, to be pasted elsewhere: the key as a parameter, then the statement."""
    return f":param key => {json.dumps(key)}\n{CYPHER}"


def python_of(id: str, address: str, *, place: str, stored: bool) -> str:
    """Python that asks for a cell, to be pasted elsewhere."""
    if stored:
        lines = ["import cfgraph", "", f"with cfgraph.Store.open({place!r}) as store:"]
        return "\n".join([*lines, f"    cell = cfgraph.field(store, {id!r}).cells([{address!r}])"])
    if is_folder(place):
        lines = ["import cfgraph", "from cfgraph.formats.folders.reader import open_folder", ""]
        return "\n".join([*lines, f"cell = cfgraph.field(open_folder({place!r})).cells([{address!r}])"])
    lines = ["import cfgraph", "", f"hierarchy = cfgraph.sources.parquet({place!r}).hierarchy"]
    return "\n".join([*lines, f"cell = cfgraph.field(hierarchy).cells([{address!r}])"])


def tell_points(library: Library, id: str, address: str, *, start: int, count: int, images: "Path | None") -> dict[str, Any]:
    """Data points at and below a cell, a page of them; ``total`` is None where there are more than are counted."""
    parse_address(address)
    library.hierarchy(id)
    points = library.points_below(id, address, start=start, most=count)
    total = library.count_points_below(id, address, most=POINTS_COUNTED)
    told = [{**point, "image": images is not None and image_of(images, point["name"]) is not None} for point in points]
    return {"total": None if total >= POINTS_COUNTED else total, "points": told}


def image_of(folder: "Path", name: Any) -> "Path | None":
    """The image file in a folder that a data point names; None for a name of anything else, or of what lies elsewhere."""
    from pathlib import Path

    if not isinstance(name, str) or not name or "\0" in name or Path(name).suffix.lower() not in IMAGE_TYPES:
        return None
    inside = folder.resolve()
    try:
        found = (inside / name).resolve()
        return found if found.is_relative_to(inside) and found.is_file() else None
    except OSError:
        return None


def shown(value: Any) -> Any:
    """A value as JSON for a page: long texts and lists cut, and said so; integers beyond JavaScript's as text."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) <= SAFE_INTEGER else str(value)
    if isinstance(value, str):
        return value if len(value) <= TEXT_SHOWN else f"{value[:TEXT_SHOWN]} ... ({len(value):,} letters)"
    if isinstance(value, Mapping):
        return {str(name): shown(inner) for name, inner in value.items()}
    if isinstance(value, Sequence):
        few = [shown(inner) for inner in value[:LIST_SHOWN]]
        return few if len(value) <= LIST_SHOWN else [*few, f"... ({len(value):,} values)"]
    return value if isinstance(value, float) else str(value)
