"""Branches: what the pictures of a tree share: the order of its leaves, the branches, their colors, and what is written.

A *branch* is a child of the first cell from the top that has more than one, with all below it. Everything is by column,
level by level: a star of 100,000 children and a chain of 3,000 cells are no different from other trees.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.model.cells import Cells
from cfgraph.plots.page import QUALITATIVE
from cfgraph.visible import visible

TRUNK = (0.55, 0.55, 0.60)  # the color of the cells above the branches
PALE = 0.45  # how far towards white a predicted cell's color is
LIGHTNESS, CHROMA, HUES = 0.66, 0.125, (20.0, 340.0)  # of the colors of many branches, in OKLCH; degrees


@dataclass(frozen=True, eq=False)
class Branches:
    """A tree seen as branches that hold leaves; its leaves are numbered from the first to the last in depth-first order."""

    cells: Cells

    @cached_property
    def leaves(self) -> Int[np.ndarray, " cells"]:
        """How many childless cells lie below each cell; a childless one counts itself."""
        count = (self.cells.child_count == 0).astype(np.int64)
        for rows in reversed(self.levels[1:]):
            np.add.at(count, self.cells.parent[rows], count[rows])
        return count

    @cached_property
    def first_leaf(self) -> Int[np.ndarray, " cells"]:
        """The number of the first leaf below each cell."""
        return self.spread(self.leaves)

    @property
    def levels(self) -> list[slice]:
        """The rows of each level, from the top's on."""
        starts = self.cells.level_starts.tolist()
        return [slice(low, high) for low, high in pairwise(starts)]

    def spread(self, width: np.ndarray) -> np.ndarray:
        """Where each cell begins if the children of a cell stand side by side from where it begins itself."""
        begin = np.zeros_like(width)
        for rows in self.levels[1:]:
            before = np.cumsum(width[rows]) - width[rows]
            parent = self.cells.parent[rows]
            begin[rows] = begin[parent] + before - before[self.cells.first_child[parent] - rows.start]
        return begin

    @cached_property
    def middle(self) -> Float[np.ndarray, " cells"]:
        """Where each cell stands among the leaves: a leaf at its number and a half, another in the middle of its children."""
        middle = self.first_leaf + 0.5
        for rows in reversed(self.levels):
            inner = np.arange(rows.start, rows.stop)[self.cells.child_count[rows] > 0]
            first = self.cells.first_child[inner]
            middle[inner] = (middle[first] + middle[first + self.cells.child_count[inner] - 1]) / 2
        return middle

    @cached_property
    def tops(self) -> Int[np.ndarray, " branches"]:
        """The row of the top cell of each branch; the root's alone where nothing branches."""
        several = np.flatnonzero(self.cells.child_count > 1)
        if len(several) == 0:
            return np.zeros(1, dtype=np.int64)
        first = self.cells.first_child[several[0]]  # the shallowest, since no cell above it has two
        return first + np.arange(self.cells.child_count[several[0]])

    @cached_property
    def number(self) -> Int[np.ndarray, " cells"]:
        """The number of each cell's branch; -1 above the branches."""
        number = np.full(len(self.cells), -1, dtype=np.int64)
        number[self.tops] = np.arange(len(self.tops))
        for rows in self.levels[1:]:
            number[rows] = np.where(number[rows] < 0, number[self.cells.parent[rows]], number[rows])
        return number

    @cached_property
    def colors(self) -> Float[np.ndarray, "cells 3"]:
        """The color of each cell: its branch's, paler where a predictor put it."""
        colors = np.vstack([branch_colors(len(self.tops)), TRUNK])[self.number]
        return np.where(self.cells.predicted[:, None], lighten(colors, PALE), colors)


def branch_colors(count: int) -> Float[np.ndarray, "branches 3"]:
    """A color for each branch: the house's own where there are few, else hues of one lightness from red to violet."""
    if count <= len(QUALITATIVE):
        return np.array([[int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)] for color in QUALITATIVE[:count]])
    hue = np.radians(np.linspace(*HUES, count))
    return _from_oklab(np.full(count, LIGHTNESS), CHROMA * np.cos(hue), CHROMA * np.sin(hue))


def _from_oklab(lightness: np.ndarray, a: np.ndarray, b: np.ndarray) -> Float[np.ndarray, "colors 3"]:
    """sRGB of colors in OKLab (Ottosson 2020, "A perceptual color space for image processing")."""
    cones = (
        np.stack([lightness, a, b], axis=1)
        @ np.array([[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]).T
    ) ** 3
    to_linear = [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
    linear = np.clip(cones @ np.array(to_linear).T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def lighten(colors: Float[np.ndarray, "*shape 3"], share: float | np.ndarray) -> Float[np.ndarray, "*shape 3"]:
    """Colors mixed with a share of white."""
    return colors + (1 - colors) * share


def reach_of(cells: Cells, height: Float[np.ndarray, " cells"] | None) -> Float[np.ndarray, " cells"]:
    """How far from the start of the depth axis each cell stands: its level, or how much lower than the highest it is.

    Raises:
        InputError: for heights that are not one finite number a cell.
    """
    if height is None:
        return (cells.level - cells.level[0]).astype(np.float64)
    height = np.asarray(height, dtype=np.float64)
    if height.shape != (len(cells),) or not np.isfinite(height).all():
        raise InputError(
            f"expected a finite height for each of {len(cells)} cells, got {np.isfinite(height).sum()} in an array of shape "
            f"{height.shape}; leave the heights out to draw by level"
        )
    return height.max() - height


def labels_of(cells: Cells, names: Sequence[str | None] | None) -> list[str]:
    """What stands for each cell, whole and visible: its name, else nothing; its address where no cell has a name."""
    if names is None:
        return cells.addresses
    if len(names) != len(cells):
        raise InputError(f"expected a name or None for each of {len(cells)} cells, got {len(names)}")
    return [visible(" ".join(name.split())) if name else "" for name in names]
