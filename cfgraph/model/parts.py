"""Parts: some cells with their lines and subtrees, and which blocks of the canonical cut have to be grown for them.

The *line* of a cell are its ancestors. To have a cell and all that lies below it down to a depth takes, of each layer of
blocks above the cell, the one block that its line runs through, and of the layers below it the blocks in its subtree.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, Self

from cfgraph.errors import AddressError, InputError
from cfgraph.model.address import ROOT, ancestor_address, level_of, parse_address, stem_of
from cfgraph.model.blocks import block_boundaries
from cfgraph.model.growth import count_growth

PARTS_MAX = 1_000  # cells that one growth goes after at once, and parts that it remembers
ENDLESS = 2**62  # a level below all that there can be


def lies_at(address: str, top: str) -> bool:
    """Whether a cell is another one or lies below it."""
    return address == top or address.startswith(stem_of(top) + "/")


class Portion(NamedTuple):
    """A cell with its subtree: down to a level, or (None) to the depth that is aimed at."""

    address: str
    to_level: int | None = None

    def __str__(self) -> str:
        """What is kept of it in the graph: ``/0/1``, or ``/0/1:5`` for its subtree down to level 5."""
        return self.address if self.to_level is None else f"{self.address}:{self.to_level}"

    @classmethod
    def of_text(cls, text: str) -> Self:
        """The part that a text names; an ``AddressError`` for what names none."""
        address, mark, level = text.partition(":")
        parse_address(address)
        if mark and not (level.isascii() and level.isdecimal()):
            raise AddressError(f"expected a level behind the colon of {text!r}, as in {address}:5")
        return cls(address, int(level) if mark else None)

    def holds(self, other: "Portion") -> bool:
        """Whether all of another part, its line left aside, lies in this one."""
        deep = self.to_level is None or (other.to_level is not None and other.to_level <= self.to_level)
        return deep and lies_at(other.address, self.address)

    @property
    def deepest(self) -> int:
        """The deepest level that it names: the cell's, or the one its subtree is wanted down to."""
        return max(level_of(self.address), self.to_level or 0)

    def depth(self, aimed_at: int) -> int:
        """The level down to which its subtree is wanted."""
        return aimed_at if self.to_level is None else min(self.to_level, aimed_at)


@dataclass(frozen=True)
class Parts:
    """Some cells with their subtrees, in the order of their keys: each cell once.

    Of subtrees down to the depth that is aimed at none lies in another; one down to a level may hold deeper ones. ``levels``
    are those down to which subtrees are wanted, by the cell's address; the others reach the depth that is aimed at.
    """

    addresses: tuple[str, ...]
    levels: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, addresses: Sequence[str | Portion], *, arity: int) -> Self | None:
        """The parts at some addresses, without those that lie in others; None where the whole is among them.

        Raises:
            AddressError: for what is no address, and for slots that no cell of a hierarchy of this ``arity`` has.
            InputError: for no address at all, for a text in place of a list of them, and for more than ``PARTS_MAX``.
        """
        if isinstance(addresses, str):
            raise InputError(f"expected a list of addresses to grow below, got the text {addresses!r}; write [{addresses!r}]")
        if len(addresses) == 0:
            raise InputError("expected at least one address to grow below, got none; leave it out to grow everywhere")
        parts = [each if isinstance(each, Portion) else Portion(each) for each in addresses]
        for address, _ in parts:
            if strange := [slot for slot in parse_address(address) if slot >= arity]:
                raise AddressError(
                    f"expected slots 0 to {arity - 1} in the address of a cell to grow below (the arity is {arity}), got "
                    f"{strange[0]} in {address!r}"
                )
        if Portion(ROOT) in parts:
            return None
        tops = without_nested(parts)
        if len(tops) > PARTS_MAX:
            raise InputError(f"expected at most {PARTS_MAX:,} cells to grow below in one go, got {len(tops):,}")
        return cls.of_parts(tops)

    @classmethod
    def of_parts(cls, parts: Iterable[Portion]) -> Self:
        """These parts, none of which lies in another."""
        listed = sorted(parts, key=lambda part: part.address)
        levels = {part.address: part.to_level for part in listed if part.to_level is not None}
        return cls(tuple(part.address for part in listed), levels)

    @classmethod
    def of_texts(cls, texts: Iterable[str]) -> Self:
        """The parts that are kept in the graph as these texts."""
        return cls.of_parts(map(Portion.of_text, texts))

    @property
    def portions(self) -> tuple[Portion, ...]:
        """Each of them."""
        return tuple(Portion(address, self.levels.get(address)) for address in self.addresses)

    @property
    def texts(self) -> tuple[str, ...]:
        """Each as it is kept in the graph."""
        return tuple(map(str, self.portions))

    def __str__(self) -> str:
        more = len(self.addresses) - 3
        return ", ".join(self.texts[:3]) + (f" and {more:,} more" if more > 0 else "")

    @property
    def depth(self) -> int:
        """The deepest level that one of the cells is on, or that a subtree is wanted to."""
        return max(part.deepest for part in self.portions)

    def reached(self, depth: int) -> int:
        """The deepest level that is grown where the depth ``depth`` is aimed at."""
        return max(part.depth(depth) for part in self.portions)

    def in_blocks(self, *, depth: int, height: int) -> Self:
        """The same, with levels that blocks of the cut for ``depth`` end at: the next ones at or below."""
        ends = {address: depth - (depth - level) // height * height for address, level in self.levels.items()}
        ends = {address: end for address, end in ends.items() if end < depth}
        return self.of_parts(without_nested(Portion(address, ends.get(address)) for address in self.addresses))

    def covers(self, address: str) -> bool:
        """Whether a cell is one of these or lies below one, on whatever level."""
        place = bisect_right(self.addresses, address) - 1  # descendants follow their ancestor in this order
        return (place >= 0 and lies_at(address, self.addresses[place])) or any(lies_at(address, top) for top in self.levels)

    def begun(self, address: str) -> int | None:
        """The level down to which others of these are wanted that a cell lies below; None where it lies below none."""
        return max((level for top, level in self.levels.items() if top != address and lies_at(address, top)), default=None)

    def meets(self, address: str) -> bool:
        """Whether a cell lies on the line of one of these, or at or below it."""
        start = stem_of(address) + "/"
        place = bisect_left(self.addresses, start)
        return (place < len(self.addresses) and self.addresses[place].startswith(start)) or self.covers(address)


def without_nested(parts: Iterable[Portion]) -> tuple[Portion, ...]:
    """The parts in the order of their keys, each once, without those that lie in others of them."""
    tops, around = list[Portion](), list[Portion]()  # those that are kept; those of them that the next one may lie below
    for part in sorted(set(parts), key=lambda part: (part.address, -part.depth(ENDLESS))):
        while around and not lies_at(part.address, around[-1].address):
            around.pop()
        if not any(top.holds(part) for top in around):
            tops.append(part)
            around.append(part)
    return tuple(tops)


def merge_parts(older: Iterable[str], newer: Iterable[str]) -> tuple[str, ...]:
    """What two lists of parts are together, as texts; of more than ``PARTS_MAX`` the older ones are forgotten."""
    fresh = list(map(Portion.of_text, newer))
    together = without_nested([*map(Portion.of_text, older), *fresh])
    room = max(0, PARTS_MAX - len(fresh))
    kept = set(fresh) | set([part for part in together if part not in set(fresh)][:room])
    return tuple(str(part) for part in together if part in kept)


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
    cells, first_levels = 0, list[int]()
    frontier = len({end for address, end in ends.items() if parts.begun(address) is None})
    for part in parts.portions:
        address, end, level = part.address, ends.get(part.address), level_of(part.address)
        wanted, begun = part.depth(depth), parts.begun(part.address)  # what others hold of it is counted with them
        below = {level: 1} if end is not None else ground.count(address)
        frontier += sum(below.values()) if end is None and begun is None else 0
        open_levels = [level_of(end)] if end is not None else [each for each in below if each < wanted]
        layers = block_boundaries(from_level=min(open_levels), depth=wanted, height=height) if open_levels else []
        layers = [(first, last) for first, last in layers if first >= (begun or 0)]
        if not layers:
            continue
        on_line = [(first, last) for first, last in layers if first < level]
        for first, last in on_line:
            root = ancestor_address(address, first)
            if (root, last) not in lines:
                lines[root, last] = ground.count(root) if first <= min(open_levels) else {first: 1}
        begin = on_line[-1][1] if on_line else layers[0][0]  # the level at which the layers inside the subtree begin
        cells += count_growth(below, arity=arity, depth=wanted) - count_growth(below, arity=arity, depth=min(begin, wanted))
        first_levels.append(max(min(open_levels), begun or 0))
    for (_, last), grown in lines.items():
        cells += count_growth(grown, arity=arity, depth=last)
        first_levels += [level for level in grown if level < last]
    return Measure(cells, frontier, min(first_levels, default=None))


def count_whole(frontier: Mapping[int, int], *, arity: int, depth: int) -> Measure:
    """How much there is to grow of a whole hierarchy down to level ``depth``."""
    first = min((level for level in frontier if level < depth), default=None)
    return Measure(count_growth(frontier, arity=arity, depth=depth), sum(frontier.values()), first)
