"""Columns of new data by their names: in another order, more of them, fewer, called otherwise, and without names."""

import numpy as np
import pandas as pd
import pytest

from cfgraph import sources
from cfgraph.errors import InputError
from cfgraph.files.column_order import NAMES_MAX, in_order, names_for_recipe
from cfgraph.metric.apply import apply, apply_named, encode
from cfgraph.metric.search import SearchIndex
from cfgraph.model.hierarchy import same_recipe
from cfgraph.sources.preparation import read_new_rows

NAMES = ["width", "height", "depth"]
ROWS = np.random.default_rng(3).normal(size=(60, 3)) * [1, 10, 100] + [0, 50, -300]
FRAME = pd.DataFrame(ROWS, columns=NAMES)
TURNED = FRAME[["depth", "width", "height"]]


@pytest.fixture(scope="module")
def made():
    return sources.points(FRAME, arity=3, depth=2, pca=2, points=True)


@pytest.fixture(scope="module")
def right(made):
    return apply(made, ROWS, beam=1)


def table(tmp_path, frame, suffix="csv"):
    path = tmp_path / f"new.{suffix}"
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_files_in_another_order_and_with_more_columns(made, right, tmp_path, suffix):
    said = []
    for frame in (TURNED, TURNED.assign(age=1.0)):
        given = read_new_rows(table(tmp_path, frame, suffix), say=said.append)
        found = apply_named(made, data=given, beam=1)
        assert found.addresses == right
        assert "brought into the order" in found.notes[0]
    assert found.notes[1].endswith("left out: age")


def test_frames_in_another_order(made, right):
    assert apply(made, TURNED, beam=1) == right
    assert np.array_equal(encode(made, TURNED), encode(made, ROWS))
    assert apply(made, FRAME, beam=1) == right


def test_rows_without_names_go_by_their_order(made, right, tmp_path):
    given = tmp_path / "new.csv"
    FRAME.to_csv(given, index=False, header=False)
    assert apply(made, read_new_rows(given), beam=1) == right
    assert apply(made, pd.DataFrame(ROWS), beam=1) == right  # whose columns are called 0, 1, 2
    unnamed = sources.points(ROWS, arity=3, depth=2, pca=2)
    assert "columns" not in unnamed.recipe
    assert apply(unnamed, FRAME, beam=1) == right


def test_columns_that_were_asked_for_come_in_that_order(made, right, tmp_path):
    renamed = TURNED.rename(columns={"width": "w"})
    path = table(tmp_path, renamed)
    assert apply(made, read_new_rows(path, columns=["w", "height", "depth"]), beam=1) == right
    with pytest.raises(InputError, match=r"width is not among them: there are depth, w, height"):
        apply(made, read_new_rows(path), beam=1)


def test_columns_that_are_all_called_otherwise_go_by_their_order(made, right):
    found = apply_named(made, data=FRAME.set_axis(["a", "b", "c"], axis=1), beam=1)
    assert found.addresses == right
    assert found.notes == (
        "the columns a, b, c were taken in their order for width, height, depth, of which 'points' was made",
    )


def test_a_search_finds_its_data_in_another_order(made):
    found = SearchIndex.of(made, data=TURNED).search(TURNED, k=1)
    assert found.neighbours.row[:, 0].tolist() == list(range(len(ROWS)))


@pytest.mark.parametrize("source", ["induced", "dasgupta", "hcrl"])
def test_every_source_of_tables_keeps_names(source):
    made = getattr(sources, source)(FRAME, **({"depth": 1} if source == "induced" else {}))
    assert made.recipe["columns"] == NAMES
    assert np.array_equal(encode(made, TURNED), encode(made, ROWS))


def test_names_change_no_recipe_but_of_other_names():
    one, other = {"source": "points", "columns": ["a"]}, {"source": "points"}
    assert same_recipe(one, other)
    assert not same_recipe(one, {**other, "columns": ["b"]})
    assert not same_recipe(one, {"source": "images"})


def test_what_are_no_names():
    assert names_for_recipe(None) == names_for_recipe(["0", "1"]) == names_for_recipe(["a", "a"]) == {}
    assert names_for_recipe([f"c{number}" for number in range(NAMES_MAX + 1)]) == {}
    values = np.zeros((1, 2))
    assert in_order(values, ["a", "a"], wanted=["a", "b"], id=None) == (values, ())
