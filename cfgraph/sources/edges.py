"""Edges: ontologies and other tables of who stands under whom, with as many parents and roots as there are.

A table of child-parent pairs (text, Parquet, Feather, a data frame), a table of lineages (one text with separators, or a column
a rank), OBO, obographs JSON, and NCBI's ``nodes.dmp``. A first row that holds ``child`` and ``parent`` is a header (or one that
holds the names asked for, or near ones such as ``id`` and ``parent_id``, or ``source`` above ``target``); without a header the
columns are child, parent and, where there is a third, length. With a header, a column ``length`` or ``weight`` gives lengths;
``name``, or ``child_name`` and ``parent_name``, give names, and what stands in ``child`` and ``parent`` becomes the column
``identifier``; all others become properties. A row without a parent is a root's (:mod:`cfgraph.sources.parent_table`).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.files.opened import opened
from cfgraph.files.recognised import recognise
from cfgraph.files.texts import read_any_text
from cfgraph.formats.obo import is_obo, parse_obo
from cfgraph.formats.obographs import parse_obographs
from cfgraph.formats.ontology import IS_A, ontology_dag
from cfgraph.formats.taxdump import NODES, find_beside, is_taxdump, read_taxdump
from cfgraph.model.dag import Dag
from cfgraph.model.hierarchy import ImportedWithCells
from cfgraph.moved import renamed
from cfgraph.sources.edge_roles import Asked, Roles
from cfgraph.sources.edge_rows import (
    EXPECTED,
    EdgeTable,
    is_frame_file,
    table_of_frame,
    table_of_frame_file,
    table_of_text,
    with_notes,
)
from cfgraph.sources.exported_csv import CELLS, POINTS, exported_dag, is_of_cells, is_of_edges, without_places
from cfgraph.sources.imported import SourceOptions, imported, with_embeddings
from cfgraph.sources.lineages import as_lineages, lineage_dag, looks_like_lineages, looks_like_measured_lineages
from cfgraph.sources.parent_table import encode, pairs_dag, parent_dag

_TIMES = 20  # its length in memory: half of the most that was measured, since half of what is free is kept
_BEGIN = 4096  # characters, which tell most kinds of files


class EdgeOptions(TypedDict, total=False):
    """How edges are read; :func:`edges` says more."""

    child: str | None
    parent: str | None
    length: str | None
    name: str | None
    separator: str | None
    decimal: str | None
    reverse: bool
    no_parent: Sequence[str] | None
    lineage: str | None
    lineage_separator: str | None
    ranks: Sequence[str] | str | None
    relation: Sequence[str] | str
    large: bool


@renamed(point_nodes="points", minimum="condense")
def edges(
    data: Any,
    *,
    id: str = "edges",
    child: str | None = None,
    parent: str | None = None,
    length: str | None = None,
    name: str | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    reverse: bool = False,
    no_parent: Sequence[str] | None = None,
    lineage: str | None = None,
    lineage_separator: str | None = None,
    ranks: Sequence[str] | str | None = None,
    relation: Sequence[str] | str = (IS_A,),
    large: bool = False,
    **options: Unpack[SourceOptions],
) -> ImportedWithCells:
    """The hierarchy of who stands under whom in a file: an ontology, with several parents and several roots.

    Args:
        id: the hierarchy's id.
        data: a file (.tsv, .csv, other text, .parquet, .feather, .obo, obographs .json, nodes.dmp; each may be gzipped), a
            folder with nodes.dmp and names.dmp, a data frame of pandas, polars or pyarrow, columns by name, or rows of a child
            and a parent.
        child: the header's name of the column of children (without a header its number, from 1); ``child`` unless given.
        parent: that of the column of parents; ``parent`` unless given.
        length: that of the column of lengths; ``length`` or ``weight`` where there is one, unless given.
        name: that of the column of the children's names; ``child_name`` or ``name`` where there is one, unless given.
        separator: what stands between columns; found unless given.
        decimal: ``,`` where lengths have decimal commas; found unless given, where it can be.
        reverse: whether the pairs stand the other way round, the parent first.
        no_parent: what stands for no parent, beside an empty one and the child itself.
        lineage: the column that holds whole lineages, as ``d__Bacteria;p__X;c__Y``.
        lineage_separator: what stands between the ranks of a lineage; found unless given.
        ranks: the columns that hold a rank each, from the root on.
        relation: the relations of an ontology that lead to parents, ``is_a`` unless given.
        large: whether files may be larger than :mod:`cfgraph.files.opened` allows.
        options: ``embeddings``, ``condense``, ``levels`` and ``points`` of :func:`cfgraph.sources.imported.imported`; of a file
            of embeddings also ``embeddings_key``, ``embeddings_columns``, ``embeddings_header``, ``embeddings_separator`` and
            ``embeddings_decimal``.

    Raises:
        InputError: for a file of another form, and what ``imported`` refuses, a cycle among it, which is shown.
    """
    asked: EdgeOptions = {
        "large": large,
        "child": child,
        "parent": parent,
        "length": length,
        "name": name,
        "separator": separator,
        "decimal": decimal,
        "reverse": reverse,
        "no_parent": no_parent,
        "lineage": lineage,
        "lineage_separator": lineage_separator,
        "ranks": ranks,
        "relation": relation,
    }
    dag = read_edges(data, **asked)
    return imported(dag, id=id, origin="edges", **with_embeddings(options, large=large))


def read_edges(data: Any, **options: Unpack[EdgeOptions]) -> Dag:
    """The dag of who stands under whom; the data and the options are those of :func:`edges`.

    Raises:
        InputError: for a file that cannot be read, columns that are not there, and the first row without a child, of another
            width, or with a length that is negative or no finite number.
    """
    large, relations = options.pop("large", False), options.pop("relation", (IS_A,))
    relations = tuple([relations] if isinstance(relations, str) else relations) or (IS_A,)
    asked = _asked(options)
    if not isinstance(data, Path | str):
        return _table_dag(table_of_frame(data, asked=asked), asked=asked)
    path = Path(data)
    if _has_cells(path):
        return _exported(path / CELLS, asked=asked, large=large, whole=True)
    begin = b"" if find_beside(path, NODES) else _begin(path, large=large)
    if not begin or is_taxdump(begin):
        return read_taxdump(path, large=large)
    if is_frame_file(begin):
        table = table_of_frame_file(path, asked=asked, large=large)
        if not asked.columns and is_of_cells(table):
            raise InputError(f"{path} is an export of cfgraph; read it with: cfgraph ingest parquet {path}")
        return _table_dag(table, asked=asked)
    text, told = read_any_text(path, expected=EXPECTED, times=_TIMES, large=large)
    if is_obo(text[:_BEGIN]):
        return _with_notes(ontology_dag(parse_obo(text, where=str(path)), relations=relations), told)
    if text[:_BEGIN].lstrip().startswith(("{", "[{")):
        return _with_notes(ontology_dag(parse_obographs(text, where=str(path)), relations=relations), told)
    kind = recognise(text[:_BEGIN].encode())
    if kind is not None and kind.certain:
        raise kind.error(path, expected=EXPECTED)
    _check_kind(text[:_BEGIN], path=path)
    table = with_notes(table_of_text(text, path=path, asked=asked), *told)
    if not asked.columns and (is_of_cells(table) or is_of_edges(table)):
        return _exported(path, asked=asked, large=large)
    return _table_dag(table, asked=asked)


def _has_cells(path: Path) -> bool:
    """Whether a path is the folder of an export."""
    try:
        return (path / CELLS).is_file()
    except (OSError, ValueError):  # of a folder that cannot be; whoever opens it explains
        return False


def _exported(path: Path, *, asked: Asked, large: bool, whole: bool = False) -> Dag:
    """The dag of what an export wrote: its folder, a file of cells, or one of edges, beside which the cells may lie."""

    def read(file: Path) -> EdgeTable:
        columns = Asked(child="cell", parent="row") if file.name == POINTS else asked
        text, _ = read_any_text(file, expected=EXPECTED, times=_TIMES, large=large)
        return table_of_text(text, path=file, asked=columns)

    table = read(path)
    if is_of_cells(table):
        return exported_dag(table, folder=path.parent if whole else None, read=read)
    if (path.parent / CELLS).is_file():
        return exported_dag(read(path.parent / CELLS), folder=path.parent, read=read)
    return _table_dag(without_places(table), asked=asked)


def edges_dag(child: Sequence[str], parent: Sequence[str], *, length: Float[np.ndarray, " rows"] | None = None) -> Dag:
    """The dag of child-parent pairs by name: nodes in the order in which their names come up, children first.

    A pair that comes again is left out, with a note. Loops and cycles stay in: :func:`.dag.check_cycles` refuses them.

    Raises:
        InputError: for columns of different lengths, empty names, and lengths that contradict each other.
    """
    import pyarrow as pa

    if len(child) != len(parent) or (length is not None and len(length) != len(child)):
        raise InputError(f"expected as many children as parents (and lengths), got {len(child):,} and {len(parent):,}")
    names, codes = encode([pa.array(list(column), pa.string()) for column in (child, parent)])
    if "" in names or None in names:
        raise InputError("expected a name for each child and parent, got an empty one; a node that is nobody's child is a root")
    return pairs_dag(codes[: len(child)], codes[len(child) :], names=names, length=length, where="the pairs")


def _begin(path: Path, *, large: bool) -> bytes:
    with opened(path, expected=EXPECTED, large=large) as file:
        return file.rewound().read(_BEGIN)


def _asked(options: EdgeOptions) -> Asked:
    """The options, checked."""
    ranks = options.get("ranks")
    ranks = [name.strip() for name in ranks.split(",")] if isinstance(ranks, str) else ranks
    no_parent = options.get("no_parent")
    no_parent = [no_parent] if isinstance(no_parent, str) else no_parent
    decimal = options.get("decimal")
    if decimal not in (None, ".", ","):
        raise InputError(f"expected . or , as the decimal sign, got {decimal!r}")
    if ranks is not None and options.get("lineage") is not None:
        raise InputError("expected lineages in one column or a column a rank, got both --lineage and --ranks; leave one out")
    one = {
        name: options.get(name) for name in ("child", "parent", "length", "name", "separator", "lineage", "lineage_separator")
    }
    if (ranks or one["lineage"]) and one["parent"]:
        raise InputError("a lineage tells all parents of a leaf: leave --parent out")
    return Asked(
        child=options.get("child"),
        parent=options.get("parent"),
        length=options.get("length"),
        name=options.get("name"),
        separator=options.get("separator"),
        lineage=options.get("lineage"),
        lineage_separator=options.get("lineage_separator"),
        decimal=decimal,
        reverse=bool(options.get("reverse", False)),
        no_parent=tuple(no_parent) if no_parent else None,
        ranks=tuple(ranks) if ranks else None,
    )


def _table_dag(table: EdgeTable, *, asked: Asked) -> Dag:
    """The dag of a table: of lineages where it holds such, else of pairs."""
    if table.roles.lineage is not None or table.roles.ranks:
        return lineage_dag(table, asked=asked)
    told_of_columns = bool(asked.columns) or asked.reverse
    sign = None if told_of_columns else looks_like_measured_lineages(table)
    if sign is not None:
        note = (
            "the first column holds lineages and the second numbers, which were left out: with a first row of names, "
            "such as lineage and abundance, they become a property; --child 1 --parent 2 reads pairs"
        )
        told = replace(table, roles=Roles(lineage=table.roles.child), notes=(*table.notes, note))
        return lineage_dag(told, asked=asked, sign=sign)
    sign = None if told_of_columns else looks_like_lineages(table)
    if sign is None:
        return parent_dag(table, asked=asked)
    note = "the second column holds a lineage in every row, and was read so; --child 1 --parent 2 reads pairs"
    told = replace(table, roles=as_lineages(table.roles), notes=(*table.notes, note))
    return lineage_dag(told, asked=asked, sign=sign)


def _with_notes(dag: Dag, notes: tuple[str, ...]) -> Dag:
    return replace(dag, notes=(*notes, *dag.notes)) if notes else dag


def _check_kind(begin: str, *, path: Path) -> None:
    """An ``InputError`` for what is another kind of file, with the command that reads it."""
    start = begin.lstrip()
    kinds = (("#NEXUS", "NEXUS", "tree"), ("(", "Newick", "tree"), ("<", "XML", "graph"), ("graph [", "GML", "graph"))
    for sign, kind, command in kinds:
        if start.upper().startswith(sign.upper()) and (sign != "(" or ";" in begin or "," in begin.split("\n", 1)[0]):
            if sign == "(" and "\t" in begin.split("\n", 1)[0]:
                continue
            raise InputError(
                f"expected {EXPECTED}, and {path} looks like {kind}; read it with: cfgraph ingest {command} {path}"
            )
