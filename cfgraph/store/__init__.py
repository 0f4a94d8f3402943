"""The graph: hierarchies and predictors in Neo4j; the only part of cfgraph that knows the driver."""

from cfgraph.store.growing import GrownBy
from cfgraph.store.store import Counts, Store

__all__ = ["Counts", "GrownBy", "Store"]
