"""Asking: Cypher of people's own, and cfgraph's own operations by name."""

from typing import Any

from cfgraph.errors import InputError
from cfgraph.store.part import Part
from cfgraph.store.queries import load_query


class Asking(Part):
    """Running Cypher that a user gives."""

    def query(
        self, cypher: str, parameters: dict[str, Any] | None = None, *, write: bool = False
    ) -> tuple[list[str], list[list[Any]]]:
        """The column names and rows of Cypher of one's own; without ``write`` the server itself refuses to write."""
        if not cypher.strip():
            raise InputError("expected a Cypher statement, got an empty one")
        return self._graph.query(cypher, parameters or {}, write=write)

    def query_operation(
        self, name: str, parameters: dict[str, Any] | None = None, *, write: bool = False
    ) -> tuple[list[str], list[list[Any]]]:
        """The same for one of cfgraph's own operations, by name."""
        operation = load_query(name)
        operation.check_parameters(parameters or {})
        return self._graph.query(operation.statement, parameters or {}, write=write, asked=f"these parameters of {name}")
