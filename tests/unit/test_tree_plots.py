"""Pictures of trees: that they show what they claim, whatever the tree. How they look was looked at."""

import warnings
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfgraph.errors import InputError
from cfgraph.model.cells import Cells, Links
from cfgraph.plots import FORMS, Panel, choose_form, draw_dendrogram, draw_icicle, draw_radial, plot_tree
from cfgraph.plots.branches import BALANCED, Branches, branch_colors
from cfgraph.plots.icicle import Rectangles, widths_of
from cfgraph.plots.page import LEGEND, Layout, inches_of, picture_style
from cfgraph.plots.words import (
    _installed_fonts,
    find_fonts,
    lacking_letters,
    letters_of,
    shorten,
    shorten_apart,
)
from tests.trees import build_cells, ragged_cells, smooth_cells
from tests.unit.test_plots import comments_of, picture

DRAW = {"dendrogram": draw_dendrogram, "radial": draw_radial, "icicle": draw_icicle}


def tree(parents: list[int], **columns) -> Cells:
    """A tree without centers from its parents' rows in breadth-first order; slots count up."""
    children: Counter = Counter()
    slots = [-1]
    for parent in parents[1:]:
        slots.append(children[parent])
        children[parent] += 1
    rows = list(zip(parents, slots, strict=True))
    return build_cells(rows, residual=[[]] * len(rows), ends=[2] * len(rows), scale_factor=0.5).with_columns(**columns)


STAR = [-1, *[0] * 100_000]
CHAIN = list(range(-1, 3_000))
ANIMALS = [-1, 0, 0, 1, 1, 2, 2, 2]
NAMES = ["animal", "bird", "mammal", "owl", "wren", "cat", "bat", "yak"]


def sheet(width=6.0, height=4.0):
    """Axes of that many inches that fill a picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100)
    FigureCanvasAgg(figure)
    return figure.add_axes((0, 0, 1, 1))


def words_of(axes) -> set[str]:
    """What is written on axes."""
    return {text.get_text() for text in axes.texts}


def descend(cells: Cells, row: int):
    """Each childless row below a row, from the first to the last in depth-first order, one at a time."""
    children = np.flatnonzero(cells.parent == row)
    if len(children) == 0:
        yield row
    for child in children.tolist():
        yield from descend(cells, child)


@given(ragged_cells())
def test_leaves_are_numbered_depth_first(cells):
    branches, order = Branches(cells), list(descend(cells, 0))
    for row in range(len(cells)):
        below = list(descend(cells, row))
        assert branches.leaves[row] == len(below)
        assert branches.first_leaf[row] == order.index(below[0])
    for number, row in enumerate(order):
        assert branches.middle[row] == number + 0.5


@given(ragged_cells())
def test_a_branch_is_what_lies_below_its_top(cells):
    branches = Branches(cells)
    row = 0
    while (cells.parent == row).sum() == 1:
        row = int(np.flatnonzero(cells.parent == row)[0])
    forks = np.flatnonzero(cells.parent == row)
    forks = forks if len(forks) else np.array([0])
    shares = branches.leaves[forks] / branches.leaves[0]
    if shares.max() <= BALANCED and len(forks) > 2:
        assert branches.tops.tolist() == forks.tolist()
    assert branches.by_first_split == (branches.tops.tolist() == forks.tolist())
    assert branches.by_first_split or len(branches.tops) > 2  # of a cut, where the first fork says little
    number = {top: number for number, top in enumerate(branches.tops.tolist())}
    expected = []
    for way in range(len(cells)):
        while way not in (-1, *number):
            way = int(cells.parent[way])
        expected.append(number.get(way, -1))
    assert branches.number.tolist() == expected


@pytest.mark.parametrize("count", [1, 2, 8, 9, 40, 500])
def test_colors_of_branches_are_different(count):
    colors = branch_colors(count)
    assert colors.shape == (count, 3)
    assert ((colors >= 0) & (colors <= 1)).all()
    assert len(np.unique(colors, axis=0)) == count


def test_the_number_of_leaves_chooses_the_form():
    for leaves, form in ((1, "dendrogram"), (60, "dendrogram"), (61, "radial"), (300, "radial"), (301, "icicle")):
        assert choose_form(tree([-1, *[0] * leaves])) == form


@given(ragged_cells(), st.integers(1, 60), st.integers(1, 60), st.booleans())
@settings(max_examples=300)
def test_every_pixel_of_an_icicle_is_one_cells(cells, across, down, tall):
    """Rectangles lie side by side, never on each other, and a pixel is a cell's that covers part of it."""
    branches = Branches(cells)
    height = -branches.cells.level.astype(float) if tall else None
    boxes = Rectangles.of(branches, height=height, pixels=(across, down))
    grid = np.zeros((down, across), dtype=int)
    for left, right, top, bottom in zip(boxes.left, boxes.right, boxes.top, boxes.bottom, strict=True):
        grid[top:bottom, left:right] += 1
    assert grid.max(initial=0) <= 1
    if not tall:
        assert grid[0].all() or cells.depth + 1 > down
        width = widths_of(branches)
        for rows in branches.levels:
            whole = branches.leaves[rows].sum() / branches.leaves[0]
            assert width[rows].sum() == pytest.approx(whole)


def test_widths_are_the_points_where_they_are_known():
    size = np.array([10, 6, 4, 5, 1, 1, 1, 1])
    found = widths_of(Branches(tree(ANIMALS, size=size)))
    np.testing.assert_allclose(found, [1, 0.6, 0.4, 0.5, 0.1, 0.1, 0.1, 0.1])  # a mammal of none of the kinds: 0.1 is empty
    by_leaves = widths_of(Branches(tree(ANIMALS)))
    np.testing.assert_allclose(by_leaves, [1, 0.4, 0.6, 0.2, 0.2, 0.2, 0.2, 0.2])


@pytest.mark.parametrize("form", DRAW)
def test_names_stand_on_it(form):
    axes = sheet()
    DRAW[form](axes, tree(ANIMALS), NAMES, None)
    assert {"owl", "wren", "cat", "bat", "yak"} <= words_of(axes)
    axes = sheet()
    DRAW[form](axes, tree(ANIMALS))
    assert {"/0/0", "/0/1", "/1/0", "/1/1", "/1/2"} <= words_of(axes)
    axes = sheet()
    DRAW[form](axes, tree(ANIMALS), [None] * 8)
    assert not words_of(axes) & {*NAMES, "/0/0"}


@pytest.mark.parametrize("form", ["dendrogram", "icicle"])
def test_inner_names_stand_where_there_is_room(form):
    wide, narrow = sheet(8, 4), sheet(0.6, 4)
    for axes in (wide, narrow):
        DRAW[form](axes, tree(ANIMALS), NAMES)
    assert "mammal" in words_of(wide)
    assert "mammal" not in words_of(narrow) or form == "icicle"  # there it may stand upright


@pytest.mark.parametrize("form", DRAW)
def test_nothing_is_written_beyond_the_axes(form):
    names = [f"a name of the cell {row}, which is long" for row in range(8)]
    axes = sheet()
    DRAW[form](axes, tree(ANIMALS), names)
    axes.figure.canvas.draw()
    room = axes.bbox.padded(12)
    for text in axes.texts:
        box = text.get_window_extent()
        assert box.x0 > room.x0, text
        assert box.x1 < room.x1, text


@pytest.mark.parametrize("form", ["dendrogram", "radial"])
def test_heights_are_lengths(form):
    """Leaves of height 0 end equally far out, and a merge stands where its height says."""
    axes = sheet()
    height = np.array([4.0, 1.0, 2.0, 0, 0, 0, 0, 0])
    DRAW[form](axes, tree(ANIMALS), NAMES, height)
    lines = axes.collections[1].get_segments()  # one to each cell but the root
    ends = np.array([line[1] for line in lines])
    far = ends[:, 0] if form == "dendrogram" else np.linalg.norm(ends, axis=1)
    np.testing.assert_allclose(far / far.max(), 1 - height[1:] / 4, atol=1e-9)


def test_axes_in_a_part_of_a_figure_are_as_large_as_they_are():
    figure = sheet(10, 5).figure
    _, right = figure.subfigures(1, 2)
    assert inches_of(right.add_axes((0.1, 0.1, 0.8, 0.6))) == pytest.approx((4, 3))


def test_an_icicle_reaches_down_to_each_cells_height():
    height = np.array([4.0, 1.0, 2.0, 0, 0, 0, 0, 0])
    boxes = Rectangles.of(Branches(tree(ANIMALS)), height=height, pixels=(100, 1000))
    np.testing.assert_array_equal(boxes.top, [0, 50, 50, 763, 763, 525, 525, 525])
    np.testing.assert_array_equal(boxes.bottom, [50, 763, 525, *[1000] * 5])


@pytest.mark.parametrize("form", DRAW)
def test_columns_of_another_length_are_refused(form):
    with pytest.raises(InputError, match="name or None for each of 8 cells, got 2"):
        DRAW[form](sheet(), tree(ANIMALS), ["a", "b"])
    for height in (np.zeros(3), np.full(8, np.nan)):
        with pytest.raises(InputError, match="finite height for each of 8 cells"):
            DRAW[form](sheet(), tree(ANIMALS), None, height)


def places(cells):
    """Places in the unit disk, some for each cell."""
    angle, radius = np.arange(len(cells)) * 2.4, cells.level / (cells.level.max() + 1)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


@settings(max_examples=8, deadline=None)
@given(ragged_cells(dimension=None), st.sampled_from(FORMS))
def test_every_shape_of_tree_can_be_drawn(tmp_path_factory, cells, form):
    path = tmp_path_factory.getbasetemp() / "tree.png"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        heights, disk = -cells.level.astype(float), places(cells)
        plot_tree([Panel(cells, "a", disk=disk), Panel(cells, "b", height=heights, disk=disk)], path, form=form)
    assert picture(path).min() < 200


@pytest.mark.slow("pictures of extremes")
@pytest.mark.parametrize("form", DRAW)
@pytest.mark.parametrize("parents", [[-1], CHAIN], ids=["root", "chain"])
def test_extremes_can_be_drawn(form, parents, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_tree(
            [Panel(tree(parents), "it", names=[f"cell {row}" for row in range(len(parents))])], tmp_path / "h.png", form=form
        )
    assert len(np.unique(picture(tmp_path / "h.png").reshape(-1, 3), axis=0)) > 10


def test_a_star_of_100_000_is_an_icicle_of_pixels(tmp_path):
    star = tree(STAR)
    boxes = Rectangles.of(Branches(star), height=None, pixels=(2000, 400))
    assert len(boxes.row) == 2001
    plot_tree([Panel(star, "star")], tmp_path / "h.svg")
    words = comments_of(tmp_path / "h.svg")
    assert not any("branch" in line and "leaves by" in line for line in words)  # no legend of leaves
    assert "Cells narrower than a pixel share it with their neighbors." in words
    assert (tmp_path / "h.svg").stat().st_size < 3_000_000


def test_a_legend_of_many_branches_holds_the_largest(tmp_path):
    counts = [1 + number % 7 for number in range(200)]
    forest = tree([-1, *[0] * 200, *[1 + number for number, count in enumerate(counts) for _ in range(count)]])
    plot_tree([Panel(forest, "forest")], tmp_path / "h.svg")
    words = comments_of(tmp_path / "h.svg")
    assert "leaves, 8 of 200 branches" in words
    assert {f"/{number}" for number in range(6, 62, 7)} <= words  # those of seven leaves
    assert not {"/0", "/5"} & words


def test_the_legend_counts_the_leaves_of_branches(tmp_path):
    plot_tree([Panel(tree(ANIMALS), "animals", names=NAMES)], tmp_path / "h.svg")
    words = comments_of(tmp_path / "h.svg")
    assert {"leaves by branch", "bird", "mammal", "2", "3", "owl", "8 cells, levels 0 to 2"} <= words


def test_predicted_cells_are_paler(tmp_path):
    cells = smooth_cells(2)
    grown = cells.with_columns(predicted=cells.level == 2)
    plain, pale = Branches(cells).colors, Branches(grown).colors
    assert (pale[grown.predicted].sum(axis=1) > plain[grown.predicted].sum(axis=1)).all()
    np.testing.assert_array_equal(pale[~grown.predicted], plain[~grown.predicted])
    plot_tree([Panel(grown, "it", grown_by="rule")], tmp_path / "h.svg")
    assert {"Paler: cells that a predictor put there.", "21 cells; level 2 grown by rule"} <= comments_of(tmp_path / "h.svg")


def test_depth_cuts_names_and_heights_too(tmp_path):
    panel = Panel(tree(ANIMALS), "animals", names=NAMES, height=np.array([4.0, 1.0, 2.0, 0, 0, 0, 0, 0]))
    plot_tree([panel], tmp_path / "h.svg", depth=1)
    words = comments_of(tmp_path / "h.svg")
    assert {"bird", "mammal", "height"} <= words
    assert "owl" not in words


def test_heights_that_are_not_all_known_are_left_aside(tmp_path):
    plot_tree([Panel(tree(ANIMALS), "animals", height=np.array([np.nan, 1, 2, 0, 0, 0, 0, 0]))], tmp_path / "h.svg")
    assert "level" in comments_of(tmp_path / "h.svg")


def test_the_same_tree_gives_the_same_picture(tmp_path):
    for name in ("a.png", "b.png"):
        plot_tree([Panel(smooth_cells(4), "smooth")], tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("form", DRAW)
@pytest.mark.parametrize("name", ["$a$", "$\\frac{$", "\N{SNOWMAN} 数", "x" * 200, "a\nb", ""])
def test_any_name_can_be_drawn(form, name, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_tree([Panel(tree(ANIMALS), name or "it", names=[name] * 8)], tmp_path / "h.png", form=form)
        plot_tree([Panel(tree(ANIMALS), name or "it", names=[None] * 8)], tmp_path / "none.png", form=form)
    assert ((tmp_path / "h.png").read_bytes() == (tmp_path / "none.png").read_bytes()) == (name == "")


def test_other_forms_are_refused(tmp_path):
    with pytest.raises(InputError, match="tree, dendrogram, radial, icicle, disk, got 'pie'"):
        plot_tree([Panel(tree(ANIMALS), "animals")], tmp_path / "h.png", form="pie")
    with pytest.raises(InputError, match=r"\.png, \.pdf, \.svg"):
        plot_tree([Panel(tree(ANIMALS), "animals")], tmp_path / "h.gif")
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_knows_the_forms():
    from cfgraph.cli.plot import FORMS as OFFERED

    assert ("centers", *FORMS, "reconstructions") == OFFERED


# ---------------------------------------------------------------- legends of several trees

PLANTS = ["plant", "moss", "fern", "peat", "haircap", "bracken", "polypody", "maidenhair"]


def test_each_tree_has_a_legend_of_its_own(tmp_path):
    other = tree([-1, 0, 0, 1, 2, 2, 2, 2])
    plot_tree([Panel(tree(ANIMALS), "one", names=NAMES), Panel(other, "two", names=PLANTS)], tmp_path / "h.svg")
    written = (tmp_path / "h.svg").read_text()
    assert written.count("<!-- leaves by branch -->") == 2
    assert (written.count("<!-- one -->"), written.count("<!-- two -->")) == (2, 2)  # above the tree and above the legend
    legend = written[written.rindex("<!-- two -->") :]
    told = [line for line in ("moss", "1", "fern", "4") if f"<!-- {line} -->" in legend]
    assert told == ["moss", "1", "fern", "4"]
    assert "<!-- bird -->" not in legend


def test_the_same_branches_with_other_leaves_have_two_legends(tmp_path):
    grown = tree([*ANIMALS, 2])
    plot_tree([Panel(tree(ANIMALS), "one", names=NAMES), Panel(grown, "two", names=[*NAMES, "ape"])], tmp_path / "h.svg")
    assert (tmp_path / "h.svg").read_text().count("<!-- leaves by branch -->") == 2


@pytest.mark.parametrize("form", DRAW)
def test_one_legend_serves_trees_of_the_same_branches(form, tmp_path):
    plot_tree([Panel(tree(ANIMALS), name, names=NAMES) for name in ("one", "two")], tmp_path / "h.svg", form=form)
    assert (tmp_path / "h.svg").read_text().count("<!-- leaves by branch -->") == 1


def test_a_tree_without_a_legend_does_not_take_its_neighbors(tmp_path):
    """Lone leaves need none; that of the tree beside them carries its name."""
    plot_tree([Panel(tree([-1, 0, 0]), "lone"), Panel(tree(ANIMALS), "two")], tmp_path / "h.svg")
    written = (tmp_path / "h.svg").read_text()
    assert written.count("<!-- leaves by branch -->") == 1
    assert (written.count("<!-- lone -->"), written.count("<!-- two -->")) == (1, 2)


@pytest.mark.parametrize("stacked", [True, False])
def test_own_legends_stand_between_the_panels(stacked):
    layout = Layout(5.0, 3.0, 3, stacked, 1.0, 0.2, own_legends=True)
    for number in range(3):
        left, bottom, width, height = layout.box(number)
        assert layout.beside(number) == (pytest.approx(left + width + layout.gap), pytest.approx(bottom + height))
        assert layout.beside(number)[0] + LEGEND <= layout.total[0] + 1e-9
        if number and not stacked:
            assert layout.beside(number - 1)[0] + LEGEND <= left + 1e-9


# ---------------------------------------------------------------- edges from second parents


def linked(*pairs: tuple[int, int]) -> Cells:
    """The animals with further (parent, child) edges."""
    parent, child = np.array(pairs).T
    none = np.zeros((len(pairs), 0)), np.ones(len(pairs))
    return tree(ANIMALS).with_columns(links=Links(parent, child, np.full(len(pairs), 9), *none))


@pytest.mark.parametrize("form", FORMS)
def test_edges_that_are_not_drawn_are_told(form, tmp_path):
    cells = linked((1, 6), (1, 7), (2, 3))
    plot_tree([Panel(cells, "animals", disk=places(cells))], tmp_path / "h.svg", form=form)
    assert "3 edges from second parents are not drawn." in comments_of(tmp_path / "h.svg")


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ([linked((1, 6))], "1 edge from a second parent is not drawn."),
        ([linked((1, 6)), tree(ANIMALS)], "1 edge from a second parent of a is not drawn."),
        ([tree(ANIMALS), linked((1, 6), (1, 7))], "2 edges from second parents of b are not drawn."),
        ([linked((1, 6)), linked((1, 6), (1, 7))], "1 edge from a second parent of a and 2 of b are not drawn."),
    ],
)
def test_it_is_told_whose_edges_are_not_drawn(cells, told, tmp_path):
    plot_tree([Panel(each, name) for each, name in zip(cells, "ab", strict=False)], tmp_path / "h.svg")
    assert told in comments_of(tmp_path / "h.svg")


def test_edges_below_the_depth_are_not_missed(tmp_path):
    for cells, depth in ((linked((1, 6)), 1), (tree(ANIMALS), None)):
        plot_tree([Panel(cells, "animals")], tmp_path / "h.svg", depth=depth)
        assert "not drawn" not in (tmp_path / "h.svg").read_text()


# ---------------------------------------------------------------- words

CUT = "\N{HORIZONTAL ELLIPSIS}"


def test_long_names_are_shortened():
    assert shorten("x" * 80) == "x" * 62 + CUT
    assert shorten("short") == "short"
    assert shorten("abcdefghijklmnop", 10, tail=4) == f"abcd{CUT}mnop"


@pytest.mark.parametrize(
    ("words", "room", "shown"),
    [
        (["abcdefgh one", "ijklmnop two"], 8, [f"abcdef{CUT}", f"ijklmn{CUT}"]),  # they are different as they are
        (["abcdefgh one", "abcdefgh one"], 8, [f"abcdef{CUT}"] * 2),  # and these are the same
        (["abcdefgh one", "abcdefgh two"], 8, [f"abc{CUT}one", f"abc{CUT}two"]),
        (["abcdefgh one", "abcdefgh"], 8, [f"abc{CUT}one", "abcdefgh"]),  # whole, and yet what the other could be
        (["all that is first of them", "all that is other of them"], 14, [f"{CUT}first{CUT}them", f"{CUT}other{CUT}them"]),
    ],
)
def test_different_names_look_different(words, room, shown):
    assert shorten_apart(words, [room] * len(words)) == shown


@given(st.lists(st.tuples(st.text("ab 数", max_size=30).map(str.strip), st.integers(1, 34)), max_size=12))
def test_names_take_no_more_than_their_room(pairs):
    words, rooms = [word for word, _ in pairs], [room for _, room in pairs]
    for word, room, shown in zip(words, rooms, shorten_apart(words, rooms), strict=True):
        assert shown == word or letters_of(shown) <= max(room, 4)  # two ellipses at least
        assert (shown == word) == (letters_of(word) <= room)


@pytest.mark.parametrize("form", DRAW)
def test_names_that_begin_alike_are_told_apart(form):
    names = [f"a name that is as long as many in an ontology, {row}" for row in range(8)]
    axes = sheet()
    DRAW[form](axes, tree(ANIMALS), names)
    leaves = [words for words in (text.get_text() for text in axes.texts) if words[-1:] in set("34567") and len(words) > 1]
    assert sorted(words[-1] for words in leaves) == list("34567")
    assert len(set(leaves)) == 5


def test_names_of_branches_are_told_apart_in_the_legend(tmp_path):
    names = ["root", "a branch with a name, the first", "a branch with a name, the second", *"abcde"]
    plot_tree([Panel(tree(ANIMALS), "it", names=names)], tmp_path / "h.svg", form="radial")
    words = comments_of(tmp_path / "h.svg")
    assert sum(line.endswith("first") for line in words) == sum(line.endswith("second") for line in words) == 1


def test_wide_letters_take_twice_the_room():
    assert (letters_of("abc"), letters_of("数学"), letters_of("e\N{COMBINING ACUTE ACCENT}")) == (3, 4, 1)
    assert shorten("数学" * 10, 10) == "数学数学" + CUT


# ---------------------------------------------------------------- fonts

ARC = "\N{ARC}"  # STIX, which comes with matplotlib, has it, and DejaVu Sans, the usual font, has not


@pytest.fixture
def stix(monkeypatch):
    """STIX is the only font that is installed beside the usual one."""
    from matplotlib.font_manager import findfont

    monkeypatch.setattr("cfgraph.plots.words._installed_fonts", lambda: {"STIXGeneral": findfont("STIXGeneral")})


@pytest.mark.usefixtures("stix")
def test_letters_come_from_a_font_that_has_them():
    import matplotlib

    before = list(matplotlib.rcParams["font.family"])
    with picture_style(["plain"]):
        assert matplotlib.rcParams["font.family"] == before
    with picture_style(["plain", f"{ARC} 数"]):
        assert matplotlib.rcParams["font.family"] == [*before, "STIXGeneral"]
        assert lacking_letters([f"{ARC} 数"]) == {"数"}
    assert matplotlib.rcParams["font.family"] == before


@pytest.mark.usefixtures("stix")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("数", "A box stands for U+6570 (cjk unified ideograph-6570): no installed font has it."),
        ("学 数", "Boxes stand for 2 letters, U+5B66 (cjk unified ideograph-5b66) among them: no installed font has them."),
        (ARC, None),
        ("é ß я", None),
    ],
)
def test_boxes_are_told(name, told, tmp_path):
    plot_tree([Panel(tree(ANIMALS), "it", names=[name] * 8)], tmp_path / "h.svg")
    found = [words for words in comments_of(tmp_path / "h.svg") if words.startswith("Box") or words.startswith("A box")]
    assert [words[: len(told or "")] for words in found] == ([told] if told else [])


def test_a_font_of_boxes_is_no_font_that_has_the_letters():
    assert not any("last resort" in name.lower() for name in _installed_fonts())
    assert "DejaVu Sans" in _installed_fonts()
    assert find_fonts(set()) == []
