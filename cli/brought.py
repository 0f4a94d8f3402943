"""Sources that other packages bring, as commands of ``cfgraph ingest``: found by entry points, loaded when they are run."""

from typing import Any

import click

from .context import Context, pass_context
from .group import Group
from .source import ingest_source


class Sources(Group):
    """The sources of cfgraph, and behind them those of other packages."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Our own, then those of others, by name."""
        return [*super().list_commands(ctx), *self._others()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a source; nothing of another package is loaded for it."""
        return command_of(cmd_name) if cmd_name in self._others() else super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As ever; an error for a name of our own that another package brings too."""
        from cfgraph.entries import SOURCES, check_unique

        if args and not ctx.resilient_parsing:
            check_unique(SOURCES, args[0], own=self.commands)
        return super().resolve_command(ctx, args)

    def _others(self) -> tuple[str, ...]:
        from cfgraph.entries import SOURCES, names_of_others

        return names_of_others(SOURCES, own=self.commands)


class Brought(click.Command):
    """The command of a source of another package, whose help is what that says of itself."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The source's own first words, and the arguments that it takes."""
        import inspect

        from cfgraph.sources.find import find_source, told_arguments

        source = find_source(str(self.name))
        self.help = f"{inspect.getdoc(source) or self.short_help}\n\nIt takes {told_arguments(source)}."
        super().format_help_text(ctx, formatter)


def command_of(name: str) -> click.Command:
    """The command of a source that another package brings."""
    from cfgraph.entries import SOURCES, told_of_others

    @click.command(
        name,
        cls=Brought,
        short_help=f"A source of {told_of_others(SOURCES, name)}.",
        epilog=f"Example: cfgraph ingest {name} data.csv --as mine --set ARGUMENT=VALUE",
    )
    @click.argument("data", required=False)
    @click.option("--as", "id", required=True, metavar="ID", help="The new hierarchy's id.")
    @click.option("--set", "arguments", multiple=True, metavar="ARGUMENT=VALUE", help="An argument of the source's own.")
    @click.option("--bulk", is_flag=True, help="Fill an empty local store while its server is down: for millions of cells.")
    @pass_context
    def command(context: Context, /, data: str | None, bulk: bool, **options: Any) -> None:
        from cfgraph.sources.find import call_source

        ingest_source(context, call_source(name, data, **options), bulk=bulk)

    return command
