"""Locating: in which cell of a level points lie, by the greedy descent of the Voronoi cells, and what of that is certain.

A point belongs to the child with the nearest center, ties to the lowest slot, nested from the top down: O(K d) a level, at any
level. Below what is stored it is followed in frames, where level 300 is as good as level 3; whether the slots of a way hold
against rounding is told with each answer, and whether no other cell of that level can be nearer (docs/mathematics.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.model.address import format_address
from cfgraph.model.frames import EPSILON, lengths
from cfgraph.model.fronts import Ends, HeldFront, HeldStep, RuledFront, RuledStep, Trail, divide, start
from cfgraph.model.ground import Ground

SLACK = 1e-9  # of a reach: what rounding, and what a graph may be off, take from the triangle inequality
_VALUES = 1 << 18  # floats of children's offsets that a batch of points may have
_POINTS_MIN = 1024  # of a batch all the same: each batch reads what is stored on its ways
_PAIRS = 1 << 20  # of a point and a stored child that are held at once, unless one point has more of them
_UNKNOWN_ARITY = 64  # taken for the number of children where it is not known
_CACHED = 1 << 16  # floats of residuals at once: what stays in a processor's cache


@dataclass(frozen=True, eq=False)
class Located:
    """The cell that each point lies in, a row a point.

    ``error`` is what rounding may have done to the distance. ``offset`` is ``(x - center) / scale``, where the point is in
    units of the cell. ``sure_level`` is the level down to which every slot holds against rounding, and against a rule that is
    off by the ``rule_error`` that was named; ``sure`` where that is the cell's. ``nearest`` where it is proven that no other
    cell in which a way to that level ends is nearer.
    """

    slots: Int[np.ndarray, "points depth"]  # filled up with -1
    level: Int[np.ndarray, " points"]
    distance: Float[np.ndarray, " points"]
    error: Float[np.ndarray, " points"]
    offset: Float[np.ndarray, "points dim"]
    center: Float[np.ndarray, "points dim"]
    scale: Float[np.ndarray, " points"]
    stored: Bool[np.ndarray, " points"]
    sure_level: Int[np.ndarray, " points"]
    sure: Bool[np.ndarray, " points"]
    nearest: Bool[np.ndarray, " points"]

    def __len__(self) -> int:
        return len(self.level)

    @property
    def addresses(self) -> list[str]:
        """The addresses, as text."""
        return as_addresses(self.slots, self.level)


def as_addresses(slots: Int[np.ndarray, "cells depth"], level: Int[np.ndarray, " cells"]) -> list[str]:
    """Addresses as text; the slots of each are as many as its level."""
    return [format_address(row[:count]) for row, count in zip(slots.tolist(), level.tolist(), strict=True)]


def locate(ground: Ground, x: Float[np.ndarray, "points dim"], *, depth: int, beam: int, rule_error: float) -> Located:
    """The descent of all points to a level, or to where their ways end above it; a beam of cells a level."""
    width = beam * (ground.arity or _UNKNOWN_ARITY) * max(1, x.shape[1])
    found = _Answer.of(len(x), x.shape[1], depth=depth, arity=ground.arity)
    for batch in batches(len(x), width):
        todo = [(batch.start, min(batch.stop, len(x)))]
        while todo:
            low, high = todo.pop()
            part = found.part(slice(low, high))
            if not _Descent(ground, x[low:high], depth=depth, beam=beam, rule_error=rule_error, found=part).run():
                part.clear(depth)
                middle = (low + high) // 2
                todo += [(middle, high), (low, middle)]
    names = [field.name for field in fields(Located) if field.name != "sure"]
    return Located(sure=found.sure_level >= found.level, **{name: getattr(found, name) for name in names})


def batches(points: int, width: int) -> Iterator[slice]:
    """Parts of many points, each of so many values, that take bounded memory."""
    step = max(_POINTS_MIN, _VALUES // width)
    for low in range(0, points, step):
        yield slice(low, low + step)


@dataclass(frozen=True, eq=False)
class _Answer:
    """The columns of an answer, to be filled."""

    slots: np.ndarray
    level: np.ndarray
    distance: np.ndarray
    error: np.ndarray
    offset: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    stored: np.ndarray
    sure_level: np.ndarray
    nearest: np.ndarray

    @classmethod
    def of(cls, points: int, dimension: int, *, depth: int, arity: int | None) -> "_Answer":
        small = np.int8 if arity is not None and arity <= 127 else np.int32
        found = cls(
            slots=np.empty((points, depth), dtype=small),
            level=np.empty(points, dtype=np.int64),
            distance=np.empty(points),
            error=np.empty(points),
            offset=np.empty((points, dimension)),
            center=np.empty((points, dimension)),
            scale=np.empty(points),
            stored=np.empty(points, dtype=np.bool_),
            sure_level=np.empty(points, dtype=np.int64),
            nearest=np.empty(points, dtype=np.bool_),
        )
        found.clear(depth)
        return found

    def clear(self, depth: int) -> None:
        """Nothing is known of any point."""
        for column in fields(self):
            getattr(self, column.name)[:] = 0
        self.slots[:], self.distance[:], self.sure_level[:] = -1, np.inf, depth

    def part(self, rows: slice) -> "_Answer":
        """Some points, to be filled in place."""
        return _Answer(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


class _Descent:
    """The descent of a batch of points.

    ``other`` is, for each point, a lower bound on the distance to any cell that was left out on the way.
    """

    def __init__(
        self,
        ground: Ground,
        x: Float[np.ndarray, "points dim"],
        *,
        depth: int,
        beam: int,
        rule_error: float,
        found: _Answer,
    ) -> None:
        self._ground, self._x, self._depth, self._beam, self._error, self._found = ground, x, depth, beam, rule_error, found
        self._other, self._trail = np.full(len(x), np.inf), Trail()
        self._second = np.full(len(x), np.inf)  # the same of the other ends: with a beam there are several

    def run(self) -> bool:
        """Fill the answer; False, and nothing of use in it, where cells have too many stored children for so many points."""
        held, first = start(self._ground, self._x)
        ruled = [] if first is None else [first]
        for level in range(self._depth):
            step = None
            if held is not None:
                step, below, ended = divide(self._ground, held, self._x)
                if step is not None and step.pairs > _PAIRS and len(self._x) > 1:
                    return False
                ruled += [] if below is None else [below]
                if ended is not None:
                    self._end(ended.ends(self._x, self._trail))
            if self._beam == 1:
                while ruled:
                    self._follow(ruled.pop())
            if step is None and not ruled:
                held = None
                break
            held, ruled = self._choose(level, step, [RuledStep(front, self._error) for front in ruled])
        for front in ([] if held is None else [held]) + ruled:
            self._end(front.ends(self._x, self._trail))
        self._settle()
        return True

    def _settle(self) -> None:
        """What the ends say about the whole."""
        found, error = self._found, self._found.error
        found.nearest[:] |= np.minimum(self._other, self._second) >= found.distance + error
        found.sure_level[self._second <= found.distance + error] = 0
        np.minimum(found.sure_level, found.level, out=found.sure_level)

    def _end(self, ends: Ends) -> None:
        """Take cells where ways end; of several of a point the nearest, and at a tie the one that came first."""
        order = np.lexsort((ends.distance, ends.point)) if self._beam > 1 else np.arange(len(ends))
        point = ends.point[order]
        first = np.ones(len(point), dtype=np.bool_)
        first[1:] = point[1:] != point[:-1]
        better = np.zeros(len(ends), dtype=np.bool_)
        row = order[first]
        better[row] = ends.distance[row] < self._found.distance[ends.point[row]]
        np.minimum.at(self._second, ends.point[~better], (ends.distance - ends.error)[~better])
        row = np.flatnonzero(better)
        at, found = ends.point[row], self._found
        np.minimum.at(self._second, at, found.distance[at] - found.error[at])
        found.slots[at, : ends.level], found.slots[at, ends.level :] = ends.slots[row], -1
        found.level[at] = ends.level
        for name in ("distance", "error", "offset", "center", "scale", "stored"):
            getattr(found, name)[at] = getattr(ends, name)[row]

    def _choose(self, level: int, step: HeldStep | None, ruled: list[RuledStep]) -> tuple[HeldFront | None, list[RuledFront]]:
        """One level down: the ``beam`` nearest children of the cells that each point is kept at."""
        if self._beam == 1 and step is not None and step.families_alike:
            return self._choose_one(level, step), []
        parts = [] if step is None else [_Candidates.held(step)]
        parts += [_Candidates.ruled(one) for one in ruled]
        count = np.cumsum([0, *(len(part.point) for part in parts)])
        point, squared, distance, error = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("point", "squared", "distance", "error")
        )
        key = squared if not ruled else distance  # below what is stored squares may be too small for double precision
        order = np.lexsort((*self._addresses(parts, level), key, point))
        ranked = point[order]
        rank = _ranks(ranked)
        kept, cut = order[rank < self._beam], order[rank >= self._beam]
        if len(cut):
            lower = distance[cut] - error[cut]
            if level + 1 < self._depth:
                lower -= np.concatenate([part.reach for part in parts])[cut] * (1 + SLACK)
            np.minimum.at(self._other, point[cut], lower)
        self._doubt(level, ranked, rank, distance[order], error[order])
        fronts = list[RuledFront]()
        held = None
        for number, low in enumerate(count[:-1].tolist()):
            mine = np.sort(kept[(kept >= low) & (kept < count[number + 1])]) - low
            if len(mine) == 0:
                continue
            if step is not None and number == 0:
                held = step.advance(mine, self._trail)
            else:
                one = ruled[number - (step is not None)]
                arity = len(one.distance)
                fronts.append(one.advance(mine // arity, mine % arity, self._trail))
        return held, fronts

    def _choose_one(self, level: int, step: HeldStep) -> HeldFront:
        """The same for one cell a point, where all have as many stored children."""
        count, point = len(step.front), step.front.point
        squared = step.squared.reshape(count, -1)
        slot, rows = squared.argmin(axis=1), np.arange(count)
        lower = np.sqrt(squared)
        nearest = lower[rows, slot]
        lower[rows, slot] = np.inf
        error = (self._x.shape[1] + 4) * EPSILON
        unsure = point[~(lower.min(axis=1) * (1 - 2 * error) > nearest)]
        self._found.sure_level[unsure] = np.minimum(self._found.sure_level[unsure], level)
        lower *= 1 - error
        if level + 1 < self._depth:
            reach = step.reach.reshape(count, -1)
            reach[rows, slot] = 0.0
            lower -= reach * (1 + SLACK)
        self._other[point] = np.minimum(self._other[point], lower.min(axis=1))
        return step.advance(rows * squared.shape[1] + slot, self._trail)

    def _addresses(self, parts: "list[_Candidates]", level: int) -> tuple[np.ndarray, ...]:
        """Keys that order candidates by their addresses, the last key first; those of one part are in that order."""
        if len(parts) == 1:
            return (np.arange(len(parts[0].point)),)
        way = np.concatenate([part.way for part in parts])
        cells, back = np.unique(way, return_inverse=True)
        rank = np.empty(len(cells), dtype=np.int64)
        rank[np.lexsort(self._trail.slots(cells, level).T[::-1]) if level else slice(None)] = np.arange(len(cells))
        return (np.concatenate([part.slot for part in parts]), rank[back])

    def _doubt(self, level: int, point: np.ndarray, rank: np.ndarray, distance: np.ndarray, error: np.ndarray) -> None:
        """Where the last that is kept and the first that is not are closer than they may be off, slots hold no further."""
        cut = np.flatnonzero(rank == self._beam)
        margin = distance[cut] - distance[cut - 1]
        close = ~(margin > 2 * np.maximum(error[cut], error[cut - 1]))
        at = point[cut[close]]
        self._found.sure_level[at] = np.minimum(self._found.sure_level[at], level)

    # a beam of one, below what is stored

    def _follow(self, front: RuledFront) -> None:
        """All the way down."""
        width = front.place.shape[0] * (self._ground.arity or 1)
        step = max(64, _CACHED // width)
        for low in range(0, len(front), step):
            part = front if len(front) <= step else front.part(np.arange(low, min(low + step, len(front))))
            self._follow_part(part)

    def _follow_part(self, front: RuledFront) -> None:
        """A front that stays in the cache, with the ``gap``: how much farther all others are than the way's own cell."""
        found, level, point = self._found, front.level, front.point
        found.slots[point, :level] = self._trail.slots(front.trail, level)
        slots = np.empty((self._depth - level, len(point)), dtype=found.slots.dtype)
        sure = np.full(len(point), self._depth)
        ahead = lengths(front.place)
        gap = self._other[point] / front.unit - ahead - front.slip - 4 * EPSILON * ahead
        for below in range(level, self._depth):
            step = _Step(front, ahead, last=below + 1 == self._depth, error=self._error)
            np.minimum(sure, below, out=sure, where=step.unsure)
            slots[below - level] = step.slot
            gap = np.minimum(gap + step.nearer, step.rival)
            ahead, unit = step.ahead, front.unit
            slip = step.slip + 4 * EPSILON * ahead
            front = front.advance(None, step.slot, place=step.place, trail=front.trail, slip=slip)
            factor = front.unit / unit
            ahead, gap = ahead / factor, np.where(factor < 1, gap / factor, -np.inf)
        found.slots[point, level:] = slots.T
        found.level[point], found.scale[point], found.stored[point] = self._depth, front.scale, front.stored
        found.distance[point] = ahead * front.unit
        found.error[point] = front.slip * front.unit + (len(front.place) + 4) * EPSILON * found.distance[point]
        found.offset[point] = (front.place * (front.unit / front.scale)).T
        found.center[point] = self._x[point] - (front.place * front.unit).T
        found.nearest[point] = gap > 0
        found.sure_level[point] = np.minimum(found.sure_level[point], sure)
        self._other[point] = -np.inf


class _Step:
    """One step down of points that each follow the nearest child.

    Distances are compared as ``g_j = r_j . (r_j - 2 p) = |p - r_j|^2 - |p|^2``, which keeps its digits however far the points
    are; ``off`` is what a difference of two of these may be off.
    """

    def __init__(self, front: RuledFront, distance: Float[np.ndarray, " rows"], *, last: bool, error: float) -> None:
        place, places, tuples = front.place, front.places, front.residuals()
        dim, rows = place.shape
        compared = np.einsum("kdn,kdn->kn", tuples, tuples - 2 * place)
        self.slot, best, second = _least(compared)
        every = np.arange(rows)
        at = self.slot * (dim * rows) + every
        self.place = place - np.stack([tuples.reshape(-1)[at + axis * rows] for axis in range(dim)])
        self.ahead = lengths(self.place)
        doubt = front.gather(places.doubt()) + error
        self.slip = front.slip + doubt
        longest = places.longest(tuples)
        sum_ = distance + longest
        off = 4 * longest * front.slip + 4 * doubt * (sum_ + front.slip) + 4 * (dim + 6) * EPSILON * longest * sum_
        self.unsure = ~(second - best > off)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            self.nearer = -(best + off) / (distance + self.ahead) - 8 * EPSILON * longest  # by how much the point comes nearer
            rival = np.sqrt(np.maximum(compared + distance * distance, 0.0))
            rival += self.ahead
            np.subtract(compared, best + off + 64 * EPSILON * longest * sum_, out=compared)
            compared /= rival
            if not last:
                compared -= front.gather(places.spread()) * (front.scale_factor * (1 + SLACK))
        compared.reshape(-1)[self.slot * rows + every] = np.inf
        self.rival = compared.min(axis=0)


_LOOPED = 32  # slots up to which comparing them one after the other is faster


def _least(
    values: Float[np.ndarray, "slots rows"],
) -> tuple[Int[np.ndarray, " rows"], Float[np.ndarray, " rows"], Float[np.ndarray, " rows"]]:
    """The slot of the least value of each column, the first one of several, that value, and the second least."""
    if len(values) > _LOOPED:
        slot = values.argmin(axis=0)
        rows = np.arange(values.shape[1])
        best, rest = values[slot, rows], values.copy()
        rest[slot, rows] = np.inf
        return slot, best, rest.min(axis=0)
    slot, best = np.zeros(values.shape[1], dtype=np.int64), values[0].copy()
    second = np.full(values.shape[1], np.inf)
    for number in range(1, len(values)):
        less = values[number] < best
        np.minimum(second, np.maximum(values[number], best), out=second)
        np.minimum(values[number], best, out=best)
        slot[less] = number
    return slot, best, second


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Children of the cells of a front, a row a child, by the addresses of those cells and by slot."""

    point: Int[np.ndarray, " children"]
    slot: Int[np.ndarray, " children"]
    way: Int[np.ndarray, " children"]  # the cell above, on the trail
    squared: Float[np.ndarray, " children"]
    distance: Float[np.ndarray, " children"]
    error: Float[np.ndarray, " children"]
    step: HeldStep | RuledStep

    @classmethod
    def held(cls, step: HeldStep) -> "_Candidates":
        """Of stored children."""
        distance = np.sqrt(step.squared)
        error = (step.x.shape[1] + 4) * EPSILON * distance
        return cls(step.point, step.slot, step.front.trail[step.row], step.squared, distance, error, step)

    @classmethod
    def ruled(cls, step: RuledStep) -> "_Candidates":
        """Of children of a rule."""
        arity, dim = len(step.distance), len(step.front.place)
        distance = step.distance.T.reshape(-1)
        row, slot = np.divmod(np.arange(len(distance)), arity)
        error = (step.slip * step.front.unit)[row] + (dim + 4) * EPSILON * distance
        with np.errstate(over="ignore"):
            squared = np.minimum(distance * distance, np.finfo(np.float64).max)
        return cls(step.front.point[row], slot, step.front.trail[row], squared, distance, error, step)

    @property
    def reach(self) -> Float[np.ndarray, " children"]:
        """How far any descendant of each child is from it at most."""
        return self.step.reach if isinstance(self.step, HeldStep) else self.step.reach.T.reshape(-1)


def _ranks(point: Int[np.ndarray, " rows"]) -> Int[np.ndarray, " rows"]:
    """The place of each row among those of its point, which follow one another."""
    first = np.flatnonzero(np.r_[True, point[1:] != point[:-1]]) if len(point) else np.zeros(0, dtype=np.int64)
    counts = np.diff(np.r_[first, len(point)])
    found: np.ndarray = np.arange(len(point)) - np.repeat(first, counts)
    return found
