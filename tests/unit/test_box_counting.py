"""Box counting against sets whose dimension is known."""

import math
from itertools import pairwise

import numpy as np
import pytest

from cfgraph.comparing import box_counting
from cfgraph.comparing.box_counting import BOXES, SIZES, Boxes, ladder
from cfgraph.comparing.certify import certify_cells
from cfgraph.formats.maps import AffineMaps
from cfgraph.sources.cfg import cfg
from cfgraph.sources.ifs import ifs


def counted(centers, *, sizes, pages=1, seed=0):
    boxes = Boxes(sizes, origin=centers[0], seed=seed)
    for page in np.array_split(centers, pages):
        boxes.add(page)
    return boxes.result()


HALVES = [2.0**-step for step in range(1, 12)]


@pytest.mark.parametrize(
    ("maps", "depth", "dimension", "tolerance"),
    [
        ("koch", 8, math.log(4) / math.log(3), 0.04),
        ("sierpinski", 10, math.log(3) / math.log(2), 0.03),
        (AffineMaps("interval", np.full((2, 1, 1), 0.5), np.array([[0.0], [0.5]])), 12, 1.0, 0.03),
        (AffineMaps("cantor", np.full((2, 1, 1), 1 / 3), np.array([[0.0], [2 / 3]])), 13, math.log(2) / math.log(3), 0.03),
    ],
    ids=["koch", "sierpinski", "interval", "cantor"],
)
def test_known_dimensions(maps, depth, dimension, tolerance):
    line = certify_cells(ifs(id="it", maps=maps, depth=depth)).line("box_counting_dimension")
    assert line.holds == "measurement"
    assert "measured on" in line.why
    assert line.value == pytest.approx(dimension, abs=tolerance)
    assert 0 < line.spread < 0.05


@pytest.mark.parametrize(
    ("maps", "depth", "dimension", "low"),
    [("koch", 6, math.log(4) / math.log(3), 0.1), ("sierpinski", 8, math.log(3) / math.log(2), 0.1), ("dragon", 12, 2, 0.5)],
)
def test_it_comes_out_as_low_as_is_said(maps, depth, dimension, low):
    """The standard error, that of the fit, is no measure of this; so the line itself tells how low it may be."""
    line = certify_cells(ifs(id="it", maps=maps, depth=depth)).line("box_counting_dimension")
    assert 3 * line.spread < dimension - line.value + 0.01
    assert 0 < dimension - line.value < low
    assert "up to .1 low, of those" in line.why


def test_the_fern_is_between_a_curve_and_the_plane():
    found = certify_cells(ifs(id="fern", maps="fern", depth=8)).box_counting
    assert 1.2 < found.dimension < 2
    assert found.lowest < found.dimension < found.highest


def test_a_smooth_generator_fills_what_it_may():
    found = certify_cells(cfg(id="smooth", depth=7, arity=4, dimension=2)).box_counting
    assert 1.5 < found.dimension < 2.05


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_a_cube_has_the_dimension_of_the_space(dimension):
    side = np.arange(round(40_000 ** (1 / dimension))) / round(40_000 ** (1 / dimension))
    cube = np.stack(np.meshgrid(*[side] * dimension), axis=-1).reshape(-1, dimension)
    assert counted(cube, sizes=[0.5 / 1.5**step for step in range(12)]).dimension == pytest.approx(dimension, rel=0.1)


def test_counts_equal_those_of_loops():
    cloud = np.random.default_rng(0).normal(size=(3_000, 3))
    found = counted(cloud, sizes=[2.0, 0.7, 0.2], pages=7)
    random = np.random.default_rng(0)
    random.integers(2**63, size=3, dtype=np.uint64)
    shifts = np.concatenate([np.zeros((1, 3)), random.random((2, 3))])
    for size in found.sizes:
        loops = [len({tuple(row) for row in np.floor((cloud - cloud[0]) / size.size + shift).tolist()}) for shift in shifts]
        assert size.boxes == pytest.approx(math.exp(np.log(loops).mean()))


def test_pages_and_order_change_nothing():
    cloud = np.random.default_rng(1).normal(size=(5_000, 2))
    whole = counted(cloud, sizes=HALVES)
    rest = np.random.default_rng(2).permutation(cloud[1:])
    assert counted(np.concatenate([cloud[:1], rest]), sizes=HALVES, pages=13) == whole


def test_a_grid_of_too_many_boxes_is_given_up(monkeypatch):
    monkeypatch.setattr(box_counting, "BOXES", 300)
    found = counted(np.linspace(0, 1, 10_000)[:, None], sizes=HALVES, pages=20)
    assert [size.boxes is None for size in found.sizes] == [2**step > 300 for step in range(1, 12)]
    assert found.dimension is not None
    assert found.smallest_size == HALVES[7]


def test_too_few_sizes_give_no_slope():
    found = counted(np.linspace(0, 1, 100)[:, None], sizes=HALVES[:4])
    assert found.dimension is None
    assert "a slope needs 3" in found.reason
    assert [size.fitted for size in found.sizes] == [False, False, False, True]


@pytest.mark.parametrize(("ratio", "levels"), [(0.5, 8), (1 / 3, 6), (0.05, 4), (0.95, 40), (0.5, 3_000)])
def test_sizes_follow_the_levels(ratio, levels):
    sizes = ladder(2.0, ratio=ratio, levels=levels, reach=3.0)
    assert sizes[0] == 2.0
    assert len(sizes) <= SIZES
    assert all(later < earlier for earlier, later in pairwise(sizes))
    assert sizes[-1] > 1e-14  # where coordinates have digits left
    assert BOXES * SIZES * box_counting.SHIFTS * 8 < 64 * 2**20


def test_equal_points_are_one_box():
    found = counted(np.ones((500, 2)), sizes=HALVES)
    assert all(size.boxes == 1 for size in found.sizes)
    assert found.dimension is None
