"""Preparation: raw data standardised or projected before a hierarchy is learned from them, and the steps that did it."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.learning.encoders import Projection, Standardise, Step
from cfgraph.sources.similarity import standardise


class Prepared(NamedTuple):
    """Data as a hierarchy is learned from them, how they became so, and what a reader should know of that."""

    values: Float[np.ndarray, "points dim"]
    steps: tuple[Step, ...]
    notes: tuple[str, ...]


def prepare(values: Float[np.ndarray, "points columns"], *, standardised: bool, pca: int | None, seed: int) -> Prepared:
    """Columns brought to mean 0 and deviation 1 where that is asked for, then ``pca`` principal components, all unless given.

    Raises:
        InputError: for more components than there can be.
    """
    steps, notes = list[Step](), list[str]()
    if standardised:
        ready = standardise(values)
        values = ready.values
        steps.append(Standardise(ready.mean, ready.deviation))
        notes += ready.notes
    if pca is not None:
        projection, share = _components(values, components=pca, seed=seed)
        notes.append(f"the first {pca} of {min(values.shape)} principal components hold {share:.1%} of the variance")
        values = projection.apply(values)
        steps.append(projection)
    return Prepared(values, tuple(steps), tuple(notes))


def _components(values: Float[np.ndarray, "points columns"], *, components: int, seed: int) -> tuple[Projection, float]:
    """The principal axes, and the share of the variance along them."""
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits

    most = min(values.shape)
    if components > most:
        raise InputError(
            f"expected at most {most} principal components of {values.shape[0]} x {values.shape[1]} values, got {components}"
        )
    with threadpool_limits(limits=1):  # sums in one order, so that every run gives the same bits
        model = PCA(n_components=components, random_state=seed).fit(values)
    share = np.nan_to_num(model.explained_variance_ratio_).sum()  # of equal rows, which have none, 0
    return Projection(np.asarray(model.mean_), np.asarray(model.components_)), float(share)
