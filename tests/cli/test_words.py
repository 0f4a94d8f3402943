"""What commands say to people: warnings of the server, tables that are sorted, times, sizes, what the shell completes."""

import io
import json
import re
import sys
import time

import click
import pytest

from cfgraph.cli import COMMANDS, cfgraph, completing, show
from cfgraph.learning.train import train
from cfgraph.sources import ifs
from tests.grown import grown_hierarchy


@pytest.fixture
def small(store, new_id):
    """A small hierarchy, a predictor of its rule, and one that is no better than nothing."""
    hierarchy = grown_hierarchy(new_id("small"), arity=3, depth=3)
    store.write(hierarchy)
    rules = [train(hierarchy, id=new_id(family), depth=3, family=family) for family in ("recurrence", "zero")]
    for rule in rules:
        store.write_predictor(rule)
    return hierarchy, *rules


# -- query


def test_a_query_from_stdin_and_from_a_file(run, told, small, place):
    cypher = "// which level\nMATCH (c:Cell {key: $id + '/'})\nRETURN c.level AS level;\n"
    parameter = ("-p", f"id={small[0].id}", "--format", "csv")
    file = place("level.cypher", "\ufeff" + cypher)
    assert told("query", "--file", file, *parameter) == ("level\n0\n", "")
    process = run.start("query", "-", *parameter, stdin=-1)
    assert process.communicate(cypher, timeout=60) == ("level\n0\n", "")


@pytest.mark.parametrize(
    ("words", "held", "expected"),
    [
        (["RETURN 1", "--file", "it"], b"RETURN 1", "expected either a Cypher statement"),
        (["-", "--name", "count_nodes"], b"", "expected either a Cypher statement"),
        (["--file", "it"], b"", "an empty one"),
        (["--file", "it"], b"RETURN '\xff'", "it, got byte 8"),
        (["-"], b" \n", "an empty one"),
        (["-"], b"\xff\xfe", "UTF-8 text in stdin"),
        (["--file", "nowhere"], b"", "No such file or directory: nowhere"),
        (["--file", "."], b"", "Is a directory: ."),
    ],
)
def test_no_statement_no_query(told, tmp_path, monkeypatch, words, held, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it").write_bytes(held)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(held)))
    assert expected in told("query", *words, code=2)[1]


def test_what_the_server_warns_of_is_told_once(told, store):
    """A misspelt label is no error of the server's: it finds nothing."""
    cypher = "MATCH (c:Celll) WHERE c:Celll AND c.misspelt_adress = 1 RETURN c UNION MATCH (c:Celll)-[:CHILDS]->() RETURN c"
    out, err = told("query", cypher, "--format", "json")
    assert json.loads(out) == []
    label, unknown, kind = err.splitlines()
    told_of = "no node in this store has the label `Celll`, so nothing is found by it: did you mean `Cell`?"
    assert label == f"WARNING: {told_of} (line 1, column 10)"
    assert "has the property `misspelt_adress`" in unknown
    assert "did you mean `CHILD`?" in kind
    _, lines = told("--log-format", "json", "query", cypher, "--format", "json")
    first = json.loads(lines.splitlines()[0])
    assert (first["level"], first["code"], first["line"], first["column"]) == ("warning", "01N50", 1, 10)
    assert "`Celll`" in first["message"]
    found = store.query(cypher)
    assert found == (["c"], [])
    assert [each.code for each in found.notifications] == ["01N50", "01N52", "01N51"]
    assert str(found.notifications[0]) == label.removeprefix("WARNING: ")
    assert store.query("RETURN 1").notifications == ()
    assert told("query", "--name", "list_hierarchies", "--format", "json")[1] == ""


# -- rm


def test_rm_of_several_checks_all_first(told, store, small):
    ids = [each.id for each in small]
    out, err = told("rm", *ids[:2], "nobody", ids[2], "nor-them", code=2)
    assert out == ""
    assert "there is no 'nobody' and no 'nor-them' in this store, so nothing was removed" in err
    assert f"the others are there: cfgraph rm {' '.join(ids)}" in err
    assert told("ls", "--format", "json")[0].count(ids[0]) >= 3  # in what they learned from, too
    assert told("rm", *ids, ids[0])[0].splitlines() == [f"removed {ids[0]}: 40 cells", *(f"removed {id}" for id in ids[1:])]
    assert "there is no" in told("rm", *ids, code=2)[1]


def test_rm_of_several_goes_on_where_it_was_interrupted(told, store, new_id):
    first, second, third = (store.write(ifs("koch", id=new_id(name), depth=2)).id for name in ("a", "b", "c"))
    store.remove(first)
    assert f"the others are there: cfgraph rm {second} {third}" in told("rm", first, second, third, code=2)[1]
    store.set_state(second, state="removing", expected=("complete",))  # as an interruption leaves it
    out, err = told("rm", first, second, third)
    assert out.splitlines() == [f"removed {second}: 21 cells", f"removed {third}: 21 cells"]
    assert f"{first!r} is not there; another of these ids is half removed" in err
    assert "there is no" in told("rm", first, second, code=2)[1]


# -- show and ls


def test_ls_counts_without_reading_cells(told, store, small):
    listed = {row["id"]: row for row in json.loads(told("ls", "--format", "json")[0])}
    assert listed[small[0].id]["cells"] == 40
    assert listed[small[1].id]["cells"] is None


def test_show_is_for_people_and_the_record_for_programs(told, store, small):
    hierarchy, rule, zero = small
    table = told("show", rule.id)[0]
    rows = re.findall(r"^ (recurrence|mean|parent|nearest|affine|zero|scaled-parent) .*$", table, re.MULTILINE)
    errors = {family: rule.folds[family] for family in rows}
    assert list(errors.values()) == sorted(errors.values())
    assert rows[0] == "recurrence"
    assert [line.split()[0] for line in table.splitlines() if line.rstrip().endswith("taken")] == ["recurrence"]
    assert re.search(r"^created: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \w+$", table, re.MULTILINE)
    assert "better than nothing" not in table
    assert "better than nothing: NO" in told("show", zero.id)[0]
    record = json.loads(told("show", zero.id, "--format", "json")[0])
    assert record["beats_zero"] is False
    assert record["created"].endswith("Z")
    out, err = told("rollout", hierarchy.id, "--predictor", zero.id, "--to-depth", 4, code=2)
    assert out == ""
    assert "--anyway" in err
    out, err = told("rollout", hierarchy.id, "--predictor", zero.id, "--to-depth", 4, "--anyway")
    assert "no better than nothing" in err
    shown = told("show", hierarchy.id)[0]
    assert re.search(rf"^  {re.escape(zero.id)}, levels 3 to 4, until level 4, begun 20.*, done$", shown, re.MULTILINE)
    assert json.loads(told("show", hierarchy.id, "--format", "json")[0])["grown_by"][0]["stop"] == {"depth": 4}


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        ({"depth": 8}, "level 8"),
        ({"precision": 0.01}, "the rest is nearer than 0.01"),
        ({"cells": 12_000}, "12,000 cells"),
        ({"seconds": 2.5}, "2.5 s are over"),
    ],
)
def test_stops_in_words(stop, words):
    assert show._stop(stop) == words


# -- completion


def test_ids_are_completed_where_the_store_answers(store_url, small, tmp_path, monkeypatch):
    hierarchy, rule, zero = small
    monkeypatch.setattr(completing, "QUICK_SECONDS", 60.0)  # this machine may be slow

    def names(kind, url):
        parent = click.Context(click.Group("cfgraph"))
        parent.params = {"stores": (url,)}
        context = click.Context(click.Command("show"), parent=parent)
        parameter = click.Argument(["id"], type=completing.Completed(kind))
        return [item.value for item in parameter.shell_complete(context, hierarchy.id[:20])]

    assert {hierarchy.id, rule.id, zero.id} <= set(names("ids", store_url))
    assert {rule.id, zero.id} <= set(names("predictors", store_url))
    assert hierarchy.id not in names("predictors", store_url)
    assert names("ids", f"local:{tmp_path}/none") == []
    assert not (tmp_path / "none").exists()  # and nothing was started
    assert names("ids", "http://nobody") == []  # whatever is wrong: the command that follows says so


def test_who_does_not_answer_quickly_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(completing, "QUICK_SECONDS", 0.05)
    begin = time.monotonic()
    assert completing.quickly(lambda: time.sleep(20) or ["late"]) == ()
    assert time.monotonic() - begin < 10


def test_the_shell_asks(run_alone):
    asked = {"_CFGRAPH_COMPLETE": "bash_complete", "COMP_WORDS": "cfgraph train koch --family me", "COMP_CWORD": "4"}
    process = run_alone.start(env={**run_alone.environment, **asked})
    assert process.communicate(timeout=120) == ("plain,mean\n", "")


def test_names_are_completed_by_their_lists():
    context = cfgraph.make_context("cfgraph", ["ls"])
    kinds = {}
    for name in COMMANDS:
        for parameter in cfgraph.get_command(context, name).params:
            if isinstance(parameter.type, completing.Completed):
                kinds[name, parameter.name] = [item.value for item in parameter.type.shell_complete(context, parameter, "me")]
                kinds[name, parameter.name, "kind"] = parameter.type.kind
    assert kinds["train", "family"] == ["mean"]
    assert kinds["rm", "ids", "kind"] == kinds["compare", "true", "kind"] == kinds["plot", "beside", "kind"] == "ids"
    assert kinds["query", "name", "kind"] == "operations"
    assert kinds["export", "format", "kind"] == "formats"
    assert isinstance(context.command, click.Group)
    assert context.command.resolve_command(click.Context(context.command, resilient_parsing=True), ["nothing"])[1] is None
