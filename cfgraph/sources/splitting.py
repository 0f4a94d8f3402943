"""Splitting: what recursive k-means is told, what is refused, and the field of its levels, however these were found."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from cfgraph import defaults
from cfgraph.checks import check_integer
from cfgraph.errors import InputError
from cfgraph.files.column_order import names_for_recipe
from cfgraph.learning.encoders import Step, dump_encoder
from cfgraph.model.address import key_of
from cfgraph.model.cells import Cells
from cfgraph.model.growth import count_cells
from cfgraph.model.hierarchy import FieldWithCells
from cfgraph.sources.placing import Level, place_field


@dataclass(frozen=True, kw_only=True)
class Splitting:
    """How points are split; :func:`cfgraph.sources.points.points` says of each what it is."""

    depth: int
    arity: int
    pca: int | None
    minimum_size: int
    scale_depth: int
    duplicates: str
    seed: int

    @classmethod
    def checked(cls, *, depth, arity, pca, minimum_size, scale_depth, duplicates, seed) -> "Splitting":
        """The arguments, or an InputError for one that is out of its range."""
        if duplicates not in defaults.DUPLICATES:
            raise InputError(f"expected a rule for duplicates out of {', '.join(defaults.DUPLICATES)}, got {duplicates!r}")
        return cls(
            depth=check_integer(depth, name="depth", low=0),
            arity=check_integer(arity, name="arity", low=2),
            pca=None if pca is None else check_integer(pca, name="number of principal components", low=1),
            minimum_size=check_integer(minimum_size, name="minimum size", low=1),
            scale_depth=check_integer(scale_depth, name="scale depth", low=2),  # a ratio needs two levels
            seed=check_integer(seed, name="seed", low=0),
            duplicates=duplicates,
        )

    @property
    def numbers(self) -> dict[str, int | None]:
        """Those that are whole numbers, as recipes have them."""
        return {name: value for name, value in asdict(self).items() if name != "duplicates"}


def check_different(different: int, *, arity: int) -> None:
    """An ``InputError`` for fewer different points than the root's children are."""
    if different < arity:
        raise InputError(f"expected at least {arity} different points, one for each child of the root, got {different}")


def check_count(count: int, *, depth: int, arity: int, minimum_size: int) -> None:
    """An ``InputError`` for fewer points than one split takes, and for a depth that no tree of so many has."""
    if count < minimum_size:
        raise InputError(f"expected at least {minimum_size} points, the minimum size of a cell that is split, got {count}")
    reachable = (count - 1) // (arity - 1)
    if depth > reachable:
        digits = depth * math.log10(arity)
        total = f"{count_cells(1, arity=arity, levels=depth):,}" if digits < 15 else f"about 10^{digits:.0f}"
        raise InputError(
            f"a full tree of depth {depth} and arity {arity} would be {total} cells, and no tree of {count} points is "
            f"deeper than {reachable}; ask for a smaller depth"
        )


def seed_of(slots: Sequence[int], *, seed: int) -> int:
    """A seed of the cell's own, from its address alone: no cell's split depends on when it is made."""
    return int(np.random.SeedSequence(seed, spawn_key=tuple(slots)).generate_state(1)[0])


class PointsBelow(NamedTuple):
    """Data points: how many, whether they become nodes of the graph, the row of each one's deepest cell, and their names."""

    number: int
    nodes: bool
    cell: Int[np.ndarray, " points"] | None
    names: Sequence[str] | None = None


def field_of_levels(
    levels: list[Level],
    splitting: Splitting,
    *,
    id: str,
    recipe: dict[str, Any],
    names: Sequence[str] | None,
    notes: tuple[str, ...],
    radius: Callable[[Cells], tuple[float, ...]],
    points: PointsBelow,
    steps: tuple[Step, ...] = (),
) -> FieldWithCells:
    """The field of a tree of data, level by level.

    Args:
        levels: its cells.
        splitting: how it was split.
        id: the hierarchy's id.
        recipe: its source and what it was made of.
        names: what the columns of the data are called.
        notes: what a reader should know.
        radius: by level how far the farthest point lies from its cell's center, of the cells as they are placed.
        points: the data points.
        steps: what was done to the data first.
    """
    arity = splitting.arity
    key_of(id, levels[-1].longest)
    return place_field(
        levels,
        arity=arity,
        scale_depth=splitting.scale_depth,
        notes=notes,
        radius=radius,
        id=id,
        origin=recipe["source"],
        points=points.number,
        point_nodes=points.nodes,
        recipe={**recipe, "duplicates": splitting.duplicates, **splitting.numbers}
        | names_for_recipe(names)
        | ({"points": True} if points.nodes else {}),
        cell_of_point=points.cell,
        point_names=None if points.names is None else tuple(points.names),
        encoder=dump_encoder(*steps) if steps else None,
    )
