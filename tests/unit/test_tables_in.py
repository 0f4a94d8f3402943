"""Tables as people have them: separators, decimal commas, comments, headers, indexes and encodings are found, or told.

Each row of the table of cases has siblings here: other spellings, orders and kinds of data.
"""

import decimal
import gzip
import io

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from pyarrow import feather, parquet
from scipy import sparse

from cfgraph.errors import InputError
from cfgraph.files.arrays import check_points, points_of, read_array, read_points
from cfgraph.files.embeddings import Embeddings
from cfgraph.files.labels import Labels
from cfgraph.files.texts import read_names
from cfgraph.sources.hcrl import hcrl
from cfgraph.sources.induced import induced
from cfgraph.sources.linkage import linkage
from cfgraph.sources.logits import logits, read_logits
from cfgraph.sources.points import points

VALUES = np.array([[0.5, -1.25], [2.5, 3.75], [-4.5, 5.25], [6.5, 0.125], [7.25, 8.5]])
FRAME = pd.DataFrame(VALUES, columns=["x", "y"])
HALVES = VALUES[:2].tolist()

# -- text: (name of the file, its text, the values, what a note says)

TEXTS = {
    "semicolons": ("a.csv", "x;y\n0.5;-1.25\n2.5;3.75\n", "cells between semicolons"),
    "tabs": ("a.csv", "x\ty\n0.5\t-1.25\n2.5\t3.75\n", "cells between tabs"),
    "bars": ("a.csv", "x|y\n0.5|-1.25\n2.5|3.75\n", "cells between bars"),
    "blanks": ("a.csv", "x y\n0.5 -1.25\n2.5 3.75\n", "cells between blanks"),
    "commas in tsv": ("a.tsv", "x,y\n0.5,-1.25\n2.5,3.75\n", "cells between commas"),
    "names above, with names": ("a.tsv", "#x\ty\n0.5\t-1.25\n2.5\t3.75\n", "comment in line 1"),
    "text of blanks": ("a.txt", "0.5 -1.25\n2.5 3.75\n", None),
    "text of wide blanks": ("a.txt", "   0.5    -1.25  \n   2.5     3.75\n", None),
    "text of mixed blanks": ("a.txt", "x\t y\n0.5 \t-1.25\n2.5\t  3.75\n", None),
    "text of commas": ("a.txt", "x,y\n0.5,-1.25\n2.5,3.75\n", None),
    "text of commas and blanks": ("a.txt", "0.5, -1.25\n2.5, 3.75\n", None),
    "text of tabs": ("a.tab", "x\ty\n0.5\t-1.25\n2.5\t3.75\n", None),
    "no suffix": ("a", "x;y\n0.5;-1.25\n2.5;3.75\n", None),
    "other suffix": ("a.dat", "# x y\n0.5 -1.25\n2.5 3.75\n", "names of columns are those of the comment in line 1"),
    "decimal commas": ("a.csv", "x;y\n0,5;-1,25\n2,5;3,75\n", "cells between semicolons and numbers with decimal commas"),
    "decimal commas, no header": ("a.csv", "0,5;-1,25\n2,5;3,75\n", "decimal commas"),
    "decimal commas, tabs": ("a.tsv", "x\ty\n0,5\t-1,25\n2,5\t3,75\n", "decimal commas"),
    "decimal commas, quoted": ("a.csv", '"x","y"\n"0,5","-1,25"\n"2,5","3,75"\n', "decimal commas"),
    "decimal commas, blanks": ("a.txt", "0,5 -1,25\n2,5 3,75\n", "decimal commas"),
    "decimal commas, powers": ("a.csv", "x;y\n5e-1;-1,25\n,25e1;3,75\n", "decimal commas"),
    "comment": ("a.csv", "# exported\nx,y\n0.5,-1.25\n2.5,3.75\n", "a line that is a comment was left out"),
    "comments": ("a.csv", "# exported\n# today\n\nx,y\n0.5,-1.25\n2.5,3.75\n", "2 lines of comments"),
    "comments without a header": ("a.csv", "# exported\n0.5,-1.25\n2.5,3.75\n", "a comment was left out"),
    "comments of MATLAB": ("a.txt", "% exported\n0.5 -1.25\n2.5 3.75\n", "a comment was left out"),
    "comments among rows": ("a.csv", "x,y\n0.5,-1.25\n# 1,2\n2.5,3.75\n# end\n", "2 lines of comments"),
    "header of numpy": ("a.csv", "# x,y\n0.5,-1.25\n2.5,3.75\n", "names of columns are those of the comment in line 1"),
    "header in line 2": ("a.txt", "# of today\n# x y\n0.5 -1.25\n2.5 3.75\n", "the comment in line 2"),
    "Excel's separator": ("a.csv", "sep=;\nx;y\n0,5;-1,25\n2,5;3,75\n", "decimal commas"),
    "header of numbers": ("a.csv", "0,1\n0.5,-1.25\n2.5,3.75\n", "was read as a header"),
    "header of numbers, semicolons": ("a.csv", "0;1\n0,5;-1,25\n2,5;3,75\n", "was read as a header"),
    "index": ("a.csv", ",x,y\n3,0.5,-1.25\n1,2.5,3.75\n", "index of a data frame"),
    "index, semicolons": ("a.csv", ";x;y\n3;0,5;-1,25\n1;2,5;3,75\n", "index of a data frame"),
    "index read back": ("a.csv", "Unnamed: 0,x,y\n3,0.5,-1.25\n1,2.5,3.75\n", "Unnamed: 0"),
    "names of R": ("a.csv", '"","x","y"\n"1",0.5,-1.25\n"2",2.5,3.75\n', "index of a data frame"),
    "write.csv2 of R": ("a.csv", '"";"x";"y"\n"1";0,5;-1,25\n"2";2,5;3,75\n', "index of a data frame"),
    "write.table of R": ("a.txt", '"x" "y"\n"1" 0.5 -1.25\n"b c" 2.5 3.75\n', "index of a data frame"),
    "short header of R": ("a.csv", '"x","y"\n"1",0.5,-1.25\n"2",2.5,3.75\n', "index of a data frame"),
    "line ends of the Mac": ("a.csv", "x;y\r0.5;-1.25\r2.5;3.75\r", "semicolons"),
    "line ends of Windows": ("a.csv", "# a\r\nx;y\r\n0.5;-1.25\r\n2.5;3.75\r\n", "semicolons"),
}


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_text_is_read_as_people_write_it(place, kind, packed):
    name, text, told = TEXTS[kind]
    content = text.encode()
    path = place(f"{name}.gz", gzip.compress(content)) if packed else place(name, content)
    found = read_points(path)
    assert found.values.tolist() == HALVES
    if told is not None:
        assert any(told in note for note in found.notes), found.notes
    assert all("\n" not in note for note in found.notes)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"])
def test_encodings_are_found(place, encoding):
    sign = encoding not in ("utf-16-le", "utf-16-be")
    header = "größe,y" if sign else "xy,y"
    found = read_array(place("a.csv", f"{header}\n0.5,-1.25\n2.5,3.75\n".encode(encoding)), what="points")
    assert found.values.tolist() == HALVES
    assert found.names == tuple(header.split(","))
    assert any("Windows-1252" in note for note in found.notes) == (encoding in ("cp1252", "latin-1"))


def test_names_and_labels_are_found_in_every_dialect(place):
    text = "name;label\nä b;größer als, 1\nc;2|x\n"
    for encoding in ("utf-8", "utf-16", "cp1252"):
        found = Labels.read(place("l.csv", text.encode(encoding)))
        assert (found.names, found.values.tolist()) == (("ä b", "c"), ["größer als, 1", "2|x"])
    vectors = Embeddings.read(place("e.csv", "name;x;y\na b;0,5;-1,25\nc;2,5;3,75\n"))
    assert (vectors.names, vectors.values.tolist()) == (("a b", "c"), HALVES)
    assert any("decimal commas" in note for note in vectors.notes)


@pytest.mark.parametrize(
    ("name", "text", "options", "expected"),
    [
        (
            "l.txt",
            "golden retriever\ncat, black\ngolden retriever\n",
            {},
            ["golden retriever", "cat, black", "golden retriever"],
        ),
        ("l.csv", "0\n1\n0\n", {}, [0, 1, 0]),
        ("l.csv", "cat\ndog\ncat\n", {}, ["cat", "dog", "cat"]),
        ("l.csv", "label\ncat\ndog\n", {}, ["cat", "dog"]),
        ("l.csv", "kind\ncat\ndog\n", {}, ["cat", "dog"]),
        ("l.csv", "cat\ndog\n", {"header": "no"}, ["cat", "dog"]),
        ("l.csv", "a,cat\nb,dog\n", {"header": "no"}, ["cat", "dog"]),
        ("l.csv", "kind,size\ncat,1\ndog,2\n", {"key": "kind"}, ["cat", "dog"]),
        ("l.tsv", "name\tlabel\n#1 fans\tcat\n#2\tdog\n", {}, ["cat", "dog"]),
        ("l.csv", "name,label\n#1 fans,cat\nb,dog\n", {}, ["cat", "dog"]),
    ],
)
def test_labels_of_text(place, name, text, options, expected):
    assert Labels.read(place(name, text), **options).values.tolist() == expected


@pytest.mark.parametrize("text", ["x;y\n1,234;2\n3;4\n", 'x,y\n"1,234","2,345"\n', "1,234 2\n3 4\n"])
def test_commas_of_thousands_are_not_guessed(place, text):
    with pytest.raises(InputError, match=r"got '1,234' in line .*say --decimal , if"):
        read_points(place("a.csv", text))
    assert read_points(place("a.csv", text), decimal=",").values[0].tolist() in ([1.234, 2], [1.234, 2.345])


def test_names_above_rows_that_begin_with_texts(place):
    assert Labels.read(place("l.tsv", "#name\tlabel\na\tcat\nb\tdog\n")).names == ("a", "b")
    found = Embeddings.read(place("e.tsv", "#name\tx\ty\na\t0.5\t-1.25\nb\t2.5\t3.75\n"))
    assert (found.names, found.values.tolist()) == (("a", "b"), HALVES)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"#NEXUS\n", "a NEXUS file"), (b"PAR1\0", "a .parquet file"), (b"\x80\x04\x95" + bytes(8) + b"]", "a pickle")],
)
def test_names_of_something_else_are_none(place, content, told):
    with pytest.raises(InputError, match=f"expected names, one a line, and .* is {told}"):
        read_names(place("n.txt", content))


def test_labels_that_may_have_no_header_are_told(place):
    (note,) = Labels.read(place("l.csv", "cat\ndog\ncat\n")).notes
    assert "was read as a row" in note
    assert "--labels-header no" in Labels.read(place("l.csv", "cat\ndog\n")).hint


# -- what is told


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        ({"separator": ";"}, "1;2\n3;4\n", [[1, 2], [3, 4]]),
        ({"separator": "semicolon"}, "1;2\n3;4\n", [[1, 2], [3, 4]]),
        ({"separator": "tab"}, "1\t2\n3\t4\n", [[1, 2], [3, 4]]),
        ({"separator": "\\t"}, "1\t2\n3\t4\n", [[1, 2], [3, 4]]),
        ({"separator": "blanks"}, "1  2\n3 4\n", [[1, 2], [3, 4]]),
        ({"separator": " "}, "1  2\n3 4\n", [[1, 2], [3, 4]]),
        ({"separator": ":"}, "1:2\n3:4\n", [[1, 2], [3, 4]]),
        ({"decimal": ","}, "0,5\n2,5\n", [[0.5], [2.5]]),
        ({"decimal": "."}, "0,5\n2,5\n", [[0, 5], [2, 5]]),
        ({"separator": ",", "decimal": "."}, "0,5\n2,5\n", [[0, 5], [2, 5]]),
        ({"separator": ";", "header": "no"}, "0;1\n2,5;3,5\n", [[0, 1], [2.5, 3.5]]),
        ({"columns": ["y"]}, "x;y\n1;2\n3;4\n", [[2], [4]]),
        ({"columns": ["y", "x"]}, "name x y\na 1 2\nb 3 4\n", [[2, 1], [4, 3]]),
        ({"columns": ["1"], "header": "no"}, "1;2\n3;4\n", [[2], [4]]),
    ],
)
def test_who_knows_a_dialect_says_so(place, options, text, expected):
    path = place("a.csv", text)
    assert read_points(path, **options).values.tolist() == expected


@pytest.mark.parametrize(
    ("name", "text", "options", "told"),
    [
        ("a.csv", "1,2\n3,abc\n", {}, r"got 'abc' in line 2, column 2 .*--columns"),
        ("a.csv", "x;y\n1,5;2\n3;4.5x\n", {}, r"got '4.5x' in line 3, column 2 \('y'\)"),
        ("a.csv", "x;y\n1,5;2,5\n3;4.5\n", {}, "got '1,5' in line 2, column 1 .*say --decimal , if"),
        ("a.csv", "x;y\n1,5;2,5\n3;4.5\n", {"decimal": ","}, "got '4.5' in line 3, column 2 .*say --decimal . if"),
        ("a.csv", "# c\n\n1;2\n3\n", {}, "expected 2 cells between semicolons .* got 1 in line 4; .*--separator"),
        ("a.csv", "# a comment\n# alone\n", {}, "comments alone; expected points"),
        ("a.csv", "1.234,5\n1.234,5\n", {"separator": ";"}, "got '1.234,5' in line 2, column 1"),
        ("a.csv", "1,2\n", {"separator": "::"}, "expected as separator a plain character, or one of comma"),
        ("a.csv", "1,2\n", {"decimal": ";"}, "expected as decimal sign a point"),
        ("a.csv", "1,2\n", {"key": "x"}, "leave --key out"),
        ("a.csv", "#NEXUS\nbegin trees;\n", {}, "expected points, a row each, and .* is a NEXUS file; `cfgraph ingest tree"),
        ("a.csv", '{"nodes": [], "links": []}', {}, "is a graph as node-link JSON; `cfgraph ingest graph"),
        ("a.txt", '<?xml version="1.0"?><graphml/>', {}, "is a graph in GraphML; `cfgraph ingest graph"),
        ("a.tsv", "format-version: 1.2\n", {}, "is an ontology in OBO; `cfgraph ingest edges"),
        ("a.npy", "#NEXUS\n", {}, "is a NEXUS file"),
        ("a.parquet", "SQLite format 3\x00", {}, "is a database of SQLite; save a table of it as .csv"),
        (
            "a.xlsx",
            b"PK\x03\x04" + bytes(22) + b"\x13\x00\x00\x00[Content_Types].xml",
            {},
            "an Excel or Office file; save the sheet",
        ),
        ("a.h5", b"\x89HDF\r\n\x1a\n", {}, "an HDF5 file"),
        ("a.csv", b"\x89HDF\r\n\x1a\n", {}, "an HDF5 file"),
        ("a.csv", b"1,2\n3,\x00\n", {}, "zero byte in line 2"),
        ("a.feather", b"ARROW1\x00\x00" + bytes(40), {}, "cannot be read as Feather"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_line(place, name, text, options, told):
    path = place(name, text)
    for read in (read_points, Embeddings.read):
        with pytest.raises(InputError, match=told.replace("points", r"\w+").replace("--", "--(?:embeddings-)?")) as caught:
            read(path, **options)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("(a:1,b:2);", "is a tree in Newick; `cfgraph ingest tree FILE` reads it"),
        ("((a,b),c);\n(a,b);\n", "is a tree in Newick"),
        ("digraph {}", "is a graph in DOT; save it as GraphML"),
        ('[{"a": 1}]', "is JSON of another kind"),
    ],
)
def test_text_that_is_no_table_at_all(place, text, told):
    with pytest.raises(InputError, match=told):
        read_points(place("a.csv", text))


def test_sparse_embeddings_are_read(tmp_path):
    sparse.save_npz(tmp_path / "e.npz", sparse.csr_array(VALUES))
    found = Embeddings.read(tmp_path / "e.npz")
    assert (found.values == VALUES).all()
    assert "zeros written out" in found.notes[0]


# -- binary files


def saved(kind, frame=FRAME):
    file = io.BytesIO()
    if kind == "npy":
        np.save(file, frame.to_numpy())
    elif kind == "npz":
        np.savez(file, it=frame.to_numpy())
    elif kind == "feather":
        frame.to_feather(file)
    else:
        frame.to_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["npy", "npz", "parquet", "feather"])
@pytest.mark.parametrize("name", ["a.{}", "a.{}.gz", "a", "a.dat", "a.csv"])
def test_tables_of_every_kind_under_every_name(place, kind, name):
    content = saved(kind)
    path = place(name.format(kind), gzip.compress(content) if name.endswith("gz") else content)
    found = read_points(path)
    assert (found.values == VALUES).all()
    assert (Embeddings.read(path).values == VALUES).all()
    assert any("was read as one" in note for note in found.notes) == (name == "a.csv")
    assert (read_logits(path).values == VALUES).all()
    assert points(id="p", data=path, depth=1).points == 5


def test_feather_has_an_index_and_names_too(tmp_path):
    feather.write_feather(pa.Table.from_pandas(FRAME.set_index(pd.Index([4, 2, 7, 1, 3]))), tmp_path / "a.feather")
    found = read_points(tmp_path / "a.feather")
    assert (found.values == VALUES).all()
    assert "index of a data frame" in found.notes[0]
    FRAME.assign(name=list("abcde")).to_feather(tmp_path / "e.feather", compression="zstd")
    assert Embeddings.read(tmp_path / "e.feather").names == tuple("abcde")
    pd.DataFrame({"label": [1, 2], "name": ["a", "b"]}).to_feather(tmp_path / "l.feather")
    assert Labels.read(tmp_path / "l.feather").values.tolist() == [1, 2]


def test_a_list_beside_an_id_is_picked(tmp_path):
    table = pa.table({"id": [1, 2, 3, 4], "logits": [[0.5, 1.5], [2.5, 0.0], [1.0, 3.0], [0.25, 0.5]]})
    parquet.write_table(table, tmp_path / "a.parquet")
    for data in (tmp_path / "a.parquet", table, table.to_pandas()):
        with pytest.raises(InputError, match="pick other columns with --columns"):
            logits(id="l", data=data)
        made = logits(id="l", data=data, columns=["logits"])
        assert made.points == 4
    assert read_points(tmp_path / "a.parquet", columns=["logits"]).values.shape == (4, 2)


LOGITS = np.random.default_rng(0).normal(size=(20, 3))


@pytest.mark.parametrize("suffix", ["parquet", "csv", "feather", "frame"])
def test_whole_numbers_among_logits_are_asked_about(tmp_path, suffix):
    frame = pd.DataFrame(LOGITS, columns=["cat", "dog", "car"]).assign(label=np.arange(20) % 3)
    data = frame if suffix == "frame" else tmp_path / f"l.{suffix}"
    if suffix != "frame":
        frame.to_csv(data, index=False) if suffix == "csv" else getattr(frame, f"to_{suffix}")(data)
    with pytest.raises(InputError, match=r"whole numbers in 'label' beside columns of fractions.*--columns cat,dog,car"):
        logits(id="l", data=data)
    assert logits(id="l", data=data, columns=["cat", "dog", "car"]).cells.names[1:].count("cat") == 1
    assert logits(id="l", data=data, columns=["cat", "dog", "car", "label"]).cells.names.count("label") == 1


def test_whole_numbers_among_points_are_told(tmp_path):
    FRAME.assign(image_id=[3, 7, 1, 9, 4]).to_parquet(tmp_path / "p.parquet")
    (note,) = read_points(tmp_path / "p.parquet").notes
    assert "column 'image_id' holds whole numbers beside columns of fractions" in note
    assert "--columns" in note
    assert read_points(tmp_path / "p.parquet", columns=["x", "y", "image_id"]).notes == ()


def test_labels_beyond_floats_stay_apart(place):
    ids = ["12345678901234567890", "12345678901234567891", "7"]
    assert Labels.read(place("l.csv", "\n".join(["label", *ids]))).values.tolist() == ids
    assert Labels.read(place("l.csv", "label\n9007199254740993\n9007199254740992\n")).values.tolist() == [2**53 + 1, 2**53]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x,y\n\u0661,2\n3,4\n", "line 2, column 1"),
        ("x,y\n1,2\n\f3,4\n", "line 3, column 1"),
        ("x,y\n1,2\n3,4\u00a0\n", "line 3, column 2"),
    ],
)
def test_digits_and_blanks_of_other_kinds_are_told_by_their_line(place, text, shown):
    with pytest.raises(InputError, match=shown):
        read_points(place("p.csv", text))


def test_logits_of_text_have_minus_infinity(place):
    path = place("l.csv", "cat;dog\n-inf;0,5\n1,5;2,5\n")
    found = read_logits(path)
    assert found.names == ("cat", "dog")
    assert found.values.tolist() == [[-np.inf, 0.5], [1.5, 2.5]]
    with pytest.raises(InputError, match="got 'nan' in line 2"):
        read_logits(place("m.csv", "cat,dog\nnan,0.5\n"))


MERGES = "0 1 0,5 2\n2 3 1,5 2\n4 5 2,5 4\n"


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("z.txt", MERGES, {}),
        ("z.csv", MERGES.replace(" ", ";"), {}),
        ("z.csv", "left;right;height;size\n" + MERGES.replace(" ", ";"), {}),
        ("z.tsv", "# a b c d\n" + MERGES.replace(" ", "\t"), {}),
        (
            "z.csv",
            "n;left;right;height;size\n" + MERGES.replace(" ", ";").replace("\n", "\n9;", 2).join(["9;", ""]),
            {"columns": 1},
        ),
    ],
)
def test_linkages_of_text(place, name, text, options):
    columns = ["left", "right", "height", "size"] if options else None
    made = linkage(id="z", data=place(name, text), columns=columns)
    assert made.points == 4
    assert sorted(set(made.cells.own["height"])) == [0, 0.5, 1.5, 2.5]


# -- from Python


TENSOR = torch.tensor(VALUES)
IN_MEMORY = {
    "array": VALUES,
    "float32": VALUES.astype(np.float32),
    "float16": VALUES.astype(np.float16),
    "longdouble": VALUES.astype(np.longdouble),
    "big-endian": VALUES.astype(">f8"),
    "Fortran": np.asfortranarray(VALUES),
    "matrix": np.asmatrix(VALUES) if hasattr(np, "asmatrix") else VALUES,
    "unmasked": np.ma.masked_array(VALUES),
    "objects": VALUES.astype(object),
    "decimals": np.vectorize(decimal.Decimal, otypes=[object])(VALUES),
    "lists": VALUES.tolist(),
    "tuples": tuple(map(tuple, VALUES.tolist())),
    "arrays in a list": list(VALUES),
    "tensors in a list": list(TENSOR),
    "pandas": FRAME,
    "pandas, index": FRAME.set_index(pd.Index([4, 2, 7, 1, 3])),
    "pandas, nullable": FRAME.convert_dtypes(),
    "pandas, sparse": FRAME.astype(pd.SparseDtype("float", 0.0)),
    "pandas, columns of numbers": pd.DataFrame(VALUES),
    "pandas, text beside": FRAME.assign(kind=list("abcde")),
    "arrow": pa.table({"x": VALUES[:, 0], "y": VALUES[:, 1]}),
    "record batch": pa.record_batch({"x": VALUES[:, 0], "y": VALUES[:, 1]}),
    "arrow, chunks": pa.concat_tables([pa.Table.from_pandas(FRAME[:2]), pa.Table.from_pandas(FRAME[2:])]),
    "arrow, lists": pa.table({"v": VALUES.tolist()}),
    "polars": pl.DataFrame({"x": VALUES[:, 0], "y": VALUES[:, 1]}),
    "dictionary": {"x": VALUES[:, 0], "y": VALUES[:, 1].tolist()},
    "named fields": np.rec.fromarrays(VALUES.T, names=["x", "y"]),
    "tensor": TENSOR,
    "half": TENSOR.half(),
    "bfloat16": TENSOR.bfloat16(),
    "float8": TENSOR.float(),
    "requires grad": TENSOR.clone().requires_grad_(),
    "transposed": TENSOR.T.contiguous().T,
    "conjugate": torch.conj(TENSOR),
    "negative view": torch.imag(torch.conj(torch.complex(TENSOR, -TENSOR))),
    "sparse tensor": TENSOR.to_sparse(),
    "parameter": torch.nn.Parameter(TENSOR),
    "csr": sparse.csr_array(VALUES),
    "coo matrix": sparse.coo_matrix(VALUES),
    "csc": sparse.csc_array(VALUES),
    "dok": sparse.dok_array(VALUES),
}


@pytest.mark.parametrize("kind", IN_MEMORY)
def test_every_table_in_memory_is_one(kind):
    data = IN_MEMORY[kind]
    assert (check_points(data, where="it").values == VALUES).all()
    assert (Embeddings.of(data).values == VALUES).all()
    made = points(id="p", data=data, depth=1)
    assert made.recipe["data_sha256"] == check_points(VALUES, where="it").digest


@pytest.mark.parametrize("kind", ["pandas", "bfloat16", "lists", "polars", "arrow"])
def test_every_source_takes_them(kind):
    data = IN_MEMORY[kind]
    assert logits(id="l", data=data).points == 5
    assert induced(id="i", data=data, depth=1, arity=2).dimension == 2
    assert hcrl(id="h", data=data, depth=1, branching=2).points == 5
    assert Labels.of([1, 2, 1]).values.tolist() == [1, 2, 1]


def test_numbers_of_every_type_of_torch():
    whole = torch.tensor([[0, 1], [1, 0]])
    for kind in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool, torch.float16, torch.bfloat16):
        assert (check_points(whole.to(kind), where="it").values == [[0, 1], [1, 0]]).all()
    for name in ("float8_e4m3fn", "float8_e5m2"):
        if hasattr(torch, name):
            assert (check_points(whole.float().to(getattr(torch, name)), where="it").values == [[0, 1], [1, 0]]).all()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([[1, 2], [3]], "rows of equal length in it, got 2 values in row 0 and 1 in row 1"),
        ([["a", "b"]], "expected numbers in it, got an array of type <U1"),
        ([[None, 1.0]], "expected numbers in it, got an array of type object"),
        (None, "expected an array or a table in it, got NoneType"),
        (object(), "expected numbers in it"),
        (np.ma.masked_array(VALUES, mask=VALUES > 8), "got 1 that are masked"),
        (torch.tensor([[1 + 2j]]), "complex"),
        (torch.empty((2, 2), device="meta"), "the tensor in it cannot be read"),
        (FRAME.where(FRAME < 8), "missing value in row 4"),
        (FRAME.assign(x="a", y="b"), "expected columns of numbers"),
        (pd.DataFrame({"x": [1, "a"]}), "expected columns of numbers in it"),
        (pa.table({"x": [1.0, None]}), "missing value in row 1"),
        ({"x": [1.0], "y": [1.0, 2.0]}, "expected columns of numbers in it, got some that cannot be read"),
        ({}, "none"),
        (FRAME["x"], "rows x columns"),
        (np.array([[10**400, 1]], dtype=object), "no floats"),
    ],
    ids=range(16),
)
def test_what_is_no_table_in_memory(data, told):
    with pytest.raises(InputError, match=told) as caught:
        check_points(data, where="it")
    assert "\n" not in str(caught.value)


def test_columns_of_a_frame_are_picked():
    frame = FRAME.assign(label=[1, 2, 1, 2, 1])
    assert (points_of(frame, columns=["y"]).values[:, 0] == VALUES[:, 1]).all()
    with pytest.raises(InputError, match="out of x, y, label, each once, got 'z'"):
        points_of(frame, columns=["z"])
    with pytest.raises(InputError, match="columns are picked of tables, and the array is none"):
        points(id="p", data=VALUES, depth=1, columns=["x"])
    with pytest.raises(InputError, match="key is about a file, and the array is in memory"):
        points(id="p", data=VALUES, depth=1, key="x")


def test_names_and_labels_come_with_frames():
    named = FRAME.assign(name=list("abcde"))
    for data in (named, pa.table(named), pl.from_pandas(named), FRAME.set_index(pd.Index(list("abcde")))):
        found = Embeddings.of(data)
        assert found.names == tuple("abcde")
        assert (found.values == VALUES).all()
    labels = pd.DataFrame({"name": ["a", "b"], "label": ["x", "y"], "more": [1, 2]})
    for data in (labels, pa.table(labels), labels.set_index("name")[["label"]]):
        found = Labels.of(data)
        assert (found.names, found.values.tolist()) == (("a", "b"), ["x", "y"])
    for data in (
        pd.Series(["x", "y"]),
        ["x", "y"],
        np.array(["x", "y"]),
        np.array([["x"], ["y"]]),
        pd.Series(["x", "y"], dtype="category"),
    ):
        assert Labels.of(data).values.tolist() == ["x", "y"]
    assert Labels.of(torch.tensor([1, 0])).values.tolist() == [1, 0]
    with pytest.raises(InputError, match="one label a row"):
        Labels.of(VALUES)


@pytest.mark.parametrize(
    "comment",
    ["% my data\n", "# my data:\n", "# data, mine\n", "# x y\n\n", "% x y\n", "# 2nd run\n"],
)
def test_a_comment_that_is_no_header_names_no_columns(comment, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(f"{comment}0.5 -1.25\n2.5 3.75\n")
    found = read_points(path)
    assert found.values.tolist() == [[0.5, -1.25], [2.5, 3.75]]
    assert "a line that is a comment was left out" in found.notes
    assert not any("names of columns" in note for note in found.notes)
