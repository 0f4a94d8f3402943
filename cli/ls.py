"""``cfgraph ls``"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from .context import Context, pass_context
from .output import FORMAT, print_rows

if TYPE_CHECKING:
    from cfgraph.store import Store, Stores

COLUMNS = ("id", "kind", "state", "cells", "points", "origin", "arity", "dimension", "scale", "learned from", "created")


@click.command("ls", epilog="Example: cfgraph ls --format json")
@FORMAT
@pass_context
def command(context: Context, format: str) -> None:
    """List hierarchies and predictors.

    How many cells a hierarchy has is counted just now, in the index of their keys, without reading them; points are the data
    points that it was made of. One whose node is damaged is listed as such, and stderr says what is wrong with it; `cfgraph
    rm` removes it. Of several stores (--store, or a stores.toml) the first column names them; one that does not answer is told
    of, and listed as away.
    """
    from cfgraph.errors import StoreUnavailableError
    from cfgraph.store import Store

    with context.open_stores() as stores:
        if isinstance(stores, Store):
            print_rows(COLUMNS, _rows_of(stores, context), format=format)
            return
        rows = [[name, *row] for name, store in stores.there for row in _rows_of(store, context)]
        for member in stores.away:
            context.say(f"WARNING: {member.name} does not answer, so what it holds is not listed: {member.found}", loud=True)
        if not list(stores.there):
            raise StoreUnavailableError("none of the stores answers; check that their servers are up")
        print_rows(("store", *COLUMNS), [*rows, *_away(stores)], format=format)


def _away(stores: "Stores") -> list[list[Any]]:
    return [[member.name, None, "store", "away", *[None] * (len(COLUMNS) - 3)] for member in stores.away]


def _rows_of(store: "Store", context: Context) -> list[list[Any]]:
    """What a store holds, a row each."""
    from cfgraph.model.hierarchy import FieldHierarchy

    hierarchies = store.hierarchies()
    sizes = store.sizes(hierarchies)
    rows = [
        [h.id, "hierarchy", h.state, size.cells, size.points, h.origin, arity, h.dimension, scale, None, _time(h.created)]
        for h, size in zip(hierarchies, sizes, strict=True)
        for arity, scale in [(h.arity, h.scale_factor) if isinstance(h, FieldHierarchy) else (None, None)]
    ]
    rows += [
        [
            p.id,
            "predictor",
            "flagged" if p.flagged else "ready",
            None,
            None,
            p.family,
            p.arity,
            p.dimension,
            p.scale_factor,
            f"{p.hierarchy} to level {p.depth}",
            _time(p.created),
        ]
        for p in store.predictors()
    ]
    for node in store.damaged():
        context.say(node.reason)
        rows.append([node.id, node.kind.lower(), "damaged", *[None] * (len(COLUMNS) - 3)])
    return rows


def _time(created: datetime) -> str:
    return f"{created:%Y-%m-%d %H:%M:%S}"
