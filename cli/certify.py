"""``cfgraph certify``"""

from typing import TYPE_CHECKING

import click

from .context import Context, pass_context
from .output import cell_text, print_json, print_line, print_table, progress_bar

if TYPE_CHECKING:
    from cfgraph.comparing.certify import Certification, Line


@click.command("certify", epilog="Example: cfgraph certify koch --precision 1e-6")
@click.argument("id")
@click.option("--precision", metavar="E", type=float, help="Ask for the depth whose levels are within E of the whole field.")
@click.option("--depth", metavar="L", type=int, help="Ask about this level, stored or not.  [default: the deepest stored]")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print.")
@pass_context
def command(context: Context, id: str, precision: float | None, depth: int | None, format: str) -> None:
    """Say what can be said of a hierarchy beyond what is stored, each line by proof, by measurement, or not at all.

    How deep a precision needs it to be, how far what lies below a level may be (truncation), how far a predictor's copy strays
    from its truth (rollout), both in the path metric too, the similarity dimension with box counting beside it, and how far
    siblings, and cells of one level, are apart. Whatever does not hold comes with its reason.

    Every stored cell is read, and held against the invariants: of a damaged graph nothing is certified (exit code 1). Where
    there is a truth and a copy of it, both are compared.
    """
    from cfgraph.comparing.certify import certify

    with context.open_store() as store, progress_bar(f"certify {id}") as progress:
        found = certify(store, id, precision=precision, depth=depth, progress=progress)
    if format == "json":
        print_json(found)
    else:
        print_certification(found)


def print_certification(found: "Certification") -> None:
    """What was found as a table on stdout."""
    asked = "" if found.precision is None else f" for a precision of {found.precision:g}"
    where = "at no level that is known" if found.depth is None else f"at level {found.depth}"
    print_line(f"{found.id}: {where}{asked}; stored are {found.cells:,} cells, levels 0 to {found.stored_depth}")
    rows = [[line.name.replace("_", " "), line.level, _value(line), line.holds, line.why] for line in found.lines]
    print_table(["what", "level", "value", "holds by", "on what ground"], rows)


def _value(line: "Line") -> str:
    return cell_text(line.value) + ("" if line.spread is None else f" ± {line.spread:.2g}")
