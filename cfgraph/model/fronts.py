"""Fronts: many points at cells of one level, and one step down: how far each is from every child, and to those that are kept.

Where cells are stored, distances are those to their centers; below them points are in :mod:`frames <cfgraph.model.frames>`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.model.descent import Places
from cfgraph.model.frames import EPSILON, Ruled, lengths, ruled_places
from cfgraph.model.ground import Families, Ground, StoredPlaces, leaves

_FAR = 1e290  # units; from here on a step moves nothing that double precision holds, and points stay in the unit that they have
_VALUES = 1 << 20  # floats of differences at once


class Trail:
    """The ways of a search: each cell that a point is kept at has a number, and knows its slot and the cell above it."""

    def __init__(self) -> None:
        self._above, self._slot, self._count = [np.full(1, -1)], [np.full(1, -1)], 1

    def add(self, above: Int[np.ndarray, " cells"], slot: Int[np.ndarray, " cells"]) -> Int[np.ndarray, " cells"]:
        """Numbers for children of cells."""
        self._above.append(above)
        self._slot.append(slot)
        first, self._count = self._count, self._count + len(slot)
        return np.arange(first, self._count)

    def slots(self, cells: Int[np.ndarray, " cells"], level: int) -> Int[np.ndarray, "cells level"]:
        """The ways to cells of one level."""
        above, slot = np.concatenate(self._above), np.concatenate(self._slot)
        self._above, self._slot = [above], [slot]
        found, at = np.empty((len(cells), level), dtype=np.int32), cells
        for place in range(level - 1, -1, -1):
            found[:, place], at = slot[at], above[at]
        return found


@dataclass(frozen=True, eq=False)
class Ends:
    """Cells where points' ways end, a row a point at a cell; ``error`` bounds what the distances are off."""

    point: Int[np.ndarray, " rows"]
    slots: Int[np.ndarray, "rows level"]
    distance: Float[np.ndarray, " rows"]
    error: Float[np.ndarray, " rows"]
    offset: Float[np.ndarray, "rows dim"]  # x - center in units of the scale; of a cell of scale 0 as it is
    center: Float[np.ndarray, "rows dim"]
    scale: Float[np.ndarray, " rows"]
    stored: Bool[np.ndarray, " rows"]

    def __len__(self) -> int:
        return len(self.point)

    @property
    def level(self) -> int:
        """The level of the cells."""
        return int(self.slots.shape[1])


@dataclass(frozen=True, eq=False)
class RuledFront:
    """Points in the frames of cells below which only the rule answers, all of one level."""

    level: int
    scale_factor: float
    places: Ruled
    at: Int[np.ndarray, " rows"]  # the place of each row
    point: Int[np.ndarray, " rows"]
    trail: Int[np.ndarray, " rows"]
    place: Float[np.ndarray, "dim rows"]
    slip: Float[np.ndarray, " rows"]
    unit: Float[np.ndarray, " rows"]
    scale: Float[np.ndarray, " rows"]  # the unit, but where points stayed in an earlier one
    stored: Bool[np.ndarray, " rows"]

    def __len__(self) -> int:
        return len(self.point)

    def part(self, rows: Int[np.ndarray, " part"]) -> "RuledFront":
        """Some rows."""
        places, at = self.places.of(self.at[rows])
        columns = {name: getattr(self, name)[rows] for name in ("point", "trail", "slip", "unit", "scale", "stored")}
        place = np.take(self.place, rows, axis=1)
        return RuledFront(level=self.level, scale_factor=self.scale_factor, places=places, at=at, place=place, **columns)

    def residuals(self) -> Float[np.ndarray, "arity dim rows"]:
        """Those of the children of each row's cell."""
        found = self.places.tuples()
        return np.take(found, self.at, axis=2) if self.places.shared else found

    def gather(self, values: np.ndarray) -> np.ndarray:
        """What is told a place, in the last axis, a row."""
        return np.take(values, self.at, axis=-1) if self.places.shared else values

    def advance(
        self,
        row: Int[np.ndarray, " kept"] | None,
        slot: Int[np.ndarray, " kept"],
        *,
        place: Float[np.ndarray, "dim kept"],
        trail: Int[np.ndarray, " kept"],
        slip: Float[np.ndarray, " kept"],
    ) -> "RuledFront":
        """Children of rows' cells, None for one of each; ``place`` and ``slip`` are those from the child in the rows' units."""
        at, point, unit, scale = self.at, self.point, self.unit, self.scale
        if row is not None:
            at, point, unit, scale = at[row], point[row], unit[row], scale[row]
        factor = np.full(len(slot), self.scale_factor)
        factor[np.abs(place).max(axis=0, initial=0.0) > _FAR * self.scale_factor] = 1.0
        if self.places.shared:
            width = int(slot.max(initial=0)) + 1
            keys, at = np.unique(at * width + slot, return_inverse=True)
            places = self.places.below(keys // width, keys % width)
        else:
            places, at = self.places.below(row, slot), np.arange(len(slot))
        return RuledFront(
            level=self.level + 1,
            scale_factor=self.scale_factor,
            places=places,
            at=at,
            point=point,
            trail=trail,
            place=place / factor,
            slip=slip / factor,
            unit=unit * factor,
            scale=scale * self.scale_factor,
            stored=np.zeros(len(slot), dtype=np.bool_),
        )

    def ends(self, x: Float[np.ndarray, "points dim"], trail: Trail) -> Ends:
        """All rows, as where ways end."""
        distance, place = lengths(self.place) * self.unit, self.place.T
        return Ends(
            point=self.point,
            slots=trail.slots(self.trail, self.level),
            distance=distance,
            error=self.slip * self.unit + (x.shape[1] + 4) * EPSILON * distance,
            offset=place * (self.unit / self.scale)[:, None],
            center=x[self.point] - place * self.unit[:, None],
            scale=self.scale,
            stored=self.stored,
        )


@dataclass(frozen=True, eq=False)
class HeldFront:
    """Points at stored cells of one level."""

    places: StoredPlaces
    at: Int[np.ndarray, " rows"]
    point: Int[np.ndarray, " rows"]
    trail: Int[np.ndarray, " rows"]

    def __len__(self) -> int:
        return len(self.point)

    def part(self, rows: Int[np.ndarray, " part"] | Bool[np.ndarray, " rows"]) -> "HeldFront":
        """Some rows."""
        return HeldFront(self.places, self.at[rows], self.point[rows], self.trail[rows])

    def ends(self, x: Float[np.ndarray, "points dim"], trail: Trail) -> Ends:
        """All rows, as where ways end."""
        center, scale = self.places.center[self.at], self.places.scale[self.at]
        offset = x[self.point] - center
        distance = lengths(offset.T)
        return Ends(
            point=self.point,
            slots=trail.slots(self.trail, self.places.level),
            distance=distance,
            error=(x.shape[1] + 4) * EPSILON * distance,
            offset=offset / np.where(scale > 0, scale, 1.0)[:, None],
            center=center,
            scale=scale,
            stored=self.places.stored[self.at],
        )


@dataclass(frozen=True, eq=False)
class HeldStep:
    """The stored children of a front's cells: a row a point and a child."""

    ground: Ground
    front: HeldFront
    families: Families
    x: Float[np.ndarray, "points dim"]

    @cached_property
    def row(self) -> Int[np.ndarray, " children"]:
        """The row of the front that each child is one of."""
        return np.repeat(np.arange(len(self.front)), self.families.count[self.front.at])

    @cached_property
    def child(self) -> Int[np.ndarray, " children"]:
        """Its row among the children that are stored."""
        count = self.families.count[self.front.at]
        within = np.arange(len(self.row)) - np.repeat(np.cumsum(count) - count, count)
        found: np.ndarray = self.families.first[self.front.at][self.row] + within
        return found

    @property
    def pairs(self) -> int:
        """How many rows this has, before any of them is made."""
        return int(self.families.count[self.front.at].sum())

    @property
    def families_alike(self) -> bool:
        """Whether all points have as many children before them."""
        count = self.families.count[self.front.at]
        return bool((count == count[0]).all())

    @cached_property
    def point(self) -> Int[np.ndarray, " children"]:
        """Whose distance it is."""
        found: np.ndarray = self.front.point[self.row]
        return found

    @cached_property
    def slot(self) -> Int[np.ndarray, " children"]:
        """The slots of the children."""
        found: np.ndarray = self.families.columns["slot"][self.child].astype(np.int64)
        return found

    @cached_property
    def squared(self) -> Float[np.ndarray, " children"]:
        """The squares of the distances."""
        found = np.empty(len(self.row))
        step = max(1, _VALUES // max(1, self.x.shape[1]))
        for low in range(0, len(found), step):
            part = slice(low, low + step)
            difference = self.x[self.point[part]] - self.families.columns["center"][self.child[part]]
            found[part] = np.einsum("cd,cd->c", difference, difference)
        finite: np.ndarray = np.minimum(found, np.finfo(np.float64).max)  # infinity is no cell's distance
        return finite

    @property
    def reach(self) -> Float[np.ndarray, " children"]:
        """How far any descendant of each child is from it at most; an array of one's own."""
        found: np.ndarray = self.ground.reaches(self.front.places, self.families)[self.child]
        return found

    def advance(self, kept: Int[np.ndarray, " kept"], trail: Trail) -> HeldFront:
        """Some of these rows, as the next front."""
        needed, at = np.unique(self.child[kept], return_inverse=True)
        parent = np.searchsorted(np.cumsum(self.families.count), needed, side="right")
        slot = self.families.columns["slot"][needed].astype(np.int64)
        places = self.ground.held(self.front.places, self.families, parent=parent, slot=slot)
        row = self.row[kept]
        return HeldFront(places, at, self.front.point[row], trail.add(self.front.trail[row], self.slot[kept]))


@dataclass(frozen=True, eq=False)
class RuledStep:
    """The children that the rule gives a front's cells: a column a row of the front, a row a slot."""

    front: RuledFront
    error: float  # of each residual that the rule answers, in units of the cell's scale

    @cached_property
    def offset(self) -> Float[np.ndarray, "arity dim rows"]:
        """Of the points from the children, in units of the front's."""
        found: np.ndarray = self.front.place[None] - self.front.residuals()
        return found

    @cached_property
    def distance(self) -> Float[np.ndarray, "arity rows"]:
        """As numbers."""
        found: np.ndarray = lengths(self.offset.swapaxes(0, 1)) * self.front.unit
        return found

    @cached_property
    def slip(self) -> Float[np.ndarray, " rows"]:
        """What each offset may be off, but for its own rounding."""
        found: np.ndarray = self.front.slip + self.front.gather(self.front.places.doubt()) + self.error
        return found

    @cached_property
    def reach(self) -> Float[np.ndarray, "arity rows"]:
        """How far any descendant of each child is from it at most."""
        spread = self.front.gather(self.front.places.spread())
        found: np.ndarray = spread * (self.front.scale * self.front.scale_factor)
        return found

    def advance(self, row: Int[np.ndarray, " kept"], slot: Int[np.ndarray, " kept"], trail: Trail) -> RuledFront:
        """Children as the next front."""
        place = np.ascontiguousarray(self.offset[slot, :, row].T)
        slip = self.slip[row] + 4 * EPSILON * self.distance[slot, row] / self.front.unit[row]
        kept = trail.add(self.front.trail[row], slot)
        return self.front.advance(row, slot, place=place, trail=kept, slip=slip)


def start(ground: Ground, x: Float[np.ndarray, "points dim"]) -> tuple[HeldFront | None, RuledFront | None]:
    """All points at the root: stored, or the rule's."""
    everyone, zeros = np.arange(len(x)), np.zeros(len(x), dtype=np.int64)
    if isinstance(ground.top, StoredPlaces):
        return HeldFront(ground.top, zeros, everyone, zeros), None
    return None, _ruled(ground, ground.top, zeros, point=everyone, trail=zeros, x=x)


def divide(
    ground: Ground, front: HeldFront, x: Float[np.ndarray, "points dim"]
) -> tuple[HeldStep | None, RuledFront | None, HeldFront | None]:
    """A front by what lies below its cells: stored children, those of the rule, or none."""
    families = ground.family(front.places)
    count = np.zeros(len(front.places), dtype=np.int64) if families is None else families.count
    stored = count[front.at] > 0
    ruled = ~stored & ~leaves(front.places)[front.at] if ground.descent is not None else np.zeros(len(front), dtype=np.bool_)
    ended = ~stored & ~ruled
    step = None
    if families is not None and stored.any():
        step = HeldStep(ground, front if stored.all() else front.part(stored), families, x)
    below = None
    if ruled.any():
        part = front.part(ruled)
        below = _ruled(ground, front.places, part.at, point=part.point, trail=part.trail, x=x)
    return step, below, front.part(ended) if ended.any() else None


def _ruled(
    ground: Ground,
    places: Places,
    at: Int[np.ndarray, " rows"],
    *,
    point: Int[np.ndarray, " rows"],
    trail: Int[np.ndarray, " rows"],
    x: Float[np.ndarray, "points dim"],
) -> RuledFront:
    """Points at places below which nothing is stored, in the frames of these."""
    assert ground.descent is not None
    assert ground.scale_factor is not None
    needed, back = np.unique(at, return_inverse=True)
    there, factor = places.take(needed), ground.scale_factor
    ruled = ruled_places(there, descent=ground.descent, scale_factor=factor, residual_bound=ground.residual_bound)
    below, row = ruled.of(back)
    scale = places.scale[at]
    place = np.ascontiguousarray(((x[point] - places.center[at]) / scale[:, None]).T)
    return RuledFront(
        level=places.level,
        scale_factor=ground.scale_factor,
        places=below,
        at=row,
        point=point,
        trail=trail,
        place=place,
        slip=2 * EPSILON * lengths(place),
        unit=scale,
        scale=scale,
        stored=places.stored[at],
    )
