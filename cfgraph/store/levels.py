"""Levels: how deep a hierarchy goes and how many cells it has, where its record tells, without a count.

A field that nobody has grown in part has all cells down to some level, so that any way down tells which one that is: its one
frontier cell is looked for along the way of first children. What tells less is not guessed at.
"""

from dataclasses import dataclass
from typing import Any

from cfgraph.model.address import deepest_level, level_of, stem_of
from cfgraph.model.growth import count_cells
from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy
from cfgraph.model.parts import Portion
from cfgraph.store.growth import GrownBy, Growth
from cfgraph.store.hierarchies import Hierarchies

_LEVELS_MAX = 64  # of a way that is looked at: with two children each, more levels are more cells than there can be
_WAYS_MAX = 64


@dataclass(frozen=True)
class Levels:
    """The deepest level that holds a cell, and how many cells there are; None for what is not known without a count."""

    depth: int | None = None
    cells: int | None = None


class KnownLevels(Growth, Hierarchies):
    """Telling how large hierarchies are."""

    def levels(self, of: str | Hierarchy) -> Levels:
        """How deep a hierarchy goes and how many cells it has, at once, where that follows from what is known of it.

        That is so of fields as they were made, and of those that were grown to a depth. Not of those that are imported, grow
        just now, were grown for some time, or in parts of which none reaches the depth; of those that were grown to a number of
        cells, or in parts, the depth alone may be told.

        Raises:
            NotFoundError: for an id that the store does not hold.
            VanishedError: where the hierarchy is removed meanwhile, or is not the one that is meant.
        """
        with self.witness(of, live=True) as witness:
            known = witness.hierarchy
            if not isinstance(known, FieldHierarchy) or known.data_built or known.former_predictors:
                return Levels()
            growths = self.read_growth(known.id) if witness.grown else []
            if known.state != "complete" or known.arity < 2 or not all(growth.done for growth in growths):
                return Levels()
            return self._levels(known, growths)

    def _levels(self, known: FieldHierarchy, growths: list[GrownBy]) -> Levels:
        reached = self._reached(known, growths)
        aimed_at: list[Any] = [growth.to_depth for growth in growths] or [known.recipe.get("depth")]
        even = not any(growth.is_partial or not growth.is_exact for growth in growths)
        if reached in aimed_at and reached == max(aimed_at):
            whole = even or (growths[0].is_exact and not growths[0].is_partial and growths[0].to_depth == reached)
            return Levels(reached, 1 + count_cells(1, arity=known.arity, levels=reached) if whole else None)
        by_cells = growths and all("seconds" not in growth.stop and not growth.is_partial for growth in growths)
        return Levels(reached if by_cells else None)

    def _reached(self, known: FieldHierarchy, growths: list[GrownBy]) -> int:
        """The deepest frontier cell's level on the ways of first children below the root, and below parts that were grown."""
        parts = [text for growth in growths for text in growth.below or ()]
        tops = ["", *(stem_of(Portion.of_text(text).address) for text in parts[:_WAYS_MAX])]
        deepest = deepest_level(known.id, arity=known.arity)
        ways = {top: range(min(_LEVELS_MAX, deepest - top.count("/")) + 1) for top in tops}
        found = self.read_frontier_keys(
            known.id, {f"{top}{'/0' * below}" or "/" for top, levels in ways.items() for below in levels}
        )
        return max(map(level_of, found), default=0)
