"""Kinds of tables: which of the forms that numbers come in a file has, by its suffix, else by how it begins."""

from pathlib import Path

from cfgraph.files.opened import OpenedFile, opened
from cfgraph.files.recognised import HEAD, recognise

OF_SUFFIX = {
    ".npy": "npy",
    ".npz": "npz",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".feather": "feather",
    ".arrow": "feather",
    ".ipc": "feather",
    ".csv": "text",
    ".tsv": "text",
    ".tab": "text",
    ".txt": "text",
}
SUFFIXES = ".npy, .npz, .parquet, .feather, .csv, .tsv, .txt"  # as errors name them
KINDS = ("npy", "npz", "parquet", "feather")
_WORDS = {"npy": "an .npy file", "npz": "an .npz file", "parquet": "a .parquet file", "feather": "a Feather file"}


def table_kind(file: OpenedFile, *, what: str) -> tuple[str, tuple[str, ...]]:
    """``npy``, ``npz``, ``parquet``, ``feather`` or ``text``, and a note where its suffix tells another.

    Raises:
        InputError: for a file that is something else, named for what it is.
    """
    named, found = OF_SUFFIX.get(file.suffix), recognise(file.rewound().read(HEAD))
    if found is None or not found.certain:
        return named or "text", ()
    if found.kind == "zip" and named in KINDS:
        return named, ()  # whose reader says what is wrong with it
    if found.kind not in KINDS:
        raise found.error(file.path, expected=f"{what}, a row each")
    if named in (None, found.kind):
        return found.kind, ()
    if named == "text":
        return found.kind, (f"{file.path.name} is {_WORDS[found.kind]}, and was read as one",)
    return named, ()  # whose reader says how to rename it


def kind_of(path: Path, *, what: str, large: bool = False) -> str:
    """The kind of a file that is not open yet; errors are those of :func:`table_kind` and of opening it."""
    with opened(path, expected=expected_rows(what, SUFFIXES), large=large) as file:
        return table_kind(file, what=what)[0]


def expected_rows(what: str, suffixes: str) -> str:
    """What errors say that a file should hold."""
    return f"{what}, a row each, in a file that ends in {suffixes}"
