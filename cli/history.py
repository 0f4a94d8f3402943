"""``cfgraph history``"""

import json
from typing import TYPE_CHECKING, Any

import click

from .context import Context, pass_context
from .output import FORMAT, print_json, print_line, print_rows

if TYPE_CHECKING:
    from cfgraph.store.history import Entry

COLUMNS = ("at", "event", "about", "version")


@click.command("history", epilog="Example: cfgraph history koch-grown")
@click.argument("id")
@FORMAT
@pass_context
def command(context: Context, id: str, format: str) -> None:
    """Tell what was done to a hierarchy, in the order of time: by what, when, and by which version of cfgraph.

    What made it, its growths from begin to end, what learned from it and copied it, data placed in it, snapshots, the file
    that it came from. What an earlier version did is told as far as the graph keeps it.
    """
    from cfgraph.store.history import history

    with context.open_store() as store:
        found = history(store, id)
    if format == "json":
        print_json(found)
        return
    print_rows(COLUMNS, [_row(entry) for entry in found.entries], format=format)
    for remark in found.remarks:
        if format == "csv":
            context.say(remark)
        else:
            print_line(f"* {remark}")


def _row(entry: "Entry") -> list[Any]:
    at = None if entry.at is None else entry.at.astimezone().isoformat(sep=" ", timespec="seconds")
    known = {**entry.about, **entry.about.get("recipe", {})}
    told = {name: value for name, value in known.items() if name not in ("since", "recipe", "token") and value is not None}
    return [at, entry.kind, ", ".join(f"{name} {_text(value)}" for name, value in told.items()), entry.version]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
