"""``cfgraph drift``"""

from typing import TYPE_CHECKING

import click

from .context import Context, pass_context
from .output import FORMAT, print_json, print_line, print_rows, print_table

if TYPE_CHECKING:
    from cfgraph.comparing.drift import CellDrift, Drift

SHOWN = 20  # cells of a table
COLUMNS = ("cell", "reference", "points", "ratio", "p size", "outside", "distance")
MORE = ("reference outside", "p outside", "reference distance", "p distance")


@click.command("drift", epilog="Example: cfgraph drift iris --batch monday")
@click.argument("id")
@click.option("--batch", metavar="NAME", required=True, help="The batch, as `cfgraph place` called it.")
@click.option("--against", metavar="NAME", help="Another batch to compare it with.  [default: the data that ID was made of]")
@FORMAT
@pass_context
def command(context: Context, id: str, batch: str, against: str | None, format: str) -> int:
    """Say how a batch differs from the data that ID was made of, by cell; exit code 1 where one differs, 0 where none.

    Told are cells that have another share of the points than they should, on every level: how many times as large it is, with a
    p-value by chi-square (exact where numbers are small). Cells of fewer than 20 points are not tested. All tests are
    corrected together (Holm): where nothing differs, something is said to in at most 5 % of all cases.

    Compared with another batch, points outside their cell's radius and distances to centers are tested, too.
    """
    from cfgraph.comparing.drift import drift

    with context.open_store() as store:
        found = drift(store, id, batch=batch, against=against)
    if format == "json":
        print_json(found)
    elif format == "csv":
        print_rows(_columns(found), [_row(found, cell) for cell in found.cells], format="csv")
    else:
        _print(found)
    for remark in found.remarks:
        context.say(remark)
    return int(found.drifted)


def _columns(found: "Drift") -> list[str]:
    return [*COLUMNS, *(MORE if found.against is not None else ())]


def _row(found: "Drift", cell: "CellDrift") -> list[object]:
    row: list[object] = [cell.address, cell.reference, cell.points, cell.ratio, cell.p_size, cell.outside, cell.distance]
    if found.against is not None:
        row += [cell.reference_outside, cell.p_outside, cell.reference_distance, cell.p_distance]
    return row


def _print(found: "Drift") -> None:
    other = f"batch {found.against}" if found.against is not None else "the first data"
    differ = [cell for cell in found.cells if cell.p < 0.05]
    print_line(f"batch {found.batch} of {found.id} and {other}: {len(differ):,} of {found.tested:,} cells differ", bold=True)
    small = f"; {found.untested:,} cells are too small to be tested" if found.untested else ""
    print_line(f"points: {found.points:,} of the batch, {found.reference:,} of {other}{small}")
    outside, distance = _beside(found.outside, found.reference_outside), _beside(found.distance, found.reference_distance)
    print_line(f"outside their cell's radius: {outside}; median distance to the center: {distance}")
    if differ:
        title = f"the first {SHOWN} of {len(differ):,} cells that differ" if len(differ) > SHOWN else None
        print_table(_columns(found), [_row(found, cell) for cell in differ[:SHOWN]], title=title)


def _beside(value: float, reference: float | None) -> str:
    return f"{value:.3g}" + ("" if reference is None else f" (there {reference:.3g})")
