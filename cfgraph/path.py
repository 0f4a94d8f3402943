"""Path: the metric between two cells of a hierarchy in the graph, with the way it takes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cfgraph.address import ancestor_address, level_of, lowest_common_ancestor, parse_address
from cfgraph.errors import AddressError

if TYPE_CHECKING:
    from cfgraph.store import Store


@dataclass(frozen=True)
class Path:
    """The way between two cells: up from ``first`` to their lowest common ancestor, and down to ``second``.

    ``lengths[i]`` is the length of the edge between ``way[i]`` and ``way[i + 1]``.
    """

    first: str
    second: str
    ancestor: str
    distance: float
    way: tuple[str, ...]
    lengths: tuple[float, ...]


def find_path(store: "Store", identifier: str, *, first: str, second: str) -> Path:
    """The path between two cells by address: ``d_pt`` as the sum of the lengths below the lowest common ancestor.

    Raises ``AddressError`` for an address that is malformed or not in the graph.
    """
    return find_paths(store, identifier, pairs=[(first, second)])[0]


def find_paths(store: "Store", identifier: str, *, pairs: list[tuple[str, str]]) -> list[Path]:
    """The paths of many pairs of addresses; the cells on their ways are read in one go."""
    for address in {address for pair in pairs for address in pair}:
        parse_address(address)
    cells = store.read_ways(identifier, [address for pair in pairs for address in pair])
    for address in (address for pair in pairs for address in pair):
        if address not in cells:
            raise AddressError(_missing(address, cells, identifier))
    return [
        _path_between(first, second, {address: cell["length"] for address, cell in cells.items()}) for first, second in pairs
    ]


def _missing(address: str, cells: dict, identifier: str) -> str:
    there = max(
        (ancestor_address(address, level) for level in range(level_of(address))), key=lambda a: (a in cells, level_of(a))
    )
    return f"there is no cell {address} in {identifier!r}: nothing is known below {there}"


def _path_between(first: str, second: str, lengths: dict[str, float]) -> Path:
    ancestor = lowest_common_ancestor(first, second)
    up = [ancestor_address(first, level) for level in range(level_of(first), level_of(ancestor), -1)]
    down = [ancestor_address(second, level) for level in range(level_of(ancestor) + 1, level_of(second) + 1)]
    steps = [lengths[address] for address in [*up, *down]]
    return Path(first, second, ancestor, sum(steps), (*up, ancestor, *down), tuple(steps))
