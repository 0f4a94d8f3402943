"""``cfgraph rm``"""

import click

from .context import Context, pass_context
from .output import print_line


@click.command("rm", epilog="Example: cfgraph rm koch koch-rule koch-grown")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@pass_context
def command(context: Context, ids: tuple[str, ...]) -> None:
    """Remove hierarchies with their cells, and predictors.

    Where one of several is not there, none is removed, but where another is half removed: the same command, interrupted and
    run again, goes on. Cells go in batches.
    """
    from cfgraph.errors import NotFoundError

    asked = tuple(dict.fromkeys(ids))
    with context.open_store() as store:
        gone = store.check_there(asked) if len(asked) > 1 else []
        for id in gone:
            context.say(f"{id!r} is not there; another of these ids is half removed, so it was taken for removed just before")
        for id in (id for id in asked if id not in gone):
            try:
                removed = store.remove(id, say=context.say)
            except NotFoundError:
                if len(asked) == 1:
                    raise
                context.say(f"{id!r} was there a moment ago, and was removed by another command meanwhile")
            else:
                print_line(f"removed {id}" + (f": {removed:,} cells" if removed else ""))
