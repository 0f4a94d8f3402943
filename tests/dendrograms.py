"""Trees of all shapes for the tests of measures, and the slow obvious ways over them."""

from itertools import combinations

import numpy as np
from hypothesis import strategies as st

from cfgraph.judging.dendrogram import Dendrogram


@st.composite
def parents(draw, *, cells_max: int = 14):
    """Parents before children: chains, stars and all between, in no particular order of siblings."""
    cells = draw(st.integers(1, cells_max))
    return np.array([-1, *(draw(st.integers(0, row - 1)) for row in range(1, cells))])


@st.composite
def dendrograms(draw, *, points=None, heights=False):
    """A tree with points in any of its cells, several in one and none in others; 1 to 12 unless ``points`` draws another."""
    parent, count = draw(parents()), draw(st.integers(1, 12) if points is None else points)
    cell = np.array(draw(st.lists(st.integers(0, len(parent) - 1), min_size=count, max_size=count)))
    height = np.array(draw(st.lists(st.integers(0, 4), min_size=len(parent), max_size=len(parent))), float)
    return Dendrogram(parent, cell, height=height if heights else None)


def weights_of(points):
    """How often each of some points counts."""
    return st.lists(st.integers(0, 3), min_size=points, max_size=points).map(np.array)


def binary_tree(points: int, *, seed: int = 0, deep: bool = False) -> Dendrogram:
    """Merges of two in random order, or a chain of them; each point has a leaf of its own, and merges have rising heights."""
    return of_linkage(random_linkage(points, seed=seed, deep=deep))


def random_linkage(points: int, *, seed: int = 0, deep: bool = False) -> np.ndarray:
    """A linkage in SciPy's form: random merges, heights 1, 2, ..."""
    random, free, merges = np.random.default_rng(seed), list(range(points)), []
    for number in range(points - 1):
        one = free.pop() if deep else free.pop(random.integers(len(free)))
        other = free.pop(random.integers(len(free)))
        merges.append((one, other, number + 1.0, 0))
        free.append(points + number)
    table = np.array(merges, dtype=float).reshape(-1, 4)
    size = np.ones(2 * points - 1)
    for number, (one, other) in enumerate(table[:, :2].astype(int)):
        size[points + number] = table[number, 3] = size[one] + size[other]
    return table


def of_linkage(linkage: np.ndarray) -> Dendrogram:
    """The tree of a linkage: SciPy's ids backwards, so that the root is row 0."""
    merges, points = len(linkage), len(linkage) + 1
    parent = np.full(merges + points, -1)
    last = merges + points - 1
    for number, ends in enumerate(linkage[:, :2].astype(int)):
        parent[last - ends] = last - (points + number)
    height = np.concatenate([linkage[::-1, 2], np.zeros(points)])
    return Dendrogram(parent, last - np.arange(points), height=height)


def way_up(tree: Dendrogram, cell: int) -> list[int]:
    """A cell and its ancestors, the root last."""
    way = [int(cell)]
    while way[-1]:
        way.append(int(tree.parent[way[-1]]))
    return way


def meet(tree: Dendrogram, one: int, other: int) -> int:
    """The lowest common ancestor of two points, by their ways up."""
    above = set(way_up(tree, tree.cell_of_point[other]))
    return next(cell for cell in way_up(tree, tree.cell_of_point[one]) if cell in above)


def below(tree: Dendrogram, cell: int) -> list[int]:
    """The points in a cell and below it."""
    return [point for point in range(tree.points) if cell in way_up(tree, tree.cell_of_point[point])]


def pairs(points: int):
    """Each pair of points once."""
    return combinations(range(points), 2)
