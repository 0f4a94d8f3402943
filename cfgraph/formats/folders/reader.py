"""FolderReader: cells of a field in a folder, by address: memory is bounded by some sheets and what is asked for."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import Int

from cfgraph.errors import AddressError
from cfgraph.formats.folders.place import Place, is_url
from cfgraph.formats.folders.plan import Manifest, Plan, read_encoder, read_manifest
from cfgraph.formats.folders.sheets import LevelColumns, Places, SheetFile
from cfgraph.model.address import level_of, parse_address
from cfgraph.model.cells import EXPANDED, FRONTIER, STATE_NAMES, Cells
from cfgraph.model.encoder import Encoder
from cfgraph.model.hierarchy import FieldHierarchy
from cfgraph.model.pieces import Piece, pieces_of_cells
from cfgraph.model.reader import CellsReader, Columns
from cfgraph.model.sheets import PREFIX, Sheet, SheetCut
from cfgraph.predictors.trained import Grower

KEPT_BYTES = 1 << 27  # of levels of sheets that stay in memory, where they are asked for in any order
OPEN_FILES = 64


class Sheets:
    """The sheets of a folder, of which some levels stay in memory."""

    def __init__(self, place: Place, cut: SheetCut, *, key: str, dimension: int, kept_bytes: int = KEPT_BYTES):
        self.place, self.cut, self._key, self._dimension, self._kept_bytes = place, cut, key, dimension, kept_bytes
        self._open = OrderedDict[str, SheetFile]()
        self._kept = OrderedDict[tuple[str, int], LevelColumns]()
        self._bytes, self._lock = 0, Lock()

    def file(self, sheet: Sheet) -> SheetFile:
        """A sheet's file, opened."""
        found = self._open.pop(sheet.name, None)
        if found is None:
            cells = sheet.cells(arity=self.cut.arity)
            found = SheetFile(
                self.place, sheet.name, key=self._key, cells=cells, first_level=sheet.above + 1, dimension=self._dimension
            )
        self._open[sheet.name] = found
        while len(self._open) > OPEN_FILES:
            self._open.popitem(last=False)
        return found

    def level(self, sheet: Sheet, level: int) -> LevelColumns:
        """The cells of a level of a sheet."""
        with self._lock:
            name = (sheet.name, level)
            found = self._kept.pop(name, None)
            if found is None:
                found = self.file(sheet).columns(level)
                self._bytes += found.bytes
            self._kept[name] = found
            while self._bytes > self._kept_bytes and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].bytes
            return found

    def columns(self, level: int, places: range) -> LevelColumns:
        """Cells of a level below the prefix that stand side by side, whatever sheets they are in."""
        layer, arity, parts = self.cut.layer_of(level), self.cut.arity, []
        width, place = arity ** (level - layer.above), places.start
        while place < places.stop:
            sheet = layer.sheet_of(place // width)
            held = sheet.places(level, arity=arity)
            end = min(places.stop, held.stop)
            parts.append(self.level(sheet, level).take(slice(place - held.start, end - held.start)))
            place = end
        return LevelColumns.joined(parts)


def read_prefix(place: Place, plan: Plan) -> Cells:
    """The cells that growing starts from.

    Raises:
        InputError: where the file is damaged, or another's.
    """
    dimension = plan.description().dimension
    cells = plan.cut.prefix_cells
    file = SheetFile(place, PREFIX, key=plan.key, cells=cells, first_level=0, dimension=dimension)
    levels = range(plan.cut.from_depth + 1)
    columns = LevelColumns.joined([file.columns(level) for level in levels])
    tables = [file.table(level, ["parent", "slot", "level", "state", "predicted"]) for level in levels]
    plain = {
        name: np.concatenate([table.column(name).to_numpy() for table in tables])
        for name in ("parent", "slot", "level", "predicted")
    }
    state = np.concatenate([table.column("state").to_numpy() for table in tables])
    codes = {name: code for code, name in enumerate(STATE_NAMES)}
    found: dict[str, Any] = {**vars(columns), **plain}
    return Cells(**found, state=np.array([codes[name] for name in state.tolist()], dtype=np.uint8))


class FolderReader:
    """A field in a folder: a :class:`~cfgraph.model.reader.Reader`, and what the manifest tells.

    Args:
        place: the folder.
        manifest: what it says; read unless given.
        kept_bytes: how much of the sheets stays in memory.
    """

    def __init__(self, place: Place, manifest: Manifest | None = None, *, kept_bytes: int = KEPT_BYTES):
        self.place = place
        self.manifest = read_manifest(place) if manifest is None else manifest
        self.hierarchy: FieldHierarchy = self.manifest.description()
        self.prefix = read_prefix(place, self.manifest.plan)
        self.cut = self.manifest.plan.cut.cut()
        self.places = Places(self.cut, self.prefix)
        known: dict[str, Any] = {"key": self.manifest.plan.key, "dimension": self.hierarchy.dimension}
        self.sheets = Sheets(place, self.cut, kept_bytes=kept_bytes, **known)
        self.predicted = bool(self.manifest.plan.growers)

    @property
    def growers(self) -> tuple[Grower, ...]:
        """What grew it."""
        return self.manifest.growers()

    @property
    def title(self) -> str:
        """What means this folder wherever a hierarchy may be a folder."""
        return self.place.url if is_url(self.place.url) else f"{self.place.url}/"

    def renamed(self, id: str) -> "FolderReader":
        """The same field under another id."""
        found = FolderReader(self.place, self.manifest)
        found.hierarchy = self.hierarchy.replace(id=id)
        return found

    def encoder(self) -> Encoder | None:
        """What was done to its data first."""
        return read_encoder(self.place, self.manifest.plan.encoder)

    @property
    def depth(self) -> int:
        """The deepest level that holds a cell."""
        return self.cut.depth if self.cut.frontier else self.prefix.depth

    @property
    def deepest(self) -> int:
        """How many cells its last level has."""
        return self.cut.width(self.cut.depth) if self.cut.frontier else 0

    def count(self) -> int:
        """How many cells there are."""
        return self.cut.cells

    def read(self, *, top: str, depth: int) -> Cells:
        """The cells at and below ``top``, down to level ``depth``, with their true residuals."""
        place = self._place(top)
        if place is None:
            raise AddressError(f"there is no cell {top} in {self.place}")
        above, level, places = self._begin(top, place, depth)
        start = 0 if above is None else len(above)
        first_row = start if above is None else None
        parts: list[dict[str, np.ndarray]] = [] if above is None else [above.take(slice(None))]
        rows = np.empty(0, dtype=np.int64) if above is None else np.flatnonzero(self._grows(above))
        while level <= min(depth, self.depth) and len(places):
            columns = self.sheets.columns(level, places)
            count = len(places)
            parent = np.array([-1]) if first_row is not None else np.repeat(rows, self.cut.arity)
            slot = np.arange(places.start, places.stop) % self.cut.arity
            parts.append(self._part(columns, level, parent=parent, slot=slot))
            rows, start, first_row = np.arange(start, start + count), start + count, None
            level, places = level + 1, range(places.start * self.cut.arity, places.stop * self.cut.arity)
        names = [field.name for field in fields(Cells) if field.name in parts[0]]
        joined: dict[str, Any] = {name: np.concatenate([part[name] for part in parts]) for name in names}
        joined["state"] = self._states(joined["level"], joined["state"], depth)
        return Cells(**joined, top=top)

    def cells(self, addresses: Sequence[str]) -> Columns:
        """The cells at some addresses: those that are there, in the order asked; ``address`` says which."""
        asked = [(address, place) for address in addresses if (place := self._place(address)) is not None]
        return self._at([address for address, _ in asked], [place for _, place in asked])

    def children(self, addresses: Sequence[str]) -> Columns:
        """The children of the cells at some addresses, siblings in the order of their slots."""
        held = CellsReader(self.prefix)
        names, places = list[str](), list[tuple[int, int]]()
        for address in addresses:
            place = self._place(address)
            if place is None:
                continue
            level, row = place
            stem = "" if address == "/" else address
            if level < self.cut.from_depth:
                below = held.children([address])["address"].tolist()
                names += below
                places += [(level + 1, self.prefix.row(name)) for name in below]
            elif level < self.depth:
                if level == self.cut.from_depth:
                    row = self._frontier_place(row)
                    if row < 0:
                        continue
                names += [f"{stem}/{slot}" for slot in range(self.cut.arity)]
                places += [(level + 1, row * self.cut.arity + slot) for slot in range(self.cut.arity)]
        return self._at(names, places)

    def pieces(self, *, first: int) -> Iterator[Piece]:
        """All cells in pieces, parents before their children, their nodes numbered from ``first`` on in breadth-first order."""
        prefix = self.prefix.with_columns(state=self._states(self.prefix.level, self.prefix.state, -1))
        yield from pieces_of_cells(prefix, first=first)
        for sheet in self.cut.sheets():
            file = self.sheets.file(sheet)
            levels = {level: file.columns(level) for level in range(sheet.above + 1, sheet.last + 1)}
            for piece in self.places.pieces(sheet, levels, predicted=self.predicted):
                yield replace(piece, node=piece.node + first, parent=piece.parent + first)

    # how it is done

    def _place(self, address: str) -> tuple[int, int] | None:
        """A cell's level, with its row in the prefix or its place on the level; None where there is no such cell."""
        slots, start = parse_address(address), self.cut.from_depth
        if len(slots) > self.depth:
            return None
        row = 0
        for slot in slots[:start]:
            row = self.prefix._child_row(row, slot)
            if row < 0:
                return None
        if len(slots) <= start:
            return len(slots), row
        place = self._frontier_place(row)
        if place < 0:
            return None
        for slot in slots[start:]:
            if slot >= self.cut.arity:
                return None
            place = place * self.cut.arity + slot
        return len(slots), place

    def _frontier_place(self, row: int) -> int:
        """The place of a row of the prefix among its frontier; -1 for none of it."""
        place = int(np.searchsorted(self.places.frontier, row))
        return place if place < len(self.places.frontier) and self.places.frontier[place] == row else -1

    def _begin(self, top: str, place: tuple[int, int], depth: int) -> tuple[Cells | None, int, range]:
        """What of the prefix lies at and below a cell, and where its cells on the next level stand."""
        level, row = place
        if level > self.cut.from_depth:
            return None, level, range(row, row + 1)
        above = CellsReader(self.prefix).read(top=top, depth=depth)
        if depth <= self.cut.from_depth:
            return above, depth + 1, range(0)
        low = row if level == self.cut.from_depth else self._first_below(top)
        first = int(np.searchsorted(self.places.frontier, low)) if low >= 0 else 0
        count = int(self._grows(above).sum())
        arity = self.cut.arity
        return above, self.cut.from_depth + 1, range(first * arity, (first + count) * arity)

    def _first_below(self, top: str) -> int:
        """The first row of the prefix's last level that lies below a cell above it; -1 for none."""
        low = high = self.prefix.row(top)
        high += 1
        for _ in range(self.cut.from_depth - level_of(top)):
            low, high = (int(row) for row in np.searchsorted(self.prefix.parent, [low, high]))
        return low if high > low else -1

    def _grows(self, cells: Cells) -> np.ndarray:
        """Which cells of a part of the prefix are those that everything below hangs on."""
        found: np.ndarray = (cells.state == FRONTIER) & (cells.level == self.cut.from_depth)
        return found

    def _part(
        self, columns: LevelColumns, level: int, *, parent: Int[np.ndarray, " cells"], slot: Int[np.ndarray, " cells"]
    ) -> dict[str, np.ndarray]:
        count = len(columns)
        return {
            "parent": parent,
            "slot": slot.astype(np.int32),
            "level": np.full(count, level, dtype=np.int32),
            **vars(columns),
            "state": self.places.states(level, count),
            "predicted": np.full(count, self.predicted),
        }

    def _states(self, level: np.ndarray, state: np.ndarray, depth: int) -> np.ndarray:
        """The states of cells that are read down to a depth: on the last level they are frontier, as in a prefix."""
        found: np.ndarray = state.copy()
        if self.cut.depth > self.cut.from_depth:
            found[(level == self.cut.from_depth) & (state == FRONTIER)] = EXPANDED
        found[(level == depth) & (found == EXPANDED)] = FRONTIER
        return found

    def _at(self, addresses: list[str], places: list[tuple[int, int]]) -> Columns:
        """Cells by where they stand."""
        count, dimension = len(places), self.hierarchy.dimension
        where = np.array(places, dtype=np.int64).reshape(-1, 2)
        found: dict[str, np.ndarray] = {
            "slot": np.array([int(address.rpartition("/")[2] or -1) for address in addresses], dtype=np.int32),
            "level": where[:, 0].astype(np.int32),
            "center": np.empty((count, dimension)),
            "scale": np.empty(count),
            "residual": np.empty((count, dimension)),
            "length": np.empty(count),
            "root_distance": np.empty(count),
            "state": np.empty(count, dtype=np.uint8),
            "predicted": np.full(count, self.predicted),
        }
        above = where[:, 0] <= self.cut.from_depth
        held = self.prefix.take(where[above, 1])
        for name in found:
            found[name][above] = held[name]
        for level in np.unique(where[~above, 0]).tolist():
            self._fill(found, level, np.flatnonzero(where[:, 0] == level), where)
        found["state"] = self._states(found["level"], found["state"], -1)
        return {"address": np.array(addresses, dtype=object), **found}

    def _fill(self, found: dict[str, np.ndarray], level: int, rows: np.ndarray, where: np.ndarray) -> None:
        """Put the cells of one level below the prefix into columns, sheet by sheet."""
        layer = self.cut.layer_of(level)
        width = self.cut.arity ** (level - layer.above)
        rows = rows[np.argsort(where[rows, 1], kind="stable")]
        done = 0
        while done < len(rows):
            sheet = layer.sheet_of(int(where[rows[done], 1]) // width)
            held = sheet.places(level, arity=self.cut.arity)
            end = done + int(np.searchsorted(where[rows[done:], 1], held.stop))
            part = self.sheets.level(sheet, level).take(where[rows[done:end], 1] - held.start)
            for name, column in vars(part).items():
                found[name][rows[done:end]] = column
            found["state"][rows[done:end]] = self.places.states(level, end - done)
            done = end


def open_folder(text: str, *, kept_bytes: int = KEPT_BYTES) -> FolderReader:
    """The field in a folder, by its path or URL; ``kept_bytes`` of its sheets stay in memory.

    Raises:
        InputError: for a folder that holds no field, or half of one.
    """
    return FolderReader(Place(text.rstrip("/") if "?" not in text else text), kept_bytes=kept_bytes)
