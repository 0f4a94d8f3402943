"""``cfgraph diff``"""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .context import Context, pass_context
from .large import LARGE
from .output import FORMAT, print_json, print_line, print_rows, print_table, progress_bar
from .spool import Spool

if TYPE_CHECKING:
    from cfgraph.comparing.diff_report import Diff
    from cfgraph.comparing.differences import Difference

COLUMNS = ("kind", "first", "second", "level", "amount", "detail")
SHOWN_LEVELS = 20  # of these all are shown; of more the first that differ


@click.command("diff", epilog="Example: cfgraph diff koch koch-again --tolerance 1e-12")
@click.argument("a")
@click.argument("b")
@click.option(
    "--by",
    type=click.Choice(["address", "name", "points"]),
    default="address",
    show_default=True,
    help="How cells are matched: by their addresses, their names, or the data points in them.",
)
@click.option(
    "--tolerance",
    type=float,
    default=0.0,
    show_default=True,
    help="A center has moved where it is farther away than so much of its cell's scale.",
)
@click.option("--full", is_flag=True, help="Read all cells, whatever the digests of their subtrees say.")
@FORMAT
@LARGE
@pass_context
def command(context: Context, a: str, b: str, by: str, tolerance: float, full: bool, format: str, large: bool) -> int:
    """Say what two hierarchies differ in; exit code 1 where they do, 0 where they are equal.

    A and B are ids of hierarchies, snapshots (koch@before), Parquet files of `cfgraph export` (what ends in .parquet or has
    a / in it), or folders that fields were grown into (FOLDER/, s3://BUCKET/...).

    By address, subtrees whose digests are the same on both sides are not read. The first diff of a hierarchy reads all of its
    cells and makes their digests, which the store keeps; so does `cfgraph verify --digests`. What grows voids those of the
    subtrees that it lies in; they are made again. What plain Cypher changed since they were made is not seen by them: --full
    reads all cells, page by page. Snapshots and files are read whole, folders sheet by sheet, and what stands beside a folder
    page by page. Batches (`cfgraph place`) are left out: `cfgraph drift` compares those.

    Told are cells that only one has, cells that moved (in units of their scale), whose scale, edge, name, parent, properties,
    data points or state is another, and edges to cells of both that only one has; the first level where they part,
    and the subtrees in which most of the cells lie that differ. --format csv has a row for each difference.

    By address memory does not grow with the number of cells. By name and by points all cells are read every time, no digests
    are made or used, and memory holds some 200 bytes a cell. By points, cells are matched that have the same data points in
    them and below them; of the others those of which each is the other's best by Jaccard overlap, and that is at least 1/2.
    """
    from cfgraph.comparing.diff import diff
    from cfgraph.formats.folders.place import is_folder

    with ExitStack() as stack:
        rows = stack.enter_context(Spool())
        asked: dict[str, Any] = {"by": by, "tolerance": tolerance, "large": large, "full": full}
        if format == "csv":
            asked["tell"] = lambda found: rows.add(_row(found))
        sources = [_source(text) for text in (a, b)]
        with ExitStack() as reading:
            if not all(isinstance(source, Path) or is_folder(source) for source in sources):
                asked["store"] = reading.enter_context(context.open_stores())
            progress = reading.enter_context(progress_bar(f"diff {a} {b}"))
            found = diff(*sources, progress=progress, **asked)
        _print(context, found, rows, format=format)
    return int(not found.equal)


def _source(text: str) -> str | Path:
    """An id or a folder, or the file that is meant: no id has a slash."""
    from cfgraph.formats.folders.place import is_folder

    if is_folder(text):
        return text
    return Path(text) if "/" in text or text.lower().endswith(".parquet") else text


def _row(found: "Difference") -> list[Any]:
    return [getattr(found, column) for column in COLUMNS]


def _print(context: Context, found: "Diff", rows: Spool, *, format: str) -> None:
    if format == "json":
        print_json(found)
    elif format == "csv":
        for name, values in _described(found).items():
            rows.add(["described", None, None, None, None, f"{name}: {values}"])
        print_rows(COLUMNS, rows, format="csv")
        for remark in [*found.remarks, *_digests(found)]:
            context.say(remark)
    else:
        _print_tables(found)


def _digests(found: "Diff") -> list[str]:
    """From when the digests are that cells were left out by."""
    if found.digests is None:
        return []
    sides = zip((found.first, found.second), (found.digests.first, found.digests.second), strict=True)
    made = [f"{id} of {'now' if when is None else when}" for id, when in sides]
    return [
        f"{found.cells_read:,} cells were read; by digests of {' and '.join(made)} the others are equal "
        "(but for what plain Cypher did to cells since: --full)"
    ]


def _described(found: "Diff") -> dict[str, str]:
    return {name: f"{one} -> {other}" for name, (one, other) in found.described.items()}


def _print_tables(found: "Diff") -> None:
    print_line(_summary(found), bold=True)
    for name, values in _described(found).items():
        print_line(f"{name}: {values}")
    if found.kinds:
        kinds = [[kind, one.count, one.mean, one.largest] for kind, one in found.kinds.items()]
        print_table(["difference", "count", "mean", "largest"], kinds)
        levels = [one for one in found.levels if one.kinds]
        several = f"the first {SHOWN_LEVELS} of {len(levels)} levels with differences" if len(levels) > SHOWN_LEVELS else None
        print_table(["level", "both", *found.kinds], _level_rows(found, levels[:SHOWN_LEVELS]), title=several)
    if found.subtrees:
        print_table(
            ["subtree", "of", "cells that differ", "cells", "share"],
            [[one.address, _side(found, one.side), one.differ, one.cells, f"{one.share:.0%}"] for one in found.subtrees],
        )
    examples = [_row(example) for one in found.kinds.values() for example in one.examples[:3]]
    if examples:
        print_table([*COLUMNS], examples, title="Examples")
    for remark in [*found.remarks, *_digests(found)]:
        print_line(f"* {remark}")


def _level_rows(found: "Diff", levels: list[Any]) -> list[list[int]]:
    return [[one.level, one.both, *(one.kinds.get(kind, 0) for kind in found.kinds)] for one in levels]


def _side(found: "Diff", side: str) -> str:
    return {"first": found.first, "second": found.second}.get(side, "both")


def _summary(found: "Diff") -> str:
    matched = f"{found.both:,} cells matched by {found.by}"
    if found.equal:
        return f"{found.first} and {found.second} are equal: {matched}"
    parted = "" if found.first_level is None else f"; they part at level {found.first_level}"
    return f"{found.first} and {found.second} differ: {matched}{parted}"
