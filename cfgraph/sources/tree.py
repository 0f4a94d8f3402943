"""Trees that people have: files of Newick, NEXUS, PhyloXML, nested JSON and condensed trees, or Python objects (objects.py)."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from cfgraph import defaults
from cfgraph.errors import InputError
from cfgraph.files.arrays import Reading
from cfgraph.files.named import read_named_table
from cfgraph.files.npy import read_npy
from cfgraph.files.opened import opened, suffix_of, unchanged
from cfgraph.files.recognised import check_signature
from cfgraph.files.texts import given_names
from cfgraph.formats.linkage import linkage_dag
from cfgraph.formats.nested_json import read_nested_json
from cfgraph.formats.newick import EXAMPLE, TreeRules, read_newick
from cfgraph.formats.nexus import read_nexus
from cfgraph.formats.phyloxml import read_phyloxml
from cfgraph.model.dag import Dag
from cfgraph.model.hierarchy import ImportedWithCells
from cfgraph.moved import renamed
from cfgraph.sources.imported import SourceOptions, imported, with_embeddings
from cfgraph.sources.objects import CONDENSED, condensed_dag, is_condensed_table, object_dag

_TABLES = (".csv", ".tsv", ".parquet")
_HEAD = 4096  # bytes, by which a file is told
_NEXUS = re.compile(rb"\s*#nexus\b", re.IGNORECASE)
_MARK = b"\xef\xbb\xbf"


@renamed(point_nodes="points", minimum="condense", index="tree")
def tree(
    data: Any,
    *,
    id: str = "tree",
    tree: int | str | None = None,
    names: Path | str | Sequence[str] | None = None,
    bad_lengths: str = defaults.BAD_LENGTH,
    underscores: str = defaults.UNDERSCORE,
    large: bool = False,
    **options: Unpack[SourceOptions],
) -> ImportedWithCells:
    """The hierarchy that a tree is.

    Args:
        id: the hierarchy's id.
        data: a file of Newick, NEXUS, PhyloXML, nested JSON (d3's), or of hdbscan's condensed tree as a table or an array; or a
            fitted ``AgglomerativeClustering``, ``BisectingKMeans`` or ``HDBSCAN``, hdbscan's ``CondensedTree`` or
            ``SingleLinkageTree``, a networkx DiGraph, a tree of ete, dendropy, scikit-bio, Bio.Phylo, igraph or SciPy, or a
            linkage matrix.
        tree: of several trees in a file the one to take, counted from 0, or its name.
        names: of an object's points, or a file with one a line.
        bad_lengths: what becomes of lengths that are negative, infinite or no numbers: ``error``, ``zero`` (they count 0), or
            ``unknown``; what stood there stays as the property ``given_length``.
        underscores: those of names without quotes in Newick and NEXUS: ``keep``, or ``blanks``.
        large: whether files may be larger than :mod:`cfgraph.files.opened` allows.
        options: ``embeddings``, ``condense``, ``levels`` and ``points`` of :func:`cfgraph.sources.imported.imported`; of a file
            of embeddings also ``embeddings_key``, ``embeddings_columns``, ``embeddings_header``, ``embeddings_separator`` and
            ``embeddings_decimal``.

    Raises:
        InputError: for a file that is no tree (with the place), an object that is not fitted or of another class, and
            what ``imported`` refuses.
    """
    vectors = with_embeddings(options, large=large)
    rules = TreeRules(bad_lengths, underscores)
    if isinstance(data, Path | str):
        dag = read_tree(data, index=tree, large=large, rules=rules)
    else:
        names, told = given_names(names, large=large)
        dag = object_dag(data, names=names, rules=rules)
        dag = replace(dag, notes=(*told, *dag.notes))
    return imported(dag, id=id, origin="tree", **vectors)


def read_tree(path: Path | str, *, index: int | str | None = None, large: bool = False, rules: TreeRules | None = None) -> Dag:
    """The tree in a file, whose form its first bytes tell: whatever has another is read as Newick.

    Raises:
        InputError: for a file that is no tree of any of these forms, and an ``index`` where it can hold one tree alone.
    """
    path = Path(path)
    with unchanged(path):  # the beginning is read twice
        with opened(path, expected=EXAMPLE, large=large) as file:
            head = file.rewound().read(_HEAD).removeprefix(_MARK)
        if _NEXUS.match(head):
            return read_nexus(path, index=index, large=large, rules=rules)
        start = head.lstrip()[:64]
        if start.startswith(b"<") or _is_wide_xml(head):
            check_signature(head, path, expected=EXAMPLE)
            return read_phyloxml(path, index=index, large=large, rules=rules)
        alone = _read_alone(path, head, large=large, rules=rules)
        if alone is None:
            return read_newick(path, index=index, large=large, rules=rules)
    if index is not None:
        raise InputError(f"{path} holds one tree alone, so there is none to choose; leave --tree out")
    return alone


def _is_wide_xml(head: bytes) -> bool:
    """Whether a file is XML in UTF-16, which says so by its first bytes."""
    return head.startswith((b"\xff\xfe<\0", b"\xfe\xff\0<"))


def _read_alone(path: Path, head: bytes, *, large: bool, rules: TreeRules | None) -> Dag | None:
    """The tree in a file of a form that holds one alone: JSON, an array, a table; None for others."""
    start, suffix = head.lstrip(), suffix_of(path)
    if suffix == ".json" or re.match(rb"\{\s*[\"}]|\[\s*\{", start):
        return read_nested_json(path, large=large, rules=rules)
    if head.startswith(b"\x93NUMPY"):
        return _array_dag(path, large=large)
    if head.startswith(b"PAR1") or (suffix in _TABLES and not start.startswith(b"(")):
        return _table_dag(path, large=large)
    return None


def _array_dag(path: Path, *, large: bool) -> Dag:
    """A condensed tree as rows with names, or a linkage."""
    with opened(path, expected="a condensed tree as an array of rows with names", large=large) as file:
        array = read_npy(file)
    return condensed_dag(array, where=str(path)) if array.dtype.names else linkage_dag(array, where=str(path))


def _table_dag(path: Path, *, large: bool) -> Dag:
    """A condensed tree as a table."""
    table = read_named_table(path, what="rows of a condensed tree", reading=Reading(), large=large)
    columns = table.columns.column_names
    if not is_condensed_table(columns):
        shown = ", ".join(columns[:8]) + (", ..." if len(columns) > 8 else "")
        raise InputError(
            f"expected a tree in {path}, of tables a condensed tree with the columns {', '.join(CONDENSED)}, got the columns "
            f"{shown}; `cfgraph ingest edges` reads tables of child and parent"
        )
    rows = np.zeros(table.columns.num_rows, dtype=[(name, "<f8") for name in CONDENSED])
    for name in CONDENSED:
        try:
            rows[name] = table.columns.column(name).to_numpy()
        except (TypeError, ValueError) as error:
            raise InputError(f"expected numbers in the column {name} of {path}: {' '.join(str(error).split())[:200]}") from None
    return condensed_dag(rows, where=str(path))
