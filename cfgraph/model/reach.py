"""Reach: how far any descendant's center may lie from a cell's, for rules whose tuples are ``T_w = U B_w`` (derived).

Every way below w repeats a way below the root, turned by ``B_w``: ``|center(wv) - center(w)| <= scale(w) norm2(B_w) r0``
with ``r0`` a bound of the root's reach at unit B. A maximum over finitely many levels is no such bound; branch and bound
gives one (docs/mathematics.md).
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

TOLERANCE = 1e-3  # of the bound above what a cell reaches
_CELLS_MAX = 50_000  # kept at once; with more the bound is true all the same, and looser
_LEVELS_MAX = 4096
_ROUNDING = 1 + 1e-9


@dataclass(frozen=True)
class WayReach:
    """``|center(wv) - center(w)| <= scale(w) top product_i factor[w_i]``: a bound that the scale and the address of w tell.

    It is ``r0`` at the root and ``norm2(B_wj) <= norm2(turn_j) norm2(B_w)`` below.
    """

    top: float
    factors: tuple[float, ...]  # one a slot


def spread_bound(
    turn: Float[np.ndarray, "arity dim dim"],
    *,
    displacement: Float[np.ndarray, "arity dim"],
    scale_factor: float,
    tolerance: float = TOLERANCE,
) -> float:
    """A bound r0 of ``sup |sum_l s^l u_{w_l} B_{w_1..w_(l-1)}|`` over all ways w, ``B_wj = turn_j B_w``.

    Branch and bound: of a cell at level l, reached at y, nothing below is farther than ``|y| + s^l norm2(B) r`` where r is any
    bound of the whole; cells where that is not above what some cell reaches, but for the tolerance, are left alone.
    Infinite where the maps do not contract.
    """
    largest = float(np.sqrt(np.einsum("kd,kd->k", displacement, displacement)).max(initial=0.0))
    contraction = scale_factor * float(np.linalg.norm(turn, ord=2, axis=(1, 2)).max(initial=0.0))
    if not contraction < 1:
        return math.inf
    bound, reached, size = largest / (1 - contraction), 0.0, 1.0
    place, composed = np.zeros((1, displacement.shape[1])), np.eye(displacement.shape[1])[None]
    for _ in range(_LEVELS_MAX):
        distance = np.sqrt(np.einsum("cd,cd->c", place, place))
        reached = max(reached, float(distance.max()))
        farthest = distance + size * np.linalg.norm(composed, ord=2, axis=(1, 2)) * bound
        settled = reached * (1 + tolerance)
        bound = min(bound, max(settled, float(farthest.max())))
        open_ = farthest > settled
        if not open_.any() or np.count_nonzero(open_) * len(turn) > _CELLS_MAX:
            break
        place = (place[open_, None] + size * (displacement @ composed[open_])).reshape(-1, place.shape[1])
        composed = (turn @ composed[open_, None]).reshape(-1, *composed.shape[1:])
        size *= scale_factor
    return bound * _ROUNDING
