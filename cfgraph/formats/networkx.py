"""networkx: a hierarchy as a directed graph, the form from which every other one is made.

A node is a cell, named by its address; an edge leads from a parent to its child. ``weight`` is the edge's length in the
path metric, so that networkx's shortest paths on ``graph.to_undirected()`` are the path metric ``d_pt``.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cfgraph.model.cells import STATE_NAMES, Cells, known_values

if TYPE_CHECKING:
    import networkx as nx

    from cfgraph.model.hierarchy import Hierarchy

CELL_ATTRIBUTES = ("level", "center", "scale", "root_distance", "state", "predicted", "radius", "size", "points")


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
    import networkx as nx

    if not isinstance(cells, Cells):
        cells, hierarchy = cells.require_cells().cells, cells
    graph = nx.DiGraph(**_graph_attributes(hierarchy))
    graph.add_nodes_from(zip(cells.addresses, _node_attributes(cells), strict=True))
    if hierarchy is not None and hierarchy.point_nodes and hierarchy.cell_of_point is not None:
        for row, cell in enumerate(hierarchy.cell_of_point.tolist()):
            if cell >= 0:
                graph.nodes[cells.addresses[cell]].setdefault("points", []).append(row)
    graph.add_edges_from(_edges(cells, virtual_root=hierarchy is not None and hierarchy.virtual_root))
    graph.add_edges_from(_links(cells))
    return graph


def _graph_attributes(hierarchy: "Hierarchy | None") -> dict[str, Any]:
    fields = {} if hierarchy is None else hierarchy.model_dump(mode="json")
    return {name: value for name, value in fields.items() if value is not None}


def _node_attributes(cells: Cells) -> Iterator[dict[str, Any]]:
    columns = {name: getattr(cells, name).tolist() for name in ("level", "center", "scale", "root_distance")}
    columns["state"] = [STATE_NAMES[state] for state in cells.state.tolist()]
    columns["predicted"] = cells.predicted.tolist()
    columns |= {name: _known(getattr(cells, name)) for name in ("radius", "size") if getattr(cells, name) is not None}
    columns |= {own_name(name): known_values(column) for name, column in cells.own.items()}
    for values in zip(*columns.values(), strict=True):
        yield {name: value for name, value in zip(columns, values, strict=True) if value is not None}


def own_name(name: str) -> str:
    """What a property of the source's own is called beside those of every cell: an underscore tells it from one of them."""
    return f"{name}_" if name.rstrip("_") in CELL_ATTRIBUTES else name


def _known(column: np.ndarray) -> list:
    """The column's values, with None for NaN."""
    return [None if value != value else value for value in column.tolist()]


def _edges(cells: Cells, *, virtual_root: bool) -> Iterator[tuple[str, str, dict[str, Any]]]:
    names, below = cells.addresses, slice(1, None)
    columns = (cells.parent, cells.slot, cells.residual, cells.length)
    for child, (parent, slot, residual, length) in enumerate(zip(*(c[below].tolist() for c in columns), strict=True), start=1):
        lengths = {} if virtual_root and parent == 0 else {"length": length, "weight": length}
        yield names[parent], names[child], {"slot": slot, "residual": residual, **lengths}


def _links(cells: Cells) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if cells.links is None:
        return
    names, links = cells.addresses, cells.links
    columns = (links.parent, links.child, links.slot, links.residual, links.length)
    for parent, child, slot, residual, length in zip(*(column.tolist() for column in columns), strict=True):
        values = {"slot": slot, "residual": residual, "length": length, "weight": length, "primary": False}
        yield names[parent], names[child], values
