"""The README, word for word: its shell commands and its Python run as they stand."""

import re
import shlex
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage

README = (Path(__file__).parents[2] / "README.md").read_text()
IDS = (
    "grown",
    "rule",
    "koch",
    "images",
    "synthetic",
    "classes",
    "ward",
    "clusters",
    "species",
    "ontology",
    "taxonomy",
    "digits",
)


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


@pytest.mark.slow("some thirty commands, each a process of its own")
def test_the_shell_commands_run(run, clean, tmp_path):
    np.save(tmp_path / "images.npy", np.random.default_rng(0).normal(size=(400, 12)))
    block = next(block for block in re.findall(r"^```\n(.*?)^```", README, re.MULTILINE | re.DOTALL) if "pip install" in block)
    commands = [shlex.split(line, comments=True)[1:] for line in block.splitlines() if line.startswith("cfgraph ")]
    assert len(commands) > 12
    for words in commands:
        if words != ["down"]:  # the tests' server goes on
            run(*words, cwd=tmp_path)
    assert {"koch.png", "koch.graphml"} <= {file.name for file in tmp_path.iterdir()}


@pytest.mark.slow("some twenty commands, each a process of its own")
def test_the_commands_for_what_people_have_run(run, clean, tmp_path):
    make_inputs(tmp_path)
    block = next(b for b in re.findall(r"^```\n(.*?)^```", README, re.MULTILINE | re.DOTALL) if "ingest logits" in b)
    commands = [shlex.split(line, comments=True)[1:] for line in block.splitlines() if line.startswith("cfgraph ")]
    assert len(commands) >= 10
    for words in commands:
        run(*words, cwd=tmp_path)
    assert (tmp_path / "ward.png").stat().st_size > 10_000


def make_inputs(folder):
    """The files that the README names, small."""
    random = np.random.default_rng(0)
    label = np.repeat(np.arange(10), 30)
    points = random.normal(size=(300, 4)) + 6 * random.normal(size=(10, 4))[label]
    arrays = {"classes": label, "points": points, "Z": linkage(points, "ward"), "single": linkage(points, "single")}
    arrays["logits"] = random.normal(size=(300, 10)) + 3 * np.eye(10)[label]
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "classes.txt").write_text("".join(f"class {number}\n" for number in range(10)))
    (folder / "species.nwk").write_text("((human:6,chimp:6):2,gorilla:8);")
    pairs = [("GO:0000001", "GO:0048308"), ("GO:0000001", "GO:0048311"), ("GO:0048308", "GO:0006996")]
    (folder / "ontology.tsv").write_text("child\tparent\n" + "".join(f"{child}\t{parent}\n" for child, parent in pairs))
    nx.write_graphml(nx.DiGraph([("a", "b"), ("a", "c")]), folder / "taxonomy.graphml")


def test_the_python_runs(store_url, clean, capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    names = {}
    for code in blocks:
        exec(compile(code.replace('"local"', repr(store_url)), "README.md", "exec"), names)
    assert set(names["field"].predict(names["X"])) <= set(names["field"].hierarchy_.cells.addresses)
    assert max(level.rolled_out.max_center_error for level in names["report"].levels) < 1e-9
    assert names["graph"].number_of_nodes() == 1 + 4 + 16 + 64
    assert "recurrence" in capsys.readouterr().out
