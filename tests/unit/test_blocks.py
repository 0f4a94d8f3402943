"""Blocks: the cut depends on addresses alone, and every cell is in exactly one block."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfgraph.model.blocks import block_boundaries, block_height, block_of_cells, cut_cells
from cfgraph.model.growth import count_cells
from tests.grown import grown_hierarchy, ragged_hierarchy


@given(st.integers(1, 40), st.integers(0, 40), st.integers(1, 12))
def test_block_boundaries_hold_every_level_once(depth, from_level, height):
    layers = block_boundaries(from_level=from_level, depth=depth, height=height)
    held = [level for first, last in layers for level in range(max(first, from_level) + 1, last + 1)]
    assert held == list(range(from_level + 1, depth + 1))
    assert all(last - first <= height for first, last in layers)


@given(st.integers(2, 30), st.integers(1, 800))
def test_block_height_keeps_a_block_within_its_bytes(arity, dimension):
    height = block_height(arity=arity, dimension=dimension)
    fits = [count_cells(1, arity=arity, levels=levels) * (100 + 18 * dimension) <= 2_800_000 for levels in (height, height + 1)]
    assert not fits[1]
    assert fits[0] or height == 1


@pytest.mark.parametrize("make", [grown_hierarchy, ragged_hierarchy])
@pytest.mark.parametrize("height", [1, 2, 3, 9])
def test_cut_cells_writes_every_cell_once_and_top_down(make, height):
    cells = make("x", arity=3, depth=5).cells
    written, expanded = {"/"}, set()
    for layer in cut_cells(cells, height=height):
        for row, last_level in layer:
            block = block_of_cells(cells, row, last_level=last_level, last_state=cells.state)
            assert set(block.seeds) <= written
            for level in block.levels:
                assert set(level.parents) <= written
                children = np.repeat(np.array(level.parents), level.counts)
                added = [
                    f"{'' if p == '/' else p}/{slot}" for p, slot in zip(children.tolist(), level.slot.tolist(), strict=True)
                ]
                assert not written & set(added)
                written |= set(added)
                expanded |= set(level.parents)
    assert written == set(cells.addresses)
