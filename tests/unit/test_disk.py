"""The disk: geodesics by their definition, colors of classes, thumbnails, and what is refused."""

import numpy as np
import pytest
from matplotlib.image import imread

from cfgraph.errors import InputError
from cfgraph.files.labels import Labels
from cfgraph.plots import Panel, plot_tree
from cfgraph.plots.disk import Surroundings, class_colors, classes_of, geodesics, pictures_of, read_thumbnail
from cfgraph.sources import dasgupta

DATA = np.random.default_rng(0).normal(size=(30, 3))
NAMES = [f"{number:02}.png" for number in range(30)]


@pytest.fixture(scope="module")
def cells():
    return dasgupta(id="it", data=DATA, names=NAMES).cells


def distance(one, other):
    """``arcosh(1 + 2 |u - v|^2 / ((1 - |u|^2)(1 - |v|^2)))``, the Poincare disk's."""
    apart = ((one - other) ** 2).sum(axis=-1)
    return np.arccosh(1 + 2 * apart / ((1 - (one**2).sum(axis=-1)) * (1 - (other**2).sum(axis=-1))))


def test_geodesics_are_the_shortest_ways():
    random = np.random.default_rng(1)
    angle, radius = random.uniform(0, 2 * np.pi, size=(2, 200)), random.uniform(0, 0.99, size=(2, 200))
    one, other = (r[:, None] * np.column_stack([np.cos(t), np.sin(t)]) for t, r in zip(angle, radius, strict=True))
    ways = geodesics(one, other)
    np.testing.assert_allclose(ways[:, 0], one, atol=1e-9)
    np.testing.assert_allclose(ways[:, -1], other, atol=1e-7)
    steps = distance(ways[:, :-1], ways[:, 1:])
    np.testing.assert_allclose(steps.sum(axis=1), distance(one, other), rtol=1e-6)
    np.testing.assert_allclose(steps, steps[:, :1] * np.ones(steps.shape[1]), rtol=1e-4, atol=1e-9)


def test_a_way_to_oneself_stays():
    here = np.array([[0.3, -0.4], [0.0, 0.0]])
    np.testing.assert_allclose(geodesics(here, here), np.repeat(here[:, None], 24, axis=1), atol=1e-12)


def test_colors_are_of_the_class_below_which_there_is_no_other(cells):
    leaf = cells.child_count == 0
    classes = np.where(leaf, cells.own["row"] % 2, -1)
    palette = np.array([[1.0, 0, 0], [0, 0, 1.0]])
    colors = class_colors(cells, classes, palette)
    below = [set() for _ in range(len(cells))]
    for row in range(len(cells) - 1, -1, -1):
        if leaf[row]:
            below[row] = {int(classes[row])}
        if row:
            below[cells.parent[row]] |= below[row]
    for row, found in enumerate(below):
        pure = len(found) == 1
        assert (colors[row] == palette[min(found)]).all() == pure, row


@pytest.mark.parametrize("named", [False, True])
def test_classes_go_by_row_or_by_name(cells, named):
    values = np.array(["odd" if number % 2 else "even" for number in range(30)])
    order = np.random.default_rng(0).permutation(30)
    labels = Labels(values[order], tuple(NAMES[number] for number in order)) if named else Labels(values)
    found = classes_of(cells, labels, name="it")
    for row, name in enumerate(cells.names):
        wanted = None if cells.child_count[row] else values[NAMES.index(name)]
        assert found[row] == wanted


def write_pictures(folder):
    from PIL import Image

    for number, name in enumerate(NAMES):
        mode, color = ("L", number * 8) if number % 3 == 0 else ("RGBA", (number * 8, 0, 0, 128))
        Image.new(mode, (20 + number, 10), color).save(folder / name)


def test_thumbnails_stand_apart_at_the_rim(cells, tmp_path):
    write_pictures(tmp_path)
    pictures = pictures_of(cells, tmp_path)
    assert {path.name for path in pictures.values()} == set(NAMES)
    around = Surroundings.of(cells, cells.own["hyp_xy"], names=cells.names, pictures=pictures, half=4.0)
    angle = np.sort(cells.own["hyp_angle"][around.pictured])
    assert 10 < len(around.pictured) <= 30
    assert np.diff(angle, append=angle[0] + 2 * np.pi).min() >= 2 * np.pi / 64 - 1e-9
    assert (around.omission is None) == (len(around.pictured) == 30)


def test_a_disk_is_drawn(cells, tmp_path):
    write_pictures(tmp_path)
    classes = classes_of(cells, Labels(np.arange(30) % 3), name="it")
    known = {"disk": cells.own["hyp_xy"], "names": cells.names}
    plain = Panel(cells, "it", **known)
    rich = Panel(cells, "it", **known, classes=classes, pictures=pictures_of(cells, tmp_path))
    for number, panels in enumerate(([plain], [rich], [plain, rich], [plain])):
        path = tmp_path / f"out {number}.png"
        plot_tree(panels, path, form="disk", depth=3 if number == 3 else None)
        drawn = imread(path)
        assert drawn[..., :3].std() > 0.02
    plot_tree([rich], tmp_path / "it.svg", form="disk")
    assert "leaves by class" in (tmp_path / "it.svg").read_text()


def test_names_without_room_are_told(tmp_path):
    hierarchy = dasgupta(id="it", data=np.random.default_rng(0).normal(size=(120, 2)), names=[f"name {n}" for n in range(120)])
    cells = hierarchy.cells
    around = Surroundings.of(cells, cells.own["hyp_xy"], names=cells.names, pictures=None, half=4.0)
    assert 20 < len(around.written) < 120
    assert around.omission == f"There is room for the names of {len(around.written)} of the 120 leaves."


def test_what_was_not_laid_out_is_refused(cells, tmp_path):
    with pytest.raises(InputError, match=r"'it' have no place in a disk .*ingest dasgupta"):
        plot_tree([Panel(cells, "it")], tmp_path / "it.png", form="disk")
    for wrong in (cells.own["hyp_xy"][:-1], cells.own["hyp_xy"] * 2, np.full((len(cells), 2), np.nan)):
        with pytest.raises(InputError, match="within the unit disk"):
            plot_tree([Panel(cells, "it", disk=wrong)], tmp_path / "it.png", form="disk")
    assert not (tmp_path / "it.png").exists()


def test_bad_labels_and_images_are_told(cells, tmp_path):
    with pytest.raises(InputError, match="a label for each of 30 data points of 'it', got 29"):
        classes_of(cells, Labels(np.arange(29)), name="it")
    with pytest.raises(InputError, match="none of the labels is of a leaf"):
        classes_of(cells, Labels(np.array(["a"]), ("nobody",)), name="it")
    with pytest.raises(InputError, match="no leaf is named after an image file"):
        pictures_of(cells, tmp_path)
    (tmp_path / NAMES[0]).write_bytes(b"no image at all")
    with pytest.raises(InputError, match="cannot be decoded"):
        read_thumbnail(tmp_path / NAMES[0])
