"""Describe: all that is known of a hierarchy or a predictor in a store, or of a field in a folder, ready for JSON."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from cfgraph.errors import DamagedError, InputError, NotFoundError
from cfgraph.formats.folders.place import is_folder
from cfgraph.growing.status import growth_status
from cfgraph.model.cells import FRONTIER, LEAF
from cfgraph.store.growth import GrownBy

if TYPE_CHECKING:
    from cfgraph.formats.folders.reader import FolderReader
    from cfgraph.model.hierarchy import Hierarchy
    from cfgraph.store import Store, Stores


def describe(store: "Store | Stores | None", id: "str | FolderReader", *, digest: bool = False) -> dict[str, Any]:
    """Of a hierarchy its fields, its cells counted and what grew it; of a predictor what was learned, and its validation.

    Args:
        store: where it is, or several of which one holds it; None for a folder.
        id: of a hierarchy or a predictor; or a field's folder (``"grown/"``, or an open one).
        digest: also reads every cell of a hierarchy, and tells its digest (of a folder the manifest tells one anyway).

    Returns:
        Plain values by name. While a hierarchy grows, ``growing`` has how many cells are ``left``, the ``frontier``, the
        ``rate`` in cells a second, ``seconds_left``, ``workers`` that hold leases, and leases ``taken_over``. Where only parts
        are grown, ``below`` names them, and the numbers are of them and of the blocks that their lines run through. ``cuts``
        are flat clusters that are kept as properties of cells: how each was made, how many ``cells`` there were then, how many
        were ``grown_since``, and whether it is ``unfinished``.

    Raises:
        NotFoundError: where the store has nothing of that id.
        InputError: for a folder that holds no whole field, and an id without a store.
        DamagedError: where a predictor's weights cannot be read.
        ChangedError: where the digest of what is being written or grown is asked for.
        VanishedError: where the hierarchy is removed meanwhile.
    """
    if not isinstance(id, str) or is_folder(id):
        from cfgraph.formats.folders.reader import open_folder  # here: it brings pyarrow

        return _describe_folder(open_folder(id) if isinstance(id, str) else id, digest=digest)
    if store is None:
        raise InputError(f"{id!r} is an id, which only a store knows; folders are named with a /")
    store, id = store.resolve(id)
    try:
        hierarchy = store.hierarchy(id)
    except NotFoundError:
        return _describe_predictor(store, id)
    if hierarchy.state == "removing" and not digest:
        return _describe_hierarchy(store, hierarchy)
    with store.witness(hierarchy, live=not digest):  # the digest is that of the cells that are counted
        return _describe_hierarchy(store, hierarchy) | ({"digest": store.digest(id)} if digest else {})


def _describe_hierarchy(store: "Store", hierarchy: "Hierarchy") -> dict[str, Any]:
    counts, grown = store.counts(hierarchy.id), store.read_growth(hierarchy.id)
    found = _fields(hierarchy)
    found |= {"cells": counts.cells, "depth": counts.depth, "frontier": counts.frontier, "leaves": counts.leaves}
    found |= {"predicted": counts.predicted, "grown_by": [asdict(growth) for growth in grown]}
    if cuts := store.cuts(hierarchy.id):
        found["cuts"] = {name: _describe_cut(about, cells=counts.cells) for name, about in cuts.items()}
    if hierarchy.state == "growing" and grown and not grown[0].done:
        found["growing"] = _describe_growth(store, hierarchy, grown[0])
        if not grown[0].is_partial:
            found["frontier"] = found["growing"]["frontier"]  # it grows meanwhile: one count of it
    return found


def _fields(hierarchy: "Hierarchy") -> dict[str, Any]:
    return {name: value for name, value in hierarchy.model_dump(mode="json").items() if value not in (None, [])}


def _describe_folder(reader: "FolderReader", *, digest: bool) -> dict[str, Any]:
    """What a manifest tells; with ``digest`` that of all cells as they are now."""
    from cfgraph.formats.folders.keyed import digest_of

    manifest, cut, prefix = reader.manifest, reader.cut, reader.prefix
    grown = [GrownBy.of(dict(one), predictor=grower.trained.id) for grower in reader.growers for one in grower.growths]
    below = cut.cells - cut.prefix_cells
    found = {
        **_fields(reader.hierarchy),
        "place": reader.title,
        "cells": reader.count(),
        "depth": reader.depth,
        "frontier": cut.width(cut.depth) if below else int(np.count_nonzero(prefix.state == FRONTIER)),
        "leaves": int(np.count_nonzero(prefix.state == LEAF)),
        "predicted": int(np.count_nonzero(prefix.predicted)) + (below if reader.predicted else 0),
        "cells_by_level": list(manifest.cells_by_level),
        "sheets": len(manifest.sheets),
        "bytes": sum(sheet.bytes for sheet in manifest.sheets),
        "grown_by": [asdict(growth) for growth in grown],
        "digest": digest_of(reader) if digest else manifest.digest,
    }
    return found if manifest.plan.predicts is None else {**found, "predicts": manifest.plan.predicts}


def _describe_cut(about: dict[str, Any], *, cells: int) -> dict[str, Any]:
    """A cut that is kept, and how many cells grew since, which have no part in it."""
    then = about.get("cells")
    return about | ({"grown_since": cells - then} if type(then) is int and "unfinished" not in about else {})


def _describe_growth(store: "Store", hierarchy: "Hierarchy", growth: "GrownBy") -> dict[str, Any]:
    status = growth_status(store, hierarchy.require_field("rollout"), growth)
    parts = {"below": list(growth.pending)} if growth.is_partial else {}
    return {
        **parts,
        "left": status.left,
        "frontier": status.frontier,
        "rate": round(status.rate, 1),
        "seconds_left": None if status.seconds_left is None else round(status.seconds_left, 1),
        "workers": status.workers,
        "taken_over": status.taken_over,
    }


def _describe_predictor(store: "Store", id: str) -> dict[str, Any]:
    try:
        return store.predictor(id).describe()
    except NotFoundError:
        raise NotFoundError(f"the store holds no hierarchy and no predictor {id!r}; `cfgraph ls` lists what it holds") from None
    except InputError as error:  # whoever asks what it is gave nothing wrong
        raise DamagedError(f"predictor {id!r} is damaged in the graph ({error})", id=id) from error
