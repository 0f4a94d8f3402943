"""Layouts of cells without centers: circles in circles, none over another, zoomed like any other cells."""

import numpy as np
import pytest

from cfgraph.exploring.layout import packed, sizes
from cfgraph.exploring.scene import Scene
from cfgraph.formats.newick import parse_newick
from cfgraph.sources.imported import imported
from tests.unit.test_exploring_cut import at_home, seen_from


def random_tree(seed, *, leaves):
    """A tree in Newick, of families of many sizes."""
    random = np.random.default_rng(seed)
    groups = [f"l{number}" for number in range(leaves)]
    while len(groups) > 1:
        many = min(len(groups), int(random.choice([2, 2, 3, 5, 9, 30, 120])))
        groups.append("(" + ",".join(groups[:many]) + f")i{len(groups)}_{many}")
        groups = groups[many:]
    return imported(parse_newick(groups[0] + ";"), id="tree", origin="tree")


@pytest.mark.parametrize("leaves", [1, 2, 3, 40, 700])
def test_circles_hold_what_lies_below_and_siblings_do_not_overlap(leaves):
    cells = random_tree(leaves, leaves=leaves).cells
    size, counted = sizes(cells, None)
    assert counted == "leaves"
    assert size[0] == leaves
    residual, radius = packed(cells, size)
    assert radius[0] == 1
    for row in range(len(cells)):
        count = cells.child_count[row]
        children = cells.first_child[row] + np.arange(count)
        place, own = residual[children], radius[children] / radius[row]
        assert (np.hypot(*place.T) + own <= 1 + 1e-9).all()
        apart = np.hypot(*(place[:, None] - place).transpose(2, 0, 1))
        one, other = np.triu_indices(count, 1)
        assert (apart[one, other] >= (own[one] + own[other]) * (1 - 1e-6)).all()
    again = packed(cells, size)
    assert np.array_equal(again[0], residual)


def test_binary_trees_do_not_lie_on_a_line():
    """Pairs lie beside each other and one over the other in turn."""
    tree = imported(parse_newick("((((a,b),(c,d)),((e,f),(g,h))),(((i,j),(k,l)),((m,n),(o,p))));"), id="tree", origin="tree")
    scene = Scene.of(tree)
    cut = scene.cut(at_home(scene), px=0.01)
    assert len(cut) == 16
    assert np.ptp(cut.y) > 0.4 * np.ptp(cut.x)


def test_a_tree_without_centers_is_zoomed_to_each_leaf():
    tree = random_tree(5, leaves=500)
    scene = Scene.of(tree)
    told = scene.describe()
    assert not told["has_centers"]
    assert any("circles" in note for note in told["notes"])
    whole = scene.cut(at_home(scene), px=0.01)
    leaves = set(np.array(tree.cells.addresses)[tree.cells.child_count == 0].tolist())
    assert set(whole.addresses()) == leaves
    assert (np.abs(whole.x) <= 320).all()
    for address in sorted(leaves)[::97]:
        cut = scene.cut(seen_from(None, address, z=150.0))
        assert address in cut.addresses()
        row = cut.addresses().index(address)
        assert abs(cut.x[row]) < 1e-3
        assert abs(cut.r[row] - 150) < 1e-3


def test_deep_trees_keep_their_circles():
    newick = "l0"
    for number in range(1, 1500):
        newick = f"({newick},l{number})"
    scene = Scene.of(imported(parse_newick(newick + ";"), id="comb", origin="tree"))
    deep = "/0" * 1400
    cut = scene.cut(seen_from(None, deep, z=200.0))
    assert len(cut) > 3
    assert np.isfinite(cut.x).all()
