"""Library: what the explorer can show, hierarchies of a store or of files, and what is asked of single cells of either."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cfgraph.errors import AddressError, NotFoundError
from cfgraph.exploring.names import Names
from cfgraph.model.address import ancestor_address, level_of
from cfgraph.model.columns import known_values
from cfgraph.model.hierarchy import Hierarchy, HierarchyWithCells
from cfgraph.model.reader import subtree
from cfgraph.sources.any_depth import field
from cfgraph.store.seen import Below, Moment, Seen

if TYPE_CHECKING:
    from cfgraph.model.field import Field
    from cfgraph.predictors.trained import TrainedPredictor
    from cfgraph.store import Store

IDS_TOLD = 10
Row = dict[str, Any]


class Library(Protocol):
    """What the explorer can show."""

    @property
    def store(self) -> "Store | None":
        """The store that it is; None of files."""

    def place_of(self, id: str) -> str | None:
        """The file or folder that a hierarchy is read from; None of a store's."""

    def hierarchies(self) -> list[Row]:
        """What is listed of each hierarchy, without counting its cells."""

    def hierarchy(self, id: str) -> Hierarchy:
        """One hierarchy; a ``NotFoundError`` that says which there are."""

    def moment(self, id: str) -> Moment | None:
        """What a hierarchy is just now; None of what nobody else can change."""

    def field(self, id: str) -> "Field":
        """What a hierarchy answers at any depth, by what is stored and by its rule."""

    def look_at(self, id: str, address: str, *, most: int) -> Seen:
        """One cell, with its first children and the names of the cells above it."""

    def names_of(self, id: str, addresses: Sequence[str]) -> dict[str, str]:
        """What some cells are called, by address; those without a name are left out."""

    def measure_below(self, id: str, address: str, *, most: int) -> Below:
        """What is stored at and below a cell, counted up to so many cells."""

    def points_below(self, id: str, address: str, *, start: int, most: int) -> list[Row]:
        """Data points that lie at and below a cell, from the ``start``-th on."""

    def count_points_below(self, id: str, address: str, *, most: int) -> int:
        """How many data points lie at and below a cell, counted up to so many."""

    def point_name(self, id: str, row: int) -> str | None:
        """What a data point is called."""

    def search_names(self, id: str, text: str, *, most: int) -> list[Row]:
        """Cells whose names hold a text."""

    def search_property(
        self, id: str, property: str, *, text: str | None, between: tuple[float, float] | None, most: int
    ) -> list[Row]:
        """Cells of which a property holds a text, or is a number between two."""


def known_of(hierarchy: Hierarchy) -> Row:
    """What is listed of a hierarchy."""
    return {
        "id": hierarchy.id,
        "origin": hierarchy.origin,
        "dimension": hierarchy.dimension,
        "arity": getattr(hierarchy, "arity", None),
        "cells": None,
        "depth": None,
        "state": hierarchy.state,
        "created": f"{hierarchy.created:%Y-%m-%d %H:%M:%S}",
        "truth": None,
        "names": "name" in hierarchy.own,
        "points": hierarchy.points,
        "point_nodes": hierarchy.point_nodes,
        "properties": list(hierarchy.own),
    }


def unknown(id: str, there: Sequence[str]) -> NotFoundError:
    """The error for an id that is not there, with those that are."""
    listed = ", ".join(there[:IDS_TOLD]) + (f" and {len(there) - IDS_TOLD} more" if len(there) > IDS_TOLD else "")
    return NotFoundError(f"there is no hierarchy {id!r}; there are: {listed}" if there else f"there is no hierarchy {id!r}")


class StoreLibrary:
    """The hierarchies of a store."""

    def __init__(self, store: "Store"):
        self._store = store

    @property
    def store(self) -> "Store":
        """The store."""
        return self._store

    def place_of(self, id: str) -> str | None:
        """None: a store's hierarchies are no files."""
        return None

    def hierarchies(self) -> list[Row]:
        """What is listed of each hierarchy that is not about to go, without counting its cells."""
        truths = self._store.truths()
        found = [one for one in self._store.hierarchies() if one.state != "removing"]
        return [{**known_of(one), "truth": truths.get(one.id)} for one in found]

    def hierarchy(self, id: str) -> Hierarchy:
        """One hierarchy; a ``NotFoundError`` that says which there are. One that is being removed is not there any more."""
        try:
            found = self._store.hierarchy(id)
        except NotFoundError:
            found = None
        if found is None or found.state == "removing":
            raise unknown(id, [one.id for one in self._store.hierarchies() if one.state != "removing"])
        return found

    def moment(self, id: str) -> Moment:
        """What a hierarchy is just now."""
        return self._store.moment(id)

    def field(self, id: str) -> "Field":
        """What a hierarchy answers at any depth, by what is stored and by its rule."""
        self.hierarchy(id)
        return field(self._store, id)

    def look_at(self, id: str, address: str, *, most: int) -> Seen:
        """One cell, with its first children and the names of the cells above it."""
        return self._store.look_at(id, address, most=most)

    def names_of(self, id: str, addresses: Sequence[str]) -> dict[str, str]:
        """What some cells are called, by address; those without a name are left out."""
        return self._store.names_of(id, addresses)

    def measure_below(self, id: str, address: str, *, most: int) -> Below:
        """What is stored at and below a cell, counted up to so many cells."""
        return self._store.measure_below(id, address, most=most)

    def points_below(self, id: str, address: str, *, start: int, most: int) -> list[Row]:
        """Data points that lie at and below a cell, from the ``start``-th on."""
        return self._store.points_below(id, address, start=start, most=most)

    def count_points_below(self, id: str, address: str, *, most: int) -> int:
        """How many data points lie at and below a cell, counted up to so many."""
        return self._store.count_points_below(id, address, most=most)

    def point_name(self, id: str, row: int) -> str | None:
        """What a data point is called."""
        return self._store.point_name(id, row)

    def search_names(self, id: str, text: str, *, most: int) -> list[Row]:
        """Cells whose names hold a text."""
        return self._store.search_names(id, text, most=most)

    def search_property(
        self, id: str, property: str, *, text: str | None, between: tuple[float, float] | None, most: int
    ) -> list[Row]:
        """Cells of which a property holds a text, or is a number between two."""
        return self._store.search_property(id, property, text=text, between=between, most=most)


@dataclass(frozen=True)
class CellsLibrary:
    """Hierarchies with their cells in memory, as files give them, and the predictors that grew some of them."""

    held: dict[str, HierarchyWithCells]
    predictors: "dict[str, TrainedPredictor]" = dataclasses.field(default_factory=dict)
    places: dict[str, str] = dataclasses.field(default_factory=dict)  # of those that are read from files

    @property
    def store(self) -> "Store | None":
        """None: there is no graph."""
        return None

    def place_of(self, id: str) -> str | None:
        """The file; of what is in memory alone one that `export` would write."""
        return self.places.get(id, f"{id}.parquet")

    def hierarchies(self) -> list[Row]:
        """What is listed of each hierarchy."""
        found = self.held.items()
        return [{**known_of(one), "id": id, "cells": len(one.cells), "depth": one.cells.depth} for id, one in found]

    def hierarchy(self, id: str) -> HierarchyWithCells:
        """One hierarchy; a ``NotFoundError`` that says which there are."""
        if id not in self.held:
            raise unknown(id, list(self.held))
        return self.held[id]

    def moment(self, id: str) -> None:
        """None: what is in memory stays as it is."""

    def field(self, id: str) -> "Field":
        """What a hierarchy answers at any depth, by what is stored and by its rule."""
        return field(self.hierarchy(id), predictor=self.predictors.get(id))

    def look_at(self, id: str, address: str, *, most: int) -> Seen:
        """One cell, with its first children and the names of the cells above it."""
        cells, names = self.held[id].cells, self.held[id].cells.names
        above = [ancestor_address(address, level) for level in range(level_of(address))]
        known = {} if names is None else {one: names[row] for one in above if (row := self._row(id, one)) >= 0}
        named = {one: name for one, name in known.items() if name}
        row = self._row(id, address)
        if row < 0:
            return Seen(None, 0, [], [], 0, named)
        properties = {name: known_values(column[row : row + 1])[0] for name, column in cells.own.items()}
        properties["predicted"] = bool(cells.predicted[row])
        if cells.size is not None and cells.size[row] >= 0:
            properties["size"] = int(cells.size[row])
        if cells.radius is not None and math.isfinite(cells.radius[row]):
            properties["radius"] = float(cells.radius[row])
        children = self._below(id, row)
        return Seen(properties, int(cells.state[row]), self._above(id, row), children[:most], len(children), named)

    def names_of(self, id: str, addresses: Sequence[str]) -> dict[str, str]:
        """What some cells are called, by address; those without a name are left out."""
        names = self.held[id].cells.names or ()
        rows = {address: self._row(id, address) for address in addresses} if names else {}
        return {address: str(names[row]) for address, row in rows.items() if row >= 0 and names[row]}

    def measure_below(self, id: str, address: str, *, most: int) -> Below:
        """What is stored at and below a cell."""
        if self._row(id, address) < 0:
            return Below(0, None, 0, 0, 0, None, more=False)
        part = subtree(self.held[id].cells, address)
        frontier, leaves = (int((part.state == state).sum()) for state in (1, 2))
        farthest = float(part.root_distance.max())
        return Below(len(part), part.depth, frontier, leaves, int(part.predicted.sum()), farthest, more=False)

    def points_below(self, id: str, address: str, *, start: int, most: int) -> list[Row]:
        """Data points that lie at and below a cell, from the ``start``-th on."""
        hierarchy = self.held[id]
        cells, names, label = hierarchy.cells, hierarchy.point_names, hierarchy.point_columns.get("label")
        rows, placed = self._points(id, address)
        return [
            {
                "row": row,
                "name": None if names is None else names[row],
                "label": None if label is None or label[row] < 0 else int(label[row]),
                "batch": None,
                "address": cells.addresses[cell],
            }
            for row, cell in zip(rows[start : start + most].tolist(), placed[start : start + most].tolist(), strict=True)
        ]

    def count_points_below(self, id: str, address: str, *, most: int) -> int:
        """How many data points lie at and below a cell."""
        return min(most, len(self._points(id, address)[0]))

    def point_name(self, id: str, row: int) -> str | None:
        """What a data point is called."""
        names = self.held[id].point_names
        return names[row] if names is not None and 0 <= row < len(names) else None

    def search_names(self, id: str, text: str, *, most: int) -> list[Row]:
        """Cells whose names hold a text, whatever the size of its letters; the likeliest first."""
        cells = self.held[id].cells
        names = cells.names or ()
        return [{"address": cells.addresses[row], "name": names[row]} for row in Names.of(names).find(text, most=most)]

    def search_property(
        self, id: str, property: str, *, text: str | None, between: tuple[float, float] | None, most: int
    ) -> list[Row]:
        """Cells of which a property holds a text, or is a number between two."""
        cells = self.held[id].cells
        values = known_values(cells.own[property]) if property in cells.own else []
        found = [row for row, value in enumerate(values) if _is_meant(value, text=text, between=between)][:most]
        names = cells.names
        return [
            {"address": cells.addresses[row], "name": None if names is None else names[row], "value": values[row]}
            for row in found
        ]

    def _row(self, id: str, address: str) -> int:
        try:
            return self.held[id].cells.row(address)
        except AddressError:
            return -1

    def _points(self, id: str, address: str) -> tuple[np.ndarray, np.ndarray]:
        """The data points at and below a cell, and the rows of their cells, in the order of the cells."""
        hierarchy = self.held[id]
        nothing = np.zeros(0, dtype=np.int64)
        if hierarchy.cell_of_point is None or self._row(id, address) < 0:
            return nothing, nothing
        stem = address.rstrip("/")
        addresses = hierarchy.cells.addresses
        inside = np.array([one == address or one.startswith(stem + "/") for one in addresses])
        rows = np.flatnonzero(inside[hierarchy.cell_of_point] & (hierarchy.cell_of_point >= 0))
        order = np.lexsort((rows, hierarchy.cell_of_point[rows]))
        return rows[order], hierarchy.cell_of_point[rows][order]

    def _told(self, id: str, row: int, **others: Any) -> Row:
        cells = self.held[id].cells
        return {"address": cells.addresses[row], "name": None if cells.names is None else cells.names[row], **others}

    def _above(self, id: str, row: int) -> list[Row]:
        """The parents of a cell, the primary one first."""
        cells, links = self.held[id].cells, self.held[id].cells.links
        found = []
        if cells.parent[row] >= 0:
            edge = {"slot": int(cells.slot[row]), "length": float(cells.length[row]), "primary": True}
            found.append(self._told(id, int(cells.parent[row]), **edge))
        if links is None:
            return found
        for link in np.flatnonzero(links.child == row).tolist():
            edge = {"slot": int(links.slot[link]), "length": float(links.length[link]), "primary": False}
            found.append(self._told(id, int(links.parent[link]), **edge))
        return found

    def _below(self, id: str, row: int) -> list[Row]:
        """The children of a cell, by slot, those of which it is a second parent too."""
        cells, links = self.held[id].cells, self.held[id].cells.links
        first = int(cells.first_child[row])
        rows = [(int(cells.slot[child]), child) for child in range(first, first + int(cells.child_count[row])) if first >= 0]
        if links is not None:
            rows += [(int(links.slot[link]), int(links.child[link])) for link in np.flatnonzero(links.parent == row).tolist()]
        return [self._told(id, child, slot=slot, state=int(cells.state[child])) for slot, child in sorted(rows)]


def _is_meant(value: Any, *, text: str | None, between: tuple[float, float] | None) -> bool:
    if text is not None:
        return isinstance(value, str | int | float) and text.lower() in str(value).lower()
    assert between is not None
    return isinstance(value, int | float) and not isinstance(value, bool) and between[0] <= value <= between[1]
