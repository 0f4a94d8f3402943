"""Documents: the text of a file as a whole, with errors that say what is wrong with it."""

import codecs
import re
from pathlib import Path

import numpy as np

from cfgraph.errors import InputError
from cfgraph.files.opened import OpenedFile, opened

TIMES = 4  # the bytes, the text of them, and columns or nodes
# How much memory a file takes of its length, measured: half of the worst that was found, since half of what is free is kept.
JSON_TIMES, XML_TIMES = 15, 20
NAMES_TIMES = 10
_WIDE = {  # UTF-32 first: its mark begins with that of UTF-16
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_PIECE = 1 << 20


def read_text(path: Path | str, *, expected: str, times: float = TIMES, large: bool = False) -> str:
    """The text of a file in UTF-8, line ends as they are, without a byte order mark.

    ``times`` its length is what memory has to hold of it in the end; ``large`` lifts the limits of :mod:`.opened`.

    Raises:
        InputError: for a file that is missing, unreadable, empty, too large or not UTF-8; it says what was ``expected``.
    """
    with opened(path, expected=expected, large=large) as file:
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


def check_characters(file: OpenedFile, *, expected: str) -> None:
    """An ``InputError`` for a file that is too large, in UTF-16 or UTF-32, or holds zero bytes, which no text does."""
    file.check_fits(file.size)  # before all of it is looked through
    start = file.rewound().read(len(codecs.BOM_UTF32_LE))
    wide = next((name for mark, name in _WIDE.items() if start.startswith(mark)), None)
    if wide is not None:
        raise InputError(f"expected {expected} in UTF-8, and {file.path} is in {wide}; save it in UTF-8")
    before, rest = 0, file.rewound()
    while piece := rest.read(_PIECE):
        if (place := piece.find(b"\0")) >= 0:
            line = count_line_ends(file.rewound().read(before + place), before + place) + 1
            raise InputError(
                f"expected {expected} in UTF-8, got a zero byte in line {line} of {file.path}, which no text holds; it may be "
                "in UTF-16, or no text at all: save it in UTF-8"
            )
        before += len(piece)


def check_cells(file: OpenedFile, *, separator: str, cell_bytes: int) -> None:
    """An ``InputError`` for a table of text that does not fit, a cell so many bytes: those between separators and line ends."""
    file.check_fits(file.size)  # before all of it is looked through
    signs, rest = (ord(separator), ord("\n"), ord("\r")), file.rewound()
    cells = 1
    while piece := rest.read(_PIECE):
        codes = np.frombuffer(piece, dtype=np.uint8)  # faster than to count in bytes
        cells += sum(int(np.count_nonzero(codes == sign)) for sign in signs)
    file.check_fits(cells * cell_bytes)


def read_names(path: Path | str, *, large: bool = False) -> list[str]:
    """The names in a text file, one a line; lines without a name are refused, but for the last.

    ``large`` lifts the limits of :mod:`cfgraph.files.opened`.
    """
    text = read_text(path, expected="a name a line", times=NAMES_TIMES, large=large)
    lines = re.split("\r\n|[\r\n]", text)  # what else ends a line may stand in a name
    lines = lines if lines[-1] else lines[:-1]
    if empty := [number for number, line in enumerate(lines, start=1) if not line.strip()]:
        raise InputError(f"expected a name in every line of {path}, got none in line {empty[0]} ({len(empty)} such lines)")
    return lines


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
