"""Long tables: rich lays out all rows of a table at once; those of many rows are laid out page by page, in the same columns."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING

import click

from .spool import pages_of

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.measure import Measurement
    from rich.table import Table

Rows = Callable[[], Iterator[Sequence[str]]]  # goes through all rows, each time from the first on


def print_pages(console: "Console", columns: Sequence[str], rows: Rows, *, title: str | None = None) -> None:
    """Print a table; one of many rows looks as if it had been laid out at once."""
    pages = pages_of(rows())
    first, second = next(pages, []), next(pages, None)
    if second is None:
        console.print(_table(columns, first, title=title))
        return
    widths, below = _find_widths(console, columns, rows()), ""
    for number, page in zip(count(), pages_of(rows()), strict=False):
        table = _table(columns, page, title=title if number == 0 else None, widths=widths)
        table.show_header = number == 0
        with console.capture() as captured:
            console.print(table)
        *lines, below = captured.get().removesuffix("\n").split("\n")
        click.echo("\n".join(lines[min(number, 1) :]), file=console.file)  # without the edges between pages
    click.echo(below, file=console.file)


def _table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str | None = None, widths: Sequence[int] = ()
) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(*columns, title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for column, width in zip(table.columns, widths, strict=False):
        column.width = width
    for row in rows:
        table.add_row(*row)
    return table


class _Gauge:
    """A header that notes how wide its column is laid out."""

    def __init__(self, text: str):
        self.text, self.width = text, 0

    def __rich_measure__(self, console: "Console", options: "ConsoleOptions") -> "Measurement":
        from rich.measure import Measurement

        return Measurement.get(console, options, self.text)

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        self.width = options.max_width
        yield self.text


def _find_widths(console: "Console", columns: Sequence[str], rows: Iterator[Sequence[str]]) -> list[int]:
    """How wide rich makes each column: that follows from the widest text of each, and from the one of the widest word."""
    gauges, widest = [_Gauge(name) for name in columns], [_Widest(console) for _ in columns]
    for row in rows:
        for found, text in zip(widest, row, strict=True):
            found.add(text)
    table = _table(columns, list(zip(*(found.texts for found in widest), strict=True)))
    for column, gauge in zip(table.columns, gauges, strict=True):
        column.header = gauge
    with console.capture():
        console.print(table)
    return [gauge.width for gauge in gauges]


class _Widest:
    """The widest text among those of a column, and the one with the widest word."""

    def __init__(self, console: "Console"):
        self._console, self._line, self._word = console, 0, 0
        self.texts = ["", ""]

    def add(self, text: str) -> None:
        """Look at one more."""
        from rich.measure import Measurement

        if 2 * len(text) <= self._word:
            return  # a letter is two columns wide at most
        word, line = Measurement.get(self._console, self._console.options, text)
        if line > self._line:
            self._line, self.texts[0] = line, text
        if word > self._word:
            self._word, self.texts[1] = word, text
