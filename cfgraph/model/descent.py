"""Descents: rules as they are followed down single ways, from a cell to one of its children, to any depth.

A :data:`~cfgraph.model.growth.Rule` answers whole families of a frontier, level after level. Who asks for a few cells far below
follows the ways to these alone: at each place a *memory* is kept, which is all that the rule needs there beside the place
itself. Rules of frontiers remember the tuple that the place is a member of; maps remember the matrix that they are composed to.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.model.growth import Frontier
from cfgraph.model.growth import Rule as FrontierRule
from cfgraph.model.reach import WayReach, spread_bound

Memory = np.ndarray  # a row a place
_ROUNDING = 1 + 1e-12


@dataclass(frozen=True, eq=False)
class Places:
    """Cells of one level that ways have come to, as columns; ``slot`` is -1 for the root, ``memory`` is the descent's."""

    level: int
    slot: Int[np.ndarray, " places"]
    center: Float[np.ndarray, "places dim"]
    scale: Float[np.ndarray, " places"]
    root_distance: Float[np.ndarray, " places"]
    length: Float[np.ndarray, " places"]
    residual: Float[np.ndarray, "places dim"]
    stored: Bool[np.ndarray, " places"]
    memory: Memory

    def __len__(self) -> int:
        return len(self.slot)

    def take(self, rows: Int[np.ndarray, " rows"]) -> "Places":
        """Some of them, in an order of one's own."""
        columns = {name: getattr(self, name)[rows] for name in COLUMNS}
        return Places(level=self.level, memory=self.memory[rows], **columns)

    def children(
        self,
        parent: Int[np.ndarray, " children"],
        slot: Int[np.ndarray, " children"],
        *,
        residual: Float[np.ndarray, "children dim"],
        memory: Memory,
        scale_factor: float,
    ) -> "Places":
        """Some children, each by the row of its parent, as a rule has them: ``center + scale * residual``."""
        scale = self.scale[parent]
        length = scale * np.sqrt(np.einsum("cd,cd->c", residual, residual))
        return Places(
            level=self.level + 1,
            slot=slot,
            center=self.center[parent] + scale[:, None] * residual,
            scale=scale * scale_factor,
            root_distance=self.root_distance[parent] + length,
            length=length,
            residual=residual,
            stored=np.zeros(len(slot), dtype=np.bool_),
            memory=memory,
        )


COLUMNS = ("slot", "center", "scale", "root_distance", "length", "residual", "stored")


@runtime_checkable
class Descent(Protocol):
    """A rule that can be followed from a place to one of its children."""

    @property
    def arity(self) -> int:
        """K, the number of children of every place."""

    def start(self) -> Memory:
        """What is remembered at the root: one row."""

    def step(
        self, places: Places, *, parent: Int[np.ndarray, " children"], slot: Int[np.ndarray, " children"]
    ) -> tuple[Float[np.ndarray, "children dim"], Memory]:
        """The residual and the memory of some children: each by the row of its parent and its slot."""

    def remember(
        self,
        places: Places,
        *,
        parent: Int[np.ndarray, " children"],
        slot: Int[np.ndarray, " children"],
        tuples: Float[np.ndarray, "places arity dim"],
    ) -> Memory:
        """The memory of children whose residuals are known already, all ``tuples`` of their parents with them."""

    def spread(self, places: Places) -> Float[np.ndarray, " places"] | None:
        """A bound, in units of its scale, on how far any descendant's center lies from each place; None where none is known."""


@dataclass(frozen=True, eq=False)
class FrontierDescent:
    """A rule of frontiers: a generator, a predictor. It remembers of each place the tuple that this is a member of."""

    rule: FrontierRule
    arity: int
    dimension: int

    def start(self) -> Memory:
        """Zeros: a root has no siblings."""
        return np.zeros((1, self.arity, self.dimension))

    def tuples(self, places: Places) -> Float[np.ndarray, "places arity dim"]:
        """What the rule answers for these places as a frontier."""
        return self.rule(
            Frontier(
                center=places.center,
                scale=places.scale,
                root_distance=places.root_distance,
                length=places.length,
                level=np.full(len(places), places.level),
                slot=places.slot,
                tuples=places.memory,
                family=np.arange(len(places)),
            )
        )

    def step(
        self, places: Places, *, parent: Int[np.ndarray, " children"], slot: Int[np.ndarray, " children"]
    ) -> tuple[Float[np.ndarray, "children dim"], Memory]:
        """The children's rows of the tuples, and these tuples."""
        tuples = self.tuples(places)
        return tuples[parent, slot], tuples[parent]

    def remember(
        self,
        places: Places,
        *,
        parent: Int[np.ndarray, " children"],
        slot: Int[np.ndarray, " children"],
        tuples: Float[np.ndarray, "places arity dim"],
    ) -> Memory:
        """The tuples."""
        found: np.ndarray = tuples[parent]
        return found

    def spread(self, places: Places) -> Float[np.ndarray, " places"] | None:
        """Nothing better than the bound of the residuals is known."""
        return None


@dataclass(frozen=True, eq=False)
class MapsDescent:
    """Affine maps: ``T_w = U B_w`` with ``B_w = A_w^t / s^|w|``, so that ``B_wj = (A_j^t / s) B_w``; it remembers ``B_w``.

    ``displacement`` is U, its rows ``f_k(x0) - x0``; ``turn`` the ``A_k^t / s``. Sums are spelled out term by term, so that the
    bits of a place do not depend on which others are asked for with it.
    """

    turn: Float[np.ndarray, "arity dim dim"]
    displacement: Float[np.ndarray, "arity dim"]
    scale_factor: float

    @property
    def arity(self) -> int:
        """The number of maps."""
        return len(self.turn)

    def start(self) -> Memory:
        """The identity."""
        return np.eye(self.displacement.shape[1])[None]

    def step(
        self, places: Places, *, parent: Int[np.ndarray, " children"], slot: Int[np.ndarray, " children"]
    ) -> tuple[Float[np.ndarray, "children dim"], Memory]:
        """``u_j B_w`` and ``B_wj``."""
        above, moved = places.memory[parent], self.displacement[slot]
        return _products(moved[:, None], above)[:, 0], self.turned(above, slot)

    def remember(
        self,
        places: Places,
        *,
        parent: Int[np.ndarray, " children"],
        slot: Int[np.ndarray, " children"],
        tuples: Float[np.ndarray, "places arity dim"],
    ) -> Memory:
        """``B_wj``, which the slots alone decide."""
        return self.turned(places.memory[parent], slot)

    def turned(self, above: Memory, slot: Int[np.ndarray, " children"]) -> Memory:
        """``B_wj`` of each ``B_w`` and slot j."""
        return _products(self.turn[slot], above)

    def spread(self, places: Places) -> Float[np.ndarray, " places"]:
        """``norm2(B_w) r0``, r0 the bound at the root: every displacement below w is one below the root, times ``B_w``."""
        found: np.ndarray = np.linalg.norm(places.memory, ord=2, axis=(1, 2)) * self.root_spread
        return found

    @cached_property
    def root_spread(self) -> float:
        """r0: how far any cell's center lies from the root's at most, in units of its scale."""
        return spread_bound(self.turn, displacement=self.displacement, scale_factor=self.scale_factor)

    @cached_property
    def way_reach(self) -> WayReach:
        """r0, and norm2 of each ``A_k^t / s``, rounded up."""
        norms = np.linalg.norm(self.turn, ord=2, axis=(1, 2)) * _ROUNDING
        return WayReach(self.root_spread, tuple(norms.tolist()))


@dataclass(frozen=True, eq=False)
class SpannedDescent(FrontierDescent):
    """A recurrence whose tuples stay in the span of the root's, ``T_w = U B_w``: then maps bound how far its cells reach.

    With ``T_wj = alpha_j T_w`` and ``alpha_j`` zero outside the span of U, ``B_w = U^+ T_w`` follows ``B_wj = M_j B_w`` for
    ``M_j = U^+ alpha_j U`` exactly, and a tuple is off ``U B_w`` by no more than ``max_j |alpha_j U - U M_j| norm2(B_w)``
    (derived, docs/mathematics.md).
    """

    maps: MapsDescent  # M_j and U
    inverse: Float[np.ndarray, "dim arity"]  # U^+
    off: float  # the longest row of alpha_j U - U M_j
    residual_bound: float  # what is longer is clipped, and then nothing of this holds

    def spread(self, places: Places) -> Float[np.ndarray, " places"]:
        """``norm2(B_w) (r0 + off / (1 - s))`` and what the tuple itself is off; infinite where a residual may be clipped."""
        tuples = self.tuples(places)
        composed = self.inverse @ tuples
        off = np.linalg.norm(tuples - self.maps.displacement @ composed, axis=2).max(axis=1)
        norm = np.linalg.norm(composed, ord=2, axis=(1, 2))
        longest = norm * (np.linalg.norm(self.maps.displacement, axis=1).max() + self.off) + off
        found = norm * (self.maps.root_spread + self.off / (1 - self.maps.scale_factor)) + off
        return np.where(longest <= self.residual_bound * (1 + 1e-9), found, np.inf)


_COLUMNWISE_MAX = 4  # dimensions up to which products run along places, a column a term


def _products(
    left: Float[np.ndarray, "places rows dim"], right: Float[np.ndarray, "places dim columns"]
) -> Float[np.ndarray, "places rows columns"]:
    """The product of each pair of matrices, its terms added in their order: the same bits for one pair and for many.

    Of small matrices each entry is a column of many places, which is where numpy is fast; of large ones each is a row.
    """
    (places, rows, dimension), columns = left.shape, right.shape[2]
    if dimension > _COLUMNWISE_MAX:
        found = np.zeros((places, rows, columns))
        for axis in range(dimension):
            found += left[:, :, axis, None] * right[:, axis, None]
        return found
    turned, entry = np.zeros((rows, columns, places)), np.empty(places)
    for row, column, axis in np.ndindex(rows, columns, dimension):
        np.multiply(left[:, row, axis], right[:, axis, column], out=entry)
        turned[row, column] += entry
    return np.ascontiguousarray(turned.transpose(2, 0, 1))
