"""Condensing and cutting: equal to a slow obvious version, and to HDBSCAN's; deep trees without recursion."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import cut_tree, linkage

from cfgraph.errors import InputError
from cfgraph.formats.linkage import linkage_dag
from cfgraph.formats.newick import parse_newick
from cfgraph.model.dag import Dag
from cfgraph.sources.condense import condense, cut_levels
from cfgraph.sources.objects import condensed_dag


def random_tree(seed, nodes):
    """A random tree with several children a node, points anywhere and heights that fall on the way down."""
    chance = np.random.default_rng(seed)
    parent = np.array([chance.integers(max(0, index - 6), index) for index in range(1, nodes)], dtype=np.int64)
    child, height = np.arange(1, nodes), np.zeros(nodes)
    for index in range(nodes - 1, 0, -1):
        height[parent[index - 1]] = max(height[parent[index - 1]], height[index] + chance.integers(0, 3))
    shuffled = chance.permutation(nodes)
    new_height = np.empty(nodes)
    new_height[shuffled] = height
    parent, child = shuffled[parent], shuffled[child]
    return Dag(
        count=nodes,
        parent=parent,
        child=child,
        length=new_height[parent] - new_height[child],
        lengths="height",
        names=[f"n{index}" for index in range(nodes)],
        columns={"height": new_height},
        node_of_point=chance.integers(-1, nodes, size=3 * nodes),
    )


def shape(dag, cell=None):
    """A tree as nested tuples of points, heights and names in order."""
    roots = sorted(set(range(dag.count)) - set(dag.child.tolist()))
    if cell is None:
        return [shape(dag, root) for root in roots]
    inside = tuple(np.flatnonzero(dag.node_of_point == cell).tolist())
    below = dag.child[dag.parent == cell].tolist()
    name = dag.names[cell] if dag.names else None
    return (inside, float(dag.columns["height"][cell]), name, [shape(dag, child) for child in below])


def children_of(dag, node):
    return dag.child[dag.parent == node].tolist()


def points_below(dag, node):
    own = np.flatnonzero(dag.node_of_point == node).tolist()
    return sorted(own + [point for child in children_of(dag, node) for point in points_below(dag, child)])


def condensed_slowly(dag, node, minimum):
    """As the docstring says it, by recursion."""
    points = []
    while True:
        large = [child for child in children_of(dag, node) if len(points_below(dag, child)) >= minimum]
        points += np.flatnonzero(dag.node_of_point == node).tolist()
        points += [p for child in children_of(dag, node) if child not in large for p in points_below(dag, child)]
        if len(large) != 1:
            below = [condensed_slowly(dag, child, minimum) for child in large]
            return (tuple(sorted(points)), float(dag.columns["height"][node]), dag.names[node], below)
        node = large[0]


def roots_of(dag):
    return sorted(set(range(dag.count)) - set(dag.child.tolist()))


@pytest.mark.parametrize("seed", range(60))
def test_condense_is_what_its_docstring_says(seed):
    dag = random_tree(seed, nodes=3 + seed)
    minimum = 2 + seed % 7
    done = condense(dag, minimum)
    assert shape(done) == [condensed_slowly(dag, root, minimum) for root in roots_of(dag)]
    for cell in range(done.count):
        assert done.columns["size"][cell] == len(points_below(done, cell))
    height = done.columns["height"]
    assert np.array_equal(done.length, height[done.parent] - height[done.child])


def test_points_and_clusters_are_those_of_scikit_learn():
    tree = pytest.importorskip("sklearn.cluster._hdbscan._tree")
    row = np.dtype([("left_node", np.intp), ("right_node", np.intp), ("value", np.float64), ("cluster_size", np.intp)])
    for seed in range(40):
        chance = np.random.default_rng(seed)
        X = chance.standard_normal((chance.integers(10, 200), 2)) if seed % 3 else chance.integers(0, 9, (80, 2)).astype(float)
        Z = linkage(X, "single" if seed % 2 else "average")
        rows = np.array([tuple(line) for line in Z], dtype=row)
        minimum = int(chance.integers(2, 9))
        theirs = tree._condense_tree(rows, minimum)
        named = [("parent", int), ("child", int), ("lambda_val", float), ("child_size", int)]
        theirs = np.array(theirs.tolist(), dtype=named)  # the same columns under the names of the hdbscan library
        theirs, ours = condensed_dag(theirs), condense(linkage_dag(Z), minimum)
        assert partition(ours) == partition(theirs), seed
        np.testing.assert_array_equal(sorted(ours.columns["size"]), sorted(theirs.columns["size"]))


def partition(dag):
    """Each cluster as the points below it, those of its own, and its height to nine digits."""
    found = []
    for cell in range(dag.count):
        own = np.flatnonzero(dag.node_of_point == cell).tolist()
        found.append((points_below(dag, cell), own, f"{dag.columns['height'][cell]:.9g}"))
    return sorted(found)


def cut_slowly(dag, levels):
    """The partitions at each level, from the heights that the docstring names, by whole subtrees."""
    leaves = [node for node in range(dag.count) if not children_of(dag, node)]
    above = {node: reach(dag, node) for node in range(dag.count)}
    splits = [node for node in range(dag.count) if len(children_of(dag, node)) > 1]
    heights = sorted({above[node] for node in splits}, reverse=True)
    roots = len(roots_of(dag))
    clusters = [roots + sum(len(children_of(dag, n)) - 1 for n in splits if above[n] >= height) for height in heights]
    chosen = -1
    for level in range(1, levels + 1):
        wanted = roots * (len(leaves) / roots) ** (level / (levels + 1))
        fitting = [index for index, count in enumerate(clusters) if count >= wanted - 1e-9 and index > chosen]
        chosen = min(fitting[0], len(heights) - 1 - (levels - level)) if fitting else len(heights) - 1 - (levels - level)
        yield cells_at(dag, above, heights[chosen])


def reach(dag, node):
    own = float(dag.columns["height"][node]) if children_of(dag, node) else 0.0
    return max([own, *(reach(dag, child) for child in children_of(dag, node))])


def cells_at(dag, above, height):
    """The nodes that are whole when the merges at a height and above are undone."""
    parent = {child: up for up, child in zip(dag.parent.tolist(), dag.child.tolist(), strict=True)}
    whole = {node for node in range(dag.count) if not children_of(dag, node) or above[node] < height}
    return sorted(node for node in whole if node not in parent or parent[node] not in whole)


@pytest.mark.parametrize("seed", range(60))
def test_the_cells_of_each_level_are_those_of_its_cut(seed):
    dag = random_tree(seed, nodes=8 + seed)
    splits = {reach(dag, node) for node in range(dag.count) if len(children_of(dag, node)) > 1}
    levels = 1 + seed % len(splits)
    done = cut_levels(dag, levels)
    cuts = list(cut_slowly(dag, levels))
    kept = {int(name[1:]) for name in done.names}
    assert kept == {node for cells in cuts for node in cells} | set(roots_of(dag))
    depth = {cell: len(lineage(done, cell)) for cell in range(done.count)}
    assert max(depth.values()) <= levels
    for cell in range(done.count):
        assert points_below(done, cell) == points_below(dag, int(done.names[cell][1:]))


def lineage(dag, cell):
    above = dag.parent[dag.child == cell].tolist()
    return [] if not above else [*lineage(dag, above[0]), above[0]]


def test_each_level_splits_by_the_same_factor():
    Z = linkage(np.random.default_rng(0).standard_normal((1000, 2)), "average")
    dag = linkage_dag(Z)
    done = cut_levels(dag, 2)
    level = np.array([len(lineage(done, cell)) for cell in range(done.count)])
    assert np.count_nonzero(level == 1) == 10  # 1000 ** (1 / 3)
    tops = [point for cell in np.flatnonzero(level == 1) for point in [points_below(done, int(cell))]]
    theirs = cut_tree(Z, n_clusters=10)[:, 0]
    assert sorted(tops) == sorted(np.flatnonzero(theirs == label).tolist() for label in range(10))


def test_a_tree_of_twenty_thousand_levels():
    points = 20_000
    Z = np.column_stack(
        [np.r_[0, points + np.arange(points - 2)], np.arange(1, points), np.arange(1, points), np.arange(2, points + 1)]
    )
    dag = linkage_dag(Z.astype(float))
    done = condense(dag, 5)
    assert done.count == 1
    assert done.columns["size"].tolist() == [points]
    done = cut_levels(dag, 3)
    assert done.columns["size"][0] == points
    assert np.array_equal(
        np.sort(np.bincount(done.node_of_point))[::-1][:1], [18_319]
    )  # 20,000 - 1,682 + 1: all but 20,000 ** (3/4) cells
    assert done.length.sum() > 0


def test_a_newick_tree_goes_by_its_branch_lengths():
    dag = parse_newick("(((a:1,b:1):2,(c:2,d:2):1):1,e:4,(f:3,g:3):1);")
    done = condense(dag, 2)
    assert done.count == 5  # the root, abcd with ab and cd, fg
    assert done.length.tolist() == [1, 2, 1, 1]
    assert done.node_of_point.tolist() == [2, 2, 3, 3, 0, 4, 4]
    assert done.names is None
    cut = cut_levels(dag, 2)
    assert cut.count == 8  # the root; abcd, e and fg; ab, cd, f and g
    assert cut.names == [None, None, None, None, "e", None, "f", "g"]
    assert cut.length.tolist() == [1, 2, 1, 4, 1, 3, 3]


def test_lengths_add_up_over_what_is_left_out():
    dag = parse_newick("((((a:1,b:1):2,x:1):4,y:1):8,((c:1,d:1):16,z:1):32);")
    done = condense(dag, 2)
    assert done.length.tolist() == [14, 48]


def test_bad_arguments():
    dag = linkage_dag(linkage(np.arange(5.0)[:, None] ** 2))
    for minimum, told in ((1, "between 2 and 5 as minimum cluster size, got 1"), (6, "between 2 and 5"), (2.5, "whole number")):
        with pytest.raises(InputError, match=told):
            condense(dag, minimum)
    with pytest.raises(InputError, match="at most 4 levels, as many as there are different heights"):
        cut_levels(dag, 5)
    with pytest.raises(InputError, match="at least 1 as number of levels"):
        cut_levels(dag, 0)
    two = Dag(count=3, parent=np.array([0, 1]), child=np.array([2, 2]))
    with pytest.raises(InputError, match="--condense needs a tree, got 1 of 3 nodes with several parents"):
        condense(two, 2)
    knot = Dag(count=2, parent=np.array([0, 1]), child=np.array([1, 0]), names=["a", "b"])
    with pytest.raises(InputError, match="got one of 2 edges: 'a' -> 'b' -> 'a'"):
        cut_levels(knot, 1)


def test_names_that_are_lost_are_told():
    tree = parse_newick("((a,b,c)left,(d,e,f)right)top;")
    found = condense(tree, 3)
    assert sorted(found.names) == ["left", "right", "top"]
    assert "6 names are of nodes that are cells no more" in found.notes[-1]
    assert "names" not in condense(parse_newick("((,,),(,,));"), 3).notes[-1]
