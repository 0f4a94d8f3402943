"""Scene: a hierarchy made ready to be looked at: cuts of views, places of cells, what colors them."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from dataclasses import field as dataclass_field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from jaxtyping import Float, Int

from cfgraph.checks import check_integer, check_number
from cfgraph.errors import InputError
from cfgraph.exploring.anchors import better_frame
from cfgraph.exploring.axes import Plane, main_axes, plane_of
from cfgraph.exploring.beside import LOOKED_AT, Pair, Side
from cfgraph.exploring.codec import Cut, Leaves, leaves_of, narrow
from cfgraph.exploring.colors import (
    STORED_LABELS,
    Colors,
    by_branch,
    by_level,
    of_categories,
    of_numbers,
    of_seen_values,
    of_values,
    or_none,
)
from cfgraph.exploring.cut import Shown, cut_levels, kept, levels_in_doubt
from cfgraph.exploring.held import HeldCells, hold
from cfgraph.exploring.layout import packed, sizes
from cfgraph.exploring.memory import Memory, Turn
from cfgraph.exploring.names import Names
from cfgraph.exploring.numbers import Numbers, as_table, by_rule
from cfgraph.exploring.scenes import GoneError
from cfgraph.exploring.stored import StoredCells
from cfgraph.exploring.svg import CELLS_MAX, RINGS_MAX, Nested, as_svg
from cfgraph.exploring.terrain import Terrain
from cfgraph.exploring.view import Line, View, line_of
from cfgraph.formats.folders.reader import FolderReader
from cfgraph.model.address import ROOT, ancestor_address, format_address, level_of, parse_address
from cfgraph.model.cells import Cells
from cfgraph.model.columns import FLOAT, INTEGER, width_of
from cfgraph.model.descent import MapsDescent
from cfgraph.model.field import Field
from cfgraph.model.ground import Ground
from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy, HierarchyWithCells
from cfgraph.model.reader import CellsReader
from cfgraph.sources.any_depth import field
from cfgraph.store.reader import KnownReader

if TYPE_CHECKING:
    import pyarrow as pa

    from cfgraph.store import Store

MARGIN, PX, CAP = 1.5, 3.0, 200_000
CAP_MAX = 4_000_000
NUMBERS = (INTEGER, FLOAT)  # kinds of properties
CROWDED = "the memory for stored cells (--memory) has no room for all that is in view: the smallest cells are not split"
NOTHING_BESIDE = "expected another hierarchy beside {name!r}, and there is none"
Answer = TypeVar("Answer")
APART = ("displacement", "residual")  # colors of two hierarchies beside each other
LARGE = 0.3  # of a view's side: the unit of the cell in whose partner's frame another hierarchy is looked at
_FILLED = 0.92  # of a picture's side, at home
_FIRST_CELLS, _LEVELS = 4096, 8  # that main axes are those of
_TRIES = 3  # of a view that has no room while others look at theirs


@dataclass(frozen=True, eq=False)
class Scene:
    """Make one with :meth:`of` or :meth:`open`. Several threads may ask it: they wait for each other."""

    name: str
    field: Field
    terrain: Terrain
    hierarchy: Hierarchy | None = None
    notes: tuple[str, ...] = ()
    memory: Memory = dataclass_field(default_factory=Memory)
    beside: "Scene | None" = None
    turn: Turn = dataclass_field(default_factory=Turn)

    @classmethod
    def of(
        cls,
        what: Any,
        *,
        hierarchy: HierarchyWithCells | None = None,
        beside: "Scene | None" = None,
        memory: Memory | None = None,
    ) -> "Scene":
        """Of a field, or of whatever :func:`cfgraph.field` takes: a hierarchy with its cells, affine maps, a generator.

        ``hierarchy`` is the one that a field is of, ``beside`` another scene, cells of which are the partners of this one's.
        """
        made = what if isinstance(what, Field) else field(what)
        known = what if isinstance(what, HierarchyWithCells) else hierarchy
        return replace(_scene(made, known, memory or Memory()), beside=beside)

    @classmethod
    def open(
        cls,
        source: "Store | HierarchyWithCells | FolderReader",
        id: str | None = None,
        *,
        beside: "Scene | HierarchyWithCells | str | None" = None,
        memory: Memory | None = None,
    ) -> "Scene":
        """Of a hierarchy in a store, in memory, or in a folder. A field's cells are read as they are looked at, others whole.

        ``beside`` is another hierarchy: its id in the same store, itself with its cells, or a scene of it.

        Raises:
            NotFoundError: for an id that the store does not hold.
        """
        memory = memory or Memory()
        if isinstance(beside, HierarchyWithCells):
            beside = cls.of(beside, memory=memory)
        if isinstance(source, HierarchyWithCells):
            if isinstance(beside, str):
                raise InputError(
                    f"expected a hierarchy with its cells beside {source.id!r}, which is in memory, got {beside!r}"
                )
            return cls.of(source, beside=beside, memory=memory)
        if isinstance(source, FolderReader):
            assert not isinstance(beside, str), "a folder knows no ids"
            return replace(_scene(field(source), source.hierarchy, memory), beside=beside)
        if isinstance(beside, str):
            beside = cls.open(source, beside, memory=memory)
        if id is None:
            raise InputError("expected the id of a hierarchy beside the store; store.hierarchies() lists what it holds")
        known = source.hierarchy(id)
        if known.imported:
            return cls.of(known.with_cells(source.read(known, live=True)), beside=beside, memory=memory)
        return replace(_scene(field(source, id), known, memory), beside=beside)

    # what is asked

    def cut(
        self,
        view: View,
        *,
        axes: Mapping[str, Any] | None = None,
        color: str = "branch",
        margin: float = MARGIN,
        px: float = PX,
        cap: int = CAP,
        weight: str | None = None,
        gone: Callable[[], bool] = lambda: False,
    ) -> Cut:
        """What a view shows.

        Args:
            view: what is looked at.
            axes: the plane, where cells have more than two dimensions (:func:`cfgraph.exploring.axes.plane_of`).
            color: what the values are.
            margin: how much more than the view is answered, so that small pans need no other answer.
            px: a cell is not split where all below it lies within so many pixels.
            cap: how many cells at most, but for a single family that is larger: the largest are split first.
            weight: ``points`` for how many data points lie at and below each cell, too.
            gone: whether whoever asked has gone: asked level by level, so that nobody waits for what nobody wants.

        Raises:
            GoneError: where whoever asked has gone.
            AddressError: for an anchor that is not there.
            InputError: for arguments out of bounds.
        """
        how: dict[str, Any] = {"axes": axes, "color": color, "margin": margin, "px": px, "cap": cap, "weight": weight}
        return self._look(view, lambda cut, leaves, colors: cut, gone=gone, **how)

    def place(
        self, view: View, addresses: Sequence[str], *, axes: Mapping[str, Any] | None = None
    ) -> tuple[Float[np.ndarray, " cells"], Float[np.ndarray, " cells"], Float[np.ndarray, " cells"]]:
        """Where cells lie, in pixels from the view's middle, y downwards, and their scales in pixels.

        NaN where the cell is none, or where it parts from the view's anchor so far above that no digit tells its place.
        """
        x, y, r = (np.full(len(addresses), np.nan) for _ in range(3))
        with self.asked():
            plane = self.plane(axes)
            line = self._line(view, plane)
            for row, address in enumerate(addresses):
                try:
                    x[row], y[row], r[row] = self._placed(line, plane, parse_address(address))
                except InputError:
                    continue
        return x, y, r

    def describe(self, axes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What a page needs to know first; its home is that of the plane of ``axes``."""
        known = self.hierarchy
        home = self.home_in(axes)
        return {
            "id": self.name,
            "origin": None if known is None else known.origin,
            "dimension": self.terrain.dimension,
            "arity": self.field.arity,
            "scale_factor": self.field.scale_factor,
            "has_centers": self.field.ground.top.center.shape[1] > 0,
            "names": known is not None and "name" in known.own,
            "points": None if known is None else known.points,
            "columns": [None] * self.terrain.dimension,
            "properties": [{"name": name, "kind": kind} for name, kind in self._properties.items()],
            "weights": list(self.weights),
            "beside": None if self.beside is None else self.beside.name,
            "beside_dimension": None if self.beside is None else self.beside.terrain.dimension,
            "main_axes": None if self.pair is None or self.terrain.dimension < 3 else self._main.T.tolist(),
            "linked_by": None if self.pair is None else "name" if self.pair.by_name else "address",
            "worst_among": None if self.pair is None or self.pair.one.cells is not None else LOOKED_AT,
            "beside_colors": None if self.beside is None else [*self.beside.colors, *APART],
            "beside_weights": None if self.beside is None else list(self.beside.weights),
            "colors": list(self.colors),
            "growing": self.is_growing,
            "beside_growing": self.beside is not None and self.beside.is_growing,
            "stored_depth": self._stored_depth,
            "rule": self._rule,
            "home": {"anchor": home.anchor, "p": list(home.p), "z": home.z},
            "unit": self.terrain.way([])[0].scale,
            "notes": list(self.notes),
        }

    @property
    def is_growing(self) -> bool:
        """Whether cells of it were still being grown when it was opened."""
        return self.hierarchy is not None and self.hierarchy.state == "growing"

    @property
    def _stored_depth(self) -> int | None:
        """The deepest level that holds a stored cell, where nothing has to be counted for it."""
        reader = self.field.reader
        if isinstance(reader, KnownReader):
            return reader.known_depth
        return reader.depth if isinstance(reader, CellsReader | FolderReader) else None

    @cached_property
    def colors(self) -> tuple[str, ...]:
        """The modes that make sense."""
        found = ["branch", "level", "stored"]
        found += ["label"] if "label" in self._properties else []
        found += [f"property:{name}" for name in self._properties]
        found += ["error"] if self.terrain.held is not None and self.field.descent is not None else []
        return (*found, *(APART if self.pair is not None else ()))

    @cached_property
    def weights(self) -> tuple[str, ...]:
        """What cells may weigh beside each other: the data points that they hold, where these are known."""
        return () if self.terrain.held is None or self.terrain.held.size is None else ("points",)

    @cached_property
    def home(self) -> View:
        """The view that shows all along the main axes."""
        return self._home(None)

    def home_in(self, axes: Mapping[str, Any] | None) -> View:
        """The view that shows all in a plane, for a picture of one by one pixel: multiply z by the shorter side."""
        return self.home if axes is None or axes.get("kind") == "main" else self._home(axes)

    @cached_property
    def names(self) -> Names | None:
        """What its cells are called, to be searched; None where they have no names, or are not in memory with them."""
        return Names.of(self._own["name"].tolist()) if "name" in self._own else None

    def search_names(self, text: str, *, most: int) -> list[dict[str, Any]] | None:
        """Cells whose names hold a text, the likeliest first: ``address``, ``name``. None where :attr:`names` are not known."""
        if self.names is None:
            return None
        assert isinstance(self.hierarchy, HierarchyWithCells)
        addresses, names = self.hierarchy.cells.addresses, self._own["name"]
        return [{"address": addresses[row], "name": names[row]} for row in self.names.find(text, most=most)]

    @cached_property
    def pair(self) -> Pair | None:
        """This hierarchy and the one beside it."""
        if self.beside is None:
            return None
        return Pair(*(Side(one.field, one.hierarchy is not None and one.hierarchy.imported) for one in (self, self.beside)))

    def worst(self, count: int) -> list[dict[str, object]]:
        """The cells whose residuals are farthest from those of their partners beside, the farthest first.

        Among all cells where these are in memory, else among the first levels.

        Raises:
            InputError: where nothing is beside.
        """
        count = check_integer(count, name="count", low=1, high=10_000)
        with self.asked():
            if self.pair is None:
                raise InputError(NOTHING_BESIDE.format(name=self.name))
            return self.pair.worst(count)

    def partners(self, addresses: Sequence[str]) -> list[str | None]:
        """The address of each cell's partner beside; None where it has none.

        Raises:
            InputError: where nothing is beside.
        """
        if self.pair is None:
            raise InputError(NOTHING_BESIDE.format(name=self.name))
        return self.pair.partners(addresses)

    def view_beside(self, view: View, *, axes: Mapping[str, Any] | None = None) -> View:
        """What the hierarchy beside is looked at in while this one has a view: the same one, where cells are linked by address.

        Where they are linked by name the frame is that of a partner: of the smallest cell about the view's middle that is not
        small in it, and has one.

        Raises:
            InputError: where nothing is beside.
        """
        if self.pair is None:
            raise InputError(NOTHING_BESIDE.format(name=self.name))
        if not self.pair.by_name:
            return view
        cut = self.cut(view, axes=axes, margin=1.0, px=view.side / 16, cap=LOOKED_AT)
        nearest = cut.addresses()[int((np.hypot(cut.x, cut.y) - cut.r).argmin())] if len(cut) else view.anchor
        above = [ancestor_address(nearest, level) for level in range(level_of(nearest) + 1)]
        x, y, r = self.place(view, above, axes=axes)
        partners = self.partners(above)
        for row in reversed(range(len(above))):
            if partners[row] is not None and (row == 0 or r[row] >= LARGE * view.side) and r[row] > 0:
                p = (-float(x[row] / r[row]), float(y[row] / r[row]))
                return replace(view, anchor=str(partners[row]), p=p, z=float(r[row]))
        return replace(view, anchor=ROOT)

    def svg(self, view: View, *, whole: bool = False, **options: Any) -> str:
        """A view, or all of the hierarchy in a picture of the view's size, as SVG; ``options`` are those of :meth:`cut`."""
        if whole:
            home = self.home_in(options.get("axes"))
            view = replace(home, z=home.z * view.side, width=view.width, height=view.height)
        usual = {"axes": None, "color": "branch", "px": PX, "weight": None, "gone": lambda: False}
        how = {**usual, **options, "cap": min(options.get("cap", CAP), CELLS_MAX), "margin": 1.0}
        circled = self.field.ground.top.center.shape[1] == 0

        def drawn(cut: Cut, leaves: Leaves, colors: Colors) -> tuple[Cut, np.ndarray | None]:
            return cut, self._names(leaves.row) if circled else None

        cut, names = self._look(view, drawn, **how)
        nested = Nested([None] * len(cut) if names is None else names.tolist(), self._around(view, cut)) if circled else None
        size = {"width": view.width, "height": view.height}
        return as_svg(cut, title=self.name, log_unit=self._log_unit(view), nested=nested, **size)

    def table(
        self,
        view: View,
        *,
        axes: Mapping[str, Any] | None = None,
        color: str = "branch",
        px: float = PX,
        cap: int = CAP,
        weight: str | None = None,
        gone: Callable[[], bool] = lambda: False,
    ) -> "pa.Table":
        """The numbers behind a view, without a margin: a row a cell, as :func:`cfgraph.exploring.numbers.as_table` has them.

        Arguments and errors are those of :meth:`cut`.
        """

        def numbered(cut: Cut, leaves: Leaves, colors: Colors) -> tuple[Cut, Numbers]:
            return cut, self._numbers(leaves, colors, gone=gone)

        how: dict[str, Any] = {"axes": axes, "color": color, "margin": 1.0, "px": px, "cap": cap, "weight": weight}
        cut, numbers = self._look(view, numbered, gone=gone, **how)
        told = {"id": self.name, "view": asdict(view)} | {name: cut.header[name] for name in ("coarse", "left_out", "notes")}
        return as_table(cut, numbers, about=told)

    def plane(self, axes: Mapping[str, Any] | None) -> Plane:
        """The plane that axes name."""
        return plane_of(axes, dimension=self.terrain.dimension, main=self._main)

    # how it is done

    def _home(self, axes: Mapping[str, Any] | None) -> View:
        if self.field.ground.top.center.shape[1] == 0:  # circles in circles: the root's is all of it
            return View(ROOT, (0.0, 0.0), _FILLED / 2, 1.0, 1.0)
        reach = self.terrain.reach_of_root()
        reach = reach if reach > 0 else 1.0
        pixels = 512.0
        view = View(ROOT, (0.0, 0.0), pixels / (2 * reach), pixels, pixels)
        found = self.cut(view, axes=axes, margin=1.0, px=4.0, cap=4_000)
        if len(found) < 2:
            return replace(view, z=1 / (2 * reach), width=1.0, height=1.0)
        low, high = np.array([found.x.min(), found.y.min()]), np.array([found.x.max(), found.y.max()])
        middle, size = (low + high) / 2, float((high - low).max())
        size = size if size > 0 else pixels
        p = (float(middle[0]) / view.z, -float(middle[1]) / view.z)
        return View(ROOT, p, _FILLED * view.z / size, 1.0, 1.0)

    def _look(
        self,
        view: View,
        then: Callable[[Cut, Leaves, Colors], Answer],
        *,
        axes: Mapping[str, Any] | None,
        color: str,
        margin: float,
        px: float,
        cap: int,
        weight: str | None,
        gone: Callable[[], bool],
    ) -> Answer:
        """What is made of a view, and of the rows behind it, which are true as long as nobody else asks.

        Where memory has no room because of what others look at, they are waited for.
        """
        margin = check_number(margin, name="margin", low=1)
        if margin > 4 or not check_number(px, name="px") > 0:
            raise InputError(f"expected a margin of at most 4 and px above 0, got {margin} and {px}")
        cap = check_integer(cap, name="cap", low=1, high=CAP_MAX)
        if color not in self.colors:
            raise InputError(f"expected a color among {', '.join(self.colors)}, got {color!r}"[:400])
        if weight is not None and weight not in self.weights:
            there = ", ".join(self.weights) or f"none: no data points are known in the cells of {self.name!r}"
            raise InputError(f"expected a weight among {there}; got {weight!r}"[:400])
        for left in reversed(range(_TRIES)):
            with self.asked():
                plane = self.plane(axes)
                line, shown = self._shown(view, plane, margin=margin, px=px, cap=cap, gone=gone)
                if not (shown.crowded and left and self.memory.others_look(self.turn)):
                    return then(*self._told(view, plane, line, shown, px=px, color=color, weight=weight))
            self.memory.wait_for_others(self.turn)
            if gone():
                raise GoneError
        raise AssertionError("unreachable")

    def _numbers(self, leaves: Leaves, colors: Colors, *, gone: Callable[[], bool]) -> Numbers:
        """What the cells of a cut are, in the hierarchy's own coordinates: stored ones as they are, others by the rule."""
        held, rows = self.terrain.held, leaves.row
        there, rest = np.flatnonzero(rows >= 0), np.flatnonzero(rows < 0)
        dimension = self.field.ground.top.center.shape[1]
        center, scale = np.empty((len(leaves), dimension)), np.empty(len(leaves))
        if held is not None and len(there):
            reader = self.field.reader
            known = reader.held if isinstance(reader, CellsReader) else held  # as they are, not as they are laid out
            center[there], scale[there] = known.center[rows[there]], known.scale[rows[there]]
        if len(rest):
            addresses = leaves.addresses()
            for part, found in by_rule(self.field, [addresses[row] for row in rest.tolist()], gone=gone):
                center[rest[part]], scale[rest[part]] = found.center, found.scale
        stored = [STORED_LABELS[kind] for kind in self._kinds(leaves).tolist()]
        return Numbers(center, scale, stored, colors.values, self._names(rows))

    def _around(self, view: View, cut: Cut) -> list[tuple[float, float, float, str | None]]:
        """The cells above those of a cut: where they lie, how large they are, what they are called; the lowest first."""
        above = {address.rpartition("/")[0] or ROOT for address in cut.addresses()} - {ROOT}
        found = set[str]()
        while above and len(found) + len(above) <= RINGS_MAX:
            found |= above
            above = {address.rpartition("/")[0] or ROOT for address in above} - {ROOT} - found
        addresses = sorted(found, key=lambda address: (-address.count("/"), address))
        x, y, r = self.place(view, addresses)
        cells = self.hierarchy.cells if isinstance(self.hierarchy, HierarchyWithCells) else None
        names = None if cells is None else cells.names
        called = [None] * len(addresses) if cells is None or names is None else [names[row] for row in cells.rows(addresses)]
        return [one for one in zip(x.tolist(), y.tolist(), r.tolist(), called, strict=True) if math.isfinite(one[0])]

    def _log_unit(self, view: View) -> float | None:
        """log10 of how many pixels a unit of the hierarchy has; None where cells have no centers, or the anchor no extent."""
        with self.asked():
            scale = self.terrain.way(parse_address(view.anchor))[-1].scale
        has_centers = self.field.ground.top.center.shape[1] > 0
        return math.log10(view.z) - math.log10(scale) if has_centers and scale > 0 else None

    def _names(self, rows: Int[np.ndarray, " cells"]) -> np.ndarray | None:
        """What cells are called, None for those that are not; None where no cell has a name."""
        held = self.terrain.held
        if self.hierarchy is None or "name" not in self.hierarchy.own:
            return None
        if "name" in self._own:
            return or_none(self._own["name"], rows)
        if not isinstance(held, StoredCells) or not held.has_own:
            return None
        found = np.full(len(rows), None, dtype=object)
        there = rows >= 0
        found[there] = held.own("name", rows[there])
        return found

    @contextmanager
    def asked(self) -> Iterator[None]:
        """A ``with`` around whatever looks at its cells: one at a time, and within the memory that there is."""
        with self.turn:
            held = self.terrain.held
            if isinstance(held, StoredCells):
                self.memory.use(held, turn=self.turn, forget=self.terrain.forget)
            yield
            self.memory.shrink(self.memory.limit)

    def refresh(self) -> None:
        """Read what is stored anew: it was written or grown meanwhile."""
        with self.turn:
            if isinstance(self.terrain.held, StoredCells):
                self.terrain.held.forget()
                self.terrain.forget()

    def close(self) -> None:
        """It is not looked at any more: its memory is free."""
        with self.turn:
            if isinstance(self.terrain.held, StoredCells):
                self.memory.leave(self.terrain.held)

    @cached_property
    def _main(self) -> Float[np.ndarray, "dim 2"]:
        """The principal axes of the first levels' centers."""
        if self.terrain.dimension <= 2:
            return main_axes(np.zeros((1, self.terrain.dimension)))
        held = self.terrain.held
        if held is not None and not isinstance(held, StoredCells):  # of these only the root may have been read
            return main_axes(held.center[:_FIRST_CELLS])
        centers, last = [self.field.cells([ROOT]).center], self.field.children([ROOT])
        while len(last) and len(centers) <= _LEVELS and sum(map(len, centers)) + len(last) <= _FIRST_CELLS:
            centers.append(last.center)
            last = self.field.children(last.slots)
        return main_axes(np.concatenate(centers))

    @property
    def _rule(self) -> str | None:
        """What answers below the stored cells, in words; None where nothing does."""
        if self.field.descent is None:
            return None
        if self.field.predictor is not None:
            return f"predictor {self.field.predictor.id}"
        return "affine maps" if isinstance(self.field.descent, MapsDescent) else "the rule that it was made by"

    def _shown(self, view: View, plane: Plane, **how: Any) -> tuple[Line, Shown]:
        """The levels of a view. Where memory has no room for them what was looked at longest ago goes."""
        line = self._line(view, plane)
        shown = cut_levels(self.terrain, line, view=view, plane=plane, full=self._full, **how)
        if shown.crowded:
            self.memory.shrink(self.memory.limit // 4)
            line = self._line(view, plane)  # rows are others since
            shown = cut_levels(self.terrain, line, view=view, plane=plane, full=self._full, **how)
        return line, shown

    def _told(
        self, view: View, plane: Plane, line: Line, shown: Shown, *, px: float, color: str, weight: str | None
    ) -> tuple[Cut, Leaves, Colors]:
        """What the levels of a view say, and what that was made of."""
        levels, drawn = kept(shown)
        start = line.way[min(shown.start, len(line.way) - 1)].slots
        leaves = leaves_of(levels, drawn, start=start)
        frame = better_frame(view, line, levels, start=shown.start)
        doubt = levels_in_doubt(self.terrain, line, view=view, plane=plane) if line.sure else []
        colors = self._colors(color, leaves)
        weights = None if weight is None else self._points(leaves)
        left_out, notes = _left_out(line, doubt), [*self.notes, *([CROWDED] if shown.crowded else [])]
        cut = _as_cut(leaves, frame=frame, colors=colors, weights=weights, coarse=px, left_out=left_out, notes=notes)
        return cut, leaves, colors

    def _full(self, rows: Int[np.ndarray, " rows"]) -> bool:
        """Whether memory has no room for what is stored below some cells."""
        held = self.terrain.held
        return isinstance(held, StoredCells) and self.memory.bytes + held.bytes_below(rows) > self.memory.limit

    def _line(self, view: View, plane: Plane) -> Line:
        return line_of(view, self.terrain.way(parse_address(view.anchor)), plane)

    def _placed(self, line: Line, plane: Plane, slots: tuple[int, ...]) -> tuple[float, float, float]:
        way, anchor = self.terrain.way(slots), line.way[-1].slots
        common = next((level for level, pair in enumerate(zip(slots, anchor, strict=False)) if pair[0] != pair[1]), None)
        common = min(len(slots), len(anchor)) if common is None else common
        if common < line.sure:
            return math.nan, math.nan, math.nan
        x, y = line.middle(common)
        unit = float(line.z[common])
        steps = plane.rows(np.stack([place.residual for place in way]))
        for level in range(common + 1, len(way)):
            x, y = x + unit * float(steps[0][level]), y + unit * float(steps[1][level])
            unit *= way[level].ratio
        return x, y, unit

    def _colors(self, mode: str, leaves: Leaves) -> Colors:
        if mode == "branch":
            return by_branch(leaves)
        if mode == "level":
            return by_level(leaves)
        if mode == "label" or mode.startswith("property:"):
            return self._property_colors(mode, mode.removeprefix("property:"), leaves.row)
        if mode == "error":
            return of_numbers(mode, self.terrain.off_the_rule(leaves.row, leaves.level), log=True)
        if mode in APART:
            assert self.pair is not None
            apart = self.pair.apart(leaves.addresses())
            return of_numbers(mode, apart.in_scale if mode == "displacement" else apart.residual_error, log=True)
        return of_categories("stored", self._kinds(leaves), list(STORED_LABELS))

    @cached_property
    def _own(self) -> dict[str, np.ndarray]:
        """The properties of cells in memory that have one value a cell."""
        if not isinstance(self.hierarchy, HierarchyWithCells):
            return {}
        return {name: column for name, column in self.hierarchy.cells.own.items() if column.ndim == 1}

    @cached_property
    def _properties(self) -> dict[str, str]:
        """The properties that cells have one value of each, and whether these are numbers or categories."""
        held, known = self.terrain.held, self.hierarchy
        if known is None or not isinstance(held, StoredCells) or not held.has_own:
            return {name: _kind(column) for name, column in self._own.items()}
        kinds = {name: known.own_kinds.get(name) for name in known.own}
        return {name: "number" if kind in NUMBERS else "category" for name, kind in kinds.items() if width_of(kind) is None}

    def _property_colors(self, mode: str, name: str, rows: Int[np.ndarray, " dots"]) -> Colors:
        """Of cells in a graph those that are looked at have their properties read."""
        held = self.terrain.held
        if name in self._own or not isinstance(held, StoredCells):
            return of_values(mode, self._own[name], rows)
        asked, place = np.unique(rows[rows >= 0], return_inverse=True)
        at = np.full(len(rows), -1)
        at[rows >= 0] = place
        values = held.own(name, asked)
        if self._properties[name] == "number":
            found = of_values(mode, np.array([*values.tolist(), None], dtype=np.float64), at)
            return replace(found, exact=or_none(values, at))  # a whole number is one
        return of_seen_values(mode, values, at, seen=self._seen.setdefault(name, {}))

    @cached_property
    def _seen(self) -> dict[str, dict[str, int]]:
        """The categories that were seen of properties of cells in a graph, by number."""
        return {}

    def _points(self, leaves: Leaves) -> Float[np.ndarray, " dots"]:
        """How many data points lie at and below each cell; none below what is stored."""
        assert self.terrain.held is not None
        assert self.terrain.held.size is not None
        return np.where(leaves.row >= 0, self.terrain.held.size[np.maximum(leaves.row, 0)], 0.0)

    def _kinds(self, leaves: Leaves) -> np.ndarray:
        """0 where a cell is stored, 1 where the rule answers, 2 where a predictor's answer is stored."""
        found = np.ones(len(leaves), dtype=np.int64)
        held = leaves.row >= 0
        if self.terrain.held is not None:
            found[held] = np.where(self.terrain.held.predicted[leaves.row[held]], 2, 0)
        return found


def _scene(made: Field, hierarchy: Hierarchy | None, memory: Memory) -> Scene:
    """A field, bounded, with what is held of it."""
    ground, notes = made.ground, list[str]()
    held: HeldCells | None = None
    points = hierarchy.cell_of_point if isinstance(hierarchy, HierarchyWithCells) else None
    observed = isinstance(hierarchy, FieldHierarchy) and hierarchy.data_built and not hierarchy.former_predictors
    if ground.descent is None and hierarchy is not None and observed:  # what is stored is all, and within its own bound
        ground = replace(ground, residual_bound=hierarchy.residual_bound)
    if ground.descent is not None and ground.residual_bound is None:
        bound = _assumed(hierarchy)
        ground = replace(ground, residual_bound=bound)
        notes.append(
            f"nothing proves how far cells reach below what is stored: residuals of at most {bound:.3g} are taken for it"
        )
    if isinstance(made.reader, CellsReader) and made.reader.held.dimension == 0:
        held, counted = _laid_out(made.reader.held, ground, points)
        notes.append(f"its cells have no centers: they are laid out as circles in circles, by {counted}")
    elif isinstance(made.reader, CellsReader):
        held = hold(made.reader.held, ground, points)
    elif made.reader is not None:
        held = StoredCells(ground, made.reader)
    return Scene(made.name, made, Terrain(ground, held), hierarchy, tuple(notes), memory)


def _laid_out(cells: Cells, ground: Ground, points: np.ndarray | None) -> tuple[HeldCells, str]:
    """Cells without centers where circle packing puts them, and what their sizes count."""
    size, counted = sizes(cells, points)
    residual, radius = packed(cells, size)
    held = hold(cells, ground, points)
    held.residual, held.center, held.scale, held.reach = residual, np.zeros((len(cells), 2)), radius, radius
    return held, counted


def _assumed(hierarchy: Hierarchy | None) -> float:
    """A bound of residuals where none is proven: the longest that is known."""
    longest = 0.0 if hierarchy is None else hierarchy.residual_bound
    if isinstance(hierarchy, HierarchyWithCells):
        longest = max(longest, float(np.sqrt(np.square(hierarchy.cells.residual).sum(axis=1)).max(initial=0.0)))
    return longest or 1.0


def _kind(column: np.ndarray) -> str:
    return "number" if column.dtype.kind in "if" else "category"


def _left_out(line: Line, doubt: list[int]) -> str | None:
    if line.sure == len(line.way):
        return "this place lies so close to a cell far above that double precision does not tell what is here: zoom out"
    if not doubt:
        return None
    levels = f"level {doubt[0]}" if len(doubt) == 1 else f"levels {doubt[0]} to {doubt[-1]}"
    return (
        f"cells that part from the way to the middle at {levels} may lie in this view, too: double precision does not tell "
        "where, so they are not shown"
    )


def _as_cut(
    leaves: Leaves,
    *,
    frame: View,
    colors: Colors,
    weights: Float[np.ndarray, " dots"] | None,
    coarse: float,
    left_out: str | None,
    notes: Sequence[str],
) -> Cut:
    stored = int(np.count_nonzero(leaves.row >= 0))
    header = {
        "anchor": frame.anchor,
        "p": list(frame.p),
        "z": frame.z,
        "top": format_address(leaves.top),
        "dots": len(leaves),
        "levels": [int(leaves.level.min(initial=10**9)), int(leaves.level.max())] if len(leaves) else None,
        "stored": stored,
        "coarse": int(np.count_nonzero(leaves.reach > coarse)),
        "left_out": left_out,
        "color": colors.meaning,
        "notes": [*notes, *colors.notes],
    }
    size = np.where(leaves.reach > 0, np.minimum(leaves.unit, leaves.reach), leaves.unit)
    return Cut(
        header,
        x=leaves.x.astype(np.float32),
        y=leaves.y.astype(np.float32),
        r=size.astype(np.float32),
        value=colors.value,
        level=leaves.level.astype(np.uint16),
        common=narrow(leaves.common),
        slots=narrow(leaves.slots),
        weight=None if weights is None else weights.astype(np.float32),
    )
