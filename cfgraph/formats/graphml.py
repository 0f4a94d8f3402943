"""GraphML: the XML form that Gephi, Cytoscape, yEd and igraph read.

GraphML has numbers, booleans and text, but no lists. So what is a list or an object in the graph (``center``,
``residual``, ``recipe``, ...) is written as *JSON text* (cfgraph/formats/plain.py), and :func:`read_graphml` turns it back.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cfgraph.files.whole import whole_file
from cfgraph.formats.elements import KIND_OF_TYPE, Batch, Columns, Elements
from cfgraph.formats.plain import JSON_TEXT, restore_graph, to_plain
from cfgraph.formats.xml import DECLARATION, TYPES, element_texts, encoded, opened_graph, quoted, value_texts

if TYPE_CHECKING:
    import networkx as nx

    from cfgraph.model.hierarchy import HierarchyWithCells

__all__ = ["JSON_TEXT", "read_graphml", "restore_graphml", "write_graphml"]

HIERARCHY = "hierarchy"  # GraphML keeps "id" for its own use, so the hierarchy's id gets this name
_NAMESPACE = "http://graphml.graphdrawing.org/xmlns"
_OPENING = (
    f'<graphml xmlns="{_NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    f'xsi:schemaLocation="{_NAMESPACE} {_NAMESPACE}/1.0/graphml.xsd">\n'
)
Keys = Mapping[str, tuple[str, str]]  # of each attribute its key's id, and its kind


def write_graphml(graph: "nx.DiGraph | HierarchyWithCells | Elements", path: str | Path) -> None:
    """Write a graph as GraphML, its lists and objects as JSON text, which the attribute ``json_text`` lists.

    Batch by batch: memory does not grow with what :class:`~cfgraph.formats.elements.Elements` go through.
    """
    with whole_file(path) as file:
        for pieces in _pieces(to_plain(graph)):
            file.write(encoded(pieces))


def _pieces(elements: Elements) -> Iterator[Iterator[str] | list[str]]:
    """The file, some lines at a time: first which attributes there are, then the graph's own, then nodes and edges."""
    graph = {HIERARCHY if name == "id" else name: [value] for name, value in elements.graph.items()}
    kinds = {
        "graph": {name: KIND_OF_TYPE[type(value)] for name, (value,) in graph.items()},
        "node": elements.node_kinds,
        "edge": elements.edge_kinds,
    }
    keys, count = dict[str, Keys](), 0
    for scope, names in kinds.items():
        keys[scope] = {name: (f"d{count + place}", kind) for place, (name, kind) in enumerate(names.items())}
        count += len(names)
    yield [DECLARATION, _OPENING, *(line for scope in keys for line in _declarations(scope, keys[scope]))]
    yield _filled(['  <graph edgedefault="directed">\n'], graph, keys=keys["graph"], closing="", indent="    ")
    for batch in elements.batches:
        yield from _batch_pieces(batch, keys)
    yield ["  </graph>\n</graphml>\n"]


def _declarations(scope: str, keys: Keys) -> Iterator[str]:
    for name, (key, kind) in keys.items():
        yield f'  <key id="{key}" for="{scope}" attr.name="{quoted(name)}" attr.type="{TYPES[kind]}" />\n'


def _batch_pieces(batch: Batch, keys: Mapping[str, Keys]) -> Iterator[Iterator[str]]:
    nodes = (f'    <node id="{quoted(node)}">\n' for node in batch.nodes)
    yield _filled(nodes, batch.of_nodes, keys=keys["node"], closing="    </node>\n")
    ends = zip(map(quoted, batch.sources), map(quoted, batch.targets), strict=True)
    edges = (f'    <edge source="{source}" target="{target}">\n' for source, target in ends)
    yield _filled(edges, batch.of_edges, keys=keys["edge"], closing="    </edge>\n")


def _filled(
    openings: Iterator[str] | list[str], columns: Columns, *, keys: Keys, closing: str, indent: str = "      "
) -> Iterator[str]:
    texts = {name: value_texts(column, kind=keys[name][1]) for name, column in columns.items()}
    around = {name: (f'{indent}<data key="{keys[name][0]}">', "</data>\n") for name in columns}
    return element_texts(openings, texts, around=around, closing=closing)


def read_graphml(path: str | Path, *, large: bool = False) -> "nx.Graph":
    """The graph in a file that :func:`write_graphml` wrote, with its lists and objects as they were.

    ``large`` lifts the limits of :mod:`cfgraph.files.opened`.

    Raises:
        InputError: for a file that is none.
    """
    import networkx as nx

    with opened_graph(path, form="GraphML", large=large) as file:
        return restore_graphml(nx.read_graphml(file.handle))


def restore_graphml(graph: "nx.Graph") -> "nx.Graph":
    """A graph as networkx reads it of such a file, with its lists, objects and own names as they were."""
    if HIERARCHY in graph.graph:
        graph.graph["id"] = graph.graph.pop(HIERARCHY)
    for name in ("node_default", "edge_default"):
        graph.graph.pop(name, None)
    return restore_graph(graph)
