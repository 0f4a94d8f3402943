"""Control characters: written out on the terminal, in pictures and in files that cannot hold them, whatever names hold."""

import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from cfgraph.cli import log, output
from cfgraph.visible import VisibleStream, visible

HOUSE = Path(__file__).parents[2]
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
SEPARATORS = "\u2028\u2029"
C0, DEL, C1 = "".join(map(chr, range(32))), "\x7f", "".join(map(chr, range(0x80, 0xA0)))
HOSTILE = C0 + DEL + C1 + BIDI + SEPARATORS + "\udfff\udc80\ud800\ufffe\uffff"
TITLE = "a\x1b]0;PWNED\x07b\x1b[31mred\x9b2Jc\u202ecod.exe"
SHOWN = r"a\x1b]0;PWNED\x07b\x1b[31mred\x9b2Jc\u202ecod.exe"


def hostile_in(text: str) -> set[str]:
    """The characters of a text that steer a terminal, but for ends of lines."""
    return {letter for letter in text if letter != "\n" and unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")} | (
        set(text) & set(BIDI)
    )


@pytest.mark.parametrize("letter", HOSTILE, ids=lambda letter: f"{ord(letter):04x}")
def test_every_control_character_is_written_out(letter):
    assert visible(f"a{letter}b") == f"a{letter.encode('unicode_escape').decode()}b"
    assert visible(visible(letter)) == visible(letter)


def test_every_character_that_steers_is_known():
    letters = map(chr, range(sys.maxunicode + 1))
    assert not hostile_in(visible("".join(letters)))


@pytest.mark.parametrize(
    "text", ["", "a b", "häßlich 数 \N{SNOWMAN}", "👩\u200d🔬", "\\x1b", "a\u00a0b\u00adc", "[red]a[/]", "𝔘"]
)
def test_other_text_stays(text):
    assert visible(text) == text
    assert visible(f"{text}\n\t{text}", lines=True) == f"{text}\n\t{text}"


def test_stream_writes_out_what_any_code_prints():
    below = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    stream = VisibleStream(below)
    print(TITLE, "second\r", file=stream)
    stream.writelines([TITLE, "\n"])
    stream.flush()
    assert below.buffer.getvalue().decode() == f"{SHOWN} second\\r\n{SHOWN}\n"
    assert (stream.encoding, stream.isatty()) == ("utf-8", False)


# -- the one place that commands print through


def printed(capsys, print_it, *words, **options) -> str:
    print_it(*words, **options)
    out = capsys.readouterr().out
    assert not hostile_in(out)
    return out


def test_lines_tables_and_json_show_no_control_characters(capsys):
    forged = f"{TITLE}\nkoch: 5 cells, every invariant holds"
    assert printed(capsys, output.print_line, forged) == f"{SHOWN}\\nkoch: 5 cells, every invariant holds\n"
    table = printed(capsys, output.print_table, [TITLE, ":dog:"], [[forged, "[red]:cat:[/red]"]], title=TITLE)
    assert table.count(SHOWN) == 3
    assert "[red]:cat:[/red]" in table
    assert ":dog:" in table
    text = printed(capsys, output.print_rows, ["name"], [[HOSTILE + "é𝔘"]], format="json")
    assert text.isascii()
    assert json.loads(text) == [{"name": HOSTILE + "é𝔘"}]


def test_json_of_pydantic_is_escaped_too(capsys):
    class Told:
        def to_json(self):
            return json.dumps({"name": "\x7f\x9b\u202e𝔘"}, ensure_ascii=False)

    text = printed(capsys, output.print_json, Told())
    assert json.loads(text) == {"name": "\x7f\x9b\u202e𝔘"}


def test_csv_keeps_values_where_no_terminal_reads(capsys):
    output.print_rows(["name"], [[TITLE]], format="csv")
    assert capsys.readouterr().out == f"name\n{TITLE}\n"


@pytest.fixture
def cfgraph_log():
    """The log of the command line, and as it was before afterwards."""
    logger = logging.getLogger("cfgraph")
    before = logger.handlers[:], logger.level, logger.propagate
    yield logger
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.mark.parametrize("verbose", [False, True])
def test_log_and_talk_are_lines_without_control_characters(cfgraph_log, capsys, verbose):
    log.start_log(verbose=verbose, format="text")
    cfgraph_log.warning("block of %s", f"{TITLE}\nforged")
    log.talk(f"{TITLE}\nforged", loud=True)
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith(f"block of {SHOWN}\\nforged")
    assert second == f"{SHOWN}\\nforged"


def test_log_of_json_keeps_values_as_escapes(cfgraph_log, capsys):
    log.start_log(verbose=False, format="json")
    cfgraph_log.warning(HOSTILE)
    log.talk(TITLE)
    lines = capsys.readouterr().err
    assert lines.isascii()
    assert [json.loads(line)["message"] for line in lines.splitlines()] == [HOSTILE, TITLE]


def test_progress_shows_no_commands_of_names(monkeypatch):
    below = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(below, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", VisibleStream(below))
    monkeypatch.setenv("TERM", "xterm-256color")
    with output.progress_bar(f"export [red]{TITLE}") as progress:
        progress(1, 2)
        log.talk(TITLE)
    below.flush()
    sent = below.buffer.getvalue().decode()
    assert "\x1b[?25l" in sent  # rich's own commands come through
    assert "\x1b]0;" not in sent
    assert "\x1b[31m" not in sent
    assert f"export [red]{SHOWN}" in re.sub("\x1b\\[[0-9;]*m", "", sent)


# -- nothing else prints


PRINTS = re.compile(r"click\.(echo|secho|style)\(|(?<![.\w])print\(|sys\.std(out|err)\.write|rich\.console import")
PRINTERS = {
    "output.py",
    "table.py",
    "log.py",
    "console.py",
    "group.py",
    "reference.py",
    "python_examples.py",
    "python_reference.py",
}  # the last ones print help and documents, or show how to


def test_commands_print_through_one_place():
    files = [file for file in (HOUSE / "cli").glob("*.py") if file.name not in PRINTERS]
    others = [f"{file.name}: {found[0]}" for file in files for found in PRINTS.finditer(file.read_text())]
    assert others == ["__init__.py: click.echo("]  # which ends the line of a ^C


# -- real processes, a real terminal


def run_in_terminal(words: list[str], **environment: str) -> str:
    """All that a command sends to the terminal that it runs in."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(words, stdin=follower, stdout=follower, stderr=follower, env=os.environ | environment)
    os.close(follower)
    sent = b""
    while True:
        try:
            part = os.read(leader, 1 << 16)
        except OSError:  # Linux's way to say that nobody writes any more
            break
        if not part:
            break
        sent += part
    process.wait()
    os.close(leader)
    return sent.decode(errors="surrogateescape")


ALL_WAYS = """
import sys, warnings
import click
from cfgraph.cli import _open_streams
from cfgraph.visible import show_controls
_open_streams(); show_controls("stdout", "stderr")
name = sys.argv[1]
click.echo(name); print(name); sys.stdout.write(name + "\\n"); click.echo(click.style(name, fg="red"))
warnings.warn(name)
raise ValueError(name)
"""


def test_terminal_gets_no_command_however_it_is_printed():
    sent = run_in_terminal([sys.executable, "-c", ALL_WAYS, TITLE.replace("\x00", "")], PYTHONUTF8="1")
    assert sent.count(r"a\x1b]0;PWNED") >= 6
    assert hostile_in(sent.replace("\r\n", "\n")) <= {"\t"}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_names_that_an_encoding_lacks_are_written_out(encoding):
    code = "from cfgraph.visible import show_controls; show_controls('stdout'); print('a\\ud800數')"
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONIOENCODING": encoding}, capture_output=True)
    assert done.stdout.decode(encoding) in ("a\\ud800數\n", "a\\ud800\\u6578\n"), done.stderr


def test_file_names_in_errors_are_written_out(run_alone, tmp_path):
    name = tmp_path / f"{TITLE.replace('/', '')}.tsv"
    done = run_alone("ingest", "edges", name, "--as", "it", code=2)
    assert not hostile_in(done.stderr)
    assert done.stderr.count("\n") == 1
    sent = run_in_terminal([run_alone.program, "ingest", "edges", str(name), "--as", "it"], PYTHONUTF8="1")
    assert not hostile_in(sent.replace("\r\n", "\n"))
