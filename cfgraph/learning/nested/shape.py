"""Shape: the nodes of a nested-CRP tree in stick order, and its atoms, the ways that a point can take.

An atom is a way from the root to a node of the last level, or the *open end* of a node above it: the mass of all children
that are not there. Each has one end node, so atoms are known by their ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Self

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.model.order import breadth_first

UNLIMITED = 2**31 - 1  # children


@dataclass(frozen=True, eq=False)
class Shape:
    """Nodes in breadth-first order, siblings in the order of their sticks.

    ``limits[l]`` is how many children a node of level l may have; nodes of level ``len(limits)`` have none.
    """

    parent: Int[np.ndarray, " nodes"]  # -1 for row 0, the root
    limits: tuple[int, ...]

    @classmethod
    def root(cls, limits: tuple[int, ...]) -> Self:
        """The root alone."""
        return cls(np.array([-1]), limits)

    @classmethod
    def arranged(
        cls, parent: Int[np.ndarray, " nodes"], *, slot: Int[np.ndarray, " nodes"], limits: tuple[int, ...]
    ) -> tuple[Self, Int[np.ndarray, " nodes"]]:
        """Nodes in any order, siblings by ``slot``, as a shape; and which node became each row."""
        order, above = breadth_first(parent, slot, _levels(parent))
        return cls(above, limits), order

    def __len__(self) -> int:
        return len(self.parent)

    @property
    def levels(self) -> int:
        """How many levels a full way has."""
        return len(self.limits) + 1

    @cached_property
    def level(self) -> Int[np.ndarray, " nodes"]:
        """The number of edges to the root."""
        return _levels(self.parent)

    @cached_property
    def slices(self) -> list[slice]:
        """The rows of each level that has any."""
        starts = np.searchsorted(self.level, np.arange(int(self.level[-1]) + 2)).tolist()
        return [slice(low, high) for low, high in pairwise(starts)]

    @cached_property
    def child_count(self) -> Int[np.ndarray, " nodes"]:
        """How many children each node has."""
        return np.bincount(self.parent[1:], minlength=len(self))

    @cached_property
    def first_sibling(self) -> Int[np.ndarray, " nodes"]:
        """The row of the first child of each node's parent; the root's is its own."""
        changed = np.flatnonzero(np.diff(self.parent, prepend=-2) != 0)
        return np.repeat(changed, np.diff(np.append(changed, len(self))))

    @cached_property
    def full(self) -> Bool[np.ndarray, " nodes"]:
        """Whether a node is of the last level, where full ways end."""
        return self.level == self.levels - 1

    @cached_property
    def open(self) -> Bool[np.ndarray, " nodes"]:
        """Whether a node has an open end: it may have more children than it has."""
        most = np.array([*self.limits, 0])[self.level]
        return self.child_count < most

    @cached_property
    def ends(self) -> Int[np.ndarray, " atoms"]:
        """The end nodes of the atoms."""
        return np.flatnonzero(self.full | self.open)

    @cached_property
    def certain(self) -> Bool[np.ndarray, " nodes"]:
        """Whether v = 1: the root, and the last child of a node without an open end."""
        last = np.diff(self.parent, append=-2) != 0
        return (last & ~self.open[self.parent]) | (self.parent < 0)

    @cached_property
    def ways(self) -> Int[np.ndarray, "nodes levels"]:
        """The node at each level of the way to a node; below it the node itself, as unseen children emit as it does."""
        ways = np.repeat(np.arange(len(self))[:, None], self.levels, axis=1)
        for rows in self.slices[1:]:
            above = ways[self.parent[rows]]
            lower = np.arange(self.levels) < self.level[rows][:, None]
            ways[rows] = np.where(lower, above, ways[rows])
        return ways

    def sum_up(self, values: Float[np.ndarray, "nodes ..."]) -> Float[np.ndarray, "nodes ..."]:
        """What lies at each node and below it, from what lies at each; in place."""
        for rows in reversed(self.slices[1:]):
            first = np.flatnonzero(np.diff(self.parent[rows], prepend=-1))
            values[self.parent[rows][first]] += np.add.reduceat(values[rows], first, axis=0)
        return values

    def earlier(self, values: Float[np.ndarray, " nodes"]) -> Float[np.ndarray, " nodes"]:
        """The sum over earlier siblings."""
        before = np.cumsum(values) - values
        return before - before[self.first_sibling]

    def below(self, values: Float[np.ndarray, " nodes"]) -> Float[np.ndarray, " nodes"]:
        """The sum over children."""
        return np.bincount(self.parent[1:], weights=values[1:], minlength=len(self))


def _levels(parent: Int[np.ndarray, " nodes"]) -> Int[np.ndarray, " nodes"]:
    """The number of edges to the root, parents in any order."""
    level, above = np.zeros(len(parent), dtype=np.int64), parent.copy()
    while (climbing := above >= 0).any():
        level += climbing
        above = np.where(climbing, parent[np.maximum(above, 0)], -1)
    return level


def limits_of(branching: int | Sequence[int] | None, *, depth: int) -> tuple[int, ...]:
    """How many children a node of each level may have, of one number for all of them, one each, or None for any number."""
    if branching is None:
        return (UNLIMITED,) * depth
    return (branching,) * depth if isinstance(branching, int) else tuple(branching)
