"""Layout: cells without centers as circles in circles, by size: children packed relative to their parent, so that zooms go on.

Small families are packed tangent to each other along a front (Wang, Wang, Dai and Wang 2006, Visualization of large
hierarchical data by circle packing), large ones along a spiral that is spread until no two overlap.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from cfgraph.model.cells import Cells

_ROOM = 1.06  # of a circle's radius over what encloses its children
_FRONT_MAX = 16  # children that are packed along a front
_GOLDEN = math.pi * (3 - math.sqrt(5))
_ENCLOSING_STEPS = 60
_TINY = 1e-290
_ALL_PAIRS, _NEAR = 512, 24  # circles of which all pairs are looked at; of more those that are nearest


def sizes(cells: Cells, points: Int[np.ndarray, " points"] | None) -> tuple[Float[np.ndarray, " cells"], str]:
    """How much lies at and below each cell, and what that counts: data points where they are known, else leaves."""
    if cells.size is not None and (cells.size > 0).all():
        return cells.size.astype(np.float64), "points"
    own = (cells.child_count == 0).astype(np.float64)
    if points is not None and (points >= 0).any():
        own = np.bincount(points[points >= 0], minlength=len(cells)).astype(np.float64)
    for level in range(cells.depth, 0, -1):
        rows = cells.level_rows(level)
        np.add.at(own, cells.parent[rows], own[rows])
    return np.maximum(own, 0.25), "points" if points is not None and (points >= 0).any() else "leaves"


def packed(cells: Cells, size: Float[np.ndarray, " cells"]) -> tuple[Float[np.ndarray, "cells 2"], Float[np.ndarray, " cells"]]:
    """The residual of each cell, in units of the radius of its parent's circle, and the radii; that of the root is 1.

    A circle holds those of all its descendants, and siblings do not overlap.
    """
    radius, residual = np.sqrt(size), np.zeros((len(cells), 2))
    for level in range(cells.depth, 0, -1):
        rows = cells.level_rows(level)
        children = np.arange(rows.start, rows.stop)
        parent = cells.parent[rows]
        first = np.flatnonzero(np.r_[True, parent[1:] != parent[:-1]])
        count = np.diff(np.append(first, len(parent)))
        for many in np.unique(count).tolist():
            chosen = first[count == many]
            members = children[chosen[:, None] + np.arange(many)]
            place, around = _families(radius[members])
            if many == 2 and level % 2 == 0:
                place = place[:, :, ::-1]  # else binary trees would lie on one line
            above = parent[chosen]
            radius[above] = around * _ROOM
            residual[members] = place / radius[above][:, None, None]
            radius[members] /= radius[above][:, None]  # in units of the parent's from now on
    radius[0] = 1.0
    for level in range(1, cells.depth + 1):
        rows = cells.level_rows(level)
        radius[rows] = np.maximum(radius[rows] * radius[cells.parent[rows]], _TINY)
    return residual, radius


def _families(radius: Float[np.ndarray, "families many"]) -> tuple[np.ndarray, np.ndarray]:
    """The places of the members of families of one number, around the middle of what encloses them, and its radius."""
    families, many = radius.shape
    if many == 1:
        return np.zeros((families, 1, 2)), radius[:, 0]
    if many == 2:
        around, place = radius.sum(axis=1), np.zeros((families, 2, 2))
        place[:, 0, 0], place[:, 1, 0] = radius[:, 0] - around, around - radius[:, 1]
        return place, around
    known: dict[bytes, tuple[np.ndarray, float]] = {}  # families alike are common: they are packed once
    place, around = np.empty((families, many, 2)), np.empty(families)
    for family in range(families):
        unit = float(radius[family].max())
        alike = (radius[family] / unit).round(9)
        found = known.get(alike.tobytes())
        if found is None:
            found = known[alike.tobytes()] = _pack(alike)
        place[family], around[family] = found[0] * unit, found[1] * unit * (1 + 1e-8)
    return place, around


def _pack(radius: Float[np.ndarray, " many"]) -> tuple[Float[np.ndarray, "many 2"], float]:
    order = np.argsort(-radius, kind="stable")
    ordered = radius[order]
    place = np.empty((len(radius), 2))
    place[order] = _front(ordered.tolist()) if len(radius) <= _FRONT_MAX else _spiral(ordered)
    return _enclosed(place, radius)


def _front(radius: Sequence[float]) -> list[tuple[float, float]]:
    """Circles, the largest first, each at the place nearest to the middle that is tangent to two others and free."""
    first, second = radius[:2]
    placed = [(-second, 0.0), (first, 0.0)]
    for size in radius[2:]:
        best, chosen = math.inf, (0.0, 0.0)
        xs, ys, rs = np.array([x for x, _ in placed]), np.array([y for _, y in placed]), np.array(radius[: len(placed)])
        one, other = np.triu_indices(len(placed), 1)
        for x, y in _tangents(xs, ys, rs, one, other, size):
            free = np.hypot(x[:, None] - xs, y[:, None] - ys) >= (rs + size) * (1 - 1e-9)
            far = np.where(free.all(axis=1), np.hypot(x, y), math.inf)
            row = int(far.argmin()) if len(far) else -1
            if row >= 0 and far[row] < best - 1e-12:
                best, chosen = float(far[row]), (float(x[row]), float(y[row]))
        placed.append(chosen)
    return placed


def _tangents(xs, ys, rs, one, other, size):
    """Where a circle is tangent to pairs of circles, on either side of them."""
    dx, dy = xs[other] - xs[one], ys[other] - ys[one]
    apart = np.hypot(dx, dy)
    near, far = rs[one] + size, rs[other] + size
    there = (apart > 0) & (apart <= near + far)
    dx, dy, apart, near, far, one = dx[there], dy[there], apart[there], near[there], far[there], one[there]
    along = (apart**2 + near**2 - far**2) / (2 * apart)
    beside = np.sqrt(np.maximum(near**2 - along**2, 0.0))
    for side in (1.0, -1.0):
        yield xs[one] + (along * dx - side * beside * dy) / apart, ys[one] + (along * dy + side * beside * dx) / apart


def _spiral(radius: Float[np.ndarray, " many"]) -> Float[np.ndarray, "many 2"]:
    """Circles along a spiral by their areas, spread until no two overlap."""
    from scipy.spatial import cKDTree

    area = np.cumsum(radius**2) - radius**2 / 2
    angle = _GOLDEN * np.arange(len(radius))
    place = np.sqrt(area)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    if len(radius) <= _ALL_PAIRS:
        pairs = np.stack(np.triu_indices(len(radius), 1), axis=1)
    else:
        many = min(_NEAR, len(radius))
        near = np.asarray(cKDTree(place).query(place, k=many)[1])
        pairs = np.stack([np.repeat(np.arange(len(place)), many - 1), near[:, 1:].ravel()], axis=1)
    apart = np.hypot(*(place[pairs[:, 0]] - place[pairs[:, 1]]).T)
    return place * float(((radius[pairs[:, 0]] + radius[pairs[:, 1]]) / apart).max(initial=1.0))


def _enclosed(place: Float[np.ndarray, "many 2"], radius: Float[np.ndarray, " many"]) -> tuple[np.ndarray, float]:
    """Circles around the middle of one that encloses them (nearly the least), and its radius."""
    middle = (place * (radius**2)[:, None]).sum(axis=0) / (radius**2).sum()
    for step in range(1, _ENCLOSING_STEPS):
        reach = np.hypot(*(place - middle).T) + radius
        far = int(reach.argmax())
        toward = place[far] - middle
        size = float(np.hypot(*toward))
        middle = middle + (toward * (1 + radius[far] / size) / (step + 1) if size > 0 else 0.0) * 0.5
    moved = place - middle
    return moved, float((np.hypot(*moved.T) + radius).max())
