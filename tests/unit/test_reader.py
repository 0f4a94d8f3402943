"""Readers of cells in memory, and what asks any reader: equal to what asks the cells themselves."""

import numpy as np
import pytest

from cfgraph.errors import AddressError, InputError
from cfgraph.metric.locate import locate, locate_addresses
from cfgraph.metric.path import paths_in_tree
from cfgraph.model.reader import CellsReader, Reader
from cfgraph.sources import points
from tests.grown import grown_hierarchy


@pytest.fixture(scope="module")
def ragged():
    return points(id="ragged", data=np.random.default_rng(3).normal(size=(90, 3)), arity=3, depth=5)


def test_cells_by_address(ragged):
    reader, cells = CellsReader(ragged.cells), ragged.cells
    assert isinstance(reader, Reader)
    assert (reader.count(), reader.depth) == (len(cells), cells.depth)
    asked = [cells.addresses[row] for row in (5, 0, 17)]
    found = reader.cells([asked[0], "/9/9", *asked[1:]])
    assert found["address"].tolist() == asked
    np.testing.assert_array_equal(found["center"], cells.center[[5, 0, 17]])


def test_children_by_address(ragged):
    reader, cells = CellsReader(ragged.cells), ragged.cells
    below = reader.children(["/1", "/", cells.addresses[-1]])
    expected = [cells.addresses[row] for above in ("/1", "/") for row in np.flatnonzero(cells.parent == cells.row(above))]
    assert below["address"].tolist() == expected
    np.testing.assert_array_equal(below["residual"], cells.residual[cells.rows(expected)])
    assert len(reader.children([])["address"]) == 0


@pytest.mark.parametrize("beam", [1, 2, 5])
@pytest.mark.parametrize("depth", [None, 0, 1, 3, 9])
def test_a_descent_through_a_reader_is_that_of_the_cells(ragged, beam, depth):
    x = np.random.default_rng(beam).normal(size=(60, 3))
    rows = locate(ragged.cells, x, beam=beam, depth=depth)
    expected = [ragged.cells.addresses[row] for row in rows.tolist()]
    assert locate_addresses(CellsReader(ragged.cells), x, beam=beam, depth=depth) == expected


def test_what_a_descent_refuses(ragged):
    reader = CellsReader(ragged.cells)
    for x, options, told in [
        (np.zeros((1, 2)), {}, "rows of 3 coordinates"),
        (np.full((1, 3), np.nan), {}, "finite"),
        (np.zeros((1, 3)), {"beam": 0}, "a beam of at least 1"),
        (np.zeros((1, 3)), {"depth": -1}, "a depth of at least 0"),
    ]:
        with pytest.raises(InputError, match=told):
            locate_addresses(reader, x, **options)


def test_paths_in_memory():
    hierarchy = grown_hierarchy("it", depth=3)
    [path] = paths_in_tree(CellsReader(hierarchy.cells), hierarchy, [("/0/1", "/0/2/0")])
    assert path.way == ("/0/1", "/0", "/0/2", "/0/2/0")
    assert path.distance == pytest.approx(hierarchy.cells.length[hierarchy.cells.rows(["/0/1", "/0/2", "/0/2/0"])].sum())
    with pytest.raises(AddressError, match="there is no cell /9 in 'it': nothing is known below /"):
        paths_in_tree(CellsReader(hierarchy.cells), hierarchy, [("/0", "/9")])
