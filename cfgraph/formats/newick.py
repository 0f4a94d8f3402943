"""Newick: trees as parentheses, ``((a:1,b:2)inner:0.5,'c d':3);``, to a dag and back without loss.

What is read, where tools differ: names are taken as they stand, underscores in unquoted ones too (they are no blanks
here, so that a tree that is written again is the same tree); in quotes any character may stand, a quote doubled. A name
in empty quotes is empty, a node without a name has none. Comments in brackets, which may be nested, are left out. The
root's length, which belongs to no edge, becomes the column ``branch_length``, NaN at every other node.
"""

import math
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.files.texts import place_of, read_text, shorten
from cfgraph.files.whole import whole_file
from cfgraph.formats.dag_of import hierarchy_dag
from cfgraph.model.dag import Dag
from cfgraph.model.trees import tree_parents

if TYPE_CHECKING:
    from cfgraph.model.hierarchy import HierarchyWithCells

OTHERS = "graphml, gexf, node-link, dot, csv and parquet"
ROOT_LENGTH = "branch_length"  # the column that holds the root's length, where it has one
_CHUNK = 1 << 16  # pieces of text that are handed out at once
_BARE = r"[^\s()\[\]':;,]"
_QUOTED = r"'((?:[^']++|'')*+)'"
# A node up to the sign that ends it, in one go: name, quoted name, length, sign; or a character that fits nowhere.
_NODE = re.compile(rf"\s*+(?:({_BARE}++)|{_QUOTED})?+\s*+(?::\s*+([-+.0-9A-Za-z]++)\s*+)?+([(),;])|(.)", re.DOTALL)
_NAME = re.compile(rf"{_BARE}++|{_QUOTED}")
_NEEDS_QUOTES = re.compile(r"[\s()\[\]':;,]")
_COMMENT_OR_QUOTE = re.compile(rf"{_QUOTED}|\[")
_END_OR_QUOTE = re.compile(rf"{_QUOTED}|;")
_TIMES = 15  # its length in memory: more than half of the most that was measured, since half of what is free is kept
_EXAMPLE = "a tree such as ((a:1,b:2):0.5,c:3);"


def read_newick(path: Path | str, *, index: int | None = None, large: bool = False) -> Dag:
    """The tree in a file; see :func:`parse_newick`, and :mod:`cfgraph.files.opened` on ``large``."""
    return parse_newick(read_text(path, expected=_EXAMPLE, times=_TIMES, large=large), index=index, where=str(path))


def parse_newick(text: str, *, index: int | None = None, where: str = "the text") -> Dag:
    """The tree that a text holds, or of several trees the one of an ``index``, counted from 0.

    Nodes are numbered in the order in which they begin, so 0 is the root and each parent comes before its children.
    ``length`` is NaN for an edge that has none.

    Raises:
        InputError: for what is no Newick, with the line and the column; lengths that are negative or no finite numbers;
            several trees without an index.
    """
    if not text or text.isspace():
        raise InputError(f"expected {_EXAMPLE} in {where}, got nothing")
    text, comments = _blank_comments(text, where=where)
    start, end = _choose_tree(text, index=index, where=where)
    parent, names, length = _read_nodes(text, start, end, where=where)
    notes = (f"{comments:,} comments in brackets were left out",) if comments else ()
    known = not np.isnan(length[1:]).all()
    columns = {}
    if not np.isnan(length[0]):
        columns[ROOT_LENGTH] = np.concatenate([length[:1], np.full(len(parent) - 1, np.nan)])
    return Dag(
        count=len(parent),
        parent=parent[1:],
        child=np.arange(1, len(parent)),
        length=length[1:] if known else None,
        lengths="branch" if known else "unit",
        names=names if any(name is not None for name in names) else None,
        columns=columns,
        notes=notes,
    )


def _read_nodes(
    text: str, start: int, end: int, *, where: str
) -> tuple[Int[np.ndarray, " nodes"], list[str | None], Float[np.ndarray, " nodes"]]:
    """Parent (-1 for the root), name and length (NaN for none) of each node, in the order in which nodes begin.

    One loop with everything in it: it runs a few million times.
    """
    parents, lengths = array("q"), array("d")
    names: list[str | None] = []
    open_node = closed = -1  # the node whose children are being read; the one that a sign ")" has just ended
    try:
        for found in _NODE.finditer(text, start, end):
            name, quoted, number, sign, other = found.groups()
            if quoted is not None:
                name = quoted.replace("''", "'")
            if sign == "(":
                if closed >= 0 or name is not None or number is not None:
                    raise ValueError("'('")
                parents.append(open_node)
                names.append(None)
                lengths.append(math.nan)
                open_node = len(parents) - 1
                continue
            if other is not None:
                raise ValueError("other")
            length = math.nan
            if number is not None:
                length = float(number)
                if not 0 <= length < math.inf:
                    raise ValueError("length")
            if closed >= 0:
                names[closed], lengths[closed] = name, length
            else:
                parents.append(open_node)
                names.append(name)
                lengths.append(length)
            if (sign == ";") != (open_node < 0):
                raise ValueError("sign")
            if sign == ";":
                return np.array(parents, dtype=np.int64), names, np.array(lengths)
            closed = -1
            if sign == ")":
                closed, open_node = open_node, parents[open_node]
    except ValueError:
        raise _fault(text, found.start(), end, depth=_depth(parents, open_node), closed=closed >= 0, where=where) from None
    raise _ended(text, end, depth=_depth(parents, open_node), where=where)


def _depth(parents: Sequence[int], node: int) -> int:
    """How many parentheses are open."""
    depth = 0
    while node >= 0:
        depth, node = depth + 1, parents[node]
    return depth


def _ended(text: str, end: int, *, depth: int, where: str) -> InputError:
    missing = f"{depth:,} ')' and a ';'" if depth else "a ';'"
    return InputError(f"expected {missing} before the end of {where}, {place_of(text, end)}: the tree is not complete")


def _fault(text: str, start: int, end: int, *, depth: int, closed: bool, where: str) -> InputError:
    """What is wrong with the node that begins at ``start``, and where exactly."""
    position = _skip_blanks(text, start, end)
    name = _NAME.match(text, position, end)
    if name is None and text.startswith("'", position):
        return InputError(
            f"expected a second ' for the one at {place_of(text, position)} of {where}; a quote within quotes is doubled"
        )
    subject = shorten(name[0]) if name else "an unnamed node"
    position = _skip_blanks(text, name.end() if name else position, end)
    number = None
    if position < end and text[position] == ":":
        position = _skip_blanks(text, position + 1, end)
        found = re.compile(rf"{_BARE}*+").match(text, position, end)
        number = found[0] if found else ""
        if not _is_length(number):
            return InputError(
                f"expected a length, a finite number of at least 0, for {subject} at {place_of(text, position)} of {where}, "
                f"got {shorten(number or text[position : position + 1])!r}"
            )
        position = _skip_blanks(text, position + len(number), end)
    if position >= end:
        return _ended(text, position, depth=depth, where=where)
    before = (f"after {subject}" if name or number else "after ')'") if closed or name or number else "here"
    wanted = "',' or ')'" if depth else "';'"
    got = f"{text[position]!r}{_advice(text[position])}"
    return InputError(f"expected {wanted} {before}, at {place_of(text, position)} of {where}, got {got}")


def _advice(character: str) -> str:
    if character not in "(),;:[]'" or character == "'":
        return "; names with blanks or quotes stand in quotes: 'a b', 'it''s'"
    if character == ",":
        return "; a tree has one root: put what has several in parentheses"
    return ""


def _skip_blanks(text: str, position: int, end: int) -> int:
    while position < end and text[position].isspace():
        position += 1
    return position


def _is_length(number: str) -> bool:
    try:
        return number.isascii() and "_" not in number and 0 <= float(number) < math.inf
    except ValueError:
        return False


def _blank_comments(text: str, *, where: str) -> tuple[str, int]:
    """The text with blanks for comments, so that positions stay, and how many there were."""
    if "[" not in text:
        return text, 0
    pieces, position, comments = [], 0, 0
    while (found := _COMMENT_OR_QUOTE.search(text, position)) is not None:
        if found[0] != "[":
            pieces.append(text[position : found.end()])
            position = found.end()
            continue
        end = _comment_end(text, found.start(), where=where)
        pieces += text[position : found.start()], re.sub(r"[^\n]", " ", text[found.start() : end])
        position, comments = end, comments + 1
    return "".join([*pieces, text[position:]]), comments


def _comment_end(text: str, start: int, *, where: str) -> int:
    depth = 0
    for bracket in re.compile(r"[\[\]]").finditer(text, start):
        depth += 1 if bracket[0] == "[" else -1
        if depth == 0:
            return bracket.end()
    raise InputError(f"expected a ']' for the '[' at {place_of(text, start)} of {where}: the comment does not end")


def _choose_tree(text: str, *, index: int | None, where: str) -> tuple[int, int]:
    """Where the tree begins and ends."""
    ends = [found.end() for found in _END_OR_QUOTE.finditer(text) if found[0] == ";"]
    if text[ends[-1] if ends else 0 :].strip():
        ends.append(len(text))  # one more that lacks its end
    spans = list(zip([0, *ends], ends, strict=False))
    if index is None and len(spans) > 1:
        second = place_of(text, _skip_blanks(text, spans[1][0], len(text)))
        raise InputError(
            f"expected one tree in {where}, got {len(spans):,}, the second at {second}; say which with --tree, counted from 0"
        )
    index = 0 if index is None else index
    if not 0 <= index < len(spans):
        raise InputError(f"expected a tree from 0 to {len(spans) - 1} of {where}, got {index}")
    return spans[index]


def format_newick(
    parent: Int[np.ndarray, " nodes"],
    *,
    slot: Int[np.ndarray, " nodes"] | None = None,
    names: Sequence[str | None] | None = None,
    length: Float[np.ndarray, " nodes"] | None = None,
) -> Iterator[str]:
    """A tree as Newick, piece by piece: what :func:`parse_newick` reads as the same tree, names and lengths.

    Args:
        parent: each node's parent, -1 for the root.
        slot: siblings stand in its order; in that of their numbers unless given.
        names: None for a node without one; put in quotes where need be.
        length: that of the edge above a node, the root's own at the root; NaN for none.

    Raises:
        InputError: for what is no tree with one root, and a length that is infinite; for a cycle only at the end.
    """
    parent = np.asarray(parent, dtype=np.int64)
    slot = np.arange(len(parent)) if slot is None else np.asarray(slot)
    roots = int(np.count_nonzero(parent < 0))
    if roots != 1:
        raise InputError(f"Newick holds a tree with one root, got {roots:,} roots; write each one's subtree by itself")
    if length is not None and np.isinf(length).any():
        raise InputError(f"Newick holds finite lengths, got an infinite one at node {int(np.flatnonzero(np.isinf(length))[0])}")
    yield from _pieces(parent, slot=slot, labels=_labels(len(parent), names=names, length=length))


def dag_newick(dag: Dag) -> Iterator[str]:
    """A dag that is a tree with one root as Newick, piece by piece; undoes :func:`parse_newick`."""
    parent = tree_parents(dag, purpose="Newick")
    slot, length = np.zeros(dag.count, dtype=np.int64), np.full(dag.count, np.nan)
    slot[dag.child] = np.arange(len(dag.child))
    if ROOT_LENGTH in dag.columns:
        length[parent < 0] = dag.columns[ROOT_LENGTH][parent < 0]
    if dag.length is not None:
        length[dag.child] = dag.length
    yield from format_newick(parent, slot=slot, names=dag.names, length=length)


def _labels(count: int, *, names: Sequence[str | None] | None, length: Float[np.ndarray, " nodes"] | None) -> list[str]:
    """Name and length of each node, as they stand in the text."""
    labels = [""] * count if names is None else [_quote(name) for name in names]
    if length is None:
        return labels
    values = np.asarray(length, dtype=np.float64).tolist()
    return [label if value != value else f"{label}:{value!r}" for label, value in zip(labels, values, strict=True)]


def _quote(name: str | None) -> str:
    if name is None:
        return ""
    if name == "" or _NEEDS_QUOTES.search(name):
        return "'" + name.replace("'", "''") + "'"
    return name


def _pieces(parent: Int[np.ndarray, " nodes"], *, slot: Int[np.ndarray, " nodes"], labels: list[str]) -> Iterator[str]:
    """The text: a stack holds nodes that begin, and as ~node those that end."""
    below = np.lexsort((-slot, parent))
    start = np.searchsorted(parent[below], np.arange(-1, len(parent) + 1)).tolist()
    is_last = np.diff(parent[below], prepend=-2) != 0  # backwards: the first of its siblings here is the last in the text
    tails = labels.copy()
    for node in below[~is_last].tolist():
        tails[node] += ","
    below, pieces, ended = below.tolist(), [], 0
    stack = below[:1]  # the root
    while stack:
        node = stack.pop()
        if node < 0:
            pieces.append(f"){tails[~node]}")
        elif (first := start[node + 1]) == (last := start[node + 2]):
            pieces.append(tails[node])
        else:
            pieces.append("(")
            stack.append(~node)
            stack += below[first:last]
        if len(pieces) >= _CHUNK:
            ended += len(pieces)
            yield "".join(pieces)
            pieces = []
    if ended + len(pieces) < len(tails) + np.count_nonzero(np.diff(start[1:])):  # one piece a node, two where it has children
        raise InputError("Newick holds a tree, got nodes that hang under a cycle")
    yield "".join([*pieces, ";\n"])


def write_newick(hierarchy: "HierarchyWithCells", path: str | Path) -> None:
    """Write a hierarchy that holds its cells; ``cfgraph ingest tree`` reads the same tree, names and lengths.

    A cell without a name has none, but where no cell has one, leaves of a linkage are called by the numbers of their points,
    and the cells of a field by their addresses. Lengths are those of the source where it gave any, else those of the edges,
    none where each is 1.

    Raises:
        InputError: for cells with several parents, several roots, and a place that cannot be written.
    """
    dag = tree_of(hierarchy, purpose="Newick")
    if not hierarchy.imported and dag.names is None:
        dag = _by_address(dag, hierarchy)
    dag = _by_point(dag)
    with whole_file(path) as file:
        for piece in dag_newick(dag):
            file.write(piece.encode())


def tree_of(hierarchy: "HierarchyWithCells", *, purpose: str) -> Dag:
    """The dag of a hierarchy, where it is a tree with one root."""
    links = hierarchy.cells.links
    if links is not None:
        raise InputError(
            f"{purpose} holds trees, and {len(np.unique(links.child)):,} of the {len(hierarchy.cells):,} cells of "
            f"{hierarchy.id!r} have several parents; {OTHERS} hold them"
        )
    if hierarchy.virtual_root:
        roots = int((hierarchy.cells.parent == 0).sum())
        raise InputError(f"{purpose} holds a tree with one root, and {hierarchy.id!r} has {roots:,}; {OTHERS} hold them")
    return hierarchy_dag(hierarchy)


def _by_address(dag: Dag, hierarchy: "HierarchyWithCells") -> Dag:
    return replace(dag, names=list(hierarchy.cells.addresses))


def _by_point(dag: Dag) -> Dag:
    """The dag with the data point's number as the name of each leaf, where it is of merges and no node has a name.

    ``merge`` is a point's number below the number of points, so a leaf of one point is called as in the linkage.
    """
    number, size = dag.columns.get("merge"), dag.columns.get("size")
    if dag.names is not None or number is None or size is None or number.dtype.kind not in "iu":
        return dag
    is_point = (np.bincount(dag.parent, minlength=dag.count) == 0) & (size == 1) & (number >= 0)
    if len(np.unique(number[is_point])) < is_point.sum():
        return dag
    names = [str(one) if single else None for one, single in zip(number.tolist(), is_point.tolist(), strict=True)]
    return replace(dag, names=names)
