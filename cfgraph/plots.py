"""Plots: pictures of hierarchies and of comparison reports, by matplotlib, without a screen.

:func:`plot_cells` draws the cells of one hierarchy, or of several beside each other (the true one and the predicted), level
by level; :func:`plot_report` draws what ``cfgraph compare`` reports: errors by level, beside the baselines and the certificate.
"""

import importlib.util
import json
import math
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from cfgraph.cells import Cells
from cfgraph.errors import InputError, MissingExtraError
from cfgraph.exports.files import check_place, whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".pdf", ".svg")
DPI = 200
INK, GREY, FAINT, ACCENT = "#1b1b26", "#6d6d7a", "#c9c9d2", "#b5179e"
QUALITATIVE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6a3d9a", "#4d4d4d")  # after Okabe and Ito

PANEL_AREA = 22.0  # square inches of a panel; its shape follows the data's
PANEL_WIDTHS = (3.0, 9.0)  # inches: the narrowest and the widest panel
LEVEL_RATIO = 1.35  # width over height of a panel that shows levels from top to bottom
STACK_ABOVE = 1.9  # panels wider than this, for their height, stand above each other instead of side by side
LEFT, GAP, LEGEND, STEP = 0.62, 0.28, 1.95, 0.22  # inches: margin, between panels, width of the legend, a line of it
HEAD, AXIS, LINE, FOOT = 0.55, 0.5, 0.17, 0.16  # inches: above a panel, below it, a line of the caption, below that
REPORT_PANEL, REPORT_GAP = (5.0, 3.7), 0.75  # inches: width and height of a report's panel, and between them
KEYS_MAX = 24  # lines of a legend

ROOT_MARK = 12.0  # points: the diameter of the root's mark; a cell's is that times its scale
LEVEL_MARK = 5.0  # points: the largest mark where one level alone is drawn
LEAST_MARK = 1.5  # points, 4 pixels: what the scale alone does not make smaller
INK_SHARE = 0.12  # at most, of the area that a level is spread over, under its marks: so that many cells stay apart
LINES_MAX = 420  # levels with at most this many cells are joined to their parents by lines
SPREAD_BINS = 48  # squares along each side of the grid on which the spread of cells is counted
RASTER_ABOVE = 4000  # marks: a layer with more is kept as an image inside a PDF or SVG
SPILL = 0.25  # of the first panel's box: how far the frame follows the other panels' cells beyond it


@dataclass(frozen=True)
class Panel:
    """One hierarchy in a picture: its cells, its name, and the name of the predictor that grew it, if one did."""

    cells: Cells
    name: str
    grown_by: str | None = None


def plot_cells(panels: Sequence[Panel], path: str | Path, *, depth: int | None = None, level: int | None = None) -> None:
    """Draw hierarchies beside each other on the same axes: each cell a mark at its center, colored by level, sized by scale.

    In two dimensions the plane itself is shown, in more the two main axes (principal components) of the first panel's
    centers, in one the center against the level. ``depth`` leaves out deeper levels (by default those that not all panels
    have); ``level`` leaves out all but one, and colors it by the branch below the root. The suffix tells the form: .png, .pdf
    or .svg. Raises an ``InputError`` for another suffix, a place that cannot be written, a level that is not there, or
    hierarchies of different dimensions or of none.
    """
    check_picture(path)
    panels = _cut(panels, depth=depth, level=level)
    with _style():
        _save(_draw_cells(panels, level=level), path)


def plot_report(report: Mapping[str, Any], path: str | Path) -> None:
    """Draw a comparison report, the object that ``cfgraph compare --format json`` prints, by level on logarithmic scales.

    On the left the nMSE of the predictor and of each baseline, one step from the true parents; on the right the largest
    error of a center after the rollout, with the certificates that bound it. Raises an ``InputError`` for a report of another
    shape, another suffix than .png, .pdf and .svg, or a place that cannot be written.
    """
    check_picture(path)
    sheet = _sheet(report)
    with _style():
        _save(_draw_sheet(sheet), path)


def read_report(text: bytes, *, name: str) -> dict[str, Any]:
    """The report in the bytes of a JSON file; an ``InputError`` with the file's ``name`` where there is none."""
    try:
        report = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"expected the JSON of `cfgraph compare TRUE PREDICTED --format json` in {name}: {error}") from error
    if not isinstance(report, dict):
        raise InputError(f"expected one JSON object, a report of `cfgraph compare`, in {name}, got a {type(report).__name__}")
    return report


def check_picture(path: str | Path) -> Path:
    """The path itself if a picture can be written there in the form that its suffix tells, else an ``InputError``."""
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError.of("matplotlib", extra="plot", purpose="drawing a picture")
    if Path(path).suffix.lower() not in FORMATS:
        raise InputError(f"expected a picture's name that ends in {', '.join(FORMATS)}; got {str(path)!r}")
    return check_place(path)


def _cut(panels: Sequence[Panel], *, depth: int | None, level: int | None) -> tuple[Panel, ...]:
    """The panels down to the same depth, after a check that they can be shown on the same axes."""
    dimensions = {panel.cells.dimension for panel in panels}
    if len(dimensions) != 1 or 0 in dimensions:
        told = ", ".join(f"{panel.name!r} has {panel.cells.dimension}" for panel in panels)
        raise InputError(f"expected hierarchies of one dimension, at least 1, to draw on the same axes; {told}")
    deepest = min(panel.cells.depth for panel in panels)
    if level is not None and level > deepest:
        raise InputError(f"there is no level {level} to draw: the deepest that is there is level {deepest}")
    last = level if level is not None else deepest if depth is None else min(depth, deepest)
    return tuple(replace(panel, cells=panel.cells.prefix(last)) for panel in panels)


# ---------------------------------------------------------------- where the cells lie in the picture


@dataclass(frozen=True)
class _View:
    """Where the cells of each panel lie in the picture, what its axes are, and the part that is shown."""

    points: tuple[Float[np.ndarray, "_ 2"], ...]
    x_label: str
    y_label: str
    told: str  # what the caption says of the axes
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
        return ((points >= self.low) & (points <= self.high)).all(axis=1)

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
    labels = (f"main axis {number} ({share:.0%} of the variance)" for number, share in enumerate(shares, start=1))
    told = f" in {cells[0].dimension} dimensions, seen along the two main axes of {panels[0].name}"
    return _View(points, *labels, told, *_frame_of(points, equal=True), equal=True)


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
class _Key:
    """A line of a legend: a mark's color and size (0: a line instead), what it means, and how many there are."""

    words: str
    color: Any
    size: float = 0.0  # points
    count: int | None = None
    heading: str | None = None  # stands above this line
    dashed: bool = False


@dataclass(frozen=True)
class _Layer:
    """Cells that are drawn alike, with the line that they have in the legend, and their rows in each panel."""

    key: _Key
    rows: tuple[slice | Int[np.ndarray, " _"], ...]


def _level_layers(panels: Sequence[Panel], view: _View) -> list[_Layer]:
    """A layer for each level, from bright for the root to dark for the deepest."""
    cells, predicted_from = panels[0].cells, _first_predicted(panels)
    layers = []
    for level in range(cells.depth + 1):
        rows = tuple(panel.cells.level_rows(level) for panel in panels)
        count, scale = rows[0].stop - rows[0].start, float(cells.scale[rows[0].start] / cells.scale[0])
        size = max(ROOT_MARK * min(scale, count**-0.5), LEAST_MARK)
        if count > LINES_MAX:
            size = min(size, view.room(view.points[0][rows[0]]))
        heading = _heading(level, predicted_from=predicted_from)
        layers.append(_Layer(_Key(f"level {level}", _level_color(level / max(cells.depth, 1)), size, count, heading), rows))
    return layers


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
        layers.append(_Layer(_Key(words, _qualitative(number, of=len(names)), size, len(members[0]), heading), members))
    return layers


def _branches(cells: Cells, *, level: int) -> Int[np.ndarray, " cells"]:
    """For each cell of a level the slot of its ancestor at level 1."""
    rows = np.arange(cells.level_rows(level).start, cells.level_rows(level).stop)
    for _ in range(level - 1):
        rows = cells.parent[rows]
    return cells.slot[rows]


def _qualitative(number: int, *, of: int) -> Any:
    from matplotlib import colormaps

    return QUALITATIVE[number] if of <= len(QUALITATIVE) else colormaps["turbo"](0.05 + 0.9 * number / (of - 1))


# ---------------------------------------------------------------- drawing cells


@dataclass(frozen=True)
class _Layout:
    """Where everything stands, in inches from the lower left corner."""

    width: float  # of a panel
    height: float
    count: int  # of the panels
    stacked: bool  # whether they stand above each other
    legend_height: float
    caption_height: float
    gap: float = GAP  # between panels that stand side by side

    @property
    def panels(self) -> tuple[float, float]:
        """Width and height of all panels together, each with its heading above and its axis below."""
        columns, rows = (1, self.count) if self.stacked else (self.count, 1)
        return columns * (self.width + self.gap), rows * (HEAD + self.height) + AXIS

    @property
    def total(self) -> tuple[float, float]:
        """Width and height of the picture."""
        return LEFT + self.panels[0] + LEGEND, max(self.panels[1], HEAD + self.legend_height) + self.caption_height + FOOT

    @property
    def legend(self) -> tuple[float, float]:
        """The legend's upper left corner."""
        return LEFT + self.panels[0], self.total[1] - HEAD

    def box(self, number: int) -> tuple[float, float, float, float]:
        """Left, bottom, width and height of a panel."""
        column, row = (0, number) if self.stacked else (number, 0)
        bottom = self.total[1] - (row + 1) * (HEAD + self.height)
        return LEFT + column * (self.width + self.gap), bottom, self.width, self.height


def _draw_cells(panels: Sequence[Panel], *, level: int | None) -> "Figure":
    view = _view(panels)
    layers = _level_layers(panels, view) if level is None else _branch_layers(panels, view, level=level)
    step = math.ceil(len(layers) / KEYS_MAX)
    keys = [layer.key for number, layer in enumerate(layers) if number % step == 0 or layer.key.heading]
    stacked = view.width > STACK_ABOVE * view.height
    caption = _wrap(_caption(panels, view, level=level), width=view.width * (1 if stacked else len(panels)) + LEGEND)
    layout = _Layout(view.width, view.height, len(panels), stacked, _legend_height(keys), LINE * len(caption))
    figure = _new_figure(layout.total)
    for number, panel in enumerate(panels):
        axes = _add_axes(figure, layout.box(number))
        _draw_frame(axes, view, left=stacked or number == 0, below=not stacked or number == len(panels) - 1)
        _draw_heading(figure, layout.box(number), name=panel.name, told=_describe(panel, level=level))
        if level is None:
            _draw_lines(axes, panel.cells, view.points[number])
        for order, layer in enumerate(layers):
            _draw_marks(axes, view.points[number][layer.rows[number]], layer.key, order=order / len(layers))
    _draw_legend(figure, keys, place=layout.legend)
    _draw_caption(figure, caption)
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


def _describe(panel: Panel, *, level: int | None) -> str:
    cells = panel.cells
    if level is not None:
        rows = cells.level_rows(level)
        first, told = level, f"{_count(rows.stop - rows.start)} of level {level}"
    else:
        rows, told = slice(None), f"{_count(len(cells))}, {_levels(0, cells.depth)}"
        first = int(cells.level[cells.predicted].min(initial=cells.depth))
    if not cells.predicted[rows].any():
        return told
    return f"{_count(len(cells.predicted[rows]))}; {_levels(first, cells.depth)} grown by {panel.grown_by or 'a predictor'}"


def _count(cells: int) -> str:
    return f"{cells:,} cell" + ("" if cells == 1 else "s")


def _levels(first: int, last: int) -> str:
    return f"level {first}" if first == last else f"levels {first} to {last}"


def _draw_lines(axes: "Axes", cells: Cells, points: Float[np.ndarray, "cells 2"]) -> None:
    """Lines from parents to children, as deep as levels have few enough cells to tell them apart."""
    from matplotlib.collections import LineCollection

    for level in range(1, cells.depth + 1):
        rows = cells.level_rows(level)
        if rows.stop - rows.start > LINES_MAX:
            return
        segments = np.stack([points[cells.parent[rows]], points[rows]], axis=1)
        width = 0.35 + 0.5 * float(cells.scale[rows.start] / cells.scale[0])
        axes.add_collection(LineCollection(segments, colors=INK, linewidths=width, alpha=0.28, zorder=8), autolim=False)


def _draw_marks(axes: "Axes", points: Float[np.ndarray, "cells 2"], key: _Key, *, order: float) -> None:
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
    yield f"Each mark is the center of a cell{view.told}. {by_level if level is None else 'Color: its branch below the root.'}"
    for number, panel in enumerate(panels[1:], start=1):
        outside = int((~view.inside(view.points[number])).sum())
        left_out = f" {outside:,} of its cells lie outside the frame." if outside else ""
        yield _compare(panels[0], panel, level=level) + left_out


def _compare(first: Panel, other: Panel, *, level: int | None) -> str:
    rows, other_rows = _common_rows(first.cells, other.cells)
    if level is not None:
        there = first.cells.level[rows] == level
        rows, other_rows = rows[there], other_rows[there]
    if len(rows) == 0:
        return f"{other.name} shares no address with {first.name}."
    gaps = np.linalg.norm(first.cells.center[rows] - other.cells.center[other_rows], axis=1)
    diameter = float(np.linalg.norm(np.ptp(first.cells.center, axis=0)))
    told = f"{gaps.max() / diameter:.2g} of the diameter" if diameter else f"{gaps.max():.2g}"
    return f"At {len(rows):,} common addresses the centers of {other.name} are at most {told} from those of {first.name}."


def _common_rows(first: Cells, other: Cells) -> tuple[Int[np.ndarray, " common"], Int[np.ndarray, " common"]]:
    """The rows of both that have the same address."""
    if np.array_equal(first.parent, other.parent) and np.array_equal(first.slot, other.slot):
        return np.arange(len(first)), np.arange(len(first))
    where = {address: row for row, address in enumerate(other.addresses)}
    pairs = [(row, where[address]) for row, address in enumerate(first.addresses) if address in where]
    return tuple(np.array(pairs, dtype=np.int64).reshape(-1, 2).T)


# ---------------------------------------------------------------- drawing a report


@dataclass(frozen=True)
class _Curve:
    """A number by level, with its line in the legend; NaN where the report has none."""

    key: _Key
    values: Float[np.ndarray, " levels"]


@dataclass(frozen=True)
class _Chart:
    """One panel of a report's picture."""

    name: str
    told: str
    curves: tuple[_Curve, ...]


@dataclass(frozen=True)
class _Sheet:
    """All that the picture of a report shows."""

    levels: Int[np.ndarray, " levels"]
    charts: tuple[_Chart, ...]
    told: str
    warnings: tuple[str, ...]

    @property
    def curves(self) -> list[_Curve]:
        return [curve for chart in self.charts for curve in chart.curves]

    @property
    def keys(self) -> list[_Key]:
        """A line of the legend for every name, as it first comes."""
        first: dict[str, _Key] = {}
        for curve in self.curves:
            first.setdefault(curve.key.words, curve.key)
        return list(first.values())


def _sheet(report: Mapping[str, Any]) -> _Sheet:
    """What there is to draw of a report; an ``InputError`` where it is none."""
    try:
        levels = np.array([int(level["level"]) for level in report["levels"]])
        if len(levels) == 0:
            raise InputError("the report has no level to draw: the predictor grew nothing that the true hierarchy has")
        warnings = tuple(f"Warning: {line}" for line in report.get("warnings", ()))
        sheet = _Sheet(levels, _charts(report), f"{report['predicted']} against {report['true']}", warnings)
        np.stack([curve.values for curve in sheet.curves], out=np.empty((len(sheet.curves), len(levels))))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            "expected the object that `cfgraph compare TRUE PREDICTED --format json` prints, got one of another shape "
            f"({type(error).__name__}: {error})"
        ) from error
    return sheet


def _charts(report: Mapping[str, Any]) -> tuple[_Chart, _Chart]:
    """The two panels of a report."""
    predicted = str(report["predicted"])
    step = _Curve(_Key(predicted, ACCENT, heading="predictor"), _values(report, "teacher_forced", "nmse"))
    drift = _Curve(_Key(f"{predicted}, rolled out", ACCENT, dashed=True), _values(report, "rolled_out", "nmse"))
    steps = [step, drift, *_baseline_curves(report, "teacher_forced", "nmse")]
    rolled = _Curve(_Key(predicted, ACCENT), _values(report, "rolled_out", "max_center_error"))
    centers = [rolled, *_baseline_curves(report, "rolled_out", "max_center_error"), *_certificate_curves(report)]
    return (
        _Chart("nMSE of the residuals", "one step from the true parent; 1 is as good as no residual at all", tuple(steps)),
        _Chart(
            "largest error of a center",
            f"rolled out from level {int(report['from_depth'])}, in the unit of the centers",
            tuple(centers),
        ),
    )


def _baseline_curves(report: Mapping[str, Any], mode: str, measure: str) -> Iterator[_Curve]:
    families = report["baselines"]
    for number, (family, baseline) in enumerate(families.items()):
        key = _Key(str(family), _qualitative(number, of=len(families)), heading=None if number else "baselines")
        yield _Curve(key, _values(baseline, mode, measure))


def _certificate_curves(report: Mapping[str, Any]) -> Iterator[_Curve]:
    """The bounds that the report has: the tightest, level by level, then the two that hold at every depth."""
    levels, whole = report["levels"], report.get("certificates") or {}
    bounds = {
        "by level": whole.get("by_level") or [None] * len(levels),
        "from the prefix": [level["certificate"] for level in levels],
        "from the root": [whole.get("from_root")] * len(levels),
    }
    known = {name: np.array([_number(bound) for bound in values]) for name, values in bounds.items() if any(values)}
    for number, (name, values) in enumerate(known.items()):
        heading = None if number else "certificate: at most"
        yield _Curve(_Key(name, (INK, GREY, FAINT)[number], dashed=True, heading=heading), values)


def _values(report: Mapping[str, Any], mode: str, measure: str) -> Float[np.ndarray, " levels"]:
    return np.array([_number(level[mode][measure]) if level[mode] else np.nan for level in report["levels"]])


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _draw_sheet(sheet: _Sheet) -> "Figure":
    keys = sheet.keys
    zeros = " Hollow marks: exactly zero." if any((curve.values == 0).any() for curve in sheet.curves) else ""
    caption = f"{sheet.told}, at the levels that the predictor has never seen.{zeros}"
    lines = _wrap([caption, *sheet.warnings], width=len(sheet.charts) * REPORT_PANEL[0] + LEGEND)
    layout = _Layout(*REPORT_PANEL, len(sheet.charts), False, _legend_height(keys), LINE * len(lines), gap=REPORT_GAP)
    figure = _new_figure(layout.total)
    for number, chart in enumerate(sheet.charts):
        _draw_heading(figure, layout.box(number), name=chart.name, told=chart.told)
        _draw_chart(_add_axes(figure, layout.box(number)), chart, sheet.levels)
    _draw_legend(figure, keys, place=layout.legend)
    _draw_caption(figure, lines)
    return figure


def _draw_chart(axes: "Axes", chart: _Chart, levels: Int[np.ndarray, " levels"]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_yscale("log")
    axes.set_xlabel("level")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(axis="y", color=FAINT, linewidth=0.4)
    axes.margins(x=0.04, y=0.06)
    foot = _foot(chart)
    for order, curve in enumerate(reversed(chart.curves), start=2):
        _draw_curve(axes, curve, levels, foot=foot, order=order)


def _foot(chart: _Chart) -> float:
    """Where zeros are drawn on a logarithmic scale: below everything else."""
    values = np.concatenate([curve.values for curve in chart.curves])
    positive = values[np.isfinite(values) & (values > 0)]
    return float(positive.min()) / 5 if len(positive) else np.finfo(float).eps


def _draw_curve(axes: "Axes", curve: _Curve, levels: Int[np.ndarray, " levels"], *, foot: float, order: int) -> None:
    main = curve.key.color == ACCENT
    style = {"color": curve.key.color, "zorder": order, "linewidth": 2.2 if main else 1.2, "clip_on": False}
    dashes = {"linestyle": (0, (4, 2))} if curve.key.dashed else {"marker": "o", "markersize": 5 if main else 3.5}
    positive = np.isfinite(curve.values) & (curve.values > 0)
    axes.plot(levels, np.where(positive, curve.values, np.nan), **style, **dashes)
    zero = levels[curve.values == 0]
    axes.plot(zero, np.full(len(zero), foot), linestyle="none", marker="o", markerfacecolor="white", markersize=5, **style)


# ---------------------------------------------------------------- what all pictures share


def _new_figure(size: tuple[float, float]) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def _add_axes(figure: "Figure", box: tuple[float, float, float, float]) -> "Axes":
    width, height = figure.get_size_inches()
    return figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height))


def _write(figure: "Figure", x: float, y: float, words: str, **style: Any) -> None:
    """Text at a place in inches; never read as mathematics, because a user's id may hold a dollar sign."""
    width, height = figure.get_size_inches()
    figure.text(x / width, y / height, words, parse_math=False, **{"color": INK, **style})


def _draw_heading(figure: "Figure", box: tuple[float, float, float, float], *, name: str, told: str) -> None:
    left, top = box[0], box[1] + box[3]
    _write(figure, left, top + 0.25, _fit(name, width=box[2], size=13.0), size=11, weight="bold")
    _write(figure, left, top + 0.08, _fit(told, width=box[2], size=8.0), size=8, color=GREY)


def _letters(width: float, *, size: float) -> int:
    """About how many letters of a size in points stand on a width in inches."""
    return int(width * 72 / (0.51 * size))


def _fit(words: str, *, width: float, size: float) -> str:
    most = _letters(width, size=size)
    return words if len(words) <= most else words[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _wrap(lines: Iterable[str], *, width: float) -> list[str]:
    return [part for line in lines for part in textwrap.wrap(line, _letters(width, size=8.0))]


def _draw_caption(figure: "Figure", lines: Sequence[str]) -> None:
    for number, words in enumerate(reversed(lines)):
        _write(figure, LEFT, FOOT + LINE * number, words, size=8, color=GREY)


def _legend_height(keys: Sequence[_Key]) -> float:
    return STEP * (len(keys) + 1.6 * sum(key.heading is not None for key in keys))


def _draw_legend(figure: "Figure", keys: Sequence[_Key], *, place: tuple[float, float]) -> None:
    left, y = place[0], place[1] - 0.1
    for number, key in enumerate(keys):
        if key.heading:
            y -= 0.6 * STEP if number else 0
            _write(figure, left, y, key.heading, size=8, color=GREY, va="center")
            y -= STEP
        _draw_key(figure, left + 0.1, y, key)
        _write(figure, left + 0.3, y, _fit(key.words, width=LEGEND - 0.3, size=8.5), size=8.5, va="center")
        if key.count is not None:
            _write(figure, left + 1.5, y, f"{key.count:,}", size=8.5, color=GREY, va="center", ha="right")
        y -= STEP


def _draw_key(figure: "Figure", x: float, y: float, key: _Key) -> None:
    from matplotlib.lines import Line2D

    width, height = figure.get_size_inches()
    if key.size:
        style = {"marker": "o", "markersize": min(max(key.size, 4.5), ROOT_MARK), "markeredgewidth": 0, "linestyle": "none"}
        ends = [x]
    else:
        style = {"linewidth": 2.2 if key.color == ACCENT else 1.4, "linestyle": (0, (2.5, 1.2)) if key.dashed else "-"}
        ends = [x - 0.1, x + 0.1]
    figure.add_artist(Line2D([end / width for end in ends], [y / height] * len(ends), color=key.color, **style))


@contextmanager
def _style() -> Iterator[None]:
    """The look of all pictures, set while one is drawn; matplotlib's own settings stay as they are."""
    import matplotlib

    colors = {f"{axis}tick.{part}": color for axis in "xy" for part, color in (("color", FAINT), ("labelcolor", GREY))}
    sizes = {"font.size": 8.5, "xtick.labelsize": 7.5, "ytick.labelsize": 7.5, "axes.linewidth": 0.8}
    look = {"axes.edgecolor": FAINT, "axes.labelcolor": GREY, "svg.hashsalt": "cfgraph", **colors, **sizes}
    with matplotlib.rc_context(look), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # an id in a script that the font lacks is drawn as boxes
        yield


def _save(figure: "Figure", path: str | Path) -> None:
    with whole_file(path) as file:
        figure.savefig(file, format=Path(path).suffix.lower().removeprefix("."))
