"""Errors speak of arguments to Python, and of options to those at a shell."""

import copy
import json
import pickle
import re

import numpy as np
import pytest
from neo4j import exceptions

import cfgraph
from cfgraph import errors, sources
from cfgraph.cli import TerminatedError
from cfgraph.errors import InputError, Note, as_arguments, words_of_the_shell
from cfgraph.formats import export_hierarchy
from cfgraph.formats.parquet import read_parquet
from cfgraph.model.as_json import to_json
from cfgraph.store.refusals import explained


@pytest.fixture
def in_python(monkeypatch):
    """Errors as a program meets them."""
    monkeypatch.setattr(errors, "_shell", False)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("leave --key out", "leave key out"),
        ("say which with --key: one, two", "say which with key: one, two"),
        ("--header yes reads it", 'header="yes" reads it'),
        ("say --duplicates keep or --duplicates drop", 'say duplicates="keep" or duplicates="drop"'),
        ("--svd 100 would do; --sample 2000 takes some", "svd=100 would do; sample=2000 takes some"),
        ("say --size 12x9 to bring", 'say size="12x9" to bring'),
        ("--large reads it all the same", "large=True reads it all the same"),
        ("leave --bulk out", "leave bulk out"),
        ("take --start split, or leave --no-surgery out", 'take start="split", or leave surgery=False out'),
        ("--condense M keeps, --levels L cuts", "condense=M keeps, levels=L cuts"),
        ("an id (--as); --from-depth", "an id (id); from_depth"),
        ("--embeddings-header no is about", 'embeddings_header="no" is about'),
        ("say --encoder FILE (its", "say encoder=FILE (its"),
        ("`cfgraph place it --remove NAME`; then --batch", "`cfgraph place it --remove NAME`; then batch"),
        ("got '--key' and /tmp/--large and a--b", "got '--key' and /tmp/--large and a--b"),
        ("one -- two --- three", "one -- two --- three"),
        ("ingest them with --points, or with names", "ingest them with points=True, or with names"),
        ("--sharpness 1, which", "sharpness=1, which"),
        ("ends with --depth 3.", "ends with depth=3."),
        (
            "Then leave it out, with --columns cat,dog,a b; else name it",
            'Then leave it out, with columns=["cat", "dog", "a b"]; else name it',
        ),
        ("pick other columns with --columns", "pick other columns with columns"),
        ("with --columns (a header is a first line, in a table)", "with columns (a header is a first line, in a table)"),
        ("but --form treemap draws none", 'but form="treemap" draws none'),
        ("--color-by and --labels are for pictures", "color_by and labels are for pictures"),
        ("does not go with --color-by cut:4; leave", 'does not go with color_by="cut:4"; leave'),
        ("go on with --predictor rule and --to-depth 5", 'go on with predictor="rule" and to_depth=5'),
        ("take it back: cfgraph place it --remove NAME", "take it back: cfgraph place it --remove NAME"),
        (
            "back (cfgraph place it --remove x), or name another with --batch",
            "back (cfgraph place it --remove x), or name another with batch",
        ),
    ],
)
def test_options_become_arguments(written, told, in_python):
    assert as_arguments(written) == told
    assert str(InputError(written)) == told
    with words_of_the_shell():
        assert str(InputError(written)) == written
    assert str(InputError(written)) == told


def test_notes_are_shown_in_the_words_of_whom_they_are_told(in_python):
    note = Note("columns were found between ';'; --separator says another sign")
    told = "columns were found between ';'; separator says another sign"
    assert (str(note), f"{note}", repr(note), repr((note,))) == (told, told, repr(told), repr((told,)))
    assert note == "columns were found between ';'; --separator says another sign"  # what is kept, and compared
    assert json.loads(to_json({"notes": (note,)})) == {"notes": [told]}
    with words_of_the_shell():
        assert str(note) == f"{note}" == "".join([note])
        assert json.loads(to_json({"notes": (note,)})) == {"notes": ["".join([note])]}
    assert str(copy.deepcopy(note)) == str(pickle.loads(pickle.dumps(note))) == told


def test_notes_of_hierarchies_are_kept_as_written_and_shown_in_words_of_python(in_python, tmp_path):
    (tmp_path / "it.txt").write_text("child;parent\na;r\nb;r\n")
    found = sources.edges(tmp_path / "it.txt", id="it")
    assert str(found.notes[0]).endswith("; separator says another sign")
    assert "; separator says another sign" in repr(found.notes)
    assert "; separator says another sign" in found._repr_html_()
    assert found.model_dump(mode="json")["notes"][0].endswith("; --separator says another sign")
    assert found.replace(id="other").notes == found.notes
    export_hierarchy(found, tmp_path / "it.parquet")
    again = read_parquet(tmp_path / "it.parquet").hierarchy
    assert again.notes == found.notes
    assert str(again.notes[0]) == str(found.notes[0])


def test_errors_of_calls_speak_of_arguments(in_python):
    with pytest.raises(InputError, match=r'say duplicates="keep" or duplicates="drop"$'):
        sources.points(np.zeros((4, 2)), depth=1)
    with pytest.raises(InputError, match="expected one of clusters, height and level for a cut, got clusters, level"):
        cfgraph.evaluate(sources.linkage(np.array([[0, 1, 1.0, 2]])), labels=[1, 2], clusters=2, level=1)


@pytest.mark.parametrize("source", ["points", "images", "induced", "ifs", "cfg"])
def test_a_depth_that_nobody_gave_is_told(source, in_python):
    data = {"points": [np.eye(4)], "images": [np.zeros((4, 2, 2, 3), np.uint8)], "induced": [np.eye(4)], "ifs": ["koch"]}
    with pytest.raises(InputError, match=r"expected a whole number at least 0 as depth, and none was given; say depth=N$"):
        getattr(sources, source)(*data.get(source, []))


def test_messages_of_the_code_leave_no_option_behind():
    """Every option that a message of the library names is told by its argument."""
    from pathlib import Path

    folder = Path(cfgraph.__file__).parent
    texts = [file.read_text() for file in folder.rglob("*.py") if file.name not in ("neo4j_admin.py", "errors.py")]
    lines = [line for text in texts for line in text.splitlines() if re.search(r"InputError\(", line) and "--" in line]
    assert len(lines) > 20
    for line in lines:
        outside = re.sub("`[^`]*`|cfgraph [a-z].*", "", as_arguments(line))
        assert not re.search(r"(?<![\w/'\"-])--[a-z]", outside), line


def test_a_signal_is_not_hidden_by_what_closing_a_session_met():
    """Half a message was sent when Ctrl-C came: the server calls what follows an error, and that is not what happened."""

    def interrupted(signal):
        with explained("bolt://somewhere"):
            try:
                raise signal
            finally:
                try:
                    raise exceptions.ServiceUnavailable("defunct")
                except exceptions.ServiceUnavailable:
                    raise exceptions.ClientError("Expected MAP but got STRUCT")  # noqa: B904  # as the driver does

    for signal in (KeyboardInterrupt, TerminatedError):
        with pytest.raises(signal):
            interrupted(signal())
    with pytest.raises(errors.StoreError):
        interrupted(ValueError("no signal"))
