"""Recursive k-means: what every tree must satisfy, and data whose hierarchy is known."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfgraph.errors import InputError
from cfgraph.model.cells import EXPANDED, FRONTIER, LEAF
from cfgraph.sources.cfg import cfg
from cfgraph.sources.points import points
from cfgraph.sources.tuples import axis_order, match_slots, smallest_distance


@st.composite
def data_sets(draw):
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    count, dimension = draw(st.integers(6, 80)), draw(st.integers(1, 4))
    data = random.normal(size=(count, dimension)) * 10.0 ** random.integers(-3, 4) + random.normal() * 100
    if draw(st.booleans()):
        data[random.integers(0, count, size=count // 2)] = data[0]  # many equal points
    return data


TREES = st.fixed_dictionaries(
    {"arity": st.integers(2, 4), "depth": st.integers(0, 4), "minimum_size": st.integers(1, 6), "seed": st.integers(0, 99)}
)


@settings(max_examples=25, deadline=None)
@given(data_sets(), TREES)
def test_every_tree_is_valid(data, tree):
    different = len(np.unique(data, axis=0))
    if different < tree["arity"] or tree["depth"] > (len(data) - 1) // (tree["arity"] - 1):
        with pytest.raises(InputError):
            points(id="it", data=data, duplicates="keep", **tree)
        return
    hierarchy = points(id="it", data=data, duplicates="keep", **tree)
    cells, arity = hierarchy.cells, tree["arity"]
    expanded = np.flatnonzero(cells.state == EXPANDED)
    assert set(np.unique(cells.child_count)) <= {0, arity}
    assert (cells.child_count[expanded] == arity).all()
    assert cells.child_count.sum() == arity * len(expanded) == len(cells) - 1
    assert (cells.size[expanded] >= max(arity, tree["minimum_size"])).all()
    assert ((cells.state != FRONTIER) | (cells.level == tree["depth"])).all()
    size = max(1.0, np.abs(data).max())
    assert cells.center[0] == pytest.approx(data.mean(axis=0), rel=1e-12, abs=1e-12 * size)
    for row in expanded:
        below = np.arange(arity) + cells.first_child[row]
        assert (cells.slot[below] == np.arange(arity)).all()
        assert cells.size[below].sum() == cells.size[row]
        mean = np.average(cells.center[below], axis=0, weights=cells.size[below])
        assert mean == pytest.approx(cells.center[row], rel=1e-12, abs=1e-12 * size)
    placed = cells.center[cells.parent[1:]] + cells.scale[cells.parent[1:], None] * cells.residual[1:]
    assert (placed == cells.center[1:]).all()
    assert (np.linalg.norm(cells.residual, axis=1) <= hierarchy.residual_bound * (1 + 1e-15)).all()
    _check_radii(cells)


def _check_radii(cells):
    """Every descendant within its ancestors' radii; not a number exactly above a frontier cell."""
    unknown = cells.state == FRONTIER
    for row in range(len(cells) - 1, 0, -1):
        unknown[cells.parent[row]] |= unknown[row]
    assert (np.isnan(cells.radius) == unknown).all()
    for row in range(1, len(cells)):
        above = int(cells.parent[row])
        while above >= 0:
            reach = np.linalg.norm(cells.center[row] - cells.center[above])
            assert np.isnan(cells.radius[above]) or reach <= cells.radius[above] * (1 + 1e-9)
            above = int(cells.parent[above])


def test_a_known_hierarchy_comes_back():
    truth = cfg(id="truth", depth=4, arity=3, dimension=2, scale_factor=0.2, rule="constant", seed=5)
    data = truth.cells.center[truth.cells.level_rows(4)]
    found = points(id="it", data=np.random.default_rng(0).permutation(data), arity=3, depth=4)
    assert found.scale_factor == pytest.approx(0.2)
    assert len(found.cells) == len(truth.cells)
    tuples = found.cells.expansions(3)[1]
    true_tuple = truth.cells.residual[1:4] - truth.cells.residual[1:4].mean(axis=0)
    assert np.abs(tuples - tuples[0]).max() < 1e-9  # canonical slots: the same order under every parent
    assert {tuple(np.round(row, 9)) for row in tuples[0]} == {tuple(np.round(row, 9)) for row in true_tuple}
    assert found.separation == pytest.approx(truth.separation)
    assert (found.cells.state[found.cells.level_rows(4)] == LEAF).all()
    assert found.data_built
    assert found.scale_depth == 2


def test_states_at_the_depth_limit():
    data = np.r_[np.arange(8.0) * 0.01, 100.0, 101.0, 102.0][:, None]
    cells = points(id="it", data=data, arity=2, depth=1).cells
    assert cells.state.tolist() == [EXPANDED, FRONTIER, FRONTIER]
    cells = points(id="it", data=data, arity=2, depth=1, minimum_size=4).cells
    assert sorted(cells.state[1:].tolist()) == [FRONTIER, LEAF]
    assert cells.size[1:][cells.state[1:] == LEAF].tolist() == [3]


def test_a_tree_ends_where_nothing_can_be_split():
    hierarchy = points(id="it", data=np.arange(5.0)[:, None], arity=2, depth=4)
    assert (hierarchy.cells.state != FRONTIER).all()
    assert sorted(hierarchy.cells.size[hierarchy.cells.state == LEAF]) == [1] * 5


def test_equal_points_are_refused_kept_or_dropped():
    data = np.array([[0.0, 0], [1, 1], [2, 5], [1, 1], [0.0, -0.0], [9, 9]])
    with pytest.raises(InputError, match=r"2 of 6 rows .* row 3, which equals row 1 .*--duplicates keep or --duplicates drop"):
        points(id="it", data=data, arity=2, depth=1)
    kept = points(id="it", data=data, arity=2, depth=1, duplicates="keep")
    dropped = points(id="it", data=data, arity=2, depth=1, duplicates="drop")
    assert (kept.cells.size[0], dropped.cells.size[0]) == (6, 4)
    assert dropped.cells.center[0] == pytest.approx(data[[0, 1, 2, 5]].mean(axis=0))
    assert kept.notes[0].startswith("2 of 6 points repeat")
    assert kept.recipe_digest != dropped.recipe_digest


def test_a_cell_of_equal_points_is_a_leaf():
    data = np.array([[0.0]] * 10 + [[1.0]] * 10 + [[5.0]])
    cells = points(id="it", data=data, arity=2, depth=3, duplicates="keep").cells
    assert sorted(cells.size[cells.state == LEAF].tolist()) == [1, 10, 10]


def test_points_too_close_for_k_means_are_split_all_the_same():
    data = np.array([[0.0], [1e-170], [3e-170], [7e-170]])  # their squared distances are zero as floats
    cells = points(id="it", data=data, arity=3, depth=1).cells
    assert len(cells) == 4
    assert sorted(cells.size[1:].tolist()) == [1, 1, 2]


def test_same_call_same_bits_and_the_seed_counts():
    data = np.random.default_rng(0).normal(size=(300, 3))
    first, again, other = (points(id="it", data=data, arity=3, depth=3, seed=seed) for seed in (0, 0, 1))
    assert first.cells.center.tobytes() == again.cells.center.tobytes()
    assert first.recipe_digest == again.recipe_digest != other.recipe_digest


def test_a_shorter_tree_is_the_prefix_of_a_deeper_one():
    data = np.random.default_rng(1).normal(size=(400, 2))
    short, deep = (points(id="it", data=data, arity=3, depth=depth) for depth in (2, 4))
    prefix = deep.cells.prefix(2)
    assert short.scale_factor == deep.scale_factor
    assert short.cells.center.tobytes() == prefix.center.tobytes()
    assert (short.cells.size == prefix.size).all()


def test_pca_keeps_the_main_axes_and_equal_points_equal():
    random = np.random.default_rng(2)
    data = random.normal(size=(200, 3)) @ np.diag([10, 3, 0.1]) @ np.linalg.qr(random.normal(size=(3, 3)))[0]
    hierarchy = points(id="it", data=data, arity=3, depth=2, pca=2)
    assert hierarchy.dimension == 2
    assert "99.9" in hierarchy.notes[0] or "100" in hierarchy.notes[0]
    doubled = points(id="it", data=np.concatenate([data, data]), arity=2, depth=8, pca=2, duplicates="keep")
    assert (doubled.cells.size % 2 == 0).all()  # equal points are never apart


def test_scale_factor_is_the_ratio_of_mean_displacements():
    hierarchy = points(id="it", data=np.random.default_rng(3).normal(size=(500, 2)), arity=4, depth=4, scale_depth=3)
    cells = hierarchy.cells
    mean = [
        np.mean(
            [
                np.linalg.norm(cells.center[row] - cells.center[cells.parent[row]])
                for row in np.flatnonzero(cells.level == level)
            ]
        )
        for level in (1, 3)
    ]
    assert hierarchy.scale_factor == pytest.approx((mean[1] / mean[0]) ** 0.5)
    assert hierarchy.scale_depth == 3


def test_scale_factor_stays_below_one_where_the_data_widens():
    cloud = np.random.default_rng(0).normal(size=(200, 30))  # in many dimensions the first split is no wider than the next
    hierarchy = points(id="it", data=cloud, arity=3, depth=2)
    assert hierarchy.scale_factor == 0.95
    assert hierarchy.notes == ("the scale factor was estimated as 1.3 and set to 0.95",)


def test_one_level_tells_no_scale_factor():
    hierarchy = points(id="it", data=np.arange(9.0)[:, None], arity=3, depth=1)
    assert (hierarchy.scale_factor, hierarchy.scale_depth) == (0.5, 1)
    assert "two levels" in hierarchy.notes[0]


def test_canonical_slots_are_those_of_the_best_assignment():
    random = np.random.default_rng(4)
    for _ in range(50):
        family, parent = random.normal(size=(2, 4, 3)) * random.uniform(0.1, 10, size=(2, 1, 1))
        order = match_slots(family, parent)
        cost = {p: ((family[list(p)] - parent) ** 2).sum() for p in permutations(range(4))}
        assert cost[tuple(order.tolist())] == pytest.approx(min(cost.values()))
        assert (match_slots(family * 7, parent) == order).all()


def test_root_children_stand_along_the_main_axis_whatever_the_solver():
    family = np.array([[3.0, 0.1], [-5.0, 0.2], [1.0, -0.3]])
    assert axis_order(family, weight=np.array([1, 1, 1])).tolist() == [1, 2, 0]
    assert axis_order(-family, weight=np.array([1, 1, 1])).tolist() == [0, 2, 1]


def test_smallest_distance_against_all_pairs():
    tuples = np.random.default_rng(5).normal(size=(40, 5, 3))
    slow = min(np.linalg.norm(t[i] - t[j]) for t in tuples for i in range(5) for j in range(i))
    assert smallest_distance(tuples) == pytest.approx(slow)
    assert smallest_distance(tuples[:, :1]) is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"depth": -1}, "at least 0 as depth"),
        ({"depth": 15}, "21,523,359 cells, and no tree of 20 points is deeper than 9"),
        ({"depth": 10**9}, "about 10\\^477121255 cells"),
        ({"arity": 1}, "at least 2 as arity"),
        ({"arity": 21}, "at least 21 different points"),
        ({"minimum_size": 0}, "minimum size"),
        ({"minimum_size": 21}, "at least 21 points"),
        ({"scale_depth": 1}, "at least 2 as scale depth"),
        ({"pca": 0}, "principal components"),
        ({"pca": 3}, "at most 2 principal components of 20 x 2"),
        ({"duplicates": "maybe"}, "refuse, keep, drop, got 'maybe'"),
        ({"seed": -1}, "seed"),
        ({"id": "a/b"}, "no '/'"),
    ],
)
def test_bad_arguments_are_refused_with_the_reason(arguments, told):
    data = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(InputError, match=told):
        points(**{"id": "it", "data": data, "depth": 2, **arguments})


def test_recipe_knows_the_data_by_its_numbers(tmp_path):
    data = np.random.default_rng(0).normal(size=(20, 2))
    np.save(tmp_path / "a.npy", data)
    np.savez(tmp_path / "b.npz", x=data, y=data * 2)
    recipes = [
        points(id="it", data=tmp_path / "a.npy", depth=1).recipe,
        points(id="it", data=tmp_path / "b.npz", key="x", depth=1).recipe,
    ]
    assert recipes[0] == recipes[1] == points(id="it", data=data, depth=1).recipe
    assert recipes[0] != points(id="it", data=tmp_path / "b.npz", key="y", depth=1).recipe
