"""Growth: parents and residual tuples become children; the one place where center' = center + scale * residual.

A *tuple* is the K residuals of a cell's children, an array of shape (arity, dim). A rule maps a :class:`Frontier` to one
tuple a cell; :func:`expand` turns cells and tuples into the next frontier, and :func:`grow` does so level after level.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from cfgraph.checks import check_integer
from cfgraph.errors import InputError
from cfgraph.model.address import KEY_BYTES_MAX
from cfgraph.model.cells import EXPANDED, FRONTIER, Cells

CELLS_MAX = 200_000_000  # above this a depth is taken for a slip of the keyboard
BATCH_CELLS = 16_384  # cells made at once in memory: what stays in a processor's cache


@dataclass(frozen=True, eq=False)
class Frontier:
    """Cells to expand, as columns, with all that a predictor may see of them.

    ``tuples`` holds the tuple of each *family*, the children of one parent. ``family[i]`` is the row of cell i's own
    family in it; None says that the cells are whole families in order, K rows a family, so that nothing need be looked up.
    A cell's own residual is row ``slot`` of its family's tuple. A root (slot -1) has no family: its tuple is zeros.
    """

    center: Float[np.ndarray, "cells dim"]
    scale: Float[np.ndarray, " cells"]
    root_distance: Float[np.ndarray, " cells"]
    length: Float[np.ndarray, " cells"]
    level: Int[np.ndarray, " cells"]
    slot: Int[np.ndarray, " cells"]
    tuples: Float[np.ndarray, "families arity dim"]
    family: Int[np.ndarray, " cells"] | None = None

    def __len__(self) -> int:
        return len(self.slot)

    @property
    def arity(self) -> int:
        """The number K of children of every expanded cell."""
        return int(self.tuples.shape[1])

    @property
    def dimension(self) -> int:
        """The dimension d of the centers."""
        return int(self.tuples.shape[2])

    @property
    def family_rows(self) -> Int[np.ndarray, " cells"]:
        """The row in ``tuples`` of each cell's family."""
        return np.repeat(np.arange(len(self.tuples)), self.arity) if self.family is None else self.family

    @property
    def parent_tuple(self) -> Float[np.ndarray, "cells arity dim"]:
        """The tuple T of each cell's parent; zeros for a root."""
        return self.tuples.take(self.family_rows, axis=0)

    @property
    def residual(self) -> Float[np.ndarray, "cells dim"]:
        """Each cell's own residual; zeros for a root."""
        if self.family is None:
            return self.tuples.reshape(-1, self.dimension)
        return np.where(self.slot[:, None] < 0, 0.0, self.tuples[self.family, self.slot])

    def take(self, rows: slice | Int[np.ndarray, " rows"]) -> "Frontier":
        """The same view of some of the cells."""
        if self.family is None and isinstance(rows, slice) and rows.start % self.arity == rows.stop % self.arity == 0:
            families = slice(rows.start // self.arity, rows.stop // self.arity)
            return type(self)(**self._columns(rows), tuples=self.tuples[families])
        return type(self)(**self._columns(rows), tuples=self.tuples, family=self.family_rows[rows])

    def _columns(self, rows: slice | Int[np.ndarray, " rows"]) -> dict[str, np.ndarray]:
        names = ("center", "scale", "root_distance", "length", "level", "slot")
        return {name: getattr(self, name)[rows] for name in names}


Rule = Callable[[Frontier], Float[np.ndarray, "cells arity dim"]]


def frontier_of(
    cells: Cells,
    rows: Int[np.ndarray, " rows"],
    *,
    arity: int,
    top_tuple: Float[np.ndarray, "arity dim"] | None = None,
) -> Frontier:
    """The cells at ``rows`` as a frontier. ``top_tuple`` is the tuple of the top's parent where the top is no root."""
    parents = cells.parent[rows]
    families, family = np.unique(parents, return_inverse=True)
    tuples = _tuples_of(cells, families, arity=arity)
    if top_tuple is not None:
        tuples[families < 0] = top_tuple
    return Frontier(
        center=cells.center[rows],
        scale=cells.scale[rows],
        root_distance=cells.root_distance[rows],
        length=cells.length[rows],
        level=cells.level[rows],
        slot=cells.slot[rows],
        tuples=tuples,
        family=family,
    )


def _tuples_of(cells: Cells, families: Int[np.ndarray, " families"], *, arity: int) -> Float[np.ndarray, "families arity dim"]:
    """The residuals of each family's children, by slot; zeros where a slot is empty, and for a family of -1."""
    first = np.where(families >= 0, cells.first_child[families], 0)
    children = np.minimum(first[:, None] + np.arange(arity), len(cells) - 1)
    slot = cells.slot[children]
    present = (cells.parent[children] == families[:, None]) & (slot >= 0) & (slot < arity)
    tuples = np.zeros((len(families), arity, cells.dimension))
    tuples[np.nonzero(present)[0], slot[present]] = cells.residual[children[present]]
    return tuples


def observe(cells: Cells, *, arity: int) -> tuple[Frontier, Float[np.ndarray, "parents arity dim"]]:
    """What a predictor learns from: every parent that has all its children, as a frontier, and their tuples."""
    rows, tuples = cells.expansions(arity)
    return frontier_of(cells, rows, arity=arity), tuples


def expand(frontier: Frontier, *, tuples: Float[np.ndarray, "cells arity dim"], scale_factor: float) -> Frontier:
    """The children of all cells: ``center + scale * residual``, ``scale * s``, ``root_distance + scale * |residual|``."""
    arity, dimension = tuples.shape[1:]
    center = (frontier.center[:, None] + frontier.scale[:, None, None] * tuples).reshape(-1, dimension)
    length = frontier.scale[:, None] * np.sqrt(np.einsum("ckd,ckd->ck", tuples, tuples))
    return Frontier(
        center=center,
        scale=np.repeat(frontier.scale * scale_factor, arity),
        root_distance=(frontier.root_distance[:, None] + length).reshape(-1),
        length=length.reshape(-1),
        level=np.repeat(frontier.level + 1, arity),
        slot=np.tile(np.arange(arity, dtype=np.int32), len(frontier)),
        tuples=tuples,
    )


def expand_levels(frontier: Frontier, *, rule: Rule, scale_factor: float, levels: int) -> Iterator[Frontier]:
    """The next ``levels`` levels below a frontier, one after another, each predicted in one batch."""
    for _ in range(levels):
        frontier = expand(frontier, tuples=rule(frontier), scale_factor=scale_factor)
        yield frontier


def clip_residuals(
    tuples: Float[np.ndarray, "cells arity dim"], *, residual_bound: float
) -> Float[np.ndarray, "cells arity dim"]:
    """The tuples with every residual longer than the bound shortened to it; the others are left bit for bit."""
    norms = np.sqrt(np.einsum("ckd,ckd->ck", tuples, tuples))
    beyond = norms > residual_bound * (1 + 1e-9)
    if not beyond.any():
        return tuples
    clipped = tuples.copy()
    clipped[beyond] *= (residual_bound / norms[beyond])[:, None]
    return clipped


def count_cells(frontier: int, *, arity: int, levels: int) -> int:
    """How many cells ``levels`` more levels below ``frontier`` cells are: ``frontier * (K + K^2 + ... + K^levels)``."""
    return frontier * (levels if arity == 1 else (arity ** (levels + 1) - arity) // (arity - 1))


def count_growth(frontier: Mapping[int, int], *, arity: int, depth: int) -> int:
    """How many cells it takes to grow a frontier (cells by level) down to ``depth``."""
    return sum(count_cells(cells, arity=arity, levels=depth - level) for level, cells in frontier.items() if level < depth)


def check_growth(frontier: int, *, arity: int, levels: int, cells_max: int = CELLS_MAX) -> int:
    """The number of cells that a growth would make; an ``InputError`` with that number where it is absurd."""
    count = count_cells(frontier, arity=arity, levels=levels if arity == 1 else min(levels, 10_000))
    if count > cells_max:
        digits = math.log10(frontier) + levels * math.log10(arity) if arity > 1 else 0.0
        total = f"{count:,}" if digits < 15 else f"about 10^{digits:.0f}"
        raise InputError(
            f"{levels} more levels below {frontier:,} cells of arity {arity} would be {total} cells, and at most {cells_max:,} "
            "are made in one go; ask for a smaller depth (or a larger --precision)"
        )
    return count


def grow(cells: Cells, *, rule: Rule, arity: int, scale_factor: float, depth: int, predicted: bool = True) -> Cells:
    """The cells with their frontier grown to ``depth`` in memory, in batches of ``BATCH_CELLS`` children.

    Only frontier cells of the deepest level grow (a whole hierarchy or prefix, as sources and ``Cells.prefix`` give);
    ``predicted`` says whether the new cells count as a predictor's work or as the truth.
    """
    if depth <= cells.depth:
        return cells
    last = cells.level_rows(cells.depth)
    rows = np.arange(last.start, last.stop)[cells.state[last] == FRONTIER]
    check_growth(len(rows), arity=arity, levels=depth - cells.depth)
    if len(rows) == 0:
        return cells
    columns = _make_room(cells, frontier=len(rows), arity=arity, levels=depth - cells.depth)
    columns["state"][rows] = EXPANDED
    columns["predicted"][len(cells) :] = predicted
    frontier, start = frontier_of(cells, rows, arity=arity), len(cells)
    for _ in range(depth - cells.depth):
        frontier = _grow_level(frontier, columns, rows=rows, start=start, rule=rule, scale_factor=scale_factor)
        rows = np.arange(start, start + len(frontier))
        start += len(frontier)
    columns["state"][rows] = FRONTIER
    return cells.with_columns(**columns, radius=None, size=None, links=None, own={})


def _make_room(cells: Cells, *, frontier: int, arity: int, levels: int) -> dict[str, np.ndarray]:
    total = len(cells) + count_cells(frontier, arity=arity, levels=levels)
    columns = {}
    for name, column in cells.take(slice(None)).items():
        if name in ("radius", "size"):
            continue  # they speak of observed data; cells that a rule made have none
        columns[name] = np.empty((total, *column.shape[1:]), dtype=column.dtype)
        columns[name][: len(cells)] = column
    columns["state"][len(cells) :] = EXPANDED
    return columns


def _grow_level(
    frontier: Frontier,
    columns: dict[str, np.ndarray],
    *,
    rows: Int[np.ndarray, " cells"],
    start: int,
    rule: Rule,
    scale_factor: float,
) -> Frontier:
    """Write one level's children into the columns from row ``start`` on, and give them back as a view on the columns."""
    arity, dimension, stop = frontier.arity, frontier.dimension, start + len(frontier) * frontier.arity
    batch = max(1, BATCH_CELLS // arity // arity) * arity
    for low in range(0, len(frontier), batch):
        part = frontier.take(slice(low, min(low + batch, len(frontier))))
        children = expand(part, tuples=rule(part), scale_factor=scale_factor)
        where = slice(start + low * arity, start + low * arity + len(children))
        for name in ("center", "scale", "root_distance", "length", "level", "slot", "residual"):
            columns[name][where] = getattr(children, name)
        columns["parent"][where] = np.repeat(rows[low : low + batch], arity)
    grown = {name: columns[name][start:stop] for name in ("center", "scale", "root_distance", "length", "level", "slot")}
    return Frontier(**grown, tuples=columns["residual"][start:stop].reshape(-1, arity, dimension))


def check_depth(depth: int | None, *, id: str, arity: int, cells_max: int = CELLS_MAX) -> int:
    """A depth whose full tree is no absurd number of cells, and whose deepest cell's key fits in the database's index."""
    depth = check_integer(depth, name="depth", low=0)
    check_growth(1, arity=arity, levels=depth, cells_max=cells_max)
    longest = len(id.encode()) + depth * (1 + len(str(arity - 1)))
    if longest > KEY_BYTES_MAX:
        raise InputError(
            f"depth {depth} at arity {arity} would be {count_cells(1, arity=arity, levels=depth):,} cells below the root, the "
            f"deepest with a key of {longest} bytes, and the database's index holds {KEY_BYTES_MAX}; ask for a smaller depth"
        )
    return depth
