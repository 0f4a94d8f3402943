"""Writing blocks: one transaction a block, several sessions side by side, the same for ingesting and for growing."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from threading import local
from typing import Any, TypeVar

import neo4j
import numpy as np
from neo4j import exceptions

from cfgraph.errors import CfgraphError, LeaseLostError, OwnershipError
from cfgraph.model.address import key_of
from cfgraph.model.blocks import Block, BlockLevel
from cfgraph.model.cells import EXPANDED, STATE_NAMES
from cfgraph.model.columns import known_values
from cfgraph.store.graph import TRANSACTION_SECONDS, Graph, run_operation, write_bounded
from cfgraph.store.incarnation import check_cells

SESSIONS = 3  # side by side; measured: a fourth adds nothing on two cores


class _AlreadyWrittenError(Exception):
    """The block's seeds are no frontier any more; ends the transaction."""


class _ShortError(OwnershipError):
    """Fewer cells were made than the block has: parents of theirs are gone."""


@dataclass(frozen=True)
class Lease:
    """A claim on a block: the block's root and the token that proves it."""

    root: str
    token: str


@dataclass(frozen=True)
class Written:
    """What became of a block: ``new`` is False where somebody else wrote it, ``lost`` True where its lease had ended first.

    A block that is lost was not written; whoever holds the lease now writes it. ``seconds`` is the time that it took, waits
    for a store that was away included.
    """

    block: Block
    lease: Lease | None
    new: bool
    lost: bool = False
    seconds: float = 0.0

    @property
    def cells(self) -> int:
        """How many cells the block adds."""
        return self.block.cells


Asked = TypeVar("Asked")
Retry = Callable[[Callable[[], bool]], bool]


def label_list(state: int) -> list[str]:
    """The labels that a cell of this state has beside ``Cell``."""
    return [] if state == EXPANDED else [STATE_NAMES[state]]


Statement = tuple[str, dict[str, Any]]  # an operation and its parameters
Row = tuple[Any, ...]  # a cell's values, in the order in which its statement takes them


def encode_level(level: BlockLevel, *, id: str) -> list[Statement]:
    """The statements that create a level: one for each combination of labels and of what a statement's cells share."""
    children = _child_rows(level)
    kinds = np.stack([level.state.astype(float), level.predicted.astype(float)])
    if level.own is None:
        kinds = np.vstack([kinds, level.scale])
    else:
        children = [(*child, *own) for child, own in zip(children, _own_rows(level.own, level), strict=True)]
    if (kinds == kinds[:, :1]).all():
        return [_statement(level, kinds[:, 0], _group_rows(level, children), id=id)]
    family = np.repeat(np.arange(len(level.parents)), level.counts)
    statements = []
    for kind in np.unique(kinds, axis=1).T:
        rows = np.flatnonzero((kinds == kind[:, None]).all(axis=0))
        grouped: dict[int, list[Row]] = {}
        for row in rows.tolist():
            grouped.setdefault(int(family[row]), []).append(children[row])
        statements.append(_statement(level, kind, [(level.parents[f], group) for f, group in grouped.items()], id=id))
    return statements


def _child_rows(level: BlockLevel) -> list[Row]:
    columns = [level.slot, level.residual, level.length, level.center, level.root_distance]
    lists = [column.tolist() for column in columns]
    if level.own is not None:
        lists[2] = known_values(level.length)  # the edges of a virtual root have none
    if level.radius is not None or level.size is not None or level.own is not None:
        nothing = [None] * len(level.slot)
        radius = nothing if level.radius is None else [None if math.isnan(r) else r for r in level.radius.tolist()]
        lists += [radius, nothing if level.size is None else level.size.tolist()]
    return list(zip(*lists, strict=True))


def _group_rows(level: BlockLevel, children: list[Row]) -> list[tuple[str, list[Row]]]:
    stops = np.cumsum(level.counts).tolist()
    return [(parent, children[low:high]) for parent, low, high in zip(level.parents, [0, *stops[:-1]], stops, strict=True)]


def _own_rows(own: Mapping[str, np.ndarray], level: BlockLevel) -> Iterator[tuple[float, dict[str, Any]]]:
    """Each cell's scale, and its own properties, with whether it is predicted: a field's cells may be."""
    columns = {name: known_values(column) for name, column in own.items()}
    columns["predicted"] = [True if one else None for one in level.predicted.tolist()]
    for row, scale in enumerate(level.scale.tolist()):
        yield scale, {name: column[row] for name, column in columns.items() if column[row] is not None}


def _statement(level: BlockLevel, kind: np.ndarray, rows: list[tuple[str, list[Row]]], *, id: str) -> Statement:
    state, predicted, *scale = kind.tolist()
    parameters = {"id": id, "level": level.level, "labels": label_list(int(state)), "rows": rows}
    if level.own is not None:
        return "create_cells", parameters
    return "create_children", {**parameters, "scale": scale[0], "predicted": True if predicted else None}


class BlockWriter:
    """Writes blocks of one hierarchy over several sessions; use it in a ``with``, which waits for what is in flight.

    ``incarnation`` is the hierarchy's: its blocks go into no other one. ``done`` is told of each block in the thread that
    submits. ``retry`` runs the writing of a block, and may run it again where the store was away. ``transaction_seconds`` is
    when the server ends a transaction whose client stalls.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        id: str,
        incarnation: str,
        sessions: int = SESSIONS,
        done: Callable[[Written], None] = lambda _: None,
        retry: Retry = lambda work: work(),
        transaction_seconds: float = TRANSACTION_SECONDS,
    ):
        self._graph, self._id, self._done, self._retry = graph, id, done, retry
        self._incarnation = incarnation
        self._transaction_seconds = transaction_seconds
        self._sessions, self._in_flight = sessions, set[Future[Written]]()
        self._pool = ThreadPoolExecutor(sessions, thread_name_prefix="cfgraph-write")
        self._own, self._open = local(), ExitStack()

    def __enter__(self) -> "BlockWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if kind is None:
                self.drain()
            else:
                for future in self._in_flight:
                    future.cancel()  # what has not begun
                wait(self._in_flight)  # what is in flight commits or not by itself; either way the graph is valid
        finally:
            self._pool.shutdown()
            self._open.close()

    def submit(self, block: Block, *, lease: Lease | None = None) -> None:
        """Write a block as soon as a session is free; waits where all are busy and one more block is ready."""
        self._collect(at_most=self._sessions)
        self._in_flight.add(self._pool.submit(self._write, block, lease))

    def drain(self) -> None:
        """Wait until everything submitted is written; the first error is raised."""
        self._collect(at_most=0)

    def _collect(self, *, at_most: int) -> None:
        while len(self._in_flight) > at_most:
            finished, self._in_flight = wait(self._in_flight, return_when=FIRST_COMPLETED)
            for future in finished:
                self._done(future.result())

    def _session(self) -> neo4j.Session:
        if not hasattr(self._own, "session"):
            self._own.session = self._open.enter_context(self._graph.session())
        session: neo4j.Session = self._own.session
        return session

    def _write(self, block: Block, lease: Lease | None) -> Written:
        begin = time.monotonic()
        try:
            new = self._retry(lambda: self._try_to_write(block, lease))
        except LeaseLostError:
            return Written(block, lease, new=False, lost=True, seconds=time.monotonic() - begin)
        except CfgraphError as error:
            raise _located(error, block, id=self._id) from error
        return Written(block, lease, new=new, seconds=time.monotonic() - begin)

    def _try_to_write(self, block: Block, lease: Lease | None) -> bool:
        with self._graph.explained():
            return write_block(
                self._graph,
                self._session(),
                block,
                id=self._id,
                incarnation=self._incarnation,
                lease=lease,
                transaction_seconds=self._transaction_seconds,
            )


def _located(error: CfgraphError, block: Block, *, id: str) -> CfgraphError:
    """The same error, saying which cells were being written."""
    where = f"the {block.cells:,} cells below {block.root} of {id!r}, down to level {block.levels[-1].level}"
    return type(error)(f"{error} (this happened while writing {where})")


def write_block(
    graph: Graph,
    session: neo4j.Session,
    block: Block,
    *,
    id: str,
    incarnation: str,
    lease: Lease | None = None,
    transaction_seconds: float = TRANSACTION_SECONDS,
) -> bool:
    """Write a block in one transaction, exactly once; False where it had been written already.

    The transaction proves at its end that the hierarchy is of this ``incarnation`` still, and with a lease that the lease
    still holds, which it ends. A connection lost in the moment of the commit leaves the outcome unknown: the block is tried
    again, and its seeds, frontier or not, decide. ``transaction_seconds`` bounds the transaction on the server, so that a
    client that stalls in the middle keeps nobody from the block, or from removing it; a transaction that merely took longer
    is tried again with twice the time.
    """
    statements = [statement for level in block.levels for statement in encode_level(level, id=id)]
    seeds = [key_of(id, seed) for seed in block.seeds]

    def work(tx: neo4j.ManagedTransaction) -> None:
        _write_in(tx, statements, seeds=seeds, lease=lease, id=id, incarnation=incarnation)

    try:
        write_bounded(session, work, seconds=transaction_seconds, twice=True)
    except (_AlreadyWrittenError, exceptions.ConstraintError, LeaseLostError, _ShortError) as cause:
        _explain_unwritten(graph, seeds, id=id, incarnation=incarnation, cause=cause)
        return False
    return True


def _write_in(
    tx: neo4j.ManagedTransaction,
    statements: list[Statement],
    *,
    seeds: list[str],
    lease: Lease | None,
    id: str,
    incarnation: str,
) -> None:
    if run_operation(tx, "expand_frontier", keys=seeds)[0]["expanded"] != len(seeds):
        raise _AlreadyWrittenError
    told: dict[str, Any] = {}
    for operation, parameters in statements:
        told = run_operation(tx, operation, **parameters)[0]
        wanted = sum(len(children) for _, children in parameters["rows"])
        if told["created"] != wanted:
            raise _ShortError(f"level {parameters['level']} of {id!r} took {told['created']} of {wanted} cells; run verify")
    if lease is not None:  # last, so that the lease can be renewed, and taken over, while the cells are being written
        told = run_operation(tx, "fence_block", id=id, key=key_of(id, lease.root), token=lease.token)[0]
    check_cells(id, incarnation, told["incarnation"], told["state"])
    if lease is not None and not told["held"]:
        raise LeaseLostError(f"the lease on block {lease.root} of {id!r} had ended; nothing was written")


def _explain_unwritten(graph: Graph, seeds: list[str], *, id: str, incarnation: str, cause: Exception) -> None:
    """Return where the block was written by somebody; raise where it was not and cannot be."""
    found = graph.read("read_incarnation", id=id)[0]["hierarchy"] or {}
    check_cells(id, incarnation, found.get("incarnation"), found.get("state"))
    left = graph.read("read_frontier_keys", keys=seeds)
    if isinstance(cause, _ShortError):
        raise OwnershipError(str(cause)) from cause
    if left and isinstance(cause, LeaseLostError):
        raise cause
    if left:
        raise OwnershipError(f"{len(left)} of {len(seeds)} cells of {left[0]['key']} are frontier still; run verify") from cause


def key_pages(keys: list[Asked], *, size: int) -> Iterator[list[Asked]]:
    """The keys, or rows, in pages, so that no query's parameters grow without bound."""
    for low in range(0, len(keys), size):
        yield keys[low : low + size]
