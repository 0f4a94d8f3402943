"""Blocks: a hierarchy cut into subtrees that are written, leased and grown as one piece.

The cut is *canonical*: it depends on the target depth D and the block height h alone, never on timing. Its boundaries lie
at the levels D, D - h, D - 2h, ...; the block rooted at a cell of a boundary level b (or at the root, where the topmost
boundary is above it) holds that cell's descendants down to level b + h. So every frontier cell belongs to one block, the
many blocks at the bottom are full, and a hierarchy whose blocks are written top-down is valid after each of them.

An imported hierarchy may be a star or a chain, and nobody leases its blocks: it is cut into *runs*, the children of parents
that follow one another in breadth-first order, as many as a transaction holds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from cfgraph.model.address import relative_addresses, stem_of
from cfgraph.model.cells import Cells
from cfgraph.model.growth import Frontier, count_cells

BLOCK_BYTES = 2_800_000  # of one transaction; measured best between 2 and 4 MB


def block_height(*, arity: int, dimension: int, block_bytes: int = BLOCK_BYTES) -> int:
    """How many levels a block spans: as many as keep its cells' bytes on the wire at ``block_bytes``, at least one."""
    cells_max = block_bytes // (100 + 18 * dimension)
    height = 1
    while height < 64 and count_cells(1, arity=arity, levels=height + 1) <= cells_max:
        height += 1
    return height


def block_boundaries(*, from_level: int, depth: int, height: int) -> list[tuple[int, int]]:
    """The layers of blocks that hold the levels ``from_level + 1 .. depth``, top-down, as (root level, last level)."""
    layers = []
    last = depth
    while last > from_level:
        layers.append((max(0, last - height), last))
        last -= height
    return layers[::-1]


@dataclass(frozen=True, eq=False)
class BlockLevel:
    """New cells of one level as columns, the children of ``parents`` (addresses) in order, ``counts`` children each.

    ``own`` is None for a field's cells that have no properties of their own, such as a kept cut, and these share one scale;
    those of an imported hierarchy have columns of their own there, if only empty ones, and each its own scale.
    """

    level: int
    parents: Sequence[str]
    counts: Int[np.ndarray, " parents"]
    slot: Int[np.ndarray, " cells"]
    residual: Float[np.ndarray, "cells dim"]
    length: Float[np.ndarray, " cells"]
    center: Float[np.ndarray, "cells dim"]
    root_distance: Float[np.ndarray, " cells"]
    scale: Float[np.ndarray, " cells"]
    state: UInt8[np.ndarray, " cells"]
    predicted: Bool[np.ndarray, " cells"]
    radius: Float[np.ndarray, " cells"] | None = None
    size: Int[np.ndarray, " cells"] | None = None
    own: Mapping[str, np.ndarray] | None = None


@dataclass(frozen=True, eq=False)
class Block:
    """A piece of one hierarchy to be written in one transaction: it expands the ``seeds`` and adds the ``levels``."""

    root: str
    seeds: Sequence[str]
    levels: Sequence[BlockLevel]

    @property
    def cells(self) -> int:
        """How many cells the block adds."""
        return sum(len(level.slot) for level in self.levels)


def cut_cells(cells: Cells, *, height: int) -> Iterator[list[tuple[int, int]]]:
    """The layers of blocks of a whole hierarchy in memory, top-down: each a list of (root row, last level)."""
    for first, last in block_boundaries(from_level=0, depth=cells.depth, height=height):
        rows = np.arange(*cells.level_rows(first).indices(len(cells)))
        yield [(int(row), last) for row in rows[cells.child_count[rows] > 0]]


def block_of_cells(cells: Cells, row: int, *, last_level: int, last_state: UInt8[np.ndarray, " cells"]) -> Block:
    """The block below a row of a hierarchy in memory. ``last_state`` is the state that the cells of the last level get."""
    levels, parents, root = list[BlockLevel](), np.array([row]), cells.addresses[row]
    for level in range(int(cells.level[row]) + 1, last_level + 1):
        parents = parents[cells.child_count[parents] > 0]
        if len(parents) == 0:
            break
        rows = _rows_below(cells, parents)
        state = (last_state if level == last_level else cells.state)[rows]
        levels.append(_level_below(cells, parents, {"state": state, "own": cells.take_own(rows) if cells.own else None}))
        parents = np.arange(rows.start, rows.stop)
    return Block(root=root, seeds=[root], levels=levels)


def _rows_below(cells: Cells, parents: Int[np.ndarray, " parents"]) -> slice:
    """The children of some cells of one level, which all have some: they stand side by side."""
    return slice(int(cells.first_child[parents[0]]), int(cells.first_child[parents[-1]] + cells.child_count[parents[-1]]))


def _level_below(cells: Cells, parents: Int[np.ndarray, " parents"], changes: Mapping[str, Any]) -> BlockLevel:
    """The children of some cells of one level as a level of a block, with other columns in place of their own."""
    columns = {**cells.take(_rows_below(cells, parents)), **changes, "level": int(cells.level[parents[0]]) + 1}
    del columns["parent"]
    addresses = cells.addresses
    return BlockLevel(parents=[addresses[row] for row in parents.tolist()], counts=cells.child_count[parents], **columns)


@dataclass(frozen=True)
class Run:
    """The children of the cells that have some among ``parents``, rows of an imported hierarchy in memory."""

    parents: slice
    children: slice


def cut_runs(cells: Cells, *, block_bytes: int = BLOCK_BYTES) -> Iterator[list[Run]]:
    """An imported hierarchy in memory as runs, in lists: what the runs of one list hang on, earlier lists have written."""
    sizes = np.concatenate([[0], np.cumsum(_cell_bytes(cells))])
    parents = np.flatnonzero(cells.child_count)
    starts, stops = cells.first_child[parents], cells.first_child[parents] + cells.child_count[parents]
    wave, written, low = list[Run](), 1, 0
    while low < len(parents):
        high = max(low + 1, int(np.searchsorted(sizes[stops], sizes[starts[low]] + block_bytes, side="right")))
        run = Run(slice(int(parents[low]), int(parents[high - 1]) + 1), slice(int(starts[low]), int(stops[high - 1])))
        if min(run.parents.stop, run.children.start) > written:
            yield wave
            wave, written = [], run.children.start
        wave.append(run)
        low = high
    if wave:
        yield wave


def _cell_bytes(cells: Cells) -> Int[np.ndarray, " cells"]:
    """What a cell takes in a transaction, more or less: its numbers, its key, its address, its own properties."""
    address = np.zeros(len(cells), dtype=np.int64)
    digits = np.char.str_len(cells.slot.astype(str))
    for level in range(1, cells.depth + 1):
        rows = cells.level_rows(level)
        address[rows] = address[cells.parent[rows]] + 1 + digits[rows]
    own = sum(30 if column.ndim == 1 else 9 * column.shape[1] for column in cells.own.values())
    return 100 + 18 * cells.dimension + 2 * address + own


def block_of_run(cells: Cells, run: Run, *, last_state: UInt8[np.ndarray, " cells"], virtual_root: bool) -> Block:
    """A run as a block. ``last_state`` is the state of cells whose children are of a later run.

    The edges of a virtual root get no length (NaN).
    """
    addresses, levels = cells.addresses, list[BlockLevel]()
    parents = np.arange(run.parents.start, run.parents.stop)
    parents = parents[cells.child_count[parents] > 0]
    for level in range(int(cells.level[run.children.start]), int(cells.level[run.children.stop - 1]) + 1):
        here = parents[cells.level[parents] == level - 1]
        rows = _rows_below(cells, here)
        inside = np.arange(rows.start, rows.stop) < run.parents.stop
        changes = {"state": np.where(inside, cells.state[rows], last_state[rows]), "own": cells.take_own(rows)}
        if virtual_root and level == 1:
            changes["length"] = np.full(rows.stop - rows.start, np.nan)
        levels.append(_level_below(cells, here, changes))
    seeds = [addresses[row] for row in parents[parents < run.children.start].tolist()]
    return Block(root=seeds[0], seeds=seeds, levels=levels)


def level_of_growth(
    frontier: Frontier, *, ancestors: Sequence[str], generation: int, state: int, predicted: bool = True
) -> BlockLevel:
    """A grown level, ``generation`` levels below the cells at the addresses ``ancestors``, as a level of a block."""
    below = relative_addresses(frontier.arity, generation - 1)
    stems = [stem_of(ancestor) for ancestor in ancestors]
    parents = [stem + tail or "/" for stem in stems for tail in below]
    count = len(frontier)
    return BlockLevel(
        level=int(frontier.level[0]),
        parents=parents,
        counts=np.full(len(parents), frontier.arity),
        slot=frontier.slot,
        residual=frontier.residual,
        length=frontier.length,
        center=frontier.center,
        root_distance=frontier.root_distance,
        scale=frontier.scale,
        state=np.full(count, state, dtype=np.uint8),
        predicted=np.full(count, predicted),
    )
