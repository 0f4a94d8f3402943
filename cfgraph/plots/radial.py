"""Radial: a tree around its root, the leaves on the way round and their names outside; for up to some hundred leaves."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from cfgraph.model.cells import Cells
from cfgraph.plots.branches import Branches, labels_of, reach_of
from cfgraph.plots.dendrogram import NAME_SIZES, PAD, line_widths, unit_for
from cfgraph.plots.groups import Groups
from cfgraph.plots.page import FAINT, GREY, INK, inches_of
from cfgraph.plots.words import NAME_LETTERS, count_letters, shorten_apart, width_of_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME_SHARE = 0.5  # of the way from the middle outwards, at most, for the names
OPENING = 0.03  # of the circle, at its top: where the scale is written
ARC_POINTS = 48  # of the arc over a cell's children
RINGS_MAX = 12  # levels with a ring each; above that, and for heights, a few round numbers have one
RING_LEAST = 0.15  # inches: the radius of the smallest ring
RING_SIZE = 6.0  # points: what is written on a ring


def draw_radial(
    axes: "Axes",
    cells: Cells,
    names: Sequence[str | None] | None = None,
    height: Float[np.ndarray, " cells"] | None = None,
    *,
    groups: Groups | None = None,
) -> None:
    """Draw cells as a radial tree: the root in the middle, the leaves clockwise from the top.

    Outwards grows the level, or the height falls. The names of the leaves stand behind them, where there is room; without
    names, their addresses. Raises an ``InputError`` for names or heights that are not one a cell.
    """
    branches, reach = Branches(cells, groups), reach_of(cells, height)
    half = min(inches_of(axes)) / 2
    leaves, labels = np.flatnonzero(cells.child_count == 0), labels_of(cells, names)
    size = _name_size(branches, reach, half=half)
    letters = min(count_letters(NAME_SHARE * half - PAD, size=size or NAME_SIZES[0]), NAME_LETTERS)
    ends = shorten_apart([labels[row] if size else "" for row in leaves.tolist()], [letters] * len(leaves))
    wide = np.array([width_of_words(words, size=size) + PAD for words in ends])
    unit = unit_for(reach[leaves], room=half - wide)
    radius = reach * unit
    angle = np.pi / 2 - 2 * np.pi * (OPENING / 2 + (1 - OPENING) * branches.middle / branches.leaves[0])
    _draw_rings(axes, reach=reach, unit=unit, highest=None if height is None else float(np.max(height)))
    _draw_lines(axes, branches, radius=radius, angle=angle)
    spots = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None]
    mark = min(3.5, max(1.0, 0.4 * 72 * 2 * np.pi * radius.max() / branches.leaves[0]))
    x, y = spots[leaves].T
    axes.scatter(x, y, s=mark**2, c=branches.colors[leaves], linewidths=0, zorder=3)
    for row, words in zip(leaves.tolist(), ends, strict=True) if size else ():
        _write_outwards(axes, words, angle=angle[row], radius=radius[row] + PAD, size=size)
    axes.set_xlim(-half, half)
    axes.set_ylim(-half, half)
    axes.set_aspect("equal")
    axes.set_axis_off()


def _name_size(branches: Branches, reach: Float[np.ndarray, " cells"], *, half: float) -> float:
    """The size of names in points that leaves side by side leave room for, if they stand two thirds out; 0 for too small."""
    leaves = branches.cells.child_count == 0
    share = float(np.median(reach[leaves])) / max(float(reach.max()), 1e-300)
    size = min(NAME_SIZES[1], 0.85 * 72 * 2 * np.pi * 0.7 * half * max(share, 0.3) / branches.leaves[0])
    return size if size >= NAME_SIZES[0] else 0.0


def _draw_lines(
    axes: "Axes", branches: Branches, *, radius: Float[np.ndarray, " cells"], angle: Float[np.ndarray, " cells"]
) -> None:
    """A line outwards from each parent's ring to each cell, and an arc along the children of each parent."""
    from matplotlib.collections import LineCollection

    cells, width = branches.cells, line_widths(branches)
    inner = np.flatnonzero((cells.child_count > 1) & (radius > 0))
    first = cells.first_child[inner]
    last = first + cells.child_count[inner] - 1
    swing = angle[first][:, None] + (angle[last] - angle[first])[:, None] * np.linspace(0, 1, ARC_POINTS)
    arcs = np.stack([np.cos(swing), np.sin(swing)], axis=2) * radius[inner][:, None, None]
    way = np.stack([np.cos(angle[1:]), np.sin(angle[1:])], axis=1)
    outwards = np.stack([way * radius[cells.parent[1:]][:, None], way * radius[1:, None]], axis=1)
    for segments, rows in ((arcs, inner), (outwards, slice(1, None))):
        lines = LineCollection(list(segments), colors=branches.colors[rows], linewidths=width[rows], capstyle="round")
        axes.add_collection(lines, autolim=False)


def _draw_rings(axes: "Axes", *, reach: Float[np.ndarray, " cells"], unit: float, highest: float | None) -> None:
    """Faint rings at round numbers of the depth axis, each with its number in the opening at the top."""
    from matplotlib.patches import Circle
    from matplotlib.ticker import MaxNLocator

    most = float(reach.max())
    low, high = (0.0, most) if highest is None else (highest - most, highest)
    bins = RINGS_MAX if highest is None and most <= RINGS_MAX else 5
    for tick in map(float, MaxNLocator(nbins=bins, integer=highest is None, min_n_ticks=1).tick_values(low, high)):
        radius = unit * (tick if highest is None else highest - tick)
        if RING_LEAST < radius <= unit * most * (1 + 1e-9):
            axes.add_patch(Circle((0, 0), radius, fill=False, edgecolor=FAINT, linewidth=0.5, zorder=0))
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
            axes.text(0, radius, f"{tick:g}", bbox=box, fontsize=RING_SIZE, color=GREY, ha="center", va="center", zorder=4)


def _write_outwards(axes: "Axes", words: str, *, angle: float, radius: float, size: float) -> None:
    """Words along a ray, readable from left to right on either side."""
    turned = np.cos(angle) < 0
    place = (radius * np.cos(angle), radius * np.sin(angle))
    axes.text(
        *place, words, fontsize=size, color=INK, ha="right" if turned else "left", va="center_baseline", parse_math=False,
        rotation=np.degrees(angle) + (180 if turned else 0), rotation_mode="anchor",
    )  # fmt: skip
