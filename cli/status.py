"""``cfgraph status``; and how what is known of the local server is printed."""

import json
from typing import Any

import click

from .context import Context, pass_context
from .output import print_json, print_line

FORMAT = click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print.")


@click.command("status", epilog="Example: cfgraph status --format json")
@FORMAT
@pass_context
def command(context: Context, format: str) -> None:
    """Say where the local server is and what it runs.

    Nothing is started. The username is neo4j; the password is in the file `password` of the directory.
    """
    from cfgraph.server.local import LocalServer

    server = LocalServer.of_url(context.store_url, settings=context.settings, say=context.say)
    print_values(server.status().to_dict(), format=format)


def print_values(values: dict[str, Any], *, format: str) -> None:
    """Print to stdout: lines of ``key: value``, known ones only, or one JSON object with all."""
    if format == "json":
        print_json(values, indent=None)
        return
    for key, value in values.items():
        if value is not None:
            print_line(f"{key}: {json.dumps(value) if isinstance(value, bool) else value}")
