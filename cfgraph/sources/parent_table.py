"""Parent tables: rows of a child and its parent as a dag, whatever else they tell.

A row without a parent makes its child a root: an empty parent, the child itself, ``NaN``, ``NULL``, ``None``, ``NA``, ``-1``,
where no child is called so; ``0`` too, where the rows tell of nodes and none tells of that. Further columns become properties.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from unicodedata import category, normalize

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.errors import InputError
from cfgraph.files.header import is_number
from cfgraph.files.texts import shorten
from cfgraph.model.columns import RESERVED
from cfgraph.model.dag import Dag
from cfgraph.sources.edge_roles import Asked
from cfgraph.sources.edge_rows import Column, EdgeTable

Codes = Int[np.ndarray, " rows"]
NO_PARENT = ("nan", "null", "none", "na", "n/a", "<na>", "nil", "\\n", "-1")
_ZERO = "0"
_GAPS = ("", "na", "nan", "null", "none", "n/a", "<na>")  # among numbers and truth values
_WHOLE, _NUMBER = r"^[+-]?(0|[1-9][0-9]{0,17})$", r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_COMMA = r"^[+-]?[0-9]+,[0-9]+$"
_OWN_OF_CELLS = set(RESERVED) - {"size"}  # a column `size` may count data, which `imported` looks at
_UNNAMED = re.compile(r"|Unnamed: [0-9]+")


def parent_dag(table: EdgeTable, *, asked: Asked) -> Dag:
    """The dag of a table's pairs, parents that are none left out, with names, lengths and properties.

    Raises:
        InputError: for a row without a child, lengths that are negative or no numbers, and two names of one node.
    """
    child_texts, parent_texts = _texts(table.column("child")), _texts(table.column("parent"))
    if asked.reverse:
        child_texts, parent_texts = parent_texts, child_texts
    filled = _filled(child_texts) | _filled(parent_texts)
    rows = np.flatnonzero(filled)  # rows without either are blank ones
    if len(rows) == 0:
        raise InputError(f"{table.where} holds no rows with a child; expected child-parent pairs, a row each")
    names, codes = encode([child_texts.take(rows), parent_texts.take(rows)])
    child, parent = codes[: len(rows)], codes[len(rows) :]
    told = _Told(table, rows, names, asked)
    orphan, notes = told.without_parent(child, parent)
    kept = ~orphan
    if not table.headed:
        notes = (*notes, *told.lone_row(child, parent))
        notes = (*notes, *_direction_note(child, parent, asked))
    length, length_notes = told.lengths(kept)
    used = np.zeros(len(names), dtype=bool)
    used[child] = used[parent[kept]] = True  # what stands for "no parent" is no node
    number = np.cumsum(used) - 1
    names = [name for name, is_used in zip(names, used.tolist(), strict=True) if is_used]
    child, parent = number[child], number[parent]
    dag = _paired(child[kept], parent[kept], names=names, length=length, told=told, kept=kept)
    dag = replace(dag, notes=(*_guess_notes(table), *notes, *length_notes, *dag.notes))
    dag = told.named(dag, child, parent, kept, identifiers=names)
    return told.with_properties(dag, child)


def _guess_notes(table: EdgeTable) -> tuple[str, ...]:
    return (*table.notes, *((table.roles.note,) if table.roles.note else ()))


def _direction_note(child: Codes, parent: Codes, asked: Asked) -> tuple[str, ...]:
    """What is said where the pairs look like parent first: each second value comes once, and first ones repeat."""
    if asked.reverse or asked.child or asked.parent:
        return ()
    if len(np.unique(parent)) == len(parent) and len(np.unique(child)) < len(child):
        return (
            "each value of the second column comes once and those of the first repeat, as where the parent stands first; they "
            "were read as child and parent all the same: --reverse reads them the other way round",
        )
    return ()


def encode(columns: Sequence[Column]) -> tuple[list[str], Int[np.ndarray, " cells"]]:
    """The different texts in the order in which they come up, and the number of each cell's, column after column."""
    import pyarrow as pa

    encoded = pa.concat_arrays([column.cast(pa.large_string()) for column in columns]).dictionary_encode(null_encoding="encode")
    names = encoded.dictionary.to_numpy(zero_copy_only=False).tolist()
    return names, encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _texts(column: Column | None) -> Column:
    """A column as texts, with an empty one for none."""
    import pyarrow as pa

    if column is None:
        raise InputError("expected a column of children and one of parents")
    try:
        return column.cast(pa.string()).fill_null("")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"expected texts or numbers as children and parents, got {column.type}: {error}") from None


def _filled(column: Column) -> Bool[np.ndarray, " rows"]:
    import pyarrow as pa
    from pyarrow import compute

    return compute.not_equal(compute.utf8_trim_whitespace(column), pa.scalar("")).to_numpy(zero_copy_only=False)


class _Told:
    """What the rows of a table tell, by their numbers among those that hold anything."""

    def __init__(self, table: EdgeTable, rows: Codes, names: list[str], asked: Asked):
        self._table, self._rows, self._names, self._asked = table, rows, names, asked

    def without_parent(self, child: Codes, parent: Codes) -> tuple[Bool[np.ndarray, " rows"], tuple[str, ...]]:
        """Which rows have no parent, and what is said of them."""
        is_child = np.zeros(len(self._names), dtype=bool)
        is_child[child] = True
        blank = np.array([not name.strip() for name in self._names])
        if blank[child].any():
            row = int(np.flatnonzero(blank[child])[0])
            raise InputError(
                f"{self.place_of(row)}: expected a child and a parent in every row, got no child of "
                f"{shorten(self._names[parent[row]])!r}; leave the row out or fill it"
            )
        words = NO_PARENT if self._asked.no_parent is None else tuple(word.strip().casefold() for word in self._asked.no_parent)
        is_word = np.array([name.strip().casefold() in words for name in self._names]) & ~(
            is_child if self._asked.no_parent is None else np.zeros_like(is_child)
        )
        nobody = blank | is_word
        zero = self._zero_note(child, parent, is_child=is_child, nobody=nobody)
        orphan = nobody[parent]
        elsewhere = np.zeros(len(self._names), dtype=bool)
        elsewhere[child[~orphan & (child != parent)]] = True
        orphan |= (child == parent) & ~elsewhere[child]  # a loop below another parent is a cycle
        if not orphan.any():
            return orphan, zero
        shown = sorted(
            {"empty" if blank[code] else repr(self._names[code]) for code in np.unique(parent[orphan & nobody[parent]])}
        )
        shown += ["itself"] if (orphan & ~nobody[parent]).any() else []
        first = shorten(self._names[child[np.flatnonzero(orphan)[0]]])
        count = int(orphan.sum())
        said = f"{count:,} {'row has' if count == 1 else 'rows have'} no parent ({', '.join(shown[:4])}): {first!r}"
        return orphan, (f"{said}{'' if count == 1 else ' and others'} {'is a root' if count == 1 else 'are roots'}", *zero)

    def _zero_note(self, child: Codes, parent: Codes, *, is_child: np.ndarray, nobody: np.ndarray) -> tuple[str, ...]:
        """Take ``0`` for no parent where the rows tell of nodes, and none of them of that; say so where it stays a node."""
        if self._asked.no_parent is not None or _ZERO not in self._names:
            return ()
        code = self._names.index(_ZERO)
        has_it = parent == code
        if is_child[code] or not has_it.any() or self._is_named(code, parent):
            return ()
        others = np.unique(parent[~has_it & ~nobody[parent] & (child != parent)])
        whole = all(re.fullmatch("[1-9][0-9]*", self._names[other]) for other in np.unique(child).tolist()[:1000])
        tells = bool(set(range(len(self._table.columns))) - self._table.roles.used) or self._table.roles.name is not None
        if whole and len(others) and is_child[others].all() and (tells or has_it.sum() == 1):
            nobody[code] = True
            return ("'0' is nobody's child, and was taken for no parent; --no-parent TEXT says what stands for none",)
        if not whole or not len(others):
            return ()
        return (
            f"'0' is nobody's child and the parent in {int(has_it.sum()):,} rows: it is a node, a root; --no-parent 0 "
            "takes it for none",
        )

    def _is_named(self, code: int, parent: Codes) -> bool:
        column = self._table.column("parent_name")
        if column is None:
            return False
        called = column.take(self._rows[parent == code])
        return any(name not in (None, "") for name in called.to_pylist())

    def place_of(self, row: int) -> str:
        """Where a row stands in its file."""
        return self._table.place_of(int(self._rows[row]))

    def lone_row(self, child: Codes, parent: Codes) -> tuple[str, ...]:
        """What is said of a first row whose names no other row has; an ``InputError`` where it is nothing but a header."""
        if len(child) < 2:
            return ()
        one, other = child[0], parent[0]
        codes = np.concatenate([child, parent])
        if np.count_nonzero((codes == one) | (codes == other)) != 2:
            return ()
        shown = f"{shorten(self._names[one])!r} under {shorten(self._names[other])!r}"
        others = (name for index, name in enumerate(self._names) if index not in (one, other) and name.strip())
        if not any(is_number(self._names[code]) for code in (one, other)) and all(map(is_number, others)):
            raise InputError(
                f"the first row of {self._table.where}, {shown}, stands alone above rows of numbers, so it names the columns; "
                "say which with --child and --parent"
            )
        return (
            f"the first row was taken as data, and stands alone: {shown}; if it names the columns, do so with --child, "
            "--parent",
        )

    def lengths(self, kept: Bool[np.ndarray, " rows"]) -> tuple[Float[np.ndarray, " some"] | None, tuple[str, ...]]:
        """The lengths of the rows that are kept, NaN for an empty cell; None where there is no such column."""
        column = self._table.column("length")
        if column is None:
            return None, ()
        rows = self._rows[kept]
        values, notes = _numbers(column.take(rows), decimal=self._asked.decimal)
        wrong = np.flatnonzero(
            ~(np.isnan(values) | (np.isfinite(values) & (values >= 0))) | (np.isnan(values) & _is_given(column.take(rows)))
        )
        if len(wrong):
            at = int(rows[wrong[0]])
            child, parent = (_texts(self._table.column(name))[at].as_py() for name in ("child", "parent"))
            told = str(column[at].as_py())
            comma = "; where the comma is a decimal one, --decimal , says so" if "," in told else ""
            raise InputError(
                f"{self._table.place_of(at)}: expected a finite length of at least 0, got {shorten(told)!r} for "
                f"{shorten(child)!r} under {shorten(parent)!r}{comma}"
            )
        return values, notes

    def named(self, dag: Dag, child: Codes, parent: Codes, kept: Bool[np.ndarray, " rows"], *, identifiers: list[str]) -> Dag:
        """The dag with the names that its rows tell; a node without one is called as its identifier.

        Where two nodes have one name they would be taken for each other, so there the names become the column ``label``.
        """
        told = []
        own, above = self._names_of("child_name", "name"), self._names_of("parent_name")
        if self._asked.reverse:
            own, above = self._names_of("parent_name"), self._names_of("child_name", "name")
        if own is not None:
            told.append((child, own))
        if above is not None:
            told.append((parent[kept], above.take(np.flatnonzero(kept))))
        if not told:
            return dag
        called, codes = encode([column for _, column in told])
        node = np.concatenate([nodes for nodes, _ in told])
        has_name = np.array([bool(name.strip()) for name in called])[codes]
        pairs = np.unique(node[has_name] * len(called) + codes[has_name])
        node, name = pairs // len(called), pairs % len(called)
        twice = np.flatnonzero(np.diff(node) == 0)
        if len(twice):
            one, other = (shorten(called[name[twice[0] + step]]) for step in (0, 1))
            raise InputError(
                f"expected one name for each node of {self._table.where}, got {one!r} and {other!r} for "
                f"{shorten(identifiers[node[twice[0]]])!r}; correct one of them"
            )
        found = dict(zip(node.tolist(), (called[index] for index in name.tolist()), strict=True))
        return with_names(dag, identifiers, [found.get(index) for index in range(dag.count)])

    def _names_of(self, *roles: str) -> Column | None:
        column = next((column for role in roles if (column := self._table.column(role)) is not None), None)
        return None if column is None else _texts(column).take(self._rows)

    def with_properties(self, dag: Dag, child: Codes) -> Dag:
        """The dag with the further columns as properties of children; one that differs between rows of a node is left out."""
        rest = [index for index in range(len(self._table.columns)) if index not in self._table.roles.used]
        if not self._table.headed or not rest:
            return dag
        node, first = np.unique(child, return_index=True)
        spread = np.full(dag.count, -1, dtype=np.int64)
        spread[node] = first
        columns, left, notes = dict(dag.columns), [], []
        taken = set(self._table.names) | set(columns) | {"name"}
        for index in rest:
            name = self._table.names[index]
            if _UNNAMED.fullmatch(name):
                notes.append("a column without a name was left out")
                continue
            column = self._table.columns[index].take(self._rows)
            if len(first) < len(child) and _differs(column, child, first[np.searchsorted(node, child)]):
                left.append(name)
                continue
            found = property_column(column, spread)
            if found is not None:
                called = (
                    name
                    if name not in _OWN_OF_CELLS and name not in columns and name != "name"
                    else free_name(name, taken=taken)
                )
                notes += (
                    [f"the column {name!r} is called like what every cell has, and is the property {called!r}"]
                    if called != name
                    else []
                )
                columns[called] = found
        if left:
            notes.append(
                f"columns that differ between the rows of one child are of its edges, and were left out: {', '.join(left)}"
            )
        return replace(dag, columns=columns, notes=(*dag.notes, *notes))


def free_name(name: str, *, taken: set[str]) -> str:
    """A name with as many underscores behind it as make it one that is not taken."""
    while name in taken or name in _OWN_OF_CELLS:
        name += "_"
    return name


def with_names(dag: Dag, identifiers: Sequence[str], found: list[str | None]) -> Dag:
    """The dag with names, gaps filled from the identifiers; these alone, and a column ``label``, where names are doubled."""
    names = [identifier if name is None else name for identifier, name in zip(identifiers, found, strict=True)]
    doubled = len(names) - len(set(names))
    if doubled:
        label = np.empty(len(found), dtype=object)
        label[:] = found
        note = f"{doubled:,} names are another node's too, so nodes go by their identifiers"
        return replace(dag, names=list(identifiers), columns={**dag.columns, "label": label}, notes=(*dag.notes, note))
    column = np.empty(len(identifiers), dtype=object)
    column[:] = list(identifiers)
    lacking = sum(name is None for name in found)
    notes = (f"{lacking:,} of {len(found):,} nodes have no name and are called as their identifiers",) if lacking else ()
    return replace(dag, names=list(names), columns={**dag.columns, "identifier": column}, notes=(*dag.notes, *notes))


def _differs(column: Column, child: Codes, first: Codes) -> bool:
    """Whether rows of one child have different values in a column; a gap is no value."""
    import pyarrow as pa

    if pa.types.is_nested(column.type):
        return True
    codes = column.dictionary_encode(null_encoding="encode").indices.to_numpy(zero_copy_only=False)
    return bool((codes != codes[first]).any())


def _is_given(column: Column) -> Bool[np.ndarray, " rows"]:
    """Which cells hold anything but the sign of a gap."""
    import pyarrow as pa
    from pyarrow import compute

    if not pa.types.is_string(column.type):
        is_valid: Column = compute.is_valid(column)
        return is_valid.to_numpy(zero_copy_only=False)
    return _filled(column.fill_null(""))


def _numbers(column: Column, *, decimal: str | None) -> tuple[Float[np.ndarray, " rows"], tuple[str, ...]]:
    """A column as floats, NaN for what is empty or no number; and what is said of decimal commas."""
    import pyarrow as pa
    from pyarrow import compute

    if not pa.types.is_string(column.type):
        try:
            return column.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64), ()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return np.full(len(column), math.nan), ()
    trimmed: Column = compute.utf8_trim_whitespace(column.fill_null(""))
    notes: tuple[str, ...] = ()
    with_comma = compute.match_substring_regex(trimmed, _COMMA)
    plain = compute.match_substring_regex(trimmed, r"^[+-]?[0-9]*\.[0-9]+")
    thousands = compute.match_substring_regex(trimmed, r"^[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+$")
    commas = bool(compute.any(with_comma).as_py())
    unclear = commas and decimal is None and bool(compute.all(compute.or_(thousands, compute.invert(with_comma))).as_py())
    if commas and (decimal == "," or (decimal is None and not unclear and not compute.any(plain).as_py())):
        trimmed = compute.replace_substring(trimmed, ",", ".")
        notes = () if decimal else ("the lengths have decimal commas",)
    known = compute.if_else(compute.match_substring_regex(trimmed, _NUMBER), trimmed, pa.scalar(None, pa.string()))
    return known.cast(pa.float64()).to_numpy(zero_copy_only=False), notes


def property_column(column: Column, spread: Int[np.ndarray, " nodes"]) -> np.ndarray | None:
    """A column as the property of nodes: whole numbers, floats, truth values or texts; ``spread`` has each node's row or -1.

    None where no node has a value.
    """
    import pyarrow as pa

    typed = _typed(column) if pa.types.is_string(column.type) else column
    if typed.null_count == len(typed):
        return None
    has = spread >= 0
    if pa.types.is_boolean(typed.type) or not (pa.types.is_integer(typed.type) or pa.types.is_floating(typed.type)):
        values = typed.to_pylist() if pa.types.is_boolean(typed.type) or pa.types.is_nested(typed.type) else _as_texts(typed)
        found = np.empty(len(spread), dtype=object)
        known = np.empty(len(values), dtype=object)
        known[:] = values
        found[has] = known[spread[has]]
        return found
    gaps = typed.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_integer(typed.type):
        whole = typed.fill_null(-1).to_numpy(zero_copy_only=False)
        if (whole[~gaps] < 0).any() or (whole.dtype.kind == "u" and whole.max() > 2**63 - 1):
            found = np.empty(len(spread), dtype=object)  # where -1 is a value it cannot say that there is none
            known = np.array(
                [None if gap else value for value, gap in zip(whole.tolist(), gaps.tolist(), strict=True)], dtype=object
            )
            found[has] = known[spread[has]]
            return found
        found = np.full(len(spread), -1, dtype=np.int64)
        found[has] = whole[spread[has]]
        return found
    found = np.full(len(spread), math.nan)
    found[has] = typed.cast(pa.float64()).to_numpy(zero_copy_only=False)[spread[has]]
    return found


def _as_texts(column: Column) -> list[str | None]:
    import pyarrow as pa

    try:
        return column.cast(pa.string()).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return [None if value is None else str(value) for value in column.to_pylist()]


def _typed(column: Column) -> Column:
    """A column of texts as what all of them are: whole numbers, numbers, truth values, or texts, with nulls for gaps."""
    import pyarrow as pa
    from pyarrow import compute

    encoded = column.dictionary_encode()
    texts = encoded.dictionary
    trimmed = compute.utf8_trim_whitespace(texts)
    small = compute.utf8_lower(trimmed)
    is_gap = compute.is_in(small, value_set=pa.array(_GAPS))
    known = compute.if_else(is_gap, pa.scalar(None, pa.string()), trimmed)

    def every(pattern: str, among: Column) -> bool:
        return bool(compute.all(compute.match_substring_regex(among, pattern), min_count=1).as_py())

    if every(_WHOLE, known):
        values = known.cast(pa.int64())
    elif every(_NUMBER, known) and not compute.any(compute.match_substring_regex(known, r"^[+-]?0[0-9]")).as_py():
        values = known.cast(pa.float64())
    elif every("^(true|false)$", compute.if_else(is_gap, pa.scalar(None, pa.string()), small)):
        values = compute.equal(small, pa.scalar("true"))
        values = compute.if_else(is_gap, pa.scalar(None, pa.bool_()), values)
    else:
        values = compute.if_else(compute.equal(trimmed, pa.scalar("")), pa.scalar(None, pa.string()), texts)
    return values.take(encoded.indices)


def _paired(
    child: Codes, parent: Codes, *, names: list[str], length: Float[np.ndarray, " some"] | None, told: _Told, kept: np.ndarray
) -> Dag:
    return pairs_dag(child, parent, names=names, length=length, where=told._table.where)


def pairs_dag(child: Codes, parent: Codes, *, names: list[str], length: Float[np.ndarray, " rows"] | None, where: str) -> Dag:
    """The dag of numbered pairs, each once."""
    _, first, which = np.unique(parent * len(names) + child, return_index=True, return_inverse=True)
    notes = _padded(names)
    if len(first) < len(child):
        notes = (*notes, f"{len(child) - len(first):,} of {len(child):,} rows repeat an earlier pair and were left out")
    if length is not None:
        length = np.asarray(length, dtype=np.float64)
        _check_agreement(length, length[first][which], child=child, parent=parent, names=names, where=where)
    rows = np.sort(first)
    return Dag(
        count=len(names),
        parent=parent[rows],
        child=child[rows],
        length=None if length is None else length[rows],
        lengths="unit" if length is None else "branch",
        names=list(names),
        notes=notes,
    )


def _check_agreement(length, first, *, child, parent, names: list[str], where: str) -> None:
    """A pair that comes twice has the same length both times."""
    apart = np.flatnonzero((length != first) & ~(np.isnan(length) & np.isnan(first)))
    if len(apart):
        row = int(apart[0])
        raise InputError(
            f"expected one length for each pair of {where}, got {first[row]} and {length[row]} for "
            f"{shorten(names[child[row]])!r} under {shorten(names[parent[row]])!r}; leave one of the rows out"
        )


def _padded(names: list[str]) -> tuple[str, ...]:
    """A note where names begin or end with blanks, which easily makes two nodes of one."""
    padded = [name for name in names if name != name.strip()]
    notes = (f"{len(padded):,} names begin or end with blanks and keep them, first {padded[0]!r}",) if padded else ()
    return (*notes, *_alike(names))


def _alike(names: list[str]) -> tuple[str, ...]:
    """A note where names look the same, but for accents of one sign or two, and signs without width."""
    seen, alike = set[str](), list[str]()
    strange = [name for name in names if not name.isascii()]
    plain = set(names) if strange else set[str]()
    for name in strange:
        shown = "".join(sign for sign in normalize("NFC", name) if category(sign) != "Cf")
        if shown in seen or (shown != name and shown in plain):
            alike.append(name)
        seen.add(shown)
    if not alike:
        return ()
    return (
        f"{len(alike):,} names look like another's, and differ in how accents are written or by signs without width: first "
        f"{ascii(alike[0])[1:-1]}",
    )
