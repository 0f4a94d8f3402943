"""An affine iterated function system as a hierarchy (derived, docs/mathematics.md).

Maps ``f_k(x) = A_k x + t_k``. The cell w = k1..kL has center ``f_w(x0)``, ``f_w = f_k1 o ... o f_kL``: the new map is applied
first. With ``s = max_k norm2(A_k)``, ``u_k = f_k(x0) - x0`` and U their rows, the tuple of w is ``T_w = U A_w^t / s^|w|``.
It is computed from the composed matrices ``A_w``, never from the recurrence that predictors learn.

Where a matrix has a norm of 1 or more and the system contracts all the same, in another norm, the hierarchy is that of the
maps in other coordinates: ``x = P y``, ``P^-1 A_k P`` for ``A_k`` (:mod:`cfgraph.formats.contracting`). Its centers are the y,
so that all bounds hold as they are; P stands in the recipe, as ``coordinates``, and in a note.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from cfgraph import defaults
from cfgraph.checks import check_integer, check_number, check_scale_factor
from cfgraph.errors import InputError
from cfgraph.formats.contracting import find_coordinates
from cfgraph.formats.maps import AffineMaps, read_maps
from cfgraph.model.address import check_id
from cfgraph.model.cells import Cells
from cfgraph.model.growth import CELLS_MAX, Frontier, check_depth
from cfgraph.model.hierarchy import FieldHierarchy, FieldWithCells
from cfgraph.moved import renamed
from cfgraph.sources.field_plan import FieldPlan
from cfgraph.sources.tuples import largest_norm, smallest_distance

FLAT = 1e-6  # below this ratio of singular values the displacements span too little to tell the maps from
_COINCIDE = 1e-9  # displacements closer than this share of the longest are one
_NOTHING = 1e-13  # a displacement below this share of the coordinates is their rounding
_OFFSETS = 32  # seeded offsets tried where the mean of the fixed points will not do
_OFFSET_SIZE = 0.25  # of the system's size
_TOLERANCE = 1e-12
_REACH_MAX = 1e100  # its square and a few sums of it still are floats
_FACTOR_OF_CONSTANTS = 0.5  # the scale factor where every matrix is zero and any would do


@dataclass(frozen=True, eq=False)
class _Start:
    """The point x0 that the cells are the images of, the displacements of x0, and how x0 was chosen."""

    center: Float[np.ndarray, " dim"]
    displacement: Float[np.ndarray, "arity dim"]
    notes: tuple[str, ...]


@renamed(map_name="map")
def ifs(
    maps: Path | str | AffineMaps | None = None,
    *,
    id: str = "ifs",
    depth: int | None = None,
    map: str | None = None,
    root_center: Sequence[float] | None = None,
    scale_factor: float | None = None,
    seed: int = defaults.SEED,
    large: bool = False,
) -> FieldWithCells:
    """The hierarchy of an affine iterated function system down to ``depth``.

    Where all maps are similarities of ratio s, the separation delta is exact at every level; else it is reported level
    by level, parents of level 0 first.

    Args:
        id: the hierarchy's id.
        maps: a file of JSON, Fractint (.ifs) or a flame, the name of a built-in system (dragon, fern, koch, levy, sierpinski),
            or the maps.
        depth: the deepest level; its cells are the frontier.
        map: the entry of the file, not needed where it holds one; or without ``maps`` a built-in system.
        root_center: x0, in the maps' own coordinates; the mean of the maps' fixed points unless given.
        scale_factor: s; the largest norm2 of the matrices unless given, and at least that.
        seed: of the offsets that move x0 where displacements of the mean coincide or span too little.
        large: whether the file may be larger than :mod:`cfgraph.files.opened` allows.

    Raises:
        InputError: for maps that cannot be read, or contract in no coordinates that were found, and arguments out of range.
    """
    system = map if maps is None else maps
    if system is None:
        raise InputError(f"expected a file of maps or a built-in system out of {', '.join(defaults.BUILT_IN)}; say which")
    return field(
        id=id,
        maps=system,
        depth=depth,
        map_name=map,
        root_center=root_center,
        scale_factor=scale_factor,
        seed=seed,
        large=large,
    ).grow()


def field(
    *,
    id: str,
    maps: Path | str | AffineMaps,
    depth: int | None,
    map_name: str | None = None,
    root_center: Sequence[float] | Sequence[str] | None = None,
    scale_factor: float | None = None,
    seed: int = defaults.SEED,
    large: bool = False,
    cells_max: int = CELLS_MAX,
) -> FieldPlan:
    """What :func:`ifs` grows, checked and not grown yet; the arguments and errors are the same."""
    given = maps if isinstance(maps, AffineMaps) else read_maps(maps, name=map_name, large=large)
    _check_reach(given)
    basis = None if given.norms.max() < 1 else find_coordinates(given)
    system = given if basis is None else given.in_coordinates(basis)
    factor = _scale_factor(system, asked=scale_factor)
    levels = check_depth(depth, id=check_id(id), arity=system.arity, cells_max=cells_max)
    start = _start(system, root_center=root_center, seed=check_integer(seed, name="seed", low=0), basis=basis)
    similar = _all_similar(system, scale_factor=factor)
    hierarchy = FieldHierarchy(
        id=id,
        origin="ifs",
        dimension=system.dimension,
        arity=system.arity,
        scale_factor=factor,
        residual_bound=largest_norm(start.displacement),
        separation=smallest_distance(start.displacement[None]) if similar else None,
        notes=(*given.notes, *_basis_notes(given, basis), *start.notes),
        recipe=_recipe(given, depth=levels, root_center=root_center, scale_factor=scale_factor, seed=seed)
        | ({} if basis is None else {"coordinates": basis.tolist()}),
    )
    return FieldPlan(
        hierarchy,
        root=Cells.from_root(start.center),
        make_rule=lambda: _Compositions(system.matrix / factor, start.displacement),
        depth=levels,
        measured=True,
        bytes_beside=8 * system.dimension**2 // system.arity,  # composed matrices
    )


def _basis_notes(given: AffineMaps, basis: Float[np.ndarray, "dim dim"] | None) -> tuple[str, ...]:
    """What is said of coordinates that were changed."""
    if basis is None:
        return ()
    shown = "; ".join(" ".join(f"{value:.6g}" for value in row) for row in basis)
    return (
        f"a map has norm2 = {given.norms.max():.6g}, and the system contracts in other coordinates: centers are y with x = P y "
        f"for P = [{shown}] (recipe: coordinates)",
    )


def _recipe(system: AffineMaps, *, depth, root_center, scale_factor, seed) -> dict:
    return {
        "source": "ifs",
        "maps": system.name,
        "maps_sha256": system.digest,
        "depth": int(depth),
        "root_center": None if root_center is None else [float(value) for value in root_center],
        "scale_factor": None if scale_factor is None else float(scale_factor),
        "seed": int(seed),
    }


class _Compositions:
    """The true rule of a system: ``T_w = U (A_w / s^|w|)^t`` with the composed matrices of the level at hand.

    It remembers the matrices of one level, and how many of them were asked for: :func:`~cfgraph.model.growth.grow` asks for the
    cells of each level once, in row order, whatever its batches. Sums are spelled out, term by term: the rounding of a
    matrix product depends on how many cells it is made for, and a subtree is to get the bits that it has in the whole.
    """

    def __init__(
        self,
        matrix: Float[np.ndarray, "arity dim dim"],
        displacement: Float[np.ndarray, "arity dim"],
        *,
        composed: Float[np.ndarray, "cells dim dim"] | None = None,
        level: int = 0,
    ):
        self._matrix, self._displacement = matrix, displacement
        self._composed = np.eye(matrix.shape[1])[None] if composed is None else composed
        self._level, self._done = level, 0

    def __call__(self, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
        self._descend(int(frontier.level[0]))
        part = self._composed[self._done : self._done + len(frontier)]
        self._done += len(frontier)
        tuples = np.zeros((len(part), *self._displacement.shape))
        for axis, column in enumerate(self._displacement.T):
            tuples += part[:, None, :, axis] * column[:, None]
        return tuples

    def below(self, rows: slice, *, level: int) -> "_Compositions":
        """The rule of the subtrees below some cells of a level: it starts from their matrices."""
        self._descend(level)
        return _Compositions(self._matrix, self._displacement, composed=self._composed[rows], level=level)

    def at(self, slots: Int[np.ndarray, "cells levels"]) -> "_Compositions":
        """The rule below cells that slots lead to: their matrices composed along the ways, term by term as above."""
        dimension = self._matrix.shape[1]
        composed = np.repeat(np.eye(dimension)[None], len(slots), axis=0)
        for slot in slots.T:
            longer = np.zeros_like(composed)
            for axis in range(dimension):
                longer += composed[:, :, axis, None] * self._matrix[slot, axis][:, None, :]
            composed = longer
        return _Compositions(self._matrix, self._displacement, composed=composed, level=slots.shape[1])

    def _descend(self, level: int) -> None:
        """Compose the matrices of the next level, where that is asked for."""
        if level == self._level:
            return
        arity, dimension = self._displacement.shape
        composed = np.zeros((len(self._composed), arity, dimension, dimension))
        for axis in range(dimension):
            composed += self._composed[:, None, :, axis, None] * self._matrix[:, axis][None, :, None]
        self._composed, self._level, self._done = composed.reshape(-1, dimension, dimension), level, 0


def _scale_factor(system: AffineMaps, *, asked: float | None) -> float:
    """``s = max_k norm2(A_k)``, or the larger one that was asked for."""
    largest = float(system.norms.max())
    if asked is None:
        return largest or _FACTOR_OF_CONSTANTS
    if check_scale_factor(asked) < largest * (1 - _TOLERANCE):
        worst = int(system.norms.argmax())
        raise InputError(
            f"expected a scale factor of at least {largest!r}, the norm2 of map {worst} of {system.name!r}, got {asked}; "
            "leave it out to take that"
        )
    return float(asked)


def _check_reach(system: AffineMaps) -> None:
    reach = np.abs(system.offset).max()
    if not reach <= _REACH_MAX:  # NaN neither
        raise InputError(
            f"expected offsets of at most {_REACH_MAX:g}, so that distances can be computed, got {reach:g}; scale them"
        )


def _start(
    system: AffineMaps,
    *,
    root_center: Sequence[float] | Sequence[str] | None,
    seed: int,
    basis: Float[np.ndarray, "dim dim"] | None,
) -> _Start:
    if root_center is not None:
        center = _check_center(root_center, system)
        center = center if basis is None else np.linalg.solve(basis, center)
        fault = _fault(system, center)
        return _Start(center, system.displace(center), (f"root center as given: {fault}",) if fault else ())
    mean = system.fixed_points.mean(axis=0)
    fault = _fault(system, mean)
    if fault:
        return _moved_start(system, mean=mean, seed=seed, fault=fault)
    return _Start(mean, system.displace(mean), ())


def _moved_start(system: AffineMaps, *, mean: Float[np.ndarray, " dim"], seed: int, fault: str) -> _Start:
    """The best of the mean and its seeded offsets."""
    size = _OFFSET_SIZE * _size(system.fixed_points, mean)
    offsets = size * np.random.default_rng(seed).standard_normal((_OFFSETS, system.dimension))
    best = max((mean, *(mean + offsets)), key=lambda center: _condition(system, center))
    notes: tuple[str, ...] = (
        f"root center moved from the mean of the fixed points {mean.tolist()}, where {fault} (seed {seed})",
    )
    if best is mean:
        notes = ()
    remaining = _fault(system, best)
    if remaining:
        notes += (f"at the root center {remaining}, and none better was found",)
    return _Start(best, system.displace(best), notes)


def _check_center(root_center: Sequence[float] | Sequence[str], system: AffineMaps) -> Float[np.ndarray, " dim"]:
    center = np.array([check_number(value, name="root center") for value in root_center])
    if len(center) != system.dimension:
        raise InputError(f"expected a root center of {system.dimension} numbers, the dimension of the maps, got {len(center)}")
    if np.abs(center).max() > _REACH_MAX:
        raise InputError(f"expected a root center of numbers of at most {_REACH_MAX:g}, got {np.abs(center).max():g}")
    return center


def _size(points: Float[np.ndarray, "arity dim"], middle: Float[np.ndarray, " dim"]) -> float:
    """How far apart the fixed points lie; where they are one point, how far it is from the origin, or 1."""
    spread, distance = largest_norm(points - middle), float(np.linalg.norm(middle))
    return spread if spread > _NOTHING * distance else distance or 1.0


def _fault(system: AffineMaps, center: Float[np.ndarray, " dim"]) -> str | None:
    """Why the maps could not be told from how they displace a center; None where they can."""
    if not _moves(system, center):
        return "the maps leave it where it is"
    ratio, closeness = _ratios(system.displace(center))
    if closeness <= _COINCIDE:
        return "two maps displace it alike"
    return "the maps displace it along too few directions" if ratio < FLAT else None


def _condition(system: AffineMaps, center: Float[np.ndarray, " dim"]) -> tuple[bool, float]:
    """How well the maps can be told from their displacements: the smaller of two ratios that should not vanish."""
    moves = _moves(system, center)
    return moves, min(_ratios(system.displace(center))) if moves else 0.0


def _moves(system: AffineMaps, center: Float[np.ndarray, " dim"]) -> bool:
    """Whether any map displaces a center by more than its coordinates' rounding."""
    reach = max(float(np.linalg.norm(center)), largest_norm(system.offset))
    return largest_norm(system.displace(center)) > _NOTHING * reach


def _ratios(displacement: Float[np.ndarray, "arity dim"]) -> tuple[float, float]:
    """The smallest over the largest singular value of U, and the smallest distance of two rows over the longest row."""
    values = np.linalg.svd(displacement, compute_uv=False)
    closest = smallest_distance(displacement[None])
    return float(values[-1] / values[0]), 1.0 if closest is None else closest / largest_norm(displacement)


def _all_similar(system: AffineMaps, *, scale_factor: float) -> bool:
    """Whether every map is a similarity of ratio s: ``A^t A = s^2 I``."""
    gram = np.einsum("kji,kjl->kil", system.matrix, system.matrix)
    return bool(np.abs(gram - scale_factor**2 * np.eye(system.dimension)).max() <= _TOLERANCE * scale_factor**2)
