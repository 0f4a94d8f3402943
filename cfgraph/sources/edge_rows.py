"""Edge rows: tables of child-parent pairs as columns, from text, Parquet, Feather, data frames and lists of pairs.

A first row that says which columns hold what is a header (:mod:`cfgraph.sources.edge_roles`). Blank lines and lines that begin
with ``#`` are left out, but for those under a header that have as many columns as it. Cells are taken as they stand, blanks
around them too, but a cell of blanks alone is empty.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cfgraph.errors import InputError, one_line
from cfgraph.files import trailing
from cfgraph.files.dialect import BLANKS, OF_SUFFIX, Dialect, cuts_alike, excel_separator, with_tabs
from cfgraph.files.index import schema_index
from cfgraph.files.opened import opened, suffix_of
from cfgraph.files.row_groups import read_columns
from cfgraph.files.texts import count_line_ends, shorten
from cfgraph.sources.edge_roles import Asked, Roles, find_roles, roles_by_position, roles_wanted

if TYPE_CHECKING:
    import pyarrow as pa

Column = Any  # an Array of pyarrow's, whose stubs do not know of what type a cast one is
EXPECTED = "child-parent pairs, a line each"
_BLOCK_BYTES = 1 << 24  # what pyarrow parses at once; no line may be longer
_SAMPLE = 50  # lines that separators are told by
_SIGNS = ("\t", ",", ";", "|")  # the likeliest first
_WORD = re.compile(r"\w")
_PUNCTUATED = re.compile(r"[\t,;|]|:(?:\s|$)")  # what no line has whose cells stand between blanks
_OF_LINEAGES = (";", "|", ">", "/")
_NO_ROW = re.compile(rb"(?:\A|(?<=[\r\n]))(?:#[^\r\n]*|[ ]+)(?=[\r\n]|\Z)")
_WITH_COMMA = re.compile(r"\s*[+-]?[0-9]+,[0-9]+\s*")
_REMARK = b"# "  # how a comment begins, whatever follows
_OBJECT_TIMES = 4  # names become Python's objects
_FEATHER_TIMES = 20  # its length, since it may be compressed
_FRAME_SIGNS = (b"PAR1", b"ARROW1")


@dataclass(frozen=True, eq=False)
class EdgeTable:
    """The columns of a table, what they are called, and which of them hold what."""

    names: tuple[str, ...]
    columns: tuple[Column, ...]
    roles: Roles
    headed: bool  # whether the names are the table's own
    where: str  # the file, for errors
    place_of: Callable[[int], str]  # where a row stands
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.columns[0])

    def column(self, role: str) -> Column | None:
        """The column that plays a role, None where none does."""
        index = getattr(self.roles, role)
        return None if index is None else self.columns[index]


@dataclass(frozen=True)
class _Layout:
    """How a text is a table, and where its rows begin."""

    names: tuple[str, ...]
    roles: Roles
    headed: bool
    separator: str
    start: int  # the character that the first row begins with
    path: Path
    notes: tuple[str, ...] = ()
    trailing: bool = False  # whether every row ends with a separator

    @property
    def width(self) -> int:
        return len(self.names) + self.trailing


def table_of_text(text: str, *, path: Path, asked: Asked) -> EdgeTable:
    """The table in a text.

    Raises:
        InputError: for comments alone, columns that are not there, and rows of another width, with their line.
    """
    rows = _located(text)
    excel = excel_separator(rows[0][0]) if rows else None
    rows = rows if excel is None else rows[1:]
    if not rows:
        raise InputError(f"{path} holds comments and blank lines only; expected {EXPECTED}")
    separator, notes = _separator(asked, [line for line, _ in rows], excel=excel, path=path)
    if separator == BLANKS:
        text, separator = _between_tabs(text), "\t"
        rows = _located(text)
    layout = _find_layout(text, rows[0][1], separator=separator, notes=notes, path=path, asked=asked)
    columns, notes = _parse(text, layout)
    if len(columns[0]) == 0:
        raise _nothing(layout)
    return EdgeTable(
        names=layout.names,
        columns=columns[: len(layout.names)],
        roles=layout.roles,
        headed=layout.headed,
        where=str(path),
        place_of=lambda row: _place_of(text, layout, row),
        notes=(*layout.notes, *notes),
    )


def is_frame_file(begin: bytes) -> bool:
    """Whether what a file begins with is that of Parquet or Feather."""
    return begin.startswith(_FRAME_SIGNS)


def table_of_frame_file(path: Path, *, asked: Asked, large: bool) -> EdgeTable:
    """The table in a .parquet or .feather file."""
    import pyarrow as pa
    from pyarrow import feather

    try:
        with opened(path, expected=EXPECTED, large=large) as file:
            if file.rewound().read(4) == b"PAR1":
                found = read_columns(file, times=_OBJECT_TIMES)
            else:
                file.check_fits(_FEATHER_TIMES * file.size)
                found = feather.read_table(file.rewound())
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no table of child-parent pairs: {one_line(error)}") from None
    return table_of_frame(found, asked=asked, where=str(path))


def table_of_frame(data: Any, *, asked: Asked, where: str = "the table") -> EdgeTable:
    """The table that a data frame is (of pandas, polars or pyarrow), a mapping of columns, or rows of two or three values."""
    import pyarrow as pa

    try:
        table = _as_arrow(data)
    except (pa.ArrowException, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            "expected a file, a data frame, columns by name or rows of child and parent, got "
            f"{type(data).__name__}: {one_line(error)}"
        ) from None
    index = set(schema_index(table.schema))
    names = tuple(map(str, table.column_names))
    if len(table) == 0 or not names:
        raise InputError(f"{where} holds no rows; expected child-parent pairs, a row each")
    roles = find_roles(names, asked, where=where)
    headed = roles is not None
    if roles is None and all(name.isdecimal() for name in names) and len(names) in (2, 3):
        roles = roles_by_position(len(names), asked)  # columns that have no names
    if roles is None:
        raise roles_wanted(names, asked, where=where)
    columns = tuple(_plain(column) for column in table.columns)
    left = index - roles.used  # row numbers of pandas
    names = tuple("" if place in left else name for place, name in enumerate(names))
    return EdgeTable(names, columns, roles, headed, where, lambda row: f"row {row + 1} of {where}")


def _as_arrow(data: Any) -> "pa.Table":
    import numpy as np
    import pyarrow as pa

    if isinstance(data, pa.Table):
        return data
    if type(data).__module__.split(".")[0] == "pandas":
        return pa.Table.from_pandas(data.rename(columns=str), preserve_index=False)
    if hasattr(data, "__arrow_c_stream__"):
        return pa.table(data)
    if isinstance(data, dict):
        return pa.table({str(name): pa.array(list(column)) for name, column in data.items()})
    rows = data.tolist() if isinstance(data, np.ndarray) else [tuple(row) for row in data]
    widths = {len(row) for row in rows}
    if len(widths) > 1 or widths - {2, 3}:
        raise ValueError(f"rows of {sorted(widths)} values")
    return pa.table(
        [pa.array(list(column)) for column in zip(*rows, strict=True)], names=["1", "2", "3"][: max(widths, default=0)]
    )


def _plain(column: Any) -> Column:
    """A column as one array; whole numbers that pandas made floats, because some are missing, are whole again."""
    import pyarrow as pa
    from pyarrow import compute

    array: Column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_floating(array.type):
        array = compute.if_else(compute.is_nan(array), pa.scalar(None, array.type), array)
        known = array.drop_null()
        whole = compute.and_(compute.equal(compute.round(known), known), compute.less(compute.abs(known), pa.scalar(2.0**53)))
        if len(known) and bool(compute.all(whole).as_py()):
            return array.cast(pa.int64())
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        return array.cast(pa.string())
    return array


# -- text


def _located(text: str) -> list[tuple[str, int]]:
    """The first lines that are neither blank nor a comment, each with the place where it begins."""
    return list(islice(((line, start) for line, start in _Lines(text).located() if line.strip()), _SAMPLE))


def _find_layout(text: str, start: int, *, separator: str, notes: tuple[str, ...], path: Path, asked: Asked) -> _Layout:
    """The columns, from the first row on, which begins at a character."""
    lines = _Lines(text[start:])
    reader = csv.reader(lines, delimiter=separator)
    row, cut = next(reader), False
    after = start + lines.consumed
    names = tuple(cell.strip() for cell in row)
    roles = find_roles(names, asked, where=str(path))
    if roles is not None:
        below = next((cells for cells in reader if any(cell.strip() for cell in cells)), None)
        return _headed(text, _Layout(names, roles, True, separator, after, path, notes), below)
    above = _named_above(text, start, row, separator=separator, asked=asked)
    if above is not None:
        names, roles, note = above
        return _headed(text, _Layout(names, roles, True, separator, start, path, (*notes, note)), row)
    if len(row) > 2 and not row[-1].strip() and str(len(row)) not in asked.columns:
        rows = [cells for cells in csv.reader(_Lines(text[start:]), delimiter=separator) if cells]
        if trailing.is_trailing(row, rows[1:]):
            row, notes, cut = row[:-1], (*notes, trailing.NOTE), True
        elif trailing.in_some(rows) == len(row) - 1:
            row = row[:-1]  # what ends so is cut where it is parsed
    roles = _headless_roles(row, asked)
    if roles is None:
        raise roles_wanted([cell.strip() for cell in row], asked, where=str(path))
    called = tuple(str(index + 1) for index in range(len(row)))
    return _Layout(called, roles, False, separator, start, path, notes, cut)


def _named_above(
    text: str, start: int, row: list[str], *, separator: str, asked: Asked
) -> tuple[tuple[str, ...], Roles, str] | None:
    """The names of columns in a comment right above the first row, as ``#child,parent``; None where there is none."""
    before = text[:start].rstrip("\r\n")
    comment = before[max(before.rfind("\n"), before.rfind("\r")) + 1 :]
    if not comment.startswith("#") or count_line_ends(text[len(before) : start], start) != 1:
        return None
    comment = with_tabs(comment) if separator == "\t" and "\t" not in comment else comment
    names = tuple(cell.strip() for cell in next(csv.reader([comment.lstrip("#% \t")], delimiter=separator), []))
    width = len(row) - 1 if len(row) == len(names) + 1 and not row[-1].strip() else len(row)
    if len(names) != width or width < 2 or not all(names):
        return None
    roles = find_roles(names, asked, where="the comment above the first row")
    line = count_line_ends(text, len(before)) + 1
    return None if roles is None else (names, roles, f"the names of columns are those of the comment in line {line}")


def _headed(text: str, layout: _Layout, below: list[str] | None) -> _Layout:
    """The layout below a header whose rows may have a cell more: behind a trailing separator, or a row's name."""
    if below is None:
        return layout
    names = layout.names
    if trailing.only_above(names, below):
        return replace(layout, names=names[:-1], notes=(*layout.notes, trailing.ABOVE))
    told = (*layout.notes, trailing.NOTE)
    without = replace(layout, names=names if len(below) > len(names) else names[:-1], notes=told, trailing=True)
    may_trail = not below[-1].strip() and len(without.names) - 1 >= max(layout.roles.used, default=0)
    if may_trail and trailing.is_trailing(names, (row for _, row in _numbered_rows(text, without) if row)):
        return without
    if len(below) != len(names) + 1 or trailing.in_some([names, *(row for _, row in _numbered_rows(text, layout) if row)]):
        return layout  # what ends with a separator is cut where it is parsed
    note = "the first column has no name, so it was taken for the rows' names and left out"  # R's write.table names none
    return replace(layout, names=("", *names), roles=layout.roles.shifted(1), notes=(*layout.notes, note))


def _headless_roles(row: list[str], asked: Asked) -> Roles | None:
    """Roles by place, where the first row can be data: two columns, or a length beside them, or places are asked for."""
    if asked.places:
        return roles_by_position(len(row), asked)
    if asked.names or {"child", "parent"} & {cell.strip().lower() for cell in row}:
        return None
    if len(row) not in (2, 3) or not all(is_length(cell or "0") for cell in row[2:]):
        return None
    return roles_by_position(len(row), asked)


def is_length(cell: str) -> bool:
    """Whether a cell is a finite number of at least 0, with a decimal point or comma."""
    try:
        return 0 <= float(cell.replace(",", ".", 1)) < float("inf")
    except ValueError:
        return False


class _Lines:
    """The lines of a text, comments and lines of blanks emptied, counting the characters that were given."""

    def __init__(self, text: str, *, kept: Callable[[str], bool] | None = None):
        self._text = io.StringIO(text, newline="")
        self._kept = kept
        self.consumed = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._text)
        self.consumed += len(line)
        if line.startswith("#"):
            return line if self._kept is not None and self._kept(line) else "\n"
        return line if line.strip(" \r\n") else "\n"

    def located(self) -> Iterator[tuple[str, int]]:
        """Each line with the place of its first character."""
        while True:
            before = self.consumed
            try:
                yield next(self), before
            except StopIteration:
                return


def _separator(asked: Asked, lines: Sequence[str], *, excel: str | None, path: Path) -> tuple[str, tuple[str, ...]]:
    """What stands between columns, as somebody or Excel's first line told, or as it is found."""
    told = excel if asked.separator is None else Dialect.asked(asked.separator, None).separator
    return _sniff(lines, asked, path=path) if told is None else (told, ())


def _sniff(lines: Sequence[str], asked: Asked, *, path: Path) -> tuple[str, tuple[str, ...]]:
    """What stands between columns: what cuts all lines into as many cells, first what the suffix says; else what is there.

    Blanks stand in names, so they count only where nothing else could stand between cells.
    """
    line, usual = lines[0], OF_SUFFIX.get(suffix_of(path))
    likely = [usual or "\t", *(sign for sign in _SIGNS if sign != (usual or "\t"))]
    there = [sign for sign in likely if sign in line]
    plain = [one.rstrip("\r\n") for one in lines]
    found = next((sign for sign in there if cuts_alike(plain, sign)), there[0] if there else None)
    if (asked.lineage or asked.lineage_separator) and found in (*_OF_LINEAGES, None):
        return "\t", ()  # one column of lineages
    if found is None and _between_blanks(plain):
        return BLANKS, ("columns were found between blanks; --separator says another sign",)
    if found is None:
        raise InputError(
            f"expected a child, a tab or a comma, and a parent in every row of {path}, got {shorten(line)!r}; say what stands "
            "between columns with --separator"
        )
    if found == "," and _has_decimal_commas(lines):
        return ";", ("columns were found between ';', with decimal commas",)
    unusual = found in ";|" or usual not in (None, found)
    return found, (f"columns were found between {found!r}; --separator says another sign",) if unusual else ()


def _between_blanks(lines: Sequence[str]) -> bool:
    """Whether nothing but blanks can stand between cells: as many words in all lines, which are no list or outline."""
    if any(map(_PUNCTUATED.search, lines)) or not cuts_alike(lines, BLANKS):
        return False
    begins = {len(line) - len(line.lstrip()) for line in lines}
    aligned = all(line.split()[0].isdecimal() for line in lines)  # numbers, to the right
    return (len(begins) == 1 or aligned) and all(_WORD.search(cell) for line in lines for cell in line.split())


def _between_tabs(text: str) -> str:
    """A text with tabs where its lines have blanks between cells; comments, and where lines stand, stay as they are."""
    return "\n".join(line if line.startswith(_REMARK.decode()) else with_tabs(line) for line in re.split("\r\n|[\r\n]", text))


def _has_decimal_commas(lines: Sequence[str]) -> bool:
    """Whether semicolons stand between the columns, and commas inside of numbers alone."""
    rows = [line.rstrip("\r\n").split(";") for line in lines]
    return len(rows[0]) > 1 and all(
        len(row) == len(rows[0]) and all("," not in cell or _WITH_COMMA.fullmatch(cell) for cell in row) for row in rows
    )


def _parse(text: str, layout: _Layout) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """The columns of the rows as pyarrow's; where one is wrong, its line is looked up."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    if '"' in text:
        _check_quotes(text, layout)
    rows = text[layout.start :].encode()
    notes: tuple[str, ...] = ()
    if b"#" in rows or b"\n " in rows or b"\r " in rows or rows.startswith(b" "):
        rows, notes = _without_comments(rows, layout)
    names = [str(index) for index in range(layout.width)]
    read = arrow_csv.ReadOptions(column_names=names, block_size=_BLOCK_BYTES)
    parse = arrow_csv.ParseOptions(delimiter=layout.separator, newlines_in_values=b'"' in rows)
    convert = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), null_values=[], strings_can_be_null=False
    )

    def parsed(rows: bytes) -> pa.Table:
        return arrow_csv.read_csv(io.BytesIO(rows), read_options=read, parse_options=parse, convert_options=convert)

    try:
        table = parsed(rows)
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            raise _nothing(layout) from None
        cut = _without_ends(text, layout)
        if cut is None:
            raise _wrong_width(text, layout, otherwise=str(error)) from None
        table, notes = parsed(cut), (*notes, trailing.SOME)
    columns = tuple(_plain(column) for column in table.columns)
    return columns, notes


def _without_ends(text: str, layout: _Layout) -> bytes | None:
    """The rows without the separators that some of them end with; None where they are of other widths."""
    rows = [row for _, row in _numbered_rows(text, layout) if row]
    if trailing.in_some([layout.names, *rows]) != len(layout.names):
        return None
    made = io.StringIO(newline="")
    csv.writer(made, delimiter=layout.separator, lineterminator="\n").writerows(row[: layout.width] for row in rows)
    return made.getvalue().encode()


def _without_comments(rows: bytes, layout: _Layout) -> tuple[bytes, tuple[str, ...]]:
    """The rows without comments and lines of blanks, and what is said of lines that begin with ``#``."""
    counts = {"data": 0, "comment": 0}
    sign = layout.separator.encode()

    def keep(match: re.Match[bytes]) -> bytes:
        line = match[0]
        if not line.startswith(b"#"):
            return b""
        alike = line.count(sign) == layout.width - 1 and layout.width > 1
        is_row = alike and layout.headed and not line.startswith(_REMARK)
        if alike:
            counts["data" if is_row else "comment"] += 1
        return line if is_row else b""

    rows = _NO_ROW.sub(keep, rows)
    notes = [f"{counts['data']:,} rows begin with # and were read as data"] if counts["data"] else []
    if counts["comment"]:
        when = "data under a header, where no blank follows"
        notes.append(f"{counts['comment']:,} rows begin with # and were left out as comments; they are {when}")
    return rows, tuple(notes)


def _nothing(layout: _Layout) -> InputError:
    return InputError(f"{layout.path} holds a header and no rows; expected {EXPECTED}")


def _wrong_width(text: str, layout: _Layout, *, otherwise: str) -> InputError:
    """The first row of another width, as an error that says where it stands."""
    for line, row in _numbered_rows(text, layout):
        if row and len(row) != layout.width:
            return InputError(
                f"line {line} of {layout.path}: expected {layout.width} columns, as in the first row, got {len(row)}"
            )
    return InputError(f"{layout.path} is no table of child-parent pairs: {' '.join(otherwise.split())[:200]}")


def _place_of(text: str, layout: _Layout, wanted: int) -> str:
    """Where the rows stand: ``line 7 of FILE`` of the row of a number, from 0."""
    rows = (line for line, row in _numbered_rows(text, layout) if row)
    line = next(islice(rows, wanted, None), None)
    return f"row {wanted + 1} of {layout.path}" if line is None else f"line {line} of {layout.path}"


def _check_quotes(text: str, layout: _Layout) -> None:
    """An InputError for a quote that is not closed, or closed within a cell: where it goes on is anybody's guess."""
    for _ in _numbered_rows(text, layout, strict=True):
        pass


def _numbered_rows(text: str, layout: _Layout, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """The rows, each with the number of its first line."""

    def kept(line: str) -> bool:
        alike = layout.headed and layout.width > 1 and line.count(layout.separator) == layout.width - 1
        return alike and not line.startswith(_REMARK.decode())

    line = count_line_ends(text, layout.start) + 1
    reader = csv.reader(_Lines(text[layout.start :], kept=kept), delimiter=layout.separator, strict=strict)
    first = line
    try:
        for row in reader:
            yield line, row
            line = first + reader.line_num
    except csv.Error as error:
        raise InputError(
            f"line {line} of {layout.path}: {error}; a name that begins with a quote stands in quotes, its own ones doubled"
        ) from None


def with_notes(table: EdgeTable, *notes: str) -> EdgeTable:
    """The same table with more to say of it."""
    return replace(table, notes=(*table.notes, *notes))
