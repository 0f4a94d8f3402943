"""Certificates against what they promise: perturbed rules that err in the worst direction they can find."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfgraph.comparing.certificates import Certifier, StepErrors, TupleNorm, longest
from cfgraph.errors import InputError
from cfgraph.metric.distances import (
    Certificate,
    RecurrenceCertificate,
    field_radius,
    path_distances,
    recurrence_bound,
    subtree_radii,
    truncation_bound,
)
from cfgraph.model.cells import Cells
from cfgraph.model.growth import grow, observe
from cfgraph.model.hierarchy import Hierarchy

ROUNDING = 1e-13
DEPTH = 6


class SmoothRule:
    """``G_k(c) = base_k + M_k sin(V c + phase)``: its constant is at most ``max_k |M_k| |V|``."""

    def __init__(self, seed: int, *, arity: int, dimension: int, strength: float):
        random = np.random.default_rng(seed)
        self.base = random.normal(size=(arity, dimension))
        self.mix = strength * random.normal(size=(arity, dimension, dimension))
        self.turn = random.normal(size=(dimension, dimension))
        self.phase = random.uniform(0, 6, dimension)
        self.lipschitz = float(np.linalg.norm(self.mix, ord=2, axis=(1, 2)).max() * np.linalg.norm(self.turn, ord=2))
        self.bound = float((np.linalg.norm(self.base, axis=1) + np.linalg.norm(self.mix, axis=(1, 2)) * dimension**0.5).max())

    def at(self, center):
        return self.base + np.einsum("kde,ce->ckd", self.mix, np.sin(center @ self.turn.T + self.phase))

    def __call__(self, frontier):
        return self.at(frontier.center)


class Pushed:
    """A rule that errs by ``size`` and always away from the true centers, the way to the largest error there is.

    It is evaluated level by level on whole levels, so that row i's true center is known.
    """

    def __init__(self, rule, true: Cells, *, size: float, direction: np.ndarray):
        self.rule, self.true, self.size, self.direction = rule, true, size, direction

    def __call__(self, frontier):
        away = frontier.center - self.true.center[self.true.level_rows(int(frontier.level[0]))]
        norm = np.linalg.norm(away, axis=1, keepdims=True)
        step = np.where(norm > 1e-12, away / np.maximum(norm, 1e-12), self.direction)
        return self.rule(frontier) + self.size * step[:, None]


FIELDS = {
    "seed": st.integers(0, 10**6),
    "arity": st.integers(1, 3),
    "dimension": st.integers(1, 3),
    "scale_factor": st.sampled_from([0.2, 0.5, 0.7]),
    "root_scale": st.sampled_from([0.5, 1.0, 3.0]),
    "strength": st.sampled_from([0.0, 0.1, 1.0]),
    "size": st.sampled_from([0.0, 1e-6, 0.1]),
    "from_depth": st.integers(0, 3),
}


@given(**FIELDS)
@settings(max_examples=80, deadline=None)
def test_errors_stay_below_every_bound(seed, arity, dimension, scale_factor, root_scale, strength, size, from_depth):
    rule = SmoothRule(seed, arity=arity, dimension=dimension, strength=strength)
    root = Cells.from_root(np.random.default_rng(seed).normal(size=dimension), scale=root_scale)
    true = grow(root, rule=rule, arity=arity, scale_factor=scale_factor, depth=DEPTH)
    pushed = Pushed(rule, true, size=size, direction=np.eye(dimension)[0])
    wrong = grow(true.prefix(from_depth), rule=pushed, arity=arity, scale_factor=scale_factor, depth=DEPTH)
    rows, tuples = wrong.expansions(arity)
    unseen = wrong.level[rows] >= from_depth
    eta = longest(tuples[unseen] - rule.at(wrong.center[rows[unseen]]))
    assert eta == pytest.approx(size, abs=1e-9)
    bound = Certificate(eta, rule.lipschitz, scale_factor, from_depth, root_scale)
    by_level = bound.by_level(DEPTH)
    errors = np.linalg.norm(wrong.center - true.center, axis=1)
    for level in range(DEPTH + 1):
        measured = errors[true.level_rows(level)].max()
        assert measured <= by_level[level] + ROUNDING
        assert by_level[level] <= bound.from_prefix + ROUNDING
    assert bound.from_prefix <= bound.from_root * (1 + 1e-12)
    first, second = np.random.default_rng(seed).integers(len(true), size=(2, 50))
    drift = np.abs(path_distances(wrong, first, second) - path_distances(true, first, second))
    assert drift.max() <= bound.path_distance + ROUNDING


@given(**FIELDS)
@settings(max_examples=60, deadline=None)
def test_errors_stay_below_the_bounds_with_the_predictors_own_constant(
    seed, arity, dimension, scale_factor, root_scale, strength, size, from_depth
):
    """Here the truth is any tree at all, and the predictor is smooth: eta is measured at the true centers."""
    predictor = SmoothRule(seed, arity=arity, dimension=dimension, strength=strength)
    random = np.random.default_rng(seed)

    def rough(frontier):
        return predictor(frontier) + size * np.sign(np.sin(1e3 * frontier.center)).sum(axis=1)[:, None, None]

    root = Cells.from_root(random.normal(size=dimension), scale=root_scale)
    true = grow(root, rule=rough, arity=arity, scale_factor=scale_factor, depth=DEPTH)
    rolled = grow(true.prefix(from_depth), rule=predictor, arity=arity, scale_factor=scale_factor, depth=DEPTH)
    rows, tuples = true.expansions(arity)
    unseen = true.level[rows] >= from_depth
    eta = longest(tuples[unseen] - predictor.at(true.center[rows[unseen]]))
    bound = Certificate(eta, predictor.lipschitz, scale_factor, from_depth, root_scale)
    errors = np.linalg.norm(rolled.center - true.center, axis=1)
    for level, allowed in enumerate(bound.by_level(DEPTH)):
        assert errors[true.level_rows(level)].max() <= allowed + ROUNDING


@pytest.mark.parametrize("from_depth", [0, 1, 3])
@pytest.mark.parametrize("root_scale", [1.0, 2.5])
def test_the_recursion_is_reached_by_a_linear_rule(from_depth, root_scale):
    """``G(c) = b + Lambda c`` and ``G^ = G + eta`` on a line: no smaller bound holds for every rule."""
    s, slope, eta = 0.6, 0.8, 0.01

    def rule(shift):
        return lambda frontier: 0.3 + shift + slope * frontier.center[:, None]

    true = grow(Cells.from_root(np.array([0.1]), scale=root_scale), rule=rule(0), arity=1, scale_factor=s, depth=12)
    wrong = grow(true.prefix(from_depth), rule=rule(eta), arity=1, scale_factor=s, depth=12)
    bound = Certificate(eta, slope, s, from_depth, root_scale)
    np.testing.assert_allclose((wrong.center - true.center)[:, 0], bound.by_level(12), rtol=1e-9, atol=1e-14)


@given(st.integers(0, 10**6), st.integers(1, 3), st.sampled_from([0.2, 0.5, 0.7]), st.sampled_from([0.5, 1.0, 3.0]))
@settings(max_examples=40, deadline=None)
def test_radii_and_truncation(seed, arity, scale_factor, root_scale):
    rule = SmoothRule(seed, arity=arity, dimension=2, strength=0.3)
    cells = grow(Cells.from_root(np.zeros(2), scale=root_scale), rule=rule, arity=arity, scale_factor=scale_factor, depth=DEPTH)
    radius = field_radius(cells.scale, residual_bound=rule.bound, scale_factor=scale_factor)
    known = subtree_radii(cells.with_columns(state=np.where(cells.state == 1, 2, cells.state).astype(np.uint8)))
    assert np.all(known <= radius * (1 + 1e-12))
    for depth in range(DEPTH):
        allowed = truncation_bound(depth, residual_bound=rule.bound, scale_factor=scale_factor, root_scale=root_scale)
        rows = np.arange(len(cells))[cells.level > depth]
        above = rows.copy()
        while (deeper := cells.level[above] > depth).any():
            above[deeper] = cells.parent[above[deeper]]
        distance = np.linalg.norm(cells.center[rows] - cells.center[above], axis=1)
        assert distance.max() <= allowed * (1 + 1e-12)
        assert path_distances(cells, rows, above).max() <= allowed * (1 + 1e-12)


def koch_matrices():
    """The Koch curve's maps as linear parts over s, its displacements, and s."""
    third, turn = np.eye(2) / 3, np.pi / 3
    bend = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / 3
    matrices = np.stack([third, bend, bend.T, third])
    offsets = np.array([[0, 0], [1 / 3, 0], [0.5, np.sqrt(3) / 6], [2 / 3, 0]])
    middle = np.mean([np.linalg.solve(np.eye(2) - m, t) for m, t in zip(matrices, offsets, strict=True)], axis=0)
    return matrices * 3, matrices @ middle + offsets - middle, 1 / 3


def affine_step(matrices, displacements):
    """``alpha_j = U M_j^t U^+`` with its basis: the recurrence of an affine system."""
    basis = np.linalg.svd(displacements, full_matrices=False)[0]
    inverse = np.linalg.pinv(displacements)
    return np.stack([displacements @ m.T @ inverse @ basis for m in matrices]), basis


def test_growth_of_an_exact_curve_is_one():
    matrices, displacements, _ = koch_matrices()
    step, basis = affine_step(matrices, displacements)
    assert np.linalg.norm(step @ basis.T, ord=2, axis=(1, 2)).max() > 3
    assert TupleNorm.of(step, basis, root_tuple=displacements).growth == pytest.approx(1, abs=1e-9)


@given(
    seed=st.integers(0, 10**6),
    arity=st.integers(1, 4),
    dimension=st.integers(1, 3),
    scale_factor=st.sampled_from([0.3, 0.6]),
    size=st.sampled_from([0.0, 1e-6, 0.05]),
    from_depth=st.integers(1, 3),
    contracts=st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_errors_of_a_recurrence_stay_below_every_bound(seed, arity, dimension, scale_factor, size, from_depth, contracts):
    """Any recurrence, stable or not, against a truth that leaves it by ``size`` in random directions, and is clipped."""
    random = np.random.default_rng(seed)
    step, basis = random.normal(size=(arity, arity, arity)) / arity, np.eye(arity)
    root_tuple = random.normal(size=(arity, dimension))
    if contracts:
        matrices = np.linalg.qr(random.normal(size=(arity, dimension, dimension)))[0]
        step, basis = affine_step(matrices, root_tuple)

    def advance(frontier):
        known = np.einsum("cij,cjd->cid", (step @ basis.T)[frontier.slot], frontier.parent_tuple)
        return np.where(frontier.slot[:, None, None] < 0, root_tuple, known)

    def noisy(frontier):
        return advance(frontier) + (frontier.level[:, None, None] > 0) * size * random.normal(
            size=(len(frontier), arity, dimension)
        )

    def clipped(frontier):
        return np.clip(advance(frontier), -1.5, 1.5)

    true = grow(Cells.from_root(np.zeros(dimension)), rule=noisy, arity=arity, scale_factor=scale_factor, depth=DEPTH)
    rolled = grow(true.prefix(from_depth), rule=clipped, arity=arity, scale_factor=scale_factor, depth=DEPTH)
    norm = TupleNorm.of(step, basis, root_tuple=root_tuple)
    error = sum(_unseen_defect(norm, cells, arity=arity, from_depth=from_depth) for cells in (true, rolled))
    bound = RecurrenceCertificate(error, norm.growth, scale_factor, from_depth)
    errors = np.linalg.norm(rolled.center - true.center, axis=1)
    for level, allowed in enumerate(bound.by_level(DEPTH)):
        assert errors[true.level_rows(level)].max() <= allowed * (1 + 1e-9) + ROUNDING
        assert allowed <= bound.from_prefix * (1 + 1e-9) + ROUNDING


def _unseen_defect(norm, cells, *, arity, from_depth):
    frontier, tuples = observe(cells, arity=arity)
    unseen = np.flatnonzero(frontier.level >= from_depth)
    assert longest(tuples) <= np.sqrt(np.einsum("cki->c", (norm.shape @ tuples) ** 2).max()) * (1 + 1e-9)
    return norm.largest_defect(frontier.take(unseen), tuples[unseen])


def test_recurrence_bound_is_the_certificate_from_the_root():
    stable = RecurrenceCertificate(0.1, 1.0, 0.4, from_depth=3, root_scale=2.0)
    assert stable.from_root == pytest.approx(recurrence_bound(0.1, scale_factor=0.4, root_scale=2.0))
    assert stable.from_prefix == pytest.approx(stable.from_root * 0.4**2)
    assert stable.by_level(200)[-1] == pytest.approx(stable.from_prefix)
    assert RecurrenceCertificate(0.1, 2.6, 0.4).from_prefix == np.inf
    assert np.isfinite(RecurrenceCertificate(0.1, 2.6, 0.4).by_level(9)).all()
    assert RecurrenceCertificate(0.0, 2.6, 0.4).from_prefix == 0


@pytest.mark.parametrize("wrong", [{"from_depth": 0}, {"one_step_error": -1.0}, {"growth": np.nan}, {"scale_factor": 1.0}])
def test_recurrence_certificate_refuses(wrong):
    with pytest.raises(InputError):
        RecurrenceCertificate(**{"one_step_error": 0.1, "growth": 1.0, "scale_factor": 0.5, **wrong})


TRUTH = Hierarchy(
    id="truth", origin="ifs", dimension=2, arity=4, scale_factor=0.5, residual_bound=1.0, recipe={}, lipschitz=0.3
)


def certifier(**changes):
    parts = {"true": TRUTH, "from_depth": 2, "root_scale": 1.0, "generator": None, "predictor": None, "norm": None}
    return Certifier(**{**parts, **changes})


class Smooth:
    family = "smooth"

    def lipschitz(self):
        return 0.1


class Jumpy:
    family = "jumpy"

    def lipschitz(self):
        return None


@pytest.mark.parametrize(
    ("parts", "errors", "reason"),
    [
        ({}, StepErrors(extent=1.0), "no one predictor is known"),
        ({"predictor": Smooth()}, StepErrors(at_true=0.1, in_prefix=1e-3, extent=1.0), "prefix is not the truth's"),
        ({"predictor": Smooth()}, StepErrors(at_true=0.1, incomplete=3), "3 unseen true parents"),
        ({"predictor": Smooth()}, StepErrors(), "no unseen level"),
        ({"predictor": Jumpy()}, StepErrors(at_true=0.1), "'jumpy' uses more than the center"),
    ],
)
def test_certify_says_why_there_is_none(parts, errors, reason):
    found = certifier(**parts).certify(errors, levels=[3, 4], true_depth=4)
    assert found.side is None
    assert found.from_prefix is None
    assert found.by_level == (None, None)
    assert reason in found.reason


def test_certify_takes_the_tighter_side():
    both = certifier(predictor=Smooth(), generator=SmoothRule(0, arity=4, dimension=2, strength=0.1))
    near = both.certify(StepErrors(at_true=0.1, at_predicted=0.2), levels=[3, 4, 5], true_depth=4)
    assert (near.side, near.eta, near.lipschitz) == ("predictor", 0.1, 0.1)
    assert near.by_level[:2] == pytest.approx(Certificate(0.1, 0.1, 0.5, 2).by_level(4)[3:])
    assert near.by_level[2] is None  # below the truth's depth no step was compared with it
    far = both.certify(StepErrors(at_true=0.1, at_predicted=0.01), levels=[3, 4, 5], true_depth=4)
    assert (far.side, far.eta, far.lipschitz) == ("generator", 0.01, 0.3)
    assert far.by_level == pytest.approx(Certificate(0.01, 0.3, 0.5, 2).by_level(5)[3:])
    assert far.from_prefix == pytest.approx(Certificate(0.01, 0.3, 0.5, 2).from_prefix)
