"""Node-link JSON: networkx's own JSON form of a graph, which its ``node_link_graph`` and most drawing libraries read."""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from cfgraph.errors import InputError, one_line
from cfgraph.files.texts import JSON_TIMES, read_text
from cfgraph.files.whole import spool_beside, whole_file
from cfgraph.formats.elements import Elements, elements_of_cells, rows_of
from cfgraph.formats.plain import RENAMED, json_text, rename_attributes, restore_names
from cfgraph.model.hierarchy import Hierarchy

if TYPE_CHECKING:
    import networkx as nx

Rows = Iterable[tuple[str, Mapping[str, Any]]]  # nodes with their attributes
Pieces = tuple[Rows, Iterable[tuple[str, str, Mapping[str, Any]]]]  # some nodes, and some edges, with theirs


def write_node_link(graph: "nx.DiGraph | Hierarchy | Elements", path: str | Path) -> None:
    """Write a graph as one JSON object: ``directed``, ``multigraph``, ``graph``, ``nodes`` and ``edges``.

    Nodes have their address as ``id`` (an attribute of that name gets an underscore, which the graph's ``renamed`` tells),
    edges a ``source`` and a ``target``; vectors are lists. Read it again with
    :func:`read_node_link`, or with ``networkx.node_link_graph(json.load(file), edges="edges")``. Written batch by batch, the
    edges into a file of their own meanwhile.
    """
    if isinstance(graph, Hierarchy):
        graph = elements_of_cells(graph.require_cells().cells, hierarchy=graph)
    attributes, names, pieces = _taken_apart(graph)
    renamed = rename_attributes(names, ["id"])  # where the form has the address
    with whole_file(path) as file, spool_beside(path) as waiting:
        text = json_text({**attributes, RENAMED: renamed} if renamed else attributes)
        file.write(f'{{"directed": true, "multigraph": false, "graph": {text}, "nodes": ['.encode())
        first_node, first_edge = True, True
        for nodes, edges in pieces:
            first_node = _write_list(file, _node_rows(nodes, renamed), first=first_node)
            first_edge = _write_list(waiting, [{**v, "source": s, "target": t} for s, t, v in edges], first=first_edge)
        file.write(b'], "edges": [')
        waiting.seek(0)
        shutil.copyfileobj(waiting, file)
        file.write(b"]}\n")


def _taken_apart(graph: "nx.DiGraph | Elements") -> tuple[Mapping[str, Any], Iterable[str], Iterable[Pieces]]:
    """The attributes of the graph, the names of those that nodes have, and nodes and edges."""
    if isinstance(graph, Elements):
        return graph.graph, graph.node_kinds, _pieces(graph)
    names = {name for _, values in graph.nodes(data=True) for name in values}
    return graph.graph, names, [(graph.nodes(data=True), graph.edges(data=True))]


def _pieces(elements: Elements) -> Iterator[Pieces]:
    for batch in elements.batches:
        nodes = zip(batch.nodes, rows_of(batch.of_nodes, count=len(batch.nodes)), strict=True)
        edges = zip(batch.sources, batch.targets, rows_of(batch.of_edges, count=len(batch.sources)), strict=True)
        yield nodes, edges


def _node_rows(nodes: Rows, renamed: Mapping[str, str]) -> list[dict[str, Any]]:
    new = {old: name for name, old in renamed.items()}
    if not new:
        return [{**values, "id": node} for node, values in nodes]
    return [{**{new.get(name, name): value for name, value in values.items()}, "id": node} for node, values in nodes]


def _write_list(file: BinaryIO, rows: list[dict[str, Any]], *, first: bool) -> bool:
    """Go on with a list in a file; whether nothing is in it still."""
    if rows:
        file.write((("" if first else ", ") + json_text(rows)[1:-1]).encode())
    return first and not rows


def read_node_link(path: str | Path, *, large: bool = False) -> "nx.Graph":
    """The graph in a file that :func:`write_node_link` wrote; ``large`` lifts the limits of :mod:`cfgraph.files.opened`.

    Raises:
        InputError: for a file that is none.
    """
    import networkx as nx

    text = read_text(path, expected="a graph as node-link JSON", times=JSON_TIMES, large=large)
    try:
        graph = nx.node_link_graph(json.loads(text), edges="edges")
    except (nx.NetworkXError, LookupError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{str(path)!r} is no node-link JSON: {one_line(error)}") from error
    restore_names(graph, graph.graph.pop(RENAMED, {}))
    return graph
