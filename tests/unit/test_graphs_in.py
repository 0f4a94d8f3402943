"""Graphs as others write them: labels, nesting, encodings, parallel edges, GML, undirected trees and what JSON may be."""

import json

import networkx as nx
import pytest

from cfgraph.errors import InputError
from cfgraph.files.embeddings import Embeddings
from cfgraph.judging.leaves import Leaves
from cfgraph.sources.graph import graph, graph_dag, read_graph

XMLNS = 'xmlns="http://graphml.graphdrawing.org/xmlns"'
YED = (
    '<?xml version="1.0" encoding="{encoding}" standalone="no"?>\n<graphml '
    + XMLNS
    + ' xmlns:y="http://www.yworks.com/xml/graphml">'
    '<key for="node" id="d6" yfiles.type="nodegraphics"/><graph edgedefault="directed" id="G">'
    '<node id="n0"><data key="d6"><y:ShapeNode><y:NodeLabel>Tierpräparat</y:NodeLabel></y:ShapeNode></data></node>'
    '<node id="n1"><data key="d6"><y:ShapeNode><y:NodeLabel>Hund</y:NodeLabel></y:ShapeNode></data></node>'
    '<edge id="e0" source="n0" target="n1"/></graph></graphml>'
)
GEPHI = (
    f"<graphml {XMLNS}>"
    '<key attr.name="label" attr.type="string" for="node" id="label"/><key attr.name="r" attr.type="int" for="node" id="r"/>'
    '<graph edgedefault="directed"><node id="0"><data key="label">Root</data><data key="r">255</data></node>'
    '<node id="1"><data key="label">Kid</data></node><node id="2"><data key="label"></data></node>'
    '<edge source="0" target="1"/><edge source="0" target="2"/></graph></graphml>'
)


@pytest.fixture
def place(tmp_path):
    def write(content, name):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def pairs(dag):
    return {(dag.names[parent], dag.names[child]) for parent, child in zip(dag.parent, dag.child, strict=True)}


def refuse(match, data, **options):
    with pytest.raises(InputError, match=match) as caught:
        graph(id="refused", data=data, **options)
    assert "\n" not in str(caught.value)


def test_a_label_is_a_name_and_the_id_stays_beside_it(place):
    dag = read_graph(place(GEPHI, "g.graphml"))
    assert pairs(dag) == {("Root", "Kid"), ("Root", "2")}
    assert dag.columns["identifier"].tolist() == ["0", "1", "2"]
    assert dag.columns["r"].tolist() == [255, -1, -1]
    assert set(dag.columns) == {"identifier", "r"}


def test_a_name_comes_before_a_label(place):
    made = nx.DiGraph([("a", "b")])
    made.nodes["a"].update(name="one", label="two", identifier="three")
    nx.write_graphml(made, path := place("", "n.graphml"))
    dag = read_graph(path)
    assert dag.names == ["one", "b"]
    assert dag.columns["label"].tolist() == ["two", None]
    assert dag.columns["identifier"].tolist() == ["three", None]
    assert dag.columns["identifier_"].tolist() == ["a", "b"]


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "utf-8", "windows-1252", "UTF-16", "utf-8-sig"])
def test_xml_says_its_encoding(place, encoding):
    text = YED.format(encoding="UTF-8" if encoding == "utf-8-sig" else encoding)
    dag = read_graph(place(text.encode(encoding), "y.graphml"))
    assert pairs(dag) == {("Tierpräparat", "Hund")}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (YED.format(encoding="UTF-8").encode("latin1"), "in UTF-8, got byte 0xe4 in line 2 of .*XML says its encoding"),
        (YED.format(encoding="klingon").encode(), "is in klingon, which is no known encoding"),
        (b"<?xml version='1.0' encoding='ascii'?>\n\xff", "in ASCII, got byte 0xff in line 2"),
    ],
)
def test_wrong_encodings_are_told(place, content, match):
    refuse(match, place(content, "y.graphml"))


GEXF = (
    '<?xml version="1.0" encoding="{encoding}"?><gexf xmlns="{space}" version="{version}">'
    '<graph defaultedgetype="{kind}"><nodes>{nodes}</nodes><edges>{edges}</edges></graph></gexf>'
)
NESTED = (
    '<node id="r" label="Root"><nodes><node id="a" label="Küken"><nodes><node id="c" label="C"/></nodes></node></nodes></node>'
    '<node id="b" label="B" pid="r"/>'
)


def gexf(nodes, edges="", kind="directed", encoding="UTF-8", version="1.2"):
    space = {"1.2": "http://www.gexf.net/1.2draft", "1.3": "http://gexf.net/1.3"}[version]
    return GEXF.format(nodes=nodes, edges=edges, kind=kind, encoding=encoding, space=space, version=version)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("kind", ["directed", "undirected"])
@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1"])
def test_nested_nodes_are_edges(place, kind, encoding, version):
    dag = read_graph(place(gexf(NESTED, kind=kind, encoding=encoding, version=version).encode(encoding), "n.gexf"))
    assert pairs(dag) == {("Root", "Küken"), ("Küken", "C"), ("Root", "B")}
    assert "3 nodes lie inside of others and hang under them" in dag.notes
    assert dag.columns["identifier"].tolist() == ["c", "a", "r", "b"] or set(dag.columns["identifier"]) == set("rabc")


def test_parents_of_gexf_and_edges_beside(place):
    nodes = '<node id="r" label="r"/><node id="a" label="a"><parents><parent for="r"/></parents></node>'
    nodes += '<node id="b" label="b" pid="r"/>'
    dag = read_graph(place(gexf(nodes, '<edge id="0" source="a" target="b"/><edge id="1" source="r" target="a"/>'), "n.gexf"))
    assert pairs(dag) == {("r", "a"), ("r", "b"), ("a", "b")}
    dag = read_graph(place(gexf(nodes, '<edge id="0" source="a" target="b"/>', kind="undirected"), "n.gexf"))
    assert pairs(dag) == {("r", "a"), ("r", "b")}
    assert "1 undirected edges beside that were left out" in dag.notes
    refuse("parents of others, got 'x', which is none", place(gexf('<node id="a" label="a" pid="x"/>'), "n.gexf"))


EDGE = {"source": "a", "target": "b"}
PARALLEL = {
    "p.graphml": f'<graphml {XMLNS}><graph edgedefault="directed"><node id="a"/><node id="b"/>'
    '<edge source="a" target="b"/><edge source="a" target="b"/></graph></graphml>',
    "p.json": json.dumps(
        {"directed": True, "nodes": [{"id": "a"}, {"id": "b"}], "links": [{"source": "a", "target": "b"}] * 2}
    ),
    "m.json": json.dumps(nx.node_link_data(nx.MultiDiGraph([("a", "b"), ("a", "b")]), edges="edges")),
    "p.gexf": gexf(
        '<node id="a" label="a"/><node id="b" label="b"/>',
        '<edge id="0" source="a" target="b"/><edge id="1" source="a" target="b"/>',
    ),
    "p.gml": 'graph [ directed 1 node [ id 0 label "a" ] node [ id 1 label "b" ] '
    "edge [ source 0 target 1 ] edge [ source 0 target 1 ] ]",
}


@pytest.mark.parametrize("name", PARALLEL)
def test_parallel_edges_are_left_out_and_told(place, name):
    dag = read_graph(place(PARALLEL[name], name))
    assert pairs(dag) == {("a", "b")}
    assert dag.notes[0] == "1 of 2 edges lead from a node to where an earlier one does, and were left out"


def test_parallel_edges_of_networkx():
    dag = graph_dag(nx.MultiDiGraph([("a", "b", {"weight": 2}), ("a", "b", {"weight": 5}), ("a", "c")]))
    assert pairs(dag) == {("a", "b"), ("a", "c")}
    assert dag.length[0] == 2
    assert "1 of 3 edges" in dag.notes[0]


GML = (
    'Creator "x"\ngraph [\n directed {directed}\n node [ id 5 label "Root" size 2 ]\n'
    ' node [ id 7 label "Kid &#228;" ]\n edge [ source 5 target 7 weight 1.5 ]\n]\n'
)


def test_gml(place):
    dag = read_graph(place(GML.replace("{directed}", "1"), "g.gml"))
    assert pairs(dag) == {("Root", "Kid ä")}
    assert dag.length.tolist() == [1.5]
    assert dag.columns["identifier"].tolist() == [5, 7]
    refuse("undirected one; direct it .directed 1 in its graph.*--root NAME", place(GML.replace("{directed}", "0"), "g.gml"))
    assert pairs(read_graph(place(GML.replace("{directed}", "0"), "g.gml"), root="Kid ä")) == {("Kid ä", "Root")}


@pytest.mark.parametrize(
    "text",
    [
        "graph [ node [ id 0",
        "x",
        "graph [ node [ label 5 ] ]",
        "graph [ edge [ source 1 target 2 ] ]",
        "graph [ " * 3000,
    ],
)
def test_gml_that_is_damaged_is_told(place, text):
    refuse("is no GML that networkx reads|nested too deeply|at least one node", place(text, "g.gml"))


TREE = [("r", "a"), ("b", "r"), ("c", "b")]
UNDIRECTED = {
    "u.json": (
        {"nodes": [{"id": node} for node in "rabc"], "links": [{"source": s, "target": t} for s, t in TREE]},
        '"directed": true',
    ),
    "v.json": (nx.node_link_data(nx.Graph(TREE), edges="edges"), '"directed": true'),
}


@pytest.mark.parametrize("name", UNDIRECTED)
def test_an_undirected_tree_has_a_root(place, name):
    document, how = UNDIRECTED[name]
    path = place(json.dumps(document), name)
    refuse(f"undirected one; direct it .{how}.*say its root with --root NAME", path)
    assert pairs(read_graph(path, root="r")) == {("r", "a"), ("r", "b"), ("b", "c")}
    assert pairs(read_graph(path, root="c")) == {("c", "b"), ("b", "r"), ("r", "a")}
    refuse("expected one node called 'x' in .* as root, got none; its nodes are 'r', 'a'", path, root="x")


def yed_node(name, label, inside=""):
    """A node as yEd writes it: a shape, or a group with a graph in it, shown open or closed."""
    written = f'<y:NodeLabel alignment="center">{label}<y:LabelModel/></y:NodeLabel>'
    if not inside:
        shape = '<y:Geometry height="30" width="30" x="1" y="2"/><y:Shape type="rectangle"/>'
        return f'<node id="{name}"><data key="d6"><y:ShapeNode>{shape}{written}</y:ShapeNode></data></node>'
    closed = "<y:GroupNode><y:NodeLabel>Folder 1</y:NodeLabel></y:GroupNode>"
    return (
        f'<node id="{name}" yfiles.foldertype="group"><data key="d4"/><data key="d6"><y:ProxyAutoBoundsNode>'
        f'<y:Realizers active="0"><y:GroupNode>{written}</y:GroupNode>{closed}</y:Realizers></y:ProxyAutoBoundsNode></data>'
        f'<graph edgedefault="directed" id="{name}:">{inside}</graph></node>'
    )


def yed(nodes, *, how="directed"):
    return (
        f'<?xml version="1.0" encoding="UTF-8" standalone="no"?><graphml {XMLNS} xmlns:y="http://www.yworks.com/xml/graphml">'
        '<key for="node" id="d4" attr.name="url" attr.type="string"/><key for="node" id="d6" yfiles.type="nodegraphics"/>'
        f'<graph edgedefault="{how}" id="G">{nodes}</graph></graphml>'
    )


@pytest.mark.parametrize("how", ["directed", "undirected"])
def test_nodes_of_a_graph_inside_of_a_node_hang_under_it(place, how):
    cats = yed_node("n0::n0", "Cats", yed_node("n0::n0::n0", "Lion") + yed_node("n0::n0::n1", "Tiger"))
    dag = read_graph(place(yed(yed_node("n0", "Animals", cats + yed_node("n0::n1", "Dog")), how=how), "g.graphml"))
    assert pairs(dag) == {("Animals", "Cats"), ("Cats", "Lion"), ("Cats", "Tiger"), ("Animals", "Dog")}
    assert "4 nodes lie inside of others and hang under them" in "; ".join(dag.notes)


def test_edges_of_inner_graphs_count_too(place):
    inside = yed_node("b", "B") + yed_node("c", "C") + '<edge source="b" target="c"/>'
    text = yed(yed_node("a", "A", inside) + yed_node("d", "D") + '<edge source="c" target="d"/><edge source="a" target="b"/>')
    dag = read_graph(place(text, "g.graphml"))
    assert pairs(dag) == {("A", "B"), ("A", "C"), ("B", "C"), ("C", "D")}


def test_a_deep_nest_is_read(place):
    text = ""
    for level in range(60, -1, -1):
        text = yed_node(f"n{level}", f"L{level}", text)
    dag = read_graph(place(yed(text), "g.graphml"))
    assert pairs(dag) == {(f"L{level}", f"L{level + 1}") for level in range(60)}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            f'<graphml {XMLNS}><graph edgedefault="directed"><node id="a"/></graph><graph ></graph></graphml>',
            "2 graphs side by side",
        ),
        (
            f'<graphml {XMLNS}><graph edgedefault="directed"><node id="a"><graph><node/></graph></node></graph></graphml>',
            "no GraphML",
        ),
        (f"<graphml {XMLNS}><graph><node id='a'><graph></graph></graph></graphml>", "no XML"),
    ],
)
def test_other_graphs_in_graphs_are_told(place, text, match):
    refuse(match, place(text, "g.graphml"))


def test_undirected_graphml_and_networkx(place):
    made = nx.Graph([(1, 2, {"weight": 3.0}), (2, 3)])
    made.nodes[2]["name"] = "two"
    made.add_node(9)
    assert pairs(graph_dag(made, root="two")) == {("two", "1"), ("two", "3")}
    assert graph_dag(made, root="1").length.tolist()[0] == 3
    assert pairs(graph_dag(nx.MultiGraph([(1, 2)]), root="1")) == {("1", "2")}
    path = place("", "u.graphml")
    nx.write_graphml(nx.Graph([("a", "b")]), path)
    refuse('edgedefault="directed"', path)
    assert pairs(read_graph(path, root="b")) == {("b", "a")}


@pytest.mark.parametrize(
    ("made", "match"),
    [
        (nx.cycle_graph(4), "expected a tree in the graph, got a cycle through"),
        (nx.Graph([(0, 1), (1, 1)]), "got a cycle through '1' and '1'"),
        (nx.Graph([(0, 1), (2, 3)]), "expected one tree in the graph, got '2', which no way from '0' leads to"),
        (nx.DiGraph([(0, 1)]), "is a directed graph.*leave --root out"),
    ],
)
def test_what_is_no_tree_has_no_root(made, match):
    refuse(match, made, root="0")


@pytest.mark.parametrize(
    ("document", "command"),
    [({"name": "x", "children": [{"name": "y"}]}, "tree"), ({"graphs": [{"nodes": []}]}, "edges")],
)
def test_other_json_is_named_with_the_command_that_reads_it(place, document, command):
    path = place(json.dumps(document), "o.json")
    refuse(f"cfgraph ingest {command} {path}", path)


def test_doubled_names_are_told_once_and_refused_where_they_are_gone_by(place):
    made = nx.DiGraph([("r", "a"), ("r", "b"), ("r", "c")])
    for node, name in (("a", "x"), ("b", "x"), ("c", "y")):
        made.nodes[node]["name"] = name
    found = graph(id="doubled", data=made)
    assert sorted(found.cells.names) == ["r", "x", "x", "y"]
    assert found.notes == ("1 name is of several leaves: 'x'; addresses tell them apart",)
    assert found.cells.own["identifier"].tolist() == ["r", "a", "b", "c"]
    refuse(
        "embeddings by names that are of one leaf each, got 'x'",
        made,
        embeddings=Embeddings.of([[1.0], [2.0]], names=["x", "y"]),
    )
    with pytest.raises(InputError, match="names that are of one leaf of 'doubled' each, got 'x'"):
        Leaves.of(found).named(["y", "x"])
    assert Leaves.of(found).named(["y"]).tolist() == [2]


def test_other_things_are_no_graphs():
    refuse("expected a file of a graph or a networkx graph, got list", [1, 2])
