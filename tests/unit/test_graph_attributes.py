"""Attributes that people add to an export come back as properties; those of edges that cannot be kept are told."""

import networkx as nx
import numpy as np
import pytest

from cfgraph.formats.graphml import write_graphml
from cfgraph.formats.networkx import to_networkx
from cfgraph.sources.graph import graph
from cfgraph.sources.linkage import linkage

Z = np.array([[0, 1, 1.0, 2], [2, 3, 2.0, 3]])
ADDED = {
    "whole": [1, 2, 3, 4, 5],
    "float": [0.5, 1.5, 2.5, 3.5, 4.5],
    "text": list("abcde"),
    "truth": [True, False, True, False, True],
    "level_": [5, 4, 3, 2, 1],
}


@pytest.mark.parametrize("way", ["networkx", "graphml"])
@pytest.mark.parametrize("name", ADDED)
def test_an_added_attribute_becomes_a_property(name, way, tmp_path):
    made = to_networkx(linkage(id="z", data=Z))
    nx.set_node_attributes(made, dict(zip(made, ADDED[name], strict=True)), name)
    if way == "graphml":
        write_graphml(made, tmp_path / "z.graphml")
    found = graph(id="z", data=made if way == "networkx" else tmp_path / "z.graphml")
    assert list(found.cells.own[name]) == ADDED[name]
    assert set(found.own) == {"height", "merge", "row", name}


def test_an_attribute_of_some_nodes_and_a_renamed_one_and_names():
    made = to_networkx(linkage(id="z", data=Z))
    made.nodes["/"]["tag"] = "top"
    for node, values in made.nodes(data=True):
        values["altitude"] = values["height"]
        values["name"] = f"at {node}"
    found = graph(id="z", data=made)
    assert list(found.cells.own["tag"]) == ["top", None, None, None, None]
    assert list(found.cells.own["altitude"]) == list(found.cells.own["height"])
    assert found.cells.names[0] == "at /"


def test_what_cannot_be_kept_is_told():
    made = to_networkx(linkage(id="z", data=Z))
    nx.set_edge_attributes(made, [1], "evidence")
    made.nodes["/"]["members"] = [1, 2]
    notes = " ".join(graph(id="z", data=made).notes)
    assert "attributes of edges that are of no one kind, or differ between edges to one node, were left out: evidence" in notes
    assert "left out: members" in notes
    plain = nx.DiGraph([("a", "b", {"kind": "is_a", "weight": 2.0}), ("a", "c"), ("c", "b", {"kind": "part_of"})])
    assert "left out: kind" in " ".join(graph(id="p", data=plain).notes)


def test_an_untouched_export_says_nothing_new():
    made = linkage(id="z", data=Z)
    back = graph(id="z", data=to_networkx(made))
    assert (back.notes, back.own) == (made.notes, made.own)
