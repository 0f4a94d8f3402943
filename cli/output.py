"""How commands print rows: a table for people, CSV and JSON for programs; and progress, on a terminal only."""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from cfgraph.growing.status import Status

FORMAT = click.option(
    "--format", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True, help="How to print."
)


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, format: str) -> None:
    """Print rows to stdout; JSON is a list of objects, not-a-number is null."""
    if format == "json":
        from cfgraph.model.as_json import to_json

        click.echo(to_json([dict(zip(columns, row, strict=True)) for row in rows]))
    elif format == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([[value if _is_flat(value) else json.dumps(value, default=str) for value in row] for row in rows])
    else:
        print_table(columns, rows)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> None:
    """Print a table to stdout, as wide as it needs where stdout is no terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for row in rows:
        table.add_row(*(cell_text(value) for value in row))
    Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False).print(table)


def cell_text(value: Any) -> str:
    """A value as it stands in a table."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _is_flat(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A live line on stderr with cells done and in all, cells a second and time left; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}")]
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=None, rate="")

        def show(done: int, total: int) -> None:
            speed = progress.tasks[0].speed
            progress.update(task, completed=done, total=total or None, rate=f"{speed:,.0f} cells/s" if speed else "")

        yield show


@contextmanager
def growth_line(label: str) -> Iterator[Callable[["Status"], None] | None]:
    """A live line on stderr of a growth: cells grown, frontier, speed, time left, who is at work; None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[growth]}")]
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=None, growth="")

        def show(status: "Status") -> None:
            progress.update(task, completed=status.grown, total=status.total or None, growth=growth_text(status))

        yield show


def growth_text(status: "Status") -> str:
    """The numbers of a growth in words, the same on the live line and in `show`."""
    seconds = status.seconds_left
    left = "-" if seconds is None else f"{seconds:,.0f} s"
    return (
        f"frontier {status.frontier:,}, {status.rate:,.0f} cells/s, {left} left, workers {status.workers}, "
        f"leases taken over {status.taken_over}"
    )
