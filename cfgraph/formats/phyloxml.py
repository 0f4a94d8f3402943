"""PhyloXML: phylogenies as XML: ``<phylogeny><clade><name>a</name><branch_length>1</branch_length>...</clade></phylogeny>``.

A clade's name is its ``name``, else the scientific name, common name, code or identifier of its taxonomy, else that of its
sequence. ``confidence`` becomes columns called by their type (``bootstrap``), taxonomies and properties columns too
(``taxonomy_scientific_name``, ``NOAA:depth``). Names of elements are read in any namespace.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

import numpy as np

from cfgraph.errors import InputError
from cfgraph.files.opened import opened
from cfgraph.files.texts import XML_TIMES
from cfgraph.formats.annotations import Values, add_pairs
from cfgraph.formats.newick import Nodes, TreeRules, check_index, good_length, nodes_dag
from cfgraph.formats.xml import check_entities
from cfgraph.model.dag import Dag

EXAMPLE = "a phylogeny as PhyloXML"
_PIECE = 1 << 20
_OF_TAXONOMY = ("scientific_name", "common_name", "code", "id")
_NAMING = ("name", "taxonomy_scientific_name", "taxonomy_common_name", "taxonomy_code", "taxonomy_id", "sequence_name")


@dataclass(eq=False)
class _Tree:
    """A phylogeny: its clades in the order in which they begin."""

    name: str | None = None
    unrooted: bool = False
    parent: list[int] = field(default_factory=list)
    length: list[float] = field(default_factory=list)
    bad: list[tuple[int, float]] = field(default_factory=list)
    called: dict[str, dict[int, str]] = field(default_factory=dict)
    values: Values = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)


def read_phyloxml(
    path: Path | str, *, index: int | str | None = None, large: bool = False, rules: TreeRules | None = None
) -> Dag:
    """The phylogeny in a PhyloXML file, of several the one of a number, counted from 0, or a name.

    ``large`` lifts the limits of :mod:`cfgraph.files.opened`.

    Raises:
        InputError: for what is no PhyloXML, lengths that are none, several phylogenies where none is said.
    """
    rules = rules or TreeRules()
    with opened(path, expected=EXAMPLE, large=large) as file:
        file.check_fits(XML_TIMES * file.size)
        check_entities(file.rewound().read(), path=path, large=large)
        reader, rest = _Reader(rules, str(path)), file.rewound()
        try:
            while piece := rest.read(_PIECE):
                reader.feed(piece)
            reader.feed(b"")
        except (ParseError, LookupError, ValueError) as error:
            raise InputError(f"{path} is no XML: {' '.join(str(error).split())[:200]}; expected {EXAMPLE}") from None
    trees = reader.trees
    if not trees:
        helps = "; `cfgraph ingest graph` reads it" if reader.first in ("graphml", "gexf") else ""
        raise InputError(f"expected {EXAMPLE} in {path}, got XML that begins with <{reader.first}>, and no phylogeny{helps}")
    names = [tree.name for tree in trees]
    if index is None and len(trees) > 1:
        known = ", ".join(name or str(number) for number, name in enumerate(names[:5]))
        raise InputError(
            f"expected one phylogeny in {path}, got {len(trees):,} ({known}); say which with --tree, counted from 0"
        )
    return _dag(trees[check_index(index, names, where=str(path), second=lambda: 0, text="")], rules)


class _Reader:
    """Clades as their elements begin and end; of a clade that ended nothing is kept in memory as XML."""

    def __init__(self, rules: TreeRules, where: str) -> None:
        self.rules, self.where = rules, where
        self.trees: list[_Tree] = []
        self.first = ""
        self._parser: XMLPullParser = XMLPullParser(events=("start", "end"))
        self._open: list[int] = []  # clades
        self._above: list[str] = []  # the elements that are open
        self._tree: _Tree | None = None

    def feed(self, piece: bytes) -> None:
        """Read on; nothing says that the file ends."""
        if piece:
            self._parser.feed(piece)
        else:
            self._parser.close()
        for event, element in cast(Iterator[tuple[str, Element]], self._parser.read_events()):
            tag = _bare(element.tag)
            if event == "start":
                self._start(tag, element)
                self._above.append(tag)
            else:
                self._above.pop()
                self._end(tag, element)

    def _start(self, tag: str, element: Element) -> None:
        self.first = self.first or tag
        if tag == "phylogeny":
            self._tree = _Tree(unrooted=element.get("rooted") == "false")
            self.trees.append(self._tree)
        elif tag == "clade" and self._tree is not None:
            tree = self._tree
            if not self._open and tree.parent:
                raise InputError(f"expected one outermost clade in each phylogeny of {self.where}, got several; keep one")
            tree.parent.append(self._open[-1] if self._open else -1)
            tree.length.append(math.nan)
            self._open.append(len(tree.parent) - 1)
            if (length := element.get("branch_length")) is not None:
                self._set_length(length)

    def _end(self, tag: str, element: Element) -> None:
        tree, above = self._tree, self._above[-1] if self._above else ""
        if tree is None:
            return
        if tag == "phylogeny":
            self._tree = None
        elif tag == "clade":
            self._open.pop()
        elif above == "phylogeny" and tag == "name":
            tree.name = _text(element) or None
        elif above == "clade" and self._open:
            self._take(tree, tag, element)
        elif above in ("phylogeny", "phyloxml") or not self._open:
            pass
        else:
            return  # a part of something that is taken as a whole
        element.clear()

    def _take(self, tree: _Tree, tag: str, element: Element) -> None:
        node, text = self._open[-1], _text(element)
        if tag == "branch_length":
            self._set_length(text)
        elif tag == "name":
            tree.called.setdefault("name", {})[node] = text
        elif tag == "confidence":
            kind = element.get("type") or "unknown"
            add_pairs(tree.values, node, [("confidence" if kind == "unknown" else kind, text)])
        elif tag == "property":
            add_pairs(tree.values, node, [(element.get("ref") or "property", text)])
        elif tag in ("taxonomy", "sequence"):
            wanted = _OF_TAXONOMY if tag == "taxonomy" else ("name", "symbol", "accession")
            for part in element:
                key = f"{tag}_{_bare(part.tag)}"
                if _bare(part.tag) in wanted and node not in tree.called.get(key, {}):
                    tree.called.setdefault(key, {})[node] = _text(part)
        elif tag in ("events", "date", "distribution", "color", "width", "node_id", "binary_characters", "reference"):
            tree.left[tag] = tree.left.get(tag, 0) + 1

    def _set_length(self, text: str) -> None:
        tree, node = self._tree, self._open[-1]
        if tree is None:
            return
        try:
            length = float(text)
        except ValueError:
            raise InputError(
                f"expected a number as the length of a branch in {self.where}, got {text[:40]!r} at clade {node} (from 0 on)"
            ) from None
        tree.length[node] = good_length(length, node, bad=tree.bad, rules=self.rules, where=self.where)


def _bare(tag: Any) -> str:
    """An element's name without its namespace."""
    return str(tag).rpartition("}")[2]


def _text(element: Element) -> str:
    return " ".join((element.text or "").split())


def _dag(tree: _Tree, rules: TreeRules) -> Dag:
    if not tree.parent:
        raise InputError(f"expected clades in the phylogeny {tree.name or ''!r}, got none")
    nodes = Nodes(
        np.array(tree.parent, dtype=np.int64),
        _names(tree),
        np.array(tree.length),
        bad=tree.bad,
        values={**{key: of for key, of in tree.called.items() if key != "name"}, **tree.values},
        unrooted=tree.unrooted,
    )
    left = ", ".join(f"{tag} ({times:,} times)" for tag, times in tree.left.items())
    return nodes_dag(nodes, rules=rules, notes=[f"what clades hold besides was left out: {left}"] if left else [])


def _names(tree: _Tree) -> list[str | None]:
    names: list[str | None] = [None] * len(tree.parent)
    for key in reversed(_NAMING):  # the first has the last word
        for node, name in tree.called.get(key, {}).items():
            names[node] = name or names[node]
    return names
