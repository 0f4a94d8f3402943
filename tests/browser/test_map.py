"""The explorer's map in a real Chromium: what is drawn, by either renderer, hundreds of levels down and back."""

import math
import re

import numpy as np
import pytest

from cfgraph import sources
from tests.browser.looking import share_near, until

slow = pytest.mark.slow("a real browser that draws in software")


def test_cells_are_drawn(look):
    """Koch's curve is drawn without a GPU: the renderer says its name, and the page that nothing is left out."""
    page = look("id=koch")
    assert page.page.locator("#stage").get_attribute("data-renderer") == "pixels"
    lit = page.lit()
    rows, columns = np.nonzero(lit)
    assert lit.sum() > 1_500
    assert np.ptp(columns) > 2.5 * np.ptp(rows) > 100  # it lies
    assert re.match(r"\d,\d{3} cells drawn, .* Nothing is left out\.", page.text("#told"))
    assert "token" not in page.page.url
    assert page.page.title() == "koch – cfgraph"


@slow
@pytest.mark.parametrize("id", ["koch", "fern"])
def test_renderers_agree(look, id):
    """WebGL2 and pixels light the same pixels, within two."""
    seen = {}
    for name in ("pixels", "webgl"):
        page = look(f"id={id}&renderer={name}&px=3", renderer=name)
        assert page.page.locator("#stage").get_attribute("data-renderer") == name
        page.do("+", "ArrowLeft", "+")
        seen[name] = page.lit()
    assert min(lit.sum() for lit in seen.values()) > 1_500
    assert share_near(seen["pixels"], seen["webgl"]) > 0.99
    assert share_near(seen["webgl"], seen["pixels"]) > 0.99


@slow
def test_software_is_no_gpu(look):
    """A WebGL2 that is drawn in software is told by its name, and the other renderer taken."""
    page = look("id=koch", renderer="webgl")
    assert page.page.evaluate("() => document.createElement('canvas').getContext('webgl2') !== null")
    assert page.page.locator("#stage").get_attribute("data-renderer") == "pixels"
    assert page.lit().sum() > 1_500


def in_root(link, koch):
    """Where the middle of a view lies, and log of its zoom, in units of the root."""
    row = koch.cells.addresses.index(link["at"])
    p = np.array([float(number) for number in link["p"].split(",")])
    return koch.cells.center[row] + koch.cells.scale[row] * p, math.log(float(link["z"]) / koch.cells.scale[row])


@slow
def test_45_levels_in_and_back(look):
    """Closer by 3^45 where the curve is, and the same steps back: the same view to a billionth."""
    koch = sources.ifs("koch", depth=4)
    page = look("id=koch&px=3")
    stage = page.page.locator("#stage").bounding_box()
    middle = (round(stage["x"] + stage["width"] / 2), round(stage["y"] + stage["height"] / 2))
    until(lambda: page.link.get("z"), "a link")
    before, steps = page.link, []

    def turn(x, y, by):
        answers = page.answers
        page.page.mouse.move(x, y)
        page.page.mouse.wheel(0, by)
        page.page.mouse.wheel(0, by)
        page.settle(answers + 1)

    while len(steps) < 47:
        rows, columns = np.nonzero(page.lit())
        assert len(rows) > 100, f"nothing is seen after {len(steps)} steps"
        at = np.argmin(np.hypot(rows - stage["height"] / 2, columns - stage["width"] / 2))
        steps.append((int(stage["x"] + columns[at]), int(stage["y"] + rows[at])))
        turn(*steps[-1], -240)
    assert re.search(r"zoom × [\d.]+ × 10²[¹²]", page.text(".numbers")), page.text(".numbers")
    until(lambda: page.link["at"].count("/") > 40, "the link of a deep view")
    for x, y in reversed(steps):
        turn(x, y, 240)
    page.page.mouse.move(*middle)
    page.page.wait_for_timeout(1_000)  # the link is written when nothing has moved for a moment
    until(lambda: page.link["at"].count("/") < 5, "the link of the last view")
    (was, zoom_was), (now, zoom_now) = in_root(before, koch), in_root(page.link, koch)
    assert np.abs(now - was).max() < 1e-9
    assert abs(zoom_now - zoom_was) < 1e-9


@slow
def test_level_300_and_home(look):
    """A link to a cell 300 levels down is drawn, told in levels and powers of ten, and home is one key away."""
    address = "/" + "/".join(["1", "2", "0", "3"] * 75)
    page = look(f"id=koch&at={address}&p=0,0&z=0.9&select={address}")
    assert page.lit().sum() > 1_000
    assert "10¹⁴³" in page.text(".numbers")
    assert re.search(r"level(s)? 30\d", page.text(".numbers"))
    assert "levels" in page.text("#crumbs")
    until(lambda: "level 300" in page.text("#panel-cell"), "the cell's panel")
    page.do("h")
    until(lambda: page.link["at"] == "/", "home")
    assert "zoom × 1\n" in page.text(".numbers") + "\n"
    page.page.go_back()
    until(lambda: page.link["at"] == address, "the view before")


def chaos(points=10_000_000, walkers=20_000):
    """Points of Barnsley's fern by the chaos game."""
    chance, random = np.array([0.01, 0.86, 0.93, 1.0]), np.random.default_rng(5)
    turn = np.array(
        [[[0, 0], [0, 0.16]], [[0.85, 0.04], [-0.04, 0.85]], [[0.2, -0.26], [0.23, 0.22]], [[-0.15, 0.28], [0.26, 0.24]]]
    )
    shift = np.array([[0, 0], [0, 1.6], [0, 1.6], [0, 0.44]])
    place = np.zeros((walkers, 2))
    for step in range(points // walkers + 40):
        which = np.searchsorted(chance, random.random(walkers), side="right")
        place = np.einsum("nij,nj->ni", turn[which], place) + shift[which]
        if step >= 40:
            yield place


@slow
def test_no_tip_of_the_fern_is_missing(look):
    """At home every pixel that the chaos game lights in ten million steps has a cell beside it, and the other way round."""
    page = look("id=fern&px=3")
    until(lambda: page.link.get("z"), "a link")
    lit = page.lit()
    fern = sources.ifs("fern", depth=1)
    center, z = in_root(page.link, fern)
    z = math.exp(z) * min(lit.shape)
    wanted = np.zeros(lit.shape, dtype=bool)
    for place in chaos():
        x = np.round((place[:, 0] - center[0]) * z + lit.shape[1] / 2).astype(int)
        y = np.round(lit.shape[0] / 2 - (place[:, 1] - center[1]) * z).astype(int)
        inside = (x >= 0) & (x < lit.shape[1]) & (y >= 0) & (y < lit.shape[0])
        assert inside.mean() > 0.999
        wanted[y[inside], x[inside]] = True
    assert wanted.sum() > 20_000
    assert share_near(wanted, lit, pixels=4) == 1.0  # three, and what rounding to pixels adds
    assert share_near(lit, wanted, pixels=4) > 0.99


@slow
def test_what_is_not_shown_is_said(look):
    """Beyond the limit of dots the page says how many cells are not split."""
    page = look("id=fern&px=1&cap=5000")
    assert re.search(r"cells are larger and not split: 5,000 dots are the limit", page.text("#told"))
    assert "Nothing is left out" not in page.text("#told")


@slow
def test_trees_beside_the_map(look):
    """Icicle and radial tree show the cut; what is selected in one is selected everywhere."""
    page = look("id=koch&trees=icicle,radial")
    icicle, radial = (page.page.locator(f'[data-tree="{kind}"]') for kind in ("icicle", "radial"))
    for tree in (icicle, radial):
        shot = np.frombuffer(tree.screenshot(type="png"), dtype=np.uint8)
        assert len(shot) > 4_000
    box = icicle.bounding_box()
    icicle.click(position={"x": box["width"] * 0.3, "y": 60})  # the second row
    until(lambda: "level 1" in page.text("#panel-cell"), "the panel of a cell")
    assert page.text("#panel-cell h2") == "/1"
    page.do("d")
    until(lambda: page.text("#panel-cell h2") == "/1/0", "its child")
    page.do("n", "u", "n")
    until(lambda: page.text("#panel-cell h2") == "/2", "the next one")
    until(lambda: page.link.get("select") == "/2", "the link")


@slow
def test_two_side_by_side(look):
    """Two hierarchies on one canvas: both halves are lit, colored by displacement; the worst cells are one click away."""
    page = look("id=koch&beside=koch off")
    lit = page.lit()
    half = lit.shape[1] // 2
    assert min(lit[:, : half - 2].sum(), lit[:, half + 2 :].sum()) > 500
    assert page.page.locator("#color").input_value() == "displacement"
    worst = page.page.locator("#panel-beside .list button")
    until(lambda: worst.count() > 3, "the worst cells")
    address = worst.first.inner_text()
    worst.first.click()
    until(lambda: page.link.get("select") == address, "to the worst cell")
    until(lambda: "in its scale" in page.text("#panel-cell"), "how far it is off")
