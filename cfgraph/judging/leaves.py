"""Leaves: which cell each data point of a hierarchy lies in, and the tree that measures are taken of.

The points of a hierarchy are its data points where it knows them (nodes of the graph, or the property ``row``), else its
leaves, each a point called by its name.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.files.embeddings import Embeddings
from cfgraph.judging.dendrogram import Dendrogram
from cfgraph.model.cells import Cells
from cfgraph.model.dag import show_names
from cfgraph.model.hierarchy import HierarchyWithCells

MERGE, HEIGHT = "merge", "height"  # properties that tell in which order, and how high, cells were merged


@dataclass(frozen=True, eq=False)
class Leaves:
    """The points of a hierarchy with cells: the row of each one's cell, and its name where the cells have names."""

    hierarchy: HierarchyWithCells
    cell: Int[np.ndarray, " points"]
    by_row: bool  # whether point i is data point i, or the i-th leaf

    @classmethod
    def of(cls, hierarchy: HierarchyWithCells) -> "Leaves":
        """The points of a hierarchy that holds its cells; an ``InputError`` where it holds none."""
        cells = hierarchy.require_cells().cells
        if hierarchy.cell_of_point is not None:
            return cls(hierarchy, hierarchy.cell_of_point, by_row=True)
        if "row" in cells.own:
            row = cells.own["row"]
            cell = np.full(int(row.max(initial=-1)) + 1, -1, dtype=np.int64)
            cell[row[row >= 0]] = np.flatnonzero(row >= 0)
            return cls(hierarchy, cell, by_row=True)
        return cls(hierarchy, np.flatnonzero(cells.child_count == 0), by_row=False)

    @property
    def names(self) -> list[str | None]:
        """The names of the points' cells."""
        names = self.hierarchy.cells.names
        return [None if names is None or cell < 0 else names[cell] for cell in self.cell.tolist()]

    def dendrogram(self, points: Int[np.ndarray, " chosen"] | None = None, *, by_merge: bool = False) -> Dendrogram:
        """The hierarchy as a tree with some of its points (default: all); a hierarchy with several parents is refused.

        Heights are those of the source where it has some for every cell above the points; ``by_merge`` takes the numbers of the
        merges where they are known, so that a cut undoes the last ones.
        """
        cells = self.hierarchy.cells
        if cells.links is not None:
            raise InputError(
                f"{self.hierarchy.id!r} has {len(cells.links)} edges from second parents, and this measure is of trees; "
                "compare it by the names of its cells, or ingest its primary parents alone"
            )
        chosen = self.cell if points is None else self.cell[points]
        height = heights_of(cells, MERGE) if by_merge else None
        height = heights_of(cells, HEIGHT) if height is None else height
        return Dendrogram(parent=cells.parent, cell_of_point=chosen, height=height, root_distance=cells.root_distance)

    def vectors(self, embeddings: Embeddings, points: Int[np.ndarray, " chosen"]) -> Float[np.ndarray, "chosen dim"]:
        """The embedding of each of some points; an ``InputError`` where some have none, or their number is another."""
        if embeddings.names is None:
            if len(embeddings.values) != len(self.cell):
                raise InputError(
                    f"expected an embedding for each of the {len(self.cell)} points of {self.hierarchy.id!r}, got "
                    f"{len(embeddings.values)}; embeddings of some leaves alone need their names beside them"
                )
            return embeddings.values[points]
        row_of = dict(zip(self.named(list(embeddings.names)).tolist(), range(len(embeddings.values)), strict=True))
        lacking = [point for point in points.tolist() if point not in row_of]
        if lacking:
            example = f"such as {self.names[lacking[0]]!r}"
            raise InputError(f"{len(lacking)} of {len(points)} points have no embedding, {example}; give one for each")
        return embeddings.values[[row_of[point] for point in points.tolist()]]

    def named(self, names: list[str]) -> Int[np.ndarray, " names"]:
        """The points of these names; an ``InputError`` for names that no point has, or, as leaves, several."""
        wanted = set(names)
        point_of = {name: point for point, name in enumerate(self.names) if name is not None}
        cells = {(name, cell) for name, cell in zip(self.names, self.cell.tolist(), strict=True) if name in wanted}
        if len(cells) > len({name for name, _ in cells}):
            doubled = [name for name, times in Counter(name for name, _ in cells).items() if times > 1 and name is not None]
            raise InputError(
                f"expected names that are of one leaf of {self.hierarchy.id!r} each, got {show_names(sorted(doubled))}, which "
                "several have; rename them"
            )
        unknown = [name for name in names if name not in point_of]
        if unknown:
            raise InputError(
                f"{len(unknown)} of {len(names)} names are of no leaf of {self.hierarchy.id!r}: {show_names(unknown)}; leave "
                "them out, or rename them"
            )
        return np.array([point_of[name] for name in names], dtype=np.int64)


def heights_of(cells: Cells, name: str) -> np.ndarray | None:
    """Heights of all cells: 0 at leaves that have none; a virtual root above all; None where inner cells lack them."""
    if name not in cells.own:
        return None
    height = np.asarray(cells.own[name], dtype=np.float64).copy()
    if name == MERGE:
        height = np.where(height < 0, np.nan, height + 1)
    inner = cells.child_count > 0
    height[~inner & np.isnan(height)] = 0.0
    if np.isnan(height[0]):
        height[0] = np.nanmax(height, initial=0.0)
    return None if np.isnan(height).any() else height
