"""Plots: pictures of hierarchies and of comparison reports, by matplotlib, without a screen.

:func:`plot_cells` draws each cell at its center, :func:`plot_tree` who is whose child: as a dendrogram, a radial tree or an
icicle, by the number of leaves. Both draw one hierarchy, or several beside each other (the true one and the predicted).
:func:`plot_reconstructions` shows cells as images of the data. :func:`plot_report` draws what ``cfgraph compare`` reports.
``draw_dendrogram``, ``draw_radial``, ``draw_icicle`` and ``draw_reconstructions`` draw on axes of your own.
"""

from cfgraph.plots.centers import SHOWN_LEAST, main_axes, plot_cells, variance_shown
from cfgraph.plots.dendrogram import draw_dendrogram
from cfgraph.plots.groups import Groups, groups_of_leaves, groups_of_values
from cfgraph.plots.icicle import draw_icicle
from cfgraph.plots.page import FORMATS, Panel, check_picture
from cfgraph.plots.radial import draw_radial
from cfgraph.plots.reconstructions import draw_reconstructions, plot_reconstructions
from cfgraph.plots.report import REPORT_BYTES_MAX, plot_report, read_report
from cfgraph.plots.tree import FORMS, choose_form, draw_tree, plot_tree

__all__ = [
    "FORMATS",
    "FORMS",
    "REPORT_BYTES_MAX",
    "SHOWN_LEAST",
    "Groups",
    "Panel",
    "check_picture",
    "choose_form",
    "draw_dendrogram",
    "draw_icicle",
    "draw_radial",
    "draw_reconstructions",
    "draw_tree",
    "groups_of_leaves",
    "groups_of_values",
    "main_axes",
    "plot_cells",
    "plot_reconstructions",
    "plot_report",
    "plot_tree",
    "read_report",
    "variance_shown",
]
