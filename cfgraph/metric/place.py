"""Place: new data into a hierarchy of a store: each row encoded, located, and kept as a point in its cell.

A point x in cell w with center c has

    distance = norm(x - c)
    margin   = (distance to the nearest center of w's siblings) - distance
    outside  = distance > radius(w)

where the radius of nested k-means is that of the data: how far the farthest of its points lies from its cell's center, on the
level of w (``Hierarchy.point_radius``). The radius of another field's cell, and of one that a predictor grew below all data, is
``R scale / (1 - s)``, that of an imported one what is stored (its farthest descendant, by the path metric) or, without
descendants, its scale: how far its parent's farthest child lies. Under a beam of 1 the margin is
never negative; the descent of a wider one may end in another cell than the nearest of its family.
"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import numpy as np
from jaxtyping import Float, Int

import cfgraph
from cfgraph.checks import check_integer
from cfgraph.defaults import BEAM
from cfgraph.errors import DamagedError, InputError, notes_of
from cfgraph.files.arrays import PointTable, check_points
from cfgraph.files.sparse import digest_of_sparse, is_sparse
from cfgraph.learning.encoders import NestedTree
from cfgraph.learning.nested.learned import LearnedTree
from cfgraph.metric.apply import Given, is_grown, most_probable, pipeline_of, rows_of
from cfgraph.metric.distances import field_radius
from cfgraph.metric.locate import locate, locate_addresses
from cfgraph.metric.search import check_data
from cfgraph.model.address import ROOT, level_of, parent_address
from cfgraph.model.batch import Batch, check_batch_name
from cfgraph.model.cells import Cells
from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy
from cfgraph.model.progress import Asked, shown
from cfgraph.store.placing import PLACE_ROWS, NewBatch, Row

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from cfgraph.metric.apply import Data
    from cfgraph.store import Store

HELD_NUMBERS = 1 << 23  # of cells that memory holds: of more, those are asked for that rows come by
CELL_NUMBERS = 16  # that a cell takes besides its center and its residual, its address counted
SLACK = 1e-9  # what rounding may add to the distance of a point that was there before, of its cell's radius
ROUNDING = 1e-14  # and of the numbers that a center is the sum of
VORONOI = ("points", "images")  # nested k-means: descents by the nearest center lead the data to the cells that it is in


class Placed(NamedTuple):
    """The batch as it is recorded now, how many of its rows came into their cells since the call, and what to know."""

    batch: Batch
    written: int
    notes: tuple[str, ...]


def place(
    store: "Store",
    id: str,
    data: "Data | csr_array",
    *,
    names: Sequence[str] | None = None,
    batch: str | None = None,
    beam: int | None = None,
    progress: Asked = None,
) -> Placed:
    """Place new data in a hierarchy: ``place(store, "iris", rows, batch="monday")``.

    The rows go the way that the hierarchy's data went (:func:`cfgraph.metric.apply.apply`). They are written some thousand a
    transaction; interrupted, the same call goes on, and each row is written once. Rows that are placed already are found by
    their digest, whatever their batch is called: nothing is written.

    Args:
        store: where the hierarchy is.
        id: the hierarchy's id.
        data: as of :func:`~cfgraph.metric.apply.apply`: rows with the columns of the hierarchy's data, or images.
        names: what the rows are called, a name a row; of image files theirs unless given.
        batch: what the batch is called; ``batch-1``, ``batch-2``, ..., by the first free number, unless given.
        beam: the cells that a descent keeps at a level. Unless given 1 for nested k-means (``points``, ``images``), where that
            leads the data itself to the cells that it is in, else as of :func:`~cfgraph.metric.apply.apply`.
        progress: is told how many rows are placed, and how many there are; unless given, a live line shows it on terminals and
            in notebooks (``True``: everywhere, ``False``: nowhere).

    Raises:
        InputError: for what ``apply`` refuses, no rows, another number of names, a name that no batch can have, and a batch of
            that name with other rows; and to go on where the hierarchy was grown since.
        NotFoundError: where there is no such hierarchy.
        VanishedError, ChangedError: where the hierarchy, or the batch, is removed meanwhile, or the hierarchy grown.
    """
    if batch is not None:
        check_batch_name(batch)
    with store.witness(id) as witness:
        hierarchy = witness.hierarchy
        given = rows_of(pipeline_of(store, hierarchy), data, hierarchy=hierarchy)
        rows = _Rows.of(given, names=names)
        width = check_integer(_beam_of(hierarchy) if beam is None else beam, name="beam", low=1)
        locator = _Locator.of(store, hierarchy, given, beam=width)
        locator.rows(rows, 0)  # what cannot be placed is told before anything is recorded
        found, held = store.begin_batch(
            hierarchy,
            NewBatch(
                rows=rows.count,
                digest=rows.digest,
                names_sha256=rows.names_sha256,
                beam=width,
                cells=locator.count,
                name=batch,
                version=cfgraph.__version__,
            ),
        )
        begun = found.done
        with _Ahead(rows, locator) as ahead, shown(progress, f"place {id}") as show:
            while found.done < found.rows:
                piece = ahead.piece(found.done)
                witness.check()
                found = store.place_rows(held, found, piece)
                show(found.done, found.rows)
    remarks = _remarks(found, begun, cells=locator.count, first=hierarchy.recipe.get("data_sha256"))
    return Placed(found, found.done - begun, notes_of((*given.notes, *_radius_note(hierarchy), *remarks)))


def measured(store: "Store", hierarchy: Hierarchy, data: "Data | csr_array", *, beam: int | None = None) -> Iterator[list[Row]]:
    """What :func:`place` would write of the data that a hierarchy was made of, some thousand rows at a time.

    Raises an ``InputError`` for other data, told by the digest in the recipe, and for rows that ``place`` refuses.
    """
    given = rows_of(pipeline_of(store, hierarchy), data, hierarchy=hierarchy)
    rows = _Rows.of(given, names=None)
    check_data(hierarchy, given._replace(values=rows.values))
    locator = _Locator.of(store, hierarchy, given, beam=_beam_of(hierarchy) if beam is None else beam)
    start = 0
    while start < rows.count:
        piece = locator.rows(rows, start)
        yield piece
        start += len(piece)


def _radius_note(hierarchy: Hierarchy) -> tuple[str, ...]:
    """What to know of `outside` where the radii of the data were not kept."""
    if not isinstance(hierarchy, FieldHierarchy) or not hierarchy.data_built or hierarchy.point_radius is not None:
        return ()
    return (
        f"how far the data of {hierarchy.id!r} lie from their centers was not kept when it was made, so `outside` goes by "
        "R s^l / (1 - s), within which all cells below lie, and not by the data",
    )


def _remarks(batch: Batch, begun: int, *, cells: int, first: Any) -> Iterator[str]:
    if begun == batch.rows:
        yield f"these rows are placed already, as batch {batch.name!r}; nothing was written"
        if batch.cells != cells:
            yield (
                f"they were {batch.located}, and {batch.hierarchy!r} has {cells:,} by now; to have them in these, take the "
                f"batch back, and place it again: cfgraph place {batch.hierarchy} --remove {batch.name}"
            )
    elif begun:
        yield f"{begun:,} of these rows were placed before"
    if batch.digest == first:
        yield f"these are the very rows that {batch.hierarchy!r} was made of"


def _beam_of(hierarchy: Hierarchy) -> int:
    return 1 if hierarchy.origin in VORONOI else BEAM


class _Ahead:
    """Pieces of rows, each ready to be written; the one behind it is located meanwhile. Use it in a ``with``."""

    def __init__(self, rows: "_Rows", locator: "_Locator"):
        self._rows, self._locator = rows, locator
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="cfgraph-locate")
        self._coming: tuple[int, Future[list[Row]]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def piece(self, start: int) -> list[Row]:
        """The rows from this one on."""
        if self._coming is None or self._coming[0] != start:  # somebody else places the same rows, and was faster
            self._ask(start)
        assert self._coming is not None
        found = self._coming[1].result()
        if start + len(found) < self._rows.count:
            self._ask(start + len(found))
        return found

    def _ask(self, start: int) -> None:
        self._coming = (start, self._pool.submit(self._locator.rows, self._rows, start))


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows as they were given, checked."""

    given: Given
    values: Any  # an array, or sparse rows
    names: tuple[str, ...] | None

    @classmethod
    def of(cls, given: Given, *, names: Sequence[str] | None) -> "_Rows":
        values = given.values
        if is_sparse(values):
            if values.shape[0] == 0:
                raise InputError("expected at least one row to place, got none")
        else:
            values = check_points(values, where="the rows to place").values
        called = given.names if names is None else tuple(names)
        count = int(values.shape[0])
        if called is not None and len(called) != count:
            raise InputError(f"expected {count:,} names, one for each row, got {len(called):,}")
        if called is not None and (wrong := [name for name in called if not isinstance(name, str) or not name]):
            raise InputError(f"expected a name for each row, of at least one character, got {wrong[0]!r}")
        return cls(given, values, called)

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.values.shape[0])

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the rows as they were given, as recipes have it (``data_sha256``)."""
        return digest_of_sparse(self.values) if is_sparse(self.values) else PointTable(self.values).digest

    @cached_property
    def names_sha256(self) -> str | None:
        """SHA-256 of their names."""
        return None if self.names is None else hashlib.sha256("\n".join(self.names).encode()).hexdigest()

    def encoded(self, start: int, stop: int) -> Float[np.ndarray, "points dim"]:
        """Some of them where the hierarchy's centers are."""
        return self.given._replace(values=self.values[start:stop]).encoded()


class _Sites(NamedTuple):
    """Cells that rows lie in, each with its family: a table of centers, in which a family is one slice."""

    center: Float[np.ndarray, "table dim"]
    scale: Float[np.ndarray, " table"]
    radius: Float[np.ndarray, " table"] | None
    own: Int[np.ndarray, " points"]  # of each row its cell in the table
    first: Int[np.ndarray, " points"]  # and where its family begins
    family: Int[np.ndarray, " points"]  # how many it is


class _Cells(Protocol):
    """Where rows are located: cells in memory, or in a store."""

    def locate(self, x: Float[np.ndarray, "points dim"], *, beam: int) -> list[str]:
        """The address where each descent ends."""

    def sites(self, addresses: Sequence[str]) -> _Sites:
        """The cells at these addresses with their families."""


@dataclass(frozen=True, eq=False)
class _Held:
    """Cells in memory."""

    cells: Cells

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {address: row for row, address in enumerate(self.cells.addresses)}

    def locate(self, x: Float[np.ndarray, "points dim"], *, beam: int) -> list[str]:
        addresses = self.cells.addresses
        return [addresses[row] for row in locate(self.cells, x, beam=beam).tolist()]

    def sites(self, addresses: Sequence[str]) -> _Sites:
        own, cells = np.array([self._rows[address] for address in addresses], dtype=np.int64), self.cells
        parent = np.maximum(cells.parent[own], 0)
        alone = cells.parent[own] < 0
        first, count = np.where(alone, own, cells.first_child[parent]), np.where(alone, 1, cells.child_count[parent])
        return _Sites(cells.center, cells.scale, cells.radius, own, first, count)


@dataclass(frozen=True, eq=False)
class _Stored:
    """Cells of which memory holds only those that some rows come by."""

    store: "Store"
    id: str

    @cached_property
    def _reader(self) -> Any:
        return self.store.reader(self.id)

    def locate(self, x: Float[np.ndarray, "points dim"], *, beam: int) -> list[str]:
        return locate_addresses(self._reader, x, beam=beam)

    def sites(self, addresses: Sequence[str]) -> _Sites:
        different, place = np.unique(np.array(addresses, dtype=object), return_inverse=True)
        names = different.tolist()
        if names == [ROOT]:
            table, above = self._reader.cells([ROOT]), [ROOT]
        else:  # the root has children, so no descent ends there
            table = self._reader.children(sorted({parent_address(address) for address in names}))  # family after family
            above = [parent_address(address) for address in table["address"].tolist()]
        row_of = {address: row for row, address in enumerate(table["address"].tolist())}
        families, first, count = np.unique(np.array(above, dtype=object), return_index=True, return_counts=True)
        number = {parent: row for row, parent in enumerate(families.tolist())}
        try:
            own = np.array([row_of[address] for address in names], dtype=np.int64)
        except KeyError as error:
            raise DamagedError.of(self.id, f"the cell {error.args[0]} is gone") from error
        family = np.array([number[above[row]] for row in own.tolist()], dtype=np.int64)
        found = _Sites(table["center"], table["scale"], table.get("radius"), own, first[family], count[family])
        return found._replace(own=own[place], first=found.first[place], family=found.family[place])


@dataclass(frozen=True, eq=False)
class _Locator:
    """Rows to points: encoded, located, measured."""

    hierarchy: Hierarchy
    cells: _Cells
    beam: int
    count: int  # of the hierarchy's cells
    tree: LearnedTree | None = None  # of Gaussians, which is asked itself

    @classmethod
    def of(cls, store: "Store", hierarchy: Hierarchy, given: Given, *, beam: int) -> "_Locator":
        """Over cells in memory where these are few."""
        tree = None
        if given.pipeline is not None and isinstance(given.pipeline.last, NestedTree) and not is_grown(store, hierarchy):
            tree = LearnedTree(given.pipeline, given.pipeline.last)
        count = store.counts(hierarchy.id).cells
        held = count * (2 * hierarchy.dimension + CELL_NUMBERS) <= HELD_NUMBERS
        return cls(hierarchy, _Held(store.read(hierarchy)) if held else _Stored(store, hierarchy.id), beam, count, tree)

    def rows(self, rows: _Rows, start: int) -> list[Row]:
        """The next rows, as many as a transaction takes, as the graph takes them."""
        stop = min(start + PLACE_ROWS, rows.count)
        x = rows.encoded(start, stop)
        if self.tree is None:
            addresses = self.cells.locate(x, beam=self.beam)
        else:
            addresses = most_probable(self.tree, rows.values[start:stop], beam=self.beam, depth=None)
        sites = self.cells.sites(addresses)
        distance, margin = _distances(x, sites)
        outside = distance > self._radius(sites, addresses)
        names = [None] * len(x) if rows.names is None else rows.names[start:stop]
        near = [None if value != value else value for value in margin.tolist()]
        return list(zip(range(start, stop), addresses, names, distance.tolist(), near, outside.tolist(), strict=True))

    def _radius(self, sites: _Sites, addresses: Sequence[str]) -> Float[np.ndarray, " points"]:
        scale: Float[np.ndarray, " points"] = sites.scale[sites.own]
        if isinstance(self.hierarchy, FieldHierarchy):
            bound, factor = self.hierarchy.residual_bound, self.hierarchy.scale_factor
            of_field = field_radius(scale, residual_bound=bound, scale_factor=factor)
            if (known := self.hierarchy.point_radius) is None:
                return of_field
            level = np.array([level_of(address) for address in addresses])
            of_data = np.array(known)[np.minimum(level, len(known) - 1)]
            size = np.linalg.norm(sites.center[sites.own], axis=1)  # what rounding is of where a level's points are its centers
            slack = SLACK * (of_data + of_field) + ROUNDING * size
            return np.where(level < len(known), of_data + slack, of_field)  # what a predictor grew below has no data
        radius = np.zeros(len(scale)) if sites.radius is None else sites.radius[sites.own]
        found: Float[np.ndarray, " points"] = np.where(radius > 0, radius, scale)
        return found


def _distances(
    x: Float[np.ndarray, "points dim"], sites: _Sites
) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]:
    """How far each row lies from its cell's center, and by how much less than from the nearest sibling's; NaN without one."""
    own = np.linalg.norm(x - sites.center[sites.own], axis=1)
    nearest = np.full(len(x), np.inf)
    for slot in range(int(sites.family.max())):
        row = sites.first + slot
        rows = np.flatnonzero((slot < sites.family) & (row != sites.own))
        distance = np.linalg.norm(x[rows] - sites.center[row[rows]], axis=1)
        nearest[rows] = np.minimum(nearest[rows], distance)
    return own, np.where(np.isfinite(nearest), nearest - own, np.nan)
