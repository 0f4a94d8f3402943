"""Where points lie in fields: against cells in memory, against brute force over all cells of a level, against rationals."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfgraph import sources, train
from cfgraph.errors import InputError
from cfgraph.formats.maps import AffineMaps
from cfgraph.metric.locate import locate
from cfgraph.metric.locate import nearest as nearest_in_memory
from cfgraph.model.cells import LEAF
from cfgraph.sources.any_depth import field
from cfgraph.sources.cfg import Design

SYSTEMS = ("koch", "fern", "levy", "dragon")
LEVEL = 6


def around(centers, count, *, seed, margin=0.2):
    """Points in and around the box of some centers."""
    low, high = centers.min(axis=0), centers.max(axis=0)
    return np.random.default_rng(seed).uniform(low - margin * (high - low), high + margin * (high - low), (count, len(low)))


def distances(x, centers):
    return np.linalg.norm(x[:, None] - centers[None], axis=2)


def of_level(cells, level):
    return cells.center[cells.level == level]


@pytest.fixture(scope="module")
def grown():
    return {name: sources.ifs(id="it", maps=name, depth=LEVEL) for name in SYSTEMS}


def stored_above(name):
    return field(sources.ifs(id="it", maps=name, depth=3))


def recurrent(name):
    truth = sources.ifs(id="it", maps=name, depth=3)
    return field(truth, predictor=train(truth, id="rule", depth=3, family="recurrence").load())


# locate


@pytest.mark.parametrize("made", [field, stored_above, recurrent], ids=["maps", "stored above", "recurrence"])
@pytest.mark.parametrize("name", SYSTEMS)
def test_points_lie_where_they_lie_among_cells_in_memory(grown, name, made):
    cells = grown[name].cells
    x = around(cells.center, 1000, seed=1)
    answering = made(name)
    centers = of_level(cells, LEVEL)
    best = distances(x, centers).min(axis=1)
    for beam in (1, 3):
        rows = locate(cells, x, beam=beam)
        found = answering.locate(x, depth=LEVEL, beam=beam)
        same = np.array(found.addresses) == np.array([cells.addresses[row] for row in rows.tolist()])
        assert (same | ~found.sure).all()
        assert same.mean() > 0.9  # where cells coincide, rounding decides
        assert found.sure.mean() > 0.8
        assert np.allclose(found.distance, np.linalg.norm(x - found.center, axis=1), rtol=0, atol=1e-14 * 10)
        assert np.allclose(found.offset * found.scale[:, None], x - found.center, rtol=0, atol=1e-13)
        assert (found.level == LEVEL).all()
        assert np.array_equal(found.stored, np.zeros(len(x), dtype=bool))
        assert (found.distance[found.nearest] <= best[found.nearest] + 1e-14).all()
    assert found.nearest.any() or name != "koch"


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.floats(0.1, 0.9), st.integers(0, 10**6), st.integers(0, 4))
def test_generators_and_what_is_stored_of_them(arity, dimension, factor, seed, depth):
    design = {"arity": arity, "dimension": dimension, "scale_factor": factor, "seed": seed}
    cells = sources.cfg(id="it", depth=4, **design).cells
    x = around(cells.center, 60, seed=seed)
    rows = locate(cells, x)
    best = distances(x, of_level(cells, 4)).min(axis=1)
    for answering in (field(Design(**design)), field(sources.cfg(id="it", depth=depth, **design))):
        found = answering.locate(x, depth=4)
        same = np.array(found.addresses) == np.array([cells.addresses[row] for row in rows.tolist()])
        assert (same | ~found.sure).all()
        assert (found.distance[found.nearest] <= best[found.nearest] + 1e-14).all()
        assert np.array_equal(found.stored, np.full(len(x), depth >= 4 and answering.reader is not None))
        near = answering.nearest(x, min(3, arity**4), depth=4)
        expected = np.sort(distances(x, of_level(cells, 4)), axis=1)[:, : min(3, arity**4)]
        assert np.allclose(near.distance.reshape(expected.shape), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("family", ["mean", "parent", "affine", "local-linear"])
def test_predictors_answer_below_what_is_stored(family):
    truth = sources.ifs(id="it", maps="koch", depth=3)
    predictor = train(truth, id="rule", depth=3, family=family).load()
    answering = field(truth, predictor=predictor)
    below = answering.below("/", 5)
    centers = below.center[below.level == 5]
    x = around(centers, 300, seed=3)
    found = answering.locate(x, depth=5)
    assert np.allclose(answering.cells(found.slots).center, found.center, rtol=0, atol=1e-12)
    for row in np.flatnonzero(found.sure)[:40].tolist():
        way = answering.children([*(found.addresses[row].rsplit("/", up)[0] or "/" for up in range(5, 0, -1))])
        for level in range(1, 6):
            siblings = np.linalg.norm(way.center[way.level == level] - x[row], axis=1)
            assert siblings.argmin() == found.slots[row, level - 1]
    expected = distances(x, centers).min(axis=1)
    assert np.allclose(answering.nearest(x, depth=5).distance, expected, rtol=1e-9, atol=1e-12)


class Way:
    """The descent in rationals: from the very numbers that a field of maps computes with."""

    def __init__(self, answering):
        exact = np.vectorize(Fraction, otypes=[object])
        descent = answering.descent
        self.turn, self.moved, self.factor = exact(descent.turn), exact(descent.displacement), Fraction(answering.scale_factor)
        self.center = exact(answering.ground.top.center[0])

    def slots(self, x, levels):
        place = np.array([Fraction(value) for value in x]) - self.center
        composed = np.array([[Fraction(int(i == j)) for j in range(len(x))] for i in range(len(x))])
        found = []
        for _ in range(levels):
            residuals = self.moved.dot(composed)
            compared = [sum(r * (r - 2 * p) for r, p in zip(row, place, strict=True)) for row in residuals]
            slot = compared.index(min(compared))
            place = (place - residuals[slot]) / self.factor
            composed = self.turn[slot].dot(composed)
            found.append(slot)
        return found


@pytest.mark.parametrize("name", ["koch", "fern", "dragon"])
def test_sure_slots_are_those_of_exact_rationals(grown, name):
    answering, exact = field(name), None
    x = np.concatenate([around(grown[name].cells.center, 5, seed=7), of_level(grown[name].cells, LEVEL)[:5] + 1e-4])
    found = answering.locate(x, depth=40)
    exact = Way(answering)
    for row in range(len(x)):
        sure = int(found.sure_level[row])
        assert exact.slots(x[row].tolist(), sure) == found.slots[row, :sure].tolist()
        assert sure >= 8
    assert found.sure.any()
    assert (found.sure == (found.sure_level == 40)).all()


def test_level_300():
    answering = field("koch")
    cells = sources.ifs(id="it", maps="koch", depth=4).cells
    x = np.concatenate([around(cells.center, 500, seed=0), cells.center[-100:]])
    found = answering.locate(x, depth=300)
    assert found.slots.shape == (600, 300)
    assert found.sure.mean() > 0.8  # a point off the curve is so at every level
    assert found.nearest.any()
    shallow = answering.locate(x, depth=20)
    assert np.array_equal(found.slots[:, :20], shallow.slots)
    assert np.isfinite(found.distance).all()
    assert np.allclose(found.distance, shallow.distance, atol=1e-9)
    on = found.sure_level[500:]  # a center of level 4 is one of the curve's points only to its last digit
    assert (on < 300).any()
    again = answering.locate(x, depth=600)
    assert np.isfinite(again.distance).all()
    assert np.array_equal(again.slots[again.sure][:, :300], found.slots[again.sure])


def test_a_rule_that_is_off_makes_slots_unsure(grown):
    answering, x = field("koch"), around(grown["koch"].cells.center, 400, seed=2)
    exact = answering.locate(x, depth=LEVEL)
    off = answering.locate(x, depth=LEVEL, rule_error=0.002)
    assert np.array_equal(exact.slots, off.slots)
    assert exact.sure.all()
    assert 0.05 < off.sure.mean() < 0.95
    descent = answering.descent
    for seed in range(5):
        moved = np.random.default_rng(seed).normal(size=descent.displacement.shape)
        moved *= 0.002 / np.linalg.norm(moved, axis=1, keepdims=True)
        other = replace(answering, descent=replace(descent, displacement=descent.displacement + moved)).locate(x, depth=LEVEL)
        assert np.array_equal(off.slots[off.sure], other.slots[off.sure])
        assert not np.array_equal(off.slots, other.slots)


def test_ties_go_to_the_lowest_slot():
    maps = AffineMaps("line", np.full((2, 1, 1), 0.5), np.array([[0.0], [0.5]]))
    answering = field(maps)
    found = answering.locate(np.array([[0.5]]), depth=1)
    assert found.addresses == ["/0"]
    assert not found.sure[0]
    twice = AffineMaps("twice", np.full((3, 1, 1), 0.25), np.array([[0.0], [0.75], [0.75]]))
    both = sources.ifs(id="it", maps=twice, depth=2)
    found = field(both).locate(np.array([[0.99]]), depth=2, beam=4)
    assert found.addresses == ["/1/1"]
    assert not found.sure[0]


def test_an_answer_does_not_depend_on_what_else_is_asked(grown):
    x = around(grown["fern"].cells.center, 20_000, seed=4)
    for answering in (field("fern"), field(Design(arity=4, dimension=2, seed=2))):
        whole = answering.locate(x, depth=9)
        for row in (0, 8191, 8192, 19_999):
            alone = answering.locate(x[row : row + 1], depth=9)
            assert np.array_equal(alone.slots[0], whole.slots[row])
            assert alone.distance[0] == whole.distance[row]
            assert alone.nearest[0] == whole.nearest[row]


# nearest and within


@pytest.mark.parametrize("made", [field, stored_above], ids=["maps", "stored above"])
@pytest.mark.parametrize("name", SYSTEMS)
def test_nearest_and_within_are_those_of_brute_force(grown, name, made):
    cells, answering = grown[name].cells, made(name)
    centers = of_level(cells, LEVEL)
    addresses = np.array(cells.addresses[len(cells) - len(centers) :])
    x = around(centers, 1300, seed=5)
    away = distances(x, centers)
    for k in (1, 4):
        found = answering.nearest(x, k, depth=LEVEL)
        assert np.allclose(found.distance.reshape(-1, k), np.sort(away, axis=1)[:, :k], rtol=0, atol=1e-14 * 10)
        assert np.array_equal(found.point, np.repeat(np.arange(len(x)), k))
        assert np.allclose(answering.cells(found.slots).center, found.center, rtol=0, atol=1e-13)
    size = np.ptp(centers, axis=0).max()
    radius = np.random.default_rng(0).uniform(0, 0.1 * size, len(x))
    found = answering.within(x, radius, depth=LEVEL)
    assert np.array_equal(np.bincount(found.point, minlength=len(x)), (away <= radius[:, None]).sum(axis=1))
    row = int(np.bincount(found.point).argmax())
    assert len(answering.within(np.full((3, 2), 50.0), 1.0, depth=LEVEL)) == 0
    mine = np.array(found.addresses)[found.point == row]
    assert mine.tolist() == addresses[away[row] <= radius[row]].tolist()


def test_nearest_to_a_precision_is_the_nearest_of_the_limit_set():
    answering = field("koch")
    x = np.random.default_rng(0).uniform([0, 0.3], [1, 1], (200, 2))
    coarse = answering.nearest(x, precision=1e-2)
    fine = answering.nearest(x, precision=1e-5)
    assert np.abs(coarse.distance - fine.distance).max() <= 1e-2 + 1e-5
    assert answering.depth_for(1e-2) == coarse.level[0] < fine.level[0] == answering.depth_for(1e-5)
    scale = answering.scale_factor ** answering.depth_for(1e-5)
    assert scale * answering.reach(["/"])[0] <= 1e-5 < scale / answering.scale_factor * answering.reach(["/"])[0]
    assert answering.locate(x, precision=1e-2).level[0] == coarse.level[0]


def test_many_cells_are_answered_in_parts(grown, monkeypatch):
    answering, x = field("koch"), around(grown["koch"].cells.center, 100, seed=6)
    whole, balls = answering.nearest(x, 3, depth=LEVEL), answering.within(x, 0.1, depth=LEVEL)
    monkeypatch.setattr("cfgraph.model.nearby._ROWS", 200)
    monkeypatch.setattr("cfgraph.model.nearby._POINTS", 30)
    for one, other in ((whole, answering.nearest(x, 3, depth=LEVEL)), (balls, answering.within(x, 0.1, depth=LEVEL))):
        assert np.array_equal(one.slots, other.slots)
        assert np.array_equal(one.point, other.point)
    with monkeypatch.context() as limited:
        limited.setattr("cfgraph.model.nearby.CELLS_MAX", 50)
        with pytest.raises(InputError, match="more than 50 cells lie in these balls"):
            answering.within(x, 0.1, depth=LEVEL)
    monkeypatch.setattr("cfgraph.model.nearby.ROWS_MAX", 300)
    with pytest.raises(InputError, match="more than 300 cells of a level are in the ball around"):
        answering.within(x, 1.0, depth=LEVEL)


@pytest.mark.parametrize("beam", [1, 3])
def test_wide_cells_are_gone_through_in_parts(monkeypatch, beam):
    """A star of 200 cells, each with children: fewer points at a time, and nothing of a part that was given up is left."""
    data = np.random.default_rng(2).normal(size=(600, 2))
    answering, x = field(sources.points(id="it", data=data, arity=200, depth=2)), np.random.default_rng(3).normal(size=(50, 2))
    whole, near = answering.locate(x, beam=beam), answering.nearest(x, 3)
    monkeypatch.setattr("cfgraph.model.locating._PAIRS", 700)
    monkeypatch.setattr("cfgraph.model.nearby._ROWS", 300)
    monkeypatch.setattr("cfgraph.model.nearby._VALUES", 1000)
    parts = answering.locate(x, beam=beam)
    for name in ("slots", "level", "distance", "sure", "nearest", "offset"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))
    assert answering.nearest(x, 3).addresses == near.addresses


# what is stored alone, and what is refused


def test_data_built_hierarchies_end_where_they_are_stored():
    tree = sources.points(id="it", data=np.random.default_rng(0).normal(size=(300, 3)), arity=3, depth=5)
    x = np.random.default_rng(1).normal(size=(400, 3))
    answering = field(tree)
    childless = np.flatnonzero(tree.cells.child_count == 0)
    away = distances(x, tree.cells.center[childless])
    for beam in (1, 2, 5):
        found = answering.locate(x, beam=beam)
        rows = locate(tree.cells, x, beam=beam)
        assert found.addresses == [tree.cells.addresses[row] for row in rows.tolist()]
        assert np.array_equal(found.level, tree.cells.level[rows])
        assert found.stored.all()
        assert (found.distance[found.nearest] <= away.min(axis=1)[found.nearest] * (1 + 1e-12)).all()
    near = answering.nearest(x, 2)
    assert np.allclose(near.distance.reshape(-1, 2), np.sort(away, axis=1)[:, :2], rtol=1e-12)
    assert near.addresses[::2] == [tree.cells.addresses[row] for row in nearest_in_memory(tree.cells, x).tolist()]
    balls = answering.within(x, 0.7)
    assert np.array_equal(np.bincount(balls.point, minlength=len(x)), (away <= 0.7).sum(axis=1))
    shallow = answering.locate(x, depth=2)
    assert shallow.addresses == [tree.cells.addresses[row] for row in locate(tree.cells, x, depth=2).tolist()]
    assert answering.locate(x, depth=50).addresses == answering.locate(x).addresses
    with pytest.raises(InputError, match="a precision needs a rule"):
        answering.locate(x, precision=0.1)
    with pytest.raises(InputError, match=r"and 5000\s+were asked for"):
        answering.nearest(x, 5000)


def test_leaves_end_ways_though_a_rule_is_known():
    grown = sources.cfg(id="it", depth=2, arity=2)
    state = grown.cells.state.copy()
    state[grown.cells.row("/1/1")] = LEAF
    answering = field(grown.with_cells(grown.cells.with_columns(state=state)))
    leaf = grown.cells.center[[grown.cells.row("/1/1")]]
    for beam in (1, 3):
        found = answering.locate(leaf, depth=6, beam=beam)
        assert (found.addresses, found.stored.tolist(), found.level.tolist()) == (["/1/1"], [True], [2])
    near = answering.nearest(leaf, 3, depth=6)
    assert near.addresses[0] == "/1/1"
    assert near.level.tolist() == [2, 6, 6]


def test_an_end_that_is_off_by_rounding_is_not_proven_farther():
    """A leaf, whose distance is exact, lies where one of the rule's cells lies: which is nearer rounding decides."""
    koch = sources.ifs(id="it", maps="koch", depth=2)
    beside = field(koch).cells(["/1/2" + "/1" * 18]).center[0]
    state, center, row = koch.cells.state.copy(), koch.cells.center.copy(), koch.cells.row("/1/1")
    state[row], center[row] = LEAF, beside + 4e-16
    answering = field(koch.with_cells(koch.cells.with_columns(state=state, center=center)))
    x = beside + np.random.default_rng(0).uniform(-2e-16, 6e-16, (300, 2))
    found, near = answering.locate(x, depth=20, beam=16), answering.nearest(x, 2, depth=20)
    first, second = near.distance.reshape(-1, 2).T
    assert (second < 2e-15).all()
    assert "/1/1" in found.addresses
    close = second - first < 1e-16
    assert close.sum() > 50
    assert not (found.nearest & close).any()
    assert not (found.sure & close).any()


def test_points_and_levels_that_are_refused():
    answering = field("koch")
    x = np.zeros((3, 2))
    refused = [
        (lambda: answering.locate(np.zeros((3, 5)), depth=2), "rows of 2 coordinates"),
        (lambda: answering.locate(np.zeros(2), depth=2), "rows of 2 coordinates"),
        (lambda: answering.nearest(np.array([[0, np.nan]]), depth=2), "finite coordinates, got .* in row 0"),
        (lambda: answering.locate(x), "expected a depth or a precision"),
        (lambda: answering.locate(x, depth=2, precision=0.1), "give one of them"),
        (lambda: answering.locate(x, depth=-1), "at least 0 as depth"),
        (lambda: answering.locate(x, depth=2, beam=0), "at least 1 as beam"),
        (lambda: answering.locate(x, precision=0.0), "a precision above 0"),
        (lambda: answering.locate(x, depth=700), "level 700 is too deep"),
        (lambda: answering.locate(x, precision=1e-320), "too deep"),
        (lambda: answering.locate(x, depth=1, rule_error=-1.0), "at least 0"),
        (lambda: answering.within(x, -1.0, depth=2), "a radius of at least 0"),
        (lambda: answering.within(x, np.ones(2), depth=2), "one a point"),
        (lambda: answering.within(x, np.ones((3, 3)), depth=2), "one a point"),
        (lambda: answering.nearest(x, 0, depth=2), "at least 1 as k"),
        (lambda: answering.nearest(np.array([[0, 0], [0, 1e160]]), depth=2), "at most 1e.100, got .* in row 1"),
        (lambda: answering.locate([["a", "b"]], depth=2), "rows of 2 numbers"),
        (lambda: answering.nearest(x, 17, depth=2), "16 cells where ways to level 2 end"),
    ]
    for ask, told in refused:
        with pytest.raises(InputError, match=told):
            ask()
    empty = np.zeros((0, 2))
    assert len(answering.locate(empty, depth=3)) == 0
    assert len(answering.nearest(empty, depth=3)) == 0
    assert len(answering.within(empty, 1.0, depth=3)) == 0
    assert answering.locate(x, depth=0).addresses == ["/"] * 3
    assert answering.nearest(x, depth=0).addresses == ["/"] * 3
