"""A variational autoencoder as a step: dense layers with ReLU between them, in numpy alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.learning.nested.model import LOG_2PI, Points
from cfgraph.predictors.network import Layers, forward

LOG_VARIANCES = (-8.0, 4.0)  # what the encoder's are kept within
LIKELIHOODS = ("bernoulli", "gaussian")

Rows = Float[np.ndarray, "points columns"]


@dataclass(frozen=True, eq=False)
class Variational:
    """``q(z | x) = N(m(x), diag s^2(x))``, and the decoder back: of data in [0, 1] (``bernoulli``) or of any (``gaussian``)."""

    kind: ClassVar[str] = "variational"

    encoder: Layers
    decoder: Layers
    likelihood: str
    log_noise: float = 0.0  # of a Gaussian likelihood: the logarithm of its variance

    @property
    def columns(self) -> int:
        """As many as the first layer takes."""
        return int(self.encoder[0][0].shape[0])

    @property
    def latent(self) -> int:
        """How many coordinates z has."""
        return int(self.decoder[0][0].shape[0])

    def apply(self, rows: Float[np.ndarray, "points columns"]) -> Float[np.ndarray, "points latent"]:
        """The means of q(z | x)."""
        return self.posterior(rows).mean

    def posterior(self, rows: Float[np.ndarray, "points columns"]) -> Points:
        """q(z | x) of each row."""
        found = forward(rows, self.encoder)
        return Points(found[:, : self.latent], np.exp(np.clip(found[:, self.latent :], *LOG_VARIANCES)))

    def decode(self, latents: Float[np.ndarray, "points latent"]) -> Float[np.ndarray, "points columns"]:
        """The mean of p(x | z)."""
        found: np.ndarray = forward(latents, self.decoder)
        return _logistic(found) if self.likelihood == "bernoulli" else found

    def log_likelihood(self, rows: Rows, latents: Float[np.ndarray, "points latent"]) -> Float[np.ndarray, " points"]:
        """``log p(x | z)`` of each row, in nats."""
        found = forward(latents, self.decoder)
        if self.likelihood == "bernoulli":
            terms = rows * found - np.logaddexp(0.0, found)
        else:
            terms = -0.5 * (LOG_2PI + self.log_noise + (rows - found) ** 2 / np.exp(self.log_noise))
        total: Float[np.ndarray, " points"] = terms.sum(axis=1)
        return total

    def arrays(self) -> dict[str, np.ndarray]:
        """``encoder0.weight``, ``encoder0.bias``, ..., ``decoder0.weight``, ..."""
        return {
            f"{side}{number}.{name}": np.ascontiguousarray(array)
            for side, layers in (("encoder", self.encoder), ("decoder", self.decoder))
            for number, layer in enumerate(layers)
            for name, array in zip(("weight", "bias"), layer, strict=True)
        }

    def settings(self) -> dict[str, Any]:
        """The likelihood, and the noise of a Gaussian one."""
        return {"likelihood": self.likelihood, "log_noise": self.log_noise}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> Self:
        """The step of these arrays and settings; an ``InputError`` for what no autoencoder is made of."""
        if set(settings) != {"likelihood", "log_noise"} or settings["likelihood"] not in LIKELIHOODS:
            raise InputError(f"expected a likelihood out of {', '.join(LIKELIHOODS)}, got {dict(settings)}")
        encoder, decoder = _restored(arrays, "encoder"), _restored(arrays, "decoder")
        if 2 * (len(encoder) + len(decoder)) != len(arrays):
            raise InputError(f"expected the layers of an encoder and a decoder, got {', '.join(sorted(arrays))}")
        found = cls(encoder, decoder, **settings)
        ends = found.encoder[-1][0].shape[1], found.decoder[-1][0].shape[1]
        if ends != (2 * found.latent, found.columns):
            raise InputError(f"expected an encoder and a decoder that fit, got {ends[0]} and {ends[1]} columns at their ends")
        return found


def _restored(arrays: Mapping[str, np.ndarray], side: str) -> Layers:
    count = sum(name.startswith(side) and name.endswith(".bias") for name in arrays)
    layers = tuple((arrays[f"{side}{number}.weight"], arrays[f"{side}{number}.bias"]) for number in range(count))
    wide = None
    for weight, bias in layers:
        if weight.ndim != 2 or bias.shape != weight.shape[1:] or wide not in (None, weight.shape[0]):
            raise InputError(f"expected layers of the {side} that follow one another")
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise InputError(f"expected finite weights of the {side}")
        wide = weight.shape[1]
    if not layers:
        raise InputError(f"expected at least one layer of the {side}")
    return layers


def _logistic(values: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    found: np.ndarray = expit(values)
    return found
