"""GEXF: the XML form of Gephi.

A node is called by its name, where it has one. Lists and objects are JSON text (cfgraph/formats/plain.py). GEXF has no
attributes of the graph itself, so these are a JSON object in the file's ``description``. Properties that GEXF gives a
meaning of its own (``label``, ``start``, ...) get an underscore.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from cfgraph.files.whole import spool_beside, whole_file
from cfgraph.formats.elements import FLOAT, INTEGER, Batch, Columns, Elements
from cfgraph.formats.plain import (
    JSON_TEXT,
    JSON_VALUES,
    RENAMED,
    rename_attributes,
    restore_graph,
    restore_names,
    to_plain,
    unmarked,
    with_names,
)
from cfgraph.formats.xml import DECLARATION, TYPES, element_texts, encoded, opened_graph, quoted, value_texts

if TYPE_CHECKING:
    import networkx as nx

    from cfgraph.model.hierarchy import HierarchyWithCells

VERSION = "1.2draft"
WEIGHT = "weight"
SPECIAL = ("id", "label", "pid", "start", "end", "parents", "slices", "spells", "viz", "key", "networkx_key")
_NAMESPACE = f"http://www.gexf.net/{VERSION}"
_OPENING = (
    f'<gexf xmlns="{_NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    f'xsi:schemaLocation="{_NAMESPACE} {_NAMESPACE}/gexf.xsd" version="1.2">\n'
)
_INFINITE = {"inf": "INF", "-inf": "-INF", "nan": "NaN"}
Keys = Mapping[str, tuple[int, str]]  # of each attribute its number, and its kind


def write_gexf(graph: "nx.DiGraph | HierarchyWithCells | Elements", path: str | Path) -> None:
    """Write a graph as GEXF; :func:`read_gexf` reads the same graph.

    Batch by batch. GEXF wants all nodes before all edges, and these come together: edges wait in a file meanwhile.
    """
    elements = to_plain(graph)
    renamed = rename_attributes(elements.node_kinds, SPECIAL)
    elements = with_names(elements, renamed)
    keys = _numbered(elements)
    with whole_file(path) as file, spool_beside(path) as waiting:
        file.write(encoded(_head(elements, renamed, keys)))
        written, marked = 0, "name" in json.loads(elements.graph.get(JSON_VALUES, "[]"))
        for batch in elements.batches:
            file.write(encoded(_nodes(batch, keys["node"], as_json=json.loads(elements.graph[JSON_TEXT]), marked=marked)))
            waiting.write(encoded(_edges(batch, keys["edge"], first=written)))
            written += len(batch.sources)
        file.write(encoded(["    </nodes>\n    <edges>\n"]))
        waiting.seek(0)
        shutil.copyfileobj(waiting, file)
        file.write(encoded(["    </edges>\n  </graph>\n</gexf>\n"]))


def _numbered(elements: Elements) -> dict[str, Keys]:
    """The attributes of nodes and of edges, numbered; a weight that is a number has a place of its own in GEXF."""
    own_place = {WEIGHT} if elements.edge_kinds.get(WEIGHT) in (INTEGER, FLOAT) else set()
    number = count()
    return {
        "node": {name: (next(number), kind) for name, kind in elements.node_kinds.items()},
        "edge": {name: (next(number), kind) for name, kind in elements.edge_kinds.items() if name not in own_place},
    }


def _head(elements: Elements, renamed: Mapping[str, str], keys: Mapping[str, Keys]) -> Iterator[str]:
    """All that stands before the nodes: what is known of the graph, and which attributes there are."""
    yield f'{DECLARATION}{_OPENING}  <meta lastmodifieddate="{datetime.now(UTC).date()}">\n    <creator>cfgraph</creator>\n'
    described = escape(json.dumps({**elements.graph, RENAMED: renamed}))
    yield f"    <description>{described}</description>\n  </meta>\n"
    yield '  <graph defaultedgetype="directed" mode="static" name="">\n'
    for scope, numbered in keys.items():
        if numbered:
            yield f'    <attributes mode="static" class="{scope}">\n'
            for name, (number, kind) in numbered.items():
                yield f'      <attribute id="{number}" title="{quoted(name)}" type="{TYPES[kind]}" />\n'
            yield "    </attributes>\n"
    yield "    <nodes>\n"


def _nodes(batch: Batch, keys: Keys, *, as_json: Sequence[str], marked: bool) -> Iterator[str]:
    labels = zip(map(quoted, batch.nodes), map(quoted, _labels(batch, as_json, marked=marked)), strict=True)
    openings = (f'      <node id="{node}" label="{label}">\n        <attvalues>\n' for node, label in labels)
    return _filled(openings, batch.of_nodes, keys, closing="        </attvalues>\n      </node>\n")


def _labels(batch: Batch, as_json: Sequence[str], *, marked: bool) -> Iterator[Any]:
    """What each node is called: its name, where that can be shown, else itself."""
    names = batch.of_nodes.get("name") or [None] * len(batch.nodes)
    if "name" in as_json:
        names = [None if name is None else json.loads(name) for name in names]
    elif marked:
        names = [unmarked(name) for name in names]
    return (name if _is_label(name) else node for node, name in zip(batch.nodes, names, strict=True))


def _edges(batch: Batch, keys: Keys, *, first: int) -> Iterator[str]:
    ends = zip(count(first), map(quoted, batch.sources), map(quoted, batch.targets), _weights(batch, keys), strict=False)
    openings = (
        f'      <edge source="{source}" target="{target}" id="{number}"{weight}>\n        <attvalues>\n'
        for number, source, target, weight in ends
    )
    return _filled(openings, batch.of_edges, keys, closing="        </attvalues>\n      </edge>\n")


def _weights(batch: Batch, keys: Keys) -> list[str]:
    """What stands in each edge for its weight, where this is none of the other attributes."""
    if WEIGHT in keys or WEIGHT not in batch.of_edges:
        return [""] * len(batch.sources)
    return ["" if text is None else f' weight="{text}"' for text in _numbers(batch.of_edges[WEIGHT])]


def _filled(openings: Iterator[str], columns: Columns, keys: Keys, *, closing: str) -> Iterator[str]:
    shown = {name: key for name, key in keys.items() if name in columns}
    texts = {
        name: _numbers(columns[name]) if kind == FLOAT else value_texts(columns[name], kind=kind, attribute=True)
        for name, (_, kind) in shown.items()
    }
    around = {name: (f'          <attvalue for="{number}" value="', '" />\n') for name, (number, _) in shown.items()}
    return element_texts(openings, texts, around=around, closing=closing)


def _numbers(column: Sequence[float | None]) -> list[str | None]:
    """Numbers as GEXF has them, which calls infinities by names of its own."""
    texts = value_texts(column, kind=FLOAT)
    return [None if text is None else _INFINITE.get(text, text) for text in texts]


def read_gexf(path: str | Path, *, large: bool = False) -> "nx.Graph":
    """The graph in a file that :func:`write_gexf` wrote, or in any other GEXF file, then as networkx reads it.

    ``large`` lifts the limits of :mod:`cfgraph.files.opened`.

    Raises:
        InputError: for a file that is none.
    """
    import networkx as nx

    with opened_graph(path, form="GEXF", large=large) as file:
        graph = nx.read_gexf(file.rewound())
        described = _description(file.rewound())
    if described is None:
        return graph
    renamed = described.pop(RENAMED)
    for _, values in graph.nodes(data=True):
        values.pop("label", None)
    for *_, values in graph.edges(data=True):
        values.pop("id", None)
    restore_names(graph, renamed)
    graph.graph = described
    return restore_graph(graph)


def _is_label(name: Any) -> bool:
    return isinstance(name, str) and name.isprintable()


def _description(file: BinaryIO) -> dict[str, Any] | None:
    """The graph's own attributes; None in a file of others."""
    names = [f"{{http://www.gexf.net/{VERSION}}}{name}" for name in ("meta", "description")]
    found = ElementTree.parse(file).getroot().findtext("/".join(names))
    try:
        described = json.loads(found or "")
    except ValueError:
        return None
    return described if isinstance(described, dict) and isinstance(described.get(RENAMED), dict) else None
