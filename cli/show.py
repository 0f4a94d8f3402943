"""``cfgraph show``"""

import json
from typing import Any

import click

from .context import Context, pass_context
from .output import cell_text, print_json, print_line, print_table


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
    from cfgraph.growing.describe import describe
    from cfgraph.predictors.trained import JUDGED_BY, judgements

    with context.open_store() as store:
        found = describe(store, id, digest=digest)
    if format == "json":
        print_json(found)
        return
    learned, folds = found.pop("learned", {}), found.pop("folds", {})
    reasons = {name: found.pop(name, ()) for name in ("not_trained", "outrun")}
    for name, value in {**found, **learned}.items():
        if name == "validation":
            print_table(["family", *JUDGED_BY], judgements(folds, value, **reasons))
        else:
            _print_field(name, value)


def _print_field(name: str, value: Any) -> None:
    if name == "maps" and value:
        print_table(
            ["slot", "matrix", "offset"], [[slot, _rounded(m["matrix"]), _rounded(m["offset"])] for slot, m in enumerate(value)]
        )
    elif isinstance(value, dict):
        print_line(f"{name}: {json.dumps(value, default=str)}")
    elif isinstance(value, list | tuple) and value and isinstance(value[0], str | dict):
        for line in (f"{name}:", *(f"  {cell_text(entry)}" for entry in value)):
            print_line(line)
    else:
        print_line(f"{name}: {cell_text(value)}")


def _rounded(value: Any) -> Any:
    return [_rounded(inner) for inner in value] if isinstance(value, list | tuple) else round(value, 12) + 0.0  # no -0.0
