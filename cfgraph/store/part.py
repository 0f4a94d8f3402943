"""Part: what the parts of a store share: the connection that none of them hands on."""

from cfgraph.store.graph import Graph
from cfgraph.store.opening import create_schema


class Part:
    """Some of a store's operations, over its connection."""

    def __init__(self, graph: Graph):
        self._graph = graph
        self._has_schema = False

    def ensure_schema(self) -> None:
        """Set the schema up where the database has none: before the first thing that is written, never to read."""
        if not self._has_schema:
            create_schema(self._graph)
            self._has_schema = True
