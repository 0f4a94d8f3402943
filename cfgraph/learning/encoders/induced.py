"""InducedRule: a generator that data define (derived, docs/mathematics.md), kept as the last step of an encoder.

With points x_i, bandwidth h, anchors u_k (unit vectors) and temperature tau, for a center c:

    w_i = exp(-|x_i - c|^2 / (2 h^2)), normalised       m = sum w_i x_i
    a_ik = softmax over k of (x_i - m) . u_k / tau      G(c)_k = (sum_i w_i a_ik x_i) / (sum_i w_i a_ik) - c

the K soft prototypes of what lies around c, as seen from c. All of it is computed in units of h from the data's mean, and in
logarithms, so that no weight is lost however far c lies from all data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.model.growth import Frontier

BLOCK_FLOATS = 1 << 18  # cells x slots x points at once: what stays in a processor's cache
FAR = 100.0  # radii of the data from their mean: beyond, weights are those at this distance, in the same direction
_ROUNDING = 1 + 1e-12  # what sums over many points may lose


@dataclass(frozen=True, eq=False)
class InducedRule:
    """The rule of some data: a :data:`~cfgraph.model.growth.Rule` of the center alone that knows its bound and constant.

    The same center gives the same bits whatever the batch it stands in: distances are summed element by element, and every
    product of matrices is one cell's own. As an encoder's step it leaves rows as they are.
    """

    kind: ClassVar[str] = "induced-rule"

    data: Float[np.ndarray, "points dim"]
    mean: Float[np.ndarray, " dim"]
    anchors: Float[np.ndarray, "arity dim"]
    bandwidth: float  # h, a length
    temperature: float  # tau, a length

    def __post_init__(self) -> None:
        if self.data.ndim != 2 or len(self.data) == 0 or self.anchors.ndim != 2 or len(self.anchors) == 0:
            raise InputError("expected points and anchors as rows")
        if self.mean.shape != self.data.shape[1:] or self.anchors.shape[1:] != self.mean.shape:
            raise InputError("expected a mean and anchors with as many coordinates as the points have")
        if not all(np.isfinite(size) and size > 0 for size in (self.bandwidth, self.temperature)):
            raise InputError("expected a bandwidth and a temperature above 0")

    def __call__(self, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
        """The tuples of a frontier's cells: a function of their centers alone."""
        return self.tuples_at(frontier.center)

    def below(self, rows: slice, *, level: int) -> Self:
        """The rule below some cells: itself, since it needs nothing but their centers."""
        return self

    def at(self, slots: Int[np.ndarray, "cells levels"]) -> Self:
        """The rule below cells that slots lead to: itself."""
        return self

    def tuples_at(self, center: Float[np.ndarray, "cells dim"]) -> Float[np.ndarray, "cells arity dim"]:
        """``G(c)`` for each center: O(points x arity x dim) a cell, in blocks of cells of bounded memory."""
        tuples = np.empty((len(center), *self.anchors.shape))
        step = max(1, BLOCK_FLOATS // (len(self.data) * len(self.anchors)))
        for low in range(0, len(center), step):
            block = slice(low, min(low + step, len(center)))
            tuples[block] = self._tuples_of_block(center[block] - self.mean)
        return tuples

    def _tuples_of_block(self, offset: Float[np.ndarray, "cells dim"]) -> Float[np.ndarray, "cells arity dim"]:
        weight = self._log_weights(_within(offset, radius=FAR * self.reach) / self.bandwidth)
        joint = self._log_shares(self._middle(weight))
        joint += weight[:, None]
        joint -= joint.max(axis=2, keepdims=True)
        np.exp(joint, out=joint)
        prototypes = np.matmul(joint, self._points) / joint.sum(axis=2)[:, :, None]
        return prototypes * self.bandwidth - offset[:, None]

    def _log_weights(self, near: Float[np.ndarray, "cells dim"]) -> Float[np.ndarray, "cells points"]:
        """``log w_i`` up to a constant of the cell that makes the largest 0; ``near`` in units of h from the mean."""
        weight = np.zeros((len(near), len(self.data)))
        for axis, column in enumerate(self._columns):
            difference = column - near[:, axis, None]
            difference *= difference
            weight -= difference
        weight *= 0.5
        weight -= weight.max(axis=1, keepdims=True)
        return weight

    def _middle(self, weight: Float[np.ndarray, "cells points"]) -> Float[np.ndarray, "cells dim"]:
        """m, in units of h from the mean."""
        share = np.exp(weight)
        return np.matmul(share[:, None], self._points)[:, 0] / share.sum(axis=1)[:, None]

    def _log_shares(self, middle: Float[np.ndarray, "cells dim"]) -> Float[np.ndarray, "cells arity points"]:
        """``log a_ik``."""
        place = np.matmul(self.anchors, middle[:, :, None])  # (cells, arity, 1): m . u_k
        share = (self._along - place) * (self.bandwidth / self.temperature)
        share -= share.max(axis=1, keepdims=True)
        share -= np.log(np.exp(share).sum(axis=1, keepdims=True))
        return share

    @cached_property
    def _points(self) -> Float[np.ndarray, "points dim"]:
        """The data in units of h, from their mean."""
        return np.ascontiguousarray((self.data - self.mean) / self.bandwidth)

    @cached_property
    def _columns(self) -> Float[np.ndarray, "dim points"]:
        return np.ascontiguousarray(self._points.T)

    @cached_property
    def _along(self) -> Float[np.ndarray, "arity points"]:
        """``x_i . u_k``, so."""
        return np.einsum("kd,dp->kp", self.anchors, self._columns)

    @cached_property
    def reach(self) -> float:
        """How far the farthest point is from the mean."""
        return float(np.sqrt(np.einsum("pd,pd->p", self._points, self._points).max())) * self.bandwidth

    @cached_property
    def residual_bound(self) -> float:
        """R: no two points of the data's hull, where all centers and prototypes lie, are farther apart.

        The smaller of twice the reach and the diagonal of the data's box. Centers stay in the hull: with a root of scale 1 in
        it, a child is ``(1 - s^l) c + s^l p``, p a mean of points.
        """
        box = float(np.linalg.norm(np.ptp(self.data, axis=0)))
        return min(2 * self.reach, box) * _ROUNDING

    @cached_property
    def lipschitz(self) -> float:
        """A proven constant of G, everywhere: ``1 + (D / 2h)^2 (1 + D D_u / (4 tau))``.

        D bounds the data's diameter and D_u is that of the anchors. The derivative of slot k is
        ``Cov_k(x) / h^2 + Cov_k(x, sum_l a_l u_l) Cov_w(x) / (tau h^2) - 1``, Cov_k weighted by ``w_i a_ik``, and no covariance
        of vectors within a diameter is larger than a quarter of its square.
        """
        diameter = self.residual_bound
        apart = max(float(np.linalg.norm(self.anchors - anchor, axis=1).max()) for anchor in self.anchors)
        inside = (diameter / (2 * self.bandwidth)) ** 2
        return (1 + inside * (1 + diameter * apart / (4 * self.temperature))) * _ROUNDING

    @property
    def columns(self) -> int:
        """As many as the data have."""
        return self.data.shape[1]

    def apply(self, rows: Float[np.ndarray, "points dim"]) -> Float[np.ndarray, "points dim"]:
        """The rows as they are: centers lie among the data."""
        return rows

    def decode(self, rows: Float[np.ndarray, "points columns"]) -> Float[np.ndarray, "points columns"]:
        """The rows themselves."""
        return rows

    def arrays(self) -> dict[str, np.ndarray]:
        """Data, mean and anchors."""
        return {"data": self.data, "mean": self.mean, "anchors": self.anchors}

    def settings(self) -> dict[str, Any]:
        """Bandwidth and temperature."""
        return {"bandwidth": self.bandwidth, "temperature": self.temperature}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> Self:
        """The rule of these arrays and settings; an ``InputError`` for others than it has."""
        if set(arrays) != {"data", "mean", "anchors"} or set(settings) != {"bandwidth", "temperature"}:
            raise InputError(
                f"expected data, mean, anchors, bandwidth and temperature, got {', '.join(sorted([*arrays, *settings]))}"
            )
        for name, array in arrays.items():
            if array.dtype != np.float64 or not np.isfinite(array).all():
                raise InputError(f"expected finite numbers as {name}")
        sizes = {name: float(settings[name]) for name in ("bandwidth", "temperature")}
        return cls(arrays["data"], arrays["mean"], arrays["anchors"], **sizes)


def _within(offset: Float[np.ndarray, "cells dim"], *, radius: float) -> Float[np.ndarray, "cells dim"]:
    """Offsets longer than the radius shortened to it; the others bit for bit as they are."""
    largest = np.abs(offset).max(axis=1)
    far = largest > radius / np.sqrt(offset.shape[1])  # else it is no longer than the radius; no square overflows below
    if not far.any():
        return offset
    unit = offset[far] / largest[far, None]
    length = np.sqrt(sum(column * column for column in unit.T))
    beyond = radius / largest[far] < length
    kept = offset.copy()
    kept[far] = np.where(beyond[:, None], unit * (radius / length)[:, None], offset[far])
    return kept
