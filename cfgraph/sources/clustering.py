"""Flat clusterings as logits: each cluster is a class, and each point's logits say how surely it is of it.

"From Logits to Hierarchies" (arXiv 2410.07858) merges the clusters of flat clusterings, and has them beat learned deep
hierarchies. k-means of K clusters has the logits ``-|x - center_k|^2 / (2 v)`` with ``v`` the mean squared distance to the own
center, an axis: what a mixture of equal spheres makes of a point. A mixture of K Gaussians has its log posteriors.
"""

import re

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError

KINDS = ("kmeans", "gmm")
_STARTS = 10
_FORM = re.compile(r"(\w+):(\d+)")


def cluster_logits(
    values: Float[np.ndarray, "points dim"], *, clustering: str, seed: int
) -> Float[np.ndarray, "points clusters"]:
    """The logits of a flat clustering of points, ``kmeans:K`` or ``gmm:K`` (Gaussians with a variance of their own each axis).

    Raises:
        InputError: for another clustering, or fewer than 2 clusters or more than there are different points.
    """
    from threadpoolctl import threadpool_limits

    kind, clusters = _parsed(clustering)
    different = len(np.unique(values, axis=0))
    if not 2 <= clusters <= different:
        raise InputError(
            f"expected 2 to {different:,} clusters, as many as there are different points at most, got {clusters:,}"
        )
    with threadpool_limits(limits=1):  # sums in one order, so that every run gives the same bits
        return (_k_means if kind == "kmeans" else _mixture)(values, clusters=clusters, seed=seed)


def _parsed(clustering: str) -> tuple[str, int]:
    found = _FORM.fullmatch(clustering)
    if found is None or found[1] not in KINDS:
        raise InputError(f"expected a flat clustering as kmeans:K or gmm:K, with K its number of clusters, got {clustering!r}")
    return found[1], int(found[2])


def _k_means(values: Float[np.ndarray, "points dim"], *, clusters: int, seed: int) -> Float[np.ndarray, "points clusters"]:
    from sklearn.cluster import KMeans

    model = KMeans(clusters, n_init=_STARTS, random_state=seed).fit(values)
    squares: np.ndarray = model.transform(values) ** 2
    variance = squares.min(axis=1).mean() / max(1, values.shape[1])
    if variance == 0:  # every point on its center: as sure as can be
        return np.where(squares == squares.min(axis=1, keepdims=True), 0.0, -np.inf)
    return squares / (-2 * variance)


def _mixture(values: Float[np.ndarray, "points dim"], *, clusters: int, seed: int) -> Float[np.ndarray, "points clusters"]:
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(clusters, covariance_type="diag", random_state=seed).fit(values)
    with np.errstate(divide="ignore"):  # a probability of 0 is a logit of minus infinity
        logits: np.ndarray = np.log(model.predict_proba(values))
    return logits
