"""Names that hold commands for a terminal, a spreadsheet or a parser: in the graph as they are, harmless wherever they go."""

import csv
import io
import json
from xml.etree import ElementTree

import pytest

from cfgraph.cli import run as run_here
from tests.unit.test_visible import C1, SHOWN, TITLE, hostile_in, run_in_terminal

NAMES = [TITLE, "=cmd|calc!A1", '<b>&"quote', "]]>", "../../../etc/x", f"x{C1}\x7f\u2028y", "two\nlines", "[red]:dog:[/red]"]


@pytest.fixture(scope="module")
def edges(tmp_path_factory):
    """A table of edges whose names are hostile."""
    path = tmp_path_factory.mktemp("hostile") / "esc.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["child", "parent"], *([name, "root\x1b[2J"] for name in NAMES)])
    return path


@pytest.fixture
def here(monkeypatch, store_url, capsys):
    """Runs a command in this process, which is where it is to write out control characters by itself; stdout and stderr."""
    monkeypatch.setenv("CFGRAPH_STORE", store_url)

    def run_command(*words, code=0):
        found = run_here([str(word) for word in words])
        told = capsys.readouterr()
        assert found == code, (words, told.err)
        assert not hostile_in(told.out + told.err), words
        return told

    return run_command


@pytest.fixture
def id(here, new_id, edges):
    """A hierarchy of these names, whose own name turns the direction of writing."""
    made = new_id("\u202e\x9b2J")
    here("ingest", "edges", edges, "--as", made)
    return made


def test_no_command_prints_a_control_character(run, here, id, edges, tmp_path):
    classes = tmp_path / "classes.csv"
    with classes.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["name", "label"], *([name, f"{name}{n % 2}"] for n, name in enumerate(NAMES))])
    query = ("query", "MATCH (c:Cell) WHERE c.hierarchy = $id RETURN c.name AS `a\x1b[5m` ORDER BY c.name", "-p", f"id={id}")
    assert SHOWN in here(*query).out
    commands = [
        ("ls",),
        ("show", id),
        ("show", id, "--digest", "--format", "json"),
        ("path", id, TITLE, "=cmd|calc!A1"),
        ("path", id, TITLE, "two\nlines"),
        ("verify", id),
        ("compare", id, id),
        ("compare", id, id, "--format", "json"),
        ("evaluate", id, "--labels", classes),
        ("evaluate", id, "--labels", classes, "--format", "json"),
        ("plot", id, "-o", tmp_path / f"{TITLE}.svg"),
        ("export", id, "-o", tmp_path / f"{TITLE}.graphml"),
        ("--verbose", "verify", id),
        ("--verbose", "--log-format", "json", "verify", id),
    ]
    for words in commands:
        here(*words)
    sent = run_in_terminal([run.program, *query], **run.environment, PYTHONUTF8="1")
    assert "\x1b[1m" in sent  # a heading in bold, which is rich's own
    assert not hostile_in(sent.replace("\r\n", "\n").replace("\x1b[1m", "").replace("\x1b[0m", "")), sent


def test_no_error_prints_a_control_character(here, id, tmp_path):
    refused = [
        ("show", TITLE),
        ("path", id, TITLE + "!", "/"),
        ("query", f"RETURN '{TITLE}"),
        ("query", "RETURN 1", "-p", f"=\x1b[31m{TITLE}"),
        ("ingest", "tree", f"{TITLE}.nwk", "--as", "it"),
        (f"\x9b2J{TITLE}",),
        ("plot", id, "-o", f"{TITLE}.gif"),
        ("export", id, "-o", f"/nowhere/{TITLE}.csv"),
        ("ls", f"--{TITLE}"),
        ("ls", "--format", TITLE),
    ]
    for words in refused:
        assert here(*words, code=2).err.count("\n") == 1, words


def test_data_keeps_what_it_is(run, id):
    query = ("query", "MATCH (c:Cell) WHERE c.hierarchy = $id RETURN c.name AS name", "-p", f"id={id}")
    wanted = {*NAMES, "root\x1b[2J"}
    assert {row["name"] for row in json.loads(run(*query, "--format", "json").stdout)} == wanted
    piped = run(*query, "--format", "csv", text=False).stdout.decode()
    assert {row["name"] for row in csv.DictReader(io.StringIO(piped, newline=""))} == wanted


@pytest.mark.parametrize("suffix", ["graphml", "gexf", "svg"])
def test_files_of_xml_are_well_formed(here, id, tmp_path, suffix):
    path = tmp_path / f"it.{suffix}"
    here("plot" if suffix == "svg" else "export", id, "-o", path)
    assert ElementTree.parse(path).getroot() is not None


def test_csv_is_safe_for_spreadsheets_on_request(here, id, tmp_path):
    here("export", id, "-o", tmp_path / "safe.csv", "--spreadsheet-safe")
    with (tmp_path / "safe.csv").open(newline="", encoding="utf-8") as file:
        names = {row["name"] for row in csv.DictReader(file)}
    assert names == {*NAMES, "root\x1b[2J", "'=cmd|calc!A1"} - {"=cmd|calc!A1"}
    refused = here("export", id, "-o", tmp_path / "h.graphml", "--spreadsheet-safe", code=2)
    assert "--spreadsheet-safe is for csv" in refused.err
