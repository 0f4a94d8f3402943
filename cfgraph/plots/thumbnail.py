"""Thumbnail: the small picture that a notebook shows of a hierarchy: an icicle of its first levels, without matplotlib."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from cfgraph.model.as_html import facts_html, safe
from cfgraph.model.hierarchy import FieldHierarchy, HierarchyWithCells

if TYPE_CHECKING:
    from cfgraph.model.cells import Cells
    from cfgraph.model.hierarchy import Hierarchy

CELLS_MAX = 400  # that are drawn: whole levels, but for the root and its children, which are always there
WIDTH, BAND = 320, 18  # pixels
LEAST = 0.4  # pixels: narrower cells are left out


def hierarchy_html(hierarchy: "Hierarchy") -> str:
    """A hierarchy for notebooks: its name, a picture of its cells where it holds them, and the numbers."""
    held = isinstance(hierarchy, HierarchyWithCells)
    picture = draw_thumbnail(hierarchy.cells) if isinstance(hierarchy, HierarchyWithCells) else ""
    facts: dict[str, object] = {"source": hierarchy.origin, "state": hierarchy.state}
    if isinstance(hierarchy, HierarchyWithCells):
        facts |= {"cells": len(hierarchy.cells), "depth": hierarchy.cells.depth}
    facts["dimension"] = hierarchy.dimension
    if isinstance(hierarchy, FieldHierarchy):
        facts |= {"arity": hierarchy.arity, "scale factor": hierarchy.scale_factor}
    facts |= {"data points": hierarchy.points} if hierarchy.points is not None else {}
    facts |= {"edges from second parents": hierarchy.links} if hierarchy.links else {}
    facts |= {"properties": ", ".join(hierarchy.own)} if hierarchy.own else {}
    facts |= {"note": "; ".join(map(str, hierarchy.notes))} if hierarchy.notes else {}
    facts |= {} if held else {"cells": f"in the store: store.read_whole({hierarchy.id!r})"}
    return facts_html(hierarchy.id, facts, picture=picture)


def draw_thumbnail(cells: "Cells") -> str:
    """An SVG of the first levels: a cell is as wide as the leaves below it are many."""
    depth = _last_level(cells)
    shown = cells.prefix(depth)
    weight = _leaves_below(cells)[: len(shown)]
    left, width = _places(shown, weight)
    bars = "".join(_bars(shown, left, width))
    height = BAND * (depth - int(cells.level[0]) + 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'role="img">{bars}</svg>'
    )


def _last_level(cells: "Cells") -> int:
    """The deepest level of those that are drawn."""
    counts = np.bincount(cells.level - cells.level[0])
    levels = max(2, int(np.searchsorted(np.cumsum(counts), CELLS_MAX, side="right")))
    return min(int(cells.level[0]) + levels - 1, cells.depth)


def _leaves_below(cells: "Cells") -> Float[np.ndarray, " cells"]:
    """How many cells without children lie at and below each."""
    weight = (cells.child_count == 0).astype(np.float64)
    for level in range(cells.depth, int(cells.level[0]), -1):
        rows = cells.level_rows(level)
        np.add.at(weight, cells.parent[rows], weight[rows])
    return weight


def _places(
    cells: "Cells", weight: Float[np.ndarray, " cells"]
) -> tuple[Float[np.ndarray, " cells"], Float[np.ndarray, " cells"]]:
    """The left edge and the width of each cell, as parts of the whole."""
    width = weight / weight[0]
    left, used = np.zeros(len(cells)), np.zeros(len(cells))
    for row in range(1, len(cells)):
        parent = cells.parent[row]
        left[row] = left[parent] + used[parent]
        used[parent] += width[row]
    return left, width


def _bars(cells: "Cells", left: Float[np.ndarray, " cells"], width: Float[np.ndarray, " cells"]) -> Iterator[str]:
    """A rectangle a cell, with its name or address as its title; the branches below the root have colors of their own."""
    top, names = int(cells.level[0]), cells.names
    branch = np.zeros(len(cells), dtype=np.int64)
    for row in np.flatnonzero(width * WIDTH >= LEAST).tolist():
        level = int(cells.level[row]) - top
        if level:
            branch[row] = cells.slot[row] if level == 1 else branch[cells.parent[row]]
        name = names[row] if names is not None and names[row] else cells.addresses[row]
        color = "#999" if level == 0 else f"hsl({branch[row] * 137.5 % 360:.0f},50%,{45 + 35 * level / (level + 3):.0f}%)"
        yield (
            f'<rect x="{left[row] * WIDTH:.1f}" y="{BAND * level}" width="{width[row] * WIDTH:.1f}" height="{BAND - 1}" '
            f'fill="{color}" stroke="#fff" stroke-width=".4"><title>{safe(name)}</title></rect>'
        )
