"""Classes by their affinities, and flat clusterings as logits."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import is_monotonic, is_valid_linkage
from sklearn.datasets import load_digits

from cfgraph.errors import InputError
from cfgraph.files.labels import Labels
from cfgraph.formats.linkage import to_linkage
from cfgraph.judging.evaluate import evaluate
from cfgraph.sources import affinity, logits
from cfgraph.sources.affinity import average_tree, class_affinities, spectral_tree
from cfgraph.sources.clustering import cluster_logits
from cfgraph.sources.logits import merge_logits
from cfgraph.sources.softmax import predict

RANDOM = np.random.default_rng(0)


def blocks(*, classes=8, points=400, spread=2.0):
    """Logits of classes that come in pairs, pairs of pairs, and so on: the nearer, the more alike."""
    own = RANDOM.integers(classes, size=points)
    nearness = np.array([[(a ^ b).bit_length() for b in range(classes)] for a in range(classes)])
    return -2.0 * nearness[own] + spread * RANDOM.normal(size=(points, classes))


def below(children, classes):
    """The classes below each merge."""
    found = [{number} for number in range(classes)]
    for one, other in children.tolist():
        found.append(found[one] | found[other])
    return found[classes:]


def test_affinities_are_what_they_say():
    values = blocks()
    probabilities = np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)
    mass = probabilities.sum(axis=0)
    wanted = probabilities.T @ probabilities / np.sqrt(np.outer(mass, mass))
    np.fill_diagonal(wanted, 0)
    found = class_affinities(values, predict(values))
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    assert (found == found.T).all()
    assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize("tree", [spectral_tree, average_tree])
def test_the_tree_of_nested_blocks_is_found(tree):
    values = blocks()
    found = class_affinities(values, predict(values))
    children, height, mean = tree(found)
    assert {frozenset(part) for part in below(children, 8)} == {
        frozenset(range(low, low + size)) for size in (2, 4, 8) for low in range(0, 8, size)
    }
    Z = np.column_stack([children, height, [len(part) for part in below(children, 8)]]).astype(float)
    assert is_valid_linkage(Z)
    assert is_monotonic(Z)
    sides = [({a}, {b}) if max(a, b) < 8 else None for a, b in children.tolist()]
    for pair, one in zip(sides, mean, strict=True):
        if pair is not None:
            (a,), (b,) = pair
            assert one == pytest.approx(found[a, b])


def test_a_cut_is_the_least_that_the_order_has():
    """Against every cut of eight classes: none that keeps the order of the eigenvector is better."""
    values = blocks(spread=4.0)
    found = class_affinities(values, predict(values))
    side = affinity._cut(found)

    def normalised(side):
        cut = found[np.ix_(side, ~side)].sum()
        return cut / found[side].sum() + cut / found[~side].sum()

    every = [np.array([number >> place & 1 for place in range(8)], dtype=bool) for number in range(1, 127)]
    assert normalised(side) <= 1.1 * min(map(normalised, every))


@pytest.mark.parametrize("linkage", ["spectral", "average"])
def test_classes_that_have_nothing_in_common(linkage):
    """Two pairs of classes and one that nobody thinks of: no not-a-number, and pairs stay together."""
    values = np.full((40, 5), -np.inf)
    values[:20, [0, 1]] = RANDOM.normal(size=(20, 2))
    values[20:, [2, 3]] = RANDOM.normal(size=(20, 2))
    merges = merge_logits(values, linkage=linkage)
    parts = {frozenset(part) for part in below(np.column_stack([merges.group, merges.other]), 5)}
    assert {frozenset({0, 1}), frozenset({2, 3})} <= parts
    assert np.isfinite(merges.height).all()
    assert (np.diff(merges.height) >= 0).all()
    assert merges.notes == ("1 of 5 classes are predicted for no point",)


@pytest.mark.parametrize("faint", [1e-3, 1e-8, 1e-12, 1e-100, 1e-300])
def test_affinities_of_any_size_are_cut_where_they_are_least(faint):
    """Two groups that know little of each other, in one of which a class hangs by a thread."""
    found = np.full((6, 6), faint)
    found[:3, :3], found[3:, 3:] = 0.5, 0.4
    found[5, :] = found[:, 5] = faint**2
    found[5, 4] = found[4, 5] = faint
    np.fill_diagonal(found, 0)
    children, height, _ = spectral_tree(found)
    assert {frozenset(part) for part in below(children, 6)} >= {frozenset({0, 1, 2}), frozenset({3, 4})}
    assert np.isfinite(height).all()


@pytest.mark.parametrize("linkage", ["l2h", "spectral", "average"])
@pytest.mark.parametrize("clustering", ["kmeans:20", "gmm:20"])
def test_flat_clusterings_become_trees(linkage, clustering):
    data, classes = load_digits(return_X_y=True)
    made = logits(id="it", data=data, clustering=clustering, linkage=linkage, points=True)
    assert made.dimension == 64
    assert made.recipe["clustering"] == clustering
    assert is_valid_linkage(to_linkage(made))
    np.testing.assert_allclose(made.cells.center[0], data.mean(axis=0), atol=1e-9)
    assert evaluate(made, labels=Labels(classes)).dendrogram_purity > 0.45  # of a random tree .1
    again = logits(id="it", data=data, clustering=clustering, linkage=linkage, points=True)
    assert (again.cells.center == made.cells.center).all()


def test_the_logits_of_k_means():
    data = RANDOM.normal(size=(60, 3))
    found = cluster_logits(data, clustering="kmeans:4", seed=1)
    assert found.shape == (60, 4)
    own = found.argmax(axis=1)
    centers = np.stack([data[own == number].mean(axis=0) for number in range(4)])
    squares = ((data[:, None] - centers) ** 2).sum(axis=2)
    np.testing.assert_allclose(found, -squares / (2 * squares.min(axis=1).mean() / 3), rtol=1e-6)


def test_points_on_their_centers_are_sure():
    data = np.repeat(np.eye(3), 5, axis=0)
    found = cluster_logits(data, clustering="kmeans:3", seed=0)
    assert np.isneginf(found).sum() == 30
    assert len(logits(id="it", data=data, clustering="kmeans:3", linkage="spectral").cells) == 5


@pytest.mark.parametrize("clustering", ["kmeans", "kmeans:", "kmeans:1", "kmeans:100", "gmm:-2", "dbscan:3", "gmm:2.5", ""])
def test_other_clusterings_are_refused(clustering):
    with pytest.raises(InputError, match="expected"):
        logits(id="it", data=RANDOM.normal(size=(50, 2)), clustering=clustering)


def test_other_linkages_and_too_many_classes_are_refused(monkeypatch):
    with pytest.raises(InputError, match="expected a linkage out of l2h, spectral, average"):
        merge_logits(blocks(), linkage="ward")
    monkeypatch.setattr(affinity, "CLASSES_MAX", 7)
    with pytest.raises(InputError, match="at most 7 classes"):
        merge_logits(blocks(), linkage="spectral")
    merge_logits(blocks())
