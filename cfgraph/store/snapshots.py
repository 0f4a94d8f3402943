"""Snapshots: states of a hierarchy that were kept as Parquet files, by their names; the graph notes them in its history.

A file beside a local store lies in its folder, and goes with its snapshot; one at a path of one's own is its owner's.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import neo4j

from cfgraph.errors import DamagedError, InputError, NotFoundError, VanishedError
from cfgraph.model.address import check_id
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.store.graph import run_operation, write_bounded
from cfgraph.store.history import SNAPSHOT, SNAPSHOT_REMOVED, Entry, Histories, add_entry_in, entries_of
from cfgraph.store.incarnation import hold_hierarchy, new_incarnation

FOLDER = "snapshots"  # in the store's own
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Snapshot:
    """A state that was kept: of which hierarchy, under which name, in which file, and how many cells that has.

    ``digest`` is the one that the file tells. ``owned`` says that it lies in the store's folder, and is removed with it.
    ``token`` tells it from another one of its name, or at its place, that was kept after its removal.
    """

    id: str
    name: str
    file: Path
    cells: int
    digest: str
    owned: bool
    at: datetime | None = None
    version: str | None = None
    token: str = field(default_factory=new_incarnation)

    @property
    def title(self) -> str:
        """What ``diff`` and ``compare`` take in place of an id."""
        return f"{self.id}@{self.name}"


class Snapshots(Histories):
    """Noting snapshots, finding and forgetting them."""

    folder: Path | None = None  # the local store's own; None of a server's

    def snapshots(self, id: str) -> list[Snapshot]:
        """The snapshots of a hierarchy, the oldest first."""
        return self.snapshots_in(id, self.read_entries(id))

    def snapshot(self, id: str, name: str) -> Snapshot:
        """A snapshot by its name; a ``NotFoundError`` that names those there are, where there is none of it."""
        there = self.snapshots(id)
        found = next((kept for kept in there if kept.name == name), None)
        if found is None:
            names = ", ".join(kept.name for kept in there) or "none"
            raise NotFoundError(f"{id!r} has no snapshot {name!r}; it has: {names} (`cfgraph snapshot {id} --list`)")
        return found

    def place_of_snapshot(self, id: str, *, token: str) -> Path:
        """Where a snapshot's file goes that is kept beside the store; an ``InputError`` where the store has no folder."""
        if self.folder is None:
            raise InputError(
                f"{self._graph.place} is a server of its own, without a folder here to keep snapshots in; say where the file "
                "goes: --output FILE (path=...)"
            )
        readable = re.sub(r"[^A-Za-z0-9_-]", "_", id)[:40]
        return self.folder / FOLDER / f"{readable}-{sha256(id.encode()).hexdigest()[:12]}-{token}.parquet"

    def add_snapshot(self, hierarchy: Hierarchy, snapshot: Snapshot) -> None:
        """Note a snapshot of just this hierarchy; an ``InputError`` where its name is taken by now."""
        about = {name: getattr(snapshot, name) for name in ("name", "cells", "digest", "owned", "token")}
        self.ensure_schema()

        def work(tx: neo4j.ManagedTransaction) -> None:
            _, state = hold_hierarchy(tx, hierarchy.id, hierarchy.identity)
            if state == "removing":
                raise VanishedError(f"hierarchy {hierarchy.id!r} was removed meanwhile")
            entries = entries_of(run_operation(tx, "read_entries", id=hierarchy.id)[0]["entries"], hierarchy.id)
            if any(entry.kind == SNAPSHOT and entry.about.get("token") == snapshot.token for entry in entries):
                return  # noted before the connection was lost
            check_name(snapshot.name, self.snapshots_in(hierarchy.id, entries), id=hierarchy.id)
            add_entry_in(tx, hierarchy.id, SNAPSHOT, file=str(snapshot.file), **about)

        with self._graph.session() as session:
            write_bounded(session, work, twice=True)

    def remove_snapshot(self, id: str, name: str, *, say: Callable[[str], None] = lambda _: None) -> Snapshot:
        """Forget a snapshot, and remove its file where that lies in the store's folder; the snapshot that it was.

        ``say`` is told where such a file cannot be removed.
        """
        hierarchy, found = self._found(id), self.snapshot(id, name)
        remove_file(found, say=say)
        self.add_entry(hierarchy, SNAPSHOT_REMOVED, name=name, token=found.token)
        return found

    def snapshots_in(self, id: str, entries: list[Entry]) -> list[Snapshot]:
        """The snapshots that a history tells of, the oldest first, but for those it says were removed, whatever the order.

        Clocks go back at times, and who removes one may note that when another of its name is there.
        """
        removed = {entry.about.get("token") for entry in entries if entry.kind == SNAPSHOT_REMOVED}
        kept = (self._snapshot_of(id, entry) for entry in entries if entry.kind == SNAPSHOT)
        return [snapshot for snapshot in kept if snapshot.token not in removed]

    def _snapshot_of(self, id: str, entry: Entry) -> Snapshot:
        try:
            return self._snapshot_in(id, entry)
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedError.of(id, f"a snapshot in its history is none that cfgraph wrote: {entry.about}") from error

    def _snapshot_in(self, id: str, entry: Entry) -> Snapshot:
        about, owned, file = entry.about, entry.about["owned"] is True, Path(entry.about["file"])
        if owned and self.folder is not None:  # the folder may have moved
            file = self.folder / FOLDER / file.name
        owned = owned and self.folder is not None  # by its URL alone a server may be anywhere, and its files on no disk of ours
        return Snapshot(
            id=id,
            name=about["name"],
            file=file,
            cells=int(about["cells"]),
            digest=str(about["digest"]),
            owned=owned,
            at=entry.at,
            version=entry.version,
            token=str(about["token"]),
        )


def check_name(name: str, there: list[Snapshot], *, id: str) -> None:
    """Raise an ``InputError`` for what is no name of a snapshot, and for one that is taken."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            f"expected 1 to 64 letters, digits, '-' or '_' as the name of a snapshot, the first no sign, got {name!r}"
        )
    try:
        check_id(f"{id}@{name}")
    except InputError as error:
        raise InputError(f"a snapshot is read under the id {id}@{name}, and {error}; choose a shorter name") from error
    if any(kept.name == name for kept in there):
        raise InputError(
            f"{id!r} has a snapshot {name!r} already; choose another name, or forget that: "
            f"`cfgraph snapshot {id} --remove {name}`"
        )


def remove_file(snapshot: Snapshot, *, say: Callable[[str], None]) -> None:
    """Remove a snapshot's file where the store owns it, and say so where it stays; one that is gone already is no error."""
    if not snapshot.owned:
        return
    try:
        snapshot.file.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # one file keeps no hierarchy from being removed
        reason = getattr(error, "strerror", None) or error
        say(f"the file of {snapshot.title} stays at {snapshot.file}: {reason}; remove it yourself")
