"""Frames: points as they lie in cells, in units of these, and how a rule places the cells' children there.

A point is ``place = (x - center(w)) / unit`` in the frame of a cell w, unit the cell's scale. In the frame of its child j it is
``(place - r_j) / s``, r_j the child's residual: no center enters, so that nothing cancels that was not close to begin with
(derived, docs/mathematics.md). ``slip`` bounds what rounding, and a rule that is off by ``error``, did to each place.

All arrays of coordinates have a row an axis, so that sums over axes run over long rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from cfgraph.model.descent import COLUMNS, Descent, FrontierDescent, MapsDescent, Places, SpannedDescent

EPSILON = float(np.finfo(np.float64).eps)
_AS_MAPS = 1e-12  # what a recurrence may be off the maps that it stands for, in units of its longest displacement
_LARGE = 1e145  # longer than this and squares may overflow


@runtime_checkable
class Ruled(Protocol):
    """Places of one level below which only the rule answers."""

    @property
    def shared(self) -> bool:
        """Whether several points may be at one place."""

    def tuples(self) -> Float[np.ndarray, "arity dim places"]:
        """The residuals of the children of each place."""

    def below(self, parent: Int[np.ndarray, " children"] | None, slot: Int[np.ndarray, " children"]) -> Self:
        """Some children; None for one of each place."""

    def of(self, rows: Int[np.ndarray, " points"]) -> tuple[Self, Int[np.ndarray, " points"]]:
        """Places that points in some rows are at, and the row of each point's."""

    def spread(self) -> Float[np.ndarray, "arity places"]:
        """How far descendants of each child lie from the child at most, in the child's unit."""

    def doubt(self) -> Float[np.ndarray, " places"]:
        """What rounding may have done to each residual, in units of the place's scale."""

    def longest(self, tuples: Float[np.ndarray, "arity dim places"]) -> Float[np.ndarray, " places"]:
        """A bound on the lengths of the residuals of each place's children."""


@dataclass(frozen=True, eq=False)
class RulePlaces:
    """Places below which a rule of frontiers answers; it is asked once where several points are at one place."""

    descent: FrontierDescent
    scale_factor: float
    farthest: float  # R / (1 - s)
    places: Places
    shared: bool = True

    @cached_property
    def _answer(self) -> Float[np.ndarray, "places arity dim"]:
        return self.descent.tuples(self.places)

    def tuples(self) -> Float[np.ndarray, "arity dim places"]:
        """What the rule answers."""
        found: np.ndarray = np.ascontiguousarray(self._answer.transpose(1, 2, 0))
        return found

    def below(self, parent: Int[np.ndarray, " children"] | None, slot: Int[np.ndarray, " children"]) -> "RulePlaces":
        """Children, with the tuples that they are members of."""
        parent = np.arange(len(slot)) if parent is None else parent
        memory = self.descent.remember(self.places, parent=parent, slot=slot, tuples=self._answer)
        residual = self._answer[parent, slot]
        below = self.places.children(parent, slot, residual=residual, memory=memory, scale_factor=self.scale_factor)
        return RulePlaces(self.descent, self.scale_factor, self.farthest, below)

    def of(self, rows: Int[np.ndarray, " points"]) -> "tuple[RulePlaces, Int[np.ndarray, ' points']]":
        """Those that some point is at, once each."""
        needed, at = np.unique(rows, return_inverse=True)
        return RulePlaces(self.descent, self.scale_factor, self.farthest, self.places.take(needed)), at

    def spread(self) -> Float[np.ndarray, "arity places"]:
        """``R / (1 - s)``."""
        return np.full((self.descent.arity, len(self.places)), self.farthest)

    def doubt(self) -> Float[np.ndarray, " places"]:
        """Nothing: what the rule answers is taken as it is."""
        return np.zeros(len(self.places))

    def longest(self, tuples: Float[np.ndarray, "arity dim places"]) -> Float[np.ndarray, " places"]:
        """The longest one."""
        found: np.ndarray = np.sqrt(np.einsum("kdn,kdn->kn", tuples, tuples).max(axis=0))
        return found


@dataclass(frozen=True, eq=False)
class MapsRule:
    """Affine maps, ``T_w = U B_w`` and ``B_wj = G_j B_w``, with what they may be off."""

    maps: MapsDescent
    farthest: float  # R / (1 - s)
    off: float = 0.0  # how far any residual is from U B_w, in units of the place's scale

    @cached_property
    def norms(self) -> Float[np.ndarray, " arity"]:
        """norm2 of each ``G_j``, rounded up."""
        found: np.ndarray = np.linalg.norm(self.maps.turn, ord=2, axis=(1, 2)) * (1 + 1e-12)
        return found

    @cached_property
    def turns(self) -> Float[np.ndarray, "squares arity"]:
        """The ``G_j``, a column a slot."""
        return np.ascontiguousarray(self.maps.turn.reshape(self.maps.arity, -1).T)

    @cached_property
    def longest(self) -> float:
        """The longest row of U."""
        return float(np.linalg.norm(self.maps.displacement, axis=1).max())


@dataclass(frozen=True, eq=False)
class MapsPlaces:
    """Places below which affine maps answer, a row a point: ``matrix`` is B_w, ``norm`` a bound of its norm2."""

    rule: MapsRule
    matrix: Float[np.ndarray, "dim dim places"]
    norm: Float[np.ndarray, " places"]
    levels: int  # that matrices were multiplied along
    shared: bool = False

    def tuples(self) -> Float[np.ndarray, "arity dim places"]:
        """``U B_w``, term by term."""
        found: np.ndarray = np.einsum("kd,den->ken", self.rule.maps.displacement, self.matrix)
        return found

    def below(self, parent: Int[np.ndarray, " children"] | None, slot: Int[np.ndarray, " children"]) -> "MapsPlaces":
        """``G_j B_w``."""
        dim = len(self.matrix)
        above, norm = self.matrix, self.norm
        if parent is not None:
            above, norm = np.take(above, parent, axis=2), norm[parent]
        turn = np.take(self.rule.turns, slot, axis=1).reshape(dim, dim, len(slot))
        matrix = np.einsum("acn,cen->aen", turn, above)
        norm = norm * self.rule.norms[slot]
        return MapsPlaces(self.rule, matrix, np.minimum(norm, _norm_bound(matrix)), self.levels + 1)

    def of(self, rows: Int[np.ndarray, " points"]) -> "tuple[MapsPlaces, Int[np.ndarray, ' points']]":
        """A place a point."""
        taken = MapsPlaces(self.rule, np.take(self.matrix, rows, axis=2), self.norm[rows], self.levels)
        return taken, np.arange(len(rows))

    def spread(self) -> Float[np.ndarray, "arity places"]:
        """``norm2(B_wj) r0``, or ``R / (1 - s)`` where that is less."""
        found: np.ndarray = np.multiply.outer(self.rule.norms * self.rule.maps.root_spread, self.norm)
        found += self.rule.off * (1 + 1 / (1 - self.rule.maps.scale_factor))
        bounded: np.ndarray = np.minimum(found, self.rule.farthest)
        return bounded

    def doubt(self) -> Float[np.ndarray, " places"]:
        """A product of n matrices is off by some d + 1 roundings each, and a tuple by what the rule is off."""
        dim = len(self.matrix)
        rounding = EPSILON * (dim + 2) * (self.levels + 2) * self.rule.longest
        found: np.ndarray = rounding * np.maximum(1.0, self.norm) + self.rule.off
        return found

    def longest(self, tuples: Float[np.ndarray, "arity dim places"]) -> Float[np.ndarray, " places"]:
        """The longest row of U times ``norm2(B_w)``."""
        found: np.ndarray = self.rule.longest * self.norm + self.rule.off
        return found


def _norm_bound(matrix: Float[np.ndarray, "dim dim places"]) -> Float[np.ndarray, " places"]:
    """A bound of norm2 of each matrix: itself in the plane, Frobenius' norm elsewhere."""
    square = np.einsum("aen,aen->n", matrix, matrix)
    if len(matrix) == 2:
        twice = 2 * (matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0])
        square = (square + np.sqrt(np.maximum((square - twice) * (square + twice), 0.0))) / 2
    found: np.ndarray = np.sqrt(square) * (1 + 1e-7)  # the root above loses half of the digits
    return found


def ruled_places(places: Places, *, descent: Descent, scale_factor: float, residual_bound: float | None) -> "Ruled":
    """Places below which only the rule answers, a row a place, as what follows the rule fastest."""
    farthest = np.inf if residual_bound is None else residual_bound / (1 - scale_factor)
    if isinstance(descent, MapsDescent):
        return _maps_places(MapsRule(descent, farthest), places.memory)
    assert isinstance(descent, FrontierDescent)
    if isinstance(descent, SpannedDescent):
        tuples = descent.tuples(places)
        matrix = descent.inverse @ tuples
        largest = float(np.linalg.norm(matrix, ord=2, axis=(1, 2)).max())
        here = float(np.linalg.norm(tuples - descent.maps.displacement @ matrix, axis=2).max())
        rule = MapsRule(descent.maps, farthest, max(here, descent.off * largest))
        unclipped = largest * rule.longest + rule.off <= descent.residual_bound * (1 + 1e-9)
        if unclipped and rule.norms.max() <= 1 + 1e-9 and rule.off <= _AS_MAPS * rule.longest:
            return _maps_places(rule, matrix)
    return RulePlaces(descent, scale_factor, farthest, places)


def joined(parts: Sequence[Ruled]) -> list[Ruled]:
    """Places of one level, one after the other: as one where one rule answers below all of them, else as they are."""
    if len(parts) < 2:
        return list(parts)
    maps = [part for part in parts if isinstance(part, MapsPlaces)]
    if len(maps) == len(parts) and all(part.rule.maps is maps[0].rule.maps for part in maps):
        rule = max((part.rule for part in maps), key=lambda rule: rule.off)
        matrix, norm = np.concatenate([part.matrix for part in maps], axis=2), np.concatenate([part.norm for part in maps])
        return [MapsPlaces(rule, matrix, norm, max(part.levels for part in maps))]
    ruled = [part for part in parts if isinstance(part, RulePlaces)]
    if len(ruled) == len(parts) and all(part.descent is ruled[0].descent for part in ruled):
        first, places = ruled[0], [part.places for part in ruled]
        columns = {name: np.concatenate([getattr(one, name) for one in places]) for name in (*COLUMNS, "memory")}
        return [RulePlaces(first.descent, first.scale_factor, first.farthest, Places(level=places[0].level, **columns))]
    return list(parts)


def _maps_places(rule: MapsRule, matrix: Float[np.ndarray, "places dim dim"]) -> MapsPlaces:
    turned = np.ascontiguousarray(matrix.transpose(1, 2, 0))
    norm = np.linalg.norm(matrix, ord=2, axis=(1, 2)) * (1 + 1e-12)
    return MapsPlaces(rule, turned, norm, 0)


def lengths(offset: Float[np.ndarray, " dim *rows"]) -> Float[np.ndarray, " *rows"]:
    """The norms of columns, whose squares may be beyond what double precision holds."""
    squares = np.einsum("d...,d...->...", offset, offset)
    found: np.ndarray = np.sqrt(squares)
    large = ~(found <= _LARGE)
    if large.any():
        taken = offset[:, large]
        size = np.abs(taken).max(axis=0)
        with np.errstate(invalid="ignore"):
            taken = taken / size
        found[large] = size * np.sqrt(np.einsum("dn,dn->n", taken, taken))
    return found
