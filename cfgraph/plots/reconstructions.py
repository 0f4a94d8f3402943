"""Reconstructions: a tree whose cells are shown as what they look like among the data, an image each."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.model.cells import Cells
from cfgraph.plots.branches import Branches
from cfgraph.plots.dendrogram import line_widths
from cfgraph.plots.page import check_picture, new_figure, picture_style, save_figure, write
from cfgraph.visible import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IMAGES_MAX = 2_000  # each an artist of its own
SIDE, BAND = 0.34, 0.72  # inches: an image's longer side below a leaf's column, a level's height
WIDTHS = (3.0, 60.0)  # inches
HEAD = 0.45  # inches above, for the name

Images = Float[np.ndarray, "cells ..."]  # cells x height x width, of grey, or x 3


def plot_reconstructions(cells: Cells, images: Images, path: str | Path, *, name: str) -> None:
    """Draw a tree from the top down, each cell as its image; brightness runs from the least of all images to the largest.

    ``images`` has an image for each cell, ``cells x height x width``, or ``x 3`` for red, green and blue from 0 to 1.

    Raises:
        InputError: for images that are not one a cell or not finite, for more than 2,000 cells, another suffix than .png, .pdf
            and .svg, or a place that cannot be written.
    """
    check_picture(path)
    _check_images(images, count=len(cells))
    leaves, levels = int((cells.child_count == 0).sum()), cells.depth - int(cells.level[0]) + 1
    width, height = float(np.clip(SIDE * 1.15 * leaves, *WIDTHS)), BAND * levels
    with picture_style([name]):
        figure = new_figure((width, height + HEAD))
        axes = figure.add_axes((0, 0, 1, height / (height + HEAD)))
        draw_reconstructions(axes, cells, images)
        write(figure, 0.1, height + 0.16, f"{visible(name)}: {len(cells):,} cells as they look among the data")
        save_figure(figure, path)


def check_count(count: int) -> None:
    """An ``InputError`` for more cells than can be shown as images."""
    if count > IMAGES_MAX:
        raise InputError(f"expected at most {IMAGES_MAX:,} cells to show as images, got {count:,}; say --depth")


def as_images(rows: Float[np.ndarray, "cells numbers"], shape: str | None) -> Images:
    """Rows of numbers as images of a shape such as ``8x8`` or ``32x32x3``; square and grey unless one is given.

    Raises:
        InputError: for what is no such shape, and for rows of another number of numbers.
    """
    numbers = rows.shape[1]
    if shape is None:
        side = math.isqrt(numbers)
        if side * side != numbers or numbers == 0:
            raise InputError(f"{numbers:,} numbers a cell are no square image; say --shape HEIGHTxWIDTH, or HEIGHTxWIDTHx3")
        return rows.reshape(len(rows), side, side)
    sizes = [int(size) if size.isascii() and size.isdigit() else 0 for size in shape.split("x")]
    if len(sizes) not in (2, 3) or 0 in sizes or sizes[2:] not in ([], [3]):
        raise InputError(f"expected a shape such as 28x28 or 32x32x3, got {shape!r}")
    if math.prod(sizes) != numbers:
        raise InputError(f"an image of {shape} has {math.prod(sizes):,} numbers, and a cell {numbers:,}")
    return rows.reshape(len(rows), *sizes)


def draw_reconstructions(axes: "Axes", cells: Cells, images: Images) -> None:
    """The same on axes of one's own: leaves side by side, levels from the top down."""
    from matplotlib.collections import LineCollection
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    _check_images(images, count=len(cells))
    branches = Branches(cells)
    place = np.stack([branches.middle, -(cells.level - cells.level[0]).astype(np.float64)], axis=1)
    lines = np.stack([place[cells.parent[1:]], place[1:]], axis=1)
    axes.add_collection(LineCollection(list(lines), colors=branches.colors[1:], linewidths=line_widths(branches)[1:], zorder=1))
    shown = _as_shades(images)
    zoom = 72 * SIDE / max(images.shape[1:3])
    for row, spot in enumerate(place.tolist()):
        frame = {"edgecolor": tuple(branches.colors[row]), "linewidth": 0.8, "boxstyle": "square,pad=0"}
        image = OffsetImage(shown[row], zoom=zoom, interpolation="nearest")
        axes.add_artist(AnnotationBbox(image, tuple(spot), pad=0, bboxprops=frame))
    axes.set_xlim(0, int(branches.leaves[0]))
    axes.set_ylim(float(place[:, 1].min()) - 0.5, 0.5)
    axes.set_axis_off()


def _as_shades(images: Images) -> np.ndarray:
    """Red, green and blue from 0 to 1, grey spread over what occurs."""
    if images.ndim == 4:
        return np.clip(images, 0, 1)
    low, high = float(images.min()), float(images.max())
    grey = (images - low) / (high - low or 1.0)
    return np.repeat(grey[..., None], 3, axis=3)


def _check_images(images: Images, *, count: int) -> None:
    if images.ndim not in (3, 4) or len(images) != count or (images.ndim == 4 and images.shape[3] != 3) or 0 in images.shape:
        raise InputError(
            f"expected an image for each of {count:,} cells (height x width, or x 3), got an array of {images.shape}"
        )
    check_count(count)
    if not np.isfinite(images).all():
        raise InputError("expected images of finite numbers")
