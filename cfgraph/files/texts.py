"""Documents: the text of a file as a whole, with errors that say what is wrong with it."""

import re
from pathlib import Path

from cfgraph.errors import InputError


def read_text(path: Path | str, *, expected: str) -> str:
    """The text of a file in UTF-8, line ends as they are, without a byte order mark.

    Raises:
        InputError: for a file that is missing, unreadable, empty or not UTF-8; it says what was ``expected``.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no file {path}; expected {expected}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; expected {expected}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"expected {expected} in UTF-8, got byte {content[error.start]:#04x} in line {line} of {path}"
        ) from None
    if not text or text.isspace():
        raise InputError(f"{path} is empty; expected {expected}")
    return text


def read_names(path: Path | str) -> list[str]:
    """The names in a text file, one a line; lines without a name are refused, but for the last."""
    lines = re.split("\r\n|[\r\n]", read_text(path, expected="a name a line"))  # what else ends a line may stand in a name
    lines = lines if lines[-1] else lines[:-1]
    if empty := [number for number, line in enumerate(lines, start=1) if not line.strip()]:
        raise InputError(f"expected a name in every line of {path}, got none in line {empty[0]} ({len(empty)} such lines)")
    return lines


def place_of(text: str, position: int) -> str:
    """A position in a text as people count: ``line 2, column 7``, both from 1."""
    return f"line {text.count(chr(10), 0, position) + 1}, column {position - text.rfind(chr(10), 0, position)}"


def shorten(text: str) -> str:
    """A text as a line of at most 60 characters, as messages show it."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."
