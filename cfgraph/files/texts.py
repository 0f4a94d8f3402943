"""Documents: the text of a file as a whole, with errors that say what is wrong with it."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cfgraph.errors import InputError
from cfgraph.files.encodings import as_utf8, check_characters
from cfgraph.files.opened import OpenedFile, opened
from cfgraph.files.recognised import HEAD, check_signature, recognise

TIMES = 4  # the bytes, the text of them, and columns or nodes
# How much memory a file takes of its length, measured: half of the worst that was found, since half of what is free is kept.
JSON_TIMES, XML_TIMES = 15, 20
NAMES_TIMES = 10
_PIECE = 1 << 20


def read_text(path: Path | str, *, expected: str, times: float = TIMES, large: bool = False) -> str:
    """The text of a file in UTF-8, line ends as they are, without a byte order mark.

    ``times`` its length is what memory has to hold of it in the end; ``large`` lifts the limits of :mod:`.opened`.

    Raises:
        InputError: for a file that is missing, unreadable, empty, too large or not UTF-8; it says what was ``expected``.
    """
    with opened(path, expected=expected, large=large) as file:
        check_signature(file.rewound().read(HEAD), path, expected=expected)
        file.check_fits(times * file.size)
        check_characters(file, expected=expected)
        content = file.rewound().read()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = count_line_ends(content, error.start) + 1
        raise InputError(
            f"expected {expected} in UTF-8, got byte {content[error.start]:#04x} in line {line} of {path}"
        ) from None
    if not text or text.isspace():
        raise InputError(f"{path} is empty; expected {expected}")
    return text


def read_any_text(path: Path | str, *, expected: str, times: float = TIMES, large: bool = False) -> tuple[str, tuple[str, ...]]:
    """The text of a file in whichever encoding it is, as tables are read, and what is said of that where it was guessed.

    Raises:
        InputError: as :func:`read_text`, and for what is no text in any encoding that :func:`.encodings.as_utf8` knows.
    """
    with opened(path, expected=expected, large=large) as file:
        check_signature(file.rewound().read(HEAD), path, expected=expected)
        file.check_fits(times * file.size)
        found, notes = as_utf8(file, expected=expected)
        text = found.rewound().read().decode("utf-8-sig")
    if not text or text.isspace():
        raise InputError(f"{path} is empty; expected {expected}")
    return text, notes


def check_cells(file: OpenedFile, *, separator: str, cell_bytes: int) -> None:
    """An ``InputError`` for a table of text that does not fit, a cell so many bytes: those between separators and line ends."""
    file.check_fits(file.size)  # before all of it is looked through
    signs, rest = (ord(separator), ord("\n"), ord("\r")), file.rewound()
    cells = 1
    while piece := rest.read(_PIECE):
        codes = np.frombuffer(piece, dtype=np.uint8)  # faster than to count in bytes
        cells += sum(int(np.count_nonzero(codes == sign)) for sign in signs)
    file.check_fits(cells * cell_bytes)


def given_names(
    names: Sequence[str] | Path | str | None, *, large: bool = False
) -> tuple[Sequence[str] | None, tuple[str, ...]]:
    """Names as they were given, or those in a file (:func:`read_names`) with what is said of it."""
    return read_names(names, large=large) if isinstance(names, Path | str) else (names, ())


def read_names(path: Path | str, *, large: bool = False) -> tuple[list[str], tuple[str, ...]]:
    """The names in a text file, one a line, and what is said of its encoding; lines without a name are refused, but the last.

    ``large`` lifts the limits of :mod:`cfgraph.files.opened`.
    """
    with opened(path, expected="a name a line", large=large) as file:
        found = recognise(file.rewound().read(HEAD))
    if found is not None and found.certain:
        raise found.error(path, expected="names, one a line")
    text, notes = read_any_text(path, expected="a name a line", times=NAMES_TIMES, large=large)
    lines = re.split("\r\n|[\r\n]", text)  # what else ends a line may stand in a name
    lines = lines if lines[-1] else lines[:-1]
    if empty := [number for number, line in enumerate(lines, start=1) if not line.strip()]:
        raise InputError(f"expected a name in every line of {path}, got none in line {empty[0]} ({len(empty)} such lines)")
    return lines, tuple(f"names: {note}" for note in notes)


def place_of(text: str, position: int) -> str:
    """A position in a text as people count: ``line 2, column 7``, both from 1."""
    before = max(text.rfind(end, 0, position) for end in "\r\n")
    return f"line {count_line_ends(text, position) + 1}, column {position - before}"


def count_line_ends(text: str | bytes, position: int) -> int:
    """How many lines end before a position: by a line feed, a carriage return (as once on the Mac), or both."""
    if isinstance(text, bytes):
        return text.count(b"\n", 0, position) + text.count(b"\r", 0, position) - text.count(b"\r\n", 0, position)
    return text.count("\n", 0, position) + text.count("\r", 0, position) - text.count("\r\n", 0, position)


def shorten(text: str) -> str:
    """A text as a line of at most 60 characters, as messages show it."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."
