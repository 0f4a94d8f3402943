"""XML: nodes and edges as text, batch by batch, by columns: what GraphML and GEXF have in common."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from cfgraph.formats.elements import BOOLEAN, FLOAT, INTEGER, STRING, Columns

DECLARATION = "<?xml version='1.0' encoding='utf-8'?>\n"
TYPES = {INTEGER: "long", FLOAT: "double", STRING: "string", BOOLEAN: "boolean"}
_TRUTHS = {True: "true", False: "false"}
_QUOTED = {'"': "&quot;", "\n": "&#10;", "\t": "&#9;", "\r": "&#13;"}


def quoted(text: Any) -> str:
    """A text as it stands between the quotes of an XML attribute."""
    return escape(str(text), _QUOTED)


def encoded(pieces: Iterable[str]) -> bytes:
    """Pieces of a file, one after the other, as its bytes."""
    return "".join(pieces).encode("utf-8", "xmlcharrefreplace")


def value_texts(column: Sequence[Any], *, kind: str, attribute: bool = False) -> list[str | None]:
    """The values of a column as XML has them, inside an attribute or else between tags; None stays."""
    if kind == BOOLEAN:
        return [None if value is None else _TRUTHS[value] for value in column]
    if kind != STRING:
        return [None if value is None else repr(value) for value in column]
    special = _QUOTED if attribute else {}
    return [None if value is None else escape(value, special) for value in column]


def element_texts(
    openings: Iterable[str], columns: Columns, *, around: Mapping[str, tuple[str, str]], closing: str
) -> Iterator[str]:
    """A text an element: its opening, each value that it has between what stands ``around`` such a one, the closing."""
    values = [
        ["" if value is None else f"{before}{value}{after}" for value in columns[name]]
        for name, (before, after) in around.items()
        if name in columns
    ]
    return (f"{opening}{''.join(parts)}{closing}" for opening, *parts in zip(openings, *values, strict=True))
