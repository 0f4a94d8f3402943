"""Bad input: one line on stderr that says what was expected, what came and where; exit code 2 or 3; nothing written."""

import json
import socket

import numpy as np
import pytest

from tests.grown import grown_hierarchy


def refusal(run, *words, code=2, **options):
    """The one line that a refused command says."""
    done = run(*words, code=code, **options)
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stdout == ""
    return done.stderr


MAPS = {
    "empty": ("", "is empty"),
    "broken": ('{"a": [1,', "line 1, column"),
    "list": ("[1, 2]", "got 1"),
    "growing": (json.dumps({"x": {"maps": [{"matrix": [[1.5]], "offset": [0]}]}}), "maps that contract"),
    "nan": ('{"x": {"maps": [{"matrix": [[NaN]], "offset": [0]}]}}', "finite number"),
    "text": ('{"x": {"maps": [{"matrix": [["a"]], "offset": [0]}]}}', "expected a number"),
}


@pytest.mark.parametrize("name", MAPS)
def test_maps_are_refused(run, tmp_path, name):
    text, told = MAPS[name]
    (tmp_path / "maps.json").write_text(text)
    assert told in refusal(run, "ingest", "ifs", tmp_path / "maps.json", "--depth", 2, "--as", "refused")


def test_points_are_refused(run, tmp_path):
    points = np.random.default_rng(0).normal(size=(20, 2))
    points[3, 1] = np.nan
    cases = {"few": (np.eye(2), "at least 3"), "same": (np.ones((9, 2)), "--duplicates"), "nan": (points, "row 3, column 1")}
    for name, (array, told) in cases.items():
        np.save(tmp_path / f"{name}.npy", array)
        assert told in refusal(run, "ingest", "points", tmp_path / f"{name}.npy", "--depth", 2, "--as", "refused")


def test_schemes_are_small_letters(run_alone):
    told = refusal(run_alone, "--store", "BOLT://127.0.0.1:1", "ls")
    assert "in small letters: bolt://127.0.0.1:1" in told


@pytest.mark.parametrize(("id", "told"), [("", "empty"), ("a/b", "no '/'"), ("x" * 300, "at most 200 bytes")])
def test_ids_are_refused(run, id, told):
    assert told in refusal(run, "ingest", "ifs", "koch", "--depth", 2, "--as", id)


def test_depths_are_refused_with_the_number_of_cells(run):
    assert "-1" in refusal(run, "ingest", "ifs", "koch", "--depth", -1, "--as", "refused")
    assert "10^24 cells" in refusal(run, "ingest", "ifs", "koch", "--depth", 40, "--as", "refused")


@pytest.mark.slow("a command for every refusal, each a process of its own")
def test_what_the_store_holds_is_kept(run, store, new_id):
    mine, other = grown_hierarchy(new_id("mine"), arity=3, depth=3), grown_hierarchy(new_id("other"), arity=2, depth=3)
    rule = new_id("rule")
    store.write(mine)
    store.write(other)
    run("train", mine.id, "--depth", 2, "--family", "recurrence", "--as", rule)
    digest = store.digest(mine.id)
    refusals = {
        "another recipe": ["ingest", "ifs", "koch", "--depth", 2, "--as", mine.id],
        "taken by a predictor": ["ingest", "ifs", "koch", "--depth", 2, "--as", rule],
        "taken by a hierarchy": ["train", mine.id, "--depth", 2, "--family", "mean", "--as", mine.id],
        "has arity 2": ["rollout", other.id, "--predictor", rule, "--to-depth", 5],
        "would be about": ["rollout", mine.id, "--predictor", rule, "--to-depth", 60],
        "in one go": ["rollout", mine.id, "--predictor", rule, "--cells", 10**30],
        "no cell /9": ["path", mine.id, "/9", "/"],
        "expected an address": ["path", mine.id, "9", "/"],
        "line 1, column": ["query", "MATCH (c:Cell RETURN c"],
        "only reads": ["query", "MATCH (c:Cell) SET c.spoiled = true"],
        "Cannot load": ["query", "LOAD CSV FROM 'file:///etc/passwd' AS row RETURN row"],
        "an empty one": ["query", ""],
    }
    for told, words in refusals.items():
        assert told in refusal(run, *words), words
    assert store.digest(mine.id) == digest


def test_a_store_that_is_not_there_is_exit_code_3(run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        url = f"bolt://127.0.0.1:{taken.getsockname()[1]}"
        options = {"env": {**run.environment, "NEO4J_PASSWORD": "not-to-be-told"}}
        told = refusal(run, "--store", url, "ls", code=3, **options)
    assert "does not answer" in told
    assert "not-to-be-told" not in told
    nameless = {name: value for name, value in run.environment.items() if name != "NEO4J_PASSWORD"}
    assert "wants a password" in refusal(run, "--store", url, "ls", code=3, env=nameless)
    assert "secret" not in refusal(run, "--store", "bolt://me:secret@127.0.0.1:1", "ls")


def test_a_wrong_password_is_refused_and_never_told(run, store):
    if not store.place.startswith("bolt://127.0.0.1"):
        pytest.skip("the tests' server is not the local one, whose password is sure to differ")
    options = {"env": {**run.environment, "NEO4J_PASSWORD": "not-to-be-told"}}
    done = run("-v", "--store", store.place, "ls", code=3, **options)
    assert "refuses the user name or password" in done.stderr
    assert "not-to-be-told" not in done.stderr + done.stdout
