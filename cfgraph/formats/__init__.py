"""Exports: what is taken away, in the forms that other tools read. docs/formats.md says what each holds.

    hierarchy    graphml, gexf, node-link, dot, newick, nexus, nested-json, linkage, csv, parquet     (`json` is node-link)
    predictor    maps                     (`json` is maps): the iterated function system that a recurrence has learned
    folder       neo4j-admin              cfgraph/transfer/bulk.py streams from the store; ``neo4j_admin.py`` here writes
    Python       to_networkx, to_arrow, to_pandas, to_linkage

The format is asked for by name or told by the file's suffix. Every file is written whole or not at all. The verb that takes
all of them, from a store too, is cfgraph/transfer/export.py.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cfgraph.errors import InputError
from cfgraph.files.whole import check_place, whole_file
from cfgraph.formats.graphml import read_graphml, write_graphml
from cfgraph.formats.networkx import to_networkx
from cfgraph.formats.node_link import read_node_link, write_node_link
from cfgraph.late import load_late

if TYPE_CHECKING:
    from cfgraph.formats.csv import write_csv as write_csv
    from cfgraph.formats.dot import write_dot as write_dot
    from cfgraph.formats.gexf import read_gexf as read_gexf
    from cfgraph.formats.gexf import write_gexf as write_gexf
    from cfgraph.formats.linkage import to_linkage as to_linkage
    from cfgraph.formats.linkage import write_linkage as write_linkage
    from cfgraph.formats.nested_json import write_nested_json as write_nested_json
    from cfgraph.formats.newick import write_newick as write_newick
    from cfgraph.formats.nexus import write_nexus as write_nexus
    from cfgraph.formats.parquet import write_parquet as write_parquet
    from cfgraph.formats.tables import to_arrow as to_arrow
    from cfgraph.formats.tables import to_pandas as to_pandas
    from cfgraph.model.hierarchy import HierarchyWithCells
    from cfgraph.predictors.trained import TrainedPredictor

_LATE = {  # loaded when they are first used
    "read_gexf": "cfgraph.formats.gexf",
    "to_arrow": "cfgraph.formats.tables",
    "to_linkage": "cfgraph.formats.linkage",
    "to_pandas": "cfgraph.formats.tables",
    "write_csv": "cfgraph.formats.csv",
    "write_dot": "cfgraph.formats.dot",
    "write_gexf": "cfgraph.formats.gexf",
    "write_linkage": "cfgraph.formats.linkage",
    "write_nested_json": "cfgraph.formats.nested_json",
    "write_newick": "cfgraph.formats.newick",
    "write_nexus": "cfgraph.formats.nexus",
    "write_parquet": "cfgraph.formats.parquet",
}

__all__ = [
    "FORMATS",
    "check_place",
    "choose_format",
    "export_hierarchy",
    "export_predictor",
    "read_gexf",
    "read_graphml",
    "read_node_link",
    "to_arrow",
    "to_linkage",
    "to_networkx",
    "to_pandas",
    "whole_file",
    "write_csv",
    "write_dot",
    "write_gexf",
    "write_graphml",
    "write_linkage",
    "write_nested_json",
    "write_newick",
    "write_nexus",
    "write_node_link",
    "write_parquet",
]

SUFFIXES = {
    **{"graphml": "graphml", "gexf": "gexf", "json": "json", "dot": "dot", "gv": "dot", "csv": "csv", "parquet": "parquet"},
    **dict.fromkeys(("nwk", "newick", "tre", "tree"), "newick"),
    **dict.fromkeys(("nex", "nexus", "nxs"), "nexus"),
    **{"npy": "linkage", "linkage": "linkage"},
}
FORMATS = ("graphml", "gexf", "node-link", "nested-json", "dot", "newick", "nexus", "linkage", "csv", "parquet", "maps", "json")
OF_TREES = ("newick", "nexus")  # which may hold annotations


if not TYPE_CHECKING:  # a type checker goes by the names above: another one is a mistake
    __getattr__ = load_late(__name__, _LATE)


def choose_format(path: str | Path, *, asked: str | None = None) -> str:
    """The format that was asked for, else the one that the file's suffix tells."""
    if asked in FORMATS:
        return asked
    chosen = None if asked else SUFFIXES.get(Path(path).suffix.lower().removeprefix("."))
    if chosen is None:
        came = f"format {asked!r}" if asked else f"a file named {Path(path).name!r}"
        raise InputError(
            f"expected a file that ends in {', '.join(f'.{suffix}' for suffix in SUFFIXES)}, or one of the formats "
            f"{', '.join(FORMATS)}, neo4j-admin; got {came}"
        )
    return chosen


def export_hierarchy(hierarchy: "HierarchyWithCells", path: str | Path, *, format: str | None = None, **options: bool) -> None:
    """Write a hierarchy that holds its cells to a file, in any format but ``maps``; ``options`` are those of its writer."""
    chosen = choose_format(path, asked=format)
    if chosen == "maps":
        raise InputError(f"{hierarchy.id!r} is a hierarchy, which has no maps (a predictor has); use graphml or node-link")
    hierarchy.require_cells()  # before a file is begun
    _writer(chosen)(hierarchy, path, **options)


def _writer(chosen: str) -> Callable[..., None]:
    name = "node_link" if chosen in ("json", "node-link") else chosen.replace("-", "_")
    return getattr(import_module(__name__), f"write_{name}")


def export_predictor(trained: "TrainedPredictor", path: str | Path, *, format: str | None = None) -> None:
    """Write what a predictor learned to a file, as ``maps``: an iterated function system that ``cfgraph ingest ifs`` reads."""
    chosen = choose_format(path, asked=format)
    if chosen not in ("maps", "json"):
        raise InputError(f"{trained.id!r} is a predictor, which has no {chosen} (a hierarchy has); use maps")
    from cfgraph.formats.maps import write_maps

    write_maps(trained, path)
