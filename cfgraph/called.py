"""Modules that are called like the function of their own name: ``cfgraph.train(...)`` is ``cfgraph.train.train(...)``.

Python binds a submodule to its package under its name, so a function of the same name cannot stand there as well: without
this, ``from cfgraph import train`` would give the function or the module, whichever was there first.
"""

import sys
from types import ModuleType
from typing import Any


class CalledModule(ModuleType):
    """A module that is called like the function of its own name; see that function for arguments and errors."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """What the module's function of the same name answers."""
        return getattr(self, self.__name__.rpartition(".")[2])(*arguments, **named)


def make_callable(name: str) -> None:
    """Let the module of that name be called; it says so itself, as its last line: ``make_callable(__name__)``."""
    sys.modules[name].__class__ = CalledModule
