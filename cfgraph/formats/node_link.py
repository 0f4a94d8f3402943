"""Node-link JSON: networkx's own JSON form of a graph, which its ``node_link_graph`` and most drawing libraries read."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from cfgraph.files.whole import whole_file
from cfgraph.formats.plain import RENAMED, json_text, rename_attributes, restore_names

if TYPE_CHECKING:
    import networkx as nx


def write_node_link(graph: "nx.DiGraph", path: str | Path) -> None:
    """Write the graph as one JSON object: ``directed``, ``multigraph``, ``graph``, ``nodes`` and ``edges``.

    Nodes have their address as ``id`` (an attribute of that name gets an underscore, which the graph's ``renamed`` tells),
    edges a ``source`` and a ``target``; vectors are lists. Read it again with
    :func:`read_node_link`, or with ``networkx.node_link_graph(json.load(file), edges="edges")``.
    """
    import networkx as nx

    if any("id" in values for _, values in graph.nodes(data=True)):  # where the form has the address
        graph = nx.DiGraph(graph)
        graph.add_nodes_from([(node, dict(values)) for node, values in graph.nodes(data=True)])
        graph.graph[RENAMED] = rename_attributes(graph, ["id"])
    text = json_text(nx.node_link_data(graph, edges="edges"))
    with whole_file(path) as file:
        file.write(text.encode() + b"\n")


def read_node_link(path: str | Path) -> "nx.DiGraph":
    """The graph in a file that :func:`write_node_link` wrote."""
    import networkx as nx

    with Path(path).open(encoding="utf-8") as file:
        graph = nx.node_link_graph(json.load(file), edges="edges")
    restore_names(graph, graph.graph.pop(RENAMED, {}))
    return graph
