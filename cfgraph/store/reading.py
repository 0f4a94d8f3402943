"""Reading cells: pages of columns from the graph, put into breadth-first order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from cfgraph.errors import AddressError, DamagedError
from cfgraph.model.address import ROOT, is_address, key_of, level_of, parent_address, subtree_range
from cfgraph.model.batch import first_points_range
from cfgraph.model.cells import EXPANDED, STATE_NAMES, Cells, Links
from cfgraph.model.columns import JSON, VECTORS, is_of_kind, known_values, own_column, width_of
from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy
from cfgraph.model.order import breadth_first, place_addresses
from cfgraph.store.graph import Graph
from cfgraph.store.writing import key_pages

PAGE_CELLS = 20_000  # cells a query gives back: a few megabytes
PAGE_PARENTS = 2_000
CONNECTIONS = 3  # that pages of cells by their keys are asked for in at once: one page is decoded while others are read
NEEDED = ("addresses", "address", "level", "center", "scale", "root_distance", "state", "predicted")  # what every cell has
TYPES: dict[str, type] = {"state": int, "predicted": bool, "size": int, "slot": int}  # of columns; the others hold floats
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
    for page in unchecked_pages_ahead(graph, operation, start=start, **asked):
        yield checked(page, id)


def unchecked_pages_ahead(graph: Graph, operation: str, *, start: str, **asked: Any) -> Iterator[Columns]:
    """The same as it comes, for whoever checks the columns."""

    def read(last: str | None) -> Columns:
        page: Columns = graph.read(operation, start=start if last is None else next_key(last), **asked)[0]
        return page

    yield from _one_ahead(read)


def stretches_ahead(graph: Graph, id: str, *, stretches: Sequence[tuple[str, str]], **asked: Any) -> Iterator[Columns]:
    """The cells of some stretches of keys, which follow one another, in key order, for a diff."""

    def read(last: str | None) -> Columns:
        start = "" if last is None else next_key(last)
        rest = [[max(low, start), high] for low, high in stretches if high > start]
        page: Columns = graph.read("read_stretches", stretches=rest, page=PAGE_CELLS, **asked)[0]
        return page

    for page in _one_ahead(read):
        yield checked(page, id)


def _one_ahead(read: Callable[[str | None], Columns]) -> Iterator[Columns]:
    ahead = ThreadPoolExecutor(1, thread_name_prefix="cfgraph-read")
    try:
        coming = ahead.submit(read, None)
        while True:
            page = coming.result()
            last: Any = page.pop("last")
            if last is None:
                return
            coming = ahead.submit(read, last)
            yield page
    finally:
        # Not waited for: who gives up half-way leaves this to the garbage collector, perhaps in the very thread that reads.
        ahead.shutdown(wait=False, cancel_futures=True)


def in_connections(read: "Callable[[list[str]], Packed]", pages: list[list[str]]) -> "list[Packed]":
    """What is read of pages of keys, in their order, several at once."""
    if len(pages) < 2:
        return [read(page) for page in pages]
    with ThreadPoolExecutor(min(CONNECTIONS, len(pages)), thread_name_prefix="cfgraph-read") as threads:
        return list(threads.map(read, pages))


def next_key(key: str) -> str:
    """Where the keys behind a key begin: nothing that can follow it in a longer key sorts before a space."""
    return key + " "


def checked(page: Columns, id: str) -> Columns:
    """The page itself where its columns are of one length, each cell once; a ``DamagedError`` for another."""
    sizes = {len(column) for name, column in page.items() if column or name in NEEDED}
    if len(sizes) > 1:
        raise _lacking(id)
    _fill_roots(page)
    names = page["addresses"] if "addresses" in page else page["key"]
    if len(set(names)) < len(names):
        raise DamagedError.of(id, "some cells have several primary parents, or come twice")
    return page


def _lacking(id: str) -> DamagedError:
    return DamagedError.of(id, "some cells lack a property or a parent")


def _fill_roots(page: Columns) -> None:
    """What has no value where no edge leads to a cell: zeros for a root; a length of 0 for the edges of a virtual one, too."""
    if "addresses" not in page or not page.get("residual"):
        return
    addresses, residual, length = page["addresses"], page["residual"], page["length"]
    for row in (row for row, value in enumerate(residual) if value == []):
        if addresses[row] == ROOT and isinstance(page["center"][row], list):
            residual[row] = [0.0] * len(page["center"][row])
    for row in (row for row, value in enumerate(length) if value != value):
        if level_of(addresses[row]) <= 1:
            length[row] = 0.0


def read_cells(graph: Graph, id: str, *, depth: int | None, top: str, extras: bool) -> Cells:
    """The cells at and below ``top``, down to level ``depth``: by ranges of keys for all, by descent for a prefix."""
    above = _read_top(graph, id, top=top, extras=extras)
    if depth is None:
        pages = read_pages(graph, id, top=top, extras=extras)
        pages = pages if top == ROOT else chain([above], pages)
    else:
        pages = chain([above], _descend(graph, id, top=top, depth=depth, extras=extras))
    cells = assemble_cells([packed(page, id) for page in pages], id=id, top=top)
    return cells if depth is None else cells.prefix(depth)


def _read_top(graph: Graph, id: str, *, top: str, extras: bool) -> Columns:
    found = graph.read("read_cells", keys=[key_of(id, top)], id_size=len(id), extras=extras)[0]
    if not found["addresses"] and top == ROOT:
        raise DamagedError.of(id, "its root is missing")
    if not found["addresses"]:
        raise AddressError(f"there is no cell {top} in {id!r}")
    return checked(found, id)


def _descend(graph: Graph, id: str, *, top: str, depth: int, extras: bool) -> Iterator[Columns]:
    keys = [key_of(id, top)]
    for depth_here in range(level_of(top) + 1, depth + 1):
        level: list[str] = []
        for page in key_pages(keys, size=PAGE_PARENTS):
            columns = checked(graph.read("read_children", keys=page, id_size=len(id), extras=extras)[0], id)
            level += columns["addresses"]
            yield columns
        if any(level_of(address) != depth_here for address in level):
            raise DamagedError.of(id, "an edge leads to a cell that is no child by its address")
        keys = [id + address for address in level]
        if not keys:
            return


@dataclass(frozen=True, eq=False)
class Packed:
    """A page in a tenth of the memory: arrays for lists of values, but for the addresses. A column may be empty."""

    addresses: list[str]
    arrays: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.addresses)


def packed(page: Columns, id: str) -> Packed:
    """A page as arrays, each of its type and finite; a ``DamagedError`` for values that are not."""
    arrays = {name: _array(values, name, id=id) for name, values in page.items() if name != "addresses"}
    return Packed(page["addresses"], arrays)


def _array(values: list[Any], name: str, *, id: str) -> np.ndarray:
    if not values:
        return np.empty(0)
    try:
        return vector_column(values) if name in VECTORS else number_column(values, name)
    except (ValueError, OverflowError) as error:
        raise DamagedError.of(id, f"the {name} of some cells {error}") from error


def vector_column(values: Sequence[Any]) -> np.ndarray:
    """Vectors of one dimension as rows; a ``ValueError`` that says what else they are."""
    if set(map(type, values)) != {list} or len(widths := set(map(len, values))) > 1:
        raise ValueError("is no list, or of another dimension")
    flat = list(chain.from_iterable(values))
    return number_column(flat).reshape(len(values), widths.pop())


def number_column(values: Sequence[Any], name: str = "") -> np.ndarray:
    """A column of cells, of its type and finite (but where it may be blank); a ``ValueError`` that says what else it is."""
    kind = TYPES.get(name, float)
    if strange := set(map(type, values)) - {kind}:
        raise ValueError(f"is {strange.pop().__name__}, not {kind.__name__}")
    array: np.ndarray = np.array(values, dtype={"state": np.uint8, "size": np.int64}.get(name, kind))
    if kind is float and not (np.isfinite(array) | (np.isnan(array) & (name in BLANK))).all():
        raise ValueError("is not finite")
    return array


def typed(page: Columns, id: str) -> dict[str, Any]:
    """A page whose columns are arrays, each of its type."""
    return {"addresses": page["addresses"], **packed(page, id).arrays}


def assemble_cells(parts: list[Packed], *, id: str, top: str) -> Cells:
    """Pages in any order as ``Cells`` in breadth-first order. It takes the parts apart: no column is held in two forms."""
    addresses = list(chain.from_iterable(part.addresses for part in parts))
    try:
        parent, slot, level = place_addresses(addresses, top=top)
    except KeyError as missing:
        raise DamagedError.of(id, f"cell {missing.args[0] or ROOT} is missing though it has children") from None
    except ValueError:
        strange = next((address for address in addresses if not is_address(address)), None)
        detail = "some cells have several primary parents, or come twice"
        raise DamagedError.of(id, detail if strange is None else f"a cell has the address {strange!r}") from None
    order, parent = breadth_first(parent, slot, level)
    columns: dict[str, Any] = {name: column[order] for name, column in _joined_arrays(parts, id=id)}
    cells = Cells(parent=parent, slot=slot[order], level=level[order], top=top, **columns)
    cells.__dict__["addresses"] = [addresses[row] for row in order.tolist()]  # known already: spare making them again
    return cells


def check_children(cells: Cells, hierarchy: Hierarchy) -> None:
    """Raise a ``DamagedError`` where a cell's label does not fit to the children that it has."""
    count = cells.child_count
    broken = (count > 0) & (cells.state != EXPANDED)
    if isinstance(hierarchy, FieldHierarchy):  # a cell of others may have children of other primary parents alone
        broken |= (count != hierarchy.arity) & (cells.state == EXPANDED)
    if broken.any():
        row = int(np.flatnonzero(broken)[0])
        detail = f"cell {cells.addresses[row]} is {STATE_NAMES[cells.state[row]]} and has {count[row]} children"
        raise DamagedError.of(hierarchy.id, detail)


def _joined_arrays(parts: list[Packed], *, id: str) -> Iterator[tuple[str, np.ndarray]]:
    """The columns of all parts, which lose them, one after the other; those in which no cell has a value are left out."""
    for name in tuple(parts[0].arrays) if parts else ():
        arrays = [array for part in parts if len(array := part.arrays.pop(name))]
        if len({array.shape[1:] for array in arrays}) > 1:
            raise DamagedError.of(id, "cells have centers of different dimensions")
        array = np.concatenate(arrays) if arrays else np.empty(0)
        if len(array) not in (0, sum(map(len, parts))):
            raise _lacking(id)
        blank = BLANK.get(name)
        if len(array) and not (blank is not None and blank(array).all()):
            yield name, array


def joined_columns(parts: list[Packed], *, id: str) -> dict[str, np.ndarray]:
    """Pages as one: a column each, with ``address``; what no cell has is left out."""
    address = np.array([address for part in parts for address in part.addresses], dtype=object)
    return {"address": address, **dict(_joined_arrays(parts, id=id))}


def with_own(graph: Graph, cells: Cells, hierarchy: Hierarchy) -> Cells:
    """Cells of an imported hierarchy with what they have besides: their source's properties, and links among them."""
    own = _read_own(graph, cells, hierarchy) if hierarchy.own else {}
    return cells.with_columns(own=own, links=_read_links(graph, cells, hierarchy) if hierarchy.links else None)


def _key_pages(cells: Cells, *, id: str) -> Iterator[list[str]]:
    """The keys of all cells, a page at a time."""
    for addresses in key_pages(cells.addresses, size=PAGE_CELLS):
        yield [key_of(id, address) for address in addresses]


def _read_own(graph: Graph, cells: Cells, hierarchy: Hierarchy) -> dict[str, np.ndarray]:
    """The source's own columns, each page's packed as it comes."""
    names = list(hierarchy.own)
    columns: dict[str, list[np.ndarray | Sequence[Any]]] = {name: [] for name in names}
    for keys in _key_pages(cells, id=hierarchy.id):
        rows = graph.read("read_own", keys=keys, names=names)[0]["values"]
        for name, values in zip(names, zip(*rows, strict=True), strict=True):
            columns[name].append(_packed_own(name, values, hierarchy))
    return {name: _joined_own(name, columns.pop(name), hierarchy) for name in names}


def _packed_own(name: str, values: Sequence[Any], hierarchy: Hierarchy) -> np.ndarray | Sequence[Any]:
    """A page of a column as an array where its values are numbers, or vectors, and come out of it as they went in."""
    kinds = set(map(type, values)) - {type(None)}
    if not (kinds and kinds <= {int, float}) and width_of(hierarchy.own_kinds.get(name)) is None:
        return values
    column = _own(name, values, hierarchy)
    if column.ndim == 1 and column.dtype.kind == "f" and np.isnan(column).sum() > values.count(None):
        return values  # not-a-number is one of them
    return values if column.dtype.kind == "O" else column


def _joined_own(name: str, pages: list[np.ndarray | Sequence[Any]], hierarchy: Hierarchy) -> np.ndarray:
    """Pages of a column as one. Where they are of several kinds, the kind of the whole follows from all of its values."""
    known = [page for page in pages if isinstance(page, np.ndarray) or any(value is not None for value in page)]
    kinds = {page.dtype.kind if isinstance(page, np.ndarray) else "O" for page in known}
    if len(kinds) == 1 and "O" not in kinds:
        nothing = -1 if kinds == {"i"} else np.nan
        return np.concatenate([page if isinstance(page, np.ndarray) else np.full(len(page), nothing) for page in pages])
    return _own(name, list(chain.from_iterable(map(_values, pages))), hierarchy)


def _values(page: np.ndarray | Sequence[Any]) -> Sequence[Any]:
    return known_values(page) if isinstance(page, np.ndarray) else page


def _own(name: str, values: Sequence[Any], hierarchy: Hierarchy) -> np.ndarray:
    try:
        return own_column(_checked_own(name, values, hierarchy), kind=hierarchy.own_kinds.get(name))
    except ValueError as error:
        raise DamagedError.of(hierarchy.id, f"{name} of some cells: {error}") from error


def _checked_own(name: str, values: Sequence[Any], hierarchy: Hierarchy) -> Sequence[Any]:
    kind = hierarchy.own_kinds.get(name)
    if strange := [value for value in values if not is_of_kind(value, kind or JSON)][:1]:
        raise DamagedError.of(hierarchy.id, f"{name} of some cells: {str(strange[0])[:40]!r} is not {kind or 'plain'}")
    return values


def own_at(graph: Graph, hierarchy: Hierarchy, addresses: Sequence[str], name: str) -> Iterator[Sequence[Any]]:
    """A property of the source's own of the cells at some addresses, a page at a time, in the order asked."""
    for page in key_pages([key_of(hierarchy.id, address) for address in addresses], size=PAGE_CELLS):
        rows = graph.read("read_own", keys=page, names=[name])[0]["values"]
        if len(rows) < len(page):
            raise DamagedError.of(hierarchy.id, "some of its cells are not there any more")
        yield _checked_own(name, [row[0] for row in rows], hierarchy)


def _read_links(graph: Graph, cells: Cells, hierarchy: Hierarchy) -> Links | None:
    """The links among some cells, sorted by child, then by parent."""
    row_of = {address: row for row, address in enumerate(cells.addresses)}
    pages = [
        _link_page(graph.read("read_links", keys=keys, id_size=len(hierarchy.id))[0], row_of, hierarchy=hierarchy)
        for keys in _key_pages(cells, id=hierarchy.id)
    ]
    links = Links(*map(np.concatenate, zip(*(page.columns for page in pages), strict=True)))
    order = np.lexsort((links.parent, links.child))
    links = links.take(order[links.parent[order] >= 0])  # a parent may lie outside a prefix or a subtree
    return links if len(links) else None


def _link_page(page: Columns, row_of: Mapping[str, int], *, hierarchy: Hierarchy) -> Links:
    parent, child = (np.array([row_of.get(a, -1) for a in page[name]], dtype=np.int64) for name in ("parent", "child"))
    try:
        residual = np.array(page["residual"], dtype=np.float64).reshape(len(parent), hierarchy.dimension)
        slot, length = np.array(number_column(page["slot"], "slot").tolist(), np.int32), number_column(page["length"])
        if len({len(parent), len(child), len(slot), len(length)}) > 1 or not np.isfinite(residual).all():
            raise ValueError("lack something")
    except (ValueError, TypeError, OverflowError) as error:
        raise DamagedError.of(hierarchy.id, f"edges from second parents: {error}") from error
    return Links(parent, child, slot, residual, length)


def point_pages(graph: Graph, id: str, names: Sequence[str] = ()) -> Iterator[Columns]:
    """The first data points of a hierarchy, with the address of the cell that each lies in, a page at a time.

    ``own`` has, for each, its properties of these ``names``.
    """
    start, high = first_points_range(id)
    while True:
        page = graph.read("read_points", start=start, high=high, page=PAGE_CELLS, id_size=len(id), names=list(names))[0]
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
