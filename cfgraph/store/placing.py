"""Placing: batches of new data as points in their cells, exactly once; and their removal.

A batch is a node beside its hierarchy. It records how many of its rows are in their cells, in the same transaction that puts
them there, and under its lock: so an interrupted placing goes on where it stopped, and of two that place the same at once each
row is written by one. Every transaction proves the incarnation of the hierarchy, and that of the batch by a token.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from operator import itemgetter
from typing import Any

import neo4j
from pydantic import ValidationError

from cfgraph.errors import ChangedError, DamagedError, InputError, NotFoundError, VanishedError
from cfgraph.model.address import check_id
from cfgraph.model.batch import Batch, batch_key, batch_range, batches_range, check_batch_name
from cfgraph.model.hierarchy import Hierarchy, Identity
from cfgraph.store.graph import run_operation, write_bounded
from cfgraph.store.history import BATCH_REMOVED, add_entry_in
from cfgraph.store.incarnation import check_cells, hold_hierarchy, identity_in, new_incarnation, prove_cells
from cfgraph.store.part import Part
from cfgraph.store.reading import PAGE_CELLS, Columns, next_key

PLACE_ROWS = 10_000  # points a transaction, and a batch of a removal

Row = tuple[int, str, str | None, float, float | None, bool]  # its number, address, name, distance, margin, outside


@dataclass(frozen=True)
class NewBatch:
    """What is to be placed: how many rows of which digest, and the name of the batch where one is wanted.

    ``cells`` is how many the hierarchy has that the rows are located in.
    """

    rows: int
    digest: str
    beam: int
    version: str
    names_sha256: str | None = None
    name: str | None = None
    cells: int | None = None
    created: datetime | None = None  # where it was placed before, in another store


class Placing(Part):
    """Placing batches and asking for them."""

    def batches(self, id: str) -> tuple[Batch, ...]:
        """What is recorded of each batch that was placed in a hierarchy, the earliest first."""
        low, high = batches_range(check_id(id))
        return tuple(batch_of(row["batch"], id) for row in self._graph.read("read_batches", id=id, low=low, high=high))

    def batch(self, id: str, name: str) -> Batch:
        """One batch; a ``NotFoundError`` that names those that there are."""
        check_batch_name(name)
        found = {batch.name: batch for batch in self.batches(id)}
        if name in found:
            return found[name]
        there = f"it has {', '.join(found)}" if found else "it has none"
        raise NotFoundError(f"there is no batch {name!r} in {id!r}: {there}; `cfgraph place {id} FILE` places one")

    def begin_batch(self, hierarchy: Hierarchy, new: NewBatch) -> tuple[Batch, Hierarchy]:
        """The batch of these rows, one that holds some or all of them already or a new one; and the hierarchy as held.

        Without a name it is called ``batch-1``, ``batch-2``, ..., by the first number that is free.

        Raises:
            InputError: where the name is taken by other rows, the same rows come with other names or another beam than those
                that are placed in part, or other values with the same names, or the hierarchy was grown since, or the batch is
                half removed.
            VanishedError: where the hierarchy is removed meanwhile.
        """
        self.ensure_schema()

        def work(tx: neo4j.ManagedTransaction) -> tuple[Batch, Hierarchy]:
            held, state = hold_hierarchy(tx, hierarchy.id, hierarchy.identity)  # one batch begins at a time
            if state == "removing":
                raise VanishedError(f"hierarchy {hierarchy.id!r} was removed meanwhile")
            kept = hierarchy.replace(incarnation=held.incarnation)
            low, high = batches_range(hierarchy.id)
            rows = run_operation(tx, "read_batches", id=hierarchy.id, low=low, high=high)
            there = [batch_of(row["batch"], hierarchy.id) for row in rows]
            if (found := _found(there, new)) is not None:
                return found, kept
            batch = _made(hierarchy, new, there)
            properties = {"key": batch.key, **{k: v for k, v in batch.model_dump().items() if v is not None}}
            run_operation(tx, "create_batch", id=hierarchy.id, properties=properties)
            return batch, kept

        return self._graph.transact(work)

    def place_rows(self, hierarchy: Hierarchy, batch: Batch, rows: Sequence[Row]) -> Batch:
        """Write a batch's next rows, at most some thousand; the batch as it is then recorded.

        ``batch`` is as it was recorded before: where somebody else was faster, nothing is written, and what is recorded by
        now comes back.

        Raises:
            VanishedError: where the hierarchy or the batch was removed meanwhile, even if another was made in its place.
        """
        token, done = _token(hierarchy), batch.done + len(rows)
        in_order = sorted(rows, key=itemgetter(1))  # two batches placed at once lock cells in one order: neither waits for ever

        def work(tx: neo4j.ManagedTransaction) -> Batch:
            found = _hold_batch(tx, batch)
            if found.state == "removing":
                raise VanishedError(f"batch {batch.name!r} of {batch.hierarchy!r} is being removed")
            if found.done != batch.done:
                return found
            told = run_operation(tx, "create_batch_points", id=hierarchy.id, key=batch.key, done=done, rows=in_order)
            written = told[0]["placed"] if told else 0  # no row where none of the cells is there
            prove_cells(tx, hierarchy.id, token)
            if written != len(rows):
                raise VanishedError(f"hierarchy {hierarchy.id!r} lost cells meanwhile; run cfgraph verify")
            return found.model_copy(update={"done": done, "state": "placed" if done == found.rows else found.state})

        with self._graph.session() as session:
            return write_bounded(session, work, twice=True)

    def remove_batch(self, id: str, name: str, *, progress: Callable[[int], None] = lambda removed: None) -> int:
        """Take a batch back: its points, some thousand a transaction, then its record; interrupted, the same call finishes.

        Returns how many points were removed.

        Raises:
            NotFoundError: where there is no such batch.
            VanishedError: where the hierarchy is removed meanwhile, or the batch by another command.
        """
        batch, removed = self.batch(id, name), 0
        hierarchy = self._graph.read("read_incarnation", id=id)[0]["hierarchy"]
        if hierarchy is None:
            raise VanishedError(f"hierarchy {id!r} was removed meanwhile")
        known = identity_in(hierarchy)
        self._graph.transact(lambda tx: _begin_removal_in(tx, batch, known))
        while taken := self._graph.transact(lambda tx: _remove_points_in(tx, batch)):
            removed += taken
            progress(removed)
        return removed

    def stray_batch_points(self, batch: Batch) -> tuple[int, list[tuple[str, int]]]:
        """How many points a batch has, and the keys of some that do not lie in one cell, with in how many they do."""
        points, strays, (low, high) = 0, list[tuple[str, int]](), batch_range(batch.hierarchy, batch.name)
        asked = {"id": batch.hierarchy, "batch": batch.name, "low": low, "high": high, "rows": batch.rows, "page": PAGE_CELLS}
        start: str | None = low
        while start is not None:
            page = self._graph.read("read_stray_batch_points", start=start, **asked)[0]
            points += page["points"]
            strays += [(str(key), cells) for key, cells in page["strays"]]
            start = None if page["last"] is None else next_key(page["last"])
        return points, strays

    def check_batch(self, batch: Batch) -> None:
        """Raise an ``InputError`` for a batch that is not placed as a whole, a ``DamagedError`` for one with strange points."""
        if batch.state != "placed":
            finish = f"`cfgraph place {batch.hierarchy} --remove {batch.name}` takes it back"
            finish = finish if batch.state == "removing" else f"finish that by the same command, or {finish}"
            raise InputError(
                f"batch {batch.name!r} of {batch.hierarchy!r} has {batch.done:,} of {batch.rows:,} points, and is in state "
                f"{batch.state!r}; {finish}"
            )
        points, strays = self.stray_batch_points(batch)
        if strays or points != batch.rows:
            detail = (
                f"{strays[0][0]!r} lies in {strays[0][1]} of its cells" if strays else f"{points:,} of {batch.rows:,} points"
            )
            raise DamagedError.of(batch.hierarchy, f"batch {batch.name!r}: {detail}")

    def batch_pages(self, batch: Batch) -> Iterator[Columns]:
        """The points of a batch with the address of the cell that each lies in, in the order of their keys, a page at a time.

        Behind the last one the record is compared: a ``ChangedError`` where the batch is not what it was.
        """
        start, high = batch_range(batch.hierarchy, batch.name)
        while True:
            asked = {"start": start, "high": high, "page": PAGE_CELLS, "id_size": len(batch.hierarchy)}
            page = self._graph.read("read_batch_points", **asked)[0]
            last = page.pop("last")
            if last is None:
                break
            start = next_key(last)
            yield page
        if batch not in self.batches(batch.hierarchy):
            raise ChangedError(f"batch {batch.name!r} of {batch.hierarchy!r} changed while it was read; run this again")


def _found(there: Sequence[Batch], new: NewBatch) -> Batch | None:
    """The batch that holds the rows already, or holds some of them."""
    same = [batch for batch in there if batch.digest == new.digest]
    named = [batch for batch in there if batch.name == new.name]
    for batch in (*named, *same):
        if batch.state == "removing":
            raise InputError(
                f"batch {batch.name!r} is half removed; finish that: `cfgraph place {batch.hierarchy} --remove {batch.name}`"
            )
    if named and named[0].digest != new.digest:
        _check_elsewhere(named, new)
        raise InputError(
            f"batch {new.name!r} of {named[0].hierarchy!r} holds other rows ({named[0].rows:,} of them); choose another name "
            f"with --batch, or take it back first: cfgraph place {named[0].hierarchy} --remove {new.name}"
        )
    if not same:
        _check_elsewhere(there, new)
        return None
    found = same[0]
    if found.state == "placing":
        for what, one, other in (("names", found.names_sha256, new.names_sha256), ("--beam", found.beam, new.beam)):
            if one != other:
                raise InputError(
                    f"{found.done:,} of these {found.rows:,} rows are placed as batch {found.name!r}, with other {what}; go on "
                    f"with the same, or take it back: cfgraph place {found.hierarchy} --remove {found.name}"
                )
        if found.cells != new.cells:
            raise InputError(
                f"{found.done:,} of these {found.rows:,} rows are placed as batch {found.name!r}, {found.located}, and "
                f"{found.hierarchy!r} was grown since: the others would come to other depths; take it back, and place it "
                f"again: cfgraph place {found.hierarchy} --remove {found.name}"
            )
    return found


def _check_elsewhere(there: Sequence[Batch], new: NewBatch) -> None:
    """Refuse rows with the names of half a batch: what a network makes of images differs in its last digits by the device.

    Begun as another batch, the rows that are placed would be there twice.
    """
    for batch in there:
        alike = (batch.rows, batch.names_sha256) == (new.rows, new.names_sha256)
        if batch.state == "placing" and batch.names_sha256 is not None and alike:
            raise InputError(
                f"{batch.done:,} of {batch.rows:,} rows of just these names are placed as batch {batch.name!r}, and the values "
                "of these differ from theirs (embedded on another device, perhaps); go on as it was begun (--device, "
                f"--encoder), or take it back: cfgraph place {batch.hierarchy} --remove {batch.name}"
            )


def _made(hierarchy: Hierarchy, new: NewBatch, there: Sequence[Batch]) -> Batch:
    taken = {batch.name for batch in there}
    free = (name for number in count(1) if (name := f"batch-{number}") not in taken)
    return Batch(
        hierarchy=hierarchy.id,
        name=next(free) if new.name is None else new.name,
        rows=new.rows,
        digest=new.digest,
        names_sha256=new.names_sha256,
        beam=new.beam,
        cells=new.cells,
        created=new.created or datetime.now(UTC),
        version=new.version,
        token=new_incarnation(),
    )


def batch_of(properties: dict[str, Any], id: str) -> Batch:
    """The batch that a node's properties describe; a ``DamagedError`` for what describes none."""
    created: Any = properties.get("created")
    fields = {**properties, "created": created.to_native() if hasattr(created, "to_native") else created}
    try:
        batch = Batch.model_validate(fields)
    except (ValidationError, InputError) as error:
        faults: list[dict[str, Any]] = getattr(error, "errors", list)()
        detail = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults) or str(error)
        raise DamagedError.of(id, f"the record of its batch {properties.get('name')!r}: {detail}") from error
    if properties.get("key") != batch_key(id, batch.name) or batch.hierarchy != id or batch.done > batch.rows:
        raise DamagedError.of(
            id, f"the record of its batch {batch.name!r} says other than its key, or counts more than its rows"
        )
    return batch


def _hold_batch(tx: neo4j.ManagedTransaction, batch: Batch) -> Batch:
    """Lock a batch's record, and prove that it is this one."""
    rows = run_operation(tx, "lock_batch", key=batch.key)
    found = batch_of(rows[0]["batch"], batch.hierarchy) if rows else None
    if found is None or found.token != batch.token:
        raise VanishedError(f"batch {batch.name!r} of {batch.hierarchy!r} was removed meanwhile")
    return found


def _begin_removal_in(tx: neo4j.ManagedTransaction, batch: Batch, known: Identity) -> None:
    """Say that a batch goes: from then on nobody places its rows. A hierarchy of another incarnation keeps what it has."""
    _, state = hold_hierarchy(tx, batch.hierarchy, known)
    check_cells(batch.hierarchy, known.incarnation, known.incarnation, state)
    _hold_batch(tx, batch)
    run_operation(tx, "set_batch_state", key=batch.key, state="removing")


def _remove_points_in(tx: neo4j.ManagedTransaction, batch: Batch) -> int:
    """Remove some of a batch's points; where none is left its record, and 0."""
    _hold_batch(tx, batch)
    low, high = batch_range(batch.hierarchy, batch.name)
    removed: int = run_operation(tx, "remove_points", low=low, high=high, batch=PLACE_ROWS)[0]["removed"]
    if not removed:
        run_operation(tx, "remove_batches", low=batch.key, high=next_key(batch.key))
        add_entry_in(tx, batch.hierarchy, BATCH_REMOVED, name=batch.name, rows=batch.rows, placed=batch.created.isoformat())
    return removed


def _token(hierarchy: Hierarchy) -> str:
    if hierarchy.incarnation is None:
        raise InputError(f"hierarchy {hierarchy.id!r} was not read from this store; place into one that was")
    return hierarchy.incarnation
