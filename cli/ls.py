"""``cfgraph ls``"""

import click

from .context import Context, pass_context
from .output import FORMAT, print_rows

HIERARCHY_COLUMNS = ("id", "kind", "state", "origin", "arity", "dimension", "scale", "learned from", "created")


@click.command("ls", epilog="Example: cfgraph ls --format json")
@FORMAT
@pass_context
def command(context: Context, format: str) -> None:
    """List hierarchies and predictors.

    One whose node is damaged is listed as such, and stderr says what is wrong with it; `cfgraph rm` removes it.
    """
    from cfgraph.model.hierarchy import FieldHierarchy

    with context.open_store() as store:
        rows = [
            [h.id, "hierarchy", h.state, h.origin, arity, h.dimension, scale_factor, None, f"{h.created:%Y-%m-%d %H:%M:%S}"]
            for h in store.hierarchies()
            for arity, scale_factor in [(h.arity, h.scale_factor) if isinstance(h, FieldHierarchy) else (None, None)]
        ]
        rows += [
            [
                p.id,
                "predictor",
                "flagged" if p.flagged else "ready",
                p.family,
                p.arity,
                p.dimension,
                p.scale_factor,
                f"{p.hierarchy} to level {p.depth}",
                f"{p.created:%Y-%m-%d %H:%M:%S}",
            ]
            for p in store.predictors()
        ]
        damaged = store.damaged()
    rows += [[node.id, node.kind.lower(), "damaged", *[None] * (len(HIERARCHY_COLUMNS) - 3)] for node in damaged]
    for node in damaged:
        context.say(node.reason)
    print_rows(HIERARCHY_COLUMNS, rows, format=format)
