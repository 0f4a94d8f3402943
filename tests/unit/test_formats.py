"""Formats without a store: what a damaged or foreign Parquet file gets, DOT as pydot reads it, text that is hard on XML."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pydot
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cfgraph.bulk import write_files
from cfgraph.dag import Dag
from cfgraph.errors import InputError
from cfgraph.exports import (
    export_hierarchy,
    read_gexf,
    read_graphml,
    read_node_link,
    to_arrow,
    to_linkage,
    to_networkx,
    to_pandas,
    write_dot,
    write_parquet,
)
from cfgraph.exports.dot import quote
from cfgraph.sources import ifs
from cfgraph.sources.imported import imported
from cfgraph.sources.parquet import parquet
from tests.grown import grown_hierarchy, ragged_hierarchy

SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


def make_dag(id="dag", **columns):
    known = {"count": 6, "parent": np.array([0, 0, 1, 2, 4]), "child": np.array([1, 2, 3, 3, 5])}
    dag = Dag(**{**known, "names": list("abcdef"), "node_of_point": np.array([3, 5, 3]), **columns})
    return imported(dag, id=id, origin="edges", recipe={}, point_nodes=True)


# -- parquet


@pytest.mark.parametrize(
    "make", [grown_hierarchy, ragged_hierarchy, make_dag, lambda id: grown_hierarchy(id, arity=2, dimension=7)]
)
def test_parquet_gives_the_same_cells(make, tmp_path):
    hierarchy = make("it")
    write_parquet(hierarchy, tmp_path / "h.parquet")
    found = parquet(tmp_path / "h.parquet").hierarchy
    assert found.model_dump() == hierarchy.model_dump()
    for one, other in zip(to_arrow(found), to_arrow(hierarchy), strict=True):
        assert one.equals(other)
    assert parquet(tmp_path / "h.parquet", id="other").hierarchy.id == "other"


def changed(path, *, told=None, **columns):
    """The file with other columns, or with other metadata."""
    table = pq.read_table(path)
    metadata = json.loads(pq.read_metadata(path).metadata[b"cfgraph"])
    for name, change in columns.items():
        values = table.column(name).to_pylist()
        change(values)
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(name), pa.array(values, table.schema.field(name).type))
    (told or (lambda metadata: None))(metadata)
    pq.write_table(table.replace_schema_metadata({"cfgraph": json.dumps(metadata)}), path)


def put(row, value):
    return lambda values: values.__setitem__(row, value)


FIELD = {
    "address": [(put(3, "/0"), "comes twice"), (put(3, "0/x"), "expected an address"), (put(0, "/9"), "the cell /, is missing"),
                (put(3, "/7/7"), "the cell /7 is missing"), (put(-1, "/2/2/2/9"), "slot says other")],
    "slot": [(put(2, 7), "column slot says other"), (put(2, None), "column slot says other")],
    "level": [(put(2, 7), "column level says other"), (put(2, None), "no level")],
    "parent": [(put(5, "/2"), "column parent says other")],
    "state": [(put(4, "Asleep"), "a state is none of"), (put(4, None), "no state"), (put(4, "Leaf"), "first /0/0: its state")],
    "center": [(put(5, [np.nan, 0.0]), "center is not finite"), (put(5, [9.0, 9.0]), "first /0/1: its center is not"),
               (put(5, None), "no center"), (put(5, [None, 0.0]), "a vector lacks a number")],
    "scale": [(put(5, -1.0), "scale is not above 0"), (put(-1, 0.9), "scale is not the scale factor")],
    "residual": [(put(5, [np.inf, 0.0]), "residual is not finite")],
    "length": [(put(5, -1.0), "below 0"), (put(5, 9.0), "length of an edge"), (put(5, None), "length of an edge")],
    "root_distance": [(put(5, 9.0), "its root distance is not"), (put(0, 1.0), "root's root distance")],
    "predicted": [(put(5, True), "no predictor is known"), (put(5, None), "no predicted")],
}  # fmt: skip


@pytest.mark.parametrize(("name", "change", "told"), [(name, *case) for name, cases in FIELD.items() for case in cases])
def test_a_changed_parquet_is_refused(name, change, told, tmp_path):
    write_parquet(grown_hierarchy("it"), tmp_path / "h.parquet")
    changed(tmp_path / "h.parquet", **{name: change})
    with pytest.raises(InputError, match=f"(?s)is damaged, or was changed.*({told}).*export it again") as error:
        parquet(tmp_path / "h.parquet")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"radius": put(0, 0.0)}, "radius does not reach"),
        ({"size": put(0, 1)}, "data points below it"),
        ({"links": put(5, None), "points": put(4, [0, 0])}, "each in one cell"),
        ({"points": put(4, [7])}, "numbers from 0 to 2"),
        ({"points": put(4, [-1])}, "numbers from 0 to 2"),
    ],
)
def test_a_changed_imported_parquet_is_refused(change, told, tmp_path):
    write_parquet(make_dag(), tmp_path / "h.parquet")
    changed(tmp_path / "h.parquet", **change)
    with pytest.raises(InputError, match=told):
        parquet(tmp_path / "h.parquet")


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("parent", "/0/7", "a cell that is missing"),
        ("parent", "/0/0", "comes twice|primary one|no cycles|stands so high|slots|state"),
        ("slot", 4, "slots of its children"),
        ("slot", None, "lacks its slot"),
        ("length", -1.0, "a length below 0"),
        ("residual", [1.0], "has not 0 numbers"),
    ],
)
def test_a_changed_link_is_refused(field, value, told, tmp_path):
    hierarchy = make_dag()
    write_parquet(hierarchy, tmp_path / "h.parquet")
    row = int(hierarchy.cells.links.child[0])

    def change(values):
        values[row][0][field] = value

    changed(tmp_path / "h.parquet", links=change)
    with pytest.raises(InputError, match=told):
        parquet(tmp_path / "h.parquet")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda told: told.update(version=2), r"has the form 2.*upgrade cfgraph"),
        (lambda told: told.update(cells=7), "should have 7 rows"),
        (lambda told: told["hierarchy"].update(arity="many"), "arity: Input should be a valid integer"),
        (lambda told: told["hierarchy"].update(arity=2), "another number of children than 2"),
        (lambda told: told["hierarchy"].update(dimension=3), "column 'center' should be of type"),
        (lambda told: told["hierarchy"].update(residual_bound=0.01), "longer than the bound"),
        (lambda told: told["hierarchy"].update(id="a/b"), "an id holds no '/'"),
        (lambda told: told["hierarchy"].update(links=1), "no column 'links'"),
        (lambda told: told["own"].append(["name", "name", "STRING"]), "no column 'name'"),
        (lambda told: told["own"].append(["name", "name", "ODD"]), "it lacks 'ODD'"),
        (lambda told: told.pop("growers"), "it lacks 'growers'"),
        (lambda told: told["growers"].append({"predictor": {"weights": "?"}, "growths": []}), "base64|padding|characters"),
    ],
)
def test_changed_metadata_is_refused(change, told, tmp_path):
    write_parquet(grown_hierarchy("it"), tmp_path / "h.parquet")
    changed(tmp_path / "h.parquet", told=change)
    with pytest.raises(InputError, match=told) as error:
        parquet(tmp_path / "h.parquet")
    assert "\n" not in str(error.value)


def test_what_is_no_parquet_of_ours(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        parquet(tmp_path / "missing.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(InputError, match="is no whole Parquet file"):
        parquet(tmp_path / "text.parquet")
    pq.write_table(pa.table({"x": [1.0]}), tmp_path / "other.parquet")
    with pytest.raises(InputError, match=r"none that `cfgraph export` wrote; `cfgraph ingest points`"):
        parquet(tmp_path / "other.parquet")


def test_each_damaged_byte_is_found_or_harmless(tmp_path):
    """Pages have checksums; a byte that no check covers leaves the same hierarchy."""
    path = tmp_path / "h.parquet"
    write_parquet(grown_hierarchy("it", depth=3), path)
    content, expected = path.read_bytes(), to_arrow(parquet(path).hierarchy)[0]
    refused = 0
    for place in np.random.default_rng(0).integers(4, len(content) - 8, 60).tolist():
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        try:
            assert to_arrow(parquet(path).hierarchy)[0].equals(expected)
        except InputError:
            refused += 1
    assert refused > 20
    for size in (0, 4, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(InputError, match="no whole Parquet file"):
            parquet(path)


# -- text that formats have trouble with

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@SAME_FOLDER
@given(names=st.lists(TEXT, min_size=6, max_size=6, unique=True))
@pytest.mark.parametrize(("name", "read"), [("h.graphml", read_graphml), ("h.gexf", read_gexf), ("h.json", read_node_link)])
def test_any_text_comes_back(name, read, names, tmp_path):
    hierarchy = make_dag(names=names, columns={name: np.array(names, dtype=object) for name in ("label", "id", "state")})
    export_hierarchy(hierarchy, tmp_path / name)
    expected = to_networkx(hierarchy.cells, hierarchy=hierarchy)
    found = read(tmp_path / name)
    assert dict(found.nodes(data=True)) == dict(expected.nodes(data=True))
    assert found.graph == expected.graph


@SAME_FOLDER
@given(text=TEXT)
def test_dot_quotes_any_text(text, tmp_path):
    """What stands between the quotes is one token: every quote in it is escaped, every backslash doubled or an escape's."""
    inside = quote(text)[1:-1]
    plain = inside.replace("\\\\", "").replace('\\"', "").replace("\\n", "")
    assert '"' not in plain
    assert "\\" not in plain
    assert "\n" not in inside
    back = inside.replace("\\\\", "\x01").replace("\\n", "\n").replace('\\"', '"').replace("\x01", "\\")
    assert back == text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd") or "\x01" in text


def test_dot_as_pydot_reads_it(tmp_path):
    names = ['a "b"', "back\\slash", "line\nfeed", "ünï", "x;y->z", "{[<"]
    write_dot(make_dag('it "is" \\', names=names), tmp_path / "h.dot")
    (found,) = pydot.graph_from_dot_file(tmp_path / "h.dot")
    wanted = make_dag("it", names=names)
    assert found.get_type() == "digraph"
    labels = {node.get_name(): node.get("label") for node in found.get_nodes() if node.get_name().startswith('"/')}
    assert labels == {
        quote(address): None if name is None else quote(name)
        for address, name in zip(wanted.cells.addresses, wanted.cells.names, strict=True)
    }
    edges = [(edge.get_source(), edge.get_destination(), edge.get("style")) for edge in found.get_edges()]
    links = {(wanted.cells.links.parent[0], wanted.cells.links.child[0])}
    rows = {quote(address): row for row, address in enumerate(wanted.cells.addresses)}
    assert len(edges) == 7
    assert {(rows[parent], rows[child]) for parent, child, style in edges if style == "dashed"} == links


def test_dot_of_the_plane_has_places(tmp_path):
    write_dot(ifs(id="koch", maps="koch", depth=1), tmp_path / "h.gv")
    (found,) = pydot.graph_from_dot_file(tmp_path / "h.gv")
    assert len(found.get_edges()) == 4
    places = [node.get("pos").strip('"').split(",") for node in found.get_nodes() if node.get("pos")]
    np.testing.assert_array_equal(np.array(places, dtype=float), ifs(id="koch", maps="koch", depth=1).cells.center)


def test_an_infinite_number_is_refused_by_json(tmp_path):
    hierarchy = make_dag(columns={"height": np.array([np.inf, 1, 1, 1, 1, 1.0])})
    with pytest.raises(InputError, match="JSON has no infinite numbers"):
        export_hierarchy(hierarchy, tmp_path / "h.json")
    write_parquet(hierarchy, tmp_path / "h.parquet")
    assert np.isinf(parquet(tmp_path / "h.parquet").hierarchy.cells.own["height"]).sum() == 1


# -- refusals


@pytest.mark.parametrize("suffix", ["csv", "dot", "gexf", "parquet", "nwk"])
def test_bad_places(suffix, tmp_path):
    tree = imported(Dag(2, np.array([0]), np.array([1])), id="it", origin="edges", recipe={})
    with pytest.raises(InputError, match="there is no folder"):
        export_hierarchy(tree, tmp_path / "missing" / f"h.{suffix}")
    (tmp_path / f"h.{suffix}").mkdir()
    with pytest.raises(InputError, match="got the folder"):
        export_hierarchy(tree, tmp_path / f"h.{suffix}")
    (tmp_path / f"full.{suffix}").symlink_to("/dev/full")
    with pytest.raises(InputError, match="No space left"):
        export_hierarchy(tree, tmp_path / f"full.{suffix}")


def test_a_folder_of_csv_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(InputError, match="is not empty"):
        export_hierarchy(make_dag(), tmp_path / "full", format="csv")
    export_hierarchy(make_dag(), tmp_path / "new", format="csv")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "cells.csv",
        "edges.csv",
        "hierarchy.json",
        "points.csv",
    ]


def test_bulk_of_what_is_imported_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"'dag' was imported \(edges\).*leave --bulk out"):
        write_files(tmp_path, make_dag())


def test_to_linkage_and_to_pandas_want_cells():
    with pytest.raises(InputError, match="several parents"):
        to_linkage(make_dag())
    with pytest.raises(InputError, match="holds no cells"):
        to_pandas(make_dag().with_cells(None))
