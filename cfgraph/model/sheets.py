"""Sheets: a field cut into files without a graph: some canonical blocks of one layer side by side, numbers of cells, names.

The cut follows from the arity, the depth, the block height and the prefix alone, as that into blocks does, so whoever grows a
field needs nobody to tell which file holds what. A field has its *prefix* in one file (the root alone, where a source made it),
and below it layer by layer the blocks (:mod:`cfgraph.model.blocks`); a *sheet* is as many of them as follow one another in one
layer and have at most so many cells in all. *Seeds* are the cells that a layer expands: the frontier of the prefix, or the last
level of the layer above.

Below a prefix with F frontier cells on level p everything is complete, so the cells of level l have the
*places* 0 .. F K^(l-p) - 1, the children of place i are at K i .. K i + K - 1, and the breadth-first number of a cell is its
place behind all cells of higher levels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int

from cfgraph.model.blocks import block_boundaries
from cfgraph.model.growth import count_cells

SHEET_BYTES = 1 << 26  # of the columns of one sheet in memory
PREFIX = "prefix.parquet"


def sheet_cells(dimension: int) -> int:
    """How many cells a sheet has at most, unless one block alone has more: as many as ``SHEET_BYTES`` hold."""
    return SHEET_BYTES // (96 + 16 * dimension)


@dataclass(frozen=True)
class Sheet:
    """One file: the levels below ``above`` down to ``last``, under the seeds at the places from ``low`` up to ``high``."""

    layer: int
    number: int
    above: int
    last: int
    low: int
    high: int

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"levels-{self.above + 1}-{self.last}.{self.number:07d}.parquet"

    def places(self, level: int, *, arity: int) -> range:
        """The places of its cells on one of its levels."""
        width = arity ** (level - self.above)
        return range(self.low * width, self.high * width)

    def cells(self, *, arity: int) -> int:
        """How many cells it has."""
        return count_cells(self.high - self.low, arity=arity, levels=self.last - self.above)


@dataclass(frozen=True)
class Layer:
    """A layer of blocks, from the top: ``above`` is the level of its seeds, ``starts`` those at which blocks begin.

    Every block has one seed, ``starts`` None, but where its root lies in the prefix, above the frontier.
    """

    number: int
    above: int
    last: int
    seeds: int
    starts: tuple[int, ...] | None
    blocks_per_sheet: int

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return self.seeds if self.starts is None else len(self.starts)

    @property
    def sheets(self) -> int:
        """How many sheets there are."""
        return -(-self.blocks // self.blocks_per_sheet)

    def seeds_of(self, low: int, high: int) -> tuple[int, int]:
        """The seeds of the blocks from one on, up to another."""
        if self.starts is None:
            return low, high
        return self.starts[low], self.starts[high] if high < self.blocks else self.seeds

    def block_of(self, seed: int) -> int:
        """The block that a seed is in."""
        return seed if self.starts is None else int(np.searchsorted(self.starts, seed, side="right")) - 1

    def sheet(self, number: int) -> Sheet:
        """One of the sheets."""
        low = number * self.blocks_per_sheet
        low, high = self.seeds_of(low, min(self.blocks, low + self.blocks_per_sheet))
        return Sheet(self.number, number, self.above, self.last, low, high)

    def sheet_of(self, seed: int) -> Sheet:
        """The sheet that a seed is in."""
        return self.sheet(self.block_of(seed) // self.blocks_per_sheet)


@dataclass(frozen=True)
class SheetCut:
    """How a field is cut into sheets.

    ``frontier`` is how many cells of the prefix's last level, ``from_depth``, are expanded; ``groups`` are the places among
    them at which the blocks of the first layer begin, where their roots lie in the prefix.
    """

    arity: int
    depth: int
    height: int
    from_depth: int
    prefix_cells: int
    frontier: int
    groups: tuple[int, ...]
    sheet_cells: int

    @property
    def top_root(self) -> int:
        """The level on which the roots of the first layer's blocks lie."""
        layers = block_boundaries(from_level=self.from_depth, depth=self.depth, height=self.height)
        return layers[0][0] if layers else self.from_depth

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of blocks, top-down; none where nothing lies below the prefix."""
        found = list[Layer]()
        for first, last in block_boundaries(from_level=self.from_depth, depth=self.depth, height=self.height):
            above = max(first, self.from_depth)
            seeds = self.frontier * self.arity ** (above - self.from_depth)
            starts = self.groups if first < self.from_depth else None
            largest = 1 if starts is None else max(np.diff([*starts, seeds]).tolist(), default=1)
            cells = count_cells(int(largest), arity=self.arity, levels=last - above)
            found.append(Layer(len(found), above, last, seeds, starts, max(1, self.sheet_cells // cells)))
        return tuple(found)

    @property
    def cells(self) -> int:
        """How many cells the field has."""
        below: int = count_cells(self.frontier, arity=self.arity, levels=self.depth - self.from_depth)
        return self.prefix_cells + below

    def width(self, level: int) -> int:
        """How many cells a level below the prefix has."""
        return self.frontier * int(self.arity ** (level - self.from_depth))

    def first_number(self, level: int) -> int:
        """The breadth-first number of the first cell of a level below the prefix."""
        above = count_cells(self.frontier, arity=self.arity, levels=level - 1 - self.from_depth)
        return self.prefix_cells + above

    def layer_of(self, level: int) -> Layer:
        """The layer that holds a level below the prefix."""
        return next(layer for layer in self.layers if layer.above < level <= layer.last)

    def sheets(self) -> Iterator[Sheet]:
        """All sheets, layer by layer."""
        for layer in self.layers:
            for number in range(layer.sheets):
                yield layer.sheet(number)

    @property
    def sheet_count(self) -> int:
        """How many sheets there are."""
        return sum(layer.sheets for layer in self.layers)

    def sheet_at(self, index: int) -> Sheet:
        """One of all sheets, by its number among them."""
        for layer in self.layers:
            if index < layer.sheets:
                return layer.sheet(index)
            index -= layer.sheets
        raise IndexError(index)

    def slots_below(self, level: int, places: Int[np.ndarray, " cells"]) -> Int[np.ndarray, "cells levels"]:
        """The slots that lead from the frontier of the prefix to cells of a level, by their places."""
        levels = level - self.from_depth
        slots = np.empty((len(places), levels), dtype=np.int64)
        for column in range(levels - 1, -1, -1):
            places, slots[:, column] = np.divmod(places, self.arity)
        return slots
