"""Search: the data points nearest to new ones, found through the hierarchy that was made of them.

A hierarchy keeps which cell each of its points lies in, not where the points are. So the data that it was made of is given
again, and it must be that data: its digest is the one in the recipe. Distances are between points as the hierarchy has them:
standardised, projected, encoded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from jaxtyping import Float, Int

from cfgraph.defaults import NEIGHBOURS, SEARCH_BEAM
from cfgraph.errors import InputError, notes_of
from cfgraph.files.arrays import PointTable, check_points
from cfgraph.files.sparse import check_sparse, dense_rows, digest_of_sparse, is_sparse
from cfgraph.learning.encoders import Embedding, Pipeline
from cfgraph.metric.apply import Data, Given, in_order, pipeline_of, rows_of
from cfgraph.metric.retrieval import Neighbours, PointIndex
from cfgraph.model.dag import show_names
from cfgraph.model.hierarchy import Hierarchy, HierarchyWithCells

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from cfgraph.store import Store

_DIGESTS = ("data_sha256", "embeddings_sha256")  # what a recipe calls the digest of the data behind the centers


@dataclass(frozen=True, eq=False)
class Found:
    """The nearest points of each query, and what these are called."""

    neighbours: Neighbours
    points: int  # among which was searched
    addresses: tuple[tuple[str, ...], ...]  # of the cells of those that were found, as many as there are for each query
    names: tuple[tuple[str, ...], ...] | None  # of them; None where points have no names
    query_names: tuple[str, ...] | None  # of images
    notes: tuple[str, ...] = ()

    @property
    def looked_at(self) -> float:
        """The share of the points whose distance was computed, the mean over queries."""
        return float(self.neighbours.looked_at.mean() / self.points)

    @property
    def compared(self) -> float:
        """The same of points and centers of cells together: what another index calls its cost."""
        return float((self.neighbours.looked_at + self.neighbours.compared).mean() / self.points)

    def rows(self) -> Iterator[tuple[int | str, int, int, str | None, str, float]]:
        """What was found: the query, the rank from 1 on, a point's row in the data, its name, its cell's address, distance."""
        for query, addresses in enumerate(self.addresses):
            called = query if self.query_names is None else self.query_names[query]
            names: Sequence[str | None] = [None] * len(addresses) if self.names is None else self.names[query]
            points, far = self.neighbours.row[query].tolist(), self.neighbours.distance[query].tolist()
            for rank, (name, address) in enumerate(zip(names, addresses, strict=True)):
                yield called, rank + 1, points[rank], name, address, far[rank]


class Judged(NamedTuple):
    """How much a search with some beam finds, and what it costs."""

    beam: int
    recall: float  # the share of the k nearest that it finds
    looked_at: float  # the share of the points whose distance it computes
    compared: float  # the same of points and centers of cells together


@overload
def search(
    source: "Store",
    id: str,
    queries: "Data | csr_array",
    *,
    data: "Data | csr_array",
    k: int = NEIGHBOURS,
    beam: int = SEARCH_BEAM,
) -> Found: ...
@overload
def search(
    source: HierarchyWithCells,
    queries: "Data | csr_array",
    /,
    *,
    data: "Data | csr_array",
    k: int = NEIGHBOURS,
    beam: int = SEARCH_BEAM,
) -> Found: ...
@overload
def search(
    source: HierarchyWithCells,
    *,
    queries: "Data | csr_array",
    data: "Data | csr_array",
    k: int = NEIGHBOURS,
    beam: int = SEARCH_BEAM,
) -> Found: ...
def search(
    source: "Store | HierarchyWithCells",
    id: Any = None,
    queries: Any = None,
    *,
    data: "Data | csr_array",
    k: int = NEIGHBOURS,
    beam: int = SEARCH_BEAM,
) -> Found:
    """The k data points nearest to each query, among those below the cells that a descent with a beam reaches.

    ``search(store, "photos", more, data=rows)``, of a hierarchy in memory ``search(tree, more, data=rows)``. A wider beam finds
    more of the nearest and looks at more points; one as wide as the hierarchy finds all
    (:class:`~cfgraph.metric.retrieval.PointIndex`). Ties go to the lowest row. The cells are read whole, and lie in memory
    beside the data.

    Args:
        source: a store, or a hierarchy with its cells.
        id: of a store, the hierarchy's id.
        data: what the hierarchy was made of, in the same order; of image files the folder.
        queries: new rows, with the columns of ``data``; of images as in :func:`cfgraph.metric.apply.encode`.
        k: how many are asked for.
        beam: how many cells are kept a level.

    Raises:
        InputError: for a hierarchy without data points, other data than it was made of, queries that
            :func:`~cfgraph.metric.apply.encode` refuses, and numbers out of their range.
        NotFoundError, DamagedError, ChangedError, VanishedError: as :meth:`cfgraph.store.Store.read_whole`.
    """
    id, queries = in_order(source, id, queries, verb="search", what="queries")
    index = SearchIndex.of(source, id, data=data)
    return index.search(queries, k=k, beam=beam)


@dataclass(frozen=True, eq=False)
class SearchIndex:
    """A hierarchy and the data it was made of, read once for many searches."""

    hierarchy: HierarchyWithCells
    pipeline: Pipeline | None
    index: PointIndex
    notes: tuple[str, ...]

    @classmethod
    def of(cls, source: "Store | HierarchyWithCells", id: str | None = None, *, data: "Data | csr_array") -> "SearchIndex":
        """The index of a hierarchy's points; arguments and errors as of :func:`search`."""
        whole = _whole(source, id)
        placed, pipeline = _cell_of_point(whole), pipeline_of(whole, whole)
        given = _checked(rows_of(pipeline, data, hierarchy=whole), what="the data")
        check_data(whole, given)
        index = PointIndex.of(whole.cells, values=given.encoded(), cell_of_point=placed)
        left = len(placed) - index.points
        if index.points == 0:
            raise InputError(
                f"none of the {len(placed):,} data points of {whole.id!r} lies in a cell, so there is nothing to find"
            )
        notes = (f"{left:,} of {len(placed):,} data points lie in no cell and are not found",) if left else ()
        return cls(whole, pipeline, index, (*given.notes, *notes))

    def search(self, queries: "Data | csr_array", *, k: int = NEIGHBOURS, beam: int = SEARCH_BEAM) -> Found:
        """The k nearest points of each query; arguments and errors as of the function."""
        x, names, notes = self._encoded(queries)
        near = self.index.search(x, k=k, beam=beam)
        addresses, placed, called = self.hierarchy.cells.addresses, self.index.cell_of_point, self._point_names()
        rows = [[row for row in found if row >= 0] for found in near.row.tolist()]
        return Found(
            neighbours=near,
            points=self.index.points,
            addresses=tuple(tuple(addresses[placed[row]] for row in found) for found in rows),
            names=None if called is None else tuple(tuple(called[row] for row in found) for found in rows),
            query_names=names,
            notes=notes_of((*self.notes, *notes)),
        )

    def judge(self, queries: "Data | csr_array", *, k: int = NEIGHBOURS, beams: Sequence[int]) -> tuple[Judged, ...]:
        """How much of the k nearest searches with some beams find, against all points looked at one by one."""
        x = self._encoded(queries).rows
        truth = self.index.scan(x, k=k)
        return tuple(self._judged(self.index.search(x, k=k, beam=beam), truth, beam=beam) for beam in beams)

    def _judged(self, found: Neighbours, truth: Neighbours, *, beam: int) -> Judged:
        looked_at, both = found.looked_at.mean(), (found.looked_at + found.compared).mean()
        return Judged(beam, found.recall(truth), float(looked_at / self.index.points), float(both / self.index.points))

    def _encoded(self, queries: "Data | csr_array") -> "_Queries":
        given = _checked(rows_of(self.pipeline, queries, hierarchy=self.hierarchy), what="the queries")
        return _Queries(given.encoded(), given.names, given.notes)

    def _point_names(self) -> Sequence[str] | None:
        """What the points are called: by themselves, or by cells of which each holds one."""
        names = self.hierarchy.cells.names
        if self.hierarchy.point_names is not None or names is None or "row" not in self.hierarchy.cells.own:
            return self.hierarchy.point_names
        called = [names[cell] if cell >= 0 else None for cell in self.index.cell_of_point.tolist()]
        return None if None in called else [str(name) for name in called]


class _Queries(NamedTuple):
    """Queries where the points are, what they are called, and what a reader should know of them."""

    rows: Float[np.ndarray, "queries dim"]
    names: tuple[str, ...] | None
    notes: tuple[str, ...]


def _checked(given: Given, *, what: str) -> Given:
    """Rows of finite numbers, at least one; of arrays with more axes each row is one of all its numbers."""
    if is_sparse(given.values):
        return given._replace(values=check_sparse(given.values, where=what))
    return given._replace(values=check_points(given.values, where=what).values)


def _whole(source: "Store | HierarchyWithCells", id: str | None) -> HierarchyWithCells:
    if isinstance(source, HierarchyWithCells):
        return source
    if id is None:
        raise InputError('expected the id of a hierarchy in the store: search(store, "photos", data=rows, queries=more)')
    _check_points_known(source.hierarchy(id))  # before all of its cells are read
    return source.read_whole(id)


def _check_points_known(hierarchy: Hierarchy) -> None:
    """Raise where neither nodes nor cells say which points there are."""
    if not hierarchy.point_nodes and "row" not in hierarchy.own:
        raise InputError(
            f"nothing says which data points lie in the cells of {hierarchy.id!r}, so none can be found; ingest its data with "
            "--points, which makes them nodes of the graph"
        )


def _cell_of_point(hierarchy: HierarchyWithCells) -> Int[np.ndarray, " points"]:
    """The row of the cell that each data point lies in, -1 for none."""
    if hierarchy.cell_of_point is not None:
        return hierarchy.cell_of_point
    _check_points_known(hierarchy)
    if "row" not in hierarchy.cells.own:
        raise InputError(
            f"the cells of the points of {hierarchy.id!r} were not read; read the whole first: store.read_whole(...)"
        )
    row = hierarchy.cells.own["row"]
    cell = np.full(max(hierarchy.points or 0, int(row.max(initial=-1)) + 1), -1, dtype=np.int64)
    cell[row[row >= 0]] = np.flatnonzero(row >= 0)
    return cell


def check_data(hierarchy: Hierarchy, given: Given) -> None:
    """An ``InputError`` where rows are not the data of the hierarchy's recipe. Images go by names, where these are read."""
    wanted = {hierarchy.recipe[name] for name in _DIGESTS if name in hierarchy.recipe}
    if not wanted:
        raise InputError(
            f"{hierarchy.id!r} keeps no digest of data behind its points, so nothing says whether this is theirs; ingest it "
            "with --embeddings, or make a hierarchy of the data itself (`cfgraph ingest points --points`)"
        )
    if not wanted.isdisjoint(_digests(given)):
        return
    if given.names is not None and isinstance(hierarchy, HierarchyWithCells) and hierarchy.point_names is not None:
        _check_names(hierarchy, given.names)
        if hierarchy.encoder is not None and hierarchy.encoder.steps[0]["kind"] == Embedding.kind:
            return  # a network's numbers differ in their last digits from machine to machine: the names have to do
    size = f"{given.values.shape[0]:,} x {given.values.shape[1]:,}"
    raise InputError(
        f"expected the data that {hierarchy.id!r} was made of, {hierarchy.points or 0:,} points of SHA-256 "
        f"{' or '.join(sorted(wanted))}, got others, {size} of {next(_digests(given))}; give the same rows in the same order"
    )


def _digests(given: Given) -> Iterator[str]:
    """What recipes may call rows, the first as they came, then as they are after each step: one after the other."""
    from scipy.sparse import csr_array

    if not isinstance(given.values, np.ndarray):
        yield digest_of_sparse(given.values)
        yield PointTable(dense_rows(given.values, where="the sparse rows")[0]).digest
        return
    yield PointTable(given.values).digest
    yield digest_of_sparse(csr_array(given.values))  # what is projected by --svd counts as sparse
    if given.names is not None and given.pipeline is not None:  # images: what is digested may be standardised already
        for step in range(1, len(given.pipeline.steps) + 1):
            yield PointTable(given.pipeline.encode_to(given.values, step=step)).digest


def _check_names(hierarchy: HierarchyWithCells, names: tuple[str, ...]) -> None:
    known = hierarchy.point_names or ()
    if names == known:
        return
    lacking, strangers = sorted(set(known) - set(names)), sorted(set(names) - set(known))
    told = [f"{len(some)} {what}, {show_names(some)}" for some, what in ((lacking, "lacking"), (strangers, "more")) if some]
    raise InputError(
        f"expected the {len(known):,} images that {hierarchy.id!r} was made of, got {len(names):,}: "
        f"{'; '.join(told) or 'they come in another order'}"
    )
