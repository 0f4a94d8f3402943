"""SVG: a cut as a picture that can be scaled, with its name and a scale bar in the hierarchy's own units."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

from cfgraph.exploring.codec import MISSING, Cut
from cfgraph.plots.page import QUALITATIVE
from cfgraph.visible import visible

CELLS_MAX = 100_000  # circles that a picture has at most
PARTLY = "not all cells are drawn"
_LOW, _HIGH = np.array([68, 1, 84]), np.array([253, 231, 37])
_NONE = "#bbbbbb"
_STEPS = 64  # colors of numbers
_LEAST = 0.5  # pixels of a circle's radius
_BAR, _ASIDE, _INK = 160.0, 16.0, "#4d4d59"  # pixels of a scale bar at most, and from the border; its color
_FULL, _LETTER = 0.92, 0.6  # of a circle's radius that is filled; a letter's width, of a line's height
_SMALLEST, _USUAL = 2.0, 13.0  # heights of names
RINGS_MAX = 5_000  # circles around others that a picture has at most
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, eq=False)
class Nested:
    """Cells without centers, circles in circles: what each one of a cut is called, and the circles around them."""

    names: Sequence[str | None]
    around: Sequence[tuple[float, float, float, str | None]]  # x, y, radius and name

    def rings(self) -> list[str]:
        """The circles around others."""
        drawn = [f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{r:.2f}"/>' for x, y, r, _ in self.around]
        return ['<g fill="none" stroke="#a5a39d">', *drawn, "</g>"]

    def words(self, cut: Cut) -> list[str]:
        """The names, as large as their circles let them be."""
        inside = zip(cut.x.tolist(), cut.y.tolist(), (cut.r * _FULL).tolist(), self.names, strict=True)
        told = [_word(name, x, y, 2 * r) for x, y, r, name in inside if name]
        told += [_word(name, x, y - 0.9 * r, r) for x, y, r, name in self.around if name]
        style = 'text-anchor="middle" font-family="sans-serif" fill="#1b1b26" stroke="#ffffff" stroke-width="0.2em"'
        return [f'<g {style} stroke-linejoin="round" paint-order="stroke">', *filter(None, told), "</g>"]


def _word(name: str, x: float, y: float, wide: float) -> str | None:
    """A name in the middle of a place, in a line that is so wide; None where it would be too small to be read."""
    told = visible(name)
    size = min(_USUAL, wide / (_LETTER * max(3, len(told))))
    if size < _SMALLEST:
        return None
    return f'<text x="{x:.2f}" y="{y + size / 3:.2f}" font-size="{size:.2f}">{escape(told)}</text>'


def as_svg(
    cut: Cut, *, width: float, height: float, title: str, log_unit: float | None = None, nested: Nested | None = None
) -> str:
    """Circles on a white ground, those of one color together. That something is left out is written, what in the description.

    ``log_unit`` is log10 of how many pixels a unit of the hierarchy has; None where it has no centers, and no scale bar:
    ``nested`` is what there is of these instead.
    """
    told = [f"{len(cut):,} cells"]
    if cut.header["coarse"]:
        told.append(f"{cut.header['coarse']:,} of them not split further, because there are too many")
    told += [text for text in (cut.header["left_out"], *cut.header["notes"]) if text]
    size = f'viewBox="{-width / 2:g} {-height / 2:g} {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(visible(title))}</title>",
        f"<desc>{escape(visible('; '.join(told)))}</desc>",
        f'<rect x="{-width / 2:g}" y="{-height / 2:g}" width="{width:g}" height="{height:g}" fill="#ffffff"/>',
    ]
    lines += [] if nested is None else nested.rings()
    radius = cut.r * (0.5 if nested is None else _FULL)
    colors = colors_of(cut)
    for color in sorted(set(colors)):
        rows = np.flatnonzero(np.array(colors, dtype=object) == color)
        lines.append(f'<g fill="{color}" fill-opacity="0.8">')
        lines += [
            f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{r:.2f}"/>'
            for x, y, r in zip(
                cut.x[rows].tolist(), cut.y[rows].tolist(), np.maximum(radius[rows], _LEAST).tolist(), strict=True
            )
        ]
        lines.append("</g>")
    lines += [] if nested is None else nested.words(cut)
    if log_unit is not None:
        lines += _scale_bar(log_unit, right=width / 2 - _ASIDE, bottom=height / 2 - _ASIDE, most=min(_BAR, width / 3))
    if cut.header["coarse"] or cut.header["left_out"]:
        lines.append(
            f'<text x="{_ASIDE - width / 2:.2f}" y="{height / 2 - _ASIDE:.2f}" font-family="sans-serif" font-size="12" '
            f'fill="{_INK}">{PARTLY}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


def _scale_bar(log_unit: float, *, right: float, bottom: float, most: float) -> list[str]:
    """A round length, 1, 2 or 5 times a power of ten, drawn in at most so many pixels, and what it is."""
    longest = math.log10(most) - log_unit
    power = math.floor(longest)
    step = next(step for step in (5, 2, 1) if math.log10(step) <= longest - power + 1e-12 or step == 1)
    pixels = 10 ** (power + math.log10(step) + log_unit)
    told = f"{step * 10.0**power:g}" if -3 <= power < 4 else f"{step} × 10{str(power).translate(_RAISED)}"
    return [
        f'<path d="M{right - pixels:.2f} {bottom - 5:.2f}v5h{pixels:.2f}v-5" fill="none" stroke="{_INK}" stroke-width="1.5"/>',
        f'<text x="{right:.2f}" y="{bottom - 10:.2f}" text-anchor="end" font-family="sans-serif" font-size="12" '
        f'fill="{_INK}">{told}</text>',
    ]


def colors_of(cut: Cut) -> list[str]:
    """A color a cell."""
    if cut.header["color"]["kind"] == "category":
        return [_NONE if value == MISSING else QUALITATIVE[value % len(QUALITATIVE)] for value in cut.value.tolist()]
    shades = [
        "#" + "".join(f"{int(part):02x}" for part in _LOW + (_HIGH - _LOW) * step / (_STEPS - 1)) for step in range(_STEPS)
    ]
    return [_NONE if value == MISSING else shades[value * (_STEPS - 1) // (MISSING - 1)] for value in cut.value.tolist()]
