"""The commands for hierarchies that people have already: ingest in five ways, path, evaluate, compare by name, plot."""

import json

import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage

ONTOLOGY = "child\tparent\nb\ta\nc\ta\nd\tb\nd\tc\ne\tc\nz\ty\n"


@pytest.fixture
def ontology(run, new_id, tmp_path):
    """A small ontology with two roots and a node of two parents, in the store."""
    (tmp_path / "o.tsv").write_text(ONTOLOGY)
    done = run("ingest", "edges", tmp_path / "o.tsv", "--as", (name := new_id()))
    assert "1 edges from second parents, several roots under a virtual one" in done.stdout
    return name


@pytest.fixture
def clusters(run, new_id, tmp_path):
    """Three blobs of ten points, their linkage in the store, and files of what is known of them."""
    label = np.repeat([0, 1, 2], 10)
    points = np.random.default_rng(0).normal(size=(30, 2)) + 10 * np.eye(3)[label, :2]
    for name, array in {"Z": linkage(points, "average"), "label": label, "points": points}.items():
        np.save(tmp_path / f"{name}.npy", array)
    done = run("ingest", "linkage", tmp_path / "Z.npy", "--points", "--as", (name := new_id()))
    assert "59 cells" in done.stdout
    return name


@pytest.mark.slow("several commands, each a process of its own")
def test_an_ontology_is_verified_and_paths_go_by_name(run, ontology):
    run("verify", ontology)
    path = json.loads(run("path", ontology, "d", "e", "--format", "json").stdout)
    assert (path["distance"], path["ancestor"]) == (2.0, None)
    assert run("path", ontology, "d", "z").stdout.startswith("distance: none")
    assert json.loads(run("path", ontology, "d", "z", "--format", "json").stdout)["distance"] is None
    assert "is called 'nobody'" in run("path", ontology, "d", "nobody", code=2).stderr


@pytest.mark.slow("several commands, each a process of its own")
def test_names_may_begin_with_a_slash(run, new_id, tmp_path):
    (tmp_path / "o.tsv").write_text("child\tparent\n/m/1\t/m/0\n/m/2\t/m/0\n")
    run("ingest", "edges", tmp_path / "o.tsv", "--as", (name := new_id()))
    assert run("path", name, "/m/1", "/1").stdout.startswith("distance: 2.0")
    assert "is called '/m/3'" in run("path", name, "/m/1", "/m/3", code=2).stderr


@pytest.mark.slow("several commands, each a process of its own")
def test_a_name_of_several_cells_is_no_address(run, new_id, tmp_path):
    (tmp_path / "t.nwk").write_text("((a,b)95,(c,d)95)root;")
    run("ingest", "tree", tmp_path / "t.nwk", "--as", (name := new_id()))
    assert "2 cells of" in (told := run("path", name, "a", "95", code=2).stderr)
    assert "'95', at /0, /1; say which by address" in told


def test_what_the_graph_cannot_hold_is_refused_before_anything_is_written(run, new_id, tmp_path):
    nodes = [{"id": number} for number in range(3)] + [{"id": 3, "": 1}]
    edges = [{"source": 0, "target": number} for number in range(1, 4)]
    (tmp_path / "g.json").write_text(json.dumps({"directed": True, "nodes": nodes, "edges": edges}))
    assert "attribute of nodes" in run("ingest", "graph", tmp_path / "g.json", "--as", (name := new_id()), code=2).stderr
    assert "holds no hierarchy" in run("show", name, code=2).stderr


def test_a_cycle_is_refused_and_shown(run, new_id, tmp_path):
    (tmp_path / "o.csv").write_text("child,parent\nb,a\nc,b\nb,c\n")
    done = run("ingest", "edges", tmp_path / "o.csv", "--as", (name := new_id()), code=2)
    assert "'b' -> 'c' -> 'b'" in done.stderr or "'c' -> 'b' -> 'c'" in done.stderr
    assert "holds no hierarchy" in run("show", name, code=2).stderr


def test_whoever_knows_of_the_header_of_embeddings_says_so(run, store, new_id, tmp_path):
    np.save(tmp_path / "Z.npy", linkage([[0.0], [1.0], [9.0]], "average"))
    np.save(tmp_path / "label.npy", [0, 0, 1])
    (tmp_path / "e.csv").write_text("1,2\n3,4\n5,6\n7,8\n")
    words = ["ingest", "linkage", tmp_path / "Z.npy", "--as", (name := new_id())]
    run(*words, "--embeddings", tmp_path / "e.csv", "--embeddings-header", "yes")
    assert store.read(name, depth=0).center.tolist() == [[5, 6]]
    for start in (words, ["compare", name, name], ["evaluate", name, "--labels", tmp_path / "label.npy"]):
        told = run(*start, "--embeddings", tmp_path / "Z.npy", "--embeddings-header", "no", code=2).stderr
        assert "leave --embeddings-header out" in told
        assert "name it with --embeddings" in run(*start, "--embeddings-header", "yes", code=2).stderr


@pytest.mark.slow("several commands, each a process of its own")
def test_evaluate(run, clusters, tmp_path):
    words = ["evaluate", clusters, "--labels", tmp_path / "label.npy", "--embeddings", tmp_path / "points.npy"]
    found = json.loads(run(*words, "--clusters", 3, "--bootstrap", 5, "--format", "json").stdout)
    assert found["dendrogram_purity"] == pytest.approx(1)
    assert found["scores"]["ari"] == pytest.approx(1)
    assert found["cophenetic_correlation"] > 0.8
    assert set(found["intervals"]) == {"dendrogram_purity", "leaf_purity", "nmi", "ari", "accuracy", "fowlkes_mallows"}
    told = run(*words, "--height", 5)
    assert "Dasgupta" in told.stdout
    np.save(tmp_path / "label.npy", np.zeros(7))
    wrong = run("evaluate", clusters, "--labels", tmp_path / "label.npy", code=2)
    assert "expected a label for each of the 30 data points" in wrong.stderr


@pytest.mark.slow("a dozen commands, each a process of its own")
def test_compare_by_name(run, clusters, ontology, new_id, tmp_path):
    words = ["compare", clusters, clusters, "--embeddings", tmp_path / "points.npy"]
    found = json.loads(run(*words, "--format", "json").stdout)
    first, second = found["trees"]["tree_sampling_divergence"]
    assert 0 < first == second <= 1
    assert "tree sampling divergence" in run(*words).stdout
    assert found["trees"]["robinson_foulds"]["distance"] == 0
    assert found["trees"]["triplet"]["distance"] == pytest.approx(0)
    (tmp_path / "p.tsv").write_text(ONTOLOGY.replace("e\tc", "e\tb"))
    run("ingest", "edges", tmp_path / "p.tsv", "--as", (other := new_id()))
    found = json.loads(run("compare", ontology, other, "--format", "json").stdout)
    assert found["edges"] == {"both": 5, "only_first": 1, "only_second": 1}
    assert found["path_distortion"]["max_additive"] > 0
    assert "no names to compare them by" in run("compare", clusters, ontology, code=2).stderr
    for words, told in ((["--pairs", 0], "at least 1"), (["--seed", -1], "at least 0"), (["--seeds", 2], "by address")):
        assert told in run("compare", ontology, other, *words, code=2).stderr


@pytest.mark.slow("several commands, each a process of its own")
def test_what_needs_a_field_says_so(run, ontology):
    for words in (["train", ontology, "--depth", 1, "--as", "x"], ["compare", ontology, ontology, "--by", "address"]):
        assert "was imported" in run(*words, code=2).stderr


@pytest.mark.slow("a dozen commands, each a process of its own")
def test_trees_logits_and_graphs(run, new_id, tmp_path):
    (tmp_path / "t.nwk").write_text("((a:1,b:2)ab:3,(c:1,d:1.5)cd:2)root;")
    run("ingest", "tree", tmp_path / "t.nwk", "--as", (tree := new_id()))
    assert json.loads(run("path", tree, "a", "c", "--format", "json").stdout)["distance"] == 7
    random = np.random.default_rng(0)
    np.save(tmp_path / "l.npy", random.normal(size=(50, 5)))
    (tmp_path / "names.txt").write_text("v\nw\nx\ny\nz\n")
    words = [
        "ingest",
        "logits",
        tmp_path / "l.npy",
        "--names",
        tmp_path / "names.txt",
        "--points",
        "--as",
        (logits := new_id()),
    ]
    run(*words)
    run("verify", logits)
    run("export", logits, "-o", tmp_path / "l.graphml")
    run("ingest", "graph", tmp_path / "l.graphml", "--as", (graph := new_id()))
    assert json.loads(run("compare", logits, graph, "--format", "json").stdout)["edges"]["only_first"] == 0
    run("plot", logits, "--form", "dendrogram", "-o", tmp_path / "l.png")
    assert "line 2, column 1" in run("ingest", "tree", tmp_path / "names.txt", "--as", new_id(), code=2).stderr


@pytest.mark.slow("several commands, each a process of its own")
def test_deep_trees_are_refused_with_what_helps(run, new_id, tmp_path):
    points = 4_500
    Z = np.array([[row + points - 1 if row else 0, row + 1, row + 1.0, row + 2] for row in range(points - 1)])
    np.save(tmp_path / "Z.npy", Z)
    wrong = run("ingest", "linkage", tmp_path / "Z.npy", "--as", new_id(), code=2)
    assert "--condense" in wrong.stderr
    assert "--levels" in wrong.stderr
    run("ingest", "linkage", tmp_path / "Z.npy", "--levels", 5, "--as", new_id())
