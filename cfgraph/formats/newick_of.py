"""Newick: trees as parentheses, for phylogenetics' tools and ete3; names and lengths, nothing else."""

from pathlib import Path
from typing import TYPE_CHECKING

from cfgraph.errors import InputError
from cfgraph.files.whole import whole_file
from cfgraph.formats.dag_of import hierarchy_dag

if TYPE_CHECKING:
    from cfgraph.model.dag import Dag
    from cfgraph.model.hierarchy import Hierarchy

OTHERS = "graphml, gexf, node-link, dot, csv and parquet"


def write_newick(hierarchy: "Hierarchy", path: str | Path) -> None:
    """Write a hierarchy that holds its cells; ``cfgraph ingest tree`` reads the same tree, names and lengths.

    A cell without a name has none; where no cell of a field has one, addresses are the names. Lengths are those of the source
    where it gave any, else those of the edges, none where each is 1.

    Raises:
        InputError: for cells with several parents, several roots, and a place that cannot be written.
    """
    from cfgraph.formats.newick import dag_newick

    dag = tree_of(hierarchy, purpose="Newick")
    if not hierarchy.imported and dag.names is None:
        dag = _by_address(dag, hierarchy)
    with whole_file(path) as file:
        for piece in dag_newick(dag):
            file.write(piece.encode())


def tree_of(hierarchy: "Hierarchy", *, purpose: str) -> "Dag":
    """The dag of a hierarchy, where it is a tree with one root."""
    links = hierarchy.require_cells().links
    if links is not None:
        import numpy as np

        raise InputError(
            f"{purpose} holds trees, and {len(np.unique(links.child)):,} of the {len(hierarchy.cells):,} cells of "
            f"{hierarchy.id!r} have several parents; {OTHERS} hold them"
        )
    if hierarchy.virtual_root:
        roots = int((hierarchy.cells.parent == 0).sum())
        raise InputError(f"{purpose} holds a tree with one root, and {hierarchy.id!r} has {roots:,}; {OTHERS} hold them")
    return hierarchy_dag(hierarchy)


def _by_address(dag: "Dag", hierarchy: "Hierarchy") -> "Dag":
    from dataclasses import replace

    return replace(dag, names=list(hierarchy.cells.addresses))
