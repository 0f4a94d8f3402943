"""The package of docs/extending.md, installed: its engine against the store, its parts by their names on the command line."""

import pytest

from cfgraph import cli, sources
from cfgraph.testing import engines as checks
from tests.packages import appear, install_example


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The package's tests by their names."""
    found = {}
    tests = install_example(tmp_path)
    appear(monkeypatch, tmp_path, "mypackage")
    monkeypatch.setattr(checks, "SLEEP_SECONDS", 0.5)
    monkeypatch.setattr(checks, "DEPTH", 4)
    exec(compile(tests, "docs/extending.md", "exec"), found)
    return found


def test_the_engine_in_the_docs_passes_its_own_test(example, store):
    check = example["check_engine"]
    example["check_engine"] = lambda name, store: check(name, store, depth=4)
    example["test_engine"](store)


def test_parts_of_another_package_are_used_by_their_names(example, store, store_url, new_id, tmp_path, capsys):
    def run(*words, code=0):
        assert cli.run(["--store", store_url, *map(str, words)]) == code, capsys.readouterr().err
        return capsys.readouterr()

    animals, koch, rule, grown = (new_id(name) for name in ("animals", "koch", "rule", "grown"))
    (tmp_path / "animals.txt").write_text("animals\n    birds\n        owl\n        wren\n    fish\n")
    told = run("ingest", "outline", tmp_path / "animals.txt", "--as", animals, "--set", "blanks=4")
    assert f"{animals}: 5 cells, depth 2" in told.out
    assert store.hierarchy(animals).origin == "outline"
    truth = sources.ifs("koch", id=koch, depth=3)
    store.write(truth)
    assert "median" in run("train", koch, "--depth", 3, "--family", "median", "--as", rule).out
    how = ("--from-depth", 2, "--to-depth", 3, "--as", grown, "--engine", "threads", "--workers", 2)
    run("rollout", koch, "--predictor", rule, *how)
    assert store.hierarchy(grown).state == "complete"
    example["save_archive"](truth, tmp_path / "koch.npz")
    title = f"archive:{tmp_path / 'koch.npz'}"
    assert '"predicted"' in run("compare", title, grown, "--format", "json").out
    point = ",".join(map(str, truth.cells.center[30].tolist()))
    assert truth.cells.addresses[30] in run("locate", title, "--depth", 3, "--format", "json", "--", point).out
    assert "another package" in run("locate", title, "--depth", 3, "--predictor", rule, "--", point, code=2).err
    assert "expected ARGUMENT=VALUE" in run("ingest", "outline", "x", "--as", "it", "--set", "blanks", code=2).err
