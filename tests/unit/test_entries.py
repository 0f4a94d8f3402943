"""Parts of other packages: found by their entry points, and what is told of those that clash, do not load or are none."""

import re

import click
import numpy as np
import pytest

from cfgraph import field, sources, train
from cfgraph.cli.completing import names_of
from cfgraph.cli.ingest import command as ingest
from cfgraph.entries import ENGINES, PREDICTORS, READERS, SOURCES, load_of_others, names_of_others
from cfgraph.errors import InputError
from cfgraph.formats.readers import is_elsewhere, open_elsewhere
from cfgraph.growing.engines.find import find_engine
from cfgraph.judging.comparing import compare
from cfgraph.predictors import load_predictor
from cfgraph.predictors.registry import find_family
from cfgraph.sources.find import call_source, find_source
from cfgraph.testing import check_predictor, check_reader, check_source
from tests.packages import appear, install, install_example

CODE = """
from cfgraph import sources
from cfgraph.predictors.baselines import Zero

class Named(Zero):
    family = "another"

def engine(place, *, workers): return object()
def reader(place): return {}
def koch(*, id, depth=2): return sources.ifs("koch", id=id, depth=depth)
def any(data, *, id, **options): return sources.ifs("koch", id=id, depth=len(options))
def renamed(*, id): return koch(id="always")
def bare(*, id): return koch(id=id).without_cells()
def unsound(*, id):
    made = koch(id=id)
    return made.with_cells(made.cells.with_columns(center=made.cells.center * 1.1 + 1.0))
number = 7
"""
ENTRIES = {
    "cfgraph.engines": {"nowhere": "theirs:engine", "ray": "theirs:engine"},
    "cfgraph.predictors": {"named": "theirs:Named", "plain": "theirs:koch", "mlp": "theirs:Named", "gone": "theirs:Gone"},
    "cfgraph.readers": {"shelf": "theirs:reader", "twice": "theirs:reader", "lost": "theirs.nowhere:reader"},
    "cfgraph.sources": {
        **{name: f"theirs:{name}" for name in ("koch", "any", "renamed", "bare", "unsound", "number")},
        "torn": "torn:source",
        "points": "theirs:koch",
    },
}


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """Two packages of others, with all that can be wrong."""
    install(tmp_path, "their-parts", ENTRIES, theirs=CODE, torn="raise OSError('no such disk')")
    install(tmp_path, "other-parts", {"cfgraph.readers": {"twice": "theirs:reader"}})
    appear(monkeypatch, tmp_path, "theirs", "torn")


def test_nothing_of_others_is_there_by_itself():
    for group in (ENGINES, PREDICTORS, READERS, SOURCES):
        assert names_of_others(group) == ()
        assert load_of_others(group, "it") is None
    assert not is_elsewhere("shelf:place")


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (
            lambda: find_engine("ray:there", workers=1),
            "engine 'ray' is there more than once: cfgraph itself and the distribution 'th",
        ),
        (
            lambda: find_engine("nowhere", workers=1),
            "'nowhere' of the distribution 'their-parts' .* to be an Engine, got obj",
        ),
        (lambda: find_engine("what", workers=1), r"such as processes, .*, nowhere, got 'what'"),
        (lambda: find_family("mlp"), "cfgraph itself and the distribution 'their-parts' .mlp = theirs:Named.; uninstall"),
        (lambda: find_family("plain"), "expected a class of cfgraph.predictors.Predictor as the family 'plain'"),
        (lambda: find_family("named"), "to have family = 'named', got 'another': what was trained is found again"),
        (lambda: find_family("gone"), "family 'gone' cannot be loaded: AttributeError: .*'their-parts'.*install that anew"),
        (lambda: find_family("what"), "zero, .*gone, named, plain, got 'what'; one of another package"),
        (lambda: train(sources.ifs("koch", id="koch", depth=3), family="what"), "auto, zero, .*gone, named, plain, got 'what'"),
        (lambda: train(sources.ifs("koch", id="koch", depth=3), family="gone"), "cannot be loaded"),
        (lambda: load_predictor(b"", {"family": "what"}), "needs that installed here"),
        (lambda: open_elsewhere("shelf:x"), "the reader 'shelf' of the distribution 'their-parts' .* got dict"),
        (lambda: open_elsewhere("twice:x"), "(?=.*'other-parts').*reader 'twice' is there more than once: .*'their-parts'"),
        (lambda: open_elsewhere("lost:x"), "cannot be loaded: ModuleNotFoundError"),
        (lambda: open_elsewhere("what:x"), "expected a reader out of lost, shelf, twice, got 'what:x'"),
        (lambda: compare(None, "shelf:x", "shelf:y"), "the reader 'shelf'"),
        (lambda: find_source("points"), "the source 'points' is there more than once: cfgraph itself and"),
        (lambda: find_source("number"), "expected a function as the source 'number' of .*, got 7"),
        (lambda: find_source("what"), "cfg, .*, any, bare, koch, number, renamed, torn, unsound, got 'what'"),
        (lambda: find_source("torn"), "cannot be loaded: OSError: no such disk; it comes from the distribution 'their-parts'"),
        (lambda: call_source("koch", "data.csv", id="it"), r"'koch' takes depth=2: too many positional"),
        (lambda: call_source("koch", id="it", arguments=["height=2"]), "takes depth=2: .*height"),
        (lambda: call_source("any", id="it"), r"takes data, \*\*options: missing a required argument: 'data'"),
        (lambda: call_source("koch", id="it", arguments=["depth"]), "expected ARGUMENT=VALUE, got 'depth'"),
        (lambda: call_source("renamed", id="it"), "give a hierarchy of the id 'it', got 'always'"),
        (lambda: call_source("bare", id="it"), "with its cells, got FieldHierarchy"),
        (lambda: call_source("unsound", id="it"), "'unsound' of .* gave cells that are not sound: .*center"),
    ],
)
def test_what_is_wrong_is_told_with_its_distribution(theirs, ask, told):
    with pytest.raises(InputError, match=told):
        ask()


def test_a_source_is_called_with_its_arguments(theirs):
    assert call_source("koch", id="it", arguments=["depth=3"]).cells.depth == 3
    assert call_source("any", "data.csv", id="it", arguments=["a=x", "b=[1, 2]"]).cells.depth == 2
    assert find_source("ifs") is sources.ifs


def test_what_is_listed_is_not_loaded(theirs):
    context = click.Context(ingest, info_name="ingest")
    names = ingest.list_commands(context)
    assert names[0] == "cfg"
    assert names[-6:] == ["bare", "koch", "number", "renamed", "torn", "unsound"]
    assert names.count("points") == 1
    told = ingest.get_command(context, "torn")
    assert told.short_help == "A source of the distribution 'their-parts' (torn = torn:source)."
    assert ingest.get_command(context, "ifs").name == "ifs"
    assert ingest.get_command(context, "what") is None
    with pytest.raises(InputError, match="cfgraph itself and the distribution 'their-parts'"):
        ingest.resolve_command(context, ["points", "data.csv"])
    assert "koch" not in names_of("families", context)
    assert {"auto", "mlp", "named"} <= set(names_of("families", context))


def test_help_is_what_a_source_says_of_itself(tmp_path, monkeypatch):
    install_example(tmp_path)
    appear(monkeypatch, tmp_path, "mypackage")
    context = click.Context(ingest, info_name="ingest")
    command = ingest.get_command(context, "outline")
    shown = " ".join(command.get_help(click.Context(command, info_name="outline", parent=context)).split())
    assert "An outline: each line a cell, under the line above it" in shown
    assert "It takes data, blanks=2." in shown
    assert "--set ARGUMENT=VALUE" in shown


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The package of docs/extending.md, and its tests by their names."""
    found = {}
    tests = install_example(tmp_path)
    appear(monkeypatch, tmp_path, "mypackage")
    exec(compile(tests, "docs/extending.md", "exec"), found)
    return found


def test_the_example_in_the_docs_passes_its_own_tests(example, tmp_path):
    example["test_predictor"]()
    example["test_reader"](tmp_path)
    example["test_source"](tmp_path)
    assert [example[check.__name__] is check for check in (check_predictor, check_reader, check_source)] == [True] * 3


def test_a_family_of_another_package_is_trained_and_loaded(example):
    trained = train(sources.ifs("koch", id="koch", depth=3), family="median")
    assert trained.family == "median"
    assert {"median", "zero"} <= set(trained.folds)
    predictor = trained.load()
    assert type(predictor) is example["Median"]
    assert re.match("nMSE|its nMSE", trained.judged_by)


def test_a_reader_of_another_package_is_compared_and_located_in(example, tmp_path):
    koch = sources.ifs("koch", id="koch", depth=4)
    example["save_archive"](koch, tmp_path / "koch.npz")
    title = f"archive:{tmp_path / 'koch.npz'}"
    assert is_elsewhere(title)
    report = compare(None, title, title)
    assert all(level.rolled_out.mse == 0 for level in report.levels)
    answering = field(open_elsewhere(title), maps="koch")
    x = koch.cells.center[[7, 90]]
    np.testing.assert_array_equal(answering.locate(x, depth=6).addresses, field(koch, maps="koch").locate(x, depth=6).addresses)
    with pytest.raises(InputError, match="named by its id in a store, got 'rule' beside a reader"):
        field(open_elsewhere(title), predictor="rule")
