"""Several stores as one: a hierarchy lies on one of them, and whoever reads finds it there."""

import json
import os
import signal
from urllib.parse import urlsplit

import psutil
import pytest

from cfgraph import compare, diff, sources
from cfgraph.cli import run as run_here
from cfgraph.errors import InputError, NotFoundError, StoreUnavailableError
from cfgraph.growing.describe import describe
from cfgraph.server.local import LocalServer
from cfgraph.settings import load_settings
from cfgraph.store import Store, Stores
from cfgraph.store.stores import stores_named
from cfgraph.transfer.export import export

AWAY = "bolt://127.0.0.1:9"  # the port of discard, where nothing listens


@pytest.fixture(scope="module")
def server(store):
    """The tests' server, twice: by its number and by its name."""
    access = store.access
    port = urlsplit(access.uri).port
    settings = load_settings().model_copy(update={"username": access.username, "password": access.password})
    return [f"bolt://127.0.0.1:{port}", f"bolt://localhost:{port}"], settings


@pytest.fixture
def pair(store, new_id):
    """Two hierarchies, one of which has a level more."""
    koch = sources.ifs(id=new_id("koch"), maps="koch", depth=3)
    deeper = sources.ifs(id=new_id("deeper"), maps="koch", depth=4)
    for hierarchy in (koch, deeper):
        store.write(hierarchy)
    return koch.id, deeper.id


@pytest.fixture
def named(place, server, monkeypatch):
    """A file of the two, one under the name of each kind of password, and one that is away."""
    (one, other), settings = server
    monkeypatch.setenv("THEIR_PASSWORD", settings.password.get_secret_value())
    place("password", settings.password.get_secret_value() + "\n")
    return place(
        "stores.toml",
        f'[lab]\nurl = "{one}"\npassword_variable = "THEIR_PASSWORD"\n'
        f'[home]\nurl = "{other}"\nusername = "{settings.username}"\npassword_file = "password"\n'
        f'[gone]\nurl = "{AWAY}"\npassword_variable = "THEIR_PASSWORD"\n',
    )


def test_what_one_holds_is_found_and_what_several_hold_is_asked_for(server, pair):
    urls, settings = server
    names = [url.removeprefix("bolt://") for url in urls]
    with Stores.open([urls[0], AWAY], settings=settings) as stores:
        found, id = stores.resolve(pair[0])
        assert (found.hierarchy(id).id, [name for name, _ in stores.there]) == (pair[0], [names[0]])
        assert [member.name for member in stores.away] == ["127.0.0.1:9"]
        with pytest.raises(StoreUnavailableError, match=r"no store that answers holds 'nobody'; 127\.0\.0\.1:9 is away"):
            stores.resolve("nobody")
    with Stores.open(urls, settings=settings) as stores:
        with pytest.raises(InputError, match=f"hold a '{pair[0]}' each; say which is meant: {names[0]}:"):
            stores.resolve(pair[0])
        assert stores.resolve(f"{names[1]}:{pair[0]}")[1] == pair[0]
        with pytest.raises(NotFoundError, match=f"no 'nobody' on {names[0]} and {names[1]}"):
            stores.resolve("nobody")


def test_verbs_find_each_side_where_it_lies(named, pair, tmp_path):
    koch, deeper = f"lab:{pair[0]}", f"home:{pair[1]}"
    with Stores.open(named) as stores:
        assert describe(stores, koch)["cells"] == 85
        found = diff(koch, deeper, store=stores)
        assert (found.both, found.kinds["only second"].count) == (85, 256)
        report = compare(stores, koch, koch)
        assert (report.true, report.predicted) == (pair[0], pair[0])
        export(stores, deeper, output=tmp_path / "deeper.parquet")
        with pytest.raises(StoreUnavailableError, match="'koch' is asked of a store that does not answer: gone is away"):
            describe(stores, "gone:koch")


def test_commands_read_several(named, pair, capfd, monkeypatch):
    def told(*words, stores=(named,), code=0):
        assert (run_here([*(word for url in stores for word in ("--store", str(url))), *words]) or 0) == code
        return capfd.readouterr()

    koch, deeper = pair
    rows = json.loads(told("ls", "--format", "json").out)
    assert {(row["store"], row["id"]) for row in rows} >= {("lab", koch), ("home", koch), ("lab", deeper), ("gone", None)}
    assert [row["state"] for row in rows if row["store"] == "gone"] == ["away"]
    assert "cells: 85" in told("show", f"lab:{koch}").out
    assert "they part at level 4" in told("diff", f"lab:{koch}", f"home:{deeper}", code=1).out
    assert f"say which is meant: lab:{koch}" in told("show", koch, code=2).err
    assert "this works in one store, and --store names a file of several" in told("verify", koch, code=2).err
    assert "a file of stores names them all" in told("ls", stores=(named, AWAY), code=2).err
    monkeypatch.setenv("NEO4J_PASSWORD", "x")
    assert "none of the stores answers" in told("ls", stores=(AWAY, f"{AWAY}0"), code=3).err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "names none; expected a table a store"),
        ("[lab", "cannot be read"),
        ("lab = 'bolt://lab:7687'", "says lab = 'bolt://lab:7687'"),
        ("[lab]\nurl = 'bolt://lab'\npassword = 'secret'", "holds the password of 'lab'; name the variable"),
        ("[lab]\nurl = 'bolt://lab'\npasword_variable = 'X'", "store 'lab', pasword_variable: Extra inputs"),
        ("[lab]\nusername = 'me'", "store 'lab', url: Field required"),
        ("[lab]\nurl = 'bolt://lab'\n[labor]\nurl = 'bolt://lab'", "names one store twice, as 'lab' and as 'labor'"),
        ("[lab]\nurl = 'bolt://lab'\npassword_variable = 'NOT_SET_AT_ALL'", "in NOT_SET_AT_ALL, a variable that is not set"),
        ("[lab]\nurl = 'bolt://lab'\npassword_file = 'nowhere'", "cannot be read"),
        ("[lab]\nurl = 'bolt://lab'\npassword_file = 'a'\npassword_variable = 'B'", "names its password twice"),
        ("[lab]\nurl = 'nowhere'\npassword_variable = 'HOME'", "expected a store URL"),
    ],
)
def test_a_file_that_says_something_else(place, text, told):
    with pytest.raises(InputError) as failed:
        Stores.open(place("stores.toml", text))
    assert told in str(failed.value)
    assert "secret" not in str(failed.value)


def test_stores_behind_urls_are_named_by_host_or_folder():
    urls = ["neo4j+s://lab:7687", "local", "local:data/here", "local:there/here"]
    assert list(stores_named(urls, settings=load_settings())) == ["lab:7687", "local", "here-3", "here-4"]


def test_urls_that_are_none_or_doubled():
    for urls in ([], [AWAY, AWAY]):
        with pytest.raises(InputError, match="expected the URL of each store once"):
            Stores.open(urls)


@pytest.mark.slow("a server of its own, which is killed")
def test_one_goes_away_and_the_rest_works(store, store_url, pair, tmp_path, place):
    here = LocalServer(tmp_path / "here", settings=load_settings(), say=lambda line: None)
    try:
        with Store.open(f"local:{here.home.directory}", say=lambda line: None) as mine:
            mine.write(sources.ifs(id="koch", maps="koch", depth=4))
        there = store.access
        place("password", there.password.get_secret_value())
        ours = f'[ours]\nurl = "{there.uri}"\nusername = "{there.username}"\npassword_file = "password"\n'
        file = place("stores.toml", f'{ours}[mine]\nurl = "local:here"\n')
        with Stores.open(file, say=lambda line: None) as stores:
            assert diff(pair[1], "koch", store=stores).equal
            process = psutil.Process(here.status().pid)
            os.kill(process.pid, signal.SIGKILL)
            process.wait(60)
            assert describe(stores, pair[0])["cells"] == 85
            with pytest.raises(StoreUnavailableError, match="no store that answers holds 'koch'; mine is away"):
                describe(stores, "koch")
    finally:
        here.stop()
