"""Axes: the plane that cells of any dimension are looked at in: main axes, two columns, two directions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from cfgraph.checks import check_integer
from cfgraph.errors import InputError

_FLAT = 1e-9  # a second direction that is a multiple of the first one but for this is none


@dataclass(frozen=True, eq=False)
class Plane:
    """Two orthonormal directions as columns, so that no distance grows; the second one points down, as on a screen."""

    basis: Float[np.ndarray, "dim 2"]

    @property
    def _plain(self) -> bool:
        return self.basis.shape[0] == 2 and bool((self.basis == [[1.0, 0.0], [0.0, -1.0]]).all())

    def rows(self, vectors: Float[np.ndarray, "rows dim"]) -> tuple[Float[np.ndarray, " rows"], Float[np.ndarray, " rows"]]:
        """Vectors, a row each, on the plane."""
        if self._plain:
            return vectors[:, 0], -vectors[:, 1]
        return vectors @ self.basis[:, 0], vectors @ self.basis[:, 1]

    def columns(self, tuples: Float[np.ndarray, "arity dim places"]) -> tuple[np.ndarray, np.ndarray]:
        """Tuples, a column a place, on the plane: arrays of one's own."""
        if self._plain:
            return tuples[:, 0].copy(), -tuples[:, 1]
        return np.einsum("d,kdn->kn", self.basis[:, 0], tuples), np.einsum("d,kdn->kn", self.basis[:, 1], tuples)


def plane_of(axes: Mapping[str, Any] | None, *, dimension: int, main: Float[np.ndarray, "dim 2"]) -> Plane:
    """The plane that axes name: ``{"kind": "main"}``, ``"columns"`` with two numbers, ``"directions"`` with two vectors.

    Raises:
        InputError: for what is no such thing.
    """
    axes = axes or {"kind": "main"}
    kind = axes.get("kind") if isinstance(axes, Mapping) else None
    if kind == "main" or (dimension < 2 and kind in ("columns", "directions")):
        basis = main
    elif kind == "columns":
        basis = _of_columns(axes.get("columns"), dimension=dimension)
    elif kind == "directions":
        basis = _of_directions(axes.get("directions"), dimension=dimension)
    else:
        raise InputError(f"expected axes of the kind main, columns or directions, got {axes!r}"[:300])
    return Plane(basis * [1.0, -1.0])


def _of_columns(columns: Any, *, dimension: int) -> Float[np.ndarray, "dim 2"]:
    if not isinstance(columns, Sequence) or isinstance(columns, str) or len(columns) != 2:
        raise InputError(f"expected two columns as axes, got {columns!r}"[:200])
    first, second = (check_integer(one, name="a column", low=0, high=dimension - 1) for one in columns)
    if first == second:
        raise InputError(f"expected two different columns as axes, got {first} twice")
    return np.eye(dimension)[:, [first, second]]


def _of_directions(directions: Any, *, dimension: int) -> Float[np.ndarray, "dim 2"]:
    try:
        found = np.asarray(directions, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"expected two directions of {dimension} numbers: {error}") from error
    if found.shape != (2, dimension) or not np.isfinite(found).all():
        raise InputError(f"expected two directions of {dimension} finite numbers, got an array of shape {found.shape}")
    size = np.abs(found).max(axis=1)
    if not (size > 0).all():
        raise InputError("expected directions that are not zero")
    first, second = found / size[:, None]
    first = first / np.linalg.norm(first)
    second = second / np.linalg.norm(second)
    second = second - first * (first @ second)
    if np.linalg.norm(second) < _FLAT:
        raise InputError("expected two directions that are no multiples of each other")
    return np.stack([first, second / np.linalg.norm(second)], axis=1)


def main_axes(centers: Float[np.ndarray, "cells dim"]) -> Float[np.ndarray, "dim 2"]:
    """The two principal axes of centers, the longest first, each with its largest entry positive; the axes themselves up to 2.

    Of one dimension the second is zero: then all lies on a line.
    """
    dimension = centers.shape[1]
    if dimension <= 2:
        return np.eye(2)[:dimension]
    moved = centers - centers.mean(axis=0)
    size = np.abs(moved).max(initial=0.0)
    if not (np.isfinite(size) and size > 0):
        return np.eye(dimension)[:, :2]
    _, _, axes = np.linalg.svd(moved / size, full_matrices=False)
    found = axes[:2] if len(axes) >= 2 else np.stack([axes[0], _beside(axes[0])])
    sign = np.sign(found[np.arange(2), np.abs(found).argmax(axis=1)])
    return (found * sign[:, None]).T


def _beside(axis: Float[np.ndarray, " dim"]) -> Float[np.ndarray, " dim"]:
    """A direction at a right angle to one."""
    other = np.eye(len(axis))[np.abs(axis).argmin()]
    other = other - axis * (axis @ other)
    return other / np.linalg.norm(other)
