"""Parts of a hierarchy: which addresses they are, and how much it takes to grow them, against growing them block by block."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfgraph.errors import AddressError, InputError
from cfgraph.growing.extent import line_ends
from cfgraph.model.address import ancestor_address, child_address, level_of
from cfgraph.model.blocks import block_boundaries
from cfgraph.model.parts import PARTS_MAX, Parts, Portion, count_whole, measure_parts, merge_parts


def test_parts_leave_out_what_lies_below_others():
    assert Parts.of(["/10", "/1/2", "/1", "/0/3/1", "/1", "/10/2"], arity=11).addresses == ("/0/3/1", "/1", "/10")
    assert Parts.of(["/1", "/"], arity=2) is None


@pytest.mark.parametrize(
    ("addresses", "error", "told"),
    [
        (["1"], AddressError, "slots joined by slashes"),
        ([""], AddressError, "slots joined by slashes"),
        (["/0/"], AddressError, "slots joined by slashes"),
        (["/01"], AddressError, "slots joined by slashes"),
        (["/0/3"], AddressError, r"slots 0 to 2 .* got 3 in '/0/3'"),
        (["/", "/9"], AddressError, "slots 0 to 2"),
        ([], InputError, "at least one address"),
        ("/0/1", InputError, "a list of addresses"),
        (
            [f"/{i % 3}" + "/0" * 9 + "".join(f"/{i // 3**k % 3}" for k in range(8)) for i in range(3 * 3**7)],
            InputError,
            "1,000",
        ),
    ],
)
def test_bad_parts_are_refused(addresses, error, told):
    with pytest.raises(error, match=told):
        Parts.of(addresses, arity=3)


def test_meets_are_lines_and_subtrees():
    parts = Parts.of(["/1/0", "/2"], arity=11)
    assert [cell for cell in ("/", "/1", "/1/0", "/1/0/5", "/2", "/2/0") if parts.meets(cell)] == [
        "/",
        "/1",
        "/1/0",
        "/1/0/5",
        "/2",
        "/2/0",
    ]
    assert not any(map(parts.meets, ("/0", "/1/1", "/10", "/1/00", "/20", "/3")))
    assert [cell for cell in ("/", "/1", "/1/0", "/1/0/5", "/10/0", "/2/9") if parts.covers(cell)] == ["/1/0", "/1/0/5", "/2/9"]


def test_merged_parts_forget_the_oldest_alone():
    assert merge_parts(["/0/1", "/2"], ["/0"]) == ("/0", "/2")
    many = [f"/{number}" for number in range(PARTS_MAX)]
    merged = merge_parts(many, ["/5000", "/6000"])
    assert len(merged) == PARTS_MAX
    assert {"/5000", "/6000"} < set(merged)


class Trees:
    """A frontier of addresses: the ground, and growing it block by block."""

    def __init__(self, frontier):
        self.frontier = set(frontier)

    def ends_of(self, parts):
        return line_ends(parts, lambda cells: cells & self.frontier)

    def count(self, address):
        levels = [level_of(cell) for cell in self.frontier if Parts((address,)).covers(cell) or address == "/"]
        return {level: levels.count(level) for level in set(levels)}

    def grow(self, parts, *, arity, depth, height):
        """Every block in which something on a line or in a subtree is still to grow; how many cells came."""
        came = 0
        for first, last in block_boundaries(from_level=0, depth=depth, height=height):
            seeds = [cell for cell in self.frontier if level_of(cell) < last]
            deep = Parts.of_parts(part for part in parts.portions if part.depth(depth) > first)
            wanted = {ancestor_address(cell, min(first, level_of(cell))) for cell in seeds if deep.meets(cell)}
            for cell in seeds:
                if ancestor_address(cell, min(first, level_of(cell))) in wanted:
                    came += self._grow_cell(cell, arity=arity, depth=last)
        return came

    def _grow_cell(self, cell, *, arity, depth):
        self.frontier.discard(cell)
        cells, came = [cell], 0
        while level_of(cells[0]) < depth:
            cells = [child_address(cell, slot) for cell in cells for slot in range(arity)]
            came += len(cells)
        self.frontier |= set(cells)
        return came


@given(st.integers(0, 10**9))
def test_measured_parts_are_what_growing_them_takes(seed):
    chance = random.Random(seed)
    arity, depth, height = chance.choice([1, 2, 3]), chance.randint(1, 6), chance.randint(1, 3)
    trees = Trees(["/"])
    trees.frontier = set(whole_level(chance.randint(0, 3), arity=arity))
    for _ in range(chance.randint(0, 3)):  # a frontier that is the same nowhere, as a stop by time leaves it
        cell = chance.choice(sorted(trees.frontier))
        trees._grow_cell(cell, arity=arity, depth=level_of(cell) + 1)
    addresses = ["".join(f"/{chance.randrange(arity)}" for _ in range(chance.randint(1, depth))) for _ in range(3)]
    parts = Parts.of(addresses, arity=arity)
    measured = measure_parts(parts, trees, arity=arity, depth=depth, height=height)
    before = [cell for cell in trees.frontier if parts.meets(cell)]
    assert measured.frontier == len(before)
    came = trees.grow(parts, arity=arity, depth=depth, height=height)
    assert measured.cells == came
    assert (measured.from_level is None) == (came == 0)
    assert not [cell for cell in trees.frontier if parts.meets(cell) and level_of(cell) < depth]
    assert measure_parts(parts, trees, arity=arity, depth=depth, height=height).cells == 0


@given(st.integers(0, 10**9))
def test_measured_parts_down_to_levels_are_what_growing_them_takes(seed):
    chance = random.Random(seed)
    arity, depth, height = chance.choice([1, 2, 3]), chance.randint(1, 6), chance.randint(1, 3)
    trees = Trees(whole_level(chance.randint(0, 2), arity=arity))
    asked = []
    for _ in range(chance.randint(1, 4)):
        address = "".join(f"/{chance.randrange(arity)}" for _ in range(chance.randint(0, depth))) or "/"
        level = chance.choice([None, chance.randint(level_of(address), depth)])
        asked.append(Portion(address, 0 if address == "/" and level is None else level))
    parts = Parts.of(asked, arity=arity).in_blocks(depth=depth, height=height)
    assert all(any(one.holds(part) for one in parts.portions) for part in asked)
    assert all((depth - level) % height == 0 and level < depth for level in parts.levels.values())
    measured = measure_parts(parts, trees, arity=arity, depth=depth, height=height)
    assert measured.frontier == len([cell for cell in trees.frontier if parts.meets(cell)])
    came = trees.grow(parts, arity=arity, depth=depth, height=height)
    assert measured.cells == came
    assert (measured.from_level is None) == (came == 0)
    for part in parts.portions:
        one, wanted = Parts.of_parts([part]), part.depth(depth)
        assert not [cell for cell in trees.frontier if one.meets(cell) and level_of(cell) < wanted]
    assert measure_parts(parts, trees, arity=arity, depth=depth, height=height).cells == 0


def test_parts_down_to_levels_lie_in_each_other_where_both_do():
    parts = Parts.of(
        [Portion("/0", 3), Portion("/0/1", 3), "/0/2", Portion("/0/2/1", 9), Portion("/1", 4), "/1", Portion("/10", 2)],
        arity=11,
    )
    assert parts.texts == ("/0:3", "/0/2", "/1", "/10:2")
    assert Parts.of_texts(parts.texts) == parts
    assert (parts.depth, parts.reached(2), parts.reached(9)) == (3, 2, 9)
    assert [parts.begun(address) for address in ("/0", "/0/2", "/10", "/10/3")] == [None, 3, None, 2]
    assert [cell for cell in ("/0/5", "/0/2/7", "/0/3", "/10/0", "/2") if parts.covers(cell)] == [
        "/0/5",
        "/0/2/7",
        "/0/3",
        "/10/0",
    ]
    assert merge_parts(["/0:3"], ["/0:5", "/0/1"]) == ("/0/1", "/0:5")[::-1]
    for text in ("/0:", "/0:x", "/0:-1", "0:3", "/0:1:2"):
        with pytest.raises(AddressError):
            Portion.of_text(text)


def whole_level(level, *, arity):
    """Every address of a level."""
    cells = ["/"]
    for _ in range(level):
        cells = [child_address(cell, slot) for cell in cells for slot in range(arity)]
    return cells


def test_a_line_of_300_levels_is_50_blocks():
    trees = Trees(whole_level(2, arity=4))
    parts = Parts.of(["/1" * 298], arity=4)
    block = (4**7 - 4) // 3
    measured = measure_parts(parts, trees, arity=4, depth=300, height=6)
    assert measured.cells == 50 * block - 4 - 16
    assert measured.from_level == 2
    assert count_whole({2: 16}, arity=4, depth=3).cells == 64
