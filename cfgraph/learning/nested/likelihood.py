"""Likelihood: how well an autoencoder with a prior explains rows that it was not learned from, by importance sampling."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfgraph.learning.encoders.variational import Variational
from cfgraph.learning.nested.model import LOG_2PI, Points, Prior, Tree
from cfgraph.learning.nested.sweep import Fit

DRAWS = 100


class Mixture(NamedTuple):
    """A mixture of Gaussians as the prior of latents: what a nested-CRP tree is once its ways are summed over."""

    weight: Float[np.ndarray, " parts"]
    mean: Float[np.ndarray, "parts latent"]
    variance: Float[np.ndarray, "parts variances"]

    @classmethod
    def standard(cls, latent: int) -> "Mixture":
        """N(0, 1) alone."""
        return cls(np.ones(1), np.zeros((1, latent)), np.ones((1, 1)))

    @classmethod
    def of(cls, fit: Fit, prior: Prior) -> "Mixture":
        """``p(z) = sum over nodes i of omega_i N(z; mu_i, sigma_i^2)``, omega the mean level weight times the mass of ways."""
        if fit.levels is None:
            return cls.of_tree(fit.tree, prior)
        return cls._of_levels(fit.tree, (fit.levels.t / fit.levels.t.sum(axis=0)).mean(axis=1))

    @classmethod
    def of_tree(cls, tree: Tree, prior: Prior) -> "Mixture":
        """The same of a tree alone: levels that are free have the weights that the prior expects, all alike."""
        return cls._of_levels(tree, np.ones(tree.shape.levels) if prior.weights is None else np.array(prior.weights))

    @classmethod
    def _of_levels(cls, tree: Tree, level: Float[np.ndarray, " levels"]) -> "Mixture":
        return cls(tree.emission_masses(level / level.sum()), tree.mean, tree.variance)

    def log_density(self, z: Float[np.ndarray, "points latent"]) -> Float[np.ndarray, " points"]:
        """``log p(z)``."""
        from scipy.special import logsumexp

        precision, width = 1 / self.variance, self.variance.shape[1]
        squares = np.stack([((z - mean) ** 2 * p).sum(axis=1) for mean, p in zip(self.mean, precision, strict=True)])
        constant = z.shape[1] // width * np.log(self.variance).sum(axis=1) + z.shape[1] * LOG_2PI
        with np.errstate(divide="ignore"):
            weight = np.log(self.weight)
        found: Float[np.ndarray, " points"] = logsumexp(weight[:, None] - 0.5 * (squares + constant[:, None]), axis=0)
        return found


def negative_log_likelihood(
    step: Variational, mixture: Mixture, rows: Float[np.ndarray, "points columns"], *, draws: int = DRAWS, seed: int = 0
) -> Float[np.ndarray, " points"]:
    """``-log p(x)`` of each row, in nats: ``p(x) = E over q(z | x) of p(x | z) p(z) / q(z | x)``, from so many draws."""
    from scipy.special import logsumexp

    random, points = np.random.default_rng(seed), step.posterior(rows)
    assert points.variance is not None
    terms = np.stack([_term(step, mixture, rows, points, points.variance, random) for _ in range(draws)])
    found: Float[np.ndarray, " points"] = np.log(draws) - logsumexp(terms, axis=0)
    return found


def _term(
    step: Variational, mixture: Mixture, rows: np.ndarray, points: Points, variance: np.ndarray, random: np.random.Generator
) -> Float[np.ndarray, " points"]:
    normal = random.normal(size=points.mean.shape)
    z = points.mean + np.sqrt(variance) * normal
    log_q = -0.5 * (normal**2 + np.log(variance) + LOG_2PI).sum(axis=1)
    found: Float[np.ndarray, " points"] = step.log_likelihood(rows, z) + mixture.log_density(z) - log_q
    return found
