"""Cells: many cells of one hierarchy as columns; the currency of the whole project.

Rows are in *breadth-first order*: level by level, within a level by parent, under a parent by slot. So parents come
before their children, the children of a cell stand side by side, and each level is one slice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt8

from cfgraph.errors import AddressError, InputError
from cfgraph.model.address import ROOT, format_address, level_of, parse_address, stem_of

EXPANDED, FRONTIER, LEAF = 0, 1, 2
STATE_NAMES = ("Expanded", "Frontier", "Leaf")
NO_COLUMNS = ("links", "own", "top")


@dataclass(frozen=True, eq=False)
class Links:
    """The edges from second parents, as columns: where a cell has several, all but the one from its primary parent.

    They are like any other edge: ``center[child] = center[parent] + scale[parent] * residual``, and ``slot`` is one of the
    parent's own, which no other child of it has. Sorted by child, then by parent.
    """

    parent: Int[np.ndarray, " links"]
    child: Int[np.ndarray, " links"]
    slot: Int[np.ndarray, " links"]
    residual: Float[np.ndarray, "links dim"]
    length: Float[np.ndarray, " links"]

    def __len__(self) -> int:
        return len(self.parent)

    def take(self, chosen: Shaped[np.ndarray, " chosen"]) -> "Links":
        """Some of the links, by number or by a mask."""
        return type(self)(**{column.name: getattr(self, column.name)[chosen] for column in fields(self)})

    @property
    def columns(self) -> list[np.ndarray]:
        """The columns, in the order of the fields."""
        return [getattr(self, column.name) for column in fields(self)]


@dataclass(frozen=True, eq=False)
class Edges(Links):
    """All edges of some cells, as columns: those from primary parents in the order of their children, then the links."""

    primary: Bool[np.ndarray, " links"] = field(kw_only=True)


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells as columns, in breadth-first order; row 0 is the ``top``, the ancestor of all others.

    ``top`` is the address of row 0: ``/`` for a whole hierarchy or a prefix of one, else a subtree's root.
    ``center[i] = center[parent[i]] + scale[parent[i]] * residual[i]`` and ``length[i] = scale[parent[i]] *
    norm(residual[i])`` for every row but the first, whose ``residual``, ``length`` and (as far as the columns know)
    ``parent`` lie above the top: its residual is zeros in a root and the true one in a subtree read from the graph.
    """

    parent: Int[np.ndarray, " cells"]  # row of the primary parent; -1 for the top
    slot: Int[np.ndarray, " cells"]  # -1 for a root
    level: Int[np.ndarray, " cells"]
    center: Float[np.ndarray, "cells dim"]
    scale: Float[np.ndarray, " cells"]
    residual: Float[np.ndarray, "cells dim"]
    length: Float[np.ndarray, " cells"]
    root_distance: Float[np.ndarray, " cells"]
    state: UInt8[np.ndarray, " cells"]  # EXPANDED, FRONTIER or LEAF
    predicted: Bool[np.ndarray, " cells"]  # True where a predictor put the cell
    radius: Float[np.ndarray, " cells"] | None = None  # data-built and imported hierarchies; NaN where unknown
    size: Int[np.ndarray, " cells"] | None = None  # data-built hierarchies: how many data points lie below
    links: Links | None = None
    own: Mapping[str, np.ndarray] = field(default_factory=dict)
    top: str = ROOT

    def __len__(self) -> int:
        return len(self.parent)

    @property
    def names(self) -> list[str | None] | None:
        """Every cell's name, in row order; None where no cell has one."""
        return self.own["name"].tolist() if "name" in self.own else None

    @property
    def dimension(self) -> int:
        """The dimension d of the centers."""
        return int(self.center.shape[1])

    @property
    def depth(self) -> int:
        """The deepest level that holds a cell."""
        return int(self.level[-1])

    @cached_property
    def level_starts(self) -> Int[np.ndarray, " levels_and_one"]:
        """Row where each level from the top's on begins, and the number of rows at the end."""
        first = level_of(self.top)
        return np.searchsorted(self.level, np.arange(first, self.depth + 2))

    def level_rows(self, level: int) -> slice:
        """The rows of one level; an empty slice for a level that holds no cell."""
        index = level - level_of(self.top)
        if not 0 <= index < len(self.level_starts) - 1:
            return slice(0, 0)
        return slice(int(self.level_starts[index]), int(self.level_starts[index + 1]))

    def take(self, rows: slice | Int[np.ndarray, " rows"]) -> dict[str, np.ndarray]:
        """Every column at some rows, by name (``radius`` and ``size`` only where the cells have them), but the source's own."""
        columns = ((field.name, getattr(self, field.name)) for field in fields(self) if field.name not in NO_COLUMNS)
        return {name: column[rows] for name, column in columns if column is not None}

    def take_own(self, rows: slice | Int[np.ndarray, " rows"]) -> dict[str, np.ndarray]:
        """The source's own columns at some rows, by name."""
        return {name: column[rows] for name, column in self.own.items()}

    def edges(self) -> Edges:
        """All edges: of every cell but the top the one from its primary parent, then those from second parents."""
        below = slice(1, None)
        first = [self.parent[below], np.arange(1, len(self)), self.slot[below], self.residual[below], self.length[below]]
        if self.links is None:
            return Edges(*first, primary=np.ones(len(first[0]), dtype=bool))
        columns = [np.concatenate(both) for both in zip(first, self.links.columns, strict=True)]
        return Edges(*columns, primary=np.arange(len(columns[0])) < len(first[0]))

    def prefix(self, depth: int) -> "Cells":
        """The cells of levels up to ``depth``; those at ``depth`` that had children become frontier."""
        if depth < level_of(self.top):
            raise InputError(f"expected a depth of at least {level_of(self.top)}, the level of {self.top}, got {depth}")
        if depth > self.depth:
            return self
        last = self.level_rows(depth)
        columns = self.take(slice(0, last.stop))
        state = columns["state"].copy()
        state[last][state[last] == EXPANDED] = FRONTIER
        radius = {} if self.radius is None else {"radius": np.full(last.stop, np.nan)}
        links = None
        if self.links is not None:
            links = self.links.take((self.links.parent < last.stop) & (self.links.child < last.stop))
            links = links if len(links) else None
        own = self.take_own(slice(0, last.stop))
        return type(self)(**{**columns, "state": state, **radius}, links=links, own=own, top=self.top)

    def with_columns(self, **columns: Any) -> "Cells":
        """The same cells with some columns replaced."""
        return replace(self, **columns)

    @cached_property
    def addresses(self) -> list[str]:
        """Every cell's address, in row order."""
        if len(self) == 0:
            return []
        stems = [stem_of(self.top)]
        for parent, slot in zip(self.parent[1:].tolist(), self.slot[1:].tolist(), strict=True):
            stems.append(f"{stems[parent]}/{slot}")
        stems[0] = self.top
        return stems

    @cached_property
    def first_child(self) -> Int[np.ndarray, " cells"]:
        """Row of each cell's slot-lowest child; -1 where it has none."""
        first = np.full(len(self), -1, dtype=np.int64)
        children = np.arange(len(self) - 1, 0, -1)  # backwards, so that the lowest slot is written last
        first[self.parent[children]] = children
        return first

    @cached_property
    def child_count(self) -> Int[np.ndarray, " cells"]:
        """How many children each cell has among these cells."""
        return np.bincount(self.parent[1:], minlength=len(self))

    def row(self, address: str) -> int:
        """The row of the cell at ``address``; an ``AddressError`` where there is none."""
        slots, above = parse_address(address), parse_address(self.top)
        if slots[: len(above)] != above:
            raise AddressError(f"{address} does not lie below {self.top}, the top of these cells")
        row = 0
        for depth, slot in enumerate(slots[len(above) :], start=len(above)):
            row = self._child_row(row, slot)
            if row < 0:
                raise AddressError(f"there is no cell {address}: {format_address(slots[:depth])} has no child in slot {slot}")
        return row

    def _child_row(self, row: int, slot: int) -> int:
        start = int(self.first_child[row])
        if start < 0:
            return -1
        slots = self.slot[start : start + int(self.child_count[row])]
        offset = int(np.searchsorted(slots, slot))
        return start + offset if offset < len(slots) and slots[offset] == slot else -1

    def rows(self, addresses: Sequence[str]) -> Int[np.ndarray, " addresses"]:
        """The rows of the cells at ``addresses``."""
        return np.array([self.row(address) for address in addresses], dtype=np.int64)

    def expansions(self, arity: int) -> tuple[Int[np.ndarray, " parents"], Float[np.ndarray, "parents arity dim"]]:
        """The rows that have all ``arity`` children, in row order, and the tuple of residuals of each."""
        parents = np.flatnonzero(self.child_count == arity)
        children = self.first_child[parents][:, None] + np.arange(arity)
        return parents, self.residual[children]

    @classmethod
    def from_root(cls, center: Float[np.ndarray, " dim"], *, scale: float = 1.0) -> "Cells":
        """A hierarchy of one cell: its root, not expanded yet."""
        center = np.asarray(center, dtype=np.float64)
        if center.ndim != 1 or not np.isfinite(center).all():
            raise InputError(f"expected a root center of finite numbers, one per dimension, got {center.tolist()}")
        if not (np.isfinite(scale) and scale > 0):
            raise InputError(f"expected a root scale above 0, got {scale}")
        return cls(
            parent=np.array([-1]),
            slot=np.array([-1], dtype=np.int32),
            level=np.array([0], dtype=np.int32),
            center=center[None],
            scale=np.array([float(scale)]),
            residual=np.zeros((1, len(center))),
            length=np.zeros(1),
            root_distance=np.zeros(1),
            state=np.array([FRONTIER], dtype=np.uint8),
            predicted=np.zeros(1, dtype=bool),
        )
