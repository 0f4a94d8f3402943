"""Field: a hierarchy that answers at any depth: stored cells where there are some, the rule below them.

Cells are asked for by their addresses, many at once. All ways start at the root and are followed level by level, ways that
begin alike once; at each level what is stored is read, and what is not is what the rule answers. So a question about level 300
costs 300 steps of one batch, and nothing is kept. A field knows its rule as a :class:`~cfgraph.model.descent.Descent` and
what is stored as a :class:`~cfgraph.model.reader.Reader`; where these come from, it does not know.

Differences of centers and lengths of paths are sums below the lowest common ancestor, in units of its scale: near level 30
centers as such have no digits left to subtract (derived, docs/mathematics.md).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.errors import AddressError, InputError
from cfgraph.model.address import ROOT, common_levels, format_address, slot_matrix
from cfgraph.model.cells import LEAF
from cfgraph.model.descent import COLUMNS, Descent, Places
from cfgraph.model.growth import CELLS_MAX, check_growth
from cfgraph.model.hierarchy import Known
from cfgraph.model.reader import Columns, Reader

Slots = Int[np.ndarray, "cells depth"]  # an address a row, filled up with -1
Addresses = Sequence[str] | np.ndarray  # as text, or as slots

_BATCH_VALUES = 1 << 16  # floats of tuples held at once: what stays in a processor's cache
_EPSILON = float(np.finfo(np.float64).eps)
_SMALLEST = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, eq=False)
class FieldCells:
    """Cells that a field answered with, a row a cell; ``stored`` says which were read, the others are the rule's answer."""

    slots: Slots
    level: Int[np.ndarray, " cells"]
    slot: Int[np.ndarray, " cells"]  # -1 for the root
    center: Float[np.ndarray, "cells dim"]
    scale: Float[np.ndarray, " cells"]
    root_distance: Float[np.ndarray, " cells"]
    length: Float[np.ndarray, " cells"]
    residual: Float[np.ndarray, "cells dim"]
    stored: Bool[np.ndarray, " cells"]

    def __len__(self) -> int:
        return len(self.level)

    @property
    def addresses(self) -> list[str]:
        """The addresses, as text."""
        return [format_address(row[:level]) for row, level in zip(self.slots.tolist(), self.level.tolist(), strict=True)]


@dataclass(frozen=True, eq=False)
class Offsets:
    """``center(first) - center(second)`` of pairs, in units of the scale of their lowest common ancestor.

    ``bound`` is what rounding may have done to each, in the same units: where the rule is one of maps, all of it; else that
    of the sums, the rule's answers taken as they are. ``larger_scale`` is that of the larger cell of each pair.
    """

    value: Float[np.ndarray, "pairs dim"]
    bound: Float[np.ndarray, " pairs"]
    ancestor_level: Int[np.ndarray, " pairs"]
    ancestor_scale: Float[np.ndarray, " pairs"]
    larger_scale: Float[np.ndarray, " pairs"]

    @property
    def absolute(self) -> Float[np.ndarray, "pairs dim"]:
        """The differences themselves."""
        found: np.ndarray = self.value * self.ancestor_scale[:, None]
        return found

    def in_units_of_larger(self, precision: float = math.inf) -> "Scaled":
        """The differences in units of the larger cell's scale, where a bound grows as ``s^-n``, n levels below the ancestor.

        Raises:
            InputError: for a precision that is no number above 0.
        """
        if not precision > 0:
            raise InputError(f"expected a precision above 0, got {precision}")
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            times = self.ancestor_scale / self.larger_scale
            bound = self.bound * times
            value = self.value * times[:, None]
        return Scaled(value=value, bound=bound, exceeded=~(bound <= precision))


@dataclass(frozen=True, eq=False)
class Scaled:
    """Differences of centers in units of the larger cell's scale; ``exceeded`` where the bound is above what was asked for."""

    value: Float[np.ndarray, "pairs dim"]
    bound: Float[np.ndarray, " pairs"]
    exceeded: Bool[np.ndarray, " pairs"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Field:
    """A hierarchy of any depth. Make one with :func:`cfgraph.field`.

    ``residual_bound`` is R, a bound of all residuals, stored or not; None where nothing bounds them. ``rule_from`` is the
    level from which on all that is stored is what the rule answers, too. ``paths`` says that path distances are sums along
    addresses; where a cell has several parents they are not. With ``virtual_root`` nothing leads over the root.
    """

    name: str
    arity: int | None  # None: as many children as are stored
    scale_factor: float | None
    residual_bound: float | None
    root: Places | None = None  # None: it is stored
    descent: Descent | None = None
    reader: Reader | None = None
    rule_from: int = 0
    no_rule: str = "no rule is known"  # why, where there is none
    paths: bool = True
    virtual_root: bool = False
    predictor: Known | None = None  # whose rule it is, where a store may know it

    def cells(self, addresses: Addresses) -> FieldCells:
        """The cells at some addresses, in the order asked.

        ``addresses`` are texts such as ``/0/2``, or slots: whole numbers, a row an address, filled up with -1.

        Raises:
            AddressError: for what is no address, and for one where no cell can be: below a leaf, in a slot that is not
                there, or below what is stored where no rule is known.
            InputError: for levels so deep that their scale is no number any more.
        """
        slots = self._slots(addresses)
        found = [self._cells_of(slots[part]) for part in self._batches(len(slots))]
        return FieldCells(slots=slots, **{name: np.concatenate([part[name] for part in found]) for name in ("level", *COLUMNS)})

    def children(self, addresses: Addresses) -> FieldCells:
        """The children of the cells at some addresses, siblings in the order of their slots; of a leaf none."""
        slots = self._slots(addresses)
        return _joined([self._children_of(slots[part]) for part in self._batches(len(slots))])

    def below(self, address: str, levels: int) -> FieldCells:
        """All cells at most ``levels`` levels below one, breadth first.

        Raises:
            InputError: for more cells than are made in one go.
        """
        if isinstance(levels, bool) or not isinstance(levels, int | np.integer) or levels < 0:
            raise InputError(f"expected a whole number of levels, at least 0, got {levels!r}")
        if self.arity is not None and self.descent is not None:
            check_growth(1, arity=self.arity, levels=int(levels))
        found, last, total = list[FieldCells](), self.cells([address]), 0
        for _ in range(levels):
            last = self.children(last.slots)
            found.append(last)
            total += len(last)
            if len(last) == 0:
                break
            if total > CELLS_MAX:
                raise InputError(f"more than {CELLS_MAX:,} cells lie below {address}; ask for fewer levels")
        return _joined(found) if found else self.children(np.zeros((0, 0), dtype=np.int32))

    def path_distances(self, first: Addresses, second: Addresses) -> Float[np.ndarray, " pairs"]:
        """``d_pt`` of each pair: the lengths of the edges below the lowest common ancestor, summed; NaN where no way leads.

        Raises:
            InputError: for another number of first cells than of second ones, and where cells have several parents.
        """
        if not self.paths:
            raise InputError(f"cells of {self.name!r} have several parents, so that paths need all edges: use find_path")
        return np.concatenate([self._pairs(*pair).distance for pair in self._pair_batches(first, second)])

    def offsets(self, first: Addresses, second: Addresses) -> Offsets:
        """``center(first) - center(second)`` of each pair, in units of the scale of the lowest common ancestor.

        Against exact rationals the error is below 1e-12 for affine maps of scale factor .2 and more, to level 300.

        Raises:
            InputError: for another number of first cells than of second ones.
        """
        found = [self._pairs(*pair).offsets for pair in self._pair_batches(first, second)]
        names = ("value", "bound", "ancestor_level", "ancestor_scale", "larger_scale")
        return Offsets(**{name: np.concatenate([getattr(part, name) for part in found]) for name in names})

    def radius(self, addresses: Addresses) -> Float[np.ndarray, " cells"]:
        """Within which all descendants of each cell lie, in the path metric: ``R scale / (1 - s)``; of data-built and imported
        hierarchies what is stored. NaN where nothing bounds what will be below.
        """
        return np.concatenate([radius for _, radius in self._bounds(addresses)])

    def reach(self, addresses: Addresses) -> Float[np.ndarray, " cells"]:
        """How far any descendant's center lies from each cell's center at most: proven, and never above the radius.

        ``scale norm2(B_w) r0`` where tuples are ``U B_w`` (maps, and recurrences that keep to the span of the root's
        tuple), else the radius. NaN where nothing bounds what will be below.
        """
        return np.concatenate([reach for reach, _ in self._bounds(addresses)])

    # how it is done

    @cached_property
    def _top(self) -> Places:
        """The root."""
        if self.root is not None:
            return self.root
        assert self.reader is not None
        found = self.reader.cells([ROOT])
        if len(found["address"]) != 1:
            raise InputError(f"expected a root in {self.name!r}, and none is stored; a field starts there")
        memory = np.zeros((1, 0)) if self.descent is None else self.descent.start()
        return _as_places(found, level=0, slot=np.array([-1]), memory=memory)

    def _slots(self, addresses: Addresses) -> Slots:
        """Addresses as slots, checked."""
        if isinstance(addresses, str):
            raise AddressError(f"expected several addresses, got the text {addresses!r}; put it into a list")
        slots = _as_slots(addresses)
        if self.arity is not None and slots.size and int(slots.max()) >= self.arity:
            row, place = np.argwhere(slots >= self.arity)[0].tolist()
            raise AddressError(
                f"{format_address(slots[row][slots[row] >= 0].tolist())} has slot {slots[row, place]}, and cells of "
                f"{self.name!r} have {self.arity} children: slots 0 to {self.arity - 1}"
            )
        if self.scale_factor is not None and self.descent is not None:
            deepest = _deepest(float(self._top.scale[0]), self.scale_factor)
            if slots.shape[1] > deepest:
                raise InputError(
                    f"level {slots.shape[1]} is too deep: from level {deepest + 1} on double precision does not hold the scales"
                )
        return slots

    def _batches(self, rows: int) -> Iterator[slice]:
        """Parts whose tuples take bounded memory; at least one, maybe empty."""
        width = max(1, (self.arity or 1) * self._top.center.shape[1])
        step = max(1, _BATCH_VALUES // width)
        for low in range(0, max(rows, 1), step):
            yield slice(low, low + step)

    def _pair_batches(self, first: Addresses, second: Addresses) -> Iterator[tuple[Slots, Slots]]:
        one, other = self._slots(first), self._slots(second)
        if len(one) != len(other):
            raise InputError(f"expected as many second cells as first ones, got {len(one)} and {len(other)}")
        depth = max(one.shape[1], other.shape[1])
        one, other = _padded(one, depth), _padded(other, depth)
        for part in self._batches(len(one)):
            yield one[part], other[part]

    def _cells_of(self, slots: Slots) -> dict[str, np.ndarray]:
        levels = (slots >= 0).sum(axis=1)
        found: dict[str, np.ndarray] = {"level": levels}
        for places, place_of in self._walk(slots):
            rows = np.flatnonzero(levels == places.level)
            for name in COLUMNS:
                column = getattr(places, name)
                found.setdefault(name, np.zeros((len(slots), *column.shape[1:]), dtype=column.dtype))
                found[name][rows] = column[place_of[rows]]
        return found

    def _bounds(self, addresses: Addresses) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Reach and radius, batch by batch."""
        slots = self._slots(addresses)
        for part in self._batches(len(slots)):
            levels = (slots[part] >= 0).sum(axis=1)
            reach, radius = np.zeros(len(levels)), np.zeros(len(levels))
            for places, place_of in self._walk(slots[part]):
                rows = np.flatnonzero(levels == places.level)
                if len(rows):
                    needed, back = np.unique(place_of[rows], return_inverse=True)
                    reach[rows], radius[rows] = (bound[back] for bound in self._bounds_of(places.take(needed)))
            yield reach, radius

    def _bounds_of(self, places: "Places") -> tuple[np.ndarray, np.ndarray]:
        radius = np.full(len(places), np.nan)
        if self.residual_bound is not None and self.scale_factor is not None:
            radius = self.residual_bound * places.scale / (1 - self.scale_factor)
        if self.descent is None and isinstance(places, _StoredPlaces) and places.radius is not None:
            radius = np.where(np.isnan(places.radius), radius, places.radius)
        spread = None if self.descent is None else self.descent.spread(places)
        if spread is None:
            return radius, radius
        ruled = ~places.stored | (places.level >= self.rule_from)
        with np.errstate(invalid="ignore"):
            return np.where(ruled, np.fmin(radius, places.scale * spread), radius), radius

    def _children_of(self, slots: Slots) -> FieldCells:
        levels, found = (slots >= 0).sum(axis=1), list[FieldCells]()
        above = list[np.ndarray]()
        for places, place_of in self._walk(slots):
            rows = np.flatnonzero(levels == places.level)
            if len(rows) == 0:
                continue
            asked = places.take(place_of[rows])
            family = self._family(asked)
            parent, slot = self._all_slots(asked, family)
            below = self._descend(asked, family, parent=parent, slot=slot)
            path = np.concatenate([slots[rows[parent], : places.level], slot[:, None]], axis=1)
            columns = {name: getattr(below, name) for name in COLUMNS}
            found.append(FieldCells(slots=path.astype(np.int32), level=np.full(len(slot), below.level), **columns))
            above.append(rows[parent])
        joined = _joined(found) if found else self._none()
        return _taken(joined, np.argsort(np.concatenate(above), kind="stable")) if len(found) > 1 else joined

    def _none(self) -> FieldCells:
        top = self._top.take(np.zeros(0, dtype=np.int64))
        columns = {name: getattr(top, name) for name in COLUMNS}
        return FieldCells(slots=np.zeros((0, 0), dtype=np.int32), level=np.zeros(0, dtype=np.int64), **columns)

    def _pairs(self, first: Slots, second: Slots) -> "_Pairs":
        """Sums below the lowest common ancestors of pairs."""
        count = len(first)
        slots = np.concatenate([first, second])
        common = np.tile(common_levels(first, second), 2)
        levels = (slots >= 0).sum(axis=1)
        unit, ends = np.zeros(2 * count), np.zeros(2 * count)
        offset = np.zeros((2 * count, self._top.center.shape[1]))
        length, scale_above = np.zeros(2 * count), np.zeros(2 * count)
        for places, place_of in self._walk(slots):
            level = places.level
            at = np.flatnonzero(common == level)
            unit[at] = places.scale[place_of[at]]
            below = np.flatnonzero((levels >= level) & (common < level))
            there = place_of[below]
            with np.errstate(divide="ignore", invalid="ignore"):
                step = np.where(unit[below] > 0, scale_above[below] / unit[below], 0.0)
            offset[below] += step[:, None] * places.residual[there]
            length[below] += places.length[there]
            under_way = np.flatnonzero(levels >= level)
            scale_above[under_way] = places.scale[place_of[under_way]]
            done = np.flatnonzero(levels == level)
            ends[done] = places.scale[place_of[done]]
        distance = length[:count] + length[count:]
        if self.virtual_root:
            distance[(common[:count] == 0) & (np.maximum(levels[:count], levels[count:]) > 0)] = np.nan
        size = np.abs(offset[:count]).sum(axis=1) + np.abs(offset[count:]).sum(axis=1)
        deepest = np.maximum(levels[:count], levels[count:])
        bound = self._rounding(deepest, size=size)
        return _Pairs(
            distance,
            Offsets(
                value=offset[:count] - offset[count:],
                bound=bound,
                ancestor_level=common[:count],
                ancestor_scale=unit[:count],
                larger_scale=np.maximum(ends[:count], ends[count:]),
            ),
        )

    def _rounding(
        self, deepest: Int[np.ndarray, " pairs"], *, size: Float[np.ndarray, " pairs"]
    ) -> Float[np.ndarray, " pairs"]:
        """Each of the terms of a sum is off by a few roundings a level: of composing maps, of scales, of adding.

        With residuals of at most R and matrices of norm at most 1 a side's terms add up to ``R / (1 - s)`` at most.
        """
        dimension = self._top.center.shape[1]
        if self.residual_bound is not None and self.scale_factor is not None:
            size = np.full(len(deepest), 2 * self.residual_bound / (1 - self.scale_factor))
        found: np.ndarray = _EPSILON * (dimension + 3) * (deepest + 1) * size
        return found

    def _walk(self, slots: Slots) -> Iterator[tuple[Places, Int[np.ndarray, " rows"]]]:
        """Level by level the places that some way leads through, and which of them each way is at: -1 where it has ended."""
        levels = (slots >= 0).sum(axis=1)
        places, place_of, shared = self._top, np.zeros(len(slots), dtype=np.int64), True
        yield places, place_of
        for level in range(int(levels.max(initial=0))):
            under_way = np.flatnonzero(levels > level)
            parent, slot, back = place_of[under_way], slots[under_way, level].astype(np.int64), np.arange(len(under_way))
            if shared:
                width = int(slot.max()) + 1
                keys, back = np.unique(parent * width + slot, return_inverse=True)
                parent, slot, shared = keys // width, keys % width, len(keys) < len(under_way)
            places = self._descend(places, self._family(places, only=parent), parent=parent, slot=slot)
            place_of = np.full(len(slots), -1)
            place_of[under_way] = back
            yield places, place_of

    def _family(self, places: Places, *, only: np.ndarray | None = None) -> "_Families | None":
        """The stored children of places; None where none can be stored."""
        if not isinstance(places, _StoredPlaces) or self.reader is None:
            return None
        rows = np.flatnonzero(places.stored)
        if only is not None:
            rows = np.intersect1d(rows, only)
        if len(rows) == 0:
            return None
        addresses = places.address[rows].tolist()
        below = self.reader.children(addresses)
        return _Families.of(below, addresses=addresses, rows=rows, places=len(places)) if len(below["address"]) else None

    def _all_slots(self, places: Places, family: "_Families | None") -> tuple[np.ndarray, np.ndarray]:
        """Every child that places have: the rows of their parents, and their slots."""
        count, arity = np.zeros(len(places), dtype=np.int64), self.arity or 0
        if family is not None:
            count[:] = family.count
        ruled = (count == 0) & ~_leaves(places)
        if self.descent is not None:
            count[ruled] = arity
        parent = np.repeat(np.arange(len(places)), count)
        slot = np.arange(len(parent)) - np.repeat(np.cumsum(count) - count, count)
        if family is not None:
            stored = family.count[parent] > 0
            slot[stored] = family.columns["slot"][(family.first[parent] + slot)[stored]]
        return parent, slot

    def _descend(self, places: Places, family: "_Families | None", *, parent: np.ndarray, slot: np.ndarray) -> Places:
        """Some children of places."""
        if family is None:
            self._check_ruled(places, parent, slot)
            return self._ruled(places, parent=parent, slot=slot)
        stored = family.count[parent] > 0
        held = self._held(places, family, parent=parent[stored], slot=slot[stored])
        if stored.all():
            return held
        self._check_ruled(places, parent[~stored], slot[~stored])
        return _merged(held, self._ruled(places, parent=parent[~stored], slot=slot[~stored]), stored=stored)

    def _check_ruled(self, places: Places, parent: np.ndarray, slot: np.ndarray) -> None:
        """An ``AddressError`` where no cell can be below what is stored."""
        leaf = _leaves(places)[parent]
        if not len(parent) or (self.descent is not None and not leaf.any()):
            return
        first = int(np.flatnonzero(leaf)[0]) if leaf.any() else 0
        where = places.address[parent[first]] if isinstance(places, _StoredPlaces) else f"level {places.level}"
        why = "that is a leaf" if leaf.any() else f"nothing is stored there, and {self.no_rule}"
        raise AddressError(f"there is no cell in slot {slot[first]} below {where} of {self.name!r}: {why}")

    def _ruled(self, places: Places, *, parent: np.ndarray, slot: np.ndarray) -> Places:
        """Children as the rule has them."""
        assert self.descent is not None or len(parent) == 0
        assert self.scale_factor is not None or len(parent) == 0
        asked = np.zeros(len(places), dtype=np.bool_)
        asked[parent] = True
        if not asked.all():
            places, parent = places.take(np.flatnonzero(asked)), (np.cumsum(asked) - 1)[parent]
        if self.descent is None or len(parent) == 0:
            return replace(places.take(parent), level=places.level + 1)
        residual, memory = self.descent.step(places, parent=parent, slot=slot)
        scale = places.scale[parent]
        length = scale * np.sqrt(np.einsum("cd,cd->c", residual, residual))
        return Places(
            level=places.level + 1,
            slot=slot,
            center=places.center[parent] + scale[:, None] * residual,
            scale=scale * self.scale_factor,
            root_distance=places.root_distance[parent] + length,
            length=length,
            residual=residual,
            stored=np.zeros(len(slot), dtype=np.bool_),
            memory=memory,
        )

    def _held(self, places: Places, family: "_Families", *, parent: np.ndarray, slot: np.ndarray) -> "_StoredPlaces":
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
class _Pairs:
    distance: Float[np.ndarray, " pairs"]
    offsets: Offsets


@dataclass(frozen=True, eq=False)
class _StoredPlaces(Places):
    """Places some of which are stored: with their addresses, whether they are leaves, and the radii that are stored."""

    address: np.ndarray
    leaf: Bool[np.ndarray, " places"]
    radius: Float[np.ndarray, " places"] | None

    def take(self, rows: Int[np.ndarray, " rows"]) -> "_StoredPlaces":
        columns = {name: getattr(self, name)[rows] for name in (*COLUMNS, "address", "leaf", "memory")}
        return _StoredPlaces(level=self.level, radius=None if self.radius is None else self.radius[rows], **columns)


@dataclass(frozen=True, eq=False)
class _Families:
    """The stored children of places: ``count`` of each place from row ``first`` on, siblings by their slots."""

    columns: Columns
    first: Int[np.ndarray, " places"]
    count: Int[np.ndarray, " places"]

    @classmethod
    def of(cls, columns: Columns, *, addresses: list[str], rows: np.ndarray, places: int) -> "_Families":
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


def _as_places(columns: Columns, *, level: int, slot: np.ndarray, memory: np.ndarray) -> _StoredPlaces:
    zeros = {"length": np.zeros(len(slot)), "residual": np.zeros(columns["center"].shape)}  # a root in the graph has none
    names = ("center", "scale", "root_distance", "length", "residual")
    return _StoredPlaces(
        level=level,
        slot=slot,
        stored=np.ones(len(slot), dtype=np.bool_),
        memory=memory,
        address=columns["address"],
        leaf=columns["state"] == LEAF,
        radius=columns.get("radius"),
        **{name: columns[name] if name in columns else zeros[name] for name in names},
    )


def _leaves(places: Places) -> Bool[np.ndarray, " places"]:
    return places.leaf if isinstance(places, _StoredPlaces) else np.zeros(len(places), dtype=np.bool_)


def _merged(held: _StoredPlaces, ruled: Places, *, stored: Bool[np.ndarray, " places"]) -> _StoredPlaces:
    """Stored places and those of the rule in the order that ``stored`` tells."""

    def joined(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        found = np.empty((len(stored), *one.shape[1:]), dtype=one.dtype)
        found[stored], found[~stored] = one, other
        return found

    columns = {name: joined(getattr(held, name), getattr(ruled, name)) for name in (*COLUMNS, "memory")}
    nothing = np.full(len(ruled), np.nan)
    return _StoredPlaces(
        level=held.level,
        address=joined(held.address, np.full(len(ruled), None, dtype=object)),
        leaf=joined(held.leaf, np.zeros(len(ruled), dtype=np.bool_)),
        radius=None if held.radius is None else joined(held.radius, nothing),
        **columns,
    )


def _as_slots(addresses: Addresses) -> Slots:
    """Addresses as a matrix of slots; an ``AddressError`` for what is none."""
    if not (isinstance(addresses, np.ndarray) and addresses.ndim == 2):
        return slot_matrix(list(addresses))
    if addresses.size and not np.issubdtype(addresses.dtype, np.integer):
        raise AddressError(f"expected slots as whole numbers, a row an address, got {addresses.dtype}")
    there = addresses >= 0
    if (addresses < -1).any() or (there[:, 1:] & ~there[:, :-1]).any():
        raise AddressError("expected slots of at least 0, filled up with -1 at the end of each row")
    if addresses.size and int(addresses.max()) > np.iinfo(np.int32).max:
        raise AddressError(f"expected slots below 2^31, got {addresses.max()}")
    return addresses.astype(np.int32, copy=False)


def _padded(slots: Slots, depth: int) -> Int[np.ndarray, "cells width"]:
    filled = np.full((len(slots), depth), -1, dtype=np.int32)
    filled[:, : slots.shape[1]] = slots
    return filled


def _joined(parts: Sequence[FieldCells]) -> FieldCells:
    depth = max(part.slots.shape[1] for part in parts)
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ("level", *COLUMNS)}
    return FieldCells(slots=np.concatenate([_padded(part.slots, depth) for part in parts]), **columns)


def _taken(cells: FieldCells, rows: np.ndarray) -> FieldCells:
    return FieldCells(**{name: getattr(cells, name)[rows] for name in ("slots", "level", *COLUMNS)})


def _deepest(root_scale: float, scale_factor: float) -> int:
    """The deepest level whose scale double precision holds with all its digits."""
    return max(0, math.floor((math.log(_SMALLEST) - math.log(root_scale)) / math.log(scale_factor)))
