"""CSV: for spreadsheets, R and pandas.

One file: a row a cell, with the edge from its parent, vectors spread over columns ``center_0, center_1, ...``. Where cells
have several parents or points are nodes, or where a folder is asked for, several files:

    cells.csv        the same
    edges.csv        a row an edge, from second parents too: parent, child, slot, ...; `cfgraph ingest edges` reads it
    points.csv       row, cell: where points are nodes
    hierarchy.json   what is known of the hierarchy

A spreadsheet takes a text that begins like a formula for one, in quotes too. Where a file is to be safe there, an apostrophe
comes before such texts, which spreadsheets know as the sign of a text.
"""

import json
import re
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from cfgraph.errors import InputError
from cfgraph.files.whole import whole_file, whole_folder
from cfgraph.formats.tables import Layout, cell_table, kinds_in, spread

if TYPE_CHECKING:
    from cfgraph.model.hierarchy import Hierarchy, HierarchyWithCells

EDGE_COLUMNS = ("parent", "child", "slot", "length", "primary")
# How a formula begins, for one spreadsheet or another: the signs, their full-width forms, and blanks that are skipped.
_FORMULA, _GUARDED = "\\A([=+\\-@\uff1d\uff0b\uff0d\uff20\t\r\n])", r"'\1"


class CsvFile:
    """Writes tables of one schema to an open file; the first brings the header. Use it in a ``with``."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._writer: arrow_csv.CSVWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, table: pa.Table) -> None:
        """Write a table's rows."""
        if self._writer is None:
            self._writer = arrow_csv.CSVWriter(self._file, table.schema)
        self._writer.write_table(table)


def write_csv(hierarchy: "HierarchyWithCells", path: str | Path, *, spreadsheet_safe: bool = False) -> None:
    """Write a hierarchy that holds its cells: as one file where ``path`` ends in ``.csv``, else as a folder.

    ``spreadsheet_safe`` guards texts that a spreadsheet would take for formulas (:func:`guard_formulas`).
    """
    layout = Layout.of(hierarchy, kinds=kinds_in(hierarchy))
    tables = [cell_table(hierarchy, layout=layout)]
    write_csv_tables(tables, path, hierarchy=hierarchy, spreadsheet_safe=spreadsheet_safe)


def write_csv_tables(
    tables: Iterable[pa.Table], path: str | Path, *, hierarchy: "Hierarchy", spreadsheet_safe: bool = False
) -> None:
    """Write tables of cells, one after the other.

    Raises:
        InputError: for one file where that cannot hold all there is, and for a place that cannot be written.
    """
    check_csv(hierarchy, path)
    tables = map(guard_formulas, tables) if spreadsheet_safe else tables
    if is_one_file(path):
        with whole_file(path) as file, CsvFile(file) as csv:
            for table in tables:
                csv.add(spread(table))
        return
    with whole_folder(path) as folder:
        _write_folder(tables, folder, hierarchy=hierarchy)


def guard_formulas(table: pa.Table) -> pa.Table:
    """The same table with an apostrophe before each text that begins as a formula does, the names of columns included.

    Numbers are no text, negative ones neither. Lists are left as they are: CSV has none.
    """
    names = [_guard(name) for name in table.column_names]
    return pa.Table.from_arrays([_guard_column(column) for column in table.columns], names=names)


def _guard(text: str) -> str:
    return re.sub(_FORMULA, _GUARDED, text)


def _guard_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_string(column.type):
        return column
    return pc.replace_substring_regex(column, pattern=_FORMULA, replacement=_GUARDED)


def is_one_file(path: str | Path) -> bool:
    """Whether a place asks for one file."""
    return Path(path).suffix.lower() == ".csv"


def check_csv(hierarchy: "Hierarchy", path: str | Path) -> None:
    """An ``InputError`` where one file cannot hold all that a hierarchy has."""
    more = [f"{hierarchy.links:,} edges from second parents"] * (hierarchy.links > 0)
    more += ["data points as nodes"] * hierarchy.point_nodes
    if more and is_one_file(path):
        raise InputError(
            f"{hierarchy.id!r} has {' and '.join(more)}, which one CSV file with a row a cell cannot hold; "
            f"`--format csv -o {str(path)[:-4]}` makes a folder of several"
        )


def _write_folder(tables: Iterable[pa.Table], folder: Path, *, hierarchy: "Hierarchy") -> None:
    names = ["cells.csv", "edges.csv", *(["points.csv"] if hierarchy.point_nodes else [])]
    with ExitStack() as stack:
        files = {name: CsvFile(stack.enter_context((folder / name).open("wb"))) for name in names}
        for csv in files.values():
            stack.enter_context(csv)
        for table in tables:
            files["cells.csv"].add(spread(table))
            files["edges.csv"].add(spread(edges_of(table)))
            if hierarchy.point_nodes:
                files["points.csv"].add(_points_of(table))
    record = hierarchy.model_dump(mode="json")
    (folder / "hierarchy.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def edges_of(cells: pa.Table) -> pa.Table:
    """The edges that a table of cells holds, those from second parents after the others."""
    vectors = ["residual"] if "residual" in cells.column_names else []
    below = cells.filter(pc.is_valid(cells.column("parent")))
    primary = below.rename_columns(["child" if name == "address" else name for name in below.column_names])
    primary = primary.append_column("primary", pa.repeat(True, len(primary))).select([*EDGE_COLUMNS, *vectors])
    if "links" not in cells.column_names:
        return primary
    links = cells.column("links").combine_chunks()
    rows = pc.list_flatten(links)
    columns = {
        "parent": pc.struct_field(rows, "parent"),
        "child": cells.column("address").combine_chunks().take(pc.list_parent_indices(links)),
        "slot": pc.struct_field(rows, "slot"),
        "length": pc.struct_field(rows, "length"),
        "primary": pa.repeat(False, len(rows)),
    }
    if vectors:
        columns["residual"] = pc.struct_field(rows, "residual").cast(cells.schema.field("residual").type)
    return pa.concat_tables([primary, pa.table(columns)])


def _points_of(cells: pa.Table) -> pa.Table:
    points = cells.column("points").combine_chunks()
    address = cells.column("address").combine_chunks().take(pc.list_parent_indices(points))
    return pa.table({"row": pc.list_flatten(points), "cell": address})
