"""Anchors: the cell in whose frame a view is told best: of those that are seen one of about its size, near its middle."""

import math
from dataclasses import replace

import numpy as np

from cfgraph.exploring.cut import Level
from cfgraph.exploring.view import Line, View
from cfgraph.model.address import format_address

_SIZE = 0.5  # of the view's shorter side, in pixels: the least that an anchor's unit has
_DEEPER = 0.25  # of that side: how much farther from the middle a cell of half the size may be
_EXACT = 1e-6  # pixels that an anchor's own place may be off at no cost


def better_frame(view: View, line: Line, levels: list[Level], *, start: int) -> View:
    """The same view in the frame of another cell, or of the same one where none is better."""
    least = _SIZE * view.side
    best = math.inf
    chosen: tuple[int, int | None] | None = None
    for depth, (p, z, error) in enumerate(zip(line.p, line.z, line.error, strict=True)):
        if depth >= start and (z >= least or depth == 0) and line.way[depth].scale > 0:
            cost = _cost(np.hypot(*(p * z)), z, error, view=view, least=least)
            if cost < best:
                best, chosen = float(cost), (depth, None)
    for place, level in enumerate(levels):
        rows = np.flatnonzero(level.at.unit >= least)
        if len(rows) == 0:
            continue
        at = level.at.take(rows)
        error = np.full(len(rows), float(line.error[start]))
        costs = _cost(np.hypot(at.x, at.y), at.unit, error, view=view, least=least)
        row = int(costs.argmin())
        if costs[row] < best - 1e-9:
            best, chosen = float(costs[row]), (start + place, int(rows[row]))
    return view if chosen is None else _framed(view, line, levels, start, *chosen)


def _cost(distance, unit, error, *, view: View, least: float):
    far = distance / view.side + _DEEPER * np.log2(np.maximum(unit / least, 1.0))
    return far + np.where(error > _EXACT, np.log10(np.maximum(error / _EXACT, 1.0)) * 0.1, 0.0)


def _framed(view: View, line: Line, levels: list[Level], start: int, level: int, row: int | None) -> View:
    if row is None:
        way = line.way[level]
        x, y = line.p[level]
        return replace(view, anchor=format_address(way.slots), p=(float(x), -float(y)), z=float(line.z[level]))
    slots, at = list[int](), levels[level - start].at
    x, y, z = float(at.x[row]), float(at.y[row]), float(at.unit[row])
    for place in range(level - start, 0, -1):
        slots.append(int(levels[place].slot[row]))
        row = int(levels[place].parent[row])
    address = (*line.way[start].slots, *reversed(slots))
    if address == line.way[min(level, len(line.way) - 1)].slots:
        return _framed(view, line, levels, start, level, None)
    return replace(view, anchor=format_address(address), p=(-x / z, y / z), z=z)
