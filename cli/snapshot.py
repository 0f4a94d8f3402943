"""``cfgraph snapshot``"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .context import Context, pass_context
from .output import FORMAT, print_line, print_rows, progress_bar

if TYPE_CHECKING:
    from cfgraph.store.snapshots import Snapshot

COLUMNS = ("name", "at", "cells", "file", "version")


@click.command("snapshot", epilog="Example: cfgraph snapshot koch --as before, and later: cfgraph diff koch@before koch")
@click.argument("id")
@click.option("--as", "name", metavar="NAME", help="Keep the state that it is in under this name.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where the file goes.  [default: into the local store's folder]",
)
@click.option("--list", "listed", is_flag=True, help="List its snapshots, the oldest first.")
@click.option("--remove", metavar="NAME", help="Forget this one; its file too, where that lies in the store's folder.")
@FORMAT
@pass_context
def command(
    context: Context, id: str, name: str | None, output: Path | None, listed: bool, remove: str | None, format: str
) -> None:
    """Keep the state of a hierarchy under a name, to compare with later; list such states, and forget them.

    `diff` and `compare` take ID@NAME wherever they take an id. The state is kept as a Parquet file, beside a local store
    unless --output says where; on a server of one's own --output is needed. It is there whole or not at all, and of one
    moment: of a hierarchy that is being written or grown none is taken.
    """
    from cfgraph.errors import InputError

    if sum([name is not None, listed, remove is not None]) != 1:
        raise InputError("expected one of --as NAME, --list and --remove NAME")
    if output is not None and name is None:
        raise InputError("--output says where a new snapshot's file goes; give its name, too: --as NAME")
    with context.open_store() as store:
        if listed:
            return print_rows(COLUMNS, [_row(kept) for kept in store.snapshots(id)], format=format)
        if remove is not None:
            gone = store.remove_snapshot(id, remove, say=context.say)
            rest = "" if gone.owned else f"; its file stays where it was put, {gone.file}"
            return print_line(f"{gone.title} is forgotten{rest}")
        from cfgraph.transfer.snapshot import snapshot

        with progress_bar(f"snapshot {id}") as progress:
            kept = snapshot(store, id, name=name or "", output=output, progress=progress)
        print_line(f"{kept.title}: {kept.cells:,} cells, in {kept.file}")


def _row(kept: "Snapshot") -> list[str | int | None]:
    at = None if kept.at is None else kept.at.astimezone().isoformat(sep=" ", timespec="seconds")
    return [kept.name, at, kept.cells, str(kept.file), kept.version]
