"""snapshot: keep the state that a hierarchy is in, under a name, to compare with later."""

import json
import secrets
from pathlib import Path

import pyarrow.parquet as pq

from cfgraph.errors import DamagedError, InputError, NotFoundError, VanishedError
from cfgraph.files.whole import check_place
from cfgraph.formats.parquet import DIGEST, METADATA, METADATA_BYTES_MAX
from cfgraph.model.progress import Asked, shown
from cfgraph.moved import renamed
from cfgraph.store import Store
from cfgraph.store.snapshots import Snapshot, check_name
from cfgraph.transfer.backup import export_parquet


@renamed(path="output")
def snapshot(
    store: Store,
    id: str,
    *,
    name: str,
    output: str | Path | None = None,
    progress: Asked = None,
) -> Snapshot:
    """Keep the state of a hierarchy as a Parquet file: ``snapshot(store, "koch", name="before")``.

    ``diff`` and ``compare`` take it as ``koch@before``, and its history tells it. It is there whole or not at all, and of one
    moment: the name is noted behind the file, which is proven to be sound on its way out.

    Args:
        store: where the hierarchy is.
        id: of a complete hierarchy.
        name: 1 to 64 letters, digits, ``-`` or ``_``; not one that it has.
        output: where the file goes; unless given, into the folder of a local store.
        progress: is told how many cells are done, and how many there are; unless given, a live line shows it on terminals and
            in notebooks.

    Raises:
        InputError: for a bad or taken name, a path where something is, no path where the store has no folder, and a hierarchy
            that is not complete.
        DamagedError: for what could not be read back.
        VanishedError, ChangedError: where the hierarchy is removed or grown meanwhile; nothing is kept then.
    """
    check_name(name, store.snapshots(id), id=id)
    store.ensure_schema()
    file = _new_file(store, id, output)
    with shown(progress, f"snapshot {id}") as show:
        kept = export_parquet(store, id, file, progress=show)
    try:
        cells, digest = _tell(file)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    try:
        store.add_snapshot(kept, Snapshot(id, name, file, cells, digest, owned=output is None))
    except (InputError, DamagedError, VanishedError):  # with others, a lost connection say, it may have been noted
        if not _is_noted(store, id, file):  # by somebody who chose the same place at the same time
            file.unlink(missing_ok=True)
        raise
    return store.snapshot(id, name)


def _new_file(store: Store, id: str, path: str | Path | None) -> Path:
    if path is None:
        file = store.place_of_snapshot(id, token=secrets.token_hex(8))
        try:
            file.parent.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"cannot make the folder {str(file.parent)!r}: {error.strerror}; say where the file goes: --output FILE "
                "(path=...)"
            ) from error
        return file
    file = check_place(path).absolute()
    if file.exists():
        raise InputError(f"expected the name of a new file for a snapshot, and {str(path)!r} is there; choose another")
    return file


def _tell(file: Path) -> tuple[int, str]:
    """How many cells a file has that was written just now, and its digest."""
    with pq.ParquetFile(file, thrift_string_size_limit=METADATA_BYTES_MAX) as opened:  # as whoever reads it later
        found = opened.metadata
    known = json.loads((found.metadata or {})[METADATA.encode()])
    return found.num_rows, known[DIGEST]


def _is_noted(store: Store, id: str, file: Path) -> bool:
    try:
        return any(kept.file == file for kept in store.snapshots(id))
    except (NotFoundError, DamagedError):
        return False
