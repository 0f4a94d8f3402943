"""Nearby: the cells of a level nearest to points, and those within balls around them: exact, by leaving out what cannot be.

A cell is left out, with all below it, only where ``|x - center| - reach`` is more than the distance that matters: the radius of
the ball, or the bound on the k-th nearest. Cells are those in which a way to the level ends: of that level, and above it leaves
and what is stored without a rule below it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.errors import InputError
from cfgraph.model.frames import EPSILON
from cfgraph.model.fronts import Ends, HeldFront, HeldStep, RuledFront, RuledStep, Trail, divide, start
from cfgraph.model.ground import Ground
from cfgraph.model.growth import CELLS_MAX
from cfgraph.model.locating import SLACK, as_addresses, locate

Points = Float[np.ndarray, "points dim"]

_POINTS = 4096  # a batch
_ROWS = 1 << 17  # points at cells that a batch of several points may have on one level
_VALUES = 1 << 22  # floats of offsets from children that such a batch may have
_SURELY = 1e-12  # what is added to a distance that is taken for a bound
ROWS_MAX = 1_000_000  # that one point may have


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Cells near points, a row a point and a cell: those of a point follow one another, ``point`` says whose they are."""

    point: Int[np.ndarray, " rows"]
    slots: Int[np.ndarray, "rows depth"]  # filled up with -1
    level: Int[np.ndarray, " rows"]
    distance: Float[np.ndarray, " rows"]
    center: Float[np.ndarray, "rows dim"]
    scale: Float[np.ndarray, " rows"]
    stored: Bool[np.ndarray, " rows"]

    def __len__(self) -> int:
        return len(self.level)

    @property
    def addresses(self) -> list[str]:
        """The addresses, as text."""
        return as_addresses(self.slots, self.level)


def nearest(ground: Ground, x: Points, *, depth: int, k: int) -> Neighbours:
    """The k nearest cells of each point, the nearest first; ties to the higher level, then to the lowest address."""
    bound = np.full(len(x), np.inf)
    if k == 1 and len(x):
        found = locate(ground, x, depth=depth, beam=1, rule_error=0.0)
        bound = (found.distance + found.error) * (1 + _SURELY)
    return _gathered([_of_batch(ground, x, low, depth=depth, bound=bound, k=k) for low in range(0, len(x), _POINTS)], x, depth)


def within(
    ground: Ground, x: Float[np.ndarray, "points dim"], *, depth: int, radius: Float[np.ndarray, " points"]
) -> Neighbours:
    """All cells at most so far from each point, by level and address."""
    parts, total = list[Neighbours](), 0
    for low in range(0, len(x), _POINTS):
        parts.append(_of_batch(ground, x, low, depth=depth, bound=radius, k=None))
        total += len(parts[-1])
        if total > CELLS_MAX:
            raise InputError(
                f"more than {CELLS_MAX:,} cells lie in these balls; ask for a smaller radius, depth or fewer points"
            )
    return _gathered(parts, x, depth)


def _of_batch(
    ground: Ground,
    x: Float[np.ndarray, "points dim"],
    low: int,
    *,
    depth: int,
    bound: Float[np.ndarray, " points"],
    k: int | None,
) -> Neighbours:
    """The answer for a batch of points, in halves where it has too many cells on a level."""
    todo, parts = [(low, min(low + _POINTS, len(x)))], list[Neighbours]()
    while todo:
        first, last = todo.pop()
        search = _Search(ground, x[first:last], depth=depth, bound=bound[first:last].copy(), k=k)
        if search.run():
            found = search.answer()
            parts.append(_moved(found, first))
        elif last - first == 1:
            what = "as near as the nearest may be" if k is not None else "in the ball"
            if search.unbounded:
                raise InputError(
                    f"more than {ROWS_MAX:,} cells of a level may have one below them that is {what} around "
                    f"{x[first].tolist()}: nothing bounds how far the descendants of cells of {ground.name!r} lie, so none can "
                    "be left out; ask for a smaller depth"
                )
            raise InputError(
                f"more than {ROWS_MAX:,} cells of a level are {what} around {x[first].tolist()}, as far as double precision "
                f"tells; ask for a smaller {'k' if k is not None else 'radius'}, or a smaller depth"
            )
        else:
            middle = (first + last) // 2
            todo += [(middle, last), (first, middle)]
    return _gathered(parts, x, depth)


def _moved(found: Neighbours, first: int) -> Neighbours:
    columns = {name: getattr(found, name) for name in _COLUMNS}
    return Neighbours(**{**columns, "point": found.point + first})


_COLUMNS = ("point", "slots", "level", "distance", "center", "scale", "stored")


def _gathered(parts: list[Neighbours], x: Points, depth: int) -> Neighbours:
    if parts:
        return Neighbours(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS})
    return Neighbours(
        point=np.zeros(0, dtype=np.int64),
        slots=np.zeros((0, depth), dtype=np.int32),
        level=np.zeros(0, dtype=np.int64),
        distance=np.zeros(0),
        center=np.zeros((0, x.shape[1])),
        scale=np.zeros(0),
        stored=np.zeros(0, dtype=np.bool_),
    )


class _Search:
    """The search of a batch of points, level by level over pairs of a point and a cell that may matter.

    ``bound`` is for each point what lies farther than does not matter; with ``k`` it falls as more becomes known.
    """

    def __init__(
        self,
        ground: Ground,
        x: Float[np.ndarray, "points dim"],
        *,
        depth: int,
        bound: Float[np.ndarray, " points"],
        k: int | None,
    ) -> None:
        self._ground, self._x, self._depth, self._bound, self._k = ground, x, depth, bound, k
        self._trail, self._ends = Trail(), list[Ends]()
        self._rounding = (x.shape[1] + 8) * EPSILON  # of a distance
        self._most = ROWS_MAX if len(x) == 1 else _ROWS
        self.unbounded = False  # whether the reach of some cell is not known

    def run(self) -> bool:
        """Whether the answer is there; else there are too many cells for so many points."""
        held, first = start(self._ground, self._x)
        ruled = [] if first is None else [first]
        for level in range(self._depth):
            step = None
            if held is not None:
                step, below, ended = divide(self._ground, held, self._x)
                if step is not None and step.pairs > 4 * self._most and len(self._x) > 1:
                    return False
                ruled += [] if below is None else [below]
                self._end(ended)
            if step is None and not ruled:
                held = None
                break
            pairs = sum(map(len, ruled)) * (self._ground.arity or 1)
            if pairs > 4 * self._most or (len(self._x) > 1 and pairs * self._x.shape[1] > _VALUES):
                return False
            steps = [RuledStep(front, 0.0) for front in ruled]
            last = level + 1 == self._depth
            self._lower(step, steps, last=last)
            held = None if step is None else self._kept_of_held(step, last=last)
            ruled = [front for front in (self._kept(one, last=last) for one in steps) if len(front)]
            if sum(len(front) for front in ruled) + (0 if held is None else len(held)) > self._most:
                return False
        self._end(held)
        for front in ruled:
            self._end(front)
        return True

    def _end(self, front: HeldFront | RuledFront | None) -> None:
        if front is not None:
            ends = front.ends(self._x, self._trail)
            self._ends.append(ends)

    def _lower(self, step: HeldStep | None, ruled: list[RuledStep], *, last: bool) -> None:
        """Lower the bounds: as many cells as are looked for are proven to be so near."""
        if self._k is None:
            return
        fewest = 1  # of the cells that are looked for below any child
        if step is None and not last and self._ground.arity is not None and len(ruled):
            fewest = self._ground.arity ** min(self._depth - ruled[0].front.level - 1, 64)
        need = -(-self._k // fewest)
        points, farthest = list[np.ndarray](), list[np.ndarray]()
        for one in ruled:
            upper = one.distance * (1 + self._rounding) + one.slip * one.front.unit
            upper += 0.0 if last else one.reach * (1 + SLACK)
            upper = np.sort(upper, axis=0)[:need] if len(upper) > 1 else upper
            points.append(np.tile(one.front.point, len(upper)))
            farthest.append(upper.reshape(-1))
        if step is not None:
            points.append(step.point)
            farthest.append(np.sqrt(step.squared) * (1 + self._rounding) + (0.0 if last else step.reach * (1 + SLACK)))
        for ends in self._ends if need == self._k else []:
            points.append(ends.point)
            farthest.append(ends.distance + ends.error)
        point, upper = np.concatenate(points), np.concatenate(farthest)
        if need == 1:
            np.minimum.at(self._bound, point, upper)
            return
        order = np.lexsort((upper, point))
        point, upper = point[order], upper[order]
        first = np.flatnonzero(np.r_[True, point[1:] != point[:-1]])
        enough = first[np.diff(np.r_[first, len(point)]) >= need]
        at = point[enough]
        self._bound[at] = np.minimum(self._bound[at], upper[enough + need - 1])

    def _kept_of_held(self, step: HeldStep, *, last: bool) -> HeldFront | None:
        distance = np.sqrt(step.squared)
        reach = np.zeros(1) if last else step.reach
        self.unbounded |= bool(np.isinf(reach).any())
        near = distance * (1 - self._rounding) - reach * (1 + SLACK) <= self._bound[step.point]
        return step.advance(np.flatnonzero(near), self._trail) if near.any() else None

    def _kept(self, step: RuledStep, *, last: bool) -> RuledFront:
        lower = step.distance * (1 - self._rounding) - step.slip * step.front.unit
        if not last:
            lower -= step.reach * (1 + SLACK)
        row, slot = np.nonzero((lower <= self._bound[step.front.point]).T)
        return step.advance(row, slot, self._trail)

    def answer(self) -> Neighbours:
        """The cells of all points, those of each in order."""
        if not self._ends:  # all that is stored or grown lies too far
            return _gathered([], self._x, self._depth)
        columns = {name: np.concatenate([getattr(ends, name) for ends in self._ends]) for name in _SHARED}
        levels = np.concatenate([np.full(len(ends), ends.level) for ends in self._ends])
        slots = np.full((len(levels), self._depth), -1, dtype=np.int32)
        low = 0
        for ends in self._ends:
            slots[low : low + len(ends), : ends.level] = ends.slots
            low += len(ends)
        if self._k is None:
            near = np.flatnonzero(columns["distance"] <= self._bound[columns["point"]])
            order = near[self._ordered(slots[near], levels[near], columns["point"][near])]
        else:
            order = self._ordered(slots, levels, columns["point"], columns["distance"])
            point = columns["point"][order]
            first = np.flatnonzero(np.r_[True, point[1:] != point[:-1]])
            counts = np.diff(np.r_[first, len(point)])
            if counts.min() < self._k:
                raise InputError(
                    f"{self._ground.name!r} has {int(counts.min())} cells where ways to level {self._depth} end, and {self._k} "
                    "were asked for; ask for fewer, or a larger depth"
                )
            order = order[np.arange(len(point)) - np.repeat(first, counts) < self._k]
        return Neighbours(slots=slots[order], level=levels[order], **{name: column[order] for name, column in columns.items()})

    def _ordered(
        self, slots: np.ndarray, levels: np.ndarray, point: np.ndarray, distance: np.ndarray | None = None
    ) -> Int[np.ndarray, " rows"]:
        """By point, by distance where it is given, by level, by address."""
        order = np.arange(len(point))
        if len(self._ends) > 1:  # those of one front are in the order of their addresses
            order = np.lexsort((*slots.T[::-1], levels))
        keys = (point[order],) if distance is None else (distance[order], point[order])
        found: np.ndarray = order[np.lexsort(keys)]
        return found


_SHARED = ("point", "distance", "center", "scale", "stored")
