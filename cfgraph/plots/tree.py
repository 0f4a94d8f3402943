"""Tree: pictures of who is whose child, in the form that suits the number of leaves."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.model.cells import Cells
from cfgraph.plots.branches import TRUNK, Branches, branch_colors, is_condensed, labels_of
from cfgraph.plots.dendrogram import draw_dendrogram
from cfgraph.plots.disk import Surroundings, class_colors, draw_disk
from cfgraph.plots.groups import Groups
from cfgraph.plots.icicle import draw_icicle
from cfgraph.plots.page import (
    DPI,
    KEYS_MAX,
    LINE,
    STEP,
    Key,
    Layout,
    Panel,
    add_axes,
    check_picture,
    describe_panel,
    draw_caption,
    draw_heading,
    draw_legends,
    legend_height,
    legend_width,
    new_figure,
    picture_style,
    save_figure,
    tell_omissions,
    words_of,
)
from cfgraph.plots.radial import draw_radial
from cfgraph.plots.rows import fewer_rows
from cfgraph.plots.words import wrap_lines
from cfgraph.visible import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMS = ("tree", "dendrogram", "radial", "icicle", "disk")
DENDROGRAM_LEAVES, RADIAL_LEAVES = 60, 300  # the most that a form is chosen for
DENDROGRAM_WIDTH, ROW, DENDROGRAM_HEIGHTS = 7.2, 0.165, (1.6, 30.0)  # inches: the width, a leaf's row, the height
DENDROGRAM_ROWS = 90  # at most; of a tree of more leaves the lowest merges are not drawn
DISK_SIDE = 8.0  # inches
RADIAL_SIDES = (5.6, 10.5)  # inches: of the square, for the fewest and the most leaves
ICICLE_WIDTH, BAND, ICICLE_HEIGHTS = 10.0, 0.75, (2.4, 8.0)  # inches: the width, a level's height, the height
KEYS_LEAST = 6  # lines of the legend, even beside a picture that is less high
MARK = 7.0  # points: a branch's mark in the legend

_DRAW = {"dendrogram": draw_dendrogram, "radial": draw_radial, "icicle": draw_icicle}


def choose_form(cells: Cells) -> str:
    """The form that suits a tree's number of leaves: ``dendrogram`` for dozens, ``radial`` for hundreds, else ``icicle``.

    A condensed tree, whose cells hold points, is an ``icicle`` whatever their number.
    """
    if is_condensed(cells):
        return "icicle"
    leaves = int((cells.child_count == 0).sum())
    return "dendrogram" if leaves <= DENDROGRAM_LEAVES else "radial" if leaves <= RADIAL_LEAVES else "icicle"


def draw_tree(
    axes: "Axes",
    cells: Cells,
    names: Sequence[str | None] | None = None,
    height: Float[np.ndarray, " cells"] | None = None,
    *,
    groups: Groups | None = None,
) -> None:
    """Draw cells in the form that suits their number of leaves (:func:`choose_form`)."""
    _DRAW[choose_form(cells)](axes, cells, names, height, groups=groups)


def plot_tree(panels: Sequence[Panel], path: str | Path | None, *, form: str = "tree", depth: int | None = None) -> "Figure":
    """Draw hierarchies as trees beside each other, colored by branch, with what is known of names and heights.

    Each has a legend of its own, unless their branches have the same names and as many leaves.

    Dimension 0 is as good as any other: centers are not looked at. ``form`` is ``dendrogram``, ``radial``, ``icicle``, or
    ``tree`` for the one that suits the panel of most leaves, or ``disk``, colored by class where panels have them; ``depth``
    leaves out deeper levels. Without a path the figure that is given back is all there is. Raises an ``InputError`` for another
    form, a disk of cells that were not laid out in one, another suffix than .png, .pdf and .svg, or a place that cannot be
    written.
    """
    if path is not None:
        check_picture(path)
    if form not in FORMS:
        raise InputError(f"expected a form out of {', '.join(FORMS)}, got {form!r}")
    panels = [panel.named_visibly() if depth is None else panel.named_visibly().prefix(depth) for panel in panels]
    panels = [_with_stability(panel) for panel in panels]
    with picture_style(words_of(panels)):
        figure = _draw(panels, form=form)
        if path is not None:
            save_figure(figure, path)
        return figure


def _draw(panels: Sequence[Panel], *, form: str) -> "Figure":
    largest = max(panels, key=lambda panel: int((panel.cells.child_count == 0).sum()))
    form = choose_form(largest.cells) if form == "tree" else form
    (width, height), stacked = _size(largest.cells, form=form), form == "icicle"
    legends = _legends(panels, form=form, most=int(np.clip(height / STEP - 2, KEYS_LEAST, KEYS_MAX)))
    across = max(map(legend_width, legends))
    whole = width * (1 if stacked else len(panels)) + across
    caption = wrap_lines(_caption(panels, form=form, width=width), width=whole)
    high, own_legends = max(map(legend_height, legends)), len(legends) > 1
    layout = Layout(
        width, height, len(panels), stacked, high, LINE * len(caption), own_legends=own_legends, legend_width=across
    )
    figure = new_figure(layout.total)
    for number, panel in enumerate(panels):
        draw_heading(figure, layout.box(number), name=panel.name, description=describe_panel(panel, level=None))
        drawn = fewer_rows(panel, most=DENDROGRAM_ROWS) if form == "dendrogram" else panel
        _draw_panel(add_axes(figure, layout.box(number)), drawn, form=form)
    draw_legends(figure, legends, layout=layout, names=[panel.name for panel in panels])
    draw_caption(figure, caption)
    return figure


def _with_stability(panel: Panel) -> Panel:
    """A condensed tree whose clusters have no names, called by their points and their stability."""
    cells = panel.cells
    if cells.size is None or not is_condensed(cells) or (panel.names is not None and any(panel.names)):
        return panel
    stability = np.asarray(cells.own["stability"], dtype=np.float64).tolist()
    facts = zip(cells.size.tolist(), stability, strict=True)
    return replace(panel, names=[f"{points:,} points, stability {value:.3g}" for points, value in facts])


def _draw_panel(axes: "Axes", panel: Panel, *, form: str) -> None:
    if form == "disk":
        colors = _disk_colors(panel)
        draw_disk(axes, panel.cells, _places(panel), colors=colors, names=panel.names, pictures=panel.pictures)
    else:
        _DRAW[form](axes, panel.cells, panel.names, _usable_height(panel), groups=panel.groups)


def _places(panel: Panel) -> Float[np.ndarray, "cells 2"]:
    """Where cells lie in the disk; an ``InputError`` where that is not known."""
    if panel.disk is None:
        raise InputError(
            f"the cells of {panel.name!r} have no place in a disk (hyp_xy); `cfgraph ingest dasgupta` gives them one, and "
            "other forms do without"
        )
    return panel.disk


def _disk_of(panel: Panel) -> Surroundings:
    return Surroundings.of(panel.cells, _places(panel), names=panel.names, pictures=panel.pictures, half=DISK_SIDE / 2)


def _disk_colors(panel: Panel) -> Float[np.ndarray, "cells 3"]:
    """The colors of classes where they are known, else of branches."""
    if panel.classes is None:
        return Branches(panel.cells, panel.groups).colors
    known = _class_names(panel)
    number = {name: place for place, name in enumerate(known)}
    classes = np.array([-1 if name is None else number[name] for name in panel.classes], dtype=np.int64)
    return class_colors(panel.cells, classes, branch_colors(len(known)))


def _class_names(panel: Panel) -> list[str]:
    return sorted({name for name in panel.classes or () if name is not None})


def _usable_height(panel: Panel) -> Float[np.ndarray, " cells"] | None:
    """The heights if every cell has one and they are not all the same, else none: then the level tells the depth."""
    known = panel.height is not None and np.isfinite(panel.height).all() and np.ptp(panel.height) > 0
    return panel.height if known else None


def _size(cells: Cells, *, form: str) -> tuple[float, float]:
    """Width and height of a panel, in inches."""
    leaves, levels = int((cells.child_count == 0).sum()), cells.depth - int(cells.level[0]) + 1
    if form == "dendrogram":
        return DENDROGRAM_WIDTH, float(np.clip(ROW * min(leaves, DENDROGRAM_ROWS), *DENDROGRAM_HEIGHTS))
    if form == "disk":
        return DISK_SIDE, DISK_SIDE
    if form == "radial":
        side = float(np.interp(leaves, (0, RADIAL_LEAVES), RADIAL_SIDES))
        return side, side
    return ICICLE_WIDTH, float(np.clip(BAND * levels, *ICICLE_HEIGHTS))


def _legends(panels: Sequence[Panel], *, form: str, most: int) -> list[list[Key]]:
    """The legend of each panel, or one for all where they are the same: a color is of another branch in another tree."""
    by_class = form == "disk" and all(panel.classes is not None for panel in panels)
    legends = [(_class_keys if by_class else _keys)(panel, most=most) for panel in panels]
    return legends[:1] if all(keys == legends[0] for keys in legends) else legends


def _class_keys(panel: Panel, *, most: int) -> list[Key]:
    """A line of the legend for each class, with its leaves; the largest where they are many."""
    names, counted = _class_names(panel), Counter(panel.classes)
    colors = branch_colors(len(names))
    chosen = sorted(sorted(range(len(names)), key=lambda number: -counted[names[number]])[:most])
    heading = "leaves by class" if len(chosen) == len(names) else f"leaves, {most} of {len(names):,} classes"
    return [
        Key(visible(names[number]), tuple(colors[number].tolist()), MARK, counted[names[number]], None if at else heading)
        for at, number in enumerate(chosen)
    ]


def _group_keys(panel: Panel, *, most: int) -> list[Key]:
    """A line of the legend for each group: with its leaves, or its cells where a property differs on the way down."""
    groups, branches = panel.groups, Branches(panel.cells, panel.groups)
    assert groups is not None
    counted = np.ones(len(panel.cells), dtype=bool) if groups.ordered else panel.cells.child_count == 0
    counts = np.bincount(groups.number[counted & (groups.number >= 0)], minlength=len(groups.names))
    chosen = np.sort(np.argsort(-counts, kind="stable")[:most]) if len(counts) > most else np.arange(len(counts))
    things, by = "cells" if groups.ordered else "leaves", groups.short
    heading = f"{things} by {by}" if len(chosen) == len(counts) else f"{things}, {most} of {len(counts):,} by {by}"
    keys = [
        Key(visible(groups.names[number]), tuple(branches.palette[number].tolist()), MARK, int(counts[number]), heading)
        for number in chosen.tolist()
    ]
    keys = [key if at == 0 else replace(key, heading=None) for at, key in enumerate(keys)]
    return [*keys, *_others(int(counted.sum() - counts.sum()))]


def _others(leaves: int) -> list[Key]:
    """The line of what has no color of its own."""
    return [Key("in none of them", TRUNK, MARK, leaves)] if leaves else []


def _keys(panel: Panel, *, most: int) -> list[Key]:
    """A line of the legend for each branch that is not a leaf alone, with its leaves; the largest where they are many."""
    if panel.groups is not None:
        return _group_keys(panel, most=most)
    branches, labels = Branches(panel.cells), labels_of(panel.cells, panel.names)
    tops, colors = branches.tops, branch_colors(len(branches.tops))
    if len(tops) == 1 or branches.leaves[tops].max() == 1:
        return []
    chosen = np.sort(np.argsort(-branches.leaves[tops], kind="stable")[:most])
    if branches.by_selection and panel.cells.size is not None:
        counts = np.asarray(panel.cells.size)
        inside = int(counts[branches.tops_apart].sum())
        order = np.argsort(np.asarray(panel.cells.own["cluster"])[tops])[:KEYS_MAX].tolist()
        heading = "points by cluster" if len(order) == len(tops) else f"points, {KEYS_MAX} of {len(tops):,} clusters"
        keys = [
            Key(f"cluster {label}", tuple(colors[at].tolist()), MARK, int(counts[tops[at]]), None if label else heading)
            for label, at in enumerate(order)
        ]
        return [*keys, *_others(int(counts[0]) - inside)]
    heading = "leaves by branch" if len(chosen) == len(tops) else f"leaves, {most} of {len(tops):,} branches"
    addresses = panel.cells.addresses
    keys = [
        Key(
            labels[tops[number]] or addresses[tops[number]],
            tuple(colors[number].tolist()),
            MARK,
            int(branches.leaves[tops[number]]),
            None if at else heading,
        )
        for at, number in enumerate(chosen.tolist())
    ]
    inside = int(branches.leaves[branches.tops_apart].sum())
    return [*keys, *_others(int(branches.leaves[0]) - inside)]


def _colored_by(panels: Sequence[Panel]) -> str:
    """What colors stand for, in words."""
    groups, cells = panels[0].groups, panels[0].cells
    if groups is not None:
        return groups.what
    if Branches(cells).by_selection:
        return "the cluster that is taken, grey above"
    return "the branch" if Branches(cells).by_first_split else "the branch of a cut, grey above and beside"


def _tell_rows(panels: Sequence[Panel]) -> Iterator[str]:
    for panel in panels:
        leaves = int((panel.cells.child_count == 0).sum())
        if leaves > DENDROGRAM_ROWS:
            of = f" of {panel.name}" if len(panels) > 1 else ""
            rows = int((fewer_rows(panel, most=DENDROGRAM_ROWS).cells.child_count == 0).sum())
            yield f"{leaves:,} leaves{of} are drawn as {rows:,} rows: a number in brackets says how many lie below one."


def _caption(panels: Sequence[Panel], *, form: str, width: float) -> Iterator[str]:
    by = "height" if _usable_height(panels[0]) is not None else "level"
    if form == "disk":
        of = "the class, grey above several" if panels[0].classes is not None else _colored_by(panels)
        yield f"The Poincare disk: lines are geodesics, distances grow without end towards the rim. Color: {of}."
        yield from dict.fromkeys(line for panel in panels if (line := _disk_of(panel).omission) is not None)
    elif form == "icicle":
        sized = all(panel.cells.size is not None and (panel.cells.size > 0).all() for panel in panels)
        of = "points" if sized else "leaves"
        yield f"Width: how many {of} lie below. Downwards: {by}. Color: {_colored_by(panels)}, paler with depth."
    else:
        way = "Outwards" if form == "radial" else "Across"
        yield f"{way}: {by}. Color: {_colored_by(panels)}. Line width: how many leaves lie below."
    if form == "icicle" and is_condensed(panels[0].cells):
        yield "What stays empty below a cell are points that left it before it split, or fell apart."
    if form == "dendrogram":
        yield from _tell_rows(panels)
    if any(panel.cells.predicted.any() for panel in panels):
        yield "Paler: cells that a predictor put there."
    if form == "icicle" and any((panel.cells.child_count == 0).sum() > width * DPI for panel in panels):
        yield "Cells narrower than a pixel share it with their neighbors."
    yield from tell_omissions(panels, words=words_of(panels))
