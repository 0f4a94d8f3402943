"""Dendrogram: a tree from left to right, a row a leaf, names at the ends; for up to some dozens of leaves."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from cfgraph.model.cells import Cells
from cfgraph.plots.branches import Branches, labels_of, reach_of
from cfgraph.plots.groups import Groups
from cfgraph.plots.page import GREY, INK, inches_of
from cfgraph.plots.words import NAME_LETTERS, count_letters, shorten_apart, width_of_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME_SIZES = (4.0, 8.5)  # points: the smallest and the largest name of a leaf
INNER_SIZE = 6.5  # points: the name of a cell that is no leaf
NAME_SHARE = 0.6  # of the width, at most, for the names of leaves
LINE_WIDTHS = (0.7, 2.6)  # points: of a line to a leaf, and of one that all leaves lie below
PAD = 0.06  # inches between a leaf and its name


def draw_dendrogram(
    axes: "Axes",
    cells: Cells,
    names: Sequence[str | None] | None = None,
    height: Float[np.ndarray, " cells"] | None = None,
    *,
    groups: Groups | None = None,
) -> None:
    """Draw cells as a dendrogram: the root at the left, a row for each leaf, a line's width by the leaves below it.

    Across stands the height of each cell, else its level. Names stand where there is room: leaves' behind them, others' on
    the line that leads to them. Without names the leaves get their addresses. Raises an ``InputError`` for names or heights
    that are not one a cell.
    """
    branches, reach = Branches(cells, groups), reach_of(cells, height)
    rows = int(branches.leaves[0])
    width, tall = inches_of(axes)
    size = min(NAME_SIZES[1], 0.8 * 72 * tall / rows)
    letters = count_letters(NAME_SHARE * width - PAD, size=size) if size >= NAME_SIZES[0] else 0
    labels, leaves = _cut_labels(cells, names, letters=letters), np.flatnonzero(cells.child_count == 0).tolist()
    ends = {row: labels[row] for row in leaves}
    wide = np.array([1.04 * width_of_words(words, size=size) + PAD for words in ends.values()])  # some letters are wider
    unit = unit_for(reach[leaves], room=width - wide)
    _draw_lines(axes, branches, reach)
    _draw_leaves(axes, branches, reach, size=min(3.0, 0.4 * 72 * tall / rows))
    for row, words in ends.items() if letters > 0 else ():
        place = (reach[row] + PAD / unit, branches.middle[row])
        axes.text(*place, words, fontsize=size, color=INK, va="center_baseline", parse_math=False)
    if names is not None and 72 * tall / rows > INNER_SIZE:
        _name_inner(axes, branches, reach, labels=labels, unit=unit)
    axes.set_ylim(rows, 0)
    axes.set_xlim(-0.02 * width / unit, width / unit)
    _draw_axis(axes, reach=reach, height=height)


def _cut_labels(cells: Cells, names: Sequence[str | None] | None, *, letters: int) -> list[str]:
    """What is written on each cell: on a leaf at most so many letters, nothing where that is 0."""
    leaf = (cells.child_count == 0).tolist()
    labels = ["" if end and letters == 0 else label for end, label in zip(leaf, labels_of(cells, names), strict=True)]
    return shorten_apart(labels, [min(letters, NAME_LETTERS) if end else NAME_LETTERS for end in leaf])


def unit_for(reach: Float[np.ndarray, " leaves"], *, room: Float[np.ndarray, " leaves"]) -> float:
    """Inches for one unit of the depth axis, so that every leaf stands within the room that its name leaves."""
    far = reach > 0
    return float((room[far] / reach[far]).min()) * 0.98 if far.any() else float(room.min())


def line_widths(branches: Branches) -> Float[np.ndarray, " cells"]:
    """The width of the line to each cell, by the share of the leaves that lie below it."""
    least, most = LINE_WIDTHS
    return least + (most - least) * np.sqrt((branches.leaves - 1) / max(branches.leaves[0], 2))


def _draw_lines(axes: "Axes", branches: Branches, reach: Float[np.ndarray, " cells"]) -> None:
    """A line across from each parent's depth to each cell, and one along the children of each parent."""
    from matplotlib.collections import LineCollection

    cells, y = branches.cells, branches.middle
    parent, inner = cells.parent[1:], np.flatnonzero(cells.child_count > 1)
    across = np.stack([np.stack([reach[parent], y[1:]], axis=1), np.stack([reach[1:], y[1:]], axis=1)], axis=1)
    first = cells.first_child[inner]
    last = first + cells.child_count[inner] - 1
    along = np.stack([np.stack([reach[inner], y[end]], axis=1) for end in (first, last)], axis=1)
    width = line_widths(branches)
    for segments, rows in ((along, inner), (across, slice(1, None))):
        lines = LineCollection(list(segments), colors=branches.colors[rows], linewidths=width[rows], capstyle="projecting")
        axes.add_collection(lines, autolim=False)


def _draw_leaves(axes: "Axes", branches: Branches, reach: Float[np.ndarray, " cells"], *, size: float) -> None:
    leaves = branches.cells.child_count == 0
    if size >= 1:
        where = (reach[leaves], branches.middle[leaves])
        axes.scatter(*where, s=size**2, c=branches.colors[leaves], linewidths=0, zorder=3, clip_on=False)


def _name_inner(
    axes: "Axes", branches: Branches, reach: Float[np.ndarray, " cells"], *, labels: list[str], unit: float
) -> None:
    """The names of cells that have children, on the lines that lead to them, where these are long enough."""
    cells = branches.cells
    for row in (np.flatnonzero(cells.child_count[1:] > 0) + 1).tolist():
        room = unit * (reach[row] - reach[cells.parent[row]])
        if labels[row] and width_of_words(labels[row], size=INNER_SIZE) + PAD < room:
            axes.annotate(
                labels[row], (reach[row] - PAD / unit, branches.middle[row]), xytext=(0, 1.2), textcoords="offset points",
                fontsize=INNER_SIZE, color=GREY, parse_math=False, ha="right", va="bottom",
            )  # fmt: skip


def _draw_axis(axes: "Axes", *, reach: Float[np.ndarray, " cells"], height: Float[np.ndarray, " cells"] | None) -> None:
    """The depth axis below the tree alone, not below the names."""
    from matplotlib.ticker import MaxNLocator

    most = float(reach.max())
    highest = None if height is None else float(np.max(height))
    low, high = (0.0, most) if highest is None else (highest - most, highest)
    ticks = np.asarray(MaxNLocator(nbins=8, integer=highest is None, min_n_ticks=1).tick_values(low, high))
    ticks = ticks[(ticks >= low) & (ticks <= high)]
    axes.set_xticks(ticks if highest is None else highest - ticks, [f"{value:g}" for value in ticks])
    axes.set_xlabel("level" if highest is None else "height", x=0.0, ha="left")
    axes.set_yticks([])
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_bounds(0, max(most, 1e-12))
