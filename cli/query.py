"""``cfgraph query``"""

import json
from typing import Any

import click

from cfgraph.errors import InputError

from .context import Context, pass_context
from .output import FORMAT, print_rows


@click.command("query", epilog="Example: cfgraph query 'MATCH (c:Cell) WHERE c.hierarchy = $id RETURN count(c)' -p id=koch")
@click.argument("cypher", required=False)
@click.option("--name", metavar="OPERATION", help="Run one of cfgraph's own operations (the files of cypher/) instead.")
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter: JSON, or else text.")
@click.option("--write", is_flag=True, help="Allow the statement to write. Without it the server itself refuses to.")
@FORMAT
@pass_context
def command(
    context: Context, cypher: str | None, name: str | None, parameters: tuple[str, ...], write: bool, format: str
) -> None:
    """Run Cypher, or one of cfgraph's own operations, and print its rows."""
    if (cypher is None) == (name is None):
        raise InputError("expected either a Cypher statement or --name OPERATION")
    given = dict(_parse(parameter) for parameter in parameters)
    with context.open_store() as store:
        run = store.query if name is None else store.query_operation
        columns, rows = run(cypher or name or "", given, write=write)
    print_rows(columns, rows, format=format)


def _parse(parameter: str) -> tuple[str, Any]:
    name, equals, value = parameter.partition("=")
    if not equals or not name:
        raise InputError(f"expected a parameter as name=value, got {parameter!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
