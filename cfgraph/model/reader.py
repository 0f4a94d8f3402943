"""Reader: cells by address, wherever they are: in memory and in the graph, later in fields and files that store nothing.

Who asks (compare, locate, path, export) asks a reader, so that each works wherever cells come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from cfgraph.errors import AddressError
from cfgraph.model.cells import Cells
from cfgraph.model.columns import known_values

Columns = dict[str, np.ndarray]  # ``address`` and what every cell has: a row a cell


@runtime_checkable
class Reader(Protocol):
    """Cells of one hierarchy, by address."""

    @property
    def depth(self) -> int:
        """The deepest level that holds a cell."""

    def count(self) -> int:
        """How many cells there are."""

    def read(self, *, top: str, depth: int) -> Cells:
        """The cells at and below ``top``, down to level ``depth``, with their true residuals."""

    def cells(self, addresses: Sequence[str]) -> Columns:
        """The cells at some addresses: those that are there, in the order asked; ``address`` says which."""

    def children(self, addresses: Sequence[str]) -> Columns:
        """The children of the cells at some addresses, siblings in the order of their slots."""


@runtime_checkable
class OwnReader(Protocol):
    """A reader of cells that have properties besides."""

    def own(self, addresses: Sequence[str], name: str) -> list[Any]:
        """A property of the cells at some addresses, in the order asked; None where one has none."""


@dataclass(frozen=True, eq=False)
class CellsReader:
    """Cells in memory."""

    held: Cells

    @property
    def depth(self) -> int:
        """The deepest level that holds a cell."""
        return self.held.depth

    def count(self) -> int:
        """How many cells there are."""
        return len(self.held)

    def read(self, *, top: str, depth: int) -> Cells:
        """The cells at and below ``top``, down to level ``depth``."""
        part = self.held if top == self.held.top else subtree(self.held, top)
        return part if depth >= part.depth else part.prefix(depth)

    def cells(self, addresses: Sequence[str]) -> Columns:
        """The cells at some addresses: those that are there, in the order asked."""
        return self._columns(self._rows(addresses))

    def children(self, addresses: Sequence[str]) -> Columns:
        """The children of the cells at some addresses, siblings in the order of their slots."""
        rows = self._rows(addresses)
        counts = self.held.child_count[rows]
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        return self._columns(np.repeat(self.held.first_child[rows], counts) + within)

    def own(self, addresses: Sequence[str], name: str) -> list[Any]:
        """A property of the cells at some addresses, in the order asked; None where one has none."""
        values = known_values(self.held.own[name])
        return [values[self.held.row(address)] for address in addresses]

    def _rows(self, addresses: Sequence[str]) -> Int[np.ndarray, " there"]:
        rows = []
        for address in addresses:
            try:
                rows.append(self.held.row(address))
            except AddressError:
                continue
        return np.array(rows, dtype=np.int64)

    def _columns(self, rows: Int[np.ndarray, " rows"]) -> Columns:
        addresses = self.held.addresses
        columns = self.held.take(rows)
        del columns["parent"]  # a row of these cells, which says nothing elsewhere
        return {"address": np.array([addresses[row] for row in rows.tolist()], dtype=object), **columns}


def subtree(cells: Cells, address: str) -> Cells:
    """The cell at ``address`` and all its descendants, as cells of their own with that top.

    In breadth-first order the parents' rows never fall, so that the descendants on each level are one slice.
    """
    low = cells.row(address)
    high, slices, parents, start = low + 1, [], [np.array([-1])], 0
    while high > low:
        slices.append(np.arange(low, high))
        below, beyond = np.searchsorted(cells.parent, [low, high])
        parents.append(cells.parent[below:beyond] - low + start)
        start, low, high = start + high - low, int(below), int(beyond)
    columns = cells.take(np.concatenate(slices))
    columns["parent"] = np.concatenate(parents)
    return cells.with_columns(**columns, links=None, own={}, top=address)
