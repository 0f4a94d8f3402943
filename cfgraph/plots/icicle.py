"""Icicle: a tree as rectangles from the top down, each as wide as what lies below it; for any number of leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from cfgraph.model.cells import Cells
from cfgraph.plots.branches import Branches, labels_of, lighten, reach_of
from cfgraph.plots.groups import Groups
from cfgraph.plots.page import INK, RASTER_ABOVE, inches_of
from cfgraph.plots.words import LETTER_WIDTH, NAME_LETTERS, count_letters, letters_of, shorten_apart

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME_SIZES = (9.0, 8.0, 7.0, 6.0, 5.0)  # points
MOST = 0.7  # of the names that fit at all: so many have to fit in a size that is taken
DARK = 0.4  # the brightness below which names are white
LINE_SPACING = 1.2  # of a line, in sizes
NAMES_MAX = 800
LEAST_LETTERS = 7  # of a name that is cut short
MARGIN = 0.05  # inches: what a name leaves free of its rectangle on either side
NUDGE = 3.1831e-7  # of a pixel: the same edge, computed for two cells, may differ in its last bits; both round to one pixel
BORDERS = ((14, 0.5), (7, 0.25))  # a border of so many points from so many pixels on; narrower rectangles have none
PALING = (0.12, 0.62)  # how far towards white the first and the deepest level's colors are
LEVELS_LEAST = 4  # that this range is spread over, so that a tree of two levels is not pale at once
STRIPE = 0.07  # by how much every other slot is paler, so that neighbors can be told apart
STRIPE_PIXELS = 3  # narrower rectangles have no stripes: which of them are seen is chance
TRUNK_PALE = 0.45  # how far towards white the cells above the branches are besides
ROOT_SHARE = 0.05  # of the height of the picture for the root where depth is height


@dataclass(frozen=True, eq=False)
class Rectangles:
    """Cells as rectangles on a grid of pixels, from the left and from the top: those that a pixel is left for.

    Edges are rounded to the grid. So neighbors stay neighbors, what is narrower than a pixel shares it with others, and the
    one of them that holds the pixel's edge is seen: there are never more rectangles in a row than pixels.
    """

    row: Int[np.ndarray, " drawn"]
    left: Int[np.ndarray, " drawn"]
    right: Int[np.ndarray, " drawn"]
    top: Int[np.ndarray, " drawn"]
    bottom: Int[np.ndarray, " drawn"]

    @classmethod
    def of(cls, branches: Branches, *, height: Float[np.ndarray, " cells"] | None, pixels: tuple[int, int]) -> "Rectangles":
        """The rectangles on a grid of so many pixels across and down."""
        width = widths_of(branches)
        begin = branches.spread(width)
        top, bottom = _depths(branches.cells, height)
        across, down = pixels
        edges = (begin * across, (begin + width) * across, top * down, bottom * down)
        left, right, top, bottom = (np.floor(edge + 0.5 + NUDGE).astype(np.int64) for edge in edges)
        seen = np.flatnonzero((right > left) & (bottom > top))
        return cls(seen, left[seen], right[seen], top[seen], bottom[seen])


def widths_of(branches: Branches) -> Float[np.ndarray, " cells"]:
    """The share of the root's width that each cell has: by the points below it where all cells know them, else by leaves.

    A cell's width is shared out among its children by what lies below them; what lies in the cell itself stays empty.
    """
    cells = branches.cells
    size = cells.size
    weight = (branches.leaves if size is None or not (size > 0).all() else size).astype(np.float64)
    below = np.bincount(cells.parent[1:], weights=weight[1:], minlength=len(cells))
    share = np.ones(len(cells))
    for rows in branches.levels[1:]:
        parent = cells.parent[rows]
        share[rows] = share[parent] * weight[rows] / np.maximum(below[parent], weight[parent])
    return share


def _depths(
    cells: Cells, height: Float[np.ndarray, " cells"] | None
) -> tuple[Float[np.ndarray, " cells"], Float[np.ndarray, " cells"]]:
    """The upper and the lower edge of each cell, between 0 at the top of the picture and 1.

    By level every level is as high as every other. By height a cell reaches from its parent's height down to its own.
    """
    reach = reach_of(cells, height)
    if height is None:
        return reach / (reach[-1] + 1), (reach + 1) / (reach[-1] + 1)
    most = max(float(reach.max()), 1e-300)
    lower = ROOT_SHARE + (1 - ROOT_SHARE) * (reach - reach[0]) / max(most - float(reach[0]), 1e-300)
    upper = np.r_[0.0, lower[cells.parent[1:]]]
    return upper, lower


def draw_icicle(
    axes: "Axes",
    cells: Cells,
    names: Sequence[str | None] | None = None,
    height: Float[np.ndarray, " cells"] | None = None,
    *,
    groups: Groups | None = None,
) -> None:
    """Draw cells as an icicle: the root across the top, below each cell its children, as wide as what lies below them.

    That is the cells' ``size`` where all have one, else the leaves. Downwards goes the level, or the height. Names stand
    where they fit, lengthwise in narrow rectangles; without names, the addresses. Raises an ``InputError`` for names or
    heights that are not one a cell.
    """
    from matplotlib.collections import PolyCollection

    branches, labels = Branches(cells, groups), labels_of(cells, names)
    width, tall = inches_of(axes)
    grid = axes.figure.dpi
    boxes = Rectangles.of(branches, height=height, pixels=(round(width * grid), round(tall * grid)))
    colors = _colors(branches, boxes)
    corners = [(boxes.left, boxes.top), (boxes.right, boxes.top), (boxes.right, boxes.bottom), (boxes.left, boxes.bottom)]
    shapes = np.stack([np.stack(corner, axis=1) for corner in corners], axis=1) / grid
    least = np.minimum(boxes.right - boxes.left, boxes.bottom - boxes.top)
    border = np.select([least >= pixels for pixels, _ in BORDERS], [points for _, points in BORDERS], 0.0)
    for points in np.unique(border).tolist():
        chosen = border == points
        style = {"facecolors": colors[chosen], "edgecolors": "white", "linewidths": points, "antialiaseds": False}
        many = int(chosen.sum()) > RASTER_ABOVE
        axes.add_collection(PolyCollection(shapes[chosen], rasterized=many, **style), autolim=False)
    _write_names(axes, boxes, labels=labels, colors=colors, grid=grid)
    axes.set_xlim(0, width)
    axes.set_ylim(tall, 0)
    _draw_axis(axes, cells, height=height, tall=tall)


def _colors(branches: Branches, boxes: Rectangles) -> Float[np.ndarray, "drawn 3"]:
    """The branches' colors, paler level by level, every other slot a little more."""
    cells, row = branches.cells, boxes.row
    first = int(cells.level[0])
    deep = (cells.level[row] - first) / max(cells.depth - first, LEVELS_LEAST)
    striped = (cells.slot[row] % 2 == 1) & (boxes.right - boxes.left >= STRIPE_PIXELS)
    pale = PALING[0] + (PALING[1] - PALING[0]) * deep + STRIPE * striped
    return lighten(branches.colors[row], np.where(branches.number[row] < 0, TRUNK_PALE, pale)[:, None])


def _write_names(axes: "Axes", boxes: Rectangles, *, labels: list[str], colors: np.ndarray, grid: float) -> None:
    """A name in the middle of every rectangle that has room for it, the largest first, until there are ``NAMES_MAX``."""
    wide, tall = (boxes.right - boxes.left) / grid, (boxes.bottom - boxes.top) / grid
    roomy = np.flatnonzero(np.minimum(wide, tall) >= LINE_SPACING * NAME_SIZES[-1] / 72)
    largest = roomy[np.argsort(-(wide * tall)[roomy], kind="stable")][:NAMES_MAX].tolist()
    rooms = {at: (labels[boxes.row[at]], float(wide[at]), float(tall[at])) for at in largest if labels[boxes.row[at]]}
    sizes = _name_sizes(rooms, band=boxes.top)
    fits = {at: _fit(*rooms[at], size=size) for at, size in sizes.items()}
    shown = {at: fit for at, fit in fits.items() if fit[0]}
    written = shorten_apart([rooms[at][0] for at in shown], [letters for letters, _ in shown.values()])
    for words, (at, (_, turned)) in zip(written, shown.items(), strict=True):
        place = ((boxes.left[at] + boxes.right[at]) / 2 / grid, (boxes.top[at] + boxes.bottom[at]) / 2 / grid)
        bright = colors[at] @ np.array([0.299, 0.587, 0.114]) > DARK
        axes.text(
            *place, words, fontsize=sizes[at], color=INK if bright else "white", ha="center", va="center",
            rotation=90 if turned else 0, parse_math=False,
        )  # fmt: skip


def _name_sizes(rooms: dict[int, tuple[str, float, float]], *, band: Int[np.ndarray, " drawn"]) -> dict[int, float]:
    """One size for all rectangles that begin at the same height: the largest that most of the names that fit at all fit in."""
    bands: dict[int, list[int]] = {}
    for at in rooms:
        bands.setdefault(int(band[at]), []).append(at)
    sizes = {}
    for members in bands.values():
        fits = {size: sum(_fit(*rooms[at], size=size, cut=False)[0] > 0 for at in members) for size in NAME_SIZES}
        size = next(size for size in NAME_SIZES if fits[size] >= MOST * max(fits.values()))
        sizes.update(dict.fromkeys(members, size))
    return sizes


def _fit(words: str, wide: float, tall: float, *, size: float, cut: bool = True) -> tuple[int, bool]:
    """How many letters of words fit into a rectangle, cut short if need be, and whether they are turned; 0 for too few."""
    line, whole = LINE_SPACING * size / 72, min(letters_of(words), NAME_LETTERS)
    length = LETTER_WIDTH * size * whole / 72 + 2 * MARGIN
    for along, thick, turned in ((wide, tall, False), (tall, wide, True)):
        if length <= along and line <= thick:
            return whole, turned
    letters = count_letters(max(wide, tall) - 2 * MARGIN, size=size)
    if not cut or letters < LEAST_LETTERS or min(wide, tall) < line:
        return 0, False
    return letters, tall > wide


def _draw_axis(axes: "Axes", cells: Cells, *, height: Float[np.ndarray, " cells"] | None, tall: float) -> None:
    from matplotlib.ticker import MaxNLocator

    first, depth = int(cells.level[0]), cells.depth
    if height is None:
        ticks = np.asarray(MaxNLocator(nbins=12, integer=True, min_n_ticks=1).tick_values(first, depth))
        ticks = ticks[(ticks >= first) & (ticks <= depth)]
        places = tall * (ticks - first + 0.5) / (depth - first + 1)
    else:
        low, root = float(np.min(height)), float(height[0])
        ticks = np.asarray(MaxNLocator(nbins=8).tick_values(low, root))
        ticks = ticks[(ticks >= low) & (ticks <= root)]
        places = tall * (ROOT_SHARE + (1 - ROOT_SHARE) * (root - ticks) / max(root - low, 1e-300))
    axes.set_yticks(places, [f"{value:g}" for value in ticks])
    axes.set_ylabel("level" if height is None else "height")
    axes.set_xticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0)
