"""Comparison by name counts what sets of names and of pairs of names would."""

import numpy as np
import pytest

from cfgraph.errors import InputError
from cfgraph.judging.compare_names import Shared, compare_names
from cfgraph.model.dag import Dag
from cfgraph.sources.imported import imported


def make(id, *, nodes, names, seed, second=0):
    """A dag in which each node hangs below one of lower number, and some below a second one."""
    random = np.random.default_rng(seed)
    child = np.concatenate([np.arange(1, nodes), random.integers(nodes // 2, nodes, size=second)])
    parent = (random.random(len(child)) * child).astype(int)
    pairs = np.unique(np.stack([parent, child]), axis=1)
    return imported(Dag(nodes, *pairs, names=names), id=id, origin="edges")


def naive(first, second):
    """The same by sets."""

    def edges(cells):
        names, ends = cells.names, list(zip(cells.parent[1:].tolist(), range(1, len(cells)), strict=True))
        ends += [] if cells.links is None else list(zip(cells.links.parent.tolist(), cells.links.child.tolist(), strict=True))
        return {(names[a], names[b]) for a, b in ends if names[a] is not None and names[b] is not None}

    found = []
    for one, other in (
        [{name for name in h.cells.names if name is not None} for h in (first, second)],
        [edges(h.cells) for h in (first, second)],
    ):
        found.append(Shared(len(one & other), len(one - other), len(other - one)))
    return found


@pytest.mark.parametrize("second", [0, 20], ids=["trees", "several-parents"])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_shared(seed, second):
    nodes = 60
    star = [f"n{node}" for node in range(nodes)]  # each name once
    names = star if seed % 2 else [name if node % 5 else None for node, name in enumerate(star)]
    one = make("one", nodes=nodes, names=star, seed=seed, second=second)
    other = make("other", nodes=nodes, names=names, seed=seed + 1, second=second)
    found = compare_names(one, other, pairs=50)
    assert [found.names, found.edges] == naive(one, other)
    again = compare_names(other, one, pairs=50)
    assert [again.names, again.edges] == naive(other, one)


def test_a_hierarchy_shares_all_with_itself():
    one = make("one", nodes=40, names=[f"n{node}" for node in range(40)], seed=1, second=9)
    found = compare_names(one, one, pairs=20)
    assert (found.names, found.edges) == (Shared(40, 0, 0), Shared(len(one.cells.edges()), 0, 0))
    assert found.path_distortion.max_relative == 0


def test_names_that_come_again():
    """Inner nodes may share a name: it counts once, and so does an edge between two names."""
    names = ["r", "same", "same", "a", "b", "c", "d", None]
    dag = Dag(8, np.array([0, 0, 1, 1, 2, 2, 2]), np.array([1, 2, 3, 4, 5, 6, 7]), names=names)
    one = imported(dag, id="one", origin="edges")
    other = imported(Dag(4, np.array([0, 1, 1]), np.array([1, 2, 3]), names=["r", "same", "a", "z"]), id="o", origin="edges")
    found = compare_names(one, other, pairs=20)
    assert [found.names, found.edges] == naive(one, other) == [Shared(3, 3, 1), Shared(2, 3, 1)]


def test_too_few_names_are_refused():
    one = make("one", nodes=4, names=["a", "b", "c", "d"], seed=0)
    other = make("other", nodes=4, names=["a", "x", "y", None], seed=0)
    with pytest.raises(InputError, match="at least two names that both hierarchies have, got 1: 'one' has 'a', 'b', 'c'"):
        compare_names(one, other)
