"""DOT: the language of Graphviz, to draw with; written piece by piece, in the order in which the cells come.

A node is called by its address; its ``label`` is its name, where it has one. An edge's ``len`` is its length, which ``neato``
and ``sfdp`` draw by; edges from second parents are dashed, and do not pull a cell's level in ``dot``. Centers in the plane
are ``pos``, where ``neato -n`` puts the nodes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cfgraph.files.whole import whole_file
from cfgraph.formats.elements import Batch, Elements, elements_of_cells
from cfgraph.visible import visible

if TYPE_CHECKING:
    from cfgraph.model.hierarchy import HierarchyWithCells


def write_dot(hierarchy: "HierarchyWithCells | Elements", path: str | Path) -> None:
    """Write a hierarchy that holds its cells, or the elements of one, as a DOT digraph."""
    elements = hierarchy if isinstance(hierarchy, Elements) else _elements(hierarchy)
    with whole_file(path) as file:
        for lines in _pieces(elements):
            file.write("".join(f"{line}\n" for line in lines).encode())


def _elements(hierarchy: "HierarchyWithCells") -> Elements:
    return elements_of_cells(hierarchy.cells, hierarchy=hierarchy)


def _pieces(elements: Elements) -> Iterator[Iterator[str] | list[str]]:
    """The lines of the digraph, those of a batch at a time."""
    shape = "box" if "name" in elements.node_kinds else "point"
    yield [f"digraph {quote(elements.graph['id'])} {{", f"node [shape={shape}];"]
    for batch in elements.batches:
        yield _nodes(batch, plane=elements.graph["dimension"] == 2)
        yield _edges(batch)
    yield ["}"]


def _nodes(batch: Batch, *, plane: bool) -> Iterator[str]:
    missing = [None] * len(batch.nodes)
    names, places = batch.of_nodes.get("name", missing), batch.of_nodes["center"] if plane and batch.nodes else missing
    for address, name, place in zip(batch.nodes, names, places, strict=True):
        attributes = [] if name is None else [f"label={quote(str(name))}"]
        attributes += [] if place is None else [f'pos="{place[0]!r},{place[1]!r}"']
        yield f"{quote(address)} [{', '.join(attributes)}];" if attributes else f"{quote(address)};"


def _edges(batch: Batch) -> Iterator[str]:
    lengths = batch.of_edges.get("length", [None] * len(batch.sources))
    primary = batch.of_edges.get("primary", [None] * len(batch.sources))
    for source, target, length, first in zip(batch.sources, batch.targets, lengths, primary, strict=True):
        attributes = [] if length is None else [f"len={length!r}"]
        attributes += ["style=dashed", "constraint=false"] if first is False else []
        yield f"{quote(source)} -> {quote(target)}" + (f" [{', '.join(attributes)}];" if attributes else ";")


def quote(text: str) -> str:
    """A text between quotes, such that Graphviz shows it as it is: backslashes mean something in its labels."""
    shown = visible(text.replace("\r\n", "\n").replace("\r", "\n"), lines=True)  # what Graphviz draws may be XML
    escaped = shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
