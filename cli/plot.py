"""``cfgraph plot``: draw one hierarchy, two beside each other, or a report of ``cfgraph compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from .context import Context, pass_context

if TYPE_CHECKING:
    from cfgraph.plots import Panel
    from cfgraph.store import Store


FORMS = ("centers", "tree", "dendrogram", "radial", "icicle")


@click.command("plot", epilog="Example: cfgraph plot koch --beside koch-grown -o koch.png")
@click.argument("id", metavar="[ID]", required=False)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help="The picture: .png, .pdf or .svg.",
)
@click.option(
    "--beside", metavar="ID", help="Another hierarchy, drawn on the same axes: the predicted one beside the true one."
)
@click.option(
    "--form",
    type=click.Choice(FORMS),
    help="centers: each cell at its center, as usual where there are any. tree: who is whose child, as a dendrogram, a radial "
    "tree or an icicle, whichever suits the number of leaves.",
)
@click.option("--depth", type=click.IntRange(min=0), help="Leave out deeper levels.")
@click.option("--level", type=click.IntRange(min=0), help="Draw this level alone, colored by the branch below the root.")
@click.option(
    "--report", type=click.File("rb"), metavar="FILE", help="Draw this JSON report of `cfgraph compare` instead; - is stdin."
)
@pass_context
def command(
    context: Context,
    id: str | None,
    output: Path,
    beside: str | None,
    form: str | None,
    depth: int | None,
    level: int | None,
    report: BinaryIO | None,
) -> None:
    """Draw the cells of the hierarchy ID, each a mark at its center, colored by its level and sized by its scale.

    Two dimensions are drawn as they are, more along the two main axes, one against the level. With --beside the caption says
    how far the centers of the two are apart at most. With --form the tree itself is drawn, colored by branch: a dendrogram
    for up to some dozens of leaves, a radial tree for hundreds, an icicle for more. With --report the errors of `cfgraph
    compare --format json` are drawn by level, beside those of the baselines and below the certificate.
    """
    from cfgraph.plots import check_picture, plot_cells, plot_report, plot_tree, read_report

    _check_words(id, beside=beside, form=form, depth=depth, level=level, report=report)
    check_picture(output)
    if report is not None:
        plot_report(read_report(report.read(), name=report.name), output)
    else:
        with context.open_store() as store:
            last = depth if level is None else level
            panels = [_read_panel(store, name, depth=last) for name in (id, beside) if name is not None]
        form = form or _usual_form(panels, level=level)
        if form == "centers":
            plot_cells(panels, output, depth=depth, level=level)
        else:
            plot_tree(panels, output, form=form, depth=depth)
    context.say(f"wrote {output}")


def _check_words(id: str | None, *, report: BinaryIO | None, **of_cells: str | int | None) -> None:
    """An ``InputError`` for words that do not go together."""
    from cfgraph.errors import InputError

    if (id is None) == (report is None):
        raise InputError("expected either the ID of a hierarchy to draw or --report FILE")
    given = [f"--{name}" for name, value in of_cells.items() if value is not None]
    if report is not None and given:
        raise InputError(f"{given[0]} is about cells and does not go with --report")
    if of_cells["depth"] is not None and of_cells["level"] is not None:
        raise InputError("expected --depth or --level, not both: --level draws one level alone")
    if of_cells["form"] not in (None, "centers") and of_cells["level"] is not None:
        raise InputError(f"--level draws the centers of one level alone; it does not go with --form {of_cells['form']}")


def _usual_form(panels: "list[Panel]", *, level: int | None) -> str:
    """Cells at their centers; the tree where no cell has a center and no level of centers was asked for."""
    return "tree" if level is None and all(panel.cells.dimension == 0 for panel in panels) else "centers"


def _read_panel(store: "Store", id: str, *, depth: int | None) -> "Panel":
    from cfgraph.plots import Panel

    grown = store.grown_by(id)
    cells = store.read(id, depth=depth)
    grown_by = grown.predictor if grown else None
    return Panel(cells, id, grown_by=grown_by, names=cells.names, height=cells.own.get("height"))
