"""Backups that were damaged or edited: one line that names what is wrong, whatever it is; nothing else gets through."""

import copy
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cfgraph.errors import InputError
from cfgraph.formats.parquet import ParquetFile, read_parquet, write_parquet
from cfgraph.formats.tables import Layout, cell_table, kinds_in
from cfgraph.learning.train import train
from cfgraph.predictors.trained import Grower
from cfgraph.sources import ifs
from tests.grown import ragged_hierarchy
from tests.tampering import make_dag

WRONG = (None, float("nan"), "text", "", [], [1.0], {"a": {"b": [1]}}, -3, -2.5, 2**63, 10**40, "9" * 5000, [[[[1]]]])
GROWTH = {"from_depth": 1, "to_depth": 2, "block_height": 1, "stop": '{"depth": 2}', "done": True, "since": 7, "taken_over": 0}
FREE = ("recipe", "config", "validation", "folds", "own_kinds")  # whose insides are looked at as a whole


def write_grown(path):
    """A file of a field with the predictor that is said to have grown it."""
    field = ifs(id="field", maps="koch", depth=2)
    trained = train(field, id="rule", depth=2, family="recurrence")
    layout = Layout.of(field, kinds={})
    with path.open("wb") as file, ParquetFile(file, layout) as parquet:
        parquet.add(cell_table(field, layout=layout).sort_by("address"))
        parquet.finish(field, growers=[Grower(trained, [GROWTH])])


def write_plain(hierarchy):
    return lambda path: write_parquet(hierarchy, path)


@pytest.fixture(scope="module", params=["grown", "ragged", "dag"])
def backup(request, tmp_path_factory):
    """A table and its metadata, without the digest: whoever edits one can leave that out."""
    path = tmp_path_factory.mktemp("backup") / "h.parquet"
    makers = {"grown": write_grown, "ragged": write_plain(ragged_hierarchy("ragged")), "dag": write_plain(make_dag("dag"))}
    makers[request.param](path)
    metadata = json.loads(pq.read_metadata(path).metadata[b"cfgraph"])
    del metadata["digest"]
    return pq.read_table(path), metadata


@pytest.fixture
def outcome(tmp_path):
    """Writes a table with metadata, and reads it: the one line that it is refused with, or the backup."""

    def read(table, metadata):
        text = metadata if isinstance(metadata, bytes) else json.dumps(metadata)
        pq.write_table(table.replace_schema_metadata({"cfgraph": text}), tmp_path / "edited.parquet")
        try:
            return read_parquet(tmp_path / "edited.parquet")
        except InputError as error:
            told = str(error)
        assert "\n" not in told
        assert len(told) < 700
        assert "edited.parquet" in told
        return told

    return read


def places(value, above=()):
    """The way to each part of some JSON, but the insides of what is free."""
    inside = () if above and above[-1] in FREE else value.items() if isinstance(value, dict) else ()
    inside = enumerate(value[:2]) if isinstance(value, list) else inside
    for name, inner in inside:
        yield (*above, name)
        yield from places(inner, (*above, name))


def changed(metadata, place, change):
    """The metadata with something else at a place."""
    metadata = copy.deepcopy(metadata)
    inner = metadata
    for name in place[:-1]:
        inner = inner[name]
    change(inner, place[-1])
    return metadata


def test_what_is_not_edited_is_read(backup, outcome):
    assert not isinstance(outcome(*backup), str)


def test_edited_metadata_is_refused_or_as_good_as_before(backup, outcome):
    table, metadata = backup
    refused = 0
    for place in places(metadata):
        for wrong in WRONG:
            found = outcome(table, changed(metadata, place, lambda inner, name, value=wrong: inner.__setitem__(name, value)))
            refused += isinstance(found, str)
        found = outcome(table, changed(metadata, place, lambda inner, name: inner.pop(name)))
        refused += isinstance(found, str)
    assert refused > 100


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"7",
        b"null",
        b"{}",
        b"[" * 9000,
        b'{"version": 1}',
        b'{"version": 2}',
        b'{"version": 3}',
        b'{"version": true}',
        b"\xff\xfe",
        b"{" * 10**5,
    ],
)
def test_metadata_that_is_none_is_refused(backup, outcome, text):
    assert isinstance(outcome(backup[0], text), str)


@pytest.mark.parametrize(
    ("place", "wrong", "told"),
    [
        (("growers", 0, "growths", 0), {"a": {"b": [1]}}, "stop"),
        (("growers", 0, "growths", 0, "stop"), "[1]", "stop"),
        (("growers", 0, "growths", 0, "to_depth"), 2**63, "to_depth"),
        (("growers", 0, "growths", 0, "done"), 1, "done"),
        (("growers", 0, "predictor", "arity"), 7, "expected a predictor of family, arity and dimension"),
        (("growers", 0, "predictor", "family"), "mean", "expected a predictor of family, arity and dimension"),
        (("growers", 0, "predictor", "depth"), 10**40, "depth"),
        (("growers", 0, "predictor", "config", "residual_bound"), {"a": 1}, "residual bound"),
        (("hierarchy", "scale_depth"), 2**63, "scale_depth"),
        (("hierarchy", "arity"), 5, "children"),
    ],
)
def test_what_the_graph_cannot_hold_is_named(tmp_path, outcome, place, wrong, told):
    write_grown(tmp_path / "h.parquet")
    metadata = json.loads(pq.read_metadata(tmp_path / "h.parquet").metadata[b"cfgraph"])
    del metadata["digest"]
    assert told in outcome(
        pq.read_table(tmp_path / "h.parquet"), changed(metadata, place, lambda inner, name: inner.__setitem__(name, wrong))
    )


def test_links_are_as_many_as_is_told(outcome, tmp_path):
    write_parquet(make_dag("dag"), tmp_path / "h.parquet")
    metadata = json.loads(pq.read_metadata(tmp_path / "h.parquet").metadata[b"cfgraph"])
    del metadata["digest"]
    metadata["hierarchy"]["links"] += 1
    assert "edges from second parents, and should have" in outcome(pq.read_table(tmp_path / "h.parquet"), metadata)


def test_columns_of_other_types_and_of_nothing_are_refused(backup, outcome):
    table, metadata = backup
    own = {column for _, column, _ in metadata["own"]}
    for place, name in enumerate(table.column_names):
        column = table.column(name)
        assert isinstance(outcome(table.drop_columns([name]), metadata), str)
        assert isinstance(outcome(table.append_column(name, column), metadata), str)
        if pa.types.is_string(column.type):
            assert isinstance(outcome(table.set_column(place, name, column.dictionary_encode()), metadata), str)
        for kind in (pa.string(), pa.int64(), pa.float32(), pa.float64(), pa.bool_(), pa.large_string(), pa.binary()):
            if kind != column.type and (cast := _cast(column, kind)) is not None:
                assert isinstance(outcome(table.set_column(place, name, cast), metadata), str), (name, kind)
        nothing = outcome(table.set_column(place, name, pa.nulls(len(table), column.type)), metadata)
        assert isinstance(nothing, str) or name in own | {"radius", "size", "points"}


def _cast(column, kind):
    try:
        return column.cast(kind)
    except pa.ArrowException:
        return None


def test_swapped_columns_and_other_numbers_are_refused(backup, outcome):
    table, metadata = backup
    for name in ("scale", "root_distance", "length"):
        numbers = np.array(table.column(name).to_numpy(zero_copy_only=False))
        for wrong in (np.nan, np.inf, -1.0):
            numbers[len(numbers) // 2] = wrong
            edited = table.set_column(table.column_names.index(name), name, pa.array(numbers))
            assert isinstance(outcome(edited, metadata), str), (name, wrong)
    swapped = dict(zip(table.column_names, table.columns, strict=True))
    swapped |= {"scale": swapped["root_distance"], "root_distance": swapped["scale"]}
    assert isinstance(outcome(pa.table(swapped), metadata), str)


def test_cut_files_and_flipped_bytes(backup, outcome, tmp_path):
    outcome(*backup)
    whole = (tmp_path / "edited.parquet").read_bytes()
    for cut in range(0, len(whole), max(1, len(whole) // 40)):
        (tmp_path / "cut.parquet").write_bytes(whole[:cut])
        with pytest.raises(InputError) as error:
            read_parquet(tmp_path / "cut.parquet")
        assert "\n" not in str(error.value)


def test_what_could_not_be_read_is_not_written(tmp_path):
    hierarchy = ifs(id="field", maps="koch", depth=2)
    for broken in (np.nan, np.inf, 7.0):
        scale = hierarchy.cells.scale.copy()
        scale[3] = broken
        with pytest.raises(InputError, match="break an invariant, first /2"):
            write_parquet(hierarchy.with_cells(hierarchy.cells.with_columns(scale=scale)), tmp_path / "h.parquet")
    assert list(tmp_path.iterdir()) == []


def test_kinds_of_a_dag_are_all_in_its_backup():
    assert {"FLOAT[3]", "JSON", "INTEGER", "FLOAT", "STRING", "BOOLEAN"} == set().union(*kinds_in(make_dag("dag")).values())
