"""Encodings: text in UTF-8, whatever a file is written in; told by marks and zeros, else guessed, which is said."""

import codecs
import io
import re
from dataclasses import replace

from cfgraph.errors import InputError
from cfgraph.files.opened import OpenedFile

_MARKS = {  # UTF-32 first: its mark begins with that of UTF-16
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_WEST = "Windows-1252"
_PIECE = 1 << 20
_TIMES = 6  # the length of a text that is decoded, in memory: its bytes, the text of them, and that in UTF-8


def as_utf8(file: OpenedFile, *, expected: str) -> tuple[OpenedFile, tuple[str, ...]]:
    """A file of text in UTF-8, decoded where it is in another encoding, with a note of that where it was guessed.

    UTF-16 and UTF-32 are told by their marks, and UTF-16 without one by its zeros; what is no UTF-8 is taken for Windows-1252.

    Raises:
        InputError: for zero bytes, which no text holds, and what does not fit.
    """
    start = file.rewound().read(64)
    encoding = next((name for mark, name in _MARKS.items() if start.startswith(mark)), None) or _without_mark(start)
    if encoding is None:
        check_characters(file, expected=expected)
        if _is_utf8(file):
            return file, ()
    file.check_fits(_TIMES * file.size)
    content = file.rewound().read()
    if encoding is not None:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError as error:
            raise InputError(
                f"expected {expected}, and {file.path}, which begins as {encoding}, is none from byte {error.start} on; "
                "save it in UTF-8"
            ) from None
        if "\0" in text:
            raise InputError(f"expected {expected}, got a zero in {file.path}, which no text holds; save it in UTF-8")
        return with_text(file, text), ()
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    note = f"no UTF-8: was read as {_WEST} (Latin-1), the usual one of western Europe; save it in UTF-8 if names look wrong"
    return with_text(file, text), (note,)


def _without_mark(start: bytes) -> str | None:
    """UTF-16 that does not say so: every second byte of its begin is a zero."""
    if len(start) < 4 or len(start) % 2:
        start = start[: len(start) // 2 * 2]
    if len(start) < 4:
        return None
    even, odd = start[::2], start[1::2]
    if not any(odd) and all(even):
        return "UTF-16-LE"
    return "UTF-16-BE" if not any(even) and all(odd) else None


def _is_utf8(file: OpenedFile) -> bool:
    decoder, rest = codecs.getincrementaldecoder("utf-8")(), file.rewound()
    try:
        while piece := rest.read(_PIECE):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def with_text(file: OpenedFile, text: str) -> OpenedFile:
    """The same file with this text in place of what it holds."""
    content = text.removeprefix("\ufeff").encode("utf-8", "replace")
    return replace(file, handle=io.BytesIO(content), size=len(content))


def check_characters(file: OpenedFile, *, expected: str) -> None:
    """An ``InputError`` for a file that is too large, in UTF-16 or UTF-32, or holds zero bytes, which no text does."""
    file.check_fits(file.size)  # before all of it is looked through
    start = file.rewound().read(len(codecs.BOM_UTF32_LE))
    wide = next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)
    if wide is not None:
        raise InputError(f"expected {expected} in UTF-8, and {file.path} is in {wide}; save it in UTF-8")
    before, rest = 0, file.rewound()
    while piece := rest.read(_PIECE):
        if (place := piece.find(b"\0")) >= 0:
            line = len(re.findall(rb"\r\n|[\r\n]", file.rewound().read(before + place))) + 1
            raise InputError(
                f"expected {expected} in UTF-8, got a zero byte in line {line} of {file.path}, which no text holds; it may be "
                "in UTF-16, or no text at all: save it in UTF-8"
            )
        before += len(piece)
