"""Part: what the parts of a store share: the connection that none of them hands on."""

from cfgraph.store.graph import Graph


class Part:
    """Some of a store's operations, over its connection."""

    def __init__(self, graph: Graph):
        self._graph = graph
