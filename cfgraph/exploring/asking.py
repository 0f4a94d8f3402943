"""Asking: people's own Cypher from the page: read only, which the server enforces, within limits of rows, text and time."""

import json
import re
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from cfgraph.errors import CypherError, InputError, ReadOnlyError
from cfgraph.exploring.panel import SAFE_INTEGER
from cfgraph.model.address import is_address
from cfgraph.model.as_json import json_value

if TYPE_CHECKING:
    from cfgraph.store import Store
    from cfgraph.store.notifications import Notification

ROWS_MAX = 1_000
QUERY_SECONDS = 30.0
ANSWER_LETTERS_MAX = 8_000_000  # of all rows as text
HITS_MAX = 10_000
READ_ONLY = "this Cypher would write, and this page only reads; nothing was written: `cfgraph query --write` writes"
_PARAMETER = re.compile(r"\s*:params?\s+`?(?P<name>\w+)`?\s*(?:=>|:)\s*(?P<value>.*?)\s*;?\s*", re.DOTALL)


def ask(store: "Store", text: str, parameters: dict[str, Any], *, limit: int, token: str) -> dict[str, Any]:
    """The first rows of Cypher, what the server warns of, and which cells the rows name.

    Args:
        store: where it is asked; the server refuses what would write, and ends what takes too long.
        text: the Cypher. Lines such as ``:param id => 'koch'`` before it are parameters, as in Neo4j's own console.
        parameters: others.
        limit: how many rows are told; ``more`` says whether there are more.
        token: by which another thread can end it (``store.end_query``).

    Raises:
        ReadOnlyError: for Cypher that would write.
        InputError: for what takes too long, or is none.
    """
    cypher, own = parse_parameters(text)
    given = {**parameters, **own}
    told: list[Notification] = []
    begin = time.monotonic()
    asked = store.open_query(cypher, given, notify=told.append, seconds=QUERY_SECONDS, token=token)
    try:
        with asked as (columns, found):
            rows, more = _bounded(found, limit)
    except ReadOnlyError as error:
        raise ReadOnlyError(READ_ONLY) from error
    return {
        "columns": columns,
        "rows": rows,
        "more": more,
        "notifications": [{"text": str(one), "code": one.code, "line": one.line, "column": one.column} for one in told],
        "hits": cells_in(columns, rows, known=given.get("id")),
        "seconds": round(time.monotonic() - begin, 3),
    }


def parse_parameters(text: str) -> tuple[str, dict[str, Any]]:
    """The Cypher of a text, and the parameters that lines ``:param name => value`` before it give."""
    lines, given = text.splitlines(keepends=True), dict[str, Any]()
    while lines and (not lines[0].strip() or lines[0].lstrip().startswith(":")):
        line = lines.pop(0)
        if line.strip():
            match = _PARAMETER.fullmatch(line)
            if match is None:
                raise CypherError(f"expected a line such as :param id => 'koch', got {line.strip()[:80]!r}")
            given[match["name"]] = _value(match["value"])
    return "".join(lines), given


def _value(text: str) -> Any:
    if len(text) > 1 and text[0] == text[-1] == "'":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    try:
        return json.loads(text)
    except ValueError:
        raise CypherError(f"expected a parameter as JSON or between ' and ', got {text[:80]!r}") from None


def _bounded(found: Any, limit: int) -> tuple[list[list[Any]], bool]:
    """The first rows, as JSON holds them, and whether there are more: at most ``limit``, and not too much text."""
    rows, letters = list[list[Any]](), 0
    for row in islice(found, limit):
        told = [as_json(value) for value in row]
        letters += len(json.dumps(told))
        if letters > ANSWER_LETTERS_MAX:
            if not rows:
                raise InputError(f"the first row alone is more than {ANSWER_LETTERS_MAX:,} letters; return less of it")
            return rows, True
        rows.append(told)
    return rows, next(iter(found), None) is not None


def as_json(value: Any) -> Any:
    """A value of a row as a page can hold it: integers beyond JavaScript's, not-a-number and infinities are text."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= SAFE_INTEGER else str(value)
    if isinstance(value, float):
        return value if json_value(value) is not None else str(value)
    if isinstance(value, list):
        return [as_json(inner) for inner in value]
    if isinstance(value, dict):
        return {str(name): as_json(inner) for name, inner in value.items()}
    return str(value)


def cells_in(columns: list[str], rows: list[list[Any]], *, known: Any) -> dict[str, list[str]]:
    """The cells that rows name, by hierarchy: nodes, keys, and addresses of the hierarchy that the parameter ``id`` names."""
    found: dict[str, dict[str, None]] = {}

    def visit(value: Any, column: str) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("key"), str) and "Cell" in value.get("labels", ["Cell"]):
                visit(value["key"], "key")
            else:
                for name, inner in value.items():
                    visit(inner, name)
        elif isinstance(value, list):
            for inner in value:
                visit(inner, column)
        elif isinstance(value, str) and "/" in value:
            id, slash, rest = value.partition("/")
            id, address = (known, value) if not id else (id, slash + rest)
            if isinstance(id, str) and is_address(address):
                found.setdefault(id, {})[address] = None

    for row in rows:
        for column, value in zip(columns, row, strict=True):
            visit(value, column)
    return {id: list(addresses)[:HITS_MAX] for id, addresses in found.items()}
