"""Columns: what a cell has, said once; tables, digests, checks and reserved names follow from it.

``CELL_COLUMNS`` are in the order in which tables have them. A cell has the columns of the edge from its primary parent too.

Beside these a source gives cells columns of its *own*: an array in ``Dag.columns`` is all that it takes. One of one dimension
holds a value a cell, one of two dimensions a vector a cell, and each has a *kind*: ``INTEGER``, ``FLOAT``, ``STRING``,
``BOOLEAN``, ``FLOAT[m]`` for vectors of m numbers, ``JSON`` for lists of other kinds and for values of several. The kinds
stand in the description (``Hierarchy.own_kinds``); graphs, tables, files, digests and checks follow from them.
"""

import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cfgraph.errors import InputError


@dataclass(frozen=True)
class Column:
    """One column of cells.

    ``arrow`` is the name of its Arrow type, of a vector's that of its elements. ``held`` says whose it is: ``place`` follows
    from the address, a ``property`` is the node's, ``edge`` is that of the edge from the primary parent, ``label`` that of
    the node's labels. ``optional`` ones are there where data or a source gave them. A ``digest`` takes the column's bits, or
    says nothing of it.
    """

    name: str
    arrow: str
    held: Literal["place", "property", "edge", "label"]
    vector: bool = False
    optional: bool = False
    digest: Literal["bytes", "floats"] | None = None


CELL_COLUMNS = (
    Column("parent", "string", "place"),
    Column("slot", "int32", "place"),
    Column("level", "int32", "property"),
    Column("state", "string", "label", digest="bytes"),
    Column("predicted", "bool", "property", digest="bytes"),
    Column("center", "float64", "property", vector=True, digest="floats"),
    Column("scale", "float64", "property", digest="floats"),
    Column("root_distance", "float64", "property", digest="floats"),
    Column("residual", "float64", "edge", vector=True, digest="floats"),
    Column("length", "float64", "edge", digest="floats"),
    Column("radius", "float64", "property", optional=True),
    Column("size", "int64", "property", optional=True),
)
IDENTITY = ("key", "hierarchy", "address")  # the node's properties that say which cell it is


def names_of(columns: Iterable[Column]) -> tuple[str, ...]:
    """The names of some columns."""
    return tuple(column.name for column in columns)


VECTORS = names_of(column for column in CELL_COLUMNS if column.vector)
EDGE = names_of(column for column in CELL_COLUMNS if column.held == "edge")
OF_EDGE = names_of(column for column in CELL_COLUMNS if column.held in ("place", "edge"))
OPTIONAL = names_of(column for column in CELL_COLUMNS if column.optional)
CARRIED = names_of(column for column in CELL_COLUMNS if column.digest or column.optional)  # the rest follows from the address
FLOATS = names_of(column for column in CELL_COLUMNS if column.arrow == "float64" and not column.optional)
RESERVED = (*IDENTITY, *names_of(column for column in CELL_COLUMNS if column.held == "property"))  # not a source's to give
DIGESTED = sorted(  # bytes, then numbers, then vectors: the order in which digests have been made from the first version on
    (column for column in CELL_COLUMNS if column.digest), key=lambda column: (column.digest == "floats", column.vector)
)


# -- columns of a source's own

INTEGER, FLOAT, STRING, BOOLEAN = "INTEGER", "FLOAT", "STRING", "BOOLEAN"  # as Neo4j calls them
JSON = "JSON"  # lists of other kinds than vectors, or values of several kinds
INTEGER_MAX = 2**63 - 1  # of a property of the graph
WIDTH_MAX = 99_999  # of a vector: it is a property of one node of the graph
KIND_PATTERN = re.compile(rf"({INTEGER}|{FLOAT}|{STRING}|{BOOLEAN}|{JSON}|{FLOAT}\[[1-9][0-9]{{0,4}}\])")
KIND_OF_TYPE = {int: INTEGER, float: FLOAT, str: STRING, bool: BOOLEAN}


def vector_kind(width: int) -> str:
    """The kind of vectors of so many numbers."""
    return f"{FLOAT}[{width}]"


def check_kind(kind: str) -> str:
    """The kind itself; a ``ValueError`` for what is none."""
    if not KIND_PATTERN.fullmatch(kind):
        raise ValueError(f"{kind[:40]!r} is no kind of a property, such as {FLOAT} or {FLOAT}[3]")
    return kind


def width_of(kind: str | None) -> int | None:
    """How many numbers the vectors of a kind have; None for other kinds."""
    return int(kind[len(FLOAT) + 1 : -1]) if kind is not None and kind.startswith(f"{FLOAT}[") else None


def one_kind(kinds: Collection[str]) -> str | None:
    """The kind of a column whose values are of these kinds: whole numbers among others are floats; None for none."""
    if len(kinds) <= 1:
        return next(iter(kinds), None)
    return FLOAT if set(kinds) == {INTEGER, FLOAT} else JSON


def kind_of(column: np.ndarray) -> str | None:
    """The kind of a column of a source's own; None where no cell has a value in it."""
    if column.ndim > 1:
        return vector_kind(column.shape[1])
    types = set(map(type, known_values(column))) - {type(None)}
    return one_kind({KIND_OF_TYPE.get(kind, JSON) for kind in types})


def fits_kind(found: str | None, stated: str) -> bool:
    """Whether values of one kind may stand in a column that is stated to be of another: whole numbers are floats too."""
    return found is None or found == stated or stated == JSON or (found, stated) == (INTEGER, FLOAT)


def is_of_kind(value: Any, kind: str) -> bool:
    """Whether a value, as the graph has it, is one of a column of this kind; None, for no value, always is."""
    if value is None:
        return True
    if kind == JSON:
        return {type(one) for one in (value if isinstance(value, list) else [value])} <= KIND_OF_TYPE.keys()
    width = width_of(kind)
    if width is not None:
        return isinstance(value, list) and len(value) == width and all(type(x) is float and math.isfinite(x) for x in value)
    return type(value) in KIND_OF_TYPE and fits_kind(KIND_OF_TYPE[type(value)], kind)


def known_values(column: np.ndarray) -> list[Any]:
    """A column of a source's own as a list, with None where there is none: for NaN, and for -1 among whole numbers."""
    values: list[Any] = column.tolist()
    if column.ndim > 1:
        lacks = np.isnan(column).all(axis=1) & (column.shape[1] > 0)  # a vector without numbers is one
        return [None if none else value for value, none in zip(values, lacks.tolist(), strict=True)] if lacks.any() else values
    if column.dtype.kind == "f":
        return [None if math.isnan(value) else value for value in values]
    return [None if value == -1 else value for value in values] if column.dtype.kind == "i" else values


def own_column(values: Sequence[Any], *, kind: str | None = None) -> np.ndarray:
    """Values with None for "none" as a column: whole numbers with -1, floats and vectors with NaN, anything else as objects.

    :func:`known_values` undoes it. ``kind`` says where the values are vectors.

    Raises:
        ValueError: for a value that is no vector of that kind.
    """
    width = width_of(kind)
    if width is not None:
        return _vectors(values, width=width)
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int} and min(value for value in values if value is not None) >= 0:
        return np.array([-1 if value is None else value for value in values], dtype=np.int64)
    if kinds and kinds <= {int, float} and float in kinds:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _vectors(values: Sequence[Any], *, width: int) -> np.ndarray:
    if any(not _is_list(value, width=width) for value in values if value is not None):
        raise ValueError(f"a value is no list of {width} numbers")
    lacking = [np.nan] * width
    vectors = np.array([lacking if value is None else value for value in values]).reshape(len(values), width)
    if vectors.dtype.kind not in "fi":
        raise ValueError(f"a value is no list of {width} numbers")
    return vectors.astype(np.float64)


def _is_list(value: Any, *, width: int) -> bool:
    return isinstance(value, list) and len(value) == width


def check_column(name: str, column: np.ndarray, *, count: int) -> None:
    """An ``InputError`` where a column of a source's own is not a value, or a vector of finite numbers, for each of so many."""
    expected = f"expected the property {name!r} as a value, or a vector of finite numbers, for each of {count:,} nodes"
    if not 1 <= column.ndim <= 2 or len(column) != count or not all(1 <= width <= WIDTH_MAX for width in column.shape[1:]):
        raise InputError(f"{expected}, got an array of shape {column.shape}")
    if column.dtype.kind not in "biufOU" or (column.dtype.kind == "u" and column.size and column.max() > INTEGER_MAX):
        raise InputError(
            f"expected numbers that the graph can hold, text or truth values as the property {name!r}, got {column.dtype}"
        )
    if column.ndim == 2 and column.dtype.kind not in "iuf":
        raise InputError(f"{expected}, got vectors of {column.dtype}")
    if column.ndim == 2 and column.dtype.kind == "f":
        strange = np.flatnonzero(broken_vectors(column))
        if len(strange):
            raise InputError(
                f"{expected}, got {column[strange[0]].tolist()} for node {strange[0]} (counted from 0); a node "
                "without a vector has not-a-number throughout"
            )


def broken_vectors(column: np.ndarray) -> np.ndarray:
    """Which rows of vectors are neither finite nor, where a cell has none, not-a-number throughout."""
    broken: np.ndarray = ~np.isfinite(column).all(axis=1) & ~np.isnan(column).all(axis=1)
    return broken
