"""Find: a source that another package brings (entry point ``cfgraph.sources``), and what it gives, held against what is asked.

Such a source is a function: ``source(data, *, id, ...)``, or ``source(*, id, ...)`` where it needs no data, that gives a
hierarchy with its cells. cfgraph.testing.check_source says what it must keep.
"""

import inspect
import json
from collections.abc import Callable, Iterable
from typing import Any

import cfgraph.sources as package
from cfgraph.entries import SOURCES, load_of_others, names_of_others, told_of_others
from cfgraph.errors import InputError
from cfgraph.model.hierarchy import HierarchyWithCells
from cfgraph.model.invariants import check_sound

Source = Callable[..., HierarchyWithCells]


def sources_of_others() -> tuple[str, ...]:
    """The names of the sources that other packages bring; none of them is loaded."""
    return names_of_others(SOURCES, own=package.__all__)


def find_source(name: str) -> Source:
    """The source of a name, of cfgraph's own or of another package.

    Raises:
        InputError: for a name that nobody brings, that several bring, and for what does not load or is no function.
    """
    found = load_of_others(SOURCES, name, own=package.__all__)
    if found is None and name in package.__all__:
        found = getattr(package, name)
    if found is None:
        raise InputError(f"expected a source out of {', '.join((*package.__all__, *sources_of_others()))}, got {name!r}")
    if not callable(found):
        raise InputError(f"expected a function as the source {name!r} of {told_of_others(SOURCES, name)}, got {found!r}")
    return found


def call_source(name: str, data: str | None = None, *, id: str, arguments: Iterable[str] = ()) -> HierarchyWithCells:
    """What a source of another package gives for some data, with ``arguments`` as a command line has them: ``NAME=VALUE``.

    A value is taken as JSON where it is such (``3``, ``true``, ``[1, 2]``), else as a text.

    Raises:
        InputError: for arguments that the source does not have, or that are written otherwise, and where what it gives is no
            hierarchy with sound cells under that id.
    """
    source, options = find_source(name), dict(_argument(text) for text in arguments)
    _check_arguments(name, source, data, options)
    hierarchy = source(**options, id=id) if data is None else source(data, **options, id=id)
    where = f"the source {name!r} of {told_of_others(SOURCES, name)}"
    if not isinstance(hierarchy, HierarchyWithCells):
        raise InputError(f"expected {where} to give a hierarchy with its cells, got {type(hierarchy).__name__}")
    if hierarchy.id != id:
        raise InputError(f"expected {where} to give a hierarchy of the id {id!r}, got {hierarchy.id!r}")
    try:
        check_sound(hierarchy, grown=False)
    except InputError as error:
        raise InputError(f"{where} gave cells that are not sound: {error}") from error
    return hierarchy


def _argument(text: str) -> tuple[str, Any]:
    name, mark, value = text.partition("=")
    if not mark or not name.isidentifier():
        raise InputError(f"expected ARGUMENT=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _check_arguments(name: str, source: Source, data: str | None, options: dict[str, Any]) -> None:
    """An ``InputError`` where the source does not take what it would be called with; tells what it takes."""
    signature = inspect.signature(source)
    try:
        signature.bind(*(() if data is None else (data,)), **options, id="it")
    except TypeError as error:
        raise InputError(f"the source {name!r} takes {told_arguments(source)}: {error}") from error


def told_arguments(source: Source) -> str:
    """The arguments of a source as messages and help show them, without the id."""
    taken = [str(parameter) for parameter in inspect.signature(source).parameters.values() if parameter.name != "id"]
    return ", ".join(taken) or "no arguments"
