"""Certify on hierarchies in a real store: rollouts against what comes out, imported and damaged ones."""

import json

import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage as scipy_linkage

from cfgraph.comparing.certify import certify, certify_cells
from cfgraph.errors import ChangedError, DamagedError, InputError, NotFoundError
from cfgraph.files.embeddings import Embeddings
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.metric.distances import path_distances
from cfgraph.sources.cfg import cfg
from cfgraph.sources.ifs import ifs
from cfgraph.sources.linkage import linkage
from cfgraph.sources.points import points
from cfgraph.store import reading


def grow_copy(store, new_id, truth, *, family, depth, from_depth=2):
    """A copy of a truth that a predictor grew: its id."""
    rule, copy = new_id("rule"), new_id("copy")
    store.write(truth)
    store.write_predictor(train(truth, id=rule, depth=from_depth, family=family))
    rollout(store, truth.id, predictor=rule, stop=Stop(depth=depth), from_depth=from_depth, copy_as=copy)
    return copy


def told_without_rollout(certification):
    """All that is told but what is said of a rollout, which a store alone knows."""
    names = ("rollout", "path_rollout", "whole")
    return [line for line in certification.lines if line.name not in names], certification.box_counting


@pytest.mark.parametrize("page_cells", [7, 300, 20_000])
def test_pages_of_the_store_tell_what_cells_in_memory_do(store, new_id, monkeypatch, page_cells):
    truth = ifs(id=new_id("koch"), maps="koch", depth=5)
    store.write(truth)
    monkeypatch.setattr(reading, "PAGE_CELLS", page_cells)
    found, expected = certify(store, truth.id, depth=40), certify_cells(truth, depth=40)
    assert told_without_rollout(found) == told_without_rollout(expected)


@pytest.mark.parametrize("make", ["affine", "smooth"])
def test_bounds_of_a_rollout_hold_for_what_was_grown(store, new_id, make):
    if make == "affine":
        truth, family = ifs(id=new_id("fern"), maps="fern", depth=5), "recurrence"
    else:
        truth, family = cfg(id=new_id("smooth"), depth=5, arity=3, dimension=2), "affine"
    copy = grow_copy(store, new_id, truth, family=family, depth=5)
    cells = store.read(copy)
    first, second = np.random.default_rng(0).integers(len(cells), size=(2, 5_000))
    drift = np.abs(path_distances(cells, first, second) - path_distances(truth.cells, first, second))
    errors = np.linalg.norm(cells.center - truth.cells.center, axis=1)
    for asked in (copy, truth.id):
        for level in range(1, 6):
            found = certify(store, asked, depth=level)
            assert (found.truth, found.copy_id) == (truth.id, copy)
            seen = cells.level <= level
            within = seen[first] & seen[second]
            assert found.line("rollout").holds == found.line("path_rollout").holds == "proof"
            assert errors[seen].max() <= found.line("rollout").value
            assert drift[within].max(initial=0) <= found.line("path_rollout").value
            assert found.line("whole").value == found.line("rollout").value + found.line("truncation").value
    if make == "smooth":  # not a bound that anything would keep
        assert found.line("rollout").value < 100 * errors.max()
        assert "generator" in found.line("rollout").why


def test_what_is_deeper_than_both_has_no_bound_of_a_rollout(store, new_id):
    truth = ifs(id=new_id("koch"), maps="koch", depth=4)
    copy = grow_copy(store, new_id, truth, family="recurrence", depth=4)
    found = certify(store, copy, precision=1e-6)
    assert found.depth == certify(store, truth.id, precision=1e-6).depth == 12
    assert [found.line(name).holds for name in ("truncation", "rollout", "whole")] == ["proof", "no", "no"]
    assert "down to level 4" in found.line("rollout").why
    assert "shortens every residual" in found.line("truncation").why
    assert found.line("separation").holds == "no"
    assert "a predictor grew cells" in found.line("separation").why


def test_grown_in_place_is_certified_by_its_rule(store, new_id):
    observed, whole = (cfg(id=new_id("place"), depth=depth, arity=3, dimension=2) for depth in (3, 5))
    rule = new_id("rule")
    store.write(observed)
    store.write_predictor(train(observed, id=rule, depth=3, family="affine"))
    rollout(store, observed.id, predictor=rule, stop=Stop(depth=5))
    found, errors = certify(store, observed.id), store.read(observed.id).center - whole.cells.center
    assert found.truth == found.copy_id == observed.id
    assert np.linalg.norm(errors, axis=1).max() <= found.line("rollout").value
    assert found.line("rollout").holds == "proof"
    assert "its cells against its rule" in found.line("rollout").why


def test_grown_in_place_without_a_rule_of_centers(store, new_id):
    observed, rule = ifs(id=new_id("koch"), maps="koch", depth=2), new_id("rule")
    store.write(observed)
    store.write_predictor(train(observed, id=rule, depth=2, family="recurrence"))
    rollout(store, observed.id, predictor=rule, stop=Stop(depth=3))
    line = certify(store, observed.id).line("rollout")
    assert (line.holds, line.value) == ("no", None)
    assert "no rule of centers" in line.why


def test_a_truth_that_was_removed_certifies_no_rollout(store, new_id):
    truth = ifs(id=new_id("koch"), maps="koch", depth=3)
    copy = grow_copy(store, new_id, truth, family="recurrence", depth=3)
    store.remove(truth.id)
    line = certify(store, copy).line("rollout")
    assert line.holds == "no"
    assert "its truth" in line.why


def test_several_copies_are_named(store, new_id):
    truth = ifs(id=new_id("koch"), maps="koch", depth=3)
    first = grow_copy(store, new_id, truth, family="recurrence", depth=3)
    second = new_id("second")
    rollout(store, truth.id, predictor=store.read_growth(first)[0].predictor, stop=Stop(depth=3), from_depth=2, copy_as=second)
    found = certify(store, truth.id)
    assert found.copy_id == second
    assert f"certify {first!r} for other copies" in found.line("rollout").why


def test_data_have_stored_radii_and_no_proof(store, new_id):
    data = np.random.default_rng(0).normal(size=(60, 2))
    hierarchy = points(id=new_id("points"), data=data, depth=12, arity=2)
    store.write(hierarchy)
    found = certify(store, hierarchy.id, depth=2)
    assert (found.line("truncation").holds, found.line("truncation").value) == ("no", None)
    assert "centers come from data" in found.line("truncation").why
    radius = found.line("stored_radius")
    assert radius.holds == "measurement"
    assert radius.value == hierarchy.cells.radius[hierarchy.cells.level_rows(2)].max()
    assert found.line("similarity_dimension").holds == "measurement"
    precise = certify(store, hierarchy.id, precision=radius.value)
    assert precise.depth <= 2
    assert precise.line("depth_for_precision").holds == "measurement"
    assert certify(store, hierarchy.id, depth=400).line("stored_radius").holds == "no"
    assert not any(line.holds == "proof" for line in found.lines if line.name != "rounding")


def test_a_frontier_of_data_has_no_radius(store, new_id):
    hierarchy = points(id=new_id("points"), data=np.random.default_rng(0).normal(size=(60, 2)), depth=2, arity=2)
    store.write(hierarchy)
    found = certify(store, hierarchy.id, precision=0.1)
    assert (found.depth, found.line("depth_for_precision").holds, found.line("stored_radius").holds) == (None, "no", "no")
    assert "have no radius" in certify(store, hierarchy.id).line("stored_radius").why


def test_imported_hierarchies_say_what_cannot_be_certified(store, new_id):
    data = np.random.default_rng(0).normal(size=(30, 2))
    bare = linkage(id=new_id("bare"), data=scipy_linkage(data, "ward"))
    placed = linkage(id=new_id("placed"), data=scipy_linkage(data, "ward"), embeddings=Embeddings.of(data))
    for hierarchy in (bare, placed):
        store.write(hierarchy)
        found = certify(store, hierarchy.id)
        assert told_without_rollout(found) == told_without_rollout(certify_cells(hierarchy))
        holds = {line.name: line.holds for line in found.lines}
        assert [holds[name] for name in ("truncation", "rollout", "similarity_dimension", "separation", "cells")] == ["no"] * 5
        assert "was imported (linkage)" in found.line("similarity_dimension").why
        assert found.line("stored_radius").holds == "measurement"
    assert "it has no centers" in certify(store, bare.id).line("box_counting_dimension").why
    siblings = [line for line in certify(store, placed.id).lines if line.name == "siblings"]
    assert {line.holds for line in siblings} == {"measurement"}


DAMAGES = {
    "center": ("/1/2", "SET c.center = [9.0, 9.0]", "its center is not"),
    "scale": ("/1/2", "SET c.scale = 2 * c.scale", "its center is not|its scale"),
    "state": ("/1/2", "SET c:Frontier", "is not expanded|are expanded"),
    "lacking": ("/1/2", "REMOVE c.center", "lack"),
    "text": ("/1/2", "SET c.scale = 'two'", "str"),
    "root": ("/", "DETACH DELETE c", "root is missing|residual of some cells"),
    "child": ("/3/3/3", "DETACH DELETE c", "other slots"),
    "inner": ("/1/2", "DETACH DELETE c", "no parent|residual of some cells"),
    "dimension": ("/3/3/3", "SET c.center = [1.0]", "dimension"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_of_a_damaged_graph_nothing_is_certified(store, new_id, damage):
    truth = ifs(id=new_id("koch"), maps="koch", depth=3)
    store.write(truth)
    address, change, told = DAMAGES[damage]
    key = truth.id + address
    store.query(f"MATCH (c:Cell {{key: $key}}) {change}", {"key": key}, write=True)
    with pytest.raises(DamagedError, match=told) as error:
        certify(store, truth.id)
    assert "cfgraph verify" in str(error.value)


def test_siblings_closer_than_the_rule_allows_are_damage(store, new_id):
    """Every invariant of ``verify`` holds here, and the cells are not the rule's all the same."""
    truth = cfg(id=new_id("smooth"), depth=1, arity=2, dimension=1)
    cells = truth.cells
    residual = cells.residual.copy()
    residual[2] = 0.9 * residual[1]
    length = np.abs(residual[:, 0])
    moved = cells.with_columns(residual=residual, center=residual, length=length, root_distance=length)
    store.write(truth.with_cells(moved))
    with pytest.raises(DamagedError, match="its rule keeps them"):
        certify(store, truth.id)


def test_a_hierarchy_without_cells_is_damaged(store, new_id):
    truth = ifs(id=new_id("koch"), maps="koch", depth=1)
    store.write(truth)
    store.query("MATCH (c:Cell {hierarchy: $id}) DETACH DELETE c", {"id": truth.id}, write=True)
    with pytest.raises(DamagedError, match="its root is missing"):
        certify(store, truth.id)


def test_what_is_not_there_or_not_finished(store, new_id):
    with pytest.raises(NotFoundError, match="no hierarchy 'nobody'"):
        certify(store, "nobody")
    truth = ifs(id=new_id("koch"), maps="koch", depth=2)
    store.write(truth)
    store.query("MATCH (h:Hierarchy {id: $id}) SET h.state = 'writing'", {"id": truth.id}, write=True)
    with pytest.raises(ChangedError, match="being written"):
        certify(store, truth.id)


def test_the_question_is_checked_before_anything_is_read():
    for asked in ({"precision": 1e-3, "depth": 3}, {"depth": 10**6}, {"precision": 0.0}):
        with pytest.raises(InputError):
            certify(None, "it", **asked)


def test_json_of_a_certification(store, new_id):
    truth = ifs(id=new_id("koch"), maps="koch", depth=2)
    store.write(truth)
    found = json.loads(certify(store, truth.id, depth=3).to_json())
    assert {"id", "precision", "depth", "stored_depth", "cells", "truth", "copy_id", "lines", "box_counting"} == found.keys()
    assert {line["holds"] for line in found["lines"]} <= {"proof", "measurement", "no"}
    assert all(line["why"] for line in found["lines"])
