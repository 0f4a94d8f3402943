"""``cfgraph export`` as a process of its own, on the tests' server."""

import json

import networkx as nx
import numpy as np
import pytest
from scipy.cluster.hierarchy import is_valid_linkage, linkage

from cfgraph.formats import read_graphml, read_node_link, to_networkx
from cfgraph.learning.train import train
from cfgraph.sources import ifs
from tests.grown import grown_hierarchy


@pytest.fixture
def stored(store, new_id):
    """A hierarchy in the store, with its cells."""
    hierarchy = grown_hierarchy(new_id())
    store.write(hierarchy)
    return hierarchy


@pytest.mark.parametrize(("name", "read"), [("h.graphml", read_graphml), ("h.json", read_node_link)])
def test_export_is_the_hierarchy(run, store, stored, tmp_path, name, read):
    done = run("export", stored.id, "-o", tmp_path / name)
    assert (done.stdout, done.stderr) == ("", f"wrote {tmp_path / name}\n")
    graph, expected = read(tmp_path / name), to_networkx(stored)
    assert nx.utils.graphs_equal(nx.DiGraph(graph.edges(data=True)), nx.DiGraph(expected.edges(data=True)))
    assert dict(graph.nodes(data=True)) == dict(expected.nodes(data=True))
    assert graph.graph["id"] == stored.id
    assert graph.graph["recipe"] == stored.recipe


def test_export_depth_and_format(run, stored, tmp_path):
    run("export", stored.id, "--depth", 1, "--format", "node-link", "-o", tmp_path / "levels")
    graph = read_node_link(tmp_path / "levels")
    assert list(graph) == stored.cells.prefix(1).addresses


@pytest.mark.slow("several commands, each a process of its own")
def test_path_is_networkx_shortest_path_on_the_export(run, store, stored, tmp_path):
    run("export", stored.id, "-o", tmp_path / "h.json")
    graph = nx.node_link_graph(json.loads((tmp_path / "h.json").read_text()), edges="edges").to_undirected()
    rng = np.random.default_rng(0)
    for first, second in rng.choice(stored.cells.addresses, (3, 2)):
        out = json.loads(run("path", stored.id, first, second, "--format", "json").stdout)
        expected = nx.shortest_path_length(graph, first, second, weight="weight")
        assert out["distance"] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.slow("several commands, each a process of its own")
def test_export_of_a_predictor_is_the_system_that_it_learned(run, store, new_id, tmp_path):
    """Levy's curve from three levels, written as maps, ingested again: the same cells."""
    true, rule, again = new_id("true"), new_id("rule"), new_id("again")
    store.write(ifs(id=true, maps="levy", depth=5))
    prefix = store.hierarchy(true).with_cells(store.read(true, depth=3))
    store.write_predictor(train(prefix, id=rule, depth=3, family="recurrence"))
    for words in (["-o", tmp_path / "maps.json"], ["-o", tmp_path / "maps", "--format", "maps"]):
        run("export", rule, *words)
    assert (tmp_path / "maps.json").read_bytes() == (tmp_path / "maps").read_bytes()
    run("ingest", "ifs", tmp_path / "maps.json", "--depth", 5, "--as", again)
    np.testing.assert_allclose(store.read(again).center, store.read(true).center, rtol=0, atol=1e-12)
    for words in (["--format", "graphml"], ["--depth", "2"]):
        assert "is a predictor" in run("export", rule, "-o", tmp_path / "no.json", *words, code=2).stderr
    assert not (tmp_path / "no.json").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-o", "missing/h.json"], "there is no folder"),
        (["-o", "h.gml"], "expected a file that ends in .graphml, .gexf, .json"),
        (["-o", "h", "--format", "gml"], "got format 'gml'"),
        (["-o", "h.parquet", "--depth", "1"], "--depth is for the other formats"),
        (["-o", "missing/h.parquet"], "there is no folder"),
        (["-o", "missing/h", "--format", "csv"], "there is no folder"),
        (["-o", "h.npy"], "have no property height"),
        (["-o", "h.json", "--format", "maps"], "is a hierarchy"),
        (["-o", "h.json", "--depth", "-1"], "--depth"),
        ([], "--output"),
    ],
)
def test_export_refuses(run, stored, tmp_path, words, told):
    done = run("export", stored.id, *words, code=2, cwd=tmp_path)
    assert done.stdout == ""
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow("a command for every suffix, each a process of its own")
@pytest.mark.parametrize("words", [[], ["--depth", "2"]])
@pytest.mark.parametrize("name", ["h.graphml", "h.gexf", "h.json", "h.dot", "h.gv", "h.nwk", "h.tre", "h.csv", "h.parquet"])
def test_every_format_by_its_suffix(run, stored, tmp_path, name, words):
    if name == "h.parquet" and words:
        return
    done = run("export", stored.id, "-o", tmp_path / name, *words)
    assert (done.stdout, done.stderr) == ("", f"wrote {tmp_path / name}\n")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    cells = len(stored.cells.prefix(2) if words else stored.cells)
    count = {
        "csv": lambda text: text.count("\n") - 1,
        "dot": lambda text: text.count("->") + 1,
        "nwk": lambda text: text.count(":") + 1,
    }
    count |= {"gv": count["dot"], "tre": count["nwk"]}
    if (suffix := name.partition(".")[2]) in count:
        assert count[suffix]((tmp_path / name).read_text()) == cells


def test_a_folder_of_csv(run, stored, tmp_path):
    run("export", stored.id, "-o", tmp_path / "out", "--format", "csv")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["cells.csv", "edges.csv", "hierarchy.json"]
    done = run("export", stored.id, "-o", tmp_path / "out", "--format", "csv", code=2)
    assert "is not empty" in done.stderr


@pytest.mark.slow("several commands, each a process of its own")
def test_parquet_and_back(run, store, stored, new_id, tmp_path):
    again = new_id("again")
    run("export", stored.id, "-o", tmp_path / "h.parquet")
    done = run("ingest", "parquet", tmp_path / "h.parquet", "--as", again)
    assert done.stdout == f"{again}: {len(stored.cells)} cells, depth 4, dimension 2\n"
    assert store.digest(again) == store.digest(stored.id)
    assert run("ingest", "parquet", tmp_path / "h.parquet").stdout.startswith(f"{stored.id}: ")  # there already
    (tmp_path / "h.parquet").write_bytes((tmp_path / "h.parquet").read_bytes()[:-9])
    done = run("ingest", "parquet", tmp_path / "h.parquet", "--as", new_id("no"), code=2)
    assert "is no whole Parquet file" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_export_of_what_is_not_there(run, tmp_path):
    done = run("export", "nobody", "-o", tmp_path / "h.json", code=2)
    assert "there is no hierarchy and no predictor 'nobody'" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["-", "/dev/stdout", "/dev/fd/1"])
def test_export_to_what_is_open_is_written_where_it_stands(run, stored, tmp_path, place):
    with (tmp_path / "all.dot").open("wb") as file:
        file.write(b"// before\n")
        file.flush()
        run("export", stored.id, "--depth", 1, "--format", "dot", "-o", place, stdout=file)
        file.write(b"// after\n")
    lines = (tmp_path / "all.dot").read_text().splitlines()
    assert (lines[0], lines[-1]) == ("// before", "// after")
    assert lines[1].startswith("digraph")


def test_places_that_cannot_be_written(run, stored, tmp_path):
    (tmp_path / "file").write_text("kept")
    told = run("export", stored.id, "-o", tmp_path / "file" / "h.json", code=2).stderr
    assert "is a file" in told
    assert "free some space" not in told
    told = run("--log-format", "json", "export", stored.id, "-o", tmp_path / "none" / "h.json", code=2).stderr
    assert "make it first" in json.loads(told)["message"]


@pytest.mark.slow("several commands, each a process of its own")
def test_the_upper_levels_of_a_linkage_are_one(run, new_id, tmp_path):
    Z = linkage(np.random.default_rng(0).normal(size=(9, 2)), "ward")
    np.save(tmp_path / "Z.npy", Z)
    run("ingest", "linkage", tmp_path / "Z.npy", "--as", (name := new_id()))
    run("export", name, "-o", tmp_path / "whole.npy")
    assert np.array_equal(np.load(tmp_path / "whole.npy"), Z)
    run("export", name, "--depth", 2, "-o", tmp_path / "top.npy")
    top = np.load(tmp_path / "top.npy")
    assert is_valid_linkage(top)
    assert np.array_equal(top[:, 2], Z[-len(top) :, 2])
