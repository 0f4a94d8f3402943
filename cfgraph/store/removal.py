"""Removal: a hierarchy or a predictor out of the graph, in batches, so that an interrupted one can be finished."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import neo4j

from cfgraph.errors import DamagedError, NotFoundError, VanishedError
from cfgraph.model.address import check_id, subtree_range
from cfgraph.model.batch import batches_range
from cfgraph.model.hierarchy import Identity
from cfgraph.store.graph import run_operation
from cfgraph.store.hierarchies import Hierarchies
from cfgraph.store.history import entries_of
from cfgraph.store.incarnation import hold_hierarchy, hold_predictor, identity_in
from cfgraph.store.ingest import Ingest
from cfgraph.store.records import DamagedNode
from cfgraph.store.snapshots import Snapshots, remove_file

REMOVE_BATCH = 10_000


class Removal(Hierarchies, Ingest, Snapshots):
    """Removing hierarchies and predictors."""

    def damaged(self) -> list[DamagedNode]:
        """The nodes of hierarchies and predictors that cannot be read; ``remove`` removes them by their ids."""
        return [*self._listed()[1], *self._listed_predictors()[1]]

    def holds(self, id: str) -> bool:
        """Whether there is a hierarchy or a predictor of an id, of whatever state."""
        return any(node is not None for node in self._graph.read("read_incarnation", id=check_id(id))[0].values())

    def check_there(self, ids: Sequence[str]) -> list[str]:
        """A ``NotFoundError`` that names those of some ids that are no hierarchy's and no predictor's, and the others.

        Where one of the others is half removed, a removal of them all was interrupted: then those that are gone are given back.
        """
        rows = {id: self._graph.read("read_incarnation", id=check_id(id))[0] for id in ids}
        known = {id: any(node is not None for node in row.values()) for id, row in rows.items()}
        missing = [id for id, there in known.items() if not there]
        if any((row["hierarchy"] or {}).get("state") == "removing" for row in rows.values()):
            return missing
        if missing:
            others = " ".join(id for id, there in known.items() if there)
            raise NotFoundError(
                f"there is no {' and no '.join(map(repr, missing))} in this store, so nothing was removed; "
                f"{f'the others are there: cfgraph rm {others}' if others else '`cfgraph ls` lists what it holds'}"
            )
        return missing

    def remove(
        self, id: str, *, progress: Callable[[int], None] = lambda removed: None, say: Callable[[str], None] = lambda _: None
    ) -> int:
        """Remove a hierarchy or a predictor, in batches; interrupted and called again it finishes. The number of cells removed.

        First the state changes and the leases end, so that no worker's block can be committed any more; then the digests, the
        data points, those of batches too, and the cells go; the node itself goes last, once nothing else is left. Each batch
        proves that the hierarchy is the one that was found first: another that was made under its id meanwhile stays. ``say``
        is told where somebody else was faster.
        """
        removed, found = 0, self._graph.read("read_incarnation", id=check_id(id))[0]
        try:
            if found["predictor"] is not None:
                self._graph.transact(lambda tx: _remove_predictor_in(tx, id, identity_in(found["predictor"])))
            elif found["hierarchy"] is not None:
                known, noted = self._graph.transact(lambda tx: _begin_removal_in(tx, id, identity_in(found["hierarchy"])))
                self._remove_files(id, noted, say=say)
                while batch := self._graph.transact(lambda tx: _remove_batch_in(tx, id, known)):
                    removed += batch.cells
                    progress(removed)
            else:
                raise NotFoundError(f"there is no hierarchy {id!r} in this store; `cfgraph ls` lists what it holds")
        except VanishedError:
            say(f"{id!r} was removed by another command meanwhile; what has its id now, if anything, was not touched")
        return removed

    def _remove_files(self, id: str, noted: list[dict[str, Any]], *, say: Callable[[str], None]) -> None:
        """Remove the files of the snapshots that were noted and that the store owns, and say where the others are."""
        try:
            kept = self.snapshots_in(id, entries_of(noted, id))
        except DamagedError:  # a damaged one goes like any other
            return
        for snapshot in kept:
            remove_file(snapshot, say=say)
            if not snapshot.owned:
                say(f"{snapshot.title} stays where it was put, {snapshot.file}")


@dataclass(frozen=True)
class _Batch:
    """What a transaction of a removal took away, where it was not the last."""

    cells: int


def _remove_predictor_in(tx: neo4j.ManagedTransaction, id: str, known: Identity) -> None:
    hold_predictor(tx, id, known)
    run_operation(tx, "remove_predictor", id=id)


def _begin_removal_in(tx: neo4j.ManagedTransaction, id: str, known: Identity) -> tuple[Identity, list[dict[str, Any]]]:
    """Say that a hierarchy goes; which one it is, and its history: read here, since it may be gone, or another's, later."""
    held, _ = hold_hierarchy(tx, id, known)  # a damaged one goes like any other, whatever state it says there
    run_operation(tx, "set_hierarchy_state", id=id, state="removing")
    return held, run_operation(tx, "read_entries", id=id)[0]["entries"]


def _remove_batch_in(tx: neo4j.ManagedTransaction, id: str, known: Identity) -> _Batch | None:
    """Remove some of what there is, in order; None where that was the node."""
    hold_hierarchy(tx, id, known)
    low, high = subtree_range(id)
    run_operation(tx, "remove_leases", id=id)
    if run_operation(tx, "remove_digests", low=low, high=high, batch=REMOVE_BATCH, grown=None, made=None)[0]["removed"]:
        return _Batch(0)
    if run_operation(tx, "remove_points", low=low, high=high, batch=REMOVE_BATCH)[0]["removed"]:
        return _Batch(0)
    cells = run_operation(tx, "remove_cells", low=low, high=high, batch=REMOVE_BATCH)[0]["removed"]
    if cells:
        return _Batch(cells)
    left = run_operation(tx, "count_left", id=id, low=low, high=high)[0]
    if any(left.values()):
        return _Batch(0)  # a worker committed meanwhile
    records = batches_range(id)
    run_operation(tx, "remove_batches", low=records[0], high=records[1])
    run_operation(tx, "remove_hierarchy", id=id)
    return None
