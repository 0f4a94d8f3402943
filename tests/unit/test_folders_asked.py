"""What is asked of fields in folders: compare and verify answer as they do of the same cells elsewhere."""

import json
import re
import shutil
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import cfgraph
from cfgraph import sources
from cfgraph.cli import run
from cfgraph.comparing import compare, tallies, windows
from cfgraph.comparing.compare import compare_cells
from cfgraph.comparing.measures import PRIORITY_MAX
from cfgraph.errors import InputError
from cfgraph.formats.folders.checking import verify_folder
from cfgraph.formats.folders.plan import plan_of
from cfgraph.formats.folders.reader import open_folder
from cfgraph.formats.neo4j_admin import takes_parquet
from cfgraph.growing.engines.processes import ProcessesBeside
from cfgraph.growing.folder import FolderTask, grow_folder
from cfgraph.model import sheets
from cfgraph.predictors.trained import Grower, grown_field
from cfgraph.sources.ifs import field
from cfgraph.store.digest import digest_hierarchy
from cfgraph.transfer.bulk import write_files
from cfgraph.transfer.fields import write_field

GROWTH = {"stop": '{"depth": 6}', "from_depth": 2, "to_depth": 6, "block_height": 2, "done": True}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A Koch curve, and what a predictor makes of its prefix; each in a folder and in memory."""
    place = tmp_path_factory.mktemp("folders")
    truth = sources.ifs("koch", depth=6)
    trained = cfgraph.train(truth.with_cells(truth.cells.prefix(3)), family="affine", id="rule")
    copy = grown_field(trained, truth, id="copy", cells=truth.cells.prefix(2), from_depth=2, stop={"depth": 6})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheets, "SHEET_BYTES", 40_000)
        write_field(field(id="ifs", maps="koch", depth=6), str(place / "truth"))
        known = {"growers": (Grower(trained, [GROWTH]),), "predicts": "ifs"}
        plan = plan_of(copy.without_cells(), copy.cells, depth=6, height=2, **known)
        grow_folder(FolderTask(str(place / "copy"), plan, copy.cells, trained=trained))
    reader = open_folder(f"{place / 'copy'}/")
    return place, truth, copy.with_cells(reader.read(top="/", depth=6)), trained


def test_comparing_folders_is_comparing_their_cells(folders):
    place, truth, copy, trained = folders
    report = cfgraph.compare(None, f"{place / 'truth'}/", f"{place / 'copy'}/", pairs=500)
    wanted = compare_cells(truth, copy.cells, trained=trained, predicted_id="copy", pairs=500)
    assert report.model_dump() == wanted.model_dump()
    assert report.from_depth == 2
    assert report.levels[-1].rolled_out.max_center_error > 0


def test_ids_need_a_store(folders):
    with pytest.raises(InputError, match="'koch' is the id of a hierarchy, which only a store knows"):
        cfgraph.compare(None, "koch", f"{folders[0] / 'copy'}/")


@pytest.mark.parametrize("name", ["truth", "copy"])
def test_a_sound_folder_is_clean(folders, name):
    reader = open_folder(f"{folders[0] / name}/")
    report = verify_folder(reader)
    assert (report.clean, report.cells, report.grown) == (True, 5461, name == "copy")


def rewritten(place, column, change):
    """One sheet of a folder with a column changed, checksums and all."""
    file = sorted(place.glob("levels-5-6*"))[1] if list(place.glob("levels-5-6*")) else sorted(place.glob("levels-*"))[-1]
    with pq.ParquetFile(file) as source:
        groups = [source.read_row_group(group) for group in range(source.num_row_groups)]
        metadata = source.schema_arrow.metadata
    table = groups[-1]
    values = table.column(column).to_pylist()
    values[7] = change(values[7])
    index = table.column_names.index(column)
    groups[-1] = table.set_column(index, table.schema.field(column), pa.array(values, table.schema.field(column).type))
    with pq.ParquetWriter(file, table.schema.with_metadata(metadata), compression="zstd") as writer:
        for group in groups:
            writer.write_table(group.replace_schema_metadata(metadata), row_group_size=len(group))


@pytest.mark.parametrize(
    ("column", "change", "invariant"),
    [
        ("center", lambda center: [center[0] + 1e-3, center[1]], "center"),
        ("residual", lambda residual: [9.0, 9.0], "bound"),
        ("scale", lambda scale: 2 * scale, "scale"),
        ("length", lambda length: length + 1, "length"),
        ("root_distance", lambda distance: float("nan"), "property"),
        ("root_distance", lambda distance: distance + 1, "root_distance"),
        ("address", lambda address: address + "/0", "key"),
        ("node", lambda node: node + 1, "key"),
        ("parent", lambda parent: parent + 1, "parent"),
        ("slot", lambda slot: 3 - slot, "slot"),
        ("level", lambda level: level + 1, "level"),
        ("state", lambda state: "Leaf", "expansion"),
        ("predicted", lambda predicted: not predicted, "predicted"),
    ],
)
def test_each_broken_invariant_is_named(tmp_path, folders, column, change, invariant):
    shutil.copytree(folders[0] / "copy", tmp_path / "it")
    rewritten(tmp_path / "it", column, change)
    report = verify_folder(open_folder(f"{tmp_path / 'it'}/"))
    assert invariant in report.counts
    first = next(one for one in report.violations if one.invariant == invariant)
    assert first.place.startswith("/")


def test_bits_that_break_no_invariant_are_found_by_the_digest(tmp_path, folders):
    shutil.copytree(folders[0] / "copy", tmp_path / "it")
    rewritten(tmp_path / "it", "center", lambda center: [np.nextafter(center[0], 9), center[1]])
    report = verify_folder(open_folder(f"{tmp_path / 'it'}/"))
    assert report.counts == {"digest": 1}


def test_a_damaged_sheet_is_a_violation_and_the_rest_is_checked(tmp_path, folders):
    shutil.copytree(folders[0] / "copy", tmp_path / "it")
    file = sorted((tmp_path / "it").glob("levels-*"))[-1]
    chunk = pq.ParquetFile(file).metadata.row_group(0).column(7)  # of centers: a footer may say things that change no cell
    content = bytearray(file.read_bytes())
    content[chunk.data_page_offset + chunk.total_compressed_size - 9] ^= 4
    file.write_bytes(content)
    report = verify_folder(open_folder(f"{tmp_path / 'it'}/"))
    assert [one.place for one in report.violations] == [file.name]
    assert report.cells > 2000


@pytest.mark.parametrize("suffix", ["graphml", "json", "dot", "csv", "nwk"])
def test_an_export_of_a_folder_is_that_of_its_cells(tmp_path, folders, suffix):
    place, _, copy, _ = folders
    reader = open_folder(f"{place / 'copy'}/")
    cfgraph.export(reader, tmp_path / f"one.{suffix}")
    cfgraph.export(copy.replace(created=reader.hierarchy.created), tmp_path / f"other.{suffix}")
    texts = [(tmp_path / f"{name}.{suffix}").read_text() for name in ("one", "other")]
    one, other = (sorted(text.splitlines()) for text in texts)
    if suffix == "json":
        nodes = [json.loads(text)["nodes"] for text in texts]
        one, other = (sorted(json.dumps(node, sort_keys=True) for node in found) for found in nodes)
    assert one == other


def test_an_export_as_parquet_comes_back_whole(tmp_path, folders):
    place, _, _, trained = folders
    reader = open_folder(f"{place / 'copy'}/")
    cfgraph.export(reader, tmp_path / "copy.parquet")
    backup = sources.parquet(tmp_path / "copy.parquet")
    assert digest_hierarchy(backup.hierarchy) == reader.manifest.digest
    assert [grower.trained.id for grower in backup.growers] == [trained.id]
    assert backup.predicts == "ifs"
    with pytest.raises(InputError, match="--depth is for the other formats"):
        cfgraph.export(reader, tmp_path / "copy.parquet", depth=2)
    cfgraph.export(reader, tmp_path / "part.graphml", depth=2)
    assert (tmp_path / "part.graphml").read_text().count("<node") == 21


def test_an_export_for_neo4j_admin_tells_the_command(tmp_path, folders):
    cfgraph.export(open_folder(f"{folders[0] / 'copy'}/"), tmp_path / "new", format="neo4j-admin")
    assert "neo4j-admin database import full" in (tmp_path / "new" / "README.md").read_text()
    assert (tmp_path / "new" / "frontier.csv").read_text().count("\n") == 4096


def test_parquet_for_neo4j_admin_holds_what_csv_does(tmp_path, folders):
    reader, arguments = open_folder(f"{folders[0] / 'copy'}/"), {}
    for form in ("csv", "parquet"):
        (tmp_path / form).mkdir()
        arguments[form] = write_files(tmp_path / form, reader, form=form)[1]
    assert {argument.replace(".parquet", ".csv") for argument in arguments["parquet"]} == {
        "--input-type=parquet",
        *(re.sub(r"\./(cells|edges)-header\.csv,", "", argument) for argument in arguments["csv"]),
    }
    for name in ("cells", "frontier", "edges"):
        header = (tmp_path / "csv" / f"{name.replace('frontier', 'cells')}-header.csv").read_text().strip().split(",")
        rows = [line.split(",") for line in (tmp_path / "csv" / f"{name}.csv").read_text().splitlines()]
        table = pq.read_table(tmp_path / "parquet" / f"{name}.parquet")
        assert table.column_names == header
        assert len(table) == len(rows) > 0
        for column, texts in zip(header, zip(*rows, strict=True), strict=True):
            read = {"double[]": lambda text: [float(part) for part in text.split(";")], "double": float, "long": int}
            kind = "long" if "ID" in column else column.partition(":")[2]
            read = {**read, "boolean": lambda text: text == "true"}.get(kind, str)
            assert table.column(column).to_pylist() == [read(text) if text else None for text in texts], column


@pytest.mark.parametrize(
    ("version", "takes"), [("5.26.27", False), ("2025.03.0", False), ("2025.04.0", True), ("2026.09.0", True)]
)
def test_versions_that_import_parquet(version, takes):
    assert takes_parquet(version) is takes


@pytest.mark.parametrize("name", ["truth", "copy"])
def test_points_are_located_in_a_folder_as_in_memory(folders, name):
    place, truth, copy, trained = folders
    x = np.random.default_rng(1).normal(size=(20, 2)) * 0.2
    held = cfgraph.field(truth if name == "truth" else copy, predictor=None if name == "truth" else trained)
    found = cfgraph.field(open_folder(f"{place / name}/"))
    for depth in (None, 3, 12):
        one, other = found.locate(x, depth=depth), held.locate(x, depth=depth)
        np.testing.assert_array_equal(one.slots, other.slots)
        np.testing.assert_array_equal(one.stored, other.stored)
    with pytest.raises(InputError, match="a predictor is named by its id in a store"):
        cfgraph.field(open_folder(f"{place / name}/"), predictor="rule")


def test_a_folder_is_a_source(folders):
    place, _, copy, trained = folders
    backup = sources.folder(place / "copy", id="again")
    assert (backup.hierarchy.id, backup.growers[0].trained.id) == ("again", trained.id)
    assert digest_hierarchy(backup.hierarchy) == backup.digest == digest_hierarchy(copy)


def test_a_manifest_of_other_numbers_is_a_violation(folders):
    reader = open_folder(f"{folders[0] / 'copy'}/")
    reader.manifest = reader.manifest.model_copy(update={"cells": 7, "digest": "0" * 64})
    assert verify_folder(reader).counts == {"hierarchy": 1, "digest": 1}
    reader = open_folder(f"{folders[0] / 'copy'}/")
    wrong = reader.manifest.plan.growers[0].predictor | {"family": "mean"}
    plan = reader.manifest.plan
    grower = plan.growers[0].model_copy(update={"predictor": wrong})
    reader.manifest = reader.manifest.model_copy(update={"plan": plan.model_copy(update={"growers": (grower,)})})
    assert "grower" in verify_folder(reader).counts


@pytest.mark.parametrize("change", ["twice", "left out", "another", "cells"])
def test_a_manifest_that_lists_other_files_is_a_violation(folders, change):
    reader = open_folder(f"{folders[0] / 'copy'}/")
    first, second, *rest = reader.manifest.sheets
    sheets = {
        "twice": [first, second, second, *rest],
        "left out": [first, *rest],
        "another": [first, second, *rest, second.model_copy(update={"name": "levels-9-9.0000000.parquet"})],
        "cells": [first, second.model_copy(update={"cells": 7}), *rest],
    }[change]
    reader.manifest = reader.manifest.model_copy(update={"sheets": sheets})
    report = verify_folder(reader)
    assert report.counts == {"hierarchy": 2 if change == "cells" else 1}
    assert {one.place for one in report.violations} == {"levels-9-9.0000000.parquet" if change == "another" else second.name}


def test_a_diff_of_folders_is_that_of_their_cells(folders):
    place, truth, copy, _ = folders
    found = cfgraph.diff(f"{place / 'truth'}/", place / "copy")
    wanted = cfgraph.diff(truth, copy)
    assert asdict(found) == asdict(wanted)
    assert not found.equal
    assert cfgraph.diff(open_folder(f"{place / 'copy'}/"), copy).equal


def test_folders_have_no_names_to_be_matched_by(folders):
    place = folders[0]
    with pytest.raises(InputError, match="know no names of cells to match by"):
        cfgraph.diff(f"{place / 'truth'}/", f"{place / 'copy'}/", by="name")


def test_a_folder_is_described_by_its_manifest(folders):
    place, _, copy, trained = folders
    found = cfgraph.describe(None, f"{place / 'copy'}/")
    assert (found["cells"], found["depth"], found["frontier"], found["leaves"]) == (5461, 6, 4**6, 0)
    assert (found["predicted"], found["predicts"]) == (5461 - 21, "ifs")
    assert [growth["predictor"] for growth in found["grown_by"]] == [trained.id]
    assert found["cells_by_level"] == [4**level for level in range(7)]
    assert found["digest"] == digest_hierarchy(copy)
    truth = cfgraph.describe(None, open_folder(f"{place / 'truth'}/"), digest=True)
    assert (truth["predicted"], truth["grown_by"], "predicts" in truth) == (0, [], False)
    assert truth["digest"] == open_folder(f"{place / 'truth'}/").manifest.digest
    with pytest.raises(InputError, match="'koch' is an id, which only a store knows"):
        cfgraph.describe(None, "koch")


def test_folders_are_shown_and_compared_by_the_commands(folders, capsys, monkeypatch):
    place = folders[0]
    monkeypatch.setenv("CFGRAPH_STORE", "bolt://127.0.0.1:1")  # which nobody asks
    assert run(["show", f"{place / 'copy'}/"]) == 0
    assert "grown by:\n  rule, levels 2 to 6, until level 6" in capsys.readouterr().out
    assert run(["diff", f"{place / 'copy'}/", f"{place / 'copy'}/"]) == 0
    assert "are equal: 5,461 cells" in capsys.readouterr().out
    assert run(["diff", f"{place / 'truth'}/", f"{place / 'copy'}/"]) == 1


def test_several_processes_compare_as_one_does(folders, monkeypatch):
    place = folders[0]
    asked = {"pairs": 500, "seed": 3, "seeds": 2}
    monkeypatch.setattr(tallies, "PART_CELLS", 1)
    monkeypatch.setattr(windows, "WINDOW_CELLS", 1000)
    titles = f"{place / 'truth'}/", f"{place / 'copy'}/"
    alone = cfgraph.compare(None, *titles, **asked)
    submit, asked_for = ProcessesBeside.submit, []
    monkeypatch.setattr(ProcessesBeside, "submit", lambda self, *task: asked_for.append(task) or submit(self, *task))
    shared = cfgraph.compare(None, *titles, workers=2, **asked)
    assert shared.model_dump() == alone.model_dump()
    groups = [arguments[0] for _, _, _, arguments in asked_for]
    assert sum(map(len, groups)) == 16
    assert len(groups) > 4


def test_samples_of_paths_are_the_lowest_however_many_parts_there_are(folders, monkeypatch):
    """What earlier parts rule out is left out of later ones, and nothing else is."""
    titles, asked, kept = [f"{folders[0] / name}/" for name in ("truth", "copy")], {"pairs": 24, "seed": 5}, []
    whole = cfgraph.compare(None, *titles, **asked)
    monkeypatch.setattr(tallies, "PART_CELLS", 1)
    monkeypatch.setattr(windows, "WINDOW_CELLS", 300)
    level_paths = tallies.Look.level_paths
    monkeypatch.setattr(
        tallies.Look, "level_paths", lambda self, level: kept.append(len(found := level_paths(self, level))) or found
    )
    by_parts = cfgraph.compare(None, *titles, **asked)
    assert by_parts.path_distortion == whole.path_distortion
    assert kept.count(0) > len(kept) / 4


def test_only_folders_are_compared_by_several(folders, capsys):
    place, truth, copy, _ = folders
    titles = f"{place / 'truth'}/", f"{place / 'copy'}/"
    with pytest.raises(InputError, match="expected 1 to 256 workers"):
        cfgraph.compare(None, *titles, workers=0)
    with pytest.raises(InputError, match="hierarchies in memory are compared by one process; leave --workers out"):
        cfgraph.compare(truth, copy, workers=2)
    assert run(["compare", *titles, "--by", "name", "--workers", "2"]) == 2
    assert "compared by name, and --workers is of a comparison by address" in capsys.readouterr().err


def test_records_for_neo4j_admin_have_types_in_parquet(tmp_path, folders):
    """A text that says true would be a text in the graph."""
    write_files(tmp_path, open_folder(f"{folders[0] / 'copy'}/"), form="parquet")
    kinds = {"boolean": pa.bool_(), "long": pa.int64(), "double": pa.float64()}
    for name in ("hierarchy", "predictor-1", "grown-1-1"):
        schema = pq.read_schema(tmp_path / f"{name}.parquet")
        told = {field.name.partition(":")[2]: field.type for field in schema if not field.name.startswith(":")}
        assert {kind: told[kind] for kind in kinds if kind in told} == {kind: kinds[kind] for kind in kinds if kind in told}
    assert pq.read_table(tmp_path / "grown-1-1.parquet").column("done:boolean").to_pylist() == [True]


def test_samples_of_centers_are_the_lowest_however_they_are_found(folders, monkeypatch):
    """Known how many centers there are, or not; with too few of them expected everything is gone through again."""
    titles = [f"{folders[0] / name}/" for name in ("truth", "copy")]
    monkeypatch.setattr(tallies, "PART_CELLS", 1000)
    monkeypatch.setattr(compare, "center_sample_size", lambda dimension, sides: 500)
    reports, asked = [], []
    likely_max = tallies.likely_max
    for changed in (likely_max, lambda size, of: likely_max(size, of=10 * of), lambda size, of: PRIORITY_MAX):
        monkeypatch.setattr(
            tallies, "likely_max", lambda size, of, changed=changed: asked.append((size, of)) or changed(size, of=of)
        )
        progress = []
        report = compare.compare(None, *titles, pairs=100, progress=lambda done, total, told=progress: told.append(done))
        reports.append((report.model_dump(), progress.count(5461)))
    assert asked == [(500, 4096)] * 3
    assert [again for _, again in reports] == [1, 2, 1]
    assert reports[0][0] == reports[1][0] == reports[2][0]
    assert reports[0][0]["hausdorff_sample"]["true"] == 500
