"""Progress: a function of one's own, a live line where somebody sees it, or nothing."""

import inspect
import io

import pytest

import cfgraph
from cfgraph.growing import rollout
from cfgraph.model import progress
from cfgraph.model.progress import is_seen, shown


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


def test_a_function_is_told():
    told = []
    with shown(lambda done, total: told.append((done, total)), "it") as show:
        show(1, 2)
    assert told == [(1, 2)]
    assert is_seen(print)


@pytest.mark.parametrize(
    ("asked", "terminal", "line"),
    [
        (None, False, False),
        (None, True, True),
        (True, False, True),
        (True, True, True),
        (False, True, False),
    ],
)
def test_a_line_where_somebody_sees_it(asked, terminal, line, monkeypatch):
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    assert is_seen(asked) is line
    with shown(asked, "write [bold]\x1b[31mit") as show:
        show(3, 9)
    assert ("3/9" in stream.getvalue()) is line
    assert "\x1b[31mit" not in stream.getvalue()


@pytest.mark.parametrize("verb", ["compare", "certify", "diff", "export", "verify", "snapshot"])
def test_verbs_that_read_a_store_show_a_line_where_somebody_sees_it(verb):
    assert inspect.signature(getattr(cfgraph, verb)).parameters["progress"].default is None


def test_programs_without_a_console(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)
    assert not is_seen(None)


def test_notebooks_are_seen(monkeypatch):
    monkeypatch.setitem(progress.sys.modules, "IPython", progress)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert progress._somebody_looks()


def test_a_growth_asks_for_no_status_that_nobody_sees():
    with rollout._status_shown(None, None, id="it") as show:
        assert show is None
    with rollout._status_shown(print, True, id="it") as show:
        assert show is print
    told = []
    with rollout._status_shown(None, lambda *numbers: told.append(numbers), id="it") as show:
        show(type("Status", (), {"grown": 3, "total": None}))
    assert told == [(3, 0)]
