"""`cfgraph explore`: how it starts and ends, and the list of its safety, line by line, against a real server in a process."""

import csv
import importlib.util
import io
import json
import signal
import socket
import stat
import sys
import time
from xml.etree import ElementTree

import anyio
import httpx
import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest

import cfgraph
from cfgraph import sources
from cfgraph.cli import run as run_here
from cfgraph.exploring.codec import Cut
from cfgraph.exploring.safety import CSP, Guard
from cfgraph.exploring.start import can_open_browser, forwarding, hints
from cfgraph.transfer.export import export
from tests.conftest import CommandLine
from tests.explorers import SECONDS, Explorer, exploring


@pytest.fixture(scope="module")
def run():
    """Starts commands where no store is needed: one that is asked for is refused."""
    return CommandLine("bolt://127.0.0.1:1")


@pytest.fixture(scope="module")
def koch(tmp_path_factory):
    """A file of an export."""
    path = tmp_path_factory.mktemp("explore") / "koch.parquet"
    export(sources.ifs(id="koch", maps="koch", depth=3), output=path)
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """The environment of a browser that notes what it is told to open, and the file that it notes it in."""
    folder = tmp_path_factory.mktemp("browser")
    noted, program = folder / "opened", folder / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {noted}.part && mv {noted}.part {noted}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"BROWSER": f"{program} %s"}, noted


@pytest.fixture(scope="module")
def explorer(run, koch, browser):
    with exploring(run, koch, env={**run.environment, **browser[0]}) as explorer:
        yield explorer


@pytest.fixture
def refused(capfd, monkeypatch):
    """Runs a command here that is to be refused; the one line that it says."""

    def run(*words, code=2, store="bolt://127.0.0.1:1"):
        monkeypatch.setenv("NEO4J_PASSWORD", "not-to-be-told")
        found = run_here(["--store", store, "explore", "--no-browser", *map(str, words)])
        out, err = capfd.readouterr()
        assert (found, out, len(err.splitlines())) == (code, "", 1), err
        return err

    return run


def await_true(condition):
    deadline = time.monotonic() + SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


# -- how it starts and ends


def test_a_file_needs_no_store(explorer):
    assert explorer.address == f"http://127.0.0.1:{explorer.port}/#token={explorer.token}&id=koch"
    assert len(explorer.token) >= 40
    (found,) = explorer.get("/api/hierarchies").json()["hierarchies"]
    assert (found["id"], found["cells"], found["depth"], found["arity"]) == ("koch", 85, 3, 4)


def test_a_second_one_has_a_port_of_its_own_and_ends_by_ctrl_c(run, koch, explorer):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with exploring(run, koch, "--port", port) as second:
        assert second.port == port != explorer.port
        assert second.token != explorer.token
        assert second.get("/api/hierarchies").status_code == explorer.get("/api/hierarchies").status_code == 200
        second.end(signal.SIGINT)
        assert second.process.returncode == 130
    assert not [line for line in second.said if "Traceback" in line]
    with pytest.raises(httpx.ConnectError):
        second.get("/")


def test_a_browser_is_opened_and_ssh_is_told_of(run, koch, browser, explorer):
    environment, noted = browser
    assert not noted.exists(), "explorer was started with --no-browser"
    environment = {**run.environment, **environment, "SSH_CONNECTION": "10.0.0.9 50000 10.0.0.7 2222"}
    with exploring(run, koch, "--browser", env=environment) as other:
        await_true(lambda: noted.exists() and len(other.said) >= 2)
    assert noted.read_text().strip() == other.address
    told = "".join(other.said)
    assert f"ssh -N -L {other.port}:127.0.0.1:{other.port} -p 2222 " in told
    assert "@10.0.0.7" in told


def test_no_browser_opens_over_ssh_or_without_a_screen(monkeypatch):
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert not can_open_browser()
    monkeypatch.setenv("DISPLAY", ":0")
    assert can_open_browser()
    monkeypatch.setenv("SSH_CONNECTION", "a 1 b 22")
    assert not can_open_browser()
    assert forwarding(7000, "a 1 b 22").startswith("ssh -N -L 7000:127.0.0.1:7000 ")
    assert "@b" in hints(7000)[0]


def test_a_log_holds_no_token_and_sigterm_ends_it(run, koch):
    with exploring(run, koch, before=["-v"]) as explorer:
        explorer.get("/api/hierarchies")
        httpx.get(explorer.origin + "/api/x", trust_env=False)
        explorer.end(signal.SIGTERM)
        assert explorer.process.returncode == 143
    assert explorer.token not in "".join(explorer.said)
    assert not [line for line in explorer.said if "Traceback" in line]


def test_a_port_that_is_taken_is_refused(refused, koch, explorer):
    assert "cannot be had" in refused(koch, "--port", explorer.port)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["{koch}", "--beside", "koch"], "beside a file stands another file"),
        (["{koch}", "--memory", "much"], "expected a size such as 512MB"),
        (["nowhere/there.parquet"], "nowhere/there.parquet"),
        (["{koch}", "--images", "nowhere"], "nowhere"),
        (["{koch}", "--port", "0"], "port"),
    ],
)
def test_bad_words_are_refused(refused, koch, words, told):
    assert told in refused(*(word.format(koch=koch) for word in words))


def test_a_store_that_is_not_there_is_exit_code_3(refused):
    assert "does not answer" in refused(code=3)


def test_missing_libraries_are_told(refused, koch, monkeypatch):
    """As for other extras: which, and the command that installs it; nothing else is begun."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "the explorer needs starlette, which is not installed; install it with: pip install" in refused(koch)


# -- safety, a line of the list a test


def head(explorer, path="/api/hierarchies", *, host="127.0.0.1", **headers):
    """The head of a request; ``host`` None leaves it out."""
    lines = [f"GET {path} HTTP/1.1", *([] if host is None else [f"Host: {host}:{explorer.port}"])]
    lines += [f"Authorization: Bearer {explorer.token}", "Connection: close"]
    return "\n".join([*lines, *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())])


def test_it_listens_on_the_loopback_address_alone(explorer):
    listening = [one.laddr for one in psutil.Process(explorer.process.pid).net_connections() if one.status == "LISTEN"]
    assert [(one.ip, one.port) for one in listening] == [("127.0.0.1", explorer.port)]


@pytest.mark.parametrize(
    "path", ["/api/hierarchies", "/api/queries", "/api/live?id=koch", "/api/image?id=koch&row=0", "/api/no"]
)
def test_without_the_token_nothing_is_told(explorer, path):
    wrong = [
        "",
        "Bearer",
        f"Bearer {explorer.token}x",
        f"Bearer {explorer.token[:-1]}",
        f"Basic {explorer.token}",
        explorer.token,
    ]
    for shown in wrong:
        answer = httpx.get(explorer.origin + path, headers={"authorization": shown}, trust_env=False)
        assert answer.status_code == 401, shown
        assert answer.headers["www-authenticate"] == "Bearer"
    assert httpx.get(explorer.origin + path, trust_env=False).status_code == 401
    assert (
        httpx.get(f"{explorer.origin}{path}{'&' if '?' in path else '?'}token={explorer.token}", trust_env=False).status_code
        == 401
    )
    assert httpx.get(explorer.origin + path, cookies={"token": explorer.token}, trust_env=False).status_code == 401
    assert httpx.post(explorer.origin + "/api/cell", json={}, trust_env=False).status_code == 401


def test_no_answer_sets_a_cookie_or_tells_the_token(explorer):
    for path in ("/", "/api/hierarchies", "/nowhere"):
        answer = explorer.get(path)
        assert "set-cookie" not in answer.headers
        assert explorer.token not in answer.text + str(answer.headers)


def test_its_own_hosts_are_answered(explorer):
    assert explorer.send(head(explorer))[0] == 200
    assert explorer.send(head(explorer, host="localhost"))[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.2", "[::1]", "0.0.0.0", "LOCALHOST.", "127.1", "2130706433"]
)
def test_another_host_is_refused(explorer, host):
    assert explorer.send(head(explorer, host=host))[0] == 421
    assert explorer.send(head(explorer, "/", host=host))[0] == 421


def test_a_host_without_the_port_is_refused(explorer):
    asked = head(explorer, host=None)
    assert explorer.send(asked + "\nHost: 127.0.0.1")[0] == 421
    assert explorer.send(asked + f"\nHost: 127.0.0.1:{explorer.port + 1}")[0] == 421


def test_no_host_or_two_are_refused(explorer):
    """The parser refuses them before the guard does; the guard refuses what another parser would let through."""
    asked = head(explorer, host=None)
    own = f"127.0.0.1:{explorer.port}"
    assert explorer.send(asked)[0] in (400, 421)
    assert explorer.send(f"{asked}\nHost: {own}\nHost: {own}")[0] in (400, 421)
    assert explorer.send(f"{asked}\nHost: {own}\nHost: evil.example")[0] in (400, 421)
    assert explorer.send(f"{asked.replace('1.1', '1.0')}")[0] in (400, 421)


@pytest.mark.parametrize("hosts", [[], ["127.0.0.1:80", "127.0.0.1:80"], ["127.0.0.1:80", "evil.example"], ["evil.example"]])
def test_the_guard_wants_exactly_one_host(hosts):
    assert guarded(hosts=hosts)[0] == 421
    assert guarded(hosts=["127.0.0.1:80"])[0] == 204


def guarded(*, hosts, headers=()):
    """What a guard answers to a request, of an application that has nothing to tell."""
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": [(b"Cache-Control", b"public")]})
        await send({"type": "http.response.body", "body": b""})

    async def send(message):
        sent.append(message)

    given = [(b"host", host.encode()) for host in hosts] + [(b"authorization", b"Bearer t"), *headers]
    scope = {"type": "http", "method": "GET", "path": "/api/x", "headers": given}
    anyio.run(Guard(app, port=80, token="t"), scope, None, send)
    return sent[0]["status"], dict(sent[0]["headers"])


def test_a_name_that_was_turned_to_this_machine_is_refused(explorer):
    """DNS rebinding: a page of evil.example whose name resolves to 127.0.0.1 by now; to its browser that is same-origin."""
    origin = f"http://evil.example:{explorer.port}"
    status, answer = explorer.send(head(explorer, host="evil.example", Origin=origin, Sec_Fetch_Site="same-origin"))
    assert status == 421
    assert b"koch" not in answer


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "https://127.0.0.1:{port}", "http://127.0.0.1:1", "http://localhost:{port}", ""]
)
def test_a_foreign_origin_is_refused(explorer, origin):
    for path in ("/api/hierarchies", "/"):
        assert explorer.send(head(explorer, path, Origin=origin.format(port=explorer.port)))[0] == 403


def test_its_own_origin_is_answered(explorer):
    assert explorer.send(head(explorer, Origin=explorer.origin))[0] == 200
    assert explorer.send(head(explorer, host="localhost", Origin=f"http://localhost:{explorer.port}"))[0] == 200
    assert explorer.send(head(explorer, Origin=explorer.origin) + "\nOrigin: http://evil.example")[0] == 403


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 403), ("x", 403), ("same-origin", 200), ("none", 200)]
)
def test_what_the_browser_says_of_the_site(explorer, site, status):
    assert explorer.send(head(explorer, Sec_Fetch_Site=site))[0] == status


def test_a_preflight_of_another_page_is_refused(explorer):
    asked = head(explorer, Origin="http://evil.example", Access_Control_Request_Method="POST").replace("GET", "OPTIONS", 1)
    status, answer = explorer.send(asked)
    assert status == 403
    assert b"access-control-allow" not in answer.lower()


@pytest.mark.parametrize(
    "path",
    [
        "/page/../safety.py",
        "/page/%2e%2e/safety.py",
        "/page/..%2fsafety.py",
        "/page/%2e%2e%2fserver.py",
        "/page//etc/passwd",
        "/page/%2fetc%2fpasswd",
        "/page/..%5csafety.py",
        "/page/",
        "/page",
        "/page/nothing.js",
        "/page/index.html%00.js",
        "/page/./index.html",
        "/../../etc/passwd",
        "/etc/passwd",
        "/api",
        "/api/",
        "/api/../page/index.html",
        "/favicon.ico",
    ],
)
def test_what_is_no_file_of_the_page_is_not_found(explorer, path):
    status, answer = explorer.send(head(explorer, path))
    assert status == 404
    assert b"root:" not in answer
    assert b"import" not in answer


def test_every_answer_has_the_headers(explorer):
    answers = [explorer.get(path) for path in ("/", "/api/hierarchies", "/nowhere", "/api/live")]
    answers += [explorer.post("cell", id="koch"), explorer.post("cell", id="koch", address="/0")]
    answers += [httpx.get(explorer.origin + "/api/x", trust_env=False), explorer.get("/", headers={"origin": "null"})]
    assert {answer.status_code for answer in answers} >= {200, 400, 401, 403, 404}
    for answer in answers:
        assert answer.headers["content-security-policy"] == CSP
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "server" not in answer.headers
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_policy_is_the_agreed_one():
    assert CSP == (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; worker-src 'self'; img-src 'self' data: "
        "blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
    assert guarded(hosts=["127.0.0.1:80"])[1][b"cache-control"] == b"no-store"


def test_what_is_too_large_is_refused(explorer):
    assert "bytes" in explorer.ask("place", code=413, id="koch", addresses=["/0/1" * 100] * 10_000)["error"]
    told = head(explorer, "/api/cell").replace("GET", "POST", 1) + "\nContent-Length: 10000000000"
    assert explorer.send(told)[0] == 413  # nothing of it is waited for
    assert "at most 8,000 letters" in explorer.ask("cell", code=400, id="koch", address="/0" * 5_000)["error"]
    view = {"anchor": "/0" * 5_000, "p": [0, 0], "z": 1.0, "width": 100, "height": 100}
    assert "at most 8,000 letters" in explorer.ask("cut", code=400, id="koch", view=view)["error"]
    view["anchor"] = "/"
    for wrong in ({"cap": 1_000_001}, {"cap": 0}, {"cap": "many"}, {"px": 0}, {"margin": 9}, {"axes": 3}, {"color": 4}):
        assert "expected" in explorer.ask("cut", code=400, id="koch", view=view, **wrong)["error"], wrong
    assert explorer.ask("points", code=400, id="koch", address="/", count=501)
    assert explorer.ask("search", code=400, id="koch", text="x", limit=201)
    assert explorer.send(head(explorer, "/" + "x" * 100_000))[0] in (400, 404, 414)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'{"id": NaN}', b"[" * 100_000, b"\xff\xfe", b'{"id": 3}'])
def test_what_is_no_question_is_refused(explorer, body):
    headers = {"authorization": f"Bearer {explorer.token}"}
    answer = httpx.post(f"{explorer.origin}/api/cell", content=body, headers=headers, timeout=SECONDS, trust_env=False)
    assert answer.status_code == 400
    assert "expected" in answer.json()["error"]


def test_methods_are_those_of_the_protocol(explorer):
    assert explorer.get("/api/cell").status_code == 405
    assert explorer.post("hierarchies").status_code == 405
    assert httpx.delete(explorer.origin + "/", trust_env=False).status_code == 405


# -- what is told of a file


def test_unknown_ids_and_addresses_say_what_is_there(explorer):
    assert "there are: koch" in explorer.ask("cell", code=404, id="fern", address="/")["error"]
    assert "there are: koch" in explorer.ask("scene", code=404, id="<script>")["error"]
    assert explorer.ask("cell", code=404, id="koch", address="no address")
    assert "slot" in explorer.ask("cell", code=404, id="koch", address="/0/9")["error"]
    assert "needs a store" in explorer.ask("query", code=400, cypher="RETURN 1")["error"]


def test_the_panel_of_a_cell(explorer):
    cells = sources.ifs(id="koch", maps="koch", depth=3).cells
    found = explorer.ask("cell", id="koch", address="/0/1")
    row = cells.row("/0/1")
    assert found["stored"] is True
    assert (found["level"], found["state"], found["child_count"]) == (2, "Expanded", 4)
    assert found["center"] == cells.center[row].tolist()
    assert (found["scale"], found["length"]) == (cells.scale[row], cells.length[row])
    assert [child["address"] for child in found["children"]] == [f"/0/1/{slot}" for slot in range(4)]
    assert [parent["address"] for parent in found["parents"]] == ["/0"]
    assert [above["address"] for above in found["above"]] == ["/", "/0"]
    assert found["subtree"]["cells"] == 5
    assert 0 < found["reach"] <= found["radius"]
    assert found["cypher"] is None
    file = explorer.get("/api/hierarchies").json()["file"]
    assert f"sources.parquet({file!r})" in found["python"]


def test_the_panel_below_what_is_stored(explorer):
    deep = "/0" + "/1" * 99
    found = explorer.ask("cell", id="koch", address=deep)
    assert (found["stored"], found["state"], found["level"]) == (False, "by the rule", 100)
    assert found["child_count"] == 4
    assert found["subtree"] is None
    way = explorer.ask("path", id="koch", first=deep, second="/0/2")
    assert (way["ancestor"], len(way["addresses"])) == ("/0", 101)
    assert way["distance"] == pytest.approx(sum(cell["length"] or 0 for cell in way["cells"]))
    assert 0 < way["bound"] < 1e-12


def test_search_by_address(explorer):
    assert explorer.ask("search", id="koch", by="address", text=" /0/1/2/3 ")["hits"] == [{"address": "/0/1/2/3", "name": None}]
    none = explorer.ask("search", id="koch", by="address", text="/0/9")
    assert none["hits"] == []
    assert "9" in none["told"]
    assert explorer.ask("search", code=404, id="koch", by="address", text="0/9")
    assert "no names" in explorer.ask("search", code=400, id="koch", by="name", text="x")["error"]
    assert "no property" in explorer.ask("search", code=400, id="koch", by="property", property="x", text="x")["error"]
    assert "search by one of" in explorer.ask("search", code=400, id="koch", by="magic", text="x")["error"]


def view_of(explorer, id, *, width=700, height=700):
    """The view that shows all, and the scene."""
    scene = explorer.ask("scene", id=id)
    home = scene["home"]
    return {
        "anchor": home["anchor"],
        "p": home["p"],
        "z": home["z"] * min(width, height),
        "width": width,
        "height": height,
    }, scene


def test_a_cut_and_places(explorer):
    view, scene = view_of(explorer, "koch")
    assert (scene["id"], scene["beside"], scene["dimension"], scene["has_centers"]) == ("koch", None, 2, True)
    answer = explorer.post("cut", id="koch", view=view, color="level", px=2)
    assert answer.headers["content-type"] == "application/octet-stream"
    cut = Cut.from_bytes(answer.content)
    assert cut.header["dots"] == len(cut) > 60
    addresses = cut.addresses()[:50]
    places = explorer.ask("place", id="koch", view=view, addresses=[*addresses, "no address", "/9"])
    assert places["x"][:50] == pytest.approx(cut.x[:50].tolist(), abs=1e-3)
    assert places["y"][:50] == pytest.approx(cut.y[:50].tolist(), abs=1e-3)
    assert places["x"][50:] == [None, None]
    few = Cut.from_bytes(explorer.post("cut", id="koch", view=view, cap=10).content)
    assert few.header["coarse"] > 0
    assert "expected a color" in explorer.ask("cut", code=400, id="koch", view=view, color="no such")["error"]
    assert explorer.ask("cut", code=404, id="koch", view={**view, "anchor": "/9"})["error"]
    assert "zoom" in explorer.ask("cut", code=400, id="koch", view={**view, "z": -1})["error"]


def test_what_is_taken_away(explorer):
    view, _ = view_of(explorer, "koch", width=300, height=200)
    asked = {"id": "koch", "view": view, "color": "branch", "px": 5}
    picture = explorer.post("export", **asked, form="svg")
    assert picture.headers["content-disposition"] == 'attachment; filename="view.svg"'
    root = ElementTree.fromstring(picture.content)
    dots = root.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(dots) == 64
    assert (root.get("width"), root.get("height")) == ("300", "200")
    assert len(root.findall("{http://www.w3.org/2000/svg}g")) == 4  # a color a branch
    near = {**view, "anchor": "/0/0", "z": view["z"] * 1000}
    whole = explorer.post("export", **{**asked, "view": near}, form="svg-whole")
    assert len(ElementTree.fromstring(whole.content).findall(".//{http://www.w3.org/2000/svg}circle")) == len(dots)
    table = pq.read_table(io.BytesIO(explorer.post("export", **asked, form="parquet").content))
    cells = sources.ifs(id="koch", maps="koch", depth=3).cells
    rows = cells.rows(table["address"].to_pylist())
    assert table["level"].to_pylist() == cells.level[rows].tolist()
    assert table["center"].to_pylist() == cells.center[rows].tolist()
    assert table["scale"].to_pylist() == cells.scale[rows].tolist()
    assert set(table["stored"].to_pylist()) == {"stored"}
    assert json.loads(table.schema.metadata[b"cfgraph.view"])["view"]["width"] == 300
    unit = (table["x_pixels"].to_numpy().max() - table["x_pixels"].to_numpy().min()) / np.ptp(cells.center[rows, 0])
    across = table["x_pixels"].to_numpy() - table["x_pixels"].to_numpy().mean()
    assert across == pytest.approx(unit * (cells.center[rows, 0] - cells.center[rows, 0].mean()), abs=0.01)
    text = explorer.post("export", **asked, form="csv").text
    names = ["address", "level", "center_0", "center_1", "scale", "stored", "branch", "x_pixels", "y_pixels", "r_pixels"]
    lines = list(csv.DictReader(text.splitlines()))
    assert list(lines[0]) == names
    assert [[float(line["center_0"]), float(line["center_1"])] for line in lines] == table["center"].to_pylist()
    assert "level" in explorer.post("export", **{**asked, "color": "level"}, form="csv").text.splitlines()[0]
    assert "expected form to be one of" in explorer.ask("export", code=400, **asked, form="exe")["error"]


def test_the_cells_that_are_farthest_from_their_places():
    true = sources.ifs(id="koch", maps="koch", depth=3)
    moved = true.cells.center.copy()
    row = true.cells.row("/1/2/3")
    moved[row] += true.cells.scale[row] * np.array([3.0, 4.0])
    residual = true.cells.residual.copy()
    above = true.cells.parent[row]
    residual[row] = (moved[row] - true.cells.center[above]) / true.cells.scale[above]
    other = true.replace(cells=true.cells.with_columns(center=moved, residual=residual))
    with cfgraph.explore(true, beside=other, browser=False) as opened:
        page = Explorer(opened.address)
        (worst,) = page.ask("worst", id="koch", beside="koch (beside)", count=1)
        assert "displacement" in page.ask("scene", id="koch", beside="koch (beside)")["colors"]
        assert worst["address"] == "/1/2/3"
        assert worst["in_scale"] == pytest.approx(5)
        assert worst["residual_error"] == pytest.approx(5 * true.scale_factor)
        told = page.ask("cell", id="koch", beside="koch (beside)", address="/1/2/3")["beside"]
        assert (told["in_scale"], told["certificate"]) == (pytest.approx(5), None)
        assert page.ask("scene", id="koch", beside="koch (beside)")["beside"] == "koch (beside)"
        assert page.ask("worst", code=400, id="koch")["error"]
        assert page.ask("worst", code=404, id="koch", beside="nobody")["error"]
