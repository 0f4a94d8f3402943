"""cfgraph: hierarchies as living metric DAGs in Neo4j.

The whole public surface; everything else may move. Names are loaded when they are first used, so that importing cfgraph
costs nothing that is not needed.

    from cfgraph import Store, sources, train, rollout, Stop, compare

    koch = sources.ifs(id="koch", maps="koch", depth=8)        # a hierarchy in memory: no database needed
    with Store.open("local") as store:                         # a private Neo4j that starts by itself
        store.write(koch)
        prefix = koch.with_cells(store.read("koch", depth=2))
        store.write_predictor(train(prefix, id="rule", depth=2))
        rollout(store, "koch", predictor="rule", from_depth=2, copy_as="grown", stop=Stop(depth=8))
        print(compare(store, "koch", "grown").to_json())
"""

from importlib import import_module
from typing import Any

from cfgraph.moved import find_old_names

__version__ = "0.1.0"

_PUBLIC = {
    "Cells": "cfgraph.model.cells",
    "Certificate": "cfgraph.metric",
    "CfgraphError": "cfgraph.errors",
    "ClassificationField": "cfgraph.estimator",
    "Frontier": "cfgraph.model.growth",
    "Hierarchy": "cfgraph.model.hierarchy",
    "Stop": "cfgraph.growing.rollout",
    "Store": "cfgraph.store",
    "TrainedPredictor": "cfgraph.predictors.trained",
    "compare": "cfgraph.comparing.compare",
    "describe": "cfgraph.growing.describe",
    "evaluate": "cfgraph.judging.evaluate",
    "export": "cfgraph.transfer.export",
    "find_path": "cfgraph.metric.path",
    "grow": "cfgraph.model.growth",
    "rollout": "cfgraph.growing.rollout",
    "to_json": "cfgraph.model.as_json",
    "to_networkx": "cfgraph.formats",
    "train": "cfgraph.learning.train",
    "verify": "cfgraph.store.verify",
}
_MODULES = {
    "address": "cfgraph.model.address",
    "formats": "cfgraph.formats",
    "growth": "cfgraph.model.growth",
    "metric": "cfgraph.metric",
    "plots": "cfgraph.plots",
    "predictors": "cfgraph.predictors",
    "sources": "cfgraph.sources",
}

find_old_names()

__all__ = [*_PUBLIC, *_MODULES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    if name in _MODULES:
        return import_module(_MODULES[name])
    raise AttributeError(f"module 'cfgraph' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
