"""Boxes: the cells of a level in a box, by one statement that leaves out on the way down what cannot reach the box.

How far descendants lie from a cell is bounded by ``R scale / (1 - s)``, R the longest residual there is; where cells come from
data by the radius that is stored; and by what a field's maps prove of each way, where one is given. Where nothing bounds it all
cells down to the level are looked at; the answer is the same.
"""

from collections.abc import Sequence

from cfgraph.checks import check_integer, check_number
from cfgraph.errors import InputError
from cfgraph.model.address import ROOT, key_of, level_of, parse_address
from cfgraph.model.field import Field
from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy
from cfgraph.model.invariants import TOLERANCE
from cfgraph.model.reader import Columns
from cfgraph.store import reading
from cfgraph.store.predictors import Predictors
from cfgraph.store.reader import KnownReader
from cfgraph.store.witness import Witness

_SLACK = 1e-6  # of what maps prove: some are told from the first levels, to the digits that these have


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
            field: ``cfgraph.field(store, id)``. Where its rule is one of maps fewer cells are looked at: of those that contract
                their children more than the scale tells, such as the leaflets of the fern, all that is far off is left out.

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
        with Witness(self._graph, id, live=True) as witness:
            known = witness.hierarchy
            if not axes or max(axes) >= known.dimension:
                raise InputError(f"expected axes from 0 to {known.dimension - 1}, those of {known.id!r}, got {axes}")
            asked = {"key": key_of(known.id, top), "level": level, "id_size": len(known.id), "extras": known.data_built}
            sides = [list(side) for side in zip(axes, *corners, strict=True)]
            box = {"sides": sides, **self._bounds(known, field, grown=witness.grown)}
            found = reading.checked(self._graph.read("read_box", **asked, **box)[0], known.id)
            return reading.joined_columns([reading.packed(found, known.id)], id=known.id)

    def _bounds(self, known: Hierarchy, field: Field | None, *, grown: bool) -> dict[str, float | bool | list[float] | None]:
        """How far descendants lie from any cell at most, in units of its scale, if that is known; whether stored radii tell.

        ``factors``, one a slot, multiply that along the way to a cell; None where they change nothing.
        """
        if field is not None and not _is_of(field, known):
            raise InputError(
                f"expected a field of {known.id!r} as it is now, cfgraph.field(store, id), got one of {field.name!r}"
            )
        bounds: dict[str, float | bool | list[float] | None] = {"spread": None, "factors": None, "radii": False}
        if not isinstance(known, FieldHierarchy) or known.former_predictors:
            return bounds
        if known.data_built:  # what was grown below the data lies beyond their radii
            return bounds if grown else {**bounds, "radii": True}
        growers = self.growers(known.id) if grown else []
        longest = [grower.trained.residual_bound * (1 + TOLERANCE) for grower in growers]
        spread = max([known.residual_bound, *longest]) / (1 - known.scale_factor)
        way = None if field is None or grown else field.way_reach
        if way is not None and max(way.factors) <= 1 + _SLACK:
            spread = min(spread, way.top * (1 + _SLACK))
            if min(way.factors) < 1 - _SLACK:
                bounds["factors"] = [factor * (1 + _SLACK) for factor in way.factors]
        return {**bounds, "spread": spread * (1 + TOLERANCE)}


def _is_of(field: Field, known: Hierarchy) -> bool:
    """Whether a field stands on a hierarchy of a store, just the one that is known."""
    return isinstance(field.reader, KnownReader) and field.reader.hierarchy.identity.is_that_of(known.identity)
