"""Parts: some cells with their lines and subtrees, and which blocks of the canonical cut have to be grown for them.

The *line* of a cell are its ancestors. To have a cell and all that lies below it down to a depth takes, of each layer of
blocks above the cell, the one block that its line runs through, and of the layers below it the blocks in its subtree.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from cfgraph.errors import AddressError, InputError
from cfgraph.model.address import ROOT, ancestor_address, level_of, parse_address, stem_of
from cfgraph.model.blocks import block_boundaries
from cfgraph.model.growth import count_growth

PARTS_MAX = 1_000  # cells that one growth goes after at once, and parts that it remembers


@dataclass(frozen=True)
class Parts:
    """Some cells, none of which lies below another, in the order of their keys."""

    addresses: tuple[str, ...]

    @classmethod
    def of(cls, addresses: Sequence[str], *, arity: int) -> Self | None:
        """The parts at some addresses, without those that lie below others; None where the root is among them: the whole.

        Raises:
            AddressError: for what is no address, and for slots that no cell of a hierarchy of this ``arity`` has.
            InputError: for no address at all, for a text in place of a list of them, and for more than ``PARTS_MAX``.
        """
        if isinstance(addresses, str):
            raise InputError(f"expected a list of addresses to grow below, got the text {addresses!r}; write [{addresses!r}]")
        if len(addresses) == 0:
            raise InputError("expected at least one address to grow below, got none; leave it out to grow everywhere")
        for address in addresses:
            if strange := [slot for slot in parse_address(address) if slot >= arity]:
                raise AddressError(
                    f"expected slots 0 to {arity - 1} in the address of a cell to grow below (the arity is {arity}), got "
                    f"{strange[0]} in {address!r}"
                )
        if ROOT in addresses:
            return None
        tops = without_nested(addresses)
        if len(tops) > PARTS_MAX:
            raise InputError(f"expected at most {PARTS_MAX:,} cells to grow below in one go, got {len(tops):,}")
        return cls(tops)

    def __str__(self) -> str:
        more = len(self.addresses) - 3
        return ", ".join(self.addresses[:3]) + (f" and {more:,} more" if more > 0 else "")

    @property
    def depth(self) -> int:
        """The deepest level that one of the cells is on."""
        return max(map(level_of, self.addresses))

    def covers(self, address: str) -> bool:
        """Whether a cell is one of these or lies below one."""
        place = bisect_right(self.addresses, address) - 1  # descendants follow their ancestor in this order
        return place >= 0 and (address == self.addresses[place] or address.startswith(self.addresses[place] + "/"))

    def meets(self, address: str) -> bool:
        """Whether a cell lies on the line of one of these, or at or below it."""
        start = stem_of(address) + "/"
        place = bisect_left(self.addresses, start)
        return (place < len(self.addresses) and self.addresses[place].startswith(start)) or self.covers(address)


def without_nested(addresses: Sequence[str]) -> tuple[str, ...]:
    """The addresses in the order of their keys, each once, without those that lie below others of them."""
    tops = list[str]()
    for address in sorted(set(addresses)):
        if not tops or not address.startswith(stem_of(tops[-1]) + "/"):
            tops.append(address)
    return tuple(tops)


def merge_parts(older: Sequence[str], newer: Sequence[str]) -> tuple[str, ...]:
    """What two lists of parts are together; of more than ``PARTS_MAX`` the older ones are forgotten."""
    together = without_nested([*older, *newer])
    room = max(0, PARTS_MAX - len(newer))
    kept = set(newer) | set([address for address in together if address not in set(newer)][:room])
    return tuple(address for address in together if address in kept)


class Ground(Protocol):
    """What has to be known of the cells that there are."""

    def ends_of(self, parts: Parts) -> Mapping[str, str]:
        """The frontier cell that the line of a part ends in, by the part's address, of those parts that are not there yet."""

    def count(self, address: str) -> Mapping[int, int]:
        """The frontier cells at and below a cell that is there, by level."""


@dataclass(frozen=True)
class Measure:
    """How much a growth is: ``cells`` to grow, ``frontier`` cells that they grow from or beside, and the topmost such level.

    ``from_level`` is None where nothing is left to grow.
    """

    cells: int
    frontier: int
    from_level: int | None


def measure_parts(parts: Parts, ground: Ground, *, arity: int, depth: int, height: int) -> Measure:
    """How much there is to grow until some cells and all below them, down to level ``depth``, are there.

    Blocks on lines count whole, each once. ``frontier`` counts the cells on lines, and at and below the parts.
    """
    ends = ground.ends_of(parts)
    lines = dict[tuple[str, int], Mapping[int, int]]()  # (root, last level) of blocks on lines -> the frontier they grow from
    cells, first_levels, frontier = 0, list[int](), len(set(ends.values()))
    for part in parts.addresses:
        end, level = ends.get(part), level_of(part)
        below = {level: 1} if end is not None else ground.count(part)
        frontier += 0 if end is not None else sum(below.values())
        open_levels = [level_of(end)] if end is not None else [each for each in below if each < depth]
        if not open_levels:
            continue
        layers = block_boundaries(from_level=min(open_levels), depth=depth, height=height)
        on_line = [(first, last) for first, last in layers if first < level]
        for first, last in on_line:
            root = ancestor_address(part, first)
            if (root, last) not in lines:
                lines[root, last] = ground.count(root) if first <= min(open_levels) else {first: 1}
        begin = on_line[-1][1] if on_line else layers[0][0]  # the level at which the layers inside the subtree begin
        cells += count_growth(below, arity=arity, depth=depth) - count_growth(below, arity=arity, depth=min(begin, depth))
        first_levels.append(min(open_levels))
    for (_, last), grown in lines.items():
        cells += count_growth(grown, arity=arity, depth=last)
        first_levels += [level for level in grown if level < last]
    return Measure(cells, frontier, min(first_levels, default=None))


def count_whole(frontier: Mapping[int, int], *, arity: int, depth: int) -> Measure:
    """How much there is to grow of a whole hierarchy down to level ``depth``."""
    first = min((level for level in frontier if level < depth), default=None)
    return Measure(count_growth(frontier, arity=arity, depth=depth), sum(frontier.values()), first)
