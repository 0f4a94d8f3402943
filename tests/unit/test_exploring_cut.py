"""Cuts of views: every cell that should be there is, where exact rationals have it; what is left out is said."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfgraph import field, sources
from cfgraph.errors import AddressError, InputError
from cfgraph.exploring.codec import Cut
from cfgraph.exploring.scene import Scene
from cfgraph.exploring.scenes import GoneError
from cfgraph.exploring.view import View
from cfgraph.formats.maps import read_maps
from cfgraph.model.address import format_address, level_of, parse_address
from cfgraph.sources.cfg import Design
from tests.unit.test_field import DIGITS, Exact, random_maps

SIZE = (640.0, 400.0)
FACTOR = 2.5  # of a zoom


@pytest.fixture(scope="module")
def scenes():
    """Rules that nothing is stored of."""
    return {name: Scene.of(name) for name in ("koch", "fern", "dragon", "sierpinski")}


def seen_from(scene, address, *, p=(0.0, 0.0), z=300.0):
    """A view of one cell."""
    return View(address, p, z, *SIZE)


def at_home(scene, *, z=1.0):
    """The view that shows all."""
    home = scene.home
    return replace(home, z=home.z * min(SIZE) * z, width=SIZE[0], height=SIZE[1])


def exact_pixels(exact, view, slots):
    """Where a cell's center lies, from the view's middle in pixels, y downwards, in hundreds of digits."""
    anchor = parse_address(view.anchor)
    pairs = zip(anchor, slots, strict=False)
    common = next((level for level, (one, other) in enumerate(pairs) if one != other), min(len(anchor), len(slots)))
    ours, mine = exact.offset(slots, common)[0], exact.offset(anchor, common)[0]
    unit = Fraction(exact.scale_factor, 2**DIGITS) ** (len(anchor) - common)
    from_anchor = [Fraction(one - other, 2**DIGITS) / unit for one, other in zip(ours, mine, strict=True)]
    x, y = (float((there - Fraction(p)) * Fraction(view.z)) for there, p in zip(from_anchor, view.p, strict=True))
    return x, -y


def error_of(scene, view, cut, *, count=40):
    """The largest error of some cells, the ones that part from the anchor highest among them."""
    exact = Exact(scene.field.descent, scene.field.scale_factor)
    addresses = [parse_address(address) for address in cut.addresses()]
    anchor = parse_address(view.anchor)

    def common(slots):
        return next((level for level, pair in enumerate(zip(slots, anchor, strict=False)) if pair[0] != pair[1]), len(anchor))

    rows = np.argsort([common(slots) for slots in addresses], kind="stable")
    rows = np.unique(np.concatenate([rows[: count // 2], np.linspace(0, len(rows) - 1, count // 2).astype(int)]))
    found = [exact_pixels(exact, view, addresses[row]) for row in rows]
    return max(math.hypot(x - cut.x[row], y - cut.y[row]) for row, (x, y) in zip(rows, found, strict=True))


@pytest.mark.parametrize("level", [3, 40, 100, 300])
def test_cells_of_koch_lie_where_rationals_have_them(scenes, level):
    random = np.random.default_rng(level)
    for z in (4.0, 60.0, 900.0):
        anchor = format_address(random.integers(0, 4, level).tolist())
        view = seen_from(scenes["koch"], anchor, p=tuple(random.uniform(-0.3, 0.3, 2).tolist()), z=z)
        cut = scenes["koch"].cut(view)
        assert len(cut) > 10
        assert error_of(scenes["koch"], view, cut) < 0.5


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 0.8), st.integers(2, 4), st.integers(0, 300), st.floats(0.5, 3.2))
def test_cells_of_random_maps_lie_where_rationals_have_them(seed, factor, arity, level, size):
    scene = Scene.of(random_maps(seed, arity=arity, dimension=2, factor=factor))
    anchor = format_address(np.random.default_rng(seed).integers(0, arity, level).tolist())
    view = seen_from(scene, anchor, z=10**size)
    cut = scene.cut(view, cap=5000)
    assert len(cut) > 0
    assert error_of(scene, view, cut, count=10) < 0.5


@pytest.mark.parametrize("name", ["koch", "fern", "dragon", "sierpinski"])
def test_every_cell_that_lies_in_the_view_is_drawn_or_stands_below_one_that_is(scenes, name):
    """Held against all cells of a level, wherever they are."""
    scene, depth = scenes[name], {"fern": 7, "koch": 7, "sierpinski": 8, "dragon": 12}[name]
    arity = scene.field.arity
    all_slots = np.stack(np.unravel_index(np.arange(arity**depth), (arity,) * depth), axis=1)
    center, random = scene.field.cells(all_slots).center - scene.field.cells(["/"]).center, np.random.default_rng(1)
    for zoom in (1.0, 3.0, 9.0):
        middle = center[random.integers(len(center))]
        view = View("/", tuple(middle.tolist()), at_home(scene, z=zoom).z, *SIZE)
        px = 4.0
        cut = scene.cut(view, margin=1.0, px=px)
        drawn = set(cut.addresses())
        assert len(drawn) == len(cut) > 1
        pixels = np.abs((center - middle) * view.z)
        inside = np.flatnonzero((pixels[:, 0] < SIZE[0] / 2) & (pixels[:, 1] < SIZE[1] / 2))
        shallow = [address for address in drawn if level_of(address) <= depth]
        by_level = {level: {address for address in shallow if level_of(address) == level} for level in range(depth + 1)}
        deeper = {format_address(parse_address(address)[:depth]) for address in drawn - set(shallow)}
        for row in inside[:: max(1, len(inside) // 100)]:
            slots = all_slots[row].tolist()
            above = [level for level in range(depth + 1) if format_address(slots[:level]) in by_level[level]]
            assert len(above) <= 1, "a cell and one below it are both drawn"
            address = format_address(slots)
            assert above or address in deeper or not _reaches(scene, address, view), address


def _reaches(scene, address, view):
    """Whether anything far below a cell lies in the view, but for those that part from it where nobody looks."""
    found = scene.field.below(address, 5 if scene.field.arity > 2 else 9)
    pixels = np.abs((found.center - scene.field.cells(["/"]).center - np.array(view.p)) * view.z)
    deepest = found.level == found.level.max()
    return bool(((pixels[:, 0] < view.width / 2) & (pixels[:, 1] < view.height / 2) & deepest).any())


def test_cells_are_in_the_order_of_their_addresses_and_come_back_from_bytes(scenes):
    for name, scene in scenes.items():
        cut = scene.cut(at_home(scene), px=2.0)
        addresses = [parse_address(address) for address in cut.addresses()]
        assert addresses == sorted(set(addresses)), name
        assert [len(slots) for slots in addresses] == cut.level.tolist()
        raw = cut.to_bytes()
        assert len(raw) / len(cut) < 21
        back = Cut.from_bytes(raw)
        assert back.header == cut.header
        assert back.addresses() == cut.addresses()
        for column in ("x", "y", "r", "value", "level", "common", "slots"):
            assert np.array_equal(getattr(back, column), getattr(cut, column))
        size = int.from_bytes(raw[:4], "little")
        assert (4 + size) % 8 == 0


def test_a_cell_takes_at_most_twenty_bytes(scenes):
    for name, px in (("koch", 0.05), ("dragon", 0.6), ("sierpinski", 0.8)):
        cut = scenes[name].cut(at_home(scenes[name]), px=px, cap=2_000_000)
        assert len(cut) > 19_000
        assert len(cut.to_bytes()) <= 20 * len(cut)


def test_the_largest_are_split_first_where_there_are_too_many(scenes):
    scene = scenes["fern"]
    view = at_home(scene)
    whole, few = scene.cut(view, px=3.0), scene.cut(view, px=3.0, cap=3000)
    assert whole.header["coarse"] == 0
    assert 1000 < len(few) <= 3000
    assert 0 < few.header["coarse"] <= len(few)
    ends = {address + "/" for address in few.addresses()}
    assert all(any(f"{address}/".startswith(end) for end in _heads(address)) for address in whole.addresses()[::50] if ends)
    split = {format_address(slots[:-1]) for slots in map(parse_address, few.addresses()) if slots}
    assert split.isdisjoint(few.addresses())


@pytest.mark.parametrize("seed", range(3))
def test_cells_that_shrink_slowly_end_at_the_cap_as_others_do(seed):
    """By 1/10 a level: all of a level's reaches are far above the pixels asked for when the cap is full."""
    scene, levels = Scene.of(Design(arity=4, dimension=2, scale_factor=0.9, seed=seed)), []

    def gone():
        levels.append(1)
        return len(levels) > 10  # a million cells at least

    cut = scene.cut(View("/", (0.0, 0.0), 20.0, *SIZE), px=4.0, cap=4000, gone=gone)
    assert 100 < len(cut) <= 4000
    assert cut.header["coarse"] == len(cut)


def test_what_nobody_waits_for_any_more_is_not_gone_on_with(scenes):
    asked = []

    def gone():
        asked.append(1)
        return len(asked) == 3

    with pytest.raises(GoneError):
        scenes["koch"].cut(at_home(scenes["koch"]), gone=gone)
    assert len(asked) == 3
    assert len(scenes["koch"].cut(at_home(scenes["koch"]))) > 0


def _heads(address):
    slots = parse_address(address)
    return [format_address(slots[:level]).rstrip("/") + "/" for level in range(len(slots) + 1)]


def test_a_family_beyond_the_cap_is_shown_all_the_same():
    scene = Scene.of(random_maps(1, arity=300, dimension=2, factor=0.2))
    cut = scene.cut(at_home(scene), cap=100)
    assert len(cut) == 300


def test_zooming_in_for_45_levels_and_back_shows_the_same(scenes):
    """As a page does it: about a pixel, taking over the frame of each answer."""
    scene, random = scenes["koch"], np.random.default_rng(3)
    first = view = at_home(scene)
    steps = math.ceil(45 * math.log(3) / math.log(FACTOR))
    target, pixels = scene.cut(view), []
    for _ in range(steps):
        cut = scene.cut(view, px=8.0)
        view = replace(view, anchor=cut.header["anchor"], p=tuple(cut.header["p"]), z=cut.header["z"])
        there = np.hypot(cut.x, cut.y).argmin()
        pixel = (float(cut.x[there]) + random.uniform(-9, 9), float(cut.y[there]) + random.uniform(-9, 9))
        pixels.append(pixel)
        view = zoomed(view, FACTOR, pixel)
    assert len(parse_address(view.anchor)) >= 43
    for pixel in reversed(pixels):
        view = zoomed(view, 1 / FACTOR, pixel)
        cut = scene.cut(view, px=8.0)
        assert len(cut) > 3
        view = replace(view, anchor=cut.header["anchor"], p=tuple(cut.header["p"]), z=cut.header["z"])
    assert view.anchor == first.anchor == "/"
    assert np.abs(np.subtract(view.p, first.p)).max() * first.z < 1e-9
    assert abs(view.z / first.z - 1) < 1e-9
    again = scene.cut(view)
    assert again.addresses() == target.addresses()


def zoomed(view, factor, pixel):
    """A view zoomed about a pixel."""
    x, y = pixel
    change = (1 / view.z) * (1 - 1 / factor)
    return replace(view, p=(view.p[0] + x * change, view.p[1] - y * change), z=view.z * factor)


def test_frames_do_not_change_what_is_seen(scenes):
    """The frame that an answer names shows the same cells at the same pixels."""
    scene = scenes["fern"]
    view = at_home(scene, z=4.0)
    for _ in range(8):
        cut = scene.cut(view, cap=10_000)
        other = replace(view, anchor=cut.header["anchor"], p=tuple(cut.header["p"]), z=cut.header["z"])
        again = scene.cut(other, cap=10_000)
        assert again.addresses() == cut.addresses()
        assert np.abs(again.x - cut.x).max() < 1e-3
        there = np.hypot(cut.x, cut.y).argmin()
        view = zoomed(other, 2.5, (float(cut.x[there]), float(cut.y[there])))


def test_what_no_digit_tells_is_said(scenes):
    """Where two halves of the curve touch, a hundred levels down, one of them is out of reach of double precision."""
    scene = scenes["koch"]
    inside = scene.cut(seen_from(scene, "/0" + "/1" * 100))
    assert inside.header["left_out"] is None
    end = "/0" + "/3" * 100
    close = scene.cut(seen_from(scene, end, z=100.0))
    assert "double precision" in close.header["left_out"]
    assert all(address.startswith("/0" + "/3" * 70) for address in close.addresses())
    nearby = scene.cut(seen_from(scene, "/0" + "/3" * 12, z=100.0))
    assert nearby.header["left_out"] is None
    assert any(address.startswith("/1/0/0") for address in nearby.addresses())
    nowhere = scene.cut(seen_from(scene, "/0", p=(3.0, 3.0), z=1e20))
    assert len(nowhere) == 0
    assert "zoom out" in nowhere.header["left_out"]


def test_stored_cells_and_the_rule_below_them_look_like_the_rule(scenes):
    stored = Scene.of(sources.ifs(id="stored", maps="koch", depth=3))
    for view in (at_home(scenes["koch"]), seen_from(None, "/1/2/0/3/3", z=500.0), seen_from(None, "/1/2", z=500.0)):
        ours, theirs = stored.cut(view, color="stored", px=2.0), scenes["koch"].cut(view, px=2.0)
        small = sum(address.count("/") < 4 for address in ours.addresses())
        assert ours.header["stored"] == np.count_nonzero(ours.value == 0) == small
        place = dict(zip(theirs.addresses(), np.stack([theirs.x, theirs.y], axis=1).tolist(), strict=True))
        both = [(place[address], row) for row, address in enumerate(ours.addresses()) if address in place]
        assert len(both) > 0.9 * len(ours)
        assert max(math.dist(one, (ours.x[row], ours.y[row])) for one, row in both) < 1e-3


def test_places_are_where_the_cut_has_them(scenes):
    scene = scenes["fern"]
    view = seen_from(scene, "/1/1/1/1/2", z=200.0)
    cut = scene.cut(view, cap=2000)
    addresses = cut.addresses()
    x, y, _ = scene.place(view, [*addresses[:50], "/9", "nothing"])
    assert np.abs(x[:50] - cut.x[:50]).max() < 1e-3
    assert np.abs(y[:50] - cut.y[:50]).max() < 1e-3
    assert np.isnan(x[50:]).all()
    deep = "/0" + "/3" * 100
    assert np.isnan(scenes["koch"].place(seen_from(None, deep), ["/1"])[0]).all()


def test_a_generator_is_seen_in_its_main_axes():
    scene = Scene.of(Design(arity=3, dimension=5, scale_factor=0.4, seed=1))
    view = at_home(scene)
    main = scene.cut(view)
    columns = scene.cut(view, axes={"kind": "columns", "columns": [3, 1]})
    directions = [[0, 0, 0, 2, 0], [0, 1, 0, 1, 0]]
    turned = scene.cut(view, axes={"kind": "directions", "directions": directions})
    assert min(len(main), len(columns)) > 10
    center = field(Design(arity=3, dimension=5, scale_factor=0.4, seed=1)).cells(columns.addresses()).center
    moved = center - scene.field.cells(["/"]).center
    assert np.allclose(columns.x, (moved[:, 3] - view.p[0]) * view.z, atol=1e-3)
    assert np.allclose(columns.y, -(moved[:, 1] - view.p[1]) * view.z, atol=1e-3)
    assert turned.addresses() == columns.addresses()
    assert np.allclose(turned.x, columns.x, atol=1e-3)
    basis = scene.plane(None).basis
    assert np.allclose(basis.T @ basis, np.eye(2))


WRONG_AXES = [
    {"kind": "columns", "columns": [0, 0]},
    {"kind": "columns", "columns": [0, 9]},
    {"kind": "columns"},
    {"kind": "directions", "directions": [[1, 0, 0], [2, 0, 0]]},
    {"kind": "directions", "directions": [[0, 0, 0], [2, 0, 0]]},
    {"kind": "directions", "directions": "north"},
    {"kind": "up"},
    "main",
]


@pytest.mark.parametrize("axes", WRONG_AXES, ids=str)
def test_what_is_no_plane_is_refused(axes):
    scene = Scene.of(Design(arity=2, dimension=3, scale_factor=0.4, seed=1))
    with pytest.raises(InputError, match="expected"):
        scene.cut(at_home(scene), axes=axes)


def test_what_is_no_view_is_refused(scenes):
    good = {"anchor": "/", "p": [0, 0], "z": 1, "width": 10, "height": 10}
    assert View.of(good) == View("/", (0.0, 0.0), 1.0, 10.0, 10.0)
    wrong = ({"z": 0}, {"z": math.inf}, {"p": [0]}, {"p": [0, math.nan]}, {"width": 0}, {"height": 1e9}, {"anchor": 3})
    for changed in (*wrong, {"anchor": "up"}, {"p": "ab"}):
        with pytest.raises(InputError, match="expected"):
            View.of({**good, **changed})
    with pytest.raises(InputError, match="expected a view"):
        View.of({"anchor": "/"})
    with pytest.raises(AddressError):
        scenes["koch"].cut(seen_from(None, "/7"))
    with pytest.raises(InputError, match="too deep"):
        scenes["koch"].cut(seen_from(None, "/1" * 700))
    view = at_home(scenes["koch"])
    for options in ({"cap": 0}, {"px": 0}, {"margin": 0.5}, {"margin": 9}, {"color": "blue"}, {"cap": 10**9}):
        with pytest.raises(InputError, match="expected"):
            scenes["koch"].cut(view, **options)


@settings(max_examples=4, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.floats(0.1, 0.9), st.integers(0, 10**6), st.integers(0, 3), st.floats(0.1, 30))
def test_generators_are_cut_whole(arity, dimension, factor, seed, depth, zoom):
    """Whatever is stored of it, the cells stand in order, none above another."""
    design = {"arity": arity, "dimension": dimension, "scale_factor": factor, "seed": seed}
    scenes = [Scene.of(Design(**design)), Scene.of(sources.cfg(id="it", depth=depth, **design))]
    for scene in scenes:
        cut = scene.cut(at_home(scene, z=zoom), px=6.0, cap=500)
        addresses = cut.addresses()
        assert [parse_address(address) for address in addresses] == sorted({parse_address(address) for address in addresses})
        heads = {head for address in addresses for head in _heads(address)[:-1]}
        assert heads.isdisjoint(address.rstrip("/") + "/" for address in addresses)
        assert np.isfinite(cut.x).all()
        assert np.isfinite(cut.y).all()


@pytest.mark.slow("ten million points of the chaos game")
def test_no_tip_of_the_fern_is_missing_at_home(scenes):
    """Every pixel that the chaos game visits is near a cell that is drawn, and cells are drawn nowhere else."""
    scene, side = scenes["fern"], 700
    home = scene.home
    view = replace(home, z=home.z * side, width=float(side), height=float(side))
    cut = scene.cut(view, px=2.0, cap=400_000)
    assert cut.header["coarse"] == 0
    pixels = chaos_pixels(scene, view, side=side, walkers=100_000, steps=100)
    drawn = np.zeros((side, side), dtype=np.bool_)
    x, y = (np.floor(value + side / 2).astype(int) for value in (cut.x, cut.y))
    inside = (x >= 0) & (x < side) & (y >= 0) & (y < side)
    drawn[y[inside], x[inside]] = True
    assert pixels.sum() > 20_000
    assert not (pixels & ~_near(drawn, 3)).any(), "a place that the chaos game visits is empty"
    assert np.count_nonzero(drawn & ~_near(pixels, 4)) <= 0.01 * drawn.sum()
    edges = np.argwhere(pixels)
    assert edges.min() < side * 0.06
    assert edges.max() > side * 0.94


def chaos_pixels(scene, view, *, side, walkers, steps):
    """The pixels that ten million points of a chaos game fall into, each walker after some steps of its own."""
    maps, random = read_maps("fern"), np.random.default_rng(0)
    area = np.maximum(np.abs(np.linalg.det(maps.matrix)), 0.01)
    point, pixels = np.zeros((walkers, 2)), np.zeros((side, side), dtype=np.bool_)
    root = scene.field.cells(["/"]).center[0]
    for step in range(steps + 30):
        slot = random.choice(len(area), size=walkers, p=area / area.sum())
        point = np.einsum("nij,nj->ni", maps.matrix[slot], point) + maps.offset[slot]
        if step >= 30:
            x, y = np.floor(((point - root - np.array(view.p)) * view.z * [1, -1]).T + side / 2).astype(int)
            inside = (x >= 0) & (x < side) & (y >= 0) & (y < side)
            assert inside.all()
            pixels[y, x] = True
    return pixels


def _near(mask, distance):
    """Pixels that are at most so far from one of a mask's, in either direction."""
    found = mask.copy()
    for _ in range(distance):
        grown = found.copy()
        grown[1:] |= found[:-1]
        grown[:-1] |= found[1:]
        grown[:, 1:] |= grown[:, :-1].copy()
        grown[:, :-1] |= grown[:, 1:].copy()
        found = grown
    return found
