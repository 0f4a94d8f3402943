"""Headers: what the first line of a table of text says of its columns, and whether it is a header at all.

A first line without any number is a header. So is one that counts its columns, ``0,1,2``: pandas writes that where columns
have no names. Which columns hold an index rather than values is told by :mod:`cfgraph.files.index`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

from cfgraph.defaults import HEADER_RULE, HEADER_RULES
from cfgraph.errors import InputError
from cfgraph.files.dialect import TextTable, option
from cfgraph.files.dialect import is_number as is_number
from cfgraph.files.index import unnamed_at_the_start, unnamed_index

NAME = "name"  # the column of a table that holds the rows' names
_WHOLE = re.compile(r"[0-9]+")


@dataclass(frozen=True)
class Header:
    """The first line of a table of text.

    ``names`` are those of all columns of the rows below, None where the first line is a row itself; ``index`` are those that
    were written without a name, which is how pandas and R write row numbers and row names.
    """

    names: tuple[str, ...] | None
    width: int
    line: int  # the number of the header's last line, or of the line before the first row
    index: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def calls(self) -> tuple[str, ...]:
        """What columns are called: their numbers where they have no names."""
        return self.names if self.names is not None else tuple(map(str, range(self.width)))


def check_header_rule(rule: str) -> str:
    """The rule itself; an ``InputError`` for one that is none."""
    if rule not in HEADER_RULES:
        raise InputError(f"expected one of {', '.join(HEADER_RULES)} as header, got {rule!r}")
    return rule


def check_header_asked(rule: str, *, path: Path, what: str) -> None:
    """Refuse a rule that somebody gave for a file that is no table of text."""
    if check_header_rule(rule) != HEADER_RULE:
        raise InputError(f"a header is the first line of a table of text, and {path} is none; leave {header_option(what)} out")


def header_option(what: str) -> str:
    """The option of the command line that says whether the first line of a file of points, merges or embeddings is a header."""
    return option("header", what=what)


def read_header(table: TextTable, *, rule: str = HEADER_RULE, what: str = "points") -> Header:
    """What the first line of a table says; ``rule`` is ``yes`` or ``no`` where that is known, else ``auto``.

    Raises:
        InputError: for blank lines only, and another rule.
    """
    check_header_rule(rule)
    rows = list(islice(table.rows(), 2))
    if not rows:
        raise InputError(f"{table.file.path} holds blank lines only; expected {what}, a row each")
    line, names = rows[0][0], [cell.strip() for cell in rows[0][1]]
    first, below = [table.point(cell) for cell in names], [table.point(cell) for cell in rows[1][1]] if len(rows) > 1 else None
    if rule == "no" or (rule == "auto" and not _is_header(first, below)):
        notes = (_resemblance(first, what),) if rule == "auto" and _resembles(first, below) else ()
        return Header(None, len(first), line - 1, notes=notes)
    notes = (_assumption(first, what),) if rule == "auto" and any(map(is_number, first)) else ()
    if below is not None and len(below) == len(first) + 1:
        names = ["", *names]  # R's write.table names no row names
    return Header(tuple(names), len(names), line, index=unnamed_index(names), notes=notes)


def _is_header(first: Sequence[str], below: Sequence[str] | None) -> bool:
    """No number, or whole ones that cannot be a row's: they count columns, or stand among names or behind an unnamed index."""
    numbers = [cell for cell in first if is_number(cell)]
    if not numbers:
        return True
    named = first[unnamed_at_the_start(first) :]
    texts = [cell for cell in named if not is_number(cell)]
    if not all(map(_WHOLE.fullmatch, numbers)) or not _numbers_below(named, below):
        return False
    if not texts:
        return len(named) < len(first) or (_counts_from(0, numbers) and _tells_more(numbers, below))
    return _counts_from(0, numbers) or len(texts) > len(numbers) or NAME in texts


def _numbers_below(named: Sequence[str], below: Sequence[str] | None) -> bool:
    """Whether the row below has numbers under all names but the first, which may be that of the rows' names."""
    if below is None:
        return True
    under = below[len(below) - len(named) :] if len(below) >= len(named) else ()
    pairs = list(zip(named, under, strict=False))
    return all(is_number(cell) for name, cell in pairs[1:] if not is_number(name) and name != NAME)


def _tells_more(numbers: Sequence[str], below: Sequence[str] | None) -> bool:
    """Whether a row of numbers that count is no row: a single 0 above whole numbers, or above nothing, may be one."""
    return below is not None and (len(numbers) > 1 or not all(map(_WHOLE.fullmatch, map(str.strip, below))))


def _counts_from(start: int, numbers: Sequence[str]) -> bool:
    return list(numbers) == [str(start + index) for index in range(len(numbers))]


def _resembles(first: Sequence[str], below: Sequence[str] | None) -> bool:
    """Whether a row of numbers could be a header: it ascends in whole numbers, by one, or above numbers that are not whole."""
    if not first or not all(map(is_number, first)):
        return False
    values = [float(cell) for cell in first]
    if not all(value.is_integer() for value in values) or any(one >= other for one, other in pairwise(values)):
        return False
    fractions = below is not None and not all(_WHOLE.fullmatch(cell.strip().lstrip("-")) for cell in below)
    by_one = len(first) > 2 and values[-1] - values[0] == len(first) - 1 and values[0] in (0, 1)
    plain = all(map(_WHOLE.fullmatch, first))
    return by_one or (plain and (fractions or first == ["0"]))


def _resemblance(first: Sequence[str], what: str) -> str:
    return (
        f"the first line, {_shown(first)}, looks like a header of numbers and was read as a row; "
        f"{header_option(what)} yes reads it as a header"
    )


def _assumption(first: Sequence[str], what: str) -> str:
    return (
        f"the first line, {_shown(first)}, was read as a header, since its numbers look like names of columns; "
        f"{header_option(what)} no reads it as a row"
    )


def _shown(cells: Sequence[str]) -> str:
    shown = ",".join(" ".join(cell.split())[:20] for cell in cells[:6])
    return f"{shown},..." if len(cells) > 6 else shown
