"""A group of commands that says what it can do where it is called bare."""

import click


class Group(click.Group):
    """A group that called bare prints its help, with exit code 0: that is what was asked for."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As ever, but for no words at all."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()
        return super().parse_args(ctx, args)
