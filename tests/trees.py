"""Hierarchies for tests: small random trees of any shape, and exact iterated function systems, made the slow obvious way."""

import numpy as np
from hypothesis import strategies as st

from cfgraph.model.cells import EXPANDED, FRONTIER, LEAF, Cells
from cfgraph.model.growth import Frontier, grow

FINITE = st.floats(-4, 4, allow_subnormal=False)


@st.composite
def ragged_cells(draw, *, levels: int = 4, children: int = 3, slots: int | None = None, dimension: int | None = None) -> Cells:
    """A tree in which cells have any number of children, in any slots, and cells without children are of either state."""
    d = draw(st.integers(1, 3)) if dimension is None else dimension
    top_slot = 2 * children if slots is None else slots - 1
    rows: list[tuple[int, int]] = [(-1, -1)]  # parent's row and slot
    last = [0]
    for _ in range(draw(st.integers(0, levels))):
        here = []
        for parent in last:
            for slot in sorted(draw(st.sets(st.integers(0, top_slot), max_size=children))):
                rows.append((parent, slot))
                here.append(len(rows) - 1)
        last = here
    residual = draw(st.lists(st.lists(FINITE, min_size=d, max_size=d), min_size=len(rows), max_size=len(rows)))
    ends = draw(st.lists(st.sampled_from([FRONTIER, LEAF]), min_size=len(rows), max_size=len(rows)))
    return build_cells(rows, residual=residual, ends=ends, scale_factor=draw(st.sampled_from([0.25, 0.5, 0.7])))


def build_cells(rows, *, residual, ends, scale_factor: float) -> Cells:
    """Cells from (parent's row, slot) pairs in breadth-first order and residuals, one cell at a time."""
    d, parents = len(residual[0]), {parent for parent, _ in rows}
    center, scale, length, distance, level = [np.zeros(d)], [1.0], [0.0], [0.0], [0]
    for (parent, _), step in list(zip(rows, residual, strict=True))[1:]:
        center.append(center[parent] + scale[parent] * np.array(step))
        length.append(scale[parent] * float(np.linalg.norm(step)))
        distance.append(distance[parent] + length[-1])
        scale.append(scale[parent] * scale_factor)
        level.append(level[parent] + 1)
    return Cells(
        parent=np.array([parent for parent, _ in rows], dtype=np.int64),
        slot=np.array([slot for _, slot in rows], dtype=np.int32),
        level=np.array(level, dtype=np.int32),
        center=np.array(center),
        scale=np.array(scale),
        residual=np.array([[0.0] * d, *residual[1:]]),
        length=np.array(length),
        root_distance=np.array(distance),
        state=np.array([EXPANDED if row in parents else end for row, end in enumerate(ends)], dtype=np.uint8),
        predicted=np.zeros(len(rows), dtype=bool),
    )


def smooth_rule(frontier: Frontier) -> np.ndarray:
    """A smooth rule of the center alone: four residuals in the plane."""
    base = np.array([[0.5, 0.1], [-0.4, 0.4], [-0.3, -0.5], [0.3, -0.4]])
    return base + 0.1 * np.sin(frontier.center @ np.array([[2.0, 1.0], [-1.0, 3.0]]))[:, None, :]


def smooth_cells(depth: int, *, predicted: bool = False) -> Cells:
    """The hierarchy of ``smooth_rule`` with scale factor 1/2."""
    root = Cells.from_root(np.array([0.2, -0.1]))
    return grow(root, rule=smooth_rule, arity=4, scale_factor=0.5, depth=depth, predicted=predicted)
