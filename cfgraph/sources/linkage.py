"""Linkages as hierarchies: SciPy's matrix Z of merges, from a file or an array."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
from jaxtyping import Float

from cfgraph import defaults
from cfgraph.files.texts import read_names
from cfgraph.formats.linkage import linkage_dag, read_linkage
from cfgraph.model.hierarchy import ImportedWithCells
from cfgraph.sources.imported import ImportOptions, imported, with_embeddings


def linkage(
    *,
    id: str,
    data: Path | str | Float[np.ndarray, "merges 4"],
    key: str | None = None,
    header: str = defaults.HEADER_RULE,
    names: Path | str | Sequence[str] | None = None,
    large: bool = False,
    **options: Unpack[ImportOptions],
) -> ImportedWithCells:
    """The hierarchy that SciPy's linkage matrix is.

    Args:
        id: the hierarchy's id.
        data: a .npy, .npz, .csv or .parquet file, or an array: a row a merge.
        key: the array of an .npz file; not needed where it holds one.
        header: whether the first line of a .csv is one: ``yes``, ``no``, or ``auto`` where that is to be found out.
        names: of the points, or a file with one a line.
        large: whether files may be larger than :mod:`cfgraph.files.opened` allows.
        options: ``embeddings``, ``minimum``, ``levels`` and ``point_nodes`` of :func:`cfgraph.sources.imported.imported`.

    Raises:
        InputError: for a matrix that is no linkage, another number of names, and what ``imported`` refuses.
    """
    names = read_names(names, large=large) if isinstance(names, Path | str) else names
    if isinstance(data, Path | str):
        dag = read_linkage(data, key=key, header=header, names=names, large=large)
    else:
        dag = linkage_dag(data, names=names)
    return imported(dag, id=id, origin="linkage", **with_embeddings(options, large=large))
