"""GEXF: the XML form of Gephi.

A node is called by its name, where it has one. Lists and objects are JSON text (cfgraph/formats/plain.py). GEXF has no
attributes of the graph itself, so these are a JSON object in the file's ``description``. Properties that GEXF gives a
meaning of its own (``label``, ``start``, ...) get an underscore.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from cfgraph.errors import InputError
from cfgraph.files.whole import whole_file
from cfgraph.formats.plain import RENAMED, plain_graph, rename_attributes, restore_graph, restore_names

if TYPE_CHECKING:
    import networkx as nx

VERSION = "1.2draft"
SPECIAL = ("id", "label", "pid", "start", "end", "parents", "slices", "spells", "viz", "key", "networkx_key")


def write_gexf(graph: "nx.DiGraph", path: str | Path) -> None:
    """Write the graph as GEXF; :func:`read_gexf` reads the same graph."""
    from networkx.readwrite.gexf import GEXFWriter

    plain = plain_graph(graph)
    renamed = rename_attributes(plain, SPECIAL)
    labels = {node: values["name"] for node, values in graph.nodes(data=True) if _is_label(values.get("name"))}
    for node, label in labels.items():
        plain.nodes[node]["label"] = label
    described, plain.graph = {**plain.graph, RENAMED: renamed}, {}
    writer = GEXFWriter(version=VERSION)
    meta = writer.xml.find("meta")
    ElementTree.SubElement(meta, "description").text = json.dumps(described)
    writer.add_graph(plain)
    with whole_file(path) as file:
        writer.write(file)


def read_gexf(path: str | Path) -> "nx.DiGraph":
    """The graph in a file that :func:`write_gexf` wrote, or in any other GEXF file, then as networkx reads it.

    Raises:
        InputError: for a file that is none.
    """
    import networkx as nx

    try:
        graph = nx.read_gexf(path)
        described = _description(path)
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except (ElementTree.ParseError, nx.NetworkXError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{str(path)!r} is no GEXF file: {error}") from error
    if described is None:
        return graph
    renamed = described.pop(RENAMED)
    for *_, values in [*graph.nodes(data=True), *graph.edges(data=True)]:
        for name in ("id", "label"):
            values.pop(name, None)
    restore_names(graph, renamed)
    graph.graph = described
    return restore_graph(graph)


def _is_label(name: Any) -> bool:
    return isinstance(name, str) and name.isprintable()


def _description(path: str | Path) -> dict[str, Any] | None:
    """The graph's own attributes; None in a file of others."""
    names = [f"{{http://www.gexf.net/{VERSION}}}{name}" for name in ("meta", "description")]
    found = ElementTree.parse(path).getroot().findtext("/".join(names))
    try:
        described = json.loads(found or "")
    except ValueError:
        return None
    return described if isinstance(described, dict) and isinstance(described.get(RENAMED), dict) else None
