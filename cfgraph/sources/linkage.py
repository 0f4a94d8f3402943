"""Linkages as hierarchies: SciPy's matrix Z of merges, from a file or an array."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from jaxtyping import Float

from cfgraph import defaults
from cfgraph.files.texts import given_names
from cfgraph.formats.linkage import linkage_dag, read_linkage
from cfgraph.model.hierarchy import ImportedWithCells
from cfgraph.moved import renamed
from cfgraph.sources.imported import SourceOptions, imported, with_embeddings


@renamed(point_nodes="points", minimum="condense")
def linkage(
    data: Path | str | Float[np.ndarray, "merges 4"],
    *,
    id: str = "linkage",
    key: str | None = None,
    columns: Sequence[str] | None = None,
    header: str = defaults.HEADER_RULE,
    separator: str | None = None,
    decimal: str | None = None,
    names: Path | str | Sequence[str] | None = None,
    large: bool = False,
    **options: Unpack[SourceOptions],
) -> ImportedWithCells:
    """The hierarchy that SciPy's linkage matrix is.

    Args:
        id: the hierarchy's id.
        data: a file, an array, a tensor or a data frame: a row a merge.
        key: the array of an .npz file; not needed where it holds one.
        columns: those of a table that hold the merges; all unless given.
        header: whether the first line of a table of text is one: ``yes``, ``no``, or ``auto`` where that is to be found out.
        separator: what stands between the cells of a table of text, a character or ``comma``, ``semicolon``, ``tab``, ``bar``,
            ``blanks``; found unless given.
        decimal: the sign before the decimals of numbers in a table of text, ``.`` or ``,``; found unless given.
        names: of the points, or a file with one a line.
        large: whether files may be larger than :mod:`cfgraph.files.opened` allows.
        options: ``embeddings``, ``condense``, ``levels`` and ``points`` of :func:`cfgraph.sources.imported.imported`; of a file
            of embeddings also ``embeddings_key``, ``embeddings_columns``, ``embeddings_header``, ``embeddings_separator`` and
            ``embeddings_decimal``.

    Raises:
        InputError: for a matrix that is no linkage, another number of names, and what ``imported`` refuses.
    """
    names, told = given_names(names, large=large)
    if isinstance(data, Path | str):
        text: dict[str, Any] = {"header": header, "separator": separator, "decimal": decimal}
        dag = read_linkage(data, names=names, key=key, columns=columns, large=large, **text)
    else:
        dag = linkage_dag(data, names=names)
    return imported(replace(dag, notes=(*told, *dag.notes)), id=id, origin="linkage", **with_embeddings(options, large=large))
