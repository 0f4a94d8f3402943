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
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from cfgraph.checks import check_integer, check_number
from cfgraph.errors import AddressError, InputError
from cfgraph.model.address import ROOT, common_levels, format_address, slot_matrix
from cfgraph.model.descent import COLUMNS, Descent, MapsDescent, Places
from cfgraph.model.ground import Ground, deepest_of
from cfgraph.model.growth import CELLS_MAX, check_growth
from cfgraph.model.hierarchy import Known
from cfgraph.model.locating import Located, locate
from cfgraph.model.nearby import Neighbours, nearest, within
from cfgraph.model.reach import WayReach
from cfgraph.model.reader import Reader

Slots = Int[np.ndarray, "cells depth"]  # an address a row, filled up with -1
Points = np.ndarray | Sequence[Any]  # numbers, a row a point
Addresses = Sequence[str] | np.ndarray  # as text, or as slots

_BATCH_VALUES = 1 << 16  # floats of tuples held at once: what stays in a processor's cache
_TOO_LARGE = 1e100  # of a coordinate, as where data are read
_EPSILON = float(np.finfo(np.float64).eps)


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
        self.check_paths()
        return np.concatenate([self._pairs(*pair).distance for pair in self._pair_batches(first, second)])

    def check_paths(self) -> None:
        """Raise an ``InputError`` where path distances are no sums along addresses."""
        if not self.paths:
            raise InputError(f"cells of {self.name!r} have several parents, so that paths need all edges: use find_path")

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

    @property
    def way_reach(self) -> WayReach | None:
        """How far descendants of any cell lie from it at most, told from its scale and its address alone.

        Looser than :meth:`reach`, and to be asked where cells lie (``Store.read_box``). None where the rule is not one of maps,
        or what is stored follows another.
        """
        maps = self.descent if isinstance(self.descent, MapsDescent) and self.rule_from == 0 else None
        return None if maps is None or not math.isfinite(maps.root_spread) else maps.way_reach

    def locate(
        self,
        x: Points,
        *,
        depth: int | None = None,
        precision: float | None = None,
        beam: int = 1,
        rule_error: float = 0.0,
    ) -> Located:
        """The cell of a level that each point lies in: the descent by the nearest center, ties to the lowest slot.

        Args:
            x: points as rows.
            depth: the level; a way ends above it at a leaf, and where nothing is stored and no rule is known.
            precision: instead of a level, the first one from which on ``scale * reach`` is at most this, for all cells.
                Without either: the deepest level that is stored.
            beam: how many cells are kept a level: more find the nearest more often.
            rule_error: how far any residual that the rule answers may be from the truth (a certificate's eta): then ``sure``
                says that the truth's slots are these.

        Raises:
            InputError: for points of another dimension or that are not finite, a beam below 1, a level that is too deep for
                double precision, and where neither a level is named nor anything stored.
        """
        x, level = self._query(x), self._asked_level(depth, precision)
        beam, error = check_integer(beam, name="beam", low=1), check_number(rule_error, name="rule_error", low=0)
        return locate(self.ground, x, depth=level, beam=beam, rule_error=error)

    def nearest(
        self,
        x: Points,
        k: int = 1,
        *,
        depth: int | None = None,
        precision: float | None = None,
    ) -> Neighbours:
        """The k cells of a level whose centers are nearest to each point, the nearest first: exact, whatever overlaps.

        With a ``precision`` these are the nearest of the limit set, to that precision. Cells are those in which a way to the
        level ends, so leaves above it, too; at equal distance the higher level comes first, then the lowest address.

        Args:
            x: points as rows.
            k: how many a point.
            depth: the level. precision: as of :meth:`locate`. Without either: the deepest level that is stored.

        Raises:
            InputError: as :meth:`locate`; for a k that is more than there are; and where so many cells may be the nearest
                that they cannot be told apart in bounded memory.
        """
        x, level = self._query(x), self._asked_level(depth, precision)
        return nearest(self.ground, x, depth=level, k=check_integer(k, name="k", low=1))

    def within(
        self,
        x: Points,
        radius: float | Num[np.ndarray, "..."],
        *,
        depth: int | None = None,
        precision: float | None = None,
    ) -> Neighbours:
        """All cells of a level whose centers are at most ``radius`` from each point, by level and address.

        Args:
            x: points as rows.
            radius: of all balls, or of each.
            depth: the level. precision: as of :meth:`locate`. Without either: the deepest level that is stored.

        Raises:
            InputError: as :meth:`locate`; for a radius below 0, and for more cells than can be answered in one go.
        """
        x, level = self._query(x), self._asked_level(depth, precision)
        radii = np.asarray(radius, dtype=np.float64)
        if radii.shape not in ((), (len(x),)) or not (radii >= 0).all():
            raise InputError(f"expected a radius of at least 0, or one a point ({len(x)}), got {radius!r}")
        return within(self.ground, x, depth=level, radius=np.broadcast_to(radii, len(x)))

    @cached_property
    def ground(self) -> Ground:
        """What it stands on: one level down, stored or by the rule."""
        names = ("name", "arity", "scale_factor", "residual_bound", "root", "descent", "reader", "rule_from", "no_rule")
        return Ground(**{name: getattr(self, name) for name in names})

    # how it is done

    def _query(self, x: Points) -> Float[np.ndarray, "points dim"]:
        """Points, checked."""
        dimension = self.ground.top.center.shape[1]
        try:
            found = np.asarray(x, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"expected points as rows of {dimension} numbers: {error}") from error
        if dimension == 0:
            raise InputError(f"expected cells with centers to find points among, and those of {self.name!r} have none")
        if found.ndim != 2 or found.shape[1] != dimension:
            raise InputError(
                f"expected points as rows of {dimension} coordinates, as the centers of {self.name!r} have, got an array of "
                f"shape {found.shape}"
            )
        if not np.isfinite(found).all():
            row = int(np.flatnonzero(~np.isfinite(found).all(axis=1))[0])
            raise InputError(f"expected points of finite coordinates, got {found[row].tolist()} in row {row}")
        if (np.abs(found) > _TOO_LARGE).any():
            row = int(np.flatnonzero((np.abs(found) > _TOO_LARGE).any(axis=1))[0])
            raise InputError(f"expected coordinates of at most {_TOO_LARGE:g}, got {found[row].tolist()} in row {row}")
        return found

    def _asked_level(self, depth: int | None, precision: float | None) -> int:
        """The level that is named by its number or by a precision; without either the deepest that is stored."""
        if depth is not None and precision is not None:
            raise InputError("a depth and a precision are two ways to name a level; give one of them")
        if precision is not None:
            depth = self.depth_for(precision)
        if depth is None:
            if self.reader is None:
                raise InputError(
                    f"expected a depth or a precision: nothing of {self.name!r} is stored, and its levels do not end"
                )
            return self.reader.depth
        depth = check_integer(depth, name="depth", low=0)
        if self.descent is None:
            assert self.reader is not None
            return min(depth, self.reader.depth)
        self._check_level(depth)
        return depth

    def depth_for(self, precision: float) -> int:
        """The first level from which on ``scale * reach`` is at most ``precision`` for all cells, stored or not.

        Every center of that level is as close to the limit set, and every point of the limit set to such a center.

        Raises:
            InputError: for a precision that is no number above 0, and where no rule is known or nothing bounds it.
        """
        if not check_number(precision, name="precision") > 0:
            raise InputError(f"expected a precision above 0, got {precision}")
        if self.descent is None:
            raise InputError(
                f"a precision needs a rule that goes on for ever, and of {self.name!r} {self.no_rule}; give a depth"
            )
        assert self.scale_factor is not None
        reach = float(self.reach([ROOT])[0])
        if not math.isfinite(reach):
            raise InputError(f"nothing bounds how far cells of {self.name!r} reach, so no level is that precise; give a depth")
        level = 0
        while reach > precision:
            reach *= self.scale_factor
            level += 1
        self._check_level(level)
        return level

    def _check_level(self, level: int) -> None:
        """An ``InputError`` for a level whose scale is no number any more."""
        if self.scale_factor is not None and self.descent is not None:
            deepest = deepest_of(float(self.ground.top.scale[0]), self.scale_factor)
            if level > deepest:
                raise InputError(
                    f"level {level} is too deep: from level {deepest + 1} on double precision does not hold the scales"
                )

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
        self._check_level(slots.shape[1])
        return slots

    def _batches(self, rows: int) -> Iterator[slice]:
        """Parts whose tuples take bounded memory; at least one, maybe empty."""
        width = max(1, (self.arity or 1) * self.ground.top.center.shape[1])
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
                    reach[rows], radius[rows] = (bound[back] for bound in self.ground.bounds_of(places.take(needed)))
            yield reach, radius

    def _children_of(self, slots: Slots) -> FieldCells:
        levels, found = (slots >= 0).sum(axis=1), list[FieldCells]()
        above = list[np.ndarray]()
        for places, place_of in self._walk(slots):
            rows = np.flatnonzero(levels == places.level)
            if len(rows) == 0:
                continue
            asked = places.take(place_of[rows])
            family = self.ground.family(asked)
            parent, slot = self.ground.all_slots(asked, family)
            below = self.ground.descend(asked, family, parent=parent, slot=slot)
            path = np.concatenate([slots[rows[parent], : places.level], slot[:, None]], axis=1)
            columns = {name: getattr(below, name) for name in COLUMNS}
            found.append(FieldCells(slots=path.astype(np.int32), level=np.full(len(slot), below.level), **columns))
            above.append(rows[parent])
        joined = _joined(found) if found else self._none()
        return _taken(joined, np.argsort(np.concatenate(above), kind="stable")) if len(found) > 1 else joined

    def _none(self) -> FieldCells:
        top = self.ground.top.take(np.zeros(0, dtype=np.int64))
        columns = {name: getattr(top, name) for name in COLUMNS}
        return FieldCells(slots=np.zeros((0, 0), dtype=np.int32), level=np.zeros(0, dtype=np.int64), **columns)

    def _pairs(self, first: Slots, second: Slots) -> "_Pairs":
        """Sums below the lowest common ancestors of pairs."""
        count = len(first)
        slots = np.concatenate([first, second])
        common = np.tile(common_levels(first, second), 2)
        levels = (slots >= 0).sum(axis=1)
        unit, ends = np.zeros(2 * count), np.zeros(2 * count)
        offset = np.zeros((2 * count, self.ground.top.center.shape[1]))
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
        dimension = self.ground.top.center.shape[1]
        if self.residual_bound is not None and self.scale_factor is not None:
            size = np.full(len(deepest), 2 * self.residual_bound / (1 - self.scale_factor))
        found: np.ndarray = _EPSILON * (dimension + 3) * (deepest + 1) * size
        return found

    def _walk(self, slots: Slots) -> Iterator[tuple[Places, Int[np.ndarray, " rows"]]]:
        """Level by level the places that some way leads through, and which of them each way is at: -1 where it has ended."""
        levels = (slots >= 0).sum(axis=1)
        places, place_of, shared = self.ground.top, np.zeros(len(slots), dtype=np.int64), True
        yield places, place_of
        for level in range(int(levels.max(initial=0))):
            under_way = np.flatnonzero(levels > level)
            parent, slot, back = place_of[under_way], slots[under_way, level].astype(np.int64), np.arange(len(under_way))
            if shared:
                width = int(slot.max()) + 1
                keys, back = np.unique(parent * width + slot, return_inverse=True)
                parent, slot, shared = keys // width, keys % width, len(keys) < len(under_way)
            places = self.ground.descend(places, self.ground.family(places, only=parent), parent=parent, slot=slot)
            place_of = np.full(len(slots), -1)
            place_of[under_way] = back
            yield places, place_of


@dataclass(frozen=True, eq=False)
class _Pairs:
    distance: Float[np.ndarray, " pairs"]
    offsets: Offsets


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
