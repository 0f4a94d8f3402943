"""Names that are loaded when they are first used, so that importing a package costs nothing that is not needed.

A package gives one table, name -> module, and a ``TYPE_CHECKING`` block of the same imports: type checkers and completion
read the block, Python the table. ``__getattr__`` itself is hidden from checkers, to whom every name would be there.
tests/unit/test_surface.py compares the two, name by name.

:func:`later` is for methods whose work is done on a floor above their class: ``hierarchy.plot()``, by ``cfgraph.plots``. The
class has the whole method, signature and docstring, for people and checkers; its body is one call. A test compares the two
signatures.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def load_late(package: str, homes: Mapping[str, str], *, modules: Mapping[str, str] | None = None) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package.

    Args:
        package: its ``__name__``, for the message.
        homes: name -> the module that has it.
        modules: name -> the module that it is.

    Errors of what it returns: AttributeError for another name; it lists those there are.
    """
    whole = modules or {}

    def find(name: str) -> Any:
        if name in homes:
            return getattr(import_module(homes[name]), name)
        if name in whole:
            return import_module(whole[name])
        raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {', '.join([*homes, *whole])}")

    return find


def later(home: str, name: str) -> Callable[..., Any]:
    """A function of a module above, loaded now: what a method's body calls with itself and its arguments."""
    function: Callable[..., Any] = getattr(import_module(home), name)
    return function
