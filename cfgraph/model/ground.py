"""Ground: what a field stands on, one level at a time: stored children where there are some, those of the rule elsewhere.

A :class:`~cfgraph.model.field.Field` asks it for cells by their addresses, :mod:`~cfgraph.model.locating` and
:mod:`~cfgraph.model.nearby` for those that points lie at.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.errors import AddressError, InputError
from cfgraph.model.address import ROOT
from cfgraph.model.cells import LEAF
from cfgraph.model.descent import COLUMNS, Descent, MapsDescent, Places, SpannedDescent
from cfgraph.model.reader import Columns, Reader

_SMALLEST = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, eq=False, kw_only=True)
class Ground:
    """The rule and what is stored above it; see :class:`~cfgraph.model.field.Field` for what each means."""

    name: str
    arity: int | None
    scale_factor: float | None
    residual_bound: float | None
    root: Places | None
    descent: Descent | None
    reader: Reader | None
    rule_from: int
    no_rule: str

    @cached_property
    def top(self) -> Places:
        """The root."""
        if self.root is not None:
            return self.root
        assert self.reader is not None
        found = self.reader.cells([ROOT])
        if len(found["address"]) != 1:
            raise InputError(f"expected a root in {self.name!r}, and none is stored; a field starts there")
        memory = np.zeros((1, 0)) if self.descent is None else self.descent.start()
        return _as_places(found, level=0, slot=np.array([-1]), memory=memory)

    def bounds_of(self, places: Places) -> tuple[np.ndarray, np.ndarray]:
        """The reach and the radius of each place; NaN where nothing bounds what will be below."""
        radius = np.full(len(places), np.nan)
        if self.residual_bound is not None and self.scale_factor is not None:
            radius = self.residual_bound * places.scale / (1 - self.scale_factor)
        if self.descent is None and isinstance(places, StoredPlaces) and places.radius is not None:
            radius = np.where(np.isnan(places.radius), radius, places.radius)
        spread = None if self.descent is None else self.descent.spread(places)
        if spread is None:
            return radius, radius
        ruled = ~places.stored | (places.level >= self.rule_from)
        with np.errstate(invalid="ignore"):
            return np.where(ruled, np.fmin(radius, places.scale * spread), radius), radius

    def reaches(self, places: "StoredPlaces", family: "Families") -> Float[np.ndarray, " children"]:
        """The reach of stored children, in the order of the family's columns; infinite where nothing bounds it."""
        slot = family.columns["slot"].astype(np.int64)
        if isinstance(self.descent, MapsDescent | SpannedDescent):
            parent = np.repeat(np.arange(len(family.count)), family.count)
            reach = self.bounds_of(self.held(places, family, parent=parent, slot=slot))[0]
        elif self.descent is None:
            memory = np.zeros((len(slot), 0))
            reach = self.bounds_of(_as_places(family.columns, level=places.level + 1, slot=slot, memory=memory))[0]
        else:  # a rule of which nothing but the bound of its residuals is known needs no memory for it
            bound, factor = self.residual_bound, self.scale_factor
            nothing = np.full(len(slot), np.nan)
            reach = nothing if bound is None or factor is None else bound * family.columns["scale"] / (1 - factor)
        return np.where(np.isnan(reach), np.inf, reach)

    def family(self, places: Places, *, only: np.ndarray | None = None) -> "Families | None":
        """The stored children of places; None where none can be stored."""
        if not isinstance(places, StoredPlaces) or self.reader is None:
            return None
        rows = np.flatnonzero(places.stored)
        if only is not None:
            rows = np.intersect1d(rows, only)
        if len(rows) == 0:
            return None
        addresses = places.address[rows].tolist()
        below = self.reader.children(addresses)
        return Families.of(below, addresses=addresses, rows=rows, places=len(places)) if len(below["address"]) else None

    def all_slots(self, places: Places, family: "Families | None") -> tuple[np.ndarray, np.ndarray]:
        """Every child that places have: the rows of their parents, and their slots."""
        count, arity = np.zeros(len(places), dtype=np.int64), self.arity or 0
        if family is not None:
            count[:] = family.count
        ruled = (count == 0) & ~leaves(places)
        if self.descent is not None:
            count[ruled] = arity
        parent = np.repeat(np.arange(len(places)), count)
        slot = np.arange(len(parent)) - np.repeat(np.cumsum(count) - count, count)
        if family is not None:
            stored = family.count[parent] > 0
            slot[stored] = family.columns["slot"][(family.first[parent] + slot)[stored]]
        return parent, slot

    def descend(self, places: Places, family: "Families | None", *, parent: np.ndarray, slot: np.ndarray) -> Places:
        """Some children of places."""
        if family is None:
            self._check_ruled(places, parent, slot)
            return self._ruled(places, parent=parent, slot=slot)
        stored = family.count[parent] > 0
        held = self.held(places, family, parent=parent[stored], slot=slot[stored])
        if stored.all():
            return held
        self._check_ruled(places, parent[~stored], slot[~stored])
        return _merged(held, self._ruled(places, parent=parent[~stored], slot=slot[~stored]), stored=stored)

    def _check_ruled(self, places: Places, parent: np.ndarray, slot: np.ndarray) -> None:
        """An ``AddressError`` where no cell can be below what is stored."""
        leaf = leaves(places)[parent]
        if not len(parent) or (self.descent is not None and not leaf.any()):
            return
        first = int(np.flatnonzero(leaf)[0]) if leaf.any() else 0
        where = places.address[parent[first]] if isinstance(places, StoredPlaces) else f"level {places.level}"
        why = "that is a leaf" if leaf.any() else f"nothing is stored there, and {self.no_rule}"
        raise AddressError(f"there is no cell in slot {slot[first]} below {where} of {self.name!r}: {why}")

    def _ruled(self, places: Places, *, parent: np.ndarray, slot: np.ndarray) -> Places:
        """Children as the rule has them."""
        assert (self.descent is not None and self.scale_factor is not None) or len(parent) == 0
        asked = np.zeros(len(places), dtype=np.bool_)
        asked[parent] = True
        if not asked.all():
            places, parent = places.take(np.flatnonzero(asked)), (np.cumsum(asked) - 1)[parent]
        if self.descent is None or self.scale_factor is None or len(parent) == 0:
            return replace(places.take(parent), level=places.level + 1)
        residual, memory = self.descent.step(places, parent=parent, slot=slot)
        return places.children(parent, slot, residual=residual, memory=memory, scale_factor=self.scale_factor)

    def held(self, places: Places, family: "Families", *, parent: np.ndarray, slot: np.ndarray) -> "StoredPlaces":
        """Children as they are stored."""
        rows = family.rows_of(parent, slot, name=self.name)
        columns = {name: column[rows] for name, column in family.columns.items()}
        memory = np.zeros((len(slot), 0))
        if self.descent is not None:
            needed, above = np.unique(parent, return_inverse=True)
            tuples = family.tuples(needed, arity=self.descent.arity)
            memory = self.descent.remember(places.take(needed), parent=above, slot=slot, tuples=tuples)
        return _as_places(columns, level=places.level + 1, slot=slot, memory=memory)


@dataclass(frozen=True, eq=False)
class StoredPlaces(Places):
    """Places some of which are stored: with their addresses, whether they are leaves, and the radii that are stored."""

    address: np.ndarray
    leaf: Bool[np.ndarray, " places"]
    radius: Float[np.ndarray, " places"] | None

    def take(self, rows: Int[np.ndarray, " rows"]) -> "StoredPlaces":
        """Some of them, in an order of one's own."""
        columns = {name: getattr(self, name)[rows] for name in (*COLUMNS, "address", "leaf", "memory")}
        return StoredPlaces(level=self.level, radius=None if self.radius is None else self.radius[rows], **columns)


@dataclass(frozen=True, eq=False)
class Families:
    """The stored children of places: ``count`` of each place from row ``first`` on, siblings by their slots."""

    columns: Columns
    first: Int[np.ndarray, " places"]
    count: Int[np.ndarray, " places"]

    @classmethod
    def of(cls, columns: Columns, *, addresses: list[str], rows: np.ndarray, places: int) -> "Families":
        """What a reader gave for the places in some rows."""
        row_of = dict(zip(addresses, rows.tolist(), strict=True))
        above = [row_of[address.rpartition("/")[0] or ROOT] for address in columns["address"].tolist()]
        parent = np.array(above, dtype=np.int64)
        order = np.lexsort((columns["slot"], parent)) if len(parent) else parent
        count = np.bincount(parent, minlength=places)
        return cls({name: column[order] for name, column in columns.items()}, np.cumsum(count) - count, count)

    def rows_of(self, parent: np.ndarray, slot: np.ndarray, *, name: str) -> Int[np.ndarray, " children"]:
        """The row of each child; an ``AddressError`` for one that is not there."""
        width = int(max(slot.max(initial=0), self.columns["slot"].max(initial=0))) + 1
        keys = np.repeat(np.arange(len(self.count)), self.count) * width + self.columns["slot"]
        wanted = parent * width + slot
        found: np.ndarray = np.minimum(np.searchsorted(keys, wanted), max(0, len(keys) - 1))
        wrong = np.flatnonzero(keys[found] != wanted)
        if len(wrong):
            sibling = self.columns["address"][self.first[parent[wrong[0]]]]
            above = sibling.rpartition("/")[0] or ROOT
            raise AddressError(f"there is no cell in slot {slot[wrong[0]]} below {above} of {name!r}: it has other children")
        return found

    def tuples(self, places: np.ndarray, *, arity: int) -> Float[np.ndarray, "places arity dim"]:
        """The residuals of the children of some places, by slot; zeros where one is not there."""
        parent = np.repeat(np.arange(len(self.count)), self.count)
        place = np.searchsorted(places, parent)
        there = (place < len(places)) & (places[np.minimum(place, len(places) - 1)] == parent) & (self.columns["slot"] < arity)
        found = np.zeros((len(places), arity, self.columns["residual"].shape[1]))
        found[place[there], self.columns["slot"][there]] = self.columns["residual"][there]
        return found


def _as_places(columns: Columns, *, level: int, slot: np.ndarray, memory: np.ndarray) -> StoredPlaces:
    zeros = {"length": np.zeros(len(slot)), "residual": np.zeros(columns["center"].shape)}  # a root in the graph has none
    names = ("center", "scale", "root_distance", "length", "residual")
    return StoredPlaces(
        level=level,
        slot=slot,
        stored=np.ones(len(slot), dtype=np.bool_),
        memory=memory,
        address=columns["address"],
        leaf=columns["state"] == LEAF,
        radius=columns.get("radius"),
        **{name: columns[name] if name in columns else zeros[name] for name in names},
    )


def leaves(places: Places) -> Bool[np.ndarray, " places"]:
    """Which places will never have children."""
    return places.leaf if isinstance(places, StoredPlaces) else np.zeros(len(places), dtype=np.bool_)


def _merged(held: StoredPlaces, ruled: Places, *, stored: Bool[np.ndarray, " places"]) -> StoredPlaces:
    """Stored places and those of the rule in the order that ``stored`` tells."""

    def joined(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        found = np.empty((len(stored), *one.shape[1:]), dtype=one.dtype)
        found[stored], found[~stored] = one, other
        return found

    columns = {name: joined(getattr(held, name), getattr(ruled, name)) for name in (*COLUMNS, "memory")}
    nothing = np.full(len(ruled), np.nan)
    return StoredPlaces(
        level=held.level,
        address=joined(held.address, np.full(len(ruled), None, dtype=object)),
        leaf=joined(held.leaf, np.zeros(len(ruled), dtype=np.bool_)),
        radius=None if held.radius is None else joined(held.radius, nothing),
        **columns,
    )


def deepest_of(root_scale: float, scale_factor: float) -> int:
    """The deepest level whose scale double precision holds with all its digits."""
    return max(0, math.floor((math.log(_SMALLEST) - math.log(root_scale)) / math.log(scale_factor)))
