"""Graph files: GraphML, GEXF, GML and node-link JSON as networkx graphs, with errors that say what is wrong with them."""

import codecs
import json
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cfgraph.errors import InputError, one_line
from cfgraph.files.opened import opened, suffix_of, unchanged
from cfgraph.files.recognised import HEAD, check_signature, recognise
from cfgraph.files.texts import JSON_TIMES, XML_TIMES, count_line_ends, read_text, shorten
from cfgraph.formats.gexf import read_gexf
from cfgraph.formats.graphml import JSON_TEXT, restore_graphml
from cfgraph.formats.plain import RENAMED, restore_names
from cfgraph.formats.xml import check_entities

if TYPE_CHECKING:
    import networkx as nx

EXPORTED = {"id", "origin", "dimension", "recipe"}  # what the graph of an export tells of itself
NESTED = "nested"  # the attribute of edges that come from nodes inside of others
_KINDS = ("graphml", "gexf", "gml", "node-link")  # that are read where the file's name says so
NOTES = "cfgraph_notes"  # that of the graph which holds what its reader has to say
_GRAPH_TAG = re.compile(r"<(?:[\w.-]+:)?graph[\s>]")  # of GraphML
_DECLARED = re.compile(rb"""\s*<\?xml[^>]*?\bencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']""")
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read_networkx(path: Path, *, large: bool) -> "nx.Graph":
    """The graph in a .graphml (or .xml) file, a .gexf, a .gml or a node-link .json.

    Raises:
        InputError: for a file of another form or a damaged one.
    """
    readers = {
        ".graphml": _read_graphml,
        ".xml": _read_graphml,
        ".json": _read_node_link,
        ".gexf": _read_gexf,
        ".gml": _read_gml,
    }
    reader = readers.get(suffix_of(path))
    if reader is None:
        with opened(path, expected="a graph", large=large) as file:
            found = recognise(file.rewound().read(HEAD))
        if found is not None and found.certain and found.kind not in _KINDS:
            raise found.error(path, expected="a graph as GraphML, GEXF, GML or JSON")
        raise InputError(f"expected a graph in a file that ends in .graphml, .gexf, .gml or .json, got {path}")
    with unchanged(path):  # some formats are read twice
        return reader(path, large=large)


def how_to_direct(path: Path) -> str:
    """What makes the edges of a file directed ones."""
    said = {
        ".json": '"directed": true beside the nodes',
        ".gexf": 'defaultedgetype="directed" at its graph',
        ".gml": "directed 1 in its graph",
    }
    return said.get(suffix_of(path), 'edgedefault="directed" at its graph')


def is_exported(graph: "nx.Graph") -> bool:
    """Whether a graph says that cfgraph exported it."""
    return graph.graph.keys() >= EXPORTED


def labels_as_names(graph: "nx.Graph") -> "nx.Graph":
    """The graph of others' files, where a node's label is its name unless it has a name of its own."""
    if is_exported(graph):
        return graph
    for _, values in graph.nodes(data=True):
        label = values.get("label")
        if label is None or label == "":
            values.pop("label", None)
        elif "name" not in values and isinstance(label, str | int | float):
            values["name"] = str(values.pop("label")).strip()
            if not values["name"]:
                del values["name"]
    return graph


def _read_graphml(path: Path, *, large: bool) -> "nx.Graph":
    """The graph in a GraphML file, with the defaults that the file gives its nodes and edges."""
    from xml.etree.ElementTree import ParseError

    import networkx as nx

    text = _xml_text(path, expected="a graph as GraphML", large=large)
    inside: dict[str, Inside] = {}
    try:
        text = _without_declaration(text)
        if len(_GRAPH_TAG.findall(text)) > 1:  # networkx reads the first, without those inside its nodes
            text, inside = _flattened(text, path=path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of drawing details that no hierarchy has
            graph = nx.parse_graphml(text)
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
    graph = labels_as_names(restore_graphml(graph) if JSON_TEXT in graph.graph else graph)
    if not inside:
        return graph
    for node, (parent, label) in inside.items():
        values = graph.nodes[node]
        values |= {"pid": parent} if parent is not None else {}
        if label and "name" not in values:
            values["name"] = label
    return _unnested(graph, path=path)


class Inside(NamedTuple):
    """Of a node of graphs in graphs: the node whose graph it lies in, and, of one that holds a graph, what yEd writes on it."""

    parent: str | None
    label: str | None


def _flattened(text: str, *, path: Path) -> tuple[str, dict[str, Inside]]:
    """GraphML with the nodes and edges of graphs inside of nodes in the one around them, and what lay where."""
    from xml.etree import ElementTree

    root = ElementTree.fromstring(text)
    space = root.tag[: root.tag.find("}") + 1]
    graphs = root.findall(f"{space}graph")
    if len(graphs) != 1:
        raise InputError(f"{path} holds {len(graphs):,} graphs side by side, and a hierarchy is one: keep one")
    top, found = graphs[0], dict[str, Inside]()
    waiting: list[tuple[str | None, ElementTree.Element]] = [(None, top)]
    while waiting:
        parent, graph = waiting.pop()
        for node in graph.findall(f"{space}node"):
            inner = node.findall(f"{space}graph")
            node.attrib.pop("yfiles.foldertype", None)  # for which networkx looks for a graph inside
            for below in inner:
                node.remove(below)
                waiting.append((node.attrib["id"], below))
            if inner or parent is not None:
                labels = ((one.text or "").strip() for one in node.iter() if one.tag.endswith("}NodeLabel"))
                found[node.attrib["id"]] = Inside(parent, next(filter(None, labels), None) if inner else None)
        if graph is not top:
            top.extend(one for one in graph if one.tag in (f"{space}node", f"{space}edge", f"{space}hyperedge"))
    return ElementTree.tostring(root, encoding="unicode"), found


def _xml_text(path: Path, *, expected: str, large: bool) -> str:
    """The text of an XML file in the encoding that it declares, or that its mark tells, else UTF-8."""
    with opened(path, expected=expected, large=large) as file:
        check_signature(file.rewound().read(HEAD), path, expected=expected)
        file.check_fits(XML_TIMES * file.size)
        content = file.rewound().read()
    check_entities(content, path=path, large=large)
    mark = next((name for sign, name in _MARKS.items() if content.startswith(sign)), None)
    declared = _DECLARED.match(content[:400])
    encoding = mark or (declared[1].decode() if declared else "utf-8")
    try:
        text = content.decode(encoding)
    except LookupError:
        raise InputError(
            f"{path} says that it is in {shorten(encoding)}, which is no known encoding; save it in UTF-8"
        ) from None
    except UnicodeDecodeError as error:
        line = count_line_ends(content, error.start) + 1
        raise InputError(
            f"expected {expected} in {encoding.upper()}, got byte {content[error.start]:#04x} in line {line} of {path}; XML "
            "says its encoding in its first line, else it is UTF-8"
        ) from None
    if (place := text.find("\0")) >= 0:
        line = count_line_ends(text, place) + 1
        raise InputError(f"expected {expected}, got a zero byte in line {line} of {path}, which no text holds")
    if not text or text.isspace():
        raise InputError(f"{path} is empty; expected {expected}")
    return text


def _without_declaration(text: str) -> str:
    """The XML without its first line on encodings, which is not to be said of text that is decoded."""
    text = text.lstrip("\ufeff")
    return text.partition("?>")[2] if text.startswith("<?xml") else text


def _read_gexf(path: Path, *, large: bool) -> "nx.Graph":
    """The graph in a GEXF file; a node's label is its name, and a node inside of another hangs under it."""
    _xml_text(path, expected="a graph as GEXF", large=large)
    graph = read_gexf(path, large=large)
    if is_exported(graph):
        return graph
    for node, values in graph.nodes(data=True):
        if values.get("label") == node:
            del values["label"]
    return labels_as_names(_unnested(graph, path=path))


def _unnested(graph: "nx.Graph", *, path: Path) -> "nx.Graph":
    """The graph with edges from each node to those inside of it, which ``pid``, ``<parents>`` and nested ``<nodes>`` tell."""
    import networkx as nx

    pairs = []
    for node, values in graph.nodes(data=True):
        above = [values.pop("pid", None), *(values.pop("parents", None) or [])]
        pairs += [(parent, node) for parent in dict.fromkeys(above) if parent is not None]
    if not pairs:
        return graph
    strange = next((parent for parent, _ in pairs if parent not in graph), None)
    if strange is not None:
        raise InputError(f"expected nodes of {path} as parents of others, got {shorten(str(strange))!r}, which is none")
    notes = [f"{len(pairs):,} nodes lie inside of others and hang under them"]
    if not graph.is_directed():
        if graph.number_of_edges():
            notes.append(f"{graph.number_of_edges():,} undirected edges beside that were left out")
        directed: nx.DiGraph = nx.DiGraph()
        directed.graph |= graph.graph
        directed.add_nodes_from(graph.nodes(data=True))
        graph = directed
    graph.add_edges_from(pair for pair in pairs if not graph.has_edge(*pair))
    graph.graph[NOTES] = notes
    return graph


def _read_gml(path: Path, *, large: bool) -> "nx.Graph":
    """The graph in a GML file, its nodes by id; a label is a name."""
    import networkx as nx

    text = read_text(path, expected="a graph as GML", times=XML_TIMES, large=large)
    try:
        try:
            graph = _parse_gml(text)
        except nx.NetworkXError as error:
            if "duplicated" not in str(error):
                raise
            graph = _parse_gml(re.sub(r"(?m)^(\s*graph\s*\[)", r"\1 multigraph 1", text, count=1))
    except RecursionError:
        raise InputError(f"{path} is nested too deeply to be GML") from None
    except (nx.NetworkXError, LookupError, ValueError, AttributeError, TypeError) as error:
        raise InputError(f"{path} is no GML that networkx reads: {one_line(error)[:200]}") from None
    return labels_as_names(graph)


def _parse_gml(text: str) -> "nx.Graph":
    import networkx as nx

    parse: Any = nx.parse_gml  # its stubs know no labels of None
    return parse(text, label=None)


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
        raise InputError(_other_json(data, path=path))
    if not isinstance(data.get("graph", {}), dict):
        raise InputError(f"expected an object as 'graph' in {path}, got a {type(data['graph']).__name__}")
    edges = _checked_edges(data, name, path=path)
    try:
        graph = nx.node_link_graph({**data, name: edges, "multigraph": False}, edges=name)
        restore_names(graph, graph.graph.pop(RENAMED, {}))
    except (nx.NetworkXError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{path} is no node-link JSON that networkx reads: {error!r}") from None
    if len(edges) < len(data[name]):
        graph.graph[NOTES] = [parallel_note(len(data[name]) - len(edges), len(data[name]))]
    return labels_as_names(graph)


def parallel_note(parallel: int, count: int) -> str:
    """What is said of edges that lead where another does."""
    return f"{parallel:,} of {count:,} edges lead from a node to where an earlier one does, and were left out"


def _other_json(data: Any, *, path: Path) -> str:
    """What is said of JSON that is no node-link, with the command that reads it where there is one."""
    expected = f"expected an object with the lists 'nodes' and 'edges' (or 'links') in {path}"
    if isinstance(data, dict) and "children" in data:
        return f"{expected}, got a nested tree; read it with: cfgraph ingest tree {path}"
    if isinstance(data, dict) and isinstance(data.get("graphs"), list):
        return f"{expected}, got an ontology (obographs); read it with: cfgraph ingest edges {path}"
    return f"{expected}; it has others"


def _checked_edges(data: dict[str, Any], name: str, *, path: Path) -> list[dict[str, Any]]:
    """The edges, those left out that repeat another; each leads from a node to a node, and each node has an id of its own."""
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
    edges = dict[tuple[str, ...], dict[str, Any]]()
    for index, edge in enumerate(data[name]):
        ends = [json.dumps(edge.get(end)) if isinstance(edge, dict) else "null" for end in ("source", "target")]
        strange = [end for end in ends if end not in seen]
        if strange:
            raise InputError(
                f"expected edges between the nodes of {path}, got {shorten(strange[0])} at edge {index} (counted from 0), "
                "which is none of them"
            )
        kept = {key: value for key, value in edge.items() if key != "key"} if data.get("multigraph") else edge
        edges.setdefault(tuple(ends), kept)
    return list(edges.values())
