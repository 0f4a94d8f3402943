"""``cfgraph path``"""

import click

from .context import Context, pass_context
from .output import print_json, print_line, print_table


@click.command("path", epilog="Example: cfgraph path koch /0/2/1 /3")
@click.argument("id")
@click.argument("first", metavar="CELL")
@click.argument("second", metavar="CELL")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print.")
@pass_context
def command(context: Context, id: str, first: str, second: str, format: str) -> None:
    """Path metric between two cells, with the way it takes.

    A cell is named by its address, or by its name where it has one (what looks like an address is one). Where cells have
    several parents the way is the shortest one up and down; cells below different roots have none.
    """
    from cfgraph.metric.path import find_path

    with context.open_store() as store:
        path = find_path(store, id, first=first, second=second)
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
