"""Disk: a tree in the Poincare disk, as its source laid it out: leaves at the rim, geodesics to the cells within."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.errors import InputError
from cfgraph.files.images import IMAGE_SUFFIXES
from cfgraph.files.labels import Labels
from cfgraph.files.opened import opened
from cfgraph.model.cells import Cells
from cfgraph.plots.branches import TRUNK, Branches, labels_of
from cfgraph.plots.dendrogram import NAME_SIZES, PAD, line_widths
from cfgraph.plots.page import FAINT, INK, RASTER_ABOVE, inches_of
from cfgraph.plots.words import NAME_LETTERS, count_letters, shorten_apart, width_of_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURES = 64  # thumbnails at the rim, at most
PICTURE_PIXELS = 96  # of a thumbnail's longer side
CURVE_POINTS = 24  # of a geodesic
NAME_ROOM = 0.6  # of the disk's radius, at most, for names outside; a thumbnail's room follows from how many there are
RIM = 1.02  # where the frame ends at least


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What stands around a disk: thumbnails of some leaves, or names of those that have room."""

    leaves: Int[np.ndarray, " leaves"]  # rows, by angle
    pictured: list[int]  # rows
    written: dict[int, str]  # by row
    size: float  # of the names, in points
    limit: float  # where the frame ends, in radii of the disk

    @classmethod
    def of(
        cls,
        cells: Cells,
        xy: Float[np.ndarray, "cells 2"],
        *,
        names: Sequence[str | None] | None,
        pictures: Mapping[int, Path] | None,
        half: float,
    ) -> "Surroundings":
        """What there is room for in a frame of which ``half`` are the inches from the middle to its edge."""
        check_disk(xy, count=len(cells))
        leaves = np.flatnonzero(cells.child_count == 0)
        angle = np.arctan2(xy[leaves, 1], xy[leaves, 0])
        leaves, angle = leaves[np.argsort(angle, kind="stable")], np.sort(angle)
        if pictures:
            there = np.array([row in pictures for row in leaves.tolist()])
            chosen = leaves[there][_apart(angle[there], least=2 * np.pi / PICTURES)]
            return cls(leaves, chosen.tolist(), {}, 0.0, 1 + 2.2 * np.pi / PICTURES)
        size = 0.0 if names is None else _name_size(len(leaves), half=half)
        if not size:
            return cls(leaves, [], {}, 0.0, RIM)
        written = _outer_names(leaves, angle, labels_of(cells, names), half=half, size=size)
        wide = max((width_of_words(words, size=size) + PAD for words in written.values()), default=0.0)
        return cls(leaves, [], written, size, max(RIM, half / (half - wide)))

    @property
    def omission(self) -> str | None:
        """What a caption says of what is not shown."""
        shown, what = (self.pictured, "thumbnails") if self.pictured else (self.written, "names")
        if not shown or len(shown) == len(self.leaves):
            return None
        return f"There is room for the {what} of {len(shown):,} of the {len(self.leaves):,} leaves."


def draw_disk(
    axes: "Axes",
    cells: Cells,
    xy: Float[np.ndarray, "cells 2"],
    *,
    colors: Float[np.ndarray, "cells 3"],
    names: Sequence[str | None] | None = None,
    pictures: Mapping[int, Path] | None = None,
) -> None:
    """Draw cells where they lie in the unit disk, each joined to its parent by the geodesic between them.

    Args:
        axes: where.
        cells: the tree.
        xy: where each cell lies; what is not within the disk is an ``InputError``.
        colors: of each cell and of the geodesic to its parent.
        names: of the cells; those of leaves are written outside, where there is room.
        pictures: image files of some leaves, by row; thumbnails of some (:data:`PICTURES` at most) stand at the rim instead.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Circle

    half = min(inches_of(axes)) / 2
    around = Surroundings.of(cells, xy, names=names, pictures=pictures, half=half)
    radius, rastered = half / around.limit, len(cells) > RASTER_ABOVE
    axes.add_patch(Circle((0, 0), 1, fill=False, edgecolor=FAINT, linewidth=0.8, zorder=0))
    lines = LineCollection(
        list(geodesics(xy[cells.parent[1:]], xy[1:])),
        colors=colors[1:],
        linewidths=line_widths(Branches(cells))[1:],
        capstyle="round",
        rasterized=rastered,
    )
    axes.add_collection(lines, autolim=False)
    mark = float(np.clip(0.5 * 72 * 2 * np.pi * radius / len(around.leaves), 0.6, 4.0))
    x, y = xy[around.leaves].T
    axes.scatter(x, y, s=mark**2, c=colors[around.leaves], linewidths=0, zorder=3, rasterized=rastered)
    for row, words in around.written.items():
        _write_outside(axes, words, xy[row], size=around.size)
    for row in around.pictured:
        _show_picture(axes, (pictures or {})[row], xy[row], colors[row], room=2 * np.pi * radius / PICTURES)
    axes.set_xlim(-around.limit, around.limit)
    axes.set_ylim(-around.limit, around.limit)
    axes.set_aspect("equal")
    axes.set_axis_off()


def check_disk(xy: np.ndarray, *, count: int) -> None:
    """An ``InputError`` for places that are not one a cell, or not within the unit disk."""
    if xy.shape != (count, 2) or not (np.linalg.norm(xy, axis=1) < 1).all():
        raise InputError(f"expected {count} places within the unit disk, got an array {xy.shape} or places outside")


def geodesics(one: Float[np.ndarray, "lines 2"], other: Float[np.ndarray, "lines 2"]) -> Float[np.ndarray, "lines points 2"]:
    """The geodesics of the Poincare disk between pairs of points, as points along them.

    The isometry ``z -> (z - a) / (1 - conj(a) z)`` takes one end to the middle, from where geodesics are straight; points are
    at equal hyperbolic distances, and taken back.
    """
    a, b = (pair[:, 0] + 1j * pair[:, 1] for pair in (one, other))
    moved = (b - a) / (1 - np.conj(a) * b)
    length = np.minimum(np.abs(moved), 1 - 1e-15)
    way = np.where(length > 0, moved / np.maximum(length, 1e-300), 0)
    share = np.linspace(0, 1, CURVE_POINTS)
    along = way[:, None] * np.tanh(share * np.arctanh(length)[:, None])
    back = (along + a[:, None]) / (1 + np.conj(a)[:, None] * along)
    return np.stack([back.real, back.imag], axis=2)


def class_colors(cells: Cells, classes: Int[np.ndarray, " cells"], palette: Float[np.ndarray, "classes 3"]) -> np.ndarray:
    """The color of each leaf's class (-1 for none), and of the cells below which all leaves are of one; grey for the others."""
    found = np.where(cells.child_count == 0, classes, -2)
    starts = cells.level_starts.tolist()
    for low, high in reversed(list(pairwise(starts))[1:]):
        for row in range(low, high):  # a mixture stays one whatever comes
            up = cells.parent[row]
            found[up] = found[row] if found[up] in (-2, found[row]) else -1
    return np.where(found[:, None] >= 0, palette[np.maximum(found, 0)], np.array(TRUNK))


def classes_of(cells: Cells, labels: Labels, *, name: str) -> list[str | None]:
    """The class of each leaf: by name where the labels have names, else by the number of the leaf's data point.

    Raises:
        InputError: where leaves have neither, labels are too few, or no leaf has one.
    """
    values = [str(value) for value in labels.values.tolist()]
    leaf = cells.child_count == 0
    if labels.names is not None:
        of_name = dict(zip(labels.names, values, strict=True))
        called: Sequence[str | None] = cells.names or [None] * len(cells)
        found = [of_name.get(name or "") if inside else None for name, inside in zip(called, leaf, strict=True)]
    else:
        rows = cells.own.get("row")
        if rows is None:
            raise InputError(f"the leaves of {name!r} do not say which data points they are; give labels with names")
        if int(rows.max()) >= len(values):
            raise InputError(
                f"expected a label for each of {int(rows.max()) + 1:,} data points of {name!r}, got {len(values):,}"
            )
        found = [values[row] if inside and row >= 0 else None for row, inside in zip(rows.tolist(), leaf, strict=True)]
    if not any(found):
        raise InputError(f"none of the labels is of a leaf of {name!r}")
    return found


def pictures_of(cells: Cells, folder: Path) -> dict[int, Path]:
    """The image files of leaves, by row: names that end as images do, in a folder.

    Raises:
        InputError: where no leaf is named after a file that is there.
    """
    found, names = {}, cells.names or [None] * len(cells)
    for row in np.flatnonzero(cells.child_count == 0).tolist():
        name = names[row]
        if name is not None and name.lower().endswith(IMAGE_SUFFIXES) and (folder / name).is_file():
            found[row] = folder / name
    if not found:
        raise InputError(f"no leaf is named after an image file in {folder} (one that ends in {', '.join(IMAGE_SUFFIXES)})")
    return found


def _apart(angle: Float[np.ndarray, " leaves"], *, least: float) -> Bool[np.ndarray, " leaves"]:
    """Which of some leaves are so far from those that were taken before them, and from the first, that they can be shown."""
    taken, latest, first = np.zeros(len(angle), dtype=bool), -np.inf, np.inf
    for place, here in enumerate(angle.tolist()):
        if here - latest >= least and first + 2 * np.pi - here >= least:
            taken[place], latest, first = True, here, min(first, here)
    return taken


def _outer_names(
    leaves: Int[np.ndarray, " leaves"], angle: Float[np.ndarray, " leaves"], labels: Sequence[str], *, half: float, size: float
) -> dict[int, str]:
    """The names of those leaves, by row, that are far enough apart for them."""
    shown = leaves[_apart(angle, least=size / 72 / (half / (1 + NAME_ROOM)))]
    letters = min(count_letters(half * NAME_ROOM / (1 + NAME_ROOM), size=size), NAME_LETTERS)
    words = shorten_apart([labels[row] for row in shown.tolist()], [letters] * len(shown))
    return dict(zip(shown.tolist(), words, strict=True))


def _name_size(leaves: int, *, half: float) -> float:
    """The size of names in points that leaves side by side leave room for; 0 for too small."""
    size = min(NAME_SIZES[1], 0.85 * 72 * 2 * np.pi * half / (1 + NAME_ROOM) / max(leaves, 1))
    return size if size >= NAME_SIZES[0] else 0.0


def _write_outside(axes: "Axes", words: str, spot: Float[np.ndarray, " 2"], *, size: float) -> None:
    angle = float(np.degrees(np.arctan2(spot[1], spot[0])))
    turned = abs(angle) > 90
    x, y = spot / max(float(np.linalg.norm(spot)), 1e-12) * 1.03
    axes.text(
        x, y, words, fontsize=size, color=INK, ha="right" if turned else "left", va="center_baseline", parse_math=False,
        rotation=angle + (180 if turned else 0), rotation_mode="anchor",
    )  # fmt: skip


def _show_picture(
    axes: "Axes", path: Path, spot: Float[np.ndarray, " 2"], color: Float[np.ndarray, " 3"], *, room: float
) -> None:
    """A thumbnail outside the rim, in a frame of the leaf's color."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    pixels = read_thumbnail(path)
    zoom = room * 72 * 0.8 / max(pixels.shape[:2])
    place = spot / max(float(np.linalg.norm(spot)), 1e-12) * (1 + 1.1 * np.pi / PICTURES)
    box = {"edgecolor": tuple(color), "linewidth": 0.8, "boxstyle": "square,pad=0"}
    axes.add_artist(AnnotationBbox(OffsetImage(pixels, zoom=zoom), tuple(place), pad=0, bboxprops=box))


def read_thumbnail(path: Path) -> np.ndarray:
    """A small version of an image, as values of red, green and blue from 0 to 1; an ``InputError`` for what is none."""
    from PIL import UnidentifiedImageError
    from PIL.Image import DecompressionBombError
    from PIL.Image import open as decode  # what `opened` has opened

    with opened(path, expected="an image") as file:
        try:
            with decode(file.rewound()) as image:
                image.thumbnail((PICTURE_PIXELS, PICTURE_PIXELS))
                return np.asarray(image.convert("RGB"), dtype=np.float64) / 255
        except (UnidentifiedImageError, DecompressionBombError, OSError, ValueError, SyntaxError) as error:
            raise InputError(f"expected an image in {path}, got what cannot be decoded: {error}") from error
