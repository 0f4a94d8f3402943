"""Large: the option that lifts the limits on the files that a command reads."""

import click

LARGE = click.option(
    "--large",
    is_flag=True,
    help="Read files even if they take more than half of the free memory, or grow more than 500-fold uncompressed.",
)
