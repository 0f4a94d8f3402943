"""``cfgraph down``"""

import click

from .context import Context, pass_context
from .status import FORMAT, print_values


@click.command("down", epilog="Example: cfgraph down")
@FORMAT
@pass_context
def command(context: Context, format: str) -> None:
    """Stop the local server.

    What it holds stays in its folder. It is no error where nothing runs.
    """
    from cfgraph.server.local import LocalServer

    server = LocalServer.of_url(context.store_url, settings=context.settings, say=context.say)
    stopped = server.stop()
    if not stopped:
        context.say(f"no server runs for {server.home.directory}")
    print_values({"stopped": stopped, "directory": str(server.home.directory)}, format=format)
