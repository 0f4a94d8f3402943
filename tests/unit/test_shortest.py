"""Shortest ways over several parents against networkx, and over one parent against the tree's own metric."""

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfgraph.errors import InputError
from cfgraph.metric.distances import common_ancestors, path_distances
from cfgraph.metric.shortest import Edges, pair_distances, shortest_ways
from tests.trees import ragged_cells, smooth_cells

UNIT = st.just(1.0)
EQUAL = st.just(0.375)
ZERO = st.just(0.0)
FEW_LENGTHS = st.sampled_from([0.0, 0.5, 1.0, 1.5])  # many ties, edges of length 0, and sums that are exact
ANY_LENGTHS = st.floats(0, 1e6, allow_subnormal=False)


@st.composite
def dags(draw, *, lengths):
    """Edges from lower to higher numbers, in any order, parallel ones and loops among them, in several components."""
    count = draw(st.integers(1, 14))
    ends = st.integers(0, count - 1)
    pairs = draw(st.lists(st.tuples(ends, ends).map(sorted), max_size=24))
    values = draw(st.lists(draw(st.sampled_from(lengths)), min_size=len(pairs), max_size=len(pairs)))
    parent, child = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return Edges(count, parent, child, np.array(values, dtype=np.float64))


def as_networkx(edges):
    """The undirected graph, with the shortest of parallel edges."""
    graph = nx.Graph()
    graph.add_nodes_from(range(edges.count))
    length = np.ones(len(edges.parent)) if edges.length is None else edges.length
    for u, v, weight in sorted(zip(edges.parent.tolist(), edges.child.tolist(), length.tolist(), strict=True), reverse=True):
        graph.add_edge(u, v, weight=min(weight, graph.get_edge_data(u, v, {}).get("weight", weight)))
    return graph


def all_pairs(count):
    first, second = np.meshgrid(np.arange(count), np.arange(count), indexing="ij")
    return first.reshape(-1), second.reshape(-1)


def slow_distances(edges, first, second):
    lengths = dict(nx.all_pairs_dijkstra_path_length(as_networkx(edges)))
    return np.array([lengths[u].get(v, np.nan) for u, v in zip(first.tolist(), second.tolist(), strict=True)])


def random_dag(count, *, parents, seed, lengths=True):
    """Every node but the first under some earlier ones."""
    random = np.random.default_rng(seed)
    child = np.repeat(np.arange(1, count), random.integers(1, parents + 1, size=count - 1))
    parent = (random.random(len(child)) * child).astype(np.int64)
    return Edges(count, parent, child, random.exponential(size=len(child)) if lengths else None)


def chain(count, *, length=None):
    return Edges(count, np.arange(count - 1), np.arange(1, count), length)


@given(dags(lengths=[UNIT, EQUAL, ZERO, FEW_LENGTHS, ANY_LENGTHS]))
def test_distances_are_those_of_networkx(edges):
    """All pairs: many share an end, all are with themselves once, and many have no way."""
    pairs = all_pairs(edges.count)
    np.testing.assert_allclose(pair_distances(edges, *pairs), slow_distances(edges, *pairs), rtol=1e-12)


@pytest.mark.parametrize("lengths", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_distances_of_many_pairs_are_those_of_networkx(lengths, seed):
    """More sources than bits in a word, and enough of them that landmarks bound the searches from both ends."""
    edges = random_dag(300, parents=3, seed=seed, lengths=lengths)
    first, second = np.random.default_rng(seed).integers(edges.count, size=(2, 600))
    np.testing.assert_allclose(pair_distances(edges, first, second), slow_distances(edges, first, second), rtol=1e-12)


def test_sources_with_few_and_with_many_targets_in_several_components():
    parts = [random_dag(200, parents=2, seed=seed) for seed in range(3)]
    parent, child = (np.concatenate([getattr(p, e) + 200 * i for i, p in enumerate(parts)]) for e in ("parent", "child"))
    edges = Edges(605, parent, child, np.concatenate([p.length for p in parts]))  # five nodes have no edge
    first, second = np.random.default_rng(4).integers(605, size=(2, 800))
    first[:150], second[150:200] = 7, 310
    found = pair_distances(edges, first, second)
    np.testing.assert_allclose(found, slow_distances(edges, first, second), rtol=1e-12)
    assert 0.5 < np.isnan(found).mean() < 0.8


@given(ragged_cells(levels=4, children=3))
def test_on_a_tree_distances_are_the_path_metric(cells):
    edges = Edges(len(cells), cells.parent[1:], np.arange(1, len(cells)), cells.length[1:])
    pairs = all_pairs(len(cells))
    np.testing.assert_allclose(pair_distances(edges, *pairs), path_distances(cells, *pairs), rtol=1e-12, atol=1e-300)


def test_on_a_large_tree_distances_are_the_path_metric():
    cells = smooth_cells(6)
    edges = Edges(len(cells), cells.parent[1:], np.arange(1, len(cells)), cells.length[1:])
    pairs = np.random.default_rng(0).integers(len(cells), size=(2, 300))
    np.testing.assert_allclose(pair_distances(edges, *pairs), path_distances(cells, *pairs), rtol=1e-12)


def test_several_parents_make_shortcuts():
    """3 and 4 meet in their child 5 before they meet in the root."""
    edges = Edges(6, np.array([0, 0, 1, 2, 3, 4]), np.array([1, 2, 3, 4, 5, 5]))
    assert pair_distances(edges, np.array([3, 1]), np.array([4, 2])).tolist() == [2.0, 2.0]
    assert shortest_ways(edges, np.array([3]), np.array([4])) == [((3, 5, 4), (1.0, 1.0))]


@pytest.mark.parametrize("equal", [True, False])
def test_an_edge_of_length_zero_is_an_edge(equal):
    length = np.zeros(3) if equal else np.array([0.0, 0.0, 2.0])
    edges = Edges(5, np.array([0, 1, 2]), np.array([1, 2, 3]), length)
    found = pair_distances(edges, np.array([0, 0, 3, 4, 0]), np.array([2, 3, 0, 4, 4]))
    np.testing.assert_array_equal(found, [0.0, length[2], length[2], 0.0, np.nan])
    assert shortest_ways(edges, np.array([2]), np.array([0])) == [((2, 1, 0), (0.0, 0.0))]


def test_of_parallel_edges_the_shortest_counts():
    edges = Edges(3, np.array([0, 0, 1, 0, 1]), np.array([1, 1, 0, 2, 1]), np.array([3.0, 1.0, 2.0, 5.0, 0.0]))
    assert pair_distances(edges, np.array([1, 1]), np.array([0, 2])).tolist() == [1.0, 6.0]
    assert shortest_ways(edges, np.array([1]), np.array([2])) == [((1, 0, 2), (1.0, 5.0))]


@pytest.mark.parametrize("lengths", [True, False])
def test_a_star_of_100_000_children(lengths):
    count = 100_001
    length = np.random.default_rng(0).random(count - 1) if lengths else None
    edges = Edges(count, np.zeros(count - 1, dtype=np.int64), np.arange(1, count), length)
    first, second = np.random.default_rng(1).integers(1, count, size=(2, 60))
    second[0], second[1] = first[0], 0
    arm = np.concatenate([[0.0], np.ones(count - 1) if length is None else length])
    np.testing.assert_allclose(pair_distances(edges, first, second), np.where(first == second, 0, arm[first] + arm[second]))
    assert shortest_ways(edges, first[2:3], second[2:3])[0].nodes == (first[2], 0, second[2])


@pytest.mark.parametrize("lengths", [True, False])
def test_a_chain_of_3_000(lengths):
    """Far longer than is worth counting step by step: the pairs that are left change over to the other way."""
    length = np.random.default_rng(0).random(2_999) if lengths else None
    edges = chain(3_000, length=length)
    first, second = np.array([0, 2_999, 10, 1_500, 0]), np.array([2_999, 0, 12, 1_500, 1])
    place = np.concatenate([[0.0], np.cumsum(np.ones(2_999) if length is None else length)])
    np.testing.assert_allclose(pair_distances(edges, first, second), np.abs(place[first] - place[second]), rtol=1e-12)
    assert shortest_ways(edges, first[1:2], second[1:2])[0].nodes == tuple(range(2_999, -1, -1))


def test_nothing_asked_and_nothing_there():
    nobody = np.array([], dtype=np.int64)
    assert len(pair_distances(Edges(0, nobody, nobody), nobody, nobody)) == 0
    found = pair_distances(Edges(2, nobody, nobody, np.array([])), np.array([0, 0]), np.array([0, 1]))
    np.testing.assert_array_equal(found, [0.0, np.nan])
    assert shortest_ways(Edges(2, nobody, nobody), np.array([0, 0]), np.array([0, 1])) == [((0,), ()), None]


def best_way(edges, start, goal):
    """Of all shortest ways the one of fewest edges, then of the lowest numbers from the lower end on: by trying them all."""
    graph = as_networkx(edges)
    low, high = min(start, goal), max(start, goal)
    if not nx.has_path(graph, low, high):
        return None
    ways = [[low]] if low == high else nx.all_simple_paths(graph, low, high)
    _, _, best = min((nx.path_weight(graph, way, "weight"), len(way), way) for way in ways)
    best = best if start == low else best[::-1]
    return tuple(best), tuple(graph.edges[edge]["weight"] for edge in pairwise(best))


@given(dags(lengths=[UNIT, ZERO, FEW_LENGTHS]))
def test_of_equally_short_ways_the_same_is_shown_each_time(edges):
    pairs = all_pairs(edges.count)
    for start, goal, way in zip(*(column.tolist() for column in pairs), shortest_ways(edges, *pairs), strict=True):
        assert way == best_way(edges, start, goal)


@given(dags(lengths=[ANY_LENGTHS]))
def test_a_way_leads_there_over_edges_and_is_as_long_as_the_distance(edges):
    pairs, graph = all_pairs(edges.count), as_networkx(edges)
    for start, goal, distance, way in zip(*pairs, pair_distances(edges, *pairs), shortest_ways(edges, *pairs), strict=True):
        if way is None:
            assert np.isnan(distance)
            continue
        assert (way.nodes[0], way.nodes[-1]) == (start, goal)
        assert list(way.lengths) == [graph.edges[edge]["weight"] for edge in pairwise(way.nodes)]
        assert way.distance == pytest.approx(distance, rel=1e-10)


@given(ragged_cells(levels=3, children=3))
def test_on_a_tree_the_way_is_over_the_lowest_common_ancestor(cells):
    edges = Edges(len(cells), cells.parent[1:], np.arange(1, len(cells)), cells.length[1:])
    first, second = all_pairs(len(cells))
    for start, goal, top, way in zip(
        first.tolist(),
        second.tolist(),
        common_ancestors(cells, first, second),
        shortest_ways(edges, first, second),
        strict=True,
    ):
        up, down = [start], [goal]
        for climb in (up, down):
            while climb[-1] != top:
                climb.append(int(cells.parent[climb[-1]]))
        assert way.nodes == (*up, *down[-2::-1])


@pytest.mark.parametrize(
    ("parent", "child", "length", "told"),
    [
        ([0, 3], [1, 1], None, r"expected nodes 0 to 2, got 3 as the parent of edge 1 \(1 such"),
        ([0, 0], [-1, 1], None, r"got -1 as the child of edge 0"),
        ([0, 1], [1, 2], [1.0, -0.5], r"edge 1, from node 1 to node 2, is -0\.5 long \(1 such"),
        ([0, 1], [1, 2], [np.nan, np.inf], r"finite.*edge 0, from node 0 to node 1, is nan long \(2 such"),
    ],
)
def test_edges_that_make_no_sense_are_refused(parent, child, length, told):
    with pytest.raises(InputError, match=told):
        Edges(3, np.array(parent), np.array(child), None if length is None else np.array(length))


@pytest.mark.parametrize("ask", [pair_distances, shortest_ways])
def test_pairs_of_nodes_that_there_are_not_are_refused(ask):
    with pytest.raises(InputError, match=r"expected nodes 0 to 2, got 3 as `second` of pair 1 \(1 such"):
        ask(chain(3), np.array([0, 1]), np.array([2, 3]))
    with pytest.raises(InputError, match=r"got -1 as `first` of pair 0"):
        ask(chain(3), np.array([-1]), np.array([2]))
