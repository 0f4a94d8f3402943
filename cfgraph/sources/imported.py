"""Imported hierarchies: a dag of any shape as cells, with levels, primary parents, slots and, from embeddings, centers.

Every source of hierarchies that people have already (linkages, logits, trees, ontologies, graphs) ends here.

* Several roots hang under a virtual root, whose edges have no length and which no path uses.
* ``level`` is the fewest edges from the root; the primary parent is, of the parents one level up, the one of lowest key.
* Slots under a parent are ``0 .. n-1`` in the order of its edges, links from second parents among them.
* With embeddings, ``center`` is the mean of all vectors given at and below a cell (along primary parents), or, of exact ones,
  the vector given at it; ``scale`` the largest distance of a child's center, so that residuals have norm at most 1, and
  lengths are distances of centers.
  Without them the dimension is 0, every scale is 1, and lengths are those of the source.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.files.embeddings import Embeddings, EmbeddingsReading, read_embeddings
from cfgraph.model.address import KEY_BYTES_MAX, check_id
from cfgraph.model.cells import EXPANDED, LEAF, Cells, Links
from cfgraph.model.columns import FLOAT, INTEGER, RESERVED, kind_of, own_column
from cfgraph.model.dag import SHOWN, Dag, check_columns, check_cycles, doubled_names, heights, ranges
from cfgraph.model.hierarchy import ImportedWithCells
from cfgraph.moved import renamed
from cfgraph.sources.condense import condense, cut_levels

SIZE_NOTE = "the attribute 'size' does not count the data at and below a cell, and was left out"
Columns = dict[str, np.ndarray]


class ImportOptions(TypedDict, total=False):
    """What sources pass on to :func:`imported`, whose arguments say more; so that checkers find a misspelt one."""

    embeddings: Embeddings | Path | str | None
    condense: int | None
    levels: int | None
    points: bool


class SourceOptions(ImportOptions, EmbeddingsReading, total=False):
    """The same with how a file of embeddings is read."""


def with_embeddings(options: SourceOptions, *, large: bool) -> ImportOptions:
    """The same options with the embeddings of a file read, which may be larger than :mod:`cfgraph.files.opened` allows."""
    reading: Any = {name: value for name, value in options.items() if name in EmbeddingsReading.__annotations__}
    found: Any = {name: value for name, value in options.items() if name not in reading}
    if "embeddings" in found or reading:
        found["embeddings"] = read_embeddings(found.get("embeddings"), large=large, **reading)
    return found


@renamed(point_nodes="points", minimum="condense")
def imported(
    dag: Dag,
    *,
    id: str,
    origin: str,
    recipe: Mapping[str, Any] | None = None,
    embeddings: Embeddings | Path | str | None = None,
    condense: int | None = None,
    levels: int | None = None,
    fill: bool = False,
    points: bool = False,
) -> ImportedWithCells:
    """A dag as a hierarchy with its cells.

    Args:
        dag: what a source found.
        id: the new hierarchy's id.
        origin: the source's name.
        recipe: how the source made the dag, beside the dag's own digest.
        embeddings: vectors by name or by data point, or a file of them; they give centers, scales, residuals and lengths.
        condense: M: only the splits of a tree into clusters of at least so many points are kept.
        levels: L: a tree with heights is cut at so many.
        fill: cells without an embedding at or below them take their parent's center, rather than being refused.
        points: whether data points are to be nodes of the graph, each IN its cell.

    Raises:
        InputError: for no node at all, a cycle (shown), text that the graph cannot hold, a tree deeper than
            an address can be (with what helps), embeddings for unknown names or missing ones, and points asked for where none
            are known.
    """
    check_id(id)
    check_columns(dag)
    digest = dag.digest
    embeddings = Embeddings.read(embeddings) if isinstance(embeddings, Path | str) else embeddings
    dag, embeddings = _shrunk(dag, embeddings, minimum=condense, levels=levels)
    if points and dag.node_of_point is None:
        raise InputError(f"{origin} knows of no data points, so none can be nodes; leave --points out")
    tree = _Placed.of(dag, id=id)
    cells = tree.cells(None if embeddings is None else tree.centers(embeddings, fill=fill))
    arguments = {
        **dag.recipe,
        **(recipe or {}),
        "embeddings_sha256": embeddings and embeddings.digest,
        "minimum": condense,
        "levels": levels,
    }
    arguments = {name: value for name, value in arguments.items() if value is not None}
    arguments |= {"points": True} if points else {}
    return ImportedWithCells(
        id=id,
        origin=origin,
        dimension=cells.dimension,
        residual_bound=1.0 if cells.dimension else 0.0,
        data_built=True,
        lengths=dag.lengths if embeddings is None else "metric",
        virtual_root=tree.virtual,
        links=0 if cells.links is None else len(cells.links),
        own=tuple(sorted(cells.own)),
        own_kinds={name: kind for name, column in sorted(cells.own.items()) if (kind := kind_of(column)) is not None},
        points=None if dag.node_of_point is None else len(dag.node_of_point),
        point_nodes=points,
        point_kinds=_point_kinds(dag) if points else None,
        notes=(
            *dag.notes,
            *doubled_names(dag),
            *(embeddings.notes if embeddings else ()),
            *((SIZE_NOTE,) if "size" in dag.columns and cells.size is None else ()),
        ),
        recipe={"source": origin, "dag_sha256": digest, **arguments},
        cells=cells,
        cell_of_point=tree.cell_of_point,
        point_columns=dag.point_columns,
    )


def _point_kinds(dag: Dag) -> dict[str, str] | None:
    """The kinds of what points have besides: numbers, whole ones where the column is of such."""
    return {name: FLOAT if column.dtype.kind == "f" else INTEGER for name, column in dag.point_columns.items()} or None


def _shrunk(
    dag: Dag, embeddings: Embeddings | None, *, minimum: int | None, levels: int | None
) -> tuple[Dag, Embeddings | None]:
    """A tree condensed, cut at some heights, or both; what was a leaf is a data point in what is left."""
    if minimum is None and levels is None:
        return dag, embeddings
    if dag.node_of_point is None:
        dag = replace(dag, node_of_point=np.flatnonzero(np.bincount(dag.parent, minlength=dag.count) == 0))
    embeddings = embeddings and embeddings.of_points(dag)
    dag = dag if minimum is None else condense(dag, minimum)
    return dag if levels is None else cut_levels(dag, levels), embeddings


@dataclass(frozen=True, eq=False)
class _Placed:
    """A dag with its nodes in breadth-first order: ``order[row]`` is a node, ``row_of[node]`` its row."""

    dag: Dag
    virtual: bool  # the last node is a virtual root that the source did not give
    edge_parent: Int[np.ndarray, " edges"]  # by rows
    edge_child: Int[np.ndarray, " edges"]
    edge_slot: Int[np.ndarray, " edges"]
    edge_length: Float[np.ndarray, " edges"]  # NaN where there is none
    primary: Int[np.ndarray, " cells"]  # the edge from the primary parent; -1 for the root
    order: Int[np.ndarray, " cells"]
    row_of: Int[np.ndarray, " nodes"]
    level: Int[np.ndarray, " cells"]
    height: Int[np.ndarray, " cells"]  # the most edges down to a leaf

    @classmethod
    def of(cls, dag: Dag, *, id: str) -> "_Placed":
        """Find roots, levels, slots, primary parents and the breadth-first order."""
        if dag.count == 0:
            raise InputError("expected at least one node, got none")
        parent, child, length, virtual = _rooted(dag)
        nodes = dag.count + virtual
        sort = np.argsort(parent, kind="stable")
        parent, child, length = parent[sort], child[sort], length[sort]
        starts = np.searchsorted(parent, np.arange(nodes + 1))
        slot = np.arange(len(parent)) - starts[parent]
        height = heights(nodes, parent=parent, child=child)
        if (height < 0).any():
            check_cycles(dag)
        level = _levels(starts, child, root=int(np.flatnonzero(np.bincount(child, minlength=nodes) == 0)[0]))
        is_tree = len(child) == nodes - 1
        _check_depth(2 * int(level.max()), id=id, levels=int(level.max()), is_tree=is_tree)
        primary, order = _breadth_first(parent, child, slot, level)
        row_of = np.empty(nodes, dtype=np.int64)
        row_of[order] = np.arange(nodes)
        edges = (row_of[parent], row_of[child], slot, length)
        placed = cls(dag, virtual, *edges, primary[order], order, row_of, level[order].astype(np.int32), height[order])
        _check_depth(placed.longest_address, id=id, levels=int(level.max()), is_tree=is_tree)
        return placed

    # -- what is asked of it

    @cached_property
    def parent(self) -> Int[np.ndarray, " cells"]:
        """Each row's primary parent's row; -1 for the root."""
        parent = np.full(len(self.order), -1, dtype=np.int64)
        parent[1:] = self.edge_parent[self.primary[1:]]
        return parent

    @cached_property
    def slot(self) -> Int[np.ndarray, " cells"]:
        """Each row's slot under its primary parent; -1 for the root."""
        slot = np.full(len(self.order), -1, dtype=np.int32)
        slot[1:] = self.edge_slot[self.primary[1:]]
        return slot

    @cached_property
    def levels(self) -> list[slice]:
        """The rows of each level."""
        starts = np.searchsorted(self.level, np.arange(int(self.level[-1]) + 2)).tolist()
        return [slice(low, high) for low, high in pairwise(starts)]

    @cached_property
    def cell_of_point(self) -> Int[np.ndarray, " points"] | None:
        """The row of each data point's cell; -1 for points that lie in none."""
        node = self.dag.node_of_point
        return None if node is None else np.where(node < 0, -1, self.row_of[np.maximum(node, 0)])

    @property
    def longest_address(self) -> int:
        """The number of characters of the longest address."""
        size = np.zeros(len(self.order), dtype=np.int64)
        digits = np.char.str_len(self.slot.astype(str))
        for rows in self.levels[1:]:
            size[rows] = size[self.parent[rows]] + 1 + digits[rows]
        return int(size.max())

    def centers(self, embeddings: Embeddings, *, fill: bool) -> Float[np.ndarray, "cells dim"]:
        """The mean of the vectors given at and below each cell; exact ones are not mixed with those below."""
        total, count = embeddings.sums(self.dag)
        total = np.concatenate([total, np.zeros((int(self.virtual), total.shape[1]))])[self.order]
        count = np.concatenate([count, np.zeros(int(self.virtual))])[self.order]
        settled = (count > 0) & embeddings.exact
        for level in reversed(self.levels[1:]):
            rows = np.arange(level.start, level.stop)
            rows = rows[~settled[self.parent[rows]]]
            np.add.at(total, self.parent[rows], total[rows])
            np.add.at(count, self.parent[rows], count[rows])
        lacking = np.flatnonzero(count == 0)
        if len(lacking) and not fill:
            examples = ", ".join(
                "the root" if node == self.dag.count else self.dag.label(node) for node in self.order[lacking[-SHOWN:]].tolist()
            )
            raise InputError(
                f"{len(lacking)} of {len(count)} cells have no embedding at or below them, such as {examples}; give "
                "one for every leaf, or none at all"
            )
        center = total / np.maximum(count, np.finfo(float).tiny)[:, None]
        for row in lacking.tolist():  # parents come first
            center[row] = center[self.parent[row]]
        return center

    # -- the cells

    def cells(self, center: Float[np.ndarray, "cells dim"] | None) -> Cells:
        """The cells, with centers or without."""
        if center is None:
            scale, center = np.ones(len(self.order)), np.zeros((len(self.order), 0))
        else:
            scale = self._scales(center)
        residual = (center[self.edge_child] - center[self.edge_parent]) / scale[self.edge_parent, None]
        length = self._lengths(residual, scale)
        has_children = np.zeros(len(self.order), dtype=bool)
        has_children[self.edge_parent] = True
        below = self.primary[1:]
        return Cells(
            parent=self.parent,
            slot=self.slot,
            level=self.level,
            center=center,
            scale=scale,
            residual=np.concatenate([np.zeros((1, center.shape[1])), residual[below]]),
            length=np.concatenate([[0.0], length[below]]),
            root_distance=self._root_distance(length),
            state=np.where(has_children, EXPANDED, LEAF).astype(np.uint8),
            predicted=np.zeros(len(self.order), dtype=bool),
            radius=self._radii(length),
            size=self._sizes(),
            links=self._links(residual, length),
            own=self._own(metric=center.shape[1] > 0),
        )

    def _scales(self, center: np.ndarray) -> Float[np.ndarray, " cells"]:
        """The largest distance of a child's center; where there is none, or all coincide, the primary parent's scale."""
        scale = np.zeros(len(self.order))
        distance = np.linalg.norm(center[self.edge_child] - center[self.edge_parent], axis=1)
        np.maximum.at(scale, self.edge_parent, distance)
        scale[0] = scale[0] or 1.0
        for rows in self.levels[1:]:
            scale[rows] = np.where(scale[rows] > 0, scale[rows], scale[self.parent[rows]])
        return scale

    def _lengths(self, residual: np.ndarray, scale: np.ndarray) -> Float[np.ndarray, " edges"]:
        if residual.shape[1]:
            length = scale[self.edge_parent] * np.linalg.norm(residual, axis=1)
        else:
            length = np.nan_to_num(self.edge_length, nan=0.0)
        if self.virtual:
            length[self.edge_parent == 0] = 0.0
        return length

    def _root_distance(self, length: np.ndarray) -> Float[np.ndarray, " cells"]:
        distance = np.zeros(len(self.order))
        for rows in self.levels[1:]:
            distance[rows] = distance[self.parent[rows]] + length[self.primary[rows]]
        return distance

    def _radii(self, length: np.ndarray) -> Float[np.ndarray, " cells"]:
        """``radius(w) = max over children of length + radius``, links too: children before parents, whatever their levels."""
        radius = np.zeros(len(self.order))
        for edges in self._edges_upwards():
            np.maximum.at(radius, self.edge_parent[edges], length[edges] + radius[self.edge_child[edges]])
        return radius

    def _edges_upwards(self) -> Iterator[Int[np.ndarray, " some"]]:
        """The edges in groups, such that all edges below one of a group lie in earlier groups."""
        group = self.height[self.edge_parent]
        sort = np.argsort(group, kind="stable")
        starts = np.searchsorted(group[sort], np.arange(1, int(self.height.max()) + 2)).tolist()
        return (sort[low:high] for low, high in pairwise(starts))

    def _sizes(self) -> Int[np.ndarray, " cells"] | None:
        """How many data points lie at and below each cell, along primary parents; None where no data is known."""
        if self.cell_of_point is None:
            return self._own_sizes()
        size = np.bincount(self.cell_of_point[self.cell_of_point >= 0], minlength=len(self.order)).astype(np.int64)
        for rows in reversed(self.levels[1:]):
            np.add.at(size, self.parent[rows], size[rows])
        return size

    def _own_sizes(self) -> Int[np.ndarray, " cells"] | None:
        """The source's own column ``size``, where that counts what lies at and below each cell."""
        size = self.dag.columns.get("size")
        if size is None or size.dtype.kind != "i":
            return None
        size = _extended(size, by=self.virtual)[self.order]
        below = np.zeros_like(size)
        np.add.at(below, self.parent[1:], size[1:])
        if self.virtual:
            size[0] = below[0]
        return size if (size >= np.maximum(below, 0)).all() else None

    def _links(self, residual: np.ndarray, length: np.ndarray) -> Links | None:
        second = np.ones(len(self.edge_parent), dtype=bool)
        second[self.primary[1:]] = False
        edges = np.flatnonzero(second)
        if len(edges) == 0:
            return None
        edges = edges[np.lexsort((self.edge_parent[edges], self.edge_child[edges]))]
        return Links(
            parent=self.edge_parent[edges],
            child=self.edge_child[edges],
            slot=self.edge_slot[edges].astype(np.int32),
            residual=residual[edges],
            length=length[edges],
        )

    def _own(self, *, metric: bool) -> Columns:
        """The source's own columns, by rows."""
        own = {name: _plain_column(column) for name, column in self.dag.columns.items() if name != "size"}
        if clash := set(own) & set(RESERVED):
            raise InputError(f"a cell's own property cannot be called {', '.join(sorted(clash))}; rename it")
        if self.dag.names is not None and any(name is not None for name in self.dag.names):
            own["name"] = np.array(self.dag.names, dtype=object)
        own = {name: _extended(column, by=self.virtual)[self.order] for name, column in own.items()}
        if self.dag.lengths == "branch" and (metric or np.isnan(self.edge_length).any()):
            above = own.get("branch_length", [np.nan])[:1]  # a root has one in Newick
            own["branch_length"] = np.concatenate([above, self.edge_length[self.primary[1:]]])
        return own | self._rows_of_points()

    def _rows_of_points(self) -> Columns:
        """The number of each cell's data point, where every point has a cell of its own."""
        cell = self.cell_of_point
        if cell is None or (cell < 0).any() or len(np.unique(cell)) < len(cell):
            return {}
        row = np.full(len(self.order), -1, dtype=np.int64)
        row[cell] = np.arange(len(cell))
        return {"row": row}


def _rooted(dag: Dag) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """The edges with their lengths, below one root: a virtual one, the last node, where the dag has several."""
    length = np.ones(len(dag.parent)) if dag.length is None else np.asarray(dag.length, dtype=np.float64)
    roots = np.flatnonzero(np.bincount(dag.child, minlength=dag.count) == 0)
    if len(roots) == 1:
        return dag.parent, dag.child, length, False
    virtual = np.full(len(roots), dag.count, dtype=np.int64)
    return (
        np.concatenate([dag.parent, virtual]),
        np.concatenate([dag.child, roots]),
        np.concatenate([length, np.zeros(len(roots))]),
        True,
    )


def _levels(starts: Int[np.ndarray, " nodes_and_one"], child: Int[np.ndarray, " edges"], *, root: int) -> np.ndarray:
    """The fewest edges from the root to each node."""
    level = np.full(len(starts) - 1, -1, dtype=np.int64)
    level[root], here = 0, np.array([root])
    while len(here):
        below = child[ranges(starts[here], starts[here + 1])]
        below = np.unique(below[level[below] < 0])
        level[below] = level[here[0]] + 1
        here = below
    return level


def _breadth_first(
    parent: Int[np.ndarray, " edges"],
    child: Int[np.ndarray, " edges"],
    slot: Int[np.ndarray, " edges"],
    level: Int[np.ndarray, " nodes"],
) -> tuple[Int[np.ndarray, " nodes"], Int[np.ndarray, " nodes"]]:
    """Each node's primary edge (-1 for the root), and the nodes in breadth-first order.

    Keys sort as text, slot 10 before slot 2: the rank of a key among those of its level follows from the parent's rank and
    that of the slot's digits.
    """
    primary = np.full(len(level), -1, dtype=np.int64)
    rank, row = np.zeros(len(level), dtype=np.int64), np.zeros(len(level), dtype=np.int64)
    digits = np.empty(int(slot.max(initial=0)) + 1, dtype=np.int64)
    digits[np.argsort(np.arange(len(digits)).astype(str))] = np.arange(len(digits))
    down = np.flatnonzero(level[parent] + 1 == level[child])
    down = down[np.argsort(level[child[down]], kind="stable")]
    starts = np.searchsorted(level[child[down]], np.arange(1, int(level.max()) + 2)).tolist()
    order = [np.flatnonzero(level == 0)]
    for low, high in pairwise(starts):
        edges = down[low:high]
        edges = edges[np.lexsort((digits[slot[edges]], rank[parent[edges]]))]  # by the key that the child would have
        nodes, first = np.unique(child[edges], return_index=True)
        edges = edges[np.sort(first)]
        primary[child[edges]] = edges
        rank[child[edges]] = np.arange(len(nodes))
        edges = edges[np.lexsort((slot[edges], row[parent[edges]]))]
        row[child[edges]] = np.arange(len(nodes))
        order.append(child[edges])
    return primary, np.concatenate(order)


def _check_depth(characters: int, *, id: str, levels: int, is_tree: bool) -> None:
    """An InputError, with what helps, where an address is longer than a key of the database can be."""
    longest = len(id.encode()) + characters
    if longest > KEY_BYTES_MAX:
        helps = (
            "--condense M keeps the splits into clusters of at least M points, --levels L cuts the tree at L heights"
            if is_tree
            else "leave its deepest levels out (--condense and --levels are for trees, and here nodes have several parents)"
        )
        raise InputError(
            f"the hierarchy is {levels:,} levels deep: its deepest cell's key would have {longest:,} bytes or more, and the "
            f"database's index holds {KEY_BYTES_MAX:,}; {helps}"
        )


def _plain_column(column: np.ndarray) -> np.ndarray:
    """The column itself; whole numbers among which are some below -1 as objects, because -1 is a value there, not "none"."""
    return own_column(column.tolist()) if column.ndim == 1 and column.dtype.kind == "i" and (column < -1).any() else column


def _extended(column: np.ndarray, *, by: int) -> np.ndarray:
    """The column with nothing for a virtual root at its end."""
    if column.ndim > 1:
        return np.concatenate([column, np.full((int(by), column.shape[1]), np.nan)])  # vectors of whole numbers become floats
    if not by:
        return column
    nothing = {"f": np.nan, "i": -1, "u": -1}.get(column.dtype.kind)
    kind = column.dtype if nothing is not None and column.dtype.kind != "u" else np.int64 if nothing == -1 else object
    return np.concatenate([column.astype(kind), np.array([nothing], dtype=kind)])
