"""``cfgraph query``"""

import json
import logging
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cfgraph.errors import InputError

from .context import Context, pass_context
from .log import talk
from .output import FORMAT, print_rows
from .spool import Spool

if TYPE_CHECKING:
    from cfgraph.store.notifications import Notification


@click.command(
    "query", epilog="Example: cfgraph query 'MATCH (c:Cell {key: $id + \"/0\"}) RETURN c.level, c.center' -p id=koch"
)
@click.argument("cypher", required=False)
@click.option("--file", metavar="FILE", help="Read the statement from this file; - is stdin, as it is in place of CYPHER.")
@click.option("--name", metavar="OPERATION", help="Run one of cfgraph's own operations (the files of cypher/) instead.")
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter: JSON, or else text.")
@click.option("--write", is_flag=True, help="Allow the statement to write. Without it the server itself refuses to.")
@FORMAT
@pass_context
def command(
    context: Context,
    cypher: str | None,
    file: str | None,
    name: str | None,
    parameters: tuple[str, ...],
    write: bool,
    format: str,
) -> None:
    """Run Cypher, or one of cfgraph's own operations, and print its rows.

    CYPHER is a statement, or - to read one from stdin. What the server warns of, such as a label that nothing has, is told on
    stderr, each thing once, a line each: with `--log-format json` (before the command) each a JSON object with its `code`,
    `message`, `line` and `column`. Rows alone go to stdout, whatever the format.
    """
    if sum(given is not None for given in (cypher, file, name)) != 1:
        raise InputError("expected either a Cypher statement (- reads it from stdin), --file FILE or --name OPERATION")
    given = dict(_parse(parameter) for parameter in parameters)
    if cypher == "-" or file is not None:
        cypher = _read_statement("-" if file is None else file)
    told: list[Notification] = []
    with context.open_store() as store, ExitStack() as kept:
        if name is None:
            answer = store.open_query(cypher or "", given, write=write, notify=told.append)
        else:
            answer = store.open_operation(name, given, write=write)
        with answer as (columns, rows):
            spool = kept.enter_context(Spool(rows))
        for notification in told:
            place = {"code": notification.code, "line": notification.line, "column": notification.column}
            talk(f"WARNING: {notification}", level=logging.WARNING, facts={"message": notification.text, **place})
        print_rows(columns, spool, format=format)  # now that all are there: a statement that fails prints nothing


def _read_statement(file: str) -> str:
    """The Cypher that a file or stdin (-) holds; a byte order mark before it, as editors write one, is none of it."""
    try:
        held = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return held.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = "stdin" if file == "-" else file
        raise InputError(f"expected Cypher as UTF-8 text in {place}, got byte {error.start}: {error.reason}") from error


def _parse(parameter: str) -> tuple[str, Any]:
    name, equals, value = parameter.partition("=")
    if not equals or not name:
        raise InputError(f"expected a parameter as name=value, got {parameter!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
