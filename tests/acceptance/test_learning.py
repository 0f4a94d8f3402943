"""docs/learning.md, word for word: its commands run one after the other in one folder, and its Python beside them."""

import re
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import sparse
from sklearn.datasets import load_digits

import cfgraph

pytestmark = pytest.mark.slow("some thirty commands, several of which train an encoder")
DOCUMENT = (Path(__file__).parents[2] / "docs" / "learning.md").read_text()
POINTS = 160
NAMED, OWN = "--encoder timm:resnet50.a1_in1k", "--encoder own.pt --size 16x16"  # weights of names are not to be had here


def blocks(language):
    """The blocks of a language, in the document's order; '' are commands."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    return [block for name, block in found if name == language]


def make_inputs(folder):
    """The files that the commands name."""
    random, digits = np.random.default_rng(0), load_digits()
    label = digits.target[:POINTS]
    words = random.dirichlet(np.full(200, 0.1), size=10)
    documents = sparse.csr_array(np.stack([random.multinomial(50, words[one]) for one in label]).astype(float))
    arrays = {
        "points": digits.data[:POINTS, 16:48] + random.normal(size=(POINTS, 32)),
        "digits": digits.data[:POINTS] / 16,
        "more": digits.data[POINTS : POINTS + 40] / 16,
        "classes": label,
        "logits": random.normal(size=(POINTS, 10)) + 3 * np.eye(10)[label],
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    np.savez(folder / "labels.npz", superclass=label // 5, **{"class": label})
    (folder / "classes.txt").write_text("".join(f"class {number}\n" for number in range(10)))
    for name, count in {"pets": 40, "new-pets": 5}.items():
        (folder / name).mkdir()
        for number, digit in enumerate(digits.images[:count]):
            Image.fromarray((16 * digit.clip(0, 15)).astype(np.uint8)).resize((40, 30)).save(folder / name / f"{number}.png")
    for name, rows in {"tfidf": documents, "newer": documents[:20]}.items():
        sparse.save_npz(folder / f"{name}.npz", rows)


@pytest.fixture
def own_store(run_alone, tmp_path):
    """The address of a store of the test's own: other documents name their hierarchies alike, at the same time."""
    url = f"local:{tmp_path / 'own'}"
    yield url
    run_alone("--store", url, "down")


def test_the_document_runs(run_alone, own_store, tmp_path):
    torch = pytest.importorskip("torch", reason="an encoder needs torch")
    make_inputs(tmp_path)
    layers = torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch wants other files of programs; people have these
        torch.jit.trace(torch.nn.Sequential(*layers), torch.zeros(1, 3, 16, 16)).save(tmp_path / "own.pt")
    lines = [line for block in blocks("") for line in block.splitlines() if line.startswith("cfgraph ")]
    assert any(NAMED in line for line in lines)
    assert len(lines) > 20
    programs = f"{Path(run_alone.program).parent}:{run_alone.environment['PATH']}"
    places = {**run_alone.environment, "CFGRAPH_STORE": own_store, "PATH": programs}
    for line in (line.replace(NAMED, OWN) for line in lines):
        done = subprocess.run(
            ["bash", "-euc", line], cwd=tmp_path, env=places, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    files = {"learned.png", "looks.png", "latents.npy", "addresses.txt", "nested.png"}
    assert files <= {file.name for file in tmp_path.iterdir()}
    with cfgraph.Store.open(own_store) as store:
        made = {found.id for found in (*store.hierarchies(), *store.predictors())}
        assert made == set(re.findall(r"--as ([\w-]+)", "\n".join(lines)))
        names = {"cfgraph": cfgraph, "store": store, "rows": np.load(tmp_path / "more.npy")}
        (about_store,) = [block for block in blocks("python") if "cfgraph.apply(store" in block]
        exec(compile(about_store, "learning.md", "exec"), names)


def test_the_python_of_encoders_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch", reason="an encoder needs torch")
    (example,) = [block for block in blocks("python") if "views=my_views" in block]
    monkeypatch.chdir(tmp_path)
    names = {"cfgraph": cfgraph, "images": load_digits().images[:60], "my_views": lambda batch, random: batch}
    exec(compile(example, "learning.md", "exec"), names)
    assert "epoch 150 of 150" in capsys.readouterr().out
    assert (tmp_path / "digits.checkpoint").exists()
