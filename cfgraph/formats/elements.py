"""Elements: a hierarchy as nodes and edges with attributes, batch by batch: what networkx and the formats of graphs hold of it.

A node is a cell, named by its address; its attributes are the columns of cells, whichever there are, and the source's own. An
edge leads from a parent to its child. The batches come from memory, in breadth-first order, or from pages of the store, in
the order of the keys, so that a hierarchy of any size can be written.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from cfgraph.errors import DamagedError
from cfgraph.model.address import ROOT
from cfgraph.model.cells import STATE_NAMES, Cells, Links
from cfgraph.model.columns import (
    BOOLEAN,
    CELL_COLUMNS,
    FLOAT,
    INTEGER,
    JSON,
    KIND_OF_TYPE,
    OF_EDGE,
    OPTIONAL,
    STRING,
    kind_of,
    known_values,
    names_of,
    one_kind,
    width_of,
)
from cfgraph.model.hierarchy import Hierarchy, HierarchyWithCells

BATCH_CELLS = 10_000
NAMING = ("key", "address", "edges", "above", "below", "own", "points")  # of a page of the store: what is no column of cells
CELL_ATTRIBUTES = (*names_of(column for column in CELL_COLUMNS if column.held in ("property", "label")), "points")
EDGE_OWN = "edge_"  # how a property of a cell's begins that is an attribute of the edge from its primary parent
EDGE_TAKEN = ("id", "slot", "residual", "length", "weight", "primary", "source", "target", "key")  # what edges have besides
VECTOR = "VECTOR"  # a list of numbers, however many
KIND_OF_DTYPE = {"i": INTEGER, "u": INTEGER, "f": FLOAT, "b": BOOLEAN}
Columns = Mapping[str, Sequence[Any]]  # a value, or None for none, of each node or edge
Page = Mapping[str, list]


@dataclass(frozen=True, eq=False)
class Batch:
    """Some nodes, and some edges of these and of earlier nodes, with their attributes as columns."""

    nodes: Sequence[str]
    of_nodes: Columns
    sources: Sequence[str]
    targets: Sequence[str]
    of_edges: Columns


@dataclass(frozen=True, eq=False)
class Elements:
    """A graph to write: its own attributes, which ones nodes and edges have and of which kind, and the batches, once.

    ``texts`` goes through the free texts among the nodes' attributes, ahead of ``batches``: XML cannot hold every one.
    """

    graph: Mapping[str, Any]
    node_kinds: Mapping[str, str]
    edge_kinds: Mapping[str, str]
    batches: Iterable[Batch]
    texts: Callable[[], Iterable[Columns]] = tuple


def of_edges_to(name: str) -> str | None:
    """What an attribute of the edge to a cell is called, which is a property ``edge_NAME`` of it; None for other names."""
    called = name.removeprefix(EDGE_OWN)
    return called if called not in (name, "") and called not in EDGE_TAKEN else None


def own_name(name: str) -> str:
    """What a property of the source's own is called beside those of every cell: an underscore tells it from one of them."""
    return f"{name}_" if name.rstrip("_") in CELL_ATTRIBUTES else name


def rows_of(columns: Columns, *, count: int) -> Iterator[dict[str, Any]]:
    """The attributes of one node or edge after the other, without those that it does not have."""
    rows = zip(*columns.values(), strict=True) if columns else ((),) * count
    for values in rows:
        yield {name: value for name, value in zip(columns, values, strict=True) if value is not None}


def graph_attributes(hierarchy: Hierarchy | None) -> dict[str, Any]:
    """The fields of a hierarchy that say something."""
    fields = {} if hierarchy is None else hierarchy.model_dump(mode="json")
    return {name: value for name, value in fields.items() if value is not None}


# -- from memory


def elements_of_cells(cells: Cells, *, hierarchy: Hierarchy | None = None) -> Elements:
    """The elements of cells in memory, with what is known of their hierarchy."""
    virtual_root = hierarchy is not None and hierarchy.virtual_root
    points = _points_by_cell(hierarchy)
    node_kinds = {name: _kind_of_column(name, column) for name, column in _of_cells(cells.take(slice(None))).items()}
    own = {own_name(name): _kind_here(kind) for name, column in cells.own.items() if (kind := kind_of(column)) is not None}
    node_kinds |= own
    if points:
        node_kinds["points"] = JSON
    texts = {own_name(name): known_values(column) for name, column in cells.own.items() if own.get(own_name(name)) == STRING}
    return Elements(
        graph=graph_attributes(hierarchy),
        node_kinds=node_kinds,
        edge_kinds=_edge_kinds(links=cells.links is not None) | _own_edge_kinds(own),
        batches=_cell_batches(cells, points, virtual_root=virtual_root),
        texts=lambda: [texts],
    )


def _of_cells(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: column for name, column in columns.items() if name not in OF_EDGE}


def _own_edge_kinds(own: Mapping[str, str]) -> dict[str, str]:
    """The attributes of edges that cells have as properties, and their kinds."""
    return {called: kind for name, kind in own.items() if (called := of_edges_to(name)) is not None}


def _edge_kinds(*, links: bool) -> dict[str, str]:
    kinds = {"slot": INTEGER, "residual": VECTOR, "length": FLOAT, "weight": FLOAT}
    return kinds | ({"primary": BOOLEAN} if links else {})


def _kind_of_column(name: str, column: np.ndarray) -> str:
    return STRING if name == "state" else VECTOR if column.ndim > 1 else KIND_OF_DTYPE[column.dtype.kind]


def _kind_here(kind: str) -> str:
    """The kind of a property of the source's own, as elements have it."""
    return VECTOR if width_of(kind) else kind if kind in KIND_OF_TYPE.values() else JSON


def _points_by_cell(hierarchy: Hierarchy | None) -> dict[int, list[int]]:
    """The numbers of the data points in each cell that has some, where points are nodes."""
    found: dict[int, list[int]] = {}
    if isinstance(hierarchy, HierarchyWithCells) and hierarchy.point_nodes and hierarchy.cell_of_point is not None:
        for row, cell in enumerate(hierarchy.cell_of_point.tolist()):
            if cell >= 0:
                found.setdefault(cell, []).append(row)
    return found


def _cell_batches(cells: Cells, points: Mapping[int, list[int]], *, virtual_root: bool) -> Iterator[Batch]:
    names = cells.addresses
    for start in range(0, len(cells), BATCH_CELLS):
        rows = slice(start, min(start + BATCH_CELLS, len(cells)))
        columns = cells.take(rows)
        of_nodes: dict[str, list] = {name: known_values(column) for name, column in _of_cells(columns).items()}
        of_nodes["state"] = _state_names(of_nodes["state"])
        of_nodes |= {own_name(name): known_values(column) for name, column in cells.take_own(rows).items()}
        if points:
            of_nodes["points"] = [points.get(row) for row in range(rows.start, rows.stop)]
        sources, targets, of_edges = _edges_to(columns, names, rows=rows, virtual_root=virtual_root)
        below = int(rows.start == 0)
        own_of_edges = {called: of_nodes[name][below:] for name in of_nodes if (called := of_edges_to(name)) is not None}
        yield Batch(names[rows], of_nodes, sources, targets, {**of_edges, **own_of_edges})
    if cells.links is not None:
        yield _link_batch(cells, cells.links)


def _state_names(states: Sequence[int]) -> list[str]:
    return [STATE_NAMES[state] for state in states]


def _edges_to(
    columns: dict[str, np.ndarray], names: list[str], *, rows: slice, virtual_root: bool
) -> tuple[list[str], list[str], Columns]:
    """The edges that lead to some rows: where they come from, where they go, and their attributes."""
    below = slice(int(rows.start == 0), None)  # none leads to the top
    parent, slot, residual, length = (columns[name][below].tolist() for name in OF_EDGE)
    if virtual_root:
        length = [None if above == 0 else one for above, one in zip(parent, length, strict=True)]
    sources, targets = [names[row] for row in parent], names[rows][below]
    return sources, targets, {"slot": slot, "residual": residual, "length": length, "weight": length}


def _link_batch(cells: Cells, links: Links) -> Batch:
    names = cells.addresses
    sources, targets = ([names[row] for row in rows.tolist()] for rows in (links.parent, links.child))
    slot, residual, length = (column.tolist() for column in (links.slot, links.residual, links.length))
    of_edges = {"slot": slot, "residual": residual, "length": length, "weight": length, "primary": [False] * len(links)}
    return Batch([], {}, sources, targets, of_edges)


# -- from pages of the store


def elements_of_pages(
    hierarchy: Hierarchy, pages: Callable[[], Iterable[Page]], *, own_kinds: Mapping[str, set[str]]
) -> Elements:
    """The elements of a hierarchy in the store, from its pages (``Store.import_pages``), which are gone through once.

    Where the source gave cells texts they are gone through twice. ``own_kinds`` are those of ``Store.own_kinds``.
    """
    own = {name: _kind_here(kind) for name, kinds in own_kinds.items() if (kind := one_kind(kinds)) is not None}
    stream = iter(pages())
    first = next(stream, None)
    if first is None:
        raise DamagedError.of(hierarchy.id, "it has no cells, not even a root")
    hidden = NAMING if hierarchy.data_built else (*NAMING, *OPTIONAL)  # other hierarchies' cells have none of these
    kinds = {name: _kind_of_values(name, column) for name, column in first.items() if name not in hidden}
    make = partial(_page_batch, hierarchy=hierarchy, kinds=kinds, own=own)
    points = {"points": JSON} if hierarchy.point_nodes else {}
    return Elements(
        graph=graph_attributes(hierarchy),
        node_kinds={**kinds, **{own_name(name): kind for name, kind in own.items()}, **points},
        edge_kinds=_edge_kinds(links=hierarchy.links > 0) | _own_edge_kinds(own),
        batches=(make(page) for page in chain([first], stream)),
        texts=lambda: _texts(hierarchy, pages, own=own),
    )


def _kind_of_values(name: str, column: list) -> str:
    return STRING if name == "state" else VECTOR if isinstance(column[0], list) else KIND_OF_TYPE[type(column[0])]


def _texts(hierarchy: Hierarchy, pages: Callable[[], Iterable[Page]], *, own: Mapping[str, str]) -> Iterator[Columns]:
    if STRING in own.values():
        texts = {name: kind for name, kind in own.items() if kind == STRING}
        yield from (_own_columns(page, hierarchy, own=texts) for page in pages())


def _page_batch(page: Page, *, hierarchy: Hierarchy, kinds: Mapping[str, str], own: Mapping[str, str]) -> Batch:
    of_nodes: dict[str, Sequence[Any]] = {name: _known(page[name], kind) for name, kind in kinds.items() if name != "state"}
    of_nodes["state"] = _state_names(page["state"])
    of_nodes |= _own_columns(page, hierarchy, own=own)
    if hierarchy.point_nodes:
        of_nodes["points"] = [sorted(rows) or None for rows in page["points"]]
    sources, targets, of_edges, cell = _page_edges(page, hierarchy)
    own_of_edges = {
        called: [None if row < 0 else column[row] for row in cell]
        for name, column in of_nodes.items()
        if (called := of_edges_to(name)) is not None
    }
    return Batch(page["address"], of_nodes, sources, targets, {**of_edges, **own_of_edges})


def _known(column: Sequence[Any], kind: str) -> Sequence[Any]:
    """A column of a page, with None for what says that there is none: NaN, and -1 among whole numbers."""
    if kind == FLOAT:
        return [None if value is None or value != value else float(value) for value in column]
    return [None if value == -1 else value for value in column] if kind == INTEGER else column


def _own_columns(page: Page, hierarchy: Hierarchy, *, own: Mapping[str, str]) -> Columns:
    columns = zip(*page["own"], strict=True) if own else ()
    found = dict(zip(hierarchy.own, columns, strict=False))
    return {own_name(name): _known(found[name], FLOAT) if kind == FLOAT else found[name] for name, kind in own.items()}


def _page_edges(page: Page, hierarchy: Hierarchy) -> tuple[Sequence[str], Sequence[str], Columns, Sequence[int]]:
    """The edges that lead to a page's cells: where they come from, where they go, their attributes, and whose primary each is.

    That is the number of the cell in the page, -1 for an edge from a second parent.
    """
    before = len(hierarchy.id)
    rows = [
        (parent[before:], address, slot, residual, length, primary, -1 if primary is False else row)
        for row, (address, edges) in enumerate(zip(page["address"], _checked_edges(page, hierarchy), strict=True))
        for parent, slot, residual, length, primary in edges
    ]
    sources, targets, slot, residual, lengths, primary, cell = zip(*rows, strict=True) if rows else ((),) * 7
    length: Sequence[float | None] = lengths
    if hierarchy.virtual_root:
        length = [None if source == ROOT else one for source, one in zip(sources, lengths, strict=True)]
    of_edges = {"slot": slot, "residual": residual, "length": length, "weight": length}
    return sources, targets, of_edges | ({"primary": primary} if hierarchy.links else {}), cell


def _checked_edges(page: Page, hierarchy: Hierarchy) -> list[list[list]]:
    """The edges that lead to each cell of a page; a DamagedError where a cell has not the one primary parent that it should."""
    for address, edges in zip(page["address"], page["edges"], strict=True):
        primary = sum(edge[4] is not False for edge in edges)
        if primary != (address != ROOT) or not all(str(edge[0]).startswith(f"{hierarchy.id}/") for edge in edges):
            detail = f"cell {address} has {primary} primary parents, or parents elsewhere"
            raise DamagedError.of(hierarchy.id, detail)
    return page["edges"]
