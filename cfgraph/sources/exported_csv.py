"""Exported CSV: what ``cfgraph export --format csv`` wrote, with the names and properties of its cells.

One file has a row a cell, with the edge from its parent; in a folder ``edges.csv`` has every edge, ``points.csv`` the data
points in cells, and ``hierarchy.json`` says whether the root is a virtual one and which properties are texts.
"""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from cfgraph.errors import InputError
from cfgraph.files.texts import JSON_TIMES, read_text
from cfgraph.formats.csv import EDGE_COLUMNS
from cfgraph.model.address import ROOT
from cfgraph.model.columns import CELL_COLUMNS, FLOAT, STRING, VECTORS, known_values, names_of
from cfgraph.model.dag import Dag
from cfgraph.sources.edge_rows import Column, EdgeTable
from cfgraph.sources.parent_table import property_column

CELLS, EDGES, POINTS, RECORD = "cells.csv", "edges.csv", "points.csv", "hierarchy.json"
_OF_CELLS = {"address", "parent", "slot", "level", "state", "length"}
_PLACE = {"address", *names_of(CELL_COLUMNS)} - {"size"}
_SPREAD = re.compile(rf"({'|'.join(VECTORS)})_[0-9]+")
ReadTable = Callable[[Path], EdgeTable]


def is_of_cells(table: EdgeTable) -> bool:
    """Whether a table has a row a cell, as an export writes it."""
    return table.headed and set(table.names) >= _OF_CELLS


def is_of_edges(table: EdgeTable) -> bool:
    """Whether a table has a row an edge, as an export writes it."""
    return table.headed and table.names[: len(EDGE_COLUMNS)] == EDGE_COLUMNS


def exported_dag(table: EdgeTable, *, folder: Path | None, read: ReadTable) -> Dag:
    """The dag of a table of cells, with what else lies in its folder where it is of one.

    Raises:
        InputError: for addresses that come twice and edges to cells that are not there.
    """
    names = list(_column(table, "address").to_pylist())
    number = {name: row for row, name in enumerate(names)}
    if len(number) < len(names):
        raise InputError(f"expected each address once in {table.where}, got some twice; export it again")
    record = {} if folder is None else _record(folder)
    source = table if folder is None or not (folder / EDGES).is_file() else read(folder / EDGES)
    parent, child, slot, length = _edges(source, number)
    keep = np.ones(len(names), dtype=bool)
    keep[number.get(ROOT, 0)] = not record.get("virtual_root", False)
    place = np.cumsum(keep) - 1
    inside = np.flatnonzero(keep[parent])
    inside = inside[np.lexsort((slot[inside], parent[inside]))]
    columns = _properties(table, np.flatnonzero(keep), kinds=record.get("own_kinds") or {})
    called = columns.pop("name", None)
    return Dag(
        count=int(keep.sum()),
        parent=place[parent[inside]],
        child=place[child[inside]],
        length=length[inside],
        lengths="branch",
        names=None if called is None else called.tolist(),
        columns=columns,
        node_of_point=None if folder is None else _points(folder, number, place, read=read),
        notes=table.notes,
    )


def without_places(table: EdgeTable) -> EdgeTable:
    """A table of edges without what says only where they stand, so that it does not become properties."""
    kept = [index for index, name in enumerate(table.names) if name not in ("slot", "primary") and not _SPREAD.fullmatch(name)]
    index_of = {old: new for new, old in enumerate(kept)}
    roles = table.roles
    moved = {name: index_of[getattr(roles, name)] for name in ("child", "parent")}
    length = None if roles.length is None else index_of[roles.length]
    return replace(
        table,
        names=tuple(table.names[index] for index in kept),
        columns=tuple(table.columns[index] for index in kept),
        roles=replace(roles, child=moved["child"], parent=moved["parent"], length=length),
    )


def _column(table: EdgeTable, name: str) -> Column:
    import pyarrow as pa

    return table.columns[table.names.index(name)].cast(pa.string()).fill_null("")


def _record(folder: Path) -> dict[str, Any]:
    """What is known of the hierarchy; nothing where that is not there."""
    if not (folder / RECORD).is_file():
        return {}
    try:
        record = json.loads(read_text(folder / RECORD, expected="a hierarchy's description", times=JSON_TIMES))
    except (ValueError, RecursionError):
        raise InputError(f"{folder / RECORD} is no JSON; export the hierarchy again, or leave the file out") from None
    return record if isinstance(record, dict) else {}


def _edges(
    table: EdgeTable, number: dict[str, int]
) -> tuple[Int[np.ndarray, " edges"], Int[np.ndarray, " edges"], Int[np.ndarray, " edges"], np.ndarray]:
    """Parent, child, slot and length of each edge."""
    to = "child" if is_of_edges(table) else "address"
    texts = (_column(table, name).to_pylist() for name in ("parent", to, "slot", "length"))
    rows = [row for row in zip(*texts, strict=True) if row[0]]
    try:
        parent = np.array([number[row[0]] for row in rows], dtype=np.int64)
        child = np.array([number[row[1]] for row in rows], dtype=np.int64)
        slot = np.array([int(row[2]) for row in rows], dtype=np.int64)
        length = np.array([float(row[3] or "nan") for row in rows], dtype=np.float64)
    except KeyError as error:
        raise InputError(f"expected edges between the cells of an export in {table.where}, got {error}") from None
    except (ValueError, OverflowError) as error:
        raise InputError(f"expected numbers as slots and lengths in {table.where}: {error}") from None
    wrong = np.flatnonzero((length < 0) | np.isinf(length))
    if len(wrong):
        raise InputError(f"expected finite lengths of at least 0 in {table.where}, got {length[wrong[0]]}")
    return parent, child, slot, length


def _properties(table: EdgeTable, rows: Int[np.ndarray, " kept"], *, kinds: dict[str, str]) -> dict[str, np.ndarray]:
    """The source's own columns."""
    import pyarrow as pa

    columns = {}
    for name, column in zip(table.names, table.columns, strict=True):
        if not name or name in _PLACE or _SPREAD.fullmatch(name):
            continue
        called = name.removeprefix("own.")
        is_text = called == "name" or kinds.get(called) == STRING
        found = _texts(column.cast(pa.string()), rows) if is_text else property_column(column, rows)
        if found is not None:
            columns[called] = _as_floats(found) if kinds.get(called) == FLOAT else found
    return columns


def _as_floats(column: np.ndarray) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in known_values(column)], dtype=np.float64)


def _texts(column: Column, rows: Int[np.ndarray, " kept"]) -> np.ndarray:
    values = np.empty(len(column), dtype=object)
    values[:] = [text or None for text in column.to_pylist()]
    return values[rows]


def _points(folder: Path, number: dict[str, int], place: np.ndarray, *, read: ReadTable) -> Int[np.ndarray, " points"] | None:
    """The node of each data point; None where points are no nodes."""
    if not (folder / POINTS).is_file():
        return None
    table = read(folder / POINTS)
    try:
        rows = [int(text) for text in _column(table, "row").to_pylist()]
        cells = [number[text] for text in _column(table, "cell").to_pylist()]
    except (ValueError, KeyError) as error:
        raise InputError(f"expected the rows of data points and their cells in {table.where}, got {error}") from None
    node = np.full(max(rows, default=-1) + 1, -1, dtype=np.int64)
    node[rows] = place[cells]
    return node
