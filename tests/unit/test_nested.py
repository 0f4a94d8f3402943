"""Nested-CRP trees: atoms sum to 1, no update lowers the bound, surgery only raises the score, and trees are found."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln, gammaln, psi
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from cfgraph.judging.against_data import dendrogram_purity
from cfgraph.judging.by_level import hierarchical_f
from cfgraph.judging.dendrogram import Dendrogram
from cfgraph.learning.nested import surgery
from cfgraph.learning.nested.fit import Plan, fit_tree, tidied
from cfgraph.learning.nested.hanging import hang
from cfgraph.learning.nested.model import Points, Prior, Tree
from cfgraph.learning.nested.shape import UNLIMITED, Shape, limits_of
from cfgraph.learning.nested.start import of_ends, split
from cfgraph.learning.nested.sweep import (
    Levels,
    Sums,
    converge,
    emissions,
    expect,
    gaussian_step,
    level_step,
    path_step,
    stick_step,
    sweep,
    through_nodes,
)


def made(seed, deviation, *, points=2000, dimension=50, steps=(2.0, 1.0, 0.5)):
    """Points around the leaves of a binary tree whose steps halve from level to level, and their leaves."""
    random, means = np.random.default_rng(seed), np.zeros((1, dimension))
    for step in steps:
        means = np.repeat(means, 2, axis=0)
        means += step * random.normal(size=means.shape)
    leaf = random.integers(len(means), size=points)
    return means[leaf] + deviation * random.normal(size=(points, dimension)), leaf


def prior_of(data, *, levels, free=False, **others):
    points = Points(data)
    weights = None if free else (1.0,) * levels
    return points, Prior(**{"weights": weights, "floor": 1e-3 * points.spread, "middle": data.mean(axis=0), **others})


def dendrogram(fit):
    return Dendrogram(parent=fit.tree.shape.parent, cell_of_point=fit.sums.end)


def random_shape(random, limits):
    """Any number of children that the limits allow, of at most three."""
    parent, last = [-1], [0]
    for limit in limits:
        below = []
        for node in last:
            for _ in range(random.integers(min(limit, 3) + 1)):
                below.append(len(parent))
                parent.append(node)
        last = below
    return Shape(np.array(parent), limits)


# -- written out from the formulas, without any of the code above


def slow_atoms(shape):
    """(nodes of the way, node at each level, whether it is an open end) of each atom."""
    level, found = {0: 0}, []
    for node in range(1, len(shape)):
        level[node] = level[int(shape.parent[node])] + 1
    for node in range(len(shape)):
        children = [child for child in range(len(shape)) if shape.parent[child] == node]
        way = [node]
        while way[0] > 0:
            way.insert(0, int(shape.parent[way[0]]))
        last = level[node] == len(shape.limits)
        if last or len(children) < shape.limits[level[node]]:
            found.append((way, way + [node] * (len(shape.limits) - level[node]), None if last else children))
    return found


def slow_masses(shape, v):
    """The product of sticks of each atom; v of the root and of a last child without an open end is 1."""
    masses = []
    for way, _, children in slow_atoms(shape):
        mass = 1.0
        for node in way[1:]:
            mass *= v[node]
            for other in range(1, node):
                if shape.parent[other] == shape.parent[node]:
                    mass *= 1 - v[other]
        for child in children or []:
            mass *= 1 - v[child]
        masses.append(mass)
    return np.array(masses)


def slow_certain(shape):
    certain = np.zeros(len(shape), dtype=bool)
    certain[0] = True
    for node in range(len(shape)):
        children = [child for child in range(len(shape)) if shape.parent[child] == node]
        level = int(shape.ways[node].tolist().index(node))
        if children and level < len(shape.limits) and len(children) == shape.limits[level]:
            certain[children[-1]] = True
    return certain


def slow_bound(tree, points, prior, *, path, weight, t):
    """HCRL's bound as it is written down; ``path`` (atoms, points), ``weight`` and ``t`` (levels, points)."""
    shape, certain = tree.shape, slow_certain(tree.shape)
    log_v = np.where(certain, 0.0, psi(tree.a) - psi(tree.a + tree.b))
    log_rest = np.where(certain, 0.0, psi(tree.b) - psi(tree.a + tree.b))
    total = 0.0
    for i in np.flatnonzero(~certain):
        a, b = tree.a[i], tree.b[i]
        total += (
            np.log(prior.gamma) + (prior.gamma - 1) * log_rest[i] + betaln(a, b) - (a - 1) * log_v[i] - (b - 1) * log_rest[i]
        )
    spread = np.zeros_like(points.mean) if points.variance is None else points.variance
    variance = np.broadcast_to(tree.variance, tree.mean.shape)
    ell = np.stack(
        [
            -0.5 * (np.log(2 * np.pi * s2) + (spread + (points.mean - mu) ** 2) / s2).sum(axis=1)
            for mu, s2 in zip(tree.mean, variance, strict=True)
        ]
    )
    for (way, at, children), q in zip(slow_atoms(shape), path, strict=True):
        log_pi = sum(log_v[node] for node in way[1:])
        log_pi += sum(log_rest[o] for node in way[1:] for o in range(1, node) if shape.parent[o] == shape.parent[node])
        log_pi += sum(log_rest[child] for child in children or [])
        total += (q * log_pi).sum() - (q[q > 0] * np.log(q[q > 0])).sum()
        for level, node in enumerate(at):
            total += (weight[level] * q * ell[node]).sum()
    if t is not None:
        log_eta, alpha, levels = psi(t) - psi(t.sum(axis=0)), prior.alpha, len(t)
        total += (weight * (log_eta - np.log(weight))).sum()
        total += len(points) * (gammaln(levels * alpha) - levels * gammaln(alpha)) + ((alpha - 1) * log_eta).sum()
        total -= (gammaln(t.sum(axis=0)) - gammaln(t).sum(axis=0)).sum() + ((t - 1) * log_eta).sum()
    away = prior.pseudo_variance + (tree.mean - prior.middle) ** 2
    total -= 0.5 * prior.pseudo * (np.log(2 * np.pi * variance) + away / variance).sum()
    if points.variance is not None:
        total += 0.5 * np.log(2 * np.pi * np.e * points.variance).sum()
    return total


def all_at_once(tree, points, prior, *, path, weight):
    """The sums of a batch of all points."""
    sums = Sums.zeros(tree, points=len(points))
    sums.add(tree, points, slice(0, len(points)), path, weight)
    return sums


CASES = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10_000),
        "limits": st.sampled_from([(2,), (UNLIMITED,), (2, 2), (3, 1), (UNLIMITED, UNLIMITED), (1, 2, 3), (2, 2, 2)]),
        "free": st.booleans(),
        "diagonal": st.booleans(),
        "uncertain": st.booleans(),
        "gamma": st.sampled_from([0.3, 1.0, 5.0]),
        "alpha": st.sampled_from([0.5, 1.0, 3.0]),
        "pseudo": st.sampled_from([0.0, 2.0]),
        "floor": st.sampled_from([1e-6, 1e-2, 10.0]),
    }
)


def case(seed, limits, free, uncertain, **others):
    """A random tree, and points that some of its nodes have."""
    random = np.random.default_rng(seed)
    data = random.normal(size=(40, 3)) + 4 * random.integers(4, size=(40, 1))
    points = Points(data, random.uniform(0.01, 1, size=data.shape) if uncertain else None)
    weights = None if free else tuple(random.uniform(0.2, 2, size=len(limits) + 1).tolist())
    prior = Prior(weights=weights, middle=data.mean(axis=0), **others)
    shape = random_shape(random, limits)
    return points, prior, of_ends(shape, random.choice(shape.ends, size=len(data)), points, prior), random


@given(CASES)
@settings(max_examples=60, deadline=None)
def test_no_update_lowers_the_bound(drawn):
    points, prior, tree, random = case(**drawn)
    shape, t = tree.shape, None
    weight = np.array(prior.weights)[:, None] if prior.weights else random.dirichlet(np.ones(tree.shape.levels), 40).T
    if prior.weights is None:
        t = prior.alpha + random.dirichlet(np.ones(shape.levels), 40).T
    whole = np.broadcast_to(weight, (shape.levels, 40))
    path = random.dirichlet(np.ones(len(shape.ends)), 40).T
    bounds = []

    def note(step):
        found = slow_bound(tree, points, prior, path=path, weight=np.broadcast_to(weight, whole.shape), t=t)
        if bounds:
            assert found >= bounds[-1] - 1e-9 * abs(bounds[-1]), f"update {step}"
        bounds.append(found)

    note("none")
    for _ in range(4):
        density = tree.log_densities(points)
        path = path_step(tree, density, weight)[0]
        note("1")
        if t is not None:
            weight = level_step(shape, density, path, through_nodes(shape, path), t)
            note("2")
            t = prior.alpha + weight
            note("3")
            path = path_step(tree, density, weight)[0]
            note("1 again")
        sums = all_at_once(tree, points, prior, path=path, weight=weight)
        tree = Tree(shape, tree.mean, tree.variance, *stick_step(shape, sums.ended, gamma=prior.gamma))
        note("4")
        tree = Tree(shape, *gaussian_step(tree, sums, prior), tree.a, tree.b)
        note("5")


@given(CASES)
@settings(max_examples=40, deadline=None)
def test_the_bound_of_a_sweep_is_the_one_that_is_written_down(drawn):
    points, prior, tree, _ = case(**drawn)
    fit = sweep(expect(tree, points, prior), points, prior)
    density = fit.tree.log_densities(points)
    weight = np.array(prior.weights)[:, None] if prior.weights else fit.levels.weight
    path = path_step(fit.tree, density, weight)[0]
    whole = np.broadcast_to(weight, (fit.tree.shape.levels, 40))
    slow = slow_bound(fit.tree, points, prior, path=path, weight=whole, t=fit.levels and fit.levels.t)
    assert fit.bound == pytest.approx(slow, rel=1e-9)
    assert fit.bound >= expect(tree, points, prior).bound - 1e-9 * abs(fit.bound)
    np.testing.assert_allclose(path.sum(axis=0), 1, atol=1e-12)
    emitted = emissions(fit.tree.shape, path, through_nodes(fit.tree.shape, path), weight)
    np.testing.assert_allclose(emitted.sum(axis=0), np.broadcast_to(weight.sum(axis=0), 40), rtol=1e-9)


@given(CASES)
@settings(max_examples=60, deadline=None)
def test_atoms_are_the_ways_and_sum_to_one(drawn):
    *_, tree, random = case(**drawn)
    shape = tree.shape
    assert shape.ends.tolist() == [way[-1] for way, _, _ in slow_atoms(shape)]
    assert shape.ways[shape.ends].tolist() == [at for _, at, _ in slow_atoms(shape)]
    np.testing.assert_array_equal(shape.certain, slow_certain(shape))
    assert tree.atom_masses().sum() == pytest.approx(1, abs=1e-12)
    v = np.where(shape.certain, 1.0, tree.a / (tree.a + tree.b))
    np.testing.assert_allclose(tree.atom_masses(), slow_masses(shape, v), atol=1e-12)
    weights = random.dirichlet(np.ones(shape.levels))
    assert tree.emission_masses(weights).sum() == pytest.approx(1, abs=1e-12)


def test_batches_change_nothing(monkeypatch):
    data, _ = made(0, 1.0, points=300, dimension=5)
    for free in (False, True):
        points, prior = prior_of(data, levels=4, free=free)
        begun = split(points, prior, limits=(2, 2, 2), seed=0)
        whole = converge(begun, points, prior, sweeps=3)
        monkeypatch.setattr("cfgraph.learning.nested.model.NUMBERS", 7 * 15)
        parts = converge(split(points, prior, limits=(2, 2, 2), seed=0), points, prior, sweeps=3)
        monkeypatch.undo()
        assert parts.bound == pytest.approx(whole.bound, rel=1e-12)
        np.testing.assert_array_equal(parts.sums.end, whole.sums.end)
        np.testing.assert_allclose(parts.sums.rows, whole.sums.rows)


# -- trees that are found


@pytest.mark.parametrize(("deviation", "diagonal", "seed"), list(product((0.5, 1.0), (False, True), range(3))))
def test_made_trees_come_back(deviation, diagonal, seed):
    data, leaf = made(seed, deviation)
    points, prior = prior_of(data, levels=4, diagonal=diagonal)
    tree = dendrogram(fit_tree(points, prior, Plan(limits=(2, 2, 2), start="split", surgery=False, seed=seed)).fit)
    scores = hierarchical_f(tree, [leaf // 4, leaf // 2, leaf])
    if deviation == 0.5:
        assert dendrogram_purity(tree, leaf) >= 0.99
        assert scores.f >= 0.99
    assert scores.f >= 0.98


@pytest.mark.parametrize("seed", range(3))
def test_digits_are_purer_than_by_recursive_k_means(seed):
    data, digit = load_digits(return_X_y=True)
    points, prior = prior_of(PCA(20, random_state=seed).fit_transform(data), levels=4, diagonal=True)
    begun = split(points, prior, limits=(3, 3, 3), seed=seed)
    fit = fit_tree(points, prior, Plan(limits=(3, 3, 3), start="split", surgery=False, seed=seed)).fit
    k_means = Dendrogram(
        parent=begun.tree.shape.parent, cell_of_point=recursive_k_means(points.mean, depth=3, arity=3, seed=seed)
    )
    purity = dendrogram_purity(dendrogram(fit), digit)
    assert purity >= 0.68
    assert purity >= dendrogram_purity(k_means, digit) + 0.06


def recursive_k_means(data, *, depth, arity, seed):
    """The node of each point, numbered breadth-first as a complete tree's are."""
    node, first = np.zeros(len(data), dtype=np.int64), 0
    for level in range(depth):
        below = first + arity**level
        for place in range(arity**level):
            members = np.flatnonzero(node == first + place)
            label = KMeans(arity, n_init=5, random_state=seed).fit_predict(data[members])
            node[members] = below + arity * place + label
        first = below
    return node


@pytest.mark.parametrize("limits", [(2, 2, 2), (UNLIMITED,) * 3])
def test_surgery_ends_and_only_raises_the_score(limits):
    data, leaf = made(1, 0.5)
    points, prior = prior_of(data, levels=4)
    told = []
    begun = converge(
        expect(of_ends(Shape.root(limits), np.zeros(2000, dtype=np.int64), points, prior), points, prior), points, prior
    )
    fit = surgery.operate(begun, points, prior, seed=0, say=told.append)
    scores = [float(line.split("score ")[1]) for line in told]
    assert len(told) < surgery.ROUNDS
    assert (np.diff(scores) >= 0).all()
    assert fit.score(prior, points=2000) > begun.score(prior, points=2000)
    assert dendrogram_purity(dendrogram(fit), leaf) >= 0.99
    assert {line.split(": ")[1].split(",")[0] for line in told} >= {"GROW", "nothing"}


def test_prune_takes_a_spare_way_off_and_merge_makes_one_of_two():
    data, _ = made(2, 0.5, dimension=10, points=600)
    points, prior = prior_of(data, levels=4, penalty=50.0)  # at which only small trees are worth their nodes
    fit = fit_tree(points, prior, Plan(limits=(3, 3, 3), start="split", surgery=True, seed=0)).fit
    assert len(fit.tree) < 40
    assert fit.tree.shape.full.any()
    points, prior = prior_of(data, levels=4)
    fit = converge(split(points, prior, limits=(3, 3, 3), seed=0), points, prior)
    (merged,) = surgery._mergers(fit, points, prior)
    (pruned,) = surgery._prunings(fit, prior)
    assert len(merged) < len(fit.tree) > len(pruned)
    for tree in (merged, pruned):
        assert (np.diff(tree.shape.level) >= 0).all()
        assert tree.atom_masses().sum() == pytest.approx(1)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_operations_make_trees(seed):
    random = np.random.default_rng(seed)
    data = random.normal(size=(60, 2)) + 5 * random.integers(3, size=(60, 2))
    limits = ((3, 2, 2), (UNLIMITED, 2), (UNLIMITED,) * 3)[seed % 3]
    points, prior = prior_of(data, levels=len(limits) + 1)
    shape = random_shape(random, limits)
    fit = expect(of_ends(shape, random.choice(shape.ends, size=60), points, prior), points, prior)
    for tree in (
        *surgery._growths(fit, points, prior, random),
        *surgery._prunings(fit, prior),
        *surgery._mergers(fit, points, prior),
    ):
        found, most = tree.shape, np.array([*limits, 0])
        assert (found.child_count <= most[found.level]).all()
        assert (np.diff(found.level) >= 0).all()
        assert np.isfinite(expect(tree, points, prior).bound)


def test_siblings_stand_by_falling_mass():
    data, _ = made(0, 1.0, points=500, dimension=4)
    points, prior = prior_of(data, levels=3)
    begun = expect(
        of_ends(Shape(np.array([-1, 0, 0, 1, 1, 2, 2]), (3, 3)), np.arange(500) % 97 // 25 + 3, points, prior), points, prior
    )
    fit = tidied(converge(begun, points, prior), points, prior).fit
    through, parent = fit.through, fit.tree.shape.parent
    for node in np.unique(parent[1:]).tolist():
        assert (np.diff(through[parent == node]) <= 1.0).all()


def test_what_is_empty_is_pruned_and_told():
    data, _ = made(0, 0.5, points=200, dimension=4)
    points, prior = prior_of(data, levels=2)
    shape = Shape(np.array([-1, 0, 0, 0]), (4,))
    tree = of_ends(shape, np.arange(200) % 2 + 1, points, prior)
    far = Tree(shape, tree.mean + np.array([0, 0, 0, 1e4])[:, None], tree.variance, tree.a, tree.b)
    found = tidied(converge(expect(far, points, prior), points, prior), points, prior)
    assert len(found.fit.tree) == 3
    assert found.notes == ("1 nodes without points (less than 0.5 in mass) were pruned",)


def test_equal_rows_are_the_root_alone():
    points, prior = prior_of(np.ones((20, 3)), levels=3, floor=1e-3)
    assert len(fit_tree(points, prior, Plan(limits=(2, 2), start="split", surgery=False, seed=0)).fit.tree) == 1


def test_duplicates_and_constant_columns_have_trees():
    data = np.repeat(np.random.default_rng(0).normal(size=(5, 3)), 20, axis=0)
    data[:, 2] = 7.0
    for diagonal in (False, True):
        points, prior = prior_of(data, levels=3, diagonal=diagonal)
        fit = fit_tree(points, prior, Plan(limits=(2, 2), start="split", surgery=False, seed=0)).fit
        assert np.isfinite(fit.bound)
        assert (fit.tree.variance >= prior.floor).all()


def test_the_same_seed_makes_the_same_bits():
    data, _ = made(0, 1.0, points=400, dimension=8)
    for surgical in (False, True):
        points, prior = prior_of(data, levels=4)
        plan = Plan(limits=(2, 2, 2), start="split", surgery=surgical, seed=5)
        one, again = (fit_tree(points, prior, plan).fit for _ in range(2))
        np.testing.assert_array_equal(one.tree.mean, again.tree.mean)
        assert one.bound == again.bound


def test_free_levels_are_hung_by_a_spanning_tree():
    random = np.random.default_rng(0)
    means = np.array([[0.0, 0], [10, 0], [10, 10], [-10, 0], [0, -12]])
    data = np.repeat(means, 60, axis=0) + 0.3 * random.normal(size=(300, 2))
    points, prior = prior_of(data, levels=3, free=True)
    fit = fit_tree(points, prior, Plan(limits=(UNLIMITED,) * 2, start="grow", surgery=True, seed=0)).fit
    hung = hang(fit.tree, fit.sums.emission, middle=data.mean(axis=0))
    assert hung.emission.sum() == pytest.approx(300)
    assert (hung.parent[1:] < np.arange(1, len(hung.parent))).all()
    assert hung.hung_of.shape == (len(fit.tree),)
    near = np.linalg.norm(hung.mean[:, None] - means, axis=2)
    assert near[0].argmin() == 0  # the middle one is the root
    assert (near.min(axis=0) < 0.3).all()
    parts = [tuple(near[[row, above]].argmin(axis=1)) for row, above in enumerate(hung.parent.tolist()) if above >= 0]
    assert set(parts) >= {(1, 0), (3, 0), (4, 0), (2, 1)}


def test_levels_of_points_sum_to_one():
    data, _ = made(0, 1.0, points=300, dimension=5)
    points, prior = prior_of(data, levels=3, free=True)
    fit = fit_tree(points, prior, Plan(limits=(2, 2), start="split", surgery=False, seed=0)).fit
    np.testing.assert_allclose(fit.levels.weight.sum(axis=0), 1)
    np.testing.assert_allclose(fit.levels.t, 1 + fit.levels.weight)
    assert Levels.even(fit.tree.shape, points=4, alpha=2.0).t == pytest.approx(2 + 1 / 3)


def test_limits_of_one_number_of_several_and_of_none():
    assert limits_of(3, depth=2) == (3, 3)
    assert limits_of([2, 4], depth=2) == (2, 4)
    assert limits_of(None, depth=1) == (UNLIMITED,)
