"""``cfgraph verify``"""

import click

from .context import Context, pass_context
from .output import print_json, print_line, progress_bar


@click.command("verify", epilog="Example: cfgraph verify koch")
@click.argument("id")
@click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print.")
@pass_context
def command(context: Context, id: str, format: str) -> int:
    """Check every invariant of a hierarchy; exit code 1 where one is broken, each violation named.

    One that is being written or grown is checked as it is, and said to be so.
    """
    from cfgraph.store.verify import verify

    with context.open_store() as store, progress_bar(f"verify {id}") as progress:
        report = verify(store, id, progress=progress)
    if format == "json":
        print_json(report)
        return int(not report.clean)
    for violation in report.violations:
        print_line(f"{violation.invariant} {violation.place}: {violation.detail}")
    if report.state != "complete":
        doing = {"growing": "is being grown", "writing": "is being written"}.get(report.state, "is half removed")
        print_line(f"{id} {doing}: this is what it held meanwhile, without what only the end brings")
    violations = ", ".join(f"{count} {invariant}" for invariant, count in report.counts.items())
    print_line(f"{id}: {report.cells:,} cells, " + (f"violations: {violations}" if violations else "every invariant holds"))
    return int(not report.clean)
