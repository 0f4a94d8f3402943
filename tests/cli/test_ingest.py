"""`cfgraph ingest` as a user runs it: what is written, what is said, and what bad input gets."""

import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from cfgraph.sources.cfg import cfg
from cfgraph.sources.ifs import ifs
from cfgraph.sources.points import points

TWO_MAPS = {"two": {"maps": [[0.5, 0, 0, 0.4, 0, 0, 0.5], [0.3, 0.1, 0, 0.3, 1, 1, 0.5]]}}


@pytest.fixture
def maps_file(tmp_path):
    path = tmp_path / "maps.json"
    path.write_text(json.dumps(TWO_MAPS))
    return path


@pytest.fixture
def points_file(tmp_path):
    np.savez(tmp_path / "points.npz", x=np.random.default_rng(0).normal(size=(60, 3)), y=np.zeros(60))
    return tmp_path / "points.npz"


def check_stored(store, id, expected):
    """The store holds the cells and the numbers that the library gives for the same arguments."""
    stored = store.hierarchy(id)
    unlike = {"created", "cells"}
    assert stored.model_dump(exclude=unlike) == expected.model_dump(exclude=unlike)
    cells = store.read(id)
    assert cells.center.tobytes() == expected.cells.center.tobytes()
    assert (cells.state == expected.cells.state).all()


def test_ingest_cfg(run, store, new_id):
    name = new_id()
    told = run("ingest", "cfg", "--as", name, "--arity", 3, "--dimension", 3, "--scale-factor", 0.4, "--depth", 3, "--seed", 7)
    assert told.stdout == f"{name}: 40 cells, depth 3, arity 3, dimension 3, scale factor 0.4\n"
    assert "Lipschitz constant Lambda" in told.stderr
    check_stored(store, name, cfg(id=name, arity=3, dimension=3, scale_factor=0.4, depth=3, seed=7))


@pytest.mark.slow("several commands, each a process of its own")
def test_ingest_ifs_from_a_file_and_by_name(run, store, new_id, maps_file):
    from_file, by_name, by_option = new_id("file"), new_id("name"), new_id("option")
    told = run("ingest", "ifs", maps_file, "--as", from_file, "--depth", 4, "--root-center", "0.5,-1", "--scale-factor", 0.6)
    assert "separation by level" in told.stderr
    check_stored(store, from_file, ifs(id=from_file, maps=maps_file, depth=4, root_center=[0.5, -1.0], scale_factor=0.6))
    run("ingest", "ifs", "koch", "--as", by_name, "--depth", 3)
    run("ingest", "ifs", "--map", "koch", "--as", by_option, "--depth", 3)
    for name in (by_name, by_option):
        check_stored(store, name, ifs(id=name, maps="koch", depth=3))


@pytest.mark.slow("several commands, each a process of its own")
def test_ingest_points_in_pieces(run, store, new_id, tmp_path):
    name, rows, folder = new_id(), np.random.default_rng(0).normal(size=(200, 2)), tmp_path / "rows"
    folder.mkdir()
    for number in range(3):
        part = rows[number::3]
        parquet.write_table(pa.table({"a": part[:, 0], "b": part[:, 1]}), folder / f"{number}.parquet")
    parquet.write_table(pa.table({"b": rows[:9, 1], "a": rows[:9, 0]}), tmp_path / "new.parquet")
    cells = tmp_path / "cells.parquet"
    asked = ("--memory", "64MB", "--duplicates", "keep", "--batch", 50, "--placements", cells)
    told = run("ingest", "points", folder, "--as", name, "--depth", 2, *asked)
    assert "6 passes over 200 rows in 3 files" in told.stderr
    expected = points(folder, id=name, depth=2, memory="64MB", duplicates="keep", batch=50, progress=False)
    check_stored(store, name, expected)
    assert parquet.read_table(cells)["address"].to_pylist() == [expected.cells.addresses[row] for row in expected.cell_of_point]
    run("verify", name)
    assert "the columns were brought into the order" in run("place", name, tmp_path / "new.parquet").stderr


@pytest.mark.slow("several commands, each a process of its own")
def test_ingest_points(run, store, new_id, points_file):
    name = new_id()
    told = run("ingest", "points", points_file, "--key", "x", "--as", name, "--depth", 4, "--pca", 2, "--minimum-size", 5)
    assert "of the variance" in told.stderr
    expected = points(id=name, data=points_file, key="x", depth=4, pca=2, minimum_size=5)
    check_stored(store, name, expected)
    stored = store.read(name)
    assert (stored.size == expected.cells.size).all()
    np.testing.assert_array_equal(stored.radius, expected.cells.radius)


@pytest.mark.slow("several commands, each a process of its own")
def test_the_same_again_is_done_and_another_recipe_is_refused(run, new_id):
    name = new_id()
    run("ingest", "ifs", "koch", "--as", name, "--depth", 2)
    run("ingest", "ifs", "koch", "--as", name, "--depth", 2)
    told = run("ingest", "ifs", "koch", "--as", name, "--depth", 3, code=2)
    assert told.stdout == ""
    assert len(told.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("ifs absent.json --depth 2", "no file absent.json"),
        ("ifs --depth 2", "built-in system out of dragon, fern, koch, levy, sierpinski"),
        ("ifs koch --depth -1", "got -1"),
        ("ifs koch --depth 20", "1,466,015,503,700 cells"),
        ("ifs koch --depth two", "'two' is not a valid integer"),
        ("ifs koch --depth 2 --scale-factor 0.1", "at least 0.333"),
        ("ifs koch --depth 2 --root-center 1,x", "finite number as root center, got 'x'"),
        ("cfg --depth 2 --amplitude 0.6", "below half the separation"),
        ("cfg --depth 2 --rule rough", "'rough'"),
        ("points absent.csv --depth 2", "no file absent.csv"),
    ],
)
def test_bad_input_gets_one_line_and_nothing_is_written(run, store, words, told):
    before = {hierarchy.id for hierarchy in store.hierarchies()}
    result = run("ingest", *words.split(), "--as", "refused", code=2)
    assert result.stdout == ""
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "refused" not in {hierarchy.id for hierarchy in store.hierarchies()} - before


@pytest.mark.parametrize("id", ["", "a/b", "x" * 300])
def test_ids_that_cannot_be(run, id):
    assert len(run("ingest", "cfg", "--depth", 1, "--as", id, code=2).stderr.splitlines()) == 1
