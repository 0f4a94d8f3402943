"""Options: the size of a network, and how long it is trained."""

import math
from dataclasses import dataclass

from cfgraph.errors import InputError


@dataclass(frozen=True)
class NetworkOptions:
    """The size of a network and how long it is trained.

    Adam finds the layers and L-BFGS polishes them. Up to ``batch`` parents every step sees all of them. Of more, Adam sees
    seeded random batches of that size and L-BFGS one such batch, kept only where it helps on another: time and memory are
    bounded however large the prefix.
    """

    width: int = 64  # units of a hidden layer
    hidden: int = 3  # hidden layers
    steps: int = 1000  # of Adam
    polish: int = 500  # steps of L-BFGS at most
    batch: int = 1024  # parents a step
    rate: float = 5e-3  # Adam's first learning rate
    decay: float = 3e-5  # weight of the squared weights beside the mean squared error of the normalised tuples

    def __post_init__(self) -> None:
        for name, low in (("width", 1), ("hidden", 1), ("steps", 0), ("polish", 0), ("batch", 1)):
            if not (isinstance(getattr(self, name), int) and getattr(self, name) >= low):
                raise InputError(f"expected a whole number of at least {low} as a network's {name}, got {getattr(self, name)}")
        if not (0 < self.rate < math.inf and 0 <= self.decay < math.inf):
            raise InputError(f"expected a rate above 0 and a decay of at least 0, got {self.rate} and {self.decay}")
