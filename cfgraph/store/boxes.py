"""Boxes: the cells of a level in a box, by a statement that leaves out on the way down what cannot reach the box.

How far descendants lie from a cell is bounded by ``R scale / (1 - s)``, R the longest residual there is; where cells come from
data by the radius that is stored; and by what a field's maps prove of each way, where one is given. Then ways are followed in
memory first (:mod:`cfgraph.model.boxes`), and the statement begins where these end: mostly a level above the cells. Where
nothing bounds it all cells down to the level are looked at; the answer is the same.
"""

from collections.abc import Sequence
from typing import Any

from cfgraph.checks import check_integer, check_number
from cfgraph.errors import InputError, VanishedError
from cfgraph.model.address import ROOT, deepest_level, key_of, level_of, parse_address
from cfgraph.model.boxes import SLACK, Box, ways_into
from cfgraph.model.field import Field
from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy
from cfgraph.model.invariants import TOLERANCE
from cfgraph.model.reach import WayReach
from cfgraph.model.reader import Columns
from cfgraph.store import reading
from cfgraph.store.predictors import Predictors
from cfgraph.store.reader import KnownReader
from cfgraph.store.witness import Proof, Witness
from cfgraph.store.writing import key_pages

TOPS = 2_000  # cells that a query looks below
Bounds = dict[str, float | bool | list[float] | None]


class Boxes(Predictors):
    """Asking for cells by where they lie."""

    def read_box(
        self,
        id: str | Hierarchy,
        level: int,
        low: Sequence[float],
        high: Sequence[float],
        *,
        axes: Sequence[int] | None = None,
        top: str = ROOT,
        field: Field | None = None,
    ) -> Columns:
        """The cells of a level below ``top`` whose centers lie in a box, in any order; ``address`` says which they are.

        Args:
            id: the hierarchy's; the hierarchy itself, as it was read before, means just that one.
            level: of the cells.
            low: the box's least corner, in the hierarchy's units, a number for each of ``axes``; what lies on it is inside.
            high: its other corner.
            axes: the columns of the centers that the corners speak of; the first ones, unless given.
            top: a cell above that level; only what lies below it is looked at.
            field: ``cfgraph.field(store, id)``. Where its rule is one of maps hardly any cell is looked at that does not lie
                in the box: which ways lead there is found out in memory.

        Raises:
            InputError: for corners of other lengths, axes that centers have not, a level that is not below ``top``'s, and the
                field of another hierarchy.
            NotFoundError: for an id that the store does not hold.
        """
        parse_address(top)
        level = check_integer(level, name="level", low=level_of(top) + 1)
        corners = [[check_number(number, name="a corner of the box") for number in corner] for corner in (low, high)]
        axes = list(range(len(corners[0]))) if axes is None else [check_integer(axis, name="an axis", low=0) for axis in axes]
        if not len(corners[0]) == len(corners[1]) == len(axes):
            raise InputError(
                f"expected corners of one number an axis, {len(axes)}, got {len(corners[0])} and {len(corners[1])} numbers"
            )
        box = Box(axes, *corners)
        found = None if field is None else self._read_by_ways(id, field, box, top=top, level=level)
        return self._read_down(id, field, box, top=top, level=level) if found is None else found

    def _read_by_ways(self, of: str | Hierarchy, field: Field, box: Box, *, top: str, level: int) -> Columns | None:
        """The cells where the field's maps tell the parents of all of them; None where they do not, or may not be believed."""
        known = field.reader.hierarchy if isinstance(field.reader, KnownReader) else None
        if known is None or not _is_meant(known, of) or not box.axes or max(box.axes) >= known.dimension:
            return None
        way = _way_of(known, field, grown=False)
        if way is None:
            return None
        try:
            tops = ways_into(box, field, top=top, level=min(level, deepest_level(known.id, arity=len(way.factors))))
        except VanishedError:  # its root was to be read, and is gone; the other way says what is there
            return None
        if not _are_parents(tops, level) or len(tops) > TOPS:
            return None
        proof = Proof(self._graph, known)
        row = proof.read_with_state("read_children_in_box", keys=[key_of(known.id, top) for top in tops], **_asked(known, box))
        if not proof.is_as_made:
            return None
        return reading.joined_columns([reading.packed(reading.checked(row, known.id), known.id)], id=known.id)

    def _read_down(self, of: str | Hierarchy, field: Field | None, box: Box, *, top: str, level: int) -> Columns:
        """The cells, all ways below the top followed in the graph but for those that bounds leave out."""
        with Witness(self._graph, of, live=True) as witness:
            known = witness.hierarchy
            if not box.axes or max(box.axes) >= known.dimension:
                raise InputError(f"expected axes from 0 to {known.dimension - 1}, those of {known.id!r}, got {box.axes}")
            way, tops = _way_of(known, field, grown=witness.grown), [top]
            if field is not None and way is not None:
                tops = ways_into(box, field, top=top, level=min(level, deepest_level(known.id, arity=len(way.factors))))
            bounds = self._bounds(known, way, grown=witness.grown)

            def read(keys: list[str]) -> reading.Packed:
                row = self._graph.read("read_box", keys=keys, level=level, **bounds, **_asked(known, box))[0]
                return reading.packed(reading.checked(row, known.id), known.id)

            pages = list(key_pages([key_of(known.id, one) for one in tops], size=TOPS)) or [[]]
            return reading.joined_columns(reading.in_connections(read, pages), id=known.id)

    def _bounds(self, known: Hierarchy, way: WayReach | None, *, grown: bool) -> Bounds:
        """How far descendants lie from any cell at most, in units of its scale, if that is known; whether stored radii tell.

        ``factors``, one a slot, multiply that along the way to a cell; None where they change nothing.
        """
        bounds: Bounds = {"spread": None, "factors": None, "radii": False}
        if not isinstance(known, FieldHierarchy) or known.former_predictors:
            return bounds
        if known.data_built:  # what was grown below the data lies beyond their radii
            return bounds if grown else {**bounds, "radii": True}
        growers = self.growers(known.id) if grown else []
        longest = [grower.trained.residual_bound * (1 + TOLERANCE) for grower in growers]
        spread = max([known.residual_bound, *longest]) / (1 - known.scale_factor)
        if way is not None:
            spread = min(spread, way.top * (1 + SLACK))
            if min(way.factors) < 1 - SLACK:
                bounds["factors"] = [factor * (1 + SLACK) for factor in way.factors]
        return {**bounds, "spread": spread * (1 + TOLERANCE)}


def _way_of(known: Hierarchy, field: Field | None, *, grown: bool) -> WayReach | None:
    """What a field's maps prove of all cells that are stored; None where they prove nothing, or not of all."""
    if field is None:
        return None
    if not _is_of(field, known):
        raise InputError(f"expected a field of {known.id!r} as it is now, cfgraph.field(store, id), got one of {field.name!r}")
    way = None if grown or known.former_predictors else field.way_reach
    return way if way is not None and max(way.factors) <= 1 + SLACK else None


def _asked(known: Hierarchy, box: Box) -> dict[str, Any]:
    """What both statements are told of a hierarchy and a box."""
    sides = [list(side) for side in zip(box.axes, box.low, box.high, strict=True)]
    return {"id_size": len(known.id), "sides": sides, "extras": known.data_built}


def _are_parents(tops: Sequence[str], level: int) -> bool:
    """Whether cells of one level are the parents of those of a level."""
    return all(level_of(one) == level - 1 for one in tops[:1])


def _is_meant(known: Hierarchy, of: str | Hierarchy) -> bool:
    """Whether an id, or a hierarchy as it was read before, may mean the known one."""
    return known.id == of if isinstance(of, str) else known.id == of.id and known.identity.is_that_of(of.identity)


def _is_of(field: Field, known: Hierarchy) -> bool:
    """Whether a field stands on a hierarchy of a store, just the one that is known."""
    return isinstance(field.reader, KnownReader) and field.reader.hierarchy.identity.is_that_of(known.identity)
