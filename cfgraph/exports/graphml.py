"""GraphML: the XML form that Gephi, Cytoscape, yEd and igraph read.

GraphML has numbers, booleans and text, but no lists. So what is a list or an object in the graph (``center``,
``residual``, ``recipe``, ...) is written as *JSON text*: ``"[0.5, -1.25]"``. The graph's attribute ``json_text`` names
those attributes, and :func:`read_graphml` turns them back into lists.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cfgraph.exports.files import whole_file

if TYPE_CHECKING:
    import networkx as nx

JSON_TEXT = "json_text"  # the graph attribute that names the attributes written as JSON text
HIERARCHY = "hierarchy"  # GraphML keeps "id" for its own use, so the hierarchy's id gets this name


def write_graphml(graph: "nx.DiGraph", path: str | Path) -> None:
    """Write the graph as GraphML, its lists and objects as JSON text, which the attribute ``json_text`` lists."""
    import networkx as nx

    plain = nx.DiGraph(**{HIERARCHY if name == "id" else name: _plain(value) for name, value in graph.graph.items()})
    plain.graph[JSON_TEXT] = json.dumps(sorted({name for values in _attributes(graph) for name in _structured(values)}))
    plain.add_nodes_from((node, _plain_values(values)) for node, values in graph.nodes(data=True))
    plain.add_edges_from((parent, child, _plain_values(values)) for parent, child, values in graph.edges(data=True))
    with whole_file(path) as file:
        nx.write_graphml_xml(plain, file)  # not write_graphml: its bytes depend on whether lxml is installed


def read_graphml(path: str | Path) -> "nx.DiGraph":
    """The graph in a file that :func:`write_graphml` wrote, with its lists and objects as they were."""
    import networkx as nx

    graph = nx.read_graphml(path)
    structured = set(json.loads(graph.graph.pop(JSON_TEXT)))
    for values in _attributes(graph):
        values |= {name: json.loads(values[name]) for name in structured & values.keys()}
    if HIERARCHY in graph.graph:
        graph.graph["id"] = graph.graph.pop(HIERARCHY)
    for name in ("node_default", "edge_default"):
        graph.graph.pop(name, None)
    return graph


def _attributes(graph: "nx.DiGraph") -> Iterator[dict[str, Any]]:
    """The attributes of the graph itself, of every node and of every edge."""
    yield graph.graph
    yield from (values for _, values in graph.nodes(data=True))
    yield from (values for *_, values in graph.edges(data=True))


def _structured(values: dict[str, Any]) -> Iterator[str]:
    return (name for name, value in values.items() if isinstance(value, list | dict))


def _plain_values(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    return json.dumps(value, allow_nan=False) if isinstance(value, list | dict) else value
