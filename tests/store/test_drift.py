"""Drift: a batch of other data is found, one of the same is not."""

import csv
import io
import json

import numpy as np
import pytest

from cfgraph.cli import run as run_here
from cfgraph.comparing.drift import drift
from cfgraph.errors import InputError, NotFoundError
from cfgraph.metric import place as placing
from cfgraph.metric.place import place
from cfgraph.model.address import ROOT
from cfgraph.sources import cfg, points
from tests.store.test_placing import rows_of


@pytest.fixture(scope="module")
def made(store):
    """A hierarchy of half of some data, with the other half, a part of it alone, and something new, as batches."""
    rows = rows_of(11, 1200)
    made = points(id="drifting", data=rows[:600], depth=3)
    store.write(made)
    place(store, made.id, data=rows[600:], batch="same")
    place(store, made.id, data=rows[600:][rows[600:, 0] < 3], batch="part")
    new = np.concatenate([rows_of(12, 600), 40 + np.random.default_rng(0).normal(size=(30, 4))])
    place(store, made.id, data=new, batch="new kind")
    place(store, made.id, data=rows_of(13, 600), batch="more")
    yield made
    store.remove(made.id)


def test_the_same_is_no_drift(store, made):
    found = drift(store, made.id, batch="same")
    assert not found.drifted
    assert (found.points, found.reference, found.against) == (600, 600, None)
    sizes = dict(zip(made.cells.addresses, made.cells.size.tolist(), strict=True))
    for cell in found.cells:
        assert cell.reference == sizes[cell.address]
        assert cell.points + cell.reference >= 20
        assert cell.ratio == pytest.approx(cell.points / cell.reference)
    assert found.tested == len(found.cells)


def test_a_part_is_told_by_the_cells_that_lack(store, made):
    found = drift(store, made.id, batch="part")
    assert found.drifted
    first = {cell.address: cell for cell in found.cells if cell.address.count("/") == 1}
    center = made.cells.center[made.cells.level == 1]
    for slot in range(3):
        near = np.linalg.norm(center[slot]) < 6  # of the three groups of points one lies at 0
        assert first[f"/{slot}"].p < 0.001
        assert first[f"/{slot}"].ratio > 1 if near else first[f"/{slot}"].ratio < 1


def test_a_new_kind_shows_outside(store, made):
    found = drift(store, made.id, batch="new kind", against="more")
    assert found.drifted
    assert found.outside > found.reference_outside
    outside = [cell for cell in found.cells if cell.p_outside is not None and cell.p_outside < 0.05]
    assert outside
    assert all(cell.outside > cell.reference_outside for cell in outside)
    same = drift(store, made.id, batch="same", against="more")
    assert not same.drifted
    assert {cell.p_distance is None for cell in same.cells} == {False, True}  # some have 20 points of both together alone


def test_distances_of_the_first_data_are_told_and_not_tested(store, made):
    rows = rows_of(11, 1200)[:600]
    plain, found = drift(store, made.id, batch="new kind"), drift(store, made.id, batch="new kind", data=rows)
    assert [(cell.address, cell.p_size, cell.ratio) for cell in found.cells] == [
        (cell.address, cell.p_size, cell.ratio) for cell in plain.cells
    ]
    assert not any(cell.p_distance is not None or cell.p_outside is not None for cell in found.cells)
    assert "told, not tested" in found.remarks[0]
    place(store, made.id, data=rows, batch="first once more")
    again = drift(store, made.id, batch="new kind", against="first once more")
    assert (found.reference_distance, found.reference_outside) == (again.reference_distance, again.reference_outside)
    known = {cell.address: cell for cell in again.cells}
    for cell in found.cells:
        assert cell.reference_distance == known[cell.address].reference_distance
        assert cell.reference_outside == known[cell.address].reference_outside
    store.remove_batch(made.id, "first once more")


def test_first_data_that_are_none(store, made):
    rows = rows_of(11, 1200)[:600]
    with pytest.raises(InputError, match="expected the data that 'drifting' was made of"):
        drift(store, made.id, batch="same", data=rows[::-1])
    with pytest.raises(InputError, match="got both; leave out"):
        drift(store, made.id, batch="same", against="more", data=rows)


def test_first_data_of_the_command_line(store, made, store_url, tmp_path, capsys):
    np.save(tmp_path / "first.npy", rows_of(11, 1200)[:600])
    words = ["--store", store_url, "drift", made.id, "--batch", "same", "--format", "csv"]
    assert run_here([*words, "--data", str(tmp_path / "first.npy")]) == 0
    header, *rows = csv.reader(io.StringIO(capsys.readouterr().out))
    assert header[-2:] == ["reference outside", "reference distance"]
    assert all(float(row[-1]) > 0 for row in rows)
    assert run_here([*words, "--key", "x"]) == 2
    assert "--key is about the file of --data" in capsys.readouterr().err


def test_counts_are_those_of_plain_cypher(store, made):
    count = "MATCH (p:Point {batch: 'part', hierarchy: $id})-[:IN]->(c:Cell) RETURN c.address, p.distance, p.outside"
    rows = store.query(count, {"id": made.id})[1]
    for cell in drift(store, made.id, batch="part").cells:
        below = [row for row in rows if (row[0] + "/").startswith(cell.address + "/")]
        assert cell.points == len(below)
        if below:
            assert cell.distance == pytest.approx(np.median([row[1] for row in below]))
            assert cell.outside == pytest.approx(np.mean([row[2] for row in below]))
    assert ROOT not in {cell.address for cell in drift(store, made.id, batch="part").cells}


def test_command(store, store_url, made, capfd):
    def run(*words, code=0):
        assert run_here(["--store", store_url, "drift", made.id, *words]) == code
        return capfd.readouterr().out

    assert "0 of" in run("--batch", "same")
    assert "cells differ" in run("--batch", "part", code=1)
    assert json.loads(run("--batch", "part", "--format", "json", code=1))["drifted"]
    out = run("--batch", "same", "--against", "more", "--format", "csv")
    assert {"cell", "p distance"} <= set(next(csv.reader(io.StringIO(out))))


def test_bad_input(store, made, new_id, monkeypatch):
    with pytest.raises(NotFoundError, match="no batch 'none' in 'drifting': it has same, part"):
        drift(store, made.id, batch="none")
    with pytest.raises(InputError, match="does not differ from itself"):
        drift(store, made.id, batch="same", against="same")
    rule = cfg(id=new_id(), arity=3, dimension=4, depth=2)
    store.write(rule)
    place(store, rule.id, data=rows_of(1, 30))
    with pytest.raises(InputError, match="not made of data, so its cells have no sizes"):
        drift(store, rule.id, batch="batch-1")
    monkeypatch.setattr(placing, "PLACE_ROWS", 20)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place(store, rule.id, data=rows_of(2, 30), progress=stop)
    with pytest.raises(InputError, match="has 20 of 30 points, and is in state 'placing'; finish that"):
        drift(store, rule.id, batch="batch-2")


def test_sizes_that_count_equal_points_once_are_no_measure(store, new_id):
    rows = rows_of(1, 60)
    made = points(id=new_id(), data=np.concatenate([rows, rows[:40]]), depth=1, duplicates="drop")
    store.write(made)
    place(store, made.id, data=np.concatenate([rows, rows[:40]]), batch="first")
    place(store, made.id, data=rows, batch="other")
    with pytest.raises(InputError, match=r"count equal points once, 60 of 100, and a batch counts each.*as --against"):
        drift(store, made.id, batch="first")
    assert drift(store, made.id, batch="first", against="other").reference == 60
    none = points(id=new_id(), data=rows, depth=1, duplicates="drop")  # nothing was dropped
    store.write(none)
    place(store, none.id, data=rows)
    assert not drift(store, none.id, batch="batch-1").drifted


def _alarms(data, *, splits, depth, arity):
    """How often two halves of the same data are said to differ, the one that a hierarchy is made of and the other."""
    from cfgraph.comparing.drift import different_shares, holm
    from cfgraph.metric.locate import locate

    alarms = 0
    for seed in range(splits):
        order = np.random.default_rng(seed).permutation(len(data))
        one, other = np.array_split(data[order], 2)
        cells = points(id="half", data=one, depth=depth, arity=arity, duplicates="keep").cells
        count = np.bincount(locate(cells, other), minlength=len(cells))
        for level in range(cells.depth, 0, -1):
            rows = cells.level_rows(level)
            np.add.at(count, cells.parent[rows], count[rows])
        tested = (cells.size + count >= 20) & (cells.level > 0)
        alarms += bool(holm(different_shares(cells.size[tested], len(one), count[tested], len(other))).min() < 0.05)
    return alarms


@pytest.mark.slow("200 hierarchies, each of a half of some points")
def test_two_halves_of_the_same_give_few_false_alarms():
    assert _alarms(np.random.default_rng(0).normal(size=(600, 6)), splits=200, depth=1, arity=10) <= 10
