"""Cells of a folder in the order of their keys, as columns: for digests, exports, and whatever reads a graph so.

The order is that of addresses as text: a cell comes before its descendants, a subtree in one piece. Sheets are gone through one
after another (with ten children and more, now and then to and fro), one ahead of what is asked for; memory holds a few of them.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Int

from cfgraph.formats.folders.reader import FolderReader
from cfgraph.formats.folders.sheets import FLOATS, NUMBERS, VECTORS
from cfgraph.model.address import relative_addresses, stem_of
from cfgraph.model.cells import EXPANDED, FRONTIER
from cfgraph.model.columns import DIGESTED as DIGESTED_COLUMNS
from cfgraph.model.columns import names_of
from cfgraph.model.sheets import Layer, Sheet

ADDRESSES = "addresses"
COLUMNS = (*NUMBERS, "level", "state", "predicted")
DIGESTED = names_of(DIGESTED_COLUMNS)
PAGE_CELLS = 50_000
HASHED_CELLS = 5_000  # at least at a time: as many as most blocks have, which then need not be put together
KEPT_SHEETS = 2  # a layer


@dataclass(frozen=True, eq=False)
class KeyPage:
    """Cells in the order of their keys: the columns that were asked for. ``text`` has the addresses, a line each."""

    count: int
    columns: dict[str, np.ndarray]  # of ``COLUMNS``
    text: str = ""

    def __len__(self) -> int:
        return self.count

    @property
    def addresses(self) -> list[str]:
        """The addresses, a text each."""
        return self.text.split("\n")[:-1]


@dataclass(frozen=True, eq=False)
class Shape:
    """What lies below one cell, some levels deep, in the order of keys: which column of which level, and how it is called.

    ``ends`` are the places of the cells of the last level in that order.
    """

    order: Int[np.ndarray, " cells"]  # of cells level by level
    level: Int[np.ndarray, " cells"]  # 1 for children
    names: tuple[str, ...]
    ends: Int[np.ndarray, " last"]


@lru_cache(maxsize=8)
def shape_of(arity: int, height: int) -> Shape:
    """The shape of complete subtrees."""
    names = [name for level in range(1, height + 1) for name in relative_addresses(arity, level)]
    order = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
    levels = np.repeat(np.arange(1, height + 1), [arity**level for level in range(1, height + 1)])[order]
    return Shape(order, levels, tuple(names[row] for row in order.tolist()), np.flatnonzero(levels == height))


@dataclass(frozen=True, eq=False)
class KeySheet:
    """A sheet, each seed's cells in the order of keys: of each column a row a seed."""

    sheet: Sheet
    columns: dict[str, np.ndarray]

    def below(self, seed: int, rows: slice) -> dict[str, np.ndarray]:
        """Some of what lies below a seed."""
        row = seed - self.sheet.low
        return {name: column[row, rows] for name, column in self.columns.items()}


class KeyOrder:
    """Goes through a folder; use it in a ``with``.

    Args:
        reader: the folder.
        page_cells: how many cells a page has at least, but the last.
        columns: which of ``COLUMNS`` are wanted, of which files give ``NUMBERS``; ``ADDRESSES`` for the texts.
    """

    def __init__(self, reader: FolderReader, *, page_cells: int = PAGE_CELLS, columns: Sequence[str] = (ADDRESSES, *COLUMNS)):
        self._reader, self._cut, self._page_cells = reader, reader.cut, page_cells
        self._wanted = tuple(columns)
        self._numbers = tuple(name for name in NUMBERS if name in columns)
        self._kept = [OrderedDict[int, Future[KeySheet]]() for _ in self._cut.layers]
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="cfgraph-sheets")

    def __enter__(self) -> "KeyOrder":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def pages(self) -> Iterator[KeyPage]:
        """All cells."""
        waiting, count = list[KeyPage](), 0
        for part in self._prefix():
            waiting.append(part)
            count += len(part)
            if count >= self._page_cells:
                yield _joined(waiting)
                waiting, count = [], 0
        if waiting:
            yield _joined(waiting)

    def _prefix(self) -> Iterator[KeyPage]:
        prefix, frontier = self._reader.prefix, self._reader.places.frontier.tolist()
        place_of = {row: place for place, row in enumerate(frontier)} if self._cut.layers else {}
        names = prefix.addresses
        state = self._reader._states(prefix.level, prefix.state, -1)
        waiting = list[int]()
        for row in sorted(range(len(prefix)), key=names.__getitem__):
            waiting.append(row)
            if row in place_of:
                yield self._prefix_page(waiting, names, state)
                waiting = []
                yield from self._below(self._cut.layers[0], place_of[row], names[row])
        if waiting:
            yield self._prefix_page(waiting, names, state)

    def _prefix_page(self, rows: list[int], names: list[str], state: np.ndarray) -> KeyPage:
        prefix, chosen = self._reader.prefix, np.array(rows)
        known = {name: getattr(prefix, name) for name in (*NUMBERS, "level", "predicted")} | {"state": state}
        text = "".join(names[row] + "\n" for row in rows) if ADDRESSES in self._wanted else ""
        return KeyPage(len(rows), {name: known[name][chosen] for name in COLUMNS if name in self._wanted}, text)

    def _below(self, layer: Layer, seed: int, address: str) -> Iterator[KeyPage]:
        """What lies below a seed of a layer, with what lies below that in the layers underneath."""
        held, shape = self._sheet(layer, seed), shape_of(self._cut.arity, layer.last - layer.above)
        stem = stem_of(address)
        if layer.number == len(self._cut.layers) - 1:
            yield self._page(held, shape, layer, seed, stem, slice(0, len(shape.order)))
            return
        first, done = seed * self._cut.arity ** (layer.last - layer.above), 0
        order = shape.order - (len(shape.order) - len(shape.ends))
        for end in shape.ends.tolist():
            yield self._page(held, shape, layer, seed, stem, slice(done, end + 1))
            done = end + 1
            yield from self._below(self._cut.layers[layer.number + 1], first + int(order[end]), stem + shape.names[end])

    def _page(self, held: KeySheet, shape: Shape, layer: Layer, seed: int, stem: str, rows: slice) -> KeyPage:
        columns, wanted, count = held.below(seed, rows), self._wanted, rows.stop - rows.start
        text = ""
        if ADDRESSES in wanted:
            names = shape.names if count == len(shape.names) else shape.names[rows]
            text = stem + ("\n" + stem).join(names) + "\n"
        if "level" in wanted or "state" in wanted:
            level = shape.level[rows] + layer.above
            columns["level"] = level
            columns["state"] = np.where(level == self._cut.depth, FRONTIER, EXPANDED).astype(np.uint8)
        if "predicted" in wanted:
            columns["predicted"] = np.full(count, self._reader.predicted)
        return KeyPage(count, {name: columns[name] for name in COLUMNS if name in wanted}, text)

    def _sheet(self, layer: Layer, seed: int) -> KeySheet:
        """The sheet of a seed; the one behind it is read meanwhile."""
        kept, number = self._kept[layer.number], layer.block_of(seed) // layer.blocks_per_sheet
        found = kept.pop(number, None) or self._pool.submit(self._read, layer, number)
        kept[number] = found
        if number + 1 < layer.sheets and number + 1 not in kept:
            kept[number + 1] = self._pool.submit(self._read, layer, number + 1)
            kept.move_to_end(number)
        while len(kept) > KEPT_SHEETS:
            kept.popitem(last=False)
        return found.result()

    def _read(self, layer: Layer, number: int) -> KeySheet:
        """A sheet with its cells in the order of keys."""
        sheet, arity = layer.sheet(number), self._cut.arity
        file = self._reader.sheets.file(sheet)
        levels = [file.arrays(level, self._numbers) for level in range(sheet.above + 1, sheet.last + 1)]
        order, seeds = shape_of(arity, sheet.last - sheet.above).order, sheet.high - sheet.low
        columns = {}
        for name in self._numbers:
            parts = [level[name].reshape(seeds, -1, *level[name].shape[1:]) for level in levels]
            columns[name] = np.concatenate(parts, axis=1).take(order, axis=1)  # several times as fast as an index
        return KeySheet(sheet, columns)


def _joined(parts: list[KeyPage]) -> KeyPage:
    if len(parts) == 1:
        return parts[0]
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    return KeyPage(sum(map(len, parts)), columns, "".join(part.text for part in parts))


def digest_of(reader: FolderReader) -> str:
    """The digest that a field has in the graph, from all sheets in the order of keys."""
    from cfgraph.store.digest import join_digests

    return join_digests(digest_columns(reader, (ADDRESSES, *DIGESTED)))


def digest_columns(reader: FolderReader, names: Sequence[str]) -> dict[str, str]:
    """The digests of some columns, from which :func:`cfgraph.store.digest.join_digests` makes that of the field."""
    from cfgraph.store.digest import ColumnHashes

    hashes = ColumnHashes(names)
    with KeyOrder(reader, page_cells=HASHED_CELLS, columns=names) as order:
        for page in order.pages():
            hashes.add({"text": page.text, **page.columns})
    return hashes.digests()


def shares_of(parts: int, *, dimension: int, depth: int) -> list[tuple[str, ...]]:
    """The columns of a digest in so many parts at most that take about as long as one another."""
    work = {**dict.fromkeys(FLOATS, 8), **dict.fromkeys(VECTORS, 8 * dimension), "state": 2, "predicted": 1}
    work[ADDRESSES] = (depth + 1) // 2  # no file is read for them
    shares: list[list[str]] = [[] for _ in range(min(parts, len(work)))]
    for name in sorted(work, key=lambda name: -work[name]):
        min(shares, key=lambda share: sum(work[one] for one in share)).append(name)
    return [tuple(share) for share in shares]
