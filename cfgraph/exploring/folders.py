"""Folders: fields that lie in folders, as the explorer's library; and libraries of several kinds as one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cfgraph.exploring.library import Library, Row, known_of, unknown
from cfgraph.formats.folders.reader import FolderReader
from cfgraph.model.address import ancestor_address, level_of
from cfgraph.model.cells import FRONTIER, LEAF
from cfgraph.model.growth import count_cells
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.sources.any_depth import field
from cfgraph.store.seen import Below, Moment, Seen

if TYPE_CHECKING:
    from cfgraph.model.field import Field
    from cfgraph.store import Store


@dataclass(frozen=True)
class FolderLibrary:
    """A field in a folder: its cells have no names, points or properties, and are read sheet by sheet as they are asked for."""

    reader: FolderReader
    id: str  # what it is called here

    @property
    def store(self) -> "Store | None":
        """None: there is no graph."""
        return None

    def place_of(self, id: str) -> str:
        """The folder."""
        return self.reader.title

    def hierarchies(self) -> list[Row]:
        """What is listed of it."""
        counts = {"cells": self.reader.count(), "depth": self.reader.depth}
        return [{**known_of(self.reader.hierarchy), **counts, "id": self.id, "truth": self.reader.manifest.plan.predicts}]

    def hierarchy(self, id: str) -> Hierarchy:
        """What is known of it; a ``NotFoundError`` for another id."""
        if id != self.id:
            raise unknown(id, [self.id])
        return self.reader.hierarchy

    def moment(self, id: str) -> None:
        """None: a folder that is whole stays as it is."""

    def field(self, id: str) -> "Field":
        """What it answers at any depth, by what is stored and by its rule."""
        self.hierarchy(id)
        return field(self.reader)

    def look_at(self, id: str, address: str, *, most: int) -> Seen:
        """One cell, with its first children."""
        found = self.reader.cells([address])
        if not len(found["address"]):
            return Seen(None, 0, [], [], 0, {})
        above = []
        if level_of(address) > 0:
            edge = {"slot": int(found["slot"][0]), "length": float(found["length"][0]), "primary": True}
            above = [{"address": ancestor_address(address, level_of(address) - 1), "name": None, **edge}]
        below = self.reader.children([address])
        children = [
            {"address": child, "name": None, "slot": int(slot), "state": int(state)}
            for child, slot, state in zip(below["address"][:most], below["slot"], below["state"], strict=False)
        ]
        known = {"predicted": bool(found["predicted"][0])}
        return Seen(known, int(found["state"][0]), above, children, len(below["address"]), {})

    def names_of(self, id: str, addresses: Sequence[str]) -> dict[str, str]:
        """None of its cells has a name."""
        return {}

    def measure_below(self, id: str, address: str, *, most: int) -> Below:
        """What is stored at and below a cell: counted by where it stands; how far, of so many cells at most."""
        cut, level = self.reader.cut, level_of(address)
        start = max(level, cut.from_depth)
        held = self.reader.read(top=address, depth=start)
        width = int(((held.state == FRONTIER) & (held.level == start)).sum())
        levels = self.reader.depth - start if width else 0
        below = count_cells(width, arity=cut.arity, levels=levels)
        cells, depth = len(held) + below, start + levels if levels else held.depth
        whole = self.reader.read(top=address, depth=depth) if cells <= most else None
        return Below(
            cells=cells,
            depth=depth,
            frontier=width * cut.arity**levels,
            leaves=int((held.state == LEAF).sum()),
            predicted=int(held.predicted.sum()) + (below if self.reader.predicted else 0),
            farthest=None if whole is None else float(whole.root_distance.max()),
            more=False,
        )

    def points_below(self, id: str, address: str, *, start: int, most: int) -> list[Row]:
        """None: a folder has no data points."""
        return []

    def count_points_below(self, id: str, address: str, *, most: int) -> int:
        """None."""
        return 0

    def point_name(self, id: str, row: int) -> str | None:
        """None."""
        return None

    def search_names(self, id: str, text: str, *, most: int) -> list[Row]:
        """None of its cells has a name."""
        return []

    def search_property(
        self, id: str, property: str, *, text: str | None, between: tuple[float, float] | None, most: int
    ) -> list[Row]:
        """None of its cells has a property of its own."""
        return []


@dataclass(frozen=True)
class Shelf:
    """Libraries of single hierarchies beside one another, and beside all others of a store."""

    parts: dict[str, Library]  # by the id of the hierarchy
    rest: Library | None = None

    @property
    def store(self) -> "Store | None":
        """The store, where there is one."""
        return None if self.rest is None else self.rest.store

    def part(self, id: str) -> Library:
        """The library that a hierarchy is in; a ``NotFoundError`` that says which there are."""
        found = self.parts.get(id, self.rest)
        if found is None:
            raise unknown(id, list(self.parts))
        return found

    def place_of(self, id: str) -> str | None:
        """The file or folder that a hierarchy is read from; None of a store's."""
        return self.part(id).place_of(id)

    def hierarchies(self) -> list[Row]:
        """What is listed of each hierarchy."""
        stored = [] if self.rest is None else self.rest.hierarchies()
        return [row for part in self.parts.values() for row in part.hierarchies()] + stored

    def hierarchy(self, id: str) -> Hierarchy:
        """One hierarchy; a ``NotFoundError`` that says which there are."""
        return self.part(id).hierarchy(id)

    def moment(self, id: str) -> Moment | None:
        """What a hierarchy is just now; None of what nobody else can change."""
        return self.part(id).moment(id)

    def field(self, id: str) -> "Field":
        """What a hierarchy answers at any depth, by what is stored and by its rule."""
        return self.part(id).field(id)

    def look_at(self, id: str, address: str, *, most: int) -> Seen:
        """One cell, with its first children and the names of the cells above it."""
        return self.part(id).look_at(id, address, most=most)

    def names_of(self, id: str, addresses: Sequence[str]) -> dict[str, str]:
        """What some cells are called, by address; those without a name are left out."""
        return self.part(id).names_of(id, addresses)

    def measure_below(self, id: str, address: str, *, most: int) -> Below:
        """What is stored at and below a cell."""
        return self.part(id).measure_below(id, address, most=most)

    def points_below(self, id: str, address: str, *, start: int, most: int) -> list[Row]:
        """Data points that lie at and below a cell, from the ``start``-th on."""
        return self.part(id).points_below(id, address, start=start, most=most)

    def count_points_below(self, id: str, address: str, *, most: int) -> int:
        """How many data points lie at and below a cell, counted up to so many."""
        return self.part(id).count_points_below(id, address, most=most)

    def point_name(self, id: str, row: int) -> str | None:
        """What a data point is called."""
        return self.part(id).point_name(id, row)

    def search_names(self, id: str, text: str, *, most: int) -> list[Row]:
        """Cells whose names hold a text."""
        return self.part(id).search_names(id, text, most=most)

    def search_property(
        self, id: str, property: str, *, text: str | None, between: tuple[float, float] | None, most: int
    ) -> list[Row]:
        """Cells of which a property holds a text, or is a number between two."""
        return self.part(id).search_property(id, property, text=text, between=between, most=most)
