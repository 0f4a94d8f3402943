"""Extent: what of a hierarchy a rollout grows, the whole or some cells with their lines and subtrees; and how much that is.

Whoever grows parts asks the graph for these alone: their lines cell by cell, their subtrees as ranges of the index. What
lies beside them is neither counted nor paged through.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from cfgraph.errors import InputError
from cfgraph.model.address import ROOT, ancestor_address, format_address, key_of, level_of, parse_address, stem_of
from cfgraph.model.blocks import Block
from cfgraph.model.cells import FRONTIER
from cfgraph.model.parts import Measure, Parts, count_whole, measure_parts
from cfgraph.store.growth import GrownBy, Pending

if TYPE_CHECKING:
    from cfgraph.model.cells import Cells
    from cfgraph.store import Store

PAGE_CELLS = 4096  # frontier cells, or parts, that are looked up at once: room for many workers side by side
Answer = TypeVar("Answer")


class Retry(Protocol):
    """Does something with the store, again where the store does not answer."""

    def __call__(self, work: Callable[[], Answer], /) -> Answer:
        """What ``work`` gives."""


def do_once(work: Callable[[], Answer], /) -> Answer:
    """A :class:`Retry` that does not."""
    return work()


def ancestors_of(address: str, levels: range) -> Iterator[str]:
    """The ancestors of a cell at some levels."""
    slots = parse_address(address)
    return (format_address(slots[:level]) for level in levels)


def line_ends(parts: Parts, frontier: Callable[[set[str]], set[str]]) -> dict[str, str]:
    """By the address of a part that is not there yet, the frontier cell that its line ends in; ``frontier`` finds those."""
    lines = {address: list(ancestors_of(address, range(level_of(address)))) for address in parts.addresses}
    found = frontier({cell for line in lines.values() for cell in line})
    ends = ((address, next((cell for cell in line if cell in found), None)) for address, line in lines.items())
    return {address: end for address, end in ends if end is not None}


class StoreGround:
    """The frontier of a hierarchy in a store (a :class:`cfgraph.model.parts.Ground`)."""

    def __init__(self, store: "Store", id: str, *, retry: Retry = do_once):
        self._store, self._id, self._retry = store, id, retry

    def ends_of(self, parts: Parts) -> Mapping[str, str]:
        """The frontier cell that the line of each part ends in that is not there yet."""
        return line_ends(parts, lambda cells: self._retry(lambda: self._store.read_frontier_keys(self._id, cells)))

    def count(self, address: str) -> Mapping[int, int]:
        """The frontier cells at and below a cell, by level."""
        return self._retry(lambda: self._store.count_frontier(self._id, address))

    def there(self, addresses: Sequence[str]) -> set[str]:
        """Which of some cells there are."""
        return set(map(str, self._store.read_at(self._id, addresses)["address"])) if addresses else set()


class CellsGround:
    """The frontier of a prefix in memory (a :class:`cfgraph.model.parts.Ground`)."""

    def __init__(self, cells: "Cells"):
        addresses = cells.addresses
        self._there = set(addresses)
        self._frontier = [addresses[row] for row in (cells.state == FRONTIER).nonzero()[0].tolist()]

    def ends_of(self, parts: Parts) -> Mapping[str, str]:
        """The frontier cell that the line of each part ends in that is not there yet."""
        return line_ends(parts, lambda cells: cells.intersection(self._frontier))

    def count(self, address: str) -> Mapping[int, int]:
        """The frontier cells at and below a cell, by level."""
        levels = [level_of(cell) for cell in self._frontier if address in (ROOT, cell) or cell.startswith(address + "/")]
        return {level: levels.count(level) for level in set(levels)}

    def there(self, addresses: Sequence[str]) -> set[str]:
        """Which of some cells there are."""
        return self._there.intersection(addresses)


def check_reachable(parts: Parts, ground: StoreGround | CellsGround, *, id: str) -> None:
    """Raise an ``InputError`` for a part that is not there and never will be: its line ends in a leaf."""
    ends = ground.ends_of(parts)
    there = ground.there([address for address in parts.addresses if address not in ends])
    for address in parts.addresses:
        if address not in ends and address not in there:
            line = list(ancestors_of(address, range(level_of(address))))
            last = max(ground.there(line), key=level_of, default=ROOT)
            raise InputError(
                f"expected a cell to grow below that {id!r} has or can get, got {address!r}: its line ends in {last}, which is "
                "no frontier and gets no children"
            )


class Extent(Protocol):
    """What of a hierarchy is grown."""

    def measure(self) -> Measure:
        """How much there is to grow."""

    def pages(self, first: int, last: int) -> Iterator[list[Pending]]:
        """The blocks of a layer that hold frontier cells, in address order, some at a time."""

    def count_new_frontier(self, block: Block) -> int:
        """By how much a block that was written made the frontier longer."""


class _OfStore:
    def __init__(self, store: "Store", id: str, growth: GrownBy, *, arity: int, retry: Retry = do_once):
        self._store, self._id, self._growth, self._arity, self._retry = store, id, growth, arity, retry

    def _pages_below(self, top: str, first: int, last: int, *, bound: str | None = None) -> Iterator[list[Pending]]:
        """The blocks of a layer with frontier cells at and below ``top``, up to the block ``bound`` where one is given."""
        start = key_of(self._id, top)
        while page := self._read_page(start, last, top=top):
            blocks: dict[str, Pending] = {}
            for address, level in page:
                root = ancestor_address(address, min(level, first))
                if bound is None or root <= bound:
                    blocks.setdefault(root, Pending(root, seed=address))
            if not blocks:
                return
            yield list(blocks.values())
            if len(page) < PAGE_CELLS:
                return
            start = f"{self._id}{stem_of(next(reversed(blocks)))}/~"  # '~' sorts behind every digit: behind the subtree

    def _read_page(self, start: str, last: int, *, top: str, size: int = PAGE_CELLS) -> list[tuple[str, int]]:
        read = partial(self._store.read_frontier, self._id, start=start, depth=last, page=size, top=top)
        return self._retry(read)


class Whole(_OfStore):
    """All of a hierarchy."""

    def measure(self) -> Measure:
        """How much there is to grow, of the levels that are grown whole."""
        frontier = self._retry(lambda: self._store.count_frontier(self._id))
        return count_whole(frontier, arity=self._arity, depth=self._growth.whole_depth)

    def pages(self, first: int, last: int, *, bound: str | None = None) -> Iterator[list[Pending]]:
        """The blocks of a layer that hold frontier cells, in address order, some at a time."""
        return self._pages_below(ROOT, first, last, bound=bound)

    def count_new_frontier(self, block: Block) -> int:
        """By how much a block that was written made the frontier longer."""
        return sum(int((level.state == FRONTIER).sum()) for level in block.levels) - len(block.seeds)


class Below(_OfStore):
    """Some cells of a hierarchy, with their lines and subtrees."""

    def __init__(self, store: "Store", id: str, growth: GrownBy, *, parts: Parts, arity: int, retry: Retry = do_once):
        super().__init__(store, id, growth, arity=arity, retry=retry)
        self.parts = parts

    def measure(self) -> Measure:
        """How much there is to grow, whole blocks on lines included."""
        ground = StoreGround(self._store, self._id, retry=self._retry)
        shape = {"depth": self._growth.to_depth, "height": self._growth.block_height}
        return measure_parts(self.parts, ground, arity=self._arity, **shape)

    def pages(self, first: int, last: int) -> Iterator[list[Pending]]:
        """The blocks of a layer on the lines and in the subtrees that hold frontier cells there, some at a time.

        The layers above are there: so no line ends above level ``first``.
        """
        wanted = [part.address for part in self.parts.portions if part.depth(last) > first]
        for low in range(0, len(wanted), PAGE_CELLS):
            chunk = wanted[low : low + PAGE_CELLS]
            lines = {part: list(ancestors_of(part, range(first, min(level_of(part), last)))) for part in chunk}
            frontier = self._frontier_among({cell for line in lines.values() for cell in line})
            blocks = dict[str, Pending]()
            for part, line in lines.items():
                end = next((cell for cell in line if cell in frontier), None)
                if end is None and level_of(part) <= first:
                    yield from self._pages_below(part, first, last)
                    continue
                root = ancestor_address(part, first) if level_of(part) > first else part
                if root not in blocks:
                    seed = end or self._find_seed(part, last)
                    blocks |= {} if seed is None else {root: Pending(root, seed=seed)}
            if blocks:
                yield list(blocks.values())

    def _frontier_among(self, cells: set[str]) -> set[str]:
        return self._retry(lambda: self._store.read_frontier_keys(self._id, cells)) if cells else set()

    def _find_seed(self, part: str, last: int) -> str | None:
        """A frontier cell above level ``last`` at or below a part."""
        if level_of(part) >= last:
            return None
        page = self._read_page(key_of(self._id, part), last, top=part, size=1)
        return page[0][0] if page else None

    def count_new_frontier(self, block: Block) -> int:
        """By how much a block made the frontier on the lines, and at and below the parts, longer."""
        new = 0
        for level in block.levels:
            if (level.state == FRONTIER).any():
                for parent in level.parents:
                    if self.parts.covers(parent):
                        new += self._arity
                    elif self.parts.meets(parent):
                        new += sum(self.parts.meets(f"{stem_of(parent)}/{slot}") for slot in range(self._arity))
        return new - sum(map(self.parts.meets, block.seeds))


def extent_of(
    store: "Store", id: str, growth: GrownBy, *, parts: Parts | None, arity: int, retry: Retry = do_once
) -> Whole | Below:
    """The whole, or the parts."""
    if parts is None:
        return Whole(store, id, growth, arity=arity, retry=retry)
    return Below(store, id, growth, parts=parts, arity=arity, retry=retry)


def extent_left(store: "Store", id: str, growth: GrownBy, *, arity: int) -> Whole | Below:
    """What is asked of a growth and not there yet, as the graph records it."""
    parts = Parts.of_texts(growth.pending) if growth.pending else None
    return extent_of(store, id, growth, parts=parts, arity=arity)
