"""Pieces: cells in parts of bounded size, as columns, each with its node's id: what is written to files without a graph.

A piece holds cells that stand side by side, with the edge that leads to each. Ids are whole numbers, unlike every other
cell's; parents come in an earlier piece or in the same one, so a piece can be written as soon as it is made. Addresses are
made by column: a list of five million Python strings would be half a gigabyte.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int, UInt8

from cfgraph.model.address import ROOT
from cfgraph.model.cells import EXPANDED, FRONTIER, Cells
from cfgraph.model.growth import Frontier, Rule, count_cells, expand_levels, frontier_of, grow

PIECE_BYTES = 1 << 26  # of one piece with all that is made of it, as text too
GROWN = ("slot", "level", "center", "scale", "residual", "length", "root_distance")


@runtime_checkable
class SubtreeRule(Protocol):
    """A rule that can be asked about one subtree after another, rather than about whole levels."""

    def __call__(self, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
        """The tuples of a frontier's cells."""
        ...

    def below(self, rows: slice, *, level: int) -> Rule:
        """The rule for what lies below some cells of a level, down to which the levels were asked for."""
        ...


@runtime_checkable
class FollowedRule(SubtreeRule, Protocol):
    """A rule that can be asked about cells anywhere, told by the slots that lead to them."""

    def at(self, slots: Int[np.ndarray, "cells levels"]) -> SubtreeRule:
        """The rule for what lies below cells of one level."""
        ...


@dataclass(frozen=True, eq=False)
class Piece:
    """Cells as columns. ``parent`` is the node of each cell's parent, -1 for the root."""

    node: Int[np.ndarray, " cells"]
    parent: Int[np.ndarray, " cells"]
    address: pa.StringArray
    slot: Int[np.ndarray, " cells"]
    level: Int[np.ndarray, " cells"]
    center: Float[np.ndarray, "cells dim"]
    scale: Float[np.ndarray, " cells"]
    residual: Float[np.ndarray, "cells dim"]
    length: Float[np.ndarray, " cells"]
    root_distance: Float[np.ndarray, " cells"]
    state: UInt8[np.ndarray, " cells"]
    predicted: Bool[np.ndarray, " cells"]
    radius: Float[np.ndarray, " cells"] | None = None
    size: Int[np.ndarray, " cells"] | None = None
    own: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.node)


def pieces_of_cells(cells: Cells, *, first: int) -> Iterator[Piece]:
    """A whole hierarchy that is in memory, a piece a level; nodes are numbered from ``first`` on, in row order."""
    address, above = pa.array([ROOT]), 0
    for level in range(cells.depth + 1):
        rows = cells.level_rows(level)
        columns = cells.take(rows)
        parent = columns.pop("parent")
        if level:
            address = child_addresses(address, family=parent - above, slot=columns["slot"])
        above = rows.start
        yield Piece(
            node=np.arange(rows.start, rows.stop) + first,
            parent=np.where(parent < 0, -1, parent + first),
            address=address,
            own=cells.take_own(rows),
            **columns,
        )


def child_addresses(
    parents: pa.StringArray, *, family: Int[np.ndarray, " cells"], slot: Int[np.ndarray, " cells"]
) -> pa.StringArray:
    """The addresses of the cells in some slots below ``parents[family]``."""
    stems = pc.if_else(pc.equal(parents, pa.scalar(ROOT)), "", parents).take(pa.array(family))
    addresses: pa.StringArray = pc.binary_join_element_wise(stems, pc.cast(pa.array(slot), pa.string()), "/")
    return addresses


def grow_pieces(
    root: Cells,
    *,
    rule: SubtreeRule,
    arity: int,
    scale_factor: float,
    depth: int,
    first: int,
    piece_cells: int | None = None,
) -> Iterator[Piece]:
    """What :func:`.growth.grow` makes of a root, bit for bit, in pieces: some levels whole, then subtree by subtree.

    The levels that are grown whole stay in memory; they are as many cells as there are subtrees. Equal bits need a rule
    and sums that do not depend on what else stands in a batch.
    """
    piece_cells = piece_cells or max(1, PIECE_BYTES // (400 + 100 * root.dimension + 8 * root.dimension**2 // arity))
    cut = _cut_level(arity=arity, depth=depth, piece_cells=piece_cells)
    top = grow(root, rule=rule, arity=arity, scale_factor=scale_factor, depth=cut, predicted=False)
    last = top.level_rows(cut)
    if cut < depth:
        top = top.with_columns(state=np.zeros_like(top.state))  # everything here is expanded
    seeds = None
    for seeds in pieces_of_cells(top, first=first):
        yield seeds
    if seeds is None or cut == depth:
        return
    step = max(1, piece_cells // count_cells(1, arity=arity, levels=depth - cut))
    node = first + len(top)
    for low in range(0, len(seeds), step):
        rows = slice(low, min(low + step, len(seeds)))
        frontier = frontier_of(top, np.arange(last.start + rows.start, last.start + rows.stop), arity=arity)
        levels = expand_levels(frontier, rule=rule.below(rows, level=cut), scale_factor=scale_factor, levels=depth - cut)
        for piece in _pieces_below(seeds.node[rows], seeds.address[rows], levels=levels, node=node, depth=depth):
            node += len(piece)
            yield piece


def _cut_level(*, arity: int, depth: int, piece_cells: int) -> int:
    """The level whose subtrees fit into a piece; the last but one where none does."""
    cut = 0
    while cut < depth - 1 and count_cells(1, arity=arity, levels=depth - cut) > piece_cells:
        cut += 1
    return cut


def _pieces_below(
    parent: Int[np.ndarray, " cells"], address: pa.StringArray, *, levels: Iterator[Frontier], node: int, depth: int
) -> Iterator[Piece]:
    """The grown levels below some cells (their nodes and addresses) as pieces, their nodes numbered from ``node`` on."""
    for grown in levels:
        family = np.repeat(np.arange(len(parent)), grown.arity)
        address = child_addresses(address, family=family, slot=grown.slot)
        state = FRONTIER if grown.level[0] == depth else EXPANDED
        piece = Piece(
            node=np.arange(node, node + len(grown)),
            parent=parent[family],
            address=address,
            state=np.full(len(grown), state, dtype=np.uint8),
            predicted=np.zeros(len(grown), dtype=bool),
            **{name: getattr(grown, name) for name in GROWN},
        )
        yield piece
        parent, node = piece.node, node + len(grown)
