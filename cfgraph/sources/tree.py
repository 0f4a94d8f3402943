"""Trees that people have: a Newick file, or a fitted Python object (cfgraph/sources/objects.py)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

from cfgraph.files.texts import read_names
from cfgraph.formats.newick import read_newick
from cfgraph.model.hierarchy import ImportedWithCells
from cfgraph.sources.imported import ImportOptions, imported, with_embeddings
from cfgraph.sources.objects import object_dag


def tree(
    *,
    id: str,
    data: Any,
    index: int | None = None,
    names: Path | str | Sequence[str] | None = None,
    large: bool = False,
    **options: Unpack[ImportOptions],
) -> ImportedWithCells:
    """The hierarchy that a tree is.

    Args:
        id: the hierarchy's id.
        data: a Newick file; or a fitted ``AgglomerativeClustering``, ``BisectingKMeans`` or ``HDBSCAN``, a networkx DiGraph,
            or a linkage matrix.
        index: of several trees in a file the one to take, counted from 0.
        names: of an object's points, or a file with one a line.
        large: whether files may be larger than :mod:`cfgraph.files.opened` allows.
        options: ``embeddings``, ``minimum``, ``levels`` and ``point_nodes`` of :func:`cfgraph.sources.imported.imported`.

    Raises:
        InputError: for a text that is no Newick (with the place), an object that is not fitted or of another class, and
            what ``imported`` refuses.
    """
    options = with_embeddings(options, large=large)
    if isinstance(data, Path | str):
        return imported(read_newick(data, index=index, large=large), id=id, origin="tree", **options)
    names = read_names(names, large=large) if isinstance(names, Path | str) else names
    return imported(object_dag(data, names=names), id=id, origin="tree", **options)
