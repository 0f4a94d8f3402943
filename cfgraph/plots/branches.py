"""Branches: what the pictures of a tree share: the order of its leaves, the branches, their colors, and what is written.

A *branch* is a child of the first cell from the top that has more than one, with all below it. Where these are two, or one
holds nearly all, the tree is cut further down into eight to ten; of a condensed tree the branches are the clusters that were
taken. Everything is by column, level by level: a star of 100,000 children and a chain of 3,000 cells are no different from
other trees.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.model.cells import Cells
from cfgraph.plots.groups import Groups
from cfgraph.plots.page import QUALITATIVE
from cfgraph.visible import visible

TRUNK = (0.55, 0.55, 0.60)  # the color of the cells above the branches
PALE = 0.45  # how far towards white a predicted cell's color is
CUT_LEAST, CUT_MOST = 8, 10  # branches of a cut
CUT_LEAVES = 40  # a tree of fewer leaves that splits in two halves is colored by these
CUT_SHARE = 1 / 40  # of the leaves, at least, in a branch of a cut; smaller ones beside it stay grey
BALANCED = 0.75  # of the leaves, at most, in one of three branches and more that are not cut further
LIGHTNESS, CHROMA, HUES = 0.66, 0.125, (20.0, 340.0)  # of the colors of many branches, in OKLCH; degrees


@dataclass(frozen=True, eq=False)
class Branches:
    """A tree seen as branches that hold leaves; its leaves are numbered from the first to the last in depth-first order."""

    cells: Cells
    groups: Groups | None = None

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
        """The row of the top cell of each branch, from the first to the last; the root's alone where nothing branches."""
        if self.by_selection:
            return self._in_order(np.flatnonzero(self.cells.own["selected"] == True))  # noqa: E712 - it may hold None
        first = self._first_split
        most, whole = int(self.leaves[first].max()), int(self.leaves[0])
        balanced = most <= BALANCED * whole
        if len(first) == 1 or (balanced and (len(first) > 2 or whole < CUT_LEAVES)):
            return first
        found = self._cut()
        return found if len(found) > 2 else first

    @cached_property
    def _first_split(self) -> Int[np.ndarray, " branches"]:
        several = np.flatnonzero(self.cells.child_count > 1)
        if len(several) == 0:
            return np.zeros(1, dtype=np.int64)
        first = self.cells.first_child[several[0]]  # the shallowest, since no cell above it has two
        return first + np.arange(self.cells.child_count[several[0]])

    @property
    def by_selection(self) -> bool:
        """Whether the branches are the clusters that were taken of a condensed tree."""
        selected = self.cells.own.get("selected")
        return selected is not None and bool((selected == True).any())  # noqa: E712 - it may hold None

    @property
    def by_first_split(self) -> bool:
        """Whether the branches are those of the first split."""
        return np.array_equal(self.tops, self._first_split)

    @property
    def tops_apart(self) -> Int[np.ndarray, " branches"]:
        """The tops that lie below no other one."""
        above = self.number[self.cells.parent[self.tops]]
        return self.tops[(self.tops == 0) | (above < 0)]

    def _cut(self) -> Int[np.ndarray, " branches"]:
        """The branches of most leaves split, again and again, into those of enough leaves, until there are eight or ten."""
        least = max(2, int(np.ceil(CUT_SHARE * self.leaves[0])))
        waiting, done = [(-int(self.leaves[0]), 0)], list[int]()
        while waiting and len(waiting) + len(done) < CUT_LEAST:
            _, cell = heappop(waiting)
            children = self._large_children(cell, least=least)
            if len(children) > 1 and len(waiting) + len(done) + len(children) <= CUT_MOST:
                for child in children:
                    heappush(waiting, (-int(self.leaves[child]), child))
            else:
                done.append(cell)
        return self._in_order(np.array([*done, *(cell for _, cell in waiting)], dtype=np.int64))

    def _large_children(self, cell: int, *, least: int) -> list[int]:
        """The children of at least so many leaves, where there are several; those of the only one where there is one."""
        while True:
            first, count = int(self.cells.first_child[cell]), int(self.cells.child_count[cell])
            large = (first + np.flatnonzero(self.leaves[first : first + count] >= least)).tolist() if count else []
            if len(large) != 1:
                return large
            (cell,) = large

    def _in_order(self, rows: Int[np.ndarray, " rows"]) -> Int[np.ndarray, " rows"]:
        return rows[np.argsort(self.first_leaf[rows], kind="stable")]

    @cached_property
    def number(self) -> Int[np.ndarray, " cells"]:
        """The number of each cell's branch, or of its group where there are some; -1 above the branches and beside them."""
        if self.groups is not None:
            return self.groups.number
        number = np.full(len(self.cells), -1, dtype=np.int64)
        number[self.tops] = np.arange(len(self.tops))
        for rows in self.levels[1:]:
            number[rows] = np.where(number[rows] < 0, number[self.cells.parent[rows]], number[rows])
        return number

    @property
    def palette(self) -> Float[np.ndarray, "branches 3"]:
        """The color of each branch, or group."""
        if self.groups is None:
            return branch_colors(len(self.tops))
        return ramp_colors(len(self.groups.names)) if self.groups.ordered else branch_colors(len(self.groups.names))

    @cached_property
    def colors(self) -> Float[np.ndarray, "cells 3"]:
        """The color of each cell: its branch's, or group's, paler where a predictor put it."""
        colors = np.vstack([self.palette, TRUNK])[self.number]
        return np.where(self.cells.predicted[:, None], lighten(colors, PALE), colors)


def is_condensed(cells: Cells) -> bool:
    """Whether cells are the clusters of a condensed tree, which hold points and have a stability."""
    return {"cluster", "stability", "selected"} <= cells.own.keys()


def ramp_colors(count: int) -> Float[np.ndarray, "groups 3"]:
    """Colors of groups that have an order, from dark to bright."""
    share = np.linspace(0.0, 1.0, max(count, 2))[:count]
    dark, bright = np.array([0.27, 0.16, 0.45]), np.array([0.98, 0.72, 0.25])
    middle = np.array([0.80, 0.28, 0.42])
    low, high = np.minimum(2 * share, 1)[:, None], np.maximum(2 * share - 1, 0)[:, None]
    return dark + (middle - dark) * low + (bright - middle) * high


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
