"""Iterated function systems: the cells against compositions of the maps done one by one."""

import json
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfgraph.errors import InputError
from cfgraph.formats.maps import BUILT_IN, AffineMaps, read_maps
from cfgraph.sources.ifs import ifs

FORM = {"maps": [[0.5, 0, 0, 0.5, 0, 0, 0.3], [0.5, 0.1, -0.1, 0.5, 1, 0, 0.7], [0.2, 0, 0, 0.3, 0, 1]]}
SAME = {
    "maps": [
        {"matrix": [[0.5, 0], [0, 0.5]], "offset": [0, 0], "probability": 0.3},
        {"matrix": [[0.5, 0.1], [-0.1, 0.5]], "offset": [1, 0]},
        {"matrix": [[0.2, 0], [0, 0.3]], "offset": [0, 1]},
    ]
}


@st.composite
def systems(draw):
    arity, dimension, seed = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(0, 10**6))
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(arity, dimension, dimension))
    matrix *= (random.uniform(0.05, 0.95, size=arity) / np.linalg.norm(matrix, ord=2, axis=(1, 2)))[:, None, None]
    return AffineMaps(
        name="random", matrix=matrix, offset=random.normal(size=(arity, dimension)) * 10.0 ** random.integers(-3, 4)
    )


def apply_word(maps, word, point):
    """f_k1(f_k2(... f_kL(x)))."""
    for slot in reversed(word):
        point = maps.matrix[slot] @ point + maps.offset[slot]
    return point


def write(tmp_path: Path, content) -> Path:
    path = tmp_path / "maps.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@settings(max_examples=60, deadline=None)
@given(systems())
def test_every_cell_is_the_image_of_the_root_center_under_its_word(maps):
    hierarchy = ifs(id="it", maps=maps, depth=3)
    cells, root = hierarchy.cells, hierarchy.cells.center[0]
    size = max(np.abs(cells.center).max(), np.abs(maps.offset).max())
    words = [word for level in range(4) for word in product(range(maps.arity), repeat=level)]
    expected = np.array([apply_word(maps, word, root) for word in words])
    assert np.abs(cells.center - expected).max() <= 1e-13 * size
    for row, word in enumerate(words[1:], start=1):
        exact = expected[row] - apply_word(maps, word[:-1], root)
        assert cells.residual[row] == pytest.approx(
            exact / hierarchy.scale_factor ** (len(word) - 1), rel=1e-9, abs=1e-9 * size
        )
    assert (np.linalg.norm(cells.residual, axis=1) <= hierarchy.residual_bound * (1 + 1e-15)).all()


@settings(max_examples=60, deadline=None)
@given(systems())
def test_separation_level_by_level_is_the_smallest_distance_of_siblings(maps):
    hierarchy = ifs(id="it", maps=maps, depth=3)
    tuples = hierarchy.cells.expansions(maps.arity)[1]
    if maps.arity == 1:
        assert hierarchy.separation_by_level is None
        return
    levels = [[tuples[0]], tuples[1 : 1 + maps.arity], tuples[1 + maps.arity :]]
    slow = [min(np.linalg.norm(t[i] - t[j]) for t in level for i in range(len(t)) for j in range(i)) for level in levels]
    if hierarchy.separation is None:
        assert hierarchy.separation_by_level == pytest.approx(slow, rel=1e-12)
    else:
        assert slow == pytest.approx([hierarchy.separation] * 3, rel=1e-9)


@pytest.mark.parametrize("name", BUILT_IN)
def test_classics_have_the_scale_factor_of_their_widest_map(name):
    hierarchy = ifs(id=name, maps=name, depth=5)
    widest = {"dragon": 0.5**0.5, "fern": 0.85094066, "koch": 1 / 3, "levy": 0.5**0.5, "sierpinski": 0.5}
    assert hierarchy.scale_factor == pytest.approx(widest[name])
    maps = read_maps(name)
    assert hierarchy.cells.center[0] == pytest.approx(
        np.linalg.solve(np.eye(2) - maps.matrix, maps.offset[..., None]).mean(axis=0)[:, 0]
    )
    assert hierarchy.notes == ()
    assert (hierarchy.separation is None) == (name == "fern") == (hierarchy.separation_by_level is not None)


def test_fern_keeps_its_slots_apart_but_less_at_every_level():
    hierarchy = ifs(id="fern", maps="fern", depth=8)
    apart = hierarchy.separation_by_level
    assert len(apart) == 8
    assert all(below < above for above, below in pairwise(apart))
    assert 0.5e-7 < apart[7] / hierarchy.residual_bound < 5e-7


@pytest.mark.parametrize(
    ("name", "fixed"),
    [("levy", [(0, 0), (1, 0)]), ("dragon", [(0, 0), (0.6, 0.2)]), ("sierpinski", [(0, 0), (1, 0), (0.5, 0.75**0.5)])],
)
def test_classics_fix_the_points_that_define_them(name, fixed):
    assert read_maps(name).fixed_points == pytest.approx(np.array(fixed), abs=1e-15)


def test_koch_curve_joins_its_ends():
    maps = read_maps("koch")
    ends = [
        (matrix @ [0, 0] + offset, matrix @ [1, 0] + offset) for matrix, offset in zip(maps.matrix, maps.offset, strict=True)
    ]
    assert np.concatenate([ends[0][0], ends[-1][1]]) == pytest.approx([0, 0, 1, 0])
    for (_, before), (after, _) in pairwise(ends):
        assert before == pytest.approx(after)


def test_both_forms_are_the_same_maps(tmp_path):
    first = read_maps(write(tmp_path, {"_comment": "no maps", "one": FORM}))
    second = read_maps(write(tmp_path, {"one": SAME}), name="one")
    assert first.digest == second.digest
    assert first.name == "one"
    assert (first.matrix == second.matrix).all()
    assert (first.offset == second.offset).all()


def test_maps_of_other_dimensions(tmp_path):
    path = write(tmp_path, {"cantor": {"maps": [{"matrix": [[0.25]], "offset": [0]}, {"matrix": [[0.25]], "offset": [0.75]}]}})
    hierarchy = ifs(id="it", maps=path, depth=2)
    assert hierarchy.dimension == 1
    assert hierarchy.cells.center[:, 0] == pytest.approx([0.5, 0.125, 0.875, 0.03125, 0.21875, 0.78125, 0.96875])
    assert hierarchy.separation == pytest.approx(0.75)


def test_root_center_and_scale_factor_as_asked():
    hierarchy = ifs(id="it", maps="koch", depth=4, root_center=[1, 2.5], scale_factor=0.5)
    assert hierarchy.cells.center[0].tolist() == [1, 2.5]
    assert hierarchy.scale_factor == 0.5
    assert hierarchy.separation is None  # similarities, but not of ratio 1/2
    assert hierarchy.separation_by_level[1] == pytest.approx(hierarchy.separation_by_level[0] * 2 / 3)
    assert hierarchy.cells.center[5] == pytest.approx(apply_word(read_maps("koch"), (0, 0), np.array([1, 2.5])))


def test_scale_factor_equal_to_the_norm_is_not_too_small():
    assert ifs(id="it", maps="koch", depth=1, scale_factor=1 / 3).scale_factor == 1 / 3


def line_of_maps(*offsets, matrix=0.5):
    count = len(offsets)
    return AffineMaps(name="line", matrix=np.stack([np.eye(2) * matrix] * count), offset=np.array([[t, 0.0] for t in offsets]))


def test_root_center_moves_where_the_maps_cannot_be_told_from_it():
    first, again, other = (ifs(id="it", maps=line_of_maps(0.0, 1.0), depth=3, seed=seed) for seed in (0, 0, 1))
    assert "too few directions" in first.notes[0]
    assert "moved from the mean" in first.notes[0]
    displacement = first.cells.center[1:3] - first.cells.center[0]
    values = np.linalg.svd(displacement, compute_uv=False)
    assert values[1] > 1e-2 * values[0]
    assert (first.cells.center[0] == again.cells.center[0]).all()
    assert (first.cells.center[0] != other.cells.center[0]).any()


def test_one_map_gets_a_root_center_that_it_moves():
    hierarchy = ifs(id="it", maps=line_of_maps(3.0), depth=4)
    assert hierarchy.arity == 1
    assert hierarchy.residual_bound > 0
    assert len(hierarchy.cells) == 5
    assert hierarchy.separation is None


def test_a_degenerate_root_center_as_asked_stays_and_is_remarked():
    hierarchy = ifs(id="it", maps=line_of_maps(0.0, 1.0), depth=2, root_center=[1.0, 0.0])
    assert hierarchy.cells.center[0].tolist() == [1.0, 0.0]
    assert "too few directions" in hierarchy.notes[0]


def test_two_equal_maps_are_remarked():
    notes = ifs(id="it", maps=line_of_maps(1.0, 1.0), depth=2).notes
    assert any("two maps displace it alike" in note for note in notes)


def test_maps_to_single_points_are_a_hierarchy_too():
    hierarchy = ifs(
        id="it", maps=AffineMaps(name="dots", matrix=np.zeros((2, 2, 2)), offset=np.array([[0.0, 0], [1, 1]])), depth=3
    )
    assert hierarchy.cells.center[-4:].tolist() == [[1, 1]] * 4
    assert hierarchy.separation_by_level[1:] == (0, 0)


def test_deep_cells_keep_their_precision():
    maps = read_maps("koch")
    cells = ifs(id="it", maps=maps, depth=9).cells
    rotation = np.angle(maps.matrix[:, 0, 0] + 1j * maps.matrix[:, 1, 0])  # a similarity of the plane is a complex number
    start = (maps.displace(cells.center[0]) @ [1, 1j])[3]
    deep = cells.row("/1/1/1/1/1/1/1/1/3")
    expected = start * np.exp(8j * rotation[1])
    assert cells.residual[deep] @ [1, 1j] == pytest.approx(expected, rel=4e-15)


def test_recipe_knows_the_maps_and_every_argument(tmp_path):
    recipe = ifs(id="it", maps=write(tmp_path, {"one": FORM}), depth=2, seed=3).recipe
    assert recipe == {
        "source": "ifs",
        "maps": "one",
        "maps_sha256": recipe["maps_sha256"],
        "depth": 2,
        "root_center": None,
        "scale_factor": None,
        "seed": 3,
    }
    assert ifs(id="it", maps=write(tmp_path, {"one": SAME}), depth=2, seed=3).recipe == recipe
    changed = {"one": {"maps": FORM["maps"][:2]}}
    assert ifs(id="it", maps=write(tmp_path, changed), depth=2, seed=3).recipe != recipe


NAN_MAP = '{"one": {"maps": [[0.5, 0, 0, NaN, 0, 0]]}}'


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        (" \n ", "is empty"),
        ("{\n 'one': 1}", "not JSON: .* line 2, column 2"),
        ("[1, 2]", "map 0 of 'maps'"),
        ("[]", "a list at the top"),
        ("{}", "at least one entry"),
        ('{"_only": "comments"}', "at least one entry"),
        ('{"one": {"maps": []}}', "at least one map"),
        ('{"one": {}}', '"maps"'),
        ('{"one": {"maps": {"a": 1}}}', '"maps"'),
        ('{"one": {"maps": [[1, 2, 3]]}}', "6 numbers .* got 3"),
        ('{"one": {"maps": [[0.5, 0, 0, "x", 0, 0]]}}', "number 3 of map 0 of 'one'.*'x'"),
        ('{"one": {"maps": [[0.5, 0, 0, true, 0, 0]]}}', "number 3"),
        (NAN_MAP, "finite number as number 3 of map 0 .* got nan"),
        (NAN_MAP.replace("NaN", "1e999"), "got inf"),
        (NAN_MAP.replace("NaN", "1" + "0" * 400), "got inf"),
        ('{"one": {"maps": [7]}}', "map 0 of 'one'"),
        ('{"one": {"maps": [{"matrix": [[0.5]]}]}}', "map 0 of 'one'"),
        ('{"one": {"maps": [{"matrix": 3, "offset": [1]}]}}', "list of rows"),
        ('{"one": {"maps": [{"matrix": [[0.5, 0]], "offset": [1]}]}}', "square matrix"),
        ('{"one": {"maps": [{"matrix": [[0.5]], "offset": [1, 2]}]}}', "same length"),
        ('{"one": {"maps": [{"matrix": [[0.5]], "offset": 1}]}}', "same length"),
        ('{"one": {"maps": [{"matrix": [[-Infinity]], "offset": [1]}]}}', r"matrix\[0\]\[0\] of map 0"),
        ('{"one": {"maps": [{"matrix": [[0.5]], "offset": [null]}]}}', r"offset\[0\] of map 0"),
        ('{"one": {"maps": [{"matrix": [[0.5]], "offset": [1]}, [0.5, 0, 0, 0.5, 0, 0]]}}', r"one dimension .*\[1, 2\]"),
        (
            '{"one": {"maps": [[0.5, 0, 0, 0.5, 0, 0], [1, 0, 0, 1, 0, 0]]}}',
            "norm2 = 1 in map 1 of 'one', and map 1 has an eigenvalue",
        ),
        ('{"one": {"maps": [[1.9, 0.9, 0, 0.9, 0, 0]]}}', "maps that contract"),
        ('{"one": {"maps": [[0.5, 0, 0, 0.5, 1e200, 0]]}}', "at most 1e\\+100"),
        ('{"one": {"maps": []}, "one": {"maps": []}}', "'one' twice"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_file_of_another_form_is_refused_with_the_place(tmp_path, content, told):
    with pytest.raises(InputError, match=told) as caught:
        ifs(id="it", maps=write(tmp_path, content), depth=2)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "maps.json"
    path.write_bytes(b'{"one\xff": 1}')
    with pytest.raises(InputError, match="in UTF-8, got byte 0xff in line 1"):
        read_maps(path)


def test_names_of_entries_are_listed(tmp_path):
    path = write(tmp_path, {"_note": 1, "one": FORM, "two": SAME})
    with pytest.raises(InputError, match=r"holds 2 entries.*--map: one, two"):
        read_maps(path)
    with pytest.raises(InputError, match="no entry 'three'; it holds one, two"):
        read_maps(path, name="three")
    with pytest.raises(InputError, match="no entry '_note'"):
        read_maps(path, name="_note")


def test_a_missing_file_names_the_built_in_systems(tmp_path):
    with pytest.raises(InputError, match=r"no file .*absent\.json.*dragon, fern, koch, levy, sierpinski"):
        read_maps(tmp_path / "absent.json")
    with pytest.raises(InputError, match="directory"):
        read_maps(tmp_path)
    with pytest.raises(InputError, match="built-in system of that one name"):
        read_maps("koch", name="fern")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"depth": -2}, "at least 0 as depth"),
        ({"depth": 20}, "1,466,015,503,700 cells"),
        ({"scale_factor": 0.3}, "at least 0.333.*norm2 of map"),
        ({"scale_factor": 1.0}, "below 1"),
        ({"scale_factor": float("nan")}, "finite"),
        ({"root_center": [1.0]}, "2 numbers"),
        ({"root_center": [1.0, float("inf")]}, "finite number as root center"),
        ({"root_center": [1.0, 1e200]}, "at most 1e\\+100"),
        ({"seed": -1}, "seed"),
        ({"id": "x" * 300}, "at most 200 bytes"),
    ],
)
def test_bad_arguments_are_refused_with_the_reason(arguments, told):
    with pytest.raises(InputError, match=told):
        ifs(**{"id": "it", "maps": "koch", "depth": 2, **arguments})
