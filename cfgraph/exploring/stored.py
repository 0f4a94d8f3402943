"""Stored cells: those of a hierarchy in a graph, read family by family when they are asked for, and kept as columns.

A family is read with its siblings' siblings, some thousands of parents at once, in a few connections at a time.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.exploring.held import HeldCells
from cfgraph.model.address import ROOT
from cfgraph.model.cells import EXPANDED
from cfgraph.model.descent import MapsDescent
from cfgraph.model.ground import Ground
from cfgraph.model.reader import Columns, OwnReader, Reader

_PARENTS = 1_000  # a query asks for the children of
_CONNECTIONS = 3
_ADDRESS_BYTES, _VALUE_BYTES = 80, 64  # of one address, and one property, as objects
_UNKNOWN = -1
_FAR = 1e30  # a reach that nothing bounds
NAMES = ("parent", "slot", "center", "scale", "residual", "length", "root_distance", "state", "predicted", "reach")
_NAMES = (*NAMES, "first", "count", "level", "used", "address")


class StoredCells(HeldCells):
    """Cells of which the children are held, or not yet: then ``count`` is -1, and :meth:`below` reads them."""

    _columns: dict[str, np.ndarray]
    _own: dict[str, tuple[np.ndarray, np.ndarray]]  # by name: the values, and of which cells they are known
    level: Int[np.ndarray, " cells"]
    used: Int[np.ndarray, " cells"]
    address: np.ndarray

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
        descent = self._ground.descent
        self.memory = descent.start() if isinstance(descent, MapsDescent) else None
        self._columns, self._own = {}, {}
        self._put({**{name: root[name] for name in NAMES if name != "reach"}, "level": np.zeros(1, dtype=np.int32)}, root)

    @property
    def bytes(self) -> int:
        """How much is held."""
        kept = sum(column.nbytes for column in self._columns.values()) + (0 if self.memory is None else self.memory.nbytes)
        own = sum(len(known) + len(values) * 8 + _VALUE_BYTES * int(known.sum()) for values, known in self._own.values())
        return int(kept) + own + _ADDRESS_BYTES * len(self)

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
            found[:] = self._reader.own(self.address[asked].tolist(), name)
            values[asked], known[asked] = found, True
        return values[rows]

    def below(self, rows: Int[np.ndarray, " rows"]) -> tuple[Int[np.ndarray, " rows"], Int[np.ndarray, " rows"]]:
        """The row of each cell's first child, and how many it has that are stored; read where they are not held."""
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
        columns = {name: column[kept] for name, column in self._columns.items()}
        columns["parent"] = place[columns["parent"]]
        gone = (columns["count"] > 0) & (place[columns["first"]] < 0)
        columns["first"] = np.where(gone | (columns["count"] <= 0), 0, place[columns["first"]])
        columns["count"] = np.where(gone, _UNKNOWN, columns["count"])
        if self.memory is not None:
            self.memory = self.memory[kept].copy()
        self._own = {name: (values[kept], known[kept]) for name, (values, known) in self._own.items()}
        self._set(columns)

    # how it is done

    def _read(self, rows: Int[np.ndarray, " rows"]) -> None:
        addresses = self.address[rows].tolist()
        pages = self._children([addresses[low : low + _PARENTS] for low in range(0, len(rows), _PARENTS)])
        pages = [page for page in pages if len(page["address"])]
        found = {name: np.concatenate([page[name] for page in pages]) for name in pages[0]} if pages else {}
        self._add(rows, addresses, found)

    def _children(self, asked: Sequence[list[str]]) -> list[Columns]:
        reader = self._reader
        if len(asked) == 1:
            return [reader.children(asked[0])]
        with ThreadPoolExecutor(min(_CONNECTIONS, len(asked)), thread_name_prefix="cfgraph-explore") as threads:
            return list(threads.map(reader.children, asked))

    def _add(self, rows: Int[np.ndarray, " rows"], addresses: list[str], found: Columns) -> None:
        """Families, of which the parents are held and the children come parent by parent."""
        self.count[rows] = 0
        if not found:
            return
        row_of = dict(zip(addresses, rows.tolist(), strict=True))
        parent = np.array([row_of[address.rpartition("/")[0] or ROOT] for address in found["address"].tolist()])
        start = np.flatnonzero(np.r_[True, parent[1:] != parent[:-1]])
        self.first[parent[start]] = len(self) + start
        self.count[parent[start]] = np.diff(np.append(start, len(parent)))
        columns = {name: found[name] for name in NAMES if name in found and name != "reach"}
        self._put({**columns, "parent": parent, "level": self.level[parent] + 1}, found)

    def _put(self, columns: dict[str, np.ndarray], found: Columns) -> None:
        """Cells behind those that are held."""
        descent, count = self._ground.descent, len(columns["slot"])
        if self._columns and self.memory is not None and isinstance(descent, MapsDescent):
            below = descent.turned(self.memory[columns["parent"]], columns["slot"])
            self.memory = np.concatenate([self.memory, below])
        before = len(self._columns["slot"]) if self._columns else 0
        columns["count"] = np.where(columns["state"] == EXPANDED, _UNKNOWN, 0)
        columns["first"] = np.zeros(count, dtype=np.int64)
        columns["used"] = np.zeros(count, dtype=np.int64)
        columns["address"] = found["address"]
        columns["reach"] = np.zeros(count)
        if "size" in (self._columns or found):
            columns["size"] = np.maximum(found.get("size", np.zeros(count)), 0).astype(np.float64)
        if before:
            self._own = {name: _longer(*column, by=count) for name, column in self._own.items()}
            columns = {name: np.concatenate([column, columns[name]]) for name, column in self._columns.items()}
        self._set(columns)
        self.reach[before:] = self._reach(np.arange(before, before + count), found)

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
        return np.where(np.isnan(bound), _FAR, np.minimum(bound, _FAR))

    def _set(self, columns: dict[str, np.ndarray]) -> None:
        self._columns = columns
        for name, column in columns.items():
            setattr(self, name, column)


def _longer(values: np.ndarray, known: np.ndarray, *, by: int) -> tuple[np.ndarray, np.ndarray]:
    """A column of properties with so many cells more, of which they are not known."""
    return np.concatenate([values, np.full(by, None, dtype=object)]), np.concatenate([known, np.zeros(by, dtype=np.bool_)])
