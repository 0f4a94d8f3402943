"""Graphs of others: what of them becomes a property of a cell, and what the graph cannot hold."""

import json

import networkx as nx
import pytest

from cfgraph.errors import InputError
from cfgraph.formats import read_gexf, read_graphml, write_gexf
from cfgraph.sources import graph
from cfgraph.sources.graph import graph_dag, read_graph


def make_star(**attributes):
    star = nx.DiGraph([("top", "a"), ("top", "b")])
    star.nodes["a"].update(attributes)
    return star


def refuse(told, data):
    with pytest.raises(InputError, match=told) as caught:
        graph(id="refused", data=data)
    assert "\n" not in str(caught.value)


def test_attributes_that_are_called_like_a_cells_own_get_an_underscore():
    star = make_star(level=3, level_=4, address="1 Main St", state="Texas", center="Austin")
    found = graph(id="star", data=star)
    own = {name: column[found.cells.names.index("a")] for name, column in found.cells.own.items()}
    assert own == {"name": "a", "level__": 3, "level_": 4, "address_": "1 Main St", "state": "Texas", "center_": "Austin"}
    assert "level is level__, address is address_, center is center_" in found.notes[0]


def test_what_is_left_out_is_told():
    star = make_star(mixed=1, listed=[1])
    star.nodes["b"]["mixed"] = "one"
    dag = graph_dag(star)
    assert dag.columns == {}
    assert "all of one kind, were left out: mixed, listed" in dag.notes[0]


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800"])
def test_attributes_that_no_property_can_be_called_like_are_refused(name):
    refuse("expected a name for each attribute of nodes", make_star(**{name: 1}))


def test_text_that_utf8_cannot_hold_is_refused(tmp_path):
    refuse(r"UTF-8 can hold, got .* as 'told' of node 1", make_star(told="\ud800"))
    (tmp_path / "half.json").write_text('{"nodes": [{"id": "top"}, {"id": "\\ud800"}], "edges": [], "directed": true}')
    refuse("UTF-8 can hold, got .* as 'name' of node 1", tmp_path / "half.json")


NODE_LINKS = {
    "id": ({"nodes": [{"id": None}], "edges": []}, "expected text or a number as 'id'"),
    "listed": ({"nodes": [{"id": {}}], "edges": []}, "expected text or a number as 'id'"),
    "graph": ({"graph": [1], "nodes": [{"id": 1}], "edges": []}, "expected an object as 'graph'"),
    "export": (
        {
            "graph": {"id": "x", "origin": "ifs", "dimension": 2, "recipe": {}, "own": 5},
            "nodes": [{"id": 1}],
            "edges": [],
            "directed": True,
        },
        "says that cfgraph exported it, .* export it again",
    ),
}


@pytest.mark.parametrize("name", NODE_LINKS)
def test_node_link_json_that_is_none_is_refused(name, tmp_path):
    data, told = NODE_LINKS[name]
    (tmp_path / "a.json").write_text(json.dumps(data))
    refuse(told, tmp_path / "a.json")


def test_a_label_is_a_name_in_the_gexf_of_others_and_a_property_in_ones_own(tmp_path):
    nx.write_gexf(make_star(label="alpha"), tmp_path / "others.gexf")
    assert "alpha" in read_graph(tmp_path / "others.gexf").names
    from cfgraph.formats import to_networkx

    found = graph(id="star", data=make_star(label="alpha"))
    write_gexf(to_networkx(found.cells, hierarchy=found), tmp_path / "own.gexf")
    back = graph(id="star", data=tmp_path / "own.gexf")
    assert back.cells.own["label"].tolist() == found.cells.own["label"].tolist()
    assert back.cells.names == found.cells.names


GRAPHML = '{}<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="directed">{}</graph></graphml>'
GEXF = '{}<gexf xmlns="http://www.gexf.net/1.2draft" version="1.2"><graph defaultedgetype="directed">{}</graph></gexf>'


def test_a_graph_in_a_node_hangs_under_it(tmp_path):
    inside = '<node id="a"><graph id="below" edgedefault="directed"><node id="b"/></graph></node>'
    (tmp_path / "it.graphml").write_text(GRAPHML.format("", inside))
    found = graph(id="it", data=tmp_path / "it.graphml")
    assert (found.cells.names, found.cells.parent.tolist()) == (["a", "b"], [-1, 0])


def test_graphml_of_several_graphs_is_refused(tmp_path):
    """networkx reads the first alone, without a word."""
    inside = '<node id="a"/></graph><graph id="beside" edgedefault="directed"><node id="b"/>'
    (tmp_path / "it.graphml").write_text(
        f'<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="directed">{inside}</graph></graphml>'
    )
    with pytest.raises(InputError, match="holds 2 graphs"):
        graph(id="it", data=tmp_path / "it.graphml")


def test_xml_that_is_nested_deeply_is_refused(tmp_path):
    """As networkx walks through what is nested, it comes to the end of Python's stack."""
    begin = "".join(f'<node id="n{level}" label="x"><nodes>' for level in range(3000))
    (tmp_path / "deep.gexf").write_text(GEXF.format("", f"<nodes>{begin}{'</nodes></node>' * 3000}</nodes>"))
    for read in (lambda path: read_graph(path), read_gexf):
        with pytest.raises(InputError, match="nested too deeply to be GEXF"):
            read(tmp_path / "deep.gexf")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(("read", "name", "form"), [(read_gexf, "it.gexf", GEXF), (read_graphml, "it.graphml", GRAPHML)])
def test_xml_that_grows_by_its_entities_wants_large(tmp_path, read, name, form, encoding):
    """A hundred kilobytes that stand for seven megabytes, of which the length of the file says nothing."""
    start = f"<?xml version='1.0' encoding='{encoding}'?><!DOCTYPE it [<!ENTITY long '{'x' * 1000}'>]>"
    nodes = f'<node id="a" label="{"&long;" * 70}"/><node id="b"/>'
    edge = '<edge id="0" source="a" target="b"/>'
    body = f"<nodes>{nodes}</nodes><edges>{edge}</edges>" if form is GEXF else nodes.replace("label", "alias") + edge
    path = tmp_path / name
    path.write_text(form.format(start, body), encoding=encoding)
    for reader in (read, read_graph) if encoding == "utf-8" else (read,):
        with pytest.raises(InputError, match=r"declares entities.*--large"):
            reader(path)
        assert reader(path, large=True) is not None
