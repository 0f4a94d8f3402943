"""``cfgraph rm``"""

import click

from .context import Context, pass_context
from .output import print_line


@click.command("rm", epilog="Example: cfgraph rm koch")
@click.argument("id")
@pass_context
def command(context: Context, id: str) -> None:
    """Remove a hierarchy with its cells, or a predictor.

    Cells go in batches. Interrupted and run again, it finishes.
    """
    with context.open_store() as store:
        removed = store.remove(id, say=context.say)
    print_line(f"removed {id}" + (f": {removed:,} cells" if removed else ""))
