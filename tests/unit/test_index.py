"""Index columns and headers of numbers: what pandas and R write beside the values is left out, and told."""

import numpy as np
import pandas as pd
import pytest

from cfgraph.errors import InputError
from cfgraph.files.arrays import read_array, read_points
from cfgraph.files.embeddings import Embeddings
from cfgraph.files.labels import Labels
from cfgraph.sources.linkage import linkage
from cfgraph.sources.logits import logits
from cfgraph.sources.points import points

VALUES = np.random.default_rng(3).normal(size=(6, 2))
FRAME = pd.DataFrame(VALUES, columns=["x", "y"])
TEXTS = list("abcdef")
INDEXES = {
    "range": pd.RangeIndex(6),
    "filtered": pd.Index([1, 3, 4, 7, 8, 9]),
    "shuffled": pd.Index([3, 1, 0, 5, 2, 4]),
    "texts": pd.Index(TEXTS),
    "dates": pd.date_range("2026-01-01", periods=6),
    "named": pd.Index([10, 12, 11, 15, 14, 13], name="id"),
    "doubled": pd.Index([0, 1, 2, 0, 1, 2]),
    "levels": pd.MultiIndex.from_arrays([TEXTS, range(6)]),
}


@pytest.mark.parametrize("index", INDEXES)
def test_an_index_in_parquet_is_no_column(index, tmp_path):
    FRAME.set_index(INDEXES[index]).to_parquet(tmp_path / "p.parquet")
    found = read_points(tmp_path / "p.parquet")
    assert (found.values == VALUES).all()
    assert any("index of a data frame" in note for note in found.notes) == (index != "range")
    assert read_array(tmp_path / "p.parquet", what="logits").names == ("x", "y")


@pytest.mark.parametrize("index", [name for name in INDEXES if name != "named"])
def test_an_index_without_a_name_in_csv_is_no_column(index, tmp_path):
    FRAME.set_index(INDEXES[index]).to_csv(tmp_path / "p.csv")
    found = read_points(tmp_path / "p.csv")
    assert (found.values == VALUES).all()
    assert any("index of a data frame" in note for note in found.notes)


@pytest.mark.parametrize(
    ("text", "expected", "told"),
    [
        ("Unnamed: 0,x\n0,5.5\n", [[5.5]], "Unnamed: 0"),
        ("x,Unnamed: 0,y\n5.5,0,6\n", [[5.5, 6]], "Unnamed: 0"),
        (",Unnamed: 0,x\n0,0,5.5\n", [[5.5]], "Unnamed: 0"),
        ("\ufeff,x\n0,5.5\n", [[5.5]], "without a name"),
        ('"","x","y"\n"one",1,2\n', [[1, 2]], "without a name"),
        ('"x","y"\n"1",5,6\n"2",7,8\n', [[5, 6], [7, 8]], "without a name"),
        (",0,1\n0,5.5,6.5\n", [[5.5, 6.5]], "without a name"),
        ("0,1\n5.5,6.5\n", [[5.5, 6.5]], "0,1, was read as a header"),
        ("x,1,y\n5,6,7\n", [[5, 6, 7]], "x,1,y, was read as a header"),
        ("2019,2020\n5.5,6.5\n", [[2019, 2020], [5.5, 6.5]], "looks like a header"),
        ("1,2,3\n5,6,4\n", [[1, 2, 3], [5, 6, 4]], "looks like a header"),
        ("0\n1\n2\n", [[0], [1], [2]], "looks like a header"),
        ("x,,y\n1,2,3\n", [[1, 2, 3]], None),
        ("3,1,2\n5,6,4\n", [[3, 1, 2], [5, 6, 4]], None),
        ("id,x\n0,5\n1,7\n2,6\n3,9\n", [[0, 5], [1, 7], [2, 6], [3, 9]], "'id' counts the rows"),
    ],
)
def test_first_lines_are_right_or_told(place, text, expected, told):
    found = read_points(place("p.csv", text))
    assert found.values.tolist() == expected
    assert any(told in note for note in found.notes) if told else found.notes == ()


def test_who_knows_of_the_header_says_so(place, tmp_path):
    path = place("p.csv", "0,1\n5,6\n")
    assert read_points(path, header="no").values.tolist() == [[0, 1], [5, 6]]
    assert read_points(place("q.csv", "7,8\n5,6\n"), header="yes").values.tolist() == [[5, 6]]
    assert read_points(path, header="no").notes == ()
    with pytest.raises(InputError, match="expected one of auto, yes, no as header"):
        read_points(path, header="maybe")
    np.save(tmp_path / "p.npy", VALUES)
    with pytest.raises(InputError, match="leave --header out"):
        read_points(tmp_path / "p.npy", header="yes")


def test_who_knows_of_the_header_of_embeddings_says_so(place, tmp_path):
    assert Embeddings.read(place("p.csv", "0,1\n5,6\n"), header="no").values.tolist() == [[0, 1], [5, 6]]
    path = place("q.csv", "1,2,3\n5,6,4\n")
    assert Embeddings.read(path, header="yes").values.tolist() == [[5, 6, 4]]
    (note,) = Embeddings.read(path).notes
    assert "--embeddings-header yes reads it as a header" in note
    np.savez(tmp_path / "p.npz", VALUES)
    np.save(tmp_path / "p.npy", VALUES)
    for suffix in ("npz", "npy"):
        with pytest.raises(InputError, match=r"first line of a table of text.*leave --embeddings-header out"):
            Embeddings.read(tmp_path / f"p.{suffix}", header="yes")


def test_an_index_that_is_asked_for_is_a_column(tmp_path):
    FRAME.set_index(INDEXES["named"]).to_parquet(tmp_path / "p.parquet")
    assert read_points(tmp_path / "p.parquet", columns=["id"]).values[0].tolist() == [10]


def test_nothing_beside_an_index_is_refused(tmp_path):
    FRAME[[]].set_index(INDEXES["named"]).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(InputError, match="id are the index of a data frame"):
        read_points(tmp_path / "p.parquet")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_index_of_texts_names_embeddings_and_labels(suffix, tmp_path):
    write = f"to_{suffix}"
    getattr(FRAME.set_index(INDEXES["texts"]), write)(tmp_path / f"e.{suffix}")
    found = Embeddings.read(tmp_path / f"e.{suffix}")
    assert (found.names, found.notes) == (tuple(TEXTS), ())
    assert (found.values == VALUES).all()
    getattr(pd.DataFrame({"label": [1, 2, 1, 2, 1, 2]}, index=TEXTS), write)(tmp_path / f"l.{suffix}")
    assert Labels.read(tmp_path / f"l.{suffix}").names == tuple(TEXTS)
    getattr(pd.DataFrame({"label": [1, 2, 1]}, index=[4, 2, 7]), write)(tmp_path / f"n.{suffix}")
    labels = Labels.read(tmp_path / f"n.{suffix}")
    assert (labels.names, labels.values.tolist()) == (None, [1, 2, 1])
    assert "index" in labels.notes[0]


def test_notes_reach_the_hierarchy(tmp_path):
    frame = pd.DataFrame(np.array([[0, 1, 1.0, 2], [2, 3, 2.0, 3]]), columns=list("abcd"), index=[3, 9])
    frame.to_parquet(tmp_path / "z.parquet")
    assert "index" in linkage(id="z", data=tmp_path / "z.parquet").notes[0]
    FRAME.set_index(INDEXES["shuffled"]).to_parquet(tmp_path / "p.parquet")
    found = logits(id="l", data=tmp_path / "p.parquet")
    assert "index" in found.notes[0]
    made = points(id="p", data=tmp_path / "p.parquet", depth=1, arity=2)
    assert "index" in made.notes[0]
    assert made.recipe == points(id="p", data=FRAME.set_index(INDEXES["shuffled"]), depth=1, arity=2).recipe
