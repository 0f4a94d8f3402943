"""`cfgraph locate`: one point, files of points, the three questions, the forms, and what is refused."""

import csv
import io
import json
import uuid

import numpy as np
import pytest

from cfgraph import sources
from cfgraph.cli import run as run_here
from cfgraph.sources.any_depth import field


@pytest.fixture(scope="module")
def koch(store):
    id = f"locate-{uuid.uuid4().hex[:8]}"
    store.write(sources.ifs(id=id, maps="koch", depth=3))
    yield id
    store.remove(id)


@pytest.fixture
def told(store_url, capfd):
    def run(*words, code=0):
        found = run_here(["--store", store_url, "locate", *map(str, words)])
        out, err = capfd.readouterr()
        assert found == code, err
        return err if code else out

    return run


def test_a_point_and_a_file(told, koch, tmp_path):
    x = np.random.default_rng(0).uniform([-0.1, 0], [1, 0.3], (50, 2))
    exact = field("koch").locate(x, depth=40)
    np.save(tmp_path / "x.npy", x)
    rows = json.loads(told(koch, tmp_path / "x.npy", "--depth", 40, "--format", "json"))
    assert [row["address"] for row in rows] == exact.addresses
    assert [row["point"] for row in rows] == list(range(50))
    assert np.allclose([row["distance"] for row in rows], exact.distance)
    assert [row["sure"] for row in rows] == exact.sure.tolist()
    (one,) = json.loads(told(koch, "-0.1,0.2", "--depth", 5, "--format", "json"))
    assert one["address"] == field("koch").locate(np.array([[-0.1, 0.2]]), depth=5).addresses[0]
    (stored,) = json.loads(told(koch, "0.3,0.2", "--format", "json"))
    assert (stored["level"], stored["stored"]) == (3, True)
    (row,) = csv.DictReader(io.StringIO(told(koch, "0.3,0.2", "--precision", 1e-3, "--format", "csv")))
    assert int(row["level"]) == field("koch").depth_for(1e-3)
    assert "/" in told(koch, "0.3,0.2", "--beam", 3)


def test_nearest_and_within(told, koch):
    exact = field("koch")
    x = np.array([[0.3, 0.2]])
    rows = json.loads(told(koch, "0.3,0.2", "--nearest", 3, "--depth", 6, "--format", "json"))
    assert [row["address"] for row in rows] == exact.nearest(x, 3, depth=6).addresses
    rows = json.loads(told(koch, "0.3,0.2", "--within", 0.1, "--depth", 6, "--format", "json"))
    assert [row["address"] for row in rows] == exact.within(x, 0.1, depth=6).addresses
    assert json.loads(told(koch, "30,20", "--within", 0.1, "--depth", 6, "--format", "json")) == []


def test_only_stored_cells_answer_where_no_rule_is_known(told, store, new_id, capfd, store_url):
    id = new_id("tree")
    store.write(sources.points(id=id, data=np.random.default_rng(0).normal(size=(60, 2)), arity=3, depth=3))
    assert run_here(["--store", store_url, "locate", id, "0.1,0.2"]) == 0
    assert "only stored cells answer: no rule is known of 'points'" in capfd.readouterr().err
    assert "a precision needs a rule" in told(id, "0.1,0.2", "--precision", 0.1, code=2)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["0.1"], "rows of 2 coordinates"),
        (["nan,0.1"], "finite coordinates"),
        (["0.1,0.2", "--depth", 3, "--precision", 0.1], "give one of them"),
        (["0.1,0.2", "--nearest", 1, "--within", 0.1], "two questions"),
        (["0.1,0.2", "--nearest", 1, "--beam", 2], "about the descent"),
        (["0.1,0.2", "--beam", 0], "at least 1 as beam"),
        (["0.1,0.2", "--within", -1], "a radius of at least 0"),
        (["0.1,0.2", "--columns", "a"], "about a file"),
        (["nowhere.npy"], "nowhere.npy"),
        (["0.1;0.2"], "there is no file 0.1;0.2; expected points"),
        (["0.1,0.2", "--depth", 5000], "too deep"),
    ],
)
def test_what_is_refused(told, koch, words, why):
    assert why in told(koch, *words, code=2)
