"""Inspection: what leaves the store is proven sound on the way, page by page, before a file gets its name.

A file of a damaged hierarchy would be one that cannot be read back. So every page that goes into one is held against what
:func:`cfgraph.model.invariants.check_sound` asks of the file later, by the same functions. Pages come in the order of the
keys: a cell comes after its parent, and a subtree in one piece. So it is enough to keep, from one page to the next, the cells
that lead to the last one, with the edges to their children so far; and of a whole hierarchy the links and the numbers of
the points.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from cfgraph.errors import DamagedError
from cfgraph.model.address import ROOT, is_address, level_of, parent_address
from cfgraph.model.cells import EXPANDED, FRONTIER
from cfgraph.model.columns import is_of_kind
from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy
from cfgraph.model.invariants import (
    Check,
    EdgeColumns,
    Ends,
    Families,
    check_edges,
    check_families,
    points_detail,
    room_for_points,
)
from cfgraph.model.order import in_cycle

Page = Mapping[str, list]
Names = Sequence[str] | np.ndarray  # the address of each row
Rows = dict[str, np.ndarray]  # columns of some cells, or of some edges: `parent` is the row of an edge's cell
OF_CHILD = ("radius", "size", "frontier")


def check_columns_of(page: Page, *, dimension: int) -> Rows:
    """The columns of a page's cells as arrays; a ``ValueError`` for values of another type or length, or not finite."""
    return {
        "address": _addresses(page),
        "level": _numbers(page["level"], int, name="level"),
        "center": _vectors(page["center"], dimension, name="center"),
        "scale": _numbers(page["scale"], float, name="scale"),
        "root_distance": _numbers(page["root_distance"], float, name="root_distance"),
        "predicted": _numbers(page["predicted"], bool, name="predicted"),
        "frontier": np.array(page["state"]) == FRONTIER,
        "expanded": np.array(page["state"]) == EXPANDED,
        "radius": _numbers(page["radius"], float, name="radius", unknown=True),
        "size": _numbers(page["size"], int, name="size"),
    }


def _addresses(page: Page) -> np.ndarray:
    for key, address in zip(page["key"], page["address"], strict=True):
        if not (is_address(address) and key.endswith(address)):
            raise ValueError(f"the cell of the key {key!r} has the address {address!r}")
    column = np.empty(len(page["address"]), dtype=object)
    column[:] = page["address"]
    return column


def _numbers(values: Sequence[Any], kind: type, *, name: str, unknown: bool = False) -> np.ndarray:
    """A column of one type, finite but where it may be ``unknown``: not-a-number says so."""
    if strange := set(map(type, values)) - {kind}:
        raise ValueError(f"a cell or an edge has a {name} that is {strange.pop().__name__}, not {kind.__name__}")
    column = np.array(values, dtype=np.float64 if kind is float else np.int64 if kind is int else bool)
    if kind is float and not (np.isfinite(column) | (unknown & np.isnan(column))).all():
        raise ValueError(f"a cell or an edge has a {name} that is not finite")
    return column


def _vectors(values: Sequence[Any], dimension: int, *, name: str) -> np.ndarray:
    if any(not isinstance(value, list) or len(value) != dimension for value in values):
        raise ValueError(f"a cell or an edge has a {name} that is no list of {dimension} numbers")
    return _numbers(list(chain.from_iterable(values)), float, name=name).reshape(len(values), dimension)


class Inspection:
    """Looks at every page of one hierarchy (``Store.import_pages``) on its way out; :meth:`finish` behind the last one.

    Args:
        hierarchy: as the graph describes it.
        grown: whether a predictor is known that grew it.

    Raises:
        DamagedError: for what cannot be read back.
    """

    def __init__(self, hierarchy: Hierarchy, *, grown: bool):
        self._hierarchy, self._last = hierarchy, ""
        self._grown = grown or bool(hierarchy.former_predictors) or hierarchy.origin == "rollout"
        self._open: Rows = {}  # the cells that lead to the last one
        self._families: Rows = {}  # the edges to their children so far
        self._links: list[tuple[str, str]] = []
        self._pointed = room_for_points(hierarchy, dtype=bool)

    def check(self, page: Page) -> None:
        """Look at the next page."""
        try:
            fresh = check_columns_of(page, dimension=self._hierarchy.dimension)
            self._check_order(page["key"])
            self._check_own(page["own"])
            self._check_points(page["points"])
            known = _joined(self._open, fresh)
            row_of = {address: row for row, address in enumerate(known["address"].tolist())}
            edges = self._edges(page, row_of)
            self._check_cells(known, edges, fresh)
            below = self._second_children(page, row_of)
            self._links += self._check_links(page, fresh)
        except (ValueError, TypeError, OverflowError) as error:
            raise DamagedError.of(self._hierarchy.id, str(error)) from error
        families = _joined(self._families, _joined(_family_edges(edges, known), below))
        self._close(known, families, kept=[row_of[above] for above in _line(fresh["address"][-1]) if above in row_of])

    def finish(self) -> None:
        """Look at what only the whole shows."""
        id = self._hierarchy.id
        if not self._open:
            raise DamagedError.of(id, "it has no cells, not even a root")
        self._close(self._open, self._families, kept=[])
        if len(self._links) != self._hierarchy.links:
            found = f"{len(self._links):,} edges from second parents"
            raise DamagedError.of(id, f"it has {found}, and should have {self._hierarchy.links:,}")
        if (cell := in_cycle(self._links)) is not None:
            raise DamagedError.of(id, f"cell {cell} is its own ancestor, by edges from second parents")

    # -- one page

    def _check_order(self, keys: Sequence[str]) -> None:
        for before, key in zip([self._last, *keys], keys, strict=False):
            if key <= before:
                raise ValueError(f"two cells have the key {key!r}")
        self._last = keys[-1]

    def _check_own(self, rows: Sequence[Sequence[Any]]) -> None:
        kinds = [(name, self._hierarchy.own_kinds.get(name, "JSON")) for name in self._hierarchy.own]
        for values in rows:
            for (name, kind), value in zip(kinds, values, strict=True):
                if not is_of_kind(value, kind):
                    raise ValueError(f"a cell has {str(value)[:40]!r} as its {name}, which is {kind}")

    def _check_points(self, rows: Sequence[Sequence[Any]]) -> None:
        placed = list(chain.from_iterable(rows))
        count = len(self._pointed)
        if any(type(row) is not int or not 0 <= row < count for row in placed):
            raise ValueError(f"a data point is no number from 0 to {count - 1}")
        if len(set(placed)) < len(placed) or self._pointed[placed].any():
            raise ValueError("a data point lies in several cells")
        self._pointed[placed] = True

    def _edges(self, page: Page, row_of: Mapping[str, int]) -> Rows:
        """The edge from its primary parent to each cell, but the root."""
        id, found = self._hierarchy.id, []
        for address, edges in zip(page["address"], page["edges"], strict=True):
            first = [edge for edge in edges if edge[4] is None]
            if any(edge[4] is not None and edge[4] is not False for edge in edges):
                raise ValueError(f"an edge to cell {address} has primary other than false")
            if len(first) != (address != ROOT):
                raise ValueError(f"cell {address} has {len(first)} primary parents, or parents elsewhere")
            if first:
                above = parent_address(address)
                if first[0][0] != id + above or above not in row_of:
                    raise ValueError(f"cell {address} has {first[0][0]!r} as its parent, or its parent is missing")
                found.append((row_of[above], row_of[address], *first[0][1:4]))
        parent, child, slot, residual, length = zip(*found, strict=True) if found else ((),) * 5
        virtual = np.array([self._hierarchy.virtual_root and row_of[ROOT] == row for row in parent], dtype=bool)
        lengths = [0.0 if none and value is None else value for value, none in zip(length, virtual.tolist(), strict=True)]
        return {
            "parent": np.array(parent, dtype=np.int64),
            "child": np.array(child, dtype=np.int64),
            "slot": _numbers(slot, int, name="slot"),
            "residual": _vectors(residual, self._hierarchy.dimension, name="residual"),
            "length": _numbers(lengths, float, name="length"),
            "virtual": virtual,
        }

    def _check_cells(self, known: Rows, edges: Rows, fresh: Rows) -> None:
        """What a page's cells are by themselves, and beside their parents."""
        parent, child = edges["parent"], edges["child"]
        names, below = fresh["address"], known["address"][child]
        self._refuse(names, fresh["level"] != [level_of(name) for name in names], "its level is not that of its address")
        self._refuse(names, ~(fresh["scale"] > 0), "its scale is not above 0")
        self._refuse(names, fresh["predicted"] & ~np.bool_(self._grown), "no predictor is known that grew it")
        root = names == ROOT
        self._refuse(names, root & (fresh["root_distance"] != 0), "the root's root distance is not 0")
        self._refuse(names, root & fresh["predicted"], "the root is never predicted")
        self._refuse(names, fresh["size"] < -1, "its size is below 0")
        self._refuse(names, fresh["radius"] < 0, "its radius is below 0")
        self._refuse(below, edges["length"] < 0, "the length of the edge to it is below 0")
        self._refuse(below, edges["slot"] != [int(name[name.rindex("/") + 1 :]) for name in below], "its slot is another")
        orphaned = known["predicted"][parent] & ~known["predicted"][child]
        self._refuse(below, orphaned, "its parent is predicted and it is not")
        for size in fresh["size"][root].tolist():
            if detail := points_detail(self._hierarchy, size=size):
                raise ValueError(detail)
        self._hold(check_edges(self._hierarchy, _edge_columns(known, edges)), below)

    def _check_links(self, page: Page, fresh: Rows) -> list[tuple[str, str]]:
        """The edges from second parents to a page's cells, as pairs of addresses."""
        prefix, found = len(self._hierarchy.id), []
        for row, (address, edges) in enumerate(zip(page["address"], page["above"], strict=True)):
            found += [(row, address, *edge) for edge in edges]
        if sum(edge[4] is False for edges in page["edges"] for edge in edges) != len(found):
            raise ValueError("there are edges from second parents, which the hierarchy does not tell of")
        if not found:
            return []
        rows, names, keys, level, center, scale, distance, residual, length = map(list, zip(*found, strict=True))
        above = [self._second_parent(key, child)[prefix:] for key, child in zip(keys, names, strict=True)]
        ends = {"center": center, "scale": scale, "root_distance": distance}
        self._check_places(names, above, level)
        self._hold(check_edges(self._hierarchy, self._link_columns(fresh, rows, ends, residual=residual, length=length)), names)
        return list(zip(above, names, strict=True))

    def _second_parent(self, key: Any, child: str) -> str:
        prefix = len(self._hierarchy.id)
        if not (isinstance(key, str) and key.startswith(self._hierarchy.id) and is_address(key[prefix:])):
            raise ValueError(f"cell {child} has {key!r} as a second parent, which is no cell of this hierarchy")
        return key

    def _check_places(self, names: Sequence[str], above: Sequence[str], level: Sequence[Any]) -> None:
        """Second parents come once, and none stands so that it should be the primary one."""
        if len(set(zip(names, above, strict=True))) < len(names):
            raise ValueError("a second parent comes twice")
        for name, second, stated in zip(names, above, level, strict=True):
            primary, gap = parent_address(name), level_of(second) + 1 - level_of(name)
            if second == primary or gap < 0 or (gap == 0 and second < primary) or stated != level_of(second):
                raise ValueError(f"cell {name} has {second} as a second parent, which should be the primary one, or is damaged")

    def _link_columns(self, fresh: Rows, rows: list[int], ends: Mapping[str, list], **edges: list) -> EdgeColumns:
        count, dimension = len(rows), self._hierarchy.dimension
        length = _numbers(edges["length"], float, name="length")
        if (length < 0).any():
            raise ValueError("the length of an edge from a second parent is below 0")
        return EdgeColumns(
            below=Ends(*(fresh[name][rows] for name in ("center", "scale", "root_distance"))),
            above=Ends(
                _vectors(ends["center"], dimension, name="center"),
                _numbers(ends["scale"], float, name="scale"),
                _numbers(ends["root_distance"], float, name="root_distance"),
            ),
            residual=_vectors(edges["residual"], dimension, name="residual"),
            length=length,
            primary=np.zeros(count, dtype=bool),
            virtual=np.zeros(count, dtype=bool),
        )

    def _second_children(self, page: Page, row_of: Mapping[str, int]) -> Rows:
        """The edges from a page's cells to children whose primary parent is another."""
        found = [
            (row_of[address], *edge) for address, edges in zip(page["address"], page["below"], strict=True) for edge in edges
        ]
        parent, slot, length, radius, size, frontier = zip(*found, strict=True) if found else ((),) * 6
        return {
            "parent": np.array(parent, dtype=np.int64),
            "slot": _numbers(slot, int, name="slot"),
            "length": _numbers(length, float, name="length"),
            "primary": np.zeros(len(found), dtype=bool),
            "radius": _numbers([np.nan if one is None else one for one in radius], float, name="radius", unknown=True),
            "size": _numbers([-1 if one is None else one for one in size], int, name="size"),
            "frontier": np.array(frontier, dtype=bool),
        }

    # -- cells of which all children have come

    def _close(self, known: Rows, families: Rows, *, kept: list[int]) -> None:
        closed = np.ones(len(known["address"]), dtype=bool)
        closed[kept] = False
        ended = closed[families["parent"]]
        self._check_families(_rows(known, closed), _renumbered(_rows(families, ended), closed))
        self._open = _rows(known, ~closed)
        self._families = _renumbered(_rows(families, ~ended), ~closed)

    def _check_families(self, cells: Rows, edges: Rows) -> None:
        hierarchy, names, parent = self._hierarchy, cells["address"], edges["parent"]
        children = np.bincount(parent, minlength=len(names))
        self._refuse(names, cells["expanded"] != (children > 0), "its state does not fit to whether it has children")
        if isinstance(hierarchy, FieldHierarchy):
            wrong = (children > 0) & (children != hierarchy.arity)
            self._refuse(names, wrong, f"it has another number of children than {hierarchy.arity}")
        order = np.lexsort((edges["slot"], parent))
        wanted = np.arange(len(order)) - (np.cumsum(children) - children)[parent[order]]
        self._refuse(names[parent[order]], edges["slot"][order] != wanted, "the slots of its children are not 0, 1, 2, ...")
        of_cells = {name: cells[name] for name in OF_CHILD}
        of_edges = {name: edges[name] for name in ("parent", "length", "primary")}
        of_children = {f"child_{name}": edges[name] for name in OF_CHILD}
        self._hold(check_families(hierarchy, Families(**of_cells, **of_edges, **of_children)), names)

    # -- what is broken

    def _hold(self, checks: Iterable[Check], names: Names) -> None:
        for check in checks:
            self._refuse(names, check.broken, check.message)

    def _refuse(self, names: Names, broken: np.ndarray, message: str) -> None:
        rows = np.flatnonzero(broken)
        if len(rows):
            raise DamagedError.of(self._hierarchy.id, f"{len(rows):,} cells, first {names[rows[0]]}: {message}")


def _line(address: str) -> Iterator[str]:
    """A cell and all those above it."""
    yield address
    while address != ROOT:
        address = parent_address(address)
        yield address


def _edge_columns(known: Rows, edges: Rows) -> EdgeColumns:
    below, above = (
        Ends(*(known[name][edges[end]] for name in ("center", "scale", "root_distance"))) for end in ("child", "parent")
    )
    primary = np.ones(len(edges["child"]), dtype=bool)
    return EdgeColumns(below, above, edges["residual"], edges["length"], primary, edges["virtual"])


def _family_edges(edges: Rows, known: Rows) -> Rows:
    """Edges with what their children say of themselves."""
    plain = {name: edges[name] for name in ("parent", "slot", "length")}
    primary = np.ones(len(edges["child"]), dtype=bool)
    return {**plain, "primary": primary, **{name: known[name][edges["child"]] for name in OF_CHILD}}


def _joined(one: Rows, other: Rows) -> Rows:
    return {name: np.concatenate([one[name], column]) for name, column in other.items()} if one else other


def _rows(columns: Rows, chosen: np.ndarray) -> Rows:
    return {name: column[chosen] for name, column in columns.items()}


def _renumbered(edges: Rows, chosen: np.ndarray) -> Rows:
    """Edges whose parents are rows among the chosen ones."""
    return {**edges, "parent": (np.cumsum(chosen) - 1)[edges["parent"]]}
