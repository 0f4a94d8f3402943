"""Fit: a nested-CRP tree of points, from a start to the last sweep."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cfgraph.learning.nested.model import Points, Prior, Tree
from cfgraph.learning.nested.shape import Shape
from cfgraph.learning.nested.start import grow_from_root, split
from cfgraph.learning.nested.surgery import cut, operate
from cfgraph.learning.nested.sweep import Fit, converge, expect, maximise

EMPTY = 0.5  # points: nodes of less mass are pruned in the end

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a tree is looked for: what its shape may be, where it begins, whether it may change."""

    limits: tuple[int, ...]
    start: str  # split or grow
    surgery: bool
    seed: int

    @property
    def depth(self) -> int:
        """The level of full ways' ends."""
        return len(self.limits)


@dataclass(frozen=True, eq=False)
class Found:
    """A converged fit, and what a reader should know of it."""

    fit: Fit
    notes: tuple[str, ...]


def fit_tree(points: Points, prior: Prior, plan: Plan, *, say: Say = lambda line: None) -> Found:
    """Start, sweep, operate where that is asked for, put siblings in the order of their masses, prune empty nodes.

    Products are summed by one thread, so the same seed gives the same bits on one machine.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        fit = converge(begin(points, prior, plan), points, prior, say=say)
        if plan.surgery:
            fit = operate(fit, points, prior, seed=plan.seed, say=say)
        return tidied(fit, points, prior)


def begin(points: Points, prior: Prior, plan: Plan) -> Fit:
    """Where the first sweep begins: all equal points are of the root."""
    if plan.start == "grow" or not points.moments(diagonal=True)[1].any():
        return grow_from_root(points, prior, limits=plan.limits)
    return split(points, prior, limits=plan.limits, seed=plan.seed)


def tidied(fit: Fit, points: Points, prior: Prior) -> Found:
    """Siblings in the order of their masses, where that does not lower the bound, and no empty nodes."""
    fit, emptied = _without_empty(fit, points, prior)
    fit = _sorted(fit, points, prior)
    fit, later = _without_empty(fit, points, prior)
    count = emptied + later
    notes = (f"{count:,} nodes without points (less than {EMPTY} in mass) were pruned",) if count else ()
    return Found(fit, notes)


def _without_empty(fit: Fit, points: Points, prior: Prior) -> tuple[Fit, int]:
    """Pruned and swept again until no node is empty; how many went."""
    nodes = len(fit.tree)
    while (empty := fit.through < EMPTY).any():
        fit = converge(expect(cut(fit, ~empty, prior), points, prior, levels=fit.levels), points, prior)
    return fit, nodes - len(fit.tree)


def _sorted(fit: Fit, points: Points, prior: Prior) -> Fit:
    """The fit with siblings by falling mass, of equal ones that with the smaller mean row first, swept again.

    What points take is kept, and sticks are those of the new order before the next step: ways on old sticks lose much.
    """
    shape, through = fit.tree.shape, fit.through
    row = fit.sums.rows / np.maximum(through, np.finfo(float).tiny)
    rank = np.empty(len(shape), dtype=np.int64)
    rank[np.lexsort((row, -through))] = np.arange(len(shape))
    arranged, order = Shape.arranged(shape.parent, slot=rank, limits=shape.limits)
    if np.array_equal(order, np.arange(len(shape))):
        return fit
    tree = fit.tree
    moved = Tree(arranged, tree.mean[order], tree.variance[order], tree.a[order], tree.b[order])
    permuted = replace(fit, tree=moved, sums=fit.sums.take(order))
    found = converge(expect(maximise(permuted, prior), points, prior, levels=fit.levels), points, prior)
    return found if found.bound >= fit.bound else fit
