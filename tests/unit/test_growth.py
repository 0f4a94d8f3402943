"""Growth against loops over single cells."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cfgraph.errors import InputError
from cfgraph.model.cells import EXPANDED, FRONTIER, LEAF, Cells
from cfgraph.model.growth import BATCH_CELLS, check_growth, clip_residuals, count_cells, expand, frontier_of, grow, observe
from tests.trees import FINITE, ragged_cells, smooth_cells, smooth_rule

TUPLES = hnp.arrays(np.float64, hnp.array_shapes(min_dims=3, max_dims=3, max_side=4), elements=FINITE)


def twist(frontier):
    """A rule that looks at all that a rule may see: center, own residual, slot, level and the parent's tuple."""
    turned = frontier.parent_tuple[:, ::-1] * 0.5 + frontier.residual[:, None] * 0.25
    return turned + np.sin(frontier.center)[:, None] + 0.1 * frontier.slot[:, None, None] - 0.05 * frontier.level[:, None, None]


@given(TUPLES, st.sampled_from([0.25, 0.6]), st.data())
def test_expand(tuples, scale_factor, data):
    cells, arity, dimension = tuples.shape
    root = Cells.from_root(np.array(data.draw(st.lists(FINITE, min_size=dimension, max_size=dimension))), scale=2.0)
    parents = frontier_of(root, np.zeros(cells, dtype=np.int64), arity=arity)
    children = expand(parents, tuples=tuples, scale_factor=scale_factor)
    for row, (parent, slot) in enumerate((p, k) for p in range(cells) for k in range(arity)):
        np.testing.assert_array_equal(children.center[row], root.center[0] + 2.0 * tuples[parent, slot])
        assert children.length[row] == pytest.approx(2.0 * np.linalg.norm(tuples[parent, slot]))
        assert (children.slot[row], children.level[row], children.scale[row]) == (slot, 1, 2.0 * scale_factor)
        np.testing.assert_array_equal(children.residual[row], tuples[parent, slot])
        np.testing.assert_array_equal(children.parent_tuple[row], tuples[parent])


@given(TUPLES, st.data())
def test_take_of_a_frontier_is_the_same_view_of_some_cells(tuples, data):
    children = expand(
        frontier_of(Cells.from_root(np.zeros(tuples.shape[2])), np.zeros(len(tuples), dtype=int), arity=tuples.shape[1]),
        tuples=tuples,
        scale_factor=0.5,
    )
    low = data.draw(st.integers(0, len(children)))
    rows = slice(low, data.draw(st.integers(low, len(children))))
    for part in (children.take(rows), children.take(np.arange(len(children))[rows])):
        assert len(part) == rows.stop - rows.start
        for name in ("center", "length", "slot", "residual", "parent_tuple"):
            np.testing.assert_array_equal(getattr(part, name), getattr(children, name)[rows])


def slow_grow(rule, *, depth, arity, scale_factor, center):
    """Addresses and centers, one cell at a time by recursion through a frontier of one cell."""
    found = {(): center}

    def below(cells, slots):
        if len(slots) == depth:
            return
        frontier = frontier_of(cells, np.array([len(cells) - 1 if slots else 0]), arity=arity) if not slots else cells
        tuples = rule(frontier)
        children = expand(frontier, tuples=tuples, scale_factor=scale_factor)
        for slot in range(arity):
            found[(*slots, slot)] = children.center[slot]
            below(children.take(np.array([slot])), (*slots, slot))

    below(Cells.from_root(center), ())
    return found


@pytest.mark.parametrize(("arity", "depth"), [(1, 6), (2, 5), (3, 4)])
def test_grow_against_recursion(arity, depth):
    center = np.array([0.3, -0.2])
    cells = grow(Cells.from_root(center), rule=twist, arity=arity, scale_factor=0.5, depth=depth)
    expected = slow_grow(twist, depth=depth, arity=arity, scale_factor=0.5, center=center)
    addresses = [tuple(map(int, a.split("/")[1:])) if a != "/" else () for a in cells.addresses]
    assert set(addresses) == set(expected)
    np.testing.assert_allclose(cells.center, [expected[a] for a in addresses], rtol=0, atol=1e-14)


def test_grow_is_the_same_whatever_the_batches():
    depth, arity = 10, 3
    assert arity**depth > 2 * BATCH_CELLS
    cells = grow(Cells.from_root(np.zeros(2)), rule=twist, arity=arity, scale_factor=0.5, depth=depth)
    last = cells.level_rows(depth - 1)
    rows = np.arange(last.start, last.stop)
    whole = expand(frontier_of(cells, rows, arity=arity), tuples=twist(frontier_of(cells, rows, arity=arity)), scale_factor=0.5)
    np.testing.assert_allclose(cells.center[cells.level_rows(depth)], whole.center, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(cells.parent[cells.level_rows(depth)], np.repeat(rows, arity))


@given(st.integers(0, 5))
def test_grow_from_a_prefix_gives_the_same_cells(depth):
    whole = smooth_cells(5)
    again = grow(whole.prefix(depth), rule=smooth_rule, arity=4, scale_factor=0.5, depth=5)
    for name in ("parent", "slot", "level", "center", "scale", "residual", "length", "root_distance", "state"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
    np.testing.assert_array_equal(again.predicted, whole.level > depth)


def test_grow_to_where_the_cells_are_already():
    cells = smooth_cells(3)
    assert grow(cells, rule=smooth_rule, arity=4, scale_factor=0.5, depth=2) is cells


@given(ragged_cells(levels=3))
def test_grow_leaves_leaves_alone(cells):
    grown = grow(cells, rule=lambda f: np.ones((len(f), 2, f.dimension)), arity=2, scale_factor=0.5, depth=cells.depth + 2)
    assert grown.addresses[: len(cells)] == cells.addresses
    deepest = cells.level == cells.depth
    for row in range(len(cells)):
        kept = int(cells.child_count[row])
        assert grown.child_count[row] == (2 if deepest[row] and cells.state[row] == FRONTIER else kept)
        assert (grown.state[row] == LEAF) == (cells.state[row] == LEAF)
    assert (grown.state[grown.child_count > 0] == EXPANDED).all()


@given(ragged_cells(levels=3, slots=3))
def test_observe(cells):
    """Every parent with all its children, with its own residual and, slot by slot, those of its siblings."""
    frontier, tuples = observe(cells, arity=3)
    rows, expected = cells.expansions(3)
    np.testing.assert_array_equal(tuples, expected)
    np.testing.assert_array_equal(frontier.center, cells.center[rows])
    np.testing.assert_array_equal(frontier.residual, np.where(rows[:, None] > 0, cells.residual[rows], 0.0))
    for row, family in zip(rows, frontier.parent_tuple, strict=True):
        by_slot = {int(cells.slot[r]): cells.residual[r] for r in range(1, len(cells)) if cells.parent[r] == cells.parent[row]}
        siblings = by_slot if row > 0 else {}
        np.testing.assert_array_equal(family, [siblings.get(slot, np.zeros(cells.dimension)) for slot in range(3)])


def test_frontier_below_a_top_takes_the_tuple_of_the_tops_parent_as_given():
    whole = smooth_cells(3)
    frontier = frontier_of(smooth_cells(1), np.array([0]), arity=4, top_tuple=whole.residual[1:5])
    np.testing.assert_array_equal(frontier.parent_tuple[0], whole.residual[1:5])


@given(TUPLES, st.floats(0.1, 6))
def test_clip_residuals(tuples, bound):
    clipped = clip_residuals(tuples, residual_bound=bound)
    norms, after = np.linalg.norm(tuples, axis=2), np.linalg.norm(clipped, axis=2)
    assert (after <= bound * (1 + 2e-9)).all()
    np.testing.assert_array_equal(clipped[norms <= bound], tuples[norms <= bound])
    np.testing.assert_allclose(clipped * norms[..., None], tuples * after[..., None], atol=1e-9)


@given(st.integers(0, 50), st.integers(1, 5), st.integers(0, 8))
def test_count_cells(frontier, arity, levels):
    assert count_cells(frontier, arity=arity, levels=levels) == sum(frontier * arity**level for level in range(1, levels + 1))


@pytest.mark.parametrize(
    ("arity", "levels", "told"),
    [(4, 20, "1,466,015,503,700"), (4, 10_000, "10\\^6021"), (10, 10**9, "10\\^1000000001"), (1, 10**9, "2,000,000,000")],
)
def test_check_growth_tells_how_many_cells_it_would_be(arity, levels, told):
    with pytest.raises(InputError, match=told):
        check_growth(10 if arity == 10 else 2 if arity == 1 else 1, arity=arity, levels=levels)
