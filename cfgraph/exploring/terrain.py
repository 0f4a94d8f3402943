"""Terrain: a hierarchy to be gone down, many cells of one level at a time, as they lie on a plane; single cells by address.

Cells that are held are known by their rows, those that a rule answers by what the rule needs there
(:mod:`cfgraph.model.frames`). Places on the plane are sums of residuals from where a walk began, in its unit: no center enters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.errors import AddressError, InputError
from cfgraph.exploring.axes import Plane
from cfgraph.exploring.held import HeldCells
from cfgraph.model.address import format_address
from cfgraph.model.cells import LEAF
from cfgraph.model.frames import Ruled, joined, ruled_places
from cfgraph.model.ground import Ground, deepest_of

_REMEMBERED = 1 << 14  # cells on the ways to anchors


@dataclass(frozen=True, eq=False)
class RuledNodes:
    """Nodes of a front that the rule answers: children of ``places`` by their rows and slots, or these places themselves."""

    places: Ruled
    node: Int[np.ndarray, " part"]  # ascending
    parent: Int[np.ndarray, " part"] | None = None
    slot: Int[np.ndarray, " part"] | None = None

    def of(self, rows: Int[np.ndarray, " rows"]) -> Ruled:
        """The places of some of them, rows ascending."""
        if self.parent is None or self.slot is None:
            return self.places.of(rows)[0]
        return self.places.below(self.parent[rows], self.slot[rows])


@dataclass(frozen=True, eq=False)
class Front:
    """Cells of one level, in the order of their addresses."""

    level: int
    row: Int[np.ndarray, " nodes"]  # of held cells; -1 where the rule answers
    ruled: tuple[RuledNodes, ...] = ()

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, eq=False)
class Spread:
    """Where the nodes of a front lie on the plane, and the unit that the residuals of their children have there."""

    x: Float[np.ndarray, " nodes"]
    y: Float[np.ndarray, " nodes"]
    unit: Float[np.ndarray, " nodes"]

    def take(self, rows: Int[np.ndarray, " rows"]) -> "Spread":
        """Some of them."""
        return Spread(self.x[rows], self.y[rows], self.unit[rows])


@dataclass(frozen=True, eq=False)
class Children:
    """Children of nodes, siblings by slot: the nodes that they are below, where they lie, how far they reach, which end."""

    parent: Int[np.ndarray, " children"]
    slot: Int[np.ndarray, " children"]
    at: Spread
    reach: Float[np.ndarray, " children"]
    end: Bool[np.ndarray, " children"]
    front: Front

    def __len__(self) -> int:
        return len(self.parent)


@dataclass(frozen=True)
class Window:
    """Half of the width and of the height of what is looked at, around the plane's origin; for all nodes, or for each."""

    x: float | Float[np.ndarray, " nodes"]
    y: float | Float[np.ndarray, " nodes"]

    def of(self, rows: Int[np.ndarray, " rows"]) -> "Window":
        """That of some nodes."""
        return self if isinstance(self.x, float) or isinstance(self.y, float) else Window(self.x[rows], self.y[rows])

    def meets(self, x: np.ndarray, y: np.ndarray, reach: np.ndarray) -> Bool[np.ndarray, "*nodes"]:
        """Which balls, a node in the last axis, meet it."""
        met = np.abs(x) <= self.x + reach
        met &= np.abs(y) <= self.y + reach
        return met


@dataclass(frozen=True, eq=False)
class Place:
    """One cell on a way: its row where it is held, what the rule needs where it goes on from here; and the step to it."""

    slots: tuple[int, ...]
    row: int
    ruled: Ruled | None
    residual: Float[np.ndarray, " dim"]  # in units of the parent's scale
    ratio: float  # its scale over the parent's
    scale: float

    @property
    def level(self) -> int:
        """How many slots lead to it."""
        return len(self.slots)

    @property
    def front(self) -> Front:
        """Itself alone."""
        alone = np.zeros(1, dtype=np.int64)
        ruled = () if self.row >= 0 or self.ruled is None else (RuledNodes(self.ruled, alone),)
        return Front(self.level, np.array([self.row]), ruled)


class Terrain:
    """What is held of a hierarchy and the rule below."""

    def __init__(self, ground: Ground, held: HeldCells | None) -> None:
        assert ground.descent is None or ground.residual_bound is not None, "a cut ends where something bounds what is below"
        self.ground, self.held = ground, held
        self._places: dict[tuple[int, ...], Place] = {}

    @property
    def dimension(self) -> int:
        """That of the residuals."""
        return int((self.ground.top.center if self.held is None else self.held.residual).shape[1])

    def forget(self) -> None:
        """Rows have changed."""
        self._places.clear()

    def ends(self, row: int) -> bool:
        """Whether a held cell has nothing below it, stored or by the rule."""
        assert self.held is not None
        if self.held.state[row] == LEAF:
            return True
        return self.ground.descent is None and int(self.held.below(np.array([row]))[1][0]) == 0

    def reach_of_root(self) -> float:
        """How far any cell lies from the root, in units of its scale."""
        if self.held is not None:
            return float(self.held.reach[0] / self.held.scale[0]) if self.held.scale[0] > 0 else 1.0
        return float(self.ground.bounds_of(self.ground.top)[0][0] / self.ground.top.scale[0])

    # one cell after the other

    def way(self, slots: Sequence[int]) -> list[Place]:
        """The cells on the way to one, the root the first.

        Raises:
            AddressError: where there is no such cell.
            InputError: for a level whose scale is no number any more.
        """
        wanted = tuple(slots)
        self._check_level(len(wanted))
        if len(self._places) > _REMEMBERED:
            self._places.clear()
        way = [self._remember((), self._root)]
        for level in range(1, len(wanted) + 1):
            above = way[-1]
            way.append(self._remember(wanted[:level], lambda above=above, slot=wanted[level - 1]: self._child(above, slot)))
        return way

    def _remember(self, slots: tuple[int, ...], make) -> Place:
        found = self._places.get(slots)
        if found is None:
            found = self._places[slots] = make()
        return found

    def _check_level(self, level: int) -> None:
        ground = self.ground
        if ground.descent is not None and ground.scale_factor is not None:
            deepest = deepest_of(float(self.way([])[0].scale) if level else 1.0, ground.scale_factor)
            if level > deepest:
                raise InputError(
                    f"level {level} is too deep: from level {deepest + 1} on double precision does not hold the scales"
                )

    def _root(self) -> Place:
        nothing = np.zeros(self.dimension)
        if self.held is not None:
            return Place((), 0, None, nothing, 1.0, float(self.held.scale[0]))
        top = self.ground.top
        return Place((), -1, self._ruled(top), nothing, 1.0, float(top.scale[0]))

    def _ruled(self, places) -> Ruled:
        ground = self.ground
        assert ground.descent is not None
        assert ground.scale_factor is not None
        return ruled_places(
            places, descent=ground.descent, scale_factor=ground.scale_factor, residual_bound=ground.residual_bound
        )

    def _child(self, above: Place, slot: int) -> Place:
        slots = (*above.slots, slot)
        if above.row >= 0 and self.held is not None:
            held, rows = self.held, np.array([above.row])
            first, count = (int(found[0]) for found in held.below(rows))
            if count > 0:
                there = np.flatnonzero(held.slot[first : first + count] == slot)
                if len(there) == 0:
                    raise self._missing(above, slot, "it has other children")
                row = first + int(there[0])
                ratio = float(held.scale[row] / held.scale[above.row]) if held.scale[above.row] > 0 else 0.0
                return Place(slots, row, None, held.residual[row], ratio, float(held.scale[row]))
            if held.state[above.row] == LEAF:
                raise self._missing(above, slot, "that is a leaf")
        ground, ruled = self.ground, above.ruled
        if ground.descent is None or ground.scale_factor is None:
            raise self._missing(above, slot, f"nothing is stored there, and {ground.no_rule}")
        if slot >= ground.descent.arity:
            raise self._missing(above, slot, f"cells have {ground.descent.arity} children")
        if ruled is None:
            assert self.held is not None
            ruled = self._ruled(self.held.places(np.array([above.row]), level=above.level, descent=ground.descent))
        one, zero = np.array([slot]), np.zeros(1, dtype=np.int64)
        residual = ruled.tuples()[slot, :, 0]
        return Place(slots, -1, ruled.below(zero, one), residual, ground.scale_factor, above.scale * ground.scale_factor)

    def _missing(self, above: Place, slot: int, why: str) -> AddressError:
        return AddressError(
            f"there is no cell in slot {slot} below {format_address(above.slots)} of {self.ground.name!r}: {why}"
        )

    def off_the_rule(self, rows: Int[np.ndarray, " cells"], level: Int[np.ndarray, " cells"]) -> Float[np.ndarray, " cells"]:
        """How far the residuals of held cells are from what the rule answers for them, in units of their parents' scales.

        NaN for a root and where nothing is held, by rows of -1.
        """
        found = np.full(len(rows), np.nan)
        held, descent = self.held, self.ground.descent
        if held is None or descent is None:
            return found
        there = np.flatnonzero(rows >= 0)
        there = there[held.parent[rows[there]] >= 0]
        for one in np.unique(level[there]).tolist():
            part = there[level[there] == one]
            above, place = np.unique(held.parent[rows[part]], return_inverse=True)
            tuples = self._ruled(held.places(above, level=one - 1, descent=descent)).tuples()
            off = tuples[held.slot[rows[part]], :, place] - held.residual[rows[part]]
            found[part] = np.sqrt(np.einsum("cd,cd->c", off, off))
        return found

    # one level down, many cells at once

    def expand(self, front: Front, chosen: Int[np.ndarray, " chosen"], *, at: Spread, plane: Plane, window: Window) -> Children:
        """The children of chosen nodes, none of which ends, that may be, or have below them, what meets the window."""
        found = [self._held_children(front, chosen, at=at, plane=plane, window=window)]
        entering = self._entering(front, chosen)
        for part in front.ruled if entering is None else (*front.ruled, entering):
            rows = np.flatnonzero(_among(part.node, chosen, len(front)))
            if len(rows):
                found.append(self._ruled_children(part.of(rows), part.node[rows], at=at, plane=plane, window=window))
        return _merged([part for part in found if part is not None], front.level + 1)

    def _held_children(self, front: Front, chosen, *, at: Spread, plane: Plane, window: Window) -> "_Found | None":
        nodes = chosen[front.row[chosen] >= 0]
        if len(nodes) == 0 or self.held is None:
            return None
        held, above = self.held, front.row[nodes]
        first, count = held.below(above)
        family = np.repeat(np.arange(len(nodes)), count)
        row = np.arange(len(family)) + np.repeat(first - (np.cumsum(count) - count), count)
        with np.errstate(divide="ignore", invalid="ignore"):
            zoom = np.where(held.scale[above] > 0, at.unit[nodes] / held.scale[above], 0.0)
        parent, zoom = nodes[family], zoom[family]
        x, y = plane.rows(held.residual[row])
        x, y = at.x[parent] + at.unit[parent] * x, at.y[parent] + at.unit[parent] * y
        reach = held.reach[row] * zoom
        seen = np.flatnonzero(window.of(parent).meets(x, y, reach))
        row = row[seen]
        end = held.state[row] == LEAF
        if self.ground.descent is None:
            end |= held.count[row] == 0
        spread = Spread(x[seen], y[seen], held.scale[row] * zoom[seen])
        return _Found(parent[seen], held.slot[row].astype(np.int64), spread, reach[seen], end, row, None, family[seen])

    def _entering(self, front: Front, chosen) -> RuledNodes | None:
        """Held nodes below which nothing is stored and the rule goes on."""
        if self.held is None or self.ground.descent is None:
            return None
        nodes = chosen[front.row[chosen] >= 0]
        nodes = nodes[self.held.below(front.row[nodes])[1] == 0]
        if len(nodes) == 0:
            return None
        places = self.held.places(front.row[nodes], level=front.level, descent=self.ground.descent)
        return RuledNodes(self._ruled(places), nodes)

    def _ruled_children(self, places: Ruled, nodes, *, at: Spread, plane: Plane, window: Window) -> "_Found":
        assert self.ground.scale_factor is not None
        unit = at.unit[nodes]
        x, y = plane.columns(places.tuples())
        x *= unit
        x += at.x[nodes]
        y *= unit
        y += at.y[nodes]
        unit = unit * self.ground.scale_factor
        reach = places.spread() * unit
        parent, slot = np.nonzero(window.of(nodes).meets(x, y, reach).T)
        seen = slot * len(nodes) + parent
        spread = Spread(np.take(x, seen), np.take(y, seen), unit[parent])
        row, end = np.full(len(seen), -1), np.zeros(len(seen), dtype=np.bool_)
        return _Found(nodes[parent], slot, spread, np.take(reach, seen), end, row, places, parent)


@dataclass(frozen=True, eq=False)
class _Found:
    """Children of one kind, by their parents."""

    parent: Int[np.ndarray, " children"]
    slot: Int[np.ndarray, " children"]
    at: Spread
    reach: Float[np.ndarray, " children"]
    end: Bool[np.ndarray, " children"]
    row: Int[np.ndarray, " children"]
    places: Ruled | None
    place: Int[np.ndarray, " children"]  # the row of the parent's among the places

    @classmethod
    def none(cls) -> Self:
        """No children."""
        empty, numbers = np.zeros(0, dtype=np.int64), np.zeros(0)
        return cls(empty, empty, Spread(numbers, numbers, numbers), numbers, empty.astype(np.bool_), empty, None, empty)


def _among(node: Int[np.ndarray, " part"], chosen: Int[np.ndarray, " chosen"], count: int) -> Bool[np.ndarray, " part"]:
    mask = np.zeros(count, dtype=np.bool_)
    mask[chosen] = True
    return mask[node]


def _merged(parts: list[_Found], level: int) -> Children:
    """Children of several kinds in the order of their addresses."""
    if len(parts) == 0:
        parts = [_Found.none()]
    place = np.arange(sum(len(part.parent) for part in parts))
    order = None
    if len(parts) > 1:
        order = np.argsort(np.concatenate([part.parent for part in parts]), kind="stable")
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
    ruled, start = list[RuledNodes](), 0
    for part in parts:
        stop = start + len(part.parent)
        if part.places is not None and stop > start:
            ruled.append(RuledNodes(part.places, place[start:stop], part.place, part.slot))
        start = stop

    def column(values: list[np.ndarray]) -> np.ndarray:
        return values[0] if order is None else np.concatenate(values)[order]

    at = Spread(*(column([getattr(part.at, name) for part in parts]) for name in ("x", "y", "unit")))
    parent, slot, reach, end, row = (
        column([getattr(part, name) for part in parts]) for name in ("parent", "slot", "reach", "end", "row")
    )
    return Children(parent, slot, at, reach, end, Front(level, row, tuple(ruled)))


def both(first: Front, second: Front) -> Front:
    """Two fronts of one level, one behind the other; what one rule answers as one."""
    parts = [(part, 0) for part in first.ruled] + [(part, len(first)) for part in second.ruled]
    places = [part.of(np.arange(len(part.node))) for part, _ in parts]
    nodes = [part.node + shift for part, shift in parts]
    as_one = joined(places)
    if len(as_one) < len(places):
        nodes = [np.concatenate(nodes)]
    ruled = tuple(RuledNodes(place, node) for place, node in zip(as_one, nodes, strict=True))
    return Front(first.level, np.concatenate([first.row, second.row]), ruled)
