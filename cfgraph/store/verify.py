"""Verify: every invariant of a hierarchy in the graph, checked cell by cell, each violation named.

The invariants are those of docs/mathematics.md and docs/cypher.md; ``INVARIANTS`` says each in a sentence.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cfgraph.errors import AddressError, DamagedError, InputError, NotFoundError, notes_of
from cfgraph.model.address import ROOT, level_of, parse_address, stem_of, subtree_range
from cfgraph.model.as_html import Shown
from cfgraph.model.batch import Batch, batches_range
from cfgraph.model.columns import is_of_kind
from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy
from cfgraph.model.invariants import (
    Check,
    EdgeColumns,
    Ends,
    Families,
    check_edges,
    check_families,
    points_detail,
    room_for_points,
)
from cfgraph.model.order import in_cycle
from cfgraph.store.cuts import UNFINISHED
from cfgraph.store.placing import batch_of
from cfgraph.store.reading import next_key
from cfgraph.store.sound_pages import count_sound

if TYPE_CHECKING:
    from cfgraph.store import Store
    from cfgraph.store.growth import GrownBy

VIOLATIONS_MAX = 10_000  # kept in a report; all are counted
LOOKS, LOOK_SECONDS = 5, 0.2  # at what does not hold while cells arrive: again so often, after so long

INVARIANTS = {
    "hierarchy": "the hierarchy's own numbers and recipe are there and make sense",
    "root": "the hierarchy has one ROOT, the cell of its key, without a parent and at root distance 0",
    "key": "a cell's key is its hierarchy's id followed by its address, once",
    "property": "every property is there, of its type and dimension, and finite",
    "level": "a cell's level is the number of its slots, and its parent's is one less",
    "parent": "every cell but the root has exactly one primary parent, the cell one slot up, of lowest key one level up",
    "slot": "the slots under an expanded cell are exactly 0..K-1 (imported: K its own), and an address ends in its slot",
    "center": "center = parent center + parent scale * residual within 1e-9 max(norm(center), scale)",
    "scale": "scale = scale factor * parent scale (imported: above 0)",
    "length": "length = parent scale * norm(residual) (imported without embeddings: as in the source, not below 0)",
    "root_distance": "root distance = parent root distance + length",
    "bound": "no residual is longer than the hierarchy's residual bound",
    "expansion": "an expanded cell has all its children, a frontier cell and a leaf none; no cell is both",
    "radius": "a radius reaches every known descendant, and none stands above a frontier",
    "size": "the data points below a cell are those below its children (imported: and those in itself); below the root are all",
    "predicted": "below a predicted cell every cell is predicted, and only a grown hierarchy has such cells",
    "link": "an imported hierarchy has as many edges from second parents as it says, and they make no cycle",
    "point": "a data point that is a node lies in exactly one cell, and its number is that of its key",
    "batch": "a point of a batch lies in exactly one cell, and there are as many as the record of the batch counts",
    "grower": "what grew it can be loaded",
    "encoder": "what was done to its data is there, whole, where it says that something was",
    "digest": "the cells at and below one are those that the digest of its subtree was made of (looked at with --digests)",
    "lease": "a complete hierarchy has no lease, and a lease's key is a cell's",
}


@dataclass(frozen=True)
class Violation:
    """One broken invariant: which, where, and what was expected and found."""

    invariant: str
    place: str
    detail: str


@dataclass
class VerifyReport(Shown):
    """What a verification found."""

    id: str
    cells: int = 0
    state: str = "complete"  # at the end
    grown: bool = False  # whether any predictor grew it
    counts: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what is no violation, and of use to know

    @property
    def clean(self) -> bool:
        """Whether every invariant holds."""
        return not self.counts

    def to_dict(self) -> dict[str, Any]:
        """What is told of it, as plain values."""
        found = [asdict(violation) for violation in self.violations]
        told = {"notes": self.notes} if self.notes else {}
        return {"id": self.id, "state": self.state, "cells": self.cells, "counts": self.counts, "violations": found, **told}

    def merge(self, other: "VerifyReport") -> None:
        """Take over what another report found."""
        for invariant, count in other.counts.items():
            self.counts[invariant] = self.counts.get(invariant, 0) + count
        self.violations += other.violations[: VIOLATIONS_MAX - len(self.violations)]

    def add(self, invariant: str, place: str, detail: str) -> None:
        """Count a violation and keep it, while there is room."""
        self.counts[invariant] = self.counts.get(invariant, 0) + 1
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(Violation(invariant, place, detail))


def verify(store: "Store", id: str, *, progress: Callable[[int, int], None] = lambda done, total: None) -> VerifyReport:
    """Check every invariant of a hierarchy; memory is bounded by a page of cells.

    One that is being written or grown is checked as it is: all but what only its end brings must hold all the same, and
    what does not is looked at again, since a query may see a block of cells while it arrives. Raises a ``NotFoundError`` for
    an unknown id, a ``VanishedError`` where the hierarchy is removed meanwhile.
    """
    report = VerifyReport(id=id)
    try:
        hierarchy = store.hierarchy(id)
        store.read_growth(id)
        witness = nullcontext() if hierarchy.state == "removing" else store.witness(hierarchy, live=True)
    except DamagedError as damage:
        report.add("hierarchy", id, str(damage))
        return report
    with witness:
        checker = _Checker(store, hierarchy, report)
        checker.check_hierarchy()
        total = store.sizes([hierarchy])[0].cells
        sound = count_sound(store, hierarchy, grown=report.grown, progress=lambda done: progress(done, total))
        if sound is not None:
            report.cells = sound
        else:  # what is broken, cell by cell; or nothing is, where all cells of a field can look sound in no one moment
            checker.check_cells(lambda done: progress(done, total))
        report.state = store.hierarchy(id).state
        report.notes += notes_of(
            f"the cut {name!r} of it is being kept or removed, or that was interrupted: keep it again (`cfgraph cut {id} ... "
            f"--as-property {name}`), or remove what there is of it (`cfgraph cut {id} --remove-property {name}`)"
            for name, about in store.cuts(id).items()
            if UNFINISHED in about
        )
    return report


class _Checker:
    """Checks a hierarchy piece by piece; what does not hold while it moves is looked at again."""

    def __init__(self, store: "Store", hierarchy: Hierarchy, report: VerifyReport):
        self._store, self._hierarchy, self._report = store, hierarchy, report
        self._start, self._before = subtree_range(hierarchy.id)[0], ""
        self._growths = store.read_growth(hierarchy.id)
        self._links: list[tuple[str, str]] = []

    def check_hierarchy(self) -> None:
        """Check what is said of the hierarchy as a whole."""
        found = self._new_report()
        _check_hierarchy(self._store, self._hierarchy, found)
        self._report.grown = found.grown
        self._report.merge(self._settled(found, lambda again: _check_hierarchy(self._store, self._hierarchy, again)))

    def check_cells(self, progress: Callable[[int], None]) -> None:
        """Check every cell, and what edges from second parents keep together."""
        while self.check_page():
            progress(self._report.cells)
        self.check_links()

    def check_page(self) -> bool:
        """Check the next page of cells; False where there is none."""
        start, before, found = self._start, self._before, self._new_report()
        page = next(self._pages(start), None)
        if page is None:
            return False
        last = page["cells"][-1][0]
        self._before = _check_page(page, self._hierarchy, found, before=before)
        self._links += _links_in(page, self._hierarchy.id)
        self._start = next_key(last)
        self._report.cells += found.cells
        self._report.merge(self._settled(found, lambda again: self._check_again(start, last, again, before=before)))
        return True

    def check_links(self) -> None:
        """Check what all edges from second parents keep together."""
        wanted = self._hierarchy.links
        if len(self._links) != wanted and self._report.state == "complete":
            self._report.add(
                "link", self._hierarchy.id, f"expected {wanted:,} edges from second parents, got {len(self._links):,}"
            )
        if (cell := in_cycle(self._links)) is not None:
            self._report.add("link", cell, "it is its own ancestor, by edges from second parents")

    def _new_report(self) -> VerifyReport:
        return VerifyReport(id=self._hierarchy.id, grown=self._report.grown)

    def _pages(self, start: str) -> Iterator[dict[str, list[Any]]]:
        return self._store.verification_pages(self._hierarchy.id, start=start, names=list(self._hierarchy.own_kinds))

    def _check_again(self, start: str, last: str, report: VerifyReport, *, before: str) -> None:
        """Check the cells from one key to another, of which there may be more by now."""
        for page in self._pages(start):
            before = _check_page(page, self._hierarchy, report, before=before)
            if page["cells"][-1][0] >= last:
                return

    def _settled(self, found: VerifyReport, check: Callable[[VerifyReport], None]) -> VerifyReport:
        """What is found each time, where the hierarchy moves."""
        for _ in range(LOOKS):
            if found.clean or not self._moves():
                break
            time.sleep(LOOK_SECONDS)
            again = self._new_report()
            check(again)
            seen = {(violation.invariant, violation.place) for violation in again.violations}
            lasting, found = found, self._new_report()
            for violation in lasting.violations:
                if (violation.invariant, violation.place) in seen:
                    found.add(violation.invariant, violation.place, violation.detail)
        return found

    def _moves(self) -> bool:
        """Whether the hierarchy is, or was since it was asked last, written or grown; what is known of it is asked anew."""
        now, growths = self._store.hierarchy(self._hierarchy.id), self._store.read_growth(self._hierarchy.id)
        moves = {now.state, self._hierarchy.state} != {"complete"} or growths != self._growths
        self._hierarchy, self._growths = now, growths
        self._report.grown |= _is_grown(now, growths)
        return moves and now.state != "removing"


# -- the hierarchy as a whole


def _check_hierarchy(store: "Store", hierarchy: Hierarchy, report: VerifyReport) -> None:
    id = hierarchy.id
    if hierarchy.state == "removing":
        report.add("hierarchy", id, f"it is half removed; `cfgraph rm {id}` finishes that")
    roots = store._graph.read("read_roots", id=id)
    if [(root["key"], root["is_cell"]) for root in roots] != [(f"{id}/", True)]:
        report.add("root", id, f"expected one ROOT to the cell {id}/, found {[root['key'] for root in roots]}")
    for stray in store.strays(id):
        report.add("key", str(stray["address"]), f"a cell of this hierarchy has the key {stray['key']!r}, outside its range")
    grown = store.read_growth(id)
    if hierarchy.state == "complete" and any(not growth.done for growth in grown):
        report.add("hierarchy", id, "its state is complete, but a growth of it is not done")
    try:
        room_for_points(hierarchy, dtype=bool)
    except DamagedError as error:
        report.add("point", id, str(error))
    for point in store.stray_points(hierarchy):
        report.add("point", str(point["key"]), f"it lies in {point['cells']} cells of its hierarchy, or has another number")
    _check_batches(store, hierarchy, report)
    _check_growers(store, id, report)
    _check_encoder(store, hierarchy, report)
    for lease in store._graph.read("read_leases", id=id):
        _check_lease(lease, hierarchy, report)
    report.grown = _is_grown(hierarchy, grown)


def _check_batches(store: "Store", hierarchy: Hierarchy, report: VerifyReport) -> None:
    """Whether each point of each batch lies in one cell, and they are as many as the records count."""
    id, (low, high) = hierarchy.id, batches_range(hierarchy.id)
    for _ in range(LOOKS):  # of one that is being placed, what is counted is compared with what was recorded before and after
        before = store._graph.read("read_batches", id=id, low=low, high=high)
        found, numbers = VerifyReport(id=id), VerifyReport(id=id)
        batches = [batch for row in before if (batch := _sound_batch(row, id, found)) is not None]
        for batch in batches:
            _check_batch(store, batch, found, numbers)
        counted, wanted = store._graph.read("count_batch_points", low=low, high=high)[0]["points"], sum(b.done for b in batches)
        if counted != wanted and len(batches) == len(before) and all(batch.state != "removing" for batch in batches):
            numbers.add("batch", id, f"expected {wanted:,} points in all batches that are recorded, got {counted:,}")
        if before == store._graph.read("read_batches", id=id, low=low, high=high):
            found.merge(numbers)
            break
        time.sleep(LOOK_SECONDS)
    report.merge(found)


def _sound_batch(row: dict[str, Any], id: str, report: VerifyReport) -> Batch | None:
    try:
        batch = batch_of(row["batch"], id)
    except DamagedError as error:
        report.add("batch", str(row["batch"].get("key")), str(error))
        return None
    if not row["tied"]:
        report.add("batch", batch.key, "its record is not tied to the hierarchy")
    if batch.state == "removing":
        report.add("batch", batch.key, f"it is half removed; `cfgraph place {id} --remove {batch.name}` finishes that")
    return batch


def _check_batch(store: "Store", batch: Batch, report: VerifyReport, numbers: VerifyReport) -> None:
    points, strays = store.stray_batch_points(batch)
    for key, cells in strays if batch.state != "removing" else ():
        report.add("batch", key, f"it lies in {cells} cells of its hierarchy, or is not what its key says")
    if points != batch.done and batch.state != "removing":
        numbers.add("batch", batch.key, f"expected {batch.done:,} points, as its record says, got {points:,}")


def _check_growers(store: "Store", id: str, report: VerifyReport) -> None:
    """Whether what grew it can be loaded."""
    for name in sorted({growth.predictor for growth in store.read_growth(id)}):
        try:
            store.predictor(name).load()
        except NotFoundError:
            continue  # removed in this moment
        except (InputError, DamagedError) as error:
            report.add("grower", str(name), str(error))


def _check_encoder(store: "Store", hierarchy: Hierarchy, report: VerifyReport) -> None:
    """Whether its encoder is the one that it says."""
    if hierarchy.state in ("writing", "removing"):
        return
    try:
        if store._encoder_of(hierarchy) is None and store._graph.read("read_encoder", id=hierarchy.id):
            report.add("encoder", hierarchy.id, "it has an encoder, and says nothing of one")
    except (InputError, DamagedError) as error:
        report.add("encoder", hierarchy.id, str(error))


def _links_in(page: dict[str, list[Any]], id: str) -> list[tuple[str, str]]:
    """The edges from second parents to a page's cells, as pairs of addresses."""
    pairs = [
        (row[0], cell[0]) for cell, rows in zip(page["cells"], page["parents"], strict=True) for row in rows if row[-1] is False
    ]
    return [(parent[len(id) :], child[len(id) :]) for parent, child in pairs if isinstance(parent, str)]


def _is_grown(hierarchy: Hierarchy, growths: Sequence["GrownBy"]) -> bool:
    """Whether any predictor grew it; that may have been removed since."""
    return bool(growths or hierarchy.former_predictors) or hierarchy.origin == "rollout"


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
    "own",
)
PARENT = ("key", "is_cell", "level", "center", "scale", "root_distance", "predicted", "slot", "residual", "length", "primary")
CHILD = ("key", "is_cell", "slot", "length", "radius", "size", "primary", "frontier")


Family = tuple[dict[str, Any], list[dict[str, Any]]]  # a cell, and its children


def _check_page(page: dict[str, list[Any]], hierarchy: Hierarchy, report: VerifyReport, *, before: str) -> str:
    """Check one page's cells one by one for what they are, and the sound ones together for their numbers."""
    sound, families = [], list[Family]()
    for cell, parents, rows in zip(page["cells"], page["parents"], page["children"], strict=True):
        cell = dict(zip(CELL, cell, strict=True))
        if cell["key"] == before:
            report.add("key", cell["key"], "two cells have this key")
        before = cell["key"]
        if not _check_cell(cell, hierarchy, report):
            continue
        children = [dict(zip(CHILD, row, strict=True)) for row in rows]
        _check_children(cell, children, hierarchy, report)
        if cell["radius"] is not None or cell["size"] is not None:
            families.append((cell, children))
        sound += [(cell, parent) for parent in _sound_parents(cell, parents, hierarchy, report)]
    report.cells += len(page["cells"])
    _check_numbers(sound, hierarchy, report)
    _check_descendants(families, hierarchy, report)
    return before


def _is_number(value: Any) -> bool:
    return type(value) is float and math.isfinite(value)


def _is_vector(value: Any, dimension: int) -> bool:
    return isinstance(value, list) and len(value) == dimension and all(map(_is_number, value))


def _check_cell(cell: dict[str, Any], hierarchy: Hierarchy, report: VerifyReport) -> bool:
    """Whether a cell's own properties are sound enough to compute with."""
    place, id = cell["key"][len(hierarchy.id) :], hierarchy.id
    try:
        level = len(parse_address(place))
    except AddressError as error:
        report.add("key", cell["key"], str(error))
        return False
    if cell["hierarchy"] != id or cell["address"] != place:
        found = f"it says hierarchy {cell['hierarchy']!r} and address {cell['address']!r}"
        report.add("key", place, f"expected hierarchy {id!r} and address {place!r}, as its key has; {found}")
    if cell["level"] != level or type(cell["level"]) is not int:
        report.add("level", place, f"expected level {level}, found {cell['level']!r}")
    wrong = [name for name in ("scale", "root_distance") if not _is_number(cell[name])]
    wrong += ["center"] * (not _is_vector(cell["center"], hierarchy.dimension))
    wrong += ["radius"] * (cell["radius"] is not None and not _is_number(cell["radius"]))
    wrong += ["size"] * (cell["size"] is not None and not (type(cell["size"]) is int and cell["size"] >= 0))
    wrong += ["predicted"] * (not isinstance(cell["predicted"], bool | None))
    for (name, kind), value in zip(hierarchy.own_kinds.items(), cell["own"], strict=True):
        if not is_of_kind(value, kind):
            report.add("property", place, f"{name} is not of the kind {kind}, as its source gave it: {str(value)[:80]}")
    if place == ROOT and "size" not in wrong and (detail := points_detail(hierarchy, size=_size(cell))):
        report.add("size", place, detail)
    for name in wrong:
        report.add("property", place, f"{name} is missing, of another type or dimension, or not finite: {str(cell[name])[:80]}")
    return not wrong


def _check_children(cell: dict[str, Any], children: list[dict[str, Any]], hierarchy: Hierarchy, report: VerifyReport) -> None:
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
        _check_expanded(place, children if hierarchy.imported else primary, hierarchy, report)


def _check_expanded(place: str, children: list[dict[str, Any]], hierarchy: Hierarchy, report: VerifyReport) -> None:
    slots = sorted((child["slot"] for child in children if child["is_cell"]), key=str)
    arity = hierarchy.arity if isinstance(hierarchy, FieldHierarchy) else max(1, len(slots))
    if len(slots) != arity and not (hierarchy.imported and hierarchy.state == "writing"):  # links come in the end
        report.add("expansion", place, f"it is expanded and has {len(slots)} of {arity} children")
    if slots != sorted(range(arity), key=str) and len(slots) == arity and hierarchy.state != "writing":
        report.add("slot", place, f"expected the slots 0..{arity - 1} under it, found {_shortened(slots)}")


def _shortened(slots: list[Any]) -> str:
    return str(slots) if len(slots) <= 20 else f"{slots[:20]} and {len(slots) - 20} more"


def _sound_parents(
    cell: dict[str, Any], rows: list[list[Any]], hierarchy: Hierarchy, report: VerifyReport
) -> list[dict[str, Any]]:
    """The parents with the edges from them that are sound enough to compute with, the primary one first."""
    place = cell["key"][len(hierarchy.id) :]
    parents = [dict(zip(PARENT, row, strict=True)) for row in rows]
    primary = [parent for parent in parents if parent["primary"] is not False]
    if place == "/":
        _check_root(cell, parents, report)
        return []
    above = hierarchy.id + (place[: place.rindex("/")] or "/")
    if len(primary) != 1:
        report.add("parent", place, f"expected one primary parent, found {[parent['key'] for parent in primary]}")
        return []
    if primary[0]["key"] != above or not primary[0]["is_cell"]:
        report.add("parent", place, f"expected the cell {above} as its parent, found {primary[0]['key']!r}")
        return []
    second = [parent for parent in parents if parent["primary"] is False]
    _check_edge(cell, primary[0], place, report)
    _check_second(cell, second, place, above, hierarchy, report)
    return [parent for parent in [*primary, *second] if _is_sound(parent, place, hierarchy, report)]


def _is_sound(parent: dict[str, Any], place: str, hierarchy: Hierarchy, report: VerifyReport) -> bool:
    """Whether a parent and the edge from it have the numbers that they should have."""
    parent["virtual"] = hierarchy.virtual_root and parent["key"] == f"{hierarchy.id}/"
    if parent["virtual"] and parent["length"] is None:
        parent["length"] = 0.0
    wrong = [name for name in ("scale", "root_distance", "length") if not _is_number(parent[name])]
    wrong += [name for name in ("center", "residual") if not _is_vector(parent[name], hierarchy.dimension)]
    wrong += ["primary"] * (parent["primary"] is not None and parent["primary"] is not False)
    for name in {"residual", "length", "primary"} & set(wrong):
        report.add("property", place, f"{name} of an edge to it is missing, of another type or dimension, or not finite")
    return not wrong


def _check_second(
    cell: dict[str, Any], second: list[dict[str, Any]], place: str, above: str, hierarchy: Hierarchy, report: VerifyReport
) -> None:
    """The parents beside the primary one: cells of the same hierarchy, none of which should be the primary one."""
    for parent in second:
        key, level = parent["key"], parent["level"]
        if type(parent["slot"]) is not int:
            report.add("slot", place, f"the edge to it from its second parent {key!r} has slot {parent['slot']!r}")
        if not (parent["is_cell"] and isinstance(key, str) and key.startswith(f"{hierarchy.id}/") and isinstance(level, int)):
            report.add("parent", place, f"a second parent is no cell of this hierarchy: {key!r}")
        elif level < level_of(place) - 1:
            report.add("level", place, f"its second parent {key} at level {level} would make its level {level + 1}")
        elif level == level_of(place) - 1 and key < above:
            report.add("parent", place, f"its second parent {key} has a lower key than its primary one, {above}")


def _check_root(cell: dict[str, Any], parents: list[dict[str, Any]], report: VerifyReport) -> None:
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


def _check_numbers(sound: list[tuple[dict[str, Any], dict[str, Any]]], hierarchy: Hierarchy, report: VerifyReport) -> None:
    """The numeric invariants of many cells at once."""
    if not sound:
        return
    cells, parents = zip(*sound, strict=True)
    edges = EdgeColumns(
        below=_ends(cells),
        above=_ends(parents),
        residual=np.array([parent["residual"] for parent in parents]),
        length=np.array([parent["length"] for parent in parents]),
        primary=np.array([parent["primary"] is not False for parent in parents]),
        virtual=np.array([parent["virtual"] for parent in parents]),
    )
    _report(check_edges(hierarchy, edges), cells, hierarchy, report)


def _ends(cells: Sequence[dict[str, Any]]) -> Ends:
    return Ends(*(np.array([cell[name] for cell in cells]) for name in ("center", "scale", "root_distance")))


def _check_descendants(families: list[Family], hierarchy: Hierarchy, report: VerifyReport) -> None:
    """What many cells at once say of their descendants. What is of another type in a child is told where that is looked at."""
    if not families:
        return
    cells = [cell for cell, _ in families]
    edges = [
        (row, child)
        for row, (_, children) in enumerate(families)
        for child in children
        if hierarchy.imported or child["primary"] is not False
    ]
    columns = Families(
        radius=np.array([_radius(cell) for cell in cells], dtype=np.float64),
        size=np.array([_size(cell) for cell in cells], dtype=np.int64),
        frontier=np.array([cell["frontier"] for cell in cells], dtype=bool),
        parent=np.array([row for row, _ in edges], dtype=np.int64),
        length=np.array([child["length"] if _is_number(child["length"]) else 0.0 for _, child in edges], dtype=np.float64),
        primary=np.array([child["primary"] is not False for _, child in edges], dtype=bool),
        child_radius=np.array([_radius(child) for _, child in edges], dtype=np.float64),
        child_size=np.array([_size(child) for _, child in edges], dtype=np.int64),
        child_frontier=np.array([child["frontier"] for _, child in edges], dtype=bool),
    )
    _report(check_families(hierarchy, columns), cells, hierarchy, report)


def _radius(cell: dict[str, Any]) -> float:
    return cell["radius"] if _is_number(cell["radius"]) else math.nan


def _size(cell: dict[str, Any]) -> int:
    return cell["size"] if type(cell["size"]) is int else -1


def _report(checks: Iterable[Check], cells: Sequence[dict[str, Any]], hierarchy: Hierarchy, report: VerifyReport) -> None:
    for check in checks:
        for row, detail in check.failures():
            report.add(check.invariant, cells[row]["key"][len(hierarchy.id) :], detail)
