"""The README, word for word: its shell commands and its Python run as they stand."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

README = (Path(__file__).parents[2] / "README.md").read_text()
IDS = ("grown", "rule", "koch", "images", "synthetic")


@pytest.fixture
def clean(store):
    """Nothing of the README's names is there, before and after."""
    from cfgraph.errors import NotFoundError

    def clear():
        for identifier in IDS:
            try:
                store.remove(identifier)
            except NotFoundError:
                continue

    clear()
    yield
    clear()


def test_the_shell_commands_run(run, clean, tmp_path):
    np.save(tmp_path / "images.npy", np.random.default_rng(0).normal(size=(400, 12)))
    block = next(block for block in re.findall(r"^```\n(.*?)^```", README, re.MULTILINE | re.DOTALL) if "pip install" in block)
    commands = [shlex.split(line, comments=True)[1:] for line in block.splitlines() if line.startswith("cfgraph ")]
    assert len(commands) > 12
    for words in commands:
        if words != ["down"]:  # the tests' server goes on
            run(*words, cwd=tmp_path)
    assert {"koch.png", "koch.graphml"} <= {file.name for file in tmp_path.iterdir()}


def test_the_python_runs(store_url, clean, capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    names = {}
    exec(compile(code.replace('"local"', repr(store_url)), "README.md", "exec"), names)
    assert max(level.rolled_out.max_center_error for level in names["report"].levels) < 1e-9
    assert names["graph"].number_of_nodes() == 1 + 4 + 16 + 64
    assert "recurrence" in capsys.readouterr().out
