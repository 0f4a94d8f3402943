"""Columns of a source's own: a scalar and a vector, a line each, found wherever the cells of a hierarchy go."""

import json

import networkx as nx
import numpy as np
import pytest
from pyarrow import csv as arrow_csv

from cfgraph.errors import DamagedError, InputError
from cfgraph.files.embeddings import Embeddings
from cfgraph.formats import to_arrow, to_networkx, to_pandas
from cfgraph.model.dag import Dag
from cfgraph.model.invariants import check_sound
from cfgraph.sources import graph, parquet
from cfgraph.sources.imported import imported
from cfgraph.store import reading
from cfgraph.store.digest import digest_hierarchy
from cfgraph.store.verify import verify
from cfgraph.transfer.export import export

PARENT, CHILD = np.array([0, 0, 1, 1, 1]), np.array([1, 2, 3, 4, 5])
COLUMNS = {
    "weight": np.array([1.5, -2.0, np.nan, 0.1, 1e-300, 7.0]),
    "latent": np.array([[0.1, 2.0, -3.0]] * 4 + [[np.nan] * 3] + [[1e300, 0.0, 1 / 3]]),
}
KINDS = {"latent": "FLOAT[3]", "weight": "FLOAT"}
WEIGHT = [1.5, -2.0, None, 0.1, 1e-300, 7.0]
LATENT = [[0.1, 2.0, -3.0]] * 4 + [None, [1e300, 0.0, 1 / 3]]
BY_KEY = [0, 1, 3, 4, 5, 2]  # the same nodes in the order of their keys


def make(id="columns", **changes):
    """A tree of six nodes with two columns of its own."""
    return imported(Dag(6, PARENT, CHILD, columns=COLUMNS | changes), id=id, origin="edges")


@pytest.fixture
def written(store, new_id):
    hierarchy = make(new_id("columns"))
    store.write(hierarchy)
    return hierarchy


def same(cells, others):
    return all(np.array_equal(cells.own[name], others.own[name], equal_nan=True) for name in KINDS)


# -- in the graph


def test_the_graph_holds_them_as_properties(store, written):
    told = "MATCH (cell:Cell {hierarchy: $id}) RETURN cell.weight AS weight, cell.latent AS latent ORDER BY cell.key"
    _, rows = store.query(told, {"id": written.id})
    assert rows == [[WEIGHT[node], LATENT[node]] for node in BY_KEY]


def test_they_are_read_back(store, written):
    found = store.read_whole(written.id)
    assert found.own_kinds == KINDS == written.own_kinds
    assert same(found.cells, written.cells)
    assert same(store.read_whole(written.id, depth=1).cells, written.cells.prefix(1))
    assert store.digest(written.id) == digest_hierarchy(written) == digest_hierarchy(found)


COLUMNS_BY_PAGE = {  # of six nodes: kinds that pages do not share, and pages that know nothing
    "whole": np.array([0, 1, 2, 3, 4, 5]),
    "few": np.array([-1, -1, -1, -1, -1, 5]),
    "below": np.array([-2, 1, 2, 3, 4, 5]),
    "late": np.array([np.nan, np.nan, np.nan, np.nan, 0.5, 2.0]),
    "mixed": np.array([1, 2, None, None, 0.5, 3], dtype=object),
    "text": np.array([None, None, "b", "", "d", "1"], dtype=object),
    "truth": np.array([None, None, True, False, None, None], dtype=object),
    "any": np.array([1, "two", 3.5, True, None, -1], dtype=object),
    "lists": np.array([[1], [2, 3], None, [], [4, 5, 6], [7]], dtype=object),
    "vector": np.array([[np.nan] * 2] * 4 + [[0.0, 1.0], [1e300, -0.0]]),
}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_pages_of_any_size_give_the_same_columns(store, new_id, size, monkeypatch):
    hierarchy = make(new_id("columns"), **COLUMNS_BY_PAGE)
    store.write(hierarchy)
    whole, digest = store.read_whole(hierarchy.id), store.digest(hierarchy.id)
    monkeypatch.setattr(reading, "PAGE_CELLS", size)
    monkeypatch.setattr(reading, "PAGE_PARENTS", size)
    for found in (store.read_whole(hierarchy.id), store.read_whole(hierarchy.id, depth=2)):
        assert found.cells.addresses == whole.cells.addresses
        for name, column in whole.cells.own.items():
            again = found.cells.own[name]
            assert (again.dtype, repr(again.tolist())) == (column.dtype, repr(column.tolist())), name
    assert store.digest(hierarchy.id) == digest == digest_hierarchy(whole)


def test_pages_hold_them(store, written):
    (page,) = store.import_pages(written.id)
    assert page["own"] == [[LATENT[node], WEIGHT[node]] for node in BY_KEY]


@pytest.mark.parametrize("name", KINDS)
def test_the_digest_hears_of_each_number(name):
    column = COLUMNS[name].copy()
    column[-1] += column[-1] / 2
    assert digest_hierarchy(make(**{name: column})) != digest_hierarchy(make())


@pytest.mark.parametrize(
    "damage",
    [
        "cell.latent = [1.0, 2.0]",
        "cell.latent = 1.0",
        "cell.latent = [1, 2, 3]",
        "cell.latent = [0.0 / 0.0, 1.0, 2.0]",
        "cell.weight = 'seven'",
        "cell.weight = [7.0]",
    ],
)
def test_verify_names_what_is_of_another_kind(store, written, damage):
    assert verify(store, written.id).clean
    store.query(f"MATCH (cell:Cell {{key: $key}}) SET {damage}", {"key": f"{written.id}/1"}, write=True)
    name = damage[5:11]
    (violation,) = verify(store, written.id).violations
    assert (violation.invariant, violation.place) == ("property", "/1")
    assert f"{name} is not of the kind {KINDS[name]}" in violation.detail


def test_a_damaged_vector_is_not_read(store, written):
    store.query("MATCH (cell:Cell {key: $key}) SET cell.latent = [1.0]", {"key": f"{written.id}/1"}, write=True)
    with pytest.raises(DamagedError, match=r"latent of some cells.*`cfgraph verify"):
        store.read_whole(written.id)


# -- in files


def test_parquet_and_back(store, written, tmp_path):
    for number, write in enumerate([lambda p: export(store, written.id, output=p), lambda p: export(written, output=p)]):
        write(tmp_path / f"{number}.parquet")
        found = parquet(tmp_path / f"{number}.parquet", id="back").hierarchy
        assert same(found.cells, written.cells)
        assert digest_hierarchy(found) == digest_hierarchy(written)


@pytest.mark.parametrize("suffix", ["graphml", "gexf", "json"])
def test_graph_formats_and_back(store, written, tmp_path, suffix):
    for number, write in enumerate([lambda p: export(store, written.id, output=p), lambda p: export(written, output=p)]):
        write(tmp_path / f"{number}.{suffix}")
        found = graph(data=tmp_path / f"{number}.{suffix}", id="back")
        assert same(found.cells, written.cells)
        assert digest_hierarchy(found) == digest_hierarchy(written)


def test_csv_spreads_the_vector(store, written, tmp_path):
    export(store, written.id, output=tmp_path / "cells.csv")
    table = arrow_csv.read_csv(tmp_path / "cells.csv").sort_by("address")
    assert table.column("weight").to_pylist() == [WEIGHT[node] for node in BY_KEY]
    columns = [table.column(f"latent_{axis}").to_pylist() for axis in range(3)]
    assert list(zip(*columns, strict=True)) == [tuple(LATENT[node] or [None] * 3) for node in BY_KEY]


def test_tables_and_graphs_in_memory():
    hierarchy = make()
    cells = to_arrow(hierarchy)[0]
    assert (cells.column("weight").to_pylist(), cells.column("latent").to_pylist()) == (WEIGHT, LATENT)
    assert to_pandas(hierarchy)[0]["latent_1"].tolist()[:2] == [2.0, 2.0]
    nodes = to_networkx(hierarchy).nodes
    assert [nodes[address].get("latent") for address in hierarchy.cells.addresses] == LATENT


def test_neo4j_admin_has_a_column_of_lists(store, written, tmp_path):
    export(store, written.id, output=tmp_path / "bulk", format="neo4j-admin")
    assert "latent:double[],weight:double" in (tmp_path / "bulk" / "cells-header.csv").read_text()
    rows = "".join(path.read_text() for path in (tmp_path / "bulk").glob("*.csv"))
    assert "0.1;2.0;-3.0" in rows or "0.1;2;-3" in rows


def test_the_description_is_json():
    told = make().without_cells().model_dump(mode="json")
    assert json.loads(json.dumps(told))["own_kinds"] == KINDS


# -- on the way in


def test_a_virtual_root_has_none():
    hierarchy = imported(Dag(6, PARENT[2:], CHILD[2:], columns=COLUMNS), id="forest", origin="edges")
    assert np.isnan(hierarchy.cells.own["latent"][0]).all()
    check_sound(hierarchy, grown=False)


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (np.zeros((5, 3)), r"for each of 6 nodes, got an array of shape \(5, 3\)"),
        (np.zeros((6, 0)), r"got an array of shape \(6, 0\)"),
        (np.zeros((6, 2, 2)), r"got an array of shape \(6, 2, 2\)"),
        (np.full((6, 2), "x"), "got vectors of <U1"),
        (np.array([[1.0, np.nan]] * 6), r"got \[1.0, nan\] for node 0"),
        (np.array([[1.0, 2.0]] * 5 + [[np.inf, 0.0]]), r"got \[inf, 0.0\] for node 5"),
    ],
)
def test_what_is_no_column_is_refused(column, told):
    with pytest.raises(InputError, match=told):
        make(latent=column)


def test_vectors_of_whole_numbers_are_vectors(store, new_id):
    hierarchy = make(new_id("columns"), latent=np.arange(12).reshape(6, 2))
    store.write(hierarchy)
    assert store.read_whole(hierarchy.id).cells.own["latent"].tolist() == np.arange(12.0).reshape(6, 2).tolist()
    assert store.digest(hierarchy.id) == digest_hierarchy(hierarchy)
    assert verify(store, hierarchy.id).clean


def test_cells_with_other_vectors_do_not_fit():
    hierarchy = make()
    with pytest.raises(InputError, match=r"vectors of 3 numbers as 'latent', its cells have 2"):
        hierarchy.with_cells(hierarchy.cells.with_columns(own={"latent": np.zeros((6, 2))}))


@pytest.mark.parametrize("kind", ["FLOAT[3]", "FLOAT[x]", "FLOAT[999999999999]", "FLOAT[0]", "INTEGER[2]", "", 7])
def test_kinds_that_do_not_fit_are_refused(tmp_path, kind):
    graph_in_memory = to_networkx(make(latent=np.zeros((6, 2))))
    graph_in_memory.graph["own_kinds"] = {"latent": kind}
    with pytest.raises(InputError, match=r"what it tells of the hierarchy does not fit"):
        graph(data=graph_in_memory, id="back")
    if isinstance(kind, str) and kind != "FLOAT[3]":
        with pytest.raises(ValueError, match="no kind of a property"):
            make().without_cells().replace(own_kinds={"latent": kind})


def test_properties_called_like_a_vectors_numbers_keep_both(tmp_path):
    hierarchy = make(center_0=np.arange(6), v=np.arange(12.0).reshape(6, 2), v_0=np.arange(6) + 10)
    hierarchy = imported(
        Dag(6, PARENT, CHILD, names=list("abcdef"), columns={n: hierarchy.cells.own[n] for n in ("center_0", "v", "v_0")}),
        id="clash",
        origin="edges",
        embeddings=Embeddings.of(np.linspace(0, 1, 12).reshape(6, 2), names=list("abcdef")),
    )
    export(hierarchy, output=tmp_path / "cells.csv")
    table = arrow_csv.read_csv(tmp_path / "cells.csv")
    assert table.column("own.center_0").to_pylist() == list(range(6))
    assert table.column("center_0").to_pylist() == hierarchy.cells.center[:, 0].tolist()
    assert table.column("v_0").to_pylist() == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    assert table.column("own.v_0").to_pylist() == [10, 11, 12, 13, 14, 15]
    assert {"own.v_0", "v_0", "v_1"} <= set(to_pandas(hierarchy)[0].columns)


@pytest.mark.parametrize("numbers", [[-1, -2, 3, 4, 5, 6], [0, 1, -1, 2, -7, 3]])
def test_whole_numbers_below_none_keep_minus_one(store, new_id, tmp_path, numbers):
    hierarchy = make(new_id("columns"), n=np.array(numbers))
    store.write(hierarchy)
    rows = store.query("MATCH (c:Cell {hierarchy: $id}) RETURN c.n ORDER BY c.key", {"id": hierarchy.id})[1]
    assert [row[0] for row in rows] == [numbers[node] for node in BY_KEY]
    export(store, hierarchy.id, output=tmp_path / "h.parquet")
    assert digest_hierarchy(parquet(tmp_path / "h.parquet", id="back").hierarchy) == store.digest(hierarchy.id)


def test_minus_one_in_a_graph_is_a_number():
    tree = nx.DiGraph([("r", "a"), ("r", "b")])
    nx.set_node_attributes(tree, {"r": -1, "a": 3, "b": 0}, "t")
    assert graph(data=tree, id="g").cells.own["t"].tolist() == [-1, 3, 0]


def test_vectors_of_text_are_refused():
    told = to_networkx(make())
    for values in told.nodes.values():
        values["latent"] = ["1", "2", "3"]
    with pytest.raises(InputError, match="a value is no list of 3 numbers"):
        graph(data=told, id="back")


def test_numbers_that_the_graph_cannot_hold_are_refused():
    with pytest.raises(
        InputError, match="numbers that the graph can hold, text or truth values as the property 'u', got uint64"
    ):
        make(u=np.full(6, 2**63, dtype=np.uint64))
    with pytest.raises(InputError, match="got complex128"):
        make(u=np.full(6, 1j))


def test_an_export_of_other_kinds_than_stated_is_refused(store, written, tmp_path):
    store.query("MATCH (c:Cell {key: $key}) SET c.weight = 'q'", {"key": f"{written.id}/1"}, write=True)
    for name in ("h.parquet", "h.csv", "h.graphml"):
        with pytest.raises(DamagedError, match=r"\(weight of some is JSON, and should be FLOAT\); `cfgraph verify"):
            export(store, written.id, output=tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_kinds_are_those_of_own_properties():
    with pytest.raises(InputError, match=r"has kinds of properties that its cells have not: latent, weight"):
        make().without_cells().replace(own=())


def test_what_a_file_holds_is_no_hierarchy(store, tmp_path):
    export(make(), output=tmp_path / "h.parquet")
    with pytest.raises(InputError, match=r"expected a hierarchy with its cells, got a Backup; .*ingest parquet"):
        store.write(parquet(tmp_path / "h.parquet"))
