"""Mutated inputs over every reader, and what was found by more of them: ``make fuzz`` runs 100,000."""

import gzip
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from cfgraph.errors import InputError
from cfgraph.files.arrays import read_points
from cfgraph.files.labels import Labels
from cfgraph.formats.parquet import read_parquet, write_parquet
from cfgraph.sources.ifs import ifs
from tests.fuzz.readers import READERS, Reader
from tests.fuzz.run import make_input, run, try_input

SEED = 14


def test_inputs_are_those_of_their_number():
    first, second = make_input(7, seed=SEED), make_input(7, seed=SEED)
    assert first == second
    assert any(make_input(7 + len(READERS) * step, seed=SEED)[1] != first[1] for step in range(1, 9))


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_some_inputs_of_the_corpus_are_read(reader, tmp_path):
    """Else mutations of it would show nothing."""
    read = 0
    for content in reader.corpus:
        path = tmp_path / f"input{reader.suffix}"
        path.write_bytes(content)
        with suppress(InputError):
            reader.read(path)
            read += 1
    assert read


def faulty(path):
    content = path.read_bytes()
    if content == b"raise":
        raise ValueError("raw")
    if content == b"lines":
        raise InputError("a\nb")
    if content == b"memory":
        return len(np.ones(30_000_000))
    return None


def test_faults_are_found(tmp_path):
    """The run itself is able to fail."""
    reader = Reader("faulty", faulty, ".txt", lambda: [b""])
    assert "ValueError: 'raw'" in try_input(reader, b"raise", folder=tmp_path)[0]
    assert "several lines" in try_input(reader, b"lines", folder=tmp_path)[0]
    assert "MB of memory" in try_input(reader, b"memory", folder=tmp_path)[0]
    assert try_input(reader, b"fine", folder=tmp_path) is None


@pytest.mark.slow("5,000 inputs in processes of their own")
def test_mutated_inputs_are_read_or_refused():
    finds = run(5000, seed=SEED)
    assert not finds, "\n".join(map(str, finds))


# -- finds


def test_names_of_columns_are_shown_in_a_line(place):
    with pytest.raises(InputError, match="got a b, 1; name one") as caught:
        Labels.read(place("l.csv", '"a\nb",1\n"c",2\n'))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".csv", ".txt", ".npy", ".parquet", ".feather", ""])
def test_what_unpacks_to_too_much_is_refused(place, suffix):
    path = place(f"a{suffix}", gzip.compress(b"0" * 4_000_000))
    with pytest.raises(InputError, match="over 500 times as much; --large"):
        read_points(path)


def test_a_separator_is_a_plain_character(place):
    with pytest.raises(InputError, match="in line 2, column 1"):
        read_points(place("a.txt", "sep=\u00e9\n1\u00e92\n3\u00e94\n"))
    with pytest.raises(InputError, match="expected as separator a plain character"):
        read_points(place("a.txt", "1 2\n"), separator="\u00e9")


@pytest.mark.parametrize("read", [read_points, Labels.read, read_parquet])
def test_no_byte_of_a_footer_of_parquet_ends_the_process(tmp_path, read):
    """What says how often values of columns are missing made pyarrow abort, which no exception tells."""
    path, changed = tmp_path / "a.parquet", tmp_path / "b.parquet"
    if read is read_parquet:
        write_parquet(ifs(id="h", maps="koch", depth=1), path)
    else:
        parquet.write_table(pa.table({"label": [0.5, 1.5]}).replace_schema_metadata({}), path, store_schema=False)
    content = path.read_bytes()
    begin = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    places = range(begin, len(content) - 8)
    refused = 0
    for place in [*places][-150:] if read is read_parquet else places:
        data = bytearray(content)
        data[place] ^= 1 << place % 8
        changed.write_bytes(data)
        try:
            read(changed)
        except InputError:
            refused += 1
    assert refused > 10
