"""Packages of others, installed for a test: distributions with entry points, as pip leaves them, in a folder of their own."""

import re
import sys
import tomllib
from collections.abc import Mapping
from importlib import invalidate_caches
from pathlib import Path

EXTENDING = Path(__file__).parents[1] / "docs" / "extending.md"


def install(folder: Path, name: str, entries: Mapping[str, Mapping[str, str]], **modules: str) -> None:
    """A distribution in a folder: its entry points by group, and its modules' text."""
    told = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    told.mkdir(parents=True)
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in names.items()) for group, names in entries.items()]
    (told / "entry_points.txt").write_text("\n".join(lines))
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(text)


def appear(patch, folder: Path, *modules: str) -> None:
    """Let Python find what is installed in a folder; ``modules`` are imported anew."""
    patch.syspath_prepend(str(folder))
    invalidate_caches()
    for module in modules:
        patch.delitem(sys.modules, module, raising=False)


def blocks_of_extending(language: str) -> list[str]:
    """The blocks of a language in docs/extending.md."""
    return re.findall(rf"^```{language}\n(.*?)^```", EXTENDING.read_text(), re.MULTILINE | re.DOTALL)


def install_example(folder: Path) -> str:
    """The package that docs/extending.md shows; the text of its tests."""
    [project] = blocks_of_extending("toml")
    package, tests = blocks_of_extending("python")
    install(folder, "mypackage", tomllib.loads(project)["project"]["entry-points"], mypackage=package)
    return tests
