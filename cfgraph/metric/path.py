"""Path: the metric between two cells of a hierarchy, with the way it takes.

In a tree the way leads over the lowest common ancestor. Where any cell has several parents it is the shortest over the
undirected graph (common descendants make shortcuts). No way uses a virtual root: cells below different roots have none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import AddressError, InputError
from cfgraph.metric.distances import common_ancestors, path_distances
from cfgraph.metric.shortest import Edges, pair_distances, shortest_ways
from cfgraph.model.address import ROOT, ancestor_address, is_address, level_of, lowest_common_ancestor
from cfgraph.model.as_html import Shown
from cfgraph.model.field import Field
from cfgraph.model.hierarchy import Hierarchy, HierarchyWithCells
from cfgraph.model.reader import CellsReader, Reader

if TYPE_CHECKING:
    from cfgraph.store import Store


@dataclass(frozen=True)
class Path(Shown):
    """The way between two cells: in a tree up from ``first`` to their lowest common ``ancestor``, and down to ``second``.

    ``lengths[i]`` is the length of the edge between ``way[i]`` and ``way[i + 1]``. Where cells have several parents there is no
    ``ancestor`` that counts (None), and where there is no way at all ``distance`` is None and the way empty.
    """

    first: str
    second: str
    ancestor: str | None
    distance: float | None
    way: tuple[str, ...]
    lengths: tuple[float, ...]


@overload
def find_path(store: "Store", id: str, first: str, second: str) -> Path: ...
@overload
def find_path(store: HierarchyWithCells, first: str, second: str, /) -> Path: ...
@overload
def find_path(store: HierarchyWithCells, *, first: str, second: str) -> Path: ...
def find_path(store: "Store | HierarchyWithCells", id: Any = None, first: Any = None, second: Any = None) -> Path:
    """The path between two cells, by address or, what is none, by name (a name such as ``/0`` is taken for the address).

    ``find_path(store, "koch", "/0", "/3/1")``; of a hierarchy with its cells in memory ``find_path(koch, "/0", "/3/1")``.

    Raises ``AddressError`` for an address that is not there, and for a name that no cell has, or several.
    """
    if isinstance(store, Hierarchy):
        ends = [end for end in (id, first, second) if end is not None]
        if len(ends) != 2:
            raise InputError(f"expected two cells: find_path(hierarchy, '/0', '/3/1'), got {len(ends)}")
        return _path_in_memory(store.require_cells(), *ends)
    if id is None or first is None or second is None:
        raise InputError('expected an id and two cells: find_path(store, "koch", "/0", "/3/1")')
    return find_paths(store, id, pairs=[(first, second)])[0]


def _path_in_memory(hierarchy: HierarchyWithCells, first: str, second: str) -> Path:
    """The path between two cells of a hierarchy in memory."""
    ends = [end if is_address(end) else _address_named(hierarchy, end) for end in (first, second)]
    if hierarchy.cells.links is not None:
        return _shortest(hierarchy, [(ends[0], ends[1])])[0]
    return paths_in_tree(CellsReader(hierarchy.cells), hierarchy, [(ends[0], ends[1])])[0]


def _address_named(hierarchy: HierarchyWithCells, name: str) -> str:
    names = hierarchy.cells.names or ()
    rows = [row for row, known in enumerate(names) if known == name]
    if len(rows) == 1:
        return hierarchy.cells.addresses[rows[0]]
    if rows:
        places = ", ".join(hierarchy.cells.addresses[row] for row in rows[:3])
        raise AddressError(f"{len(rows)} cells of {hierarchy.id!r} are called {name!r}, at {places}; say which by address")
    raise AddressError(
        f"expected an address such as '/' or '/2/0', or the name of a cell; none of {hierarchy.id!r} is called {name!r}"
    )


def find_paths(store: "Store", id: str, *, pairs: list[tuple[str, str]]) -> list[Path]:
    """The paths of many pairs; the cells that they need are read in one go."""
    with store.witness(id, live=True) as witness:
        hierarchy = witness.hierarchy
        names = {end for pair in pairs for end in pair if not is_address(end)}
        address_of = store.find_named(id, names) if names else {}
        pairs = [(address_of.get(first, first), address_of.get(second, second)) for first, second in pairs]
        if hierarchy.links:
            return _paths_in_graph(store, hierarchy, pairs)
        return paths_in_tree(store.reader(id), hierarchy, pairs)


def paths_in_tree(reader: Reader, hierarchy: Hierarchy, pairs: list[tuple[str, str]]) -> list[Path]:
    """The paths of pairs of addresses in a hierarchy without second parents, wherever its cells are."""
    ends = [address for pair in pairs for address in pair]
    above = {ancestor_address(address, level) for address in ends for level in range(level_of(address) + 1)}
    found = reader.cells(sorted(above))
    lengths = dict(zip(found["address"].tolist(), found.get("length", np.empty(0)).tolist(), strict=True))
    for address in ends:
        if address not in lengths:
            raise AddressError(_missing(address, lengths, hierarchy.id))
    return [_path_between(first, second, lengths, virtual_root=hierarchy.virtual_root) for first, second in pairs]


def path_in_field(field: Field, *, first: str, second: str) -> tuple[Path, int]:
    """The path between two cells of a field, at whatever depth, and how many of the cells on it are not stored.

    Raises:
        AddressError: for what is no address, and where no cell can be.
        InputError: where cells have several parents, so that the way along addresses need not be the shortest.
    """
    field.check_paths()
    above = {ancestor_address(end, level) for end in (first, second) for level in range(level_of(end) + 1)}
    found = field.cells(sorted(above))
    lengths = dict(zip(found.addresses, found.length.tolist(), strict=True))
    path = _path_between(first, second, lengths, virtual_root=field.virtual_root)
    stored = dict(zip(found.addresses, found.stored.tolist(), strict=True))
    return path, sum(not stored[address] for address in path.way)


def _missing(address: str, cells: Mapping[str, float], id: str) -> str:
    there = max(
        (ancestor_address(address, level) for level in range(level_of(address))), key=lambda a: (a in cells, level_of(a))
    )
    return f"there is no cell {address} in {id!r}: nothing is known below {there}"


def _path_between(first: str, second: str, lengths: dict[str, float], *, virtual_root: bool) -> Path:
    ancestor = lowest_common_ancestor(first, second)
    if virtual_root and ancestor == ROOT and first != second:
        return Path(first, second, None, None, (), ())
    up = [ancestor_address(first, level) for level in range(level_of(first), level_of(ancestor), -1)]
    down = [ancestor_address(second, level) for level in range(level_of(ancestor) + 1, level_of(second) + 1)]
    steps = [lengths[address] for address in [*up, *down]]
    return Path(first, second, ancestor, float(sum(steps)), (*up, ancestor, *down), tuple(steps))


def _paths_in_graph(store: "Store", hierarchy: Hierarchy, pairs: list[tuple[str, str]]) -> list[Path]:
    return _shortest(store.read_whole(hierarchy.id), pairs)


def _shortest(whole: HierarchyWithCells, pairs: list[tuple[str, str]]) -> list[Path]:
    addresses = whole.cells.addresses
    first, second = (whole.cells.rows([pair[end] for pair in pairs]) for end in (0, 1))
    ways = shortest_ways(hierarchy_edges(whole), first, second)
    found = []
    for pair, way in zip(pairs, ways, strict=True):
        if way is None:
            found.append(Path(*pair, None, None, (), ()))
        else:
            found.append(Path(*pair, None, way.distance, tuple(addresses[row] for row in way.nodes), way.lengths))
    return found


def hierarchy_edges(hierarchy: HierarchyWithCells) -> Edges:
    """The edges of a hierarchy that holds its cells, by rows, without those of a virtual root."""
    cells, links = hierarchy.cells, hierarchy.cells.links
    ends = [(cells.parent[1:], np.arange(1, len(cells)), cells.length[1:])]
    if links is not None:
        ends.append((links.parent, links.child, links.length))
    parent, child, length = (np.concatenate(columns) for columns in zip(*ends, strict=True))
    real = parent != 0 if hierarchy.virtual_root else np.ones(len(parent), dtype=bool)
    return Edges(len(cells), parent[real], child[real], length[real])


def hierarchy_distances(
    hierarchy: HierarchyWithCells, first: Int[np.ndarray, " pairs"], second: Int[np.ndarray, " pairs"]
) -> Float[np.ndarray, " pairs"]:
    """The path metric of each pair of rows of a hierarchy that holds its cells; NaN where there is no way."""
    if hierarchy.cells.links is not None:
        return pair_distances(hierarchy_edges(hierarchy), first, second)
    distance = path_distances(hierarchy.cells, first, second)
    if hierarchy.virtual_root:
        apart = (common_ancestors(hierarchy.cells, first, second) == 0) & (first != second)
        distance[apart] = np.nan
    return distance
