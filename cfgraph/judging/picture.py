"""Picture: a hierarchy as a figure, its cells colored by a cut, by the classes of its points, or by a property."""

from typing import TYPE_CHECKING, Any

from cfgraph.errors import InputError
from cfgraph.files.labels import Labels
from cfgraph.judging.cut import count_points, cut
from cfgraph.model.hierarchy import Hierarchy, HierarchyWithCells
from cfgraph.plots.branches import is_condensed
from cfgraph.plots.disk import classes_of
from cfgraph.plots.figure import plot_hierarchy
from cfgraph.plots.groups import Groups, groups_of_leaves, groups_of_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CUT = 9  # branches, where nobody says how many


def plot(
    hierarchy: Hierarchy,
    *,
    form: str | None = None,
    depth: int | None = None,
    level: int | None = None,
    color_by: str | None = None,
    labels: Any = None,
    ax: "Axes | None" = None,
) -> "Figure":
    """A picture of a hierarchy that holds its cells, as ``Hierarchy.plot`` tells it."""
    groups = None
    if color_by is not None or labels is not None:
        if ax is not None:
            raise InputError("--color-by and --labels are for pictures with a legend, on a page of their own; leave ax out")
        if color_by == "labels" and labels is None:
            raise InputError("expected the classes of the points for --color-by labels; give them with --labels FILE")
        if labels is not None and color_by not in (None, "labels"):
            raise InputError(f"--labels does not go with --color-by {color_by}; leave one of them out")
        classes = None if labels is None or isinstance(labels, Labels) else Labels.of(labels)
        groups = color_groups(hierarchy.require_cells(), color_by or "labels", labels=classes or labels)
    return plot_hierarchy(hierarchy, form=form, depth=depth, level=level, groups=groups, ax=ax)


def color_groups(whole: HierarchyWithCells, color_by: str, *, labels: Labels | None = None) -> Groups:
    """What colors the cells: ``cut`` or ``cut:K``, ``labels``, or a property of theirs (``property:NAME``, or its name)."""
    word, _, number = color_by.partition(":")
    if color_by == "labels" and labels is not None:
        return groups_of_leaves(
            whole.cells, classes_of(whole.cells, labels, name=whole.id), what="the class, grey above several"
        )
    if word == "cut" and color_by not in whole.cells.own:
        return _groups_of_cut(whole, number)
    name = color_by.removeprefix("property:")
    columns = {**whole.cells.own, "level": whole.cells.level, "size": whole.cells.size, "scale": whole.cells.scale}
    column = columns.get(name)
    if column is None:
        there = ", ".join(sorted({"level", "scale", *whole.cells.own}))
        raise InputError(f"expected cut, labels or a property of cells to color by, got {name!r}; {whole.id!r} has {there}")
    return groups_of_values(column, what=f"the property {name}")


def _groups_of_cut(whole: HierarchyWithCells, number: str) -> Groups:
    """The clusters of a cut: as many as asked for, else those that HDBSCAN takes of a condensed tree, else nine."""
    if number and not number.isdecimal():
        raise InputError(f"expected cut or cut:K with a number of clusters to color by, got cut:{number}")
    if not number and is_condensed(whole.cells):
        found = cut(whole, persistence=True)
    else:
        found = cut(whole, clusters=int(number) if number else min(CUT, count_points(whole)))
    names = tuple(name or address for name, address in zip(found.names, found.cells, strict=True))
    return Groups(found.of_cells, names, f"the cut into {len(names)}, grey above")
