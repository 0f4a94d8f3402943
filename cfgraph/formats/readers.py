"""Readers of other packages: a hierarchy that is kept somewhere else, read by its addresses; ``NAME:PLACE`` in place of an id.

What the entry point ``NAME`` in the group ``cfgraph.readers`` names is called with the place, and gives a
:class:`~cfgraph.model.reader.Reader` that has a ``hierarchy``, what is known of it. cfgraph.testing.check_reader says what it
must keep.
"""

from typing import Protocol, runtime_checkable

from cfgraph.entries import READERS, load_of_others, names_of_others, told_of_others
from cfgraph.errors import InputError
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.model.reader import Reader


@runtime_checkable
class DescribedReader(Reader, Protocol):
    """A reader that tells what it reads."""

    hierarchy: Hierarchy


def is_elsewhere(title: str) -> bool:
    """Whether a title means a reader of another package: ``NAME:PLACE``, where one is installed that is called so."""
    name, mark, _ = title.partition(":")
    return bool(mark) and name in names_of_others(READERS)


def open_elsewhere(title: str) -> DescribedReader:
    """The reader that ``NAME:PLACE`` means.

    Raises:
        InputError: where several packages have one of the name, it does not load, or it gives something else.
    """
    name, _, place = title.partition(":")
    make = load_of_others(READERS, name)
    if make is None:
        raise InputError(
            f"expected a reader out of {', '.join(names_of_others(READERS)) or 'those installed: none'}, got {title!r}"
        )
    found = make(place)
    if not isinstance(found, DescribedReader) or not isinstance(found.hierarchy, Hierarchy):
        raise InputError(
            f"expected the reader {name!r} of {told_of_others(READERS, name)} to have depth, count, read, cells, children and "
            f"the hierarchy that it reads, got {type(found).__name__}"
        )
    return found
