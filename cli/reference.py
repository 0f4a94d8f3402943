"""The reference of the command line, docs/cli.md, written from the commands themselves: ``python -m cfgraph.cli.reference``."""

import inspect
import re
from collections.abc import Iterator

import click

HEAD = """\
# The command line

Written from the commands themselves by `python -m cfgraph.cli.reference > docs/cli.md`; a test fails where this page and the
commands differ. `cfgraph COMMAND --help` says the same in the shell. Every option can also be given as an environment
variable, whose name stands beside it; what is typed wins. Data goes to stdout, talk to stderr.

Exit codes: 0 done, 1 the answer is no, or what the graph holds is damaged, 2 wrong usage or bad input, 3 the store is not
reachable or refuses, 4 what was worked on vanished or is another's, 130, 137, 141 and 143 after signals.
"""


def write_reference(group: click.Group, *, name: str = "cfgraph") -> str:
    """The reference of a group and of every command in it, as Markdown."""
    contexts = list(walk_commands(group, name=name))
    contents = "\n".join(f"* [`{c.command_path}`](#{_anchor(c.command_path)}): {_summary(c.command)}" for c in contexts)
    sections = (_section(context) for context in contexts)
    return "\n".join([HEAD, contents, "", *sections]).rstrip() + "\n"


def walk_commands(command: click.Command, *, name: str, parent: click.Context | None = None) -> Iterator[click.Context]:
    """A context for the command and for every one below it that is not hidden, in the order in which help lists them."""
    context = command.context_class(command, info_name=name, parent=parent, **command.context_settings)
    yield context
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            if found is not None and not found.hidden:
                yield from walk_commands(found, name=below, parent=context)


def examples_of(command: click.Command) -> list[str]:
    """The example lines that end a command's help, without the word ``Example``."""
    lines = inspect.cleandoc((command.epilog or "").replace("\b", "")).splitlines()
    stripped = (re.sub(r"^Examples?:\s*", "", line.strip()) for line in lines)
    return [line for line in stripped if line]


def _anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")


def _summary(command: click.Command) -> str:
    return command.get_short_help_str(limit=200)


def _section(context: click.Context) -> str:
    command, path = context.command, context.command_path
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    parts = [f"## {path}", _prose(command.help or ""), f"    {usage}", *_parameters(context)]
    examples = examples_of(command)
    if examples:
        parts += ["Example:", "\n".join(f"    {line}" for line in examples)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _prose(text: str) -> str:
    """A help text as Markdown: what click would not wrap again becomes a block of its own."""
    paragraphs = inspect.cleandoc(text.split("\f")[0]).split("\n\n")
    return "\n\n".join(_paragraph(paragraph) for paragraph in paragraphs)


def _paragraph(paragraph: str) -> str:
    lines = paragraph.splitlines()
    if lines and lines[0].strip() == "\b":
        return "\n".join(f"    {line}" for line in lines[1:])
    return paragraph


def options_of(command: click.Command) -> list[click.Option]:
    """The options of a command but ``--help``, which all have, and hidden ones."""
    return [option for option in command.params if isinstance(option, click.Option) and not option.hidden]


def _parameters(context: click.Context) -> Iterator[str]:
    records = (option.get_help_record(context) for option in options_of(context.command))
    lines = [_option(*record) for record in records if record is not None]
    if lines:
        yield "\n".join(lines)


def _option(names: str, description: str) -> str:
    """One option as a list item; what click adds in brackets (environment variable, default, range) comes last."""
    words, bracket, extra = description.rpartition("  [") if description.endswith("]") else (description, "", "")
    return f"* `{names}`  {words or description}" + (f" `[{extra}`" if bracket else "")


if __name__ == "__main__":
    from . import cfgraph

    click.echo(write_reference(cfgraph), nl=False)
