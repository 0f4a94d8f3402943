"""Fields that answer at any depth: against the cells that a growth makes, against exact rationals, against brute force."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfgraph import sources, train
from cfgraph.errors import AddressError, InputError
from cfgraph.formats.maps import AffineMaps, read_maps
from cfgraph.formats.newick import parse_newick
from cfgraph.metric.distances import center_differences, path_distances, subtree_radii
from cfgraph.model.address import format_address, parse_address
from cfgraph.model.cells import FRONTIER, LEAF
from cfgraph.model.descent import MapsDescent
from cfgraph.model.growth import grow, observe
from cfgraph.model.reach import spread_bound
from cfgraph.predictors import fit_predictor
from cfgraph.sources.any_depth import field
from cfgraph.sources.cfg import Design
from cfgraph.sources.imported import imported

COLUMNS = ("level", "slot", "center", "scale", "root_distance", "length", "residual")


def random_maps(seed, *, arity, dimension, factor):
    """Maps whose largest norm is the factor."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(arity, dimension, dimension))
    matrix *= (factor * random.uniform(0.3, 1, arity) / np.linalg.norm(matrix, ord=2, axis=(1, 2)))[:, None, None]
    matrix[0] *= factor / np.linalg.norm(matrix[0], ord=2)
    return AffineMaps(f"random {seed}", matrix, random.normal(size=(arity, dimension)))


def random_pairs(random, count, *, arity, depth):
    """Pairs of addresses as slots, of any levels, that part at any level; some are equal, or above each other."""
    first = random.integers(0, arity, (count, depth)).astype(np.int32)
    second = random.integers(0, arity, (count, depth)).astype(np.int32)
    for row in range(count):
        common = random.integers(0, depth + 1)
        second[row, :common] = first[row, :common]
        first[row, random.integers(0, depth + 1) :] = -1
        second[row, random.integers(0, depth + 1) :] = -1
    first[0], second[0] = first[1], first[1]
    return first, second


DIGITS = 1500  # binary, behind the point: what is cut off is 1e-450


def whole(number):
    """A number as a whole number of units of 2^-DIGITS."""
    return int(Fraction(number) * 2**DIGITS)


def times(one, other):
    return (one * other) >> DIGITS


def product(left, right):
    return [[sum(map(times, row, column)) for column in zip(*right, strict=True)] for row in left]


class Exact:
    """The maps of a field in 450 digits, from the very numbers that it computes with."""

    def __init__(self, descent, scale_factor):
        self.turn = [[[whole(v) for v in row] for row in one] for one in descent.turn.tolist()]
        self.moved = [[whole(v) for v in row] for row in descent.displacement.tolist()]
        self.scale_factor = whole(scale_factor)

    def offset(self, slots, common):
        """From the ancestor at a level to the end of a way, in units of the ancestor's scale, and the length of that way."""
        dimension = len(self.moved[0])
        composed = [[whole(int(i == j)) for j in range(dimension)] for i in range(dimension)]
        total, length, size = [0] * dimension, 0.0, whole(1)
        for level, slot in enumerate(slots):
            if level >= common:
                (residual,) = product([self.moved[slot]], composed)
                total = [t + times(size, r) for t, r in zip(total, residual, strict=True)]
                length += number(size) * math.hypot(*map(number, residual))
                size = times(size, self.scale_factor)
            composed = product(self.turn[slot], composed)
        return total, length


def number(units):
    return float(Fraction(units, 2**DIGITS))


def slots_of(row):
    return [int(slot) for slot in row if slot >= 0]


# cells


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.floats(0.05, 0.9), st.integers(0, 10**6), st.integers(0, 4))
def test_a_generator_answers_what_it_grows(arity, dimension, factor, seed, depth):
    design = {"arity": arity, "dimension": dimension, "scale_factor": factor, "seed": seed}
    grown = sources.cfg(id="it", depth=depth, **design)
    asked = list(grown.cells.addresses)
    random = np.random.default_rng(seed)
    random.shuffle(asked)
    rows = [grown.cells.row(address) for address in asked]
    for answering in (field(Design(**design)), field(sources.cfg(id="it", depth=depth // 2, **design))):
        found = answering.cells(asked)
        assert found.addresses == asked
        for name in COLUMNS:
            assert np.array_equal(getattr(found, name), getattr(grown.cells, name)[rows]), name
    assert found.stored.tolist() == [level <= depth // 2 for level in found.level.tolist()]


@pytest.mark.parametrize("name", ["koch", "fern", "dragon", "levy", "sierpinski"])
def test_maps_answer_what_they_grow(name):
    grown = sources.ifs(id="it", maps=name, depth=6)
    for answering in (field(name), field(read_maps(name)), field(sources.ifs(id="it", maps=name, depth=3))):
        found = answering.cells(grown.cells.addresses)
        for column in COLUMNS:
            assert np.array_equal(getattr(found, column), getattr(grown.cells, column)), column


def test_maps_of_ones_own_come_back_from_the_first_levels():
    maps = random_maps(3, arity=4, dimension=3, factor=0.6)
    grown = sources.ifs(id="it", maps=maps, depth=6)
    stored = sources.ifs(id="it", maps=maps, depth=2)
    exact = field(stored, maps=maps).cells(grown.cells.addresses)
    assert np.array_equal(exact.center, grown.cells.center)
    found = field(stored).cells(grown.cells.addresses)
    assert np.abs(found.residual - grown.cells.residual).max() < 1e-12
    with pytest.raises(InputError, match="made of other maps"):
        field(stored, maps=random_maps(4, arity=4, dimension=3, factor=0.6))


def test_maps_whose_displacements_span_a_line_answer_by_their_recurrence():
    maps = AffineMaps("line", np.array([[[0.5, 0.0], [0.0, 0.5]]] * 2), np.array([[0.0, 0.0], [1.0, 1.0]]))
    grown = sources.ifs(id="it", maps=maps, depth=6)
    found = field(sources.ifs(id="it", maps=maps, depth=3)).cells(grown.cells.addresses)
    assert np.abs(found.center - grown.cells.center).max() < 1e-12


@pytest.mark.parametrize("family", ["mean", "parent", "nearest", "affine", "local-linear", "recurrence"])
def test_a_predictor_answers_what_it_grows(family):
    truth = sources.ifs(id="it", maps="koch", depth=3)
    predictor = train(truth, id="rule", depth=3, family=family).load()
    grown = grow(truth.cells, rule=predictor.predict, arity=4, scale_factor=truth.scale_factor, depth=6)
    found = field(truth, predictor=predictor).cells(grown.addresses)
    assert np.abs(found.residual - grown.residual).max() < 1e-12
    assert np.abs(found.center - grown.center).max() < 1e-12
    assert np.array_equal(found.scale, grown.scale)
    assert found.stored.sum() == len(truth.cells)


def test_induced_fields_answer_what_they_grow():
    data = np.random.default_rng(0).normal(size=(60, 2))
    grown = sources.induced(id="it", data=data, arity=3, depth=5)
    prefix = grown.replace(recipe={**grown.recipe, "depth": 2}).with_cells(grown.cells.prefix(2), encoder=grown.encoder)
    found = field(prefix).cells(grown.cells.addresses)
    assert np.abs(found.center - grown.cells.center).max() < 1e-12
    assert not found.stored.all()


def test_an_answer_does_not_depend_on_what_else_is_asked():
    random = np.random.default_rng(5)
    asked = random.integers(0, 4, (500, 30)).astype(np.int32)
    for row in range(len(asked)):
        asked[row, random.integers(0, 31) :] = -1
    for answering in (field("koch"), field(Design(arity=4, dimension=3, seed=2))):
        whole = answering.cells(asked)
        for row in random.integers(0, 500, 30).tolist():
            alone = answering.cells([format_address(slots_of(asked[row]))])
            assert np.array_equal(alone.center[0], whole.center[row])
            assert np.array_equal(alone.residual[0], whole.residual[row])
            assert alone.root_distance[0] == whole.root_distance[row]


def test_many_addresses_are_answered_in_parts(monkeypatch):
    answering = field(sources.cfg(id="it", depth=3, arity=3))
    asked = np.random.default_rng(0).integers(0, 3, (1000, 6)).astype(np.int32)
    whole, pairs = answering.cells(asked), answering.path_distances(asked[:500], asked[500:])
    monkeypatch.setattr("cfgraph.model.field._BATCH_VALUES", 50)
    parts = answering.cells(asked)
    assert all(np.array_equal(getattr(whole, name), getattr(parts, name)) for name in (*COLUMNS, "stored"))
    assert np.array_equal(pairs, answering.path_distances(asked[:500], asked[500:]))
    below, whole_below = answering.children(asked[:100]), field(sources.cfg(id="it", depth=3, arity=3)).children(asked[:100])
    assert np.array_equal(below.slots, whole_below.slots)


def test_children_and_what_lies_below():
    grown = sources.cfg(id="it", depth=5, arity=3)
    answering = field(sources.cfg(id="it", depth=3, arity=3))
    below = answering.below("/1", 4)
    expected = [address for address in grown.cells.addresses if address.startswith("/1/")]
    assert below.addresses == expected
    assert np.array_equal(below.center, grown.cells.center[[grown.cells.row(address) for address in expected]])
    found = answering.children(["/2/0/1/1", "/", "/2/0"])
    assert found.addresses == [f"{above}/{slot}" for above in ("/2/0/1/1", "", "/2/0") for slot in range(3)]
    assert found.stored.tolist() == [False] * 3 + [True] * 6
    assert len(answering.below("/0", 0)) == 0
    assert len(answering.children([])) == 0
    assert len(answering.cells([])) == 0


# pairs


@settings(max_examples=12, deadline=None)
@given(st.integers(2, 5), st.integers(1, 4), st.floats(0.2, 0.95), st.integers(0, 10**6))
def test_offsets_and_paths_against_exact_rationals(arity, dimension, factor, seed):
    maps = random_maps(seed, arity=arity, dimension=dimension, factor=factor)
    check_pairs(field(maps), seed=seed, count=8)


def test_koch_against_exact_rationals():
    check_pairs(field("koch"), seed=1, count=60)


def check_pairs(answering, *, seed, count):
    exact = Exact(answering.descent, answering.scale_factor)
    first, second = random_pairs(np.random.default_rng(seed), count, arity=answering.arity, depth=300)
    offsets, distances = answering.offsets(first, second), answering.path_distances(first, second)
    scaled = offsets.in_units_of_larger(1e-9)
    size = max(1.0, answering.residual_bound / (1 - answering.scale_factor))
    for row in range(count):
        one, other = slots_of(first[row]), slots_of(second[row])
        common = int(offsets.ancestor_level[row])
        assert one[:common] == other[:common]
        assert one[common : common + 1] != other[common : common + 1] or not one[common:]
        (up, up_length), (down, down_length) = exact.offset(one, common), exact.offset(other, common)
        true = [a - b for a, b in zip(up, down, strict=True)]
        error = max(abs(number(whole(v) - t)) for v, t in zip(offsets.value[row].tolist(), true, strict=True))
        assert error <= 1e-12 * size
        assert error <= offsets.bound[row]
        length = (up_length + down_length) * offsets.ancestor_scale[row]
        assert abs(distances[row] - length) <= 1e-12 * size * offsets.ancestor_scale[row]
        power = answering.scale_factor ** -float(min(len(one), len(other)) - common)
        close = [number(t) * power for t in true]  # in units of the larger cell, to a relative 1e-13
        wrong = np.abs(scaled.value[row] - close).max() - 1e-12 * np.abs(close).max()
        assert wrong <= scaled.bound[row]
        assert scaled.exceeded[row] == (scaled.bound[row] > 1e-9)


def test_units_of_the_larger_cell_say_when_digits_end():
    answering = field("koch")
    same = [0] * 12
    shallow = answering.offsets([format_address([0, *same])], [format_address([1, *same])]).in_units_of_larger(1e-6)
    assert not shallow.exceeded[0]
    deep = answering.offsets([format_address([0, *same * 4])], [format_address([1, *same * 4])]).in_units_of_larger(1e-6)
    assert deep.exceeded[0]
    with pytest.raises(InputError, match="a precision above 0"):
        answering.offsets(["/0"], ["/1"]).in_units_of_larger(0.0)


def test_pairs_of_stored_cells():
    tree = sources.points(id="it", data=np.random.default_rng(0).normal(size=(200, 3)), arity=3, depth=4)
    rows = np.random.default_rng(1).integers(0, len(tree.cells), (2, 300))
    addresses = np.array(tree.cells.addresses[:], dtype=object)
    answering = field(tree)
    one, other = addresses[rows[0]].tolist(), addresses[rows[1]].tolist()
    assert np.allclose(answering.path_distances(one, other), path_distances(tree.cells, *rows), rtol=1e-12, atol=0)
    offsets = answering.offsets(one, other)
    assert np.allclose(offsets.absolute, center_differences(tree.cells, *rows), rtol=0, atol=1e-12)


# radius and reach


def descendants(answering, address, levels):
    """The largest distance of a center some levels below a cell from the cell's own, in its unit."""
    top = answering.cells([address])
    below = answering.below(address, levels)
    return np.linalg.norm(below.center - top.center[0], axis=1).max()


@pytest.mark.parametrize("seed", range(12))
def test_nothing_lies_beyond_reach(seed):
    random = np.random.default_rng(seed)
    maps = random_maps(
        seed, arity=int(random.integers(2, 4)), dimension=int(random.integers(1, 4)), factor=random.uniform(0.3, 0.9)
    )
    answering = field(maps)
    asked = [format_address(random.integers(0, maps.arity, level).tolist()) for level in range(5)]
    reach, radius = answering.reach(asked), answering.radius(asked)
    assert (reach <= radius).all()
    way, scale = answering.way_reach, answering.cells(asked).scale
    assert way is not None
    for address, bound, unit in zip(asked, reach.tolist(), scale.tolist(), strict=True):
        assert descendants(answering, address, 7) <= bound
        assert bound <= unit * way.top * math.prod(way.factors[slot] for slot in parse_address(address)) * (1 + 1e-9)


def test_only_maps_tell_of_each_way_how_far_it_reaches():
    koch = sources.ifs(id="koch", maps="koch", depth=3)
    rule = train(koch, id="rule", depth=3, family="recurrence")
    assert field(koch).way_reach == field("koch").way_reach
    assert field(koch, predictor=rule).way_reach is None
    assert field(sources.cfg(id="cfg", depth=2)).way_reach is None
    turning = replace(field("koch"), descent=MapsDescent(np.eye(2)[None], np.ones((1, 2)), 1.0))
    assert turning.way_reach is None  # nothing bounds maps that do not contract


@pytest.mark.parametrize(("name", "most"), [("fern", 7.23), ("koch", 0.5039), ("dragon", 0.91), ("sierpinski", 0.5774)])
def test_reach_is_tight(name, most):
    answering = field(name)
    bound = float(answering.reach(["/"])[0])
    assert bound <= most
    ways = np.repeat(np.arange(answering.arity)[:, None], 60, axis=1).astype(np.int32)  # the fixed points of the maps
    ends = np.linalg.norm(answering.cells(ways).center - answering.cells(["/"]).center, axis=1)
    assert max(ends.max(), descendants(answering, "/", 12 if answering.arity == 2 else 8)) > 0.98 * bound


def test_a_maximum_over_some_levels_would_have_been_no_bound():
    answering = field("fern")
    assert descendants(answering, "/", 5) < 0.9 * answering.reach(["/"])[0]
    tip = np.ones((1, 80), dtype=np.int32)
    assert np.linalg.norm(answering.cells(tip).center - answering.cells(["/"]).center) <= answering.reach(["/"])[0]


def test_maps_that_do_not_contract_reach_everywhere():
    assert spread_bound(np.eye(2)[None], displacement=np.ones((1, 2)), scale_factor=1.0) == math.inf
    assert spread_bound(np.zeros((2, 2, 2)), displacement=np.zeros((2, 2)), scale_factor=0.5) == 0


@pytest.mark.parametrize("name", ["koch", "fern", "sierpinski"])
def test_a_recurrence_reaches_as_far_as_its_maps(name):
    truth = sources.ifs(id="it", maps=name, depth=3)
    predictor = train(truth, id="rule", depth=3, family="recurrence").load()
    answering = field(truth, predictor=predictor)
    asked = ["/0/1/2/1/0", "/1/1/1/1", "/2/2/0/1"]
    reach = answering.reach(asked)
    assert np.allclose(reach, field(name).reach(asked), rtol=1e-5)
    assert (reach < answering.radius(asked) * 0.999).any() or name in ("koch", "sierpinski")
    for address, bound in zip(asked, reach.tolist(), strict=True):
        assert descendants(answering, address, 6) <= bound
    above = answering.reach(["/0"])  # what is stored there is not the predictor's
    assert above == answering.radius(["/0"])


def test_a_recurrence_that_clips_has_its_radius_alone():
    truth = sources.ifs(id="it", maps="fern", depth=3)
    predictor = train(truth, id="rule", depth=3, family="recurrence").load()
    short = type(predictor)(**{**predictor.config(), **predictor.weights(), "residual_bound": truth.residual_bound / 2})
    answering = field(truth, predictor=short)
    assert answering.reach(["/1/1/1/1"]) == answering.radius(["/1/1/1/1"])


def test_data_built_cells_have_the_radius_that_is_stored():
    tree = sources.points(id="it", data=np.random.default_rng(0).normal(size=(200, 3)), arity=3, depth=3)
    addresses = tree.cells.addresses[:]
    found = field(tree).radius(addresses)
    assert np.array_equal(found, tree.cells.radius, equal_nan=True)
    frontier = tree.cells.state == FRONTIER
    assert np.isnan(found[frontier]).all() == frontier.any()
    observed, tuples = observe(tree.cells, arity=tree.arity)
    known = {"scale_factor": tree.scale_factor, "residual_bound": tree.residual_bound}
    predictor = fit_predictor("mean", observed=observed, tuples=tuples, **known)
    assert np.isfinite(field(tree, predictor=predictor).radius(addresses)).all()


# what is stored alone, and what is refused


def test_imported_hierarchies_answer_from_what_is_stored():
    tree = newick_tree()
    answering = field(tree)
    addresses = tree.cells.addresses[:]
    found = answering.cells(addresses)
    assert found.stored.all()
    assert found.addresses == list(addresses)
    assert np.array_equal(found.root_distance, tree.cells.root_distance)
    assert answering.children(["/2", "/1"]).addresses == ["/2/0", "/2/1", "/2/2"]
    assert len(answering.below("/", 5)) == len(addresses) - 1
    rows = np.random.default_rng(0).integers(0, len(addresses), (2, 50))
    asked = [[addresses[row] for row in side] for side in rows.tolist()]
    assert np.allclose(answering.path_distances(*asked), path_distances(tree.cells, *rows))
    radii = subtree_radii(tree.cells)
    assert (answering.radius(addresses) >= radii * (1 - 1e-12)).all()
    with pytest.raises(AddressError, match=r"below /1 .*leaf"):
        answering.cells(["/1/0"])
    with pytest.raises(AddressError, match="slot 7 below"):
        answering.cells(["/7"])


def newick_tree():
    return imported(parse_newick("((a:1,b:2)x:1,c:3,(d:1,e:1,f:2)y:2)r;"), id="it", origin="tree")


def test_without_a_rule_what_is_stored_answers_alone():
    tree = sources.points(id="it", data=np.random.default_rng(0).normal(size=(300, 2)), arity=3, depth=2)
    frontier = [tree.cells.addresses[row] for row in np.flatnonzero(tree.cells.state == FRONTIER).tolist()]
    answering = field(tree)
    with pytest.raises(AddressError, match="no rule is known of 'points'; name a predictor"):
        answering.cells([f"{frontier[0]}/0"])
    assert len(answering.children(frontier)) == 0
    leaf = [tree.cells.addresses[row] for row in np.flatnonzero(tree.cells.state == LEAF).tolist()]
    assert len(answering.children(leaf)) == 0


def test_a_leaf_ends_a_way_even_where_a_rule_is_known():
    grown = sources.cfg(id="it", depth=2, arity=2)
    state = grown.cells.state.copy()
    state[grown.cells.row("/1/1")] = LEAF
    cut = grown.with_cells(grown.cells.with_columns(state=state))
    answering = field(cut)
    assert answering.cells(["/1/0/1"]).stored.tolist() == [False]
    with pytest.raises(AddressError, match="no cell in slot 1 below /1/1 of 'it': that is a leaf"):
        answering.cells(["/1/0/1", "/1/1/1"])
    assert answering.children(["/1/1", "/1/0"]).addresses == ["/1/0/0", "/1/0/1"]


@pytest.mark.parametrize(
    ("asked", "error", "told"),
    [
        (["/0", "1/2"], AddressError, "expected an address"),
        ("/0/1", AddressError, "expected several addresses"),
        (["/0/4"], AddressError, "slots 0 to 3"),
        (np.array([[0, -1, 2]]), AddressError, "filled up with -1"),
        (np.array([[0, -2]]), AddressError, "filled up with -1"),
        (np.array([[0.5]]), AddressError, "whole numbers"),
        (np.array([[2**40]]), AddressError, "below 2"),
        (np.zeros((1, 700), dtype=np.int32), InputError, "too deep"),
    ],
)
def test_addresses_that_are_none(asked, error, told):
    with pytest.raises(error, match=told):
        field("koch").cells(asked)


def test_levels_as_deep_as_double_precision_goes():
    answering = field("koch")
    found = answering.cells(np.zeros((1, 640), dtype=np.int32))
    assert 0 < found.scale[0] < 1e-300
    offsets = answering.offsets([format_address([1] * 640)], [format_address([1] * 639 + [2])])
    assert offsets.ancestor_level[0] == 639
    assert np.isfinite(offsets.value).all()
    assert offsets.value.any()


def test_arguments_that_do_not_fit():
    koch, other = sources.ifs(id="koch", maps="koch", depth=3), sources.cfg(id="it", depth=3, arity=4, scale_factor=0.4)
    predictor = train(koch, id="rule", depth=3, family="mean")
    assert field(koch, predictor=predictor).cells(["/0/1/2/3"]).stored.tolist() == [False]
    for wrong, told in [
        (lambda: field(other, predictor=predictor), "scale factor 0.4"),
        (lambda: field(sources.cfg(id="it", depth=2, arity=3), predictor=predictor), "arity 4"),
        (lambda: field(koch, predictor=predictor, maps="koch"), "two rules"),
        (lambda: field(other, maps="koch"), "maps are the rule of"),
        (lambda: field("koch", predictor=predictor), "rules themselves"),
        (lambda: field(koch, predictor="rule"), "by its id in a store"),
        (lambda: field(koch, predictor=3), "expected a predictor"),
        (lambda: field(koch, "koch"), "names a hierarchy in a store"),
        (lambda: field(3), "expected a store and an id"),
        (lambda: field(koch.without_cells()), "holds no cells"),
        (lambda: field(newick_tree(), predictor=predictor), "imported"),
        (lambda: field("koch").below("/", -1), "at least 0"),
        (lambda: field("koch").below("/", 60), "in one go"),
        (lambda: field("koch").offsets(["/0"], ["/1", "/2"]), "as many second cells"),
    ]:
        with pytest.raises(InputError, match=told):
            wrong()


def test_what_nobody_answers_for_has_no_radius():
    koch = sources.ifs(id="koch", maps="koch", depth=3)
    gone = koch.replace(former_predictors=("gone",))
    assert np.isfinite(field(koch).radius(["/", "/0/1/2/3/0"])).all()
    assert np.isnan(field(gone).radius(["/", "/0/1/2/3/0"])).all()
    predictor = train(koch, id="rule", depth=3, family="mean").load()
    wide = type(predictor)(**{**predictor.config(), **predictor.weights(), "residual_bound": 10 * koch.residual_bound})
    assert field(koch, predictor=wide).radius(["/"]) == pytest.approx(10 * field(koch).radius(["/"]), rel=1e-8)
