"""Beside: two hierarchies cell by cell, linked by address, or by name where they were imported: how far they are apart.

The displacement is that of the centers in units of the cell's scale. Deep down double precision does not tell it; the error of
the residual, in units of the parent's scale, is told at any level.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import AddressError
from cfgraph.model.cells import Cells
from cfgraph.model.field import Field
from cfgraph.model.reader import CellsReader

_DIGITS = 1e-3  # units of scale that a displacement may be off for rounding
_EPSILON = 2.0**-52
ASKED_AT_ONCE = 4_096  # addresses
LOOKED_AT = 20_000  # cells of a rule, the first ones, among which the worst are


@dataclass(frozen=True, eq=False)
class Apart:
    """How far cells are from their partners; NaN where one has none, or where no digit tells."""

    in_scale: Float[np.ndarray, " cells"]
    residual_error: Float[np.ndarray, " cells"]


@dataclass(frozen=True, eq=False)
class Side:
    """One of two hierarchies."""

    field: Field
    imported: bool

    @property
    def cells(self) -> Cells | None:
        """Its cells, where they are in memory."""
        return self.field.reader.held if isinstance(self.field.reader, CellsReader) else None

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The rows of cells in memory, by address."""
        return {} if self.cells is None else {address: row for row, address in enumerate(self.cells.addresses)}

    @cached_property
    def named(self) -> dict[str, str]:
        """The addresses of cells in memory, by name; names that several have are left out."""
        cells = self.cells
        if cells is None or cells.names is None:
            return {}
        found: dict[str, str] = {}
        twice = set[str]()
        for name, address in zip(cells.names, cells.addresses, strict=True):
            if name is not None:
                twice |= {name} & found.keys()
                found[name] = address
        return {name: address for name, address in found.items() if name not in twice}

    @cached_property
    def names(self) -> dict[str, str]:
        """The names of cells in memory, by address."""
        return {address: name for name, address in self.named.items()}

    def look_up(self, addresses: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Center, scale and residual of cells; NaN where there is none."""
        dimension = self.field.ground.top.center.shape[1]
        center, scale = np.full((len(addresses), dimension), np.nan), np.full(len(addresses), np.nan)
        residual = np.full((len(addresses), dimension), np.nan)
        if self.field.descent is None and self.cells is not None:
            rows = np.array([self.row_of.get(address, -1) for address in addresses], dtype=np.int64)
            there = np.flatnonzero(rows >= 0)
            center[there], scale[there] = self.cells.center[rows[there]], self.cells.scale[rows[there]]
            residual[there] = self.cells.residual[rows[there]]
            return center, scale, residual
        self._ask(list(addresses), self._there(addresses), center, scale, residual)
        return center, scale, residual

    def _there(self, addresses: Sequence[str]) -> Int[np.ndarray, " rows"]:
        """The rows of addresses at which there may be cells: where no rule goes on, those that are stored, asked at once."""
        reader = self.field.reader
        if self.field.descent is not None or reader is None:
            return np.arange(len(addresses))
        found = set[str]()
        for low in range(0, len(addresses), ASKED_AT_ONCE):
            found |= set(reader.cells(addresses[low : low + ASKED_AT_ONCE])["address"].tolist())
        return np.flatnonzero([address in found for address in addresses])

    def _ask(self, addresses: list[str], rows: np.ndarray, center: np.ndarray, scale: np.ndarray, residual: np.ndarray) -> None:
        """What the field answers; parts in which there is an address without a cell are halved until that is alone."""
        if len(rows) == 0:
            return
        try:
            found = self.field.cells([addresses[row] for row in rows.tolist()])
        except AddressError:
            if len(rows) > 1:
                half = len(rows) // 2
                self._ask(addresses, rows[:half], center, scale, residual)
                self._ask(addresses, rows[half:], center, scale, residual)
            return
        center[rows], scale[rows], residual[rows] = found.center, found.scale, found.residual


@dataclass(frozen=True, eq=False)
class Pair:
    """Two hierarchies that are looked at together."""

    one: Side
    other: Side

    @property
    def by_name(self) -> bool:
        """Whether cells are linked by their names."""
        return (self.one.imported or self.other.imported) and bool(self.one.names) and bool(self.other.named)

    def partners(self, addresses: Sequence[str]) -> list[str | None]:
        """The address of each cell's partner."""
        if not self.by_name:
            return list(addresses)
        names = self.one.names
        return [self.other.named.get(names[address]) if address in names else None for address in addresses]

    def apart(self, addresses: Sequence[str]) -> Apart:
        """How far cells are from their partners."""
        partners = self.partners(addresses)
        there = [row for row, partner in enumerate(partners) if partner is not None]
        in_scale, residual_error = np.full(len(addresses), np.nan), np.full(len(addresses), np.nan)
        mine = self.one.look_up([addresses[row] for row in there])
        theirs = self.other.look_up([str(partners[row]) for row in there])
        if mine[0].shape[1] != theirs[0].shape[1] or mine[0].shape[1] == 0:
            return Apart(in_scale, residual_error)
        size = np.fmax(np.abs(mine[0]).max(axis=1), np.abs(theirs[0]).max(axis=1))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = np.linalg.norm(mine[0] - theirs[0], axis=1) / mine[1]
            found[~(_EPSILON * size / mine[1] <= _DIGITS)] = np.nan
        in_scale[there], residual_error[there] = found, np.linalg.norm(mine[2] - theirs[2], axis=1)
        return Apart(in_scale, residual_error)

    def looked_at(self) -> list[str]:
        """The cells among which the worst are: all that are in memory, else the first ones."""
        if self.one.cells is not None:
            return self.one.cells.addresses
        field, found, last = self.one.field, ["/"], ["/"]
        while last and len(found) + len(last) * (field.arity or 1) <= LOOKED_AT and last[0].count("/") < LOOKED_AT:
            last = field.children(last).addresses
            found += last
        return found

    def worst(self, count: int) -> list[dict[str, object]]:
        """The cells whose residuals are farthest from their partners', the farthest first."""
        addresses = self.looked_at()
        apart = self.apart(addresses)
        order = np.argsort(-np.nan_to_num(apart.residual_error, nan=-1.0), kind="stable")[:count]
        return [
            {
                "address": addresses[row],
                "in_scale": None if np.isnan(apart.in_scale[row]) else float(apart.in_scale[row]),
                "residual_error": float(apart.residual_error[row]),
            }
            for row in order.tolist()
            if apart.residual_error[row] > 0  # and is known
        ]
