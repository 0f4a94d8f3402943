"""Folders as a source: a field that was grown into one, with what grew it."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cfgraph.formats.folders.reader import FolderReader
    from cfgraph.formats.parquet import Backup
    from cfgraph.model.hierarchy import FieldWithCells


def folder(folder: str | Path, *, id: str | None = None) -> "Backup":
    """The field in a folder of Parquet files, with all cells in memory and the predictors that grew it.

    Args:
        folder: its path, or a URL such as ``s3://bucket/koch``.
        id: gives it another name.

    Raises:
        InputError: for a folder that holds no field, half of one, or files that are damaged.
    """
    from cfgraph.formats.folders.reader import open_folder

    return backup_of(open_folder(str(folder)), id=id)


def backup_of(reader: "FolderReader", *, id: str | None = None) -> "Backup":
    """An open folder as what :func:`cfgraph.transfer.backup.ingest_parquet` writes into a store; all cells are in memory."""
    from cfgraph.formats.parquet import Backup

    predicts, path = reader.manifest.plan.predicts, Path(Path(str(reader.place)).name)
    return Backup(path, read_folder(reader, id=id), reader.growers, predicts, reader.manifest.digest)


def read_folder(reader: "FolderReader", *, id: str | None = None, depth: int | None = None) -> "FieldWithCells":
    """A field in a folder with its cells in memory, down to a depth where one is given; ``id`` gives it another name."""
    cells = reader.read(top="/", depth=reader.depth if depth is None else depth)
    hierarchy = reader.hierarchy if id is None else reader.hierarchy.replace(id=id)
    return hierarchy.with_cells(cells, encoder=reader.encoder() if depth is None else None)
