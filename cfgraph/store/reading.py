"""Reading cells: pages of columns from the graph, put into breadth-first order."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import numpy as np

from cfgraph.errors import AddressError, StoreError
from cfgraph.model.address import ROOT, key_of, level_of, parent_address, subtree_range
from cfgraph.model.cells import Cells, Links
from cfgraph.model.columns import VECTORS, own_column
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.model.order import breadth_first, place_addresses
from cfgraph.store.graph import Graph
from cfgraph.store.writing import key_pages

PAGE_CELLS = 20_000  # cells a query gives back: a few megabytes
PAGE_PARENTS = 2_000
# What says that a cell has no value in a column that some cells have.
BLANK: dict[str, Callable[[np.ndarray], np.ndarray]] = {"radius": np.isnan, "size": lambda sizes: sizes < 0}

Columns = dict[str, list[Any]]


def read_pages(graph: Graph, id: str, *, top: str = ROOT, edges: bool = True, extras: bool = False) -> Iterator[Columns]:
    """The proper descendants of ``top`` (with the root where it is the top) in key order, a page of columns at a time."""
    low, high = subtree_range(id, top)
    start = low if top == ROOT else low + "0"  # the root's own key is `low` itself: it comes with its descendants
    asked = {"high": high, "page": PAGE_CELLS, "id_size": len(id), "edges": edges, "extras": extras}
    yield from pages_ahead(graph, "read_subtree", id, start=start, **asked)


def pages_ahead(graph: Graph, operation: str, id: str, *, start: str, **asked: Any) -> Iterator[Columns]:
    """What a paged operation reads from a key on; the next page is asked for while the caller works on this one."""
    with ThreadPoolExecutor(1, thread_name_prefix="cfgraph-read") as ahead:
        coming = ahead.submit(graph.read, operation, start=start, **asked)
        while True:
            page = coming.result()[0]
            last = page.pop("last")
            if last is None:
                return
            coming = ahead.submit(graph.read, operation, start=next_key(last), **asked)
            yield checked(page, id)


def next_key(key: str) -> str:
    """Where the keys behind a key begin: nothing that can follow it in a longer key sorts before a space."""
    return key + " "


def checked(page: Columns, id: str) -> Columns:
    """The page itself where its columns are of one length; else some cell lacks something."""
    sizes = {len(column) for column in page.values() if column}
    if len(sizes) > 1:
        raise StoreError(f"some cells of {id!r} lack a property or a parent; `cfgraph verify {id}` names them")
    return page


def read_cells(graph: Graph, id: str, *, depth: int | None, top: str, extras: bool) -> Cells:
    """The cells at and below ``top``, down to level ``depth``: by ranges of keys for all, by descent for a prefix."""
    above = _read_top(graph, id, top=top, extras=extras)
    if depth is None:
        pages = list(read_pages(graph, id, top=top, extras=extras))
        parts = pages if top == ROOT else [above, *pages]
    else:
        parts = [above, *_descend(graph, id, top=top, depth=depth, extras=extras)]
    cells = assemble_cells(parts, id=id, top=top)
    return cells if depth is None else cells.prefix(depth)


def _read_top(graph: Graph, id: str, *, top: str, extras: bool) -> Columns:
    found = graph.read("read_cells", keys=[key_of(id, top)], id_size=len(id), extras=extras)[0]
    if not found["addresses"]:
        raise AddressError(f"there is no cell {top} in {id!r}")
    return checked(found, id)


def _descend(graph: Graph, id: str, *, top: str, depth: int, extras: bool) -> Iterator[Columns]:
    keys = [key_of(id, top)]
    for _ in range(level_of(top), depth):
        level: list[str] = []
        for page in key_pages(keys, size=PAGE_PARENTS):
            columns = checked(graph.read("read_children", keys=page, id_size=len(id), extras=extras)[0], id)
            level += columns["addresses"]
            yield columns
        keys = [id + address for address in level]
        if not keys:
            return


def assemble_cells(parts: list[Columns], *, id: str, top: str) -> Cells:
    """Columns in any order as ``Cells`` in breadth-first order."""
    addresses = _joined(parts, "addresses")
    try:
        parent, slot, level = place_addresses(addresses, top=top)
    except KeyError as missing:
        raise StoreError(f"cell {missing.args[0]} of {id!r} is missing though it has children; run cfgraph verify") from None
    order, parent = breadth_first(parent, slot, level)
    arrays = {name: _array(parts, name, count=len(addresses)) for name in parts[0] if name != "addresses"}
    columns: dict[str, Any] = {name: column[order] for name, column in arrays.items() if column is not None}
    cells = Cells(parent=parent, slot=slot[order], level=level[order], top=top, **columns)
    cells.__dict__["addresses"] = [addresses[row] for row in order.tolist()]  # known already: spare making them again
    return cells


def _joined(parts: list[Columns], name: str) -> list[Any]:
    return parts[0][name] if len(parts) == 1 else list(chain.from_iterable(part[name] for part in parts))


def _array(parts: list[Columns], name: str, *, count: int) -> np.ndarray | None:
    values: list[Any] = _joined(parts, name)
    if not values:
        return None
    if name in VECTORS:
        width = len(values[0])
        flat = np.fromiter(chain.from_iterable(values), dtype=np.float64)
        if flat.size != count * width:
            raise StoreError("cells have centers of different dimensions; run cfgraph verify")
        return flat.reshape(count, width)
    kind = {"state": np.uint8, "predicted": bool, "size": np.int64}.get(name, np.float64)
    array = np.array(values, dtype=kind)
    blank = BLANK.get(name)
    return None if blank is not None and blank(array).all() else array


def joined_columns(parts: list[Columns]) -> dict[str, np.ndarray]:
    """Pages as one: a column each, with ``address``; what no cell has is left out."""
    addresses = _joined(parts, "addresses") if parts else []
    columns = {} if not parts else {name: _array(parts, name, count=len(addresses)) for name in parts[0] if name != "addresses"}
    found = {name: column for name, column in columns.items() if column is not None}
    return {"address": np.array(addresses, dtype=object), **found}


def with_own(graph: Graph, cells: Cells, hierarchy: Hierarchy) -> Cells:
    """Cells of an imported hierarchy with what they have besides: their source's properties, and links among them."""
    keys = [key_of(hierarchy.id, address) for address in cells.addresses]
    own = {}
    if hierarchy.own:
        pages = (graph.read("read_own", keys=page, names=list(hierarchy.own)) for page in key_pages(keys, size=PAGE_CELLS))
        rows = list(chain.from_iterable(page[0]["values"] for page in pages))
        columns = zip(hierarchy.own, zip(*rows, strict=True), strict=True)
        own = {name: _own(name, values, hierarchy) for name, values in columns}
    return cells.with_columns(own=own, links=_read_links(graph, cells, keys, hierarchy) if hierarchy.links else None)


def _own(name: str, values: Sequence[Any], hierarchy: Hierarchy) -> np.ndarray:
    try:
        return own_column(values, kind=hierarchy.own_kinds.get(name))
    except ValueError as error:
        raise StoreError(f"{name} of some cells of {hierarchy.id!r} is damaged ({error}); run cfgraph verify") from error


def _read_links(graph: Graph, cells: Cells, keys: list[str], hierarchy: Hierarchy) -> Links | None:
    """The links among some cells, sorted by child, then by parent."""
    pages = [graph.read("read_links", keys=page, id_size=len(hierarchy.id))[0] for page in key_pages(keys, size=PAGE_CELLS)]
    row_of = {address: row for row, address in enumerate(cells.addresses)}
    parent, child = (
        np.array([row_of.get(a, -1) for a in _joined(pages, name)], dtype=np.int64) for name in ("parent", "child")
    )
    residual = np.array(_joined(pages, "residual"), dtype=np.float64).reshape(len(parent), cells.dimension)
    links = Links(
        parent, child, np.array(_joined(pages, "slot"), np.int32), residual, np.array(_joined(pages, "length"), float)
    )
    order = np.lexsort((links.parent, links.child))
    links = links.take(order[links.parent[order] >= 0])  # a parent may lie outside a prefix or a subtree
    return links if len(links) else None


def point_pages(graph: Graph, id: str) -> Iterator[Columns]:
    """The data points of a hierarchy, with the address of the cell that each lies in, a page at a time."""
    start, high = subtree_range(id)
    while True:
        page = graph.read("read_points", start=start, high=high, page=PAGE_CELLS, id_size=len(id))[0]
        last = page.pop("last")
        if last is None:
            return
        start = next_key(last)
        yield page


def parent_tuple(graph: Graph, id: str, address: str) -> np.ndarray | None:
    """The residuals of the children of a cell's parent, in slot order; None for a root."""
    if address == ROOT:
        return None
    rows = graph.read("read_children", keys=[key_of(id, parent_address(address))], id_size=len(id), extras=False)[0]
    slots = [int(child[child.rindex("/") + 1 :]) for child in rows["addresses"]]
    return np.array([residual for _, residual in sorted(zip(slots, rows["residual"], strict=True))])
