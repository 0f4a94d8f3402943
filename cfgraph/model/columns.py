"""Columns: what a cell has, said once; tables, digests, checks and reserved names follow from it.

``CELL_COLUMNS`` are in the order in which tables have them. A cell has the columns of the edge from its primary parent too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


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
