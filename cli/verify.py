"""``cfgraph verify``"""

import click

from .context import Context, pass_context
from .output import progress_bar


@click.command("verify", epilog="Example: cfgraph verify koch")
@click.argument("id")
@click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print.")
@pass_context
def command(context: Context, id: str, format: str) -> int:
    """Check every invariant of a hierarchy; exit code 1 where one is broken, each violation named."""
    from cfgraph.model.as_json import to_json
    from cfgraph.store.verify import verify

    with context.open_store() as store, progress_bar(f"verify {id}") as progress:
        report = verify(store, id, progress=progress)
    if format == "json":
        click.echo(to_json(report))
        return int(not report.clean)
    for violation in report.violations:
        click.echo(f"{violation.invariant} {violation.place}: {violation.detail}")
    violations = ", ".join(f"{count} {invariant}" for invariant, count in report.counts.items())
    click.echo(f"{id}: {report.cells:,} cells, " + (f"violations: {violations}" if violations else "every invariant holds"))
    return int(not report.clean)
