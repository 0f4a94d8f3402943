"""NEXUS: blocks of commands, of which trees are taken: ``#NEXUS begin trees; translate 1 a, 2 b; tree T = [&R] (1,2); end;``

Words of commands are read in any case. Names of a translate table, or of the taxa block where trees speak of taxa by their
numbers, are put in the place of those of leaves; other blocks are passed over. A tree is told by its number in the file,
counted from 0 over all blocks, or by its name. Trees themselves are Newick (:mod:`cfgraph.formats.newick`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cfgraph.errors import InputError
from cfgraph.files.texts import place_of, read_text, shorten
from cfgraph.files.whole import whole_file
from cfgraph.formats.newick import (
    EXAMPLE,
    Nodes,
    TreeRules,
    check_index,
    comment_end,
    newick_pieces,
    quote_name,
    scan,
    tree_dag,
)
from cfgraph.model.dag import Dag

if TYPE_CHECKING:
    from cfgraph.model.hierarchy import HierarchyWithCells

NEXUS = re.compile(r"\s*#nexus\b", re.IGNORECASE)
_TIMES = 15  # as of Newick
_SIGN = re.compile(r"[;\['\"]")
_QUOTE = re.compile(r"'(?:[^']|'')*+'|\"(?:[^\"]|\"\")*+\"")
_TOKEN = re.compile(r"\s*+('(?:[^']|'')*+'|\"(?:[^\"]|\"\")*+\"|[,=]|[^\s,=;\[]++)|\s*+\[")
_WORDS = re.compile(r"'(?:[^']|'')*+'|\"(?:[^\"]|\"\")*+\"|[,=]|[^\s,=;\[]++")
_BEGIN = re.compile(r"begin\s+([^\s;\[]+)", re.IGNORECASE)
_ENDS = ("end", "endblock")
_OPENS_WORD = frozenset("(),:=[];{}/")


def is_nexus(text: str) -> bool:
    """Whether a text is NEXUS: its first word says so."""
    return NEXUS.match(text) is not None


@dataclass(frozen=True)
class _Tree:
    """A tree in a file: its name, and where what comes after the sign ``=`` begins and ends."""

    name: str | None
    start: int
    end: int
    unrooted: bool
    translate: dict[str, str]


@dataclass(eq=False)
class _File:
    """What is found in a file."""

    trees: list[_Tree] = field(default_factory=list)
    taxa: list[str] = field(default_factory=list)
    blocks: list[str] = field(default_factory=list)


def read_nexus(path: Path | str, *, index: int | str | None = None, large: bool = False, rules: TreeRules | None = None) -> Dag:
    """The tree in a NEXUS file; see :func:`parse_nexus`, and :mod:`cfgraph.files.opened` on ``large``."""
    text = read_text(path, expected="NEXUS with a block of trees", times=_TIMES, large=large)
    return parse_nexus(text, index=index, where=str(path), rules=rules)


def parse_nexus(text: str, *, index: int | str | None = None, where: str = "the text", rules: TreeRules | None = None) -> Dag:
    """The tree that a NEXUS text holds, or of several the one of a number, counted from 0, or a name.

    Raises:
        InputError: for a text without trees, with the blocks that it holds; several trees where none is said; and for what is
            no Newick in the tree, with the line and the column.
    """
    first = NEXUS.match(text)
    if first is None:
        raise InputError(f"expected NEXUS in {where}, whose first word is #NEXUS, got {shorten(text[:60])!r}")
    rules = rules or TreeRules()
    found = _read_file(text, first.end(), rules=rules, where=where)
    if not found.trees:
        blocks = f"the blocks {', '.join(found.blocks)}" if found.blocks else "no block"
        raise InputError(f"expected a block of trees in {where} (begin trees; tree NAME = {EXAMPLE} end;), got {blocks}")
    names = [tree.name for tree in found.trees]
    chosen = found.trees[check_index(index, names, where=where, second=lambda: found.trees[1].start, text=text)]
    _, comments = scan(text, chosen.start, chosen.end, where=where)
    return tree_dag(
        text,
        chosen.start,
        chosen.end,
        comments=comments,
        where=where,
        rules=rules,
        rename=lambda nodes: _translate(nodes, chosen.translate, found.taxa),
        unrooted=chosen.unrooted,
    )


def _read_file(text: str, start: int, *, rules: TreeRules, where: str) -> _File:
    """The commands of all blocks, one after the other."""
    found, block, translate = _File(), None, dict[str, str]()
    soft = rules.underscores == "blanks"
    for begin, end in _commands(text, start, where=where):
        word = _first_word(text, begin, end)
        if word == "begin":
            name = _BEGIN.match(text, begin, end)
            block = name[1].lower() if name else ""
            found.blocks.append(block.upper())
            translate = {}
        elif word in _ENDS:
            block = None
        elif block == "trees" and word == "translate":
            translate = _read_translate(text, begin + len(word), end, soft=soft, where=where)
        elif block == "trees" and word in ("tree", "utree"):
            found.trees.append(_read_tree(text, begin + len(word), end, word=word, translate=translate, where=where))
        elif block in ("taxa", "data", "characters") and word == "taxlabels":
            found.taxa = found.taxa or [
                token for token in _tokens(text, begin + len(word), end, soft=soft, where=where) if token != ","
            ]
    return found


def _commands(text: str, start: int, *, where: str) -> Iterator[tuple[int, int]]:
    """Where each command begins, and the place after its sign ";"."""
    position = begin = start
    while (sign := _SIGN.search(text, position)) is not None:
        at, position = sign.start(), sign.end()
        if text[at] == ";":
            yield _skip(text, begin, at, where=where), position
            begin = position
        elif text[at] == "[":
            position = comment_end(text, at, where=where)
        elif (text[at - 1].isspace() or text[at - 1] in _OPENS_WORD) and (quoted := _QUOTE.match(text, at)) is not None:
            position = quoted.end()
    rest = _skip(text, begin, len(text), where=where)
    if text[rest:].strip() and _first_word(text, rest, len(text)) not in _ENDS:
        raise InputError(
            f"expected a ';' at the end of the command {shorten(text[rest : rest + 40])!r}, which begins at "
            f"{place_of(text, rest)} of {where}"
        )


def _skip(text: str, position: int, end: int, *, where: str) -> int:
    """The next place that is neither blank nor within a comment."""
    while position < end:
        if text[position] == "[":
            position = comment_end(text, position, where=where)
        elif text[position].isspace():
            position += 1
        else:
            break
    return position


def _first_word(text: str, begin: int, end: int) -> str:
    stop = begin
    while stop < end and text[stop].isalpha():
        stop += 1
    return text[begin:stop].lower()


def _tokens(text: str, start: int, end: int, *, soft: bool, where: str) -> Iterator[str]:
    """The words of a command, those in quotes without these, and signs "," and "="; ``soft`` underscores are blanks."""
    if text.find("[", start, end) < 0:  # without comments all words are found in one go
        words: list[str] = _WORDS.findall(text, start, end)
        if text.find("'", start, end) >= 0 or text.find('"', start, end) >= 0 or (soft and text.find("_", start, end) >= 0):
            words = [_word(token, soft=soft) for token in words]
        yield from words
        return
    position = start
    while (found := _TOKEN.match(text, position, end)) is not None:
        if found[1] is None:
            position = comment_end(text, found.end() - 1, where=where)
            continue
        position = found.end()
        yield _word(found[1], soft=soft)


def _word(token: str, *, soft: bool) -> str:
    if token[0] in "'\"" and len(token) > 1:
        return token[1:-1].replace(token[0] * 2, token[0])
    return token.replace("_", " ") if soft else token


def _read_translate(text: str, start: int, end: int, *, soft: bool, where: str) -> dict[str, str]:
    """A table of translations: pairs with commas between them; words of a name without quotes go together."""
    table: dict[str, str] = {}
    pair: list[str] = []
    tokens = [*_tokens(text, start, end, soft=soft, where=where), ","]
    if len(tokens) % 3 == 0 and tokens[2::3] == [","] * (len(tokens) // 3) and tokens.count(",") == len(tokens) // 3:
        return dict(zip(tokens[::3], tokens[1::3], strict=True))  # as nearly all are, and at once
    for token in tokens:
        if token != ",":
            pair.append(token)
            continue
        if len(pair) == 1:
            raise InputError(
                f"expected pairs of a key and a name in the translate command at {place_of(text, start)} of {where}, got "
                f"{shorten(pair[0])!r} alone"
            )
        if pair:
            table[pair[0]] = " ".join(pair[1:])
        pair = []
    return table


def _read_tree(text: str, start: int, end: int, *, word: str, translate: dict[str, str], where: str) -> _Tree:
    """A command such as ``tree * NAME = [&R] (...);``."""
    position, name = start, None
    while (found := _TOKEN.match(text, position, end)) is not None:
        if found[1] is None:
            position = comment_end(text, found.end() - 1, where=where)
            continue
        position, token = found.end(), found[1]
        if token == "=":
            return _Tree(name, position, end, word == "utree", translate)
        bare = token.lstrip("*") if token[0] not in "'\"" else token[1:-1].replace(token[0] * 2, token[0])
        name = bare if name is None and bare else name
    raise InputError(
        f"expected tree NAME = {EXAMPLE} in the command at {place_of(text, start - len(word))} of {where}, got no sign '='"
    )


def _translate(nodes: Nodes, table: dict[str, str], taxa: Sequence[str]) -> tuple[str, ...]:
    """Give leaves the names that the file has for them; a note where these are taxa by number."""
    known, numbered = set(taxa), 0
    leaves = [node for node in np.flatnonzero(~nodes.inner).tolist() if nodes.names[node] is not None]
    called = [nodes.names[node] or "" for node in leaves]
    apart = any(name not in table for name in called) if table else False
    lower = {key.lower(): name for key, name in table.items()} if apart else {}
    for node, name in zip(leaves, called, strict=True):
        found = table.get(name, lower.get(name.lower()) if apart else None)
        if (
            found is None
            and not table
            and name not in known
            and name.isascii()
            and name.isdecimal()
            and 0 < int(name) <= len(taxa)
        ):
            found, numbered = taxa[int(name) - 1], numbered + 1
        if found is not None:
            nodes.names[node] = found
    return (f"{numbered:,} leaves are called by the numbers of taxa, and got the names of these",) if numbered else ()


def write_nexus(hierarchy: "HierarchyWithCells", path: str | Path, *, annotations: bool = False) -> None:
    """Write a hierarchy that holds its cells as NEXUS: its leaves as taxa where they have names, and one tree.

    Names, lengths and ``annotations`` are those of :func:`cfgraph.formats.newick.write_newick`.

    Raises:
        InputError: for cells with several parents, several roots, and a place that cannot be written.
    """
    dag, pieces = newick_pieces(hierarchy, annotations=annotations)
    leaf = _leaves(dag)
    labels = [quote_name(name) for name in leaf]
    with whole_file(path) as file:
        file.write(b"#NEXUS\n\n")
        if labels and all(leaf) and len(set(leaf)) == len(leaf):
            taxa = "\n".join(f"    {label}" for label in labels)
            file.write(f"begin taxa;\n  dimensions ntax={len(labels)};\n  taxlabels\n{taxa}\n  ;\nend;\n\n".encode())
        file.write(f"begin trees;\n  tree {quote_name(hierarchy.id)} = [&R] ".encode())
        for piece in pieces:
            file.write(piece.encode())
        file.write(b"end;\n")


def _leaves(dag: Dag) -> list[str | None]:
    """The names of the leaves."""
    inner = set(dag.parent.tolist())
    return [None if dag.names is None else dag.names[node] for node in range(dag.count) if node not in inner]
