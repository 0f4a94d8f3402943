"""Lineages: a table with the whole way to each leaf in its row, as one text with separators or as a column a rank.

A node is the way to it, so that two orders that hold a family ``uncultured`` hold one each. Ranks that are empty, or nothing
but a prefix such as ``s__``, are left out of the way.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Int

from cfgraph.errors import InputError
from cfgraph.files.texts import shorten
from cfgraph.model.dag import Dag
from cfgraph.sources.edge_roles import Asked, Roles
from cfgraph.sources.edge_rows import Column, EdgeTable
from cfgraph.sources.parent_table import encode, free_name, property_column

_SIGNS = (";", "|", ">", "/", ",")
_EMPTY = re.compile(r"\s*([A-Za-z]{1,2}__)?\s*")
_CONFIDENCE = r"\s*\([0-9]+(?:\.[0-9]+)?%?\)$"  # behind each rank, as classifiers write it
_NUMBER = r"^[+-]?[0-9]*[.,]?[0-9]+([eE][+-]?[0-9]+)?$"
_GAPS = ("", "na", "nan", "null", "none", "n/a", "<na>")
Codes = Int[np.ndarray, " rows"]


def looks_like_lineages(table: EdgeTable) -> str | None:
    """The sign between ranks, where a table of pairs holds a leaf and its lineage in each row; None where it does not."""
    from pyarrow import compute

    if table.headed or table.roles.length is not None or len(table.columns) != 2:
        return None
    child, parent = table.column("child"), table.column("parent")
    if child is None or parent is None or len(compute.unique(child)) < len(child):
        return None
    for sign in (";", "|", ">"):
        if compute.all(compute.match_substring(parent, sign)).as_py():
            below = compute.any(compute.is_in(parent, value_set=child)).as_py()
            return None if below else sign
    return None


def looks_like_measured_lineages(table: EdgeTable) -> str | None:
    """The sign between ranks, where a table without a header holds a lineage and a number a row, as profiles of samples do.

    A clade of the highest rank has no sign in its lineage, so that half of them do with one.
    """
    from pyarrow import compute

    if table.headed or len(table.columns) != 2:
        return None
    child, parent = table.column("child"), table.column("parent")
    if child is None or parent is None or not len(child):
        return None
    first, second = _texts(child), _texts(parent)
    numbers: Column = compute.match_substring_regex(second, _NUMBER)
    if not compute.all(numbers[1:]).as_py() or compute.any(compute.is_in(second, value_set=compute.unique(first))).as_py():
        return None  # among them numbers that are names, above and below one another
    sign = next((sign for sign in (";", "|", ">") if 2 * _count(compute.match_substring(first, sign)) >= len(first)), None)
    if sign is not None and not numbers[0].as_py():
        header = first[0].as_py()
        raise InputError(
            f"{table.where}: below {shorten(header)!r} and {shorten(second[0].as_py())!r} are lineages and numbers; "
            f"say --lineage {header} to read them so, or --child 1 --parent 2 for pairs"
        )
    return sign


def lineage_dag(table: EdgeTable, *, asked: Asked, sign: str | None = None) -> Dag:
    """The dag of a table whose rows hold whole lineages.

    Raises:
        InputError: for rows without any rank, and leaves that come in several rows with different lineages.
    """
    table, told = _without_measured_leaves(table, asked=asked)
    roles = table.roles
    notes = (*table.notes, *((roles.note,) if roles.note else ()), *told)
    if roles.ranks:
        levels = [_texts(table.columns[index]) for index in roles.ranks]
        ranks: list[str] | None = [table.names[index] for index in roles.ranks] if table.headed else None
    else:
        column = table.columns[roles.lineage if roles.lineage is not None else 1]
        levels, found = _split(_texts(column), asked.lineage_separator or sign, where=table.where)
        ranks, notes = None, (*notes, *(() if asked.lineage_separator else (found,)))
    leaf = None if roles.child is None else _texts(table.columns[roles.child])
    return _Ways(levels, leaf, ranks).dag(table, notes)


def _without_measured_leaves(table: EdgeTable, *, asked: Asked) -> tuple[EdgeTable, tuple[str, ...]]:
    """The table, its only other column no leaves where nobody called it so and it holds numbers with fractions."""
    import pyarrow as pa
    from pyarrow import compute

    child = table.roles.child
    if child is None or asked.child is not None:
        return table, ()
    texts = _texts(table.columns[child])
    filled = texts.filter(compute.not_equal(texts, pa.scalar("")))
    measured = compute.all(compute.match_substring_regex(filled, _NUMBER)).as_py()
    if not measured or not compute.any(compute.match_substring_regex(filled, "[.,eE]")).as_py():
        return table, ()
    called = repr(table.names[child]) if table.headed else str(child + 1)
    word = table.names[child] if table.headed else str(child + 1)
    note = f"the column {called} holds numbers, and was not taken for names of leaves; --child {word} says that it does"
    return replace(table, roles=replace(table.roles, child=None)), (note,)


def as_lineages(roles: Roles) -> Roles:
    """The roles of a table of pairs whose second column turned out to hold lineages."""
    return Roles(child=roles.child, lineage=roles.parent)


def _texts(column: Column) -> Column:
    import pyarrow as pa
    from pyarrow import compute

    try:
        texts = column.cast(pa.string()).fill_null("")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"expected texts as lineages and ranks, got {column.type}: {error}") from None
    return compute.utf8_trim_whitespace(texts)


def _split(column: Column, sign: str | None, *, where: str) -> tuple[list[Column], str]:
    """The ranks of each lineage, level by level, and what is said of the sign between them."""
    import pyarrow as pa
    from pyarrow import compute

    if sign is None:
        filled: Column = column.filter(compute.not_equal(column, pa.scalar("")))
        counts = {one: _count(compute.match_substring(filled, one)) for one in _SIGNS}
        sign = next((one for one in _SIGNS if 2 * counts[one] >= len(filled) and counts[one]), None)
        if sign is None:
            shown = filled[0].as_py() if len(filled) else ""
            raise InputError(
                f"expected lineages with ; | > / or , between their ranks in {where}, got {shorten(shown)!r}; say what stands "
                "between them with --lineage-separator"
            )
    parts = compute.split_pattern(column, sign)
    width = compute.max(compute.list_value_length(parts)).as_py() or 0
    offsets, values = parts.offsets.to_numpy(), compute.utf8_trim_whitespace(parts.values)
    lengths = np.diff(offsets)
    empty = pa.array([""])
    pool = pa.concat_arrays([values, empty.cast(values.type)])
    levels = []
    for level in range(width):
        place: Any = np.where(lengths > level, offsets[:-1] + level, len(values))
        levels.append(pool.take(pa.array(place, pa.int64())))
    told = f"lineages were split at {sign!r}; --lineage-separator says another sign"
    filled = values.filter(compute.not_equal(values, pa.scalar("")))
    if len(filled) and compute.all(compute.match_substring_regex(filled, _CONFIDENCE)).as_py():
        levels = [compute.replace_substring_regex(level, _CONFIDENCE, "") for level in levels]
        told = f"{told}; the numbers in brackets behind all ranks were taken for confidences, and left out of the names"
    return levels, told


def _count(truths: Column) -> int:
    """How many of some truth values are true."""
    return int(truths.to_numpy(zero_copy_only=False).sum())


class _Ways:
    """Rows as ways from a root to a leaf, level by level."""

    def __init__(self, levels: Sequence[Column], leaf: Column | None, ranks: list[str] | None):
        self._names: list[str] = []
        self._parent: list[np.ndarray] = []
        self._rank: list[str | None] = []
        self._last = np.full(len(levels[0]), -1, dtype=np.int64)  # the node that each row has come to
        self._token = np.full(len(levels[0]), -1, dtype=np.int64)
        for index, level in enumerate(levels):
            self._descend(level, rank=None if ranks is None else ranks[index])
        self.inner = len(self._names)
        self._leaf = leaf

    def _descend(self, level: Column, *, rank: str | None) -> None:
        """One level down, where a row has a name there: a node for each pair of a node above and a name."""
        names, codes = encode([level])
        is_gap = np.array([bool(_EMPTY.fullmatch(name)) or name.casefold() in _GAPS for name in names])
        rows = np.flatnonzero(~is_gap[codes])
        if len(rows) == 0:
            return
        pairs = (self._last[rows] + 1) * len(names) + codes[rows]
        _, first, which = np.unique(pairs, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")  # in the order in which they come up
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        start, made = len(self._names), rows[first[order]]
        self._parent.append(self._last[made])
        self._names += [names[code] for code in codes[made].tolist()]
        self._rank += [rank] * len(made)
        self._last = self._last.copy()
        self._last[rows] = start + place[which]

    def dag(self, table: EdgeTable, notes: tuple[str, ...]) -> Dag:
        """The nodes of all ways, the leaves of the rows last."""
        lost = np.flatnonzero(self._last < 0)
        if len(lost) and self._leaf is None:
            raise InputError(f"{table.place_of(int(lost[0]))}: expected at least one rank, got none; leave the row out")
        node, row_of = self._hang_leaves(table)
        names, parent = self._names, np.concatenate([*self._parent, np.zeros(0, dtype=np.int64)])
        child = np.flatnonzero(parent >= 0)
        notes_of: list[str] = []
        columns = self._properties(table, row_of, notes_of)
        if any(rank is not None for rank in self._rank):
            rank = np.empty(len(names), dtype=object)
            rank[:] = self._rank
            columns["rank" if "rank" not in columns else "rank_"] = rank
        repeated = len(table) - len(np.unique(node))
        if repeated and self._leaf is None:
            notes = (*notes, f"{repeated:,} of {len(table):,} rows lead to a node that another leads to")
        doubled = len(names) - len(set(names))
        if doubled:
            notes = (*notes, f"{doubled:,} names come at several places; addresses tell the cells apart")
        return Dag(
            count=len(names),
            parent=parent[child],
            child=child,
            names=list(names),
            columns=columns,
            notes=(*notes, *notes_of),
        )

    def _hang_leaves(self, table: EdgeTable) -> tuple[Codes, Codes]:
        """The node that each row leads to, with those of a column of leaves, and the row of each node or -1."""
        if self._leaf is None:
            row_of = np.full(len(self._names), -1, dtype=np.int64)
            row_of[self._last[::-1]] = np.arange(len(table))[::-1]
            return self._last, row_of
        names, codes = encode([self._leaf])
        blank = np.array([not name for name in names])
        if blank[codes].any():
            row = int(np.flatnonzero(blank[codes])[0])
            raise InputError(f"{table.place_of(row)}: expected a name for each leaf, got none; fill it or leave the row out")
        _, first = np.unique(codes, return_index=True)
        above = self._last[first][codes]
        apart = np.flatnonzero(above != self._last)
        if len(apart):
            row = int(apart[0])
            raise InputError(
                f"{table.place_of(row)}: expected one lineage for each leaf, got another one of {shorten(names[codes[row]])!r} "
                f"than in {table.place_of(int(first[codes[row]]))}; leave one of the rows out"
            )
        start = len(self._names)
        own = np.array(
            [last >= 0 and self._names[last] == name for last, name in zip(self._last[first].tolist(), names, strict=True)]
        )
        node = np.where(own, self._last[first], start + np.cumsum(~own) - 1)  # a lineage may end with the leaf itself
        made = np.flatnonzero(~own)
        self._names += [names[index] for index in made.tolist()]
        self._parent.append(self._last[first][made])
        self._rank += [None] * len(made)
        row_of = np.full(len(self._names), -1, dtype=np.int64)
        row_of[node] = first
        return node[codes], row_of

    def _properties(self, table: EdgeTable, row_of: Codes, notes: list[str]) -> dict[str, np.ndarray]:
        """The further columns, of the nodes that rows lead to."""
        columns: dict[str, np.ndarray] = {}
        if not table.headed:
            return columns
        taken = set(table.names) | {"name"}
        for index, name in enumerate(table.names):
            if index in table.roles.used or not name:
                continue
            column = property_column(table.columns[index], row_of)
            if column is not None:
                called = (
                    name if name not in ("name",) and free_name(name, taken=set()) == name else free_name(name, taken=taken)
                )
                notes += (
                    [f"the column {name!r} is called like what every cell has, and is the property {called!r}"]
                    if called != name
                    else []
                )
                columns[called] = column
        return columns
