"""What pip calls us, what it installs, and what a message says where something is missing."""

import ast
import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import cfgraph
from cfgraph import errors
from cfgraph.errors import MissingExtraError, how_to_install

HOUSE = Path(__file__).parents[2]
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
EXTRAS = {
    name: {Requirement(text) for text in listed}
    for name, listed in PROJECT["optional-dependencies"].items()
    if name != "all"  # the sum of the others, but for engines
}
ENGINES = {"dask", "ray", "slurm"}  # of those who have one
SOURCES = sorted([*(HOUSE / "cfgraph").rglob("*.py"), *(HOUSE / "cli").glob("*.py")])


def packages_of(command):
    """What a command line of pip's installs."""
    return {Requirement(text) for text in re.findall(r"'([^']*)'", command)}


def test_the_distribution_is_named_once_more_where_it_must_be():
    assert PROJECT["name"] == errors.DISTRIBUTION
    (everything,) = map(Requirement, PROJECT["optional-dependencies"]["all"])
    assert everything.name == errors.DISTRIBUTION
    assert everything.extras == set(EXTRAS) - ENGINES


def test_the_version_stands_in_one_place():
    assert "version" in PROJECT["dynamic"]
    assert Version(version(errors.DISTRIBUTION)) == Version(cfgraph.__version__), "make install was not run since it changed"


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_missing_extra_names_its_packages_as_pyproject_does(extra):
    assert packages_of(how_to_install(extra)) == EXTRAS[extra]


def test_where_cfgraph_was_not_installed_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(errors, "DISTRIBUTION", "no-distribution-of-that-name")
    assert how_to_install("plot") == "pip install '.[plot]' in a checkout of cfgraph"


def calls():
    """Every call in the code, with the words that it is called by: ``MissingExtraError.of``."""
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func), node


def test_every_missing_library_is_told_with_what_installs_it():
    told = [node for name, node in calls() if name == "MissingExtraError.of"]
    assert len(told) >= 6
    for node in told:
        library = ast.literal_eval(node.args[0])
        extra = next(ast.literal_eval(word.value) for word in node.keywords if word.arg == "extra")
        assert library in {package.name for package in EXTRAS[extra]}, ast.unparse(node)
        error = MissingExtraError.of(library, extra=extra, purpose="this")
        assert str(error).startswith(f"this needs {library}, ")
        assert packages_of(str(error)) == EXTRAS[extra]
    assert not [ast.unparse(node) for name, node in calls() if name == "MissingExtraError"], "of() names the packages"


def test_nobody_is_told_to_install_cfgraph():
    """On the package index that name is somebody else's, and would replace us."""
    names = "|".join(["all", *EXTRAS])
    wrong = re.compile(rf"""\bcfgraph\[(?:\w+,)*(?:{names})\b|pip install (?:-\S+ )*['"]?cfgraph\b""")
    listed = subprocess.run(["git", "ls-files"], cwd=HOUSE, capture_output=True, text=True, check=True).stdout.split()
    there = [HOUSE / name for name in listed if (HOUSE / name).is_file() and HOUSE / name != Path(__file__)]
    found = {str(file): wrong.findall(file.read_text(errors="ignore")) for file in there}
    assert not {name for name, words in found.items() if words}
    assert wrong.search("pip install 'cfgraph[all]'")
    assert wrong.search("pip install -U cfgraph")
