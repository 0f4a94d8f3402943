"""``cfgraph show``"""

import json
from typing import TYPE_CHECKING, Any

import click

from cfgraph.errors import NotFoundError

from .context import Context, pass_context
from .output import cell_text, json_value, print_table

if TYPE_CHECKING:
    from cfgraph.model.hierarchy import Hierarchy
    from cfgraph.store.growth import GrownBy


@click.command("show", epilog="Example: cfgraph show koch")
@click.argument("id")
@click.option("--digest", is_flag=True, help="Also read every cell and print the hierarchy's digest.")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print.")
@pass_context
def command(context: Context, id: str, digest: bool, format: str) -> None:
    """Show all that is known of a hierarchy or a predictor.

    Of a hierarchy: its field's numbers, its recipe, its cells counted, what grew it; while it grows, how many cells are
    left, the frontier, cells a second, seconds left, workers that hold leases, leases taken over. Of a predictor: what was
    learned (for `recurrence` the recovered maps, growth and fit) and the validation table.
    """
    with context.open_store() as store:
        found = _describe(store, id, digest=digest)
    if format == "json":
        click.echo(json.dumps(json_value(found), indent=1, default=str))
        return
    learned = found.pop("learned", {})
    for name, value in {**found, **learned}.items():
        _print_field(name, value)


def _describe(store: Any, id: str, *, digest: bool) -> dict[str, Any]:
    try:
        hierarchy = store.hierarchy(id)
    except NotFoundError:
        return _describe_predictor(store, id)
    counts, grown = store.counts(id), store.read_growth(id)
    found = {name: value for name, value in hierarchy.model_dump(mode="json").items() if value not in (None, [])}
    found |= {"cells": counts.cells, "depth": counts.depth, "frontier": counts.frontier, "leaves": counts.leaves}
    found |= {"predicted": counts.predicted, "grown_by": [vars(growth) for growth in grown]}
    if hierarchy.state == "growing" and grown and not grown[0].done:
        found["growing"] = _describe_growth(store, hierarchy, grown[0])
        found["frontier"] = found["growing"]["frontier"]  # it grows meanwhile: one count of it
    return found | ({"digest": store.digest(id)} if digest else {})


def _describe_growth(store: Any, hierarchy: "Hierarchy", growth: "GrownBy") -> dict[str, Any]:
    from cfgraph.growing.status import growth_status

    status = growth_status(store, hierarchy.require_field("rollout"), growth)
    return {
        "left": status.left,
        "frontier": status.frontier,
        "rate": round(status.rate, 1),
        "seconds_left": None if status.seconds_left is None else round(status.seconds_left, 1),
        "workers": status.workers,
        "taken_over": status.taken_over,
    }


def _describe_predictor(store: Any, id: str) -> dict[str, Any]:
    try:
        return store.predictor(id).describe()
    except NotFoundError:
        raise NotFoundError(f"the store holds no hierarchy and no predictor {id!r}; `cfgraph ls` lists what it holds") from None


def _print_field(name: str, value: Any) -> None:
    if name == "validation" and isinstance(value, dict):
        print_table(["family", "nMSE on held-out parents"], list(value.items()))
    elif name == "maps" and value:
        print_table(
            ["slot", "matrix", "offset"], [[slot, _rounded(m["matrix"]), _rounded(m["offset"])] for slot, m in enumerate(value)]
        )
    elif isinstance(value, dict):
        click.echo(f"{name}: {json.dumps(value, default=str)}")
    elif isinstance(value, list | tuple) and value and isinstance(value[0], str | dict):
        click.echo("\n".join([f"{name}:", *(f"  {cell_text(entry)}" for entry in value)]))
    else:
        click.echo(f"{name}: {cell_text(value)}")


def _rounded(value: Any) -> Any:
    return [_rounded(inner) for inner in value] if isinstance(value, list | tuple) else round(value, 12) + 0.0  # no -0.0
