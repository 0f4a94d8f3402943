"""StoreReader: cells of a hierarchy in the graph, by address; KnownReader: of just the one that was there before."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from cfgraph.errors import DamagedError
from cfgraph.model.address import KEY_BYTES_MAX, ROOT, level_of
from cfgraph.model.cells import Cells
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.model.reader import Columns

if TYPE_CHECKING:
    from cfgraph.store.hierarchies import Counts, Hierarchies
    from cfgraph.store.levels import KnownLevels

_FEW_LEVELS = 3


@dataclass(frozen=True)
class StoreReader:
    """A hierarchy in the graph; its depth and the number of its cells are counted once, when they are first asked for."""

    store: "Hierarchies"
    id: str

    @cached_property
    def _counts(self) -> "Counts":
        return self.store.counts(self.id)

    @property
    def depth(self) -> int:
        """The deepest level that holds a cell."""
        depth = self._counts.depth
        if type(depth) is not int or not 0 <= depth <= KEY_BYTES_MAX:
            raise DamagedError.of(self.id, f"the level of some cells is {depth!r}")
        return depth

    def count(self) -> int:
        """How many cells there are."""
        return self._counts.cells

    def read(self, *, top: str, depth: int) -> Cells:
        """The cells at and below ``top``, down to level ``depth``: by a range of keys where that is all of them.

        Of few levels nobody asks whether that is so: to know it all cells are counted, whose number has no bound.
        """
        whole = depth - level_of(top) > _FEW_LEVELS and depth >= self.depth
        return self.store.read(self.id, top=top, depth=None if whole else depth)

    def cells(self, addresses: Sequence[str]) -> Columns:
        """The cells at some addresses: those that are there, in the order asked."""
        return _as_asked(self.store.read_at(self.id, addresses), addresses)

    def children(self, addresses: Sequence[str]) -> Columns:
        """The children of the cells at some addresses, siblings in the order of their slots."""
        return _by_parent(self.store.read_children(self.id, addresses), addresses, self.id)


def _as_asked(found: Columns, addresses: Sequence[str]) -> Columns:
    """Cells in the order in which they were asked for."""
    row_of = {address: row for row, address in enumerate(found["address"].tolist())}
    order = [row_of[address] for address in addresses if address in row_of]
    return {name: column[order] for name, column in found.items()}


def _by_parent(found: Columns, addresses: Sequence[str], id: str) -> Columns:
    """Children in the order in which their parents were asked for, siblings in the order of their slots."""
    place = {address: row for row, address in enumerate(addresses)}
    ways = [address.rpartition("/") for address in found["address"].tolist()]
    above = np.array([place.get(way[0] or ROOT, -1) for way in ways], dtype=np.int64)
    slots = _slots_of([way[2] for way in ways])
    if slots is None or (above < 0).any():
        raise DamagedError.of(id, "an edge leads to a cell that is no child by its address")
    order = np.lexsort((slots, above))
    columns = {name: column[order] for name, column in found.items()}
    return {**columns, "slot": slots[order]}


def _slots_of(texts: list[str]) -> Int[np.ndarray, " texts"] | None:
    """The numbers of slots that texts are; None where one is no such number."""
    try:
        found = np.array([int(text) for text in texts], dtype=np.int32)
    except (ValueError, OverflowError):
        return None
    return found if (found >= 0).all() and list(map(str, found.tolist())) == texts else None


@dataclass(frozen=True)
class KnownReader:
    """Cells of a hierarchy in the graph, of just the one that was there when the field was made: each read proves that."""

    store: "KnownLevels"
    hierarchy: Hierarchy

    @property
    def depth(self) -> int:
        """The deepest level that holds a cell."""
        with self._read() as reader:
            return reader.depth

    @property
    def known_depth(self) -> int | None:
        """The same where no cell has to be counted for it (``Store.levels``); None elsewhere."""
        return self.store.levels(self.hierarchy).depth

    def count(self) -> int:
        """How many cells there are."""
        with self._read() as reader:
            return reader.count()

    def read(self, *, top: str, depth: int) -> Cells:
        """The cells at and below ``top``, down to level ``depth``."""
        if depth - level_of(top) <= _FEW_LEVELS:
            return self.store.read(self.hierarchy, top=top, depth=depth)
        with self._read() as reader:
            return reader.read(top=top, depth=depth)

    def cells(self, addresses: Sequence[str]) -> Columns:
        """The cells at some addresses: those that are there, in the order asked."""
        return _as_asked(self.store.read_at(self.hierarchy, addresses), addresses)

    def children(self, addresses: Sequence[str]) -> Columns:
        """The children of the cells at some addresses, siblings in the order of their slots."""
        return _by_parent(self.store.read_children(self.hierarchy, addresses), addresses, self.hierarchy.id)

    def own(self, addresses: Sequence[str], name: str) -> list[Any]:
        """A property that cells have besides, of those at some addresses, in the order asked; None where one has none."""
        return self.store.read_own(self.hierarchy, addresses, name)

    @contextmanager
    def _read(self) -> Iterator[StoreReader]:
        with self.store.witness(self.hierarchy, live=True):
            yield self.store.reader(self.hierarchy.id)
