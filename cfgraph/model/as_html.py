"""HTML: what notebooks show of hierarchies, stores and reports: a title, a picture where there is one, and the numbers.

All text is escaped, with control characters written out: names are whatever people have in their data. There are no scripts.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from cfgraph.errors import MissingExtraError
from cfgraph.model.as_json import fields_of, json_value
from cfgraph.visible import visible

if TYPE_CHECKING:
    import pandas as pd

ROWS_MAX = 20  # rows of a table, and facts of a report, that are shown
LETTERS_MAX = 200  # of one value


def safe(text: object) -> str:
    """A value as HTML text: escaped, visible, and not longer than a line or two."""
    shown = visible(_plain(text))
    return escape(shown if len(shown) <= LETTERS_MAX else f"{shown[: LETTERS_MAX - 1]}\N{HORIZONTAL ELLIPSIS}")


def _plain(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def facts_html(title: str, facts: Mapping[str, object], *, picture: str = "") -> str:
    """A title, a picture that is HTML already, and what is known, a row a fact."""
    rows = "".join(
        f'<tr><th style="text-align:left">{safe(name)}</th><td style="text-align:left">{safe(value)}</td></tr>'
        for name, value in facts.items()
    )
    return f"<div><div><b>{safe(title)}</b></div>{picture}<table>{rows}</table></div>"


def table_html(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A title and the first rows of a table; how many there are where these are not all."""
    head = "".join(f"<th>{safe(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{safe(value)}</td>' for value in row)}</tr>" for row in rows[:ROWS_MAX])
    more = f"<div>{ROWS_MAX} of {len(rows):,} rows</div>" if len(rows) > ROWS_MAX else ""
    return f"<div><div><b>{safe(title)}</b></div><table><tr>{head}</tr>{body}</table>{more}</div>"


def report_html(report: object) -> str:
    """A report: its numbers and words by name; of lists of rows the first ones, as tables."""
    facts: dict[str, object] = {}
    tables: list[str] = []
    _collect(_plain_fields(report), facts, tables, name="")
    shown = dict(list(facts.items())[: 2 * ROWS_MAX])
    return facts_html(type(report).__name__, shown) + "".join(tables)


def _collect(value: Any, facts: dict[str, object], tables: list[str], *, name: str) -> None:
    value = value.model_dump() if hasattr(value, "model_dump") else value
    if isinstance(value, Mapping):
        for inner, below in value.items():
            _collect(below, facts, tables, name=f"{name}.{inner}" if name else str(inner))
    elif isinstance(value, list | tuple) and value and all(isinstance(row, Mapping) for row in value):
        columns = list(dict.fromkeys(column for row in value for column in row))
        rows = [[row.get(column) for column in columns] for row in value]
        tables.append(table_html(name, columns, rows))
    elif value is not None and value != () and value != []:
        facts[name] = ", ".join(map(_plain, value)) if isinstance(value, list | tuple) else value


class Shown:
    """A report that notebooks show as HTML, and pandas holds as a frame."""

    def _repr_html_(self) -> str:
        return report_html(self)

    def to_pandas(self) -> "pd.DataFrame":
        """The report's rows as pandas' frame, such as the levels of ``compare``: of several lists of rows the longest.

        A report without rows is one row. Raises a ``MissingExtraError`` where pandas is not installed.
        """
        return frame_of(_rows_of(json_value(_plain_fields(self))), purpose="to_pandas")


def frame_of(
    rows: Sequence[Mapping[str, Any]] | Sequence[Sequence[Any]], *, purpose: str, columns: Sequence[str] | None = None
) -> "pd.DataFrame":
    """Rows as pandas' frame; fields within fields are columns ``outer.inner``."""
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtraError.of("pandas", extra="pandas", purpose=purpose) from None
    named = None if columns is None else list(columns)
    return pd.DataFrame([dict(_flat(row)) if isinstance(row, Mapping) else row for row in rows], columns=named)


def _plain_fields(report: object) -> Any:
    found: Any = fields_of(report)
    return found.model_dump() if hasattr(found, "model_dump") else found


def _rows_of(fields: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    lists = [value for value in fields.values() if isinstance(value, list) and value]
    lists = [rows for rows in lists if all(isinstance(row, Mapping) for row in rows)]
    return max(lists, key=len) if lists else [fields]


def _flat(row: Mapping[Any, Any], *, under: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _flat(value, under=f"{under}{name}.")
        else:
            yield f"{under}{name}", value
