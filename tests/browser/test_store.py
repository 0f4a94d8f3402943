"""The explorer's page over a real store: growths and changes by others, Cypher, images, search; what goes away."""

import re
import signal
import threading
import time
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from scipy.cluster.hierarchy import linkage

import cfgraph
from cfgraph import sources
from cfgraph.exploring import asking
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.store import Store
from tests.browser.looking import pixels_of, until
from tests.faults.proxy import Proxy
from tests.grown import grown_hierarchy

pytestmark = pytest.mark.slow("a real browser that draws in software, over a real store")

WARM = (255, 176, 122)  # of rings about what was found, on the dark page
SLOW = "UNWIND range(1, 1000000000) AS a WITH a WHERE a % 999999999 = 5 RETURN count(a)"
BEINGS = """child\tparent\tmass
cats\tliving\t1.5\nlion\tcats\t190\ntiger\tcats\t220.5\ndogs\tliving\t1.5\nwolf\tdogs\t40
fox\tdogs\t6\ntrees\tliving\t2.5\noak\ttrees\t9000\n<b>elm\ttrees\t8000.25\n"""


@pytest.fixture
def explore(store, look, new_id):
    """Opens pages of the tests' store; they are closed before what they show is removed."""
    servers, pages = [], []

    def open_page(id, words="", *, of=store, images=None, **options):
        servers.append(cfgraph.explore(of, id, browser=False, images=images))
        pages.append(look(f"id={quote(id)}{words}", address=servers[-1].address, **options))
        return pages[-1]

    yield open_page
    for page in pages:
        page.page.goto("about:blank")
    for server in servers:
        server.close()


@pytest.fixture
def growing(store, new_id):
    """A copy of a hierarchy's first levels, and the id of a rule that grows it: to level 10 in a dozen of blocks."""
    truth = grown_hierarchy(new_id("truth"), arity=3, dimension=2, depth=4)
    store.write(truth)
    rule = store.write_predictor(train(truth, id=new_id("rule"), depth=3, family="recurrence"))
    copy = new_id("copy")
    rollout(store, truth.id, predictor=rule.id, copy_as=copy, from_depth=2, stop=Stop(depth=3))
    return copy, rule.id


@pytest.fixture
def tree(store, new_id, tmp_path):
    """An imported hierarchy whose cells have names and a property."""
    path = tmp_path / "living.tsv"
    path.write_text(BEINGS)
    return store.write(sources.edges(path, id=new_id("living"))).id


def drawn(page):
    """How many cells are drawn, and how many of these are stored, by what the page says."""
    told = page.text("#told")
    cells, held = (re.search(pattern, told) for pattern in (r"([\d,]+) cells? drawn", r"([\d,]+) of them stored"))
    count = number(cells[1])
    return count, number(held[1]) if held else 0 if "all by the rule" in told else count


def stored(page):
    """How many of the cells that are drawn are stored."""
    return drawn(page)[1]


def warm(page):
    """How many pixels of the map have the color of what was found."""
    return int((np.abs(pixels_of(page.shot()) - WARM).max(axis=2) < 12).sum())


def terms(page):
    """What the live panel tells, by its words."""
    rows = page.page.locator("#panel-live .terms > div")
    return dict(rows.evaluate_all("all => all.map((one) => [...one.children].map(({ textContent }) => textContent))"))


def number(text):
    """A number as the page writes it."""
    return int(text.replace(",", ""))


def test_a_growth_by_others_is_seen_as_it_goes_on(store, run, explore, growing):
    """Nobody asks for it: blocks in work, done, taken over, the speed, the time left; cells appear as they are written."""
    copy, rule = growing
    page = explore(copy, "&select=/1&at=/1&p=0,0&z=0.4")
    until(lambda: "Where it is" in page.text("#panel-cell"), "the panel")
    before = stored(page)
    assert page.page.locator("#tab-live").is_hidden()
    words = ["rollout", copy, "--predictor", rule, "--to-depth", 10, "--lease-seconds", 8, "--anyway"]
    first = run.start(*words)  # which is killed with a block in its hands
    until(lambda: store.leases(copy) or first.poll() is not None, "a lease")
    first.send_signal(signal.SIGKILL)
    first.communicate()
    until(lambda: page.page.locator("#tab-live").is_visible(), "the growth is seen")
    assert page.page.locator("#panel-cell").is_visible()  # it takes nothing out of anybody's hands
    assert page.link["select"] == "/1"
    pace = {"interrupted": lambda: bool(time.sleep(0.7))}
    how = {"predictor": rule, "to_depth": 10, "lease_seconds": 8.0, "anyway": True, "progress": False, **pace}
    second = threading.Thread(target=rollout, args=[store, copy], kwargs=how)
    second.start()
    try:
        page.page.locator("#tab-live").click()
        seen, counts = [], [before]
        while page.page.locator("#tab-live").is_visible():
            told = {
                **terms(page),
                "rate": "".join(page.page.locator("#panel-live .big").all_inner_texts()),
                "blocks": page.page.locator("#panel-live li").count(),
            }
            seen.append(told)
            counts.append(stored(page))
            time.sleep(0.2)
            assert len(seen) < 900, seen[-5:]
    finally:
        second.join()
    assert any(one["blocks"] >= 1 for one in seen)
    assert max(number(one.get("taken over", "0")) for one in seen) >= 1
    assert max(number(one.get("blocks done", "0")) for one in seen) >= 2
    rates = [re.fullmatch(r"([\d,]+) cells/s", one["rate"]) for one in seen]
    assert max(number(rate[1]) for rate in rates if rate) > 0
    assert any(re.fullmatch(r"\d+ s", one.get("time left", "")) for one in seen)
    left = [number(one["cells left"]) for one in seen if "cells left" in one]
    assert left[-1] < left[0]
    assert len(set(counts)) >= 3  # cells appeared, and more of them
    assert counts == sorted(counts)
    assert store.hierarchy(copy).state == "complete"
    until(lambda: len(set(drawn(page))) == 1 and stored(page) >= counts[-1] > 0, "all that is drawn is stored")
    assert page.page.locator("#banner").is_hidden()


@pytest.mark.parametrize("alone", [True, False])
def test_nothing_is_told_of_a_growth_that_is_not_there_any_more(store, explore, growing, alone):
    """A growth is followed, of a prediction beside its truth too; when it is removed, or over, its numbers are gone."""
    copy, _ = growing
    state = "MATCH (h:Hierarchy {id: $id})-[g:GROWN_BY]->() SET h.state = $state, g.done = $done"
    store.query(state, {"id": copy, "state": "growing", "done": False}, write=True)
    page = explore(copy) if alone else explore(store.truths()[copy], f"&beside={quote(copy)}")
    tab, panel = page.page.locator("#tab-live"), page.page.locator("#panel-live")
    until(tab.is_visible, "the growth is seen")
    tab.click()
    until(lambda: "cells left" in page.text("#panel-live"), "what is left")
    if alone:
        store.remove(copy)
        until(lambda: "What was read of it stays on the screen" in page.text("#banner"), "a word")
        page.complaints.clear()  # the browser told of what is not there
    else:
        assert panel.locator("h2").inner_text() == copy
        store.query(state, {"id": copy, "state": "complete", "done": True}, write=True)
    until(tab.is_hidden, "no growth")
    assert panel.text_content() == ""
    assert page.page.locator("#panel-cell").is_visible()


def test_another_process_is_seen_where_nobody_looks_at_the_live_panel(run, explore, growing):
    """A growth that begins and ends while a page is open: its cells are stored ones, without a reload."""
    copy, rule = growing
    page = explore(copy, "&color=stored&at=/1&p=0,0&z=0.4&px=30")
    before = stored(page)
    run("rollout", copy, "--predictor", rule, "--to-depth", 5, "--anyway")
    until(lambda: stored(page) > before and page.page.locator("#tab-live").is_hidden(), "stored cells")
    assert page.link["color"] == "stored"
    assert page.page.locator("#panel-cell").is_visible()


def test_a_property_that_is_written_meanwhile_colors(store, new_id, explore):
    """`cut --as-property` on a hierarchy that is looked at: its cells can be colored by it, and the panel tells it."""
    z = linkage(np.random.default_rng(0).normal(size=(40, 2)), "average")
    id = store.write(sources.linkage(z, id=new_id("linkage"))).id
    page = explore(id)
    colors = page.page.locator("#color")
    assert "property:group" not in colors.locator("option").evaluate_all("all => all.map((one) => one.value)")
    found = cfgraph.cut(store, id, clusters=4, as_property="group")
    until(lambda: colors.locator("option[value='property:group']").count(), "the property")
    colors.select_option("property:group")
    until(lambda: page.link.get("color") == "property:group", "the link")
    page.settle()
    assert page.text("#keys-of-color").split() == ["0", "3"]  # a number from the lowest to the highest
    page.page.keyboard.press("/")
    page.page.locator("#panel-find").get_by_role("radio", name="address").check()
    page.page.locator("#panel-find input[type=search]").fill(found.cells[2])
    page.page.keyboard.press("Enter")
    until(lambda: re.search(r"group\s+2", page.text("#panel-cell")), "its value")


def test_cells_are_found_by_name_and_by_property(store, explore, tree):
    page = explore(tree)
    search, panel = page.page.locator("#panel-find input[type=search]"), page.page.locator("#panel-find")
    page.page.keyboard.press("/")
    search.fill("O")
    page.page.keyboard.press("Enter")
    until(lambda: page.page.locator("#panel-find .list li").count() == 5, "lion, wolf, fox, oak, dogs")
    assert page.page.locator("#panel-find .list button").first.inner_text() in ("oak", "fox")
    until(lambda: warm(page) > 100, "rings about them")
    panel.get_by_role("radio", name="property").check()
    panel.get_by_role("combobox", name="Property").select_option("mass")
    search.fill("8000..8500")
    page.page.keyboard.press("Enter")
    until(lambda: page.text("#panel-cell h2") == "<b>elm", "the only one")
    page.page.locator("#tab-find").click()
    search.fill("heavy")
    page.page.keyboard.press("Enter")
    until(lambda: "mass holds numbers" in page.text("#panel-find"), "a word")
    page.complaints.clear()  # the browser told of the refusal


def test_cypher_from_the_page(store, explore, tree, monkeypatch):
    """Rows ring cells on the map; what would write is refused by the server, what takes long ended; its warnings are shown."""
    page = explore(tree)
    until(lambda: page.page.locator("#tab-cypher").is_visible(), "the panel")
    page.page.keyboard.press("m")
    page.page.keyboard.press("q")
    panel, text = page.page.locator("#panel-cypher"), page.page.locator("#panel-cypher textarea")

    def ask(cypher, told):
        text.fill(cypher)
        page.page.keyboard.press("Control+Enter")
        until(lambda: told in page.text("#panel-cypher"), told)

    panel.get_by_label("Queries to begin from").select_option(label="The first levels, from the root down")
    assert "$id" in text.input_value()
    before = warm(page)
    page.page.keyboard.press("Tab")
    panel.get_by_role("button", name="run").click()
    until(lambda: "10 cells ringed on the map" in page.text("#panel-cypher"), "rows that name cells")
    assert panel.locator("tbody tr").count() == 10
    until(lambda: warm(page) > before + 100, "rings")
    page.page.keyboard.press("Escape")
    text.focus()
    ask("MATCH (c:Cel) RETURN c", "did you mean `Cell`?")
    assert panel.locator(".note").count() >= 1
    digest = store.digest(tree)
    for cypher in ("MATCH (c:Cell) SET c.spoiled = true RETURN c", "CREATE (n:Spoiled) RETURN n"):
        ask(cypher, "this page only reads")
        assert "`cfgraph query --write`" in page.text("#panel-cypher")
    assert store.digest(tree) == digest
    assert store.query("MATCH (n:Spoiled) RETURN n").rows == []
    ask("MATCH (c:Cell RETURN c", "line 1, column")
    monkeypatch.setattr(asking, "QUERY_SECONDS", 1.0)
    ask(SLOW, "took longer than 1 s")
    monkeypatch.undo()
    ask("RETURN 41 + 1 AS answer", "answer")
    text.fill(SLOW)
    page.page.keyboard.press("Control+Enter")
    running = "SHOW TRANSACTIONS YIELD metaData WHERE metaData.cfgraph IS NOT NULL RETURN 1"
    until(lambda: store.query(running).rows, "it runs")
    panel.get_by_role("button", name="stop").click()
    until(lambda: "Stopped." in page.text("#panel-cypher"), "a word")
    until(lambda: not store.query(running).rows, "it was ended")
    assert len(page.complaints) == 4, page.complaints  # the browser told of four refusals
    page.complaints.clear()


def test_images_below_a_cell(store, new_id, explore, tmp_path):
    """With --images the panel shows the images that data points name, page by page."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    chance = np.random.default_rng(1)
    for at in range(50):
        Image.fromarray(chance.integers(0, 256, (6, 6, 3), dtype=np.uint8)).save(folder / f"{at:02d}.png")
    made = store.write(sources.images(folder, arity=2, depth=2, points=True, id=new_id("images")))
    page = explore(made.id, "&select=/", images=folder)
    page.page.get_by_role("button", name="show its points").click()
    images = page.page.locator("#panel-cell .points img")
    loaded = "all => all.filter((one) => one.naturalWidth === 6).length"
    until(lambda: images.count() == 40, "the first page")
    for at in range(40):
        images.nth(at).scroll_into_view_if_needed()
    until(lambda: images.evaluate_all(loaded) == 40, "the images")
    assert re.fullmatch(r"\d\d\.png", page.page.locator("#panel-cell figcaption").first.inner_text())
    page.page.get_by_role("button", name="next").click()
    until(lambda: images.count() == 10, "the rest")
    assert "41 to 50 of 50" in page.text("#panel-cell")


@pytest.mark.parametrize("again", [False, True])
def test_a_hierarchy_that_is_removed_is_told_and_the_view_goes_on(store, new_id, explore, again):
    """What was read stays, and moves; what is there by now is one click away."""
    id = new_id("koch")
    store.write(sources.ifs("koch", id=id, depth=4))
    page = explore(id)
    before = page.lit()
    store.remove(id)
    if again:
        store.write(sources.ifs("sierpinski", id=id, depth=4))
    told = "another made under its id" if again else "there is no hierarchy"
    until(lambda: told in page.text("#banner"), "a word")
    assert "What was read of it stays on the screen" in page.text("#banner")
    assert (page.lit() == before).mean() > 0.999
    page.page.keyboard.press("m")
    page.do("+", "+", "ArrowLeft")
    moved = page.lit()
    assert moved.sum() > 1_000
    assert (moved == before).mean() < 0.99
    page.do("h")
    assert page.lit().sum() > 1_000
    page.complaints.clear()  # the browser told of what is not there
    if again:
        page.page.get_by_role("button", name="open it again").click()
        until(lambda: "sierpinski" not in page.text("#banner") and page.page.locator("#banner").is_hidden(), "what is there")
        page.settle()
        until(lambda: page.lit().sum() > 1_000, "it")
        assert (page.lit() == before).mean() < 0.99
    else:
        page.page.get_by_role("button", name="what is there").click()
        until(lambda: page.page.locator("#library").is_visible(), "the list")
        until(lambda: id not in page.text("#library"), "it is not there any more")


def test_a_store_that_goes_away_is_told_and_asked_again(store, new_id, explore):
    """Whether one moves or not: the page says so, and goes on by itself."""
    id = new_id("koch")
    store.write(sources.ifs("koch", id=id, depth=4))
    access = store.access.reveal()
    host, port = re.match(r".*//(.*):(\d+)", access.pop("uri")).groups()
    with Proxy(host, int(port)) as proxy, Store.connect(proxy.url, **access, retry_seconds=0.5) as door:
        page = explore(id, of=door)
        server, proxy._server = proxy._server, ("127.0.0.1", 1)  # who comes is sent away
        for link in proxy.links:
            link.close()
        until(lambda: re.search(r"does not answer.*tried again in \d+ s", page.text("#banner")), "a word")
        page.page.keyboard.press("m")
        page.page.keyboard.press("+")
        page.page.keyboard.press("+")
        proxy._server = server
        until(lambda: page.page.locator("#banner").is_hidden(), "it goes on")
        page.settle()
        assert page.lit().sum() > 1_000
        assert page.complaints
        page.complaints.clear()  # of answers that the store was away
        page.page.goto("about:blank")
