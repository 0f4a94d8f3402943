"""Hierarchies: what the graph holds, and the cells of one, read in pages or whole."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import AddressError, DamagedError, InputError, NotFoundError
from cfgraph.model.address import ROOT, check_id, key_of, level_of, parse_address, subtree_range
from cfgraph.model.cells import Cells
from cfgraph.model.columns import CARRIED, EDGE, FLOAT, OPTIONAL, fits_kind, one_kind, width_of
from cfgraph.model.encoder import Encoder
from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy, HierarchyWithCells
from cfgraph.model.invariants import room_for_points
from cfgraph.model.reader import Columns
from cfgraph.store import reading
from cfgraph.store.digest import digest_hierarchy, digest_pages
from cfgraph.store.encoders import Encoders
from cfgraph.store.reader import StoreReader
from cfgraph.store.records import DamagedNode, hierarchy_of, sound_ones
from cfgraph.store.witness import Proof, Witness
from cfgraph.store.writing import key_pages

KEYS = 10_000  # cells that a query is asked for by key
CHILDREN = 8_000  # that a query for children gives back, where cells have so many
VERIFICATION_CELLS = 5_000  # a page of verify: each cell comes with its parents and children


@dataclass(frozen=True)
class Counts:
    """What a hierarchy holds just now."""

    cells: int
    depth: int
    frontier: int
    leaves: int
    predicted: int


@dataclass(frozen=True)
class Size:
    """How many cells a hierarchy has just now, and how many data points it was made of; None where it was made of none."""

    cells: int
    points: int | None


class Hierarchies(Encoders):
    """Asking for hierarchies and their cells."""

    def hierarchies(self) -> list[Hierarchy]:
        """Every hierarchy, without cells, oldest first; but those whose nodes are damaged (``Store.damaged``)."""
        return self._listed()[0]

    def _listed(self) -> tuple[list[Hierarchy], list[DamagedNode]]:
        return sound_ones((row["hierarchy"] for row in self._graph.read("list_hierarchies")), hierarchy_of)

    def hierarchy(self, id: str) -> Hierarchy:
        """One hierarchy, without cells; a ``NotFoundError`` where there is none of that id."""
        rows = self._graph.read("read_hierarchy", id=check_id(id))
        if not rows:
            raise NotFoundError(f"there is no hierarchy {id!r} in this store; `cfgraph ls` lists what it holds")
        return hierarchy_of(rows[0]["hierarchy"])

    def encoder(self, id: str | Hierarchy) -> Encoder | None:
        """What was done to a hierarchy's data before it was made of them; None where nothing was.

        ``cfgraph.learning.encoders.load_encoder`` makes of it what encodes. A hierarchy in place of its id, as it was read
        before, means just that one. Raises a ``DamagedError`` for what is not the one that the hierarchy was made with.
        """
        if isinstance(id, Hierarchy) and id.encoder_sha256 is None:
            return None
        with self.witness(id, live=True) as witness:
            return self._encoder_of(witness.hierarchy)

    def counts(self, id: str) -> Counts:
        """How many cells a hierarchy has by now, counted."""
        low, high = subtree_range(check_id(id))
        return Counts(**self._graph.read("count_cells", low=low, high=high)[0])

    def sizes(self, hierarchies: Sequence[Hierarchy]) -> list[Size]:
        """How large hierarchies are: cells counted in the index of their keys alone, so that none is read."""
        rows = self._graph.read("count_sizes", ids=[hierarchy.id for hierarchy in hierarchies])
        found = {row["id"]: row for row in rows}
        return [
            Size(row["cells"], row["points"] if hierarchy.points is None else hierarchy.points)
            for hierarchy in hierarchies
            for row in [found[hierarchy.id]]
        ]

    def witness(self, of: str | Hierarchy, *, depth: int | None = None, live: bool = False) -> Witness:
        """A ``with`` around what is read in several queries: at its end the hierarchy is as it was, or it raises.

        ``of`` is an id, or the hierarchy as it was read before; ``depth`` the deepest level that is read. A ``live`` one lets
        it be written and grown meanwhile: each cell is as it should be, but they may be of several moments.
        """
        return Witness(self._graph, of, depth=depth, live=live)

    def read(self, id: str | Hierarchy, *, depth: int | None = None, top: str = ROOT, live: bool = False) -> Cells:
        """The cells at and below ``top``, down to level ``depth`` where one is given, in breadth-first order.

        A hierarchy in place of its id, as it was read before, means just that one: a ``VanishedError`` where it is gone.
        A prefix costs what it holds, whatever lies below it. At its last level cells that go on count as frontier. Raises a
        ``ChangedError`` where the hierarchy is being written or grown, below the levels that a growth began with, unless the
        read is ``live``: then each block is there whole or not at all, but they may be of several moments.
        """
        with self.witness(id, depth=depth, live=live) as witness:
            cells = self._read(witness.hierarchy, depth=depth, top=top)
            if not live:  # a block may have come between two pages
                reading.check_children(cells, witness.hierarchy)
            return cells

    def _read(self, hierarchy: Hierarchy, *, depth: int | None, top: str = ROOT) -> Cells:
        id = hierarchy.id
        parse_address(top)
        if depth is not None and depth < level_of(top):
            raise InputError(f"expected a depth of at least {level_of(top)}, the level of {top}, got {depth}")
        cells = reading.read_cells(self._graph, id, depth=depth, top=top, extras=hierarchy.data_built)
        return reading.with_own(self._graph, cells, hierarchy) if hierarchy.imported or hierarchy.own else cells

    def read_whole(self, id: str, *, depth: int | None = None) -> HierarchyWithCells:
        """A hierarchy with its cells, with the cells of its data points where these are nodes of the graph, and its encoder.

        A prefix, down to level ``depth``, comes without the latter two. Raises a ``ChangedError`` as :meth:`read` does.
        """
        with self.witness(id, depth=depth) as witness:
            hierarchy = witness.hierarchy
            cells = self._read(hierarchy, depth=depth)
            reading.check_children(cells, hierarchy)
            placed = self._read_points(hierarchy, cells) if hierarchy.point_nodes and depth is None else None
            encoder = self._encoder_of(hierarchy) if depth is None else None
            names = None if placed is None else self.point_names(hierarchy)
            besides = {} if placed is None else self.point_columns(hierarchy)
            whole = hierarchy.with_cells(cells, cell_of_point=placed, encoder=encoder)
            return whole.replace(point_names=names, point_columns=besides)

    def point_names(self, hierarchy: Hierarchy) -> tuple[str, ...] | None:
        """What the data points that are nodes are called, by their rows; None where one of them has no name."""
        if not hierarchy.point_nodes:
            return None
        names = [""] * (hierarchy.points or 0)
        for page in reading.point_pages(self._graph, hierarchy.id):
            for row, name in zip(page["row"], page["name"], strict=True):
                names[row] = name
        return tuple(names) if all(names) else None

    def point_columns(self, hierarchy: Hierarchy) -> dict[str, np.ndarray]:
        """What a source knows of the data points that are nodes besides, by their rows: NaN and -1 for nothing."""
        kinds = (hierarchy.point_kinds or {}) if hierarchy.point_nodes else {}
        points = hierarchy.points or 0
        columns = {
            name: np.full(points, np.nan) if kind == FLOAT else np.full(points, -1, dtype=np.int64)
            for name, kind in kinds.items()
        }
        for page in reading.point_pages(self._graph, hierarchy.id, list(kinds)) if kinds else ():
            for row, values in zip(page["row"], page["own"], strict=True):
                for name, value in zip(kinds, values, strict=True):
                    if type(value) is (float if kinds[name] == FLOAT else int):
                        columns[name][row] = value
        return columns

    def _read_points(self, hierarchy: Hierarchy, cells: Cells) -> Int[np.ndarray, " points"]:
        """The row of the cell that each data point lies in; -1 for none."""
        if hierarchy.points is None:
            raise DamagedError.of(hierarchy.id, "it has data points as nodes and no number of them")
        self.check_points(hierarchy)
        row_of = {address: row for row, address in enumerate(cells.addresses)}
        placed = room_for_points(hierarchy, dtype=np.int64) - 1
        for page in reading.point_pages(self._graph, hierarchy.id):
            placed[page["row"]] = [row_of[address] for address in page["address"]]
        return placed

    def check_points(self, hierarchy: Hierarchy) -> None:
        """Raise a ``DamagedError`` where a data point that is a node does not lie in one cell of the hierarchy's own."""
        if stray := self.stray_points(hierarchy):
            detail = f"{stray[0]['key']!r}, a data point, lies in {stray[0]['cells']} of its cells, or has another number"
            raise DamagedError.of(hierarchy.id, detail)

    def stray_points(self, hierarchy: Hierarchy) -> list[dict[str, Any]]:
        """Data points that do not lie in exactly one cell of their hierarchy, or are not what their key says; some of them."""
        points = (hierarchy.points or 0) if hierarchy.point_nodes else 0  # of others each one that is there is none of theirs
        low, high = subtree_range(hierarchy.id)
        return self._graph.read("read_stray_points", id=hierarchy.id, low=low, high=high, points=points)

    def reader(self, id: str) -> StoreReader:
        """The hierarchy's cells by address, as compare and others ask for them."""
        self._readable(id)
        return StoreReader(self, id)

    def read_at(self, id: str | Hierarchy, addresses: Sequence[str]) -> Columns:
        """The cells at some addresses: those that are there, in any order; ``address`` says which.

        A hierarchy in place of its id, as it was read before, means just that one: a ``VanishedError`` where it is gone.
        """
        return self._read_keyed("read_cells", id, addresses)

    def read_children(self, id: str | Hierarchy, addresses: Sequence[str]) -> Columns:
        """The children of the cells at some addresses, in any order; a hierarchy in place of its id as in :meth:`read_at`."""
        return self._read_keyed("read_children", id, addresses)

    def read_own(self, id: str | Hierarchy, addresses: Sequence[str], name: str) -> list[Any]:
        """A property that the source, or a cut, gave the cells at some addresses, in the order asked; None where one has none.

        Raises a ``DamagedError`` for a value that the property's description rules out, and where a cell is not there.
        """
        with self.witness(id, live=True) as witness:
            return list(chain.from_iterable(reading.own_at(self._graph, witness.hierarchy, addresses, name)))

    def _read_keyed(self, operation: str, of: str | Hierarchy, addresses: Sequence[str]) -> Columns:
        with Proof(self._graph, of) if isinstance(of, Hierarchy) else self.witness(of, live=True) as witness:
            id = witness.hierarchy.id
            asked = {"id_size": len(id), "extras": witness.hierarchy.data_built}
            keys = sorted({key_of(id, address) for address in addresses})

            def read(page: list[str], ask: Callable[..., list[dict[str, Any]]] = self._graph.read) -> reading.Packed:
                return reading.packed(reading.checked(ask(operation, keys=page, **asked)[0], id), id)

            arity = witness.hierarchy.arity if isinstance(witness.hierarchy, FieldHierarchy) else 1
            pages = list(key_pages(keys, size=max(1, CHILDREN // arity) if operation == "read_children" else KEYS))
            if len(pages) == 1 and isinstance(witness, Proof):
                return reading.joined_columns([read(pages[0], witness.read)], id=id)
            return reading.joined_columns(reading.in_connections(read, pages), id=id)

    def read_level(self, id: str, level: int) -> dict[str, np.ndarray]:
        """The columns of one level's cells, in breadth-first order, with their ``address``."""
        if level < 0:
            raise InputError(f"expected a level of at least 0, got {level}")
        cells = self.read(id, depth=level)
        rows = cells.level_rows(level)
        return {"address": np.array(cells.addresses[rows]), **cells.take(rows)}

    def read_columns(self, id: str, columns: tuple[str, ...], *, top: str = ROOT) -> Iterator[dict[str, np.ndarray]]:
        """Pages of chosen columns (``address`` always among them) of the cells below ``top``, in key order.

        Raises a ``ChangedError`` as :meth:`read` does; where the hierarchy changes meanwhile, behind the last page.
        """
        with self.witness(id) as witness:
            hierarchy = witness.hierarchy
            if unknown := set(columns) - set(CARRIED):
                raise InputError(f"expected columns among {', '.join(CARRIED)}, got {', '.join(sorted(unknown))}")
            edges, extras = bool(set(EDGE) & set(columns)), hierarchy.data_built and bool(set(OPTIONAL) & set(columns))
            for page in reading.read_pages(self._graph, id, top=top, edges=edges, extras=extras):
                found = reading.packed({name: page[name] for name in ("addresses", *columns)}, id).arrays
                yield {"address": np.array(page["addresses"]), **found}

    def parent_tuple(self, id: str, address: str) -> Float[np.ndarray, "arity dim"] | None:
        """The tuple of a cell's parent, in slot order; None for the root."""
        parse_address(address)
        return reading.parent_tuple(self._graph, check_id(id), address)

    def digest(self, id: str, *, live: bool = False) -> str:
        """One name for everything that the hierarchy's cells hold: equal digests, equal cells.

        Raises a ``ChangedError`` as :meth:`read` does, unless it is ``live``.
        """
        with self.witness(id, live=live) as witness:
            hierarchy = witness.hierarchy
            if not (hierarchy.imported or hierarchy.own):
                pages = reading.read_pages(self._graph, id)
                return digest_pages(reading.typed(page, id) for page in pages)
            cells = self._read(hierarchy, depth=None)  # links and points speak of rows, so it is read whole
            placed = self._read_points(hierarchy, cells) if hierarchy.point_nodes else None
            return digest_hierarchy(hierarchy.with_cells(cells, cell_of_point=placed))

    def _readable(self, id: str) -> Hierarchy:
        hierarchy = self.hierarchy(id)
        if hierarchy.state == "removing":
            raise InputError(f"{id!r} is half removed; run `cfgraph rm {id}` again to finish that")
        return hierarchy

    def find_named(self, id: str, names: Collection[str]) -> dict[str, str]:
        """The addresses of the cells of some names; an ``AddressError`` for names that no cell, or several, have."""
        self._readable(id)
        low, high = subtree_range(id)
        rows = self._graph.read("find_named", low=low, high=high, names=sorted(names), id_size=len(id))
        found = {row["name"]: row["address"] for row in rows}
        if missing := [name for name in sorted(names) if name not in found]:
            raise AddressError(
                f"expected an address such as '/' or '/2/0', or the name of a cell; none of {id!r} is called {missing[0]!r}"
            )
        if len(rows) > len(found):
            name = Counter(row["name"] for row in rows).most_common(1)[0][0]
            places = [row["address"] for row in rows if row["name"] == name]
            raise AddressError(
                f"{len(places)} cells of {id!r} are called {name!r}, at {', '.join(places[:3])}"
                f"{', ...' if len(places) > 3 else ''}; say which by address"
            )
        return found

    def verification_pages(
        self, id: str, *, names: Sequence[str] = (), start: str | None = None
    ) -> Iterator[dict[str, list[Any]]]:
        """Every cell (from the key ``start`` on) with what the invariants speak of, in key order, a page at a time."""
        low, high = subtree_range(id)
        start = low if start is None else start
        while True:
            page = self._graph.read("read_verification", start=start, high=high, page=VERIFICATION_CELLS, names=list(names))[0]
            if not page["cells"]:
                return
            start = reading.next_key(page["cells"][-1][0])
            yield page

    def sound_pages(self, hierarchy: Hierarchy) -> Iterator[dict[str, Any]]:
        """All cells of a field with what its invariants speak of, as columns, in key order, a page at a time."""
        start, high = subtree_range(hierarchy.id)
        asked = {"id": hierarchy.id, "high": high, "page": reading.PAGE_CELLS}
        yield from reading.unchecked_pages_ahead(self._graph, "read_sound", start=start, **asked)

    def import_pages(self, id: str) -> Iterator[dict[str, list[Any]]]:
        """Every cell as it is, with every edge that leads to it, in key order, a page at a time, within a :meth:`witness`.

        Of an imported hierarchy with the values of its own properties (``own``), where points are nodes with the numbers
        of those in the cell (``points``), where there are links with what stands at their other ends (``above``, ``below``).
        """
        hierarchy = self._readable(id)
        start, high = subtree_range(id)
        asked = {"high": high, "page": reading.PAGE_CELLS, "names": list(hierarchy.own), "points": hierarchy.point_nodes}
        asked["links"] = hierarchy.links > 0
        yield from reading.pages_ahead(self._graph, "read_import", id, start=start, **asked)

    def stretch_pages(self, hierarchy: Hierarchy, stretches: Sequence[tuple[str, str]]) -> Iterator[dict[str, list[Any]]]:
        """The cells of some stretches of addresses, in their order, with what a diff compares, within a :meth:`witness`.

        A stretch goes from an address up to, without, what is behind its last one; each lies behind the one before it.
        """
        keys = [(hierarchy.id + low, hierarchy.id + high) for low, high in stretches]
        asked = {"names": list(hierarchy.own), "points": hierarchy.point_nodes}
        yield from reading.stretches_ahead(self._graph, hierarchy.id, stretches=keys, **asked)

    def own_kinds(self, hierarchy: Hierarchy) -> dict[str, set[str]]:
        """The kinds (``model/columns.py``) of the values in each property of the source's own, as the graph has them.

        Raises a ``DamagedError`` where they are not what the description says.
        """
        vectors = {name: {kind} for name, kind in hierarchy.own_kinds.items() if width_of(kind)}
        names = [name for name in hierarchy.own if name not in vectors]
        if not names:
            return vectors
        low, high = subtree_range(hierarchy.id)
        rows = self._graph.read("read_own_kinds", low=low, high=high, names=names)
        found = {row["name"]: {kind.removesuffix(" NOT NULL") for kind in row["kinds"]} - {"NULL"} for row in rows}
        kinds = {name: vectors.get(name) or found.get(name, set()) for name in hierarchy.own}
        for name, stated in hierarchy.own_kinds.items():
            if not fits_kind(one_kind(kinds[name]), stated):
                detail = f"{name} of some is {one_kind(kinds[name])}, and should be {stated}"
                raise DamagedError.of(hierarchy.id, detail)
        return kinds

    def strays(self, id: str) -> list[dict[str, Any]]:
        """Cells that say they are the hierarchy's but cannot be found by its keys."""
        low, high = subtree_range(id)
        return self._graph.read("read_strays", id=id, low=low, high=high)
