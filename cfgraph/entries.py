"""Entries: parts that other packages bring, found by the entry points of their distributions, each kind in a group of its own.

    cfgraph.engines       what makes an engine: ``make(place, workers=N)``        rollout --engine NAME[:PLACE]
    cfgraph.predictors    a family: a class of ``Predictor``                      train --family NAME
    cfgraph.readers       what opens a reader: ``open(place)``                    NAME:PLACE in place of an id
    cfgraph.sources       a function that gives a hierarchy                       ingest NAME [DATA] --as ID

A name that several bring, or that cfgraph itself has, is nobody's: whoever asks for it is told which distributions bring it.
"""

import sys
from collections.abc import Collection
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from cfgraph.errors import InputError, one_line

ENGINES, PREDICTORS, READERS, SOURCES = "cfgraph.engines", "cfgraph.predictors", "cfgraph.readers", "cfgraph.sources"
KINDS = {ENGINES: "engine", PREDICTORS: "family", READERS: "reader", SOURCES: "source"}  # as messages call them


def names_of_others(group: str, *, own: Collection[str] = ()) -> tuple[str, ...]:
    """The names that other packages bring in a group, those apart that cfgraph has itself; nothing is loaded."""
    return tuple(sorted({entry.name for entry in _entries(group, tuple(sys.path))} - set(own)))


def load_of_others(group: str, name: str, *, own: Collection[str] = ()) -> Any:
    """What another package brings under a name in a group; None where none does.

    Args:
        group: one of the four above.
        name: what was asked for.
        own: the names that cfgraph has itself in this group.

    Raises:
        InputError: where several bring it, where cfgraph has the name itself, and where it does not load; names the
            distributions.
    """
    found = check_unique(group, name, own=own)
    if not found:
        return None
    try:
        return found[0].load()
    except Exception as error:  # whatever the package's own code does while it is imported
        raise InputError(
            f"the {KINDS[group]} {name!r} cannot be loaded: {type(error).__name__}: {one_line(error)}; it comes from "
            f"{_told(found[0])}: install that anew, or uninstall it"
        ) from error


def check_unique(group: str, name: str, *, own: Collection[str] = ()) -> list[EntryPoint]:
    """The one entry point of a name, or none; an ``InputError`` where several have it, cfgraph itself among them."""
    found = [entry for entry in _entries(group, tuple(sys.path)) if entry.name == name]
    if len(found) > 1 or (found and name in own):
        owners = [*(["cfgraph itself"] if name in own else []), *map(_told, found)]
        raise InputError(
            f"the {KINDS[group]} {name!r} is there more than once: {' and '.join(owners)}; uninstall what should not be meant"
        )
    return found


def told_of_others(group: str, name: str) -> str:
    """Which distribution brings what has a name in a group, for messages about it."""
    return ", ".join(_told(entry) for entry in _entries(group, tuple(sys.path)) if entry.name == name)


@lru_cache(maxsize=32)
def _entries(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of a group: looked for once, and again where Python looks for packages in other places."""
    return tuple(entry_points(group=group))


def _told(entry: EntryPoint) -> str:
    distribution = "a distribution without a name" if entry.dist is None else f"the distribution {entry.dist.name!r}"
    return f"{distribution} ({entry.name} = {entry.value})"
