"""The explorer's page: keys alone, names of anybody's making, safety, accessibility, errors, what is taken away."""

import csv
import os
import random
import re
import subprocess
import sys
from io import BytesIO
from urllib.parse import quote

import numpy as np
import psutil
import pytest

from tests.browser.looking import pixels_of, until
from tests.browser.shown import HOSTILE, IMAGE, SCRIPT

slow = pytest.mark.slow("a real browser that draws in software")
WARM = (255, 176, 122)  # of lines and rings about what was found, on the dark page
ACTIONS = int(os.environ.get("CFGRAPH_EXPLORER_ACTIONS", "1000"))  # two minutes; 2,000 take four
RISE = {"heap": 15, "nodes": 5_000, "renderer": 150, "server": 60}  # megabytes but for nodes: what chance makes of it
SEED = int(os.environ.get("CFGRAPH_EXPLORER_SEED", "1"))


@slow
def test_by_keys_alone(look):
    """Every view is reached without a mouse, and what has the focus is seen."""
    page = look("id=koch")
    keyboard, focused = page.page.keyboard, lambda name: page.page.evaluate(f"() => document.activeElement.{name}")
    keyboard.press("Tab")
    assert focused("id") == "skip"
    keyboard.press("Enter")
    assert focused("id") == "stage"
    assert page.page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.do("+", "ArrowUp", "ArrowDown", "-", "Enter")
    until(lambda: page.link.get("select"), "what was in the middle is selected")
    until(lambda: "Where it is" in page.text("#panel-cell"), "its panel")
    page.do("g")
    until(lambda: page.link["at"] == page.link["select"], "there")
    page.do("[")
    until(lambda: page.link["at"] == "/", "the view before")
    page.do("i", "r")
    assert page.page.locator("#trees > div").count() == 2
    page.do("c")
    assert page.page.locator("#color").input_value() == "level"
    keyboard.press("/")
    keyboard.type("/1/2/0")
    keyboard.press("Enter")
    until(lambda: page.link.get("select") == "/1/2/0", "what was found")
    keyboard.press("Escape")
    keyboard.press("?")
    assert "select what is in the middle" in page.text("#help")
    keyboard.press("Escape")
    keyboard.press("t")
    assert page.page.evaluate("() => document.documentElement.dataset.theme") == "light"
    keyboard.press("o")
    until(lambda: "fern" in page.text("#library"), "the list")
    keyboard.type("fern")
    keyboard.press("Tab")
    keyboard.press("Tab")
    keyboard.press("Enter")
    until(lambda: page.link.get("id") == "fern", "another hierarchy")
    page.settle()


def near(page, color):
    """How many pixels of the map have a color."""
    return int((np.abs(pixels_of(page.shot()) - color).max(axis=2) < 12).sum())


@slow
def test_names_are_text(look):
    """Names that are markup, run from right to left or hold control characters are shown, and do nothing."""
    page = look("id=names&trees=icicle,radial&color=branch")
    body = page.page.locator("body")
    assert page.lit().sum() > 500
    page.page.locator("#panel-cell").press("o")
    until(lambda: "<b>bold<∕b> ‹202E› & 100%" in page.text("#library"), "an id as it is")
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("/")
    for sought, shown in (("<script", SCRIPT), ("onerror", IMAGE), ("right to", "‹202E›right to left"), ("1=1", "' OR 1=1 //")):
        page.page.locator("#panel-find input[type=search]").fill(sought)
        page.page.keyboard.press("Enter")
        until(lambda shown=shown: shown in page.text("#panel-find .list") or shown in page.text("#panel-cell h2"), shown)
        until(lambda shown=shown: page.text("#panel-cell h2") == shown, shown)
        page.page.locator("#tab-find").click()
    assert body.locator("script, b, img[src='x']").count() == 0
    page.open(f"id={quote(HOSTILE)}")
    assert page.text("#title") == "<b>bold<∕b> ‹202E› & 100%"
    assert "taken" not in page.page.title()


@slow
def test_a_color_that_all_have_is_one(look):
    """Stored cells of a rule are not off it: the legend has one color, not a scale from 0 to 0."""
    page = look("id=koch&color=error&px=30")
    assert page.text("#keys-of-color").split("\n") in (["0 everywhere"], ["0", "none"])
    assert page.page.locator("#keys-of-color .ramp").count() == 0
    page.page.locator("#color").select_option("level")
    until(lambda: page.link.get("color") == "level", "another color")
    page.rest()
    assert page.page.locator("#keys-of-color .ramp").count() == (1 if "to" in page.text("#level-told") else 0)


@slow
def test_several_parents_are_shown_for_what_they_are(look):
    """The panel says under which the cell is drawn; a dashed line leads to each other one."""
    page = look("id=parents&trees=icicle")
    before = near(page, WARM)
    page.page.keyboard.press("/")
    page.page.keyboard.type("low")
    page.page.keyboard.press("Enter")
    until(lambda: page.text("#panel-cell h2") == "low", "the cell")
    assert "2 cells above it" in page.text("#panel-cell")
    above = page.page.locator("#panel-cell .list").first.inner_text()
    assert re.search(r"(middle|other)\s+it is drawn here\s+(middle|other)\s+also here", above)
    page.page.keyboard.press("Escape")  # of the search's ring
    page.page.keyboard.press("m")
    page.do("h")
    until(lambda: near(page, WARM) > before + 30, "a line, and its end")
    page.do("u")
    until(lambda: near(page, WARM) <= before + 10, "none of the cell above it")


@slow
def test_two_trees_are_linked_by_name(look):
    """Both maps look at the cell of one name, wherever it lies; what is selected in either is marked in both."""
    page = look("id=names&beside=names moved&trees=icicle")
    asked = []
    page.page.on("request", lambda one: asked.append(one.post_data_json) if one.url.endswith("/api/cut") else None)
    assert "of the same name" in page.text("#panel-beside")
    page.page.keyboard.press("/")
    page.page.keyboard.type("ferns")
    page.page.keyboard.press("Enter")
    until(lambda: page.link.get("select") == "/0/0", "the cell")
    page.rest()
    looked = {(one["id"], one["view"]["anchor"]) for one in asked}
    assert ("names", "/0/0") in looked
    assert asked[-1]["view"]["anchor"] == "/2/2"
    assert {anchor for id, anchor in looked if id == "names moved"} == {"/2/2"}
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("m")
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("Escape")
    until(lambda: "select" not in page.link, "nothing is selected")
    stage = page.page.locator("#stage").bounding_box()
    page.page.mouse.click(stage["x"] + 0.75 * stage["width"], stage["y"] + 0.5 * stage["height"])
    until(lambda: page.link.get("select") == "/0/0", "its partner")
    until(lambda: "there it is" in page.text("#panel-cell"), "where it is in the other")


@slow
def test_safety_in_a_browser(look, explorer):
    """A name that was turned to this machine, another page and one without the token get nothing."""
    page = look()
    port = re.search(r":(\d+)/", explorer)[1]
    assert page.page.goto(f"http://rebound.example:{port}/#token={page.token}&id=koch").status == 421
    assert page.page.locator("#stage").count() == 0
    page.complaints.clear()  # the browser told of the refusal
    page.asked.clear()
    page.page.goto(f"{page.origin}/#id=koch")
    until(lambda: "token" in page.text("#banner"), "the token is missing")
    assert page.text("#banner").count("open the address") == 1
    assert any("401" in told for told in page.complaints)
    page.complaints.clear()
    page.open("id=koch")
    assert "token" not in page.page.url
    policy = "default-src 'none'"
    assert policy in page.page.request.get(f"{page.origin}/").headers["content-security-policy"]
    refused = page.page.evaluate("() => { try { document.body.innerHTML = '<p>x</p>'; return false; } catch { return true; } }")
    assert refused
    page.complaints.clear()  # of the policy, which held
    assert page.page.reload().ok  # the token is kept for this tab
    page.settle()


@slow
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_accessible(look, scheme):
    """axe finds nothing serious; the policy is set aside for its script, in this test alone."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = look("id=names&trees=icicle,radial&select=/0", color_scheme=scheme, bypass_csp=True)
    until(lambda: "Where it is" in page.text("#panel-cell"), "a panel")

    def serious():
        found = axe.Axe().run(page.page).response["violations"]
        return [
            (one["id"], [node["html"][:120] for node in one["nodes"]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]

    assert serious() == []
    for tab in ("find", "take"):
        page.page.locator(f"#tab-{tab}").click()
        assert serious() == []
    page.page.keyboard.press("?")
    assert serious() == []
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("o")
    until(lambda: "koch" in page.text("#library"), "the list")
    assert serious() == []
    page.page.keyboard.press("Escape")


def contrast(one, other):
    """How far two colors are apart, by WCAG: 1 for the same, 21 for black and white."""
    part = np.array([one, other]) / 255
    light = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
    return float((light.max() + 0.05) / (light.min() + 0.05))


@slow
@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("how", [{"contrast": "more"}, {"forced_colors": "active"}], ids=["contrast", "forced"])
@pytest.mark.parametrize("color", ["branch", "level"])
def test_high_contrast(look, scheme, how, color):
    """Cells can be seen, those that recede too; what is pressed, selected and under the keys' focus can be told."""
    page = look(f"id=fern&color={color}&trees=icicle&px=3", color_scheme=scheme, **how)
    ground = (0, 0, 0) if scheme == "dark" else (255, 255, 255)

    def colors():
        seen, count = np.unique(pixels_of(page.shot()).reshape(-1, 3), axis=0, return_counts=True)
        return [contrast(one, ground) for one in seen[count > 50] if tuple(one) != ground]

    assert len(colors()) >= (3 if color == "branch" else 8)
    assert min(colors()) > 3
    page.page.keyboard.press("m")
    page.page.keyboard.press("/")
    page.page.keyboard.type("/1/2")
    page.page.keyboard.press("Enter")
    until(lambda: page.link.get("select") == "/1/2", "a cell")
    page.page.keyboard.press("h") if page.page.evaluate("() => document.activeElement.id === 'stage'") else None
    page.rest()
    assert min(colors()) > 1.8
    style = "(one) => { const it = getComputedStyle(one); return [it.color, it.borderColor, it.backgroundColor].join(); }"
    icicle, radial = (page.page.locator(f"[data-command={name}]") for name in ("icicle", "radial"))
    assert icicle.evaluate(style) != radial.evaluate(style)
    cell, find = page.page.locator("#tab-cell"), page.page.locator("#tab-find")
    assert cell.evaluate(style) != find.evaluate(style)


REACHED = """() => {
  const one = document.activeElement;
  const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(one);
  const again = window.reached.has(one);
  window.reached.add(one);
  const seen = one.checkVisibility() && outlineStyle !== "none" && parseFloat(outlineWidth) >= 1;
  const box = one.getBoundingClientRect();
  const inside = box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight;
  const name = `${one.tagName} ${one.id || one.className || one.textContent.slice(0, 30)}`;
  return [name, (seen && inside) || one === document.body, again && one !== document.body];
}"""
LEFT = """() => {
  const held = (one) => one.disabled || one.tabIndex < 0 || (one.type === "radio" && !one.checked);
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")];
  const there = all.filter((one) => one.checkVisibility() && !held(one) && !one.closest("dialog"));
  return there.filter((one) => !window.reached.has(one)).map((one) => one.outerHTML.slice(0, 120));
}"""


@slow
@pytest.mark.parametrize("words", ["id=koch&trees=icicle,radial&select=/1", "id=names&select=/0", "id=koch&beside=koch off"])
def test_every_control_is_reached_by_tab(look, words):
    """Tab alone comes to everything that can be pressed, chosen or typed into, and where it is can be seen."""
    page = look(words)
    if "select" in words:
        until(lambda: "Where it is" in page.text("#panel-cell"), "a panel")
    for tab in page.page.locator("#tabs [role=tab]:visible").all():
        tab.click()
        page.page.locator("#more-of-view").evaluate("(one) => { one.open = true; document.activeElement.blur(); }")
        page.rest()
        page.page.evaluate("() => { window.reached = new Set(); }")
        blind, again = [], False
        while not again:  # once round, the browser's own things between
            page.page.keyboard.press("Tab")
            name, seen, again = page.page.evaluate(REACHED)
            blind += [] if seen else [name]
        assert blind == []
        assert page.page.evaluate(LEFT) == []


@slow
def test_broken_links_say_what_is_there(look):
    """An id that is not there, an address that is not, and words that mean nothing."""
    page = look()
    page.page.goto(f"{page.origin}/#token={page.token}&id=gone")
    until(lambda: "there is no hierarchy 'gone'" in page.text("#library"), "what is there")
    assert "koch" in page.text("#library")
    page.complaints.clear()
    page.open("id=koch&at=/9/9/9&p=0,0&z=0.9")
    until(lambda: not page.page.locator("#banner").is_hidden(), "a word")
    page.settle()
    assert page.lit().sum() > 1_000
    page.complaints.clear()
    page.open("id=koch&at=nonsense&z=none")
    assert "all of it is shown" in page.text("#banner")
    assert page.lit().sum() > 1_000


PLACES = """(which) => [...document.querySelectorAll(which)].filter((one) => one.checkVisibility()).map((one) => {
  const text = document.createRange(); // the name of a half stands in a strip that is as high as the map
  text.selectNodeContents(one);
  return (one.closest("#heads") ? text : one).getBoundingClientRect().toJSON();
})"""


@slow
@pytest.mark.parametrize("size", [(1280, 800), (1024, 600), (390, 800)], ids=str)
@pytest.mark.parametrize("words", ["id=koch&trees=icicle", "id=koch&beside=koch off"])
def test_a_word_covers_nothing_but_the_map(look, words, size):
    """What is told of the whole page leaves tabs, controls, colors and names free, however narrow the window is."""
    page = look(f"{words}&at=nonsense&z=none", width=size[0], height=size[1])
    banner = page.page.locator("#banner")
    assert "all of it is shown" in banner.inner_text()
    word = banner.bounding_box()
    assert word["x"] >= 0
    assert word["x"] + word["width"] <= size[0]
    for box in page.page.evaluate(PLACES, ".bar, #side, #legend, .zoom, #measure, #heads span, #trees, .foot"):
        beside = word["x"] >= box["x"] + box["width"] or box["x"] >= word["x"] + word["width"]
        above = word["y"] >= box["y"] + box["height"] or box["y"] >= word["y"] + word["height"]
        assert beside or above, (word, box)
    banner.get_by_role("button", name="dismiss").click()
    assert banner.is_hidden()


@slow
def test_a_link_of_another_version_says_what_is_left_out(look):
    """Colors, axes, cells and words that are not there are named; the rest of the link holds."""
    axes = quote('{"kind":"columns","columns":[0,7]}')
    page = look(f"id=space&color=property:gone&axes={axes}&select=none&hue=3&at=/1&p=0,0&z=0.5")
    told = page.text("#banner")
    for word in ("hue", "color property:gone", "axes", "select none"):
        assert word in told, told
    until(lambda: page.link.get("at") == "/1", "the place that it names")
    assert page.lit().sum() > 1_000
    page.complaints.clear()  # the browser told of the axes


@slow
def test_a_server_that_ends_is_told(look, tmp_path):
    """The page says that the explorer does not answer, and goes on when it is there again."""
    import secrets

    token = secrets.token_urlsafe(16)

    def start(port):
        words = [sys.executable, "-m", "tests.browser.shown", token, str(port)]
        return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    with start(0) as first:
        address = first.stdout.readline().strip()
        page = look("id=koch", address=address)
        first.terminate()
    page.page.keyboard.press("m")
    page.page.keyboard.press("+")
    page.page.keyboard.press("+")
    until(lambda: "does not answer" in page.text("#banner"), "a word")
    with start(int(re.search(r":(\d+)/", address)[1])) as second:
        second.stdout.readline()
        until(lambda: page.page.locator("#banner").is_hidden(), "it goes on")
        page.settle()
        assert page.lit().sum() > 500
        assert page.complaints
        page.complaints.clear()  # of connections that were refused
        second.terminate()


@slow
def test_taken_away(look):
    """A picture of the size that was asked for, the figure, the numbers, and a link that knows no token."""
    from PIL import Image

    page = look("id=koch", accept_downloads=True)
    page.page.locator("#tab-take").click()
    place = page.page.locator("#panel-take")

    def taken(button):
        with page.page.expect_download() as waited:
            place.get_by_role("button", name=button, exact=True).click()
        return waited.value.path().read_bytes()

    place.get_by_label("Width in pixels").fill("1700")
    place.get_by_label("Height in pixels").fill("900")
    picture = Image.open(BytesIO(taken("save PNG")))
    assert picture.size == (1700, 900)
    assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 4
    assert b"<svg" in taken("SVG of this view")[:400]
    assert b"<svg" in taken("SVG of the whole")[:400]
    rows = list(csv.reader(taken("CSV").decode().splitlines()))
    assert "address" in rows[0]
    assert len(rows) > 100
    assert taken("Parquet")[:4] == b"PAR1"
    until(lambda: page.link.get("z"), "a link")
    assert set(page.link) >= {"id", "at", "p", "z", "color"}
    assert page.token not in page.page.url


@slow
def test_either_of_two_is_taken_away(look):
    """Numbers and figures are of the one that is chosen, under its name."""
    page = look("id=koch&beside=koch off", accept_downloads=True)
    page.page.locator("#tab-take").click()
    place = page.page.locator("#panel-take")
    seen = {}
    for id in ("koch", "koch off"):
        place.get_by_label("figure and numbers of").select_option(label=id)
        with page.page.expect_download() as waited:
            place.get_by_role("button", name="CSV", exact=True).click()
        assert waited.value.suggested_filename == f"{id.replace(' ', '-')}.csv"
        rows = list(csv.DictReader(waited.value.path().read_text().splitlines()))
        seen[id] = {row["address"]: float(row["center_0"]) for row in rows}
    assert seen["koch"].keys() & seen["koch off"].keys()
    assert seen["koch"] != seen["koch off"]


@slow
def test_names_are_on_the_picture(look):
    """A picture of named circles has their names and the circles that hold others, as the map has."""
    page = look("id=names", accept_downloads=True)
    page.page.locator("#tab-take").click()
    sizes = []
    for names in (True, False):
        page.page.locator("#more-of-view").evaluate("(one) => { one.open = true; }")
        page.page.locator("#labels").set_checked(names)
        with page.page.expect_download() as waited:
            page.page.get_by_role("button", name="save PNG").click()
        pixels = pixels_of(waited.value.path().read_bytes())
        sizes.append(int((np.abs(pixels - np.array([233, 231, 225])).max(axis=2) < 8).sum()))
    assert sizes[0] > sizes[1] + 1_000


@slow
def test_copying_says_so_for_a_moment(look):
    """The link, without the token, by a key; a button that is pressed twice has its own words again."""
    page = look("id=koch&select=/1", permissions=["clipboard-read", "clipboard-write"])
    until(lambda: "Where it is" in page.text("#panel-cell"), "the panel")
    told = page.page.locator("#told").inner_html()
    page.page.keyboard.press("m")
    page.page.keyboard.press("y")
    until(lambda: "was copied" in page.text("#banner"), "a word")
    link = page.page.evaluate("() => navigator.clipboard.readText()")
    assert link.startswith(f"{page.origin}/#id=koch&")
    assert page.token not in link
    assert page.page.locator("#told").inner_html() == told
    until(lambda: page.page.locator("#banner").is_hidden(), "it goes by itself")
    button = page.page.get_by_role("button", name="copy address")
    button.dblclick()
    until(lambda: page.page.get_by_role("button", name="copied").count(), "a word")
    until(lambda: button.count(), "its own words")
    assert page.page.evaluate("() => navigator.clipboard.readText()") == "/1"


@slow
def test_a_link_shows_the_same(look):
    """What the address bar says, opened elsewhere, is the same view; a smaller window shows the same place."""
    first = look("id=koch")
    first.do("m", "+", "+", "ArrowRight", "c")
    until(lambda: first.link.get("color") == "level" and first.link.get("z"), "the link")
    link = first.page.url.partition("#")[2]
    second = look(link)
    until(lambda: second.link.get("z"), "the link")
    assert {name: second.link[name] for name in ("at", "p", "z", "color")} == {
        name: first.link[name] for name in ("at", "p", "z", "color")
    }
    assert (second.lit() == first.lit()).mean() > 0.999


KEYS = [*"+-hgudnpirc.,t\\[]l/smqyob?0", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Enter", "Escape", "Tab"]
WORDS = ["/", "/1", "/1/2/0", "fern", "2", ">= 1", "name"]
CLICKED = """(share) => {
  const all = [...document.querySelectorAll("button, summary, input")].filter((one) => one.checkVisibility() && !one.disabled);
  const one = all[Math.floor(share * all.length)];
  if (one && !/save|SVG|CSV|Parquet/.test(one.textContent)) one.click();
}"""
CHOSEN = """(share) => {
  const all = [...document.querySelectorAll("select")].filter((one) => one.checkVisibility() && one.options.length);
  const one = all[Math.floor(share * all.length)];
  if (!one) return;
  one.selectedIndex = Math.floor(share * 9973) % one.options.length;
  one.dispatchEvent(new Event("change", { bubbles: true }));
}"""


def act(page, chance):
    """One action of somebody who tries everything."""
    kind = chance.random()
    x, y = chance.uniform(5, 1270), chance.uniform(50, 770)
    if kind < 0.40:
        page.page.keyboard.press("Escape")
        page.page.keyboard.press(chance.choice(KEYS))
    elif kind < 0.62:
        page.page.mouse.move(x, y)
        page.page.mouse.wheel(0, chance.choice([-240, -120, 120]))
    elif kind < 0.72:
        page.page.mouse.click(min(x, 880), y)
    elif kind < 0.76:
        page.page.mouse.dblclick(min(x, 880), max(y, 80))
    elif kind < 0.84:
        page.page.mouse.move(x, y)
        page.page.mouse.down()
        page.page.mouse.move(chance.uniform(5, 880), chance.uniform(60, 700), steps=3)
        page.page.mouse.up()
    elif kind < 0.90:
        page.page.evaluate(CLICKED, chance.random())
    elif kind < 0.94:
        page.page.evaluate(CHOSEN, chance.random())
    elif kind < 0.97:
        page.page.keyboard.press("Escape")
        page.page.keyboard.press("/")
        page.page.keyboard.type(chance.choice(WORDS))
        page.page.keyboard.press("Enter")
    elif kind < 0.98:
        page.page.reload()
    else:
        page.page.set_viewport_size({"width": chance.choice([700, 1000, 1280]), "height": chance.choice([500, 800])})


class Held:
    """How much the page and its server hold, as the actions go on: a row a look, with the columns of ``RISE``."""

    def __init__(self, page, server):
        self._page, self._server, self.seen = page, psutil.Process(server), []
        self._asked = page.page.context.new_cdp_session(page.page)
        self._asked.send("Performance.enable")

    def look(self):
        """Look once more: what is garbage is collected first."""
        self._page.rest()
        self._asked.send("HeapProfiler.collectGarbage")
        told = {one["name"]: one["value"] for one in self._asked.send("Performance.getMetrics")["metrics"]}
        drawing = [one for one in psutil.Process().children(recursive=True) if "--type=renderer" in one.cmdline()]
        renderer = max(one.memory_info().rss for one in drawing)  # arrays lie beside the heap
        sizes = (told["JSHeapUsedSize"], told["Nodes"] * 2**20, renderer, self._server.memory_info().rss)
        self.seen.append([round(size / 2**20, 1) for size in sizes])

    def rise(self):
        """How much more is held in the last third of the looks than in the second."""
        third = max(1, len(self.seen) // 3)
        more = np.median(self.seen[-third:], axis=0) - np.median(self.seen[third:-third] or self.seen[:1], axis=0)
        return dict(zip(RISE, more.tolist(), strict=True))


@slow
def test_random_actions(look, explorer_process):
    """Whatever one does, nothing is complained of, nothing grows, and at the end the page still draws.

    CFGRAPH_EXPLORER_SEED repeats it, CFGRAPH_EXPLORER_ACTIONS says how many.
    """
    chance = random.Random(SEED)
    page = look("id=koch")
    held = Held(page, explorer_process.pid)
    for action in range(ACTIONS):
        act(page, chance)
        assert page.complaints == [], f"seed {SEED}, action {action}: {page.refused[-3:]}"
        if page.page.locator("dialog[open]").count() and chance.random() < 0.7:
            page.page.keyboard.press("Escape")
        if action % max(1, ACTIONS // 24) == 0:
            held.look()
    page.page.set_viewport_size({"width": 1280, "height": 800})
    page.open("id=koch")
    page.page.keyboard.press("m")
    page.do("h")
    until(lambda: page.lit().sum() > 800, "the whole")
    print(*RISE, *held.seen, sep="\n")  # shown by -s
    rise = held.rise()
    assert {name for name, most in RISE.items() if rise[name] >= most} == set(), held.seen
