"""The demo says what it lacks before it writes anything, and stays out of stores that are there for other work."""

import re
from dataclasses import replace

import pytest

from cfgraph import sources
from cfgraph.cli import run
from cfgraph.demo import CHAPTERS, check_ids
from cfgraph.errors import InputError, StoreError
from cfgraph.learning.train import train
from cfgraph.plots import page
from cfgraph.store import Store
from cfgraph.store import store as opening


@pytest.fixture
def demo(tmp_path, monkeypatch, capfd):
    """Runs the demo in an empty folder, which must be empty afterwards; what it said."""
    monkeypatch.chdir(tmp_path)

    def refused(*words, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert run([*words, "demo"]) == 2
        assert list(tmp_path.iterdir()) == []
        return capfd.readouterr().err

    return refused


@pytest.mark.parametrize("name", ["CFGRAPH_STORE", "NEO4J_URI"])
def test_a_store_that_the_environment_names_is_for_other_work(demo, name):
    url = "local:work" if name == "CFGRAPH_STORE" else "bolt://127.0.0.1:1"
    assert "names a store for other work; say where the demo goes" in demo(**{name: url})


def test_without_matplotlib_nothing_is_begun(demo, monkeypatch):
    monkeypatch.setattr(page.importlib.util, "find_spec", lambda name: None)
    assert "drawing a picture needs matplotlib" in demo("--store", "local:work")


def test_ids_that_something_else_has_are_told_before_anything_is_made(store, new_id):
    base = new_id("koch")
    chapter = replace(CHAPTERS[1], id=base, source=lambda id: sources.ifs("koch", id=id, depth=3))
    assert check_ids(store, [chapter]) is None
    store.write(chapter.source(base))
    rule = train(store.read_whole(base), id=f"{base}-rule", depth=2, family="auto")
    store.write_predictor(rule)
    assert check_ids(store, [chapter]) is None  # what a demo left there
    with pytest.raises(InputError, match=re.escape(f"makes '{base}-rule', and the store holds something else of that id")):
        check_ids(store, [replace(chapter, learned_depth=1)])
    with pytest.raises(InputError, match=re.escape(f"`cfgraph rm {base} {base}-rule`")):
        check_ids(store, [replace(chapter, learned_depth=1, source=lambda id: sources.ifs("levy", id=id, depth=3))])
    store.remove(f"{base}-rule")
    for id in (f"{base}-rule", f"{base}-grown"):
        store.write(sources.ifs("levy", id=id, depth=1))
        with pytest.raises(InputError, match=re.escape(f"makes '{id}', and")):
            check_ids(store, [chapter])
        store.remove(id)


def test_a_store_that_is_opened_says_what_it_starts(monkeypatch, capsys):
    def connect(url, *, settings, say):
        say("started Neo4j; stop it with: cfgraph down\x1b")
        raise StoreError("far enough")

    monkeypatch.setattr(opening, "connect", connect)
    with pytest.raises(StoreError):
        Store.open("local")
    assert capsys.readouterr().err == "cfgraph: started Neo4j; stop it with: cfgraph down\\x1b\n"
    heard = []
    with pytest.raises(StoreError):
        Store.open("local", say=heard.append)
    assert (len(heard), capsys.readouterr().err) == (1, "")
