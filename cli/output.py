"""How commands print: lines and tables for people, CSV and JSON for programs; and progress, on a terminal only.

Every command prints through here. What people read has its control characters written out (cfgraph/visible.py); CSV keeps
them, unless it goes to a terminal; in JSON they are escapes of its own.
"""

import csv
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from cfgraph.visible import own_stream, visible

from .spool import pages_of

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

    from cfgraph.growing.status import Status

Rows = Iterable[Sequence[Any]]  # that can be gone through again and again
_NO_ASCII = re.compile("[^\x00-\x7e]")

FORMAT = click.option(
    "--format", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True, help="How to print."
)


def print_line(text: str = "", *, bold: bool = False) -> None:
    """Print a line for people to stdout; what would end it in the middle is written out, as every control character."""
    line = visible(text)
    if bold:
        click.secho(line, bold=True, file=own_stream(sys.stdout))
    else:
        click.echo(line)


def print_json(found: Any, *, indent: int | None = 1) -> None:
    """Print a report, a description or plain values to stdout as JSON in ASCII: other characters are escapes of JSON's."""
    click.echo(_as_json(found, indent=indent))


def _as_json(found: Any, *, indent: int | None = 1) -> str:
    from cfgraph.model.as_json import to_json

    return _NO_ASCII.sub(lambda letter: json.dumps(letter[0])[1:-1], to_json(found, indent=indent))


def print_rows(columns: Sequence[str], rows: Rows, *, format: str) -> None:
    """Print rows to stdout, a page at a time; JSON is a list of objects, not-a-number is null."""
    if format == "json":
        _print_json(columns, rows)
    elif format == "csv":
        writer = csv.writer(sys.stdout if sys.stdout.isatty() else own_stream(sys.stdout), lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([value if _is_flat(value) else json.dumps(value, default=str) for value in row] for row in rows)
    else:
        print_table(columns, rows)


def _print_json(columns: Sequence[str], rows: Rows) -> None:
    before = "["
    for page in pages_of(rows):
        inside = _as_json([dict(zip(columns, row, strict=True)) for row in page])[1:-2]  # without the list's brackets
        click.echo(before + inside, nl=False)
        before = ","
    click.echo("[]" if before == "[" else "\n]")


def print_table(columns: Sequence[str], rows: Rows, *, title: str | None = None) -> None:
    """Print a table to stdout, as wide as it needs where stdout is no terminal."""
    from .console import Console
    from .table import print_pages

    console = Console(width=None if sys.stdout.isatty() else 200)
    print_pages(console, columns, lambda: ([visible(cell_text(value)) for value in row] for row in rows), title=title)


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
    from rich.progress import TimeRemainingColumn

    with _live_line(TimeRemainingColumn()) as progress:
        task = progress.add_task(visible(label), total=None, words="")

        def show(done: int, total: int) -> None:
            speed = progress.tasks[0].speed
            progress.update(task, completed=done, total=total or None, words=f"{speed:,.0f} cells/s" if speed else "")

        yield show


@contextmanager
def growth_line(label: str) -> Iterator[Callable[["Status"], None] | None]:
    """A live line on stderr of a growth: cells grown, frontier, speed, time left, who is at work; None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with _live_line() as progress:
        task = progress.add_task(visible(label), total=None, words="")

        def show(status: "Status") -> None:
            progress.update(task, completed=status.grown, total=status.total or None, words=growth_text(status))

        yield show


def _live_line(*columns: "ProgressColumn") -> "Progress":
    """A line on stderr: a label, which is no markup, a bar, numbers, words, and more columns."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from .console import Console

    label, words = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[words]}", markup=False)
    columns = (label, BarColumn(), MofNCompleteColumn(), words, *columns)
    # What is printed meanwhile is data: rich would show it above the line, on stderr.
    return Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)


def growth_text(status: "Status") -> str:
    """The numbers of a growth in words, the same on the live line and in `show`."""
    seconds = status.seconds_left
    left = "-" if seconds is None else f"{seconds:,.0f} s"
    return (
        f"frontier {status.frontier:,}, {status.rate:,.0f} cells/s, {left} left, workers {status.workers}, "
        f"leases taken over {status.taken_over}"
    )
