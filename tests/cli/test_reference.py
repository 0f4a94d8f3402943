"""Every command explains itself: docs/cli.md is what the commands say, options show their variables, help ends in examples."""

from pathlib import Path

import click
import pytest

from cfgraph.cli import COMMANDS, cfgraph
from cfgraph.cli.reference import examples_of, options_of, walk_commands, write_reference

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
CONTEXTS = list(walk_commands(cfgraph, name="cfgraph"))
WITHOUT_VARIABLE = ("version",)  # it prints and exits, there is nothing to set


def test_docs_cli_is_what_the_commands_say():
    assert PAGE.read_text(encoding="utf-8") == write_reference(cfgraph), (
        "docs/cli.md differs from the commands; run: python -m cfgraph.cli.reference > docs/cli.md"
    )


def test_every_command_is_walked():
    paths = {context.command_path for context in CONTEXTS}
    assert {f"cfgraph {name}" for name in COMMANDS} < paths
    assert {"cfgraph ingest cfg", "cfgraph ingest ifs", "cfgraph ingest points"} < paths


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda context: context.command_path)
def test_every_option_explains_itself_and_shows_its_variable(context):
    help_text = context.command.get_help(context)
    for option in options_of(context.command):
        if option.name in WITHOUT_VARIABLE:
            continue
        _, told = option.get_help_record(context)
        assert option.help, f"{context.command_path} {option.opts[0]} has no help"
        assert "env var: CFGRAPH_" in told, f"{context.command_path} {option.opts[0]} shows no environment variable"
    assert "env var" in help_text or not [o for o in options_of(context.command) if o.name not in WITHOUT_VARIABLE]


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda context: context.command_path)
def test_the_help_ends_with_an_example(context):
    last = context.command.get_help(context).rstrip().split("\n\n")[-1].strip()
    assert last.startswith("Example"), f"the help of {context.command_path} ends with {last!r}"
    assert any(line.startswith(("cfgraph ", "$")) or "cfgraph " in line for line in examples_of(context.command))


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda context: context.command_path)
def test_the_examples_use_options_that_there_are(context):
    words = " ".join(examples_of(context.command)).split()
    group = context.command if isinstance(context.command, click.Group) else None
    options = {
        name
        for below in (walk_commands(group, name="") if group else [context])
        for o in below.command.params
        for name in o.opts
    }
    assert {word for word in words if word.startswith("--") and len(word) > 2} <= options


def test_an_example_of_a_reference():
    @click.group(context_settings={"auto_envvar_prefix": "TOOL"}, epilog="Example: tool cut --depth 3")
    def tool():
        """A tool.

        \b
        kept  as
        it    is
        """

    @tool.command(epilog="\b\nExamples:\n  tool cut\n  tool cut --depth 3")
    @click.option("--depth", type=int, default=2, show_default=True, show_envvar=True, help="How deep.")
    @click.argument("id")
    def cut(depth, id):
        """Cut it."""

    @tool.command(hidden=True)
    def secret():
        """Not for everyone."""

    page = write_reference(tool, name="tool")
    assert "* [`tool cut`](#tool-cut): Cut it." in page
    assert "## tool cut\n\nCut it.\n\n    tool cut [OPTIONS] ID\n" in page
    assert "* `--depth INTEGER`  How deep. `[env var: TOOL_CUT_DEPTH; default: 2]`" in page
    assert "Example:\n\n    tool cut\n    tool cut --depth 3\n" in page
    assert "    kept  as\n    it    is\n" in page
    assert "secret" not in page
