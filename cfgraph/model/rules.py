"""Rules of which more is known than what they answer: what they are a function of, and what bounds them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float


class CenterRule(Protocol):
    """A rule that is a function of centers, with a Lipschitz constant that is proven."""

    @property
    def lipschitz(self) -> float:
        """Lambda, the maximum over slots."""

    def tuples_at(self, center: Float[np.ndarray, "cells dim"]) -> Float[np.ndarray, "cells arity dim"]:
        """``G(c)`` for each center."""


@dataclass(frozen=True, eq=False)
class TupleRule:
    """A rule that is a function of the parent's tuple: ``T_wj = alpha_j T_w`` with ``alpha_j = step_j basis^t``."""

    step: Float[np.ndarray, "arity arity rank"]
    basis: Float[np.ndarray, "arity rank"]
