"""Asking: Cypher of people's own, and cfgraph's own operations by name."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import TYPE_CHECKING, Any

from cfgraph.checks import check_integer
from cfgraph.errors import InputError
from cfgraph.model.as_html import frame_of, table_html
from cfgraph.store.notifications import Notification
from cfgraph.store.part import Part
from cfgraph.store.queries import load_query

if TYPE_CHECKING:
    import pandas as pd

PAGE = 10_000  # rows
Answer = AbstractContextManager[tuple[list[str], Iterator[list[Any]]]]  # column names, and the rows


class Rows(tuple[list[str], list[list[Any]]]):
    """What a query found, as a pair or by name: ``columns, rows = store.query(...)``.

    ``notifications`` is what the server warned of: a label that nothing has, misspelt perhaps, is no error and finds nothing,
    so ``store.query("MATCH (c:Cel) RETURN c")`` has one that says so. Each is told once, in the order of the Cypher, with
    ``text``, ``code``, ``line`` and ``column``.
    """

    notifications: tuple[Notification, ...]

    def __new__(
        cls, columns: Sequence[str], rows: Sequence[list[Any]], *, notifications: Sequence[Notification] = ()
    ) -> "Rows":
        """The pair of some columns and rows."""
        made = super().__new__(cls, (list(columns), list(rows)))
        made.notifications = tuple(notifications)
        return made

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return self[0]

    @property
    def rows(self) -> list[list[Any]]:
        """The rows."""
        return self[1]

    def to_pandas(self) -> "pd.DataFrame":
        """The rows as pandas' frame; a ``MissingExtraError`` where pandas is not installed."""
        return frame_of(self.rows, purpose="to_pandas", columns=self.columns)

    def _repr_html_(self) -> str:
        return table_html(f"{len(self.rows):,} rows", self.columns, self.rows)


class Asking(Part):
    """Running Cypher that a user gives."""

    def open_query(
        self,
        cypher: str,
        parameters: dict[str, Any] | None = None,
        *,
        write: bool = False,
        notify: Callable[[Notification], None] | None = None,
        seconds: float | None = None,
        token: str | None = None,
    ) -> Answer:
        """A ``with`` that gives the column names and the rows, one after the other, of Cypher of one's own.

        Without ``write`` the server itself refuses to write. Only after the ``with`` it is known that no row is missing; at its
        end ``notify`` is told what the server warns of, as that nothing has a label. The server ends it after some
        ``seconds``, an ``InputError``; what was sent with a ``token`` is ended by :meth:`end_query` before.
        """
        if not cypher.strip():
            raise InputError("expected a Cypher statement, got an empty one")
        return self._graph.query(cypher, parameters or {}, write=write, notify=notify, seconds=seconds, token=token)

    def end_query(self, token: str) -> bool:
        """End Cypher that was sent with a token, by whatever thread; whether it ran still."""
        return bool(self._graph.read("end_query", token=token)[0]["ended"])

    def open_operation(self, name: str, parameters: dict[str, Any] | None = None, *, write: bool = False) -> Answer:
        """The same for one of cfgraph's own operations, by name."""
        operation = load_query(name)
        operation.check_parameters(parameters or {})
        return self._graph.query(operation.statement, parameters or {}, write=write, asked=f"these parameters of {name}")

    def query(self, cypher: str, parameters: dict[str, Any] | None = None, *, write: bool = False) -> Rows:
        """The column names and rows of Cypher of one's own; without ``write`` the server itself refuses to write.

        ``store.query("MATCH (h:Hierarchy) RETURN h.id").to_pandas()``. What the server warned of is in ``notifications``.
        All rows are in memory: :meth:`query_pages` has them page by page.
        """
        told: list[Notification] = []
        with self.open_query(cypher, parameters, write=write, notify=told.append) as (columns, rows):
            found = list(rows)
        return Rows(columns, found, notifications=told)

    def query_pages(self, cypher: str, parameters: dict[str, Any] | None = None, *, size: int = PAGE) -> Iterator[Rows]:
        """The same in pages of ``size`` rows, the next fetched when it is asked for: memory holds one page.

        Whoever stops early has read so far; a query that fails later raises then. Nothing is written. What the server warns of
        is known at the end of a query, so pages have no ``notifications``.
        """
        check_integer(size, name="size of a page", low=1)
        with self.open_query(cypher, parameters) as (columns, rows):
            while page := list(islice(rows, size)):
                yield Rows(columns, page)

    def query_operation(self, name: str, parameters: dict[str, Any] | None = None, *, write: bool = False) -> Rows:
        """The same for one of cfgraph's own operations, by name."""
        with self.open_operation(name, parameters, write=write) as (columns, rows):
            return Rows(columns, list(rows))
