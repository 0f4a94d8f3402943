"""Exports: what is taken away. networkx first; every other format is the step after it.

    hierarchy    graphml, node-link       (`json` is node-link)
    predictor    maps                     (`json` is maps): the iterated function system that a recurrence has learned
    folder       neo4j-admin              streamed from the store by cfgraph/bulk.py; ``neo4j_admin.py`` here writes its files

The format is asked for by name or told by the file's suffix, ``.graphml`` or ``.json``. Every file is written whole or not
at all.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from cfgraph.errors import InputError
from cfgraph.exports.files import check_place, whole_file
from cfgraph.exports.graphml import read_graphml, write_graphml
from cfgraph.exports.networkx import to_networkx
from cfgraph.exports.node_link import read_node_link, write_node_link

if TYPE_CHECKING:
    from cfgraph.hierarchy import Hierarchy
    from cfgraph.train import TrainedPredictor

__all__ = [
    "FORMATS",
    "check_place",
    "choose_format",
    "export_hierarchy",
    "export_predictor",
    "read_graphml",
    "read_node_link",
    "to_networkx",
    "whole_file",
    "write_graphml",
    "write_node_link",
]

FORMATS = ("graphml", "node-link", "maps", "json")
_GRAPH_WRITERS = {"graphml": write_graphml, "node-link": write_node_link, "json": write_node_link}


def choose_format(path: str | Path, *, asked: str | None = None) -> str:
    """The format that was asked for, else the one that the file's suffix tells."""
    chosen = asked or Path(path).suffix.lower().removeprefix(".")
    if chosen not in FORMATS:
        came = f"format {asked!r}" if asked else f"a file named {Path(path).name!r}"
        raise InputError(
            f"expected a file that ends in .graphml or .json, or one of the formats {', '.join(FORMATS)}, neo4j-admin; "
            f"got {came}"
        )
    return chosen


def export_hierarchy(hierarchy: "Hierarchy", path: str | Path, *, format: str | None = None) -> None:
    """Write a hierarchy that holds its cells to a file, as ``graphml`` or ``node-link``."""
    chosen = choose_format(path, asked=format)
    if chosen not in _GRAPH_WRITERS:
        raise InputError(f"{hierarchy.id!r} is a hierarchy, which has no {chosen} (a predictor has); use graphml or node-link")
    if hierarchy.cells is None:
        raise InputError(f"hierarchy {hierarchy.id!r} holds no cells; read them from the store first")
    _GRAPH_WRITERS[chosen](to_networkx(hierarchy.cells, hierarchy=hierarchy), path)


def export_predictor(trained: "TrainedPredictor", path: str | Path, *, format: str | None = None) -> None:
    """Write what a predictor learned to a file, as ``maps``: an iterated function system that ``cfgraph ingest ifs`` reads."""
    chosen = choose_format(path, asked=format)
    if chosen not in ("maps", "json"):
        raise InputError(f"{trained.id!r} is a predictor, which has no {chosen} (a hierarchy has); use maps")
    from cfgraph.exports.maps import write_maps

    write_maps(trained, path)
