"""What hierarchies and reports do by themselves: pictures, tables, a view in notebooks; each is the function above it."""

import inspect
import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy.cluster.hierarchy import linkage

import cfgraph
from cfgraph import formats, sources
from cfgraph.errors import InputError
from cfgraph.judging.compare_names import compare_names
from cfgraph.judging.picture import plot
from cfgraph.model.as_html import Shown, report_html, table_html
from cfgraph.model.methods import Methods
from cfgraph.plots.thumbnail import CELLS_MAX, draw_thumbnail
from cfgraph.store.asking import Rows

HOSTILE = "</title><script>alert(1)</script>\x1b[31m\u202e&\"'"


@pytest.fixture(scope="module")
def koch():
    return sources.ifs(id="koch", maps="koch", depth=4)


@pytest.fixture(scope="module")
def merged():
    merges = np.array([[0, 1, 1.0, 2], [2, 3, 2.0, 2], [4, 5, 3.0, 4]])
    return sources.linkage(id="merged", data=merges, names=["a", "b", "c", "d"])


@pytest.mark.parametrize("form", [None, "centers", "tree", "dendrogram", "radial", "icicle"])
def test_a_figure_of_ones_own_or_axes_that_are_handed_in(koch, form):
    assert isinstance(koch.plot(form=form, depth=2), Figure)
    figure = Figure()
    axes = figure.subplots()
    assert koch.plot(form=form, depth=2, ax=axes) is figure
    assert axes.collections or axes.lines or axes.patches


def test_pictures_of_one_level_of_other_dimensions_and_of_none(koch, merged):
    axes = Figure().subplots()
    koch.plot(level=2, ax=axes)
    assert len(axes.collections[0].get_offsets()) == 16
    assert isinstance(koch.plot(level=2), Figure)
    assert isinstance(merged.plot(), Figure)  # no centers: the tree
    for dimension in (1, 5):
        data = np.random.default_rng(0).normal(size=(60, dimension))
        sources.points(id="it", data=data, depth=2).plot(ax=Figure().subplots())


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"form": "cube"}, "expected a form out of centers, tree"),
        ({"depth": 1, "level": 1}, "not both"),
        ({"level": 1, "form": "icicle"}, "one level alone"),
        ({"level": 9}, "no level 9 to draw"),
        ({"depth": -1}, "at least 0 as depth"),
        ({"form": "disk"}, "no place in a disk"),
    ],
)
@pytest.mark.parametrize("handed_in", [False, True])
def test_pictures_that_cannot_be_drawn(koch, asked, told, handed_in):
    with pytest.raises(InputError, match=told):
        koch.plot(**asked, ax=Figure().subplots() if handed_in else None)


def test_tables_and_graphs(koch, merged):
    cells, edges = koch.to_pandas()
    assert (len(cells), len(edges)) == (341, 340)
    assert koch.to_arrow()[0].equals(formats.to_arrow(koch)[0])
    assert koch.to_networkx().number_of_edges() == 340
    np.testing.assert_array_equal(merged.to_linkage(), formats.to_linkage(merged))


@pytest.mark.parametrize("act", ["plot", "to_pandas", "to_arrow", "to_networkx", "to_linkage"])
def test_a_description_says_how_its_cells_are_read(koch, act):
    with pytest.raises(InputError, match="read_whole"):
        getattr(koch.without_cells(), act)()


@pytest.mark.parametrize(
    ("method", "function"),
    [
        ("plot", plot),
        ("to_arrow", formats.to_arrow),
        ("to_linkage", formats.to_linkage),
        ("to_pandas", formats.to_pandas),
    ],
)
def test_a_method_has_the_parameters_of_its_function(method, function):
    own = list(inspect.signature(getattr(Methods, method)).parameters.values())[1:]
    above = list(inspect.signature(function).parameters.values())[1:]
    assert [(one.name, one.default, one.kind) for one in own] == [(one.name, one.default, one.kind) for one in above]


@pytest.mark.parametrize("asked", [{"color_by": "cut:4"}, {"color_by": "size"}, {"labels": [0, 1] * 20}])
def test_a_picture_is_colored_by_what_is_asked_for(asked):
    rows = np.random.default_rng(0).normal(size=(40, 2))
    legend = {text.get_text() for text in sources.points(rows, depth=2).plot(form="icicle").findobj(Text)}
    found = (
        sources.points(rows, depth=2).plot(form="icicle", **asked)
        if "size" in asked.values()
        else merged_of(rows).plot(**asked)
    )
    assert {text.get_text() for text in found.findobj(Text)} != legend
    for wrong in ({"color_by": "labels"}, {"color_by": "cut", "labels": [0, 1] * 20}, {"color_by": "nothing"}):
        with pytest.raises(InputError, match="color"):
            merged_of(rows).plot(**wrong)
    with pytest.raises(InputError, match="leave ax out"):
        merged_of(rows).plot(**asked, ax=Figure().subplots())


def merged_of(rows):
    return sources.linkage(linkage(rows, "ward"))


def test_a_hierarchy_is_cut_as_by_the_function(koch):
    own, above = (dict(inspect.signature(one).parameters) for one in (Methods.cut, cfgraph.cut))
    assert above.keys() - own.keys() == {"hierarchy", "id", "as_property"}
    assert own.keys() - above.keys() == {"self"}
    found = koch.cut(level=1)
    assert np.array_equal(found, cfgraph.cut(koch, level=1))
    assert len(np.unique(found)) == 4
    with pytest.raises(cfgraph.CfgraphError, match="holds no cells"):
        koch.without_cells().cut(level=1)


def check_html(html):
    """Well-formed, with nothing that runs and no control character."""
    ElementTree.fromstring(f"<all>{html}</all>")
    assert not re.search(r"<script|javascript:|\son\w+=|[\x00-\x09\x0b-\x1f\u202e]", html)


def test_a_notebook_shows_a_picture_and_the_numbers(koch):
    html = koch._repr_html_()
    check_html(html)
    assert html.count("<rect") == 341 <= CELLS_MAX
    assert "341" in html
    assert "0.333333" in html
    for hierarchy in (koch.with_cells(koch.cells.prefix(0)), koch.without_cells()):
        check_html(hierarchy._repr_html_())


def test_names_of_others_do_nothing_in_a_notebook():
    graph = cfgraph.to_networkx(sources.ifs(id="it", maps="koch", depth=1))
    graph.nodes["/1"]["name"] = HOSTILE.replace("\x1b", "")
    made = sources.graph(id=HOSTILE.replace("/", "|").replace("\x1b", ""), data=graph)
    check_html(made._repr_html_())
    check_html(table_html(HOSTILE, [HOSTILE], [[HOSTILE]]))
    check_html(Rows([HOSTILE], [[HOSTILE], [None], [{"a": HOSTILE}]])._repr_html_())


def test_large_and_deep_hierarchies_have_small_pictures():
    large = sources.cfg(id="large", arity=4, depth=8)
    assert len(draw_thumbnail(large.cells)) < 70_000


def test_reports_are_shown_and_are_frames(koch, merged):
    found = compare_names(merged, merged)
    check_html(found._repr_html_())
    assert found.to_pandas()["trees.leaves"].tolist() == [4]
    differing = cfgraph.diff(koch, koch)
    check_html(differing._repr_html_())
    assert len(differing.to_pandas())
    check_html(cfgraph.train(koch, id="rule", depth=3, family="mean")._repr_html_())


def test_every_report_is_shown():
    from cfgraph.comparing.certify import Certification
    from cfgraph.comparing.diff_report import Diff
    from cfgraph.comparing.drift import Drift
    from cfgraph.comparing.report import Report
    from cfgraph.growing.rollout import RolloutReport
    from cfgraph.judging.evaluate import Evaluation
    from cfgraph.metric.path import Path
    from cfgraph.store.history import History
    from cfgraph.store.verify import VerifyReport

    for report in (Certification, Diff, Drift, Report, RolloutReport, Evaluation, Path, History, VerifyReport):
        assert issubclass(report, Shown), report


def test_a_report_with_rows_becomes_a_frame_of_them():
    class Told(Shown):
        def to_dict(self):
            return {"levels": [{"level": 1, "error": {"mse": 0.5}}, {"level": 2, "error": {"mse": np.nan}}], "id": HOSTILE}

    frame = Told().to_pandas()
    assert frame.columns.tolist() == ["level", "error.mse"]
    assert frame["level"].tolist() == [1, 2]
    check_html(report_html(Told()))
    assert "levels" in report_html(Told())


def test_rows_of_a_query_are_a_pair_and_a_frame():
    rows = Rows(["a", "b"], [[1, "x"], [2, None]])
    columns, values = rows
    assert json.dumps([columns, values]) == '[["a", "b"], [[1, "x"], [2, null]]]'
    assert rows == (["a", "b"], [[1, "x"], [2, None]])
    assert rows[1] == values
    assert rows.to_pandas()["a"].tolist() == [1, 2]
    assert Rows(["a"], []).to_pandas().columns.tolist() == ["a"]
