"""Figure: one hierarchy as a matplotlib figure, in the form that suits it, or on axes of the caller's own."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from cfgraph.checks import check_integer
from cfgraph.errors import InputError
from cfgraph.model.cells import Cells
from cfgraph.plots.branches import Branches
from cfgraph.plots.centers import SHOWN_LEAST, main_axes, plot_cells, variance_shown
from cfgraph.plots.dendrogram import draw_dendrogram
from cfgraph.plots.disk import draw_disk
from cfgraph.plots.groups import Groups
from cfgraph.plots.icicle import draw_icicle
from cfgraph.plots.page import Panel, check_library
from cfgraph.plots.radial import draw_radial
from cfgraph.plots.tree import choose_form, plot_tree

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cfgraph.model.hierarchy import Hierarchy

FORMS = ("centers", "tree", "dendrogram", "radial", "icicle", "disk")
MARK = 6.0  # points squared: of a cell on axes of the caller's own, where its scale is the root's


def plot_hierarchy(
    hierarchy: "Hierarchy",
    *,
    form: str | None = None,
    depth: int | None = None,
    level: int | None = None,
    groups: Groups | None = None,
    ax: "Axes | None" = None,
) -> "Figure":
    """A picture of a hierarchy that holds its cells, in the form that suits it; ``groups`` color its cells."""
    check_library()
    panel = replace(_panel(hierarchy, form=form, depth=depth, level=level), groups=groups)
    form = form or ("centers" if level is not None or _centers_show(panel.cells) else "tree")
    if ax is not None:
        panel = panel.named_visibly() if depth is None else panel.named_visibly().prefix(depth)
        _draw_on(ax, panel, form=form, level=level)
        return cast("Figure", ax.figure)
    if form == "centers":
        return plot_cells([panel], None, depth=depth, level=level)
    return plot_tree([panel], None, form=form, depth=depth)


def _centers_show(cells: Cells) -> bool:
    """Whether there are centers, of which two axes show enough."""
    return cells.dimension > 0 and variance_shown(cells) >= SHOWN_LEAST


def _panel(hierarchy: "Hierarchy", *, form: str | None, depth: int | None, level: int | None) -> Panel:
    """The panel, after a check of the words."""
    whole = hierarchy.require_cells()
    if form is not None and form not in FORMS:
        raise InputError(f"expected a form out of {', '.join(FORMS)}, got {form!r}")
    if depth is not None and level is not None:
        raise InputError("expected --depth or --level, not both: --level draws one level alone")
    if level is not None and (form not in (None, "centers") or whole.dimension == 0):
        raise InputError(
            f"--level draws the centers of one level alone; {whole.id!r} has "
            + ("no centers (dimension 0)" if whole.dimension == 0 else f"them, but --form {form} draws none")
        )
    for name, value in (("depth", depth), ("level", level)):
        if value is not None:
            check_integer(value, name=name, low=0)
    cells = whole.cells
    return Panel(cells, whole.id, names=cells.names, height=cells.own.get("height"), disk=cells.own.get("hyp_xy"))


def _draw_on(axes: "Axes", panel: Panel, *, form: str, level: int | None) -> None:
    """Draw on axes of the caller's own."""
    if form == "centers":
        _scatter(axes, panel, level=level)
        return
    if form == "disk":
        if panel.disk is None:
            raise InputError(
                f"the cells of {panel.name!r} have no place in a disk (hyp_xy); `cfgraph ingest dasgupta` gives them one"
            )
        draw_disk(axes, panel.cells, panel.disk, colors=Branches(panel.cells).colors, names=panel.names)
        return
    draw = {"dendrogram": draw_dendrogram, "radial": draw_radial, "icicle": draw_icicle}
    height = panel.height if panel.height is not None and np.isfinite(panel.height).all() and np.ptp(panel.height) else None
    draw[choose_form(panel.cells) if form == "tree" else form](axes, panel.cells, panel.names, height)


def _scatter(axes: "Axes", panel: Panel, *, level: int | None) -> None:
    """Centers as marks, colored by level: of one dimension against the level, of more than two along the two main axes."""
    cells = panel.cells
    if cells.dimension == 0:
        raise InputError(f"the cells of {panel.name!r} have no centers (dimension 0); draw a tree, --form tree")
    if level is not None and level > cells.depth:
        raise InputError(f"there is no level {level} to draw: the deepest that is there is level {cells.depth}")
    rows = np.arange(len(cells)) if level is None else np.arange(len(cells))[cells.level_rows(level)]
    points = cells.center[rows]
    if cells.dimension == 1:
        points = np.column_stack([points[:, 0], -cells.level[rows]])
    elif cells.dimension > 2:
        mean, axes_of_data, _ = main_axes(cells.center)
        points = (points - mean) @ axes_of_data.T
    size = MARK + 10 * MARK * cells.scale[rows] / max(float(cells.scale.max()), np.finfo(float).tiny)
    axes.scatter(points[:, 0], points[:, 1], s=size, c=cells.level[rows], linewidths=0)
    if cells.dimension >= 2:
        axes.set_aspect("equal", adjustable="datalim")
