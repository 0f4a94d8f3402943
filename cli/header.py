"""Header: the options that say whether the first line of a table is one, and embeddings read by theirs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cfgraph import defaults

if TYPE_CHECKING:
    from cfgraph.files.embeddings import Embeddings

HEADER = click.option(
    "--header",
    type=click.Choice(defaults.HEADER_RULES),
    default=defaults.HEADER_RULE,
    show_default=True,
    help="Whether the first line of a .csv is one.",
)
EMBEDDINGS_HEADER = click.option(
    "--embeddings-header",
    type=click.Choice(defaults.HEADER_RULES),
    default=defaults.HEADER_RULE,
    show_default=True,
    help="Whether the first line of a .csv of embeddings is one.",
)


def read_embeddings(path: Path | None, *, header: str) -> "Embeddings | None":
    """The embeddings of a file, None without one; an ``InputError`` where a header is told of and there is no file."""
    from cfgraph.errors import InputError
    from cfgraph.files.embeddings import Embeddings

    if path is not None:
        return Embeddings.read(path, header=header)
    if header != defaults.HEADER_RULE:
        raise InputError(
            f"--embeddings-header {header} is about a file of embeddings; name it with --embeddings, or leave it out"
        )
    return None
