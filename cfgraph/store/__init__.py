"""The graph: hierarchies and predictors in Neo4j; the only part of cfgraph that knows the driver.

``Store`` and what it returns are loaded when they are first used, so that `cfgraph up` on a running server costs nothing.
"""

from typing import TYPE_CHECKING

from cfgraph.late import load_late

if TYPE_CHECKING:
    from cfgraph.store.growth import GrownBy as GrownBy
    from cfgraph.store.hierarchies import Counts as Counts
    from cfgraph.store.store import Store as Store
    from cfgraph.store.stores import Stores as Stores

_PLACES = {
    "Counts": "cfgraph.store.hierarchies",
    "GrownBy": "cfgraph.store.growth",
    "Store": "cfgraph.store.store",
    "Stores": "cfgraph.store.stores",
}
__all__ = list(_PLACES)

if not TYPE_CHECKING:  # a type checker goes by the names above: another one is a mistake
    __getattr__ = load_late(__name__, _PLACES)
