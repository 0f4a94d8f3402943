"""Sweep: the five updates of a nested-CRP tree and its bound, none of which lowers it.

1. The ways: ``q(zeta) ~ exp(E log pi + sum over l of w_l ell)``.
2. The levels, where weights are free: ``w_l = q(l) ~ exp(E log eta_l + sum over zeta of q ell)``.
3. Their proportions: ``t = alpha + q(l)``.
4. The sticks, and 5. the Gaussians, of what all points take.

A sweep is 4, 5, then 1, 2, 3, 1 (fixed weights: 1), so that what it ends with, its bound too, belongs together. Points go
through in batches: memory holds nothing of nodes times points.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cfgraph.learning.nested.model import LOG_2PI, Points, Prior, Tree, batches, stick_step
from cfgraph.learning.nested.shape import Shape

SWEEPS, GAIN = 50, 1e-6
UNUSED = 1e-8  # points: a node that emits fewer keeps its Gaussian


class Levels(NamedTuple):
    """What is held of each point where weights are free: those of its levels, and its Dirichlet posterior."""

    weight: Float[np.ndarray, "levels points"]
    t: Float[np.ndarray, "levels points"]

    @classmethod
    def even(cls, shape: Shape, *, points: int, alpha: float) -> "Levels":
        """All levels alike."""
        weight = np.full((shape.levels, points), 1 / shape.levels)
        return cls(weight, alpha + weight)


# -- the steps, of a batch of rows


def level_weights(prior: Prior, levels: Levels | None, rows: slice | np.ndarray) -> Float[np.ndarray, "levels columns"]:
    """The weights of a batch: its own, or the fixed ones as a column."""
    return np.array(prior.weights)[:, None] if levels is None else levels.weight[:, rows]


def path_step(
    tree: Tree, density: Float[np.ndarray, "nodes rows"], weight: Float[np.ndarray, "levels columns"]
) -> tuple[Float[np.ndarray, "atoms rows"], Float[np.ndarray, " rows"]]:
    """Update 1: the probability of each atom, and the logarithm of what they were divided by."""
    shape, total = tree.shape, np.empty_like(density)
    for level, rows in enumerate(shape.slices):
        total[rows] = weight[level] * density[rows]
        if level:
            total[rows] += total[shape.parent[rows]]
    logit = total[shape.ends]
    logit += _weights_below(shape, weight) * density[shape.ends]
    logit += tree.log_atoms()[:, None]
    largest = logit.max(axis=0)
    np.exp(logit - largest, out=logit)
    norm = logit.sum(axis=0)
    logit /= norm
    return logit, largest + np.log(norm)


def _weights_below(shape: Shape, weight: Float[np.ndarray, "levels columns"]) -> Float[np.ndarray, "atoms columns"]:
    """The weights of the levels below each atom's end, at which it repeats: none below a full way."""
    rest = weight.sum(axis=0) - np.cumsum(weight, axis=0)
    rest[-1] = 0.0
    return rest[shape.level[shape.ends]]


def through_nodes(shape: Shape, path: Float[np.ndarray, "atoms rows"]) -> Float[np.ndarray, "nodes rows"]:
    """The probability of the ways through each node."""
    through = np.zeros((len(shape), path.shape[1]))
    through[shape.ends] = path
    return shape.sum_up(through)


def emissions(
    shape: Shape, path: np.ndarray, through: np.ndarray, weight: Float[np.ndarray, "levels columns"]
) -> Float[np.ndarray, "nodes rows"]:
    """``r = sum over l of w_l sum over atoms with this node at level l of q``."""
    found = weight[shape.level] * through
    found[shape.ends] += _weights_below(shape, weight) * path
    return found


def level_step(
    shape: Shape, density: np.ndarray, path: np.ndarray, through: np.ndarray, t: Float[np.ndarray, "levels rows"]
) -> Float[np.ndarray, "levels rows"]:
    """Update 2: the probability of each level."""
    from scipy.special import psi

    logit = psi(t) - psi(t.sum(axis=0))
    for level, rows in enumerate(shape.slices):
        logit[level] += np.einsum("nr,nr->r", through[rows], density[rows])
    at_ends, end_level = path * density[shape.ends], shape.level[shape.ends]
    for level in range(1, shape.levels):
        logit[level] += at_ends[end_level < level].sum(axis=0)
    logit = np.exp(logit - logit.max(axis=0))
    return logit / logit.sum(axis=0)


def level_terms(weight: np.ndarray, t: np.ndarray, *, alpha: float) -> float:
    """What levels and their proportions add to the bound."""
    from scipy.special import gammaln, psi, xlogy

    log_eta, levels = psi(t) - psi(t.sum(axis=0)), len(t)
    found = (weight * log_eta - xlogy(weight, weight)).sum()
    found += t.shape[1] * (gammaln(levels * alpha) - levels * gammaln(alpha)) + (alpha - 1) * log_eta.sum()
    found -= (gammaln(t.sum(axis=0)) - gammaln(t).sum(axis=0)).sum() + ((t - 1) * log_eta).sum()
    return float(found)


# -- what one pass over all points finds


@dataclass(frozen=True, eq=False)
class Sums:
    """What all points add up to, by node; moments are about ``offset``."""

    offset: Float[np.ndarray, " dim"]
    ended: Float[np.ndarray, " nodes"]  # mass of the atom that ends here
    emission: Float[np.ndarray, " nodes"]
    first: Float[np.ndarray, "nodes dim"]
    second: Float[np.ndarray, "nodes variances"]  # where there is one column, of the sum over coordinates
    rows: Float[np.ndarray, " nodes"]  # of ways through each node, times the point's row
    end: Int[np.ndarray, " points"]  # the end node of each point's most probable atom
    emitter: Int[np.ndarray, " points"]  # the node that emits most of each point

    @classmethod
    def zeros(cls, tree: Tree, *, points: int) -> "Sums":
        """Nothing yet."""
        nodes = len(tree)
        numbers = (np.zeros(nodes), np.zeros(nodes), np.zeros_like(tree.mean), np.zeros_like(tree.variance), np.zeros(nodes))
        return cls(tree.mean[0].copy(), *numbers, np.zeros(points, dtype=np.int64), np.zeros(points, dtype=np.int64))

    def add(self, tree: Tree, points: Points, rows: slice, path: np.ndarray, weight: np.ndarray) -> None:
        """Count a batch."""
        shape, part = tree.shape, points.take(rows)
        through = through_nodes(shape, path)
        emitted = emissions(shape, path, through, weight)
        squares = part.squares(self.offset)
        self.ended[shape.ends] += path.sum(axis=1)
        self.emission[:] += emitted.sum(axis=1)
        self.first[:] += emitted @ (part.mean - self.offset)
        self.second[:] += emitted @ (squares if self.second.shape[1] > 1 else squares.sum(axis=1, keepdims=True))
        self.rows[:] += through @ np.arange(rows.start, rows.stop, dtype=np.float64)
        self.end[rows] = shape.ends[path.argmax(axis=0)]
        self.emitter[rows] = emitted.argmax(axis=0)

    def take(self, nodes: Int[np.ndarray, " nodes"]) -> "Sums":
        """The same of nodes in another order, or of some; points must take those that are left."""
        number = np.full(len(self.ended), -1, dtype=np.int64)
        number[nodes] = np.arange(len(nodes))
        names = ("ended", "emission", "first", "second", "rows")
        taken = {name: getattr(self, name)[nodes] for name in names}
        return replace(self, **taken, end=number[self.end], emitter=number[self.emitter])


@dataclass(frozen=True, eq=False)
class Fit:
    """A tree with what the points say of it, and the bound of the two."""

    tree: Tree
    sums: Sums
    levels: Levels | None
    bound: float

    @property
    def through(self) -> Float[np.ndarray, " nodes"]:
        """The mass of the ways through each node."""
        return self.tree.shape.sum_up(self.sums.ended.copy())

    def score(self, prior: Prior, *, points: int) -> float:
        """``bound - penalty P log(points) (nodes - 1)``, P the numbers of a node: what surgery compares."""
        each = prior.penalty * prior.parameters(self.tree.mean.shape[1]) * np.log(points)
        return float(self.bound - each * (len(self.tree) - 1))


def expect(tree: Tree, points: Points, prior: Prior, *, levels: Levels | None = None) -> Fit:
    """Updates 1 to 3, and 1 again: what each point takes, added up, and the bound."""
    found, bound, kept = Sums.zeros(tree, points=len(points)), _tree_terms(tree, prior), []
    if prior.weights is None and levels is None:
        levels = Levels.even(tree.shape, points=len(points), alpha=prior.alpha)
    for rows in batches(len(points), nodes=len(tree)):
        density, weight = tree.log_densities(points.take(rows)), level_weights(prior, levels, rows)
        path, norm = path_step(tree, density, weight)
        if levels is not None:
            weight = level_step(tree.shape, density, path, through_nodes(tree.shape, path), levels.t[:, rows])
            t = prior.alpha + weight
            path, norm = path_step(tree, density, weight)
            bound += level_terms(weight, t, alpha=prior.alpha)
            kept.append((weight, t))
        bound += float(norm.sum())
        found.add(tree, points, rows, path, weight)
    if points.variance is not None:
        bound += 0.5 * float((np.log(points.variance) + LOG_2PI + 1).sum())
    weights = Levels(*(np.concatenate(parts, axis=1) for parts in zip(*kept, strict=True))) if kept else None
    return Fit(tree, found, weights, bound)


def _tree_terms(tree: Tree, prior: Prior) -> float:
    """What sticks and pseudo-points add to the bound."""
    from scipy.special import betaln

    free = ~tree.shape.certain
    a, b, log_v, log_rest = (column[free] for column in (tree.a, tree.b, tree.log_v, tree.log_rest))
    sticks = np.log(prior.gamma) + (prior.gamma - 1) * log_rest + betaln(a, b) - (a - 1) * log_v - (b - 1) * log_rest
    if not prior.pseudo:
        return float(sticks.sum())
    away = prior.pseudo_variance + (tree.mean - prior.middle) ** 2
    variance = np.broadcast_to(tree.variance, away.shape)
    return float(sticks.sum()) - 0.5 * prior.pseudo * float((LOG_2PI + np.log(variance) + away / variance).sum())


# -- updates 4 and 5, and sweeps


def maximise(fit: Fit, prior: Prior) -> Tree:
    """Updates 4 and 5: sticks and Gaussians of what the points take."""
    a, b = stick_step(fit.tree.shape, fit.sums.ended, gamma=prior.gamma)
    mean, variance = gaussian_step(fit.tree, fit.sums, prior)
    return Tree(fit.tree.shape, mean, variance, a, b)


def gaussian_step(tree: Tree, sums: Sums, prior: Prior) -> tuple[np.ndarray, np.ndarray]:
    """Update 5: means and variances, these at least the floor."""
    middle, k = prior.middle - sums.offset, prior.pseudo
    weight = (sums.emission + k)[:, None]
    used = sums.emission[:, None] >= UNUSED
    safe = np.where(used, weight, 1.0)
    mean = (sums.first + k * middle) / safe
    square = prior.pseudo_variance + middle**2
    if tree.variance.shape[1] == 1:
        variance = ((sums.second + k * square.sum()) / safe - (mean**2).sum(axis=1, keepdims=True)) / mean.shape[1]
    else:
        variance = (sums.second + k * square) / safe - mean**2
    variance = np.maximum(variance, prior.floor)
    return np.where(used, mean + sums.offset, tree.mean), np.where(used, variance, tree.variance)


def sweep(fit: Fit, points: Points, prior: Prior) -> Fit:
    """Every update once."""
    return expect(maximise(fit, prior), points, prior, levels=fit.levels)


def converge(
    fit: Fit, points: Points, prior: Prior, *, sweeps: int = SWEEPS, say: Callable[[str], None] = lambda line: None
) -> Fit:
    """Sweep until the bound gains less than 1e-6 of itself, or so many times."""
    for number in range(1, sweeps + 1):
        before, fit = fit.bound, sweep(fit, points, prior)
        say(f"sweep {number}: bound {fit.bound:.7g}")
        if fit.bound - before < GAIN * abs(before):
            break
    return fit
