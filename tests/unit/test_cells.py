"""Cells against the slow obvious versions: one cell at a time, by address."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfgraph.errors import AddressError, InputError
from cfgraph.model.address import format_address, level_of, parent_address, parse_address
from cfgraph.model.cells import EXPANDED, FRONTIER, Cells
from tests.trees import ragged_cells, smooth_cells


def slow_address(cells: Cells, row: int) -> str:
    slots = []
    while row > 0:
        slots.insert(0, int(cells.slot[row]))
        row = int(cells.parent[row])
    return format_address([*parse_address(cells.top), *slots])


def children_of(cells: Cells, row: int) -> list[int]:
    return [child for child in range(1, len(cells)) if cells.parent[child] == row]


@given(ragged_cells())
def test_addresses(cells):
    assert cells.addresses == [slow_address(cells, row) for row in range(len(cells))]
    assert [level_of(address) for address in cells.addresses] == cells.level.tolist()


@given(ragged_cells())
def test_row_inverts_addresses(cells):
    assert cells.rows(cells.addresses).tolist() == list(range(len(cells)))


@given(ragged_cells(), st.lists(st.integers(0, 7), max_size=4))
def test_row_of_an_address_that_is_not_there(cells, slots):
    address = format_address(slots)
    if address in cells.addresses:
        assert cells.addresses[cells.row(address)] == address
        return
    with pytest.raises(AddressError, match=f"no cell {address}") as caught:
        cells.row(address)
    deepest = max((a for a in cells.addresses if f"{address}/".startswith(f"{a.rstrip('/')}/")), key=level_of)
    assert f"{deepest} has no child" in str(caught.value)


@given(ragged_cells(), st.integers(0, 5))
def test_rows_below_another_top(cells, slot):
    moved = Cells(**{**cells.take(slice(None)), "level": cells.level + 2}, top=f"/{slot}/1")
    assert moved.addresses == [slow_address(moved, row) for row in range(len(cells))]
    assert moved.rows(moved.addresses).tolist() == list(range(len(cells)))
    for level in range(moved.depth + 2):
        assert np.arange(len(moved))[moved.level_rows(level)].tolist() == np.flatnonzero(moved.level == level).tolist()
    with pytest.raises(AddressError, match="does not lie below"):
        moved.row(f"/{slot + 1}/1")


@given(ragged_cells())
def test_level_rows(cells):
    for level in range(-1, cells.depth + 3):
        assert np.arange(len(cells))[cells.level_rows(level)].tolist() == np.flatnonzero(cells.level == level).tolist()


@given(ragged_cells())
def test_first_child_and_child_count(cells):
    for row in range(len(cells)):
        children = children_of(cells, row)
        assert cells.child_count[row] == len(children)
        assert cells.first_child[row] == (children[0] if children else -1)


@given(ragged_cells(), st.integers(1, 3))
def test_expansions(cells, arity):
    rows, tuples = cells.expansions(arity)
    expected = [row for row in range(len(cells)) if len(children_of(cells, row)) == arity]
    assert rows.tolist() == expected
    for row, found in zip(expected, tuples, strict=True):
        np.testing.assert_array_equal(found, cells.residual[children_of(cells, row)])


@given(ragged_cells(), st.integers(0, 5))
def test_prefix(cells, depth):
    prefix = cells.prefix(depth)
    kept = [address for address in cells.addresses if level_of(address) <= depth]
    assert prefix.addresses == kept
    for address in kept:
        row, was = prefix.row(address), cells.row(address)
        np.testing.assert_array_equal(prefix.center[row], cells.center[was])
        cut = level_of(address) == depth and cells.state[was] == EXPANDED
        assert prefix.state[row] == (FRONTIER if cut else cells.state[was])


@given(ragged_cells())
def test_prefix_leaves_the_cells_that_it_came_from_alone(cells):
    before = cells.state.copy()
    cells.prefix(0)
    np.testing.assert_array_equal(cells.state, before)


def test_prefix_above_the_top_is_refused():
    with pytest.raises(InputError, match="depth"):
        smooth_cells(2).prefix(-1)


@given(ragged_cells())
def test_columns_agree_with_each_other(cells):
    """What the tests' own builder makes satisfies the invariants of SPEC.md that Cells promises."""
    for row in range(1, len(cells)):
        parent = int(cells.parent[row])
        assert cells.addresses[parent] == parent_address(cells.addresses[row])
        assert cells.state[parent] == EXPANDED
        np.testing.assert_allclose(cells.center[row], cells.center[parent] + cells.scale[parent] * cells.residual[row])


@pytest.mark.parametrize("center", [np.array([np.nan]), np.array([0.0, np.inf])])
def test_from_root_refuses_what_is_no_center(center):
    with pytest.raises(InputError, match="root center"):
        Cells.from_root(center)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_from_root_refuses_what_is_no_scale(scale):
    with pytest.raises(InputError, match="root scale"):
        Cells.from_root(np.zeros(2), scale=scale)
