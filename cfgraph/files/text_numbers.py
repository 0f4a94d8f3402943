"""Numbers as text: a table of text becomes rows of floats, by pyarrow; what is none is told with its place."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from cfgraph import defaults
from cfgraph.errors import InputError
from cfgraph.files.columns import RawArray, index_notes, other_columns, positions_of
from cfgraph.files.dialect import Dialect, TextTable, find_table, name_of, option
from cfgraph.files.header import Header, read_header
from cfgraph.files.index import index_note
from cfgraph.files.opened import OpenedFile
from cfgraph.files.recognised import HEAD, recognise
from cfgraph.files.texts import check_cells

_CELL_BYTES = 40  # of a table of text while it is read, measured: a float in a column, in the rows, and while they are checked
_BLOCK_BYTES = 1 << 20  # that pyarrow parses at once; rows may be longer
_BLOCK_MAX = (1 << 31) - 1


def read_numbers(
    file: OpenedFile,
    *,
    what: str,
    columns: Sequence[str] | None = None,
    header: str = defaults.HEADER_RULE,
    dialect: Dialect,
) -> RawArray:
    """Numbers between separators, below a header or without one; all finite, but for logits, which may be minus infinity.

    Raises:
        InputError: for another form, with the line and the column of the first cell that is wrong.
    """
    try:
        return _read(file, what=what, columns=columns, header=header, dialect=dialect)
    except InputError:
        found = recognise(file.rewound().read(HEAD))
        if found is not None:  # what a table may begin like, too, but this is none
            raise found.error(file.path, expected=f"{what}, a row each") from None
        raise


def _read(file: OpenedFile, *, what: str, columns: Sequence[str] | None, header: str, dialect: Dialect) -> RawArray:
    table = find_table(file, what=what, asked=dialect)
    check_cells(table.file, separator=table.separator, cell_bytes=_CELL_BYTES)
    first, path = read_header(table, rule=header, what=what), file.path
    kept = [place for place in range(first.width) if place not in first.index]
    chosen = kept if columns is None else positions_of(columns, names=first.calls, path=path)
    values = _parse(table, first, chosen=chosen, what=what)
    if len(values) == 0:
        raise InputError(f"{path} holds a header and no {what}; expected a row of numbers for each")
    names = [first.calls[place] for place in chosen]
    left = index_note([first.calls[place] for place in first.index]) if columns is None else ()
    notes = (*table.notes, *first.notes, *left, *index_notes(values, names, asked=columns is not None, what=what))
    return RawArray(values, where=str(path), names=None if first.names is None else tuple(names), notes=notes)


def _parse(table: TextTable, header: Header, *, chosen: Sequence[int], what: str) -> Float[np.ndarray, "points columns"]:
    """The chosen columns as floats, by pyarrow; where it stumbles, or a value is not finite, the place is looked up."""
    import pyarrow as pa

    try:
        try:
            read = _read_csv(table, header, chosen=chosen, block=_BLOCK_BYTES)
        except pa.ArrowInvalid as error:
            if "straddling" not in str(error):
                raise
            read = _read_csv(table, header, chosen=chosen, block=min(_BLOCK_MAX, table.file.size + 1))  # long rows
    except MemoryError:  # which pyarrow's is too
        raise
    except (pa.ArrowException, UnicodeDecodeError) as error:
        if "Empty CSV" in str(error):
            return np.empty((0, len(chosen)))
        raise _fault(table, header, chosen=chosen, otherwise=str(error), what=what) from None
    values = np.empty((read.num_rows, len(chosen)))
    for number in range(len(chosen)):
        values[:, number] = read.column(number).to_numpy()
    fine = not np.isnan(values).any() if what == "logits" else np.isfinite(values).all()
    if not fine:
        raise _fault(table, header, chosen=chosen, otherwise="a value is not finite", what=what)
    return values


def _read_csv(table: TextTable, header: Header, *, chosen: Sequence[int], block: int):
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [str(index) for index in range(header.width)]
    wanted = [names[index] for index in chosen]
    read = arrow_csv.ReadOptions(column_names=names, skip_rows=header.line, block_size=block)
    parse = arrow_csv.ParseOptions(delimiter=table.separator)
    convert = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(wanted, pa.float64()),
        include_columns=wanted,
        null_values=[],
        strings_can_be_null=False,
        decimal_point=table.decimal,
    )
    return arrow_csv.read_csv(table.file.rewound(), read_options=read, parse_options=parse, convert_options=convert)


def _fault(table: TextTable, header: Header, *, chosen: Sequence[int], otherwise: str, what: str) -> InputError:
    """The first row of another width, or the first chosen cell that is no finite number, as an error that says where."""
    rows, width, path = table.rows(), header.width, table.file.path
    between = "" if table.separator == "," else f" between {name_of(table.separator)}"
    if header.names is not None:
        next(rows, None)
    for line, row in rows:
        if len(row) != width:
            return InputError(
                f"expected {width} cells{between} in every row of {path}, as in its first, got {len(row)} in line {line}; "
                f"correct it, or say {option('separator', what=what)} if cells stand between something else"
            )
        for column in chosen:
            if not _is_fine(table, row[column], what=what):
                cell = row[column].strip()[:40]
                called = "" if header.names is None else f" ({header.names[column][:40]!r})"
                return InputError(
                    f"expected a finite number in {path}, got {cell!r} in line {line}, column {column + 1}{called} (counted "
                    f"from 1); correct it, or {_remedy(cell, table, what=what)}"
                )
    return InputError(
        f"{path} is not a table of numbers between {name_of(table.separator)}: {' '.join(otherwise.split())[:200]}"
    )


def _is_fine(table: TextTable, cell: str, *, what: str) -> bool:
    if not table.is_number(cell):
        return False
    value = float(table.point(cell))
    return not math.isnan(value) if what == "logits" else math.isfinite(value)


def _remedy(cell: str, table: TextTable, *, what: str) -> str:
    """What may help, by how the cell looks."""
    other = {".": ",", ",": "."}[table.decimal]
    if TextTable(table.file, table.separator, other).is_number(cell):
        return f"say {option('decimal', what=what)} {other} if that is its decimal sign"
    inside = next((sign for sign in (";", "\t", "|") if sign in cell and sign != table.separator), None)
    if inside is not None:
        return f"say {option('separator', what=what)} {inside!r} if cells stand between {name_of(inside)}"
    return f"{other_columns(what)} (a header is a first line without any number)"
