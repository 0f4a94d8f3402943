"""Steps of encoders that need numpy alone: standardised columns, rows of length 1, principal components."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError

Rows = Float[np.ndarray, "points columns"]


class Step(Protocol):
    """What is done to rows of data; ``kind`` names it in a record."""

    kind: ClassVar[str]

    @property
    def columns(self) -> int | None:
        """How many columns data must have; None for any number."""

    def apply(self, rows: Rows) -> np.ndarray:
        """What becomes of the rows, a row each."""

    def arrays(self) -> dict[str, np.ndarray]:
        """What it learned, as arrays."""

    def settings(self) -> dict[str, Any]:
        """The rest, ready for JSON."""

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> Self:
        """The step of these arrays and settings."""


class OfArrays:
    """A step that is its arrays, which are the fields of a dataclass."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Every field."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]  # of subclasses

    def settings(self) -> dict[str, Any]:
        """None."""
        return {}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> Self:
        """The step of these arrays; an ``InputError`` for others than it has."""
        wanted = {field.name for field in fields(cls)}  # type: ignore[arg-type]  # of subclasses
        if set(arrays) != wanted or settings:
            raise InputError(f"expected the arrays {', '.join(sorted(wanted))}, got {', '.join(sorted([*arrays, *settings]))}")
        for name, array in arrays.items():
            if array.dtype != np.float64 or not np.isfinite(array).all():
                raise InputError(f"expected finite numbers as {name}")
        return cls(**arrays)


@dataclass(frozen=True, eq=False)
class Standardise(OfArrays):
    """``(x - mean) / deviation``, column by column."""

    kind: ClassVar[str] = "standardise"

    mean: Float[np.ndarray, " columns"]
    deviation: Float[np.ndarray, " columns"]

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.mean.shape != self.deviation.shape or not (self.deviation > 0).all():
            raise InputError("expected as many deviations above 0 as means")

    @property
    def columns(self) -> int:
        """As many as there are means."""
        return len(self.mean)

    def apply(self, rows: Rows) -> Rows:
        """Rows whose columns would have mean 0 and deviation 1 where this was learned."""
        return (rows - self.mean) / self.deviation

    def decode(self, rows: Rows) -> Rows:
        """What became these rows."""
        return self.mean + rows * self.deviation


@dataclass(frozen=True, eq=False)
class UnitLength(OfArrays):
    """``x / |x|``; a row of zeros stays one."""

    kind: ClassVar[str] = "unit-length"

    @property
    def columns(self) -> None:
        """Any number."""
        return

    def apply(self, rows: Rows) -> Rows:
        """Rows of length 1."""
        length = np.sqrt(np.einsum("pc,pc->p", rows, rows))
        return rows / np.where(length > 0, length, 1.0)[:, None]


@dataclass(frozen=True, eq=False)
class Projection(OfArrays):
    """``(x - mean) axes^T``: principal components, or, with a mean of zeros, a truncated SVD."""

    kind: ClassVar[str] = "projection"

    mean: Float[np.ndarray, " columns"]
    axes: Float[np.ndarray, "components columns"]

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.axes.ndim != 2 or self.axes.shape[1] != len(self.mean):
            raise InputError("expected axes with as many coordinates as the mean has")

    @property
    def columns(self) -> int:
        """As many as the mean has."""
        return len(self.mean)

    def apply(self, rows: Rows) -> Float[np.ndarray, "points components"]:
        """The coordinates along the axes."""
        return (rows - self.mean) @ self.axes.T

    def decode(self, rows: Float[np.ndarray, "points components"]) -> Rows:
        """The rows with these coordinates along the axes, and none along others."""
        return self.mean + rows @ self.axes
