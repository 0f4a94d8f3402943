"""Sides: the two hierarchies of a diff, each a stream of its cells in the order of their addresses, a page at a time.

A side is a hierarchy of a store (pages of the graph, under a witness), a hierarchy with its cells, a Parquet file, or a field
in a folder (sheet after sheet). The order is that of the keys, which is the order of addresses as text: a cell comes after its
parent, and a subtree in one piece.
"""

from abc import abstractmethod
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from functools import cached_property
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8, UInt64

from cfgraph.errors import DamagedError, InputError
from cfgraph.formats.folders.keyed import KeyOrder, KeyPage
from cfgraph.formats.folders.place import is_folder
from cfgraph.formats.folders.reader import FolderReader, open_folder
from cfgraph.model.address import ROOT, is_address, key_of, level_of, parent_address
from cfgraph.model.columns import known_values
from cfgraph.model.hierarchy import Hierarchy, HierarchyWithCells
from cfgraph.sources.snapshots import find_snapshot, read_snapshot
from cfgraph.store.reading import PAGE_CELLS, number_column, vector_column
from cfgraph.store.subtree_digests import WHOLE, Stretch

if TYPE_CHECKING:
    from cfgraph.store import Store, Stores

NAME, ROW = "name", "row"  # properties of the source's own
PREDICTED = 4  # is added to the state of a cell that a predictor put
Page = dict[str, list[Any]]


@dataclass(frozen=True, eq=False)
class Contents:
    """What some cells hold, a row a cell."""

    center: Float[np.ndarray, "cells dim"]
    scale: Float[np.ndarray, " cells"]
    residual: Float[np.ndarray, "cells dim"]  # of the edge from the primary parent; zeros in a root
    length: Float[np.ndarray, " cells"]
    condition: UInt8[np.ndarray, " cells"]  # the state, and PREDICTED more where a predictor put the cell
    name: Shaped[np.ndarray, " cells"]  # None where there is none
    own: UInt64[np.ndarray, "cells properties"]  # a number for each value of a property; 0 where there is none
    points: UInt64[np.ndarray, " cells"]  # a number for the data points that lie in the cell itself

    def __len__(self) -> int:
        return len(self.scale)

    def take(self, rows: Int[np.ndarray, " rows"]) -> Self:
        """The same of some cells."""
        return type(self)(**{column.name: getattr(self, column.name)[rows] for column in fields(self)})

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Several parts as one."""
        columns = [column.name for column in fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in columns})


@dataclass(frozen=True, eq=False)
class Rows:
    """A page of a side: addresses, second parents, the data points in each cell (None where none are known), contents."""

    address: list[str]
    above: list[tuple[str, ...]]
    points: list[Sequence[int]] | None
    contents: Contents

    def __len__(self) -> int:
        return len(self.address)

    def cut(self, low: int, high: int) -> "Rows":
        """The rows from one on, up to another."""
        points = None if self.points is None else self.points[low:high]
        return Rows(self.address[low:high], self.above[low:high], points, self.contents.take(np.arange(low, high)))

    def before(self, other: "Rows") -> "Rows":
        """These rows, and those of another behind them."""
        points = None if self.points is None or other.points is None else self.points + other.points
        contents = Contents.joined([self.contents, other.contents])
        return Rows(self.address + other.address, self.above + other.above, points, contents)


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two hierarchies, without its cells."""

    hierarchy: Hierarchy

    @property
    def id(self) -> str:
        """What it is called."""
        return self.hierarchy.id

    @property
    def named(self) -> bool:
        """Whether cells of it have names."""
        return NAME in self.hierarchy.own

    @property
    def placed(self) -> bool:
        """Whether it is known in which cells its data points lie."""
        return self.hierarchy.point_nodes or ROW in self.hierarchy.own

    @abstractmethod
    def count(self) -> int:
        """How many cells there are."""

    @abstractmethod
    def pages(self, properties: Sequence[str], stretches: Sequence[Stretch] = (WHOLE,)) -> Iterator[Rows]:
        """The cells in the order of their addresses, with these properties of the source's own; those of some stretches."""


@dataclass(frozen=True, eq=False)
class StoreSide(Side):
    """A hierarchy of a store; whoever reads it has a witness."""

    store: "Store"

    def count(self) -> int:
        """How many cells there are."""
        return self.store.counts(self.id).cells

    def pages(self, properties: Sequence[str], stretches: Sequence[Stretch] = (WHOLE,)) -> Iterator[Rows]:
        """The cells by pages of the graph; a ``DamagedError`` for what is no cell, or is not finite."""
        there = False
        for page in self.store.stretch_pages(self.hierarchy, stretches):
            there = True
            yield self._rows(page, properties)
        if not there and WHOLE in stretches:
            raise DamagedError.of(self.id, "it has no cells, not even a root")

    def _rows(self, page: Page, properties: Sequence[str]) -> Rows:
        addresses = [key[len(self.id) :] for key in page["key"]]
        if (strange := next((address for address in addresses if not is_address(address)), None)) is not None:
            raise DamagedError.of(self.id, f"a cell has the address {strange!r}")
        first = [self._primary(*cell) for cell in zip(addresses, page["edges"], strict=True)]
        column = _Columns(self.id, addresses)
        own = dict(zip(self.hierarchy.own, zip(*page["own"], strict=True), strict=True)) if self.hierarchy.own else {}
        points = page["points"] if self.hierarchy.point_nodes else _points_by_row(own.get(ROW))
        contents = Contents(
            center=column.vectors("center", page["center"]),
            scale=column.numbers("scale", page["scale"]),
            residual=column.vectors("residual", [edge[0] for edge in first]),
            length=column.numbers("length", [edge[1] for edge in first]),
            condition=_conditions(page["state"], page["predicted"]),
            name=_objects(own.get(NAME, [None] * len(addresses))),
            own=_numbered(own, properties, count=len(addresses)),
            points=_numbers_of_points(points, count=len(addresses)),
        )
        above = [self._second(*cell) for cell in zip(addresses, page["edges"], strict=True)]
        return Rows(addresses, above, points, contents)

    def _primary(self, address: str, edges: list[list[Any]]) -> tuple[Any, Any]:
        """Residual and length of the edge from the primary parent; zeros for a root, 0 for a length below a virtual one."""
        found = [edge for edge in edges if edge[4] is None]
        if address == ROOT and not found:
            return [0.0] * self.hierarchy.dimension, 0.0
        if len(found) != 1 or address == ROOT or found[0][0] != key_of(self.id, parent_address(address)):
            raise DamagedError.of(self.id, f"cell {address} has {len(found)} primary parents, or another than its address says")
        _, _, residual, length, _ = found[0]
        return residual, 0.0 if length is None and self.hierarchy.virtual_root and level_of(address) == 1 else length

    def _second(self, address: str, edges: list[list[Any]]) -> tuple[str, ...]:
        """The addresses of the second parents."""
        keys = [edge[0] for edge in edges if edge[4] is not None]
        if any(not isinstance(key, str) or not key.startswith(self.id + "/") for key in keys):
            raise DamagedError.of(self.id, f"cell {address} has a parent in another hierarchy")
        return tuple(sorted(key[len(self.id) :] for key in keys)) if keys else ()


@dataclass(frozen=True, eq=False)
class CellsSide(Side):
    """A hierarchy in memory."""

    whole: HierarchyWithCells

    def count(self) -> int:
        """How many cells there are."""
        return len(self.whole.cells)

    @property
    def placed(self) -> bool:
        """Whether it is known in which cells its data points lie."""
        return self.whole.cell_of_point is not None or ROW in self.whole.cells.own

    def pages(self, properties: Sequence[str], stretches: Sequence[Stretch] = (WHOLE,)) -> Iterator[Rows]:
        """The cells, a page of them copied at a time."""
        addresses = self.whole.cells.addresses
        if not addresses:
            raise InputError(f"hierarchy {self.id!r} has no cells, not even a root")
        bounds = [[bisect_left(self._order, end, key=addresses.__getitem__) for end in stretch] for stretch in stretches]
        chosen = np.concatenate([np.arange(low, high) for low, high in bounds])
        for start in range(0, len(chosen), PAGE_CELLS):
            yield self._rows(self._order[chosen[start : start + PAGE_CELLS]], properties)

    @cached_property
    def _order(self) -> Int[np.ndarray, " cells"]:
        addresses = self.whole.cells.addresses
        return np.array(sorted(range(len(addresses)), key=addresses.__getitem__))

    def _rows(self, rows: Int[np.ndarray, " rows"], properties: Sequence[str]) -> Rows:
        addresses, chosen = self.whole.cells.addresses, rows.tolist()
        found = None if self._points is None else [self._points.get(row, []) for row in chosen]
        contents = self._contents(rows, properties, points=found)
        return Rows([addresses[row] for row in chosen], [self._above.get(row, ()) for row in chosen], found, contents)

    def _contents(
        self, rows: Int[np.ndarray, " rows"], properties: Sequence[str], *, points: list[Sequence[int]] | None
    ) -> Contents:
        cells = self.whole.cells
        own = {name: known_values(column[rows]) for name, column in cells.own.items()}
        taken = {name: np.asarray(getattr(cells, name)[rows]) for name in ("center", "scale", "residual", "length")}
        return Contents(
            **taken,
            condition=_conditions(cells.state[rows], cells.predicted[rows]),
            name=_objects(own.get(NAME, [None] * len(rows))),
            own=_numbered(own, properties, count=len(rows)),
            points=_numbers_of_points(points, count=len(rows)),
        )

    @cached_property
    def _above(self) -> dict[int, tuple[str, ...]]:
        cells, found = self.whole.cells, dict[int, tuple[str, ...]]()
        if cells.links is not None:
            for parent, child in zip(cells.links.parent.tolist(), cells.links.child.tolist(), strict=True):
                found[child] = tuple(sorted((*found.get(child, ()), cells.addresses[parent])))
        return found

    @cached_property
    def _points(self) -> dict[int, Sequence[int]] | None:
        """The data points in each cell that has some."""
        if not self.placed:
            return None
        placed, inside = self.whole.cell_of_point, defaultdict[int, list[int]](list)
        if placed is None:
            row = self.whole.cells.own[ROW]
            return {cell: [int(row[cell])] for cell in np.flatnonzero(row >= 0).tolist()}
        for point, cell in enumerate(placed.tolist()):
            if cell >= 0:
                inside[cell].append(point)
        return dict(inside)


@dataclass(frozen=True, eq=False)
class FolderSide(Side):
    """A field in a folder: its cells have no names, no properties and no data points."""

    reader: FolderReader

    def count(self) -> int:
        """How many cells there are."""
        return self.reader.count()

    @property
    def named(self) -> bool:
        """Never."""
        return False

    @property
    def placed(self) -> bool:
        """Never."""
        return False

    def pages(self, properties: Sequence[str], stretches: Sequence[Stretch] = (WHOLE,)) -> Iterator[Rows]:
        """All cells, in pages of sheets that stay in memory meanwhile."""
        assert tuple(stretches) == (WHOLE,), "no digests of subtrees are known of a folder: it is read whole"
        with KeyOrder(self.reader, page_cells=PAGE_CELLS) as order:
            for page in order.pages():
                yield self._rows(page, len(properties))

    def _rows(self, page: KeyPage, properties: int) -> Rows:
        count, columns = len(page), page.columns
        contents = Contents(
            **{name: columns[name] for name in ("center", "scale", "residual", "length")},
            condition=_conditions(columns["state"], columns["predicted"]),
            name=_objects([None] * count),
            own=np.zeros((count, properties), dtype=np.uint64),
            points=np.zeros(count, dtype=np.uint64),
        )
        return Rows(page.addresses, [()] * count, None, contents)


def open_side(
    source: "str | Path | HierarchyWithCells | FolderReader", *, store: "Store | Stores | None", large: bool
) -> tuple[Side, AbstractContextManager[Any]]:
    """The side that a source is, and what proves at its end that it stayed as it was: for a ``with``.

    A text is the id of a hierarchy in the store, or a snapshot of one (``koch@before``), or a field's folder (``grown/``); a
    ``Path`` a Parquet file, or such a folder. What is in a file is read whole: nothing in it is believed before its digest is
    known. A folder is read sheet by sheet, each page of which has a checksum.

    Raises:
        InputError: for an id without a store, and anything else.
        NotFoundError, ChangedError, VanishedError: as :class:`cfgraph.store.witness.Witness`.
    """
    if (isinstance(source, Path) and source.is_dir()) or (isinstance(source, str) and is_folder(source)):
        source = open_folder(str(source))
    if isinstance(source, FolderReader):
        return FolderSide(source.hierarchy, source), nullcontext()
    home: Store | None = None
    if isinstance(source, str) and store is not None:
        home, source = store.resolve(source)
        if (kept := find_snapshot(home, source)) is not None:
            source = read_snapshot(kept, large=large).hierarchy
    if isinstance(source, Path):
        from cfgraph.formats.parquet import read_parquet

        source = read_parquet(source, large=large).hierarchy
    if isinstance(source, Hierarchy):
        return _in_memory(source.require_cells())
    if not isinstance(source, str):
        raise InputError(
            "expected the id of a hierarchy, a hierarchy with its cells, the Path of a Parquet file, or a field's folder, got "
            f"{source!r}"
        )
    if home is None:
        raise InputError(f'{source!r} is the id of a hierarchy, which only a store knows: diff("a", "b", store=store)')
    witness = home.witness(source)
    return StoreSide(witness.hierarchy, home), witness


def _in_memory(whole: HierarchyWithCells) -> tuple[Side, AbstractContextManager[Any]]:
    if whole.cells.top != ROOT:
        raise InputError(f"expected whole hierarchies, got the cells of {whole.id!r} below {whole.cells.top} alone")
    return CellsSide(whole.without_cells(), whole), nullcontext()


@dataclass(frozen=True)
class _Columns:
    """Makes columns of the values of some cells; a ``DamagedError`` names the first that is none of its kind."""

    id: str
    addresses: list[str]

    def vectors(self, name: str, values: list[Any]) -> Float[np.ndarray, "cells dim"]:
        return self._made(vector_column, name, values)

    def numbers(self, name: str, values: list[Any]) -> Float[np.ndarray, " cells"]:
        return self._made(number_column, name, values)

    def _made(self, make: Callable[[list[Any]], np.ndarray], name: str, values: list[Any]) -> np.ndarray:
        try:
            return make(values)
        except (ValueError, OverflowError) as error:
            cells = zip(self.addresses, values, strict=True)
            place = next((where for where, value in cells if _fails(make, value)), "some cells")
            raise DamagedError.of(self.id, f"the {name} of {place} {error}") from error


def _fails(make: Callable[[list[Any]], np.ndarray], value: Any) -> bool:
    try:
        make([value])
    except (ValueError, OverflowError):
        return True
    return False


def _conditions(state: Any, predicted: Any) -> UInt8[np.ndarray, " cells"]:
    found: np.ndarray = np.asarray(state, dtype=np.uint8) + np.uint8(PREDICTED) * np.asarray(predicted, dtype=bool)
    return found.astype(np.uint8)


def _objects(values: Sequence[Any]) -> Shaped[np.ndarray, " cells"]:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _points_by_row(rows: Sequence[Any] | None) -> list[Sequence[int]] | None:
    """The data point of each cell, where a property of the source's own says it."""
    return None if rows is None else [() if row is None else (int(row),) for row in rows]


def _numbered(
    own: Mapping[str, Sequence[Any]], properties: Sequence[str], *, count: int
) -> UInt64[np.ndarray, "cells properties"]:
    """A number for each value of some properties."""
    columns = np.zeros((count, len(properties)), dtype=np.uint64)
    for place, name in enumerate(properties):
        if name in own:
            columns[:, place] = [number_of(value) for value in own[name]]
    return columns


def _numbers_of_points(points: list[Sequence[int]] | None, *, count: int) -> UInt64[np.ndarray, " cells"]:
    found = np.zeros(count, dtype=np.uint64)
    if points is not None:
        found[:] = [number_of(sorted(rows)) if len(rows) else 0 for rows in points]
    return found


def number_of(value: Any) -> int:
    """64 bits of a BLAKE2b hash of a value, 0 for None: equal values, equal numbers, and 1 is 1.0."""
    if value is None:
        return 0
    return int.from_bytes(blake2b(repr(_plain(value)).encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def counted(pages: Iterator[Rows], *, tell: Callable[[int], None]) -> Iterator[Rows]:
    """The same pages; of each it is told how many cells it has."""
    for page in pages:
        yield page
        tell(len(page))


def all_names(*sides: Side) -> tuple[str, ...]:
    """The properties of their own that cells of some sides have, but the name."""
    return tuple(sorted(set(chain.from_iterable(side.hierarchy.own for side in sides)) - {NAME}))
