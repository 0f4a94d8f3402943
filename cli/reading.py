"""Reading: the options that say how a table is read, of every command that reads one, and embeddings read by theirs."""

import csv
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cfgraph import defaults

if TYPE_CHECKING:
    from cfgraph.files.embeddings import Embeddings

Command = TypeVar("Command", bound=Callable)
NAMES = ("key", "columns", "header", "separator", "decimal")


def _options(before: str = "", *, of: str = "") -> tuple[Callable, ...]:
    """The five options; ``before`` stands before their names, ``of`` says whose they are."""
    dash, name = (f"--{before}-", f"{before}_") if before else ("--", "")
    rules, rule = click.Choice(defaults.HEADER_RULES), defaults.HEADER_RULE
    return (
        click.option(f"{dash}key", f"{name}key", help=f"The array of an .npz file{of}; not needed where it holds one."),
        click.option(
            f"{dash}columns", f"{name}columns", metavar="A,B,...", help=f"Columns of a table{of}.  [default: all but an index]"
        ),
        click.option(
            f"{dash}header",
            f"{name}header",
            type=rules,
            default=rule,
            show_default=True,
            help=f"Whether the first line of a table of text{of} is one.",
        ),
        click.option(
            f"{dash}separator",
            f"{name}separator",
            metavar="SIGN",
            help=f"Between the cells of a text table{of}: a sign, comma, semicolon, tab, bar, blanks.  [default: found out]",
        ),
        click.option(
            f"{dash}decimal",
            f"{name}decimal",
            metavar=".|,",
            help=f"The decimal sign of a text table{of}.  [default: found out]",
        ),
    )


def _with(function: Callable, options: tuple[Callable, ...]) -> Callable:
    for option in reversed(options):
        function = option(function)
    return function


def reading(function: Command) -> Command:
    """The options of how FILE is read: a command gets ``key``, ``columns`` (names in a list), ``header`` and the others."""

    @wraps(function)
    def with_columns(*positional: Any, columns: str | None, **arguments: Any) -> Any:
        return function(*positional, columns=split_columns(columns), **arguments)

    return _with(with_columns, _options())  # type: ignore[return-value]  # the same command, with options


def embeddings_reading(function: Command) -> Command:
    """The same options of a file of embeddings; a command gets them together, as ``embeddings_reading``."""

    @wraps(function)
    def together(*positional: Any, **arguments: Any) -> Any:
        found = {name: arguments.pop(f"embeddings_{name}") for name in NAMES}
        found["columns"] = split_columns(found["columns"])
        return function(*positional, embeddings_reading=found, **arguments)

    return _with(together, _options("embeddings", of=" of embeddings"))  # type: ignore[return-value]  # as above, with options


def split_columns(text: str | None) -> list[str] | None:
    """Names between commas; one that holds a comma has quotes around it."""
    return None if text is None else next(csv.reader([text]), [])


def read_embeddings(path: Path | None, *, reading: dict[str, Any], large: bool) -> "Embeddings | None":
    """The embeddings of a file, None without one; an ``InputError`` where something is told of a file and there is none."""
    from cfgraph.errors import InputError
    from cfgraph.files.embeddings import Embeddings

    if path is not None:
        return Embeddings.read(path, large=large, **reading)
    for name, value in reading.items():
        if value not in (None, defaults.HEADER_RULE):
            shown = ",".join(value) if isinstance(value, list) else value
            raise InputError(
                f"--embeddings-{name} {shown} is about a file of embeddings; name it with --embeddings, or leave it out"
            )
    return None
