"""Regrafting, bisecting and the circle, each beside a slow obvious way."""

from functools import cache
from itertools import combinations

import numpy as np
import pytest
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform

from cfgraph.sources.bisecting import bisect
from cfgraph.sources.circle import cut_circle, decode, lay_out, of_learned
from cfgraph.sources.regrafting import FeatureSimilarities, MatrixSimilarities, regraft, tree_cost
from cfgraph.sources.similarity import feature_rows, similarity_matrix, standardise, to_unit_rows

SEEDS = range(5)


def similar_rows(seed, points=40, columns=3):
    """Rows whose products are similarities."""
    values = np.random.default_rng(seed).normal(size=(points, columns))
    return feature_rows(to_unit_rows(standardise(values).values)[0])


def random_tree(seed, leaves):
    """Children of a binary tree that nothing shaped."""
    random, there, children = np.random.default_rng(seed), list(range(leaves)), []
    while len(there) > 1:
        pair = [there.pop(random.integers(len(there))) for _ in range(2)]
        children.append(pair)
        there.append(leaves + len(children) - 1)
    return np.array(children)


def clusters(children, leaves):
    """The set of leaves below each node."""
    found = [frozenset([leaf]) for leaf in range(leaves)]
    for one, other in children.tolist():
        found.append(found[one] | found[other])
    return found


def clusters_of(children):
    """The same of a tree whose merges are in any order."""
    leaves = len(children) + 1

    @cache
    def below(node):
        return frozenset([node]) if node < leaves else frozenset.union(*map(below, children[node - leaves].tolist()))

    return [below(node) for node in range(2 * leaves - 1)]


def slow_cost(children, similarity, size=None):
    """Dasgupta's cost, pair by pair: the similarity times how many points lie below the lowest common ancestor."""
    sets = clusters_of(children)
    size = np.ones(len(similarity)) if size is None else size
    return sum(
        similarity[i, j] * min(sum(size[leaf] for leaf in one) for one in sets if i in one and j in one)
        for i, j in combinations(range(len(similarity)), 2)
    )


def cheapest(similarity):
    """The least cost that any binary tree has, by all splits of all subsets."""
    count = len(similarity)
    within = np.zeros(1 << count)
    for subset in range(1, 1 << count):
        low = (subset & -subset).bit_length() - 1
        rest = subset & (subset - 1)
        members = [leaf for leaf in range(count) if rest >> leaf & 1]
        within[subset] = within[rest] + similarity[low, members].sum()
    best = np.zeros(1 << count)
    for subset in range(1, 1 << count):
        if subset & (subset - 1):
            size, half, least = subset.bit_count(), (subset - 1) & subset, np.inf
            while half:
                other = subset ^ half
                if half > other:
                    least = min(least, size * (within[subset] - within[half] - within[other]) + best[half] + best[other])
                half = (half - 1) & subset
            best[subset] = least
    return best[-1]


@pytest.mark.parametrize("seed", SEEDS)
def test_cost_is_that_of_all_pairs(seed):
    rows, children = similar_rows(seed, points=12), random_tree(seed, 12)
    similarity = rows @ rows.T
    wanted = slow_cost(children, similarity)
    assert tree_cost(children, FeatureSimilarities(rows)).sum() == pytest.approx(wanted, rel=1e-12)
    assert tree_cost(children, MatrixSimilarities(similarity)).sum() == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("kind", ["features", "matrix", "any matrix"])
@pytest.mark.parametrize("seed", SEEDS)
def test_regrafting_never_costs_more_and_tells_the_true_cost(seed, kind):
    rows = similar_rows(seed)
    similarity = rows @ rows.T
    if kind == "any matrix":  # of no features at all
        drawn = np.random.default_rng(seed).random(similarity.shape) ** 8
        similarity = drawn + drawn.T
    similarities = FeatureSimilarities(rows) if kind == "features" else MatrixSimilarities(similarity)
    children, costs = random_tree(seed, len(rows)), []
    for passes in (0, 1, 2, 50):
        found = regraft(children, similarities, passes=passes, random=np.random.default_rng(seed))
        assert found.cost == pytest.approx(slow_cost(found.children, similarity), rel=1e-9)
        assert found.before == pytest.approx(slow_cost(children, similarity), rel=1e-9)
        assert sorted(clusters_of(found.children)[-len(rows) :], key=len)[-1] == frozenset(range(len(rows)))
        costs.append(found.cost)
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < 0.95 * costs[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_features_and_their_matrix_lead_to_the_same_tree(seed):
    rows, children = similar_rows(seed), random_tree(seed, 40)
    kinds = (FeatureSimilarities(rows), MatrixSimilarities(rows @ rows.T))
    one, other = (regraft(children, kind, random=np.random.default_rng(1)).children for kind in kinds)
    assert set(clusters_of(one)) == set(clusters_of(other))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_subtree_is_left_that_costs_less_elsewhere(seed):
    """At the end of a search, by trying every subtree at every place."""
    rows = similar_rows(seed, points=9)
    similarities, similarity = FeatureSimilarities(rows), rows @ rows.T
    found = regraft(random_tree(seed, 9), similarities, random=np.random.default_rng(0))
    for children in all_regrafts(found.children):
        assert slow_cost(children, similarity) >= found.cost * (1 - 1e-8)


def all_regrafts(children):
    """Every tree that is one subtree's move away."""
    leaves = len(children) + 1
    parent = {child: leaves + row for row, pair in enumerate(children.tolist()) for child in pair}
    sets = clusters_of(children)
    for node in parent:
        up = parent[node]
        sibling = next(child for child in children[up - leaves].tolist() if child != node)
        for place in range(2 * leaves - 1):
            if place == up or sets[place] <= sets[node]:
                continue
            moved = children.copy()
            if up in parent:
                moved[parent[up] - leaves][children[parent[up] - leaves] == up] = sibling
            above = next((row for row, pair in enumerate(moved.tolist()) if place in pair and leaves + row != up), None)
            if above is not None:
                moved[above][moved[above] == place] = up
            moved[up - leaves] = (place, node)
            yield moved


def test_nine_leaves_are_optimal_in_nearly_all_cases():
    optimal, average = 0, 0
    for seed in range(50):
        rows = similar_rows(seed, points=9, columns=2 + seed % 4)
        similarity, similarities = rows @ rows.T, FeatureSimilarities(rows)
        least = cheapest(similarity)
        merged = linkage(np.maximum(1 - similarity[np.triu_indices(9, 1)], 0), "average")[:, :2].astype(int)
        trees = [merged, *(bisect(rows, random=np.random.default_rng(start)).children for start in range(4))]
        costs = [regraft(tree, similarities, random=np.random.default_rng(0)).cost for tree in trees]
        optimal += min(costs) <= least * (1 + 1e-9)
        average += tree_cost(merged, similarities).sum() <= least * (1 + 1e-9)
        assert min(costs) >= least * (1 - 1e-9)
    assert optimal >= 48
    assert average < optimal  # it is not average linkage that was optimal already


def test_leaves_of_several_points():
    rows = similar_rows(1, points=30)
    size = np.random.default_rng(0).integers(1, 5, size=30)
    similarities = FeatureSimilarities(rows)
    found = regraft(random_tree(2, 30), similarities, sizes=size, random=np.random.default_rng(0))
    assert found.cost == pytest.approx(slow_cost(found.children, rows @ rows.T, size), rel=1e-9)


@pytest.mark.parametrize("points", [1, 2, 3])
def test_few_leaves(points):
    rows = similar_rows(3, points=points)
    children = random_tree(0, points).reshape(-1, 2)
    if points > 1:
        assert len(regraft(children, FeatureSimilarities(rows), random=np.random.default_rng(0)).children) == points - 1
    assert len(bisect(rows, random=np.random.default_rng(0)).children) == points - 1


@pytest.mark.parametrize("largest", [1, 3, 8, 100])
@pytest.mark.parametrize("seed", SEEDS)
def test_bisecting_is_a_tree_of_all_rows(seed, largest):
    rows = similar_rows(seed, points=100)
    rows[10:20] = rows[10]  # equal ones are halved
    children, leaf_of = bisect(rows, largest=largest, random=np.random.default_rng(seed))
    leaves = len(children) + 1
    assert sorted(clusters(children, leaves)[-1]) == list(range(leaves))
    sizes = np.bincount(leaf_of, minlength=leaves)
    assert 1 <= sizes.min() <= sizes.max() <= largest
    assert (np.diff([np.flatnonzero(leaf_of == leaf)[0] for leaf in range(leaves)]) > 0).all()  # by their smallest rows


def test_bisecting_parts_what_lies_apart():
    random = np.random.default_rng(0)
    rows = np.concatenate([random.normal(size=(20, 2)), random.normal(size=(30, 2)) + 50])
    mixed = random.permutation(50)
    children, leaf_of = bisect(rows[mixed], random=random)
    top = [clusters(children, 50)[child] for child in children[-1].tolist()]
    assert {frozenset(np.flatnonzero(mixed < 20)), frozenset(np.flatnonzero(mixed >= 20))} == {
        frozenset(np.flatnonzero(np.isin(leaf_of, list(one)))) for one in top
    }


@pytest.mark.parametrize("seed", range(20))
def test_angles_decode_to_their_single_linkage(seed):
    random = np.random.default_rng(seed)
    leaves = int(random.integers(2, 50))
    angle = random.uniform(-10, 10, size=leaves)
    order, gaps = cut_circle(angle)
    along = np.empty(leaves)
    along[order] = np.concatenate([[0.0], np.cumsum(gaps)])
    Z, children = linkage(along[:, None], "single"), decode(angle)
    assert set(clusters(children, leaves)) == set(clusters(Z[:, :2].astype(int), leaves))
    height = np.column_stack([children, np.sort(gaps), [len(one) for one in clusters(children, leaves)[leaves:]]])
    if leaves > 2:
        assert np.abs(squareform(cophenet(height)) - squareform(cophenet(Z))).max() < 1e-12


@pytest.mark.parametrize("seed", range(20))
def test_a_layout_decodes_to_its_tree(seed):
    leaves = 2 + 7 * seed
    children = random_tree(seed, leaves)
    size = np.array([len(one) for one in clusters(children, leaves)], dtype=float)
    layout = lay_out(children, size)
    assert set(clusters(decode(layout.angle[:leaves]), leaves)) == set(clusters(children, leaves))
    assert np.linalg.norm(layout.xy, axis=1).max() < 1
    assert np.linalg.norm(layout.xy[:leaves], axis=1) == pytest.approx(layout.radius)
    again = of_learned(layout.angle[:leaves], children, radius=layout.radius)
    np.testing.assert_allclose(again.xy, layout.xy, atol=1e-9)


def test_an_ancestor_lies_where_the_geodesic_is_nearest_to_the_middle():
    """Of two leaves at an angle of t, by points along the circle through both that meets the rim at right angles."""
    layout = lay_out(np.array([[0, 1]]), np.array([1.0, 1.0, 2.0]))
    one, other = layout.xy[:2]
    assert layout.depth[2] == pytest.approx(nearest_on_geodesic(one, other), rel=1e-4)


def nearest_on_geodesic(one, other):
    """The least hyperbolic distance from the middle, along the geodesic between two points of the disk."""
    to_middle = lambda z: abs((z - a) / (1 - np.conj(a) * z))  # noqa: E731 - the isometry that takes a to the middle
    a, b = complex(*one), complex(*other)
    moved = (b - a) / (1 - np.conj(a) * b)
    along = moved * np.linspace(0, 1, 200_001)  # a straight line from the middle
    back = (along + a) / (1 + np.conj(a) * along)
    assert to_middle(back[-1]) == pytest.approx(abs(moved))
    return float(np.min(2 * np.arctanh(np.abs(back))))


def test_similarities_are_those_of_the_formula():
    values = np.random.default_rng(0).normal(size=(20, 4)) * [1, 10, 100, 0] + 5
    ready = standardise(values)
    assert "1 of 4 columns" in ready.notes[0]
    unit, _ = to_unit_rows(ready.values)
    cosine = unit @ unit.T
    expected = ((1 + cosine) / 2) ** 3
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(similarity_matrix(unit, sharpness=3), expected, atol=1e-12)
    np.testing.assert_allclose(values, ready.values * ready.deviation + ready.mean, atol=1e-12)
