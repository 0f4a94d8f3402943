"""``cfgraph plot`` as a process of its own, on the tests' server."""

import json

import pytest

from tests.grown import grown_hierarchy
from tests.unit.test_plots import REPORT


@pytest.fixture
def stored(store, new_id):
    """The id of a hierarchy in the store."""
    return store.write(grown_hierarchy(new_id())).id


def test_plot_draws_a_picture(run, stored, tmp_path):
    done = run("plot", stored, "-o", tmp_path / "h.png")
    assert (done.stdout, done.stderr) == ("", f"wrote {tmp_path / 'h.png'}\n")
    assert (tmp_path / "h.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow("several commands, each a process of its own")
def test_plot_beside_another(run, stored, tmp_path):
    run("plot", stored, "--beside", stored, "--level", 1, "-o", tmp_path / "h.svg")
    assert "the centers of" in (tmp_path / "h.svg").read_text()


@pytest.mark.slow("several pictures, each by a process of its own")
def test_plot_of_the_tree(run, stored, tmp_path):
    run("plot", stored, "--form", "tree", "--depth", 1, "-o", tmp_path / "h.svg")
    assert "Across: level." in (tmp_path / "h.svg").read_text()
    run("plot", stored, "--form", "icicle", "--beside", stored, "-o", tmp_path / "i.svg")
    assert "Downwards: level." in (tmp_path / "i.svg").read_text()


@pytest.mark.slow("several pictures, each by a process of its own")
def test_plot_of_an_ontology_tells_what_it_leaves_out(run, new_id, tmp_path):
    (tmp_path / "pets.tsv").write_text("child\tparent\ncat\tpet\ncat\tmammal\npet\tanimal\nmammal\tanimal\n")
    name = new_id()
    run("ingest", "edges", tmp_path / "pets.tsv", "--as", name)
    run("plot", name, "-o", tmp_path / "h.svg")
    assert "1 edge from a second parent is not drawn." in (tmp_path / "h.svg").read_text()


def test_plot_of_a_report_needs_no_store(run, tmp_path):
    (tmp_path / "r.json").write_text(json.dumps(REPORT))
    elsewhere = {**run.environment, "CFGRAPH_STORE": "bolt://127.0.0.1:1"}
    run("plot", "--report", "r.json", "-o", "r.pdf", cwd=tmp_path, env=elsewhere)
    assert (tmp_path / "r.pdf").read_bytes().startswith(b"%PDF")


def test_plot_of_a_report_from_stdin(run, tmp_path):
    (tmp_path / "r.json").write_text(json.dumps(REPORT))
    with (tmp_path / "r.json").open() as report:
        run("plot", "--report", "-", "-o", tmp_path / "r.png", stdin=report)
    assert (tmp_path / "r.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nobody", "-o", "h.png"], "there is no hierarchy 'nobody'"),
        (["nobody", "-o", "h.gif"], ".png, .pdf, .svg"),
        (["nobody", "-o", "missing/h.png"], "folder 'missing'"),
        (["-o", "h.png"], "either the ID"),
        (["nobody", "-o", "h.png", "--report", "r.json"], "either the ID"),
        (["-o", "h.png", "--report", "r.json", "--level", "2"], "--level is about cells"),
        (["nobody", "-o", "h.png", "--level", "2", "--depth", "2"], "not both"),
        (["-o", "h.png", "--report", "r.json", "--form", "tree"], "--form is about cells"),
        (["nobody", "-o", "h.png", "--level", "2", "--form", "tree"], "does not go with --form tree"),
        (["nobody", "-o", "h.png", "--form", "pie"], "'pie'"),
        (["-o", "h.png", "--report", "none.json"], "none.json"),
        (["-o", "h.png", "--report", "r.json"], "expected the JSON of"),
    ],
)
def test_plot_refuses(run, tmp_path, words, told):
    (tmp_path / "r.json").write_text("no report")
    done = run("plot", *words, code=2, cwd=tmp_path)
    assert done.stdout == ""
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_plot_refuses_a_level_that_is_not_there(run, stored, tmp_path):
    assert "no level 99" in run("plot", stored, "--level", 99, "-o", tmp_path / "h.png", code=2).stderr
