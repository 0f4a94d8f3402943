"""Looking: what a page shows of single cells: one with all around it, what lies below it, and cells by name or property.

Each question has a limit of its own and seconds after which the server ends it: who looks waits, and no cell is so large that
a page of what lies below it takes longer.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from cfgraph.errors import NotFoundError
from cfgraph.model.address import ancestor_address, key_of, level_of, subtree_range
from cfgraph.store.graph import plain
from cfgraph.store.part import Part
from cfgraph.store.seen import Below, Moment, Seen

LOOK_SECONDS = 10.0
SEARCH_SECONDS = 20.0


class Looking(Part):
    """What a page asks of single cells, and whether the hierarchy is what it was."""

    def moment(self, id: str) -> Moment:
        """What a hierarchy is just now, to be held against what it was; a ``NotFoundError`` where it is not there."""
        rows = self._graph.read_within("read_state", LOOK_SECONDS, id=id)
        if not rows:
            raise NotFoundError(f"there is no hierarchy {id!r} in this store; `cfgraph ls` lists what it holds")
        record = {name: value for name, value in rows[0]["hierarchy"].items() if name != "locked"}
        told = json.dumps([record, rows[0]["growths"]], sort_keys=True, default=str)
        digest = hashlib.sha256(told.encode()).hexdigest()[:32]
        return Moment(state=str(record.get("state")), made=str(record.get("created")), digest=digest)

    def look_at(self, id: str, address: str, *, most: int) -> Seen:
        """One cell, with its first children, at most so many, and the names of the cells above it."""
        above = [key_of(id, ancestor_address(address, level)) for level in range(level_of(address))]
        row = self._graph.read_within("look_at_cell", LOOK_SECONDS, key=key_of(id, address), above=above, most=most)[0]
        return Seen(
            properties=None if row["cell"] is None else {name: plain(value) for name, value in row["cell"].items()},
            state=row["state"],
            parents=[_around(found, id, ("slot", "length", "primary")) for found in row["parents"]],
            children=[_around(found, id, ("slot", "state")) for found in row["children"]],
            child_count=row["child_count"],
            names={key[len(id) :]: name for key, name in row["names"] if name is not None},
        )

    def names_of(self, id: str, addresses: Sequence[str]) -> dict[str, str]:
        """What some cells are called, by address; those without a name are left out."""
        keys = [key_of(id, address) for address in addresses]
        rows = self._graph.read_within("read_names", LOOK_SECONDS, keys=keys)
        return {row["key"][len(id) :]: row["name"] for row in rows if isinstance(row["name"], str)}

    def measure_below(self, id: str, address: str, *, most: int) -> Below:
        """What lies at and below a cell, counted up to so many cells."""
        low, high = _at_and_below(id, address)
        row = self._graph.read_within("measure_below", LOOK_SECONDS, low=low, high=high, most=most + 1)[0]
        return Below(**row, more=row["cells"] > most)

    def points_below(self, id: str, address: str, *, start: int, most: int) -> list[dict[str, Any]]:
        """Data points at and below a cell, from the ``start``-th on: ``row``, ``name``, ``label``, ``batch``, ``address``."""
        low, high = _at_and_below(id, address)
        asked = {"start": start, "most": most, "id_size": len(id)}
        return self._graph.read_within("read_points_below", LOOK_SECONDS, low=low, high=high, **asked)

    def count_points_below(self, id: str, address: str, *, most: int) -> int:
        """How many data points lie at and below a cell, counted up to so many."""
        low, high = _at_and_below(id, address)
        found: int = self._graph.read_within("count_points_below", LOOK_SECONDS, low=low, high=high, most=most)[0]["points"]
        return found

    def point_name(self, id: str, row: int) -> str | None:
        """What a data point is called; None for one that has no name, or is not there."""
        rows = self._graph.read_within("read_point_name", LOOK_SECONDS, key=f"{id}/{row}")
        return rows[0]["name"] if rows and isinstance(rows[0]["name"], str) else None

    def search_names(self, id: str, text: str, *, most: int) -> list[dict[str, Any]]:
        """Cells whose names hold a text, whatever the size of its letters: ``address``, ``name``; the likeliest first."""
        low, high = subtree_range(id)
        asked = {"text": text, "most": most, "id_size": len(id)}
        return self._graph.read_within("search_names", SEARCH_SECONDS, low=low, high=high, **asked)

    def search_property(
        self, id: str, property: str, *, text: str | None, between: tuple[float, float] | None, most: int
    ) -> list[dict[str, Any]]:
        """Cells of which a property holds a text, or is a number between two: ``address``, ``name``, ``value``."""
        low, high = subtree_range(id)
        least, largest = (None, None) if between is None else between
        asked = {"property": property, "text": text, "least": least, "largest": largest, "most": most, "id_size": len(id)}
        return self._graph.read_within("search_property", SEARCH_SECONDS, low=low, high=high, **asked)

    def truths(self) -> dict[str, str]:
        """Which hierarchies were grown as copies of which others: the truth of each copy."""
        return {row["id"]: row["truth"] for row in self._graph.read("list_truths")}


def _at_and_below(id: str, address: str) -> tuple[str, str]:
    """The range of keys of a cell and its descendants: its own key lies right below theirs."""
    return key_of(id, address), subtree_range(id, address)[1]


def _around(found: Sequence[Any], id: str, names: tuple[str, ...]) -> dict[str, Any]:
    key, name, *others = found
    return {"address": key[len(id) :], "name": name, **dict(zip(names, others, strict=True))}
