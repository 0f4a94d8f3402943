"""``cfgraph upgrade``"""

from typing import TYPE_CHECKING

import click

from .context import Context, pass_context
from .output import FORMAT, print_rows, progress_bar

if TYPE_CHECKING:
    from cfgraph.store.upgrade import Step

COLUMNS = ("id", "step", "cells", "purpose", "state")


@click.command("upgrade", epilog="Example: cfgraph upgrade --yes")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--yes", is_flag=True, help="Do it; without this it is only said what would be done.")
@FORMAT
@pass_context
def command(context: Context, ids: tuple[str, ...], yes: bool, format: str) -> int:
    """Bring hierarchies that earlier versions made up to date, where that takes a pass over their cells.

    All of the store, or those that are named. Without --yes nothing is changed: each step is said, with the cells that it
    reads. Interrupted it goes on with the same command. Until then everything works as it did; what needs no pass over cells
    is done whenever a store is opened.

    Exit code 1 where a step could not be done.
    """
    from cfgraph.store.upgrade import plan_upgrade, upgrade

    with context.open_store() as store, progress_bar("upgrade") as progress:
        steps = upgrade(store, ids or None, progress=progress) if yes else plan_upgrade(store, ids or None)
    if steps or format != "table":
        print_rows(COLUMNS, [_row(step, done=yes) for step in steps], format=format)
    if not steps:
        context.say("nothing is left to upgrade")
    elif not yes:
        context.say("nothing was changed; `cfgraph upgrade --yes` does it")
    return int(yes and any(step.obstacle for step in steps))


def _row(step: "Step", *, done: bool) -> list[str | int]:
    return [step.id, step.what, step.cells, step.purpose, step.obstacle or ("done" if done else "to do")]
