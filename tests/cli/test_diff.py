"""``cfgraph diff``: what it prints in every form, and its exit codes."""

import csv
import io
import json

import pytest

from cfgraph.cli import run as run_here
from cfgraph.cli.spool import PAGE_ROWS, Spool
from cfgraph.sources.ifs import ifs
from cfgraph.transfer.export import export
from tests.unit.test_diff import random_dag
from tests.unit.test_visible import hostile_in


@pytest.fixture
def pair(store, new_id):
    """Koch to level 3 and to level 4, one cell of the latter moved by a quarter of its scale: their ids."""
    shallow, deep = new_id("shallow"), new_id("deep")
    for id, depth in ((shallow, 3), (deep, 4)):
        store.write(ifs(id=id, maps="koch", depth=depth))
    store.query(
        "MATCH (c:Cell {key: $key}) SET c.center = [c.center[0] + c.scale / 4, c.center[1]]",
        parameters={"key": f"{deep}/2/1"},
        write=True,
    )
    return shallow, deep


@pytest.fixture
def here(monkeypatch, store_url, capsys):
    """Runs a command in this process; stdout and stderr."""
    monkeypatch.setenv("CFGRAPH_STORE", store_url)

    def run_command(*words, code=0):
        found = run_here([str(word) for word in words])
        told = capsys.readouterr()
        assert found == code, told.err
        assert not hostile_in(told.out + told.err)
        return told

    return run_command


def test_a_process_of_its_own(run, pair):
    assert "are equal" in run("diff", pair[0], pair[0]).stdout
    shown = run("diff", *pair, code=1).stdout
    assert "they part at level 2" in shown
    assert all(len(line.rstrip()) <= 200 for line in shown.splitlines() if pair[0] not in line)


def test_tables(here, pair):
    shown = here("diff", *pair, code=1).out
    for told in ("only second", "moved", "0.25", "state", "Frontier -> Expanded", "subtree", "/2/1"):
        assert told in shown


def test_json_is_strict_and_whole(here, pair):
    found = json.loads(here("diff", *pair, "--format", "json", code=1).out, parse_constant=pytest.fail)
    assert found["equal"] is False
    assert {kind: one["count"] for kind, one in found["kinds"].items()} == {"only second": 256, "moved": 1, "state": 64}
    assert found["kinds"]["moved"]["largest"] == pytest.approx(0.25)
    assert [level["both"] for level in found["levels"]] == [1, 4, 16, 64, 0]
    same = json.loads(here("diff", pair[1], pair[1], "--format", "json").out)
    assert (same["equal"], same["kinds"], same["first_level"]) == (True, {}, None)


def test_csv_has_a_row_for_each_difference(here, pair):
    rows = list(csv.DictReader(io.StringIO(here("diff", *pair, "--format", "csv", code=1).out)))
    assert len(rows) == 256 + 64 + 1
    (moved,) = (row for row in rows if row["kind"] == "moved")
    assert (moved["first"], moved["second"], moved["level"]) == ("/2/1", "/2/1", "2")
    assert float(moved["amount"]) == pytest.approx(0.25)
    assert {row["first"] for row in rows if row["kind"] == "only second"} == {""}
    assert len(here("diff", pair[0], pair[0], "--format", "csv").out.splitlines()) == 1


def test_a_tolerance(here, pair):
    found = json.loads(here("diff", *pair, "--tolerance", 0.3, "--format", "json", code=1).out)
    assert "moved" not in found["kinds"]
    assert found["first_level"] == 4


def test_digests_and_what_plain_cypher_did_since(here, store, new_id):
    one, other = new_id("one"), new_id("other")
    for id in (one, other):
        store.write(ifs(id=id, maps="koch", depth=3))
    assert "digests of subtrees are kept" in here("verify", one, "--digests").out
    here("diff", one, other)
    assert "0 cells were read; by digests of" in here("diff", one, other).out
    store.query("MATCH (c:Cell {key: $key}) SET c.scale = 7.0", parameters={"key": f"{one}/1/0"}, write=True)
    here("diff", one, other)
    full = json.loads(here("diff", one, other, "--full", "--format", "json", code=1).out)
    assert full["kinds"]["scaled"]["count"] == 1
    assert (full["digests"], full["cells_read"]) == (None, 2 * 85)
    told = here("verify", one, "--digests", code=1).out
    assert "digest /" in told
    assert "plain Cypher changed them" in told
    assert json.loads(here("diff", one, other, "--format", "json", code=1).out)["kinds"] == full["kinds"]


def test_files_need_no_store(here, tmp_path, monkeypatch):
    monkeypatch.setenv("CFGRAPH_STORE", f"local:{tmp_path}/none")
    for depth in (2, 3):
        export(ifs(id="koch", maps="koch", depth=depth), output=tmp_path / f"{depth}.parquet")
    here("diff", tmp_path / "2.parquet", tmp_path / "2.parquet")
    here("diff", tmp_path / "2.parquet", tmp_path / "3.parquet", code=1)
    assert not (tmp_path / "none").exists()
    assert "missing.parquet" in here("diff", tmp_path / "2.parquet", tmp_path / "missing.parquet", code=2).err


def test_bad_input(here, pair, store, new_id):
    here("diff", pair[0], "nowhere", code=2)
    here("diff", *pair, "--tolerance", "nan", code=2)
    here("diff", *pair, "--tolerance", -1, code=2)
    here("diff", *pair, "--by", "name", code=2)
    fern = new_id("fern")
    store.write(ifs(id=fern, maps="sierpinski", depth=2))
    assert "--by name" in here("diff", pair[0], fern, code=2).err
    store.query("MATCH (c:Cell {key: $key}) SET c.center = [0.0 / 0.0, 1.0]", parameters={"key": f"{fern}/2/1"}, write=True)
    assert "the center of /2/1 is not finite" in here("diff", fern, fern, code=1).err


@pytest.mark.parametrize("by", ["address", "name"])
def test_names_that_steer_a_terminal(here, store, new_id, by):
    names = [f"n{node}" for node in range(60)]
    one, other = new_id("one"), new_id("other")
    store.write(random_dag(one, names=names))
    store.write(random_dag(other, names=[f"\x1b[31m{name}" if name == "n9" else name for name in names]))
    shown = here("diff", one, other, "--by", by, code=1).out
    assert "x1b[31mn9" in shown
    assert "\\u001b[31mn9" in here("diff", one, other, "--by", by, "--format", "json", code=1).out.replace("\\\\x", "\\u00")


def test_a_spool_takes_rows_one_by_one():
    with Spool() as rows:
        for number in range(PAGE_ROWS + 3):
            rows.add([number])
        assert [row for (row,) in rows] == list(range(PAGE_ROWS + 3))
        rows.add([-1])
        assert [row for (row,) in rows][-2:] == [PAGE_ROWS + 2, -1]
        assert len(list(rows)) == PAGE_ROWS + 4
