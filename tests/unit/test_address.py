"""Addresses against the slow obvious versions: lists of slots."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfgraph.errors import AddressError, InputError
from cfgraph.model import address

SLOTS = st.lists(st.integers(0, 30) | st.integers(0, 999_999_999), max_size=8)


@given(SLOTS)
def test_parse_address_inverts_format_address(slots):
    text = address.format_address(slots)
    assert address.parse_address(text) == tuple(slots)
    assert address.level_of(text) == len(slots)


@pytest.mark.parametrize(
    "malformed",
    ["", "0", "//", "/0/", "/00", "/01", "/-1", "/+1", "/ 1", "/1 ", "/1\n", "/a", "/٣", "/1.0", "/0//1", "/1234567890"],
)
def test_parse_address_refuses_malformed(malformed):
    with pytest.raises(AddressError, match="expected an address"):
        address.parse_address(malformed)


@given(SLOTS, st.integers(0, 99))
def test_child_and_parent_address(slots, slot):
    text = address.format_address(slots)
    child = address.child_address(text, slot)
    assert address.parse_address(child) == (*slots, slot)
    assert address.parent_address(child) == text


def test_parent_address_of_the_root():
    with pytest.raises(AddressError, match="no parent"):
        address.parent_address("/")


@given(SLOTS, st.integers(0, 8))
def test_ancestor_address(slots, level):
    level = min(level, len(slots))
    assert address.ancestor_address(address.format_address(slots), level) == address.format_address(slots[:level])


@given(SLOTS)
def test_ancestor_address_below_or_above_all_is_refused(slots):
    for level in (-1, len(slots) + 1):
        with pytest.raises(AddressError, match="level"):
            address.ancestor_address(address.format_address(slots), level)


@given(st.lists(st.integers(0, 2), max_size=6), st.lists(st.integers(0, 2), max_size=6))
def test_lowest_common_ancestor(first, second):
    ancestors = [first[:n] for n in range(len(first) + 1) if first[:n] == second[:n]]
    expected = address.format_address(max(ancestors, key=len))
    assert address.lowest_common_ancestor(address.format_address(first), address.format_address(second)) == expected


@given(st.lists(st.lists(st.integers(0, 2), max_size=5), min_size=1, max_size=6), st.data())
def test_common_levels_are_those_of_lowest_common_ancestors(rows, data):
    addresses = [address.format_address(slots) for slots in rows]
    pairs = data.draw(st.lists(st.tuples(*2 * [st.integers(0, len(rows) - 1)]), min_size=1, max_size=8))
    matrix = address.slot_matrix(addresses)
    first, second = (matrix[[pair[side] for pair in pairs]] for side in (0, 1))
    expected = [address.level_of(address.lowest_common_ancestor(addresses[a], addresses[b])) for a, b in pairs]
    assert address.common_levels(first, second).tolist() == expected


def test_slot_matrix_fills_up_with_minus_one():
    np.testing.assert_array_equal(address.slot_matrix(["/", "/3/1", "/2"]), [[-1, -1], [3, 1], [2, -1]])


@pytest.mark.parametrize("id", ["h", "h 1", "h0"])
@pytest.mark.parametrize("top", ["/", "/1", "/11", "/1/1", "/1/10"])
def test_subtree_range_holds_exactly_the_descendants(id, top):
    slots = (0, 1, 2, 9, 10, 11, 19, 100)
    everywhere = [address.format_address(way) for depth in range(4) for way in product(slots, repeat=depth)]
    keys = [address.key_of(name, where) for name in ("h", "h 1", "h0", "h1") for where in everywhere]
    low, high = address.subtree_range(id, top)
    below = {id + where for where in everywhere if where.startswith(address.stem_of(top) + "/")}
    assert {key for key in keys if low <= key < high} == below


@given(st.integers(1, 4), st.integers(0, 4))
def test_relative_addresses(arity, height):
    expected = ["".join(f"/{slot}" for slot in way) for way in product(range(arity), repeat=height)]
    assert list(address.relative_addresses(arity, height)) == expected


@pytest.mark.parametrize("id", ["koch", "a b", "Äpfel", "x" * 200, "a\N{SNOWMAN}", ".", "-1"])
def test_check_id_accepts(id):
    assert address.check_id(id) == id


@pytest.mark.parametrize("id", ["", "a/b", "/", " a", "a ", "a\n", "\x00", "a\x7f", "x" * 201, "é" * 101, "\udcff"])
def test_check_id_refuses(id):
    with pytest.raises(InputError, match="id"):
        address.check_id(id)


def test_key_of_refuses_what_the_index_cannot_hold():
    deep = address.format_address([0] * 3995)
    assert address.key_of("koch", deep) == "koch" + deep
    with pytest.raises(InputError, match="too deep"):
        address.key_of("koch", deep + "/0/0/0/0")
