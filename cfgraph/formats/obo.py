"""OBO: ontologies as the Gene Ontology and many others are written, terms and relations between them.

Stanzas of ``tag: value`` lines; a value may end in ``{qualifiers}`` and a ``! comment``. Of a ``[Term]`` this keeps the
identifier, the name, ``alt_id``, what stands once (``namespace``, ``def``, ``comment``, ...) and its relations: ``is_a``, and
``relationship`` by its kind. ``[Typedef]`` and ``[Instance]`` are no terms. Format: OBO 1.4, owlcollab.github.io/oboformat.
"""

import re
from pathlib import Path

from cfgraph.errors import InputError
from cfgraph.files.texts import read_text, shorten
from cfgraph.formats.ontology import Ontology, Term

_TIMES = 8  # its length in memory, measured
_SINGLE = ("namespace", "def", "comment", "created_by", "creation_date", "is_anonymous", "builtin")
_SEVERAL = ("alt_id",)
_SILENT = {"id", "name", "is_a", "relationship", "is_obsolete", "replaced_by", "consider", *_SINGLE, *_SEVERAL}
_STANZA = re.compile(r"\[([A-Za-z_]+)\]\s*(?:!.*)?")
_LINES = re.compile("\r\n|[\r\n]")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "W": " ", "t": "\t"}
_TRAILING = re.compile(r"""\s+(?:(?<!\\)\{[^{}]*\})\s*$""")
_COMMENT = re.compile(r"(?:(?<=\s)|^)(?<!\\)!")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BEGINS = re.compile(
    r"\s*(?:!.*\s+|\[(?:Term|Typedef|Instance)\]|(?:format-version|data-version|ontology|auto-generated-by)\s*:)"
)


def is_obo(begin: str) -> bool:
    """Whether a text begins like OBO."""
    return _BEGINS.match(begin) is not None and not begin.lstrip().startswith("!child")


def read_obo(path: Path | str, *, large: bool = False) -> Ontology:
    """The terms of an OBO file and the relations between them, obsolete ones told apart.

    Raises:
        InputError: for lines that are none of OBO, terms without an identifier, and a file without any term.
    """
    path = Path(path)
    return parse_obo(read_text(path, expected="an ontology as OBO", times=_TIMES, large=large), where=str(path))


def parse_obo(text: str, *, where: str) -> Ontology:
    """The ontology in a text; ``where`` says for errors what it is of."""
    ontology, kind, tags, start = Ontology(where), "", list[tuple[str, str]](), 0
    number = 0
    for number, line in _joined_lines(text):
        stripped = line.strip()
        if not stripped or stripped.startswith("!"):
            continue
        stanza = _STANZA.fullmatch(stripped)
        if stanza:
            _add(ontology, kind, tags, line=start)
            kind, tags, start = stanza[1], [], number
            continue
        tag, colon, value = stripped.partition(":")
        if not colon or not tag:
            raise InputError(
                f"line {number} of {where}: expected [Term] or a tag with a colon and a value, got {shorten(stripped)!r}"
            )
        tags.append((tag.strip(), value.strip()))
    _add(ontology, kind, tags, line=start)
    if not ontology.terms:
        raise InputError(f"{where} holds no [Term] in {number:,} lines; expected an ontology as OBO")
    return ontology


def _joined_lines(text: str):
    """The lines with their numbers; one that ends in a backslash goes on in the next."""
    before, first = "", 0
    for number, line in enumerate(_LINES.split(text), start=1):
        if line.endswith("\\") and not line.endswith("\\\\"):
            before, first = before + line[:-1], first or number
            continue
        yield first or number, before + line
        before, first = "", 0
    if before:
        yield first, before


def _add(ontology: Ontology, kind: str, tags: list[tuple[str, str]], *, line: int) -> None:
    """What a stanza tells, added to an ontology."""
    if kind == "Term":
        _add_term(ontology, tags, line=line)
    elif kind == "Typedef":
        of = {tag: _plain(value) for tag, value in tags}
        if "id" in of:
            ontology.called[of["id"]] = of.get("name", of["id"])
    elif kind:
        ontology.skip(f"[{kind}] stanzas")


def _add_term(ontology: Ontology, tags: list[tuple[str, str]], *, line: int) -> None:
    found = next((value for tag, value in tags if tag == "id"), "")
    identifier = _plain(found)
    if not identifier:
        raise InputError(f"line {line} of {ontology.where}: expected an id in each [Term], got none; give it one")
    term = ontology.terms.setdefault(identifier, Term())
    for tag, value in tags:
        if tag == "is_a":
            ontology.relate(identifier, "is_a", _first(value))
        elif tag == "relationship":
            relation, other = _two(value)
            if not other:
                raise InputError(
                    f"the [Term] at line {line} of {ontology.where}: expected a relation and a term as relationship, got "
                    f"{shorten(value)!r}"
                )
            ontology.relate(identifier, relation, other)
        elif tag == "name":
            term.name = term.name or _plain(value) or None
        elif tag == "is_obsolete":
            term.obsolete = term.obsolete or _first(value).lower() == "true"
        elif tag in _SINGLE:
            term.values.setdefault(tag, _single(tag, value))
        elif tag in _SEVERAL:
            term.lists.setdefault(tag, []).append(_plain(value))
        elif tag not in _SILENT:
            ontology.skip(tag)


def _single(tag: str, value: str) -> str | bool:
    """The value of a tag that stands once: the text in quotes of a definition, a truth value, or all."""
    if tag in ("is_anonymous", "builtin"):
        return _first(value).lower() == "true"
    quoted = _QUOTED.match(value) if tag == "def" else None
    return _unescaped(quoted[1]) if quoted else _plain(value)


def _first(value: str) -> str:
    """The identifier that a value begins with."""
    parts = value.split(None, 1)
    return _unescaped(parts[0]) if parts else ""


def _two(value: str) -> tuple[str, str]:
    parts = value.split(None, 2)
    if len(parts) < 2 or parts[1].startswith(("!", "{")):
        return "", ""
    return _unescaped(parts[0]), _unescaped(parts[1])


def _plain(value: str) -> str:
    """A value without qualifiers and comment, its escapes undone."""
    if "!" in value:
        value = _without_comment(value).rstrip()
    if value.endswith("}"):
        value = _TRAILING.sub("", value)
    return _unescaped(value.strip())


def _without_comment(value: str) -> str:
    start = 0
    if value.startswith('"') and (quoted := _QUOTED.match(value)):
        start = quoted.end()
    found = _COMMENT.search(value, start)
    return value if found is None else value[: found.start()]


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda sign: _ESCAPED.get(sign[1], sign[1]), text) if "\\" in text else text
