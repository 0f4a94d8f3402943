"""Every format that can be lossless, out of a real store and back into it."""

import json

import networkx as nx
import numpy as np
import pyarrow.parquet as pq
import pytest
from pyarrow import csv as arrow_csv
from scipy.cluster.hierarchy import linkage as hierarchy_linkage

from cfgraph.errors import ChangedError, DamagedError, InputError
from cfgraph.files.embeddings import Embeddings
from cfgraph.formats import export_hierarchy, read_gexf, read_graphml, read_node_link, to_arrow, to_networkx, to_pandas
from cfgraph.formats.newick import dag_newick, parse_newick
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.model.dag import Dag
from cfgraph.sources import graph, ifs, linkage, parquet, points, tree
from cfgraph.sources.edges import read_edges
from cfgraph.sources.imported import imported
from cfgraph.store.digest import digest_hierarchy
from cfgraph.store.verify import verify
from cfgraph.transfer.backup import export_csv, export_parquet, ingest_parquet
from cfgraph.transfer.export import export
from tests.grown import grown_hierarchy, ragged_hierarchy

NAMES = ["a", 'b "c", d', "line\nfeed", "ünï\x01code", "'); DROP", "", " blank ", None, "x", "y"]
COLUMNS = {
    "height": np.array([2.5, np.nan, 1.0, 0.0, 0.0, 1e-300, 0.1, 3.0, -0.0, np.nan]),
    "rank": np.array([-1, 3, 0, 7, -1, 1, 2, 3, 4, 5]),
    "kind": np.array(["x", None, "y", "", "z", "x", "x", "x", None, "7"], dtype=object),
    "sure": np.array([True, None, False, True, None, True, True, True, True, True], dtype=object),
    "mixed": np.array([True, 1, "one", None, 1.5, -3, "", "x", False, 0], dtype=object),
    "nothing": np.array([None] * 10, dtype=object),
    "latent": np.vstack([np.linspace(-1.0, 1.0, 27).reshape(9, 3), np.full((1, 3), np.nan)]),
    "parent": np.array(list("abcdefghij"), dtype=object),
    "id": np.array(list("abcdefghij"), dtype=object),
}
EDGES = {"parent": np.array([0, 0, 1, 2, 2, 7, 8, 5, 4]), "child": np.array([1, 2, 3, 3, 4, 8, 9, 6, 9])}


def make_dag(id, *, embeddings=None, **columns):
    """Several roots (0, 5, 7), several parents (3, 9), names and properties of every kind, and data points."""
    known = {"count": 10, **EDGES, "names": NAMES, "columns": COLUMNS, "node_of_point": np.array([3, 9, -1, 3, 6])}
    dag = Dag(**{**known, "notes": ("one", "two"), **columns})
    return imported(dag, id=id, origin="edges", recipe={"file": [1, None]}, embeddings=embeddings, points=True)


def make_tree(id):
    length = np.array([0.1, 2.0, 1e-17, 3.5])
    dag = Dag(5, np.array([0, 0, 1, 1]), np.array([1, 2, 3, 4]), length, "branch", list("rabcd"))
    return imported(dag, id=id, origin="newick", recipe={})


def make_metric_dag(id, **columns):
    names = [*NAMES[:7], "w", *NAMES[8:]]
    embeddings = Embeddings.of(np.random.default_rng(0).normal(size=(10, 3)), names=names)
    return make_dag(id, names=names, embeddings=embeddings, **columns)


def make_points(id):
    return points(id=id, data=np.random.default_rng(0).normal(size=(80, 3)), depth=4, minimum_size=4)


SOURCES = {
    "field": lambda id: ifs(id=id, maps="fern", depth=5),
    "points": make_points,
    "ragged": ragged_hierarchy,
    "dag": make_dag,
    "metric": make_metric_dag,
    "tree": make_tree,
    "root": lambda id: imported(Dag(1, np.zeros(0, int), np.zeros(0, int)), id=id, origin="edges", recipe={}),
}


@pytest.fixture(params=SOURCES)
def stored(request, store, new_id):
    """A hierarchy of each kind, in the store."""
    hierarchy = SOURCES[request.param](new_id(request.param))
    store.write(hierarchy)
    return hierarchy


def assert_same(found, wanted, *, but=("id",)):
    """The same in all that the store has."""
    assert found.model_dump(exclude=set(but)) == wanted.model_dump(exclude=set(but))
    assert digest_hierarchy(found) == digest_hierarchy(wanted)
    for name, column in wanted.cells.take(slice(None)).items():
        np.testing.assert_array_equal(found.cells.take(slice(None))[name], column, err_msg=name)
    assert {name: column.dtype for name, column in found.cells.own.items()} == {
        name: column.dtype for name, column in wanted.cells.own.items()
    }


# -- parquet


def test_parquet_is_the_way_back(store, stored, new_id, tmp_path):
    seen = []
    export_parquet(store, stored.id, tmp_path / "h.parquet", progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(stored.cells), len(stored.cells))
    again = new_id("again")
    ingest_parquet(store, parquet(tmp_path / "h.parquet", id=again))
    assert store.digest(again) == store.digest(stored.id) == digest_hierarchy(stored)
    assert_same(store.read_whole(again), store.read_whole(stored.id))
    report = verify(store, again)
    assert report.clean, report.violations
    export_parquet(store, again, tmp_path / "again.parquet")
    assert pq.read_table(tmp_path / "again.parquet").equals(pq.read_table(tmp_path / "h.parquet"))
    assert parquet(tmp_path / "again.parquet").digest != parquet(tmp_path / "h.parquet").digest  # the id is another
    store.remove(stored.id)
    ingest_parquet(store, parquet(tmp_path / "h.parquet"))
    export_parquet(store, stored.id, tmp_path / "same.parquet")
    assert parquet(tmp_path / "same.parquet").digest == parquet(tmp_path / "h.parquet").digest is not None


def test_parquet_under_its_own_id_is_done_already(store, stored, tmp_path):
    export_parquet(store, stored.id, tmp_path / "h.parquet")
    digest = store.digest(stored.id)
    assert ingest_parquet(store, parquet(tmp_path / "h.parquet")).state == "complete"
    assert store.digest(stored.id) == digest
    store.remove(stored.id)
    assert ingest_parquet(store, parquet(tmp_path / "h.parquet")).id == stored.id
    assert store.digest(stored.id) == digest


def test_parquet_from_memory_is_that_from_the_store(store, stored, tmp_path):
    export_parquet(store, stored.id, tmp_path / "store.parquet")
    export_hierarchy(store.read_whole(stored.id), tmp_path / "memory.parquet")
    one, other = parquet(tmp_path / "store.parquet"), parquet(tmp_path / "memory.parquet")
    assert_same(one.hierarchy, other.hierarchy, but=())
    assert one.digest == other.digest
    assert pq.read_schema(tmp_path / "store.parquet").equals(pq.read_schema(tmp_path / "memory.parquet"))


def test_many_pages_and_row_groups_have_one_digest(store, new_id, monkeypatch, tmp_path):
    """Keys of siblings above 9 among them: by key, 10 comes before 2."""
    star = imported(Dag(150, np.arange(149) // 12, np.arange(1, 150)), id=new_id(), origin="edges", recipe={})
    store.write(star)
    export_hierarchy(store.read_whole(star.id), tmp_path / "memory.parquet")
    monkeypatch.setattr("cfgraph.store.reading.PAGE_CELLS", 7)
    monkeypatch.setattr("cfgraph.formats.parquet.GROUP_ROWS", 20)
    export_parquet(store, star.id, tmp_path / "store.parquet")
    assert pq.read_metadata(tmp_path / "store.parquet").num_row_groups == 8
    assert parquet(tmp_path / "store.parquet").digest == parquet(tmp_path / "memory.parquet").digest


@pytest.fixture
def grown(store, new_id):
    """A copy of a Koch curve's first levels, grown by a predictor; and the predictor."""
    true, copy, rule = new_id("true"), new_id("copy"), new_id("rule")
    store.write(ifs(id=true, maps="koch", depth=4))
    prefix = store.hierarchy(true).with_cells(store.read(true, depth=2))
    store.write_predictor(train(prefix, id=rule, depth=2, family="recurrence"))
    rollout(store, true, predictor=rule, from_depth=2, copy_as=copy, stop=Stop(cells=700))
    return true, copy, rule


def test_predicted_cells_come_with_what_grew_them(store, grown, new_id, tmp_path):
    true, copy, rule = grown
    export_parquet(store, copy, tmp_path / "h.parquet")
    digest, predictor, growths = store.digest(copy), store.predictor(rule), store.growers(copy)
    store.remove(copy)
    store.remove(rule)
    backup = parquet(tmp_path / "h.parquet")
    ingest_parquet(store, backup)
    assert store.digest(copy) == digest
    assert store.predictor(rule).model_copy(update={"incarnation": predictor.incarnation}) == predictor
    assert [properties for _, properties in store.growers(copy)] == [properties for _, properties in growths]
    assert store.grown_by(copy).truth == true
    _, rows = store.query("MATCH (:Predictor {id: $id})-[t:TRAINED_ON]->(h) RETURN h.id, t.depth", {"id": rule})
    assert rows == [[true, 2]]
    report = verify(store, copy)
    assert report.clean, report.violations
    with pytest.raises(InputError, match="that of the predictor that grew it"):
        ingest_parquet(store, parquet(tmp_path / "h.parquet", id=rule))
    assert rollout(store, copy, predictor=rule, stop=Stop(depth=6)).grown > 0
    assert verify(store, copy).clean
    with pytest.raises(InputError, match="same recipe with other cells"):
        ingest_parquet(store, backup)
    with pytest.raises(InputError, match="predicted cells"):
        export_hierarchy(store.read_whole(copy), tmp_path / "memory.parquet")


def test_predicted_cells_come_back_with_the_same_digest(store, grown, tmp_path):
    _, copy, rule = grown
    export_parquet(store, copy, tmp_path / "h.parquet")
    store.remove(copy)
    store.remove(rule)
    ingest_parquet(store, parquet(tmp_path / "h.parquet"))
    export_parquet(store, copy, tmp_path / "again.parquet")
    assert parquet(tmp_path / "again.parquet").digest == parquet(tmp_path / "h.parquet").digest


def edited(path, change):
    """The file with other metadata."""
    metadata = json.loads(pq.read_metadata(path).metadata[b"cfgraph"])
    change(metadata)
    pq.write_table(pq.read_table(path).replace_schema_metadata({"cfgraph": json.dumps(metadata)}), path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda told: told.update(growers=[]), "neither growers nor former_predictors"),
        (lambda told: told["growers"][0]["predictor"].update(weights=""), "was changed since it was exported"),
        (lambda told: told["growers"][0]["predictor"].update(seed=99), "was changed since it was exported"),
        (lambda told: told["growers"][0]["growths"].clear(), "was changed since it was exported"),
        (lambda told: told.update(predicts=None), "was changed since it was exported"),
    ],
)
def test_what_grew_it_cannot_be_edited(store, grown, tmp_path, change, told):
    export_parquet(store, grown[1], tmp_path / "h.parquet")
    edited(tmp_path / "h.parquet", change)
    with pytest.raises(InputError, match=told):
        parquet(tmp_path / "h.parquet")


def test_a_predictor_that_is_none_is_refused_in_one_line(store, grown, new_id, tmp_path):
    _, copy, _ = grown

    def change(told):
        del told["digest"], told["growers"][0]["predictor"]["family"]
        told["growers"][0]["predictor"].update(depth="deep")

    export_parquet(store, copy, tmp_path / "h.parquet")
    edited(tmp_path / "h.parquet", change)
    with pytest.raises(InputError, match="a predictor in it is none: it lacks 'family'; depth: Input should be") as error:
        ingest_parquet(store, parquet(tmp_path / "h.parquet", id=new_id()))
    assert "\n" not in str(error.value)


def test_cells_predicted_outside_the_store_come_back(store, new_id, tmp_path):
    """As estimators grow them: no predictor of the store's did, and the digest vouches that it was so."""
    hierarchy = grown_hierarchy(new_id())
    cells = hierarchy.cells.with_columns(predicted=hierarchy.cells.level > 2)
    store.write(hierarchy.replace(cells=cells, origin="rollout"))
    export_parquet(store, hierarchy.id, tmp_path / "h.parquet")
    assert parquet(tmp_path / "h.parquet").hierarchy.cells.predicted.any()
    edited(tmp_path / "h.parquet", lambda told: told.pop("digest"))
    with pytest.raises(InputError, match="neither growers nor former_predictors"):
        parquet(tmp_path / "h.parquet")


def test_a_former_predictor_is_told(store, grown, new_id, tmp_path):
    _, copy, rule = grown
    store.remove(rule)
    export_parquet(store, copy, tmp_path / "h.parquet")
    again = new_id("again")
    ingest_parquet(store, parquet(tmp_path / "h.parquet", id=again))
    assert store.hierarchy(again).former_predictors == (rule,)
    assert verify(store, again).clean


def test_a_taken_predictor_is_refused_before_anything_is_written(store, grown, new_id, tmp_path):
    _, copy, rule = grown
    export_parquet(store, copy, tmp_path / "h.parquet")
    store.remove(rule)
    store.write(grown_hierarchy(rule))
    again = new_id("again")
    with pytest.raises(InputError, match="is taken by a hierarchy"):
        ingest_parquet(store, parquet(tmp_path / "h.parquet", id=again))
    assert again not in [hierarchy.id for hierarchy in store.hierarchies()]


def test_an_interrupted_ingest_goes_on(store, new_id, tmp_path):
    hierarchy = ifs(id=new_id("it"), maps="koch", depth=6)
    export_hierarchy(hierarchy, tmp_path / "h.parquet")

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest_parquet(store, parquet(tmp_path / "h.parquet"), progress=stop)
    assert store.hierarchy(hierarchy.id).state == "writing"
    ingest_parquet(store, parquet(tmp_path / "h.parquet"))
    assert store.digest(hierarchy.id) == digest_hierarchy(hierarchy)


@pytest.mark.parametrize("write", [export_parquet, export_csv])
def test_what_is_not_complete_is_refused(store, new_id, tmp_path, write):
    hierarchy = ifs(id=new_id(), maps="koch", depth=2)
    store.write(hierarchy, then="growing")
    with pytest.raises(InputError, match="in state 'growing'"):
        write(store, hierarchy.id, tmp_path / "h.csv")
    assert list(tmp_path.iterdir()) == []


# -- graphs


@pytest.mark.parametrize(("name", "read"), [("h.graphml", read_graphml), ("h.gexf", read_gexf), ("h.json", read_node_link)])
def test_graph_formats_hold_what_networkx_does(store, stored, tmp_path, monkeypatch, name, read):
    """From memory and, page by page, from the store, in any order of nodes."""
    whole = store.read_whole(stored.id)
    export_hierarchy(whole, tmp_path / name)
    monkeypatch.setattr("cfgraph.store.reading.PAGE_CELLS", 7)
    export(store, stored.id, output=tmp_path / f"paged-{name}")
    paged, again = read(tmp_path / f"paged-{name}"), read(tmp_path / name)
    assert list(paged) == sorted(again, key=lambda address: address.encode())
    assert paged.graph == again.graph
    assert nx.utils.graphs_equal(paged, again)
    expected, again = to_networkx(whole.cells, hierarchy=whole), read(tmp_path / name)
    assert again.graph == expected.graph
    assert list(again) == list(expected)
    assert dict(again.nodes(data=True)) == dict(expected.nodes(data=True))
    found = {(parent, child): values for parent, child, values in again.edges(data=True)}
    assert found == {(parent, child): values for parent, child, values in expected.edges(data=True)}
    for node, values in again.nodes(data=True):
        wanted = expected.nodes[node]
        assert {key: type(value) for key, value in values.items()} == {key: type(value) for key, value in wanted.items()}


@pytest.mark.parametrize("name", ["h.graphml", "h.gexf", "h.json", "h.csv", "h.parquet"])
def test_a_file_of_a_hierarchy_that_changes_meanwhile_is_not_written(store, new_id, tmp_path, name):
    hierarchy = ifs(id=new_id(), maps="koch", depth=4)
    store.write(hierarchy)

    def remove(done, total):
        store.query("MATCH (c:Cell {key: $key}) DETACH DELETE c", {"key": f"{hierarchy.id}/3/3/3/3"}, write=True)
        store.set_state(hierarchy.id, state="growing", expected=("complete", "growing"))

    with pytest.raises(ChangedError, match="changed while it was read"):
        export(store, hierarchy.id, output=tmp_path / name, progress=remove)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["h.graphml", "h.gexf", "h.json"])
def test_a_cell_without_its_parent_is_told(store, new_id, tmp_path, name):
    hierarchy = ifs(id=new_id(), maps="koch", depth=2)
    store.write(hierarchy)
    store.query("MATCH (:Cell)-[e:CHILD]->(c:Cell {key: $key}) DELETE e", {"key": f"{hierarchy.id}/3/3"}, write=True)
    with pytest.raises(DamagedError, match=r"cell /3/3 has 0 primary parents.*verify"):
        export(store, hierarchy.id, output=tmp_path / name)
    store.query("MATCH (c:Cell) WHERE c.key STARTS WITH $key DETACH DELETE c", {"key": f"{hierarchy.id}/"}, write=True)
    with pytest.raises(DamagedError, match="has no cells, not even a root"):
        export(store, hierarchy.id, output=tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["h.graphml", "h.gexf", "h.json"])
@pytest.mark.parametrize("kind", ["dag", "tree", "root", "linkage"])
def test_a_graph_comes_back_by_ingest_graph(store, new_id, tmp_path, name, kind):
    stored = {**SOURCES, "linkage": make_linkage}[kind](new_id(kind))
    store.write(stored)
    export(store, stored.id, output=tmp_path / name)
    again = graph(id=new_id("again"), data=tmp_path / name, points=stored.point_nodes)
    store.write(again)
    assert store.digest(again.id) == store.digest(stored.id)
    same = {"dimension", "lengths", "virtual_root", "links", "own", "points", "point_nodes", "notes"}
    assert store.hierarchy(again.id).model_dump(include=same) == stored.model_dump(include=same)
    assert verify(store, again.id).clean


def make_linkage(id, *, method="average"):
    Z = hierarchy_linkage(np.random.default_rng(1).normal(size=(40, 3)), method)
    return linkage(id=id, data=Z)


@pytest.mark.parametrize("method", ["single", "average", "centroid"])
def test_linkage_comes_back(store, new_id, tmp_path, method):
    stored = make_linkage(new_id(), method=method)
    store.write(stored)
    whole = store.read_whole(stored.id)
    Z = hierarchy_linkage(np.random.default_rng(1).normal(size=(40, 3)), method)
    export_hierarchy(whole, tmp_path / "h.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "h.npy"), Z)
    export_hierarchy(whole, tmp_path / "h.csv", format="linkage")
    for file in ("h.npy", "h.csv"):
        again = linkage(id=new_id(file), data=tmp_path / file)
        store.write(again)
        assert store.digest(again.id) == store.digest(stored.id)


@pytest.mark.parametrize(
    "text",
    [
        "((a:1,b:2e-17)inner:0.5,'c '' d':3)'':7;",
        "(,(,,),);",
        "(a:1,b,(c,d:0)x:2);",
        "lone;",
        "(a:1,b):7;",
        "((a,b)0.9,(c,d)0.9);",
    ],
)
def test_newick_comes_back(store, new_id, tmp_path, text):
    (tmp_path / "in.nwk").write_text(text)
    stored = tree(id=new_id(), data=tmp_path / "in.nwk")
    store.write(stored)
    export_hierarchy(store.read_whole(stored.id), tmp_path / "out.nwk")
    wanted, found = parse_newick(text), parse_newick((tmp_path / "out.nwk").read_text())
    assert "".join(dag_newick(found)) == "".join(dag_newick(wanted))
    again = tree(id=new_id("again"), data=tmp_path / "out.nwk")
    store.write(again)
    assert store.digest(again.id) == store.digest(stored.id)


def test_newick_of_a_field_has_addresses_for_names(store, new_id, tmp_path):
    hierarchy = ifs(id=new_id(), maps="koch", depth=1)
    export_hierarchy(hierarchy, tmp_path / "h.nwk")
    dag = parse_newick((tmp_path / "h.nwk").read_text())
    assert dag.names == hierarchy.cells.addresses
    np.testing.assert_array_equal(dag.length, hierarchy.cells.length[1:])


def test_what_a_format_cannot_hold_is_refused(new_id, tmp_path):
    several = make_dag(new_id())
    roots = imported(Dag(3, np.array([0]), np.array([1])), id="roots", origin="edges", recipe={})
    for name in ("h.nwk", "h.npy"):
        with pytest.raises(InputError, match=r"2 of the 11 cells .* have several parents; graphml, gexf"):
            export_hierarchy(several, tmp_path / name)
        with pytest.raises(InputError, match=r"one root, and 'roots' has 2; graphml"):
            export_hierarchy(roots, tmp_path / name)
    with pytest.raises(InputError, match="no property height; newick, graphml"):
        export_hierarchy(make_tree("tree"), tmp_path / "h.npy")
    with pytest.raises(InputError, match=r"two children or none"):
        export_hierarchy(
            imported(
                Dag(4, np.zeros(3, int), np.arange(1, 4), columns={"height": np.array([1.0, 0, 0, 0])}),
                id="three",
                origin="edges",
                recipe={},
            ),
            tmp_path / "h.npy",
        )
    assert list(tmp_path.iterdir()) == []


def test_edges_come_back(store, new_id, tmp_path):
    """By the addresses as names, since names need not tell nodes apart in general."""
    stored = make_dag(new_id())
    store.write(stored)
    export_csv(store, stored.id, tmp_path / "h")
    (tmp_path / "h" / "cells.csv").unlink()  # which has the names
    dag = read_edges(tmp_path / "h" / "edges.csv")
    found = {(dag.names[parent], dag.names[child]) for parent, child in zip(dag.parent, dag.child, strict=True)}
    _, edges = to_arrow(stored)
    assert found == set(zip(edges.column("parent").to_pylist(), edges.column("child").to_pylist(), strict=True))


# -- tables


def test_csv_and_tables(store, stored, tmp_path):
    whole = store.read_whole(stored.id)
    cells, edges = to_arrow(whole)
    assert cells.column("address").to_pylist() == whole.cells.addresses
    assert len(edges) == len(whole.cells) - 1 + whole.links
    several = whole.links > 0 or whole.point_nodes
    if several:
        with pytest.raises(InputError, match=r"one CSV file .* cannot hold; `--format csv -o "):
            export_csv(store, stored.id, tmp_path / "h.csv")
        assert list(tmp_path.iterdir()) == []
    place = tmp_path / ("h" if several else "h.csv")
    export_csv(store, stored.id, place)
    text = arrow_csv.ParseOptions(newlines_in_values=True)
    kept = arrow_csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    found = arrow_csv.read_csv(place / "cells.csv" if several else place, parse_options=text, convert_options=kept)
    rows = {row["address"]: row for row in found.to_pylist()}
    assert len(rows) == len(whole.cells)
    for address, row in zip(whole.cells.addresses, cells.to_pylist(), strict=True):
        for name in ("parent", "slot", "scale", "length", "radius", "size", "state", *whole.own):
            if name in row and name not in ("mixed", "parent", "latent"):
                assert rows[address][name] == row[name]
        if "latent" in row:
            assert [rows[address][f"latent_{axis}"] for axis in range(3)] == (row["latent"] or [None] * 3)
        assert [rows[address][f"center_{axis}"] for axis in range(whole.dimension)] == row.get("center", [])
    if several:
        found = arrow_csv.read_csv(place / "edges.csv").to_pylist()
        assert sorted((row["parent"], row["child"], row["slot"], row["primary"]) for row in found) == sorted(
            zip(*(edges.column(name).to_pylist() for name in ("parent", "child", "slot", "primary")), strict=True)
        )
        assert json.loads((place / "hierarchy.json").read_text())["id"] == stored.id
        pairs = arrow_csv.read_csv(place / "points.csv").to_pylist()
        placed = {row["row"]: row["cell"] for row in pairs}
        assert placed == {
            row: whole.cells.addresses[cell] for row, cell in enumerate(whole.cell_of_point.tolist()) if cell >= 0
        }


def test_pandas(store, stored):
    whole = store.read_whole(stored.id)
    cells, edges = to_pandas(whole)
    assert cells.index.tolist() == whole.cells.addresses
    for axis in range(whole.dimension):
        np.testing.assert_array_equal(cells[f"center_{axis}"], whole.cells.center[:, axis])
        np.testing.assert_array_equal(cells[f"residual_{axis}"], whole.cells.residual[:, axis])
    assert cells["slot"].isna().sum() == 1
    assert len(edges) == len(whole.cells) - 1 + whole.links
    assert "points" in cells if whole.point_nodes else "points" not in cells
    with pytest.raises(InputError, match="holds no cells"):
        to_pandas(store.hierarchy(stored.id))
    if whole.point_nodes:
        assert sorted(row for rows in cells["points"] for row in rows) == np.flatnonzero(whole.cell_of_point >= 0).tolist()
        with pytest.raises(InputError, match="holds no points"):
            to_arrow(store.hierarchy(stored.id).with_cells(whole.cells))


def test_a_property_called_like_a_cells_own(new_id):
    """Own properties that are called like a cell's get an underscore."""
    hierarchy = make_dag(new_id(), columns={"state": np.array(list("abcdefghij"), dtype=object)})
    exported = to_networkx(hierarchy.cells)
    assert {values["state"] for values in exported.nodes.values()} == {"Expanded", "Leaf"}
    assert sorted(values["state_"] for values in exported.nodes.values() if "state_" in values) == list("abcdefghij")
    cells, _ = to_arrow(hierarchy)
    assert sorted(filter(None, cells.column("own.state").to_pylist())) == list("abcdefghij")


def test_what_is_held_in_memory_is_told_first(store, new_id, tmp_path, monkeypatch):
    hierarchy = ifs(id=new_id("held"), maps="koch", depth=3)
    store.write(hierarchy)
    said = []

    def told(name, **options):
        said.clear()
        export(store, hierarchy.id, output=tmp_path / name, say=said.append, **options)
        return list(said)

    assert told("few.nwk") == told("few.dot", depth=3) == []
    monkeypatch.setattr("cfgraph.transfer.export.TOLD_CELLS", 85)
    (line,) = told("all.nwk")
    assert line.startswith(
        "newick holds the whole hierarchy in memory, up to 85 cells and about 0.0 GB; parquet, csv, graphml, "
    )
    (line,) = told("prefix.dot", depth=3)
    assert line.startswith("an export with --depth holds its cells in memory, up to 85 cells")
    assert told("less.dot", depth=2) == told("all.dot") == told("all.parquet") == []
