"""A hierarchy as a dag: what :func:`cfgraph.sources.imported.imported` made it of, or could have."""

from typing import TYPE_CHECKING

import numpy as np

from cfgraph.model.dag import Dag

if TYPE_CHECKING:
    from cfgraph.model.hierarchy import HierarchyWithCells


def hierarchy_dag(hierarchy: "HierarchyWithCells") -> Dag:
    """The dag of a hierarchy that holds its cells: nodes in breadth-first order, without a virtual root.

    Lengths that the source gave are those of the edges, also where embeddings gave the cells other ones since.
    """
    cells, virtual = hierarchy.cells, int(hierarchy.virtual_root)
    parent, child, slot, length = _edges(hierarchy)
    order = np.lexsort((slot, parent))
    order = order[parent[order] >= virtual]
    own = {name: column[virtual:] for name, column in cells.own.items() if name != "name"}
    known = not np.isnan(length[order]).all()
    return Dag(
        count=len(cells) - virtual,
        parent=parent[order] - virtual,
        child=child[order] - virtual,
        length=length[order] if known else None,
        lengths=hierarchy.lengths if known else "unit",
        names=cells.names[virtual:] if cells.names else None,
        columns=own if cells.size is None else {**own, "size": cells.size[virtual:]},
        node_of_point=None if hierarchy.cell_of_point is None else np.maximum(hierarchy.cell_of_point - virtual, -1),
        notes=hierarchy.notes,
    )


def _edges(hierarchy: "HierarchyWithCells") -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Parent, child, slot and length (NaN for none) of each edge."""
    cells, edges = hierarchy.cells, hierarchy.cells.edges()
    length = np.full(len(edges), np.nan) if hierarchy.lengths == "unit" else edges.length
    branch = cells.own.get("branch_length")
    if branch is not None and not np.isnan(branch[1:]).all():  # else it is the root's alone
        length = np.where(edges.primary, branch[edges.child], length)
    return edges.parent, edges.child, edges.slot, length
