"""Ways: the path between two cells, over stored cells and below them, for the map to show."""

from typing import TYPE_CHECKING, Any

import numpy as np

from cfgraph.errors import AddressError
from cfgraph.exploring.library import Library
from cfgraph.model.address import is_address

if TYPE_CHECKING:
    from cfgraph.metric.path import Path
    from cfgraph.model.field import Field

EPSILON = float(np.finfo(np.float64).eps)


def tell_way(library: Library, id: str, first: str, second: str, *, field: "Field") -> dict[str, Any]:
    """The path metric between two cells with the cells on the way, each with the ``length`` of the step on.

    ``bound`` is what rounding may have done to the sum. Cells are named by address or, what is none, by name. Where the way
    leads below stored cells the rule answers.

    Raises:
        AddressError: for cells that are not there.
    """
    from cfgraph.metric.path import path_in_field

    try:
        path = _stored(library, id, first, second)
    except AddressError:
        if field.descent is None or not (is_address(first) and is_address(second)):
            raise
        path, _ = path_in_field(field, first=first, second=second)
    steps = [*map(float, path.lengths), None]  # none leads on from the last cell
    return {
        "first": path.first,
        "second": path.second,
        "ancestor": path.ancestor,
        "distance": path.distance,
        "addresses": list(path.way),
        "cells": [{"address": address, "length": step} for address, step in zip(path.way, steps, strict=False)],
        "bound": None if path.distance is None else len(path.lengths) * EPSILON * path.distance,
    }


def _stored(library: Library, id: str, first: str, second: str) -> "Path":
    from cfgraph.metric.path import find_path

    if library.store is not None:
        return find_path(library.store, id, first=first, second=second)
    hierarchy = library.hierarchy(id)
    return find_path(hierarchy.require_cells(), first=first, second=second)
