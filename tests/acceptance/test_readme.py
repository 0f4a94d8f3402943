"""The README, word for word: its shell commands and its Python run as they stand."""

import pytest

from tests.readme import block_with, commands_of, make_images, make_inputs, python_blocks

IDS = (
    "grown",
    "rule",
    "koch",
    "images",
    "endless",
    "synthetic",
    "classes",
    "ward",
    "clusters",
    "species",
    "ontology",
    "taxonomy",
    "learned",
    "encoded",
    "seen",
    "nested",
    "digits",
)


@pytest.fixture
def clean(store):
    """Nothing of the README's names is there, before and after."""
    from cfgraph.errors import NotFoundError

    def clear():
        for id in IDS:
            try:
                store.remove(id)
            except NotFoundError:
                continue

    clear()
    yield
    clear()


@pytest.mark.slow("some thirty commands, each a process of its own")
def test_the_shell_commands_run(run, clean, tmp_path):
    make_images(tmp_path)
    commands = commands_of(block_with("pip install"))
    assert len(commands) > 12
    for words in commands:
        if words != ["down"]:  # the tests' server goes on
            run(*words, cwd=tmp_path)
    assert {"koch.png", "koch.graphml"} <= {file.name for file in tmp_path.iterdir()}


@pytest.mark.slow("some twenty commands, each a process of its own")
def test_the_commands_for_what_people_have_run(run, clean, tmp_path):
    make_inputs(tmp_path)
    commands = commands_of(block_with("ingest logits"))
    assert len(commands) >= 10
    for words in commands:
        run(*words, cwd=tmp_path)
    assert (tmp_path / "ward.png").stat().st_size > 10_000


def test_the_python_runs(store_url, clean, capsys):
    blocks = python_blocks()
    assert len(blocks) == 2
    names = {}
    for code in blocks:
        exec(compile(code.replace('"local"', repr(store_url)), "README.md", "exec"), names)
    assert set(names["field"].predict(names["X"])) <= set(names["field"].hierarchy_.cells.addresses)
    assert max(level.rolled_out.max_center_error for level in names["report"].levels) < 1e-9
    assert names["graph"].number_of_nodes() == 1 + 4 + 16 + 64
    assert "recurrence" in capsys.readouterr().out
