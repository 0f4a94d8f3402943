"""K-means: points split into so many clusters, each with at least one. Whoever wants equal bits limits it to one thread."""

import numpy as np
from jaxtyping import Float, Int

STARTS = ((2_000, 10), (20_000, 4), (200_000, 2))  # up to so many points, so many starts of k-means; above, one


def k_means(inside: Float[np.ndarray, "points dim"], *, arity: int, seed: int) -> Int[np.ndarray, " points"]:
    """The cluster of each point, every cluster with at least one."""
    import warnings

    from sklearn.cluster import KMeans

    starts = next((count for most, count in STARTS if len(inside) <= most), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer clusters than asked for: that case is taken care of below
        label = KMeans(n_clusters=arity, n_init=starts, random_state=seed).fit(inside - inside.mean(axis=0)).labels_
    if len(np.unique(label)) < arity:
        return _split_by_distance(inside, arity=arity)
    return label


def _split_by_distance(inside: Float[np.ndarray, "points dim"], *, arity: int) -> Int[np.ndarray, " points"]:
    """Points so close that k-means cannot tell them apart, each with the nearest of ``arity`` that lie farthest apart."""
    distance = np.abs(inside - inside[0]).max(axis=1)
    label = np.zeros(len(inside), dtype=np.int64)
    for index in range(1, arity):
        new = np.abs(inside - inside[distance.argmax()]).max(axis=1)
        label[new < distance] = index
        distance = np.minimum(distance, new)
    return label
