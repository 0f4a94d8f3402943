"""Old paths of modules work for one release, with a warning that names the new one, whatever was imported first."""

import importlib
import subprocess
import sys

import pytest

from cfgraph.moved import MOVED, VERBS


@pytest.mark.parametrize("old", MOVED)
def test_an_old_path_is_the_new_module(old):
    new = importlib.import_module(f"cfgraph.{MOVED[old]}")
    sys.modules.pop(f"cfgraph.{old}", None)
    with pytest.warns(DeprecationWarning, match=f"cfgraph.{old} is cfgraph.{MOVED[old]} now"):
        module = importlib.import_module(f"cfgraph.{old}")
    names = [name for name in vars(new) if not name.startswith("_")]
    assert names
    assert all(getattr(module, name) is getattr(new, name) for name in names)
    assert set(names) <= set(dir(module))
    assert module.__doc__ == new.__doc__
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        module.nothing_of_the_kind  # noqa: B018 - the look-up is the test


def in_a_process(code):
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_called_whatever_was_imported_first(verb):
    code = f"import warnings; warnings.simplefilter('ignore')\nimport cfgraph.{verb}, cfgraph\n"
    code += f"try: cfgraph.{verb}()\nexcept TypeError as error: print(error)\n"
    code += f"from cfgraph.{verb} import {verb}; print({verb}.__name__)\n"
    code += f"import inspect; now = cfgraph.__getattr__('{verb}')\n"
    code += f"assert inspect.signature(cfgraph.{verb}) == inspect.signature(now)"
    told = in_a_process(code)
    assert told.returncode == 0, told.stderr
    assert "missing" in told.stdout
    assert told.stdout.endswith(f"{verb}\n")


def test_the_new_names_warn_of_nothing():
    told = in_a_process("import cfgraph; [getattr(cfgraph, name) for name in cfgraph.__all__]")
    assert told.returncode == 0, told.stderr
    told = in_a_process("import cfgraph.cells")
    assert "DeprecationWarning: cfgraph.cells is cfgraph.model.cells now" in told.stderr
