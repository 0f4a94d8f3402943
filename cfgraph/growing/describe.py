"""Describe: all that is known of a hierarchy or a predictor in a store, ready for JSON."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cfgraph.errors import DamagedError, InputError, NotFoundError
from cfgraph.growing.status import growth_status

if TYPE_CHECKING:
    from cfgraph.model.hierarchy import Hierarchy
    from cfgraph.store import Store
    from cfgraph.store.growth import GrownBy


def describe(store: "Store", id: str, *, digest: bool = False) -> dict[str, Any]:
    """Of a hierarchy its fields, its cells counted and what grew it; of a predictor what was learned, and its validation.

    Args:
        store: where it is.
        id: of a hierarchy or a predictor.
        digest: also reads every cell of a hierarchy, and tells its digest.

    Returns:
        Plain values by name. While a hierarchy grows, ``growing`` has how many cells are ``left``, the ``frontier``, the
        ``rate`` in cells a second, ``seconds_left``, ``workers`` that hold leases, and leases ``taken_over``. Where only parts
        are grown, ``below`` names them, and the numbers are of them and of the blocks that their lines run through.

    Raises:
        NotFoundError: where the store has nothing of that id.
        DamagedError: where a predictor's weights cannot be read.
        ChangedError: where the digest of what is being written or grown is asked for.
        VanishedError: where the hierarchy is removed meanwhile.
    """
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
    found = {name: value for name, value in hierarchy.model_dump(mode="json").items() if value not in (None, [])}
    found |= {"cells": counts.cells, "depth": counts.depth, "frontier": counts.frontier, "leaves": counts.leaves}
    found |= {"predicted": counts.predicted, "grown_by": [asdict(growth) for growth in grown]}
    if hierarchy.state == "growing" and grown and not grown[0].done:
        found["growing"] = _describe_growth(store, hierarchy, grown[0])
        if not grown[0].is_partial:
            found["frontier"] = found["growing"]["frontier"]  # it grows meanwhile: one count of it
    return found


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
