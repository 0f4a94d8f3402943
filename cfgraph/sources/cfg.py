"""Seeded synthetic classification field generators (CFG): any arity, dimension and scale factor.

``constant``: ``G(c) = base``. ``smooth``: ``G_k(c) = base_k + a P_k(c)`` with ``P_k(c) = sin(w V c + phase_k) / sqrt(d)``,
V a random rotation, so that ``|P| <= 1`` and all that the guarantees need is known (derived, docs/mathematics.md):

    R = max |base_k| + a        delta = d0 - 2 a        Lambda = a w / sqrt(d)        w = frequency (1 - s) / R

where d0 is the smallest distance of two base residuals. The frequency is in radians from the middle of the field to its
rim ``R / (1 - s)``, so that it means the same for every scale factor.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Int

from cfgraph import defaults
from cfgraph.checks import check_integer, check_number, check_scale_factor
from cfgraph.errors import InputError
from cfgraph.model.address import check_id
from cfgraph.model.cells import Cells
from cfgraph.model.growth import CELLS_MAX, Frontier, check_depth
from cfgraph.model.hierarchy import FieldHierarchy, FieldWithCells
from cfgraph.sources.field_plan import FieldPlan
from cfgraph.sources.tuples import largest_norm, smallest_in_batch

ARITY_MAX = 4096  # base tuples are spread by comparing each with all candidates
_CANDIDATES = 8  # candidates for every base residual; more spread them better
_ROUNDING = 1 + 1e-14  # what a handful of floating-point operations may lose


@dataclass(frozen=True, eq=False)
class Generator:
    """A classification field generator: a :data:`~cfgraph.model.growth.Rule` that knows its own bound, separation and constant.

    The same center gives the same bits whatever the batch it stands in: every operation is elementwise.
    """

    base: Float[np.ndarray, "arity dim"]
    amplitude: float
    wave: Float[np.ndarray, "dim dim"]  # the frequency w times the rotation V
    phase: Float[np.ndarray, "arity dim"]
    residual_bound: float
    separation: float | None
    lipschitz: float

    def __call__(self, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
        """The tuples of a frontier's cells: a function of their centers alone."""
        return self.tuples_at(frontier.center)

    def below(self, rows: slice, *, level: int) -> Self:
        """The rule below some cells: itself, since it needs nothing but their centers."""
        return self

    def at(self, slots: Int[np.ndarray, "cells levels"]) -> Self:
        """The rule below cells that slots lead to: itself."""
        return self

    def tuples_at(self, center: Float[np.ndarray, "cells dim"]) -> Float[np.ndarray, "cells arity dim"]:
        """``G(c)`` for each center."""
        if self.amplitude == 0:
            return np.repeat(self.base[None], len(center), axis=0)
        along = np.zeros_like(center)
        for axis, column in enumerate(self.wave.T):  # not a matrix product: its rounding depends on the batch's size
            along += center[:, axis, None] * column
        waves = np.sin(along[:, None] + self.phase)
        return self.base + (self.amplitude / math.sqrt(center.shape[1])) * waves


def cfg(
    *,
    id: str = "cfg",
    depth: int | None = None,
    arity: int = defaults.ARITY,
    dimension: int = defaults.DIMENSION,
    scale_factor: float = defaults.SCALE_FACTOR,
    rule: str = defaults.RULE,
    separation: float = defaults.SEPARATION,
    amplitude: float | None = None,
    frequency: float = defaults.FREQUENCY,
    seed: int = defaults.SEED,
) -> FieldWithCells:
    """A hierarchy grown from the origin to ``depth`` by a seeded generator, with R, delta and Lambda recorded.

    Args:
        id: the hierarchy's id.
        depth: the deepest level; its cells are the frontier.
        arity: K, the number of children of every cell.
        dimension: d, the dimension of the centers.
        scale_factor: s, between 0 and 1.
        rule: ``smooth`` or ``constant``.
        separation: d0, the smallest distance of two base residuals.
        amplitude: a, the size of the smooth perturbation, below d0 / 2; a quarter of d0 unless given.
        frequency: how fast the perturbation turns, in radians from the middle of the field to its rim.
        seed: of the base tuple, the rotation and the phases.

    Raises:
        InputError: for an argument out of its range, or a depth that would be absurdly many cells.
    """
    design = Design(
        arity=arity,
        dimension=dimension,
        scale_factor=scale_factor,
        rule=rule,
        separation=separation,
        amplitude=amplitude,
        frequency=frequency,
        seed=seed,
    )
    return field(id=id, depth=depth, design=design).grow()


@dataclass(frozen=True)
class Design:
    """What a generator is made from: the arguments of :func:`cfg` that are neither the hierarchy's id nor its depth."""

    arity: int = defaults.ARITY
    dimension: int = defaults.DIMENSION
    scale_factor: float = defaults.SCALE_FACTOR
    rule: str = defaults.RULE
    separation: float = defaults.SEPARATION
    amplitude: float | None = None
    frequency: float = defaults.FREQUENCY
    seed: int = defaults.SEED

    def recipe(self) -> dict[str, Any]:
        """The hierarchy's recipe but for its depth; an ``InputError`` for an argument out of its range."""
        return {
            "source": "cfg",
            "rule": self.rule,
            "arity": check_integer(self.arity, name="arity", low=1, high=ARITY_MAX),
            "dimension": check_integer(self.dimension, name="dimension", low=1, high=ARITY_MAX),
            "scale_factor": check_scale_factor(self.scale_factor),
            "separation": check_number(self.separation, name="separation"),
            "amplitude": _amplitude(self.amplitude, rule=self.rule, separation=self.separation),
            "frequency": check_number(self.frequency, name="frequency") if self.rule == "smooth" else 0.0,
            "seed": check_integer(self.seed, name="seed", low=0),
        }


def field(*, id: str, depth: int | None, design: Design = Design(), cells_max: int = CELLS_MAX) -> FieldPlan:
    """What :func:`cfg` grows, checked and not grown yet; the errors are the same."""
    recipe = design.recipe()
    recipe["depth"] = check_depth(depth, id=check_id(id), arity=recipe["arity"], cells_max=cells_max)
    generator = rule_of(recipe)
    hierarchy = FieldHierarchy(
        id=id,
        origin="cfg",
        dimension=recipe["dimension"],
        arity=recipe["arity"],
        scale_factor=recipe["scale_factor"],
        residual_bound=generator.residual_bound,
        separation=generator.separation,
        lipschitz=generator.lipschitz,
        recipe=recipe,
    )
    return FieldPlan(
        hierarchy, root=Cells.from_root(np.zeros(recipe["dimension"])), make_rule=lambda: generator, depth=recipe["depth"]
    )


def rule_of(recipe: Mapping[str, Any]) -> Generator:
    """The generator G that a hierarchy's recipe names, made again from its seed.

    Raises:
        InputError: where the recipe is not that of a ``cfg`` hierarchy.
    """
    if recipe.get("source") != "cfg":
        raise InputError(f"expected the recipe of a cfg hierarchy, got one of source {recipe.get('source')!r}")
    random = np.random.default_rng(recipe["seed"])
    base = _base_tuple(random, arity=recipe["arity"], dimension=recipe["dimension"], separation=recipe["separation"])
    rotation = np.linalg.qr(random.standard_normal((recipe["dimension"],) * 2))[0]
    phase = random.uniform(-math.pi, math.pi, size=base.shape)
    amplitude = recipe["amplitude"]
    bound = (largest_norm(base) + amplitude) * _ROUNDING
    speed = recipe["frequency"] * (1 - recipe["scale_factor"]) / bound if bound else 0.0
    return Generator(
        base=base,
        amplitude=amplitude,
        wave=speed * rotation,
        phase=phase,
        residual_bound=bound,
        separation=None if len(base) == 1 else recipe["separation"] - 2 * amplitude,
        lipschitz=amplitude * abs(speed) / math.sqrt(recipe["dimension"]) * _ROUNDING,
    )


def _amplitude(amplitude: float | None, *, rule: str, separation: float) -> float:
    """The perturbation's size: none for ``constant``, and so small for ``smooth`` that the residuals stay separated."""
    if rule not in defaults.RULES:
        raise InputError(f"expected a rule out of {', '.join(defaults.RULES)}, got {rule!r}")
    if not check_number(separation, name="separation") > 0:
        raise InputError(f"expected a separation above 0, got {separation}")
    if rule == "constant":
        if amplitude:
            raise InputError(f"the constant rule has no amplitude, got {amplitude}; leave it out or use the rule smooth")
        return 0.0
    size = separation * defaults.AMPLITUDE_SHARE if amplitude is None else check_number(amplitude, name="amplitude")
    if not 0 <= size < separation / 2:
        raise InputError(
            f"expected an amplitude of at least 0 and below half the separation {separation}, so that children stay apart, "
            f"got {amplitude}"
        )
    return size


def _base_tuple(
    random: np.random.Generator, *, arity: int, dimension: int, separation: float
) -> Float[np.ndarray, "arity dim"]:
    """``arity`` seeded points spread in a ball, sized so that the closest two are ``separation`` apart.

    From a pool of random points each next one is that farthest from those taken; the ball's radius follows from how
    many points must fit, whatever the dimension.
    """
    pool = random.standard_normal((arity * _CANDIDATES, dimension))
    radius = random.random(len(pool)) ** (1 / dimension)
    pool *= (radius / np.linalg.norm(pool, axis=1))[:, None]
    if arity == 1:
        return pool[:1] * separation
    taken = [0]
    distance = np.linalg.norm(pool - pool[0], axis=1)
    while len(taken) < arity:
        taken.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(pool - pool[taken[-1]], axis=1))
    base = pool[taken]
    return base * (separation * _ROUNDING / smallest_in_batch(base[None]))
