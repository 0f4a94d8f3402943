"""GraphML: the XML form that Gephi, Cytoscape, yEd and igraph read.

GraphML has numbers, booleans and text, but no lists. So what is a list or an object in the graph (``center``,
``residual``, ``recipe``, ...) is written as *JSON text* (cfgraph/formats/plain.py), and :func:`read_graphml` turns it back.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from cfgraph.files.whole import whole_file
from cfgraph.formats.plain import JSON_TEXT, plain_graph, restore_graph

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["JSON_TEXT", "read_graphml", "restore_graphml", "write_graphml"]

HIERARCHY = "hierarchy"  # GraphML keeps "id" for its own use, so the hierarchy's id gets this name


def write_graphml(graph: "nx.DiGraph", path: str | Path) -> None:
    """Write the graph as GraphML, its lists and objects as JSON text, which the attribute ``json_text`` lists."""
    import networkx as nx

    plain = plain_graph(graph)
    plain.graph = {HIERARCHY if name == "id" else name: value for name, value in plain.graph.items()}
    with whole_file(path) as file:
        nx.write_graphml_xml(plain, file)  # not write_graphml: its bytes depend on whether lxml is installed


def read_graphml(path: str | Path) -> "nx.DiGraph":
    """The graph in a file that :func:`write_graphml` wrote, with its lists and objects as they were."""
    import networkx as nx

    return restore_graphml(nx.read_graphml(path))


def restore_graphml(graph: "nx.DiGraph") -> "nx.DiGraph":
    """A graph as networkx reads it of such a file, with its lists, objects and own names as they were."""
    if HIERARCHY in graph.graph:
        graph.graph["id"] = graph.graph.pop(HIERARCHY)
    for name in ("node_default", "edge_default"):
        graph.graph.pop(name, None)
    return restore_graph(graph)
