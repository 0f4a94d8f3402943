"""The wheel, installed alone: all that is needed is in it, and the README's commands and Python run from it."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import SERVERS
from tests.readme import block_with, make_images, make_inputs, python_blocks

pytestmark = pytest.mark.slow("installs the wheel into an environment of its own")
HOUSE = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")  # make install puts it there
FOLDERS = {"cfgraph": "cfgraph", "cli": "cfgraph/cli", "cypher": "cfgraph/cypher"}  # in the checkout, in the wheel


def tracked(*folders):
    """The files that are kept, as they lie now."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *folders]
    listed = subprocess.run(words, cwd=HOUSE, capture_output=True, text=True, check=True).stdout.split()
    return [Path(name) for name in listed if (HOUSE / name).is_file()]


def call(*words, **options):
    """Run a program to its end; what it said where it failed."""
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, f"{words[0]}: exit {done.returncode}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of the checkout's files, built from a copy: what an earlier build left behind does not get into it."""
    copy, into = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheel")
    for file in tracked():
        (copy / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HOUSE / file, copy / file)
    call(UV, "build", "--quiet", "--wheel", "--python", sys.executable, "--out-dir", into, copy)
    (built,) = into.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def programs(wheel, tmp_path_factory):
    """The folder of an environment's programs that holds the wheel with its extras, as the README says, and no more."""
    folder = tmp_path_factory.mktemp("alone") / "venv"
    outside = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    call(UV, "venv", "--quiet", "--python", sys.executable, folder, env=outside)
    python = folder / "bin" / "python"
    call(UV, "pip", "install", "--quiet", "--python", python, f"classification-fields[all] @ {wheel.as_uri()}", env=outside)
    return python.parent


@pytest.fixture
def alone(programs, tmp_path):
    """Runs a program in an empty folder, where nothing but the wheel is found; the folder's own server ends with it."""
    kept = {name: value for name, value in os.environ.items() if name in SERVERS or not name.startswith(("CFGRAPH_", "NEO4J_"))}
    kept = {name: value for name, value in kept.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment = {**kept, "PATH": f"{programs}{os.pathsep}{kept['PATH']}", "CFGRAPH_ENV_FILE": ""}
    yield lambda *words: call(*words, cwd=tmp_path, env=environment)
    call(programs / "cfgraph", "down", cwd=tmp_path, env=environment)


def test_everything_is_in_the_wheel(wheel):
    """Modules, queries, lists of jars, and the mark that the package is typed: every file but the folders' own READMEs."""
    wanted = {
        (Path(FOLDERS[file.parts[0]]) / file.relative_to(file.parts[0])).as_posix()
        for file in tracked(*FOLDERS)
        if file.suffix != ".md"
    }
    held = set(zipfile.ZipFile(wheel).namelist())
    assert wanted - held == set(), "list it in pyproject.toml: packages, or package-data"
    assert {name for name in held if not name.split("/")[0].endswith(".dist-info")} - wanted == set()


def test_it_is_installed_under_its_own_name_and_nobody_elses(alone):
    code = (
        "import cfgraph; from importlib.metadata import packages_distributions as of; print(cfgraph.__file__, of()['cfgraph'])"
    )
    file, names = alone("python", "-c", code).split(maxsplit=1)
    assert Path(file).is_relative_to(Path(alone("python", "-c", "import sys; print(sys.prefix)").strip()))
    assert names.strip() == "['classification-fields']"


def run_commands(alone, block):
    """Run a block's commands of cfgraph as a shell does, and stop at the first that fails."""
    alone("bash", "-euc", "\n".join(ending(line) for line in block.splitlines() if line.startswith("cfgraph ")))


def ending(line):
    """A command as it stands; one that serves a page until Ctrl-C gets that after a while, and has to have told its address."""
    if not line.startswith("cfgraph explore"):
        return line
    command = line.partition("  #")[0].strip()
    return f"timeout -s INT 20 {command} --no-browser > page.txt || test $? -eq 124; grep -q http://127.0.0.1: page.txt"


def test_the_shell_commands_run(alone, tmp_path):
    make_images(tmp_path)
    run_commands(alone, block_with("pip install"))
    assert {"koch.png", "koch.graphml", "koch.parquet"} <= {file.name for file in tmp_path.iterdir()}


def test_the_commands_for_what_people_have_run(alone, tmp_path):
    make_inputs(tmp_path)
    run_commands(alone, block_with("ingest logits"))
    assert (tmp_path / "ward.png").stat().st_size > 10_000


def test_the_python_runs(alone, tmp_path):
    (tmp_path / "readme.py").write_text("\n".join(python_blocks()))
    assert "recurrence" in alone("python", "readme.py")
