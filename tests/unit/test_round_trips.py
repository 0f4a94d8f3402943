"""Round trips: what people add to nodes and edges comes back through every format, and one odd name changes no other."""

import networkx as nx
import numpy as np
import pytest

from cfgraph.formats import export_hierarchy, read_gexf, read_graphml, to_networkx
from cfgraph.formats.graphml import write_graphml
from cfgraph.model.columns import known_values
from cfgraph.sources.edges import edges
from cfgraph.sources.graph import graph
from cfgraph.sources.parquet import parquet

NODES = {
    "n1": {"name": "root", "count": 3, "share": 0.5, "wild": True},
    "n2": {"name": "kid", "count": -5, "wild": False, "note": "a b"},
    "n3": {"name": "other", "share": 1.25},
    "n4": {"name": "grandchild", "note": "ü <&>"},
}
EDGES = {
    ("n1", "n2"): {"kind": "is_a", "trust": 0.5, "weight": 2.0},
    ("n1", "n3"): {"kind": "part_of", "seen": True, "weight": 1.0},
    ("n2", "n4"): {"kind": "is_a", "rank": 7, "weight": 1.5},
}


def made_graph():
    made = nx.DiGraph()
    made.add_nodes_from(NODES.items())
    made.add_edges_from((*pair, values) for pair, values in EDGES.items())
    return made


def through(way, hierarchy, folder):
    """The hierarchy after a way out and in again."""
    if way == "networkx":
        return graph(id="it", data=to_networkx(hierarchy))
    if way == "parquet":
        export_hierarchy(hierarchy, folder / "h.parquet")
        return parquet(folder / "h.parquet").hierarchy
    suffix, format = {"node-link": ("json", "node-link")}.get(way, (way, way))
    export_hierarchy(hierarchy, folder / f"h.{suffix}", format=format)
    return graph(id="it", data=folder / f"h.{suffix}")


WAYS = ["networkx", "graphml", "gexf", "node-link", "parquet"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("times", [1, 2])
def test_attributes_of_nodes_and_edges_come_back(tmp_path, way, times):
    found = first = graph(id="it", data=made_graph())
    for _ in range(times):
        found = through(way, found, tmp_path)
    assert found.cells.names == first.cells.names == ["root", "kid", "other", "grandchild"]
    assert found.cells.own["identifier"].tolist() == ["n1", "n2", "n3", "n4"]
    assert set(found.cells.own) == set(first.cells.own)
    for name, column in first.cells.own.items():
        np.testing.assert_array_equal(found.cells.own[name], column)
    assert found.own_kinds == first.own_kinds
    back = to_networkx(found)
    called = dict(nx.get_node_attributes(back, "identifier"))
    for source, target, values in back.edges(data=True):
        wanted = EDGES[called[source], called[target]]
        assert {name: value for name, value in values.items() if name in wanted} == wanted
        assert set(values) - {"slot", "residual", "length"} == set(wanted)


@pytest.mark.parametrize("way", ["graphml", "gexf", "node-link", "networkx"])
def test_what_is_added_to_an_export_comes_back(tmp_path, way):
    made = to_networkx(graph(id="it", data=made_graph()))
    nx.set_node_attributes(made, dict(zip(made, [1, 2, 3, 4], strict=True)), "added")
    nx.set_edge_attributes(made, dict(zip(made.edges, ["x", "y", "z"], strict=True)), "said")
    nx.set_edge_attributes(made, "new", "kind")
    found = through(way, graph(id="it", data=made), tmp_path)
    assert found.cells.own["added"].tolist() == [1, 2, 3, 4]
    assert found.cells.own["edge_said"].tolist() == [None, "x", "y", "z"]
    assert found.cells.own["edge_kind"].tolist() == [None, "new", "new", "new"]


ODD = [
    "bell \a",
    " blank",
    "blank ",
    "",
    "json:x",
    'json:"x"',
    "tab\tinside",
    "line\nfeed",
    "carriage\rreturn",
    "\ud7ff\ufffe",
    "\x85",
]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("form", ["graphml", "gexf"])
@pytest.mark.parametrize("source", ["hierarchy", "networkx"])
def test_one_odd_name_changes_no_other(tmp_path, odd, form, source):
    made = made_graph()
    made.nodes["n3"]["name"] = odd
    hierarchy = graph(id="it", data=made)
    path = tmp_path / f"h.{form}"
    if form == "graphml" and source == "networkx":
        write_graphml(to_networkx(hierarchy), path)
    else:
        export_hierarchy(hierarchy, path)
    text = path.read_text(encoding="utf-8")
    assert '"grandchild"' not in text.replace('label="grandchild"', "").replace('value="grandchild"', "")
    assert (">grandchild<" if form == "graphml" else 'value="grandchild"') in text
    read = (read_graphml if form == "graphml" else read_gexf)(path)
    assert [values["name"] for _, values in read.nodes(data=True)] == ["root", "kid", odd, "grandchild"]
    assert graph(id="it", data=path).cells.names == hierarchy.cells.names


def test_names_of_two_kinds_are_json_as_before(tmp_path):
    made = nx.DiGraph([("a", "b")])
    made.nodes["a"]["x"], made.nodes["b"]["x"] = 1, "\a"
    write_graphml(made, tmp_path / "g.graphml")
    assert dict(read_graphml(tmp_path / "g.graphml").nodes(data="x")) == {"a": 1, "b": "\a"}


def test_edges_from_second_parents_keep_what_all_say(tmp_path):
    made = nx.DiGraph([("r", "a", {"kind": "x"}), ("r", "b", {"kind": "x"}), ("a", "b", {"kind": "x"})])
    found = graph(id="it", data=made)
    assert found.cells.own["edge_kind"].tolist() == [None, "x", "x"]
    back = through("graphml", found, tmp_path)
    assert back.cells.own["edge_kind"].tolist() == [None, "x", "x"]
    assert back.notes == ()


def test_csv_is_read_with_names_and_properties(tmp_path):
    hierarchy = graph(id="it", data=made_graph())
    export_hierarchy(hierarchy, tmp_path / "h.csv")
    found = edges(id="it", data=tmp_path / "h.csv")
    assert found.cells.names == hierarchy.cells.names
    for name, column in hierarchy.cells.own.items():
        assert known_values(found.cells.own[name]) == known_values(column)
    np.testing.assert_array_equal(found.cells.root_distance, hierarchy.cells.root_distance)
    assert found.own == hierarchy.own


@pytest.mark.parametrize("what", ["", "edges.csv", "cells.csv"])
def test_a_folder_of_csv_keeps_second_parents(tmp_path, what):
    made = made_graph()
    made.add_edge("n3", "n4", kind="is_a", rank=7, weight=4.0)
    hierarchy = graph(id="it", data=made)
    export_hierarchy(hierarchy, tmp_path / "h", format="csv")
    found = edges(id="it", data=tmp_path / "h" / what)
    assert found.cells.names == hierarchy.cells.names
    assert found.cells.own["identifier"].tolist() == hierarchy.cells.own["identifier"].tolist()
    assert found.own_kinds == hierarchy.own_kinds or what == "cells.csv"
    assert found.links == (0 if what == "cells.csv" else 1)


def test_a_folder_of_several_roots(tmp_path):
    made = nx.DiGraph([("a", "b"), ("c", "d"), ("c", "b")])
    hierarchy = graph(id="it", data=made)
    assert hierarchy.virtual_root
    export_hierarchy(hierarchy, tmp_path / "h", format="csv")
    found = edges(id="it", data=tmp_path / "h")
    assert found.cells.names == hierarchy.cells.names
    assert found.virtual_root
