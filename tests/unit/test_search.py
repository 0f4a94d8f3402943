"""Searching for points through cells, against a search done one query at a time, and against looking at every point."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage as merge
from scipy.sparse import csr_array

from cfgraph import search
from cfgraph.errors import InputError
from cfgraph.files.embeddings import Embeddings
from cfgraph.metric import retrieval
from cfgraph.metric.retrieval import PointIndex
from cfgraph.metric.search import SearchIndex
from cfgraph.sources import cfg, dasgupta, ifs, linkage, points

DATA = np.random.default_rng(1).normal(size=(400, 3)) * [3, 2, 1] + 5
QUERIES = np.random.default_rng(2).normal(size=(30, 3)) * [3, 2, 1] + 5


@pytest.fixture(scope="module")
def tree():
    """A tree of k-means down to few points a cell."""
    return points(id="tree", data=DATA, depth=5, arity=3)


@st.composite
def indices(draw):
    """Points in any cells of any tree, some in inner ones, some in none, many of them equal."""
    seed, dimension = draw(st.integers(0, 10**6)), draw(st.integers(1, 3))
    random = np.random.default_rng(seed)
    cells = cfg(id="it", depth=draw(st.integers(0, 3)), arity=draw(st.integers(1, 4)), dimension=dimension, seed=seed).cells
    values = random.integers(-3, 4, size=(draw(st.integers(1, 60)), dimension)).astype(float)
    if draw(st.booleans()):
        values += random.normal(size=values.shape)
    return PointIndex.of(cells, values=values, cell_of_point=random.integers(-1, len(cells), len(values)))


def by_hand(index, x):
    """All points that lie in cells, the nearest first."""
    rows = [row for row, cell in enumerate(index.cell_of_point.tolist()) if cell >= 0]
    return sorted((((index.values[row] - x) ** 2).sum(), row) for row in rows)


def descend_by_hand(index, x, *, k, beam, few):
    """The rows that a search looks at, a cell after the other."""
    cells, inside = index.cells, index.cell_of_point.tolist()
    below = {cell: [row for row, at in enumerate(inside) if at == cell] for cell in range(len(cells))}
    own = {cell: list(rows) for cell, rows in below.items()}
    for cell in range(len(cells) - 1, 0, -1):
        below[int(cells.parent[cell])] += below[cell]
    kids = {cell: [at for at in range(1, len(cells)) if cells.parent[at] == cell and below[at]] for cell in below}
    kept, rows, compared = [0] if below[0] else [], [], 0

    def goes_on(cell):
        return bool(kids[cell]) and len(below[cell]) > few

    while any(goes_on(cell) for cell in kept):
        rows += [row for cell in kept if goes_on(cell) for row in own[cell]]
        coming = [kid for cell in kept if goes_on(cell) for kid in kids[cell]]
        compared += len(coming)
        order = sorted(
            [cell for cell in kept if not goes_on(cell)] + coming,
            key=lambda cell: (((cells.center[cell] - x) ** 2).sum(), cell),
        )
        kept, held = [], 0
        for rank, cell in enumerate(order):
            if rank < beam or held < k:
                kept.append(cell)
            held += len(below[cell])
    return rows + [row for cell in kept for row in below[cell]], compared


@settings(max_examples=60)
@given(indices(), st.integers(1, 8), st.integers(1, 6), st.sampled_from([1, 3, 32]), st.integers(0, 10**6))
def test_a_search_is_that_by_hand(index, k, beam, few, seed):
    x = np.random.default_rng(seed).integers(-3, 4, size=(5, index.values.shape[1])).astype(float)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "FEW", few)
        found = index.search(x, k=k, beam=beam)
    for query, at in enumerate(x):
        looked_at, compared = descend_by_hand(index, at, k=k, beam=beam, few=few)
        assert len(set(looked_at)) == len(looked_at) == found.looked_at[query]
        assert found.compared[query] == compared
        near = [(far, row) for far, row in by_hand(index, at) if row in set(looked_at)][:k]
        assert found.row[query].tolist() == [row for _, row in near] + [-1] * (k - len(near))
        np.testing.assert_allclose(found.distance[query][: len(near)] ** 2, [far for far, _ in near], atol=1e-12)
        assert np.isnan(found.distance[query][len(near) :]).all()


@settings(max_examples=60)
@given(indices(), st.integers(1, 80), st.integers(0, 10**6))
def test_a_beam_of_all_cells_finds_what_a_look_at_all_points_finds(index, k, seed):
    x = np.random.default_rng(seed).integers(-3, 4, size=(9, index.values.shape[1])).astype(float)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "FEW", 1)
        patch.setattr(retrieval, "_BATCH_PAIRS", 40)  # several batches, of queries and of points
        patch.setattr(retrieval, "_QUERIES", 4)
        whole, every = index.search(x, k=k, beam=len(index.cells)), index.scan(x, k=k)
    np.testing.assert_array_equal(whole.row, every.row)
    np.testing.assert_array_equal(whole.distance, every.distance)
    np.testing.assert_array_equal(whole.looked_at, every.looked_at)
    for query, at in enumerate(x):
        rows = [row for _, row in by_hand(index, at)][:k]
        assert every.row[query].tolist() == rows + [-1] * (k - len(rows))
    assert whole.recall(every) == 1 or index.points == 0


@pytest.mark.parametrize("far", [0, 1e8, 1e90])
def test_a_scan_is_exact_far_from_the_middle(far):
    """Where a product of large numbers would tell nothing of small distances."""
    random = np.random.default_rng(0)
    values = far + random.integers(0, 1000, size=(3_000, 2)) * max(1.0, far * 1e-13)
    cells = cfg(id="it", depth=0, dimension=2).cells
    index = PointIndex.of(cells, values=values, cell_of_point=np.zeros(len(values), dtype=np.int64))
    x = values[::500] + 0.1
    found = index.scan(x, k=7)
    for query, at in enumerate(x):
        assert found.row[query].tolist() == [row for _, row in by_hand(index, at)][:7]


def test_recall_counts_equals_once():
    cells = cfg(id="it", depth=0, dimension=1).cells
    index = PointIndex.of(cells, values=np.array([[0.0], [1], [1], [1], [5]]), cell_of_point=np.zeros(5, dtype=np.int64))
    every = index.scan(np.zeros((1, 1)), k=2)
    assert every.row.tolist() == [[0, 1]]
    other = retrieval.Neighbours(np.array([[3, 4]]), np.array([[1.0, 5.0]]), every.looked_at, every.compared)
    assert other.recall(every) == 0.5
    assert index.scan(np.zeros((1, 1)), k=9).recall(every) == 1


def test_a_wider_beam_finds_more_and_looks_at_more():
    random = np.random.default_rng(0)
    data = random.normal(size=(2_100, 4)) @ random.normal(size=(4, 12))
    index = SearchIndex.of(points(id="it", data=data[:2_000], depth=2, arity=12), data=data[:2_000])
    low, high, all_cells = index.judge(data[2_000:], beams=[2, 16, 10**6])
    assert low.recall < 0.9 < high.recall < all_cells.recall == 1
    assert low.looked_at < high.looked_at < 0.25 < all_cells.looked_at == 1
    assert high.looked_at < high.compared < high.looked_at + 0.08
    found = index.search(data[2_000:], beam=16)
    assert (found.looked_at, found.compared) == (high.looked_at, high.compared)


def test_what_is_found_is_told(tree):
    found = search(tree, data=DATA, queries=QUERIES, k=3, beam=10**6)
    rows = list(found.rows())
    assert len(rows) == 90
    for query, rank, row, name, cell, distance in rows:
        near = np.argsort(((DATA - QUERIES[query]) ** 2).sum(axis=1))
        assert (row, name, cell) == (near[rank - 1], None, tree.cells.addresses[tree.cell_of_point[row]])
        assert distance == pytest.approx(np.linalg.norm(DATA[row] - QUERIES[query]))


def test_more_than_there_are(tree):
    found = search(tree, data=DATA, queries=QUERIES[:2], k=1_000, beam=1)
    assert found.neighbours.row.shape == (2, 1_000)
    assert (np.sort(found.neighbours.row[:, :400]) == np.arange(400)).all()
    assert (found.neighbours.row[:, 400:] == -1).all()
    assert [len(found.addresses[query]) for query in (0, 1)] == [400, 400]
    assert len(list(found.rows())) == 800


def test_through_principal_components():
    made = points(id="it", data=DATA, depth=3, pca=2)
    found = search(made, data=DATA, queries=DATA[:20], k=1)
    assert found.neighbours.row[:, 0].tolist() == list(range(20))
    assert found.neighbours.distance.max() < 1e-6
    middle, axes = DATA.mean(axis=0), np.linalg.svd(DATA - DATA.mean(axis=0), full_matrices=False)[2][:2]
    near = ((QUERIES - middle) @ axes.T)[:, None] - (DATA - middle) @ axes.T
    found = search(made, data=DATA, queries=QUERIES, k=1, beam=1_000)
    np.testing.assert_allclose(found.neighbours.distance[:, 0], np.linalg.norm(near, axis=2).min(axis=1))


def test_through_what_was_learned():
    """A tree by Dasgupta's cost stands on directions: so does what is near."""
    made = dasgupta(id="it", data=DATA[:50], starts=1, passes=2)
    found = search(made.replace(cell_of_point=None), data=DATA[:50], queries=DATA[:50], k=1, beam=100)
    assert found.neighbours.row[:, 0].tolist() == list(range(50))


def test_of_a_linkage_with_embeddings():
    made = linkage(id="it", data=merge(DATA[:40], "average"), embeddings=Embeddings.of(DATA[:40]))
    found = search(made, data=DATA[:40], queries=DATA[:40], k=1)
    assert found.neighbours.row[:, 0].tolist() == list(range(40))


def test_sparse_rows():
    rows = np.round(np.abs(DATA[:80]) - 4, 0).clip(0) + np.arange(80)[:, None]
    made = points(id="it", data=csr_array(rows), depth=2, pca=2)
    for data in (csr_array(rows), rows):
        found = search(made, data=data, queries=csr_array(rows[:9]), k=1, beam=99)
        assert found.neighbours.row[:, 0].tolist() == list(range(9))


def test_points_that_repeat():
    data = np.repeat(DATA[:100], 2, axis=0)
    made = points(id="it", data=data, depth=3, duplicates="drop")
    found = search(made, data=data, queries=DATA[:100], k=2)
    np.testing.assert_array_equal(found.neighbours.row, np.arange(200).reshape(100, 2))


HOLED = DATA.copy()
HOLED[7, 1] = np.nan
WRONG = {
    "another file": (
        {"data": DATA + 1},
        "expected the data that 'tree' was made of, 400 points of SHA-256 [0-9a-f]{64}, got o",
    ),
    "fewer rows": ({"data": DATA[:-1]}, "got others, 399 x 3 of"),
    "another order": ({"data": DATA[::-1]}, "give the same rows in the same order"),
    "data that are not finite": ({"data": HOLED}, "the data, got 1 others"),
    "no data": ({"data": DATA[:0]}, "at least one point in the data"),
    "another dimension": ({"queries": QUERIES[:, :2]}, "queries of 3 coordinates, as the points have, got 2"),
    "a query alone": ({"queries": QUERIES[0]}, "rows x columns in the queries"),
    "not finite": ({"queries": np.full((2, 3), np.inf)}, "finite numbers of at most 1e.100 in the queries, got 6 others"),
    "none": ({"queries": QUERIES[:0]}, "at least one point in the queries"),
    "no neighbour": ({"k": 0}, "at least 1 as k, the number of neighbours, got 0"),
    "more neighbours than memory": ({"k": 10**9}, "at most 50,000,000 answers in one go, got 30 queries for 1,000,000,000"),
    "no beam": ({"beam": 0}, "at least 1 as beam"),
    "files of images": ({"queries": "pictures"}, "not made of image files"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_searched(tree, case):
    changes, told = WRONG[case]
    with pytest.raises(InputError, match=told):
        search(tree, **{"data": DATA, "queries": QUERIES, **changes})


def test_hierarchies_that_cannot_be_searched(tree):
    with pytest.raises(InputError, match=r"nothing says which data points lie in the cells of 'koch'.*--points"):
        search(ifs(id="koch", maps="koch", depth=2), data=DATA, queries=QUERIES)
    with pytest.raises(InputError, match="have no centers"):
        search(linkage(id="bare", data=merge(DATA[:9], "single")), data=DATA[:9], queries=QUERIES)
    with pytest.raises(InputError, match="keeps no digest of data"):
        search(tree.replace(recipe={"source": "points"}), data=DATA, queries=QUERIES)
    with pytest.raises(InputError, match="none of the 400 data points of 'tree' lies in a cell"):
        search(tree.replace(cell_of_point=np.full(400, -1)), data=DATA, queries=QUERIES)
    with pytest.raises(InputError, match="were not read; read the whole first"):
        search(tree.replace(cell_of_point=None, point_nodes=True), data=DATA, queries=QUERIES)
    with pytest.raises(InputError, match="expected 399 points, one for each that lies in a cell, got 400"):
        search(tree.replace(cell_of_point=tree.cell_of_point[1:]), data=DATA, queries=QUERIES)


def test_points_in_no_cell_are_told_of(tree):
    placed = np.where(np.arange(400) < 10, -1, tree.cell_of_point)
    found = search(tree.replace(cell_of_point=placed), data=DATA, queries=DATA[:10], k=1, beam=1_000)
    assert found.notes == ("10 of 400 data points lie in no cell and are not found",)
    assert (found.neighbours.row >= 10).all()
    assert found.points == 390
