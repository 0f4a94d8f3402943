"""Rooting: an undirected tree directed from one of its nodes, so that its edges lead from parents to children."""

from collections import deque
from typing import TYPE_CHECKING, Any

from cfgraph.errors import InputError
from cfgraph.files.texts import shorten

if TYPE_CHECKING:
    import networkx as nx

_NAMES = ("name", "label")


def rooted(graph: "nx.Graph", root: str, *, where: str) -> "nx.DiGraph":
    """The tree with its edges from a root on; nodes that no edge has stay as they are.

    Args:
        graph: an undirected graph without cycles.
        root: the node, by itself or by its ``name`` or ``label``.
        where: what the graph is of, for errors.

    Raises:
        InputError: for a directed graph, a root that is none or several of its nodes, a cycle, and nodes that the root does not
            reach though they have edges.
    """
    import networkx as nx

    if graph.is_directed():
        raise InputError(f"{where} is a directed graph, whose edges lead from parents to children; leave --root out")
    start = _find(graph, root, where=where)
    found: nx.DiGraph = nx.DiGraph()
    found.graph |= graph.graph
    found.add_nodes_from(graph.nodes(data=True))
    above: dict[Any, Any] = {start: None}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for other in graph[node]:
            if other not in above:
                above[other] = node
                queue.append(other)
                values = graph.get_edge_data(node, other)
                found.add_edge(node, other, **(next(iter(values.values())) if graph.is_multigraph() else values))
            elif other != above[node] or other == node:
                raise InputError(
                    f"expected a tree in {where}, got a cycle through {shorten(str(node))!r} and {shorten(str(other))!r}; "
                    "leave an edge out, or direct the edges from parents to children"
                )
    lost = next((node for node in graph if node not in above and graph.degree(node)), None)
    if lost is not None:
        raise InputError(
            f"expected one tree in {where}, got {shorten(str(lost))!r}, which no way from {shorten(root)!r} leads to; leave it "
            "out, or direct the edges from parents to children"
        )
    return found


def _find(graph: "nx.Graph", root: str, *, where: str) -> Any:
    """The node that is meant: by itself, else by what it is called."""
    found = [node for node in graph if str(node) == root]
    found = found or [node for node, values in graph.nodes(data=True) if any(str(values.get(name)) == root for name in _NAMES)]
    if len(found) != 1:
        some = ", ".join(repr(shorten(str(node))) for node in list(graph)[:5])
        raise InputError(
            f"expected one node called {shorten(root)!r} in {where} as root, got {len(found) or 'none'}; its nodes are {some}"
            f"{', ...' if len(graph) > 5 else ''}"
        )
    return found[0]
