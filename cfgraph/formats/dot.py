"""DOT: the language of Graphviz, to draw with; written piece by piece, in the breadth-first order of the cells.

A node is called by its address; its ``label`` is its name, where it has one. An edge's ``len`` is its length, which ``neato``
and ``sfdp`` draw by; edges from second parents are dashed, and do not pull a cell's level in ``dot``. Centers in the plane
are ``pos``, where ``neato -n`` puts the nodes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cfgraph.files.whole import whole_file

if TYPE_CHECKING:
    from cfgraph.model.hierarchy import HierarchyWithCells

PIECE = 10_000  # lines that are written at once


def write_dot(hierarchy: "HierarchyWithCells", path: str | Path) -> None:
    """Write a hierarchy that holds its cells as a DOT digraph."""
    with whole_file(path) as file:
        lines = []
        for line in format_dot(hierarchy):
            lines.append(line)
            if len(lines) == PIECE:
                file.write("\n".join([*lines, ""]).encode("utf-8", "replace"))
                lines = []
        file.write("\n".join([*lines, ""]).encode("utf-8", "replace"))


def format_dot(hierarchy: "HierarchyWithCells") -> Iterator[str]:
    """The lines of the digraph."""
    cells = hierarchy.cells
    yield f"digraph {quote(hierarchy.id)} {{"
    yield "node [shape=box];" if cells.names else "node [shape=point];"
    yield from _nodes(hierarchy)
    yield from _edges(hierarchy)
    yield "}"


def _nodes(hierarchy: "HierarchyWithCells") -> Iterator[str]:
    cells = hierarchy.cells
    names = cells.names or [None] * len(cells)
    places = cells.center.tolist() if cells.dimension == 2 else [None] * len(cells)
    for address, name, place in zip(cells.addresses, names, places, strict=True):
        attributes = [] if name is None else [f"label={quote(str(name))}"]
        attributes += [] if place is None else [f'pos="{place[0]!r},{place[1]!r}"']
        yield f"{quote(address)} [{', '.join(attributes)}];" if attributes else f"{quote(address)};"


def _edges(hierarchy: "HierarchyWithCells") -> Iterator[str]:
    cells, names = hierarchy.cells, [quote(address) for address in hierarchy.cells.addresses]
    rows = zip(cells.parent.tolist(), cells.length.tolist(), strict=True)
    for child, (parent, length) in enumerate(rows):
        if parent >= 0:
            told = "" if hierarchy.virtual_root and parent == 0 else f" [len={length!r}]"
            yield f"{names[parent]} -> {names[child]}{told};"
    if cells.links is None:
        return
    for parent, child, length in zip(
        *(c.tolist() for c in (cells.links.parent, cells.links.child, cells.links.length)), strict=True
    ):
        yield f"{names[parent]} -> {names[child]} [len={length!r}, style=dashed, constraint=false];"


def quote(text: str) -> str:
    """A text between quotes, such that Graphviz shows it as it is: backslashes mean something in its labels."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")
    return f'"{escaped}"'.replace("\0", "\ufffd")
