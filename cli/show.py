"""``cfgraph show``"""

import json
from datetime import UTC, datetime
from typing import Any

import click

from .context import Context, pass_context
from .judged import print_validation
from .output import cell_text, print_json, print_line, print_table

# Told with something else, or of use to programs alone: all of it is under --format json.
UNTOLD = ("folds", "not_trained", "outrun", "learned", "own_kinds", "beats_zero")
EMPTY: tuple[Any, ...] = ("virtual_root", "links", "point_nodes", "data_built", "flagged")  # told where there is something

STOPS = {"depth": "level {:g}", "precision": "the rest is nearer than {:g}", "cells": "{:,.0f} cells"}
STOPS |= {"seconds": "{:g} s are over"}


@click.command("show", epilog="Example: cfgraph show koch")
@click.argument("id", metavar="ID|FOLDER/")
@click.option("--digest", is_flag=True, help="Also read every cell and print the hierarchy's digest.")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print.")
@pass_context
def command(context: Context, id: str, digest: bool, format: str) -> None:
    """Show all that is known of a hierarchy, a predictor, or a field in a folder (FOLDER/, s3://BUCKET/...).

    Of a hierarchy: its field's numbers, its recipe, its cells counted, what grew it; while it grows, how many cells are
    left, the frontier, cells a second, seconds left, workers that hold leases, leases taken over. Of a predictor: what was
    learned (for `recurrence` the recovered maps, growth and fit) and the validation table, the least error first, with a
    warning where it is no better than nothing. Times are those of this machine's clock; --format json has the record as it is.
    """
    from cfgraph.formats.folders.place import is_folder
    from cfgraph.growing.describe import describe

    if is_folder(id):
        found = describe(None, id, digest=digest)
    else:
        with context.open_stores() as store:
            found = describe(store, id, digest=digest)
    if format == "json":
        print_json(found)
    else:
        _print_for_people(found)


def _print_for_people(found: dict[str, Any]) -> None:
    for name, value in {**found, **found.get("learned", {})}.items():
        if name == "validation":
            reasons = {reason: found.get(reason, ()) for reason in ("not_trained", "outrun")}
            print_validation(found.get("folds", {}), value, taken=found["family"], **reasons)
        elif name == "judged_by":
            print_line(f"judged by: {value}")
            if found["beats_zero"] is not True:
                print_line(f"better than nothing: {_better(found)}")
        elif name not in UNTOLD and (value or name not in EMPTY) and value not in ([], {}):
            _print_field(name, value)


def _better(found: dict[str, Any]) -> str:
    if found["beats_zero"] is None:
        return "unknown, it was not judged beside zero on parents held out"
    return "NO, its error on held-out parents is not below that of zero; growing in place by it wants --anyway"


def _print_field(name: str, value: Any) -> None:
    told = _words(name)
    if name == "maps" and value:
        print_table(
            ["slot", "matrix", "offset"], [[slot, _rounded(m["matrix"]), _rounded(m["offset"])] for slot, m in enumerate(value)]
        )
    elif name == "created":
        print_line(f"{told}: {_local(datetime.fromisoformat(value))}")
    elif name == "grown_by":
        for line in (f"{told}:", *(f"  {_growth(growth)}" for growth in value)):
            print_line(line)
    elif name == "cuts":
        for line in (f"{told}:", *(f"  {_cut(cut, about)}" for cut, about in value.items())):
            print_line(line)
    elif isinstance(value, dict):
        parts = [f"{_words(key)} {_told(key, inner)}" for key, inner in value.items() if inner is not None]
        print_line(f"{told}: {', '.join(parts)}")
    elif isinstance(value, list | tuple) and value and isinstance(value[0], str | dict):
        for line in (f"{told}:", *(f"  {cell_text(entry)}" for entry in value)):
            print_line(line)
    elif name == "cells_by_level":
        print_line(f"{told}: {', '.join(f'{count:,}' for count in value)}")
    elif isinstance(value, bool):
        print_line(f"{told}: {'yes' if value else 'no'}")
    elif isinstance(value, int) and name != "seed":
        print_line(f"{told}: {value:,}")
    else:
        print_line(f"{told}: {cell_text(value)}")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _growth(growth: dict[str, Any]) -> str:
    """What grew a hierarchy, in a line: by what, from where, until when, and whether it got there."""
    words = [f"{growth['predictor']}, levels {growth['from_depth']} to {growth['to_depth']}", f"until {_stop(growth['stop'])}"]
    if growth["below"] is not None:
        words.append(f"below {', '.join(growth['below'])}")
    if growth["since"] is not None:
        words.append(f"begun {_local(datetime.fromtimestamp(growth['since'] / 1000, UTC))}")
    words.append("done" if growth["done"] else "not done" if not growth["pending"] else f"left {', '.join(growth['pending'])}")
    if growth["taken_over"]:
        words.append(f"{growth['taken_over']:,} leases taken over")
    return ", ".join(words)


def _cut(name: str, about: dict[str, Any]) -> str:
    """A cut that is kept, in a line: how it was made, and whether it is of all cells that there are."""
    grown, untold = about.get("grown_since"), ("cells", "grown_since", "unfinished")
    told = {key: value for key, value in about.items() if key not in untold}
    made = ", ".join(_words(key) if value is True else f"{_words(key)} {_told(key, value)}" for key, value in told.items())
    if about.get("unfinished"):
        return f"{name}, by {made}: being kept or removed just now, or that was interrupted: cut it anew, or --remove-property"
    since = f"; {grown:,} cells grew since and have no number of it until it is cut anew" if grown else ""
    return f"{name}, by {made}" + (f", of {about['cells']:,} cells" if "cells" in about else "") + since


def _stop(stop: dict[str, float]) -> str:
    return " and ".join(STOPS.get(name, name + " {}").format(value) for name, value in stop.items())


def _told(name: str, value: Any) -> str:
    if name == "stop" and isinstance(value, dict):
        return _stop(value)
    return f"{value:,}" if type(value) is int and name != "seed" else value if isinstance(value, str) else json.dumps(value)


def _local(when: datetime) -> str:
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def _rounded(value: Any) -> Any:
    return [_rounded(inner) for inner in value] if isinstance(value, list | tuple) else round(value, 12) + 0.0  # no -0.0
