"""Page: what all pictures share: their forms, colors, places in inches, headings, legends and captions."""

import importlib.util
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError, MissingExtraError
from cfgraph.files.whole import check_place, whole_file
from cfgraph.model.cells import Cells
from cfgraph.plots.groups import Groups
from cfgraph.plots.words import count_letters, find_fonts, fit_words, lacking_letters, shorten_apart, tell_boxes, width_of_words
from cfgraph.visible import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

FORMATS = (".png", ".pdf", ".svg")
DPI = 200
INK, GREY, FAINT, ACCENT = "#1b1b26", "#6d6d7a", "#c9c9d2", "#b5179e"
QUALITATIVE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6a3d9a", "#8a4f1d")  # after Okabe and Ito
LEFT, GAP, LEGEND, STEP = 0.62, 0.28, 1.95, 0.22  # inches: margin, between panels, width of the legend, a line of it
HEAD, AXIS, LINE, FOOT = 0.55, 0.5, 0.17, 0.16  # inches: above a panel, below it, a line of the caption, below that
LEGEND_MOST = 3.6  # inches: a legend with long names
ROOT_MARK = 12.0  # points: the diameter of the root's mark; a cell's is that times its scale
RASTER_ABOVE = 4000  # marks: a layer with more is kept as an image inside a PDF or SVG
KEYS_MAX = 24  # lines of a legend


@dataclass(frozen=True)
class Panel:
    """One hierarchy in a picture: its cells, its name, and the name of the predictor that grew it, if one did.

    ``names`` and ``height`` are the cells' own, a row each: what is written on them, None for nothing, and how high a cell
    stands above the leaves (what a linkage calls the height of a merge). For the disk: where each cell lies in it, the class
    of each leaf (None for other cells, and for leaves of none), and the image files of leaves, by row. ``groups`` color cells
    in place of their branches.
    """

    cells: Cells
    name: str
    grown_by: str | None = None
    names: Sequence[str | None] | None = None
    height: Float[np.ndarray, " cells"] | None = None
    disk: Float[np.ndarray, "cells 2"] | None = None
    classes: Sequence[str | None] | None = None
    pictures: Mapping[int, Path] | None = None
    groups: Groups | None = None

    def named_visibly(self) -> "Panel":
        """The same panel, its own names without control characters, which no font has and no SVG holds."""
        return replace(self, name=visible(self.name), grown_by=None if self.grown_by is None else visible(self.grown_by))

    def prefix(self, depth: int) -> "Panel":
        """The same panel down to a depth."""
        cells = self.cells.prefix(depth)
        kept = {
            name: value[: len(cells)]
            for name in ("names", "height", "disk", "classes")
            if (value := getattr(self, name)) is not None
        }
        groups = None if self.groups is None else self.groups.prefix(len(cells))
        return replace(self, cells=cells, groups=groups, **kept)


def check_library() -> None:
    """A ``MissingExtraError`` where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError.of("matplotlib", extra="plot", purpose="drawing a picture")


def check_picture(path: str | Path) -> Path:
    """The path itself if a picture can be written there in the form that its suffix tells, else an ``InputError``."""
    check_library()
    if Path(path).suffix.lower() not in FORMATS:
        raise InputError(f"expected a picture's name that ends in {', '.join(FORMATS)}; got {str(path)!r}")
    return check_place(path)


@dataclass(frozen=True)
class Key:
    """A line of a legend: a mark's color and size (0: a line instead), what it means, and how many there are."""

    words: str
    color: Any
    size: float = 0.0  # points
    count: int | None = None
    heading: str | None = None  # stands above this line
    dashed: bool = False


def qualitative(number: int, *, of: int) -> Any:
    """The color of one of several things of a kind."""
    from matplotlib import colormaps

    return QUALITATIVE[number] if of <= len(QUALITATIVE) else colormaps["turbo"](0.05 + 0.9 * number / (of - 1))


@dataclass(frozen=True)
class Layout:
    """Where everything stands, in inches from the lower left corner."""

    width: float  # of a panel
    height: float
    count: int  # of the panels
    stacked: bool  # whether they stand above each other
    legend_height: float
    caption_height: float
    gap: float = GAP  # between panels that stand side by side
    own_legends: bool = False  # one beside each panel instead of one beside all
    legend_width: float = LEGEND

    @property
    def panels(self) -> tuple[float, float]:
        """Width and height of all panels together, each with its heading above and its axis below."""
        columns, rows = (1, self.count) if self.stacked else (self.count, 1)
        return (columns - 1) * self.step + self.width + self.gap, rows * (HEAD + self.height) + AXIS

    @property
    def step(self) -> float:
        """From the left edge of a panel to that of the next beside it."""
        return self.width + self.gap + (self.legend_width if self.own_legends else 0.0)

    @property
    def total(self) -> tuple[float, float]:
        """Width and height of the picture."""
        tall = max(self.panels[1], HEAD + self.legend_height) + self.caption_height + FOOT
        return LEFT + self.panels[0] + self.legend_width, tall

    @property
    def legend(self) -> tuple[float, float]:
        """The upper left corner of a legend beside all panels."""
        return self.beside(0 if self.stacked else self.count - 1)

    def beside(self, number: int) -> tuple[float, float]:
        """The upper left corner of a legend beside one panel."""
        left, bottom, width, height = self.box(number)
        return left + width + self.gap, bottom + height

    def box(self, number: int) -> tuple[float, float, float, float]:
        """Left, bottom, width and height of a panel."""
        column, row = (0, number) if self.stacked else (number, 0)
        bottom = self.total[1] - (row + 1) * (HEAD + self.height)
        return LEFT + column * self.step, bottom, self.width, self.height


def new_figure(size: tuple[float, float]) -> "Figure":
    """An empty picture of a size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def add_axes(figure: "Figure", box: tuple[float, float, float, float]) -> "Axes":
    """Axes in a box: left, bottom, width and height in inches."""
    width, height = figure.get_size_inches()
    return figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height))


def inches_of(axes: "Axes") -> tuple[float, float]:
    """Width and height of axes in inches."""
    dots = axes.get_window_extent()  # wherever they are: in a figure, or in a part of one
    return dots.width / axes.figure.dpi, dots.height / axes.figure.dpi


def write(figure: "Figure", x: float, y: float, words: str, **style: Any) -> None:
    """Text at a place in inches; never read as mathematics, because a user's id may hold a dollar sign."""
    width, height = figure.get_size_inches()
    figure.text(x / width, y / height, words, parse_math=False, **{"color": INK, **style})


def draw_heading(figure: "Figure", box: tuple[float, float, float, float], *, name: str, description: str) -> None:
    """The name above a panel, and below it what there is to see."""
    left, top = box[0], box[1] + box[3]
    write(figure, left, top + 0.25, fit_words(name, width=box[2], size=13.0), size=11, weight="bold")
    write(figure, left, top + 0.08, fit_words(description, width=box[2], size=8.0), size=8, color=GREY)


def draw_caption(figure: "Figure", lines: Sequence[str]) -> None:
    """Lines at the foot of a picture."""
    for number, words in enumerate(reversed(lines)):
        write(figure, LEFT, FOOT + LINE * number, words, size=8, color=GREY)


def legend_height(keys: Sequence[Key]) -> float:
    """Inches that a legend is high."""
    return STEP * (len(keys) + 1.6 * sum(key.heading is not None for key in keys))


def legend_width(keys: Sequence[Key]) -> float:
    """Inches that a legend needs across, so that no word of it is cut; as much as a picture can spare at most."""
    wide = [0.3 + width_of_words(key.words, size=9.3) + LEGEND - _room_for(key) - 0.28 for key in keys]
    return float(np.clip(max(wide, default=0.0), LEGEND, LEGEND_MOST))


def draw_legend(figure: "Figure", keys: Sequence[Key], *, place: tuple[float, float], width: float = LEGEND) -> None:
    """A legend, a line for each key, from its upper left corner in inches."""
    left, y = place[0], place[1] - 0.1
    rooms = [_room_for(key) + width - LEGEND for key in keys]
    words = shorten_apart([key.words for key in keys], [count_letters(room, size=9.3) for room in rooms])
    for number, key in enumerate(keys):
        if key.heading:
            y -= 0.6 * STEP if number else 0
            write(figure, left, y, key.heading, size=8, color=GREY, va="center")
            y -= STEP
        _draw_key(figure, left + 0.1, y, key)
        write(figure, left + 0.3, y, words[number], size=8.5, va="center")
        if key.count is not None:
            write(figure, left + width - 0.45, y, f"{key.count:,}", size=8.5, color=GREY, va="center", ha="right")
        y -= STEP


def draw_legends(figure: "Figure", legends: Sequence[Sequence[Key]], *, layout: Layout, names: Sequence[str]) -> None:
    """One legend beside all panels, or one beside each, with the panel's name above it."""
    if not layout.own_legends:
        draw_legend(figure, legends[0], place=layout.legend, width=layout.legend_width)
        return
    titles = shorten_apart(names, [count_letters(layout.legend_width - 0.2, size=10.0)] * len(names))
    for number, keys in enumerate(legends):
        if keys:
            left, top = layout.beside(number)
            write(figure, left, top + 0.08, titles[number], size=8.5, weight="bold")
            draw_legend(figure, keys, place=(left, top), width=layout.legend_width)


def _room_for(key: Key) -> float:
    """Inches for the words of a line of a legend."""
    return LEGEND - 0.3 if key.count is None else 1.1 - 0.07 * len(f"{key.count:,}")


def _draw_key(figure: "Figure", x: float, y: float, key: Key) -> None:
    from matplotlib.lines import Line2D

    width, height = figure.get_size_inches()
    style: dict[str, Any]
    if key.size:
        style = {"marker": "o", "markersize": min(max(key.size, 4.5), ROOT_MARK), "markeredgewidth": 0, "linestyle": "none"}
        ends = [x]
    else:
        style = {"linewidth": 2.2 if key.color == ACCENT else 1.4, "linestyle": (0, (2.5, 1.2)) if key.dashed else "-"}
        ends = [x - 0.1, x + 0.1]
    figure.add_artist(Line2D([end / width for end in ends], [y / height] * len(ends), color=key.color, **style))


@contextmanager
def picture_style(words: Iterable[str] = ()) -> Iterator[None]:
    """The look of all pictures, set while one is drawn; matplotlib's own settings stay as they are.

    Letters of ``words`` that the usual font lacks come from installed fonts that have them.
    """
    import matplotlib

    colors: dict[RcKeyType, Any] = {"axes.edgecolor": FAINT, "axes.labelcolor": GREY}
    ticks: dict[RcKeyType, Any] = {"xtick.color": FAINT, "xtick.labelcolor": GREY, "xtick.labelsize": 7.5}
    ticks |= {"ytick.color": FAINT, "ytick.labelcolor": GREY, "ytick.labelsize": 7.5}
    look: dict[RcKeyType, Any] = {"axes.linewidth": 0.8, "font.size": 8.5, "svg.hashsalt": "cfgraph", **colors, **ticks}
    look["font.family"] = [*matplotlib.rcParams["font.family"], *find_fonts(lacking_letters(words))]
    with matplotlib.rc_context(look), warnings.catch_warnings(), _without_font_log():
        warnings.filterwarnings("ignore", message="Glyph")  # letters that no font has are drawn as boxes: the caption says so
        yield


@contextmanager
def _without_font_log() -> Iterator[None]:
    """Without matplotlib's word that a script's font has no bold, which is seen in the heading."""
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def save_figure(figure: "Figure", path: str | Path) -> None:
    """Write a picture in the form that the suffix tells, whole or not at all."""
    with whole_file(path) as file:
        figure.savefig(file, format=Path(path).suffix.lower().removeprefix("."))


def describe_panel(panel: Panel, *, level: int | None) -> str:
    """How many cells of which levels a panel shows, and who grew them."""
    cells = panel.cells
    if level is not None:
        rows = cells.level_rows(level)
        first, description = level, f"{name_cells(rows.stop - rows.start)} of level {level}"
    else:
        rows, description = slice(None), f"{name_cells(len(cells))}, {name_levels(0, cells.depth)}"
        first = int(cells.level[cells.predicted].min(initial=cells.depth))
    if not cells.predicted[rows].any():
        return description
    grown = f"{name_levels(first, cells.depth)} grown by {panel.grown_by or 'a predictor'}"
    return f"{name_cells(len(cells.predicted[rows]))}; {grown}"


def name_cells(cells: int) -> str:
    """A number of cells in words."""
    return f"{cells:,} cell" + ("" if cells == 1 else "s")


def name_levels(first: int, last: int) -> str:
    """A range of levels in words."""
    return f"level {first}" if first == last else f"levels {first} to {last}"


def words_of(panels: Sequence[Panel]) -> Iterator[str]:
    """The panels' names, and those of their cells."""
    for panel in panels:
        yield panel.name
        yield from (name for name in panel.names or () if name)


def tell_omissions(panels: Sequence[Panel], *, words: Iterable[str]) -> Iterator[str]:
    """What a caption says of that which no picture of cells shows: edges from second parents, letters that no font has."""
    linked = [(panel.name, len(panel.cells.links)) for panel in panels if panel.cells.links]
    if linked:
        yield _tell_links(linked, alone=len(panels) == 1)
    boxes = tell_boxes(words)
    if boxes:
        yield boxes


def _tell_links(linked: Sequence[tuple[str, int]], *, alone: bool) -> str:
    (first, count), *others = linked
    edges = f"{count:,} edge from a second parent" if count == 1 else f"{count:,} edges from second parents"
    of = "" if alone else f" of {first}" + "".join(f" and {count:,} of {name}" for name, count in others)
    return f"{edges}{of} {'is' if count == 1 and not others else 'are'} not drawn."
