"""Principal components: the first coordinates of points, and the projection that gives new points theirs."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.learning.encoders import Projection
from cfgraph.sources.duplicates import group_rows


class Components(NamedTuple):
    """The first principal components of points."""

    projection: Projection
    coordinates: Float[np.ndarray, "points components"]  # from the decomposition: the projection's to the last few bits
    remark: str  # how much of the variance they hold


def principal_components(values: Float[np.ndarray, "points dim"], *, components: int, seed: int) -> Components:
    """The directions of largest variance, by scikit-learn.

    Raises:
        InputError: for more components than there can be.
    """
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits

    most = min(values.shape)
    if components > most:
        raise InputError(
            f"expected at most {most} principal components of {values.shape[0]} x {values.shape[1]} values, got {components}"
        )
    with threadpool_limits(limits=1):  # sums in one order, so that every run gives the same bits
        model = PCA(n_components=components, random_state=seed)
        coordinates = model.fit_transform(values)
    share = float(np.nan_to_num(model.explained_variance_ratio_).sum())  # of equal rows, which have none, 0
    remark = f"the first {components} of {most} principal components hold {share:.1%} of the variance"
    return Components(Projection(mean=np.asarray(model.mean_), axes=np.asarray(model.components_)), coordinates, remark)


def project(
    values: Float[np.ndarray, "points dim"], *, components: int, seed: int
) -> tuple[Float[np.ndarray, "points components"], Projection, str]:
    """The points' first principal coordinates, what gives new points theirs, and how much of the variance they hold.

    Equal points stay equal to the last bit, which a product may not grant.

    Raises:
        InputError: as :func:`principal_components`.
    """
    found = principal_components(values, components=components, seed=seed)
    first, group = group_rows(values)
    return found.coordinates[first[group]], found.projection, found.remark
