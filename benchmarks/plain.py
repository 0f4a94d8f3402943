"""Plain: what a careful user of the driver would write without cfgraph, to write cells and to read them.

Writing is a plain loop of ``UNWIND ... CREATE`` in one session: a uniqueness constraint on the key, an index on ``state``,
labels and relationship type of its own, so that both ways live in the same database; level by level, so that parents are
there before their children; lists as rows, and what is the same in a whole batch as parameters of their own. The batch
size and the shape of the rows are the fastest of those that :func:`tune_loop` tries.

Reading is one statement for the columns that :meth:`Store.read` gives, turned into arrays.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, groupby
from operator import itemgetter
from typing import Any

import neo4j
import numpy as np

from cfgraph.model.cells import STATE_NAMES, Cells

BATCH_SIZES = (1_000, 2_000, 5_000, 10_000, 20_000)
FETCH_SIZE = 10_000  # records the server sends at once; the driver's own choice, 1,000, is no faster
REMOVE_BATCH = 20_000

SCHEMA = (
    "CREATE CONSTRAINT plain_cell_key IF NOT EXISTS FOR (cell:PlainCell) REQUIRE cell.key IS UNIQUE",
    "CREATE INDEX plain_cell_state IF NOT EXISTS FOR (cell:PlainCell) ON (cell.state)",
    "CALL db.awaitIndexes()",
)
CREATE_ROOT = """
CREATE (:PlainCell {key: $key, hierarchy: $hierarchy, address: '/', level: 0, center: $center, scale: $scale,
                    root_distance: 0.0, state: $state})
"""
CREATE_CELLS = """
UNWIND $rows AS row
MATCH (parent:PlainCell {key: row[0]})
CREATE (parent)-[:PLAIN_CHILD {slot: row[1], residual: row[2], length: row[3]}]->(cell:PlainCell {
  key: row[4], hierarchy: $hierarchy, address: row[5], level: $level, center: row[6], scale: $scale,
  root_distance: row[7], state: row[8]
})
RETURN count(cell) AS created
"""
CREATE_FAMILIES = """
UNWIND $rows AS family
MATCH (parent:PlainCell {key: family[0]})
UNWIND family[1] AS row
CREATE (parent)-[:PLAIN_CHILD {slot: row[1], residual: row[2], length: row[3]}]->(cell:PlainCell {
  key: row[4], hierarchy: $hierarchy, address: row[5], level: $level, center: row[6], scale: $scale,
  root_distance: row[7], state: row[8]
})
RETURN count(cell) AS created
"""
COUNT_CELLS = "MATCH (cell:PlainCell) WHERE cell.key >= $low AND cell.key < $high RETURN count(cell) AS cells"
REMOVE_CELLS = """
MATCH (cell:PlainCell) WHERE cell.key >= $low AND cell.key < $high
WITH cell LIMIT $batch
DETACH DELETE cell
RETURN count(*) AS removed
"""
READ_CELLS = """
MATCH (cell:Cell) WHERE cell.key >= $low AND cell.key < $high
OPTIONAL MATCH (cell)<-[edge:CHILD]-(:Cell)
RETURN cell.key, cell.level, cell.center, cell.scale, cell.root_distance,
       CASE WHEN cell:Frontier THEN 1 WHEN cell:Leaf THEN 2 ELSE 0 END, coalesce(cell.predicted, false),
       edge.slot, edge.residual, edge.length
"""


@dataclass(frozen=True)
class Loop:
    """How the loop sends its rows: how many cells a transaction, and whether a parent's children travel together."""

    batch: int
    families: bool

    def __str__(self) -> str:
        return f"{self.batch:,} cells a transaction, {'a row a parent' if self.families else 'a row a cell'}"


def create_schema(driver: neo4j.Driver) -> None:
    """The constraint and the index."""
    with driver.session() as session:
        for statement in SCHEMA:
            session.run(statement).consume()


def write_cells(driver: neo4j.Driver, cells: Cells, *, hierarchy: str, loop: Loop) -> None:
    """The plain loop."""
    with driver.session() as session:
        _create_root(session, cells, hierarchy)
        for low, high in _batches(cells, loop.batch):
            _create(session, _parameters(cells, slice(low, high), hierarchy=hierarchy, loop=loop), loop=loop)


def tune_loop(driver: neo4j.Driver, cells: Cells, *, hierarchy: str) -> tuple[Loop, dict[Loop, float]]:
    """The fastest way to send the rows, and the cells a second of each that was tried: they take turns at one hierarchy.

    What counts is the deepest level; those above it, a quarter of the cells, warm up.
    """
    loops = [Loop(batch, families) for families in (False, True) for batch in BATCH_SIZES]
    done: dict[Loop, list[float]] = defaultdict(lambda: [0.0, 0.0])
    deepest = cells.level_rows(cells.depth)
    with driver.session() as session:
        _create_root(session, cells, hierarchy)
        for loop, rows in _mixed_batches(cells, loops):
            start = time.perf_counter()
            _create(session, _parameters(cells, rows, hierarchy=hierarchy, loop=loop), loop=loop)
            if rows.start >= deepest.start:
                done[loop][0] += rows.stop - rows.start
                done[loop][1] += time.perf_counter() - start
    rates = {loop: count / seconds for loop, (count, seconds) in done.items()}
    return max(rates, key=rates.__getitem__), rates


def _mixed_batches(cells: Cells, loops: list[Loop]) -> Iterator[tuple[Loop, slice]]:
    turns = cycle(loops)
    for level in range(1, cells.depth + 1):
        low, stop = cells.level_rows(level).start, cells.level_rows(level).stop
        while low < stop:
            loop = next(turns)
            yield loop, slice(low, min(low + loop.batch, stop))
            low += loop.batch


def _batches(cells: Cells, size: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows that do not straddle levels: a parent is found only if its own batch is written."""
    for level in range(1, cells.depth + 1):
        rows = cells.level_rows(level)
        for low in range(rows.start, rows.stop, size):
            yield low, min(low + size, rows.stop)


def _create_root(session: neo4j.Session, cells: Cells, hierarchy: str) -> None:
    root = {"key": f"{hierarchy}/", "center": cells.center[0].tolist(), "scale": float(cells.scale[0])}
    session.run(CREATE_ROOT, {**root, "hierarchy": hierarchy, "state": STATE_NAMES[cells.state[0]]}).consume()


def _create(session: neo4j.Session, parameters: dict[str, Any], *, loop: Loop) -> None:
    statement = CREATE_FAMILIES if loop.families else CREATE_CELLS
    session.execute_write(lambda tx: tx.run(statement, parameters).consume())


def _parameters(cells: Cells, rows: slice, *, hierarchy: str, loop: Loop) -> dict[str, Any]:
    made = _rows(cells, rows, hierarchy)
    if loop.families:
        made = [[parent, list(family)] for parent, family in groupby(made, key=itemgetter(0))]
    level, scale = int(cells.level[rows.start]), float(cells.scale[rows.start])
    return {"rows": made, "hierarchy": hierarchy, "level": level, "scale": scale}


def _rows(cells: Cells, rows: slice, hierarchy: str) -> list[tuple]:
    addresses = cells.addresses
    own = addresses[rows]
    return list(
        zip(
            [hierarchy + addresses[parent] for parent in cells.parent[rows].tolist()],
            cells.slot[rows].tolist(),
            cells.residual[rows].tolist(),
            cells.length[rows].tolist(),
            [hierarchy + address for address in own],
            own,
            cells.center[rows].tolist(),
            cells.root_distance[rows].tolist(),
            [STATE_NAMES[state] for state in cells.state[rows].tolist()],
            strict=True,
        )
    )


def count_cells(driver: neo4j.Driver, hierarchy: str) -> int:
    """How many cells the loop wrote."""
    with driver.session() as session:
        return session.run(COUNT_CELLS, _range(hierarchy)).single()["cells"]


def remove_cells(driver: neo4j.Driver, hierarchy: str) -> None:
    """Remove what the loop wrote."""
    parameters = {**_range(hierarchy), "batch": REMOVE_BATCH}
    with driver.session() as session:
        while session.execute_write(lambda tx: tx.run(REMOVE_CELLS, parameters).single()["removed"]):
            pass


def read_columns(driver: neo4j.Driver, hierarchy: str) -> dict[str, np.ndarray]:
    """Every column of a hierarchy that cfgraph wrote, as arrays, in no order."""
    with driver.session(default_access_mode=neo4j.READ_ACCESS, fetch_size=FETCH_SIZE) as session:
        columns = zip(*session.run(READ_CELLS, _range(hierarchy)), strict=True)
        key, level, center, scale, root_distance, state, predicted, slot, residual, length = columns
    nothing = [0.0] * len(center[0])  # a root has no edge
    return {
        "key": np.array(key, dtype=object),
        "level": np.array(level, dtype=np.int32),
        "center": np.array(center),
        "scale": np.array(scale),
        "root_distance": np.array(root_distance),
        "state": np.array(state, dtype=np.uint8),
        "predicted": np.array(predicted),
        "slot": np.array([-1 if one is None else one for one in slot], dtype=np.int32),
        "residual": np.array([one or nothing for one in residual]),
        "length": np.array([one or 0.0 for one in length]),
    }


def _range(hierarchy: str) -> dict[str, str]:
    return {"low": f"{hierarchy}/", "high": f"{hierarchy}0"}
