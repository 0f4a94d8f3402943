"""Invariants: what the numbers of a hierarchy keep, asked of columns: of a page of the graph, and of cells in memory.

:func:`check_edges` and :func:`check_families` are for both. :func:`check_sound` checks cells from elsewhere, all of them,
before they are written; :mod:`cfgraph.store.verify` looks at the graph, where anything may be missing or of another type.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.errors import DamagedError, InputError
from cfgraph.model.cells import EXPANDED, FRONTIER, Cells, Edges, Links
from cfgraph.model.columns import FLOATS, broken_vectors
from cfgraph.model.hierarchy import FieldHierarchy, FieldWithCells, Hierarchy, HierarchyWithCells
from cfgraph.model.order import in_cycle

TOLERANCE = 1e-9
LARGE = 1e150  # the square of a larger number may be beyond floats

Broken = tuple[np.ndarray, str]  # of each cell whether it breaks an invariant, and which


@dataclass(frozen=True, eq=False)
class Ends:
    """What is known at one end of each edge: the columns of its child, or of its parent."""

    center: Float[np.ndarray, "edges dim"]
    scale: Float[np.ndarray, " edges"]
    root_distance: Float[np.ndarray, " edges"]

    @classmethod
    def of(cls, cells: Cells, rows: np.ndarray) -> Self:
        """The columns of some rows."""
        return cls(cells.center[rows], cells.scale[rows], cells.root_distance[rows])


@dataclass(frozen=True, eq=False)
class EdgeColumns:
    """Edges with the cells at both ends, of which nothing is missing. ``virtual`` are those below a virtual root."""

    below: Ends
    above: Ends
    residual: Float[np.ndarray, "edges dim"]
    length: Float[np.ndarray, " edges"]
    primary: Bool[np.ndarray, " edges"]
    virtual: Bool[np.ndarray, " edges"]


@dataclass(frozen=True, eq=False)
class Families:
    """Cells, and the edges to their children: ``parent`` is the row of each edge's cell. What is not known is NaN, or -1."""

    radius: Float[np.ndarray, " cells"]
    size: Int[np.ndarray, " cells"]
    frontier: Bool[np.ndarray, " cells"]
    parent: Int[np.ndarray, " edges"]
    length: Float[np.ndarray, " edges"]
    primary: Bool[np.ndarray, " edges"]
    child_radius: Float[np.ndarray, " edges"]
    child_size: Int[np.ndarray, " edges"]
    child_frontier: Bool[np.ndarray, " edges"]


class Check(NamedTuple):
    """Which edges (or cells) break an invariant, how that is said of all, and of one: ``detail`` has room for its values."""

    invariant: str
    broken: Bool[np.ndarray, " rows"]
    message: str
    detail: str
    values: tuple[Float[np.ndarray, " rows"] | Int[np.ndarray, " rows"], ...]

    def failures(self) -> Iterator[tuple[int, str]]:
        """The row of each that breaks it, and the detail."""
        for row in np.flatnonzero(self.broken).tolist():
            yield row, self.detail.format(*(column[row] for column in self.values))


def check_edges(hierarchy: Hierarchy, edges: EdgeColumns) -> list[Check]:
    """Every invariant that ties a cell's numbers to those of a parent, with the edges that break it (docs/mathematics.md)."""
    with np.errstate(over="ignore", invalid="ignore"):  # what goes beyond floats breaks one
        return list(_edge_checks(hierarchy, edges))


def _norms(vectors: Float[np.ndarray, "rows dim"]) -> Float[np.ndarray, " rows"]:
    """The norm of each row; of large ones too, whose squares are beyond floats."""
    largest = np.abs(vectors).max(axis=1, initial=0.0)
    unit = np.where((largest > LARGE) & np.isfinite(largest), largest, 1.0)
    norms: Float[np.ndarray, " rows"] = unit * np.linalg.norm(vectors / unit[:, None], axis=1)
    return norms


def _edge_checks(hierarchy: Hierarchy, edges: EdgeColumns) -> Iterator[Check]:
    below, above = edges.below, edges.above
    size = np.maximum(_norms(below.center), below.scale)
    gap = _norms(below.center - above.center - above.scale[:, None] * edges.residual)
    message = "its center is not center + scale * residual of a parent's"
    yield Check("center", ~(gap <= TOLERANCE * size), message, "off by {:.3g}", (gap,))
    yield _scales(hierarchy, edges)
    norm = _norms(edges.residual)
    yield _lengths(hierarchy, edges, wanted=above.scale * norm)
    broken = ~(norm <= hierarchy.residual_bound * (1 + TOLERANCE))
    yield Check("bound", broken, "a residual is longer than the bound", "its residual has norm {:.6g}", (norm,))
    distance = above.root_distance + edges.length
    broken = ~(np.abs(below.root_distance - distance) <= TOLERANCE * np.maximum(distance, below.scale))
    message = "its root distance is not its parent's and the length of the edge"
    yield Check("root_distance", broken & edges.primary, message, "expected {:.17g}", (distance,))


def _scales(hierarchy: Hierarchy, edges: EdgeColumns) -> Check:
    scale = edges.below.scale
    if not isinstance(hierarchy, FieldHierarchy):
        return Check("scale", ~(scale > 0), "its scale is not above 0", "expected a scale above 0, found {:.17g}", (scale,))
    wanted = hierarchy.scale_factor * edges.above.scale
    broken = ~(np.abs(scale - wanted) <= TOLERANCE * wanted)
    return Check("scale", broken, "its scale is not the scale factor times its parent's", "expected {:.17g}", (wanted,))


def _lengths(hierarchy: Hierarchy, edges: EdgeColumns, *, wanted: Float[np.ndarray, " edges"]) -> Check:
    length = edges.length
    if hierarchy.lengths != "metric":
        message = "the length of the edge to it is below 0"
        return Check("length", ~(length >= 0), message, "expected a length of at least 0, found {:.17g}", (length,))
    broken = ~(np.abs(length - wanted) <= TOLERANCE * np.maximum(wanted, edges.above.scale)) & ~edges.virtual
    message = "the length of an edge to it is not scale * norm(residual)"
    return Check("length", broken, message, "expected {:.17g}", (wanted,))


def check_families(hierarchy: Hierarchy, families: Families) -> list[Check]:
    """Every invariant that ties what a cell says of its descendants to what its children say of theirs."""
    with np.errstate(over="ignore", invalid="ignore"):
        return list(_family_checks(hierarchy, families))


def _family_checks(hierarchy: Hierarchy, families: Families) -> Iterator[Check]:
    count = len(families.radius)
    below = np.bincount(families.parent, weights=families.child_frontier | np.isnan(families.child_radius), minlength=count)
    unknown = families.frontier | (below > 0)
    known = ~np.isnan(families.radius)
    if hierarchy.state != "writing":  # while it is written, radii are those of the whole that is on its way
        message = "it has a radius, and there is a frontier at or below it, or a child without one"
        detail = "it has the radius {}, but there is a frontier at or below it"
        yield Check("radius", known & unknown, message, detail, (families.radius,))
    reach = np.zeros(count)
    np.maximum.at(reach, families.parent, np.nan_to_num(families.length + families.child_radius))
    short = families.radius < reach - TOLERANCE * np.maximum(1.0, reach)
    detail = "its radius is {}, and a known descendant is as far as {}"
    yield Check("radius", short & ~unknown, "its radius does not reach a descendant", detail, (families.radius, reach))
    yield _sizes(hierarchy, families)


def _sizes(hierarchy: Hierarchy, families: Families) -> Check:
    parent, size = families.parent[families.primary], families.child_size[families.primary]
    total = np.zeros_like(families.size)
    np.add.at(total, parent, size)
    lacking = np.bincount(parent, weights=size < 0, minlength=len(total)) > 0
    asked = (families.size >= 0) & (np.bincount(parent, minlength=len(total)) > 0) & ~lacking
    wrong = total > families.size if hierarchy.imported else total != families.size
    message = "the data points below it are not those below its children"
    detail = "{} data points lie below it, and {} below its children"
    return Check("size", asked & wrong, message, detail, (families.size, total))


def points_detail(hierarchy: Hierarchy, *, size: int) -> str | None:
    """What is wrong with a hierarchy's number of data points beside its root's ``size``, -1 for none; None where nothing is.

    In a field all data points lie below the root. An imported hierarchy may have such as lie in no cell.
    """
    points = hierarchy.points
    if points is None or size < 0 or (size <= points if hierarchy.imported else size == points):
        return None
    return f"{size:,} data points lie below the root, and the hierarchy says that it has {points:,}"


def room_for_points(hierarchy: Hierarchy, *, dtype: type) -> np.ndarray:
    """Zeros, one for each of the data points that are nodes; a ``DamagedError`` where there cannot be so many."""
    try:
        return np.zeros((hierarchy.points or 0) if hierarchy.point_nodes else 0, dtype=dtype)
    except (MemoryError, ValueError):
        raise DamagedError.of(hierarchy.id, f"it says that it has {hierarchy.points:,} data points") from None


def check_sound(hierarchy: HierarchyWithCells, *, grown: bool) -> None:
    """An ``InputError`` that names the first invariant that cells break, with how many do and the first one's address.

    ``grown`` says whether a predictor is known that grew it.
    """
    for broken, message in _checks(hierarchy, grown=grown):
        rows = np.flatnonzero(broken)
        if len(rows):
            raise InputError(
                f"{len(rows):,} of its cells break an invariant, first {hierarchy.cells.addresses[rows[0]]}: {message}"
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
    names = cells.addresses
    cell = in_cycle((names[parent], names[child]) for parent, child in zip(links.parent, links.child, strict=True))
    yield np.array([name == cell for name in names]), "it is its own ancestor, by edges from second parents"


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
    cells = hierarchy.cells
    columns = EdgeColumns(
        below=Ends.of(cells, edges.child),
        above=Ends.of(cells, edges.parent),
        residual=edges.residual,
        length=edges.length,
        primary=edges.primary,
        virtual=hierarchy.virtual_root & (edges.parent == 0),
    )
    for check in check_edges(hierarchy, columns):
        yield _at(cells, edges.child, check.broken), check.message


def _extras(hierarchy: HierarchyWithCells, edges: Edges) -> Iterator[Broken]:
    cells, count = hierarchy.cells, len(hierarchy.cells)
    radius = np.full(count, np.nan) if cells.radius is None else cells.radius
    size = np.full(count, -1) if cells.size is None else cells.size
    frontier = cells.state == FRONTIER
    families = Families(
        radius=radius,
        size=size,
        frontier=frontier,
        parent=edges.parent,
        length=edges.length,
        primary=edges.primary,
        child_radius=radius[edges.child],
        child_size=size[edges.child],
        child_frontier=frontier[edges.child],
    )
    for check in check_families(hierarchy, families):
        yield check.broken, check.message
    root = int(np.flatnonzero(cells.parent < 0)[0])
    if detail := points_detail(hierarchy, size=int(size[root])):
        yield cells.parent < 0, detail
