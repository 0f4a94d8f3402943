"""networkx: a hierarchy as a directed graph.

A node is a cell, named by its address; an edge leads from a parent to its child. ``weight`` is the edge's length in the
path metric, so that networkx's shortest paths on ``graph.to_undirected()`` are the path metric ``d_pt``.
"""

from typing import TYPE_CHECKING

from cfgraph.formats.elements import Elements, elements_of_cells, rows_of
from cfgraph.model.cells import Cells

if TYPE_CHECKING:
    import networkx as nx

    from cfgraph.model.hierarchy import Hierarchy


def to_networkx(cells: "Cells | Hierarchy", *, hierarchy: "Hierarchy | None" = None) -> "nx.DiGraph":
    """Cells, or a hierarchy that holds them, as a ``networkx.DiGraph`` of plain Python values.

    Nodes, named by address, in breadth-first order: ``level``, ``center`` (list), ``scale``, ``root_distance``, ``state``
    (``Expanded``, ``Frontier`` or ``Leaf``), ``predicted`` and, where the cells know them, ``radius``, ``size``, ``points``
    (the list of theirs, where data points are nodes) and what their source gave them (``name``, ``height``, ...; one that is
    called like any of these gets an underscore).

    Edges: ``slot``, ``residual`` (list), ``length``, and ``weight``, which is the length again under the name that networkx's
    algorithms look for; those from second parents say ``primary: False``, and those of a virtual root have no length.

    The graph itself carries the fields of the hierarchy; what is not known has no attribute.
    """
    if isinstance(cells, Cells):
        return graph_of(elements_of_cells(cells, hierarchy=hierarchy))
    return graph_of(elements_of_cells(cells.require_cells().cells, hierarchy=cells))


def graph_of(elements: Elements) -> "nx.DiGraph":
    """The elements as one ``networkx.DiGraph``."""
    import networkx as nx

    graph: nx.DiGraph = nx.DiGraph(**elements.graph)
    for batch in elements.batches:
        graph.add_nodes_from(zip(batch.nodes, rows_of(batch.of_nodes, count=len(batch.nodes)), strict=True))
        attributes = rows_of(batch.of_edges, count=len(batch.sources))
        graph.add_edges_from(zip(batch.sources, batch.targets, attributes, strict=True))
    return graph
