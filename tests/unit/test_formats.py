"""Formats without a store: what a damaged or foreign Parquet file gets, DOT as pydot reads it, text that is hard on XML."""

import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pydot
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cfgraph.errors import InputError
from cfgraph.formats import (
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
from cfgraph.formats.dot import quote
from cfgraph.formats.parquet import ContentDigest
from cfgraph.formats.tables import Layout, cell_table, kinds_in
from cfgraph.model.dag import Dag
from cfgraph.sources import ifs, parquet
from cfgraph.sources.imported import imported
from cfgraph.transfer.bulk import write_files
from cfgraph.visible import visible
from tests.grown import grown_hierarchy, ragged_hierarchy

SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


def make_dag(id="dag", **columns):
    known = {"count": 6, "parent": np.array([0, 0, 1, 2, 4]), "child": np.array([1, 2, 3, 3, 5])}
    dag = Dag(**{**known, "names": list("abcdef"), "node_of_point": np.array([3, 5, 3]), **columns})
    return imported(dag, id=id, origin="edges", recipe={}, points=True)


def make_named_dag(id):
    columns = {
        "height": np.array([2.5, np.nan, 1.0, 0.0, 0.0, 1e-300]),
        "merge": np.array([-1, 3, 0, 7, -1, 1]),
        "mixed": np.array([True, 1, "one", None, 1.5, ""], dtype=object),
        "nothing": np.array([None] * 6, dtype=object),
    }
    return make_dag(id, columns=columns)


def predicted_hierarchy(id):
    """As a rollout left it whose predictor was removed since."""
    hierarchy = grown_hierarchy(id)
    cells = hierarchy.cells.with_columns(predicted=hierarchy.cells.level > 2)
    return hierarchy.replace(cells=cells, origin="rollout", former_predictors=("rule",))


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
    told = json.loads(pq.read_metadata(tmp_path / "h.parquet").metadata[b"cfgraph"])
    assert told["version"] == 1  # without batches earlier versions read it


def metadata_of(path):
    return json.loads(pq.read_metadata(path).metadata[b"cfgraph"])


def changed(path, *, told=None, **columns):
    """The file with other columns, their values in breadth-first order, or with other metadata."""
    table = pq.read_table(path).sort_by([("level", "ascending"), ("address", "ascending")])
    metadata = metadata_of(path)
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
        (lambda told: told.update(version=3), r"has the form 3.*knows 1 and 2; upgrade cfgraph"),
        (lambda told: told.update(cells=7), "should have 7 rows"),
        (lambda told: told["hierarchy"].update(arity="many"), "arity: Input should be a valid integer"),
        (lambda told: told["hierarchy"].update(arity=2), "another number of children than 2"),
        (lambda told: told["hierarchy"].update(dimension=3), "column 'center' should be of type"),
        (lambda told: told["hierarchy"].update(residual_bound=0.01), "longer than the bound"),
        (lambda told: told["hierarchy"].update(id="a/b"), "an id holds no '/'"),
        (lambda told: told["hierarchy"].update(links=1), "no column 'links'"),
        (lambda told: told["own"].append(["name", "name", "STRING"]), "no column 'name'"),
        (lambda told: told["own"].append(["name", "name", "ODD"]), "it lacks 'ODD'"),
        (lambda told: told["own"].append("name"), "own.0: Input should be a valid tuple"),
        (lambda told: told.update(own=None), "own: Input should be a valid list"),
        (lambda told: told.update(cells=None), "cells: Input should be a valid integer"),
        (lambda told: told.update(hierarchy=None), "hierarchy: Input should be a valid dictionary"),
        (lambda told: told.update(hierarchy="koch"), "hierarchy: Input should be a valid dictionary"),
        (lambda told: told["hierarchy"].pop("recipe"), "it lacks 'recipe'"),
        (
            lambda told: told["hierarchy"].update(dimension=10**12),
            "dimension: Input should be less than or equal to 2147",
        ),
        (lambda told: told.update(predicts=7), "predicts: Input should be a valid string"),
        (lambda told: told.pop("growers"), "it lacks 'growers'"),
        (lambda told: told.update(growers=None), "growers: Input should be a valid list"),
        (lambda told: told["growers"].append(7), "growers.0: Input should be a valid dictionary"),
        (lambda told: told["growers"].append({"predictor": None, "growths": []}), "growers.0.predictor: Input should be"),
        (lambda told: told["growers"].append({"predictor": {}, "growths": []}), "it lacks 'weights'"),
        (lambda told: told["growers"].append({"predictor": {"weights": 7}, "growths": []}), "no text in base64"),
        (lambda told: told["growers"].append({"predictor": {"weights": "?"}, "growths": []}), "no text in base64"),
        (lambda told: told["growers"].append({"predictor": {"weights": ""}, "growths": [7]}), "growers.0.growths.0: Input"),
    ],
)
def test_changed_metadata_is_refused(change, told, tmp_path):
    write_parquet(grown_hierarchy("it"), tmp_path / "h.parquet")
    changed(tmp_path / "h.parquet", told=change)
    with pytest.raises(InputError, match=told) as error:
        parquet(tmp_path / "h.parquet")
    assert "\n" not in str(error.value)
    assert not re.search("NoneType|object|indices|unpack|argument|convert", str(error.value))


@pytest.mark.parametrize("text", ["[]", '"version"', "null", "{", "[" * 100_000, "\xff"])
def test_metadata_that_is_no_object_is_refused(text, tmp_path):
    pq.write_table(pa.table({"x": [1.0]}).replace_schema_metadata({"cfgraph": text.encode("latin-1")}), tmp_path / "h.parquet")
    with pytest.raises(InputError, match="its metadata is no JSON object with a version; export it again"):
        parquet(tmp_path / "h.parquet")


def edit_own(values):
    values[3], values[4] = "edited", None


def swap_points(values):
    values[4], values[5] = values[5], values[4]


SOUND = {
    "name": (make_named_dag, {"name": edit_own}),
    "no name": (make_named_dag, {"name": put(5, None)}),
    "height": (make_named_dag, {"height": put(5, 7.5)}),
    "merge": (make_named_dag, {"merge": put(2, 7)}),
    "points swapped": (make_named_dag, {"points": swap_points}),
    "points dropped": (make_named_dag, {"points": put(5, [])}),
    "state": (grown_hierarchy, {"state": put(-1, "Leaf")}),
    "last bit": (grown_hierarchy, {"root_distance": lambda values: put(5, np.nextafter(values[5], 9))(values)}),
    "former": (predicted_hierarchy, {"told": lambda told: told["hierarchy"].update(former_predictors=["other"])}),
    "virtual root": (grown_hierarchy, {"told": lambda told: told["hierarchy"].update(virtual_root=True)}),
    "origin": (grown_hierarchy, {"told": lambda told: told["hierarchy"].update(origin="cfg")}),
    "recipe": (grown_hierarchy, {"told": lambda told: told["hierarchy"]["recipe"].update(seed=1)}),
    "id": (grown_hierarchy, {"told": lambda told: told["hierarchy"].update(id="other")}),
    "predicts": (grown_hierarchy, {"told": lambda told: told.update(predicts="other")}),
}


@pytest.mark.parametrize("edit", SOUND)
def test_an_edit_that_keeps_the_invariants_is_refused(edit, tmp_path):
    path, (make, change) = tmp_path / "h.parquet", SOUND[edit]
    write_parquet(make("it"), path)
    changed(path, **change)
    with pytest.raises(InputError, match=r"was changed since it was exported: expected .* got .*; export it again") as error:
        parquet(path)
    assert "\n" not in str(error.value)
    changed(path, told=lambda told: told.pop("digest"))
    assert parquet(path).digest is None  # on purpose: its invariants hold


def test_an_earlier_file_has_no_digest_and_is_read(tmp_path):
    write_parquet(make_dag("it"), tmp_path / "h.parquet")
    changed(tmp_path / "h.parquet", told=lambda told: told.pop("digest"))
    found = parquet(tmp_path / "h.parquet")
    assert found.digest is None
    assert to_arrow(found.hierarchy)[0].equals(to_arrow(make_dag("it"))[0])
    changed(tmp_path / "h.parquet", points=put(4, [7]))
    with pytest.raises(InputError, match="numbers from 0 to 2"):
        parquet(tmp_path / "h.parquet")


@pytest.mark.parametrize("make", [grown_hierarchy, ragged_hierarchy, make_named_dag, predicted_hierarchy])
def test_rows_in_any_order_have_the_same_digest(make, tmp_path):
    path, hierarchy = tmp_path / "h.parquet", make("it")
    write_parquet(hierarchy, path)
    table, metadata = pq.read_table(path), pq.read_metadata(path).metadata
    mixed = table.take(pa.array(np.random.default_rng(0).permutation(len(table)))).select(table.column_names[::-1])
    pq.write_table(mixed.replace_schema_metadata({"cfgraph": metadata[b"cfgraph"]}), path, row_group_size=4, compression=None)
    found = parquet(path, id="other")
    assert found.digest == metadata_of(path)["digest"]
    assert to_arrow(found.hierarchy)[0].equals(to_arrow(hierarchy)[0])
    write_parquet(parquet(path).hierarchy, tmp_path / "again.parquet")
    assert parquet(tmp_path / "again.parquet").digest == found.digest


@pytest.mark.parametrize("make", [grown_hierarchy, ragged_hierarchy, make_named_dag])
def test_the_digest_does_not_depend_on_pages(make):
    hierarchy = make("it")
    layout = Layout.of(hierarchy, kinds=kinds_in(hierarchy))
    table = cell_table(hierarchy, layout=layout).sort_by("address")
    whole, paged = ContentDigest(), ContentDigest()
    for name in table.column_names:
        whole.add(name, table.column(name))
        for start in range(0, len(table), 4):
            paged.add(name, table.column(name).slice(start, 4))
    assert whole.of({}) == paged.of({}) != whole.of({"version": 1})


def test_predicted_cells_want_what_grew_them(tmp_path):
    write_parquet(predicted_hierarchy("it"), tmp_path / "h.parquet")
    changed(tmp_path / "h.parquet", told=lambda told: told["hierarchy"].update(former_predictors=None))
    for told in (lambda told: None, lambda told: told.pop("digest")):
        changed(tmp_path / "h.parquet", told=told)
        with pytest.raises(InputError, match="neither growers nor former_predictors tells what grew them"):
            parquet(tmp_path / "h.parquet")


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
        with pytest.raises(InputError, match=r"no whole Parquet file|is empty"):
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
    assert back == visible(text.replace("\r\n", "\n").replace("\r", "\n"), lines=True)


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
    with pytest.raises(InputError, match="JSON has neither infinite numbers nor not-a-number"):
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


def test_bulk_of_a_description_alone_is_refused(tmp_path):
    field = ifs(id="alone", maps="koch", depth=1).without_cells()
    with pytest.raises(InputError, match=r"'alone' has no cells to write; read them first: store.read_whole\('alone'\)"):
        write_files(tmp_path, field)


def test_to_linkage_and_to_pandas_want_cells():
    with pytest.raises(InputError, match="several parents"):
        to_linkage(make_dag())
    with pytest.raises(InputError, match="holds no cells"):
        to_pandas(make_dag().without_cells())
