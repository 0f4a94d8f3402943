"""SVG: a cut as a picture that can be scaled, and as a table of the numbers behind it."""

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import numpy as np

from cfgraph.exploring.codec import MISSING, Cut
from cfgraph.plots.page import QUALITATIVE
from cfgraph.visible import visible

if TYPE_CHECKING:
    import pyarrow as pa

CELLS_MAX = 100_000  # circles that a picture has at most
_LOW, _HIGH = np.array([68, 1, 84]), np.array([253, 231, 37])
_NONE = "#bbbbbb"
_STEPS = 64  # colors of numbers
_LEAST = 0.5  # pixels of a circle's radius


def as_svg(cut: Cut, *, width: float, height: float, title: str) -> str:
    """Circles on a white ground, those of one color together; what the cut leaves out stands in the description."""
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
    colors = colors_of(cut)
    for color in sorted(set(colors)):
        rows = np.flatnonzero(np.array(colors, dtype=object) == color)
        lines.append(f'<g fill="{color}" fill-opacity="0.8">')
        lines += [
            f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{r:.2f}"/>'
            for x, y, r in zip(
                cut.x[rows].tolist(), cut.y[rows].tolist(), np.maximum(cut.r[rows] / 2, _LEAST).tolist(), strict=True
            )
        ]
        lines.append("</g>")
    return "\n".join([*lines, "</svg>", ""])


def colors_of(cut: Cut) -> list[str]:
    """A color a cell."""
    if cut.header["color"]["kind"] == "category":
        return [_NONE if value == MISSING else QUALITATIVE[value % len(QUALITATIVE)] for value in cut.value.tolist()]
    shades = [
        "#" + "".join(f"{int(part):02x}" for part in _LOW + (_HIGH - _LOW) * step / (_STEPS - 1)) for step in range(_STEPS)
    ]
    return [_NONE if value == MISSING else shades[value * (_STEPS - 1) // (MISSING - 1)] for value in cut.value.tolist()]


def as_table(cut: Cut) -> "pa.Table":
    """The cells of a cut: address, level, where they are in pixels from the view's middle, and what colors them."""
    import pyarrow as pa

    color = cut.header["color"]
    missing = cut.value == MISSING
    if color["kind"] == "category":
        labels = color["labels"]
        texts = [labels[value] if value < len(labels) else str(value) for value in np.where(missing, 0, cut.value).tolist()]
        value: pa.Array = pa.array(texts, pa.string(), mask=missing)
    else:
        low, high = (np.log10(color[name]) if color["log"] else color[name] for name in ("low", "high"))
        number = low + (high - low) * cut.value.astype(np.float64) / (MISSING - 1)
        value = pa.array(10**number if color["log"] else number, pa.float64(), mask=missing)
    weight = {} if cut.weight is None else {"points": pa.array(cut.weight.astype(np.int64))}
    return pa.table(
        {
            "address": pa.array(cut.addresses(), pa.string()),
            "level": pa.array(cut.level.astype(np.int32)),
            "x": pa.array(cut.x),
            "y": pa.array(cut.y),
            "r": pa.array(cut.r),
            color["mode"]: value,
            **weight,
        }
    )
