"""What pictures color by, and what they leave out: cuts, groups, fewer rows, marks that never grow with depth."""

import matplotlib.colors
import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage

from cfgraph import sources
from cfgraph.errors import InputError
from cfgraph.judging.cut import cut
from cfgraph.plots import Groups, Panel, choose_form, groups_of_leaves, groups_of_values, plot_cells, plot_tree, variance_shown
from cfgraph.plots.branches import Branches, branch_colors
from cfgraph.plots.centers import _level_layers, _view
from cfgraph.plots.rows import fewer_rows
from cfgraph.plots.tree import DENDROGRAM_ROWS
from tests.trees import smooth_cells

BLOBS = np.random.default_rng(0).normal(size=(400, 2)) + np.repeat(
    8 * np.eye(4)[:, :2] + [[0, 0], [0, 0], [9, 9], [0, 20]], 100, 0
)
WARD = sources.linkage(id="ward", data=linkage(BLOBS, "ward"))
SINGLE = sources.linkage(id="single", data=linkage(BLOBS, "single"))
CONDENSED = sources.linkage(id="condensed", data=linkage(BLOBS, "single"), condense=8)


def panel(hierarchy, **more):
    cells = hierarchy.cells
    return Panel(cells, hierarchy.id, names=cells.names, height=cells.own.get("height"), **more)


@pytest.mark.parametrize("hierarchy", [WARD, SINGLE], ids=["ward", "single"])
def test_a_tree_that_splits_in_two_is_colored_by_a_cut(hierarchy):
    branches = Branches(hierarchy.cells)
    tops, leaves = branches.tops, branches.leaves
    assert 3 <= len(tops) <= 10
    assert not branches.by_first_split
    assert leaves[tops].min() >= leaves[0] / 40
    assert leaves[tops].max() <= 0.75 * leaves[0]
    number = branches.number
    for at, top in enumerate(tops):
        below = np.flatnonzero(number == at)
        assert below[0] == top
        assert np.isin(hierarchy.cells.parent[below[1:]], below).all()
    assert len(np.unique(branches.colors, axis=0)) == len(tops) + 1  # and grey


def test_balanced_first_splits_stay():
    cells = smooth_cells(4)
    branches = Branches(cells)
    assert branches.by_first_split
    assert len(branches.tops) == 4


def test_a_condensed_tree_is_colored_by_what_is_taken():
    branches = Branches(CONDENSED.cells)
    assert sorted(branches.tops) == sorted(np.flatnonzero(CONDENSED.cells.own["selected"]))
    assert choose_form(CONDENSED.cells) == "icicle"


def test_a_picture_of_a_condensed_tree_tells_points_and_stability(tmp_path):
    plot_tree([panel(CONDENSED)], tmp_path / "c.svg")
    text = (tmp_path / "c.svg").read_text()
    assert "points by cluster" in text
    assert "400 points, stability" in text
    assert "points that left it before it split" in text


@pytest.mark.parametrize("hierarchy", [WARD, SINGLE], ids=["ward", "single"])
def test_a_dendrogram_of_many_leaves_leaves_merges_out_and_says_so(hierarchy, tmp_path):
    fewer = fewer_rows(panel(hierarchy), most=DENDROGRAM_ROWS)
    leaf = fewer.cells.child_count == 0
    assert leaf.sum() == DENDROGRAM_ROWS
    assert fewer.cells.parent[0] == -1
    assert (fewer.cells.parent[1:] < np.arange(1, len(fewer.cells))).all()
    counts = [int(name.rpartition("(")[2].rstrip(")")) for name in np.array(fewer.names, dtype=object)[leaf] if "(" in name]
    assert sum(counts) + int(leaf.sum()) - len(counts) == 400
    whole = np.sort(hierarchy.cells.own["height"])[-89:]  # the highest merges are those that are kept
    np.testing.assert_array_equal(np.sort(fewer.height[~leaf]), whole)
    plot_tree([panel(hierarchy)], tmp_path / "d.svg", form="dendrogram")
    text = (tmp_path / "d.svg").read_text()
    assert "400 leaves are drawn as 90 rows" in text
    assert float(text.partition('height="')[2].partition("pt")[0]) / 72 * 200 < 3500
    assert fewer_rows(panel(CONDENSED), most=90).cells is CONDENSED.cells


def test_marks_never_grow_with_depth():
    for cells in (smooth_cells(7), sources.ifs(id="fern", maps="fern", depth=7).cells):
        panels = (Panel(cells, "p"),)
        sizes = [layer.key.size for layer in _level_layers(panels, _view(panels))]
        assert sizes == sorted(sizes, reverse=True)


def test_how_much_two_axes_show():
    line = sources.points(id="p", data=np.outer(np.arange(40.0), np.ones(9)), depth=2, arity=2)
    assert variance_shown(line.cells) == pytest.approx(1.0)
    ball = sources.points(id="b", data=np.random.default_rng(0).normal(size=(300, 40)), depth=3, arity=4)
    assert variance_shown(ball.cells) < 1 / 3
    assert variance_shown(WARD.cells) == 1.0


def test_groups_of_values():
    named = groups_of_values(np.array(["b", "a", None, "b"], dtype=object), what="the property kind")
    assert (named.names, named.number.tolist()) == (("a", "b"), [1, 0, -1, 1])
    counted = groups_of_values(np.array([3, -1, 1]), what="x")
    assert (counted.names, counted.number.tolist()) == (("1", "3"), [1, -1, 0])
    many = groups_of_values(np.r_[np.arange(100.0), np.nan, np.inf], what="x")
    assert many.ordered
    assert len(many.names) == 8
    assert many.number[-2:].tolist() == [-1, 7]
    assert np.bincount(many.number[:100]).tolist() == pytest.approx([12.5] * 8, abs=1)
    for column, message in [
        (np.array([None, None]), "no cell has a value"),
        (np.zeros((2, 3)), "vectors"),
        (np.array([[1], None], dtype=object), "numbers, text or truth values"),
        (np.array([str(n) for n in range(30)], dtype=object), "30 different values, and there are colors for 24"),
    ]:
        with pytest.raises(InputError, match=message):
            groups_of_values(column, what="the property x")


def test_groups_of_leaves_reach_up_where_they_agree():
    cells = smooth_cells(2)  # a root, four cells, four leaves each
    classes = [None] * 5 + ["a"] * 4 + ["a", "b", "a", "a"] + ["b"] * 4 + ["b", None, "b", "b"]
    found = groups_of_leaves(cells, classes, what="the class")
    assert found.names == ("a", "b")
    assert found.number[:5].tolist() == [-1, 0, -1, 1, -1]
    assert found.number[5:].tolist() == [-1 if name is None else "ab".index(name) for name in classes[5:]]


def test_groups_color_every_form(tmp_path):
    found = cut(WARD, clusters=5)
    groups = Groups(found.of_cells, tuple("vwxyz"), "the cut into 5, grey above")
    want = {matplotlib.colors.to_hex(color) for color in branch_colors(5)}
    for form in ("dendrogram", "radial", "icicle"):
        plot_tree([panel(WARD, groups=groups)], tmp_path / "g.svg", form=form)
        text = (tmp_path / "g.svg").read_text()
        assert all(color in text for color in want), form
        assert "leaves by cut into 5" in text
    field = sources.points(id="p", data=BLOBS, depth=4, arity=2)
    groups = Groups(cut(field, clusters=3).of_cells, tuple("xyz"), "the cut into 3, grey above")
    plot_cells([panel(field, groups=groups)], tmp_path / "g.svg")
    text = (tmp_path / "g.svg").read_text()
    assert all(matplotlib.colors.to_hex(color) in text for color in branch_colors(3))
    assert "cells by cut into 3" in text
