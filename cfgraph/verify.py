"""Verify: every invariant of a hierarchy in the graph, checked cell by cell, each violation named.

The invariants are those of docs/mathematics.md and docs/cypher.md; ``INVARIANTS`` says each in a sentence.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cfgraph.address import level_of, parse_address, stem_of
from cfgraph.called import make_callable
from cfgraph.errors import AddressError, StoreError
from cfgraph.hierarchy import Hierarchy

if TYPE_CHECKING:
    from cfgraph.store import Store

TOLERANCE = 1e-9
VIOLATIONS_MAX = 10_000  # kept in a report; all are counted

INVARIANTS = {
    "hierarchy": "the hierarchy's own numbers and recipe are there and make sense",
    "root": "the hierarchy has one ROOT, the cell of its key, without a parent and at root distance 0",
    "key": "a cell's key is its hierarchy's id followed by its address, once",
    "property": "every property is there, of its type and dimension, and finite",
    "level": "a cell's level is the number of its slots, and its parent's is one less",
    "parent": "every cell but the root has exactly one primary parent, the cell one slot up",
    "slot": "the slots under an expanded cell are exactly 0..K-1, and an address ends in its slot",
    "center": "center = parent center + parent scale * residual within 1e-9 max(norm(center), scale)",
    "scale": "scale = scale factor * parent scale",
    "length": "length = parent scale * norm(residual)",
    "root_distance": "root distance = parent root distance + length",
    "bound": "no residual is longer than the hierarchy's residual bound",
    "expansion": "an expanded cell has all its children, a frontier cell and a leaf none; no cell is both",
    "radius": "a radius reaches every known descendant, and none stands above a frontier",
    "size": "the data points below a cell are those below its children",
    "predicted": "below a predicted cell every cell is predicted, and only a grown hierarchy has such cells",
    "lease": "a complete hierarchy has no lease, and a lease's key is a cell's",
}


@dataclass(frozen=True)
class Violation:
    """One broken invariant: which, where, and what was expected and found."""

    invariant: str
    place: str
    detail: str


@dataclass
class VerifyReport:
    """What a verification found."""

    id: str
    cells: int = 0
    grown: bool = False  # whether any predictor grew it
    counts: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether every invariant holds."""
        return not self.counts

    def add(self, invariant: str, place: str, detail: str) -> None:
        """Count a violation and keep it, while there is room."""
        self.counts[invariant] = self.counts.get(invariant, 0) + 1
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(Violation(invariant, place, detail))


def verify(store: "Store", identifier: str, *, progress: Callable[[int, int], None] = lambda done, total: None) -> VerifyReport:
    """Check every invariant of a hierarchy; memory is bounded by a page of cells. A ``NotFoundError`` for an unknown id."""
    report = VerifyReport(id=identifier)
    try:
        hierarchy = store.hierarchy(identifier)
    except StoreError as damage:
        report.add("hierarchy", identifier, str(damage))
        return report
    _check_hierarchy(store, hierarchy, report)
    total = store.counts(identifier).cells
    before = ""
    for page in store.verification_pages(identifier):
        before = _check_page(page, hierarchy, report, before=before)
        progress(report.cells, total)
    return report


# -- the hierarchy as a whole


def _check_hierarchy(store: "Store", hierarchy: Hierarchy, report: VerifyReport) -> None:
    identifier = hierarchy.id
    if hierarchy.state == "removing":
        report.add("hierarchy", identifier, f"it is half removed; `cfgraph rm {identifier}` finishes that")
    roots = store.graph.read("read_roots", id=identifier)
    if [(root["key"], root["is_cell"]) for root in roots] != [(f"{identifier}/", True)]:
        report.add("root", identifier, f"expected one ROOT to the cell {identifier}/, found {[root['key'] for root in roots]}")
    for stray in store.strays(identifier):
        report.add("key", str(stray["address"]), f"a cell of this hierarchy has the key {stray['key']!r}, outside its range")
    grown = store.growing.history(identifier)
    if hierarchy.state == "complete" and any(not growth.done for growth in grown):
        report.add("hierarchy", identifier, "its state is complete, but a growth of it is not done")
    for lease in store.graph.read("read_leases", id=identifier):
        _check_lease(lease, hierarchy, report)
    # Its predictor may have been removed since.
    report.grown = bool(grown or hierarchy.former_predictors) or hierarchy.origin == "rollout"


def _check_lease(lease: dict[str, Any], hierarchy: Hierarchy, report: VerifyReport) -> None:
    key = lease["key"]
    if hierarchy.state == "complete":
        report.add("lease", str(key), f"the hierarchy is complete, but {lease['owner']!r} holds a lease on this block")
    elif not (isinstance(key, str) and key.startswith(hierarchy.id + "/")):
        report.add("lease", str(key), f"expected the key of a cell of {hierarchy.id!r}")


# -- cells, page by page

CELL = (
    "key",
    "hierarchy",
    "address",
    "level",
    "center",
    "scale",
    "root_distance",
    "radius",
    "size",
    "predicted",
    "frontier",
    "leaf",
)
PARENT = ("key", "is_cell", "level", "center", "scale", "root_distance", "predicted", "slot", "residual", "length", "primary")
CHILD = ("key", "is_cell", "slot", "length", "radius", "size", "primary", "frontier")


def _check_page(page: dict[str, list], hierarchy: Hierarchy, report: VerifyReport, *, before: str) -> str:
    """Check one page's cells one by one for what they are, and the sound ones together for their numbers."""
    sound = []
    for cell, parents, children in zip(page["cells"], page["parents"], page["children"], strict=True):
        cell = dict(zip(CELL, cell, strict=True))
        if cell["key"] == before:
            report.add("key", cell["key"], "two cells have this key")
        before = cell["key"]
        if not _check_cell(cell, hierarchy, report):
            continue
        _check_children(cell, children, hierarchy, report)
        parent = _primary_parent(cell, parents, hierarchy, report)
        if parent is not None:
            sound.append((cell, parent))
    report.cells += len(page["cells"])
    _check_numbers(sound, hierarchy, report)
    return before


def _is_number(value: Any) -> bool:
    return type(value) is float and math.isfinite(value)


def _is_vector(value: Any, dimension: int) -> bool:
    return isinstance(value, list) and len(value) == dimension and all(map(_is_number, value))


def _check_cell(cell: dict[str, Any], hierarchy: Hierarchy, report: VerifyReport) -> bool:
    """Whether a cell's own properties are sound enough to compute with."""
    place, identifier = cell["key"][len(hierarchy.id) :], hierarchy.id
    try:
        level = len(parse_address(place))
    except AddressError as error:
        report.add("key", cell["key"], str(error))
        return False
    if cell["hierarchy"] != identifier or cell["address"] != place:
        told = f"it says hierarchy {cell['hierarchy']!r} and address {cell['address']!r}"
        report.add("key", place, f"expected hierarchy {identifier!r} and address {place!r}, as its key has; {told}")
    if cell["level"] != level:
        report.add("level", place, f"expected level {level}, found {cell['level']!r}")
    wrong = [name for name in ("scale", "root_distance") if not _is_number(cell[name])]
    wrong += ["center"] * (not _is_vector(cell["center"], hierarchy.dimension))
    wrong += ["radius"] * (cell["radius"] is not None and not _is_number(cell["radius"]))
    wrong += ["size"] * (cell["size"] is not None and type(cell["size"]) is not int)
    wrong += ["predicted"] * (cell["predicted"] not in (None, True, False))
    for name in wrong:
        report.add("property", place, f"{name} is missing, of another type or dimension, or not finite: {str(cell[name])[:80]}")
    return not wrong


def _check_children(cell: dict[str, Any], rows: list[list], hierarchy: Hierarchy, report: VerifyReport) -> None:
    children = [dict(zip(CHILD, row, strict=True)) for row in rows]
    place = cell["key"][len(hierarchy.id) :]
    primary = [child for child in children if child["primary"] is not False]
    for child in primary:
        if not child["is_cell"] or child["key"] is None:
            report.add("parent", place, f"a CHILD edge leads to a node that is no Cell with a key ({child['key']!r})")
    if cell["frontier"] and cell["leaf"]:
        report.add("expansion", place, "it is both Frontier and Leaf")
    if (cell["frontier"] or cell["leaf"]) and children:
        report.add("expansion", place, f"it is {'Frontier' if cell['frontier'] else 'Leaf'} but has {len(children)} children")
    elif not (cell["frontier"] or cell["leaf"]):
        _check_expanded(place, primary, hierarchy, report)
    _check_radius(cell, place, primary, report)
    _check_size(cell, place, primary, report)


def _check_expanded(place: str, children: list[dict], hierarchy: Hierarchy, report: VerifyReport) -> None:
    slots = sorted((child["slot"] for child in children if child["is_cell"]), key=str)
    if len(slots) != hierarchy.arity:
        report.add("expansion", place, f"it is expanded and has {len(slots)} of {hierarchy.arity} children")
    if sorted(slots, key=str) != sorted(range(hierarchy.arity), key=str) and len(slots) == hierarchy.arity:
        report.add("slot", place, f"expected the slots 0..{hierarchy.arity - 1} under it, found {slots}")


def _check_radius(cell: dict[str, Any], place: str, children: list[dict], report: VerifyReport) -> None:
    radius = cell["radius"]
    if radius is None:
        return
    if cell["frontier"] or any(child["frontier"] or child["radius"] is None for child in children):
        report.add("radius", place, f"it has the radius {radius}, but there is a frontier at or below it")
        return
    reach = max((child["length"] + child["radius"] for child in children if _is_number(child["length"])), default=0.0)
    if radius < reach - TOLERANCE * max(1.0, reach):
        report.add("radius", place, f"its radius is {radius}, and a known descendant is as far as {reach}")


def _check_size(cell: dict[str, Any], place: str, children: list[dict], report: VerifyReport) -> None:
    sizes = [child["size"] for child in children]
    if cell["size"] is None or not sizes or None in sizes:
        return
    if all(type(size) is int for size in sizes) and sum(sizes) != cell["size"]:
        report.add("size", place, f"{cell['size']} data points lie below it, and {sum(sizes)} below its children")


def _primary_parent(
    cell: dict[str, Any], rows: list[list], hierarchy: Hierarchy, report: VerifyReport
) -> dict[str, Any] | None:
    """The primary parent with the edge from it, if both are sound enough to compute with."""
    place = cell["key"][len(hierarchy.id) :]
    parents = [parent for row in rows if (parent := dict(zip(PARENT, row, strict=True)))["primary"] is not False]
    if place == "/":
        _check_root(cell, parents, report)
        return None
    if len(parents) != 1:
        report.add("parent", place, f"expected one primary parent, found {[parent['key'] for parent in parents]}")
        return None
    (parent,) = parents
    above = hierarchy.id + (place[: place.rindex("/")] or "/")
    if parent["key"] != above or not parent["is_cell"]:
        report.add("parent", place, f"expected the cell {above} as its parent, found {parent['key']!r}")
        return None
    _check_edge(cell, parent, place, report)
    wrong = [name for name in ("scale", "root_distance", "length") if not _is_number(parent[name])]
    wrong += [name for name in ("center", "residual") if not _is_vector(parent[name], hierarchy.dimension)]
    for name in {"residual", "length"} & set(wrong):
        report.add("property", place, f"{name} of the edge to it is missing, of another type or dimension, or not finite")
    return None if wrong else parent


def _check_root(cell: dict[str, Any], parents: list[dict], report: VerifyReport) -> None:
    if parents:
        report.add("root", "/", f"the root has a parent: {parents[0]['key']!r}")
    if cell["root_distance"] != 0:
        report.add("root_distance", "/", f"expected root distance 0 at the root, found {cell['root_distance']}")
    if not cell["scale"] > 0:
        report.add("scale", "/", f"expected a root scale above 0, found {cell['scale']}")
    if cell["predicted"]:
        report.add("predicted", "/", "the root is never predicted")


def _check_edge(cell: dict[str, Any], parent: dict[str, Any], place: str, report: VerifyReport) -> None:
    if parent["level"] != level_of(place) - 1:
        report.add("level", place, f"expected its parent at level {level_of(place) - 1}, found {parent['level']!r}")
    if str(parent["slot"]) != place[place.rindex("/") + 1 :] or type(parent["slot"]) is not int:
        report.add("slot", place, f"the edge to it has slot {parent['slot']!r}")
    if parent["predicted"] and not cell["predicted"]:
        report.add("predicted", place, f"its parent {stem_of(parent['key'])} is predicted and it is not")
    if cell["predicted"] and not report.grown:
        report.add("predicted", place, "it is predicted, but no predictor ever grew this hierarchy")


def _check_numbers(sound: list[tuple[dict, dict]], hierarchy: Hierarchy, report: VerifyReport) -> None:
    """The numeric invariants of many cells at once."""
    if not sound:
        return
    cells, parents = zip(*sound, strict=True)
    column = {name: np.array([cell[name] for cell in cells]) for name in ("center", "scale", "root_distance")}
    above = {name: np.array([p[name] for p in parents]) for name in ("center", "scale", "root_distance", "residual", "length")}
    norm = np.linalg.norm(above["residual"], axis=1)
    size = np.maximum(np.linalg.norm(column["center"], axis=1), column["scale"])
    gap = np.linalg.norm(column["center"] - above["center"] - above["scale"][:, None] * above["residual"], axis=1)
    scale, length = hierarchy.scale_factor * above["scale"], above["scale"] * norm
    distance = above["root_distance"] + above["length"]
    checks = {
        "center": (gap > TOLERANCE * size, "off by {:.3g}", gap),
        "scale": (np.abs(column["scale"] - scale) > TOLERANCE * scale, "expected {:.17g}", scale),
        "length": (
            np.abs(above["length"] - length) > TOLERANCE * np.maximum(length, above["scale"]),
            "expected {:.17g}",
            length,
        ),
        "root_distance": (
            np.abs(column["root_distance"] - distance) > TOLERANCE * np.maximum(distance, column["scale"]),
            "expected {:.17g}",
            distance,
        ),
        "bound": (norm > hierarchy.residual_bound * (1 + TOLERANCE), "its residual has norm {:.6g}", norm),
    }
    for invariant, (broken, detail, values) in checks.items():
        for row in np.flatnonzero(broken).tolist():
            report.add(invariant, cells[row]["key"][len(hierarchy.id) :], detail.format(values[row]))


make_callable(__name__)
