"""Dialects: tables of text as people have them, found out or told, and made into the one that the readers parse.

Separators (a comma, a semicolon, a tab, a bar, blanks), decimal commas, comment lines and encodings are found from the first
lines. What is guessed is told in a note. Lines keep their numbers, so that errors say the right ones.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cfgraph.errors import InputError
from cfgraph.files import trailing
from cfgraph.files.encodings import as_utf8, with_text
from cfgraph.files.opened import OpenedFile
from cfgraph.files.recognised import HEAD, recognise

BLANKS = "blanks"  # what several blanks or tabs between cells are called
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", BLANKS: "blanks"}
SPELLINGS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "bar": "|", "pipe": "|", " ": BLANKS}
SPELLINGS |= {"blanks": BLANKS, "space": BLANKS, "spaces": BLANKS, "blank": BLANKS, "whitespace": BLANKS, "\\s+": BLANKS}
DECIMALS = (".", ",")
_NO_SEPARATORS = '"\r\n\0'
OF_SUFFIX = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_ORDER = ("\t", ";", "|", ",", BLANKS)
_COMMENTS = ("#", "%")
_HEAD = 1 << 16  # bytes that a dialect is found in
_LINES = 50
_PIECE = 1 << 20
_TIMES = 6  # the length of a table that is rewritten, in memory: its bytes, the text of them, and the rewritten ones
_PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?inf(?:inity)?|nan", re.IGNORECASE)
_WITH_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")  # which may be 1000 times as much: nothing is guessed
_IDENTIFIER = re.compile(r"[^\W\d][\w.\[\]()-]*")  # what a column between blanks is called: no sentence's comma or colon
_EXCEL = re.compile(r"sep=([!-~\t])", re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """How a table of text is written; what is None is found out."""

    separator: str | None = None
    decimal: str | None = None

    @classmethod
    def asked(cls, separator: str | None, decimal: str | None) -> "Dialect":
        """What somebody told; an ``InputError`` for what no table has."""
        spelled = None if separator is None else SPELLINGS.get(separator.lower(), separator)
        if (
            spelled is not None
            and spelled not in SEPARATORS
            and (len(spelled) != 1 or spelled in _NO_SEPARATORS or not spelled.isascii())
        ):
            raise InputError(
                f"expected as separator a plain character, or one of comma, semicolon, tab, bar, blanks, got {separator!r}"
            )
        if decimal is not None and decimal not in DECIMALS:
            raise InputError(f"expected as decimal sign a point '.' or a comma ',', got {decimal!r}")
        return cls(spelled, decimal)


@dataclass(frozen=True, eq=False)
class TextTable:
    """A table of text in UTF-8, with one character between its cells, and comments emptied."""

    file: OpenedFile
    separator: str
    decimal: str = "."
    notes: tuple[str, ...] = ()

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The rows that are not blank, each with the number of its last line."""
        text = io.TextIOWrapper(self.file.rewound(), encoding="utf-8-sig", errors="replace", newline="")
        reader = csv.reader(text, delimiter=self.separator)
        try:
            for row in reader:
                if row and not (len(row) == 1 and not row[0].strip()):
                    yield reader.line_num, row
        except csv.Error as error:
            raise InputError(
                f"{self.file.path} is not a table between {name_of(self.separator)}: line {reader.line_num}: {error}"
            ) from None
        finally:
            text.detach()  # else the file would be closed with it

    def is_number(self, cell: str) -> bool:
        """Whether a cell is a number in this dialect."""
        return is_number(cell, decimal=self.decimal)

    def point(self, cell: str) -> str:
        """A number with a point for the comma; any other text as it is."""
        return cell.strip().replace(",", ".") if self.decimal == "," and is_number(cell, decimal=",") else cell.strip()


def option(name: str, *, what: str) -> str:
    """What an option about reading is called on the command line, by what is read."""
    return f"--{what}-{name}" if what in ("embeddings", "labels") else f"--{name}"


def name_of(separator: str) -> str:
    """What cells stand between, in words."""
    return SEPARATORS.get(separator, repr(separator))


def is_number(cell: str, *, decimal: str = ".") -> bool:
    """Whether a cell is a number as Python reads it, but for underscores in it, with this decimal sign."""
    cell = cell.strip(" \t")
    if not cell.isascii() or cell != cell.strip():  # blanks and digits that Python knows, and no table's reader
        return False
    if decimal == ",":
        if "." in cell:
            return False
        cell = cell.replace(",", ".")
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def find_table(file: OpenedFile, *, what: str, asked: Dialect = Dialect(), words: bool = False) -> TextTable:
    """A table of text in the dialect that is asked for, or found. ``words``: cells are texts, in which blanks may stand.

    Raises:
        InputError: for a file that is something else, and one that holds no text.
    """
    expected = f"{what}, a row each"
    found = recognise(file.rewound().read(HEAD))
    if found is not None and found.certain:
        raise found.error(file.path, expected=expected)
    file, notes = as_utf8(file, expected=expected)
    head = file.rewound().read(_HEAD)
    sample = _Sample.of(head.decode("utf-8-sig", "replace"), whole=len(head) == file.size)
    if not sample.lines:
        if sample.comments:
            raise InputError(f"{file.path} holds comments alone; expected {expected}")
        return TextTable(file, OF_SUFFIX.get(file.suffix, ","), asked.decimal or ".", notes)
    separator = asked.separator or sample.excel or _find_separator(sample, file, decimal=asked.decimal, words=words)
    decimal = asked.decimal or ("," if _has_commas(sample.lines, separator) else ".")
    told = (*notes, *_guesses(file, asked, separator=separator, decimal=decimal, what=what))
    table = _rewritten(TextTable(file, separator, decimal, told), sample)
    return table if separator == BLANKS else _without_trailing(table, sample)


@dataclass(frozen=True)
class _Sample:
    """The first lines of a table that hold cells, and what stands before them."""

    lines: tuple[str, ...]
    comments: tuple[tuple[int, str], ...]  # before the first line of cells: number (from 0) and text
    numbered: bool  # whether rows begin with numbers, so that what begins with # is a comment among them too
    excel: str | None = None  # the separator that Excel's first line tells
    excel_line: int | None = None

    @classmethod
    def of(cls, text: str, *, whole: bool) -> "_Sample":
        found = re.split("\r\n|[\r\n]", text)
        if not whole and len(found) > 1:
            found = found[:-1]
        lines, comments, excel, excel_line = list[str](), list[tuple[int, str]](), None, None
        for number, line in enumerate(found):
            bare = line.strip()
            if not bare:
                continue
            if not lines and excel is None and (told := _EXCEL.fullmatch(bare)):
                excel, excel_line = told[1], number
            elif bare.startswith(_COMMENTS) and not lines:
                comments.append((number, bare))
            else:
                lines.append(line)
            if len(lines) == _LINES:
                break
        begins = [line.strip().strip('"') for line in lines[1:] or lines if not line.startswith("#")]
        numbered = bool(begins) and all(map(_PLAIN.match, begins))
        rows = [line for line in lines if not line.startswith("#")] if numbered else lines
        return cls(tuple(rows), tuple(comments), numbered, excel, excel_line)


def _find_separator(sample: _Sample, file: OpenedFile, *, decimal: str | None, words: bool) -> str:
    """The separator that cuts every line into as many cells; of several the one that leaves most numbers."""
    likely = OF_SUFFIX.get(file.suffix)
    if words and likely is None and not re.search(r"\b(?:label|name)\b", sample.lines[0], re.IGNORECASE):
        return "\t"  # one text a line
    order = [*([likely] if likely else []), *(sign for sign in _ORDER if sign != likely and not (words and sign == BLANKS))]
    if decimal == "," and not any('"' in line for line in sample.lines):
        order = [sign for sign in order if sign != ","]
    scores = {sign: _score(sample.lines, sign) for sign in order}
    best = max(order, key=lambda sign: scores[sign])  # the first of equal ones
    if scores[best] > (0, 0.0):
        return best
    inside = next((sign for sign in order if sign != BLANKS and any(sign in line for line in sample.lines)), None)
    if likely in order and any(likely in line for line in sample.lines):
        return likely
    return inside or (likely if likely in order else order[0])  # a single column


def excel_separator(line: str) -> str | None:
    """The separator that Excel's first line, ``sep=;``, tells; None for any other line."""
    told = _EXCEL.fullmatch(line.strip())
    return None if told is None else told[1]


def cuts_alike(lines: Sequence[str], separator: str) -> bool:
    """Whether a separator cuts all lines into as many cells, several of them; the header perhaps into one fewer."""
    return _score(lines, separator)[0] == 1


def _score(lines: Sequence[str], separator: str) -> tuple[int, float]:
    """Whether all lines have as many cells, several (the header perhaps one fewer), and what share of them are numbers."""
    rows = [split_cells(line, separator) for line in lines]
    widths = {len(row) for row in rows[1:]} or {len(rows[0])}
    width = max(widths)
    short = len(rows[0]) == width - 1 and not any(_PLAIN.fullmatch(cell) or _WITH_COMMA.fullmatch(cell) for cell in rows[0])
    if len(widths) != 1 or width < 2 or not (len(rows[0]) == width or short):
        return 0, 0.0
    below = [cell.strip() for row in (rows[1:] or rows) for cell in row]
    numbers = sum(bool(_PLAIN.fullmatch(cell) or (separator != "," and _WITH_COMMA.fullmatch(cell))) for cell in below)
    return 1, numbers / len(below)


def split_cells(line: str, separator: str) -> list[str]:
    """The cells of one line."""
    if separator == BLANKS:
        return next(csv.reader([line.strip().replace("\t", " ")], delimiter=" ", skipinitialspace=True), [])
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:  # a cell of more characters than any has
        return [line]


def _has_commas(lines: Sequence[str], separator: str) -> bool:
    """Whether numbers have commas for points: some do, not all as between thousands, and none has a point."""
    cells = [cell.strip() for line in lines for cell in split_cells(line, separator)]
    with_comma = [cell for cell in cells if _WITH_COMMA.fullmatch(cell)]
    with_point = any("." in cell and _PLAIN.fullmatch(cell) for cell in cells)
    return not with_point and not all(map(_THOUSANDS.fullmatch, with_comma))


def _guesses(file: OpenedFile, asked: Dialect, *, separator: str, decimal: str, what: str) -> tuple[str, ...]:
    """What is said of a separator and a decimal sign that were found out and are not those that the name tells."""
    usual = OF_SUFFIX.get(file.suffix)
    parts, options = list[str](), list[str]()
    if asked.separator is None and usual is not None and separator != usual:
        parts.append(f"cells between {name_of(separator)}")
        options.append(option("separator", what=what))
    if asked.decimal is None and decimal == ",":
        parts.append("numbers with decimal commas")
        options.append(option("decimal", what=what))
    if not parts:
        return ()
    verb = "says" if len(options) == 1 else "say"
    return (f"it was read as {' and '.join(parts)}, as its first lines show; {' and '.join(options)} {verb} otherwise",)


def _rewritten(table: TextTable, sample: _Sample) -> TextTable:
    """The same table without comments, and with tabs where it has blanks; the same file where nothing is to be done."""
    in_rows = sample.numbered and _holds_comments(table.file)
    blanks = table.separator == BLANKS
    if not (sample.comments or in_rows or blanks or sample.excel_line is not None):
        return table
    table.file.check_fits(_TIMES * table.file.size)
    text = table.file.rewound().read().decode("utf-8-sig")
    lines = re.split("\r\n|[\r\n]", text)
    separator = "\t" if blanks else table.separator
    header = _named_above(sample, table, lines)
    dropped = _drop_comments(lines, sample, in_rows=in_rows, header=header)
    if blanks:
        lines = [with_tabs(line) for line in lines]
    content = "\n".join(lines).encode()
    file = replace(table.file, handle=io.BytesIO(content), size=len(content))
    notes = [*table.notes]
    if dropped:
        notes.append(
            "a line that is a comment was left out" if dropped == 1 else f"{dropped:,} lines of comments were left out"
        )
    if header is not None:
        notes.append(f"the names of columns are those of the comment in line {header + 1}")
    return TextTable(file, separator, table.decimal, tuple(notes))


def _without_trailing(table: TextTable, sample: _Sample) -> TextTable:
    """The same table without the empty column that separators at the ends of its rows make."""
    if not any(line.rstrip(' "').endswith(table.separator) for line in sample.lines):
        return table
    try:
        first, *below = list(csv.reader([f"{line}\n" for line in sample.lines], delimiter=table.separator))
    except csv.Error:  # a cell of more characters than any has
        return table
    if len(sample.lines) == _LINES:
        below = below[:-1]  # it may go on within quotes
    above = bool(below) and trailing.only_above(first, below[0]) and not any(map(table.is_number, first))
    if not (above or trailing.is_trailing(first, below) or trailing.in_some([first, *below])):
        return table  # rows too long for memory are not looked at
    table.file.check_fits(_TIMES * table.file.size)
    head, *rows = (row for _, row in table.rows())
    if above and all(len(row) == len(head) - 1 for row in rows):
        width, said = len(head) - 1, trailing.ABOVE
    elif trailing.is_trailing(head, rows):
        width, said = max(map(len, (head, *rows))) - 1, trailing.NOTE
    elif (some := trailing.in_some([head, *rows])) is not None:
        width, said = some, trailing.SOME
    else:
        return table
    text = io.TextIOWrapper(table.file.rewound(), encoding="utf-8-sig", errors="replace", newline="")
    made = io.StringIO(newline="")
    writer = csv.writer(made, delimiter=table.separator, lineterminator="\n")
    writer.writerows(row[:width] for row in csv.reader(text, delimiter=table.separator))
    text.detach()  # else the file would be closed with it
    return replace(table, file=with_text(table.file, made.getvalue()), notes=(*table.notes, said))


def _holds_comments(file: OpenedFile) -> bool:
    """Whether some line below the first begins with #."""
    rest, last = file.rewound(), b""
    while piece := rest.read(_PIECE):
        joined = last + piece
        if b"\n#" in joined or b"\r#" in joined:
            return True
        last = piece[-1:]
    return False


def _named_above(sample: _Sample, table: TextTable, lines: list[str]) -> int | None:
    """The comment right above the first row that names its columns: as many names as cells, above a row with numbers.

    It has the separator of the rows. Blanks stand between the words of any comment, so there it begins with # and holds names.
    """
    if not sample.comments:
        return None
    number, comment = sample.comments[-1]
    if number + 1 >= len(lines) or not lines[number + 1].strip():
        return None
    first = split_cells(sample.lines[0], table.separator)
    names = [cell.strip() for cell in split_cells(comment.lstrip("#% "), table.separator)]
    if len(first) == len(names) + 1 and not first[-1].strip():  # a separator at the end of the row
        first = first[:-1]
    if table.separator == BLANKS and not (comment.startswith("#") and all(map(_IDENTIFIER.fullmatch, names))):
        return None
    fits = len(names) == len(first) and all(names) and not any(map(table.is_number, names))
    known = any(map(table.is_number, first)) or {"name", "label"} & set(names)
    return number if fits and known and len(names) > 1 else None


def _drop_comments(lines: list[str], sample: _Sample, *, in_rows: bool, header: int | None) -> int:
    """Comments emptied where they stand; how many."""
    if sample.excel_line is not None:
        lines[sample.excel_line] = ""
    dropped = 0
    for number, _ in sample.comments:
        if number == header:
            lines[number] = lines[number].strip().lstrip("#% ")
        else:
            lines[number], dropped = "", dropped + 1
    if in_rows:
        for number, line in enumerate(lines):
            if line.startswith("#"):
                lines[number], dropped = "", dropped + 1
    return dropped


def with_tabs(line: str) -> str:
    """A line of cells between blanks with tabs between them."""
    if '"' not in line:
        return "\t".join(line.split())
    cells = split_cells(line, BLANKS)
    quoted = [cell if cell and not re.search('["\t]|^#', cell) else '"' + cell.replace('"', '""') + '"' for cell in cells]
    return "\t".join(quoted)
