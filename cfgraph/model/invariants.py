"""Invariants: whether the cells of a hierarchy in memory keep the invariants, checked before cells from elsewhere are written.

The invariants are those of :mod:`cfgraph.verify`, which looks at the graph; here they are asked of columns.
"""

from collections.abc import Iterator

import numpy as np

from cfgraph.errors import InputError
from cfgraph.model.cells import EXPANDED, FRONTIER, Cells, Edges, Links
from cfgraph.model.columns import FLOATS, broken_vectors
from cfgraph.model.hierarchy import FieldWithCells, HierarchyWithCells

TOLERANCE = 1e-9

Broken = tuple[np.ndarray, str]  # of each cell whether it breaks an invariant, and which


def check_sound(hierarchy: HierarchyWithCells, *, grown: bool) -> None:
    """An ``InputError`` that names the first invariant that cells break, with how many do and the first one's address.

    ``grown`` says whether a predictor is known that grew it.
    """
    for broken, told in _checks(hierarchy, grown=grown):
        rows = np.flatnonzero(broken)
        if len(rows):
            raise InputError(
                f"{len(rows):,} of its cells break an invariant, first {hierarchy.cells.addresses[rows[0]]}: {told}"
            )


def _checks(hierarchy: HierarchyWithCells, *, grown: bool) -> Iterator[Broken]:
    cells, edges = hierarchy.cells, hierarchy.cells.edges()
    yield from _numbers(cells)
    if cells.links is not None:
        yield from _link_places(cells, cells.links)
    yield from _shape(hierarchy, edges)
    yield from _geometry(hierarchy, edges)
    yield from _extras(hierarchy, edges)
    grown = grown or bool(hierarchy.former_predictors) or hierarchy.origin == "rollout"
    above = cells.predicted[np.maximum(cells.parent, 0)]
    yield cells.predicted & ~grown, "it is predicted, and no predictor is known that grew it"
    yield above & ~cells.predicted, "its parent is predicted and it is not"
    yield cells.predicted & (cells.parent < 0), "the root is never predicted"


def _at(cells: Cells, rows: np.ndarray, broken: np.ndarray) -> np.ndarray:
    """Which cells are among the rows where something is broken."""
    found = np.zeros(len(cells), dtype=bool)
    found[rows[broken]] = True
    return found


def _numbers(cells: Cells) -> Iterator[Broken]:
    for name in FLOATS:
        column = getattr(cells, name).reshape(len(cells), -1)
        yield ~np.isfinite(column).all(axis=1), f"its {name} is not finite"
    yield ~(cells.scale > 0), "its scale is not above 0"
    yield cells.length < 0, "the length of the edge to it is below 0"
    yield (cells.root_distance != 0) & (cells.parent < 0), "the root's root distance is not 0"
    if cells.radius is not None:
        yield np.isinf(cells.radius) | (cells.radius < 0), "its radius is not finite, or below 0"
    if cells.size is not None:
        yield cells.size < -1, "its size is below 0"
    for name, column in cells.own.items():
        if column.ndim > 1:
            yield broken_vectors(column), f"its {name} is no vector of finite numbers"


def _link_places(cells: Cells, links: Links) -> Iterator[Broken]:
    finite = np.isfinite(links.residual).all(axis=1) & np.isfinite(links.length) & (links.length >= 0)
    yield _at(cells, links.child, ~finite), "the edge from a second parent has numbers that are not finite, or a length below 0"
    _, pair, times = np.unique(links.child * np.int64(len(cells)) + links.parent, return_inverse=True, return_counts=True)
    again = (cells.parent[links.child] == links.parent) | (times[pair] > 1)
    yield _at(cells, links.child, again), "a second parent comes twice, or is the primary one"
    rank = np.empty(len(cells), dtype=np.int64)
    rank[sorted(range(len(cells)), key=cells.addresses.__getitem__)] = np.arange(len(cells))
    gap = cells.level[links.parent] - (cells.level[links.child] - 1)
    yield _at(cells, links.child, gap < 0), "a second parent stands so high that the level would be another"
    first = rank[cells.parent[links.child]]
    yield _at(cells, links.child, (gap == 0) & (rank[links.parent] < first)), "a second parent should be the primary one"


def _shape(hierarchy: HierarchyWithCells, edges: Edges) -> Iterator[Broken]:
    cells = hierarchy.cells
    children = np.bincount(edges.parent, minlength=len(cells))
    yield (cells.state == EXPANDED) != (children > 0), "its state does not fit to whether it has children"
    if isinstance(hierarchy, FieldWithCells):
        yield (children > 0) & (children != hierarchy.arity), f"it has another number of children than {hierarchy.arity}"
    order = np.lexsort((edges.slot, edges.parent))
    starts = np.concatenate([[0], np.cumsum(children)])[:-1]
    wanted = np.arange(len(order)) - starts[edges.parent[order]]
    yield _at(cells, edges.parent[order], edges.slot[order] != wanted), "the slots of its children are not 0, 1, 2, ..."


def _geometry(hierarchy: HierarchyWithCells, edges: Edges) -> Iterator[Broken]:
    cells, child = hierarchy.cells, edges.child
    above = cells.scale[edges.parent]
    norm = np.linalg.norm(edges.residual, axis=1)
    gap = np.linalg.norm(cells.center[child] - cells.center[edges.parent] - above[:, None] * edges.residual, axis=1)
    size = np.maximum(np.linalg.norm(cells.center[child], axis=1), cells.scale[child])
    yield _at(cells, child, gap > TOLERANCE * size), "its center is not center + scale * residual of a parent's"
    if isinstance(hierarchy, FieldWithCells):
        wrong = np.abs(cells.scale[child] - hierarchy.scale_factor * above) > TOLERANCE * hierarchy.scale_factor * above
        yield _at(cells, child, wrong), "its scale is not the scale factor times its parent's"
    virtual = hierarchy.virtual_root & (edges.parent == 0)
    if hierarchy.lengths == "metric":
        wrong = np.abs(edges.length - above * norm) > TOLERANCE * np.maximum(above * norm, above)
        yield _at(cells, child, wrong & ~virtual), "the length of an edge to it is not scale * norm(residual)"
    yield _at(cells, child, norm > hierarchy.residual_bound * (1 + TOLERANCE)), "a residual is longer than the bound"
    distance = cells.root_distance[np.maximum(cells.parent, 0)] + cells.length
    wrong = np.abs(cells.root_distance - distance) > TOLERANCE * np.maximum(distance, cells.scale)
    yield wrong & (cells.parent >= 0), "its root distance is not its parent's and the length of the edge"


def _extras(hierarchy: HierarchyWithCells, edges: Edges) -> Iterator[Broken]:
    cells, size = hierarchy.cells, hierarchy.cells.size
    if cells.radius is not None:
        reach = np.where(np.isnan(cells.radius), np.inf, cells.radius)[edges.child] + edges.length
        short = cells.radius[edges.parent] * (1 + TOLERANCE) + TOLERANCE < reach
        yield _at(cells, edges.parent, short), "its radius does not reach a descendant, or one without a radius is below it"
        yield ~np.isnan(cells.radius) & (cells.state == FRONTIER), "it has a radius, and is frontier"
    if size is not None:
        total = np.bincount(cells.parent[1:], weights=size[1:], minlength=len(cells))
        known = (size >= 0) & (cells.child_count > 0)
        wrong = total > size if hierarchy.imported else total != size
        lacking = np.bincount(cells.parent[1:], weights=size[1:] < 0, minlength=len(cells)) > 0
        yield known & wrong & ~lacking, "the data points below it are not those below its children"
