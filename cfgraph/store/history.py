"""History: what was done to a hierarchy: what made it, grew it, learned from it, placed data into it; when, by which version.

An entry is noted in the very transaction that does what it tells, by the server's clock. Earlier versions noted none: of what
they did the graph tells what else it keeps (when a hierarchy was made, when a growth was pinned), and the rest is not known.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import neo4j

import cfgraph
from cfgraph.errors import DamagedError, NotFoundError, VanishedError
from cfgraph.model.address import check_id
from cfgraph.model.as_html import Shown
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.store.graph import run_operation
from cfgraph.store.incarnation import hold_hierarchy
from cfgraph.store.part import Part
from cfgraph.store.records import hierarchy_of

if TYPE_CHECKING:
    from cfgraph.store import Store

MADE, TRAINED, COPIED, PLACED, GROWTH, GROWN = "made", "trained", "copied", "placed", "growth", "grown"
# What entries tell, by their kinds.
BEGUN, WRITTEN, RESTORED, ASKED = "begun", "written", "restored", "asked"
SNAPSHOT, SNAPSHOT_REMOVED, UPGRADED, BATCH_REMOVED = "snapshot", "snapshot_removed", "upgraded", "batch_removed"
CUT, CUT_REMOVED = "cut", "cut_removed"
KINDS = (BEGUN, WRITTEN, RESTORED, GROWTH, ASKED, GROWN, SNAPSHOT, SNAPSHOT_REMOVED, UPGRADED, BATCH_REMOVED, CUT, CUT_REMOVED)
_NOT_TOLD = ("created", "version", "key", "hierarchy", "token", "locked")  # of nodes


@dataclass(frozen=True)
class Entry:
    """Something that was done: ``kind`` and what it is ``about``; when, and by which version of cfgraph, where it is known."""

    kind: str
    about: dict[str, Any]
    at: datetime | None = None
    version: str | None = None


@dataclass(frozen=True)
class History(Shown):
    """What was done to a hierarchy, in the order of time, that of unknown time last; ``remarks`` say what is not known."""

    id: str
    entries: tuple[Entry, ...]
    remarks: tuple[str, ...] = ()


class Histories(Part):
    """Noting what is done, and asking for it."""

    def add_entry(self, hierarchy: Hierarchy, kind: str, **about: Any) -> None:
        """Note something in a hierarchy's history; a ``VanishedError`` where it is not the one any more that was read."""

        def work(tx: neo4j.ManagedTransaction) -> None:
            _, state = hold_hierarchy(tx, hierarchy.id, hierarchy.identity)
            if state == "removing":
                raise VanishedError(f"hierarchy {hierarchy.id!r} was removed meanwhile")
            add_entry_in(tx, hierarchy.id, kind, **about)

        self.ensure_schema()
        self._graph.transact(work)

    def read_entries(self, id: str) -> list[Entry]:
        """What was noted of a hierarchy, in the order of time."""
        return entries_of(self._asked("read_entries", id)["entries"], id)

    def read_history(self, id: str) -> dict[str, Any]:
        """Entries, and what else the graph keeps that tells of the past of a hierarchy: properties, by kind."""
        return self._asked("read_history", id, low=f"{id}/@", high=f"{id}/A")

    def _found(self, id: str) -> Hierarchy:
        return hierarchy_of(self._asked("read_hierarchy", check_id(id))["hierarchy"])

    def _asked(self, operation: str, id: str, **parameters: str) -> dict[str, Any]:
        rows = self._graph.read(operation, id=id, **parameters)
        if not rows:
            raise NotFoundError(f"there is no hierarchy {id!r} in this store; `cfgraph ls` lists what it holds")
        return rows[0]


def add_entry_in(tx: neo4j.ManagedTransaction, id: str, kind: str, **about: Any) -> None:
    """Note something in the history of a hierarchy as a part of what a transaction does."""
    known = {name: value for name, value in about.items() if value is not None}
    run_operation(tx, "add_entry", id=id, kind=kind, version=cfgraph.__version__, about=json.dumps(known, sort_keys=True))


def history(store: "Store", id: str) -> History:
    """What was done to a hierarchy, as the graph keeps it: ``[entry.kind for entry in history(store, "koch").entries]``.

    What made it, from when to when each growth went and by which predictor, what learned from it and copied its prefix, data
    that was placed later or taken back, snapshots, the file that it was restored from, upgrades. ``at`` is by the server's
    clock; of hierarchies, predictors and batches as such (``made``, ``trained``, ``copied``, ``placed``) it is by the clock of
    whoever made them, so beside the others their order is only as true as that. What an earlier version did has no
    ``version``, and of its growths the end is not known.

    Raises:
        NotFoundError: where the store has no hierarchy of that id.
        DamagedError: where an entry is none that cfgraph wrote.
    """
    hierarchy, found = store.hierarchy(id), store.read_history(id)
    noted = entries_of(found["entries"], id)
    entries = [*_made(hierarchy, noted), *(entry for entry in noted if entry.kind != BEGUN)]
    entries += [*_growths(found["growths"], noted, id), *_former(hierarchy, noted)]
    for kind, named in ((TRAINED, found["predictors"]), (COPIED, found["copies"]), (PLACED, found["batches"])):
        entries += [_of_node(kind, properties, id) for properties in named]
    return History(id, tuple(in_order(entries)), tuple(_remarks(entries)))


def _made(hierarchy: Hierarchy, noted: list[Entry]) -> Iterator[Entry]:
    """What made it: noted when its writing began; else what it says itself. One from a file was made before."""
    begun = next((entry for entry in noted if entry.kind == BEGUN), None)
    restored = any(entry.kind == RESTORED and "batches" not in entry.about for entry in noted)
    about = {"origin": hierarchy.origin, "recipe": hierarchy.recipe}
    if begun is None or restored:
        yield Entry(MADE, about, at=hierarchy.created)
    if begun is not None:
        yield Entry(BEGUN, begun.about if restored else about, at=begun.at, version=begun.version)


def _growths(growths: list[dict[str, Any]], noted: list[Entry], id: str) -> Iterator[Entry]:
    """The growths of which nothing was noted: those of earlier versions and of other stores."""
    known = {entry.about.get("since") for entry in noted if entry.kind == GROWTH}
    for growth in growths:
        since = growth.get("since")
        if since not in known:
            about = {name: growth.get(name) for name in ("since", "predictor", "from_depth", "to_depth", "stop", "below")}
            yield Entry(GROWTH, {name: value for name, value in about.items() if value is not None}, at=_time(since, id))
            if growth.get("done"):
                yield Entry(GROWN, {"since": since, "predictor": growth.get("predictor"), "to_depth": growth.get("to_depth")})


def _former(hierarchy: Hierarchy, noted: list[Entry]) -> Iterator[Entry]:
    """The growths by predictors that were removed since, of which nothing was noted."""
    known = {entry.about.get("predictor") for entry in noted if entry.kind == GROWTH}
    for name in hierarchy.former_predictors or ():
        if name not in known:
            yield Entry(GROWN, {"predictor": name, "removed": True})


def _of_node(kind: str, properties: dict[str, Any], id: str) -> Entry:
    about = {name: value for name, value in properties.items() if name not in _NOT_TOLD}
    return Entry(kind, about, at=_time(properties.get("created"), id), version=properties.get("version"))


def entries_of(found: list[dict[str, Any]], id: str) -> list[Entry]:
    """What the properties of nodes tell that were noted, in the order of time; a ``DamagedError`` for what is no entry."""
    entries = []
    for entry in found:
        try:
            about, kind, version = json.loads(entry["about"]), entry["kind"], entry.get("version")
        except (KeyError, TypeError, ValueError):
            about = kind = version = None
        if not isinstance(about, dict) or not isinstance(kind, str) or not isinstance(version, str | None):
            raise DamagedError.of(id, f"an entry of its history is none that cfgraph wrote: {str(entry)[:200]}")
        entries.append(Entry(kind, about, at=_time(entry.get("at"), id), version=version))
    return in_order(entries)


def in_order(entries: list[Entry]) -> list[Entry]:
    """Entries in the order of time, those of one millisecond in that of ``KINDS``; what nobody knows the time of comes last."""
    begin, places = datetime.min.replace(tzinfo=UTC), {kind: place for place, kind in enumerate(KINDS)}
    return sorted(entries, key=lambda entry: (entry.at is None, entry.at or begin, places.get(entry.kind, -1)))


def _time(value: Any, id: str) -> datetime | None:
    """A moment: milliseconds by the server's clock, or the database's own time."""
    if value is None:
        return None
    try:
        moment = value.to_native() if hasattr(value, "to_native") else datetime.fromtimestamp(value / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise DamagedError.of(id, f"a moment of its history is {value!r}") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _remarks(entries: list[Entry]) -> Iterator[str]:
    made = next((entry for entry in entries if entry.kind in (MADE, BEGUN)), None)
    if made is not None and made.version is None:
        yield "by which version it was made is not known: one that kept no history, or another store's"
    if any(entry.kind == GROWN and entry.at is None for entry in entries):
        yield "when some growths ended, and by which version they were, is not known: nothing was kept of that"
