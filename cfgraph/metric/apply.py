"""New data in a hierarchy that was made of data: encoded as those were, then located among its cells; and cells as data again.

A descent by the nearest center finds a point's own leaf only so often: with a beam of 1 three points of four that a binary tree
was made of, with 4 nearly all, with 16 all (docs/learning.md). So a beam of 4 is the rule here. A nested-CRP tree of Gaussians
is asked itself: the most probable way counts variances and masses, which the nearest center does not.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from jaxtyping import Float, Num

from cfgraph.checks import check_integer
from cfgraph.defaults import BEAM
from cfgraph.errors import InputError, notes_of
from cfgraph.files.arrays import PointTable, check_points
from cfgraph.files.column_order import in_order as in_column_order
from cfgraph.files.column_order import names_in
from cfgraph.files.columns import of_table
from cfgraph.files.in_memory import as_table
from cfgraph.files.sparse import check_sparse, is_sparse
from cfgraph.learning.encoders import NestedTree, Pipeline, load_encoder
from cfgraph.learning.nested.learned import LearnedTree
from cfgraph.learning.new_images import NewImages, of_images
from cfgraph.learning.trainable import OWN
from cfgraph.metric.locate import locate, locate_addresses
from cfgraph.model.address import ancestor_address, level_of, parse_address
from cfgraph.model.hierarchy import Hierarchy, HierarchyWithCells

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from cfgraph.store import Store

PREPARED = ("pca", "svd")  # what a recipe says of data that was prepared, and the first version kept no encoder of
Rows = Num[np.ndarray, "points ..."]  # of images, perhaps with the axes that images have
Data = Rows | PointTable | Path | str | NewImages  # all but the first are images, of hierarchies that were made of such


@overload
def encode(source: "Store", id: str, data: "Data | csr_array") -> Float[np.ndarray, "points dim"]: ...
@overload
def encode(source: HierarchyWithCells, data: "Data | csr_array", /) -> Float[np.ndarray, "points dim"]: ...
@overload
def encode(source: HierarchyWithCells, *, data: "Data | csr_array") -> Float[np.ndarray, "points dim"]: ...
def encode(source: "Store | HierarchyWithCells", id: Any = None, data: Any = None) -> Float[np.ndarray, "points dim"]:
    """Rows of raw data where a hierarchy's centers are: standardised, projected, ... as the data were that it was made of.

    Args:
        source: a store, or a hierarchy with its cells.
        id: of a store, the hierarchy's id.
        data: a row a point, with the columns of the data that the hierarchy was made of; of images, images of that size. Rows
            may be sparse (``scipy.sparse``). Where it was made of image files: a folder of such, or what
            :class:`~cfgraph.learning.new_images.NewImages` says.

    Raises:
        InputError: for rows of another number of columns or that are not finite, and a hierarchy whose cells have no centers or
            whose encoder could not be kept.
        NotFoundError, DamagedError: where the store has no such hierarchy, or another encoder than it should have.
    """
    id, data = in_order(source, id, data, verb="encode", what="data")
    hierarchy = _hierarchy(source, id)
    return rows_of(pipeline_of(source, hierarchy), data, hierarchy=hierarchy).encoded()


def in_order(source: "Store | HierarchyWithCells", id: Any, second: Any, *, verb: str, what: str) -> tuple[str | None, Any]:
    """The id, and what comes behind it: of a hierarchy in memory, which needs no id, that comes first."""
    if second is None and isinstance(source, HierarchyWithCells):
        id, second = None, id
    if second is None:
        usual = f"{verb}(hierarchy, {what})" if isinstance(source, HierarchyWithCells) else f'{verb}(store, "iris", {what})'
        raise InputError(f"expected {what}: {usual}")
    return id, second


@overload
def apply(source: "Store", id: str, data: "Data | csr_array", *, beam: int = BEAM, depth: int | None = None) -> list[str]: ...
@overload
def apply(
    source: HierarchyWithCells, data: "Data | csr_array", /, *, beam: int = BEAM, depth: int | None = None
) -> list[str]: ...
@overload
def apply(source: HierarchyWithCells, *, data: "Data | csr_array", beam: int = BEAM, depth: int | None = None) -> list[str]: ...
def apply(
    source: "Store | HierarchyWithCells", id: Any = None, data: Any = None, *, beam: int = BEAM, depth: int | None = None
) -> list[str]:
    """The address of the cell that each row of new data belongs to: ``apply(store, "iris", rows)``, ``apply(tree, rows)``.

    The rows are encoded (:func:`encode`), then descend by the nearest centers, a beam of cells a level, to a cell without
    children, or to level ``depth`` (:func:`cfgraph.metric.locate.locate`). In a nested-CRP tree (``sources.hcrl``) that nothing
    was grown on to they go to where their most probable way ends; ``beam`` is of no use there.

    Raises:
        InputError: as :func:`encode`, and for a beam below 1 or a depth below 0.
        VanishedError, ChangedError: where the hierarchy is removed meanwhile, or grown above ``depth``.
    """
    id, data = in_order(source, id, data, verb="apply", what="data")
    return apply_named(source, id, data=data, beam=beam, depth=depth).addresses


class Applied(NamedTuple):
    """The address of each point's cell, the points' names where they have some, and where they are among the centers."""

    addresses: list[str]
    names: tuple[str, ...] | None
    rows: Float[np.ndarray, "points dim"]
    notes: tuple[str, ...]


def apply_named(
    source: "Store | HierarchyWithCells",
    id: str | None = None,
    *,
    data: "Data | csr_array",
    beam: int = BEAM,
    depth: int | None = None,
) -> Applied:
    """The same with the names of images, which may be fewer than were given, and notes; raises as :func:`apply`."""
    with _reading(source, id, depth=depth) as hierarchy:
        given = rows_of(pipeline_of(source, hierarchy), data, hierarchy=hierarchy)
        encoded = given.encoded()
        if given.pipeline is not None and isinstance(given.pipeline.last, NestedTree) and not is_grown(source, hierarchy):
            tree = LearnedTree(given.pipeline, given.pipeline.last)
            addresses = most_probable(tree, given.values, beam=beam, depth=depth)
        elif isinstance(source, HierarchyWithCells):
            found = locate(source.cells, encoded, beam=beam, depth=depth)
            addresses = [source.cells.addresses[row] for row in found.tolist()]
        else:
            addresses = locate_addresses(source.reader(hierarchy.id), encoded, beam=beam, depth=depth)
    return Applied(addresses, given.names, encoded, notes_of(given.notes))


class Given(NamedTuple):
    """Rows as they were given, and the steps that are left for them: of images the first one is done while they are read."""

    values: "Rows | csr_array"
    pipeline: Pipeline | None
    names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def encoded(self) -> Float[np.ndarray, "points dim"]:
        """The rows where centers are."""
        if self.pipeline is None:
            assert isinstance(self.values, np.ndarray)  # without one rows are never sparse
            return self.values
        return self.pipeline.encode(self.values)


def is_of_images(source: "Store | HierarchyWithCells", id: str | None = None) -> bool:
    """Whether a hierarchy was made of images, so that new ones can be given as such."""
    pipeline = pipeline_of(source, _hierarchy(source, id))
    return pipeline is not None and of_images(pipeline.steps)


def rows_of(pipeline: Pipeline | None, data: "Data | csr_array", *, hierarchy: Hierarchy) -> Given:
    """New data as rows, images embedded, columns with names in the order of those that the hierarchy was made of.

    Raises:
        InputError: for image files where it was made of others, and where some of its columns are missing.
    """
    steps = () if pipeline is None else pipeline.steps
    if isinstance(data, Path | str) or (of_images(steps) and isinstance(data, np.ndarray) and data.ndim > 2):
        data = NewImages(data=data)
    if isinstance(data, NewImages):
        if not of_images(steps):
            raise InputError(f"{hierarchy.id} was not made of image files; give rows of numbers, as it was made of")
        read = data.rows(steps[0])
        return Given(read.values, Pipeline(steps[1:]), read.names, read.notes)
    table = _named(data)
    if table is None:
        return Given(_as_rows(data, encoded=pipeline is not None), pipeline)
    values, notes = in_column_order(table.values, table.columns, wanted=names_in(hierarchy.recipe), id=hierarchy.id)
    return Given(values, pipeline, notes=(*table.notes, *notes))


def _named(data: Any) -> PointTable | None:
    """A table that was read, or a data frame: columns that have names; None for other data."""
    if isinstance(data, PointTable):
        return data
    table = as_table(data, where="the rows")
    if table is None:
        return None
    raw = of_table(table, where="the rows", what="points", columns=None)
    return PointTable(np.asarray(raw.values, dtype=np.float64), raw.notes, columns=raw.names)


@overload
def reconstruct(source: "Store", id: str, addresses: Sequence[str]) -> Float[np.ndarray, "cells columns"]: ...
@overload
def reconstruct(source: HierarchyWithCells, addresses: Sequence[str], /) -> Float[np.ndarray, "cells columns"]: ...
@overload
def reconstruct(source: HierarchyWithCells, *, addresses: Sequence[str]) -> Float[np.ndarray, "cells columns"]: ...
def reconstruct(
    source: "Store | HierarchyWithCells", id: Any = None, addresses: Any = None
) -> Float[np.ndarray, "cells columns"]:
    """What cells look like among the data, a row each: their centers through all steps of the encoder backwards.

    Inner cells are decoded as leaves are, at their own level of abstraction, and so are cells that a predictor grew.

    Raises:
        InputError: for an address that no cell has, cells without centers, and an encoder with a step that has no way back, as
            bringing rows to length 1 and networks have none but the autoencoder of ``sources.hcrl``.
        NotFoundError, DamagedError: as :func:`encode`.
        VanishedError: where the hierarchy is removed meanwhile.
    """
    id, addresses = in_order(source, id, addresses, verb="reconstruct", what="addresses")
    addresses = [addresses] if isinstance(addresses, str) else list(addresses)
    for address in addresses:
        parse_address(address)
    with _reading(source, id, live=True) as hierarchy:  # a cell stays as it is, whatever grows below it
        pipeline = pipeline_of(source, hierarchy)
        center = _centers(source, hierarchy, addresses)
    return center if pipeline is None else pipeline.decode(center)


def _centers(
    source: "Store | HierarchyWithCells", hierarchy: Hierarchy, addresses: Sequence[str]
) -> Float[np.ndarray, "cells dim"]:
    """The centers of the cells at some addresses, in their order."""
    if isinstance(source, HierarchyWithCells):
        known = {address: row for row, address in enumerate(source.cells.addresses)}
        center = source.cells.center
    else:
        found = source.read_at(hierarchy.id, addresses)
        known = {address: row for row, address in enumerate(found["address"].tolist())}
        center = found["center"]
    if unknown := [address for address in addresses if address not in known]:
        raise InputError(f"hierarchy {hierarchy.id!r} has no cell {unknown[0]}")
    return center[[known[address] for address in addresses]].reshape(len(addresses), hierarchy.dimension)


def _as_rows(data: Any, *, encoded: bool) -> Any:
    """Data as floats; sparse ones stay so where a pipeline is to encode them, which takes them in parts."""
    if is_sparse(data):
        return check_sparse(data, where="the sparse rows") if encoded else check_points(data, where="the sparse rows").values
    return np.asarray(data, dtype=np.float64)


def most_probable(tree: LearnedTree, rows: "Rows | csr_array", *, beam: int, depth: int | None) -> list[str]:
    """Where the most probable way of each row ends in a learned tree."""
    check_integer(beam, name="beam", low=1)
    found = tree.apply(rows).address
    if depth is None:
        return found
    deepest = check_integer(depth, name="depth", low=0)
    return [ancestor_address(address, min(deepest, level_of(address))) for address in found]


def pipeline_of(source: "Store | HierarchyWithCells", hierarchy: Hierarchy) -> Pipeline | None:
    """What was done to a hierarchy's data first; None where nothing was."""
    if hierarchy.dimension == 0:
        raise InputError(
            f"the cells of {hierarchy.id!r} have no centers, so no point can be located among them; make it of features, or "
            "with --embeddings"
        )
    if hierarchy.recipe.get("encoder") == OWN:
        raise InputError(
            f"{hierarchy.id!r} was made with an encoder of somebody's own, which is not kept; encode the data by it, bring "
            "rows to length 1, and find their cells by cfgraph.metric.locate.locate"
        )
    encoder = source.require_encoder() if isinstance(source, HierarchyWithCells) else source.encoder(hierarchy)
    if encoder is None and (done := [name for name in PREPARED if hierarchy.recipe.get(name)]):
        told = ", ".join(f"{name} {hierarchy.recipe[name]}" for name in done)
        raise InputError(
            f"{hierarchy.id!r} was made by an earlier version, which kept nothing of how its data was prepared ({told}); make "
            "it again from the same data, by its own command under another id"
        )
    return None if encoder is None else load_encoder(encoder)


def is_grown(source: "Store | HierarchyWithCells", hierarchy: Hierarchy) -> bool:
    """Whether a predictor put cells below the learned ones, or in place of them."""
    if hierarchy.origin == "rollout" or hierarchy.former_predictors:
        return True
    if isinstance(source, HierarchyWithCells):
        return bool(source.cells.predicted.any())
    return bool(source.read_growth(hierarchy.id))


@contextmanager
def _reading(
    source: "Store | HierarchyWithCells", id: str | None, *, depth: int | None = None, live: bool = False
) -> Iterator[Hierarchy]:
    """A ``with`` around what is read of a hierarchy in several queries, as ``Store.witness`` is one."""
    if isinstance(source, HierarchyWithCells):
        yield source
        return
    with source.witness(_required(id), depth=depth, live=live) as witness:
        yield witness.hierarchy


def _hierarchy(source: "Store | HierarchyWithCells", id: str | None) -> Hierarchy:
    return source if isinstance(source, HierarchyWithCells) else source.hierarchy(_required(id))


def _required(id: str | None) -> str:
    if id is None:
        raise InputError('expected the id of a hierarchy in the store: apply(store, "iris", data=rows)')
    return id
