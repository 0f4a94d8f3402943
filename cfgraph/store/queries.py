"""The query loader: the files of cypher/, checked as they are read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from cfgraph.errors import QueryFileError

ACCESS = ("read", "write", "schema")
_HEADER = re.compile(r"//\s*(name|purpose|access|parameter|column):\s*(.+?)\s*$")
_USED = re.compile(r"\$(?:([A-Za-z_]\w*)|\(\s*\$([A-Za-z_]\w*)\s*\))")
_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|//[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class Query:
    """One operation: its statement and what its header promises."""

    name: str
    purpose: str
    access: str
    parameters: dict[str, str]  # name -> type
    columns: dict[str, str]
    statement: str

    def check_parameters(self, given: Mapping[str, object]) -> None:
        """Raise a ``QueryFileError`` where the call lacks a parameter or has one too many."""
        missing, unknown = self.parameters.keys() - given.keys(), given.keys() - self.parameters.keys()
        if missing or unknown:
            wanted = ", ".join(f"{name} ({kind})" for name, kind in self.parameters.items()) or "none"
            wrong = [f"missing: {', '.join(sorted(missing))}"] * bool(missing)
            wrong += [f"unknown: {', '.join(sorted(unknown))}"] * bool(unknown)
            raise QueryFileError(f"operation {self.name} takes the parameters {wanted}; {'; '.join(wrong)}")


def parse_query(text: str, *, file: str) -> Query:
    """The query that a file holds; a ``QueryFileError`` with file and line where it breaks the rules of cypher/README.md."""
    header, body_line = _read_header(text, file=file)
    statement = "\n".join(text.splitlines()[body_line:]).strip().removesuffix(";").strip()
    bare = _TEXT.sub(" ", statement)
    if not bare.strip():
        raise QueryFileError(f"{file}:{body_line + 1}: expected one statement after the header, got an empty body")
    if ";" in bare:
        raise QueryFileError(f"{file}:{body_line + 1}: expected one statement, got several (a ';' inside)")
    query = Query(
        name=_single(header, "name", file=file),
        purpose=_single(header, "purpose", file=file),
        access=_single(header, "access", file=file),
        parameters=_named(header["parameter"], file=file),
        columns=_named(header["column"], file=file),
        statement=statement,
    )
    _check_query(query, bare, file=file, line=body_line + 1)
    return query


def _read_header(text: str, *, file: str) -> tuple[dict[str, list[str]], int]:
    header: dict[str, list[str]] = {field: [] for field in ("name", "purpose", "access", "parameter", "column")}
    for number, line in enumerate(text.splitlines()):
        if not line.startswith("//"):
            return header, number
        match = _HEADER.match(line)
        if not match:
            raise QueryFileError(f"{file}:{number + 1}: expected a header line such as '// name: ...', got {line!r}")
        header[match[1]].append(match[2])
    return header, len(text.splitlines())


def _single(header: dict[str, list[str]], field: str, *, file: str) -> str:
    if len(header[field]) != 1:
        raise QueryFileError(f"{file}:1: expected one line '// {field}: ...' in the header, got {len(header[field])}")
    return header[field][0]


def _named(lines: list[str], *, file: str) -> dict[str, str]:
    named = {}
    for line in lines:
        name, _, kind = line.partition(" ")
        if not kind or name in named:
            raise QueryFileError(f"{file}:1: expected 'name type', each name once, got {line!r}")
        named[name] = kind
    return named


def _check_query(query: Query, bare: str, *, file: str, line: int) -> None:
    stem = file.removesuffix(".cypher")
    if query.name != stem:
        raise QueryFileError(f"{file}:1: expected the name {stem!r}, as the file is called, got {query.name!r}")
    if query.access not in ACCESS:
        raise QueryFileError(f"{file}:1: expected access read, write or schema, got {query.access!r}")
    used = {first or second for first, second in _USED.findall(bare)}
    if used != query.parameters.keys():
        unlike = ", ".join(sorted(used ^ query.parameters.keys()))
        raise QueryFileError(f"{file}:{line}: the declared parameters differ from the used ones: {unlike}")


@cache
def load_queries() -> dict[str, Query]:
    """Every operation of cypher/, by name."""
    entries = sorted(files("cfgraph.cypher").iterdir(), key=lambda entry: entry.name)
    found = [parse_query(entry.read_text("utf-8"), file=entry.name) for entry in entries if entry.name.endswith(".cypher")]
    return {query.name: query for query in found}


@cache
def load_query(name: str) -> Query:
    """One operation of cypher/; a ``QueryFileError`` that lists them where there is none of that name."""
    entry = files("cfgraph.cypher").joinpath(name + ".cypher")
    if not name.isidentifier() or not entry.is_file():
        raise QueryFileError(f"there is no operation {name!r}; there are: {', '.join(load_queries())}")
    return parse_query(entry.read_text("utf-8"), file=entry.name)
