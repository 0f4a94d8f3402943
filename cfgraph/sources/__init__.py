"""Where hierarchies come from: each source turns keyword arguments into a Hierarchy whose cells are in memory.

``cfg`` (seeded synthetic generators), ``ifs`` (affine iterated function systems), ``points`` (recursive k-means), ``images``
(the same of what networks give for images) and ``induced`` (a rule that data define) make fields; ``logits`` (a classifier's),
``linkage`` (SciPy's), ``tree`` (Newick and fitted objects), ``edges`` (ontologies) and ``graph`` (networkx, GraphML, node-link
JSON) import what people have, all through ``imported.py``, and so do ``dasgupta``, ``infohier`` and ``hcrl``, which learn trees
from raw data; ``parquet`` is the way back of ``cfgraph export``, and gives a ``Backup``, as ``folder`` does of
fields that were grown into one.

They are bound here when the package is loaded, before anybody can load a module of the same name, so that
``cfgraph.sources.ifs`` is the function whatever was imported first. Libraries are loaded when a source is used.
"""

from cfgraph.sources.cfg import cfg
from cfgraph.sources.dasgupta import dasgupta
from cfgraph.sources.edges import edges
from cfgraph.sources.folder import folder
from cfgraph.sources.graph import graph
from cfgraph.sources.hcrl import hcrl
from cfgraph.sources.ifs import ifs
from cfgraph.sources.images import images
from cfgraph.sources.induced import induced
from cfgraph.sources.infohier import infohier
from cfgraph.sources.linkage import linkage
from cfgraph.sources.logits import logits
from cfgraph.sources.parquet import parquet
from cfgraph.sources.points import points
from cfgraph.sources.tree import tree

__all__ = [
    "cfg",
    "dasgupta",
    "edges",
    "folder",
    "graph",
    "hcrl",
    "ifs",
    "images",
    "induced",
    "infohier",
    "linkage",
    "logits",
    "parquet",
    "points",
    "tree",
]
