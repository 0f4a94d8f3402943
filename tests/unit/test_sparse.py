"""Sparse rows: read as they are, refused where they are none, brought to few columns, and new ones located."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.decomposition import TruncatedSVD

from cfgraph import apply, encode
from cfgraph.errors import InputError
from cfgraph.files import sparse as module
from cfgraph.files.arrays import check_points, read_points
from cfgraph.sources import dasgupta, hcrl, points
from cfgraph.sources.preparation import read_rows

TOPICS, WORDS, DOCUMENTS = 5, 400, 150


def made_documents(seed=0):
    """Counts of words, tf-idf weighted, and the topic of each document."""
    random = np.random.default_rng(seed)
    words = random.dirichlet(np.full(WORDS, 0.05), size=TOPICS)
    topic = np.repeat(np.arange(TOPICS), DOCUMENTS // TOPICS)
    counts = np.stack([random.multinomial(60, words[one]) for one in topic])
    weight = np.log(len(counts) / (1 + (counts > 0).sum(axis=0))) + 1
    return sparse.csr_array(counts * weight), topic


ROWS, TOPIC = made_documents()


@pytest.fixture
def saved(tmp_path):
    def save(matrix, name="rows.npz", **changed):
        sparse.save_npz(tmp_path / name, matrix)
        if changed:
            with np.load(tmp_path / name) as arrays:
                np.savez(tmp_path / name, **{**arrays, **changed})
        return tmp_path / name

    return save


@pytest.mark.parametrize("layout", ["csr", "csc", "coo"])
@pytest.mark.parametrize("family", ["array", "matrix"])
def test_any_layout_is_the_same_rows(saved, layout, family):
    path = saved(getattr(sparse, f"{layout}_{family}")(ROWS))
    found = module.read_sparse(path, what="points")
    np.testing.assert_array_equal(found.toarray(), ROWS.toarray())
    assert module.digest_of_sparse(found) == module.digest_of_sparse(ROWS)
    table = read_points(path)
    np.testing.assert_array_equal(table.values, ROWS.toarray())
    assert "sparse rows" in table.notes[0]
    assert f"{ROWS.nnz / ROWS.toarray().size:.2%}" in table.notes[0]


def test_entries_twice_are_summed_and_zeros_are_none(saved):
    path = saved(sparse.coo_array((np.array([1.0, 2.0, 0.0]), (np.array([0, 0, 1]), np.array([1, 1, 0]))), shape=(2, 2)))
    found = module.read_sparse(path, what="points")
    assert (found.nnz, found.toarray().tolist()) == (1, [[0, 3], [0, 0]])


def test_objects_are_taken_too():
    table = check_points(sparse.coo_matrix(ROWS), where="the array")
    np.testing.assert_array_equal(table.values, ROWS.toarray())


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"indices": np.full(ROWS.nnz, WORDS)}, "cannot be read"),
        ({"indices": np.full(ROWS.nnz, -1)}, "cannot be read"),
        ({"indptr": ROWS.indptr[::-1].copy()}, "cannot be read"),
        ({"indptr": ROWS.indptr[:-1]}, "cannot be read"),
        ({"indices": ROWS.indices.astype(float)}, "whole numbers"),
        ({"data": np.full(ROWS.nnz, np.nan)}, "first nan in row 0, column"),
        ({"data": np.full(ROWS.nnz, 1j)}, "of numbers"),
        ({"format": np.array(b"bsr")}, "one of the layouts csr, csc, coo, got 'bsr'"),
        ({"format": np.array(3)}, "one of the layouts"),
        ({"shape": np.array([DOCUMENTS])}, "a number of rows and one of columns"),
        ({"shape": np.array([-1, 3])}, "a number of rows and one of columns"),
        ({"shape": np.array([10**15, 3])}, "memory"),
    ],
)
def test_what_is_no_sparse_matrix(saved, changed, told):
    path = saved(ROWS, **changed)
    for read in (read_points, lambda path: module.read_sparse(path, what="points")):
        with pytest.raises(InputError, match=told):
            read(path)


def test_a_coo_of_a_made_up_size_is_refused(saved):
    path = saved(sparse.coo_array(ROWS), shape=np.array([10**12, 3]))
    with pytest.raises(InputError, match="memory"):
        module.read_sparse(path, what="points")


def test_an_array_is_missing(saved):
    path = saved(ROWS)
    with np.load(path) as arrays:
        np.savez(path, **{name: arrays[name] for name in arrays.files if name != "indptr"})
    with pytest.raises(InputError, match="no array indptr"):
        read_points(path)


def test_zeros_that_do_not_fit_are_not_written_out(saved, monkeypatch):
    monkeypatch.setattr(module, "free_memory", lambda: 100_000)
    path = saved(ROWS)
    with pytest.raises(InputError, match="--svd 100"):
        read_points(path)
    assert read_points(path, large=True).values.shape == ROWS.shape
    assert read_rows(path, svd=4, seed=0).table.values.shape == (DOCUMENTS, 4)


def test_directions_are_those_of_the_library(saved):
    rows = read_rows(saved(ROWS), svd=6, seed=1)
    theirs = TruncatedSVD(6, random_state=1).fit(ROWS)
    np.testing.assert_allclose(rows.table.values, ROWS @ theirs.components_.T, atol=1e-9)
    same = read_rows(ROWS.toarray(), svd=6, seed=1)
    np.testing.assert_allclose(same.table.values, rows.table.values, atol=1e-9)
    assert same.table.digest == rows.table.digest
    with pytest.raises(InputError, match="at most 150 directions of 150 x 400"):
        read_rows(ROWS, svd=151, seed=0)


def dasgupta_tree(data):
    return dasgupta(id="it", data=data, svd=8)


def hcrl_tree(data):
    return hcrl(id="it", data=data, svd=8, depth=2, branching=(5, 2))


@pytest.mark.parametrize("learn", [dasgupta_tree, hcrl_tree])
def test_topics_come_out_and_new_documents_are_placed(saved, learn):
    from cfgraph.files.labels import Labels
    from cfgraph.judging.evaluate import evaluate

    path = saved(ROWS)
    tree = learn(path)
    assert evaluate(tree, labels=Labels(TOPIC)).dendrogram_purity > 0.95
    assert tree.recipe["svd"] == 8
    assert "singular directions" in " ".join(tree.notes)
    np.testing.assert_allclose(encode(tree, data=ROWS), encode(tree, data=ROWS.toarray()), atol=1e-9)
    assert apply(tree, data=ROWS) == apply(tree, data=ROWS.toarray())
    assert learn(ROWS).cells.center.tobytes() == tree.cells.center.tobytes()


def test_new_sparse_rows_are_written_out_in_parts(monkeypatch):
    from cfgraph.learning.encoders import pipeline

    tree = dasgupta_tree(ROWS)
    whole = encode(tree, data=ROWS)
    monkeypatch.setattr(pipeline, "_BATCH_NUMBERS", 7 * WORDS)
    np.testing.assert_allclose(encode(tree, data=ROWS), whole, atol=1e-12)
    with pytest.raises(InputError, match="400 columns"):
        encode(tree, data=ROWS[:, :7])


def test_a_tree_without_an_encoder_locates_sparse_rows_too():
    tree = points(id="it", data=ROWS, arity=2, depth=2)
    assert apply(tree, data=ROWS) == apply(tree, data=ROWS.toarray())


def test_latents_of_sparse_rows(saved):
    pytest.importorskip("torch", reason="torch is not installed")
    from cfgraph.sources import infohier

    tree = infohier(id="it", data=saved(ROWS), svd=8, epochs=2)
    assert tree.recipe["svd"] == 8
    np.testing.assert_allclose(encode(tree, data=ROWS), tree.cells.center[tree.cell_of_point], atol=1e-6)


def test_directions_are_not_of_similarities():
    with pytest.raises(InputError, match="leave --svd out"):
        dasgupta(id="it", similarity=np.eye(3), svd=2)
