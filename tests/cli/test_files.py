"""Hostile files at the command line: one line on stderr, exit code 2, before any store is asked."""

import gzip
import os
import zipfile

import numpy as np
import pytest

from tests.cli.test_refusals import refusal

HEADER = np.lib.format.magic(1, 0)
# Every command that reads files: its words, {} in the place of the file, and a suffix that it takes.
COMMANDS = {
    "ifs": (["ingest", "ifs", "{}", "--depth", 2, "--as", "x"], ".json"),
    "points": (["ingest", "points", "{}", "--depth", 2, "--as", "x"], ".csv"),
    "parquet": (["ingest", "parquet", "{}"], ".parquet"),
    "logits": (["ingest", "logits", "{}", "--as", "x"], ".npy"),
    "linkage": (["ingest", "linkage", "{}", "--as", "x"], ".csv"),
    "tree": (["ingest", "tree", "{}", "--as", "x"], ".nwk"),
    "edges": (["ingest", "edges", "{}", "--as", "x"], ".tsv"),
    "graph": (["ingest", "graph", "{}", "--as", "x"], ".graphml"),
    "embeddings": (["ingest", "tree", "none.nwk", "--embeddings", "{}", "--as", "x"], ".npz"),
    "evaluate": (["evaluate", "x", "--labels", "{}"], ".csv"),
    "compare": (["compare", "x", "y", "--by", "name", "--embeddings", "{}"], ".csv"),
}


def words_of(command, path):
    return [str(path) if word == "{}" else word for word in COMMANDS[command][0]]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_reads_files_takes_large(run_alone, tmp_path, command):
    """Zeros in gzip are refused for their ratio, and with --large for what they are."""
    path = tmp_path / f"a{COMMANDS[command][1]}.gz"
    path.write_bytes(gzip.compress(bytes(2_000_000)))
    assert "--large" in refusal(run_alone, *words_of(command, path))
    assert "over 500 times" not in refusal(run_alone, *words_of(command, path), "--large")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_is_not_waited_for(run_alone, tmp_path, command):
    path = tmp_path / f"a{COMMANDS[command][1]}"
    os.mkfifo(path)
    assert "is a pipe" in refusal(run_alone, *words_of(command, path))


def test_arrays_that_declare_too_much(run_alone, tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000), }\n"
    content = HEADER + len(header).to_bytes(2, "little") + header + bytes(80)
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", content)
    for name in ("a.npy", "a.npz"):
        told = refusal(run_alone, "ingest", "points", tmp_path / name, "--depth", 2, "--as", "x")
        assert "declares 8.0 TB of numbers" in told
        assert "80 bytes follow" in told


def test_names_that_are_no_text(run_alone, tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff\x1b[31m.npy"
    with open(path, "wb") as file:  # noqa: PTH123 - a name that is no text
        file.write(b"no array")
    assert "is no .npy file" in refusal(run_alone, "ingest", "points", os.fsdecode(path), "--depth", 2, "--as", "x")


def test_a_report_without_an_end(run_alone, tmp_path):
    told = refusal(run_alone, "plot", "--report", "/dev/zero", "-o", tmp_path / "a.png")
    assert "of at most 67,108,864 bytes" in told
