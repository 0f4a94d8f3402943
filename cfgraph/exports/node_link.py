"""Node-link JSON: networkx's own JSON form of a graph, which its ``node_link_graph`` and most drawing libraries read."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from cfgraph.exports.files import whole_file

if TYPE_CHECKING:
    import networkx as nx


def write_node_link(graph: "nx.DiGraph", path: str | Path) -> None:
    """Write the graph as one JSON object: ``directed``, ``multigraph``, ``graph``, ``nodes`` and ``edges``.

    Nodes have their address as ``id``, edges a ``source`` and a ``target``; vectors are lists. Read it again with
    :func:`read_node_link`, or with ``networkx.node_link_graph(json.load(file), edges="edges")``.
    """
    import networkx as nx

    text = json.dumps(nx.node_link_data(graph, edges="edges"), allow_nan=False)
    with whole_file(path) as file:
        file.write(text.encode() + b"\n")


def read_node_link(path: str | Path) -> "nx.DiGraph":
    """The graph in a file that :func:`write_node_link` wrote."""
    import networkx as nx

    with Path(path).open(encoding="utf-8") as file:
        return nx.node_link_graph(json.load(file), edges="edges")
