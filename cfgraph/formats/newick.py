"""Newick: trees as parentheses, ``((a:1,b:2)inner:0.5,'c d':3);``, to a dag and back without loss.

What is read, where tools differ: names are taken as they stand, underscores in unquoted ones too (they are no blanks
here unless asked for, so that a tree that is written again is the same tree); in quotes, single or double ones, any character
may stand, a quote doubled. A quote within an unquoted name is a character of it (``5'-nucleotidase``), and so are blanks, with
a note. A name in empty quotes is empty, a node without a name has none. The root's length, which belongs to no edge, becomes
the column ``branch_length``, NaN at every other node.

Annotations in brackets become columns (:mod:`cfgraph.formats.annotations`); other comments, which may be nested, are left out.
Rich Newick's further fields (``:length:support:probability``) are the columns ``support`` and ``probability``. A node of
extended Newick that stands in several places (``Y#H1``) is one node with several parents.
"""

import math
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from cfgraph import defaults
from cfgraph.errors import InputError
from cfgraph.files.texts import place_of, read_text, shorten
from cfgraph.files.whole import whole_file
from cfgraph.formats.annotations import Values, add_pairs, annotation_columns, format_pairs, read_pairs
from cfgraph.formats.dag_of import hierarchy_dag
from cfgraph.model.columns import known_values
from cfgraph.model.dag import Dag
from cfgraph.model.trees import tree_parents

if TYPE_CHECKING:
    from cfgraph.model.hierarchy import HierarchyWithCells

OTHERS = "graphml, gexf, node-link, dot, csv and parquet"
ROOT_LENGTH = "branch_length"  # the column that holds the root's length, where it has one
GIVEN = "given_length"  # the column of lengths that no edge can have, as they stood
_CHUNK = 1 << 16  # pieces of text that are handed out at once
_IN_BARE = r"[^\s()\[\]:;,]"
# Begins with no quote, may hold some, and blanks between its words.
_BARE = rf"[^\s()\[\]:;,'\"]{_IN_BARE}*+(?:[ \t]++{_IN_BARE}++)*+"
_QUOTED = r"'(?:[^']|'')*+'|\"(?:[^\"]|\"\")*+\""
_FIELD = r"[-+.0-9A-Za-z]"
_RICH = rf"(?::\s*+{_FIELD}*+\s*+)++"
# A node up to the sign that ends it, in one go: name, quoted name, length, rich fields, sign; or a character that fits nowhere.
_NODE = re.compile(rf"\s*+(?:({_BARE})|({_QUOTED}))?+\s*+(?::\s*+({_FIELD}*+)\s*+({_RICH})?+)?+([(),;])|(.)", re.DOTALL)
# The same of most trees, faster: no quotes or blanks in names without quotes, no rich fields.
_PLAIN_NODE = re.compile(
    rf"\s*+(?:([^\s()\[\]':;,\"]++)|({_QUOTED}))?+\s*+(?::\s*+({_FIELD}++)\s*+(:(?!))?+)?+([(),;])|(.)", re.DOTALL
)
_NAME = re.compile(rf"{_BARE}|{_QUOTED}")
_NEEDS_QUOTES = re.compile(r"[\s()\[\]':;,\"]|#(?:H|LGT|R)?[0-9]+$")
_SIGN = re.compile(r"[;\['\"]")
_QUOTE = re.compile(_QUOTED)
_HYBRID = re.compile(r"(.*)#((?:H|LGT|R)?[0-9]+)", re.DOTALL)
_NOTHING = {"na", "none", "null"}  # besides not-a-number, for a length that is not known
_TIMES = 15  # its length in memory: more than half of the most that was measured, since half of what is free is kept
_BLANK = "\v"  # stands for what is left out: between words of a name it is none of their blanks
EXAMPLE = "a tree such as ((a:1,b:2):0.5,c:3);"
_REMEDY = (
    "--bad-lengths zero takes it for 0, --bad-lengths unknown for none; what stood there stays as the property given_length"
)


@dataclass(frozen=True)
class TreeRules:
    """How trees are read where tools differ.

    ``bad_lengths``: what becomes of lengths that are negative, infinite or no numbers: an ``error``, ``zero``, or ``unknown``;
    the finite ones stay as the column ``given_length``. ``underscores``: whether those of names without quotes are kept, or are
    ``blanks``.
    """

    bad_lengths: str = defaults.BAD_LENGTH
    underscores: str = defaults.UNDERSCORE

    def __post_init__(self) -> None:
        """Refuse other words."""
        for name, given, known in (
            ("bad lengths", self.bad_lengths, defaults.BAD_LENGTHS),
            ("underscores", self.underscores, defaults.UNDERSCORES),
        ):
            if given not in known:
                raise InputError(f"expected {', '.join(known[:-1])} or {known[-1]} for {name}, got {given!r}")


@dataclass(eq=False)
class Nodes:
    """The nodes of a tree as they stand in a text, in the order in which they begin, so that 0 is the root."""

    parent: Int[np.ndarray, " nodes"]  # -1 for the root
    names: list[str | None]
    length: Float[np.ndarray, " nodes"]  # NaN for none
    quoted: list[int] = field(default_factory=list)  # the nodes whose names stand in quotes
    bad: list[tuple[int, float]] = field(default_factory=list)  # lengths that no edge can have
    marks: Int[np.ndarray, " pieces"] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))  # where pieces of text end
    owners: Int[np.ndarray, " pieces"] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))  # whose they are, or -1
    values: Values = field(default_factory=dict)
    comments: int = 0
    unrooted: bool = False

    @property
    def inner(self) -> np.ndarray:
        """Which nodes have children."""
        inner: np.ndarray = np.bincount(self.parent[1:], minlength=len(self.parent)) > 0
        return inner


Renaming = Callable[[Nodes], tuple[str, ...]]


def read_newick(
    path: Path | str, *, index: int | str | None = None, large: bool = False, rules: TreeRules | None = None
) -> Dag:
    """The tree in a file; see :func:`parse_newick`, and :mod:`cfgraph.files.opened` on ``large``."""
    text = read_text(path, expected=EXAMPLE, times=_TIMES, large=large)
    return parse_newick(text, index=index, where=str(path), rules=rules)


def parse_newick(text: str, *, index: int | str | None = None, where: str = "the text", rules: TreeRules | None = None) -> Dag:
    """The tree that a text holds, or of several trees the one of an ``index``, counted from 0.

    Nodes are numbered in the order in which they begin, so 0 is the root and each parent comes before its children.
    ``length`` is NaN for an edge that has none.

    Raises:
        InputError: for what is no Newick, with the line and the column; lengths that are negative or no finite numbers, unless
            the ``rules`` take them; several trees without an index.
    """
    if not text or text.isspace():
        raise InputError(f"expected {EXAMPLE} in {where}, got nothing")
    ends, comments = scan(text, 0, len(text), where=where)
    start, end = _choose_tree(text, ends, comments, index=index, where=where)
    return tree_dag(text, start, end, comments=comments, where=where, rules=rules or TreeRules())


def tree_dag(
    text: str,
    start: int,
    end: int,
    *,
    comments: Sequence[tuple[int, int]],
    where: str,
    rules: TreeRules,
    rename: Renaming = lambda nodes: (),
    unrooted: bool = False,
) -> Dag:
    """The tree that stands in a part of a text; ``comments`` are those of the text, begin and end.

    ``rename`` gives nodes other names, and says what is to be known of it. ``unrooted``: something else said that it is.
    """
    inside = [span for span in comments if start <= span[0] < end]
    plain = _blanked(text, start, end, inside) if inside else text
    nodes = _read_nodes(plain, start, end, inside, rules=rules, text=text, where=where)
    nodes.unrooted |= unrooted
    notes = [*_name_notes(nodes, rules=rules), *rename(nodes)]
    return _joined(nodes_dag(nodes, rules=rules, notes=notes), set(nodes.quoted), where=where)


def nodes_dag(nodes: Nodes, *, rules: TreeRules, notes: Iterable[str] = ()) -> Dag:
    """The dag of nodes that were found one by one, wherever they come from; ``notes`` are those of them so far."""
    told = [*notes, *_length_notes(nodes, rules=rules)]
    if nodes.comments:
        told.append(f"{nodes.comments:,} comments in brackets were left out")
    if nodes.unrooted:
        told.append("the tree is said to be unrooted: it is taken as rooted where it is written")
    columns, renamed = annotation_columns(nodes.values, count=len(nodes.names), inner=nodes.inner)
    known = not np.isnan(nodes.length[1:]).all()
    if not np.isnan(nodes.length[0]):
        columns[ROOT_LENGTH] = np.concatenate([nodes.length[:1], np.full(len(nodes.names) - 1, np.nan)])
    if given := {node: value for node, value in nodes.bad if math.isfinite(value)}:
        columns[GIVEN] = np.full(len(nodes.names), np.nan)
        columns[GIVEN][list(given)] = list(given.values())
    return Dag(
        count=len(nodes.names),
        parent=nodes.parent[1:],
        child=np.arange(1, len(nodes.names)),
        length=nodes.length[1:] if known else None,
        lengths="branch" if known else "unit",
        names=nodes.names if any(name is not None for name in nodes.names) else None,
        columns=columns,
        notes=(*told, *renamed),
    )


def good_length(value: float, node: int, *, bad: list[tuple[int, float]], rules: TreeRules, where: str) -> float:
    """The length of a node's edge as the rules have it; what no edge can have is kept in ``bad``.

    Raises:
        InputError: for such a one, where the rules refuse it.
    """
    if 0 <= value < math.inf:
        return value
    if rules.bad_lengths == "error":
        raise InputError(
            f"expected lengths that are finite numbers of at least 0 in {where}, got {value!r} at node {node} (counted from "
            f"0); {_REMEDY}"
        )
    bad.append((node, value))
    return 0.0 if rules.bad_lengths == "zero" else math.nan


def _name_notes(nodes: Nodes, *, rules: TreeRules) -> list[str]:
    """Underscores as blanks where that is asked for, and what is to be known of names."""
    names, notes = nodes.names, list[str]()
    together = "\n".join(filter(None, names))
    plain = " " not in together and "\t" not in together  # as in most
    if plain and ("_" not in together or (rules.underscores != "blanks" and not nodes.quoted)):
        return notes
    quoted = set(nodes.quoted)
    bare = [(node, name) for node, name in enumerate(names) if name is not None and node not in quoted]
    if blanks := sum(" " in name or "\t" in name for _, name in bare):
        notes.append(f"{blanks:,} names without quotes hold blanks, and were taken as they stand")
    soft = [(node, name) for node, name in bare if "_" in name]
    if rules.underscores == "blanks":
        for node, name in soft:
            names[node] = name.replace("_", " ")
    elif soft and any("_" in (names[node] or "") for node in nodes.quoted):
        notes.append(
            "underscores stand in names with quotes and without; those without may be blanks to whoever wrote them: "
            "--underscores blanks"
        )
    return notes


def _length_notes(nodes: Nodes, *, rules: TreeRules) -> list[str]:
    lacking = int(np.isnan(nodes.length[1:]).sum())
    notes = []
    if nodes.bad:
        became = "0" if rules.bad_lengths == "zero" else "unknown"
        kept = any(math.isfinite(value) for _, value in nodes.bad)
        notes.append(
            f"{len(nodes.bad):,} lengths that are negative, infinite or no numbers are {became}"
            + (f"; as they stood they are the property {GIVEN}" if kept else "")
        )
    if 0 < lacking < len(nodes.length) - 1:
        notes.append(f"{lacking:,} of {len(nodes.length) - 1:,} edges have no length, and count 0")
    return notes


def _read_nodes(
    plain: str, start: int, end: int, comments: Sequence[tuple[int, int]], *, rules: TreeRules, text: str, where: str
) -> Nodes:
    """The nodes between two places of a text, in which ``plain`` has blanks for comments."""
    rooting = [text[begin + 1 : stop - 1].strip().upper() in ("&R", "&U") for begin, stop in comments]  # of no node's own
    owned = [span for span, is_rooting in zip(comments, rooting, strict=True) if not is_rooting]
    for pattern in (_PLAIN_NODE, _NODE):
        nodes, riches, fault = _match_nodes(pattern, plain, start, end, rules=rules, marked=bool(owned))
        if nodes is not None:
            nodes.unrooted |= any(text[begin + 1 : stop - 1].strip().upper() == "&U" for begin, stop in comments)
            _add_rich(nodes, riches, text, where=where)
            _add_comments(nodes, text, owned)
            return nodes
    depth, closed, position = fault
    if position is None:
        raise _ended(text, end, depth=depth, where=where)
    raise _fault(plain, text, position, end, depth=depth, closed=closed, where=where)


def _match_nodes(
    pattern: re.Pattern[str], plain: str, start: int, end: int, *, rules: TreeRules, marked: bool
) -> tuple[Nodes | None, list[tuple[int, str, int]], tuple[int, bool, int | None]]:
    """The nodes and their rich fields; or none, and how deep and where (None: at the end) the text is no tree.

    One loop with everything in it: it runs a few million times.
    """
    parents, lengths = array("q"), array("d")
    names: list[str | None] = []
    quotes: list[int] = []
    bad: list[tuple[int, float]] = []
    riches: list[tuple[int, str, int]] = []
    marks, owners = array("q"), array("q")  # where each node's text ends
    found = None
    open_node = closed = -1  # the node whose children are being read; the one that a sign ")" has just ended
    refuses, instead = rules.bad_lengths == "error", 0.0 if rules.bad_lengths == "zero" else math.nan
    try:
        for found in pattern.finditer(plain, start, end):
            name, quoted, number, rich, sign, other = found.groups()
            if quoted is not None:
                name = quoted[1:-1].replace(quoted[0] * 2, quoted[0])
                quotes.append(closed if closed >= 0 else len(parents))
            if sign == "(":
                if closed >= 0 or name is not None or number is not None:
                    raise ValueError("'('")
                parents.append(open_node)
                names.append(None)
                lengths.append(math.nan)
                open_node = len(parents) - 1
                if marked:
                    marks.append(found.end())
                    owners.append(-1)
                continue
            if other is not None:
                raise ValueError("other")
            length = math.nan
            if number is not None:
                if rich is not None:
                    riches.append((closed if closed >= 0 else len(parents), rich, found.start()))
                if rich is None or number:
                    if refuses or number.lower() not in _NOTHING:
                        length = float(number)
                    if not 0 <= length < math.inf:
                        if refuses:
                            raise ValueError("length")
                        bad.append((closed if closed >= 0 else len(parents), length))
                        length = instead
            if closed >= 0:
                names[closed], lengths[closed] = name, length
            else:
                parents.append(open_node)
                names.append(name)
                lengths.append(length)
            if marked:
                marks.append(found.end())
                owners.append(closed if closed >= 0 else len(parents) - 1)
            if (sign == ";") != (open_node < 0):
                raise ValueError("sign")
            if sign == ";":
                nodes = Nodes(np.array(parents, dtype=np.int64), names, np.array(lengths), quotes, bad)
                nodes.marks, nodes.owners = np.array(marks, dtype=np.int64), np.array(owners, dtype=np.int64)
                return nodes, riches, (0, False, None)
            closed = -1
            if sign == ")":
                closed, open_node = open_node, parents[open_node]
    except ValueError:
        return None, riches, (_depth(parents, open_node), closed >= 0, found.start() if found else None)
    return None, riches, (_depth(parents, open_node), False, None)


def _add_rich(nodes: Nodes, riches: Sequence[tuple[int, str, int]], text: str, *, where: str) -> None:
    """Rich Newick's fields after the length: support and probability."""
    for node, rich, start in riches:
        fields = [value.strip() for value in rich[1:].split(":")]
        if len(fields) > 2 or not all(value == "" or _is_number(value) for value in fields):
            raise InputError(
                f"expected :length:support:probability after a name, as rich Newick has them, numbers or nothing, in the node "
                f"at {place_of(text, _skip_blanks(text, start, len(text)))} of {where}, got {shorten(rich)!r} after the length"
            )
        pairs = zip(("support", "probability"), fields, strict=False)
        add_pairs(nodes.values, node, [(key, float(value)) for key, value in pairs if value])


def _is_number(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _add_comments(nodes: Nodes, text: str, comments: Sequence[tuple[int, int]]) -> None:
    """Annotations as values of the nodes in whose text they stand; the other comments are counted."""
    if not comments:
        return
    places = np.searchsorted(nodes.marks, [begin for begin, _ in comments], side="right")
    for (begin, end), node in zip(comments, nodes.owners[np.minimum(places, len(nodes.owners) - 1)].tolist(), strict=True):
        pairs = read_pairs(text[begin + 1 : end - 1].strip()) if node >= 0 else None
        if pairs is None:
            nodes.comments += 1
        else:
            add_pairs(nodes.values, node, pairs)


def _joined(dag: Dag, quoted: set[int], *, where: str) -> Dag:
    """The dag with the places of each hybrid node (``Y#H1``) made one node, which then has several parents."""
    if dag.names is None or not any(name is not None and "#" in name for name in dag.names):
        return dag
    places: dict[str, list[tuple[int, str]]] = {}
    for node, name in enumerate(dag.names):
        found = None if name is None or node in quoted else _HYBRID.fullmatch(name)
        if found is not None:
            places.setdefault(found[2], []).append((node, found[1]))
    inner = np.bincount(dag.parent, minlength=dag.count) > 0
    target, names = np.arange(dag.count), list(dag.names)
    hybrid: Values = {}
    for tag, here in places.items():
        labels = {label for _, label in here if label}
        defined = [node for node, _ in here if inner[node]]
        if len(here) < 2 or (tag.isdecimal() and (len(labels) > 1 or len(defined) != 1)):  # a name that happens to end so
            continue
        if len(labels) > 1 or len(defined) > 1:
            what = f"names {', '.join(map(repr, sorted(labels)))}" if len(labels) > 1 else f"children in {len(defined)} places"
            raise InputError(
                f"expected one name and one place with children for the hybrid node #{tag} of {where}, got {what}; "
                "where it is none, put its names in quotes"
            )
        kept = defined[0] if defined else here[0][0]
        target[[node for node, _ in here]] = kept
        names[kept] = next(iter(labels), f"#{tag}")
        add_pairs(hybrid, kept, [("hybrid", tag)])
    if not hybrid:
        return dag
    columns, _ = annotation_columns(hybrid, count=dag.count, inner=inner)
    dag = replace(dag, columns=dag.columns | {name: column for name, column in columns.items() if name not in dag.columns})
    return _contracted(dag, target, names)


def _contracted(dag: Dag, target: Int[np.ndarray, " nodes"], names: list[str | None]) -> Dag:
    """The dag with each node put into its ``target``."""
    kept = np.flatnonzero(target == np.arange(dag.count))
    number = np.full(dag.count, -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    merged = dag.count - len(kept)
    return replace(
        dag,
        count=len(kept),
        parent=number[target[dag.parent]],
        child=number[target[dag.child]],
        names=[names[node] for node in kept.tolist()],
        columns={name: column[kept] for name, column in dag.columns.items()},
        notes=(*dag.notes, f"{merged:,} further places of hybrid nodes are further parents of one cell each"),
    )


def _depth(parents: Sequence[int], node: int) -> int:
    """How many parentheses are open."""
    depth = 0
    while node >= 0:
        depth, node = depth + 1, parents[node]
    return depth


def _ended(text: str, end: int, *, depth: int, where: str) -> InputError:
    missing = f"{depth:,} ')' and a ';'" if depth else "a ';'"
    return InputError(f"expected {missing} before the end of {where}, {place_of(text, end)}: the tree is not complete")


def _fault(plain: str, text: str, start: int, end: int, *, depth: int, closed: bool, where: str) -> InputError:
    """What is wrong with the node that begins at ``start``, and where exactly."""
    position = _skip_blanks(plain, start, end)
    name = _NAME.match(plain, position, end)
    if name is None and position < end and plain[position] in "'\"":
        quote = plain[position]
        return InputError(
            f"expected a second {quote} for the one at {place_of(text, position)} of {where}; a quote within quotes is doubled"
        )
    subject = shorten(name[0]) if name else "an unnamed node"
    position = _skip_blanks(plain, name.end() if name else position, end)
    number = None
    if position < end and plain[position] == ":":
        position = _skip_blanks(plain, position + 1, end)
        found = re.compile(rf"{_IN_BARE}*+").match(plain, position, end)
        number = found[0] if found else ""
        rich = re.compile(_RICH).match(plain, _skip_blanks(plain, position + len(number), end), end)
        if not _is_length(number) and (rich is None or number):
            return InputError(
                f"expected a length, a finite number of at least 0, for {subject} at {place_of(text, position)} of {where}, "
                f"got {shorten(number or plain[position : position + 1])!r}{_remedy(number)}"
            )
        position = _skip_blanks(plain, rich.end() if rich else position + len(number), end)
    if position >= end:
        return _ended(text, position, depth=depth, where=where)
    before = (f"after {subject}" if name or number else "after ')'") if closed or name or number else "here"
    wanted = "',' or ')'" if depth else "';'"
    got = f"{plain[position]!r}{_advice(plain[position])}"
    return InputError(f"expected {wanted} {before}, at {place_of(text, position)} of {where}, got {got}")


def _remedy(number: str) -> str:
    """What helps where a length is a number, or stands for none."""
    try:
        float(number)
    except ValueError:
        return f"; {_REMEDY}" if number.lower() in _NOTHING else ""
    return "" if "_" in number else f"; {_REMEDY}"


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


def scan(text: str, start: int, end: int, *, where: str) -> tuple[list[int], list[tuple[int, int]]]:
    """Where trees end, each after its sign ";", and where comments begin and end, in a part of a text."""
    ends: list[int] = []
    comments: list[tuple[int, int]] = []
    position, search = start, _SIGN.search
    while (found := search(text, position, end)) is not None:
        at, position = found.start(), found.end()
        sign = text[at]
        if sign == ";":
            ends.append(position)
        elif sign == "[":
            position = comment_end(text, at, where=where)
            comments.append((at, position))
        elif _begins_label(text, at, start) and (quoted := _QUOTE.match(text, at, end)) is not None:
            position = quoted.end()
    return ends, comments


def _begins_label(text: str, position: int, start: int) -> bool:
    """Whether a quote at this place opens a name; within one it is a character of it."""
    before = position - 1
    while before >= start and text[before].isspace():
        before -= 1
    return before < start or text[before] in "(),;]"


def _blanked(text: str, start: int, end: int, comments: Sequence[tuple[int, int]]) -> str:
    """The text up to a tree's end, with blanks for the tree's comments, so that places stay."""
    pieces, position = [" " * start], start
    for begin, stop in comments:
        pieces += text[position:begin], _BLANK * (stop - begin)
        position = stop
    return "".join([*pieces, text[position:end]])


def comment_end(text: str, start: int, *, where: str) -> int:
    """Where the comment ends that begins at a bracket; an ``InputError`` where it does not."""
    close = text.find("]", start)
    if close >= 0 and text.find("[", start + 1, close) < 0:
        return close + 1
    depth = 0
    for bracket in re.compile(r"[\[\]]").finditer(text, start):
        depth += 1 if bracket[0] == "[" else -1
        if depth == 0:
            return bracket.end()
    raise InputError(f"expected a ']' for the '[' at {place_of(text, start)} of {where}: the comment does not end")


def _choose_tree(
    text: str, ends: Sequence[int], comments: Sequence[tuple[int, int]], *, index: int | str | None, where: str
) -> tuple[int, int]:
    """Where the tree begins and ends; of signs ";" with nothing before them none counts, where there are others."""
    stops = dict(comments)
    spans = list(zip([0, *ends], [*ends, len(text)], strict=True))
    begins = [_begin(text, *span, stops) for span in spans]
    if begins[-1] >= len(text):  # nothing comes after the last sign
        spans, begins = spans[:-1], begins[:-1]
    filled = [number for number, begin in enumerate(begins) if text[begin] != ";"] or [0] * bool(spans)
    if not filled:
        raise InputError(f"expected {EXAMPLE} in {where}, got comments alone")
    return spans[filled[check_index(index, [None] * len(filled), where=where, second=lambda: begins[filled[1]], text=text)]]


def check_index(
    index: int | str | None, names: Sequence[str | None], *, where: str, second: Callable[[], int], text: str
) -> int:
    """Which of several trees is meant, by its number or its name; ``second`` tells where the second one begins.

    Raises:
        InputError: for several where none is said, and one that there is not.
    """
    called = [name for name in names if name is not None]
    known = f" or a name ({', '.join(map(shorten, called[:5]))}{', ...' if len(called) > 5 else ''})" if called else ""
    if index is None:
        if len(names) == 1:
            return 0
        raise InputError(
            f"expected one tree in {where}, got {len(names):,}, the second at {place_of(text, second())}; say which with "
            f"--tree, counted from 0{known and f',{known}'}"
        )
    if isinstance(index, str) and not index.strip().lstrip("+-").isdecimal():
        found = [number for number, name in enumerate(names) if name == index]
        found = found or [number for number, name in enumerate(names) if name is not None and name.lower() == index.lower()]
        if len(found) != 1:
            came = f"{index!r}, which {len(found)} trees are called" if found else repr(index)
            raise InputError(f"expected a tree from 0 to {len(names) - 1} of {where}{known}, got {came}")
        return found[0]
    if isinstance(index, bool) or not 0 <= int(index) < len(names):
        raise InputError(f"expected a tree from 0 to {len(names) - 1} of {where}{known}, got {index}")
    return int(index)


def _begin(text: str, start: int, end: int, stops: dict[int, int]) -> int:
    """Where a tree's own text begins, after blanks and comments."""
    position = _skip_blanks(text, start, end)
    while position in stops:
        position = _skip_blanks(text, stops[position], end)
    return position


def format_newick(
    parent: Int[np.ndarray, " nodes"],
    *,
    slot: Int[np.ndarray, " nodes"] | None = None,
    names: Sequence[str | None] | None = None,
    length: Float[np.ndarray, " nodes"] | None = None,
    remarks: Sequence[str] | None = None,
) -> Iterator[str]:
    """A tree as Newick, piece by piece: what :func:`parse_newick` reads as the same tree, names and lengths.

    Args:
        parent: each node's parent, -1 for the root.
        slot: siblings stand in its order; in that of their numbers unless given.
        names: None for a node without one; put in quotes where need be.
        length: that of the edge above a node, the root's own at the root; NaN for none.
        remarks: what comes after each name, in brackets; empty for nothing.

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
    yield from _pieces(parent, slot=slot, labels=_labels(len(parent), names=names, length=length, remarks=remarks))


def dag_newick(dag: Dag, *, annotations: bool = False) -> Iterator[str]:
    """A dag that is a tree with one root as Newick, piece by piece; undoes :func:`parse_newick`.

    ``annotations``: its columns but for ``size`` stand beside the names, as BEAST has them.
    """
    parent = tree_parents(dag, purpose="Newick")
    slot, length = np.zeros(dag.count, dtype=np.int64), np.full(dag.count, np.nan)
    slot[dag.child] = np.arange(len(dag.child))
    if ROOT_LENGTH in dag.columns:
        length[parent < 0] = dag.columns[ROOT_LENGTH][parent < 0]
    if dag.length is not None:
        length[dag.child] = dag.length
    remarks = _remarks(dag) if annotations else None
    yield from format_newick(parent, slot=slot, names=dag.names, length=length, remarks=remarks)


def _remarks(dag: Dag) -> list[str]:
    """The columns of each node as annotations in brackets."""
    columns = {name: known_values(column) for name, column in dag.columns.items() if name not in (ROOT_LENGTH, "size")}
    if odd := [name for name in columns if not _KEY.fullmatch(name)]:
        raise InputError(
            f"annotations in brackets cannot have the name {odd[0]!r}: no blanks at its ends, and none of , = [ ] {{ }} in it; "
            f"leave --annotations out, or use {OTHERS}"
        )
    return [
        format_pairs([(name, value) for name, value in zip(columns, values, strict=True) if value is not None])
        for values in (zip(*columns.values(), strict=True) if columns else [()] * dag.count)
    ]


_KEY = re.compile(r"[^\s,=\[\]{}](?:[^,=\[\]{}]*[^\s,=\[\]{}])?")


def _labels(
    count: int,
    *,
    names: Sequence[str | None] | None,
    length: Float[np.ndarray, " nodes"] | None,
    remarks: Sequence[str] | None = None,
) -> list[str]:
    """Name, annotations and length of each node, as they stand in the text."""
    labels = [""] * count if names is None else [quote_name(name) for name in names]
    if remarks is not None:
        labels = [label + remark for label, remark in zip(labels, remarks, strict=True)]
    if length is None:
        return labels
    values = np.asarray(length, dtype=np.float64).tolist()
    return [label if value != value else f"{label}:{value!r}" for label, value in zip(labels, values, strict=True)]


def quote_name(name: str | None) -> str:
    """A name as it stands in Newick and NEXUS, in quotes where need be; nothing for none."""
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


def write_newick(hierarchy: "HierarchyWithCells", path: str | Path, *, annotations: bool = False) -> None:
    """Write a hierarchy that holds its cells; ``cfgraph ingest tree`` reads the same tree, names and lengths.

    ``annotations``: the source's own properties stand beside the names, as BEAST has them, and come back.
    A cell without a name has none, but where no cell has one, leaves of a linkage are called by the numbers of their points,
    and the cells of a field by their addresses. Lengths are those of the source where it gave any, else those of the edges,
    none where each is 1.

    Raises:
        InputError: for cells with several parents, several roots, and a place that cannot be written.
    """
    _, pieces = newick_pieces(hierarchy, annotations=annotations)
    with whole_file(path) as file:
        for piece in pieces:
            file.write(piece.encode())


def newick_pieces(hierarchy: "HierarchyWithCells", *, annotations: bool = False) -> tuple[Dag, Iterator[str]]:
    """The dag of a hierarchy with the names that its cells get in Newick, and its text."""
    dag = newick_dag(hierarchy)
    return dag, dag_newick(dag, annotations=annotations)


def newick_dag(hierarchy: "HierarchyWithCells", *, purpose: str = "Newick") -> Dag:
    """The dag of a hierarchy that is a tree, with the names that its cells get where nothing else names them."""
    dag = tree_of(hierarchy, purpose=purpose)
    if not hierarchy.imported and dag.names is None:
        dag = _by_address(dag, hierarchy)
    return _by_point(dag)


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
