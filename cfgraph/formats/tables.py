"""Tables: cells and edges as Arrow tables, a row a cell or an edge, from memory or from pages of the store.

Cells have ``address, parent, slot, level, state, predicted, center, scale, root_distance, residual, length, radius, size``,
then the source's own properties, then where there are any ``links`` (the edges from second parents: ``parent, slot,
residual, length``) and ``points`` (the rows of the data points in the cell). ``parent``, ``slot``, ``residual`` and ``length``
are those of the edge from the primary parent; the root has none, and residuals of zeros. What is not known is null. Vectors
are lists of fixed size; there are none at dimension 0.

Edges have ``parent, child, slot, residual, length, primary``.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cfgraph.errors import DamagedError, InputError, MissingExtraError
from cfgraph.model.cells import STATE_NAMES
from cfgraph.model.columns import (
    BOOLEAN,
    CELL_COLUMNS,
    FLOAT,
    INTEGER,
    JSON,
    STRING,
    VECTORS,
    kind_of,
    known_values,
    names_of,
    one_kind,
    width_of,
)

if TYPE_CHECKING:
    import pandas as pd

    from cfgraph.model.hierarchy import Hierarchy, HierarchyWithCells

COLUMNS = ("address", *names_of(CELL_COLUMNS), "links", "points")
NOTHING = "NULL"  # the kind of a property of the source's own that no cell has
KINDS: dict[str, pa.DataType] = {
    INTEGER: pa.int64(),
    FLOAT: pa.float64(),
    STRING: pa.string(),
    BOOLEAN: pa.bool_(),
    JSON: pa.string(),
    NOTHING: pa.null(),
}

LINK = pa.struct(
    [
        pa.field("parent", pa.string()),
        pa.field("slot", pa.int32()),
        pa.field("residual", pa.list_(pa.float64())),
        pa.field("length", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Layout:
    """Which columns a table of cells has: ``own`` are the source's properties, each with its column and its kind."""

    dimension: int
    own: tuple[tuple[str, str, str], ...] = ()
    links: bool = False
    points: bool = False

    @classmethod
    def of(cls, hierarchy: "Hierarchy", *, kinds: Mapping[str, Iterable[str]]) -> "Layout":
        """The layout of a hierarchy whose own properties hold values of these kinds."""
        taken, own = set(COLUMNS), []
        for name in kinds:
            column = name
            while column in taken:
                column = f"own.{column}"
            taken.add(column)
            own.append((name, column, _kind(one_kind(set(kinds[name])))))
        return cls(hierarchy.dimension, tuple(own), links=hierarchy.links > 0, points=hierarchy.point_nodes)

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of cells."""
        vector = pa.list_(pa.float64(), self.dimension)
        types: dict[str, pa.DataType] = {
            "address": pa.string(),
            **{c.name: vector if c.vector else _type_called(c.arrow) for c in CELL_COLUMNS},
            **{column: arrow_type(kind) for _, column, kind in self.own},
            **({"links": pa.list_(LINK)} if self.links else {}),
            **({"points": pa.list_(pa.int64())} if self.points else {}),
        }
        return pa.schema([(name, kind) for name, kind in types.items() if self.dimension or name not in VECTORS])


def _type_called(name: str) -> pa.DataType:
    return pa.type_for_alias(name)  # type: ignore[call-overload]  # pyarrow's stubs take literal names alone


def _kind(kind: str | None) -> str:
    """A kind as a table has it: lists of which the graph alone knows are JSON."""
    return NOTHING if kind is None else kind if kind in KINDS or width_of(kind) else JSON


def arrow_type(kind: str) -> pa.DataType:
    """The Arrow type of a column of a kind."""
    width = width_of(kind)
    return KINDS[kind] if width is None else pa.list_(pa.float64(), width)


def kinds_in(hierarchy: "HierarchyWithCells") -> dict[str, set[str]]:
    """The kind of each of the source's own columns of a hierarchy in memory, like ``Store.own_kinds``."""
    found = {name: kind_of(column) for name, column in hierarchy.cells.own.items()}
    return {name: set() if kind is None else {kind} for name, kind in found.items()}


# -- from pages of the store


def page_table(page: Mapping[str, list], *, id: str, layout: Layout) -> pa.Table:
    """A page of the store (cfgraph/store's ``import_pages``) as a table of cells."""
    first, second = _split_edges(page, id=id)
    if any(second) and not layout.links:
        raise DamagedError.of(id, "there are edges from second parents, which the hierarchy does not tell of")
    parent, slot, residual, length = zip(*first, strict=True)
    root = [0.0] * layout.dimension
    radius, size = np.array(page["radius"], dtype=np.float64), np.array(page["size"], dtype=np.int64)
    columns = {
        "address": page["address"],
        "parent": parent,
        "slot": slot,
        "level": page["level"],
        "state": [STATE_NAMES[state] for state in page["state"]],
        "predicted": page["predicted"],
        "center": page["center"],
        "scale": page["scale"],
        "root_distance": page["root_distance"],
        "residual": [root if vector is None else vector for vector in residual],
        "length": length,
        "radius": pa.array(radius, mask=np.isnan(radius)),
        "size": pa.array(size, mask=size < 0),
        "links": second,
        "points": [sorted(rows) for rows in page["points"]],
    }
    values = zip(*page["own"], strict=True) if page["own"] else [[None] * len(page["key"])] * len(layout.own)
    columns |= {column: _encoded(found, kind) for (_, column, kind), found in zip(layout.own, values, strict=True)}
    return _table(columns, layout.schema, id=id)


def _split_edges(page: Mapping[str, list], *, id: str) -> tuple[list[tuple], list[list[dict[str, Any]]]]:
    """Of each cell the edge from its primary parent, parents by address, and those from second parents."""
    size = len(id)
    first, second = [], []
    for key, edges in zip(page["key"], page["edges"], strict=True):
        primary = [edge for edge in edges if edge[4] is not False]
        if len(primary) != (len(key) > size + 1) or not all(str(edge[0]).startswith(f"{id}/") for edge in edges):
            raise DamagedError.of(id, f"cell {key[size:]} has {len(primary)} primary parents, or parents elsewhere")
        first.append((primary[0][0][size:], *primary[0][1:4]) if primary else (None,) * 4)
        others = [edge for edge in edges if edge[4] is False]
        names = ("slot", "residual", "length")
        rows = [{"parent": edge[0][size:], **dict(zip(names, edge[1:4], strict=True))} for edge in others]
        second.append(sorted(rows, key=lambda row: row["parent"]))
    return first, second


def _encoded(values: Sequence[Any], kind: str) -> Sequence[Any]:
    if kind == FLOAT:
        return [None if value is None else float(value) for value in values]
    if kind == JSON:
        return [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
    return values


def _table(columns: Mapping[str, Any], schema: pa.Schema, *, id: str) -> pa.Table:
    try:
        return pa.table({name: _array(columns[name], schema.field(name).type) for name in schema.names}, schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DamagedError.of(id, str(error)) from error


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)


# -- from memory


def to_arrow(hierarchy: "Hierarchy") -> tuple[pa.Table, pa.Table]:
    """The cells and the edges of a hierarchy that holds its cells, as Arrow tables; their columns: the top of this module."""
    whole = _holding(hierarchy)
    return cell_table(whole, layout=Layout.of(whole, kinds=kinds_in(whole))), edge_table(whole)


def cell_table(hierarchy: "HierarchyWithCells", *, layout: Layout) -> pa.Table:
    """The cells in breadth-first order."""
    cells, addresses = hierarchy.cells, pa.array(hierarchy.cells.addresses)
    root = np.arange(len(cells)) == 0
    columns = {
        "address": addresses,
        "parent": addresses.take(pa.array(np.maximum(cells.parent, 0), mask=root)),
        "slot": pa.array(cells.slot, pa.int32(), mask=root),
        "level": cells.level,
        "state": pa.array(STATE_NAMES).take(pa.array(cells.state)),
        "predicted": cells.predicted,
        "scale": cells.scale,
        "root_distance": cells.root_distance,
        "length": pa.array(cells.length, mask=root | (hierarchy.virtual_root & (cells.parent == 0))),
        "radius": _nullable(cells.radius, len(cells)),
        "size": _nullable(cells.size, len(cells)),
        **{column: _own(cells.own[name], kind) for name, column, kind in layout.own},
    }
    if layout.dimension:
        columns |= {name: _vectors(getattr(cells, name)) for name in VECTORS}
    if layout.links:
        columns["links"] = _links_of(hierarchy)
    if layout.points and hierarchy.cell_of_point is not None:
        columns["points"] = _points_of(hierarchy.cell_of_point, count=len(cells))
    return _table(columns, layout.schema, id=hierarchy.id)


def edge_table(hierarchy: "HierarchyWithCells") -> pa.Table:
    """All edges, those from primary parents in the order of their children, then those from second parents."""
    cells, addresses = hierarchy.cells, pa.array(hierarchy.cells.addresses)
    edges = cells.edges()
    return pa.table(
        {
            "parent": addresses.take(pa.array(edges.parent)),
            "child": addresses.take(pa.array(edges.child)),
            "slot": pa.array(edges.slot, pa.int32()),
            **({"residual": _vectors(edges.residual)} if cells.dimension else {}),
            "length": pa.array(edges.length, mask=hierarchy.virtual_root & (edges.parent == 0)),
            "primary": pa.array(edges.primary),
        }
    )


def _holding(hierarchy: "Hierarchy") -> "HierarchyWithCells":
    whole = hierarchy.require_cells()
    if whole.point_nodes and whole.cell_of_point is None:
        raise InputError(f"hierarchy {hierarchy.id!r} holds no points; read it with Store.read_whole, without a depth")
    return whole


def _nullable(column: np.ndarray | None, count: int) -> pa.Array:
    if column is None:
        return pa.nulls(count)
    return pa.array(column, mask=np.isnan(column) if column.dtype.kind == "f" else column < 0)


def _vectors(rows: np.ndarray) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(rows).reshape(-1)), rows.shape[1])


def _own(column: np.ndarray, kind: str) -> Sequence[Any] | pa.Array:
    if column.ndim == 1:
        return _encoded(known_values(column), kind)
    numbers = pa.array(np.ascontiguousarray(column).reshape(-1))
    lacking = pa.array(np.isnan(column).all(axis=1))
    return pa.FixedSizeListArray.from_arrays(numbers, column.shape[1], mask=lacking)


def _links_of(hierarchy: "HierarchyWithCells") -> list[list[dict[str, Any]]]:
    cells, addresses = hierarchy.cells, hierarchy.cells.addresses
    found: list[list[dict[str, Any]]] = [[] for _ in range(len(cells))]
    if cells.links is not None:
        for parent, child, slot, residual, length in zip(*(column.tolist() for column in cells.links.columns), strict=True):
            found[child].append({"parent": addresses[parent], "slot": slot, "residual": residual, "length": length})
    return [sorted(rows, key=lambda row: row["parent"]) for rows in found]


def _points_of(cell: np.ndarray, *, count: int) -> pa.ListArray:
    """The rows of the points in each of the cells, from each point's cell."""
    order = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[order], np.arange(count + 1))
    rows = order[starts[0] :]  # before these are the points that lie in no cell
    return pa.ListArray.from_arrays(pa.array(starts - starts[0], pa.int32()), pa.array(rows))


# -- flat ones


def spread(table: pa.Table) -> pa.Table:
    """The same table without lists: vectors as columns ``center_0, center_1, ...``; links and points are left out.

    A property of the source's own that is called like one of these gets ``own.`` before it.
    """
    columns: dict[str, Any] = {}
    flat = {name: _flat_columns(table, name) for name in table.column_names}
    taken = {name for known, found in flat.items() if known in COLUMNS for name in found}
    for known, found in flat.items():
        for name, column in found.items():
            while known not in COLUMNS and name in taken:
                name = f"own.{name}"
            taken.add(name)
            columns[name] = column
    return pa.table(columns)


def _flat_columns(table: pa.Table, name: str) -> dict[str, pa.ChunkedArray]:
    kind, column = table.schema.field(name).type, table.column(name)
    if pa.types.is_fixed_size_list(kind):
        return {f"{name}_{axis}": pc.list_element(column, axis) for axis in range(kind.list_size)}
    return {} if pa.types.is_list(kind) else {name: column}


def to_pandas(hierarchy: "Hierarchy") -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """The cells, with their addresses as the index, and the edges of a hierarchy that holds its cells, as pandas' frames.

    Vectors are columns ``center_0, center_1, ...``; where points are known, the column ``points`` of cells holds their rows.
    Whole numbers and truth values are of pandas' types that know missing ones.

    Raises:
        MissingExtraError: where pandas is not installed.
        InputError: for a hierarchy without its cells.
    """
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtraError.of("pandas", extra="pandas", purpose="to_pandas") from None
    kinds = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    cells, edges = to_arrow(hierarchy)
    points = {"points": cells.column("points").to_pandas()} if "points" in cells.column_names else {}
    frames = [spread(table).to_pandas(types_mapper=kinds.get) for table in (cells, edges)]
    return frames[0].assign(**points).set_index("address"), frames[1]
