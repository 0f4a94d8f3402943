"""Plain attributes: a graph whose attributes XML holds as they are, and back.

XML formats have numbers, truth values and text, a type for all values of a name. So an attribute that is a list or an object
somewhere (``center``, ``residual``, ``recipe``, ...), or has values of several types, is written as *JSON text*:
``"[0.5, -1.25]"``. The graph's attribute ``json_text`` names those attributes. Where some texts of an attribute are such as XML
would not give back as they were (control characters, blanks around, nothing at all), these alone are written as JSON text,
behind the mark ``json:``, and so is a text that begins with the mark; the graph's attribute ``json_values`` names those.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from cfgraph.errors import InputError
from cfgraph.formats.elements import (
    BATCH_CELLS,
    JSON,
    KIND_OF_TYPE,
    STRING,
    VECTOR,
    Batch,
    Columns,
    Elements,
    elements_of_cells,
)
from cfgraph.model.hierarchy import Hierarchy

if TYPE_CHECKING:
    import networkx as nx

RENAMED = "renamed"  # the graph attribute that holds the names that were changed
JSON_TEXT = "json_text"  # the graph attribute that names the attributes written as JSON text
JSON_VALUES = "json_values"  # that of those some of whose values are, behind a mark
_MARK = "json:"
# No characters of XML, or such as its readers change: carriage returns become line feeds, and blanks around may go.
_LOST = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]|^\\s|\\s$|^$")


def to_plain(graph: "nx.DiGraph | Hierarchy | Elements") -> Elements:
    """The plain elements of a networkx graph, of a hierarchy that holds its cells, or of what goes through one."""
    if isinstance(graph, Elements):
        return plain_elements(graph)
    if isinstance(graph, Hierarchy):
        return plain_elements(elements_of_cells(graph.require_cells().cells, hierarchy=graph))
    return elements_of_graph(graph)


def plain_elements(elements: Elements) -> Elements:
    """The same elements with plain attributes, and ``json_text`` among those of the graph."""
    as_json, marked = _json_names_of_elements(elements)
    node_kinds, edge_kinds = (
        {name: STRING if name in as_json else kind for name, kind in kinds.items()}
        for kinds in (elements.node_kinds, elements.edge_kinds)
    )
    plain = partial(_plain_batch, elements, as_json, marked)
    return Elements(
        graph={**_plain(elements.graph, as_json), **_told(as_json, marked)},
        node_kinds=node_kinds,
        edge_kinds=edge_kinds,
        batches=map(plain, elements.batches),
    )


def elements_of_graph(graph: "nx.DiGraph") -> Elements:
    """The elements of a networkx graph, whatever attributes it has, as plain ones: there is no other way to tell None."""
    as_json, marked = _json_names_of_graph(graph)
    node_kinds, edge_kinds = (
        _kinds_in((values for *_, values in attributes), as_json)
        for attributes in (graph.nodes(data=True), graph.edges(data=True))
    )
    return Elements(
        graph={**_plain(graph.graph, as_json), **_told(as_json, marked)},
        node_kinds=node_kinds,
        edge_kinds=edge_kinds,
        batches=_graph_batches(graph, as_json, marked, node_names=list(node_kinds), edge_names=list(edge_kinds)),
    )


def restore_graph(graph: "nx.Graph") -> "nx.Graph":
    """The graph itself, its attributes as before they were made plain; as they are where there is no ``json_text``."""
    as_json = set(json.loads(graph.graph.pop(JSON_TEXT, "[]")))
    marked = set(json.loads(graph.graph.pop(JSON_VALUES, "[]")))
    for values in _attributes(graph):
        values |= {name: json.loads(values[name]) for name in as_json & values.keys()}
        if values is not graph.graph:
            values |= {name: unmarked(values[name]) for name in marked & values.keys()}
    return graph


def unmarked(value: Any) -> Any:
    """A text of an attribute some of whose values are JSON text, as it was."""
    return json.loads(value[len(_MARK) :]) if isinstance(value, str) and value.startswith(_MARK) else value


def _marked(value: str) -> str:
    return _MARK + json_text(value) if _needs_mark(value) else value


def _needs_mark(value: str) -> bool:
    return _LOST.search(value) is not None or value.startswith(_MARK)


def _told(as_json: set[str], marked: set[str]) -> dict[str, str]:
    """What the graph says of how its attributes are written."""
    told = {JSON_TEXT: json.dumps(sorted(as_json))}
    return told | ({JSON_VALUES: json.dumps(sorted(marked))} if marked else {})


def rename_attributes(names: Iterable[str], special: Iterable[str]) -> dict[str, str]:
    """New names, with an underscore, for those attributes that a format takes for something else: the old ones by the new."""
    taken, renamed = set(names), {}
    for name in sorted(taken.intersection(special)):
        new = f"{name}_"
        while new in taken:
            new += "_"
        taken.add(new)
        renamed[new] = name
    return renamed


def with_names(elements: Elements, renamed: Mapping[str, str]) -> Elements:
    """The same elements, with the nodes' attributes under their new names."""
    new = {old: name for name, old in renamed.items()}
    return replace(
        elements,
        node_kinds=_named(elements.node_kinds, new),
        batches=(replace(batch, of_nodes=_named(batch.of_nodes, new)) for batch in elements.batches),
    )


def restore_names(graph: "nx.Graph", renamed: Mapping[str, str]) -> None:
    """Give the nodes' attributes their old names again."""
    for _, values in graph.nodes(data=True):
        for new in renamed.keys() & values.keys():
            values[renamed[new]] = values.pop(new)


def json_text(value: Any) -> str:
    """A value as JSON, which has no infinities: an ``InputError`` for one."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError as error:
        raise InputError(
            f"JSON has neither infinite numbers nor not-a-number, and an attribute holds one ({error}); use parquet or csv"
        ) from error


def _named(columns: Mapping[str, Any], new: Mapping[str, str]) -> dict[str, Any]:
    return {new.get(name, name): column for name, column in columns.items()}


def _json_names_of_elements(elements: Elements) -> tuple[set[str], set[str]]:
    """The names of the attributes that are written as JSON text, and of those some of whose values are."""
    as_json, marked, kinds = set[str](), set[str](), dict[str, set[str]]()
    for name, value in elements.graph.items():
        kinds.setdefault(name, set()).add(KIND_OF_TYPE.get(type(value), JSON))
        as_json |= {name} if isinstance(value, str) and _LOST.search(value) else set()
    for name, kind in [*elements.node_kinds.items(), *elements.edge_kinds.items()]:
        kinds.setdefault(name, set()).add(kind)
    for columns in elements.texts():
        marked |= {name for name, column in columns.items() if any(_needs_mark(value) for value in column if value is not None)}
    as_json |= {name for name, found in kinds.items() if len(found) > 1 or found & {JSON, VECTOR}}
    return as_json, marked - as_json


def _plain_batch(elements: Elements, as_json: set[str], marked: set[str], batch: Batch) -> Batch:
    of_nodes = _plain_columns(batch.of_nodes, elements.node_kinds, as_json, marked)
    return replace(batch, of_nodes=of_nodes, of_edges=_plain_columns(batch.of_edges, elements.edge_kinds, as_json, marked))


def _plain_columns(columns: Columns, kinds: Mapping[str, str], as_json: set[str], marked: set[str]) -> Columns:
    """The columns that have a kind, those that are told as JSON as text, and marked values of others."""
    plain = {
        name: _plain_column(columns[name], kind, as_json=name in as_json) for name, kind in kinds.items() if name in columns
    }
    for name in marked & plain.keys():
        plain[name] = [_marked(value) if isinstance(value, str) else value for value in plain[name]]
    return plain


def _plain_column(column: Sequence[Any], kind: str, *, as_json: bool) -> Sequence[Any]:
    if kind == VECTOR:
        return _vector_texts(column)
    return [None if value is None else json_text(value) for value in column] if as_json else column


def _vector_texts(column: Sequence[list[float] | None]) -> list[str | None]:
    """Each vector as JSON text: all at once, and then taken apart, which is several times as fast as one by one."""
    known = [vector for vector in column if vector is not None]
    texts = iter(json_text(known)[1:-1].replace("], [", "]\n[").split("\n"))
    return [None if vector is None else next(texts) for vector in column]


def _kinds_in(rows: Iterable[Mapping[str, Any]], as_json: set[str]) -> dict[str, str]:
    kinds = dict[str, str]()
    for values in rows:
        for name, value in values.items():
            if name not in kinds:
                kinds[name] = STRING if name in as_json else KIND_OF_TYPE[type(value)]
    return kinds


def _graph_batches(
    graph: "nx.DiGraph", as_json: set[str], marked: set[str], *, node_names: Sequence[str], edge_names: Sequence[str]
) -> Iterator[Batch]:
    nodes, edges = iter(graph.nodes(data=True)), iter(graph.edges(data=True))
    while some := list(islice(nodes, BATCH_CELLS)):
        yield Batch(
            [node for node, _ in some], _columns([values for _, values in some], as_json, marked, node_names), [], [], {}
        )
    while some := list(islice(edges, BATCH_CELLS)):
        sources, targets, values = zip(*some, strict=True)
        yield Batch([], {}, sources, targets, _columns(values, as_json, marked, edge_names))


def _columns(rows: Sequence[Mapping[str, Any]], as_json: set[str], marked: set[str], names: Sequence[str]) -> Columns:
    plain = [_plain(values, as_json) for values in rows]
    columns = {name: [values.get(name) for values in plain] for name in names}
    for name in marked & columns.keys():
        columns[name] = [_marked(value) if isinstance(value, str) else value for value in columns[name]]
    return columns


def _attributes(graph: "nx.Graph") -> Iterator[dict[str, Any]]:
    """The attributes of the graph itself, of every node and of every edge."""
    yield graph.graph
    yield from (values for _, values in graph.nodes(data=True))
    yield from (values for *_, values in graph.edges(data=True))


def _json_names_of_graph(graph: "nx.DiGraph") -> tuple[set[str], set[str]]:
    """The names of the attributes that are written as JSON text, and of those some of whose values are."""
    as_json, marked, kinds = set[str](), set[str](), dict[str, type]()
    for values in _attributes(graph):
        for name, value in values.items():
            kind = kinds.setdefault(name, type(value))
            if kind is not type(value) or kind not in (int, float, bool, str):
                as_json.add(name)
            elif isinstance(value, str) and _needs_mark(value):
                (as_json if values is graph.graph else marked).add(name)
    return as_json, marked - as_json


def _plain(values: Mapping[str, Any], as_json: set[str]) -> dict[str, Any]:
    return {name: json_text(value) if name in as_json else value for name, value in values.items()}
