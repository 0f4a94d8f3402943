"""The explorer over a store: what its page is told, of hierarchies that stay, grow and go, and of a store that goes away."""

import json
import re
import subprocess
import sys
import threading
import time
import types
from contextlib import nullcontext, suppress
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

import cfgraph
from cfgraph import sources
from cfgraph.exploring import asking, examples
from cfgraph.exploring.asking import as_json, cells_in, parse_parameters
from cfgraph.exploring.live import LiveGrowth
from cfgraph.exploring.questions import Question
from cfgraph.exploring.searching import _between
from cfgraph.exploring.start import memory_of
from cfgraph.growing import rollout as rollout_module
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.store import Store
from tests.explorers import SECONDS, Explorer, exploring
from tests.faults.proxy import Proxy
from tests.grown import grown_hierarchy
from tests.store.test_cypher_document import QUERIES

HOSTILE = ["<script>alert(1)</script>", "\u202egnp.exe", "a\x1b[31mred\x00", "'; MATCH (n) DETACH DELETE n //", "x" * 5_000]


@pytest.fixture(scope="module")
def page(store):
    """The explorer of the tests' store, in a thread of this process."""
    with cfgraph.explore(store, browser=False) as opened:
        yield Explorer(opened.address)


@pytest.fixture(scope="module")
def koch(store):
    made = store.write(sources.ifs(id="explore|koch".replace("|", "-"), maps="koch", depth=4))
    yield made.id
    store.remove(made.id)


@pytest.fixture(scope="module")
def named(store, tmp_path_factory):
    """An imported hierarchy whose cells have hostile names, several parents, and properties."""
    rows = ["child\tparent\tmass\tkind", "mid\troot\t1.5\tsoft", "low\tmid\t2.5\tHard", "low\troot\t2.5\tHard"]
    rows += [f"{json.dumps(name)}\tlow\t{number}\tsoft" for number, name in enumerate(["deep", "Deeper"])]
    path = tmp_path_factory.mktemp("explore") / "edges.tsv"
    path.write_text("\n".join(row.replace('"', "") for row in rows) + "\n", encoding="utf-8")
    whole = sources.edges(path, id="explore-named")
    names = np.array([*whole.cells.own["name"]], dtype=object)
    hostile = {"deep": HOSTILE[0], "Deeper": HOSTILE[3]}
    renamed = np.array([hostile.get(name, name) for name in names], dtype=object)
    store.write(whole.replace(cells=whole.cells.with_columns(own={**whole.cells.own, "name": renamed})))
    yield "explore-named"
    store.remove("explore-named")


def listed(page, id):
    return next((one for one in page.get("/api/hierarchies").json()["hierarchies"] if one["id"] == id), None)


def test_the_list_tells_what_is_there_and_counts_in_the_background(page, store, koch):
    found = listed(page, koch)
    assert (found["origin"], found["dimension"], found["arity"], found["state"]) == ("ifs", 2, 4, "complete")
    with cfgraph.explore(store, koch, browser=False) as opened:
        other, deadline = Explorer(opened.address), time.monotonic() + SECONDS
        while listed(other, koch)["cells"] is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert listed(other, koch)["cells"] == 341
        assert other.get("/api/hierarchies").json()["opened"] == {"id": koch, "beside": None}


def test_an_id_that_is_not_there_is_refused_at_the_start(run, store, koch):
    done = run("explore", "no-such", "--no-browser", code=2)
    assert "there is no hierarchy 'no-such'; there are: " in done.stderr


def test_hostile_names_are_text(page, named):
    for name in (HOSTILE[0], HOSTILE[3]):
        answer = page.post("search", id=named, by="name", text=name)
        assert answer.headers["content-type"] == "application/json"
        (hit,) = answer.json()["hits"]
        assert hit["name"] == name
        panel = page.ask("cell", id=named, address=hit["address"])
        assert panel["name"] == name
        assert page.ask("names", id=named, addresses=[hit["address"], "/7/7"])["names"] == [name, None]
    assert page.ask("search", id=named, by="name", text="ALERT")["hits"]  # whatever the size of the letters
    assert not page.ask("search", id=named, by="name", text="nobody")["hits"]


def test_several_parents_are_told(page, named):
    (hit,) = page.ask("search", id=named, by="name", text="low")["hits"]
    panel = page.ask("cell", id=named, address=hit["address"])
    assert sorted((parent["name"], parent["primary"]) for parent in panel["parents"]) in (
        [("mid", False), ("root", True)],
        [("mid", True), ("root", False)],
    )
    assert panel["child_count"] == 2
    top = page.ask("cell", id=named, address="/")
    assert {child["name"] for child in top["children"]} == {"mid", "low"}
    assert panel["above"][0] == {"address": "/", "name": "root"}


@pytest.mark.parametrize(
    ("property", "text", "found"),
    [("mass", "2.5", 1), ("mass", "0..1", 2), ("mass", ">= 1.5", 2), ("mass", "< 1", 1), ("kind", "HARD", 1), ("kind", "o", 3)],
)
def test_search_by_property(page, named, property, text, found):
    hits = page.ask("search", id=named, by="property", property=property, text=text)["hits"]
    assert len(hits) == found
    assert all("value" in hit for hit in hits)


def test_search_is_limited_and_says_so(page, named):
    found = page.ask("search", id=named, by="property", property="mass", text="0..9", limit=2)
    assert (len(found["hits"]), found["more"]) == (2, True)
    assert "holds numbers" in page.ask("search", code=400, id=named, by="property", property="mass", text="heavy")["error"]
    assert page.ask("search", code=400, id=named, by="name", text="  ")


def test_names_are_searched_in_memory_where_the_hierarchy_is_shown(page, store, named, monkeypatch):
    wanted = {text: store.search_names(named, text, most=9) for text in ("o", "LOW", "script", "none of them")}
    assert len(wanted["o"]) > 1
    page.ask("scene", id=named)
    monkeypatch.setattr(type(store), "search_names", lambda *_, **__: pytest.fail("the graph is asked"))
    for text, hits in wanted.items():
        assert page.ask("search", id=named, by="name", text=text) == {"hits": hits, "more": False}


@pytest.mark.parametrize(
    ("text", "between"),
    [
        ("3", (3, 3)),
        (" -1.5e3 ", (-1500, -1500)),
        ("1..2", (1, 2)),
        (">=2", (2, np.inf)),
        ("<= .5", (-np.inf, 0.5)),
        ("x", None),
    ],
)
def test_numbers_that_a_text_means(text, between):
    assert _between(text) == between


def test_the_panel_and_what_it_copies(page, store, koch):
    panel = page.ask("cell", id=koch, address="/0/1")
    assert panel["subtree"]["cells"] == 21
    assert (panel["subtree"]["more"], panel["subtree"]["frontier"]) == (False, 16)
    assert panel["above"] == [{"address": "/", "name": None}, {"address": "/0", "name": None}]
    (row,) = page.ask("query", cypher=panel["cypher"])["rows"]
    assert row[0]["address"] == "/0/1"
    code = panel["python"].replace("import cfgraph\n", "").replace(repr(store.place), "None")
    opened = types.SimpleNamespace(Store=types.SimpleNamespace(open=lambda _: nullcontext(store)), field=cfgraph.field)
    names = {"cfgraph": opened}
    exec(code, names)
    assert names["cell"].addresses == ["/0/1"]


@pytest.mark.slow("starts the command, and a Python that runs what it copies")
def test_what_is_copied_as_python_runs_as_it_is(run, koch):
    with exploring(run, koch) as page:
        code = page.ask("cell", id=koch, address="/0/1")["python"]
        words = [sys.executable, "-c", f"{code}\nprint(cell.addresses, *cell.center[0])"]
        done = subprocess.run(words, env=run.environment, capture_output=True, text=True, check=False, timeout=SECONDS)
        assert done.returncode == 0, done.stderr
        told = page.ask("cell", id=koch, address="/0/1")["center"]
    assert done.stdout.split() == ["['/0/1']", *map(str, told)]


def test_points_below_a_cell_page_by_page(store, new_id, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, color in enumerate(("red", "darkred", "blue", "navy")):
        Image.new("RGB", (3, 3), color).save(folder / f"{number}.png")
    (tmp_path / "outside.png").write_bytes((folder / "0.png").read_bytes())
    made = store.write(sources.images(folder, arity=2, depth=1, points=True, id=new_id("images")))
    with cfgraph.explore(store, made.id, browser=False, images=folder) as opened:
        page = Explorer(opened.address)
        first = page.ask("points", id=made.id, address="/", count=3)
        rest = page.ask("points", id=made.id, address="/", start=3, count=3)
        assert (first["total"], len(first["points"]), len(rest["points"])) == (4, 3, 1)
        told = first["points"] + rest["points"]
        assert sorted(point["row"] for point in told) == [0, 1, 2, 3]
        assert all(point["image"] for point in told)
        below = [page.ask("points", id=made.id, address=f"/{slot}")["total"] for slot in (0, 1)]
        assert sum(below) == 4
        answer = page.get(f"/api/image?id={made.id.replace('|', '%7C')}&row=2")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert answer.content == (folder / told[[point["row"] for point in told].index(2)]["name"]).read_bytes()
        for row in ("9", "-1", "x", "1.5"):
            assert page.get(f"/api/image?id={made.id.replace('|', '%7C')}&row={row}").status_code in (400, 404)
        rename = "MATCH (p:Point {key: $id + '/0'}) SET p.name = $name"
        wrong = ["../outside.png", str(tmp_path / "outside.png"), "0.svg", ".", "", "a\x00.png", "0.png/../../outside.png"]
        (folder / "link.png").symlink_to(tmp_path / "outside.png")
        for name in [*wrong, "link.png"]:
            store.query(rename, {"id": made.id, "name": name}, write=True)
            assert page.get(f"/api/image?id={made.id.replace('|', '%7C')}&row=0").status_code == 404, name
    with cfgraph.explore(store, made.id, browser=False) as opened:
        page = Explorer(opened.address)
        assert page.get(f"/api/image?id={made.id.replace('|', '%7C')}&row=2").status_code == 404
        assert not any(point["image"] for point in page.ask("points", id=made.id, address="/")["points"])


def test_a_way_over_stored_cells_and_below(page, koch):
    way = page.ask("path", id=koch, first="/0/1", second="/0/3/2")
    assert way["addresses"] == ["/0/1", "/0", "/0/3", "/0/3/2"]
    assert page.ask("path", id=koch, first="/0/1", second="/0" + "/2" * 60)["distance"] > 0
    assert page.ask("path", code=404, id=koch, first="/0/1", second="/9")


# -- Cypher


def test_the_box_begins_with_the_documents_queries(page):
    told = page.get("/api/queries").json()
    assert [(one["title"], one["cypher"].strip()) for one in told] == [
        (title.split(". ", 1)[1], cypher.strip()) for title, cypher in QUERIES
    ]
    assert len(examples.QUERIES) == len(QUERIES)


def test_rows_name_cells(page, koch):
    found = page.ask("query", cypher=dict(examples.QUERIES)["The first levels, from the root down"], parameters={"id": koch})
    assert found["columns"] == ["c.address", "c.level", "c.center"]
    assert found["hits"] == {koch: [row[0] for row in found["rows"]]}
    assert len(found["rows"]) == 21
    nodes = page.ask(
        "query", cypher=f":param id => '{koch}'\nMATCH (c:Cell {{key: $id + '/0'}}) RETURN c, [c.key + '/3'] AS more"
    )
    assert nodes["hits"] == {koch: ["/0", "/0/3"]}
    assert nodes["seconds"] >= 0


def test_what_the_server_warns_of_is_told(page):
    found = page.ask("query", cypher="MATCH (c:Cel) RETURN c")
    assert "did you mean `Cell`?" in found["notifications"][0]["text"]
    assert found["notifications"][0]["line"] == 1


@pytest.mark.parametrize(
    "cypher",
    [
        "CREATE (n:Spoiled) RETURN n",
        "MATCH (c:Cell) SET c.spoiled = true RETURN c LIMIT 1",
        "MATCH (c:Cell) DETACH DELETE c",
        "MERGE (n:Spoiled) RETURN n",
        "CREATE INDEX spoiled FOR (n:Cell) ON (n.spoiled)",
        "CALL { CREATE (n:Spoiled) RETURN n } RETURN n",
        "MATCH (c:Cell) CALL (c) { SET c.spoiled = 1 } IN TRANSACTIONS OF 1 ROWS",
        "DROP CONSTRAINT no_such",
        ":param x => 1\nCREATE (n:Spoiled {x: $x})",
    ],
)
def test_cypher_that_writes_is_refused_by_the_server(page, store, koch, cypher):
    before = store.digest(koch)
    told = page.ask("query", code=400, cypher=cypher)["error"]
    assert told
    assert "unless --write" not in told  # which this command does not have
    assert store.digest(koch) == before
    assert store.query("MATCH (n:Spoiled) RETURN n").rows == []


@pytest.mark.parametrize(
    ("cypher", "told"),
    [
        ("MATCH (c:Cell RETURN c", "line 1, column"),
        ("", "empty"),
        ("RETURN $nothing", "nothing"),
        (":param id -> 1\nRETURN 1", "expected a line such as :param"),
        (":param id => koch\nRETURN 1", "expected a parameter as JSON"),
        ("LOAD CSV FROM 'file:///etc/passwd' AS row RETURN row", ""),
    ],
)
def test_cypher_that_is_none_is_told(page, cypher, told):
    assert told in page.ask("query", code=400, cypher=cypher)["error"]


def test_rows_are_limited_and_that_is_said(page, monkeypatch):
    found = page.ask("query", cypher="UNWIND range(1, 100000) AS n RETURN n", limit=10)
    assert (len(found["rows"]), found["more"]) == (10, True)
    found = page.ask("query", cypher="UNWIND range(1, 10) AS n RETURN n", limit=10)
    assert (len(found["rows"]), found["more"]) == (10, False)
    monkeypatch.setattr(asking, "ANSWER_LETTERS_MAX", 1_000)
    found = page.ask("query", cypher="UNWIND range(1, 100) AS n RETURN reduce(t = '', i IN range(1, 20) | t + 'long')")
    assert (0 < len(found["rows"]) < 20, found["more"]) == (True, True)
    one = "RETURN reduce(t = '', i IN range(1, 2000) | t + 'long')"
    assert "return less of it" in page.ask("query", code=400, cypher=one)["error"]


def test_values_that_json_lacks_are_text(page):
    cypher = "RETURN 9007199254740993, 0.0 / 0.0, date('2026-01-02'), [1, {a: -1.0 / 0.0}], 'é\\u0000'"
    (row,) = page.ask("query", cypher=cypher)["rows"]
    assert row == ["9007199254740993", "nan", "2026-01-02", [1, {"a": "-inf"}], "é\x00"]
    assert as_json(b"x") == "b'x'"


SLOW = "UNWIND range(1, 1000000000) AS a WITH a WHERE a % 999999999 = 5 RETURN count(a)"


def running(store):
    """How many transactions of the explorer's run on the server just now."""
    return len(store.query("SHOW TRANSACTIONS YIELD metaData, currentQuery WHERE metaData.cfgraph IS NOT NULL RETURN 1").rows)


def await_running(store, wanted):
    deadline = time.monotonic() + SECONDS
    while running(store) != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running(store) == wanted


def test_cypher_that_takes_too_long_is_ended_by_the_server(page, store, monkeypatch):
    monkeypatch.setattr(asking, "QUERY_SECONDS", 0.5)
    assert "took longer than 0.5 s" in page.ask("query", code=400, cypher=SLOW)["error"]
    await_running(store, 0)


def test_cypher_is_ended_when_the_page_goes_away(page, store):
    headers = {"authorization": f"Bearer {page.token}"}
    timeout = httpx.Timeout(SECONDS, read=2.0)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{page.origin}/api/query", json={"cypher": SLOW}, headers=headers, timeout=timeout, trust_env=False)
    await_running(store, 0)
    assert page.ask("query", cypher="RETURN 1")["rows"] == [[1]]


def test_parameters_in_the_text():
    text = ":param id => 'ko\\'ch'\n\n  :param `n` => {\"a\": [1]};\nMATCH (n)\nRETURN n"
    assert parse_parameters(text) == ("MATCH (n)\nRETURN n", {"id": "ko'ch", "n": {"a": [1]}})


def test_cells_that_values_name():
    rows = [["koch/0/1", "/2", {"labels": ["Cell"], "key": "fern/"}, {"labels": ["Lease"], "key": "koch/3"}, 3, ["x/y", "/02"]]]
    assert cells_in(list("abcdef"), rows, known="koch") == {"koch": ["/0/1", "/2", "/3"], "fern": ["/"]}
    assert cells_in(["a"], [["/2"]], known=None) == {}


def test_questions_are_read_field_by_field():
    asked = Question.of_body(b'{"id": "koch", "beside": null, "row": 3, "addresses": ["/0"], "axes": null}')
    assert (asked.ids(), asked.integer("row", low=0, high=3), asked.addresses()) == (("koch", None), 3, ["/0"])
    assert asked.axes() == {"kind": "main"}
    assert Question.of_query({"id": "7", "row": "7"}).fields == {"id": "7", "row": 7}


@pytest.mark.parametrize(("text", "size"), [("512MB", 2**29), ("2 GiB", 2**31), ("1.5g", 3 * 2**29), (2**20, 2**20)])
def test_sizes(text, size):
    assert memory_of(text).limit == size


# -- what changes meanwhile


def test_a_hierarchy_that_is_removed_is_told(page, store, new_id):
    id = new_id("koch")
    store.write(sources.ifs(id=id, maps="koch", depth=2))
    assert page.ask("cell", id=id, address="/0")["stored"]
    store.remove(id)
    assert "there is no hierarchy" in page.ask("cell", code=404, id=id, address="/0")["error"]
    store.write(sources.ifs(id=id, maps="koch", depth=2))
    assert page.ask("cell", id=id, address="/0")["stored"]
    store.remove(id)
    store.write(sources.ifs(id=id, maps="koch", depth=3))
    assert "removed meanwhile" in page.ask("cell", code=409, id=id, address="/0")["error"]
    assert page.ask("cell", id=id, address="/0/0/0")["stored"]  # opened again: what is there by now


def test_a_store_that_goes_away_is_told_and_asked_again(store, koch):
    access = store.access.reveal()
    host, port = re.match(r".*//(.*):(\d+)", access.pop("uri")).groups()
    with Proxy(host, int(port)) as proxy:
        door = Store.connect(proxy.url, **access, retry_seconds=0.5)
        with door, cfgraph.explore(door, koch, browser=False) as opened:
            page, growth = Explorer(opened.address), LiveGrowth(door, koch)
            assert page.ask("cell", id=koch, address="/0")["stored"]
            server, proxy._server = proxy._server, ("127.0.0.1", 1)  # who comes is sent away
            for link in proxy.links:
                link.close()
            away = page.post("cell", id=koch, address="/0")
            assert (away.status_code, away.headers.get("retry-after")) == (503, "2"), away.text
            assert "does not answer" in away.json()["error"]
            assert growth.look()["state"] == "away"
            proxy._server = server
            assert page.ask("cell", id=koch, address="/0")["stored"]
            assert growth.look()["state"] == "complete"


# -- live


@pytest.fixture
def growing(store, new_id, monkeypatch):
    """A true hierarchy and its rule; blocks of two levels, so that there are many."""
    monkeypatch.setattr(rollout_module, "block_height", lambda **_: 2)
    truth = grown_hierarchy(new_id("truth"), arity=3, dimension=2, depth=4)
    store.write(truth)
    trained = train(truth.with_cells(truth.cells.prefix(3)), id=new_id("rule"), depth=3, family="recurrence")
    store.write_predictor(trained)
    return truth.id, trained.id


def events(page, id, *, until):
    """What a live stream tells, up to its end or to the event that ``until`` says yes to."""
    headers = {"authorization": f"Bearer {page.token}"}
    with httpx.stream(
        "GET", f"{page.origin}/api/live", params={"id": id}, headers=headers, timeout=SECONDS, trust_env=False
    ) as live:
        assert live.status_code == 200
        assert live.headers["content-type"].startswith("text/event-stream")
        for line in live.iter_lines():
            if line.startswith("data: "):
                yield json.loads(line[6:])
                if until(json.loads(line[6:])):
                    return


def test_a_growth_is_followed_to_its_end(page, store, new_id, growing):
    truth, rule = growing
    copy = new_id("copy")
    rollout(store, truth, predictor=rule, copy_as=copy, from_depth=2, stop=Stop(cells=50))
    rollout(store, copy, predictor=rule, stop=Stop(seconds=0.001))
    growth = LiveGrowth(store, copy)
    found = growth.look()
    if found["state"] == "complete":  # a growth that a stop ended
        store.query("MATCH (h:Hierarchy {id: $id}) RETURN h", {"id": copy})
    told = list(events(page, copy, until=lambda event: False))
    assert told[-1]["state"] == "complete"
    work = threading.Thread(target=rollout, args=[store, copy], kwargs={"predictor": rule, "stop": Stop(depth=7)})
    work.start()
    told = []
    while work.is_alive():
        told += list(events(page, copy, until=lambda event: False))
    work.join()
    told += list(events(page, copy, until=lambda event: False))
    assert told[-1]["state"] == "complete"


def test_what_leases_tell(store, new_id, growing):
    """A look at each moment: a block is leased, given back, leased, written."""
    truth, rule = growing
    copy = new_id("copy")
    rollout(store, truth, predictor=rule, copy_as=copy, from_depth=2, stop=Stop(depth=3))
    begun = threading.Event()
    seen = []
    growth = LiveGrowth(store, copy)

    def look(status):
        begun.set()
        seen.append(growth.look())

    from cfgraph.growing import status as status_module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(status_module, "SHOW_SECONDS", 0.0)
        rollout(store, copy, predictor=rule, stop=Stop(depth=6), show=look)
    grows = [one for one in seen if one["state"] == "growing"]
    assert grows
    for one in grows:
        assert one["left"] is not None
        assert one["workers"] <= 1
        assert all(set(block) == {"address", "owner", "until"} for block in one["blocks_in_work"])
    assert any(one["blocks_in_work"] for one in grows)
    assert any(one["changed"] for one in grows)
    assert growth.look() == {"state": "complete", "changed": ["/"]}


def test_a_hierarchy_that_goes_while_it_is_followed(page, store, new_id):
    assert page.get("/api/live?id=no-such").status_code == 404
    id = new_id("koch")
    store.write(sources.ifs(id=id, maps="koch", depth=2))
    growth = LiveGrowth(store, id)
    assert growth.look()["state"] == "complete"
    store.remove(id)
    assert growth.look()["state"] == "removed"
    store.write(sources.ifs(id=id, maps="koch", depth=2))
    assert growth.look()["state"] == "removed"


@pytest.mark.slow("grows, cuts and removes a hierarchy that is looked at")
def test_what_others_change_is_told_and_opened_anew(page, store, new_id, growing):
    """A moment is another one once something was grown or written; a scene that is asked for then is of what is there."""
    truth, rule = growing
    copy = new_id("copy")
    rollout(store, truth, predictor=rule, copy_as=copy, from_depth=2, stop=Stop(depth=3))

    def moment():
        return page.get("/api/moment", params={"id": copy}).json()

    scene = page.ask("scene", id=copy, beside=truth)
    assert scene["moments"] == {copy: moment(), truth: page.get("/api/moment", params={"id": truth}).json()}
    assert (scene["growing"], moment()["state"]) == (False, "complete")
    assert not page.ask("cell", id=copy, address="/0/1/2/0/1/2")["stored"]
    told = iter([False, True])  # one block
    rollout(store, copy, predictor=rule, to_depth=6, interrupted=lambda: next(told))
    begun = moment()
    assert (begun["state"], begun["made"]) == ("growing", scene["moments"][copy]["made"])
    assert begun != scene["moments"][copy]
    assert page.ask("scene", id=copy, beside=truth)["growing"]
    rollout(store, copy, predictor=rule, to_depth=6)
    assert moment()["digest"] != begun["digest"]
    done = page.ask("scene", id=copy, beside=truth)
    assert (done["growing"], done["moments"][copy]) == (False, moment())
    assert page.ask("cell", id=copy, address="/0/1/2/0/1/2")["stored"]
    cfgraph.cut(store, copy, clusters=3, as_property="group")
    assert "property:group" in page.ask("scene", id=copy, beside=truth)["colors"]
    again = moment()
    store.remove(copy)
    assert page.get("/api/moment", params={"id": copy}).json()["gone"]
    assert page.ask("scene", id=copy, code=404)["gone"]
    assert "gone" in page.ask("cell", id=truth, code=404, address="/9/9")
    assert not page.ask("cell", id=truth, code=404, address="/9/9")["gone"]  # the cell is not there, its hierarchy is
    store.write(store.read_whole(truth).replace(id=copy))
    assert moment()["made"] != again["made"]


def test_what_is_being_removed_is_not_there_any_more(page, store, koch):
    store.query("MATCH (h:Hierarchy {id: $id}) SET h.state = 'removing'", {"id": koch}, write=True)
    try:
        assert "there is no hierarchy" in page.ask("scene", id=koch, code=404)["error"]
        assert listed(page, koch) is None
    finally:
        store.query("MATCH (h:Hierarchy {id: $id}) SET h.state = 'complete'", {"id": koch}, write=True)
    assert page.ask("scene", id=koch)["id"] == koch


class Silent(Proxy):
    """A way to the server on which no answers come any more once it is told so."""

    def __init__(self, *words):
        self.silent, self.over = threading.Event(), threading.Event()
        super().__init__(*words)

    def _answer(self, link):
        while data := link.server.recv(1 << 16):
            if self.silent.is_set():
                self.over.wait(10 * SECONDS)
                return
            link.client.sendall(data)

    def __exit__(self, *error):
        self.over.set()
        super().__exit__(*error)


def test_ctrl_c_does_not_wait_for_a_store_that_does_not_answer(run, store, koch):
    access = store.access.reveal()
    host, port = re.match(r".*//(.*):(\d+)", access["uri"]).groups()
    signed = {"NEO4J_USERNAME": access["username"], "NEO4J_PASSWORD": access["password"]}
    with Silent(host, int(port)) as proxy:
        with exploring(run, koch, env={**run.environment, **signed, "CFGRAPH_STORE": proxy.url}) as page:
            assert listed(page, koch)
            proxy.silent.set()

            def ask():
                with suppress(httpx.HTTPError):
                    page.get("/api/hierarchies")

            asking = threading.Thread(target=ask)
            asking.start()
            time.sleep(0.5)
            assert page.end() < 20  # and not when the store answers
            assert page.process.returncode == 130
            asking.join(SECONDS)
        assert not [line for line in page.said if "Traceback" in line]


@pytest.mark.parametrize("kind", ["live", "query"])
def test_ctrl_c_ends_it_whatever_is_open(run, store, new_id, growing, kind):
    """The command ends soon, though a page follows a growth that nobody is at work on, or waits for slow Cypher."""
    truth, rule = growing
    copy = new_id("copy")
    rollout(store, truth, predictor=rule, copy_as=copy, from_depth=2, stop=Stop(depth=3))
    store.query(
        "MATCH (h:Hierarchy {id: $id})-[g:GROWN_BY]->() SET h.state = 'growing', g.done = false", {"id": copy}, write=True
    )
    with exploring(run, copy) as page:
        begun = threading.Event()

        def follow():
            try:
                if kind == "live":
                    for event in events(page, copy, until=lambda event: False):
                        assert event["state"] == "growing"
                        begun.set()
                else:
                    page.post("query", cypher=SLOW)
            except httpx.HTTPError:
                pass

        following = threading.Thread(target=follow)
        following.start()
        if kind == "live":
            assert begun.wait(SECONDS)
        else:
            await_running(store, 1)
        assert page.end() < 20  # no more than a few seconds on a busy machine; for ever without the limit
        assert page.process.returncode == 130
        following.join(SECONDS)
    await_running(store, 0)


def test_the_certificate_stands_beside_the_error(page, store, new_id, growing):
    truth, rule = growing
    copy = new_id("copy")
    rollout(store, truth, predictor=rule, copy_as=copy, from_depth=2, stop=Stop(depth=4))
    expected = {one.level: one.certificate for one in cfgraph.compare(store, truth, copy).levels}
    deadline, found = time.monotonic() + SECONDS, None
    while found is None and time.monotonic() < deadline:
        found = page.ask("cell", id=truth, beside=copy, address="/0/1/2")["beside"]["certificate"]
        time.sleep(0.05)
    assert found == expected[3]
    told = page.ask("cell", id=copy, beside=truth, address="/0/1/2/0")["beside"]
    assert told["certificate"] == expected[4]
    assert 0 <= told["center_error"] <= expected[4] * (1 + 1e-9)
    assert told["in_scale"] == pytest.approx(told["center_error"] / store.read_at(copy, ["/0/1/2/0"])["scale"][0])
    assert page.ask("cell", id=copy, beside=copy, address="/0/1/2/0")["beside"]["certificate"] is None


# -- Python


def test_python_mirrors_the_command(store, koch, tmp_path):
    whole = sources.ifs(id="koch", maps="koch", depth=3)
    with whole.explore(browser=False) as opened:
        assert Explorer(opened.address).ask("cell", id="koch", address="/0/1")["stored"]
        html = opened._repr_html_()
        assert "data:image/png;base64," in html
        assert opened.address.replace("&", "&amp;") in html
        assert "<a " not in html
        assert "<script" not in html
        assert "on the machine that runs this kernel" in html
    with pytest.raises(httpx.ConnectError):
        Explorer(opened.address).get("/")
    with cfgraph.explore(store, koch, beside=koch, browser=False) as opened:
        assert f"&beside={koch}" in opened.address
        where = store.place if store.folder is None else f"local:{store.folder}"
        assert f"Store.open({where!r})" in Explorer(opened.address).ask("cell", id=koch, address="/0/1")["python"]
        assert "<svg" in opened._repr_html_()
    path = tmp_path / "koch.parquet"
    cfgraph.export(whole, output=path)
    with cfgraph.explore(path, browser=False) as opened:
        assert Explorer(opened.address).ask("cell", id="koch", address="/0/1")["stored"]
    with cfgraph.explore(whole, beside=whole, browser=False) as opened:
        found = Explorer(opened.address).get("/api/hierarchies").json()
        assert found["opened"] == {"id": "koch", "beside": "koch (beside)"}
    for wrong in ({"of": 3}, {"of": whole, "id": "koch"}, {"of": whole, "beside": "koch"}, {"of": store, "beside": whole}):
        with pytest.raises(cfgraph.CfgraphError):
            cfgraph.explore(**wrong, browser=False)
    with pytest.raises(cfgraph.CfgraphError, match="expected a folder with images"):
        whole.explore(images=tmp_path / "nowhere", browser=False)


def test_a_second_server_beside_a_page_that_is_open(store, koch):
    with cfgraph.explore(store, koch, browser=False) as one, cfgraph.explore(store, koch, browser=False) as other:
        assert Explorer(one.address).port != Explorer(other.address).port
        assert Explorer(one.address).ask("cell", id=koch, address="/") == Explorer(other.address).ask(
            "cell", id=koch, address="/"
        )
    assert Path(__file__).exists()
