"""The names that packages load late: what Python finds is what type checkers see, and verbs have a signature."""

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import cfgraph

LATE = {
    "cfgraph": ("_PUBLIC", "_MODULES"),
    "cfgraph.formats": ("_LATE",),
    "cfgraph.predictors": ("_HOMES",),
    "cfgraph.store": ("_PLACES",),
    "cfgraph.testing": ("_HOMES",),
}
VERBS = ("compare", "evaluate", "find_path", "grow", "rollout", "to_networkx", "train", "verify")


def is_typing_block(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def typed_imports(package: str) -> dict[str, str]:
    """Name -> module, as the package's TYPE_CHECKING block tells checkers (``import x as x`` is an export to them)."""
    tree = ast.parse(Path(import_module(package).__file__).read_text(encoding="utf-8"))
    imports = [node for block in tree.body if is_typing_block(block) for node in block.body]
    return {alias.name: node.module for node in imports for alias in node.names if alias.asname == alias.name}


def late_names(package: str) -> dict[str, str]:
    """Name -> module, as the package's tables tell Python; a module stands in its parent."""
    names = dict(getattr(import_module(package), LATE[package][0]))
    for name, module in getattr(import_module(package), LATE[package][-1]).items():
        names[name] = module.rpartition(".")[0] if LATE[package][-1] == "_MODULES" else module
    return names


@pytest.mark.parametrize("package", LATE)
def test_checkers_see_every_name_that_is_loaded_late(package):
    assert typed_imports(package) == late_names(package)


@pytest.mark.parametrize("package", LATE)
def test_every_late_name_is_there_and_no_other(package):
    loaded = import_module(package)
    assert all(getattr(loaded, name) is not None for name in late_names(package))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'; it has "):
        _ = loaded.nothing


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_shows_its_parameters(verb):
    assert inspect.signature(getattr(cfgraph, verb)).parameters
