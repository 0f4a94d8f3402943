"""Visible: control characters written out, so that what data holds steers no terminal, turns no line round and breaks no XML.

Names, labels, notes and file names come from wherever people found their data. Each such character is shown as Python
writes it: ``\\x1b`` for the one that begins a terminal's commands, ``\\u202e`` for one that turns the direction of writing.
"""

import re
import sys
from typing import Any, TextIO

# C0, DEL and C1; marks, embeddings, overrides and isolates of the direction of writing; separators of lines and paragraphs;
# halves of characters; and the two that are none and that XML has no room for.
CONTROLS = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff"
_ALL = re.compile(f"[{CONTROLS}]")
_ALL_BUT_LAYOUT = re.compile(rf"(?![\n\t])[{CONTROLS}]")


def visible(text: str, *, lines: bool = False) -> str:
    """A text with every control character written out: ``"a\\x1b[31m"`` comes as ``a``, backslash, ``x1b[31m``.

    With ``lines`` it may have several, and tabs: line feeds and tabs stay. What is visible already comes back as it is.
    """
    pattern = _ALL_BUT_LAYOUT if lines else _ALL
    return text if text.isascii() and text.isprintable() else pattern.sub(_written_out, text)


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


class VisibleStream:
    """A text stream, of a terminal perhaps, on which whatever is written is visible, a traceback's words too.

    ``own`` is the stream below: for colors, for movements of the cursor, and for data that another program reads.
    """

    def __init__(self, stream: TextIO):
        self.own = stream

    def write(self, text: str) -> int:
        """Write a text, its control characters but line feeds and tabs written out."""
        return self.own.write(visible(text, lines=True))

    def writelines(self, texts: "list[str]") -> None:
        """Write texts, one after the other."""
        for text in texts:
            self.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)


def show_controls(*names: str) -> None:
    """Make the streams of ``sys`` of these names visible ones; a letter that their encoding lacks is written out, too."""
    for name in names:
        stream = getattr(sys, name)
        if not isinstance(stream, VisibleStream):
            stream.reconfigure(errors="backslashreplace")
            setattr(sys, name, VisibleStream(stream))


def own_stream(stream: TextIO) -> TextIO:
    """The stream below a visible one, and any other as it is."""
    return stream.own if isinstance(stream, VisibleStream) else stream
