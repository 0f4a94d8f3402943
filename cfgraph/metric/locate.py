"""Where points lie among cells: the greedy descent of the Voronoi cells, and the nearest cell, which is another question.

A point belongs to the child with the nearest center, ties to the lowest slot, nested from the top down: ``locate`` is that
descent. Where ``s < delta / (delta + 2 R)`` every center locates to its own address (derived, docs/mathematics.md); elsewhere
cells touch, and a beam of b cells a level finds more. ``nearest`` is exact everywhere: it prunes by radius.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.errors import InputError
from cfgraph.metric.distances import subtree_radii
from cfgraph.model.cells import LEAF, Cells
from cfgraph.model.reader import Reader

_BATCH_VALUES = 1 << 20  # floats of differences at once
_SLACK = 1e-9  # of a radius and a distance: what rounding may take from the triangle inequality


def locate(
    cells: Cells, x: Float[np.ndarray, "points dim"], *, beam: int = 1, depth: int | None = None
) -> Int[np.ndarray, " points"]:
    """The row where each point's descent ends: a cell without children, or one at ``depth``.

    At every level the ``beam`` cells with the nearest centers are kept, out of the children of those kept before; ties go to
    the lowest address. Those of them without children are ends, and take no place on the levels below; the nearest end is the
    answer. A beam of 1 is the definition of a Voronoi cell, O(K d) a level.

    Raises:
        InputError: for points of another dimension or that are not finite, a beam below 1, a depth above the top.
    """
    x = _check_query(cells.dimension, x)
    _check_beam(beam)
    cells = _down_to(cells, depth)
    found = np.empty(len(x), dtype=np.int64)
    width = beam * max(1, int(cells.child_count.max()))
    step = max(1, _BATCH_VALUES // (width * max(1, cells.dimension)))
    for low in range(0, len(x), step):
        found[low : low + step] = _descend(cells, x[low : low + step], beam=beam)
    return found


def locate_addresses(
    reader: Reader, x: Float[np.ndarray, "points dim"], *, beam: int = 1, depth: int | None = None
) -> list[str]:
    """The same descent over cells wherever they are, a query for children a level: the address where each point's ends.

    Equal to :func:`locate` on the same cells; it reads only the children of cells that some point is kept at.

    Raises:
        InputError: for points of another dimension or that are not finite, a beam below 1, a depth above the root.
    """
    top = reader.cells(["/"])
    x = _check_query(top["center"].shape[1], x)
    _check_beam(beam)
    if depth is not None and depth < 0:
        raise InputError(f"expected a depth of at least 0, the level of the root, got {depth}")
    addresses, centers = top["address"], top["center"]
    ends, kept = _Ends(len(x)), _top(x, centers)
    for _ in range(reader.depth if depth is None else min(depth, reader.depth)):
        below = reader.children(addresses.tolist())
        place = {address: row for row, address in enumerate(addresses.tolist())}
        above = [place[address.rpartition("/")[0] or "/"] for address in below["address"].tolist()]
        count = np.bincount(above, minlength=len(addresses))
        first = np.searchsorted(above, np.arange(len(addresses)))
        kept = ends.take(kept, childless=count == 0, called=addresses)
        if len(kept.point) == 0:
            break
        kept = _nearest_children(kept, count=count, first=first, centers=below["center"], x=x, beam=beam)
        needed, rows = np.unique(kept.rows, return_inverse=True)
        rows = rows.reshape(kept.rows.shape)
        if needed[0] < 0:  # fewer candidates than the beam is wide
            needed, rows = needed[1:], rows - 1
        addresses, kept = below["address"][needed], kept._replace(rows=rows)
    ends.take(kept, childless=np.ones(len(addresses), dtype=np.bool_), called=addresses)
    found: list[str] = ends.called.tolist()
    return found


def nearest(cells: Cells, x: Float[np.ndarray, "points dim"], *, depth: int | None = None) -> Int[np.ndarray, " points"]:
    """The row of the cell with the nearest center, among those where a descent can end; ties to the lowest row.

    Exact, whatever the cells' overlap: a cell is left out, with all below it, only where ``|x - center| - radius`` is more
    than the distance to some cell that is there.

    Raises:
        InputError: for points of another dimension or that are not finite, a depth above the top.
    """
    x = _check_query(cells.dimension, x)
    cells = _down_to(cells, depth)
    search = _Search(cells, subtree_radii(cells.with_columns(state=np.full(len(cells), LEAF, dtype=np.uint8))))
    start = locate(cells, x)
    found = np.empty(len(x), dtype=np.int64)
    step = max(1, _BATCH_VALUES // (64 * max(1, cells.dimension)))
    for low in range(0, len(x), step):
        found[low : low + step] = search.prune(x[low : low + step], start=start[low : low + step])
    return found


def _check_beam(beam: int) -> None:
    if beam < 1:
        raise InputError(f"expected a beam of at least 1 cell a level, got {beam}")


def _check_query(dimension: int, x: Float[np.ndarray, "points dim"]) -> Float[np.ndarray, "points dim"]:
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != dimension:
        raise InputError(f"expected points as rows of {dimension} coordinates, got an array of shape {x.shape}")
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise InputError(f"expected points of finite coordinates, got {x[row].tolist()} in row {row}")
    return x


def _down_to(cells: Cells, depth: int | None) -> Cells:
    """The cells of levels up to ``depth``: a prefix keeps its rows' numbers."""
    if depth is None:
        return cells
    if depth < int(cells.level[0]):
        raise InputError(f"expected a depth of at least {cells.level[0]}, the level of the top, got {depth}")
    return cells.prefix(depth)


class _Kept(NamedTuple):
    """The cells that a beam holds of each point that is still under way, the nearest first; -1, at infinity, fills up."""

    point: Int[np.ndarray, " under_way"]
    rows: Int[np.ndarray, "under_way beam"]
    distance: Float[np.ndarray, "under_way beam"]


class _Ends:
    """The nearest cell without children, or at the last level, that each point's descent came to, by what it is called."""

    def __init__(self, points: int) -> None:
        self.called = np.empty(points, dtype=object)
        self._distance = np.full(points, np.inf)

    def take(self, kept: _Kept, *, childless: Bool[np.ndarray, " cells"], called: np.ndarray) -> _Kept:
        """What is left under way when the childless ones among the kept cells are taken out. At a tie the higher end stays."""
        ended = (kept.rows >= 0) & childless[kept.rows]
        distance = np.where(ended, kept.distance, np.inf)
        nearest = np.arange(len(kept.point)), distance.argmin(axis=1)
        better = distance[nearest] < self._distance[kept.point]
        point = kept.point[better]
        self._distance[point], self.called[point] = distance[nearest][better], called[kept.rows[nearest][better]]
        rows = np.where(ended, -1, kept.rows)
        left = (rows >= 0).any(axis=1)
        return _Kept(kept.point[left], rows[left], kept.distance[left])


def _top(x: Float[np.ndarray, "points dim"], centers: Float[np.ndarray, "all dim"]) -> _Kept:
    """Every point at the first cell."""
    rows = np.zeros((len(x), 1), dtype=np.int64)
    return _Kept(np.arange(len(x)), rows, _squared(centers, x[:, None], rows=rows))


def _descend(cells: Cells, x: Float[np.ndarray, "points dim"], *, beam: int) -> Int[np.ndarray, " points"]:
    ends, kept, numbers, childless = _Ends(len(x)), _top(x, cells.center), np.arange(len(cells)), cells.child_count == 0
    while len((kept := ends.take(kept, childless=childless, called=numbers)).point):
        kept = _nearest_children(kept, count=cells.child_count, first=cells.first_child, centers=cells.center, x=x, beam=beam)
    return ends.called.astype(np.int64)


def _nearest_children(
    kept: _Kept,
    *,
    count: Int[np.ndarray, " cells"],
    first: Int[np.ndarray, " cells"],
    centers: Float[np.ndarray, "all dim"],
    x: Float[np.ndarray, "points dim"],
    beam: int,
) -> _Kept:
    """One level down: the ``beam`` nearest of the kept cells' children."""
    candidates = np.sort(_children(kept.rows, count=count, first=first), axis=1)  # by row, which is by address within a level
    distance = np.where(candidates >= 0, _squared(centers, x[kept.point][:, None], rows=candidates), np.inf)
    order = np.argsort(distance, axis=1, kind="stable")[:, :beam]
    return _Kept(kept.point, np.take_along_axis(candidates, order, axis=1), np.take_along_axis(distance, order, axis=1))


def _children(
    rows: Int[np.ndarray, "points kept"], *, count: Int[np.ndarray, " cells"], first: Int[np.ndarray, " cells"]
) -> Int[np.ndarray, "points candidates"]:
    """The children of each cell in slot order; -1 fills up."""
    counts = np.where(rows >= 0, count[rows], 0)
    index = np.arange(int(counts.max()))
    children = np.where(index < counts[..., None], first[rows][..., None] + index, -1)
    return children.reshape(len(rows), -1)


def _squared(
    centers: Float[np.ndarray, "all dim"], x: np.ndarray, *, rows: Int[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    difference = x - centers[rows]
    squared = np.einsum("...d,...d->...", difference, difference)
    finite: Float[np.ndarray, "*shape"] = np.minimum(squared, np.finfo(np.float64).max)  # infinity is no cell's distance
    return finite


@dataclass(frozen=True, eq=False)
class _Search:
    """Cells with a radius each that every known descendant lies within."""

    cells: Cells
    radius: Float[np.ndarray, " cells"]

    def prune(self, x: Float[np.ndarray, "points dim"], *, start: Int[np.ndarray, " points"]) -> Int[np.ndarray, " points"]:
        """The nearest childless cell of each point, level by level over pairs of a point and a cell that may matter."""
        best, found = np.sqrt(_squared(self.cells.center, x, rows=start)), start.copy()
        point, row = np.arange(len(x)), np.zeros(len(x), dtype=np.int64)
        while len(point):
            distance = np.sqrt(_squared(self.cells.center, x[point], rows=row))
            childless = self.cells.child_count[row] == 0
            _take_better(best, found, point=point[childless], row=row[childless], distance=distance[childless])
            near = distance - self.radius[row] <= best[point] + _SLACK * (distance + self.radius[row])
            point, row = self._expand(point[near & ~childless], row[near & ~childless])
        return found

    def _expand(
        self, point: Int[np.ndarray, " near"], row: Int[np.ndarray, " near"]
    ) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
        """Each pair's point with every child of its cell."""
        count = self.cells.child_count[row]
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        return np.repeat(point, count), np.repeat(self.cells.first_child[row], count) + within


def _take_better(
    best: Float[np.ndarray, " points"],
    found: Int[np.ndarray, " points"],
    *,
    point: Int[np.ndarray, " pairs"],
    row: Int[np.ndarray, " pairs"],
    distance: Float[np.ndarray, " pairs"],
) -> None:
    """Lower each point's best distance, and at equal distance the row, by the pairs' ones."""
    order = np.lexsort((row, distance, point))
    first = order[np.r_[True, point[order][1:] != point[order][:-1]]] if len(order) else order
    p, r, d = point[first], row[first], distance[first]
    better = (d < best[p]) | ((d == best[p]) & (r < found[p]))
    best[p[better]], found[p[better]] = d[better], r[better]
