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

    ID may be a folder that a field was grown into, FOLDER/: its files, invariants and digest are checked, sheet by sheet.
    """
    from cfgraph.comparing.verifying import DigestReport, verify
    from cfgraph.formats.folders.place import is_folder

    if is_folder(id):
        return _verify_folder(id, digests=digests, format=format)
    with context.open_store() as store, progress_bar(f"verify {id}") as progress:
        report = verify(store, id, digests=digests, progress=progress)
    if format == "json":
        print_json(report)
        return int(not report.clean)
    for violation in report.violations:
        print_line(f"{violation.invariant} {violation.place}: {violation.detail}")
    if report.state != "complete":
        doing = {"growing": "is being grown", "writing": "is being written"}.get(report.state, "is half removed")
        print_line(f"{id} {doing}: this is what it held meanwhile, without what only the end brings")
    for note in report.notes:
        print_line(f"{id}: {note}")
    if isinstance(report, DigestReport):
        print_line(f"{id}: {report.digests:,} digests of subtrees are kept, {report.made:,} of them made now")
    violations = ", ".join(f"{count} {invariant}" for invariant, count in report.counts.items())
    print_line(f"{id}: {report.cells:,} cells, " + (f"violations: {violations}" if violations else "every invariant holds"))
    return int(not report.clean)


def _verify_folder(title: str, *, digests: bool, format: str) -> int:
    from cfgraph.errors import InputError
    from cfgraph.formats.folders.checking import verify_folder
    from cfgraph.formats.folders.reader import open_folder

    if digests:
        raise InputError("a folder keeps no digests of subtrees, and its own is checked anyway; leave --digests out")
    with progress_bar(f"verify {title}") as progress:
        report = verify_folder(open_folder(title), progress=progress)
    if format == "json":
        print_json(report)
        return int(not report.clean)
    for violation in report.violations:
        print_line(f"{violation.invariant} {violation.place}: {violation.detail}")
    violations = ", ".join(f"{count} {invariant}" for invariant, count in report.counts.items())
    print_line(f"{title}: {report.cells:,} cells, " + (f"violations: {violations}" if violations else "every invariant holds"))
    return int(not report.clean)
