"""Pieces hold what growing in memory gives, bit for bit, however small they are."""

import numpy as np
import pytest

from cfgraph.formats.maps import AffineMaps
from cfgraph.model.cells import Cells
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.model.pieces import grow_pieces, pieces_of_cells
from cfgraph.sources.cfg import Design
from cfgraph.sources.cfg import field as cfg_field
from cfgraph.sources.field_plan import Spread
from cfgraph.sources.ifs import field as ifs_field
from tests.grown import ragged_hierarchy

COLUMNS = ("slot", "level", "center", "scale", "residual", "length", "root_distance", "state", "predicted")


def some_maps(arity, dimension, seed=0):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(arity, dimension, dimension))
    matrix *= 0.7 / np.linalg.norm(matrix, ord=2, axis=(1, 2))[:, None, None]
    return AffineMaps(name="some", matrix=matrix, offset=rng.normal(size=(arity, dimension)))


FIELDS = {
    "cfg": lambda: cfg_field(id="it", depth=6),
    "cfg-3d": lambda: cfg_field(id="it", depth=4, design=Design(arity=3, dimension=3)),
    "cfg-wide": lambda: cfg_field(id="it", depth=2, design=Design(arity=23, dimension=17)),
    "cfg-constant": lambda: cfg_field(id="it", depth=4, design=Design(rule="constant")),
    "chain": lambda: cfg_field(id="it", depth=40, design=Design(arity=1, dimension=1)),
    "root": lambda: cfg_field(id="it", depth=0),
    "koch": lambda: ifs_field(id="it", maps="koch", depth=6),
    "fern": lambda: ifs_field(id="it", maps="fern", depth=6),
    "dragon": lambda: ifs_field(id="it", maps="dragon", depth=9),
    "affine-5d": lambda: ifs_field(id="it", maps=some_maps(3, 5), depth=6),
    "one-map": lambda: ifs_field(id="it", maps=some_maps(1, 2), depth=9),
}


def joined(pieces):
    """The pieces' columns in the order of their nodes' levels and addresses, as in memory."""
    pieces = list(pieces)
    columns = {name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in ("node", "parent", *COLUMNS)}
    addresses = [address for piece in pieces for address in piece.address.to_pylist()]
    slots = [tuple(map(int, address.split("/")[1:])) if address != "/" else () for address in addresses]
    order = sorted(range(len(slots)), key=lambda row: (len(slots[row]), slots[row]))
    return {name: column[order] for name, column in columns.items()}, [addresses[row] for row in order]


@pytest.mark.parametrize("piece_cells", [1, 30, 400, 100_000])
@pytest.mark.parametrize("name", FIELDS)
def test_pieces_are_the_cells_in_memory(name, piece_cells, monkeypatch):
    field = FIELDS[name]()
    whole = field.grow()
    spread = Spread(whole.arity)
    monkeypatch.setattr("cfgraph.model.pieces.PIECE_BYTES", piece_cells * (400 + 100 * whole.dimension))
    columns, addresses = joined(field.pieces(first=1, spread=spread))
    assert addresses == whole.cells.addresses
    assert field.cells == len(addresses)
    for column in COLUMNS:
        assert columns[column].tobytes() == getattr(whole.cells, column).tobytes(), column
    check_nodes(columns, whole)
    assert field.with_spread(spread).hierarchy.model_dump() == whole.model_dump()


def check_nodes(columns, whole: Hierarchy):
    """Nodes are numbered without gaps, and parents name them."""
    assert sorted(columns["node"].tolist()) == list(range(1, len(whole.cells) + 1))
    assert columns["parent"][0] == -1
    assert (columns["parent"][1:] == columns["node"][whole.cells.parent[1:]]).all()


def test_a_parent_comes_before_its_children():
    seen = {-1}
    for piece in cfg_field(id="it", depth=5).pieces(first=7, spread=Spread(4)):
        seen |= set(piece.node.tolist())
        assert set(piece.parent.tolist()) <= seen
    assert min(seen - {-1}) == 7


def test_many_small_subtrees():
    field = cfg_field(id="it", depth=5)
    how = {"rule": field.make_rule(), "arity": 4, "scale_factor": 0.5, "depth": 5, "first": 0}
    sizes = [len(piece) for piece in grow_pieces(field.root, piece_cells=40, **how)]
    assert sum(sizes) == field.cells
    assert sizes == [1, 4, 16, 64, *[8, 32] * 32]


def test_a_ragged_hierarchy_in_memory():
    hierarchy = ragged_hierarchy("it", arity=2, depth=6)
    columns, addresses = joined(pieces_of_cells(hierarchy.cells, first=1))
    assert addresses == hierarchy.cells.addresses
    check_nodes(columns, hierarchy)
    for piece in pieces_of_cells(hierarchy.cells, first=1):
        assert (piece.size == hierarchy.cells.size[piece.node - 1]).all()


def test_a_lone_root():
    (piece,) = pieces_of_cells(Cells.from_root(np.array([0.5])), first=3)
    assert (piece.node.tolist(), piece.parent.tolist(), piece.address.to_pylist()) == ([3], [-1], ["/"])
