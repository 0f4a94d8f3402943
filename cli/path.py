"""``cfgraph path``"""

import json

import click

from .context import Context, pass_context
from .output import print_table


@click.command("path", epilog="Example: cfgraph path koch /0/2/1 /3")
@click.argument("id")
@click.argument("first", metavar="ADDRESS")
@click.argument("second", metavar="ADDRESS")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print.")
@pass_context
def command(context: Context, id: str, first: str, second: str, format: str) -> None:
    """Path metric between two cells, with the way it takes."""
    from cfgraph.path import find_path

    with context.open_store() as store:
        path = find_path(store, id, first=first, second=second)
    if format == "json":
        click.echo(json.dumps(vars(path), indent=1))
        return
    click.echo(f"distance: {path.distance!r}")
    click.echo(f"lowest common ancestor: {path.ancestor}")
    print_table(["from", "to", "length"], list(zip(path.way, path.way[1:], path.lengths, strict=False)))
