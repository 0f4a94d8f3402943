"""Report: the picture of what ``cfgraph compare`` reports: errors by level, beside the baselines and the certificate."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.plots.page import (
    ACCENT,
    FAINT,
    GREY,
    INK,
    LEGEND,
    LINE,
    Key,
    Layout,
    add_axes,
    check_picture,
    draw_caption,
    draw_heading,
    draw_legend,
    legend_height,
    new_figure,
    picture_style,
    qualitative,
    save_figure,
)
from cfgraph.plots.words import tell_boxes, wrap_lines
from cfgraph.visible import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REPORT_BYTES_MAX = 1 << 26  # a report holds some numbers a level and a baseline; streams may have no end
REPORT_PANEL, REPORT_GAP = (5.0, 3.7), 0.75  # inches: width and height of a report's panel, and between them


def plot_report(report: Mapping[str, Any], path: str | Path) -> None:
    """Draw a comparison report, the object that ``cfgraph compare --format json`` prints, by level on logarithmic scales.

    On the left the nMSE of the predictor and of each baseline, one step from the true parents; on the right the largest
    error of a center after the rollout, with the certificates that bound it. Raises an ``InputError`` for a report of another
    shape, another suffix than .png, .pdf and .svg, or a place that cannot be written.
    """
    check_picture(path)
    sheet = _sheet(report)
    with picture_style(sheet.words):
        save_figure(_draw_sheet(sheet), path)


def read_report(text: bytes, *, name: str) -> dict[str, Any]:
    """The report in the bytes of a JSON file; an ``InputError`` with the file's ``name`` where there is none."""
    if len(text) > REPORT_BYTES_MAX:
        raise InputError(f"expected a report of `cfgraph compare`, of at most {REPORT_BYTES_MAX:,} bytes, in {name}, got more")
    try:
        report = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"expected the JSON of `cfgraph compare TRUE PREDICTED --format json` in {name}: {error}") from error
    if not isinstance(report, dict):
        raise InputError(f"expected one JSON object, a report of `cfgraph compare`, in {name}, got a {type(report).__name__}")
    return report


@dataclass(frozen=True)
class _Curve:
    """A number by level, with its line in the legend; NaN where the report has none."""

    key: Key
    values: Float[np.ndarray, " levels"]


@dataclass(frozen=True)
class _Chart:
    """One panel of a report's picture."""

    name: str
    description: str
    curves: tuple[_Curve, ...]


@dataclass(frozen=True)
class _Sheet:
    """All that the picture of a report shows."""

    levels: Int[np.ndarray, " levels"]
    charts: tuple[_Chart, ...]
    description: str
    warnings: tuple[str, ...]

    @property
    def curves(self) -> list[_Curve]:
        return [curve for chart in self.charts for curve in chart.curves]

    @property
    def words(self) -> list[str]:
        """All words that hold names."""
        return [self.description, *self.warnings, *(key.words for key in self.keys)]

    @property
    def keys(self) -> list[Key]:
        """A line of the legend for every name, as it first comes."""
        first: dict[str, Key] = {}
        for curve in self.curves:
            first.setdefault(curve.key.words, curve.key)
        return list(first.values())


def _sheet(report: Mapping[str, Any]) -> _Sheet:
    """What there is to draw of a report; an ``InputError`` where it is none."""
    try:
        levels = np.array([int(level["level"]) for level in report["levels"]])
        if len(levels) == 0:
            raise InputError("the report has no level to draw: the predictor grew nothing that the true hierarchy has")
        warnings = tuple(f"Warning: {visible(line)}" for line in report.get("warnings", ()))
        sheet = _Sheet(levels, _charts(report), visible(f"{report['predicted']} against {report['true']}"), warnings)
        np.stack([curve.values for curve in sheet.curves], out=np.empty((len(sheet.curves), len(levels))))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            "expected the object that `cfgraph compare TRUE PREDICTED --format json` prints, got one of another shape "
            f"({type(error).__name__}: {error})"
        ) from error
    return sheet


def _charts(report: Mapping[str, Any]) -> tuple[_Chart, _Chart]:
    """The two panels of a report."""
    predicted = visible(str(report["predicted"]))
    step = _Curve(Key(predicted, ACCENT, heading="predictor"), _values(report, "teacher_forced", "nmse"))
    drift = _Curve(Key(f"{predicted}, rolled out", ACCENT, dashed=True), _values(report, "rolled_out", "nmse"))
    steps = [step, drift, *_baseline_curves(report, "teacher_forced", "nmse")]
    rolled = _Curve(Key(predicted, ACCENT), _values(report, "rolled_out", "max_center_error"))
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
    """What stands beside the predictor; reports of 0.1 have baselines alone."""
    baselines, learned = report["baselines"], report.get("beside") or {}
    for number, (family, found) in enumerate((*baselines.items(), *learned.items())):
        heading = {0: "baselines", len(baselines): "learned, beside them"}.get(number)
        key = Key(visible(str(family)), qualitative(number, of=len(baselines) + len(learned)), heading=heading)
        yield _Curve(key, _values(found, mode, measure))


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
        yield _Curve(Key(name, (INK, GREY, FAINT)[number], dashed=True, heading=heading), values)


def _values(report: Mapping[str, Any], mode: str, measure: str) -> Float[np.ndarray, " levels"]:
    return np.array([_number(level[mode][measure]) if level[mode] else np.nan for level in report["levels"]])


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _draw_sheet(sheet: _Sheet) -> "Figure":
    keys = sheet.keys
    zeros = " Hollow marks: exactly zero." if any((curve.values == 0).any() for curve in sheet.curves) else ""
    caption = f"{sheet.description}, at the levels that the predictor has never seen.{zeros}"
    boxes = tell_boxes(sheet.words)
    texts = [caption, *sheet.warnings, *([boxes] if boxes else ())]
    lines = wrap_lines(texts, width=len(sheet.charts) * REPORT_PANEL[0] + LEGEND)
    layout = Layout(*REPORT_PANEL, len(sheet.charts), False, legend_height(keys), LINE * len(lines), gap=REPORT_GAP)
    figure = new_figure(layout.total)
    for number, chart in enumerate(sheet.charts):
        draw_heading(figure, layout.box(number), name=chart.name, description=chart.description)
        _draw_chart(add_axes(figure, layout.box(number)), chart, sheet.levels)
    draw_legend(figure, keys, place=layout.legend)
    draw_caption(figure, lines)
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
