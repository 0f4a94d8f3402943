"""Asking: Cypher of people's own, and cfgraph's own operations by name."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from cfgraph.errors import InputError
from cfgraph.store.part import Part
from cfgraph.store.queries import load_query

Answer = AbstractContextManager[tuple[list[str], Iterator[list[Any]]]]  # column names, and the rows


class Asking(Part):
    """Running Cypher that a user gives."""

    def open_query(self, cypher: str, parameters: dict[str, Any] | None = None, *, write: bool = False) -> Answer:
        """A ``with`` that gives the column names and the rows, one after the other, of Cypher of one's own.

        Without ``write`` the server itself refuses to write. Only after the ``with`` it is known that no row is missing.
        """
        if not cypher.strip():
            raise InputError("expected a Cypher statement, got an empty one")
        return self._graph.query(cypher, parameters or {}, write=write)

    def open_operation(self, name: str, parameters: dict[str, Any] | None = None, *, write: bool = False) -> Answer:
        """The same for one of cfgraph's own operations, by name."""
        operation = load_query(name)
        operation.check_parameters(parameters or {})
        return self._graph.query(operation.statement, parameters or {}, write=write, asked=f"these parameters of {name}")

    def query(
        self, cypher: str, parameters: dict[str, Any] | None = None, *, write: bool = False
    ) -> tuple[list[str], list[list[Any]]]:
        """The column names and rows of Cypher of one's own; without ``write`` the server itself refuses to write."""
        with self.open_query(cypher, parameters, write=write) as (columns, rows):
            return columns, list(rows)

    def query_operation(
        self, name: str, parameters: dict[str, Any] | None = None, *, write: bool = False
    ) -> tuple[list[str], list[list[Any]]]:
        """The same for one of cfgraph's own operations, by name."""
        with self.open_operation(name, parameters, write=write) as (columns, rows):
            return columns, list(rows)
