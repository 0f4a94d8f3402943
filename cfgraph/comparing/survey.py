"""Survey: what all stored cells of a hierarchy tell of themselves, in one pass, page by page, in the order of their keys.

In that order a cell comes before its descendants and these are together: what has to be kept from one page to the next is the
line of ancestors of the last cell, and their children so far. Every number of every cell is held against the invariants on the
way (``model/invariants.py``), so that nothing is certified of a graph that is damaged.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from cfgraph.comparing.box_counting import BoxCounting, Boxes, ladder
from cfgraph.errors import DamagedError
from cfgraph.model.address import ROOT
from cfgraph.model.cells import EXPANDED, Cells
from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy
from cfgraph.model.invariants import EdgeColumns, Ends, check_edges

COLUMNS = ("center", "scale", "root_distance", "residual", "length", "state", "predicted", "radius")
LEVEL_CELLS = 65_536  # cells of one level whose smallest distance is found, and of one family ...
LEVEL_FLOATS = 4_000_000  # ... and fewer where their centers are long
TREE_DIMENSION = 4  # up to here a tree of centers finds the nearest one without comparing all ...
PAIR_WORK = 4e8  # ... and above it so many numbers are compared at most
FAMILY_LOOP = 1_024  # siblings that are compared each with each
IMPORTED_SIZES = 16  # of boxes, each half of the one before, where no scale factor gives them
_PAIRS = 1 << 20  # numbers compared at once

Page = Mapping[str, np.ndarray]  # ``address`` and the columns above, a row a cell


@dataclass
class LevelSurvey:
    """What was found on one level; ``siblings`` and ``parents`` are of the tuples of its cells, ``closest`` of its centers."""

    cells: int = 0
    expanded: int = 0
    families: int = 0
    siblings: float | None = None
    siblings_left_out: int = 0  # families too large for that
    radius: float = 0.0
    radius_unknown: int = 0
    centers: list[np.ndarray] | None = field(default_factory=list)  # None where they are too many to be kept

    def closest(self) -> float | None:
        """The smallest distance of two centers of the level; None where there are not two, or too many."""
        return None if self.centers is None or self.cells < 2 else smallest_pair(np.concatenate(self.centers))


@dataclass(eq=False)
class _Open:
    """The ancestors of the last cell of a page, itself among them, with what is asked of a parent."""

    names: list[str]
    center: np.ndarray
    scale: np.ndarray
    root_distance: np.ndarray
    state: np.ndarray


@dataclass(eq=False)
class _Children:
    """Cells whose siblings may not all have come yet."""

    parents: list[str]
    slot: np.ndarray
    residual: np.ndarray

    @property
    def dimension(self) -> int:
        return int(self.residual.shape[1])

    def take(self, rows: Int[np.ndarray, " rows"]) -> "_Children":
        return _Children([self.parents[row] for row in rows.tolist()], self.slot[rows], self.residual[rows])

    def followed_by(self, others: "_Children") -> "_Children":
        both = (np.concatenate([getattr(self, name), getattr(others, name)]) for name in ("slot", "residual"))
        return _Children([*self.parents, *others.parents], *both)


class Survey:
    """One pass over a hierarchy's cells: :meth:`add` pages, then :meth:`finish`."""

    def __init__(self, hierarchy: Hierarchy, *, depth: int):
        self._hierarchy, self._depth = hierarchy, depth
        self.levels: dict[int, LevelSurvey] = {}
        self.cells = self.predicted = self.childless = 0
        self.root: tuple[np.ndarray, float] | None = None  # its center and scale
        self.extent = 0.0  # the largest norm of a center
        self.boxes: BoxCounting | None = None
        self._boxes: Boxes | None = None
        self._open: _Open | None = None
        self._children: _Children | None = None
        self._dropped: set[str] = set()  # parents of families too large to be compared

    @property
    def has_tuples(self) -> bool:
        """Whether residuals are differences of centers, in units of the parent's scale."""
        return self._hierarchy.dimension > 0 and self._hierarchy.lengths == "metric"

    @property
    def depth(self) -> int:
        """The deepest level that holds a cell."""
        return max(self.levels, default=0)

    def add(self, page: Page) -> None:
        """Look at one page more; a ``DamagedError`` where a number in it is not what it should be."""
        addresses, shape = page["address"].tolist(), (len(page["address"]), self._hierarchy.dimension)
        if page["center"].shape != shape or page["residual"].shape != shape:
            self._damaged(f"centers or residuals of some cells have not the dimension {shape[1]}")
        if self.root is None:
            self._begin(page, first=addresses[0])
        stems = [address.rpartition("/")[0] or ROOT for address in addresses]
        level = np.array([0 if address == ROOT else address.count("/") for address in addresses])
        above = self._above(page, addresses)
        row_of = {name: row for row, name in enumerate(above.names)}
        below = np.flatnonzero(level > 0)
        parent = np.array([row_of.get(stems[row], -1) for row in below.tolist()], dtype=np.int64)
        if (parent < 0).any():
            self._damaged(f"{addresses[below[int(np.argmax(parent < 0))]]} has no parent")
        self._check(page, addresses, below=below, parent=parent, above=above, level=level)
        self._tally(page, level)
        slot = np.array([int(addresses[row].rpartition("/")[2]) for row in below.tolist()], dtype=np.int64)
        came = _Children([stems[row] for row in below.tolist()], slot, page["residual"][below])
        lasting = set(_line(addresses[-1]))
        self._settle(came, lasting=lasting)
        kept = [row for row, name in enumerate(above.names) if name in lasting]
        columns = (above.center[kept], above.scale[kept], above.root_distance[kept], above.state[kept])
        self._open = _Open([above.names[row] for row in kept], *columns)

    def finish(self) -> "Survey":
        """Itself, when all pages were added; a ``DamagedError`` where cells are missing."""
        if self.root is None or self._open is None:
            raise DamagedError.of(self._hierarchy.id, "its root is missing")
        self._settle(_Children([], np.empty(0, np.int64), np.empty((0, self._hierarchy.dimension))), lasting=set())
        for level, found in self.levels.items():
            if isinstance(self._hierarchy, FieldHierarchy) and found.expanded != found.families:
                self._damaged(f"{found.expanded:,} cells of level {level} are expanded, {found.families:,} have children")
        self.boxes = None if self._boxes is None else self._boxes.result()
        return self

    def _damaged(self, detail: str) -> None:
        raise DamagedError.of(self._hierarchy.id, detail)

    def _begin(self, page: Page, *, first: str) -> None:
        """The root comes first; what the sizes of boxes are follows from it."""
        if first != ROOT:
            self._damaged("its root is missing")
        radius = page["radius"][0] if len(page["radius"]) else np.nan
        center, scale = page["center"][0], float(page["scale"][0])
        if not scale > 0:
            self._damaged(f"its root has scale {scale}")
        self.root = center, scale
        hierarchy = self._hierarchy
        if not hierarchy.dimension:
            return
        if isinstance(hierarchy, FieldHierarchy):
            s, longest = hierarchy.scale_factor, scale * hierarchy.residual_bound
            reach = float(np.linalg.norm(center)) + longest / (1 - s)
            sizes = ladder(longest, ratio=s, levels=self._depth, reach=reach) if longest > 0 else []
        else:
            longest = float(radius) if radius > 0 else scale
            sizes = ladder(longest, ratio=0.5, levels=IMPORTED_SIZES - 1, reach=float(np.linalg.norm(center)) + longest)
        self._boxes = Boxes(sizes, origin=center) if sizes else None

    def _above(self, page: Page, addresses: list[str]) -> _Open:
        """All cells that a cell of the page may lie below."""
        names = ("center", "scale", "root_distance", "state")
        if self._open is None:
            return _Open(addresses, *(page[name] for name in names))
        return _Open(
            [*self._open.names, *addresses], *(np.concatenate([getattr(self._open, name), page[name]]) for name in names)
        )

    def _check(
        self,
        page: Page,
        addresses: Sequence[str],
        *,
        below: Int[np.ndarray, " edges"],
        parent: Int[np.ndarray, " edges"],
        above: _Open,
        level: Int[np.ndarray, " cells"],
    ) -> None:
        edges = EdgeColumns(
            below=Ends(page["center"][below], page["scale"][below], page["root_distance"][below]),
            above=Ends(above.center[parent], above.scale[parent], above.root_distance[parent]),
            residual=page["residual"][below],
            length=page["length"][below],
            primary=np.ones(len(below), dtype=bool),
            virtual=(level[below] == 1) & self._hierarchy.virtual_root,
        )
        for check in check_edges(self._hierarchy, edges):
            if check.broken.any():
                row = int(below[int(np.argmax(check.broken))])
                self._damaged(f"cell {addresses[row]}: {check.message}")
        strange = (above.state[parent] != EXPANDED) if len(parent) else np.zeros(0, dtype=bool)
        if strange.any():
            self._damaged(f"cell {above.names[int(parent[int(np.argmax(strange))])]} has children and is not expanded")

    def _tally(self, page: Page, level: Int[np.ndarray, " cells"]) -> None:
        center, state, radius = page["center"], page["state"], page["radius"]
        self.cells += len(level)
        self.predicted += int(page["predicted"].sum())
        self.extent = max(self.extent, float(np.sqrt(np.einsum("cd,cd->c", center, center)).max(initial=0.0)))
        deepest = state != EXPANDED
        self.childless += int(deepest.sum())
        if self._boxes is not None:
            self._boxes.add(center[deepest])
        for here in np.unique(level).tolist():
            rows, found = level == here, self.levels.setdefault(here, LevelSurvey())
            found.cells += int(rows.sum())
            found.expanded += int((rows & ~deepest).sum())
            known = radius[rows] if len(radius) else np.full(int(rows.sum()), np.nan)
            found.radius_unknown += int(np.isnan(known).sum())
            found.radius = max(found.radius, float(np.nan_to_num(known).max(initial=0.0)))
            if found.centers is not None:
                found.centers.append(center[rows])
                if found.cells > most_cells(self._hierarchy.dimension):
                    found.centers = None

    def _settle(self, came: _Children, *, lasting: set[str]) -> None:
        """Look at the families of which all children have come, and keep the others."""
        came = self._without_dropped(came if self._children is None else self._children.followed_by(came))
        names, label = _numbered(came.parents)
        is_open, size = np.array([name in lasting for name in names], dtype=bool), np.bincount(label, minlength=len(names))
        order = np.lexsort((came.slot, label))
        order = order[~is_open[label[order]]]
        level = np.array([_level_of(name) for name in names], dtype=np.int64)
        kinds = np.stack([level, size], axis=1)[~is_open]
        for above, arity in np.unique(kinds, axis=0).tolist():
            rows = order[(level[label[order]] == above) & (size[label[order]] == arity)].reshape(-1, arity)
            self._look(above, came.slot[rows], came.residual[rows])
        self._children = came.take(np.flatnonzero(is_open[label]))

    def _without_dropped(self, came: _Children) -> _Children:
        """The same without families too large to be compared, which are counted."""
        names, label = _numbered(came.parents)
        for index in np.flatnonzero(np.bincount(label, minlength=len(names)) > most_cells(came.dimension)).tolist():
            if names[index] not in self._dropped:
                self._dropped.add(names[index])
                found = self.levels[_level_of(names[index])]
                found.families, found.siblings_left_out = found.families + 1, found.siblings_left_out + 1
        if not self._dropped:
            return came
        return came.take(np.array([row for row, name in enumerate(came.parents) if name not in self._dropped], dtype=np.int64))

    def _look(
        self, level: int, slot: Int[np.ndarray, "families arity"], residual: Float[np.ndarray, "families arity dim"]
    ) -> None:
        """Families of one level and one size: that they are whole, and their smallest distance."""
        hierarchy, found = self._hierarchy, self.levels[level]
        found.families += len(slot)
        if isinstance(hierarchy, FieldHierarchy):
            whole = slot.shape[1] == hierarchy.arity and bool((slot == np.arange(hierarchy.arity)).all())
            if not whole:
                self._damaged(f"cells of level {level} have children in other slots than 0 to {hierarchy.arity - 1}")
        if not self.has_tuples or (level == 0 and hierarchy.virtual_root):
            return
        closest = _smallest_of(residual)
        if closest is not None:
            found.siblings = closest if found.siblings is None else min(found.siblings, closest)


def most_cells(dimension: int) -> int:
    """How many cells are compared with one another at most: bounded in memory and time."""
    fitting = min(LEVEL_CELLS, LEVEL_FLOATS // max(1, dimension))
    return fitting if dimension <= TREE_DIMENSION else min(fitting, int((PAIR_WORK / dimension) ** 0.5))


def smallest_pair(points: Float[np.ndarray, "points dim"]) -> float:
    """The smallest distance of two of at least two points, exactly; equal points have distance 0."""
    if len(np.unique(points, axis=0)) < len(points):  # a tree of many equal points would take forever
        return 0.0
    if points.shape[1] <= TREE_DIMENSION:
        from scipy.spatial import cKDTree

        distances = np.asarray(cKDTree(points, balanced_tree=False).query(points, k=2)[0])
        return float(distances[:, 1].min())
    step, smallest = max(1, _PAIRS // points.size), np.inf
    for low in range(0, len(points), step):
        part = points[low : low + step]
        gap = part[:, None] - points[None]
        squares = np.einsum("pqd,pqd->pq", gap, gap)
        squares[np.arange(len(part)), low + np.arange(len(part))] = np.inf
        smallest = min(smallest, float(squares.min()))
    return float(np.sqrt(smallest))


def _smallest_of(tuples: Float[np.ndarray, "families arity dim"]) -> float | None:
    from cfgraph.sources.tuples import smallest_distance  # here: it brings all sources

    if tuples.shape[1] <= FAMILY_LOOP:
        return smallest_distance(tuples)
    return min(smallest_pair(family) for family in tuples)


def _numbered(names: Sequence[str]) -> tuple[list[str], Int[np.ndarray, " names"]]:
    """Each name once, and for each the number of it."""
    number: dict[str, int] = {}
    label = np.array([number.setdefault(name, len(number)) for name in names], dtype=np.int64)
    return list(number), label


def _level_of(address: str) -> int:
    return 0 if address == ROOT else address.count("/")


def _line(address: str) -> Iterator[str]:
    """A cell and its ancestors."""
    while address and address != ROOT:
        yield address
        address = address.rpartition("/")[0]
    yield ROOT


def pages_of(cells: Cells, *, size: int = 20_000) -> Iterator[Page]:
    """Cells in memory as pages in the order of their keys."""
    addresses = cells.addresses
    order = np.array(sorted(range(len(cells)), key=addresses.__getitem__))
    for low in range(0, len(order), size):
        rows = order[low : low + size]
        columns = {name: column for name, column in cells.take(rows).items() if name in COLUMNS}
        columns.setdefault("radius", np.empty(0))
        yield {"address": np.array([addresses[row] for row in rows.tolist()], dtype=object), **columns}
