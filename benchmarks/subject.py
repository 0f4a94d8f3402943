"""Subject: the hierarchy that is written, read and grown. The Koch curve has arity 4 and dimension 2."""

from collections.abc import Callable
from dataclasses import replace

from cfgraph import sources
from cfgraph.learning.train import train
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.predictors.trained import TrainedPredictor

PREFIX_DEPTH = 3  # of what is learned from, and of the copy that is grown


def make_subject(id: str, *, depth: int) -> Hierarchy:
    """The Koch curve down to a depth, in memory: (4^(depth + 1) - 1) / 3 cells."""
    return sources.ifs(id=id, maps="koch", depth=depth)


def make_wide_subject(id: str, *, depth: int) -> Hierarchy:
    """A smooth generator of arity 4 in 64 dimensions, down to a depth, in memory."""
    return sources.cfg(id=id, arity=4, dimension=64, depth=depth)


def forget_views(hierarchy: Hierarchy) -> Hierarchy:
    """The same hierarchy with cells that have not worked out their addresses and children yet, as a source gives it."""
    return hierarchy.with_cells(replace(hierarchy.cells))


def forgetting(hierarchy: Hierarchy) -> Callable[[], Hierarchy]:
    """``forget_views`` of one hierarchy, to be called before each round."""
    return lambda: forget_views(hierarchy)


def learn_rule(id: str, hierarchy: Hierarchy, *, depth: int) -> TrainedPredictor:
    """The recurrence, learned from a prefix."""
    return train(hierarchy, id=id, depth=depth, family="recurrence")
