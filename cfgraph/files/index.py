"""Index columns: the row numbers or row names that pandas and R write beside the columns of a table.

They are no values. pandas says in a .parquet which columns are its index; in a .csv an index has no name, ``Unnamed: 0``
once pandas has read it back, and R calls its row names ``""`` or nothing at all.
"""

import json
import re
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_UNNAMED = re.compile(r"|Unnamed: [0-9]+(\.[0-9]+)*")  # of several levels: Unnamed: 0, Unnamed: 1, ...
_FIRST_UNNAMED = re.compile(r"Unnamed: 0(\.[0-9]+)*|__index_level_[0-9]+__")  # an index wherever it stands
_SHOWN = 5
_NAME = 60  # characters of a name in an error


def unnamed_at_the_start(names: Sequence[str]) -> int:
    """How many columns without a name a header begins with."""
    return len(list(takewhile(_UNNAMED.fullmatch, names)))


def unnamed_index(names: Sequence[str]) -> tuple[int, ...]:
    """Where the columns of an index stand, by their names alone; nowhere where no other column would be left."""
    before = unnamed_at_the_start(names)
    found = tuple(place for place, name in enumerate(names) if place < before or _FIRST_UNNAMED.fullmatch(name))
    return found if len(found) < len(names) else ()


def schema_index(schema: "pa.Schema") -> tuple[int, ...]:
    """Where the columns of a data frame's index stand in a .parquet, which pandas says, or their names."""
    index_names = set(_pandas_index(schema))
    found = {place for place, name in enumerate(schema.names) if name in index_names}
    return tuple(sorted(found.union(unnamed_index(schema.names))))


def _pandas_index(schema: "pa.Schema") -> list[str]:
    """The names of the index columns in what pandas says of a table; a range of numbers is no column."""
    try:
        columns = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))["index_columns"]
        return [name for name in columns if isinstance(name, str)]
    except (ValueError, KeyError, TypeError):  # other programs may write what they like there
        return []


def listed(names: Iterable[str], *, most: int = 20) -> str:
    """Names of columns in a line, as errors show them: long ones cut, line ends made blanks, and not more than some."""
    shown = [" ".join(name.split())[:_NAME] for name in names]
    return ", ".join([*shown[:most], *(["..."] if len(shown) > most else [])])


def index_note(names: Sequence[str]) -> tuple[str, ...]:
    """What is said of index columns that were left out."""
    if not names:
        return ()
    nameless, named = names.count(""), [name for name in names if name]
    first = [] if not nameless else ["the first, without a name" if nameless == 1 else f"the first {nameless}, without names"]
    shown = listed([*first, *named], most=_SHOWN)
    return (f"columns that are the index of a data frame, no values, were left out: {shown}",)
