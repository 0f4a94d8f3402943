"""Nested JSON: d3's form of a tree, ``{"name": "root", "children": [{"name": "a", "value": 3}, ...]}``, read and written.

A node's other keys become columns where they hold texts, numbers, truth values, or vectors of numbers of one width; ``length``
is that of the edge above it. Neither reading nor writing recurses, so trees may be of any depth.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cfgraph.errors import InputError
from cfgraph.files.texts import JSON_TIMES, place_of, read_text, shorten
from cfgraph.files.whole import whole_file
from cfgraph.formats.annotations import Values
from cfgraph.formats.newick import ROOT_LENGTH, Nodes, TreeRules, good_length, newick_dag, nodes_dag
from cfgraph.formats.plain import json_text
from cfgraph.model.columns import INTEGER_MAX, known_values
from cfgraph.model.dag import Dag
from cfgraph.model.trees import preorder, tree_parents

if TYPE_CHECKING:
    from cfgraph.model.hierarchy import HierarchyWithCells

EXAMPLE = '{"name": "root", "children": [{"name": "a"}, {"name": "b"}]}'
_CHILDREN = ("children", "_children")  # the latter of trees that were folded up
_NAMES = ("name", "id", "label")  # the first that is there is the name
_PIECE = 1 << 14  # nodes that are written at once


def read_nested_json(path: Path | str, *, large: bool = False, rules: TreeRules | None = None) -> Dag:
    """The tree in a file; see :func:`parse_nested_json`, and :mod:`cfgraph.files.opened` on ``large``."""
    text = read_text(path, expected=f"nested JSON such as {EXAMPLE}", times=JSON_TIMES, large=large)
    return parse_nested_json(text, where=str(path), rules=rules)


def parse_nested_json(text: str, *, where: str = "the text", rules: TreeRules | None = None) -> Dag:
    """The tree that a text holds.

    Raises:
        InputError: for what is no JSON, with the line and the column, and what is no tree of objects with ``children``.
    """
    return nested_dag(parse_json(text, where=where), where=where, rules=rules)


def nested_dag(data: Any, *, where: str = "the object", rules: TreeRules | None = None) -> Dag:
    """The tree of nested objects: dictionaries with ``children``, lists of such.

    Raises:
        InputError: for what is none, with the way to the place.
    """
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    lists = [key for key in ("nodes", "links", "edges") if isinstance(data, Mapping) and isinstance(data.get(key), list)]
    if len(lists) > 1:
        raise InputError(f"{where} is node-link JSON, lists of nodes and of edges: `cfgraph ingest graph` reads it")
    if not isinstance(data, Mapping) or not any(key in data for key in (*_CHILDREN, *_NAMES)):
        raise InputError(f"expected an object with a name and children, such as {EXAMPLE}, in {where}, got {_told(data)}")
    nodes, rules = _Nodes(), rules or TreeRules()
    stack: list[tuple[int, Any]] = [(-1, data)]
    while stack:
        above, node = stack.pop()
        number = nodes.add(above, node, rules=rules, where=where)
        stack += [(number, child) for child in reversed(_children(node, nodes, number, where=where))]
    return nodes.dag(rules)


def _children(node: Mapping[str, Any], nodes: "_Nodes", number: int, *, where: str) -> list[Any]:
    key = next((key for key in _CHILDREN if node.get(key) is not None), None)
    below = [] if key is None else node[key]
    if not isinstance(below, list):
        raise InputError(f"expected a list as {key!r} of {nodes.way(number)} in {where}, got {_told(below)}")
    return below


def _told(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    shown = f" with the keys {', '.join(map(str, list(value)[:5]))}" if isinstance(value, dict) and value else ""
    return f"{kinds.get(type(value), 'a number')}{shown}"


@dataclass(eq=False)
class _Nodes:
    """The nodes that were met so far, each before its children."""

    parent: list[int] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    length: list[float] = field(default_factory=list)
    bad: list[tuple[int, float]] = field(default_factory=list)
    values: Values = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)  # keys whose values no column holds, and how often

    def add(self, above: int, node: Any, *, rules: TreeRules, where: str) -> int:
        """Take a node, and give its number."""
        number = len(self.parent)
        if not isinstance(node, Mapping):
            raise InputError(f"expected objects as children of {self.way(above)} in {where}, got {_told(node)}; give it a name")
        called = next((key for key in _NAMES if node.get(key) is not None), None)
        name = None if called is None else node[called]
        if name is not None and not isinstance(name, str | int | float):
            raise InputError(f"expected a text as {called!r} below {self.way(above)} in {where}, got {_told(name)}")
        self.parent.append(above)
        self.names.append(None if name is None else _name(name))
        self.length.append(math.nan)
        for key, value in node.items():
            if key == called or key in _CHILDREN or value is None:
                continue
            if key == "length" and isinstance(value, int | float) and not isinstance(value, bool):
                self.length[number] = good_length(float(value), number, bad=self.bad, rules=rules, where=where)
            elif _is_number(value) or isinstance(value, str | bool):
                self.values.setdefault(str(key), {})[number] = value
            elif isinstance(value, list) and value and all(map(_is_number, value)):
                self.values.setdefault(str(key), {})[number] = [float(one) for one in value]
            else:
                self.left[str(key)] = self.left.get(str(key), 0) + 1
        return number

    def way(self, number: int) -> str:
        """A node as messages show it: the names on the way to it."""
        names: list[str] = []
        while number >= 0 and len(names) < 5:
            names.append(self.names[number] or f"node {number}")
            number = self.parent[number]
        return shorten("/".join([*(["..."] if number >= 0 else []), *reversed(names)])) or "the root"

    def dag(self, rules: TreeRules) -> Dag:
        """The tree of them."""
        vectors, others = self._split()
        nodes = Nodes(
            np.array(self.parent, dtype=np.int64), self.names, np.array(self.length), bad=self.bad, values=vectors | others
        )
        told = ", ".join(f"{key} ({times:,} times)" for key, times in self.left.items())
        left = f"values that are no texts, numbers, truth values or vectors of one width were left out: {told}"
        return nodes_dag(nodes, rules=rules, notes=[left] if told else [])

    def _split(self) -> tuple[Values, Values]:
        """Keys whose values are vectors, and the others; vectors of several widths, or beside others, are left out."""
        vectors: Values = {}
        others: Values = {}
        for key, of_nodes in self.values.items():
            lists = {node: value for node, value in of_nodes.items() if isinstance(value, list)}
            if len(lists) < len(of_nodes):
                others[key] = {node: value for node, value in of_nodes.items() if node not in lists}
                self.left |= {key: self.left.get(key, 0) + len(lists)} if lists else {}
            elif len({len(value) for value in lists.values()}) == 1:
                vectors[key] = lists
            else:
                self.left[key] = self.left.get(key, 0) + len(lists)
        return vectors, others


def _name(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= INTEGER_MAX if isinstance(value, int) else math.isfinite(value)


# -- JSON of any depth


def parse_json(text: str, *, where: str) -> Any:
    """What a JSON text holds, however deeply it is nested.

    Raises:
        InputError: for what is no JSON, with the line and the column.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{where} is no JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        return _parse_deep(text, where=where)
    except ValueError:  # says Python, which does not read them
        raise InputError(
            f"{where} holds a whole number of thousands of digits, which nothing here can keep; round it"
        ) from None


def _parse_deep(text: str, *, where: str) -> Any:
    """The same without recursion: a stack holds the objects and lists that are open."""
    decoder = json.JSONDecoder()
    holder: list[Any] = []
    stack: list[Any] = [holder]  # lists and dictionaries, each with what comes next put into it
    keys: list[str | None] = [None]
    position = _after_blanks(text, 0)
    while position < len(text):
        sign, here = text[position], stack[-1]
        if sign in "}]" and len(stack) > 1 and isinstance(here, dict) == (sign == "}"):
            stack.pop()
            keys.pop()
            position = _after_blanks(text, position + 1)
        elif sign == "," and (here if here is not holder else None):
            position = _after_blanks(text, position + 1)
            continue
        else:
            if isinstance(here, dict):
                keys[-1], position = _read_key(text, position, where=where)
                sign = text[position : position + 1]
            if sign in ("{", "["):
                value: Any = {} if sign == "{" else []
                position += 1
            else:
                try:
                    value, position = decoder.raw_decode(text, position)
                except (ValueError, IndexError):
                    raise _no_json(text, position, where=where) from None
            _put(here, keys[-1], value)
            if sign in ("{", "["):
                stack.append(value)
                keys.append(None)
            position = _after_blanks(text, position)
        if stack[-1] is holder:
            break
    if len(stack) > 1 or not holder or position < len(text):
        raise _no_json(text, position, where=where)
    return holder[0]


def _put(here: Any, key: str | None, value: Any) -> None:
    if isinstance(here, dict):
        here[key] = value
    else:
        here.append(value)


def _read_key(text: str, position: int, *, where: str) -> tuple[str, int]:
    try:
        if text[position] != '"':
            raise ValueError
        key, position = json.JSONDecoder().raw_decode(text, position)
        position = _after_blanks(text, position)
        if text[position] != ":":
            raise ValueError
    except (ValueError, IndexError):
        raise _no_json(text, position, where=where) from None
    return key, _after_blanks(text, position + 1)


def _after_blanks(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _no_json(text: str, position: int, *, where: str) -> InputError:
    return InputError(f"{where} is no JSON from {place_of(text, min(position, len(text)))} on")


# -- written


def write_nested_json(hierarchy: "HierarchyWithCells", path: str | Path) -> None:
    """Write a hierarchy that holds its cells as d3's nested JSON; ``cfgraph ingest tree`` reads the same tree.

    A node has its ``name``, the ``length`` of the edge above it where lengths are not all 1, the source's own properties, and
    ``children``; a leaf has a ``value`` of 1, or of the points in it where they are known, unless a property is called so.

    Raises:
        InputError: for cells with several parents, several roots, numbers that JSON does not have, and a place that cannot be
            written.
    """
    dag = newick_dag(hierarchy, purpose="nested JSON")
    with whole_file(path) as file:
        for piece in _pieces(dag):
            file.write(piece.encode())


def _pieces(dag: Dag) -> Iterator[str]:
    """The text: nodes in their order, each with its begin, and the ends of those that close before the next one."""
    parent = tree_parents(dag, purpose="nested JSON")
    slot = np.zeros(dag.count, dtype=np.int64)
    slot[dag.child] = np.arange(len(dag.child))
    order = preorder(parent, slot=slot)
    inner = np.bincount(dag.parent, minlength=dag.count) > 0
    depth = np.zeros(dag.count, dtype=np.int64)
    for node in order[1:].tolist():
        depth[node] = depth[parent[node]] + 1
    depths, is_inner = depth[order].tolist(), inner[order].tolist()
    pieces: list[str] = []
    for place, text in enumerate(_texts(dag, order, inner)):
        below = depths[place + 1] if place + 1 < len(depths) else 0
        if is_inner[place]:
            pieces.append(f'{text[:-1]}{", " if len(text) > 2 else ""}"children": [')
        else:
            pieces.append(text + "]}" * (depths[place] - below) + (", " if place + 1 < len(depths) else ""))
        if len(pieces) >= _PIECE:
            yield "".join(pieces)
            pieces = []
    yield "".join([*pieces, "\n"])


def _texts(dag: Dag, order: np.ndarray, inner: np.ndarray) -> Iterator[str]:
    """Each node as an object by itself, without children."""
    columns: dict[str, list[Any]] = {}
    if dag.names is not None:
        columns["name"] = [dag.names[node] for node in order.tolist()]
    above = np.full(dag.count, np.nan)
    if dag.length is not None:
        above[dag.child] = dag.length
    if ROOT_LENGTH in dag.columns:
        above = np.where(np.isnan(above), dag.columns[ROOT_LENGTH], above)
    columns["length"] = known_values(above[order])
    own = {name: column for name, column in dag.columns.items() if name not in (ROOT_LENGTH, "size", "length", "children")}
    columns |= {name: known_values(column[order]) for name, column in own.items() if name not in columns}
    if "value" not in columns:
        size = dag.columns.get("size", np.ones(dag.count, dtype=np.int64))
        columns["value"] = [
            None if below else one for one, below in zip(size[order].tolist(), inner[order].tolist(), strict=True)
        ]
    for values in zip(*columns.values(), strict=True):
        yield json_text({name: value for name, value in zip(columns, values, strict=True) if value is not None})
