"""``cfgraph query``"""

import json
from contextlib import ExitStack
from typing import Any

import click

from cfgraph.errors import InputError

from .context import Context, pass_context
from .output import FORMAT, print_rows
from .spool import Spool


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
    with context.open_store() as store, ExitStack() as kept:
        run = store.open_query if name is None else store.open_operation
        with run(cypher or name or "", given, write=write) as (columns, rows):
            spool = kept.enter_context(Spool(rows))
        print_rows(columns, spool, format=format)  # now that all are there: a statement that fails prints nothing


def _parse(parameter: str) -> tuple[str, Any]:
    name, equals, value = parameter.partition("=")
    if not equals or not name:
        raise InputError(f"expected a parameter as name=value, got {parameter!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
