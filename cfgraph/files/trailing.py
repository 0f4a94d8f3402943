"""Trailing separators: rows that end with a separator have an empty last cell, which is no column where all of them do.

Nor is it one where some rows end so, and all others have just one cell fewer.
"""

from collections.abc import Iterable, Sequence
from itertools import chain

NOTE = "every row ends with a separator, and the empty column behind it was left out"
ABOVE = "the header ends with a separator, which was left out"
SOME = "some rows end with a separator, which was left out there"


def is_trailing(first: Sequence[str], below: Iterable[Sequence[str]]) -> bool:
    """Whether the last cell of a table's rows is what a trailing separator leaves: empty in all, and without a name above.

    The first row, perhaps a header, is as wide as the others and ends with an empty cell too, or has one cell fewer.
    """
    rows = iter(below)
    second = next(rows, None)
    if second is None:
        return len(first) > 1 and _ends_empty(first)
    width = len(second)
    alike = len(first) == width and _ends_empty(first)
    if width < 2 or not (alike or len(first) == width - 1):
        return False
    return all(len(row) == width and _ends_empty(row) for row in chain([second], rows))


def only_above(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether a header alone ends with a separator: it has an empty cell more than the row below."""
    return len(first) == len(second) + 1 and len(second) > 0 and _ends_empty(first)


def in_some(rows: Iterable[Sequence[str]]) -> int | None:
    """How many cells rows have of which some end with a separator, and are so one cell wider; None for any other rows."""
    empty: dict[int, bool] = {}  # whether all rows of a width end with an empty cell
    for row in rows:
        empty[len(row)] = empty.get(len(row), True) and _ends_empty(row)
        if len(empty) > 2 or (len(empty) == 2 and not empty[max(empty)]):
            return None
    if len(empty) != 2:
        return None
    width, wider = sorted(empty)
    return width if wider == width + 1 and width > 0 and empty[wider] else None


def _ends_empty(row: Sequence[str]) -> bool:
    return len(row) > 0 and not row[-1].strip()
