"""``cfgraph plot``: draw one hierarchy, two beside each other, or a report of ``cfgraph compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from .context import Context, pass_context

if TYPE_CHECKING:
    from cfgraph.files.labels import Labels
    from cfgraph.plots import Panel
    from cfgraph.store import Store

FILE = click.Path(path_type=Path)

FORMS = ("centers", "tree", "dendrogram", "radial", "icicle", "disk", "reconstructions")
OF_LINES = ("dendrogram", "radial")  # forms that hold lines for each cell until all are drawn ...
LINE_BYTES, TOLD_CELLS = 1_300, 100_000  # ... so many bytes a cell, measured at 87,381; told from so many cells on


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
    "tree or an icicle, whichever suits the number of leaves. disk: the Poincare disk, where `ingest dasgupta` laid it out. "
    "reconstructions: each cell as the image that `cfgraph reconstruct` gives.",
)
@click.option("--depth", type=click.IntRange(min=0), help="Leave out deeper levels.")
@click.option(
    "--color-by",
    metavar="cut|labels|NAME",
    help="Color cells by flat clusters (`cut`, `cut:K`), by the classes of --labels, or by a property: its NAME.  [default: by "
    "level at centers, else by the branches of a cut]",
)
@click.option("--labels", metavar="FILE", type=FILE, help="The class of each point, which colors the leaves.")
@click.option("--images", metavar="DIR", type=FILE, help="Of a disk: where the image files are that leaves are named after.")
@click.option("--shape", metavar="HxW[x3]", help="Of reconstructions: the size of the images.  [default: square, grey]")
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
    color_by: str | None,
    labels: Path | None,
    images: Path | None,
    shape: str | None,
    report: BinaryIO | None,
) -> None:
    """Draw the cells of the hierarchy ID, each a mark at its center, colored by its level and sized by its scale.

    Two dimensions are drawn as they are, more along the two main axes, one against the level. With --beside the caption says
    how far the centers of the two are apart at most. With --form, and where two axes show less than a third of the variance,
    the tree itself is drawn, colored by the branches of a cut: a dendrogram for up to some dozens of leaves, a radial tree for
    hundreds, an icicle for more. ID may be a field's folder, FOLDER/.

    With --report the errors of `cfgraph compare --format json` are drawn by level, beside those
    of the baselines and below the certificate.
    """
    from cfgraph.plots import REPORT_BYTES_MAX, check_picture, plot_cells, plot_report, plot_tree, read_report

    words = {"beside": beside, "form": form, "depth": depth, "level": level, "color-by": color_by}
    _check_words(id, **words, labels=labels, images=images, shape=shape, report=report)
    check_picture(output)
    if report is not None:
        plot_report(read_report(report.read(REPORT_BYTES_MAX + 1), name=report.name), output)
    elif form == "reconstructions":
        assert id is not None
        with context.open_store() as store:
            _plot_reconstructions(store, id, output, depth=depth, shape=shape)
    else:
        classes = None if labels is None else _read_labels(labels)
        last = depth if level is None else level
        asked = "labels" if color_by is None and labels is not None and form != "disk" else color_by
        panels = _read_panels(context, [name for name in (id, beside) if name], depth=last, color_by=asked, labels=classes)
        if form == "disk":
            panels = [_for_the_disk(panel, labels=None if color_by else classes, images=images) for panel in panels]
        form = form or _usual_form(context, panels, level=level)
        _tell_memory(context, form, cells=sum(len(panel.cells) for panel in panels))
        if form == "centers":
            plot_cells(panels, output, depth=depth, level=level)
        else:
            plot_tree(panels, output, form=form, depth=depth)
    context.say(f"wrote {output}")


def _check_words(id: str | None, *, report: BinaryIO | None, **of_cells: str | int | Path | None) -> None:
    """An ``InputError`` for words that do not go together."""
    from cfgraph.errors import InputError

    if (id is None) == (report is None):
        raise InputError("expected either the ID of a hierarchy to draw or --report FILE")
    given = [f"--{name}" for name, value in of_cells.items() if value is not None]
    if report is not None and given:
        raise InputError(f"{given[0]} is about cells and does not go with --report")
    if of_cells["depth"] is not None and of_cells["level"] is not None:
        raise InputError("expected --depth or --level, not both: --level draws one level alone")
    if of_cells["images"] is not None and of_cells["form"] != "disk":
        raise InputError("--images is about the leaves of a disk; say --form disk, or leave it out")
    if of_cells["color-by"] == "labels" and of_cells["labels"] is None:
        raise InputError("expected the classes of the points for --color-by labels; give them with --labels FILE")
    if of_cells["labels"] is not None and of_cells["color-by"] not in (None, "labels"):
        raise InputError(f"--labels does not go with --color-by {of_cells['color-by']}; leave one of them out")
    if of_cells["form"] == "reconstructions" and (of_cells["labels"] or of_cells["color-by"]):
        raise InputError("--form reconstructions has no colors to choose; leave --labels and --color-by out")
    if of_cells["shape"] is not None and of_cells["form"] != "reconstructions":
        raise InputError("--shape is about images of cells; say --form reconstructions, or leave it out")
    if of_cells["form"] == "reconstructions" and of_cells["beside"] is not None:
        raise InputError("--form reconstructions draws one hierarchy; leave --beside out")
    if of_cells["form"] not in (None, "centers") and of_cells["level"] is not None:
        raise InputError(f"--level draws the centers of one level alone; it does not go with --form {of_cells['form']}")


def _tell_memory(context: Context, form: str, *, cells: int) -> None:
    """Say of many cells how much memory their lines take, and what does without."""
    if form in OF_LINES and cells >= TOLD_CELLS:
        size = f"about {cells * LINE_BYTES / 1e9:.1f} GB for {cells:,} cells"
        context.say(f"{form} holds lines for every cell in memory until all are drawn, {size}; icicle and --depth take less")


def _usual_form(context: Context, panels: "list[Panel]", *, level: int | None) -> str:
    """Cells at their centers; the tree where there are none, or two axes show little of them, and no level was asked for."""
    from cfgraph.plots import SHOWN_LEAST, variance_shown

    if level is not None:
        return "centers"
    if all(panel.cells.dimension == 0 for panel in panels):
        return "tree"
    shown = variance_shown(panels[0].cells)
    if shown >= SHOWN_LEAST:
        return "centers"
    context.say(f"two axes show {shown:.0%} of the variance of the centers: this is the tree; --form centers draws these")
    return "tree"


def _read_panels(
    context: Context, names: list[str], *, depth: int | None, color_by: str | None, labels: "Labels | None"
) -> "list[Panel]":
    """What is drawn, of the store and of folders."""
    from contextlib import ExitStack

    from cfgraph.formats.folders.place import is_folder

    with ExitStack() as stack:
        store = None if all(map(is_folder, names)) else stack.enter_context(context.open_store())
        panels = []
        for name in names:
            if store is None or is_folder(name):
                panels.append(_folder_panel(name, depth=depth, color_by=color_by, labels=labels))
            else:
                panels.append(_read_panel(store, name, depth=depth, color_by=color_by, labels=labels))
        return panels


def _folder_panel(name: str, *, depth: int | None, color_by: str | None, labels: "Labels | None") -> "Panel":
    from cfgraph.formats.folders.reader import open_folder
    from cfgraph.judging.picture import color_groups
    from cfgraph.plots import Panel
    from cfgraph.sources.folder import read_folder

    reader = open_folder(name)
    whole = read_folder(reader, depth=reader.depth if depth is None else depth)
    groups = None if color_by is None else color_groups(whole, color_by, labels=labels)
    grown_by = next((grower.trained.id for grower in reader.growers), None)
    return Panel(whole.cells, reader.hierarchy.id, grown_by=grown_by, groups=groups)


def _read_panel(
    store: "Store", id: str, *, depth: int | None, color_by: str | None = None, labels: "Labels | None" = None
) -> "Panel":
    from cfgraph.judging.picture import color_groups
    from cfgraph.plots import Panel

    with store.witness(id, depth=depth) as witness:
        hierarchy = witness.hierarchy
        grown = store.grown_by(id)
        cells = store.read(id, depth=depth)
        points = color_by is not None and hierarchy.point_nodes and depth is None
        whole = store.read_whole(id) if points else hierarchy.with_cells(cells)
    grown_by = grown.predictor if grown else None
    groups = None if color_by is None else color_groups(whole, color_by, labels=labels)
    return Panel(cells, id, grown_by=grown_by, names=cells.names, height=cells.own.get("height"), groups=groups)


def _plot_reconstructions(store: "Store", id: str, output: Path, *, depth: int | None, shape: str | None) -> None:
    from cfgraph.metric.apply import reconstruct
    from cfgraph.plots.reconstructions import as_images, check_count, plot_reconstructions

    with store.witness(id, depth=depth) as witness:
        hierarchy = witness.hierarchy
        cells = store.read(hierarchy, depth=depth)
        check_count(len(cells))
        whole = hierarchy.with_cells(cells, encoder=store.encoder(hierarchy))
    images = as_images(reconstruct(whole, addresses=cells.addresses), shape)
    plot_reconstructions(cells, images, output, name=id)


def _read_labels(path: Path) -> "Labels":
    from cfgraph.files.labels import Labels

    return Labels.read(path)


def _for_the_disk(panel: "Panel", *, labels: "Labels | None", images: Path | None) -> "Panel":
    """A panel with the places of its cells in the disk, the classes of its leaves, and their image files."""
    from dataclasses import replace

    from cfgraph.plots.disk import classes_of, pictures_of

    disk = panel.cells.own.get("hyp_xy")
    classes = None if labels is None else classes_of(panel.cells, labels, name=panel.name)
    pictures = None if images is None else pictures_of(panel.cells, images)
    return replace(panel, disk=disk, classes=classes, pictures=pictures)
