"""Readers: whether somebody's reader answers for cells by address as cfgraph's own do."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from cfgraph.errors import AddressError
from cfgraph.model.cells import Cells
from cfgraph.model.reader import CellsReader, Columns, Reader
from cfgraph.testing.expected import expect, expect_equal, expect_error, expecting

COLUMNS = ("center", "scale", "root_distance", "residual", "length", "state", "predicted")  # that every answer has
WHOLE = ("parent", "slot", "level", *COLUMNS)  # that cells have which are read together
THREADS, ASKED = 4, 12


def check_reader(reader: Reader, cells: Cells) -> None:
    """Whether a reader answers for a hierarchy whose ``cells`` are known, as ``compare``, ``locate`` and the explorer ask it.

    What is asked: its depth and its number of cells; all cells, levels of them and subtrees, breadth first, the last level as
    a frontier, the top's residual the true one; single cells in the order asked, without those that are not there; children
    by parent and slot, none of cells that have none; an ``AddressError`` for a subtree that is not there; and the same to
    several threads at once. Numbers are the same bits.

    Args:
        reader: of the whole hierarchy.
        cells: the same, in memory; at least two levels below the root.

    Raises:
        AssertionError: for the first thing that does not hold.
    """
    known, addresses = CellsReader(cells), cells.addresses
    for name in ("depth", "count", "read", "cells", "children"):
        expect(hasattr(reader, name), f"expected a reader with depth, count, read, cells and children; it has no {name}")
    expect(cells.depth >= 2, f"expected cells of at least two levels to check with, got {cells.depth}")
    expect(reader.depth == cells.depth, f"expected depth {cells.depth}, got {reader.depth!r}")
    with expecting("count() to tell the number of cells"):
        expect(reader.count() == len(cells), f"expected {len(cells):,} cells, got {reader.count()!r}")
    inner = next(address for address in reversed(addresses) if cells.child_count[cells.row(address)] and address != "/")
    for top in ("/", inner, addresses[-1]):
        for depth in sorted({cells.depth, cells.depth - 1, cells.depth + 3, 0 if top == "/" else cells.depth}):
            if depth >= cells.level[cells.row(top)]:
                _check_read(reader, known, top=top, depth=depth)
    absent = "/" + "/".join(["999999"] * 2)
    expect_error(AddressError, lambda: reader.read(top=absent, depth=cells.depth), f"read of {absent}, which is not there")
    asked = [addresses[-1], absent, addresses[0], *addresses[len(addresses) // 2 :][:ASKED], addresses[1]]
    _check_same(lambda: reader.cells(asked), known.cells(asked), "cells")
    _check_same(lambda: reader.cells([]), known.cells([]), "cells at no addresses")
    parents = [inner, addresses[0], absent, addresses[-1], *addresses[1:ASKED]]
    parents = list(dict.fromkeys(parents))
    _check_same(lambda: reader.children(parents), known.children(parents), "children", beside=("slot",))
    _check_same(lambda: reader.children([addresses[-1]]), known.children([addresses[-1]]), "children of a cell that has none")
    with ThreadPoolExecutor(THREADS) as threads:
        answers = [threads.submit(reader.children, parents) for _ in range(2 * THREADS)]
        for answer in answers:
            _check_same(answer.result, known.children(parents), f"children, asked for by {THREADS} threads at once")


def _check_read(reader: Reader, known: CellsReader, *, top: str, depth: int) -> None:
    what = f"read(top={top!r}, depth={depth})"
    with expecting(f"{what} to give cells"):
        found = reader.read(top=top, depth=depth)
    wanted = known.read(top=top, depth=depth)
    expect(isinstance(found, Cells), f"{what}: expected Cells, got {type(found).__name__}")
    expect(found.top == top, f"{what}: expected cells with that top, got {found.top!r}")
    expect(len(found) == len(wanted), f"{what}: expected {len(wanted):,} cells, got {len(found):,}")
    for name in WHOLE:
        rows = slice(1, None) if name == "parent" else slice(None)  # whose parent lies above
        expect_equal(getattr(found, name)[rows], getattr(wanted, name)[rows], f"{what}, {name}")


def _check_same(ask: Callable[[], Columns], wanted: Columns, what: str, *, beside: tuple[str, ...] = ()) -> None:
    with expecting(f"{what}: an answer"):
        found = ask()
    expect("address" in found, f"{what}: expected a column address, got {', '.join(found)}")
    came, expected = (np.asarray(columns["address"]).tolist() for columns in (found, wanted))
    expect(came == expected, f"{what}: expected the cells {expected}, in that order, got {came}")
    if not expected:
        return
    for name in (*COLUMNS, *beside):
        expect(name in found, f"{what}: expected a column {name}, got {', '.join(found)}")
        expect_equal(found[name], wanted[name], f"{what}, {name}")
