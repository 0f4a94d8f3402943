"""Trees of decoded images."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from cfgraph.errors import InputError
from cfgraph.files.arrays import check_points
from cfgraph.learning.nested.learned import LearnedTree
from cfgraph.plots import draw_reconstructions, plot_reconstructions
from cfgraph.plots.page import new_figure
from cfgraph.plots.reconstructions import as_images
from cfgraph.sources.hcrl import Asked, learn
from cfgraph.sources.preparation import Rows
from tests.unit.test_hcrl import ASKED

DIGITS = load_digits().data[:400]


@pytest.fixture(scope="module")
def learned():
    return learn(Rows(check_points(DIGITS, where="it")), id="it", asked=Asked.checked(**{**ASKED, "pca": 10, "depth": 2}))


def images_of(learned):
    addresses = learned.cells.addresses
    return LearnedTree.of(learned.encoder).reconstruct_all(addresses).reshape(-1, 8, 8)


def test_each_cell_stands_as_an_image_above_its_children(learned):
    from matplotlib.offsetbox import AnnotationBbox

    cells, images = learned.cells, images_of(learned)
    axes = new_figure((4, 3)).add_axes((0, 0, 1, 1))
    draw_reconstructions(axes, cells, images)
    boxes = [artist for artist in axes.artists if isinstance(artist, AnnotationBbox)]
    assert len(boxes) == len(cells) == 7
    assert [-box.xy[1] for box in boxes] == cells.level.tolist()
    for row in np.flatnonzero(cells.child_count).tolist():
        children = [boxes[child].xy[0] for child in np.flatnonzero(cells.parent == row)]
        assert min(children) < boxes[row].xy[0] < max(children)
    shades = (images - images.min()) / np.ptp(images)
    np.testing.assert_allclose(np.asarray(boxes[3].offsetbox.get_data())[..., 0], shades[3])


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_pictures_are_written(learned, tmp_path, suffix):
    path = tmp_path / f"it.{suffix}"
    plot_reconstructions(learned.cells, images_of(learned), path, name="digits $x")
    assert path.stat().st_size > 3_000
    colored = np.random.default_rng(0).uniform(size=(7, 4, 4, 3))
    plot_reconstructions(learned.cells, colored, path, name="colors")


def test_equal_images_are_drawn(learned, tmp_path):
    plot_reconstructions(learned.cells, np.zeros((7, 2, 3)), tmp_path / "it.png", name="nothing")
    assert (tmp_path / "it.png").stat().st_size > 3_000


def test_rows_become_images():
    rows = np.arange(24.0).reshape(2, 12)
    assert as_images(rows[:, :9], None).shape == (2, 3, 3)
    assert as_images(rows, "2x2x3").shape == (2, 2, 2, 3)
    np.testing.assert_array_equal(as_images(rows, "3x4")[1], rows[1].reshape(3, 4))
    for shape, told in [(None, "no square"), ("3x5", "15 numbers"), ("3", "expected a shape"), ("2x3x2", "expected a shape")]:
        with pytest.raises(InputError, match=told):
            as_images(rows, shape)
    for shape in ("0x3", "-3x-4", "3×4", "axb"):
        with pytest.raises(InputError, match="expected a shape"):
            as_images(rows, shape)


def test_bad_input_is_told(learned, tmp_path, monkeypatch):
    cells = learned.cells
    for images in (np.zeros((6, 8, 8)), np.zeros((7, 64)), np.zeros((7, 8, 8, 4)), np.zeros((7, 0, 8))):
        with pytest.raises(InputError, match="an image for each of 7 cells"):
            plot_reconstructions(cells, images, tmp_path / "it.png", name="it")
    with pytest.raises(InputError, match="finite"):
        plot_reconstructions(cells, np.full((7, 8, 8), np.nan), tmp_path / "it.png", name="it")
    with pytest.raises(InputError, match="ends in"):
        plot_reconstructions(cells, np.zeros((7, 8, 8)), tmp_path / "it.gif", name="it")
    monkeypatch.setattr("cfgraph.plots.reconstructions.IMAGES_MAX", 6)
    with pytest.raises(InputError, match="at most 6 cells"):
        plot_reconstructions(cells, np.zeros((7, 8, 8)), tmp_path / "it.png", name="it")
