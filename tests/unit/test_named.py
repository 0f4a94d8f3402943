"""Files of embeddings and labels: every form is read alike, and what is wrong with one is said in a line that teaches."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from cfgraph.errors import InputError
from cfgraph.files.embeddings import Embeddings
from cfgraph.files.labels import Labels

VECTORS = np.array([[1.0, 2.0], [3.0, 4.5]])
KINDS = {"embeddings": Embeddings, "labels": Labels}


def archive(path, **arrays):
    np.savez(path, **arrays)
    return path


def refuse(kind, told, path, **options):
    with pytest.raises(InputError, match=told) as caught:
        KINDS[kind].read(path, **options)
    assert "\n" not in str(caught.value)
    assert "pickle" not in str(caught.value)
    assert path.name in str(caught.value)


def test_every_form_of_embeddings_is_read_alike(tmp_path, place):
    table = "name,x,y\na,1,2\nb,3,4.5\n"
    arrow = pa.table({"x": VECTORS[:, 0], "name": ["a", "b"], "y": VECTORS[:, 1]})
    parquet.write_table(arrow, tmp_path / "e.parquet")
    archive(tmp_path / "e.npz", names=np.array(["a", "b"]), it=VECTORS)
    read = [
        Embeddings.read(path)
        for path in (place("e.csv", table), place("E.CSV", table), tmp_path / "e.parquet", tmp_path / "e.npz")
    ]
    for found in read:
        assert found.names == ("a", "b")
        assert (found.values == VECTORS).all()
        assert found.digest == read[0].digest
    np.save(tmp_path / "e.npy", VECTORS)
    assert Embeddings.read(tmp_path / "e.npy").names is None
    assert Embeddings.read(place("bare.csv", "1,2\n3,4.5\n")).names is None


def test_every_form_of_labels_is_read_alike(tmp_path, place):
    parquet.write_table(pa.table({"label": ["cat", "dog"], "name": ["a", "b"]}), tmp_path / "l.parquet")
    archive(tmp_path / "l.npz", names=np.array(["a", "b"]), it=np.array(["cat", "dog"]))
    for path in (
        place("l.csv", "name,label\na,cat\nb,dog\n"),
        place("L.TSV", "name\tlabel\na\tcat\nb\tdog\n"),
        tmp_path / "l.parquet",
        tmp_path / "l.npz",
    ):
        found = Labels.read(path)
        assert (found.names, found.values.tolist()) == (("a", "b"), ["cat", "dog"])
    np.save(tmp_path / "l.npy", np.array([3, 4]))
    assert Labels.read(tmp_path / "l.npy").values.tolist() == [3, 4]


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_refused(kind, tmp_path, place):
    whole = archive(tmp_path / "whole.npz", it=VECTORS).read_bytes()
    np.save(tmp_path / "a.npy", VECTORS)
    single = (tmp_path / "a.npy").read_bytes()
    refuse(kind, "is no .npz file of plain numbers", place("cut.npz", whole[:-30]))
    refuse(kind, "single array; rename it to end in .npy", place("single.npz", single))
    refuse(kind, "archive of arrays; rename it to end in .npz", place("whole.npy", whole))
    refuse(kind, f"is empty; expected {kind}", place("empty.npz", b""))
    refuse(kind, f"is empty; expected {kind}", place("empty.csv", b""))
    refuse(kind, r"expected \w+, a row each, and .* is an image \(PNG\)", place("picture.npz", b"\x89PNG\r\n\x1a\n" * 9))
    refuse(kind, "is an image", place("picture.npy", b"\x89PNG\r\n\x1a\n" * 9))
    refuse(kind, f"there is no file .*; expected {kind}", tmp_path / "none.npz")
    refuse(kind, f"is no table of {kind}", place("text.parquet", "hello"))
    (tmp_path / "folder.npz").mkdir()
    refuse(kind, "Is a directory", tmp_path / "folder.npz")
    objects = archive(tmp_path / "objects.npz", names=np.array(["a", None]), it=VECTORS[:, 0] if kind == "labels" else VECTORS)
    refuse(kind, "Python objects", objects)
    refuse(
        kind, "expected one array beside 'names' in .*, got one, two", archive(tmp_path / "two.npz", one=VECTORS, two=VECTORS)
    )
    refuse(kind, "holds no array 'three'; it holds one, two", tmp_path / "two.npz", key="three")
    refuse(kind, "leave --key out", tmp_path / "a.npy", key="it")


def test_embeddings_with_columns_of_text_are_told_what_helps(place):
    refuse("embeddings", "call that of the names 'name'", place("id.csv", "id,x\na,1\nb,2\n"))
    refuse("embeddings", "in line 3, column 2", place("more.csv", "name,kind,x\na,1,1\nb,k,2\n"))


def test_labels_that_are_missing_or_contradict_each_other_are_refused(place, tmp_path):
    refuse("labels", "a label in every row of .*, got 1 without", place("gap.csv", "name,label\na,cat\nb,\nc,dog\n"))
    refuse("labels", "a label in every row of .*, got 1 without", place("numbers.csv", "name,label\na,1\nb,\nc,2\n"))
    parquet.write_table(pa.table({"label": pa.array(["cat", ""], pa.large_string())}), tmp_path / "gap.parquet")
    refuse("labels", "a label in every row of .*, got 1 without", tmp_path / "gap.parquet")
    refuse("labels", "different names in .*, got several called label", place("twice.csv", "label,label\n1,2\n"))
    with pytest.raises(InputError, match="one label a name, got several for 'a'; leave all but one out"):
        Labels.read(place("doubled.csv", "name,label\na,cat\na,dog\nb,cat\n"))


def test_a_header_that_may_be_none_is_told_where_it_matters(place):
    assert "'cat', was read as a header" in Labels.read(place("bare.csv", "cat\ndog\n")).hint
    assert Labels.read(place("headed.csv", "label\ndog\n")).hint == ""
