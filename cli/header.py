"""Header: the options that say whether the first line of a table is one, and embeddings read by theirs."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from cfgraph import defaults

if TYPE_CHECKING:
    from cfgraph.files.embeddings import Embeddings

Command = TypeVar("Command", bound=Callable)


def _header_option(name: str, *, of: str) -> Callable[[Command], Command]:
    rules, rule = click.Choice(defaults.HEADER_RULES), defaults.HEADER_RULE
    return click.option(name, type=rules, default=rule, show_default=True, help=f"Whether the first line of {of} is one.")


HEADER = _header_option("--header", of="a .csv")
EMBEDDINGS_HEADER = _header_option("--embeddings-header", of="a .csv of embeddings")


def read_embeddings(path: Path | None, *, header: str, large: bool) -> "Embeddings | None":
    """The embeddings of a file, None without one; an ``InputError`` where a header is told of and there is no file."""
    from cfgraph.errors import InputError
    from cfgraph.files.embeddings import Embeddings

    if path is not None:
        return Embeddings.read(path, header=header, large=large)
    if header != defaults.HEADER_RULE:
        raise InputError(
            f"--embeddings-header {header} is about a file of embeddings; name it with --embeddings, or leave it out"
        )
    return None
