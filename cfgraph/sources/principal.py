"""Principal components: the first coordinates of points, and the projection that gives new points theirs."""

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.learning.encoders import Projection
from cfgraph.sources.duplicates import group_rows


def project(
    values: Float[np.ndarray, "points dim"], *, components: int, seed: int
) -> tuple[Float[np.ndarray, "points components"], Projection, str]:
    """The points' first principal coordinates, what gives new points theirs, and how much of the variance they hold.

    Equal points stay equal to the last bit, which a product may not grant.

    Raises:
        InputError: for more components than the points have.
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
        reduced = model.fit_transform(values)
    first, group = group_rows(values)
    share = float(model.explained_variance_ratio_.sum())
    remark = f"the first {components} of {most} principal components hold {share:.1%} of the variance"
    return reduced[first[group]], Projection(mean=model.mean_, axes=model.components_), remark
