"""Objects and graphs: estimators, networkx, GraphML and node-link JSON as dags."""

import json
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, BisectingKMeans
from sklearn.datasets import make_blobs

from cfgraph.errors import InputError
from cfgraph.formats import to_networkx, write_graphml, write_node_link
from cfgraph.formats.linkage import linkage_dag
from cfgraph.model.dag import find_cycle
from cfgraph.sources.condense import condense
from cfgraph.sources.graph import graph_dag, read_graph
from cfgraph.sources.objects import condensed_dag, object_dag
from cfgraph.sources.points import points as ingest_points

X, _ = make_blobs(120, centers=5, random_state=0)


def points_below(dag, node):
    own = np.flatnonzero(dag.node_of_point == node).tolist()
    return sorted(own + [point for child in dag.child[dag.parent == node] for point in points_below(dag, child)])


def refuse(told, thing, **options):
    with pytest.raises(InputError, match=told) as caught:
        object_dag(thing, **options)
    assert "\n" not in str(caught.value)


def test_agglomerative_clustering_is_the_linkage_that_scipy_finds():
    model = AgglomerativeClustering(n_clusters=3, linkage="average", compute_distances=True).fit(X)
    dag, other = object_dag(model), linkage_dag(linkage(X, "average"))
    np.testing.assert_allclose(np.sort(dag.columns["height"]), np.sort(other.columns["height"]))
    assert np.array_equal(np.sort(dag.columns["size"]), np.sort(other.columns["size"]))
    assert dag.lengths == "height"


def test_agglomerative_clustering_without_distances_and_stopped_early():
    dag = object_dag(AgglomerativeClustering(n_clusters=3).fit(X), names=[f"p{row}" for row in range(120)])
    assert dag.length is None
    assert dag.names[119] == "p119"
    assert "height" not in dag.columns
    full = AgglomerativeClustering(n_clusters=4, connectivity=np.ones((120, 120)), compute_full_tree=False).fit(X)
    dag = object_dag(full)
    roots = sorted(set(range(dag.count)) - set(dag.child.tolist()))
    assert len(roots) == 4
    assert sorted(points_below(dag, root) for root in roots) == sorted(
        np.flatnonzero(full.labels_ == label).tolist() for label in range(4)
    )


def test_bisecting_k_means_has_its_clusters_as_leaves():
    model = BisectingKMeans(n_clusters=7, random_state=0).fit(X)
    dag = object_dag(model)
    assert dag.count == 13
    leaves = sorted(set(range(13)) - set(dag.parent.tolist()))
    assert sorted(points_below(dag, leaf) for leaf in leaves) == sorted(
        np.flatnonzero(model.labels_ == label).tolist() for label in range(7)
    )
    assert dag.columns["size"].tolist() == [len(points_below(dag, node)) for node in range(13)]
    for node in set(dag.parent.tolist()):  # a split is one by distance to two centers, so a plane lies between
        one, other = (points_below(dag, child) for child in dag.child[dag.parent == node])
        assert not set(one) & set(other)
    del model._bisecting_tree
    refuse("this version keeps another", model)
    single = object_dag(BisectingKMeans(n_clusters=1).fit(X))
    assert (single.count, len(single.parent)) == (1, 0)


def test_hdbscan_of_scikit_learn_is_condensed():
    model = HDBSCAN(min_cluster_size=8, copy=True).fit(X)
    dag = object_dag(model)
    assert dag.columns["size"][0] == 120
    assert dag.columns["size"].min() >= 8
    clusters = [set(points_below(dag, node)) for node in range(dag.count)]
    for label in range(model.labels_.max() + 1):  # each cluster it selects is one of the tree's
        assert set(np.flatnonzero(model.labels_ == label).tolist()) <= max(
            (c for c in clusters if len(c & set(np.flatnonzero(model.labels_ == label).tolist()))), key=len
        )
        assert any(set(np.flatnonzero(model.labels_ == label).tolist()) == cluster for cluster in clusters)


def condensed_rows(dag, births):
    """A condensed tree as hdbscan writes it: clusters from the number of points on."""
    points = len(dag.node_of_point)
    rows = [(points + int(c), p, births[p], 1) for p, c in enumerate(dag.node_of_point)]
    for parent, child in zip(dag.parent, dag.child, strict=True):
        rows.append(
            (points + int(parent), points + int(child), 1 / dag.columns["height"][parent], int(dag.columns["size"][child]))
        )
    return np.array(rows, dtype=[("parent", int), ("child", int), ("lambda_val", float), ("child_size", int)]).view(np.recarray)


def test_a_condensed_tree_of_hdbscan_is_read():
    ours = condense(linkage_dag(linkage(X, "single")), 6)
    leaving = 1 / ours.columns["height"][ours.node_of_point]
    rows = condensed_rows(ours, leaving)
    model = type("HDBSCAN", (), {"condensed_tree_": SimpleNamespace(to_numpy=lambda: rows)})()
    dag = object_dag(model)
    assert np.array_equal(dag.node_of_point, ours.node_of_point)
    assert np.array_equal(dag.parent, ours.parent)
    assert np.array_equal(dag.columns["size"], ours.columns["size"])
    np.testing.assert_allclose(dag.columns["height"], ours.columns["height"])
    with pytest.raises(InputError, match="expected a condensed tree of rows with parent, child"):
        condensed_dag(np.zeros(3))


def test_things_of_other_kinds_and_unfitted_ones():
    refuse("expected a fitted AgglomerativeClustering, BisectingKMeans, HDBSCAN, .* got dict", {})
    for model in (AgglomerativeClustering(), BisectingKMeans(), HDBSCAN(copy=True)):
        refuse(f"expected a fitted {type(model).__name__}, got one without .*; call its fit first", model)
    refuse("expected 120 names, one for each point, got 2", AgglomerativeClustering().fit(X), names=["a", "b"])
    assert object_dag(linkage(X)).count == 239


def test_a_digraph_with_columns_of_every_kind():
    graph = nx.DiGraph()
    graph.add_node("r", name="root", count=3, share=0.5, seen=True, kind="top", mixed=1, odd=[1], big=2**60, level=9)
    graph.add_node("a", count=-1, share=2, seen=False, mixed=2.5)
    graph.add_node(7, kind="low", mixed=None, negative=-2)
    graph.add_edge("r", "a", length=2, weight=9)
    graph.add_edge("r", 7, weight=0.5)
    graph.add_edge("a", 7)
    dag = graph_dag(graph)
    assert dag.names == ["root", "a", "7"]
    assert dag.parent.tolist() == [0, 0, 1]
    np.testing.assert_array_equal(dag.length, [2, 0.5, np.nan])
    assert {name: column.tolist() for name, column in dag.columns.items() if column.dtype == object} == {
        "seen": [True, False, None],
        "kind": ["top", None, "low"],
        "identifier": ["r", "a", "7"],
    }
    np.testing.assert_array_equal(dag.columns["count"], [3, -1, np.nan])  # -1 is a value, so it cannot say "none"
    np.testing.assert_array_equal(dag.columns["share"], [0.5, 2, np.nan])
    np.testing.assert_array_equal(dag.columns["mixed"], [1, 2.5, np.nan])
    np.testing.assert_array_equal(dag.columns["negative"], [np.nan, np.nan, -2])
    assert dag.columns["big"][0] == 2**60
    assert "level" not in dag.columns
    assert dag.notes == (
        "attributes that are not numbers, text or truth values, all of one kind, were left out: odd",
        "attributes that are called like what every cell has got an underscore: level is level_",
    )


def test_whole_numbers_have_minus_one_for_none():
    graph = nx.DiGraph([("r", "a"), ("r", "b")])
    graph.nodes["a"]["count"] = np.int32(4)
    graph.nodes["r"]["count"] = 0
    assert graph_dag(graph).columns["count"].tolist() == [0, 4, -1]
    assert graph_dag(graph).columns["count"].dtype == np.int64


def test_graphs_that_are_refused():
    refuse("expected a directed graph", nx.Graph([(1, 2)]))
    refuse("got an empty graph", nx.DiGraph())
    assert len(object_dag(nx.MultiDiGraph([(1, 2), (2, 1)])).parent) == 2
    for value in (-1.0, float("inf"), float("nan"), "far"):
        graph = nx.DiGraph()
        graph.add_edge("a", "b", weight=value)
        refuse("expected a finite length .* from 'a' to 'b'", graph)
    assert find_cycle(graph_dag(nx.DiGraph([("a", "b"), ("b", "a")]))) in ([0, 1], [1, 0])


@pytest.mark.parametrize("name", ["edges", "links"])
def test_node_link_json_and_graphml_are_the_graph(tmp_path, name):
    graph = nx.gn_graph(20, seed=3, create_using=nx.DiGraph).reverse()
    for node in graph:
        graph.nodes[node].update(share=node / 3, kind="n", seen=bool(node % 2), count=node)
    for step, edge in enumerate(graph.edges):
        graph.edges[edge]["length"] = 0.1 * step
    (tmp_path / "g.json").write_text(json.dumps(nx.node_link_data(graph, edges=name)))
    nx.write_graphml(graph, tmp_path / "g.graphml")
    wanted = graph_dag(graph)
    for file in ("g.json", "g.graphml"):
        dag = read_graph(tmp_path / file)
        assert dag.names == wanted.names
        assert dag.parent.tolist() == wanted.parent.tolist()
        assert np.array_equal(dag.length, wanted.length)
        assert {key: column.tolist() for key, column in dag.columns.items()} == {
            key: column.tolist() for key, column in wanted.columns.items()
        }


def test_exports_of_our_own_come_back(tmp_path):
    hierarchy = ingest_points(id="own", data=X, depth=2, arity=3)
    graph = to_networkx(hierarchy.cells, hierarchy=hierarchy)
    shuffled = nx.DiGraph(**graph.graph)
    shuffled.add_nodes_from(graph.nodes(data=True))
    shuffled.add_edges_from(list(graph.edges(data=True))[::-1])
    write_graphml(shuffled, tmp_path / "own.graphml")
    write_node_link(shuffled, tmp_path / "own.json")
    for file in ("own.graphml", "own.json"):
        dag = read_graph(tmp_path / file)
        assert dag.names is None  # k-means gives none
        assert dag.columns["size"].tolist() == hierarchy.cells.size.tolist()
        assert set(dag.columns) == {"size"}
        assert not dag.notes
        for node in range(dag.count):  # siblings by slot, though the edges came backwards
            below = dag.child[dag.parent == node].tolist()
            assert below == sorted(below)
        assert np.array_equal(dag.length[np.argsort(dag.child)], hierarchy.cells.length[1:])


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("g.json", "{", "is no JSON: .* in line 1, column 2"),
        ("g.json", "[]", "expected an object with the lists 'nodes' and 'edges'"),
        ("g.json", '{"nodes": [], "edges": []}', "got an undirected one|got an empty graph"),
        ("g.json", '{"directed": true, "nodes": [{"id": 1}], "edges": [{"source": 1, "target": 2}]}', "got 2 at edge 0"),
        ("g.json", '{"directed": true, "nodes": [{"id": 1}, {"id": 1}], "edges": []}', "different ids .* got 1 twice"),
        ("g.json", '{"directed": true, "nodes": [{"name": 1}], "edges": []}', "expected an 'id' at each node"),
        ("g.json", '{"directed": false, "nodes": [{"id": 1}], "edges": []}', "got an undirected one"),
        ("g.graphml", "<graphml", "is no XML"),
        ("g.graphml", "<html></html>", "is no GraphML that networkx reads"),
        ("g.gexf", "x", "is no GEXF file"),
        ("g.dot", "x", "ends in .graphml"),
    ],
)
def test_files_that_are_no_graph(tmp_path, name, text, told):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=told) as caught:
        read_graph(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_graphml_defaults_and_parallel_edges(tmp_path):
    head = (
        '<?xml version="1.0" encoding="UTF-8"?><graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
        '<key id="d" for="node" attr.name="kind" attr.type="string"><default>plain</default></key>'
        '<graph edgedefault="directed"><node id="a"><data key="d">top</data></node><node id="b"/>'
    )
    (tmp_path / "d.graphml").write_text(head + '<edge source="a" target="b"/></graph></graphml>')
    assert read_graph(tmp_path / "d.graphml").columns["kind"].tolist() == ["top", "plain"]
    (tmp_path / "p.graphml").write_text(head + '<edge source="a" target="b"/><edge source="a" target="b"/></graph></graphml>')
    dag = read_graph(tmp_path / "p.graphml")
    assert (len(dag.parent), dag.notes) == (
        1,
        ("1 of 2 edges lead from a node to where an earlier one does, and were left out",),
    )
