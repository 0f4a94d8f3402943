"""Nested-CRP trees of Gaussians as scikit-learn knows clusterers."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from jaxtyping import Float, Int
from sklearn.utils.validation import check_is_fitted, validate_data

from cfgraph import defaults
from cfgraph.checks import check_integer
from cfgraph.errors import EstimatorError, InputError
from cfgraph.estimator import learned
from cfgraph.estimator.random_state import seed_of
from cfgraph.learning.nested.learned import LearnedTree
from cfgraph.model.address import ancestor_address, level_of
from cfgraph.sources.hcrl import hcrl

LEVEL = 1  # of the cells that are clusters: those below the root


class HCRL(learned.LearnedTree):
    """A nested-CRP tree of Gaussians (HCRL, arXiv 1901.09906); its cells of one level are the clusters.

    Points go to where their most probable way ends, and are in the cluster of the cell of ``level`` on it; where the way ends
    above, in that cell's own. ``transform`` gives the points where the means are, with ``levels=True`` and free levels their
    level proportions as columns more. ``score_samples`` is the logarithm of the density.

    Parameters:
        level: of the cells that are clusters.
        standardised: ``standardise`` of ``cfgraph.sources.hcrl``.
        depth, branching, pca, encoder, latent, likelihood, levels, covariance, start, surgery, gamma, alpha,
        floor, device: as ``cfgraph.sources.hcrl`` has them.
        random_state: a whole number gives the same tree as ``cfgraph.sources.hcrl`` with that seed; None, others each time.

    Attributes:
        hierarchy_: the hierarchy with its cells, and the encoder.
        labels_: the cluster of each point of ``fit``, numbered by their first points.
        clusters_: the address of the cell that each cluster is.
        n_features_in_, feature_names_in_: as everywhere in scikit-learn.
    """

    def __init__(
        self,
        level: int = LEVEL,
        *,
        depth: int = defaults.HCRL_DEPTH,
        branching: int | Sequence[int] | None = defaults.HCRL_BRANCHING,
        standardised: bool = False,
        pca: int | None = None,
        encoder: str = defaults.HCRL_ENCODER,
        latent: int = defaults.LATENT,
        likelihood: str = defaults.LIKELIHOODS[0],
        levels: str = defaults.LEVEL_RULE,
        covariance: str | None = None,
        start: str | None = None,
        surgery: bool | None = None,
        gamma: float = defaults.CONCENTRATION,
        alpha: float = defaults.CONCENTRATION,
        floor: float | None = None,
        device: str = defaults.DEVICE,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.level = level
        self.depth = depth
        self.branching = branching
        self.standardised = standardised
        self.pca = pca
        self.encoder = encoder
        self.latent = latent
        self.likelihood = likelihood
        self.levels = levels
        self.covariance = covariance
        self.start = start
        self.surgery = surgery
        self.gamma = gamma
        self.alpha = alpha
        self.floor = floor
        self.device = device
        self.random_state = random_state

    def fit(self, X: Float[np.ndarray, "points dim"], y: None = None) -> Self:
        """Find the tree of some points; ``y`` is not used.

        Raises:
            EstimatorError: (a ``ValueError``) for fewer than two points, and parameters out of their range. What is no table
                of finite numbers gets scikit-learn's own errors.
        """
        X = validate_data(self, X, dtype=np.float64)
        own = {name: value for name, value in self.get_params().items() if name not in ("level", "random_state")}
        own["standardise"] = own.pop("standardised")
        try:
            check_integer(self.level, name="level", low=0)
            if len(X) < 2:
                raise InputError(f"expected at least 2 points, got n_samples = {len(X)}")
            self.hierarchy_ = hcrl(id=learned.ID, data=X, seed=seed_of(self.random_state), **own)
        except InputError as error:
            raise EstimatorError(str(error)) from None
        encoder = self.hierarchy_.require_encoder()
        assert encoder is not None
        self._tree = LearnedTree.of(encoder)
        cells, cell_of_point = self.hierarchy_.cells, self.hierarchy_.cell_of_point
        assert cell_of_point is not None
        found = self._clusters([cells.addresses[cell] for cell in cell_of_point.tolist()])
        known = {address: number for number, address in enumerate(dict.fromkeys(found))}
        self.clusters_ = list(known)
        self.labels_ = np.array([known[address] for address in found], dtype=np.int64)
        return self

    def predict(self, X: Float[np.ndarray, "points dim"]) -> Int[np.ndarray, " points"]:
        """The cluster on each point's most probable way; clusters without a point of ``fit`` have numbers beyond the others."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        known = {address: number for number, address in enumerate(self.clusters_)}
        others = sorted({*self._clusters(list(self.hierarchy_.cells.addresses))} - known.keys())
        known |= {address: number for number, address in enumerate(others, start=len(known))}
        return np.array([known[address] for address in self._clusters(self._tree.apply(rows).address)], dtype=np.int64)

    def apply(self, X: Float[np.ndarray, "points dim"]) -> np.ndarray:
        """The address of the cell where each point's most probable way ends: an array of strings (dtype object)."""
        check_is_fitted(self)
        found = self._tree.apply(validate_data(self, X, dtype=np.float64, reset=False)).address
        return np.array(found, dtype=object)

    def transform(self, X: Float[np.ndarray, "points dim"], levels: bool = False) -> Float[np.ndarray, "points features"]:
        """The points where the means are; with ``levels`` the probability of each level as columns more.

        Raises:
            EstimatorError: for levels whose weights are fixed, which say nothing of a point.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        try:
            return self._tree.transform(rows, levels=levels)
        except InputError as error:
            raise EstimatorError(str(error)) from None

    def score_samples(self, X: Float[np.ndarray, "points dim"]) -> Float[np.ndarray, " points"]:
        """The logarithm of the density of each point, in nats, where it comes to the tree."""
        check_is_fitted(self)
        return -self._tree.negative_log_likelihood(validate_data(self, X, dtype=np.float64, reset=False))

    def score(self, X: Float[np.ndarray, "points dim"], y: None = None) -> float:
        """Its mean over some points."""
        return float(self.score_samples(X).mean())

    def _clusters(self, addresses: list[str]) -> list[str]:
        """The cell of the clusters' level above each one, or itself where it lies higher."""
        return [ancestor_address(address, min(self.level, level_of(address))) for address in addresses]
