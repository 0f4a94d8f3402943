"""Annotations: what tools write beside the nodes of a tree, as columns.

BEAST writes ``[&rate=0.2,range={1,2}]``, NHX ``[&&NHX:S=human]``.

Each key becomes a column, of the kind that all its values are: whole numbers, numbers, truth values, vectors of one width,
else the texts as they stand. A value in quotes is a text.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from cfgraph.model.columns import (
    CELL_COLUMNS,
    FLOAT,
    IDENTITY,
    INTEGER_MAX,
    JSON,
    KIND_OF_TYPE,
    names_of,
    one_kind,
    own_column,
)

Values = dict[str, dict[int, Any]]  # by key, the values of nodes

RESERVED = {
    *IDENTITY,
    *names_of(CELL_COLUMNS),
    "name",
    "row",
    "merge",
    "branch_length",
}  # a source says them of a cell by itself
_MEASURES = ("height", "affinity")  # which other verbs count with: of every node with children, or not called so
_PAIR = re.compile(r"\s*+([^=,{}]++)=\s*+(\{[^{}]*+\}|\"(?:[^\"]|\"\")*+\"|'(?:[^']|'')*+'|[^,]*+)\s*+(?:,|$)")
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_NUMBER = re.compile(
    r"[-+]?(?:(?:0|[1-9][0-9]*+)(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]+)?|[-+]?(?:nan|inf|infinity)", re.IGNORECASE
)
_TRUTHS = {"true": True, "false": False}
_NHX = "&&NHX"


def read_pairs(comment: str) -> list[tuple[str, str]] | None:
    """The keys and values of a comment, which stands without its brackets; None where it is no annotation."""
    if comment[:5].upper() == _NHX:
        fields = [field.partition("=") for field in comment[5:].split(":") if field.strip()]
        return [(key.strip(), value.strip()) for key, _, value in fields] if fields and all(f[1] for f in fields) else None
    if not comment.startswith("&"):
        return None
    pairs, position = [], 1
    while position < len(comment):
        found = _PAIR.match(comment, position)
        if found is None:
            return None
        pairs.append((found[1].strip(), found[2].strip()))
        position = found.end()
    return pairs or None


def add_pairs(values: Values, node: int, pairs: Iterable[tuple[str, Any]]) -> None:
    """Keep a node's annotations; one that comes again (that of its branch) goes under the key with an underscore."""
    for key, value in pairs:
        while node in values.setdefault(key, {}):
            key += "_"
        values[key][node] = value


def annotation_columns(
    values: Mapping[str, Mapping[int, Any]], *, count: int, inner: np.ndarray
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The columns of annotations, and a note of those that got another name; ``inner`` says which nodes have children.

    A key that is called like what every cell has gets an underscore; so does ``height``, where some node with
    children has none.
    """
    columns, renamed = {}, {}
    for key, of_nodes in values.items():
        column = _column(of_nodes, count=count)
        called = key
        while called in RESERVED or (called != key and called in values) or (called in _MEASURES and _has_gaps(column, inner)):
            called += "_"
        if called != key:
            renamed[key] = called
        columns[called] = column
    pairs = ", ".join(f"{key} is {called}" for key, called in renamed.items())
    return columns, (f"attributes that are called like what cells have got an underscore: {pairs}",) if renamed else ()


def _has_gaps(column: np.ndarray, inner: np.ndarray) -> bool:
    """Whether some node with children has no number in the column."""
    if column.ndim > 1 or column.dtype.kind not in "fi":
        return True
    return bool((~np.isfinite(column[inner]) | (column[inner] < 0)).any())


def _column(of_nodes: Mapping[int, Any], *, count: int) -> np.ndarray:
    """The values of some nodes as a column, of the kind that all of them are."""
    nodes, values = list(of_nodes), list(of_nodes.values())
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) < len(values):  # values that were typed before
        known = _typed(values)
    else:
        read_all = (read(texts) for read in _READERS)
        known = next((found for found in read_all if found is not None), list(map(_bare, texts)))
    if isinstance(known[0], list | np.ndarray):
        vectors = np.full((count, len(known[0])), np.nan)
        vectors[nodes] = known
        return vectors
    if isinstance(known[0], float):
        column = np.full(count, np.nan)
        column[nodes] = known
        return column
    spread: list[Any] = [None] * count
    for node, value in zip(nodes, known, strict=True):
        spread[node] = value
    return own_column(spread)


def _typed(values: Sequence[Any]) -> list[Any]:
    """Values of one kind; whole numbers among others are floats, and values of several kinds are texts."""
    kind = one_kind({KIND_OF_TYPE.get(type(value), "vectors") for value in values})
    return list(map(float, values)) if kind == FLOAT else list(values) if kind != JSON else list(map(_as_text, values))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else str(_TRUTH_TEXTS.get(value, value) if isinstance(value, bool) else value)


_TRUTH_TEXTS = {True: "true", False: "false"}


def _bare(text: str) -> str:
    """A text without the quotes around it."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1].replace(text[0] * 2, text[0])
    return text


def _wholes(texts: Sequence[str]) -> list[int] | None:
    if not all(map(_WHOLE.fullmatch, texts)):
        return None
    numbers = list(map(int, texts))
    return numbers if max(map(abs, numbers)) <= INTEGER_MAX else None


def _floats(texts: Sequence[str]) -> list[float] | None:
    return list(map(float, texts)) if all(map(_NUMBER.fullmatch, texts)) else None


def _truths(texts: Sequence[str]) -> list[bool] | None:
    lower = [text.lower() for text in texts]
    return [_TRUTHS[text] for text in lower] if set(lower) <= _TRUTHS.keys() else None


def _vectors(texts: Sequence[str]) -> list[Any] | None:
    """Vectors in braces, where all are numbers and have one width."""
    width = texts[0].count(",") + 1
    if not all(text[:1] == "{" and text[-1:] == "}" and text.count(",") + 1 == width for text in texts):
        return None
    parts = ",".join(text[1:-1] for text in texts).split(",")
    if not all(_NUMBER.fullmatch(part.strip()) for part in parts):
        return None
    numbers = np.array(parts, dtype=np.float64).reshape(-1, width)
    return list(numbers) if np.isfinite(numbers).all() else None


_READERS: tuple[Callable[[Sequence[str]], list[Any] | None], ...] = (_wholes, _floats, _truths, _vectors)


def format_pairs(pairs: Iterable[tuple[str, Any]]) -> str:
    """Annotations in brackets, in BEAST's way; nothing where there are none."""
    shown = ",".join(f"{key}={_shown(value)}" for key, value in pairs)
    return f"[&{shown}]" if shown else ""


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "{" + ",".join(_shown(one) for one in value) + "}"
    if isinstance(value, bool):
        return _TRUTH_TEXTS[value]
    if isinstance(value, int | float):
        return repr(value)
    return '"' + str(value).replace('"', '""').replace("[", "(").replace("]", ")") + '"'
