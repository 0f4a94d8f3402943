"""XML: nodes and edges as text, batch by batch, by columns: what GraphML and GEXF have in common."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from cfgraph.errors import InputError, one_line
from cfgraph.files.opened import HOW, OpenedFile, opened
from cfgraph.files.texts import XML_TIMES
from cfgraph.formats.elements import BOOLEAN, FLOAT, INTEGER, STRING, Columns
from cfgraph.visible import visible

DECLARATION = "<?xml version='1.0' encoding='utf-8'?>\n"
TYPES = {INTEGER: "long", FLOAT: "double", STRING: "string", BOOLEAN: "boolean"}
_TRUTHS = {True: "true", False: "false"}
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # not as &#...; either
_ENTITY = [b"<!ENTITY", *("<!ENTITY".encode(wide) for wide in ("utf-16-le", "utf-16-be"))]
_QUOTED = {'"': "&quot;", "\n": "&#10;", "\t": "&#9;", "\r": "&#13;"}


@contextmanager
def opened_graph(path: str | Path, *, form: str, large: bool) -> Iterator[OpenedFile]:
    """A graph's file to read within the block; an ``InputError`` for what is none, however networkx comes upon it."""
    from xml.etree.ElementTree import ParseError

    import networkx as nx

    try:
        with opened(path, expected=f"a graph as {form}", large=large) as file:
            file.check_fits(XML_TIMES * file.size)
            check_entities(file.rewound().read(), path=path, large=large)
            file.rewound()
            yield file
    except RecursionError:
        raise InputError(f"{str(path)!r} is nested too deeply to be {form}") from None
    except (ParseError, nx.NetworkXError, LookupError, AttributeError, TypeError, ValueError) as error:  # of an encoding, too
        raise InputError(f"{str(path)!r} is no {form} file: {one_line(error)}") from error


def check_entities(content: bytes, *, path: str | Path, large: bool) -> None:
    """An ``InputError`` for XML that declares entities: a few bytes for each use of them, and any length in memory."""
    if not large and any(sign in content for sign in _ENTITY):
        raise InputError(f"{path} declares entities, which may make any length of it; write out what they stand for, or {HOW}")


def quoted(text: Any) -> str:
    """A text as it stands between the quotes of an XML attribute; characters that XML cannot hold are written out."""
    text = str(text)
    if not text.isprintable():
        text = _NO_XML.sub(lambda letter: visible(letter[0]), text)
    return escape(text, _QUOTED)


def encoded(pieces: Iterable[str]) -> bytes:
    """Pieces of a file, one after the other, as its bytes."""
    return "".join(pieces).encode()


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
