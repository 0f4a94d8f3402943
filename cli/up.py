"""``cfgraph up``"""

import click

from .context import Context, pass_context
from .status import FORMAT, print_values


@click.command("up", epilog="Example: cfgraph up")
@FORMAT
@pass_context
def command(context: Context, format: str) -> None:
    """Start the local server.

    Every command starts it when it is needed; this does so ahead of time. The first start fetches Neo4j (170 MB, once
    for all folders). It stays until `cfgraph down`.
    """
    from cfgraph.server.local import LocalServer

    server = LocalServer.of_url(context.store_url, settings=context.settings, say=context.say)
    server.ensure()
    print_values(server.status().to_dict(), format=format)
