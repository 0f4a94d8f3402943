"""Snapshots as sources: a state that was kept, in memory, wherever the id of a hierarchy may stand: ``koch@before``."""

from typing import TYPE_CHECKING, TypeAlias

from cfgraph.errors import InputError, NotFoundError
from cfgraph.sources.parquet import parquet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cfgraph.formats.parquet import Backup
    from cfgraph.model.hierarchy import HierarchyWithCells
    from cfgraph.predictors.trained import Grower
    from cfgraph.store import Store, Stores
    from cfgraph.store.snapshots import Snapshot


def find_snapshot(store: "Store", title: str) -> "Snapshot | None":
    """The snapshot that ``ID@NAME`` names; None for what is a hierarchy's own id, or holds no ``@`` behind one.

    Raises:
        NotFoundError: where there is the hierarchy, but no such snapshot of it.
    """
    id, mark, name = title.rpartition("@")
    if not mark or not id or _is_there(store, title) or not _is_there(store, id):
        return None
    return store.snapshot(id, name)


def read_snapshot(snapshot: "Snapshot", *, large: bool = False) -> "Backup":
    """What was kept, under the snapshot's title in place of the id; ``large`` lifts the limits on files.

    Raises:
        NotFoundError: where the file is gone.
        InputError: where it is another one than was kept, or damaged, or cannot be read.
    """
    if _is_gone(snapshot.file):
        raise NotFoundError(
            f"the file of {snapshot.title} is not at {str(snapshot.file)!r} any more; put it back, or forget the snapshot: "
            f"`cfgraph snapshot {snapshot.id} --remove {snapshot.name}`"
        )
    found = parquet(snapshot.file, id=snapshot.title, large=large)
    if found.digest != snapshot.digest:
        raise InputError(
            f"{str(snapshot.file)!r} is not the file that was kept as {snapshot.title}: its digest is another; put that "
            "back, or give this one by its path"
        )
    return found


WithGrowers: TypeAlias = "tuple[HierarchyWithCells, Sequence[Grower]]"


def read_either(store: "Store | Stores", title: str, *, large: bool = False) -> WithGrowers:
    """A hierarchy of the store, or a snapshot of one, with all its cells, and what grew it, the latest first.

    Raises:
        NotFoundError: where there is neither.
        ChangedError, VanishedError: as ``Store.read`` does.
    """
    store, title = store.resolve(title)
    kept = find_snapshot(store, title)
    if kept is not None:
        found = read_snapshot(kept, large=large)
        return found.hierarchy, found.growers
    with store.witness(title):
        return store.read_whole(title), store.growers(title)


def _is_gone(file: "Path") -> bool:
    """Whether there is no such file; of one that cannot even be looked at, whoever opens it says why."""
    try:
        file.stat()
    except (OSError, ValueError) as error:
        return isinstance(error, FileNotFoundError | NotADirectoryError)
    return False


def _is_there(store: "Store", id: str) -> bool:
    try:
        store.hierarchy(id)
    except NotFoundError:
        return False
    return True
