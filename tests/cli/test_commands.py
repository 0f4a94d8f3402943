"""The commands that no other file tests, as real processes: what they print, and their exit codes."""

import csv
import io
import json
import os
import subprocess

import pytest

from cfgraph.learning.train import train
from tests.grown import grown_hierarchy


@pytest.fixture
def small(store, new_id):
    """A small hierarchy and a predictor of its rule, in the store."""
    hierarchy = grown_hierarchy(new_id("small"), arity=3, depth=3)
    store.write(hierarchy)
    trained = train(hierarchy, id=new_id("rule"), depth=3, family="recurrence")
    store.write_predictor(trained)
    return hierarchy, trained


def test_ls_show_and_rm(run, store, small):
    hierarchy, trained = small
    listed = {row["id"]: row for row in json.loads(run("ls", "--format", "json").stdout)}
    assert listed[hierarchy.id]["kind"] == "hierarchy"
    assert listed[trained.id]["learned from"] == f"{hierarchy.id} to level 3"
    shown = json.loads(run("show", hierarchy.id, "--digest", "--format", "json").stdout)
    assert (shown["cells"], shown["frontier"], shown["depth"]) == (40, 27, 3)
    assert shown["digest"] == store.digest(hierarchy.id)
    rule = json.loads(run("show", trained.id, "--format", "json").stdout)
    assert set(rule["validation"]) >= {"zero", "recurrence"}
    assert len(rule["learned"]["maps"]) == 3
    table = run("show", trained.id).stdout
    assert "nMSE, three folds" in table
    assert "nMSE, level held out" in table
    assert table.count("matrix") == 1
    assert run("rm", trained.id).stdout == f"removed {trained.id}\n"
    assert run("rm", hierarchy.id).stdout == f"removed {hierarchy.id}: 40 cells\n"
    missing = run("show", hierarchy.id, code=2).stderr
    assert "no hierarchy and no predictor" in missing


def test_query_prints_tables_csv_and_json(run, small):
    hierarchy, _ = small
    cypher = (
        "MATCH (c:Cell) WHERE c.hierarchy = $id AND c.level <= $level RETURN c.level AS level, count(*) AS cells ORDER BY level"
    )
    words = ["query", cypher, "-p", f"id={hierarchy.id}", "-p", "level=1"]
    assert json.loads(run(*words, "--format", "json").stdout) == [{"level": 0, "cells": 1}, {"level": 1, "cells": 3}]
    assert list(csv.reader(io.StringIO(run(*words, "--format", "csv").stdout))) == [["level", "cells"], ["0", "1"], ["1", "3"]]
    assert "level" in run(*words).stdout
    named = run("query", "--name", "read_hierarchy", "-p", f"id={hierarchy.id}", "--format", "json")
    assert json.loads(named.stdout)[0]["hierarchy"]["arity"] == 3
    whole = run(
        "query",
        "MATCH (c:Cell {key: $key})-[e:CHILD]->() RETURN c, e LIMIT 1",
        "-p",
        f"key={hierarchy.id}/0",
        "--format",
        "json",
    )
    assert json.loads(whole.stdout)[0]["c"]["labels"] == ["Cell"]
    assert "missing: id" in run("query", "--name", "read_hierarchy", code=2).stderr


def test_path_and_verify(run, store, small):
    hierarchy, _ = small
    found = json.loads(run("path", hierarchy.id, "/0/1", "/2", "--format", "json").stdout)
    assert found["ancestor"] == "/"
    assert found["way"] == ["/0/1", "/0", "/", "/2"]
    assert found["distance"] == pytest.approx(sum(found["lengths"]))
    assert "lowest common ancestor: /" in run("path", hierarchy.id, "/0/1", "/2").stdout
    assert "every invariant holds" in run("verify", hierarchy.id).stdout
    store.query("MATCH (c:Cell {key: $key}) SET c.scale = 2.0", {"key": f"{hierarchy.id}/0/1"}, write=True)
    broken = run("verify", hierarchy.id, code=1).stdout
    assert "scale /0/1: expected" in broken
    assert (
        json.loads(run("verify", hierarchy.id, "--format", "json", code=1).stdout)["counts"]["scale"] == 4
    )  # the cell, and its three children


def test_rollout_of_a_finished_copy_is_done(run, small, new_id):
    hierarchy, trained = small
    copy = new_id("copy")
    words = ["rollout", hierarchy.id, "--predictor", trained.id, "--from-depth", 2, "--to-depth", 4, "--as", copy]
    assert f"{copy}: 108 cells grown by {trained.id}" in run(*words).stdout
    assert f"{copy}: 0 cells grown" in run(*words).stdout


def test_an_unknown_command_names_the_known_ones(run):
    told = run("grow", code=2).stderr
    assert "there is no command 'grow'" in told
    assert "rollout" in told
    assert len(told.strip().splitlines()) == 1


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_streams(run, closed):
    done = subprocess.run(["sh", "-c", f"{run.program} ls {closed}"], env=run.environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("kind" in done.stdout) == ("1>&-" not in closed)


@pytest.mark.parametrize("words", [["--help"], ["ls"], ["query", "RETURN 1 AS one", "--format", "csv"], ["rollout", "--help"]])
def test_nobody_reads_what_is_printed(run, words):
    unread, written = os.pipe()
    os.close(unread)
    try:
        done = run(*words, stdout=written, code=141)
    finally:
        os.close(written)
    assert done.stderr == ""


@pytest.mark.parametrize("words", [(), ("ingest",)])
def test_called_bare_a_group_prints_its_help(run_alone, words):
    bare = run_alone(*words)
    assert bare.stdout == run_alone(*words, "--help").stdout
    assert bare.stdout.startswith("Usage: cfgraph")
    assert bare.stderr == ""
