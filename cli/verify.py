"""``cfgraph verify``"""

import click

from .context import Context, pass_context
from .output import print_json, print_line, progress_bar


@click.command("verify", epilog="Example: cfgraph verify koch")
@click.argument("id")
@click.option("--digests", is_flag=True, help="Check the digests of subtrees, too, and make those that are missing or void.")
@click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print.")
@pass_context
def command(context: Context, id: str, digests: bool, format: str) -> int:
    """Check every invariant of a hierarchy; exit code 1 where one is broken, each violation named.

    One that is being written or grown is checked as it is, and said to be so; its digests cannot be.

    A diff leaves out what has the same digests on both sides. With --digests all that the store keeps are held against the
    cells: one that does not hold is an error, which names the smallest subtree in which plain Cypher changed cells since it was
    made, and is made anew.
    """
    from cfgraph.comparing.verifying import verify_digests
    from cfgraph.store.verify import verify

    checked = None
    with context.open_store() as store, progress_bar(f"verify {id}") as progress:
        report = verify(store, id, progress=progress)
        if digests and report.state != "removing":
            checked = verify_digests(store, id, progress=progress)
            report.merge(checked)
    if format == "json":
        print_json(report)
        return int(not report.clean)
    for violation in report.violations:
        print_line(f"{violation.invariant} {violation.place}: {violation.detail}")
    if report.state != "complete":
        doing = {"growing": "is being grown", "writing": "is being written"}.get(report.state, "is half removed")
        print_line(f"{id} {doing}: this is what it held meanwhile, without what only the end brings")
    if checked is not None:
        print_line(f"{id}: {checked.digests:,} digests of subtrees are kept, {checked.made:,} of them made now")
    violations = ", ".join(f"{count} {invariant}" for invariant, count in report.counts.items())
    print_line(f"{id}: {report.cells:,} cells, " + (f"violations: {violations}" if violations else "every invariant holds"))
    return int(not report.clean)
