"""Upgrade: what a hierarchy of an earlier version lacks and only a pass over its cells can tell; all else is done on opening.

Each step is of one hierarchy: its cells are read, and what they tell is written in one transaction, with an entry in its
history. So an interrupted upgrade has done some steps and none by half, and goes on with the others. Until then everything
works as it did: what is missing is found out anew each time, or left unchecked.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import neo4j

from cfgraph.errors import ChangedError, DamagedError, InputError, VanishedError
from cfgraph.model.columns import BOOLEAN, FLOAT, INTEGER, JSON, STRING, one_kind
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.store.graph import run_operation
from cfgraph.store.history import UPGRADED, add_entry_in
from cfgraph.store.incarnation import hold_hierarchy
from cfgraph.store.part import Part

if TYPE_CHECKING:
    from cfgraph.store import Store

KINDS = "kinds"  # the steps that there are, by what they bring
PURPOSES = {KINDS: "reads of which kinds its cells' own properties are, and keeps that: verify checks them from then on"}
_SIMPLE = (INTEGER, FLOAT, STRING, BOOLEAN)
Progress = Callable[[int, int], None]  # steps done, steps in all


@dataclass(frozen=True)
class Step:
    """What an upgrade does to one hierarchy: which step, and how many cells it reads. ``obstacle`` is what is in the way."""

    id: str
    what: str
    cells: int
    obstacle: str | None = None

    @property
    def purpose(self) -> str:
        """What it brings, in words."""
        return PURPOSES[self.what]


class Upgrades(Part):
    """Finding hierarchies that lack something, and keeping what was found out."""

    def outdated(self) -> list[str]:
        """The ids of the hierarchies that do not say of which kinds their cells' own properties are."""
        return [row["id"] for row in self._graph.read("read_outdated")]

    def keep_own_kinds(self, hierarchy: Hierarchy, kinds: dict[str, str]) -> None:
        """Write the kinds of a hierarchy's own properties where it does not say them, and note that.

        Raises a ``VanishedError`` where it is not the one any more that was read, or not complete.
        """

        def work(tx: neo4j.ManagedTransaction) -> None:
            _, state = hold_hierarchy(tx, hierarchy.id, hierarchy.identity)
            if state != "complete":
                raise VanishedError(f"hierarchy {hierarchy.id!r} was taken on by somebody else: it is in state {state!r}")
            run_operation(tx, "set_own_kinds", id=hierarchy.id, kinds=json.dumps(kinds, sort_keys=True))
            add_entry_in(tx, hierarchy.id, UPGRADED, what=KINDS)

        self._graph.transact(work)


def plan_upgrade(store: "Store", ids: Collection[str] | None = None) -> list[Step]:
    """The steps that are left to do, of all hierarchies or of some; an ``obstacle`` says what is to be done first.

    Raises a ``NotFoundError`` for ids that the store does not hold.
    """
    for id in ids or ():
        store.hierarchy(id)
    return [_step_of(store, id) for id in store.outdated() if ids is None or id in ids]


def upgrade(store: "Store", ids: Collection[str] | None = None, *, progress: Progress = lambda done, total: None) -> list[Step]:
    """Do what is left to do, of all hierarchies or of some: the steps, with an ``obstacle`` where one could not be done.

    The same again does the others alone.

    Raises:
        NotFoundError: for ids that the store does not hold.
        StoreRefusedError: where the user may not write.
        StoreUnavailableError: where the store is away; what was done by then stays.
    """
    steps, done = plan_upgrade(store, ids), list[Step]()
    for number, step in enumerate(steps, start=1):
        done.append(step if step.obstacle else _do(store, step))
        progress(number, len(steps))
    return done


def _step_of(store: "Store", id: str) -> Step:
    try:
        hierarchy = store.hierarchy(id)
        cells = store.counts(id).cells
    except (InputError, DamagedError) as error:
        return Step(str(id), KINDS, 0, obstacle=str(error))
    doing = None if hierarchy.state == "complete" else f"it is in state {hierarchy.state!r}; finish that first"
    return Step(id, KINDS, cells, obstacle=doing)


def _do(store: "Store", step: Step) -> Step:
    try:
        with store.witness(step.id) as witness:
            hierarchy = witness.hierarchy
            found = {name: _kind(kinds) for name, kinds in store.own_kinds(hierarchy).items()}
        store.keep_own_kinds(hierarchy, {name: kind for name, kind in found.items() if kind is not None})
    except (InputError, DamagedError, ChangedError, VanishedError) as error:
        return Step(step.id, step.what, step.cells, obstacle=str(error))
    return step


def _kind(kinds: set[str]) -> str | None:
    """The kind of a column whose values are of these of the database's types; lists are taken as the JSON that they were."""
    return one_kind({kind if kind in _SIMPLE else JSON for kind in kinds})
