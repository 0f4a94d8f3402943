"""Snapshots: states of a hierarchy that were kept as Parquet files, by their names; the graph notes them in its history.

A file beside a local store lies in its folder, and goes with its snapshot; one at a path of one's own is its owner's.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import neo4j

from cfgraph.errors import DamagedError, InputError, NotFoundError, VanishedError
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.store.graph import run_operation, write_bounded
from cfgraph.store.history import SNAPSHOT, SNAPSHOT_REMOVED, Entry, Histories, add_entry_in, entries_of
from cfgraph.store.incarnation import hold_hierarchy

FOLDER = "snapshots"  # in the store's own
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Snapshot:
    """A state that was kept: of which hierarchy, under which name, in which file, and how many cells that has.

    ``digest`` is the one that the file tells. ``owned`` says that it lies in the store's folder, and is removed with it.
    """

    id: str
    name: str
    file: Path
    cells: int
    digest: str
    owned: bool
    at: datetime | None = None
    version: str | None = None

    @property
    def title(self) -> str:
        """What ``diff`` and ``compare`` take in place of an id."""
        return f"{self.id}@{self.name}"


class Snapshots(Histories):
    """Noting snapshots, finding and forgetting them."""

    folder: Path | None = None  # the local store's own; None of a server's

    def snapshots(self, id: str) -> list[Snapshot]:
        """The snapshots of a hierarchy, the oldest first."""
        return self._snapshots_of(id, self.read_entries(id))

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
        about = {name: getattr(snapshot, name) for name in ("name", "cells", "digest", "owned")}

        def work(tx: neo4j.ManagedTransaction) -> None:
            _, state = hold_hierarchy(tx, hierarchy.id, hierarchy.identity)
            if state == "removing":
                raise VanishedError(f"hierarchy {hierarchy.id!r} was removed meanwhile")
            entries = entries_of(run_operation(tx, "read_entries", id=hierarchy.id)[0]["entries"], hierarchy.id)
            there = self._snapshots_of(hierarchy.id, entries)
            if any(kept.file == snapshot.file for kept in there):
                return  # noted before the connection was lost
            check_name(snapshot.name, there, id=hierarchy.id)
            add_entry_in(tx, hierarchy.id, SNAPSHOT, file=str(snapshot.file), **about)

        with self._graph.session() as session:
            write_bounded(session, work, twice=True)

    def remove_snapshot(self, id: str, name: str) -> Snapshot:
        """Forget a snapshot, and remove its file where that lies in the store's folder; the snapshot that it was."""
        hierarchy, found = self._found(id), self.snapshot(id, name)
        remove_file(found)
        self.add_entry(hierarchy, SNAPSHOT_REMOVED, name=name)
        return found

    def _snapshots_of(self, id: str, entries: list[Entry]) -> list[Snapshot]:
        found = dict[str, Snapshot]()
        for entry in entries:
            try:
                if entry.kind == SNAPSHOT:
                    found[entry.about["name"]] = self._snapshot_of(id, entry)
                elif entry.kind == SNAPSHOT_REMOVED:
                    found.pop(entry.about["name"], None)
            except (KeyError, TypeError, ValueError) as error:
                raise DamagedError.of(id, f"a snapshot in its history is none that cfgraph wrote: {entry.about}") from error
        return list(found.values())

    def _snapshot_of(self, id: str, entry: Entry) -> Snapshot:
        about, owned, file = entry.about, entry.about["owned"] is True, Path(entry.about["file"])
        if owned and self.folder is not None:  # the folder may have moved
            file = self.folder / FOLDER / file.name
        return Snapshot(
            id=id,
            name=about["name"],
            file=file,
            cells=int(about["cells"]),
            digest=str(about["digest"]),
            owned=owned,
            at=entry.at,
            version=entry.version,
        )


def check_name(name: str, there: list[Snapshot], *, id: str) -> None:
    """Raise an ``InputError`` for what is no name of a snapshot, and for one that is taken."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            f"expected 1 to 64 letters, digits, '-' or '_' as the name of a snapshot, the first no sign, got {name!r}"
        )
    if any(kept.name == name for kept in there):
        raise InputError(
            f"{id!r} has a snapshot {name!r} already; choose another name, or forget that: "
            f"`cfgraph snapshot {id} --remove {name}`"
        )


def remove_file(snapshot: Snapshot) -> None:
    """Remove a snapshot's file where the store owns it; one that is gone already is no error."""
    if snapshot.owned:
        with suppress(FileNotFoundError):
            snapshot.file.unlink()
