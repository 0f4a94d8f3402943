"""Certify on cells in memory: against facts known of fields, and against slow ways of finding the same."""

import math

import numpy as np
import pytest

from cfgraph.comparing.certify import DEPTH_MAX, certify_cells
from cfgraph.comparing.survey import Survey, most_cells, pages_of, smallest_pair
from cfgraph.errors import DamagedError, InputError
from cfgraph.formats.maps import AffineMaps
from cfgraph.model.cells import Cells
from cfgraph.model.growth import grow
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.sources.cfg import cfg
from cfgraph.sources.ifs import ifs
from cfgraph.sources.induced import induced
from cfgraph.sources.points import points
from tests.grown import grown_hierarchy, ragged_hierarchy

KNOWN = {"koch": math.log(4) / math.log(3), "sierpinski": math.log(3) / math.log(2), "levy": 2.0, "dragon": 2.0}


def maps(matrix, offset):
    """A system of affine maps."""
    return AffineMaps("given", np.array(matrix, dtype=float), np.array(offset, dtype=float))


@pytest.fixture(scope="module")
def koch():
    return ifs(id="koch", maps="koch", depth=5)


@pytest.mark.parametrize("name", KNOWN)
def test_the_similarity_dimension_of_the_classics(name):
    line = certify_cells(ifs(id=name, maps=name, depth=2)).line("similarity_dimension")
    assert line.value == pytest.approx(KNOWN[name], rel=1e-12)
    assert line.holds == "proof"
    assert "does not exceed" in line.why


def test_a_similarity_dimension_above_that_of_the_space_says_so():
    line = certify_cells(ifs(id="fern", maps="fern", depth=2)).line("similarity_dimension")
    assert line.value > 8
    assert "neither does it exceed 2" in line.why


def test_cells_that_stay_apart_make_the_dimension_exact():
    """The Cantor set of the middle nine tenths: its parts are .9 apart, whatever comes below."""
    cantor = ifs(id="cantor", maps=maps([[[0.05]], [[0.05]]], [[0.0], [0.95]]), depth=6)
    found = certify_cells(cantor)
    line, gap = found.line("similarity_dimension"), found.line("separation_of_cells")
    assert line.value == pytest.approx(math.log(2) / math.log(20))
    assert "the box dimension itself" in line.why
    assert (gap.holds, found.line("separation").holds) == ("proof", "proof")
    for level in range(1, 7):
        assert gap.value <= found.line("cells", level=level).value * (1 + 1e-9)


def test_no_gap_is_claimed_where_cells_touch(koch):
    line = certify_cells(koch).line("separation_of_cells")
    assert (line.holds, line.value) == ("no", None)
    assert "may touch" in line.why


@pytest.mark.parametrize("scale_factor", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_smooth_generators_keep_what_is_proven(scale_factor, seed):
    truth = cfg(id="smooth", depth=5, arity=3, dimension=2, scale_factor=scale_factor, seed=seed)
    found = certify_cells(truth, depth=3)
    assert found.line("separation").value == truth.separation
    assert found.line("separation").holds == "proof"
    for level in range(1, 6):
        assert found.line("siblings", level=level).value >= truth.separation
        if found.line("separation_of_cells").holds == "proof":
            assert found.line("cells", level=level).value >= found.line("separation_of_cells").value
    cells = truth.cells
    upper, deep = (cells.center[cells.level_rows(level)] for level in (3, 5))
    farthest = np.linalg.norm(deep[:, None] - upper[None], axis=2).min(axis=1).max()
    assert farthest <= found.line("truncation").value
    assert found.line("path_truncation").value == 2 * found.line("truncation").value


@pytest.mark.parametrize("precision", [3.0, 1e-2, 1e-6, 1e-12])
def test_the_depth_for_a_precision_is_the_first_that_reaches_it(koch, precision):
    found = certify_cells(koch, precision=precision)
    assert found.line("depth_for_precision").value == found.depth
    assert found.line("truncation").value <= precision
    if found.depth:
        assert certify_cells(koch, depth=found.depth - 1).line("truncation").value > precision
    assert ("more are to be grown" in found.line("depth_for_precision").why) == (found.depth > 5)


def test_where_truncation_is_below_rounding_it_is_said(koch):
    assert "tell such cells apart" in certify_cells(koch, depth=300).line("rounding").why
    assert "tell such cells apart" not in certify_cells(koch, depth=20).line("rounding").why


def test_what_centers_round_stays_below_the_bound():
    """Against the same centers, added up in long double: an interval far from the origin."""
    far = ifs(id="far", maps=maps([[[0.7]], [[0.7]]], [[300.0], [300.7]]), depth=12)
    cells, exact = far.cells, np.zeros(len(far.cells), dtype=np.longdouble)
    exact[0] = cells.center[0, 0]
    for row in range(1, len(cells)):
        scale = np.longdouble(far.scale_factor) ** int(cells.level[row] - 1)
        exact[row] = exact[cells.parent[row]] + scale * np.longdouble(cells.residual[row, 0])
    for level in (1, 5, 12):
        off = np.abs(exact - cells.center[:, 0])[cells.level_rows(level)].max()
        assert off <= certify_cells(far, depth=level).line("rounding").value


BAD = {
    "both": ({"precision": 1e-3, "depth": 2}, "a precision or a depth, got both"),
    "no precision": ({"precision": 0.0}, "above 0"),
    "negative": ({"precision": -1e-3}, "above 0"),
    "infinite": ({"precision": math.inf}, "finite number"),
    "not a number": ({"precision": math.nan}, "finite number"),
    "too fine": ({"precision": 1e-15}, "at least 1.4e-14"),
    "far too fine": ({"precision": 5e-324}, "at least"),
    "negative depth": ({"depth": -1}, "at least 0"),
    "no whole number": ({"depth": 2.5}, "whole number"),
    "absurd": ({"depth": 10**6}, f"at most {DEPTH_MAX}"),
    "below any double": ({"depth": 3000}, "at most 64"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_questions(koch, case):
    asked, told = BAD[case]
    with pytest.raises(InputError, match=told):
        certify_cells(koch, **asked)


def test_the_deepest_depth_that_is_named_can_be_asked_for(koch):
    with pytest.raises(InputError) as error:
        certify_cells(koch, depth=DEPTH_MAX)
    deepest = int(str(error.value).split("at most ")[1].split(",")[0])
    assert certify_cells(koch, depth=deepest).line("truncation").value > 0
    with pytest.raises(InputError):
        certify_cells(koch, depth=deepest + 3)


def test_one_child_a_cell():
    found = certify_cells(cfg(id="chain", depth=20, arity=1, dimension=2))
    assert found.line("similarity_dimension").value == 0
    assert "no siblings" in found.line("separation").why
    assert {found.line("siblings", level=7).holds, found.line("cells", level=7).holds} == {"no"}
    assert found.line("box_counting_dimension").holds == "no"


def test_a_root_alone():
    found = certify_cells(cfg(id="root", depth=0, arity=3, dimension=2))
    assert (found.depth, found.cells, found.line("truncation").holds) == (0, 1, "proof")
    assert found.line("box_counting_dimension").holds == "no"
    assert not [line for line in found.lines if line.name in ("siblings", "cells")]


def test_a_rule_that_goes_nowhere():
    """All residuals are zero: everything is one point, and no depth is needed for anything."""
    root, zero = Cells.from_root(np.zeros(2)), np.zeros((1, 3, 2))
    still = {"arity": 3, "scale_factor": 0.5}
    cells = grow(root, rule=lambda frontier: np.repeat(zero, len(frontier), axis=0), depth=3, predicted=False, **still)
    known = {"id": "still", "origin": "ifs", "dimension": 2, "residual_bound": 0.0, "recipe": {}, **still}
    found = certify_cells(Hierarchy(**known, cells=cells), precision=1e-300)
    assert (found.depth, found.line("truncation").value) == (0, 0.0)
    assert (found.line("siblings", level=2).value, found.line("cells", level=2).value) == (0.0, 0.0)
    assert found.line("box_counting_dimension").why == "all its cells are one point"


@pytest.mark.parametrize("page_cells", [1, 7, 100])
@pytest.mark.parametrize("make", [grown_hierarchy, ragged_hierarchy])
def test_pages_of_any_size_tell_the_same(make, page_cells):
    hierarchy = make("it", arity=3, depth=5)
    one, other = certify_cells(hierarchy), certify_cells(hierarchy, page_cells=page_cells)
    assert one == other


def test_levels_tell_what_loops_find():
    hierarchy = ragged_hierarchy("ragged", arity=3, depth=6)
    cells, found = hierarchy.cells, certify_cells(hierarchy)
    for level in range(1, 7):
        rows = np.arange(*cells.level_rows(level).indices(len(cells))[:2])
        families = [cells.residual[rows[cells.parent[rows] == parent]] for parent in np.unique(cells.parent[rows])]
        siblings = min(np.linalg.norm(f[i] - f[j]) for f in families for i in range(3) for j in range(i))
        assert found.line("siblings", level=level).value == pytest.approx(siblings)
        gaps = np.linalg.norm(cells.center[rows][:, None] - cells.center[rows][None], axis=2)
        closest = gaps[~np.eye(len(rows), dtype=bool)].min() / hierarchy.scale_factor ** (level - 1)
        assert found.line("cells", level=level).value == pytest.approx(closest)


def test_slots_of_two_digits_are_in_no_order_of_keys():
    wide = cfg(id="wide", depth=2, arity=12, dimension=3)
    found = certify_cells(wide, page_cells=5)
    expected = min(np.linalg.norm(t[i] - t[j]) for t in wide.cells.expansions(12)[1][1:] for i in range(12) for j in range(i))
    assert found.line("siblings", level=2).value == pytest.approx(expected)


@pytest.mark.parametrize("dimension", [1, 3, 4, 5, 9])
def test_the_smallest_pair_equals_brute_force(dimension):
    for seed in range(5):
        cloud = np.random.default_rng(seed).normal(size=(200, dimension))
        gaps = np.linalg.norm(cloud[:, None] - cloud[None], axis=2) + 1e9 * np.eye(200)
        assert smallest_pair(cloud) == pytest.approx(gaps.min(), rel=1e-12)
    assert smallest_pair(np.concatenate([cloud, cloud[:1]])) == 0.0


def test_many_equal_points_take_no_time():
    assert smallest_pair(np.zeros((60_000, 2))) == 0.0


def test_cells_that_coincide_but_for_rounding():
    found = certify_cells(ifs(id="levy", maps="levy", depth=10))
    line = found.line("cells", level=10)
    assert (line.value, line.holds) == (0.0, "measurement")
    assert "coincide" in line.why
    assert found.line("siblings", level=10).value == pytest.approx(0.5)


def test_levels_of_too_many_cells_have_siblings_alone(monkeypatch):
    monkeypatch.setattr("cfgraph.comparing.survey.LEVEL_CELLS", 100)
    found = certify_cells(ifs(id="koch", maps="koch", depth=4))
    assert found.line("cells", level=3).holds == "measurement"
    assert "siblings alone" in found.line("cells", level=4).why
    assert found.line("siblings", level=4).holds == "measurement"


def test_families_of_too_many_children_are_left_out(monkeypatch):
    monkeypatch.setattr("cfgraph.comparing.survey.LEVEL_CELLS", 10)
    found = certify_cells(cfg(id="wide", depth=2, arity=12, dimension=3), page_cells=5)
    assert found.line("siblings", level=2).holds == "no"
    assert "12 families have more than the 10 children" in found.line("siblings", level=2).why


def test_memory_does_not_grow_with_the_cells():
    """What a survey keeps of the pages it has seen: the boxes, centers of small levels, and one line of ancestors."""
    deep = ifs(id="koch", maps="koch", depth=7)
    survey = Survey(deep.without_cells(), depth=7)
    for page in pages_of(deep.cells, size=500):
        survey.add(page)
        assert len(survey._open.names) <= 8
        assert len(survey._children.parents) <= 4 * 8
    assert most_cells(784) * 784 <= 4_000_000


def test_data_built_fields_are_measured(koch):
    data = np.random.default_rng(0).normal(size=(300, 2))
    tree, rule = points(id="tree", data=data, depth=4), induced(id="rule", data=data, depth=4, arity=3)
    assert certify_cells(tree).line("truncation").holds == "no"
    assert certify_cells(tree).line("similarity_dimension").holds == "measurement"
    assert certify_cells(rule).line("truncation").holds == "proof"
    assert certify_cells(rule).line("separation").holds == "no"
    assert certify_cells(grown_hierarchy("own")).line("truncation").holds == "measurement"


def test_cells_of_a_predictor_have_no_known_bound(koch):
    predicted = koch.with_cells(koch.cells.with_columns(predicted=koch.cells.level > 2))
    found = certify_cells(predicted)
    assert {found.line(name).holds for name in ("truncation", "separation", "rollout")} == {"no"}


def test_cells_that_break_an_invariant_are_refused(koch):
    center = koch.cells.center.copy()
    center[100] += 1e-3
    with pytest.raises(DamagedError, match="its center is not"):
        certify_cells(koch.with_cells(koch.cells.with_columns(center=center)))


def test_an_unknown_line_lists_those_there_are(koch):
    with pytest.raises(KeyError, match="truncation"):
        certify_cells(koch).line("nothing")
