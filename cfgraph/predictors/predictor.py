"""Predictor: what every family is. It sees a :class:`~cfgraph.model.growth.Frontier` and answers one residual tuple a cell.

A predictor is a frozen value: the numbers of its field (arity, dimension, scale factor, residual bound) and what its
family learned. Arrays are its *weights*, everything else its *config*; the graph keeps the former as safetensors bytes and
the latter as JSON, so that any machine can load it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.model.growth import Frontier, clip_residuals
from cfgraph.predictors.options import NetworkOptions


@dataclass(frozen=True)
class Learning:
    """How to learn: what families with randomness or a device need to know, and the others do not look at."""

    seed: int = 0
    device: str = "cpu"
    options: NetworkOptions | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Predictor(ABC):
    """A classification field predictor (CFP): an approximation of the rule that gives each cell its children's residuals.

    ``predict`` is a :data:`~cfgraph.model.growth.Rule`: hand it to :func:`~cfgraph.model.growth.grow`.
    """

    family: ClassVar[str]

    arity: int
    dimension: int
    scale_factor: float
    residual_bound: float  # R: no predicted residual is longer

    def predict(self, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
        """The tuple of each cell of the frontier, clipped to the residual bound.

        Raises:
            InputError: for a frontier of another arity or dimension, and for an answer of another shape or of numbers that are
                not finite: that of damaged weights, or far from where they were learned.
        """
        self.check_fits(arity=frontier.arity, dimension=frontier.dimension)
        if len(frontier) == 0:
            return np.zeros((0, self.arity, self.dimension))
        return clip_residuals(self._checked(self._tuples(frontier), cells=len(frontier)), residual_bound=self.residual_bound)

    def _checked(self, tuples: np.ndarray, *, cells: int) -> Float[np.ndarray, "cells arity dim"]:
        if tuples.shape != (cells, self.arity, self.dimension) or tuples.dtype != np.float64:
            raise InputError(
                f"this {self.family} predictor answered with {tuples.dtype} of shape {tuples.shape} where {cells:,} tuples of "
                f"{self.arity} residuals of dimension {self.dimension} were expected; its weights are damaged: train it again"
            )
        wrong = ~np.isfinite(tuples.reshape(cells, -1)).all(axis=1)
        if wrong.any():
            raise InputError(
                f"this {self.family} predictor answered with numbers that are not finite for {np.count_nonzero(wrong):,} of "
                f"{cells:,} cells; its weights are damaged, or these cells lie far from those it learned from: train it again"
            )
        return tuples

    def check_fits(self, *, arity: int, dimension: int) -> None:
        """An ``InputError`` unless the predictor is for cells of this arity and dimension."""
        if (arity, dimension) != (self.arity, self.dimension):
            raise InputError(
                f"this {self.family} predictor learned cells of arity {self.arity} and dimension {self.dimension}, and got "
                f"arity {arity} and dimension {dimension}; train one on the hierarchy that it is to grow"
            )

    @abstractmethod
    def _tuples(self, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
        """The tuples before clipping, of at least one cell of the right arity and dimension."""

    def lipschitz(self) -> float | None:
        """A Lipschitz constant of the predicted tuple as a function of the center, the maximum over slots.

        None where there is none, or the rule looks at more than the center. Clipping to the bound does not raise it.
        """
        return None

    @classmethod
    @abstractmethod
    def learn(cls, observed: Frontier, tuples: Float[np.ndarray, "parents arity dim"], *, how: Learning) -> dict[str, Any]:
        """The family's own fields, learned from observed parents and the tuples of their children."""

    def weights(self) -> dict[str, np.ndarray]:
        """The fields that are arrays, by name."""
        return {name: np.ascontiguousarray(value) for name, value in self._own() if isinstance(value, np.ndarray)}

    def config(self) -> dict[str, Any]:
        """The fields that are not, ready for JSON."""
        return {name: value for name, value in self._own() if not isinstance(value, np.ndarray)}

    def _own(self) -> list[tuple[str, Any]]:
        return [(field.name, getattr(self, field.name)) for field in fields(self)]

    @classmethod
    def restore(cls, weights: Mapping[str, np.ndarray], config: Mapping[str, Any], *, device: str) -> Self:
        """The predictor whose ``weights`` and ``config`` these are; ``device`` matters to networks only."""
        arrays: Mapping[str, Any] = weights  # a family's fields are arrays and numbers; which, is for its class to say
        return cls(**config, **arrays)

    def describe(self) -> dict[str, Any]:
        """What the family learned, ready for JSON: what `cfgraph show` prints beside the validation table."""
        return {"lipschitz": self.lipschitz()}
