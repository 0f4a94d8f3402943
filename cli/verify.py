"""``cfgraph verify``"""

import json

import click

from .context import Context, pass_context
from .output import progress_bar


@click.command("verify", epilog="Example: cfgraph verify koch")
@click.argument("id")
@click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print.")
@pass_context
def command(context: Context, id: str, format: str) -> int:
    """Check every invariant of a hierarchy; exit code 1 where one is broken, each violation named."""
    from cfgraph.store.verify import verify

    with context.open_store() as store, progress_bar(f"verify {id}") as progress:
        report = verify(store, id, progress=progress)
    if format == "json":
        found = [vars(violation) for violation in report.violations]
        click.echo(json.dumps({"id": report.id, "cells": report.cells, "counts": report.counts, "violations": found}, indent=1))
        return int(not report.clean)
    for violation in report.violations:
        click.echo(f"{violation.invariant} {violation.place}: {violation.detail}")
    told = ", ".join(f"{count} {invariant}" for invariant, count in report.counts.items())
    click.echo(f"{id}: {report.cells:,} cells, " + (f"violations: {told}" if told else "every invariant holds"))
    return int(not report.clean)
