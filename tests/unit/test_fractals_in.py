"""Fractals as others write them, Fractint, flames and JSON in its spellings; and systems that contract in other coordinates."""

import json
import tracemalloc

import numpy as np
import pytest

from cfgraph.errors import InputError
from cfgraph.formats import contracting
from cfgraph.formats.contracting import find_coordinates, is_proven
from cfgraph.formats.maps import AffineMaps, read_maps
from cfgraph.model.invariants import check_sound
from cfgraph.sources import any_depth
from cfgraph.sources.ifs import ifs

FERN = read_maps("fern")
FRACTINT = """; systems of others
fern {  ; by somebody
 0   0  0 .16 0   0 .01
 .85 .04 -.04 .85 0 1.6 .85
 .2 -.26 .23 .22 0 1.6 .07
 -.15 .28 .26 .24 0 .44 .07
}
3dfern (3D) {
 .00 .00 0 .0 .18 .0 0 0.0 0.00 0 0.0 0 .01
 .85 .00 0 .0 .85 .1 0 -0.1 0.85 0 1.6 0 .85
}
solid { (3D) ; the mark inside
 .5 0 0 0 .5 0 0 0 .5 0 0 1
}
Commas { .5, 0, 0, .5, 1, 2, 1 }
"""


@pytest.fixture
def place(tmp_path):
    def write(content, name="maps.ifs"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def refuse(match, path, **options):
    with pytest.raises(InputError, match=match) as caught:
        read_maps(path, **options)
    assert "\n" not in str(caught.value)


# -- Fractint


@pytest.mark.parametrize("name", ["fern", "Fern", "FERN"])
@pytest.mark.parametrize("file", ["maps.ifs", "maps.txt"])
def test_an_entry_of_fractint(place, name, file):
    found = read_maps(place(FRACTINT, file), name=name)
    np.testing.assert_array_equal(found.matrix, FERN.matrix)
    np.testing.assert_array_equal(found.offset, FERN.offset)
    assert found.name == "fern"
    assert len(ifs(id="it", maps=place(FRACTINT), map=name, depth=2).cells) == 21


def test_entries_in_space_and_with_commas(place):
    found = read_maps(place(FRACTINT), name="3dfern")
    assert found.matrix[1].tolist() == [[0.85, 0, 0], [0, 0.85, 0.1], [0, -0.1, 0.85]]
    assert found.offset[1].tolist() == [0, 1.6, 0]
    assert read_maps(place(FRACTINT), name="solid").offset.tolist() == [[0, 0, 1]]
    assert read_maps(place(FRACTINT), name="commas").offset.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (FRACTINT, "holds 4 entries; say which with --map: fern, 3dfern, solid, Commas"),
        ("a {\n .5 0 0 .5 0\n}", "line 2 of .*expected 6 finite numbers of a map, or 7 .*got 5"),
        ("a {\n .5 0 0 .5 0 x\n}", "line 2 of .*expected numbers, got '.5 0 0 .5 0 x'"),
        ("a {\n .5 0 0 .5 0 nan\n}", "line 2 of .*finite numbers"),
        ("a {\n .5 0 0 .5 0 0 1\n} a {\n}", "line 3 of .*different names, got 'a'"),
        ("a {\n .5 0 0 .5 0 0 1\n}\nb {\n 1 2", "line 4 of .*that is closed"),
        ("a {\n}", "at least one map in 'a'"),
        ("a {\n 1 0 0 0 1 0 0 0 1 0 0 0 .5\n}", r"maps in space are marked \(3D\)"),
    ],
)
def test_fractint_that_is_damaged_is_told_with_its_line(place, text, match):
    refuse(match, place(text))


# -- flames


def flame(*transforms, name="x", rest=""):
    return f'<flame name="{name}" size="640 480">{"".join(f"<xform {one}/>" for one in transforms)}{rest}</flame>'


PLAIN = 'weight="0.5" linear="1" coefs="0.5 0.1 0.2 0.4 3 4"'


def test_the_affine_parts_of_a_flame(place):
    found = read_maps(place(flame(PLAIN, 'coefs="0.5 0 0 0.5 0 0" linear="0.5" color="1" weight="1"'), "a.flame"))
    assert found.matrix.tolist() == [[[0.5, 0.2], [0.1, 0.4]], [[0.25, 0], [0, 0.25]]]
    assert found.offset.tolist() == [[3, 4], [0, 0]]
    assert found.notes == ("of a flame the affine parts were taken; left out: colors",)
    assert ifs(id="it", maps=place(flame(PLAIN), "a.flame"), depth=1).notes[0] != found.notes[0]


def test_what_else_a_flame_holds_is_named(place):
    swirl = 'weight="0.5" color="0" swirl="0.3" coefs="0.5 0 0 0.5 0 0" post="2 0 0 2 0 0"'
    text = flame(swirl, PLAIN, rest='<finalxform coefs="1 0 0 1 0 0" linear="1"/><palette count="1">00</palette>')
    hierarchy = ifs(id="it", maps=place(text, "a.flame"), depth=1)
    told = "a final transform, colors, post transforms, the variation swirl"
    assert hierarchy.notes[0] == f"of a flame the affine parts were taken; left out: {told}"


def test_a_post_transform_follows_a_linear_one(place):
    found = read_maps(place(flame(PLAIN + ' post="0 1 -1 0 1 0"'), "a.flame"))
    np.testing.assert_allclose(found.matrix[0] @ [1, 1] + found.offset[0], np.array([[0, -1], [1, 0]]) @ [3.7, 4.5] + [1, 0])


@pytest.mark.parametrize("wrap", ["{}{}", "<flames>{}{}</flames>", '<?xml version="1.0"?>\n<Flames name="p">{}{}</Flames>'])
def test_a_flame_of_several_by_name(place, wrap):
    path = place(wrap.format(flame(PLAIN), flame(PLAIN, PLAIN, name="two")), "a.flame")
    assert read_maps(path, name="two").arity == 2
    refuse("holds 2 entries; say which with --map: x, two", path)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (flame('coefs="1 2 3"'), "expected six finite numbers as coefs of transform 0 of flame 'x'"),
        (flame('weight="1"'), "got 'none'"),
        (flame('coefs="a 0 0 0 0 0"'), "six finite numbers"),
        (flame('linear="x" coefs="1 0 0 0 0 0"'), "a number as the weight of linear"),
        (flame(), "at least one map"),
        ("<svg/>", "expected a <flame> in .*got XML of <svg>"),
        ("<flame", "is no XML of flames"),
        (flame(PLAIN) + flame(PLAIN), "flames of different names .*'x' twice"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><flame/>', "declares entities"),
        ("<flame>" * 3000, "is no XML of flames"),
    ],
)
def test_flames_that_are_damaged_are_told(place, text, match):
    refuse(match, place(text, "a.flame"))


# -- JSON

LETTERS = {"a": 0.5, "b": 0.1, "c": 0.2, "d": 0.4, "e": 3, "f": 4}
MATRIX, OFFSET = [[0.5, 0.1], [0.2, 0.4]], [3, 4]
WHOLE = [[0.5, 0.1, 3], [0.2, 0.4, 4]]
SPELLINGS = {
    "letters": {"x": {"maps": [LETTERS]}},
    "letters with p": {"x": {"maps": [{**LETTERS, "p": 0.5, "color": "red"}]}},
    "list of letters": [LETTERS],
    "list of rows": [[0.5, 0.1, 0.2, 0.4, 3, 4, 1]],
    "list of matrices": [WHOLE],
    "homogeneous": [[*WHOLE, [0, 0, 1]]],
    "transforms": {"transforms": [LETTERS]},
    "functions": {"functions": [WHOLE], "name": "x"},
    "ifs": {"x": {"ifs": [WHOLE]}},
    "maps at the top": {"maps": [[0.5, 0.1, 0.2, 0.4, 3, 4]]},
    "entry of a list": {"x": [LETTERS]},
    "matrix and translation": {"x": [{"matrix": MATRIX, "translation": OFFSET}]},
    "A and b": [{"A": MATRIX, "b": OFFSET}],
    "linear and shift": [{"linear": MATRIX, "shift": OFFSET, "probability": 1}],
    "matrix with its offset": [{"matrix": WHOLE}],
    "what it was": {"x": {"maps": [{"matrix": MATRIX, "offset": OFFSET}]}},
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_json_in_its_spellings(place, name):
    found = read_maps(place(SPELLINGS[name], "x.json"))
    assert found.matrix.tolist() == [MATRIX]
    assert found.offset.tolist() == [OFFSET]
    assert found.name == "x"


@pytest.mark.parametrize(
    ("document", "match"),
    [
        ([[[0.5, 0], [0, 0.5]]], "a matrix with an offset beside it, or as its last column, as map 0 of 'x'"),
        ([[[0.5, 0, 1], [0, 0.5]]], r"rows of a matrix .*got 2 rows of \[2, 3\] numbers"),
        ([[[0.5, 0, 1], [0, "x", 1]]], r"a number as \[1\]\[1\] of map 0"),
        ([{"a": 1}], r"expected \[a, b, c, d, e, f, p\] or"),
        ([{**LETTERS, "a": None}], "number 0 of map 0"),
    ],
)
def test_json_of_other_forms_is_told(place, document, match):
    refuse(match, place(document, "x.json"))


# -- other coordinates

SYSTEMS = {
    "spectral radius .5, norm 2.1": [[[0.5, 2], [0, 0.5]], [[0.5, 0], [0, 0.5]]],
    "one shear": [[[0.9, 0.9], [0, 0.9]]],
    "nilpotent": [[[0, 5], [0, 0]], [[0.2, 0], [0, 0.2]]],
    "two that share an ellipse": [[[0, 2], [0.1, 0]], [[0.3, 0], [0, -0.3]]],
    "space": [[[0.5, 1, 1], [0, 0.5, 1], [0, 0, 0.5]], [[0, 0, 0], [0, 0, 0], [0, 0, 0.7]]],
}


def system_of(name):
    matrix = np.array(SYSTEMS[name], dtype=float)
    offset = np.random.default_rng(3).normal(size=matrix.shape[:2])
    return AffineMaps(name="it", matrix=matrix, offset=offset)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_that_contracts_in_another_norm_is_a_field(name):
    system = system_of(name)
    assert system.norms.max() >= 1
    found = ifs(id="it", maps=system, depth=5)
    check_sound(found, grown=False)
    basis = np.array(found.recipe["coordinates"])
    assert found.scale_factor == system.in_coordinates(basis).norms.max() < 1
    assert f"norm2 = {system.norms.max():.6g}" in found.notes[0]
    assert found.recipe["maps_sha256"] == system.digest
    np.testing.assert_allclose(basis, basis.T, atol=1e-12 * np.abs(basis).max())
    assert np.linalg.det(basis) == pytest.approx(1)
    center = found.cells.center @ basis.T  # in the maps' own coordinates: images of x0 under words of maps
    for address in ("/0", f"/{system.arity - 1}", "/0/0/0"):
        expected = center[0]
        for _ in range(address.count("/")):
            expected = system.matrix[int(address[-1])] @ expected + system.offset[int(address[-1])]
        np.testing.assert_allclose(center[found.cells.row(address)], expected, atol=1e-9)
    distance = np.linalg.norm(found.cells.center - found.cells.center[0], axis=1)
    assert distance.max() <= found.residual_bound / (1 - found.scale_factor)


def test_the_form_is_proven_in_exact_arithmetic():
    shear = np.array(SYSTEMS["one shear"])
    assert not is_proven(np.eye(2), shear)
    basis = find_coordinates(system_of("one shear"))
    form = np.linalg.inv(basis @ basis)
    assert is_proven((form + form.T) / 2, shear)
    assert not is_proven(-np.eye(2), shear * 0)
    assert not is_proven(np.array([[np.nan, 0], [0, 1]]), shear)
    turn = np.array([[[0.6, -0.8], [0.8, 0.6]]])  # as floats its norm is 1 but for rounding
    assert not is_proven(np.eye(2), turn * (1 + 1e-15))
    assert is_proven(np.eye(2), turn * (1 - 1e-15))


@pytest.mark.parametrize(
    ("matrices", "told"),
    [
        ([[[1.01, 0], [0, 0.5]]], "map 0 has an eigenvalue of absolute value 1.01"),
        ([[[0.6, -0.8], [0.8, 0.6]]], "map 0 has an eigenvalue of absolute value 1,"),
        (
            [[[0.5, 2], [0, 0.5]], [[0.5, 0], [2, 0.5]]],
            "the product of the maps 0, 1 has an eigenvalue of absolute value 4.48606798",
        ),
        ([[[0, 1], [0, 0]], [[0, 0], [1, 0]]], "the product of the maps 0, 1 has an eigenvalue of absolute value 1,"),
    ],
)
def test_a_system_that_contracts_in_no_norm_is_refused_with_the_proof(matrices, told):
    matrix = np.array(matrices, dtype=float)
    system = AffineMaps(name="it", matrix=matrix, offset=np.ones(matrix.shape[:2]))
    with pytest.raises(InputError, match=rf"got norm2 = .* of 'it', and {told}.*scale its matrix down") as caught:
        ifs(id="it", maps=system, depth=1)
    assert "\n" not in str(caught.value)


def test_a_root_center_is_in_the_maps_own_coordinates():
    system = system_of("one shear")
    found = ifs(id="it", maps=system, depth=2, root_center=[1.0, 2.0])
    np.testing.assert_allclose(np.array(found.recipe["coordinates"]) @ found.cells.center[0], [1, 2], atol=1e-12)
    assert found.recipe["root_center"] == [1, 2]


def test_systems_that_contract_as_they_are_stay_as_they_are():
    assert "coordinates" not in ifs(id="it", maps="fern", depth=1).recipe


def test_any_depth_of_such_a_system():
    system = system_of("spectral radius .5, norm 2.1")
    found = ifs(id="it", maps=system, depth=5)
    for made in (any_depth.field(system), any_depth.field(found), any_depth.field(found, maps=system)):
        cells = made.cells(["/0/1/0", "/1/1/1/0"])
        np.testing.assert_allclose(cells.center, found.cells.center[[found.cells.row("/0/1/0"), found.cells.row("/1/1/1/0")]])


@pytest.mark.parametrize(
    ("size", "told"), [(12, "in a search of bounded length"), (20, "above 12 dimensions, of 20, only a few")]
)
def test_the_search_for_coordinates_is_bounded(size, told, monkeypatch):
    matrix = np.stack([0.5 * np.eye(size)] * 2)
    matrix[0, 0, 1] = matrix[1, 1, 0] = 2.0  # their product grows, which nobody looks at here
    monkeypatch.setattr(contracting, "_PRODUCT_WORK", 0)
    seen = []
    strain = contracting._strain
    monkeypatch.setattr(contracting, "_strain", lambda *given: seen.append(1) or strain(*given))
    monkeypatch.setattr(contracting, "_SEARCH_WORK", 30_000)
    with pytest.raises(InputError, match=rf"no ellipsoid was found.*{told}.*scale its matrix down") as caught:
        find_coordinates(AffineMaps(name="it", matrix=matrix, offset=np.ones(matrix.shape[:2])))
    assert "\n" not in str(caught.value)
    assert len(seen) < 600


def test_coordinates_of_many_dimensions_take_little_memory():
    size = 70
    matrix = np.stack([0.3 * np.eye(size), 0.2 * np.eye(size)])
    matrix[0, 0, 1] = matrix[1, 1, 2] = 5.0
    system = AffineMaps(name="it", matrix=matrix, offset=np.ones(matrix.shape[:2]))
    tracemalloc.start()
    basis = find_coordinates(system)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert system.in_coordinates(basis).norms.max() < 1
    assert peak < 20e6
