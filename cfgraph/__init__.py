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

from typing import TYPE_CHECKING

from cfgraph.late import load_late
from cfgraph.moved import find_old_names

if TYPE_CHECKING:
    from cfgraph import formats as formats
    from cfgraph import metric as metric
    from cfgraph import plots as plots
    from cfgraph import predictors as predictors
    from cfgraph import sources as sources
    from cfgraph.comparing.certify import certify as certify
    from cfgraph.comparing.diff import diff as diff
    from cfgraph.comparing.drift import drift as drift
    from cfgraph.comparing.verifying import verify as verify
    from cfgraph.errors import CfgraphError as CfgraphError
    from cfgraph.estimator import HCRL as HCRL
    from cfgraph.estimator import ClassificationField as ClassificationField
    from cfgraph.estimator import DasguptaClustering as DasguptaClustering
    from cfgraph.estimator import InfoHier as InfoHier
    from cfgraph.exploring.explorer import explore as explore
    from cfgraph.formats import to_networkx as to_networkx
    from cfgraph.growing.describe import describe as describe
    from cfgraph.growing.materialise import materialise as materialise
    from cfgraph.growing.rollout import Stop as Stop
    from cfgraph.growing.rollout import rollout as rollout
    from cfgraph.judging.comparing import compare as compare
    from cfgraph.judging.cut import cut as cut
    from cfgraph.judging.evaluate import evaluate as evaluate
    from cfgraph.learning.train import train as train
    from cfgraph.metric import Certificate as Certificate
    from cfgraph.metric.apply import apply as apply
    from cfgraph.metric.apply import encode as encode
    from cfgraph.metric.apply import reconstruct as reconstruct
    from cfgraph.metric.path import find_path as find_path
    from cfgraph.metric.place import place as place
    from cfgraph.metric.search import search as search
    from cfgraph.model import address as address
    from cfgraph.model import growth as growth
    from cfgraph.model.as_json import to_json as to_json
    from cfgraph.model.cells import Cells as Cells
    from cfgraph.model.growth import Frontier as Frontier
    from cfgraph.model.growth import grow as grow
    from cfgraph.model.hierarchy import Hierarchy as Hierarchy
    from cfgraph.model.hierarchy import HierarchyWithCells as HierarchyWithCells
    from cfgraph.predictors.trained import TrainedPredictor as TrainedPredictor
    from cfgraph.sources.any_depth import field as field
    from cfgraph.store import Store as Store
    from cfgraph.store import Stores as Stores
    from cfgraph.store.history import history as history
    from cfgraph.store.upgrade import upgrade as upgrade
    from cfgraph.transfer.export import export as export
    from cfgraph.transfer.snapshot import snapshot as snapshot

__version__ = "0.2.0.dev0"  # the one place; pyproject.toml reads it

_PUBLIC = {
    "Cells": "cfgraph.model.cells",
    "Certificate": "cfgraph.metric",
    "CfgraphError": "cfgraph.errors",
    "ClassificationField": "cfgraph.estimator",
    "DasguptaClustering": "cfgraph.estimator",
    "Frontier": "cfgraph.model.growth",
    "HCRL": "cfgraph.estimator",
    "Hierarchy": "cfgraph.model.hierarchy",
    "HierarchyWithCells": "cfgraph.model.hierarchy",
    "InfoHier": "cfgraph.estimator",
    "Stop": "cfgraph.growing.rollout",
    "Store": "cfgraph.store",
    "Stores": "cfgraph.store",
    "TrainedPredictor": "cfgraph.predictors.trained",
    "apply": "cfgraph.metric.apply",
    "certify": "cfgraph.comparing.certify",
    "compare": "cfgraph.judging.comparing",
    "cut": "cfgraph.judging.cut",
    "describe": "cfgraph.growing.describe",
    "diff": "cfgraph.comparing.diff",
    "drift": "cfgraph.comparing.drift",
    "encode": "cfgraph.metric.apply",
    "evaluate": "cfgraph.judging.evaluate",
    "explore": "cfgraph.exploring.explorer",
    "export": "cfgraph.transfer.export",
    "field": "cfgraph.sources.any_depth",
    "find_path": "cfgraph.metric.path",
    "grow": "cfgraph.model.growth",
    "history": "cfgraph.store.history",
    "materialise": "cfgraph.growing.materialise",
    "place": "cfgraph.metric.place",
    "reconstruct": "cfgraph.metric.apply",
    "rollout": "cfgraph.growing.rollout",
    "search": "cfgraph.metric.search",
    "snapshot": "cfgraph.transfer.snapshot",
    "to_json": "cfgraph.model.as_json",
    "to_networkx": "cfgraph.formats",
    "train": "cfgraph.learning.train",
    "upgrade": "cfgraph.store.upgrade",
    "verify": "cfgraph.comparing.verifying",
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


if not TYPE_CHECKING:  # a type checker goes by the names above: another one is a mistake
    __getattr__ = load_late(__name__, _PUBLIC, modules=_MODULES)


def __dir__() -> list[str]:
    return sorted(__all__)
