"""Graphs: a networkx DiGraph, a GraphML or GEXF file or node-link JSON as a dag; edges lead from a parent to its child.

Node attributes that are numbers, text or truth values become columns; one that is called like a property of every cell gets
an underscore (``level_``). ``name`` becomes the name (a node without one is called as its id), and an edge's ``length``, or
else its ``weight``, becomes the length. Where every edge has a ``slot``, siblings stand in its order, else in that of the
edges.

What cfgraph itself exported (its graph says so) comes back as the same hierarchy but for centers, which embeddings give: its
own properties and names are told apart from a cell's place (level, scale, ...), which is found anew; a virtual root is left
out.
"""

import json
import math
import re
import warnings
from collections.abc import Iterable
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.files.opened import suffix_of, unchanged
from cfgraph.files.texts import JSON_TIMES, XML_TIMES, read_text, shorten
from cfgraph.formats.elements import CELL_ATTRIBUTES, own_name
from cfgraph.formats.gexf import read_gexf
from cfgraph.formats.graphml import JSON_TEXT, restore_graphml
from cfgraph.formats.plain import RENAMED, restore_names
from cfgraph.formats.xml import check_entities
from cfgraph.model.address import ROOT
from cfgraph.model.columns import RESERVED, check_kind, own_column
from cfgraph.model.dag import Dag
from cfgraph.model.hierarchy import ImportedWithCells
from cfgraph.sources.imported import ImportOptions, imported, with_embeddings

if TYPE_CHECKING:
    import networkx as nx

_OWN_OF_CELLS = set(RESERVED) - {"size"}  # a column `size` may count data, which `imported` looks at
_EXPORTED = {"id", "origin", "dimension", "recipe"}  # what the graph of an export tells of itself
_EDGE_ATTRIBUTES = {"id", "length", "slot", "weight"}  # what becomes something, and the ids that formats give
_INTEGER_MAX = 2**63 - 1  # what a column and the graph hold
_GRAPH_TAG = re.compile(r"<(?:[\w.-]+:)?graph[\s>]")  # of GraphML


def graph(
    *, id: str, data: "Path | str | nx.DiGraph", large: bool = False, **options: Unpack[ImportOptions]
) -> ImportedWithCells:
    """The hierarchy that a directed graph is, edges from parents to children.

    Args:
        id: the hierarchy's id.
        data: a GraphML, GEXF or node-link JSON file, or a networkx DiGraph.
        large: whether files may be larger than :mod:`cfgraph.files.opened` allows.
        options: ``embeddings``, ``minimum``, ``levels`` and ``point_nodes`` of :func:`cfgraph.sources.imported.imported`.

    Raises:
        InputError: for what :func:`read_graph` and :func:`graph_dag` refuse, and ``imported``.
    """
    dag = read_graph(data, large=large) if isinstance(data, Path | str) else graph_dag(data)
    return imported(dag, id=id, origin="graph", **with_embeddings(options, large=large))


def read_graph(path: Path | str, *, large: bool = False) -> Dag:
    """The dag in a .graphml (or .xml) file, a .gexf or a node-link .json; see :func:`graph_dag`.

    ``large`` lifts the limits of :mod:`cfgraph.files.opened`.

    Raises:
        InputError: for a file of another form or a damaged one, and what :func:`graph_dag` refuses.
    """
    path = Path(path)
    readers = {".graphml": _read_graphml, ".xml": _read_graphml, ".json": _read_node_link, ".gexf": _read_gexf}
    reader = readers.get(suffix_of(path))
    if reader is None:
        raise InputError(f"expected a graph in a file that ends in .graphml, .gexf or .json, got {path}")
    with unchanged(path):  # some formats are read twice
        found = reader(path, large=large)
    return graph_dag(found, where=str(path))


def graph_dag(graph: "nx.Graph", *, where: str = "the graph") -> Dag:
    """The dag that a directed graph is, nodes and edges in the graph's order.

    Raises:
        InputError: for undirected graphs, parallel edges (with the pair), and lengths that are negative or no numbers.
    """
    if not graph.is_directed():
        raise InputError(f"expected a directed graph, edges from parent to child, in {where}, got an undirected one; direct it")
    if graph.number_of_nodes() == 0:
        raise InputError(f"expected at least one node in {where}, got an empty graph")
    _check_parallels(graph, where=where)
    if graph.graph.keys() >= _EXPORTED:
        try:
            return _exported_dag(graph, where=where)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError) as error:
            raise InputError(
                f"{where} says that cfgraph exported it, and what it tells of the hierarchy does not fit ({error}); export it "
                f"again, or remove {', '.join(sorted(_EXPORTED))} from what the graph tells of itself"
            ) from None
    number = {node: index for index, node in enumerate(graph)}
    ends = [(number[parent], number[child]) for parent, child in graph.edges()]
    edges = np.array(ends, dtype=np.int64).reshape(-1, 2)
    attributes = [values for *_, values in graph.edges(data=True)]
    length = _lengths(graph, where=where)
    order = _slot_order(attributes)
    columns, notes = _columns([values for _, values in graph.nodes(data=True)], structured=_structured(graph))
    notes += _edge_notes(attributes, known=_EDGE_ATTRIBUTES)
    return Dag(
        count=len(number),
        parent=edges[order, 0],
        child=edges[order, 1],
        length=None if length is None else length[order],
        lengths="unit" if length is None else "branch",
        names=[_name_of(node, values) for node, values in graph.nodes(data=True)],
        columns=columns,
        notes=notes,
    )


def _exported_dag(graph: "nx.Graph", *, where: str) -> Dag:
    """The dag of a graph that ``cfgraph.to_networkx`` made of a hierarchy."""
    attributes = graph.graph
    graph = graph.subgraph(node for node in graph if node != ROOT or not attributes.get("virtual_root"))
    number = {node: index for index, node in enumerate(graph)}
    of_edges = [values for *_, values in graph.edges(data=True)]
    edges = np.array([(number[parent], number[child]) for parent, child in graph.edges()], dtype=np.int64).reshape(-1, 2)
    order, length = _slot_order(of_edges), _lengths(graph, where=where)
    nodes = [values for _, values in graph.nodes(data=True)]
    kinds = {name: check_kind(kind) for name, kind in attributes.get("own_kinds", {}).items()}
    own = {
        name: own_column([values.get(own_name(name)) for values in nodes], kind=kinds.get(name))
        for name in attributes.get("own", ())
        if name != "name"
    }
    if all("size" in values for values in nodes):
        own["size"] = own_column([values["size"] for values in nodes])
    added, notes = _columns(_added(graph, own), structured=set())
    notes += _edge_notes(of_edges, known=_EDGE_ATTRIBUTES | {"primary", "residual"})
    has_names = "name" in attributes.get("own", ()) or any("name" in values for values in nodes)
    unit = length is None or attributes.get("lengths") == "unit"
    return Dag(
        count=len(number),
        parent=edges[order, 0],
        child=edges[order, 1],
        length=None if unit or length is None else length[order],
        lengths="unit" if unit else attributes["lengths"] if attributes.get("lengths") in ("branch", "height") else "branch",
        names=[values.get("name") for values in nodes] if has_names else None,
        columns=own | added,
        node_of_point=_exported_points(nodes, attributes, own),
        notes=(*attributes.get("notes", ()), *notes),
    )


def _added(graph: "nx.Graph", own: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """What nodes have that no export wrote: attributes that people gave them since, under new names or beside the others."""
    known = {"name", "size", *CELL_ATTRIBUTES, *map(own_name, own)}
    return [
        {name: value for name, value in values.items() if name not in known and (name, value) != ("label", node)}
        for node, values in graph.nodes(data=True)
    ]


def _edge_notes(attributes: list[dict[str, Any]], *, known: set[str]) -> tuple[str, ...]:
    """What is said of attributes of edges that a hierarchy has no place for."""
    left = [str(name) for name in dict.fromkeys(name for values in attributes for name in values) if name not in known]
    return (f"attributes of edges other than length, weight and slot were left out: {', '.join(left)}",) if left else ()


def _exported_points(nodes: list[dict[str, Any]], attributes: dict[str, Any], own: dict[str, np.ndarray]) -> np.ndarray | None:
    """The node of each data point; None where the file does not tell."""
    if attributes.get("points") is None or not (attributes.get("point_nodes") or "row" in own):
        return None
    placed = np.full(attributes["points"], -1, dtype=np.int64)
    for node, values in enumerate(nodes):
        placed[values.get("points", [])] = node
    if not attributes.get("point_nodes"):
        has_row = np.flatnonzero(own["row"] >= 0)
        placed[own["row"][has_row]] = has_row
    return placed


def _check_parallels(graph: "nx.Graph", *, where: str) -> None:
    if not graph.is_multigraph():
        return
    seen = set()
    for parent, child in graph.edges():
        if (parent, child) in seen:
            raise InputError(
                f"expected one edge from a parent to a child in {where}, got parallel ones from {shorten(str(parent))!r} to "
                f"{shorten(str(child))!r}; leave all but one out"
            )
        seen.add((parent, child))


def _name_of(node: Any, values: dict[str, Any]) -> str:
    name = values.get("name")
    return str(node) if name is None else str(name)


def _lengths(graph: "nx.Graph", *, where: str) -> Float[np.ndarray, " edges"] | None:
    """``length`` of each edge, else its ``weight``, else NaN; None where no edge has either."""
    length = np.full(graph.number_of_edges(), np.nan)
    for index, (parent, child, values) in enumerate(graph.edges(data=True)):
        value = values.get("length", values.get("weight"))
        if value is None:
            continue
        if not isinstance(value, int | float | np.number) or not 0 <= value < math.inf:
            raise InputError(
                f"expected a finite length (or weight) of at least 0 at each edge of {where}, got {value!r} from "
                f"{shorten(str(parent))!r} to {shorten(str(child))!r}"
            )
        length[index] = value
    return None if np.isnan(length).all() else length


def _slot_order(attributes: list[dict[str, Any]]) -> np.ndarray:
    """The edges by slot where each has one, else as they are."""
    slots = [values.get("slot") for values in attributes]
    if not slots or not all(_is_whole(slot) for slot in slots):
        return np.arange(len(slots))
    return np.argsort(np.array(slots, dtype=np.int64), kind="stable")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and abs(int(value)) <= _INTEGER_MAX


def _structured(graph: "nx.Graph") -> set[str]:
    """The attributes that an export of cfgraph has written as JSON text, lists that a column cannot hold."""
    try:
        return set(json.loads(graph.graph.get(JSON_TEXT, "[]")))
    except (TypeError, ValueError):
        return set()


def _columns(nodes: list[dict[str, Any]], *, structured: set[str]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Each attribute that is numbers, text or truth values as a column, and a note of the others."""
    names = dict.fromkeys(name for values in nodes for name in values if name != "name")
    columns, left, renamed = {}, [], {}
    for name in names:
        column = None if name in structured else _column([_plain(values.get(name)) for values in nodes])
        if column is None:
            left.append(str(name))
            continue
        called = _free_name(str(name), taken=names.keys() | _OWN_OF_CELLS) if name in _OWN_OF_CELLS else str(name)
        if called != str(name):
            renamed[str(name)] = called
        columns[called] = column
    return columns, _column_notes(left, renamed)


def _free_name(name: str, *, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _column_notes(left: list[str], renamed: dict[str, str]) -> tuple[str, ...]:
    notes = []
    if left:
        notes.append(
            f"attributes that are not numbers, text or truth values, all of one kind, were left out: {', '.join(left)}"
        )
    if renamed:
        pairs = ", ".join(f"{name} is {called}" for name, called in renamed.items())
        notes.append(f"attributes that are called like what every cell has got an underscore: {pairs}")
    return tuple(notes)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _column(values: list[Any]) -> np.ndarray | None:
    """Whole numbers (-1 for none), floats (NaN), or text or truth values (None); None where they are nothing of one kind."""
    kinds = {type(value) for value in values} - {type(None)}
    gaps = [value is None for value in values]
    if kinds == {int} and -1 in values and not any(gaps) and _fit_integers(values, low=-_INTEGER_MAX):
        return own_column(values)  # where -1 is a value it cannot say that there is none
    if kinds == {int} and _fit_integers(compress(values, [not gap for gap in gaps]), low=0 if any(gaps) else -_INTEGER_MAX):
        return np.array([-1 if value is None else value for value in values], dtype=np.int64)
    if kinds and kinds <= {int, float}:
        try:
            return np.array([math.nan if value is None else float(value) for value in values])
        except OverflowError:
            return None
    if kinds in ({bool}, {str}):
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column
    return None


def _fit_integers(values: Iterable[int], *, low: int) -> bool:
    return all(low <= value <= _INTEGER_MAX for value in values)


def _read_graphml(path: Path, *, large: bool) -> "nx.Graph":
    """The graph in a GraphML file, with the defaults that the file gives its nodes and edges."""
    from xml.etree.ElementTree import ParseError

    import networkx as nx

    text = read_text(path, expected="a graph as GraphML", times=XML_TIMES, large=large)
    check_entities(text.encode(), path=path, large=large)
    if (graphs := len(_GRAPH_TAG.findall(text))) > 1:  # networkx reads the first, without those inside its nodes
        raise InputError(
            f"{path} holds {graphs:,} graphs, inside one another or side by side, and a hierarchy is one: keep one"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of drawing details that no hierarchy has
            graph = nx.parse_graphml(_without_declaration(text))
    except ParseError as error:
        raise InputError(f"{path} is no XML: {error}; expected a graph as GraphML") from None
    except RecursionError:
        raise InputError(f"{path} is nested too deeply to be GraphML") from None
    except (nx.NetworkXError, KeyError, ValueError, AttributeError, TypeError) as error:
        raise InputError(f"{path} is no GraphML that networkx reads: {' '.join(str(error).split())[:200]}") from None
    for name, items in (("node_default", graph.nodes(data=True)), ("edge_default", graph.edges(data=True))):
        defaults = graph.graph.get(name) or {}
        for *_, values in items if defaults else ():
            values |= defaults | values
    return restore_graphml(graph) if JSON_TEXT in graph.graph else graph


def _read_gexf(path: Path, *, large: bool) -> "nx.Graph":
    """The graph in a GEXF file; a node's label is its name where it has none of its own."""
    read_text(path, expected="a graph as GEXF", times=XML_TIMES, large=large)
    graph = read_gexf(path, large=large)
    if graph.graph.keys() >= _EXPORTED:
        return graph
    for node, values in graph.nodes(data=True):
        label = values.pop("label", None)
        if label is not None and label != node:
            values.setdefault("name", label)
    return graph


def _without_declaration(text: str) -> str:
    """The XML without its first line on encodings, which is not to be said of text that is decoded."""
    return text.partition("?>")[2] if text.startswith("<?xml") else text


def _read_node_link(path: Path, *, large: bool) -> "nx.Graph":
    """The graph in node-link JSON, its edges under ``edges`` or ``links``."""
    import networkx as nx

    try:
        data = json.loads(read_text(path, expected="a graph as node-link JSON", times=JSON_TIMES, large=large))
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is no JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise InputError(f"{path} is nested too deeply to be node-link JSON") from None
    except ValueError:  # says Python, which does not read them
        raise InputError(f"{path} holds a whole number of thousands of digits, which nothing here can keep; round it") from None
    name = next((name for name in ("edges", "links") if isinstance(data, dict) and name in data), None)
    if name is None or not isinstance(data.get("nodes"), list) or not isinstance(data[name], list):
        raise InputError(f"expected an object with the lists 'nodes' and 'edges' (or 'links') in {path}; it has others")
    if not isinstance(data.get("graph", {}), dict):
        raise InputError(f"expected an object as 'graph' in {path}, got a {type(data['graph']).__name__}")
    _check_node_link(data, name, path=path)
    try:
        graph = nx.node_link_graph(data, edges=name, multigraph=False)
        restore_names(graph, graph.graph.pop(RENAMED, {}))
        return graph
    except (nx.NetworkXError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{path} is no node-link JSON that networkx reads: {error!r}") from None


def _check_node_link(data: dict[str, Any], name: str, *, path: Path) -> None:
    """Each node has an id of its own, and each edge leads from one of them to one of them."""
    seen = set()
    for index, node in enumerate(data["nodes"]):
        if not isinstance(node, dict) or "id" not in node:
            raise InputError(f"expected an 'id' at each node of {path}, got none at node {index} (counted from 0)")
        if not isinstance(node["id"], str | int | float):
            raise InputError(f"expected text or a number as 'id' of each node of {path}, got {shorten(json.dumps(node['id']))}")
        key = json.dumps(node["id"])
        if key in seen:
            raise InputError(f"expected nodes of different ids in {path}, got {shorten(key)} twice")
        seen.add(key)
    pairs = set()
    for index, edge in enumerate(data[name]):
        ends = [json.dumps(edge.get(end)) if isinstance(edge, dict) else "null" for end in ("source", "target")]
        strange = [end for end in ends if end not in seen]
        if strange:
            raise InputError(
                f"expected edges between the nodes of {path}, got {shorten(strange[0])} at edge {index} (counted from 0), "
                "which is none of them"
            )
        if tuple(ends) in pairs:
            raise InputError(
                f"expected one edge from a parent to a child in {path}, got parallel ones from {' to '.join(ends)}"
            )
        pairs.add(tuple(ends))
