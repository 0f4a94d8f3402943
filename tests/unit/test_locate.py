"""Locating points among cells, against descents and searches done one point at a time."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfgraph.errors import InputError
from cfgraph.metric.locate import locate, nearest
from cfgraph.sources.cfg import cfg
from cfgraph.sources.ifs import ifs
from cfgraph.sources.points import points


@st.composite
def fields(draw):
    arity, dimension = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    factor, seed = draw(st.floats(0.05, 0.9)), draw(st.integers(0, 10**6))
    return partial(
        cfg, id="it", depth=draw(st.integers(0, 4)), arity=arity, dimension=dimension, scale_factor=factor, seed=seed
    )


@st.composite
def ragged_trees(draw):
    data = np.random.default_rng(draw(st.integers(0, 10**6))).normal(size=(draw(st.integers(8, 60)), 2)) ** 3
    return partial(points, id="it", data=data, arity=draw(st.integers(2, 4)), depth=draw(st.integers(0, 2)))


SOURCES = st.one_of(fields(), ragged_trees())


def queries(cells, seed, count=12):
    """Points near cells and far from all of them."""
    random = np.random.default_rng(seed)
    near = cells.center[random.integers(0, len(cells), count)]
    spread = np.ptp(cells.center, axis=0).max() + 0.1
    return near + random.normal(size=near.shape) * spread * 10.0 ** random.uniform(-4, 0.5, size=(count, 1))


def distance(cells, row, x):
    return ((cells.center[row] - x) ** 2).sum()


def descend_slowly(cells, x, *, beam=1):
    def order(row):
        return distance(cells, row, x), row

    kept, ends = [0], []
    while kept:
        ends += [row for row in kept if not cells.child_count[row]]
        below = [c for row in kept for c in range(cells.first_child[row], cells.first_child[row] + cells.child_count[row])]
        kept = sorted(below, key=order)[:beam]
    return min(ends, key=order)


@settings(max_examples=60, deadline=None)
@given(SOURCES, st.integers(0, 1000), st.integers(1, 5))
def test_locate_is_the_descent_done_point_by_point(source, seed, beam):
    cells = source().cells
    x = queries(cells, seed)
    found = locate(cells, x, beam=beam)
    for row, point in zip(found, x, strict=True):
        assert distance(cells, row, point) == pytest.approx(distance(cells, descend_slowly(cells, point, beam=beam), point))


@settings(max_examples=60, deadline=None)
@given(SOURCES, st.integers(0, 1000))
def test_nearest_is_the_nearest_of_all(source, seed):
    cells = source().cells
    x = queries(cells, seed)
    ends = np.flatnonzero(cells.child_count == 0)
    for row, point in zip(nearest(cells, x), x, strict=True):
        assert cells.child_count[row] == 0
        assert distance(cells, row, point) <= min(distance(cells, end, point) for end in ends) * (1 + 1e-12)


@settings(max_examples=30, deadline=None)
@given(fields(), st.integers(0, 1000), st.integers(0, 4))
def test_depth_ends_the_descent_and_the_search_there(source, seed, depth):
    cells = source().cells
    x = queries(cells, seed)
    prefix = cells.prefix(depth)
    assert (locate(cells, x, depth=depth) == locate(prefix, x)).all()
    assert (nearest(cells, x, depth=depth) == nearest(prefix, x)).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 5), st.integers(1, 3), st.integers(0, 10**6), st.floats(0.5, 0.999))
def test_every_center_locates_to_itself_where_the_field_is_separated(arity, dimension, seed, share):
    wide = cfg(id="it", depth=0, arity=arity, dimension=dimension, scale_factor=0.01, seed=seed)
    limit = wide.separation / (wide.separation + 2 * wide.residual_bound)
    cells = cfg(id="it", depth=4, arity=arity, dimension=dimension, scale_factor=share * limit, seed=seed).cells
    for level in range(5):
        rows = np.arange(len(cells))[cells.level_rows(level)]
        assert (locate(cells, cells.center[rows], depth=level) == rows).all()
        assert (nearest(cells, cells.center[rows], depth=level) == rows).all()


def test_greedy_is_not_nearest_and_a_beam_comes_closer():
    cells = ifs(id="it", maps="levy", depth=9).cells
    x = np.random.default_rng(0).uniform(-0.5, 1.5, size=(400, 2))
    best = np.linalg.norm(cells.center[nearest(cells, x)] - x, axis=1)
    excess = [np.linalg.norm(cells.center[locate(cells, x, beam=beam)] - x, axis=1) - best for beam in (1, 4, 16)]
    assert all((gap >= -1e-15).all() for gap in excess)
    assert excess[0].mean() > excess[1].mean() > excess[2].mean()


def test_ties_go_to_the_lowest_slot():
    data = np.array([[-1.0, 0], [1.0, 0], [0, 1.0], [0, -1.0]])
    cells = points(id="it", data=data, arity=4, depth=1).cells
    assert locate(cells, np.zeros((1, 2))).tolist() == [1]
    assert nearest(cells, np.zeros((1, 2))).tolist() == [1]


def test_a_single_cell_and_no_points():
    cells = cfg(id="it", depth=0).cells
    assert locate(cells, np.ones((2, 2))).tolist() == [0, 0]
    assert nearest(cells, np.ones((2, 2))).tolist() == [0, 0]
    assert locate(cells, np.empty((0, 2))).tolist() == []
    assert nearest(cells, np.empty((0, 2))).tolist() == []


@pytest.mark.parametrize(
    ("x", "options", "told"),
    [
        (np.zeros((2, 3)), {}, r"rows of 2 coordinates, got an array of shape \(2, 3\)"),
        (np.array([[0.0, np.nan]]), {}, "finite coordinates.* in row 0"),
        (np.zeros((1, 2)), {"depth": -1}, "depth of at least 0"),
    ],
)
def test_bad_queries_are_refused(x, options, told):
    cells = cfg(id="it", depth=2).cells
    for search in (locate, nearest):
        with pytest.raises(InputError, match=told):
            search(cells, x, **options)


def test_a_beam_has_a_cell():
    with pytest.raises(InputError, match="at least 1 cell a level, got 0"):
        locate(cfg(id="it", depth=1).cells, np.zeros((1, 2)), beam=0)
