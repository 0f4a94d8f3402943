"""Cut: the cells that a view shows: level by level down from the view's line, what misses the view left out at once.

A cell is not split where all below lies within ``px`` pixels of it, so that what is drawn follows from a proven bound (branch
and bound by :mod:`reach <cfgraph.model.reach>`). Beyond ``cap`` cells the bound is raised: the largest are split first.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.exploring.axes import Plane
from cfgraph.exploring.scenes import GoneError
from cfgraph.exploring.terrain import Front, Spread, Terrain, Window, both
from cfgraph.exploring.view import Line, View

_SLACK = 0.5  # pixels: what is off by rounding is not lost at the view's edge
_FILLED = 0.85  # of the cap, after the bound was raised
_DROPPED = 15  # bits of 32 that a bound is not told by
_AHEAD = 2  # times the cap that levels may hold on the way down, before the bound is raised
_OVER = 4  # times the cap: where one family alone is that large it is shown all the same
_LEVELS_MAX = 100_000
_UNSETTLED_MAX = 4_096  # cells of a level; where more overlap the view, it is not told of what parts there that it misses it


@dataclass(frozen=True, eq=False)
class Level:
    """Cells of one level in the order of their addresses; ``parent`` is a row of the level above.

    ``until`` is the least reach of a cell above: with a bound of that or more a cell is not there.
    """

    parent: Int[np.ndarray, " cells"]
    slot: Int[np.ndarray, " cells"]
    row: Int[np.ndarray, " cells"]  # where it is held, -1 elsewhere
    at: Spread
    reach: Float[np.ndarray, " cells"]  # in pixels; 0 where it ends
    until: Float[np.ndarray, " cells"]

    def __len__(self) -> int:
        return len(self.parent)

    def take(self, rows: Int[np.ndarray, " rows"]) -> "Level":
        """Some of them."""
        columns = {name: getattr(self, name)[rows] for name in ("parent", "slot", "row", "reach", "until")}
        return Level(at=self.at.take(rows), **columns)


@dataclass(frozen=True, eq=False)
class Shown:
    """The levels of a cut from ``start`` on; cells of which the reach is above ``bound`` are split, the others drawn.

    ``crowded`` where the bound is larger than it might be, for want of memory.
    """

    start: int
    levels: list[Level]
    bound: float
    crowded: bool = False


def cut_levels(
    terrain: Terrain,
    line: Line,
    *,
    view: View,
    plane: Plane,
    margin: float,
    px: float,
    cap: int,
    gone: Callable[[], bool] = lambda: False,
    full: Callable[[Int[np.ndarray, " rows"]], bool] = lambda rows: False,
) -> Shown:
    """The cells of a view, from the level on from which all is told to the fraction of a pixel.

    ``gone`` is asked at each level: a ``GoneError`` where it says that nobody waits for the answer any more. So is ``full``,
    whether there is no room for the children of some held cells: then cells are split no further.
    """
    start = line.sure
    if start == len(line.way):
        return Shown(start, [], px)
    window = Window(view.width / 2 * margin + _SLACK, view.height / 2 * margin + _SLACK)
    top, (x, y) = line.way[start], line.middle(start)
    at = Spread(np.array([x]), np.array([y]), line.z[start : start + 1])
    one, zero = np.full(1, np.inf), np.zeros(1, dtype=np.int64)
    front, reach = top.front, one
    if top.row >= 0 and terrain.ends(top.row):
        reach = np.zeros(1)
    elif start == 0:
        reach = terrain.reach_of_root() * at.unit
    levels = [Level(zero, np.array([top.slots[-1] if top.slots else -1]), front.row, at, reach, one)]
    on_line, bound, shown, crowded = 0, px, 1, False
    for level in range(start + 1, start + _LEVELS_MAX):
        above = levels[-1]
        chosen = np.flatnonzero((above.reach > bound) & (above.until > bound))
        if len(chosen) == 0:
            break
        if gone():
            raise GoneError
        held = front.row[chosen]
        if full(held[held >= 0]):
            bound, crowded = float(above.reach[chosen].max()), True
            break
        below = terrain.expand(front, chosen, at=above.at, plane=plane, window=window)
        if level < len(line.way) and on_line >= 0:
            on_line = _on_line(below, line, level=level, parent=on_line)
        until = np.minimum(above.until, above.reach)[below.parent]
        reach = np.where(below.end, 0.0, below.reach)
        levels.append(Level(below.parent, below.slot, below.front.row, below.at, reach, until))
        front = below.front
        shown += len(below) - len(chosen)
        if shown > _AHEAD * cap:
            bound, shown = raised(levels, bound=bound, cap=cap)
    if shown > cap:
        bound, shown = raised(levels, bound=bound, cap=cap)
    return Shown(start, levels, bound, crowded)


def _on_line(below, line: Line, *, level: int, parent: int) -> int:
    """The row of the anchor's ancestor, which is put where it is known to lie to the last digit; -1 where it is not seen."""
    low, high = np.searchsorted(below.parent, [parent, parent + 1])
    there = np.flatnonzero(below.slot[low:high] == line.way[level].slots[-1])
    if len(there) == 0:
        return -1
    row = int(low + there[0])
    below.at.x[row], below.at.y[row] = line.middle(level)
    if line.way[level].ratio > 0:
        below.at.unit[row] = line.z[level]
    return row


def raised(levels: list[Level], *, bound: float, cap: int) -> tuple[float, int]:
    """The least bound with which a part of the cap is shown, and how many cells that are.

    A cell is there while the bound is below all reaches above it, and split while it is below its own too. Those of the last
    level are shown: none of their children is known, and where reaches shrink slowly all of them would count as split, the
    bound stay, and level after level fill the memory. Bounds are told to half a percent: by the leading digits of numbers,
    which are counted, not sorted.
    """
    there, split = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    for level in levels:
        there = _added(there, _leading(level.until))
        if level is not levels[-1]:
            split = _added(split, _leading(np.minimum(level.until, level.reach)))
    width = max(len(there), len(split))
    shown = _above(there, width) - _above(split, width)
    first = int(_leading(np.array([bound]))[0])
    fits = np.flatnonzero(shown[first:] <= _FILLED * cap)
    if len(fits) == 0:
        return bound, int(shown[first])
    best = first + int(fits[0])
    before = first + int(np.flatnonzero(shown[first : best + 1] != shown[best])[-1]) if fits[0] > 0 else best
    if shown[best] < cap / 8 and shown[before] <= _OVER * cap:
        best = before  # a single family is more than the cap
    found = np.array([(best << _DROPPED) | ((1 << _DROPPED) - 1)], dtype=np.int32).view(np.float32)
    return max(bound, float(found[0])), int(shown[best])


def _leading(values: Float[np.ndarray, " cells"]) -> Int[np.ndarray, " cells"]:
    """The leading digits of numbers of at least 0, as whole numbers in the same order."""
    with np.errstate(over="ignore"):
        bits: np.ndarray = values.astype(np.float32).view(np.int32)
    return bits >> _DROPPED


def _added(counts: Int[np.ndarray, " bins"], keys: Int[np.ndarray, " cells"]) -> Int[np.ndarray, " more"]:
    found = np.bincount(keys, minlength=len(counts))
    found[: len(counts)] += counts
    return found


def _above(counts: Int[np.ndarray, " bins"], width: int) -> Int[np.ndarray, " width"]:
    """How many numbers are above all with the leading digits of each bin."""
    filled = np.zeros(width, dtype=np.int64)
    filled[: len(counts)] = counts
    return filled[::-1].cumsum()[::-1] - filled


def kept(shown: Shown) -> tuple[list[Level], list[Bool[np.ndarray, " cells"]]]:
    """The levels without what the bound, where it was raised, leaves out; and which of their cells are drawn."""
    levels, rows_above = [], None
    for level in shown.levels:
        there = np.flatnonzero(level.until > shown.bound)
        taken = level if len(there) == len(level) else level.take(there)
        if rows_above is not None:
            taken = Level(rows_above[taken.parent], taken.slot, taken.row, taken.at, taken.reach, taken.until)
        rows_above = np.zeros(len(level), dtype=np.int64)
        rows_above[there] = np.arange(len(there))
        levels.append(taken)
    return levels, [level.reach <= shown.bound for level in levels]


def levels_in_doubt(terrain: Terrain, line: Line, *, view: View, plane: Plane) -> list[int]:
    """Levels at which cells part from the view's line that may lie in the view, and of which no digit tells whether they do.

    Each level in its own unit: what parts there is followed down until all of it is known to miss the view, or it is as
    small as what the place of the view is known to.
    """
    sure = min(line.sure, len(line.way) - 1)
    found, front, at, window, origin = list[int](), None, None, None, np.zeros(0, dtype=np.int64)
    for level in range(len(line.way) + _LEVELS_MAX):
        fronts = list[tuple]()
        if front is not None and len(front):
            assert at is not None
            assert isinstance(window, Window)
            below = terrain.expand(front, np.arange(len(front)), at=at, plane=plane, window=window)
            fronts.append((below, window.of(below.parent), origin[below.parent]))
        if level < sure:
            place, tolerance = line.way[level], _tolerance(line, level, view)
            here = Spread(-line.p[level, :1], -line.p[level, 1:], np.ones(1))
            around = Window(tolerance, tolerance)
            below = terrain.expand(place.front, np.zeros(1, dtype=np.int64), at=here, plane=plane, window=around)
            others = np.flatnonzero(below.slot != line.way[level + 1].slots[-1])
            size = np.full(len(below), tolerance[0])
            fronts.append((below, Window(size, size), np.full(len(below), level), others))
        if not fronts:
            return sorted(set(found))
        front, at, window, origin = _unsettled(fronts, found)
    return sorted(set(found))


def _tolerance(line: Line, level: int, view: View) -> Float[np.ndarray, " 1"]:
    """What the place of the view is known to, and half of its size, in units of the cell of a level."""
    with np.errstate(over="ignore", invalid="ignore"):
        half = max(view.width, view.height) / line.z[level]
        digits = 2.0**-52 * (8 + level) * max(1.0, float(np.abs(line.p[level]).max()))
    return np.array([half + digits])


def _unsettled(fronts: list, found: list[int]) -> tuple:
    """Of children what is neither known to miss the view nor too small to tell; the levels of the latter go to ``found``."""
    front, columns = None, []
    many = sum(len(below) for below, *_ in fronts) > _UNSETTLED_MAX
    for below, window, origin, *others in fronts:
        rows = others[0] if others else np.arange(len(below))
        small = below.reach[rows] <= window.x[rows]
        small |= below.end[rows] | ~np.isfinite(below.reach[rows]) | many
        found += origin[rows[small]].tolist()
        rows = rows[~small & ~np.isin(origin[rows], found)]
        part = _taken(below.front, rows)
        front = part if front is None else both(front, part)
        columns.append((below.at.x[rows], below.at.y[rows], below.at.unit[rows], window.x[rows], origin[rows]))
    x, y, unit, size, origin = (np.concatenate(values) for values in zip(*columns, strict=True))
    return front, Spread(x, y, unit), Window(size, size), origin


def _taken(front: Front, rows: Int[np.ndarray, " rows"]) -> Front:
    """Some nodes of a front, rows ascending."""
    place = np.full(len(front), -1)
    place[rows] = np.arange(len(rows))
    ruled = []
    for part in front.ruled:
        inside = np.flatnonzero(place[part.node] >= 0)
        if len(inside):
            parent = None if part.parent is None else part.parent[inside]
            slot = None if part.slot is None else part.slot[inside]
            places = part.places if part.parent is not None else part.of(inside)
            ruled.append(type(part)(places, place[part.node[inside]], parent, slot))
    return Front(front.level, front.row[rows], tuple(ruled))
