"""Edges: child-parent pairs of a .tsv or .csv file as a dag, with as many parents and roots as there are.

A first row that holds ``child`` and ``parent`` is a header (or one that holds the names asked for); without a header the
columns are child, parent and, where there is a third, length. With a header, a column ``length`` or ``weight`` gives
lengths; ``child_name`` and ``parent_name`` give names, and what stands in ``child`` and ``parent`` becomes the column
``identifier``. Blank lines and lines that begin with ``#`` are left out. Names are taken as they stand, blanks around them
too, but a cell of blanks alone is empty.
"""

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.files.header import is_number
from cfgraph.files.texts import count_line_ends, read_text, shorten
from cfgraph.model.dag import Dag
from cfgraph.model.hierarchy import ImportedWithCells
from cfgraph.sources.imported import ImportOptions, imported, with_embeddings

_TIMES = 20  # its length in memory: half of the most that was measured, since half of what is free is kept
_BLOCK_BYTES = 1 << 24  # what pyarrow parses at once; no line may be longer
_SEPARATORS = {".tsv": "\t", ".tab": "\t", ".csv": ","}
_NO_ROW = re.compile(rb"(?:\A|(?<=[\r\n]))(?:#[^\r\n]*|[ ]+)(?=[\r\n]|\Z)")
_EXPECTED = "child-parent pairs, a line each"


@dataclass(frozen=True)
class _Layout:
    """Which columns hold what, and where the rows begin."""

    columns: dict[str, int]  # of child, parent and, where there are any, length, child_name, parent_name
    width: int
    headed: bool  # whether the first row names them
    separator: str
    start: int  # the character that the first row begins with
    path: Path


def edges(
    *,
    id: str,
    data: Path | str,
    child: str | None = None,
    parent: str | None = None,
    length: str | None = None,
    separator: str | None = None,
    large: bool = False,
    **options: Unpack[ImportOptions],
) -> ImportedWithCells:
    """The hierarchy of the child-parent pairs in a file: an ontology, with several parents and several roots.

    Args:
        id: the hierarchy's id.
        data: the file.
        child: see :func:`read_edges`, as are the next four.
        parent: the same.
        length: the same.
        separator: the same.
        large: the same, and of a file of embeddings.
        options: ``embeddings``, ``minimum``, ``levels`` and ``point_nodes`` of :func:`cfgraph.sources.imported.imported`.

    Raises:
        InputError: for a file of another form, and what ``imported`` refuses, a cycle among it, which is shown.
    """
    dag = read_edges(data, child=child, parent=parent, length=length, separator=separator, large=large)
    return imported(dag, id=id, origin="edges", **with_embeddings(options, large=large))


def read_edges(
    path: Path | str,
    *,
    child: str | None = None,
    parent: str | None = None,
    length: str | None = None,
    separator: str | None = None,
    large: bool = False,
) -> Dag:
    """The dag of the child-parent pairs in a file.

    Args:
        path: a .tsv or .csv file, or one of another suffix whose first row tells tabs from commas.
        child: the header's name of the column of children; ``child`` unless given.
        parent: that of the column of parents; ``parent`` unless given.
        length: that of the column of lengths; ``length`` or ``weight`` where there is one, unless given.
        separator: what stands between columns.
        large: whether the file may be larger than :mod:`cfgraph.files.opened` allows.

    Raises:
        InputError: for a file that cannot be read, columns that are not there, and the first row without a child or a
            parent, of another width, or with a length that is negative or no finite number.
    """
    path = Path(path)
    text = read_text(path, expected=_EXPECTED, times=_TIMES, large=large)
    layout = _find_layout(text, path=path, separator=separator, wanted={"child": child, "parent": parent, "length": length})
    table = _parse_rows(text, layout)
    return _build_dag(table, layout=layout)


def edges_dag(child: Sequence[str], parent: Sequence[str], *, length: Float[np.ndarray, " rows"] | None = None) -> Dag:
    """The dag of child-parent pairs by name: nodes in the order in which their names come up, children first.

    A pair that comes again is left out, with a note. Loops and cycles stay in: :func:`.dag.check_cycles` refuses them.

    Raises:
        InputError: for columns of different lengths, empty names, and lengths that contradict each other.
    """
    if len(child) != len(parent) or (length is not None and len(length) != len(child)):
        raise InputError(f"expected as many children as parents (and lengths), got {len(child):,} and {len(parent):,}")
    names, codes = _encode(list(child), list(parent))
    if "" in names or None in names:
        raise InputError("expected a name for each child and parent, got an empty one; a node that is nobody's child is a root")
    return _dag_of(codes[: len(child)], codes[len(child) :], names=names, length=length, where="the pairs")


def _find_layout(text: str, *, path: Path, separator: str | None, wanted: dict[str, str | None]) -> _Layout:
    """The columns, from the first row that is none of a comment."""
    lines = _Lines(text)
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise InputError(f"{path} holds comments and blank lines only; expected {_EXPECTED}")
    separator = separator or _sniff(first, path=path)
    start = lines.consumed - len(first)
    lines = _Lines(text[start:])
    row = next(csv.reader(lines, delimiter=separator))
    columns, is_header = _find_columns(row, wanted=wanted, path=path)
    return _Layout(columns, len(row), is_header, separator, start + (lines.consumed if is_header else 0), path)


class _Lines:
    """The lines of a text, comments and lines of blanks emptied, counting the characters that were given."""

    def __init__(self, text: str):
        self._text = io.StringIO(text, newline="")
        self.consumed = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._text)
        self.consumed += len(line)
        return "\n" if line.startswith("#") or not line.strip(" \r\n") else line


def _sniff(line: str, *, path: Path) -> str:
    """What stands between columns: what the suffix says, if the line has it; else a tab or a comma, if it has one."""
    likely = [_SEPARATORS.get(path.suffix.lower(), "\t"), "\t", ","]
    found = next((sign for sign in likely if sign in line), None)
    if found is None:
        raise InputError(f"expected a child, a tab or a comma, and a parent in every row of {path}, got {shorten(line)!r}")
    return found


def _find_columns(row: list[str], *, wanted: dict[str, str | None], path: Path) -> tuple[dict[str, int], bool]:
    """Where each column stands, and whether the first row is a header."""
    header = [cell.strip().lower() for cell in row]
    if {wanted["child"] or "child", wanted["parent"] or "parent"} - {cell.strip() for cell in row} - set(header):
        if (
            any(name is not None for name in wanted.values())
            or len(row) not in (2, 3)
            or not _is_number([cell or "0" for cell in row[2:]])
            or {"child", "parent"} & set(header)
        ):
            raise _no_columns(row, wanted=wanted, path=path)
        return dict(zip(("child", "parent", "length"), range(len(row)), strict=False)), False
    columns = {name: _position(row, wanted[name] or name, path) for name in ("child", "parent")}
    length = wanted["length"] or next((name for name in ("length", "weight") if name in header), None)
    if length is not None:
        columns["length"] = _position(row, length, path)
    if wanted["child"] is None and wanted["parent"] is None and {"child_name", "parent_name"} <= set(header):
        columns |= {name: _position(row, name, path) for name in ("child_name", "parent_name")}
    return columns, True


def _position(row: list[str], name: str, path: Path) -> int:
    """Where the column of a name stands, by the name as it is or else in small letters."""
    exact = [cell.strip() for cell in row]
    among = exact if name in exact else [cell.lower() for cell in exact]
    if among.count(name) != 1:
        raise InputError(f"expected one column {name!r} in {path}, got {among.count(name)} among {', '.join(exact)}")
    return among.index(name)


def _no_columns(row: list[str], *, wanted: dict[str, str | None], path: Path) -> InputError:
    names = " and ".join(repr(wanted[name] or name) for name in ("child", "parent"))
    return InputError(
        f"expected a first row of {path} that names {names}, or two columns without a header, child and parent; got "
        f"{len(row)} columns: {shorten(', '.join(row))}; say which with --child and --parent"
    )


def _is_number(cells: list[str]) -> bool:
    try:
        return all(0 <= float(cell) < math.inf for cell in cells)
    except ValueError:
        return False


def _parse_rows(text: str, layout: _Layout) -> dict[str, list]:
    """The columns of the rows as pyarrow's; where one is wrong, its line is looked up."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    if '"' in text:
        _check_quotes(text, layout)
    rows = text[layout.start :].encode()
    if b"#" in rows or b"\n " in rows or b"\r " in rows or rows.startswith(b" "):
        rows = _NO_ROW.sub(b"", rows)
    names = [str(index) for index in range(layout.width)]
    chosen = [names[index] for index in layout.columns.values()]
    read = arrow_csv.ReadOptions(column_names=names, block_size=_BLOCK_BYTES)
    parse = arrow_csv.ParseOptions(delimiter=layout.separator, newlines_in_values=b'"' in rows)
    convert = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(chosen, pa.string()),
        include_columns=list(dict.fromkeys(chosen)),
        null_values=[],
        strings_can_be_null=False,
    )
    try:
        table = arrow_csv.read_csv(io.BytesIO(rows), read_options=read, parse_options=parse, convert_options=convert)
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            raise _nothing(layout) from None
        raise _fault(text, layout, otherwise=str(error)) from None
    columns = {name: table.column(str(index)).combine_chunks() for name, index in layout.columns.items()}
    return _without_blanks(columns, text=text, layout=layout)


def _without_blanks(columns: dict, *, text: str, layout: _Layout) -> dict:
    """The rows that hold anything; an InputError for one that lacks its child or its parent."""
    import pyarrow as pa
    from pyarrow import compute

    trimmed = [compute.utf8_trim_whitespace(columns[name]) for name in ("child", "parent")]
    empty = [compute.equal(column, pa.scalar("")).to_numpy(zero_copy_only=False) for column in trimmed]
    if (empty[0] != empty[1]).any():
        raise _fault(text, layout, otherwise="a child or a parent is missing")
    if empty[0].any():
        columns = {name: column.filter(pa.array(~empty[0])) for name, column in columns.items()}
    if len(columns["child"]) == 0:
        raise _nothing(layout)
    if "length" in columns:
        columns = {**columns, "length": _as_lengths(columns["length"], text=text, layout=layout)}
    return columns


def _nothing(layout: _Layout) -> InputError:
    return InputError(f"{layout.path} holds a header and no rows; expected {_EXPECTED}")


def _as_lengths(column, *, text: str, layout: _Layout) -> Float[np.ndarray, " rows"]:
    """Lengths as floats, NaN for an empty cell."""
    import pyarrow as pa
    from pyarrow import compute

    trimmed = compute.utf8_trim_whitespace(column)
    known = compute.if_else(compute.equal(trimmed, pa.scalar("")), pa.scalar(None, pa.string()), trimmed)
    try:
        length = known.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as error:
        raise _fault(text, layout, otherwise=str(error)) from None
    gap = known.is_null().to_numpy(zero_copy_only=False)
    if not (np.isfinite(length[~gap]) & (length[~gap] >= 0)).all():
        raise _fault(text, layout, otherwise="a length is negative or not finite")
    return length


def _fault(text: str, layout: _Layout, *, otherwise: str) -> InputError:
    """The first row that is wrong, as an error that says where it stands."""
    for line, row in _numbered_rows(text, layout):
        fault = _fault_of(row, layout) if row else None
        if fault is not None:
            return InputError(f"line {line} of {layout.path}: {fault}")
    return InputError(f"{layout.path} is no table of child-parent pairs: {' '.join(otherwise.split())[:200]}")


def _check_quotes(text: str, layout: _Layout) -> None:
    """An InputError for a quote that is not closed, or closed within a cell: where it goes on is anybody's guess."""
    for _ in _numbered_rows(text, layout, strict=True):
        pass


def _numbered_rows(text: str, layout: _Layout, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """The rows, each with the number of its first line."""
    line = count_line_ends(text, layout.start) + 1
    reader = csv.reader(_Lines(text[layout.start :]), delimiter=layout.separator, strict=strict)
    first = line
    try:
        for row in reader:
            yield line, row
            line = first + reader.line_num
    except csv.Error as error:
        raise InputError(
            f"line {line} of {layout.path}: {error}; a name that begins with a quote stands in quotes, its own ones doubled"
        ) from None


def _fault_of(row: list[str], layout: _Layout) -> str | None:
    if len(row) != layout.width:
        return f"expected {layout.width} columns, as in the first row, got {len(row)}"
    child, parent = (row[layout.columns[name]] for name in ("child", "parent"))
    if child.strip() and not parent.strip():
        return (
            "expected a child and a parent in every row (a root is a node that is nobody's child: leave its own row out), "
            f"got no parent of {shorten(child)!r}"
        )
    if parent.strip() and not child.strip():
        return f"expected a child and a parent in every row, got no child of {shorten(parent)!r}; leave the row out or fill it"
    length = row[layout.columns["length"]].strip() if "length" in layout.columns else ""
    if length and not _is_number([length]):
        return (
            f"expected a finite length of at least 0, got {shorten(length)!r} for {shorten(child)!r} under {shorten(parent)!r}"
        )
    return None


def _build_dag(columns: dict, *, layout: _Layout) -> Dag:
    names, codes = _encode(columns["child"], columns["parent"])
    rows = len(codes) // 2
    dag = _dag_of(codes[:rows], codes[rows:], names=names, length=columns.get("length"), where=str(layout.path))
    if not layout.headed and rows > 1 and np.count_nonzero((codes == codes[0]) | (codes == codes[rows])) == 2:
        dag = replace(dag, notes=(*dag.notes, _lone_row_note(names, first=(codes[0], codes[rows]), path=layout.path)))
    if "child_name" not in columns:
        return dag
    return _named(dag, codes, columns, identifiers=names, layout=layout)


def _lone_row_note(names: list[str], *, first: tuple[int, int], path: Path) -> str:
    """What is said of a first row whose names no other row has; an ``InputError`` where it can be nothing but a header."""
    child, parent = (names[index] for index in first)
    shown = f"{shorten(child)!r} under {shorten(parent)!r}"
    others = (name for index, name in enumerate(names) if index not in first)
    if not any(map(is_number, (child, parent))) and all(map(is_number, others)):
        raise InputError(
            f"the first row of {path}, {shown}, stands alone above rows of numbers, so it names the columns; say which with "
            "--child and --parent"
        )
    return f"the first row was taken as data, and stands alone: {shown}; if it names the columns, do so with --child, --parent"


def _encode(child, parent) -> tuple[list[str], Int[np.ndarray, " twice_rows"]]:
    """The different names in the order in which they come up, and the number of each cell's, children first."""
    import pyarrow as pa

    cells = [column if isinstance(column, pa.Array) else pa.array(column, pa.string()) for column in (child, parent)]
    encoded = pa.concat_arrays(cells).dictionary_encode(null_encoding="encode")
    names = encoded.dictionary.to_numpy(zero_copy_only=False).tolist()
    return names, encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _dag_of(
    child: Int[np.ndarray, " rows"],
    parent: Int[np.ndarray, " rows"],
    *,
    names: list[str],
    length: Float[np.ndarray, " rows"] | None,
    where: str,
) -> Dag:
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
    return (f"{len(padded):,} names begin or end with blanks and keep them, first {padded[0]!r}",) if padded else ()


def _named(dag: Dag, codes: Int[np.ndarray, " twice_rows"], columns: dict, *, identifiers: list[str], layout: _Layout) -> Dag:
    """The dag with the names of ``child_name`` and ``parent_name``, and what its nodes were called as a column.

    Where two nodes have one name they would be taken for each other, so there the names become the column ``label``.
    """
    called, name_codes = _encode(columns["child_name"], columns["parent_name"])
    pairs = np.unique(codes * len(called) + name_codes)
    node, name = pairs // len(called), pairs % len(called)
    twice = np.flatnonzero(np.diff(node) == 0)
    if len(twice):
        one, other = (shorten(called[name[twice[0] + step]]) for step in (0, 1))
        raise InputError(
            f"expected one name for each node of {layout.path}, got {one!r} and {other!r} for "
            f"{shorten(identifiers[node[twice[0]]])!r}; correct one of them"
        )
    names = [called[index] for index in name.tolist()]
    if len(set(names)) < len(names):
        note = f"{len(names) - len(set(names)):,} names are another node's too, so nodes go by their identifiers"
        return replace(dag, columns={"label": np.array(names, dtype=object)}, notes=(*dag.notes, note))
    return replace(dag, names=list(names), columns={"identifier": np.array(identifiers, dtype=object)})
