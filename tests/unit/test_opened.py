"""Files as they come: what declares more than it holds, does not fit, is no file, or changes while it is read."""

import gzip
import io
import os
import resource
import socket
import struct
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as arrow_parquet

from cfgraph import cli
from cfgraph.errors import InputError
from cfgraph.files.arrays import read_array, read_points
from cfgraph.files.embeddings import Embeddings
from cfgraph.files.labels import Labels
from cfgraph.files.memory import free_memory
from cfgraph.files.opened import opened, show_bytes, unchanged
from cfgraph.files.texts import read_names, read_text
from cfgraph.formats import read_gexf, read_graphml, read_node_link
from cfgraph.formats.linkage import read_linkage
from cfgraph.formats.maps import read_maps
from cfgraph.formats.newick import read_newick
from cfgraph.formats.parquet import read_parquet
from cfgraph.sources.edges import read_edges
from cfgraph.sources.graph import read_graph

TABLE = np.arange(12.0).reshape(3, 4)
LARGE = 10**12

# Every reader of files, with the suffixes that it takes.
READERS = [
    *((read_points, suffix) for suffix in (".npy", ".npz", ".csv", ".parquet")),
    *((Labels.read, suffix) for suffix in (".npy", ".npz", ".csv", ".tsv", ".parquet")),
    *((Embeddings.read, suffix) for suffix in (".npy", ".npz", ".csv", ".parquet")),
    *((read_linkage, suffix) for suffix in (".npy", ".csv")),
    *((read_graph, suffix) for suffix in (".graphml", ".gexf", ".json")),
    (read_edges, ".tsv"),
    (read_edges, ".csv"),
    (read_newick, ".nwk"),
    (read_maps, ".json"),
    (read_names, ".txt"),
    (read_parquet, ".parquet"),
    (read_graphml, ".graphml"),
    (read_gexf, ".gexf"),
    (read_node_link, ".json"),
]
every_reader = pytest.mark.parametrize(("read", "suffix"), READERS, ids=lambda value: getattr(value, "__qualname__", value))
OWN_ENCODING = (read_graphml, read_gexf)  # XML says in which encoding it is
TEXTS = [pair for pair in READERS if pair[1] not in (".npy", ".npz", ".parquet") and pair[0] not in OWN_ENCODING]
every_text = pytest.mark.parametrize(("read", "suffix"), TEXTS, ids=lambda value: getattr(value, "__qualname__", value))


def refuse(told, read, *arguments, **options):
    with pytest.raises(InputError, match=told) as caught:
        read(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def npy(shape, *, kind="'<f8'", body=b"", version=1, order="False"):
    """A .npy file with a header of one's own making."""
    header = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + body


def zipped(*members, **options):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content, **options)
    return memory.getvalue()


def archive_or_array(content, suffix):
    return content if suffix == ".npy" else zipped(("x.npy", content))


# -- arrays


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (npy((LARGE, 1), body=bytes(80)), r"declares 8\.0 TB of numbers, of shape \(1000000000000, 1\), and 80 bytes follow"),
        (npy((3, 4), body=bytes(95)), "declares 96 bytes .* 95 bytes follow"),
        (npy((3, 4), body=bytes(97)), "declares 96 bytes .* 97 bytes follow"),
        (npy((3, 4), kind="'<U9999999'", body=bytes(96)), r"declares 480\.0 MB .* 96 bytes follow"),
        (npy((-3, -4), body=bytes(96)), "shape .-3, -4., which no array has"),
        (npy((-1,)), "which no array has"),
        (npy((2**33, 2**33)), "which no machine can hold"),
        (npy((2**33, 2**33, 0)), "which no machine can hold"),
        (npy((10**30, 1)), "which no machine can hold"),
        (npy((1,) * 65, body=bytes(8)), "which no array has"),
        (npy((1,) * 9000, body=bytes(8)), "is no .* file of plain numbers"),
        (npy((3,), kind="'|O'", body=bytes(24)), "it holds Python objects"),
        (npy((3,), kind="[('a', '|O')]", body=bytes(24)), "it holds Python objects"),
        (npy((LARGE,), kind="'<U0'"), "have no bytes"),
        (npy((LARGE,), kind="'|V0'"), "have no bytes"),
        (npy((2, 1), kind="'<U1'", body=b"\xff" * 8), "stand for no characters"),
        (npy((2, 1), kind="'<U1'", body=b"\x00\xd8\x00\x00" * 2), "stand for no characters"),
        (npy((LARGE, 0)), "empty array"),
        (npy((0, LARGE)), "empty array"),
        (npy((3, 4), version=9, body=bytes(96)), "its version is"),
        (npy("(" + "-" * 9000 + "1,)", body=bytes(8)), "nested too deeply|is no .* file of plain numbers"),
        (npy("(" * 250 + ")" * 250), "is no .* file of plain numbers"),
        (npy("('''", body=bytes(8)), "is no .* file of plain numbers"),
        (npy("(3, 4), 'x': 1", body=bytes(96)), "is no .* file of plain numbers"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", "its header is longer"),
        (b"\x93NUMPY\x01\x00", "is no .* file of plain numbers"),
        (b"\x93NUM", "is no .* file of plain numbers"),
    ],
)
def test_arrays_that_declare_what_is_not_there(place, suffix, content, told):
    refuse(told, read_points, place(f"a{suffix}", archive_or_array(content, suffix)))


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("version", [1, 2, 3])
def test_arrays_that_hold_what_they_declare(place, suffix, version):
    rows = place(f"rows{suffix}", archive_or_array(npy((3, 4), body=TABLE.tobytes(), version=version), suffix))
    columns = npy((3, 4), body=TABLE.T.tobytes(), version=version, order="True")
    assert np.array_equal(read_points(rows).values, TABLE)
    assert np.array_equal(read_points(place(f"columns{suffix}", archive_or_array(columns, suffix))).values, TABLE)


ARRAY = npy((3, 4), body=np.random.default_rng(0).random(12).tobytes())


@pytest.mark.parametrize(
    "name", ["../x.npy", "/etc/x.npy", "..\\x.npy", "C:\\x.npy", "a/../../x.npy", "x\n.npy", "x\x1b[31m.npy", "x\x00.npy"]
)
@pytest.mark.parametrize("read", [read_points, Labels.read, Embeddings.read])
def test_members_that_point_elsewhere_are_refused(place, read, name):
    told = refuse("a name that no array has|no array|expected one array", read, place("a.npz", zipped((name, ARRAY))))
    assert "\x1b" not in told


def test_members_that_numpy_does_not_write_are_refused(place):
    link = zipfile.ZipInfo("x.npy")
    link.external_attr = 0o120777 << 16
    refuse("'x.npy', a link", read_points, place("a.npz", zipped((link, b"/etc/passwd"))))
    with pytest.warns(UserWarning, match="Duplicate name"):
        double = zipped(("x.npy", ARRAY), ("x.npy", ARRAY))
    refuse("two arrays 'x'", read_points, place("a.npz", double))
    refuse("another way than numpy's", read_points, place("a.npz", zipped(("x.npy", ARRAY), compress_type=zipfile.ZIP_BZIP2)))
    refuse("holds no array", read_points, place("a.npz", zipped(("x.txt", ARRAY))))
    assert read_points(place("a.npz", zipped(("a/x.npy", ARRAY), ("x.txt", b"")))).values.shape == (3, 4)


def test_damaged_archives_are_refused(place):
    whole = zipped(("x.npy", ARRAY))
    for size in range(0, len(whole), 7):
        refuse("a.npz", read_points, place("a.npz", whole[:size]))
    directory = whole.rindex(b"PK\x01\x02")
    for offset, value in ((24, 10**9), (24, 50), (42, 10**9)):  # the length of a member, and where it lies
        changed = bytearray(whole)
        changed[directory + offset : directory + offset + 4] = struct.pack("<I", value)
        refuse("a.npz", read_points, place("a.npz", bytes(changed)))
    locked = bytearray(whole)
    locked[directory + 8] |= 1
    refuse("encrypted", read_points, place("a.npz", bytes(locked)))


@pytest.mark.parametrize(("suffix", "read"), [(".npy", read_points), (".npz", read_points), (".npz", Labels.read)])
def test_a_changed_byte_ends_in_a_line(place, suffix, read):
    content, random, refused = archive_or_array(ARRAY, suffix), np.random.default_rng(1), 0
    for position in random.integers(0, len(content), 150).tolist():
        changed = bytearray(content)
        changed[position] ^= int(random.integers(1, 255))
        try:
            read(place(f"a{suffix}", bytes(changed)))
        except InputError:
            refused += 1
    assert refused > 50


# -- what becomes too much


def test_what_is_packed_too_well_wants_large(place):
    bomb = npy((100_000, 2), body=bytes(1_600_000))
    path = place("a.npz", zipped(("x.npy", bomb)))
    told = refuse(r"array 'x' of .* is 1\.6 kB compressed and becomes 1\.6 MB, over 500 times", read_points, path)
    assert "--large" in told
    assert "large=True" in told
    assert read_points(path, large=True).values.shape == (100_000, 2)
    refuse("--large", Labels.read, path)
    refuse("--large", Embeddings.read, place("b.npz", zipped(("names.npy", bomb), ("x.npy", ARRAY))))


@every_reader
def test_gzip_that_becomes_too_much_wants_large(place, read, suffix):
    packed = gzip.compress(bytes(4_000_000))
    refuse("over 500 times as much; --large", read, place(f"a{suffix}.gz", packed))
    refuse("over 500 times as much; --large", read, place(f"a{suffix}", packed))
    assert "--large" not in refuse("a", read, place(f"a{suffix}.gz", packed), large=True)


def test_gzip_is_undone_for_every_reader(place):
    text = "".join(f"n{number}\tr\n" for number in range(50))
    assert read_edges(place("e.tsv.gz", gzip.compress(text.encode()))).count == 51
    assert read_newick(place("t.nwk.gz", gzip.compress(b"(a,b)r;"))).names == ["r", "a", "b"]
    packed, plain = place("p.npy.gz", gzip.compress(ARRAY)), place("p.npy", ARRAY)
    assert np.array_equal(read_points(packed).values, read_points(plain).values)
    assert read_points(place("p.csv.gz", gzip.compress(b"x,y\n1,2\n"))).values.tolist() == [[1, 2]]
    labels = Labels.read(place("l.tsv.gz", gzip.compress(b"name\tlabel\na\t1\n")))
    assert (labels.names, labels.values.tolist()) == (("a",), [1])


def test_damaged_gzip_is_refused(place):
    whole = gzip.compress(os.urandom(100))
    for content in (whole[:-9], whole[:5], whole[:30] + b"?" + whole[31:], b"\x1f\x8b" + bytes(50), whole + b"more"):
        refuse("damaged gzip file", read_names, place("a.txt.gz", content))
    refuse("gzip file of nothing", read_names, place("a.txt.gz", gzip.compress(b"")))


@pytest.mark.parametrize(("read", "suffix"), [(read, suffix) for read, suffix in READERS if suffix not in (".npz", ".parquet")])
def test_files_that_cannot_fit_want_large(tmp_path, read, suffix):
    """A terabyte that takes no room on the disk, since nothing is written in it."""
    path = tmp_path / f"a{suffix}"
    header = npy((LARGE // 8, 1)) if suffix == ".npy" else b""
    with path.open("wb") as file:
        file.write(header)
        file.truncate(LARGE + len(header))
    told = refuse("of memory, more than half of the .* free; --large", read, path)
    assert " TB of memory" in told


def test_rows_that_lie_once_in_a_file_want_large(tmp_path):
    path, many = tmp_path / "a.parquet", pa.array(np.zeros(1_000_000))
    with arrow_parquet.ParquetWriter(path, pa.schema([("x", pa.float64())])) as writer:
        for _ in range(5):
            writer.write_table(pa.table({"x": many}))
    reads = "from cfgraph.files.arrays import read_points; read_points('a.parquet')"
    assert path.stat().st_size < 100_000
    assert "80.0 MB of memory" in limited(reads, tmp_path, free=120_000_000)


def test_texts_that_lie_once_in_a_file_want_large(tmp_path):
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(2000, dtype=np.int32)), pa.array(["a" * 100_000]))
    arrow_parquet.write_table(pa.table({"label": text}), tmp_path / "a.parquet")
    reads = "from cfgraph.files.labels import Labels; Labels.read('a.parquet')"
    assert (tmp_path / "a.parquet").stat().st_size < 100_000
    assert " of memory, more than half" in limited(reads, tmp_path, free=300_000_000)


def limited(code, folder, *, free):
    """The error of some Python code in a process whose address space leaves so many bytes."""
    if sys.platform != "linux":
        pytest.skip("other systems do not hold to limits on the address space")
    setting = (
        "import resource, numpy, pyarrow, pyarrow.parquet, pyarrow.compute, scipy; import cfgraph.files.labels; "
        "pyarrow.set_cpu_count(1); pages = int(open('/proc/self/statm').read().split()[0]); "
        f"resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + {free},) * 2); "
    )
    command = [sys.executable, "-c", setting + code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert "InputError" in done.stderr.splitlines()[-1], done.stderr
    return done.stderr.splitlines()[-1]


def test_half_of_an_address_space_is_kept(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((5_000_000, 2)))
    read = "from cfgraph.files.arrays import read_points; read_points('a.npy')"
    told = limited(read, tmp_path, free=120_000_000)
    assert "takes up to 80.0 MB of memory, more than half of the 1" in told
    assert "does not fit into memory" in limited(read.replace("'a.npy'", "'a.npy', large=True"), tmp_path, free=60_000_000)


def test_a_long_label_does_not_widen_the_others(place):
    rows = "".join(f"{number}\n" for number in range(1000))
    labels = Labels.read(place("a.csv", f"label\n{'x' * 100_000}\n{rows}"))
    assert labels.values.dtype == object
    assert len(labels.values) == 1001


# -- what is no file


@every_reader
def test_what_is_no_file_is_refused(tmp_path, read, suffix):
    path = tmp_path / f"a{suffix}"
    path.mkdir()
    refuse("cannot be read: Is a directory", read, path)
    path.rmdir()
    os.mkfifo(path)
    refuse("is a pipe, no regular file", read, path)
    path.unlink()
    path.symlink_to(path)
    refuse("symbolic links", read, path)
    path.unlink()
    path.symlink_to("/dev/zero")
    refuse("is a device, no regular file", read, path)
    refuse("there is no file", read, tmp_path / f"none{suffix}")
    refuse("cannot be read: File name too long", read, tmp_path / f"{'a' * 300}{suffix}")
    refuse("cannot be read: embedded null byte", read, tmp_path / f"a\0{suffix}")


def test_a_socket_is_no_file(tmp_path):
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(tmp_path / "a.nwk"))
        refuse("cannot be read", read_newick, tmp_path / "a.nwk")


@every_reader
def test_bytes_of_any_kind_are_refused(place, read, suffix):
    for content in (b"", bytes(100), np.random.default_rng(0).bytes(1000), b"\xff\xfe" + bytes(10), b"PK\x03\x04" + bytes(90)):
        refuse(f"a{suffix}|'a'", read, place(f"a{suffix}", content))


def test_names_of_files_that_are_no_text(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe"))
    for read, suffix, content in (
        (read_points, ".csv", b"x,y\n1,2\n"),
        (Labels.read, ".csv", b"label\n1\n"),
        (read_edges, ".tsv", b"a\tr\n"),
        (read_points, ".npz", zipped(("x.npy", ARRAY))),
    ):
        path.with_suffix(suffix).write_bytes(content)
        read(path.with_suffix(suffix))
    table = pa.table({"x": [1.0], "name": ["a"]})
    with path.with_suffix(".parquet").open("wb") as file:
        arrow_parquet.write_table(table, file)
    assert Embeddings.read(path.with_suffix(".parquet")).names == ("a",)


# -- what changes while it is read


def write_meanwhile(path, text, *, fault=None):
    with opened(path, expected="names") as file:
        file.handle.read()
        path.write_text(text)
        if fault is not None:
            raise fault


def test_a_file_that_changes_is_refused(place):
    path = place("a.txt", "one\n")
    refuse("changed while it was read; run this again", write_meanwhile, path, "one\ntwo\n")
    refuse("changed while it was read", write_meanwhile, path, "", fault=InputError("it is cut off"))
    with pytest.raises(InputError, match="changed while it was read"), unchanged(path):
        place("b.txt", "three\n").replace(path)
    with opened(path, expected="names") as file:
        assert file.handle.read() == b"three\n"


# -- text


TABLES = (read_points, Labels.read, Embeddings.read, read_linkage, read_edges, read_names)  # which find out the encoding
BY_NAME = [pair for pair in TEXTS if pair[0] not in TABLES]


@pytest.mark.parametrize(("read", "suffix"), BY_NAME, ids=lambda value: getattr(value, "__qualname__", value))
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_wide_text_is_refused_by_its_name(place, read, suffix, encoding):
    refuse(
        "is in UTF-(16|32); save it in UTF-8|zero byte in line 1|is no XML|is no GEXF",
        read,
        place(f"a{suffix}", "a,b\na,b\n".encode(encoding)),
    )


@every_text
def test_zero_bytes_are_refused_with_their_line(place, read, suffix):
    refuse("zero byte in line 3", read, place(f"a{suffix}", b"a,b\r1,2\r\n1,\x00\n"))


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_every_line_end_is_one(place, end):
    def write(name, *lines):
        return place(name, "".join(line + end for line in lines).encode())

    assert read_points(write("p.csv", "x,y", "1,2", "3,4")).values.tolist() == [[1, 2], [3, 4]]
    assert read_points(write("p.csv", "1,2", "3,4")).values.tolist() == [[1, 2], [3, 4]]
    labels = Labels.read(write("l.tsv", "name\tlabel", "a\t1", "b\t2"))
    assert (labels.names, labels.values.tolist()) == (("a", "b"), [1, 2])
    vectors = Embeddings.read(write("e.csv", "name,x", "a,1", "b,2"))
    assert (vectors.names, vectors.values.tolist()) == (("a", "b"), [[1], [2]])
    assert read_names(write("n.txt", "a", "b")) == (["a", "b"], ())
    assert read_newick(write("t.nwk", "(a,", "b)r;")).names == ["r", "a", "b"]
    assert read_linkage(write("z.csv", "0,1,0.5,2", "2,3,0.7,3")).count == 5
    pairs = read_edges(write("g.csv", "# note", "child,parent", "a,r", "#", "  ", "", '"b",r', "# c,r"))
    assert pairs.names == ["a", "b", "r"]
    refuse("line 3 of .*no child of 'b'", read_edges, write("g.csv", "child,parent", "a,r", ",b"))
    refuse("line 2, column 3", read_newick, write("t.nwk", "(a,", "b))r;"))
    refuse("in line 2, column 1", read_points, write("p.csv", "1,2", "a,4", "3,4"))


def test_line_ends_may_differ_in_a_file(place):
    assert read_edges(place("g.csv", b"child,parent\ra,r\n# no\rb,r\r\nc,r\r")).names == ["a", "b", "c", "r"]
    assert read_points(place("p.csv", b"x,y\r1,2\n3,4\r\n5,6\r")).values.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert Labels.read(place("l.csv", b"name,label\ra,1\nb,2\r\nc,3\r")).names == ("a", "b", "c")
    assert read_names(place("n.txt", b"a\rb\nc\r\nd")) == (["a", "b", "c", "d"], ())


@pytest.mark.parametrize("end", ["\r", "\n"])
def test_words_above_numbers_are_no_edge(place, end):
    rows = end.join(["x,y", "1,2", "3,4", ""])
    refuse("first row of .*, 'x' under 'y', stands alone above rows of numbers", read_edges, place("a.csv", rows))
    assert read_edges(place("a.csv", rows), child="x", parent="y").names == ["1", "3", "2", "4"]


def test_the_mark_of_utf8_is_left_out(place):
    assert read_text(place("a.txt", b"\xef\xbb\xbfa"), expected="a text") == "a"
    assert read_points(place("p.csv", b"\xef\xbb\xbf1,2\n")).values.tolist() == [[1, 2]]
    assert Labels.read(place("l.csv", b"\xef\xbb\xbflabel\nx\n")).values.tolist() == ["x"]


# -- how much is free


def system(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_free_memory_is_the_least_that_anything_leaves(tmp_path):
    machine = {"proc/meminfo": "MemTotal: 9000 kB\nMemFree: 1000 kB\nMemAvailable: 8000 kB\n"}
    assert free_memory(system(tmp_path / "machine", machine)) == 8000 * 1024
    second = {
        **machine,
        "proc/self/cgroup": "0::/job/step\n",
        "sys/fs/cgroup/job/memory.max": "3000000\n",
        "sys/fs/cgroup/job/memory.current": "2500000\n",
        "sys/fs/cgroup/job/memory.stat": "anon 1\ninactive_file 500000\n",
        "sys/fs/cgroup/job/step/memory.max": "max\n",
        "sys/fs/cgroup/job/step/memory.current": "2000000\n",
    }
    assert free_memory(system(tmp_path / "second", second)) == 1_000_000
    first = {
        **machine,
        "proc/self/cgroup": "4:memory:/outside/of/the/container\n1:cpu:/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "4000000\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "1000000\n",
        "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 0\n",
    }
    assert free_memory(system(tmp_path / "first", first)) == 3_000_000
    unlimited = {**first, "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}
    assert free_memory(system(tmp_path / "unlimited", unlimited)) == 8000 * 1024
    over = {**second, "sys/fs/cgroup/job/memory.current": "9000000\n"}
    assert free_memory(system(tmp_path / "over", over)) == 0


def test_free_memory_of_this_machine():
    free = free_memory()
    assert free is not None
    assert 0 < free <= os.sysconf("SC_PHYS_PAGES") * resource.getpagesize()


def test_bytes_are_shown_in_units():
    assert [show_bytes(number) for number in (0, 999, 1000, 6.4e9, 8e12, 1e30)] == [
        "0 bytes", "999 bytes", "1.0 kB", "6.4 GB", "8.0 TB", "1000000000000.0 EB",
    ]  # fmt: skip


def test_logits_in_their_own_type_are_counted_once(place):
    assert read_array(place("a.npy", npy((2, 3), kind="'<f2'", body=bytes(12))), what="logits").values.dtype == np.float16


def test_what_outgrows_memory_later_is_a_line_too(monkeypatch, capsys):
    """A file that fits may become what does not, in numpy's hands: a line, no traceback."""

    def outgrow(*_, **__):
        return np.empty(1 << 62, dtype=np.int8)

    monkeypatch.setattr(cli.cfgraph, "main", outgrow)
    assert cli.run([]) == 2
    told = capsys.readouterr().err
    assert "does not fit into memory" in told
    assert told.count("\n") == 1
