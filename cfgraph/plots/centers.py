"""Centers: each cell a mark at its center, of one hierarchy or of several beside each other, level by level."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.model.cells import Cells
from cfgraph.plots.branches import TRUNK, Branches
from cfgraph.plots.groups import Groups
from cfgraph.plots.page import (
    DPI,
    INK,
    KEYS_MAX,
    LINE,
    RASTER_ABOVE,
    ROOT_MARK,
    Key,
    Layout,
    Panel,
    add_axes,
    check_picture,
    describe_panel,
    draw_caption,
    draw_heading,
    draw_legend,
    legend_height,
    legend_width,
    new_figure,
    picture_style,
    qualitative,
    save_figure,
    tell_omissions,
)
from cfgraph.plots.words import wrap_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_AREA = 22.0  # square inches of a panel; its shape follows the data's
PANEL_WIDTHS = (3.0, 9.0)  # inches: the narrowest and the widest panel
LEVEL_RATIO = 1.35  # width over height of a panel that shows levels from top to bottom
STACK_ABOVE = 1.9  # panels wider than this, for their height, stand above each other instead of side by side
LEVEL_MARK = 5.0  # points: the largest mark where one level alone is drawn
LEAST_MARK = 1.5  # points, 4 pixels: what the scale alone does not make smaller
INK_SHARE = 0.12  # at most, of the area that a level is spread over, under its marks: so that many cells stay apart
GROUP_MARK = 7.0  # points: a group's mark in the legend
LINES_MAX = 420  # levels with at most this many cells are joined to their parents by lines
SPREAD_BINS = 48  # squares along each side of the grid on which the spread of cells is counted
SPILL = 0.25  # of the first panel's box: how far the frame follows the other panels' cells beyond it


def plot_cells(
    panels: Sequence[Panel], path: str | Path | None, *, depth: int | None = None, level: int | None = None
) -> "Figure":
    """Draw hierarchies beside each other on the same axes: each cell a mark at its center, colored by level, sized by scale.

    In two dimensions the plane itself is shown, in more the two main axes (principal components) of the first panel's
    centers, in one the center against the level. ``depth`` leaves out deeper levels (by default those that not all panels
    have); ``level`` leaves out all but one, and colors it by the branch below the root. The suffix tells the form: .png, .pdf
    or .svg; without a path the figure that is given back is all there is. Raises an ``InputError`` for another suffix, a place
    that cannot be written, a level that is not there, or hierarchies of different dimensions or of none.
    """
    if path is not None:
        check_picture(path)
    panels = _cut(panels, depth=depth, level=level)
    with picture_style(panel.name for panel in panels):
        figure = _draw_cells(panels, level=level)
        if path is not None:
            save_figure(figure, path)
        return figure


def _cut(panels: Sequence[Panel], *, depth: int | None, level: int | None) -> tuple[Panel, ...]:
    """The panels down to the same depth, after a check that they can be shown on the same axes."""
    dimensions = {panel.cells.dimension for panel in panels}
    if len(dimensions) != 1 or 0 in dimensions:
        detail = ", ".join(f"{panel.name!r} has {panel.cells.dimension}" for panel in panels)
        raise InputError(f"expected hierarchies of one dimension, at least 1, to draw on the same axes; {detail}")
    deepest = min(panel.cells.depth for panel in panels)
    if level is not None and level > deepest:
        raise InputError(f"there is no level {level} to draw: the deepest that is there is level {deepest}")
    last = level if level is not None else deepest if depth is None else min(depth, deepest)
    return tuple(panel.named_visibly().prefix(last) for panel in panels)


# ---------------------------------------------------------------- where the cells lie in the picture


@dataclass(frozen=True)
class _View:
    """Where the cells of each panel lie in the picture, what its axes are, and the part that is shown."""

    points: tuple[Float[np.ndarray, "_ 2"], ...]
    x_label: str
    y_label: str
    note: str  # what the caption says of the axes
    low: Float[np.ndarray, " 2"]
    high: Float[np.ndarray, " 2"]
    equal: bool  # whether both axes have one unit; else the second is the level, and the root is on top

    @property
    def width(self) -> float:
        """Inches across a panel of about ``PANEL_AREA``."""
        return float(np.clip(math.sqrt(PANEL_AREA * self.ratio), *PANEL_WIDTHS))

    @property
    def height(self) -> float:
        """Inches from a panel's foot to its top."""
        return self.width / self.ratio

    @property
    def ratio(self) -> float:
        """Width over height."""
        return float(np.divide(*(self.high - self.low))) if self.equal else LEVEL_RATIO

    def inside(self, points: Float[np.ndarray, "cells 2"]) -> np.ndarray:
        """Whether each point lies in the part that is shown."""
        return np.all((points >= self.low) & (points <= self.high), axis=1)

    def room(self, points: Float[np.ndarray, "cells 2"]) -> float:
        """The largest diameter with which the marks of many cells cover ``INK_SHARE`` of what they are spread over, in points.

        Their spread is counted on a coarse grid; cells that fall into one pixel count once.
        """
        share = (points[self.inside(points)] - self.low) / (self.high - self.low)
        spread = self.width * self.height * 72**2 * _occupied(share, bins=SPREAD_BINS) / SPREAD_BINS**2
        return math.sqrt(INK_SHARE * spread / _occupied(share, bins=int(DPI * max(self.width, self.height))))


def _occupied(share: Float[np.ndarray, "cells 2"], *, bins: int) -> int:
    """How many squares of a grid over the unit square hold a point; at least 1."""
    return max(len(np.unique(np.minimum((bins * share).astype(np.int64), bins - 1) @ [bins, 1])), 1)


def _view(panels: Sequence[Panel]) -> _View:
    cells = [panel.cells for panel in panels]
    if cells[0].dimension == 1:
        points = tuple(np.column_stack([c.center[:, 0], c.level]) for c in cells)
        return _View(points, "center", "level", " at its level", *_frame_of(points, equal=False), equal=False)
    if cells[0].dimension == 2:
        points = tuple(c.center for c in cells)
        return _View(points, "$x_0$", "$x_1$", "", *_frame_of(points, equal=True), equal=True)
    mean, axes, shares = main_axes(cells[0].center)
    points = tuple((c.center - mean) @ axes.T for c in cells)
    first, second = (f"main axis {number} ({share:.0%} of the variance)" for number, share in enumerate(shares, start=1))
    note = f" in {cells[0].dimension} dimensions, seen along the two main axes of {panels[0].name}"
    return _View(points, first, second, note, *_frame_of(points, equal=True), equal=True)


def main_axes(
    center: Float[np.ndarray, "cells dim"],
) -> tuple[Float[np.ndarray, " dim"], Float[np.ndarray, "2 dim"], Float[np.ndarray, " 2"]]:
    """The mean of some centers, their first two principal axes, and the share of the variance along each.

    An axis points to where its largest component is positive, so that the same cells always give the same picture.
    """
    mean = center.mean(axis=0)
    _, strengths, axes = np.linalg.svd(center - mean, full_matrices=False)
    axes = np.vstack([axes, np.zeros((2, center.shape[1]))])[:2]  # fewer than two cells span no plane
    shares = np.append(strengths, [0.0, 0.0])[:2] ** 2 / max(float((strengths**2).sum()), np.finfo(float).tiny)
    largest = axes[np.arange(2), np.abs(axes).argmax(axis=1)]
    return mean, axes * np.where(largest < 0, -1.0, 1.0)[:, None], shares


SHOWN_LEAST = 1 / 3  # of the variance of the centers: below that their picture says little


def variance_shown(cells: Cells) -> float:
    """The share of the variance of the centers that two axes show: 1 in two dimensions and fewer."""
    if cells.dimension <= 2 or len(cells) < 2:
        return 1.0
    return float(main_axes(cells.center)[2].sum())


def _frame_of(points: Sequence[np.ndarray], *, equal: bool) -> tuple[Float[np.ndarray, " 2"], Float[np.ndarray, " 2"]]:
    """The corners of the frame: all of the first panel's points and, within reason, those of the others."""
    low, high = points[0].min(axis=0), points[0].max(axis=0)
    spill = SPILL * (high - low).max()
    for other in points[1:]:
        low = np.minimum(low, np.maximum(other.min(axis=0), low - spill))
        high = np.maximum(high, np.minimum(other.max(axis=0), high + spill))
    extent = high - low
    if equal:
        extent = np.maximum(extent, 0.15 * extent.max())  # a hierarchy on a line still gets a panel that one can see
    extent = np.where(extent > 1e-9 * np.abs(high), 1.06 * extent, 1.0)  # nor does a single cell fill no space
    return (low + high - extent) / 2, (low + high + extent) / 2


# ---------------------------------------------------------------- what is drawn alike


@dataclass(frozen=True)
class _Layer:
    """Cells that are drawn alike, with the line that they have in the legend, and their rows in each panel."""

    key: Key
    rows: tuple[slice | Int[np.ndarray, " _"], ...]


def _level_layers(panels: Sequence[Panel], view: _View) -> list[_Layer]:
    """A layer for each level, from bright for the root to dark for the deepest."""
    cells, predicted_from = panels[0].cells, _first_predicted(panels)
    layers: list[_Layer] = []
    for level in range(cells.depth + 1):
        rows = tuple(panel.cells.level_rows(level) for panel in panels)
        count, scale = rows[0].stop - rows[0].start, float(cells.scale[rows[0].start] / cells.scale[0])
        size = max(ROOT_MARK * min(scale, count**-0.5), LEAST_MARK)
        if count > LINES_MAX:
            size = min(size, view.room(view.points[0][rows[0]]))
        size = min(size, layers[-1].key.size) if layers else size  # deeper cells are smaller: no mark says otherwise
        heading = _heading(level, predicted_from=predicted_from)
        color, common = _level_color(level / max(cells.depth, 1)), _common_count([part.stop - part.start for part in rows])
        layers.append(_Layer(Key(f"level {level}", color, size, common, heading), rows))
    return layers


def _common_count(counts: Sequence[int]) -> int | None:
    """How many cells of a kind there are where all panels have as many: one panel's count is not to be read as another's."""
    return counts[0] if len(set(counts)) == 1 else None


def _first_predicted(panels: Sequence[Panel]) -> int | None:
    """The shallowest level on which any panel has predicted cells; None where none has."""
    found = [int(panel.cells.level[panel.cells.predicted].min()) for panel in panels if panel.cells.predicted.any()]
    return min(found, default=None)


def _heading(level: int, *, predicted_from: int | None) -> str | None:
    if level == predicted_from:
        return "predicted (never seen)"
    if level == 0:
        return "cells by level" if predicted_from is None else "observed"
    return None


def _level_color(share: float) -> Any:
    from matplotlib import colormaps

    return colormaps["plasma"](0.86 * (1 - share) ** 0.9)  # without the yellow end, which white paper swallows


def _branch_layers(panels: Sequence[Panel], view: _View, *, level: int) -> list[_Layer]:
    """A layer for each child of the root: the cells of one level below it."""
    rows = [panel.cells.level_rows(level) for panel in panels]
    branches = [_branches(panel.cells, level=level) for panel in panels]
    names, layers, size = np.unique(branches[0]), [], LEVEL_MARK
    if len(branches[0]) > LINES_MAX:
        size = min(size, view.room(view.points[0][rows[0]]))
    for number, branch in enumerate(names):
        members = tuple(where.start + np.flatnonzero(found == branch) for where, found in zip(rows, branches, strict=True))
        words = f"below /{branch}" if level else "the root"
        heading = f"cells of level {level}" if number == 0 else None
        key = Key(words, qualitative(number, of=len(names)), size, _common_count(list(map(len, members))), heading)
        layers.append(_Layer(key, members))
    return layers


def _group_layers(panels: Sequence[Panel], layers: Sequence[_Layer]) -> tuple[list[_Layer], list[Key]]:
    """The layers apart by group, the cells of none below the others; a line of the legend for each group, with its cells."""
    groups = [panel.groups for panel in panels]
    first = groups[0]
    assert first is not None
    palette = [tuple(color) for color in Branches(panels[0].cells, first).palette.tolist()]
    names = dict.fromkeys(name for group in groups if group is not None for name in group.names)
    colors = {name: palette[number % len(palette)] for number, name in enumerate(names)}
    found: dict[str | None, list[_Layer]] = {None: [], **{name: [] for name in names}}
    totals: dict[str | None, list[int]] = {name: [0] * len(panels) for name in found}
    for layer in layers:
        for name in found:
            rows = [_of_group(where, group, name) for where, group in zip(layer.rows, groups, strict=True)]
            sizes = [len(some) for some in rows]
            if sum(sizes):
                totals[name] = [total + size for total, size in zip(totals[name], sizes, strict=True)]
                color = TRUNK if name is None else colors[name]
                found[name].append(_Layer(replace(layer.key, color=color), tuple(rows)))
    counts = {name: _common_count(total) for name, total in totals.items()}
    keys = [
        Key("none" if name is None else name, TRUNK if name is None else colors[name], GROUP_MARK, counts[name])
        for name in [*list(names)[:KEYS_MAX], None]
        if found[name]
    ]
    left_out = len(names) - KEYS_MAX
    heading = f"cells by {first.short}" + (f", {KEYS_MAX} of {len(names):,}" if left_out > 0 else "")
    keys = [replace(key, heading=None if at else heading) for at, key in enumerate(keys)]
    return [layer for some in found.values() for layer in some], keys


def _of_group(rows: slice | Int[np.ndarray, " _"], groups: Groups | None, name: str | None) -> Int[np.ndarray, " members"]:
    """The rows among some that are of a group; of none for no name."""
    assert groups is not None
    some = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
    wanted = -1 if name is None else groups.names.index(name) if name in groups.names else -2
    return some[groups.number[some] == wanted]


def _branches(cells: Cells, *, level: int) -> Int[np.ndarray, " cells"]:
    """For each cell of a level the slot of its ancestor at level 1."""
    rows = np.arange(cells.level_rows(level).start, cells.level_rows(level).stop)
    for _ in range(level - 1):
        rows = cells.parent[rows]
    return cells.slot[rows]


# ---------------------------------------------------------------- drawing cells


def _draw_cells(panels: Sequence[Panel], *, level: int | None) -> "Figure":
    view = _view(panels)
    layers = _level_layers(panels, view) if level is None else _branch_layers(panels, view, level=level)
    step = math.ceil(len(layers) / KEYS_MAX)
    keys = [layer.key for number, layer in enumerate(layers) if number % step == 0 or layer.key.heading]
    if all(panel.groups is not None for panel in panels):
        layers, keys = _group_layers(panels, layers)
    stacked = view.width > STACK_ABOVE * view.height
    across = legend_width(keys)
    caption = wrap_lines(_caption(panels, view, level=level), width=view.width * (1 if stacked else len(panels)) + across)
    high = legend_height(keys)
    layout = Layout(view.width, view.height, len(panels), stacked, high, LINE * len(caption), legend_width=across)
    figure = new_figure(layout.total)
    for number, panel in enumerate(panels):
        axes = add_axes(figure, layout.box(number))
        _draw_frame(axes, view, left=stacked or number == 0, below=not stacked or number == len(panels) - 1)
        draw_heading(figure, layout.box(number), name=panel.name, description=describe_panel(panel, level=level))
        if level is None:
            _draw_lines(axes, panel.cells, view.points[number])
        for order, layer in enumerate(layers):
            _draw_marks(axes, view.points[number][layer.rows[number]], layer.key, order=order / len(layers))
    draw_legend(figure, keys, place=layout.legend, width=across)
    draw_caption(figure, caption)
    return figure


def _draw_frame(axes: "Axes", view: _View, *, left: bool, below: bool) -> None:
    axes.set_xlim(view.low[0], view.high[0])
    axes.set_ylim(*((view.low[1], view.high[1]) if view.equal else (view.high[1], view.low[1])))
    axes.set_xlabel(view.x_label if below else "")
    axes.set_ylabel(view.y_label if left else "")
    axes.tick_params(labelleft=left, labelbottom=below)
    if not view.equal:
        from matplotlib.ticker import MaxNLocator

        axes.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _draw_lines(axes: "Axes", cells: Cells, points: Float[np.ndarray, "cells 2"]) -> None:
    """Lines from parents to children, as deep as levels have few enough cells to tell them apart."""
    from matplotlib.collections import LineCollection

    for level in range(1, cells.depth + 1):
        rows = cells.level_rows(level)
        if rows.stop - rows.start > LINES_MAX:
            return
        segments = np.stack([points[cells.parent[rows]], points[rows]], axis=1)
        width = 0.35 + 0.5 * float(cells.scale[rows.start] / cells.scale[0])
        axes.add_collection(LineCollection(list(segments), colors=INK, linewidths=width, alpha=0.28, zorder=8), autolim=False)


def _draw_marks(axes: "Axes", points: Float[np.ndarray, "cells 2"], key: Key, *, order: float) -> None:
    """The few cells of shallow levels lie on top, the shallowest first; below them the many, the deepest first."""
    above = 10 - order if len(points) <= LINES_MAX else 5 + order
    style = {"color": key.color, "zorder": above, "rasterized": len(points) > RASTER_ABOVE, **_mark(key.size)}
    axes.plot(*points.T, linestyle="none", **style)


def _mark(size: float) -> dict[str, Any]:
    """A pixel, a square of a few whole pixels or, where there is room, a disc."""
    pixels = round(size * DPI / 72)
    if pixels <= 1:
        return {"marker": ",", "antialiased": False}
    if pixels <= 4:
        return {"marker": "s", "markersize": pixels * 72 / DPI, "markeredgewidth": 0, "antialiased": False}
    return {"marker": "o", "markersize": size, "markeredgewidth": 0.1 * size, "markeredgecolor": "white"}


def _caption(panels: Sequence[Panel], view: _View, *, level: int | None) -> Iterator[str]:
    """What a mark is; how far apart the panels are; what the frame leaves out: a line each."""
    by_level = "Color: its level. Size: its scale, and less where cells are many."
    by_branch = "Color: its branch below the root."
    if panels[0].groups is not None:
        by_level = f"Color: {panels[0].groups.what}. Size: its scale, and less where cells are many."
        by_branch = f"Color: {panels[0].groups.what}."
    yield f"Each mark is the center of a cell{view.note}. {by_level if level is None else by_branch}"
    for number, panel in enumerate(panels[1:], start=1):
        outside = int((~view.inside(view.points[number])).sum())
        left_out = f" {outside:,} of its cells lie outside the frame." if outside else ""
        yield _compare(panels[0], panel, level=level) + left_out
    yield from tell_omissions(panels, words=[panel.name for panel in panels])


def _compare(first: Panel, other: Panel, *, level: int | None) -> str:
    rows, other_rows = _common_rows(first.cells, other.cells)
    if level is not None:
        there = first.cells.level[rows] == level
        rows, other_rows = rows[there], other_rows[there]
    if len(rows) == 0:
        return f"{other.name} shares no address with {first.name}."
    gaps = np.linalg.norm(first.cells.center[rows] - other.cells.center[other_rows], axis=1)
    diameter = float(np.linalg.norm(np.ptp(first.cells.center, axis=0)))
    largest = f"{gaps.max() / diameter:.2g} of the diameter" if diameter else f"{gaps.max():.2g}"
    return f"At {len(rows):,} common addresses the centers of {other.name} are at most {largest} from those of {first.name}."


def _common_rows(first: Cells, other: Cells) -> tuple[Int[np.ndarray, " common"], Int[np.ndarray, " common"]]:
    """The rows of both that have the same address."""
    if np.array_equal(first.parent, other.parent) and np.array_equal(first.slot, other.slot):
        return np.arange(len(first)), np.arange(len(first))
    where = {address: row for row, address in enumerate(other.addresses)}
    pairs = [(row, where[address]) for row, address in enumerate(first.addresses) if address in where]
    rows, other_rows = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return rows, other_rows
