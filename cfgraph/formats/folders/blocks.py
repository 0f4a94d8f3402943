"""Growing the blocks of a field without a graph: the seeds of any block from the prefix alone, and the cells of a sheet.

What the layers above hold of a block's way is grown again, one or two blocks a layer, so that no sheet waits for another. Each
canonical block is one batch, as in the graph: the rounding of a predictor's matrix products depends on what stands in one.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from cfgraph.formats.folders.sheets import LevelColumns
from cfgraph.model.cells import FRONTIER, Cells
from cfgraph.model.growth import Frontier, Rule, expand_levels, frontier_of
from cfgraph.model.pieces import FollowedRule
from cfgraph.model.sheets import Layer, Sheet, SheetCut

COLUMNS = ("center", "scale", "root_distance", "length")
KEPT_BLOCKS = 8  # of layers above, whose last levels are the seeds of what comes next


@dataclass(frozen=True, eq=False)
class PlainRule:
    """A rule that looks at its frontier alone, such as a predictor's."""

    rule: Rule

    def __call__(self, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
        """The tuples of a frontier's cells."""
        return self.rule(frontier)

    def below(self, rows: slice, *, level: int) -> Rule:
        """Itself."""
        return self.rule

    def at(self, slots: Int[np.ndarray, "cells levels"]) -> "PlainRule":
        """Itself."""
        return self


@dataclass(frozen=True, eq=False)
class Seeds:
    """Cells that follow one another on a level, each with the tuple of its parent."""

    columns: dict[str, np.ndarray]
    slot: Int[np.ndarray, " seeds"]
    level: int
    above: Float[np.ndarray, "seeds arity dim"]

    def frontier(self, row: int) -> Frontier:
        """One of them, to be grown alone."""
        part = slice(row, row + 1)
        return Frontier(
            **{name: column[part] for name, column in self.columns.items()},
            level=np.full(1, self.level, dtype=np.int32),
            slot=self.slot[part],
            tuples=self.above[part],
            family=np.zeros(1, dtype=np.int64),
        )

    @classmethod
    def joined(cls, parts: list["Seeds"]) -> "Seeds":
        """Several parts, one behind the other."""
        columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in COLUMNS}
        slot, above = (np.concatenate([getattr(part, name) for part in parts]) for name in ("slot", "above"))
        return cls(columns, slot, parts[0].level, above)

    @classmethod
    def of(cls, frontier: Frontier, rows: slice) -> "Seeds":
        """Some cells of a frontier."""
        columns = {name: getattr(frontier, name)[rows] for name in COLUMNS}
        above = frontier.tuples[frontier.family_rows[rows]]
        return cls(columns, frontier.slot[rows], int(frontier.level[0]), above)


class Ground:
    """A prefix and the rule below it, from which any sheet can be grown."""

    def __init__(self, cut: SheetCut, prefix: Cells, *, rule: FollowedRule, scale_factor: float):
        self.cut, self._rule, self._scale_factor = cut, rule, scale_factor
        rows = np.flatnonzero(prefix.state == FRONTIER)
        self._frontier = frontier_of(prefix, rows, arity=cut.arity) if len(rows) else None
        self._prefix, self._rows = prefix, rows
        self._ends = OrderedDict[tuple[int, int], Frontier]()

    def grow(self, sheet: Sheet) -> dict[int, LevelColumns]:
        """The cells of a sheet, by level."""
        layer, arity = self.cut.layers[sheet.layer], self.cut.arity
        levels = range(sheet.above + 1, sheet.last + 1)
        dimension = self._prefix.dimension
        found = {level: _room(len(sheet.places(level, arity=arity)), dimension) for level in levels}
        low, high = layer.block_of(sheet.low), layer.block_of(sheet.high - 1) + 1
        done = dict.fromkeys(levels, 0)
        for generations in self._blocks(layer, low, high):
            for grown in generations:
                level = int(grown.level[0])
                rows = slice(done[level], done[level] + len(grown))
                for name, column in vars(found[level]).items():
                    column[rows] = getattr(grown, name)
                done[level] = rows.stop
        return found

    def _blocks(self, layer: Layer, low: int, high: int) -> Iterator[Iterator[Frontier]]:
        """The levels of some blocks of a layer, block after block."""
        first, last = layer.seeds_of(low, high)
        levels = layer.last - layer.above
        if layer.starts is not None:
            rule = self._rule.at(self.cut.slots_below(layer.above, np.arange(first, last)))
            for block in range(low, high):
                start, end = layer.seeds_of(block, block + 1)
                frontier = frontier_of(self._prefix, self._rows[start:end], arity=self.cut.arity)
                below = rule.below(slice(start - first, end - first), level=layer.above)
                yield expand_levels(frontier, rule=below, scale_factor=self._scale_factor, levels=levels)
            return
        seeds = self._seeds(layer, first, last)
        rule = self._rule.at(self.cut.slots_below(layer.above, np.arange(first, last)))
        for row in range(last - first):
            below = rule.below(slice(row, row + 1), level=layer.above)
            yield expand_levels(seeds.frontier(row), rule=below, scale_factor=self._scale_factor, levels=levels)

    def _seeds(self, layer: Layer, low: int, high: int) -> Seeds:
        """The seeds of a layer from one on, up to another: of the prefix, or of blocks of the layer above, grown again."""
        if layer.number == 0:
            assert self._frontier is not None, "there is something to grow"
            return Seeds.of(self._frontier, slice(low, high))
        above = self.cut.layers[layer.number - 1]
        width, parts = self.cut.arity ** (above.last - above.above), []
        for block in range(above.block_of(low // width), above.block_of((high - 1) // width) + 1):
            start, end = above.seeds_of(block, block + 1)
            held = range(start * width, end * width)
            rows = slice(max(low, held.start) - held.start, min(high, held.stop) - held.start)
            parts.append(Seeds.of(self._end(above, block), rows))
        return Seeds.joined(parts)

    def _end(self, layer: Layer, block: int) -> Frontier:
        """The last level of a block."""
        found = self._ends.pop((layer.number, block), None)
        if found is None:
            (generations,) = self._blocks(layer, block, block + 1)
            *_, found = generations
        self._ends[layer.number, block] = found
        while len(self._ends) > KEPT_BLOCKS:
            self._ends.popitem(last=False)
        return found


def _room(count: int, dimension: int) -> LevelColumns:
    vectors = {name: np.empty((count, dimension)) for name in ("center", "residual")}
    return LevelColumns(**vectors, **{name: np.empty(count) for name in ("scale", "root_distance", "length")})
