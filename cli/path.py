"""``cfgraph path``"""

from typing import TYPE_CHECKING

import click

from cfgraph.errors import AddressError

from .context import Context, pass_context
from .output import print_json, print_line, print_table

if TYPE_CHECKING:
    from cfgraph.metric.path import Path
    from cfgraph.store import Store


@click.command("path", epilog="Example: cfgraph path koch /0/2/1 /3")
@click.argument("id")
@click.argument("first", metavar="CELL")
@click.argument("second", metavar="CELL")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print.")
@pass_context
def command(context: Context, id: str, first: str, second: str, format: str) -> None:
    """Path metric between two cells, with the way it takes.

    A cell is named by its address, or by its name where it has one (what looks like an address is one). Where cells have
    several parents the way is the shortest one up and down; cells below different roots have none. Below what is stored the
    rule answers that made the hierarchy, or grew it, where one is known.
    """
    from cfgraph.metric.path import find_path

    with context.open_store() as store:
        try:
            path = find_path(store, id, first=first, second=second)
        except AddressError as missing:
            path = _find_below(context, store, id, first, second, missing=missing)
    if format == "json":
        print_json(path)
        return
    if path.distance is None:
        print_line("distance: none, no way leads from the one to the other")
        return
    print_line(f"distance: {path.distance!r}")
    if path.ancestor is not None:
        print_line(f"lowest common ancestor: {path.ancestor}")
    print_table(["from", "to", "length"], list(zip(path.way, path.way[1:], path.lengths, strict=False)))


def _find_below(context: Context, store: "Store", id: str, first: str, second: str, *, missing: AddressError) -> "Path":
    """The same path where not all of its cells are stored; what is ``missing`` is an error where no rule is known."""
    from cfgraph.metric.path import path_in_field
    from cfgraph.model.address import is_address
    from cfgraph.sources.any_depth import field

    if not (is_address(first) and is_address(second)):
        raise missing
    answering = field(store, id)
    if answering.descent is None:
        raise missing
    path, ruled = path_in_field(answering, first=first, second=second)
    context.say(f"{ruled} of the {len(path.way)} cells on the way are not stored: they are what the rule of {id} answers")
    return path
