"""Points from files: the same table from every format, and one clear line for what is none."""

import decimal
import hashlib
import pickle
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyarrow import parquet

from cfgraph.errors import InputError
from cfgraph.files.arrays import PointTable, check_points, read_points

TABLE = np.array([[1.0, -2.5, 3e-7], [4.0, 5.0, 6e8]])


def refuse(told, *arguments, **options):
    with pytest.raises(InputError, match=told) as caught:
        read_points(*arguments, **options)
    assert "\n" not in str(caught.value)


def save(path, array, **options):
    np.save(path, array, **options)
    return path


def save_parquet(path, **columns):
    parquet.write_table(pa.table(columns), path)
    return path


FINITE = st.floats(-1e90, 1e90, allow_subnormal=False)


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=FINITE))
def test_all_formats_give_the_same_bits(tmp_path_factory, table):
    folder = tmp_path_factory.mktemp("points")
    names = [f"x{index}" for index in range(table.shape[1])]
    np.save(folder / "a.npy", table)
    np.savez_compressed(folder / "a.npz", one=table)
    (folder / "a.csv").write_text("\n".join([",".join(names), *(",".join(map(repr, row)) for row in table.tolist())]))
    (folder / "bare.csv").write_text("\n".join(",".join(map(repr, row)) for row in table.tolist()) + "\n")
    save_parquet(folder / "a.parquet", **{name: table[:, index] for index, name in enumerate(names)})
    save_parquet(folder / "lists.parquet", vector=table.tolist())
    for path in folder.iterdir():
        read = read_points(path)
        assert (read.values == table).all(), path.name
        assert read.values.dtype == np.float64
        assert read.digest == check_points(table, where="it").digest


@pytest.mark.parametrize("shape", [(7, 3), (1, 1), (0, 4), (5, 0), (40, 9)])
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int16, ">f8"])
def test_digest_in_pieces_is_that_of_the_whole(monkeypatch, shape, kind):
    """Recipes hold it: it must never change."""
    values = (np.random.default_rng(0).normal(size=shape) * 3).astype(kind)
    values[values == 0] = -0.0
    for table in (values, np.asfortranarray(values), values[::-1, ::2]):
        numbers = np.ascontiguousarray(table + 0.0, dtype="<f8")
        wanted = hashlib.sha256(repr(numbers.shape).encode() + numbers.tobytes()).hexdigest()
        for size in (1, 10, 1 << 21):
            monkeypatch.setattr("cfgraph.files.arrays.BATCH_NUMBERS", size)
            assert PointTable(table).digest == wanted


def test_digest_takes_no_copy_of_the_table():
    table = PointTable(np.ones((400_000, 20)))  # 64 MB
    tracemalloc.start()
    try:
        assert table.digest
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()


def test_digest_tells_numbers_and_shape_apart():
    digests = {check_points(table, where="it").digest for table in (TABLE, TABLE.reshape(3, 2), TABLE * 2, TABLE.T)}
    assert len(digests) == 4
    assert (
        check_points(TABLE.astype(np.float32).astype(float) * 0, where="it").digest
        == check_points(-TABLE * 0, where="it").digest
    )


@pytest.mark.parametrize("kind", [np.int8, np.uint16, np.int64, np.float16, np.float32, bool])
def test_every_number_type_becomes_floats(tmp_path, kind):
    values = np.array([[0, 1], [1, 0]], dtype=kind)
    assert (read_points(save(tmp_path / "a.npy", values)).values == values.astype(float)).all()


def test_images_are_flattened_with_a_note(tmp_path):
    images = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    table = read_points(save(tmp_path / "a.npy", images))
    assert (table.values == images.reshape(3, 20)).all()
    assert table.notes == ("each point is 4 x 5 values, flattened to 20",)


def test_a_key_picks_an_array(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, first=TABLE, second=TABLE * 2)
    assert (read_points(path, key="second").values == TABLE * 2).all()
    refuse("holds 2 arrays; say which with --key: first, second", path)
    refuse("no array 'third'; it holds first, second", path, key="third")
    refuse("leave --key out", save(tmp_path / "a.npy", TABLE), key="first")


def test_columns_pick_and_order(place, tmp_path):
    path = place("a.csv", "name,x,y\nu,1,2\nv,3,4\n")
    assert read_points(path, columns=["y", "x"]).values.tolist() == [[2, 1], [4, 3]]
    assert read_points(place("b.csv", "5,1,2\n6,3,4\n"), columns=["2"]).values.tolist() == [[2], [4]]
    refuse("out of name, x, y, each once, got 'z'", path, columns=["z"])
    refuse("different columns", path, columns=["x", "x"])
    refuse("got 'u' in line 2, column 1", path, columns=["x", "name"])
    refuse("leave --columns out", save(tmp_path / "a.npy", TABLE), columns=["x"])
    path = save_parquet(tmp_path / "a.parquet", name=["u", "v"], x=[1, 3], y=[2.0, 4.0])
    assert read_points(path, columns=["y", "x"]).values.tolist() == [[2, 1], [4, 3]]
    assert read_points(path).notes == ("columns without numbers were left out: name",)
    refuse("got string", path, columns=["name"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x,y\n1,2\n", [[1, 2]]),
        ("1,2\n", [[1, 2]]),
        ("1,2", [[1, 2]]),
        ("\ufeffx,y\r\n1,2\r\n", [[1, 2]]),
        ("\ufeff1,2\n", [[1, 2]]),
        ("\n\nx,y\n\n1,2\n\n3,4\n\n", [[1, 2], [3, 4]]),
        (" 1 , 2\n", [[1, 2]]),
        ('"x","y"\n"1","2"\n', [[1, 2]]),
        (",x\n1,2\n", [[2]]),  # pandas writes its index without a name
        ("7\n8\n", [[7], [8]]),
    ],
)
def test_csv_as_people_write_it(place, text, expected):
    assert read_points(place("a.csv", text)).values.tolist() == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("\n \n", "blank lines only|holds a header and no points"),
        ("x,y\n", "a header and no points"),
        ("x,y\n1,2\n3,abc\n", "got 'abc' in line 3, column 2"),
        ("x,y\n\n1,2\n\n3,abc\n", "got 'abc' in line 5, column 2"),
        ("1,2\n3,\n", "got '' in line 2, column 2"),
        ("1,2\nnan,4\n", "got 'nan' in line 2, column 1"),
        ("1,2\n3,-inf\n", "got '-inf' in line 2, column 2"),
        ("1,2\n3,1e999\n", "got '1e999' in line 2"),
        ("1,abc\n3,4\n", "got 'abc' in line 1, column 2.*a header is a first line without any number"),
        ("1,2\n3\n", "expected 2 cells in every row .* got 1 in line 2"),
        ("1,2\n3,4,5\n", "got 3 in line 2"),
        ("1,2\n3;4\n", "got '3;4'|got 1 in line 2"),
        ("1_0,2\n", "got '1_0' in line 1"),
        (b"\xff1,2\n", "line 1, column 1"),
        (b"\xff\xfe1,2\n3", "begins as UTF-16, is none from byte|is not a table|got '"),
    ],
)
def test_csv_that_is_no_table_of_numbers(place, text, told):
    refuse(told, place("a.csv", text))


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.zeros(5), r"rows x columns .* shape \(5,\)"),
        (np.float64(1), r"shape \(\)"),
        (np.zeros((0, 3)), r"empty array of shape \(0, 3\)"),
        (np.zeros((3, 0)), r"empty array of shape \(3, 0\)"),
        (np.array([["a", "b"]]), "got an array of type <U1"),
        (np.ones((2, 2)) * 1j, "complex128"),
        (np.zeros(3, dtype=[("a", "U3")]), "columns of numbers"),
        (np.array([[1.0, 2.0], [3.0, np.nan], [np.nan, 1.0]]), "2 others, the first nan in row 1, column 1"),
        (np.array([[1.0, -np.inf]]), "-inf in row 0, column 1"),
        (np.array([[1.0, 1e200]]), "1e[+]200 in row 0"),
    ],
)
def test_arrays_that_are_no_points(tmp_path, array, told):
    refuse(told, save(tmp_path / "a.npy", array))
    np.savez(tmp_path / "a.npz", it=array)
    refuse(told, tmp_path / "a.npz")


def test_python_objects_are_never_loaded(place, tmp_path):
    objects = np.array([[1, "a"], [None, 2]], dtype=object)
    refuse("Python objects", save(tmp_path / "a.npy", objects, allow_pickle=True))
    np.savez(tmp_path / "a.npz", it=objects)
    refuse("Python objects", tmp_path / "a.npz")
    refuse("is a pickle of Python's; loading it would run", place("b.npy", pickle.dumps([1, 2])))


def test_damaged_files_are_refused(place, tmp_path):
    whole = save(tmp_path / "a.npy", TABLE).read_bytes()
    refuse(r"declares 48 bytes of numbers, of shape \(2, 3\), and 43 bytes follow", place("cut.npy", whole[:-5]))
    refuse("is no .npy file", place("text.npy", "hello"))
    refuse("rename it to end in .npz", place("zip.npy", _zipped(tmp_path)))
    refuse("rename it to end in .npy", place("plain.npz", whole))
    damaged = bytearray(_zipped(tmp_path))
    damaged[len(damaged) // 2] ^= 255
    refuse("is no .npz file", place("damaged.npz", bytes(damaged)))
    refuse("is no .npz file", place("cut.npz", bytes(damaged[:100])))
    refuse("cannot be read as .parquet", place("text.parquet", "hello"))
    for suffix in ("npy", "npz", "csv", "parquet"):
        refuse("is empty", place(f"empty.{suffix}", b""))
        refuse("there is no file", tmp_path / f"absent.{suffix}")
    refuse("ends in .npy, .npz, .parquet, .feather, .csv, .tsv, .txt", tmp_path / "a.txt")
    (tmp_path / "folder.csv").mkdir()
    refuse("cannot be read", tmp_path / "folder.csv")


def _zipped(folder):
    np.savez_compressed(folder / "zipped.npz", it=np.random.default_rng(0).normal(size=(30, 30)))
    return (folder / "zipped.npz").read_bytes()


def test_an_archive_without_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz")
    refuse("holds no array", tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"x": [1.0, None]}, "missing value in row 1 .* of column 'x'"),
        ({"x": [[1.0, None]]}, "missing value in value 1 .* of column 'x'"),
        ({"x": [[1.0, 2.0], [3.0]]}, "lists of equal length in column 'x' .* 2 values in row 0 and 1 in row 1"),
        ({"x": [[1.0], None]}, "missing value in row 1"),
        ({"x": ["a"]}, r"single one of lists .* got x \(string\)"),
        ({"x": [1.0], "y": [[1.0]]}, "pick other columns with --columns"),
        ({"x": [[1.0]], "y": [[1.0]]}, "pick other columns with --columns"),
        ({"x": [1.0, float("nan")]}, "nan in row 1, column 0"),
        ({"x": pa.array([], pa.float64())}, "empty array"),
    ],
)
def test_parquet_that_is_no_table_of_numbers(tmp_path, columns, told):
    refuse(told, save_parquet(tmp_path / "a.parquet", **columns))


def test_parquet_of_many_types(tmp_path):
    table = {"d": pa.array([decimal.Decimal("1.5")]), "b": [True], "i": pa.array([7], pa.uint8())}
    assert read_points(save_parquet(tmp_path / "a.parquet", **table)).values.tolist() == [[1.5, 1.0, 7.0]]
    fixed = pa.array([[1, 2], [3, 4]], pa.list_(pa.int32(), 2))
    assert read_points(save_parquet(tmp_path / "b.parquet", v=fixed)).values.tolist() == [[1, 2], [3, 4]]
