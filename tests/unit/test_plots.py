"""Pictures: that they are made, show what they claim, and refuse what cannot be shown. How they look was looked at."""

import copy
import json
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cfgraph.comparing.compare import compare_cells
from cfgraph.errors import InputError
from cfgraph.learning.train import train
from cfgraph.model.cells import Cells, Links
from cfgraph.model.growth import grow
from cfgraph.plots import Panel, main_axes, plot_cells, plot_report, read_report
from cfgraph.sources import ifs
from tests.trees import FINITE, ragged_cells, smooth_cells, smooth_rule

LEVELS = [{"level": level, "parents": 4**level} for level in (3, 4, 5)]


def comparison(*, size: float, certificate: float | None = None, **more) -> dict:
    """A report of the shape that compare prints."""
    step = {"mse": size, "nmse": size, "pi_cd": size, "pi_mse": size, "slot_accuracy": 1.0}
    found = {"teacher_forced": step, "rolled_out": {**step, "max_center_error": size**0.5}, "certificate": certificate}
    levels = [{**level, **found, "matched": 1, "only_true": 0, "only_predicted": 0} for level in LEVELS]
    return {"true": "smooth", "predicted": "smooth-mlp", "from_depth": 2, "levels": levels, **more}


REPORT = comparison(
    size=1e-4,
    certificate=0.02,
    certificates={"from_prefix": 0.02, "from_root": None, "by_level": [0.01, 0.015, 0.018]},
    baselines={family: comparison(size=size) for family, size in (("zero", 1.0), ("mean", 0.1), ("parent", 0.0))},
    warnings=["a warning that must be seen"],
)


def picture(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".SVG", b"<?xml")])
def test_the_suffix_tells_the_form(suffix, start, tmp_path):
    plot_cells([Panel(smooth_cells(3), "smooth")], tmp_path / f"h{suffix}")
    assert (tmp_path / f"h{suffix}").read_bytes().startswith(start)


@settings(max_examples=6, deadline=None)
@given(ragged_cells(dimension=None), st.booleans())
def test_every_shape_of_tree_can_be_drawn(tmp_path_factory, cells, alone):
    path = tmp_path_factory.getbasetemp() / "tree.png"
    level = cells.depth if alone else None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_cells([Panel(cells, "a"), Panel(cells, "b")], path, level=level)
    assert picture(path).min() < 200


def test_true_beside_predicted_tells_how_far_they_are_apart(tmp_path):
    true = smooth_cells(4)
    predicted = grow(true.prefix(2), rule=lambda f: smooth_rule(f) + 0.01, arity=4, scale_factor=0.5, depth=4)
    apart = np.linalg.norm(predicted.center - true.center, axis=1).max() / np.linalg.norm(np.ptp(true.center, axis=0))
    plot_cells([Panel(true, "truth"), Panel(predicted, "copy", grown_by="rule")], tmp_path / "h.svg")
    words = comments_of(tmp_path / "h.svg")
    assert f"At 341 common addresses the centers of copy are at most {apart:.2g} of the diameter from those of truth." in words
    assert "341 cells; levels 3 to 4 grown by rule" in words
    assert {"observed", "predicted (never seen)", "level 4"} <= words


def comments_of(path) -> set[str]:
    """The texts of an SVG: matplotlib writes each as a comment beside its outlines."""
    lines = (line.strip() for line in path.read_text().splitlines())
    return {line.removeprefix("<!--").removesuffix("-->").strip() for line in lines if line.startswith("<!--")}


def test_cells_outside_the_frame_are_counted(tmp_path):
    true = smooth_cells(2)
    lost = true.with_columns(center=np.where(true.level[:, None] == 2, true.center + 100, true.center))
    plot_cells([Panel(true, "truth"), Panel(lost, "lost")], tmp_path / "h.svg")
    assert any("16 of its cells lie outside the frame." in words for words in comments_of(tmp_path / "h.svg"))


def test_hierarchies_of_different_shapes_are_matched_by_address(tmp_path):
    whole, part = smooth_cells(3), smooth_cells(2)
    kept = np.flatnonzero((part.slot != 3) | (part.level < 2))
    rows = {old: new for new, old in enumerate(kept)} | {-1: -1}
    cut = Cells(**{**part.take(kept), "parent": np.array([rows[p] for p in part.parent[kept]])})
    plot_cells([Panel(whole, "whole"), Panel(cut, "cut")], tmp_path / "h.svg")
    words = comments_of(tmp_path / "h.svg")
    assert any(told.startswith("At 17 common addresses") for told in words)
    assert {"1", "4"} <= words  # cells of levels 0 and 1 in the legend, which both have
    assert "16" not in words  # of level 2: the other has 12


def test_many_cells_are_crisp_pixels(tmp_path):
    """The ink of a level of 65,536 cells is at most a pixel a cell, in its own color and no shade of it."""
    plot_cells([Panel(smooth_cells(8), "smooth")], tmp_path / "h.png", level=8)
    colors, counts = np.unique(picture(tmp_path / "h.png").reshape(-1, 3), axis=0, return_counts=True)
    inked = {tuple(color): count for color, count in zip(colors.tolist(), counts.tolist(), strict=True)}
    branches = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167))
    for branch in branches:
        assert 5_000 < inked[branch] < 4**7 + 1_000  # and a mark in the legend


def test_the_same_cells_give_the_same_picture(tmp_path):
    for name in ("a.png", "b.png"):
        plot_cells([Panel(smooth_cells(4), "smooth")], tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("name", ["$a$", "$\\frac{$", "\N{SNOWMAN} 数", "x" * 200, "a_b^c"])
def test_any_id_can_be_drawn(name, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_cells([Panel(smooth_cells(2), name)], tmp_path / "h.png")
        plot_cells([Panel(smooth_cells(2), "it")], tmp_path / "it.png")
    assert (tmp_path / "h.png").read_bytes() != (tmp_path / "it.png").read_bytes()  # the name is in it


def test_edges_from_second_parents_are_told(tmp_path):
    cells = smooth_cells(2)
    one = np.ones(1, dtype=int)
    links = Links(parent=one, child=20 * one, slot=9 * one, residual=np.zeros((1, 2)), length=np.zeros(1))
    plot_cells([Panel(cells.with_columns(links=links), "dag"), Panel(cells, "tree")], tmp_path / "h.svg")
    assert "1 edge from a second parent of dag is not drawn." in comments_of(tmp_path / "h.svg")


def test_ids_that_no_font_can_write_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr("cfgraph.plots.words._installed_fonts", dict)
    plot_cells([Panel(smooth_cells(1), "数")], tmp_path / "h.svg")
    plot_report({**REPORT, "predicted": "数"}, tmp_path / "r.svg")
    for name in ("h.svg", "r.svg"):
        assert any(words.startswith("A box stands for U+6570") for words in comments_of(tmp_path / name))


@given(st.lists(st.lists(FINITE, min_size=4, max_size=4), min_size=3, max_size=12))
def test_main_axes_hold_the_most_variance(rows):
    center = np.array(rows)
    mean, axes, shares = main_axes(center)
    spread = np.linalg.eigvalsh((center - mean).T @ (center - mean))[::-1]
    along = (((center - mean) @ axes.T) ** 2).sum(axis=0)
    np.testing.assert_allclose(along, spread[:2], atol=1e-9 * (1 + spread[0]))
    if spread[0] > 1e-9:
        np.testing.assert_allclose(shares, spread[:2] / spread.sum(), atol=1e-9)


@pytest.mark.parametrize("name", ["h.jpg", "h", "h.txt", "missing/h.png"])
def test_a_place_that_is_no_picture_is_refused(name, tmp_path):
    with pytest.raises(InputError):
        plot_cells([Panel(smooth_cells(1), "smooth")], tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_levels_that_are_not_there_are_refused(tmp_path):
    for asked in ({"level": 3}, {"level": -1}, {"depth": -1}):
        with pytest.raises(InputError, match=r"level|depth"):
            plot_cells([Panel(smooth_cells(2), "smooth")], tmp_path / "h.png", **asked)


def test_hierarchies_that_share_no_axes_are_refused(tmp_path):
    line, plane = Cells.from_root(np.zeros(1)), smooth_cells(1)
    with pytest.raises(InputError, match="'line' has 1, 'plane' has 2"):
        plot_cells([Panel(line, "line"), Panel(plane, "plane")], tmp_path / "h.png")
    with pytest.raises(InputError, match="at least 1"):
        plot_cells([Panel(Cells.from_root(np.zeros(0)), "tree")], tmp_path / "h.png")


def test_plot_report_draws_every_curve(tmp_path):
    plot_report(REPORT, tmp_path / "r.svg")
    words = comments_of(tmp_path / "r.svg")
    assert {"smooth-mlp", "zero", "mean", "parent", "by level", "from the prefix", "nMSE of the residuals"} <= words
    assert "from the root" not in words
    assert "Warning: a warning that must be seen" in words
    assert any("Hollow marks: exactly zero." in line for line in words)


def test_plot_report_of_what_compare_reports(tmp_path):
    true = ifs(id="koch", maps="koch", depth=4)
    trained = train(true, id="rule", depth=2, family="recurrence")
    grown = grow(true.cells.prefix(2), rule=trained.load().predict, arity=4, scale_factor=true.scale_factor, depth=4)
    report = compare_cells(true, grown, trained=trained, predicted_id="grown").to_json()
    plot_report(read_report(report.encode(), name="report"), tmp_path / "r.svg")
    assert {"grown", "zero", "scaled-parent", "by level", "from the prefix", "from the root"} <= comments_of(tmp_path / "r.svg")


def test_plot_report_of_nulls(tmp_path):
    report = json.loads(re.sub(r"0\.[0-9]+", "null", json.dumps(REPORT)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_report(report, tmp_path / "r.svg")
    assert any("a warning that must be seen" in text for text in comments_of(tmp_path / "r.svg"))


@pytest.mark.parametrize("missing", ["levels", "baselines", "predicted", "from_depth"])
def test_plot_report_refuses_what_is_no_report(missing, tmp_path):
    report = copy.deepcopy(REPORT)
    del report[missing]
    with pytest.raises(InputError, match="cfgraph compare"):
        plot_report(report, tmp_path / "r.png")
    with pytest.raises(InputError, match="no level"):
        plot_report({**REPORT, "levels": []}, tmp_path / "r.png")
    with pytest.raises(InputError, match="another shape"):
        plot_report({**REPORT, "certificates": {"by_level": [0.1]}}, tmp_path / "r.png")
    for levels in (3, [3], [{"level": "deep"}], [{"level": 3, "teacher_forced": [], "rolled_out": 1}]):
        with pytest.raises(InputError, match="another shape"):
            plot_report({**REPORT, "levels": levels}, tmp_path / "r.png")


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe\x00", b"[1]", b"3", b"[" * 100_000])
def test_read_report_refuses_what_is_no_json_object(text):
    with pytest.raises(InputError, match=r"r\.json"):
        read_report(text, name="r.json")


def test_matplotlib_missing_is_explained(tmp_path):
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from cfgraph.errors import MissingExtraError; from cfgraph.plots import check_picture\n"
        "try: check_picture(sys.argv[1])\n"
        "except MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "h.png"], capture_output=True, text=True, check=True)
    assert "pip install 'matplotlib>=3.9'" in done.stdout


def test_importing_plots_and_exports_loads_nothing_heavy():
    program = "import sys, cfgraph.plots, cfgraph.formats; print({m.partition('.')[0] for m in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "numpy" in done.stdout
    for heavy in ("matplotlib", "networkx", "scipy", "torch", "sklearn"):
        assert f"'{heavy}'" not in done.stdout
