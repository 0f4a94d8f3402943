"""Compare against a slow comparison cell by cell, on whole and ragged trees, with and without windows."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import directed_hausdorff

from cfgraph.comparing import compare, tallies
from cfgraph.comparing.compare import check_comparable, compare_cells
from cfgraph.comparing.measures import Reservoir, Sample, path_distortion
from cfgraph.comparing.parts import groups_of
from cfgraph.comparing.report import DISTORTION_REMARK, SLOTS_REMARK
from cfgraph.comparing.windows import Cut, match_rows
from cfgraph.errors import InputError
from cfgraph.learning.train import train
from cfgraph.metric.distances import path_distances
from cfgraph.model.cells import EXPANDED, FRONTIER, LEAF, Cells
from cfgraph.model.growth import frontier_of, grow
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.model.reader import CellsReader, subtree
from cfgraph.predictors import BASELINES, BESIDE
from cfgraph.predictors.predictor import Predictor
from cfgraph.sources.cfg import cfg
from cfgraph.sources.ifs import ifs
from tests.trees import build_cells
from tests.tuples import measure_tuples

MEASURES = ("mse", "nmse", "pi_cd", "pi_mse", "slot_accuracy")


class Bent(Predictor):
    """A smooth rule of its own: 0.4 times a rotated, shifted sine of the center, and a share of the parent's tuple."""

    family = "bent"

    def _tuples(self, frontier):
        waves = np.sin(frontier.center[:, None] + np.arange(self.arity)[:, None])
        return 0.4 * waves + 0.3 * frontier.parent_tuple + 0.1 * frontier.slot[:, None, None]

    @classmethod
    def learn(cls, observed, tuples, *, how):
        return {}


def bent(cells: Cells, *, arity: int) -> Bent:
    return Bent(arity=arity, dimension=cells.dimension, scale_factor=0.5, residual_bound=5.0)


def truth_of(cells: Cells, *, arity: int, **changes) -> Hierarchy:
    fields = {"id": "truth", "origin": "points", "scale_factor": 0.5, "residual_bound": 9.0, "recipe": {}, "data_built": True}
    return Hierarchy(**{**fields, "arity": arity, "dimension": cells.dimension, "cells": cells, **changes})


@st.composite
def split_trees(draw, *, arity: int, depth: int):
    """A tree in which every cell has all its children or none, with random residuals; the root has all of them."""
    rows, last = [(-1, -1)], [0]
    for level in range(depth):
        here = []
        for parent in last:
            if level == 0 or draw(st.booleans()):
                here += range(len(rows), len(rows) + arity)
                rows += [(parent, slot) for slot in range(arity)]
        last = here
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    residual = random.normal(size=(len(rows), 2)).round(1)
    return build_cells(rows, residual=residual.tolist(), ends=[LEAF] * len(rows), scale_factor=0.5)


@st.composite
def pairs_of_trees(draw):
    arity = draw(st.integers(1, 3))
    true, other = (draw(split_trees(arity=arity, depth=draw(st.integers(1, 4)))) for _ in range(2))
    return arity, true, other


def by_address(cells: Cells) -> dict[str, int]:
    return {address: row for row, address in enumerate(cells.addresses)}


def slow_levels(true, other, *, arity, from_depth, rule):
    """Every level's measures from dictionaries of addresses."""
    mine, its = by_address(true), by_address(other)
    for level in range(from_depth + 1, max(true.depth, other.depth) + 1):
        here, there = ({a for a, row in known.items() if c.level[row] == level} for known, c in ((mine, true), (its, other)))
        both = here & there
        errors = [float(np.linalg.norm(true.center[mine[a]] - other.center[its[a]])) for a in both]
        parents = [a for a, row in mine.items() if true.level[row] == level - 1 and true.child_count[row] == arity]
        shared = [a for a in parents if a in its and other.child_count[its[a]] == arity]
        yield {
            "level": level,
            "matched": len(both),
            "only_true": len(here - there),
            "only_predicted": len(there - here),
            "max_center_error": max(errors, default=None),
            "parents": len(parents),
            "parents_rolled_out": len(shared),
            "teacher_forced": slow_tuples(rule(true, [mine[a] for a in parents]), tuples_at(true, mine, parents, arity)),
            "rolled_out": slow_tuples(tuples_at(other, its, shared, arity), tuples_at(true, mine, shared, arity)),
        }


def tuples_at(cells, rows, addresses, arity):
    found = [[cells.residual[rows[f"{a.rstrip('/')}/{slot}"]] for slot in range(arity)] for a in addresses]
    return np.array(found).reshape(-1, arity, cells.dimension)


def slow_tuples(predicted, true):
    return vars(measure_tuples(np.array(predicted).reshape(true.shape), true))


def slow_rule(predictor, *, arity):
    """A predictor asked about one cell at a time."""

    def ask(cells, rows):
        return [predictor.predict(frontier_of(cells, np.array([row]), arity=arity))[0] for row in rows]

    return ask


def approximately(value):
    return None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)


@given(pairs_of_trees(), st.integers(0, 2), st.sampled_from([None, 2, 8]))
@settings(max_examples=60, deadline=None)
def test_levels_against_a_slow_comparison(trees, from_depth, window_cells):
    arity, true, other = trees
    predictor = bent(true, arity=arity)
    report = compare_cells(
        truth_of(true, arity=arity), other, predictor=predictor, from_depth=from_depth, pairs=20, window_cells=window_cells
    )
    slow = list(slow_levels(true, other, arity=arity, from_depth=from_depth, rule=slow_rule(predictor, arity=arity)))
    assert [level.level for level in report.levels] == [level["level"] for level in slow]
    for found, expected in zip(report.levels, slow, strict=True):
        for name in ("matched", "only_true", "only_predicted", "parents", "parents_rolled_out"):
            assert getattr(found, name) == expected[name]
        assert found.rolled_out.max_center_error == approximately(expected["max_center_error"])
        for side in ("teacher_forced", "rolled_out"):
            for name in MEASURES:
                assert getattr(getattr(found, side), name) == approximately(expected[side][name]), (side, name)


def slow_grown(true, predictor, *, arity, from_depth):
    """Centers and tuples that a predictor grows in the places of the true cells, a cell at a time from the root down."""
    cells = true.with_columns(center=true.center.copy(), residual=true.residual.copy(), length=true.length.copy())
    for row in range(len(true)):
        if true.level[row] >= from_depth and true.child_count[row] == arity:
            tuples = predictor.predict(frontier_of(cells, np.array([row]), arity=arity))[0]
            for slot in range(arity):
                child = true.first_child[row] + slot
                cells.residual[child] = tuples[slot]
                cells.center[child] = cells.center[row] + cells.scale[row] * tuples[slot]
                cells.length[child] = cells.scale[row] * np.linalg.norm(tuples[slot])
    return cells


@given(split_trees(arity=2, depth=5), st.integers(1, 2), st.sampled_from([None, 3, 9]))
@settings(max_examples=30, deadline=None)
def test_baselines_are_grown_over_the_true_tree(true, from_depth, window_cells):
    """The parent's tuple is the baseline that looks farthest up: across windows too."""
    report = compare_cells(truth_of(true, arity=2), true, from_depth=from_depth, pairs=20, window_cells=window_cells)
    assert tuple(report.baselines) == BASELINES
    observed = train(truth_of(true, arity=2), id="p", depth=min(from_depth, true.depth), family="parent").load()
    grown = slow_grown(true, observed, arity=2, from_depth=from_depth)
    errors = np.linalg.norm(grown.center - true.center, axis=1)
    for level in report.baselines["parent"].levels:
        rows = true.level_rows(level.level)
        assert level.rolled_out.max_center_error == approximately(errors[rows].max())
        assert (level.matched, level.only_true, level.only_predicted) == (rows.stop - rows.start, 0, 0)
        parents = np.flatnonzero((true.level == level.level - 1) & (true.child_count == 2))
        children = true.first_child[parents][:, None] + np.arange(2)
        slow = measure_tuples(grown.residual[children], true.residual[children])
        assert level.rolled_out.mse == approximately(slow.mse)


@given(pairs_of_trees(), st.sampled_from([None, 2, 8]))
@settings(max_examples=40, deadline=None)
def test_hausdorff_distance_of_the_deepest_centers(trees, window_cells):
    arity, true, other = trees
    report = compare_cells(truth_of(true, arity=arity), other, from_depth=1, pairs=20, window_cells=window_cells)
    depth = min(true.depth, other.depth)
    assert report.hausdorff_level == depth
    sets = deepest(true, depth), deepest(other, depth), deepest(true, 1)
    distances = [max(directed_hausdorff(sets[0], s)[0], directed_hausdorff(s, sets[0])[0]) for s in sets[1:]]
    diameter = float(np.linalg.norm(np.ptp(true.center, axis=0)))
    assert report.hausdorff == approximately(distances[0])
    assert report.diameter == approximately(diameter)
    assert report.hausdorff_over_diameter == (approximately(distances[0] / diameter) if diameter else None)
    assert report.skill == (approximately(1 - distances[0] / distances[1]) if distances[1] else None)


def deepest(cells, depth):
    known = zip(cells.center, cells.level, cells.child_count, strict=True)
    return np.array([center for center, level, children in known if level == depth or (level < depth and not children)])


def exact_pair(*, depth: int = 7, from_depth: int = 2, map_name: str = "koch"):
    truth = ifs(id=map_name, maps=map_name, depth=depth)
    trained = train(truth, id="rule", depth=from_depth, family="recurrence")
    predictor = trained.load()
    return truth, trained, grown(truth, predictor, from_depth=from_depth)


def grown(truth: Hierarchy, predictor: Predictor, *, from_depth: int, depth: int | None = None) -> Cells:
    return grow(
        truth.cells.prefix(from_depth),
        rule=predictor.predict,
        arity=truth.arity,
        scale_factor=truth.scale_factor,
        depth=depth or truth.cells.depth,
    )


@pytest.mark.parametrize("map_name", ["koch", "fern", "levy"])
def test_an_exact_recurrence_is_reported_as_exact_and_certified(map_name):
    truth, trained, predicted = exact_pair(map_name=map_name, depth=6)
    report = compare_cells(truth, predicted, trained=trained)
    assert (report.from_depth, [level.level for level in report.levels]) == (2, [3, 4, 5, 6])
    for level in report.levels:
        assert level.rolled_out.slot_accuracy == level.teacher_forced.slot_accuracy == 1
        assert level.rolled_out.max_center_error <= level.certificate <= 1e-9 * report.diameter
    assert report.certificates.side == "recurrence"
    assert report.hausdorff <= 1e-12 * report.diameter
    assert report.skill == pytest.approx(1, abs=1e-12)
    assert report.path_distortion.max_additive <= 1e-12 * report.diameter
    assert min(found.levels[-1].teacher_forced.nmse for found in report.baselines.values()) > 0.1


def assert_certified(found):
    for level, bound in zip(found.levels, found.certificates.by_level, strict=True):
        assert level.rolled_out.max_center_error <= bound * (1 + 1e-12)
        assert bound <= level.certificate * (1 + 1e-9)
    assert found.levels[-1].certificate <= found.certificates.from_root * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("from_depth", [1, 3])
def test_every_certificate_of_a_generators_comparison_holds(seed, from_depth):
    truth = cfg(id="smooth", depth=6, arity=3, dimension=2, scale_factor=0.6, seed=seed)
    trained = train(truth, id="p", depth=from_depth, family="affine")
    report = compare_cells(truth, grown(truth, trained.load(), from_depth=from_depth), trained=trained, window_cells=200)
    for found in (report, *report.baselines.values()):
        assert found.certificates.side is not None
        assert_certified(found)


def test_certificates_where_the_truth_is_no_generator():
    truth, _, _ = exact_pair(depth=6)
    affine = train(truth, id="p", depth=3, family="affine")
    report = compare_cells(truth, grown(truth, affine.load(), from_depth=3), trained=affine)
    assert report.certificates.side == "predictor"
    assert report.baselines["parent"].certificates.side == "recurrence"
    for found in (report, *(report.baselines[name] for name in ("zero", "mean", "parent", "scaled-parent"))):
        assert_certified(found)
    nearest = report.baselines["nearest"]
    assert (nearest.certificates.side, nearest.certificates.lipschitz) == ("generator", None)
    assert_certified(nearest)
    unknown = compare_cells(truth.replace(origin="test"), grown(truth, affine.load(), from_depth=3), trained=affine)
    nearest = unknown.baselines["nearest"]
    assert nearest.levels[0].certificate is None
    assert "'nearest'" in nearest.certificates.reason


def test_the_measured_constant_certifies_beside_the_proven_one():
    truth = cfg(id="smooth", depth=6, arity=3, dimension=2, scale_factor=0.6)
    trained = train(truth, id="p", depth=3, family="affine")
    report = compare_cells(truth, grown(truth, trained.load(), from_depth=3), trained=trained, window_cells=200)
    for found in (report, *report.baselines.values()):
        measured = found.certificates.measured
        assert 0 < measured.lipschitz <= truth.lipschitz
        for level, bound in zip(found.levels, measured.by_level, strict=True):
            assert level.rolled_out.max_center_error <= bound
    assert report.certificates.measured.eta <= truth.residual_bound * 2
    exact_truth, _, exact = exact_pair(depth=4)
    assert compare_cells(exact_truth, exact, from_depth=2).certificates.measured is None


def test_a_prediction_deeper_than_the_truth():
    truth = cfg(id="smooth", depth=5, arity=3, dimension=2, seed=1)
    deeper = cfg(id="smooth", depth=7, arity=3, dimension=2, seed=1)
    trained = train(truth, id="p", depth=3, family="mean")
    predicted = grown(truth, trained.load(), from_depth=3, depth=7)
    report = compare_cells(truth, predicted, trained=trained, window_cells=100)
    assert [(level.matched, level.only_predicted) for level in report.levels] == [(81, 0), (243, 0), (0, 729), (0, 2187)]
    assert report.levels[-1].rolled_out.max_center_error is None
    errors = np.linalg.norm(predicted.center - deeper.cells.center, axis=1)
    if report.certificates.side == "generator":  # its eta was measured at all predicted centers: the bound holds there too
        assert errors.max() <= report.levels[-1].certificate
    else:
        assert report.levels[-1].certificate is None


def test_progress_counts_the_true_cells(monkeypatch):
    monkeypatch.setattr(tallies, "PART_CELLS", 100)
    truth, trained, predicted = exact_pair(depth=4)
    seen = []
    question = compare.Question(
        true=truth.without_cells(),
        predicted="grown",
        true_cells=CellsReader(truth.cells),
        predicted_cells=CellsReader(predicted),
        from_depth=2,
        trained=trained,
        window_cells=100,
    )
    question.answer(progress=lambda done, total: seen.append((done, total)))
    assert seen == [(5 + 84 * window, 341) for window in range(5)]


def test_windows_do_not_change_the_report():
    truth, trained, predicted = exact_pair(depth=5)
    wrong = predicted.with_columns(center=predicted.center + 1e-3 * (predicted.level > 3)[:, None])
    reports = [compare_cells(truth, wrong, trained=trained, window_cells=cells) for cells in (None, 400, 30)]
    whole, *parts = (json.loads(report.to_json()) for report in reports)
    for part in parts:
        assert_same(part, whole)


def assert_same(found, expected, place=""):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name in expected:
            assert_same(found[name], expected[name], f"{place}.{name}")
    elif isinstance(expected, list):
        for item, other in zip(found, expected, strict=True):
            assert_same(item, other, f"{place}[]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-25), place
    else:
        assert found == expected, place


def test_path_distortion_of_a_stretched_field_is_the_stretch():
    """Below a prefix of depth 0 all lengths are 1.25 times the true ones, whatever pairs are drawn."""
    truth = cfg(id="field", depth=5, arity=2, dimension=2, rule="constant")
    cells = truth.cells
    stretched = cells.with_columns(residual=1.25 * cells.residual, length=1.25 * cells.length, center=1.25 * cells.center)
    report = compare_cells(truth, stretched, pairs=501, seed=3)
    paths = report.path_distortion
    assert (paths.pairs + paths.left_out, paths.seed) == (501, 3)
    assert paths.mean_relative == pytest.approx(0.25)
    assert paths.max_relative == pytest.approx(0.25)
    assert paths.multiplicative == pytest.approx(1)
    assert 0 < paths.max_additive <= 0.25 * 2 * cells.root_distance.max()


def test_path_distortion_estimates_that_of_all_pairs():
    truth = cfg(id="field", depth=5, arity=3, dimension=2, seed=2)
    trained = train(truth, id="p", depth=2, family="mean")
    predicted = grown(truth, trained.load(), from_depth=2)
    report = compare_cells(truth, predicted, trained=trained, pairs=4000)
    first, second = all_pairs(truth.cells, from_depth=2)
    all_of_them = path_distortion(*(path_distances(cells, first, second) for cells in (predicted, truth.cells)))
    assert report.path_distortion.max_relative <= all_of_them.max_relative * (1 + 1e-9)
    assert report.path_distortion.max_relative >= 0.8 * all_of_them.max_relative
    assert report.path_distortion.max_additive <= all_of_them.max_additive * (1 + 1e-9)


def all_pairs(cells, *, from_depth):
    """Every two cells of one unseen level, and every cell of one with each of its ancestors."""
    pairs = []
    for row in np.flatnonzero(cells.level > from_depth).tolist():
        pairs += [(row, other) for other in range(*cells.level_rows(int(cells.level[row])).indices(len(cells))) if other != row]
        above = cells.parent[row]
        while above >= 0:
            pairs.append((row, above))
            above = cells.parent[above]
    return np.array(pairs).T


def test_pairs_of_distance_zero_are_left_out_and_counted():
    cells = grow(
        Cells.from_root(np.zeros(2)),
        rule=lambda frontier: np.tile([[0.0, 0.0], [1.0, 0.0]], (len(frontier), 1, 1)),
        arity=2,
        scale_factor=0.5,
        depth=4,
    ).with_columns(predicted=np.zeros(31, dtype=bool))
    report = compare_cells(truth_of(cells, arity=2), cells, pairs=300)
    assert report.path_distortion.left_out > 0
    assert report.path_distortion.pairs + report.path_distortion.left_out == 300
    assert report.path_distortion.max_relative == 0


def test_many_centers_are_sampled_and_said_so(monkeypatch):
    monkeypatch.setattr(compare, "CENTER_FLOATS", 1)
    truth, trained, predicted = exact_pair(depth=6)
    report = compare_cells(truth, predicted, trained=trained)
    assert vars(report.hausdorff_sample) == {"true": 1000, "true_of": 4096, "predicted": 1000, "predicted_of": 4096}
    assert report.hausdorff <= 1e-12
    assert json.loads(report.to_json())["hausdorff_sample"]["true_of"] == 4096


@pytest.mark.parametrize("dimension", [1, 4, 5, 64, 4096])
def test_samples_of_centers_are_bounded(dimension):
    size = compare.center_sample_size(dimension)
    assert size >= 1000
    assert size * dimension <= max(compare.CENTER_FLOATS, 1000 * dimension)
    assert dimension <= 4 or size**2 * dimension <= max(compare.CENTER_WORK, 1e6 * dimension)


def test_json_has_the_promised_shape():
    truth, trained, predicted = exact_pair(depth=4)
    found = json.loads(compare_cells(truth, predicted, trained=trained, predicted_id="grown").to_json())
    whole = {"true", "predicted", "from_depth", "levels", "path_distortion", "hausdorff", "hausdorff_over_diameter", "skill"}
    assert whole | {"baselines"} <= found.keys()
    assert (found["true"], found["predicted"], found["from_depth"]) == ("koch", "grown", 2)
    for shape in (found, *found["baselines"].values()):
        assert whole <= shape.keys()
        for level in shape["levels"]:
            names = {
                "level",
                "parents",
                "teacher_forced",
                "rolled_out",
                "certificate",
                "matched",
                "only_true",
                "only_predicted",
            }
            assert names <= level.keys()
            assert set(MEASURES) == level["teacher_forced"].keys()
            assert {*MEASURES, "max_center_error"} == level["rolled_out"].keys()
        names = {"pairs", "mean_relative", "max_relative", "multiplicative", "max_additive"}
        assert names <= shape["path_distortion"].keys()
    assert set(found["baselines"]) == set(BASELINES)
    assert set(found["beside"]) == set(BESIDE) - set(BASELINES) == {"local-linear"}
    assert not any("baselines" in shape for shape in found["baselines"].values())


def test_what_is_not_a_number_is_null():
    truth, trained, predicted = exact_pair(depth=4)
    collapsed = predicted.with_columns(length=np.where(predicted.level > 2, 0.0, predicted.length))
    report = compare_cells(truth, collapsed, trained=trained)
    assert report.path_distortion.multiplicative == math.inf
    assert json.loads(report.to_json())["path_distortion"]["multiplicative"] is None


def test_two_truths_are_compared_without_teacher_forcing():
    koch, levy = (ifs(id=name, maps=name, depth=4) for name in ("koch", "fern"))
    report = compare_cells(koch, koch.cells)
    assert (report.from_depth, report.baselines) == (0, {})
    assert all(level.rolled_out.mse == 0 and level.teacher_forced.mse is None for level in report.levels)
    assert any("nothing is teacher-forced" in remark for remark in report.remarks)
    assert "no one predictor is known" in report.certificates.reason
    with pytest.raises(InputError, match="root center"):
        compare_cells(koch, levy.cells)


def test_a_prefix_that_is_not_the_truths_has_no_certificate():
    truth, trained, predicted = exact_pair(depth=4)
    moved = predicted.center.copy()
    moved[3] += 0.1
    report = compare_cells(truth, predicted.with_columns(center=moved), trained=trained)
    assert report.levels[0].certificate is None
    assert "prefix is not the truth's" in report.certificates.reason


def test_flagged_predictors_are_warned_of():
    truth = cfg(id="smooth", depth=4, arity=4, dimension=2)
    trained = train(truth, id="bad", depth=2, family="recurrence")
    assert trained.flagged
    report = compare_cells(truth, grown(truth, trained.load(), from_depth=2), trained=trained)
    assert any("FLAGGED" in warning and "'bad'" in warning for warning in report.warnings)


def test_remarks():
    truth, trained, predicted = exact_pair(depth=4)
    assert compare_cells(truth, predicted, trained=trained).remarks == (DISTORTION_REMARK,)
    data_built = truth.replace(data_built=True)
    assert SLOTS_REMARK in compare_cells(data_built, predicted, trained=trained).remarks
    elsewhere = trained.model_copy(update={"hierarchy": "other"})
    assert any("trained on 'other'" in remark for remark in compare_cells(truth, predicted, trained=elsewhere).remarks)


def test_a_truth_with_predicted_cells_is_warned_of():
    truth, trained, predicted = exact_pair(depth=4)
    report = compare_cells(truth.with_cells(predicted), predicted, trained=trained)
    assert any("taken for the truth" in warning for warning in report.warnings)


def test_seeds_repeat_the_training():
    truth, trained, predicted = exact_pair(depth=5)
    report = compare_cells(truth, predicted, trained=trained, seeds=3)
    seeds = report.seeds
    assert (seeds.seeds, seeds.family, seeds.flagged) == ((0, 1, 2), "recurrence", ())
    assert [level.level for level in seeds.levels] == [level.level for level in report.levels]
    for level, own in zip(seeds.levels, report.levels, strict=True):
        assert level.rolled_out["slot_accuracy"].mean == 1
        spread = level.rolled_out["max_center_error"]
        assert spread.min <= spread.mean <= spread.max
        assert spread.std == pytest.approx(0, abs=1e-15)
        assert level.teacher_forced["mse"].mean == pytest.approx(own.teacher_forced.mse)
    assert "seeds" not in report.baselines
    single = compare_cells(truth, predicted, trained=trained, seeds=1)
    assert single.seeds.skill.mean == pytest.approx(1)
    assert single.seeds.skill.std is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"pairs": 0}, "pairs of at least 1"),
        ({"seeds": -1}, "seeds of at least 0"),
        ({"seeds": 2, "trained": None}, "grown by none"),
        ({"from_depth": -1}, "prefix of depth 0 or more"),
        ({"seed": -1}, "seed of at least 0"),
    ],
)
def test_questions_that_make_no_sense(changes, told):
    truth, trained, predicted = exact_pair(depth=3)
    with pytest.raises(InputError, match=told):
        compare_cells(truth, predicted, **{"trained": trained, **changes})


def test_hierarchies_that_do_not_belong_together():
    truth, _, predicted = exact_pair(depth=3)
    with pytest.raises(InputError, match="dimension, got 'koch' with 2 and 'predicted' with 3"):
        compare_cells(truth, Cells.from_root(np.zeros(3)))
    with pytest.raises(InputError, match=r"root scale, got 'koch' with .* and 'predicted' with"):
        compare_cells(truth, Cells.from_root(truth.cells.center[0], scale=2.0))
    three = grow(truth.cells.prefix(0), rule=lambda f: np.ones((1, 3, 2)), arity=3, scale_factor=truth.scale_factor, depth=1)
    with pytest.raises(InputError, match="arity, got 'koch' with 4 and 'predicted' with 3"):
        compare_cells(truth, three)
    slower = predicted.with_columns(scale=0.9**predicted.level)
    with pytest.raises(InputError, match=r"scale factor, got 'koch' with 0.33.* and 'predicted' with 0.9"):
        compare_cells(truth, slower)
    with pytest.raises(InputError, match="holds no cells"):
        compare_cells(truth.without_cells(), predicted)
    for name, value in (("arity", 5), ("dimension", 3), ("scale_factor", 0.7)):
        other = truth.without_cells().replace(**{"id": "other", name: value})
        with pytest.raises(InputError, match=rf"{name.replace('_', ' ')}, got 'koch' with .* and 'other' with {value}"):
            check_comparable(truth, other)
    check_comparable(truth, truth)


@given(pairs_of_trees())
@settings(max_examples=50, deadline=None)
def test_cells_match_by_address(trees):
    _, true, other = trees
    rows = by_address(other)
    assert match_rows(true, other).tolist() == [rows.get(address, -1) for address in true.addresses]


@given(split_trees(arity=2, depth=4), st.data())
@settings(max_examples=50, deadline=None)
def test_subtrees_are_the_cells_below(true, data):
    top = data.draw(st.sampled_from(true.addresses))
    below = subtree(true, top)
    expected = [a for a in true.addresses if top == "/" or a == top or a.startswith(f"{top}/")]
    assert below.addresses == expected
    assert below.top == top
    for row, address in enumerate(below.addresses):
        np.testing.assert_array_equal(below.center[row], true.center[true.row(address)])
        if row:
            assert address == f"{below.addresses[below.parent[row]].rstrip('/')}/{below.slot[row]}"


@pytest.mark.parametrize(("arity", "depth"), [(1, 30), (2, 12), (4, 9), (7, 4)])
def test_the_cut_keeps_windows_small(arity, depth):
    class Deep:
        def __init__(self, depth):
            self.depth = depth

        def count(self):
            raise AssertionError("nothing is counted to decide on the cut")

        def read(self, *, top, depth):
            raise AssertionError("nothing is read to decide on the cut")

    cut = Cut.of(Deep(depth), Deep(depth - 1), arity=arity, dimension=2, from_depth=1, seed=0, cells_max=1000)
    cells = sum(arity**level for level in range(depth - cut.height + 1))
    assert cells <= 1000
    assert cut.height == 0 or cells * arity + 1 > 1000


def test_a_reader_of_cells_cuts_as_a_store_does():
    truth, _, _ = exact_pair(depth=4)
    part = CellsReader(truth.cells).read(top="/1", depth=3)
    assert (part.top, part.depth, len(part)) == ("/1", 3, 21)
    assert set(part.state[part.level_rows(3)].tolist()) == {FRONTIER}
    assert set(part.state[part.level_rows(2)].tolist()) == {EXPANDED}


def test_samples_are_bounded():
    plan = tallies.Plan(4, 2, range(3, 9), 8, pairs=100, center_sample=1000, seed=0)
    assert plan.pairs_per_level * 2 * len(plan.levels) >= 100
    assert plan.path_sample == 2 * plan.pairs_per_level


def test_what_several_predictors_grew_has_no_certificate_of_one_of_them():
    truth, trained, predicted = exact_pair(depth=4)
    question = compare.Question(
        true=truth.without_cells().replace(origin="test"),
        predicted="mixed",
        true_cells=CellsReader(truth.cells),
        predicted_cells=CellsReader(predicted),
        from_depth=2,
        predictor=trained.load(),
        trained=trained,
        grown_by_one=False,
    )
    report = question.answer()
    assert report.levels[0].certificate is None
    assert "no one predictor" in report.certificates.reason
    assert report.levels[0].teacher_forced.slot_accuracy == 1
    assert report.baselines["mean"].levels[0].certificate is not None
    known = replace(question, true=truth.without_cells()).answer()  # the truth's own rule says how good anything is
    assert known.certificates.side == "generator"
    assert_certified(known)


def test_comparing_loads_nothing_heavy():
    heavy = ("torch", "sklearn", "scipy", "networkx", "neo4j")
    code = f"import sys, cfgraph.comparing.compare; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_reservoir_keeps_the_lowest_rows_of_all_samples():
    random = np.random.default_rng(0)
    priority = random.permutation(10_000).astype(np.uint64)
    reservoir, taken = Reservoir(700), 0
    reservoir.add(None)
    assert reservoir.sample() is None
    for part in np.array_split(priority, 37):
        kept = part[part <= np.uint64(reservoir.priority_max)]  # as whoever makes a sample leaves them out
        taken += len(kept)
        reservoir.add(Sample(kept, {"center": kept.astype(float)}, seen=len(part)).lowest(700))
    found = reservoir.sample()
    assert (sorted(found.priority.tolist()), found.seen) == (list(range(700)), 10_000)
    assert found.columns["center"].tolist() == found.priority.tolist()
    assert taken < 4_000


@pytest.mark.parametrize(("parts", "workers"), [(0, 2), (1, 2), (7, 3), (128, 2), (128, 16)])
def test_groups_hold_each_part_once_and_end_small(parts, workers):
    groups = groups_of(parts, workers=workers)
    assert [number for group in groups for number in group] == list(range(parts))
    sizes = [len(group) for group in groups]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1:] in ([], [1])
    assert max(sizes, default=1) <= max(1, parts / (2 * workers))
