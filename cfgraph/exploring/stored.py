"""Stored cells: those of a hierarchy in a graph, read family by family when they are asked for, and kept as columns.

A family is read with many others of its level at once.
"""

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.exploring.held import HeldCells
from cfgraph.model.address import ROOT
from cfgraph.model.cells import EXPANDED
from cfgraph.model.descent import MapsDescent
from cfgraph.model.ground import Ground
from cfgraph.model.reader import Columns, OwnReader, Reader

_CHILDREN = 64_000  # that are asked for at once: what comes is there twice until it is held
_SPARE = 1.25  # times the rows that are held: what a column gets room for when it has too little
_VALUE_BYTES = 64  # of one property, as an object
_UNKNOWN = -1
_FAR = 1e30  # a reach that nothing bounds
NAMES = ("parent", "slot", "center", "scale", "residual", "length", "root_distance", "state", "predicted", "reach")


class StoredCells(HeldCells):
    """Cells of which the children are held, or not yet: then ``count`` is -1, and :meth:`below` reads them."""

    _room: dict[str, np.ndarray]  # by name: a column with rows to spare, so that cells that come need no second copy of it
    _own: dict[str, tuple[np.ndarray, np.ndarray]]  # by name: the values, and of which cells they are known
    level: Int[np.ndarray, " cells"]
    used: Int[np.ndarray, " cells"]

    def __init__(self, ground: Ground, reader: Reader) -> None:
        self._ground = ground
        self._reader = reader
        self._tick = 0
        self.forget()

    def forget(self) -> None:
        """Begin anew: cells may have been written meanwhile."""
        found = self._reader.cells([ROOT])
        if len(found["address"]) != 1:
            raise InputError(f"expected a root in {self._ground.name!r}, and none is stored; a field starts there")
        columns = {
            "parent": np.array([-1]),
            "slot": np.array([-1], dtype=np.int32),
            "residual": np.zeros((1, found["center"].shape[1])),
            "length": np.zeros(1),
        }
        self._start({**found, **columns})

    def _start(self, root: Columns) -> None:
        self._room, self._own, self.memory = {}, {}, None
        self._put({**{name: root[name] for name in NAMES if name != "reach"}, "level": np.zeros(1, dtype=np.int32)}, root)

    @property
    def bytes(self) -> int:
        """How much is held."""
        kept = len(self) * sum(column[:1].nbytes for column in list(self._room.values()))
        own = sum(len(known) + len(values) * 8 + _VALUE_BYTES * int(known.sum()) for values, known in list(self._own.values()))
        return kept + own

    @property
    def has_own(self) -> bool:
        """Whether properties that cells have besides can be read."""
        return isinstance(self._reader, OwnReader)

    def own(self, name: str, rows: Int[np.ndarray, " rows"]) -> np.ndarray:
        """A property of the source's own of some cells as objects, None for none; read where it is not held."""
        assert isinstance(self._reader, OwnReader)
        if name not in self._own:
            self._own[name] = _longer(np.empty(0, dtype=object), np.empty(0, dtype=np.bool_), by=len(self))
        values, known = self._own[name]
        asked = np.unique(rows[~known[rows]])
        if len(asked):
            found = np.empty(len(asked), dtype=object)
            found[:] = self._reader.own(self.addresses(asked), name)
            values[asked], known[asked] = found, True
        return values[rows]

    def addresses(self, rows: Int[np.ndarray, " rows"]) -> list[str]:
        """The addresses of some cells: made of the slots on the ways to them, as they would take more memory than all else."""
        ways, above = list[np.ndarray](), np.unique(rows)
        while len(above := above[above > 0]):
            ways.append(above)
            above = np.unique(self.parent[above])
        stems = {0: ""}
        for way in reversed(ways):
            steps = zip(way.tolist(), self.parent[way].tolist(), self.slot[way].tolist(), strict=True)
            stems.update({row: f"{stems[parent]}/{slot}" for row, parent, slot in steps})
        return [stems[row] or ROOT for row in rows.tolist()]

    def below(self, rows: Int[np.ndarray, " rows"]) -> tuple[Int[np.ndarray, " rows"], Int[np.ndarray, " rows"]]:
        """The row of each cell's first child, and how many it has that are stored; read where they are not held."""
        assert self._room, "what was held went half-way: begin anew"
        unknown = rows[self.count[rows] == _UNKNOWN]
        if len(unknown):
            self._read(np.unique(unknown))
        self._tick = self._tick + 1
        self.used[rows] = self._tick
        return self.first[rows], self.count[rows]

    def bytes_below(self, rows: Int[np.ndarray, " rows"]) -> int:
        """About how much the children of some cells will take that are not held yet."""
        unknown = int(np.count_nonzero(self.count[rows] == _UNKNOWN))
        families = max(1, int(np.count_nonzero(self.count > 0)))
        return int(unknown * (self._ground.arity or (len(self) - 1) / families) * self.bytes / len(self))

    def shrink(self, to: int) -> None:
        """Hold no more than so many bytes: families that were looked at longest ago go first."""
        size = self.bytes / max(1, len(self))
        room = max(1, int(to / size))
        if len(self) <= room:
            return
        used = self.used.copy()
        for level in range(int(self.level.max()), 0, -1):
            rows = np.flatnonzero(self.level == level)
            np.maximum.at(used, self.parent[rows], used[rows])
        last = np.where(self.parent >= 0, used[np.maximum(self.parent, 0)], np.iinfo(np.int64).max)
        least = np.sort(last)[::-1][room - 1] if room < len(last) else 0
        kept = np.flatnonzero((last > least) | (self.parent < 0))
        place = np.full(len(self) + 1, -1)
        place[kept] = np.arange(len(kept))
        parent = place[self.parent[kept]]
        first, count = self.first[kept], self.count[kept]
        gone = (count > 0) & (place[first] < 0)
        first = np.where(gone | (count <= 0), 0, place[first])
        self._own = {name: (values[kept], known[kept]) for name, (values, known) in self._own.items()}
        self._keep(kept, parent=parent, first=first, count=np.where(gone, _UNKNOWN, count))

    # how it is done

    def _read(self, rows: Int[np.ndarray, " rows"]) -> None:
        parents = max(1, _CHILDREN // (self._ground.arity or 1))
        for low in range(0, len(rows), parents):
            part = rows[low : low + parents]
            addresses = self.addresses(part)
            self._add(part, addresses, self._reader.children(addresses))

    def _add(self, rows: Int[np.ndarray, " rows"], addresses: list[str], found: Columns) -> None:
        """Families, of which the parents are held and the children come parent by parent."""
        if not len(found["address"]):
            self.count[rows] = 0
            return
        row_of = dict(zip(addresses, rows.tolist(), strict=True))
        parent = np.array([row_of[address.rpartition("/")[0] or ROOT] for address in found["address"].tolist()])
        start = np.flatnonzero(np.r_[True, parent[1:] != parent[:-1]])
        self.first[parent[start]] = len(self) + start
        columns = {name: found[name] for name in NAMES if name in found and name != "reach"}
        self._put({**columns, "parent": parent, "level": self.level[parent] + 1}, found)
        self.count[rows] = 0  # all at once: what ends before leaves families unknown
        self.count[parent[start]] = np.diff(np.append(start, len(parent)))

    def _put(self, columns: dict[str, np.ndarray], found: Columns) -> None:
        """Cells behind those that are held."""
        descent, count, before = self._ground.descent, len(columns["slot"]), len(self) if self._room else 0
        if isinstance(descent, MapsDescent):
            above = None if self.memory is None else self.memory[columns["parent"]]
            columns["memory"] = descent.start() if above is None else descent.turned(above, columns["slot"])
        columns["count"] = np.where(columns["state"] == EXPANDED, _UNKNOWN, 0)
        columns["first"] = np.zeros(count, dtype=np.int64)
        columns["used"] = np.zeros(count, dtype=np.int64)
        columns["reach"] = np.zeros(count)
        if "size" in (self._room or found):
            columns["size"] = np.maximum(found.get("size", np.zeros(count)), 0).astype(np.float64)
        self._own = {name: _longer(*column, by=count) for name, column in self._own.items()}
        self._append(columns, before=before, count=count)
        self.reach[before:] = self._reach(np.arange(before, before + count), found)

    def _append(self, columns: dict[str, np.ndarray], *, before: int, count: int) -> None:
        """Rows behind those that are held; no more than one column is there twice meanwhile."""
        for name, column in columns.items():
            room = self._room.get(name)
            if room is None or len(room) < before + count:
                larger = np.empty((max(before + count, int(before * _SPARE)), *column.shape[1:]), dtype=column.dtype)
                if room is not None:
                    larger[:before] = room[:before]
                room = self._room[name] = larger
                if before:
                    setattr(self, name, room[:before])
            np.copyto(room[before : before + count], column, casting="same_kind")
        for name, room in self._room.items():
            setattr(self, name, room[: before + count])

    def _keep(self, rows: Int[np.ndarray, " rows"], **changed: np.ndarray) -> None:
        """Some rows alone, with columns that change by that; no more than one column is there twice meanwhile."""
        room, self._room = self._room, {}  # what ends here by an error leaves nothing that is taken for cells
        for name in list(room):
            column = changed[name] if name in changed else room[name][: len(self.used)][rows]
            room[name] = column
            if name != "used":
                setattr(self, name, column)
        self.used, self._room = room["used"], room

    def _reach(self, rows: Int[np.ndarray, " rows"], found: Columns) -> Float[np.ndarray, " rows"]:
        """As far as the ground, or a radius that is stored, tells; very far where nothing does."""
        ground = self._ground
        bound = np.full(len(rows), np.nan)
        if ground.descent is not None:
            for level in np.unique(self.level[rows]).tolist():
                there = np.flatnonzero(self.level[rows] == level)
                bound[there] = self.bound(rows[there], level=level, ground=ground)
        else:
            if ground.residual_bound is not None and ground.scale_factor is not None:
                bound = ground.residual_bound * self.scale[rows] / (1 - ground.scale_factor)
            radius = found.get("radius")
            bound = bound if radius is None else np.where(np.isnan(radius), bound, radius)
            bound = np.where(self.count[rows] == 0, 0.0, bound)  # no rule goes on where nothing is stored below
        return np.where(np.isnan(bound), _FAR, np.minimum(bound, _FAR))


def _longer(values: np.ndarray, known: np.ndarray, *, by: int) -> tuple[np.ndarray, np.ndarray]:
    """A column of properties with so many cells more, of which they are not known."""
    return np.concatenate([values, np.full(by, None, dtype=object)]), np.concatenate([known, np.zeros(by, dtype=np.bool_)])
