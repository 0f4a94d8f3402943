"""Surgery: GROW, PRUNE and MERGE, each proposed, swept a few times and kept only where the penalised bound rises.

So it ends. GROW hangs a chain under a node with an open end, at points that its children are far from; PRUNE takes the
lightest way off; MERGE makes one way of two that points take alike.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.learning.nested.model import Points, Prior, Tree, batches
from cfgraph.learning.nested.shape import Shape
from cfgraph.learning.nested.sweep import Fit, converge, expect, level_weights, path_step, sweep

LOCKED = 4  # sweeps before a proposal is judged
ROUNDS, REFUSED = 60, 12  # at most, and in a row
CANDIDATES = 3  # of GROW, the best of which counts
FEWEST = 4  # points of a new chain
ALIKE = 1e-3  # cosine of two ways' probabilities, above which they are merged for that
PAIRS = 16  # of ways, looked through for two that may be one

Say = Callable[[str], None]


def operate(fit: Fit, points: Points, prior: Prior, *, seed: int, say: Say = lambda line: None) -> Fit:
    """Rounds of surgery until twelve in a row change nothing, or sixty; converged at the end."""
    random, refused = np.random.default_rng([seed, 1]), 0
    for number in range(1, ROUNDS + 1):
        done, fit = _round(fit, points, prior, random)
        refused = 0 if done else refused + 1
        say(f"round {number}: {done or 'nothing'}, {len(fit.tree)} nodes, score {fit.score(prior, points=len(points)):.7g}")
        if refused >= REFUSED:
            break
    return converge(fit, points, prior)


def _round(fit: Fit, points: Points, prior: Prior, random: np.random.Generator) -> tuple[str | None, Fit]:
    """The first of the three that raises the score, and what it made; or None and the fit as it was."""
    score = fit.score(prior, points=len(points))
    for name, proposals in (
        ("GROW", _growths(fit, points, prior, random)),
        ("PRUNE", _prunings(fit, prior)),
        ("MERGE", _mergers(fit, points, prior)),
    ):
        swept = [_locked(tree, fit, points, prior) for tree in proposals]
        best = max(swept, key=lambda one: one.score(prior, points=len(points)), default=None)
        if best is not None and best.score(prior, points=len(points)) > score:
            return name, best
    return None, fit


def _locked(tree: Tree, fit: Fit, points: Points, prior: Prior) -> Fit:
    """A proposal after a few sweeps."""
    found = expect(tree, points, prior, levels=fit.levels)
    for _ in range(LOCKED):
        found = sweep(found, points, prior)
    return found


# -- GROW


def _growths(fit: Fit, points: Points, prior: Prior, random: np.random.Generator) -> Iterator[Tree]:
    """Chains under nodes that are drawn by their mass."""
    mass = np.where(fit.tree.shape.open, fit.through, 0.0)
    for _ in range(CANDIDATES if mass.sum() > 0 else 0):
        node = int(random.choice(len(mass), p=mass / mass.sum()))
        chosen = _uncovered(fit, points, node, random)
        if len(chosen):
            yield _with_chain(fit, node, points.take(chosen), prior)


def _uncovered(fit: Fit, points: Points, node: int, random: np.random.Generator) -> Int[np.ndarray, " some"]:
    """Points of a node around one that is drawn by its squared distance to the nearest child; none of fewer than four."""
    shape = fit.tree.shape
    members = np.flatnonzero(shape.ways[fit.sums.end, shape.level[node]] == node)
    if len(members) < FEWEST:
        return members[:0]
    children = np.flatnonzero(shape.parent == node)
    centers = fit.tree.mean[children if len(children) else [node]]
    inside = points.mean[members]
    nearest = np.min([_squared(inside, center) for center in centers], axis=0)
    if not nearest.sum() > 0:
        return members[:0]
    drawn = inside[random.choice(len(members), p=nearest / nearest.sum())]
    count = max(FEWEST, len(members) // (2 * (len(children) + 1)))
    return members[np.argsort(_squared(inside, drawn), kind="stable")[:count]]


def _squared(rows: Float[np.ndarray, "rows dim"], center: Float[np.ndarray, " dim"]) -> Float[np.ndarray, " rows"]:
    away = rows - center
    return np.einsum("rd,rd->r", away, away)


def _with_chain(fit: Fit, node: int, chosen: Points, prior: Prior) -> Tree:
    """A chain from a node down to the last level, all at the mean and the variance of some points."""
    tree = fit.tree
    shape, old = tree.shape, len(tree)
    length = shape.levels - 1 - int(shape.level[node])
    parent = np.concatenate([shape.parent, [node], np.arange(old, old + length - 1)])
    grown, order = Shape.arranged(parent, slot=np.arange(old + length), limits=shape.limits)
    mean, variance = chosen.moments(diagonal=prior.diagonal)
    mean = np.concatenate([tree.mean, np.repeat(mean[None], length, axis=0)])
    variance = np.concatenate([tree.variance, np.repeat(np.maximum(variance, prior.floor)[None], length, axis=0)])
    ended = np.concatenate([fit.sums.ended, np.zeros(length)])
    ended[-1] = len(chosen)
    made = Tree(grown, mean[order], variance[order], np.ones(len(order)), np.ones(len(order)))
    return made.with_sticks(ended[order], gamma=prior.gamma)


# -- PRUNE


def _prunings(fit: Fit, prior: Prior) -> Iterator[Tree]:
    """Without the lightest full way, where there are several."""
    shape = fit.tree.shape
    leaves = np.flatnonzero(shape.full)
    if len(leaves) > 1:
        way = shape.ways[leaves[np.argmin(fit.sums.ended[leaves])]]
        alone = np.ones(len(shape), dtype=bool)  # nodes that this is the only full way through, or the only child way
        alone[way[:-1]] = shape.child_count[way[:-1]] == 1
        lone = np.logical_and.accumulate(alone[way][::-1])[::-1]
        keep = np.ones(len(shape), dtype=bool)
        keep[way[lone & (way > 0)]] = False
        yield cut(fit, keep, prior)


def cut(fit: Fit, keep: Bool[np.ndarray, " nodes"], prior: Prior) -> Tree:
    """The tree of some of its nodes, each kept with its parent."""
    rows = np.flatnonzero(keep)
    number = np.cumsum(keep) - 1
    parent = fit.tree.shape.parent[rows]
    shape = Shape(np.where(parent < 0, -1, number[parent]), fit.tree.shape.limits)
    tree = Tree(shape, fit.tree.mean[rows], fit.tree.variance[rows], np.ones(len(rows)), np.ones(len(rows)))
    return tree.with_sticks(np.where(shape.open | shape.full, fit.sums.ended[rows], 0.0), gamma=prior.gamma)


# -- MERGE


def _mergers(fit: Fit, points: Points, prior: Prior) -> Iterator[Tree]:
    """The two full ways that points take most alike, or else the two whose ends are nearest, made one."""
    shape = fit.tree.shape
    leaves = np.flatnonzero(shape.full)
    if len(leaves) < 2:
        return
    one, other = np.triu_indices(len(leaves), 1)
    alike = _likeness(fit, points, prior)[one, other]
    away = _pair_distances(fit.tree.mean[leaves])[one, other]
    order = np.lexsort((away, -np.where(alike > ALIKE, alike, 0.0)))
    for pair in order[:PAIRS].tolist():
        merged = _merged(fit, int(leaves[one[pair]]), int(leaves[other[pair]]), prior)
        if merged is not None:
            yield merged
            return


def _likeness(fit: Fit, points: Points, prior: Prior) -> Float[np.ndarray, "leaves leaves"]:
    """``q_i . q_j / (|q_i| |q_j|)`` of full ways over all points."""
    tree = fit.tree
    full = tree.shape.full[tree.shape.ends]
    product = np.zeros((int(full.sum()),) * 2)
    for rows in batches(len(points), nodes=len(tree)):
        path, _ = path_step(tree, tree.log_densities(points.take(rows)), level_weights(prior, fit.levels, rows))
        product += path[full] @ path[full].T
    length = np.sqrt(np.maximum(np.diag(product), np.finfo(float).tiny))
    return product / length / length[:, None]


def _pair_distances(rows: Float[np.ndarray, "rows dim"]) -> Float[np.ndarray, "rows rows"]:
    from scipy.spatial.distance import cdist

    return cdist(rows, rows)


def _merged(fit: Fit, one: int, other: int, prior: Prior) -> Tree | None:
    """Two full ways made one below what they share, the lighter into the heavier; None where a node had too many children."""
    shape, ended = fit.tree.shape, fit.sums.ended.copy()
    kept, gone = sorted((one, other), key=lambda leaf: (-ended[leaf], leaf))
    pairs = [(k, g) for k, g in zip(shape.ways[kept].tolist(), shape.ways[gone].tolist(), strict=True) if k != g]
    target = np.arange(len(shape))
    for k, g in pairs:
        target[g] = k
    keep = target == np.arange(len(shape))
    rows = np.flatnonzero(keep)
    number = np.cumsum(keep) - 1
    above = shape.parent[rows]
    parent = np.where(above < 0, -1, number[target[above]])
    moved = target[above] != above
    moved[0] = False
    merged, order = Shape.arranged(parent, slot=rows + len(shape) * moved, limits=shape.limits)
    if (merged.child_count > np.array([*shape.limits, 0])[merged.level]).any():
        return None
    mean, variance = _matched(fit, pairs)
    for k, g in pairs:
        ended[k] += ended[g]
    tree = Tree(merged, mean[rows][order], variance[rows][order], np.ones(len(rows)), np.ones(len(rows)))
    left = np.where(merged.open | merged.full, ended[rows][order], 0.0)
    return replace(tree, variance=np.maximum(tree.variance, prior.floor)).with_sticks(left, gamma=prior.gamma)


def _matched(fit: Fit, pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Means and variances where each first one of some pairs has the moments of both, weighted by what they emit."""
    mean, variance, emission = fit.tree.mean.copy(), fit.tree.variance.copy(), fit.sums.emission
    for k, g in pairs:
        share = emission[g] / max(emission[k] + emission[g], np.finfo(float).tiny)
        apart = (mean[g] - mean[k]) ** 2
        between = apart if variance.shape[1] > 1 else apart.mean(keepdims=True)
        variance[k] = (1 - share) * variance[k] + share * variance[g] + share * (1 - share) * between
        mean[k] = mean[k] + share * (mean[g] - mean[k])
    return mean, variance
