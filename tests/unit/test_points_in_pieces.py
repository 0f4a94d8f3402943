"""Points read in pieces: mini-batch k-means over .parquet files that memory need not hold."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from cfgraph import sources
from cfgraph.checks import check_bytes
from cfgraph.cli import cfgraph as command
from cfgraph.errors import InputError
from cfgraph.files.row_stream import RowStream
from cfgraph.metric.apply import apply
from cfgraph.model.cells import EXPANDED, FRONTIER, LEAF
from cfgraph.sources import mini_batch
from cfgraph.sources.cell_samples import CellSamples, row_hashes
from cfgraph.sources.mini_batch import memory_needed
from cfgraph.sources.row_cells import RowCells
from cfgraph.sources.splitting import Splitting

ARITY, DEPTH, BATCH = 3, 2, 100
ASKED = {"depth": DEPTH, "arity": ARITY, "duplicates": "keep", "memory": "64MB", "batch": BATCH, "progress": False}


def write(file, rows, *, names="abcdefgh", **options):
    columns = {names[place]: column for place, column in enumerate(np.asarray(rows).T)}
    parquet.write_table(pa.table(columns), file, **options)


def blobs(count, *, dimension=2, seed=0):
    """Points around nine centers, three around each of three, sorted by them: the worst order for whoever reads once."""
    random = np.random.default_rng(seed)
    top = 20 * np.array([[0.0, 0], [1, 0], [0, 1]])
    center = (top[:, None] + 3 * np.array([[0.0, 0], [1, 1], [-1, 1]])).reshape(9, 2)
    rows = np.zeros((count, dimension))
    rows[:, :2] = np.repeat(center, -(-count // 9), axis=0)[:count]
    return rows + 0.1 * random.normal(size=rows.shape)


def splitting(depth):
    return Splitting.checked(depth=depth, arity=ARITY, pca=None, minimum_size=2, scale_depth=2, duplicates="keep", seed=0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Some rows in one file, and the same in a folder of files of uneven lengths, one of them inside another folder."""
    folder = tmp_path_factory.mktemp("pieces")
    rows = blobs(905)
    write(folder / "one.parquet", rows)
    many = folder / "many"
    (many / "more").mkdir(parents=True)
    (many / "_SUCCESS").touch()
    for name, (low, high) in {"0": (0, 7), "1": (7, 450), "2": (450, 450), "3": (450, 451), "more/4": (451, 905)}.items():
        write(many / f"{name}.parquet", rows[low:high], row_group_size=99)
    return SimpleNamespace(rows=rows, one=folder / "one.parquet", many=many)


@pytest.fixture(scope="module")
def made(data):
    return sources.points(data.one, **ASKED)


def test_the_tree_is_valid_and_its_numbers_are_those_of_all_rows(data, made):
    cells, rows, cell = made.cells, data.rows, made.cell_of_point
    assert (cells.child_count[cells.state == EXPANDED] == ARITY).all()
    assert len(cells) == 13
    at = cell.copy()
    for level in range(DEPTH, -1, -1):
        assert (cells.level[at] == level).all()
        for row in np.flatnonzero(cells.level == level):
            inside = rows[at == row]
            assert cells.size[row] == len(inside) > 0
            assert cells.center[row] == pytest.approx(inside.mean(axis=0), rel=1e-12, abs=1e-12)
        assert made.point_radius[level] == pytest.approx(np.linalg.norm(rows - cells.center[at], axis=1).max(), rel=1e-12)
        at = cells.parent[at]
    placed = cells.center[cells.parent[1:]] + cells.scale[cells.parent[1:], None] * cells.residual[1:]
    assert (placed == cells.center[1:]).all()
    assert made.points == cells.size[0] == len(rows)
    assert (cells.state[cells.level_rows(DEPTH)] == FRONTIER).all()


def test_sorted_rows_come_apart_as_those_in_memory_do(data, made):
    whole = sources.points(data.rows, depth=DEPTH, arity=ARITY)
    assert made.cells.center == pytest.approx(whole.cells.center, abs=1e-9)
    assert made.recipe["data_sha256"] == whole.recipe["data_sha256"]
    assert (made.recipe["k_means"], made.recipe["batch"], made.recipe["passes"]) == ("mini-batch", BATCH, 2 * (DEPTH + 1))
    assert made.recipe["columns"] == ["a", "b"]
    assert any("mini-batch k-means over batches of 100 rows: 6 passes over 905 rows in one file" in note for note in made.notes)


def test_files_and_row_groups_make_no_difference_and_seeds_do(data, made, tmp_path):
    many = sources.points(data.many, placements=tmp_path / "cells.parquet", **ASKED)
    assert many.cells.center.tobytes() == made.cells.center.tobytes()
    assert many.recipe == made.recipe
    addresses = [made.cells.addresses[row] for row in made.cell_of_point]
    assert parquet.read_table(tmp_path / "cells.parquet").to_pydict() == {"row": list(range(905)), "address": addresses}
    noise = tmp_path / "noise.parquet"
    write(noise, np.random.default_rng(0).normal(size=(300, 2)))
    one, other, more = (sources.points(noise, **(ASKED | asked)) for asked in ({}, {"seed": 1}, {"memory": "1GB"}))
    assert one.cells.center.tobytes() != other.cells.center.tobytes()
    assert one.cells.center.tobytes() == more.cells.center.tobytes()
    assert one.recipe == more.recipe


def test_more_batches_move_the_centers_towards_those_of_all_rows(tmp_path, monkeypatch):
    """From a sample of six rows: what is learned lies nearer than what was begun with."""
    monkeypatch.setattr(mini_batch, "SAMPLE_NUMBERS", 1)
    rows = np.random.default_rng(1).normal(size=(3_000, 1))
    write(tmp_path / "rows.parquet", rows)
    asked = ASKED | {"arity": 2, "depth": 1}
    found = sources.points(tmp_path / "rows.parquet", **asked).cells.center[1:]
    assert found.ravel() == pytest.approx([-0.798, 0.798], abs=0.15)  # of the two halves of a normal distribution


def test_equal_rows_make_leaves(tmp_path):
    rows = np.array([[0.0]] * 500 + [[1.0]] * 300 + [[5.0], [-0.0]])
    write(tmp_path / "rows.parquet", rows)
    cells = sources.points(tmp_path / "rows.parquet", **(ASKED | {"arity": 2, "depth": 4})).cells
    assert sorted(cells.size[cells.state == LEAF].tolist()) == [1, 300, 501]
    assert cells.depth == 2


def test_points_too_close_for_centers_end_the_tree_with_a_word(tmp_path):
    write(tmp_path / "rows.parquet", np.array([[0.0], [1e-170], [3e-170], [7e-170]]))
    made = sources.points(tmp_path / "rows.parquet", **(ASKED | {"depth": 1}))
    assert made.cells.state.tolist() == [LEAF]
    assert any("1 cells were not split" in note for note in made.notes)


def test_lists_and_a_choice_of_columns(data, tmp_path):
    lists = pa.table({"id": np.arange(905), "vector": data.rows.tolist()})
    parquet.write_table(lists, tmp_path / "lists.parquet")
    made = sources.points(tmp_path / "lists.parquet", columns=["vector"], **ASKED)
    assert made.cells.dimension == 2
    assert "columns" not in made.recipe
    write(tmp_path / "more.parquet", np.column_stack([np.arange(905), data.rows]), names="iab")
    counted = sources.points(tmp_path / "more.parquet", **ASKED)
    assert any("column 'i' counts the rows" in note for note in counted.notes)
    picked = sources.points(tmp_path / "more.parquet", columns=["b", "a"], **ASKED)
    assert picked.recipe["columns"] == ["b", "a"]
    assert not any("counts" in note for note in picked.notes)


def test_new_data_find_their_columns_by_name(made, data):
    new = pa.table({"b": data.rows[::90, 1], "other": np.zeros(11), "a": data.rows[::90, 0]})
    assert apply(made, new.to_pandas()) == [made.cells.addresses[row] for row in made.cell_of_point[::90]]


def test_memory_is_bounded_and_too_little_is_told_before_anything_is_read(made, tmp_path, monkeypatch):
    """Of fewer bytes than the rows have; ``made`` has loaded all libraries."""
    monkeypatch.setattr(mini_batch, "SAMPLE_NUMBERS", 1 << 14)
    rows, batch = np.random.default_rng(0).normal(size=(40_000, 32)), 500
    lists = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 32)
    parquet.write_table(pa.table({"vector": lists}), tmp_path / "rows.parquet", row_group_size=20_000)
    asked = ASKED | {"depth": 1, "batch": batch}
    needed = sum(memory_needed(RowStream.of(tmp_path / "rows.parquet", columns=None, batch=batch), splitting(1)).values())
    assert needed < 0.7 * rows.nbytes
    with pytest.raises(InputError, match=r"expected memory of at least [0-9.]+ MB for batches of 500 rows of 32 numbers"):
        sources.points(tmp_path / "rows.parquet", **(asked | {"memory": needed - 1}))
    del rows, lists
    tracemalloc.start()
    try:
        found = sources.points(tmp_path / "rows.parquet", **(asked | {"memory": needed}))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.cell_of_point is None  # for which there is no room
    assert found.points == 40_000
    assert peak < needed


def test_nodes_of_points_need_room(data):
    needed = sum(memory_needed(RowStream.of(data.one, columns=None, batch=BATCH), splitting(DEPTH)).values())
    with pytest.raises(InputError, match=r"905 points as nodes take 57.9 kB of memory, .* leave --points out"):
        sources.points(data.one, points=True, **(ASKED | {"memory": needed}))


# -- bad input


def test_a_missing_number_is_named_with_its_file_row_and_column(tmp_path):
    for number in range(12):
        rows = np.random.default_rng(number).normal(size=(50, 3))
        if number == 7:
            rows[31, 1] = np.nan
        write(tmp_path / f"{number:02}.parquet", rows)
    with pytest.raises(InputError, match=r"in .*07\.parquet, got nan in row 31, column 'b' \(counted from 0\)"):
        sources.points(tmp_path, **ASKED)
    write(tmp_path / "07.parquet", np.ones((50, 3)))
    gap = pa.table({"a": np.ones(2), "b": pa.array([1.0, None]), "c": np.ones(2)})
    parquet.write_table(gap, tmp_path / "08.parquet")
    with pytest.raises(InputError, match=r"a missing value in row 1 \(counted from 0\) of column 'b' of .*08\.parquet"):
        sources.points(tmp_path, **ASKED)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (
            lambda folder: write(folder / "2.parquet", np.ones((3, 3))),
            r"the columns of .*0\.parquet in .*2\.parquet too",
        ),
        (lambda folder: write(folder / "2.parquet", np.ones((3, 2)), names="ax"), r"in .*2\.parquet too"),
        (lambda folder: (folder / "2.parquet").write_bytes(b"PAR1 and no more"), r"2\.parquet cannot be read as \.parquet"),
        (lambda folder: (folder / "2.parquet").write_bytes(b""), r"2\.parquet is empty"),
        (lambda folder: write(folder / "2.parquet", np.ones((0, 2))), None),
    ],
)
def test_a_file_unlike_the_first_is_refused(tmp_path, spoil, told):
    write(tmp_path / "0.parquet", blobs(30))
    spoil(tmp_path)
    if told is None:
        assert sources.points(tmp_path, **ASKED).points == 30
        return
    with pytest.raises(InputError, match=told):
        sources.points(tmp_path, **ASKED)


def test_folders_that_hold_no_points(tmp_path):
    with pytest.raises(InputError, match="it holds no file"):
        sources.points(tmp_path, **ASKED)
    (tmp_path / "rows.csv").write_text("1,2\n")
    with pytest.raises(InputError, match=r"it holds .*rows\.csv"):
        sources.points(tmp_path, **ASKED)
    write(tmp_path / "0.parquet", np.ones((0, 2)))
    with pytest.raises(InputError, match=r"at least one point in .*, got 1 files without a row"):
        sources.points(tmp_path, **ASKED)
    for name in ("plan.json", "manifest.json"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match="`cfgraph ingest folder` reads it"):
        sources.points(tmp_path, **ASKED)


@pytest.mark.parametrize("change", ["written", "added", "removed"])
def test_files_that_change_between_two_passes(tmp_path, monkeypatch, change):
    """After the second pass; nothing is left, neither placements nor anything else."""
    folder, passes = tmp_path / "in", [0]
    folder.mkdir()
    write(folder / "0.parquet", blobs(450))
    write(folder / "1.parquet", blobs(450, seed=1))
    read = RowStream.batches

    def batches(stream):
        passes[0] += 1
        if passes[0] == 3:
            if change == "removed":
                (folder / "1.parquet").unlink()
            else:
                write(folder / ("1.parquet" if change == "written" else "2.parquet"), blobs(450, seed=2))
        yield from read(stream)

    monkeypatch.setattr(RowStream, "batches", batches)
    told = "there is no file" if change == "removed" else "changed while it was read"
    with pytest.raises(InputError, match=told):
        sources.points(folder, placements=tmp_path / "cells.parquet", **ASKED)
    assert [file.name for file in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"duplicates": "refuse"}, "equal points are not looked for .* say --duplicates keep"),
        ({"pca": 1}, "leave --pca out"),
        ({"large": True}, "--large is about files that are read whole"),
        ({"memory": "much"}, "expected a size such as 512MB or 2GB for --memory, got 'much'"),
        ({"memory": 0}, "memory in bytes"),
        ({"batch": 0}, "at least 1 as batch"),
        ({"key": "x"}, "leave --key out"),
        ({"header": "yes"}, "header"),
        ({"separator": ";"}, "separator"),
        ({"columns": ["z"]}, "'z'"),
        ({"depth": 905}, "ask for a smaller depth"),
        ({"minimum_size": 906}, "at least 906 points"),
        ({"placements": "no/such/folder/file.parquet"}, "there is no folder"),
    ],
)
def test_bad_arguments_are_refused_with_the_reason(data, asked, told):
    with pytest.raises(InputError, match=told):
        sources.points(data.one, **(ASKED | asked))


def test_data_that_are_not_read_in_pieces(tmp_path):
    with pytest.raises(InputError, match="is in memory already; leave --memory out"):
        sources.points(np.ones((3, 2)), depth=1, memory="1GB")
    np.save(tmp_path / "rows.npy", blobs(20))
    with pytest.raises(InputError, match=r"expected a \.parquet file to be read in pieces"):
        sources.points(tmp_path / "rows.npy", **ASKED)


def test_placements_of_points_in_memory(tmp_path):
    rows = blobs(90)
    made = sources.points(rows, depth=2, placements=tmp_path / "cells.parquet")
    addresses = [made.cells.addresses[row] for row in made.cell_of_point]
    assert parquet.read_table(tmp_path / "cells.parquet")["address"].to_pylist() == addresses


def test_the_command_tells_bad_input_before_it_asks_for_a_store(data):
    words = ["--store", "bolt://127.0.0.1:1", "ingest", "points", str(data.many), "--depth", "2", "--as", "it"]
    found = CliRunner().invoke(command, words)
    assert isinstance(found.exception, InputError)
    assert "say --duplicates keep" in str(found.exception)


# -- the parts


def test_samples_are_those_of_the_smallest_hashes_whatever_the_order():
    random = np.random.default_rng(0)
    rows = random.integers(0, 40, size=(600, 2)).astype(float)
    cell = random.integers(0, 4, size=600)
    hashes = row_hashes(rows, seed=3)
    for order in (np.arange(600), random.permutation(600)):
        samples = CellSamples(4, most=20, dimension=2)
        for low in range(0, 600, 70):
            some = order[low : low + 70]
            samples.add(cell[some], rows[some], hashes[some])
        found, kept = samples.settle()
        for number in range(4):
            different = {tuple(row): value for row, value in zip(rows[cell == number], hashes[cell == number], strict=True)}
            assert list(map(tuple, kept[found == number])) == sorted(different, key=different.get)[:20]


def test_hashes_are_of_the_numbers_and_the_seed():
    rows = np.array([[0.0, 1], [-0.0, 1], [1, 0], [0, 0]])
    found = row_hashes(rows, seed=0)
    assert found[0] == found[1]
    assert len(set(found.tolist())) == 3
    assert (row_hashes(rows, seed=1) != found).all()


def test_cells_of_rows_are_kept_on_disk():
    with RowCells(10) as held:
        assert held.read(0, 10).tolist() == [0] * 10
        held.write(3, np.array([7, 2**31 - 1]))
        assert held.read(2, 4).tolist() == [0, 7, 2**31 - 1, 0]


@pytest.mark.parametrize(("text", "size"), [("512MB", 2**29), ("1.5 KiB", 1536), ("7", 7), (12, 12)])
def test_sizes(text, size):
    assert check_bytes(text, name="memory") == size
