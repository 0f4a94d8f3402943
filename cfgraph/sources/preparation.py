"""Preparation: raw data standardised or projected before a hierarchy is learned from them, and the steps that did it.

Sparse rows, such as counts of words, are brought to few columns by a truncated SVD as they are: their zeros are never written
out.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from cfgraph.checks import check_integer
from cfgraph.errors import InputError
from cfgraph.files.arrays import PointTable, points_of, read_points
from cfgraph.files.images import check_size, is_folder, read_images, read_pixels
from cfgraph.files.sparse import check_sparse, digest_of_sparse, is_sparse, read_sparse
from cfgraph.learning.encoders import Pixels, Projection, Standardise, Step
from cfgraph.sources.principal import principal_components
from cfgraph.sources.similarity import standardise

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class Rows(NamedTuple):
    """Points as they were read, and the steps that they came through while they were."""

    table: PointTable
    steps: tuple[Step, ...] = ()
    names: tuple[str, ...] | None = None  # of images in a folder
    size: tuple[int, int] | None = None


def read_rows(data: Any, *, svd: int | None, seed: int, **reading: Any) -> Rows:
    """A file's points, or an array's; ``reading`` is that of :func:`~cfgraph.files.arrays.read_points`.

    With ``svd`` they are brought to so many coordinates, ``x axes^T``: the first right singular vectors of the rows as they
    are, not centered. Sparse rows stay sparse until then.

    Raises:
        InputError: for what cannot be read, and for more directions than there can be.
    """
    if svd is not None:
        return _truncated(data, components=check_integer(svd, name="number of directions", low=1), seed=seed, **reading)
    return Rows(points_of(data, **reading))


def read_folder(data: Any, *, size: Any, skip_broken: bool, large: bool) -> Rows | None:
    """The images of a folder as rows of brightness from 0 to 1, red, green and blue of each place; None for other data.

    Raises:
        InputError: as :func:`cfgraph.files.images.read_pixels`, and for a size of what is no folder.
    """
    wanted = check_size(size)
    if not is_folder(data):
        if wanted is not None or skip_broken:
            raise InputError("--size and --skip-broken are about folders of images, and that is none; leave them out")
        return None
    read = read_pixels(read_images(data, large=large), size=wanted, skip_broken=skip_broken, large=large)
    step = Pixels(*read.size)
    return Rows(PointTable(step.apply(read.values), read.notes), (step,), read.names, read.size)


def read_new_rows(path: Path | str, *, say: Callable[[str], object] | None = None, **reading: Any) -> "PointTable | csr_array":
    """The points in a file, for a pipeline to encode: sparse ones as they are. ``say`` is told how they were read."""
    sparse = read_sparse(path, what="points", large=reading.get("large", False)) if reading.get("key") is None else None
    if sparse is not None:
        return sparse
    table = read_points(path, **reading)
    if say is not None:
        for note in table.notes:
            say(note)
    # Columns that were asked for come in the order in which they were.
    return PointTable(table.values, columns=None if reading.get("columns") is not None else table.columns)


def _truncated(data: Any, *, components: int, seed: int, **reading: Any) -> Rows:
    from scipy.sparse import csr_array
    from sklearn.decomposition import TruncatedSVD
    from threadpoolctl import threadpool_limits

    notes, columns = tuple[str, ...](), None
    rows = check_sparse(data, where="the sparse rows") if is_sparse(data) else None
    if isinstance(data, Path | str) and reading.get("key") is None:
        rows = read_sparse(data, what="points", large=reading.get("large", False))
    if rows is None:
        table = points_of(data, **reading)
        rows, notes, columns = csr_array(table.values), table.notes, table.columns
    most = min(rows.shape)
    if components > most:
        raise InputError(
            f"expected at most {most} directions of {rows.shape[0]:,} x {rows.shape[1]:,} values, got {components}"
        )
    with threadpool_limits(limits=1):  # sums in one order, so that every run gives the same bits
        model = TruncatedSVD(components, random_state=seed).fit(rows)
        step = Projection(mean=np.zeros(rows.shape[1]), axes=np.asarray(model.components_))
        values = np.asarray(rows @ step.axes.T)
    whole = float(rows.data @ rows.data) or 1.0
    share = float(np.einsum("pc,pc->", values, values)) / whole
    told = f"the first {components} of at most {most} singular directions hold {min(share, 1.0):.1%} of the sum of squares"
    return Rows(PointTable(values, (*notes, told), digest_of_sparse(rows), columns), (step,))


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
        found = principal_components(values, components=pca, seed=seed)
        notes.append(found.remark)
        values = found.projection.apply(values)  # as new data come through it
        steps.append(found.projection)
    return Prepared(values, tuple(steps), tuple(notes))
