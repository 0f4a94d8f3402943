"""The graph: hierarchies and predictors in Neo4j; the only part of cfgraph that knows the driver.

``Store`` and what it returns are loaded when they are first used, so that `cfgraph up` on a running server costs nothing.
"""

from importlib import import_module
from typing import Any

_PLACES = {"Counts": "store", "GrownBy": "growth", "Store": "store"}
__all__ = list(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
