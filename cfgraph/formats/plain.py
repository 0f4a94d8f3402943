"""Plain attributes: a graph whose attributes XML holds as they are, and back.

XML formats have numbers, truth values and text, a type for all values of a name. So an attribute that is a list or an object
somewhere (``center``, ``residual``, ``recipe``, ...), has values of several types, or text that XML would not give back as it
was, is written as *JSON text*: ``"[0.5, -1.25]"``. The graph's attribute ``json_text`` names those attributes.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cfgraph.errors import InputError

if TYPE_CHECKING:
    import networkx as nx

RENAMED = "renamed"  # the graph attribute that holds the names that were changed
JSON_TEXT = "json_text"  # the graph attribute that names the attributes written as JSON text
# No characters of XML, or such as its readers change: carriage returns become line feeds, and blanks around may go.
_LOST = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]|^\\s|\\s$|^$")


def plain_graph(graph: "nx.DiGraph") -> "nx.DiGraph":
    """A copy of the graph with plain attributes, and ``json_text``."""
    import networkx as nx

    told = _told_as_json(graph)
    plain = nx.DiGraph(**_plain(graph.graph, told), **{JSON_TEXT: json.dumps(sorted(told))})
    plain.add_nodes_from((node, _plain(values, told)) for node, values in graph.nodes(data=True))
    plain.add_edges_from((parent, child, _plain(values, told)) for parent, child, values in graph.edges(data=True))
    return plain


def restore_graph(graph: "nx.DiGraph") -> "nx.DiGraph":
    """The graph itself, its attributes as they were before :func:`plain_graph`; as they are where there is no ``json_text``."""
    told = set(json.loads(graph.graph.pop(JSON_TEXT, "[]")))
    for values in _attributes(graph):
        values |= {name: json.loads(values[name]) for name in told & values.keys()}
    return graph


def rename_attributes(graph: "nx.DiGraph", special: Iterable[str]) -> dict[str, str]:
    """Give the nodes' attributes that a format takes for something else an underscore: the new names, and the old ones."""
    taken = {name for _, values in graph.nodes(data=True) for name in values}
    renamed = {}
    for name in sorted(taken.intersection(special)):
        new = f"{name}_"
        while new in taken:
            new += "_"
        taken.add(new)
        renamed[new] = name
    restore_names(graph, {name: new for new, name in renamed.items()})
    return renamed


def restore_names(graph: "nx.DiGraph", renamed: Mapping[str, str]) -> None:
    """Give the nodes' attributes their old names again."""
    for _, values in graph.nodes(data=True):
        for new in renamed.keys() & values.keys():
            values[renamed[new]] = values.pop(new)


def json_text(value: Any) -> str:
    """A value as JSON, which has no infinities: an ``InputError`` for one."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError as error:
        raise InputError(f"JSON has no infinite numbers, and an attribute is one ({error}); use parquet or csv") from error


def _attributes(graph: "nx.DiGraph") -> Iterator[dict[str, Any]]:
    """The attributes of the graph itself, of every node and of every edge."""
    yield graph.graph
    yield from (values for _, values in graph.nodes(data=True))
    yield from (values for *_, values in graph.edges(data=True))


def _told_as_json(graph: "nx.DiGraph") -> set[str]:
    """The names of the attributes that are written as JSON text."""
    told, kinds = set(), dict[str, type]()
    for values in _attributes(graph):
        for name, value in values.items():
            kind = kinds.setdefault(name, type(value))
            if kind is not type(value) or kind not in (int, float, bool, str) or (kind is str and _LOST.search(value)):
                told.add(name)
    return told


def _plain(values: dict[str, Any], told: set[str]) -> dict[str, Any]:
    return {name: json_text(value) if name in told else value for name, value in values.items()}
