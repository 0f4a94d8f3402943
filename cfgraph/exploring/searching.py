"""Searching: cells by address, by name, and by what a property of theirs holds."""

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cfgraph.errors import AddressError, InputError, NotFoundError
from cfgraph.exploring.library import Library
from cfgraph.exploring.panel import shown
from cfgraph.model.address import is_address
from cfgraph.model.hierarchy import Hierarchy

if TYPE_CHECKING:
    from cfgraph.exploring.scene import Scene
    from cfgraph.model.field import Field

WAYS = ("name", "address", "property")
HITS_MAX = 200
TEXT_MAX = 8_000
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"\s*(?:(?P<sign><=?|>=?|=)?\s*(?P<one>{_NUMBER})|(?P<low>{_NUMBER})\s*\.\.\s*(?P<high>{_NUMBER}))\s*")
LIKE_NUMBERS = ("INTEGER", "FLOAT")  # kinds of properties


def search_cells(
    library: Library,
    id: str,
    text: str,
    *,
    by: str,
    property: str | None,
    limit: int,
    field: "Callable[[str], Field]",
    opened: "Callable[[str], Scene | None]" = lambda id: None,
) -> dict[str, Any]:
    """Cells that a text finds: ``hits`` with ``address`` and ``name``, and whether there are ``more``.

    By address it is the cell itself, stored or by the rule; where there is none, it is ``told`` why. A property of numbers is
    asked ``3``, ``>= 3``, ``< 3`` or ``1..3``; others, and names, a part of the text, whatever the size of its
    letters. Names of a hierarchy that is ``opened`` with them in memory are searched there: in a graph all its cells have to be
    read for it.

    Raises:
        InputError: for a way to search that there is not, an empty text, and a property that cells have not.
    """
    hierarchy = library.hierarchy(id)
    if by not in WAYS:
        raise InputError(f"expected to search by one of {', '.join(WAYS)}, got {by!r}")
    if not text.strip() or len(text) > TEXT_MAX:
        raise InputError(f"expected a text of 1 to {TEXT_MAX:,} letters to search for, got {len(text.strip()):,}")
    if by == "address":
        return _at(text.strip(), field(id), library, id)
    scene = opened(id)
    found = _named(library, hierarchy, text, limit, scene) if by == "name" else _with(library, hierarchy, property, text, limit)
    told = [{**hit, **({"value": shown(hit["value"])} if "value" in hit else {})} for hit in found[:limit]]
    return {"hits": told, "more": len(found) > limit}


def _at(address: str, field: "Field", library: Library, id: str) -> dict[str, Any]:
    """The cell of an address; where there is none, what is ``told`` is below which cell nothing is."""
    if not is_address(address):
        raise AddressError(f"expected an address such as '/' or '/2/0' (slots joined by slashes), got {address[:80]!r}")
    try:
        field.cells([address])
    except (AddressError, NotFoundError) as error:
        return {"hits": [], "more": False, "told": str(error)}
    seen = library.look_at(id, address, most=0)
    return {"hits": [{"address": address, "name": (seen.properties or {}).get("name")}], "more": False}


def _named(library: Library, hierarchy: Hierarchy, text: str, limit: int, scene: "Scene | None") -> list[dict[str, Any]]:
    if "name" not in hierarchy.own:
        raise InputError(f"the cells of {hierarchy.id!r} have no names; search by address{_properties(hierarchy)}")
    found = None if scene is None else scene.search_names(text.strip(), most=limit + 1)
    return library.search_names(hierarchy.id, text.strip(), most=limit + 1) if found is None else found


def _with(library: Library, hierarchy: Hierarchy, property: str | None, text: str, limit: int) -> list[dict[str, Any]]:
    if property is None or property not in hierarchy.own:
        raise InputError(f"the cells of {hierarchy.id!r} have no property {property!r}{_properties(hierarchy)}")
    numbers = hierarchy.own_kinds.get(property) in LIKE_NUMBERS
    between = _between(text) if numbers else None
    if numbers and between is None:
        raise InputError(f"{property} holds numbers: expected 3, >= 3, < 3 or 1..3, got {text.strip()[:80]!r}")
    part = None if numbers else text.strip()
    return library.search_property(hierarchy.id, property, text=part, between=between, most=limit + 1)


def _properties(hierarchy: Hierarchy) -> str:
    return f", or by one of its properties: {', '.join(hierarchy.own)}" if hierarchy.own else ""


def _between(text: str) -> tuple[float, float] | None:
    """The least and the largest number that a text means; None for a text that means none."""
    match = _RANGE.fullmatch(text)
    if match is None:
        return None
    if match["low"]:
        return float(match["low"]), float(match["high"])
    number = float(match["one"])
    return {
        None: (number, number),
        "=": (number, number),
        ">=": (number, math.inf),
        ">": (math.nextafter(number, math.inf), math.inf),
        "<=": (-math.inf, number),
        "<": (-math.inf, math.nextafter(number, -math.inf)),
    }[match["sign"]]
