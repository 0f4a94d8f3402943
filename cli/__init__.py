"""The command line: one command a file; this is the group above them, which loads a command when it is called for."""

import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any

import click
from click.core import ParameterSource

from cfgraph.errors import CfgraphError, few_handles, words_of_the_shell
from cfgraph.loading import leave_frames_out
from cfgraph.visible import show_controls

from .completing import make_complete
from .context import Context
from .group import Group
from .log import start_log, talk

# Name -> one line of help. Listing the commands here keeps `cfgraph --help` from importing any of them; a test compares.
COMMANDS = {
    "up": "Start the local server.",
    "down": "Stop the local server.",
    "status": "Say where the local server is and what it runs.",
    "ingest": "Bring a hierarchy into the store, from one of the sources below.",
    "ls": "List hierarchies and predictors.",
    "show": "Show all that is known of a hierarchy, a predictor, or a field in a folder (FOLDER/, s3://BUCKET/...).",
    "history": "Tell what was done to a hierarchy, in the order of time: by what, when, and by which version of cfgraph.",
    "rm": "Remove hierarchies with their cells, and predictors.",
    "train": "Learn a predictor from the first levels of a hierarchy, judge it, and keep it in the graph.",
    "rollout": "Grow a hierarchy's frontier with a predictor: in place, or as a copy of its first levels.",
    "compare": "Compare a true with a predicted hierarchy, level by level, over the levels that nobody had seen.",
    "certify": "Say what can be said of a hierarchy beyond what is stored, each line by proof, by measurement, or not at all.",
    "diff": "Say what two hierarchies differ in; exit code 1 where they do, 0 where they are equal.",
    "snapshot": "Keep the state of a hierarchy under a name, to compare with later; list such states, and forget them.",
    "evaluate": "Judge a hierarchy by the classes of its points, and by embeddings of them.",
    "cut": "Flat clusters from the hierarchy ID: a number for each point, -1 for noise.",
    "path": "Path metric between two cells, with the way it takes.",
    "locate": "The cell of a level of the hierarchy ID that each point lies in, at any depth: a row a point.",
    "apply": "The cell of the hierarchy ID that each new point in FILE belongs to, an address a line.",
    "place": "Place the new points in FILE in the hierarchy ID, as a batch: each a node, IN the cell that it belongs to.",
    "drift": "Say how a batch differs from the data that ID was made of, by cell; exit code 1 where one differs, 0 where none.",
    "search": "The points of the hierarchy ID nearest to each row of FILE, found through its cells: a line a point.",
    "reconstruct": "What cells of the hierarchy ID look like among the data it was made of: an address and its numbers a line.",
    "query": "Run Cypher, or one of cfgraph's own operations, and print its rows.",
    "export": "Write the hierarchy or the predictor ID to a file.",
    "explore": "Open a page on this machine on which hierarchies are looked at, zoomed without end.",
    "plot": "Draw the cells of the hierarchy ID, each a mark at its center, colored by its level and sized by its scale.",
    "verify": "Check every invariant of a hierarchy; exit code 1 where one is broken, each violation named.",
    "upgrade": "Bring hierarchies that earlier versions made up to date, where that takes a pass over their cells.",
    "demo": "The whole story on examples.",
}


class TerminatedError(BaseException):
    """SIGTERM came: unwinds the stack so that files, sessions and leases are given back, then exit code 143."""


class UnreadError(BaseException):
    """Whoever read us has had enough (`| head`): unwinds the stack as a signal would, then exit code 141."""


@contextmanager
def _while_read() -> Iterator[None]:
    """A closed pipe and Ctrl-C as errors of our own: click and rich exit with code 1, which says that the answer is no."""
    try:
        yield
    except BrokenPipeError:
        raise UnreadError from None
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            click.echo(err=True)  # ends the line in which the terminal shows ^C
        raise click.Abort from None
    except SystemExit as exit_:
        if isinstance(exit_.__context__, BrokenPipeError):  # rich's way
            raise UnreadError from None
        raise


class LazyGroup(Group):
    """A group whose commands are imported when they are called for."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """As ever; --help prints here."""
        with _while_read():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """As ever; commands print here."""
        with _while_read():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command, imported; every option shows its environment variable."""
        if name not in COMMANDS:
            return None
        command = import_module(f".{name}", __package__).command
        _show_variables(command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names; an error that lists the commands where it names none."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"there is no command {args[0]!r}; there are: {', '.join(COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the table above rather than from the commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _show_variables(command: click.Command) -> None:
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name != "help":
            parameter.show_envvar = True
    make_complete(command)
    for inner in getattr(command, "commands", {}).values():
        _show_variables(inner)


class StoreUrl(click.types.StringParamType):
    """A store's URL; a variable holds one, whatever is in it: folders may have spaces in their names."""

    def split_envvar_value(self, rv: str) -> list[str]:
        """The whole."""
        return [rv]


@click.group(
    cls=LazyGroup,
    context_settings={"auto_envvar_prefix": "CFGRAPH", "help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: cfgraph ingest ifs --map koch --depth 5 --as koch",
)
@click.option(
    "--store",
    "stores",
    type=StoreUrl(),
    multiple=True,
    envvar="CFGRAPH_STORE",
    show_envvar=True,
    metavar="URL",
    help="local, local:DIR, or a server's bolt:// or neo4j:// URL; of several, given again, or a stores.toml, ls, show, "
    "compare, diff and export read.  [default: NEO4J_URI, else local]",
)
@click.option("-v", "--verbose", is_flag=True, show_envvar=True, help="Log what happens, on stderr: a line a block.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    show_envvar=True,
    help="Of the log, and with json of all talk on stderr.",
)
@click.version_option(package_name="cfgraph", prog_name="cfgraph")
@click.pass_context
def cfgraph(ctx: click.Context, stores: tuple[str, ...], verbose: bool, log_format: str) -> None:
    """Hierarchies as living metric DAGs in Neo4j: learn their rule, grow them, compare, query."""
    start_log(verbose=verbose, format=log_format)
    typed = ctx.get_parameter_source("stores") is ParameterSource.COMMANDLINE
    ctx.obj = Context(asked_stores=tuple(filter(None, stores)), verbose=verbose, store_typed=typed)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 no, 2 bad input, 3 the store, 4 vanished, 130 and up signals."""
    signal.signal(signal.SIGTERM, _terminate)
    _open_streams()
    show_controls("stdout", "stderr")
    leave_frames_out()
    code = run(arguments)
    if "cfgraph.exploring.server" in sys.modules:  # nothing but `explore` loads it
        from .explore import leave

        leave(code)
    sys.exit(code)


def _open_streams() -> None:
    """Have stdin, stdout and stderr where the caller closed them (`>&-`): else the next file that is opened becomes one."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8"))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    with words_of_the_shell():
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        outcome = cfgraph.main(args=arguments, prog_name="cfgraph", standalone_mode=False)
        sys.stdout.flush()
        return outcome if isinstance(outcome, int) else 0
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted; the graph is valid, and the same command goes on where it can", 130)
    except TerminatedError:
        return _fail("terminated; the graph is valid, and the same command goes on where it can", 143)
    except click.ClickException as error:
        return _fail_for(error, _usage_line(error), error.exit_code)
    except CfgraphError as error:
        return _fail_for(error, str(error), error.exit_code)
    except (UnreadError, BrokenPipeError):
        for stream in (sys.stdout, sys.stderr):  # what is left in them goes nowhere, without another error at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return 141
    except OSError as error:
        message = f"{error.strerror or error}: {error.filename or 'writing'}; check the place and its free space"
        return _fail_for(error, message, 2)
    except MemoryError:
        return _fail("this does not fit into memory; take less of it, fewer workers, or a larger machine", 2)
    except Exception as error:  # a library's own, for a file that it could not open
        if few_handles(error) is None:
            raise
        return _fail_for(error, str(error), 1)


def _usage_line(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    hint = f" (see `{context.command_path} --help`)" if context else ""
    return " ".join(error.format_message().split()) + hint


def _fail_for(error: Exception, message: str, code: int) -> int:
    """What is said of an error; where file handles are what it lacked, this alone, whoever met it and called it what."""
    few = few_handles(error)
    return _fail(message, code) if few is None else _fail(str(few), few.exit_code)


def _fail(message: str, code: int) -> int:
    talk(f"cfgraph: {' '.join(message.split())}", level=logging.ERROR)
    return code


def _terminate(number: int, frame: FrameType | None) -> None:
    raise TerminatedError
