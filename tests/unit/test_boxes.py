"""Ways of maps into boxes: no cell in a box is below another one, and few others are."""

import numpy as np
import pytest

from cfgraph import field, sources
from cfgraph.formats.maps import AffineMaps
from cfgraph.model import boxes
from cfgraph.model.address import level_of, parent_address
from cfgraph.model.boxes import Box, ways_into

DEPTH = 6


def rotations(seed, *, dimension):
    """Contracting maps of a space: turned, shrunk by different factors along the axes, and moved."""
    random = np.random.default_rng(seed)
    turns = np.linalg.qr(random.normal(size=(3, dimension, dimension)))[0]
    matrix = turns * random.uniform(0.2, 0.6, size=(3, 1, dimension))
    return AffineMaps(name=f"random {seed}", matrix=matrix, offset=random.normal(size=(3, dimension)))


MADE = {
    "koch": lambda: "koch",
    "fern": lambda: "fern",
    "random": lambda: rotations(1, dimension=2),
    "in space": lambda: rotations(2, dimension=3),
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("top", ["/", "/1/0"])
def test_all_cells_in_a_box_lie_below_the_ways_into_it(name, top):
    tree = sources.ifs(id="maps", maps=MADE[name](), depth=DEPTH)
    made, cells, random = field(tree), tree.cells, np.random.default_rng(5)
    assert made.way_reach is not None
    addresses, found_any = np.array(cells.addresses), 0
    below = np.array([one.startswith(top.rstrip("/") + "/") and one != "/" for one in addresses])
    for level in range(level_of(top) + 1, DEPTH + 1):
        centers = cells.center[cells.level == level]
        for middle in centers[random.integers(0, len(centers), 5)]:
            half = np.quantile(np.abs(centers - middle).max(axis=1), 0.05)
            box = Box(range(tree.dimension), (middle - half).tolist(), (middle + half).tolist())
            inside = (np.abs(cells.center - middle) <= half).all(axis=1) & (cells.level == level) & below
            ways = ways_into(box, made, top=top, level=level)
            assert sorted(ways) == sorted({parent_address(address) for address in addresses[inside].tolist()})
            found_any += int(inside.sum())
    assert found_any


def test_one_axis_of_several():
    tree = sources.ifs(id="maps", maps="fern", depth=DEPTH)
    heights = tree.cells.center[tree.cells.level_rows(DEPTH), 1]
    low, high = np.quantile(heights, [0.5, 0.52])
    ways = ways_into(Box([1], [low], [high]), field(tree), top="/", level=DEPTH)
    rows = np.flatnonzero((tree.cells.level == DEPTH) & (tree.cells.center[:, 1] >= low) & (tree.cells.center[:, 1] <= high))
    assert 0 < len(rows) < len(heights) / 20
    assert sorted(ways) == sorted({parent_address(tree.cells.addresses[row]) for row in rows.tolist()})


def test_maps_that_the_first_levels_tell_lead_the_same_ways():
    """Of maps from a file nothing but the cells is known: the rule is off by rounding, and no cell is lost for that."""
    tree = sources.ifs(id="maps", maps=rotations(3, dimension=2), depth=DEPTH)
    middle = tree.cells.center[-7]
    box = Box([0, 1], (middle - 1e-12).tolist(), (middle + 1e-12).tolist())
    ways = ways_into(box, field(tree), top="/", level=DEPTH)
    assert parent_address(tree.cells.addresses[-7]) in ways
    assert len(ways) <= 3


def test_more_ways_than_are_followed_end_higher_up(monkeypatch):
    made, everything = field("koch"), Box([0], [-10.0], [10.0])
    assert len(ways_into(everything, made, top="/", level=5)) == 4**4
    monkeypatch.setattr(boxes, "WAYS_MAX", 100)
    ways = ways_into(everything, made, top="/", level=5)
    assert len(ways) == 4**3
    assert {level_of(way) for way in ways} == {3}
    assert ways_into(Box([0], [10.0], [11.0]), made, top="/", level=5) == []


def test_ways_end_where_rounding_leaves_no_place():
    """Koch's cells shrink to a third a level: below level 13 or so they are smaller than a millionth."""
    made = field("koch")
    tip = made.cells(["/0" * 60]).center[0]
    ways = ways_into(Box([0, 1], tip.tolist(), tip.tolist()), made, top="/", level=60)
    assert "/0" * level_of(ways[0]) in ways
    assert 10 < level_of(ways[0]) < 16
    assert ways_into(Box([0, 1], tip.tolist(), tip.tolist()), made, top="/0" * 40, level=60) == ["/0" * 40]


def test_a_slot_that_no_cell_has_is_left_to_what_is_stored():
    assert ways_into(Box([0], [0.0], [1.0]), field("koch"), top="/7", level=3) == ["/7"]
