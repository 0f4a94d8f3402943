"""``cfgraph drift``"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .context import Context, pass_context
from .large import LARGE
from .output import FORMAT, print_json, print_line, print_rows, print_table
from .reading import reading

if TYPE_CHECKING:
    from cfgraph.comparing.drift import CellDrift, Drift

SHOWN = 20  # cells of a table
COLUMNS = ("cell", "reference", "points", "ratio", "p size", "outside", "distance")
MORE = ("reference outside", "p outside", "reference distance", "p distance")
OF_FIRST = ("reference outside", "reference distance")


@click.command("drift", epilog="Example: cfgraph drift iris --batch monday")
@click.argument("id")
@click.option("--batch", metavar="NAME", required=True, help="The batch, as `cfgraph place` called it.")
@click.option("--against", metavar="NAME", help="Another batch to compare it with.  [default: the data that ID was made of]")
@click.option(
    "--data", metavar="FILE", type=click.Path(path_type=Path), help="What ID was made of, again: its distances are told, too."
)
@reading
@LARGE
@FORMAT
@pass_context
def command(
    context: Context, /, id: str, batch: str, against: str | None, data: Path | None, format: str, **of_data: Any
) -> int:
    """Say how a batch differs from the data that ID was made of, by cell; exit code 1 where one differs, 0 where none.

    Told are cells that have another share of the points than they should, on every level: how many times as large it is, with a
    p-value by chi-square (exact where numbers are small). Cells of fewer than 20 points are not tested. All tests are
    corrected together (Holm): where nothing differs, something is said to in at most 5 % of all cases.

    Compared with another batch, points outside their cell's radius and distances to centers are tested, too. The graph keeps
    no distances of the data that ID was made of: with --data, the file that it was made of, they stand beside the batch's.
    They are not tested, since cells are made of them.
    """
    from cfgraph.comparing.drift import drift
    from cfgraph.sources.preparation import read_new_rows

    if data is None:
        _check_unasked(of_data)
    first = None if data is None else read_new_rows(data, say=context.say, **of_data)
    with context.open_store() as store:
        found = drift(store, id, batch=batch, against=against, data=first)
    if format == "json":
        print_json(found)
    elif format == "csv":
        print_rows(_columns(found), [_row(found, cell) for cell in found.cells], format="csv")
    else:
        _print(found)
    for remark in found.remarks:
        context.say(remark)
    return int(found.drifted)


def _check_unasked(names: Iterable[str]) -> None:
    """An error for an option about --data, where it was not given; those of the environment are there for other calls, too."""
    from cfgraph.errors import InputError

    source = click.get_current_context().get_parameter_source
    for name in names:
        if source(name) is click.core.ParameterSource.COMMANDLINE:
            raise InputError(f"--{name} is about the file of --data, and none is given; name it, or leave --{name} out")


def _columns(found: "Drift") -> list[str]:
    if found.against is not None:
        return [*COLUMNS, *MORE]
    return [*COLUMNS, *OF_FIRST] if found.reference_distance is not None else [*COLUMNS]


def _row(found: "Drift", cell: "CellDrift") -> list[object]:
    row: list[object] = [cell.address, cell.reference, cell.points, cell.ratio, cell.p_size, cell.outside, cell.distance]
    if found.against is not None:
        row += [cell.reference_outside, cell.p_outside, cell.reference_distance, cell.p_distance]
    elif found.reference_distance is not None:
        row += [cell.reference_outside, cell.reference_distance]
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
