"""The graph behind the store: one driver, named operations, and the driver's errors wrapped once."""

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import neo4j
from neo4j import exceptions
from pydantic import SecretStr

from cfgraph.errors import CfgraphError, InputError, StoreRefusedError, one_line
from cfgraph.store.notifications import Notification, notifications_of
from cfgraph.store.queries import load_query
from cfgraph.store.refusals import SERVER_VERSION_MIN, SERVER_WANTED, causes_of, explained, is_passing

log = logging.getLogger("cfgraph.store")
logging.getLogger("neo4j").addHandler(logging.NullHandler())  # what it warns of comes back as an error, once
Outcome = TypeVar("Outcome")
USER_AGENT = "cfgraph"
CONNECT_SECONDS = 15.0
RETRY_PAUSE_SECONDS = 1.0
RETRY_SECONDS = 30.0  # how long the driver tries a transaction again that failed for a passing reason
WRITE_TRIES = 6  # of one transaction: after one that took longer than it was given, or a commit of unknown outcome
TRANSACTION_SECONDS = 10.0  # what a transaction that writes gets at first; shorter than the patience of who removes
# The second where it was waiting for a lock when its time was over, the third where what it waited for is gone: looked for
# again, it is not found.
TOO_LATE = ("TransactionTimedOut", "LockClientStopped", "EntityNotFound")
TIMED_OUT = "TransactionTimedOut"  # begins the end of the code of whatever took longer than it was given
TRANSACTION_LIMIT = "db.memory.transaction.max"


@dataclass(frozen=True)
class Access:
    """What it takes to connect to a database; handed on to worker processes."""

    uri: str
    username: str
    password: SecretStr
    database: str | None

    def reveal(self) -> dict[str, Any]:
        """Everything in the clear, the password too: for a pipe to a process of one's own, and nothing else."""
        return {**vars(self), "password": self.password.get_secret_value()}


class Graph:
    """A connection to one Neo4j database that runs the operations of cypher/ by name."""

    def __init__(self, driver: neo4j.Driver, *, database: str | None, place: str, access: Access | None = None):
        self._driver, self._database, self.place, self.access = driver, database, place, access

    @classmethod
    def connect(
        cls, uri: str, *, username: str, password: str, database: str | None, retry_seconds: float | None = None
    ) -> "Graph":
        """Connect and prove it: the server answers, takes the password, and is new enough.

        ``retry_seconds`` is how long a transaction is tried again that failed for a passing reason.
        """
        retry_seconds = RETRY_SECONDS if retry_seconds is None else retry_seconds
        with explained(uri, ValueError, OSError):
            driver = neo4j.GraphDatabase.driver(
                uri,
                auth=(username, password),
                user_agent=USER_AGENT,
                max_transaction_retry_time=retry_seconds,
                connection_timeout=CONNECT_SECONDS,
                connection_acquisition_timeout=CONNECT_SECONDS,  # bounds the handshake too, with what is no Neo4j
                notifications_min_severity="OFF",
            )
        access = Access(uri, username=username, password=SecretStr(password), database=database)
        graph = cls(driver, database=database, place=uri, access=access)
        try:
            with explained(uri, ValueError, OSError):
                graph._await_database(seconds=retry_seconds)
            graph._check_version()
        except BaseException:
            driver.close()
            raise
        return graph

    def close(self) -> None:
        """Let go of the connections."""
        self._driver.close()

    def _await_database(self, *, seconds: float) -> None:
        """Prove that the server can be talked to; wait for a database that is not online yet, and for nothing else."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self._driver.verify_connectivity()
            except (exceptions.DriverError, exceptions.Neo4jError) as error:
                if not is_passing(error) or time.monotonic() > deadline:
                    raise
            time.sleep(RETRY_PAUSE_SECONDS)

    def _check_version(self) -> None:
        found = self.read("read_server_version")[0]
        numbers = tuple(int(number) for number in re.findall(r"\d+", found["version"])[:2])
        if numbers < SERVER_VERSION_MIN:
            raise StoreRefusedError(
                f"{self.place} is Neo4j {found['version']}, and cfgraph needs {SERVER_WANTED} or newer; upgrade the server"
            )

    def read(self, operation: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a reading operation; the server is asked to refuse writes.

        A statement alone is its own transaction, asked and answered once; one that is begun and ended by itself asks thrice.
        Where it failed for a passing reason it is run again as such a one, which the driver repeats.
        """
        with self.session(write=False) as session:
            try:
                return run_operation(session, operation, **parameters)
            except (exceptions.DriverError, exceptions.Neo4jError) as error:
                if not error.is_retryable():
                    raise
                log.info("reading %s again: %s", operation, one_line(error))
            return transact(session, lambda transaction: run_operation(transaction, operation, **parameters), write=False)

    def read_within(self, operation: str, seconds: float, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a reading operation that the server ends after some seconds; an ``InputError`` where it did."""

        @neo4j.unit_of_work(timeout=seconds)
        def work(transaction: neo4j.ManagedTransaction) -> list[dict[str, Any]]:
            return run_operation(transaction, operation, **parameters)

        with ended_after(seconds), self.session(write=False) as session:
            return transact(session, work, write=False)

    def write(self, operation: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a writing operation, run as a transaction of its own."""
        return self.transact(lambda transaction: run_operation(transaction, operation, **parameters))

    def transact(self, work: Callable[[neo4j.ManagedTransaction], Outcome], *, write: bool = True) -> Outcome:
        """Run ``work`` in one transaction, again where it failed for a passing reason: it must have no other effects."""
        with self.session(write=write) as session:
            return write_bounded(session, work) if write else transact(session, work, write=False)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turns the driver's errors into cfgraph's, where a session is used outside the ``with`` that opened it."""
        with explained(self.place):
            yield

    @contextmanager
    def session(self, *, write: bool = True) -> Iterator[neo4j.Session]:
        """A session of one's own, for work in sequence; its errors come out wrapped."""
        with explained(self.place), self._session(write=write) as session:
            yield session

    def _session(self, *, write: bool, warn: bool = False) -> neo4j.Session:
        mode = neo4j.WRITE_ACCESS if write else neo4j.READ_ACCESS
        least = neo4j.NotificationMinimumSeverity.WARNING if warn else neo4j.NotificationMinimumSeverity.OFF
        return self._driver.session(database=self._database, default_access_mode=mode, notifications_min_severity=least)

    @contextmanager
    def query(
        self,
        cypher: str,
        parameters: dict[str, Any],
        *,
        write: bool,
        asked: str = "the Cypher",
        notify: Callable[[Notification], None] | None = None,
        seconds: float | None = None,
        token: str | None = None,
    ) -> Iterator[tuple[list[str], Iterator[list[Any]]]]:
        """A ``with`` for column names and rows of a user's own Cypher; without ``write`` the server is asked to refuse writes.

        ``asked`` is what an error calls that which the server did not accept. ``notify`` is told, at the end of the ``with``,
        what the server warns of. After some ``seconds`` the server ends it, which is an ``InputError``; the operation
        ``end_query`` ends what was sent with a ``token``.
        """
        statement = neo4j.Query(cypher, timeout=seconds, metadata=None if token is None else {"cfgraph": token})
        opened = self._session(write=write, warn=notify is not None)
        with ended_after(seconds), explained(self.place, asked=asked), opened as session:
            try:
                result = session.run(statement, parameters)
            except (OverflowError, RecursionError, UnicodeEncodeError) as error:
                raise InputError(f"the Cypher and its parameters cannot be sent: {one_line(error)}") from error
            yield list(result.keys()), ([plain(value) for value in row.values()] for row in result)
            if notify is not None:
                for notification in notifications_of(result.consume()):
                    notify(notification)

    def create_schema(self, operation: str) -> None:
        """Run a schema operation, which shares no transaction with data; again where two who open a new store deadlock.

        ``IF NOT EXISTS`` looks before it waits for the other's lock: what the other has made meanwhile is no error.
        """
        statement = load_query(operation).statement
        with self.session() as session:
            try:
                transact(session, lambda tx: tx.run(statement).consume())
            except exceptions.ClientError as error:
                if not (error.code or "").endswith("EquivalentSchemaRuleAlreadyExists"):
                    raise


@contextmanager
def ended_after(seconds: float | None) -> Iterator[None]:
    """A ``with`` around what the server was asked to end after some seconds: an ``InputError`` says so where it did."""
    try:
        yield
    except (CfgraphError, exceptions.Neo4jError) as error:
        causes = [cause for cause in causes_of(error) if isinstance(cause, exceptions.Neo4jError)]
        if seconds is None or not any(TIMED_OUT in (cause.code or "") for cause in causes):
            raise
        raise InputError(f"this took longer than {seconds:g} s, and the server ended it; ask for less") from error


def run_operation(within: neo4j.ManagedTransaction | neo4j.Session, operation: str, **parameters: Any) -> list[dict[str, Any]]:
    """The rows of one operation inside a transaction, or of a session as one of its own."""
    query = load_query(operation)
    query.check_parameters(parameters)
    return [
        record.data() if operation.startswith("list_") else dict(record) for record in within.run(query.statement, parameters)
    ]


def transact(session: neo4j.Session, work: Callable[[neo4j.ManagedTransaction], Outcome], *, write: bool = True) -> Outcome:
    """Run ``work`` in one transaction of a session that is already open."""
    work = _final_at_memory_limit(work)
    return session.execute_write(work) if write else session.execute_read(work)


def write_bounded(
    session: neo4j.Session,
    work: Callable[[neo4j.ManagedTransaction], Outcome],
    *,
    seconds: float = TRANSACTION_SECONDS,
    twice: bool = False,
) -> Outcome:
    """Run ``work`` in a transaction that the server ends after some seconds; again, with twice the time, where it took longer.

    So a client that stalls in the middle of a transaction keeps others from nothing for longer than that. Work that may be
    done ``twice`` is also tried again where a connection was lost in the moment of the commit.
    """
    for attempt in range(WRITE_TRIES):
        try:
            return transact(session, neo4j.unit_of_work(timeout=seconds * 2**attempt)(work))
        except (exceptions.IncompleteCommit, exceptions.ClientError) as error:
            passing = twice if isinstance(error, exceptions.IncompleteCommit) else is_too_late(error)
            if not passing or attempt + 1 == WRITE_TRIES:
                raise
    raise AssertionError("unreachable")


def is_too_late(error: exceptions.ClientError) -> bool:
    """Whether a transaction was ended since its time was over, or since what it was about to change was removed meanwhile."""
    return any(code in (error.code or "") for code in TOO_LATE)


def _final_at_memory_limit(
    work: Callable[[neo4j.ManagedTransaction], Outcome],
) -> Callable[[neo4j.ManagedTransaction], Outcome]:
    """The same work, not tried again where it is beyond the limit of a single transaction: it would be the next time, too.

    The server calls that passing, as it does the limit of all transactions together, where it is right.
    """

    @wraps(work)  # keeps the time limit, which the driver looks for at the function
    def limited(transaction: neo4j.ManagedTransaction) -> Outcome:
        try:
            return work(transaction)
        except exceptions.TransientError as error:
            if TRANSACTION_LIMIT not in (error.message or ""):
                raise
            raise StoreRefusedError(
                f"the store ran out of the memory that it allows a transaction: {error.message}; raise {TRANSACTION_LIMIT} "
                "in the server's configuration"
            ) from error

    return limited


def plain(value: Any) -> Any:
    """A value from the driver as plain Python: nodes and relationships as dictionaries, times as text."""
    if isinstance(value, neo4j.graph.Path):
        return [
            plain(entity) for pair in zip(value.nodes, [*value.relationships, None], strict=True) for entity in pair if entity
        ]
    if isinstance(value, neo4j.graph.Node):
        return {"labels": sorted(value.labels), **{name: plain(inner) for name, inner in value.items()}}
    if isinstance(value, neo4j.graph.Relationship):
        return {"type": value.type, **{name: plain(inner) for name, inner in value.items()}}
    if hasattr(value, "iso_format"):  # a duration is a tuple, too
        return value.iso_format()
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return value.hex() if isinstance(value, bytes | bytearray) else value
