"""Path: the metric by address against networkx's weighted shortest path on what was read back."""

import networkx as nx
import numpy as np
import pytest

from cfgraph.errors import AddressError
from cfgraph.formats.networkx import to_networkx
from cfgraph.metric.path import find_path, find_paths
from tests.grown import grown_hierarchy, ragged_hierarchy


@pytest.mark.parametrize("make", [grown_hierarchy, ragged_hierarchy])
def test_path_equals_networkx_on_random_pairs(store, new_id, make):
    hierarchy = make(new_id(), arity=3, depth=6)
    store.write(hierarchy)
    graph = to_networkx(store.read(hierarchy.id)).to_undirected()
    rng = np.random.default_rng(0)
    addresses = hierarchy.cells.addresses
    pairs = [tuple(addresses[row] for row in rng.integers(0, len(addresses), 2)) for _ in range(1000)]
    for (first, second), path in zip(pairs, find_paths(store, hierarchy.id, pairs=pairs), strict=True):
        expected = nx.dijkstra_path_length(graph, first, second, weight="length")
        assert path.distance == pytest.approx(expected, abs=1e-9)
        assert list(path.way) == nx.shortest_path(graph, first, second)


def test_path_tells_what_is_not_there(store, new_id):
    hierarchy = grown_hierarchy(new_id(), arity=2, depth=2)
    store.write(hierarchy)
    assert find_path(store, hierarchy.id, first="/", second="/").distance == 0
    with pytest.raises(AddressError, match=r"no cell /1/1/0 .* below /1/1"):
        find_path(store, hierarchy.id, first="/", second="/1/1/0")
    for malformed in ("1/2", "/1/", "", "/a", "//", "/-1", "/01"):
        with pytest.raises(AddressError, match="expected an address"):
            find_path(store, hierarchy.id, first=malformed, second="/")
