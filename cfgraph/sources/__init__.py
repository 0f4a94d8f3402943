"""Where hierarchies come from: each source turns keyword arguments into a Hierarchy whose cells are in memory.

``cfg`` (seeded synthetic generators), ``ifs`` (affine iterated function systems) and ``points`` (recursive k-means) make
fields; ``logits`` (a classifier's), ``linkage`` (SciPy's), ``tree`` (Newick and fitted objects), ``edges`` (ontologies) and
``graph`` (networkx, GraphML, node-link JSON) import what people have, all through ``imported.py``; ``parquet`` is the way
back of ``cfgraph export``, and gives a ``Backup``. They are modules, loaded when they are first used, and callable
(cfgraph/called.py): ``cfgraph.sources.ifs(...)`` is ``cfgraph.sources.ifs.ifs(...)``.
"""

import importlib
from types import ModuleType

__all__ = ["cfg", "edges", "graph", "ifs", "linkage", "logits", "parquet", "points", "tree"]


def __getattr__(name: str) -> ModuleType:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")
