"""Parquet as a source: the way back of ``cfgraph export``, with what grew the hierarchy."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cfgraph.formats.parquet import Backup


def parquet(path: str | Path, *, id: str | None = None, large: bool = False) -> "Backup":
    """The hierarchy in a Parquet file as it was exported, with the predictors that grew it; ``id`` gives it another name.

    ``large`` lifts the limits of :mod:`cfgraph.files.opened`.

    Raises:
        InputError: for a file that cannot be read, is no export of cfgraph's, is damaged or was edited.
    """
    from cfgraph.formats.parquet import read_parquet

    return read_parquet(path, id=id, large=large)
